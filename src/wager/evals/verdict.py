"""What a benchmark's own score says, as an outcome and a credit. The benchmark decides; nothing unclear becomes a 0."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from inspect_ai.scorer import NOANSWER, Score, value_to_float

from wager.answers import Outcome

__all__ = ["Verdict", "verdict_of"]

UNPARSED_REASONS = {"no_response", "invalid_response_format"}
"""Inspect's machine-readable reasons for a reply in which no answer was found."""

UNGRADED_REASONS = {"grader_failed", "scoring_failed"}
"""Inspect's reasons for a scorer that could not decide."""

CREDIT_KEYS = ("correct", "score", "accuracy", "acc", "is_correct")
"""Where dict-valued scorers keep the verdict, in order of preference."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of one reply, and its credit if it is an answer."""

    outcome: Outcome
    """What became of it."""
    credit: float | None = None
    """In [0, 1]; present exactly when answered."""
    reason: str | None = None
    """Why there is no plain right or wrong."""


def verdict_of(score: Score | None) -> Verdict:
    """The verdict that a scorer's value means.

    Strings, numbers and booleans are read as Inspect does (``C`` 1, ``P`` one half, ``I`` 0); dict values by `CREDIT_KEYS`;
    ``N`` and a true ``not_attempted`` are the grader's word for an abstention. A value that is missing, NaN, outside
    [0, 1] or of an unknown shape is `Outcome.UNGRADED` with the reason.
    """
    if score is None:
        return Verdict(Outcome.UNGRADED, reason="the scorer returned nothing")
    if score.reason in UNGRADED_REASONS:
        return Verdict(Outcome.UNGRADED, reason=score.explanation or score.reason)
    if score.reason in UNPARSED_REASONS:
        return Verdict(Outcome.UNPARSED, reason=score.reason)
    value = score.value
    if isinstance(value, Mapping):
        if _true(value.get("not_attempted")):
            return _not_attempted(score)
        found = [value[key] for key in CREDIT_KEYS if key in value]
        if not found:
            return Verdict(Outcome.UNGRADED, reason=f"the scorer gives {sorted(value)}, none of which is {' or '.join(CREDIT_KEYS)}")
        value = found[0] if found[0] is not None else math.nan
    if isinstance(value, list | tuple):
        return Verdict(Outcome.UNGRADED, reason=f"the scorer gives a list of {len(value)} values")
    if value == NOANSWER:
        return Verdict(Outcome.ABSTAINED, reason="the benchmark's own scorer says: not attempted")
    if isinstance(value, str) and not _is_grade(value):
        return Verdict(Outcome.UNGRADED, reason=f"the scorer gives {value!r}, which is no grade")
    credit = value_to_float()(value.strip().upper() if isinstance(value, str) and len(value.strip()) == 1 else value)
    if math.isnan(credit):
        return Verdict(Outcome.UNGRADED, reason=score.explanation or "the scorer gives NaN")
    if not 0 <= credit <= 1:
        return Verdict(Outcome.UNGRADED, reason=f"the scorer gives {credit:g}, outside [0, 1]")
    return Verdict(Outcome.CORRECT if credit >= 0.5 else Outcome.INCORRECT, credit=credit)


def _is_grade(value: str) -> bool:
    text = value.strip().lower()
    return text in {"c", "i", "p", "yes", "no", "true", "false"} or re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", text) is not None


def _true(value: object) -> bool:
    return isinstance(value, bool | int | float) and not math.isnan(value) and value >= 1


def _not_attempted(score: Score) -> Verdict:
    """A grader that counts what it cannot read as "not attempted" (as SimpleQA's does) must have said so itself."""
    raw = (score.metadata or {}).get("grader_response")
    if isinstance(raw, str) and not re.search(r"\bC\b|NOT_ATTEMPTED", raw):
        return Verdict(Outcome.UNGRADED, reason=f"the grader's reply has no grade: {raw[:80]!r}")
    return Verdict(Outcome.ABSTAINED, reason="the benchmark's own grader says: not attempted")
