import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wager import ConfidenceTarget
from wager.errors import TargetError
from wager.targets import BEST_GUESS, CONFIDENCE_REQUEST, OVERRIDE, targets_from


@pytest.mark.parametrize(("t", "penalty"), [(0, 0), (0.5, 1), (0.75, 3), (0.9, 9), (0.8, 4), (0.99, 99)])
def test_penalty_is_exact_for_the_decimal_that_was_written(t: float, penalty: float) -> None:
    assert ConfidenceTarget(t).penalty == penalty


def test_the_sentence_is_the_published_one_character_by_character() -> None:
    assert ConfidenceTarget(0.75).instruction() == (
        "Answer only if you are > 0.75 confident, since mistakes are penalized 3 points, while correct answers receive 1 point, "
        'and an answer of "I don\'t know" receives 0 points.'
    )


def test_at_zero_the_best_guess_is_asked_for_and_no_abstention_is_offered() -> None:
    assert ConfidenceTarget(0).instruction(override=True) == BEST_GUESS
    assert ConfidenceTarget(-0.0) == ConfidenceTarget(0)
    assert str(ConfidenceTarget(-0.0)) == "0"


def test_override_and_confidence_request_follow_the_sentence() -> None:
    text = ConfidenceTarget(0.5).instruction(override=True, ask_confidence=True)
    assert text.startswith(ConfidenceTarget(0.5).instruction())
    assert text.endswith(f"{OVERRIDE} {CONFIDENCE_REQUEST}")


@pytest.mark.parametrize("bad", [1, 1.5, -0.1, math.nan, math.inf, "half", None])
def test_a_target_outside_the_half_open_interval_is_refused_with_what_is_allowed(bad: object) -> None:
    with pytest.raises(TargetError, match=r"\[0, 1\)"):
        ConfidenceTarget(bad)  # type: ignore[arg-type]


def test_a_percentage_gets_a_hint() -> None:
    with pytest.raises(TargetError, match=r"75 percent is written 0\.75"):
        ConfidenceTarget(75)


def test_targets_are_sorted_and_duplicates_are_refused() -> None:
    assert [target.t for target in targets_from([0.9, 0, 0.5])] == [0, 0.5, 0.9]
    with pytest.raises(TargetError, match=r"0\.5 is given twice"):
        targets_from([0.5, 0.5])
    with pytest.raises(TargetError, match="no confidence target"):
        targets_from([])


@given(st.floats(0, 0.999))
def test_penalty_makes_answering_worth_nothing_at_probability_t(t: float) -> None:
    penalty = ConfidenceTarget(t).penalty
    assert t - (1 - t) * penalty == pytest.approx(0, abs=1e-9)
