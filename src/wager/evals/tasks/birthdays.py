"""`birthdays`: arbitrary facts. Nothing but having seen a birthday tells what it is.

Kalai et al. (2025), sec. 1: "What is X's birthday? If you know, just respond with DD-MM." Any CSV with a name and a birthday will do.
"""

from __future__ import annotations

import csv
import datetime
import re
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate

from wager.errors import DataError, UnknownNameError

__all__ = ["birthday", "birthdays", "day_and_month"]


@task
def birthdays(data: str, name: str = "name", birthday_column: str = "birthday", stratum: str | None = None, seed: int = 0) -> Task:
    """ "What is X's birthday? If you know, just respond with DD-MM."

    Args:
        data: a CSV file with a name and a birthday (YYYY-MM-DD or DD-MM) in each row. Names that occur with different birthdays are
            left out: there is no one right answer.
        name: the column of names.
        birthday_column: the column of birthdays.
        stratum: a column whose values are reported apart, such as ``era``.
        seed: of the order.
    """
    rows = _rows(Path(data), [name, birthday_column, *([stratum] if stratum else [])])
    known: dict[str, set[str]] = {}
    strata: dict[str, str] = {}
    for number, row in rows:
        person = row[name].strip()
        known.setdefault(person, set()).add(_gold(row[birthday_column], Path(data), number))
        if stratum:
            strata[person] = row[stratum]
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
    dataset = MemoryDataset(samples, name="birthdays")
    dataset.shuffle(seed)
    return Task(
        dataset=dataset,
        solver=generate(),
        scorer=birthday(),
        config=GenerateConfig(max_tokens=24, temperature=0.0),
        metadata={"names_left_out_as_ambiguous": len(known) - len(samples)},
    )


def _rows(path: Path, columns: list[str]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for column in columns:
                if column not in (reader.fieldnames or []):
                    raise UnknownNameError(f"column in {str(path)!r}", column, reader.fieldnames or [])
            return [(number, row) for number, row in enumerate(reader, start=2) if (row[columns[0]] or "").strip()]
    except OSError as error:
        raise DataError(f"the file {str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"the file {str(path)!r} is not UTF-8 text (byte {error.start})") from error


def _gold(written: str, path: Path, line: int) -> str:
    text = (written or "").strip()
    found = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text)
    day = f"{found.group(3)}-{found.group(2)}" if found else day_and_month(text)
    if day is None or day_and_month(day) is None:
        raise DataError(f"{str(path)!r}, line {line}: a birthday is YYYY-MM-DD or DD-MM, got {written!r}")
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
    found = set(re.findall(r"(?<![\d/-])(\d{2})-(\d{2})(?![\d/]|-\d)", reply))
    if len(found) != 1:
        return None
    day, month = found.pop()
    try:
        datetime.date(2000, int(month), int(day))
    except ValueError:
        return None
    return f"{day}-{month}"
