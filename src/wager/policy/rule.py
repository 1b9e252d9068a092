"""One rule of a policy: a promise, and what to do where it allows no answer."""

from __future__ import annotations

import dataclasses
import difflib
import numbers
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from wager.answers import ConfidenceSource
from wager.errors import DataError

__all__ = ["CHECKS", "SHADE_CHECKS", "Act", "Fallback", "PolicyError", "Rule", "Where", "checked", "nearest", "shown"]

Act = Literal["answer", "hedge", "look_up", "clarify", "abstain"]
"""What a response does."""
Fallback = Literal["look_up", "clarify", "abstain"]
"""What it does instead of answering."""
PROMISES = ("target", "risk", "joint_risk")
"""The keys of which a rule has exactly one."""

Where = tuple[str | int, ...]
"""A key from the root of the policy; a number is a 0-based place in a list."""


class PolicyError(DataError):
    """A policy that does not hold together: which key, and why."""

    def __init__(self, where: Where, what: str) -> None:
        self.where = where
        """The key from the root of the policy; a number is a 0-based place in a list."""
        self.what = what
        """What is wrong, as a sentence without its subject."""
        super().__init__(f"{spelled(where)} {what}".strip())

    def under(self, *above: str | int) -> PolicyError:
        """The same error seen from further up."""
        return PolicyError((*above, *self.where), self.what)


def spelled(where: Where) -> str:
    """A key as one writes it in TOML, a place in a list as its 1-based number.

    >>> spelled(("rules", "two words", "target"))
    'rules."two words".target'
    """
    text = ""
    for part in where:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else '"' + repr(part)[1:-1].replace('"', '\\"') + '"'
            text += f".{name}" if text else name
    return text


def shown(value: object) -> str:
    """A value as it stands in a message: one line, and not a long one."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known ones, else all."""
    names = sorted(map(str, known))
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    return f"known: {', '.join(map(repr, names[:20])) or 'none'}{', ...' if len(names) > 20 else ''}"


