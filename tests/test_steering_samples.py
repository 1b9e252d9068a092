"""Graded replies on disk: what was known comes back, what was not stays unknown, and what cannot be is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wager.errors import DataError, OutputError
from wager.steering.samples import Condition, Sample, check_once, read_about, read_samples, write_samples

FULL = Sample(
    condition=Condition(kind="random", dose=-0.5, gated=True, random=3, seed=2),
    question="Wo liegt Ölsenau?\n<b>“?”</b>",
    group="unknown",
    reply="Ich weiß es nicht. 不知道",
    subject="Ölsenau",
    phrasing="where",
    sample=1,
    hedged=True,
    correct=False,
    confidence=0.25,
    nll=1.5,
    repeated=0.125,
    broken=False,
    fired=True,
)
BARE = Sample(condition=Condition(kind="none"), question="What is the capital of France?", group="known", reply="")


def test_samples_come_back_as_they_were_and_unknown_stays_unknown(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    write_samples(path, [FULL, BARE], about={"model": "embedded", "seeds": [0, 1, 2]})
    assert read_samples(path) == [FULL, BARE]
    again = read_samples(path)[1]
    assert [again.hedged, again.correct, again.confidence, again.nll, again.repeated, again.broken, again.fired] == [None] * 7
    assert read_about(path) == {"model": "embedded", "seeds": [0, 1, 2]}


def test_no_samples_are_a_file_too(tmp_path: Path) -> None:
    write_samples(tmp_path / "s.parquet", [])
    assert read_samples(tmp_path / "s.parquet") == []


def test_half_a_surrogate_pair_can_be_written(tmp_path: Path) -> None:
    write_samples(tmp_path / "s.parquet", [replace(BARE, reply="a\ud83d")])
    assert read_samples(tmp_path / "s.parquet")[0].reply == "a?"


def test_what_is_done_is_known_by_condition_question_and_number(tmp_path: Path) -> None:
    write_samples(tmp_path / "s.parquet", [FULL])
    there = {one.key for one in read_samples(tmp_path / "s.parquet")}
    assert replace(FULL, reply="another", hedged=None).key in there
    for other in (
        replace(FULL, sample=2),
        replace(FULL, question="?"),
        replace(FULL, group="known"),
        *(
            replace(FULL, condition=replace(FULL.condition, **change))
            for change in ({"seed": 0}, {"random": 1}, {"dose": 0.5}, {"gated": False})
        ),  # type: ignore[arg-type]
    ):
        assert other.key not in there
    check_once([FULL, replace(FULL, sample=2), BARE])
    with pytest.raises(DataError, match=r"sample 1 of .* is there twice"):
        check_once([FULL, BARE, replace(FULL, reply="another")])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "magic"}, "no kind of condition named 'magic'"),
        ({"dose": float("nan")}, "a dose is a finite number"),
        ({"kind": "none", "random": None}, "has dose 0 and no gate"),
        ({"random": None}, "the number of the random vector"),
        ({"kind": "vector"}, "the number of the random vector"),
    ],
)
def test_a_condition_that_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        replace(FULL.condition, **change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"group": "odd"}, "no group of questions named 'odd'"),
        ({"confidence": 1.2}, "confidence lies in"),
        ({"confidence": float("nan")}, "confidence lies in"),
        ({"repeated": -0.1}, "repeated lies in"),
        ({"nll": float("inf")}, "nll is a finite number"),
        ({"nll": -1.0}, "nll is a finite number"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        replace(FULL, **change)


def test_a_file_that_holds_something_else_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    with pytest.raises(DataError, match="no file at"):
        read_samples(path)
    path.write_bytes(b"not Parquet")
    with pytest.raises(DataError, match="cannot be read as samples"):
        read_samples(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(DataError, match="it says no version"):
        read_samples(path)
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"wager": '{"schema": 1}'}), path)
    with pytest.raises(DataError, match="lacks the column 'kind'"):
        read_samples(path)
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"wager": '{"schema": 2}'}), path)
    with pytest.raises(DataError, match="version 2, this wager reads up to 1; update wager"):
        read_about(path)
    for name, value in (("kind", "magic"), ("confidence", 7.0), ("question", None), ("dose", "much")):
        write_samples(path, [FULL])
        with pytest.raises(DataError, match="a sample that cannot be"):
            read_samples(_column(path, name, value))


def _column(path: Path, name: str, value: Any) -> Path:
    table = pq.read_table(path)
    place = table.schema.get_field_index(name)
    made = table.set_column(place, name, pa.array([value], type=pa.float64() if isinstance(value, float) else pa.string()))
    pq.write_table(made.replace_schema_metadata(table.schema.metadata), path)
    return path


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_samples(tmp_path / "absent" / "s.parquet", [FULL])
