"""PyTorch ``.pt`` files of steering vectors: persona_vectors' (one row per hidden state), and those that vLLM's plug-ins load.

persona_vectors stores a tensor of shape (L + 1, D) whose row l is ``hidden_states[l]``: row 0 is the embeddings and belongs to no block,
row l is the output of block l - 1. Files are loaded with ``weights_only=True``: tensors and plain containers, never code; a file that asks
for anything else is refused. Chen et al. 2025, "Persona vectors", and the layout of its published code.
"""

from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from wager.errors import DataError, MissingExtraError, UsageError
from wager.files import replacing
from wager.steering.backend import Floats, ModelIdentity
from wager.steering.vector import Card, Vector
from wager.steering.vector_file import at_block

__all__ = ["Layout", "from_pt", "to_pt"]

Layout = Literal["hidden_states", "blocks", "direction"]
"""``hidden_states``: (L + 1, D), persona_vectors; ``blocks``: (L, D), row k is block k (hotwire); ``direction``: ``{"dir": (D,)}`` of one
block (vLLM-Hook), only written."""

MOST = 1 << 30
"""Values in the largest tensor that is read."""


DAMAGE = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, MemoryError, RecursionError)
"""What PyTorch raises for files that are cut off, altered or something else."""


def to_pt(
    path: str | os.PathLike[str],
    vector: Vector,
    *,
    layout: Layout = "hidden_states",
    dose: float | None = None,
    block: int | None = None,
) -> tuple[int, ...]:
    """Writes the directions as a float32 tensor; the blocks that are in it. A block without a direction is a row of zeros.

    With a dose, only what a push at that dose adds at one block (the card's, or ``block``), so that a scale of 1 gives the dose.

    Raises:
        UsageError: no such block, no length of activations for a dose, or ``direction`` without a block.
        OutputError: the file cannot be written.
        MissingExtraError: torch is not installed.
    """
    torch = _torch("writing a .pt vector")
    if dose is not None:
        directions = dict(vector.push(dose, block=block).deltas)
    elif block is not None or layout == "direction":
        directions = dict([vector.at(block)])
    else:
        directions = dict(vector.directions)
    model, made = vector.card.model, io.BytesIO()
    if layout == "direction":
        torch.save({"dir": torch.from_numpy(np.array(next(iter(directions.values())), dtype=np.float32))}, made)
    else:
        first = 1 if layout == "hidden_states" else 0
        rows = np.zeros((model.blocks + first, model.width), dtype=np.float32)
        for number, direction in directions.items():
            rows[number + first] = direction
        torch.save(torch.from_numpy(rows), made)
    with replacing(path) as part:
        part.write_bytes(made.getvalue())
    return tuple(sorted(directions))


def from_pt(
    path: str | os.PathLike[str],
    model: ModelIdentity | None = None,
    *,
    layout: Literal["hidden_states", "blocks"] = "hidden_states",
    trait: str | None = None,
    block: int | None = None,
) -> Vector:
    """The vector of a ``.pt`` file; rows of zeros are left out, since they are no directions.

    Without a model, one is made up of the file: as many blocks and as wide as it says, neither tokens nor weights to check.

    Raises:
        DataError: the file is missing or damaged, holds code or anything but one tensor, or its shape is not the model's.
        UsageError: it has no such block.
        MissingExtraError: torch is not installed.
    """
    path = Path(path)
    where = repr(str(path))
    rows = _rows(_loaded(path, where), where)
    first = 1 if layout == "hidden_states" else 0
    blocks = len(rows) - first
    if model is None:
        if blocks < 1:
            raise DataError(f"{where} has {len(rows)} rows: none for a block")
        model = ModelIdentity(
            name=f"the model of {path.name}",
            architecture="unknown",
            blocks=blocks,
            width=rows.shape[1],
            vocabulary=0,
            tokens="",
            weights="",
        )
    elif rows.shape != (model.blocks + first, model.width):
        needed = f"({model.blocks + first}, {model.width})"
        near = "; with one row less it would be layout='blocks'" if rows.shape == (model.blocks, model.width) else ""
        raise DataError(f"{where} holds a tensor of shape {rows.shape}; layout {layout!r} of {model.name} has {needed}{near}")
    directions = {number: rows[number + first] for number in range(blocks) if rows[number + first].any()}
    try:
        vector = Vector(directions, Card(trait=trait or path.stem, model=model, method="imported", elicitation="imported"))
    except UsageError as error:
        raise DataError(f"{where}: {error}") from error
    return vector if block is None else at_block(vector, block)


def _loaded(path: Path, where: str) -> Any:  # Any: whatever the file holds
    torch = _torch("reading a .pt vector")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                claimed = sum(entry.file_size for entry in archive.infolist())
            if claimed > path.stat().st_size:  # torch stores, it does not compress
                raise DataError(f"{where} is compressed, which PyTorch's files are not; it is refused")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unusual pickle, which is then refused or read
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(f"{where} holds more than tensors: loading it could run code, so it is refused (or it is damaged)") from error
    except OSError as error:
        raise DataError(f"cannot read the vector {where}: {error.strerror or error}") from error
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(f"{where} is a damaged or no PyTorch file: {' '.join(str(error).split())[:120]}") from error


def _rows(found: Any, where: str) -> Floats:
    """The tensor as float32, shape (rows, D)."""
    torch = _torch("reading a .pt vector")
    if not isinstance(found, torch.Tensor):
        raise DataError(f"{where} holds a {type(found).__name__}; expected one tensor of shape (blocks + 1, width)")
    if found.layout != torch.strided or found.is_quantized or not found.dtype.is_floating_point:
        raise DataError(f"{where} holds a tensor of {str(found.dtype).removeprefix('torch.')} ({found.layout}); expected dense floats")
    if found.dim() != 2 or not 0 < found.numel() <= MOST:
        raise DataError(f"{where} holds a tensor of shape {tuple(found.shape)}; expected (blocks + 1, width)")
    return np.asarray(found.detach().to(torch.float32).numpy(), dtype=np.float32)


def _torch(purpose: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "steer", purpose) from error
    return torch
