"""Features to calibrated probabilities: one multinomial logistic regression for the kinds, one logistic regression for each axis.

The fitted weights are an ``npz`` file without pickled objects. Only numpy is needed here; `wager.detection.fit` makes the file.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from wager.detection.encoder import Encoder
from wager.detection.features import BLOCKS, BUCKETS, Features, features
from wager.detection.kinds import AXES, KINDS
from wager.errors import DataError
from wager.files import replacing

__all__ = ["MODEL", "SCALES", "Classifier", "dense_of"]

MODEL: Final = Path(__file__).parent / "model.npz"
"""The fitted weights that are shipped."""
VERSION = 1
"""Of the file."""
SCALES: Final = {"hashed": 2.0, "cues": 1.0, "shape": 1.0, "meaning": 3.0}
"""How much of the squared length of a typical prompt each group of features has; chosen by cross-validation on the training prompts."""
FAR = 6.0
"""Standard deviations beyond which a number counts as so far only: no text can push the result without end."""

Floats = NDArray[np.float32]


def dense_of(found: Features, encoder: Encoder) -> Floats:
    """All numbers of a prompt that are not hashed, shape (D,): cues, shape, meaning."""
    return np.concatenate([found.cues, found.shape, encoder.encode(found.plain)])


@dataclass(frozen=True, eq=False)
class Classifier:
    """Fitted weights, ready to use."""

    buckets: tuple[NDArray[np.int32], ...]
    """For each of `BLOCKS` the buckets that mean something, ascending."""
    rarity: tuple[Floats, ...]
    """Their inverse document frequencies."""
    hashed: tuple[NDArray[np.int8], ...]
    """Their weights, shape (columns, K + A), in steps of ``step``."""
    step: Floats
    """Shape (K + A,)."""
    centre: Floats
    """Mean of the dense features, shape (D,)."""
    spread: Floats
    """Their standard deviation, shape (D,)."""
    dense: Floats
    """Their weights, shape (D, K + A)."""
    intercept: Floats
    """Shape (K + A,)."""
    temperature: float
    """Divides the logits of the kinds."""
    slopes: Floats
    """For each axis: multiplies its logit, shape (A,)."""
    shifts: Floats
    """For each axis: is added, shape (A,)."""
    facts: dict[str, Any]
    """What is known of it: threshold, how it was certified, and cross-validated figures."""
    rows: tuple[NDArray[np.int32], ...] = ()
    """For each block: by bucket, its column, or -1."""

    def __post_init__(self) -> None:
        rows = []
        for buckets in self.buckets:
            row = np.full(BUCKETS, -1, dtype=np.int32)
            row[buckets] = np.arange(len(buckets))
            rows.append(row)
        object.__setattr__(self, "rows", tuple(rows))

    def logits(self, text: str, encoder: Encoder) -> Floats:
        """Of the kinds and then of the axes, shape (K + A,), before calibration."""
        found = features(text)
        dense = np.clip((dense_of(found, encoder) - self.centre) / self.spread, -FAR, FAR)
        total: Floats = dense @ self.dense + self.intercept
        for block in range(len(BLOCKS)):
            columns, values = weighted(found.hashed[block], self.rows[block], self.rarity[block])
            total = total + values @ self.hashed[block][columns].astype(np.float32) * self.step
        return total

    def probabilities(self, text: str, encoder: Encoder) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Calibrated: of the kinds, shape (K,), adding up to 1; of the axes, shape (A,), each for itself."""
        logits = self.logits(text, encoder).astype(np.float64)
        kinds = np.exp((logits[: len(KINDS)] - logits[: len(KINDS)].max()) / self.temperature)
        axes = 1 / (1 + np.exp(-np.clip(logits[len(KINDS) :] * self.slopes + self.shifts, -30, 30)))
        return kinds / kinds.sum(), axes

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        arrays: dict[str, Any] = {
            "step": self.step,
            "centre": self.centre,
            "spread": self.spread,
            "dense": self.dense.astype(np.float16),
            "intercept": self.intercept,
            "calibration": np.concatenate([[self.temperature], self.slopes, self.shifts]),
            "facts": np.frombuffer(
                json.dumps({"version": VERSION, "kinds": list(KINDS), "axes": list(AXES), **self.facts}).encode(), dtype=np.uint8
            ),
        }
        for number, name in enumerate(BLOCKS):
            arrays |= {
                f"{name}.buckets": self.buckets[number],
                f"{name}.rarity": self.rarity[number].astype(np.float16),
                f"{name}.weights": self.hashed[number],
            }
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path = MODEL) -> Self:
        """Read the file.

        Raises:
            DataError: there is none, it is damaged, or it was fitted on other kinds or axes.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                arrays = {name: data[name] for name in data.files}
            facts = json.loads(arrays["facts"].tobytes())
            if facts.pop("version") != VERSION or facts.pop("kinds") != list(KINDS) or facts.pop("axes") != list(AXES):
                raise DataError(f"{path}: fitted for another version, other kinds or other axes; fit it again with  wager serve --label")
            return cls._of(arrays, facts)
        except DataError:
            raise
        except (OSError, ValueError, KeyError, AttributeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            what = str(error) or type(error).__name__
            raise DataError(f"cannot read the detector's weights at {str(path)!r}: {what}; fit it again or reinstall") from error

    @classmethod
    def _of(cls, arrays: dict[str, NDArray[Any]], facts: dict[str, Any]) -> Self:
        calibration = arrays["calibration"]
        count = len(AXES)
        return cls(
            tuple(arrays[f"{name}.buckets"] for name in BLOCKS),
            tuple(arrays[f"{name}.rarity"].astype(np.float32) for name in BLOCKS),
            tuple(arrays[f"{name}.weights"] for name in BLOCKS),
            arrays["step"],
            arrays["centre"],
            arrays["spread"],
            arrays["dense"].astype(np.float32),
            arrays["intercept"],
            float(calibration[0]),
            calibration[1 : 1 + count],
            calibration[1 + count :],
            facts,
        )


def weighted(met: NDArray[np.int64], rows: NDArray[np.int32], rarity: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The known columns of a block and their weights ``(1 + ln count) * rarity``, scaled to length 1 (all empty where none is known)."""
    columns = rows[met]
    columns, counts = np.unique(columns[columns >= 0], return_counts=True)
    values = ((1 + np.log(counts)) * rarity[columns]).astype(np.float32)
    return columns.astype(np.intp), values / np.float32(max(float(np.sqrt(np.dot(values, values))), 1e-9))


def names(values: Sequence[float] | NDArray[np.float64], of: Sequence[str]) -> dict[str, float]:
    """Numbers by name."""
    return {name: float(value) for name, value in zip(of, values, strict=True)}
