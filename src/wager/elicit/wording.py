"""Do two short answers say the same, by their words alone? Needs no model, and joins too little rather than too much.

Heuristic rules, in this order: the same words after normalisation say the same; a negation or an "or" in one of them only, or numbers or
months that differ do not; the same numbers do, where one has no other word of its own ("12", "There are
twelve", "12 July 1998", "1998-07-12"); the same name after an opening ("It is Lima") or before a comma ("Lima, Peru") does; and so does
one inside the other ("Obama", "Barack Obama"), unless what is added makes another name ("York", "New York").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from wager.elicit.stated import TENS, UNITS
from wager.grading.matching import normalise

__all__ = ["same_words", "short_answer"]

OPENING = re.compile(r"(?:[^,.;:\n]{0,80}?\b(?:is|are|was|were|it's|be)|(?:the )?answer:)\s+(?!not\b)(?=\S)", re.IGNORECASE)
TAIL = re.compile(r"\s*(?:,(?!\d)|[;(\n]|\.(?=\s|$)).*", re.DOTALL)

FEW_WORDS = 8
"""An answer of more words is no short answer: it is a text."""

TEENS = re.findall(r"\w+", "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
NUMBERS = UNITS | TENS | {word: value for value, word in enumerate(TEENS, start=11)}
MONTHS = re.findall(r"\w+", "january february march april may june july august september october november december")
MONTH = {word: number for number, word in enumerate(MONTHS, start=1)}
ISO_DATE = re.compile(r"\b(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>\d\d)\b")
EMPTY = frozenset(
    re.findall(
        r"\w+",
        "there are is it was were on in at of them times believe course they he she about a an i and th st nd rd its this that answer",
    )
)
"""Words that add nothing to a number."""
REVERSING = frozenset(re.findall(r"\w+", "not no or never neither nor without"))
RENAMING = frozenset(
    re.findall(
        r"\w+",
        "new north south east west northern southern eastern western central equatorial saint san santa great greater little upper lower "
        "old junior senior jr sr ii iii iv former vice non anti",
    )
)
"""What makes of a name another one."""


@dataclass(frozen=True)
class _Said:
    """A short text, taken apart."""

    words: tuple[str, ...]
    """Normalised."""
    numbers: frozenset[int]
    """Those in digits or words."""
    months: frozenset[int]
    """1 to 12."""
    rest: frozenset[str]
    """The other words that say something."""
    opening: str
    """What stands before what it names ("The capital of Peru is"), normalised."""
    head: str
    """What it names, normalised: without an opening, up to a comma."""
    tail: str
    """What it adds after that."""


def same_words(one: str, other: str) -> bool:
    """Whether two short answers say the same, by the rules above. Symmetric.

    >>> same_words("Lima", "It is Lima, Peru."), same_words("12", "There are twelve."), same_words("York", "New York")
    (True, True, False)
    """
    a, b = _taken_apart(one), _taken_apart(other)
    if not a.words or not b.words or a.words == b.words:
        return a.words == b.words
    added = set(a.words) ^ set(b.words)
    if added & REVERSING or (a.numbers and b.numbers and a.numbers != b.numbers) or (a.months and b.months and a.months != b.months):
        return False
    if a.numbers and a.numbers == b.numbers and a.months == b.months and (a.rest <= b.rest or b.rest <= a.rest):
        return True
    if a.head and a.head == b.head and not (a.tail and b.tail) and _agree(a.opening, b.opening):
        return True
    short, long = sorted((a.words, b.words), key=len)
    inside = any(long[at : at + len(short)] == short for at in range(len(long) - len(short) + 1))
    return len(long) <= FEW_WORDS and inside and not added & RENAMING and bool(a.numbers) == bool(b.numbers)


def _agree(one: str, other: str) -> bool:
    """Whether one opening says nothing beyond the other: "It is" and "The capital is" do, "Einstein is" and "Bohr is" do not."""
    a, b = ({word for word in text.split() if word not in EMPTY} for text in (one, other))
    return a <= b or b <= a


@lru_cache(maxsize=4096)
def _taken_apart(text: str) -> _Said:
    dated = ISO_DATE.sub(lambda found: f"{found['year']} {MONTHS[int(found['month']) - 1]} {found['day']}", text)
    words = normalise(dated).split()
    numbers, others, previous = set[int](), [], 0
    for word in words:
        digits = re.match(r"\d+$|\d+(?=(?:st|nd|rd|th)$)", word)
        value = int(digits.group()) if digits and len(word) < 19 else NUMBERS.get(word)
        if value is None:
            others.append(word)
        elif previous in TENS.values() and 0 < value < 10 and not digits:
            numbers.discard(previous)
            value += previous
        if value is not None:
            numbers.add(value)
        previous = value if value is not None and not digits else 0
    rest = frozenset(word for word in others if word not in EMPTY and word not in MONTH)
    months = frozenset(MONTH[word] for word in words if word in MONTH)
    return _Said(tuple(words), frozenset(numbers), months, rest, *_parts(text))


def _parts(text: str) -> tuple[str, str, str]:
    """What stands before what a short text names, that, and what it adds after a comma; normalised."""
    stripped = text.strip()
    opening = OPENING.match(stripped)
    body = stripped[opening.end() :] if opening else stripped
    head = TAIL.sub("", body)
    return normalise(opening.group()) if opening else "", normalise(head), normalise(body[len(head) :])


def short_answer(reply: str) -> str:
    """What a reply names, as it stands in it: "The capital of Peru is Lima." names Lima. A reply that is no short answer is its own answer.

    >>> short_answer("The capital of Peru is Lima, a city on the coast."), short_answer("First add 3 and 4. That gives 7.")
    ('Lima', 'First add 3 and 4. That gives 7.')
    """
    text = reply.strip()
    opening = OPENING.match(text)
    head = TAIL.sub("", text[opening.end() :] if opening else text)
    return head if head and len(head.split()) <= FEW_WORDS and (opening or head.strip(" .") == text.strip(" .")) else text
