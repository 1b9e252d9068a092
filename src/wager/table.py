"""AnswerTable: graded answers as one Arrow table with a fixed, versioned schema.

Every published number is computed from an AnswerTable, whether a live run, an imported log or the gateway filled it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wager.answers import Answer, ConfidenceSource, Outcome
from wager.errors import DataError
from wager.files import replacing

__all__ = ["SCHEMA", "SCHEMA_VERSION", "AnswerTable", "constant_column"]

SCHEMA_VERSION = 1
"""Raised when a column changes meaning; files of every earlier version stay readable."""

SCHEMA = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("arm", pa.string(), nullable=False),
        pa.field("target", pa.float64()),
        pa.field("item", pa.string(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("credit", pa.float64()),
        pa.field("answerable", pa.bool_(), nullable=False),
        pa.field("stratum", pa.string()),
        pa.field("question", pa.string()),
        pa.field("reference", pa.list_(pa.string())),
        pa.field("answer", pa.string()),
        pa.field("reply", pa.string()),
        pa.field("reason", pa.string()),
        *(pa.field(f"confidence_{source.value}", pa.float64()) for source in ConfidenceSource),
        pa.field("tokens_in", pa.int32()),
        pa.field("tokens_out", pa.int32()),
        pa.field("seconds", pa.float64()),
    ]
)
"""One row per graded answer; columns as the fields of `wager.answers.Answer`, one ``confidence_<source>`` column per source."""

SHARED_ROWS = 2**16
"""Rows of the one chunk that a constant column repeats."""


@lru_cache(maxsize=64)
def _shared_chunk(value: str | float | bool | None, kind: pa.DataType) -> pa.Array:
    return pa.nulls(SHARED_ROWS, kind) if value is None else pa.repeat(pa.scalar(value, kind), SHARED_ROWS)


def constant_column(value: str | float | bool | None, rows: int, kind: pa.DataType) -> pa.ChunkedArray:
    """A column that holds one value, or nothing (None), in every row: one shared chunk, repeated, so that its memory is the same for
    any number of rows."""
    chunk = _shared_chunk(value, kind)
    whole, rest = divmod(rows, SHARED_ROWS)
    return pa.chunked_array([chunk] * whole + ([chunk.slice(0, rest)] if rest else []), kind)


class AnswerTable:
    """Graded answers, one row each.

    Build one with `from_answers` or `read`; an instance is never changed. ``table.arrow`` is the Arrow table for
    anything that pandas, DuckDB or Polars does better.
    """

    def __init__(self, arrow: pa.Table) -> None:
        """Checks an Arrow table against `SCHEMA`; raises DataError naming the column that does not fit."""
        missing = [field.name for field in SCHEMA if not field.nullable and field.name not in arrow.column_names]
        if missing:
            raise DataError(f"an answer table needs the column {missing[0]!r}; got {', '.join(arrow.column_names) or 'none'}")
        columns = []
        for field in SCHEMA:
            if field.name not in arrow.column_names:
                columns.append(constant_column(None, arrow.num_rows, field.type))
                continue
            column = arrow.column(field.name)
            try:
                column = column if column.type == field.type else column.cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise DataError(f"column {field.name!r} should be {field.type}: {error}") from error
            if not field.nullable and column.null_count:
                raise DataError(f"column {field.name!r} has {column.null_count} empty values; every row needs one")
            columns.append(column)
        self.arrow = pa.table(columns, schema=SCHEMA.with_metadata(arrow.schema.metadata))
        unknown = set(self.arrow.column("outcome").unique().to_pylist()) - {outcome.value for outcome in Outcome}
        if unknown:
            raise DataError(f"unknown outcome {sorted(unknown)[0]!r}; allowed: {', '.join(Outcome)}")
        credit = self.arrow.column("credit")
        known = pc.fill_null(pc.invert(pc.is_nan(credit)), False)
        if not known.equals(self._is_one_of(*(outcome for outcome in Outcome if outcome.is_answer))):
            raise DataError("column 'credit' must be present exactly where the outcome is 'correct' or 'incorrect'")
        for name in ("credit", *(f"confidence_{source.value}" for source in ConfidenceSource)):
            column = self.arrow.column(name)
            if column.null_count == len(column):
                continue
            outside = column.filter(pc.or_(pc.less(column, 0.0), pc.greater(column, 1.0)))
            if len(outside):
                raise DataError(f"column {name!r} has {len(outside)} values outside [0, 1], the first is {outside[0].as_py():g}")

    @classmethod
    def from_answers(cls, answers: Iterable[Answer], **metadata: Any) -> AnswerTable:
        """A table of these answers. ``metadata`` (JSON values: versions, seed, prompt version, ...) travels with the file."""
        rows = list(answers)
        columns: dict[str, list[Any]] = {field.name: [] for field in SCHEMA}
        for row in rows:
            for name, column in columns.items():
                if name.startswith("confidence_"):
                    column.append(row.confidence.get(ConfidenceSource(name.removeprefix("confidence_"))))
                elif name == "outcome":
                    column.append(row.outcome.value)
                elif name == "reference":
                    column.append(list(row.reference))
                else:
                    column.append(getattr(row, name))
        arrow = pa.table(columns, schema=SCHEMA)
        return cls(arrow.replace_schema_metadata({"wager": json.dumps({"schema": SCHEMA_VERSION, **metadata})}))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> AnswerTable:
        """Reads a Parquet file that `write` made; raises DataError if it is not one, or of a newer version."""
        try:
            table = cls(pq.read_table(path))
        except FileNotFoundError:
            raise DataError(f"no file at {str(path)!r}") from None
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{str(path)!r} cannot be read as an answer table: {error}") from error
        version = table.metadata.get("schema")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise DataError(f"{str(path)!r} has answer-table version {version}, this wager reads up to {SCHEMA_VERSION}; update wager")
        return table

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes Parquet; an existing file is replaced only once the new one is complete."""
        with replacing(path) as part:
            pq.write_table(self.arrow, part, compression="zstd")

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the maker of the file wrote beside the rows: schema version, package versions, seed, prompt version."""
        raw = (self.arrow.schema.metadata or {}).get(b"wager")
        value = json.loads(raw) if raw else {}
        return value if isinstance(value, dict) else {}

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __iter__(self) -> Iterator[Answer]:
        for row in self.arrow.to_pylist():
            confidence = {source: row.pop(f"confidence_{source.value}") for source in ConfidenceSource}
            yield Answer(
                **{
                    **row,
                    "outcome": Outcome(row["outcome"]),
                    "reference": tuple(row["reference"] or ()),
                    "confidence": {source: value for source, value in confidence.items() if value is not None},
                }
            )

    def select(self, mask: NDArray[np.bool_]) -> AnswerTable:
        """The rows where ``mask``, shape (N,), is true, in their order."""
        return AnswerTable(self.arrow.filter(pa.array(mask)))

    def texts(self, name: str) -> NDArray[np.object_]:
        """A text column as an object array, shape (N,); None where empty."""
        column = self.arrow.column(name)
        if not pa.types.is_string(column.type) or not len(column):
            return np.asarray(column.to_pylist(), dtype=object)
        chunks = column.dictionary_encode().unify_dictionaries().chunks  # rows of one text share one object
        values = np.asarray([*chunks[0].dictionary.to_pylist(), None], dtype=object)
        return np.concatenate([values[pc.fill_null(chunk.indices, len(values) - 1).to_numpy(zero_copy_only=False)] for chunk in chunks])

    def _is_one_of(self, *outcomes: Outcome) -> pa.ChunkedArray:
        return pc.is_in(self.arrow.column("outcome"), pa.array([outcome.value for outcome in outcomes]))

    def _floats(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self.arrow.column(name).to_numpy(zero_copy_only=False), dtype=np.float64)

    @property
    def outcome(self) -> NDArray[np.object_]:
        """Outcome values, shape (N,)."""
        return self.texts("outcome")

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Whether the row is an answer, right or wrong; shape (N,)."""
        return np.asarray(self._is_one_of(*(outcome for outcome in Outcome if outcome.is_answer)).to_numpy(), dtype=np.bool_)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Whether the row is an answer or an abstention, so that the rubric says what it is worth; shape (N,)."""
        return np.asarray(self._is_one_of(*(outcome for outcome in Outcome if outcome.is_scored)).to_numpy(), dtype=np.bool_)

    @property
    def credit(self) -> NDArray[np.float64]:
        """Credit in [0, 1], NaN where not answered; shape (N,)."""
        return self._floats("credit")

    @property
    def target(self) -> NDArray[np.float64]:
        """The target stated in the prompt, NaN where none was; shape (N,)."""
        return self._floats("target")

    def confidence(self, source: ConfidenceSource | str) -> NDArray[np.float64]:
        """Confidence in [0, 1] of one source, NaN where it was not available; shape (N,)."""
        return self._floats(f"confidence_{ConfidenceSource(source).value}")

    @property
    def sources(self) -> tuple[ConfidenceSource, ...]:
        """The sources with at least one value."""
        return tuple(s for s in ConfidenceSource if self.arrow.column(f"confidence_{s.value}").null_count < len(self))
