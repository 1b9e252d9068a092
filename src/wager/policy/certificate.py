"""A threshold and what it promises, in numbers and in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from wager.errors import DataError
from wager.metrics.results import Estimate

__all__ = ["Certificate", "Promise"]

Promise = Literal["selective_risk", "expected_score", "joint_risk"]
ESTIMATES = ("coverage", "observed")
LIKE_THESE = "if new questions are exchangeable with the graded ones (drawn alike, answered by the same model in the same way)"


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A threshold and what it promises, or why there is none."""

    promise: Promise
    """Which quantity."""
    level: float
    """The risk alpha in (0, 1), or the target t in [0, 1)."""
    delta: float | None
    """Probability, over the graded answers, that the promise does not hold; None for a joint risk, which is promised on average."""
    threshold: float | None
    """Answer iff the raw confidence is above; None if nothing could be certified."""
    coverage: Estimate
    """Share of the graded answers above it."""
    observed: Estimate
    """The risk, or the score, of the graded answers there; without a threshold that of the best one."""
    bound: float | None
    """What is certified: an upper bound of the risk, or a lower bound of the score, at the same delta."""
    n: int
    """Graded answers."""
    always: float | None = None
    """Score of always answering, for an expected score."""
    needed: int | None = None
    """Graded answers in all that would probably certify something, were the risks those seen here; None where it would take none, no number
    helps, or there are too few answers to say."""
    hopeless: bool = False
    """Whether no number of answers like these would do."""

    @property
    def sentence(self) -> str:
        """The promise in plain words, or why there is none."""
        return _refusal(self) if self.threshold is None else _promise(self)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; what is unknown is null."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ESTIMATES:
            one: Estimate = values[name]
            values[name] = {"value": one.value, "low": one.low, "high": one.high, "n": one.n, "reason": one.reason}
        return values | {"sentence": self.sentence}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Certificate:
        """What `to_dict` wrote.

        Raises:
            DataError: a key is missing, or is none of a certificate.
        """
        known = set(cls.__dataclass_fields__)
        wrong = (set(values) ^ known) - {"sentence"}
        if wrong:
            raise DataError(f"a certificate has the keys {', '.join(sorted(known))}; {sorted(wrong)[0]!r} is missing or is none of them")
        given = {name: values[name] for name in known}
        return cls(**given | {name: Estimate(**values[name]) for name in ESTIMATES})


def _promise(made: Certificate) -> str:
    lead, covered = f"Answer where the confidence is above {made.threshold:.4g}:", _percent(made.coverage.value)
    if made.promise == "selective_risk":
        sure = f"with probability {_percent(1 - (made.delta or 0))} at most {_percent(made.level)} of the answers given are wrong"
        seen = f"{_percent(made.observed.value)} of the {made.observed.n:,} graded answers above it"
        return f"{lead} {sure}, {LIKE_THESE}. It answers {covered} of the questions; {seen} were wrong."
    if made.promise == "expected_score":
        least = f"it scores at least {made.bound:+.3f} a question" if made.bound else "it scores more than never answering, which scores 0,"
        sure = f"with probability {_percent(1 - (made.delta or 0))} {least} at t={made.level:g}"
        rest = "" if made.always is None else f", where always answering scored {made.always:+.3f} and never answering scores 0"
        seen = f"It answers {covered} of the questions and scored {made.observed.value:+.3f} here"
        return f"{lead} {sure}, {LIKE_THESE}. {seen}{rest}."
    sure = f"on average at most {_percent(made.level)} of all questions get a wrong answer"
    warn = "This says nothing of how many of the given answers are wrong"
    return f"{lead} {sure}, {LIKE_THESE}. It answers {covered} of the questions. {warn}."


def _refusal(made: Certificate) -> str:
    what = {
        "selective_risk": f"that at most {_percent(made.level)} of the answers given are wrong",
        "expected_score": f"a score above 0 at t={made.level:g}",
        "joint_risk": f"that at most {_percent(made.level)} of all questions get a wrong answer",
    }[made.promise]
    head = f"Nothing can be promised: {made.n:,} graded answers do not show {what} above any threshold."
    if made.needed is not None:
        more = f"{made.needed - made.n:,} more"
        return f"{head} About {made.needed:,} graded answers would probably do, if the risks are those seen here: {more}."
    if made.hopeless:
        return f"{head} No number of answers like these would: the confidence does not set enough right answers apart."
    return f"{head} They are too few to say how many would."


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3g} %"
