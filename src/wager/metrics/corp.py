"""CORP: what a Brier score, or a score at t, loses to miscalibration, and what it gains by telling answers apart.

The confidences are recalibrated by pool-adjacent-violators, ties pooled first; Brier = MCB - DSC + UNC exactly. The same recalibration
gives the best score that any threshold reaches in this sample (Dimitriadis, Gneiting and Jordan 2021, PNAS; Ehm et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.metrics.cells import Cells

__all__ = ["Corp", "best_score", "corp", "recalibrated", "regret", "score_above"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Corp:
    """Brier score = mcb - dsc + unc."""

    mcb: float
    """Miscalibration, in [0, 1]: what recalibration would save. Optimistic in sample: never below 0."""
    dsc: float
    """Discrimination, in [0, 1]: what the recalibrated confidences save over one constant."""
    unc: float
    """Uncertainty, in [0, 1/4]: the score of the constant."""


def recalibrated(n: ArrayLike, right: ArrayLike) -> Floats:
    """Isotonic accuracy of each cell (pool adjacent violators), shape (K,); NaN for an empty cell before the first answer.

    Args:
        n, right: shape (K,), answers and their credit by increasing confidence; cells may be empty and take their neighbour's value.
    """
    count, good = np.asarray(n, dtype=np.float64), np.asarray(right, dtype=np.float64)
    used = count > 0
    found = np.full(len(count), np.nan)
    if used.any():
        from scipy.optimize import isotonic_regression  # here: it costs a fifth of a second, and answers without confidences need none

        found[used] = isotonic_regression(good[used] / count[used], weights=count[used]).x
        if not used.all():
            last = np.maximum.accumulate(np.where(used, np.arange(len(count)), -1))
            found = np.where(last >= 0, found[last], np.nan)
    return found


def corp(cells: Cells, fitted: Floats | None = None) -> Corp:
    """The decomposition of the Brier score; ``fitted`` may hand in `recalibrated`.

    >>> from wager.metrics.cells import cells_of
    >>> found = corp(cells_of([0, 1, 1, 1], [0.5, 0.5, 1.0, 1.0]))
    >>> found.mcb, found.dsc, found.unc
    (0.0, 0.0625, 0.1875)
    """
    best = recalibrated(cells.n, cells.right) if fitted is None else fitted
    square = cells.square.sum()

    def loss(value: Floats | float) -> float:
        return float((np.sum(cells.n * value**2 - 2 * value * cells.right) + square) / cells.size)

    after, constant = loss(best), loss(cells.accuracy)
    return Corp(loss(cells.value) - after, constant - after, constant)


def score_above(cells: Cells, targets: ArrayLike, *, weak: bool = False) -> Floats:
    """Score of "answer iff confidence > t" at each target, exact, shape (T,); confidences equal to t answer if ``weak``."""
    t = np.asarray(targets, dtype=np.float64)
    n, right = cells.above(t, weak=weak)
    return np.asarray((right - (n - right) * t / (1 - t)) / cells.size)


def best_score(cells: Cells, targets: ArrayLike, fitted: Floats | None = None) -> Floats:
    """The best score at each target that any threshold on this confidence reaches in this sample, shape (T,).

    It is the score of the recalibrated confidences; optimistic, as the threshold is chosen on the same answers.
    """
    t = np.asarray(targets, dtype=np.float64)
    best = recalibrated(cells.n, cells.right) if fitted is None else fitted
    first = np.searchsorted(best, t, side="right")
    n, right = cells._tail_n[first], cells._tail_right[first]
    return np.asarray((right - (n - right) * t / (1 - t)) / cells.size)


def regret(cells: Cells, targets: ArrayLike, *, weak: bool = False) -> Floats:
    """Points lost at each target against the best threshold, in sample, shape (T,), never negative beyond rounding."""
    return best_score(cells, targets) - score_above(cells, targets, weak=weak)
