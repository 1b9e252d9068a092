"""Smooth calibration error: no bins (Blasiok and Nakkiran 2024, arXiv 2309.12236)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

from wager.metrics.cells import Cells

__all__ = ["smooth_ece"]

GRID = 2048
"""Points of the interval [0, 1] on which residuals are smoothed."""
STEPS = 20
"""Halvings of the bandwidth's bracket: it is known to 1e-6."""

Floats = NDArray[np.float64]


def smooth_ece(cells: Cells) -> float:
    """The bandwidth at which the smoothed calibration error equals it, in [0, 1], lower is better.

    Residuals ``correct - confidence`` are smoothed by a Gaussian kernel reflected at 0 and 1 (a product in the cosine transform); the
    error at a bandwidth is the integral of their absolute mean; it falls with the bandwidth, so the two meet once.

    >>> from wager.metrics.cells import cells_of
    >>> round(smooth_ece(cells_of([1, 0, 1, 0], [1.0, 0.0, 1.0, 0.0])), 4)
    0.0
    """
    return float(smoothed(cells.right - cells.value * cells.n, spread(cells.value), cells.n.sum()))


def spread(value: Floats, grid: int = GRID) -> tuple[NDArray[np.intp], Floats, int]:
    """Where each confidence lies on the grid: the point to its left, and the share that belongs to the next one."""
    place = np.clip(value * grid - 0.5, 0, grid - 1)
    left = np.minimum(place.astype(np.intp), grid - 2)
    return left, place - left, grid


def smoothed(residual: Floats, where: tuple[NDArray[np.intp], Floats, int], size: Floats | float) -> Floats:
    """The smooth calibration error of residual sums by cell, shape (..., K), of ``size`` answers, shape (...)."""
    left, share, grid = where
    flat = np.atleast_2d(residual)
    mass = np.zeros((len(flat), grid))
    starts = np.flatnonzero(np.concatenate(([True], left[1:] != left[:-1])))  # confidences increase, so the places do
    at = left[starts]
    mass[:, at] += np.add.reduceat(flat * (1 - share), starts, axis=1)
    mass[:, at + 1] += np.add.reduceat(flat * share, starts, axis=1)
    mass /= np.reshape(size, (-1, 1))
    waves = dct(mass, axis=1)
    rates = -0.5 * (np.pi * np.arange(grid)) ** 2
    low, high = np.zeros(len(flat)), np.ones(len(flat))
    for _ in range(STEPS):
        middle = (low + high) / 2
        error = np.abs(idct(waves * np.exp(rates * middle[:, None] ** 2), axis=1)).sum(axis=1)
        above = error > middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(((low + high) / 2).reshape(np.shape(residual)[:-1]))
