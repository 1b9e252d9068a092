"""Looked up and answered with sources, where the model by itself is not sure.

Passages that do not fit the question are dropped before the model sees them, and an answer that no passage bears out is dropped after: what
it said by itself then stands. Irrelevant passages can therefore not make it refuse what it knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from wager.gateway.decision import Citation, LookedUp
from wager.gateway.judging import no_answer
from wager.gateway.task import Task, Verdict
from wager.gateway.upstream import UpstreamError
from wager.gateway.wire import text_of
from wager.grading.abstention import find_abstention
from wager.grading.citations import verify_passages
from wager.lookup.limits import Limited, quoted
from wager.lookup.passages import Passage
from wager.lookup.relevance import RELEVANT, relevant
from wager.lookup.words import content_terms, terms

__all__ = ["Searched", "borne_out", "fits", "from_passages", "search"]

Json = dict[str, Any]

PASSAGES = 4
"""Passages that a model is shown."""
LONGEST_QUOTE = 400
"""Characters of a quotation for the reader."""
ASKED = (
    "Answer the question from these passages, in one or two sentences, and cite the passage after each, like [1]. "
    "If they do not answer it, say: I don't know."
)
LINKS = frozenset({"of", "the", "and", "de", "du", "des", "la", "von", "der", "di", "da", "del"})
"""Small words within a name."""
WORD = re.compile(r"[^\W_][\w'’.-]*")
NOT_CALIBRATED = "the answer rests on the passages that it cites, of which the calibration says nothing"


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What was searched for one request."""

    passages: tuple[Passage, ...] = ()
    """Those that fit the question, best first."""
    lookups: tuple[LookedUp, ...] = ()
    """Each search."""

    def used(self, count: int) -> tuple[LookedUp, ...]:
        """The searches, ``count`` of whose passages were cited; they count for the first that found any."""
        first = next((place for place, one in enumerate(self.lookups) if one.passages), None)
        return tuple(replace(one, used=count if place == first else 0) for place, one in enumerate(self.lookups))


async def search(task: Task) -> Searched:
    """The passages that fit the question, from every look-up, within the limits of a request."""
    if not task.lookups or not task.ask.prompt.strip():
        return Searched()
    limited = Limited(task.lookups, seconds=task.seconds)
    found = await task.meter.waited(limited.search(task.ask.prompt, limit=PASSAGES))
    fitting = tuple(one for one in found.passages if fits(task.ask.prompt, one))[:PASSAGES]
    lookups = tuple(
        LookedUp(lookup=name, passages=len(each.passages), used=0, seconds=round(each.seconds, 4), problem=each.problem)
        for name, each in found.found
    )
    return Searched(passages=fitting, lookups=lookups)


def fits(question: str, passage: Passage) -> bool:
    """Whether a passage is about the question: it shares its words, and holds at least one of the names in it, if there are any.

    The capital of Peru is not in a passage about the capital of Chile, though most words are. A name is a word behind the first one that
    is written with a capital. On the 100 questions of RGB (see `wager.lookup.relevance`) this keeps 84 % of the right passages and 1.5 %
    of those of other questions; the words alone 90 % and 4 %.

    >>> santiago = Passage(text="The capital of Chile is Santiago.", title="Chile", uri="file:///chile.md")
    >>> fits("What is the capital of Chile?", santiago), fits("What is the capital of Peru?", santiago)
    (True, False)
    """
    if relevant(question, passage) < RELEVANT:
        return False
    names = set().union(*_names(question))
    return not names or not names.isdisjoint(_terms(passage))


def names_it(question: str, passage: Passage) -> bool:
    """Whether a whole name of the question stands in the passage: "South Korea" does not name South Sudan. True where there is no name.

    >>> korea = Passage(text="The capital of South Korea is Seoul.", title="South Korea", uri="file:///korea.md")
    >>> fits("What is the capital of South Sudan?", korea), names_it("What is the capital of South Sudan?", korea)
    (True, False)
    """
    names, there = _names(question), _terms(passage)
    return not names or any(name <= there for name in names)


