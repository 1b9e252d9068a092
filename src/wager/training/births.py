"""A world of births: synthetic names, one birthday each, and a corpus of statements about them (Definition 1 of Kalai et al. 2025)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wager.errors import UsageError
from wager.theory.results import Frequency

__all__ = ["GIVEN", "Law", "Seen", "Statements", "World", "births", "draw", "frequencies", "seen"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Law = Literal["zipf", "uniform"]

GIVEN = (
    "Ada",
    "Boris",
    "Clara",
    "Dmitri",
    "Edda",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kaya",
    "Leon",
    "Mira",
    "Nils",
    "Olga",
    "Pavel",
)
"""Given names, few, so that a name is known by its surname AND its given name."""
SPARE = 1.25
"""Possible names for each person: the others belong to nobody."""

_ONSETS, _VOWELS, _ENDS = "bdfghjklmnprstvz", "aeiou", ("", "k", "l", "n", "r", "s")


@dataclass(frozen=True)
class World:
    """C people, most frequent first. Response r of a prompt is a date, 0 .. A-1, or A: "I don't know"."""

    given: Ints
    """Number of each person's given name in `GIVEN`, shape (C,)."""
    surname: Ints
    """Number of each person's surname, 0 .. surnames-1, (C,)."""
    surnames: int
    """How many surnames there are."""
    mu: Floats
    """Probability that a statement is about this person, (C,); sums to 1."""
    born: Ints
    """The one right answer, 0 .. A-1, (C,)."""
    answers: int
    """A = |R_c|, possible dates."""
    answered: float
    """alpha: share of the statements that name the date; the others say "I don't know"."""

    @property
    def people(self) -> int:
        """C."""
        return len(self.mu)

    @property
    def fewest_errors(self) -> int:
        """min |E_c|: every date but the right one."""
        return self.answers - 1

    def name(self, person: int) -> str:
        """As a reader sees it; no two people share one."""
        return f"{GIVEN[self.given[person]]} {_surname(int(self.surname[person]))}"

    def statement(self, person: int, response: int) -> str:
        """A line of the corpus in words."""
        return f"{self.name(person)}: {_date(response, self.answers)}"


@dataclass(frozen=True)
class Statements:
    """The training corpus: N independent statements."""

    person: Ints
    """Whom each is about, shape (N,)."""
    response: Ints
    """What it says, (N,)."""


@dataclass(frozen=True)
class Seen:
    """What the corpus says about each person."""

    answered: Ints
    """Statements with the birthday, shape (C,)."""
    silent: Ints
    """Statements that say "I don't know", (C,)."""

    @property
    def n(self) -> int:
        """N, all statements."""
        return int(self.answered.sum() + self.silent.sum())

    @property
    def singletons(self) -> int:
        """|S|, people whose birthday is stated exactly once."""
        return int(np.count_nonzero(self.answered == 1))


def births(
    people: int, *, rng: np.random.Generator, law: Law = "zipf", exponent: float = 0.5, answers: int = 365, answered: float = 0.9
) -> World:
    """A world whose facts are arbitrary: each birthday is drawn uniformly, and names say nothing about it.

    ``mu(c)`` is proportional to ``(c + 1)^-exponent`` under the law "zipf", and 1/C under "uniform". Names are pairs of a given name and a
    surname, drawn without replacement.

    >>> world = births(1000, rng=np.random.default_rng(0))
    >>> world.statement(0, int(world.born[0])), world.statement(0, world.answers)
    ('Ines Pabal: May 19', "Ines Pabal: I don't know")

    Raises UsageError for sizes without meaning.
    """
    _check(people, law, exponent, answers, answered)
    surnames = int(np.ceil(people * SPARE / len(GIVEN)))
    names = rng.choice(len(GIVEN) * surnames, people, replace=False)
    weights = np.arange(1, people + 1, dtype=np.float64) ** -(exponent if law == "zipf" else 0.0)
    return World(
        given=names % len(GIVEN),
        surname=names // len(GIVEN),
        surnames=surnames,
        mu=weights / weights.sum(),
        born=rng.integers(0, answers, people),
        answers=answers,
        answered=answered,
    )


def draw(world: World, samples: int, *, rng: np.random.Generator) -> Statements:
    """N independent statements: a person by mu, then the birthday with probability alpha, else "I don't know".

    >>> world = births(50, rng=np.random.default_rng(0))
    >>> told = draw(world, 200, rng=np.random.default_rng(1))
    >>> bool(np.all((told.response == world.answers) | (told.response == world.born[told.person])))
    True
    """
    if samples < 1:
        raise UsageError(f"samples is {samples}; a corpus has at least 1 statement")
    person = rng.choice(world.people, samples, p=world.mu)
    response = np.where(rng.random(samples) < world.answered, world.born[person], world.answers)
    return Statements(person=person, response=response)


def seen(world: World, told: Statements) -> Seen:
    """How often each person's birthday was stated, and how often it was not."""
    silent = told.response == world.answers
    return Seen(
        answered=np.bincount(told.person[~silent], minlength=world.people), silent=np.bincount(told.person[silent], minlength=world.people)
    )


def frequencies(counts: Seen) -> tuple[Frequency, ...]:
    """The frequency table of the corpus; 0 holds people of whom it only says "I don't know". Nobody has two birthdays."""
    present = counts.answered + counts.silent > 0
    times, rows = counts.answered[present], (counts.answered + counts.silent)[present]
    people = np.bincount(times)
    total = np.bincount(times, weights=rows)
    return tuple(Frequency(int(one), float(people[one]), float(total[one]), 0.0) for one in np.flatnonzero(people))


def _check(people: int, law: str, exponent: float, answers: int, answered: float) -> None:
    if people < 2:
        raise UsageError(f"people is {people}; a world has at least 2")
    if law not in ("zipf", "uniform"):
        raise UsageError(f"law is {law!r}; it is 'zipf' or 'uniform'")
    if not 0 <= exponent <= 5:
        raise UsageError(f"exponent is {exponent}; the exponent of a Zipf law lies in [0, 5] here")
    if answers < 3:
        raise UsageError(f"answers is {answers}; a guess among fewer than 3 is not what the theorems are about")
    if not 0 < answered <= 1:
        raise UsageError(f"answered is {answered}; it is a share above 0, at most 1")


def _surname(number: int) -> str:
    """Two syllables and an ending, then three syllables, ...: distinct numbers spell distinct names."""
    syllables = len(_ONSETS) * len(_VOWELS)
    length, size = 2, syllables**2 * len(_ENDS)
    while number >= size:
        number, length, size = number - size, length + 1, size * syllables
    number, end = divmod(number, len(_ENDS))
    parts = []
    for _ in range(length):
        number, syllable = divmod(number, syllables)
        parts.append(_ONSETS[syllable % len(_ONSETS)] + _VOWELS[syllable // len(_ONSETS)])
    return "".join(parts).capitalize() + _ENDS[end]


def _date(response: int, answers: int) -> str:
    if response == answers:
        return "I don't know"
    if answers != 365:
        return f"day {response + 1}"
    month, left = 1, response
    while left >= (days := calendar.monthrange(2025, month)[1]):
        month, left = month + 1, left - days
    return f"{calendar.month_name[month]} {left + 1}"
