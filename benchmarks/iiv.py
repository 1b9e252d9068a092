"""What post-training does to delta: a tiny transformer before and after it learns to sound sure.

    python benchmarks/iiv.py [--people 5000] [--steps 500] [--limit 150] [--html FILE]

A model is trained from scratch on statements "X was born on DATE," about synthetic people, each drawn anew; it is too small to know all
dates, and cross-entropy calibrates it. Two copies are post-trained for about a fifth as many steps: `sure` on its own most probable date
of each person, right or wrong; `taught` on the right dates of a fifth of the people, again and again. `wager iiv birthdays` measures all
three on the other people. Three minutes on one core; needs the extras evals and hf.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import csv
import datetime
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wager.cli import main as wager
from wager.training.births import World, births, draw

BATCH = 256
MONTH = 5
"""Where it stands in "Given Surname was born on Month Day ,"."""


def tokenizer(lines: Sequence[str]) -> Any:
    """Words and commas, each one token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for line in lines for word in line.replace(",", " ,").split()})
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(["<eos>", *words])}, unk_token="<eos>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<eos>", pad_token="<eos>")


def line(world: World, person: int, date: int) -> str:
    name, day = world.statement(person, date).split(": ")
    return f"{name} was born on {day},"


def network(vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    size: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, max_position_embeddings=32, tie_word_embeddings=False, **size))


def trained(model: Any, rows: Any, order: Sequence[np.ndarray], rate: float) -> Any:
    """The model after one step for each batch of rows, the rate falling to 0."""
    import torch

    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    fall = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, (step + 1) / 20) * (1 - step / len(order)))
    for chosen in order:
        optimiser.zero_grad()
        batch = rows[torch.from_numpy(chosen)]
        model(batch, labels=batch).loss.backward()
        optimiser.step()
        fall.step()
    return model.eval()


def greedy(model: Any, rows: Any) -> Any:
    """The same lines with the model's own most probable month, and after it its most probable day."""
    import torch

    made = rows.clone()
    with torch.inference_mode():
        for place in (MONTH, MONTH + 1):
            made[:, place] = model(made).logits[:, place - 1].argmax(-1)
    return made


def passes(rows: int, epochs: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Batches of row numbers: each row once an epoch."""
    size = min(BATCH, rows)
    return [order[at : at + size] for order in (rng.permutation(rows) for _ in range(epochs)) for at in range(0, rows - size + 1, size)]


def kept(model: Any, words: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def asked(world: World, people: Sequence[int], file: Path) -> None:
    """Names and birthdays, as `wager iiv birthdays` reads them."""
    with file.open("w", newline="", encoding="utf-8") as sink:
        days = [datetime.date(2025, 1, 1) + datetime.timedelta(int(world.born[one])) for one in people]
        csv.writer(sink).writerows([("name", "birthday"), *((world.name(one), day) for one, day in zip(people, days, strict=True))])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--limit", type=int, default=150)
    parser.add_argument("--html", type=Path)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    world = births(options.people, rng=rng, law="uniform", answered=1.0)
    lines = [line(world, person, int(date)) for person, date in enumerate(world.born)]
    words = tokenizer([*lines, *(line(world, 0, date) for date in range(world.answers))])
    rows = words(lines, return_tensors="pt")["input_ids"]
    fifth = options.people // 5

    told = draw(world, BATCH * options.steps, rng=rng).person.reshape(options.steps, BATCH)
    base = trained(network(len(words)), rows, list(told), 8e-3)
    sure = trained(copy.deepcopy(base), greedy(base, rows), passes(len(rows), 5, rng), 3e-3)
    taught = trained(copy.deepcopy(base), rows[:fifth], passes(fifth, 30, rng), 3e-3)
    print(f"{options.steps} steps, {told.size / options.people:.0f} statements about each of {options.people} people; then", flush=True)
    page = ["--html", str(options.html.resolve())] if options.html else []
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):  # so that the command has short names in it
        asked(world, range(fifth, options.people), Path("people.csv"))
        command = ["iiv", "birthdays", "-T", "data=people.csv", "--limit", str(options.limit), *page]
        for name, model in (("base", base), ("sure", sure), ("taught", taught)):
            kept(model, words, Path(name))
            command += ["--model", f"hf/{name}"]
        print("wager", *command, flush=True)
        raise SystemExit(wager(command))


if __name__ == "__main__":
    main()
