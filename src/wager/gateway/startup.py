"""What a gateway checks before it listens: can every threshold be reached, and what may be expected above it?

A threshold that nothing reaches decides the same on every request, and nobody notices: each request is answered with 200. So it stops the
start.
"""

from __future__ import annotations

from collections.abc import Iterator

from wager.errors import UsageError
from wager.gateway.rulebook import served_by
from wager.policy.policy import Policy, Rule

__all__ = ["expectations", "for_another"]


def for_another(policy: Policy | None, model: str | None, *, name: str) -> str | None:
    """The line for a policy that is not for the model that will be asked; None where it is, or where either is not known.

    A calibration holds for the model whose answers were graded: on another's it decides nothing, though each request is answered.
    """
    if policy is None or model is None or served_by(model, policy.model):
        return None
    return f"policy {name} is for {policy.model} and decides nothing for {model}"


def expectations(policy: Policy, *, name: str) -> list[str]:
    """A line for each rule: what share of questions it answers, and how many of them rightly, on the answers that it was fitted on.

    Raises:
        UsageError: a threshold or a target lies above every graded answer.
    """
    return [line for kind, rule in policy.rules.items() for line in _lines(policy, name, kind, rule)]


def _lines(policy: Policy, name: str, kind: str, rule: Rule) -> Iterator[str]:
    calibrated = rule.threshold is None
    level = rule.target if calibrated else rule.threshold
    assert level is not None  # noqa: S101 (a rule without a threshold has a target)
    what = f"rule {kind!r}: {'probability' if calibrated else rule.source} > {level:.4g}"
    calibration = policy.calibrations[rule.calibration] if rule.calibration else None
    if rule.coverage == 0:
        raise UsageError(
            f"{name}: the threshold {level:.4g} of the rule {kind!r} was reached by none of {rule.n or 0} graded answers: certify another"
        )
    if calibration is None:
        known = rule.coverage is not None
        told = f"answered {100 * (rule.coverage or 0):.0f} % of {rule.n} graded questions" if known else "expected coverage unknown"
        yield f"{what}; {told}; accuracy unknown without a calibration"
        return
    found = calibration.above(level, calibrated=calibrated)
    if found is None:
        top = calibration.at(1.0)
        if calibrated and top <= level:
            raise UsageError(
                f"{name}: the target {level:.4g} of the rule {kind!r} is out of reach: the calibration gives at most {top:.4g}"
            )
        yield f"{what}; coverage and accuracy unknown: the calibration was made by an earlier version; run wager calibrate again"
        return
    covered, right = found
    if right is None:
        raise UsageError(
            f"{name}: the {'target' if calibrated else 'threshold'} {level:.4g} of the rule {kind!r} lies above all {calibration.n} graded "
            "answers; lower it, or calibrate on answers that reach it"
        )
    yield f"{what}; of {calibration.n} graded answers {100 * covered:.0f} % lie above it, {100 * right:.0f} % of them right"
