"""Watching a trait: projections before a word is said, at each token and over the reply; what they are worth; drift; a column for data.

A projection is a number in the activations' own units. What it means is told by graded outcomes (`calibrated`): how well it tells replies
with the trait from others, on questions and on phrasings that were held out, and which probability it stands for.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from wager.errors import DataError, ModelError, UsageError
from wager.metrics.calibration import brier, ece
from wager.metrics.discrimination import auroc
from wager.metrics.intervals import mean_estimate
from wager.metrics.results import Estimate
from wager.steering.backend import Backend, Chat, ModelIdentity, Pool, Reply, Watch
from wager.steering.held_out import Fold, binary, coded, phrasing_folds, question_folds, within_auroc
from wager.steering.probe import Probe, platt
from wager.steering.vector import Vector

__all__ = [
    "UNKNOWN",
    "WRONG",
    "Calibrated",
    "Drift",
    "HeldOut",
    "Monitored",
    "as_confidence",
    "calibrated",
    "drift",
    "monitor",
    "screen",
    "watch_of",
]

Array = NDArray[np.float64]
Unknown = float | None

WRONG = "the reply is wrong"
"""What a probe must tell for `as_confidence`; then 1 - P is calibrated as far as the probe is."""
UNKNOWN = "the subject is unknown"
"""The other thing that it may tell: 1 - P then orders replies and needs a calibration of its own."""


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """Projections of one direction, one place for each chat."""

    name: str
    """Of the vector's trait, or of the probe."""
    block: int
    """Where it was read."""
    replies: tuple[str, ...]
    """What was said: by the model, or as given."""
    before: tuple[float, ...]
    """Of the last token before the reply: known before a word is said."""
    tokens: tuple[tuple[float, ...], ...] | None
    """Of each token of the reply; None for given replies (`wager.steering.reply_tokens` reads them)."""
    pieces: tuple[tuple[str, ...], ...] | None
    """The tokens' texts, in the same places."""
    mean: tuple[Unknown, ...]
    """Over the reply's tokens; None where the reply is empty."""
    last: tuple[Unknown, ...]
    """Of its last token; None where the reply is empty."""

    @property
    def empty(self) -> int:
        """Replies without a token: they have no mean."""
        return sum(one is None for one in self.mean)

    def at(self, pool: Pool) -> tuple[Unknown, ...]:
        """The projections of one pool; those that a probe of that pool reads."""
        found: dict[str, tuple[Unknown, ...]] = {"prompt_last": self.before, "reply_mean": self.mean, "reply_last": self.last}
        if pool not in found:
            raise UsageError(f"a pool is one of {', '.join(found)}, got {pool!r}")
        return found[pool]


def watch_of(source: Vector | Probe, block: int | None, model: ModelIdentity) -> Watch:
    """The direction to watch, of a vector or a probe that fits the model.

    Raises:
        UsageError: it does not fit the model, or a probe is to be read at another block than its own.
    """
    source.check_for(model)
    if isinstance(source, Probe):
        if block not in (None, source.block):
            raise UsageError(f"the probe {source.name!r} reads block {source.block}, got {block}")
        return source.watch()
    chosen, _ = source.at(block)
    return Watch(source.card.trait, chosen, source.unit(chosen))


def _read(backend: Backend, chats: Sequence[Chat], replies: Sequence[str] | None, line: Watch, pool: Pool) -> Array:
    """Projections of a pool, shape (N,)."""
    if not chats:
        return np.zeros(0)
    found = backend.read(chats, replies, pool=pool, blocks=[line.block])
    if not np.isfinite(found).all():
        raise DataError(f"{backend.identity.name} has activations that are not finite at block {line.block}")
    unit = np.asarray(line.direction, dtype=np.float64)
    return np.asarray(found[:, 0].astype(np.float64) @ (unit / np.linalg.norm(unit)))


