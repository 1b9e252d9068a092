"""What a threshold reaches, as a calibration remembers it of the answers that it was fitted on."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_inside import calibration
from wager.errors import DataError
from wager.policy.calibration import LEVELS, Calibration, calibrate, levels_of

TENTHS = levels_of([0.1, 0.5, 0.9], [0, 1, 1])
HALVED = {"kind": "platt", "slope": 1.0, "intercept": -float(np.log(3)), "clip": 1e-9}
"""Divides the odds by 3: 0.75 becomes 0.5, 0.9 becomes 0.75."""


def with_levels(levels, **changes):
    return replace(calibration(n=3, n_wrong=1, **changes), levels=levels)


@pytest.mark.parametrize(
    ("threshold", "above"),
    [
        (0.05, (1.0, 2 / 3)),
        (0.1, (2 / 3, 1.0)),  # strictly above
        (0.3, (2 / 3, 1.0)),
        (0.5, (1 / 3, 1.0)),
        (0.89, (1 / 3, 1.0)),
        (0.9, (0.0, None)),
        (0.95, (0.0, None)),
    ],
)
def test_the_share_above_a_threshold_is_that_of_the_answers(threshold, above):
    found = with_levels(TENTHS).above(threshold, calibrated=False)
    assert found == (pytest.approx(above[0], abs=1e-6), above[1] if above[1] is None else pytest.approx(above[1]))


def test_a_target_is_compared_with_the_calibrated_probability():
    found = with_levels(levels_of([0.5, 0.75, 0.9], [0, 0, 1]), values=HALVED)
    assert found.at(0.75) == pytest.approx(0.5)
    assert found.above(0.6, calibrated=True) == (pytest.approx(1 / 3, abs=1e-6), 1.0)
    assert found.above(0.6, calibrated=False) == (pytest.approx(2 / 3, abs=1e-6), 0.5)
    assert found.above(0.8, calibrated=True) == (0.0, None)


def test_a_file_of_an_earlier_version_says_nothing():
    assert calibration().above(0.5, calibrated=False) is None


def test_ties_count_as_one_level():
    assert levels_of([0.5, 0.5, 0.9, 0.9], [1, 0, 1, 1]) == ((0.5, 0.5, 1.0), (0.9, 0.0, 0.0))


confidences = st.lists(st.integers(0, 100).map(lambda percent: percent / 100), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(confidences, st.integers(0, 100).map(lambda percent: percent / 100))
def test_with_few_answers_it_is_exact(sure, threshold):
    right = [place % 2 for place, _ in enumerate(sure)]
    found = replace(with_levels(levels_of(sure, right)), n=len(sure), n_wrong=right.count(0)).above(threshold, calibrated=False)
    above = [ok for one, ok in zip(sure, right, strict=True) if one > threshold]
    assert found[0] == pytest.approx(len(above) / len(sure), abs=1e-6)
    assert found[1] == (pytest.approx(sum(above) / len(above), abs=1e-6) if above else None)


@settings(max_examples=40, deadline=None)
@given(st.integers(30, 400), st.floats(0, 1, exclude_max=True), st.integers(0, 5))
def test_with_many_answers_it_is_near_and_a_reachable_threshold_is_never_called_unreachable(n, threshold, seed):
    rng = np.random.default_rng(seed)
    sure = rng.random(n)
    right = rng.random(n) < sure
    levels = levels_of(sure, right)
    assert len(levels) == LEVELS
    found = replace(with_levels(levels), n=n, n_wrong=int((~right).sum())).above(threshold, calibrated=False)
    assert abs(found[0] - (sure > threshold).mean()) <= 2 / (LEVELS - 1)
    assert (found[0] > 0) == bool((sure > threshold).any())


def test_levels_are_fitted_and_survive_the_file():
    rng = np.random.default_rng(3)
    sure = rng.random(120)
    made = calibrate(sure, rng.random(120) < sure, source="logprob", model="m", tasks=["exam"], kind="platt", made="2026-01-31")
    again = Calibration.from_dict(made.to_dict())
    assert again.levels == made.levels
    assert len(made.levels) == LEVELS
    assert [level for level, _, _ in made.levels] == sorted(level for level, _, _ in made.levels)
    assert made.levels[-1][1:] == (0.0, 0.0)
    without = {name: value for name, value in made.to_dict().items() if name != "levels"}
    assert Calibration.from_dict(without).levels == ()


@pytest.mark.parametrize("wrong", [[[0.1, 0.5]], [0.1], "x", [[0.1, "a", 0.5]]])
def test_levels_that_are_none_are_refused_by_name(wrong):
    values = {**with_levels(TENTHS).to_dict(), "levels": wrong}
    with pytest.raises(DataError, match="levels"):
        Calibration.from_dict(values)
