"""Calibrators: from a confidence to the probability that the answer is right. One interface, six kinds.

| kind | what it assumes | for |
|---|---|---|
| ``temperature`` | too sure or too unsure throughout, by one factor | few errors |
| ``platt`` | a line on logits | also a shift |
| ``beta`` | two slopes, one for each end | skewed confidences |
| ``isotonic`` | order only | many answers |
| ``categorical`` | order of a few levels | stated, rounded and verbal confidences |
| ``venn_abers`` | order only; says how sure it is of its own number | few to many answers |

A calibrator serves the source and the model that it was fitted on: see `wager.policy.calibration.Calibration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError, UnknownNameError
from wager.metrics.cells import Cells
from wager.policy.monotone import Categorical, Isotonic
from wager.policy.parametric import Beta, Platt, Temperature
from wager.policy.venn_abers import VennAbers

__all__ = [
    "KINDS",
    "Beta",
    "Calibrator",
    "Categorical",
    "Isotonic",
    "Platt",
    "Temperature",
    "VennAbers",
    "calibrator_from",
    "calibrator_of",
]


class Calibrator(Protocol):
    """An increasing map of confidences to probabilities; a frozen value."""

    kind: ClassVar[str]
    """Its name in `KINDS`."""

    def fit(self, confidence: ArrayLike, correct: ArrayLike) -> Self:
        """A new, fitted instance, from shape (N,) and (N,), each in [0, 1]."""
        ...

    def fit_cells(self, cells: Cells) -> Self:
        """As `fit`, from answers that are sorted and counted already."""
        ...

    def transform(self, confidence: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probabilities, shape (N,) to (N,), in (0, 1)."""
        ...

    def at(self, confidence: float) -> float:
        """The same for one confidence, to the last bit."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML values, at most about 10 kB."""
        ...


Fitted = Temperature | Platt | Beta | Categorical | VennAbers | Isotonic

KINDS: dict[str, type[Fitted]] = {one.kind: one for one in (Temperature, Platt, Beta, Categorical, VennAbers, Isotonic)}
"""By name, the simplest first: where two do equally well, the earlier one is chosen."""


def calibrator_of(kind: str) -> Fitted:
    """An unfitted calibrator.

    Raises:
        UnknownNameError: no calibrator has that name.

    >>> calibrator_of("platt").fit([0.2, 0.4, 0.6, 0.8], [0, 1, 0, 1]).at(0.5)
    0.5
    """
    if kind not in KINDS:
        raise UnknownNameError("calibrator", kind, KINDS)
    return KINDS[kind]()


def calibrator_from(values: Mapping[str, Any]) -> Fitted:
    """The fitted calibrator that ``to_dict`` wrote.

    Raises:
        DataError: a key is missing, unknown or wrong; the message names it.

    >>> calibrator_from({"kind": "temperature", "temperature": 2.0, "clip": 0.01}).at(0.9)
    0.75
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("kind"), str) or values["kind"] not in KINDS:
        got = values.get("kind") if isinstance(values, Mapping) else values
        raise DataError(f"calibrator: 'kind' is {got!r}, want one of {', '.join(KINDS)}")
    return KINDS[values["kind"]].from_dict(values)
