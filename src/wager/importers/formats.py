"""What an importer is: it tells by content whether a file is its own, and reads it in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wager.importers.source import Source
from wager.registry import Registry

__all__ = ["ORDER", "Block", "Importer", "Missing", "Options", "formats"]

Missing = Literal["abstained", "incorrect", "unparsed"]
"""What an answer that is missing counts as; `wager.importers.read_answers` describes each."""

BLOCK_ROWS = 2**15
"""Rows of a block."""

BLOCK_TEXT = 2**25
"""Characters of text after which a block is handed on, however few its rows."""


@dataclass(frozen=True)
class Options:
    """What the caller of `wager.importers.read_answers` asked for."""

    mapping: Mapping[str, str] = field(default_factory=dict)
    """Our column -> the file's."""
    missing: Missing = "unparsed"
    """What a missing answer counts as."""
    comparison: str = "text"
    """Name of the comparison of answer and reference."""
    keep: tuple[str, ...] = ()
    """Further columns of the file."""
    texts: bool = False
    """Whether question, reference, answer and reply are kept."""
    model: str | None = None
    """Name of the model where the file gives none."""
    task: str | None = None
    """Name of the task where the file gives none."""


@dataclass(frozen=True)
class Block:
    """Some rows of a file, not settled yet.

    A column is an Arrow array, a list of plain values, or one value for all rows (a text). Column names are those of
    `wager.table.SCHEMA`, and ``correct`` (a verdict in any usual spelling) and ``labels`` (what counts as an option).
    """

    size: int
    """Rows N."""
    columns: dict[str, Any]
    """By name; each of N values, or one text."""
    kept: dict[str, Any] = field(default_factory=dict)
    """Columns that ``keep`` asked for; each of N values."""
    first: int = 1
    """1-based number of the first row in its file."""
    rereads: bool = True
    """Whether a reply that was scored wrong is read for "I don't know"."""


@dataclass(frozen=True)
class Importer:
    """One format."""

    name: str
    """As `SourceFile.format` gives it."""
    sniff: Callable[[Source], bool]
    """Whether a file is of this format, by its content."""
    read: Callable[[Source, Options, set[str]], Iterator[Block]]
    """The rows of a file; puts what a reader must see into the set of notes. Raises DataError for a damaged file."""


formats: Registry[Importer] = Registry("importer")
"""Importers by name; the first in `ORDER` that recognises a file reads it, then those of other packages."""

ORDER = ("wager", "inspect", "lm-eval", "helm", "mmlu-pro", "swe-bench", "every-eval-ever", "simpleqa", "table")
"""From the most particular content to the least."""


def in_blocks(rows: Iterator[tuple[dict[str, Any], dict[str, Any]]], *, rereads: bool = True) -> Iterator[Block]:
    """Blocks of (row, kept values); the columns are all keys that a block's rows have."""
    gathered: list[tuple[dict[str, Any], dict[str, Any]]] = []
    first, weight = 1, 0
    for row, kept in rows:
        gathered.append((row, kept))
        weight += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(gathered) == BLOCK_ROWS or weight > BLOCK_TEXT:
            yield _block(gathered, first, rereads)
            first, weight = first + len(gathered), 0
            gathered = []
    if gathered:
        yield _block(gathered, first, rereads)


def _block(gathered: list[tuple[dict[str, Any], dict[str, Any]]], first: int, rereads: bool) -> Block:
    names = dict.fromkeys(name for row, _ in gathered for name in row)
    kept = dict.fromkeys(name for _, values in gathered for name in values)
    return Block(
        len(gathered),
        {name: [row.get(name) for row, _ in gathered] for name in names},
        {name: [values.get(name) for _, values in gathered] for name in kept},
        first,
        rereads,
    )
