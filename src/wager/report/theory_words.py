"""The numbers of the floor in words, from a fixed vocabulary. Plain text; nothing here is HTML, and no number is worked out here."""

from __future__ import annotations

from collections.abc import Sequence

from wager.report.wording import NO_VALUE
from wager.theory.results import Bound, Checkpoint, Floor, Quantity, Reduction, ReductionStudy, TrainedFloor

__all__ = [
    "bound_sentence",
    "confidence",
    "cut",
    "decimal",
    "floor_finding",
    "number",
    "quantity_range",
    "quantity_value",
    "reduction_name",
    "share",
    "study_finding",
    "trained_finding",
]

LONGEST = 300
"""Characters of a text from the data that a page keeps."""


def share(value: float | None, *, sign: bool = False) -> str:
    """A share as a percentage with one decimal, two below 1 %; never rounded to none or all unless it is: ``<0.01 %``, ``>99.9 %``."""
    if value is None:
        return NO_VALUE
    size = abs(value)
    if 0 < size < 0.00005:
        return f"{'−' if value < 0 else ''}<0.01 %"
    if 0.9995 <= size < 1:
        return f"{'−' if value < 0 else ''}>99.9 %"
    digits = 0 if size in (0, 1) else 2 if size < 0.01 else 1
    return f"{100 * value:{'+' if sign and value else ''}.{digits}f} %".replace("-", "−")


def number(value: float | None) -> str:
    """A count with its thousands apart; a fraction, which comes from sampled prompts, is rounded to a whole."""
    return NO_VALUE if value is None else f"{value:,.0f}"


def decimal(value: float | None) -> str:
    """A probability as a decimal with three significant digits: ``0.00274``, ``3.1e-06``."""
    return NO_VALUE if value is None else f"{value:.3g}".replace("-", "−")


def cut(name: str) -> str:
    """A text from the data, not longer than a page can bear."""
    return name if len(name) <= LONGEST else name[:LONGEST] + "…"


def quantity_value(quantity: Quantity) -> str:
    """``21.2 %`` or ``12,225``."""
    return share(quantity.value) if quantity.unit == "share" else number(quantity.value)


def quantity_range(quantity: Quantity) -> str:
    """``[20.9 %, 21.5 %]``; empty where there is none."""
    if quantity.low is None or quantity.high is None:
        return ""
    form = share if quantity.unit == "share" else number
    return f"[{form(quantity.low)}, {form(quantity.high)}]"


def confidence(bound: Bound) -> str:
    """``99 %``."""
    return f"{100 * bound.confidence:g} %"


def bound_sentence(bound: Bound) -> str:
    """What a bound says, or plainly that it says nothing, and what it leaves out."""
    if bound.value is None:
        return f"The {bound.side} bound ({bound.name}) cannot be told: a number in it is not known."
    sure = f"with {confidence(bound)} confidence"
    if not bound.vacuous and bound.side == "lower":
        told = f"At least {share(bound.value)} of the answers of any calibrated model trained on it will be errors ({bound.name}, {sure})."
    elif not bound.vacuous:
        told = f"A calibrated learner exists that errs on no more than {share(bound.value)} of its answers (the upper bound, {sure})."
    elif bound.side == "upper":
        told = f"The upper bound is vacuous: at {share(bound.value)} it says nothing at this size."
    else:
        told = f"The lower bound ({bound.name}) is vacuous: at {share(bound.value)} it says nothing at this size. {_from(bound)}"
    return f"{told} {_unstated(bound)}".strip()


def _from(bound: Bound) -> str:
    if bound.not_vacuous_from is None:
        return "At these rates it would say nothing at any size."
    return f"At the same rates it would be above 0 from {number(bound.not_vacuous_from)} samples on."


def _unstated(bound: Bound) -> str:
    names = [term.symbol for term in bound.terms if term.value is None]
    return f"It leaves out what was not stated: {', '.join(names)}." if names else ""


def floor_finding(floor: Floor) -> str:
    """The answer first: the singleton rate, then both bounds."""
    rate = next((one for one in floor.quantities if one.key == "singleton_rate"), None)
    if rate is None or rate.value is None:
        reason = (rate.unknown if rate else None) or "it was not counted"
        first = f"The singleton rate cannot be told: {reason}."
    else:
        first = f"{share(rate.value)} of the samples state a fact that occurs only once (the singleton rate)."
    return f"{first} {bound_sentence(floor.lower)} {bound_sentence(floor.upper)}"


def reduction_name(reduction: Reduction, study: ReductionStudy) -> str:
    """Model and variant; the model alone is left out where all have the same."""
    same = len({one.model for one in study.reductions}) == 1
    return cut(reduction.variant if same and len(study.reductions) > 1 else f"{reduction.model} · {reduction.variant}")


def study_finding(study: ReductionStudy) -> str:
    """What the first model errs, what its bound demands, and whether all obey."""
    if not study.reductions:
        return "No model was measured, so there is nothing to say."
    one = study.reductions[0]
    told = f"{cut(one.model)} ({cut(one.variant)}) puts {share(one.error)} of its mass on errors; "
    told += (
        f"Theorem 1 demands at least {share(one.bound)}." if one.bound > 0 else f"Theorem 1’s bound, {share(one.bound)}, is vacuous for it."
    )
    return " ".join(part for part in (told, _off_calibration(study.reductions), _obedience(study.reductions)) if part)


def _off_calibration(reductions: Sequence[Reduction]) -> str:
    """Which of several is the furthest from calibrated at 1/K: this is what a temperature or post-training changes."""
    one, most = reductions[0], max(reductions, key=lambda each: each.delta)
    if len(reductions) == 1:
        return ""
    other = ", the greatest here" if most is one else f"; {share(most.delta)} for {cut(most.model)} ({cut(most.variant)})"
    return f"Its delta, how far it is from calibrated at 1/K, is {share(one.delta)}{other}."


def _obedience(reductions: Sequence[Reduction]) -> str:
    broken = [one for one in reductions if not one.obeys]
    if not broken:
        return "It obeys." if len(reductions) == 1 else f"All {len(reductions)} models and variants obey the bound."
    names = ", ".join(f"{cut(one.model)} ({cut(one.variant)})" for one in broken)
    return f"BELOW ITS BOUND: {names}. The bound is arithmetic, so something was measured wrongly."


def trained_finding(floor: TrainedFloor) -> str:
    """Where each learner's training ended, beside the rate of facts seen once."""
    ends: dict[str, Checkpoint] = {point.learner: point for point in floor.checkpoints}
    sentences = [f"{share(floor.singleton_rate)} of the samples state a fact that occurs only once."]
    for name, point in ends.items():
        after = f" after {point.epochs:g} {'epoch' if point.epochs == 1 else 'epochs'}" if point.step else ""
        part = (
            ""
            if point.error_unseen is None
            else f"; {share(point.error_unseen).removesuffix(' %')} points of that fall on people never answered in the data"
        )
        sentences.append(f"The {cut(name)}{after} errs with probability {share(point.error)}{part}.")
    return " ".join([*sentences, _trained_floor(floor.lower)])


def _trained_floor(bound: Bound) -> str:
    if bound.value is None or bound.vacuous:
        return bound_sentence(bound)
    return f"The floor for calibrated learners is {share(bound.value)} ({bound.name}, with {confidence(bound)} confidence)."
