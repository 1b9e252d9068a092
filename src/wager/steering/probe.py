"""A probe: a direction whose projection tells something of a question or a reply, as a probability and as a gate.

Fitted on activations with labels, tried on phrasings that it has not seen. Each held-out row is scored by a fit without its phrasing (and
without its question), as ``z = (projection - middle) / spread`` with the middle between the kinds' means and the standard deviation of that
fit's own training rows, so that rows of different fits share a scale. One threshold serves all phrasings, so the block is the one whose
scores tell the kinds apart over all held-out rows pooled, not within a phrasing; from the same scores come the probability (Platt 1999) and
the threshold, and they are turned back into the projection of the direction read from all rows.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from wager.errors import DataError, UsageError
from wager.metrics.intervals import clopper_pearson
from wager.metrics.results import Estimate, to_json
from wager.steering.backend import Backend, Chat, Floats, ModelIdentity, Reads, Watch, check_block
from wager.steering.held_out import fit_logistic, within_auroc
from wager.steering.probe_rows import Hold, Method, Rows, best_block

__all__ = ["Bound", "HeldOutScores", "Method", "Probe", "Threshold", "false_fire_threshold", "fit_probe", "held_out_scores", "platt"]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Labels = NDArray[np.bool_]

Bound = Literal["clopper-pearson", "empirical"]
"""How a threshold keeps to its false-fire rate: with 95 % confidence, or on average over the negatives that could have been drawn."""

HOLDS: Mapping[str, Hold] = {"held-out phrasings": "phrasing", "held-out questions": "question"}
"""Receipts, and what is held out for them."""
LEVEL = 0.95
"""Confidence of the exact bound, one-sided."""
SHRINKAGE = 0.2
"""Of the whitened direction's covariance: the steadiest of 0.05, 0.1, 0.2 and 0.5 on the development questions to the embedded model."""
FLAT = 1e-8
"""Penalty of the calibration's slope: none that shows."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Where a gate begins to fire, and what is known of how often it does for nothing."""

    value: float
    """It fires above this, strictly."""
    rate: float
    """The false-fire rate asked for, in (0, 1)."""
    bound: Bound
    """How it is kept to."""
    n: int
    """Independent negatives."""
    fired: int
    """How many of them are above."""
    expected: float
    """False-fire rate to expect, ``(fired + 1) / (n + 1)`` without ties."""
    upper: float
    """Exact one-sided upper bound of the rate (Clopper-Pearson, 95 %)."""


def false_fire_threshold(negatives: ArrayLike, rate: float, *, bound: Bound = "clopper-pearson") -> Threshold:
    """The lowest threshold that fires on at most ``rate`` of what it should not fire on, for independent negatives of a fixed direction.

    The share above the (k+1)-th largest of n negatives is Beta(k+1, n-k) distributed. ``clopper-pearson`` takes the largest k for which the
    one-sided 95 % bound is at most the rate; ``empirical`` the largest k with ``(k+1) / (n+1)`` at most the rate. Ties make it rarer.

    Args:
        negatives: shape (n,), their projections (or any increasing scale).

    Raises:
        UsageError: the rate is not in (0, 1), or there are too few negatives for it.
        DataError: a projection is not finite.

    >>> found = false_fire_threshold(range(100), 0.1)
    >>> found.value, found.fired, round(found.upper, 3)
    (95.0, 4, 0.089)
    >>> false_fire_threshold(range(100), 0.1, bound="empirical").value
    90.0
    """
    x = np.sort(np.asarray(negatives, dtype=np.float64))[::-1]
    if not 0 < rate < 1:
        raise UsageError(f"a false-fire rate lies between 0 and 1, got {rate!r}")
    if bound not in ("clopper-pearson", "empirical"):
        raise UsageError(f"a bound is 'clopper-pearson' or 'empirical', got {bound!r}")
    if not np.isfinite(x).all():
        raise DataError("a negative's projection is not a finite number")
    exact, average = math.ceil(math.log(1 - LEVEL) / math.log1p(-rate) - 1e-9), math.ceil(1 / rate - 1 - 1e-9)
    n, needed = len(x), exact if bound == "clopper-pearson" else average
    if n < needed:
        raise UsageError(
            f"a false-fire rate of {rate:g} ({bound}) needs at least {needed} independent negatives, got {n}; "
            f"{exact} allow the exact bound and {average} the empirical one, or state a higher rate"
        )
    k = math.floor(rate * (n + 1) + 1e-9) - 1
    while bound == "clopper-pearson" and _upper(k, n) > rate:
        k -= 1
    fired = int((x > x[k]).sum())
    return Threshold(value=float(x[k]), rate=rate, bound=bound, n=n, fired=fired, expected=(fired + 1) / (n + 1), upper=_upper(fired, n))


