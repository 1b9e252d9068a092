"""Does a calibrator still hold? One test on new graded answers, and how large the difference is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, chndtrinc

from wager.errors import DataError
from wager.metrics.intervals import mean_estimate
from wager.metrics.results import Estimate
from wager.policy.calibration import Calibration
from wager.policy.calibrators import Categorical
from wager.policy.folding import graded
from wager.policy.recalibration import Recalibration, noncentrality, recalibration, score_test, slope_of

__all__ = ["Drift", "check"]

LEVEL = 0.05
"""Of the one test."""
SHIFT, POWER = 0.05, 0.8
"""A check can tell if a shift of 5 points would be seen with this probability."""
MOST = 10**9

Verdict = Literal["holds", "drifted", "cannot tell"]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What new answers say of a calibrator."""

    verdict: Verdict
    """``drifted`` if the test rejects at 5 %; ``holds`` if it does not, and would have seen a shift of 5 points in 4 of 5 cases; else
    ``cannot tell``."""
    sentence: str
    """The same in words, with the figures."""
    p_value: float | None
    """Of "calibrated probabilities are true": intercept 0 and slope 1; None with too few items."""
    gap: Estimate
    """Mean of calibrated probability minus credit, in percentage points; positive is overconfident."""
    slope: Estimate
    """Of the logistic recalibration: below 1 probabilities are too far from one half, above 1 too close."""
    excess_log_loss: float | None
    """Log loss in nats per answer that recalibrating by that line would save, less what it saves by chance; may be negative."""
    n: int
    """New answers used."""
    n_unseen: int
    """New answers left out: a ``categorical`` calibrator has no value for their confidence."""
    n_needed: int | None
    """New answers like these that would show a shift of 5 points in 4 of 5 cases; None if no number does, as the calibrator itself came
    from too few."""


def check(calibration: Calibration, confidence: ArrayLike, correct: ArrayLike, *, clusters: ArrayLike | None = None) -> Drift:
    """Tests a calibrator on new graded answers of its source and model.

    Assumes that the answers are new: those it was fitted on always agree with it. The test is one: Rao's score test that intercept and
    slope of the logistic recalibration (Cox 1958) are 0 and 1, at 5 %; with clusters, Hotelling's on their sums. It allows for the
    sampling error of the answers that the calibrator was fitted on. It does not see departures that leave the line straight.
    An ``isotonic`` calibrator from a few hundred answers is overfitted from the start, and the check says so on answers that are no
    different. Look once:
    a check after every batch rejects more often than in 1 of 20 cases.

    Args:
        calibration: what is checked.
        confidence: shape (N,), of the same source and model, in [0, 1].
        correct: shape (N,), credit in [0, 1].
        clusters: shape (N,), items; None: every answer is independent.

    Raises:
        DataError: no answers, shapes differ, or a value is outside [0, 1] or NaN.
    """
    answers = graded(confidence, correct, clusters)
    calibrator = calibration.calibrator
    known = calibrator.knows(answers.confidence) if isinstance(calibrator, Categorical) else np.ones(len(answers.order), dtype=bool)
    unseen, answers = int((~known).sum()), answers.where(known)
    if not len(answers.order):
        raise DataError(f"no new answers to check by{f'; {unseen} have a confidence that the calibrator has not seen' if unseen else ''}")
    if answers.clusters is not None and len(np.unique(answers.clusters)) == len(answers.order):
        answers = graded(answers.confidence, answers.correct)
    p = calibrator.transform(answers.confidence)
    found = recalibration(p, answers.correct, answers.clusters)
    p_value = score_test(found, calibration.spread)
    needed = _needed(found, calibration.spread)
    gap = mean_estimate(100 * (p - answers.correct), clusters=answers.clusters, bounds=(-100.0, 100.0), n_excluded=unseen)
    slope, excess = slope_of(p, answers.correct, answers.clusters)
    verdict = _verdict(p_value, found.n, needed)
    return Drift(
        verdict=verdict,
        sentence=_sentence(verdict, gap, p_value, needed),
        p_value=p_value if math.isfinite(p_value) else None,
        gap=gap,
        slope=slope,
        excess_log_loss=excess,
        n=found.n,
        n_unseen=unseen,
        n_needed=needed,
    )


def _verdict(p_value: float, n: int, needed: int | None) -> Verdict:
    if not math.isfinite(p_value):
        return "cannot tell"
    if p_value < LEVEL:
        return "drifted"
    return "holds" if needed is not None and needed <= n else "cannot tell"


def _needed(found: Recalibration, spread: tuple[float, float, float]) -> int | None:
    """The smallest number of answers with which the test sees `SHIFT` with `POWER`, by bisection."""
    rank = 2 if np.linalg.cond(found.information) < 1 / 1e-10 else 1
    goal = float(chndtrinc(chdtri(rank, LEVEL), rank, 1 - POWER))

    def enough(n: int) -> bool:
        return noncentrality(found, n, SHIFT, spread) >= goal

    if not enough(MOST):
        return None
    low, high = 0, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _sentence(verdict: Verdict, gap: Estimate, p_value: float, needed: int | None) -> str:
    assert gap.value is not None  # noqa: S101  # there are answers
    where = f"{abs(gap.value):.1f} points {'above' if gap.value >= 0 else 'below'} the share of right answers"
    interval = "" if gap.low is None or gap.high is None else f"95 % interval {gap.low:+.1f} to {gap.high:+.1f}, "
    shown = f"p = {p_value:.2g}" if math.isfinite(p_value) else "no test: too few items"
    seen = f"on {gap.n:,} new answers the calibrated confidence is {where} ({interval}{shown})"
    if verdict == "drifted":
        return f"drifted: {seen}; fit it again on new answers"
    if verdict == "holds":
        return f"holds: {seen}"
    why = "the calibrator itself came from too few" if needed is None else f"about {needed:,} are needed"
    return f"cannot tell: {seen}, and {why} to see a shift of 5 points"
