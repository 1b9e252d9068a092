"""FactCounts: how many facts were seen once, twice, ...: all that a floor is computed from, a few thousand rows for any corpus."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wager.errors import DataError, UsageError
from wager.files import replacing

__all__ = ["COLUMNS", "LEFT_OUT", "SCHEMA", "FactCounts", "Part"]

VERSION = 1
"""Raised when a column changes meaning; files of every earlier version stay readable."""

SCHEMA = pa.schema(
    [
        pa.field("keys", pa.string(), nullable=False),
        pa.field("answered", pa.int64()),
        pa.field("prompts", pa.int64()),
        pa.field("samples", pa.int64(), nullable=False),
        pa.field("contradicted", pa.int64()),
    ]
)
"""``keys`` says what a row counts: ``normalised`` or ``raw`` prompts that were ``answered`` so many times (with anything but "I don't
know"), with all their ``samples`` and how many are ``contradicted``; or, in ``samples`` alone, a total: ``all`` that can be used,
``abstained`` of these, and those left out, by what they lack (`LEFT_OUT`)."""

COLUMNS = tuple(SCHEMA.names)
LEFT_OUT = ("no prompt", "no answer", "unreadable")
"""Rows that enter no number."""

ANOTHER = {"engine": "another engine", "abstention": "plain/1", "normaliser": "words/1"}
"""How a printed query counts."""

Keys = Literal["normalised", "raw"]


@dataclass(frozen=True)
class Part:
    """Which prompts were counted: those whose portable hash, modulo `modulus`, is one of `residues`."""

    modulus: int = 1
    """How many parts there are."""
    residues: tuple[int, ...] = (0,)
    """Which of them, ascending."""

    def __post_init__(self) -> None:
        if self.modulus < 1 or not self.residues or not all(0 <= one < self.modulus for one in self.residues):
            raise UsageError(f"a part has numbers from 0 to {self.modulus - 1}, got {', '.join(map(str, self.residues)) or 'none'}")
        object.__setattr__(self, "residues", tuple(sorted(set(self.residues))))

    @property
    def share(self) -> float:
        """Share of the prompts, in (0, 1]."""
        return len(self.residues) / self.modulus


@dataclass(frozen=True)
class FactCounts:
    """A frequency-of-frequency table of facts. Tables of disjoint parts of one corpus add: ``a + b``."""

    table: pa.Table
    """As `SCHEMA`."""
    part: Part = field(default_factory=Part)
    """Which prompts were counted; the totals ``all``, ``abstained`` and left out are those of the whole corpus in any case."""
    about: Mapping[str, str] = field(default_factory=dict)
    """How it was counted: ``source``, ``normaliser``, ``abstention``, ``engine``, ..."""
    row_sampled: bool = False
    """Whether the rows were themselves sampled from a larger corpus: then facts look rarer than they are."""

    def __post_init__(self) -> None:
        if self.table.column_names != list(COLUMNS):
            raise DataError(f"fact counts have the columns {', '.join(COLUMNS)}; got {', '.join(self.table.column_names)}")
        kinds = set(self.table["keys"].to_pylist())
        if "normalised" in kinds and "all" not in kinds:
            raise DataError("fact counts need a row 'all' with the number of samples")
        if self.table["keys"].null_count or self.table["samples"].null_count or (pc.min(self.table["samples"]).as_py() or 0) < 0:
            raise DataError("fact counts need 'keys' and a 'samples' of at least 0 in every row")
        for keys, needed in (("normalised", COLUMNS[1:]), ("raw", COLUMNS[1:4])):
            rows = self.table.filter(pc.equal(self.table["keys"], keys))
            if lacking := [name for name in needed if rows[name].null_count]:
                raise DataError(f"fact counts need a number in every row of {keys!r}: {', '.join(lacking)} has none in some")
        if self.part.share == 1 and int(self._rows("normalised")["samples"].sum()) != self.n:
            raise DataError(
                f"the prompts' samples add up to {int(self._rows('normalised')['samples'].sum()):,}, not to the {self.n:,} of the row 'all'"
            )

    @classmethod
    def of(
        cls,
        frequencies: Iterable[tuple[Keys, int, int, int, int | None]],
        totals: Mapping[str, int],
        *,
        part: Part | None = None,
        about: Mapping[str, str] | None = None,
        row_sampled: bool = False,
    ) -> FactCounts:
        """From rows (keys, answered, prompts, samples, contradicted), and totals by name."""
        rows: list[tuple[Any, ...]] = [*sorted(frequencies), *((name, None, None, count, None) for name, count in totals.items())]
        columns = zip(*rows, strict=True) if rows else [[] for _ in COLUMNS]
        arrow = pa.table([pa.array(list(column), one.type) for column, one in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
        return cls(arrow, part or Part(), dict(about or {}), row_sampled)

    def _rows(self, keys: str) -> dict[str, NDArray[np.int64]]:
        chosen = self.table.filter(pc.equal(self.table["keys"], keys))
        return {name: pc.fill_null(chosen[name], 0).to_numpy() for name in COLUMNS[1:]}

    def total(self, name: str) -> int:
        """The total of that name: ``all``, ``abstained``, or one of `LEFT_OUT`."""
        return int(self._rows(name)["samples"].sum())

    @property
    def n(self) -> int:
        """N: samples that have a prompt and an answer, "I don't know" included; exact also where prompts were sampled."""
        return self.total("all")

    @property
    def left_out(self) -> dict[str, int]:
        """Rows in no number, by what they lack."""
        return {name: self.total(name) for name in LEFT_OUT if self.total(name)}

    def frequencies(self, keys: Keys = "normalised") -> dict[str, NDArray[np.int64]]:
        """Columns ``answered`` (F,), ascending, ``prompts``, ``samples`` and ``contradicted``, as counted: of the part, not scaled up.
        Contradictions are not told of ``raw`` prompts, which have no such column."""
        rows = self._rows(keys)
        order = np.argsort(rows["answered"])
        return {name: column[order] for name, column in rows.items() if keys == "normalised" or name != "contradicted"}

    def prompts(self, keys: Keys = "normalised", *, answered: int | None = None) -> float:
        """Distinct prompts, or those that were answered so many times; scaled up where prompts were sampled (unbiased)."""
        rows = self._rows(keys)
        chosen = rows["prompts"] if answered is None else rows["prompts"][rows["answered"] == answered]
        return float(chosen.sum()) / self.part.share

    def has(self, keys: Keys) -> bool:
        """Whether prompts were counted by such keys."""
        return bool(len(self._rows(keys)["prompts"])) or self.n == 0

    def __add__(self, other: FactCounts) -> FactCounts:
        """The counts of both parts of one corpus; raises DataError if they overlap or are of two corpora."""
        if self.part.modulus != other.part.modulus:
            raise DataError(f"counts of parts of {self.part.modulus} and of {other.part.modulus} cannot be added")
        if both := set(self.part.residues) & set(other.part.residues):
            raise DataError(f"both counts have part {min(both)} of {self.part.modulus}: only disjoint parts add (see FactCounts.disjoint)")
        mine, theirs = self._comparable(), other._comparable()
        if mine != theirs:
            names = ", ".join(f"{name} {mine.get(name)!r} and {theirs.get(name)!r}" for name in mine if mine[name] != theirs.get(name))
            raise DataError(f"the counts are not parts of one corpus: {names}")
        totals = {name: self.total(name) for name in ("all", "abstained", *LEFT_OUT)}
        part = Part(self.part.modulus, self.part.residues + other.part.residues)
        return FactCounts.of(_summed([self, other]), totals, part=part, about=self.about, row_sampled=self.row_sampled)

    def _comparable(self) -> dict[str, object]:
        rules = {name: self.about.get(name) for name in ("normaliser", "abstention", "source")}
        return {**rules, "samples": self.n, "abstained": self.total("abstained"), "row-sampled": self.row_sampled}

    @classmethod
    def disjoint(cls, counts: Iterable[FactCounts]) -> FactCounts:
        """The counts of several corpora of which no two have a prompt in common: the caller answers for that.

        Raises:
            DataError: one is a sample, or they were made by different rules.
        """
        tables = list(counts)
        rules = {(one.about.get("normaliser"), one.about.get("abstention"), one.part.share == 1) for one in tables}
        if len(rules) != 1 or tables[0].part.share != 1:
            raise DataError("only whole counts, made with the same normaliser and abstention rule, can be put together")
        totals = {name: sum(one.total(name) for one in tables) for name in ("all", "abstained", *LEFT_OUT)}
        about = {**tables[0].about, "source": " + ".join(one.about.get("source", "?") for one in tables)}
        return cls.of(_summed(tables), totals, about=about, row_sampled=any(one.row_sampled for one in tables))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes Parquet; what is not in the table goes into its metadata. Raises OutputError."""
        known = {
            "version": VERSION,
            "part": [self.part.modulus, list(self.part.residues)],
            "about": dict(self.about),
            "row_sampled": self.row_sampled,
        }
        with replacing(path) as file:
            pq.write_table(self.table.replace_schema_metadata({"wager.facts": json.dumps(known)}), file)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, part: Part | None = None) -> FactCounts:
        """Reads what `write` wrote, or a table with the same columns that another engine made (Parquet or CSV).

        Args:
            path: the file.
            part: which prompts another engine counted, which its table cannot say; all by default.

        Raises:
            DataError: it is not such a table.
            UsageError: the file says that it holds another part.
        """
        file = Path(path)
        try:
            table = pyarrow.csv.read_csv(file) if file.suffix == ".csv" else pq.read_table(file)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{str(path)!r} cannot be read as fact counts: {error}") from error
        written = (table.schema.metadata or {}).get(b"wager.facts")
        if missing := [name for name in COLUMNS if name not in table.column_names]:
            raise DataError(f"{str(path)!r} lacks the columns {', '.join(missing)} of fact counts")
        try:
            arrow = table.select(COLUMNS).replace_schema_metadata(None).cast(SCHEMA)
        except (pa.ArrowException, ValueError) as error:
            raise DataError(f"{str(path)!r} does not have the types of fact counts: {error}") from error
        if written is None:
            if "abstained" not in arrow["keys"].to_pylist():
                raise DataError(f"{str(path)!r} lacks the row 'abstained': how many samples say \"I don't know\", also where none does")
            return cls(arrow, part or Part(), {**ANOTHER, "source": file.name})
        own, about, row_sampled = _known(path, written)
        if part is not None and part != own:
            raise UsageError(f"{str(path)!r} holds {_named(own)}, not {_named(part)}: leave --sample and --part away")
        return cls(arrow, own, about, row_sampled)

    def declared_row_sampled(self) -> FactCounts:
        """The same counts, marked as made from sampled rows."""
        return replace(self, row_sampled=True)


