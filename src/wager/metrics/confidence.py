"""All metrics of one source of confidence on one set of answers, with intervals, from one sort and one bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from wager.metrics import calibration, selective, smooth
from wager.metrics.cells import Cells, cells_of
from wager.metrics.corp import best_score, corp, crossfitted_regret, recalibrated, reliability_curve, score_above
from wager.metrics.discrimination import auroc_of
from wager.metrics.intervals import Z, bounded, clustered_se, rate_estimate
from wager.metrics.resampling import RESAMPLES, Draws, draw
from wager.metrics.results import Along, Confidence, Estimate
from wager.metrics.stakes import expected_score
from wager.targets import ConfidenceTarget

__all__ = ["LOST", "confidence_of"]

LOST = ("disobedience", "miscalibration", "indistinction")
"""Where points go: it does not act on its own confidence, its confidence is off, it cannot tell right from wrong."""

FEW = 20
"""Answers below which nothing is cross-fitted."""
BINS = 10
"""Equal-width bins where there are too many distinct confidences for a bin of each."""
COARSE_GRID = 256
"""Points of the smoothing grid inside the bootstrap."""
ONE_POINT = "one constant confidence is one operating point, not an order"

Floats = NDArray[np.float64]
Loss = Callable[[Floats, Floats], Floats]
"""(credit, confidence) -> a loss of each answer."""


def confidence_of(
    source: str,
    credit: Floats,
    confidence: Floats,
    targets: Sequence[float],
    grid: Sequence[float],
    *,
    clusters: NDArray[np.intp] | None = None,
    n_excluded: int = 0,
    weak: bool = False,
    stakes: tuple[float, float] = (1.0, 1.0),
    acts: Mapping[float, Floats] | None = None,
    resamples: int = RESAMPLES,
    bins: calibration.Binning | None = None,
) -> Confidence:
    """Every metric of a confidence.

    Args:
        source: its name.
        credit, confidence: shape (N,), N >= 1, each in [0, 1]: answers that were all given.
        targets: where the score and what it loses are estimated, each in [0, 1).
        grid: where curves are drawn, increasing, each in [0, 1).
        clusters: shape (N,), labels of what is independent; None: every answer.
        n_excluded: answers without this confidence, carried into the results.
        weak: answer iff confidence >= t instead of > t.
        stakes: alpha and beta of the Beta distribution of t behind ``expected_score``.
        acts: by target, points that the model really made on each answer's item, shape (N,); without: it answered all.
        resamples: of the bootstrap.
        bins: of the ECE; `calibration.usual_binning` by default.
    """
    cells = cells_of(credit, confidence)
    if clusters is not None or acts or not cells.binary:  # sums are then made in one order, whatever the order of rows
        done = [np.nan_to_num(acts[t], nan=-np.inf) for t in sorted(acts)] if acts else []
        order = np.lexsort((*done, *([] if clusters is None else [clusters]), credit, confidence))
        credit, confidence = credit[order], confidence[order]
        clusters = None if clusters is None else clusters[order]
        acts = {t: points[order] for t, points in acts.items()} if acts else None
    bins = bins or _bins(cells)
    codes = bins.assign(cells.value, cells.n)
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    draws = draw(credit, confidence, cells, clusters=clusters, breaks=cells.value[starts[1:]], resamples=resamples)
    metrics = _metrics(cells, draws, credit, confidence, clusters, starts, n_excluded, stakes)
    every = np.unique(np.concatenate([np.asarray(grid, dtype=np.float64), np.asarray(targets, dtype=np.float64)]))
    fitted = np.nan_to_num([recalibrated(n, right) for n, right in zip(draws.n, draws.right, strict=True)])
    parts, whole = _lost(cells, draws, fitted, every, weak)
    score, band = _scores(cells, credit, confidence, every, whole["score"], clusters, weak)
    lost: dict[str, dict[str, Estimate]] = {}
    place = {t: int(np.searchsorted(every, t)) for t in (*grid, *targets)}
    for t in targets:
        at = place[t]
        lost[str(ConfidenceTarget(t))] = {
            "disobedience": _disobedience(cells, credit, confidence, t, weak, clusters, acts, n_excluded),
            **{name: _basic(float(parts[name][at]), whole[name][:, at], (0.0, np.inf), cells.size, n_excluded) for name in LOST[1:]},
        }
    on_grid = [place[t] for t in grid]
    return Confidence(
        source=source,
        n=cells.size,
        metrics=metrics,
        ece_bins=repr(bins),
        corp=_corp(cells, draws, fitted, n_excluded),
        score={str(ConfidenceTarget(t)): _with_n(score[place[t]], cells.size, n_excluded) for t in targets},
        lost=lost,
        along=_along([score[at] for at in on_grid]),
        band=_along([band[at] for at in on_grid]),
        lost_along={name: tuple(parts[name][on_grid].tolist()) for name in LOST},
        reliability=calibration.reliability(credit, confidence, bins=_drawn(cells), clusters=clusters),
        risk_coverage=selective.risk_coverage(cells),
        constant=cells.constant,
        at={str(ConfidenceTarget(t)): _at(credit, confidence, t, weak, clusters, n_excluded) for t in targets},
        regret_crossfitted=_crossfitted(credit, confidence, targets, weak, clusters, n_excluded),
        corp_curve=reliability_curve(cells),
    )


def _at(credit: Floats, confidence: Floats, t: float, weak: bool, clusters: NDArray[np.intp] | None, out: int) -> dict[str, Estimate]:
    above = confidence >= t if weak else confidence > t
    labels = None if clusters is None else clusters[above]
    return {
        "coverage": rate_estimate(above, clusters=clusters, n_excluded=out),
        "accuracy": rate_estimate(
            np.sort(credit[above]) if labels is None else credit[above], clusters=labels, n_excluded=out, empty="no confidence is above it"
        ),
    }


def _crossfitted(
    credit: Floats, confidence: Floats, targets: Sequence[float], weak: bool, clusters: NDArray[np.intp] | None, out: int
) -> dict[str, Estimate]:
    n = len(credit)
    if n < FEW:
        none = Estimate(None, n=n, n_excluded=out, reason=f"fewer than {FEW} answers: nothing is cross-fitted")
        return {str(ConfidenceTarget(t)): none for t in targets}
    found = crossfitted_regret(credit, confidence, targets, clusters=clusters, weak=weak)
    made = (Estimate(float(value), n=n, n_excluded=out, reason="no interval") for value in found)
    return {str(ConfidenceTarget(t)): one for t, one in zip(targets, made, strict=True)}


def _bins(cells: Cells) -> calibration.Binning:
    few = calibration.few_values(len(cells.value), cells.size)
    return calibration.OnePerValue() if few else calibration.EqualWidth(BINS)


def _drawn(cells: Cells) -> calibration.Binning:
    return calibration.OnePerValue() if len(cells.value) <= 12 else calibration.EqualWidth(BINS)


def _metrics(
    cells: Cells,
    draws: Draws,
    credit: Floats,
    confidence: Floats,
    clusters: NDArray[np.intp] | None,
    starts: NDArray[np.intp],
    out: int,
    stakes: tuple[float, float],
) -> dict[str, Estimate]:
    n, value = cells.size, cells.value
    gap = value * cells.n - cells.right
    coarse, total = draws.cells, draws.n.sum(axis=1)
    drawn_gap = coarse.value * draws.n - draws.right
    drawn_starts = np.unique(np.searchsorted(coarse.value, value[starts], side="left"))
    area, best, generalised = selective.areas(draws.n, draws.right)
    error = 1 - draws.right.sum(axis=1) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        rejection = (error - area) / (error - best)
        log_loss = -float(xlogy(cells.right, value).sum() + xlogy(cells.wrong, 1 - value).sum()) / n
    where = smooth.spread(coarse.value, COARSE_GRID)
    smoothed = smooth.smoothed(-drawn_gap, where, total)
    # both errors are norms of the residuals: a value cannot be further off than the norm of what resampling changes
    change = drawn_gap / total[:, None] - drawn_gap[:1] / total[:1, None]
    smooth_change = smooth.smoothed(change, where, 1.0)
    counts, gaps, rights = (np.add.reduceat(part, starts) for part in (cells.n, gap, cells.right))
    ece = float(np.abs(gaps).sum() / n)
    squared, why = calibration.squared_debiased(counts, gaps, rights)

    def basic(value: float, drawn: Floats, low: float = 0.0, high: float = 1.0, reason: str | None = None) -> Estimate:
        return _basic(value, drawn, (low, high), n, out, reason)

    def mean(loss: Loss, value: float, low: float, high: float) -> Estimate:
        if not np.isfinite(value):
            return Estimate(None, n=n, n_excluded=out, reason="infinite: a wrong answer has confidence 1, or a right one 0")
        error, size = _error(loss, cells, credit, confidence, clusters)
        return Estimate(value, *bounded(value, error, size, (low, high)), n, out)

    def norm(value: float, drawn: Floats, changed: Floats) -> Estimate:
        seen = float(drawn[0])
        high = value + max(0.0, float(np.quantile(drawn[1:], 0.975)) - seen)
        return Estimate(value, max(0.0, value - float(np.quantile(changed[1:], 0.975))), min(1.0, high), n, out)

    ece_draws = np.abs(np.add.reduceat(drawn_gap, drawn_starts, axis=1)).sum(axis=1) / total
    ece_change = np.abs(np.add.reduceat(change, drawn_starts, axis=1)).sum(axis=1)
    expected, z = expected_score(cells, *stakes), calibration.spiegelhalter(cells)
    fixed = _no_interval(n, out)
    return {
        "brier": mean(
            lambda right, sure: (sure - right) ** 2,
            float((cells.n * value**2 - 2 * value * cells.right + cells.square).sum() / n),
            0.0,
            1.0,
        ),
        "log_loss": mean(lambda right, sure: -(xlogy(right, sure) + xlogy(1 - right, 1 - sure)), log_loss, 0.0, np.inf),
        "ece": norm(ece, ece_draws, ece_change),
        "ece_debiased": fixed(calibration.debiased(counts, gaps, rights), "no interval: that of ece allows for its bias"),
        "ece_l2_debiased": fixed(squared, why or "no interval"),
        "smooth_ece": norm(smooth.smooth_ece(cells), smoothed, smooth_change),
        "overconfidence": mean(lambda right, sure: sure - right, float(gap.sum() / n), -1.0, 1.0),
        "auroc": _with_n(auroc_of(cells, credit, confidence, clusters), n, out),
        "aurc": basic(selective.aurc(cells), area, reason=ONE_POINT),
        "e_aurc": basic(selective.e_aurc(cells), area - best, reason=ONE_POINT),
        "augrc": basic(selective.augrc(cells), generalised, 0.0, 0.5),
        "prr": basic(selective.prr(cells), rejection, -np.inf, 1.0, ONE_POINT if cells.constant else "all answers are right, or all wrong"),
        "expected_score": fixed(expected, "no interval" if np.isfinite(expected) else "minus infinity: a wrong answer has confidence 1"),
        "spiegelhalter": fixed(
            z, "a test statistic: standard normal if calibrated" if np.isfinite(z) else "all confidences are 0, 1/2 or 1"
        ),
    }


def _error(loss: Loss, cells: Cells, credit: Floats, confidence: Floats, clusters: NDArray[np.intp] | None) -> tuple[float, int]:
    """Standard error of a mean loss, and the number of independent answers behind it; from the counts where they tell."""
    if clusters is not None or not cells.binary:
        return clustered_se(loss(credit, confidence), clusters), cells.size if clusters is None else len(np.unique(clusters))
    if cells.size < 2:
        return float("nan"), cells.size
    values = np.concatenate([loss(np.ones(len(cells.value)), cells.value), loss(np.zeros(len(cells.value)), cells.value)])
    weights = np.concatenate([cells.right, cells.wrong])
    values, weights = values[weights > 0], weights[weights > 0]
    mean = float((weights * values).sum() / cells.size)
    return float(np.sqrt((weights * (values - mean) ** 2).sum() / (cells.size - 1) / cells.size)), cells.size


def _corp(cells: Cells, draws: Draws, fitted: Floats, out: int) -> dict[str, Estimate]:
    """``fitted``: recalibrated accuracy by resample and cell. The squares of partial credit cancel but in UNC, where they are left out of
    the spread."""
    found = corp(cells)
    size = draws.n.sum(axis=1)
    mean = draws.right.sum(axis=1) / size

    def loss(value: Floats) -> Floats:
        return np.asarray((draws.n * value**2 - 2 * value * draws.right).sum(axis=1) / size)

    after = loss(fitted)
    return {
        "mcb": _basic(found.mcb, loss(draws.cells.value) - after, (0.0, 1.0), cells.size, out),
        "dsc": _basic(found.dsc, -(mean**2) - after, (0.0, 1.0), cells.size, out),
        "unc": _basic(found.unc, mean * (1 - mean), (0.0, 0.25), cells.size, out),
    }


def _lost(cells: Cells, draws: Draws, fitted: Floats, t: Floats, weak: bool) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Points lost at each target, shape (T,), and by resample, shape (B, T). Of answers that were all given the oracle keeps the right
    ones (with partial credit: all of it, which is what "indistinction" then falls short of)."""
    acted, best = score_above(cells, t, weak=weak), best_score(cells, t)
    penalty = t / (1 - t)
    always = cells.accuracy - (1 - cells.accuracy) * penalty
    parts = {"disobedience": acted - always, "miscalibration": best - acted, "indistinction": cells.accuracy - best}
    size = draws.n.sum(axis=1)[:, None]
    tails = [
        np.concatenate([np.cumsum(part[:, ::-1], axis=1)[:, ::-1], np.zeros((len(part), 1))], axis=1) for part in (draws.n, draws.right)
    ]
    first = np.searchsorted(draws.cells.value, t, side="left" if weak else "right")
    rows = np.arange(len(draws.n))[:, None]
    chosen = np.array([np.searchsorted(row, t, side="right") for row in fitted])

    def score(at: NDArray[np.intp]) -> Floats:
        n, right = tails[0][rows, at], tails[1][rows, at]
        return np.asarray((right - (n - right) * penalty) / size)

    drawn_acted, drawn_best = score(np.broadcast_to(first, (len(rows), len(t)))), score(chosen)
    accuracy = draws.right.sum(axis=1)[:, None] / size
    return parts, {"score": drawn_acted, "miscalibration": drawn_best - drawn_acted, "indistinction": accuracy - drawn_best}


