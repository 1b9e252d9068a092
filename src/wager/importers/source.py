"""A file as an importer sees it: what it holds, told from its content, and its records one by one.

Nothing is unpacked to disk, and names inside an archive are text only. What one record, one archive member or one whole JSON
document may take is bounded; a file beyond a bound is refused with the bound in the message.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from wager.errors import DataError

__all__ = ["LARGEST_DOCUMENT", "LARGEST_MEMBER", "LARGEST_RECORD", "Kind", "Source"]

Kind = Literal["parquet", "archive", "list", "lines", "object", "csv", "empty", "unknown"]
"""``archive``: zip. ``list``, ``object``: one JSON document of that type. ``lines``: one JSON object a line. ``csv``: a table as text."""

LARGEST_RECORD = 64 * 2**20
"""Bytes of one record of a JSON list or of one line."""

LARGEST_MEMBER = 2**30
"""Bytes of one archive member that is read as a whole, after decompression."""

LARGEST_DOCUMENT = 2**30
"""Bytes of a JSON document that is read as a whole."""

LARGEST_STREAM = 32 * 2**30
"""Bytes of one archive member that is read record by record, after decompression."""

HEAD = 2**16
"""Bytes read to tell what a file holds."""

CHUNK = 2**20

ZSTD = 93
"""Zip's number of the method that recent Inspect logs use."""

SHOWN_LINES = 5
"""Damaged lines of one file that are listed one by one; the others are counted."""


