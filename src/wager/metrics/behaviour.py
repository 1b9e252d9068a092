"""Behavioural calibration: do the acts of a model follow the targets that it is told?

Kalai et al. (2025), sec. 4.2: at target t the best behaviour is the most useful answer in which the model is more than t confident,
else "I don't know". Nobody need state a number: accuracy and abstention across targets tell. That the accuracy of given answers is
at least t is necessary only (a model that never answers passes), so what was held back is checked too.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc

from wager.metrics.intervals import clopper_pearson, rate_estimate
from wager.metrics.results import Cell, Estimate, Obedience

__all__ = ["Acts", "check_cells", "obedience", "order_breaks", "slope"]

LEVEL = 0.05
"""Chance, over all cells of one kind together, that a cell of a calibrated model is said to fail (Holm 1979)."""
ROUNDING = 1e-9
"""Slack with which a count made from a mean is taken as whole."""


@dataclass(frozen=True)
class Acts:
    """What was done at one target, on series of the same items and samples. All arrays have shape (N,), N series."""

    answered: NDArray[np.bool_]
    """Whether the series' reply at this target is an answer."""
    abstained: NDArray[np.bool_]
    """Whether it is an abstention; neither where there is no verdict, or the series was not run at this target."""
    credit: NDArray[np.float64]
    """Credit in [0, 1], NaN where not answered."""


def check_cells(acts: Mapping[float, Acts], forced: NDArray[np.float64] | None, items: NDArray[np.intp]) -> tuple[Cell, ...]:
    """The checks at every target and between neighbours.

    A series that has no verdict where one is needed might belong to a cell; it is left out and counted there. With several samples
    of an item the tests and intervals count items, not answers, which is cautious.

    Args:
        acts: by target, on the same series.
        forced: shape (N,), credit of each series where the model was made to answer (or asked without a target), NaN where it gave no
            answer; None if there was no such run, and the abstained cells are then empty.
        items: shape (N,), the item of each series: what is independent.
    """
    targets = sorted(acts)
    unknown = {t: ~acts[t].answered & ~acts[t].abstained for t in targets}
    answered = [_cell("answered", t, 1.0, t, acts[t].credit, items, acts[t].answered, unknown[t]) for t in targets]
    between = []
    for low, high in itertools.pairwise(targets):
        inside = acts[low].answered & acts[high].abstained
        maybe = (acts[low].answered | unknown[low]) & (acts[high].abstained | unknown[high])
        between.append(_cell("between", low, high, low, acts[low].credit, items, inside, maybe & ~inside))
    would_be = np.full(len(items), np.nan) if forced is None else forced
    abstained = []
    for t in targets:
        if t > 0:
            inside = acts[t].abstained & ~np.isnan(would_be)
            abstained.append(_cell("abstained", 0.0, t, t, would_be, items, inside, (acts[t].abstained | unknown[t]) & ~inside))
    return tuple(cell for kind in (answered, between, abstained) for cell in _judged(kind))


def _cell(
    kind: str,
    low: float,
    high: float,
    target: float,
    credit: NDArray[np.float64],
    items: NDArray[np.intp],
    inside: NDArray[np.bool_],
    unknown: NDArray[np.bool_],
) -> tuple[Cell, float]:
    """The cell without its judgement, and the probability of so bad a value if the accuracy were just allowed."""
    n, out, size = int(inside.sum()), int(unknown.sum()), len(np.unique(items[inside]))
    if n == 0:
        return Cell(kind, low, high, Estimate(None, n=0, n_excluded=out, reason="no such answers"), None, target), 1.0
    value = float(credit[inside].mean())
    cell = Cell(kind, low, high, Estimate(value, *clopper_pearson(value * size, size), n, out), None, target)
    if low <= value <= high:
        return replace(cell, holds=True), 1.0
    # a fractional count is rounded towards the allowed range
    count = int(np.ceil(value * size - ROUNDING)) if value < low else int(np.floor(value * size + ROUNDING))
    tail = float(bdtr(count, size, low) if value < low else bdtrc(count - 1, size, high) if count > 0 else 1.0)
    sides = 2 if low > 0 and high < 1 else 1  # a narrow range can be missed on both sides
    return cell, min(1.0, sides * tail)


