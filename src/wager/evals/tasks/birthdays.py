"""`birthdays`: arbitrary facts. Nothing but having seen a birthday tells what it is.

Kalai et al. (2025), sec. 1: "What is X's birthday? If you know, just respond with DD-MM." Any CSV with a name and a birthday will do.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate

from wager.errors import DataError
from wager.evals.tasks.records import records_of, require, text_in

__all__ = ["birthday", "birthday_in", "birthdays", "day_and_month"]


@task
def birthdays(data: str, name: str = "name", birthday_column: str = "birthday", stratum: str | None = None, seed: int = 0) -> Task:
    """ "What is X's birthday? If you know, just respond with DD-MM."

    Args:
        data: a .csv, .jsonl, .json or .parquet file with a name and a birthday (YYYY-MM-DD or DD-MM) in each record.
            Names that occur with different birthdays are left out, and counted in the task's metadata: there is no one right answer.
        name: the column of names.
        birthday_column: the column of birthdays.
        stratum: a column whose values are reported apart, such as ``era``.
        seed: of the order.
    """
    path = Path(data)
    records = records_of(path)
    require(records, [name, birthday_column, *([stratum] if stratum else [])], path)
    known: dict[str, set[str]] = {}
    strata: dict[str, str] = {}
    for number, record in enumerate(records, start=1):
        where = f"{data!r}, record {number}"
        person = text_in(record, name, where)
        known.setdefault(person, set()).add(birthday_in(text_in(record, birthday_column, where), where))
        if stratum:
            strata[person] = str(record[stratum] or "not given")
    samples = [
        Sample(
            id=person,
            input=f"What is {person}'s birthday? If you know, just respond with DD-MM.",
            target=next(iter(dates)),
            metadata={"stratum": strata[person]} if stratum else {},
        )
        for person, dates in known.items()
        if len(dates) == 1
    ]
    if not samples:
        raise DataError(f"the file {data!r} holds no name with one birthday; {len(known)} names were read")
    dataset = MemoryDataset(samples, name="birthdays")
    dataset.shuffle(seed)
    return Task(
        dataset=dataset,
        solver=generate(),
        scorer=birthday(),
        config=GenerateConfig(max_tokens=24, temperature=0.0),
        metadata={"names_left_out_as_ambiguous": len(known) - len(samples)},
    )


def birthday_in(written: str, where: str) -> str:
    """The day and month of a written birthday, as `day_and_month` gives them.

    Args:
        written: YYYY-MM-DD or DD-MM.
        where: file and record, for the error.

    Raises:
        DataError: it is written otherwise, or there is no such day.

    >>> birthday_in("1940-02-29", "people.csv, record 1")
    '29-02'
    """
    found = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", written)
    day = day_and_month(f"{found.group(3)}-{found.group(2)}" if found else written)
    if day is None or not re.fullmatch(r"[\d-]+", written):
        raise DataError(f"{where}: a birthday is YYYY-MM-DD or DD-MM, got {written!r}")
    return day


@scorer(metrics=[accuracy(), stderr()])
def birthday() -> Scorer:
    """The day and month in the reply, strictly DD-MM, against the birthday."""

    async def score(state: TaskState, target: Target) -> Score:
        found = day_and_month(state.output.completion)
        if found is None:
            return Score(value=INCORRECT, answer="", explanation="no DD-MM date is given", reason="invalid_response_format")
        return Score(value=CORRECT if found == target.text else INCORRECT, answer=found)

    return score


def day_and_month(reply: str) -> str | None:
    """The one date written DD-MM in a reply, 29-02 allowed; None if there is none, it does not exist, or there are several.

    >>> day_and_month("It is 29-02.")
    '29-02'
    >>> day_and_month("31-04") is None
    True
    """
    found = set(re.findall(r"(?<![\d/-])([0-9]{2})-([0-9]{2})(?![\d/]|-\d)", re.sub("[‐‑]", "-", reply)))
    if len(found) != 1:
        return None
    day, month = found.pop()
    try:
        datetime.date(2000, int(month), int(day))
    except ValueError:
        return None
    return f"{day}-{month}"
