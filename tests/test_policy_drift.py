"""The drift check: false alarms as promised, power as promised, words that fit the numbers, real answers of another model."""

import importlib
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from wager.errors import DataError
from wager.metrics.cells import cells_of
from wager.policy.calibration import Calibration, calibrate
from wager.policy.calibrators import Categorical, Platt, Temperature, calibrator_of
from wager.policy.drift import check
from wager.policy.recalibration import noncentrality, recalibration, score_test, slope_of


def drawn(rng: np.random.Generator, items: int, *, samples: int = 1, power: float = 1.5, shift: float = 0.0):
    """Confidences, verdicts and items; samples of one item have one chance of being right."""
    sure = rng.beta(2, 1.2, items)
    p = np.clip(sure**power - shift + (rng.normal(0, 0.15, items) if samples > 1 else 0), 0.02, 0.98)
    item = np.repeat(np.arange(items), samples)
    return sure[item], (rng.random(len(item)) < p[item]).astype(float), item


def made(sure, right, *, kind: str = "platt", clusters=None, spread: tuple[float, float, float] | None = None) -> Calibration:
    """A calibration without its cross-fitted numbers, which the check does not read."""
    calibrator = calibrator_of(kind).fit(sure, right)
    own = recalibration(calibrator.transform(sure), np.asarray(right, dtype=float), clusters).spread
    return Calibration(
        calibrator=calibrator, source="stated", model="m", tasks=("t",), n=len(sure), n_wrong=1, data="-", made="2026-01-31", reason="-",
        log_loss_before=0, log_loss_after=0, ece_before=0, ece_after=0, spread=own if spread is None else spread,
    )  # fmt: skip


def rejected(repeats: int, *, fitted: int, new: int, seed: int, samples: int = 1, kind: str = "platt", told: bool = True) -> float:
    rng = np.random.default_rng(seed)
    count = 0
    for _ in range(repeats):
        sure, right, item = drawn(rng, fitted, samples=samples)
        clusters = item if samples > 1 else None
        known = made(sure, right, kind=kind, clusters=clusters, spread=None if told else (0.0, 0.0, 0.0))
        sure, right, item = drawn(rng, new, samples=samples)
        found = check(known, sure, right, clusters=item if samples > 1 else None)
        assert found.p_value is not None
        count += found.p_value < 0.05
    return count / repeats


TOLERANCE = 3 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("kind", ["platt", "beta", "venn_abers"])
@pytest.mark.parametrize(("fitted", "new"), [(400, 400), (400, 4000), (2000, 100)])
def test_the_same_world_is_called_drifted_in_one_of_twenty_cases(kind: str, fitted: int, new: int) -> None:
    assert rejected(200, fitted=fitted, new=new, seed=1, kind=kind) <= 0.05 + TOLERANCE


def test_without_the_calibrators_own_error_a_large_check_would_cry_wolf() -> None:
    assert rejected(60, fitted=400, new=4000, seed=1, told=False) > 0.4


def test_samples_of_one_item_do_not_count_as_independent() -> None:
    assert rejected(200, fitted=150, new=150, samples=6, seed=2) <= 0.05 + TOLERANCE
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(100):
        sure, right, item = drawn(rng, 150, samples=6)
        known = made(sure, right, clusters=item)
        sure, right, item = drawn(rng, 150, samples=6)
        wrong += check(known, sure, right).p_value < 0.05
    assert wrong / 100 > 0.07


def test_the_number_needed_sees_a_shift_of_five_points_in_four_of_five_cases() -> None:
    rng = np.random.default_rng(4)
    sure, right, _ = drawn(rng, 20_000)
    known = made(sure, right)
    needed = check(known, sure[:1000], right[:1000]).n_needed
    assert needed is not None
    hits = 0
    for _ in range(400):
        sure, _, _ = drawn(rng, needed)
        chance = np.clip(known.calibrator.transform(sure) - 0.05, 0, 1)
        hits += check(known, sure, (rng.random(needed) < chance).astype(float)).p_value < 0.05
    assert hits / 400 == pytest.approx(0.8, abs=3 * math.sqrt(0.16 / 400) + 0.02)


