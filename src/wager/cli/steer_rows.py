"""Prompts, and replies where there are some, of a table whose rows keep their order and their other columns; and a table written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.errors import DataError, UnknownNameError
from wager.files import replacing

if TYPE_CHECKING:
    from pyarrow import Table

__all__ = ["Rows", "as_table", "read_rows", "text_of", "write_rows"]

MESSAGES = ("messages", "conversations", "conversation")
PROMPTS = ("prompt", "question", "input", "query", "instruction", "text")
REPLIES = ("reply", "response", "answer", "completion", "output")
"""Names of columns, in the order in which they are tried."""


@dataclass(frozen=True)
class Rows:
    """What to read with a model, row by row."""

    records: list[dict[str, Any]]
    """The rows as they were read."""
    chats: list[list[dict[str, str]]]
    """What comes before each reply."""
    replies: list[str] | None
    """An empty text where a row has none; None if there is no column of replies."""
    problems: tuple[str, ...]
    """Lines that were left out."""


def read_rows(path: Path, *, prompt: str | None = None, reply: str | None = None, limit: int | None = None) -> Rows:
    """The rows of a Parquet, CSV or JSON lines file.

    Args:
        path: the file; what it holds is told from its content.
        prompt: column of prompts, or of chat records whose last assistant turn is the reply; None looks for a usual name.
        reply: column of replies; None looks for a usual name, and finds none where there is none.
        limit: only the first so many rows.

    Raises:
        DataError: nothing can be read, or a prompt is no text; the message names the row.
        UnknownNameError: no such column.
    """
    records, problems = _records(path)
    records = records[:limit]
    if not records:
        raise DataError(f"{str(path)!r} holds no rows{f' ({problems[0]})' if problems else ''}")
    names = list(dict.fromkeys(name for record in records for name in record))
    for named in (prompt, reply):
        if named is not None and named not in names:
            raise UnknownNameError("column", named, names)
    asked = prompt or next((name for name in (*MESSAGES, *PROMPTS) if name in names), None)
    if asked is None:
        raise DataError(f"{str(path)!r} has the columns {', '.join(names)}: say which holds the prompts with --prompt")
    if isinstance(records[0].get(asked), list):
        pairs = [_turns(record.get(asked), place) for place, record in enumerate(records, start=1)]
        given = any(said is not None for _, said in pairs)
        return Rows(records, [chat for chat, _ in pairs], [said or "" for _, said in pairs] if given else None, problems)
    said = reply or next((name for name in REPLIES if name in names and name != asked), None)
    chats = [[{"role": "user", "content": text_of(record.get(asked), asked, place)}] for place, record in enumerate(records, start=1)]
    if said is None:
        return Rows(records, chats, None, problems)
    replies = [
        "" if record.get(said) is None else text_of(record[said], said, place, blank=True) for place, record in enumerate(records, start=1)
    ]
    return Rows(records, chats, replies, problems)


def _records(path: Path) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from wager.importers.source import Source

    if not path.is_file():
        raise DataError(f"no file {str(path)!r}")
    source = Source(path)
    try:
        if source.kind == "parquet":
            return pyarrow.parquet.read_table(path).to_pylist(), ()
        if source.kind == "csv" or (source.kind == "unknown" and path.suffix in (".csv", ".tsv")):
            parsing = pyarrow.csv.ParseOptions(delimiter=source.delimiter, newlines_in_values=True)
            reading = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
            return pyarrow.csv.read_csv(path, parse_options=parsing, convert_options=reading).to_pylist(), ()
        if source.kind in ("lines", "list", "object"):
            found = [record for _, record in source.records() if isinstance(record, dict)]
            source.finish()
            return found, tuple(source.problems)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}") from error
    raise DataError(f"{str(path)!r} is no table: Parquet, CSV or JSON lines are read")


def text_of(value: object, column: str, place: int, *, blank: bool = False) -> str:
    """The text in a cell.

    Args:
        value: what the cell holds.
        column, place: for the message; rows count from 1.
        blank: whether an empty text will do.

    Raises:
        DataError: it is none.
    """
    if not isinstance(value, str) or not (blank or value.strip()):
        raise DataError(f"row {place}: {column!r} is {'a text' if blank else 'a text of at least one character'}, got {str(value)[:40]!r}")
    return value


def _turns(value: object, place: int) -> tuple[list[dict[str, str]], str | None]:
    """The turns before the last assistant turn, and what it says."""
    from wager.corpus.reading import ASSISTANT, USER

    roles = {"system": "system"} | dict.fromkeys(USER, "user") | dict.fromkeys(ASSISTANT, "assistant")
    chat: list[dict[str, str]] = []
    for turn in value if isinstance(value, list) else []:
        role = turn.get("role", turn.get("from")) if isinstance(turn, Mapping) else None
        said = turn.get("content", turn.get("value")) if isinstance(turn, Mapping) else None
        if role not in roles or not isinstance(said, str):
            raise DataError(f"row {place}: a turn has a role ({', '.join(roles)}) and a content, got {str(turn)[:60]!r}")
        chat.append({"role": roles[role], "content": said})
    reply = chat.pop()["content"] if chat and chat[-1]["role"] == "assistant" else None
    if not chat:
        raise DataError(f"row {place}: a chat has at least one turn before the reply")
    return chat, reply


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows as Parquet or JSON lines, by the file's ending, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
        DataError: the rows do not fit one table.
    """
    if path.suffix == ".jsonl":
        with replacing(path) as part:
            part.write_text("".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows), encoding="utf-8")
        return
    import pyarrow.parquet

    table = as_table(rows)
    with replacing(path) as part:
        pyarrow.parquet.write_table(table, part)


def as_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The rows as one table, a column for each name in any of them; DataError where a column mixes types."""
    import pyarrow as pa

    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowException, OverflowError) as error:
            raise DataError(f"the column {name!r} makes none for Parquet ({error}); write .jsonl instead") from error
    return pa.table(columns)
