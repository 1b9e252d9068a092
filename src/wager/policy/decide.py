"""(answer, confidences, policy) to an act: answer, hedge, look up, clarify or abstain, and what is then said.

The one place where a policy is applied: ``wager ask`` and the gateway use the same object. Every comparison is strict: at exactly the
threshold the answer is not given. Kalai et al. (2025), arXiv 2509.04664: answering pays iff the probability of being right is above t.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from wager.errors import DataError
from wager.policy.policy import Act, Fallback, Policy, Rule
from wager.policy.shades import express
from wager.targets import ConfidenceTarget

__all__ = ["OPENINGS", "Decider", "Decision"]

OPENINGS: Mapping[Fallback, str] = {
    "abstain": "I don't know.",
    "look_up": "I need to look this up.",
    "clarify": "Could you tell me more about what you mean?",
}
"""What is said instead of an answer; the rule's next step follows."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is done with one answer, and why."""

    act: Act
    """``answer``, ``hedge``, ``look_up``, ``clarify`` or ``abstain``."""
    text: str
    """What is said."""
    reason: str
    """Why, in one plain sentence."""
    kind: str
    """The kind of task that was asked for."""
    rule: str
    """The kind whose rule was used: ``default`` where there is none of that name."""
    source: str
    """The confidence that the rule reads."""
    confidence: float | None = None
    """That raw confidence in [0, 1]; None if it is not available."""
    probability: float | None = None
    """The calibrated probability in [0, 1] that the answer is right; None without a confidence or a calibration."""
    compared: Literal["probability", "confidence"] | None = None
    """Which of the two decided; None where neither did."""
    threshold: float | None = None
    """What it was compared with: the target, or the certified threshold."""
    shade: str | None = None
    """Name of the shade in which the answer is said; None if it is said plainly or not at all."""
    at_targets: Mapping[float, Act] = field(default_factory=dict)
    """For each other target that was asked about: ``answer`` iff the probability is above it."""


@dataclass(frozen=True)
class _Prepared:
    """A rule with all that does not depend on the answer."""

    name: str
    """Its kind of task."""
    rule: Rule
    """As it stands in the policy."""
    probability: Callable[[float], float] | None
    """The calibrated probability of a raw confidence."""
    compared: Literal["probability", "confidence"]
    """Which of the two decides."""
    threshold: float
    """What it is compared with."""
    what: tuple[str, str]
    """The two in words: what is compared, and with what."""
    says: Mapping[Fallback, str]
    """What is said instead of an answer."""


