"""The graded answer: what wager measures, calibrates and pays for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from wager.errors import DataError

__all__ = ["Answer", "ConfidenceSource", "Outcome"]


class Outcome(StrEnum):
    """What became of one question. The last three are states, never numbers: they enter no mean, and are counted apart."""

    CORRECT = "correct"
    """Answered, and right (credit of at least one half)."""
    INCORRECT = "incorrect"
    """Answered, and wrong."""
    ABSTAINED = "abstained"
    """Said "I don't know" in some form."""
    UNPARSED = "unparsed"
    """Replied, but no answer can be read from the reply: blank, cut off, or out of format."""
    FAILED = "failed"
    """No reply: the provider failed or timed out."""
    UNGRADED = "ungraded"
    """Replied, but the grader gave no verdict."""

    @property
    def is_answer(self) -> bool:
        """Whether the model committed itself to something."""
        return self in (Outcome.CORRECT, Outcome.INCORRECT)

    @property
    def is_scored(self) -> bool:
        """Whether the open rubric says what this is worth."""
        return self.is_answer or self is Outcome.ABSTAINED


class ConfidenceSource(StrEnum):
    """Where a confidence comes from. Sources are never mixed: each has its own column and its own calibrator."""

    STATED = "stated"
    """A number the model wrote."""
    VERBAL = "verbal"
    """Words the model wrote ("I'm fairly sure")."""
    LOGPROB = "logprob"
    """Joint probability of the answer's tokens."""
    LOGPROB_MEAN = "logprob_mean"
    """Geometric mean of the probabilities of the answer's tokens: `LOGPROB` without its dependence on length."""
    P_TRUE = "p_true"
    """The model's probability that its own answer is true."""
    CONSISTENCY = "consistency"
    """Share of samples that agree."""
    SEMANTIC_ENTROPY = "semantic_entropy"
    """From the entropy over meanings of samples, each sample counted once: 1 - H / ln K."""
    SEMANTIC_ENTROPY_WEIGHTED = "semantic_entropy_weighted"
    """As `SEMANTIC_ENTROPY`, each distinct sample weighted by its length-normalised likelihood."""
    PROBE = "probe"
    """1 - the probability, by a probe of the activations before the reply, that the subject is unknown or the reply wrong."""
    COMBINED = "combined"
    """A logistic model of several sources, fitted on other graded answers."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One row of an `AnswerTable`: one reply to one question under one arm."""

    task: str
    """Name of the benchmark."""
    model: str
    """Name of the model, as its provider spells it."""
    item: str
    """The question's identifier within the task; rows with the same item are paired and clustered."""
    outcome: Outcome
    """What became of it."""
    credit: float | None = None
    """How right, in [0, 1]: 1 correct, 0 incorrect, between for partial credit. Present exactly when answered."""
    arm: str = "closed"
    """``closed`` (question alone), ``open`` (target stated) or ``consistency`` (agreement of samples)."""
    target: float | None = None
    """The confidence target stated in the prompt; None where none was stated."""
    sample: int = 1
    """1-based number of the sample of this item."""
    question: str | None = None
    """The question as asked, without the stated target."""
    reference: tuple[str, ...] = ()
    """Accepted answers; empty where abstaining is the only right reply."""
    answer: str | None = None
    """The answer as read from the reply."""
    reply: str | None = None
    """The whole reply."""
    answerable: bool = True
    """False where "I don't know" is the only right reply (an invented entity)."""
    stratum: str | None = None
    """A named part of the task, such as a population class or a category."""
    confidence: dict[ConfidenceSource, float] = field(default_factory=dict)
    """Probability in [0, 1] that this answer is right, by source; a source that was not available is absent."""
    reason: str | None = None
    """Why there is no verdict, or why the verdict was reached without the grader."""
    tokens_in: int | None = None
    """Tokens read, where the provider says."""
    tokens_out: int | None = None
    """Tokens written, where the provider says."""
    seconds: float | None = None
    """Seconds of the model call(s)."""

    def __post_init__(self) -> None:
        if self.outcome.is_answer != (self.credit is not None):
            raise DataError(f"item {self.item!r}: credit goes with an answer; got {self.outcome.value!r} with credit {self.credit!r}")
        if self.credit is not None and not 0 <= self.credit <= 1:
            raise DataError(f"item {self.item!r}: credit lies in [0, 1], got {self.credit!r}")
        for source, value in self.confidence.items():
            if not 0 <= value <= 1:
                raise DataError(f"item {self.item!r}: a {source.value} confidence lies in [0, 1], got {value!r}")
