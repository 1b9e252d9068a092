"""Shades for one model: what its words have been worth, and how an answer is said with a shade.

Each shade is one category: its graded answers are right with a probability that has a Beta distribution, weakly centred on what the
words mean to people. The order of the shades is kept.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from wager.elicit.verbal import DEFAULT_SHADES, Shade, Shades, find_shades, verbal_confidence
from wager.errors import DataError, UsageError
from wager.metrics.cells import checked
from wager.metrics.corp import recalibrated
from wager.metrics.intervals import clopper_pearson, clustered_se

__all__ = ["Heard", "effective_size", "express", "heard", "learn", "plain"]

Interval = Literal["posterior", "exact"]

EDGE = 0.005
"""A prior value is kept this far from 0 and 1: a certain prior could never learn."""

OBJECT = r"(?: (?:of|in|about|on) (?:it|this|that|(?:this|that|my|the) answer))?[*_\"']{0,3}"
STANDS_ALONE = re.compile(
    rf"{OBJECT}(?:[,;]? (?:but|though|although|however),? (?:my best answer is: ?)?|(?:[,:;.!]| ?[–—]| -)\s{{1,2}}(?!(?:and|or|so)\b))"
    r"(?:Unchecked: ?)?\s?",
    re.IGNORECASE,
)
"""What may follow a hedge that is only put before an answer."""


USUAL = frozenset(shade.name for shade in DEFAULT_SHADES)
LOOKED_AT = 80
"""Characters at the beginning, and at the end, of a long answer in which it is looked for a shade: people say it there."""


COMMON = frozenset(
    re.findall(r"\w+", "have very know need might would will about could even must tell quite hard say well correctly right best not")
)


def _sign(phrase: str) -> str:
    words: list[str] = re.findall(r"\w+", phrase.lower())
    return max(words, key=lambda word: (word not in COMMON, len(word)))


SIGNS = re.compile("|".join(sorted({_sign(phrase) for shade in DEFAULT_SHADES for phrase in shade.phrases})), re.IGNORECASE)
"""A telling word of each phrase: a text without any of them says no shade, and need not be read."""


@dataclasses.dataclass(frozen=True)
class Heard:
    """The graded answers that were said with one shade."""

    shade: Shade
    """The shade."""
    correct: NDArray[np.float64]
    """Shape (N,), their credit in [0, 1]."""
    clusters: NDArray[np.generic] | None
    """Shape (N,), labels of what is independent; None: every answer."""

    @property
    def size(self) -> float:
        """The number of independent answers that they are worth: `effective_size`."""
        return effective_size(self.correct, self.clusters)


def heard(
    said: Sequence[str | None], correct: ArrayLike, shades: Shades, *, clusters: ArrayLike | None = None
) -> tuple[tuple[Heard, ...], int]:
    """The answers by shade, in the order of the shades and only those that were said, and how many answers have no shade (None).

    Args:
        said: N names of shades; None where a reply has none.
        correct: shape (N,), credit in [0, 1].
        clusters: shape (N,), labels of what is independent.

    Raises:
        UnknownNameError: a name that is no shade.
        DataError: shapes differ, or a credit is NaN or outside [0, 1].
    """
    right, _ = checked(correct, np.zeros(np.shape(correct)))
    labels = None if clusters is None else np.asarray(clusters)
    if right.ndim != 1 or len(said) != len(right) or (labels is not None and labels.shape != right.shape):
        raise DataError(f"{len(said)} shades, {len(np.atleast_1d(right))} verdicts and their clusters do not describe the same answers")
    places: dict[str, list[int]] = {}
    for place, name in enumerate(said):
        if name is not None:
            places.setdefault(name, []).append(place)
    for name in places:
        shades[name]
    found = [
        Heard(shade, right[places[shade.name]], None if labels is None else labels[places[shade.name]])
        for shade in shades
        if shade.name in places
    ]
    return tuple(found), sum(name is None for name in said)


def effective_size(values: ArrayLike, clusters: ArrayLike | None = None) -> float:
    """How many independent answers these are worth: n divided by the design effect, at least 1; n where every answer is a cluster.

    Where all values are equal the effect cannot be told, and the number of clusters is taken.
    """
    x = np.asarray(values, dtype=np.float64)
    if clusters is None or len(x) < 2:
        return float(len(x))
    labels = np.unique(np.asarray(clusters))
    plain_se, grouped = clustered_se(x), clustered_se(x, clusters)
    if not plain_se > 0 or not np.isfinite(grouped):
        return float(len(labels))
    return max(1.0, len(x) / max(1.0, (grouped / plain_se) ** 2))


def learn(
    said: Sequence[str],
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    prior: Shades = DEFAULT_SHADES,
    strength: float = 2.0,
    interval: Interval = "posterior",
) -> Shades:
    """What each shade has been worth in the graded answers of one model.

    Formula: with m independent answers of a shade, a share r of them right, and the prior value v, the value is the mean of
    Beta(s v + m r, s (1 - v) + m (1 - r)), s the strength: (s v + m r) / (s + m).

    The order is kept: values that break it are pooled (pool adjacent violators, weights s + m). The ends of the intervals are pooled the
    same way, so that low <= value <= high holds; an interval that was pooled is that of the pool's mean only roughly. A shade without
    answers keeps its prior value and origin, moved no further than to stay between its neighbours that were learned.

    Args:
        said: N names of shades, one for each graded answer that has one; acts are counted and have no value.
        correct: shape (N,), credit in [0, 1].
        clusters: shape (N,), labels of what is independent, such as items with several samples: they lower m (`effective_size`).
        prior: the shades to begin with.
        strength: pseudo-answers behind each prior value, > 0.
        interval: ``posterior`` (95 % of the Beta distribution) or ``exact`` (Clopper-Pearson on m and r, widened to hold the value).

    Raises:
        UnknownNameError: a name that is no shade.
        DataError: shapes differ, a credit is NaN or outside [0, 1], or an answer has no shade.
        UsageError: the strength is not positive.

    References: Dimitriadis, Gneiting and Jordan (2021) for the pooling.

    >>> learned = learn(["confident"] * 8 + ["not_certain"] * 2, [1, 1, 1, 1, 1, 1, 0, 0, 0, 1])
    >>> round(learned["confident"].value, 3), round(learned["not_certain"].value, 3), learned["confident"].n
    (0.79, 0.45, 8)
    """
    if not strength > 0 or not np.isfinite(strength):
        raise UsageError(f"the strength of the prior is a number of pseudo-answers above 0, got {strength!r}")
    if interval not in ("posterior", "exact"):
        raise UsageError(f"the interval is 'posterior' or 'exact', got {interval!r}")
    groups, without = heard(said, correct, prior, clusters=clusters)
    if without:
        raise DataError(f"{without} of {len(said)} answers have no shade; leave them out and count them")
    counted = {group.shade.name: len(group.correct) for group in groups}
    known = [group for group in groups if group.shade.act is None]
    weight = np.array([strength + group.size for group in known])
    ends = np.array([_posterior(group, strength, interval) for group in known]).reshape(-1, 3)
    pooled = np.array([_non_increasing(column, weight) for column in ends.T]).reshape(3, -1)
    learned = {group.shade.name: pooled[:, place] for place, group in enumerate(known)}
    return Shades(
        tuple(
            _learned(shade, learned[shade.name], counted[shade.name]) if shade.name in learned else _between(shade, prior, learned, counted)
            for shade in prior
        )
    )


def _posterior(group: Heard, strength: float, interval: Interval) -> tuple[float, float, float]:
    """Low, mean and high of a shade by itself."""
    centre = min(1 - EDGE, max(EDGE, group.shade.value or 0.0))
    size = group.size
    good = float(group.correct.mean()) * size
    a, b = strength * centre + good, strength * (1 - centre) + size - good
    mean = a / (a + b)
    if interval == "exact":
        n = max(1, round(size))
        low, high = clopper_pearson(good / size * n, n)
    else:
        low, high = float(betaincinv(a, b, 0.025)), float(betaincinv(a, b, 0.975))
    return min(low, mean), mean, max(high, mean)


def _non_increasing(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pooled so that they do not increase: the shades stand surest first."""
    return recalibrated(weight[::-1], (weight * values)[::-1])[::-1] if len(values) else values


