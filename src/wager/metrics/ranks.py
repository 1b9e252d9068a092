"""Ranks with intervals: which places on a leaderboard do the data allow?

A difference between two groups uses the items that both answered, so what makes an item hard for both cancels. All differences of one
board are tested together: the critical value is the 95 % quantile of the largest studentised difference, simulated from the joint
normal law of the scores. A group's interval runs from one more than the number of groups that are surely better to the number of
groups that are not surely worse (Mogstad, Romano, Shaikh and Wilhelm 2024, Review of Economic Studies 91:476).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Moments", "moments", "rank_intervals", "ranks_of", "standard_normals"]

DRAWS = 2000
"""Draws from the joint law behind a critical value."""
LEVEL = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """What the scores of G groups need at every target: a score is ``gain - penalty * cost``, linear in the penalty."""

    gain: Floats
    """Mean credit of scored answers (0 for an abstention), shape (G,); NaN without any."""
    cost: Floats
    """Mean of 1 - credit of given answers, shape (G,)."""
    size: Floats
    """Independent items behind them, shape (G,)."""
    gain_gain: Floats
    """Covariance of the means, shape (G, G)."""
    gain_cost: Floats
    """Covariance of group i's gain with group j's cost, shape (G, G)."""
    cost_cost: Floats
    """Covariance of the costs, shape (G, G)."""

    def score(self, penalty: float) -> Floats:
        """Shape (G,)."""
        return np.asarray(self.gain - penalty * self.cost)

    def covariance(self, penalty: float) -> Floats:
        """Of the scores, shape (G, G)."""
        mixed = self.gain_cost + self.gain_cost.T
        return np.asarray(self.gain_gain - penalty * mixed + penalty**2 * self.cost_cost)


def moments(gain: list[Floats], cost: list[Floats], item: list[NDArray[np.intp]], n_items: int) -> Moments:
    """From each group's scored answers; an item's answers are summed first, so that items are what is independent.

    Args:
        gain, cost, item: for each group, shape (N_g,): credit, 1 - credit where answered else 0, and the item's number below ``n_items``.
    """
    groups = len(gain)
    influence = np.zeros((2, groups, n_items))
    mean = np.full((2, groups), np.nan)
    size = np.zeros(groups)
    for g in range(groups):
        n = len(item[g])
        if n == 0:
            continue
        count = np.bincount(item[g], minlength=n_items)
        size[g] = np.count_nonzero(count)
        for k, values in enumerate((gain[g], cost[g])):
            mean[k, g] = values.mean()
            # each item's part of the error of the mean
            influence[k, g] = (np.bincount(item[g], weights=values, minlength=n_items) - count * mean[k, g]) / n
        influence[:, g] *= np.sqrt(size[g] / max(1.0, size[g] - 1))
    # not the matrix product: its threads cost a second to wake on a busy machine, for a few milliseconds of work
    gg, gc, cc = (np.einsum("ik,jk->ij", influence[x], influence[y]) for x, y in ((0, 0), (0, 1), (1, 1)))
    return Moments(mean[0], mean[1], size, gg, gc, cc)


def ranks_of(score: Floats) -> list[int | None]:
    """1 for the largest; equal scores share the better rank; None where NaN."""
    return [None if np.isnan(one) else 1 + int((score > one + 1e-12).sum()) for one in score]


def rank_intervals(found: Moments, penalty: float, normals: Floats) -> tuple[list[int | None], list[int | None]]:
    """Best and worst rank of each group that the data allow, simultaneously at 95 %.

    Args:
        found: of the board.
        penalty: t / (1 - t).
        normals: shape (draws, G), standard normal.
    """
    score, covariance = found.score(penalty), found.covariance(penalty)
    known = ~np.isnan(score)
    count = int(known.sum())
    if count == 0:
        return [None] * len(score), [None] * len(score)
    x, cov = score[known], covariance[np.ix_(known, known)]
    spread = np.sqrt(np.maximum(np.diag(cov)[:, None] + np.diag(cov)[None] - 2 * cov, 0.0))
    values, vectors = np.linalg.eigh(cov)
    law = normals[:, :count] @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    i, j = np.triu_indices(count, 1)
    used = spread[i, j] > 1e-12
    i, j = i[used], j[used]
    critical = np.inf
    if len(i):
        largest = np.zeros(len(law))
        for start in range(0, len(i), 256):  # in blocks: a large board has many pairs
            a, b = i[start : start + 256], j[start : start + 256]
            np.maximum(largest, (np.abs(law[:, a] - law[:, b]) / spread[a, b]).max(axis=1), out=largest)
        critical = float(np.quantile(largest, LEVEL))
    difference = x[None] - x[:, None]  # of column over row
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = np.where(spread > 1e-12, difference / spread > critical, False)
    better, worse = sure.sum(axis=1), sure.sum(axis=0)
    low: list[int | None] = [None] * len(score)
    high: list[int | None] = [None] * len(score)
    for place, g in enumerate(np.flatnonzero(known).tolist()):
        low[g], high[g] = 1 + int(better[place]), count - int(worse[place])
    return low, high


def standard_normals(groups: int, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Shape (draws, groups), the same at every target: rank intervals then change smoothly with t."""
    return np.random.default_rng(seed).standard_normal((draws, groups))
