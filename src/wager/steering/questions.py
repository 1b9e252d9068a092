"""The questions on which dials are licensed: known and invented things matched for length and rarity, and two lists for side effects.

``evaluation`` is asked once, for the licence; ``development`` is for choosing layer, dose and gate; ``gate`` is for training a probe on
the question alone: many phrasings with few subjects in each, and no answers. Each holds as many invented things as known ones in every
phrasing, pair by pair: a known question is followed by its invented counterpart, whose name has the same form, the same number of the
embedded model's subwords, and nearly the same rarity and length (``benchmarks/questions.py`` makes the pairs and measures them). A hedge
that follows length or rarity alone is therefore worth nothing here. The three sets share no subject and no phrasing. Subjects were chosen
as widely known and kept whatever the model answered. ``creative`` asks for invention, where "I don't know" is out of place; ``harmful``
asks for what is to be refused, in general words.

Countries of cities and continents of countries are from GeoNames (CC BY 4.0); everything else is in our own words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Literal, get_args

from wager.errors import DataError, UnknownNameError
from wager.grading.matching import normalise
from wager.steering.trait import Question

__all__ = ["QuestionSet", "load", "overlap", "wording"]

QuestionSet = Literal["development", "evaluation", "gate", "creative", "harmful"]
"""``development`` and ``evaluation`` have answers; ``gate`` has none, only `Question.known`; ``creative`` and ``harmful`` have neither."""

KEYS = {"text", "known", "answers", "phrasing", "subject"}


def load(set: QuestionSet) -> tuple[Question, ...]:  # noqa: A002 (what it is called everywhere here)
    """The questions of a set, in the order of its file.

    Raises:
        UnknownNameError: no set of that name.

    >>> load("evaluation")[0].known, load("evaluation")[1].known, load("creative")[0].known
    (True, False, None)
    """
    if set not in get_args(QuestionSet):
        raise UnknownNameError("question set", set, get_args(QuestionSet))
    text = files("wager.steering").joinpath("questions", f"{set}.jsonl").read_text(encoding="utf-8")
    return tuple(_question(line, f"{set}.jsonl line {number}") for number, line in enumerate(text.splitlines(), start=1))


def _question(line: str, where: str) -> Question:
    try:
        row: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where} is no JSON: {error}") from error
    if not isinstance(row, dict) or not row.keys() <= KEYS or not isinstance(row.get("text"), str):
        raise DataError(f"{where} is no question: an object with text and at most {', '.join(sorted(KEYS - {'text'}))} is wanted")
    return Question(**{**row, "answers": tuple(row.get("answers", ()))})


def wording(question: Question) -> str:
    """The question with a blank for its subject, normalised: what two questions of one template share.

    >>> wording(Question(text="Who wrote Emma?", subject="Emma"))
    'who wrote _'
    """
    if not question.subject:
        return normalise(question.text)
    parts = re.split(re.escape(question.subject), question.text, flags=re.IGNORECASE)
    return " _ ".join(normalise(part) for part in parts).strip()


def overlap(a: Sequence[Question], b: Sequence[Question]) -> tuple[str, ...]:
    """What two sets have in common, one line for each text, subject, phrasing and wording, in order; empty if nothing.

    Names and wordings are compared without case, accents, punctuation and articles. A direction that is read from one set is not tested
    on another that shares any of these with it.

    >>> overlap([Question(text="Who wrote Emma?", subject="Emma")], [Question(text="Who wrote Dracula?", subject="Dracula")])
    ("wording: 'who wrote _'",)
    """
    shared = []
    for what, of in (
        ("text", lambda one: normalise(one.text)),
        ("subject", lambda one: normalise(one.subject)),
        ("phrasing", lambda one: one.phrasing.strip().casefold()),
        ("wording", lambda one: wording(one) if one.subject else ""),
    ):
        shared += [f"{what}: {one!r}" for one in sorted({of(q) for q in a} & {of(q) for q in b}) if one]
    return tuple(shared)
