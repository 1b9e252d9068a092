"""A leaderboard of answers that exist: every group re-scored at every target, with intervals, ranks and paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import bdtr

from wager.answers import ConfidenceSource, Outcome
from wager.errors import UsageError
from wager.metrics.calibration import Binning
from wager.metrics.confidence import confidence_of
from wager.metrics.curves import Tie, score_by_confidence
from wager.metrics.discrimination import ItemParts, auroc_difference, auroc_parts
from wager.metrics.intervals import Z, bounded, rate_estimate
from wager.metrics.ranks import Moments, moments, rank_intervals, ranks_of, standard_normals
from wager.metrics.results import Along, Board, BoardGroup, BoardPair, Confidence, Estimate, Ranks
from wager.metrics.rows import OUTCOMES, Rows, split
from wager.metrics.scores import always_answer, oracle, score_at
from wager.metrics.summary import behaviours
from wager.scoring import payoff
from wager.table import AnswerTable
from wager.targets import ConfidenceTarget, targets_from

__all__ = ["GRID", "Missing", "board"]

Missing = Literal["abstained", "incorrect", "unparsed"]
"""What a missing answer counts as; ``unparsed`` leaves it out."""

GRID = tuple(i / 100 for i in range(100))
"""Targets along which curves are computed."""
MOST_PAIRS = 45
"""Groups up to which all pairs are compared."""
SIMULTANEOUS = 2.447746830680816
"""Half-width, in standard errors, of a band that holds at all t together: a score is linear in the penalty, so it is Scheffe's in two
dimensions, the root of the 95 % quantile of chi-squared with 2 degrees of freedom."""
TIE_SHARE = 0.1
"""Share of confidences exactly on a target from which on both tie rules are told."""
UNSCORED_SHARE = 0.05
"""Share of answers without a verdict from which on a reader is told."""

By = dict[str, str | float | None]


@dataclass(frozen=True)
class _Line:
    """A group before it is scored."""

    by: By
    rows: Rows
    """Answerable ones, after the choice for missing answers."""
    absent: NDArray[np.bool_]
    """Which of them were missing."""
    unanswerable: dict[str, int]

    @property
    def stated(self) -> float | None:
        """The target that its answers were told, if it is one of the columns that select it."""
        told = self.by.get("target")
        return float(told) if isinstance(told, int | float) else None


def board(
    table: AnswerTable,
    targets: Sequence[float],
    *,
    by: Mapping[str, pa.Array | pa.ChunkedArray] | None = None,
    missing: Missing = "unparsed",
    is_missing: NDArray[np.bool_] | None = None,
    tie: Tie = "strict",
    stakes: tuple[float, float] = (1.0, 1.0),
    source: str | None = None,
    bins: Binning | None = None,
    grid: Sequence[float] = GRID,
) -> Board:
    """Re-scores a table.

    Items where abstaining is the only right reply enter no score (`BoardGroup.unanswerable`). A group that was told a target is scored
    at that one; others at all. Where an item has several answers it is the cluster. The order of rows changes nothing.

    Args:
        table: graded answers.
        targets: each in [0, 1).
        by: what makes a group: names and columns of the table's length; by default the model, and the task, arm and target where the
            table has several.
        missing: what missing answers count as.
        is_missing: shape (N,), which answers are missing; the unparsed ones by default.
        tie: whether a confidence equal to the target answers.
        stakes: alpha and beta of the Beta distribution of t behind ``expected_score``.
        source: the confidence that comes first; by default the first that the table has.
        bins: of the ECE.
        grid: targets of the curves, increasing.

    Raises:
        TargetError: a target outside [0, 1), or twice.
        UsageError: the table has no confidence of that source.
    """
    goals = tuple(goal.t for goal in targets_from(targets))
    sources = _sources(table, source)
    columns = dict(by) if by is not None else usual_columns(table)
    gone = table.outcome == Outcome.UNPARSED.value if is_missing is None else np.asarray(is_missing, dtype=bool)
    lines = [_line(one, rows, gone[places], missing) for one, rows, places in split(table, columns)]
    along = tuple(float(t) for t in grid)
    found = _moments(lines)
    places = _ranks(lines, found, along)
    groups = tuple(
        _group(line, goals, along, found, at, ranks, _acts(lines, at), sources, tie, stakes, bins)
        for at, (line, ranks) in enumerate(zip(lines, places, strict=True))
    )
    pairs, limited = _pairs(lines, goals, along)
    if sources and pairs:
        n_items = 1 + max(int(line.rows.item.max()) for line in lines if len(line.rows))
        parts = [_auroc_parts(line, sources, n_items) for line in lines]
        shared = [next((one for one in parts[pair.a] if one in parts[pair.b]), None) for pair in pairs]
        pairs = tuple(
            pair if one is None else replace(pair, auroc=auroc_difference(parts[pair.a][one], parts[pair.b][one]))
            for pair, one in zip(pairs, shared, strict=True)
        )
    notes = [*_notes(lines, groups, goals, tie), *limited]
    told = behaviours(table) if len(table.arrow.column("target").unique()) > 2 else ()
    return Board(goals, along, groups, pairs, tie, missing, tuple(notes), told)


def usual_columns(table: AnswerTable) -> dict[str, pa.ChunkedArray]:
    """The model, and the task, arm and target where the table has several."""
    several = [name for name in ("task", "arm", "target") if len(table.arrow.column(name).unique()) > 1]
    return {name: table.arrow.column(name) for name in ("model", *several)}


def _sources(table: AnswerTable, first: str | None) -> tuple[ConfidenceSource, ...]:
    sources = table.sources
    if first is None:
        return sources
    if first not in {one.value for one in sources}:
        raise UsageError(f"no answer has a {first!r} confidence; the answers have {', '.join(sources) or 'none'}")
    chosen = ConfidenceSource(first)
    return (chosen, *(one for one in sources if one is not chosen))


def _line(by: By, rows: Rows, gone: NDArray[np.bool_], missing: Missing) -> _Line:
    other = rows.where(~rows.answerable)
    rows, gone = rows.where(rows.answerable), gone[rows.answerable]
    if missing != "unparsed" and gone.any():
        wrong = missing == "incorrect"
        outcome = np.where(gone, OUTCOMES.index(Outcome.INCORRECT if wrong else Outcome.ABSTAINED), rows.outcome)
        rows = replace(rows, outcome=outcome, credit=np.where(gone, 0.0 if wrong else np.nan, rows.credit))
    return _Line(by, rows, gone, other.counts if len(other) else {})


def _gain_cost(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of scored rows: credit, and 1 - credit where answered; the score at t is their difference at the penalty."""
    return rows.worth, np.where(rows.answered, 1 - rows.credit, 0.0)


