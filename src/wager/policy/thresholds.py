"""From which confidence on may a model answer? Thresholds with a promise that holds for new questions like the graded ones.

- **Selective risk**: P(wrong | answered) <= alpha with probability at least 1 - delta. Exact binomial tests in a fixed sequence, from the
  strictest threshold down, each at the full delta, until the first that fails (Learn then Test, Angelopoulos et al. 2021, arXiv
  2110.01052).
- **Expected score** at target t: a lower bound that holds with probability at least 1 - delta, after the best threshold was chosen.
- **Joint risk**: P(answered and wrong) <= alpha, in expectation: conformal risk control (Angelopoulos et al. 2022, arXiv 2208.02814).

All assume that new questions are exchangeable with the graded ones: drawn alike, answered by the same model in the same way. None says
anything of one answer. The thresholds tested are chosen by how many answers lie above them and never by what is right.

Where the sequence starts, and which thresholds it takes: a binomial test wastes part of delta unless the number of answers is just large
enough for one more mistake; so for 0, 1, 2, ... mistakes the first threshold with enough answers is tested. It starts where a fifteenth
of the answers lie above, which a few mistakes at the top cannot end, but not beyond four times the fewest answers that could certify
anything. With a few levels only (words, rounded numbers) there are two starts, each with half of delta. The test of each threshold is
exact; that of the first bad one in the sequence is too where the risk of the answers added from there on is above alpha, as with any
confidence that orders answers at all. In simulations in which it does not (risks that rise and fall) the promise held as well
(`benchmarks/thresholds.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from wager.errors import UsageError
from wager.metrics.intervals import wilson
from wager.metrics.results import Estimate
from wager.policy.risk_table import RiskTable
from wager.targets import ConfidenceTarget

__all__ = ["Certificate", "certify_joint", "certify_risk", "certify_target", "fewest"]

Promise = Literal["selective_risk", "expected_score", "joint_risk"]
Ints = NDArray[np.intp]

START = 1 / 15
"""Share of the answers above the first threshold of the sequence."""
AT_MOST = 4.0
"""It is no more than so many times the fewest answers that could certify."""
COARSE, AMPLE = 50, 5
"""With at most so many thresholds, and five times the answers of that second start, delta is shared between the two: a few levels
leave no other chance after one unlucky test."""
BOUNDED = 32
"""Thresholds among which the one with the best score is looked for; each bound holds at delta / 32."""
MOST = 10**5
"""Answers beyond which "how many more" is not worth saying."""
LIKELY = 0.8
"""Probability of success behind "how many more"."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A threshold and what it promises, or why there is none."""

    promise: Promise
    """Which quantity."""
    level: float
    """The risk alpha in (0, 1), or the target t in [0, 1)."""
    delta: float | None
    """Probability, over the graded answers, that the promise does not hold; None for a joint risk, which is promised on average."""
    threshold: float | None
    """Answer iff the raw confidence is above; None if nothing could be certified."""
    coverage: Estimate
    """Share of the graded answers above it."""
    observed: Estimate
    """The risk, or the score, of the graded answers there; without a threshold that of the best one."""
    bound: float | None
    """What is certified: an upper bound of the risk, or a lower bound of the score, at the same delta."""
    n: int
    """Graded answers."""
    always: float | None = None
    """Score of always answering, for an expected score."""
    needed: int | None = None
    """Graded answers in all that would probably certify something, were the risks those seen here; None where it would take none, or no
    number helps."""

    @property
    def sentence(self) -> str:
        """The promise in plain words, or why there is none."""
        return _refusal(self) if self.threshold is None else _promise(self)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; what is unknown is null."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("coverage", "observed"):
            one: Estimate = values[name]
            values[name] = {"value": one.value, "low": one.low, "high": one.high}
        return values | {"sentence": self.sentence}


