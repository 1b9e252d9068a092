"""Traits as TOML files: read with one line for whatever is wrong, written so that a person can read and edit them; six are shipped.

A trait whose extraction and evaluation questions share a question, a subject or a phrasing is refused: a direction that was read from
"When was the chemist ... born?" is not tested by asking when another chemist was born.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args

from wager.errors import DataError, UnknownNameError, UsageError
from wager.files import replacing
from wager.grading.matching import normalise
from wager.steering.trait import Grading, Question, Trait

__all__ = ["check_trait", "parse_trait", "read_trait", "shipped", "trait_text", "write_trait"]

T = TypeVar("T")

VERSION = 1
"""Of the format."""

INSTRUCTION_PAIRS = 5
"""So many pairs of system prompts are enough by themselves."""

REPLY_PAIRS = 4
"""So many pairs of replies are enough by themselves."""

QUESTIONS = 4
"""Fewer in one of the sets tell nothing."""

LONGEST = 4_000
"""Characters of one text."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
KEYS = ("version", "name", "description", "grading", "rubric", "needs", "instructions", "replies", "extraction", "evaluation")
QUESTION_KEYS = ("text", "known", "answers", "phrasing", "subject")
PLACEHOLDER = re.compile(r"\{(?!subject\})|(?<!\{subject)\}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]|<\|")
"""What no text may hold: control characters, halves of characters, and what a chat template's own tokens begin with."""

HEAD = """\
# A trait of wager: how a model is brought to show it and its opposite, and the questions it is read from and tested on.
# `instructions` and `replies` are pairs: with the trait, without it. The two sets share no question, subject or phrasing.
"""


def shipped() -> list[str]:
    """Names of the traits that come with wager, in order.

    >>> "hallucination" in shipped()
    True
    """
    return sorted(entry.name[:-5] for entry in files("wager.steering").joinpath("traits").iterdir() if entry.name.endswith(".toml"))