def _number(value: Any, within: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ValueError(f"is a number in {within}, got {shown(value)}")
    got = float(value) + 0.0
    inside = 0 < got < 1 or (got == 0 and within[0] == "[") or (got == 1 and within[-1] == "]")
    if not inside:
        hint = f"; {got:g} percent is written {got / 100:g}" if 2 <= got < 100 else ""
        raise ValueError(f"lies in {within}, got {shown(value)}{hint}")
    return got


def _count(value: Any, within: str) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise ValueError(f"is a count of {within}, got {shown(value)}")
    return int(value)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is {what}, got {shown(value)}")
    return str(value)


def _flag(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"is {what}, got {shown(value)}")
    return value


def _act(value: Any, what: str) -> Any:
    if value not in get_args(Fallback):
        raise ValueError(f"is {what}, got {shown(value)}")
    return value


def _source(value: Any, what: str) -> ConfidenceSource:
    if not isinstance(value, str):
        raise ValueError(f"is {what}, got {shown(value)}")
    if value not in list(ConfidenceSource):
        raise ValueError(f"is {what}, got {shown(value)}; {nearest(value, ConfidenceSource)}")
    return ConfidenceSource(value)


INSTEAD = "one of 'look_up', 'clarify' and 'abstain'"
CHECKS: dict[str, tuple[Callable[[Any, str], Any], str]] = {
    "target": (_number, "[0, 1)"),
    "risk": (_number, "(0, 1)"),
    "joint_risk": (_number, "(0, 1)"),
    "delta": (_number, "(0, 1)"),
    "threshold": (_number, "[0, 1]"),
    "source": (_source, "the name of a confidence source"),
    "calibration": (_text, "the name of one of the calibrations"),
    "hedge_above": (_number, "[0, 1)"),
    "words": (_flag, "true or false"),
    "below": (_act, INSTEAD),
    "unknown": (_act, INSTEAD),
    "next_step": (_text, "a text"),
    "promise": (_text, "a text"),
    "n": (_count, "graded answers"),
    "coverage": (_number, "[0, 1]"),
    "bound": (_number, "[0, 1]"),
}
"""For each key of a rule what its value must be."""
SHADE_CHECKS: dict[str, tuple[Callable[[Any, str], Any], str]] = {
    "name": (_text, "a text"),
    "n": (_count, "graded answers"),
    "written": (_flag, "true or false"),
}
"""For the keys of a shade that it does not check itself."""


def checked(where: Where, value: Any, check: Callable[[Any, str], Any], what: str) -> Any:
    """The value as it is kept.

    Raises:
        PolicyError: it is not what it must be.
    """
    try:
        return check(value, what)
    except ValueError as error:
        raise PolicyError(where, str(error)) from None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What to do with the answers of one kind of task.

    Raises:
        PolicyError: a value of another type or out of its range, no promise or two, or a key that another one needs.

    >>> Rule(target=0.75, source="logprob", calibration="logprob").below
    'abstain'
    """

    target: float | None = None
    """Promise: answer iff the calibrated probability is above this t in [0, 1)."""
    risk: float | None = None
    """Promise: of the answers given at most this share is wrong, with probability 1 - ``delta``; needs ``threshold``."""
    joint_risk: float | None = None
    """Promise: at most this share of the questions gets a wrong answer; needs ``threshold``."""
    delta: float | None = None
    """Probability, over the graded answers, that a certified promise does not hold."""
    threshold: float | None = None
    """Certified threshold on the raw confidence: answer iff it is above. With ``target``, it decides instead of the probability."""
    source: str
    """The confidence that is read, a `wager.answers.ConfidenceSource`; no other one is ever read in its place."""
    calibration: str | None = None
    """Which calibration turns the raw confidence into a probability; without one there is no probability."""
    hedge_above: float | None = None
    """Calibrated probability above which an answer that may not be given plainly is given with words of doubt."""
    words: bool = False
    """Whether the answers above the threshold, too, are said in words that show the confidence."""
    below: Fallback = "abstain"
    """What is done with every other answer."""
    unknown: Fallback = "abstain"
    """What is done where the confidence is not available; never treated as a confidence of 0."""
    next_step: str = ""
    """Said after "I don't know.": what the user can do."""
    promise: str = ""
    """What was certified, in a sentence for the reader."""
    n: int | None = None
    """Graded answers behind the certificate."""
    coverage: float | None = None
    """Share of them that was above the threshold."""
    bound: float | None = None
    """The certified bound on the risk there."""

    def __post_init__(self) -> None:
        for name, (check, what) in CHECKS.items():
            value = getattr(self, name)
            if value is not None or name in REQUIRED_KEYS:
                object.__setattr__(self, name, checked((name,), value, check, what))
        self._one_promise()
        self._complete()

    def _one_promise(self) -> None:
        made = [name for name in PROMISES if getattr(self, name) is not None]
        if not made:
            raise PolicyError((), "makes no promise; give one of target, risk and joint_risk")
        if len(made) > 1:
            raise PolicyError((made[1],), f"stands beside {made[0]}; a rule makes one promise")
        if made != ["target"] and self.threshold is None:
            raise PolicyError((made[0],), "needs the certified threshold; `wager calibrate` finds it")
        if self.risk is not None and self.delta is None:
            raise PolicyError(("risk",), "needs delta, the probability that the promise does not hold")
        if self.delta is not None and self.threshold is None:
            raise PolicyError(("delta",), "belongs to a certified threshold, and there is none")

    def _complete(self) -> None:
        if self.calibration is None:
            for name, needs in (("hedge_above", self.hedge_above is not None), ("words", self.words)):
                if needs:
                    raise PolicyError((name,), "needs a calibration: a raw confidence is not a probability")
            if self.threshold is None:
                raise PolicyError(("target",), "needs a calibration or a certified threshold: a raw confidence is not a probability")
        if self.threshold is None and self.hedge_above is not None and self.target is not None and self.hedge_above >= self.target:
            raise PolicyError(("hedge_above",), f"lies below the target {self.target!r}, got {self.hedge_above!r}: nothing would be hedged")

    def to_dict(self) -> dict[str, Any]:
        """Plain values of the keys that are set."""
        values = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        values["source"] = str(self.source)
        return {name: value for name, value in values.items() if value is not None and (name, value) != ("promise", "")}


REQUIRED_KEYS = tuple(one.name for one in dataclasses.fields(Rule) if one.default is not None)
"""Keys of a rule that are never without a value."""
