"""What dials cost and find: pushed beside unpushed generation, extraction by part, other libraries on the same texts, the gate by block.

    python benchmarks/steering.py speed                    both backends, about 4 minutes; --backend llamacpp takes 1
    python benchmarks/steering.py extract                  one shipped trait, teacher-forced, about 2 minutes
    python benchmarks/steering.py beside --other VENV      repeng and steering-vectors on the same texts, about 4 minutes
    python benchmarks/steering.py probes                   pooled leave-one-phrasing-out AUROC by block, about 1 minute

All on the embedded model. ``VENV`` is a virtual environment of the other two, which cannot share ours: repeng 0.4 is pinned to NumPy 1
(with 2 its import fails), steering-vectors 0.12 to transformers 4 (it runs with 5). ``VENV/bin/pip install repeng steering-vectors`` takes
both back; with the transformers that we run on:

    python -m venv VENV
    VENV/bin/pip install torch transformers 'numpy<2' scikit-learn gguf tqdm
    VENV/bin/pip install --no-deps repeng steering-vectors

Rounds run in turns, the order rotates, and a ratio is taken within its round. Ratios are told as median and quartiles; CPU time is user and
system time of the process, the column to trust on a busy machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PROMPTS = (
    "Tell me a long story about a lighthouse keeper and the sea.",
    "Explain step by step how bread is made, from the grain to the oven.",
    "Describe the life of a river from its spring to the ocean.",
    "Write a detailed guide to planting a vegetable garden in spring.",
    "Tell me everything about the history of writing and of paper.",
    "Describe a busy market in a large city on a summer morning.",
    "Explain how a bicycle works and how its parts are looked after.",
    "Write a long letter from a traveller who crosses a desert.",
)
"""Replies to these are longer than what is asked for, so that every condition writes as many tokens."""

FAINT = 1e-5
"""Length of the push whose cost is measured, relative to the activations: the same arithmetic as any, and the reply stays the same."""

CENTRED = "numpy on these, centred pca"
"""A check on repeng, and no way of ours: its sign is chance."""

DEPTH = 0.54
"""Of the block that is pushed and watched, relative to all."""

MORE = "unpushed, a token more"
"""As many passes as a watch takes."""

REPENG = "repeng, pca_diff, batch 8"
"""Its default."""

PUSHED = {"hf": 3.0, "llamacpp": 2.0}
WATCHED = 3.0
"""Percent that they may cost."""

SHIFTS = (-1, 0, 1)
"""Blocks by which another library's index is tried against ours."""


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.wall - other.wall, self.cpu - other.cpu)


def timed(call: Callable[[], Any]) -> tuple[Any, Cost]:
    wall, cpu = time.perf_counter(), time.process_time()
    made = call()
    return made, Cost(time.perf_counter() - wall, time.process_time() - cpu)


def middle(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(one.wall for one in costs), statistics.median(one.cpu for one in costs))


def spread(values: Sequence[float]) -> str:
    """Median and quartiles of percentages."""
    if len(values) < 2:
        return f"{values[0]:+.1f}"
    low, half, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{half:+.1f} [{low:+.1f}, {high:+.1f}]"


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def opened(kind: str, threads: int, *, sequences: int = 8) -> Any:
    """The embedded model in one of the backends."""
    from wager.models.weights import embedded_weights
    from wager.steering.llama import LlamaSteering

    if kind == "llamacpp":
        return LlamaSteering(embedded_weights(), name="embedded", sequences=sequences, threads=threads)
    os.environ["TQDM_DISABLE"] = "1"
    import torch

    from wager.steering.hf import TorchSteering

    torch.set_num_threads(threads)
    return TorchSteering(embedded_weights(), name="embedded", batch=sequences, context=512)


def faint_push(backend: Any, *, seed: int = 0) -> Any:
    """A push along a random direction at `DEPTH`, too weak to change a word."""
    import numpy as np

    from wager.steering.backend import Push

    block = round(DEPTH * (backend.identity.blocks - 1))
    length = float(np.linalg.norm(backend.read([chat(PROMPTS[0])], pool="prompt_last", blocks=[block])[0, 0]))
    drawn = np.random.default_rng(seed).standard_normal(backend.identity.width)
    return Push({block: np.asarray(FAINT * length * drawn / np.linalg.norm(drawn), dtype=np.float32)})


