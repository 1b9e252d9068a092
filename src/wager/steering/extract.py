"""From a trait to a vector: contrasts, the direction at every block, and the block and contrast that work best on development questions.

Separation decides nothing here. A direction can separate its own two sets of replies perfectly, at every block, and steer nothing (the
phrasings repeat); so blocks and kinds of contrast are compared by what a push does to replies to questions that the direction was not read
from. Traits that are about facts are compared by **selectivity**, how much more often the model hedges on what does not exist than on what
does; the others by how much more often they show under a push in the direction of use than under one the other way: a model that shows its
trait always leaves no other room. A vector whose push moves its trait the other way is refused with the figures.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Literal

import numpy as np

from wager.errors import DataError, RunError, UsageError
from wager.steering.backend import Backend, Floats, Pool
from wager.steering.contrast import LEAST, Contrast, Shows, prompted, teacher_forced
from wager.steering.directions import mean_difference, paired_mean_difference, pca_uncentred, split_half
from wager.steering.hedging import broken, hedged
from wager.steering.trait import Grading, Question, Trait
from wager.steering.vector import Card, Elicitation, Vector

__all__ = ["DEPTHS", "DOSE", "TOWARDS", "Extraction", "Tried", "extract", "questions_digest", "vector_of"]

DEPTHS = (0.4, 0.47, 0.54, 0.6, 0.67)
"""Relative depths of the blocks that are tried. Outside of these a push was weak in every trial."""

Separation = Literal["mean difference", "paired mean difference", "pca"]
"""How a direction is made of two sets of activations."""

DOSE = 0.4
"""The dose at which blocks are compared: strong enough to move replies, below where the models tried broke."""

TOWARDS: Mapping[Grading, Literal[-1, 1]] = {
    "commits": -1,
    "certain": -1,
    "correct": 1,
    "plays along": 1,
    "warm": 1,
    "agrees": -1,
    "judge": 1,
}
"""The way each kind of trait is turned in use, and so the way a push is tried."""

ABOUT_FACTS: tuple[Grading, ...] = ("commits", "certain", "correct")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One candidate on the development questions."""

    elicitation: Elicitation
    block: int
    dose: float
    effect: float | None
    """Selectivity, or how much more often the trait shows at this dose than at its opposite, in the direction of use; in [-1, 1]. None if
    nothing could be graded."""
    unknown: float | None
    """Share that hedges on what does not exist, or shows the trait."""
    known: float | None
    """Share that hedges on what exists, or shows the trait at the opposite dose."""
    ungraded: int
    """Replies that could not be graded, broken ones included."""


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """A vector and how it was found."""

    vector: Vector
    tried: tuple[Tried, ...]
    starved: Mapping[str, str]
    """Kinds of contrast that could not be had, with the reason."""
    signs: tuple[float, float]
    """Share of development replies that show the trait when it is pushed down and when it is pushed up, at the chosen block."""


def vector_of(
    backend: Backend,
    contrast: Contrast,
    trait: Trait,
    *,
    pool: Pool = "reply_mean",
    method: Separation = "mean difference",
    seed: int = 0,
) -> Vector:
    """The direction of a contrast at every block, with its stability and the length of the activations.

    Args:
        backend: reads the replies.
        contrast: both sides.
        trait: its name and file go on the card.
        pool: ``reply_mean``, ``reply_last``, or ``prompt_last``: the last token of the prompt with its instruction.
        method: the difference of means; of the questions' own differences, so that each weighs the same and one with replies of one side
            only does not count; or the first uncentred principal component of these.
        seed: of the halvings.

    Raises:
        DataError: the sides do not differ there: teacher-forced replies before the reply, or no question has replies of both sides.
    """
    if pool == "prompt_last" and contrast.elicitation == "teacher-forced":
        raise DataError("before the reply both sides of teacher-forced replies are the same; take system prompts (--elicit prompts)")
    both = (contrast.positive, contrast.negative)
    sides = [
        backend.read([one.asked for one in side], pool=pool)
        if pool == "prompt_last"
        else backend.read([one.chat for one in side], [one.reply for one in side], pool=pool)
        for side in both
    ]
    groups = tuple([one.chat[-1]["content"] for one in side] for side in both)
    if method == "pca":
        found: Floats = pca_uncentred(*sides, *groups)
    elif method == "paired mean difference":
        found = paired_mean_difference(*sides, *groups)
    else:
        found = mean_difference(*sides)
    lengths = np.median(np.linalg.norm(sides[0], axis=2), axis=0)
    made = {"wager": version("wager"), "backend": type(backend).__name__, "seed": str(seed), "date": datetime.date.today().isoformat()}
    card = Card(
        trait=trait.name,
        model=backend.identity,
        method=method,
        elicitation=contrast.elicitation,
        pool=pool,
        norms={block: float(length) for block, length in enumerate(lengths)},
        counts={name: int(count) for name, count in contrast.counts.items()},
        stability=split_half(sides[0], sides[1], (groups[0], groups[1]), np.random.default_rng(seed)),
        hashes={**trait.hashes, "questions": questions_digest(trait.extraction)},
        made=made,
    )
    return Vector({block: np.asarray(direction, dtype=np.float32) for block, direction in enumerate(found)}, card)