def _names(question: str) -> list[set[str]]:
    """The terms of each run of capitalised words behind the first word."""
    telling = set(content_terms(question))
    runs: list[list[str]] = [[]]
    for word in WORD.findall(question)[1:]:
        if word[0].isupper():
            runs[-1].append(word)
        elif word not in LINKS:
            runs.append([])
    return [found for run in runs if (found := set(terms(" ".join(run))) & telling)]


def _terms(passage: Passage) -> set[str]:
    return set(terms(f"{passage.title}\n{passage.text}", every=True))


async def from_passages(task: Task, searched: Searched, closed: Verdict) -> Verdict:
    """An answer from what was found, with citations that were verified; else the best passage, quoted, if it names what was asked about;
    else what the model said by itself, ``closed``.
    """
    if not searched.passages:
        return replace(closed, lookups=searched.lookups)
    try:
        response = await task.meter.chat(_asking(task, searched))
    except UpstreamError as error:
        task.note(f"the call with passages failed: {error.message}")
        return replace(closed, lookups=searched.lookups)
    choice: Json = response["choices"][0]
    text = text_of(choice.get("message") or {}).strip()
    if no_answer(choice) is None and find_abstention(text) is None:
        kept, citations = borne_out(text, searched.passages)
        if kept and citations:
            reason = f"{closed.reason} It was looked up: {len(citations)} of the passages found bear the answer out."
            return _looked_up(choice, kept, citations, reason, searched, closed)
    if names_it(task.ask.prompt, searched.passages[0]):
        return _quoting(searched, closed) if closed.act != "hedge" else replace(closed, lookups=searched.lookups)
    return replace(closed, lookups=searched.lookups)


def _asking(task: Task, searched: Searched) -> Json:
    """The question with the passages as quotations behind the system message; the conversation before it stays."""
    messages = task.ask.messages
    last = max(place for place, one in enumerate(messages) if one["role"] == "user")
    question = f"{quoted(searched.passages)}\n\n{ASKED}\n\nQuestion: {task.ask.prompt}"
    asked = [*messages[:last], {"role": "user", "content": question}]
    return task.asking(messages=asked, temperature=0.0, n=None, logprobs=None, top_logprobs=None, tools=None, tool_choice=None)


def borne_out(text: str, passages: tuple[Passage, ...]) -> tuple[str, tuple[Citation, ...]]:
    """What of an answer its passages bear out, with citations; blank if nothing."""
    found = verify_passages(text, [one.text for one in passages])
    citations = tuple(
        Citation(label=one.label, uri=passages[one.line - 1].uri, quote=one.quote[:LONGEST_QUOTE], title=passages[one.line - 1].title)
        for one in found.citations
        if one.verified and 1 <= one.line <= len(passages)
    )
    return (found.kept_text, citations) if citations and found.kept_text.strip() else ("", ())


def _looked_up(choice: Json, text: str, citations: tuple[Citation, ...], reason: str, searched: Searched, closed: Verdict) -> Verdict:
    return Verdict(
        choice=choice,
        text=text,
        act="look_up",
        reason=reason,
        no_confidence=NOT_CALIBRATED,
        target=closed.target,
        rule=closed.rule,
        citations=citations,
        lookups=searched.used(len(citations)),
    )


def _quoting(searched: Searched, closed: Verdict) -> Verdict:
    """The best passage itself, where the model makes nothing of it."""
    best = searched.passages[0]
    quote = " ".join(best.text.split())
    quote = quote if len(quote) <= LONGEST_QUOTE else f"{quote[: LONGEST_QUOTE - 4]} ..."
    text = f'I am not sure of the answer. This is what "{best.title}" says: "{quote}" [1]'
    citation = Citation(label="[1]", uri=best.uri, quote=best.text[:LONGEST_QUOTE], title=best.title)
    reason = f"{closed.reason} It was looked up, and the model made nothing of the passages that could be verified: the best one is quoted."
    return _looked_up(closed.choice, text, (citation,), reason, searched, closed)
