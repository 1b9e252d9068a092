"""Expected score when the target is itself uncertain: t drawn from a Beta distribution of stakes.

Every proper score is such an average. With U(t) the mean score of "answer iff confidence > t" and a the accuracy:
Brier = a - 2 int (1 - t) U(t) dt, log loss = int (a - U(t)) / t dt, and int U(t) dt is the BAS (Savage 1971, Schervish 1989).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln, hyp2f1

from wager.errors import UsageError
from wager.metrics.cells import Cells

__all__ = ["expected_score"]


def expected_score(cells: Cells, alpha: float = 1.0, beta: float = 1.0) -> float:
    """Mean score over t ~ Beta(alpha, beta), exactly (no grid); unit: one correct answer, at most 1.

    A right answer of confidence s earns P(t < s); a wrong one loses E[t / (1 - t), t < s]. Beta(1, 1) is the BAS of Wu et al.: s for a
    right answer, ``s + ln(1 - s)`` for a wrong one.

    Args:
        cells: the answers.
        alpha, beta: shape of the distribution of stakes, both > 0; a large alpha means that mistakes are usually expensive.

    Returns:
        Minus infinity where a wrong answer has confidence 1 and beta <= 1.

    Raises:
        UsageError: alpha or beta is not above 0.

    >>> from wager.metrics.cells import cells_of
    >>> expected_score(cells_of([1], [0.7]))
    0.7
    """
    if not (alpha > 0 and beta > 0):
        raise UsageError(f"a Beta distribution of stakes needs alpha > 0 and beta > 0, got {alpha:g} and {beta:g}")
    if not cells.size:
        return float("nan")
    s, wrong = cells.value, cells.wrong
    gain = cells.right * betainc(alpha, beta, s)
    loss = wrong[wrong > 0] * _odds_below(s[wrong > 0], alpha, beta)
    return float((gain.sum() - loss.sum()) / cells.size)


def _odds_below(s: NDArray[np.float64], alpha: float, beta: float) -> NDArray[np.float64]:
    """E[t / (1 - t); t < s] = B(s; alpha + 1, beta - 1) / B(alpha, beta), also where beta <= 1."""
    if beta > 1:
        return np.asarray(betainc(alpha + 1, beta - 1, s) * np.exp(betaln(alpha + 1, beta - 1) - betaln(alpha, beta)))
    if alpha == beta == 1:
        with np.errstate(divide="ignore"):
            return np.asarray(-s - np.log1p(-s))
    inside = np.where(s < 1, s, 0.5)
    part = inside ** (alpha + 1) / (alpha + 1) * hyp2f1(alpha + 1, 2 - beta, alpha + 2, inside) / np.exp(betaln(alpha, beta))
    return np.where(s < 1, part, np.inf)