def monitor(
    backend: Backend,
    chats: Sequence[Chat],
    replies: Sequence[str] | None,
    source: Vector | Probe,
    *,
    block: int | None = None,
    tokens: int = 64,
    temperature: float = 0.0,
    seed: int = 0,
) -> Monitored:
    """Projections of the last prompt token, of each reply token and of the reply's mean.

    Args:
        backend: the model.
        chats: what comes before each reply.
        replies: what is said; None lets the model write, and gives the projection of each token.
        source: whose direction is read; a vector at its card's block unless ``block`` says another.
        tokens, temperature, seed: of what the model writes.

    Raises:
        UsageError: the source is of another model, or not one reply for each chat.
        ModelError: the backend recorded another number of projections than the reply has tokens.
    """
    line = watch_of(source, block, backend.identity)
    if replies is None:
        return _written(backend.generate(chats, watches=[line], tokens=tokens, temperature=temperature, seed=seed), line)
    if len(replies) != len(chats):
        raise UsageError(f"{len(chats)} chats take one reply each, got {len(replies)}")
    before = _read(backend, chats, None, line, "prompt_last")
    kept = [at for at, reply in enumerate(replies) if reply]
    some, said = [chats[at] for at in kept], [replies[at] for at in kept]
    mean, last = (_spread(_read(backend, some, said, line, pool), kept, len(chats)) for pool in _OF_REPLY)
    return Monitored(
        name=line.name,
        block=line.block,
        replies=tuple(replies),
        before=tuple(before.tolist()),
        tokens=None,
        pieces=None,
        mean=mean,
        last=last,
    )


_OF_REPLY: tuple[Pool, Pool] = ("reply_mean", "reply_last")


def _spread(values: Array, places: Sequence[int], count: int) -> tuple[Unknown, ...]:
    found: list[Unknown] = [None] * count
    for at, value in zip(places, values.tolist(), strict=True):
        found[at] = value
    return tuple(found)


def _written(replies: Sequence[Reply], line: Watch) -> Monitored:
    every: list[list[float]] = []
    for at, reply in enumerate(replies):
        seen = np.asarray(reply.watched.get(line.name, ()), dtype=np.float64)
        if seen.shape != (len(reply.tokens) + 1,):
            raise ModelError(f"reply {at} has {len(reply.tokens)} tokens and {seen.size} projections; one more than tokens was expected")
        if not np.isfinite(seen).all():
            raise DataError(f"reply {at} has a projection that is not finite at block {line.block}")
        every.append(seen.tolist())
    return Monitored(
        name=line.name,
        block=line.block,
        replies=tuple(reply.text for reply in replies),
        before=tuple(one[0] for one in every),
        tokens=tuple(tuple(one[1:]) for one in every),
        pieces=tuple(reply.tokens for reply in replies),
        mean=tuple(float(np.mean(one[1:])) if len(one) > 1 else None for one in every),
        last=tuple(one[-1] if len(one) > 1 else None for one in every),
    )


