"""Probes on disk: safetensors with one tensor ``direction`` and everything else as JSON in its metadata.

The tensor is float32 of shape (D,); the metadata key ``wager.probe`` holds ``{"probe": ..., "schema": 1}``. A file comes from outside: its
header's length, types, shapes and ranges are checked before a value is used, a key that is not known is refused rather than dropped, and
nothing in a file is executed. Whatever is wrong is one line.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from wager.errors import DataError, UsageError
from wager.files import replacing
from wager.metrics.results import to_json
from wager.steering.backend import Floats, ModelIdentity, Reads
from wager.steering.probe import Bound, Method, Probe, Threshold
from wager.steering.vector_card import Check, _by_text, _count, _model, _no_constant, _number, _one_of, _record, _text
from wager.steering.vector_file import HEADER, _safetensors
from wager.steering.vector_file import KEY as VECTOR_KEY

__all__ = ["SCHEMA", "read_probe", "write_probe"]

SCHEMA = 1
"""Version of the JSON; a file of another one is refused."""
KEY = "wager.probe"
"""Of the metadata that holds it."""
TENSOR = "direction"


def write_probe(path: str | os.PathLike[str], probe: Probe) -> None:
    """Writes a probe with its receipts, whole or not at all; `read_probe` gives the same back.

    Raises:
        OutputError: the file cannot be written.
        UsageError: the receipts hold something that JSON has not, or a number is not finite.
        MissingExtraError: safetensors is not installed.
    """
    numpy_files = _safetensors("writing a probe")[1]
    tensors = {TENSOR: np.ascontiguousarray(probe.direction, dtype=np.float32)}
    data = numpy_files.save(tensors, metadata={KEY: _to_text(probe)})
    with replacing(path) as part:
        part.write_bytes(data)


def read_probe(path: str | os.PathLike[str], *, model: ModelIdentity | None = None) -> Probe:
    """The probe of a file that `write_probe` wrote.

    Args:
        path: the file.
        model: the model that it is meant for, checked as `Probe.check_for` does.

    Raises:
        DataError: the file is missing, of another kind, damaged, or holds what a probe file does not.
        UsageError: the probe is of another model.
        MissingExtraError: safetensors is not installed.
    """
    path = Path(path)
    where = repr(str(path))
    safe_open, _, broken = _safetensors("reading a probe")
    _check_start(path, where)
    try:
        with safe_open(path, framework="np") as file:
            data = _described(file.metadata() or {}, where)
            if (names := sorted(file.keys())) != [TENSOR]:
                raise DataError(f"{where} has the tensors {', '.join(repr(one[:40]) for one in names[:5])}; a probe has {TENSOR!r} alone")
            data[TENSOR] = _direction(file, where, data["model"].width)
        probe = Probe(**data)
    except (broken, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{where} is damaged or no safetensors file: {' '.join(str(error).split())}") from error
    except (UsageError, OverflowError, RecursionError) as error:  # the last two: a number or a nesting that JSON can hold and Python cannot
        raise DataError(f"{where}: {' '.join(str(error).split())}") from error
    if model is not None:
        probe.check_for(model)
    return probe


def _check_start(path: Path, where: str) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise DataError(f"cannot read the probe {where}: {error.strerror or error}") from error
    if start[8:] != b"{":
        raise DataError(f"{where} is no probe file: expected safetensors of wager")
    (length,) = struct.unpack("<Q", start[:8])
    if length > HEADER:
        raise DataError(f"{where} has a header of {length} bytes; that of a probe has at most {HEADER}")


def _to_text(probe: Probe) -> str:
    fields = {field.name: getattr(probe, field.name) for field in dataclasses.fields(probe) if field.name != TENSOR}
    fields |= {"model": dataclasses.asdict(probe.model), "threshold": to_json(probe.threshold), "receipts": dict(probe.receipts)}
    try:
        text = json.dumps({"schema": SCHEMA, "probe": fields}, sort_keys=True, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the probe {probe.name!r} cannot be written: {error}; it takes plain finite values") from error
    return text


def _described(metadata: Mapping[str, str], where: str) -> dict[str, Any]:
    """All fields of the probe but its direction, checked."""
    if KEY not in metadata:
        kind = "a vector of wager, no probe" if VECTOR_KEY in metadata else f"safetensors without a probe of wager (metadata {KEY!r})"
        raise DataError(f"{where} is {kind}; write one with write_probe")
    try:
        found = json.loads(metadata[KEY], parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the probe in {where} is no JSON: {error}") from error
    whole = _record(found, where, {"schema", "probe"}, {"schema", "probe"})
    if type(whole["schema"]) is not int or whole["schema"] != SCHEMA:
        raise DataError(f"{where} has schema {whole['schema']!r:.60} of probe files; this wager reads {SCHEMA}")
    return _checked(whole["probe"], f"the probe in {where}", CHECKS)


def _checked(value: Any, what: str, checks: Mapping[str, Check]) -> dict[str, Any]:
    names = set(checks)
    data = _record(value, what, names, names)
    return {name: checks[name](part, f"{name!r} of {what}") for name, part in data.items()}


def _direction(file: Any, where: str, width: int) -> Floats:
    """The values, once their type and shape are known to be right."""
    described = file.get_slice(TENSOR)
    kind, shape = described.get_dtype(), tuple(described.get_shape())
    if kind != "F32" or shape != (width,):
        raise DataError(f"{where}: {TENSOR!r} is {kind} of shape {shape}; expected F32 of shape ({width},)")
    return np.asarray(file.get_tensor(TENSOR), dtype=np.float32)


def _rate(value: Any, what: str) -> float:
    if not 0 < (number := _number(value, what)) < 1:
        raise DataError(f"{what} lies between 0 and 1, got {number:g}")
    return number


def _share(value: Any, what: str) -> float:
    if not 0 <= (number := _number(value, what)) <= 1:
        raise DataError(f"{what} is a share from 0 to 1, got {number:g}")
    return number


def _slope(value: Any, what: str) -> float:
    if (number := _number(value, what)) < 0:
        raise DataError(f"{what} is at least 0, got {number:g}")
    return number


def _threshold(value: Any, what: str) -> Threshold:
    found = Threshold(**_checked(value, what, THRESHOLD))
    if found.fired > found.n:
        raise DataError(f"{what} fired on {found.fired} of {found.n} negatives")
    return found


def _finite(value: Any, what: str) -> Any:
    """Receipts are any plain values; ``1e999`` is no NaN to JSON, but it is none that was measured."""
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{what} holds a number that is not finite")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _finite(part, what)
    return value


THRESHOLD: Mapping[str, Check] = {
    "value": _number,
    "rate": _rate,
    "bound": _one_of(get_args(Bound)),
    "n": _count,
    "fired": _count,
    "expected": _share,
    "upper": _share,
}
CHECKS: Mapping[str, Check] = {
    "name": _text,
    "what": _text,
    "model": _model,
    "block": _count,
    "pool": _one_of(get_args(Reads)),
    "slope": _slope,
    "intercept": _number,
    "share": _rate,
    "threshold": _threshold,
    "method": _one_of(get_args(Method)),
    "receipts": _by_text(_finite),
}
"""For each field of a probe but its direction, what its value must be."""
