"""Intervals: means with clustered errors, rates, paired differences. All are 95 %.

Answers to the same question are not independent: with several samples of an item the item is the cluster
(Miller 2024, arXiv 2411.00640, eq. 4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, norm

from wager.errors import DataError
from wager.metrics.results import Estimate

__all__ = ["clopper_pearson", "clustered_se", "mean_estimate", "paired_difference", "rate_estimate", "wilson"]

Z = float(norm.ppf(0.975))
"""Standard normal quantile of a two-sided 95 % interval."""


def clustered_se(values: ArrayLike, clusters: ArrayLike | None = None) -> float:
    """Standard error of a mean.

    Formula: ``sqrt(sum_c (sum_{i in c} (x_i - mean))^2) / n``, times ``sqrt(C / (C - 1))`` for C clusters; with every answer a cluster
    of its own this is ``sd / sqrt(n)``.

    Args:
        values: shape (N,), N >= 1.
        clusters: shape (N,), labels; None makes every value a cluster.

    Returns:
        NaN with fewer than two clusters.
    """
    x = np.asarray(values, dtype=np.float64)
    deviation = x - x.mean()
    if clusters is None:
        sums = deviation
    else:
        _, codes = np.unique(np.asarray(clusters), return_inverse=True)
        sums = np.bincount(codes, weights=deviation)
    count = len(sums)
    if count < 2:
        return float("nan")
    return float(np.sqrt(np.sum(sums**2) * count / (count - 1)) / len(x))


def wilson(rate: float, n: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927). ``rate`` in [0, 1]; ``n`` > 0 may be an effective, fractional size."""
    centre = (rate + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def clopper_pearson(successes: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval (Clopper and Pearson 1934); (0, 1) for n = 0. Fractional successes are allowed (partial credit)."""
    if n == 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if successes <= 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes >= n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return low, high


def mean_estimate(
    values: ArrayLike, *, bounds: tuple[float, float], clusters: ArrayLike | None = None, n_excluded: int = 0, empty: str = "no answers"
) -> Estimate:
    """Mean of bounded values with a normal interval from clustered errors, kept within ``bounds``.

    Where all values are equal the error is 0 and would claim certainty; the interval is then Wilson's, of the values' place between
    the bounds with the number of clusters as size.

    Args:
        values: shape (N,), within ``bounds``, without NaN.
        bounds: smallest and largest possible value.
        clusters: shape (N,), labels of what is independent; None: every value.
        n_excluded: answers left out before, carried into the result.
        empty: the reason if there are no values.
    """
    x = np.asarray(values, dtype=np.float64)
    low_bound, high_bound = bounds
    if x.size == 0:
        return Estimate(None, n=0, n_excluded=n_excluded, reason=empty)
    if np.isnan(x).any():
        raise DataError("a mean was asked of values with NaN; leave out what is unknown and count it")
    mean = float(x.mean())
    se = clustered_se(x, clusters)
    if np.ptp(x) == 0 or not np.isfinite(se) or se == 0:
        size = len(x) if clusters is None else len(np.unique(np.asarray(clusters)))
        width = high_bound - low_bound
        low, high = wilson(min(1.0, max(0.0, (mean - low_bound) / width)), size)
        return Estimate(mean, low_bound + low * width, low_bound + high * width, len(x), n_excluded)
    return Estimate(mean, max(low_bound, mean - Z * se), min(high_bound, mean + Z * se), len(x), n_excluded)


def rate_estimate(hits: ArrayLike, *, clusters: ArrayLike | None = None, n_excluded: int = 0, empty: str = "no answers") -> Estimate:
    """A proportion with Wilson's interval; with clusters its size is n divided by the design effect (the ratio of the clustered to the
    plain variance of the mean).

    Args:
        hits: shape (N,), each in [0, 1] (a fraction is partial credit).
        clusters, n_excluded, empty: as in `mean_estimate`.
    """
    x = np.asarray(hits, dtype=np.float64)
    if x.size == 0:
        return Estimate(None, n=0, n_excluded=n_excluded, reason=empty)
    rate = float(x.mean())
    size = float(len(x))
    if clusters is not None:
        labels = np.unique(np.asarray(clusters))
        plain, grouped = clustered_se(x), clustered_se(x, clusters)
        effect = (grouped / plain) ** 2 if plain > 0 and np.isfinite(grouped) else size / len(labels)
        size = size / max(1.0, effect)
    low, high = wilson(rate, size)
    return Estimate(rate, low, high, len(x), n_excluded)


def paired_difference(a: ArrayLike, b: ArrayLike, items: ArrayLike, *, n_excluded: int = 0) -> Estimate:
    """Mean of ``b - a`` over the same items, with the item as the cluster.

    Args:
        a, b: shape (N,), values of the same answers slots under two conditions.
        items: shape (N,), labels.
    """
    difference: NDArray[np.float64] = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    if difference.size == 0:
        return Estimate(None, n=0, n_excluded=n_excluded, reason="no item has a verdict in both")
    mean, se = float(difference.mean()), clustered_se(difference, items)
    if not np.isfinite(se) or se == 0:
        return Estimate(mean, n=len(difference), n_excluded=n_excluded, reason="all differences are equal: no interval")
    return Estimate(mean, mean - Z * se, mean + Z * se, len(difference), n_excluded)
