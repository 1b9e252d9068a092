"""Does a reply abstain? It does if it says "I don't know" in some form and commits itself to no answer.

A heuristic over sentences: deterministic, and linear in the reply's length. Its decisions:

- A hedged answer is an answer ("I don't know for sure, but it's Paris"; "I don't know. The capital is Lima."; "Paris, though I'm not
  sure"), as in SimpleQA's three-way grading. The last answer field (``ANSWER: ...``, a box, an answer tag) outweighs what is around it.
- Reasoning that answers nothing and ends in "So I don't know" abstains, however much it states on the way.
- Denying that the thing asked about exists ("Zubrowka is not a real country") abstains; "none", "zero" and "none of the options"
  are answers.
- A refusal gives no answer and abstains. Reported speech, titles and the note's own words repeated by the model do not.
- A blank reply is neither (`is_blank`). Of a very long reply the beginning and the end are read.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from wager.grading.phrases import (
    ABOUT,
    ADMITS,
    APOLOGY,
    BARE,
    BOXED,
    BUT_ELSEWHERE,
    CLAUSE_END,
    CLOSEST,
    COMPLIES,
    CONCLUDES,
    ECHO,
    FALSE_PREMISE,
    FRAGMENT,
    GUESSES,
    MARKER,
    NA_WITHOUT_SLASH,
    NAMES_ONE,
    OF_THE_TASK,
    OTHER_LANGUAGES,
    POINTS,
    PREFACE,
    QUOTED_REPLY,
    REASON,
    REFUSES,
    SO,
    STATES,
    SUBORDINATE,
    TAGGED,
    TURNS,
    UNKNOWN_FIELD,
    WITHDRAWS,
)

__all__ = ["Abstention", "find_abstention", "is_blank"]

Rule = Literal["says so", "unknown answer", "false premise", "refusal"]


@dataclass(frozen=True)
class Abstention:
    """Where and how a reply abstains."""

    phrase: str
    """The sentence or field that abstains, as it stands in the reply (at most 200 characters)."""
    start: int
    """Its first character in the reply."""
    end: int
    """One past its last character."""
    rule: Rule
    """``says so`` (I don't know), ``unknown answer`` (ANSWER: unknown), ``false premise`` (there is no such country), ``refusal``."""


@dataclass(frozen=True)
class _Sentence:
    text: str
    start: int
    end: int


HALF = 8000
"""Characters read at either end of a reply that is longer than two of these."""

LAST_WORDS = 3
"""Only so many sentences at the end can withdraw what was stated before them."""

LOOKED_AT = 400
"""Characters of a sentence that are read; a longer one says what it does by then."""

SAME_LENGTH = str.maketrans("’‘`“”*_#>|$\t\r\f\v\xa0", "'''\"\"" + " " * 11)
"""Curly to straight quotes, markup to blanks; every character keeps its place, so that spans stay true."""

ENDS = re.compile(r"(?<![.!?])[.!?]++[\"')\]]*+(?=\s|$)|[。！？]|\n")
INITIALS = re.compile(r"\b(?:St|Dr|Mr|Mrs|Ms|vs|No|[A-Z])\.$")
LETTER_OR_DIGIT = re.compile(r"[^\W_]")
PLACEHOLDERS = re.compile(r"\\(?:boxed|text|mathrm|textbf|mathbf)\b")


def is_blank(reply: str) -> bool:
    r"""Whether a reply holds no letter and no digit: neither an answer nor an abstention.

    >>> is_blank("**"), is_blank(r"\boxed{}"), is_blank("0")
    (True, True, False)
    """
    return LETTER_OR_DIGIT.search(PLACEHOLDERS.sub("", reply)) is None


def find_abstention(reply: str, *, labels: Sequence[str] = ()) -> Abstention | None:
    """How the reply as a whole abstains, or None if it answers (or is blank).

    Args:
        reply: the whole reply, best without its confidence line.
        labels: what counts as an answer by itself: the option letters of a multiple-choice question (``ANSWER: I`` is then
            option I), or named classes such as "Unknown".

    >>> find_abstention("ANSWER: I'm not sure", labels="ABCDEFGHIJ").rule
    'says so'
    >>> find_abstention("ANSWER: I", labels="ABCDEFGHIJ") is None
    True
    >>> find_abstention("I don't know for sure, but it's Paris.") is None
    True
    """
    if is_blank(reply):
        return None
    thought = reply.rfind("</think>") + len("</think>") if "</think>" in reply else 0
    offset = thought if not is_blank(reply[thought:]) else 0
    offset += len(reply[offset:]) - len(reply[offset:].lstrip())
    view, gap = _both_ends(reply[offset:].rstrip())
    found = _read(view, {label.casefold() for label in labels})
    if found is None:
        return None
    sentence, rule = found
    start, end = (place + offset + (gap if place > HALF else 0) for place in (sentence.start, sentence.end))
    return Abstention(reply[start:end][:200], start, end, rule)


def _both_ends(text: str) -> tuple[str, int]:
    """The text with plain punctuation, its middle left out if it is very long, and how many characters were."""
    gap = 0
    if len(text) > 2 * HALF:
        gap = len(text) - 2 * HALF - 1
        text = f"{text[:HALF]}\n{text[-HALF:]}"
    text = text.translate(SAME_LENGTH)
    return ECHO.sub(lambda echo: " " * len(echo.group(0)), text), gap


def _read(text: str, labels: set[str]) -> tuple[_Sentence, Rule] | None:
    sentences = list(_sentences(text, 0, len(text)))
    if not sentences:
        return None
    fields = list(TAGGED.finditer(text)) or [match for pattern in (MARKER, BOXED) for match in pattern.finditer(text)]
    fields = [match for match in fields if not is_blank(match.group("value"))]
    if fields:
        last = max(fields, key=lambda match: match.start("value"))
        field = _Sentence(_unwrapped(last.group("value")), last.start("value"), last.end("value"))
        if _is_label(field.text, labels):
            return None
        if UNKNOWN_FIELD.fullmatch(field.text) or (labels and NA_WITHOUT_SLASH.fullmatch(field.text)):
            return field, "unknown answer"
        in_field = _weigh(list(_sentences(text, field.start, field.end)))
        if in_field:
            return in_field
        return (sentences[-1], "says so") if sentences[-1].start >= field.end and WITHDRAWS.fullmatch(sentences[-1].text) else None
    if len(sentences) == 1:
        whole = sentences[0]
        if _is_label(whole.text, labels):
            return None
        if UNKNOWN_FIELD.fullmatch(whole.text):
            return whole, "unknown answer" if whole.text.lower().startswith(("unknown", "n")) else "says so"
    return _weigh(sentences)


def _is_label(value: str, labels: set[str]) -> bool:
    """Whether a field is one of the labels, several of them, or one with its text ("I) cannot be determined")."""
    if not labels:
        return False
    bare = value.strip("()[]{}\"'. ").casefold()
    if bare in labels or all(part in labels for part in re.split(r"\s*,\s*|\s+and\s+|\s*&\s*|\s+", bare)):
        return True
    opening = re.match(r"\(?([^\s().:,/]{1,3})(?:\)|\.(?=\s)|:)", value)
    return opening is not None and opening.group(1).casefold() in labels


def _weigh(sentences: Sequence[_Sentence]) -> tuple[_Sentence, Rule] | None:
    """Reads sentence by sentence; an admission that concludes outweighs what was stated before it."""
    found: tuple[_Sentence, Rule] | None = None
    settled = committed = False
    for place, sentence in enumerate(sentences):
        rule = _abstains(sentence.text)
        if rule is not None and rule != "states":
            is_last = place == len(sentences) - 1
            takes_back = is_last and place >= 2 and bool(BARE.fullmatch(sentence.text) or WITHDRAWS.fullmatch(sentence.text))
            concludes = CONCLUDES.match(sentence.text) and (rule == "says so" or (rule == "false premise" and is_last))
            if committed and not settled and place >= len(sentences) - LAST_WORDS and (concludes or takes_back):
                found, committed = (sentence, rule), False
            elif found is None and not committed:
                found = (sentence, rule)
        elif found is None:
            settled = settled or CLOSEST.search(sentence.text) is not None
            committed = committed or rule == "states" or not (OF_THE_TASK.search(sentence.text) or PREFACE.fullmatch(f"{sentence.text} "))
        elif rule == "states" or _commits_after(sentence.text, found[1]):
            committed = True
    return None if committed else found


def _abstains(sentence: str) -> Rule | Literal["states"] | None:
    """The rule by which a sentence abstains, ``states`` if it admits something and answers all the same, or None."""
    if sentence.startswith('"') and not FALSE_PREMISE.match(sentence):
        sentence, _, rest = sentence[1:].partition('"')
        if LETTER_OR_DIGIT.search(rest) and not QUOTED_REPLY.match(rest):
            return "states"
    for core in _cores(_unwrapped(sentence)):
        if declined := REFUSES.match(core):
            return "states" if _goes_on_to_answer(core[declined.end() :], only_after_but=True) else "refusal"
        if denied := FALSE_PREMISE.match(core):
            answers = NAMES_ONE.search(core) or _goes_on_to_answer(core[denied.end() :], only_after_but=True)
            return "states" if answers else "false premise"
        if elsewhere := OTHER_LANGUAGES.match(core):
            return "states" if BUT_ELSEWHERE.search(core, elsewhere.end()) else "says so"
        if admitted := ADMITS.match(core):
            return "states" if _goes_on_to_answer(core[admitted.end() :]) else "says so"
    return None


def _peeled(clause: str, layers: int) -> Iterator[str]:
    """The clause, then without its first preface ("I'm sorry, but"), without its second, ..."""
    for _ in range(layers):
        yield clause
        preface = PREFACE.match(clause)
        if preface is None or not clause[preface.end() :].strip():
            return
        clause = clause[preface.end() :].strip()


def _cores(sentence: str) -> Iterator[str]:
    """What may hold an admission: the sentence without its prefaces, and its closing clauses ("..., so I don't know")."""
    core = sentence
    for core in _peeled(sentence, 6):
        yield core
    apology = APOLOGY.search(core)
    if apology:
        yield core[apology.end() :].strip()
    for turn in itertools.islice(CLAUSE_END.finditer(core), 4):
        if BARE.fullmatch(core, turn.end()) and OF_THE_TASK.search(core, 0, turn.start()):
            yield core[turn.end() :]
    if SUBORDINATE.match(core) and not GUESSES.match(core):
        gives_reason = REASON.match(core)
        for turn in itertools.islice(CLAUSE_END.finditer(core), 4):
            tail = core[turn.end() :].strip()
            if gives_reason or SO.match(tail):
                yield from _peeled(tail, 3)


def _goes_on_to_answer(rest: str, *, only_after_but: bool = False) -> bool:
    """Whether what follows an admission in the same sentence commits to an answer."""
    for turn in itertools.islice(TURNS.finditer(rest), 12):
        adversative = turn.group(0).strip().isalpha()
        if only_after_but and not adversative:
            continue
        for tail in _peeled(rest[turn.end() :].strip(" ,"), 4):
            names_a_number = adversative and re.search(r"\d", tail) is not None and not ABOUT.search(tail)
            if names_a_number or FRAGMENT.fullmatch(tail) or _clause_commits(tail, articles=adversative):
                return True
    return False


def _clause_commits(clause: str, *, articles: bool) -> bool:
    """Whether a clause states or guesses something; "it is a ..." does only where articles are let through."""
    if ABOUT.search(clause):
        return False
    if GUESSES.match(clause):
        return True
    stated = STATES.match(clause)
    return stated is not None and (articles or not (stated.group("article") or stated.group("article2")))


def _commits_after(sentence: str, rule: Rule) -> bool:
    """Whether a sentence after an admission answers all the same; background ("It is a small country") does not."""
    if rule == "refusal":
        return COMPLIES.match(sentence) is not None
    if CLOSEST.search(sentence):
        return True
    if POINTS.fullmatch(sentence):
        return False
    asks = sentence.rstrip("\"')").endswith("?")
    for core in _peeled(sentence, 3):
        if GUESSES.match(core) and not ABOUT.search(core):
            return True
        if not asks and (FRAGMENT.fullmatch(core) or _clause_commits(core, articles=False)):
            return True
    has_figure = re.search(r"\d", core) is not None and not re.match(r"i\b|if\b", core, re.I)
    return has_figure and rule != "false premise" and not ABOUT.search(core)


def _sentences(text: str, start: int, end: int) -> Iterator[_Sentence]:
    begin = start
    for boundary in (*ENDS.finditer(text, start, end), None):
        stop = boundary.end() if boundary else end
        if boundary and boundary.group(0) == "." and INITIALS.search(text, max(begin, stop - 5), stop):
            continue
        piece = text[begin:stop]
        if LETTER_OR_DIGIT.search(piece):
            left = begin + len(piece) - len(piece.lstrip(" -\n"))
            yield _Sentence(" ".join(text[left : min(stop, left + LOOKED_AT)].split()), left, left + len(text[left:stop].rstrip()))
        begin = stop


def _unwrapped(text: str) -> str:
    """Without what may stand around a field or a whole sentence: quotes, brackets, a box."""
    text = re.sub(r"\\(?:boxed|text|mathrm|textbf)\b|[{}\\]", " ", text)
    text = text.strip()
    return text.strip("\"'()[] ") if text[:1] in "\"'([" else text.rstrip('"')
