"""Metrics of arrays: worked numbers, invariances, and independent packages as referees."""

import doctest
import importlib
import json
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from wager.errors import DataError
from wager.metrics.calibration import EqualMass, EqualWidth, OnePerValue, brier, ece, overconfidence, reliability, usual_binning
from wager.metrics.curves import GRID, acts_at, score_by_confidence, score_curve
from wager.metrics.discrimination import auroc
from wager.metrics.intervals import clopper_pearson, clustered_se, mean_estimate, paired_difference, rate_estimate, wilson
from wager.metrics.scores import always_answer, oracle, score_at
from wager.scoring import payoff

answers = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])), min_size=1, max_size=40)


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (3, 10), (10, 10), (77, 195)])
def test_rate_intervals_equal_statsmodels(hits: int, n: int) -> None:
    assert wilson(hits / n, n) == pytest.approx(proportion_confint(hits, n, method="wilson"))
    assert clopper_pearson(hits, n) == pytest.approx(proportion_confint(hits, n, method="beta"), nan_ok=False)


@pytest.mark.parametrize("n", range(1, 40))
def test_a_rate_of_none_or_all_touches_the_end_exactly(n: int) -> None:
    assert wilson(0.0, n)[0] == 0
    assert wilson(1.0, n)[1] == 1


def test_clustered_errors_equal_statsmodels() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import statsmodels.api as sm
    rng = np.random.default_rng(0)
    items = np.repeat(np.arange(30), 4)
    values = rng.normal(size=30)[items] + rng.normal(size=120)
    fit = sm.OLS(values, np.ones(120)).fit(cov_type="cluster", cov_kwds={"groups": items, "use_correction": False})
    assert clustered_se(values, items) * np.sqrt(29 / 30) == pytest.approx(float(fit.bse[0]))
    assert clustered_se(values) == pytest.approx(values.std(ddof=1) / np.sqrt(120))


def test_equal_values_do_not_claim_certainty() -> None:
    estimate = mean_estimate([1.0] * 10, bounds=(-9.0, 1.0))
    assert estimate.value == 1
    assert estimate.high == pytest.approx(1)
    assert estimate.low == pytest.approx(-9 + 10 * wilson(1.0, 10)[0])


def test_samples_of_one_item_do_not_count_as_so_many_answers() -> None:
    hits, items = np.repeat([1, 0, 1, 1, 0], 8), np.repeat(np.arange(5), 8)
    wide, narrow = rate_estimate(hits, clusters=items), rate_estimate(hits)
    assert wide.value == narrow.value == pytest.approx(0.6)
    assert wide.n == 40
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < narrow.low - 0.1


def test_nothing_to_measure_has_a_reason_and_no_value() -> None:
    for estimate in (
        mean_estimate([], bounds=(0, 1), n_excluded=3),
        rate_estimate([], n_excluded=3),
        brier([], [], n_excluded=3),
        ece([], [], n_excluded=3),
    ):
        assert estimate.value is None
        assert estimate.reason
        assert estimate.n_excluded == 3
    assert auroc([], []).value is None
    assert paired_difference([], [], [], []).value is None


def test_an_unknown_value_is_refused_not_averaged() -> None:
    with pytest.raises(DataError, match="leave out what is unknown"):
        mean_estimate([1.0, np.nan], bounds=(0, 1))
    with pytest.raises(DataError, match="never NaN"):
        brier([1, 0], [0.5, np.nan])
    with pytest.raises(DataError, match=r"confidence lies in \[0, 1\]"):
        ece([1, 0], [0.5, 95])
    with pytest.raises(DataError, match="shape"):
        auroc([1, 0], [0.5])


@given(answers)
def test_brier_and_auroc_equal_scikit_learn(rows: list[tuple[int, float]]) -> None:
    right, sure = [row[0] for row in rows], [row[1] for row in rows]
    assert brier(right, sure).value == pytest.approx(
        brier_score_loss(right, sure, pos_label=1) if len(set(right)) > 1 else np.mean((np.array(right) - sure) ** 2)
    )
    if len(set(right)) == 2:
        assert auroc(right, sure).value == pytest.approx(roc_auc_score(right, sure))
    else:
        assert auroc(right, sure).reason


