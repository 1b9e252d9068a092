"""`read_answers`: files, folders and patterns in, one `AnswerTable` out, with what could not be used and what must be known."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from wager.answers import Outcome
from wager.errors import DataError, UnknownNameError, UsageError
from wager.grading.matching import comparisons
from wager.importers.formats import ORDER, Importer, Missing, Options, formats
from wager.importers.settle import KEPT, REASONS, Tally, settle
from wager.importers.source import Source
from wager.importers.table import ALIASES, OURS
from wager.importers.wager_table import is_answer_table
from wager.table import SCHEMA, SCHEMA_VERSION, AnswerTable, constant_column

__all__ = ["Imported", "SourceFile", "read_answers"]


@dataclass(frozen=True)
class SourceFile:
    """One file whose rows are in the table."""

    path: str
    """As it was given or found."""
    format: str
    """Name of the importer that read it."""
    rows: int
    """Rows that it gave."""
    notes: tuple[str, ...]
    """What a reader of its numbers must know."""


@dataclass(frozen=True)
class Imported:
    """What files gave."""

    table: AnswerTable
    """All rows of all usable files, in the order of the files."""
    columns: pa.Table
    """The columns that ``keep`` asked for, row by row as the table; texts, unless the files are Parquet."""
    sources: tuple[SourceFile, ...]
    """The files that were used."""
    problems: tuple[str, ...]
    """One sentence for each file, or line of a file, that could not be used: where, what was expected, what was got."""
    notes: tuple[str, ...]
    """What a reader of the numbers must know: missing answers and what they count as, repeated rows, items that a model lacks."""

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which rows hold no readable answer, whatever they are counted as; shape (N,)."""
        arrow = self.table.arrow
        absent = pc.fill_null(pc.equal(arrow.column("reason"), REASONS[0]), False)
        unparsed = pc.equal(arrow.column("outcome"), Outcome.UNPARSED.value)
        return np.asarray(pc.or_(absent, unparsed).to_numpy(), dtype=np.bool_)


