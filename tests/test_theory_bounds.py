"""The statements as formulas: by hand, at non-degenerate points, with the paper's slips left out and every bad input refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wager.theory
from wager import ConfidenceTarget
from wager.errors import DataError
from wager.theory import (
    corollary_1,
    corollary_2,
    distribution_free_interval,
    esty_interval,
    good_turing,
    lemma_1,
    lemma_2,
    observation_1,
    observation_2,
    poor_models,
    theorem_1,
    theorem_2,
    theorem_2_upper,
    theorem_3,
    theorem_4,
)

near = pytest.approx


def test_every_statement_has_its_function() -> None:
    for name in (
        "corollary_1",
        "corollary_2",
        "observation_1",
        "observation_2",
        "lemma_1",
        "lemma_2",
        *(f"theorem_{i}" for i in range(1, 5)),
    ):
        assert name in wager.theory.__all__
        assert "Assumes" in getattr(wager.theory, name).__doc__
        assert "Source" in getattr(wager.theory, name).__doc__


def test_theorem_1_is_twice_the_misclassification_less_guessing_and_delta() -> None:
    assert theorem_1(0.45, 2, 364, 0.1) == near(0.9 - 2 / 364 - 0.1)
    assert corollary_1(0.4, 3, 12, 0.02) == near(0.8 - 0.25 - 0.02)
    assert poor_models(0.3, 2, 40, 0.05) == near(0.6 - 0.05 - 0.05)


def test_theorem_2_by_hand_with_all_its_terms() -> None:
    bound = theorem_2(300_000, 1_000_000, fewest_errors=364, delta=0.02)
    sampling = (35 + 6 * math.log(1e6)) / 1000
    assert [term.value for term in bound.terms] == near([0.3, -2 / 364, -sampling, -0.02])
    assert bound.value == near(0.3 - 2 / 364 - sampling - 0.02)
    assert bound.value == near(0.1566120, abs=1e-6)
    assert (bound.side, bound.confidence, bound.vacuous, bound.not_vacuous_from) == ("lower", 0.99, False, None)


def test_the_rate_divides_by_all_samples_so_idk_samples_lower_it() -> None:
    assert theorem_2(300, 2000, fewest_errors=None).terms[0].value == near(0.15)


def test_at_other_confidences_the_general_constant_is_used() -> None:
    at_five = theorem_2(300_000, 1_000_000, fewest_errors=364, gamma=0.05)
    assert at_five.terms[2].value == near(-6 * math.log(3e6 / 0.05) / 1000)
    assert at_five.confidence == near(0.95)


def test_the_printed_constants_are_the_general_ones_rounded_up() -> None:
    n = 1_000_000
    printed, general = (theorem_2(n / 2, n, fewest_errors=None, gamma=g).terms[2].value for g in (0.01, 0.01 + 1e-12))
    assert printed < general < printed + 0.001
    upper, tight = (theorem_2_upper(n / 2, n, most_errors=None, gamma=g).terms[2].value for g in (0.01, 0.01 + 1e-12))
    assert tight < upper < tight + 0.001


@pytest.mark.parametrize(("size", "empty"), [(7_892, True), (7_893, False)])
def test_theorem_2_is_vacuous_below_7893_samples_even_if_every_fact_occurs_once(size: int, empty: bool) -> None:
    assert theorem_2(size, size, fewest_errors=None).vacuous is empty


@pytest.mark.parametrize(("level", "size"), [(0.5, 3.9e4), (0.2, 3.1e5), (0.1, 1.44e6), (0.05, 6.7e6), (0.01, 2.3e8)])
def test_the_sampling_term_falls_as_the_fact_sheet_says(level: float, size: float) -> None:
    found = theorem_2(level * 100, 100, fewest_errors=None).not_vacuous_from
    assert found == near(size, rel=0.02)


@given(st.floats(0.001, 1), st.integers(2, 1000), st.floats(0, 0.2), st.sampled_from([0.01, 0.05, 0.5]))
def test_not_vacuous_from_is_the_first_size_that_is_not(rate: float, errors: int, delta: float, gamma: float) -> None:
    small = theorem_2(rate * 50, 50, fewest_errors=errors, delta=delta, gamma=gamma)
    assert small.vacuous
    first = small.not_vacuous_from
    if rate - 2 / errors - delta <= 0:
        assert first is None
    else:
        assert first is not None
        assert theorem_2(rate * 50 / 50 * first, first, fewest_errors=errors, delta=delta, gamma=gamma).value > -1e-12
        assert theorem_2(rate * (first - 1), first - 1, fewest_errors=errors, delta=delta, gamma=gamma).value <= 1e-12


def test_what_was_not_stated_is_none_and_left_out_and_said() -> None:
    lower, upper = theorem_2(300_000, 10**6, fewest_errors=None), theorem_2_upper(300_000, 10**6, most_errors=None)
    assert lower.terms[1].value is None
    assert "not stated" in lower.terms[1].meaning
    assert any("2/min|E_c|" in one for one in lower.assumptions)
    assert lower.value == near(0.3 - (35 + 6 * math.log(1e6)) / 1000)
    assert upper.terms[1].value is None
    assert upper.value == near(0.313)


@pytest.mark.parametrize(("singletons", "n"), [(None, 1000), (0, 0), (None, 0)])
def test_an_unknown_rate_gives_an_unknown_bound(singletons: float | None, n: float) -> None:
    for bound in (theorem_2(singletons, n, fewest_errors=364), theorem_2_upper(singletons, n, most_errors=364)):
        assert (bound.value, bound.vacuous, bound.terms[0].value, bound.not_vacuous_from) == (None, None, None, None)


def test_the_upper_bound_by_hand() -> None:
    bound = theorem_2_upper(40_000, 100_000, most_errors=3)
    assert bound.value == near(0.4 - 0.1 + 13 / math.sqrt(1e5))
    assert (bound.side, bound.vacuous) == ("upper", False)
    assert theorem_2_upper(40_000, 100_000, most_errors=3, gamma=0.05).value == near(0.3 + 5 * math.sqrt(math.log(100) / 1e5))
    assert theorem_2_upper(90, 100, most_errors=3).vacuous is True


@given(st.floats(0, 1), st.integers(8000, 10**9), st.integers(1, 1000), st.sampled_from([0.001, 0.01, 0.1]))
def test_the_terms_add_up_and_the_lower_bound_is_below_the_upper_one(rate: float, n: int, errors: int, gamma: float) -> None:
    lower, upper = theorem_2(rate * n, n, fewest_errors=errors, gamma=gamma), theorem_2_upper(rate * n, n, most_errors=errors, gamma=gamma)
    for bound in (lower, upper):
        assert bound.value == near(sum(term.value for term in bound.terms))
    assert lower.value <= upper.value


def test_multiple_choice_by_hand() -> None:
    assert theorem_3(0.3, 4) == near(0.45)
    assert theorem_4(0.2, 5) == near(0.32)
    assert corollary_2() == 0.5


def test_hardness_by_hand() -> None:
    assert observation_2(0.1, 1001, 0.05) == near(0.9 - 0.002 - 0.05)


def test_missing_mass_by_hand() -> None:
    assert good_turing(3, 12) == 0.25
    low, high = esty_interval(300, 100, 1000)
    half = 1.959963984540054 * math.sqrt(300 * 0.7 + 200) / 1000
    assert (low, high) == near((0.3 - half, 0.3 + half))
    low, high = distribution_free_interval(30_000, 100_000, gamma=0.05)
    half = 1e-5 + 2.42 * math.sqrt(math.log(80) / 1e5)
    assert (low, high) == near((0.3 - half, 0.3 + half))
    half = 4.42 * math.sqrt(math.log(500) / 1e5)
    assert lemma_1(30_000, 100_000) == near((0.3 - half, 0.3 + half))
    assert lemma_2(30_000, 100_000, gamma=0.05) == near(0.3 - 6 * math.log(6e6) / math.sqrt(1e5))


def test_intervals_stay_within_0_and_1_and_esty_is_silent_where_it_does_not_hold() -> None:
    assert esty_interval(1, 0, 1000)[0] == 0.0
    assert esty_interval(999, 0, 1000)[1] == 1.0
    assert esty_interval(0, 0, 1000) is None
    assert esty_interval(1000, 0, 1000) is None
    assert distribution_free_interval(1, 2) == (0.0, 1.0)


def test_theorem_2_is_lemma_2_taken_through_theorem_1() -> None:
    by_lemma = theorem_1((lemma_2(300_000, 10**6, gamma=0.05)) / 2, 2, 364, 0.03)
    assert theorem_2(300_000, 10**6, fewest_errors=364, delta=0.03, gamma=0.05).value == near(by_lemma)


binary = st.integers(1, 6).flatmap(
    lambda graders: st.integers(2, 7).flatmap(
        lambda replies: st.tuples(
            st.lists(st.floats(0.01, 1), min_size=graders, max_size=graders),
            st.lists(st.lists(st.booleans(), min_size=replies, max_size=replies), min_size=graders, max_size=graders),
            st.lists(st.booleans(), min_size=replies, max_size=replies),
        )
    )
)


@given(binary)
def test_no_belief_over_binary_graders_makes_abstaining_a_best_reply(drawn) -> None:
    belief, grades, silent = np.array(drawn[0]), np.array(drawn[1]), np.array(drawn[2])
    silent[0] = False
    grades[:, silent] = False
    grades[~grades.any(axis=1), 0] = True
    found = observation_1(belief / belief.sum(), grades, silent)
    assert not silent[list(found.replies)].any()
    assert found.loss > 0
    assert found.expected == near(max(belief @ grades / belief.sum()))


def test_observation_1_by_hand_shares_ties() -> None:
    found = observation_1([0.4, 0.4, 0.2], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], [False, False, False, True])
    assert (found.replies, found.expected, found.loss) == ((0, 1), near(0.4), near(0.4))


@pytest.mark.parametrize(
    ("belief", "graders", "abstains"),
    [
        ([1.0], [[1, 0.5]], [False, True]),
        ([1.0], [[1, 1]], [False, True]),
        ([1.0], [[0, 0]], [False, True]),
        ([0.5], [[1, 0]], [False, True]),
        ([1.0], [[1, 0, 0]], [False, True]),
    ],
)
def test_observation_1_refuses_graders_that_are_not_binary(belief, graders, abstains) -> None:
    with pytest.raises(DataError):
        observation_1(belief, graders, abstains)


def test_the_slips_of_the_paper_are_not_ours() -> None:
    """Section 4.2 prints penalty 2 for t = 0.75 and reverses the inequality of the best behaviour."""
    target = ConfidenceTarget(0.75)
    assert target.penalty == near(3)
    expected = [p - (1 - p) * target.penalty for p in (0.74, 0.76)]
    assert expected[0] < 0 < expected[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda: theorem_1(1.2, 1, 3, 0.0),
        lambda: theorem_1(0.2, 0, 3, 0.0),
        lambda: theorem_1(0.2, 1, 0, 0.0),
        lambda: theorem_1(0.2, 1, 3, math.nan),
        lambda: theorem_2(11, 10, fewest_errors=3),
        lambda: theorem_2(-1, 10, fewest_errors=3),
        lambda: theorem_2(1, math.inf, fewest_errors=3),
        lambda: theorem_2(1, 10, fewest_errors=0),
        lambda: theorem_2(1, 10, fewest_errors=3, gamma=0.0),
        lambda: theorem_2_upper(1, 10, most_errors=0),
        lambda: theorem_3(0.6, 4),
        lambda: theorem_4(0.3, 1),
        lambda: observation_2(0.3, 1, 0.0),
        lambda: good_turing(3, 0),
        lambda: esty_interval(6, 3, 10),
        lambda: esty_interval(6, 1, 10, level=1.0),
        lambda: lemma_1(3, 10, gamma=1.0),
    ],
)
def test_values_out_of_range_are_refused_in_one_line(call) -> None:
    with pytest.raises(DataError) as raised:
        call()
    assert "\n" not in str(raised.value)
