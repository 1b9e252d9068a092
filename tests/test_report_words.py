"""Sentences of the report, and a simulated world whose results are summarised by hand for the other report tests."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from wager.answers import Answer, ConfidenceSource, Outcome
from wager.metrics.results import Behaviour, Bin, Cell, ConfidenceQuality, Estimate, Group, Summary
from wager.report.wording import check_sentence, finding, left_out, penalty, percent, points
from wager.table import AnswerTable

TARGETS = (0.0, 0.5, 0.75, 0.9)
STRATA = ("large countries", "middle-sized countries", "small countries")


def world(items: int = 240, *, seed: int = 1, model: str = "embedded", reply: str = "The capital is Thimphu.") -> AnswerTable:
    """Closed and open answers of a model that knows large countries better and declines a little more as t rises."""
    rng = np.random.default_rng(seed)
    skill = rng.beta(1.2, 1.2, items)
    rows = []
    for target in (None, *TARGETS):
        for i in range(items + items // 10):
            answerable = i < items
            chance = float(skill[i]) if answerable else 0.15
            confidence = float(np.clip(chance + rng.normal(0, 0.18) + 0.1, 0.01, 0.99))
            draw = rng.random()
            if draw < 0.02:
                outcome, reason = Outcome.UNPARSED, "the reply is blank"
            elif draw < 0.03:
                outcome, reason = Outcome.FAILED, "the provider timed out after 60 s"
            elif confidence < (target or 0) * 0.75:
                outcome, reason = Outcome.ABSTAINED, None
            else:
                right = answerable and rng.random() < chance
                outcome, reason = (Outcome.CORRECT if right else Outcome.INCORRECT), None
            given = outcome.is_answer
            rows.append(
                Answer(
                    task="wager/capitals",
                    model=model,
                    item=f"capital-{i:04}",
                    arm="closed" if target is None else "open",
                    target=target,
                    outcome=outcome,
                    credit=float(outcome is Outcome.CORRECT) if given else None,
                    answerable=answerable,
                    stratum=STRATA[i % 3] if answerable else "invented countries",
                    question=f"What is the capital of country {i}?",
                    reference=("Thimphu", "Thimpu") if answerable else (),
                    answer="Thimphu" if given else None,
                    reply=None if outcome is Outcome.FAILED else ("I don't know." if outcome is Outcome.ABSTAINED else reply),
                    confidence={ConfidenceSource.LOGPROB: confidence, ConfidenceSource.STATED: round(min(1.0, confidence + 0.1), 1)}
                    if given
                    else {},
                    reason=reason,
                )
            )
    return AnswerTable.from_answers(rows)


def share(part: int, n: int, excluded: int = 0) -> Estimate:
    if n == 0:
        return Estimate(None, n=0, n_excluded=excluded, reason="no answers of this kind")
    p = part / n
    half = 1.96 * (p * (1 - p) / n) ** 0.5
    return Estimate(p, max(0.0, p - half), min(1.0, p + half), n, excluded)


def summarised(table: AnswerTable) -> Summary:
    """A plain summary of `world`: enough for every chart, with formulas short enough to read."""
    rows = list(table)
    groups = tuple(group_of([row for row in rows if row.target == target], target) for target in (None, *TARGETS))
    by: dict[str, str | float | None] = {"task": rows[0].task, "model": rows[0].model}
    cells = []
    for group in groups[1:]:
        t = float(group.by["target"] or 0)
        cells.append(Cell("answered", t, 1.0, group.accuracy_answered, (group.accuracy_answered.value or 0) >= t, t))
    cells.append(Cell("between", 0.5, 0.75, share(11, 20), True, 0.5))
    cells.append(Cell("abstained", 0.0, 0.75, share(9, 30), None, 0.75))
    cells.append(Cell("abstained", 0.0, 0.0, Estimate(None, reason="nothing was declined at t = 0"), None, 0.0))
    behaviour = Behaviour(by, TARGETS, tuple(cells), share(12, 240), "open t=0")
    pairs = tuple(
        {"a": groups[0].by, "b": g.by, "target": g.by["target"], "score": Estimate(0.1, 0.02, 0.18, 240), "n_items": 240}
        for g in groups[1:]
    )
    return Summary(TARGETS, groups, (behaviour,), pairs, notes=("8 answers lie exactly on a target.",))


def group_of(rows: list[Answer], target: float | None) -> Group:
    known = [row for row in rows if row.answerable]
    unknown = [row for row in rows if not row.answerable]
    counts = counted(known)
    right, wrong, away = counts["correct"], counts["incorrect"], counts["abstained"]
    scored, out = right + wrong + away, len(known) - right - wrong - away
    score, always, oracle = {}, {}, {}
    for t in TARGETS if target is None else (target,):
        value = (right - wrong * t / (1 - t)) / scored
        accuracy = right / max(1, right + wrong)
        score[f"{t:g}"] = Estimate(value, value - 0.06 / (1 - t), min(1.0, value + 0.06 / (1 - t)), scored, out)
        always[f"{t:g}"] = Estimate(accuracy - (1 - accuracy) * t / (1 - t), n=scored, n_excluded=out)
        oracle[f"{t:g}"] = Estimate(right / scored, n=scored, n_excluded=out)
    confidences = tuple(quality(known, source, target) for source in ("logprob", "stated"))
    strata = {}
    for name in STRATA:
        part = counted([row for row in known if row.stratum == name])
        answers, all_ = part["correct"] + part["incorrect"], part["correct"] + part["incorrect"] + part["abstained"]
        strata[name] = {
            "accuracy": share(part["correct"], all_),
            "accuracy_answered": share(part["correct"], answers),
            "abstention_rate": share(part["abstained"], all_),
        }
    invented = counted(unknown)
    told = invented["correct"] + invented["incorrect"] + invented["abstained"]
    return Group(
        by={"task": rows[0].task, "model": rows[0].model, "arm": rows[0].arm, "target": target},
        n=len(known),
        n_items=len(known),
        counts=counts,
        score=score,
        always_answer=always,
        oracle=oracle,
        answered=share(right + wrong, scored, out),
        accuracy=share(right, scored, out),
        accuracy_answered=share(right, right + wrong, out),
        error_rate=share(wrong, scored, out),
        abstention_rate=share(away, scored, out),
        confidences=confidences,
        unanswerable={"n": len(unknown), "counts": invented, "abstention_rate": share(invented["abstained"], told)},
        strata=strata,
    )


def counted(rows: list[Answer]) -> dict[str, int]:
    found = Counter(row.outcome.value for row in rows)
    return {outcome.value: found[outcome.value] for outcome in Outcome}


def quality(rows: list[Answer], source: str, target: float | None) -> ConfidenceQuality:
    pairs = [(row.confidence[ConfidenceSource(source)], row.credit or 0.0) for row in rows if row.outcome.is_answer]
    bins = []
    for low in np.arange(10) / 10:
        inside = [(c, z) for c, z in pairs if low <= c < low + 0.1]
        if inside:
            bins.append(Bin(low, low + 0.1, sum(c for c, _ in inside) / len(inside), share(int(sum(z for _, z in inside)), len(inside))))
    curve = []
    for t in np.linspace(0, 0.95, 20):
        value = sum((z - t) / (1 - t) for c, z in pairs if c > t) / len(pairs)
        curve.append((float(t), value, value - 0.05 / (1 - t), value + 0.05 / (1 - t)))
    n = len(pairs)
    return ConfidenceQuality(
        source=source,
        brier=Estimate(0.21, 0.18, 0.24, n, len(rows) - n),
        ece=Estimate(0.09, 0.05, 0.13, n, len(rows) - n),
        ece_bins="EqualWidth(10)",
        auroc=Estimate(None, n=n, reason="every answer is right") if target == 0.9 else Estimate(0.78, 0.71, 0.84, n, len(rows) - n),
        overconfidence=Estimate(0.06, 0.01, 0.11, n, len(rows) - n),
        reliability=tuple(bins),
        score_by_confidence={},
        curve=tuple(curve) if target is None else (),
    )


def group(arm: str, target: float | None, answered: float | None, right: float | None, score: float | None) -> Group:
    """A group with only the numbers that a sentence uses."""
    nothing = Estimate(None, reason="not made here")
    t = f"{0.9 if target is None else target:g}"
    return Group(
        by={"task": "capitals", "model": "m", "arm": arm, "target": target},
        n=240,
        n_items=240,
        counts={"unparsed": 8, "failed": 4, "ungraded": 0},
        score={t: Estimate(score, n=228, n_excluded=12)},
        always_answer={},
        oracle={},
        answered=Estimate(answered, n=228, n_excluded=12),
        accuracy=nothing,
        accuracy_answered=Estimate(right, n=200),
        error_rate=nothing,
        abstention_rate=nothing,
    )


def test_the_finding_names_what_a_mistake_costs_and_what_silence_would_have_scored() -> None:
    assert finding([group("open", 0.9, 0.96, 0.41, -5.6)]) == (
        "Told that mistakes cost 9 points, it still answered 96 % of the questions and was right on 41 % of those: score −5.60. "
        "Saying “I don’t know” to everything would have scored 0."
    )


def test_the_finding_of_a_cautious_model_does_not_say_still() -> None:
    text = finding([group("open", 0.5, 0.4, 0.9, 0.32)])
    assert text.startswith(
        "Told that mistakes cost 1 point, it answered 40 % of the questions and was right on 90 % of those: score +0.32."
    )


def test_the_finding_compares_with_the_answers_given_when_mistakes_are_free() -> None:
    text = finding([group("open", 0.0, 0.99, 0.4, 0.4), group("open", 0.9, 0.5, 0.6, -1.5)])
    assert text.endswith("Told that mistakes are free, it answered 99 %.")


def test_the_finding_without_an_open_arm_speaks_of_the_closed_one() -> None:
    text = finding([group("closed", None, 1.0, 0.5, -4.0)])
    assert text.startswith("Asked without a stated target, it still answered 100 % of the questions and was right on 50 % of those;")
    assert "if mistakes cost 9 points, that scores −4.00." in text


def test_the_finding_of_total_silence_claims_no_accuracy() -> None:
    text = finding([group("open", 0.9, 0.0, None, 0.0)])
    assert "answered none of the questions: score 0.00. Saying “I don’t know” to everything scores 0 as well." in text


def test_the_finding_adds_the_share_of_unanswerable_questions_that_were_declined() -> None:
    one = replace(group("open", 0.9, 0.9, 0.5, -3.6), unanswerable={"n": 20, "abstention_rate": Estimate(0.35, 0.18, 0.57, 20)})
    assert finding([one]).endswith("Of 20 replies to questions that have no answer, 35 % declined.")


def test_no_verdict_at_all_gives_no_finding() -> None:
    assert "nothing to say" in finding([group("open", 0.9, None, None, None)])


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0, "0 %"), (0.001, "<1 %"), (0.406, "41 %"), (0.999, ">99 %"), (1.0, "100 %")])
def test_a_share_is_never_rounded_to_none_or_all(value: float | None, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (-5.6, "−5.60"), (0.414, "+0.41"), (-0.001, "0.00")])
def test_a_score_shows_its_sign(value: float | None, text: str) -> None:
    assert points(value) == text


@pytest.mark.parametrize(("t", "text"), [(0.9, "9 points"), (0.5, "1 point"), (0.3, "0.4286 points"), (0.99, "99 points")])
def test_the_penalty_is_exact_for_the_decimal_written(t: float, text: str) -> None:
    assert penalty(t) == text


def test_left_out_answers_are_told_apart_by_outcome() -> None:
    assert left_out(group("open", 0.9, 1.0, 1.0, 1.0)) == "8 unparsed, 4 failed"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (
            Cell("answered", 0.75, 1.0, Estimate(0.61, 0.54, 0.68, 200), False, 0.75),
            "Answered at t = 0.75: right on 61 % [54, 68] of 200; at least 75 % must be right.",
        ),
        (
            Cell("between", 0.5, 0.75, Estimate(0.6, 0.4, 0.8, 20), True, 0.5),
            "Answered at t = 0.5, declined at t = 0.75: right on 60 % [40, 80] of 20; between 50 % and 75 % must be right.",
        ),
        (
            Cell("abstained", 0.0, 0.5, Estimate(0.3, n=4), None, 0.5),
            "Declined at t = 0.5: would have been right on 30 % of 4; at most 50 % must be right.",
        ),
        (
            Cell("abstained", 0.0, 0.5, Estimate(None, reason="nothing was declined"), None, 0.5),
            "Declined at t = 0.5: cannot be computed (nothing was declined); at most 50 % must be right.",
        ),
    ],
)
def test_a_check_says_what_was_seen_and_what_is_allowed(cell: Cell, text: str) -> None:
    assert check_sentence(cell, Behaviour({}, TARGETS, (cell,), Estimate(None), "none")) == text