def fewest(risk: float, delta: float) -> int:
    """Answers without a mistake that certify a risk: the smallest n with (1 - risk)^n <= delta.

    >>> fewest(0.1, 0.05)
    29
    """
    return math.ceil(math.log(delta) / math.log1p(-risk) - 1e-12)


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
    places = _sequence(n, table.total, risk, delta)
    chosen = _last_passed(binom.cdf(wrong[places], n[places], risk), _budgets(n[places], table.total, len(n), risk, delta))
    if chosen is None:
        return _none("selective_risk", risk, delta, table, _needed(n, wrong, table.total, risk, delta), _best(n, wrong, risk))
    at = int(places[chosen])
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
    """The threshold with the best expected score at target t, and a lower bound of that score.

    Score of a question: +1 right, -t/(1-t) wrong, 0 not answered; of a threshold with coverage c and risk r it is c (1 - r/(1-t)). Both
    are bounded by Clopper-Pearson at delta / (2 B), so the bounds of B = 32 thresholds, chosen by their counts, hold together. Certified
    is a bound above 0, which always abstaining has for certain.

    Args:
        table, delta: as in `certify_risk`.
        target: t in [0, 1).
    """
    t = ConfidenceTarget(target)
    _within("delta", delta)
    n, wrong = np.asarray(table.n, dtype=np.intp), np.asarray(table.wrong, dtype=np.intp)
    if not len(n):
        return _none("expected_score", t.t, delta, table, None, None)
    wanted = np.linspace(0, table.total, BOUNDED + 1)[1:]
    places = np.unique(np.minimum(np.searchsorted(n, wanted), len(n) - 1))
    share = delta / (2 * len(places))
    score = (n - wrong * (1 + t.penalty))[places] / table.total
    covered = beta.ppf(share, n[places], table.total - n[places] + 1)
    risky = beta.ppf(1 - share, wrong[places] + 1, np.maximum(n[places] - wrong[places], 1e-12))
    risky = np.where(wrong[places] == n[places], 1.0, risky)
    gain = 1 - risky * (1 + t.penalty)
    bound = np.where(gain > 0, covered, 1.0) * gain
    always = float((n[-1] - wrong[-1] * (1 + t.penalty)) / table.total) if n[-1] == table.total else None
    certified = np.flatnonzero(bound > 0)
    if not len(certified):
        best = int(places[np.argmax(score)])
        needed = _needed(n, wrong, table.total, 1 - t.t, share)
        return _none("expected_score", t.t, delta, table, needed, Estimate(float(score.max()), n=int(n[best])), always)
    chosen = int(certified[np.argmax(score[certified])])
    at = int(places[chosen])
    return Certificate(
        promise="expected_score",
        level=t.t,
        delta=delta,
        threshold=table.thresholds[at],
        coverage=_share(int(n[at]), table.total),
        observed=Estimate(float(score[chosen]), n=table.total),
        bound=float(bound[chosen]),
        n=table.total,
        always=always,
    )


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
        return _none("joint_risk", risk, None, table, math.ceil(1 / risk) - 1 if total < 1 / risk - 1 else None, None)
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


def _within(what: str, value: float) -> None:
    if not 0 < value < 1:
        raise UsageError(f"{what} lies in (0, 1), got {value!r}")


def _sequence(n: Ints, total: int, risk: float, delta: float) -> Ints:
    """Places in the table of the thresholds that are tested, in order."""
    if not len(n):
        return np.zeros(0, dtype=np.intp)
    most = int(n[-1])
    sizes = _sizes(1 << most.bit_length(), risk, delta)
    sizes = sizes[sizes <= most]
    start = min(AT_MOST * math.log(delta) / math.log1p(-risk), max(START * total, float(sizes[1]) if len(sizes) > 1 else 0.0))
    found = np.searchsorted(n, sizes[sizes >= start])
    return np.unique(np.append(found[found < len(n)], len(n) - 1))


def _budgets(n: Ints, total: int, rows: int, risk: float, delta: float) -> NDArray[np.float64]:
    """What part of delta each test of the sequence begins with; what a passed test has goes on to the next (fallback procedure)."""
    budgets = np.zeros(len(n))
    if not len(n):
        return budgets
    second = int(np.searchsorted(n, AT_MOST * math.log(delta) / math.log1p(-risk)))
    if rows <= COARSE and 0 < second < len(n) and AT_MOST * fewest(risk, delta) * AMPLE <= total:
        budgets[[0, second]] = delta / 2
    else:
        budgets[0] = delta
    return budgets


def _last_passed(p_values: NDArray[np.float64], budgets: NDArray[np.float64]) -> int | None:
    """The last test that is passed with what it has; a failed one passes nothing on."""
    found, carried = None, 0.0
    for place, (p_value, own) in enumerate(zip(p_values.tolist(), budgets.tolist(), strict=True)):
        carried += own
        if carried and p_value <= carried:
            found = place
        else:
            carried = 0.0
    return found


