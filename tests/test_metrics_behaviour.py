"""Behavioural calibration on arrays: cells by hand, how often a good model is accused, order of answers."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from statsmodels.stats.multitest import multipletests

from wager.metrics.behaviour import Acts, check_cells, obedience, order_breaks, slope
from wager.metrics.results import Cell


def acts(text: str) -> Acts:
    """One letter a series: C correct, X incorrect, h half right, - abstained, ? no verdict."""
    letters = list(text)
    credit = np.array([{"C": 1.0, "X": 0.0, "h": 0.5}.get(one, np.nan) for one in letters])
    return Acts(~np.isnan(credit), np.array([one == "-" for one in letters]), credit)


def of_kind(cells: Sequence[Cell], kind: str) -> list[Cell]:
    return [cell for cell in cells if cell.kind == kind]


def test_cells_by_hand() -> None:
    told = {0.0: acts("CCXXC?"), 0.5: acts("CC-X-C"), 0.9: acts("C---?-")}
    cells = check_cells(told, told[0.0].credit, np.arange(6))
    answered = [(c.target, c.accuracy.value, c.accuracy.n, c.accuracy.n_excluded) for c in of_kind(cells, "answered")]
    assert answered == [(0.0, 0.6, 5, 1), (0.5, pytest.approx(3 / 4), 4, 0), (0.9, 1.0, 1, 1)]
    between = [(c.low, c.high, c.accuracy.value, c.accuracy.n, c.accuracy.n_excluded) for c in of_kind(cells, "between")]
    assert between == [(0.0, 0.5, 0.5, 2, 0), (0.5, 0.9, pytest.approx(2 / 3), 3, 0)]
    abstained = [(c.target, c.high, c.accuracy.value, c.accuracy.n, c.accuracy.n_excluded) for c in of_kind(cells, "abstained")]
    assert abstained == [(0.5, 0.5, 0.5, 2, 0), (0.9, 0.9, pytest.approx(1 / 3), 3, 2)]
    assert all(cell.holds for cell in cells)


def test_what_has_no_verdict_is_left_out_of_each_cell_it_might_belong_to() -> None:
    told = {0.5: acts("CX??-"), 0.9: acts("-?-?C")}
    (between,) = of_kind(check_cells(told, None, np.arange(5)), "between")
    assert (between.accuracy.n, between.accuracy.n_excluded) == (1, 3)
    assert all(cell.accuracy.value is None for cell in of_kind(check_cells(told, None, np.arange(5)), "abstained"))


def test_intervals_and_verdicts_equal_the_exact_binomial_test() -> None:
    """60 of 100 right where 75 are wanted; Holm over the answered cells of both targets, as statsmodels does it."""
    told = {0.5: acts("C" * 43 + "X" * 57), 0.75: acts("C" * 60 + "X" * 40)}
    low, high = of_kind(check_cells(told, None, np.arange(100)), "answered")
    exact = binomtest(60, 100, 0.75, alternative="less")
    both = binomtest(60, 100).proportion_ci(method="exact")
    assert (high.accuracy.low, high.accuracy.high) == (pytest.approx(both.low), pytest.approx(both.high))
    p = [binomtest(43, 100, 0.5, alternative="less").pvalue, exact.pvalue]
    rejected = multipletests(p, alpha=0.05, method="holm")[0]
    assert [cell.holds is False for cell in (low, high)] == rejected.tolist() == [False, True]
    assert low.holds is None


@pytest.mark.parametrize(("one", "other"), [(41, 67), (40, 60), (41, 60), (38, 66), (30, 50)])
def test_cells_of_one_kind_are_judged_together(one: int, other: int) -> None:
    told = {0.5: acts("C" * one + "X" * (100 - one)), 0.75: acts("C" * other + "X" * (100 - other))}
    p = [binomtest(one, 100, 0.5, alternative="less").pvalue, binomtest(other, 100, 0.75, alternative="less").pvalue]
    cells = of_kind(check_cells(told, None, np.arange(100)), "answered")
    assert [cell.holds is False for cell in cells] == multipletests(p, alpha=0.05, method="holm")[0].tolist()


@pytest.mark.parametrize(("n", "t"), [(29, 0.5), (60, 0.75), (100, 0.9)])
def test_a_model_that_is_just_good_enough_is_rarely_accused(n: int, t: float) -> None:
    """Summed exactly over all results that such a model can have."""
    accused = 0.0
    for right in range(n + 1):
        (cell,) = of_kind(check_cells({t: acts("C" * right + "X" * (n - right))}, None, np.arange(n)), "answered")
        accused += float(binom.pmf(right, n, t)) * (cell.holds is False)
    assert 0.01 < accused <= 0.05


@pytest.mark.parametrize("truth", [0.5, 0.51, 0.52])
def test_a_narrow_range_is_not_missed_more_often_for_having_two_sides(truth: float) -> None:
    n, accused = 80, 0.0
    for right in range(n + 1):
        told = {0.5: acts("C" * right + "X" * (n - right)), 0.52: acts("-" * n)}
        (cell,) = of_kind(check_cells(told, None, np.arange(n)), "between")
        accused += float(binom.pmf(right, n, truth)) * (cell.holds is False)
    assert accused <= 0.05


def test_samples_of_one_item_are_not_so_much_evidence() -> None:
    told = {0.9: acts("C" * 60 + "X" * 40)}
    (alone,) = of_kind(check_cells(told, None, np.arange(100)), "answered")
    (shared,) = of_kind(check_cells(told, None, np.arange(100) % 5), "answered")
    assert (alone.holds, shared.holds) == (False, None)
    assert (alone.accuracy.value, alone.accuracy.n) == (shared.accuracy.value, shared.accuracy.n)


def test_a_fractional_count_is_rounded_in_favour_of_the_model() -> None:
    """2.5 of 5 against 0.9: 3 right has probability 0.081, 2 right 0.0086."""
    (cell,) = of_kind(check_cells({0.9: acts("CCXXh")}, None, np.arange(5)), "answered")
    assert cell.accuracy.value == 0.5
    assert cell.holds is None


def test_order_breaks_by_hand() -> None:
    """The first and third series answer after abstaining; the last two have one verdict each and cannot tell."""
    told = {0.0: acts("CC-?-"), 0.5: acts("-C-C?"), 0.9: acts("C-X??")}
    found = order_breaks(told, np.arange(5))
    assert (found.value, found.n, found.n_excluded) == (pytest.approx(2 / 3), 3, 2)


def test_a_model_that_acts_on_its_confidence_is_obedient_and_has_slope_one() -> None:
    sure = np.linspace(0.005, 0.995, 100)
    told = {t: Acts(sure > t, sure <= t, np.where(sure > t, 1.0, np.nan)) for t in (0.25, 0.5, 0.75)}
    found = obedience(told, "stated", sure, np.arange(100))
    assert [one.agreement.value for one in found] == [1.0, 1.0, 1.0]
    assert [one.implied_threshold for one in found] == pytest.approx([0.25, 0.5, 0.75], abs=0.01)
    assert slope(found) == pytest.approx(1.0, abs=0.02)


def test_a_model_that_ignores_the_target_has_slope_zero() -> None:
    sure = np.linspace(0.005, 0.995, 100)
    told = {t: Acts(sure > 0.3, sure <= 0.3, np.where(sure > 0.3, 1.0, np.nan)) for t in (0.25, 0.5, 0.75)}
    found = obedience(told, "stated", sure, np.arange(100))
    assert slope(found) == pytest.approx(0.0)
    assert [one.over_answers.value for one in found] == pytest.approx([0.0, 0.2, 0.45])
    assert [one.over_abstains.value for one in found] == pytest.approx([0.05, 0.0, 0.0])


def test_obedience_leaves_out_what_has_no_verdict_or_no_confidence() -> None:
    (one,) = obedience({0.5: acts("C-X?C")}, "stated", np.array([0.9, 0.2, 0.4, 0.9, np.nan]), np.arange(5))
    assert (one.agreement.value, one.agreement.n, one.agreement.n_excluded) == (pytest.approx(2 / 3), 3, 2)
    assert one.over_answers.value == pytest.approx(1 / 3)


@pytest.mark.parametrize(("text", "implied"), [("CCC", 0.0), ("---", 1.0), ("???", None)])
def test_implied_thresholds_at_the_ends(text: str, implied: float | None) -> None:
    (one,) = obedience({0.5: acts(text)}, "stated", np.array([0.2, 0.5, 0.8]), np.arange(3))
    assert one.implied_threshold == implied
