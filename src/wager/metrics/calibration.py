"""Calibration: does a confidence of 0.8 mean right in 8 of 10? Brier score, expected calibration error, reliability bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from wager.metrics.cells import Cells, checked
from wager.metrics.intervals import mean_estimate, rate_estimate
from wager.metrics.results import Bin, Estimate

__all__ = [
    "Binning",
    "EqualMass",
    "EqualWidth",
    "OnePerValue",
    "brier",
    "debiased",
    "ece",
    "overconfidence",
    "reliability",
    "spiegelhalter",
    "squared_debiased",
    "usual_binning",
]

FEW_VALUES = 64
"""With at most so many distinct values each may have a bin of its own, and calibration is measured exactly (Kumar et al. 2019)."""
ENOUGH = 10
"""Answers that such a bin needs on average: a bin for each single answer measures ``|confidence - correct|``, not calibration."""


BLOCK = 2**15
"""Answers that are put into bins at a time: they fit into a core's cache."""
NEAR = 1e-6
"""Distance of ``confidence * bins`` from a whole number below which a confidence is compared with the edge itself."""


class Binning(Protocol):
    """How confidences are put into bins."""

    def assign(self, confidence: NDArray[np.float64], counts: NDArray[np.float64] | None = None) -> NDArray[np.intp]:
        """Bin number of each confidence, shape (N,), each of which may stand for several answers; empty bins are allowed."""
        ...


@dataclass(frozen=True)
class EqualWidth:
    """``n`` bins of equal width, closed on the left; the last also holds 1. Edges are the exact ratios i / n."""

    n: int = 10
    """Number of bins."""

    def __repr__(self) -> str:
        return f"EqualWidth({self.n})"

    def assign(self, confidence: NDArray[np.float64], counts: NDArray[np.float64] | None = None) -> NDArray[np.intp]:
        """See `Binning.assign`."""
        edges = np.array([i / self.n for i in range(1, self.n)])  # one rounding for each edge, never a sum of steps
        found = np.empty(confidence.shape, dtype=np.intp)
        for start in range(0, len(confidence), BLOCK):
            part = confidence[start : start + BLOCK]
            product = part * self.n
            codes = np.minimum(product.astype(np.intp), self.n - 1)
            # the product is rounded: beside an edge only the edge itself decides
            near = np.flatnonzero(np.abs(product - np.rint(product)) < NEAR)
            if near.size:
                codes[near] = np.searchsorted(edges, part[near], side="right")
            found[start : start + BLOCK] = codes
        return found


@dataclass(frozen=True)
class EqualMass:
    """About ``n`` bins with about as many answers in each; equal confidences always share a bin, so the order of rows is irrelevant."""

    n: int = 15
    """Number of bins at most."""

    def __repr__(self) -> str:
        return f"EqualMass({self.n})"

    def assign(self, confidence: NDArray[np.float64], counts: NDArray[np.float64] | None = None) -> NDArray[np.intp]:
        """See `Binning.assign`."""
        values, codes = np.unique(confidence, return_inverse=True)
        size = np.bincount(codes, weights=counts, minlength=len(values))
        middle = np.cumsum(size) - size / 2
        bins = np.minimum((middle * self.n / size.sum()).astype(np.intp), self.n - 1)
        return bins[codes] if len(values) else np.zeros(0, dtype=np.intp)


@dataclass(frozen=True)
class OnePerValue:
    """A bin for each distinct confidence."""

    def assign(self, confidence: NDArray[np.float64], counts: NDArray[np.float64] | None = None) -> NDArray[np.intp]:
        """See `Binning.assign`."""
        return np.unique(confidence, return_inverse=True)[1]


def usual_binning(confidence: ArrayLike) -> Binning:
    """`OnePerValue` for at most 10 distinct values, or for at most 64 with ten answers each on average; else ``EqualWidth(10)``.

    The choice depends on the number of answers: name the bins where two sets are compared.
    """
    values = np.asarray(confidence)
    distinct = len(np.unique(values))
    return OnePerValue() if few_values(distinct, len(values)) else EqualWidth(10)


def few_values(distinct: int, size: int) -> bool:
    """Whether each of ``distinct`` confidences of ``size`` answers has enough answers for a bin of its own."""
    return distinct <= ENOUGH or (distinct <= FEW_VALUES and size >= ENOUGH * distinct)


def brier(correct: ArrayLike, confidence: ArrayLike, *, clusters: ArrayLike | None = None, n_excluded: int = 0) -> Estimate:
    """Brier score: mean of ``(confidence - correct)^2``, in [0, 1], lower is better.

    Args:
        correct: shape (N,), in [0, 1].
        confidence: shape (N,), in [0, 1].
        clusters: shape (N,), labels of what is independent.
        n_excluded: answers without this confidence, carried into the result.

    Raises:
        DataError: shapes differ, or a value is outside [0, 1] or NaN.
    """
    right, sure = checked(correct, confidence)
    return mean_estimate(
        (sure - right) ** 2, bounds=(0.0, 1.0), clusters=clusters, n_excluded=n_excluded, empty="no answer has this confidence"
    )


