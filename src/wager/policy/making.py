"""A policy from graded answers: the calibrator, the certificate, and the rule that keeps its promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from wager.elicit.verbal import DEFAULT_SHADES, Shades
from wager.policy.answers import GivenAnswers, Words
from wager.policy.calibration import Calibration, calibrate
from wager.policy.choosing import Judgement, judged
from wager.policy.policy import Policy, Rule
from wager.policy.risk_table import RiskTable, risk_table
from wager.policy.shades import learn
from wager.policy.thresholds import Certificate, certify_joint, certify_risk, certify_target

__all__ = ["Made", "Promise", "certified", "learned_shades", "make_policy", "written_shades"]

Promise = Literal["target", "risk", "joint_risk"]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What graded answers gave."""

    calibration: Calibration
    """The calibrator, with its origin."""
    judgement: Judgement
    """The confidence before and after, cross-fitted."""
    certificate: Certificate
    """What is promised, or why nothing can be."""
    table: RiskTable
    """Answers and mistakes above each threshold: enough to certify another level."""
    policy: Policy | None
    """The policy; None where its promise could not be certified and nothing else decides."""


def make_policy(
    given: GivenAnswers,
    *,
    promise: Promise,
    level: float,
    delta: float = 0.1,
    kind: str = "default",
    calibrator: str = "auto",
    rule: Mapping[str, Any] | None = None,
    base: Policy | None = None,
) -> Made:
    """Fits, certifies, and writes the rule for one kind of task.

    Args:
        given: graded answers of one model with one confidence.
        promise: which promise the rule makes.
        level: the target t, or the risk.
        delta: probability that a certified promise does not hold; a joint risk is promised in expectation and has none.
        kind: the kind of task that the rule is for; the first rule of a policy is the ``default`` too.
        calibrator: its kind, or ``auto``.
        rule: other keys of the rule, such as ``below`` or ``hedge_above``.
        base: the policy that the rule is added to, of the same model.
    """
    calibration = calibrate(
        given.confidence,
        given.correct,
        source=given.source,
        model=given.model,
        tasks=given.tasks,
        clusters=given.items,
        kind=calibrator,
    )
    judgement = judged(given.confidence, given.correct, clusters=given.items, kind=calibrator)
    table = risk_table(given.confidence, given.correct, clusters=given.items)
    certificate = certified(table, promise, level, delta)
    values: dict[str, Any] = {promise: level, "source": given.source, **(rule or {})}
    name = _name(base, kind, given.source)
    values["calibration"] = name
    if certificate.threshold is not None:
        values |= {"threshold": certificate.threshold, "promise": certificate.sentence, "n": certificate.n}
        values |= {"coverage": certificate.coverage.value} if certificate.coverage.value is not None else {}
        values |= {"delta": delta} if promise != "joint_risk" else {}
        values |= {"bound": certificate.bound} if certificate.bound is not None and 0 <= certificate.bound <= 1 else {}
    policy = None
    if certificate.threshold is not None or promise == "target":
        policy = _with_rule(base, given.model, kind, Rule(**values), name, calibration)
    return Made(calibration=calibration, judgement=judgement, certificate=certificate, table=table, policy=policy)


def certified(table: RiskTable, promise: Promise, level: float, delta: float) -> Certificate:
    """The certificate of a promise, from the counts alone."""
    if promise == "risk":
        return certify_risk(table, level, delta)
    return certify_joint(table, level) if promise == "joint_risk" else certify_target(table, level, delta)


def _name(base: Policy | None, kind: str, source: str) -> str:
    """Of the calibration: one that no rule of another kind uses, whose calibration would be replaced under its threshold."""
    name = source if kind == "default" else f"{kind}-{source}"
    others = {rule.calibration for other, rule in base.rules.items() if other != kind} if base else set()
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, len(others) + 3))) if one not in others)


def _with_rule(base: Policy | None, model: str, kind: str, rule: Rule, name: str, calibration: Calibration) -> Policy:
    made = datetime.now(UTC).date().isoformat()
    if base is None:
        rules = {"default": rule} | ({kind: rule} if kind != "default" else {})
        return Policy(model=model, made=made, rules=rules, calibrations={name: calibration}, shades=written_shades())
    base.for_model(model)
    rules, calibrations = {**base.rules, kind: rule}, {**base.calibrations, name: calibration}
    used = {one.calibration for one in rules.values()}
    kept = {key: one for key, one in calibrations.items() if key in used}
    return replace(base, made=made, rules=rules, calibrations=kept)


def written_shades(shades: Shades = DEFAULT_SHADES) -> Shades:
    """Those that are written, by their first phrase, and the acts: what a policy needs to speak. What is read is larger."""
    return Shades(tuple(replace(shade, phrases=shade.phrases[:1]) for shade in shades if shade.written or shade.act))


def learned_shades(words: Words) -> Shades | None:
    """What this model's words have been worth; None where none of its graded answers has a shade."""
    known = [place for place, name in enumerate(words.said) if name is not None]
    if not known:
        return None
    said = [name for name in words.said if name is not None]
    return written_shades(learn(said, words.correct[known], clusters=words.items[known].astype(str)))