def _disobedience(
    cells: Cells,
    credit: Floats,
    confidence: Floats,
    t: float,
    weak: bool,
    clusters: NDArray[np.intp] | None,
    acts: Mapping[float, Floats] | None,
    out: int,
) -> Estimate:
    penalty = ConfidenceTarget(t).penalty
    bounds = (-1 - penalty, 1 + penalty)

    def unanswered(right: Floats, sure: Floats) -> Floats:
        """What the rule saves, or forgoes, where it does not answer."""
        return np.where(sure >= t if weak else sure > t, 0.0, penalty * (1 - right) - right)

    if acts is None or t not in acts:
        value = float(score_above(cells, [t], weak=weak)[0]) - (cells.accuracy - (1 - cells.accuracy) * penalty)
        error, size = _error(unanswered, cells, credit, confidence, clusters)
        return Estimate(value, *bounded(value, error, size, bounds), cells.size, out)
    lost = unanswered(credit, confidence) + credit - (1 - credit) * penalty - acts[t]
    seen = ~np.isnan(lost)  # the others have no verdict at this target
    out += int((~seen).sum())
    lost, clusters = lost[seen], None if clusters is None else clusters[seen]
    if not len(lost):
        return Estimate(None, n_excluded=out, reason="no verdict at this target")
    value = float(lost.mean())
    size = len(lost) if clusters is None else len(np.unique(clusters))
    return Estimate(value, *bounded(value, clustered_se(lost, clusters), size, bounds), len(lost), out)


