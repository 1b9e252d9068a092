"""Results of a table: what is counted where, behaviour across targets, paired differences."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
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


def test_baselines_come_from_the_arm_that_is_made_to_answer_on_the_same_items() -> None:
    """Closed scores items 1 to 3. The best guess answers 1 and 2 of these; 3 is an abstention, 4 has no score, 5 was not asked again."""
    rows = [answer(1, "abstained"), answer(2, "correct"), answer(3, "correct"), answer(4, "failed"), answer(5, "correct")]
    rows += [answer(i, outcome, "open", 0.0) for i, outcome in [(1, "incorrect"), (2, "correct"), (3, "abstained"), (4, "correct")]]
    rows += [answer(6, "correct", "open", 0.0)]
    closed, best_guess = summarise(AnswerTable.from_answers(rows), TARGETS).groups
    base = closed.always_answer["0.75"]
    assert (base.value, base.n, base.n_excluded) == (pytest.approx((1 - 3) / 2), 2, 3)
    assert closed.oracle["0.9"].value == pytest.approx(1 / 2)
    assert set(best_guess.score) == {"0"}
    assert best_guess.always_answer["0"].value == pytest.approx(3 / 4)
    assert best_guess.always_answer["0"].n_excluded == 1


def test_baselines_without_a_forced_arm_go_by_the_answers_that_were_given() -> None:
    group = one_group([answer(1, "correct"), answer(2, "correct"), answer(3, "incorrect"), answer(4, "abstained")])
    assert group.always_answer["0.5"].value == pytest.approx(1 / 3)
    assert group.always_answer["0.5"].n_excluded == 1
    unasked = summarise(AnswerTable.from_answers([answer(1, "correct", "open", 0.0), answer(2, "correct", "open", 0.5)]), TARGETS).groups[1]
    assert unasked.always_answer["0.5"].value is None
    assert (unasked.always_answer["0.5"].reason, unasked.always_answer["0.5"].n_excluded) == ("no answers to go by", 1)
    silent = one_group([answer(1, "abstained"), answer(2, "abstained")])
    assert silent.always_answer["0.5"].reason == "no answers to go by"
    assert silent.score["0.5"].value == 0


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


def test_consistency_is_compared_with_the_closed_arm_at_every_target() -> None:
    rows = [answer(i, "incorrect" if i < 4 else "correct") for i in range(8)] + [answer(8, "failed"), answer(8, "failed", "consistency")]
    rows += [answer(i, "abstained" if i < 3 else "correct", "consistency") for i in range(8)]
    pairs = summarise(AnswerTable.from_answers(rows), TARGETS).pairs
    assert [pair["target"] for pair in pairs] == list(TARGETS)
    at = {pair["target"]: pair for pair in pairs}
    assert at[0.75]["score"].value == pytest.approx((3 * 3 + 4) / 8)  # three mistakes held back, one mended
    assert at[0.75]["b"] == {"task": "exam", "model": "m", "arm": "consistency", "target": None}
    assert (at[0.0]["n_items"], at[0.0]["score"].n_excluded) == (8, 1)


def test_several_samples_of_an_item_are_one_cluster() -> None:
    rows = [answer(i, "correct" if i % 2 else "incorrect", sample=s) for i in range(10) for s in (1, 2, 3)]
    group = one_group(rows)
    single = one_group([row for row in rows if row.sample == 1])
    assert (group.n, group.n_items) == (30, 10)
    assert group.score["0.5"].value == single.score["0.5"].value
    assert group.score["0.5"].low == pytest.approx(single.score["0.5"].low)
    assert group.always_answer["0.5"].low == pytest.approx(single.always_answer["0.5"].low)


def test_no_result_of_repeated_samples_claims_more_than_one_sample_does() -> None:
    """Every number of five identical samples has the interval of one of them, but for the small correction for few answers."""
    rng = np.random.default_rng(7)
    sure, right = rng.random(60).round(1), rng.random(60)
    rows = [
        answer(i, "correct" if right[i] < sure[i] else "incorrect", sample=s, confidence={ConfidenceSource.STATED: float(sure[i])})
        for i in range(60)
        for s in (1, 2, 3, 4, 5)
    ]
    many, one = one_group(rows).confidences[0], one_group([row for row in rows if row.sample == 1]).confidences[0]
    for name in ("brier", "auroc", "overconfidence"):
        wide, single = getattr(many, name), getattr(one, name)
        assert wide.value == pytest.approx(single.value)
        assert (wide.low, wide.high) == pytest.approx((single.low, single.high), abs=0.01)
    assert many.score_by_confidence["0.5"].low == pytest.approx(one.score_by_confidence["0.5"].low)
    assert [point[2] for point in many.curve] == pytest.approx([point[2] for point in one.curve], abs=1e-6)
    for repeated, alone in zip(many.reliability, one.reliability, strict=True):
        assert repeated.accuracy.n == 5 * alone.accuracy.n
        assert repeated.accuracy.low == pytest.approx(alone.accuracy.low, abs=0.02)


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


def mixed(seed: int = 0) -> list[Answer]:
    """Two models, every arm, three samples, strata, two sources of confidence, partial credit and all states."""
    rng = np.random.default_rng(seed)
    rows = []
    for model in ("m", "n"):
        for arm, target in [("closed", None), ("consistency", None), *(("open", t) for t in (0.0, 0.3, 0.9))]:
            for item in range(12):
                for sample in (1, 2, 3):
                    outcome = str(rng.choice(["correct", "incorrect", "abstained", "failed", "unparsed"], p=[0.4, 0.2, 0.2, 0.1, 0.1]))
                    credit = {"correct": 0.7 if item % 3 else 1.0, "incorrect": 0.1}.get(outcome)
                    sure = {ConfidenceSource.STATED: float(rng.random()), ConfidenceSource.LOGPROB: round(float(rng.random()), 1)}
                    rows.append(
                        Answer(
                            task="exam",
                            model=model,
                            item=f"q{item}",
                            sample=sample,
                            arm=arm,
                            target=target,
                            outcome=Outcome(outcome),
                            credit=credit,
                            confidence=sure if credit is not None else {},
                            stratum=["big", "small", None][item % 3],
                            answerable=item != 5,
                        )
                    )
    return rows


def test_the_order_of_rows_changes_nothing_to_the_last_bit() -> None:
    rows = mixed()
    plain = summarise(AnswerTable.from_answers(rows), (0.0, 0.3, 0.9))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(rows))
        assert summarise(AnswerTable.from_answers([rows[i] for i in order]), (0.0, 0.3, 0.9)) == plain


def values(result: object) -> object:
    """The point estimates alone, rounded."""
    found = to_json(result)
    if isinstance(found, dict):
        if {"value", "n_excluded"} <= set(found):
            return None if found["value"] is None else round(found["value"], 9)
        return {key: values(value) for key, value in found.items() if key not in ("n", "counts", "curve", "ece", "ece_bins", "holds")}
    if isinstance(found, list):
        return [values(value) for value in found]
    return round(found, 9) if isinstance(found, float) else found


def test_giving_every_answer_twice_keeps_every_estimate() -> None:
    rows = mixed()
    again = [replace(row, sample=row.sample + 3) for row in rows]
    once, twice = (summarise(AnswerTable.from_answers(some), (0.0, 0.3, 0.9)) for some in (rows, rows + again))
    assert values(once.groups) == values(twice.groups)
    assert values(once.behaviour) == values(twice.behaviour)
    assert values(once.pairs) == values(twice.pairs)
    plain = summarise(AnswerTable.from_answers(rows + rows), (0.0, 0.3, 0.9))  # the same rows, not new samples
    assert values(plain.groups) == values(once.groups)
    assert values(plain.behaviour) == values(once.behaviour)


def test_groups_come_in_the_order_of_a_reader() -> None:
    summary = summarise(AnswerTable.from_answers(mixed()), (0.0, 0.9))
    assert [(g.by["model"], g.by["arm"], g.by["target"]) for g in summary.groups][:5] == [
        ("m", "closed", None),
        ("m", "open", 0.0),
        ("m", "open", 0.3),
        ("m", "open", 0.9),
        ("m", "consistency", None),
    ]
    assert list(summary.groups[0].score) == ["0", "0.9"]
    assert list(summary.groups[2].score) == ["0.3"]
    assert list(summary.groups[0].strata) == ["big", "small"]
    assert all(note.startswith(("exam, m, ", "exam, n, ")) for note in summary.notes)
    assert any("have partial credit" in note for note in summary.notes)


def test_strata_count_what_they_leave_out() -> None:
    rows = [answer(1, "correct", stratum="a"), answer(2, "abstained", stratum="a"), answer(3, "failed", stratum="a"), answer(4, "correct")]
    strata = one_group(rows).strata
    assert set(strata) == {"a"}
    assert (strata["a"]["accuracy"].value, strata["a"]["accuracy"].n, strata["a"]["accuracy"].n_excluded) == (0.5, 2, 1)
    assert (strata["a"]["accuracy_answered"].value, strata["a"]["accuracy_answered"].n_excluded) == (1, 2)
    assert strata["a"]["abstention_rate"].value == 0.5


def test_an_unfinished_target_takes_no_answer_from_the_others() -> None:
    rows = [answer(i, "correct", "open", 0.0) for i in range(20)] + [answer(i, "correct", "open", 0.5) for i in range(3)]
    first, second = cells(summarise(AnswerTable.from_answers(rows), TARGETS), "answered")
    assert (first.accuracy.n, first.accuracy.n_excluded) == (20, 0)
    assert (second.accuracy.n, second.accuracy.n_excluded) == (3, 17)


def test_would_be_answers_are_of_the_same_item_and_sample() -> None:
    rows = [answer(i, "abstained", "open", t, sample=s) for i in range(4) for s in (1, 2) for t in (0.5, 0.9)]
    rows += [answer(i, "correct" if s == 1 else "incorrect", sample=s) for i in range(3) for s in (1, 2, 3)]
    low, high = cells(summarise(AnswerTable.from_answers(rows), TARGETS), "abstained")
    assert (low.accuracy.value, low.accuracy.n, low.accuracy.n_excluded) == (0.5, 6, 2)
    assert (low.holds, high.holds) == (True, True)


def test_a_target_that_is_not_a_number_counts_as_not_stated() -> None:
    table = AnswerTable.from_answers([answer(1, "correct"), answer(2, "incorrect")])
    columns = table.arrow.set_column(table.arrow.column_names.index("target"), "target", pa.array([float("nan"), None], pa.float64()))
    (group,) = summarise(AnswerTable(columns), TARGETS).groups
    assert (group.n, group.by["target"]) == (2, None)


def test_a_constant_confidence_is_named_in_the_result() -> None:
    rows = [answer(i, "correct" if i % 2 else "incorrect", confidence={ConfidenceSource.LOGPROB: 0.7}) for i in range(8)]
    (quality,) = one_group(rows).confidences
    assert (quality.auroc.value, quality.auroc.low) == (0.5, None)
    assert quality.auroc.reason == "every answer has the same confidence"
    assert quality.ece.value == pytest.approx(0.2)
    assert quality.ece_bins == "OnePerValue()"


def test_a_confidence_of_an_abstention_enters_nothing() -> None:
    rows = [
        answer(1, "correct", confidence={ConfidenceSource.STATED: 0.9}),
        answer(2, "abstained", confidence={ConfidenceSource.STATED: 0.1}),
    ]
    (quality,) = one_group(rows).confidences
    assert quality.brier.n == 1
    assert one_group([answer(2, "abstained", confidence={ConfidenceSource.STATED: 0.1})]).confidences == ()
