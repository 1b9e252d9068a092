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

    text: str
    """As it stands in the reply: "Sydney or Canberra"."""
    names: tuple[str, ...]
    """One name, or those offered together."""
    others: tuple[str, ...] = ()
    """Different names that the same reply gives for the same capital in other sentences, uncorrected."""


OTHER_KIND = "".join(
    f"(?<!{kind} )"
    for kind in ("former", "previous", "old", "first", "largest", "commercial", "economic", "cultural", "financial", "historic")
)
SUBJECT = r"(?: of (?P<of>(?:[^.,;:!?\n]|(?-i:(?<=\b[A-Z]))\.|(?<=\bSt)\.){1,60}?))?"
STATED = re.compile(
    rf"{OTHER_KIND}\bcapital(?: and [a-z ]{{1,20}}?)?(?: city)?{SUBJECT},?\s+(?:is|are|would be|might be|may be|could be)\b:?",
    re.IGNORECASE,
)
STATED_BEFORE_IS = re.compile(r"\s(?:is|was|are|which|that)\s", re.IGNORECASE)
CAPITAL_COLON = re.compile(r"^\W*capital(?: city)?(?: of [^:\n]{1,60})?\s*[:=-]", re.IGNORECASE)
ASIDE = r"(?:,[^,.\n]{1,40},| \([^)]*\))?"
ROLE = re.compile(
    rf"^(?P<name>(?:[^\n.!?]|(?-i:(?<=\b[A-Z]))\.|(?<=\bSt)\.){{1,60}}?){ASIDE} (?:is|serves as)(?: [a-z]+ly| indeed| also)?,?"
    r" (?:the|its|their) (?:\w+ ){0,2}capital\b"
    r"|^(?P<apposed>[^\n,]{1,60}), (?:the|its) capital\b"
    r"|^[^\n.!?]{1,60}? ha(?:s|ve) (?P<had>[^\n.!?]{1,40}?) as (?:its|their|the) capital\b",
    re.IGNORECASE,
)
THINK = r"(?:think|believe|guess|say|go with)(?: that)?"
ANSWERED = re.compile(
    r"\banswer(?: to (?:the|your|this) question)?\s*(?:is|:|=)"
    rf"|(?:^|[.!,;\n]\s*|\b{THINK} |\b(?:but|sure) )(?:it is|it['’]s|that is|that would be)\b"
    rf"|\bi(?: would|['’]d| will|['’]ll)? {THINK}\b",
    re.IGNORECASE,
)
OPENING = re.compile(
    r"(?:(?:sure(?: thing)?|certainly|of course|alright|okay|ok|yes|well|hello|hi|awesome|great|thank you|sorry|absolutely)\b[^\w\n]*\s"
    r"|[:\s\"“'‘]+)",
    re.IGNORECASE,
)
FILLER = re.compile(
    r"(?:(?:the|a|an) (?:[a-z-]+ ){0,2}(?:city|town|village|municipality|settlement|place|city-state|entity)"
    r"(?: of| called| named| known as|,? called|,? named)"
    r"|called|known as|named|located (?:in|at)|found in|situated in|currently|actually|officially|indeed|now|formally|traditionally"
    r"|definitely|probably|most likely|likely|possibly|perhaps|maybe|either|both|in|at|it is|it['’]s|answer:?|the)"
    r"(?=[\s\"“'‘])[\s\"“'‘]*",
    re.IGNORECASE,
)
DENIAL = re.compile(
    r"(?:not|no longer|never|neither|n['’]t)\b(?! only\b)[^.;\n]*?(?:,? but (?:rather |actually |instead )?|[.;,] (?:it is|it['’]s) )"
    r"(?P<rest>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
NO_NAME = re.compile(
    r"(?:not|no|never|neither|unknown|none|i|i['’]m|you|we|it|there|this|that|what|which|who|"
    r"a|an|my|your|to|as|please|capital(?! (?-i:[A-Z]))|answer)\b(?!-)",
    re.IGNORECASE,
)
WORD = r"[A-ZÀ-ÞĀ-Ž0-9'’ʻ‘Ḁ-ỿ][\w'’ʻ‘.-]*"
JOIN = r"(?:de|la|le|las|los|del|des|of|the|al|el|upon|da|do|dos|di|les|den|am|an|ad|y|e|sur|-|–)"
NAME = re.compile(rf"{WORD}(?:[ \t]+(?:{JOIN}[ \t-]+){{0,2}}{WORD})*")
JOINED = re.compile(
    rf"[\"”'’]*(?P<list>(?:,\s+{NAME.pattern}){{0,3}}),?\s*(?:\bor\b|\band\b|/|&)\s*"
    rf"(?:possibly |maybe |in |the city of |the )?[\"“]*(?P<name>{NAME.pattern})(?!['’]s\b)"
)
LOWER_CASE = re.compile(r"[^\W\d_][\w'’-]*(?: [\w'’-]+){0,2}(?=\W*$|[,.;(\n])")
CORRECTS = re.compile(r"\b(?:actually|correction|sorry|wait|rather|no)\b", re.IGNORECASE)
DOUBT = re.compile(r"\b(?:not (?:\w+ )?(?:sure|certain)|unsure|uncertain|may (?:\w+ )?be (?:wrong|mistaken)|best guess)\b", re.IGNORECASE)
"""Said before a bare name on a line of its own: the name is claimed all the same."""
DESCRIBES = re.compile(r"\s+(?:is|are|was|has|lies|does|do|can|refers|means)\b", re.IGNORECASE)


def claimed_capital(reply: str, country: str = "") -> Claim | None:
    """The place that a reply claims to be the capital of the country, or None if it names none.

    >>> claimed_capital("The capital of Laos is Lousia, a city in")
    Claim(text='Lousia', names=('Lousia',), others=())
    >>> claimed_capital("The capital of Yaltoria is not a place, but rather a concept.") is None
    True
    """
    text = re.sub(r"[*_#`]+", "", reply).strip()
    asked = normalise(country)
    stated = [match for match in STATED.finditer(text) if not STATED_BEFORE_IS.search(match.group("of") or "")]
    subjects = [(match, normalise(match.group("of") or "")) for match in stated]
    about = (
        [match for match, said in subjects if said == asked]
        or [match for match, said in subjects if said and asked and (said in asked or asked in said)]  # "the country of Georgia"
        or stated[:1]
    )
    claims = [(match, claim) for match in about if (claim := _named(text[match.end() :], asked, any_case=True))]
    if not claims:
        return _by_role(text, asked) if about else _by_role(text, asked) or _answered(text, asked)
    first, last = claims[0], claims[-1]
    if len(claims) > 1 and CORRECTS.search(text[first[0].end() : last[0].start()]):
        return last[1]
    others = {normalise(claim.text): claim.text for _, claim in claims[1:]}
    others.pop(normalise(first[1].text), None)
    return Claim(first[1].text, first[1].names, tuple(others.values()))


def _by_role(text: str, asked: str) -> Claim | None:
    """The name before "is the capital", or before ", the capital of"."""
    role = ROLE.match(OPENING.sub("", text, count=1) if OPENING.match(text) else text)
    return _named(role.group("name") or role.group("apposed") or role.group("had"), asked) if role else None


def _answered(text: str, asked: str) -> Claim | None:
    """The name where the reply marks its answer, or the bare name that the reply is."""
    label = CAPITAL_COLON.match(text)
    for start in [label.end()] if label else [match.end() for match in ANSWERED.finditer(text)][::-1]:
        claim = _named(text[start:], asked, any_case=label is not None)
        if claim:
            return claim
    doubt, _, last = text.rpartition("\n")
    if last.strip()[:1].isalpha() and DOUBT.search(doubt) and NAME.fullmatch(last.strip().rstrip(".")):
        return _named(last, asked, bare=True)
    return _named(text, asked, any_case=True, bare=True)


def _named(text: str, asked: str, *, any_case: bool = False, bare: bool = False) -> Claim | None:
    """The name or names that a text begins with, after fillers; a bare one is no subject of a sentence."""
    rest = text.strip()
    described = re.match(r"(?:the|an?)\b", rest, re.IGNORECASE)
    for _ in range(4):
        for pattern in (OPENING, FILLER):
            found = pattern.match(rest)
            if found and rest[found.end() :].strip():
                rest = rest[found.end() :].lstrip(" \"“'‘")
    denied = DENIAL.match(rest)
    if denied:
        return None if DENIAL.match(denied.group("rest")) else _named(denied.group("rest"), asked)
    if not rest or NO_NAME.match(rest):
        return None
    found = NAME.match(rest)
    if found is None:
        word = LOWER_CASE.match(rest) if any_case and not described else None
        return Claim(word.group(), (word.group(),)) if word and not (bare and re.search(r"\w", rest[word.end() :])) else None
    name = _without_end(found.group())
    end = found.start() + len(name)
    joined = JOINED.match(rest, end)
    names: tuple[str, ...] = (name,)
    if joined:
        names = (name, *(_without_end(one) for one in NAME.findall(joined.group("list"))), _without_end(joined.group("name")))
        end = joined.start("name") + len(names[-1])
    if bare and DESCRIBES.match(rest, end):
        return None
    whole = re.sub(r"[\"”“]", "", rest[:end])
    return Claim(whole, (whole,) if normalise(whole) == asked else names)


def _without_end(name: str) -> str:
    """A name without what follows it after a full stop: "Lima. It is" -> "Lima"; initials and "St." keep theirs."""
    stop = re.search(r"(?<!\bSt)(?<!\b[A-Z])\.(?=\s|$)", name)
    return (name[: stop.start()] if stop else name).strip(" -–'’‘\"")
