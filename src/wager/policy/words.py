"""Metrics of words: are they worth what they say, do they follow the model's consistency, do they keep their order, do they tell anything?

All take the names of shades said with graded answers; a reply without a shade is None, is left out and counted, and so is an act.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.elicit.verbal import DEFAULT_SHADES, Shades
from wager.errors import UsageError
from wager.metrics.cells import checked
from wager.metrics.corp import recalibrated
from wager.metrics.discrimination import auroc
from wager.metrics.intervals import Z, mean_estimate, rate_estimate
from wager.metrics.results import Estimate
from wager.policy.shades import Heard, heard

__all__ = ["Blanket", "Faithfulness", "Inversion", "Monotone", "WordCalibration", "blanket", "faithfulness", "monotone", "word_calibration"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WordCalibration:
    """What one shade says, and what it was worth."""

    shade: str
    """Its name."""
    n: int
    """Answers said with it."""
    said: float | None
    """The probability that it says; None for an act."""
    accuracy: Estimate
    """Mean credit of these answers, with Wilson's interval."""
    gap: Estimate
    """``said`` minus accuracy, in [-1, 1]: positive is overconfident. Its interval is that of the accuracy: what is said has no error."""


@dataclass(frozen=True)
class Faithfulness:
    """Do words follow how consistent the model is with itself?"""

    mean: Estimate
    """1 - mean |decisiveness - consistency|, in [0, 1]; higher is better."""
    conditional: Estimate
    """The same averaged over equal bins of consistency, each with the same weight (cMFG)."""
    always_decisive: Estimate
    """What ``conditional`` would be if every answer were said without any doubt: 1/2 where all bins are filled evenly. Beat this."""
    bins: tuple[tuple[float, float, Estimate], ...]
    """(low, high, mean faithfulness), a bin without answers with no value."""
    n_empty: int
    """Bins without answers; ``conditional`` says nothing about them."""


@dataclass(frozen=True)
class Inversion:
    """Two neighbouring shades in the wrong order."""

    surer: str
    """The shade that says more."""
    other: str
    """The next shade below that was said."""
    difference: Estimate
    """Accuracy of ``other`` minus accuracy of ``surer``, above 0; Newcombe's interval (1998, method 10)."""


@dataclass(frozen=True)
class Monotone:
    """Is a surer shade right at least as often?"""

    holds: bool | None
    """True if no neighbours are inverted; False if p < 0.05; else None: they are, and chance explains it."""
    p_value: float | None
    """Of the order, by parametric bootstrap of the isotonic likelihood ratio; None with fewer than two shades."""
    statistic: float
    """Twice the log-likelihood that keeping the order costs, at least 0."""
    inversions: tuple[Inversion, ...]
    """The inverted neighbours."""
    n_pairs: int
    """Neighbouring pairs of shades that were said."""
    n: int
    """Answers used."""
    n_excluded: int
    """Answers without a shade, or with an act."""


@dataclass(frozen=True)
class Blanket:
    """Do the words tell right from wrong answers, or is one hedge put on everything?"""

    auroc: Estimate
    """Probability that a right answer is said with a surer shade than a wrong one; 0.5 is nothing."""
    most_used: str | None
    """The shade said most often; None without any."""
    share: Estimate
    """Its share of the answers with a shade."""
    n_shades: int
    """Shades that were said."""
    informative: bool | None
    """False if one shade is said for everything, or AUROC's interval is below 1/2; True if it lies above 1/2; None if that is open."""
    verdict: str
    """The same in words."""


def word_calibration(
    said: Sequence[str | None], correct: ArrayLike, shades: Shades = DEFAULT_SHADES, *, clusters: ArrayLike | None = None
) -> tuple[WordCalibration, ...]:
    """Each shade that was said against its answers, the surest first.

    With shades learned on the same answers the gaps are near 0 by construction: learn on others.

    Args:
        said: N names of shades; None where a reply has none.
        correct: shape (N,), credit in [0, 1].
        shades: what the words say.
        clusters: shape (N,), labels of what is independent.

    >>> [found] = word_calibration(["confident"] * 4, [1, 1, 0, 0])
    >>> found.said, found.accuracy.value, round(found.gap.value, 2)
    (0.95, 0.5, 0.45)
    """
    groups, without = heard(said, correct, shades, clusters=clusters)
    found = []
    for group in groups:
        accuracy = rate_estimate(group.correct, clusters=group.clusters, n_excluded=without)
        found.append(WordCalibration(group.shade.name, accuracy.n, group.shade.value, accuracy, _gap(group.shade.value, accuracy)))
    return tuple(found)