def test_statsmodels_agrees_on_the_slope_and_its_clustered_error() -> None:
    sm = importlib.import_module("statsmodels.api")
    rng = np.random.default_rng(0)
    sure, right, item = drawn(rng, 200, samples=3)
    x = sm.add_constant(np.log(sure / (1 - sure)))
    plain = sm.GLM(right, x, family=sm.families.Binomial())
    for clusters, fit in ((None, plain.fit()), (item, plain.fit(cov_type="cluster", cov_kwds={"groups": item, "use_correction": False}))):
        slope, saved = slope_of(sure, right, clusters)
        assert slope.value == pytest.approx(fit.params[1], abs=1e-6)
        wide = 1.0 if clusters is None else math.sqrt(200 / 199)  # ours counts clusters less one
        assert (slope.high - slope.low) / 2 / 1.959964 == pytest.approx(fit.bse[1] * wide, rel=1e-4)
        eta = np.log(sure / (1 - sure))
        loss = (np.logaddexp(0, eta) - right * eta).mean()
        assert saved == pytest.approx(loss + fit.llf / 600 - 1 / 600, abs=1e-9)


def test_the_score_test_is_worked_by_hand_for_one_probability() -> None:
    # 100 answers at 0.8, 70 right: (70 - 80)^2 / (100 * 0.8 * 0.2) = 6.25 on one degree of freedom
    found = recalibration(np.full(100, 0.8), np.r_[np.ones(70), np.zeros(30)])
    assert score_test(found) == pytest.approx(math.erfc(2.5 / math.sqrt(2)), rel=1e-6)


def test_the_reach_of_the_test_is_worked_by_hand_for_one_probability() -> None:
    # 100 (0.05)^2 / (0.8 * 0.2); the error of 50 answers behind the calibrator makes it (0.05)^2 / (0.16 / 100 + 0.16 / 50)
    old = recalibration(np.full(50, 0.8), np.r_[np.ones(40), np.zeros(10)])
    new = recalibration(np.full(100, 0.8), np.r_[np.ones(70), np.zeros(30)])
    assert noncentrality(new, 100, 0.05, (0.0, 0.0, 0.0)) == pytest.approx(1.5625)
    assert noncentrality(new, 100, 0.05, old.spread) == pytest.approx(0.0025 / 0.0048)


def test_a_worse_model_is_called_drifted_with_its_size() -> None:
    rng = np.random.default_rng(1)
    known = made(*drawn(rng, 3000)[:2])
    sure, right, _ = drawn(rng, 3000, shift=0.15)
    found = check(known, sure, right)
    assert found.verdict == "drifted"
    assert found.gap.low < 15 < found.gap.high + 1
    assert found.excess_log_loss > 0.02
    assert found.sentence.startswith("drifted: on 3,000 new answers the calibrated confidence is 1")
    assert "points above the share of right answers" in found.sentence


def test_sharper_probabilities_than_the_truth_have_a_slope_below_one() -> None:
    rng = np.random.default_rng(2)
    sure = rng.beta(2, 2, 4000)
    right = (rng.random(4000) < sure).astype(float)
    sharp = made(sure, right, spread=(0.0, 0.0, 0.0))
    known = Calibration(
        **{name: getattr(sharp, name) for name in Calibration.__dataclass_fields__} | {"calibrator": Temperature(0.5, 0.001)}
    )
    found = check(known, sure, right)
    assert found.slope.low < 0.5 < found.slope.high
    assert abs(found.gap.value) < 3  # the mean alone would not show it
    assert found.verdict == "drifted"


def test_the_same_world_holds_when_there_are_enough_answers() -> None:
    rng = np.random.default_rng(7)
    known = made(*drawn(rng, 20_000)[:2])
    found = check(known, *drawn(rng, 5000)[:2])
    assert found.verdict == "holds"
    assert found.n_needed < 1000
    assert found.gap.low < 0 < found.gap.high


