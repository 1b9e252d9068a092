"""The score of "answer iff confidence > t" at given targets and along a grid: a threshold simulation on answers that were all given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError
from wager.metrics.results import Estimate
from wager.metrics.scores import score_at
from wager.targets import ConfidenceTarget

__all__ = ["GRID", "Tie", "acts_at", "score_by_confidence", "score_curve"]

Tie = Literal["strict", "weak"]
"""``strict``: answer iff confidence > t, as the instruction says. ``weak``: iff confidence >= t."""

GRID = tuple(i / 50 for i in range(50))
"""Targets of a drawn curve; beyond 0.98 one wrong answer weighs more than 49 right ones and flattens the rest of the picture."""


def acts_at(confidence: ArrayLike, target: float, *, tie: Tie = "strict") -> NDArray[np.bool_]:
    """Whether the rule answers, shape (N,)."""
    sure = np.asarray(confidence, dtype=np.float64)
    return np.asarray(sure > target if tie == "strict" else sure >= target)


def score_by_confidence(
    credit: ArrayLike,
    confidence: ArrayLike,
    targets: Sequence[float],
    *,
    tie: Tie = "strict",
    clusters: ArrayLike | None = None,
    n_excluded: int = 0,
) -> dict[str, Estimate]:
    """By target: mean payoff of "answer iff confidence > t" on answers that were all given.

    It says what acting on this confidence would have scored, not what the model does when it is told the target.

    Args:
        credit: shape (N,), in [0, 1].
        confidence: shape (N,), in [0, 1].
        targets: each in [0, 1).
        tie: what a confidence equal to the target does.
        clusters: shape (N,), labels of what is independent.
        n_excluded: answers without this confidence, carried into the result.

    Raises:
        DataError: shapes differ, or a confidence is outside [0, 1] or NaN.

    >>> found = score_by_confidence([1, 0, 1], [0.5, 0.4, 0.9], [0, 0.5])
    >>> [round(one.value, 3) for one in found.values()]
    [0.667, 0.333]
    """
    found = _along(credit, confidence, targets, tie, clusters, n_excluded)
    return {str(ConfidenceTarget(t)): one for t, one in zip(targets, found, strict=True)}


def score_curve(
    credit: ArrayLike,
    confidence: ArrayLike,
    *,
    grid: Sequence[float] = GRID,
    tie: Tie = "strict",
    clusters: ArrayLike | None = None,
) -> tuple[tuple[float, float, float, float], ...]:
    """``(t, score, low, high)`` of the same rule along ``grid``, for a chart; empty without answers. Arguments as above."""
    found = _along(credit, confidence, grid, tie, clusters)
    points = ((t, one.value, one.low, one.high) for t, one in zip(grid, found, strict=True))
    return tuple((t, value, low, high) for t, value, low, high in points if value is not None and low is not None and high is not None)


def _along(
    credit: ArrayLike, confidence: ArrayLike, targets: Sequence[float], tie: Tie, clusters: ArrayLike | None, n_excluded: int = 0
) -> list[Estimate]:
    worth, sure = np.asarray(credit, dtype=np.float64), np.asarray(confidence, dtype=np.float64)
    if worth.shape != sure.shape:
        raise DataError(f"credit has shape {worth.shape}, confidence has shape {sure.shape}; they describe the same answers")
    if not bool(np.all((sure >= 0) & (sure <= 1))):
        raise DataError("a confidence lies in [0, 1] and is never NaN; leave out what is unknown and count it")
    groups = np.zeros(len(sure), dtype=np.intp) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    order = np.lexsort((groups, worth, sure))  # sums are then made in one order, whatever the order of rows
    worth, sure = worth[order], sure[order]
    labels = None if clusters is None else groups[order]
    return [score_at(worth, acts_at(sure, t, tie=tie), t, clusters=labels, n_excluded=n_excluded) for t in targets]
