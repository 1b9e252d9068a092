"""Venn-Abers: two isotonic fits for each answer, one as if it were wrong, one as if it were right (Vovk, Petej and Fedorova 2015).

If answers are exchangeable, one of the two, p0 and p1, is perfectly calibrated, whatever the confidences; how far they lie apart says how
much the calibrator knows there. arXiv 1511.00213.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.metrics.cells import Cells
from wager.metrics.corp import recalibrated
from wager.policy.entries import increasing, known_keys, numbers
from wager.policy.mapping import ConfidenceMap, fitted_value
from wager.policy.steps import Steps, runs, steps_of

__all__ = ["VennAbers"]

Floats = NDArray[np.float64]

SLACK = 1e-9
"""Depth, in answers, below which a point counts as on the line: rounding."""
WINDOW = 1024


@dataclass(frozen=True)
class VennAbers(ConfidenceMap):
    """Inductive Venn-Abers; `transform` merges the two as p1 / (1 - p0 + p1), which minimises the regret of log loss.

    p0 and p1 are kept as step functions: exact up to 128 steps each, merged beyond (see `wager.policy.steps.MOST`).
    """

    kind: ClassVar[str] = "venn_abers"
    if_wrong: Steps | None = None
    """p0 by confidence; None before it is fitted."""
    if_right: Steps | None = None
    """p1 by confidence."""

    def fit_cells(self, cells: Cells) -> Self:
        """See `ConfidenceMap.fit_cells`."""
        high = upper_values(cells.n, cells.right)
        low = np.maximum(1 - upper_values(cells.n[::-1], cells.wrong[::-1])[::-1], 0.0)
        starts, values = steps_of(cells.value, low, cells.n)
        # one more wrong answer pools with what is below it, so p0 holds from a level up to the next
        p0 = Steps(tuple(cells.value[starts].tolist()), (0.0, *values.tolist()))
        starts, values = steps_of(cells.value, high, cells.n)
        ends = np.append(starts[1:], len(cells.value)) - 1
        p1 = Steps(tuple(cells.value[ends].tolist()), (*values.tolist(), 1.0), upper=True)
        return type(self)(p0, p1)

    def interval(self, confidence: ArrayLike) -> tuple[Floats, Floats]:
        """(p0, p1), each of shape (N,): the probabilities of being right if this answer joined the graded ones as wrong, and as right.

        Raises:
            DataError, UsageError: as `transform`.
        """
        sure = np.asarray(confidence, dtype=np.float64)
        self.transform(sure)
        low, high = (steps.curve(sure) for steps in self._read())
        return np.minimum(low, high), np.maximum(low, high)  # merged steps can cross, by less than they moved

    def _read(self) -> tuple[Steps, Steps]:
        fitted_value(None if self.if_wrong is None or self.if_right is None else 0.0, self.kind)
        assert self.if_wrong is not None  # noqa: S101  # the line above raised
        assert self.if_right is not None  # noqa: S101
        return self.if_wrong, self.if_right

    def curve(self, sure: Floats) -> Floats:
        """See `ConfidenceMap.curve`."""
        low, high = (steps.curve(sure) for steps in self._read())
        return np.asarray(high / (1 - low + high))

    def point(self, sure: float) -> float:
        """See `ConfidenceMap.point`."""
        low, high = (steps.point(sure) for steps in self._read())
        return high / (1 - low + high)

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML values."""
        low, high = self._read()
        named = {"low_edges": low.edges, "low_values": low.values, "high_edges": high.edges, "high_values": high.values}
        return {"kind": self.kind, **{key: list(found) for key, found in named.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote; DataError names the key that is wrong."""
        known_keys(values, ("kind", "low_edges", "low_values", "high_edges", "high_values"), cls.kind)
        made = []
        for name in ("low", "high"):
            key = f"{name}_edges"
            edges = increasing(numbers(values, key, cls.kind, low=0, high=1), key, cls.kind, strictly=True)
            key = f"{name}_values"
            found = numbers(values, key, cls.kind, length=len(edges) + 1, low=0, high=1)
            made.append(Steps(edges, increasing(found, key, cls.kind), upper=name == "high"))
        return cls(*made)


def upper_values(n: ArrayLike, right: ArrayLike) -> Floats:
    """p1 of each level: its isotonic accuracy if one more right answer had it, shape (K,), exactly.

    The answers are points (answers so far, credit so far), level by level. One more right answer at level i moves the points from i on by
    (1, 1), and p1 is the slope of the line that touches both halves from below. Going up, the line of a level stays until a point of the
    lower half falls below it (Vovk et al. 2015, Algorithm 2), so there are as many lines as steps. The points that a line can touch on
    the right are those of the same pooled block and the corners of the convex hull behind it: about K log K in all, where the plain
    algorithm looks at all the rest.

    Args:
        n, right: shape (K,), answers and their credit by increasing confidence; no level is empty.
    """
    count, good = np.asarray(n, dtype=np.float64), np.asarray(right, dtype=np.float64)
    size = len(count)
    x, y = np.concatenate(([0.0], np.cumsum(count))), np.concatenate(([0.0], np.cumsum(good)))
    corners = np.append(runs(recalibrated(count, good))[1:], size)
    found, at = np.empty(size), 0
    while at < size:
        behind = corners[np.searchsorted(corners, at, side="right") :]
        first = int(behind[0]) + 1
        slope = float(((y[at + 1 : first] + 1 - y[at]) / (x[at + 1 : first] + 1 - x[at])).min())
        if len(behind) > 1:
            slope = min(slope, float(((y[behind] + 1 - y[at]) / (x[behind] + 1 - x[at])).min()))
        after = _first_below(x, y, at, slope)
        found[at:after] = slope
        at = after
    return np.asarray(np.maximum.accumulate(found))


def _first_below(x: Floats, y: Floats, at: int, slope: float) -> int:
    """The first point after ``at`` and before the last that lies below the line through it; the last, if none does."""
    start, width, last = at + 1, WINDOW, len(x) - 1
    while start < last:
        end = min(start + width, last)
        below = y[start:end] - y[at] < slope * (x[start:end] - x[at]) - SLACK
        if below.any():
            return start + int(below.argmax())
        start, width = end, 2 * width
    return last
