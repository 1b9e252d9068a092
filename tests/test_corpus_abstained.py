"""Which answers of a corpus say "I don't know": the detector's own verdict, found through a cue that every engine reads alike."""

import csv
import json
import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wager.corpus.abstained import CUES, PLAIN, abstaining, abstains
from wager.corpus.words import words, words_of
from wager.grading.abstention import find_abstention

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "abstention.jsonl").read_text(encoding="utf-8").splitlines()]
REPLIES = [case["reply"] for case in CASES]


def detected(replies: list[str]) -> list[bool]:
    return [find_abstention(reply) is not None for reply in replies]


def differing(replies: list[str]) -> list[str]:
    return [reply for reply, said in zip(replies, detected(replies), strict=True) if abstains(reply) != said]


def column(replies: list[str]) -> list[bool]:
    texts = pa.array(replies, pa.string())
    return abstaining(texts, words_of(texts)).to_pylist()


def completions(data: Path) -> list[str]:
    """Real replies of several models: reasoning with an answer, refusals, and full answers."""
    found = pq.read_table(data / "rlcr" / "commonsenseqa.parquet", columns=["completion"])["completion"].to_pylist()
    for name in ("completions_gpt4.csv", "completions_llama2orig.csv"):
        with (data / "xstest" / name).open(encoding="utf-8", newline="") as file:
            found += [row["completion"] for row in csv.DictReader(file)]
    return found


def test_every_labelled_case_has_the_verdict_of_the_detector() -> None:
    assert len(REPLIES) > 300
    assert differing(REPLIES) == []


def test_real_replies_have_the_verdict_of_the_detector(data: Path) -> None:
    replies = list(dict.fromkeys(completions(data)))
    assert len(replies) > 1000
    assert differing(replies) == []


@pytest.mark.parametrize(
    ("answer", "says_nothing"),
    [
        ("I don't know.", True),
        ("i dont know", True),
        ("I’m not sure.", True),
        ("No sé.", True),
        ("我不知道。", True),
        ("Unknown", True),
        ("Paris", False),
        ("I don't know for sure, but it's Paris.", False),
        ("It is not known as Byzantium any more; the answer is Istanbul.", False),
        ("Nobody", False),
        ("", False),
        ("   ", False),
        ("+", False),
    ],
)
def test_an_answer_abstains_if_it_says_nothing_else(answer: str, says_nothing: bool) -> None:
    assert abstains(answer) is says_nothing


def test_a_column_has_the_verdict_of_each_answer() -> None:
    assert column(REPLIES) == [abstains(reply) for reply in REPLIES]
    assert 50 < sum(column(REPLIES)) < len(REPLIES) - 50


@given(st.lists(st.sampled_from(REPLIES) | st.text(max_size=30), max_size=8))
def test_a_column_has_the_verdict_of_each_answer_in_any_order(replies: list[str]) -> None:
    assert column(replies) == [abstains(reply) for reply in replies]


def test_a_null_does_not_abstain() -> None:
    texts = pa.array([None, "I don't know", None], pa.string())
    assert abstaining(texts, words_of(texts)).to_pylist() == [False, True, False]


@pytest.mark.parametrize("expression", [CUES, PLAIN])
def test_an_expression_finds_the_same_in_every_engine(data: Path, expression: str) -> None:
    keys = [words(reply) for reply in [*REPLIES, *completions(data)[::10]]]
    in_python = [re.search(expression, key) is not None for key in keys]
    assert pc.match_substring_regex(pa.array(keys), expression).to_pylist() == in_python
    assert pl.Series(keys).str.contains(expression).to_list() == in_python
    assert 30 < sum(in_python) < len(keys) - 30


def test_the_rule_of_printed_queries_finds_nothing_that_is_no_abstention() -> None:
    wrong = [reply for reply in REPLIES if re.search(PLAIN, words(reply)) and not abstains(reply)]
    assert wrong == []