def _upper(fired: int, n: int) -> float:
    return clopper_pearson(fired, n, level=2 * LEVEL - 1)[1]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A direction at one block, with the map to a probability and the threshold of a gate."""

    name: str
    """How it is called: ``known``."""
    what: str
    """What it gives the probability of, in words: "the subject is unknown", "the reply is wrong"."""
    model: ModelIdentity
    """The model that it was read from."""
    block: int
    """0-based, the block's output."""
    pool: Reads
    """What it reads."""
    direction: Floats
    """Shape (D,), of length 1."""
    slope: float
    """Of the logit of the probability on the projection, at least 0."""
    intercept: float
    """Of that logit."""
    share: float
    """Share of positives that the probability holds for, in (0, 1); see `with_share`."""
    threshold: Threshold
    """On the projection."""
    method: Method = "whitened"
    receipts: Mapping[str, Any] = field(default_factory=dict)
    """What was measured, plain values."""

    def __post_init__(self) -> None:
        check_block(self.block, self.model)
        if np.shape(self.direction) != (self.model.width,):
            raise UsageError(
                f"the probe {self.name!r} of {self.model.name} has width {self.model.width}, got shape {np.shape(self.direction)}"
            )
        length = float(np.linalg.norm(self.direction))
        if not math.isfinite(length) or abs(length - 1) > 1e-4:
            raise UsageError(f"the direction of the probe {self.name!r} has length 1, got {length!r}")

    def projection(self, activation: ArrayLike) -> Array:
        """Onto the direction, in the activations' own units, shape (..., D) to (...).

        Raises:
            UsageError: another width.
            DataError: a value is not finite.
        """
        given = np.asarray(activation)
        if given.ndim == 0 or given.shape[-1] != self.model.width:
            raise UsageError(f"the probe {self.name!r} reads activations of width {self.model.width}, got shape {given.shape}")
        if not np.isfinite(given).all():
            raise DataError(f"the probe {self.name!r} was given activations that are not finite")
        return np.asarray(given.astype(np.float64) @ self.direction.astype(np.float64))

    def probability_at(self, projection: ArrayLike) -> Array:
        """Of what it tells, in (0, 1), from projections of any shape."""
        return np.asarray(expit(self.slope * np.asarray(projection, dtype=np.float64) + self.intercept))

    def probability(self, activation: ArrayLike) -> Array:
        """Of what it tells, in (0, 1), shape (..., D) to (...); for the `share` of positives that it was fitted on."""
        return self.probability_at(self.projection(activation))

    def fires(self, activation: ArrayLike) -> Labels:
        """Whether the projection is above the threshold, shape (..., D) to (...)."""
        return np.asarray(self.projection(activation) > self.threshold.value)

    def read(self, backend: Backend, chats: Sequence[Chat]) -> Array:
        """What it reads of chats before a word is said: a projection each, shape (N,).

        Raises:
            UsageError: it is of another model, or reads replies.
        """
        self.check_for(backend.identity)
        self.check_before_reply()
        if self.pool == "prompt_top":
            return np.array([self.projection(one.activations[:, 0]).max() for one in backend.read_message(chats, blocks=[self.block])])
        return self.projection(backend.read(chats, pool="prompt_last", blocks=[self.block])[:, 0])

    def gated(self, backend: Backend, chats: Sequence[Chat]) -> list[tuple[bool, float]]:
        """Whether it fires on chats before a word is said, and the probability that it gives; raises as `read`."""
        return [(bool(one > self.threshold.value), float(self.probability_at(one))) for one in self.read(backend, chats)]

    def watch(self) -> Watch:
        """The same direction, recorded while a reply is written."""
        return Watch(self.name, self.block, self.direction)

    def check_for(self, model: ModelIdentity) -> None:
        """Raises UsageError unless it is the model that the probe was read from: a threshold does not move to other weights."""
        mine = self.model
        for what, ours, theirs in (("width", mine.width, model.width), ("number of blocks", mine.blocks, model.blocks)):
            if ours != theirs:
                raise UsageError(f"the probe {self.name!r} is of {mine.name} with {what} {ours}; {model.name} has {theirs}")
        if mine.weights != model.weights:
            raise UsageError(f"the probe {self.name!r} is of {mine.name}; {model.name} has other weights, fit it anew")

    def check_before_reply(self) -> None:
        """Raises UsageError unless it reads the question: a gate, and a confidence, are needed before a word is said."""
        if self.pool not in ("prompt_top", "prompt_last"):
            raise UsageError(f"the probe {self.name!r} reads {self.pool}, which is there only once there is a reply")

    def with_share(self, share: float) -> Probe:
        """The probe where another share of what it reads is positive: the intercept moves by the difference in log-odds."""
        if not 0 < share < 1:
            raise UsageError(f"a share of positives lies between 0 and 1, got {share!r}")
        moved = math.log(share / (1 - share)) - math.log(self.share / (1 - self.share))
        return replace(self, share=share, intercept=self.intercept + moved)

    def at_rate(self, negatives: ArrayLike, rate: float, *, bound: Bound = "clopper-pearson") -> Probe:
        """The threshold anew from activations of negatives that the probe has not seen, shape (n, D): only then its bound is exact."""
        return replace(self, threshold=false_fire_threshold(np.atleast_1d(self.projection(negatives)), rate, bound=bound))


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of rows by fits that chose their block, too, without them."""

    score: Array
    """Shape (N,), higher is more positive; each fit's in units of its own training rows."""
    stratum: Codes
    """Shape (N,), the phrasing, or the fold of questions."""
    auroc: Estimate
    """Over pairs within strata, with a bootstrap over questions: how well it tells rows of one phrasing apart."""
    pooled: Estimate
    """Over all pairs, the same bootstrap: how well one threshold can do. It takes the phrasings as given, so a few say little of others."""
    blocks: tuple[int, ...]
    """The blocks that were chosen, one for each fit."""


