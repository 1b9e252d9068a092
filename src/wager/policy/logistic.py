"""Logistic models of few columns by Newton's method, on counted answers; and the logit scale that they work on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wager.metrics.cells import Cells

__all__ = ["clipped", "coarse", "fitted", "logits", "maximised", "usual_clip"]

Floats = NDArray[np.float64]

NARROWEST, WIDEST = 1e-9, 1e-2
"""Limits of `usual_clip`."""
RIDGE = 1e-8
"""Penalty per answer: keeps the slope finite where a threshold parts right from wrong, and changes other fits in the 7th digit. It grows
with the answers, so that writing each of them twice changes nothing."""
MANY = 2**15
"""Distinct confidences from which on neighbours share a cell."""
STEP = 1 / 512
"""Width of such a cell in logits: estimates change by the order of its square."""
ROUNDS = 100


def clipped(confidence: Floats, clip: float) -> Floats:
    """Moved into [clip, 1 - clip], shape (N,) to (N,)."""
    return np.asarray(np.minimum(np.maximum(confidence, clip), 1 - clip))


def logits(confidence: Floats, clip: float) -> Floats:
    """``ln(s / (1 - s))`` of clipped confidences, shape (N,) to (N,)."""
    kept = clipped(confidence, clip)
    return np.asarray(np.log(kept / (1 - kept)))


def usual_clip(value: Floats) -> float:
    """Where confidences of exactly 0 and 1 go, whose logit is infinite: half as far from the edge as the nearest other one.

    So a stated 1.00 beside 0.99 counts as 0.995, and nothing is sharper than the answers that a calibrator has seen. In [1e-9, 0.01].

    Args:
        value: shape (K,), confidences in [0, 1].

    >>> usual_clip(np.array([0.2, 0.98, 1.0]))
    0.01
    """
    inside = value[(value > 0) & (value < 1)]
    gap = min(float(inside.min()), 1 - float(inside.max())) if inside.size else 1.0
    return round(min(WIDEST, max(NARROWEST, gap / 2)), 12)


def coarse(cells: Cells) -> Cells:
    """The same answers in at most about 21,000 cells: beyond 32,768 distinct confidences, those within 1/512 of a logit share one."""
    if len(cells.value) <= MANY:
        return cells
    place = np.floor(logits(cells.value, NARROWEST) / STEP)
    return cells.merged(np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1]))))


def maximised(columns: Floats, n: Floats, right: Floats, ridge: Floats | float = RIDGE) -> Floats:
    """Coefficients b that maximise ``sum right * eta - n * ln(1 + exp(eta)) - N ridge b^2 / 2`` with ``eta = columns @ b``, shape (P,).

    Args:
        columns: shape (K, P).
        n, right: shape (K,), answers of each row and their credit.
        ridge: penalty per answer, one for all columns or shape (P,).
    """
    size, penalty = float(n.sum()), np.broadcast_to(np.asarray(ridge, dtype=np.float64), columns.shape[1])
    found = np.zeros(columns.shape[1])
    now = _loss(columns, n, right, penalty, found)
    for _ in range(ROUNDS):
        p = expit(columns @ found)
        slope = columns.T @ (right - n * p) - size * penalty * found
        curve = (columns * (n * p * (1 - p))[:, None]).T @ columns + np.diag(size * penalty)
        step = np.linalg.solve(curve, slope)
        gain = float(slope @ step)
        length = 1.0
        while (after := _loss(columns, n, right, penalty, found + length * step)) > now + 1e-12 * abs(now) and length > 1e-9:
            length /= 2
        found, now = found + length * step, after
        if gain <= 1e-18 * size:  # the distance to the maximum shrinks with its square: this step was the last that matters
            break
    return found


def _loss(columns: Floats, n: Floats, right: Floats, penalty: Floats, found: Floats) -> float:
    eta = columns @ found
    return float(n @ np.logaddexp(0, eta) - right @ eta + n.sum() * (penalty @ found**2) / 2)


def fitted(columns: Floats, n: Floats, right: Floats, *, positive: Sequence[int]) -> Floats:
    """As `maximised`, with the coefficients of some columns kept at 0 or above (exact: the problem is convex).

    Args:
        positive: which columns.
    """
    every = range(columns.shape[1])
    best, least = np.zeros(len(every)), math.inf
    for count in range(len(positive) + 1):
        for dropped in combinations(positive, count):
            kept = [column for column in every if column not in dropped]
            trial = np.zeros(len(every))
            trial[kept] = maximised(columns[:, kept], n, right)
            loss = _loss(columns, n, right, np.full(len(every), RIDGE), trial)
            if (trial[list(positive)] >= 0).all() and loss < least:
                best, least = trial, loss
        if not count and math.isfinite(least):
            break
    return best
