"""Answers with a confidence, sorted once and counted by distinct value: every metric of a confidence starts here.

Sorting is most of the work, so it is done once and shared. With right-or-wrong answers the verdict rides in the lowest bit of the sort
key, and no permutation is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError

__all__ = ["Cells", "cells_of", "checked"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Counts by distinct confidence. All arrays have shape (K,), K distinct values."""

    value: Floats
    """The distinct confidences in [0, 1], increasing."""
    n: Floats
    """Answers with it."""
    right: Floats
    """Sum of their credit."""
    square: Floats
    """Sum of their squared credit."""
    hits: Floats
    """How many have a credit of at least one half; what AUROC and AUGRC call right."""

    @cached_property
    def size(self) -> int:
        """Answers in all."""
        return int(self.n.sum())

    @cached_property
    def accuracy(self) -> float:
        """Mean credit; NaN without answers."""
        return float(self.right.sum() / self.size) if self.size else float("nan")

    @property
    def wrong(self) -> Floats:
        """Sum of 1 - credit, by value."""
        return self.n - self.right

    @cached_property
    def binary(self) -> bool:
        """Whether every credit is 0 or 1."""
        return bool(np.array_equal(self.right, self.hits) and np.array_equal(self.right, self.square))

    @property
    def constant(self) -> bool:
        """Whether all confidences are equal."""
        return len(self.value) == 1

    def above(self, targets: ArrayLike, *, weak: bool = False) -> tuple[Floats, Floats]:
        """Answers, and their credit, with a confidence above each target (from it on if ``weak``), shapes (T,)."""
        first = np.searchsorted(self.value, np.asarray(targets, dtype=np.float64), side="left" if weak else "right")
        return self._tail_n[first], self._tail_right[first]

    @cached_property
    def _tail_n(self) -> Floats:
        return np.append(np.cumsum(self.n[::-1])[::-1], 0.0)

    @cached_property
    def _tail_right(self) -> Floats:
        return np.append(np.cumsum(self.right[::-1])[::-1], 0.0)

    def merged(self, starts: NDArray[np.intp]) -> Cells:
        """Neighbours merged into cells that begin at these places (the first is 0), each at its mean confidence."""
        n = np.add.reduceat(self.n, starts)
        value = np.add.reduceat(self.value * self.n, starts) / n
        return Cells(value, n, *(np.add.reduceat(part, starts) for part in (self.right, self.square, self.hits)))


def checked(correct: ArrayLike, confidence: ArrayLike) -> tuple[Floats, Floats]:
    """Both as arrays of floats.

    Raises:
        DataError: shapes differ, or a value is outside [0, 1] or NaN.
    """
    right, sure = np.asarray(correct, dtype=np.float64), np.asarray(confidence, dtype=np.float64)
    if right.shape != sure.shape:
        raise DataError(f"correct has shape {right.shape}, confidence has shape {sure.shape}; they describe the same answers")
    for name, values in (("correct", right), ("confidence", sure)):
        # NaN passes no comparison, so it shows in both extremes
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise DataError(f"{name} lies in [0, 1] and is never NaN; leave out what is unknown and count it")
    return right, sure


def cells_of(correct: ArrayLike, confidence: ArrayLike) -> Cells:
    """Sorts and counts.

    Args:
        correct: shape (N,), credit in [0, 1].
        confidence: shape (N,), in [0, 1].

    Raises:
        DataError: as `checked`.

    >>> cells = cells_of([1, 0, 1], [0.9, 0.4, 0.9])
    >>> cells.value.tolist(), cells.n.tolist(), cells.right.tolist()
    ([0.4, 0.9], [1.0, 2.0], [0.0, 2.0])
    """
    right, sure = checked(correct, confidence)
    if not right.size:
        return Cells(*(np.zeros(0) for _ in range(5)))
    hit = right >= 0.5
    binary = bool(np.all((right == 0) | (right == 1)))
    if binary:
        # a double in [0, 1] is below 2^62 as an integer and ordered like it; adding 0.0 turns -0 into 0
        key = (sure + 0.0).view(np.uint64) << np.uint64(1)
        key |= hit
        key.sort()
        bits = key >> np.uint64(1)
        starts = _starts(bits)
        n = np.diff(np.append(starts, len(bits))).astype(np.float64)
        total = np.cumsum(key & np.uint64(1), dtype=np.int64)[np.append(starts[1:], len(bits)) - 1]
        hits = np.diff(total, prepend=0).astype(np.float64)
        return Cells(bits[starts].view(np.float64), n, hits, hits, hits)
    order = np.lexsort((right, sure))
    right, sure = right[order], sure[order] + 0.0
    starts = _starts(sure)
    n = np.diff(np.append(starts, len(sure))).astype(np.float64)
    sums = (np.add.reduceat(part, starts) for part in (right, right**2, (right >= 0.5).astype(np.float64)))
    return Cells(sure[starts], n, *sums)


def _starts(ordered: NDArray[np.uint64] | Floats) -> NDArray[np.intp]:
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
