"""Metrics of a confidence: independent packages as referees, identities, invariances, and the coverage of intervals."""

import doctest
import importlib
import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta as beta_law
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from wager.errors import DataError, UsageError
from wager.metrics import calibration, selective
from wager.metrics.cells import Cells, cells_of
from wager.metrics.confidence import confidence_of
from wager.metrics.corp import best_score, corp, crossfitted_regret, recalibrated, regret, reliability_curve, score_above
from wager.metrics.curves import score_by_confidence
from wager.metrics.discrimination import auroc, auroc_difference, auroc_of, auroc_parts
from wager.metrics.resampling import draw
from wager.metrics.results import Confidence
from wager.metrics.smooth import smooth_ece
from wager.metrics.stakes import expected_score

GRID = tuple(i / 100 for i in range(100))
LEVELS = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
answers = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(LEVELS)), min_size=1, max_size=60)


def sample(n: int = 2000, *, seed: int = 0, power: float = 1.3, digits: int | None = 2) -> tuple[np.ndarray, np.ndarray]:
    """Overconfident answers with ties."""
    rng = np.random.default_rng(seed)
    sure = rng.beta(2, 1.2, n)
    right = (rng.random(n) < sure**power).astype(float)
    return right, sure if digits is None else np.clip(np.round(sure, digits), 0.01, 0.99)


def made(right: np.ndarray, sure: np.ndarray, **options: object) -> Confidence:
    return confidence_of("stated", right, sure, [0.0, 0.5, 0.9], GRID, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["cells", "selective", "corp", "stakes", "smooth", "calibration", "discrimination"])
def test_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"wager.metrics.{name}")).failed == 0


# --- referees


def test_scikit_learn_agrees_on_brier_log_loss_and_auroc() -> None:
    right, sure = sample()
    found = made(right, sure).metrics
    assert found["brier"].value == pytest.approx(brier_score_loss(right, sure), abs=1e-12)
    assert found["log_loss"].value == pytest.approx(log_loss(right, sure), abs=1e-12)
    assert found["auroc"].value == pytest.approx(roc_auc_score(right, sure), abs=1e-12)


def test_relplot_agrees_on_the_smooth_calibration_error() -> None:
    relplot = importlib.import_module("relplot")
    for seed, power in enumerate([0.7, 1.0, 1.3, 3.0]):
        right, sure = sample(4000, seed=seed, power=power)
        assert smooth_ece(cells_of(right, sure)) == pytest.approx(relplot.smECE(sure, right), abs=1e-3)  # its own tolerance


def test_model_diagnostics_agrees_on_corp_and_on_elementary_scores() -> None:
    scoring = importlib.import_module("model_diagnostics.scoring")
    right, sure = sample()
    cells = cells_of(right, sure)
    table = scoring.decompose(right, sure, scoring_function=scoring.SquaredError())
    found = corp(cells)
    assert found.mcb == pytest.approx(table["miscalibration"][0], abs=1e-12)
    assert found.dsc == pytest.approx(table["discrimination"][0], abs=1e-12)
    assert found.unc == pytest.approx(table["uncertainty"][0], abs=1e-12)
    for t in (0.25, 0.5, 0.9):
        elementary = scoring.ElementaryScore(eta=t, functional="mean")(right, sure)  # answers at s >= t
        assert float(score_above(cells, [t], weak=True)[0]) == pytest.approx(cells.accuracy - elementary / (1 - t), abs=1e-12)


def test_dcurves_agrees_on_the_score_as_net_benefit() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcurves = importlib.import_module("dcurves")
        pandas = importlib.import_module("pandas")
        right, sure = sample()
        t = [0.1, 0.35, 0.5, 0.8]
        found = dcurves.dca(pandas.DataFrame({"right": right, "sure": sure}), outcome="right", modelnames=["sure"], thresholds=t)
    benefit = found[found.model == "sure"].sort_values("threshold").net_benefit.to_numpy()
    assert score_above(cells_of(right, sure), t, weak=True) == pytest.approx(benefit, abs=1e-9)


def test_shuffling_agrees_on_aurc_with_ties() -> None:
    right, sure = sample(300, digits=1)
    rng = np.random.default_rng(1)
    areas = []
    for _ in range(3000):
        rows = rng.permutation(300)
        order = rows[np.argsort(-sure[rows], kind="stable")]
        areas.append((np.cumsum(1 - right[order]) / np.arange(1, 301)).mean())
    assert selective.aurc(cells_of(right, sure)) == pytest.approx(np.mean(areas), abs=4 * np.std(areas) / np.sqrt(3000))


