"""The safe band of a dial: the doses around 0 at which more does more, and nothing else breaks. It is measured, never assumed.

Along a sweep away from 0 the band ends before the first dose at which the effect has turned over (significantly less than at a smaller
dose), a damage is above its limit, or a damage is not known. Limits of doses do not move from model to model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from scipy.special import bdtrc, ndtr, ndtri

from wager.errors import UsageError
from wager.metrics.intervals import Z
from wager.metrics.results import Estimate

__all__ = ["LIMITS", "Band", "Swept", "check_dose", "safe_band"]

LIMITS: Mapping[str, float] = MappingProxyType({"known-fact loss": 0.05, "perplexity ratio": 2.0, "repetition": 0.15})
"""Largest damage allowed: share of known facts lost against dose 0, perplexity under the unsteered model over that of dose 0, share of
repeated bigrams. Choices, not laws; state others where they fit."""


@dataclass(frozen=True, kw_only=True)
class Swept:
    """One dose of a sweep."""

    dose: float
    """|added| / |h|, signed; positive is more of the trait."""
    effect: Estimate
    """How much the trait shows: a rate or a mean over questions, the same questions at every dose."""
    outcomes: tuple[float | None, ...] = ()
    """By question, in the same order at every dose; doses are then compared in pairs, by an exact sign test. May be empty."""
    damage: Mapping[str, Estimate | float | None] = field(default_factory=dict)
    """What else changed, by the names of the limits; None where it could not be measured, which counts as unsafe."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """Doses that are safe, and why not more."""

    low: float
    """The lowest, at most 0."""
    high: float
    """The highest, at least 0."""
    why_low: str
    """What ends it below, in words."""
    why_high: str
    """What ends it above."""
    turns_low: float | None = None
    """The first dose below 0 at which the effect has turned over; None where it does not within the sweep."""
    turns_high: float | None = None
    """The first dose above 0 at which it has."""
    peak_low: float | None = None
    """The dose of the strongest effect among the safe ones below 0; None where there is none."""
    peak_high: float | None = None
    """The same above 0."""

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest dose, as a card keeps them."""
        return self.low, self.high


def safe_band(sweep: Sequence[Swept], *, limits: Mapping[str, float] = LIMITS, rising: bool = True, level: float = 0.95) -> Band:
    """The largest interval around dose 0 in which the effect is monotone within noise and every damage is within its limit.

    At each dose, outwards from 0, the effect is tested against every smaller dose of its side (one-sided at ``level``; an exact sign test
    of paired outcomes, else by the two intervals): a significant step back is where it turns over. Tests are many, so the band is rather
    too narrow than too wide; that no step is significant at few questions shows little, which the intervals of the effects tell.

    Args:
        sweep: doses in any order, 0 among them.
        limits: by name, the largest damage; each dose but 0 must say all of them.
        rising: whether a higher dose is meant to give more of the effect; False for one such as hedging.
        level: of the test.

    Raises:
        UsageError: no dose 0, a dose twice or not finite, a limit that is not a number, or outcomes of different lengths.
    """
    ordered = sorted(sweep, key=lambda one: one.dose)
    doses = [one.dose for one in ordered]
    if not all(map(math.isfinite, doses)) or len(set(doses)) < len(doses):
        raise UsageError(f"each dose of a sweep is a finite number and comes once, got {', '.join(f'{dose:g}' for dose in doses)}")
    if 0.0 not in doses:
        raise UsageError("a sweep has the dose 0: without it there is nothing to compare with")
    if len({len(one.outcomes) for one in ordered}) > 1:
        raise UsageError("every dose of a sweep has the outcomes of the same questions, got different numbers of them")
    if any(not math.isfinite(limit) for limit in limits.values()) or not 0.5 < level < 1:
        raise UsageError("limits are finite numbers, and a level lies between 0.5 and 1")
    zero, quantile = doses.index(0.0), float(ndtri(level))
    below = _side(ordered[zero::-1], limits, -1 if rising else 1, quantile)
    above = _side(ordered[zero:], limits, 1 if rising else -1, quantile)
    return Band(
        low=below[0], high=above[0], why_low=below[1], why_high=above[1],
        turns_low=below[2], turns_high=above[2], peak_low=below[3], peak_high=above[3],
    )  # fmt: skip


