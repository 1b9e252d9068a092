"""A confidence that the model wrote as a number: the closing line ``CONFIDENCE: 0.8`` that the note asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Stated", "stated_confidence", "strip_stated"]

LINE = re.compile(
    r"^[ \t>*_#`\-]{0,8}(?:(?:my|overall|final|stated)[ \t]{1,4})?confidence(?:[ \t]{1,4}(?:level|score|estimate))?[ \t*_`]{0,6}"
    r"(?:[:=][ \t*_`]{0,6}|[ \t]{1,4}is[ \t]{1,4})(?P<value>[^\n]{1,60})$",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that is nothing but a confidence statement. "My confidence in the law is ..." has more words and stays."""

NUMBER = re.compile(
    r"^[^\w\-−.]{0,4}(?P<sign>[-−]?)(?P<number>\d+(?:[.,]\d+)?|[.,]\d+)[ \t]?(?:/[ \t]?(?P<of>\d+)|(?P<percent>%|percent\b))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Stated:
    """What a reply states about its own confidence."""

    value: float | None
    """The probability in [0, 1]; None if the reply states none that can be read."""
    problem: str | None = None
    """Why there is none: ``absent``, ``not a number``, ``out of range`` or ``contradictory``."""
    spans: tuple[tuple[int, int], ...] = ()
    """(start, end) of each confidence line in the reply."""


def stated_confidence(reply: str) -> Stated:
    """The confidence that the reply states in lines of its own.

    ``95%``, ``95``, ``0.95``, ``0,95``, ``.9.``, ``9/10`` and ``**0.9**`` are read; a number in (1, 100] without a percent sign is
    a percentage. Words ("high") are another source and are ``not a number`` here. Lines that state different numbers contradict.

    >>> stated_confidence("Lima\\nCONFIDENCE: 95%").value
    0.95
    >>> stated_confidence("Lima\\nConfidence: high").problem
    'not a number'
    """
    matches = list(LINE.finditer(reply))
    spans = tuple(match.span() for match in matches)
    if not matches:
        return Stated(None, "absent")
    read = [_number(match.group("value")) for match in matches]
    values = {value for value in read if isinstance(value, float)}
    if len(values) > 1:
        return Stated(None, "contradictory", spans)
    if values:
        return Stated(values.pop(), None, spans)
    return Stated(None, next(problem for problem in read if isinstance(problem, str)), spans)


def strip_stated(reply: str) -> str:
    """The reply without its confidence lines, and without the blank end that they leave.

    A line that stays makes graders that look at the end of a reply fail right answers.
    """
    stated = stated_confidence(reply)
    if not stated.spans:
        return reply
    kept, last = [], 0
    for start, end in stated.spans:
        kept.append(reply[last:start])
        last = end
    return "".join([*kept, reply[last:]]).strip()


def _number(text: str) -> float | str:
    found = NUMBER.match(text.strip())
    if not found:
        return "not a number"
    value = float(found.group("number").replace(",", "."))
    if found.group("sign"):
        return "out of range"
    if found.group("of"):
        whole = float(found.group("of"))
        value = value / whole if whole else 2.0
    elif found.group("percent") or 1 < value <= 100:
        value /= 100
    return value if 0 <= value <= 1 else "out of range"
