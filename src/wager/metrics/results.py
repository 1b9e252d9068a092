"""What the metrics of a set of answers look like: small frozen types, made by `wager.metrics.summary`, drawn by `wager.report`.

Every number is an `Estimate`, which carries how many answers it used and how many it left out. What cannot be computed
has the value None and a reason; it never becomes 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

__all__ = [
    "Along",
    "Behaviour",
    "Bin",
    "Board",
    "BoardGroup",
    "BoardPair",
    "Cell",
    "Confidence",
    "ConfidenceQuality",
    "Estimate",
    "Group",
    "Obedience",
    "Ranks",
    "Summary",
    "to_json",
]

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
class Obedience:
    """Whether what a model does when it is told a target follows the confidence that it has without one."""

    target: float
    """The target that it was told."""
    source: str
    """Of the confidence in the same items without a target, a `wager.answers.ConfidenceSource` value."""
    agreement: Estimate
    """Share of items where it answers exactly if that confidence is above the target."""
    over_answers: Estimate
    """Share where it answers though the confidence is not above the target."""
    over_abstains: Estimate
    """Share where it abstains though it is."""
    implied_threshold: float | None
    """The threshold on the confidence that agrees best with what it does, in [0, 1]: 0 if it answers everything, 1 if nothing; None
    without verdicts."""


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
    obedience: tuple[Obedience, ...] = ()
    """By source and target, where the model has a confidence without one."""
    slope: dict[str, float | None] = field(default_factory=dict)
    """By source: slope of the implied threshold on the target; 1 follows the targets, 0 ignores them."""


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


@dataclass(frozen=True)
class Along:
    """One number along the targets of `Board.grid`. All tuples have one place for each of these."""

    value: tuple[float | None, ...]
    """The estimate at each target; None where it cannot be computed."""
    low: tuple[float | None, ...]
    """Lower end of the pointwise 95 % interval."""
    high: tuple[float | None, ...]
    """Upper end."""


@dataclass(frozen=True)
class Ranks:
    """Where a group stands on the board at each target of `Board.grid`; 1 is the best, groups with equal scores share the better rank."""

    rank: tuple[int | None, ...]
    """By the score; None where the group has no score."""
    low: tuple[int | None, ...]
    """Best rank that the data allow: simultaneous over the board, 95 % (Mogstad, Romano, Shaikh and Wilhelm 2024)."""
    high: tuple[int | None, ...]
    """Worst rank that the data allow."""
    if_incorrect: tuple[int | None, ...]
    """The rank if every group's missing answers counted as wrong."""
    if_abstained: tuple[int | None, ...]
    """The rank if every group's missing answers counted as "I don't know"."""


@dataclass(frozen=True)
class Confidence:
    """How good one source of confidence is, on the answers of a group that have it."""

    source: str
    """A `wager.answers.ConfidenceSource` value."""
    n: int
    """Answers with it."""
    metrics: dict[str, Estimate]
    """``brier``, ``log_loss``, ``ece``, ``ece_debiased``, ``ece_l2_debiased`` (squared, signed), ``smooth_ece``, ``overconfidence``,
    ``auroc``, ``aurc``, ``e_aurc``, ``augrc``, ``prr``, ``expected_score`` (under the Beta distribution of stakes), ``spiegelhalter``."""
    ece_bins: str
    """The named binning, such as ``EqualWidth(10)``."""
    corp: dict[str, Estimate]
    """``mcb``, ``dsc``, ``unc``: the Brier score is mcb - dsc + unc."""
    score: dict[str, Estimate]
    """By target: score of "answer iff confidence > t" on these answers (a threshold simulation)."""
    lost: dict[str, dict[str, Estimate]]
    """By target: ``disobedience``, ``miscalibration``, ``indistinction``; points lost against the perfect oracle."""
    along: Along
    """`score` along the grid."""
    band: Along
    """The same with a simultaneous 95 % band: it holds at all targets of the grid together."""
    lost_along: dict[str, tuple[float | None, ...]]
    """`lost` along the grid, by the same three names."""
    reliability: tuple[Bin, ...]
    """Bins of a reliability diagram."""
    risk_coverage: tuple[tuple[float, float], ...]
    """(coverage, risk), the surest answers first, at most 200 points; a single point for a constant confidence."""
    constant: bool
    """Whether all confidences are equal: then there is one operating point, and no ranking by `risk_coverage`."""
    at: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    """By target: ``coverage``, the share with a confidence above it, and ``accuracy`` among these."""
    regret_crossfitted: dict[str, Estimate] = field(default_factory=dict)
    """By target: what recalibration on other answers would gain on these; unlike the lost ``miscalibration``, which is optimistic, it
    may be negative."""
    corp_curve: tuple[tuple[float, float, float, float], ...] = ()
    """(confidence, recalibrated accuracy, low, high): the CORP reliability diagram at most 200 points long, with the pointwise 95 % band
    in which it would lie if the confidence were calibrated."""


