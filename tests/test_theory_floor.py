"""The floor of a table of facts: numbers worked by hand, what is unknown, what a sample of prompts widens, and worlds whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.errors import DataError, UsageError
from wager.facts import FactCounts, Part
from wager.theory.floor import check_options, floor_of
from wager.theory.results import Contradiction, Floor, Remedy
from wager.theory.worlds import Sample, arbitrary_facts, draw, missing_mass

ROWS = [
    ("normalised", 0, 2, 3, 0),  # two prompts are only ever declined
    ("normalised", 1, 30, 32, 0),
    ("normalised", 2, 10, 20, 4),
    ("normalised", 5, 9, 45, 3),
    ("raw", 1, 36, 38, None),
]
TOTALS = {"all": 100, "abstained": 5, "no prompt": 7}


def table(times: int = 1, part: Part | None = None) -> FactCounts:
    """The table of a corpus `times` as large."""
    rows = [(keys, answered, *(None if one is None else one * times for one in more)) for keys, answered, *more in ROWS]
    scale = times * (part.modulus if part else 1)
    return FactCounts.of(rows, {name: count * scale for name, count in TOTALS.items()}, part=part)  # type: ignore[arg-type]


def value(floor: Floor, key: str) -> float | None:
    return floor.quantity(key).value


def remedy(floor: Floor, kind: str, share: float) -> Remedy:
    return next(one for one in floor.remedies if (one.kind, one.share) == (kind, share))


def of_sample(sample: Sample) -> FactCounts:
    """A frequency table straight from the drawn samples."""
    seen = np.bincount(sample.prompt, minlength=len(sample.times))
    drawn = seen > 0
    rows = [
        ("normalised", int(k), int(np.sum(drawn & (sample.times == k))), int(seen[drawn & (sample.times == k)].sum()), 0)
        for k in np.unique(sample.times[drawn])
    ]
    return FactCounts.of(rows, {"all": sample.n, "abstained": int(np.sum(sample.said < 0))})  # type: ignore[arg-type]


def test_numbers_worked_by_hand() -> None:
    floor = floor_of(table(), errors=4)
    expected = {
        "samples": 100, "prompts": 51, "abstained": 0.05, "singletons": 30, "singleton_rate": 0.3, "singleton_rate_raw": 0.36,
        "missing_mass": 0.3, "missing_mass_free": 0.3, "memoriser_error": 0.3 * 4 / 5, "contradicted": 7, "contradiction_rate": 7 / 49,
    }  # fmt: skip
    assert {one.key: one.value for one in floor.quantities} == pytest.approx(expected)
    noise = (35 + 6 * math.log(100)) / 10
    assert floor.lower.value == pytest.approx(0.3 - 2 / 4 - noise)
    assert floor.upper.value == pytest.approx(0.3 - 0.3 / 5 + 13 / 10)
    for bound in (floor.lower, floor.upper):
        assert sum(term.value for term in bound.terms if term.value is not None) == pytest.approx(bound.value)


def test_the_singleton_rate_divides_by_all_samples_abstentions_included() -> None:
    """30 of 95 answered samples would be .316, 30 of 51 prompts .588."""
    floor = floor_of(table())
    assert value(floor, "singleton_rate") == 0.3
    assert "N counts all samples" in floor.quantity("singleton_rate").not_said


def test_every_number_says_what_it_does_not_say() -> None:
    floor = floor_of(table(), errors=4)
    assert all(one.not_said or one.unknown for one in floor.quantities)
    assert floor.lower.not_said
    assert floor.upper.not_said


def test_estys_interval_is_that_of_the_table() -> None:
    mass = floor_of(table()).quantity("missing_mass")
    half = 1.959964 * math.sqrt((0.3 * 0.7 + 2 * 10 / 100) / 100)
    assert (mass.low, mass.high) == pytest.approx((0.3 - half, 0.3 + half))
    assert mass.method == "Esty, normal approximation, 95 %"


def test_with_abstentions_the_free_interval_is_lemma_1s_and_without_the_tighter_one() -> None:
    times = 10_000
    some = floor_of(table(times)).quantity("missing_mass_free")
    assert some.high == pytest.approx(0.3 + 4.42 * math.sqrt(math.log(500) / 1e6))
    assert "Lemma 1" in str(some.method)
    rows = [("normalised", 1, 300_000, 300_000, 0), ("normalised", 7, 100_000, 700_000, 0)]
    none = floor_of(FactCounts.of(rows, {"all": 1_000_000})).quantity("missing_mass_free")  # type: ignore[arg-type]
    assert none.high == pytest.approx(0.3 + 1e-6 + 2.42 * math.sqrt(math.log(400) / 1e6))
    assert "McAllester and Schapire" in str(none.method)


def test_what_was_not_stated_is_unknown_and_not_zero() -> None:
    floor = floor_of(FactCounts.of(ROWS[:4], TOTALS))  # type: ignore[arg-type]
    assert value(floor, "memoriser_error") is None
    assert "--errors was not stated" in str(floor.quantity("memoriser_error").unknown)
    assert value(floor, "singleton_rate_raw") is None
    assert floor.quantity("singleton_rate_raw").unknown == "the counts do not have it"
    assert {term.symbol: term.value for term in floor.lower.terms}["2/min|E_c|"] is None
    assert {term.symbol: term.value for term in floor.upper.terms}["sr/(max|E_c|+1)"] is None


def test_only_declined_prompts_have_no_contradiction_rate() -> None:
    floor = floor_of(FactCounts.of([("normalised", 0, 3, 9, 0)], {"all": 9, "abstained": 9}), errors=3)
    assert (value(floor, "abstained"), value(floor, "singleton_rate"), value(floor, "contradicted")) == (1.0, 0.0, 0.0)
    assert value(floor, "contradiction_rate") is None
    assert floor.quantity("contradiction_rate").unknown == "no prompt is answered"
    assert floor.quantity("missing_mass").low is None  # the normal approximation has no width there


@pytest.mark.parametrize(("n", "vacuous"), [(7_892, True), (7_893, False)])
def test_a_bound_that_says_nothing_is_said_to(n: int, vacuous: bool) -> None:
    """Even where every fact is stated once."""
    floor = floor_of(FactCounts.of([("normalised", 1, n, n, 0)], {"all": n}))
    assert floor.lower.vacuous is vacuous
    assert floor.lower.not_vacuous_from == (7_893 if vacuous else None)


def test_from_the_samples_that_it_names_a_bound_says_something() -> None:
    times = floor_of(table(), errors=364).lower.not_vacuous_from
    assert times is not None
    at = math.ceil(times / 100)
    assert not floor_of(table(at), errors=364).lower.vacuous
    assert floor_of(table(at - 2), errors=364).lower.vacuous


def test_no_size_helps_where_guessing_is_right_too_often() -> None:
    lower = floor_of(table(), errors=2).lower
    assert lower.vacuous
    assert lower.not_vacuous_from is None


def test_remedies_change_the_sample_as_they_say() -> None:
    floor = floor_of(table(10_000), errors=364)
    big = 1_000_000
    expected = {  # kind, share: samples, facts still seen once
        ("repeat", 0.5): (big + 150_000, 150_000), ("abstain", 0.5): (big, 150_000), ("drop", 0.5): (big - 150_000, 150_000),
        ("repeat", 1.0): (big + 300_000, 0), ("abstain", 1.0): (big, 0), ("drop", 1.0): (big - 300_000, 0),
    }  # fmt: skip
    for (kind, share), (n, once) in expected.items():
        found = remedy(floor, kind, share)
        assert (found.n, found.singleton_rate) == pytest.approx((n, once / n))
        lower = once / n - 2 / 364 - (35 + 6 * math.log(n)) / math.sqrt(n)
        assert found.lower == pytest.approx(max(lower, 0))
        assert found.upper == pytest.approx(min(once / n * 364 / 365 + 13 / math.sqrt(n), 1))


def test_untreated_facts_leave_the_floor_as_it_is() -> None:
    floor = floor_of(table(10_000), errors=364)
    for kind in ("repeat", "abstain", "drop"):
        assert remedy(floor, kind, 0.0).lower == floor.lower.value
        assert [one.share for one in floor.remedies if one.kind == kind] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_dropping_everything_leaves_nothing_to_bound() -> None:
    floor = floor_of(FactCounts.of([("normalised", 1, 8, 8, 0)], {"all": 8}))
    assert [one.share for one in floor.remedies if one.kind == "drop"] == [0.0, 0.25, 0.5, 0.75]


def test_a_sample_of_prompts_is_scaled_up_and_says_how_far_it_may_be_off() -> None:
    floor = floor_of(table(part=Part(10, (3,))), errors=4)
    rate = floor.quantity("singleton_rate")
    half = 1.96 * math.sqrt(0.9 * 300 / 0.1) / 1000
    assert (rate.value, rate.low, rate.high) == pytest.approx((0.3, 0.3 - half, 0.3 + half))
    assert (value(floor, "singletons"), value(floor, "prompts"), value(floor, "contradicted")) == (300, 510, 70)
    assert value(floor, "contradiction_rate") == pytest.approx(7 / 49)
    assert [one.prompts for one in floor.frequencies] == pytest.approx([20, 300, 100, 90])
    assert any("10.000% of the prompts were counted" in one and "relative error of |S| 17.3%" in one for one in floor.warnings)
    assert floor.about["prompts counted"] == "1 of 10 parts by the MD5 of their words"


def test_sampling_widens_the_interval() -> None:
    whole, sampled = (floor_of(one).quantity("missing_mass") for one in (table(10), table(part=Part(10, (0,)))))
    assert whole.value == sampled.value
    assert whole.low is not None
    assert sampled.low is not None
    assert sampled.low < whole.low
    assert whole.high is not None
    assert sampled.high is not None
    assert sampled.high > whole.high
    assert floor_of(table(10)).quantity("singleton_rate").low is None  # all were counted: the rate of the data is no estimate


def test_a_sample_without_singletons_does_not_claim_to_be_exact() -> None:
    counts = FactCounts.of([("normalised", 2, 5, 10, 0)], {"all": 100}, part=Part(10, (0,)))
    assert any("no fact seen once is in the sample" in one for one in floor_of(counts).warnings)


def test_more_singletons_than_samples_are_cut() -> None:
    counts = FactCounts.of([("normalised", 1, 5, 5, 0)], {"all": 12}, part=Part(10, (0,)))
    assert value(floor_of(counts), "singleton_rate") == 1.0


def test_declared_row_samples_carry_a_warning() -> None:
    assert not any("sample of a larger corpus" in one for one in floor_of(table()).warnings)
    assert any("the rows are a sample of a larger corpus" in one for one in floor_of(table().declared_row_sampled()).warnings)


def test_many_rows_left_out_are_a_warning_and_few_a_note() -> None:
    assert floor_of(table()).left_out == {"no prompt": 7}
    assert floor_of(table()).warnings == ()
    many = FactCounts.of(ROWS, TOTALS | {"no prompt": 20, "unreadable": 1})  # type: ignore[arg-type]
    assert floor_of(many).warnings == ("21 of 121 rows are in no number (20 no prompt, 1 unreadable)",)


def test_without_a_usable_row_there_is_no_floor() -> None:
    with pytest.raises(DataError, match="no row has both a prompt and an answer: 4 without an answer, 1 unreadable"):
        floor_of(FactCounts.of([], {"all": 0, "no answer": 4, "unreadable": 1}))
    with pytest.raises(DataError, match="there are no rows at all"):
        floor_of(FactCounts.of([], {"all": 0}))


@pytest.mark.parametrize(
    ("errors", "confidence", "said"), [(0, 0.99, "--errors is at least 1"), (None, 1.0, "strictly between"), (None, math.nan, "strictly")]
)
def test_options_out_of_range_are_refused_before_and_after_counting(errors: int | None, confidence: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_options(errors, confidence)
    with pytest.raises(UsageError, match=said):
        floor_of(table(), errors=errors, confidence=confidence)


def test_what_is_handed_in_is_handed_on() -> None:
    shown = Contradiction("who?", 3, (("a", 2), ("b", 1)))
    floor = floor_of(replace(table(), about={"source": "x.csv", "engine": "DuckDB"}), contradictions=[shown], warnings=["mind the gap"])
    assert (floor.source, floor.contradictions, floor.warnings) == ("x.csv", (shown,), ("mind the gap",))
    assert floor.about == {"source": "x.csv", "engine": "DuckDB"}


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 500), st.integers(0, 50)), min_size=1, max_size=6, unique_by=lambda row: row[0]
    ),
    errors=st.one_of(st.none(), st.integers(1, 400)),
    confidence=st.floats(0.01, 0.999),
)
def test_shares_stay_shares_and_intervals_hold_their_value(rows: list[tuple[int, int, int]], errors: int | None, confidence: float) -> None:
    table = [("normalised", k, prompts, (k or 1) * prompts + more, prompts if k > 1 else 0) for k, prompts, more in rows]
    n = sum(row[3] for row in table)
    abstained = n - sum(k * prompts for k, prompts, _ in rows)
    floor = floor_of(FactCounts.of(table, {"all": n, "abstained": abstained}), errors=errors, confidence=confidence)  # type: ignore[arg-type]
    for one in floor.quantities:
        if one.value is not None and one.unit == "share":
            assert 0 <= one.value <= 1
            if one.low is not None and one.high is not None:
                assert 0 <= one.low <= one.value <= one.high <= 1
    for treated in floor.remedies:
        assert 0 <= treated.singleton_rate <= 1
        assert treated.lower is not None
        assert treated.upper is not None
        assert 0 <= treated.lower <= treated.upper <= 1


@pytest.mark.parametrize("answered", [1.0, 0.7])
def test_the_true_missing_mass_of_simulated_worlds_lies_in_the_intervals(answered: float) -> None:
    rng = np.random.default_rng(5)
    inside = {"missing_mass": 0, "missing_mass_free": 0}
    worlds = 200
    for _ in range(worlds):
        world = arbitrary_facts(int(rng.integers(200, 3000)), 365, rng=rng, exponent=float(rng.uniform(0, 1.2)), answered=answered)
        sample = draw(world, int(rng.integers(300, 3000)), rng=rng)
        floor = floor_of(of_sample(sample), errors=world.fewest_errors)
        truth = missing_mass(world, sample)
        for key in inside:
            one = floor.quantity(key)
            inside[key] += one.low is not None and one.high is not None and one.low <= truth <= one.high
    assert inside["missing_mass_free"] == worlds  # 99 % at least, and wider than it need be
    assert inside["missing_mass"] >= 0.91 * worlds  # 95 %, by the normal approximation: 2.6 standard errors


def test_a_list_without_repetitions_is_no_sample_and_says_so():
    listed = FactCounts.of([("normalised", 1, 995, 995, 0), ("normalised", 2, 5, 10, 0)], {"all": 1005, "abstained": 0})
    drawn = FactCounts.of([("normalised", 1, 985, 985, 0), ("normalised", 2, 15, 30, 0)], {"all": 1015, "abstained": 0})
    assert any("list without repetitions" in warning for warning in floor_of(listed).warnings)
    assert not any("list without repetitions" in warning for warning in floor_of(drawn).warnings)


def test_counts_of_a_printed_query_say_how_abstentions_were_found():
    rows, totals = [("normalised", 1, 5, 5, 0), ("normalised", 2, 5, 10, 0)], {"all": 15, "abstained": 0}
    assert any("plain/1" in warning for warning in floor_of(FactCounts.of(rows, totals, about={"abstention": "plain/1"})).warnings)
    assert floor_of(FactCounts.of(rows, totals, about={"abstention": "detector/1"})).warnings == ()
