"""Which place a reply names as the capital. A heuristic over English sentences, made on real replies of small models.

Read in this order: "the capital of X is NAME" (about the asked country, if it says it of several), "NAME is the capital", "the answer
is NAME", and a bare name. Descriptions ("a city-state", "a concept"), denials and sentences that only talk about the country name none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wager.grading.matching import normalise

__all__ = ["Claim", "claimed_capital"]


@dataclass(frozen=True)
class Claim:
    """What a reply names as the capital."""

    names: tuple[str, ...]
    """One name, or those offered together ("Sydney or Canberra", "Sucre and La Paz"), as written."""
    others: tuple[str, ...] = ()
    """Different names that the same reply gives for the same capital in other sentences, uncorrected."""


OTHER_KIND = "".join(f"(?<!{word} )" for word in "former previous old first largest commercial economic cultural financial historic".split())
SUBJECT = r"(?: of (?P<of>(?:[^.,;:!?\n]|(?<=[A-Z])\.|(?<=\bSt)\.){1,60}?))?"
STATED = re.compile(rf"{OTHER_KIND}\bcapital(?: and [a-z ]{{1,20}}?)?(?: city)?{SUBJECT},?\s+(?:is|are|would be|might be|may be|could be)\b:?", re.I)
STATED_BEFORE_IS = re.compile(r"\s(?:is|was|are|which|that)\s", re.I)
CAPITAL_COLON = re.compile(r"^\W*capital(?: city)?(?: of [^:\n]{1,60})?\s*[:=-]", re.I)
ROLE = re.compile(
    r"^(?P<name>[^\n.!?]{1,60}?)(?:,[^,.\n]{1,60},| \([^)]*\))? (?:is|serves as)(?: [a-z]+ly| indeed| also)?(?:,?) (?:the|its|their) (?:\w+ ){0,2}capital\b"
    r"|^(?P<apposed>[^\n,]{1,60}), (?:the|its) capital\b",
    re.I,
)
ANSWERED = re.compile(
    r"\banswer(?: to (?:the|your|this) question)?\s*(?:is|:|=)|(?:^|[.!,;\n]\s*|\b(?:think|believe|guess|say|but|sure) (?:that )?)(?:it is|it['’]s|that is|that would be)\b"
    r"|\bi(?: would|['’]d| will|['’]ll)? (?:think|believe|guess|say|go with)(?: that)?\b",
    re.I,
)
OPENING = re.compile(
    r"(?:(?:sure(?: thing)?|certainly|of course|alright|okay|ok|yes|well|hello|hi|awesome|great|thank you|sorry|absolutely)\b[^\w\n]*\s|[:\s\"“'‘]+)", re.I
)
FILLER = re.compile(
    r"(?:(?:the|a|an) (?:[a-z-]+ ){0,2}(?:city|town|village|municipality|settlement|place|city-state|entity)(?: of| called| named| known as|,? called|,? named)"
    r"|called|known as|named|located (?:in|at)|found in|situated in|currently|actually|officially|indeed|now|formally|traditionally|definitely|"
    r"probably|most likely|likely|possibly|perhaps|maybe|either|both|in|at|it is|it['’]s|answer:?|the)(?=[\s\"“'‘])[\s\"“'‘]*",
    re.I,
)
DENIAL = re.compile(r"(?:not|no longer|never|neither|n['’]t)\b(?! only\b)[^.;\n]*?(?:,? but (?:rather |actually |instead )?|[.;,] (?:it is|it['’]s) )(?P<rest>\S.*)", re.I | re.S)
NO_NAME = re.compile(
    r"(?:not|no|never|neither|unknown|none|i|i['’]m|you|we|it|there|this|that|what|which|who|a|an|my|your|to|as|please|capital|answer)\b(?!-)(?!['’]\w{2})", re.I
)
WORD = r"[A-ZÀ-ÞĀ-Ž0-9'’ʻ‘Ḁ-ỿ][\w'’ʻ‘.-]*"
JOIN = r"(?:de|la|le|las|los|del|des|of|the|al|el|upon|da|do|dos|di|les|den|am|an|ad|y|e|sur|-|–)"
NAME = re.compile(rf"{WORD}(?:[ \t]+(?:{JOIN}[ \t]+){{0,2}}{WORD})*")
JOINED = re.compile(rf"[\"”'’]*(?P<list>(?:,\s+{NAME.pattern}){{0,3}}),?\s*(?:\bor\b|\band\b|/|&)\s*(?:possibly |maybe |in |the city of |the )?[\"“]*(?P<name>{NAME.pattern})(?!['’]s\b)")
CORRECTS = re.compile(r"\b(?:actually|correction|sorry|wait|rather|no)\b", re.I)
DESCRIBES = re.compile(r"\s+(?:is|are|was|has|lies|does|do|can|refers|means)\b", re.I)


def claimed_capital(reply: str, country: str = "") -> Claim | None:
    """The place that a reply claims to be the capital of the country, or None if it names none.

    >>> claimed_capital("The capital of Laos is Lousia, a city in")
    Claim(names=('Lousia',), others=())
    >>> claimed_capital("The capital of Yaltoria is not a place, but rather a concept.") is None
    True
    """
    text = re.sub(r"[*_#`]+", "", reply).strip()
    stated = [match for match in STATED.finditer(text) if not STATED_BEFORE_IS.search(match.group("of") or "")]
    asked = normalise(country)
    about = [match for match in stated if asked and asked in normalise(match.group("of") or "")] or stated[:1]
    claims = [(match, names) for match in about if (names := _names(text[match.end() :]))]
    if claims:
        first, last = claims[0], claims[-1]
        if len(claims) > 1 and CORRECTS.search(text[first[0].end() : last[0].start()]):
            return Claim(last[1])
        others = {normalise(names[0]): names[0] for _, names in claims[1:]}
        others.pop(normalise(first[1][0]), None)
        return Claim(first[1], tuple(others.values()))
    if about:
        return None
    return _unstated(text)


def _unstated(text: str) -> Claim | None:
    """The name where no "capital is" stands: its role, a marked answer, or a bare one."""
    role = ROLE.match(OPENING.sub("", text, count=1) if OPENING.match(text) else text)
    if role:
        names = _names(role.group("name") or role.group("apposed"))
        return Claim(names) if names else None
    label = CAPITAL_COLON.match(text)
    starts = [label.end()] if label else [match.end() for match in ANSWERED.finditer(text)]
    for start in reversed(starts):
        names = _names(text[start:])
        if names:
            return Claim(names)
    names = _names(text, bare=True)
    return Claim(names) if names else None


def _names(text: str, *, bare: bool = False) -> tuple[str, ...]:
    """The name or names that a text begins with, after fillers; a bare one is no subject of a sentence."""
    rest = text.strip()
    for _ in range(4):
        for pattern in (OPENING, FILLER):
            found = pattern.match(rest)
            if found and rest[found.end() :].strip():
                rest = rest[found.end() :].lstrip(" \"“'‘")
    denied = DENIAL.match(rest)
    if denied:
        return _names(denied.group("rest"))
    if not rest or NO_NAME.match(rest):
        return ()
    found = NAME.match(rest)
    if found is None:
        word = re.match(r"[^\W\d_][\w'’.-]*(?: [\w'’.-]+){0,3}", rest)
        return (word.group().rstrip("."),) if word and re.fullmatch(r"\W*", rest[word.end() :]) else ()
    name = _without_end(found.group())
    if bare and DESCRIBES.match(rest, found.start() + len(name)):
        return ()
    joined = JOINED.match(rest, found.start() + len(name))
    if joined is None:
        return (name,)
    between = NAME.findall(joined.group("list"))
    return (name, *(_without_end(one) for one in between), _without_end(joined.group("name")))


def _without_end(name: str) -> str:
    """A name without what follows it after a full stop: "Lima. It is" -> "Lima"; initials and "St." keep theirs."""
    stop = re.search(r"(?<!\bSt)(?<!\b[A-Z])\.(?=\s|$)", name)
    return (name[: stop.start()] if stop else name).strip(" -–'’‘\"")
