"""Which calibrator: the one with the best log loss on answers that it was not fitted on, or a simpler one that does as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError
from wager.metrics.calibration import EqualWidth, brier, ece
from wager.metrics.cells import cells_of
from wager.metrics.discrimination import auroc
from wager.metrics.intervals import clustered_se, mean_estimate
from wager.metrics.results import Estimate
from wager.policy.calibrators import KINDS, Calibrator, calibrator_of
from wager.policy.folding import Graded, deal, graded, predicted

__all__ = ["FEWEST", "Choice", "Judgement", "choose", "chosen", "crossfitted", "judged", "judgement_of", "log_losses"]

Floats = NDArray[np.float64]

FEWEST = 50
"""Right, or wrong, answers below which nothing but a temperature is fitted."""
LEVELS, EACH = 20, 10
"""At most so many distinct confidences, each with so many answers, count as levels; ``categorical`` is a candidate then only."""
NESTED = 20_000
"""Answers up to which `judged` repeats the choice within each fold; beyond, what choosing among six gains by chance is negligible."""
SURE = 1e-6
"""Confidences closer to 0 or 1 count as this close in a log loss, which would be infinite for one wrong answer at 1."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which kind was chosen, and why."""

    kind: str
    """A name in `wager.policy.calibrators.KINDS`."""
    reason: str
    """In words."""
    log_loss: dict[str, Estimate]
    """Cross-fitted log loss in nats by candidate, with clustered intervals; the simplest first."""
    excluded: dict[str, str]
    """Why each other kind was no candidate."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A confidence before and after calibration. The latter is cross-fitted: each answer's probability was learned from others."""

    kind: str
    """The calibrator, or ``auto``."""
    before: dict[str, Estimate]
    """``log_loss`` (confidences within 1e-6 of 0 or 1 moved there), ``brier``, ``ece`` (10 equal-width bins) and ``auroc``."""
    after: dict[str, Estimate]
    """The same, cross-fitted."""


def log_losses(correct: Floats, probability: Floats) -> Floats:
    """``-(z ln p + (1 - z) ln(1 - p))`` of each answer in nats, shape (N,); p within `SURE` of 0 or 1 is moved there."""
    p = np.minimum(np.maximum(probability, SURE), 1 - SURE)
    return np.asarray(-(correct * np.log(p) + (1 - correct) * np.log1p(-p)))


def crossfitted(
    calibrator: Calibrator,
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    folds: int = 5,
    rng: np.random.Generator | None = None,
) -> Floats:
    """Calibrated probability of each answer, learned from the answers of the other folds, shape (N,).

    Answers of one cluster share a fold. The order of rows is irrelevant, up to which of several equal rows is which.

    Args:
        calibrator: fitted or not; a new one is fitted each time.
        confidence: shape (N,), in [0, 1].
        correct: shape (N,), credit in [0, 1].
        clusters: shape (N,), labels of what is independent; None: every answer.
        folds: at least 2.
        rng: deals the folds; a fixed seed by default.

    Raises:
        DataError: fewer than two items with a right, or with a wrong, answer; or a level was in one fold only (``categorical``).
    """
    answers = graded(confidence, correct, clusters)
    fold = deal(answers.hits, answers.clusters, folds=folds, rng=rng)
    found = np.empty(len(fold))
    found[answers.order] = crossfitted_of(calibrator, answers, fold)
    return found


def crossfitted_of(calibrator: Calibrator, answers: Graded, fold: NDArray[np.intp]) -> Floats:
    """As `crossfitted`, of answers in order and with folds dealt."""
    return predicted(
        fold,
        lambda others, held: calibrator.fit(answers.confidence[others], answers.correct[others]).transform(answers.confidence[held]),
    )


def choose(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    kinds: Sequence[str] | None = None,
    folds: int = 5,
    rng: np.random.Generator | None = None,
) -> Choice:
    """Chooses by cross-fitted log loss, all candidates on the same folds; of those within one standard error (of the paired difference,
    clustered) of the best, the simplest.

    With fewer than 50 wrong, or 50 right, answers (items with one, if answers share clusters) it is a temperature.

    Args:
        confidence, correct, clusters, folds, rng: as in `crossfitted`.
        kinds: candidates; all that fit the data by default.

    Raises:
        DataError: as `crossfitted`.
        UnknownNameError: no calibrator has that name.
    """
    for kind in kinds or ():
        calibrator_of(kind)
    return chosen(graded(confidence, correct, clusters), kinds, folds, rng)


