"""From which confidence on may a model answer? Thresholds with a promise that holds for new questions like the graded ones.

- **Selective risk**: P(wrong | answered) <= alpha with probability at least 1 - delta. Exact binomial tests in a fixed sequence, from the
  strictest threshold down (Learn then Test, Angelopoulos et al. 2021, arXiv 2110.01052); in which order, and why it is exact:
  `wager.policy.descents`.
- **Expected score** at target t: a lower bound that holds with probability at least 1 - delta, after the best threshold was chosen.
- **Joint risk**: P(answered and wrong) <= alpha, in expectation: conformal risk control (Angelopoulos et al. 2022, arXiv 2208.02814).

All assume that new questions are exchangeable with the graded ones: drawn alike, answered by the same model in the same way. None says
anything of one answer. The thresholds tested are chosen by how many answers lie above them and never by what is right.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from wager.errors import UsageError
from wager.metrics.intervals import wilson
from wager.metrics.results import Estimate
from wager.policy.certificate import Certificate, Promise
from wager.policy.descents import best_passed, fewest, passed
from wager.policy.needed import TELLING, hopeless, needed
from wager.policy.risk_table import RiskTable
from wager.targets import ConfidenceTarget

__all__ = ["Certificate", "certify_joint", "certify_risk", "certify_target", "fewest"]

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]

BOUNDED = 16
"""Thresholds whose score is bounded, with shares 1/16, 2/16, ... of the answers above them."""
OF_COVERAGE, OF_RISK = 0.1, 0.4
"""Parts of delta behind the bounds of the coverage and of the risk; the rest shows that a score is above 0."""


def certify_risk(table: RiskTable, risk: float, delta: float = 0.1) -> Certificate:
    """The lowest threshold with P(wrong | answered) <= risk, with probability at least 1 - delta.

    Args:
        table: of graded answers; another level needs no other table.
        risk: alpha in (0, 1).
        delta: in (0, 1).

    Raises:
        UsageError: a level outside (0, 1).

    >>> from wager.policy.risk_table import risk_table
    >>> certify_risk(risk_table([0.9] * 60 + [0.3] * 40, [1] * 60 + [0] * 40), 0.1).threshold
    0.3
    """
    _within("the risk", risk)
    _within("delta", delta)
    n, wrong = np.asarray(table.n, dtype=np.intp), np.asarray(table.wrong, dtype=np.intp)
    places = passed(n, wrong, table.total, risk, delta)
    if not len(places):
        return _none("selective_risk", risk, delta, table, risk, delta, _best(n, wrong))
    at = int(places[-1])
    return Certificate(
        promise="selective_risk",
        level=risk,
        delta=delta,
        threshold=table.thresholds[at],
        coverage=_share(int(n[at]), table.total),
        observed=_share(int(wrong[at]), int(n[at])),
        bound=risk,
        n=table.total,
    )


def certify_target(table: RiskTable, target: float, delta: float = 0.1) -> Certificate:
    """The threshold with the best expected score at target t among those with a certified one, and a lower bound of that score.

    Score of a question: +1 right, -t/(1-t) wrong, 0 not answered; of a threshold with coverage c and risk r it is c (1 - r/(1-t)). At half
    of delta c and r are bounded by Clopper-Pearson for 16 thresholds, chosen by their counts; these bounds hold together. Where none of
    them is above 0, the other half may still show for some threshold that r < 1 - t, as `certify_risk` does: the score is then above 0,
    which never answering has for certain, and the bound is 0.

    Args:
        table, delta: as in `certify_risk`.
        target: t in [0, 1).
    """
    t = ConfidenceTarget(target)
    _within("delta", delta)
    n, wrong = np.asarray(table.n, dtype=np.intp), np.asarray(table.wrong, dtype=np.intp)
    if not len(n):
        return _none("expected_score", t.t, delta, table, 1 - t.t, delta, None)
    score = (n - wrong * (1 + t.penalty)) / table.total
    places, bounds = _bounded(n, wrong, table.total, t.penalty, delta)
    always = float(score[-1]) if n[-1] == table.total else None
    certified = np.flatnonzero(bounds > 0)
    at: int | None
    if len(certified):
        chosen = int(certified[np.argmax(score[places[certified]])])
        at, bound = int(places[chosen]), float(bounds[chosen])
    else:
        rest = delta * (1 - OF_COVERAGE - OF_RISK)
        at, bound = best_passed(n, wrong, table.total, 1 - t.t, rest, score) if t.t else None, 0.0
        if at is None:
            best = int(np.argmax(score))
            seen = Estimate(float(score[best]), n=int(n[best]))
            return _none("expected_score", t.t, delta, table, 1 - t.t, rest, seen, always)
    return Certificate(
        promise="expected_score",
        level=t.t,
        delta=delta,
        threshold=table.thresholds[at],
        coverage=_share(int(n[at]), table.total),
        observed=Estimate(float(score[at]), n=table.total),
        bound=bound,
        n=table.total,
        always=always,
    )


def _bounded(n: Ints, wrong: Ints, total: int, penalty: float, delta: float) -> tuple[Ints, Floats]:
    """Places of `BOUNDED` thresholds, and lower bounds of their scores that hold together."""
    wanted = np.linspace(0, total, BOUNDED + 1)[1:]
    places = np.unique(np.minimum(np.searchsorted(n, wanted), len(n) - 1))
    m, k = n[places], wrong[places]
    covered = beta.ppf(delta * OF_COVERAGE / len(places), m, total - m + 1)
    risky = np.where(k == m, 1.0, beta.ppf(1 - delta * OF_RISK / len(places), k + 1, np.maximum(m - k, 1)))
    gain = 1 - risky * (1 + penalty)
    return np.asarray(places, dtype=np.intp), np.where(gain > 0, covered, 1.0) * gain


def certify_joint(table: RiskTable, risk: float) -> Certificate:
    """The lowest threshold with P(answered and wrong) <= risk, on average over graded answers and new questions: the lowest from
    which on, strictest first, (wrong + 1) / (n + 1) <= risk.

    It promises nothing of the answers that are given: few of them may be answered, and most of those be wrong.

    Args:
        table: as in `certify_risk`.
        risk: alpha in (0, 1).
    """
    _within("the joint risk", risk)
    total = table.total
    fits = [place for place, wrong in enumerate(table.wrong) if (wrong + 1) / (total + 1) <= risk]
    if not fits:
        return _no_joint(table, risk)
    at = fits[-1]
    return Certificate(
        promise="joint_risk",
        level=risk,
        delta=None,
        threshold=table.thresholds[at],
        coverage=_share(table.n[at], total),
        observed=_share(table.wrong[at], total),
        bound=(table.wrong[at] + 1) / (total + 1),
        n=total,
    )


def _no_joint(table: RiskTable, risk: float) -> Certificate:
    """(0 + 1) / (n + 1) is too large, or the surest answers are tied and too many of them wrong."""
    few = table.total < 1 / risk - 1
    return _refused("joint_risk", risk, None, table, math.ceil(1 / risk - 1 - 1e-12) if few else None, not few, None)


def _within(what: str, value: float) -> None:
    if not 0 < value < 1:
        raise UsageError(f"{what} lies in (0, 1), got {value!r}")


def _share(part: int, whole: int) -> Estimate:
    if whole == 0:
        return Estimate(None, reason="no answers")
    return Estimate(part / whole, *wilson(part / whole, whole), whole)


def _best(n: Ints, wrong: Ints) -> Estimate | None:
    """The risk of the answers, of those that could certify at all, where it is smallest."""
    enough = n >= min(TELLING, n[-1]) if len(n) else np.zeros(0, dtype=bool)
    if not enough.any():
        return None
    at = int(np.flatnonzero(enough)[np.argmin(wrong[enough] / n[enough])])
    return _share(int(wrong[at]), int(n[at]))


def _none(
    promise: Promise,
    level: float,
    delta: float,
    table: RiskTable,
    risk: float,
    share: float,
    best: Estimate | None,
    always: float | None = None,
) -> Certificate:
    """For want of a threshold whose risk is shown to be below ``risk`` at level ``share``."""
    n, wrong = np.asarray(table.n, dtype=np.intp), np.asarray(table.wrong, dtype=np.intp)
    more = needed(n, wrong, table.total, risk, share) if risk < 1 else None
    return _refused(promise, level, delta, table, more, more is None and hopeless(n, wrong, table.total, risk), best, always)


def _refused(
    promise: Promise,
    level: float,
    delta: float | None,
    table: RiskTable,
    more: int | None,
    never: bool,
    best: Estimate | None,
    always: float | None = None,
) -> Certificate:
    return Certificate(
        promise=promise,
        level=level,
        delta=delta,
        threshold=None,
        coverage=Estimate(None, reason="nothing is certified"),
        observed=best or Estimate(None, reason="too few answers"),
        bound=None,
        n=table.total,
        always=always,
        needed=more if more is None or more > table.total else math.ceil(table.total * 1.05),
        hopeless=never,
    )
