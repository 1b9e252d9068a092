"""Which thresholds are tested for a risk, in which order, and at which level: descents from strict to lax, fixed by counts.

A binomial test of m answers wastes part of its level unless m is just large enough for one more mistake. So a descent goes, for 0, 1,
2, ... mistakes, to the first threshold with enough answers above it, each test at the full level of the descent, until the first that fails
(fixed sequence, Angelopoulos et al. 2021, arXiv 2110.01052).

Where it starts decides most: one mistake among few answers ends it at once, and so do surest answers that are worse than the rest. So
there are up to three descents, and their levels add up to delta (Bonferroni). The first starts at a fifteenth of the answers, but at no
more than four times the fewest that can certify, and has nearly all of delta. Others start at a ninth and a third of the answers and
have a twentieth of delta each, but only where that is far beyond the first start; they find what lies below surest answers that are wrong
too often. With a few levels only (words, rounded numbers), which leave no other chance after one unlucky test, there is one descent with
two starts of half of delta; what the first has goes on to the second if it is passed (fallback procedure). All this depends on counts
alone.

**Why it is exact**, for any confidence without ties and any course of the risk. Let R(s) be the risk above s, and cut the confidences
where R crosses alpha. Given how many answers lie in each piece, it is settled which of the tests, made at fixed ranks, belong to thresholds
with R > alpha. The answers of a piece are independent draws from it. A piece between two crossings is wrong at rate alpha exactly, since
R is alpha at both of its ends, and the part of a piece above a threshold with R > alpha at a higher rate. So the mistakes above
such a threshold are at least Bin(m, alpha) in distribution, and the p-value of every true null hypothesis is valid given the pieces, which
is all that a fixed sequence, a fallback procedure or Bonferroni needs. With ties a test moves to the end of its group of equal
confidences. The test of each group is exact; that ties may move a start from one group to the next is not covered by the proof, and broke
no promise in a search for the worst law (`benchmarks/thresholds.py` has what it found).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr
from scipy.stats import binom

__all__ = ["best_passed", "descents", "fewest", "mistakes_allowed", "passed", "sizes"]

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]

START = 1 / 15
"""Share of the answers above the first threshold of the first descent."""
AT_MOST = 4.0
"""That is no more than so many times the fewest answers that could certify."""
LATER = (1 / 9, 1 / 3)
"""Shares of the answers where other descents start."""
FAR = 3.0
"""They are made where this is so many times the first start."""
EACH = 0.05
"""Part of delta of each of them."""
COARSE, AMPLE = 50, 5
"""With at most so many thresholds, and five times the answers of its second start, one descent has two starts."""


def fewest(risk: float, delta: float) -> int:
    """Answers without a mistake that certify a risk: the smallest n with (1 - risk)^n <= delta.

    >>> fewest(0.1, 0.05)
    29
    """
    return math.ceil(math.log(delta) / math.log1p(-risk) - 1e-12)


def descents(n: Ints, total: int, risk: float, delta: float) -> list[tuple[Ints, Floats]]:
    """The tests: for each descent the places of its thresholds, in order, and the level that each begins with.

    Args:
        n: shape (P,), answers above each threshold, increasing.
        total: answers in all.
        risk, delta: in (0, 1).
    """
    if not len(n):
        return []
    most = AT_MOST * math.log(delta) / math.log1p(-risk)
    enough = sizes(int(n[-1]), risk, delta)
    start = min(most, max(START * total, float(enough[1]) if len(enough) > 1 else 0.0))
    places = _places(n, start, risk, delta)
    second = int(np.searchsorted(n[places], most))
    if len(n) <= COARSE and 0 < second < len(places) and AT_MOST * fewest(risk, delta) * AMPLE <= total:
        return [(places, _levels(len(places), {0: delta / 2, second: delta / 2}))]
    later = [share * total for share in LATER if share * total >= FAR * start]
    first = delta * (1 - EACH * len(later))
    made = [(_places(n, start, risk, first), first), *((_places(n, one, risk, delta * EACH), delta * EACH) for one in later)]
    return [(places, _levels(len(places), {0: level})) for places, level in made]


def passed(n: Ints, wrong: Ints, total: int, risk: float, delta: float) -> Ints:
    """Places of the thresholds whose risk is shown to be below ``risk``, all of them together with probability at least 1 - delta."""
    found: list[int] = []
    for places, levels in descents(n, total, risk, delta):
        carried = 0.0  # a test that is passed hands its level on, one that fails does not
        for place, p_value, own in zip(places.tolist(), bdtr(wrong[places] + 0.0, n[places], risk).tolist(), levels.tolist(), strict=True):
            carried += own
            if carried and p_value <= carried:
                found.append(place)
            else:
                carried = 0.0
    return np.unique(np.asarray(found, dtype=np.intp))


def best_passed(n: Ints, wrong: Ints, total: int, risk: float, delta: float, score: Floats) -> int | None:
    """Of the thresholds of `passed` the place of that with the largest ``score``, shape (P,); None if none passed."""
    places = passed(n, wrong, total, risk, delta)
    return int(places[np.argmax(score[places])]) if len(places) else None


def _levels(count: int, given: dict[int, float]) -> Floats:
    levels = np.zeros(count)
    for place, level in given.items():
        levels[place] = level
    return levels


def _places(n: Ints, start: float, risk: float, level: float) -> Ints:
    enough = sizes(int(n[-1]), risk, level)
    found = np.searchsorted(n, enough[enough >= start])
    return np.unique(np.append(found[found < len(n)], len(n) - 1))


def sizes(most: int, risk: float, delta: float) -> Ints:
    """For 0, 1, 2, ... mistakes the fewest answers that certify with them, up to ``most``: where P(Bin(m, risk) <= k) <= delta.

    Beyond a thousand mistakes every hundredth more is taken.

    >>> sizes(60, 0.1, 0.1).tolist()
    [22, 38, 52]
    """
    found, _ = _sizes(1 << max(most, 1).bit_length(), risk, delta)
    return found[found <= most]


def mistakes_allowed(most: int, risk: float, delta: float) -> Ints:
    """The mistakes that each of `sizes` may hold."""
    found, mistakes = _sizes(1 << max(most, 1).bit_length(), risk, delta)
    return mistakes[found <= most]


@lru_cache(maxsize=64)
def _sizes(most: int, risk: float, delta: float) -> tuple[Ints, Ints]:
    """Sizes and mistakes; kept, since the same levels are asked for again, for a power of two."""
    k = np.arange(1001, dtype=np.float64)
    step = 1.01
    while k[-1] < most * risk * 1.5:
        k = np.append(k, np.ceil(k[-1] * step))
    low, high = k + 1, np.ceil((k + 10) / risk * 4 + fewest(risk, delta))  # bisection on m, all k at once
    while np.any(low < high):
        middle = np.floor((low + high) / 2)
        enough = binom.cdf(k, middle, risk) <= delta
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return low.astype(np.intp), k.astype(np.intp)
