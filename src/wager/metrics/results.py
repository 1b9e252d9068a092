"""What the metrics of a set of answers look like: small frozen types, made by `wager.metrics.summary`, drawn by `wager.report`.

Every number is an `Estimate`, which carries how many answers it used and how many it left out. What cannot be computed
has the value None and a reason; it never becomes 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

__all__ = ["Behaviour", "Bin", "Cell", "ConfidenceQuality", "Estimate", "Group", "Summary", "to_json"]

SCHEMA_VERSION = 1
"""Version of the JSON that `to_json` gives; raised when a key changes meaning."""


@dataclass(frozen=True)
class Estimate:
    """A metric of a set: value, 95 % interval, how many answers it used, how many it left out."""

    value: float | None
    """The estimate; None if it cannot be computed."""
    low: float | None = None
    """Lower end of the interval; None if there is none."""
    high: float | None = None
    """Upper end of the interval."""
    n: int = 0
    """Answers used."""
    n_excluded: int = 0
    """Answers left out because they have no verdict (unparsed, failed, ungraded) or lack what the metric needs."""
    reason: str | None = None
    """Why there is no value, or no interval."""


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram."""

    low: float
    """Smallest confidence in it."""
    high: float
    """Largest confidence in it."""
    confidence: float
    """Mean confidence of the answers in it."""
    accuracy: Estimate
    """Mean credit of the answers in it."""


@dataclass(frozen=True)
class ConfidenceQuality:
    """How good one source of confidence is, over the answered items of a group."""

    source: str
    """A `wager.answers.ConfidenceSource` value."""
    brier: Estimate
    """Mean squared difference of confidence and correctness; lower is better."""
    ece: Estimate
    """Expected calibration error under `ece_bins`; lower is better."""
    ece_bins: str
    """The named binning, such as ``EqualWidth(10)``."""
    auroc: Estimate
    """Probability that a right answer has more confidence than a wrong one; 0.5 is no better than chance."""
    overconfidence: Estimate
    """Mean confidence minus accuracy; positive is overconfident."""
    reliability: tuple[Bin, ...]
    """The non-empty bins."""
    score_by_confidence: dict[str, Estimate]
    """By target: score of "answer iff confidence > t" on these answers (a threshold simulation)."""
    curve: tuple[tuple[float, float, float, float], ...] = ()
    """(t, score, low, high) of the same rule on a grid of t, for a chart."""


@dataclass(frozen=True)
class Group:
    """The answers of one model under one arm and one stated target."""

    by: dict[str, str | float | None]
    """What selects it: task, model, arm, target (None where the prompt states none)."""
    n: int
    """Answerable items' answers, whatever their outcome."""
    n_items: int
    """Distinct items among them."""
    counts: dict[str, int]
    """Answers by outcome; the six outcomes are all there."""
    score: dict[str, Estimate]
    """By target: mean payoff. An arm with a stated target has that target only; others are re-scored at all."""
    always_answer: dict[str, Estimate]
    """By target: score if the same items were all answered, as the model does where it is made to answer (the open arm at t = 0, else the
    closed arm, else this group's own answers); items that it did not answer there are left out and counted."""
    oracle: dict[str, Estimate]
    """By target: score of a model that answers exactly what it would get right, by the same answers as `always_answer`."""
    answered: Estimate
    """Answers / (answers + abstentions)."""
    accuracy: Estimate
    """Credit / (answers + abstentions)."""
    accuracy_answered: Estimate
    """Credit / answers."""
    error_rate: Estimate
    """(1 - credit) / (answers + abstentions)."""
    abstention_rate: Estimate
    """Abstentions / (answers + abstentions)."""
    confidences: tuple[ConfidenceQuality, ...] = ()
    """One per source that has values."""
    unanswerable: dict[str, Estimate | int | dict[str, int]] = field(default_factory=dict)
    """Items where abstaining is the only right reply: ``n``, ``counts``, ``abstention_rate``; empty where there are none."""
    strata: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    """By stratum: ``accuracy``, ``accuracy_answered``, ``abstention_rate``."""


@dataclass(frozen=True)
class Cell:
    """One check of behavioural calibration."""

    kind: str
    """``answered`` (accuracy among answered must be at least t), ``between`` (answered at t_k, abstained at t_{k+1}: accuracy in
    [t_k, t_{k+1}]) or ``abstained`` (would-be accuracy among abstained at most t)."""
    low: float
    """The accuracy allowed, from."""
    high: float
    """The accuracy allowed, to."""
    accuracy: Estimate
    """What was seen; its n may be 0."""
    holds: bool | None
    """True if the value lies in [low, high]; False if an exact binomial test (Holm over the cells of one kind) rejects that; else None."""
    target: float
    """t, or t_k for ``between``."""


@dataclass(frozen=True)
class Behaviour:
    """Whether the acts of one model across open targets follow the stated targets."""

    by: dict[str, str | float | None]
    """task and model."""
    targets: tuple[float, ...]
    """The open targets that were run."""
    cells: tuple[Cell, ...]
    """The checks."""
    order_breaks: Estimate
    """Share of (item, sample) series that answer at some target after abstaining at a lower one."""
    would_be_from: str
    """Where the would-be accuracy of abstained items comes from: ``open t=0``, ``closed`` or ``none``."""


@dataclass(frozen=True)
class Summary:
    """All results of a table of answers."""

    targets: tuple[float, ...]
    """Targets at which unlabelled arms are re-scored, increasing."""
    groups: tuple[Group, ...]
    """One per model, arm and stated target."""
    behaviour: tuple[Behaviour, ...] = ()
    """One per model with at least two open targets."""
    pairs: tuple[dict[str, Any], ...] = ()
    """Paired differences between groups: ``a``, ``b`` (their ``by``), ``target``, ``score`` (Estimate of b - a over items), ``n_items``."""
    tie: str = "strict"
    """``strict``: answer iff confidence > t; ``weak``: iff >= t."""
    notes: tuple[str, ...] = ()
    """Sentences a reader must see with the numbers."""
    schema: int = SCHEMA_VERSION
    """Version of the JSON form."""


def to_json(result: Any) -> Any:
    """The result as JSON values: dataclasses become objects with their fields' names, tuples become arrays."""
    if is_dataclass(result) and not isinstance(result, type):
        return {f.name: to_json(getattr(result, f.name)) for f in fields(result)}
    if isinstance(result, dict):
        return {str(key): to_json(value) for key, value in result.items()}
    if isinstance(result, list | tuple):
        return [to_json(value) for value in result]
    return result
