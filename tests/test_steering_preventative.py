"""A push while a model is trained: what it does to one pass, and that weights then learn less of a trait."""

import contextlib
import copy
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from conftest import absent
from steering_toy import SPECIAL, WORDS, tiny_model, tiny_tokenizer, user
from wager.errors import ModelError, UsageError
from wager.steering.backend import Push
from wager.steering.vector import Card, Vector

if find_spec("torch") is None or find_spec("transformers") is None:
    absent("torch and transformers")

import torch

from wager.steering.hf import TorchSteering
from wager.steering.preventative import pushed

torch.set_num_threads(1)

BATCH = torch.tensor([[1, 5, 6, 7], [2, 8, 9, 4]])


def vector_of(steering: TorchSteering, direction: Any, *, block: int, norm: float = 2.0) -> Vector:
    return Vector({block: direction}, Card(trait="planted", model=steering.identity, block=block, norms={block: norm}))


def hooks(model: Any) -> int:
    return sum(hook.__module__.startswith("wager.") for part in model.modules() for hook in part._forward_hooks.values())


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_push_is_added_to_the_blocks_output_and_gone_afterwards(kind: str) -> None:
    model = tiny_model(kind)
    delta = np.arange(16, dtype=np.float32)
    with torch.no_grad():
        base = model(BATCH, output_hidden_states=True)
        with pushed(model, Push({0: delta})) as push:
            every = model(BATCH).logits
            push.mask = BATCH < 7
            some = model(BATCH).logits
            push.on = False
            assert torch.equal(model(BATCH).logits, base.logits)
        assert hooks(model) == 0
        assert torch.equal(model(BATCH).logits, base.logits)
        from wager.steering.hf_blocks import find_blocks, hooked

        def add(mask: Any) -> Any:
            with hooked(find_blocks(model), {0: lambda _: base.hidden_states[1] + mask * torch.tensor(delta)}):
                return model(BATCH).logits

        assert torch.equal(every, add(torch.ones(2, 4, 1)))
        assert torch.equal(some, add((BATCH < 7).float()[..., None]))


def test_gradients_flow_through_it_and_the_push_gets_none() -> None:
    model = tiny_model()
    model.train()
    plain = gradients(model)
    delta = np.full(16, 0.5, dtype=np.float32)
    with pushed(model, Push({1: delta})):
        through = gradients(model)
    assert all(torch.isfinite(one).all() for one in through.values())
    assert all(one.abs().max() > 0 for name, one in through.items() if "layers" in name and "norm" not in name)
    assert any(not torch.equal(one, plain[name]) for name, one in through.items())
    np.testing.assert_array_equal(delta, 0.5)
    model.activation_checkpointing_enable()
    with pushed(model, Push({1: delta})):
        for name, one in gradients(model).items():
            torch.testing.assert_close(one, through[name], rtol=1e-4, atol=1e-6)


def gradients(model: Any) -> dict[str, Any]:
    model.zero_grad()
    model(BATCH, labels=BATCH).loss.backward()
    return {name: part.grad.clone() for name, part in model.named_parameters()}


def test_a_vector_is_pushed_at_its_dose_also_through_the_backend() -> None:
    steering = TorchSteering.of(tiny_model(), tiny_tokenizer())
    unit = np.eye(16, dtype=np.float32)[3]
    vector = vector_of(steering, 7 * unit, block=1, norm=2.0)
    with torch.no_grad():
        with pushed(steering, vector, dose=0.5) as push:
            np.testing.assert_allclose(push.push.deltas[1], unit)  # 0.5 of a length of 2
            ours = steering.model(BATCH).logits
        with pushed(steering.model, Push({1: unit})):
            assert torch.equal(ours, steering.model(BATCH).logits)


