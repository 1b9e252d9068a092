"""Options that several verbs take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wager.errors import UsageError

__all__ = ["named_columns", "named_values"]


def named_values(option: str, given: list[str], *, paths: bool = False) -> dict[str, Any]:
    """``name=value`` options; a value that is JSON is read as JSON, else it is text. A file that exists gets its absolute path."""
    values: dict[str, Any] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} takes name=value, got {pair!r}")
        try:
            values[name.strip()] = json.loads(text)
        except json.JSONDecodeError:
            values[name.strip()] = str(Path(text).resolve()) if paths and Path(text).is_file() else text
    return values


def named_columns(option: str, given: list[str]) -> dict[str, str]:
    """``ours=theirs`` pairs, several separated by commas; a name is given once."""
    pairs = [pair for text in given for pair in text.split(",") if pair.strip()]
    made: dict[str, str] = {}
    for pair in pairs:
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not (ours and equals and theirs):
            raise UsageError(f"{option} takes ours=theirs, separated by commas, got {pair!r}")
        if ours in made:
            raise UsageError(f"{option} names {ours!r} twice: {made[ours]!r} and {theirs!r}")
        made[ours] = theirs
    return made
