"""A fitted calibrator and what it was fitted on: it serves the source and the model of those answers, and no other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError, UnknownNameError, UsageError
from wager.policy.calibrators import KINDS, Calibrator, calibrator_from, calibrator_of
from wager.policy.choosing import NESTED, chosen, judgement_of
from wager.policy.entries import known_keys, number, numbers, text, texts, whole
from wager.policy.folding import Graded, graded
from wager.policy.recalibration import recalibration

__all__ = ["Calibration", "calibrate", "data_hash", "levels_of"]

Floats = NDArray[np.float64]

SCHEMA_VERSION = 1
"""Version of what `Calibration.to_dict` writes; raised when a key changes meaning."""
LEVELS = 24
"""Levels of the confidence that are kept with a calibration."""
QUALITY = ("log_loss_before", "log_loss_after", "ece_before", "ece_after")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A calibrator with its origin."""

    calibrator: Calibrator
    """Fitted on all the answers."""
    source: str
    """Where the confidence came from, a `wager.answers.ConfidenceSource` value."""
    model: str
    """Whose confidence it was, as its provider spells it."""
    tasks: tuple[str, ...]
    """Benchmarks that the answers belong to, sorted."""
    n: int
    """Graded answers."""
    n_wrong: int
    """Of these, with a credit below one half."""
    data: str
    """`data_hash` of confidences and verdicts."""
    made: str
    """Date, as YYYY-MM-DD."""
    reason: str
    """Why this kind, in words."""
    log_loss_before: float
    """Mean log loss of the confidence itself, in nats; values within 1e-6 of 0 or 1 moved there."""
    log_loss_after: float
    """The same after calibration, cross-fitted: every answer's probability was learned from others."""
    ece_before: float
    """Expected calibration error in 10 equal-width bins, in [0, 1]."""
    ece_after: float
    """The same, cross-fitted."""
    spread: tuple[float, float, float]
    """How well these answers fix the scale: variance of intercept, covariance, variance of slope, of the logistic recalibration of the
    calibrated probabilities. `wager.policy.drift.check` allows for it."""
    levels: tuple[tuple[float, float, float], ...] = ()
    """At up to `LEVELS` levels of the raw confidence, rising: the level, the share of the answers above it, and the share of those that was
    right. What a threshold can reach is read from it; empty in files of earlier versions."""

    def transform(self, confidence: ArrayLike, *, source: str, model: str) -> Floats:
        """Calibrated probabilities, shape (N,) to (N,).

        Raises:
            UsageError: the confidence is of another source or model.
            DataError: it is outside [0, 1] or NaN, or a level that a ``categorical`` calibrator has not seen.
        """
        self.refuse_other(source=source, model=model)
        return self.calibrator.transform(confidence)

    def at(self, confidence: float) -> float:
        """The calibrated probability of one confidence of this source and model (see `refuse_other`)."""
        return self.calibrator.at(confidence)

    def above(self, threshold: float, *, calibrated: bool) -> tuple[float, float | None] | None:
        """The share of the calibration's own answers above a threshold, and the share of those that was right (None if there are none).

        Args:
            threshold: of the raw confidence, or of the calibrated probability.
            calibrated: which of the two.

        Returns:
            None where `levels` is empty: the file does not say.
        """
        if not self.levels:
            return None
        values = [self.at(level) if calibrated else level for level, _, _ in self.levels]
        below = sum(value <= threshold for value in values)  # they rise
        if below == 0:
            return 1.0, 1 - self.n_wrong / self.n
        place = below - 1
        # Where levels were left out, the next one may be nearer; but a threshold under the highest answer is reached by it.
        if len(values) == LEVELS and below < len(values) - 1 and values[below] - threshold < threshold - values[place]:
            place = below
        _, share, right = self.levels[place]
        return (share, right) if share else (0.0, None)

    def refuse_other(self, *, source: str, model: str) -> None:
        """Raises UsageError for a confidence of another source or model."""
        for name, got, want in (("source", source, self.source), ("model", model, self.model)):
            if got != want:
                raise UsageError(
                    f"this calibrator was fitted on confidences of {name} {want!r}, got {name} {str(got)!r}; "
                    f"fit one on graded answers of that {name}"
                )

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML values; `from_dict` gives an equal calibration back."""
        plain = {name: getattr(self, name) for name in ("source", "model", "n", "n_wrong", "data", "made", "reason", *QUALITY)}
        lists: dict[str, Any] = {"tasks": list(self.tasks), "spread": list(self.spread)}
        if self.levels:
            lists["levels"] = [list(one) for one in self.levels]
        return {"schema": SCHEMA_VERSION, **plain, **lists, "calibrator": self.calibrator.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote.

        Raises:
            DataError: a key is missing, unknown or wrong; the message names it.
        """
        at = "calibration"
        known_keys(values, ("schema", *(name for name in cls.__dataclass_fields__)), at)
        if whole(values, "schema", at, low=1) > SCHEMA_VERSION:
            raise DataError(f"{at}: 'schema' is {values['schema']}, this version reads up to {SCHEMA_VERSION}; update wager")
        n, n_wrong = whole(values, "n", at, low=1), whole(values, "n_wrong", at)
        if n_wrong > n:
            raise DataError(f"{at}: 'n_wrong' is {n_wrong}, more than the {n} answers of 'n'")
        if "calibrator" not in values:
            raise DataError(f"{at}: the key 'calibrator' is missing")
        one, two, three = numbers(values, "spread", at, length=3)
        return cls(
            calibrator=calibrator_from(values["calibrator"]),
            tasks=texts(values, "tasks", at),
            n=n,
            n_wrong=n_wrong,
            made=_date(values, at),
            spread=(one, two, three),
            levels=_levels(values, at),
            source=text(values, "source", at),
            model=text(values, "model", at),
            data=text(values, "data", at),
            reason=text(values, "reason", at),
            log_loss_before=number(values, "log_loss_before", at, low=0),
            log_loss_after=number(values, "log_loss_after", at, low=0),
            ece_before=number(values, "ece_before", at, low=0, high=1),
            ece_after=number(values, "ece_after", at, low=0, high=1),
        )