def _moments(lines: Sequence[_Line]) -> Moments:
    used = [line.rows.where(line.rows.scored) for line in lines]
    parts = [_gain_cost(rows) for rows in used]
    size = 1 + max((int(rows.item.max()) for rows in used if len(rows)), default=0)
    return moments([gain for gain, _ in parts], [cost for _, cost in parts], [rows.item for rows in used], size)


def _penalty(t: float) -> float:
    return ConfidenceTarget(t).penalty


def _ranks(lines: Sequence[_Line], found: Moments, grid: Sequence[float]) -> list[Ranks]:
    """Where each line stands along the grid; a line that was told a target stands at that target only."""
    normals = standard_normals(len(lines))
    either = {which: _counted(lines, which) for which in ("incorrect", "abstained")}
    columns: list[list[tuple[int | None, ...]]] = []
    for t in grid:
        penalty = _penalty(t)
        absent = np.array([line.stated is not None and line.stated != t for line in lines], dtype=bool)
        masked = replace(found, gain=np.where(absent, np.nan, found.gain))
        rank = ranks_of(masked.score(penalty))
        low, high = rank_intervals(masked, penalty, normals)
        others = [ranks_of(np.where(absent, np.nan, gain - penalty * cost)) for gain, cost in either.values()]
        columns.append([tuple(one) for one in zip(rank, low, high, *others, strict=True)])
    return [Ranks(*(tuple(column[at][k] for column in columns) for k in range(5))) for at in range(len(lines))]