class Decider:
    """Applies one policy; everything that can be is prepared once, and a decision changes nothing.

    Args:
        policy: the rules.
        model: the model whose answers are decided on, where it is known.

    Raises:
        UsageError: the policy is for another model.

    >>> rule = Rule(risk=0.1, delta=0.05, threshold=0.8, source="logprob", next_step="Ask a geographer.")
    >>> decider = Decider(Policy(model="m", made="2026-01-31", rules={"default": rule}), model="m")
    >>> decider.decide("Lima", {"logprob": 0.93}).text
    'Lima'
    >>> decider.decide("Lima", {"logprob": 0.8}).text
    "I don't know. Ask a geographer."
    """

    def __init__(self, policy: Policy, *, model: str | None = None) -> None:
        self.policy = policy if model is None else policy.for_model(model)
        self._rules = {kind: self._prepared(kind, rule) for kind, rule in policy.rules.items()}
        self._shade = policy.shades.at

    def _prepared(self, kind: str, rule: Rule) -> _Prepared:
        probability = None if rule.calibration is None else self.policy.calibrations[rule.calibration].at
        says = {act: " ".join(part for part in (opening, rule.next_step.strip()) if part) for act, opening in OPENINGS.items()}
        if rule.threshold is not None:
            what = (f"The {rule.source} confidence", "the certified threshold")
            return _Prepared(kind, rule, probability, "confidence", rule.threshold, what, says)
        assert rule.target is not None, "a rule without a threshold has a target"  # noqa: S101
        return _Prepared(kind, rule, probability, "probability", rule.target, ("The probability", "the target"), says)

    def decide(
        self, answer: str | None, confidences: Mapping[str, float], *, kind: str = "default", targets: Sequence[float] = ()
    ) -> Decision:
        """What to do with one answer.

        Args:
            answer: as read from the reply; None or blank where the model itself said that it does not know.
            confidences: by source, each in [0, 1]; a source that is not available is left out. Only the rule's own one is used.
            kind: the kind of task; one without a rule gets the ``default`` rule, and the reason says so.
            targets: other targets to tell the act for.

        Raises:
            DataError: a confidence that is no number in [0, 1].
            TargetError: a target outside [0, 1).
        """
        given = {str(source): _confidence(source, value) for source, value in confidences.items()}
        used = self._rules.get(kind)
        note = "" if used else f" There is no rule for {kind!r}, so the default one is used."
        used = used or self._rules["default"]
        rule = used.rule
        others = [ConfidenceTarget(t).t for t in targets]
        if answer is None or not answer.strip():
            act: Fallback = "look_up" if rule.below == "look_up" else "abstain"
            return self._instead(used, kind, act, "The model itself said that it does not know." + note, others)
        if rule.source not in given:
            listed = ", ".join(sorted(given)) or "none"
            why = f"There is no {rule.source} confidence, and no other is read in its place (given: {listed})."
            return self._instead(used, kind, rule.unknown, why + note, others)
        confidence = given[rule.source]
        probability = _probability(used, confidence)
        if probability is None and used.compared == "probability":
            why = f"The calibration has no probability for a {rule.source} confidence of {confidence!r}: no graded answer had it."
            found = self._instead(used, kind, rule.unknown, why + note, others)
            return replace(found, confidence=confidence)
        return self._decided(used, kind, answer, confidence, probability, note, others)

    def _instead(self, used: _Prepared, kind: str, act: Fallback, reason: str, others: Sequence[float]) -> Decision:
        """Without a confidence: the same at every target."""
        return Decision(
            act=act,
            text=used.says[act],
            reason=reason,
            kind=kind,
            rule=used.name,
            source=used.rule.source,
            at_targets=dict.fromkeys(others, act),
        )

    def _decided(
        self, used: _Prepared, kind: str, answer: str, confidence: float, probability: float | None, note: str, others: Sequence[float]
    ) -> Decision:
        rule = used.rule
        act, reason = _compared(used, confidence, probability)
        text, shade = used.says[rule.below], None
        if act == "answer":
            text = answer
        if probability is not None and (act == "hedge" or (act == "answer" and rule.words)):
            found = self._shade(probability)
            text, shade = express(answer, found), found.name
        return Decision(
            act=act,
            text=text,
            reason=reason + note,
            kind=kind,
            rule=used.name,
            source=rule.source,
            confidence=confidence,
            probability=probability,
            compared=used.compared,
            threshold=used.threshold,
            shade=shade,
            at_targets={t: _at(t, probability, rule) for t in others},
        )


def _probability(used: _Prepared, confidence: float) -> float | None:
    """The calibrated probability; None without a calibration, and for a level that none of its graded answers had."""
    if used.probability is None:
        return None
    try:
        return used.probability(confidence)
    except DataError:
        return None


def _compared(used: _Prepared, confidence: float, probability: float | None) -> tuple[Act, str]:
    """The act of an answer with a confidence, and why."""
    value = confidence if used.compared == "confidence" or probability is None else probability
    shown, limit = _beside(value, used.threshold)
    if value > used.threshold:
        return "answer", f"{used.what[0]} {shown} is above {used.what[1]} {limit}."
    low = used.rule.hedge_above
    below = f"{used.what[0]} {shown} is not above {used.what[1]} {limit}"
    if low is None or probability is None:
        return used.rule.below, f"{below}."
    shown, limit = _beside(probability, low)
    again = "" if used.compared == "probability" else f"the probability {shown} is "
    if probability > low:
        return "hedge", f"{below}, but {again}above {limit}, enough to answer with words of doubt."
    return used.rule.below, f"{below}, and {again}not above {limit}, too little for words of doubt."


def _at(t: float, probability: float | None, rule: Rule) -> Act:
    if probability is None:
        return rule.unknown
    return "answer" if probability > t else rule.below


def _beside(value: float, limit: float) -> tuple[str, str]:
    """Two numbers with as few digits as tell them apart."""
    short, other = f"{value:.3g}", f"{limit:.3g}"
    return (short, other) if short != other or value == limit else (repr(value), repr(limit))


def _confidence(source: str, value: float) -> float:
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
        raise DataError(f"a {source} confidence is a number in [0, 1], got {value!r}; leave out a source that is not available")
    if not 0 <= value <= 1:
        raise DataError(f"a {source} confidence lies in [0, 1], got {value!r}; leave out a source that is not available")
    return float(value)
