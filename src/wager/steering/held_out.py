"""What is held out while something is fitted: whole questions, or whole phrasings; and what is told from the scores of the held-out rows.

A direction that was read from questions of one template finds that template again, so a row is scored by a fit that has seen neither its
question nor (for phrasings) its template. Scores of different folds come from different fits: pairs are compared within a fold or a
phrasing only (`within_auroc`), where an offset between fits cannot help or harm.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from wager.errors import DataError, UsageError
from wager.metrics.intervals import wilson
from wager.metrics.results import Estimate

__all__ = [
    "RESAMPLES",
    "Fold",
    "Logistic",
    "binary",
    "coded",
    "fit_logistic",
    "phrasing_folds",
    "question_folds",
    "within_auroc",
    "within_difference",
]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

RESAMPLES = 2000
"""Bootstrap resamples of an interval."""
FEWEST = 5
"""Questions of each kind below which a bootstrap interval would claim too much; there is none."""


@dataclass(frozen=True)
class Fold:
    """One fit: which rows it sees, and which it is tried on."""

    train: Codes
    """Row numbers, increasing."""
    test: Codes
    """Row numbers, increasing; no question of these is among the others."""
    stratum: int
    """Which held-out part this is: the fold, or the phrasing."""


def coded(values: Sequence[Hashable] | ArrayLike | None, count: int, what: str) -> Codes:
    """A number for each row, equal for equal labels, by the labels' order; None gives each row its own, shape (N,).

    Raises:
        UsageError: not one label for each row.
    """
    if values is None:
        return np.arange(count)
    labels = np.asarray(values)
    if labels.shape != (count,):
        raise UsageError(f"{count} rows take one {what} each, got shape {labels.shape}")
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.intp)


def binary(labels: ArrayLike, count: int | None = None) -> NDArray[np.bool_]:
    """The labels as booleans, shape (N,).

    Raises:
        UsageError: another shape, a label other than 0 and 1, or one kind only.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or (count is not None and len(given) != count):
        raise UsageError(f"{'' if count is None else f'{count} rows take '}one label each, got shape {given.shape}")
    if not np.isin(given, (0, 1)).all():
        raise UsageError("a label is 0 or 1 (or False or True); leave rows without one out and count them")
    found = given.astype(np.bool_)
    if found.all() or not found.any():
        raise UsageError(f"labels are all {int(found.all())}: rows of both kinds are needed")
    return found


def question_folds(labels: NDArray[np.bool_], questions: Codes, *, folds: int = 5, seed: int = 0) -> list[Fold]:
    """Each question is held out once, with all of its rows; both kinds of questions are spread evenly. The order of rows is irrelevant.

    Args:
        labels: shape (N,).
        questions: shape (N,), numbers by `coded`.
        folds: at most so many; fewer where a kind has fewer questions.

    Raises:
        UsageError: fewer than two questions of a kind.
    """
    place = _dealt(labels, questions, folds, seed)
    return [Fold(np.flatnonzero(place != fold), np.flatnonzero(place == fold), fold) for fold in range(int(place.max()) + 1)]


def phrasing_folds(labels: NDArray[np.bool_], phrasings: Codes, questions: Codes, *, folds: int = 5, seed: int = 0) -> list[Fold]:
    """Each phrasing is held out once; where its questions also come in other phrasings, these are held out with it, some at a time.

    Raises:
        UsageError: fewer than two phrasings, or a fit would see rows of one kind only.
    """
    names = np.unique(phrasings)
    if len(names) < 2:
        raise UsageError("holding out a phrasing takes at least two of them, got 1; ask the same in other words")
    made: list[Fold] = []
    for name in names:
        inside = phrasings == name
        if not np.isin(questions[~inside], questions[inside]).any():
            made.append(Fold(np.flatnonzero(~inside), np.flatnonzero(inside), int(name)))
            continue
        place = _dealt(labels, questions, folds, seed)
        for fold in range(int(place.max()) + 1):
            test = np.flatnonzero(inside & (place == fold))
            if test.size:
                made.append(Fold(np.flatnonzero(~inside & ~np.isin(questions, questions[test])), test, int(name)))
    for one in made:
        if not 0 < labels[one.train].sum() < len(one.train):
            raise UsageError("without one of the phrasings there are rows of one kind only; each kind is needed in at least two phrasings")
    return made


