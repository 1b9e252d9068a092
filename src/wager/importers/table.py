"""Any table: CSV, JSON lines, a JSON list or Parquet, with a mapping from our columns to the file's.

A table needs an outcome, or ``correct``, or ``reference`` and ``answer``. It is read in batches, and of its columns only those that
are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from wager.errors import DataError, UnknownNameError
from wager.importers.formats import BLOCK_ROWS, BLOCK_TEXT, Block, Importer, Options, formats
from wager.importers.settle import TEXTS, text
from wager.importers.source import Source
from wager.table import SCHEMA

__all__ = ["ALIASES", "OURS", "Plan", "column_plan", "read_plan"]

ALIASES = {"confidence": "confidence_stated", "category": "stratum", "prediction": "answer"}
"""Shorter names of our columns."""

OURS = (*SCHEMA.names, "correct", *ALIASES)
"""What a mapping may name."""

CSV_BLOCK = 2**22
"""Bytes of CSV that are read at once; no row may be longer."""


@dataclass(frozen=True)
class Plan:
    """Which column of a file is which of ours."""

    columns: Mapping[str, str]
    """Our column -> the file's."""
    keep: tuple[str, ...] = ()
    """Columns of the file that travel along."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Our column -> one value for all rows."""

    @property
    def needed(self) -> list[str]:
        """Columns of the file that are read."""
        return list(dict.fromkeys((*self.columns.values(), *self.keep)))


def column_plan(source: Source, options: Options, notes: set[str], usual: Mapping[str, Sequence[str]] | None = None) -> Plan:
    """The caller's mapping, then columns that are named as ours, then what a format usually calls them.

    Raises:
        UnknownNameError: the mapping names a column that the file, or an answer table, does not have.
    """
    names = source.names
    if not names and source.kind in ("list", "lines", "object", "archive"):
        next(source.records(), None)  # raises what is wrong with the file, rather than that it lacks a column
    found: dict[str, str] = {}
    for ours, theirs in options.mapping.items():
        if ours not in OURS:
            raise UnknownNameError("column of an answer table", ours, OURS)
        if not _has(source, names, theirs):
            raise UnknownNameError(f"column in {source.name}", theirs, names)
        found[ALIASES.get(ours, ours)] = theirs
        if ours == "confidence":
            notes.add("'confidence' was read as the stated confidence; map confidence_logprob, confidence_p_true, ... if it is another")
    for ours, candidates in (usual or {}).items():
        chosen = next((name for name in candidates if _has(source, names, name)), None)
        if chosen is not None:
            found.setdefault(ours, chosen)
    for ours in OURS:
        if ours in names and ours not in found.values() and ALIASES.get(ours, ours) not in found:
            found[ALIASES.get(ours, ours)] = ours
            if ours == "confidence":
                notes.add("'confidence' was read as the stated confidence; map confidence_logprob, confidence_p_true, ... if it is another")
    if not options.texts:
        compares = not {"outcome", "correct", "credit"} & set(found)
        unused = {"question"} | (set() if compares else {"reference", *({"answer"} if "outcome" in found else ())})
        found = {ours: theirs for ours, theirs in found.items() if ours not in unused}
    keep = tuple(name for name in options.keep if _has(source, names, name))
    constants = {}
    if "model" not in found:
        constants["model"] = options.model or source.path.stem
    if "task" not in found:
        constants["task"] = options.task or "answers"
    return Plan(found, keep, constants)


def _has(source: Source, names: Sequence[str], name: str) -> bool:
    if name in names or "." not in name or source.kind == "csv":
        return name in names
    if source.kind != "parquet":
        return _look_up(source.first, name) is not None
    top, *path = name.split(".")
    kind = pq.read_schema(source.path).field(top).type if top in names else pa.null()
    for key in path:
        if not pa.types.is_struct(kind) or kind.get_field_index(key) < 0:
            return False
        kind = kind.field(key).type
    return True


def _look_up(record: Mapping[str, Any], name: str) -> Any:
    """A value of a record by its key, or by a dotted path of keys."""
    if name in record or "." not in name:
        return record.get(name)
    value: Any = record
    for key in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def read_plan(source: Source, plan: Plan, *, rereads: bool = True) -> Iterator[Block]:
    """The blocks of a tabular file under a plan.

    Raises:
        DataError: the file is damaged, or no table.
    """
    if source.kind == "parquet":
        batches = _parquet(source, plan.needed)
    elif source.kind == "csv":
        batches = _csv(source, plan.needed)
    else:
        yield from _records(source, plan, rereads)
        return
    first = 1
    for batch in batches:
        columns: dict[str, Any] = {ours: batch.column(theirs) for ours, theirs in plan.columns.items()}
        yield from _with_items(
            Block(batch.num_rows, columns | dict(plan.constants), {name: batch.column(name) for name in plan.keep}, first, rereads), source
        )
        first += batch.num_rows


def _parquet(source: Source, needed: Sequence[str]) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(source.path) as file:
            tops = [name for name in needed if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=2 * BLOCK_ROWS, columns=list(dict.fromkeys(name.split(".")[0] for name in needed))):
                table = pa.Table.from_batches([batch])
                for name in set(needed) - set(tops):
                    column = table.column(name.split(".")[0])
                    table = table.append_column(name, _nested(column, name.split(".")[1:]))
                yield from table.combine_chunks().to_batches()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source.name}: expected a Parquet file, got a damaged one ({_line(error)})") from error