def read_trait(path_or_name: str | os.PathLike[str]) -> Trait:
    """A shipped trait by its name, or the one in a TOML file. A text that is a shipped name means that one, a `Path` always the file.

    Raises:
        UnknownNameError: a bare name that is neither shipped nor a file.
        DataError: ``mine.toml: extraction[3].known is true or false, got 1``: file, key, what is allowed, what was got.

    >>> read_trait("empathy").grading
    'warm'
    """
    name = os.fspath(path_or_name)
    if isinstance(path_or_name, str) and name in shipped():
        return parse_trait(files("wager.steering").joinpath("traits", f"{name}.toml").read_bytes(), name=f"{name}.toml")
    path = Path(name)
    if isinstance(path_or_name, str) and path.name == name and not path.suffix and not path.is_file():
        raise UnknownNameError("trait", name, shipped(), hint="Or give the path of a TOML file.")
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(f"{name!r}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return parse_trait(data, name=name)


def parse_trait(data: bytes, *, name: str = "trait.toml") -> Trait:
    """The trait in the bytes of a TOML file; ``name`` stands first in an error.

    Raises:
        DataError: as `read_trait`.
    """
    try:
        values = tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise DataError(f"{name}: is nested too deeply") from None
    except ValueError as error:
        raise DataError(f"{name}: is not TOML in UTF-8: {error}") from error
    try:
        _keys(values, KEYS, "the file", needed=("version", "name", "description", "grading", "extraction", "evaluation"))
        if type(values["version"]) is not int or values["version"] != VERSION:
            raise DataError(f"version is {VERSION}, got {values['version']!r}")
        trait = Trait(
            name=_name(values["name"]),
            description=_text(values["description"], "description"),
            grading=_grading(values["grading"]),
            rubric=_text(values.get("rubric", ""), "rubric", blank=True),
            instructions=_pairs(values.get("instructions", []), "instructions"),
            replies=_pairs(values.get("replies", []), "replies"),
            extraction=_each(values["extraction"], "extraction", _question),
            evaluation=_each(values["evaluation"], "evaluation", _question),
            needs=_text(values.get("needs", ""), "needs", blank=True),
            hashes={"trait": hashlib.sha256(data).hexdigest()},
        )
        check_trait(trait)
    except (DataError, UsageError) as error:
        raise DataError(f"{name}: {error}") from None
    return trait


def check_trait(trait: Trait) -> None:
    """Whether a trait can be used: enough contrast, enough questions, and two sets that have nothing in common.

    Raises:
        UsageError: fewer than `INSTRUCTION_PAIRS` pairs of system prompts and than `REPLY_PAIRS` of replies; fewer than `QUESTIONS`
            questions in a set; a judge without a rubric; a placeholder other than ``{subject}``; or a question, a subject or a phrasing
            that stands in both sets (named).
    """
    if len(trait.instructions) < INSTRUCTION_PAIRS and len(trait.replies) < REPLY_PAIRS:
        raise UsageError(
            f"trait {trait.name!r} needs at least {INSTRUCTION_PAIRS} pairs in instructions or {REPLY_PAIRS} in replies, "
            f"got {len(trait.instructions)} and {len(trait.replies)}"
        )
    for which, questions in (("extraction", trait.extraction), ("evaluation", trait.evaluation)):
        if len(questions) < QUESTIONS:
            raise UsageError(f"trait {trait.name!r} needs at least {QUESTIONS} questions in {which}, got {len(questions)}")
        texts = [normalise(question.text) for question in questions]
        if twice := next((question.text for question, text in zip(questions, texts, strict=True) if texts.count(text) > 1), None):
            raise UsageError(f"trait {trait.name!r}: {which} holds a question twice: {twice!r}")
    if trait.grading == "judge" and not trait.rubric.strip():
        raise UsageError(f"trait {trait.name!r} is graded by a judge, who needs a rubric")
    for pair in trait.replies:
        if wrong := next((one for one in pair if PLACEHOLDER.search(one)), None):
            raise UsageError(f"trait {trait.name!r}: {{subject}} is the only placeholder of a reply, got {wrong!r}")
    _check_disjoint(trait)


def _check_disjoint(trait: Trait) -> None:
    aspects: tuple[tuple[str, Callable[[Question], str]], ...] = (
        ("question", lambda question: normalise(question.text)),
        ("subject", lambda question: normalise(question.subject)),
        ("phrasing", lambda question: normalise(question.phrasing)),
        ("phrasing", _skeleton),
    )
    for kind, aspect in aspects:
        shown = {aspect(question): _shown(question, kind) for question in trait.extraction}
        both = sorted({shown[key] for question in trait.evaluation if (key := aspect(question)) and key in shown})
        if both:
            named = ", ".join(map(repr, both[:5])) + (f" and {len(both) - 5} more" if len(both) > 5 else "")
            raise UsageError(f"trait {trait.name!r}: extraction and evaluation share the {kind}{'s' if len(both) > 1 else ''} {named}")


def _shown(question: Question, kind: str) -> str:
    return (question.subject if kind == "subject" else question.phrasing if kind == "phrasing" else question.text) or question.text


def _skeleton(question: Question) -> str:
    """The question without its subject; empty where the subject is not named in it, or is all of it."""
    around = re.split(re.escape(question.subject), question.text, maxsplit=1, flags=re.IGNORECASE) if question.subject else []
    return " ... ".join(map(normalise, around)) if len(around) == 2 and normalise(" ".join(around)) else ""


def _keys(values: Mapping[str, Any], known: Sequence[str], where: str, *, needed: Iterable[str]) -> None:
    if wrong := sorted(set(values) - set(known)):
        raise DataError(f"{where} has no key {wrong[0]!r}; it has {', '.join(known)}")
    if missing := [key for key in needed if key not in values]:
        raise DataError(f"{where} needs the key {missing[0]!r}")


def _name(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise DataError(f"name is 1 to 40 small letters, digits or _, a letter first, got {_brief(value)}")
    return value


def _grading(value: object) -> Grading:
    for known in get_args(Grading):
        if value == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    raise DataError(f"grading is one of {', '.join(get_args(Grading))}, got {_brief(value)}")


def _text(value: object, where: str, *, blank: bool = False) -> str:
    if not isinstance(value, str) or len(value) > LONGEST or not (blank or value.strip()):
        raise DataError(f"{where} is a text of {0 if blank else 1} to {LONGEST} characters, got {_brief(value)}")
    if CONTROL.search(value):
        raise DataError(f"{where} holds a control character or a template's token, got {_brief(value)}")
    return value


def _each(value: object, where: str, one: Callable[[object, str], T]) -> tuple[T, ...]:
    if not isinstance(value, list):
        raise DataError(f"{where} is a list, got {_brief(value)}")
    return tuple(one(each, f"{where}[{place}]") for place, each in enumerate(value))


def _pairs(value: object, where: str) -> tuple[tuple[str, str], ...]:
    def pair(value: object, where: str) -> tuple[str, str]:
        if not isinstance(value, list) or len(value) != 2:
            raise DataError(f"{where} is a pair of texts, with the trait and without, got {_brief(value)}")
        return _text(value[0], f"{where}[0]"), _text(value[1], f"{where}[1]")

    return _each(value, where, pair)


def _question(value: object, where: str) -> Question:
    if not isinstance(value, dict):
        raise DataError(f"{where} is a table with {', '.join(QUESTION_KEYS)}, got {_brief(value)}")
    _keys(value, QUESTION_KEYS, where, needed=("text",))
    known = value.get("known")
    if known is not None and not isinstance(known, bool):
        raise DataError(f"{where}.known is true or false, got {_brief(known)}")
    return Question(
        text=_text(value["text"], f"{where}.text"),
        known=known,
        answers=_each(value.get("answers", []), f"{where}.answers", lambda one, at: _text(one, at)),
        phrasing=_text(value.get("phrasing", ""), f"{where}.phrasing", blank=True),
        subject=_text(value.get("subject", ""), f"{where}.subject", blank=True),
    )


def _brief(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def write_trait(path: str | os.PathLike[str], trait: Trait) -> None:
    """Writes the trait whole or not at all; `read_trait` of it is the same but for its hash.

    Raises:
        UsageError: it cannot be used (`check_trait`).
        DataError: a value cannot stand in a file.
        OutputError: the file cannot be written.
    """
    text = trait_text(trait)
    parse_trait(text.encode("utf-8"), name=trait.name)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def trait_text(trait: Trait) -> str:
    """The trait as TOML, one pair or question a line.

    Raises:
        UsageError: it cannot be used (`check_trait`).
    """
    check_trait(trait)
    lines = [f"{HEAD}version = {VERSION}"]
    lines += [
        f"{key} = {_quoted(getattr(trait, key))}" for key in ("name", "description", "grading", "rubric", "needs") if getattr(trait, key)
    ]
    for key, pairs in (("instructions", trait.instructions), ("replies", trait.replies)):
        if pairs:
            lines += ["", f"{key} = [", *(f"  [{_quoted(one)},\n   {_quoted(other)}]," for one, other in pairs), "]"]
    for key, questions in (("extraction", trait.extraction), ("evaluation", trait.evaluation)):
        lines += ["", f"{key} = [", *(f"  {_question_line(question)}," for question in questions), "]"]
    return "\n".join(lines) + "\n"


def _question_line(question: Question) -> str:
    parts = [f"text = {_quoted(question.text)}"]
    if question.known is not None:
        parts.append(f"known = {str(question.known).lower()}")
    if question.answers:
        parts.append(f"answers = [{', '.join(map(_quoted, question.answers))}]")
    parts += [f"{key} = {_quoted(getattr(question, key))}" for key in ("phrasing", "subject") if getattr(question, key)]
    return f"{{{', '.join(parts)}}}"


def _quoted(text: str) -> str:
    """A TOML string; what does not print is an escape, so that no text can end it."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '\\"':
        return f"\\{character}"
    return character if character.isprintable() else "\\n" if character == "\n" else f"\\U{ord(character):08x}"
