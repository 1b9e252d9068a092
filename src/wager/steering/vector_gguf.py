"""Control vectors of llama.cpp and repeng: GGUF files of the architecture ``controlvector`` with tensors ``direction.N``.

``direction.N`` acts on the **output** of the 0-based block N, so block k is ``direction.k``; llama.cpp holds none for block 0 and refuses a
file that has one. Some tools are off by one: llama.cpp's own generator and brainpatch write the direction of block k as
``direction.{k + 1}``; read those with ``shift=-1``. The small part of the format that is needed is read and written here, with every
length checked against the file: the ``gguf`` package counts through an array of 2**60 entries that a file of 60 bytes claims to have.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3, little-endian).
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wager.errors import DataError, UsageError
from wager.files import replacing
from wager.steering.backend import Floats, ModelIdentity
from wager.steering.vector import Card, Vector
from wager.steering.vector_card import card_from_text, card_to_text
from wager.steering.vector_file import at_block

__all__ = ["ARCHITECTURE", "from_gguf", "to_gguf"]

ARCHITECTURE = "controlvector"
CARD = "wager.card"
"""Key of the card in files with raw directions; llama.cpp and repeng skip it."""

NAME = re.compile(r"direction\.(0|[1-9][0-9]{0,5})")
ALIGNMENT = 32
UINT32, STRING, ARRAY = 4, 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by GGUF's number of its type."""
MOST = 1 << 20
"""Keys or tensors that a file may claim to have."""


def to_gguf(path: str | os.PathLike[str], vector: Vector, *, dose: float | None = None, block: int | None = None) -> tuple[int, ...]:
    """Writes a control vector for llama.cpp and repeng; the blocks that are in it.

    Without a dose: the raw directions of all blocks (or of one), with the card. With a dose: what a push at that dose adds at one block
    (the card's, or ``block``), so that ``--control-vector FILE`` at scale 1 gives the dose; llama.cpp adds it to every token, prompt and
    reply. Block 0 cannot be held by llama.cpp: it is left out of all blocks, and refused where it is the one.

    Raises:
        UsageError: block 0 only, no such block, or no length of activations for a dose.
        OutputError: the file cannot be written.
    """
    if block is not None:
        vector = at_block(vector, block)
    if dose is not None:
        directions: Mapping[int, Floats] = vector.push(dose).deltas
    else:
        directions = vector.directions if block is None else dict([vector.at(block)])
    kept = {number: directions[number] for number in sorted(directions) if number > 0}
    if not kept:
        raise UsageError(f"llama.cpp's control vectors start at block 1, and the vector of {vector.card.trait!r} is for block 0 only")
    texts = {
        "general.architecture": ARCHITECTURE,
        f"{ARCHITECTURE}.model_hint": vector.card.model.architecture,
        "wager.trait": vector.card.trait,
    }
    texts |= {CARD: card_to_text(vector.card)} if dose is None else {"wager.dose": repr(float(dose))}
    data = _file(texts, {f"{ARCHITECTURE}.layer_count": len(kept)}, {f"direction.{number}": kept[number] for number in kept})
    with replacing(path) as part:
        part.write_bytes(data)
    return tuple(kept)


def from_gguf(
    path: str | os.PathLike[str], model: ModelIdentity | None = None, *, shift: int = 0, trait: str | None = None, block: int | None = None
) -> Vector:
    """The vector of a control-vector file.

    Args:
        path: the file.
        model: the model it is for. Without it, one is made up of what the file says: its hint as architecture, blocks up to the last
            direction, and neither tokens nor weights, so that nothing but width and blocks can be checked.
        shift: added to N of ``direction.N``; -1 for files of llama.cpp's generator and of brainpatch.
        trait: what it is a direction of; the file's name where it is not said.
        block: the block that it is to be applied at.

    Raises:
        DataError: no GGUF file, not of a control vector, truncated, or with a tensor that is not a float32 direction.
        UsageError: it does not fit the model, or has no such block.
    """
    path = Path(path)
    where = repr(str(path))
    texts, tensors = _read(path, where)
    if (card_text := texts.get(CARD)) is not None and shift:
        raise UsageError(f"{where} was written by wager, whose directions need no shift; got {shift}")
    directions = {}
    for name, values in tensors.items():
        number = NAME.fullmatch(name)
        if number is None:
            raise DataError(f"{where} has a tensor {name[:60]!r}; a control vector has 'direction.N'")
        directions[int(number[1]) + shift] = values
    if not directions:
        raise DataError(f"{where} holds no direction")
    if min(directions) < 0:
        raise DataError(f"{where} has 'direction.{min(directions) - shift}', which a shift of {shift} puts before the first block")
    if card_text is not None:
        card = card_from_text(card_text, where)
    else:
        made = model or _identity(path, texts.get(f"{ARCHITECTURE}.model_hint", "unknown"), directions)
        card = Card(trait=trait or path.stem, model=made, method="imported", elicitation="imported")
    try:
        vector = Vector(dict(sorted(directions.items())), card)
    except UsageError as error:
        raise DataError(f"{where}: {error}") from error
    if model is not None:
        vector.check_for(model)
    return vector if block is None else at_block(vector, block)


