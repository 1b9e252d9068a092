"""A probe, or a projection, beside length and rarity of the words: the same table wherever either is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wager.metrics.results import Estimate
    from wager.steering.baseline import Beside, Comparison

__all__ = ["as_json", "estimate", "parts", "table"]

WORDS = {"questions": "questions", "phrasings": "phrasings, pairs within one", "pooled": "phrasings, all pairs"}


def parts(found: Comparison) -> list[tuple[str, Beside]]:
    """What was measured, by name."""
    every = (("questions", found.questions), ("phrasings", found.phrasings), ("pooled", found.pooled))
    return [(name, one) for name, one in every if one is not None]


def table(found: Comparison, what: str, *, head: str = "AUROC, held out") -> list[Sequence[str]]:
    """Rows for `wager.cli.columns.columns`: each part, then each surface feature alone."""
    rows: list[Sequence[str]] = [(head, what, "length and rarity", "difference")]
    for name, one in parts(found):
        rows.append((WORDS[name], estimate(one.probe), estimate(one.baseline), estimate(one.difference, signed=True)))
    return [*rows, *((f"  {name} alone", "", estimate(one), "") for name, one in found.features.items())]


def estimate(one: Estimate, *, signed: bool = False) -> str:
    """A value with its interval, or a dash."""
    if one.value is None:
        return "-"
    sign = "+" if signed else ""
    wide = "" if one.low is None or one.high is None else f" [{one.low:{sign}.2f}, {one.high:{sign}.2f}]"
    return f"{one.value:{sign}.2f}{wide}"


def as_json(found: Comparison) -> dict[str, Any]:
    """Each part with its verdict, each surface feature, and the verdict on all."""
    from wager.metrics.results import to_json

    return {
        **{name: {**to_json(one), "verdict": one.verdict} for name, one in parts(found)},
        "features": {name: to_json(one) for name, one in found.features.items()},
        "verdict": found.verdict,
    }