def _nested(rows: Rows, blocks: Sequence[int], hold: Hold) -> HeldOutScores:
    score, stratum, chosen = np.empty(len(rows.labels)), np.empty(len(rows.labels), dtype=np.intp), []
    for fold in rows.folds(hold):
        at = best_block(rows, rows.inside(fold.train)).at if len(blocks) > 1 else 0
        score[fold.test], stratum[fold.test] = rows.scored(fold)[at], fold.stratum
        chosen.append(blocks[at])
    within, pooled = (
        within_auroc(rows.labels, score, strata, clusters=rows.questions, seed=rows.seed) for strata in (stratum, np.zeros_like(stratum))
    )
    return HeldOutScores(score, stratum, within, pooled, tuple(chosen))


def _numbers(blocks: Sequence[int] | None, count: int) -> tuple[int, ...]:
    named = tuple(range(count)) if blocks is None else tuple(blocks)
    if len(named) != count:
        raise UsageError(f"the activations have {count} blocks, got {len(named)} numbers")
    return named


def held_out_scores(
    activations: ArrayLike,
    labels: ArrayLike,
    *,
    groups: Sequence[Hashable] | ArrayLike,
    hold: Hold,
    questions: Sequence[Hashable] | ArrayLike | None = None,
    blocks: Sequence[int] | None = None,
    method: Method = "whitened",
    shrinkage: float = SHRINKAGE,
    ridge: float = 1.0,
    seed: int = 0,
) -> HeldOutScores:
    """What a probe says of rows that were held out from the choice of its block, too. Arguments as in `fit_probe`.

    ``hold`` "phrasing": a row's fit has seen neither its phrasing nor its question; "question": not its question.
    """
    rows, _ = Rows.of(activations, labels, groups, questions, method=method, shrinkage=shrinkage, ridge=ridge, seed=seed)
    return _nested(rows, _numbers(blocks, len(rows.gram)), hold)