@dataclass(frozen=True)
class HeldOut:
    """What a projection is worth on what its map has not seen."""

    auroc: Estimate
    """How well the projection itself orders: over all pairs for questions, over the pairs of one phrasing each for phrasings."""
    ece: Estimate
    """Calibration error of the held-out probability."""
    brier: Estimate
    """Its Brier score."""


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A projection against graded outcomes."""

    slope: float
    """Of the logit of the probability on the projection, at least 0; 0 where more of it does not mean more of what was graded."""
    intercept: float
    """Of that logit."""
    n: int
    """Rows with a projection and a verdict."""
    ungraded: int
    """Rows left out because they have no verdict."""
    unread: int
    """Rows left out because they have no projection (an empty reply), among the graded."""
    questions: HeldOut
    """On held-out questions."""
    phrasings: HeldOut
    """On held-out phrasings."""

    def probability(self, projection: ArrayLike) -> Array:
        """Of what was graded, in (0, 1), from projections of any shape."""
        return np.asarray(expit(self.slope * np.asarray(projection, dtype=np.float64) + self.intercept))


def calibrated(
    projections: Sequence[Unknown] | ArrayLike,
    shown: Sequence[bool | None],
    *,
    groups: Sequence[Hashable] | ArrayLike,
    questions: Sequence[Hashable] | ArrayLike | None = None,
    seed: int = 0,
) -> Calibrated:
    """Holds projections against graded outcomes: AUROC, calibration error and the map to a probability.

    The direction is taken as given: read it from other questions than these.

    Args:
        projections: shape (N,), of one direction and one pool; None where there is none.
        shown: shape (N,), whether the reply showed the trait (or was wrong, ...); None where that could not be told.
        groups: shape (N,), the phrasing of each row. With one phrasing, what is told of held-out phrasings has no value and says why.
        questions: shape (N,), what is independent; None: every row.
        seed: of the folds and of the bootstrap.

    Raises:
        UsageError: shapes do not fit, one kind only, or fewer than two questions of a kind.
        DataError: a projection is not finite.
    """
    given = list(projections)  # type: ignore[arg-type]  # whatever gives one value a row
    if len(given) != len(shown):
        raise UsageError(f"{len(given)} projections take one verdict each, got {len(shown)}")
    graded = [verdict is not None for verdict in shown]
    kept = np.asarray([at for at, one in enumerate(given) if graded[at] and one is not None], dtype=np.intp)
    x = np.asarray([given[at] for at in kept], dtype=np.float64)
    if not np.isfinite(x).all():
        raise DataError("a projection is not a finite number; an unknown one is None")
    labels = binary([bool(shown[at]) for at in kept])
    phrasings = coded(groups, len(given), "phrasing")[kept]
    asked = coded(questions, len(given), "question")[kept]
    out = len(given) - len(kept)
    slope, intercept = platt(x, labels)
    order = auroc(labels, x, clusters=asked, n_excluded=out)
    return Calibrated(
        slope=slope,
        intercept=intercept,
        n=len(kept),
        ungraded=graded.count(False),
        unread=graded.count(True) - len(kept),
        questions=_held_out(x, labels, question_folds(labels, asked, seed=seed), order, asked, out),
        phrasings=_by_phrasing(x, labels, phrasings, asked, out, seed),
    )


def _held_out(x: Array, labels: NDArray[np.bool_], folds: list[Fold], order: Estimate, asked: NDArray[np.intp], out: int) -> HeldOut:
    found = np.empty(len(x))
    for fold in folds:
        slope, intercept = platt(x[fold.train], labels[fold.train])
        found[fold.test] = expit(slope * x[fold.test] + intercept)
    right = labels.astype(np.float64)
    return HeldOut(order, ece(right, found, n_excluded=out), brier(right, found, clusters=asked, n_excluded=out))


def _by_phrasing(x: Array, labels: NDArray[np.bool_], phrasings: NDArray[np.intp], asked: NDArray[np.intp], out: int, seed: int) -> HeldOut:
    try:
        folds = phrasing_folds(labels, phrasings, asked, seed=seed)
    except UsageError as error:
        none = Estimate(None, n=len(x), n_excluded=out, reason=str(error))
        return HeldOut(none, none, none)
    found = within_auroc(labels, x, phrasings, clusters=asked, seed=seed)
    order = Estimate(found.value, found.low, found.high, found.n, out, found.reason)
    return _held_out(x, labels, folds, order, asked, out)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far a fine-tuned model has moved along a direction, on the same texts."""

    mean: Estimate
    """Mean of tuned minus base, in the activations' own units; positive is towards the trait."""
    relative: float | None
    """The same over the median length of activations there, by the vector's card; None where the card has none."""
    each: tuple[float, ...]
    """Tuned minus base of each chat."""
    block: int
    pool: Pool


