"""What length and rarity of the words alone would tell: the baseline that a probe must beat before it may be called self-knowledge.

Invented names are often longer and rarer than real ones, and a model's activations hold both. The surface features are cross-fitted on the
same held-out questions and phrasings as the probe, and the two are compared on the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError, UsageError
from wager.metrics.results import Estimate
from wager.steering.held_out import Fold, binary, coded, fit_logistic, phrasing_folds, question_folds, within_auroc, within_difference
from wager.steering.probe import SHRINKAGE, Method, held_out_scores

__all__ = ["Baseline", "Beside", "Comparison", "baseline", "beside", "compare", "compare_direction", "compare_scores", "surface_features"]

Array = NDArray[np.float64]

RIDGE = 1e-2
"""Penalty of the combination's weights, on features with standard deviation 1: almost none."""

Verdict = Literal["more than surface form", "no more than surface form"]


def surface_features(
    texts: Sequence[str],
    *,
    tokens: Sequence[Sequence[int]] | Callable[[str], Sequence[int]],
    rarity: Callable[[int], float] | None = None,
) -> dict[str, Array]:
    """Length and rarity of each text: ``subwords``, ``characters``, ``mean token rarity``; shapes (N,).

    Args:
        texts: the subjects, or the whole prompts, as the model gets them (a leading blank changes its tokens).
        tokens: the token ids of each text, or what gives them.
        rarity: of a token id, higher is rarer, such as minus its log frequency. None takes ``ln(1 + id)``: byte-pair vocabularies are
            numbered in the order in which their parts were merged, frequent ones first, so this is a stand-in and no measurement.

    Raises:
        UsageError: not one list of tokens for each text.
        DataError: a text without tokens, or a rarity that is not finite.

    >>> surface_features(["Lima"], tokens=[[0, 0]])["subwords"].tolist()
    [2.0]
    """
    ids = [list(tokens(text)) for text in texts] if callable(tokens) else [list(one) for one in tokens]
    if len(ids) != len(texts):
        raise UsageError(f"{len(texts)} texts take one list of tokens each, got {len(ids)}")
    if empty := sum(not one for one in ids):
        raise DataError(f"{empty} of {len(texts)} texts have no tokens; a blank subject has no surface form")
    told = rarity or (lambda token: math.log1p(token))
    rare = np.array([float(np.mean([told(token) for token in one])) for one in ids])
    if not np.isfinite(rare).all():
        raise DataError("a token's rarity is not a finite number; give unseen tokens a frequency of one half or so")
    return {
        "subwords": np.array([float(len(one)) for one in ids]),
        "characters": np.array([float(len(text)) for text in texts]),
        "mean token rarity": rare,
    }


@dataclass(frozen=True)
class Baseline:
    """What surface form tells, within held-out parts."""

    features: Mapping[str, Estimate]
    """By feature, its AUROC as it is (below 0.5: less of it means positive), within strata."""
    score: Array
    """Shape (N,), the combination's held-out log-odds."""
    stratum: NDArray[np.intp]
    """Shape (N,), which held-out part."""
    auroc: Estimate
    """Of the combination, over pairs within strata."""


def baseline(
    labels: ArrayLike,
    features: Mapping[str, ArrayLike],
    *,
    groups: Sequence[Hashable] | ArrayLike,
    hold: Literal["phrasing", "question"],
    questions: Sequence[Hashable] | ArrayLike | None = None,
    seed: int = 0,
) -> Baseline:
    """AUROC of each surface feature and of their cross-fitted logistic combination, on the folds that a probe gets with the same arguments.

    Args:
        labels: shape (N,).
        features: by name, shape (N,), finite.
        groups, hold, questions, seed: as in `wager.steering.probe.held_out_scores`.

    Raises:
        UsageError: shapes or labels do not do.
        DataError: a feature is not finite.
    """
    marks = binary(labels)
    columns = _columns(features, len(marks))
    phrasings, asked = coded(groups, len(marks), "phrasing"), coded(questions, len(marks), "question")
    make = phrasing_folds(marks, phrasings, asked, seed=seed) if hold == "phrasing" else question_folds(marks, asked, seed=seed)
    score, stratum = np.empty(len(marks)), np.empty(len(marks), dtype=np.intp)
    for fold in make:
        score[fold.test], stratum[fold.test] = _combined(columns, marks, fold), fold.stratum

    def told(values: Array) -> Estimate:
        return within_auroc(marks, values, stratum, clusters=asked, seed=seed)

    return Baseline({name: told(columns[:, at]) for at, name in enumerate(features)}, score, stratum, told(score))


