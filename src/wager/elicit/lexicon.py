"""Shades of confidence in words: a shade is what people mean by "fairly sure", as a probability with an interval.

The lexicon is data. The medians and the 10-90 % intervals of the shades with origin ``survey`` are those of 46 people who were asked
what probability they understand by 17 phrases (the published "perceptions of probability" survey, after Sherman Kent 1964); a shade
that holds several of these phrases pools their answers. The others were in no survey: their values are ``assumed``, and want to be
learned from graded answers (`wager.policy.shades.learn`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from wager.errors import DataError, UnknownNameError, UsageError

__all__ = ["DEFAULT_SHADES", "SURVEYED", "Act", "Origin", "Shade", "Shades"]

Origin = Literal["survey", "assumed", "learned"]
Act = Literal["look_up"]


@dataclass(frozen=True, kw_only=True)
class Shade:
    """One way of saying how sure one is, or that one has to look it up: an act, and no probability."""

    name: str
    """As in ``fairly_sure``."""
    phrases: tuple[str, ...]
    """As read in a text, in any case; the first is what is written."""
    value: float | None
    """The probability in [0, 1]; None for an act."""
    low: float | None = None
    """Lower end of the interval of that probability; None for an act."""
    high: float | None = None
    """Upper end."""
    origin: Origin = "assumed"
    """``survey`` (published answers of people), ``assumed`` (no data) or ``learned`` (a model's graded answers)."""
    act: Act | None = None
    """What it announces instead of a probability: ``look_up``."""
    n: int = 0
    """Graded answers behind a learned value."""
    written: bool = False
    """Whether `Shades.at` may write it; the others are only read."""

    def __post_init__(self) -> None:
        if not self.name or not self.phrases or not all(phrase.strip() for phrase in self.phrases):
            raise DataError(f"shade {self.name!r}: a shade has a name and at least one phrase, got {self.phrases!r}")
        if self.origin not in get_args(Origin):
            raise DataError(f"shade {self.name!r}: its origin is one of {', '.join(get_args(Origin))}, got {self.origin!r}")
        if self.act is not None:
            if self.act not in get_args(Act) or (self.value, self.low, self.high) != (None, None, None):
                raise DataError(f"shade {self.name!r}: an act is 'look_up' and has no probability, got {self.act!r} with {self.value!r}")
        elif self.value is None or self.low is None or self.high is None or not 0 <= self.low <= self.value <= self.high <= 1:
            raise DataError(f"shade {self.name!r}: 0 <= low <= value <= high <= 1, got {self.low!r}, {self.value!r}, {self.high!r}")

    def to_dict(self) -> dict[str, Any]:
        """Its fields as JSON or TOML values; what is None or a default is absent."""
        found: dict[str, Any] = {"name": self.name, "phrases": list(self.phrases), "origin": self.origin}
        if self.act is not None:
            found["act"] = self.act
        else:
            found |= {"value": self.value, "low": self.low, "high": self.high}
        return found | ({"n": self.n} if self.n else {}) | ({"written": True} if self.written else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Shade:
        """The inverse of `to_dict`.

        Raises:
            DataError: a key is missing, unknown or of the wrong kind.
        """
        known = set(cls.__dataclass_fields__)
        if wrong := sorted(set(values) - known):
            raise DataError(f"a shade has no key {wrong[0]!r}; it has {', '.join(sorted(known))}")
        if missing := [key for key in ("name", "phrases") if key not in values]:
            raise DataError(f"a shade needs the key {missing[0]!r}, got {sorted(values)}")
        phrases, numbers = values["phrases"], {key: values.get(key) for key in ("value", "low", "high")}
        if isinstance(phrases, str) or not isinstance(phrases, Sequence) or not all(isinstance(one, str) for one in phrases):
            raise DataError(f"shade {values['name']!r}: phrases is a list of texts, got {phrases!r}")
        for key, number in numbers.items():
            if number is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
                raise DataError(f"shade {values['name']!r}: {key} is a number in [0, 1], got {number!r}")
        return cls(**{**values, "phrases": tuple(phrases), **{key: None if x is None else float(x) for key, x in numbers.items()}})


@dataclass(frozen=True)
class Shades:
    """Shades in order: the surest first, acts last."""

    shades: tuple[Shade, ...]
    """With values that do not increase; no name and no phrase occurs twice."""

    def __post_init__(self) -> None:
        if not self.probable:
            raise DataError("a set of shades needs at least one with a probability")
        for kind, all_of_it in (("name", [one.name for one in self.shades]), ("phrase", [p for one in self.shades for p in one.phrases])):
            folded = [each.casefold() for each in all_of_it]
            if twice := next((each for each in folded if folded.count(each) > 1), None):
                raise DataError(f"the {kind} {twice!r} occurs twice; each belongs to one shade")
        for surer, other in itertools.pairwise(self.shades):
            if surer.act and not other.act:
                raise DataError(f"shade {other.name!r} stands after the act {surer.name!r}; acts come last")
            if surer.value is not None and other.value is not None and surer.value < other.value:
                raise DataError(
                    f"shade {other.name!r} ({other.value:g}) stands after {surer.name!r} ({surer.value:g}); the surest comes first"
                )

    def __iter__(self) -> Iterator[Shade]:
        return iter(self.shades)

    def __len__(self) -> int:
        return len(self.shades)

    def __getitem__(self, name: str) -> Shade:
        """The shade of that name; `UnknownNameError` if there is none."""
        for shade in self.shades:
            if shade.name == name:
                return shade
        raise UnknownNameError("shade", name, (shade.name for shade in self.shades))

    @property
    def probable(self) -> tuple[Shade, ...]:
        """Those with a probability, the surest first."""
        return tuple(shade for shade in self.shades if shade.act is None)

    @cached_property
    def _steps(self) -> tuple[tuple[float, Shade], ...]:
        """The shades that are written with the probability above which each is, the surest first."""
        written = [shade for shade in self.probable if shade.written] or list(self.probable)
        values = [shade.value or 0.0 for shade in written]
        cuts = [(one + other) / 2 for one, other in itertools.pairwise(values)]
        return tuple(zip([*cuts, -1.0], written, strict=True))

    def at(self, probability: float) -> Shade:
        """Which shade to write for a calibrated confidence.

        Among those marked ``written`` (all with a probability, where none is marked) it is the one with the nearest value: the cut lies
        halfway between neighbours, and a probability on a cut gets the less sure shade. Below the least sure one it is that one still:
        whether to answer at all is decided by a target, not by words. Never an act.

        Args:
            probability: in [0, 1].

        >>> [DEFAULT_SHADES.at(p).name for p in (0.93, 0.7, 0.1)]
        ['confident', 'fairly_sure', 'not_certain']
        """
        if not 0 <= probability <= 1:
            raise UsageError(f"a probability lies in [0, 1], got {probability!r}")
        return next(shade for cut, shade in self._steps if probability > cut)

    def to_dict(self) -> list[dict[str, Any]]:
        """As JSON or TOML values, in order."""
        return [shade.to_dict() for shade in self.shades]

    @classmethod
    def from_dict(cls, values: Iterable[Mapping[str, Any]]) -> Shades:
        """The inverse of `to_dict`."""
        return cls(tuple(Shade.from_dict(one) for one in values))


def _each(*parts: str) -> tuple[str, ...]:
    """Every combination of alternatives that are written with a bar: ``_each("very|so", "sure")``."""
    return tuple(" ".join(words) for words in itertools.product(*(part.split("|") for part in parts)))


SURVEYED: dict[str, tuple[str, ...]] = {
    "almost_certain": ("almost certainly",),
    "highly_likely": ("highly likely",),
    "very_good_chance": ("very good chance",),
    "likely": ("probably", "probable", "likely"),
    "believe": ("we believe",),
    "better_than_even": ("better than even",),
    "about_even": ("about even",),
    "probably_not": ("probably not",),
    "doubtful": ("we doubt",),
    "unlikely": ("unlikely",),
    "little_chance": ("little chance", "improbable", "chances are slight"),
    "highly_unlikely": ("highly unlikely",),
    "almost_no_chance": ("almost no chance",),
}
"""The survey's phrases, by the shade that pools them."""


def _surveyed(name: str, value: float, low: float, high: float, *more: str) -> Shade:
    return Shade(name=name, phrases=(*SURVEYED[name], *more), value=value, low=low, high=high, origin="survey")


def _assumed(name: str, value: float, low: float, high: float, *phrases: str, written: bool = False) -> Shade:
    return Shade(name=name, phrases=phrases, value=value, low=low, high=high, written=written)


SURE = "sure|certain|confident"

DEFAULT_SHADES = Shades(
    (
        _assumed(
            "certain", 0.98, 0.9, 1.0,
            "I'm certain", "certain", "certainly", "definitely", "undoubtedly", "unquestionably", "no doubt", "without doubt",
            "without a doubt", "without any doubt", "without question", "beyond doubt", "beyond any doubt", "no uncertainty",
            *_each("absolutely|completely|totally|entirely|100%|100 percent", SURE), "absolutely positive", "I'm positive that",
        ),
        _surveyed("almost_certain", 0.95, 0.85, 0.985, "almost certain", *_each("virtually|nearly|practically", "certain|certainly")),
        _assumed(
            "confident", 0.95, 0.85, 1.0,
            "I'm confident", "confident", "I'm sure", "sure", *_each("very|highly|extremely|so", SURE),
            *_each("high|very high", "confidence"), *_each("high", "degree of|level of", "certainty|confidence"), "do not doubt",
            *_each("confidence", "high|is high|level high|very high|is very high"), "convinced",
            written=True,
        ),
        _surveyed("highly_likely", 0.9, 0.8, 0.955, "very likely", "extremely likely", "very probably", "very probable", "highly probable"),
        _assumed(
            "fairly_sure", 0.8, 0.6, 0.95,
            "I'm fairly sure", *_each("fairly|pretty|quite|reasonably|rather|mostly|relatively", SURE), "fairly high confidence",
            "slight uncertainty",
            written=True,
        ),
        _surveyed("very_good_chance", 0.8, 0.72, 0.9, "good chance"),
        _surveyed(
            "likely", 0.725, 0.6, 0.85,
            "most likely", "quite likely", "likely to be", "most probably", "presumably", "in all likelihood",
        ),
        _surveyed(
            "believe", 0.7, 0.5, 0.85,
            *_each("I", "believe|think|suspect|reckon|assume"), "I'd say", "we think", "I'm leaning towards", "I'm leaning toward",
            "as far as I know", "to my knowledge", "to the best of my knowledge", *_each("if I", "remember|recall", "correctly|right"),
        ),
        _assumed(
            "somewhat_sure", 0.65, 0.45, 0.85,
            "I'm somewhat sure", *_each("somewhat|moderately", SURE), *_each("moderate|medium", "confidence"),
            *_each("confidence", "moderate|medium|is moderate|is medium|level moderate|level medium"),
        ),
        _surveyed("better_than_even", 0.6, 0.51, 0.66, "better than even chance", "more likely than not"),
        _surveyed(
            "about_even", 0.5, 0.49, 0.5,
            "fifty-fifty", "50-50", "toss-up", "even odds", "even chance", "coin flip", "could go either way",
        ),
        _assumed(
            "not_certain", 0.4, 0.15, 0.7,
            "I'm not certain", *_each("not", f"{SURE}|convinced|positive"), "unsure", "uncertain", "some uncertainty", "I have doubts",
            "I have my doubts", *_each("can not|could not", "say|tell|be", "for sure|for certain"), *_each("can not be|hard to be", SURE),
            *_each("I do not know", "for sure|for certain|exactly"), *_each("high", "degree of|level of", "uncertainty"),
            written=True,
        ),
        _assumed(
            "maybe", 0.4, 0.15, 0.65,
            "maybe", "perhaps", "possibly", "conceivably", "it might be", "that might be", "it might well be",
            *_each("not", "impossible|unlikely|improbable|implausible"),
        ),
        _assumed(
            "guess", 0.3, 0.1, 0.6,
            "my best guess", "my guess", "best guess", "I guess", "I'd guess", "I'm guessing", "just guessing", "a guess", "just a guess",
            "only a guess", "an educated guess", "a wild guess", "a rough guess", "a hunch", "if I had to guess", "low confidence",
            *_each("confidence", "low|is low|level low|very low|is very low"),
        ),
        _surveyed(
            "probably_not", 0.265, 0.15, 0.4,
            *_each("likely|presumably|most likely", "not"), *_each("I do|we do", "not", "think|believe"),
        ),
        _surveyed("doubtful", 0.25, 0.085, 0.425, "I doubt", "doubtful", "I'm doubtful"),
        _surveyed("unlikely", 0.2, 0.09, 0.35, "unlikely to be", *_each("not", "likely|probable")),
        _surveyed("little_chance", 0.14, 0.05, 0.3, "slight chance", "small chance"),
        _surveyed("highly_unlikely", 0.05, 0.03, 0.175, *_each("very|extremely", "unlikely|improbable"), "highly improbable"),
        _surveyed("almost_no_chance", 0.02, 0.01, 0.085, "no chance", *_each("definitely|certainly|almost certainly", "not")),
        Shade(
            name="look_up",
            phrases=(
                "I need to look this up",
                *_each("I need to", "look it up|look that up|look up|check|verify|double-check"),
                *_each("I", "have to|would have to|would need to|should|will|must", "look this up|look it up|look that up|look up"),
                *_each("I", "have to|would have to|would need to|should|will|must", "check|verify|double-check"),
                *_each("let me", "look this up|look it up|look that up|check"),
            ),
            value=None,
            act="look_up",
        ),
    )
)  # fmt: skip
"""The shades to begin with. Asked for, and written: confident, fairly_sure, not_certain and the act look_up."""
