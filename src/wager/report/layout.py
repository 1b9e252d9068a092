"""The results as the charts and tables want them: groups in reading order, with names, and flat rows of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wager.metrics.results import Behaviour, ConfidenceQuality, Estimate, Group, Summary

__all__ = [
    "ALWAYS_ABSTAIN",
    "ALWAYS_ANSWER",
    "ORACLE",
    "baseline_rows",
    "behaviour_rows",
    "group_name",
    "models",
    "outcome_rows",
    "reference_groups",
    "score_rows",
    "sources",
]

ALWAYS_ANSWER = "always answer"
ALWAYS_ABSTAIN = "always “I don’t know”"
ORACLE = "oracle"

ARM_ORDER = ("closed", "consistency", "open")

Row = dict[str, Any]


def models(summary: Summary) -> list[tuple[str, list[Group], Behaviour | None]]:
    """Each model's name, its groups in reading order, and its behavioural calibration, if there is one."""
    names = list(dict.fromkeys((str(group.by.get("task")), str(group.by.get("model"))) for group in summary.groups))
    found = []
    for task, model in names:
        groups = [g for g in summary.groups if (str(g.by.get("task")), str(g.by.get("model"))) == (task, model)]
        behaviour = next((b for b in summary.behaviour if (str(b.by.get("task")), str(b.by.get("model"))) == (task, model)), None)
        found.append((model, sorted(groups, key=_reading_order), behaviour))
    return found


def _reading_order(group: Group) -> tuple[int, str, float]:
    arm = _arm(group)
    return (ARM_ORDER.index(arm) if arm in ARM_ORDER else len(ARM_ORDER), arm, stated_target(group) or 0.0)


def _arm(group: Group) -> str:
    return str(group.by.get("arm"))


def stated_target(group: Group) -> float | None:
    """The target that the prompt stated."""
    target = group.by.get("target")
    return None if target is None else float(target)


def group_name(group: Group) -> str:
    """``closed``, or ``open, t = 0.75``."""
    target = stated_target(group)
    return _arm(group) if target is None else f"{_arm(group)}, t = {target:g}"


def reference_groups(groups: Sequence[Group]) -> list[Group]:
    """The groups whose baselines are drawn: the closed arm if it was run, else another unlabelled arm, else the open ones."""
    unlabelled = [group for group in groups if stated_target(group) is None]
    return unlabelled[:1] or list(groups)


def _row(series: str, t: float, estimate: Estimate) -> Row:
    return {
        "series": series,
        "t": t,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "left_out": estimate.n_excluded,
    }


def _drawn(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["value"] is not None]


def score_rows(groups: Sequence[Group]) -> list[Row]:
    """One row per arm and target that has a score."""
    return _drawn(_row(_arm(group), float(t), score) for group in groups for t, score in group.score.items())


def baseline_rows(groups: Sequence[Group]) -> list[Row]:
    """The three strategies that need no model, at every target; saying "I don't know" to everything scores 0 by definition."""
    chosen = reference_groups(groups)
    rows = [_row(ALWAYS_ANSWER, float(t), score) for group in chosen for t, score in group.always_answer.items()]
    targets = sorted({float(t) for group in groups for t in group.score})
    rows += [{"series": ALWAYS_ABSTAIN, "t": t, "value": 0.0} for t in targets]
    rows += [_row(ORACLE, float(t), score) for group in chosen for t, score in group.oracle.items()]
    return _drawn(rows)


def outcome_rows(groups: Sequence[Group], outcomes: Sequence[str]) -> list[Row]:
    """One row per group and outcome: how many answers."""
    return [
        {"group": group_name(group), "outcome": outcome, "rank": rank, "count": group.counts.get(outcome, 0), "n": group.n}
        for group in groups
        for rank, outcome in enumerate(outcomes)
    ]


def behaviour_rows(behaviour: Behaviour) -> list[Row]:
    """Accuracy of what was answered, and would-be accuracy of what was not, by stated target."""
    names = {"answered": "answered", "abstained": "declined (had it answered)"}
    return _drawn(_row(names[cell.kind], cell.target, cell.accuracy) for cell in behaviour.cells if cell.kind in names)


def sources(groups: Sequence[Group]) -> list[tuple[ConfidenceQuality, Group]]:
    """Each source of confidence once, with the first group that has it: the closed arm's if there is one."""
    found: dict[str, tuple[ConfidenceQuality, Group]] = {}
    for group in groups:
        for quality in group.confidences:
            found.setdefault(quality.source, (quality, group))
    return list(found.values())