def test_too_few_answers_cannot_tell_and_say_how_many_could() -> None:
    rng = np.random.default_rng(3)
    known = made(*drawn(rng, 20_000)[:2])
    found = check(known, *drawn(rng, 60)[:2])
    assert found.verdict == "cannot tell"
    assert f"about {found.n_needed:,} are needed to see a shift of 5 points" in found.sentence
    unsure = made(*drawn(rng, 100)[:2])
    found = check(unsure, *drawn(rng, 3000)[:2])
    assert (found.verdict, found.n_needed) == ("cannot tell", None)
    assert "the calibrator itself came from too few" in found.sentence


def test_answers_that_are_all_right_are_tested_all_the_same() -> None:
    known = made(*drawn(np.random.default_rng(0), 5000)[:2])
    found = check(known, np.linspace(0.1, 0.9, 40), np.ones(40))
    assert found.verdict == "drifted"
    assert (found.slope.value, found.excess_log_loss) == (None, None)
    assert found.slope.reason == "all 40 answers are right: no slope"


def test_items_too_few_for_a_test_say_so() -> None:
    known = made(*drawn(np.random.default_rng(0), 5000)[:2])
    found = check(known, [0.2, 0.3, 0.8, 0.9], [0, 1, 1, 1], clusters=["a", "a", "b", "b"])
    assert (found.verdict, found.p_value) == ("cannot tell", None)
    assert "no test: too few items" in found.sentence
    assert "nan" not in found.sentence


def test_unseen_levels_are_counted_and_not_guessed() -> None:
    right = np.tile([1, 1, 0], 100)
    levels = np.tile([0.9, 0.9, 0.5], 100)
    known = made(levels, right, kind="categorical")
    assert isinstance(known.calibrator, Categorical)
    found = check(known, [*levels, 0.7, 0.7], [*right, 1, 1])
    assert (found.n, found.n_unseen, found.gap.n_excluded) == (300, 2, 2)
    with pytest.raises(DataError, match="2 have a confidence that the calibrator has not seen"):
        check(known, [0.7, 0.7], [1, 0])
    with pytest.raises(DataError, match="no new answers"):
        check(known, [], [])


def test_the_check_does_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(5)
    sure, right, item = drawn(rng, 200, samples=4)
    known = made(sure, right, clusters=item)
    order = rng.permutation(800)
    names = np.array([f"q{number}" for number in item])
    once = check(known, sure, right, clusters=names)
    again = check(known, sure[order], right[order], clusters=names[order])
    assert again == once


def test_the_spread_of_a_platt_fit_is_its_covariance() -> None:
    sure, right, _ = drawn(np.random.default_rng(6), 3000)
    fit = Platt().fit(sure, right)
    p = fit.transform(sure)
    cells = cells_of(right, sure)
    x = np.column_stack([np.ones(len(cells.value)), fit.intercept + fit.slope * np.log(cells.value / (1 - cells.value))])
    w = 1 / (1 + np.exp(-x[:, 1]))
    covariance = np.linalg.inv((x * (w * (1 - w) * cells.n)[:, None]).T @ x)
    assert recalibration(p, right).spread == pytest.approx((covariance[0, 0], covariance[0, 1], covariance[1, 1]), rel=1e-6)


def test_a_calibrator_of_one_real_model_does_not_hold_for_another(data: Path) -> None:
    table = pq.read_table(data / "rlcr" / "commonsenseqa.parquet").to_pydict()
    rows = list(zip(table["method"], table["item"], table["confidence"], table["correct"], strict=True))

    def of(method: str, odd: bool) -> tuple[np.ndarray, np.ndarray]:
        kept = [row for place, row in enumerate(sorted(row for row in rows if row[0] == method)) if (place % 2 == 1) is odd]
        return np.array([row[2] for row in kept]), np.array([row[3] for row in kept], dtype=float)

    known = calibrate(*of("RLCR", odd=True), source="stated", model="RLCR", tasks=["commonsenseqa"])
    assert check(known, *of("RLCR", odd=False)).verdict != "drifted"
    other = check(known, *of("RLVR-Classifier", odd=False))
    assert other.verdict == "drifted"
    assert other.gap.value > 1
