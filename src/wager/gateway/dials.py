"""The dials that a gateway has: by name a vector, the dose that each side's full strength is, and a gate; and which of them may be turned.

A dial that has shown on held-out questions what it does (`wager.steering.licence`) may be turned to the side and up to the dose that were
licensed. Any other is off unless the settings allow it by name; a request that asks for it is answered without, and told why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wager.errors import DataError, UsageError, WagerError
from wager.gateway.settings import DialSettings, Settings
from wager.gateway.wire import DIAL
from wager.steering.backend import ModelIdentity
from wager.steering.card_licence import DIGITS, band_of, gate_text, vector_digest
from wager.steering.dose import check_dose
from wager.steering.licence_results import Licence, from_json
from wager.steering.plan import Move
from wager.steering.probe import Probe
from wager.steering.probe_file import read_probe
from wager.steering.vector import Vector
from wager.steering.vector_file import read_vector

__all__ = ["Dial", "Dials", "Side", "Turned", "read_dial"]

AGAIN = "wager steer licence again in the same folder: kept replies are not asked again"
OWN = "give the vector that stands beside its licence"

TOGETHER = "several dials were turned: what was measured of each alone need not hold of them together"
"""Note where more than one push is added."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way to turn a dial."""

    dose: float
    """At full strength, with its sign; 0 where it cannot be turned this way."""
    reason: str | None = None
    """Why it is off; None where it may be used."""


@dataclass(frozen=True, kw_only=True)
class Dial:
    """One trait that can be turned."""

    name: str
    """As requests and policies call it."""
    vector: Vector
    """Its card names the block."""
    up: Side
    """For values above 0."""
    down: Side
    """For values below 0."""
    band: tuple[float, float]
    """Doses that are never left."""
    gate: Probe | None = None
    """Turned only where this fires."""
    licensed: bool = False
    """Whether a licence allows it."""
    weights: str | None = None
    """First digits of the SHA-256 of the weights that the licence is of; None where it does not say."""

    def dose(self, value: float) -> float:
        """Of a value in [-1, 1]: that share of the side's full strength.

        Raises:
            UsageError: outside the band.
        """
        return check_dose(abs(value) * (self.up if value >= 0 else self.down).dose, self.band)

    def check_for(self, model: ModelIdentity) -> None:
        """Raises UsageError unless vector, gate and licence are of this model."""
        try:
            self.vector.check_for(model)
            if self.gate is not None:
                self.gate.check_for(model)
        except UsageError as error:
            raise UsageError(f"the dial {self.name!r}: {error}; give files made with this model, or serve theirs") from error
        if self.weights is not None and not model.weights.startswith(self.weights):
            raise UsageError(
                f"the dial {self.name!r}: its licence is of weights {self.weights}, and {model.name} has {model.weights[:12]};"
                " run wager steer licence with this model"
            )

    @property
    def line(self) -> str:
        """What may be done with it, for whoever starts the server."""
        sides = [(sign, side) for sign, side in (("+", self.up), ("-", self.down)) if side.reason is None]
        doses = " and ".join(f"{sign}1 is the dose {side.dose:+.3g}" for sign, side in sides)
        what = "licensed" if self.licensed else "not licensed, allowed by the settings"
        gated = ", gated" if self.gate is not None else ""
        return f"dial {self.name}: {what}{gated}; {doses}" if sides else f"dial {self.name} is off: {self.up.reason}"


@dataclass(frozen=True, kw_only=True)
class Turned:
    """A dial as it is turned for one request."""

    dial: Dial
    value: float
    """In [-1, 1], not 0."""
    dose: float
    """Relative to the length of the activations."""

    @property
    def move(self) -> Move:
        """What is added where the gate lets it."""
        return Move(self.dial.vector, self.dose)


@dataclass(frozen=True)
class Dials:
    """All dials of a gateway."""

    dials: Mapping[str, Dial]

    @classmethod
    def of(cls, settings: Settings) -> Dials | None:
        """Those of the settings, read; None without any.

        Raises:
            UsageError: a file or a value that does not fit, or a model behind a server, which cannot be steered.
        """
        if not settings.dials:
            return None
        for one in settings.upstreams:
            if one.url != "embedded" and not one.url.startswith("gguf/"):
                raise UsageError("a server cannot be steered: dials need the upstream embedded or gguf/PATH; take [dials] out")
        if len(settings.upstreams) > 1:
            raise UsageError("dials are of one model: they need a single upstream, embedded or gguf/PATH, without stand-ins")
        return cls({name: read_dial(name, one) for name, one in settings.dials.items()})

    def check_for(self, model: ModelIdentity) -> None:
        """Raises UsageError where a dial is of another model."""
        for one in self.dials.values():
            one.check_for(model)

    def plan_for(self, values: Mapping[str, float]) -> tuple[tuple[Turned, ...], tuple[str, ...]]:
        """What of the values is used, and notes on what is left out. A value of 0 is a dial that is not turned."""
        turned, notes = [], []
        for name, value in sorted(values.items()):
            dial = self.dials.get(name)
            if not value:
                continue
            if dial is None:
                notes.append(f"the dial {name} was left out: there is none of that name; there are {', '.join(sorted(self.dials))}")
                continue
            reason = (dial.up if value > 0 else dial.down).reason
            if reason is not None:
                notes.append(f"the dial {name} was left out: {reason}")
            else:
                turned.append(Turned(dial=dial, value=value, dose=dial.dose(value)))
        return tuple(turned), (*notes, *([TOGETHER] if len(turned) > 1 else []))


