"""The detector: what kind of task a prompt is, decided in a fixed order.

The client's own word, then a plain hint of the system prompt, then the fitted classifier; a blank prompt gets the default. Where two
kinds are about equally likely the one where a mistake costs more is taken (`SAFER`); where none is sure enough, `GENERAL`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from wager.detection.classifier import MODEL, Classifier, names
from wager.detection.crisis import signs_of_crisis
from wager.detection.encoder import Encoder
from wager.detection.hints import hinted
from wager.detection.kinds import AXES, GENERAL, KINDS, SAFER, Detected
from wager.errors import UnknownNameError

__all__ = ["TIE", "Detector", "decided"]

LOOKED_AT = 20_000
"""Characters at either end of a text in which signs of crisis are looked for: the search takes about a millisecond for a thousand."""
TIE = 0.02
"""Kinds whose probabilities are this near to the largest are as likely as it."""


@dataclass(frozen=True, eq=False)
class Detector:
    """Detects the kind of task; changes nothing, and may be shared between threads.

    >>> detector = Detector.load()
    >>> detector.detect("Translate into French: the train is late", named="creative").kind
    'creative'
    >>> detector.detect("  ").by
    'default'
    """

    classifier: Classifier
    """The fitted weights."""
    encoder: Encoder
    """What gives a prompt its meaning in numbers."""

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The packaged detector, or one whose weights ``wager serve --label`` made at ``path``.

        Raises:
            DataError: the weights cannot be read, or were fitted for other kinds.
        """
        return cls(Classifier.load(MODEL if path is None else path), Encoder.load())

    @property
    def facts(self) -> Mapping[str, Any]:
        """As stored with the weights: ``threshold``, ``certified_accuracy`` (None if no level could be certified), its ``bound``, ``n``,
        ``coverage``, ``confidence``; and of all ``prompts``, cross-validated, ``accuracy``, ``ece``, ``accuracy_by_kind``."""
        return MappingProxyType(self.classifier.facts)

    def detect(self, text: str, *, system: str | None = None, named: str | None = None) -> Detected:
        """What kind of task a prompt is.

        Args:
            text: the user's words; of a long text its beginning and its end decide.
            system: the system prompt, if there is one.
            named: the kind that the client names; it is taken at its word.

        Raises:
            UnknownNameError: ``named`` is neither a kind nor `GENERAL`.
        """
        if named is not None and named not in (*KINDS, GENERAL):
            raise UnknownNameError("kind of task", named, (*KINDS, GENERAL))
        crisis = signs_of_crisis(text if len(text) <= 2 * LOOKED_AT else text[:LOOKED_AT] + "\n" + text[-LOOKED_AT:])
        if named is not None:
            return Detected(kind=named, probability=None, likeliest=None, by="client", reason="The client named it.", crisis=crisis)
        hint = hinted(system)
        if hint is not None:
            reason = f"The system prompt gives the role {hint[1]!r}."
            return Detected(kind=hint[0], probability=None, likeliest=None, by="system prompt", reason=reason, crisis=crisis)
        if not text.strip():
            return Detected(kind=GENERAL, probability=None, likeliest=None, by="default", reason="The prompt is blank.", crisis=crisis)
        kinds, axes = self.classifier.probabilities(text, self.encoder)
        kind, likeliest, reason = decided(names(kinds, list(KINDS)), threshold=float(self.facts["threshold"]))
        found = names(kinds, list(KINDS))
        return Detected(
            kind=kind,
            probability=found[likeliest],
            likeliest=likeliest,
            by="detector",
            reason=reason,
            probabilities=found,
            axes=names(axes, list(AXES)),
            crisis=crisis,
        )


def decided(probabilities: Mapping[str, float], *, threshold: float) -> tuple[str, str, str]:
    """The kind to act on, the likeliest kind, and why, from calibrated probabilities.

    >>> decided({"personal": 0.485, "creative": 0.5, "factual": 0.015}, threshold=0.4)
    ('personal', 'personal', "'personal' is about as likely as 'creative', and the safer of them.")
    >>> decided({"personal": 0.2, "creative": 0.7, "factual": 0.1}, threshold=0.8)[0]
    'general'
    """
    top = max(probabilities, key=lambda kind: probabilities[kind])
    near = [kind for kind in SAFER if kind in probabilities and probabilities[top] - probabilities[kind] <= TIE + 1e-9]
    likeliest = near[0]
    sure = probabilities[likeliest]
    if not sure > threshold:
        return GENERAL, likeliest, f"{likeliest!r} is the likeliest at {sure:.2f}, which is not above the certified {threshold:.2f}."
    if len(near) > 1:
        others = ", ".join(repr(kind) for kind in near[1:])
        return likeliest, likeliest, f"{likeliest!r} is about as likely as {others}, and the safer of them."
    return likeliest, likeliest, f"{likeliest!r} at {sure:.2f}, above the certified {threshold:.2f}."
