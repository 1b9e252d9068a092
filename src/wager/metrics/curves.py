"""The score over all targets: of fixed acts (closed rubric), and of the rule "answer iff confidence > t" (threshold simulation)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.metrics.intervals import mean_estimate
from wager.metrics.results import Estimate
from wager.scoring import payoff
from wager.targets import ConfidenceTarget

__all__ = ["Tie", "acts_at", "score_at", "score_by_confidence"]

Tie = Literal["strict", "weak"]
"""``strict``: answer iff confidence > t, as the instruction says. ``weak``: iff confidence >= t."""


def score_at(
    credit: ArrayLike, answered: ArrayLike, target: ConfidenceTarget | float, *, clusters: ArrayLike | None = None, n_excluded: int = 0
) -> Estimate:
    """Mean payoff of graded answers at one target, in [-t/(1-t), 1].

    Args:
        credit, answered: shape (N,), as in `wager.scoring.payoff`; answers and abstentions only.
        target: t in [0, 1).
        clusters: shape (N,), labels of what is independent.
        n_excluded: answers without a verdict, carried into the result.
    """
    goal = target if isinstance(target, ConfidenceTarget) else ConfidenceTarget(target)
    points = payoff(credit, answered, goal)
    return mean_estimate(points, bounds=(-goal.penalty, 1.0), clusters=clusters, n_excluded=n_excluded, empty="no answer or abstention")


def acts_at(confidence: ArrayLike, target: float, *, tie: Tie = "strict") -> NDArray[np.bool_]:
    """Whether the rule answers, shape (N,)."""
    sure = np.asarray(confidence, dtype=np.float64)
    return np.asarray(sure > target if tie == "strict" else sure >= target)


def score_by_confidence(
    credit: ArrayLike,
    confidence: ArrayLike,
    targets: Sequence[float],
    *,
    tie: Tie = "strict",
    clusters: ArrayLike | None = None,
    n_excluded: int = 0,
) -> dict[str, Estimate]:
    """By target: mean payoff of "answer iff confidence > t" on answers that were all given.

    It says what acting on this confidence would have scored, not what the model does when it is told the target.

    Args:
        credit: shape (N,), in [0, 1].
        confidence: shape (N,), in [0, 1].
        targets: each in [0, 1).
        tie, clusters, n_excluded: as above.
    """
    return {
        str(ConfidenceTarget(t)): score_at(credit, acts_at(confidence, t, tie=tie), t, clusters=clusters, n_excluded=n_excluded)
        for t in targets
    }
