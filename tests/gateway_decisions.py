"""Decisions for the tests of the gateway's journal, metrics and traces."""

import itertools
from typing import Any

from wager.gateway.decision import Citation, Decided, LookedUp, Spent

COUNT = itertools.count(1)

SECRET = "canary-7f3a"
"""Stands in every text of a decision; must not stand where no text is kept."""


def decided(**changes: Any) -> Decided:
    """A factual answer at calibrated confidence 0.8, raw 0.7; each has its own id."""
    values: dict[str, Any] = {
        "id": f"wd_{next(COUNT):032x}",
        "made": "2026-11-21T12:00:00+00:00",
        "model": "embedded/smollm2-135m-instruct",
        "kind": "factual",
        "kind_probability": 0.91,
        "by": "detector",
        "act": "answer",
        "reason": "its probability, 0.80, is above the target, 0.5",
        "confidence": 0.8,
        "raw": 0.7,
        "source": "logprob",
        "calibration_id": "logprob@abcd",
        "target": 0.5,
        "threshold": 0.5,
        "policy": "embedded#default",
        "cost": Spent(calls=2, tokens_in=30, tokens_out=12, overhead_ms=2.5, seconds=1.25),
        "axes": {"verifiable": 0.9},
        "probabilities": {"factual": 0.91, "smalltalk": 0.09},
    }
    return Decided(**{**values, **changes})


def talkative(**changes: Any) -> Decided:
    """A decision whose every text holds `SECRET`."""
    return decided(
        citations=(Citation(label="[1]", uri="file://a.txt#L1", quote=f"q {SECRET}", title=f"t {SECRET}"),),
        branches=(f"b {SECRET}", f"c {SECRET}"),
        lookups=(LookedUp(lookup="docs", passages=3, used=1, seconds=0.5),),
        question=f"what is {SECRET}?",
        answer=f"{SECRET} it is",
        text=f"I'm fairly sure: {SECRET}",
        **changes,
    )