def extract(
    backend: Backend,
    trait: Trait,
    shows: Shows,
    *,
    development: Sequence[Question] = (),
    elicitations: Sequence[Elicitation] = ("teacher-forced", "system prompts"),
    blocks: Sequence[int] | None = None,
    dose: float = DOSE,
    method: Separation = "mean difference",
    pool: Pool = "reply_mean",
    least: int = LEAST,
    rounds: int = 4,
    tokens: int = 24,
    seed: int = 0,
    told: Callable[[str], None] | None = None,
) -> Extraction:
    """The vector of a trait, its block and contrast chosen on development questions.

    Args:
        backend: the model.
        trait: what is looked for.
        shows: tells whether a reply shows it.
        development: known and unknown questions for a trait about facts; others are compared on their own second set of questions.
        elicitations: contrasts to try; one that has too few replies is left out and named in `Extraction.starved`.
        blocks: to try; None is those at `DEPTHS`.
        dose: of the comparison.
        method, pool: of the direction.
        least, rounds: of the replies under instructions, see `wager.steering.contrast.prompted`.
        tokens: of a reply.
        seed: of everything drawn.
        told: is given a line of progress at a time.

    Raises:
        UsageError: nothing to try, or no questions to compare on.
        DataError: no contrast could be had.
        RunError: the best candidate moves its trait the wrong way on the development questions.
    """
    facts = trait.grading in ABOUT_FACTS
    asked = list(development if facts else trait.evaluation)
    if facts and not {True, False} <= {one.known for one in asked}:
        raise UsageError(f"the trait {trait.name!r} is about facts: its block is chosen on known and unknown development questions")
    if not asked:
        raise UsageError(f"the trait {trait.name!r} has no evaluation questions to choose a block on")
    places = sorted({round(depth * (backend.identity.blocks - 1)) for depth in DEPTHS}) if blocks is None else sorted(set(blocks))
    vectors: dict[Elicitation, Vector] = {}
    starved: dict[str, str] = {}
    for one in elicitations:
        try:
            contrast = _contrast(backend, trait, shows, one, least=least, rounds=rounds, tokens=tokens, seed=seed, told=told)
            vectors[one] = vector_of(backend, contrast, trait, pool=pool, method=method, seed=seed)
        except DataError as error:
            starved[one] = str(error)
    if not vectors:
        raise DataError("; ".join(starved.values()) or "no kind of contrast was asked for")
    way = TOWARDS[trait.grading]
    before = _measured(backend, None, trait, shows, asked, tokens)

    @functools.cache
    def pushed(name: Elicitation, block: int, at: float) -> _Measured:
        return _measured(backend, vectors[name].push(at, block=block), trait, shows, asked, tokens)

    tried: list[Tried] = []
    for name in vectors:
        for block in places:
            after = pushed(name, block, way * dose)
            back = None if facts else pushed(name, block, -way * dose)
            tried.append(_tried(name, block, way * dose, after, back))
            if told is not None:
                effect = tried[-1].effect
                told(f"{trait.name}: {name}, block {block}: effect {'not graded' if effect is None else f'{effect:+.2f}'}")
    best = max(
        (one for one in tried if one.effect is not None), key=lambda one: (round(one.effect or 0.0, 9), one.unknown or 0.0), default=None
    )
    if best is None:
        why = "; nor were the replies without a push: see to the judge" if before.shown is None else "; try a smaller dose"
        raise RunError(f"no reply to the development questions could be graded under a push of {way * dose:+g}{why}")
    chosen = vectors[best.elicitation]
    signs = tuple(pushed(best.elicitation, best.block, sign * dose).shown for sign in (-1, 1))
    if None in signs or not _agrees(signs, way, before.shown, 1 / len(asked)):
        down, up = map(_share, signs)
        raise RunError(
            f"the direction of {trait.name!r} disagrees with what the model does: pushed down {down} of the development replies show it, "
            f"unpushed {_share(before.shown)}, pushed up {up} (block {best.block}, dose {dose:g}, {best.elicitation})"
        )
    receipts = {
        "development": {"questions": len(asked), "dose": way * dose, "effect": best.effect, "unsteered": before.shown},
        "tried": [{"elicitation": one.elicitation, "block": one.block, "effect": one.effect} for one in tried],
        "starved": dict(starved),
    }
    card = replace(chosen.card, block=best.block, receipts=receipts, hashes={**chosen.card.hashes, "development": questions_digest(asked)})
    return Extraction(
        vector=Vector(chosen.directions, card), tried=tuple(tried), starved=starved, signs=(float(signs[0] or 0), float(signs[1] or 0))
    )