def _columns(features: Mapping[str, ArrayLike], count: int) -> Array:
    if not features:
        raise UsageError("a baseline needs at least one surface feature")
    made = [np.asarray(values, dtype=np.float64) for values in features.values()]
    for name, values in zip(features, made, strict=True):
        if values.shape != (count,):
            raise UsageError(f"the feature {name!r} has shape {values.shape}, {count} rows take one value each")
        if not np.isfinite(values).all():
            raise DataError(f"the feature {name!r} holds a value that is not finite")
    return np.column_stack(made)


def _combined(columns: Array, labels: NDArray[np.bool_], fold: Fold) -> Array:
    """Log-odds of the test rows; a feature that does not vary among the training rows is left out."""
    seen = columns[fold.train]
    spread = seen.std(axis=0)
    used = spread > 1e-12 * np.maximum(1.0, np.abs(seen).max(axis=0))
    middle, scale = seen.mean(axis=0)[used], spread[used]
    fit = fit_logistic((seen[:, used] - middle) / scale, labels[fold.train].astype(np.float64), ridge=RIDGE)
    return fit.logit((columns[fold.test][:, used] - middle) / scale)


@dataclass(frozen=True)
class Beside:
    """A probe and the baseline on the same held-out rows."""

    probe: Estimate
    """AUROC of the probe."""
    baseline: Estimate
    """AUROC of the surface features together."""
    difference: Estimate
    """Probe minus baseline, with a paired bootstrap over questions."""

    @property
    def verdict(self) -> Verdict:
        """``more than surface form`` only if the interval of the difference is above 0."""
        return "more than surface form" if self.difference.low is not None and self.difference.low > 0 else "no more than surface form"


def beside(
    labels: ArrayLike,
    probe: ArrayLike,
    surface: ArrayLike,
    *,
    strata: Sequence[Hashable] | ArrayLike,
    questions: Sequence[Hashable] | ArrayLike | None = None,
    seed: int = 0,
) -> Beside:
    """Sets held-out scores of a probe beside those of surface form.

    The bootstrap takes the fits as given: that other phrasings might be chosen is not in it, so a few phrasings say little of others.

    Args:
        labels, probe, surface: shape (N,); scores of the same rows, on any increasing scales.
        strata: shape (N,), which rows may be compared with each other.
        questions: shape (N,), what is independent; None: every row.
    """
    marks = binary(labels)
    ours, theirs = np.asarray(probe, dtype=np.float64), np.asarray(surface, dtype=np.float64)
    if ours.shape != marks.shape or theirs.shape != marks.shape:
        raise UsageError(f"{len(marks)} rows take one score of each kind, got shapes {ours.shape} and {theirs.shape}")
    parts, asked = coded(strata, len(marks), "stratum"), coded(questions, len(marks), "question")
    return Beside(
        within_auroc(marks, ours, parts, clusters=asked, seed=seed),
        within_auroc(marks, theirs, parts, clusters=asked, seed=seed),
        within_difference(marks, theirs, ours, parts, clusters=asked, seed=seed),
    )


@dataclass(frozen=True)
class Comparison:
    """A probe beside surface form."""

    questions: Beside | None
    """On held-out questions of phrasings that were seen; None where only phrasings were held out."""
    phrasings: Beside | None
    """On held-out phrasings (and questions), pairs within one; None where none could be held out."""
    pooled: Beside | None
    """On held-out phrasings, all pairs: what one threshold meets; None where none could be held out."""
    features: Mapping[str, Estimate]
    """AUROC of each surface feature within phrasings, or within held-out questions where no phrasing could be held out."""

    @property
    def verdict(self) -> Verdict:
        """``more than surface form`` only if all that were measured say so."""
        every = {one.verdict for one in (self.questions, self.phrasings, self.pooled) if one is not None}
        return "more than surface form" if every == {"more than surface form"} else "no more than surface form"


