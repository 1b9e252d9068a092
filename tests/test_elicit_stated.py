"""A confidence written as a number: what is read, what is refused, and what is taken off the reply."""

import json
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import absent
from wager.elicit.stated import stated_confidence, strip_stated

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "stated.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["reply"][-40:])
def test_the_statement_is_read_and_taken_off(case: dict) -> None:
    stated = stated_confidence(case["reply"])
    assert stated.value == (None if case["value"] is None else pytest.approx(case["value"], abs=1e-12))
    assert stated.problem == case["problem"]
    assert strip_stated(case["reply"]) == case["stripped"]


def test_the_span_is_that_of_the_last_statement() -> None:
    reply = "Confidence: 0.8\nLima\nConfidence: 0.80"
    stated = stated_confidence(reply)
    assert stated.start is not None
    assert reply[stated.start : stated.end] == "Confidence: 0.80"
    assert stated_confidence("Lima").start is None


@given(st.text(max_size=200))
def test_any_text_has_a_value_in_the_unit_interval_or_a_named_problem(reply: str) -> None:
    stated = stated_confidence(reply)
    assert (stated.value is None) == (stated.problem is not None)
    assert stated.value is None or 0 <= stated.value <= 1


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), max_size=40), st.integers(0, 100))
def test_a_closing_line_is_read_and_removed_whatever_stands_before_it(answer: str, percent: int) -> None:
    for line in (f"CONFIDENCE: {percent / 100}", f"**Confidence:** {percent}%", f"Confidence: {percent} / 100"):
        reply = f"{answer}\n{line}"
        if stated_confidence(answer).problem == "absent":
            assert stated_confidence(reply).value == pytest.approx(percent / 100)
            assert strip_stated(reply) == answer


@pytest.mark.parametrize(
    "unit", ["CONFIDENCE: ", "CONFIDENCE: 0.5\n", "confidence ", "*", " ", "my ", "(", "<confidence>", "Confidence: 1,", ". confidence: 1"]
)
def test_a_megabyte_of_anything_is_read_in_seconds(unit: str) -> None:
    reply = unit * (1_000_000 // len(unit))
    began = time.process_time()
    stated_confidence(reply)
    assert time.process_time() - began < 2


def test_recorded_confidences_of_a_published_study_are_reproduced(data: Path) -> None:
    path = data / "rlcr" / "commonsenseqa.parquet"
    if not path.exists():
        absent(str(path))
    read = [(stated_confidence(row["completion"]), row["confidence"]) for row in pq.read_table(path).to_pylist()]
    stated = [(one.value, recorded) for one, recorded in read if one.problem != "absent"]
    assert len(stated) > 4500
    assert all(value == pytest.approx(recorded, abs=1e-6) for value, recorded in stated)
