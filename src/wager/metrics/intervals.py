"""Intervals: means with clustered errors, rates, paired differences. All are 95 %.

Answers to the same question are not independent: with several samples of an item the item is the cluster
(Miller 2024, arXiv 2411.00640, eq. 4).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri

from wager.errors import DataError
from wager.metrics.results import Estimate

__all__ = ["bounded", "clopper_pearson", "clustered_se", "mean_estimate", "paired_difference", "rate_estimate", "wilson"]

Z = float(ndtri(0.975))
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
    return 0.0 if rate == 0 else max(0.0, float(centre - half)), 1.0 if rate == 1 else min(1.0, float(centre + half))


def clopper_pearson(successes: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval (Clopper and Pearson 1934); (0, 1) for n = 0. Fractional successes are allowed (partial credit)."""
    if n == 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if successes <= 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes >= n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def mean_estimate(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    bounds: tuple[float, float] | None = None,
    n_excluded: int = 0,
    empty: str = "no answers",
) -> Estimate:
    """Mean with a normal interval from clustered errors, kept within ``bounds``.

    Where all values are equal the error is 0 and would claim certainty. The interval is then Wilson's, of the mean's place between
    the bounds with the number of clusters as size; without bounds there is none, and the reason says so.

    Args:
        values: shape (N,), without NaN.
        clusters: shape (N,), labels of what is independent; None: every value.
        bounds: smallest and largest possible value.
        n_excluded: answers left out before, carried into the result.
        empty: the reason if there are no values.

    Raises:
        DataError: a value is NaN.

    >>> mean_estimate([1.0, -3.0, 0.0, 1.0], bounds=(-3, 1)).value
    -0.25
    """
    x = np.asarray(values, dtype=np.float64)
    if x.size == 0:
        return Estimate(None, n=0, n_excluded=n_excluded, reason=empty)
    if np.isnan(x).any():
        raise DataError("a mean was asked of values with NaN; leave out what is unknown and count it")
    mean, se = float(x.mean()), clustered_se(x, clusters)
    if bounds is None:
        if np.ptp(x) > 0 and se > 0:  # a single cluster has no error: NaN, and not greater than 0
            return Estimate(mean, mean - Z * se, mean + Z * se, len(x), n_excluded)
        why = "all values are equal" if np.ptp(x) == 0 else "the values come from too few independent items"
        return Estimate(mean, n=len(x), n_excluded=n_excluded, reason=f"{why}: no interval")
    size = len(x) if clusters is None else len(np.unique(np.asarray(clusters)))
    return Estimate(mean, *bounded(mean, se if np.ptp(x) > 0 else 0.0, size, bounds), len(x), n_excluded)


def bounded(mean: float, se: float, size: float, bounds: tuple[float, float], z: float = Z) -> tuple[float, float]:
    """Normal interval of a mean, kept within ``bounds``; where its error is 0 or unknown (NaN), Wilson's of its place between them.

    Args:
        mean, se: of the values.
        size: how many independent ones there are.
        bounds: smallest and largest possible value; the largest may be infinite, and an error of 0 then gives no width.
        z: normal quantile.
    """
    if se > 0:
        return max(bounds[0], mean - z * se), min(bounds[1], mean + z * se)
    width = bounds[1] - bounds[0]
    if not np.isfinite(width):
        return mean, mean
    low, high = wilson(min(1.0, max(0.0, (mean - bounds[0]) / width)), size)
    return bounds[0] + low * width, bounds[0] + high * width


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


def paired_difference(a: ArrayLike, a_items: ArrayLike, b: ArrayLike, b_items: ArrayLike, *, n_excluded: int = 0) -> Estimate:
    """Mean difference ``b - a`` over the items that both have; an item's several values are averaged first, so items weigh the same.

    Pairing takes out what makes an item hard for both (Miller 2024, sec. 4.2).

    Args:
        a, b: shapes (N,) and (M,), values under two conditions, without NaN.
        a_items, b_items: shapes (N,) and (M,), the item of each.
        n_excluded: items left out before; those that only one condition has are added.

    Returns:
        n is the number of items.

    >>> found = paired_difference([0, 1, 1], ["x", "y", "z"], [1, 1], ["x", "y"])
    >>> found.value, found.n, found.n_excluded
    (0.5, 2, 1)
    """
    a_names, a_means = _item_means(a, a_items)
    b_names, b_means = _item_means(b, b_items)
    both, in_a, in_b = np.intersect1d(a_names, b_names, assume_unique=True, return_indices=True)
    out = n_excluded + len(a_names) + len(b_names) - 2 * len(both)
    return mean_estimate(b_means[in_b] - a_means[in_a], n_excluded=out, empty="no item has a verdict in both")


def _item_means(values: ArrayLike, items: ArrayLike) -> tuple[NDArray[Any], NDArray[np.float64]]:
    x, labels = np.asarray(values, dtype=np.float64), np.asarray(items)
    if x.shape != labels.shape:
        raise DataError(f"values have shape {x.shape}, their items {labels.shape}; each value belongs to one item")
    names, codes = np.unique(labels, return_inverse=True)
    return names, np.bincount(codes, weights=x, minlength=len(names)) / np.bincount(codes, minlength=len(names))