@lru_cache(maxsize=64)
def _sizes(most: int, risk: float, delta: float) -> Ints:
    """For 0, 1, 2, ... mistakes the fewest answers that certify with them, up to ``most``: where P(Bin(m, risk) <= k) <= delta.

    Beyond a thousand mistakes every hundredth more is taken.
    """
    k = np.arange(1001, dtype=np.float64)
    step = 1.01
    while k[-1] < most * risk * 1.5:
        k = np.append(k, np.ceil(k[-1] * step))
    # P(Bin(m, p) <= k) <= delta iff the (1 - delta) quantile of Beta(k + 1, m - k) is at most p: bisection on m, all k at once
    low, high = k + 1, np.ceil((k + 10) / risk * 4 + fewest(risk, delta))
    while np.any(low < high):
        middle = np.floor((low + high) / 2)
        enough = binom.cdf(k, middle, risk) <= delta
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return np.asarray(low[low <= most], dtype=np.intp)


def _share(part: int, whole: int) -> Estimate:
    if whole == 0:
        return Estimate(None, reason="no answers")
    return Estimate(part / whole, *wilson(part / whole, whole), whole)


def _best(n: Ints, wrong: Ints, risk: float) -> Estimate | None:
    """The risk of the answers, of those that could certify at all, where it is smallest."""
    enough = n >= min(20, n[-1]) if len(n) else np.zeros(0, dtype=bool)
    if not enough.any():
        return None
    at = int(np.flatnonzero(enough)[np.argmin(wrong[enough] / n[enough])])
    return _share(int(wrong[at]), int(n[at]))


def _needed(n: Ints, wrong: Ints, total: int, risk: float, delta: float) -> int | None:
    """Graded answers with which some threshold would be certified with probability 0.8, if its risk is the one seen (with one mistake and
    one answer added, since the smallest of many risks is too small); the fewest over thresholds with at least 20 answers."""
    rate, share = (wrong + 1) / (n + 1), n / total
    chosen = np.flatnonzero((n >= 20) & (rate < risk))
    # the number falls with the distance of the risk from its limit: the most promising first, so that the others are left early
    chosen = chosen[np.argsort(-share[chosen] * (risk - rate[chosen]) ** 2)][:40]
    sizes = np.unique(np.ceil(fewest(risk, delta) * 1.05 ** np.arange(math.log(MOST) / math.log(1.05))))
    most = binom.ppf(delta, sizes, risk)
    most -= binom.cdf(most, sizes, risk) > delta
    best = float(MOST)
    for place in chosen:
        tried = sizes < best * share[place]
        likely = np.flatnonzero(binom.cdf(most[tried], sizes[tried], rate[place]) >= LIKELY)
        if len(likely):
            best = float(sizes[likely[0]] / share[place])
    return math.ceil(best) if best < MOST else None


def _none(
    promise: Promise,
    level: float,
    delta: float | None,
    table: RiskTable,
    needed: int | None,
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
        needed=needed if needed is None or needed > table.total else math.ceil(table.total * 1.05),
    )


LIKE_THESE = "if new questions are exchangeable with the graded ones (drawn alike, answered by the same model in the same way)"


def _promise(made: Certificate) -> str:
    lead, covered = f"Answer where the confidence is above {made.threshold:.4g}:", _percent(made.coverage.value)
    if made.promise == "selective_risk":
        sure = f"with probability {_percent(1 - (made.delta or 0))} at most {_percent(made.level)} of the answers given are wrong"
        seen = f"{_percent(made.observed.value)} of the {made.observed.n:,} graded answers above it"
        return f"{lead} {sure}, {LIKE_THESE}. It answers {covered} of the questions; {seen} were wrong."
    if made.promise == "expected_score":
        sure = f"with probability {_percent(1 - (made.delta or 0))} it scores at least {made.bound:+.3f} a question at t={made.level:g}"
        rest = "" if made.always is None else f", where always answering scored {made.always:+.3f} and never answering scores 0"
        seen = f"It answers {covered} of the questions and scored {made.observed.value:+.3f} here"
        return f"{lead} {sure}, {LIKE_THESE}. {seen}{rest}."
    sure = f"on average at most {_percent(made.level)} of all questions get a wrong answer"
    warn = "This says nothing of how many of the given answers are wrong"
    return f"{lead} {sure}, {LIKE_THESE}. It answers {covered} of the questions. {warn}."


def _refusal(made: Certificate) -> str:
    what = {
        "selective_risk": f"that at most {_percent(made.level)} of the answers given are wrong",
        "expected_score": f"a score above 0 at t={made.level:g}",
        "joint_risk": f"that at most {_percent(made.level)} of all questions get a wrong answer",
    }[made.promise]
    head = f"Nothing can be promised: {made.n:,} graded answers do not show {what} above any threshold."
    if made.needed is not None:
        more = f"{made.needed - made.n:,} more"
        return f"{head} About {made.needed:,} graded answers would probably do, if the risks are those seen here: {more}."
    return f"{head} No number of answers like these would: the confidence does not set enough right answers apart."


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3g} %"