@dataclass(frozen=True)
class _Measured:
    """What replies to the development questions do."""

    shown: float | None
    unknown: float | None
    known: float | None
    ungraded: int


def _measured(backend: Backend, push: object, trait: Trait, shows: Shows, asked: Sequence[Question], tokens: int) -> _Measured:
    chats = [[{"role": "user", "content": one.text}] for one in asked]
    replies = [one.text for one in backend.generate(chats, pushes=push, tokens=tokens)]  # type: ignore[arg-type]
    shown = [None if broken(reply) else shows(trait, question, reply) for question, reply in zip(asked, replies, strict=True)]
    told = [one for one in shown if one is not None]
    hedges: dict[bool, list[bool]] = {True: [], False: []}
    if trait.grading in ABOUT_FACTS:
        for question, reply in zip(asked, replies, strict=True):
            if question.known is not None and not broken(reply) and (one := hedged(reply)) is not None:
                hedges[question.known].append(one)
    return _Measured(_mean(told), _mean(hedges[False]), _mean(hedges[True]), len(asked) - len(told))


def _tried(elicitation: Elicitation, block: int, dose: float, after: _Measured, back: _Measured | None) -> Tried:
    """A push of a trait about facts, or both ways of another (``back`` is the opposite one)."""
    if back is None:
        shares, ungraded, sign = (after.unknown, after.known), after.ungraded, 1
    else:
        shares, ungraded, sign = (after.shown, back.shown), after.ungraded + back.ungraded, 1 if dose > 0 else -1
    effect = None if shares[0] is None or shares[1] is None else sign * (shares[0] - shares[1])
    return Tried(elicitation=elicitation, block=block, dose=dose, effect=effect, unknown=shares[0], known=shares[1], ungraded=ungraded)


def _agrees(signs: Sequence[float | None], way: int, before: float | None, one: float) -> bool:
    """Whether the push in the direction of use moves the share that shows the trait that way, against the other sign, and is not worse
    than no push by more than one question's share (replies that cannot be graded move a share by less than that)."""
    down, up = (share or 0.0 for share in signs)
    return up > down and (before is None or (up >= before - one if way > 0 else down <= before + one))


def _contrast(
    backend: Backend,
    trait: Trait,
    shows: Shows,
    kind: Elicitation,
    *,
    least: int,
    rounds: int,
    tokens: int,
    seed: int,
    told: Callable[[str], None] | None,
) -> Contrast:
    if kind == "teacher-forced":
        return teacher_forced(trait, seed=seed)
    if kind == "system prompts":
        return prompted(backend, trait, shows, least=least, rounds=rounds, tokens=tokens, seed=seed, told=told)
    raise UsageError(f"contrasts are had by 'system prompts' or 'teacher-forced', got {kind!r}")


def _mean(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if values else None


def _share(value: float | None) -> str:
    return "none could be graded" if value is None else f"{value:.2f}"


def questions_digest(questions: Sequence[Question]) -> str:
    """SHA-256 of their texts in order: what a card says that its direction was read, and chosen, on."""
    return hashlib.sha256("\n".join(one.text for one in questions).encode()).hexdigest()
