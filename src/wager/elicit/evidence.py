"""What is drawn from a model to see how sure it is: replies, with their token probabilities, and what each draw cost.

A draw is made once and serves every method that needs it (`wager.elicit.methods`), so that five methods cost little more than the
dearest of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Cost", "Draw", "Evidence", "Reply", "Token"]


class Draw(StrEnum):
    """A kind of call of the model."""

    GREEDY = "greedy"
    """The answer itself, at temperature 0 (the task's own where the model is not local)."""
    SAMPLES = "samples"
    """The same question K times at temperature 1."""
    P_TRUE = "p_true"
    """One call after the answer: is it true?"""
    STATED = "stated"
    """One call after the answer: with which probability is it right?"""
    VERBAL = "verbal"
    """One call after the answer: how sure, in one of four phrases?"""


@dataclass(frozen=True)
class Token:
    """One token of a reply."""

    text: str
    """The token as text."""
    logprob: float | None
    """Its log-probability, in nats; None where the provider gives none."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens at this place with their log-probabilities, in nats, as many as the provider gives."""


@dataclass(frozen=True)
class Reply:
    """One reply of a model."""

    text: str
    """The whole reply."""
    tokens: tuple[Token, ...] = ()
    """Its tokens; empty where the provider gives no log-probabilities."""
    answer: str | None = None
    """The answer as read from it; None where it was not read or holds none."""
    is_answer: bool = True
    """Whether the reply commits itself: False for an abstention."""
    is_known: bool = True
    """Whether it could be told what the reply does: False for one that is blank, cut off or ungraded."""


@dataclass(frozen=True)
class Evidence:
    """All that was drawn for one question."""

    reply: Reply
    """The answer whose confidence is wanted."""
    samples: tuple[Reply, ...] = ()
    """Shape (K,); further replies to the same question."""
    p_true: Reply | None = None
    """The reply to `wager.elicit.p_true.request`; None where it was not asked."""
    stated: Reply | None = None
    """The reply to `wager.elicit.stated.STATED_REQUEST`."""
    verbal: Reply | None = None
    """The reply to `wager.elicit.verbal.SHADE_REQUEST`."""


@dataclass(frozen=True)
class Cost:
    """What calls of a model took. Costs add."""

    calls: int = 0
    """Calls of the model."""
    tokens_in: int = 0
    """Tokens read, those from a prefix cache included."""
    tokens_cached: int = 0
    """Those of them that came from a prefix cache."""
    tokens_out: int = 0
    """Tokens written."""
    seconds: float = 0.0
    """Seconds of the calls, added up: calls in parallel count each."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_cached + other.tokens_cached,
            self.tokens_out + other.tokens_out,
            self.seconds + other.seconds,
        )

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.tokens_in + self.tokens_out

    @staticmethod
    def total(costs: Sequence[Cost]) -> Cost:
        """The sum."""
        return sum(costs, Cost())