def _levels(values: Mapping[str, Any], where: str) -> tuple[tuple[float, float, float], ...]:
    found = values.get("levels", [])
    if not isinstance(found, list) or not all(isinstance(one, list) and len(one) == 3 for one in found):
        raise DataError(f"{where}: 'levels' is a list of [confidence, share above, share right], got {str(found)[:60]!r}")
    rows = [numbers({"levels": one}, "levels", where, length=3) for one in found]
    return tuple((level, above, right) for level, above, right in rows)


def levels_of(confidence: ArrayLike, correct: ArrayLike) -> tuple[tuple[float, float, float], ...]:
    """`Calibration.levels` of graded answers: their confidences themselves, or evenly chosen ones where there are many.

    >>> levels_of([0.1, 0.5, 0.9], [0, 1, 1])
    ((0.1, 0.666667, 1.0), (0.5, 0.333333, 1.0), (0.9, 0.0, 0.0))
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64) >= 0.5
    found = np.unique(sure)
    chosen = found[np.unique(np.linspace(0, len(found) - 1, min(LEVELS, len(found))).round().astype(int))]
    rows = []
    for level in chosen.tolist():
        above = sure > level
        rows.append((round(level, 6), round(float(above.mean()), 6), round(float(right[above].mean()), 6) if above.any() else 0.0))
    return tuple(rows)


def _date(values: Mapping[str, Any], where: str) -> str:
    found = text(values, "made", where)
    try:
        return date.fromisoformat(found).isoformat()
    except ValueError:
        raise DataError(f"{where}: 'made' is {found!r}, want a date such as '2026-01-31'") from None


def calibrate(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    source: str,
    model: str,
    tasks: Sequence[str],
    clusters: ArrayLike | None = None,
    kind: str = "auto",
    folds: int = 5,
    rng: np.random.Generator | None = None,
    made: str | None = None,
) -> Calibration:
    """Fits a calibrator on graded answers of one model, with cross-fitted numbers of what it is worth.

    Args:
        confidence: shape (N,), of one source, in [0, 1].
        correct: shape (N,), credit in [0, 1].
        source, model, tasks: where the answers came from.
        clusters: shape (N,), items; answers to one item are not independent. None: each answer has its own.
        kind: a name in `wager.policy.calibrators.KINDS`; ``auto`` chooses (see `wager.policy.choosing.choose`).
        folds, rng: of the cross-fitting; a fixed seed by default.
        made: date, as YYYY-MM-DD; today by default.

    Raises:
        DataError: as `wager.policy.choosing.crossfitted`.
        UnknownNameError: no calibrator has that name.
        UsageError: source or model is empty.
    """
    if kind != "auto" and kind not in KINDS:
        raise UnknownNameError("calibrator", kind, ["auto", *KINDS])
    if not str(source) or not model:
        raise UsageError(f"a calibrator belongs to one source and one model, got source {str(source)!r} and model {model!r}")
    answers = graded(confidence, correct, clusters)
    seed = np.random.default_rng(0) if rng is None else rng
    first, second = seed.spawn(2)
    choice = chosen(answers, None if kind == "auto" else [kind], folds, first)
    calibrator = calibrator_of(choice.kind).fit(answers.confidence, answers.correct)
    quality = judgement_of(answers, kind if len(answers.order) <= NESTED else choice.kind, folds, second)
    values = {f"{name}_{when}": getattr(quality, when)[name].value for name in ("log_loss", "ece") for when in ("before", "after")}
    return Calibration(
        calibrator=calibrator,
        source=str(source),
        model=model,
        tasks=tuple(sorted(set(tasks))),
        n=len(answers.order),
        n_wrong=int((~answers.hits).sum()),
        data=_hash(answers),
        made=made or date.today().isoformat(),
        reason=choice.reason if kind == "auto" else f"{kind} was asked for",
        spread=recalibration(calibrator.transform(answers.confidence), answers.correct, answers.clusters).spread,
        levels=levels_of(answers.confidence, answers.correct),
        **values,
    )


def data_hash(confidence: ArrayLike, correct: ArrayLike) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the sorted (confidence, correct) pairs: the same for any order of rows."""
    return _hash(graded(confidence, correct))


def _hash(answers: Graded) -> str:
    pairs = np.column_stack([answers.confidence + 0.0, answers.correct + 0.0]).astype("<f8")  # + 0.0 turns -0 into 0
    return hashlib.sha256(pairs.tobytes()).hexdigest()[:16]
