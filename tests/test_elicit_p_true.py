"""P(True): one token decides, all spellings summed."""

import math

import pytest

from wager.elicit.evidence import Token
from wager.elicit.p_true import follow_up, p_true, request


def token(text: str, **probabilities: float) -> Token:
    top = tuple((name.replace("_", " "), math.log(value)) for name, value in probabilities.items())
    return Token(text, dict(top).get(text), top)


def test_every_spelling_counts():
    found = p_true(
        [Token("A", math.log(0.3), (("A", math.log(0.3)), (" (A", math.log(0.2)), ("true", math.log(0.1)), ("B", math.log(0.2))))]
    )
    assert found.value == pytest.approx(0.75)
    assert found.mass == pytest.approx(0.8)
    assert found.place == 0


def test_the_chosen_token_counts_once_where_it_is_in_the_list_and_too_where_it_is_not():
    listed = p_true([Token("A", math.log(0.6), (("A", math.log(0.6)), ("B", math.log(0.2))))])
    unlisted = p_true([Token("A", math.log(0.6), (("B", math.log(0.2)),))])
    assert listed.value == unlisted.value == pytest.approx(0.75)


def test_a_reply_that_decides_late_is_read_where_it_decides():
    words = [token("The", The=0.99, A=0.005), token(" answer", _answer=0.99), token("(", A=0.001), token("B", A=0.1, B=0.8)]
    found = p_true(words)
    assert found.place == 3
    assert found.value == pytest.approx(0.1 / 0.9)


def test_where_nothing_decides_the_place_with_most_mass_is_read():
    found = p_true([token("The", The=0.9, A=0.02, B=0.01), token("cat", cat=0.9, B=0.02)])
    assert found.place == 0
    assert found.value == pytest.approx(2 / 3)


def test_a_reply_that_takes_no_choice_is_unknown():
    found = p_true([token("I", I=0.9), token("think", think=0.9)])
    assert (found.value, found.problem) == (None, "neither true nor false")


def test_without_log_probabilities_it_is_unknown():
    for tokens in ([], [Token("A", None)], [Token("A", math.nan)]):
        assert p_true(tokens).problem == "no log-probabilities"


def test_words_that_begin_like_a_choice_do_not_count():
    assert p_true([token("Apple", Apple=0.5, Basel=0.4, Truely=0.05)]).value is None


def test_the_request_is_that_of_the_paper_and_the_follow_up_repeats_no_question():
    assert request("Q?", "Lima").splitlines() == [
        "Question: Q?",
        "Possible answer: Lima",
        "Is the possible answer:",
        " (A) True",
        " (B) False",
        "The possible answer is:",
    ]
    assert "Q?" not in follow_up("Lima")
    assert follow_up("Lima", ["Lima", "Cusco"]).startswith("Here are some brainstormed ideas: Lima\nCusco\nPossible answer: Lima")
