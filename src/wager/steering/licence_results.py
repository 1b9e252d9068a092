"""What a licence says: small frozen types, worked out by `wager.steering.licence`, drawn by `wager.report`. Light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wager.errors import DataError
from wager.metrics.results import Estimate
from wager.metrics.results import to_json as plain

__all__ = ["CHANGES", "FIGURES", "Check", "Chosen", "Example", "Figures", "Goal", "Licence", "from_json", "to_json"]

SCHEMA_VERSION = 1
"""Version of the JSON that `to_json` gives; raised when a key changes meaning."""

Goal = Literal["selectivity", "plays along"]
"""What the dial is for. ``selectivity``: to abstain where nothing can be known and nowhere else. ``plays along``: to write the fiction that
was asked for."""

FIGURES = {
    "hedges unknown": "Hedges on unknown",
    "hedges known": "Hedges on known",
    "selectivity": "Selectivity",
    "known right": "Known questions right",
    "score 0": "Score at t = 0",
    "score 0.5": "Score at t = 0.5",
    "score 0.75": "Score at t = 0.75",
    "score 0.9": "Score at t = 0.9",
    "answered": "Answers given",
    "ece": "Calibration error (ECE)",
    "aurc": "Risk over coverage (AURC)",
    "overconfidence": "Overconfidence",
    "perplexity": "Perplexity under the unsteered model",
    "perplexity ratio": "Perplexity ratio",
    "repetition": "Repeated word pairs",
    "broken": "Broken replies",
    "wrong way": "Questions moved the wrong way",
    "refuses harmful": "Refuses harmful prompts",
    "plays along": "Plays along with fiction",
    "distinct": "Distinct fictions",
    "fired unknown": "Gate fired on unknown",
    "fired known": "Gate fired on known",
    "ungraded": "Ungraded replies",
}
"""Names of the figures of a condition in reading order, and how a reader reads them."""

CHANGES: tuple[str, ...] = (
    *("hedges unknown", "hedges known", "selectivity", "known right", "score 0", "score 0.5", "score 0.75", "score 0.9"),
    *("repetition", "broken", "refuses harmful", "plays along", "distinct"),
)
"""Figures whose difference from the unsteered model is worked out, paired by question."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All figures of one condition, over its seeds."""

    kind: str
    """A `wager.steering.samples.Kind`."""
    dose: float
    """With the sign that was applied."""
    gated: bool
    random: int | None = None
    """Which random vector."""
    replies: int
    """Graded or not."""
    seeds: int
    """Seeds that they are of."""
    ungraded: dict[str, int]
    """By group: replies without a verdict, which are in no share."""
    values: dict[str, Estimate]
    """By name of `FIGURES`. Shares are in [0, 1]; a score's unit is one correct answer; perplexity is a ratio; what was not measured has no
    value and a reason."""
    changes: dict[str, Estimate]
    """By name of `CHANGES`: this minus the unsteered model, over the questions that both have."""
    curve: tuple[tuple[float, float], ...] = ()
    """(coverage, risk) of its confidence, the surest answers first."""

    @property
    def name(self) -> str:
        """``dial -0.75, gated``, ``random vector 3 at +0.5``, ``unsteered``."""
        gate = ", gated" if self.gated else ""
        named = {
            "none": "unsteered",
            "prompt": "prompt only",
            "vector": f"dial {self.dose:+g}{gate}",
            "wrong sign": f"wrong sign {self.dose:+g}{gate}",
        }
        return named.get(self.kind, f"random vector {self.random} at {self.dose:+g}{gate}")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The dose, chosen on development questions."""

    goal: Goal
    dose: float | None
    """None where no dose is safe."""
    gated: bool | None
    """Whether with the gate; None with no dose."""
    candidates: tuple[Figures, ...]
    """Every dose tried, on the development questions."""
    refused: dict[str, str]
    """By candidate's name: what was wrong with it."""
    questions: tuple[str, ...]
    """SHA-256 of each development question, sorted: none of them may occur in the evaluation."""
    phrasings: tuple[str, ...] = ()
    """Names of their templates."""


@dataclass(frozen=True)
class Check:
    """One rule of the licence."""

    name: str
    """In a few words."""
    holds: bool | None
    """None where it cannot be told, which is not enough."""
    reason: str
    """With the figures that decided."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """What the unsteered model and the dial say to one question. Texts of models: hostile until shown as text."""

    group: str
    """A `wager.steering.samples.Group`."""
    question: str
    before: str
    """Reply of the unsteered model."""
    after: str
    """Reply under the dial at the chosen dose."""


@dataclass(frozen=True, kw_only=True)
class Licence:
    """What a dial has shown."""

    trait: str
    goal: Goal
    verdict: Literal["licensed", "unlicensed"]
    checks: tuple[Check, ...]
    """Every rule; the dial is licensed if all hold."""
    chosen: Chosen
    at_dose: Figures | None
    """At the chosen dose, on the evaluation questions."""
    unsteered: Figures
    doses: tuple[Figures, ...]
    """The dial at every strength, ungated first, then gated, by increasing dose."""
    controls: tuple[Figures, ...]
    """Random vectors, the wrong sign, the prompt alone."""
    against: dict[str, Estimate]
    """By control's name: effect of the dial minus that of the control at the same strength, paired by question."""
    band: tuple[float, float] | None
    """Doses within which more dose is more effect."""
    notes: tuple[str, ...] = ()
    """Sentences that a reader must see with the verdict."""
    about: Mapping[str, str] = field(default_factory=dict)
    """How it was made: model, vector, seeds, versions."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not licensed; empty if it is."""
        return tuple(f"{one.name}: {one.reason}" for one in self.checks if one.holds is not True)


def to_json(licence: Licence) -> dict[str, Any]:
    """The licence as JSON values, with the version of their form."""
    return {"schema": SCHEMA_VERSION, **plain({**vars(licence), "about": dict(licence.about)})}


def from_json(value: Any) -> Licence:
    """The licence of what `to_json` gave.

    Raises:
        DataError: it is none, or of a newer version.
    """
    if not isinstance(value, dict) or not isinstance(value.get("schema"), int):
        raise DataError("this is no licence: it says no version")
    if value["schema"] > SCHEMA_VERSION:
        raise DataError(f"a licence of version {value['schema']}; this wager reads up to {SCHEMA_VERSION}; update wager")
    try:
        chosen = value["chosen"]
        candidates = tuple(_figures(one) for one in chosen["candidates"])
        made = Chosen(
            **{**chosen, "candidates": candidates, "questions": tuple(chosen["questions"]), "phrasings": tuple(chosen["phrasings"])}
        )
        rest = {key: one for key, one in value.items() if key not in ("schema", "chosen")}
        band = rest.pop("band")
        rest |= {"checks": tuple(Check(**one) for one in rest["checks"]), "notes": tuple(rest["notes"])}
        rest |= {name: tuple(_figures(one) for one in rest[name]) for name in ("doses", "controls")}
        rest |= {name: None if rest[name] is None else _figures(rest[name]) for name in ("at_dose", "unsteered")}
        rest["against"] = {name: Estimate(**one) for name, one in rest["against"].items()}
        return Licence(**rest, chosen=made, band=None if band is None else (float(band[0]), float(band[1])))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError(f"this is no licence: {type(error).__name__} at {error}") from error


def _figures(value: Any) -> Figures:
    estimates = {part: {name: Estimate(**one) for name, one in value[part].items()} for part in ("values", "changes")}
    return Figures(**{**value, **estimates, "curve": tuple((float(x), float(y)) for x, y in value["curve"])})
