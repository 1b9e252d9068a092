"""A confidence that the model wrote as a number: the closing line ``CONFIDENCE: 0.8`` that the note asks for, or its reply when it is
asked afterwards.

Verbalised numeric confidence, as in Tian et al. (2023), arXiv 2305.14975. It is one source among several and wants a calibrator.
A number in words ("ninety-five percent") is read; words that are no number ("high") are another source, and no number here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["STATED_REQUEST", "Stated", "stated_confidence", "stated_reply", "strip_stated"]

STATED_REQUEST = "Rate your confidence in this answer as a number between 0 and 1. Reply with the number only."
"""Asked after the answer, in the same conversation, so that asking does not change the answer."""

Problem = Literal["absent", "not a number", "out of range", "contradictory"]

LABEL = (
    r"(?:(?:my|your|overall|final|stated|answer)[ \t]{1,4}){0,2}confidence(?:[ \t]{1,4}(?:level|score|estimate|rating|probability))?"
    r"(?:[ \t]{0,4}\([^()\n]{0,20}\))?[ \t*_`\"']{0,6}"
)
UNITS = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
NUMBERS = r"[^\w\n]{0,6}(?:(?:about|around|approximately|roughly|nearly)[ \t]{1,4})?[-−]?[.,]?\d[^\n]{0,160}"
STATEMENT = re.compile(
    rf"(?im)^[ \t>*_#`\-(\[\"']{{0,8}}{LABEL}(?:[:=：][ \t*_`\"']{{0,6}}(?P<value>{NUMBERS}|[^\n]{{1,40}})"
    rf"|(?:[ \t]is|)[ \t]{{1,4}}(?P<plain>{NUMBERS})"
    r"|[:=：][ \t*_`]{0,6}\n[ \t*_`]{0,6}(?P<below>[-−]?[.,]?\d[\d.,]{0,12}[ \t]?%?)[ \t*_`.]{0,6})$"
    rf"|(?<=[.;,!?)\]*][ \t])[ \t*_`\"'(\[]{{0,6}}{LABEL}[:=：][ \t*_`]{{0,6}}(?P<inline>[-−]?[.,]?\d[\d.,%/ \t]{{0,14}}[^\w\n]{{0,6}})$"
    rf"|[ \t]{{0,4}}\([ \t]{{0,4}}{LABEL}[:=：][ \t*_`]{{0,6}}(?P<bracketed>[-−]?[.,]?\d[\d.,%/ \t]{{0,14}})\)[.]?$"
    r"|<confidence>(?P<tagged>[^<\n]{0,60})</confidence>"
)
"""A line that is nothing but a confidence statement, one that closes a line, or a tag. "My confidence in the law is ..." has more words."""

NUMBER = re.compile(
    r"(?P<sign>(?<!\d)[-−])?(?P<number>\d+(?:[.,]\d+)?|[.,]\d+)(?P<exponent>e[-+]?\d{1,3}\b)?"
    r"(?:[ \t]?(?:/|out of)[ \t]?(?P<of>\d+(?:[.,]\d+)?)|[ \t]?(?P<percent>%|percent\b|per cent\b))?",
    re.IGNORECASE,
)
SPELLED = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(TENS)})(?:[- ](?P<units>{'|'.join(UNITS)}))?"
    rf"|(?P<small>{'|'.join(UNITS)}|(?:one |a )?hundred)(?=[ -]per ?cent))\b",
    re.IGNORECASE,
)
"""A percentage in words; a small one only where "percent" follows."""
EXPRESSION = re.compile(r"\d[ \t]*[-−+*=][ \t]*\.?\d")
"""A range or a sum, such as 0.7-0.8 or 1 - 0.5: no one number."""
BOUND = re.compile(r"^[^\w]{0,4}(?:[<>≤≥]|(?:at least|at most|more than|less than|over|under|above|below)\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Stated:
    """What a reply states about its own confidence."""

    value: float | None
    """The probability in [0, 1]; None if the reply states none that can be read."""
    start: int | None = None
    """First character of the last confidence statement in the reply; None if there is none."""
    end: int | None = None
    """One past its last character."""
    problem: Problem | None = None
    """Why there is no value: ``absent``, ``not a number``, ``out of range`` or ``contradictory``."""


def stated_confidence(reply: str) -> Stated:
    """The confidence that the reply states in a line of its own (or at the end of a line, or in a ``<confidence>`` tag).

    ``95%``, ``95``, ``0.95``, ``0,95``, ``.9.``, ``9/10``, ``9 out of 10`` and ``**0.9**`` are read; a bare number in (1, 100] is a
    percentage. Numbers that differ, in one statement ("0.7-0.8") or in several, are ``contradictory``; a bound ("> 0.9") is
    ``not a number``. A readable statement next to an unreadable one (the echoed ``CONFIDENCE: p``) counts.

    >>> stated_confidence("Lima\\nCONFIDENCE: 95%").value
    0.95
    >>> stated_confidence("Lima\\nConfidence: high").problem
    'not a number'
    """
    matches = list(STATEMENT.finditer(reply))
    if not matches:
        return Stated(None, problem="absent")
    start, end = matches[-1].span()
    read = [_probabilities(value) for match in matches for value in match.groupdict().values() if value is not None]
    values = [value for found in read for value in found]
    if any(not 0 <= value <= 1 for value in values):
        return Stated(None, start, end, "out of range")
    if not values:
        return Stated(None, start, end, "not a number")
    if max(values) - min(values) > 1e-9:
        return Stated(None, start, end, "contradictory")
    return Stated(values[0], start, end)


def stated_reply(reply: str) -> Stated:
    """The confidence in a reply that was asked for a number: as `stated_confidence`, and the number wherever it stands.

    In a reply of several numbers those that can only be probabilities ("0.85", "85%") count alone.

    >>> stated_reply("I'm 85% sure.").value
    0.85
    """
    found = stated_confidence(reply)
    if found.problem != "absent":
        return found
    text = reply.strip()
    if EXPRESSION.search(text):
        return Stated(None, problem="contradictory")
    read = list(_probabilities(text))
    if len(read) > 1:
        read = [
            value
            for match in NUMBER.finditer(text)
            if match["percent"] or match["of"] or "." in match["number"]
            for value in _probabilities(match.group())
        ]
    if any(not 0 <= value <= 1 for value in read):
        return Stated(None, problem="out of range")
    if not read:
        return Stated(None, problem="not a number" if text else "absent")
    return Stated(None, problem="contradictory") if max(read) - min(read) > 1e-9 else Stated(read[0])


def strip_stated(reply: str) -> str:
    r"""The reply without its confidence statements, and without the blank end (or beginning) that they leave.

    A line that stays makes graders that look at the end of a reply fail right answers. A reply that states none comes back as it is.

    >>> strip_stated("ANSWER: B\nCONFIDENCE: 0.8")
    'ANSWER: B'
    """
    kept, last = [], 0
    for start, end in (match.span() for match in STATEMENT.finditer(reply)):
        kept.append(reply[last:start])
        last = end + (reply.startswith("\n", end) and (start == 0 or reply[start - 1] == "\n"))
    if not last:
        return reply
    text = "".join([*kept, reply[last:]]).rstrip()
    return text if kept[0].strip() else text.lstrip("\n")


def _probabilities(text: str) -> Iterator[float]:
    """Every number of a statement as a probability; one below 0 or above 1 (as a share) is passed on for the caller to refuse."""
    if BOUND.match(text):
        return
    digits = list(NUMBER.finditer(text))
    if not digits:
        yield from (_spelled_out(found) for found in SPELLED.finditer(text))
    for found in digits:
        value = _decimal(found.group("number") + (found.group("exponent") or ""))
        if found.group("of"):
            whole = _decimal(found.group("of"))
            value = value / whole if whole else math.inf
        elif found.group("percent") or 1 < value <= 100:
            value /= 100
        yield -value if found.group("sign") and value else value


def _spelled_out(found: re.Match[str]) -> float:
    if found["tens"]:
        return (TENS[found["tens"].lower()] + UNITS.get((found["units"] or "zero").lower(), 0)) / 100
    return UNITS.get(found["small"].lower(), 100) / 100


def _decimal(text: str) -> float:
    return float(text.replace(",", "."))
