"""CORP: what a Brier score, or a score at t, loses to miscalibration, and what it gains by telling answers apart.

The confidences are recalibrated by pool-adjacent-violators, ties pooled first; Brier = MCB - DSC + UNC exactly. The same recalibration
gives the best score that any threshold reaches in this sample (Dimitriadis, Gneiting and Jordan 2021, PNAS; Ehm et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.metrics.cells import Cells, cells_of

__all__ = ["Corp", "best_score", "corp", "crossfitted_regret", "recalibrated", "regret", "reliability_curve", "score_above"]

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


def crossfitted_regret(
    credit: Floats,
    confidence: Floats,
    targets: ArrayLike,
    *,
    clusters: NDArray[np.intp] | None = None,
    folds: int = 5,
    weak: bool = False,
) -> Floats:
    """What recalibration on other answers gains at each target, shape (T,); unlike `regret` it is not optimistic, and may be negative.

    Each fold's answers are recalibrated by the others (linear between their confidences). Folds are dealt out along the confidence, or
    along the clusters, so the order of rows is irrelevant; answers of one cluster share a fold.

    Args:
        credit, confidence: shape (N,), each in [0, 1].
        targets: shape (T,).
        clusters: shape (N,), labels of what is independent; None: every answer.
    """
    order = np.lexsort((credit, confidence))
    right, sure = credit[order], confidence[order]
    t = np.asarray(targets, dtype=np.float64)
    fold = (np.arange(len(sure)) if clusters is None else np.unique(clusters[order], return_inverse=True)[1]) % folds
    gained = np.zeros(len(t))
    for k in range(folds):
        here, others = fold == k, cells_of(right[fold != k], sure[fold != k])
        if not others.size or not here.any():
            continue
        fitted = np.interp(sure[here], others.value, recalibrated(others.n, others.right))
        points = right[here][:, None] - (1 - right[here])[:, None] * t / (1 - t)
        acted = sure[here][:, None] >= t if weak else sure[here][:, None] > t
        gained += np.where(fitted[:, None] > t, points, 0.0).sum(axis=0) - np.where(acted, points, 0.0).sum(axis=0)
    return gained / max(1, len(sure))


def reliability_curve(cells: Cells, *, draws: int = 200, points: int = 200, seed: int = 0) -> tuple[tuple[float, float, float, float], ...]:
    """CORP reliability diagram: (confidence, recalibrated accuracy, low, high), at most ``points`` of them.

    ``low`` and ``high`` are the pointwise 95 % consistency band: where the recalibrated accuracy would lie if every confidence were the
    true probability, from ``draws`` draws of the verdicts.
    """
    if not cells.size:
        return ()
    kept = np.unique(np.linspace(0, len(cells.value) - 1, min(points, len(cells.value))).round().astype(np.intp))
    fitted = recalibrated(cells.n, cells.right)[kept]
    rng = np.random.default_rng(seed)
    coarse = cells.merged(kept)  # enough for a band, and quick for a million confidences
    drawn = rng.binomial(coarse.n.astype(np.int64), coarse.value, size=(draws, len(kept)))
    band = np.quantile([recalibrated(coarse.n, one) for one in drawn], [0.025, 0.975], axis=0)
    return tuple(zip(cells.value[kept].tolist(), fitted.tolist(), band[0].tolist(), band[1].tolist(), strict=True))