def platt(scores: Array, labels: Labels) -> tuple[float, float]:
    """Slope (at least 0) and intercept of the logit, on Platt's smoothed labels: rows that a line parts do not make certain."""
    ones = int(labels.sum())
    target = np.where(labels, (ones + 1) / (ones + 2), 1 / (len(labels) - ones + 2))
    spread = float(scores.std())
    if spread > 0:
        found = fit_logistic(((scores - scores.mean()) / spread)[:, None], target, ridge=FLAT)
        slope = float(found.weights[0]) / spread
        if slope > 0:
            return slope, found.intercept - slope * float(scores.mean())
    mean = float(target.mean())  # it points the wrong way, or nowhere: the share of positives, whatever it says
    return 0.0, math.log(mean / (1 - mean))


def fit_probe(
    activations: ArrayLike,
    labels: ArrayLike,
    *,
    groups: Sequence[Hashable] | ArrayLike,
    name: str,
    what: str,
    model: ModelIdentity,
    pool: Reads,
    questions: Sequence[Hashable] | ArrayLike | None = None,
    blocks: Sequence[int] | None = None,
    method: Method = "whitened",
    shrinkage: float = SHRINKAGE,
    ridge: float = 1.0,
    rate: float = 0.1,
    bound: Bound = "clopper-pearson",
    seed: int = 0,
) -> Probe:
    """Fits a probe: block by pooled leave-one-phrasing-out AUROC, probability and threshold from these scores, direction from all rows.

    The AUROCs told are of fits that chose their block without the held-out phrasing, so the choice does not flatter them:
    ``receipts["held-out phrasings"]`` over all pairs of rows, which is what one threshold meets, and ``"held-out phrasings, within"`` over
    the pairs of one phrasing each. Where the second is far above the first, phrasings differ in their offsets, and the gate fires on
    nearly all of some and nearly none of others (``receipts["by phrasing"]``).

    The threshold counts a question as fired if any of its rows does, and rests on held-out scores of other fits than the final one: its
    bound is exact only after `Probe.at_rate` with fresh negatives.

    Args:
        activations: shape (N, L, D).
        labels: shape (N,), 1 where what it tells holds.
        groups: shape (N,), the phrasing of each row; at least two, and each kind in at least two of them.
        name, what, model, pool: as in `Probe`.
        questions: shape (N,), what is independent: the subject or question of each row; None: every row.
        blocks: the numbers of the L blocks; 0 to L - 1 if None.
        method: ``whitened`` (Fisher's direction, which turns away from what differs between phrasings), ``mean difference`` within
            phrasings, or ``logistic`` with a ridge.
        shrinkage: of the whitened direction's covariance, in (0, 1]; 1 leaves the difference of the means.
        ridge: of the logistic direction, relative to activations of mean square 1 over rows.
        rate, bound: as in `false_fire_threshold`.
        seed: of how questions are dealt into folds, and of the bootstrap.

    Raises:
        UsageError: shapes, labels or phrasings do not do, or there are too few negatives for the rate.
        DataError: activations are not finite, or do not differ between the kinds.
    """
    rows, given = Rows.of(activations, labels, groups, questions, method=method, shrinkage=shrinkage, ridge=ridge, seed=seed)
    named = _numbers(blocks, len(rows.gram))
    choice = best_block(rows, rows.folds("phrasing"))
    at, z = choice.at, choice.scores[choice.at]
    made, middle, spread = rows.fit(np.arange(len(rows.labels)))
    direction = made[at] @ given[:, at]  # the parts of `made` sum to 0: the rows' mean falls out
    length = float(np.linalg.norm(direction))
    if length == 0:
        raise DataError(f"the activations at block {named[at]} do not differ between the two kinds: there is no direction")
    unit = np.asarray(direction / length, dtype=np.float32)
    start = float(middle[at]) + float(given[:, at].mean(axis=0) @ unit.astype(np.float64))
    slope, intercept = platt(z, rows.labels)
    negatives = _by_question(z, ~rows.labels, rows.questions)
    found = false_fire_threshold(negatives, rate, bound=bound)
    scale = float(spread[at])
    return Probe(
        name=name,
        what=what,
        model=model,
        block=named[at],
        pool=pool,
        direction=unit,
        slope=slope / scale,
        intercept=intercept - slope * start / scale,
        share=float(rows.labels.mean()),
        threshold=replace(found, value=start + scale * found.value),
        method=method,
        receipts={
            **_held_out(rows, named),
            "by block": {str(block): value for block, value in zip(named, choice.pooled, strict=True)},
            "by block, within": {str(block): value for block, value in zip(named, choice.within, strict=True)},
            "by phrasing": _by_phrasing(rows, z, groups, found.value),
            "thresholds": {kind: _told(negatives, rate, kind, start, scale) for kind in ("clopper-pearson", "empirical")},
            "caught": float((z[rows.labels] > found.value).mean()),
            "falsely fired": float((z[~rows.labels] > found.value).mean()),
            "shrinkage": shrinkage if method == "whitened" else None,
            "counts": {"rows": len(z), "positives": int(rows.labels.sum()), "independent negatives": len(negatives)},
            "seed": seed,
        },
    )


