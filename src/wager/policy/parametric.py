"""Calibrators with one to three numbers, on logits: temperature, Platt, beta. They bend the scale and never turn it round.

A slope is 0 or more: a confidence that is higher where answers are wrong becomes a constant, not a lie detector. Confidences closer to
0 or 1 than `clip` count as that close (see `wager.policy.logistic.usual_clip`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wager.metrics.cells import Cells
from wager.policy.entries import known_keys, number
from wager.policy.logistic import clipped, coarse, fitted, logits, maximised, usual_clip
from wager.policy.mapping import ConfidenceMap, fitted_value

__all__ = ["Beta", "Platt", "Temperature"]

Floats = NDArray[np.float64]

HOTTEST = 1e3
"""Largest temperature: it makes every confidence about one half. The coldest is 1 / HOTTEST."""
FARTHEST = float(np.log(1e9))
"""Largest logit of a calibrated confidence."""


def _probability(eta: Floats) -> Floats:
    """``1 / (1 + exp(-eta))``, never closer to 0 or 1 than 1e-9: no number of answers makes certain."""
    return np.asarray(expit(np.minimum(np.maximum(eta, -FARTHEST), FARTHEST)))


@dataclass(frozen=True)
class Temperature(ConfidenceMap):
    """``sigmoid(logit(s) / T)`` (Guo et al. 2017, arXiv 1706.04599): one number, so a few errors suffice; one half stays one half.

    T > 1 makes less sure. T lies in [0.001, 1000]; a confidence that points the wrong way gets 1000, about one half everywhere.
    scikit-learn's binary ``_TemperatureScaling.beta_`` is 1 / (2 T), as it puts (-z, z) into a softmax.

    >>> Temperature(2.0, clip=0.01).at(0.9)
    0.75
    """

    kind: ClassVar[str] = "temperature"
    temperature: float | None = None
    """T; None before it is fitted."""
    clip: float | None = None
    """Distance from 0 and 1 within which confidences are not told apart."""

    def fit_cells(self, cells: Cells) -> Self:
        """See `ConfidenceMap.fit_cells`."""
        clip, few = usual_clip(cells.value), coarse(cells)
        slope = float(maximised(logits(few.value, clip)[:, None], few.n, few.right)[0])
        return type(self)(1 / min(HOTTEST, max(1 / HOTTEST, slope)), clip)

    def curve(self, sure: Floats) -> Floats:
        """See `ConfidenceMap.curve`."""
        t, clip = fitted_value(self.temperature, self.kind), fitted_value(self.clip, self.kind)
        return _probability(logits(sure, clip) / t)

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML values."""
        t, clip = fitted_value(self.temperature, self.kind), fitted_value(self.clip, self.kind)
        return {"kind": self.kind, "temperature": t, "clip": clip}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote; DataError names the key that is wrong."""
        known_keys(values, ("kind", "temperature", "clip"), cls.kind)
        return cls(number(values, "temperature", cls.kind, low=1 / HOTTEST, high=HOTTEST), _clip(values, cls.kind))


@dataclass(frozen=True)
class Platt(ConfidenceMap):
    """``sigmoid(a logit(s) + b)`` with a >= 0 (Platt 1999, on logits; without his smoothing of the verdicts): maximum likelihood.

    A confidence that points the wrong way gets a = 0: the share of right answers, whatever it says.
    """

    kind: ClassVar[str] = "platt"
    slope: float | None = None
    """a, at least 0; None before it is fitted."""
    intercept: float | None = None
    """b."""
    clip: float | None = None
    """As in `Temperature`."""

    def fit_cells(self, cells: Cells) -> Self:
        """See `ConfidenceMap.fit_cells`."""
        clip, few = usual_clip(cells.value), coarse(cells)
        x = logits(few.value, clip)
        if few.constant:  # the slope is not determined
            return type(self)(0.0, _constant(few), clip)
        a, b = fitted(np.column_stack([x, np.ones(len(x))]), few.n, few.right, positive=[0]).tolist()
        return type(self)(a, b, clip)

    def _read(self) -> tuple[float, float, float]:
        return fitted_value(self.slope, self.kind), fitted_value(self.intercept, self.kind), fitted_value(self.clip, self.kind)

    def curve(self, sure: Floats) -> Floats:
        """See `ConfidenceMap.curve`."""
        a, b, clip = self._read()
        return _probability(a * logits(sure, clip) + b)

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML values."""
        return {"kind": self.kind, **dict(zip(("slope", "intercept", "clip"), self._read(), strict=True))}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote; DataError names the key that is wrong."""
        known_keys(values, ("kind", "slope", "intercept", "clip"), cls.kind)
        return cls(number(values, "slope", cls.kind, low=0), number(values, "intercept", cls.kind), _clip(values, cls.kind))


@dataclass(frozen=True)
class Beta(ConfidenceMap):
    """``sigmoid(a ln s - b ln(1 - s) + c)`` with a, b >= 0 (Kull, Silva Filho and Flach 2017, eq. 5): each end has its own slope.

    a = b is Platt's; a = b = 1 and c = 0 leave everything as it is.
    """

    kind: ClassVar[str] = "beta"
    a: float | None = None
    """Slope at the unsure end, at least 0; None before it is fitted."""
    b: float | None = None
    """Slope at the sure end, at least 0."""
    c: float | None = None
    """Intercept."""
    clip: float | None = None
    """As in `Temperature`."""

    def fit_cells(self, cells: Cells) -> Self:
        """See `ConfidenceMap.fit_cells`."""
        clip, few = usual_clip(cells.value), coarse(cells)
        kept = clipped(few.value, clip)
        if few.constant:
            return type(self)(0.0, 0.0, _constant(few), clip)
        columns = np.column_stack([np.log(kept), -np.log1p(-kept), np.ones(len(kept))])
        a, b, c = fitted(columns, few.n, few.right, positive=[0, 1]).tolist()
        return type(self)(a, b, c, clip)

    def _read(self) -> tuple[float, float, float, float]:
        one, two, three, four = (fitted_value(value, self.kind) for value in (self.a, self.b, self.c, self.clip))
        return one, two, three, four

    def curve(self, sure: Floats) -> Floats:
        """See `ConfidenceMap.curve`."""
        a, b, c, clip = self._read()
        kept = clipped(sure, clip)
        return _probability(a * np.log(kept) - b * np.log1p(-kept) + c)

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML values."""
        return {"kind": self.kind, **dict(zip(("a", "b", "c", "clip"), self._read(), strict=True))}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote; DataError names the key that is wrong."""
        known_keys(values, ("kind", "a", "b", "c", "clip"), cls.kind)
        a, b = (number(values, key, cls.kind, low=0) for key in ("a", "b"))
        return cls(a, b, number(values, "c", cls.kind), _clip(values, cls.kind))


def _clip(values: Mapping[str, Any], where: str) -> float:
    return number(values, "clip", where, low=1e-12, high=0.49)


def _constant(cells: Cells) -> float:
    """Intercept where there is nothing but the share of right answers."""
    return float(np.log(cells.accuracy / (1 - cells.accuracy)))
