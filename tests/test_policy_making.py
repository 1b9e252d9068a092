"""From a table of answers to a policy, and whether its promise was kept: each number by hand."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from wager.answers import Answer, ConfidenceSource, Outcome
from wager.errors import DataError, UsageError
from wager.policy.answers import GivenAnswers, given_answers, with_combined
from wager.policy.decide import Decider
from wager.policy.kept import kept
from wager.policy.making import certified, make_policy
from wager.policy.policy import Rule
from wager.policy.risk_table import RiskTable, risk_table
from wager.policy.toml import parse_policy, policy_text, read_policy
from wager.table import AnswerTable

STATED, LOGPROB, COMBINED = ConfidenceSource.STATED, ConfidenceSource.LOGPROB, ConfidenceSource.COMBINED


def row(item: str = "1", credit: float | None = 1.0, stated: float | None = 0.8, **values: Any) -> Answer:
    outcome = values.pop("outcome", Outcome.CORRECT if credit else Outcome.INCORRECT)
    confidence = values.pop("confidence", {} if stated is None else {STATED: stated})
    return Answer(**{"task": "exam", "model": "m", "item": item, "outcome": outcome, "credit": credit, "confidence": confidence} | values)


def table(*rows: Answer) -> AnswerTable:
    return AnswerTable.from_answers(rows)


def simulated(n: int = 800, seed: int = 1, source: str = "stated", model: str = "m") -> GivenAnswers:
    """Right with the square of the confidence: overconfident, and in order."""
    rng = np.random.default_rng(seed)
    confidence = np.round(rng.random(n), 3)
    correct = (rng.random(n) < confidence**2).astype(float)
    return GivenAnswers(source, model, ("exam",), confidence, correct, np.arange(n), n, 0, {})


# given_answers


def test_answers_under_a_stated_target_are_left_out_where_there_are_others() -> None:
    closed = [row("1", 1.0, 0.9), row("2", 0.0, 0.4)]
    told = [row("1", 1.0, 0.7, arm="open", target=0.5), row("2", 0.0, 0.1, arm="open", target=0.9)]
    found = given_answers(table(*closed, *told))
    assert (found.confidence.tolist(), found.correct.tolist(), found.questions) == ([0.9, 0.4], [1.0, 0.0], 2)
    only = given_answers(table(*told))
    assert (only.confidence.tolist(), only.questions) == ([0.7, 0.1], 2)


def test_samples_drawn_for_agreement_are_no_answers_of_their_own() -> None:
    found = given_answers(table(row("1", 1.0, 0.9), row("1", 1.0, 0.9, arm="consistency", sample=2)))
    assert found.questions == 1


def test_every_state_without_a_place_is_counted_and_never_a_number() -> None:
    states = [row(str(n), None, None, outcome=one) for n, one in enumerate(Outcome, start=10) if not one.is_answer]
    found = given_answers(table(row("1"), row("2", 0.0, 0.3), row("3", 1.0, None), *states, states[0]))
    assert found.confidence.tolist() == [0.8, 0.3]
    names = [one.value for one in Outcome if not one.is_answer]
    assert found.left_out == dict.fromkeys(names, 1) | {names[0]: 2, "no confidence": 1}
    assert found.questions == 3 + len(states) + 1 == len(found.confidence) + sum(found.left_out.values())
    assert dict(given_answers(table(row())).left_out) == {}


def test_answers_to_questions_that_have_none_are_counted() -> None:
    rows = [row("0"), row("1"), row("2", 0.0, 0.9, answerable=False), row("3", None, None, outcome=Outcome.ABSTAINED, answerable=False)]
    assert given_answers(table(*rows)).n_unanswerable == 1


def test_items_are_numbered_within_their_task() -> None:
    rows = [row("1"), row("1", 0.0, sample=2), row("1", task="quiz"), row("2", task="quiz")]
    found = given_answers(table(*rows))
    assert found.items.tolist() == [0, 0, 1, 2]
    assert found.tasks == ("exam", "quiz")


def test_several_models_are_refused_and_named() -> None:
    with pytest.raises(UsageError, match=r"of 2 models \(a, b\); choose one with --where model=NAME"):
        given_answers(table(row(model="a"), row(model="b")))
    with pytest.raises(UsageError, match=r"of 5 models \(a, b, c, d, \.\.\.\)"):
        given_answers(table(*(row(model=name) for name in "abcde")))


def test_the_only_source_is_taken_and_one_of_several_must_be_chosen() -> None:
    both = table(row(confidence={STATED: 0.8, LOGPROB: 0.3}))
    assert given_answers(table(row())).source == "stated"
    assert given_answers(both, "logprob").confidence.tolist() == [0.3]
    with pytest.raises(UsageError, match="the answers have stated, logprob; choose one with --source"):
        given_answers(both)
    with pytest.raises(UsageError, match="no answer has a 'p_true' confidence; the answers have stated, logprob"):
        given_answers(both, "p_true")
    with pytest.raises(UsageError, match="wager elicit gets one"):
        given_answers(table(row(stated=None)))


def test_a_confidence_without_a_verdict_is_no_graded_answer() -> None:
    with pytest.raises(DataError, match="none of 1 rows is a graded answer with a stated confidence"):
        given_answers(table(row(credit=None, outcome=Outcome.UNGRADED)))


# with_combined


def two_sources(n: int = 200, seed: int = 2, samples: int = 1) -> list[Answer]:
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        p = rng.random()
        for sample in range(samples):
            x = {STATED: float(np.clip(p + rng.normal(0, 0.25), 0, 1)), LOGPROB: float(np.clip(p + rng.normal(0, 0.25), 0, 1))}
            rows.append(row(str(k), float(rng.random() < p), confidence=x, sample=sample + 1))
    return rows


def auroc(sure: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    return float(np.mean(sure[right == 1][:, None] > sure[right == 0][None, :]))


def test_the_combination_fills_its_column_and_orders_better_than_either() -> None:
    given, note = with_combined(table(*two_sources(600)))
    found, right = given.confidence(COMBINED), given.credit
    assert not np.isnan(found).any()
    assert note.startswith("combined: ")
    assert "stated, logprob" in note
    assert auroc(found, right) > max(auroc(given.confidence(source), right) for source in (STATED, LOGPROB)) + 0.02
    assert given_answers(given, "combined").source == "combined"


def test_no_answer_sees_the_verdicts_of_its_item() -> None:
    rows = two_sources(60, samples=2)
    before = with_combined(table(*rows))[0].confidence(COMBINED)
    for first in (0, 56, 118):
        changed = [*rows]
        for place in (first, first + 1):
            changed[place] = row(
                rows[place].item, 1.0 - (rows[place].credit or 0.0), confidence=rows[place].confidence, sample=rows[place].sample
            )
        same = with_combined(table(*changed))[0].confidence(COMBINED) == before
        assert same[[first, first + 1]].all()
        assert not same.all()


def test_noise_that_is_combined_tells_nothing() -> None:
    rng = np.random.default_rng(3)
    rows = [row(str(k), float(k % 2), confidence={STATED: float(rng.random()), LOGPROB: float(rng.random())}) for k in range(400)]
    given, _ = with_combined(table(*rows))
    assert auroc(given.confidence(COMBINED), given.credit) < 0.5 + 3 * 0.03  # a model fitted on the same answers is above one half


def test_what_lacks_a_source_gets_no_combination() -> None:
    rows = two_sources(100)
    rows[3] = row("3", 1.0, confidence={STATED: 0.5})
    rows.append(row("x", None, None, outcome=Outcome.ABSTAINED))
    found = with_combined(table(*rows))[0].confidence(COMBINED)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3, 100]


def test_a_source_that_a_fifth_lacks_is_not_combined() -> None:
    rows = [
        row(one.item, one.credit, confidence={STATED: one.confidence[STATED]}) if k % 5 == 0 else one for k, one in enumerate(two_sources())
    ]
    given, note = with_combined(table(*rows))
    assert note.startswith("nothing is combined")
    assert "there are 1 sources" in note
    assert COMBINED not in given.sources


FEW = {
    "one source": [row(str(k), float(k % 2), 0.01 * k) for k in range(60)],
    "a source that is constant": [row(str(k), float(k % 2), confidence={STATED: 0.01 * k, LOGPROB: 0.5}) for k in range(60)],
    "nineteen answers": two_sources(19),
    "all right": [row(str(k), 1.0, confidence={STATED: 0.01 * k, LOGPROB: 0.5 + 0.001 * k}) for k in range(60)],
    "four wrong": [row(str(k), float(k >= 4), confidence={STATED: 0.01 * k, LOGPROB: 0.5 + 0.001 * k}) for k in range(60)],
    "all wrong ones of one item": [
        row(str(min(k, 40)), float(k < 40), confidence={STATED: 0.01 * k, LOGPROB: 0.5 + 0.001 * k}, sample=max(1, k - 39))
        for k in range(50)
    ],
    "no answers": [row(str(k), None, None, outcome=Outcome.FAILED) for k in range(30)],
}


@pytest.mark.parametrize("why", FEW)
def test_where_nothing_can_be_combined_the_table_comes_back_and_the_sentence_says_why(why: str) -> None:
    given = table(*FEW[why])
    same, note = with_combined(given)
    assert same is given
    assert note.startswith("nothing is combined: it takes two sources, 20 answers, and 5 items right and 5 wrong")


# kept


def above(wrong: int, n: int, below: int = 0) -> tuple[list[float], list[float]]:
    return [0.9] * n + [0.1] * below, [0.0] * wrong + [1.0] * (n - wrong) + [0.0] * below


def rule(**values: Any) -> Rule:
    return Rule(threshold=0.5, source="stated", **values)


@pytest.mark.parametrize(("wrong", "n"), [(0, 10), (3, 10), (4, 10), (14, 100), (15, 100), (16, 100), (100, 100)])
def test_a_risk_is_broken_where_the_exact_binomial_test_says_so(wrong: int, n: int) -> None:
    found = kept(rule(risk=0.1, delta=0.1), *above(wrong, n, below=7))
    p = binomtest(wrong, n, 0.1, alternative="greater").pvalue
    assert found.verdict == ("broken" if p < 0.05 else "kept")
    assert (found.n, found.total, found.observed.value) == (n, n + 7, wrong / n)


def test_the_hand_worked_edge_of_the_test() -> None:
    # Bin(10, 0.1): P(X >= 3) = 0.0702, P(X >= 4) = 0.0128
    assert kept(rule(risk=0.1, delta=0.1), *above(3, 10)).verdict == "kept"
    assert kept(rule(risk=0.1, delta=0.1), *above(4, 10)).verdict == "broken"


def test_a_joint_risk_counts_all_questions() -> None:
    # 4 of the 10 given are wrong, and 4 of 40 questions: P(Bin(40, 0.1) >= 4) = 0.58
    found = kept(rule(joint_risk=0.1), *above(4, 10, below=30))
    assert (found.verdict, found.n, found.total, found.observed.value) == ("kept", 10, 40, 0.1)
    assert "of all questions" in found.sentence
    assert kept(rule(joint_risk=0.1), *above(9, 10, below=30)).verdict == "broken"  # P(Bin(40, 0.1) >= 9) = 0.016


def test_at_the_threshold_is_not_above_it() -> None:
    found = kept(rule(risk=0.1, delta=0.1), [0.5] * 20, [0.0] * 20)
    assert (found.verdict, found.n, found.total, found.observed.value) == ("cannot tell", 0, 20, None)


def test_a_score_is_broken_where_its_interval_lies_below_what_was_promised() -> None:
    promise = rule(target=0.5, bound=0.4, delta=0.1)
    good, bad = kept(promise, *above(20, 100)), kept(promise, *above(45, 100))
    assert good.verdict == "kept"
    assert good.observed.value == pytest.approx(0.6)  # 80 - 20 of 100
    assert bad.verdict == "broken"
    assert bad.observed.value == pytest.approx(0.1)
    assert bad.observed.high is not None
    assert bad.observed.high < 0.4
    assert kept(promise, *above(32, 100)).verdict == "kept"  # 0.36 is less, and not beyond chance
    assert kept(promise, *above(45, 100, below=300)).observed.value == pytest.approx(0.025)  # not answered is worth 0


def test_samples_of_one_item_are_one_answer_for_an_exact_test() -> None:
    sure, right = above(2, 10)
    many = kept(rule(risk=0.1, delta=0.1), sure * 6, right * 6, clusters=list(range(10)) * 6)
    assert (many.verdict, many.n, many.total) == ("kept", 10, 10)
    assert kept(rule(risk=0.1, delta=0.1), sure * 6, right * 6).verdict == "broken"


def test_a_rule_without_a_threshold_promised_nothing_to_check() -> None:
    with pytest.raises(UsageError, match="no certified threshold"):
        kept(Rule(target=0.5, source="stated", calibration="stated"), [0.5], [1.0])


def test_a_kept_promise_is_called_broken_in_at_most_one_of_twenty_cases() -> None:
    rng = np.random.default_rng(5)
    broken = [kept(rule(risk=0.2, delta=0.1), np.full(150, 0.9), rng.random(150) > 0.2).verdict == "broken" for _ in range(600)]
    assert np.mean(broken) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)


# make_policy


@pytest.mark.parametrize(("promise", "level"), [("target", 0.0), ("target", 0.75), ("risk", 0.3), ("joint_risk", 0.1)])
def test_the_rule_holds_what_was_certified_from_the_counts_alone(promise: Any, level: float) -> None:
    given = simulated()
    made = make_policy(given, promise=promise, level=level, delta=0.2, calibrator="platt")
    assert made.policy is not None
    rule = made.policy.rules["default"]
    assert rule.threshold is not None
    counts = risk_table(given.confidence, given.correct, clusters=given.items)
    assert made.certificate == certified(counts, promise, level, 0.2)
    assert made.certificate == certified(RiskTable.from_dict(made.table.to_dict()), promise, level, 0.2)
    assert (getattr(rule, promise), rule.threshold, rule.n) == (level, made.certificate.threshold, 800)
    assert (rule.source, rule.calibration, rule.promise) == ("stated", "stated", made.certificate.sentence)
    assert rule.delta == (None if promise == "joint_risk" else 0.2)
    assert rule.coverage == pytest.approx(np.mean(given.confidence > rule.threshold))
    assert parse_policy(policy_text(made.policy)) == made.policy
    assert Decider(made.policy).decide("x", {"stated": rule.threshold}).act == "abstain"


def test_without_a_certificate_a_risk_makes_no_policy_and_a_target_still_decides_by_probability() -> None:
    given = simulated(60)
    assert make_policy(given, promise="risk", level=0.01, calibrator="platt").policy is None
    assert make_policy(given, promise="joint_risk", level=0.01, calibrator="platt").policy is None
    made = make_policy(given, promise="target", level=0.99, calibrator="platt")
    assert made.certificate.threshold is None
    assert made.policy is not None
    rule = made.policy.rules["default"]
    assert (rule.target, rule.threshold, rule.delta, rule.promise) == (0.99, None, None, "")


def test_the_first_rule_is_the_default_too() -> None:
    policy = make_policy(simulated(), promise="target", level=0.5, kind="exams", calibrator="platt").policy
    assert policy is not None
    assert set(policy.rules) == {"default", "exams"}
    assert policy.rules["default"] == policy.rules["exams"]
    assert set(policy.calibrations) == {"exams-stated"}


def test_a_rule_is_added_and_the_others_stay_as_they_are() -> None:
    base = make_policy(simulated(), promise="target", level=0.5, calibrator="platt", rule={"next_step": "Ask."}).policy
    both = make_policy(simulated(seed=9, source="logprob"), promise="risk", level=0.3, kind="exams", calibrator="beta", base=base).policy
    assert base is not None
    assert both is not None
    assert both.rules["default"] == base.rules["default"]
    assert both.calibrations["stated"] == base.calibrations["stated"]
    assert both.calibrations["exams-logprob"].calibrator.kind == "beta"
    assert (both.rules["exams"].risk, both.rules["exams"].source, both.shades) == (0.3, "logprob", base.shades)


def test_a_calibration_that_no_rule_uses_any_more_is_dropped() -> None:
    base = make_policy(simulated(), promise="target", level=0.5, calibrator="platt").policy
    other = make_policy(simulated(source="logprob"), promise="target", level=0.5, calibrator="platt", base=base).policy
    assert other is not None
    assert set(other.calibrations) == {"logprob"}
    assert set(other.rules) == {"default"}


def test_fitting_one_kind_again_leaves_the_calibration_of_another_that_shares_it() -> None:
    base = make_policy(simulated(), promise="risk", level=0.3, kind="exams", calibrator="platt").policy
    again = make_policy(simulated(seed=9), promise="risk", level=0.3, kind="exams", calibrator="platt", base=base).policy
    assert base is not None
    assert again is not None
    for kind, policy in (
        ("default", base),
        ("exams", make_policy(simulated(seed=9), promise="risk", level=0.3, calibrator="platt").policy),
    ):
        assert policy is not None
        wanted = policy.calibrations[policy.rules["default"].calibration or ""]
        assert again.calibrations[again.rules[kind].calibration or ""] == wanted
    assert again.rules["default"] == base.rules["default"]
    third = make_policy(simulated(seed=9), promise="risk", level=0.3, kind="exams", calibrator="platt", base=again).policy
    assert third == again


def test_a_policy_of_another_model_takes_no_rule() -> None:
    base = make_policy(simulated(), promise="target", level=0.5, calibrator="platt").policy
    with pytest.raises(UsageError, match="the policy is for 'm', got 'other'"):
        make_policy(simulated(model="other"), promise="target", level=0.5, calibrator="platt", base=base)


def test_the_embedded_model_comes_with_a_policy_that_says_what_it_was_made_from() -> None:
    policy = read_policy(Path(str(files("wager.policy") / "embedded.toml")))
    rule = policy.rules["default"]
    assert policy.model == "embedded/smollm2-135m-instruct"
    assert (rule.source, policy.calibrations[str(rule.calibration)].tasks) == ("logprob", ("wager/capitals",))
    assert Decider(policy, model=policy.model).decide("Tokyo", {"logprob": 0.93}).act == "answer"
    assert Decider(policy, model=policy.model).decide("Drago", {"logprob": 0.01}).text == "I don't know. An encyclopedia will tell."
