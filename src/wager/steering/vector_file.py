"""Vectors on disk: safetensors with one tensor ``block.K`` per block and the card in its metadata; other tools' files are read too.

A `.safetensors` file of ours holds float32 tensors of shape (D,) and, under the metadata key ``wager``, the card as JSON
(`wager.steering.vector_card`). Every file is from outside: shapes, types and sizes are checked before values are read, and nothing in a
file is executed. `read_vector` tells the formats apart by their first bytes, not by their names.
"""

from __future__ import annotations

import dataclasses
import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from wager.errors import DataError, MissingExtraError, UsageError
from wager.files import replacing
from wager.steering.backend import Floats, ModelIdentity
from wager.steering.vector import Vector
from wager.steering.vector_card import card_from_text, card_to_text

__all__ = ["read_vector", "write_vector"]

KEY = "wager"
"""Of the metadata that holds the card."""

HEADER = 1 << 24
"""Bytes of the longest header that is read: a card with its receipts takes some thousand."""

NAME = re.compile(r"block\.(0|[1-9][0-9]{0,5})")


def write_vector(path: str | os.PathLike[str], vector: Vector) -> None:
    """Writes a vector with its card, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
        UsageError: the card holds something that JSON has not.
        MissingExtraError: safetensors is not installed.
    """
    numpy_files = _safetensors("writing a vector")[1]
    tensors = {f"block.{block}": np.ascontiguousarray(vector.directions[block], dtype=np.float32) for block in sorted(vector.directions)}
    data = numpy_files.save(tensors, metadata={KEY: card_to_text(vector.card)})
    with replacing(path) as part:
        part.write_bytes(data)


def read_vector(
    path: str | os.PathLike[str], *, block: int | None = None, model: ModelIdentity | None = None, trait: str | None = None
) -> Vector:
    """The vector of a file: ours, a GGUF control vector, or persona_vectors' ``.pt``.

    Args:
        path: the file.
        block: the block that the vector is to be applied at, in place of the card's.
        model: the model it is meant for: checked against ours, and what other tools' files are taken to be of.
        trait: what another tool's file is a direction of; the file's name where it is not said.

    Raises:
        DataError: the file is missing, of another kind, damaged, or holds what a vector file does not.
        UsageError: the vector does not fit the model or has no such block.
        MissingExtraError: the package that the format needs is not installed.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise DataError(f"cannot read the vector {str(path)!r}: {error.strerror or error}; wager steer extract writes one") from error
    if start[:4] == b"GGUF":
        from wager.steering.vector_gguf import from_gguf

        return from_gguf(path, model, trait=trait, block=block)
    ours = start[8:9] == b"{"  # after the header's length, whose first byte can look like a pickle's
    if not ours and (start[:4] == b"PK\x03\x04" or start[:1] == b"\x80" or path.suffix in (".pt", ".pth")):
        from wager.steering.vector_pt import from_pt

        return from_pt(path, model, trait=trait, block=block)
    if not ours:
        raise DataError(f"{str(path)!r} is no vector file: expected safetensors of wager, a GGUF control vector or a PyTorch .pt")
    vector = _ours(path)
    if model is not None:
        vector.check_for(model)
    return vector if block is None else at_block(vector, block)


def at_block(vector: Vector, block: int) -> Vector:
    """The same vector with a card that names this block; a safe band stays at the block where it was measured.

    Raises:
        UsageError: it has no direction there.
    """
    vector.at(block)
    return dataclasses.replace(
        vector, card=dataclasses.replace(vector.card, block=block, band=vector.card.band if block == vector.card.block else None)
    )


def _ours(path: Path) -> Vector:
    safe_open, _, broken = _safetensors("reading a vector")
    where = repr(str(path))
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
    if length > HEADER:
        raise DataError(f"{where} has a header of {length} bytes; that of a vector has at most {HEADER}")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise DataError(f"{where} is safetensors without a card of wager (metadata {KEY!r}): weights of another kind?")
            card = card_from_text(metadata[KEY], where)
            directions = {}
            for name in file.keys():  # noqa: SIM118 - no mapping, only this method
                directions[_block(name, where, card.model.blocks)] = _tensor(file, name, where, card.model.width)
        return Vector(dict(sorted(directions.items())), card)
    except (broken, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{where} is damaged or no safetensors file: {' '.join(str(error).split())}") from error
    except UsageError as error:
        raise DataError(f"{where}: {error}") from error


def _block(name: str, where: str, blocks: int) -> int:
    found = NAME.fullmatch(name)
    if found is None:
        raise DataError(f"{where} has a tensor {name[:60]!r}; a vector has 'block.0' to 'block.{blocks - 1}'")
    if int(found[1]) >= blocks:
        raise DataError(f"{where} has a tensor {name!r}, and the model on its card has blocks 0 to {blocks - 1}")
    return int(found[1])


def _tensor(file: Any, name: str, where: str, width: int) -> Floats:
    """The values, once their type and shape are known to be right."""
    described = file.get_slice(name)
    kind, shape = described.get_dtype(), tuple(described.get_shape())
    if kind != "F32" or shape != (width,):
        raise DataError(f"{where}: {name!r} is {kind} of shape {shape}; expected F32 of shape ({width},)")
    return np.asarray(file.get_tensor(name), dtype=np.float32)


def _safetensors(purpose: str) -> tuple[Any, Any, type[Exception]]:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise MissingExtraError("safetensors", "steer", purpose) from error
    return safetensors.safe_open, safetensors.numpy, safetensors.SafetensorError
