"""`questions`: your own questions and answers, from CSV, JSONL, JSON or Parquet.

BIG-Bench Hard files, GSM8K and NQ-open work as they are. The comparison is named, never guessed in silence: where it is not given, it
is chosen from the answers, and it stands in the task's metadata with the columns that were read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, choice, model_graded_qa, scorer, stderr
from inspect_ai.solver import TaskState, generate, multiple_choice

from wager.errors import DataError, UnknownNameError, UsageError
from wager.evals.tasks.records import column_of, records_of, require, text_in
from wager.grading.matching import choice_in, comparisons, matches, number_in, options_in

__all__ = ["ANSWER_COLUMNS", "QUESTION_COLUMNS", "compared", "option_letters", "questions", "texts_in"]

QUESTION_COLUMNS = ("question", "input", "prompt", "problem", "query")
ANSWER_COLUMNS = ("answer", "answers", "target", "reference", "gold", "solution")
FEW_WORDS = 5
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
    choices: str | None = None,
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
        choices: column of the options (a list or a JSON list); the answer is then an option, its letter, or its number from 0. Asked
            and graded by Inspect's own ``multiple_choice`` and ``choice``.
        id: column of the item's identifier; the record's number if not given.
        stratum: column whose values are reported apart.
        prompt: what is said after the question; an instruction that fits ``match`` if not given.
        grader: model that grades, with ``match="model"``.
        max_tokens: longest reply.

    Raises:
        DataError: the file is absent, damaged or empty, or a record lacks what is asked for (with its number).
        UsageError: no such column or comparison, or no grader for ``match="model"``.
    """
    path = Path(data)
    records = records_of(path)
    ask = column_of(records, question, QUESTION_COLUMNS, "question", path)
    accept = column_of(records, answer, ANSWER_COLUMNS, "answer", path)
    require(records, [name for name in (id, stratum, choices) if name], path)
    if choices and match not in (None, "choice"):
        raise UsageError(f"a column of choices is compared by match=choice, got match={match}")
    accepted = [_accepted(record.get(accept), f"{data!r}, record {number}") for number, record in enumerate(records, start=1)]
    chosen = "choice" if choices else match or _comparison_for(accepted)
    if chosen == "model" and grader is None:
        raise UsageError("match=model needs a grader: give -T grader=provider/model")
    if chosen not in comparisons and chosen != "model":
        raise UnknownNameError("comparison", chosen, [*comparisons, "model"])
    if chosen == "numeric":
        accepted = [[_plain_number(gold, f"{data!r}, record {number}") for gold in golds] for number, golds in enumerate(accepted, start=1)]
    instruction = prompt if prompt is not None else "" if choices else INSTRUCTIONS.get(chosen, "")
    samples = []
    for number, (record, golds) in enumerate(zip(records, accepted, strict=True), start=1):
        where = f"{data!r}, record {number}"
        options = texts_in(record.get(choices)) if choices else None
        samples.append(
            Sample(
                id=text_in(record, id, where) if id else str(number),
                input="\n\n".join(part for part in (text_in(record, ask, where), instruction) if part),
                choices=options,
                target=golds if options is None else option_letters(record.get(accept), golds, options, where),
                metadata={"stratum": text_in(record, stratum, where)} if stratum else {},
            )
        )
    _refuse_twice([str(sample.id) for sample in samples], data, id)
    return Task(
        dataset=MemoryDataset(samples, name=path.stem),
        solver=multiple_choice() if choices else generate(),
        scorer=choice() if choices else model_graded_qa(model=grader) if chosen == "model" else compared(chosen),
        config=GenerateConfig(max_tokens=max_tokens or (512 if chosen == "numeric" else 96), temperature=0.0),
        metadata={"question_column": ask, "answer_column": accept, "match": chosen},
    )


def _refuse_twice(identifiers: Sequence[str], data: str, column: str | None) -> None:
    seen: set[str] = set()
    for one in identifiers:
        if one in seen:
            raise DataError(
                f"{data!r}: the identifier {one!r} in the column {column!r} occurs twice; leave out -T id to number the records"
            )
        seen.add(one)