def overconfidence(correct: ArrayLike, confidence: ArrayLike, *, clusters: ArrayLike | None = None, n_excluded: int = 0) -> Estimate:
    """Mean of ``confidence - correct``, in [-1, 1]; positive is overconfident. Arguments as in `brier`."""
    right, sure = checked(correct, confidence)
    return mean_estimate(sure - right, bounds=(-1.0, 1.0), clusters=clusters, n_excluded=n_excluded, empty="no answer has this confidence")


def ece(correct: ArrayLike, confidence: ArrayLike, *, bins: Binning | None = None, n_excluded: int = 0) -> Estimate:
    """Expected calibration error: ``sum_b (n_b / n) |mean correct - mean confidence|``, in [0, 1], lower is better.

    The plug-in value is biased upwards, most for a well calibrated model, so there is no interval; say the bins with the number.

    Args:
        correct, confidence: as in `brier`.
        bins: the binning; `usual_binning` by default.

    >>> ece([1, 0, 1, 1], [0.75, 0.75, 0.75, 0.75]).value
    0.0
    """
    right, sure = checked(correct, confidence)
    if right.size == 0:
        return Estimate(None, n=0, n_excluded=n_excluded, reason="no answer has this confidence")
    bins = bins or usual_binning(sure)
    if isinstance(bins, EqualWidth):
        gaps: NDArray[np.float64] = np.zeros(bins.n)
        for start in range(0, len(sure), BLOCK):  # a block's arrays never leave the core's cache
            part = slice(start, start + BLOCK)
            gaps += np.bincount(bins.assign(sure[part]), weights=right[part] - sure[part], minlength=bins.n)
    else:
        gaps = np.asarray(np.bincount(bins.assign(sure), weights=right - sure), dtype=np.float64)
    return Estimate(
        float(np.abs(gaps).sum() / len(right)),
        n=len(right),
        n_excluded=n_excluded,
        reason="no interval: the plug-in value is biased upwards",
    )


def debiased(n: NDArray[np.float64], gap: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """ECE less the bias of its bins' absolute values: each bin's gap is taken as normal around the one seen, with the variance of its
    accuracy, and what the absolute value then gains on average is subtracted. May be negative for a well calibrated model.

    Args:
        n, gap, right: shape (B,), answers, sum of ``confidence - correct`` and sum of credit of each bin.

    Reference: Kumar, Liang and Ma (2019), arXiv 1909.10155, sec. 5, with the folded normal's mean in closed form.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, mean = right / n, np.abs(gap) / n
        sd = np.sqrt(rate * (1 - rate) / n)
        folded = np.where(sd > 0, sd * np.sqrt(2 / np.pi) * np.exp(-((mean / sd) ** 2) / 2) + mean * erf(mean / (sd * np.sqrt(2))), mean)
    return float((n * (2 * mean - folded))[n > 0].sum() / n.sum())


def squared_debiased(n: NDArray[np.float64], gap: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[float | None, str]:
    """Squared calibration error without bias, signed: ``sum_b w_b [gap_b^2 - acc_b (1 - acc_b) / (n_b - 1)]``; None with the reason if a
    bin has one answer. Arguments as in `debiased`. Reference: Broecker (2012); Kumar, Liang and Ma (2019)."""
    if (n == 1).any():
        return None, f"{int((n == 1).sum())} bins hold a single answer"
    used = n > 1
    n, gap, right = n[used], gap[used], right[used]
    rate = right / n
    return float((n * ((gap / n) ** 2 - rate * (1 - rate) / (n - 1))).sum() / n.sum()), ""


def spiegelhalter(cells: Cells) -> float:
    """Spiegelhalter's Z: ``sum (Z - s)(1 - 2 s) / sqrt(sum (1 - 2 s)^2 s (1 - s))``, standard normal if every confidence is the true
    probability; NaN where no confidence can be wrong by it (all 0, 1/2 or 1). Reference: Spiegelhalter (1986)."""
    tilt = 1 - 2 * cells.value
    variance = float((cells.n * tilt**2 * cells.value * (1 - cells.value)).sum())
    return float((tilt * (cells.right - cells.n * cells.value)).sum() / np.sqrt(variance)) if variance > 0 else float("nan")


def reliability(
    correct: ArrayLike, confidence: ArrayLike, *, bins: Binning | None = None, clusters: ArrayLike | None = None
) -> tuple[Bin, ...]:
    """The non-empty bins of a reliability diagram, in order of confidence. Arguments as in `ece`."""
    right, sure = checked(correct, confidence)
    if right.size == 0:
        return ()
    codes = (bins or usual_binning(sure)).assign(sure)
    labels = None if clusters is None else np.asarray(clusters)
    made = []
    for code in np.unique(codes):
        inside = codes == code
        accuracy = rate_estimate(right[inside], clusters=None if labels is None else labels[inside])
        made.append(Bin(float(sure[inside].min()), float(sure[inside].max()), float(sure[inside].mean()), accuracy))
    return tuple(made)