def _nested(column: pa.ChunkedArray, path: Sequence[str]) -> pa.ChunkedArray:
    for key in path:
        column = pa.chunked_array([chunk.field(key) for chunk in column.chunks])
    return column


def _csv(source: Source, needed: Sequence[str]) -> Iterator[pa.RecordBatch]:
    def damaged(row: pa_csv.InvalidRow) -> str:
        number = row.number
        source.damaged_line(number, f"expected {row.expected_columns} columns, got {row.actual_columns}")
        return "skip"

    repeated = sorted({name for name in needed if source.names.count(name) > 1})
    if repeated:
        raise DataError(f"{source.name}: two columns are named {repeated[0]!r}; rename one")
    if _marks(source) % 2:
        source.problems.append(
            f"{source.name}: expected quotation marks in pairs, got an odd number; "
            "what follows one that does not close was read as one text"
        )
    try:
        reader = pa_csv.open_csv(
            source.path,
            read_options=pa_csv.ReadOptions(
                block_size=CSV_BLOCK, column_names=source.names, skip_rows=_header_row(source), use_threads=False
            ),
            parse_options=pa_csv.ParseOptions(delimiter=source.delimiter, newlines_in_values=True, invalid_row_handler=damaged),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(needed),
                column_types=dict.fromkeys(needed, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        with reader:
            for batch in reader:
                if batch.num_rows:
                    yield batch
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said = f"a row is longer than {CSV_BLOCK:,} bytes" if "straddl" in str(error) else _line(error)
        raise DataError(f"{source.name}: cannot be read as CSV ({said})") from error


def _marks(source: Source) -> int:
    with source.path.open("rb") as file:
        return sum(piece.count(b'"') for piece in iter(lambda: file.read(CSV_BLOCK), b""))


def _header_row(source: Source) -> int:
    """Lines up to and with the header."""
    lines = source.head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return next(place for place, line in enumerate(lines, start=1) if line.strip())


def _records(source: Source, plan: Plan, rereads: bool) -> Iterator[Block]:
    needed = plan.needed
    nested = [name for name in needed if "." in name]
    long = [name for ours, name in plan.columns.items() if ours in TEXTS]
    values: dict[str, list[Any]] = {name: [] for name in needed}
    first, size, weight = 1, 0, 0

    def block() -> Iterator[Block]:
        columns: dict[str, Any] = {ours: values[theirs] for ours, theirs in plan.columns.items()}
        kept = {name: values[name] for name in plan.keep}
        yield from _with_items(Block(size, columns | dict(plan.constants), kept, first, rereads), source)

    for _, record in source.records():
        for name in nested:
            record.setdefault(name, _look_up(record, name))
        for name, column in values.items():
            column.append(record.get(name))
        size += 1
        for name in long:
            text_or_list = record.get(name)
            weight += len(text_or_list) if isinstance(text_or_list, str | list) else 0
        if size == BLOCK_ROWS or weight > BLOCK_TEXT:
            yield from block()
            first, size, weight = first + size, 0, 0
            values = {name: [] for name in needed}
    if size:
        yield from block()


def _with_items(block: Block, source: Source) -> Iterator[Block]:
    """The block without the rows that have an item column and no item in it."""
    if "item" not in block.columns:
        yield block
        return
    items = text(block.columns["item"], block.size)
    if items.null_count == 0:
        yield block
        return
    mask = items.is_valid()
    rows = [place for place, given in enumerate(mask.to_pylist()) if given]
    missing = next(place for place, given in enumerate(mask.to_pylist()) if not given)
    source.problems.append(
        f"{source.name}: {block.size - len(rows):,} rows name no item, the first is row {block.first + missing}; they are left out"
    )
    if rows:
        yield replace(
            block,
            size=len(rows),
            columns={name: _chosen(values, rows) for name, values in block.columns.items()},
            kept={name: _chosen(values, rows) for name, values in block.kept.items()},
        )


def _chosen(values: Any, rows: Sequence[int]) -> Any:
    if isinstance(values, str):
        return values
    return values.take(pa.array(rows)) if isinstance(values, pa.Array | pa.ChunkedArray) else [values[row] for row in rows]


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _is_table(source: Source) -> bool:
    """Whether the file's own column names are enough."""
    names = {ALIASES.get(name, name) for name in source.names}
    return source.kind in ("parquet", "csv", "lines", "list", "object", "archive") and (
        bool({"outcome", "correct"} & names) or {"reference", "answer"} <= names
    )


def _read(source: Source, options: Options, notes: set[str]) -> Iterator[Block]:
    plan = column_plan(source, options, notes)
    if not ({"outcome", "correct", "credit"} & set(plan.columns) or {"reference", "answer"} <= set(plan.columns)):
        raise DataError(
            f"{source.name}: expected an outcome, or correct, or reference and answer; got the columns "
            f"{', '.join(map(repr, source.names[:20])) or 'none'}; name yours with a mapping such as correct=COLUMN"
        )
    if "item" not in plan.columns:
        notes.add("no column names the item; rows are numbered, so that files pair by row")
    yield from read_plan(source, plan, rereads="answer" not in plan.columns)  # an answer that the file read out of the reply stands


formats.register("table")(Importer("table", _is_table, _read))
