"""What an engine hands back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from wager.corpus.abstained import ABSTENTION, abstains
from wager.corpus.reading import Files, Shape
from wager.corpus.words import NORMALISER, words
from wager.facts import FactCounts, Part
from wager.theory.results import Contradiction

__all__ = ["Counted", "Engine", "contradictions", "origin"]

ANSWERS_SHOWN = 4
"""Answers of a contradicted prompt that are kept."""


@dataclass(frozen=True)
class Counted:
    """Counts, and examples of what is behind them."""

    counts: FactCounts
    """All that a floor is computed from."""
    contradictions: tuple[Contradiction, ...] = ()
    """The most frequent prompts that have several answers."""
    unreadable: str | None = None
    """The first line that could not be read: file, line number, and how it begins."""


class Engine(Protocol):
    """Something that counts facts."""

    def columns(self, files: Files) -> dict[str, str]:
        """Names and types of what is in the files."""
        ...

    def count(self, files: Files, shape: Shape, *, part: Part, examples: int, singletons: str | None) -> Counted:
        """The counts of a part of the prompts, examples of contradictions, and if asked for a Parquet file of the facts seen once."""
        ...


def origin(files: Files, shape: Shape, engine: str) -> dict[str, str]:
    """How something was counted, as `wager.facts.FactCounts` keeps it."""
    return {
        "source": files.label,
        "read as": shape.told(),
        "normaliser": NORMALISER,
        "abstention": ABSTENTION,
        "engine": engine,
        "keys": "64 bits",
    }


def contradictions(rows: Iterable[tuple[str, str, int]], most: int) -> tuple[Contradiction, ...]:
    """The most frequent contradicted prompts.

    Args:
        rows: (prompt, answer, samples) of all spellings of the prompts in question; answers that say nothing are passed over.
        most: how many.
    """
    spelt: dict[str, Counter[str]] = {}
    answers: dict[str, dict[str, Counter[str]]] = {}
    for prompt, answer, samples in rows:
        said = words(answer)
        if not said or abstains(answer):
            continue
        key = words(prompt)
        spelt.setdefault(key, Counter())[prompt] += samples
        answers.setdefault(key, {}).setdefault(said, Counter())[answer] += samples
    found = []
    for key, by_words in answers.items():
        if len(by_words) > 1:
            told = sorted(((_first(texts), texts.total()) for texts in by_words.values()), key=lambda pair: (-pair[1], pair[0]))
            found.append(Contradiction(_first(spelt[key]), spelt[key].total(), tuple(told[:ANSWERS_SHOWN])))
    return tuple(sorted(found, key=lambda one: (-one.rows, one.prompt))[:most])


def _first(texts: Counter[str]) -> str:
    return min(texts, key=lambda text: (-texts[text], text))
