"""Entries of what was written to JSON or TOML, each checked as it is read: an error names the key."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from wager.errors import DataError

__all__ = ["increasing", "known_keys", "number", "numbers", "text", "texts", "whole"]


def known_keys(values: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    """Refuses what is no mapping, and keys that nothing reads, such as a misspelt one.

    Raises:
        DataError: here and below; the message starts with ``where``.
    """
    if not isinstance(values, Mapping):
        raise DataError(f"{where}: got {values!r}, want a table of keys and values")
    names = list(allowed)
    for key in values:
        if key not in names:
            raise DataError(f"{where}: the key {key!r} is not known; it has {', '.join(names)}")


def _present(values: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in values:
        raise DataError(f"{where}: the key {key!r} is missing")
    return values[key]


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and low <= value <= high


def number(values: Mapping[str, Any], key: str, where: str, *, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number in [low, high]."""
    value = _present(values, key, where)
    if not _is_number(value, low, high):
        raise DataError(f"{where}: {key!r} is {value!r}, want a number from {low:g} to {high:g}")
    return float(value)


def whole(values: Mapping[str, Any], key: str, where: str, *, low: int = 0) -> int:
    """A whole number of at least ``low``."""
    value = _present(values, key, where)
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise DataError(f"{where}: {key!r} is {value!r}, want a whole number of at least {low}")
    return value


def numbers(
    values: Mapping[str, Any], key: str, where: str, *, length: int | None = None, low: float = -math.inf, high: float = math.inf
) -> tuple[float, ...]:
    """A list of finite numbers in [low, high], of a certain length."""
    found = _present(values, key, where)
    if not isinstance(found, list | tuple) or not all(_is_number(one, low, high) for one in found):
        raise DataError(f"{where}: {key!r} is {found!r}, want a list of numbers from {low:g} to {high:g}")
    if length is not None and len(found) != length:
        raise DataError(f"{where}: {key!r} has {len(found)} numbers, want {length}")
    return tuple(float(one) for one in found)


def increasing(found: tuple[float, ...], key: str, where: str, *, strictly: bool = False) -> tuple[float, ...]:
    """The same numbers, refused if one is below the one before it (or equal to it, if ``strictly``)."""
    if any(b < a or (strictly and a == b) for a, b in pairwise(found)):
        raise DataError(f"{where}: {key!r} must increase, got {list(found)!r}")
    return found


def text(values: Mapping[str, Any], key: str, where: str) -> str:
    """A text that is not empty."""
    value = _present(values, key, where)
    if not isinstance(value, str) or not value:
        raise DataError(f"{where}: {key!r} is {value!r}, want a text")
    return str(value)


def texts(values: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """A list of texts, none empty."""
    found = _present(values, key, where)
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) and one for one in found):
        raise DataError(f"{where}: {key!r} is {found!r}, want a list of texts")
    return tuple(str(one) for one in found)