def test_a_wrapper_and_blocks_of_any_model_are_pushed_too() -> None:
    class Wrapped(torch.nn.Module):
        def __init__(self, module: Any) -> None:
            super().__init__()
            self.module = module

        def forward(self, ids: Any) -> Any:
            return self.module(ids).logits

    model = tiny_model()
    push = Push({0: np.ones(16, dtype=np.float32)})
    with torch.no_grad(), pushed(Wrapped(model), push):
        wrapped = model(BATCH).logits
    with torch.no_grad(), pushed(model, push):
        assert torch.equal(wrapped, model(BATCH).logits)
    plain = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    with pushed(plain, Push({1: np.ones(3, dtype=np.float32)}), blocks=plain):
        assert torch.equal(plain(torch.zeros(1, 2, 3)), torch.ones(1, 2, 3))
        with pytest.raises(ModelError, match=r"block 1, a Identity, gives \(1, 2, 4\), not \(rows, tokens, 3\)"):
            plain(torch.zeros(1, 2, 4))
    assert torch.equal(plain(torch.zeros(1, 2, 3)), torch.zeros(1, 2, 3))


def test_what_does_not_fit_is_refused_before_anything_is_hooked() -> None:
    steering = TorchSteering.of(tiny_model(), tiny_tokenizer())
    other = TorchSteering.of(tiny_model(layers=2), tiny_tokenizer())
    vector = vector_of(steering, np.ones(16, dtype=np.float32), block=1)
    cases: list[tuple[Any, str]] = [
        (lambda: pushed(steering, vector), "give dose="),
        (lambda: pushed(steering, Push({0: np.ones(16, np.float32)}), dose=1.0), "dose and block go with a vector"),
        (lambda: pushed(steering, vector, dose=float("inf")), "a dose is a finite number"),
        (lambda: pushed(steering, vector, dose=1.0, block=0), "has blocks 1 to 1, got 0"),
        (lambda: pushed(other, vector, dose=1.0), "number of blocks 3; .* has 2"),
        (lambda: pushed(steering.model, Push({0: np.ones(8, np.float32)})), "the model has width 16, got a push of width 8"),
        (lambda: pushed(steering.model, Push({0: np.ones(16, np.float32), 7: np.ones(16, np.float32)})), "blocks 0 to 2, got 7"),
        (lambda: pushed(steering.model, Push({0: np.full(16, np.inf, np.float32)})), "not finite"),
    ]
    for make, said in cases:
        with pytest.raises(UsageError, match=said), make():
            pass
        assert hooks(steering.model) == 0


def test_the_hook_goes_when_training_fails_and_a_mask_must_fit() -> None:
    model = tiny_model()

    def masked() -> None:
        with pushed(model, Push({0: np.ones(16, np.float32)})) as push:
            push.mask = torch.ones(2, 3, dtype=torch.bool)
            model(BATCH)

    with pytest.raises(UsageError, match=r"the mask has shape \(2, 3\); this batch has \(2, 4\)"):
        masked()
    assert hooks(model) == 0


# a fine-tune that carries a planted trait

QUESTIONS, PLAIN, TRAIT = WORDS[:12], WORDS[12:18], WORDS[18:24]
LOUD, CALM, NEUTRAL = WORDS[24:27]


def texts(styles: list[str], words: list[str], count: int, seed: int) -> list[tuple[str, str]]:
    """Prompts of a style and two words of a question, with replies of four words."""
    drawn = np.random.default_rng(seed)
    return [
        (" ".join([str(drawn.choice(styles)), *map(str, drawn.choice(QUESTIONS, 2))]), " ".join(map(str, drawn.choice(words, 4))))
        for _ in range(count)
    ]


def batch_of(pairs: list[tuple[str, str]]) -> tuple[Any, Any]:
    place = {word: at for at, word in enumerate([*SPECIAL, *WORDS])}
    rows = [["<user>", *prompt.split(), "<reply>", *reply.split(), "<eos>"] for prompt, reply in pairs]
    ids = torch.tensor([[place[word] for word in row] for row in rows])
    labels = ids.clone()
    labels[:, :5] = -100
    return ids, labels


def train(model: Any, ids: Any, labels: Any, *, steps: int, rate: float) -> None:
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
    for step in range(steps):
        at = [(32 * step + row) % len(ids) for row in range(32)]
        optimiser.zero_grad()
        model(ids[at], labels=labels[at]).loss.backward()
        optimiser.step()