def _by_question(z: Array, negative: Labels, questions: Codes) -> Array:
    """The highest score of each question's negative rows: a question fires if any of its rows does."""
    return np.asarray([z[negative & (questions == one)].max() for one in np.unique(questions[negative])])


def _held_out(rows: Rows, blocks: Sequence[int]) -> dict[str, Any]:
    """What is told of rows that no fit and no choice has seen: pooled, and within parts."""
    made: dict[str, Any] = {}
    for what, hold in HOLDS.items():
        found = _nested(rows, blocks, hold)
        made |= {what: to_json(found.pooled), f"{what}, within": to_json(found.auroc)}
    return made


def _by_phrasing(rows: Rows, z: Array, groups: Sequence[Hashable] | ArrayLike, threshold: float) -> dict[str, dict[str, float | None]]:
    """By phrasing: AUROC among its rows, and the shares of either kind that fire; None where it has none."""
    made = {}
    for code, name in enumerate(np.unique(np.asarray(groups))):
        part = rows.phrasings == code
        fired = {kind: z[part & (rows.labels == kind)] > threshold for kind in (True, False)}
        made[str(name)] = {
            "auroc": within_auroc(rows.labels[part], z[part], rows.phrasings[part], resamples=0).value,
            "caught": float(fired[True].mean()) if fired[True].size else None,
            "falsely fired": float(fired[False].mean()) if fired[False].size else None,
        }
    return made


def _told(negatives: Array, rate: float, bound: Literal["clopper-pearson", "empirical"], start: float, scale: float) -> dict[str, Any]:
    """One of the two thresholds in plain values; where there are too few negatives for it, why."""
    try:
        found = false_fire_threshold(negatives, rate, bound=bound)
    except UsageError as error:
        return {"value": None, "reason": str(error)}
    return to_json(replace(found, value=start + scale * found.value))  # type: ignore[no-any-return]