def _scores(
    cells: Cells, credit: Floats, confidence: Floats, t: Floats, drawn: Floats, clusters: NDArray[np.intp] | None, weak: bool
) -> tuple[list[Estimate], list[Estimate]]:
    """The score at each target with its pointwise interval, and with a band that holds at all of them together (max-t)."""
    value = score_above(cells, t, weak=weak)
    penalty = t / (1 - t)
    if clusters is None:
        first = np.searchsorted(cells.value, t, side="left" if weak else "right")
        tails = [np.append(np.cumsum(part[::-1])[::-1], 0.0)[first] for part in (cells.n, cells.right, cells.square)]
        # points are credit (1 + penalty) - penalty
        second = (tails[2] * (1 + penalty) ** 2 - 2 * tails[1] * penalty * (1 + penalty) + tails[0] * penalty**2) / cells.size
        se = np.sqrt(np.maximum(0.0, second - value**2) / max(1, cells.size - 1))
        groups = cells.size
    else:
        names = np.unique(clusters, return_inverse=True)[1]
        groups = int(names.max()) + 1
        se = np.empty(len(t))
        for at, (one, cost) in enumerate(zip(t.tolist(), penalty.tolist(), strict=True)):
            acts = confidence >= one if weak else confidence > one
            se[at] = clustered_se(np.where(acts, credit - (1 - credit) * cost, 0.0), names)
    pointwise, band = [], []
    resampled = drawn[1:]
    spread = resampled.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(spread > 0, np.abs(resampled - drawn[0]) / spread, 0.0)
    critical = float(np.quantile(ratio.max(axis=1), 0.95))
    for one, error, cost in zip(value.tolist(), se.tolist(), penalty.tolist(), strict=True):
        bounds = (-cost, 1.0)
        pointwise.append(Estimate(one, *bounded(one, error, groups, bounds)))
        band.append(Estimate(one, *bounded(one, error, groups, bounds, z=max(critical, Z))))
    return pointwise, band