def speed(args: argparse.Namespace) -> None:
    """Generation, dial changes, and what is left of a dial after it is off."""
    from importlib.metadata import version

    for kind in ("hf", "llamacpp") if args.backend == "both" else (args.backend,):
        backend, loading = timed(lambda kind=kind: opened(kind, args.threads))  # type: ignore[misc]
        runs_on = "transformers" if kind == "hf" else "xllamacpp"
        print(f"{kind}: {runs_on} {version(runs_on)}, loaded in {loading.wall:.1f} s, {args.threads} thread(s), {args.rounds} rounds")
        try:
            for batch in args.batches:
                generation(backend, batch, args, PUSHED[kind])
            print()
            changes(backend, kind)
            off_again(backend, kind)
        finally:
            backend.close()
        print(flush=True)


def generation(backend: Any, batch: int, args: argparse.Namespace, bar: float) -> None:
    """Interleaved rounds of one batch size."""
    from wager.steering.backend import Watch

    push = faint_push(backend)
    ((block, direction),) = push.deltas.items()
    watch = Watch("direction", block, direction)
    chats = [chat(PROMPTS[at % len(PROMPTS)]) for at in range(batch)]
    ways: dict[str, dict[str, Any]] = {
        "unpushed": {},
        "unpushed, again": {},
        MORE: {"tokens": args.tokens + 1},
        "pushed": {"pushes": push},
        "watched": {"watches": [watch]},
    }

    def run(name: str) -> Any:
        return backend.generate(chats, **{"tokens": args.tokens, **ways[name]})

    written = {name: run(name) for name in ways}  # and warm
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(args.rounds):
        turned = number % len(names)
        for name in names[turned:] + names[:turned]:
            costs[name].append(timed(lambda name=name: run(name))[1])  # type: ignore[misc]
    head = f"\n{f'batch {batch}':<25}{'tok/s':>8}{'tok/CPU-s':>11}{'wall, % more':>22}{'CPU, % more':>22}"
    print(f"{head}{'CPU, same passes':>22}{'bar':>5}{'same text':>11}")
    for name in names:
        one, tokens = middle(costs[name]), sum(len(reply.tokens) for reply in written[name])
        same = sum(mine.text == plain.text for mine, plain in zip(written[name], written["unpushed"], strict=True))
        cells = [spread(more(costs[name], costs["unpushed"], of)) if name != "unpushed" else "" for of in ("wall", "cpu")]
        cells.append(spread(more(costs[name], costs[MORE], "cpu")) if "watches" in ways[name] else "")
        limit = f"{bar if name == 'pushed' else WATCHED:.0f}" if ways[name] and name != MORE else ""
        row = f"{name:<25}{tokens / one.wall:>8.1f}{tokens / one.cpu:>11.1f}" + "".join(f"{cell:>22}" for cell in cells)
        print(f"{row}{limit:>5}{f'{same}/{batch}':>11}", flush=True)
    cut = sum(reply.finish == "length" for reply in written["unpushed"])
    print(f"('again' is the noise; a watch takes a pass more for a reply that is cut off: here {cut} of {batch})")


def more(costs: Sequence[Cost], base: Sequence[Cost], of: str) -> list[float]:
    """By round, percent above the base."""
    return [100 * (getattr(one, of) / getattr(plain, of) - 1) for one, plain in zip(costs, base, strict=True)]


def changes(backend: Any, kind: str, count: int = 500) -> None:
    """Time until another push acts."""
    one, other = faint_push(backend, seed=1), faint_push(backend, seed=2)
    if kind == "llamacpp":
        context = backend._writing()  # what `generate` calls before each decode, with nothing around it
        told = "set_push, one vector to another"

        def change(push: Any) -> None:
            context.set_push(push.deltas)
    else:
        from wager.steering.hf_blocks import hooked
        from wager.steering.hf_pass import Pushing

        told = "tensors made, hooks on and off, 8 rows"

        def change(push: Any) -> None:
            with hooked(backend._blocks, Pushing([push] * 8, backend.identity.width, backend.model.device).changes()):
                pass

    times = []
    for number in range(count):
        started = time.perf_counter()
        change(one if number % 2 else other)
        times.append(1e6 * (time.perf_counter() - started))
    if kind == "llamacpp":
        context.set_push({})
    times.sort()
    late = times[int(0.99 * (count - 1))]
    print(f"dial change ({told}): median {statistics.median(times):.0f} us, p99 {late:.0f} us, of {count}; bar 1,000 us")


