"""`questions`: your own questions and answers, from CSV, JSONL, JSON or Parquet.

BIG-Bench Hard files, GSM8K and NQ-open work as they are. The comparison is named, never guessed in silence: where it is not given, it
is chosen from the answers and recorded in the task's metadata.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, model_graded_qa, scorer, stderr
from inspect_ai.solver import TaskState, generate

from wager.errors import DataError, UnknownNameError, UsageError
from wager.grading.matching import choice_in, comparisons, matches, number_in

__all__ = ["compared", "questions", "records_of"]

QUESTION_COLUMNS = ("question", "input", "prompt", "problem", "query")
ANSWER_COLUMNS = ("answer", "answers", "target", "reference", "gold", "solution")
INSTRUCTIONS = {
    "text": "Answer with the answer only.",
    "exact": "Answer with the answer only.",
    "includes": "",
    "numeric": "End with a line 'ANSWER: NUMBER'.",
    "choice": "End with a line 'ANSWER: LETTER', LETTER being one of the options.",
    "model": "",
}


@task
def questions(
    data: str,
    question: str | None = None,
    answer: str | None = None,
    match: str | None = None,
    id: str | None = None,  # noqa: A002 (the column's name as users know it)
    stratum: str | None = None,
    prompt: str | None = None,
    grader: str | None = None,
    max_tokens: int | None = None,
) -> Task:
    """Questions from a file.

    Args:
        data: a .csv, .jsonl, .json (a list of records, or BIG-Bench's ``{"examples": [...]}``) or .parquet file.
        question: column of the question; found among the usual names if not given.
        answer: column of the accepted answer or answers (a list, a JSON list, or one); found likewise.
        match: ``text``, ``exact``, ``includes``, ``numeric``, ``choice`` or ``model`` (a grader model); chosen from the answers if
            not given.
        id: column of the item's identifier; the row's number if not given.
        stratum: column whose values are reported apart.
        prompt: what is said after the question; an instruction that fits ``match`` if not given.
        grader: model that grades, with ``match="model"``.
        max_tokens: longest reply.
    """
    path = Path(data)
    records = records_of(path)
    ask, accept = _column(path, records, question, QUESTION_COLUMNS, "question"), _column(path, records, answer, ANSWER_COLUMNS, "answer")
    for name in (id, stratum):
        if name is not None and name not in records[0]:
            raise UnknownNameError(f"column in {data!r}", name, records[0])
    accepted = [_accepted(record.get(accept), path, number) for number, record in enumerate(records, start=1)]
    chosen = match or _comparison_for(accepted)
    if chosen != "model":
        comparisons.get(chosen)
    elif grader is None:
        raise UsageError("match=model needs a grader: give -T grader=provider/model")
    instruction = INSTRUCTIONS.get(chosen, "") if prompt is None else prompt
    samples = [
        Sample(
            id=str(record[id]) if id else number,
            input="\n\n".join(part for part in (str(record[ask]).strip(), instruction) if part),
            target=golds,
            metadata={"stratum": str(record[stratum])} if stratum else {},
        )
        for number, (record, golds) in enumerate(zip(records, accepted, strict=True), start=1)
    ]
    return Task(
        dataset=MemoryDataset(samples, name=path.stem),
        solver=generate(),
        scorer=model_graded_qa(model=grader) if chosen == "model" else compared(chosen),
        config=GenerateConfig(max_tokens=max_tokens or (512 if chosen == "numeric" else 96)),
        metadata={"question_column": ask, "answer_column": accept, "match": chosen},
    )


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records of a file, at least one.

    Raises:
        DataError: the file is absent, unreadable, damaged (with the line) or empty.
        UsageError: a file type that is not read.
    """
    readers = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{str(path)!r}: questions are read from {', '.join(readers)} files")
    try:
        records = readers[path.suffix.lower()](path)
    except OSError as error:
        raise DataError(f"the file {str(path)!r} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"the file {str(path)!r} is not UTF-8 text (byte {error.start})") from error
    if not records:
        raise DataError(f"the file {str(path)!r} holds no questions")
    return records


def _csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _jsonl(path: Path) -> list[dict[str, Any]]:
    records = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                records.append(_object(line, path, number))
    return records


def _object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{str(path)!r}, line {number}: not JSON ({error.msg})") from error
    if not isinstance(record, dict):
        raise DataError(f"{str(path)!r}, line {number}: a record is a JSON object, got {type(record).__name__}")
    return record


def _json(path: Path) -> list[dict[str, Any]]:
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{str(path)!r}, line {error.lineno}: not JSON ({error.msg})") from error
    rows = whole.get("examples") if isinstance(whole, dict) else whole
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f'{str(path)!r}: a .json file holds a list of records, or {{"examples": [...]}}')
    return rows


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        return list(pq.read_table(path).to_pylist())
    except pa.ArrowInvalid as error:
        raise DataError(f"{str(path)!r} is not a Parquet file: {error}") from error


def _column(path: Path, records: Sequence[dict[str, Any]], given: str | None, usual: Sequence[str], what: str) -> str:
    known = records[0]
    if given is not None:
        if given not in known:
            raise UnknownNameError(f"column in {str(path)!r}", given, known)
        return given
    found = next((name for name in usual if name in known), None)
    if found is None:
        raise UsageError(f"{str(path)!r} has the columns {', '.join(map(str, known))}; name the {what}'s with -T {what}=COLUMN")
    return found


def _accepted(value: Any, path: Path, number: int) -> list[str]:
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            value = [value]
    found = [str(one).strip() for one in (value if isinstance(value, list) else [value]) if one is not None and str(one).strip()]
    if not found:
        raise DataError(f"{str(path)!r}, record {number}: no accepted answer")
    return found


def _comparison_for(accepted: Sequence[Sequence[str]]) -> str:
    """``choice`` where every answer is an option letter, ``numeric`` where every one is a number, else ``includes`` for lists and
    ``text`` for single answers."""
    every = [one for golds in accepted for one in golds]
    if all(choice_in(one) is not None and len(one) <= 3 for one in every):
        return "choice"
    if all("####" in one or _is_number(one) for one in every):
        return "numeric"
    return "includes" if any(len(golds) > 1 for golds in accepted) else "text"


def _is_number(text: str) -> bool:
    return number_in(text) is not None and not any(character.isalpha() for character in text)


@scorer(metrics=[accuracy(), stderr()])
def compared(match: str) -> Scorer:
    """The reply against the accepted answers under a named comparison."""

    async def score(state: TaskState, target: Target) -> Score:
        reply = _last_field(state.output.completion)
        answer: str | None = reply
        if match == "numeric":
            number = number_in(reply)
            answer = None if number is None else f"{number:f}"
        elif match == "choice":
            answer = choice_in(reply)
        if answer is None:
            return Score(value=INCORRECT, answer="", explanation=f"no {match} answer can be read", reason="invalid_response_format")
        right = matches(reply if match != "choice" else f"({answer})", list(target), match)
        return Score(value=CORRECT if right else INCORRECT, answer=answer)

    return score


def _last_field(reply: str) -> str:
    """What follows the last "ANSWER:" of a reply, or all of it."""
    _, marker, tail = reply.rpartition("ANSWER:")
    return tail.strip() if marker and tail.strip() else reply.strip()