def _gap(value: float | None, accuracy: Estimate) -> Estimate:
    if value is None or accuracy.value is None or accuracy.low is None or accuracy.high is None:
        return Estimate(None, n=accuracy.n, n_excluded=accuracy.n_excluded, reason="an act says no probability")
    return Estimate(value - accuracy.value, value - accuracy.high, value - accuracy.low, accuracy.n, accuracy.n_excluded)


def faithfulness(
    decisiveness: ArrayLike, consistency: ArrayLike, *, bins: int = 10, clusters: ArrayLike | None = None, n_excluded: int = 0
) -> Faithfulness:
    """How well expressed confidence follows intrinsic confidence.

    Formula: 1 - mean |dec - conf|, dec the assertiveness of the words (a shade's value; 1 for a plain answer), conf the share of the
    model's other samples that do not contradict the answer. As most answers are consistent, always being decisive does well by that;
    the conditional form averages within ``bins`` equal bins of conf first (closed on the left, the last on both sides).

    Args:
        decisiveness, consistency: shape (N,), in [0, 1].
        bins: number of bins, at least 1.
        clusters: shape (N,), labels of what is independent.
        n_excluded: answers left out before (punts assert nothing), carried into the results.

    Raises:
        DataError: shapes differ, or a value is NaN or outside [0, 1].

    References: Yona, Aharoni and Geva (2024), arXiv 2405.16908, sec. 2; Liu et al. (2025), MetaFaith, arXiv 2505.24858.

    >>> found = faithfulness([1.0, 1.0, 0.5, 0.5], [1.0, 0.9, 0.5, 0.0])
    >>> round(found.mean.value, 3), round(found.conditional.value, 3), found.n_empty
    (0.85, 0.817, 7)
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise UsageError(f"bins is a whole number of at least 1, got {bins!r}")
    sure, consistent = checked(decisiveness, consistency)
    place = np.minimum(np.floor(np.round(consistent * bins, 9)).astype(np.intp), bins - 1)
    labels = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    each = 1 - np.abs(sure - consistent)
    by_bin = tuple(
        (b / bins, (b + 1) / bins, mean_estimate(each[here], clusters=None if labels is None else labels[here], bounds=(0, 1)))
        for b in range(bins)
        for here in [place == b]
    )
    return Faithfulness(
        mean=mean_estimate(each, clusters=labels, bounds=(0, 1), n_excluded=n_excluded),
        conditional=_over_bins(each, place, labels, n_excluded),
        always_decisive=_over_bins(consistent, place, labels, n_excluded),
        bins=by_bin,
        n_empty=bins - len(np.unique(place)),
    )


def _over_bins(each: Floats, place: NDArray[np.intp], labels: NDArray[np.intp] | None, n_excluded: int) -> Estimate:
    """Mean of the bins' means. Its error is that of a weighted mean; a bin of one answer adds the spread of the others."""
    if not len(each):
        return Estimate(None, n=0, n_excluded=n_excluded, reason="no answers")
    used, code, count = np.unique(place, return_inverse=True, return_counts=True)
    means = np.bincount(code, weights=each) / count
    deviation, n = each - means[code], count[code]
    alone = n == 1
    freedom = len(each) - len(used)
    if freedom < 1:
        return Estimate(float(means.mean()), n=len(each), n_excluded=n_excluded, reason="no bin has two answers: no interval")
    spread = float(np.sum(deviation**2)) / freedom
    parts = np.where(alone, np.sqrt(spread), deviation * np.sqrt(n / np.maximum(1, n - 1))) / n / len(used)
    sums = parts if labels is None else np.bincount(labels, weights=parts)
    half, value = Z * float(np.sqrt(np.sum(sums**2))), float(means.mean())
    if half == 0:
        return Estimate(value, n=len(each), n_excluded=n_excluded, reason="all values of a bin are equal: no interval")
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), len(each), n_excluded)


