"""`birthdays`: only a real date written DD-MM counts, and a file that cannot be used says why."""

import asyncio
import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import ModelName, ModelOutput
from inspect_ai.scorer import Score, Target
from inspect_ai.solver import TaskState

from wager.errors import DataError, UnknownNameError
from wager.evals.tasks.birthdays import birthday, birthdays, day_and_month


def score(reply: str, gold: str) -> Score:
    target = Target(gold)
    output = ModelOutput.from_content("none", reply)
    state = TaskState(model=ModelName("none/none"), sample_id="x", epoch=1, input="?", messages=[], target=target, output=output)
    found = asyncio.run(birthday()(state, target))  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("reply", "day"),
    [
        ("02-04", "02-04"),
        ("It is 29-02.", "29-02"),
        ("**02-04**", "02-04"),
        ("02‑04", "02-04"),
        ("02-04, yes: 02-04", "02-04"),
        ("31-04", None),
        ("00-01", None),
        ("12-13", None),
        ("2-4", None),
        ("02/04", None),
        ("02-04-1745", None),
        ("1745-04-02", None),
        ("02-04 or 03-04", None),
        ("2 April", None),
        ("٠٢-٠٤", None),
        ("", None),
    ],
)
def test_only_one_real_date_written_dd_mm_is_read(reply: str, day: str | None) -> None:
    assert day_and_month(reply) == day


@given(st.dates())
def test_every_date_of_the_calendar_is_read(date: datetime.date) -> None:
    assert day_and_month(f"{date:%d-%m}") == f"{date:%d-%m}"


def test_right_wrong_and_unreadable_replies_are_told_apart() -> None:
    assert (score("02-04", "02-04").value, score("04-02", "02-04").value) == ("C", "I")
    unread = score("April 2nd", "02-04")
    assert (unread.value, unread.answer, unread.reason) == ("I", "", "invalid_response_format")


def test_the_real_legislators_are_asked_about_once_each(data: Path) -> None:
    task = birthdays(str(data / "birthdays" / "us_legislators.csv"), stratum="era")
    samples = {str(sample.id): sample for sample in task.dataset}
    assert len(samples) == len(task.dataset) > 10_000
    assert samples["Richard Bassett"].target == "02-04"
    assert samples["Richard Bassett"].input == "What is Richard Bassett's birthday? If you know, just respond with DD-MM."
    assert {(sample.metadata or {})["stratum"] for sample in task.dataset} == {"historical", "current"}
    assert task.metadata is not None
    assert task.metadata["names_left_out_as_ambiguous"] > 0


def test_a_name_with_two_birthdays_is_left_out_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("name,birthday\nAnn Lee,1900-02-29\nJo Roe,1901-03-04\nJo Roe,1950-05-06\nAnn Lee,29-02\n", encoding="utf-8")
    task = birthdays(str(file))
    assert [(sample.id, sample.target) for sample in task.dataset] == [("Ann Lee", "29-02")]
    assert task.metadata == {"names_left_out_as_ambiguous": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no records"),
        ("name,birthday\n", "holds no records"),
        ("name,birthday\nAnn,1900-02-30\n", "record 1: a birthday is YYYY-MM-DD or DD-MM, got '1900-02-30'"),
        ("name,birthday\nAnn,spring\n", "got 'spring'"),
        ("name,birthday\nAnn,\n", "record 1: nothing in the column 'birthday'"),
        ("name,birthday\nAnn,01-02\nAnn,02-02\n", "holds no name with one birthday"),
    ],
)
def test_a_file_without_usable_birthdays_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        birthdays(str(file))


def test_a_column_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("name,birth_day\nAnn,01-02\n", encoding="utf-8")
    with pytest.raises(UnknownNameError, match=r"no column in '.*people.csv' named 'birthday'; did you mean 'birth_day'"):
        birthdays(str(file))
    with pytest.raises(DataError, match=r"absent\.csv' cannot be read: No such file"):
        birthdays(str(tmp_path / "absent.csv"))
