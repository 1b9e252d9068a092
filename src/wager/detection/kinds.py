"""The kinds of task, the axes that cut across them, and what a detector says of one prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["AXES", "GENERAL", "KINDS", "SAFER", "Detected"]

KINDS: Mapping[str, str] = {
    "factual": "asks for facts about the world that can be looked up",
    "debugging": "asks what went wrong in, or is shown by, a log, a trace, code or its error",
    "reasoning": "asks for something to be worked out: mathematics, logic, a plan whose steps must hold, code to be written",
    "creative": "asks for one invented or artful text: a story, a poem, a speech, a slogan",
    "brainstorm": "asks for many ideas or options, of which several are good",
    "personal": "tells of the writer's own feelings or life, and wants relief or reflection",
    "transform": "gives a text and asks for it in another form: summarised, translated, extracted, rewritten, reformatted",
    "smalltalk": "greets, thanks, chats, asks about the assistant itself",
}
"""Each kind of task in a sentence."""

GENERAL = "general"
"""The kind of a prompt whose kind is not sure enough: the neutral rule."""

SAFER = ("personal", "debugging", "factual", "reasoning", "transform", "brainstorm", "creative", "smalltalk")
"""Ties go to the kind that stands first: what a mistake costs is largest there."""

AXES: Mapping[str, str] = {
    "verifiable": "what is asked for can be checked against the world or against the prompt",
    "evidence": "the prompt itself holds the material that the answer must rest on: a log, a document, code, a table",
    "novelty": "something new is wanted; a usual answer would disappoint",
    "distress": "the writer suffers: grief, fear, shame, anger, despair",
    "ambiguous": "it lacks something without which no good answer is possible, so that one would ask back",
    "stakes": "a wrong answer could cost health, money, rights or safety",
}
"""Each axis in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Detected:
    """What kind of task a prompt is, as far as it can be told."""

    kind: str
    """One of `KINDS`, or `GENERAL` where the likeliest is not sure enough."""
    probability: float | None
    """Calibrated probability in [0, 1] that ``likeliest`` is right; None where nobody asked the detector."""
    likeliest: str | None
    """The likeliest kind, sure enough or not; None where nobody asked the detector."""
    by: Literal["client", "system prompt", "detector", "default"]
    """Who decided: precedence in this order."""
    reason: str
    """Why, in one plain sentence."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """By kind, adding up to 1; empty where nobody asked the detector."""
    axes: Mapping[str, float] = field(default_factory=dict)
    """By axis, the calibrated probability in [0, 1] that it holds; empty where nobody asked the detector."""
    crisis: str | None = None
    """The words that are a sign of crisis (danger to life), as they stand in the prompt; None without one. Looked for in every prompt,
    whoever decided the kind."""