def read_dial(name: str, settings: DialSettings) -> Dial:
    """A dial from its files.

    Raises:
        UsageError: in one line, which file or value does not fit and why.
    """
    if not DIAL.fullmatch(name):
        raise UsageError(f"a dial's name has 1 to 40 letters, digits and _ and begins with no digit, got {name[:60]!r}")
    try:
        vector = read_vector(Path(settings.vector))
        block, _ = vector.at()
        vector.push(0.0)  # says so where the card lacks the length of activations
        if block == 0:
            raise UsageError("llama.cpp cannot push block 0; choose another block of the vector")
        gate = None if settings.gate is None else read_probe(Path(settings.gate))
        if gate is not None:
            gate.check_before_reply()
        licence, missing = (None, "it has no licence") if settings.licence is None else _licence(Path(settings.licence), vector, gate)
        return _limited(name, settings, vector, gate, licence, missing)
    except WagerError as error:
        raise UsageError(f"the dial {name!r}: {error}") from error


def _limited(
    name: str, settings: DialSettings, vector: Vector, gate: Probe | None, licence: Licence | None, missing: str
) -> Dial:  # fmt: skip
    """The dial with the doses that it may have."""
    holds = licence is not None and licence.verdict == "licensed" and bool(licence.chosen.dose)
    full = licence.chosen.dose if licence is not None and holds else None
    band = _band(settings, vector, licence, full, gate)
    if full is not None:
        check_dose(full, band)
    if licence is not None and not holds:
        missing = f"it is unlicensed ({licence.reasons[0] if licence.reasons else 'no safe dose was found'})"
    sides = {}
    for sign in (1, -1):
        way = sign * settings.turn
        if full is not None and full * way > 0:
            sides[sign] = Side(dose=full)
        elif not settings.unlicensed:
            sides[sign] = Side(dose=0.0, reason=missing if full is None else "it is licensed the other way alone")
        else:
            end = band[1] if way > 0 else band[0]
            sides[sign] = Side(dose=end, reason=None if end else "no dose is safe on this side")
    weights = licence.about.get("weights") if licence is not None else None
    return Dial(
        name=name, vector=vector, up=sides[1], down=sides[-1], band=band, gate=gate, licensed=full is not None,
        weights=None if weights is None else str(weights),
    )  # fmt: skip


def _band(settings: DialSettings, vector: Vector, licence: Licence | None, full: float | None, gate: Probe | None) -> tuple[float, float]:
    """The safe doses: of the licence, which is with the gate where there is one, else of the card, else up to the one that was licensed;
    never more than ``most``."""
    band = licence.band if licence is not None and licence.band is not None else band_of(vector.card, gate)
    if band is None and full is not None:
        band = (min(0.0, full), max(0.0, full))
    if band is None and settings.most is None:
        raise UsageError("no sweep has measured which doses are safe: run wager steer licence, or state the largest dose with most = ...")
    most = settings.most
    if band is None:
        assert most is not None  # noqa: S101 (else it was refused)
        return -most, most
    return band if most is None else (max(band[0], -most), min(band[1], most))


def _licence(path: Path, vector: Vector, gate: Probe | None) -> tuple[Licence | None, str]:
    """The licence with or without the gate, and why there is none."""
    which = "ungated" if gate is None else "gated"
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"cannot read the licence {str(path)!r}: {error.strerror or error}; name the licence.json that wager steer licence has written"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"the licence {str(path)!r} is no JSON: {str(error)[:120]}") from error
    if not isinstance(found, dict) or not {"ungated", "gated"} & found.keys():
        raise DataError(f"{str(path)!r} is no licence of wager steer licence: it has neither 'ungated' nor 'gated'")
    if found.get(which) is None:
        return None, f"its licence was run {'with a gate alone' if gate is None else 'without the gate'}"
    licence = from_json(found[which])
    dose, about = licence.chosen.dose, licence.about
    if not isinstance(about, Mapping) or (dose is not None and (isinstance(dose, bool) or not isinstance(dose, int | float))):
        raise DataError(f"the licence {str(path)!r} is damaged: its dose is no number, or it does not say how it was made; run {AGAIN}")
    if licence.trait != vector.card.trait:
        raise DataError(f"the licence {str(path)!r} is of the trait {licence.trait!r}, and the vector of {vector.card.trait!r}; {OWN}")
    blocks = about.get("block")
    if blocks is not None and str(vector.card.block) not in str(blocks).split(", "):
        raise DataError(
            f"the licence {str(path)!r} is of a vector at block {blocks}, and this one is applied at {vector.card.block}; {OWN}"
        )
    digests = about.get("vectors")
    if digests is None:
        return None, f"its licence does not say of which vector it is: an older wager wrote it; run {AGAIN}"
    if (digest := vector_digest(vector)[:DIGITS]) not in str(digests).split(", "):
        raise DataError(f"the licence {str(path)!r} is of another vector of {licence.trait!r} (SHA-256 {digest}... is not in it); {OWN}")
    told = about.get("gate")
    if gate is not None and told is not None and told != (mine := gate_text(gate)):
        raise DataError(
            f"the licence {str(path)!r} is of the gate {str(told)[:80]!r}, and this one is {mine!r}; give that one, or run {AGAIN}"
        )
    if "trial" in about:
        return None, "its licence was a trial with few questions; run wager steer licence without --most"
    return licence, ""
