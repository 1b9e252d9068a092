"""A trait's direction in the residual stream, block by block, with the card that says where it comes from: a value, to be added and scaled.

A `Vector` keeps the raw differences; strength is said as a **dose**: the length of what is added, relative to the length of the activations
that it is added to at realistic length, |added| / |h|. The same dose means about the same push at every block and for every vector.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from wager.errors import UsageError
from wager.steering.backend import Floats, ModelIdentity, Pool, Positions, Push, check_block

__all__ = ["Card", "Elicitation", "Method", "Vector"]

HOW = "extract one from that model (wager steer extract)"
"""What to do where a vector does not fit."""

Method = Literal["mean difference", "paired mean difference", "pca", "combination", "imported"]
Elicitation = Literal["system prompts", "teacher-forced", "combination", "imported"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """Where a vector comes from, and what was measured of it."""

    trait: str
    """What it is a direction of; pushing along it means more of this."""
    model: ModelIdentity
    """The model that it was read from."""
    method: Method = "mean difference"
    elicitation: Elicitation = "system prompts"
    pool: Pool = "reply_mean"
    block: int | None = None
    """The block that it is best applied at, by its effect on held-out questions; None where that was not measured."""
    norms: Mapping[int, float] = field(default_factory=dict)
    """By block, the median length of the replies' activations as they were pooled; of a mean over a reply about a fifth shorter than of its
    single tokens. A dose is relative to it."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Replies drawn and kept, by side: ``positive``, ``negative``, ``positive kept``, ``negative kept``, ``ungraded``."""
    stability: Mapping[int, float] = field(default_factory=dict)
    """By block, the mean cosine between directions from two halves of the questions."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of what it was made from: ``trait``, ``questions``."""
    band: tuple[float, float] | None = None
    """Doses that are safe, from the sweep: between the lowest (negative: less of the trait) and the highest."""
    receipts: Mapping[str, Any] = field(default_factory=dict)
    """What was measured with it: plain values."""
    made: Mapping[str, str] = field(default_factory=dict)
    """``wager``, ``backend``, ``seed``, ``date``."""


