"""Comparing an answer with accepted ones under a named normalisation.

`normalise` brings two spellings of the same answer together; `matches` compares; `number_in` and `choice_in` read a number or an
option letter out of a reply. A new comparison is registered with ``@comparisons.register(name)``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from wager.registry import Registry

__all__ = ["choice_in", "comparisons", "matches", "normalise", "number_in"]

Comparison = Callable[[str, str], bool]
"""(answer or whole reply, one accepted answer) -> whether it is the same."""

comparisons: Registry[Comparison] = Registry("comparison")
"""Comparisons by name: ``exact``, ``text``, ``includes``, ``numeric``, ``choice``."""

ARTICLES = {"a", "an", "the"}


def normalise(text: str, rule: str = "text") -> str:
    """The text under a named rule.

    ``exact`` takes off surrounding white space only. ``text`` also drops case, accents, apostrophes, punctuation, articles and extra
    spaces, and writes ``St`` as ``saint``: "St. John's" and "SAINT JOHNS" are the same.

    >>> normalise("  The N’Djaména. ")
    'ndjamena'
    """
    if rule == "exact":
        return text.strip()
    if rule != "text":
        raise ValueError(f"no normalisation named {rule!r}; known: exact, text")
    folded = unicodedata.normalize("NFKD", text.casefold().replace("ı", "i").replace("ø", "o").replace("ł", "l"))
    kept = "".join(character for character in folded if not unicodedata.combining(character))
    kept = re.sub(r"['’‘`ʻʼ´]", "", kept)
    kept = re.sub(r"\b([a-z])\.(?=[a-z]\b)", r"\1", kept)  # D.C. is one word
    words = ["saint" if word == "st" else word for word in re.sub(r"[^\w%+-]+|_", " ", kept).replace("-", " ").split()]
    return " ".join(word for word in words if word not in ARTICLES) or " ".join(words)


def matches(answer: str, accepted: Sequence[str], comparison: str = "text") -> bool:
    """Whether the answer is one of the accepted ones under a named comparison."""
    same = comparisons.get(comparison)
    return any(same(answer, one) for one in accepted)


@comparisons.register("exact")
def exact(answer: str, accepted: str) -> bool:
    """The same characters, but for surrounding white space."""
    return answer.strip() == accepted.strip()


@comparisons.register("text")
def text(answer: str, accepted: str) -> bool:
    """The same after `normalise`; a whole reply may also be a sentence that ends in "is ANSWER"."""
    said, right = normalise(answer), normalise(accepted)
    return bool(right) and (said == right or re.search(rf"\b(?:is|was|are|were) {re.escape(right)}$", said) is not None)


@comparisons.register("includes")
def includes(answer: str, accepted: str) -> bool:
    """The accepted answer stands in the reply as whole words, and the words before do not deny it."""
    said, right = normalise(answer), normalise(accepted)
    if not right:
        return False
    found = list(re.finditer(rf"(?<!\w){re.escape(right)}(?!\w)", said))
    return any(not re.search(r"\b(?:not|isnt|wasnt|never|no)(?: \w+)?$", said[: match.start()].rstrip()) for match in found)


@comparisons.register("numeric")
def numeric(answer: str, accepted: str) -> bool:
    """The same number: the one after ``####``, in ``\\boxed{}``, or the last one in the text."""
    said, right = number_in(answer), number_in(accepted)
    return said is not None and said == right


@comparisons.register("choice")
def choice(answer: str, accepted: str) -> bool:
    """The same option: ``(B)``, ``B``, ``ANSWER: B``; other options are compared as text."""
    said, right = choice_in(answer), choice_in(accepted)
    return said == right if right is not None else text(answer, accepted)


NUMBER = re.compile(r"[-−]?\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-−]?\.\d+")


def number_in(reply: str) -> Decimal | None:
    """The number that a reply gives: after ``####``, in ``\\boxed{}``, after "answer is", or the last one; None if there is none.

    >>> number_in("5 + 1,234.50 makes $1,239.50.")
    Decimal('1239.5')
    """
    for marker in (r"####\s*(?P<rest>[^\n]*)", r"\\boxed\{(?P<rest>[^{}]*)\}", r"answer(?: is)?\s*[:=]?\s*(?P<rest>[^\n]*)"):
        marked = list(re.finditer(marker, reply, re.IGNORECASE))
        if marked and NUMBER.search(marked[-1].group("rest")):
            found = NUMBER.findall(marked[-1].group("rest"))
            return _decimal(found[0])
    found = NUMBER.findall(reply)
    return _decimal(found[-1]) if found else None


def _decimal(written: str) -> Decimal | None:
    try:
        return Decimal(written.replace(",", "").replace("$", "").replace("−", "-")).normalize() + 0
    except InvalidOperation:
        return None


CHOICE = re.compile(r"\(([A-Z])\)|(?:answer|option|choice)(?: is)?\s*[:=]?\s*\**\(?([A-Z])\b(?!['’])", re.IGNORECASE)


def choice_in(reply: str) -> str | None:
    """The option letter that a reply chooses: alone, in brackets, or after "answer"; the last one named; None if there is none."""
    bare = re.fullmatch(r"[\s*\"'(]*([A-Za-z])[\s*\"').:]*", reply)
    if bare:
        return bare.group(1).upper()
    led = re.match(r"\s*\**\(?([A-Z])[).:]\s", reply)
    found = CHOICE.findall(reply)
    if found:
        one, other = found[-1]
        return str(one or other).upper()
    return led.group(1) if led else None
