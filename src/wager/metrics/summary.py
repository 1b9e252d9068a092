"""All results of an answer table: groups by model, arm and stated target; behaviour across targets; paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wager.answers import ConfidenceSource, Outcome
from wager.metrics import calibration
from wager.metrics.behaviour import Acts, check_cells, order_breaks
from wager.metrics.curves import Tie, score_at, score_by_confidence
from wager.metrics.discrimination import auroc
from wager.metrics.intervals import mean_estimate, paired_difference, rate_estimate
from wager.metrics.results import Behaviour, ConfidenceQuality, Estimate, Group, Summary
from wager.scoring import payoff
from wager.table import AnswerTable
from wager.targets import ConfidenceTarget, targets_from

__all__ = ["summarise"]

ARM_ORDER = {"closed": 0, "open": 1, "consistency": 2}
GRID = tuple(np.round(np.linspace(0, 0.98, 50), 4))
UNSCORED_SHARE = 0.05
TIE_SHARE = 0.1


@dataclass(frozen=True)
class _Rows:
    """Columns of a table as arrays, shape (N,) each."""

    by: NDArray[np.intp]
    """Group of each row: task, model, arm and stated target."""
    keys: tuple[tuple[str, str, str, float | None], ...]
    """What the groups are."""
    item: NDArray[np.intp]
    sample: NDArray[np.intp]
    answered: NDArray[np.bool_]
    abstained: NDArray[np.bool_]
    credit: NDArray[np.float64]
    answerable: NDArray[np.bool_]
    outcome: NDArray[np.intp]
    outcomes: tuple[str, ...]
    stratum: NDArray[np.intp]
    strata: tuple[str | None, ...]
    confidence: dict[ConfidenceSource, NDArray[np.float64]]


def summarise(table: AnswerTable, targets: Sequence[float], *, tie: Tie = "strict") -> Summary:
    """Every result of a table.

    Items where abstaining is the only right reply are kept apart from all scores (`Group.unanswerable`). Arms without a stated target
    are re-scored at each of ``targets``; an arm with one only at that.

    Args:
        table: the graded answers.
        targets: where to re-score, each in [0, 1).
        tie: whether a confidence equal to the target answers, in the simulated curves.

    Raises:
        TargetError: a target outside [0, 1), or twice.
    """
    goals = tuple(goal.t for goal in targets_from(targets))
    rows = _columns(table)
    order = sorted(
        range(len(rows.keys)),
        key=lambda at: (rows.keys[at][:2], ARM_ORDER.get(rows.keys[at][2], 9), rows.keys[at][2], rows.keys[at][3] or 0),
    )
    groups: list[Group] = []
    notes: list[str] = []
    for at in order:
        forced = _forced(rows, rows.keys[at])
        groups.append(_group(rows, at, goals, forced, tie))
        notes += _notes(rows, at, groups[-1], goals, tie)
    models = list(dict.fromkeys(rows.keys[at][:2] for at in order))
    behaviour = tuple(found for task, model in models if (found := _behaviour(rows, task, model)) is not None)
    pairs = tuple(pair for task, model in models for pair in _pairs(rows, task, model, goals))
    return Summary(goals, tuple(groups), behaviour, pairs, tie, tuple(dict.fromkeys(notes)))


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.intp], tuple[Any, ...]]:
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.intp), tuple(encoded.dictionary.to_pylist())


def _columns(table: AnswerTable) -> _Rows:
    arrow = table.arrow
    task, tasks = _codes(arrow.column("task"))
    model, models = _codes(arrow.column("model"))
    arm, arms = _codes(arrow.column("arm"))
    target, stated = _codes(arrow.column("target"))
    outcome, outcomes = _codes(arrow.column("outcome"))
    stratum, strata = _codes(arrow.column("stratum"))
    item, _ = _codes(arrow.column("item"))
    packed, by = (
        np.unique(np.stack([task, model, arm, target], axis=1), axis=0, return_inverse=True)
        if len(table)
        else (np.zeros((0, 4), int), task)
    )
    keys = tuple((tasks[a], models[b], arms[c], stated[d]) for a, b, c, d in packed.tolist())
    abstained = np.array([one == Outcome.ABSTAINED for one in outcomes], dtype=bool)
    answered = np.array([Outcome(one).is_answer for one in outcomes], dtype=bool)
    return _Rows(
        by=np.asarray(by, dtype=np.intp).reshape(-1),
        keys=keys,
        item=item,
        sample=np.asarray(arrow.column("sample").to_numpy(), dtype=np.intp),
        answered=answered[outcome] if len(table) else np.zeros(0, bool),
        abstained=abstained[outcome] if len(table) else np.zeros(0, bool),
        credit=table.credit,
        answerable=np.asarray(arrow.column("answerable").to_numpy(zero_copy_only=False), dtype=bool),
        outcome=outcome,
        outcomes=outcomes,
        stratum=stratum,
        strata=strata,
        confidence={source: table.confidence(source) for source in table.sources},
    )


def _find(rows: _Rows, task: str, model: str, arm: str, target: float | None) -> int | None:
    key = (task, model, arm, target)
    return rows.keys.index(key) if key in rows.keys else None


def _forced(rows: _Rows, key: tuple[str, str, str, float | None]) -> NDArray[np.float64]:
    """Credits of the answers of the arm where the model is made to answer: the best guess at t = 0, else the closed arm, else its own."""
    task, model, arm, target = key
    for at in (_find(rows, task, model, "open", 0.0), _find(rows, task, model, "closed", None), _find(rows, task, model, arm, target)):
        if at is not None:
            mask = (rows.by == at) & rows.answerable & rows.answered
            if mask.any():
                return np.asarray(rows.credit[mask], dtype=np.float64)
    return np.zeros(0)


def _counts(rows: _Rows, mask: NDArray[np.bool_]) -> dict[str, int]:
    seen = dict(zip(rows.outcomes, np.bincount(rows.outcome[mask], minlength=len(rows.outcomes)).tolist(), strict=True))
    return {outcome.value: int(seen.get(outcome.value, 0)) for outcome in Outcome}


def _group(rows: _Rows, at: int, goals: tuple[float, ...], forced: NDArray[np.float64], tie: Tie) -> Group:
    task, model, arm, target = rows.keys[at]
    mine = (rows.by == at) & rows.answerable
    used = mine & (rows.answered | rows.abstained)
    n, n_items = int(mine.sum()), len(np.unique(rows.item[mine]))
    excluded = n - int(used.sum())
    clusters = rows.item[used] if n > n_items else None
    credit, answered = rows.credit[used], rows.answered[used]
    worth = np.where(answered, credit, 0.0)
    given = used & rows.answered
    given_clusters = rows.item[given] if n > n_items else None
    at_targets = (target,) if target is not None else goals
    everyone = np.ones(len(forced), dtype=bool)
    empty = "no answer or abstention"
    return Group(
        by={"task": task, "model": model, "arm": arm, "target": target},
        n=n,
        n_items=n_items,
        counts=_counts(rows, mine),
        score={str(ConfidenceTarget(t)): score_at(credit, answered, t, clusters=clusters, n_excluded=excluded) for t in at_targets},
        always_answer={str(ConfidenceTarget(t)): score_at(forced, everyone, t) for t in at_targets},
        oracle={str(ConfidenceTarget(t)): mean_estimate(np.maximum(payoff(forced, everyone, t), 0), bounds=(0, 1)) for t in at_targets},
        answered=rate_estimate(answered, clusters=clusters, n_excluded=excluded, empty=empty),
        accuracy=rate_estimate(worth, clusters=clusters, n_excluded=excluded, empty=empty),
        accuracy_answered=rate_estimate(
            rows.credit[given], clusters=given_clusters, n_excluded=n - int(given.sum()), empty="nothing was answered"
        ),
        error_rate=rate_estimate(np.where(answered, 1 - credit, 0.0), clusters=clusters, n_excluded=excluded, empty=empty),
        abstention_rate=rate_estimate(~answered, clusters=clusters, n_excluded=excluded, empty=empty),
        confidences=tuple(
            _quality(rows, source, given, given_clusters is not None, goals, tie) for source in rows.confidence if _has(rows, source, given)
        ),
        unanswerable=_unanswerable(rows, (rows.by == at) & ~rows.answerable),
        strata=_strata(rows, mine, used, n > n_items),
    )


def _has(rows: _Rows, source: ConfidenceSource, given: NDArray[np.bool_]) -> bool:
    return bool((~np.isnan(rows.confidence[source][given])).any())


def _quality(
    rows: _Rows, source: ConfidenceSource, given: NDArray[np.bool_], repeated: bool, goals: tuple[float, ...], tie: Tie
) -> ConfidenceQuality:
    """How good one source is on the given answers; those without it are left out and counted."""
    known = given & ~np.isnan(rows.confidence[source])
    out = int(given.sum() - known.sum())
    right, sure = rows.credit[known], rows.confidence[source][known]
    clusters = rows.item[known] if repeated else None
    bins = calibration.usual_binning(sure)
    along = score_by_confidence(right, sure, GRID, tie=tie, clusters=clusters)
    return ConfidenceQuality(
        source=source.value,
        brier=calibration.brier(right, sure, clusters=clusters, n_excluded=out),
        ece=calibration.ece(right, sure, bins=bins, n_excluded=out),
        ece_bins=repr(bins),
        auroc=auroc(right, sure, n_excluded=out),
        overconfidence=calibration.overconfidence(right, sure, clusters=clusters, n_excluded=out),
        reliability=calibration.reliability(right, sure, bins=_drawn(sure), clusters=clusters),
        score_by_confidence=score_by_confidence(right, sure, goals, tie=tie, clusters=clusters, n_excluded=out),
        curve=tuple((t, e.value, e.low, e.high) for t, e in zip(GRID, along.values(), strict=True) if None not in (e.value, e.low, e.high)),  # type: ignore[misc]
    )


def _drawn(sure: NDArray[np.float64]) -> calibration.Binning:
    """Bins that can be read in a diagram: each value its own while they are few, else ten of equal width."""
    return calibration.OnePerValue() if len(np.unique(sure)) <= 12 else calibration.EqualWidth(10)


def _unanswerable(rows: _Rows, mask: NDArray[np.bool_]) -> dict[str, Estimate | int | dict[str, int]]:
    if not mask.any():
        return {}
    used = mask & (rows.answered | rows.abstained)
    repeated = int(mask.sum()) > len(np.unique(rows.item[mask]))
    rate = rate_estimate(rows.abstained[used], clusters=rows.item[used] if repeated else None, n_excluded=int(mask.sum() - used.sum()))
    return {"n": int(mask.sum()), "counts": _counts(rows, mask), "abstention_rate": rate}


def _strata(rows: _Rows, mine: NDArray[np.bool_], used: NDArray[np.bool_], repeated: bool) -> dict[str, dict[str, Estimate]]:
    found = {}
    for code, name in enumerate(rows.strata):
        inside = used & (rows.stratum == code)
        if name is None or not (mine & (rows.stratum == code)).any():
            continue
        out = int((mine & (rows.stratum == code)).sum() - inside.sum())
        given = inside & rows.answered
        clusters = rows.item[inside] if repeated else None
        found[name] = {
            "accuracy": rate_estimate(np.where(rows.answered[inside], rows.credit[inside], 0.0), clusters=clusters, n_excluded=out),
            "accuracy_answered": rate_estimate(
                rows.credit[given], clusters=rows.item[given] if repeated else None, empty="nothing was answered"
            ),
            "abstention_rate": rate_estimate(rows.abstained[inside], clusters=clusters, n_excluded=out),
        }
    return found


def _series(rows: _Rows, at: int) -> dict[tuple[int, int], int]:
    where = np.flatnonzero((rows.by == at) & rows.answerable)
    return dict(zip(zip(rows.item[where].tolist(), rows.sample[where].tolist(), strict=True), where.tolist(), strict=True))


def _behaviour(rows: _Rows, task: str, model: str) -> Behaviour | None:
    open_groups = {key[3]: at for at, key in enumerate(rows.keys) if key[:3] == (task, model, "open") and key[3] is not None}
    if len(open_groups) < 2:
        return None
    series = {t: _series(rows, at) for t, at in open_groups.items()}
    together = sorted(set.intersection(*(set(one) for one in series.values())))
    items = np.array([item for item, _ in together], dtype=np.intp)
    acts = {}
    for t, one in series.items():
        where = np.array([one[key] for key in together], dtype=np.intp)
        acts[t] = Acts(rows.answered[where], rows.abstained[where], rows.credit[where])
    forced, source = None, "none"
    closed = _find(rows, task, model, "closed", None)
    if 0.0 in acts:
        forced, source = acts[0.0].credit, "open t=0"
    elif closed is not None:
        known = _series(rows, closed)
        forced, source = np.array([rows.credit[known[key]] if key in known else np.nan for key in together]), "closed"
    return Behaviour(
        {"task": task, "model": model}, tuple(sorted(acts)), check_cells(acts, forced, items), order_breaks(acts, items), source
    )


def _item_points(rows: _Rows, at: int, t: float) -> dict[int, float]:
    """Mean payoff of each item's scored answers."""
    mask = (rows.by == at) & rows.answerable & (rows.answered | rows.abstained)
    points = payoff(rows.credit[mask], rows.answered[mask], t)
    items, codes = np.unique(rows.item[mask], return_inverse=True)
    means = np.bincount(codes, weights=points) / np.bincount(codes) if len(items) else np.zeros(0)
    return dict(zip(items.tolist(), means.tolist(), strict=True))


