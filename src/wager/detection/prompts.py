"""Files of labelled prompts, one JSON object a line: those shipped in ``prompts/``, and a user's own.

A user's own file needs ``kind`` and ``text`` only: ``{"kind": "debugging", "text": "why did stage 4 fail"}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wager.detection.kinds import AXES, KINDS
from wager.errors import DataError

__all__ = ["FOLDER", "HELD_OUT", "Prompt", "read_prompts", "shipped", "training_files"]

FOLDER = Path(__file__).parent / "prompts"
"""Where the shipped prompts lie."""
HELD_OUT = FOLDER / "held_out.jsonl"
"""The prompts that nothing is ever fitted, chosen or tuned on."""
KEYS = ("axes", "id", "kind", "language", "mix", "text")
"""All that a line may hold."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One labelled prompt."""

    text: str
    """As a user wrote it; never blank."""
    kind: str
    """One of `KINDS`."""
    axes: tuple[str, ...] = ()
    """Those of `AXES` that hold, sorted."""
    axes_known: bool = True
    """Whether the axes were labelled at all; without, nothing is learnt about them from this prompt."""
    id: str = ""
    """Its name; empty if it has none."""
    language: str = ""
    """ISO 639-1; empty if not told."""
    mix: bool = False
    """Whether its surface belongs to another kind than its intent."""


def read_prompts(path: Path) -> list[Prompt]:
    """All prompts of a file, in its order; blank lines are skipped.

    Raises:
        DataError: the file cannot be read, or a line is not a labelled prompt; the message tells file and line.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"cannot read the labelled prompts at {str(path)!r}: {error.strerror or error}") from error
    found = [_prompt(line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]
    names = [prompt.id for prompt in found if prompt.id]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{path}: ids must differ, and {', '.join(map(repr, twice[:3]))} stand there more than once")
    return found


def training_files() -> list[Path]:
    """The shipped files that are fitted on: all but the held-out one, by name."""
    return sorted(path for path in FOLDER.glob("*.jsonl") if path != HELD_OUT)


def shipped(files: Sequence[Path] | None = None) -> list[Prompt]:
    """The shipped training prompts, or those of other ``files``, in the files' order."""
    return [prompt for path in (training_files() if files is None else files) for prompt in read_prompts(path)]


def _prompt(line: bytes, where: str) -> Prompt:
    try:
        values = json.loads(line.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"{where}: not a line of JSON in UTF-8 ({error})") from error
    if not isinstance(values, dict):
        raise DataError(f'{where}: a line must be an object such as {{"kind": "factual", "text": "..."}}, not {type(values).__name__}')
    return checked(values, where)


def checked(values: Mapping[str, Any], where: str) -> Prompt:
    """A prompt from JSON values.

    Raises:
        DataError: a key is unknown, missing or of the wrong type, or a kind or an axis is unknown.
    """
    unknown = sorted(set(values) - set(KEYS))
    if unknown:
        raise DataError(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(KEYS)}")
    for key in ("kind", "text"):
        if not isinstance(values.get(key), str) or not values[key].strip():
            raise DataError(f"{where}: {key!r} must be a text that is not blank, not {values.get(key)!r}")
    for key in ("id", "language"):
        if not isinstance(values.get(key, ""), str):
            raise DataError(f"{where}: {key!r} must be a text, not {values[key]!r}")
    if not isinstance(values.get("mix", False), bool):
        raise DataError(f"{where}: 'mix' must be true or false, not {values['mix']!r}")
    if values["kind"] not in KINDS:
        raise DataError(f"{where}: no kind named {values['kind']!r}; known: {', '.join(KINDS)}")
    axes = values.get("axes")
    if axes is not None and not (isinstance(axes, list) and all(isinstance(axis, str) for axis in axes)):
        raise DataError(f"{where}: 'axes' must be a list of names, not {axes!r}")
    strange = sorted(set(axes or ()) - set(AXES))
    if strange:
        raise DataError(f"{where}: no axis named {strange[0]!r}; known: {', '.join(AXES)}")
    try:
        values["text"].encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: the text holds half a surrogate pair, which is no character ({error.reason})") from error
    return Prompt(
        text=values["text"],
        kind=values["kind"],
        axes=tuple(sorted(set(axes or ()))),
        axes_known=axes is not None,
        id=values.get("id", ""),
        language=values.get("language", ""),
        mix=values.get("mix", False),
    )
