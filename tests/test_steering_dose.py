"""The safe band: where a planted sweep is monotone and harmless, and what it says where it is not."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wager.steering.dose as dose_module
from wager.errors import UsageError
from wager.metrics.intervals import rate_estimate
from wager.metrics.results import Estimate
from wager.steering.dose import Band, Swept, check_dose, safe_band

FINE = {"known-fact loss": 0.0, "perplexity ratio": 1.0, "repetition": 0.02}


def told(dose: float, hits: int, n: int = 60, paired: bool = False, damage: dict | None = None) -> Swept:
    outcomes = [1.0] * hits + [0.0] * (n - hits)
    return Swept(dose=dose, effect=rate_estimate(outcomes), outcomes=tuple(outcomes) if paired else (), damage=FINE | (damage or {}))


def test_examples() -> None:
    assert doctest.testmod(dose_module).failed == 0


def test_a_harmless_monotone_sweep_is_safe_to_its_ends() -> None:
    band = safe_band([told(d, h) for d, h in ((0.5, 50), (-0.5, 5), (0, 20), (0.25, 35), (-0.25, 12))])
    assert band.ends == (-0.5, 0.5)
    assert band.turns_low is None
    assert band.turns_high is None
    assert (band.peak_low, band.peak_high) == (-0.5, 0.5)
    assert band.why_high == "the sweep ends here"


def test_the_band_ends_before_the_effect_turns_over() -> None:
    band = safe_band([told(d, h) for d, h in ((0, 10), (0.25, 30), (0.5, 45), (0.75, 20), (1.0, 50))])
    assert band.high == 0.5
    assert band.turns_high == 0.75
    assert band.why_high == "the effect turns over: 0.75 at 0.5, 0.333 at 0.75"
    assert (band.low, band.why_low, band.peak_low) == (0.0, "no dose was tried on this side", None)


def test_a_falling_effect_such_as_hedging_is_read_the_other_way() -> None:
    # hedging on invented entities of the trial's filtered vector at 0, -0.5, -0.75, -1 and -1.25, of 20
    hedges = [told(d, h, n=20) for d, h in ((0, 2), (-0.5, 10), (-0.75, 13), (-1.0, 10), (-1.25, 3))]
    band = safe_band(hedges, rising=False)
    assert band.low == -1.0  # 0.65 to 0.50 of 20 is noise, 0.65 to 0.15 is not
    assert band.turns_low == -1.25
    assert band.peak_low == -0.75
    assert safe_band(hedges).turns_low == -0.5  # read as rising, it goes the wrong way at once


def test_noise_is_no_reversal_but_many_small_steps_back_are() -> None:
    assert safe_band([told(d, h) for d, h in ((0, 30), (0.25, 40), (0.5, 38))]).high == 0.5
    slow = [told(d, h) for d, h in ((0, 10), (0.2, 45), (0.4, 40), (0.6, 35), (0.8, 30))]
    assert safe_band(slow).turns_high == 0.6  # each step alone is noise; against the best dose it is not


def test_pairs_see_a_reversal_that_intervals_do_not() -> None:
    plain = [told(d, h) for d, h in ((0, 10), (0.25, 30), (0.5, 24))]
    assert safe_band(plain).high == 0.5
    paired = [told(d, h, paired=True) for d, h in ((0, 10), (0.25, 30), (0.5, 24))]
    assert safe_band(paired).turns_high == 0.5  # six questions turned back, none the other way: p = 1/64
    few = [told(d, h, paired=True) for d, h in ((0, 10), (0.25, 30), (0.5, 26))]
    assert safe_band(few).high == 0.5  # four: p = 1/16


def test_a_damage_above_its_limit_or_unknown_ends_the_band() -> None:
    sweep = [
        told(-0.5, 5, damage={"repetition": 0.4}),
        told(0, 20),
        told(0.25, 30),
        told(0.5, 40, damage={"known-fact loss": 0.06}),
        told(0.75, 50),
    ]
    band = safe_band(sweep)
    assert band.ends == (0.0, 0.25)
    assert band.why_high == "known-fact loss at 0.5 is 0.06, above 0.05"
    assert band.why_low == "repetition at -0.5 is 0.4, above 0.15"
    unknown = [told(0, 20), told(0.25, 30, damage={"perplexity ratio": None})]
    assert safe_band(unknown).why_high == "perplexity ratio at 0.25 is not known"
    assert safe_band(sweep, limits={"repetition": 0.5}).ends == (-0.5, 0.75)


def test_an_unknown_effect_is_not_safe() -> None:
    gone = Swept(dose=0.5, effect=Estimate(None, reason="nothing was graded"), damage=FINE)
    assert safe_band([told(0, 20), gone]).why_high == "the effect at 0.5 is not known (nothing was graded)"


def test_a_sweep_without_its_zero_or_with_a_dose_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="has the dose 0"):
        safe_band([told(0.5, 20)])
    with pytest.raises(UsageError, match=r"comes once, got 0, 0\.5, 0\.5"):
        safe_band([told(0, 1), told(0.5, 20), told(0.5, 30)])
    with pytest.raises(UsageError, match="different numbers"):
        safe_band([told(0, 1, paired=True), told(0.5, 20)])


def test_a_dose_outside_the_band_is_refused_by_name_unless_meant() -> None:
    band = Band(low=-0.5, high=0.25, why_low="", why_high="")
    assert check_dose(0.25, band) == 0.25
    with pytest.raises(UsageError, match=r"a dose of 0\.3 is outside the safe band, -0\.5 to 0\.25"):
        check_dose(0.3, band)
    with pytest.raises(UsageError, match="outside the safe band"):
        check_dose(-0.51, (-0.5, 0.25))
    assert check_dose(3.0, band, beyond=True) == 3.0
    with pytest.raises(UsageError, match="no sweep has measured"):
        check_dose(0.1, None)
    assert check_dose(0.0, None) == 0.0
    for wrong in (math.nan, math.inf):
        with pytest.raises(UsageError, match="finite number"):
            check_dose(wrong, band, beyond=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=3, max_size=7), st.randoms(use_true_random=False))
def test_order_is_irrelevant_and_the_mirror_image_gives_the_mirrored_band(hits: list[int], random) -> None:
    doses = [0.25 * (at - 1) for at in range(len(hits))]
    sweep = [told(d, h, n=40) for d, h in zip(doses, hits, strict=True)]
    band = safe_band(sweep)
    assert band.low <= 0 <= band.high
    shuffled = list(sweep)
    random.shuffle(shuffled)
    assert safe_band(shuffled) == band
    mirrored = safe_band([told(-d, h, n=40) for d, h in zip(doses, hits, strict=True)], rising=False)
    assert mirrored.ends == (-band.high, -band.low)


def test_a_truly_monotone_dial_rarely_seems_to_turn_over() -> None:
    rng = np.random.default_rng(0)
    turned = 0
    for _ in range(200):
        sweep = [told(d, int(rng.binomial(60, p))) for d, p in ((0, 0.3), (0.25, 0.45), (0.5, 0.6), (0.75, 0.75))]
        turned += safe_band(sweep).turns_high is not None
    assert turned <= 10
