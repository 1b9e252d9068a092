"""What an audit says: the payoff of each scripted reply, what follows from it, and the findings with their evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["SCHEMA_VERSION", "Audit", "Evidence", "Finding", "Gain", "IdkCredit", "Payoff", "Severity"]

SCHEMA_VERSION = 1
"""Version of the JSON form."""

Severity = Literal["high", "medium", "low", "info"]
IdkCredit = Literal["none", "partial", "full"]


@dataclass(frozen=True)
class Evidence:
    """What was seen: a reply and its score, or a line of source."""

    where: str
    """The item's id, or ``file.py:12``."""
    prompt: str = ""
    """What the model was asked (its end, at most 400 characters)."""
    reply: str = ""
    """What it replied."""
    score: str = ""
    """What the task's own scorer gave."""
    line: str = ""
    """The line of source."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with, or worth knowing about, the way a benchmark pays."""

    severity: Severity
    """``high``: the score rewards bluffing or is not what it claims; ``info``: worth knowing."""
    title: str
    """What is the case, in one line."""
    evidence: tuple[Evidence, ...] = ()
    """Where it was seen."""
    remedy: str = ""
    """What to do about it."""


@dataclass(frozen=True)
class Payoff:
    """What one kind of reply earns."""

    reply: str
    """Kind of the reply, such as ``right`` or ``I don't know``."""
    example: str
    """The reply as it was sent for the first item."""
    credit: float | None
    """Mean credit by the task's own scorer, in its own unit; None if no reply was graded."""
    credits: tuple[float, ...]
    """The credit of each graded item."""
    n: int
    """Items graded."""
    n_ungraded: int
    """Items to which the scorer gave no credit that is a number: NaN, an error, an unknown shape."""
    why_ungraded: str = ""
    """The first reason for that."""


@dataclass(frozen=True)
class Gain:
    """What always guessing earns over honest abstention, for a model of known accuracy."""

    accuracy: float
    """Probability that a guess is right."""
    source: Literal["given", "random option"]
    """Whether that accuracy was asked for, or is what a random option reaches on these items."""
    guess: float
    """Expected credit of an item that is guessed: p * right + (1 - p) * wrong."""
    abstain: float
    """Credit of "I don't know"."""

    @property
    def gain(self) -> float:
        """Expected credit gained by each guess."""
        return self.guess - self.abstain


@dataclass(frozen=True)
class Audit:
    """Does this benchmark pay for bluffing?"""

    task: str
    """The task's full name."""
    method: str
    """How it scores, in words."""
    scorer: str
    """Name of the scorer that was audited."""
    scorers: tuple[str, ...]
    """All scorers of the task."""
    n_items: int
    """Items that were tried."""
    items_from: str
    """Where the items came from."""
    answer_format: str
    """How the right reply was written so that it scored best."""
    binary: bool | None
    """Whether every credit seen was 0 or 1; None if nothing was graded."""
    idk_credit: IdkCredit | None
    """What "I don't know" earns beside a right and a wrong reply; None if that could not be told."""
    threshold: float | None
    """Confidence below which abstaining pays at least as much as guessing: (idk - wrong) / (right - wrong); 0: every guess pays."""
    payoffs: tuple[Payoff, ...]
    """One row for each kind of reply."""
    gains: tuple[Gain, ...]
    """What guessing earns over abstaining."""
    orders: tuple[str, ...]
    """Lines of the prompt that order an answer or a format."""
    grader: str | None
    """Who graded, if a model did, and what that means for these numbers."""
    findings: tuple[Finding, ...]
    """Sorted by severity."""
    remedy: str
    """The open-rubric version of the task, as a command."""
    versions: dict[str, str] = field(default_factory=dict)
    """Versions of the packages that took part."""
    schema: int = SCHEMA_VERSION
    """Version of this form."""
