"""Preventative steering: the trait is pushed into the residual stream while a model is trained, so that the weights need not learn it.

Data that carry a trait move a model along the trait's direction. If that direction is added during training, the loss asks for no such
move, and what stays in the weights once the push is gone is the rest of the data. Chen et al. 2025, "Persona vectors" (arXiv 2507.21509),
on preventative steering; their example adds it at one block, at all positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from wager.errors import MissingExtraError, UsageError
from wager.steering.backend import Backend, Push
from wager.steering.hf_blocks import Change, find_blocks, hooked, text_config
from wager.steering.vector import Vector

__all__ = ["TrainingPush", "pushed"]


class TrainingPush:
    """What `pushed` gives to its loop: where the push acts can be changed between two steps."""

    def __init__(self, push: Push) -> None:
        self.push = push
        """What is added, by block."""
        self.on = True
        """False takes it away for a while: for a loss on held-out data within the loop."""
        self.mask: Any = None
        """Tokens that are pushed, a boolean tensor (B, T) of the next batch, as ``labels != -100``; None is every token."""

    def _change(self, block: int) -> Change:
        import torch

        held: dict[tuple[Any, Any], Any] = {}

        def add(output: Any) -> Any:
            if not self.on:
                return None
            kind = (output.device, output.dtype)
            if kind not in held:
                held[kind] = torch.tensor(np.asarray(self.push.deltas[block]), device=output.device, dtype=output.dtype)
            if self.mask is None:
                return output + held[kind]
            if tuple(self.mask.shape) != tuple(output.shape[:2]):
                raise UsageError(f"the mask has shape {tuple(self.mask.shape)}; this batch has {tuple(output.shape[:2])} (rows, tokens)")
            return output + held[kind] * self.mask.to(output.device, output.dtype)[..., None]

        return add


@contextmanager
def pushed(
    model: Any, push: Push | Vector, *, dose: float | None = None, block: int | None = None, blocks: Sequence[Any] | None = None
) -> Iterator[TrainingPush]:
    """While it is open, the model computes with the push, at all positions and with gradients, in any loop; afterwards as before.

    The push acts in every pass, also in evaluation mode: set ``on`` of what is given to False for a loss without it. It is a plain forward
    hook on a block, so gradient checkpointing, adapters and wrappers of the model keep it.

    Args:
        model: a decoder of transformers, one in a wrapper, or a `wager.steering.hf.TorchSteering`.
        push: what is added; or a vector, at a dose. A push's own positions are not looked at: say where with ``mask``.
        dose: for a vector, |added| / |h|; more than 0 adds the trait, which is what prevents it.
        block: for a vector, the block; by default the card's.
        blocks: the modules to count blocks in, for a model that is none of transformers.

    Raises:
        UsageError: a vector without a dose or a push with one, a block that is not there, or another width.
        ModelError: the model's blocks cannot be found.
        MissingExtraError: torch is not installed.

    Example::

        with pushed(model, vector, dose=0.3) as push:
            for batch in batches:
                push.mask = batch["labels"] != -100
                model(**batch).loss.backward()
                ...

    Source: Chen et al. 2025 (arXiv 2507.21509), on preventative steering.
    """
    try:
        import torch  # noqa: F401 (said here, not in the middle of a training run)
    except ImportError as error:
        raise MissingExtraError("torch", "hf", "steering while a model is trained") from error
    made = _push(push, dose, block)
    network = model
    if isinstance(model, Backend):
        if not model.able.train or not hasattr(model, "model"):
            raise UsageError(f"{model.identity.name} cannot be trained; give a model of transformers")
        if isinstance(push, Vector):
            push.check_for(model.identity)
        network = model.model
    width = _width(made)
    if blocks is None and width not in (None, text_config(network).hidden_size):
        raise UsageError(f"the model has width {text_config(network).hidden_size}, got a push of width {width}")
    places = find_blocks(network) if blocks is None else blocks
    training = TrainingPush(made)
    with hooked(places, {one: training._change(one) for one in made.deltas}, width=width):
        yield training


def _push(push: Push | Vector, dose: float | None, block: int | None) -> Push:
    if isinstance(push, Vector):
        if dose is None:
            raise UsageError("a vector is pushed at a dose; give dose=, |added| / |h|, as in dose=0.3")
        return push.push(dose, block=block, positions="all")
    if dose is not None or block is not None:
        raise UsageError("a push has its strength and its blocks already; dose and block go with a vector")
    if not all(np.isfinite(delta).all() for delta in push.deltas.values()):
        raise UsageError("a push holds a value that is not finite")
    return push


def _width(push: Push) -> int | None:
    widths = {np.shape(delta) for delta in push.deltas.values()}
    if any(len(shape) != 1 for shape in widths) or len(widths) > 1:
        raise UsageError(f"a push has one vector (D,) for each block, got shapes {', '.join(map(str, sorted(widths)))}")
    return int(widths.pop()[0]) if widths else None