def monotone(
    said: Sequence[str | None],
    correct: ArrayLike,
    shades: Shades = DEFAULT_SHADES,
    *,
    clusters: ArrayLike | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Monotone:
    """Whether accuracy keeps the order of the shades.

    The statistic compares the accuracies as they are with the nearest ones in order (pool adjacent violators); its distribution under
    the order is drawn from the latter. Clusters lower the size of each shade; partial credit makes the test cautious.

    Args:
        said, correct, shades, clusters: as in `word_calibration`.
        draws: of the bootstrap.
        seed: of its random numbers.
    """
    groups, without = heard(said, correct, shades, clusters=clusters)
    acts = sum(len(group.correct) for group in groups if group.shade.act)
    used = [group for group in groups if group.shade.act is None][::-1]
    size = np.array([max(1, round(group.size)) for group in used], dtype=np.float64)
    rate = np.array([group.correct.mean() for group in used])
    inversions = tuple(_inversion(surer, other) for other, surer in itertools.pairwise(used) if other.correct.mean() > surer.correct.mean())
    statistic, p_value = 0.0, None
    if len(used) > 1:
        statistic = float(_order_costs(size, rate))
        rng = np.random.default_rng(seed)
        fitted = recalibrated(size, size * rate)
        drawn = rng.binomial(size.astype(np.int64), np.clip(fitted, 0, 1), size=(draws, len(used))) / size
        reached = sum(_order_costs(size, one) >= statistic - 1e-9 for one in drawn)
        p_value = (1 + reached) / (1 + draws)
    holds = None if p_value is None else True if not inversions else False if p_value < 0.05 else None
    n = sum(len(group.correct) for group in used)
    return Monotone(holds, p_value, statistic, inversions[::-1], max(0, len(used) - 1), n, without + acts)


def _order_costs(size: Floats, rate: Floats) -> float:
    """Twice the log-likelihood between the rates and the nearest ones that do not decrease."""
    if np.all(np.diff(rate) >= 0):
        return 0.0
    fitted = recalibrated(size, size * rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        right = np.where(rate > 0, rate * np.log(rate / fitted), 0.0)
        wrong = np.where(rate < 1, (1 - rate) * np.log((1 - rate) / (1 - fitted)), 0.0)
    return float(2 * np.sum(size * (right + wrong)))


def _inversion(surer: Heard, other: Heard) -> Inversion:
    one, two = (rate_estimate(group.correct, clusters=group.clusters) for group in (surer, other))
    p, q = one.value or 0.0, two.value or 0.0
    low = q - p - float(np.hypot(q - (two.low or 0.0), (one.high or 0.0) - p))
    high = q - p + float(np.hypot((two.high or 0.0) - q, p - (one.low or 0.0)))
    return Inversion(surer.shade.name, other.shade.name, Estimate(q - p, max(-1.0, low), min(1.0, high), one.n + two.n))


def blanket(
    said: Sequence[str | None], correct: ArrayLike, shades: Shades = DEFAULT_SHADES, *, clusters: ArrayLike | None = None
) -> Blanket:
    """Whether words tell right from wrong answers, by AUROC of the shades' values; a hedge put on everything tells nothing (0.5).

    Args:
        said, correct, shades, clusters: as in `word_calibration`.

    >>> blanket(["confident"] * 4, [1, 1, 0, 1]).verdict
    "one shade for everything ('confident'): the words carry nothing (AUROC 0.50)"
    """
    groups, without = heard(said, correct, shades, clusters=clusters)
    used = [group for group in groups if group.shade.value is not None]
    out = without + sum(len(group.correct) for group in groups if group.shade.act)
    if not used:
        none = Estimate(None, n_excluded=out, reason="no answer has a shade")
        return Blanket(none, None, none, 0, None, "no answer has a shade")
    value = np.concatenate([np.full(len(group.correct), group.shade.value) for group in used])
    right = np.concatenate([group.correct for group in used])
    labels = None if clusters is None else np.concatenate([group.clusters for group in used if group.clusters is not None])
    most = max(used, key=lambda group: len(group.correct)).shade.name
    is_most = np.concatenate([np.full(len(group.correct), float(group.shade.name == most)) for group in used])
    ranked = auroc(right, value, clusters=labels, n_excluded=out)
    told, verdict = _verdict(ranked, most, len(used))
    return Blanket(ranked, most, rate_estimate(is_most, clusters=labels, n_excluded=out), len(used), told, verdict)


def _verdict(ranked: Estimate, most: str, n_shades: int) -> tuple[bool | None, str]:
    if n_shades == 1:
        return False, f"one shade for everything ({most!r}): the words carry nothing (AUROC 0.50)"
    if ranked.value is None or ranked.low is None or ranked.high is None:
        return None, f"it cannot be told whether the words carry anything: {ranked.reason}"
    seen = f"AUROC {ranked.value:.2f}, 95 % [{ranked.low:.2f}, {ranked.high:.2f}]"
    if ranked.low > 0.5:
        return True, f"the words tell right from wrong answers ({seen})"
    if ranked.high < 0.5:
        return False, f"the words are the wrong way round ({seen})"
    return None, f"it is open whether the words carry anything ({seen})"
