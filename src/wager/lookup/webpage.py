"""A page of HTML to blocks of text, with the parser of the standard library; scripts and styles are dropped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from wager.lookup.pieces import Block

__all__ = ["html_blocks"]

_DROPPED = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object", "canvas", "math"})
_INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img", "ins", "kbd"}
    | {"label", "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr"}
)
"""Elements that do not end a paragraph; every other one does."""
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


def html_blocks(text: str) -> tuple[str | None, list[Block]]:
    """Title and blocks: the title is the first heading, else the element ``title``; None without either.

    >>> html_blocks("<title>T</title><h1>Lima</h1><script>no()</script><p>The <b>capital</b> of Peru.")[1][1].text
    'The capital of Peru.'
    """
    parser = _Reader()
    parser.feed(_simplified(text))
    parser.close()
    parser.end_block()
    first = next((block.text for block in parser.blocks if block.heading), None)
    return first or parser.title or None, parser.blocks


_OPENERS = re.compile(r"<!--|<(script|style)\b", re.IGNORECASE)
_TAG = re.compile(r"<(?:(/?[a-z][a-z0-9]*)[^<>]*|[!?][^<>]*)>|<", re.IGNORECASE)


def _simplified(text: str) -> str:
    """Tags without attributes, and no comment, script, style or stray ``<``; as many lines as before.

    The parser takes time that grows with the square of the length of an unfinished tag, or worse (20 s for 60 kB of ``<a``), and holds
    up every other thread meanwhile; this takes one pass.
    """
    lower, kept, at = text.lower(), [], 0
    if len(lower) != len(text):  # a few letters grow
        lower = text
    while found := _OPENERS.search(text, at):
        start = found.start()
        close = f"</{found[1].lower()}" if found[1] else "-->"
        end = lower.find(close, found.end())
        end = len(text) if end < 0 else end + (0 if found[1] else len(close))
        # The closing tag of a script stays and closes nothing.
        kept += [text[at:start], "\n" * text.count("\n", start, end)]
        at = end
    kept.append(text[at:])
    return _TAG.sub(_bare_tag, "".join(kept))


def _bare_tag(found: re.Match[str]) -> str:
    if found[0] == "<":
        return "&lt;"
    return (f"<{found[1]}>" if found[1] else "") + "\n" * found[0].count("\n")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.title = ""
        self._dropping: list[str] = []
        self._titling = self._heading = False
        self._held: list[str] = []
        self._first = self._last = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self._dropping.append(tag)
        elif tag == "title":
            self._titling = True
        elif tag not in _INLINE:
            self.end_block()
            self._heading = tag in _HEADINGS

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _INLINE and tag not in _DROPPED:
            self.end_block()

    def handle_endtag(self, tag: str) -> None:
        if tag in self._dropping:
            del self._dropping[self._dropping.index(tag) :]
        elif tag == "title":
            self._titling = False
        elif tag not in _INLINE and not self._dropping:
            self.end_block()

    def handle_data(self, data: str) -> None:
        if self._dropping or not data:
            return
        if self._titling:
            self.title = " ".join((self.title + data).split())
            return
        if data.strip():
            # The position is that of the first character of the data; blanks before the text are not part of it.
            line = self.getpos()[0] + data[: len(data) - len(data.lstrip())].count("\n")
            self._first = self._first or line
            self._last = line + data.strip().count("\n")
        self._held.append(data)

    def end_block(self) -> None:
        """What was gathered becomes a block, on one line as a browser shows it."""
        text = " ".join("".join(self._held).split())
        if text:
            self.blocks.append(Block(text=text, first=self._first, last=self._last, heading=self._heading))
        self._held, self._first, self._heading = [], 0, False