@dataclass(frozen=True, eq=False)
class Vector:
    """Directions by block.

    Supports ``a + b``, ``a - b``, ``0.5 * a``, ``-a``, and `orthogonal_to`; the result's card says what it was made of.
    """

    directions: Mapping[int, Floats]
    """By block (0-based, its output), the direction, shape (D,)."""
    card: Card

    def __post_init__(self) -> None:
        if not self.directions:
            raise UsageError(f"the vector of {self.card.trait!r} has no direction at any block")
        model = self.card.model
        for block, direction in self.directions.items():
            check_block(block, model)
            if np.shape(direction) != (model.width,):
                raise UsageError(f"a vector of {model.name} has width {model.width}, got shape {np.shape(direction)} at block {block}")
            if not np.isfinite(direction).all():
                raise UsageError(f"the vector of {self.card.trait!r} holds a value that is not finite, at block {block}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vector):
            return NotImplemented
        same = self.card == other.card and self.directions.keys() == other.directions.keys()
        return same and all(np.array_equal(direction, other.directions[block]) for block, direction in self.directions.items())

    def at(self, block: int | None = None) -> tuple[int, Floats]:
        """The block (the card's if None) and the direction there.

        Raises:
            UsageError: no block is given and the card names none, or the vector has none there.
        """
        chosen = self.card.block if block is None else block
        if chosen is None:
            raise UsageError(f"the vector of {self.card.trait!r} names no block; say which, of {_span(self.directions)}")
        if chosen not in self.directions:
            raise UsageError(f"the vector of {self.card.trait!r} has blocks {_span(self.directions)}, got {chosen}")
        return chosen, self.directions[chosen]

    def unit(self, block: int | None = None) -> Floats:
        """The direction at a block with length 1, shape (D,)."""
        chosen, found = self.at(block)
        direction = found.astype(np.float64)  # a square of float32 can overflow, or vanish
        length = float(np.linalg.norm(direction))
        if length == 0.0:
            raise UsageError(f"the vector of {self.card.trait!r} is zero at block {chosen}")
        return np.asarray(direction / length, dtype=np.float32)

    def push(self, dose: float, *, block: int | None = None, positions: Positions = "reply") -> Push:
        """What is added at a dose: ``dose * |h| * unit``; negative is less of the trait.

        Raises:
            UsageError: the dose is not finite, or the card has no length of activations there.
        """
        if not np.isfinite(dose):
            raise UsageError(f"a dose is a finite number, got {dose!r}")
        chosen, _ = self.at(block)
        if chosen not in self.card.norms:
            raise UsageError(
                f"the card of {self.card.trait!r} has no length of activations at block {chosen}; measure it before a dose is given"
            )
        return Push({chosen: np.asarray(dose * self.card.norms[chosen] * self.unit(chosen), dtype=np.float32)}, positions)

    def check_for(self, model: ModelIdentity) -> None:
        """Raises UsageError unless the vector fits the model: same width, blocks and tokens. Other weights of one family fit."""
        mine = self.card.model
        for what, ours, theirs in (("width", mine.width, model.width), ("number of blocks", mine.blocks, model.blocks)):
            if ours != theirs:
                raise UsageError(
                    f"the vector of {self.card.trait!r} is of {mine.name} with {what} {ours}; {model.name} has {theirs}; {HOW}"
                )
        if mine.tokens and model.tokens and mine.tokens != model.tokens:
            raise UsageError(
                f"the vector of {self.card.trait!r} is of {mine.name}, whose tokens are not those of {model.name}: another family; {HOW}"
            )

    def __add__(self, other: Vector) -> Vector:
        if not isinstance(other, Vector):
            return NotImplemented
        other.check_for(self.card.model)
        shared = sorted(set(self.directions) & set(other.directions))
        if not shared:
            raise UsageError(f"{self.card.trait!r} and {other.card.trait!r} have no block in common")
        return self._made(
            {block: self.directions[block] + other.directions[block] for block in shared}, f"{self.card.trait} + {other.card.trait}"
        )

    def __sub__(self, other: Vector) -> Vector:
        return self + -1.0 * other if isinstance(other, Vector) else NotImplemented

    def __mul__(self, factor: float) -> Vector:
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            return NotImplemented
        if not np.isfinite(factor):
            raise UsageError(f"a vector is scaled by a finite number, got {factor!r}")
        scaled = {block: np.asarray(factor * direction, dtype=np.float32) for block, direction in self.directions.items()}
        return self._made(scaled, f"{factor:g} * {self.card.trait}")

    __rmul__ = __mul__

    def __neg__(self) -> Vector:
        return -1.0 * self

    def orthogonal_to(self, other: Vector) -> Vector:
        """The part that no move along the other changes, block by block; its component along the other is taken out."""
        other.check_for(self.card.model)
        made = {}
        for block in sorted(set(self.directions) & set(other.directions)):
            along = other.unit(block).astype(np.float64)
            mine = self.directions[block].astype(np.float64)
            made[block] = np.asarray(mine - (mine @ along) * along, dtype=np.float32)
        if not made:
            raise UsageError(f"{self.card.trait!r} and {other.card.trait!r} have no block in common")
        return self._made(made, f"{self.card.trait} without {other.card.trait}")

    def cosines(self, other: Vector) -> dict[int, float]:
        """By block that both have, the cosine of the two directions."""
        other.check_for(self.card.model)
        return {
            block: float(np.clip(self.unit(block) @ other.unit(block), -1.0, 1.0))
            for block in sorted(set(self.directions) & set(other.directions))
        }

    def _made(self, directions: Mapping[int, Floats], trait: str) -> Vector:
        """A combination: what was measured of its parts does not hold for it."""
        card = dataclasses.replace(
            self.card, trait=trait, method="combination", elicitation="combination", band=None, stability={}, counts={}, receipts={}
        )
        return Vector(directions, card)


def _span(directions: Mapping[int, Floats]) -> str:
    blocks = sorted(directions)
    return f"{blocks[0]} to {blocks[-1]}" if blocks == list(range(blocks[0], blocks[-1] + 1)) else ", ".join(map(str, blocks))