@given(answers, st.randoms(use_true_random=False))
def test_order_of_rows_and_duplication_change_no_value(rows: list[tuple[int, float]], rng: object) -> None:
    shuffled = list(rows)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    for other in (shuffled, rows * 2):
        for metric in (brier, ece, auroc, overconfidence):
            a = metric([row[0] for row in rows], [row[1] for row in rows]).value
            b = metric([row[0] for row in other], [row[1] for row in other]).value
            assert a == b or a == pytest.approx(b)


def test_ece_by_hand_and_by_named_bins() -> None:
    right, sure = [1, 0, 1, 1], [0.3, 0.3, 0.9, 0.8]
    assert ece(right, sure, bins=OnePerValue()).value == pytest.approx((abs(1 - 0.6) + 0.1 + 0.2) / 4)
    assert ece(right, sure, bins=EqualWidth(2)).value == pytest.approx((abs(1 - 0.6) + abs(2 - 1.7)) / 4)
    assert EqualWidth(10).assign(np.array([0.0, 0.1, 0.3, 0.7, 1.0])).tolist() == [0, 1, 3, 7, 9]  # 0.3 is in [0.3, 0.4)
    assert len(set(EqualMass(3).assign(np.array([0.5] * 9)).tolist())) == 1


@pytest.mark.parametrize(
    ("distinct", "each", "bins"),
    [(10, 1, OnePerValue()), (11, 1, EqualWidth(10)), (11, 10, OnePerValue()), (64, 10, OnePerValue()), (65, 10, EqualWidth(10))],
)
def test_a_value_gets_its_own_bin_only_where_answers_share_it(distinct: int, each: int, bins: OnePerValue | EqualWidth) -> None:
    assert usual_binning(np.repeat(np.linspace(0, 1, distinct), each)) == bins


def test_a_perfectly_calibrated_model_with_one_answer_a_value_is_not_called_miscalibrated() -> None:
    """With a bin for each answer the error would be the mean distance of confidence and verdict, one third here."""
    rng = np.random.default_rng(5)
    sure = rng.random(60)
    right = (rng.random(60) < sure).astype(float)
    assert ece(right, sure, bins=OnePerValue()).value == pytest.approx(1 / 3, abs=0.1)
    assert ece(right, sure).value < 0.16  # type: ignore[operator]


def test_bins_are_named_as_they_are_written() -> None:
    assert [repr(one) for one in (EqualWidth(10), EqualMass(15), OnePerValue())] == ["EqualWidth(10)", "EqualMass(15)", "OnePerValue()"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 20))
def test_equal_mass_bins_keep_equal_values_together_and_in_order(sure: list[float], n: int) -> None:
    values = np.sort(np.array(sure))
    bins = EqualMass(n).assign(values)
    assert bins.min() >= 0
    assert bins.max() < n
    assert np.all(np.diff(bins) >= 0)
    assert all(len(set(bins[values == value].tolist())) == 1 for value in values)


def test_edges_of_equal_width_bins_are_exact_decimals() -> None:
    edges = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert EqualWidth(10).assign(np.array(edges)).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert EqualWidth(10).assign(np.nextafter(edges, 0)).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_a_constant_confidence_has_its_distance_as_ece_and_tells_nothing_apart() -> None:
    assert ece([1, 1, 0, 1], [0.5] * 4).value == pytest.approx(0.25)
    found = auroc([1, 1, 0, 1], [0.5] * 4)
    assert found.value == 0.5
    assert found.reason == "every answer has the same confidence"


def test_published_figures_of_five_methods_are_reproduced(data: Path) -> None:
    published = json.loads((data / "rlcr" / "commonsenseqa_published_metrics.json").read_text())
    rows = pq.read_table(data / "rlcr" / "commonsenseqa.parquet", columns=["method", "correct", "confidence"]).to_pydict()
    method, right, sure = (np.array(rows[name]) for name in ("method", "correct", "confidence"))
    seen = 0
    for name, figures in published.items() if isinstance(published, dict) else [(one["method"], one) for one in published]:
        mine = (method == name) & ~np.isnan(sure.astype(float))
        values = {key.lower(): value for key, value in figures.items()}
        assert ece(right[mine], sure[mine], bins=EqualWidth(10)).value == pytest.approx(values["ece"], abs=5e-5)
        assert brier(right[mine], sure[mine]).value == pytest.approx(values.get("brier", values.get("brier_score")), abs=5e-5)
        seen += 1
    assert seen == 5