# --- identities


@pytest.mark.parametrize(("alpha", "beta"), [(1, 1), (2, 3), (2, 0.5), (1, 2), (5, 1)])
def test_the_expected_score_is_the_integral_of_the_curve(alpha: float, beta: float) -> None:
    right, sure = sample(200, digits=1)
    cells = cells_of(right, sure)
    edges = [0.0, *cells.value.tolist(), 1.0]
    whole = 0.0
    for low, high in itertools.pairwise(edges):  # smooth between two confidences
        whole += (
            quad(lambda t: float(score_above(cells, [t])[0]) * beta_law.pdf(t, alpha, beta), low, high, limit=200)[0] if low < 0.99 else 0.0
        )
    assert expected_score(cells, alpha, beta) == pytest.approx(whole, abs=1e-6)


@given(answers)
def test_brier_and_bas_are_expected_scores(rows: list[tuple[int, float]]) -> None:
    right, sure = (np.array(column, dtype=float) for column in zip(*[(z, min(s, 0.99)) for z, s in rows], strict=True))
    cells = cells_of(right, sure)
    assert ((sure - right) ** 2).mean() == pytest.approx(cells.accuracy - expected_score(cells, 1, 2), abs=1e-9)
    assert np.where(right == 1, sure, sure + np.log1p(-sure)).mean() == pytest.approx(expected_score(cells), abs=1e-9)


def test_the_log_loss_is_an_integral_of_the_curve() -> None:
    right, sure = sample(60, digits=1)
    cells = cells_of(right, sure)
    edges = [0.0, *cells.value.tolist()]
    whole = sum(
        quad(lambda t: (cells.accuracy - float(score_above(cells, [t])[0])) / t, low, high)[0] for low, high in itertools.pairwise(edges)
    )
    whole += -cells.accuracy * np.log(edges[-1])  # above the largest confidence nothing is answered
    assert log_loss(right, sure) == pytest.approx(whole, abs=1e-7)


@given(answers)
def test_corp_adds_up_and_the_best_threshold_is_best(rows: list[tuple[int, float]]) -> None:
    right, sure = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    cells = cells_of(right, sure)
    found = corp(cells)
    assert found.mcb - found.dsc + found.unc == pytest.approx(((sure - right) ** 2).mean())
    assert found.mcb >= -1e-12
    t = np.array([0.0, 0.3, 0.5, 0.8])
    every = [[float(np.where(sure > tau, (right - one) / (1 - one), 0.0).mean()) for one in t] for tau in (-1.0, *cells.value)]
    assert best_score(cells, t) == pytest.approx(np.max(every, axis=0))
    assert (regret(cells, t) >= -1e-12).all()
    fitted = recalibrated(cells.n, cells.right)
    assert corp(cells_of(np.repeat(right, 1), fitted[np.searchsorted(cells.value, sure)])).mcb == pytest.approx(0, abs=1e-12)


def test_miscalibration_of_the_brier_score_is_the_regret_over_all_targets() -> None:
    right, sure = sample(400, digits=1)
    cells = cells_of(right, sure)
    t = (np.arange(20000) + 0.5) / 20000
    assert 2 * float(((1 - t) * regret(cells, t)).mean()) == pytest.approx(corp(cells).mcb, abs=1e-4)


@given(answers)
def test_augrc_is_auroc_and_accuracy(rows: list[tuple[int, float]]) -> None:
    right, sure = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    a = right.mean()
    expected = (1 - a) ** 2 / 2 if a in (0, 1) else (1 - roc_auc_score(right, sure)) * a * (1 - a) + (1 - a) ** 2 / 2
    assert selective.augrc(cells_of(right, sure)) == pytest.approx(expected)


@pytest.mark.parametrize("t", [0.0, 0.5, 0.9])
def test_points_lost_add_up_to_what_lies_below_the_oracle(t: float) -> None:
    right, sure = sample()
    parts = made(right, sure).lost[f"{t:g}"]
    always = right.mean() - (1 - right.mean()) * t / (1 - t)
    assert sum(part.value or 0 for part in parts.values()) == pytest.approx(right.mean() - always)


def test_points_lost_count_what_the_model_did_when_it_was_told_the_target() -> None:
    right, sure = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.2, 0.4, 0.8])
    told = np.array([1.0, 0.0, 0.0, np.nan])  # points at t = 0.5; no verdict on the last
    lost = made(right, sure, acts={0.5: told}).lost["0.5"]["disobedience"]
    assert (lost.value, lost.n, lost.n_excluded) == (0.0, 3, 1)


