"""The board: groups, baselines, ranks with intervals, paired differences, missing answers, and its JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from wager.answers import Answer, ConfidenceSource, Outcome
from wager.errors import UsageError
from wager.metrics.board import GRID, board
from wager.metrics.calibration import EqualWidth
from wager.metrics.contract import board_json
from wager.metrics.ranks import moments, rank_intervals, standard_normals
from wager.metrics.results import Board
from wager.table import AnswerTable

T = [0.0, 0.5, 0.9]


def answer(item: object, outcome: str, model: str = "m", **more: Any) -> Answer:
    kind = Outcome(outcome)
    credit = {Outcome.CORRECT: 1.0, Outcome.INCORRECT: 0.0}.get(kind)
    return Answer(task="exam", model=model, item=str(item), outcome=kind, **{"credit": credit, **more})


def table(*rows: Answer) -> AnswerTable:
    return AnswerTable.from_answers(rows)


def many(outcomes: Sequence[str], model: str = "m", **more: Any) -> list[Answer]:
    return [answer(number, outcome, model, **more) for number, outcome in enumerate(outcomes)]


def group(found: Board, name: str) -> Any:
    return next(one for one in found.groups if one.name == name)


def test_score_and_baselines_of_a_worked_example() -> None:
    rows = many(["correct"] * 6 + ["incorrect"] * 2 + ["abstained"] * 2 + ["failed"])
    found = board(table(*rows), T).groups[0]
    assert found.score["0"].value == pytest.approx(0.6)
    assert found.score["0.5"].value == pytest.approx(0.4)
    assert found.score["0.9"].value == pytest.approx((6 - 18) / 10)
    assert found.score["0.9"].n_excluded == 1
    assert found.always_answer["0.5"].value == pytest.approx((6 - 2) / 8)
    assert found.oracle["0.9"].value == pytest.approx(6 / 8)
    assert found.rates["accuracy_answered"].value == pytest.approx(0.75)
    assert found.along.value[50] == pytest.approx(0.4)
    assert found.along.low[50] == pytest.approx(found.score["0.5"].low)
    assert found.band.low[50] < found.along.low[50]


@pytest.mark.parametrize(("choice", "score"), [("unparsed", 0.5), ("abstained", 0.25), ("incorrect", -0.25)])
def test_missing_answers_count_as_the_user_says(choice: str, score: float) -> None:
    rows = many(["correct", "correct", "correct", "incorrect", *["unparsed"] * 4])
    found = board(table(*rows), [0.5], missing=choice)  # type: ignore[arg-type]
    assert found.groups[0].score["0.5"].value == pytest.approx(score)
    assert found.groups[0].missing == 4
    assert found.missing == choice


def test_ranks_say_where_missing_answers_would_change_them() -> None:
    rows = [*many(["correct"] * 6 + ["unparsed"] * 4, "short"), *many(["correct"] * 8 + ["incorrect"] * 2, "long")]
    short, long = (group(board(table(*rows), T), name).ranks for name in ("short", "long"))
    assert (short.rank[0], long.rank[0]) == (1, 2)
    assert (short.if_incorrect[0], long.if_incorrect[0]) == (2, 1)
    assert (short.if_abstained[50], long.if_abstained[50]) == (1, 1)  # 0.6 each: the better rank is shared


def test_equal_groups_share_a_rank_and_its_whole_interval() -> None:
    rows = [answer(n, "correct" if n % 3 else "incorrect", model) for n in range(60) for model in "abc"]
    for one in board(table(*rows), T).groups:
        assert (one.ranks.rank[0], one.ranks.low[0], one.ranks.high[0]) == (1, 1, 3)


def test_rank_intervals_hold_the_true_ranks() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([0.5, 0.55, 0.6, 0.6, 0.75])
    true_rank = [1 + int((truth > one).sum()) for one in truth]
    missed, runs = 0, 300
    normals = standard_normals(5, 1000)
    items = np.arange(400)
    for _ in range(runs):
        hard = rng.normal(size=400)
        right = [(hard + rng.normal(size=400) < np.sqrt(2) * np.quantile(normals[:, 0], p)).astype(float) for p in truth]
        found = moments(right, [1 - one for one in right], [items] * 5, 400)
        low, high = rank_intervals(found, 1.0, normals)
        missed += not all(a <= rank <= b for a, rank, b in zip(low, true_rank, high, strict=True))  # type: ignore[operator]
    assert missed / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_pairs_are_paired_by_item_and_mcnemar_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(80) < 0.6, rng.random(80) < 0.75
    rows = [answer(n, "correct" if right else "incorrect", model) for model, set_ in (("a", a), ("b", b)) for n, right in enumerate(set_)]
    pair = board(table(*rows), T).pairs[0]
    difference = b.astype(float) - a.astype(float)
    assert pair.accuracy.value == pytest.approx(difference.mean())
    assert pair.score["0"].low == pytest.approx(difference.mean() - 1.959964 * difference.std(ddof=1) / np.sqrt(80))
    assert pair.score["0.5"].value == pytest.approx(2 * difference.mean())
    expected = mcnemar([[0, int((a & ~b).sum())], [int((~a & b).sum()), 0]], exact=True).pvalue
    assert pair.mcnemar_p == pytest.approx(expected)


def test_groups_on_other_items_are_compared_on_the_shared_ones_and_said_so() -> None:
    rows = [*many(["correct"] * 5, "a"), *many(["incorrect"] * 3, "b")]
    found = board(table(*rows), T)
    assert (found.pairs[0].n_items, found.pairs[0].score["0"].n_excluded) == (3, 2)
    assert any("3 of 5 are in every group" in note for note in found.notes)


def test_groups_told_a_target_are_scored_there_only_and_give_the_closed_group_its_acts() -> None:
    closed = [answer(n, o, confidence={ConfidenceSource.STATED: c}) for n, (o, c) in enumerate([("correct", 0.9), ("incorrect", 0.2)])]
    told = many(["correct", "abstained"], arm="open", target=0.5)
    found = board(table(*closed, *told), T)
    assert [one.by for one in found.groups] == [
        {"model": "m", "arm": "closed", "target": None},
        {"model": "m", "arm": "open", "target": 0.5},
    ]
    assert found.groups[1].score["0.9"].value is None
    assert found.groups[1].score["0.9"].reason == "these answers were told the target 0.5"
    assert found.groups[1].along.value[50] == 0.5
    assert found.groups[1].ranks.rank[0] is None
    lost = found.groups[0].confidences[0].lost
    assert lost["0.5"]["disobedience"].value == pytest.approx(0.0)  # told 0.5, it acted as its confidence says
    assert lost["0.9"]["disobedience"].value == pytest.approx(0.0 - (1 - 9) / 2)  # never told: it answered both


def test_two_told_targets_give_behavioural_calibration() -> None:
    closed = [answer(n, "correct", confidence={ConfidenceSource.STATED: 0.6}) for n in range(4)]
    told = [*many(["correct"] * 4, arm="open", target=0.5), *many(["correct"] * 4, arm="open", target=0.75)]
    found = board_json(board(table(*closed, *told), T))
    behaviour = found["behaviour"][0]
    assert behaviour["targets"] == [0.5, 0.75]
    assert [one["over_answers"]["value"] for one in behaviour["obedience"]] == [0.0, 1.0]
    assert behaviour["slope"] == {"stated": 0.0}


def test_unanswerable_items_enter_no_score() -> None:
    rows = [*many(["correct"] * 3), answer("x", "incorrect", answerable=False), answer("y", "abstained", answerable=False)]
    found = board(table(*rows), T).groups[0]
    assert (found.n, found.score["0.9"].value) == (3, 1.0)
    assert found.unanswerable["incorrect"] == 1


def test_any_column_makes_groups() -> None:
    rows = many(["correct", "incorrect", "correct", "incorrect"])
    found = board(table(*rows), T, by={"level": pa.array([1.0, 10.0, None, 2.0]), "kind": pa.array(["b", "a", "b", "a"])})
    assert [one.name for one in found.groups] == ["b", "1 · b", "2 · a", "10 · a"]


def test_the_order_of_rows_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    rows = [
        answer(n, str(rng.choice(["correct", "incorrect", "abstained", "unparsed"])), model, sample=k, stratum=str(n % 3),
               confidence={ConfidenceSource.STATED: float(rng.choice([0.1, 0.5, 0.8]))})
        for n in range(30) for model in "ab" for k in (1, 2)
    ]  # fmt: skip
    one = board(table(*rows), T)
    order = rng.permutation(len(rows))
    assert board(table(*(rows[place] for place in order)), T) == one


def test_partial_credit_and_samples_are_used() -> None:
    rows = [answer(n, "correct", credit=0.75, sample=k) for n in range(10) for k in (1, 2)]
    found = board(table(*rows), [0.5])
    assert found.groups[0].score["0.5"].value == pytest.approx(0.5)
    assert (found.groups[0].n, found.groups[0].n_items) == (20, 10)
    assert any("partial credit" in note for note in found.notes)


def test_confidences_on_a_target_tell_both_tie_rules() -> None:
    rows = [answer(n, "correct" if n % 2 else "incorrect", confidence={ConfidenceSource.STATED: 0.5}) for n in range(10)]
    assert any("exactly 0.5; with --tie weak the score there is +0.000" in note for note in board(table(*rows), [0.5]).notes)


def test_a_source_that_is_absent_is_refused() -> None:
    with pytest.raises(UsageError, match="no answer has a 'logprob' confidence; the answers have none"):
        board(table(*many(["correct"])), T, source="logprob")


@pytest.mark.parametrize("outcome", ["failed", "unparsed", "ungraded", "abstained"])
def test_nothing_to_score_is_null_with_a_reason(outcome: str) -> None:
    found = board_json(board(table(*many([outcome] * 3)), T))
    one = found["groups"][0]
    assert one["accuracy_answered"] is None
    assert one["reasons"]["accuracy_answered"] == "nothing was answered"
    assert one["auroc"] is None
    assert one["reasons"]["auroc"] == "the answers have no confidence"
    assert one["score"]["0.5"]["value"] == (0 if outcome == "abstained" else None)
    json.dumps(found, allow_nan=False)


def test_the_contract_has_its_keys() -> None:
    rows = [
        answer(n, "correct" if n % 3 else "incorrect", model, confidence={ConfidenceSource.STATED: 0.1 + n % 9 / 10})
        for n in range(40)
        for model in "ab"
    ]
    found = json.loads(json.dumps(board_json(board(table(*rows), [0.5, 0.0])), allow_nan=False))
    assert found["schema"] == 1
    assert found["targets"] == [0.0, 0.5]
    one = found["groups"][0]
    assert one["by"] == {"model": "a"}
    assert one["n"] == 40
    assert list(one["counts"]) == ["correct", "incorrect", "abstained", "unparsed", "failed", "ungraded"]
    for name in ("score", "score_by_confidence", "always_answer", "oracle"):
        assert {"value", "low", "high"} <= set(one[name]["0.5"]), name
    for name in ("accuracy", "accuracy_answered", "brier", "log_loss", "ece", "smooth_ece", "auroc", "aurc", "augrc"):
        assert isinstance(one[name], float), name
    assert set(one["corp"]) == {"mcb", "dsc", "unc"}
    assert set(one["lost"]["0.5"]) == {"disobedience", "miscalibration", "indistinction"}
    assert one["intervals"]["brier"]["low"] < one["brier"] < one["intervals"]["brier"]["high"]
    assert one["rank"]["0"] == {"value": 1, "low": 1, "high": 2, "if_incorrect": 1, "if_abstained": 1}
    assert found["pairs"][0]["a"] == {"model": "a"}
    assert found["pairs"][0]["score"]["0"]["value"] == 0


def rlcr(data: Path) -> AnswerTable:
    raw = pq.read_table(data / "rlcr" / "commonsenseqa.parquet")
    right = pc.cast(raw.column("correct"), pa.float64())
    return AnswerTable(
        pa.table(
            {
                "task": raw.column("task"), "model": raw.column("method"), "arm": pa.array(["closed"] * len(raw)),
                "item": raw.column("item").cast(pa.string()), "sample": pa.array(np.ones(len(raw), dtype=np.int32)),
                "outcome": pc.if_else(pc.greater_equal(right, 0.5), "correct", "incorrect"), "credit": right,
                "answerable": pa.array(np.ones(len(raw), dtype=bool)), "confidence_stated": raw.column("confidence").cast(pa.float64()),
            }
        )
    )  # fmt: skip


def test_the_published_table_of_five_methods_is_reproduced(data: Path) -> None:
    published = json.loads((data / "rlcr" / "commonsenseqa_published_metrics.json").read_text())
    found = {one.name: one for one in board(rlcr(data), [0.5, 0.9], bins=EqualWidth(10), grid=(0.5, 0.9)).groups}
    assert set(found) == set(published)
    for name, theirs in published.items():
        one = found[name].confidences[0]
        assert found[name].rates["accuracy"].value == pytest.approx(theirs["accuracy"], abs=5e-5), name
        assert one.metrics["brier"].value == pytest.approx(theirs["brier_score"], abs=5e-5), name
        assert one.metrics["ece"].value == pytest.approx(theirs["ece"], abs=5e-5), name
        assert one.metrics["auroc"].value == pytest.approx(theirs["auroc"], abs=5e-5), name


def test_the_two_failures_of_that_table_are_shown(data: Path) -> None:
    """RLCR's confidence is far too low: acting on it abstains on what it knows. RLVR always says 1: it bluffs."""
    found = {one.name: one for one in board(rlcr(data), [0.5, 0.9], grid=GRID).groups}
    shy, bluff = found["RLCR"].confidences[0], found["RLVR"].confidences[0]
    assert shy.metrics["overconfidence"].value < -0.25  # type: ignore[operator]
    assert shy.lost["0.5"]["miscalibration"].value > 0.1  # type: ignore[operator]
    assert bluff.constant
    assert bluff.score["0.9"].value == pytest.approx(found["RLVR"].always_answer["0.9"].value)
    assert bluff.lost["0.9"]["disobedience"].value == pytest.approx(0)
