"""A small causal transformer that reads a name and gives a distribution over its answers, trained by cross-entropy.

Two tokens in (given name, surname), one token out (a date, or "I don't know"): pre-norm blocks of causal self-attention and a
four times wider GELU layer, learned positions, an output head of its own. Only the answer is predicted, as the theorems are about answers
given a prompt. Weights are a plain dict of arrays, so that a state of training is a plain npz file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError, MissingExtraError, UsageError
from wager.training.births import GIVEN, Statements, World
from wager.training.learners import Learner

if TYPE_CHECKING:
    import torch

__all__ = ["Shape", "Trainer", "require_torch", "threaded"]

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Shape:
    """Sizes of the network and of its training; the defaults memorise the default corpus in two minutes."""

    width: int = 64
    """D, of each token's vector; a multiple of `heads`."""
    heads: int = 4
    """Attention heads."""
    layers: int = 2
    """Blocks."""
    batch: int = 512
    """Statements per update."""
    rate: float = 0.004
    """Learning rate of Adam, after a warm-up; it never decays, so training can go on past memorising."""
    warm_up: int = 100
    """Updates until the learning rate is reached, linearly."""

    def __post_init__(self) -> None:
        for name in ("width", "heads", "layers", "batch", "warm_up"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} of the transformer is {getattr(self, name)}; it must be at least 1")
        if self.width % self.heads:
            raise UsageError(f"width {self.width} is not a multiple of heads {self.heads}")

    @classmethod
    def fitting(cls, samples: int) -> Shape:
        """The default, with smaller batches for a smaller corpus: at least some 150 updates an epoch."""
        return cls(batch=max(32, min(512, samples // 150)))


class Trainer:
    """Weights, optimiser and place in the data of one training run; `state` and `restore` carry all of it.

    The order of the data depends on the seed and the epoch alone, so a restored run makes the same updates as one that never stopped
    (same PyTorch, same number of threads).
    """

    def __init__(self, world: World, told: Statements, *, shape: Shape, seed: int) -> None:
        require_torch()
        import torch

        self.world, self.shape, self.seed, self.step = world, shape, seed, 0
        self._tokens = torch.from_numpy(np.stack([world.given, len(GIVEN) + world.surname], axis=1))
        self._person, self._response = torch.from_numpy(told.person), torch.from_numpy(told.response)
        self._weights = _drawn(world, shape, seed)
        self._adam = torch.optim.Adam(list(self._weights.values()), lr=shape.rate, betas=(0.9, 0.98), foreach=True)

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the data; the last batch may be smaller."""
        return -(-len(self._person) // self.shape.batch)

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(one.numel() for one in self._weights.values())

    def train_to(self, step: int) -> None:
        """Makes updates until `step` of them are made."""
        while self.step < step:
            epoch, first = divmod(self.step, self.steps_per_epoch)
            order = np.random.default_rng([self.seed, 2, epoch]).permutation(len(self._person))
            last = min(self.steps_per_epoch, first + step - self.step)
            for number in range(first, last):
                self._update(order[number * self.shape.batch : (number + 1) * self.shape.batch])

    def _update(self, rows: NDArray[np.int64]) -> None:
        import torch
        from torch.nn import functional

        chosen = torch.from_numpy(rows)
        logits = _logits(self._weights, self._tokens[self._person[chosen]], self.shape)
        self._adam.zero_grad()
        torch.autograd.backward(functional.cross_entropy(logits, self._response[chosen]))
        self._adam.param_groups[0]["lr"] = self.shape.rate * min(1.0, (self.step + 1) / self.shape.warm_up)
        self._adam.step()
        self.step += 1

    def learner(self) -> Learner:
        """The network as it is now; probabilities in double precision, so that each row sums to 1."""
        import torch

        def predict(people: NDArray[np.int64]) -> NDArray[np.float64]:
            with torch.inference_mode():
                logits = _logits(self._weights, self._tokens[torch.from_numpy(people)], self.shape)
                rows: NDArray[np.float64] = logits.double().softmax(dim=1).numpy()
                return rows

        return predict

    def state(self) -> Arrays:
        """Weights and both moments of Adam, by name, and the updates made."""
        arrays: Arrays = {"step": np.array(self.step, dtype=np.float32)}
        for name, weight in self._weights.items():
            moments = self._adam.state.get(weight, {})
            arrays[f"weight/{name}"] = weight.detach().numpy().copy()
            for moment in ("exp_avg", "exp_avg_sq"):
                arrays[f"{moment}/{name}"] = moments[moment].numpy().copy() if moments else np.zeros(weight.shape, dtype=np.float32)
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Puts a `state` of a run with the same settings back; DataError if it does not fit."""
        import torch

        self.step = int(arrays["step"])
        with torch.no_grad():
            for name, weight in self._weights.items():
                if arrays[f"weight/{name}"].shape != tuple(weight.shape):
                    raise DataError(f"the kept training has a {name} of shape {arrays[f'weight/{name}'].shape}, not {tuple(weight.shape)}")
                weight.copy_(torch.from_numpy(arrays[f"weight/{name}"]))
                moments = {moment: torch.from_numpy(arrays[f"{moment}/{name}"].copy()) for moment in ("exp_avg", "exp_avg_sq")}
                self._adam.state[weight] = {"step": torch.tensor(float(self.step)), **moments}


@contextlib.contextmanager
def threaded(threads: int) -> Iterator[None]:
    """PyTorch on so many threads inside the block; afterwards as before."""
    require_torch()
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def require_torch() -> None:
    """Raises MissingExtraError where PyTorch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError("torch", "training", "wager floor --train") from None


def _drawn(world: World, shape: Shape, seed: int) -> dict[str, torch.Tensor]:
    """Weights at the start: normal, 0.1 for the words, 1/sqrt(inputs) for layers; what a block adds is made smaller by its depth."""
    import torch

    draw = torch.Generator().manual_seed(seed)
    width = shape.width

    def normal(*size: int, std: float) -> torch.Tensor:
        return torch.randn(*size, generator=draw) * std

    weights = {"word": normal(len(GIVEN) + world.surnames, width, std=0.1), "place": normal(2, width, std=0.02)}
    thin = (width * 2 * shape.layers) ** -0.5
    for layer in range(shape.layers):
        weights |= {
            f"{layer}/norm_1": torch.ones(width),
            f"{layer}/attend": normal(3 * width, width, std=width**-0.5),
            f"{layer}/attended": normal(width, width, std=thin),
            f"{layer}/norm_2": torch.ones(width),
            f"{layer}/widen": normal(4 * width, width, std=width**-0.5),
            f"{layer}/widened": torch.zeros(4 * width),
            f"{layer}/narrow": normal(width, 4 * width, std=thin / 2),
        }
    weights |= {"norm": torch.ones(width), "head": normal(world.answers + 1, width, std=0.02), "prior": torch.zeros(world.answers + 1)}
    return {name: weight.requires_grad_() for name, weight in weights.items()}


def _logits(weights: dict[str, torch.Tensor], tokens: torch.Tensor, shape: Shape) -> torch.Tensor:
    """From words (B, 2) to logits of the answer (B, A+1)."""
    from torch.nn import functional

    width = (shape.width,)
    x = functional.embedding(tokens, weights["word"]) + weights["place"]
    for layer in range(shape.layers):
        x = x + _attended(weights, layer, functional.layer_norm(x, width, weights[f"{layer}/norm_1"]), shape.heads)
        wide = functional.linear(
            functional.layer_norm(x, width, weights[f"{layer}/norm_2"]), weights[f"{layer}/widen"], weights[f"{layer}/widened"]
        )
        x = x + functional.linear(functional.gelu(wide), weights[f"{layer}/narrow"])
    return functional.linear(functional.layer_norm(x[:, -1], width, weights["norm"]), weights["head"], weights["prior"])


def _attended(weights: dict[str, torch.Tensor], layer: int, x: torch.Tensor, heads: int) -> torch.Tensor:
    """Causal self-attention, (B, T, D) to (B, T, D)."""
    from torch.nn import functional

    batch, tokens, width = x.shape
    split = functional.linear(x, weights[f"{layer}/attend"]).view(batch, tokens, 3, heads, width // heads)
    query, key, value = split.permute(2, 0, 3, 1, 4)
    mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    return functional.linear(mixed.transpose(1, 2).reshape(batch, tokens, width), weights[f"{layer}/attended"])