def _known(path: str | os.PathLike[str], written: bytes) -> tuple[Part, dict[str, str], bool]:
    """What `FactCounts.write` put into the metadata."""
    try:
        known = json.loads(written)
        version, (modulus, residues) = int(known["version"]), known["part"]
        part, about = Part(int(modulus), tuple(map(int, residues))), {str(name): str(value) for name, value in known["about"].items()}
        row_sampled = bool(known["row_sampled"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{str(path)!r} does not say how it was counted: its metadata is damaged ({error})") from error
    if version > VERSION:
        raise DataError(f"{str(path)!r} was written by a newer wager (version {version} of fact counts; this one reads {VERSION})")
    return part, about, row_sampled


def _named(part: Part) -> str:
    return "all prompts" if part.share == 1 else f"{len(part.residues)} of {part.modulus} parts (number {part.residues[0]} first)"


def _summed(counts: Iterable[FactCounts]) -> list[tuple[Keys, int, int, int, int | None]]:
    sums: dict[tuple[Keys, int], list[int]] = {}
    kinds: tuple[Keys, ...] = ("normalised", "raw")
    for one in counts:
        for keys in kinds:
            for answered, *values in zip(*(column.tolist() for column in one.frequencies(keys).values()), strict=True):
                sums[keys, answered] = [a + b for a, b in zip(sums.get((keys, answered), [0] * len(values)), values, strict=True)]
    return [(keys, answered, p, s, contradicted[0] if contradicted else None) for (keys, answered), (p, s, *contradicted) in sums.items()]
