"""From an AnswerTable to what is calibrated: the answers that were given, their credit, one confidence, and the item of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wager.answers import ConfidenceSource, Outcome
from wager.elicit.verbal import DEFAULT_SHADES, Shades
from wager.errors import DataError, UsageError
from wager.policy.combining import crossfitted_combination
from wager.table import AnswerTable

__all__ = ["GivenAnswers", "Words", "given_answers", "with_combined", "words_of"]

Floats = NDArray[np.float64]

ENOUGH = 0.9
"""Share of the answers that must have a confidence for it to be combined with others: an answer that lacks one gets no combination."""
FEWEST = 20
"""Answers below which nothing is combined."""


@dataclass(frozen=True)
class GivenAnswers:
    """Answers with one source of confidence. Arrays have shape (N,), in the table's order."""

    source: str
    """A `wager.answers.ConfidenceSource` value."""
    model: str
    """Whose answers they are."""
    tasks: tuple[str, ...]
    """Benchmarks that they belong to."""
    confidence: Floats
    """In [0, 1]."""
    correct: Floats
    """Credit in [0, 1]."""
    items: NDArray[np.intp]
    """Numbers of the items: samples of one item are not independent."""
    questions: int
    """Rows in all, whatever became of them."""
    n_unanswerable: int
    """Answers to questions that have no answer; each is wrong."""
    left_out: Mapping[str, int]
    """Rows without a place here, by outcome, and ``no confidence``."""


def given_answers(table: AnswerTable, source: str | None = None) -> GivenAnswers:
    """The answers of a table that have a confidence, from the prompts that state no target.

    Args:
        table: answers of one model.
        source: a source of confidence; by default the only one that the table has.

    Raises:
        UsageError: several models, or several sources and none chosen, or none of that source.
        DataError: no answer has both a verdict and a confidence.
    """
    closed = table.select(np.isnan(table.target) & (table.texts("arm") != "consistency"))
    table = closed if len(closed) else table
    models = sorted({str(name) for name in table.texts("model")})
    if len(models) > 1:
        named = f"{', '.join(models[:4])}{', ...' if len(models) > 4 else ''}"
        raise UsageError(f"the answers are of {len(models)} models ({named}); choose one with --where model=NAME")
    chosen = _source(table, source)
    sure, answered = table.confidence(chosen), table.answered
    kept = answered & ~np.isnan(sure)
    if not kept.any():
        raise DataError(f"none of {len(table)} rows is a graded answer with a {chosen.value} confidence")
    outcome = table.outcome
    out = {one.value: int((outcome == one.value).sum()) for one in Outcome if not one.is_answer}
    out["no confidence"] = int((answered & np.isnan(sure)).sum())
    keys = [f"{task}\0{item}" for task, item in zip(table.texts("task"), table.texts("item"), strict=True)]
    answerable = np.asarray(table.arrow.column("answerable").to_numpy(zero_copy_only=False), dtype=bool)
    return GivenAnswers(
        source=chosen.value,
        model=models[0],
        tasks=tuple(sorted({str(name) for name in table.texts("task")})),
        confidence=sure[kept],
        correct=table.credit[kept],
        items=np.unique(np.asarray(keys, dtype=object)[kept].astype(str), return_inverse=True)[1],
        questions=len(table),
        n_unanswerable=int((kept & ~answerable).sum()),
        left_out={name: count for name, count in out.items() if count},
    )


def _source(table: AnswerTable, source: str | None) -> ConfidenceSource:
    found = table.sources
    if source is not None:
        if source not in {one.value for one in found}:
            raise UsageError(f"no answer has a {str(source)!r} confidence; the answers have {', '.join(found) or 'none'}")
        return ConfidenceSource(source)
    if len(found) != 1:
        what = (
            f"the answers have {', '.join(found)}; choose one with --source"
            if found
            else "no answer has a confidence; wager elicit gets one"
        )
        raise UsageError(f"a policy reads one source of confidence: {what}")
    return found[0]


@dataclass(frozen=True)
class Words:
    """Answers of a table that were asked for a shade. Arrays have shape (N,)."""

    said: list[str | None]
    """The name of each answer's shade; None where it said none that has a probability."""
    correct: Floats
    """Credit in [0, 1]."""
    items: NDArray[np.object_]
    """The item of each."""
    consistency: Floats
    """Share of samples that agree, NaN where there are none."""


def words_of(table: AnswerTable, shades: Shades = DEFAULT_SHADES) -> Words | None:
    """What was said with the graded answers, from their ``verbal`` confidences; None if the table has none.

    A confidence in words is the value of its shade, so the value tells the shade among those that are asked for.
    """
    if ConfidenceSource.VERBAL not in table.sources:
        return None
    names = {shade.value: shade.name for shade in shades.probable if shade.written}
    answered = table.answered
    values = table.confidence(ConfidenceSource.VERBAL)[answered]
    keys = [f"{task}\0{item}" for task, item in zip(table.texts("task"), table.texts("item"), strict=True)]
    return Words(
        said=[names.get(value) for value in values.tolist()],
        correct=table.credit[answered],
        items=np.asarray(keys, dtype=object)[answered],
        consistency=table.confidence(ConfidenceSource.CONSISTENCY)[answered],
    )


def with_combined(table: AnswerTable) -> tuple[AnswerTable, str]:
    """The table with a ``combined`` confidence, cross-fitted, from every source that nine in ten answers have; and a sentence about it.

    A table in which nothing can be combined comes back as it is.
    """
    answered = table.answered
    values = {source.value: table.confidence(source) for source in table.sources if source is not ConfidenceSource.COMBINED}
    usual = {name: one for name, one in values.items() if answered.any() and (~np.isnan(one[answered])).mean() >= ENOUGH}
    usual = {name: one for name, one in usual.items() if np.nanmin(one[answered]) < np.nanmax(one[answered])}
    complete = answered & ~np.isnan(np.column_stack([*usual.values(), np.zeros(len(table))])).any(axis=1)
    items, hits = table.texts("item")[complete].astype(str), table.credit[complete] >= 0.5
    right, wrong = len(np.unique(items[hits])), len(np.unique(items[~hits]))  # answers to one item share a fold
    if len(usual) < 2 or complete.sum() < FEWEST or min(right, wrong) < 5:
        why = f"{len(usual)} sources that most answers have, {len(hits)} answers with all of them, {right} items right and {wrong} wrong"
        return table, f"nothing is combined: it takes two sources, {FEWEST} answers, and 5 items right and 5 wrong; there are {why}"
    found = np.full(len(table), np.nan)
    found[complete] = crossfitted_combination({name: one[complete] for name, one in usual.items()}, table.credit[complete], clusters=items)
    column = pa.array(found, from_pandas=True)
    name = f"confidence_{ConfidenceSource.COMBINED.value}"
    arrow = table.arrow.set_column(table.arrow.column_names.index(name), table.arrow.schema.field(name), column)
    return AnswerTable(arrow), f"combined: {', '.join(usual)}; every answer's from a model fitted on other answers"
