"""What is set per kind of task before a model answers: temperature, samples, citations, branches, clarifying, look-ups, dials.

A rule (`wager.policy.rule`) says what is done with an answer, given how sure the model is; the knobs say how the answer is got, and
whether a rule decides at all. `DEFAULT_KNOBS` serves every kind that a policy says nothing about; a policy's ``[knobs.KIND]`` table
changes single keys of them. Kinds: `wager.detection.kinds.KINDS`, and ``general`` for a prompt whose kind is not sure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wager.policy.rule import PolicyError, Where, checked, nearest, shown

__all__ = ["DEFAULT_KNOBS", "KNOB_CHECKS", "Knobs", "knobs_from"]

Decides = Literal["act", "report", "off"]
Citations = Literal["required", "optional", "off"]
Clarify = Literal["never", "when ambiguous", "first"]
LookUp = Literal["never", "when unsure", "always"]
Stream = Literal["at once", "buffer", "verdict"]


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """How the answers of one kind of task are got.

    >>> DEFAULT_KNOBS["creative"].decides, DEFAULT_KNOBS["debugging"].citations
    ('off', 'required')
    """

    decides: Decides = "report"
    """``act``: the kind's rule decides from the confidence. ``report``: the confidence is measured and told, and decides nothing.
    ``off``: it is not measured; there is no target."""
    temperature: float | None = None
    """Of the answer, in [0, 2]; None leaves it to the client and the model."""
    samples: int = 5
    """Samples K, where the source of confidence needs them; 2 to 32."""
    citations: Citations = "off"
    """``required``: claims without a verified place in the material are removed; ``optional``: they are marked."""
    branches: int = 1
    """Different texts that are drawn, of which one is returned and the others are offered; 1 to 8."""
    clarify: Clarify = "never"
    """Whether it asks back instead of answering: where the prompt is ambiguous, or first of all."""
    look_up: LookUp = "never"
    """Whether documents and tools are searched."""
    stream: Stream = "buffer"
    """Of a streamed request: ``at once`` passes tokens on as they come; ``buffer`` decides first; ``verdict`` passes them on and tells the
    decision at the end, when the words are out."""
    long_answers: Literal["answer", "unknown"] = "answer"
    """What is done with a long answer, of which a calibration on short ones says nothing: given as it is with confidence null, or as the
    rule's ``unknown`` says."""
    instruction: str = ""
    """Put before the conversation as a system message."""
    dials: Mapping[str, float] = field(default_factory=dict)
    """Steering strengths by trait in [-1, 1], used where the model supports them."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values of all keys that are not None."""
        values = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items() if value is not None}


READER = (
    "You read logs, traces and code. Use only the numbered lines that are given. After every sentence cite the line that shows it, like "
    "[L12]. Say nothing that no line shows. If the lines do not tell, say so."
)
LISTENER = (
    "The user speaks about their own life. First say in a sentence or two what you understood and how it may feel. Then ask one open "
    "question. Give no advice yet, no list, no numbers, no studies."
)
WRITER = "Write what is asked for, as fiction or play. Be vivid and particular. Do not check facts and do not explain."
MAKER = "Give many short ideas that differ from each other, also unusual ones. Do not check facts and do not explain."

DEFAULT_KNOBS: Mapping[str, Knobs] = {
    "factual": Knobs(decides="act", temperature=0.0, citations="optional", clarify="when ambiguous", look_up="when unsure"),
    "debugging": Knobs(decides="report", temperature=0.0, citations="required", clarify="when ambiguous", instruction=READER),
    "reasoning": Knobs(decides="report", temperature=0.2),
    "creative": Knobs(decides="off", temperature=0.9, branches=3, stream="at once", instruction=WRITER),
    "brainstorm": Knobs(decides="off", temperature=0.9, branches=3, stream="at once", instruction=MAKER),
    "personal": Knobs(decides="off", temperature=0.6, clarify="first", instruction=LISTENER),
    "transform": Knobs(decides="off", temperature=0.2, stream="at once"),
    "smalltalk": Knobs(decides="off", temperature=0.5, stream="at once"),
    "general": Knobs(decides="report", clarify="when ambiguous", look_up="when unsure"),
}
"""For every kind, the knobs where a policy says nothing."""


def _one_of(*allowed: str) -> tuple[Callable[[Any, str], Any], str]:
    def check(value: Any, what: str) -> Any:
        if value not in allowed:
            raise ValueError(f"is {what}, got {shown(value)}")
        return value

    return check, f"one of {', '.join(map(repr, allowed))}"


def _within(low: float, high: float) -> tuple[Callable[[Any, str], Any], str]:
    def check(value: Any, what: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"is {what}, got {shown(value)}")
        return float(value)

    return check, f"a number in [{low:g}, {high:g}]"


def _count(low: int, high: int) -> tuple[Callable[[Any, str], Any], str]:
    def check(value: Any, what: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"is {what}, got {shown(value)}")
        return value

    return check, f"a whole number from {low} to {high}"


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is {what}, got {shown(value)}")
    return value


def _dials(value: Any, what: str) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise ValueError(f"is {what}, got {shown(value)}")
    return {str(name): _within(-1, 1)[0](one, f"{what}; {name!r}") for name, one in value.items()}


KNOB_CHECKS: Mapping[str, tuple[Callable[[Any, str], Any], str]] = {
    "decides": _one_of("act", "report", "off"),
    "temperature": _within(0, 2),
    "samples": _count(2, 32),
    "citations": _one_of("required", "optional", "off"),
    "branches": _count(1, 8),
    "clarify": _one_of("never", "when ambiguous", "first"),
    "look_up": _one_of("never", "when unsure", "always"),
    "stream": _one_of("at once", "buffer", "verdict"),
    "long_answers": _one_of("answer", "unknown"),
    "instruction": (_text, "a text"),
    "dials": (_dials, "a table of strengths in [-1, 1]"),
}
"""For each knob what its value must be."""


def knobs_from(kind: str, values: Mapping[str, Any], where: Where) -> Knobs:
    """The kind's default knobs with these values in their place.

    Raises:
        PolicyError: no such kind, no such knob, or a value that it cannot have.
    """
    if kind not in DEFAULT_KNOBS:
        raise PolicyError(where, f"is no kind of task; {nearest(kind, DEFAULT_KNOBS)}")
    for name in values:
        if name not in KNOB_CHECKS:
            raise PolicyError((*where, name), f"is no knob; {nearest(name, KNOB_CHECKS)}")
    return dataclasses.replace(
        DEFAULT_KNOBS[kind], **{name: checked((*where, name), value, *KNOB_CHECKS[name]) for name, value in values.items()}
    )