def _basic(value: float, drawn: Floats, bounds: tuple[float, float], n: int, out: int, reason: str | None = None) -> Estimate:
    """The basic bootstrap interval ``[x + seen - q97.5, x + seen - q2.5]``, which corrects for bias, kept within bounds. The first of
    ``drawn`` is what is seen in the cells that are resampled."""
    if not np.isfinite(value):
        return Estimate(None, n=n, n_excluded=out, reason=reason or "cannot be computed")
    seen, drawn = float(drawn[0]), drawn[1:]
    known = drawn[np.isfinite(drawn)]
    if len(known) < len(drawn) / 2 or len(known) < 2 or not np.isfinite(seen):
        return Estimate(value, n=n, n_excluded=out, reason="too few answers for an interval")
    low, high = (value + seen - float(q) for q in np.quantile(known, [0.975, 0.025]))
    return Estimate(value, min(max(low, bounds[0]), bounds[1]), max(min(high, bounds[1]), bounds[0]), n, out)


def _no_interval(n: int, out: int) -> Callable[[float | None, str], Estimate]:
    def made(value: float | None, reason: str) -> Estimate:
        return Estimate(float(value) if value is not None and np.isfinite(value) else None, n=n, n_excluded=out, reason=reason)

    return made


def _with_n(found: Estimate, n: int, out: int) -> Estimate:
    return Estimate(found.value, found.low, found.high, n, out, found.reason)


def _along(found: Sequence[Estimate]) -> Along:
    columns: Any = zip(*((one.value, one.low, one.high) for one in found), strict=True)
    return Along(*(tuple(column) for column in columns)) if found else Along((), (), ())
