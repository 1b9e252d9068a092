"""The policy file: read with the line of whatever is wrong, written so that a person can read and edit it.

``read_policy(write_policy(policy, path))`` is the same policy: floats are written in full, and every character that does not print is
written as an escape, so that no text can end its string and add a key.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wager.errors import DataError
from wager.files import replacing
from wager.policy.lines import Place, key_lines, line_of, normalised
from wager.policy.policy import Policy, PolicyError

__all__ = ["parse_policy", "policy_text", "read_policy", "write_policy"]

WIDTH = 100
"""Longer lists are wrapped."""
BESIDE = 36
"""Where the comments beside short lines begin; a longer line has its comment above."""

HEAD = """\
# What to do with an answer, given how sure the model is of it: a policy of wager.
# Written by `wager calibrate`, to be read and edited by hand. A mistake is reported with its line.
"""
RULES = """\
# Rules, one for each kind of task; `default` is used for every kind without one of its own.
# A rule makes one promise: `target` (answer iff the calibrated probability is above it), or a certified
# `risk` or `joint_risk` (answer iff the raw confidence is above `threshold`).
"""
KNOBS = """\
# How the answers of one kind of task are got, where it differs from the usual: read by `wager serve`.
"""
CALIBRATIONS = """\
# Calibrations, by the names that the rules use: what turns a raw confidence into a probability. Fitted on graded
# answers of this model and this source only; not made to be edited by hand.
"""
SHADES = """\
# The words for a probability, surest first. Those marked `written` (all, if none is) are said, by their first
# phrase: the one whose value is nearest. All phrases are read in what a model says.
"""
COMMENTS = {
    "version": "of this format",
    "model": "the only model that this is for",
    "target": "answer iff the probability is above this",
    "risk": "at most this share of the answers given is wrong",
    "joint_risk": "at most this share of all questions gets a wrong answer",
    "delta": "probability that the promise does not hold",
    "threshold": "certified: answer iff the raw confidence is above this",
    "source": "the confidence that is read; never another one",
    "calibration": "its name below: makes the confidence a probability",
    "hedge_above": "above this probability, answer with words of doubt",
    "words": "true: say the confidence in words with every answer",
    "below": "otherwise: look_up, clarify or abstain",
    "unknown": "where there is no confidence: the same three",
    "next_step": 'said after "I don\'t know."',
    "promise": "what was certified",
    "n": "graded answers behind it",
    "coverage": "share of them above the threshold",
    "bound": "the certified bound there",
}
"""What stands beside each key of a policy and of a rule."""


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy in a TOML file.

    Raises:
        DataError: ``policy.toml:14: rules.default.target lies in [0, 1), got 1.0``: file, line, key, what is allowed, what was got.
    """
    name = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}:{line}: is not UTF-8 text (byte 0x{data[error.start]:02x})") from error
    return parse_policy(text, name=name)


def parse_policy(text: str, *, name: str = "policy.toml") -> Policy:
    """The policy in a TOML text; ``name`` stands before the line in an error.

    Raises:
        DataError: as `read_policy`.
    """
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise DataError(f"{name}:1: is nested too deeply") from None
    except ValueError as error:
        raise DataError(_syntax(str(error), text, name)) from error
    try:
        return Policy.from_dict(values)
    except PolicyError as error:
        lines = key_lines(text)
        raise DataError(f"{name}:{line_of(_innermost(error, lines), lines)}: {error}") from None


def _syntax(said: str, text: str, name: str) -> str:
    """The message of `tomllib`, with its line in front."""
    match = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", said)
    if match is None:
        return f"{name}:1: is not TOML: {said}"
    line = int(match[1]) if match[1] else normalised(text).rstrip("\n").count("\n") + 1
    return f"{name}:{line}: is not TOML: {said[: match.start()]}"


def _innermost(error: PolicyError, lines: Mapping[Place, int]) -> Place:
    """The first key under the error's place that its message names, else the place: calibrators and shades check themselves."""
    depth = len(error.where)
    under = {place[-1]: place for place in reversed(list(lines)) if place[:depth] == error.where and len(place) > depth}
    named = [quoted or plain for quoted, plain in re.findall(r"'([^']+)'|\b(\w+) (?:is|<=) ", error.what.split(", got ")[0])]
    return next((under[name] for name in named if name in under), error.where)


def write_policy(policy: Policy, path: str | os.PathLike[str]) -> None:
    """Writes the policy whole or not at all.

    Raises:
        OutputError: the file cannot be written.
        DataError: a text in it cannot be written as UTF-8.
    """
    text = policy_text(policy)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def policy_text(policy: Policy) -> str:
    """The policy as TOML, with a comment for each key."""
    values = policy.to_dict()
    parts = [HEAD, *_pairs({key: values[key] for key in ("version", "made", "model")}, COMMENTS)]
    parts += ["", RULES.rstrip("\n")]
    for kind, rule in values["rules"].items():
        parts += [f"[rules.{_key(kind)}]", *_pairs(rule, COMMENTS), ""]
    if values.get("knobs"):
        parts.append(KNOBS.rstrip("\n"))
    for kind, knobs in values.get("knobs", {}).items():
        parts += [f"[knobs.{_key(kind)}]", *_pairs(knobs, {}), ""]
    if values["calibrations"]:
        parts.append(CALIBRATIONS.rstrip("\n"))
    for name, calibration in values["calibrations"].items():
        parts += [*_table(f"calibrations.{_key(name)}", calibration), ""]
    parts.append(SHADES.rstrip("\n"))
    for shade in values["shades"]:
        parts += ["[[shades]]", *_pairs(shade, {}), ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A table and those in it, its own keys first: after a header of an inner one they would be the inner one's."""
    yield f"[{name}]"
    yield from _pairs({key: value for key, value in values.items() if not isinstance(value, Mapping)}, {})
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield ""
            yield from _table(f"{name}.{_key(key)}", value)


def _pairs(values: Mapping[str, Any], comments: Mapping[str, str]) -> Iterator[str]:
    for key, value in values.items():
        line = f"{_key(key)} = {_value(value)}"
        comment = comments.get(key)
        if comment and len(line) < BESIDE:
            line = f"{line:<{BESIDE}}# {comment}"
        elif comment:
            yield f"# {comment}"
        yield line


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _string(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence):
        return _list([_value(one) for one in value])
    raise DataError(f"a policy holds texts, numbers, lists and tables; got {value!r}")


def _list(values: Sequence[str]) -> str:
    line = f"[{', '.join(values)}]"
    if len(line) <= WIDTH:
        return line
    lines = [""]
    for value in values:
        if len(lines[-1]) + len(value) > WIDTH - 8:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{value},"
    return "[\n" + "".join(f"    {line}\n" for line in lines if line) + "]"


def _string(text: str) -> str:
    """A basic string: what does not print is escaped, line ends and marks that reorder text among it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(f"the text {text!r} cannot be written as UTF-8") from None
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '\\"':
        return f"\\{character}"
    if character.isprintable():
        return character
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    return short or (f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}")
