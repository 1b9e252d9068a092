"""Facts counted by DuckDB on one machine, within a memory limit: what does not fit goes to a folder for temporary files.

DuckDB reads, and hands over batches of texts; their keys are made here (`wager.corpus.keyed`), since its regular expressions are most of
the cost otherwise; DuckDB groups the hashes.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wager.corpus.counted import Counted, contradictions, origin
from wager.corpus.extractors import extractor
from wager.corpus.keyed import KEYED, PAIRS, Totals, extracted, keyed, stated
from wager.corpus.query import BY_PROMPT, COUNTS, ROWS, in_part
from wager.corpus.query import PAIRS as PAIRS_QUERY
from wager.corpus.reading import ASSISTANT, USER, Files, Shape, first_broken
from wager.errors import DataError, MissingExtraError, OutputError, RunError, UsageError, WagerError
from wager.facts import FactCounts, Part
from wager.files import replacing
from wager.interrupts import heeding

__all__ = ["DuckDB", "relation"]

BATCH = 100_000
"""Rows of texts that are handed over at a time."""

OVERHEAD = 400
"""MB that Python, Arrow and the batches need beside DuckDB's own limit."""

SNIFFED = 2000
"""Lines of JSON that are looked at for its columns."""

GLOB_SIGNS = re.compile(r"[*?\[]")

LEAST = 150
"""MB below which DuckDB cannot group at all."""