# --- invariances


@settings(max_examples=25, deadline=None)
@given(answers, st.randoms())
def test_the_order_of_rows_changes_nothing(rows: list[tuple[int, float]], chance: object) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (made(*(np.array(column, dtype=float) for column in zip(*some, strict=True))) for some in (rows, shuffled))
    assert one == other


def test_doubling_the_answers_changes_no_value_but_aurc_of_the_discrete_curve() -> None:
    right, sure = sample(300)
    once, twice = made(right, sure).metrics, made(np.tile(right, 2), np.tile(sure, 2)).metrics
    for name in ("brier", "log_loss", "ece", "smooth_ece", "auroc", "augrc", "overconfidence", "expected_score"):
        assert once[name].value == pytest.approx(twice[name].value), name


def test_a_monotone_map_of_the_confidence_keeps_the_ranking_metrics() -> None:
    right, sure = sample(500)
    once, other = made(right, sure).metrics, made(right, sure**3).metrics
    for name in ("auroc", "aurc", "e_aurc", "augrc", "prr"):
        assert once[name].value == pytest.approx(other[name].value), name


# --- states


def test_one_constant_confidence_has_one_operating_point() -> None:
    found = made(np.array([1.0, 0, 1, 1]), np.full(4, 0.7))
    assert found.constant
    assert found.metrics["aurc"].value is None
    assert found.metrics["aurc"].reason == "one constant confidence is one operating point, not an order"
    assert found.metrics["auroc"].value == 0.5
    assert found.metrics["ece"].value == pytest.approx(0.05)
    assert found.risk_coverage == ((1.0, 0.25),)


def test_a_certain_error_is_infinite_and_said_so() -> None:
    found = made(np.array([1.0, 0.0]), np.array([0.5, 1.0])).metrics
    assert found["log_loss"].value is None
    assert "infinite" in (found["log_loss"].reason or "")
    assert found["expected_score"].value is None
    assert found["brier"].value == pytest.approx(0.625)


@pytest.mark.parametrize("value", [1.0, 0.0])
def test_one_class_only_has_no_auroc(value: float) -> None:
    found = made(np.full(5, value), np.array([0.1, 0.2, 0.3, 0.4, 0.5])).metrics
    assert found["auroc"].value is None
    assert "nothing to tell apart" in (found["auroc"].reason or "")
    assert found["prr"].value is None


@pytest.mark.parametrize("bad", [1.5, -0.1, float("nan")])
def test_a_confidence_outside_its_range_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="confidence lies in"):
        cells_of([1, 0], [0.5, bad])


def test_stakes_outside_their_range_are_refused() -> None:
    with pytest.raises(UsageError, match="alpha > 0"):
        expected_score(cells_of([1], [0.5]), 0, 1)


def test_partial_credit_counts_as_it_is() -> None:
    right, sure = np.array([1.0, 0.25, 0.5, 0.0]), np.array([0.9, 0.9, 0.4, 0.4])
    cells = cells_of(right, sure)
    assert cells == Cells(*(pytest.approx(x) for x in ([0.4, 0.9], [2, 2], [0.5, 1.25], [0.25, 1.0625], [1, 1])))  # type: ignore[arg-type]
    found = made(right, sure)
    assert found.metrics["brier"].value == pytest.approx(((sure - right) ** 2).mean())
    assert found.score["0.5"].value == pytest.approx((1.25 - 0.75) / 4)


# --- bins


@pytest.mark.parametrize("n", [3, 7, 10, 15, 49])
def test_equal_width_edges_belong_to_the_bin_above(n: int) -> None:
    edges = np.array([i / n for i in range(n)])
    assert calibration.EqualWidth(n).assign(edges).tolist() == list(range(n))
    below = np.nextafter(edges[1:], 0)
    assert calibration.EqualWidth(n).assign(below).tolist() == list(range(n - 1))
    assert calibration.EqualWidth(n).assign(np.array([1.0])).tolist() == [n - 1]


