"""Was a certified promise kept? One exact test on new graded answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from wager.errors import UsageError
from wager.metrics.intervals import mean_estimate
from wager.metrics.results import Estimate
from wager.policy.risk_table import _one_each
from wager.policy.rule import Rule
from wager.policy.thresholds import _share
from wager.scoring import payoff

__all__ = ["Kept", "kept"]

LEVEL = 0.05
"""Of the test."""


@dataclass(frozen=True)
class Kept:
    """What new answers say of a promise."""

    verdict: Literal["kept", "broken", "cannot tell"]
    """``broken`` if the new answers are worse than promised beyond chance (5 %); ``cannot tell`` if none lies above the threshold."""
    sentence: str
    """The same in words, with the figures."""
    n: int
    """New answers above the threshold; of a risk one of each item."""
    total: int
    """New answers; of a risk one of each item."""
    observed: Estimate
    """Their risk, joint risk, or score."""


def kept(rule: Rule, confidence: ArrayLike, correct: ArrayLike, *, clusters: ArrayLike | None = None) -> Kept:
    """Tests the promise of a rule with a certified threshold.

    Risks are tested by the exact binomial test (one answer of each item), an expected score by its 95 % interval, clustered by item.

    Args:
        rule: with a ``threshold``.
        confidence: shape (N,), raw, of the rule's source.
        correct: shape (N,), credit in [0, 1].
        clusters: shape (N,), the item of each answer.

    Raises:
        UsageError: the rule has no threshold.
    """
    if rule.threshold is None:
        raise UsageError("the rule has no certified threshold, so it promised nothing that can be checked")
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if rule.target is None:  # as certified: an exact test takes independent answers
        one = _one_each(right, sure, clusters)
        sure, right = sure[one], right[one]
    above, total = sure > rule.threshold, len(sure)
    n = int(above.sum())
    if not n:
        return Kept("cannot tell", f"None of {total:,} new answers is above the threshold {rule.threshold:.4g}.", 0, total, _share(0, 0))
    if rule.target is not None:
        score = mean_estimate(payoff(right, above, rule.target), clusters=clusters)
        least = rule.bound or 0.0
        broken = score.high is not None and score.high < least
        said = f"scored {score.value:+.3f} a question at t={rule.target:g}, where at least {least:+.3f} was promised"
        return Kept("broken" if broken else "kept", _sentence(n, total, rule.threshold, said, broken), n, total, score)
    wrong, limit = int((right[above] < 0.5).sum()), rule.risk if rule.risk is not None else rule.joint_risk
    of = n if rule.risk is not None else total
    broken = bool(binom.sf(wrong - 1, of, limit) < LEVEL)
    what = "of the answers given" if rule.risk is not None else "of all questions"
    said = f"{wrong:,} wrong, {100 * wrong / of:.3g} % {what}, where at most {100 * (limit or 0):.3g} % was promised"
    return Kept("broken" if broken else "kept", _sentence(n, total, rule.threshold, said, broken), n, total, _share(wrong, of))


def _sentence(n: int, total: int, threshold: float, said: str, broken: bool) -> str:
    end = "The promise is broken: certify again on answers like these." if broken else "Nothing speaks against the promise."
    return f"Above the threshold {threshold:.4g} lie {n:,} of {total:,} new answers: {said}. {end}"