def _learned(shade: Shade, ends: NDArray[np.float64], n: int) -> Shade:
    low, value, high = (min(1.0, max(0.0, float(end))) for end in ends)
    return dataclasses.replace(shade, low=min(low, value), value=value, high=max(high, value), origin="learned", n=n)


def _between(shade: Shade, prior: Shades, learned: dict[str, NDArray[np.float64]], counted: dict[str, int]) -> Shade:
    """A shade without answers, moved between its learned neighbours; an act with its count."""
    if shade.value is None or shade.low is None or shade.high is None:
        return dataclasses.replace(shade, n=counted.get(shade.name, 0))
    names = [one.name for one in prior]
    place = names.index(shade.name)
    floor = max((float(learned[name][1]) for name in names[place + 1 :] if name in learned), default=0.0)
    roof = min((float(learned[name][1]) for name in names[:place] if name in learned), default=1.0)
    value = min(roof, max(floor, shade.value))
    return dataclasses.replace(shade, value=value, low=min(shade.low, value), high=max(shade.high, value))


def express(answer: str, shade: Shade) -> str:
    r"""The answer as a person would say it who is that sure. The answer itself stands in it unchanged, at the end.

    A hedge that is only put before the answer is replaced (`plain`); an answer that says this shade already stays as it is; other words
    of confidence inside an answer are content, and stay. For people: text that a program reads (JSON, code to be run) is better left.

    Args:
        answer: the whole answer, of one line or more. Blank: the phrase alone.
        shade: its first phrase is written.

    >>> from wager.elicit.verbal import DEFAULT_SHADES
    >>> express("Thimphu.", DEFAULT_SHADES["fairly_sure"])
    "I'm fairly sure: Thimphu."
    >>> express("I'm confident: Thimphu.", DEFAULT_SHADES["not_certain"])
    "I'm not certain, but my best answer is: Thimphu."
    >>> express("Thimphu.", DEFAULT_SHADES["look_up"])
    'I need to look this up. Unchecked: Thimphu.'
    """
    phrase = shade.phrases[0][0].upper() + shade.phrases[0][1:]
    if not answer.strip():
        return f"{phrase}."
    ends = answer if len(answer) <= 2 * LOOKED_AT else f"{answer[:LOOKED_AT]}\n{answer[-LOOKED_AT:]}"
    content = answer
    if SIGNS.search(ends) or shade.name not in USUAL:
        if _says(ends, shade):
            return answer
        content = plain(answer)
    lead = phrase + (". Unchecked:" if shade.value is None else ":" if shade.value >= 0.5 else ", but my best answer is:")
    return f"{lead}{_gap(content)}{content}"


def _says(text: str, shade: Shade) -> bool:
    known = DEFAULT_SHADES if shade.name in USUAL or shade.act else Shades((shade,))
    found = verbal_confidence(text, known)
    return found.act == shade.act if shade.act else found.shade == shade.name


def _gap(content: str) -> str:
    return "\n\n" if "\n" in content.strip() else " "


def plain(answer: str, shades: Shades = DEFAULT_SHADES) -> str:
    """The answer without a hedge that is only put before it ("I'm fairly sure: Thimphu."); other words stay as they are.

    >>> plain("I'm not certain, but Thimphu."), plain("It's probably Thimphu."), plain("I'm not certain.")
    ('Thimphu.', "It's probably Thimphu.", "I'm not certain.")
    """
    body = answer.lstrip(' \n\t*_"')
    first = next(iter(find_shades(body[:LOOKED_AT], shades)), None)
    if first is None or first.start != 0:
        return answer
    follows = STANDS_ALONE.match(body, first.end)
    rest = body[follows.end() :] if follows else ""
    return rest if rest.strip(' .!*_"') else answer