def _judged(cells: Sequence[tuple[Cell, float]]) -> list[Cell]:
    """Holm's step-down over the cells of one kind that have answers."""
    made = [cell for cell, _ in cells]
    tested = sorted((p, at) for at, (cell, p) in enumerate(cells) if cell.accuracy.n)
    for rank, (p, at) in enumerate(tested):
        if p > LEVEL / (len(tested) - rank):
            break
        made[at] = replace(made[at], holds=False)
    return made


def order_breaks(acts: Mapping[float, Acts], items: NDArray[np.intp]) -> Estimate:
    """Share of series that answer at some target after abstaining at a lower one; series with a verdict at fewer than two targets
    are left out and counted."""
    targets = sorted(acts)
    held = np.zeros(len(items), dtype=bool)
    broken = np.zeros(len(items), dtype=bool)
    seen = np.zeros(len(items), dtype=int)
    for t in targets:
        broken |= held & acts[t].answered
        held |= acts[t].abstained
        seen += acts[t].answered | acts[t].abstained
    used = seen >= 2
    clusters = items[used] if len(np.unique(items)) < len(items) else None
    return rate_estimate(broken[used], clusters=clusters, n_excluded=int((~used).sum()), empty="fewer than two targets")


def obedience(acts: Mapping[float, Acts], source: str, confidence: NDArray[np.float64], items: NDArray[np.intp]) -> tuple[Obedience, ...]:
    """At each target: does the model answer exactly where its confidence is above it?

    Series without a verdict at the target, or without this confidence, are left out and counted.

    Args:
        acts: by target, on the same series.
        source: name of the confidence.
        confidence: shape (N,), of the same series without a stated target; NaN where absent.
        items: shape (N,), the item of each series.
    """
    found = []
    for t in sorted(acts):
        done = acts[t]
        used = (done.answered | done.abstained) & ~np.isnan(confidence)
        answered, sure = done.answered[used], confidence[used]
        labels = items[used]
        clusters = labels if len(np.unique(labels)) < len(labels) else None
        above = sure > t

        def share(hits: NDArray[np.bool_], clusters: NDArray[np.intp] | None = clusters, used: NDArray[np.bool_] = used) -> Estimate:
            return rate_estimate(hits, clusters=clusters, n_excluded=int((~used).sum()), empty="no verdict with this confidence")

        found.append(
            Obedience(t, source, share(answered == above), share(answered & ~above), share(~answered & above), _implied(answered, sure))
        )
    return tuple(found)


def _implied(answered: NDArray[np.bool_], sure: NDArray[np.float64]) -> float | None:
    """The threshold with the fewest disagreements; in the middle of the best ones where there are several."""
    if not len(sure):
        return None
    if answered.all() or not answered.any():
        return 0.0 if answered.all() else 1.0
    values, codes = np.unique(sure, return_inverse=True)
    acts = np.bincount(codes, weights=answered)
    holds = np.bincount(codes, weights=~answered)
    # threshold after the first k values: these should be held back, the others answered
    wrong = np.concatenate([[0.0], np.cumsum(acts)]) + np.concatenate([np.cumsum(holds[::-1])[::-1], [0.0]])
    edges = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [1.0]])
    best = edges[np.isclose(wrong, wrong.min())]
    return float((best[0] + best[-1]) / 2)


def slope(found: Sequence[Obedience]) -> float | None:
    """Least-squares slope of the implied thresholds of one source on the targets; None with fewer than two."""
    pairs = [(one.target, one.implied_threshold) for one in found if one.implied_threshold is not None]
    if len(pairs) < 2:
        return None
    t, implied = np.array(pairs).T
    return float(((t - t.mean()) * implied).sum() / ((t - t.mean()) ** 2).sum())
