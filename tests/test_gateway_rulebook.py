"""Which rule decides, by which source: what a policy, a model's server and a client's target make of it."""

import pytest

from gateway_inside import ABLE, MODEL, policy
from wager.answers import ConfidenceSource
from wager.gateway.rulebook import DEGRADING, Rulebook, served_by
from wager.gateway.upstream import Capabilities
from wager.policy.policy import Policy, Rule

NONE = Capabilities(logprobs=False, top_logprobs=False, temperature=True)
UNKNOWN = Capabilities()
NO_TOP = Capabilities(logprobs=True, top_logprobs=False)


def ruling(rules, capabilities=ABLE, kind="factual", model=MODEL, **more):
    return Rulebook(rules).ruling(kind, model, capabilities, **more)


def certified(**changes):
    return Rule(**{"risk": 0.1, "delta": 0.05, "threshold": 0.8, "source": "logprob", "calibration": "logprob", **changes})


def with_rule(rule, sources=("logprob",)):
    made = policy(sources=sources)
    return Policy(model=MODEL, made=made.made, rules={"default": rule}, calibrations=made.calibrations)


def test_the_order_of_degrading_is_the_documented_one():
    assert [str(one) for one in DEGRADING] == ["logprob", "consistency", "p_true", "stated"]


@pytest.mark.parametrize(
    ("source", "capabilities", "without", "read"),
    [
        ("logprob", ABLE, (), "logprob"),
        ("logprob", UNKNOWN, (), "logprob"),  # what is not known yet is tried
        ("logprob", NONE, (), "consistency"),
        ("logprob", ABLE, ("logprob",), "consistency"),
        ("logprob", ABLE, ("logprob", "consistency"), "p_true"),
        ("logprob", NO_TOP, ("logprob", "consistency"), "stated"),
        ("logprob", NONE, ("consistency",), "stated"),
        ("logprob", NONE, ("consistency", "stated"), None),
        ("p_true", ABLE, (), "p_true"),
        ("p_true", NO_TOP, (), "logprob"),
        ("stated", NONE, (), "stated"),
    ],
)
def test_the_first_source_that_can_be_had_is_read(source, capabilities, without, read):
    found = ruling(policy(sources=(source,)), capabilities, without=frozenset(map(ConfidenceSource, without)))
    assert found.source == read


def test_a_rule_of_a_source_that_is_there_decides_without_a_note():
    found = ruling(policy())
    assert (found.name, found.calibration_id, found.notes) == ("default", "logprob@0000000000000000", ())
    assert found.decider is not None
    assert found.decider.decide("Lima", {"logprob": 0.9}).act == "answer"


def test_a_kinds_own_rule_goes_before_the_default():
    rules = policy()
    own = Policy(model=MODEL, made=rules.made, rules={**rules.rules, "factual": Rule(target=0.9, source="logprob", calibration="logprob")}, calibrations=rules.calibrations)  # fmt: skip
    assert (ruling(own).name, ruling(own, kind="reasoning").name) == ("factual", "default")
    assert ruling(own).rule.target == 0.9


@pytest.mark.parametrize("source", ["consistency", "p_true"])
def test_another_source_decides_by_its_own_calibration_at_the_rules_target(source):
    without = frozenset(one for one in DEGRADING if one != source)
    found = ruling(policy(sources=("logprob", source), target=0.7), without=without)
    assert (found.source, found.calibration_id) == (source, f"{source}@0000000000000000")
    assert found.rule.target == 0.7
    assert found.decider.decide("Lima", {source: 0.8}).act == "answer"
    assert found.decider.decide("Lima", {source: 0.6}).act == "abstain"
    assert any("in its place" in note for note in found.notes)


def test_a_certified_threshold_does_not_move_to_another_source():
    found = ruling(with_rule(certified(), sources=("logprob", "consistency")), NONE)
    assert (found.source, found.decider, found.rule) == ("consistency", None, None)
    assert any("decides nothing" in note for note in found.notes)


def test_a_target_moves_a_certified_rule_to_its_calibration():
    found = ruling(with_rule(certified(hedge_above=0.4)), target=0.9)
    assert (found.rule.threshold, found.rule.risk, found.rule.target, found.rule.hedge_above) == (None, None, 0.9, 0.4)
    assert found.decider.decide("Lima", {"logprob": 0.85}).act == "hedge"
    assert found.decider.decide("Lima", {"logprob": 0.95}).act == "answer"


def test_hedging_above_a_lower_target_is_left_out():
    found = ruling(policy(hedge_above=0.4), target=0.3)
    assert found.rule.hedge_above is None
    assert found.decider.decide("Lima", {"logprob": 0.35}).act == "answer"


def test_a_target_without_a_calibration_decides_nothing():
    found = ruling(with_rule(certified(calibration=None)), target=0.9)
    assert found.decider is None
    assert "no calibration" in found.notes[-1]


def test_without_any_source_the_rules_unknown_applies():
    found = ruling(policy(unknown="look_up"), NONE, without=frozenset(DEGRADING))
    assert found.source is None
    assert found.decider.decide("Lima", {}).act == "look_up"
    assert "no source of confidence" in found.notes[0]


@pytest.mark.parametrize("rules", [None, policy(model="someone/else")])
def test_without_a_policy_for_the_model_confidences_are_raw(rules):
    found = ruling(rules)
    assert (found.source, found.decider, found.rule, found.calibration_id) == ("logprob", None, None, None)
    assert "no confidence is calibrated" in found.notes[0]
    assert Rulebook(rules).probability("logprob", 0.5, MODEL) is None


def test_a_calibrated_probability_names_its_calibration():
    book = Rulebook(policy())
    value, name = book.probability("logprob", 0.25, MODEL)
    assert (value, name) == (pytest.approx(0.25), "logprob@0000000000000000")
    assert book.probability("stated", 0.25, MODEL) is None
    assert book.probability("logprob", 0.25, "another") is None


@pytest.mark.parametrize(
    ("model", "policys", "served"),
    [
        ("openai/gpt", "openai/gpt", True),
        ("gpt", "openai/gpt", True),
        ("openai/gpt", "gpt", True),
        ("gp", "openai/gpt", False),
        ("mini", "openai/gpt-mini", False),
        ("azure/gpt", "openai/gpt", False),
    ],
)
def test_a_policy_serves_the_names_of_its_model_only(model, policys, served):
    assert served_by(model, policys) is served


def test_rulings_are_made_once():
    book = Rulebook(policy())
    assert book.ruling("factual", MODEL, ABLE) is book.ruling("smalltalk", MODEL, ABLE)
    for place in range(5000):
        book.ruling("factual", MODEL, ABLE, target=place / 5000)
    assert len(book._made) <= 4097, "clients cannot fill the memory with targets"