def off_again(backend: Any, kind: str) -> None:
    """Logits before a push, under a strong one, and after it."""
    import numpy as np

    from wager.steering.backend import Push

    text = "The capital of France is"
    faint = faint_push(backend)
    strong = Push({block: np.asarray(delta * 0.5 / FAINT, dtype=np.float32) for block, delta in faint.deltas.items()})
    if kind == "llamacpp":
        context, tokens = backend._writing(), backend._tokens(text)

        def logits(push: Any = None) -> Any:
            context.clear()
            return context.feed({0: tokens}, push=push.deltas if push else {})[0].copy()

        before, under = logits(), logits(strong)
    else:
        import torch

        from wager.steering.hf_blocks import hooked
        from wager.steering.hf_pass import Pushing

        ids = backend.tokenizer(text, return_tensors="pt")["input_ids"].to(backend.model.device)

        def logits(push: Any = None) -> Any:
            pushing = Pushing([push], backend.identity.width, backend.model.device)
            pushing.writing()
            with torch.no_grad(), hooked(backend._blocks, pushing.changes()):
                return backend.model(ids).logits[0].float().cpu().numpy()

        before, under = logits(), logits(strong)
    backend.generate([chat(text)], pushes=strong, tokens=4)
    after = logits()
    moved, left = float(np.abs(under - before).max()), float(np.abs(after - before).max())
    print(f"logits: moved by {moved:.3g} at dose 0.5; off again by {left:.3g}, bit for bit the same: {np.array_equal(before, after)}")


class Parts:
    """A backend that notes what each call takes."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.identity, self.able = backend.identity, backend.able
        self.calls: list[tuple[str, int, Cost]] = []

    def _noted(self, name: str, rows: int, call: Callable[[], Any]) -> Any:
        made, cost = timed(call)
        self.calls.append((name, rows, cost))
        return made

    def read(self, chats: Any, *rest: Any, **options: Any) -> Any:
        return self._noted("reading", len(chats), lambda: self._backend.read(chats, *rest, **options))

    def score(self, chats: Any, *rest: Any, **options: Any) -> Any:
        return self._noted("scoring", len(chats), lambda: self._backend.score(chats, *rest, **options))

    def generate(self, chats: Any, **options: Any) -> Any:
        drawn = options.get("temperature", 0.0) > 0
        return self._noted("contrast" if drawn else "replies", len(chats), lambda: self._backend.generate(chats, **options))

    def close(self) -> None:
        self._backend.close()


def extraction(args: argparse.Namespace) -> None:
    """`wager.steering.extract.extract` by part, as ``wager steer extract`` calls it."""
    from wager.cli.steer_extract import CONTRASTS, development
    from wager.errors import DataError, RunError
    from wager.steering.expression import shows
    from wager.steering.extract import ABOUT_FACTS, extract
    from wager.steering.trait_file import read_trait

    trait = read_trait(args.trait)
    asked = development(args.questions, trait) if trait.grading in ABOUT_FACTS else []
    backend = Parts(opened(args.backend, args.threads, sequences=16))
    found: Any = None
    refused = ""

    def run() -> None:
        nonlocal found, refused
        try:
            found = extract(
                backend,
                trait,
                shows,
                development=asked,
                elicitations=CONTRASTS[args.elicit],
                blocks=args.blocks,
                least=args.least,
                rounds=args.rounds,
                tokens=args.tokens,
            )
        except (DataError, RunError) as error:  # too few replies, or they disagree with the direction: it took its time all the same
            refused = str(error)

    _, whole = timed(run)
    backend.close()
    report(backend.calls, whole, args)
    print(refused or f"block {found.vector.card.block}, {found.vector.card.elicitation}, effect {best(found)}, signs {found.signs}")
    for name, why in found.starved.items() if found is not None else ():
        print(f"{name}: {why}")


def best(found: Any) -> str:
    one = next(one for one in found.tried if (one.block, one.elicitation) == (found.vector.card.block, found.vector.card.elicitation))
    return f"{one.effect:+.2f}"


def report(calls: Sequence[tuple[str, int, Cost]], whole: Cost, args: argparse.Namespace) -> None:
    """Of the greedy replies the first are unpushed; then each block is pushed, and the one chosen also the other way."""
    greedy = [place for place, (name, _, _) in enumerate(calls) if name == "replies"]
    names = {place: "pushed" if at else "unpushed" for at, place in enumerate(greedy)}
    parts: dict[str, tuple[int, int, Cost]] = {}
    for place, (name, rows, cost) in enumerate(calls):
        part = names.get(place, name)
        count, texts, before = parts.get(part, (0, 0, Cost(0.0, 0.0)))
        parts[part] = count + 1, texts + rows, before + cost
    rest = whole
    print(
        f"{args.trait}, {args.elicit}, {args.backend}, {args.threads} thread(s)\n{'':<20}{'calls':>7}{'texts':>7}{'wall s':>9}{'CPU s':>9}"
    )
    for part in ("contrast", "reading", "unpushed", "pushed"):
        count, texts, cost = parts.get(part, (0, 0, Cost(0.0, 0.0)))
        rest -= cost
        print(f"{part:<20}{count:>7}{texts:>7}{cost.wall:>9.2f}{cost.cpu:>9.2f}")
    print(f"{'directions, grading':<20}{'':>14}{rest.wall:>9.2f}{rest.cpu:>9.2f}")
    print(f"{'whole':<20}{'':>14}{whole.wall:>9.2f}{whole.cpu:>9.2f}   bar 120 s")


class Other:
    """A process of the other environment, which computes what it is told by lines."""

    def __init__(self, venv: Path, folder: Path, pairs: Sequence[tuple[str, str]], threads: int) -> None:
        self._log = folder / "other.log"
        (folder / "pairs.json").write_text(json.dumps(list(pairs)))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(venv / "bin" / "python"), __file__, "other", str(folder), "--threads", str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"TQDM_DISABLE": "1"},
            )

    def ask(self, what: str, **options: int) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write((json.dumps({"what": what, **options}) + "\n").encode())
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the other environment stopped:\n{self._log.read_text(errors='replace')[-2000:]}")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def other(args: argparse.Namespace) -> None:
    """What runs in the other environment: no wager here. Answers are JSON, one a line; whatever the libraries print goes to the log."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.folder, torch_dtype=torch.float32)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    pairs = [(one, two) for one, two in json.loads((args.folder / "pairs.json").read_text())]
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            made = answer(asked, model, tokenizer, pairs)
        except Exception as error:  # noqa: BLE001 (one of the two may not run here; the other does)
            made = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(made) + "\n")
        answers.flush()


