"""Do several creative texts or ideas differ in content, or do they say the same in other words?

A heuristic over words, deterministic, without a model. Two texts are the same in content if one's runs of `RUN` words stand in the
other (a copy with an addition is a copy), or if they share most of their content words. Short ideas are compared by stems alone: "A
bakery for dogs" is "Bakery for dogs!". It measures wording, as NoveltyBench's surface measure does, and not meaning: two tellings of
one plot without a common word are distinct to it, so that a share of 1 means no repetition was found, not that all ideas are good.

Reference: Zhang et al. 2025, NoveltyBench (arXiv 2504.05228); containment of shingles: Broder 1997.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from wager.grading.claims import CJK, STOP, stem

__all__ = ["distinct", "distinct_share", "same_content"]

RUN = 4
"""Words of a shingle."""

COPIED = 0.5
"""A text whose shingles stand in the other to this share is a copy of it."""

FEW_RUNS = 8
"""With fewer shingles a text is too short to be called a copy."""

ALIKE = 0.6
"""Texts that share this much of their content words (Jaccard) say the same."""

SHORT = 12
"""Content words up to which a text is an idea rather than a text."""

CONTAINED = 0.7
"""An idea that shares this much of the shorter one's content words (and `HALF` of all) says the same."""

HALF = 0.5
"""See `CONTAINED`."""

READ = 20_000
"""Characters of a text that are compared."""

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
FILLER = frozenset(
    (
        "called",
        "named",
        "like",
        "such",
        "new",
        "about",
        "some",
        "any",
        "make",
        "create",
        "idea",
        "could",
        "would",
        "each",
        "every",
        "through",
    )
)
"""Content words that make no idea another one."""


@dataclass(frozen=True)
class _Content:
    words: tuple[str, ...]
    """Words in order, small letters; of Chinese, Japanese and Korean pairs of characters."""
    stems: frozenset[str]
    """Stems of the content words."""
    runs: frozenset[tuple[str, ...]]
    """Runs of `RUN` words."""


def same_content(one: str, other: str) -> bool:
    """Whether two texts say the same. Symmetric; two blank texts do, a blank one and another do not.

    >>> same_content("A bakery for dogs", "Bakery for dogs!"), same_content("A bakery for dogs", "A library of smells")
    (True, False)
    """
    return _same(_content(one), _content(other))


def distinct_share(texts: Sequence[str]) -> float | None:
    """Share in [0, 1] of the pairs of texts that differ in content; None with fewer than two texts. The order makes no difference.

    >>> distinct_share(["A bakery for dogs", "Bakery for dogs!", "A library of smells"])
    0.6666666666666666
    """
    contents = [_content(text) for text in texts]
    pairs = [(one, other) for at, one in enumerate(contents) for other in contents[:at]]
    return sum(not _same(one, other) for one, other in pairs) / len(pairs) if pairs else None


def distinct(texts: Sequence[str]) -> tuple[int, ...]:
    """The positions of texts that each differ from all chosen before them, the first of a kind standing for it.

    >>> distinct(["A bakery for dogs", "Bakery for dogs!", "A library of smells"])
    (0, 2)
    """
    chosen: list[tuple[int, _Content]] = []
    for at, text in enumerate(texts):
        content = _content(text)
        if not any(_same(content, other) for _, other in chosen):
            chosen.append((at, content))
    return tuple(at for at, _ in chosen)


def _content(text: str) -> _Content:
    words: list[str] = []
    stems: set[str] = set()
    for word in WORD.findall(unicodedata.normalize("NFKC", text[:READ]).casefold()):
        if CJK.search(word):
            pairs = [word[at : at + 2] for at in range(max(1, len(word) - 1))]
            words.extend(pairs)
            stems.update(pairs)
            continue
        words.append(word)
        if word not in STOP and word not in FILLER:
            stems.add(stem(word))
    return _Content(tuple(words), frozenset(stems), frozenset(zip(*(words[at:] for at in range(RUN)), strict=False)))


def _same(one: _Content, other: _Content) -> bool:
    if not one.words or not other.words:
        return one.words == other.words
    if one.words == other.words:
        return True
    shared, fewer = len(one.stems & other.stems), min(len(one.stems), len(other.stems))
    union = len(one.stems | other.stems)
    if not fewer:
        return not union
    runs = min(len(one.runs), len(other.runs))
    if runs >= FEW_RUNS and len(one.runs & other.runs) / runs >= COPIED:
        return True
    if fewer <= SHORT:
        return shared / fewer >= CONTAINED and shared / union >= HALF
    return shared / union >= ALIKE