def texts_in(value: Any) -> list[str]:
    """A list, a JSON list or a single value, as texts; empty ones left out.

    >>> texts_in('["Lima", " Quito "]'), texts_in(None)
    (['Lima', 'Quito'], [])
    """
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            value = [value]
    return [str(one).strip() for one in (value if isinstance(value, list) else [value]) if one is not None and str(one).strip()]


def _accepted(value: Any, where: str) -> list[str]:
    found = texts_in(value)
    if not found:
        raise DataError(f"{where}: no accepted answer")
    return found


def _plain_number(gold: str, where: str) -> str:
    number = number_in(gold)
    if number is None:
        raise DataError(f"{where}: the answer {gold[:60]!r} has no number, which match=numeric compares")
    return f"{number:f}"


def option_letters(value: Any, golds: Sequence[str], options: Sequence[str], where: str) -> list[str]:
    """The letters of the right options: given as an option's text, as its number from 0, or as its letter.

    Args:
        value: the answer as it stands in the record, for the error.
        golds: the same as texts, from `texts_in`.
        options: in their order, the first one is A.
        where: file and record, for the error.

    Raises:
        DataError: an answer is none of these.

    >>> option_letters("Lima", ["Lima"], ["Quito", "Lima"], "exam.csv, record 1")
    ['B']
    """
    letters = [chr(ord("A") + place) for place in range(len(options))]
    found = []
    for gold in golds:
        bare = (choice_in(gold) or "") if len(gold) <= 4 else ""
        if gold in options:
            found.append(letters[options.index(gold)])
        elif gold.isdecimal() and int(gold) < len(options):
            found.append(letters[int(gold)])
        elif bare in letters:
            found.append(bare)
        else:
            raise DataError(
                f"{where}: the answer {value!r} is none of the {len(options)} options, no letter up to {letters[-1:]} and no number"
            )
    return found


def _comparison_for(accepted: Sequence[Sequence[str]]) -> str:
    """``choice`` where every answer is an option letter, ``numeric`` where every one is a number, else ``includes`` for lists and
    ``text`` for single answers."""
    every = [one for golds in accepted for one in golds]
    if all(re.fullmatch(r"\([A-Z]\)|[A-Z]", one) for one in every):
        return "choice"
    if all(re.search(r"####\s*[-−$]?[\d.]", one) or _is_number(one) for one in every):
        return "numeric"
    return "includes" if any(len(golds) > 1 for golds in accepted) else "text"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"(?=.*\d)[-−+]?\$?(?:\d{1,3}(?:,\d{3})+|\d*)(?:\.\d+)? ?[%.]?", text) is not None


@scorer(metrics=[accuracy(), stderr()])
def compared(match: str) -> Scorer:
    """The reply, or what follows its last "ANSWER:", against the accepted answers under a named comparison."""

    async def score(state: TaskState, target: Target) -> Score:
        reply = _last_field(state.output.completion)
        answer: str | None = reply
        if match == "numeric":
            number = number_in(reply, marked=state.output.stop_reason == "max_tokens")
            answer = None if number is None else f"{number:f}"
        elif match == "choice":
            answer = choice_in(reply, options_in(state.input_text))
        if not answer:
            return Score(value=INCORRECT, answer="", explanation=f"no {match} answer can be read", reason="invalid_response_format")
        meant = next((gold for gold in target if matches(answer, [gold], match)), None)
        right = meant is not None or matches(answer, list(target), match)
        if match in ("text", "includes"):
            answer = meant or _short(answer)
        return Score(value=CORRECT if right else INCORRECT, answer=answer)

    return score


def _short(reply: str) -> str:
    """The first clause of a reply if it is a few words, so that samples of one item can be compared; else the reply."""
    first = re.split(r"[.;:!,\n](?:\s|$)", reply, maxsplit=1)[0].strip()
    return first if 0 < len(first.split()) <= FEW_WORDS else reply


def _last_field(reply: str) -> str:
    """What follows the last "ANSWER:" of a reply, or all of it."""
    tail = re.split(r"\banswer\s*:", reply, flags=re.IGNORECASE)[-1].strip()
    return tail or reply.strip()
