"""SimpleQA grades, as OpenAI's simple-evals and its kin write them: a grade of CORRECT, INCORRECT or NOT_ATTEMPTED for each question.

The grader's letters A, B and C are the same three. NOT_ATTEMPTED is an abstention: the grader's prompt says so.
Reference: Wei et al. 2024, arXiv 2411.04368.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from wager.answers import Outcome
from wager.errors import DataError
from wager.importers.formats import Block, Importer, Options, formats
from wager.importers.settle import text
from wager.importers.source import Source
from wager.importers.table import column_plan, read_plan

__all__ = ["COLUMNS", "GRADES"]

GRADES = {
    "correct": Outcome.CORRECT,
    "incorrect": Outcome.INCORRECT,
    "not_attempted": Outcome.ABSTAINED,
    "not attempted": Outcome.ABSTAINED,
    "a": Outcome.CORRECT,
    "b": Outcome.INCORRECT,
    "c": Outcome.ABSTAINED,
}
"""What a grade means; case does not matter. An empty grade is `Outcome.UNGRADED`."""

COLUMNS = {
    "outcome": ("grade", "grade_letter", "grader_grade", "model_grade", "judgement", "judgment", "label", "verdict"),
    "item": ("id", "item", "question_id", "original_index", "problem", "question"),
    "question": ("problem", "question"),
    "reference": ("answer", "target", "gold", "reference", "ground_truth"),
    "reply": ("response", "predicted_answer", "prediction", "model_answer", "output", "completion", "reply"),
    "stratum": ("topic", "category"),
    "model": ("model", "model_name"),
    "task": ("task",),
}
"""Our column -> what files call it, the first that is there."""


def _grade_column(source: Source) -> str | None:
    return next((name for name in COLUMNS["outcome"] if name in source.names), None)


def _is_graded(source: Source) -> bool:
    column = _grade_column(source)
    if column is None or source.kind == "parquet":
        return False
    if source.kind == "csv":
        return column in ("grade", "grade_letter", "grader_grade") or b"NOT_ATTEMPTED" in source.head.upper()
    return str(source.first.get(column)).strip().casefold() in GRADES


def _read(source: Source, options: Options, notes: set[str]) -> Iterator[Block]:
    plan = column_plan(source, options, notes, COLUMNS)
    if "answer" in plan.columns:
        plan = replace(plan, columns={ours: theirs for ours, theirs in plan.columns.items() if ours != "answer"})
    plan = replace(plan, constants={**plan.constants, **({"task": options.task or "simpleqa"} if "task" in plan.constants else {})})
    for block in read_plan(source, plan, rereads=False):
        grades = pc.utf8_lower(pc.utf8_trim_whitespace(text(block.columns["outcome"], block.size))).dictionary_encode()
        words = grades.dictionary.to_pylist()
        for place, word in enumerate(words):
            if word and word not in GRADES:
                row = block.first + grades.indices.to_pylist().index(place)
                raise DataError(f"{source.name}, row {row}: expected a grade of CORRECT, INCORRECT or NOT_ATTEMPTED, got {word[:60]!r}")
        outcomes = pa.array([GRADES[word].value if word else None for word in words], pa.string())
        yield replace(block, columns={**block.columns, "outcome": outcomes.take(grades.indices)})


formats.register("simpleqa")(Importer("simpleqa", _is_graded, _read))