def chosen(answers: Graded, kinds: Sequence[str] | None, folds: int, rng: np.random.Generator | None) -> Choice:
    """As `choose`, of answers in order."""
    fold = deal(answers.hits, answers.clusters, folds=folds, rng=rng)
    excluded = _unfit(answers) if kinds is None else {}
    losses: dict[str, Floats] = {}
    held = {k: fold == k for k in range(int(fold.max()) + 1)}
    for kind in KINDS if kinds is None else sorted(kinds, key=list(KINDS).index):
        if kind not in excluded:
            losses[kind] = np.empty(len(fold))
    for which in held.values():
        cells = cells_of(answers.correct[~which], answers.confidence[~which])  # sorted once for all candidates
        for kind in list(losses):
            try:
                found = calibrator_of(kind).fit_cells(cells).transform(answers.confidence[which])
            except DataError:
                excluded[kind] = "a level occurs in one fold only"
                del losses[kind]
                continue
            losses[kind][which] = log_losses(answers.correct[which], found)
    if not losses:
        raise DataError(f"no calibrator fits these answers: {'; '.join(f'{kind}: {why}' for kind, why in excluded.items())}")
    return _simplest(losses, answers, excluded)


def _unfit(answers: Graded) -> dict[str, str]:
    """Kinds that these answers do not suit, and why."""
    count, words = answers.few()
    if count < FEWEST:
        return {kind: f"{words}, fewer than {FEWEST}" for kind in KINDS if kind != "temperature"}
    levels, sizes = np.unique(answers.confidence, return_counts=True)
    if len(levels) > LEVELS:
        return {"categorical": f"{len(levels)} distinct confidences, more than {LEVELS}"}
    if sizes.min() < EACH:
        return {"categorical": f"confidence {levels[sizes.argmin()]:g} has {sizes.min()} answers, fewer than {EACH}"}
    return {}


def _simplest(losses: dict[str, Floats], answers: Graded, excluded: dict[str, str]) -> Choice:
    estimates = {kind: mean_estimate(each, clusters=answers.clusters) for kind, each in losses.items()}
    means = {kind: float(each.mean()) for kind, each in losses.items()}
    best = min(means, key=lambda kind: means[kind])
    kind = best
    for simple in losses:
        margin = 0.0 if simple == best else clustered_se(losses[simple] - losses[best], answers.clusters)
        if means[simple] - means[best] <= margin:
            kind = simple
            break
    if len(losses) == 1:
        why = next(iter(excluded.values()), "the only candidate")
        reason = f"{why}: {kind} only"
    elif kind == best:
        reason = f"best cross-fitted log loss, {means[kind]:.4f}, of {len(losses)} candidates"
    else:
        reason = (
            f"simplest within one standard error of the best cross-fitted log loss ({kind} {means[kind]:.4f}, {best} {means[best]:.4f})"
        )
    return Choice(kind=kind, reason=reason, log_loss=estimates, excluded=excluded)


def judged(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    kind: str = "auto",
    clusters: ArrayLike | None = None,
    folds: int = 5,
    rng: np.random.Generator | None = None,
) -> Judgement:
    """What calibration changes, cross-fitted. With ``auto`` and at most 20,000 answers the choice is made again within each fold, so that
    the kind, too, was chosen on other answers; beyond, by all of them, which favours it by less than a standard error.

    AUROC of cross-fitted probabilities suffers slightly from folds that differ: a calibrator itself never changes the order.

    Args:
        kind: a name in `wager.policy.calibrators.KINDS`, or ``auto``.
        confidence, correct, clusters, folds, rng: as in `crossfitted`.
    """
    return judgement_of(graded(confidence, correct, clusters), kind, folds, rng)


def judgement_of(answers: Graded, kind: str, folds: int, rng: np.random.Generator | None) -> Judgement:
    """As `judged`, of answers in order."""
    fold = deal(answers.hits, answers.clusters, folds=folds, rng=rng)
    if kind != "auto":
        after = crossfitted_of(calibrator_of(kind), answers, fold)
    elif len(fold) > NESTED:
        after = crossfitted_of(calibrator_of(chosen(answers, None, folds, rng).kind), answers, fold)
    else:
        after = predicted(fold, lambda others, held: _nested(answers, others, held, folds))
    return Judgement(kind=kind, before=_quality(answers, answers.confidence), after=_quality(answers, after))


def _nested(answers: Graded, others: NDArray[np.bool_], held: NDArray[np.bool_], folds: int) -> Floats:
    training = answers.where(others)
    try:
        kind = chosen(training, None, folds, None).kind
    except DataError:  # one wrong answer among them: enough to fit, not to choose
        kind = "temperature"
    found: Floats = calibrator_of(kind).fit(training.confidence, training.correct).transform(answers.confidence[held])
    return found


def _quality(answers: Graded, probability: Floats) -> dict[str, Estimate]:
    z, groups = answers.correct, answers.clusters
    return {
        "log_loss": mean_estimate(log_losses(z, probability), clusters=groups),
        "brier": brier(z, probability, clusters=groups),
        "ece": ece(z, probability, bins=EqualWidth(10)),
        "auroc": auroc(z, probability, clusters=groups),
    }
