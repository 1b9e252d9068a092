"""Calibrators that assume an order and no shape: isotonic regression, and one value for each level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError
from wager.metrics.cells import Cells
from wager.metrics.corp import recalibrated
from wager.policy.entries import increasing, known_keys, numbers
from wager.policy.mapping import ConfidenceMap, fitted_value
from wager.policy.steps import Steps, runs, steps_of

__all__ = ["Categorical", "Isotonic"]

Floats = NDArray[np.float64]

SAME = 1e-9
"""Levels closer than this are one (0.1 * 3 and 0.3)."""
PRIOR = 2.0
"""Answers that the prior of a level is worth."""


@dataclass(frozen=True)
class Isotonic(ConfidenceMap):
    """The never-falling step function of least squares (pool adjacent violators, ties pooled first; Zadrozny and Elkan 2002).

    A step reaches from its smallest seen confidence to the next step's: between the two, the lower value counts. Where the lowest or
    the highest step holds only wrong or only right answers, it gets (right + 1/2) / (n + 1) instead of 0 or 1, and joins its neighbour
    if that turned the order round: k answers never make certain. More than 128 steps are merged (see `wager.policy.steps.MOST`).
    """

    kind: ClassVar[str] = "isotonic"
    steps: Steps | None = None
    """None before it is fitted."""

    def fit_cells(self, cells: Cells) -> Self:
        """See `ConfidenceMap.fit_cells`."""
        starts = _blocks(cells)
        n = np.add.reduceat(cells.n, starts)
        value = _softened(n, np.add.reduceat(cells.right, starts))
        level = cells.value[starts]
        kept, values = steps_of(level, value, n)
        return type(self)(Steps(tuple(level[kept[1:]].tolist()), tuple(values.tolist())))

    def _read(self) -> Steps:
        fitted_value(None if self.steps is None else 0.0, self.kind)
        assert self.steps is not None  # noqa: S101  # the line above raised
        return self.steps

    def curve(self, sure: Floats) -> Floats:
        """See `ConfidenceMap.curve`."""
        return self._read().curve(sure)

    def point(self, sure: float) -> float:
        """See `ConfidenceMap.point`."""
        return self._read().point(sure)

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML values."""
        return {"kind": self.kind, "edges": list(self._read().edges), "values": list(self._read().values)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote; DataError names the key that is wrong."""
        known_keys(values, ("kind", "edges", "values"), cls.kind)
        edges = increasing(numbers(values, "edges", cls.kind, low=0, high=1), "edges", cls.kind, strictly=True)
        found = numbers(values, "values", cls.kind, length=len(edges) + 1, low=0, high=1)
        return cls(Steps(edges, increasing(found, "values", cls.kind)))


def _blocks(cells: Cells) -> NDArray[np.intp]:
    """First cell of each pooled block."""
    return runs(recalibrated(cells.n, cells.right))


def _softened(n: Floats, right: Floats) -> Floats:
    """Accuracy of blocks without 0 and 1, shape (B,): equal neighbours are one step."""
    value = right / n
    ends = [at for at in (0, -1) if value[at] in (0.0, 1.0)]
    for at in ends:
        value[at] = (right[at] + 0.5) / (n[at] + 1)
    for at in ends:
        beside = (1, 0) if at == 0 else (-1, -2)
        if len(value) > 1 and value[beside[0]] < value[beside[1]]:
            both = list({0, 1} if at == 0 else {-1, -2})
            value[both] = right[both].sum() / n[both].sum()
    return value


@dataclass(frozen=True)
class Categorical(ConfidenceMap):
    """One value for each level that a model states or says, for confidences that take few values.

    Value of a level: (right + 2 a) / (n + 2), a the accuracy of all answers: the posterior mean under a Beta prior worth two answers;
    then pooled where a higher level has a lower value. A level that no graded answer had is unknown: it raises, and gets no number from
    its neighbours, as words and rounded numbers have no between.
    """

    kind: ClassVar[str] = "categorical"
    levels: tuple[float, ...] | None = None
    """The confidences seen, increasing; None before it is fitted."""
    values: tuple[float, ...] = ()
    """What each stands for, never falling."""

    def fit_cells(self, cells: Cells) -> Self:
        """See `ConfidenceMap.fit_cells`."""
        starts = np.flatnonzero(np.concatenate(([True], np.diff(cells.value) > SAME)))
        n = np.add.reduceat(cells.n, starts) + PRIOR
        good = np.add.reduceat(cells.right, starts) + PRIOR * cells.accuracy
        return type(self)(tuple(cells.value[starts].tolist()), tuple(recalibrated(n, good).tolist()))

    def knows(self, confidence: Floats) -> NDArray[np.bool_]:
        """Whether each confidence is a level that it has seen, shape (N,) to (N,)."""
        return np.asarray(np.abs(self._levels()[self._nearest(confidence)] - confidence) <= SAME)

    def curve(self, sure: Floats) -> Floats:
        """See `ConfidenceMap.curve`.

        Raises:
            DataError: a level is unseen.
        """
        known = self.knows(sure)
        if not known.all():
            strange = np.unique(sure[~known])
            shown = ", ".join(f"{one:g}" for one in self._levels()[:12])
            raise DataError(
                f"no graded answer had confidence {strange[0]:g} ({len(strange)} such levels); this calibrator knows {shown}; "
                "grade answers with it, or use a calibrator for continuous confidences"
            )
        return np.asarray(np.array(self.values)[self._nearest(sure)])

    def _levels(self) -> Floats:
        fitted_value(None if self.levels is None else 0.0, self.kind)
        return np.array(self.levels)

    def _nearest(self, sure: Floats) -> NDArray[np.intp]:
        levels = self._levels()
        return np.searchsorted((levels[1:] + levels[:-1]) / 2, sure)

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML values."""
        return {"kind": self.kind, "levels": self._levels().tolist(), "values": list(self.values)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote; DataError names the key that is wrong."""
        known_keys(values, ("kind", "levels", "values"), cls.kind)
        levels = increasing(numbers(values, "levels", cls.kind, low=0, high=1), "levels", cls.kind, strictly=True)
        if not levels:
            raise DataError(f"{cls.kind}: 'levels' is empty, want at least one")
        return cls(levels, increasing(numbers(values, "values", cls.kind, length=len(levels), low=0, high=1), "values", cls.kind))