def _dealt(labels: NDArray[np.bool_], questions: Codes, folds: int, seed: int) -> Codes:
    """The fold of each row: questions of each kind are shuffled and dealt out."""
    rng = np.random.default_rng(seed)
    share = np.bincount(questions, weights=labels) / np.maximum(1, np.bincount(questions))
    kinds = [np.unique(questions[(share >= 0.5)[questions] == kind]) for kind in (False, True)]
    fewest = min(len(kind) for kind in kinds)
    if fewest < 2:
        raise UsageError(f"holding out questions takes at least two of each kind, got {fewest}")
    place = np.zeros(int(questions.max()) + 1, dtype=np.intp)
    for kind in kinds:
        place[rng.permutation(kind)] = np.arange(len(kind)) % min(folds, fewest)
    return np.asarray(place[questions])


@dataclass(frozen=True)
class Logistic:
    """``sigmoid(columns @ weights + intercept)``."""

    weights: Array
    """Shape (P,)."""
    intercept: float

    def logit(self, columns: Array) -> Array:
        """Shape (N, P) to (N,)."""
        return np.asarray(columns @ self.weights + self.intercept)


def fit_logistic(columns: Array, target: Array, *, ridge: float) -> Logistic:
    """Newton's method for ``min sum log-loss + ridge |weights|^2 / 2``, the intercept free; as scikit-learn's with ``C = 1 / ridge``.

    Args:
        columns: shape (N, P).
        target: shape (N,), in [0, 1].
        ridge: > 0, which keeps weights finite where a line parts the two kinds.
    """
    wide = np.column_stack([columns, np.ones(len(columns))])
    penalty = np.full(wide.shape[1], ridge)
    penalty[-1] = 0.0
    found = np.zeros(wide.shape[1])

    def loss(at: Array) -> float:
        eta = wide @ at
        return float(np.logaddexp(0, eta).sum() - target @ eta + penalty @ at**2 / 2)

    now = loss(found)
    for _ in range(100):
        p = expit(wide @ found)
        slope = wide.T @ (target - p) - penalty * found
        curve = (wide * (p * (1 - p))[:, None]).T @ wide + np.diag(penalty + 1e-12)
        step = np.linalg.solve(curve, slope)
        length = 1.0
        while (after := loss(found + length * step)) > now + 1e-12 * abs(now) and length > 1e-9:
            length /= 2
        found, now = found + length * step, after
        if float(slope @ step) <= 1e-16 * len(target):
            break
    return Logistic(found[:-1], float(found[-1]))


def _wins(scores: Array, labels: NDArray[np.bool_], strata: Codes) -> list[tuple[Codes, Codes, Array]]:
    """By stratum with both kinds: rows of each kind, and who has the higher score, shape (m, k); ties are one half."""
    made = []
    for stratum in np.unique(strata):
        ones, others = np.flatnonzero((strata == stratum) & labels), np.flatnonzero((strata == stratum) & ~labels)
        if ones.size and others.size:
            gap = scores[ones][:, None] - scores[others][None, :]
            made.append((ones, others, (gap > 0) + 0.5 * (gap == 0)))
    return made


def _weighed(wins: list[tuple[Codes, Codes, Array]], weights: Array) -> Array:
    """AUROC over the pairs within strata, for each row of weights, shape (B, N) to (B,); NaN without a pair."""
    won, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for ones, others, table in wins:
        won += ((weights[:, ones] @ table) * weights[:, others]).sum(axis=1)
        pairs += weights[:, ones].sum(axis=1) * weights[:, others].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(won / pairs)