def compare(
    activations: ArrayLike,
    labels: ArrayLike,
    features: Mapping[str, ArrayLike],
    *,
    groups: Sequence[Hashable] | ArrayLike,
    questions: Sequence[Hashable] | ArrayLike | None = None,
    blocks: Sequence[int] | None = None,
    method: Method = "whitened",
    shrinkage: float = SHRINKAGE,
    ridge: float = 1.0,
    seed: int = 0,
) -> Comparison:
    """What a probe of these activations shows beyond surface form; its block is chosen anew without each held-out part.

    Args:
        activations: shape (N, L, D).
        features: as `surface_features` gives them.
        labels, groups, questions, blocks, method, shrinkage, ridge, seed: as in `wager.steering.probe.fit_probe`.
    """
    made: dict[str, tuple[Beside, Baseline]] = {}
    holds: tuple[Literal["phrasing", "question"], ...] = ("question", "phrasing")
    for hold in holds:
        probe = held_out_scores(
            activations,
            labels,
            groups=groups,
            questions=questions,
            blocks=blocks,
            method=method,
            shrinkage=shrinkage,
            ridge=ridge,
            hold=hold,
            seed=seed,
        )
        surface = baseline(labels, features, groups=groups, questions=questions, hold=hold, seed=seed)
        made[hold] = beside(labels, probe.score, surface.score, strata=probe.stratum, questions=questions, seed=seed), surface
        if hold == "phrasing":
            pooled = beside(labels, probe.score, surface.score, strata=np.zeros(len(probe.score)), questions=questions, seed=seed)
    return Comparison(made["question"][0], made["phrasing"][0], pooled, made["phrasing"][1].features)


def compare_scores(
    score: ArrayLike,
    labels: ArrayLike,
    features: Mapping[str, ArrayLike],
    *,
    groups: Sequence[Hashable] | ArrayLike,
    questions: Sequence[Hashable] | ArrayLike | None = None,
    seed: int = 0,
) -> Comparison:
    """What scores show beyond surface form, shape (N,), each by a fit without its phrasing. Other arguments as in `compare`."""
    surface = baseline(labels, features, groups=groups, questions=questions, hold="phrasing", seed=seed)
    strata = np.asarray(groups), np.zeros(len(surface.score))
    within, pooled = (beside(labels, score, surface.score, strata=one, questions=questions, seed=seed) for one in strata)
    return Comparison(None, within, pooled, surface.features)


def compare_direction(
    score: ArrayLike,
    labels: ArrayLike,
    features: Mapping[str, ArrayLike],
    *,
    groups: Sequence[Hashable] | ArrayLike | None = None,
    questions: Sequence[Hashable] | ArrayLike | None = None,
    seed: int = 0,
) -> Comparison:
    """What projections onto a direction that comes from other rows show beyond surface form.

    Nothing of the direction is fitted here, only the surface features are: questions, and then phrasings, are held out of those fits.

    Args:
        score: shape (N,), finite; higher is to mean 1.
        labels, features, questions, seed: as in `compare`.
        groups: shape (N,), the phrasing of each row; None, or phrasings that cannot be held out, leave ``phrasings`` and ``pooled`` None.

    Raises:
        UsageError: shapes or labels do not do, or fewer than two questions of a kind.
    """
    one = np.zeros(len(np.asarray(labels)), dtype=np.intp)
    seen = baseline(labels, features, groups=one, questions=questions, hold="question", seed=seed)
    asked = beside(labels, score, seen.score, strata=seen.stratum, questions=questions, seed=seed)
    if groups is None:
        return Comparison(asked, None, None, seen.features)
    try:
        told = compare_scores(score, labels, features, groups=groups, questions=questions, seed=seed)
    except UsageError:  # one phrasing, or a kind that stands in one of them only
        return Comparison(asked, None, None, seen.features)
    return Comparison(asked, told.phrasings, told.pooled, told.features)