def _identity(path: Path, hint: str, directions: Mapping[int, Floats]) -> ModelIdentity:
    width = len(next(iter(directions.values())))
    return ModelIdentity(
        name=f"the model of {path.name}", architecture=hint, blocks=max(directions) + 1, width=width, vocabulary=0, tokens="", weights=""
    )


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "replace")
    return struct.pack("<Q", len(data)) + data


def _file(texts: Mapping[str, str], numbers: Mapping[str, int], tensors: Mapping[str, Floats]) -> bytes:
    """A whole GGUF file, version 3."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(texts) + len(numbers))
    head += b"".join(_text(key) + struct.pack("<I", STRING) + _text(value) for key, value in texts.items())
    head += b"".join(_text(key) + struct.pack("<II", UINT32, value) for key, value in numbers.items())
    body = b""
    for name, values in tensors.items():
        head += _text(name) + struct.pack("<IQIQ", 1, len(values), 0, len(body))
        body += _padded(np.asarray(values, dtype="<f4").tobytes())
    return _padded(head) + body


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


class _Cursor:
    """Reads a file from front to back, and never past its end."""

    def __init__(self, data: mmap.mmap, where: str) -> None:
        self.data, self.where, self.place = data, where, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.place:
            raise DataError(f"{self.where} is a damaged GGUF file: it ends within its header, at byte {len(self.data)}")
        self.place += count
        return self.data[self.place - count : self.place]

    def number(self, kind: str) -> int:
        return int(struct.unpack("<" + kind, self.take(struct.calcsize(kind)))[0])

    def counted(self) -> int:
        if (count := self.number("Q")) > MOST:
            raise DataError(f"{self.where} is a damaged GGUF file: it claims {count} entries")
        return count

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")

    def value(self, kind: int) -> str | int | None:
        """A text or a 32-bit number; None for what is passed over."""
        if kind == STRING:
            return self.text()
        if kind == UINT32:
            return self.number("I")
        if kind == ARRAY:
            inner, count = self.number("I"), self.number("Q")
            if inner in SIZES:
                self.take(SIZES[inner] * count)
            elif inner == STRING:
                for _ in range(count):  # each takes 8 bytes or ends in an error
                    self.take(self.number("Q"))
            else:
                raise DataError(f"{self.where} is a damaged GGUF file: an array of type {inner}")
        elif kind in SIZES:
            self.take(SIZES[kind])
        else:
            raise DataError(f"{self.where} is a damaged GGUF file: a value of type {kind}")
        return None


def _read(path: Path, where: str) -> tuple[dict[str, str], dict[str, Floats]]:
    """The texts among the keys, and the tensors."""
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise DataError(f"{where} is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parsed(_Cursor(data, where))
    except OSError as error:
        raise DataError(f"cannot read the control vector {where}: {error.strerror or error}") from error


def _parsed(cursor: _Cursor) -> tuple[dict[str, str], dict[str, Floats]]:
    where = cursor.where
    if cursor.take(4) != b"GGUF":
        raise DataError(f"{where} is no GGUF file")
    if (version := cursor.number("I")) not in (2, 3):
        raise DataError(f"{where} is GGUF of version {version}; versions 2 and 3, little-endian, are read")
    count, keys = cursor.counted(), cursor.counted()
    found: dict[str, str | int] = {}
    for _ in range(keys):
        key, kind = cursor.text(), cursor.number("I")
        if (value := cursor.value(kind)) is not None:
            found[key] = value
        if key == "general.architecture" and value != ARCHITECTURE:
            raise DataError(f"{where} is a GGUF file of {str(value)[:40]!r}, not a control vector ({ARCHITECTURE!r})")
    if "general.architecture" not in found:
        raise DataError(f"{where} does not say that it is a control vector (general.architecture is missing)")
    described = [_described(cursor) for _ in range(count)]
    alignment = found.get("general.alignment", ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 16 or alignment & (alignment - 1):
        raise DataError(f"{where} is a damaged GGUF file: an alignment of {alignment!r:.20}")
    start = cursor.place + -cursor.place % alignment
    tensors = {}
    for name, width, offset in described:
        if start + offset + 4 * width > len(cursor.data):
            raise DataError(f"{where} is a damaged GGUF file: it ends before the values of {name[:60]!r}")
        if name in tensors:
            raise DataError(f"{where} is a damaged GGUF file: two tensors {name[:60]!r}")
        raw = cursor.data[start + offset : start + offset + 4 * width]
        tensors[name] = np.frombuffer(raw, dtype="<f4").astype(np.float32)
    return {key: value for key, value in found.items() if isinstance(value, str)}, tensors


def _described(cursor: _Cursor) -> tuple[str, int, int]:
    """Name, width and place of a tensor."""
    name, dimensions = cursor.text(), cursor.number("I")
    if dimensions != 1:
        raise DataError(f"{cursor.where}: {name[:60]!r} has {dimensions} dimensions; a direction has 1")
    width, kind, offset = cursor.number("Q"), cursor.number("I"), cursor.number("Q")
    if kind != 0:
        raise DataError(f"{cursor.where}: {name[:60]!r} is of GGML type {kind}; a direction is float32 (0)")
    if not width:
        raise DataError(f"{cursor.where}: {name[:60]!r} is empty")
    return name, width, offset
