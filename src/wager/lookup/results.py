"""What an MCP tool says to passages: text, resources, links and structured records, bounded, and none of their addresses followed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from wager.lookup.cleaning import one_line, plain
from wager.lookup.passages import Passage
from wager.lookup.pieces import Block, pieces
from wager.lookup.relevance import relevant

__all__ = ["passages_of"]

_TEXTS = ("text", "content", "snippet", "passage", "body", "extract", "summary", "description", "markdown", "page_content")
_TITLES = ("title", "name", "heading", "headline")
_ADDRESSES = ("url", "uri", "link", "href", "source", "permalink")
_SCORES = ("score", "relevance", "similarity")
_MOST_TEXT = 200_000
"""Characters of one text that are read."""
_MOST_RECORDS = 100
"""Records of one answer that are read."""
_DEPTH = 4
"""How deep records may lie in a structured answer."""


def passages_of(
    content: Sequence[Any], structured: Mapping[str, Any] | None, *, question: str, limit: int, lookup: str, tool: str
) -> tuple[Passage, ...]:
    """The first passages of an answer, in the order of the server; of a long text the parts that share most with the question.

    Args:
        content: blocks as the MCP library gives them: texts, links to resources, resources with their text; others are passed over.
        structured: the structured answer, if there is one; where it holds no text, the content is read.
        question: what was asked.
        limit: how many at most.
        lookup: name of the look-up.
        tool: name of the tool: title of what has none.
    """
    records = list(_records(structured, _DEPTH)) if structured else []
    if not any(_text(record) for record in records):
        records = [record for block in content[:_MOST_RECORDS] for record in _of_block(block)]
    found: list[Passage] = []
    for number, record in enumerate(records[:_MOST_RECORDS], 1):
        if len(found) >= limit:
            break
        found += _passages(record, number, question, limit - len(found), lookup, tool)
    return tuple(found)


def _records(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Objects with a text in a JSON value, outermost first; lists of texts too."""
    if depth < 0:
        return
    if isinstance(value, Mapping):
        if _text(value):
            yield value
            return
        for inner in value.values():
            yield from _records(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value[:_MOST_RECORDS]:
            if isinstance(inner, str):
                yield {"text": inner}
            else:
                yield from _records(inner, depth - 1)


def _of_block(block: Any) -> Iterator[Mapping[str, Any]]:
    """The records of one block of content."""
    kind = getattr(block, "type", None)
    if kind == "text":
        if block.text.lstrip()[:1] in ("{", "["):
            try:
                found = list(_records(json.loads(block.text), _DEPTH))
            except (ValueError, RecursionError):
                found = []
            if found or block.text.strip() in ("[]", "{}"):
                yield from found
                return
        yield {"text": block.text}
    elif kind == "resource_link" and block.description:
        yield {"text": block.description, "title": block.title or block.name, "uri": str(block.uri)}
    elif kind == "resource" and getattr(block.resource, "text", None):
        yield {"text": block.resource.text, "uri": str(block.resource.uri)}


def _passages(record: Mapping[str, Any], number: int, question: str, limit: int, lookup: str, tool: str) -> list[Passage]:
    text = plain(_text(record)[:_MOST_TEXT]).strip()
    title = one_line(_first(record, _TITLES), most=120) or tool
    uri = _address(_first(record, _ADDRESSES), lookup) or f"mcp:{quote(lookup, safe='')}#{number}"
    score = next((float(record[key]) for key in _SCORES if type(record.get(key)) in (int, float)), None)
    parts = [piece.text for piece in pieces(_paragraphs(text))]
    if len(parts) > limit:
        fit = [relevant(question, Passage(text=part, title="", uri="")) for part in parts]
        best = sorted(range(len(parts)), key=lambda at: (-fit[at], at))[:limit]
        parts = [parts[at] for at in sorted(best)]
    return [Passage(text=part, title=title, uri=uri, score=score, lookup=lookup) for part in parts]


def _paragraphs(text: str) -> Iterator[Block]:
    for number, part in enumerate(text.split("\n\n"), 1):
        if part.strip():
            yield Block(text=part.strip("\n"), first=number, last=number)


def _text(record: Mapping[str, Any]) -> str:
    return _first(record, _TEXTS)


def _first(record: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The first of the keys that holds a text with something in it."""
    return next((value for key in keys if isinstance(value := record.get(key), str) and value.strip()), "")


def _address(given: str, lookup: str) -> str:
    """A web address as it is; any other one made inert, for a page that shows it may make it a link."""
    given = one_line(given, most=2000)
    if not given:
        return ""
    try:
        parts = urlsplit(given)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme in ("http", "https") and parts.netloc and "@" not in parts.netloc and " " not in given:
        return quote(given, safe=":/?#[]@!$&'()*+,;=%-._~")
    return f"mcp:{quote(lookup, safe='')}/{quote(given[:300], safe='')}"