@dataclass(frozen=True)
class BoardGroup:
    """One line of a leaderboard."""

    by: dict[str, str | float | None]
    """What selects it, in the order asked for."""
    n: int
    """Answers to answerable items."""
    n_items: int
    """Distinct items among them."""
    counts: dict[str, int]
    """Answers by outcome, all six, after the choice for missing answers."""
    missing: int
    """How many of them were missing, whatever they are counted as."""
    score: dict[str, Estimate]
    """By target: mean payoff of what the group did."""
    always_answer: dict[str, Estimate]
    """By target: score if it had answered all, as well as where it did answer."""
    oracle: dict[str, Estimate]
    """By target: score of a model that answers exactly what it would get right."""
    rates: dict[str, Estimate]
    """``accuracy`` (credit / answers and abstentions), ``accuracy_answered``, ``answered``, ``abstention_rate``, ``error_rate``."""
    along: Along
    """`score` along the grid."""
    band: Along
    """The same with a simultaneous 95 % band over all t."""
    ranks: Ranks
    """Where it stands."""
    confidences: tuple[Confidence, ...]
    """One for each source that has values; the first is the headline."""
    strata: dict[str, tuple[float | None, ...]]
    """By stratum: score along the grid."""
    strata_n: dict[str, int]
    """By stratum: answers and abstentions."""
    unanswerable: dict[str, int]
    """Items where abstaining is the only right reply, by outcome; empty where there are none."""
    missing_lines: tuple[str, ...] = ()
    """What is known of its missing answers, in words."""

    @property
    def name(self) -> str:
        """How a reader names it: the values of `by`, joined."""
        told = {name: f"t={value:g}" if name == "target" and isinstance(value, float) else value for name, value in self.by.items()}
        return " · ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in told.values() if value is not None) or "all"


@dataclass(frozen=True)
class BoardPair:
    """Two groups on the items that both have."""

    a: int
    """Place in `Board.groups`."""
    b: int
    """Place in `Board.groups`, larger than a."""
    n_items: int
    """Items with a verdict in both."""
    score: dict[str, Estimate]
    """By target: score of b minus score of a, paired by item."""
    along: Along
    """The same along the grid."""
    accuracy: Estimate
    """Accuracy of b minus accuracy of a."""
    mcnemar_p: float | None
    """Exact two-sided p of McNemar's test that both have the same accuracy; None with partial credit or several samples."""
    auroc: Estimate | None = None
    """AUROC of b minus AUROC of a by the headline confidence; None where one of them has no confidence."""


@dataclass(frozen=True)
class Board:
    """Answers of several groups, re-scored at every target."""

    targets: tuple[float, ...]
    """The targets asked for, increasing."""
    grid: tuple[float, ...]
    """0, 0.01, ..., 0.99: where the curves are computed."""
    groups: tuple[BoardGroup, ...]
    """In the order of their `by`."""
    pairs: tuple[BoardPair, ...]
    """All pairs of groups that share items, up to the board's limit (see the notes)."""
    tie: str
    """``strict`` or ``weak``."""
    missing: str
    """What missing answers count as: ``abstained``, ``incorrect`` or ``unparsed`` (left out)."""
    notes: tuple[str, ...]
    """Sentences that a reader must see with the numbers."""
    behaviour: tuple[Behaviour, ...] = ()
    """One per task and model that was told at least two targets."""
    schema: int = SCHEMA_VERSION
    """Version of the JSON form."""
