"""The payoff: the one place where a confidence target turns into points. Evaluations, rewards and policies all call it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError
from wager.targets import ConfidenceTarget

__all__ = ["payoff"]


def payoff(credit: ArrayLike, answered: ArrayLike, target: ConfidenceTarget | float) -> NDArray[np.float64]:
    """Points of each graded answer at a confidence target.

    Formula: ``(credit - t) / (1 - t)`` if answered, else 0. With credit 1 that is +1, with credit 0 it is ``-t / (1 - t)``.

    Args:
        credit: shape (N,), in [0, 1]; ignored (and may be NaN) where not answered.
        answered: shape (N,), bool; False is an abstention. What is neither (unparsed, failed, ungraded) has no payoff:
            leave it out before calling and count it.
        target: t in [0, 1).

    Returns:
        Points, shape (N,), in [-t / (1 - t), 1]; unit: one correct answer.

    Raises:
        DataError: the shapes differ, or an answered credit is outside [0, 1] or NaN.
        TargetError: t outside [0, 1).

    >>> payoff([1, 0, 0], [True, True, False], 0.75).tolist()
    [1.0, -3.0, 0.0]

    Reference: Kalai et al. (2025), arXiv 2509.04664, sec. 4.2.
    """
    target = target if isinstance(target, ConfidenceTarget) else ConfidenceTarget(target)
    taken: NDArray[np.bool_] = np.asarray(answered, dtype=bool)
    worth: NDArray[np.float64] = np.asarray(credit, dtype=np.float64)
    if taken.shape != worth.shape:
        raise DataError(f"credit has shape {worth.shape}, answered has shape {taken.shape}; they describe the same answers")
    used: NDArray[Any] = worth[taken]
    if used.size and not bool(np.all((used >= 0) & (used <= 1))):
        raise DataError("the credit of an answered item lies in [0, 1]; leave ungraded answers out and count them")
    points = np.zeros(worth.shape)
    points[taken] = used - (1 - used) * target.penalty
    return points