class DuckDB:
    """The engine for one machine.

    Args:
        memory: MB for the whole process, about.
        threads: of DuckDB; None is one for each core.
        folder: for temporary files; None is the system's.

    Raises:
        MissingExtraError: DuckDB is not installed.
        UsageError: too little memory.
    """

    def __init__(self, *, memory: int = 1000, threads: int | None = None, folder: str | None = None) -> None:
        try:
            import duckdb
        except ModuleNotFoundError as error:
            raise MissingExtraError("duckdb", "corpus", "wager floor") from error
        if memory < OVERHEAD + LEAST:
            raise UsageError(f"--memory is at least {OVERHEAD + LEAST} MB, got {memory}")
        self._duckdb = duckdb
        self._settings = {"memory_limit": f"{memory - OVERHEAD}MB", "preserve_insertion_order": "false"}
        if threads:
            self._settings["threads"] = str(threads)
        self._folder = folder
        self._raised: BaseException | None = None
        self._stopped = threading.Event()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        with tempfile.TemporaryDirectory(prefix="wager-", dir=self._folder) as folder, heeding(_importing) as self._stopped, self._told():
            connection = self._duckdb.connect(config={**self._settings, "temp_directory": folder})
            try:
                connection.execute("SET enable_progress_bar = false")  # it goes to standard output
                yield connection
            finally:
                connection.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """DuckDB's errors as one line of ours; those on the way through Arrow are Arrow's or the system's."""
        foreign = (self._duckdb.Error, OSError, pa.ArrowException)
        try:
            yield
        except WagerError:
            raise
        except RuntimeError as error:
            if "interrupted" in str(error):  # what DuckDB makes of Ctrl-C while it groups
                raise KeyboardInterrupt from error
            raise
        except foreign as error:
            inner, self._raised = self._raised, None
            if isinstance(inner, WagerError) or not (inner is None or isinstance(inner, foreign)):
                raise inner from None
            error = inner or error
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            if any(sign in line for sign in ("Out of Memory", "No space left", "Could not write")):
                raise OutputError(f"not enough room: {line}; give more --memory, or a --temp folder with more space") from error
            if isinstance(error, self._duckdb.InterruptException) or re.search("^KeyboardInterrupt", str(error), re.MULTILINE):
                raise KeyboardInterrupt from error
            if "maximum_object_size" in line or "Maximum line size" in str(error):
                raise DataError("a record is too long (16 MB of JSON, 2 MB of CSV): leave it out, or give the data as Parquet") from error
            kind = (
                DataError
                if isinstance(error, (self._duckdb.DataError, self._duckdb.IOException, OSError, pa.ArrowException)) or "Binder" in line
                else RunError
            )
            raise kind(f"DuckDB cannot read this: {line}") from error

    def _heard(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same; what is raised on the way, also by Ctrl-C, is kept, since DuckDB makes an error of its own of it."""
        try:
            for batch in batches:
                if self._stopped.is_set():
                    raise KeyboardInterrupt
                yield batch
        except GeneratorExit:
            raise
        except BaseException as error:
            self._raised = error
            raise

    def columns(self, files: Files) -> dict[str, str]:
        """Names and types of what is in the first file."""
        if files.format == "text":
            return {"text": "VARCHAR"}
        with self._connection() as connection:
            if files.format == "jsonl":
                objects = _objects(Files(files.paths[:1], files.format))
                sniffed = f"SELECT json FROM {objects} WHERE json_type(json) = 'OBJECT' LIMIT {SNIFFED}"
                told = json.loads(connection.execute(f"SELECT json_group_structure(json) FROM ({sniffed})").fetchone()[0] or "{}")
                return {name: _type(kind) for name, kind in told.items()} if isinstance(told, dict) else {}
            rows = connection.execute(f"DESCRIBE SELECT * FROM {_scan(Files(files.paths[:1], files.format), None)}").fetchall()
        return {name: kind for name, kind, *_ in rows}

    def count(self, files: Files, shape: Shape, *, part: Part, examples: int = 10, singletons: str | None = None) -> Counted:
        """The counts, examples, and if asked for a Parquet file of the facts seen once.

        Raises:
            DataError: the files are not what they should be.
            OutputError: memory or disk do not suffice, or the list cannot be written.
        """
        types = self.columns(files)
        totals = Totals()
        with self._connection() as connection:
            reader = connection.cursor()
            self._pairs(connection, self._texts(reader, files, shape, types), part, totals)
            frequencies = connection.execute(COUNTS.format(pairs="pairs", by_prompt="by_prompt", q='"')).fetchall()
            unreadable, first = self._unreadable(reader, files, shape, totals)
            named = totals.named()
            named["no prompt"] -= min(unreadable, named["no prompt"]) if files.format == "jsonl" and shape.prompt else 0
            about = origin(files, shape, f"DuckDB {self._duckdb.__version__}")
            counts = FactCounts.of(frequencies, {**named, "unreadable": unreadable}, part=part, about=about)
            shown = self._examples(connection, files, shape, types, examples) if examples else ()
            if singletons:
                self._list(connection, files, shape, types, singletons)
        return Counted(counts, shown, first)

    def _pairs(self, connection: Any, texts: Iterator[pa.RecordBatch], part: Part, totals: Totals) -> None:
        connection.register("texts", pa.RecordBatchReader.from_batches(KEYED, self._heard(keyed(texts, totals))))
        kept = f" WHERE {in_part('duckdb', 'prompt', part)}" if part.modulus > 1 else ""
        hashes = f"SELECT hash(raw) AS raw, hash(prompt) AS prompt, CASE WHEN NOT abstains THEN hash(answer) END AS answer FROM texts{kept}"
        connection.execute(f"CREATE TEMP TABLE pairs AS {PAIRS_QUERY.format(**ROWS, keyed=f'({hashes})')}")
        connection.unregister("texts")
        connection.execute(f"CREATE TEMP TABLE by_prompt AS {BY_PROMPT.format(pairs='pairs')}")

    def _texts(self, reader: Any, files: Files, shape: Shape, types: dict[str, str]) -> Iterator[pa.RecordBatch]:
        """Batches of prompts and answers."""
        batches = reader.sql(relation(files, shape, types)).to_arrow_reader(BATCH)
        if shape.facts and not shape.facts.endswith(".sql"):
            return extracted(batches, extractor(shape.facts))
        return iter(batches)

    def _samples(self, connection: Any, files: Files, shape: Shape, types: dict[str, str]) -> str:
        """A relation of prompts and answers to read once more."""
        if shape.facts and not shape.facts.endswith(".sql"):
            again = self._heard(self._texts(connection.cursor(), files, shape, types))
            connection.register("again", pa.RecordBatchReader.from_batches(PAIRS, again))
            return "again"
        return f"({relation(files, shape, types)})"

    def _examples(self, connection: Any, files: Files, shape: Shape, types: dict[str, str], most: int) -> tuple[Any, ...]:
        """The most frequent contradictions: found among the hashes, then their texts in a second pass."""
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE shown AS SELECT raw FROM pairs WHERE prompt IN "
            f"(SELECT prompt FROM by_prompt WHERE least <> most ORDER BY answered DESC, prompt LIMIT {int(most)})"
        )
        if connection.execute("SELECT count(*) FROM shown").fetchall() == [(0,)]:  # all: a result half read blocks the connection
            return ()
        rows = connection.execute(
            f"SELECT prompt, answer, count(*) FROM {self._samples(connection, files, shape, types)} "
            "WHERE hash(prompt) IN (SELECT raw FROM shown) AND answer IS NOT NULL GROUP BY 1, 2"
        ).fetchall()
        return contradictions(rows, most)

    def _list(self, connection: Any, files: Files, shape: Shape, types: dict[str, str], path: str) -> None:
        """The facts that were stated once: a second pass over the texts."""
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE once AS SELECT raw FROM pairs WHERE prompt IN (SELECT prompt FROM by_prompt WHERE answered = 1)"
        )
        found = connection.sql(
            f"SELECT prompt, answer FROM {self._samples(connection, files, shape, types)} WHERE hash(prompt) IN (SELECT raw FROM once)"
        )
        with replacing(path) as file, pq.ParquetWriter(file, PAIRS) as writer:
            for batch in found.to_arrow_reader(BATCH):
                table = pa.Table.from_batches([batch]).cast(PAIRS)
                for chunk in table.to_batches():
                    writer.write_batch(stated(chunk))

    def _unreadable(self, connection: Any, files: Files, shape: Shape, totals: Totals) -> tuple[int, str | None]:
        """Lines of JSON files that hold no object: where columns hold the prompts, looked for only if a row lacks one, as such lines do."""
        if files.format == "csv":
            rows = connection.execute(
                "SELECT e.line, e.csv_line, s.file_path FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) "
                "ORDER BY s.file_path, e.line"
            ).fetchall()
            lines = {(path, line) for line, _, path in rows}
            return len(lines), f"{rows[0][2]}, line {rows[0][0]}: {_opening(rows[0][1])}" if rows else None
        if files.format != "jsonl" or (shape.prompt and totals.no_prompt == 0):
            return 0, None
        found = connection.execute(
            f"SELECT filename, count(*) FROM {_objects(files)} WHERE json IS NULL OR json_type(json) <> 'OBJECT' GROUP BY 1 ORDER BY 1"
        ).fetchall()
        return sum(count for _, count in found), first_broken(found[0][0]) if found else None


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being loaded: DuckDB looks for other libraries while it works, and what is raised there is swallowed, or told on
    standard error. The next batch stops."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _opening(text: str) -> str:
    return repr(text.strip()[:60])


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _quoted(paths: tuple[str, ...]) -> str:
    """A list of paths; DuckDB would take one of a file with signs of a glob for a glob, and count other files."""
    return "[" + ", ".join(_text(path if "://" in path else GLOB_SIGNS.sub(r"[\g<0>]", path)) for path in paths) + "]"


def _scan(files: Files, columns: dict[str, str] | None) -> str:
    """A table function that reads the files; of JSON only the columns asked for, each as the type given."""
    paths = _quoted(files.paths)
    if files.format == "parquet":
        return f"read_parquet({paths})"
    if files.format == "csv":
        return f"read_csv({paths}, all_varchar=true, header=true, ignore_errors=true, store_rejects=true)"
    if files.format == "text":
        lines = "header=false, delim='\x1f', quote='', escape='', auto_detect=false, max_line_size=16777216"
        return f"read_csv({paths}, columns={{'text': 'VARCHAR'}}, {lines})"
    if columns is None:
        return f"read_json({paths}, format='newline_delimited', ignore_errors=true)"
    typed = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in columns.items())
    return f"read_json({paths}, format='newline_delimited', ignore_errors=true, columns={{{typed}}})"


def _objects(files: Files) -> str:
    return f"read_json_objects({_quoted(files.paths)}, format='newline_delimited', ignore_errors=true, filename=true)"


def _type(structure: Any) -> str:
    """A type as DuckDB writes it, from what it says of the structure of JSON."""
    if isinstance(structure, list):
        return f"{_type(structure[0])}[]"
    if isinstance(structure, dict):
        return f"STRUCT({', '.join(f'{_name(name)} {_type(kind)}' for name, kind in structure.items())})"
    return "VARCHAR" if structure == "NULL" else str(structure)


def relation(files: Files, shape: Shape, types: dict[str, str]) -> str:
    """A query of ``prompt`` and ``answer`` (or of ``text``, for an extractor in Python)."""
    if shape.messages:
        return _chat(files, shape.messages, types)
    if shape.facts:
        return _facts(files, shape)
    answered = str(shape.answer)
    wanted = {
        name: "VARCHAR[]" if types[name].endswith("[]") and "STRUCT" not in types[name] else "VARCHAR" for name in (*shape.prompt, answered)
    }
    texts = [
        f"CAST({_name(name)}[1] AS VARCHAR)" if kind == "VARCHAR[]" else f"CAST({_name(name)} AS VARCHAR)" for name, kind in wanted.items()
    ]
    *prompt, answer = texts if answered not in shape.prompt else [*texts, texts[shape.prompt.index(answered)]]
    joined = prompt[0] if len(prompt) == 1 else f"concat_ws(chr(10), {', '.join(prompt)})"
    return f"SELECT {joined} AS prompt, {answer} AS answer FROM {_scan(files, wanted)}"


def _facts(files: Files, shape: Shape) -> str:
    if str(shape.facts).endswith(".sql"):
        try:
            query = Path(str(shape.facts)).read_text(encoding="utf-8").strip().rstrip(";")
        except OSError as error:
            raise DataError(f"{shape.facts!r} cannot be read: {error.strerror}") from error
        if "{rows}" not in query:
            raise DataError(f"{shape.facts!r} must read from {{rows}} and give the columns prompt and answer")
        found = query.replace("{rows}", _scan(files, None))
        return f"SELECT CAST(prompt AS VARCHAR) AS prompt, CAST(answer AS VARCHAR) AS answer FROM ({found})"
    text = str(shape.text)
    return f"SELECT CAST({_name(text)} AS VARCHAR) AS text FROM {_scan(files, {text: 'VARCHAR'})}"


def _chat(files: Files, column: str, types: dict[str, str]) -> str:
    """Each user turn with what the next turn says, if that is the assistant's."""
    kind = types[column]
    role, content = next(((r, c) for r, c in (("role", "content"), ("from", "value")) if r in kind and c in kind), (None, None))
    if role is None or content is None:
        raise DataError(f"{column!r} is {kind}; chat records are lists of objects with 'role' and 'content', or 'from' and 'value'")
    scan = _scan(files, {column: f"STRUCT({_name(role)} VARCHAR, {_name(content)} VARCHAR)[]"})
    turns = (
        f"unnest(list_transform(range(1, len(turns) + 1), lambda i: struct_pack("
        f"who := lower(turns[i].{_name(role)}), said := turns[i].{_name(content)}, "
        f"next := lower(turns[i + 1].{_name(role)}), reply := turns[i + 1].{_name(content)})))"
    )
    users, assistants = (", ".join(map(_text, names)) for names in (USER, ASSISTANT))
    return (
        "SELECT CAST(turn.said AS VARCHAR) AS prompt, "
        f"CAST(CASE WHEN turn.next IN ({assistants}) THEN turn.reply END AS VARCHAR) AS answer "
        f"FROM (SELECT {turns} AS turn FROM (SELECT {_name(column)} AS turns FROM {scan})) WHERE turn.who IN ({users})"
    )