@dataclass
class Source:
    """One file, opened as often as needed and never changed."""

    path: Path
    """As it was given or found."""
    problems: list[str] = field(default_factory=list)
    """Lines that could not be used, one sentence each."""
    _damaged: int = 0

    @property
    def name(self) -> str:
        """The path as one shows it in a message."""
        return repr(str(self.path))

    @cached_property
    def head(self) -> bytes:
        """The first `HEAD` bytes."""
        with self.path.open("rb") as file:
            return file.read(HEAD)

    @cached_property
    def kind(self) -> Kind:
        """What the file holds, by its content."""
        text = self.head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not text:
            return "empty" if len(self.head) < HEAD else "unknown"
        if text.startswith(b"PAR1"):
            return "parquet"
        if text.startswith(b"PK\x03\x04"):
            return "archive"
        if b"\0" in self.head:
            return "unknown"
        if text.startswith(b"["):
            return "list"
        if text.startswith(b"{"):
            return self._lines_or_object()
        return "csv" if _delimiter(self.head) else "unknown"

    def _lines_or_object(self) -> Kind:
        with self.path.open("rb") as file:
            lines = (line for line in iter(lambda: file.readline(LARGEST_RECORD), b"") if line.strip(b"\xef\xbb\xbf \t\r\n"))
            first, second = next(lines, b""), next(lines, b"")
        whole = first.rstrip().endswith(b"}") and first.strip() != b"{}"
        if second and (whole or second.startswith(b"{")):
            return "lines"
        return "object"

    @cached_property
    def first(self) -> dict[str, Any]:
        """The first readable record of a JSON list, of JSON lines or of an archive with one JSON list; else empty."""
        try:
            for place, (_, record) in enumerate(self.records(report=False)):
                if isinstance(record, dict):
                    return record
                if place == SHOWN_LINES:
                    break
        except (DataError, OSError, ValueError, zipfile.BadZipFile):
            pass
        return {}

    @cached_property
    def document(self) -> Any:
        """The whole JSON document of an ``object`` file.

        Raises:
            DataError: it is no JSON, or larger than `LARGEST_DOCUMENT`.
        """
        size = self.path.stat().st_size
        if size > LARGEST_DOCUMENT:
            raise DataError(f"{self.name}: a JSON document of {size:,} bytes; up to {LARGEST_DOCUMENT:,} are read as a whole")
        try:
            return json.loads(self.path.read_text(encoding="utf-8-sig"))
        except json.JSONDecodeError as error:
            raise DataError(f"{self.name}, line {error.lineno}: expected JSON, got something else ({error.msg})") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{self.name}: expected UTF-8 text, got another encoding (byte {error.start})") from error
        except RecursionError as error:
            raise DataError(f"{self.name}: JSON nested too deeply to be read") from error

    @cached_property
    def names(self) -> list[str]:
        """Column names of a table: Parquet's, CSV's first line, or the keys of the first record."""
        if self.kind == "parquet":
            return list(pq.read_schema(self.path).names)
        if self.kind == "csv":
            header = next(csv.reader(io.StringIO(self._text_head()), delimiter=self.delimiter), [])
            return [name.strip() for name in header]
        return list(self.first)

    @property
    def delimiter(self) -> str:
        """What separates the columns of a CSV file: the most frequent of comma, tab, semicolon and bar in its first line."""
        return _delimiter(self.head) or ","

    def _text_head(self) -> str:
        return self.head.decode("utf-8-sig", errors="replace")

    def records(self, *, report: bool = True) -> Iterator[tuple[str, Any]]:
        """(place, record) of JSON lines, of a JSON list (also one inside an archive) or of an ``{"examples": [...]}`` document.

        A line that is no JSON object is left out and, with ``report``, described in `problems`.

        Raises:
            DataError: the file is damaged beyond its lines.
        """
        if self.kind == "lines":
            yield from self._line_records(report)
        elif self.kind == "list":
            with self.path.open("rb") as file:
                yield from _list_items(file, self.name)
        elif self.kind == "object":
            yield from self._examples()
        elif self.kind == "archive":
            member = self.only_member(".json")
            with self.open_member(member) as stream:
                yield from _list_items(stream, f"{self.name}, member {member.filename!r}")

    def _line_records(self, report: bool) -> Iterator[tuple[str, Any]]:
        with self.path.open("rb") as file:
            number = 0
            while line := file.readline(LARGEST_RECORD):
                number += 1
                if len(line) == LARGEST_RECORD and not line.endswith(b"\n"):
                    raise DataError(f"{self.name}, line {number}: longer than {LARGEST_RECORD:,} bytes, which no record should be")
                if line.isspace() or line == b"\xef\xbb\xbf\n":
                    continue
                try:
                    record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except (ValueError, RecursionError) as error:
                    got = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
                    if report:
                        self.damaged_line(number, f"expected a JSON object, got something else ({got})")
                    continue
                if not isinstance(record, dict):
                    if report:
                        self.damaged_line(number, f"expected a JSON object, got {_json_type(record)}")
                    continue
                yield f"line {number}", record

    def _examples(self) -> Iterator[tuple[str, Any]]:
        document = self.document
        if not isinstance(document, dict):
            raise DataError(f"{self.name}: expected a JSON object or list, got {_json_type(document)}")
        for key in ("examples", "rows", "data", "samples", "results"):
            rows = document.get(key)
            if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
                yield from ((f"{key}[{place}]", row) for place, row in enumerate(rows))
                return
        yield "line 1", document

    def damaged_line(self, number: int | None, what: str) -> None:
        """Notes a line that is left out; the first few in words, the others counted by `finish`."""
        self._damaged += 1
        if self._damaged <= SHOWN_LINES:
            self.problems.append(f"{self.name}, line {number or '(unknown)'}: {what}; the line is left out")

    def finish(self) -> None:
        """Adds how many damaged lines were not listed."""
        if self._damaged > SHOWN_LINES:
            self.problems.append(f"{self.name}: {self._damaged - SHOWN_LINES:,} more lines are damaged and left out")
        self._damaged = 0

    # archives

    @cached_property
    def members(self) -> dict[str, zipfile.ZipInfo]:
        """Members of an archive by name; of two of one name, the last.

        Raises:
            DataError: the archive is damaged.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                return {info.filename: info for info in archive.infolist() if not info.is_dir()}
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DataError(f"{self.name}: expected a zip archive, got a damaged one ({error})") from error

    def only_member(self, suffix: str) -> zipfile.ZipInfo:
        """The one member whose name ends in ``suffix``; resource forks of macOS do not count."""
        found = [info for name, info in self.members.items() if name.endswith(suffix) and not name.startswith("__MACOSX/")]
        if len(found) != 1:
            raise DataError(f"{self.name}: expected one {suffix} member in the archive, got {len(found)}")
        return found[0]

    def open_member(self, info: zipfile.ZipInfo) -> BinaryIO:
        """A member as a stream of decompressed bytes; methods stored, deflated, bzip2, lzma and zstandard."""
        what = f"{self.name}, member {info.filename!r}"
        if info.flag_bits & 1:
            raise DataError(f"{what}: it is encrypted; decrypt the archive first")
        if info.file_size > LARGEST_STREAM:
            raise DataError(f"{what}: it says that it holds {info.file_size:,} bytes; up to {LARGEST_STREAM:,} are read")
        if info.compress_type == ZSTD:
            return io.BytesIO(self._zstandard(info, what))
        try:
            archive = zipfile.ZipFile(self.path)
            return archive.open(info)  # type: ignore[return-value]
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
            raise DataError(f"{what}: cannot be unpacked ({error})") from error

    def _zstandard(self, info: zipfile.ZipInfo, what: str) -> bytes:
        """Python reads this method from version 3.14 on; Arrow always does."""
        with self.path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(30)
            if header[:4] != b"PK\x03\x04" or len(header) < 30:
                raise DataError(f"{what}: its header is damaged")
            file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), io.SEEK_CUR)
            packed = file.read(info.compress_size)
        try:
            with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
                content = bytes(stream.read(min(info.file_size, LARGEST_MEMBER) + 1))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{what}: cannot be unpacked ({error})") from error
        if len(content) > info.file_size or len(content) > LARGEST_MEMBER:
            limit = min(info.file_size, LARGEST_MEMBER)
            raise DataError(f"{what}: it unpacks to more than {limit:,} bytes, the size that the archive states or the most that is read")
        if zlib.crc32(content) != info.CRC:
            raise DataError(f"{what}: its checksum is wrong, so the archive is damaged")
        return content

    def member(self, info: zipfile.ZipInfo) -> Any:
        """A member as a JSON document.

        Raises:
            DataError: it is damaged, no JSON, or larger than `LARGEST_MEMBER`.
        """
        what = f"{self.name}, member {info.filename!r}"
        if info.file_size > LARGEST_MEMBER:
            raise DataError(f"{what}: it says that it holds {info.file_size:,} bytes; up to {LARGEST_MEMBER:,} are read as a whole")
        try:
            with self.open_member(info) as stream:
                content = stream.read(LARGEST_MEMBER + 1)
            return json.loads(content)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise DataError(f"{what}: cannot be unpacked ({error})") from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{what}: expected JSON, got something else ({error})") from error


def _delimiter(head: bytes) -> str | None:
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0].decode("utf-8", errors="replace")
    counts = {mark: line.count(mark) for mark in ",\t;|"}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else None


def _list_items(stream: BinaryIO, what: str) -> Iterator[tuple[str, Any]]:
    """The items of a JSON list, read piece by piece: memory holds one piece, however long the list."""
    decode = json.JSONDecoder().raw_decode
    text = io.TextIOWrapper(stream, encoding="utf-8-sig")
    try:
        more: Callable[[int], str] = text.read
        buffer, position, number, line, total = "", 0, 0, 1, 0
        opened = ended = False
        want = CHUNK
        while True:
            position = _skip(buffer, position, " \t\r\n," if opened else " \t\r\n")
            if position < len(buffer):
                if not opened:
                    opened, position = True, position + 1  # the "[" by which the file was told to be a list
                    continue
                if buffer[position] == "]":
                    return
                try:
                    record, end = decode(buffer, position)
                except json.JSONDecodeError as error:
                    if ended:
                        place = line + buffer.count("\n", 0, error.pos)
                        said = f"expected a JSON list, got something else ({error.msg})"
                        raise DataError(f"{what}, line {place}: {said}; {number:,} records before it are whole") from error
                else:
                    if end - position > LARGEST_RECORD:
                        raise DataError(
                            f"{what}, record {number + 1}: longer than {LARGEST_RECORD:,} characters, which no record should be"
                        )
                    if not isinstance(record, dict):
                        raise DataError(f"{what}, record {number + 1}: expected a JSON object, got {_json_type(record)}")
                    number += 1
                    yield f"record {number}", record
                    position, want = end, CHUNK
                    continue
            if ended:
                raise DataError(f"{what}: the list does not end; {number:,} records are whole, and the file seems to be cut off")
            line += buffer.count("\n", 0, position)
            buffer, position = buffer[position:], 0
            if len(buffer) > LARGEST_RECORD:
                raise DataError(f"{what}, record {number + 1}: longer than {LARGEST_RECORD:,} characters, which no record should be")
            piece = more(want)
            total += len(piece)
            if total > LARGEST_STREAM:
                raise DataError(f"{what}: more than {LARGEST_STREAM:,} characters, which is the most that is read")
            ended = not piece
            buffer += piece
            want = min(want * 2, LARGEST_RECORD)  # a record that is not whole yet is tried again after twice as much
    except UnicodeDecodeError as error:
        raise DataError(f"{what}: expected UTF-8 text, got another encoding ({error.reason})") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RecursionError) as error:
        raise DataError(f"{what}: cannot be read ({error or type(error).__name__})") from error
    finally:
        text.detach()  # who opened the stream closes it


def _skip(text: str, position: int, marks: str) -> int:
    while position < len(text) and text[position] in marks:
        position += 1
    return position


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "null")
