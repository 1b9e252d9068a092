"""The columns of an answer table as arrays, split into groups, in an order that does not depend on the order of the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wager.answers import ConfidenceSource, Outcome
from wager.table import AnswerTable

__all__ = ["Key", "Rows", "groups_of", "places", "split"]

Key = tuple[str, str, str, float | None]
"""Task, model, arm and stated target (None where none was stated)."""

ARM_ORDER = {"closed": 0, "open": 1, "consistency": 2}
OUTCOMES = tuple(Outcome)


@dataclass(frozen=True)
class Rows:
    """Answers of one group. All arrays have shape (N,)."""

    item: NDArray[np.intp]
    """Number of the item; the same question has the same number in every group."""
    sample: NDArray[np.intp]
    """Number of the sample, as in the table."""
    outcome: NDArray[np.intp]
    """Place of the outcome in `Outcome`."""
    credit: NDArray[np.float64]
    """Credit in [0, 1], NaN where not answered."""
    answerable: NDArray[np.bool_]
    """False where abstaining is the only right reply."""
    stratum: NDArray[np.intp]
    """Place of the stratum in `strata`."""
    strata: tuple[str | None, ...]
    """Names of the strata of the whole table, in order of first appearance; None for rows without one."""
    confidence: Mapping[ConfidenceSource, NDArray[np.float64]]
    """By source, NaN where absent."""

    def __len__(self) -> int:
        return len(self.item)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Whether the row is an answer."""
        return np.array([one.is_answer for one in OUTCOMES])[self.outcome]

    @property
    def abstained(self) -> NDArray[np.bool_]:
        """Whether the row is an abstention."""
        return np.array([one is Outcome.ABSTAINED for one in OUTCOMES])[self.outcome]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Whether the row is either."""
        return self.answered | self.abstained

    @property
    def worth(self) -> NDArray[np.float64]:
        """Credit, 0 for an abstention; for scored rows only."""
        return np.where(self.answered, self.credit, 0.0)

    @property
    def clusters(self) -> NDArray[np.intp] | None:
        """The items if one occurs more than once, else None: every answer is independent."""
        return self.item if len(np.unique(self.item)) < len(self) else None

    @property
    def counts(self) -> dict[str, int]:
        """Rows by outcome, all six."""
        return dict(zip((one.value for one in OUTCOMES), np.bincount(self.outcome, minlength=len(OUTCOMES)).tolist(), strict=True))

    def where(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Rows:
        """The rows where a mask is true, or at these places."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("strata", "confidence")}
        confidence = {source: values[which] for source, values in self.confidence.items()}
        return replace(self, confidence=confidence, **{name: values[which] for name, values in arrays.items()})


def groups_of(table: AnswerTable) -> dict[Key, Rows]:
    """The groups of a table, by task, model, arm and target; the arms in the order closed, open, consistency."""
    target = [None if np.isnan(t) else t + 0.0 for t in table.target.tolist()]  # + 0.0 turns -0 into 0
    columns = {name: table.arrow.column(name) for name in ("task", "model", "arm")} | {"target": pa.array(target, pa.float64())}
    return {_key(by): rows for by, rows, _ in split(table, columns)}


def _key(by: Mapping[str, str | float | None]) -> Key:
    target = by["target"]
    return str(by["task"]), str(by["model"]), str(by["arm"]), None if target is None else float(target)


