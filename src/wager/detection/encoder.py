"""A small multilingual sentence encoder in numpy: which meaning a prompt has, in fixed numbers, in about two milliseconds.

It is the public multilingual Universal Sentence Encoder, version 3 (Yang et al. 2020, arXiv 1907.04307; Apache-2.0), made small by
`wager.detection.pruning`: the commonest lower-case pieces of its vocabulary, word vectors in 2 bits a number, all large matrices in 4.
Convolutions over 2, 3 and 5 pieces, averaged, then four dense layers. Nothing in it was trained on prompts.

Its languages: Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean, Polish, Portuguese, Russian, Spanish, Thai,
Turkish. Others (Hindi among them) are left to the words, the cues and the shape.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError

__all__ = ["PACKAGED", "WIDTH", "Encoder"]

PACKAGED: Final = Path(__file__).parent / "encoder.npz"
"""The weights that are shipped."""
HEAD, TAIL = 28, 14
"""Pieces of the beginning and of the end that are encoded."""
HEAD_LETTERS, TAIL_LETTERS = 200, 110
"""Characters at the two ends in which these pieces are looked for."""
ORDERS: Final = ((2, 0), (3, 1), (5, 2))
"""Pieces under each convolution, and how many of them stand to the left."""
CHANNELS = 256
"""Of each convolution."""
WIDTH = 2304
"""Numbers that come out: 512 of the sentence, 512 of the average, 1280 of the largest value of each channel."""
REMEMBERED = 20_000
"""Words whose pieces are remembered."""

Floats = NDArray[np.float32]


def unpacked(packed: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Several numbers of ``bits`` bits from each byte, shape (N, B) to (N, B * 8 / bits)."""
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    return (packed[:, :, None] >> shifts & np.uint8(2**bits - 1)).reshape(len(packed), packed.shape[1] * len(shifts))


@dataclass(frozen=True, eq=False)
class Encoder:
    """The weights, ready to use; see `Encoder.load`."""

    pieces: dict[str, int]
    """By piece, its row; a piece that opens a word begins with ``▁``."""
    scores: list[float]
    """Log-probability of each piece."""
    table: NDArray[np.uint8]
    """Word vectors, shape (V, 128): four numbers of 2 bits in each byte."""
    weights: dict[str, Floats]
    """All others, by name."""
    longest: int
    """Of the pieces, in characters."""
    remembered: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The pieces of words that were met; at most `REMEMBERED`."""

    @classmethod
    def load(cls, path: Path = PACKAGED) -> Self:
        """Read the weights; about a tenth of a second.

        Raises:
            DataError: there are none, or they are damaged.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                names = bytes(data["pieces"]).decode("utf-8").split("\n")
                weights = {name: data[name] for name in data.files if name not in {"pieces", "scores", "table"}}
                scores, table = data["scores"].tolist(), data["table"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"cannot read the encoder's weights at {str(path)!r}: {error}; reinstall the package") from error
        full = {name: _dequantised(weights, name) for name in weights if not name.endswith(".scale")}
        return cls({name: row for row, name in enumerate(names)}, scores, table, full, max(map(len, names)))

    def rows(self, folded: str) -> list[int]:
        """The pieces of a folded text: all, or those of its two ends."""
        if len(folded) <= HEAD_LETTERS + TAIL_LETTERS:
            found = self._rows(folded)
            return found if len(found) <= HEAD + TAIL else found[:HEAD] + found[-TAIL:]
        return self._rows(folded[:HEAD_LETTERS])[:HEAD] + self._rows(folded[-TAIL_LETTERS:])[-TAIL:]

    def _rows(self, text: str) -> list[int]:
        return [row for word in text.split() for row in self._word(word)]

    def _word(self, word: str) -> tuple[int, ...]:
        known = self.remembered.get(word)
        if known is None:
            known = self._likeliest("▁" + word)
            if len(self.remembered) < REMEMBERED and len(word) <= 24:
                self.remembered[word] = known
        return known

    def _likeliest(self, word: str) -> tuple[int, ...]:
        """The likeliest way to put a word together from pieces (Viterbi); what no piece covers is left out."""
        pieces, scores = self.pieces, self.scores
        best: list[tuple[float, int, int]] = [(0.0, 0, -1)] + [(-1e30, 0, -1)] * len(word)
        for start in range(len(word)):
            base = best[start][0]
            if base - 30 > best[start + 1][0]:
                best[start + 1] = (base - 30, start, -1)
            for end in range(start + 1, min(start + self.longest, len(word)) + 1):
                row = pieces.get(word[start:end])
                if row is not None and base + scores[row] > best[end][0]:
                    best[end] = (base + scores[row], start, row)
        found, end = [], len(word)
        while end > 0:
            _, end, row = best[end]
            if row >= 0:
                found.append(row)
        return tuple(reversed(found))

    def encode(self, folded: str) -> Floats:
        """A folded text (see `wager.detection.features.folded`) in `WIDTH` numbers; the three parts have length 1 each."""
        w = self.weights
        rows = self.rows(folded)
        inner = (unpacked(self.table[np.array(rows, dtype=np.intp)], 2) - np.float32(1.5)) * w["step"] + w["centre"]
        embedded = np.vstack([w["first"], inner, w["last"]])
        x = _normalised(embedded @ w["proj"] + w["proj_b"], w["ln_all_g"], w["ln_all_b"])
        parts = [embedded]
        for number, (width, left) in enumerate(ORDERS):
            x_one = x[:, number * CHANNELS : (number + 1) * CHANNELS]
            inside = np.maximum(_windows(x_one, width, left) @ w[f"w1_{width}"] + w[f"b1_{width}"], 0) + x_one
            parts.append(np.maximum(_windows(inside, width, left) @ w[f"w2_{width}"] + w[f"b2_{width}"], 0) + inside)
        channels = _normalised(np.hstack(parts), w["ln_g"], w["ln_b"])
        count = len(channels)
        average = (channels.sum(axis=0) @ w["cnn"] + count * w["cnn_b"]) / np.sqrt(np.float32(count))
        first = np.maximum(average @ w["p1"] + np.maximum(average @ w["d0"], 0) @ w["d1"], 0)
        sentence = np.tanh(first @ w["p3"] + np.maximum(first @ w["d2"], 0) @ w["d3"])
        return np.concatenate([_unit(sentence), _unit(average), _unit(channels.max(axis=0))])


def _dequantised(weights: dict[str, NDArray[np.uint8]], name: str) -> Floats:
    if name + ".scale" not in weights:
        return weights[name].astype(np.float32)
    return (unpacked(weights[name], 4) - np.float32(7.5)) * weights[name + ".scale"].astype(np.float32)


def _windows(values: Floats, width: int, left: int) -> Floats:
    """Each row with its neighbours side by side, zeros beyond the ends: shape (T, C) to (T, width * C)."""
    padded = np.zeros((len(values) + width - 1, values.shape[1]), dtype=np.float32)
    padded[left : left + len(values)] = values
    return np.hstack([padded[at : at + len(values)] for at in range(width)])


def _normalised(values: Floats, gain: Floats, shift: Floats) -> Floats:
    centred = values - values.mean(axis=1, keepdims=True)
    variance = (centred * centred).mean(axis=1, keepdims=True)
    scaled: Floats = centred / np.sqrt(variance + np.float32(1e-6)) * gain + shift
    return scaled


def _unit(values: Floats) -> Floats:
    unit: Floats = values / np.float32(max(float(np.sqrt(np.dot(values, values))), 1e-6))
    return unit
