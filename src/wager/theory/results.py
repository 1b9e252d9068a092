"""What the results of this room look like. A number that cannot be told is None, and says why; it is never 0."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Bin",
    "Bound",
    "Checkpoint",
    "Contradiction",
    "Floor",
    "Frequency",
    "Quantity",
    "Reduction",
    "ReductionStudy",
    "Remedy",
    "Term",
    "TrainedFloor",
]


@dataclass(frozen=True)
class Quantity:
    """One number about a set of facts, with what it does not say."""

    key: str
    """Stable name for programs, such as ``singleton_rate``."""
    name: str
    """As a reader sees it."""
    value: float | None
    """A share in [0, 1] or a count, as `unit` says; None where it cannot be told."""
    low: float | None = None
    """Lower end of its interval, if it has one."""
    high: float | None = None
    """Upper end."""
    unit: Literal["share", "count"] = "share"
    """What `value` counts in."""
    method: str | None = None
    """Where the interval comes from, with its confidence."""
    not_said: str = ""
    """One sentence: what this number does NOT say."""
    unknown: str | None = None
    """Why there is no value."""


@dataclass(frozen=True)
class Term:
    """One summand of a bound."""

    symbol: str
    """As the theorem writes it, such as ``2/min|E_c|``."""
    value: float | None
    """With its sign, so that the terms of a bound add up to it; None where it was not stated."""
    meaning: str
    """What it is, in words."""


@dataclass(frozen=True)
class Bound:
    """A bound on a share, as the sum of its terms."""

    name: str
    """Which statement, such as ``Theorem 2``."""
    side: Literal["lower", "upper"]
    """Which side of the error it bounds."""
    terms: tuple[Term, ...]
    """Its summands."""
    value: float | None
    """Their sum, over the terms that are known; None if the singleton rate itself is unknown."""
    confidence: float
    """Probability, over the sample and the world, with which it holds."""
    vacuous: bool | None
    """Whether it says nothing: a lower bound that is not above 0, an upper bound that is not below 1."""
    assumptions: tuple[str, ...]
    """What must hold."""
    not_said: str
    """One sentence: what it does NOT say."""
    not_vacuous_from: int | None = None
    """For a vacuous lower bound: samples from which the same rates would give one above 0; None if none would."""


@dataclass(frozen=True)
class Frequency:
    """How many prompts were answered so often."""

    answered: int
    """Times answered with anything but "I don't know"."""
    prompts: float
    """How many prompts; a fraction where prompts were sampled."""
    rows: float
    """Samples with these prompts, the ones that say "I don't know" included."""
    contradicted: float
    """Of these prompts, how many have several different answers."""


@dataclass(frozen=True)
class Remedy:
    """What the floor would be if a share of the facts seen once were treated."""

    kind: Literal["repeat", "abstain", "drop"]
    """Each treated one stated a second time; answered with "I don't know"; left out."""
    share: float
    """Of the facts seen once, how many are treated; in [0, 1]."""
    n: float
    """Samples afterwards."""
    singleton_rate: float
    """Afterwards."""
    lower: float | None
    """Theorem 2's lower bound afterwards, not below 0; a term that was not stated is left out, as in the bound itself."""
    upper: float | None
    """Its upper bound afterwards, not above 1."""


@dataclass(frozen=True)
class Contradiction:
    """A prompt with several different answers."""

    prompt: str
    """As it stands in one of the rows."""
    rows: int
    """How many rows answer it."""
    answers: tuple[tuple[str, int], ...]
    """Its most frequent answers and their rows."""


@dataclass(frozen=True)
class Floor:
    """How much hallucination the facts themselves bring with them."""

    source: str
    """What was counted."""
    quantities: tuple[Quantity, ...]
    """In reading order: samples, prompts, rates, missing mass, contradictions."""
    lower: Bound
    """Theorem 2."""
    upper: Bound
    """Its companion: a calibrated learner that errs no more."""
    frequencies: tuple[Frequency, ...]
    """Ascending by times answered; 0 holds prompts that are only ever answered with "I don't know"."""
    remedies: tuple[Remedy, ...]
    """By kind, ascending by share."""
    contradictions: tuple[Contradiction, ...] = ()
    """The most frequent ones."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows in no number, by what they lack."""
    warnings: tuple[str, ...] = ()
    """What a reader must know before using any of it."""
    about: dict[str, str] = field(default_factory=dict)
    """How it was counted: normaliser, engine, sampling, versions."""

    def quantity(self, key: str) -> Quantity:
        """The quantity of that key; raises KeyError."""
        for one in self.quantities:
            if one.key == key:
                return one
        raise KeyError(key)


