"""Comparing an answer with the accepted ones under a named comparison.

`normalise` brings spellings of one answer together, `find_answer` finds one in a reply, `number_in` and `choice_in` read a number or an
option out of a reply, and `matches` compares. A new comparison is registered with ``@comparisons.register(name)``.

Decisions: an answer that is denied ("it is not Paris") or offered as one of two ("Sydney or Canberra") is not claimed, unless both
are accepted. Numbers are compared exactly, and a fraction is no number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from wager.errors import UnknownNameError
from wager.registry import Registry

__all__ = ["choice_in", "comparisons", "find_answer", "matches", "normalise", "number_in", "options_in"]

Comparison = Callable[[str, Sequence[str]], bool]
"""(answer or whole reply, accepted answers) -> whether it is one of them."""

comparisons: Registry[Comparison] = Registry("comparison")
"""Comparisons by name: ``exact``, ``text``, ``includes``, ``numeric``, ``choice``."""

WITHOUT_ACCENT = str.maketrans(
    {"ı": "i", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "æ": "ae", "œ": "oe", "þ": "th", "&": " and ", "−": "-"}
    | dict.fromkeys("'’‘`ʻʼʹ´ʿʾ", "")
)
"""Letters that Unicode does not take apart, and the apostrophes, which are dropped."""

TOKEN = re.compile(r"(?:(?<![\w.])-)?\d+(?:[.,]\d+)*(?![^\W_])%?|[^\W_]+[+#]*")


def normalise(text: str, rule: str = "text") -> str:
    """The text under a named rule.

    ``exact`` takes off surrounding white space only. ``text`` also drops case, accents, apostrophes, punctuation, "the", a leading
    "a" or "an" and extra spaces, and writes ``St`` as ``saint``, ``&`` as ``and``, ``D.C.`` as ``dc`` and ``1,234`` as ``1234``.

    >>> normalise("  The N’Djaména. ")
    'ndjamena'
    """
    if rule == "exact":
        return text.strip()
    if rule != "text":
        raise UnknownNameError("normalisation", rule, ["exact", "text"])
    words = _words(text)
    kept = [word for place, word in enumerate(words) if word != "the" and not (place == 0 and word in ("a", "an"))]
    return " ".join(kept or words)


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKD", text.casefold().translate(WITHOUT_ACCENT))
    plain = "".join(character for character in folded if not unicodedata.combining(character))
    plain = re.sub(r"\b([a-z])\.(?=[a-z]\b)", r"\1", plain)
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", plain)
    return ["saint" if word == "st" else word for word in TOKEN.findall(plain)]


def matches(answer: str, accepted: Sequence[str], comparison: str = "text") -> bool:
    """Whether the answer is one of the accepted ones under a named comparison.

    Raises:
        UnknownNameError: no comparison of that name.
    """
    return comparisons.get(comparison)(answer, accepted)


DENIED = re.compile(
    r"(?:\b(?:not|never|no longer|neither|nor|rather than|instead of)|n['’]t)(?! (?:only|just|merely)\b)"
    r"(?:\s+(?!but\b)[\w'’-]+){0,2}\s*[\"'“(]*$",
    re.IGNORECASE,
)
OR_AFTER = re.compile(r"[\"'”)]*,?\s*(?:\bor\b|/(?!\s*\d))\s*(?:the |in )?[\"'“]*(?P<other>\w.*)", re.DOTALL)
OR_BEFORE = re.compile(r"(?:\w[\"'”)]*,?\s+or|[^\W\d][\"'”)]*\s*/)\s*(?:the |in )?[\"'“]*$")


def find_answer(reply: str, accepted: Sequence[str]) -> tuple[int, int] | None:
    """Where an accepted answer stands in a reply as whole words, undenied and without an alternative: (start, end), or None.

    >>> find_answer("It is in ROME, not in Jerome.", ["Rome"])
    (9, 14)
    >>> find_answer("Sydney or Canberra", ["Canberra"]) is None
    True
    """
    chunks = [(piece.start(), piece.end(), _words(piece.group())) for piece in re.finditer(r"[^\s/]+", reply)]
    pieces = [(word, start, end) for start, end, words in chunks for word in words if word != "the"]
    words = [word for word, _, _ in pieces]
    wanted = [gold.split() for gold in (normalise(one) for one in accepted) if gold]
    found = [
        (pieces[place][1], pieces[place + len(gold) - 1][2])
        for gold in wanted
        for place in range(len(words) - len(gold) + 1)
        if words[place : place + len(gold)] == gold
    ]
    claimed = [span for span in sorted(found) if not DENIED.search(reply[: span[0]]) and not _has_rival(reply, span, found)]
    return claimed[0] if claimed else None


def _has_rival(reply: str, span: tuple[int, int], found: Sequence[tuple[int, int]]) -> bool:
    """Whether "or" joins the answer to another one that is not accepted."""
    start, end = span
    after = OR_AFTER.match(reply, end)
    lower = reply[start:end].islower()
    if after and not any(other == after.start("other") for other, _ in found):
        first = after.group("other")[0]
        return lower or first.isupper() or first.isdigit()
    before = OR_BEFORE.search(reply[:start])
    return before is not None and not any(other <= before.start() < other_end for other, other_end in found)


@comparisons.register("exact")
def exact(answer: str, accepted: Sequence[str]) -> bool:
    """The same characters, but for surrounding white space."""
    return any(answer.strip() == one.strip() for one in accepted)


CLAUSE_END = re.compile(r"[.;:!\n](?:\s|$)|[,(]\s?")


@comparisons.register("text")
def text(answer: str, accepted: Sequence[str]) -> bool:
    """The same after `normalise`: the whole reply, its first clause ("Yes, he did"), or what a sentence ends with after "is"."""
    whole = normalise(answer)
    first = normalise(CLAUSE_END.split(answer.strip(), maxsplit=1)[0])
    last = normalise(re.split(r"\b(?:is|was|are|were|be|its)\b", whole)[-1])
    return any(gold in (whole, first, last) for gold in (normalise(one) for one in accepted) if gold)


@comparisons.register("includes")
def includes(answer: str, accepted: Sequence[str]) -> bool:
    """An accepted answer stands in the reply: `find_answer`."""
    return find_answer(answer, accepted) is not None


@comparisons.register("numeric")
def numeric(answer: str, accepted: Sequence[str]) -> bool:
    """The same number: `number_in` of both."""
    said = number_in(answer)
    return said is not None and any(said == number_in(one) for one in accepted)


@comparisons.register("choice")
def choice(answer: str, accepted: Sequence[str]) -> bool:
    """The same option: ``(B)``, ``B``, ``ANSWER: B``; an accepted answer that is no option letter is compared as text."""
    said = choice_in(answer)
    return any(said == choice_in(one) if choice_in(one) else text(answer, [one]) for one in accepted)


NUMBER = re.compile(r"(?<![\w.])[-−]?\$?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])[-−]?\.\d+")
MARKED_NUMBER = (
    re.compile(r"####\s*(?P<rest>[^\n]*)"),
    re.compile(r"\\boxed\{(?P<rest>[^{}]*)\}"),
    re.compile(r"answer\W{0,3}(?:\s+is\b\W{0,3}|[:=])\s*(?P<rest>[^\n]*)", re.IGNORECASE),
)


def number_in(reply: str, *, marked: bool = False) -> Decimal | None:
    """The number that a reply gives: after ``####``, in ``\\boxed{}``, after "answer is" (what an equation there comes to), or, unless it
    has to be ``marked`` so (a reply that was cut off), the last one; None if there is none. Thousands separators, ``$`` and ``%`` are
    dropped.

    >>> number_in("5 + 1,234.50 makes $1,239.50.")
    Decimal('1239.5')
    """
    for marker in MARKED_NUMBER:
        after = [NUMBER.findall(match.group("rest").rpartition("=")[2]) for match in marker.finditer(reply)]
        numbers = [found[0] for found in after if found]
        if numbers:
            return _decimal(numbers[-1])
    found = [] if marked else NUMBER.findall(reply)
    return _decimal(found[-1]) if found else None


def _decimal(written: str) -> Decimal:
    return Decimal(written.replace(",", "").replace("$", "").replace("−", "-")).normalize() + 0


LETTER = r"(?:[B-HJ-Z]|[AI](?!\s+[a-z]))"  # "I think" and "A tree" name no option
BARE_CHOICE = re.compile(r"[\s*\"'(\[]*([A-Za-z])[\s*\"')\].:]*")
MARKED_CHOICE = re.compile(
    rf"(?i:\b(?:answer|option|choice)\b(?:\s+is)?\s*[:=]?)\s*[*_\"'(]*({LETTER})\b(?!['’])|\\boxed\{{(?:\\text\{{)?\(?([A-Z])\)?\}}"
)
LEADING_CHOICE = re.compile(r"\s*\**\(?([A-Z])[).:]\s(?!(?:is|was) (?:wrong|incorrect|not|false|out)\b)")
BRACKETED_CHOICE = re.compile(r"\(([A-Z])\)")


def choice_in(reply: str, options: Mapping[str, str] | None = None) -> str | None:
    """The option letter that a reply chooses, or None: the reply itself, the last after "answer", the leading one, the last in brackets;
    else the one option (letter -> text) whose text stands in the reply."""
    bare = BARE_CHOICE.fullmatch(reply)
    if bare:
        return bare.group(1).upper()
    marked = MARKED_CHOICE.findall(reply)
    if marked:
        return str(marked[-1][0] or marked[-1][1])
    led = LEADING_CHOICE.match(reply)
    if led:
        return led.group(1)
    bracketed = BRACKETED_CHOICE.findall(reply)
    if bracketed:
        return str(bracketed[-1])
    named = [letter for letter, wording in (options or {}).items() if find_answer(reply, [wording])]
    return named[0] if len(named) == 1 else None


def options_in(question: str) -> dict[str, str]:
    """The lettered options at line starts of a question: ``(A) text``, ``A) text`` or ``A. text``."""
    return {match.group(1): match.group(2).strip() for match in re.finditer(r"^\s*\(?([A-Z])[).]\s+(\S.*)$", question, re.MULTILINE)}
