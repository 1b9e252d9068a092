"""The score of graded answers at one target, and what it is compared with: always answering, and a perfect oracle.

Always abstaining, the third baseline, scores 0 at every target.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from wager.metrics.intervals import mean_estimate, rate_estimate
from wager.metrics.results import Estimate
from wager.scoring import payoff
from wager.targets import ConfidenceTarget

__all__ = ["always_answer", "oracle", "score_at"]


def score_at(
    credit: ArrayLike,
    answered: ArrayLike,
    target: ConfidenceTarget | float,
    *,
    clusters: ArrayLike | None = None,
    n_excluded: int = 0,
    empty: str = "no answer or abstention",
) -> Estimate:
    """Mean payoff of graded answers at one target, in [-t/(1-t), 1]; unit: one correct answer; higher is better.

    Args:
        credit, answered: shape (N,), as in `wager.scoring.payoff`; answers and abstentions only.
        target: t in [0, 1).
        clusters: shape (N,), labels of what is independent.
        n_excluded: answers without a verdict, carried into the result.
        empty: the reason if there is nothing to score.

    Raises:
        DataError, TargetError: as in `wager.scoring.payoff`.

    >>> score_at([1, 0, 0], [True, True, False], 0.5).value
    0.0

    Reference: Kalai et al. (2025), arXiv 2509.04664, sec. 4.2.
    """
    goal = target if isinstance(target, ConfidenceTarget) else ConfidenceTarget(target)
    points = payoff(credit, answered, goal)
    return mean_estimate(points, bounds=(-goal.penalty, 1.0), clusters=clusters, n_excluded=n_excluded, empty=empty)


def always_answer(
    credit: ArrayLike, target: ConfidenceTarget | float, *, clusters: ArrayLike | None = None, n_excluded: int = 0
) -> Estimate:
    """Score of a model that answers everything: ``(a - t) / (1 - t)``, a the mean credit of its forced answers.

    Args:
        credit: shape (N,), in [0, 1], of answers that the model was made to give; what it would not answer is left out, not wrong.
        target, clusters, n_excluded: as in `score_at`.

    >>> always_answer([1, 1, 0, 1], 0.5).value
    0.5
    """
    worth = np.asarray(credit, dtype=np.float64)
    everything = np.ones(worth.shape, dtype=bool)
    return score_at(worth, everything, target, clusters=clusters, n_excluded=n_excluded, empty="no answers to go by")


def oracle(credit: ArrayLike, target: ConfidenceTarget | float, *, clusters: ArrayLike | None = None, n_excluded: int = 0) -> Estimate:
    """Score of a model that answers exactly what it would get right; the most that knowing its own knowledge can bring, in [0, 1].

    With credits of 0 and 1 this is their mean at every target. An answer of partial credit is given where that pays.

    Args:
        credit, target, clusters, n_excluded: as in `always_answer`.

    >>> oracle([1, 1, 0, 1], 0.9).value
    0.75
    """
    worth = np.asarray(credit, dtype=np.float64)
    gain = np.maximum(payoff(worth, np.ones(worth.shape, dtype=bool), target), 0.0)
    return rate_estimate(gain, clusters=clusters, n_excluded=n_excluded, empty="no answers to go by")
