"""Answers and mistakes above each confidence: all that a certificate of a threshold needs, for any level, without the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError
from wager.metrics.cells import checked
from wager.policy.entries import known_keys, numbers, whole

__all__ = ["RiskTable", "risk_table"]

Floats = NDArray[np.float64]

EVERY = 500
"""Up to so many answers above a threshold each count is kept; beyond, counts that differ by a hundredth."""


@dataclass(frozen=True, kw_only=True)
class RiskTable:
    """Counts of answers with a confidence above each threshold (strictly). All arrays have the same length."""

    thresholds: tuple[float, ...]
    """Decreasing, in [0, 1]: confidences that occur, and 0. Which ones depends on the counts alone, never on what is right."""
    n: tuple[int, ...]
    """Answers above each, at least 1, increasing."""
    wrong: tuple[int, ...]
    """Of these, with a credit below one half."""
    total: int
    """Answers in all."""
    n_repeated: int = 0
    """Further answers to the same items, which were left out: only one answer of an item is independent of the others."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        lists = {"thresholds": list(self.thresholds), "n": list(self.n), "wrong": list(self.wrong)}
        return {"schema": 1, **lists, "total": self.total, "n_repeated": self.n_repeated}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RiskTable:
        """What `to_dict` wrote; DataError names the key that is wrong."""
        at = "risk table"
        known_keys(values, ("schema", *cls.__dataclass_fields__), at)
        thresholds = numbers(values, "thresholds", at, low=0.0, high=1.0)
        given = {name: np.asarray(numbers(values, name, at, length=len(thresholds), low=0.0)) for name in ("n", "wrong")}
        total, n, wrong = whole(values, "total", at), given["n"], given["wrong"]
        if values.get("schema") != 1:
            raise DataError(f"{at}: 'schema' is {values.get('schema')!r}, and this wager reads 1; update wager")
        rising = np.diff(thresholds) < 0, np.diff(n) > 0, wrong <= n, n <= total, n == np.floor(n), wrong == np.floor(wrong)
        if not all(np.all(one) for one in rising):
            raise DataError(f"{at}: thresholds fall, 'n' rises up to 'total', 'wrong' is at most 'n', all whole; the file was changed")
        counts = {name: tuple(int(one) for one in values) for name, values in given.items()}
        return cls(thresholds=thresholds, **counts, total=total, n_repeated=whole(values, "n_repeated", at))


def risk_table(confidence: ArrayLike, correct: ArrayLike, *, clusters: ArrayLike | None = None) -> RiskTable:
    """Counts above every threshold that can tell answers apart.

    Where an item has several answers, one of them is drawn (without regard to what is right), since exact tests need independent answers.

    Args:
        confidence: shape (N,), in [0, 1].
        correct: shape (N,), credit in [0, 1]; below one half counts as wrong.
        clusters: shape (N,), the item of each answer; None: all different.

    >>> table = risk_table([0.9, 0.9, 0.4, 0.2], [1, 1, 0, 1])
    >>> table.thresholds, table.n, table.wrong
    ((0.4, 0.2, 0.0), (2, 3, 4), (0, 1, 1))
    """
    right, sure = checked(correct, confidence)
    kept = _one_each(right, sure, clusters)
    wrong, sure = right[kept] < 0.5, sure[kept] + 0.0
    order = np.argsort(-sure, kind="stable")
    falling, mistakes = sure[order], np.cumsum(wrong[order])
    last = np.flatnonzero(falling[1:] < falling[:-1])  # the last answer of each confidence but the lowest
    n, thresholds = last + 1, falling[last + 1]
    if len(falling) and falling[-1] > 0:
        n, thresholds = np.append(n, len(falling)), np.append(thresholds, 0.0)
    chosen = _spread(n)
    n, thresholds = n[chosen], thresholds[chosen]
    return RiskTable(
        thresholds=tuple(thresholds.tolist()),
        n=tuple(n.tolist()),
        wrong=tuple(mistakes[n - 1].tolist()) if len(n) else (),
        total=len(sure),
        n_repeated=len(right) - len(sure),
    )


def _one_each(right: Floats, sure: Floats, clusters: ArrayLike | None) -> NDArray[np.intp]:
    """Places of one answer of each item, the same whatever the order of rows."""
    every = np.arange(len(right))
    if clusters is None:
        return every
    labels = np.unique(np.asarray(clusters), return_inverse=True)[1]
    sizes = np.bincount(labels)
    if not len(sizes) or sizes.max() == 1:
        return every
    order = np.lexsort((right, sure, labels))
    draw = np.random.default_rng(0).random(len(sizes))
    return np.asarray(order[np.cumsum(sizes) - sizes + np.floor(draw * sizes).astype(np.intp)])


def _spread(n: NDArray[np.intp]) -> NDArray[np.intp]:
    """Places of counts that are apart: all up to `EVERY`, then the first in each step of a hundredth, and the last."""
    if not len(n):
        return np.zeros(0, dtype=np.intp)
    step = np.where(n <= EVERY, n, EVERY + np.floor(np.log(np.maximum(n, EVERY) / EVERY) / 0.01).astype(np.intp) + 1)
    first = np.flatnonzero(np.append(True, step[1:] != step[:-1]))
    return np.unique(np.append(first, len(n) - 1))
