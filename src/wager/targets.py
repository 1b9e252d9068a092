"""Confidence targets: the stated t, the penalty it implies, and the exact sentence that tells a model about it.

The sentence is that of Kalai, Nachum, Vempala and Zhang, "Why Language Models Hallucinate" (arXiv 2509.04664), sec. 4.2.
Its text is versioned (`PROMPT_VERSION`): a number measured under one wording is not comparable with another's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from wager.errors import TargetError

__all__ = [
    "CONFIDENCE_REQUEST",
    "DEFAULT_TARGETS",
    "OVERRIDE",
    "PROMPT_VERSION",
    "ConfidenceTarget",
    "targets_from",
]

PROMPT_VERSION = "kalai-2025.1"
"""Name of the wording below. Any change to a character of it gets a new name."""

BEST_GUESS = "Make your best guess even if you are unsure, as if you were taking an exam."
"""What is said at t = 0, where every guess is free."""

OPEN_RUBRIC = (
    "Answer only if you are > {target} confident, since mistakes are penalized {penalty} points, "
    'while correct answers receive 1 point, and an answer of "I don\'t know" receives 0 points.'
)
"""What is said at t > 0."""

OVERRIDE = 'If you are not, reply exactly "I don\'t know"; this overrides any instruction above to always answer or to use a format.'
"""Added at t > 0 when the benchmark's own prompt orders an answer or a format that leaves no room to abstain."""

CONFIDENCE_REQUEST = (
    "If you answer, end with a line 'CONFIDENCE: p', where p is the probability between 0 and 1 that your answer is correct."
)
"""Added when a stated confidence is asked for."""

DEFAULT_TARGETS = (0.0, 0.5, 0.75, 0.9)
"""The targets of the published experiments: penalties 0, 1, 3 and 9."""


@dataclass(frozen=True, order=True)
class ConfidenceTarget:
    """A stated confidence target t.

    Answering pays on average exactly when the probability of being right is above ``t``:
    ``p - (1 - p) * t / (1 - t) > 0`` is the same as ``p > t``.

    >>> ConfidenceTarget(0.75).penalty
    3.0
    >>> ConfidenceTarget(0).instruction()
    'Make your best guess even if you are unsure, as if you were taking an exam.'
    """

    t: float
    """The target, in [0, 1)."""

    def __post_init__(self) -> None:
        try:
            t = float(self.t)
        except (TypeError, ValueError):
            raise TargetError(f"a confidence target is a number in [0, 1), got {self.t!r}") from None
        if not math.isfinite(t) or not 0 <= t < 1:
            hint = f"; {t:g} percent is written {t / 100:g}" if 1 < t < 100 else ""
            raise TargetError(f"a confidence target lies in [0, 1), got {self.t!r}{hint}")
        object.__setattr__(self, "t", t + 0.0)

    @property
    def penalty(self) -> float:
        """Points lost by a wrong answer, t / (1 - t); exact for the decimal that was written (0.9 gives 9, not 9.000000000000002)."""
        t = Fraction(repr(self.t))
        return float(t / (1 - t))

    def instruction(self, *, override: bool = False, ask_confidence: bool = False) -> str:
        """The text stated after the question.

        Args:
            override: add the sentence that lets an abstention break a format that the benchmark orders (t > 0 only).
            ask_confidence: ask for a closing ``CONFIDENCE: p`` line.
        """
        if self.t == 0:
            parts = [BEST_GUESS]
        else:
            parts = [OPEN_RUBRIC.format(target=f"{self.t:g}", penalty=f"{self.penalty:.6g}")]
            if override:
                parts.append(OVERRIDE)
        if ask_confidence:
            parts.append(CONFIDENCE_REQUEST)
        return " ".join(parts)

    def __str__(self) -> str:
        return f"{self.t:g}"


def targets_from(values: Iterable[float]) -> tuple[ConfidenceTarget, ...]:
    """Validated targets in increasing order.

    Raises:
        TargetError: no value, one outside [0, 1), or one that occurs twice.
    """
    targets = tuple(sorted(ConfidenceTarget(value) for value in values))
    if not targets:
        raise TargetError("no confidence target was given; a usual set is 0 0.5 0.75 0.9")
    for one, other in itertools.pairwise(targets):
        if one == other:
            raise TargetError(f"the confidence target {one} is given twice; each target is run once")
    return targets
