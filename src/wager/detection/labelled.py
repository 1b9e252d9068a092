"""A user's own labelled prompts: appended to a file, and fitted together with the shipped ones. Behind ``wager serve --label``."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wager.detection.classifier import MODEL, Classifier
from wager.detection.encoder import Encoder
from wager.detection.fit import fit
from wager.detection.kinds import KINDS
from wager.detection.prompts import Prompt, checked, read_prompts, shipped
from wager.errors import DataError, OutputError, UsageError

__all__ = ["OWN_WEIGHT", "WORSE", "Refit", "add_label", "refit"]

OWN_WEIGHT = 3.0
"""How many shipped prompts one of the user's own counts for."""
WORSE = 0.02
"""Accuracy on the shipped prompts that own examples may cost before the new weights are refused."""


@dataclass(frozen=True, kw_only=True)
class Refit:
    """What came of fitting with the user's own prompts."""

    own: int
    """The user's prompts that were fitted on; of several with the same text the last counts."""
    shipped: int
    """Shipped prompts that were fitted on."""
    accuracy: float
    """Cross-validated, on the shipped prompts."""
    packaged: float
    """The same of the packaged weights."""
    own_accuracy: float | None
    """Cross-validated, on the user's own; None without any."""
    installed: bool
    """Whether the weights were written."""
    reason: str
    """Why, in one plain sentence."""


def add_label(path: Path, text: str, kind: str, *, axes: Sequence[str] | None = None) -> Prompt:
    """Append one example to a user's file, which is made if need be; several processes may do so at once.

    Args:
        path: JSON lines, as `wager.detection.prompts` reads them.
        text: the prompt.
        kind: one of `KINDS`.
        axes: those that hold; None where nobody looked.

    Raises:
        DataError: the text is blank, or the kind or an axis is unknown.
        OutputError: the file cannot be written.
    """
    values: dict[str, object] = {"kind": kind, "text": text}
    if axes is not None:
        values["axes"] = list(axes)
    prompt = checked(values, "the new example")
    line = (json.dumps(values, ensure_ascii=False) + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file, _locked(file.fileno()):
            # a line that another program left unfinished must not swallow this one
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"cannot add an example to {str(path)!r}: {error.strerror or error}") from error
    return prompt


@contextlib.contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    """Other writers wait meanwhile, where the system can lock files."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def refit(examples: Path, output: Path, *, force: bool = False, base: Sequence[Prompt] | None = None) -> Refit:
    """Fit with the shipped prompts and the user's own, and write the weights unless they are worse.

    Args:
        examples: the user's file.
        output: where the weights go; `wager.detection.detector.Detector.load` reads them there.
        force: write them even where accuracy on the shipped prompts falls by more than `WORSE`.
        base: fit with these instead of the shipped prompts; they are then compared with a fit on them alone.

    Raises:
        DataError: the file has no examples, or a line is not one.
        UsageError: ``output`` is the examples' own file.
        OutputError: the weights cannot be written.
    """
    if output.resolve() == examples.resolve():
        raise UsageError(f"the weights cannot be written over the examples at {str(examples)!r}; give another path for them")
    own = list({prompt.text: replace(prompt, id="") for prompt in read_prompts(examples)}.values())
    if not own:
        raise DataError(f"{examples}: no examples yet; add one with  wager serve --label")
    encoder = Encoder.load()
    if base is None:
        others, packaged = shipped(), float(Classifier.load(MODEL).facts["accuracy"])
    else:
        others, packaged = list(base), float(fit(base, encoder=encoder).classifier.facts["accuracy"])
    texts = {prompt.text for prompt in own}
    others = [prompt for prompt in others if prompt.text not in texts]
    everything = [*others, *own]
    weights = np.array([1.0] * len(others) + [OWN_WEIGHT] * len(own))
    found = fit(everything, weights=weights, encoder=encoder)
    right = found.kinds.argmax(axis=1) == [list(KINDS).index(prompt.kind) for prompt in everything]
    accuracy = float(right[: len(others)].mean())
    worse = packaged - accuracy > WORSE
    if worse and not force:
        shares = f"right for {accuracy:.1%} of the shipped prompts, the packaged detector for {packaged:.1%}"
        reason = f"Not written: {shares}; look at the examples, or force it."
    else:
        found.classifier.save(output)
        reason = (
            "Written although it is worse on the shipped prompts, as asked."
            if worse
            else "Written: it is not worse on the shipped prompts."
        )
    return Refit(
        own=len(own),
        shipped=len(others),
        accuracy=accuracy,
        packaged=packaged,
        own_accuracy=float(right[len(others) :].mean()),
        installed=not worse or force,
        reason=reason,
    )