def _pairs(rows: _Rows, task: str, model: str, goals: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    """Each arm against the closed one, on the same items."""
    closed = _find(rows, task, model, "closed", None)
    if closed is None:
        return
    for t in goals:
        for arm, at in (("open", _find(rows, task, model, "open", t)), ("consistency", _find(rows, task, model, "consistency", None))):
            if at is None:
                continue
            a, b = _item_points(rows, closed, t), _item_points(rows, at, t)
            both = sorted(a.keys() & b.keys())
            difference = paired_difference([a[i] for i in both], [b[i] for i in both], both, n_excluded=len(a.keys() ^ b.keys()))
            yield {
                "a": {"task": task, "model": model, "arm": "closed", "target": None},
                "b": {"task": task, "model": model, "arm": arm, "target": t if arm == "open" else None},
                "target": t,
                "score": difference,
                "n_items": len(both),
            }


def _notes(rows: _Rows, at: int, group: Group, goals: tuple[float, ...], tie: Tie) -> Iterator[str]:
    """Sentences that belong beside the numbers."""
    name = f"{group.by['arm']}" + (f" t={group.by['target']:g}" if group.by["target"] is not None else "")
    out = sum(group.counts[outcome.value] for outcome in Outcome if not outcome.is_scored)
    if group.n and out / group.n > UNSCORED_SHARE:
        kinds = ", ".join(f"{group.counts[o.value]} {o.value}" for o in Outcome if not o.is_scored and group.counts[o.value])
        yield f"{name}: {out} of {group.n} answers ({out / group.n:.0%}) have no verdict ({kinds}); no score includes them"
    mine = (rows.by == at) & rows.answerable & rows.answered
    partial = int(((rows.credit[mine] > 0) & (rows.credit[mine] < 1)).sum())
    if partial:
        yield f"{name}: {partial} answers have partial credit; counts call them correct from one half on, scores use the credit itself"
    for source, values in rows.confidence.items():
        known = values[mine & ~np.isnan(values)]
        for t in goals:
            on = float((known == t).mean()) if known.size else 0.0
            if on >= TIE_SHARE:
                other: Tie = "weak" if tie == "strict" else "strict"
                credit = rows.credit[mine & ~np.isnan(values)]
                there = score_by_confidence(credit, known, [t], tie=other)[str(ConfidenceTarget(t))].value
                yield (
                    f"{name}: {on:.0%} of the {source.value} confidences are exactly {t:g}; "
                    f"with the {other} tie rule the score there is {there:+.3f}"
                )
