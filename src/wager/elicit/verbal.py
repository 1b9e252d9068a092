"""A confidence in words: which shade a reply says, where, and what it is about.

`wager.elicit.said` finds the shades; here it is decided which of them is about the answer. A reply without a shade has no confidence
(``absent``): a plain answer is not confidence 1, and "I don't know" is an abstention, no shade. Words are one source of confidence
(`ConfidenceSource.VERBAL`) and want to be learned for each model.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wager.elicit.lexicon import DEFAULT_SHADES, Act, Shade, Shades
from wager.elicit.said import Said, find_shades

__all__ = ["DEFAULT_SHADES", "SHADE_REQUEST", "SHADE_VERSION", "Said", "Shade", "Shades", "Verbal", "find_shades", "verbal_confidence"]

SHADE_VERSION = "shades.1"
"""Name of the wording below. Any change to a character of it gets a new name."""

SHADE_REQUEST = "How sure are you? Reply with one of: I'm confident. I'm fairly sure. I'm not certain. I need to look this up."
"""Asked after the answer, in the same conversation, so that asking does not change the answer."""

Problem = Literal["absent", "negated", "contradictory"]


@dataclass(frozen=True)
class Verbal:
    """What a reply says in words about its own confidence."""

    value: float | None
    """The shade's probability in [0, 1]; None if no shade can be told, or only an act."""
    shade: str | None = None
    """Name of the shade; that of the act where there is no other."""
    start: int | None = None
    """First character of the last words that say it."""
    end: int | None = None
    """One past the last of them."""
    act: Act | None = None
    """``look_up`` if the reply says so anywhere, beside a shade or alone."""
    problem: Problem | None = None
    """Why there is no value (an act alone is no problem): ``absent``, ``negated`` or ``contradictory``."""


SURENESS = re.compile(r"\b(?:un)?(?:sure|certain|confident|convinced|confidence|certainty)\b", re.IGNORECASE)
"""Words for one's own sureness: they outweigh "I think" and "probably" beside them."""
OWN = re.compile(rf"^(?:i|my|we|as far|to (?:my|the best))\b|{SURENESS.pattern}", re.IGNORECASE)
"""Words that are about what the reply itself claims, wherever they stand in it."""
MARKED = re.compile(r"\banswer(?: is\b| ?[:=])|\\boxed|<answer>", re.IGNORECASE)
ENDS = re.compile(r"[.!?]+[\"')\]*]*(?=\s|$)|[\n;。！？]")


def verbal_confidence(text: str, shades: Shades = DEFAULT_SHADES, *, answer: str | None = None) -> Verbal:
    """What a reply says in words about its own confidence.

    Reasoning up to ``</think>`` is not read. Where it can be told which sentences hold the answer, words that may be about anything
    ("unlikely", "maybe") count only there; a sentence of a shade alone counts as one of these. Where the rest says one shade, that is
    it. Where it says several, first those in the answer's sentences count, then words of one's own sureness before others ("I'm not
    certain, but it's probably Paris" is "not certain"); if they still differ, the reply is ``contradictory``.

    Args:
        text: the whole reply, or the reply to `SHADE_REQUEST`.
        shades: the shades to read, with the values they have for this model.
        answer: the answer as read from the reply, to find its sentence; without it a marked one ("the answer is") is looked for.

    >>> verbal_confidence("I'm not certain, but Paris.").value
    0.4
    >>> verbal_confidence("Paris.").problem
    'absent'
    >>> verbal_confidence("I need to look this up.").act
    'look_up'
    """
    offset = text.rfind("</think>") + len("</think>") if "</think>" in text else 0
    view = text[offset:] if text[offset:].strip() else text
    offset = len(text) - len(view)
    found = find_shades(view, shades)
    acting = [said for said in found if said.shade and shades[said.shade].act]
    act = shades[acting[-1].shade or ""].act if acting else None
    told = [said for said in found if not (said.shade and shades[said.shade].act)]
    near = _on_the_answer(told, view, answer)
    if near is not None:
        on_it = set(near)
        told = [said for said in told if said in on_it or OWN.search(view, said.start, said.end)]
    if not told:
        if not acting:
            return Verbal(None, problem="absent")
        return Verbal(None, acting[-1].shade, acting[-1].start + offset, acting[-1].end + offset, act)
    for kept in (told, near or told, [said for said in near or told if SURENESS.search(view, said.start, said.end)]):
        told = kept or told
        if len({said.shade for said in told}) == 1:
            name, span = told[-1].shade, (told[-1].start + offset, told[-1].end + offset)
            if name is None:
                return Verbal(None, None, *span, act, "negated")
            return Verbal(shades[name].value, name, *span, act)
    return Verbal(None, None, told[-1].start + offset, told[-1].end + offset, act, "contradictory")


def _on_the_answer(told: Sequence[Said], view: str, answer: str | None) -> list[Said] | None:
    """The shades in the sentences that hold the answer, and those that are a sentence by themselves; None if the answer is not found."""
    sought = re.compile(rf"(?<!\w){re.escape(answer.strip())}(?!\w)", re.IGNORECASE) if answer and answer.strip() else MARKED
    bounds = [0, *(match.end() for match in ENDS.finditer(view)), len(view) + 1]
    holds = {bisect.bisect_right(bounds, match.start()) for match in sought.finditer(view)}
    if not holds:
        return None
    kept = []
    for said in told:
        at = bisect.bisect_right(bounds, said.start)
        around = view[max(bounds[at - 1], said.start - 20) : said.start] + view[said.end : min(bounds[at], said.end + 20)]
        if at in holds or not any(letter.isalnum() for letter in around):
            kept.append(said)
    return kept
