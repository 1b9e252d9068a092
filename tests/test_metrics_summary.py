"""Results of a table: what is counted where, behaviour across targets, paired differences."""

import numpy as np
import pytest

from wager import Answer, Outcome
from wager.answers import ConfidenceSource
from wager.metrics.results import Cell, Group, Summary, to_json
from wager.metrics.summary import summarise
from wager.table import AnswerTable

TARGETS = (0.0, 0.5, 0.75, 0.9)


def answer(item: int, outcome: str, arm: str = "closed", target: float | None = None, **more: object) -> Answer:
    credit = {"correct": 1.0, "incorrect": 0.0}.get(outcome)
    return Answer(task="exam", model="m", item=str(item), outcome=Outcome(outcome), credit=credit, arm=arm, target=target, **more)  # type: ignore[arg-type]


def one_group(rows: list[Answer]) -> Group:
    (group,) = summarise(AnswerTable.from_answers(rows), TARGETS).groups
    return group


def simulated(policy: str, n: int = 2000, seed: int = 0) -> Summary:
    """A model that knows its own probability; it answers iff that is above the target (``calibrated``), or always (``bluffing``)."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 1.2, n)
    right = rng.random(n) < p
    rows = []
    for arm, target in [("closed", None), *(("open", t) for t in TARGETS)]:
        for item in range(n):
            acts = target is None or target == 0 or policy == "bluffing" or p[item] > target
            outcome = ("correct" if right[item] else "incorrect") if acts else "abstained"
            rows.append(answer(item, outcome, arm, target, confidence={ConfidenceSource.STATED: float(p[item])} if acts else {}))
    return summarise(AnswerTable.from_answers(rows), TARGETS)


def cells(summary: Summary, kind: str) -> list[Cell]:
    return [cell for cell in summary.behaviour[0].cells if cell.kind == kind]


def test_states_change_counts_and_nothing_else() -> None:
    rows = [answer(1, "correct"), answer(2, "incorrect"), answer(3, "abstained"), answer(4, "correct")]
    plain = one_group(rows)
    more = one_group([*rows, answer(5, "unparsed"), answer(6, "failed"), answer(7, "ungraded")])
    assert more.counts == plain.counts | {"unparsed": 1, "failed": 1, "ungraded": 1}
    for t in plain.score:
        assert (more.score[t].value, more.score[t].low) == (plain.score[t].value, plain.score[t].low)
        assert (more.score[t].n, more.score[t].n_excluded) == (4, 3)
    assert plain.score["0.5"].value == pytest.approx(0.25)
    assert plain.answered.value == 0.75
    assert plain.accuracy.value == 0.5
    assert plain.accuracy_answered.value == pytest.approx(2 / 3)
    assert plain.error_rate.value == 0.25
    assert plain.abstention_rate.value == 0.25


def test_items_without_an_answer_are_kept_apart_from_every_score() -> None:
    rows = [answer(1, "correct"), answer(2, "incorrect")]
    invented = [answer(3, "abstained", answerable=False), answer(4, "incorrect", answerable=False), answer(5, "failed", answerable=False)]
    group = one_group(rows + invented)
    assert group.n == 2
    assert group.score["0.5"].value == one_group(rows).score["0.5"].value
    assert group.unanswerable["n"] == 3
    rate = group.unanswerable["abstention_rate"]
    assert not isinstance(rate, int | dict)
    assert (rate.value, rate.n, rate.n_excluded) == (0.5, 2, 1)


def test_baselines_come_from_the_arm_that_is_made_to_answer() -> None:
    rows = [answer(1, "abstained"), answer(2, "correct")]
    rows += [
        answer(1, "incorrect", "open", 0.0),
        answer(2, "correct", "open", 0.0),
        answer(3, "correct", "open", 0.0),
        answer(4, "abstained", "open", 0.0),
    ]
    closed, best_guess = summarise(AnswerTable.from_answers(rows), TARGETS).groups
    assert closed.always_answer["0.5"].value == pytest.approx(1 / 3)
    assert closed.always_answer["0.5"].n == 3
    assert closed.oracle["0.9"].value == pytest.approx(2 / 3)
    assert set(best_guess.score) == {"0"}
    assert best_guess.always_answer["0"].value == pytest.approx(2 / 3)


def test_a_calibrated_model_passes_every_check_and_a_bluffing_one_fails() -> None:
    calibrated, bluffing = simulated("calibrated"), simulated("bluffing")
    assert all(cell.holds for kind in ("answered", "between", "abstained") for cell in cells(calibrated, kind)), cells(
        calibrated, "between"
    )
    assert [cell.holds for cell in cells(bluffing, "answered")] == [True, True, False, False]
    assert [cell.holds for cell in cells(bluffing, "abstained")] == [None, None, None]
    assert calibrated.behaviour[0].order_breaks.value == 0
    assert calibrated.behaviour[0].would_be_from == "open t=0"
    by_target = {group.by["target"]: group for group in calibrated.groups}
    rates = [by_target[t].abstention_rate.value for t in TARGETS]
    assert rates == sorted(rates)  # type: ignore[type-var]
    assert by_target[0.9].score["0.9"].value > 0  # type: ignore[operator]


def test_a_model_that_never_answers_does_not_pass_by_silence() -> None:
    rows = [answer(i, "abstained", "open", t) for i in range(200) for t in (0.5, 0.9)] + [answer(i, "correct") for i in range(200)]
    summary = summarise(AnswerTable.from_answers(rows), TARGETS)
    assert [cell.holds for cell in cells(summary, "answered")] == [None, None]
    assert [cell.holds for cell in cells(summary, "abstained")] == [False, False]
    assert summary.behaviour[0].would_be_from == "closed"


def test_answering_after_abstaining_at_a_lower_target_breaks_order() -> None:
    rows = [answer(i, "abstained" if i < 3 else "correct", "open", 0.5) for i in range(10)] + [
        answer(i, "correct", "open", 0.9) for i in range(9)
    ]
    breaks = summarise(AnswerTable.from_answers(rows), TARGETS).behaviour[0].order_breaks
    assert breaks.value == pytest.approx(3 / 9)
    assert breaks.n == 9


def test_arms_are_compared_on_the_items_that_both_have() -> None:
    rows = [answer(1, "incorrect"), answer(2, "correct"), answer(3, "failed"), answer(4, "incorrect")]
    rows += [
        answer(1, "abstained", "open", 0.75),
        answer(2, "correct", "open", 0.75),
        answer(3, "correct", "open", 0.75),
        answer(4, "incorrect", "open", 0.75),
    ]
    (pair,) = summarise(AnswerTable.from_answers(rows), TARGETS).pairs
    assert pair["target"] == 0.75
    assert pair["n_items"] == 3
    assert pair["score"].value == pytest.approx(1.0)
    assert pair["score"].n_excluded == 1


def test_several_samples_of_an_item_are_one_cluster() -> None:
    rows = [answer(i, "correct" if i % 2 else "incorrect", sample=s) for i in range(10) for s in (1, 2, 3)]
    group = one_group(rows)
    single = one_group([row for row in rows if row.sample == 1])
    assert (group.n, group.n_items) == (30, 10)
    assert group.score["0.5"].value == single.score["0.5"].value
    assert group.score["0.5"].low == pytest.approx(single.score["0.5"].low)


def test_each_confidence_source_is_judged_alone_on_the_answers_that_have_it() -> None:
    rows = [
        answer(1, "correct", confidence={ConfidenceSource.STATED: 0.9, ConfidenceSource.LOGPROB: 0.2}),
        answer(2, "incorrect", confidence={ConfidenceSource.STATED: 0.5}),
        answer(3, "abstained"),
    ]
    stated, logprob = one_group(rows).confidences
    assert (stated.source, stated.brier.n, stated.brier.n_excluded) == ("stated", 2, 0)
    assert stated.brier.value == pytest.approx((0.01 + 0.25) / 2)
    assert stated.auroc.value == 1
    assert stated.score_by_confidence["0.5"].value == pytest.approx(0.5)
    assert (logprob.brier.n, logprob.brier.n_excluded) == (1, 1)
    assert logprob.auroc.reason


def test_what_a_reader_must_know_is_a_note() -> None:
    rows = [answer(i, "correct", confidence={ConfidenceSource.STATED: 0.5}) for i in range(9)] + [answer(10, "unparsed")]
    summary = summarise(AnswerTable.from_answers(rows), TARGETS)
    assert any("1 of 10 answers (10%) have no verdict (1 unparsed)" in note for note in summary.notes)
    assert any(
        "100% of the stated confidences are exactly 0.5; with the weak tie rule the score there is +1.000" in note for note in summary.notes
    )


def test_results_become_json_with_nulls_and_reasons() -> None:
    found = to_json(summarise(AnswerTable.from_answers([answer(1, "failed")]), TARGETS))
    score = found["groups"][0]["score"]["0.5"]
    assert score == {"value": None, "low": None, "high": None, "n": 0, "n_excluded": 1, "reason": "no answer or abstention"}
    assert summarise(AnswerTable.from_answers([]), TARGETS).groups == ()