def test_score_by_hand_at_every_target() -> None:
    credit, answered = [1, 1, 0, 0], [True, True, True, False]
    assert score_at(credit, answered, 0).value == pytest.approx(0.5)
    assert score_at(credit, answered, 0.5).value == pytest.approx(0.25)
    assert score_at(credit, answered, 0.75).value == pytest.approx((2 - 3) / 4)


def test_the_rule_answers_strictly_above_the_target_unless_ties_are_weak() -> None:
    assert acts_at([0.5, 0.6], 0.5).tolist() == [False, True]
    assert acts_at([0.5, 0.6], 0.5, tie="weak").tolist() == [True, True]
    found = score_by_confidence([1, 0, 1], [0.5, 0.4, 0.9], [0, 0.5])
    assert found["0"].value == pytest.approx(2 / 3)
    assert found["0.5"].value == pytest.approx(1 / 3)


@given(answers)
def test_perfect_knowledge_is_never_beaten_and_scores_never_rise_with_the_target(rows: list[tuple[int, float]]) -> None:
    right, sure = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    best = score_by_confidence(right, right.astype(float), [0.0, 0.5, 0.9])
    some = score_by_confidence(right, sure, [0.0, 0.5, 0.9])
    for t in best:
        assert best[t].value == pytest.approx(right.mean())
        assert some[t].value is not None
        assert some[t].value <= best[t].value + 1e-12  # type: ignore[operator]
    always = [score_at(right, np.ones(len(right), bool), t).value for t in (0.0, 0.5, 0.9)]
    assert always == sorted(always, reverse=True)


def test_published_table_of_two_models_is_reproduced() -> None:
    """Abstention 52 % / 1 %, accuracy 22 % / 24 %, error 26 % / 75 %: the ranking turns over as soon as mistakes cost something."""
    mini = ([1] * 22 + [0] * 26 + [0] * 52, [True] * 48 + [False] * 52)
    o4 = ([1] * 24 + [0] * 75 + [0], [True] * 99 + [False])
    values = [[round(score_at(*one, t).value or 0, 2) for t in (0, 0.5, 0.75, 0.9)] for one in (mini, o4)]
    assert values == [[0.22, -0.04, -0.56, -2.12], [0.24, -0.51, -2.01, -6.51]]


def test_reliability_bins_hold_every_answer_once() -> None:
    rng = np.random.default_rng(1)
    sure = rng.random(500)
    right = (rng.random(500) < sure).astype(float)
    bins = reliability(right, sure, bins=EqualWidth(10))
    assert sum(one.accuracy.n for one in bins) == 500
    assert all(one.low <= one.confidence <= one.high for one in bins)
    assert [one.confidence for one in bins] == sorted(one.confidence for one in bins)


def test_no_bounds_and_no_spread_give_a_value_and_say_why_there_is_no_interval() -> None:
    same = mean_estimate([2.0, 2.0, 2.0])
    assert (same.value, same.low, same.reason) == (2.0, None, "all values are equal: no interval")
    one_item = mean_estimate([1.0, 2.0], clusters=["x", "x"])
    assert (one_item.value, one_item.low) == (1.5, None)
    assert "too few independent items" in (one_item.reason or "")
    assert one_item != mean_estimate([1.0, 2.0], clusters=["x", "x"], bounds=(0, 2))


def test_paired_difference_by_hand() -> None:
    """Item means: a has x 0.5, y 1, z 0; b has x 1, y 1, w 1. Differences over x and y: 0.5 and 0, so mean 0.25 with error 0.25."""
    found = paired_difference([0, 1, 1, 0], ["x", "x", "y", "z"], [1, 1, 1], ["y", "x", "w"], n_excluded=2)
    assert (found.value, found.n, found.n_excluded) == (0.25, 2, 4)
    assert found.low == pytest.approx(0.25 - 1.959964 * 0.25)
    assert found.high == pytest.approx(0.25 + 1.959964 * 0.25)
    with pytest.raises(DataError, match="each value belongs to one item"):
        paired_difference([1, 0], ["x"], [1], ["x"])


def test_pairing_takes_the_difficulty_of_items_out_of_the_error() -> None:
    rng = np.random.default_rng(3)
    ease = rng.random(400)
    a, b = (ease + rng.normal(0, 0.05, 400) for _ in range(2))
    paired = paired_difference(a, np.arange(400), b, np.arange(400))
    apart = np.hypot(clustered_se(a), clustered_se(b))
    assert paired.high - paired.value < 1.96 * apart / 3  # type: ignore[operator]


