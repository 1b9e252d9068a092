"""Labelled rows and the directions read from them: whitened, mean difference, logistic; each from the products of the rows alone.

Templates move activations more than what is asked does, and by different amounts, so that rows of one template can all lie above those of
another. A threshold for templates that nobody has seen must not read these offsets. ``whitened`` is Fisher's direction with the pooled
covariance shrunk towards a multiple of the identity: ``((1 - s) S + s tr(S) / D I)^-1 (m1 - m0)``. S holds the differences between the
training templates, so the direction turns away from them (Fisher 1936; Ledoit & Wolf 2004 for the shrinkage). At s = 1 it is the difference
of the two means.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import UsageError
from wager.steering.directions import checked_rows
from wager.steering.held_out import Fold, binary, coded, fit_logistic, phrasing_folds, question_folds, within_auroc

__all__ = ["Choice", "Hold", "Method", "Rows", "best_block"]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Labels = NDArray[np.bool_]

Method = Literal["whitened", "mean difference", "logistic"]
Hold = Literal["phrasing", "question"]

INNER = 5
"""Parts that the phrasings of a fold's training rows are put into for its own choice of a block."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Labelled rows with the products of their activations: a fit costs what its rows cost, whatever the width."""

    gram: Array
    """Products of the centred rows by block, shape (L, N, N)."""
    width: int
    """D."""
    labels: Labels
    phrasings: Codes
    questions: Codes
    method: Method
    shrinkage: float
    """Of `whitened`, in (0, 1]."""
    ridge: float
    """Of `logistic`, greater than 0."""
    seed: int

    @classmethod
    def of(
        cls,
        activations: ArrayLike,
        labels: ArrayLike,
        groups: Sequence[Hashable] | ArrayLike,
        questions: Sequence[Hashable] | ArrayLike | None,
        *,
        method: Method,
        shrinkage: float,
        ridge: float,
        seed: int,
    ) -> tuple[Rows, Array]:
        """The rows, checked, and their activations as float64, shape (N, L, D).

        Raises:
            UsageError: shapes, labels, phrasings or an option do not do.
            DataError: activations are not finite.
        """
        given = checked_rows(activations, "probe")
        if method not in get_args(Method):
            raise UsageError(f"a method is one of {', '.join(map(repr, get_args(Method)))}, got {method!r}")
        if not 0 < shrinkage <= 1:
            raise UsageError(f"a shrinkage is greater than 0 and at most 1, got {shrinkage!r}")
        if not ridge > 0:
            raise UsageError(f"a ridge is greater than 0, got {ridge!r}")
        marks, phrasings = binary(labels, len(given)), coded(groups, len(given), "phrasing")
        if not any(0 < marks[phrasings == one].sum() < (phrasings == one).sum() for one in np.unique(phrasings)):
            raise UsageError(
                "no phrasing has rows of both kinds: what tells them apart could be the phrasing; ask both kinds in the same words"
            )
        centred = (given - given.mean(axis=0)).transpose(1, 0, 2)
        rows = cls(
            gram=centred @ centred.transpose(0, 2, 1),
            width=given.shape[2],
            labels=marks,
            phrasings=phrasings,
            questions=coded(questions, len(given), "question"),
            method=method,
            shrinkage=shrinkage,
            ridge=ridge,
            seed=seed,
        )
        return rows, given

    def fit(self, train: Codes) -> tuple[Array, Array, Array]:
        """The direction of length 1 as a combination of the rows, shape (L, N), its parts summing to 0; middle and spread, shapes (L,).

        ``middle``: halfway between the kinds' mean projections of the training rows; ``spread``: the standard deviation of all of these.
        """
        made = self._combination(train)
        length = np.sqrt(np.maximum(0.0, (made * _times(self.gram, made)).sum(axis=1)))
        zero = length <= 1e-9 * np.sqrt(np.trace(self.gram, axis1=1, axis2=2)) * np.abs(made).sum(axis=1)
        made = np.where(zero[:, None], 0.0, made / np.where(zero, 1.0, length)[:, None])
        along, ones = _times(self.gram[:, train], made), self.labels[train]
        middle = (along[:, ones].mean(axis=1) + along[:, ~ones].mean(axis=1)) / 2
        spread = along.std(axis=1)
        return made, middle, np.where(spread > 0, spread, 1.0)

    def scored(self, fold: Fold) -> Array:
        """Scores z of the fold's test rows, shape (L, n); 0 where there is no direction."""
        made, middle, spread = self.fit(fold.train)
        along = _times(self.gram[:, fold.test], made)
        return np.where(np.asarray(made.any(axis=1))[:, None], (along - middle[:, None]) / spread[:, None], 0.0)

    def folds(self, hold: Hold) -> list[Fold]:
        """What is held out, and what is fitted without it."""
        if hold == "phrasing":
            return phrasing_folds(self.labels, self.phrasings, self.questions, seed=self.seed)
        return question_folds(self.labels, self.questions, seed=self.seed)

    def inside(self, train: Codes) -> list[Fold]:
        """Folds among the training rows of a fold, by phrasing (`INNER` parts of them at most) where that can be, else by question."""
        labels, questions = self.labels[train], self.questions[train]
        parts = np.unique(self.phrasings[train], return_inverse=True)[1] % INNER
        try:
            made = phrasing_folds(labels, parts, questions, folds=2, seed=self.seed)
        except UsageError:
            made = question_folds(labels, questions, seed=self.seed)
        return [Fold(train[one.train], train[one.test], one.stratum) for one in made]

    def _combination(self, train: Codes) -> Array:
        """Weights of the rows by block, shape (L, N)."""
        if self.method == "mean difference":
            return np.tile(_contrast(self.labels, self.phrasings, train), (len(self.gram), 1))
        made = np.zeros(self.gram.shape[:2])
        if self.method == "whitened":
            made[:, train] = self._whitened(self.gram[:, train[:, None], train], self.labels[train])
        else:
            for at, block in enumerate(self.gram):
                made[at, train] = self._logistic(block[np.ix_(train, train)], self.labels[train])
        return made

    def _whitened(self, gram: Array, labels: Labels) -> Array:
        """Woodbury's form of the module's formula: one system of n x n per block in place of D x D, shape (L, n); its length is free.

        With C that takes each kind's mean out of its rows, K = C G C the products of what is left, c = 1/n1 or -1/n0 and
        l = s tr(K) / (n D): ``w = X' (c - (1-s)/n (l I + (1-s)/n K)^-1 C G c) / l``.
        """
        n = len(labels)
        kinds = np.stack([labels / labels.sum(), ~labels / (~labels).sum()])  # (2, n): products with it are the kinds' means
        own = np.where(labels, 0, 1)
        contrast = kinds[0] - kinds[1]
        left = gram - (kinds @ gram)[:, own]
        left -= (left @ kinds.T)[:, :, own]
        right = gram @ contrast
        right -= (right @ kinds.T)[:, own]
        trace = np.trace(left, axis1=1, axis2=2)
        penalty = self.shrinkage * trace / (n * self.width)
        left *= (1 - self.shrinkage) / n
        left[:, np.arange(n), np.arange(n)] += np.where(penalty > 0, penalty, 1.0)[:, None]  # 0: rows of a kind are all alike
        solved = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        return np.asarray(contrast - (1 - self.shrinkage) / n * solved)

    def _logistic(self, gram: Array, labels: Labels) -> Array:
        """Ridge logistic regression by its dual; a penalty of 1 is scikit-learn's C = 1 on activations with mean square 1."""
        middle = np.eye(len(labels)) - 1 / len(labels)
        values, vectors = np.linalg.eigh(middle @ gram @ middle)
        kept = values > 1e-10 * max(values[-1], 1e-300)
        if not kept.any():
            return np.zeros(len(labels))
        roots, basis = np.sqrt(values[kept]), vectors[:, kept]
        scale = math.sqrt(values.clip(0).sum() / (len(values) * self.width))  # makes the penalty the same whatever units they have
        found = fit_logistic(basis * roots / scale, labels.astype(np.float64), ridge=self.ridge)
        return np.asarray(middle @ (basis @ (found.weights / roots)))


