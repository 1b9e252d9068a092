"""A file to passages: read as text whatever its format, and cut at paragraphs and headings."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wager.lookup.cleaning import one_line, plain
from wager.lookup.pieces import Block, Piece, pieces
from wager.lookup.webpage import html_blocks

__all__ = ["SUFFIXES", "Document", "UnreadableError", "read_document"]

SUFFIXES = frozenset({".txt", ".md", ".rst", ".html", ".htm", ".csv", ".json", ".jsonl", ".log", ".pdf"})
"""Kinds of file that are read; ``.pdf`` only where the package pypdf is installed."""
_BY_LINE = frozenset({".csv", ".json", ".jsonl", ".log"})
"""Each line stands for itself."""


class UnreadableError(Exception):
    """A file that cannot be searched; the message is the reason in a few words, always the same for the same cause."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file, cut into passages."""

    title: str
    """Its first heading, else its file name."""
    pieces: tuple[Piece, ...]
    """In their order."""
    latin: bool = False
    """Whether it is not valid UTF-8 and was read as Latin-1: letters beyond ASCII may be wrong."""
    paged: bool = False
    """Whether the numbers of the pieces are those of pages and not of lines."""


def read_document(path: Path, *, most_bytes: int) -> Document:
    """Reads a regular file, following no link at the last step.

    Raises:
        UnreadableError: it is too large, binary, damaged, of a kind that is not read, or not a regular file.
        OSError: it cannot be opened or read now.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableError("of another kind")
    if suffix == ".pdf":
        return _pdf(path, most_bytes)
    text, latin = _decoded(_bytes(path, most_bytes))
    title, blocks = _blocks(suffix, text)
    return Document(title=one_line(title or path.name, most=120), pieces=tuple(pieces(blocks)), latin=latin)


def _bytes(path: Path, most: int) -> bytes:
    # A pipe would block, and a link may have been put there since the folder was listed.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableError("not a regular file")
        found = file.read(most + 1)
    if len(found) > most:
        raise UnreadableError("too large")
    return found


def _decoded(raw: bytes) -> tuple[str, bool]:
    """The text, and whether it had to be read as Latin-1."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return plain(raw.decode("utf-16", errors="replace")), False
    if b"\0" in raw[:8192]:
        raise UnreadableError("not text")
    try:
        return plain(raw.decode("utf-8-sig")), False
    except UnicodeDecodeError:
        return plain(raw.decode("latin-1")), True


def _blocks(suffix: str, text: str) -> tuple[str | None, list[Block]]:
    """Title and blocks of a text."""
    if suffix in (".html", ".htm"):
        return html_blocks(text)
    lines = text.split("\n")
    if suffix in _BY_LINE:
        blocks = [Block(text=line, first=number, last=number, glue="\n") for number, line in enumerate(lines, 1) if line.strip()]
        return None, blocks
    found = list(_paragraphs(lines, marked=suffix in (".md", ".rst")))
    title = next((_bare(block.text) for block in found if block.heading), None)
    return _front_title(lines) or title, found


_HASHES = re.compile(r"#{1,6}\s+\S")
_UNDERLINE = re.compile(r"([=\-~^\"'`*+.:_#])\1{2,}\s*")
_FENCE = re.compile(r"\s{0,3}(```|~~~)")


def _paragraphs(lines: list[str], *, marked: bool) -> Iterator[Block]:
    """Runs of lines without a blank one; in Markdown and reStructuredText headings stand apart, but not in fenced code."""
    run: list[str] = []
    fenced = False
    for number, line in enumerate([*lines, ""], 1):
        fence = marked and _FENCE.match(line) is not None
        fenced ^= fence
        prose = marked and not fenced and not fence
        if prose and _HASHES.match(line):
            yield from _ended(run, number)
            run = []
            yield Block(text=line, first=number, last=number, heading=True)
        elif prose and len(run) in (1, 2) and _UNDERLINE.fullmatch(line) and not _UNDERLINE.fullmatch(run[-1]):
            if len(run) == 1 or _UNDERLINE.fullmatch(run[0]):  # with or without a line above
                yield Block(text="\n".join([*run, line]), first=number - len(run), last=number, heading=True)
                run = []
            else:
                run.append(line)
        elif line.strip():
            run.append(line)
        else:
            yield from _ended(run, number)
            run = []
    yield from _ended(run, len(lines) + 2)


def _ended(run: list[str], number: int) -> Iterator[Block]:
    """The paragraph before line ``number``, if there is one."""
    if run:
        yield Block(text="\n".join(run), first=number - len(run), last=number - 1)


def _bare(heading: str) -> str:
    """A heading without its marks."""
    return " ".join(line for line in heading.lstrip("#").split("\n") if not _UNDERLINE.fullmatch(line)).strip().rstrip("#").strip()


def _front_title(lines: list[str]) -> str | None:
    """The title in the header of a Markdown file, between two lines of three hyphens."""
    if not lines or lines[0].strip() != "---":
        return None
    for line in lines[1:50]:
        if line.strip() == "---":
            return None
        if line.startswith("title:"):
            return line.removeprefix("title:").strip().strip("\"'") or None
    return None


def _pdf(path: Path, most: int) -> Document:
    if importlib.util.find_spec("pypdf") is None:
        raise UnreadableError("PDF without the package pypdf")
    pypdf = importlib.import_module("pypdf")  # ships no types to those who lack it

    raw = _bytes(path, most)
    try:
        pages = [plain(page.extract_text()) for page in pypdf.PdfReader(io.BytesIO(raw)).pages]
    except Exception:  # noqa: BLE001 - a damaged file may fail in any way, and is then one that cannot be read
        raise UnreadableError("a damaged PDF") from None
    blocks = [Block(text=page, first=number, last=number) for number, page in enumerate(pages, 1) if page.strip()]
    return Document(title=one_line(path.name, most=120), pieces=tuple(pieces(blocks)), paged=True)
