"""How many graded answers would probably certify a threshold where those at hand do not."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from wager.policy.descents import mistakes_allowed, sizes

__all__ = ["hopeless", "needed"]

Ints = NDArray[np.intp]

MOST = 10**5
"""Answers above a threshold beyond which "how many more" is not worth saying."""
LIKELY = 0.8
"""Probability of success."""
TELLING = 20
"""Answers above a threshold from which on its risk says something of this."""


def needed(n: Ints, wrong: Ints, total: int, risk: float, delta: float) -> int | None:
    """Graded answers with which some threshold would be certified with probability 0.8, if its risk is the one seen.

    One mistake and one answer are added to each, since the smallest of many risks is too small. The fewest over the thresholds with at
    least 20 answers: those above such a threshold must be m with P(Bin(m, its risk) <= k) >= 0.8, k the mistakes that m may hold.

    Args:
        n, wrong: shape (P,), answers and mistakes above each threshold.
        total: answers in all.
        risk, delta: in (0, 1).

    Returns:
        None where no number helps, or would be too large, or there are too few answers to say.

    >>> needed(np.array([20, 40]), np.array([0, 20]), 100, 0.1, 0.1)
    580
    """
    chosen = np.flatnonzero((n >= TELLING) & (wrong + 1 < risk * (n + 1)))
    if not len(chosen):
        return None
    rate, share = (wrong[chosen] + 1) / (n[chosen] + 1), n[chosen] / total
    enough = sizes(MOST, risk, delta)
    allowed = mistakes_allowed(MOST, risk, delta)
    low, high = np.zeros(len(chosen), dtype=np.intp), np.full(len(chosen), len(enough), dtype=np.intp)
    while np.any(low < high):  # the first size that is likely to pass, by bisection for all thresholds at once
        middle = np.minimum((low + high) // 2, len(enough) - 1)
        likely = bdtr(allowed[middle].astype(np.float64), enough[middle], rate) >= LIKELY
        low, high = np.where(low < high, np.where(likely, low, middle + 1), low), np.where((low < high) & likely, middle, high)
    found = low < len(enough)
    return math.ceil(float((enough[low[found]] / share[found]).min())) if found.any() else None


def hopeless(n: Ints, wrong: Ints, total: int, risk: float) -> bool:
    """Whether no number of answers like these would do: the risk seen above every threshold with 20 answers is at least ``risk``, or no
    answer lies above any threshold. With fewer answers that cannot be told."""
    telling = n >= TELLING
    if not telling.any():
        return total >= TELLING and not len(n)
    return not bool(np.any(wrong[telling] < risk * n[telling]))
