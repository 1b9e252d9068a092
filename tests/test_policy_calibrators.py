"""Calibrators: independent packages as referees, identities and invariances, refusals, real stated confidences."""

import doctest
import importlib
import itertools
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from wager.errors import DataError, UnknownNameError, UsageError
from wager.metrics.cells import cells_of
from wager.metrics.corp import recalibrated
from wager.policy.calibration import Calibration, calibrate, data_hash
from wager.policy.calibrators import KINDS, Beta, Categorical, Isotonic, Platt, Temperature, VennAbers, calibrator_from, calibrator_of
from wager.policy.choosing import choose, crossfitted, judged, log_losses
from wager.policy.combining import Combination, crossfitted_combination
from wager.policy.folding import deal
from wager.policy.logistic import coarse, logits, usual_clip
from wager.policy.steps import MOST, steps_of
from wager.policy.venn_abers import upper_values

LEVELS = [0.0, 0.1, 0.25, 0.3, 0.5, 0.75, 0.9, 1.0]
PARAMETRIC = ["temperature", "platt", "beta"]
answers = st.lists(st.tuples(st.sampled_from(LEVELS), st.integers(0, 1)), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(z for _, z in rows) < len(rows)
)


def sample(n: int = 2000, *, seed: int = 0, power: float = 1.5, digits: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Overconfident answers."""
    rng = np.random.default_rng(seed)
    sure = rng.beta(2, 1.2, n)
    right = (rng.random(n) < sure**power).astype(float)
    return (sure if digits is None else np.round(sure, digits)), right


def columns(rows: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s for s, _ in rows]), np.array([z for _, z in rows], dtype=float)


MODULES = ["calibrators", "parametric", "monotone", "venn_abers", "logistic", "steps", "choosing", "calibration", "combining", "folding"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"wager.policy.{name}")).failed == 0


# --- referees


def test_scikit_learn_agrees_on_platt_and_beta() -> None:
    sure, right = sample()
    clip = usual_clip(sure)
    kept = np.clip(sure, clip, 1 - clip)
    plain = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000)
    found = Platt().fit(sure, right)
    plain.fit(logits(kept, clip)[:, None], right)
    assert (found.slope, found.intercept) == pytest.approx((plain.coef_[0, 0], plain.intercept_[0]), abs=1e-5)
    bent = Beta().fit(sure, right)
    plain.fit(np.column_stack([np.log(kept), -np.log1p(-kept)]), right)
    assert plain.coef_.min() > 0  # its optimum is inside ours
    assert (bent.a, bent.b, bent.c) == pytest.approx((*plain.coef_[0], plain.intercept_[0]), abs=1e-4)


def test_scikit_learn_agrees_on_the_temperature_up_to_its_factor_of_two() -> None:
    scaling = getattr(importlib.import_module("sklearn.calibration"), "_TemperatureScaling", None)
    if scaling is None:
        pytest.skip("this scikit-learn has no temperature scaling")
    sure, right = sample()
    found = Temperature().fit(sure, right)
    beta = scaling().fit(logits(sure, found.clip), right.astype(int)).beta_
    assert 1 / found.temperature == pytest.approx(2 * beta, rel=1e-3)


def test_scikit_learn_agrees_on_isotonic_inside_its_ends() -> None:
    sure, right = sample(digits=2)
    ours = Isotonic().fit(sure, right).transform(sure)
    theirs = IsotonicRegression().fit(sure, right).predict(sure)
    steps = np.unique(theirs)
    inside = (theirs > steps[1]) & (theirs < steps[-2])  # an end may have joined its neighbour
    assert inside.mean() > 0.8
    assert ours[inside] == pytest.approx(theirs[inside], abs=1e-12)
    assert 0 < ours.min() < ours.max() < 1


@pytest.mark.parametrize(("n", "digits"), [(50, None), (800, None), (1000, 1), (2000, 2)])
def test_venn_abers_agrees_with_the_package(n: int, digits: int | None) -> None:
    package = importlib.import_module("venn_abers").VennAbers()
    sure, right = sample(n, digits=digits)
    asked = np.concatenate([sure[:100], np.random.default_rng(1).random(200) if digits is None else sure[100:]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it takes the minimum of nothing at the last of tied values
        package.fit(np.column_stack([1 - sure, sure]), right.astype(int))
        merged, pair = package.predict_proba(np.column_stack([1 - asked, asked]))
    found = VennAbers().fit(sure, right)
    low, high = found.interval(asked)
    assert low == pytest.approx(pair[:, 0], abs=1e-9)
    assert high == pytest.approx(pair[:, 1], abs=1e-9)
    assert found.transform(asked) == pytest.approx(merged[:, 1], abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=14))
def test_venn_abers_is_an_isotonic_fit_with_one_more_right_answer(cells: list[tuple[int, int]]) -> None:
    n = np.array([size for size, _ in cells], dtype=float)
    right = np.minimum(n, [good for _, good in cells])
    for at, found in enumerate(upper_values(n, right)):
        more = np.arange(len(n)) == at
        assert found == pytest.approx(recalibrated(n + more, right + more)[at], abs=1e-12)


def test_venn_abers_is_exact_with_many_levels() -> None:
    sure, right = sample(20_000, seed=2)
    cells = cells_of(right, sure)
    found = upper_values(cells.n, cells.right)
    for at in (0, 1, 777, 5000, 12_345, 19_000, 19_998, 19_999):
        more = np.arange(20_000) == at
        assert found[at] == pytest.approx(recalibrated(cells.n + more, cells.right + more)[at], abs=1e-12)


# --- worked by hand


def test_temperature_two_is_the_square_root_of_the_odds() -> None:
    assert Temperature(2.0, clip=0.001).transform([0.9, 0.5, 0.1]).tolist() == pytest.approx([0.75, 0.5, 0.25])


def test_the_temperature_of_one_stated_level_is_its_accuracy() -> None:
    found = Temperature().fit([0.9] * 4, [1, 1, 1, 0])
    assert found.temperature == pytest.approx(2.0, abs=1e-6)  # logit(0.9) = 2 logit(0.75)


def test_categorical_shrinks_each_level_towards_the_accuracy_of_all() -> None:
    found = Categorical().fit([0.5] * 4 + [1.0] * 6, [1, 0, 0, 0] + [1] * 5 + [0])
    assert found.values == pytest.approx(((1 + 2 * 0.6) / 6, (5 + 2 * 0.6) / 8))


def test_categorical_pools_levels_in_the_wrong_order() -> None:
    found = Categorical().fit([0.5] * 4 + [1.0] * 4, [1, 1, 1, 0, 1, 0, 0, 0])
    assert found.values == (0.5, 0.5)


def test_isotonic_never_says_certain_and_keeps_the_order() -> None:
    found = Isotonic().fit([0.2] * 4 + [0.6] * 10 + [0.9] * 2, [0] * 4 + [1] * 9 + [0] + [1] * 2)
    # (0 + 1/2) / 5 below; above, (2 + 1/2) / 3 < 9/10 would turn the order: both together, 11 / 12
    assert found.transform([0.1, 0.2, 0.59, 0.6, 0.9, 1.0]).tolist() == pytest.approx([0.1, 0.1, 0.1, 11 / 12, 11 / 12, 11 / 12])


def test_a_stated_certainty_counts_as_half_way_to_the_next_confidence() -> None:
    assert usual_clip(np.array([0.5, 0.99, 1.0])) == pytest.approx(0.005)
    assert usual_clip(np.array([0.0, 1.0])) == 0.01
    assert usual_clip(np.array([1e-30, 0.5])) == 1e-9
    assert Platt().fit(*sample(300, digits=2)).to_dict()["clip"] <= 0.01


# --- invariances


@pytest.mark.parametrize("kind", list(KINDS))
@settings(max_examples=40, deadline=None)
@given(rows=answers, shuffle=st.randoms(use_true_random=False))
def test_every_calibrator_is_monotone_bounded_order_free_and_survives_json(kind: str, rows: list[tuple[float, int]], shuffle) -> None:
    found = calibrator_of(kind).fit(*columns(rows))
    seen = sorted({s for s, _ in rows})
    asked = seen if kind == "categorical" else LEVELS
    values = found.transform(asked)
    assert (np.diff(values) >= 0).all()
    assert 0 < values.min() <= values.max() < 1
    assert [found.at(s) for s in asked] == values.tolist()  # to the last bit
    mixed = list(rows)
    shuffle.shuffle(mixed)
    assert calibrator_of(kind).fit(*columns(mixed)) == found
    written = json.dumps(found.to_dict(), allow_nan=False)
    assert calibrator_from(json.loads(written)) == found


@pytest.mark.parametrize("kind", [*PARAMETRIC, "isotonic"])
def test_writing_every_answer_twice_changes_nothing(kind: str) -> None:
    sure, right = sample(400)
    grid = np.linspace(0.01, 0.99, 50)
    if kind == "isotonic":  # its ends are softened by how many answers they have
        grid = np.quantile(sure, np.linspace(0.2, 0.8, 50))
    once, twice = calibrator_of(kind).fit(sure, right), calibrator_of(kind).fit(np.tile(sure, 2), np.tile(right, 2))
    assert twice.transform(grid) == pytest.approx(once.transform(grid), abs=1e-8)


def test_isotonic_of_its_own_output_is_the_identity() -> None:
    sure, right = sample(3000, digits=2)
    p = Isotonic().fit(sure, right).transform(sure)
    assert Isotonic().fit(p, right).transform(p) == pytest.approx(p, abs=1e-12)


@pytest.mark.parametrize("kind", PARAMETRIC)
def test_a_confidence_that_points_the_wrong_way_becomes_a_constant(kind: str) -> None:
    sure, right = sample()
    found = calibrator_of(kind).fit(sure, 1 - right)
    values = found.transform(np.linspace(0, 1, 11))
    assert np.ptp(values) < 0.01
    assert values.mean() == pytest.approx(0.5 if kind == "temperature" else 1 - right.mean(), abs=0.01)


@pytest.mark.parametrize("kind", PARAMETRIC)
def test_a_threshold_that_parts_right_from_wrong_gives_finite_numbers(kind: str) -> None:
    found = calibrator_of(kind).fit([0.1, 0.2, 0.3, 0.7, 0.8], [0, 0, 0, 1, 1])
    assert all(math.isfinite(value) for value in found.to_dict().values() if isinstance(value, float))
    assert found.at(0.1) < 0.01 < 0.99 < found.at(0.8)


def test_true_probabilities_keep_a_temperature_of_one() -> None:
    slopes, errors = [], []
    for seed in range(20):
        sure, right = sample(2000, seed=seed, power=1.0)
        x = logits(sure, usual_clip(sure))
        slopes.append(1 / Temperature().fit(sure, right).temperature)
        errors.append(1 / math.sqrt(float((sure * (1 - sure) * x**2).sum())))
    assert abs(np.mean(slopes) - 1) < 3 * np.mean(errors) / math.sqrt(20)
    assert all(abs(slope - 1) < 4.5 * error for slope, error in zip(slopes, errors, strict=True))


def test_merging_neighbours_changes_a_fit_by_less_than_a_thousandth_of_its_error() -> None:
    sure, right = sample(100_000)
    cells = cells_of(right, sure)
    assert len(coarse(cells).value) < 22_000
    x, p = logits(sure, usual_clip(sure)), sure
    plain = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(x[:, None], right)
    error = 1 / math.sqrt(float((p * (1 - p) * (x - x.mean()) ** 2).sum()))
    assert abs(Platt().fit(sure, right).slope - plain.coef_[0, 0]) < 1e-3 * error


def test_many_steps_are_merged_without_moving_a_value_far() -> None:
    sure, right = sample(100_000)
    cells = cells_of(right, sure)
    fitted = upper_values(cells.n, cells.right)
    starts, values = steps_of(cells.value, fitted, cells.n)
    assert len(starts) <= MOST < len(np.unique(fitted))
    kept = values[np.searchsorted(starts, np.arange(len(fitted)), side="right") - 1]
    assert np.abs(kept - fitted).max() < 0.013
    assert all(len(json.dumps(calibrator_of(kind).fit(sure, right).to_dict())) < 11_000 for kind in ("isotonic", "venn_abers"))


# --- refusals


@pytest.mark.parametrize("kind", list(KINDS))
def test_unknown_is_refused_and_never_a_number(kind: str) -> None:
    found = calibrator_of(kind).fit([0.2, 0.4, 0.6, 0.8], [0, 1, 0, 1])
    for bad in (math.nan, -0.1, 1.1):
        with pytest.raises(DataError, match=r"lies in \[0, 1\]"):
            found.at(bad)
        with pytest.raises(DataError, match=r"lies in \[0, 1\]"):
            found.transform([0.2, bad])
        with pytest.raises(DataError):
            calibrator_of(kind).fit([0.2, bad], [0, 1])
    with pytest.raises(DataError, match="all 2 answers are right"):
        calibrator_of(kind).fit([0.2, 0.3], [1, 1])
    with pytest.raises(DataError, match="no answers"):
        calibrator_of(kind).fit([], [])
    with pytest.raises(UsageError, match="not fitted"):
        calibrator_of(kind).at(0.5)


def test_a_level_that_was_never_graded_gets_no_number() -> None:
    found = Categorical().fit([0.3, 0.3, 0.9, 0.9], [0, 1, 1, 1])
    assert found.at(0.1 * 3) == found.at(0.3)
    with pytest.raises(DataError, match=r"confidence 0\.6.*knows 0\.3, 0\.9"):
        found.at(0.6)
    with pytest.raises(DataError, match="no graded answer"):
        found.transform([0.3, 0.6])


def broken(**change: object) -> dict[str, object]:
    return {"kind": "platt", "slope": 1.0, "intercept": 0.0, "clip": 0.01} | change


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"kind": "plat"}, "'kind' is 'plat'"),
        ({}, "'kind' is None"),
        (broken(slope=-1), "'slope' is -1"),
        (broken(slope="2"), "'slope' is '2'"),
        (broken(clip=True), "'clip' is True"),
        (broken(intercept=math.nan), "'intercept' is nan"),
        (broken(slopes=1), "'slopes' is not known"),
        ({"kind": "platt", "slope": 1.0, "clip": 0.01}, "'intercept' is missing"),
        ({"kind": "isotonic", "edges": [0.5, 0.2], "values": [0.1, 0.2, 0.3]}, "'edges' must increase"),
        ({"kind": "isotonic", "edges": [0.5], "values": [0.1]}, "'values' has 1 numbers, want 2"),
        ({"kind": "categorical", "levels": [], "values": []}, "'levels' is empty"),
        ({"kind": "categorical", "levels": [0.1, 2], "values": [0.1, 0.2]}, "'levels' is"),
        ({"kind": "venn_abers", "low_edges": [0.5], "low_values": [0.9, 0.1]}, "'low_values' must increase"),
    ],
)
def test_a_written_calibrator_that_is_wrong_names_the_key(values: dict[str, object], named: str) -> None:
    with pytest.raises(DataError, match=named):
        calibrator_from(values)


# --- cross-fitting and choosing


def test_each_answer_is_judged_by_a_calibrator_that_has_not_seen_its_item() -> None:
    rng = np.random.default_rng(0)
    sure, right = sample(300, digits=1)
    items = np.repeat(np.arange(60), 5)
    found = crossfitted(Platt(), sure, right, clusters=items)
    changed = right.copy()
    changed[items == 7] = 1 - changed[items == 7]
    other = crossfitted(Platt(), sure, changed, clusters=items)
    assert other[items == 7] == pytest.approx(found[items == 7], abs=1e-12)
    assert not np.allclose(other, found, atol=1e-9)
    order = rng.permutation(300)
    assert crossfitted(Platt(), sure[order], right[order], clusters=items[order]) == pytest.approx(found[order], abs=1e-12)


def test_folds_keep_items_together_and_every_training_set_has_both_verdicts() -> None:
    clusters = np.repeat(np.arange(50), 4)
    hits = ~np.isin(clusters, [3, 11])  # two items hold all the wrong answers
    for seed in range(30):
        fold = deal(hits, clusters, rng=np.random.default_rng(seed))
        assert all(len(set(fold[clusters == item])) == 1 for item in range(50))
        assert sorted(set(fold)) == [0, 1, 2, 3, 4]
        assert all(0 < hits[fold != k].sum() < (fold != k).sum() for k in range(5))
    with pytest.raises(DataError, match="1 of the items has a wrong answer"):
        deal(clusters != 3, clusters)


def test_memorising_is_seen_by_cross_fitted_numbers() -> None:
    """Noise as confidence: isotonic regression gains in sample, and loses on other answers."""
    rng = np.random.default_rng(0)
    sure, right = rng.random(600), (rng.random(600) < 0.7).astype(float)
    constant = log_losses(right, np.full(600, right.mean())).mean()
    assert log_losses(right, Isotonic().fit(sure, right).transform(sure)).mean() < constant
    assert log_losses(right, crossfitted(Isotonic(), sure, right)).mean() > constant


def test_few_errors_leave_the_temperature() -> None:
    sure, right = np.linspace(0.5, 0.99, 400), np.ones(400)
    right[::10] = 0
    right[10] = 1
    choice = choose(sure, right)
    assert (choice.kind, choice.reason) == ("temperature", "39 wrong answers, fewer than 50: temperature only")
    assert set(choice.excluded) == set(KINDS) - {"temperature"}
    assert choose(sure, 1 - right).reason.startswith("39 right answers")


def test_errors_are_counted_by_item_where_answers_share_one() -> None:
    sure, right = sample(1000)
    choice = choose(sure, right, clusters=np.repeat(np.arange(40), 25))
    assert choice.kind == "temperature"
    assert "to 40 items" in choice.reason


def test_the_choice_follows_the_shape_of_the_data() -> None:
    rng = np.random.default_rng(1)
    sure = rng.beta(2, 1.2, 6000)
    x = np.log(sure / (1 - sure))
    shapes = {"temperature": expit(x / 2), "platt": expit(0.6 * x + 1)}
    for kind, p in shapes.items():
        assert choose(sure, (rng.random(6000) < p).astype(float)).kind == kind
    odd = np.where(sure < 0.6, 0.2, 0.9)
    assert choose(sure, (rng.random(6000) < odd).astype(float)).kind in ("venn_abers", "isotonic")
    levels = rng.choice([0.5, 0.8, 0.9, 1.0], 6000)
    stated = np.select([levels == 0.5, levels == 0.8, levels == 0.9], [0.1, 0.55, 0.6], 0.95)
    choice = choose(levels, (rng.random(6000) < stated).astype(float))
    assert choice.kind == "categorical"
    assert set(choice.log_loss) == set(KINDS)


def test_the_choice_does_not_depend_on_the_order_of_rows() -> None:
    sure, right = sample(1500, digits=2)
    order = np.random.default_rng(3).permutation(1500)
    assert choose(sure[order], right[order]) == choose(sure, right)


def test_judging_is_cross_fitted_and_calibration_helps_an_overconfident_model() -> None:
    sure, right = sample(3000, power=3.0)
    found = judged(sure, right)
    assert found.before["ece"].value > 0.2 > 0.05 > found.after["ece"].value
    assert found.after["log_loss"].high < found.before["log_loss"].low
    assert found.after["auroc"].value == pytest.approx(found.before["auroc"].value, abs=0.01)
    p = crossfitted(Platt(), sure, right, rng=np.random.default_rng(5))
    again = judged(sure, right, kind="platt", rng=np.random.default_rng(5))
    assert again.after["brier"].value == pytest.approx(((p - right) ** 2).mean(), abs=1e-12)


# --- the record


def made(**change: object) -> Calibration:
    sure, right = sample(1500, digits=2)
    return calibrate(sure, right, **({"source": "stated", "model": "a/b", "tasks": ["z", "a", "z"], "made": "2026-01-31"} | change))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["auto", *(kind for kind in KINDS if kind != "categorical")])
def test_a_calibration_survives_json(kind: str) -> None:
    found = made(kind=kind)
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    assert (found.tasks, found.made, found.n) == (("a", "z"), "2026-01-31", 1500)
    assert found.log_loss_after < found.log_loss_before
    assert found.transform([0.4], source="stated", model="a/b")[0] == found.at(0.4)


def test_a_calibration_refuses_another_source_or_model() -> None:
    found = made(kind="platt")
    with pytest.raises(UsageError, match=r"of source 'stated', got source 'logprob'; fit one on graded answers of that source"):
        found.transform([0.4], source="logprob", model="a/b")
    with pytest.raises(UsageError, match=r"of model 'a/b', got model 'a/c'"):
        found.transform([0.4], source="stated", model="a/c")


def test_the_data_hash_knows_the_answers_and_not_their_order() -> None:
    sure, right = sample(200, digits=1)
    order = np.random.default_rng(0).permutation(200)
    assert data_hash(sure, right) == data_hash(sure[order], right[order]) == made_hash(sure, right)
    flipped = right.copy()
    flipped[0] = 1 - flipped[0]
    assert data_hash(sure, flipped) != data_hash(sure, right)
    assert len(data_hash(sure, right)) == 16


def made_hash(sure: np.ndarray, right: np.ndarray) -> str:
    return calibrate(sure, right, source="stated", model="m", tasks=["t"], kind="platt").data


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"schema": 99}, "'schema' is 99"),
        ({"made": "yesterday"}, "'made' is 'yesterday'"),
        ({"n": 0}, "'n' is 0"),
        ({"n_wrong": 9999}, "'n_wrong' is 9999"),
        ({"source": ""}, "'source' is ''"),
        ({"tasks": "capitals"}, "'tasks' is 'capitals'"),
        ({"spread": [1.0]}, "'spread' has 1 numbers"),
        ({"ece_after": 2.0}, "'ece_after' is 2.0"),
        ({"calibrator": {"kind": "x"}}, "'kind' is 'x'"),
        ({"colour": 1}, "'colour' is not known"),
    ],
)
def test_a_written_calibration_that_is_wrong_names_the_key(change: dict[str, object], named: str) -> None:
    with pytest.raises(DataError, match=named):
        Calibration.from_dict(made(kind="platt").to_dict() | change)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="isotonic"):
        made(kind="isotonik")
    with pytest.raises(UnknownNameError):
        calibrator_of("spline")
    with pytest.raises(UnknownNameError):
        choose(*sample(300), kinds=["plat"])
    with pytest.raises(UsageError, match="one source and one model"):
        made(model="")


# --- several sources


def several(n: int = 1500, *, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """One source good, on a scale of its own; one fair; one noise."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0.5, 1.5, n)
    right = (rng.random(n) < expit(truth)).astype(float)
    fair = np.round(expit(truth + rng.normal(0, 2, n)), 1)
    return {"logprob": expit(20 * (truth + rng.normal(0, 1, n)) - 150) + 1e-300, "stated": fair, "p_true": rng.random(n)}, right


def test_scikit_learn_agrees_on_the_combination() -> None:
    sources, right = several()
    found = Combination().fit(sources, right)
    x = np.column_stack([logits(sources[name], clip) for name, clip in zip(found.sources, found.clips, strict=True)])
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    plain = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(scaled, right)
    assert np.array(found.weights) * x.std(axis=0) == pytest.approx(plain.coef_[0], abs=1e-5)
    assert found.transform(sources) == pytest.approx(plain.predict_proba(scaled)[:, 1], abs=1e-6)


def test_several_sources_beat_each_alone_on_other_answers() -> None:
    sources, right = several()
    together = log_losses(right, crossfitted_combination(sources, right)).mean()
    for values in sources.values():
        assert together < log_losses(right, crossfitted(Platt(), values, right)).mean()


def test_an_answer_without_one_source_gets_no_combined_confidence() -> None:
    sources, right = several(400)
    sources["stated"][:7] = np.nan
    found = Combination().fit(sources, right)
    assert (found.n, found.n_missing) == (393, 7)
    for values in (found.transform(sources), crossfitted_combination(sources, right)):
        assert np.isnan(values).tolist() == [True] * 7 + [False] * 393
    with pytest.raises(DataError, match="has no value"):
        found.at({"logprob": 0.5, "p_true": 0.5, "stated": math.nan})
    with pytest.raises(DataError, match="needs a confidence of source 'stated'"):
        found.at({"logprob": 0.5, "p_true": 0.5})
    with pytest.raises(DataError, match="lies in"):
        found.at({"logprob": 0.5, "p_true": 0.5, "stated": 1.5})
    with pytest.raises(UsageError, match="not fitted"):
        Combination().transform(sources)


def test_the_combination_ignores_row_order_and_survives_json() -> None:
    sources, right = several(300)
    items = np.repeat(np.arange(100), 3)
    order = np.random.default_rng(1).permutation(300)
    mixed = {name: values[order] for name, values in sources.items()}
    found = Combination().fit(sources, right)
    assert Combination().fit(mixed, right[order]) == found
    p, q = crossfitted_combination(sources, right, clusters=items), crossfitted_combination(mixed, right[order], clusters=items[order])
    assert q == pytest.approx(p[order], abs=1e-12)
    assert Combination.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    with pytest.raises(DataError, match="'weights' has 2 numbers"):
        Combination.from_dict(found.to_dict() | {"weights": [1.0, 2.0]})


# --- real answers


def test_real_stated_confidences_get_better_on_answers_not_fitted_on(data: Path) -> None:
    table = pq.read_table(data / "rlcr" / "commonsenseqa.parquet").to_pydict()
    rows = sorted(zip(table["method"], table["confidence"], table["correct"], strict=True))
    methods = {name: list(group) for name, group in itertools.groupby(rows, key=lambda row: row[0])}
    assert len(methods) == 5
    for name, group in methods.items():
        sure, right = np.array([row[1] for row in group]), np.array([row[2] for row in group], dtype=float)
        found = calibrate(sure, right, source="stated", model=name, tasks=["commonsenseqa"])
        assert found.log_loss_after < found.log_loss_before
        assert found.n == 1221
        assert found.ece_after < 0.035
        if name == "RLCR":  # underconfident by 30 points
            assert found.ece_before > 0.3 > 0.02 > found.ece_after