def _drawn(labels: NDArray[np.bool_], clusters: Codes, resamples: int, seed: int) -> Array:
    """Weights of rows in each resample of clusters, shape (B, N); clusters of each kind are drawn among themselves."""
    rng = np.random.default_rng(seed)
    share = np.bincount(clusters, weights=labels) / np.maximum(1, np.bincount(clusters))
    weights = np.zeros((resamples, len(share)))
    for kind in (False, True):
        names = np.unique(clusters[(share >= 0.5)[clusters] == kind])
        weights[:, names] = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return weights[:, clusters]


def _few(labels: NDArray[np.bool_], clusters: Codes) -> str | None:
    """Why there is no interval, or None."""
    counts = [len(np.unique(clusters[labels == kind])) for kind in (True, False)]
    return None if min(counts) >= FEWEST else f"{min(counts)} questions of one kind give no interval; {FEWEST} are needed"


def within_auroc(
    labels: NDArray[np.bool_],
    scores: Array,
    strata: Codes,
    *,
    clusters: Codes | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """AUROC over the pairs of one stratum each: what tells rows of a phrasing apart, whatever phrasings differ in. In [0, 1].

    The interval is a bootstrap over questions (percentiles); where every resample says the same, Wilson's with the size of the rarer kind.

    Args:
        labels, scores: shape (N,); finite scores, any increasing scale.
        strata: shape (N,), which rows may be compared.
        clusters: shape (N,), the question of each row; None: every row is one.
        resamples: 0 gives no interval, only the value.

    Raises:
        DataError: a score is not finite.
    """
    if not np.isfinite(scores).all():
        raise DataError("a score is not a finite number; leave out what is unknown and count it")
    wins = _wins(scores, labels, strata)
    if not wins:
        return Estimate(None, n=len(labels), reason="no part has rows of both kinds: there is nothing to tell apart")
    named = np.arange(len(labels)) if clusters is None else clusters
    value = float(_weighed(wins, np.ones((1, len(labels))))[0])
    if resamples == 0:
        return Estimate(value, n=len(labels), reason="no interval was asked for")
    if why := _few(labels, named):
        return Estimate(value, n=len(labels), reason=why)
    drawn = _weighed(wins, _drawn(labels, named, resamples, seed))
    drawn = drawn[np.isfinite(drawn)]
    if np.ptp(drawn) < 1e-12:
        rarer = min(len(np.unique(named[labels == kind])) for kind in (True, False))
        return Estimate(value, *wilson(min(1.0, max(0.0, value)), rarer), n=len(labels))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Estimate(value, min(value, float(low)), max(value, float(high)), n=len(labels))


def within_difference(
    labels: NDArray[np.bool_],
    a: Array,
    b: Array,
    strata: Codes,
    *,
    clusters: Codes | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """`within_auroc` of b minus that of a, in [-1, 1], with a paired bootstrap over questions: both are read from the same resample."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError("a score is not a finite number; leave out what is unknown and count it")
    one, other = _wins(a, labels, strata), _wins(b, labels, strata)
    if not one:
        return Estimate(None, n=len(labels), reason="no part has rows of both kinds: there is nothing to tell apart")
    named = np.arange(len(labels)) if clusters is None else clusters
    plain = np.ones((1, len(labels)))
    value = float(_weighed(other, plain)[0] - _weighed(one, plain)[0])
    if why := _few(labels, named):
        return Estimate(value, n=len(labels), reason=why)
    weights = _drawn(labels, named, resamples, seed)
    drawn = _weighed(other, weights) - _weighed(one, weights)
    low, high = np.quantile(drawn[np.isfinite(drawn)], (0.025, 0.975))
    return Estimate(value, min(value, float(low)), max(value, float(high)), n=len(labels))