def test_the_debiased_error_is_closer_to_the_truth() -> None:
    rng = np.random.default_rng(3)
    plain, less, squared = [], [], []
    for _ in range(300):
        sure = rng.choice(np.linspace(0.05, 0.95, 10), 200)
        right = (rng.random(200) < sure).astype(float)  # calibrated: the truth is 0
        found = confidence_of("stated", right, sure, [0.0], [0.0], resamples=2).metrics
        plain.append(found["ece"].value)
        less.append(found["ece_debiased"].value)
        squared.append(found["ece_l2_debiased"].value)
    assert 0 < np.mean(less) < 0.75 * np.mean(plain)
    assert np.mean(squared) == pytest.approx(0, abs=4 * np.std(squared) / np.sqrt(300))


# --- intervals


def test_intervals_cover_the_truth() -> None:
    """Overconfident answers with a known law; 95 % intervals may miss in 5 % of the draws, and a few more for chance."""
    levels = np.linspace(0.1, 0.9, 9)
    truth = levels**1.5
    weights = np.full(9, 1 / 9)
    accuracy = float(weights @ truth)
    expected = {
        "brier": float(weights @ (levels**2 - 2 * levels * truth + truth)),
        "ece": float(weights @ np.abs(levels - truth)),
        "auroc": float(
            sum(weights[i] * truth[i] * weights[j] * (1 - truth[j]) * ((i > j) + 0.5 * (i == j)) for i in range(9) for j in range(9))
            / (accuracy * (1 - accuracy))
        ),
    }
    expected["augrc"] = (1 - expected["auroc"]) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    curve = np.array([float(weights @ np.where(levels > t, (truth - t) / (1 - t), 0)) for t in GRID])
    rng = np.random.default_rng(11)
    runs, missed, outside = 150, dict.fromkeys([*expected, "mcb"], 0), 0
    for _ in range(runs):
        sure = rng.choice(levels, 600)
        right = (rng.random(600) < sure**1.5).astype(float)
        found = confidence_of("stated", right, sure, [0.5], GRID, resamples=300)
        for name, value in expected.items():
            one = found.metrics[name]
            missed[name] += not (one.low <= value <= one.high)  # type: ignore[operator]
        truly = float(weights @ (levels - truth) ** 2)
        missed["mcb"] += not (found.corp["mcb"].low <= truly <= found.corp["mcb"].high)  # type: ignore[operator]
        outside += bool(((curve < np.array(found.band.low) - 1e-12) | (curve > np.array(found.band.high) + 1e-12))[:90].any())
    for name, count in missed.items():
        assert count / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs), (name, count)
    assert outside / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_samples_of_an_item_widen_every_interval() -> None:
    right, sure = sample(100)
    wide = made(np.repeat(right, 6), np.repeat(sure, 6), clusters=np.repeat(np.arange(100), 6))
    narrow = made(np.repeat(right, 6), np.repeat(sure, 6))
    single = made(right, sure)
    for name in ("brier", "auroc", "aurc", "prr"):
        widths = [one.metrics[name].high - one.metrics[name].low for one in (wide, narrow, single)]  # type: ignore[operator]
        assert widths[0] == pytest.approx(widths[2], rel=0.25), name
        assert widths[1] < 0.6 * widths[0], name


def test_merged_cells_resample_like_exact_ones() -> None:
    right, sure = sample(5000, digits=None)
    assert not draw(right, sure, cells_of(right, sure), resamples=2).exact
    assert draw(right, np.round(sure, 2), cells_of(right, np.round(sure, 2)), resamples=2).exact
    fine, coarse = made(right, sure).metrics, made(right, np.round(sure, 2)).metrics
    for name in ("aurc", "augrc", "ece", "smooth_ece", "prr"):
        assert fine[name].high - fine[name].low == pytest.approx(coarse[name].high - coarse[name].low, rel=0.15), name  # type: ignore[operator]


def test_auroc_of_cells_is_auroc_of_answers() -> None:
    right, sure = sample(700, digits=1)
    one, other = auroc_of(cells_of(right, sure), right, sure), auroc(right, sure)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_risk_and_coverage_read_each_other() -> None:
    right, sure = np.array([1.0, 1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.7, 0.1])
    cells = cells_of(right, sure)
    assert selective.risk_at_coverage(cells, 0.4) == 0
    assert selective.risk_at_coverage(cells, 0.6) == pytest.approx(0.5 / 3)
    assert selective.coverage_at_risk(cells, 0.25) == pytest.approx(0.8)
    assert selective.coverage_at_risk(cells, 0.0) == pytest.approx(0.4)
    assert selective.coverage_at_risk(cells_of([0, 0], [0.5, 0.6]), 0.1) == 0


# --- what recalibration and thresholds bring


