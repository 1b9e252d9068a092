"""The policy: what to do with an answer, given how sure it is; one rule for each kind of task, for one model.

A rule makes exactly one promise. ``target`` t: answer iff the calibrated probability is above t. ``risk`` or ``joint_risk``: answer iff
the raw confidence is above a threshold that was certified on graded answers (`wager.policy.thresholds`). Between and below it says
what else to do. docs/policy.md describes every key; `wager.policy.toml` reads and writes the file.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wager.elicit.lexicon import DEFAULT_SHADES, Shade, Shades
from wager.errors import DataError, UsageError
from wager.policy.calibration import Calibration
from wager.policy.calibrators import calibrator_from
from wager.policy.knobs import DEFAULT_KNOBS, Knobs, knobs_from
from wager.policy.rule import CHECKS, SHADE_CHECKS, Act, Fallback, PolicyError, Rule, Where, checked, nearest, shown

__all__ = ["POLICY_VERSION", "Act", "Fallback", "Policy", "PolicyError", "Rule"]

POLICY_VERSION = 1
"""Version of the file format. A file of a newer one is refused; those of older ones stay readable."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules for one model, with the calibrations that they name.

    Raises:
        PolicyError: no rule named ``default``, a calibration that is not there, or one of another source or another model.
    """

    model: str
    """The model that the calibrations were fitted on; no other may use them."""
    rules: Mapping[str, Rule]
    """By kind of task; ``default`` is used for every kind without a rule."""
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    """By the names that the rules use."""
    knobs: Mapping[str, Knobs] = field(default_factory=dict)
    """By kind of task, where they differ from `wager.policy.knobs.DEFAULT_KNOBS`; only the gateway reads them."""
    shades: Shades = DEFAULT_SHADES
    """The words for a probability, as this model means them."""
    made: str
    """ISO date on which it was made."""
    version: int = POLICY_VERSION
    """Version of the format."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", dict(self.rules))
        object.__setattr__(self, "calibrations", dict(self.calibrations))
        object.__setattr__(self, "knobs", dict(self.knobs))
        _version(self.version)
        if not isinstance(self.model, str) or not self.model.strip():
            raise PolicyError(("model",), f"is the name of the model, got {shown(self.model)}")
        _date(self.made)
        if "default" not in self.rules:
            raise PolicyError(("rules", "default"), "is missing; it is used for every kind of task without a rule of its own")
        for where in (*(("rules", kind) for kind in self.rules), *(("calibrations", name) for name in self.calibrations)):
            if not where[1].strip():
                raise PolicyError(where, "has no name")
        for name, calibration in self.calibrations.items():
            if calibration.model != self.model:
                raise PolicyError(("calibrations", name, "model"), f"is {calibration.model!r}, and this policy is for {self.model!r}")
        for kind, rule in self.rules.items():
            self._fits(("rules", kind), rule)

    def _fits(self, where: Where, rule: Rule) -> None:
        if rule.calibration is None:
            return
        if rule.calibration not in self.calibrations:
            raise PolicyError(
                (*where, "calibration"), f"is {rule.calibration!r}, no such one; {nearest(rule.calibration, self.calibrations)}"
            )
        source = str(self.calibrations[rule.calibration].source)
        if source != rule.source:
            raise PolicyError(
                (*where, "source"), f"is {str(rule.source)!r}, and the calibration {rule.calibration!r} was fitted on {source!r}"
            )

    def for_model(self, model: str) -> Policy:
        """This policy, if it is for ``model``.

        Raises:
            UsageError: it is for another one.
        """
        if model != self.model:
            raise UsageError(f"the policy is for {self.model!r}, got {model!r}: make one with `wager calibrate` on its own answers")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in the file."""
        return {
            "version": self.version,
            "made": self.made,
            "model": self.model,
            "rules": {kind: rule.to_dict() for kind, rule in self.rules.items()},
            **({"knobs": {kind: _changed(kind, one) for kind, one in self.knobs.items()}} if self.knobs else {}),
            "calibrations": {name: one.to_dict() for name, one in self.calibrations.items()},
            "shades": self.shades.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Policy:
        """The policy of plain values, each checked.

        Raises:
            PolicyError: naming the first key that is wrong, missing or unknown.
        """
        _version(values.get("version"))
        _known(values, ("version", "made", "model", "rules", "knobs", "calibrations", "shades"), "a policy")
        for name in ("made", "model", "rules"):
            if name not in values:
                raise PolicyError((name,), "is missing")
        rules = {kind: _rule(one, ("rules", kind)) for kind, one in _table(values, "rules").items()}
        calibrations = {name: _calibration(one, ("calibrations", name)) for name, one in _table(values, "calibrations").items()}
        knobs = {kind: knobs_from(kind, one, ("knobs", kind)) for kind, one in _table(values, "knobs").items()}
        made = values["made"].isoformat() if type(values["made"]) is datetime.date else values["made"]
        shades = _shades(values["shades"]) if "shades" in values else DEFAULT_SHADES
        return cls(
            version=values["version"], made=made, model=values["model"], rules=rules, knobs=knobs, calibrations=calibrations, shades=shades
        )


def _changed(kind: str, knobs: Knobs) -> dict[str, Any]:
    """The keys that differ from the kind's default knobs."""
    usual = DEFAULT_KNOBS[kind].to_dict()
    return {name: value for name, value in knobs.to_dict().items() if usual.get(name) != value}


