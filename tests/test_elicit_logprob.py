"""The joint probability of the tokens that spell an answer."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wager.elicit.logprob import answer_probability


def test_only_the_tokens_of_the_answer_count() -> None:
    found = answer_probability(
        ["The", " capital", " is", " Ad", "dis", " Ab", "aba", "."], [-1, -2, -3, -0.5, -0.25, -0.125, -0.0625, -4], "Addis Ababa"
    )
    assert found is not None
    assert found.n_tokens == 4
    assert found.joint == pytest.approx(math.exp(-0.9375))
    assert found.mean_logprob == pytest.approx(-0.9375 / 4)
    assert (found.start, found.end) == (15, 26)


def test_a_token_that_overlaps_the_answer_counts_whole() -> None:
    found = answer_probability(["It is", " Li", "ma.\n"], [-1, -0.5, -0.25], "Lima")
    assert found is not None
    assert (found.n_tokens, found.mean_logprob) == (2, -0.375)


def test_the_last_occurrence_as_a_whole_word_is_taken() -> None:
    found = answer_probability(["Lima", "? ", "Limassol", "? ", "Lima", "."], [-1, -1, -1, -1, -0.5, -1], "Lima")
    assert found is not None
    assert found.joint == pytest.approx(math.exp(-0.5))


@pytest.mark.parametrize("marker", ["ANSWER: ", "Answer: ", "The answer is ", "**ANSWER:** ("])
def test_a_letter_after_the_marker_outranks_a_later_word(marker: str) -> None:
    found = answer_probability(["A", " guess. ", marker, "A", "\nA neon light is lighter."], [-9, -9, -9, -0.25, -9], "A")
    assert found is not None
    assert found.joint == pytest.approx(math.exp(-0.25))


def test_case_is_respected_first_and_ignored_then() -> None:
    tokens, logprobs = ["yes", " Yes", " YES"], [-1.0, -2.0, -3.0]
    by_answer = {answer: answer_probability(tokens, logprobs, answer) for answer in ("yes", "Yes", "yEs")}
    assert {answer: found and found.mean_logprob for answer, found in by_answer.items()} == {"yes": -1, "Yes": -2, "yEs": -3}


@pytest.mark.parametrize(
    ("text", "answer"),
    [("It is 0.5 or 42.5 or 3,5.", "5"), ("I'm not sure", "I"), ("don't", "t"), ("Limassol", "Lima"), ("Lima", ""), ("", "Lima")],
)
def test_a_part_of_a_word_or_number_is_not_the_answer(text: str, answer: str) -> None:
    assert answer_probability([text], [-0.5], answer) is None


@pytest.mark.parametrize("missing", [None, math.nan, -math.inf])
def test_a_missing_log_probability_matters_only_inside_the_answer(missing: float | None) -> None:
    assert answer_probability(["It is ", "Lima"], [-1, missing], "Lima") is None
    found = answer_probability(["It is ", "Lima"], [missing, -1], "Lima")
    assert found is not None
    assert found.joint == pytest.approx(math.exp(-1))


def test_fewer_log_probabilities_than_tokens_are_missing_ones() -> None:
    assert answer_probability(["Lima", "."], [-1], "Lima") is not None
    assert answer_probability(["It is ", "Lima"], [-1], "Lima") is None


def test_byte_fragments_hide_only_the_answers_that_hold_them() -> None:
    tokens, logprobs = ["S", "\ufffd", "\ufffd", "o Paulo", ", not ", "Lima", "!"], [-1, -1, -1, -1, -1, -0.5, -1]
    assert answer_probability(tokens, logprobs, "São Paulo") is None
    found = answer_probability(tokens, logprobs, "Lima")
    assert found is not None
    assert found.joint == pytest.approx(math.exp(-0.5))


@given(st.lists(st.tuples(st.text(min_size=1, max_size=4), st.floats(-30, 0.001)), max_size=20), st.text(min_size=1, max_size=5))
def test_the_joint_probability_is_a_probability_and_at_most_that_of_any_token(pairs: list[tuple[str, float]], answer: str) -> None:
    found = answer_probability([token for token, _ in pairs], [value for _, value in pairs], answer)
    if found is not None:
        assert 0 <= found.joint <= math.exp(found.mean_logprob) + 1e-12 <= 1 + 1e-12
        assert "".join(token for token, _ in pairs)[found.start : found.end].casefold() == answer.strip().casefold()
