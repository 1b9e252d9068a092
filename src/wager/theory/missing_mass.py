"""How much of what will be asked was never answered in the data: estimated from what was answered once (Good and Turing)."""

from __future__ import annotations

import math
from statistics import NormalDist

from wager.errors import DataError

__all__ = ["distribution_free_interval", "esty_interval", "good_turing", "lemma_1", "lemma_2"]


def good_turing(singletons: float, n: float) -> float:
    """Share |S|/N of the samples whose fact occurs once: Turing's estimate of the mass of facts that occur never.

    Assumes: independent samples. Its expectation exceeds that of the missing mass by between 0 and 1/N. In [0, 1]. It does not say that
    facts seen once are the ones answered wrongly: those never seen are. `singletons` is 0 .. n, n >= 1, both may be fractions where
    prompts were sampled; DataError otherwise.

    >>> good_turing(3, 12)
    0.25

    Source: Good (1953), Biometrika 40:237; Kalai et al. (2025), app. B.
    """
    _check(singletons, n)
    return singletons / n


def esty_interval(singletons: float, doubletons: float, n: float, *, level: float = 0.95) -> tuple[float, float] | None:
    """``f1/N +- z sqrt(f1/N (1 - f1/N) + 2 f2/N) / sqrt(N)``, cut to [0, 1]: an approximate interval for the missing mass.

    Assumes: independent samples, and so many of them that the error is about normal: an approximation, not a guarantee. f1, f2: facts
    that occur once, twice; ``f1 + 2 f2 <= n``. None where the formula's width is 0 (no fact once and none twice, or every fact once):
    the approximation does not hold there. DataError for counts or `level` out of range.

    >>> low, high = esty_interval(300, 100, 1000)
    >>> round(low, 4), round(high, 4)
    (0.2603, 0.3397)

    Source: Esty (1983), Annals of Statistics 11:905, eq. for W.
    """
    _check(singletons, n)
    if not (doubletons >= 0 and singletons + 2 * doubletons <= n * (1 + 1e-9)):
        raise DataError(f"singletons {singletons:g} and doubletons {doubletons:g} do not fit into n = {n:g} samples")
    if not 0 < level < 1:
        raise DataError(f"level is {level}; it must lie strictly between 0 and 1")
    rate = singletons / n
    variance = (rate * (1 - rate) + 2 * doubletons / n) / n
    if variance <= 0:
        return None
    return _cut(rate, NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance))


def distribution_free_interval(singletons: float, n: float, *, gamma: float = 0.01) -> tuple[float, float]:
    """``f1/N +- (1/N + 2.42 sqrt(ln(4/gamma)/N))``, cut to [0, 1]: holds the missing mass with probability >= 1 - gamma.

    Assumes: independent samples; nothing about the law of the facts, nor about N. Where some samples say "I don't know" see `lemma_1`.
    DataError for counts or `gamma` out of range.

    >>> low, high = distribution_free_interval(300, 10_000)
    >>> round(low, 4), round(high, 4)
    (0.0, 0.0893)

    Source: McAllester and Schapire (2000), McAllester and Ortiz (2003), as combined in Kalai et al. (2025), app. B.
    """
    _check(singletons, n)
    return _cut(singletons / n, 1 / n + 2.42 * math.sqrt(math.log(4 / _gamma(gamma)) / n))


def lemma_1(singletons: float, n: float, *, gamma: float = 0.01) -> tuple[float, float]:
    """``|MM - |S|/N| <= 4.42 sqrt(ln(5/gamma)/N)`` with probability >= 1 - gamma, as an interval for MM cut to [0, 1].

    Assumes: Definition 1's samples, some of which may say "I don't know"; MM is the mass of (prompt, real answer) pairs whose prompt was
    never answered. Arguments and errors as in `distribution_free_interval`.

    >>> low, high = lemma_1(3_000, 10_000)
    >>> round(low, 4), round(high, 4)
    (0.1898, 0.4102)

    Source: Kalai et al. (2025), Lemma 1 (app. B).
    """
    _check(singletons, n)
    return _cut(singletons / n, 4.42 * math.sqrt(math.log(5 / _gamma(gamma)) / n))


def lemma_2(singletons: float, n: float, *, gamma: float = 0.01) -> float:
    """``2 err_iiv >= |S|/N - 6 ln(3N/gamma)/sqrt(N)`` with probability >= 1 - gamma: the right-hand side, below 0 where it says nothing.

    Assumes: as `lemma_1`, and answers drawn uniformly; any learner that has seen only the data, calibrated or not. The general constant
    is used for every gamma. It is about telling valid from erroneous responses, not yet about err: Theorem 1 takes it there.

    >>> round(lemma_2(300_000, 1_000_000), 4)
    0.1829

    Source: Kalai et al. (2025), Lemma 2 (app. B).
    """
    _check(singletons, n)
    return singletons / n - 6 * math.log(3 * n / _gamma(gamma)) / math.sqrt(n)


def _cut(middle: float, half: float) -> tuple[float, float]:
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _check(singletons: float, n: float) -> None:
    if not (math.isfinite(n) and n >= 1):
        raise DataError(f"n is {n}; it must be a number of samples from 1")
    if not 0 <= singletons <= n:
        raise DataError(f"singletons is {singletons:g} of n = {n:g} samples; it must lie between 0 and n (cut an estimate above n to n)")


def _gamma(gamma: float) -> float:
    if not 0 < gamma < 1:
        raise DataError(f"gamma is {gamma}; it must lie strictly between 0 and 1")
    return gamma
