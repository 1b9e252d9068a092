"""Step functions of a confidence: small enough to be written into a policy, exact up to 128 steps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST", "Steps", "steps_of"]

Floats = NDArray[np.float64]

MOST = 128
"""Steps kept. More are merged where they fall into the same piece of arcsin(sqrt(p)), a scale on which every share is known equally well:
its range is cut into 128 equal pieces, or as many times two as leave at most 128 steps. No value moves by more than 0.013 near one half,
or 0.004 near 0.98."""


@dataclass(frozen=True)
class Steps:
    """A step function that never falls."""

    edges: tuple[float, ...]
    """Confidences at which it changes, increasing, shape (E,)."""
    values: tuple[float, ...]
    """Its values, shape (E + 1,)."""
    upper: bool = False
    """Whether an edge itself belongs to the step below it; if not, to the one above."""

    def curve(self, sure: Floats) -> Floats:
        """Values at confidences, shape (N,) to (N,)."""
        place = np.searchsorted(np.array(self.edges), sure, side="left" if self.upper else "right")
        return np.asarray(np.array(self.values)[place])

    def point(self, sure: float) -> float:
        """The value at one confidence."""
        return self.values[(bisect_left if self.upper else bisect_right)(self.edges, sure)]


def runs(values: NDArray[np.generic]) -> NDArray[np.intp]:
    """Where runs of equal values start, shape (R,)."""
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))


def steps_of(level: Floats, fitted: Floats, n: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Merges the fitted values of levels into at most `MOST` steps: the first level of each, and its value, the mean over its answers.

    Args:
        level: shape (K,), increasing confidences.
        fitted: shape (K,), never falling.
        n: shape (K,), answers of each.
    """
    starts = runs(fitted)
    if len(starts) <= MOST:
        return starts, fitted[starts]
    angle = np.arcsin(np.sqrt(fitted))
    share = (angle - angle[0]) / (angle[-1] - angle[0])
    grid, tried = MOST, _shared(share, MOST)
    while len(tried) <= MOST:
        starts, grid, tried = tried, 2 * grid, _shared(share, 2 * grid)
    return starts, np.add.reduceat(fitted * n, starts) / np.add.reduceat(n, starts)


def _shared(share: Floats, grid: int) -> NDArray[np.intp]:
    return runs(np.minimum((share * grid).astype(np.intp), grid - 1))