def split(
    table: AnswerTable, by: Mapping[str, pa.Array | pa.ChunkedArray]
) -> list[tuple[dict[str, str | float | None], Rows, NDArray[np.intp]]]:
    """The groups of a table by any columns of text or numbers, each with its rows and their places in the table.

    Groups come in increasing order of their values, the first column first, empty values before all others, arms as `ARM_ORDER` has them.

    Args:
        table: the answers.
        by: names and columns of the table's length.
    """
    rows = _rows(table)
    code: NDArray[np.intp] = np.zeros(len(rows), dtype=np.intp)
    values: list[tuple[str | float | None, ...]] = [()]
    for name, column in by.items():
        one, distinct = _coded(column, _arm_rank if name == "arm" else _value_rank)
        code = code * len(distinct) + one
        values = [(*before, value) for before in values for value in distinct]
    within = (*rows.confidence.values(), rows.credit, rows.outcome, rows.sample, rows.item)  # the last weighs most
    order = np.lexsort((*within, code))
    ordered = code[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, dtype=np.intp)
    found = []
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(ordered)], strict=False):
        places_of = order[start:end]
        found.append((dict(zip(by, values[int(ordered[start])], strict=True)), rows.where(places_of), places_of))
    return found


def _value_rank(value: str | float | None) -> tuple[int, float, str]:
    if value is None:
        return 0, 0.0, ""
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))


def _arm_rank(value: str | float | None) -> tuple[int, float, str]:
    return 1, float(ARM_ORDER.get(str(value), len(ARM_ORDER))), str(value)


def _rows(table: AnswerTable) -> Rows:
    """All rows, in the order of the table."""
    stratum, strata = _codes(table, "stratum", sort=False)
    outcome, seen = _codes(table, "outcome")
    return Rows(
        item=_codes(table, "item")[0],
        sample=np.asarray(table.arrow.column("sample").to_numpy(), dtype=np.intp),
        outcome=np.array([[one.value for one in OUTCOMES].index(one or "") for one in seen], dtype=np.intp)[outcome],
        credit=table.credit,
        answerable=np.asarray(table.arrow.column("answerable").to_numpy(zero_copy_only=False), dtype=bool),
        stratum=stratum,
        strata=strata,
        confidence={source: table.confidence(source) for source in table.sources},
    )


def places(sets: Sequence[Rows]) -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """Pairs rows by item and sample (rows that share both are numbered in their order).

    Returns:
        The item of each series, shape (S,), and for each set the row of each series, shape (S,), -1 where the set has none.
    """
    names = [_series(rows) for rows in sets]
    distinct, codes = np.unique(np.concatenate(names), axis=0, return_inverse=True)
    parts = np.split(codes.reshape(-1), np.cumsum([len(one) for one in names])[:-1])
    found = []
    for part in parts:
        row = np.full(len(distinct), -1, dtype=np.intp)
        row[part] = np.arange(len(part))
        found.append(row)
    return distinct[:, 0], found


def _series(rows: Rows) -> NDArray[np.intp]:
    """Item, sample and number of occurrence of each row, shape (N, 3)."""
    pair = np.stack([rows.item, rows.sample], axis=1)
    place = np.arange(len(pair))
    new = np.r_[True, np.any(pair[1:] != pair[:-1], axis=1)] if len(pair) else np.zeros(0, dtype=bool)
    return np.column_stack([pair, place - np.maximum.accumulate(np.where(new, place, 0))])


def _codes(table: AnswerTable, name: str, *, sort: bool = True) -> tuple[NDArray[np.intp], tuple[str | None, ...]]:
    """Each row's place among the distinct texts of a column, and these, sorted or in order of first appearance."""
    codes, values = _coded(table.arrow.column(name), _value_rank if sort else None)
    return codes, tuple(None if value is None else str(value) for value in values)


def _coded(
    column: pa.Array | pa.ChunkedArray, rank: Callable[[str | float | None], tuple[int, float, str]] | None
) -> tuple[NDArray[np.intp], list[str | float | None]]:
    encoded = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    if not isinstance(encoded, pa.DictionaryArray):
        encoded = encoded.dictionary_encode(null_encoding="encode")
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.intp)
    values: list[str | float | None] = encoded.dictionary.to_pylist()
    if rank is None:
        return codes, values
    order = sorted(range(len(values)), key=lambda at: rank(values[at]))
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return place[codes], [values[at] for at in order]
