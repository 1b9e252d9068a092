"""Bootstrap of every metric of a confidence at once, by resampling counts instead of rows.

What a metric of right-or-wrong answers needs is how many of each there are at each confidence. A resample is then one multinomial draw
over these counts, whatever the number of answers. With several answers to an item, items are drawn, and carry their counts along.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wager.metrics.cells import Cells

__all__ = ["RESAMPLES", "Draws", "draw"]

RESAMPLES = 1000
"""Bootstrap resamples."""
CELLS = 512
"""Distinct confidences that are resampled exactly; more are merged to so many cells of about equal numbers of answers."""
CREDITS = 16
"""Levels to which partial credit is rounded when resampled (never in the values themselves)."""
CHUNK = 2**22
"""Numbers of a block of drawn weights, which keeps memory small."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Resampled counts; the first row holds the counts that were seen."""

    cells: Cells
    """The cells that were resampled, K of them."""
    n: Floats
    """Answers by resample and cell, shape (1 + B, K)."""
    right: Floats
    """Their credit, shape (1 + B, K)."""
    hits: Floats
    """Those of at least one half, shape (1 + B, K)."""
    exact: bool
    """Whether the cells are the distinct confidences themselves."""


def draw(
    credit: Floats,
    confidence: Floats,
    cells: Cells,
    *,
    clusters: NDArray[np.intp] | None = None,
    breaks: Floats | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Draws:
    """Draws resamples; the same seed and answers give the same draws, in any order of rows.

    Args:
        credit, confidence: shape (N,), each in [0, 1].
        cells: of the same answers.
        clusters: shape (N,), labels of what is independent; None: every answer.
        breaks: confidences at which a merged cell must end, such as the edges of bins.
    """
    rng = np.random.default_rng(seed)
    coarse = _merged(cells, breaks)
    exact = len(coarse.value) == len(cells.value)
    if clusters is None and cells.binary:
        counts = np.concatenate([coarse.right, coarse.n - coarse.right])
        drawn = rng.multinomial(cells.size, counts / cells.size, size=resamples).astype(np.float64)
        right, wrong = drawn[:, : len(coarse.n)], drawn[:, len(coarse.n) :]
        right = np.concatenate([coarse.right[None], right])
        n = np.concatenate([coarse.n[None], drawn[:, : len(coarse.n)] + wrong])
        return Draws(coarse, n, right, right, exact)
    ends = np.cumsum(coarse.n)  # rows in order of confidence: the cell of a row is where its rank falls
    place = np.searchsorted(np.cumsum(cells.n), ends, side="left")
    code = np.searchsorted(cells.value[place], confidence, side="left")
    level = credit if cells.binary else np.round(credit * CREDITS) / CREDITS
    from scipy.sparse import csr_array

    levels, which = np.unique(level, return_inverse=True)
    pair = code * len(levels) + which
    labels = np.arange(len(pair)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    table = csr_array((np.ones(len(pair)), (labels, pair)), shape=(int(labels.max()) + 1, len(coarse.n) * len(levels)))
    table.sum_duplicates()
    groups = table.shape[0]
    drawn = np.empty((resamples, table.shape[1]))
    if clusters is None:  # rows are exchangeable within a pair
        drawn[:] = rng.multinomial(len(pair), np.asarray(table.sum(axis=0)).ravel() / len(pair), size=resamples)
    else:
        block = max(1, CHUNK // groups)
        for start in range(0, resamples, block):
            size = min(block, resamples - start)
            picks = rng.integers(0, groups, size=(size, groups)) + np.arange(size)[:, None] * groups
            weight = np.bincount(picks.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)
            drawn[start : start + size] = (table.T @ weight.T).T
    seen = np.asarray(table.sum(axis=0)).reshape(1, -1)
    by_cell = np.concatenate([seen, drawn]).reshape(1 + resamples, len(coarse.n), len(levels))
    return Draws(coarse, by_cell.sum(axis=2), by_cell @ levels, by_cell @ (levels >= 0.5).astype(np.float64), exact)


def _merged(cells: Cells, breaks: Floats | None) -> Cells:
    if len(cells.value) <= CELLS:
        return cells
    middle = np.cumsum(cells.n) - cells.n / 2
    codes = np.minimum((middle * CELLS / cells.size).astype(np.intp), CELLS - 1)
    if breaks is not None:
        codes = codes * (len(breaks) + 1) + np.searchsorted(breaks, cells.value, side="right")
    return cells.merged(np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1]))))