def _counted(lines: Sequence[_Line], which: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean gain and cost of each line if its missing answers counted as this."""
    gains, costs = [], []
    for line in lines:
        rows = line.rows.where(line.rows.scored & ~line.absent)
        gain, cost = _gain_cost(rows)
        out = int(line.absent.sum())
        size = len(rows) + out
        gains.append(gain.sum() / size if size else np.nan)
        costs.append((cost.sum() + (out if which == "incorrect" else 0)) / size if size else np.nan)
    return np.array(gains), np.array(costs)


def _group(
    line: _Line,
    goals: tuple[float, ...],
    grid: tuple[float, ...],
    found: Moments,
    at: int,
    ranks: Ranks,
    acts: Mapping[float, NDArray[np.float64]],
    sources: Sequence[ConfidenceSource],
    tie: Tie,
    stakes: tuple[float, float],
    bins: Binning | None,
) -> BoardGroup:
    rows = line.rows
    used, given = rows.where(rows.scored), rows.where(rows.answered)
    out: dict[str, Any] = {"clusters": used.clusters, "n_excluded": len(rows) - len(used)}
    base: dict[str, Any] = {"clusters": given.clusters, "n_excluded": len(rows) - len(given)}
    empty = "no answer or abstention"

    def told(t: float, made: Estimate) -> Estimate:
        if line.stated is None or line.stated == t:
            return made
        return Estimate(None, n_excluded=len(rows), reason=f"these answers were told the target {line.stated:g}")

    def along(z: float) -> Along:
        one = Moments(
            found.gain[[at]], found.cost[[at]], found.size[[at]],
            found.gain_gain[at : at + 1, at : at + 1], found.gain_cost[at : at + 1, at : at + 1], found.cost_cost[at : at + 1, at : at + 1],
        )  # fmt: skip
        points: list[tuple[float | None, float | None, float | None]] = []
        for t in grid:
            value = float(one.score(_penalty(t))[0])
            if np.isnan(value) or (line.stated is not None and line.stated != t):
                points.append((None, None, None))
                continue
            error = float(np.sqrt(max(0.0, one.covariance(_penalty(t))[0, 0])))
            points.append((value, *bounded(value, error, float(one.size[0]), (-_penalty(t), 1.0), z)))
        return Along(*(tuple(point[k] for point in points) for k in range(3)))

    right = np.where(used.answered, 1 - used.credit, 0.0)
    return BoardGroup(
        by=line.by,
        n=len(rows),
        n_items=len(np.unique(rows.item)),
        counts=rows.counts,
        missing=int(line.absent.sum()),
        score={str(ConfidenceTarget(t)): told(t, score_at(used.credit, used.answered, t, **out)) for t in goals},
        always_answer={str(ConfidenceTarget(t)): told(t, always_answer(given.credit, t, **base)) for t in goals},
        oracle={str(ConfidenceTarget(t)): told(t, oracle(given.credit, t, **base)) for t in goals},
        rates={
            "accuracy": rate_estimate(used.worth, **out, empty=empty),
            "accuracy_answered": rate_estimate(given.credit, **base, empty="nothing was answered"),
            "answered": rate_estimate(used.answered, **out, empty=empty),
            "abstention_rate": rate_estimate(used.abstained, **out, empty=empty),
            "error_rate": rate_estimate(right, **out, empty=empty),
        },
        along=along(Z),
        band=along(SIMULTANEOUS),
        ranks=ranks,
        confidences=tuple(
            _told_confidence(one, line.stated, grid)
            for name in sources
            if (one := _confidence(given, name, goals, grid, acts, tie, stakes, bins)) is not None
        ),
        strata=_strata(used, grid, line.stated),
        strata_n=dict(_strata_sizes(used)),
        unanswerable=line.unanswerable,
    )


def _confidence(
    given: Rows,
    source: ConfidenceSource,
    goals: tuple[float, ...],
    grid: tuple[float, ...],
    acts: Mapping[float, NDArray[np.float64]],
    tie: Tie,
    stakes: tuple[float, float],
    bins: Binning | None,
) -> Confidence | None:
    known = ~np.isnan(given.confidence[source])
    if not known.any():
        return None
    rows = given.where(known)
    return confidence_of(
        source.value,
        rows.credit,
        rows.confidence[source],
        goals,
        grid,
        clusters=rows.clusters,
        n_excluded=len(given) - len(rows),
        weak=tie == "weak",
        stakes=stakes,
        acts={t: points[rows.item] for t, points in acts.items()},
        bins=bins,
    )


def _told_confidence(found: Confidence, stated: float | None, grid: tuple[float, ...]) -> Confidence:
    """Of answers that were told a target, points are lost at that one only."""
    if stated is None:
        return found
    none = Estimate(None, n_excluded=found.n, reason=f"these answers were told the target {stated:g}")
    lost = {t: parts if t == str(ConfidenceTarget(stated)) else dict.fromkeys(parts, none) for t, parts in found.lost.items()}
    along = {name: tuple(x if t == stated else None for t, x in zip(grid, line, strict=True)) for name, line in found.lost_along.items()}
    return replace(found, lost=lost, lost_along=along)


def _acts(lines: Sequence[_Line], at: int) -> dict[float, NDArray[np.float64]]:
    """For a line that was told no target: by target, the mean points by item that the same group made when it was told that target."""
    here = lines[at]
    if "target" not in here.by or here.stated is not None:
        return {}
    found = {}
    size = 1 + max((int(line.rows.item.max()) for line in lines if len(line.rows)), default=0)
    for line in lines:
        same = all(line.by[name] == value for name, value in here.by.items() if name not in ("arm", "target"))
        if line.stated is None or not same:
            continue
        rows = line.rows.where(line.rows.scored)
        points = payoff(rows.credit, rows.answered, line.stated)
        with np.errstate(invalid="ignore"):
            found[line.stated] = np.bincount(rows.item, weights=points, minlength=size) / np.bincount(rows.item, minlength=size)
    return found


def _strata_sizes(used: Rows) -> Iterator[tuple[str, int]]:
    for code, count in zip(*np.unique(used.stratum, return_counts=True), strict=True):
        name = used.strata[code]
        if name is not None:
            yield name, int(count)


def _strata(used: Rows, grid: tuple[float, ...], stated: float | None) -> dict[str, tuple[float | None, ...]]:
    gain, cost = _gain_cost(used)
    found: dict[str, tuple[float | None, ...]] = {}
    penalty = np.array([_penalty(t) for t in grid])
    for code in np.unique(used.stratum).tolist():
        name = used.strata[code]
        if name is None:
            continue
        inside = used.stratum == code
        scores = (gain[inside].mean() - penalty * cost[inside].mean()).tolist()
        found[name] = tuple(score if stated in (None, t) else None for t, score in zip(grid, scores, strict=True))
    return found


def _pairs(lines: Sequence[_Line], goals: tuple[float, ...], grid: tuple[float, ...]) -> tuple[tuple[BoardPair, ...], list[str]]:
    """All pairs, by the means of each item's scored answers."""
    if len(lines) > MOST_PAIRS:
        return (), [f"{len(lines)} groups: paired differences are computed for up to {MOST_PAIRS}; name fewer columns in --by"]
    size = 1 + max((int(line.rows.item.max()) for line in lines if len(line.rows)), default=0)
    tables = []
    for line in lines:
        rows = line.rows.where(line.rows.scored)
        gain, cost = _gain_cost(rows)
        count = np.bincount(rows.item, minlength=size)
        with np.errstate(invalid="ignore"):
            tables.append((np.bincount(rows.item, gain, size) / count, np.bincount(rows.item, cost, size) / count, count))
    every = tuple(dict.fromkeys((*goals, *grid)))
    penalty = np.array([_penalty(t) for t in every])
    made = []
    for a in range(len(lines)):
        for b in range(a + 1, len(lines)):
            if lines[a].stated is not None and lines[b].stated is not None and lines[a].stated != lines[b].stated:
                continue
            both = np.flatnonzero((tables[a][2] > 0) & (tables[b][2] > 0))
            if len(both):
                made.append(_pair(a, b, lines, tables, both, goals, grid, every, penalty))
    return tuple(made), []


def _pair(
    a: int,
    b: int,
    lines: Sequence[_Line],
    tables: Sequence[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]],
    both: NDArray[np.intp],
    goals: tuple[float, ...],
    grid: tuple[float, ...],
    every: tuple[float, ...],
    penalty: NDArray[np.float64],
) -> BoardPair:
    n = len(both)
    out = int(((tables[a][2] > 0) | (tables[b][2] > 0)).sum()) - n
    gain, cost = tables[b][0][both] - tables[a][0][both], tables[b][1][both] - tables[a][1][both]
    value = gain.mean() - penalty * cost.mean()
    estimates: dict[float, Estimate] = {}
    if n > 1:
        (vgg, vgc), (_, vcc) = np.cov(np.stack([gain, cost])) / n
        error = np.sqrt(np.maximum(0.0, vgg - 2 * penalty * vgc + penalty**2 * vcc))
    else:
        error = np.full(len(every), np.nan)
    stated = lines[a].stated if lines[a].stated is not None else lines[b].stated
    for t, one, se, cost_of in zip(every, value.tolist(), error.tolist(), penalty.tolist(), strict=True):
        if stated is not None and t != stated:
            estimates[t] = Estimate(None, n_excluded=n, reason=f"one of them was told the target {stated:g}")
        else:
            widest = 1 + cost_of
            estimates[t] = Estimate(one, *bounded(one, se, n, (-widest, widest)), n, out)
    first, second = tables[a][0][both], tables[b][0][both]
    single = bool(
        (tables[a][2][both] == 1).all() and (tables[b][2][both] == 1).all() and np.isin(np.concatenate([first, second]), (0, 1)).all()
    )
    one_only, other_only = int(((first == 1) & (second == 0)).sum()), int(((first == 0) & (second == 1)).sum())
    changed = one_only + other_only
    p = min(1.0, 2 * float(bdtr(min(one_only, other_only), changed, 0.5))) if changed else 1.0
    difference = float(gain.mean())
    accuracy = Estimate(difference, *bounded(difference, float(gain.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan, n, (-1.0, 1.0)), n, out)
    drawn = [estimates[t] for t in grid]
    return BoardPair(
        a=a,
        b=b,
        n_items=n,
        score={str(ConfidenceTarget(t)): estimates[t] for t in goals},
        along=Along(tuple(x.value for x in drawn), tuple(x.low for x in drawn), tuple(x.high for x in drawn)),
        accuracy=accuracy,
        mcnemar_p=p if single else None,
    )


def _auroc_parts(line: _Line, sources: Sequence[ConfidenceSource], n_items: int) -> dict[ConfidenceSource, ItemParts | None]:
    """By each source that the line's answers have."""
    found = {}
    for source in sources:
        rows = line.rows.where(line.rows.answered & ~np.isnan(line.rows.confidence[source]))
        if len(rows):
            found[source] = auroc_parts(rows.credit, rows.confidence[source], rows.item, n_items)
    return found


def _notes(lines: Sequence[_Line], groups: Sequence[BoardGroup], goals: Sequence[float], tie: Tie) -> Iterator[str]:
    unscored = []
    for group in groups:
        out = {one.value: group.counts[one.value] for one in Outcome if not one.is_scored}
        if group.n and sum(out.values()) / group.n > UNSCORED_SHARE:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in out.items() if count)
            unscored.append(f"{group.name}: {sum(out.values()):,} of {group.n:,} answers have no verdict ({kinds}); no score includes them")
    yield from unscored[:3]
    if len(unscored) > 3:
        yield f"so have {len(unscored) - 3} more groups: see their counts"
    for line, group in zip(lines, groups, strict=True):
        partial = int(((line.rows.credit > 0) & (line.rows.credit < 1)).sum())
        if partial:
            yield f"{group.name}: {partial} answers have partial credit; counts call them correct from one half on, scores use the credit"
        for one in group.confidences:
            if one.constant:
                yield f"{group.name}: every {one.source} confidence is the same: one operating point, no ranking by AURC"
        for source, values in line.rows.confidence.items():
            known = line.rows.answered & ~np.isnan(values)
            for t in goals:
                on = float((values[known] == t).mean()) if known.any() else 0.0
                if on >= TIE_SHARE:
                    other = score_by_confidence(line.rows.credit[known], values[known], [t], tie="weak" if tie == "strict" else "strict")
                    score = other[str(ConfidenceTarget(t))].value
                    which = "weak" if tie == "strict" else "strict"
                    where = f"{on:.0%} of the {source.value} confidences are exactly {t:g}"
                    yield f"{group.name}: {where}; with --tie {which} the score there is {score:+.3f}"
    sets = [set(np.unique(line.rows.item).tolist()) for line in lines]
    if len(sets) > 1 and any(one != sets[0] for one in sets):
        common = set.intersection(*sets)
        every = set.union(*sets)
        yield f"the groups do not share all items: {len(common):,} of {len(every):,} are in every group"
    told = {line.stated for line in lines} - {None}
    if told:
        yield "groups that were told a target are scored at that target only"
