import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wager import payoff
from wager.errors import DataError, TargetError


def test_points_of_right_wrong_and_abstained_answers() -> None:
    assert payoff([1, 0, 0], [True, True, False], 0.75).tolist() == [1, -3, 0]
    assert payoff([1, 0, 0], [True, True, False], 0).tolist() == [1, 0, 0]


def test_partial_credit_lies_on_the_line_between_right_and_wrong() -> None:
    assert payoff([0.25], [True], 0.5)[0] == pytest.approx((0.25 - 0.5) / 0.5)
    assert payoff([0.9], [True], 0.9)[0] == pytest.approx(0)


def test_credit_of_an_abstention_is_ignored_even_when_it_is_nan() -> None:
    assert payoff([np.nan, 1], [False, True], 0.9).tolist() == [0, 1]


def test_a_credit_that_is_not_a_number_is_refused_not_counted() -> None:
    with pytest.raises(DataError, match="leave ungraded answers out"):
        payoff([np.nan], [True], 0.5)
    with pytest.raises(DataError, match="shape"):
        payoff([1.0], [True, False], 0.5)
    with pytest.raises(TargetError):
        payoff([1.0], [True], 1.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=20), st.floats(0, 0.98), st.floats(0, 0.98))
def test_points_never_rise_with_the_target(rows: list[tuple[float, bool]], one: float, other: float) -> None:
    credit, answered = [row[0] for row in rows], [row[1] for row in rows]
    low, high = sorted((one, other))
    assert np.all(payoff(credit, answered, low) >= payoff(credit, answered, high) - 1e-9)


@given(st.floats(0, 1), st.floats(0.01, 0.98))
def test_answering_pays_on_average_exactly_above_the_target(p: float, t: float) -> None:
    right, wrong = payoff([1, 0], [True, True], t)
    assert (p * right + (1 - p) * wrong > 1e-9) == (p > t + 1e-9 * (1 - t)) or p == pytest.approx(t, abs=1e-6)