def drift(
    base: Backend,
    tuned: Backend,
    chats: Sequence[Chat],
    replies: Sequence[str] | None,
    vector: Vector,
    *,
    block: int | None = None,
    pool: Pool = "reply_mean",
    questions: Sequence[Hashable] | ArrayLike | None = None,
) -> Drift:
    """Mean projection of the tuned model minus that of its base, paired by chat; both read the same words.

    Args:
        base, tuned: of one family (blocks, width, tokens).
        chats, replies: what both read; replies may be None for ``prompt_last``.
        vector: read from the base.
        block: the vector's own if None.
        questions: shape (N,), what is independent; None: every chat.

    Raises:
        UsageError: the vector does not fit one of them, no chats, or a reply that is empty.
    """
    vector.check_for(base.identity)
    line = watch_of(vector, block, tuned.identity)
    if not chats:
        raise UsageError("drift is measured on at least one chat")
    moved = _read(tuned, chats, replies, line, pool) - _read(base, chats, replies, line, pool)
    found = mean_estimate(moved, clusters=None if questions is None else coded(questions, len(moved), "question"))
    length = vector.card.norms.get(line.block)
    assert found.value is not None, "there is at least one chat"  # noqa: S101
    return Drift(mean=found, relative=found.value / length if length else None, each=tuple(moved.tolist()), block=line.block, pool=pool)


def screen(
    backend: Backend,
    rows: Sequence[tuple[Chat, str]],
    vector: Vector,
    *,
    block: int | None = None,
    tokens: int = 64,
    samples: int = 1,
    temperature: float | None = None,
    seed: int = 0,
) -> dict[str, list[float | int | None]]:
    """For each row of a training set, how much more of the trait its reply holds than what the model itself would say.

    Columns, one place for each row: ``projection`` (of the data's reply, its mean), ``own`` (mean over the model's own replies),
    ``difference``, ``own_samples`` (own replies with a token). None where a reply is empty, or all of the model's own are. All replies are
    read in the same way, also the model's own (Chen et al. 2025, sec. 6: training on replies with a large difference brings the trait).

    Args:
        rows: a chat and the data's reply to it.
        samples: own replies to each chat.
        temperature: 0 for one sample and 1 for several if None.

    Raises:
        UsageError: the vector does not fit, or fewer than one sample.
    """
    line = watch_of(vector, block, backend.identity)
    if samples < 1:
        raise UsageError(f"a row is compared with at least 1 reply of the model, got {samples}")
    warmth = (0.0 if samples == 1 else 1.0) if temperature is None else temperature
    chats = [chat for chat, _ in rows]
    theirs = _means(backend, chats, [reply for _, reply in rows], line)
    drawn = []
    for turn in range(samples if rows else 0):
        said = backend.generate(chats, tokens=tokens, temperature=warmth, seed=seed + turn)
        drawn.append(_means(backend, chats, [one.text for one in said], line))
    mine = [[value for one in drawn if (value := one[at]) is not None] for at in range(len(rows))]
    own: list[Unknown] = [float(np.mean(values)) if values else None for values in mine]
    gap = [None if a is None or b is None else a - b for a, b in zip(theirs, own, strict=True)]
    return {"projection": list(theirs), "own": list(own), "difference": list(gap), "own_samples": [len(values) for values in mine]}


def _means(backend: Backend, chats: Sequence[Chat], replies: Sequence[str], line: Watch) -> tuple[Unknown, ...]:
    kept = [at for at, reply in enumerate(replies) if reply]
    return _spread(_read(backend, [chats[at] for at in kept], [replies[at] for at in kept], line, "reply_mean"), kept, len(chats))


def as_confidence(probe: Probe, projection: ArrayLike) -> Array:
    """A probe's 1 - P as a confidence in [0, 1], higher is surer, of its projections of any shape: for the source ``probe``.

    Raises:
        UsageError: the probe tells something else than `WRONG` or `UNKNOWN`.
    """
    if probe.what not in (WRONG, UNKNOWN):
        raise UsageError(f"a confidence comes from a probe of {WRONG!r} or {UNKNOWN!r}; {probe.name!r} tells {probe.what!r}")
    return np.asarray(1.0 - probe.probability_at(projection))