def _times(gram: Array, parts: Array) -> Array:
    """Projections by block, shapes (L, n, N) and (L, N) to (L, n)."""
    return np.asarray((gram @ parts[:, :, None])[:, :, 0])


def _contrast(labels: Labels, phrasings: Codes, train: Codes) -> Array:
    """Weights of rows, shape (N,), that give the mean difference within phrasings: positives sum to 1, negatives to -1.

    Phrasings weigh as in a regression with a term for each, n m / (n + m); where none has both kinds, it is the plain difference.
    """
    made = np.zeros(len(labels))
    for phrasing in np.unique(phrasings[train]):
        rows = train[phrasings[train] == phrasing]
        ones, others = rows[labels[rows]], rows[~labels[rows]]
        if ones.size and others.size:
            weight = 1 / (ones.size + others.size)
            made[ones], made[others] = others.size * weight, -ones.size * weight
    if not made.any():
        made[train] = np.where(labels[train], 1 / labels[train].sum(), -1 / (~labels[train]).sum())
    return np.asarray(made / made[made > 0].sum())


@dataclass(frozen=True)
class Choice:
    """Which block tells the kinds apart best where one threshold serves all held-out rows."""

    at: int
    """Its place among the blocks."""
    pooled: tuple[float | None, ...]
    """By block, AUROC over all pairs of held-out rows: what the choice is by."""
    within: tuple[float | None, ...]
    """By block, AUROC over the pairs of one held-out part each."""
    scores: Array
    """Shape (L, N); NaN where a row was not held out."""


def best_block(rows: Rows, folds: list[Fold]) -> Choice:
    """The choice from the folds' held-out scores; between equal blocks, the one whose kinds lie further apart."""
    scores = np.full((len(rows.gram), len(rows.labels)), np.nan)
    strata = np.full(len(rows.labels), -1)
    for fold in folds:
        scores[:, fold.test], strata[fold.test] = rows.scored(fold), fold.stratum
    used = strata >= 0
    labels, tried = rows.labels[used], scores[:, used]
    pooled = tuple(within_auroc(labels, one, np.zeros(len(labels), dtype=np.intp), resamples=0).value for one in tried)
    within = tuple(within_auroc(labels, one, strata[used], resamples=0).value for one in tried)
    keys = [
        (-1.0 if value is None else round(value, 9), _apart(labels, one), -at)
        for at, (value, one) in enumerate(zip(pooled, tried, strict=True))
    ]
    return Choice(-max(keys)[2], pooled, within, scores)


def _apart(labels: Labels, scores: Array) -> float:
    """Distance of the means over the spread, rounded: what decides between blocks of one AUROC."""
    spread = math.sqrt((scores[labels].var() + scores[~labels].var()) / 2)
    return round((scores[labels].mean() - scores[~labels].mean()) / spread, 6) if spread > 0 else 0.0