def _version(value: Any) -> None:
    if value is None:
        raise PolicyError(("version",), f"is missing; this wager writes version = {POLICY_VERSION}")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PolicyError(("version",), f"is a number from 1 on, got {shown(value)}")
    if value > POLICY_VERSION:
        raise PolicyError(("version",), f"is {value}, and this wager reads up to {POLICY_VERSION}: update wager")


def _date(value: Any) -> None:
    try:
        datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise PolicyError(("made",), f"is a date as 2026-01-31, got {shown(value)}") from None


def _table(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The table of tables ``name``; empty if it is not there."""
    found = values.get(name, {})
    if not isinstance(found, Mapping):
        raise PolicyError((name,), f"is a table of tables, got {shown(found)}")
    for key, one in found.items():
        if not isinstance(one, Mapping):
            raise PolicyError((name, key), f"is a table, got {shown(one)}")
    return found


def _known(values: Mapping[str, Any], known: Sequence[str], of: str) -> None:
    for name in values:
        if name not in known:
            raise PolicyError((name,), f"is no key of {of}; {nearest(name, known)}")


def _rule(values: Mapping[str, Any], where: Where) -> Rule:
    try:
        _known(values, tuple(CHECKS), "a rule")
        if "source" not in values:
            raise PolicyError(("source",), "is missing: which confidence is read, for example 'logprob'")
        return Rule(**values)
    except PolicyError as error:
        raise error.under(*where) from None


def _calibration(values: Mapping[str, Any], where: Where) -> Calibration:
    part, what = where, "calibration"
    try:
        if "calibrator" in values:  # by itself first: its errors belong to its own table
            part, what = (*where, "calibrator"), "calibrator"
            calibrator_from(values["calibrator"])
            part, what = where, "calibration"
        return Calibration.from_dict(values)
    except DataError as error:
        raise PolicyError(part, f"is no {what}: {_brief(error).removeprefix(f'{what}: ')}") from None


def _shades(values: Any) -> Shades:
    if not isinstance(values, list) or not all(isinstance(one, Mapping) for one in values):
        raise PolicyError(("shades",), f"is a list of tables, got {shown(values)}")
    shades = tuple(_shade(one, ("shades", number)) for number, one in enumerate(values))
    try:
        return Shades(shades)
    except DataError as error:
        said = str(error)
    if not shades:
        raise PolicyError(("shades",), "is empty; leave it out for the usual ones")
    first = next((end for end in range(2, len(shades)) if _refused(shades[:end]) == said), len(shades))
    raise PolicyError(("shades", first - 1), f"does not go with the others: {said}")


def _refused(shades: tuple[Shade, ...]) -> str | None:
    """Why these shades do not go together."""
    try:
        Shades(shades)
    except DataError as error:
        return str(error)
    return None


def _shade(values: Mapping[str, Any], where: Where) -> Shade:
    for name, (check, what) in SHADE_CHECKS.items():
        if name in values:
            checked((*where, name), values[name], check, what)
    try:
        return Shade.from_dict(values)
    except DataError as error:
        raise PolicyError(where, f"is no shade: {_brief(error)}") from None


def _brief(error: DataError) -> str:
    """What it says, without most of a long list that it quotes."""
    said = str(error)
    return said if len(said) <= 240 else f"{said[:160]} ... {said[-77:]}"
