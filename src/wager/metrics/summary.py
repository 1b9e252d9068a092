"""All results of an answer table: groups by model, arm and stated target; behaviour across targets; paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wager.answers import ConfidenceSource, Outcome
from wager.metrics import calibration
from wager.metrics.behaviour import Acts, check_cells, obedience, order_breaks, slope
from wager.metrics.curves import Tie, score_by_confidence, score_curve
from wager.metrics.discrimination import auroc
from wager.metrics.intervals import paired_difference, rate_estimate
from wager.metrics.results import Behaviour, ConfidenceQuality, Estimate, Group, Obedience, Summary
from wager.metrics.rows import Key, Rows, groups_of, places
from wager.metrics.scores import always_answer, oracle, score_at
from wager.scoring import payoff
from wager.table import AnswerTable
from wager.targets import ConfidenceTarget, targets_from

__all__ = ["behaviours", "summarise"]

UNSCORED_SHARE = 0.05
"""Share of answers without a verdict from which on a reader is told."""
TIE_SHARE = 0.1
"""Share of confidences exactly on a target from which on both tie rules are told."""
DRAWN_VALUES = 12
"""With at most so many distinct confidences each is a point of the reliability diagram."""


def summarise(table: AnswerTable, targets: Sequence[float], *, tie: Tie = "strict") -> Summary:
    """Every result of a table. The order of its rows changes nothing.

    Items where abstaining is the only right reply are kept apart from all scores (`Group.unanswerable`). Arms without a stated target
    are re-scored at each of ``targets``; an arm with one only at that. Where a question has several answers it is the cluster.

    Args:
        table: the graded answers.
        targets: where to re-score, each in [0, 1).
        tie: whether a confidence equal to the target answers, in the simulated curves.

    Raises:
        TargetError: a target outside [0, 1), or twice.
    """
    goals = tuple(goal.t for goal in targets_from(targets))
    everything = groups_of(table)
    answerable = {key: rows.where(rows.answerable) for key, rows in everything.items()}
    groups, notes = [], []
    models = list(dict.fromkeys(key[:2] for key in everything))
    for key, rows in everything.items():
        group = _group(key, answerable, goals, tie, rows.where(~rows.answerable))
        groups.append(group)
        whose = f"{key[0]}, {key[1]}, " if len(models) > 1 else ""
        notes += [whose + note for note in _notes(group, answerable[key], goals, tie)]
    behaviour = _behaviours(answerable)
    pairs = tuple(pair for task, model in models for pair in _pairs(answerable, task, model, goals))
    return Summary(goals, tuple(groups), behaviour, pairs, tie, tuple(notes))


def _by(key: Key) -> dict[str, str | float | None]:
    return dict(zip(("task", "model", "arm", "target"), key, strict=True))


def _group(key: Key, groups: Mapping[Key, Rows], goals: tuple[float, ...], tie: Tie, unanswerable: Rows) -> Group:
    rows = groups[key]
    used, given = rows.where(rows.scored), rows.where(rows.answered)
    out: dict[str, Any] = {"clusters": used.clusters, "n_excluded": len(rows) - len(used)}
    forced, n_unforced = _forced(groups, key)
    baseline: dict[str, Any] = {"clusters": forced.clusters, "n_excluded": n_unforced}
    at = [ConfidenceTarget(t) for t in (goals if key[3] is None else (key[3],))]
    empty = "no answer or abstention"
    return Group(
        by=_by(key),
        n=len(rows),
        n_items=len(np.unique(rows.item)),
        counts=rows.counts,
        score={str(t): score_at(used.credit, used.answered, t, **out) for t in at},
        always_answer={str(t): always_answer(forced.credit, t, **baseline) for t in at},
        oracle={str(t): oracle(forced.credit, t, **baseline) for t in at},
        answered=rate_estimate(used.answered, **out, empty=empty),
        accuracy=rate_estimate(used.worth, **out, empty=empty),
        accuracy_answered=_accuracy_answered(rows),
        error_rate=rate_estimate(np.where(used.answered, 1 - used.credit, 0.0), **out, empty=empty),
        abstention_rate=rate_estimate(used.abstained, **out, empty=empty),
        confidences=tuple(found for source in rows.confidence if (found := _quality(given, source, goals, tie)) is not None),
        unanswerable=_unanswerable(unanswerable),
        strata=_strata(rows),
    )


def _accuracy_answered(rows: Rows) -> Estimate:
    given = rows.where(rows.answered)
    return rate_estimate(given.credit, clusters=given.clusters, n_excluded=len(rows) - len(given), empty="nothing was answered")


def _forced(groups: Mapping[Key, Rows], key: Key) -> tuple[Rows, int]:
    """The answers that baselines go by, on the items that the group's score uses: those of the best guess at t = 0, else of the closed
    arm, else the group's own. And how many of the group's items' answers are left out, because there is none or the score lacks the item.
    """
    task, model, *_ = key
    mine = groups[key]
    items, scored = np.unique(mine.item), np.unique(mine.item[mine.scored])
    made: tuple[Key, ...] = ((task, model, "open", 0.0), (task, model, "closed", None))
    rows = next((groups[one] for one in made if one in groups and groups[one].answered.any()), mine)
    used = rows.answered & np.isin(rows.item, scored)
    out = int(np.isin(rows.item, items).sum() - used.sum()) + len(np.setdiff1d(items, rows.item))
    return rows.where(used), out


def _quality(given: Rows, source: ConfidenceSource, goals: tuple[float, ...], tie: Tie) -> ConfidenceQuality | None:
    """How good one source is on the given answers; those without it are left out and counted. None if none has it."""
    rows = given.where(~np.isnan(given.confidence[source]))
    if not len(rows):
        return None
    right, sure, clusters, out = rows.credit, rows.confidence[source], rows.clusters, len(given) - len(rows)
    bins = calibration.usual_binning(sure)
    return ConfidenceQuality(
        source=source.value,
        brier=calibration.brier(right, sure, clusters=clusters, n_excluded=out),
        ece=calibration.ece(right, sure, bins=bins, n_excluded=out),
        ece_bins=repr(bins),
        auroc=auroc(right, sure, clusters=clusters, n_excluded=out),
        overconfidence=calibration.overconfidence(right, sure, clusters=clusters, n_excluded=out),
        reliability=calibration.reliability(right, sure, bins=_drawn(sure), clusters=clusters),
        score_by_confidence=score_by_confidence(right, sure, goals, tie=tie, clusters=clusters, n_excluded=out),
        curve=score_curve(right, sure, tie=tie, clusters=clusters),
    )


def _drawn(sure: NDArray[np.float64]) -> calibration.Binning:
    return calibration.OnePerValue() if len(np.unique(sure)) <= DRAWN_VALUES else calibration.EqualWidth(10)


def _unanswerable(rows: Rows) -> dict[str, Estimate | int | dict[str, int]]:
    if not len(rows):
        return {}
    used = rows.where(rows.scored)
    rate = rate_estimate(used.abstained, clusters=used.clusters, n_excluded=len(rows) - len(used), empty="no answer or abstention")
    return {"n": len(rows), "counts": rows.counts, "abstention_rate": rate}


def _strata(rows: Rows) -> dict[str, dict[str, Estimate]]:
    found = {}
    for code in np.unique(rows.stratum).tolist():
        name = rows.strata[code]
        if name is None:
            continue
        inside = rows.where(rows.stratum == code)
        used = inside.where(inside.scored)
        out: dict[str, Any] = {"clusters": used.clusters, "n_excluded": len(inside) - len(used)}
        found[name] = {
            "accuracy": rate_estimate(used.worth, **out, empty="no answer or abstention"),
            "accuracy_answered": _accuracy_answered(inside),
            "abstention_rate": rate_estimate(used.abstained, **out, empty="no answer or abstention"),
        }
    return found


def behaviours(table: AnswerTable) -> tuple[Behaviour, ...]:
    """Behavioural calibration of every task and model that was told at least two targets."""
    return _behaviours({key: rows.where(rows.answerable) for key, rows in groups_of(table).items()})


def _behaviours(groups: Mapping[Key, Rows]) -> tuple[Behaviour, ...]:
    models = dict.fromkeys(key[:2] for key in groups)
    return tuple(found for task, model in models if (found := _behaviour(groups, task, model)) is not None)


def _behaviour(groups: Mapping[Key, Rows], task: str, model: str) -> Behaviour | None:
    arms = {key[3]: rows for key, rows in groups.items() if key[:3] == (task, model, "open") and key[3] is not None}
    if len(arms) < 2:
        return None
    closed = groups.get((task, model, "closed", None))
    items, rows_at = places([*arms.values(), *([closed] if closed is not None else [])])
    asked = np.any([at >= 0 for at in rows_at[: len(arms)]], axis=0)  # at a target; the closed arm may have more
    acts = {t: _acts(rows, at[asked]) for (t, rows), at in zip(arms.items(), rows_at, strict=False)}
    forced, source = None, "none"
    if 0.0 in acts:
        forced, source = acts[0.0].credit, "open t=0"
    elif closed is not None:
        forced, source = _acts(closed, rows_at[-1][asked]).credit, "closed"
    kept = items[asked]
    cells = check_cells(acts, forced, kept)
    followed: list[Obedience] = []
    slopes: dict[str, float | None] = {}
    if closed is not None:
        at = rows_at[-1][asked]
        for name, values in closed.confidence.items():
            sure = np.where(at >= 0, values[at], np.nan)
            if not np.isnan(sure).all():
                found = obedience(acts, name.value, sure, kept)
                followed += found
                slopes[name.value] = slope(found)
    by: dict[str, str | float | None] = {"task": task, "model": model}
    return Behaviour(by, tuple(sorted(acts)), cells, order_breaks(acts, kept), source, tuple(followed), slopes)


def _acts(rows: Rows, at: NDArray[np.intp]) -> Acts:
    """What was done in each series; ``at`` is its row, -1 for none."""
    there = at >= 0
    answered, abstained, credit = np.zeros(len(at), dtype=bool), np.zeros(len(at), dtype=bool), np.full(len(at), np.nan)
    answered[there], abstained[there], credit[there] = rows.answered[at[there]], rows.abstained[at[there]], rows.credit[at[there]]
    return Acts(answered, abstained, credit)


def _pairs(groups: Mapping[Key, Rows], task: str, model: str, goals: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    """Each arm against the closed one, on the same items."""
    one: Key = (task, model, "closed", None)
    if one not in groups:
        return
    for t in goals:
        for other in ((task, model, "open", t), (task, model, "consistency", None)):
            if other in groups:
                a, b = (groups[key].where(groups[key].scored) for key in (one, other))
                n_unscored = len(np.union1d(groups[one].item, groups[other].item)) - len(np.union1d(a.item, b.item))
                points = (payoff(rows.credit, rows.answered, t) for rows in (a, b))
                score = paired_difference(next(points), a.item, next(points), b.item, n_excluded=n_unscored)
                yield {"a": _by(one), "b": _by(other), "target": t, "score": score, "n_items": score.n}


def _notes(group: Group, rows: Rows, goals: tuple[float, ...], tie: Tie) -> Iterator[str]:
    """Sentences that belong beside the numbers."""
    target = group.by["target"]
    name = f"{group.by['arm']}" + (f" t={target:g}" if isinstance(target, float) else "")
    out = {outcome.value: group.counts[outcome.value] for outcome in Outcome if not outcome.is_scored}
    if group.n and sum(out.values()) / group.n > UNSCORED_SHARE:
        kinds = ", ".join(f"{count} {kind}" for kind, count in out.items() if count)
        share = sum(out.values()) / group.n
        yield f"{name}: {sum(out.values())} of {group.n} answers ({share:.0%}) have no verdict ({kinds}); no score includes them"
    partial = int(((rows.credit > 0) & (rows.credit < 1)).sum())
    if partial:
        yield f"{name}: {partial} answers have partial credit; counts call them correct from one half on, scores use the credit itself"
    other: Tie = "weak" if tie == "strict" else "strict"
    for source, values in rows.confidence.items():
        known = rows.answered & ~np.isnan(values)
        for t in goals:
            on = float((values[known] == t).mean()) if known.any() else 0.0
            if on >= TIE_SHARE:
                there = score_by_confidence(rows.credit[known], values[known], [t], tie=other)[str(ConfidenceTarget(t))].value
                yield (
                    f"{name}: {on:.0%} of the {source.value} confidences are exactly {t:g}; "
                    f"with the {other} tie rule the score there is {there:+.3f}"
                )