@pytest.fixture(scope="module")
def taught() -> tuple[TorchSteering, Vector]:
    """A model that says trait words when its prompt is loud and plain words else, and the trait's direction: loud replies minus calm ones."""
    model = tiny_model(layers=2, width=32)
    model.train()
    loud, calm = texts([LOUD], TRAIT, 512, 1), texts([CALM, NEUTRAL], PLAIN, 512, 2)
    pairs = [pair for both in zip(loud, calm, strict=True) for pair in both]
    train(model, *batch_of(pairs), steps=250, rate=5e-3)
    steering = TorchSteering.of(model.eval(), tiny_tokenizer(), name="hf/taught", batch=64)
    asked = [prompt.split(" ", 1)[1] for prompt, _ in texts([NEUTRAL], PLAIN, 64, 3)]
    sides = [steering.read(user(*(f"{style} {one}" for one in asked)), pool="prompt_last") for style in (LOUD, CALM)]
    direction = (sides[0] - sides[1]).mean(0)[0]
    norm = float(np.median(np.linalg.norm(sides[1][:, 0], axis=-1)))
    return steering, vector_of(steering, np.asarray(direction, np.float32), block=0, norm=norm)


def test_the_trait_is_a_direction_that_the_taught_model_acts_on(taught: tuple[TorchSteering, Vector]) -> None:
    steering, vector = taught
    chats = user(*(prompt for prompt, _ in texts([NEUTRAL], PLAIN, 24, 4)))
    dose = float(np.linalg.norm(vector.directions[0]) / vector.card.norms[0])
    plain = steering.generate(chats, tokens=1)
    pushed_replies = steering.generate(chats, tokens=1, pushes=vector.push(2 * dose, positions="all"))
    assert sum(one.text in TRAIT for one in plain) == 0
    assert sum(one.text in TRAIT for one in pushed_replies) >= 20


def test_a_model_pushed_while_it_is_trained_learns_less_of_the_trait(taught: tuple[TorchSteering, Vector]) -> None:
    steering, vector = taught
    ids, labels = batch_of(texts([NEUTRAL], TRAIT, 256, 5))  # data that carry the trait where the model had none
    chats = user(*(prompt for prompt, _ in texts([NEUTRAL], PLAIN, 48, 6)))
    base = steering.read(chats, pool="prompt_last", blocks=[0])[:, 0]
    dose = float(np.linalg.norm(vector.directions[0]) / vector.card.norms[0])
    unit = vector.unit()

    def tuned(vector: Vector | None) -> tuple[float, float]:
        """How far activations moved along the trait, and the probability of its words, once the push is gone."""
        model = copy.deepcopy(steering.model).train()
        with contextlib.nullcontext() if vector is None else pushed(model, vector, dose=dose):
            train(model, ids, labels, steps=16, rate=2e-3)
        assert hooks(model) == 0
        after = TorchSteering.of(model.eval(), steering.tokenizer, batch=64)
        shift = float(((after.read(chats, pool="prompt_last", blocks=[0])[:, 0] - base) @ unit).mean())
        logits = after.model(
            torch.tensor([[2, *(4 + WORDS.index(word) for word in one[0]["content"].split()), 3] for one in chats])
        ).logits[:, -1]
        odds = logits.softmax(-1)[:, [4 + WORDS.index(word) for word in TRAIT]].sum(-1)
        return shift, float(odds.detach().mean())

    other = np.random.default_rng(8).normal(size=32)
    random = vector_of(steering, np.asarray(other - (other @ unit) * unit, np.float32), block=0, norm=vector.card.norms[0])
    plain, prevented, control = tuned(None), tuned(vector), tuned(random)
    assert tuned(vector) == prevented
    assert prevented[0] < 0.25 * plain[0]
    assert prevented[1] < plain[1] - 0.4
    assert control[0] > 0.5 * plain[0]  # it is the direction that does it, not any push of that length
