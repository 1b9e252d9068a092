"""Comparing answers: the case list is data, one line per trap."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wager.errors import UnknownNameError
from wager.grading.matching import choice_in, comparisons, find_answer, matches, normalise, number_in, options_in

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "matching.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['comparison']}: {case['reply'][:40]!r} for {case['accepted'][0]!r}")
def test_a_reply_matches_the_accepted_answers_as_a_reader_would_say(case: dict[str, object]) -> None:
    assert matches(str(case["reply"]), list(case["accepted"]), str(case["comparison"])) is case["same"]  # type: ignore[call-overload]


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text)
    assert normalise(once) in (once, normalise(once.removeprefix("the ")))


@given(st.text(alphabet="abcdeé N'.,-", min_size=1, max_size=20))
def test_an_answer_that_says_anything_matches_itself(text: str) -> None:
    assert matches(text, [text]) is bool(normalise(text))


@given(st.integers(-(10**9), 10**9))
def test_a_number_is_read_back_with_and_without_separators(number: int) -> None:
    assert number_in(f"It is {number:,}.") == number_in(f"It is {number}.") == Decimal(number)


@given(st.text(max_size=200), st.text(max_size=20))
def test_any_text_can_be_compared_without_an_error(reply: str, accepted: str) -> None:
    assert {matches(reply, [accepted], name) for name in comparisons} <= {True, False}


def test_where_an_answer_stands_is_given_in_the_reply_as_written() -> None:
    reply = "Well: it's N’DJAMÉNA (in Chad)."
    span = find_answer(reply, ["N'Djamena"])
    assert span is not None
    assert "N’DJAMÉNA" in reply[slice(*span)]


def test_an_option_named_by_its_text_is_its_letter_unless_two_are_named() -> None:
    options = options_in("When was it?\nOptions:\n(A) 12/11/1937\n(B) 12/25/1937\n(C) Ambiguous")
    assert options == {"A": "12/11/1937", "B": "12/25/1937", "C": "Ambiguous"}
    assert choice_in("It was 12/25/1937.", options) == "B"
    assert choice_in("12/11/1937, and 12/25/1937 as well", options) is None


def test_a_reply_that_was_cut_off_gives_a_number_only_where_it_marks_one() -> None:
    assert number_in("16 - 3 = 13, and 13 eggs at", marked=True) is None
    assert number_in("The answer is 26. This follows since 13", marked=True) == 26


def test_the_exact_normalisation_takes_off_white_space_only() -> None:
    assert normalise(" The N’Djaména.\n", "exact") == "The N’Djaména."


def test_an_unknown_comparison_or_normalisation_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="no comparison named 'numerc'; did you mean 'numeric'"):
        matches("1", ["1"], "numerc")
    with pytest.raises(UnknownNameError, match="no normalisation named 'squad'"):
        normalise("x", "squad")
