"""Which rule decides on one answer: the policy's own, with another target if the client states one, or with another source of confidence
if the model's server cannot give the rule's.

Degrading, in this order: the rule's own source, `logprob`, `consistency`, `p_true`, `stated`. A source decides only by a calibration of
its own: a certified threshold belongs to one source, and is not carried over to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from wager.answers import ConfidenceSource
from wager.elicit.methods import METHODS
from wager.errors import DataError
from wager.gateway.upstream import Capabilities
from wager.policy.decide import Decider
from wager.policy.policy import Policy, Rule

__all__ = ["DEGRADING", "Ruling", "Rulebook", "served_by"]

S = ConfidenceSource
DEGRADING = (S.LOGPROB, S.CONSISTENCY, S.P_TRUE, S.STATED)
"""Sources that are tried where a rule's own is not to be had, in this order."""


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What decides on an answer, and how the confidence for it is got."""

    source: str | None
    """The confidence that is measured; None if none can be had."""
    decider: Decider | None
    """Applies the rule; None where nothing was calibrated for this model and source."""
    rule: Rule | None
    """That rule."""
    name: str
    """Of the rule in the policy, for the record: ``default``, ``factual``; ``none`` without a policy."""
    calibration_id: str | None = None
    """``name@hash`` of what calibrates."""
    notes: tuple[str, ...] = ()
    """What was degraded, and why."""


def served_by(model: str, policy_model: str) -> bool:
    """Whether a policy for one model may serve another name of it: providers put theirs before a slash.

    >>> served_by("gpt-4o-mini", "openai/gpt-4o-mini"), served_by("mini", "openai/gpt-4o-mini")
    (True, False)
    """
    return model == policy_model or policy_model.partition("/")[2] == model or model.partition("/")[2] == policy_model


class Rulebook:
    """Rulings of one policy, each made once.

    Args:
        policy: None where no answer of this model was ever graded.
    """

    def __init__(self, policy: Policy | None) -> None:
        self.policy = policy
        self._made: dict[tuple[str, str, float | None, str], Ruling] = {}

    def ruling(
        self, kind: str, model: str, capabilities: Capabilities, *, target: float | None = None, without: frozenset[str] = frozenset()
    ) -> Ruling:
        """What decides on an answer of this kind by this model.

        Args:
            kind: of the task.
            model: whose answer it is.
            capabilities: what its server can do.
            target: stated by the client, in place of the rule's promise.
            without: sources that were tried in vain for this very answer.
        """
        if self.policy is None or not served_by(model, self.policy.model):
            why = "there is no policy for this model" if self.policy is None else f"the policy is for {self.policy.model}"
            if self.policy is not None and served_by(model.partition("#")[0], self.policy.model):  # `wager.gateway.upstream_steered`
                why = "the policy was made without these dials"
            source = _first(DEGRADING, capabilities, without)
            return Ruling(source=source, decider=None, rule=None, name="none", notes=(f"{why}: no confidence is calibrated",))
        name = kind if kind in self.policy.rules else "default"
        rule = self.policy.rules[name]
        order = dict.fromkeys((ConfidenceSource(rule.source), *DEGRADING))
        source = _first(order, capabilities, without)
        if source is None:
            notes = (f"no source of confidence can be had from this model (wanted {rule.source})",)
            return Ruling(source=None, decider=self._decider(rule), rule=rule, name=name, notes=notes)
        key = (name, source, target, model)
        if key not in self._made:
            if len(self._made) > 4096:
                self._made.clear()
            self._made[key] = self._make(name, rule, source, target)
        return self._made[key]

    def _make(self, name: str, rule: Rule, source: str, target: float | None) -> Ruling:
        assert self.policy is not None  # noqa: S101 (only called with one)
        notes: tuple[str, ...] = ()
        if source != rule.source:
            notes = (f"the rule reads {rule.source}, which this model's server does not give; {source} was read in its place",)
            rule_or_none = self._of_source(rule, source, target)
        else:
            rule_or_none = rule if target is None else self._at(rule, target)
        if rule_or_none is None:
            what = f"no calibration of {source} for this model" if source != rule.source or rule.calibration is None else "no calibration"
            return Ruling(
                source=source, decider=None, rule=None, name=name, notes=(*notes, f"{what}: the confidence is raw and decides nothing")
            )
        return Ruling(
            source=source,
            decider=self._decider(rule_or_none),
            rule=rule_or_none,
            name=name,
            calibration_id=self._id(rule_or_none),
            notes=notes,
        )

    def _decider(self, rule: Rule) -> Decider:
        assert self.policy is not None  # noqa: S101 (only called with one)
        return Decider(replace(self.policy, rules={"default": rule}))

    def _of_source(self, rule: Rule, source: str, target: float | None) -> Rule | None:
        """The rule with a calibration of another source; only a target can move there."""
        assert self.policy is not None  # noqa: S101 (only called with one)
        wanted = target if target is not None else rule.target
        name = next((name for name, one in self.policy.calibrations.items() if one.source == source), None)
        if name is None or wanted is None:
            return None
        return self._at(
            replace(rule, source=source, calibration=name, target=wanted, risk=None, joint_risk=None, delta=None, threshold=None), wanted
        )

    def _at(self, rule: Rule, target: float) -> Rule | None:
        """The rule with a target in place of its promise."""
        if rule.calibration is None:
            return None
        hedge = rule.hedge_above if rule.hedge_above is not None and rule.hedge_above < target else None
        without = replace(rule, target=target, risk=None, joint_risk=None, delta=None, threshold=None, hedge_above=hedge, promise="")
        return replace(without, n=None, coverage=None, bound=None)

    def _id(self, rule: Rule) -> str | None:
        assert self.policy is not None  # noqa: S101 (only called with one)
        return None if rule.calibration is None else f"{rule.calibration}@{self.policy.calibrations[rule.calibration].data}"

    def probability(self, source: str, confidence: float, model: str) -> tuple[float, str] | None:
        """The calibrated probability of a raw confidence, and which calibration gave it; None without one."""
        if self.policy is None or not served_by(model, self.policy.model):
            return None
        for name, one in self.policy.calibrations.items():
            if one.source == source:
                try:
                    return one.at(confidence), f"{name}@{one.data}"
                except DataError:
                    return None
        return None


def _first(
    order: Mapping[ConfidenceSource, None] | tuple[ConfidenceSource, ...], capabilities: Capabilities, without: frozenset[str]
) -> str | None:
    return next((str(source) for source in order if source not in without and _can(source, capabilities)), None)


def _can(source: ConfidenceSource, capabilities: Capabilities) -> bool:
    """Whether the server may be able to give it; what is not known yet is tried."""
    if source not in METHODS:
        return False
    if source is S.P_TRUE:
        return capabilities.logprobs is not False and capabilities.top_logprobs is not False
    return not METHODS[source].logprobs or capabilities.logprobs is not False