@dataclass(frozen=True)
class Bin:
    """Responses that a model gives about the same probability."""

    low: float
    """From this probability (exclusive)."""
    high: float
    """To this one (inclusive)."""
    model: float
    """Mass that the model gives to them: mean over prompts of the sum of their probabilities."""
    truth: float
    """Mass that the truth gives to them."""
    responses: int
    """How many (prompt, response) pairs."""


@dataclass(frozen=True)
class Reduction:
    """A model on prompts whose valid and erroneous responses are known, and its Is-It-Valid classifier (Theorem 1)."""

    model: str
    """Which model."""
    variant: str
    """``as it is``, ``temperature 2``, ...; models of one study differ in this or in `model`."""
    prompts: int
    """Prompts that were used, C."""
    left_out: int
    """Prompts that could not be."""
    most_valid: int
    """max |V_c|."""
    fewest_errors: int
    """min |E_c|, K; the classifier says "valid" above 1/K."""
    off_list: float | None
    """Mean mass that the model gives to responses that are not listed; None if its probabilities were made to sum to 1 over the list."""
    error: float
    """err: mass on erroneous (and unlisted) responses, mean over prompts."""
    error_low: float
    """Lower end of its 95 % interval over prompts."""
    error_high: float
    """Upper end."""
    misclassified: float
    """err_iiv at the threshold 1/K."""
    delta: float
    """|phat(A) - p(A)|, A the responses above 1/K."""
    bound: float
    """2 err_iiv - max|V_c|/min|E_c| - delta (Theorem 1)."""
    bound_low: float
    """Lower end of its 95 % interval over prompts."""
    bound_high: float
    """Upper end."""
    obeys: bool
    """Whether err is at least the bound; for the set itself this is arithmetic, not chance."""
    choice_bound: float | None
    """Theorem 4: 2 (1 - 1/C) err_iiv at the best threshold, where each prompt has exactly one valid response; else None."""
    choice_threshold: float | None
    """Where that is reached."""
    bins: tuple[Bin, ...]
    """Calibration, in bins that have an edge at 1/K."""
    accuracy: float
    """Share of prompts whose most probable response is valid (ties shared)."""


@dataclass(frozen=True)
class ReductionStudy:
    """The same prompts under several models or variants."""

    questions: str
    """What was asked: birthdays, capitals, a file."""
    mass: Literal["listed", "all"]
    """Whether probabilities were made to sum to 1 over the listed responses, or unlisted mass counts as error."""
    reductions: tuple[Reduction, ...]
    """One for each model and variant, the first as it is."""
    warnings: tuple[str, ...] = ()
    """What a reader must know."""
    about: dict[str, str] = field(default_factory=dict)
    """Versions, prompts, seconds."""


@dataclass(frozen=True)
class Checkpoint:
    """A learner at one moment of its training."""

    learner: str
    """``transformer``, ``n-gram``, ``memoriser``, ..."""
    step: int
    """Updates made; 0 for a learner that is fitted at once."""
    epochs: float
    """Passes over the data."""
    loss: float | None
    """Mean cross-entropy of the answer in nats, on the training data; None where there is none."""
    error: float
    """Exact err over the world's prompts: mass on wrong answers, weighted by the prompts' probability."""
    error_unseen: float | None
    """The part of `error` from prompts that were never answered in the data (the parts add up)."""
    error_once: float | None
    """The part from prompts seen once."""
    error_often: float | None
    """The part from prompts seen more often."""
    delta: float
    """|phat(A) - p(A)| at the threshold 1/K."""
    misclassified: float
    """err_iiv."""
    bound: float
    """Theorem 1's bound for this learner."""
    abstains: float
    """Mass on "I don't know"."""


@dataclass(frozen=True)
class TrainedFloor:
    """The law seen: learners trained on a world of arbitrary facts, beside the floor that its data set."""

    world: str
    """In words: people, answers, law of the prompts, share answered."""
    n: int
    """Training samples."""
    prompts: int
    """Facts in the world."""
    answers: int
    """|R_c|."""
    singleton_rate: float
    """sr = |S|/N."""
    missing_mass: float
    """Exact mass of prompts that were never answered."""
    lower: Bound
    """Theorem 2 (delta left at 0: add a learner's own)."""
    upper: Bound
    """Its companion."""
    memoriser: float
    """Exact error of the calibrated memoriser."""
    checkpoints: tuple[Checkpoint, ...]
    """Learners in order, each by step."""
    bins: dict[str, tuple[Bin, ...]] = field(default_factory=dict)
    """Calibration of each learner at its end."""
    frequencies: tuple[Frequency, ...] = ()
    """Of the data."""
    warnings: tuple[str, ...] = ()
    """What a reader must know."""
    about: dict[str, str] = field(default_factory=dict)
    """Seeds, versions, seconds."""
