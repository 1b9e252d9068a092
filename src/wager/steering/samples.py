"""Graded replies, one row each, under one setting of a dial or under a control. A licence is worked out from these and from nothing else.

The file is Parquet with a schema version, so that a licence that was broken off goes on where it stopped, and can be worked out again
without a model.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from wager.errors import DataError
from wager.files import replacing

__all__ = ["Condition", "Group", "Kind", "Sample", "check_once", "read_about", "read_samples", "write_samples"]

SCHEMA_VERSION = 1
"""Raised when a column changes meaning; files of every earlier version stay readable."""

Kind = Literal["none", "vector", "random", "wrong sign", "prompt"]
"""``none``: the model as it is. ``vector``: the dial. ``random``: a random vector of the same length. ``wrong sign``: the dial turned the
other way. ``prompt``: a system prompt that asks for what the dial should do, and no vector."""

Group = Literal["known", "unknown", "creative", "harmful"]
"""``known``: there is a right answer. ``unknown``: what is asked about does not exist, so that every answer is wrong. ``creative``: a
fiction is asked for. ``harmful``: what should be refused."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Under what a reply was given."""

    kind: Kind
    dose: float = 0.0
    """|added| / |h|, with the sign that was applied; 0 where nothing is added."""
    gated: bool = False
    """Whether it was added only where the gate fired."""
    random: int | None = None
    """Which random vector; None for all others."""
    seed: int = 0
    """Of the training of the vector and of the sampling; one condition with several seeds is one condition."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise DataError(f"no kind of condition named {self.kind!r}; known: {', '.join(get_args(Kind))}")
        if not math.isfinite(self.dose):
            raise DataError(f"a dose is a finite number, got {self.dose!r}")
        if self.kind in ("none", "prompt") and (self.dose != 0 or self.gated):
            raise DataError(f"a condition of kind {self.kind!r} has dose 0 and no gate, got dose {self.dose:g}, gated {self.gated}")
        if (self.kind == "random") != (self.random is not None):
            raise DataError(
                f"the number of the random vector is given for kind 'random' and for no other, got {self.random!r} for {self.kind!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One graded reply. What could not be told is None; it is never a False or a 0."""

    condition: Condition
    question: str
    group: Group
    reply: str
    subject: str = ""
    """What the question asks about."""
    phrasing: str = ""
    """Name of the template that the question was made from."""
    sample: int = 0
    """Which reply to this question under this condition, from 0."""
    hedged: bool | None = None
    """By group: it abstains (known, unknown), it does not write the fiction (creative), it refuses (harmful). None: ungraded."""
    correct: bool | None = None
    """Whether it holds an accepted answer; None where that could not be told or is beside the point. An answer to an unknown question is
    wrong whatever stands here."""
    confidence: float | None = None
    """That the reply is correct, in [0, 1]."""
    nll: float | None = None
    """Mean negative log-likelihood of the reply's tokens under the unsteered model, in nats per token."""
    repeated: float | None = None
    """Share of its pairs of neighbouring words that stood in it before, in [0, 1]."""
    broken: bool | None = None
    """Whether it is no text any more: empty, looping, no words."""
    fired: bool | None = None
    """Whether the gate fired; None without a gate."""

    def __post_init__(self) -> None:
        if self.group not in get_args(Group):
            raise DataError(f"no group of questions named {self.group!r}; known: {', '.join(get_args(Group))}")
        for name in ("confidence", "repeated"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise DataError(f"{name} lies in [0, 1], got {value!r}; what could not be told is None")
        if self.nll is not None and not (math.isfinite(self.nll) and self.nll >= 0):
            raise DataError(f"nll is a finite number from 0 on, got {self.nll!r}; what could not be told is None")

    @property
    def key(self) -> tuple[Condition, Group, str, int]:
        """What occurs once in a set of samples."""
        return self.condition, self.group, self.question, self.sample


SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("dose", pa.float64(), nullable=False),
        pa.field("gated", pa.bool_(), nullable=False),
        pa.field("random", pa.int32()),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("phrasing", pa.string(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("reply", pa.string(), nullable=False),
        pa.field("hedged", pa.bool_()),
        pa.field("correct", pa.bool_()),
        pa.field("confidence", pa.float64()),
        pa.field("nll", pa.float64()),
        pa.field("repeated", pa.float64()),
        pa.field("broken", pa.bool_()),
        pa.field("fired", pa.bool_()),
    ]
)
"""Columns as the fields of `Condition` and `Sample`."""
OF_CONDITION = ("kind", "dose", "gated", "random", "seed")


def write_samples(path: str | os.PathLike[str], samples: Iterable[Sample], *, about: Mapping[str, Any] | None = None) -> None:
    """Writes Parquet; an existing file is replaced only once the new one is complete.

    Args:
        path: the file.
        samples: in any order; half a surrogate pair, which has no UTF-8 form, becomes ``?``.
        about: JSON values that travel with the file: model, trait, seeds, versions.

    Raises:
        OutputError: the file cannot be written.
    """
    rows = list(samples)
    columns: dict[str, list[Any]] = {}
    for field in SCHEMA:
        name = field.name
        column = [getattr(row.condition if name in OF_CONDITION else row, name) for row in rows]
        columns[name] = [value.encode("utf-8", "replace").decode() for value in column] if field.type == pa.string() else column
    metadata = {"wager": json.dumps({"schema": SCHEMA_VERSION, **(about or {})})}
    with replacing(path) as part:
        pq.write_table(pa.table(columns, schema=SCHEMA.with_metadata(metadata)), part, compression="zstd")


def read_samples(path: str | os.PathLike[str]) -> list[Sample]:
    """Reads what `write_samples` wrote.

    Raises:
        DataError: no such file, no samples in it, of a newer version, or with a value that cannot be.
    """
    table = _table(path)
    names = [field.name for field in SCHEMA]
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise DataError(f"{str(path)!r} is no file of samples: it lacks the column {missing[0]!r}")
    empty = [field.name for field in SCHEMA if not field.nullable and table.column(field.name).null_count]
    if empty:
        raise DataError(f"{str(path)!r} holds a sample that cannot be: the column {empty[0]!r} has empty values")
    try:
        columns = [table.column(field.name).cast(field.type).to_pylist() for field in SCHEMA]
        return [_sample(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    except (DataError, TypeError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{str(path)!r} holds a sample that cannot be: {error}") from error


def _sample(row: dict[str, Any]) -> Sample:
    condition = Condition(**{name: row.pop(name) for name in OF_CONDITION})
    return Sample(condition=condition, **row)


def read_about(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What was said of the samples when they were written, without the schema version; raises as `read_samples` does."""
    about = _about(_table(path))
    about.pop("schema", None)
    return about


def _table(path: str | os.PathLike[str]) -> pa.Table:
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise DataError(f"no file at {str(path)!r}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{str(path)!r} cannot be read as samples: {error}") from error
    version = _about(table).get("schema")
    if not isinstance(version, int):
        raise DataError(f"{str(path)!r} is no file of samples: it says no version")
    if version > SCHEMA_VERSION:
        raise DataError(f"{str(path)!r} has samples of version {version}, this wager reads up to {SCHEMA_VERSION}; update wager")
    return table


def _about(table: pa.Table) -> dict[str, Any]:
    try:
        about = json.loads((table.schema.metadata or {}).get(b"wager", b"{}"))
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def check_once(samples: Sequence[Sample]) -> None:
    """Raises DataError if a sample is there twice: it would count twice in every figure."""
    seen: set[tuple[Condition, Group, str, int]] = set()
    for one in samples:
        if one.key in seen:
            raise DataError(
                f"sample {one.sample} of {one.question[:80]!r} is there twice under {one.condition}; number them apart by `sample`"
            )
        seen.add(one.key)
