"""Blocks of a document to pieces of 120 to 200 words, cut where the document itself is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wager.lookup.words import is_blankless

__all__ = ["LONG", "SHORT", "Block", "Piece", "pieces"]

SHORT = 120
"""Words from which a piece is complete."""
LONG = 200
"""Words that no piece exceeds."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A paragraph, a heading, or a line that stands for itself."""

    text: str
    """As it stands."""
    first: int
    """1-based number of its first line."""
    last: int
    """And of its last one."""
    heading: bool = False
    """Whether it heads what follows."""
    glue: str = "\n\n"
    """What stands between it and the block before."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What is found and quoted."""

    text: str
    """As it stands, blank lines aside."""
    first: int
    """1-based number of its first line."""
    last: int
    """And of its last one."""
    section: str = ""
    """The heading that it stands under, if that is not within it."""


def pieces(blocks: Iterable[Block]) -> Iterator[Piece]:
    """Joins blocks up to `SHORT` words, cuts those above `LONG`; a heading begins a new piece unless the one before is still very short."""
    held: list[Block] = []
    size, section = 0, ""
    begun = ""  # the section in which the held blocks begin
    for block in _cut(blocks):
        more = _size(block.text)
        full = size + more > LONG or size >= SHORT or (block.heading and size >= SHORT // 2)
        if held and full:
            yield _piece(held, begun)
            held, size = [], 0
        if not held:
            begun = "" if block.heading else section
        if block.heading:
            section = block.text.strip("#=-~ \n")
        held.append(block)
        size += more
    if held:
        yield _piece(held, begun)


def _piece(held: list[Block], section: str) -> Piece:
    text = held[0].text + "".join(block.glue + block.text for block in held[1:])
    return Piece(text=text, first=held[0].first, last=held[-1].last, section=section)


def _size(text: str) -> int:
    """Words; two characters of a script without blanks count as one, and so do ten of anything that is hardly made of words."""
    words = text.count(" ") + text.count("\n") + 1 if text.isascii() else len(text.split()) + sum(map(is_blankless, text)) // 2
    return max(words, len(text) // 10)


def _cut(blocks: Iterable[Block]) -> Iterator[Block]:
    """Blocks above the limit are cut at their lines, and lines above it at their words."""
    for block in blocks:
        if _size(block.text) <= LONG:
            yield block
            continue
        lines = block.text.split("\n")
        whole = len(lines) == block.last - block.first + 1  # each line of the text is one of the file
        for number, line in enumerate(lines):
            first = block.first + number if whole else block.first
            last = first if whole else block.last
            for at, part in enumerate(_parts(line)):
                glue = block.glue if number == at == 0 else " " if at else "\n"
                yield Block(text=part, first=first, last=last, glue=glue)


def _parts(line: str) -> Iterator[str]:
    """A line in parts of at most `LONG` words; a word of more than 400 characters is cut as well."""
    if _size(line) <= LONG:
        yield line
        return
    held: list[str] = []
    size = 0
    for word in line.split():
        for at in range(0, len(word), 2 * LONG):
            part = word[at : at + 2 * LONG]
            more = _size(part)
            if held and size + more > LONG:
                yield " ".join(held)
                held, size = [], 0
            held.append(part)
            size += more
    if held:
        yield " ".join(held)
