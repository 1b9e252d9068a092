"""What the gateway did with one reply, and why: the object ``wager`` of a response, and one row of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["SCHEMA", "Act", "Citation", "Decided", "Judged", "LookedUp", "Spent", "Usage", "usage_of"]

SCHEMA = 1
"""Version of the object ``wager`` on the wire; raised when a field changes its meaning."""

Act = Literal["answer", "hedge", "look_up", "clarify", "abstain", "refuse", "imagine", "support"]
"""What a response does."""


Usage = tuple[int | None, int | None]
"""Tokens read and written; None where a server does not say."""


@dataclass(frozen=True, kw_only=True)
class Citation:
    """A place that the answer rests on, and whether it is really there."""

    label: str
    """As it stands in the answer: ``[L12]`` or ``[1]``."""
    uri: str
    """``prompt#L12`` for a line of the prompt, or the passage's own."""
    quote: str
    """What stands there, at most 400 characters."""
    line: int | None = None
    """1-based line of the material in the prompt; None for a passage."""
    title: str | None = None
    """Title of the passage's document; None for a line of the prompt."""
    verified: bool = True
    """Whether the place exists and holds what the answer takes from it."""


@dataclass(frozen=True, kw_only=True)
class LookedUp:
    """One search."""

    lookup: str
    """Name of the look-up."""
    passages: int
    """How many it found."""
    used: int
    """How many the answer cites."""
    seconds: float
    """How long it took."""
    problem: str | None = None
    """Why it found none, where that was not for want of fitting documents."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a decision took."""

    calls: int = 0
    """Calls of the model."""
    tokens_in: int | None = None
    """Tokens read; None where the server does not say."""
    tokens_out: int | None = None
    """Tokens written; None where the server does not say."""
    overhead_ms: float = 0.0
    """Milliseconds that the gateway added: all but the calls and searches."""
    seconds: float = 0.0
    """Seconds in all."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is done with one reply, and why."""

    act: Act
    """What the response does."""
    reason: str
    """Why, in plain sentences."""
    confidence: float | None = None
    """Probability that the model's answer is right: calibrated where ``calibration_id`` is set, else raw; None with ``no_confidence``."""
    no_confidence: str | None = None
    """Why there is no confidence; None where there is one."""
    raw: float | None = None
    """The raw confidence."""
    source: str | None = None
    """Where it comes from, a `wager.answers.ConfidenceSource`; None without one."""
    calibration_id: str | None = None
    """``name@hash`` of the calibration; None where the confidence is raw."""
    target: float | None = None
    """The confidence target in [0, 1) that applied; None where the rule has a certified threshold alone, or none."""
    threshold: float | None = None
    """What the confidence was compared with; None where nothing was."""
    shade: str | None = None
    """Name of the shade in which the answer is said."""
    citations: tuple[Citation, ...] = ()
    """Places that the answer rests on, and those that it named in vain."""
    branches: tuple[str, ...] = ()
    """The other texts of a creative answer; the first is the response itself and is not here."""
    distinct: float | None = None
    """Share of pairs of branches, the returned one included, that differ in content; None with fewer than two."""
    lookups: tuple[LookedUp, ...] = ()
    """Searches."""


@dataclass(frozen=True, kw_only=True)
class Decided(Judged):
    """What was done with one reply, to whom it belongs, and what it took."""

    id: str
    """``wd_`` and 32 hexadecimal digits."""
    made: str
    """ISO time in UTC."""
    model: str
    """The model that answered, as the policy names it."""
    kind: str
    """The kind whose knobs were used; `wager.detection.kinds.GENERAL` where it was not sure."""
    kind_probability: float | None
    """Calibrated probability of the likeliest kind; None where the client named it."""
    by: str
    """Who decided the kind."""
    policy: str = ""
    """Name of the policy and of its rule: ``embedded#default``."""
    cost: Spent = field(default_factory=Spent)
    """What it took."""
    notes: tuple[str, ...] = ()
    """What the client should know: a knob that the model does not support, a degraded source."""
    dials: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By dial that was turned: ``value`` in [-1, 1], ``dose``, whether its gate ``fired`` and the ``probability`` that it read (both None
    without a gate). Empty where the model was not steered or not asked."""
    axes: Mapping[str, float] = field(default_factory=dict)
    """The risk axes."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Of the kinds."""
    question: str | None = None
    """The last message of the user; None unless the journal may keep text."""
    answer: str | None = None
    """The model's answer; None unless the journal may keep text."""
    text: str | None = None
    """What was said to the client; None unless the journal may keep text."""
    client: str | None = None
    """Name of the key that asked; None without keys. Kept in the journal, never on the wire."""

    def wire(self, *, why: bool = False) -> dict[str, Any]:
        """The object ``wager`` of a response: JSON values.

        Args:
            why: with the reasons, the axes, and all probabilities of kinds.
        """
        found: dict[str, Any] = {
            "schema": SCHEMA,
            "id": self.id,
            "kind": self.kind,
            "kind_probability": self.kind_probability,
            "act": self.act,
            "confidence": self.confidence,
            "source": self.source,
            "calibration_id": self.calibration_id,
            "target": self.target,
            "shade": self.shade,
            "citations": [vars(one) for one in self.citations],
            "branches": list(self.branches),
            "lookups": [vars(one) for one in self.lookups],
            "policy": self.policy,
            "cost": vars(self.cost),
        }
        if self.confidence is None:
            found["no_confidence"] = self.no_confidence
        if self.distinct is not None:
            found["distinct"] = self.distinct
        if self.dials:
            found["dials"] = {name: dict(one) for name, one in self.dials.items()}
        if self.notes:
            found["notes"] = list(self.notes)
        if why:
            found |= {"reason": self.reason, "by": self.by, "raw": self.raw, "threshold": self.threshold}
            found |= {"model": self.model, "made": self.made}
            found |= {"axes": dict(self.axes), "probabilities": dict(self.probabilities)}
        return found


def usage_of(response: Mapping[str, Any]) -> Usage:
    """Tokens that one call read and wrote; None for what its server does not say.

    >>> usage_of({"usage": {"prompt_tokens": 12}})
    (12, None)
    """
    usage = response.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    read, written = (usage.get(name) for name in ("prompt_tokens", "completion_tokens"))
    return _count(read), _count(written)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
