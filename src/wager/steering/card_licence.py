"""What a vector's card says of its licence, and whether a dial may be turned so: one check for all that push by hand or in evaluations.

A licence is of one block, one gate (or none), pushes at the reply, and one side. It stands in the card's receipts, which come from outside:
whatever is not understood there counts as unlicensed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from wager.errors import UsageError
from wager.steering.backend import Positions
from wager.steering.dose import check_dose
from wager.steering.licence_results import Licence
from wager.steering.plan import Move
from wager.steering.probe import Probe
from wager.steering.vector import Card, Vector

__all__ = ["DIGITS", "Earned", "band_of", "check_licence", "check_move", "earned", "gate_text", "vector_digest", "with_licences"]

KEY = "licence"
"""Of the receipts."""

DIGITS = 16
"""Of a vector's SHA-256, as a licence keeps them."""

LONGEST = 300
"""Letters of a reason that are shown."""

Which = Literal["ungated", "gated"]


@dataclass(frozen=True, kw_only=True)
class Earned:
    """What a run of ``wager steer licence`` found, with the gate or without one."""

    verdict: Literal["licensed", "unlicensed"]
    dose: float | None
    """The one that was licensed, or tested; None where none was safe."""
    reasons: tuple[str, ...] = ()
    """Why it is not licensed, in printable lines; may be empty where an older wager wrote the card."""
    band: tuple[float, float] | None = None
    """Safe doses, of pushes at the reply; None where none were measured."""
    gate: str | None = None
    """The gate, as `gate_text` says it; None without one, or on older cards."""


def gate_text(gate: Probe) -> str:
    """A gate as licences name it."""
    return f"{gate.name}, block {gate.block}, threshold {gate.threshold.value:.3g}"


def vector_digest(vector: Vector) -> str:
    """SHA-256 of what a vector pushes: its block, its direction there, and the length that a dose is relative to."""
    block, _ = vector.at()
    return hashlib.sha256(f"{block}".encode() + vector.push(1.0).deltas[block].tobytes()).hexdigest()


def with_licences(vector: Vector, licences: Mapping[str, Licence]) -> Vector:
    """The vector with what its licences say on its card: each with verdict, dose, reasons and band, and as the card's own band the one that
    was measured without a gate. A trial measures no band."""
    told = {}
    for name, one in licences.items():
        band = None if "trial" in one.about else one.band
        told[name] = {
            "verdict": one.verdict,
            "dose": one.chosen.dose,
            "reasons": list(one.reasons),
            "band": None if band is None else list(band),
            "block": vector.card.block,
            "gate": one.about.get("gate") if name == "gated" else None,
        }
    plain = licences.get("ungated")
    band = None if plain is None or "trial" in plain.about else plain.band
    return Vector(vector.directions, replace(vector.card, band=band, receipts={**vector.card.receipts, KEY: told}))


def earned(card: Card) -> dict[Which, Earned]:
    """What was found of the dial at its card's block, by ``ungated`` and ``gated``; empty where no licence was run.

    Cards of older versions lack bands and reasons: their one band is that with the gate, where there was one.
    """
    told = card.receipts.get(KEY)
    if told is None:
        return {}
    names: tuple[Which, Which] = ("ungated", "gated")
    entries = {name: told[name] for name in names if name in told} if isinstance(told, Mapping) else {}
    if not entries:
        return {"ungated": Earned(verdict="unlicensed", dose=None, reasons=("what its card says of a licence is damaged",))}
    newest: Which = "gated" if "gated" in entries else "ungated"
    found: dict[Which, Earned] = {}
    for name, entry in entries.items():
        one = entry if isinstance(entry, Mapping) else {}
        if "block" in one and one["block"] != card.block:
            continue
        band = _pair(one["band"]) if "band" in one else card.band if name == newest else None
        reasons = one.get("reasons")
        found[name] = Earned(
            verdict="licensed" if one.get("verdict") == "licensed" else "unlicensed",
            dose=_number(one.get("dose")),
            reasons=tuple(_line(reason) for reason in reasons) if isinstance(reasons, list | tuple) else (),
            band=band,
            gate=_line(one["gate"]) if isinstance(one.get("gate"), str) else None,
        )
    return found


