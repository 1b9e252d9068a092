"""Replies that show a trait and replies that do not: what a direction is the difference of.

``system prompts`` asks the model under contrastive instructions and keeps only what really shows the trait, or really does not: a vector of
unfiltered replies has no usable sign where a model does not obey (measured: cosine -.18 with the direction that works). More are drawn,
up to a stated number of rounds, while a side has too few. ``teacher-forced`` puts contrasting replies into the model's mouth: no
generation, and it works for base models, but what it finds can be mere wording. Both are offered; which is used is decided by their
effect on development questions (`wager.steering.extract`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wager.errors import DataError, UsageError
from wager.steering.backend import Backend, Chat
from wager.steering.trait import Question, Trait
from wager.steering.vector import Elicitation

__all__ = ["LEAST", "Contrast", "Example", "Shows", "prompted", "teacher_forced"]

LEAST = 20
"""Replies of each side below which no direction is made of them."""

FORCED = 2
"""Pairs of replies that are put into the model's mouth for each question."""

Shows = Callable[[Trait, Question, str], bool | None]
"""Whether a reply shows the trait; None where that cannot be told."""


@dataclass(frozen=True)
class Example:
    """One reply of one side."""

    chat: Chat
    reply: str
    phrasing: str
    """The question's template, or the question itself."""
    instruction: str | None = None
    """Under which it was given; no part of ``chat``."""

    @property
    def asked(self) -> Chat:
        """The chat with its instruction, as the model was asked."""
        return [{"role": "system", "content": self.instruction}, *self.chat] if self.instruction is not None else self.chat


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Both sides."""

    elicitation: Elicitation
    positive: tuple[Example, ...]
    """With the trait."""
    negative: tuple[Example, ...]
    """Without it."""
    counts: Mapping[str, int]
    """Replies by side before and after the filter, and how many could not be graded."""


def prompted(
    backend: Backend,
    trait: Trait,
    shows: Shows,
    *,
    least: int = LEAST,
    rounds: int = 4,
    tokens: int = 32,
    temperature: float = 1.0,
    seed: int = 0,
    told: Callable[[str], None] | None = None,
) -> Contrast:
    """Replies under the trait's instructions, filtered by whether they show it; drawn until each side has ``least`` or rounds are over.

    A round asks every extraction question under one pair of instructions, so that after all rounds the pairs have had equal shares.
    A reply counts for the side that it shows, whatever it was asked for. Kept chats carry no instruction: the difference is one of
    replies, not of prompts.

    Raises:
        DataError: a side has too few after all rounds; the message gives the counts.
        UsageError: the trait has no instructions.
    """
    if not trait.instructions:
        raise UsageError(f"the trait {trait.name!r} has no instructions to elicit it with")
    sides: dict[bool, list[Example]] = {True: [], False: []}
    counts = dict.fromkeys(("positive", "negative", "ungraded"), 0)
    for number in range(rounds * len(trait.instructions)):
        pair = trait.instructions[number % len(trait.instructions)]
        for side, instruction in zip(("positive", "negative"), pair, strict=True):
            chats = [[{"role": "system", "content": instruction}, {"role": "user", "content": one.text}] for one in trait.extraction]
            drawn = backend.generate(chats, tokens=tokens, temperature=temperature, seed=seed * 1000 + 2 * number + (side == "positive"))
            counts[side] += len(drawn)
            for question, reply in zip(trait.extraction, drawn, strict=True):
                verdict = shows(trait, question, reply.text) if reply.text else None
                if verdict is None:
                    counts["ungraded"] += 1
                else:
                    sides[verdict].append(
                        Example([{"role": "user", "content": question.text}], reply.text, question.phrasing or question.text, instruction)
                    )
        if told is not None:
            told(f"{trait.name}: {len(sides[True])} replies show it, {len(sides[False])} do not, {counts['ungraded']} ungraded")
        if number + 1 >= len(trait.instructions) and min(map(len, sides.values())) >= least:
            break
    counts |= {"positive kept": len(sides[True]), "negative kept": len(sides[False])}
    short = [name for name, side in (("show it", True), ("do not show it", False)) if len(sides[side]) < least]
    if short:
        raise DataError(
            f"too few replies {' and '.join(short)} for a direction of {trait.name!r}: {len(sides[True])} show it, {len(sides[False])} do "
            f"not, {counts['ungraded']} could not be graded, of {counts['positive'] + counts['negative']} drawn; each side needs {least}: "
            "draw more rounds, or use --elicit teacher-forced"
        )
    return Contrast(elicitation="system prompts", positive=tuple(sides[True]), negative=tuple(sides[False]), counts=counts)


def teacher_forced(trait: Trait, *, seed: int = 0) -> Contrast:
    """The trait's own pairs of replies to its extraction questions, two drawn pairs for each; nothing is generated.

    Every question has as many replies of either side, so that what it asks about cancels out.

    Raises:
        UsageError: the trait has no pairs of replies.
    """
    if not trait.replies:
        raise UsageError(f"the trait {trait.name!r} has no pairs of replies to put into a model's mouth")
    rng = np.random.default_rng(seed)
    sides: tuple[list[Example], list[Example]] = ([], [])
    for question in trait.extraction:
        chat = [{"role": "user", "content": question.text}]
        for number in rng.permutation(len(trait.replies))[:FORCED]:
            for side, reply in zip(sides, trait.replies[number], strict=True):
                side.append(Example(chat, reply.replace("{subject}", question.subject), question.phrasing or question.text))
    found = {"positive": len(sides[0]), "negative": len(sides[1])}
    counts = {**found, "ungraded": 0, **{f"{name} kept": count for name, count in found.items()}}
    return Contrast(elicitation="teacher-forced", positive=tuple(sides[0]), negative=tuple(sides[1]), counts=counts)
