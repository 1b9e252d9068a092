"""The state of a training run on disk, so that it can go on where it stopped: one npz file, replaced whole, never a pickle."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from wager.errors import DataError, OutputError, UsageError
from wager.files import replacing
from wager.theory.results import Checkpoint
from wager.training.transformer import Trainer

__all__ = ["FILE", "keep", "take_up"]

FILE = "training.npz"
"""Its name in the folder."""
_VERSION = 1


def keep(folder: Path, trainer: Trainer, measured: Sequence[Checkpoint], settings: dict[str, object]) -> None:
    """Writes the training as it is now, with what was measured so far; OutputError if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {str(folder)!r}: {error.strerror or error}") from error
    about = json.dumps({"version": _VERSION, "settings": settings, "measured": [asdict(one) for one in measured]})
    with replacing(folder / FILE) as path, path.open("wb") as file:
        np.savez(file, about=np.array(about), **trainer.state())  # type: ignore[arg-type]


def take_up(folder: Path, trainer: Trainer, settings: dict[str, object]) -> tuple[Checkpoint, ...]:
    """Restores the trainer from the folder, if it holds a training, and returns what was measured so far.

    Raises UsageError for a training with other settings, DataError for a file that is no training.
    """
    path = folder / FILE
    if not path.exists():
        return ()
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            about = json.loads(str(kept["about"]))
            _same(path, about["settings"], settings)
            measured = tuple(Checkpoint(**one) for one in about["measured"])
            trainer.restore({name: kept[name] for name in kept.files if name != "about"})
    except (OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile, json.JSONDecodeError) as error:
        raise DataError(f"{str(path)!r} is not a kept training ({type(error).__name__}); remove it to start again") from error
    except ValueError as error:
        if isinstance(error, (UsageError, DataError)):
            raise
        raise DataError(f"{str(path)!r} is not a kept training ({error}); remove it to start again") from error
    return measured


def _same(path: Path, kept: dict[str, object], asked: dict[str, object]) -> None:
    other = [f"{name} {kept.get(name)!r}, now {asked.get(name)!r}" for name in sorted({*kept, *asked}) if kept.get(name) != asked.get(name)]
    if other:
        raise UsageError(f"{str(path)!r} was begun with other settings: {'; '.join(other)}; use the same, or another folder")