def band_of(card: Card, gate: Probe | None) -> tuple[float, float] | None:
    """The doses that are safe with this gate (None: without one): those of its own licence, else those without a gate, which pushes on more
    requests; None where they were not measured."""
    found = earned(card)
    own = found.get("gated") if gate is not None else None
    if gate is not None and own is not None and own.band is not None and own.gate in (None, gate_text(gate)):
        return own.band
    return found["ungated"].band if "ungated" in found else card.band


def check_licence(card: Card, *, gate: Probe | None, dose: float, beyond: bool = False) -> None:
    """Passes where no licence was run (the band decides then), where this one allows the dose's side, and where more is meant.

    Args:
        card: of the vector.
        gate: with which it is pushed; a licence without a gate is another one.
        dose: its sign tells the side.
        beyond: whether a dial that failed its licence is meant all the same.

    Raises:
        UsageError: a licence was run and does not allow this, with its reasons.
    """
    found = earned(card)
    if not found or beyond or dose == 0:
        return
    one = found.get("ungated" if gate is None else "gated")
    name, way = _line(card.trait), "allow what is not licensed"
    if one is None:
        raise UsageError(
            f"the licence of {name!r} was run {'with a gate alone' if gate is None else 'without a gate'}; use it so, run"
            f" wager steer licence again, or {way}"
        )
    if gate is not None and one.gate is not None and one.gate != gate_text(gate):
        raise UsageError(f"the licence of {name!r} is of the gate {one.gate!r}, this one is {gate_text(gate)!r}; use that one, or {way}")
    if one.verdict != "licensed" or not one.dose:
        better = "gated" if gate is None and "gated" in found and found["gated"].verdict == "licensed" else None
        use = f"use it with the gate it is licensed with ({found['gated'].gate})" if better else "take another dial"
        raise UsageError(f"the dial {name!r} is unlicensed{'' if gate else ' without a gate'}: {_why(one)}; {use}, or {way}")
    if dose * one.dose < 0:
        raise UsageError(f"the dial {name!r} is licensed the other way alone (dose {one.dose:+g}), got {dose:+g}; turn it so, or {way}")


def check_move(move: Move, *, gate: Probe | None = None, positions: Positions = "reply", beyond: bool = False) -> Move:
    """The move, if its dose may be given: inside the band that was measured there, and not against a licence.

    Args:
        move: a vector, a dose and perhaps a block.
        gate: with which it is pushed.
        positions: where; a band is measured at the reply.
        beyond: whether a dose that no sweep has shown to be safe, or a dial without its licence, is meant.

    Raises:
        UsageError: it may not; the message says why and what to do.
    """
    card, dose = move.vector.card, move.dose
    block, _ = move.vector.at(move.block)
    where = ""
    if card.band is not None and block != card.block:
        where = f"at block {block} (the card's band is of block {card.block})"
    elif card.band is not None and positions != "reply":
        where = f"at positions {positions!r} (the card's band is of 'reply')"
    if where and not beyond and math.isfinite(dose) and dose != 0:
        raise UsageError(
            f"no sweep has measured which doses are safe {where}, so {dose:g} is refused; stay there, or allow doses beyond the band"
        )
    measured = block == card.block and positions == "reply"
    check_dose(dose, band_of(card, gate) if measured else None, beyond=beyond)
    check_licence(card, gate=gate, dose=dose, beyond=beyond)
    return move


def _why(one: Earned) -> str:
    if one.reasons:
        more = len(one.reasons) - 1
        return f"{one.reasons[0]}{f' (and {more} more, see wager steer show)' if more else ''}"
    return "no dose was safe" if one.dose is None else "its card does not say why; run wager steer licence again in the same folder"


def _pair(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    low, high = map(_number, value)
    return None if low is None or high is None or not low <= 0 <= high else (low, high)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _line(value: Any) -> str:
    """A text out of a file as one printable line."""
    return " ".join("".join(one if one.isprintable() else " " for one in str(value)).split())[:LONGEST]