def test_crossfitted_regret_is_not_optimistic() -> None:
    rng = np.random.default_rng(2)
    plain, crossed = [], []
    for _ in range(60):
        sure = rng.random(300)
        right = (rng.random(300) < sure).astype(float)  # calibrated: nothing is to be gained
        plain.append(float(regret(cells_of(right, sure), [0.75])[0]))
        crossed.append(float(crossfitted_regret(right, sure, [0.75])[0]))
    assert np.mean(plain) > 0.005
    assert np.mean(crossed) < 0.25 * np.mean(plain)
    right, sure = sample(4000, power=3.0)  # far overconfident: much is to be gained, on new answers too
    assert crossfitted_regret(right, sure, [0.75])[0] == pytest.approx(regret(cells_of(right, sure), [0.75])[0], rel=0.2)


def test_samples_of_an_item_share_a_fold() -> None:
    """Confidences that say nothing, but repeat with their item: another sample of the same item must not give its verdict away."""
    rng = np.random.default_rng(6)
    leaking, apart = [], []
    for _ in range(40):
        sure, right = np.repeat(rng.random(25), 5), np.repeat((rng.random(25) < 0.5).astype(float), 5)
        leaking.append(crossfitted_regret(right, sure, [0.5])[0])
        apart.append(crossfitted_regret(right, sure, [0.5], clusters=np.repeat(np.arange(25), 5))[0])
    assert np.mean(apart) < np.mean(leaking) - 0.05


def test_the_two_ways_to_the_score_by_confidence_agree() -> None:
    right, sure = sample(700)
    theirs = score_by_confidence(right, sure, [0.0, 0.5, 0.9])
    for t, one in made(right, sure).score.items():
        assert (one.value, one.low, one.high) == pytest.approx((theirs[t].value, theirs[t].low, theirs[t].high))


def test_the_consistency_band_holds_a_calibrated_curve_and_not_an_overconfident_one() -> None:
    rng = np.random.default_rng(4)
    sure = rng.choice(np.linspace(0.1, 0.9, 9), 5000)
    inside = [low <= value <= high for _, value, low, high in reliability_curve(cells_of((rng.random(5000) < sure).astype(float), sure))]
    assert sum(inside) >= 8
    outside = [value < low for _, value, low, _ in reliability_curve(cells_of((rng.random(5000) < sure**2).astype(float), sure))]
    assert sum(outside) >= 7


def test_coverage_and_accuracy_at_a_target() -> None:
    right, sure = np.array([1.0, 1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.7, 0.1])
    found = made(right, sure).at
    assert found["0.5"]["coverage"].value == pytest.approx(0.8)
    assert found["0.5"]["accuracy"].value == pytest.approx(0.75)
    assert found["0.9"]["accuracy"].value is None
    assert found["0.9"]["accuracy"].reason == "no confidence is above it"


def test_the_difference_of_two_aurocs_is_paired() -> None:
    right, sure = sample(400)
    other = np.clip(sure + np.random.default_rng(3).normal(0, 0.05, 400), 0, 1)
    items = np.arange(400)
    found = auroc_difference(auroc_parts(right, sure, items, 400), auroc_parts(right, other, items, 400))
    assert found.value == pytest.approx(roc_auc_score(right, other) - roc_auc_score(right, sure))
    rng = np.random.default_rng(5)
    drawn = []
    for _ in range(1000):
        rows = rng.integers(0, 400, 400)
        drawn.append(roc_auc_score(right[rows], other[rows]) - roc_auc_score(right[rows], sure[rows]))
    assert (found.high - found.low) / 3.92 == pytest.approx(np.std(drawn), rel=0.12)  # type: ignore[operator]
    alone = auroc(right, sure)
    assert found.high - found.low < 0.5 * (alone.high - alone.low)  # type: ignore[operator]


def test_the_difference_of_aurocs_of_two_models_and_of_one_class() -> None:
    items = np.arange(4)
    a, b = (
        (np.array([1.0, 0, 1, 0]), np.array([0.9, 0.1, 0.8, 0.2]), items),
        (np.array([0.0, 0, 1, 1]), np.array([0.9, 0.1, 0.8, 0.2]), items),
    )
    found = auroc_difference(auroc_parts(*a, 4), auroc_parts(*b, 4))
    assert found.value == pytest.approx(-0.5)
    assert found.low is not None
    assert auroc_difference(auroc_parts(*a, 4), auroc_parts(np.ones(4), a[1], items, 4)).value is None