def read_answers(
    paths: Sequence[str | os.PathLike[str]],
    *,
    mapping: Mapping[str, str] | None = None,
    missing: Missing = "unparsed",
    comparison: str = "text",
    keep: Sequence[str] = (),
    texts: bool = False,
    model: str | None = None,
    task: str | None = None,
) -> Imported:
    """Reads answers that are graded already, or can be: logs of evaluation frameworks, leaderboard files, tables.

    The format is told from a file's content. A file that cannot be used is described in ``problems`` and leaves the others usable.

    Args:
        paths: files, folders (with all below them) and patterns such as ``"logs/*.eval"``.
        mapping: {our column: the file's column} for CSV, JSON lines, JSON lists and Parquet; every file is then read as such a
            table. Ours are the columns of `wager.table.SCHEMA` and ``correct``, ``confidence``, ``category``, ``prediction``.
            ``a.b`` names the key ``b`` inside ``a``.
        missing: what counts for a reply that holds no readable answer. ``unparsed``: a state, unless the reply says "I don't know",
            which is an abstention; ``abstained``: an abstention; ``incorrect``: a wrong answer.
        comparison: how answer and reference are compared where the file gives no verdict; a name in
            `wager.grading.matching.comparisons`.
        keep: further columns of the files, for grouping; they come back in ``columns``.
        texts: keep question, reference, answer and reply; without them a million rows take some 100 MB.
        model: name of the model where the file gives none; else its file name, or what the format uses.
        task: name of the task where the file gives none.

    Raises:
        UsageError: ``paths`` is empty, or ``missing`` is not one of the three.
        UnknownNameError: a comparison, a mapped or a kept column that there is not; names the nearest.
        DataError: no file is usable; the message is the first problem.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    if missing not in get_args(Missing):
        raise UsageError(f"missing answers count as {', '.join(map(repr, get_args(Missing)))}; got {missing!r}")
    comparisons.get(comparison)
    mapping = dict(mapping or {})
    for ours in mapping:
        if ours not in OURS:
            raise UnknownNameError("column of an answer table", ours, OURS)
    aliased = [ALIASES.get(ours, ours) for ours in mapping]
    twice = sorted({name for name in aliased if aliased.count(name) > 1})
    if twice:
        raise UsageError(f"the mapping names {twice[0]!r} twice, once by another name; give one")
    options = Options(mapping, missing, comparison, tuple(dict.fromkeys(keep)), texts, model, task)
    gathered = _Gathered(options)
    named, problems = _expand(paths)
    gathered.problems += problems
    for path, given in named:
        gathered.add(path, given=given)
    return gathered.result()


class _Gathered:
    """Rows, counts and remarks while the files are read."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.tally = Tally()
        self.tables: list[pa.Table] = []
        self.sources: list[SourceFile] = []
        self.problems: list[str] = []
        self.skipped: list[str] = []
        self.numbered: list[bool] = []
        self.kept_names: set[str] = set()
        self.unknown_names: list[UnknownNameError] = []

    def add(self, path: Path, *, given: bool) -> None:
        """Reads one file; one that was only found in a folder may be of no known format."""
        source = Source(path)
        before = self.tally.copy()
        try:
            if source.kind == "empty":
                raise DataError(f"{source.name}: expected answers, got an empty file")
            importer = _importer(source, self.options, given=given)
            if importer is None:
                self.skipped.append(str(path))
                return
            notes: set[str] = set()
            blocks = [settle(block, self.options, self.tally, source.name) for block in importer.read(source, self.options, notes)]
            source.finish()
            rows = sum(block.num_rows for block in blocks)
            if not rows:
                raise DataError(f"{source.name}: expected answers, got a file without rows")
        except UnknownNameError as error:
            self.unknown_names.append(error)
            self._reject(source, before, str(error))
        except DataError as error:
            self._reject(source, before, str(error))
        except OSError as error:
            self._reject(source, before, f"{source.name}: cannot be read ({error.strerror or error})")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, pa.ArrowException) as error:
            # the content is someone else's: whatever shape it has, the other files stay usable
            said = " ".join(str(error).split())[:200]
            self._reject(source, before, f"{source.name}: damaged, or of another shape than its format ({type(error).__name__}: {said})")
        else:
            self.problems += source.problems
            self.tables += blocks
            self.numbered += [any("sample" in block.column_names for block in blocks)] * len(blocks)
            self.kept_names |= {name for block in blocks for name in block.column_names if name.startswith(KEPT)}
            self.sources.append(SourceFile(str(path), importer.name, rows, tuple(sorted(notes))))

    def _reject(self, source: Source, before: Tally, problem: str) -> None:
        source.finish()
        self.tally = before
        self.problems += [problem, *source.problems]

    def result(self) -> Imported:
        """All rows as one table.

        Raises:
            UnknownNameError: no file is usable, and one lacks a mapped column; or no file has a column to keep.
            DataError: no file is usable.
        """
        if not self.tables:
            if self.unknown_names:
                raise self.unknown_names[0]
            what = self.problems or [f"none of the {len(self.skipped)} files is of a known format: {', '.join(formats)}"]
            raise DataError(what[0])
        for name in self.options.keep:
            if KEPT + name not in self.kept_names:
                known = {one for source in self.sources for one in Source(Path(source.path)).names}
                raise UnknownNameError("column", name, known)
        rows = [table.num_rows for table in self.tables]
        columns = {name: self._column(name, rows) for name in SCHEMA.names if any(name in table.column_names for table in self.tables)}
        notes = [*self._missing_notes(), *self._column_notes()]
        columns["sample"], repeated = self._samples(columns, rows)
        packages = {name: version(name) for name in ("wager",)}
        about = {
            "schema": SCHEMA_VERSION,
            "imported": sorted({source.format for source in self.sources}),
            "missing": self.options.missing,
            "comparison": self.options.comparison,
            "packages": packages,
        }
        table = AnswerTable(pa.table(columns).replace_schema_metadata({"wager": json.dumps(about)}))
        kept = pa.table({name: self._kept(name, rows) for name in self.options.keep})
        notes += repeated + _differences(table)
        for note in dict.fromkeys(chain.from_iterable(source.notes for source in self.sources)):
            notes.append(note)
        if self.skipped:
            shown = ", ".join(repr(Path(path).name) for path in self.skipped[:3])
            shown += "" if len(self.skipped) < 4 else ", ..."
            notes.append(f"{len(self.skipped):,} files in the folders are of no known format and were left out: {shown}")
        return Imported(table, kept, tuple(self.sources), tuple(self.problems), tuple(notes))

    def _column(self, name: str, rows: Sequence[int]) -> pa.ChunkedArray:
        kind = SCHEMA.field(name).type
        default = 1 if name == "sample" else None
        chunks: list[pa.Array] = []
        for table, n in zip(self.tables, rows, strict=True):
            column = table.column(name) if name in table.column_names else constant_column(default, n, kind)
            chunks += (column if column.type == kind else column.cast(kind)).chunks
        return pa.chunked_array(chunks, kind)

    def _kept(self, name: str, rows: Sequence[int]) -> pa.ChunkedArray:
        found = [table.column(KEPT + name) if KEPT + name in table.column_names else None for table in self.tables]
        kinds = {_plain(column.type) for column in found if column is not None and column.null_count < len(column)}
        kind = kinds.pop() if len(kinds) == 1 else pa.string()
        chunks: list[pa.Array] = []
        for column, n in zip(found, rows, strict=True):
            given = column if column is not None and column.null_count < len(column) else constant_column(None, n, kind)
            chunks += (given if given.type == kind else given.cast(kind)).chunks
        return pa.chunked_array(chunks, kind)

    # notes

    def _missing_notes(self) -> list[str]:
        tally = self.tally
        notes = []
        if tally.missing:
            rule = self.options.missing
            told = f"{tally.missing:,} of {tally.rows:,} answers are missing; counted as {rule} (--missing {rule})"
            if tally.missing_with_reply:
                said = f"{tally.missing_abstaining:,} look like real abstentions"
                if self.options.missing == "unparsed" and tally.missing_abstaining:
                    said += " and count as abstained"
                told += f"; {said}, {tally.missing_cut_off:,} stop in mid-sentence, as a reply that was cut off does"
                without = tally.missing - tally.missing_with_reply
                told += f"; {without:,} have no reply text" if without else ""
            else:
                told += "; no reply text in the file, so abstentions cannot be told from truncation"
            notes.append(told)
        if tally.said_unknown:
            said = "replies that were scored wrong, or differ from the reference, say that the model does not know"
            notes.append(f"{tally.said_unknown:,} {said}; counted as abstained")
        return notes

    def _column_notes(self) -> list[str]:
        notes = []
        for name, (count, first) in self.tally.confidences.items():
            notes.append(
                f"{count:,} values of {name} are outside [0, 1] or no number, the first is {first}; they are left empty. "
                "If they are percentages, divide them by 100 first"
            )
        for name, (count, first) in self.tally.unread_verdicts.items():
            notes.append(f"{count:,} values for {name!r} are no verdict, the first is {first}; these answers are ungraded")
        return notes

    def _samples(self, columns: Mapping[str, pa.ChunkedArray], rows: Sequence[int]) -> tuple[pa.ChunkedArray, list[str]]:
        """Sample numbers, and what is to say of rows that repeat."""
        given = columns.get("sample")
        samples = np.ones(sum(rows), dtype=np.int32) if given is None else given.to_numpy().astype(np.int32)
        key = np.zeros(len(samples), dtype=np.int64)
        for name in ("task", "model", "arm", "target", "item"):
            if name in columns:
                key = _combined(key, columns[name])
        key = _combined(key, pa.chunked_array([pa.array(samples)]))
        if len(_distinct(key)) == len(key):
            return (columns["sample"] if given is not None else constant_column(1, len(samples), pa.int32())), []
        numbered = np.repeat(self.numbered, rows)
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.r_[True, key[order][1:] != key[order][:-1]])
        place = np.arange(len(key)) - np.repeat(starts, np.diff(np.r_[starts, len(key)]))
        repeats = np.empty(len(key), dtype=np.int64)
        repeats[order] = place
        again = (repeats > 0) & ~numbered
        samples = np.where(again, samples + repeats, samples).astype(np.int32)
        notes = []
        if again.any():
            notes.append(f"{int(again.sum()):,} rows repeat an item of the same model; they are kept as further samples of it")
        fixed = int(((repeats > 0) & numbered).sum())
        if fixed:
            what = "rows repeat an item, model and sample number that the files give"
            notes.append(f"{fixed:,} {what}; they are kept as they are, so check for answers that were given twice")
        return pa.chunked_array([pa.array(samples)]), notes