def answer(asked: dict[str, Any], model: Any, tokenizer: Any, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    if asked["what"] == "versions":
        from importlib.metadata import PackageNotFoundError, version

        import torch

        found = {}
        with torch.no_grad():
            model(**tokenizer(pairs[0][0], return_tensors="pt"))  # warm
        for name in ("repeng", "steering-vectors", "torch", "transformers", "numpy"):
            with contextlib.suppress(PackageNotFoundError):
                found[name] = version(name)
        return {"versions": found, "tokens": tokenizer(pairs[0][0])["input_ids"]}
    if asked["what"] in ("pca_diff", "pca_center"):
        from repeng import ControlVector, DatasetEntry  # type: ignore[import-not-found]

        entries = [DatasetEntry(positive=one, negative=two) for one, two in pairs]
        made, cost = timed(lambda: ControlVector.train(model, tokenizer, entries, batch_size=asked["batch"], method=asked["what"]))
        found = {block: direction.tolist() for block, direction in made.directions.items()}
    else:
        from steering_vectors import train_steering_vector  # type: ignore[import-not-found]

        made, cost = timed(lambda: train_steering_vector(model, tokenizer, pairs, batch_size=asked["batch"], move_to_cpu=True))
        found = {block: direction.float().tolist() for block, direction in made.layer_activations.items()}
    return {"wall": cost.wall, "cpu": cost.cpu, "directions": found}


def saved(backend: Any, folder: Path) -> None:
    """The embedded model as safetensors; with the rotary base under the name of transformers 4, too, which else takes its own unasked."""
    backend.save(folder)
    config = json.loads((folder / "config.json").read_text())
    base = (config.get("rope_parameters") or {}).get("rope_theta")
    if base is not None:
        (folder / "config.json").write_text(json.dumps({"rope_theta": base, **config}))


def texts_of(backend: Any, contrast: Any) -> list[tuple[str, str]]:
    """Both sides of a contrast as whole texts, pair by pair: what the other libraries are given."""

    def whole(one: Any) -> str:
        prompt = backend.tokenizer.apply_chat_template([dict(part) for part in one.chat], tokenize=False, add_generation_prompt=True)
        return str(prompt) + str(one.reply)

    return [(whole(one), whole(two)) for one, two in zip(contrast.positive, contrast.negative, strict=True)]


def beside(args: argparse.Namespace) -> None:
    """Directions of three libraries from the same texts, and how well each parts replies to questions that none has seen."""
    from wager.steering.contrast import teacher_forced
    from wager.steering.trait_file import read_trait

    trait = read_trait(args.trait)
    half = len(trait.replies) // 2
    train = teacher_forced(replace(trait, replies=trait.replies[:half], extraction=trait.extraction[: args.questions]))
    held = teacher_forced(replace(trait, replies=trait.replies[half:], extraction=trait.evaluation[: args.questions]))
    torch_backend, llama = opened("hf", args.threads), opened("llamacpp", args.threads)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        stack.callback(torch_backend.close)
        stack.callback(llama.close)
        folder = Path(name)
        saved(torch_backend, folder)
        process = None
        if args.other is not None:
            texts = texts_of(torch_backend, train)
            process = Other(args.other, folder, texts, args.threads)
            stack.callback(process.close)
            told = process.ask("versions")
            mine = torch_backend.tokenizer(texts[0][0], add_special_tokens=False)["input_ids"]
            print(f"the other environment: {told['versions']}; same tokens as here: {told['tokens'] == list(mine)}")
        for backend in (torch_backend, llama):
            backend.read([chat(PROMPTS[0])], pool="prompt_last")  # warm
        found = directions_of(args, train, torch_backend, llama, process)
        sides = {pool: sides_of(torch_backend, held, pool) for pool in ("reply_last", "reply_mean")}
    print(f"{args.trait}: {len(train.positive)} pairs to read from, {len(held.positive)} pairs of other questions in other words to part")
    compared(found, sides)


def sides_of(backend: Any, contrast: Any, pool: str) -> tuple[Any, Any]:
    positive, negative = (
        backend.read([one.chat for one in side], [one.reply for one in side], pool=pool) for side in (contrast.positive, contrast.negative)
    )
    return positive, negative


@dataclass
class Direction:
    """What one way finds."""

    pool: str
    costs: list[Cost]
    by_block: dict[int, Any]


def directions_of(args: argparse.Namespace, train: Any, hf: Any, llama: Any, process: Other | None) -> dict[str, Direction]:
    """Every way in turns; what a library cannot do is printed and left out."""
    import numpy as np

    from wager.steering.directions import mean_difference, pca_uncentred

    def ours(backend: Any, pool: str, method: Any) -> Callable[[], tuple[Any, Cost]]:
        return lambda: timed(lambda: dict(enumerate(method(*sides_of(backend, train, pool)))))

    def theirs(what: str, batch: int) -> Callable[[], tuple[Any, Cost]]:
        def run() -> tuple[Any, Cost]:
            assert process is not None
            made = process.ask(what, batch=batch)
            if "error" in made:
                raise RuntimeError(made["error"])
            given = {int(block): np.asarray(direction) for block, direction in made["directions"].items()}
            return given, Cost(made["wall"], made["cpu"])

        return run

    ways: dict[str, tuple[str, Callable[[], tuple[Any, Cost]]]] = {
        "wager hf, mean, last": ("reply_last", ours(hf, "reply_last", mean_difference)),
        "wager hf, pca, last": ("reply_last", ours(hf, "reply_last", pca_uncentred)),
        CENTRED: ("reply_last", ours(hf, "reply_last", centred)),
        "wager hf, mean, reply": ("reply_mean", ours(hf, "reply_mean", mean_difference)),
        "wager llamacpp, mean, last": ("reply_last", ours(llama, "reply_last", mean_difference)),
    }
    if process is not None:
        ways["steering-vectors, batch 1"] = ("reply_last", theirs("steering-vectors", 1))
        ways["steering-vectors, batch 8"] = ("reply_last", theirs("steering-vectors", 8))
        ways[REPENG] = ("reply_last", theirs("pca_diff", 8))
        ways["repeng, pca_center, batch 8"] = ("reply_last", theirs("pca_center", 8))
    found: dict[str, Direction] = {}
    names = list(ways)
    for number in range(args.rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            pool, run = ways[name]
            try:
                made, cost = run()
            except RuntimeError as error:
                print(f"{name} does not run here: {error}")
                names = [one for one in names if one != name]
                continue
            found.setdefault(name, Direction(pool, [], made)).costs.append(cost)
    return found


def centred(positive: Any, negative: Any) -> Any:
    """First principal component of the paired differences about their mean, shape (L, D): what repeng's ``pca_diff`` takes."""
    import numpy as np

    differences = positive.astype(np.float64) - negative
    differences -= differences.mean(axis=0)
    return np.stack([np.linalg.svd(differences[:, at], full_matrices=False)[2][0] for at in range(differences.shape[1])])


def compared(found: dict[str, Direction], sides: dict[str, tuple[Any, Any]]) -> None:
    """The table: time, cosines with ours, separation of held-out replies; and by how much an index is off.

    The first block is left out, which repeng does not read, and the last, which transformers tells after the final norm and hooks before.
    """
    import numpy as np

    from wager.steering.directions import separation

    first = next(iter(found.values())).by_block
    blocks = range(1, len(first) - 1)
    tells = round(DEPTH * (len(first) - 1))
    head = f"{'':<28}{'wall s':>8}{'CPU s':>8}{'cosine with the first':>30}{'':>3}" + "".join(
        f"{f'k{shift:+d}' if shift else 'k':>7}" for shift in SHIFTS
    )
    print(f"{head}{f'd′ {tells}':>8}{'d′ mean':>9}")
    for name, one in found.items():
        cosines = {shift: [cosine(one.by_block[k], first[k + shift]) for k in blocks] for shift in SHIFTS}
        at = cosines[0]
        up, down = sides[one.pool]
        parted = {k: separation(up[:, [k]], down[:, [k]], np.asarray(one.by_block[k])[None], blocks=[k])[k] for k in blocks}
        cost = middle(one.costs)
        told = f"mean {statistics.mean(at):.4f}, {min(at):.3f} to {max(at):.3f}"
        shifted = "".join(f"{statistics.mean(cosines[shift]):>7.2f}" for shift in SHIFTS)
        row = f"{name:<28}{cost.wall:>8.2f}{cost.cpu:>8.2f}{told:>30}{'':>3}{shifted}"
        print(f"{row}{parted[tells]:>8.2f}{statistics.mean(parted.values()):>9.2f}")
    print(
        f"(blocks {blocks[0]} to {blocks[-1]}; k+1: a row's block k beside the first's k+1, to show that indices agree; "
        "d′ at the tokens that were read)"
    )
    if (theirs := found.get(REPENG)) is not None:
        same = [abs(cosine(theirs.by_block[k], found[CENTRED].by_block[k])) for k in blocks]
        print(f"repeng beside the centred component of our activations, |cosine|: mean {statistics.mean(same):.4f}, least {min(same):.3f}")
    last = len(first) - 1
    ends = [f"{name} {cosine(one.by_block[last], first[last]):.3f}" for name, one in found.items() if last in one.by_block]
    print(f"last block, cosine with the first: {'; '.join(ends)}")


def cosine(one: Any, other: Any) -> float:
    import numpy as np

    mine, theirs = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    return float(mine @ theirs / np.linalg.norm(mine) / np.linalg.norm(theirs))


def probes(args: argparse.Namespace) -> None:
    """The gate by block: pooled over phrasings, each scored by a fit without it, beside what length and rarity tell in the same way."""
    import numpy as np

    from wager.steering.baseline import baseline, surface_features
    from wager.steering.baseline import beside as set_beside
    from wager.steering.opening import token_ids
    from wager.steering.probe import SHRINKAGE, held_out_scores
    from wager.steering.probe_rows import Rows, best_block
    from wager.steering.questions import load

    pairs = [load(args.questions)[at : at + 2] for at in range(0, len(load(args.questions)), 2)]
    asked = [one for pair in pairs[:: args.every] for one in pair]
    labels = np.array([not one.known for one in asked])
    groups, subjects = [one.phrasing for one in asked], [one.subject.casefold() for one in asked]
    backend = opened("llamacpp", args.threads, sequences=1)
    activations, reading = timed(lambda: backend.read([chat(one.text) for one in asked], pool="prompt_last"))
    features = surface_features([one.subject for one in asked], tokens=token_ids(backend))
    backend.close()
    print(
        f"{len(asked)} questions ({args.questions}), {labels.sum()} about invented things, {len(set(groups))} phrasings; "
        f"read in {reading.wall:.1f} s ({reading.cpu:.1f} CPU)\nAUROC of rows whose phrasing the fit has not seen: all pairs (within one)"
    )
    every: dict[str, Any] = {}
    for method in args.methods:
        rows, _ = Rows.of(activations, labels, groups, subjects, method=method, shrinkage=SHRINKAGE, ridge=1.0, seed=args.seed)
        every[method] = best_block(rows, rows.folds("phrasing"))
    print(f"{'block':<8}" + "".join(f"{method:>20}" for method in every))
    for block in range(activations.shape[1]):
        cells = [f"{one.pooled[block]:.3f} ({one.within[block]:.2f}){'*' if one.at == block else ' '}" for one in every.values()]
        print(f"{block:<8}" + "".join(f"{cell:>20}" for cell in cells))
    surface = baseline(labels, features, groups=groups, questions=subjects, hold="phrasing", seed=args.seed)
    nothing = np.zeros(len(labels), dtype=np.intp)
    print(f"\n{'block chosen without the part held out':<40}{'probe':>20}{'length and rarity':>20}{'difference':>23}")
    for method in args.methods:
        held = held_out_scores(activations, labels, groups=groups, questions=subjects, method=method, hold="phrasing", seed=args.seed)
        strata: Any
        for what, strata in (("all pairs", nothing), ("within", held.stratum)):
            one = set_beside(labels, held.score, surface.score, strata=strata, questions=subjects, seed=args.seed)
            line = f"{estimate(one.probe):>20}{estimate(one.baseline):>20}{estimate(one.difference, sign='+'):>23}"
            print(f"{f'{method}, {what}':<40}{line}  {one.verdict}")
    for name, told in surface.features.items():
        print(f"{f'{name} alone, within':<40}{'':>20}{estimate(told):>20}")


def estimate(one: Any, sign: str = "") -> str:
    if one.value is None:
        return "-"
    wide = "" if one.low is None or one.high is None else f" [{one.low:{sign}.2f}, {one.high:{sign}.2f}]"
    return f"{one.value:{sign}.2f}{wide}"


def parsers() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True, metavar="PART")

    def verb(name: str, run: Callable[[argparse.Namespace], None], **options: Any) -> Callable[..., Any]:
        made = verbs.add_parser(name, **options)
        made.set_defaults(run=run)
        made.add_argument("--threads", type=int, default=1, help="of llama.cpp and PyTorch; default 1")
        return made.add_argument

    add = verb("speed", speed, help="generation, dial changes, off again")
    add("--backend", choices=("hf", "llamacpp", "both"), default="both")
    add("--rounds", type=int, default=5, help="of each condition, in turns")
    add("--tokens", type=int, default=32, help="of a reply")
    add("--batches", type=int, nargs="+", default=[1, 8])
    add = verb("extract", extraction, help="time of an extraction by part")
    add("--trait", default="hallucination")
    add("--elicit", choices=("teacher-forced", "prompts", "both"), default="teacher-forced")
    add("--backend", choices=("hf", "llamacpp"), default="llamacpp")
    add("--questions", type=int, default=48, help="development questions")
    add("--blocks", type=int, nargs="+", help="to try; default as the library")
    add("--tokens", type=int, default=24, help="of a reply")
    add("--least", type=int, default=20, help="replies that each side needs")
    add("--rounds", type=int, default=4, help="of replies under instructions")
    add = verb("beside", beside, help="repeng and steering-vectors on the same texts")
    add("--other", metavar="VENV", type=Path, help="virtual environment that has them; without it only ours")
    add("--trait", default="hallucination")
    add("--questions", type=int, default=16, help="to read from, and to part")
    add("--rounds", type=int, default=2, help="of each way, in turns")
    add = verb("probes", probes, help="the gate beside length and rarity, by block")
    add("--questions", choices=("development", "gate"), default="development")
    add("--every", type=int, default=1, help="take every N-th pair of questions")
    add("--methods", nargs="+", choices=("whitened", "mean difference", "logistic"), default=["whitened", "mean difference", "logistic"])
    add("--seed", type=int, default=0)
    add = verb("other", other)
    add("folder", type=Path)
    return parser


@contextlib.contextmanager
def quiet_end() -> Iterator[None]:
    """Ctrl-C is no traceback."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def main() -> None:
    args = parsers().parse_args()
    with quiet_end():
        args.run(args)


if __name__ == "__main__":
    main()
