"""A plan: which directions are pushed, how far, where, and for which requests (the gate).

The gate reads the question, before a word is said and before anything is pushed, so that a dial which makes a model
hedge can leave alone what it knows. A request whose gate does not fire is answered as if there were no plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wager.errors import UsageError
from wager.steering.backend import Backend, Chat, Floats, ModelIdentity, Positions, Push, Reply, Watch
from wager.steering.probe import Probe
from wager.steering.vector import Vector

if TYPE_CHECKING:
    from wager.steering.llama import Stop

__all__ = ["Move", "Plan", "Steered", "answered"]


@dataclass(frozen=True)
class Move:
    """One vector at one dose."""

    vector: Vector
    dose: float
    """Relative to the length of the activations; negative is less of the trait."""
    block: int | None = None
    """Where; None is the card's."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done to a model while it answers."""

    moves: tuple[Move, ...]
    gate: Probe | None = None
    """Pushes only where this fires; None pushes always."""
    positions: Positions = "reply"

    def __post_init__(self) -> None:
        if self.gate is not None:
            self.gate.check_before_reply()

    def push(self, model: ModelIdentity) -> Push:
        """The sum of the moves.

        Raises:
            UsageError: a vector or the gate is of another model.
        """
        deltas: dict[int, Floats] = {}
        for move in self.moves:
            move.vector.check_for(model)
            for block, delta in move.vector.push(move.dose, block=move.block).deltas.items():
                deltas[block] = np.asarray(deltas[block] + delta if block in deltas else delta, dtype=np.float32)
        if self.gate is not None:
            self.gate.check_for(model)
        return Push(deltas, self.positions)


@dataclass(frozen=True, kw_only=True)
class Steered:
    """A reply, and what was done to it."""

    reply: Reply
    fired: bool | None
    """Whether the gate fired; None without a gate."""
    probability: float | None
    """What the gate's probe said; None without a gate."""
    pushed: bool
    """Whether anything was added."""


def answered(
    backend: Backend,
    chats: Sequence[Chat],
    plan: Plan | None,
    *,
    watches: Sequence[Watch] = (),
    tokens: int = 64,
    temperature: float = 0.0,
    seed: int = 0,
    stop: Stop | None = None,
) -> list[Steered]:
    """One reply to each chat, under the plan; ``stop`` is for a backend that takes one (`wager.steering.llama.Stop`).

    Raises:
        UsageError: the plan does not fit the model, or the backend cannot steer.
    """
    fired: list[bool | None] = [None] * len(chats)
    told: list[float | None] = [None] * len(chats)
    push = None
    if plan is not None:
        if not backend.able.steer:
            raise UsageError(
                f"{backend.identity.name} cannot be steered: its backend does not reach the activations; use gguf/PATH, hf/NAME or embedded"
            )
        push = plan.push(backend.identity)
        if plan.gate is not None:
            for at, (fires, probability) in enumerate(plan.gate.gated(backend, chats)):
                fired[at], told[at] = fires, probability
    pushes = [push if one is not False else None for one in fired]
    ends: dict[str, Any] = {} if stop is None else {"stop": stop}
    replies = backend.generate(chats, pushes=pushes, watches=watches, tokens=tokens, temperature=temperature, seed=seed, **ends)
    return [
        Steered(reply=reply, fired=one, probability=probability, pushed=push is not None and not push.nothing and one is not False)
        for reply, one, probability in zip(replies, fired, told, strict=True)
    ]
