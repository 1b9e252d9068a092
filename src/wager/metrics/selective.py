"""Selective prediction: answer the surest, decline the rest. Areas under risk-coverage curves, and single points of them.

Answers are accepted from the surest down. Equal confidences have no order: the risk inside such a group is the mean over all orders of
its answers, so no number depends on the order of rows. A system with one constant confidence has one operating point, not a curve:
`aurc`, `e_aurc` and `prr` are then undefined (NaN) and say nothing about a ranking.

All functions take `wager.metrics.cells.Cells`; those that resampling calls also take arrays with leading axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from wager.metrics.cells import Cells

__all__ = ["augrc", "aurc", "coverage_at_risk", "e_aurc", "prr", "risk_at_coverage", "risk_coverage"]

Floats = NDArray[np.float64]


LARGEST_TABLE = 2**22
"""Largest table of harmonic numbers."""


def _down(n: Floats, wrong: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Answers and errors in each cell, and before it, from the surest cell down; the last axis is the cell."""
    n, wrong = n[..., ::-1], wrong[..., ::-1]
    return n, wrong, np.cumsum(n, axis=-1) - n, np.cumsum(wrong, axis=-1) - wrong


def areas(n: Floats, right: Floats) -> tuple[Floats, Floats, Floats]:
    """AURC, the AURC of a perfect order, and AUGRC.

    Args:
        n, right: shape (..., K), answers and their credit by increasing confidence. Cells may be empty.
    """
    size, good = n.sum(axis=-1), right.sum(axis=-1)
    m, e, before, errors = _down(n, n - right)
    # sum over j = 1..m of (errors + e j / m) / (before + j)
    rate = e / np.maximum(m, 1)
    steps = _harmonic_steps(m, before)
    area = (e + (errors - rate * before) * steps).sum(axis=-1) / size
    best = ((size - good) - good * (digamma(size + 1) - digamma(good + 1))) / size
    generalised = (m * (errors + e / 2)).sum(axis=-1) / size**2
    return area, best, generalised


def _harmonic_steps(m: Floats, before: Floats) -> Floats:
    """H(before + m) - H(before), from a table where that is small."""
    size = int((before[..., -1] + m[..., -1]).max()) if m.size else 0
    if m.size and size <= LARGEST_TABLE and m.ndim == 1 and len(m) == size:
        return 1 / (before + 1)  # each answer has a confidence of its own
    if m.size and size <= min(LARGEST_TABLE, m.size):
        table = np.concatenate([[0.0], np.cumsum(1 / np.arange(1.0, size + 1))])
        first = before.astype(np.intp)
        return np.asarray(table.take(first + m.astype(np.intp)) - table.take(first))
    return np.asarray(digamma(before + m + 1) - digamma(before + 1))


def aurc(cells: Cells) -> float:
    """Area under the risk-coverage curve, in [0, 1], lower is better: the mean over k of the error rate of the k surest answers.

    >>> from wager.metrics.cells import cells_of
    >>> round(aurc(cells_of([1, 0, 1], [0.9, 0.5, 0.1])), 4)  # (0 + 1/2 + 1/3) / 3
    0.2778

    Reference: Geifman et al. (2019), arXiv 1805.08206; tie groups as the mean over their orders. Some packages integrate trapezoids
    between the distinct thresholds instead, and give another number.
    """
    if cells.constant or not cells.size:
        return float("nan")
    if len(cells.value) == cells.size:  # no ties: the plain definition, in a third of the time
        return float((np.cumsum(cells.wrong[::-1]) / np.arange(1, cells.size + 1)).mean())
    return float(areas(cells.n, cells.right)[0])


def e_aurc(cells: Cells) -> float:
    """AURC above that of a perfect order with the same accuracy, in [0, 1]; about ``AURC - (err + (1 - err) ln(1 - err))`` for large n.

    Reference: Geifman et al. (2019), eq. 3; here with the exact optimum of n answers.
    """
    if cells.constant or not cells.size:
        return float("nan")
    area, best, _ = areas(cells.n, cells.right)
    return float(area - best)


def augrc(cells: Cells) -> float:
    """Area under the generalised risk-coverage curve, in [0, 1/2], lower is better: the mean share of all answers that are accepted and
    wrong. By trapezoids; equal to ``(1 - AUROC) a (1 - a) + (1 - a)^2 / 2`` for accuracy a.

    Reference: Traub et al. (2024), arXiv 2407.01032.
    """
    return float(areas(cells.n, cells.right)[2]) if cells.size else float("nan")


def prr(cells: Cells) -> float:
    """Prediction rejection ratio: 1 for a perfect order, 0 for a random one: ``(err - AURC) / (err - AURC of a perfect order)``."""
    if cells.constant or not cells.size or cells.accuracy in (0.0, 1.0):
        return float("nan")
    area, best, _ = areas(cells.n, cells.right)
    error = 1 - cells.accuracy
    return float((error - area) / (error - best))


def risk_at_coverage(cells: Cells, coverage: float) -> float:
    """Error rate of the surest share ``coverage`` in (0, 1] of the answers; inside a tie group by its mean error rate."""
    wanted = coverage * cells.size
    m, e, before, errors = _down(cells.n, cells.wrong)
    at = min(int(np.searchsorted(before + m, wanted, side="left")), len(m) - 1)
    return float((errors[at] + e[at] * (wanted - before[at]) / m[at]) / wanted)


def coverage_at_risk(cells: Cells, risk: float) -> float:
    """Largest share of the answers that some threshold accepts at an error rate of at most ``risk``; 0 if none does. In sample: as a
    promise about new answers it is too good, a certified threshold is not."""
    m, e, before, errors = _down(cells.n, cells.wrong)
    accepted = before + m
    fine = (errors + e) / accepted <= risk
    return float(accepted[fine].max() / cells.size) if fine.any() else 0.0


def risk_coverage(cells: Cells, points: int = 200) -> tuple[tuple[float, float], ...]:
    """(coverage, error rate) at the thresholds that exist, thinned evenly to about ``points``; the last is coverage 1."""
    if not cells.size:
        return ()
    m, e, before, errors = _down(cells.n, cells.wrong)
    coverage: NDArray[Any] = (before + m) / cells.size
    risk = (errors + e) / (before + m)
    kept = np.unique(np.linspace(0, len(m) - 1, min(points, len(m))).round().astype(np.intp))
    return tuple(zip(coverage[kept].tolist(), risk[kept].tolist(), strict=True))