def _side(
    outwards: Sequence[Swept], limits: Mapping[str, float], sign: int, quantile: float
) -> tuple[float, str, float | None, float | None]:
    """Where one side ends, why, where the effect turns over (whatever ends the side), and the dose of the strongest safe effect."""
    end, why = 0.0, ""
    turns = None
    for at, one in enumerate(outwards[1:], 1):
        back = [before for before in outwards[:at] if _reversed(before, one, sign, quantile)]
        if back and turns is None:
            turns = one.dose
        if not why:
            worst = max(back, key=lambda before: sign * (before.effect.value or 0.0)) if back else None
            why = _turned(worst, one) if worst else _harm(one, limits)
            end = end if why else one.dose
    safe = [one for one in outwards[1:] if abs(one.dose) <= abs(end) and one.effect.value is not None]
    peak = max(safe, key=lambda one: (sign * (one.effect.value or 0.0), -abs(one.dose))).dose if safe else None
    missing = "no dose was tried on this side" if len(outwards) == 1 else "the sweep ends here"
    return end, why or missing, turns, peak


def _turned(before: Swept, now: Swept) -> str:
    return f"the effect turns over: {before.effect.value:.3g} at {before.dose:g}, {now.effect.value:.3g} at {now.dose:g}"


def _reversed(before: Swept, now: Swept, sign: int, quantile: float) -> bool:
    """Whether the effect at ``now`` is significantly less far along than at a smaller dose."""
    if before.outcomes:
        pairs = [(a, b) for a, b in zip(before.outcomes, now.outcomes, strict=True) if a is not None and b is not None]
        steps = np.array([sign * (b - a) for a, b in pairs])
        down, moved = int((steps < 0).sum()), int((steps != 0).sum())
        return bool(down and steps.mean() < 0 and bdtrc(down - 1, moved, 0.5) <= 1 - float(ndtr(quantile)) + 1e-12)
    if before.effect.value is None or now.effect.value is None:
        return False
    gap = sign * (now.effect.value - before.effect.value)
    errors = [_error(one.effect) for one in (before, now)]
    return gap < 0 and gap < -quantile * math.hypot(*errors)


def _error(effect: Estimate) -> float:
    """Standard error that an interval of 95 % shows; infinite without one: nothing is then significant."""
    return math.inf if effect.low is None or effect.high is None else (effect.high - effect.low) / (2 * Z)


def _harm(one: Swept, limits: Mapping[str, float]) -> str:
    """The first thing that makes a dose unsafe, or nothing."""
    if one.effect.value is None:
        return f"the effect at {one.dose:g} is not known ({one.effect.reason or 'no reason was given'})"
    for name, limit in limits.items():
        told = one.damage.get(name)
        value = told.value if isinstance(told, Estimate) else told
        if value is None or not math.isfinite(value):
            return f"{name} at {one.dose:g} is not known"
        if value > limit:
            return f"{name} at {one.dose:g} is {value:.3g}, above {limit:g}"
    return ""


def check_dose(dose: float, band: Band | tuple[float, float] | None, *, beyond: bool = False) -> float:
    """The dose, if it may be given.

    Args:
        dose: |added| / |h|, signed.
        band: the safe doses; None where no sweep has measured them.
        beyond: whether a dose outside the band, or without one, is meant.

    Raises:
        UsageError: it is not finite, or outside the band and not meant to be.

    >>> check_dose(-0.4, (-0.5, 0.25))
    -0.4
    """
    if not math.isfinite(dose):
        raise UsageError(f"a dose is a finite number, got {dose!r}")
    if beyond or dose == 0:
        return dose
    if band is None:
        raise UsageError(
            f"no sweep has measured which doses are safe, so {dose:g} is refused; run wager steer licence, or allow doses beyond the band"
        )
    low, high = band.ends if isinstance(band, Band) else band
    if not low <= dose <= high:
        raise UsageError(
            f"a dose of {dose:g} is outside the safe band, {low:g} to {high:g}; give one within it, or allow doses beyond the band"
        )
    return dose