def _distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The different values, increasing: by sorting, which for whole numbers takes a tenth of the time of numpy's hashing."""
    ordered = np.sort(values)
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]] if len(ordered) else ordered


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _combined(key: NDArray[np.int64], column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The key refined by a column: rows are equal iff they were, and the column's values are."""
    codes, size = _codes(column)
    if size == 1:
        return key
    if int(key.max(initial=0)) >= 2**62 // size:
        key = np.unique(key, return_inverse=True)[1]
    return key * size + codes


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """(a number for each row, equal iff the values are; how many numbers)."""
    chunks = column.dictionary_encode().unify_dictionaries().chunks
    empty = len(chunks[0].dictionary) if chunks else 0
    codes = [pc.fill_null(chunk.indices, empty).to_numpy(zero_copy_only=False) for chunk in chunks]
    return (np.concatenate(codes).astype(np.int64) if codes else np.zeros(0, dtype=np.int64)), empty + 1


def _differences(table: AnswerTable) -> list[str]:
    """A note for each task whose models differ in their items."""
    (tasks, _), (models, _), (items, n_items) = (_codes(table.arrow.column(name)) for name in ("task", "model", "item"))
    names = {name: table.arrow.column(name).unique().to_pylist() for name in ("task", "model")}
    notes = []
    for task in range(len(names["task"])):
        inside = tasks == task
        pairs = _distinct(models[inside] * n_items + items[inside])
        all_items = len(_distinct(pairs % n_items))
        by_model, counts = np.unique(pairs // n_items, return_counts=True)
        lacking = [(names["model"][one], all_items - count) for one, count in zip(by_model.tolist(), counts.tolist(), strict=True)]
        lacking = sorted((pair for pair in lacking if pair[1]), key=lambda pair: (-pair[1], pair[0]))
        if lacking:
            shown = ", ".join(f"{name!r} lacks {count:,}" for name, count in lacking[:5])
            more = f", and {len(lacking) - 5:,} more models lack some" if len(lacking) > 5 else ""
            notes.append(f"task {names['task'][task]!r}: of {all_items:,} items that some model has, {shown}{more}")
    return notes


# files


def _importer(source: Source, options: Options, *, given: bool) -> Importer | None:
    """Who reads the file: with a mapping the plain table, else the first format that knows it.

    Raises:
        DataError: none does, and the file was named by the caller.
    """
    if options.mapping and source.kind not in ("unknown", "empty"):
        return formats.get("table") if given or source.kind in ("parquet", "csv", "lines", "list") else None
    for name in (*ORDER, *(name for name in formats if name not in ORDER)):
        importer = formats.get(name)
        if importer.sniff(source):
            return importer
    if not given:
        return None
    names = source.names if source.kind not in ("unknown", "archive") else []
    if names:
        shown = ", ".join(map(repr, names[:12])) + (", ..." if len(names) > 12 else "")
        raise DataError(
            f"{source.name}: expected an outcome, or correct, or reference and answer; got the columns {shown}; "
            "name yours with a mapping such as correct=COLUMN"
        )
    if source.kind in ("lines", "list", "object"):
        next(iter(source.records()), None)  # says what is wrong with the JSON
        if source.problems:
            raise DataError(source.problems.pop(0))
    raise DataError(f"{source.name}: expected one of {', '.join(ORDER)}; got {_unknown(source)}")


def _unknown(source: Source) -> str:
    if source.head.startswith(b"\x1f\x8b"):
        return "a gzip file; unpack it first"
    if source.kind == "archive":
        return f"a zip archive of {len(source.members):,} members that is none of them"
    return "text without columns" if b"\0" not in source.head else "a binary file"


def _expand(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[tuple[Path, bool]], list[str]]:
    """(files, each once, with whether the caller named it; problems)."""
    found: dict[Path, tuple[Path, bool]] = {}
    problems = []
    given_any = False
    for one in paths:
        given_any = True
        path = Path(one)
        if path.is_dir():
            files = [(file, False) for file in _inside(path)]
            if not files:
                problems.append(f"{str(path)!r}: expected answers, got an empty folder")
        elif path.exists():
            files = [(path, True)]
        else:
            matched = [Path(name) for name in sorted(glob.glob(str(one), recursive=True))]  # noqa: PTH207 (absolute patterns too)
            files = [(file, False) for folder in matched if folder.is_dir() for file in _inside(folder)]
            files += [(file, True) for file in matched if file.is_file()]
            if not files:
                problems.append(f"{str(one)!r}: no such file, and no file matches it as a pattern")
        for file, given in files:
            found.setdefault(file.resolve(), (file, given))
    if not given_any:
        raise UsageError("give at least one file, folder or pattern to read")
    return list(found.values()), problems


def _inside(folder: Path) -> list[Path]:
    """Files below a folder by name, without hidden ones; of a results folder of wager the answer table alone."""
    files = []
    for top, folders, names in os.walk(folder):
        table = Path(top) / "answers.parquet"
        if "answers.parquet" in names and is_answer_table(Source(table)):
            folders.clear()
            files.append(table)
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(top) / name for name in sorted(names) if not name.startswith(".")]
    return [file for file in files if file.is_file()]
