"""Folds: which answers a calibrator is fitted on while the others judge it. Answers to one item share a fold; row order never matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError, UsageError
from wager.metrics.cells import checked

__all__ = ["Graded", "deal", "graded"]

Floats = NDArray[np.float64]

DEALS = 1000
"""Times that folds are dealt again because all wrong (or all right) answers fell into one."""


@dataclass(frozen=True)
class Graded:
    """Answers in an order that depends on nothing but their values. All arrays have shape (N,)."""

    confidence: Floats
    """In [0, 1], increasing."""
    correct: Floats
    """Credit in [0, 1]."""
    clusters: NDArray[np.intp] | None
    """Number of the item; None where every answer has its own."""
    order: NDArray[np.intp]
    """The row that each was."""

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether each is right: a credit of at least one half."""
        return self.correct >= 0.5

    def where(self, which: NDArray[np.bool_]) -> Graded:
        """Those where a mask is true; their order is among themselves."""
        clusters = None if self.clusters is None else self.clusters[which]
        return Graded(self.confidence[which], self.correct[which], clusters, np.arange(int(which.sum())))

    def few(self) -> tuple[int, str]:
        """Independent right or wrong answers, whichever are fewer, and in words."""
        counts = {}
        for name, which in (("wrong", ~self.hits), ("right", self.hits)):
            counts[name] = int(which.sum()) if self.clusters is None else len(np.unique(self.clusters[which]))
        name = min(counts, key=lambda one: counts[one])
        plural = "" if counts[name] == 1 else "s"
        return counts[
            name
        ], f"{counts[name]} {name} answer{plural}" if self.clusters is None else f"{name} answers to {counts[name]} item{plural}"


def graded(confidence: ArrayLike, correct: ArrayLike, clusters: ArrayLike | None = None) -> Graded:
    """Checks and sorts.

    Args:
        confidence: shape (N,), in [0, 1].
        correct: shape (N,), credit in [0, 1].
        clusters: shape (N,), labels of what is independent; None: every answer.

    Raises:
        DataError: shapes differ, or a value is outside [0, 1] or NaN.
    """
    right, sure = checked(correct, confidence)
    if clusters is None:
        order = np.lexsort((right, sure))
        return Graded(sure[order], right[order], None, order)
    labels = np.asarray(clusters)
    if labels.shape != right.shape:
        raise DataError(f"correct has shape {right.shape}, clusters have shape {labels.shape}; each answer belongs to one")
    codes = np.unique(labels, return_inverse=True)[1]
    order = np.lexsort((codes, right, sure))
    return Graded(sure[order], right[order], codes[order], order)


def deal(
    hits: NDArray[np.bool_], clusters: NDArray[np.intp] | None = None, *, folds: int = 5, rng: np.random.Generator | None = None
) -> NDArray[np.intp]:
    """The fold of each answer, shape (N,), drawn at random and blind to verdicts: folds balanced by verdict would hide overfitting.

    It is drawn again while all right, or all wrong, answers lie in one fold: then nothing could be fitted on the others.

    Args:
        hits: shape (N,), whether each is right, in an order that does not depend on the rows'.
        clusters: shape (N,), numbers from 0; None: every answer by itself.
        folds: at least 2.
        rng: a fixed seed by default.

    Raises:
        DataError: right answers, or wrong ones, to fewer than two items.
    """
    if folds < 2:
        raise UsageError(f"folds must be at least 2, got {folds}")
    codes = np.arange(len(hits)) if clusters is None else clusters
    for name, which in (("wrong", ~hits), ("right", hits)):
        count = int(which.sum()) if clusters is None else len(np.unique(codes[which]))
        if count < 2:
            raise DataError(f"{count} of the items has a {name} answer; cross-fitting needs two or more: grade more answers")
    chance = rng if rng is not None else np.random.default_rng(0)
    units = len(hits) if clusters is None else int(codes.max()) + 1
    fold: NDArray[np.intp] = np.zeros(len(hits), dtype=np.intp)
    for _ in range(DEALS):
        fold = (chance.permutation(units) % min(folds, units))[codes].astype(np.intp)
        if np.ptp(fold[hits]) > 0 and np.ptp(fold[~hits]) > 0:
            break
    return fold


def predicted(
    fold: NDArray[np.intp], fit_and_predict: Callable[[NDArray[np.bool_], NDArray[np.bool_]], Floats | Sequence[float]]
) -> Floats:
    """What each fold gets from a model fitted on the others, shape (N,).

    Args:
        fold: shape (N,).
        fit_and_predict: takes the masks of the answers to fit on and to predict, gives predictions of the latter.
    """
    found = np.full(len(fold), np.nan)
    for k in range(int(fold.max()) + 1):
        held = fold == k
        if held.any():
            found[held] = fit_and_predict(~held, held)
    return found
