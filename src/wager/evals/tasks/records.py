"""Records of a file: CSV, JSON lines, JSON or Parquet. What is wrong with the file is said with its name and line."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wager.errors import DataError, UnknownNameError, UsageError

__all__ = ["column_of", "records_of", "require", "text_in"]


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records of a file, at least one.

    Raises:
        DataError: the file is absent, unreadable, damaged (with the line) or empty.
        UsageError: a file type that is not read.
    """
    readers = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{str(path)!r}: questions are read from {', '.join(readers)} files")
    try:
        records = readers[path.suffix.lower()](path)
    except OSError as error:
        raise DataError(f"the file {str(path)!r} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"the file {str(path)!r} is not UTF-8 text (byte {error.start})") from error
    if not records:
        raise DataError(f"the file {str(path)!r} holds no records")
    return records


def _csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _jsonl(path: Path) -> list[dict[str, Any]]:
    records = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                records.append(_object(line, path, number))
    return records


def _object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{str(path)!r}, line {number}: not JSON ({error.msg})") from error
    if not isinstance(record, dict):
        raise DataError(f"{str(path)!r}, line {number}: a record is a JSON object, got {type(record).__name__}")
    return record


def _json(path: Path) -> list[dict[str, Any]]:
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{str(path)!r}, line {error.lineno}: not JSON ({error.msg})") from error
    rows = whole.get("examples") if isinstance(whole, dict) else whole
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f'{str(path)!r}: a .json file holds a list of records, or {{"examples": [...]}}')
    return rows


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        return list(pq.read_table(path).to_pylist())
    except pa.ArrowInvalid as error:
        raise DataError(f"{str(path)!r} is not a Parquet file: {error}") from error


def require(records: Sequence[dict[str, Any]], columns: Sequence[str], path: Path) -> None:
    """Raises UnknownNameError, with the nearest column, unless the first record has every column."""
    for name in columns:
        if name not in records[0]:
            raise UnknownNameError(f"column in {str(path)!r}", name, map(str, records[0]))


def column_of(records: Sequence[dict[str, Any]], given: str | None, usual: Sequence[str], what: str, path: Path) -> str:
    """The column that was given, or the first usual one that the file has, in upper or lower case."""
    if given is not None:
        require(records, [given], path)
        return given
    present = {str(name).casefold(): name for name in records[0]}
    found = next((present[name] for name in usual if name in present), None)
    if found is None:
        raise UsageError(f"{str(path)!r} has the columns {', '.join(map(str, records[0]))}; name the {what}'s with -T {what}=COLUMN")
    return found


def text_in(record: dict[str, Any], column: str, where: str) -> str:
    """The text in a column of a record; raises DataError, naming the record, if there is none."""
    value = record.get(column)
    if value is None or not str(value).strip():
        raise DataError(f"{where}: nothing in the column {column!r}")
    return str(value).strip()
