"""What a scorer's value is worth, as the benchmark itself counts it: no three-way verdict, an unclear value is no number."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from inspect_ai.scorer import Score, value_to_float

from wager.evals.verdict import CREDIT_KEYS, UNGRADED_REASONS

__all__ = ["counted_key", "raw_credit"]

KEYS = (*CREDIT_KEYS, "prompt_level_strict")
"""Where dict-valued scorers keep what counts, in order of preference."""

GRADES = {"c", "i", "p", "n", "yes", "no", "true", "false"}


def counted_key(score: Score | None, key: str | None = None) -> str | None:
    """Which entry of a score with several values counts; None if it has one value, or none that is known."""
    if score is None or not isinstance(score.value, Mapping):
        return None
    return next((name for name in ((key,) if key else KEYS) if name in score.value), None)


def raw_credit(score: Score | None, key: str | None = None) -> tuple[float | None, str]:
    """The credit of a score, or None and why there is none.

    Args:
        score: what the scorer gave.
        key: which entry of a dict value counts; by default the first of `KEYS` that it has.

    >>> raw_credit(Score(value="C")), raw_credit(Score(value="N")), raw_credit(Score(value={"score": 0.5, "confidence": 100}))
    ((1.0, ''), (0.0, ''), (0.5, ''))
    >>> raw_credit(Score(value={"precision": 0.5}), "recall")
    (None, "the scorer gives 'precision', none of which is 'recall'; choose with --key")
    """
    if score is None:
        return None, "the scorer returned nothing"
    value = score.value
    if isinstance(value, Mapping):
        found = counted_key(score, key)
        if found is None:
            names = ", ".join(map(repr, value))
            wanted = repr(key) if key else f"{', '.join(KEYS[:-1])} or {KEYS[-1]}"
            return None, f"the scorer gives {names}, none of which is {wanted}; choose with --key"
        entry = value[found]
        value = math.nan if entry is None else entry
    if isinstance(value, list | tuple):
        return None, f"the scorer gives a list of {len(value)} values"
    if isinstance(value, str) and value.strip().lower() not in GRADES and not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", value.strip()):
        return None, f"the scorer gives {value!r}, which is no grade"
    credit = float(value_to_float()(value))
    if math.isnan(credit):
        failed = score.reason in UNGRADED_REASONS
        return None, " ".join((score.explanation or ("the grader failed" if failed else "the scorer gives NaN")).split())[:200]
    return credit, ""
