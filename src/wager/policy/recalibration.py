"""Do probabilities mean what they say? The logistic recalibration ``logit P(right) = intercept + slope logit(p)``: (0, 1) if they do.

Cox (1958), Biometrika 45:562. The test is Rao's score test at (0, 1): it needs no fit, so it works where all answers are right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, expit, fdtrc

from wager.metrics.cells import cells_of
from wager.metrics.intervals import Z
from wager.metrics.results import Estimate
from wager.policy.logistic import clipped, coarse, logits, maximised

__all__ = ["Recalibration", "noncentrality", "recalibration", "score_test", "slope_of"]

Floats = NDArray[np.float64]

CLIP = 1e-9
SINGULAR = 1e-10
"""Share of the largest eigenvalue below which a direction is not determined: the slope, where all probabilities are equal."""


@dataclass(frozen=True)
class Recalibration:
    """What answers say of the line, at the line that probabilities promise. Rows and columns: intercept, slope."""

    score: Floats
    """Shape (2,): sum of ``(z - p) (1, logit p)``; 0 on average if the probabilities are true."""
    information: Floats
    """Shape (2, 2): sum of ``p (1 - p) (1, logit p)' (1, logit p)``."""
    variance: Floats
    """Shape (2, 2): of the score; the information itself, or from the sums of clusters."""
    mean: Floats
    """Shape (2,): mean of ``(1, logit p)``."""
    n: int
    """Answers."""
    n_clusters: int | None
    """Clusters, None where every answer is independent."""

    @property
    def spread(self) -> tuple[float, float, float]:
        """Variance of the intercept, covariance, variance of the slope that these answers leave."""
        inverse = np.linalg.pinv(self.information, rcond=SINGULAR, hermitian=True)
        found = inverse @ self.variance @ inverse
        return float(found[0, 0]), float(found[0, 1]), float(found[1, 1])


def recalibration(probability: Floats, correct: Floats, clusters: NDArray[np.intp] | None = None) -> Recalibration:
    """Sums over answers.

    Args:
        probability: shape (N,), in [0, 1]; within 1e-9 of 0 or 1 it is moved there.
        correct: shape (N,), credit in [0, 1].
        clusters: shape (N,), numbers of what is independent; None: every answer.
    """
    p = clipped(probability, CLIP)
    return _sums(np.column_stack([np.ones(len(p)), logits(p, CLIP)]), p, correct, clusters)


def _sums(columns: Floats, p: Floats, correct: Floats, clusters: NDArray[np.intp] | None) -> Recalibration:
    """At any line: ``p`` is what it predicts for the rows of ``columns``, shape (N, 2)."""
    information = (columns * (p * (1 - p))[:, None]).T @ columns
    parts = columns * (correct - p)[:, None]
    variance, count = information, None
    if clusters is not None:
        codes = np.unique(clusters, return_inverse=True)[1]
        count = int(codes.max()) + 1
        sums = np.column_stack([np.bincount(codes, weights=part) for part in parts.T])
        apart = sums - sums.mean(axis=0)
        variance = apart.T @ apart * (count / max(1, count - 1))
    return Recalibration(parts.sum(axis=0), information, variance, columns.mean(axis=0), len(p), count)


def score_test(found: Recalibration, spread: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> float:
    """p value of "intercept 0 and slope 1", two-sided, in [0, 1].

    Rao's statistic against chi-squared; with clusters Hotelling's T squared of their sums against F. NaN with three clusters or fewer.

    Args:
        spread: of the answers that the probabilities were learned from (`Recalibration.spread`): their sampling error is part of the
            variance, so that a calibrator from few answers is not called drifted for its own noise.
    """
    noise = found.information @ _matrix(spread) @ found.information
    variance = found.variance + noise
    rank = int(np.linalg.matrix_rank(found.information, hermitian=True, rtol=SINGULAR))
    statistic = float(found.score @ np.linalg.pinv(variance, rcond=SINGULAR, hermitian=True) @ found.score)
    if found.n_clusters is None:
        return float(chdtrc(rank, statistic))
    free = found.n_clusters - rank
    if free < 2:
        return float("nan")
    return float(fdtrc(rank, free, statistic * free / (rank * (found.n_clusters - 1))))


def noncentrality(found: Recalibration, n: float, shift: float, spread: tuple[float, float, float]) -> float:
    """How far the statistic of `score_test` would lie from 0 with n answers like these, if all were right more often by ``shift``."""
    information = found.information / found.n
    variance = found.variance / found.n + n * information @ _matrix(spread) @ information
    mean = shift * found.mean
    return float(n * mean @ np.linalg.pinv(variance, rcond=SINGULAR, hermitian=True) @ mean)


def _matrix(spread: tuple[float, float, float]) -> Floats:
    return np.array([[spread[0], spread[1]], [spread[1], spread[2]]])


def slope_of(probability: Floats, correct: Floats, clusters: NDArray[np.intp] | None = None) -> tuple[Estimate, float | None]:
    """The fitted slope with a clustered interval; and the log loss in nats per answer that the fitted line saves on these answers, less
    what a line saves by chance (1 / n), so it may be negative. Arguments as in `recalibration`.

    Below 1 the probabilities are too far from one half, above 1 too close. No value where answers are all right, all wrong, or all have
    the same probability.
    """
    n = len(probability)
    cells = coarse(cells_of(correct, clipped(probability, CLIP)))
    if not 0 < cells.accuracy < 1 or cells.constant:
        why = "all probabilities are equal" if cells.constant else f"all {n} answers are {'right' if cells.accuracy else 'wrong'}"
        return Estimate(None, n=n, reason=f"{why}: no slope"), None
    columns = np.column_stack([np.ones(len(cells.value)), logits(cells.value, CLIP)])
    line = maximised(columns, cells.n, cells.right)
    given = np.column_stack([np.ones(n), logits(np.asarray(probability), CLIP)])
    se = float(np.sqrt(_sums(given, expit(given @ line), correct, clusters).spread[2]))
    saved = (_cost(columns[:, 1], cells.n, cells.right) - _cost(columns @ line, cells.n, cells.right)) / n
    slope = float(line[1])
    return Estimate(slope, slope - Z * se, slope + Z * se, n), saved - 1 / n


def _cost(eta: Floats, n: Floats, right: Floats) -> float:
    return float(n @ np.logaddexp(0, eta) - right @ eta)
