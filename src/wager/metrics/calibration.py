"""Calibration: does a confidence of 0.8 mean right in 8 of 10? Brier score, expected calibration error, reliability bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError
from wager.metrics.intervals import mean_estimate, rate_estimate
from wager.metrics.results import Bin, Estimate

__all__ = ["Binning", "EqualMass", "EqualWidth", "OnePerValue", "brier", "ece", "overconfidence", "reliability", "usual_binning"]

FEW_VALUES = 64
"""With at most so many distinct values each may have a bin of its own, and calibration is measured exactly (Kumar et al. 2019)."""
ENOUGH = 10
"""Answers that such a bin needs on average: a bin for each single answer measures ``|confidence - correct|``, not calibration."""


class Binning(Protocol):
    """How confidences are put into bins."""

    def assign(self, confidence: NDArray[np.float64]) -> NDArray[np.intp]:
        """Bin number of each confidence, shape (N,); empty bins are allowed."""
        ...


@dataclass(frozen=True)
class EqualWidth:
    """``n`` bins of equal width, closed on the left; the last also holds 1. Edges are the exact ratios i / n."""

    n: int = 10
    """Number of bins."""

    def __repr__(self) -> str:
        return f"EqualWidth({self.n})"

    def assign(self, confidence: NDArray[np.float64]) -> NDArray[np.intp]:
        """See `Binning.assign`."""
        edges = np.array([i / self.n for i in range(1, self.n)])  # one rounding for each edge, never a sum of steps
        return np.searchsorted(edges, confidence, side="right")


@dataclass(frozen=True)
class EqualMass:
    """About ``n`` bins with about as many answers in each; equal confidences always share a bin, so the order of rows is irrelevant."""

    n: int = 15
    """Number of bins at most."""

    def __repr__(self) -> str:
        return f"EqualMass({self.n})"

    def assign(self, confidence: NDArray[np.float64]) -> NDArray[np.intp]:
        """See `Binning.assign`."""
        values, codes, counts = np.unique(confidence, return_inverse=True, return_counts=True)
        middle = np.cumsum(counts) - counts / 2
        bins = np.minimum((middle * self.n / len(confidence)).astype(np.intp), self.n - 1)
        return bins[codes] if len(values) else np.zeros(0, dtype=np.intp)


@dataclass(frozen=True)
class OnePerValue:
    """A bin for each distinct confidence."""

    def assign(self, confidence: NDArray[np.float64]) -> NDArray[np.intp]:
        """See `Binning.assign`."""
        return np.unique(confidence, return_inverse=True)[1]


def usual_binning(confidence: ArrayLike) -> Binning:
    """`OnePerValue` for at most 10 distinct values, or for at most 64 with ten answers each on average; else ``EqualWidth(10)``.

    The choice depends on the number of answers: name the bins where two sets are compared.
    """
    values = np.asarray(confidence)
    distinct = len(np.unique(values))
    few = distinct <= ENOUGH or (distinct <= FEW_VALUES and len(values) >= ENOUGH * distinct)
    return OnePerValue() if few else EqualWidth(10)


def _checked(correct: ArrayLike, confidence: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    right, sure = np.asarray(correct, dtype=np.float64), np.asarray(confidence, dtype=np.float64)
    if right.shape != sure.shape:
        raise DataError(f"correct has shape {right.shape}, confidence has shape {sure.shape}; they describe the same answers")
    for name, values in (("correct", right), ("confidence", sure)):
        if not bool(np.all((values >= 0) & (values <= 1))):
            raise DataError(f"{name} lies in [0, 1] and is never NaN; leave out what is unknown and count it")
    return right, sure


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
    right, sure = _checked(correct, confidence)
    return mean_estimate(
        (sure - right) ** 2, bounds=(0.0, 1.0), clusters=clusters, n_excluded=n_excluded, empty="no answer has this confidence"
    )


def overconfidence(correct: ArrayLike, confidence: ArrayLike, *, clusters: ArrayLike | None = None, n_excluded: int = 0) -> Estimate:
    """Mean of ``confidence - correct``, in [-1, 1]; positive is overconfident. Arguments as in `brier`."""
    right, sure = _checked(correct, confidence)
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
    right, sure = _checked(correct, confidence)
    if right.size == 0:
        return Estimate(None, n=0, n_excluded=n_excluded, reason="no answer has this confidence")
    codes = (bins or usual_binning(sure)).assign(sure)
    gaps = np.abs(np.bincount(codes, weights=right - sure))
    return Estimate(
        float(gaps.sum() / len(right)), n=len(right), n_excluded=n_excluded, reason="no interval: the plug-in value is biased upwards"
    )


def reliability(
    correct: ArrayLike, confidence: ArrayLike, *, bins: Binning | None = None, clusters: ArrayLike | None = None
) -> tuple[Bin, ...]:
    """The non-empty bins of a reliability diagram, in order of confidence. Arguments as in `ece`."""
    right, sure = _checked(correct, confidence)
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
