"""A vector's card as one JSON text, and back: what travels inside vector files.

A card comes from outside, so each field is checked by type and range; a key that is not known is refused rather than dropped, and a field
that an older file lacks takes its default. Nothing in a card is executed, and none of its texts is a path.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, get_args

from wager.errors import DataError, UsageError
from wager.steering.backend import ModelIdentity, Pool
from wager.steering.vector import Card, Elicitation, Method

__all__ = ["SCHEMA", "card_from_text", "card_to_text"]

SCHEMA = 1
"""Version of the text; a file of another one is refused."""

Check = Callable[[Any, str], Any]


def card_to_text(card: Card) -> str:
    """The card as JSON, keys sorted: ``{"card": ..., "schema": 1}``.

    Raises:
        UsageError: it holds something that JSON has not: a NaN, an array, an object.
    """
    try:
        return json.dumps({"schema": SCHEMA, "card": dataclasses.asdict(card)}, sort_keys=True, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the card of {card.trait!r} cannot be written: {error}; it takes plain finite values") from error


def card_from_text(text: str, where: str) -> Card:
    """The card that `card_to_text` wrote; ``where`` names the file in errors.

    Raises:
        DataError: no JSON, another schema, a key that is not known, or a value of another type or range.
    """
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the card in {where} is no JSON: {error}") from error
    whole = _record(found, where, {"schema", "card"}, {"schema", "card"})
    if type(whole["schema"]) is not int or whole["schema"] != SCHEMA:
        raise DataError(
            f"{where} has schema {whole['schema']!r} of vector files; this wager reads {SCHEMA}; update wager, or extract it again"
        )
    fields = {field.name for field in dataclasses.fields(Card)}
    data = _record(whole["card"], f"the card in {where}", fields, {"trait", "model"})
    card = Card(**{name: CHECKS[name](value, f"{name!r} in the card in {where}") for name, value in data.items()})
    for name, block in [("block", card.block), *(("norms", key) for key in card.norms), *(("stability", key) for key in card.stability)]:
        if block is not None and block >= card.model.blocks:
            raise DataError(f"{name!r} in the card in {where} names block {block}, and its model has 0 to {card.model.blocks - 1}")
    return card


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _record(value: Any, what: str, known: set[str], needed: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{what} is no JSON object with the keys {', '.join(sorted(known))}")
    for problem, keys in (("has unknown keys", set(value) - known), ("lacks", needed - set(value))):
        if keys:
            some = ", ".join(repr(key[:40]) for key in sorted(keys)[:5])
            raise DataError(f"{what} {problem}: {some}; it takes {', '.join(sorted(known))}")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{what} is a text, got {value!r:.60}")
    return value


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{what} is a finite number, got {value!r:.60}")
    return float(value)


def _length(value: Any, what: str) -> float:
    if (number := _number(value, what)) <= 0:
        raise DataError(f"{what} is a length above 0, got {number:g}")
    return number


def _cosine(value: Any, what: str) -> float:
    if not -1.001 <= (number := _number(value, what)) <= 1.001:
        raise DataError(f"{what} is a cosine, got {number:g}")
    return number


def _count(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise DataError(f"{what} is a whole number from 0, got {value!r:.60}")
    return value


def _block(value: Any, what: str) -> int | None:
    return None if value is None else _count(value, what)


def _band(value: Any, what: str) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise DataError(f"{what} is a pair of doses or null, got {value!r:.60}")
    low, high = (_number(part, what) for part in value)
    if low > high:
        raise DataError(f"{what} is a lowest and a highest dose, got {low:g} above {high:g}")
    return low, high


def _one_of(allowed: tuple[str, ...]) -> Check:
    def check(value: Any, what: str) -> str:
        if value not in allowed:
            raise DataError(f"{what} is one of {', '.join(allowed)}, got {value!r:.60}")
        return str(value)

    return check


def _by_text(check: Check) -> Check:
    def checked(value: Any, what: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise DataError(f"{what} is a JSON object, got {value!r:.60}")
        return {key: check(part, what) for key, part in value.items()}

    return checked


def _by_block(check: Check) -> Check:
    def checked(value: Any, what: str) -> Mapping[int, Any]:
        made = {}
        for key, part in _by_text(check)(value, what).items():
            if not (key.isascii() and key.isdigit() and len(key) < 8) or str(int(key)) != key:
                raise DataError(f"{what} is by block, got the key {key[:40]!r}")
            made[int(key)] = part
        return made

    return checked


def _model(value: Any, what: str) -> ModelIdentity:
    names = {field.name for field in dataclasses.fields(ModelIdentity)}
    data = _record(value, what, names, names)
    made: dict[str, Any] = {}
    for name in names:
        check: Check = _count if name in ("blocks", "width", "vocabulary") else _text
        made[name] = check(data[name], f"{name!r} of {what}")
    if not (made["blocks"] and made["width"]):
        raise DataError(f"{what} has at least one block and a width, got {made['blocks']} and {made['width']}")
    return ModelIdentity(**made)


CHECKS: Mapping[str, Check] = {
    "trait": _text,
    "model": _model,
    "method": _one_of(get_args(Method)),
    "elicitation": _one_of(get_args(Elicitation)),
    "pool": _one_of(get_args(Pool)),
    "block": _block,
    "norms": _by_block(_length),
    "counts": _by_text(_count),
    "stability": _by_block(_cosine),
    "hashes": _by_text(_text),
    "band": _band,
    "receipts": _by_text(lambda value, what: value),
    "made": _by_text(_text),
}
"""For each field of a card, what its value must be; receipts are any plain values."""
