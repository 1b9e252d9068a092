"""Several confidences in one answer's favour: a logistic model of their logits, fitted on other graded answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from wager.errors import DataError, UsageError
from wager.metrics.cells import checked
from wager.policy.entries import known_keys, number, numbers, texts, whole
from wager.policy.folding import deal, predicted
from wager.policy.logistic import logits, maximised, usual_clip

__all__ = ["Combination", "crossfitted_combination"]

Floats = NDArray[np.float64]

RIDGE = 1.0
"""Penalty on half the squared weight of each source, its logits scaled to a standard deviation of 1: as scikit-learn's by default."""


@dataclass(frozen=True)
class Combination:
    """``sigmoid(intercept + sum_j weight_j logit(s_j))``.

    A source may get a negative weight: given the others, it may speak against the answer. An answer that lacks a source has no combined
    confidence: NaN in an array, and never a guess from the rest.
    """

    kind: ClassVar[str] = "combination"
    sources: tuple[str, ...] = ()
    """Names of the confidences, sorted; empty before it is fitted."""
    weights: tuple[float, ...] = ()
    """One for each source, per logit."""
    intercept: float = 0.0
    """Logit of an answer all of whose confidences are one half."""
    clips: tuple[float, ...] = ()
    """By source: distance from 0 and 1 within which confidences are not told apart (see `wager.policy.logistic.usual_clip`)."""
    n: int = 0
    """Graded answers that it was fitted on."""
    n_missing: int = 0
    """Answers left out of the fit because they lack a source."""

    def fit(self, confidences: Mapping[str, ArrayLike], correct: ArrayLike) -> Self:
        """A new, fitted instance.

        Args:
            confidences: by source, shape (N,) each, in [0, 1]; NaN where an answer has none.
            correct: shape (N,), credit in [0, 1].

        Raises:
            UsageError: no source.
            DataError: shapes differ, a value is outside [0, 1], or the complete answers are all right, or all wrong, or none.
        """
        sources = tuple(sorted(str(name) for name in confidences))
        table, right, whole_ = _complete(confidences, sources, correct)
        table, right = table[whole_], right[whole_]
        if not len(right) or not 0 < right.mean() < 1:
            raise DataError(f"{len(right)} answers have all of {', '.join(sources)}, and not both right and wrong ones; grade more answers")
        order = np.lexsort((*table.T, right))  # sums are made in one order, whatever the order of rows
        table, right = table[order], right[order]
        clips = tuple(usual_clip(column) for column in table.T)
        x = np.column_stack([logits(column, clip) for column, clip in zip(table.T, clips, strict=True)])
        mean, sd = x.mean(axis=0), x.std(axis=0)
        scale = np.where(sd > 0, sd, 1.0)
        columns = np.column_stack([(x - mean) / scale, np.ones(len(x))])
        found = maximised(columns, np.ones(len(x)), right, np.append(np.full(len(sources), RIDGE / len(x)), 0.0))
        weights = found[:-1] / scale
        return type(self)(sources, tuple(weights.tolist()), float(found[-1] - weights @ mean), clips, len(x), int((~whole_).sum()))

    def transform(self, confidences: Mapping[str, ArrayLike]) -> Floats:
        """Combined probabilities, shape (N,), in [0, 1]; NaN where an answer lacks a source.

        Raises:
            DataError: a source that it was fitted on is absent, or a value outside [0, 1].
            UsageError: it was not fitted.
        """
        if not self.sources:
            raise UsageError("this combination is not fitted; call fit(confidences, correct) and use what it returns")
        table, _, whole_ = _complete(confidences, self.sources, None)
        found = np.full(len(table), np.nan)
        eta = np.full(int(whole_.sum()), self.intercept)
        for column, weight, clip in zip(table[whole_].T, self.weights, self.clips, strict=True):
            eta += weight * logits(column, clip)
        found[whole_] = expit(eta)
        return found

    def at(self, confidences: Mapping[str, float]) -> float:
        """The same for one answer.

        Raises:
            DataError: it lacks a source.
        """
        found = float(self.transform({name: [value] for name, value in confidences.items()})[0])
        if math.isnan(found):
            raise DataError(f"one of the sources {', '.join(self.sources)} has no value: there is no combined confidence")
        return found

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML values."""
        lists = {"sources": list(self.sources), "weights": list(self.weights), "clips": list(self.clips)}
        return {"kind": self.kind, **lists, "intercept": self.intercept, "n": self.n, "n_missing": self.n_missing}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote; DataError names the key that is wrong."""
        at = cls.kind
        known_keys(values, ("kind", *cls.__dataclass_fields__), at)
        if values.get("kind") != cls.kind:
            raise DataError(f"{at}: 'kind' is {values.get('kind')!r}, want {cls.kind!r}")
        sources = texts(values, "sources", at)
        if not sources or len(set(sources)) < len(sources):
            raise DataError(f"{at}: 'sources' is {list(sources)!r}, want one name or more, each once")
        return cls(
            sources,
            numbers(values, "weights", at, length=len(sources)),
            number(values, "intercept", at),
            numbers(values, "clips", at, length=len(sources), low=1e-12, high=0.49),
            whole(values, "n", at),
            whole(values, "n_missing", at),
        )