def test_auroc_interval_by_hand() -> None:
    """Right at 0.4 and 0.9, wrong at 0.1 and 0.4: parts 0.75, 1 and 1, 0.75, each with variance 1/32, so the error is sqrt(1/32)."""
    found = auroc([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.9])
    assert found.value == 0.875
    assert found.low == pytest.approx(0.875 - 1.959964 * np.sqrt(1 / 32))
    assert found.high == 1


def test_complete_separation_does_not_claim_certainty() -> None:
    found = auroc([0, 0, 0, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 0.9])
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(wilson(1.0, 3)[0])


def test_repeated_samples_do_not_narrow_the_interval_of_auroc() -> None:
    rng = np.random.default_rng(2)
    sure = rng.random(80)
    right = rng.random(80) < sure
    single, again = auroc(right, sure), auroc(np.tile(right, 5), np.tile(sure, 5))
    clustered = auroc(np.tile(right, 5), np.tile(sure, 5), clusters=np.tile(np.arange(80), 5))
    assert clustered.value == pytest.approx(single.value)
    assert clustered.low == pytest.approx(single.low, abs=0.005)
    assert again.low > single.low + 0.02  # type: ignore[operator]


def test_intervals_of_auroc_hold_the_truth_as_often_as_they_say() -> None:
    """Normal scores one unit apart: the area is Phi(1 / sqrt 2)."""
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(300):
        found = auroc(np.repeat([1, 0], 60), np.r_[rng.normal(1, 1, 60), rng.normal(0, 1, 60)])
        held += found.low <= 0.7602499 <= found.high  # type: ignore[operator]
    assert 0.91 <= held / 300 <= 0.98


@given(answers, st.sampled_from([0.0, 0.5, 0.75, 0.9]))
def test_baselines_are_functions_of_the_accuracy_of_forced_answers(rows: list[tuple[int, float]], t: float) -> None:
    right = [row[0] for row in rows]
    a = sum(right) / len(right)
    assert always_answer(right, t).value == pytest.approx((a - t) / (1 - t))
    assert oracle(right, t).value == pytest.approx(a)
    assert always_answer(right, 0).value == pytest.approx(a)


def test_an_oracle_gives_a_partly_right_answer_where_it_pays() -> None:
    assert oracle([0.6, 0.2, 1.0], 0.5).value == pytest.approx((0.2 + 0 + 1) / 3)
    assert oracle([0.6, 0.2, 1.0], 0.0).value == pytest.approx(0.6)
    assert oracle([], 0.5).reason == "no answers to go by"


@given(answers, st.sampled_from(["strict", "weak"]))
def test_the_curve_is_the_mean_payoff_of_the_rule_at_each_target(rows: list[tuple[int, float]], tie: str) -> None:
    right, sure = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    curve = score_curve(right, sure, tie=tie)  # type: ignore[arg-type]
    assert [point[0] for point in curve] == list(GRID)
    for t, value, low, high in curve:
        acts = sure > t if tie == "strict" else sure >= t
        assert value == pytest.approx(payoff(right, acts, t).mean())
        assert low <= value + 1e-12
        assert value <= high + 1e-12


@given(answers, st.randoms(use_true_random=False))
def test_the_curve_is_the_same_to_the_last_bit_in_any_order_of_rows(rows: list[tuple[int, float]], rng: object) -> None:
    numbered = [(*row, i % 3) for i, row in enumerate(rows)]
    shuffled = list(numbered)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = ([np.array(column) for column in zip(*some, strict=True)] for some in (numbered, shuffled))
    assert score_curve(one[0], one[1], clusters=one[2]) == score_curve(other[0], other[1], clusters=other[2])


def test_a_confidence_outside_its_range_is_refused_by_the_curve() -> None:
    with pytest.raises(DataError, match=r"a confidence lies in \[0, 1\]"):
        score_curve([1, 0], [0.5, np.nan])
    with pytest.raises(DataError, match="they describe the same answers"):
        score_by_confidence([1, 0], [0.5], [0.5])


@pytest.mark.parametrize("name", ["calibration", "curves", "discrimination", "intervals", "scores"])
def test_examples_in_docstrings_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"wager.metrics.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
