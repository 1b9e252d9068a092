"""What every calibrator does alike: check what it is given, and refuse to work before it is fitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError, UsageError
from wager.metrics.cells import Cells, cells_of

__all__ = ["ConfidenceMap", "fitted_value"]

Floats = NDArray[np.float64]


class ConfidenceMap(ABC):
    """An increasing map of [0, 1] into (0, 1), learned from graded answers."""

    kind: ClassVar[str]

    def fit(self, confidence: ArrayLike, correct: ArrayLike) -> Self:
        """A new, fitted instance; this one stays as it is.

        Args:
            confidence: shape (N,), of one source and one model, in [0, 1].
            correct: shape (N,), credit in [0, 1].

        Raises:
            DataError: shapes differ, a value is outside [0, 1] or NaN, or all answers are right, or all wrong.
        """
        cells = cells_of(correct, confidence)
        self._refuse_one_kind(cells)
        return self.fit_cells(cells)

    @abstractmethod
    def fit_cells(self, cells: Cells) -> Self:
        """As `fit`, from answers that are sorted and counted already, right and wrong ones among them."""

    def transform(self, confidence: ArrayLike) -> Floats:
        """Calibrated probabilities, shape (N,) to (N,), in (0, 1), never falling where the confidence rises.

        Raises:
            DataError: a confidence is outside [0, 1] or NaN.
            UsageError: it was not fitted.
        """
        sure = np.asarray(confidence, dtype=np.float64)
        if sure.size and not (sure.min() >= 0 and sure.max() <= 1):
            raise DataError("confidence lies in [0, 1] and is never NaN; leave out what is unknown and count it")
        return self.curve(sure)

    def at(self, confidence: float) -> float:
        """The same for one confidence."""
        if not 0 <= confidence <= 1:
            raise DataError(f"confidence lies in [0, 1] and is never NaN, got {confidence!r}; what is unknown has no calibrated confidence")
        return self.point(confidence)

    @abstractmethod
    def curve(self, sure: Floats) -> Floats:
        """As `transform`, of what is known to lie in [0, 1]."""

    def point(self, sure: float) -> float:
        """As `at`; to the last bit what `curve` gives, so that a threshold cuts both at the same place."""
        return float(self.curve(np.array([sure], dtype=np.float64))[0])

    @staticmethod
    def _refuse_one_kind(cells: Cells) -> None:
        right, wrong = float(cells.right.sum()), float(cells.wrong.sum())
        if min(right, wrong) <= 0:
            all_ = "no answers" if not cells.size else f"all {cells.size} answers are {'right' if wrong <= 0 else 'wrong'}"
            raise DataError(f"{all_}: a calibrator needs right and wrong ones; grade more answers")


def fitted_value(value: float | None, kind: str) -> float:
    """The parameter of a calibrator that was fitted.

    Raises:
        UsageError: it is None.
    """
    if value is None:
        raise UsageError(f"this {kind} calibrator is not fitted; call fit(confidence, correct) and use what it returns")
    return value