def _complete(
    confidences: Mapping[str, ArrayLike], sources: tuple[str, ...], correct: ArrayLike | None
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Confidences, shape (N, S), verdicts, and whether an answer has all sources."""
    given = {str(name): np.asarray(values, dtype=np.float64) for name, values in confidences.items()}
    absent = [name for name in sources if name not in given]
    if not sources or absent:
        if not sources:
            raise UsageError("a combination needs at least one source of confidence")
        raise DataError(f"the combination needs a confidence of source {absent[0]!r}; it was fitted on {', '.join(sources)}")
    shapes = {given[name].shape for name in sources}
    if len(shapes) > 1:
        raise DataError(f"the sources have shapes {', '.join(map(str, sorted(shapes)))}; they describe the same answers")
    table = np.column_stack([given[name] for name in sources])
    whole_ = np.asarray(~np.isnan(table).any(axis=1))
    right = np.zeros(len(table)) if correct is None else np.asarray(correct, dtype=np.float64)
    for name in sources:
        checked(right, np.where(np.isnan(given[name]), 0.5, given[name]))  # the rest is checked; what is absent stays absent
    return table, right, whole_


def crossfitted_combination(
    confidences: Mapping[str, ArrayLike],
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    folds: int = 5,
    rng: np.random.Generator | None = None,
) -> Floats:
    """Combined probability of each answer, from a model fitted on the other folds, shape (N,); NaN where an answer lacks a source.

    This is the confidence to measure, calibrate and certify: that of a model fitted on the same answers is too good.

    Args:
        confidences, correct: as in `Combination.fit`.
        clusters: shape (N,), labels of what is independent; they share a fold. None: every answer.
        folds, rng: as in `wager.policy.folding.deal`.
    """
    sources = tuple(sorted(str(name) for name in confidences))
    table, right, whole_ = _complete(confidences, sources, correct)
    labels = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    keys = (*table.T, right) if labels is None else (labels, *table.T, right)
    order = np.lexsort(keys)
    order = order[whole_[order]]
    kept = table[order]
    groups = None if labels is None else np.unique(labels[order], return_inverse=True)[1]
    fold = deal(right[order] >= 0.5, groups, folds=folds, rng=rng)

    def columns(which: NDArray[np.bool_]) -> dict[str, Floats]:
        return dict(zip(sources, kept[which].T, strict=True))

    out = predicted(fold, lambda others, held: Combination().fit(columns(others), right[order][others]).transform(columns(held)))
    found = np.full(len(table), np.nan)
    found[order] = out
    return found
