"""Discrimination: do right answers have more confidence than wrong ones, whatever the numbers mean?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError
from wager.metrics.cells import Cells
from wager.metrics.intervals import Z, wilson
from wager.metrics.results import Estimate

__all__ = ["ItemParts", "auroc", "auroc_difference", "auroc_of", "auroc_parts"]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mid-ranks, from 1."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[codes])


EXACT = 1e-20
"""A variance up to this is rounding."""


def auroc(correct: ArrayLike, confidence: ArrayLike, *, clusters: ArrayLike | None = None, n_excluded: int = 0) -> Estimate:
    """Probability that a right answer has more confidence than a wrong one; ties count one half. In [0, 1], 0.5 is chance.

    Mid-ranks; the interval is DeLong's (DeLong, DeLong and Clarke-Pearson 1988), kept within [0, 1]; with clusters the parts of its
    variance are summed within each cluster first (after Obuchowski 1997). Where right and wrong answers are apart completely that
    variance is 0 and would claim certainty: the interval is then Wilson's, with the size of the rarer of the two. With a constant
    confidence the value is 0.5 and says nothing: the reason says so.

    Args:
        correct: shape (N,), credit in [0, 1]; at least one half counts as right.
        confidence: shape (N,), any increasing scale.
        clusters: shape (N,), labels of what is independent; None: every answer.
        n_excluded: answers without this confidence, carried into the result.

    Returns:
        No value if all answers are right, or all wrong.

    >>> auroc([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.9]).value
    0.875
    """
    right, sure = np.asarray(correct, dtype=np.float64) >= 0.5, np.asarray(confidence, dtype=np.float64)
    if right.shape != sure.shape:
        raise DataError(f"correct has shape {right.shape}, confidence has shape {sure.shape}; they describe the same answers")
    if np.isnan(sure).any():
        raise DataError("a confidence is NaN; leave out what is unknown and count it")
    m, k = int(right.sum()), int((~right).sum())
    if m == 0 or k == 0:
        one = "no answers" if m + k == 0 else f"all {m + k} answers are {'right' if m else 'wrong'}"
        return Estimate(None, n=m + k, n_excluded=n_excluded, reason=f"{one}: there is nothing to tell apart")
    ranks = _ranks(sure)
    value = float((ranks[right].sum() - m * (m + 1) / 2) / (m * k))
    if np.ptp(sure) == 0:
        return Estimate(value, n=m + k, n_excluded=n_excluded, reason="every answer has the same confidence")
    if m < 2 or k < 2:
        return Estimate(value, n=m + k, n_excluded=n_excluded, reason="one right or wrong answer alone gives no interval")
    of_right = (ranks[right] - _ranks(sure[right])) / k
    of_wrong = 1 - (ranks[~right] - _ranks(sure[~right])) / m
    labels = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    if labels is None:
        variance = float(of_right.var(ddof=1) / m + of_wrong.var(ddof=1) / k)
        rarer = min(m, k)
    else:
        parts = np.empty(m + k)
        parts[right], parts[~right] = (of_right - value) / m, (of_wrong - value) / k
        count = int(labels.max()) + 1
        variance = float(np.sum(np.bincount(labels, weights=parts) ** 2) * count / max(1, count - 1))
        rarer = min(len(np.unique(labels[right])), len(np.unique(labels[~right])))
    if variance <= EXACT:
        return Estimate(value, *wilson(min(1.0, max(0.0, value)), rarer), m + k, n_excluded)
    half = Z * float(np.sqrt(variance))
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), m + k, n_excluded)


def auroc_of(
    cells: Cells, correct: NDArray[np.float64], confidence: NDArray[np.float64], clusters: NDArray[np.intp] | None = None
) -> Estimate:
    """As `auroc`, from answers that are sorted and counted already; with clusters it needs the answers themselves, shape (N,)."""
    h, w = cells.hits, cells.n - cells.hits
    m, k = float(h.sum()), float(w.sum())
    if clusters is not None or m < 2 or k < 2 or cells.constant:
        return auroc(correct, confidence, clusters=clusters)
    of_right = (np.cumsum(w) - w / 2) / k  # share of wrong answers below a right one in this cell
    of_wrong = (m - np.cumsum(h) + h / 2) / m
    value = float((h * of_right).sum() / m)
    variance = float((h * (of_right - value) ** 2).sum() / (m - 1) / m + (w * (of_wrong - value) ** 2).sum() / (k - 1) / k)
    if variance <= EXACT:
        return Estimate(value, *wilson(min(1.0, max(0.0, value)), min(m, k)), cells.size)
    half = Z * float(np.sqrt(variance))
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), cells.size)


@dataclass(frozen=True)
class ItemParts:
    """An AUROC, and what each item adds to its error."""

    value: float
    """The AUROC, in [0, 1]."""
    part: NDArray[np.float64]
    """Shape (I,), by the item's number; 0 where it has no answer."""
    seen: NDArray[np.bool_]
    """Shape (I,), whether the item has an answer."""


def auroc_parts(correct: ArrayLike, confidence: ArrayLike, item: ArrayLike, n_items: int) -> ItemParts | None:
    """What `auroc_difference` needs of one set of answers; None if all are right, or all wrong.

    Args:
        correct, confidence: as in `auroc`.
        item: shape (N,), the item's number, below ``n_items``.
    """
    right, sure = np.asarray(correct, dtype=np.float64) >= 0.5, np.asarray(confidence, dtype=np.float64)
    numbers = np.asarray(item, dtype=np.intp)
    m, k = int(right.sum()), int((~right).sum())
    if m == 0 or k == 0:
        return None
    ranks = _ranks(sure)
    value = float((ranks[right].sum() - m * (m + 1) / 2) / (m * k))
    parts = np.empty(m + k)
    parts[right] = ((ranks[right] - _ranks(sure[right])) / k - value) / m
    parts[~right] = (1 - (ranks[~right] - _ranks(sure[~right])) / m - value) / k
    return ItemParts(
        value,
        np.asarray(np.bincount(numbers, weights=parts, minlength=n_items), dtype=np.float64),
        np.bincount(numbers, minlength=n_items) > 0,
    )


def auroc_difference(a: ItemParts | None, b: ItemParts | None) -> Estimate:
    """AUROC of b minus AUROC of a, in [-1, 1], with DeLong's interval, paired by item: what an item does to both cancels.

    For two confidences on the same answers this is the test of DeLong et al. (1988); for two models, whose verdicts on an item may
    differ, the parts of its variance are summed within each item first. n is the number of items that either has.
    """
    if a is None or b is None:
        return Estimate(None, reason="one of them has right or wrong answers only")
    value, each = b.value - a.value, b.part - a.part
    count = int((a.seen | b.seen).sum())
    variance = float(np.sum(each**2) * count / max(1, count - 1))
    if variance <= EXACT:
        return Estimate(value, n=count, reason="the two do not differ on any item: no interval")
    half = Z * float(np.sqrt(variance))
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half), count)
