"""The Decider: (answer, confidences, policy) to an act, and what is then said."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.answers import ConfidenceSource
from wager.elicit.lexicon import DEFAULT_SHADES
from wager.errors import DataError, TargetError, UsageError
from wager.grading.abstention import find_abstention
from wager.policy.calibration import Calibration
from wager.policy.calibrators import calibrator_from
from wager.policy.decide import OPENINGS, Decider, Decision
from wager.policy.policy import Policy, Rule
from wager.policy.shades import express

SAME = {"kind": "beta", "a": 1.0, "b": 1.0, "c": 0.0, "clip": 1e-9}
"""ln s - ln(1 - s): leaves every confidence as it is, up to rounding."""
HALVED = {"kind": "platt", "slope": 1.0, "intercept": -math.log(3), "clip": 1e-9}
"""Divides the odds by 3: 0.75 becomes 0.5, 0.9 becomes 0.75."""


def calibration(values: Mapping[str, Any], source: str = "logprob") -> Calibration:
    return Calibration(
        calibrator=calibrator_from(values),
        source=source,
        model="m",
        tasks=("exam",),
        n=100,
        n_wrong=40,
        data="0" * 16,
        made="2026-01-31",
        reason="hand-made",
        log_loss_before=0.7,
        log_loss_after=0.6,
        ece_before=0.2,
        ece_after=0.1,
        spread=(0.1, 0.0, 0.1),
    )


def decider(rule: Rule, values: Mapping[str, Any] = SAME, **rules: Rule) -> Decider:
    calibrations = {"c": calibration(values, str(rule.source))}
    return Decider(Policy(model="m", made="2026-01-31", rules={"default": rule, **rules}, calibrations=calibrations))


def target_rule(**values: Any) -> Rule:
    return Rule(**{"target": 0.75, "source": "logprob", "calibration": "c", **values})


CERTIFIED = Rule(risk=0.1, delta=0.05, threshold=0.8, source="logprob")


# answering


def test_above_the_target_the_answer_is_given_as_it_is() -> None:
    found = decider(target_rule(), HALVED).decide("Lima", {"logprob": 0.95})
    assert (found.act, found.text, found.shade) == ("answer", "Lima", None)
    assert found.probability == pytest.approx(19 / 3 / (19 / 3 + 1))
    assert (found.confidence, found.compared, found.threshold) == (0.95, "probability", 0.75)
    assert found.reason == "The probability 0.864 is above the target 0.75."


def test_a_raw_confidence_above_the_target_is_not_enough() -> None:
    found = decider(target_rule(), HALVED).decide("Lima", {"logprob": 0.8})
    assert found.act == "abstain"
    assert found.probability == pytest.approx(4 / 7)
    assert found.reason == "The probability 0.571 is not above the target 0.75."


def test_at_exactly_the_target_nothing_is_answered() -> None:
    one_half = {"kind": "temperature", "temperature": 2.0, "clip": 0.01}
    assert decider(target_rule(target=0.5), one_half).decide("Lima", {"logprob": 0.5}).act == "abstain"
    assert decider(target_rule(target=0.5), one_half).decide("Lima", {"logprob": 0.51}).act == "answer"
    assert decider(target_rule(target=math.nextafter(0.5, 0)), one_half).decide("Lima", {"logprob": 0.5}).act == "answer"


def test_a_certified_threshold_is_compared_with_the_raw_confidence_and_strictly() -> None:
    decide = decider(CERTIFIED).decide
    at, above = decide("Lima", {"logprob": 0.8}), decide("Lima", {"logprob": math.nextafter(0.8, 1)})
    assert (at.act, above.act) == ("abstain", "answer")
    assert at.reason == "The logprob confidence 0.8 is not above the certified threshold 0.8."
    assert above.reason == "The logprob confidence 0.8000000000000002 is above the certified threshold 0.8."
    assert (above.compared, above.threshold, above.probability) == ("confidence", 0.8, None)


def test_a_certified_threshold_decides_instead_of_the_target() -> None:
    rule = target_rule(threshold=0.4, delta=0.05)
    found = decider(rule, HALVED).decide("Lima", {"logprob": 0.5})
    assert (found.act, found.compared) == ("answer", "confidence")
    assert found.probability == pytest.approx(0.25)


def test_a_threshold_of_one_answers_nothing() -> None:
    assert decider(dataclasses.replace(CERTIFIED, threshold=1.0)).decide("Lima", {"logprob": 1.0}).act == "abstain"


def test_words_say_the_confidence_of_plain_answers_too() -> None:
    found = decider(target_rule(words=True)).decide("Lima", {"logprob": 0.97})
    shade = DEFAULT_SHADES.at(0.97)
    assert (found.act, found.text, found.shade) == ("answer", express("Lima", shade), shade.name)
    assert "Lima" in found.text


# hedging


def test_between_the_two_thresholds_the_answer_is_hedged() -> None:
    found = decider(target_rule(hedge_above=0.5)).decide("Lima", {"logprob": 0.6})
    shade = DEFAULT_SHADES.at(0.6)
    assert (found.act, found.shade, found.text) == ("hedge", shade.name, express("Lima", shade))
    assert found.text != "Lima"
    assert found.reason == "The probability 0.6 is not above the target 0.75, but above 0.5, enough to answer with words of doubt."


def test_at_exactly_the_lower_threshold_nothing_is_hedged() -> None:
    one_half = {"kind": "temperature", "temperature": 2.0, "clip": 0.01}
    decide = decider(target_rule(hedge_above=0.5), one_half).decide
    assert decide("Lima", {"logprob": 0.5}).act == "abstain"
    assert decide("Lima", {"logprob": 0.51}).act == "hedge"


def test_below_both_thresholds_the_reason_says_both() -> None:
    found = decider(target_rule(hedge_above=0.5)).decide("Lima", {"logprob": 0.3})
    assert found.act == "abstain"
    assert found.reason == "The probability 0.3 is not above the target 0.75, and not above 0.5, too little for words of doubt."


def test_below_a_certified_threshold_the_probability_decides_on_hedging() -> None:
    rule = dataclasses.replace(CERTIFIED, calibration="c", hedge_above=0.3)
    decide = decider(rule, HALVED).decide
    assert [decide("Lima", {"logprob": one}).act for one in (0.81, 0.8, 0.6, 0.5)] == ["answer", "hedge", "hedge", "abstain"]
    assert decide("Lima", {"logprob": 0.6}).reason == (
        "The logprob confidence 0.6 is not above the certified threshold 0.8, but the probability 0.333 is above 0.3, "
        "enough to answer with words of doubt."
    )


# doing something else


@pytest.mark.parametrize("act", ["look_up", "clarify", "abstain"])
def test_below_the_target_the_rule_says_what_to_do(act: str) -> None:
    rule = target_rule(below=act, next_step="  Ask a geographer. ")
    found = decider(rule).decide("Lima", {"logprob": 0.1})
    assert (found.act, found.text, found.shade) == (act, f"{OPENINGS[act]} Ask a geographer.", None)  # type: ignore[index]
    assert decider(target_rule(below=act)).decide("Lima", {"logprob": 0.1}).text == OPENINGS[act]  # type: ignore[index]


def test_what_is_said_when_abstaining_counts_as_abstaining() -> None:
    found = decider(target_rule(next_step="Please check the timetable of the station.")).decide("9:14", {"logprob": 0.1})
    assert find_abstention(found.text) is not None
    assert "9:14" not in found.text


@pytest.mark.parametrize(("below", "act"), [("look_up", "look_up"), ("clarify", "abstain"), ("abstain", "abstain")])
@pytest.mark.parametrize("answer", [None, "", " \n\t"])
def test_a_model_that_does_not_know_is_not_made_to_answer(answer: str | None, below: str, act: str) -> None:
    found = decider(target_rule(below=below)).decide(answer, {"logprob": 0.99}, targets=[0.0])
    assert (found.act, found.at_targets) == (act, {0.0: act})
    assert (found.confidence, found.probability) == (None, None)
    assert found.reason == "The model itself said that it does not know."


# confidences


@pytest.mark.parametrize("unknown", ["look_up", "clarify", "abstain"])
def test_a_confidence_that_is_not_there_is_not_a_low_one(unknown: str) -> None:
    rule = target_rule(target=0.0, unknown=unknown, below="abstain" if unknown != "abstain" else "look_up")
    found = decider(rule).decide("Lima", {"stated": 0.9, "p_true": 0.8}, targets=[0.5])
    assert (found.act, found.confidence, found.probability, found.at_targets) == (unknown, None, None, {0.5: unknown})
    assert found.reason == "There is no logprob confidence, and no other is read in its place (given: p_true, stated)."
    assert "(given: none)" in decider(rule).decide("Lima", {}).reason


def test_a_level_that_the_calibration_has_not_seen_has_no_probability() -> None:
    levels = {"kind": "categorical", "levels": [0.5, 0.9], "values": [0.3, 0.8]}
    decide = decider(target_rule(unknown="clarify"), levels).decide
    found = decide("Lima", {"logprob": 0.7}, targets=[0.5])
    assert (found.act, found.confidence, found.probability, found.at_targets) == ("clarify", 0.7, None, {0.5: "clarify"})
    assert found.reason == "The calibration has no probability for a logprob confidence of 0.7: no graded answer had it."
    assert [decide("Lima", {"logprob": one}).act for one in (0.9, 0.5)] == ["answer", "abstain"]
    certified = decider(dataclasses.replace(CERTIFIED, calibration="c", hedge_above=0.1, words=True), levels).decide
    assert [(one.act, one.shade) for one in (certified("Lima", {"logprob": x}) for x in (0.85, 0.7))] == [
        ("answer", None),
        ("abstain", None),
    ]


def test_a_confidence_of_zero_is_a_low_one() -> None:
    found = decider(target_rule(below="look_up", unknown="clarify")).decide("Lima", {"logprob": 0})
    assert (found.act, found.confidence) == ("look_up", 0.0)


def test_sources_may_be_named_by_the_enum_or_by_text() -> None:
    decide = decider(CERTIFIED).decide
    assert decide("Lima", {ConfidenceSource.LOGPROB: np.float64(0.9)}) == decide("Lima", {"logprob": 0.9})
    assert decide("Lima", {"logprob": np.float32(0.9)}).act == "answer"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e-9, 1 + 1e-9, 75])
@pytest.mark.parametrize("source", ["logprob", "stated"])
def test_a_confidence_outside_its_range_is_refused_whatever_its_source(value: float, source: str) -> None:
    with pytest.raises(DataError, match=rf"a {source} confidence lies in \[0, 1\], got .*; leave out a source that is not available"):
        decider(CERTIFIED).decide("Lima", {"logprob": 0.9, source: value})


@pytest.mark.parametrize("value", [None, "0.9", True])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match=r"a logprob confidence is a number in \[0, 1\], got"):
        decider(CERTIFIED).decide("Lima", {"logprob": value})


# rules and targets


def test_each_kind_of_task_has_its_own_rule() -> None:
    decide = decider(CERTIFIED, capitals=dataclasses.replace(CERTIFIED, threshold=0.2)).decide
    assert (decide("Lima", {"logprob": 0.5}).act, decide("Lima", {"logprob": 0.5}, kind="capitals").act) == ("abstain", "answer")


def test_a_kind_without_a_rule_gets_the_default_one_and_is_told_so() -> None:
    found = decider(CERTIFIED).decide("Lima", {"logprob": 0.9}, kind="letters")
    assert (found.kind, found.rule, found.act) == ("letters", "default", "answer")
    assert found.reason.endswith(" There is no rule for 'letters', so the default one is used.")
    known = decider(CERTIFIED, letters=CERTIFIED).decide("Lima", {"logprob": 0.9}, kind="letters")
    assert (known.rule, "default" in known.reason) == ("letters", False)


def test_other_targets_are_judged_by_the_probability() -> None:
    rule = dataclasses.replace(CERTIFIED, calibration="c", below="look_up")
    found = decider(rule, HALVED).decide("Lima", {"logprob": 0.75}, targets=[0, 0.49, 0.5 + 1e-9, 0.9])
    assert found.act == "look_up"
    assert found.at_targets == {0.0: "answer", 0.49: "answer", 0.5 + 1e-9: "look_up", 0.9: "look_up"}


def test_at_exactly_another_target_it_would_not_answer() -> None:
    one_half = {"kind": "temperature", "temperature": 2.0, "clip": 0.01}
    found = decider(target_rule(), one_half).decide("Lima", {"logprob": 0.5}, targets=[0.5, math.nextafter(0.5, 0)])
    assert found.at_targets == {0.5: "abstain", math.nextafter(0.5, 0): "answer"}


def test_without_a_probability_other_targets_are_unknown() -> None:
    found = decider(dataclasses.replace(CERTIFIED, unknown="clarify")).decide("Lima", {"logprob": 0.9}, targets=[0.5])
    assert (found.act, found.at_targets) == ("answer", {0.5: "clarify"})


@pytest.mark.parametrize("target", [1.0, -0.1, math.nan])
def test_a_target_outside_its_range_is_refused(target: float) -> None:
    with pytest.raises(TargetError):
        decider(CERTIFIED).decide("Lima", {"logprob": 0.9}, targets=[target])


def test_a_policy_of_another_model_is_refused_naming_both() -> None:
    policy = decider(CERTIFIED).policy
    with pytest.raises(UsageError, match=r"the policy is for 'm', got 'm2'"):
        Decider(policy, model="m2")
    assert Decider(policy, model="m").decide("Lima", {"logprob": 0.9}).act == "answer"


# properties


RANK = {"abstain": 0, "clarify": 0, "look_up": 0, "hedge": 1, "answer": 2}
CALIBRATORS = st.sampled_from(
    [
        SAME,
        HALVED,
        {"kind": "temperature", "temperature": 3.0, "clip": 0.01},
        {"kind": "beta", "a": 0.3, "b": 2.0, "c": 0.1, "clip": 1e-6},
    ]
)
CONFIDENCES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.8, 1.0]))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    values: dict[str, Any] = {"source": "logprob", "calibration": "c", "below": draw(st.sampled_from(["abstain", "look_up", "clarify"]))}
    values["words"] = draw(st.booleans())
    if draw(st.booleans()):
        values["target"] = draw(st.floats(0.01, 0.99))
        values["hedge_above"] = draw(st.none() | st.floats(0, values["target"], exclude_max=True))
    else:
        values |= {"risk": 0.1, "delta": 0.1, "threshold": draw(st.floats(0, 1)), "hedge_above": draw(st.none() | st.floats(0, 0.99))}
    return Rule(**values)


def acts(rule: Rule, values: Mapping[str, Any], confidences: list[float]) -> list[Decision]:
    decide = decider(rule, values).decide
    return [decide("Lima", {"logprob": one}) for one in confidences]


@settings(max_examples=200, deadline=None)
@given(rules(), CALIBRATORS, CONFIDENCES, CONFIDENCES)
def test_surer_never_does_less(rule: Rule, values: Mapping[str, Any], one: float, other: float) -> None:
    less, more = acts(rule, values, sorted([one, other]))
    assert RANK[less.act] <= RANK[more.act]


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1, exclude_max=True), CALIBRATORS, CONFIDENCES)
def test_it_answers_iff_the_probability_is_above_the_target(target: float, values: Mapping[str, Any], confidence: float) -> None:
    (found,) = acts(target_rule(target=target), values, [confidence])
    assert found.probability is not None
    assert (found.act == "answer") == (found.probability > target)
    if found.probability < 1:
        (at,) = acts(target_rule(target=found.probability), values, [confidence])
        assert at.act == "abstain"


@settings(max_examples=100, deadline=None)
@given(rules(), CALIBRATORS, CONFIDENCES, st.lists(st.floats(0, 1, exclude_max=True), max_size=5))
def test_a_higher_target_never_answers_more(rule: Rule, values: Mapping[str, Any], confidence: float, targets: list[float]) -> None:
    found = decider(rule, values).decide("Lima", {"logprob": confidence}, targets=targets)
    assert set(found.at_targets) == {t + 0.0 for t in targets}
    ranks = [RANK[found.at_targets[t]] for t in sorted(found.at_targets)]
    assert ranks == sorted(ranks, reverse=True)


@settings(max_examples=100, deadline=None)
@given(rules(), CALIBRATORS, CONFIDENCES, st.dictionaries(st.sampled_from(["stated", "p_true", "verbal"]), st.floats(0, 1)))
def test_other_confidences_change_nothing(rule: Rule, values: Mapping[str, Any], confidence: float, others: dict[str, float]) -> None:
    decide = decider(rule, values).decide
    assert decide("Lima", {"logprob": confidence, **others}) == decide("Lima", {"logprob": confidence})


@settings(max_examples=100, deadline=None)
@given(rules(), CALIBRATORS, CONFIDENCES, st.text(min_size=1).filter(str.strip))
def test_an_answer_is_given_in_full_or_not_at_all(rule: Rule, values: Mapping[str, Any], confidence: float, answer: str) -> None:
    found = decider(rule, values).decide(answer, {"logprob": confidence})
    if found.act == "answer" and not rule.words:
        assert found.text == answer
    elif found.act in ("answer", "hedge"):
        assert found.text == express(answer, next(one for one in DEFAULT_SHADES.shades if one.name == found.shade))
    else:
        assert found.text == OPENINGS[found.act]  # type: ignore[index]
    assert found.reason.endswith(".")
    assert "\n" not in found.reason
