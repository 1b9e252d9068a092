"""Why tests teach bluffing: under graders that pay 1 or 0 and pay nothing for "I don't know", abstaining is never the best reply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wager.errors import DataError

__all__ = ["BestReply", "observation_1"]


@dataclass(frozen=True)
class BestReply:
    """What to answer when the grader is not known for certain."""

    replies: tuple[int, ...]
    """Numbers of the responses with the highest expected grade; none of them abstains."""
    expected: float
    """Their expected grade, in (0, 1]."""
    loss: float
    """What abstaining loses, in expected grade; abstaining itself is worth 0, as a wrong answer is."""


def observation_1(belief: ArrayLike, graders: ArrayLike, abstains: ArrayLike) -> BestReply:
    """The best replies under any belief over binary graders; an abstaining one is never among them.

    Assumes: every grader gives each response 0 or 1, both values occur (some response is right), and every abstention gets 0. No model,
    no calibration, no training. It does not say that abstaining is worse than a wrong answer: both get 0. A grader that takes points off
    for errors is not binary, and there abstaining can be best.

    `belief`: (G,) probabilities that sum to 1; `graders`: (G, R) of 0 and 1, the grade of each response; `abstains`: (R,) booleans.
    Raises DataError for a grader that is not binary, pays an abstention, or pays nothing at all.

    >>> observation_1([0.7, 0.3], [[1, 0, 0], [0, 1, 0]], [False, False, True])
    BestReply(replies=(0,), expected=0.7, loss=0.7)

    Source: Kalai et al. (2025), Observation 1 (sec. 4.1, app. E).
    """
    rho, grades, silent = np.asarray(belief, dtype=np.float64), np.asarray(graders, dtype=np.float64), np.asarray(abstains, dtype=np.bool_)
    if rho.ndim != 1 or grades.shape != (len(rho), len(silent)) or not len(silent):
        raise DataError(f"graders must be of shape (graders, responses) = ({len(rho)}, {silent.size}); it is {grades.shape}")
    if not np.all(rho >= 0) or abs(rho.sum() - 1) > 1e-9:
        raise DataError(f"belief must hold probabilities that sum to 1; they sum to {rho.sum():g}")
    if not np.all((grades == 0) | (grades == 1)):
        raise DataError("a binary grader gives 0 or 1; see wager.scoring for grades that take points off")
    if grades[:, silent].any() or not grades.any(axis=1).all():
        raise DataError("a binary grader gives 0 to every abstention and 1 to at least one response")
    expected = rho @ grades
    best = float(expected.max())
    return BestReply(tuple(int(i) for i in np.flatnonzero(expected >= best - 1e-12)), best, best)
