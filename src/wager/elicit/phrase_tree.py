"""Words of a text with their places, and a tree of phrases that finds the longest one at a place.

Both are linear in the text: a text has its words once, and at each of them the tree is followed at most as deep as its longest phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["BLANK", "BREAK", "LINE", "LOOSE", "PhraseTree", "Word", "straight", "words_of"]

BLANK, LINE, LOOSE, BREAK = 3, 2, 1, 0
"""How a word hangs on the one before: by a blank or a hyphen, a line break, a colon or a slash, or not at all."""

SAME_LENGTH = str.maketrans("’‘ʼ“”„\xa0\t\r\f\v", "'''\"\"\"     ")
TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*%?")
TIGHT = re.compile(r"[ *_~`-]{1,8}")
WRAPPED = re.compile(r"[ *_~`]{0,8}\n[ *_~`>]{0,8}")
SOFT = re.compile(r"[ *_~`#:/>-]{0,8}\n?[ *_~`#:/>-]{0,8}")
ENDINGS = {"m": "am", "re": "are", "s": "is", "d": "would", "ll": "will", "ve": "have"}
WHOLE = {"can't": ("can", "not"), "won't": ("will", "not"), "cannot": ("can", "not"), "im": ("i", "am"), "dont": ("do", "not")}


class Word(NamedTuple):
    """A word in lower case; both words of a contraction have its place."""

    text: str
    """The word."""
    start: int
    """Its first character in the text."""
    end: int
    """One past its last."""
    link: int
    """`BLANK`, `LINE`, `LOOSE` or `BREAK`."""


def straight(text: str) -> str:
    """With straight quotes and plain blanks; every character keeps its place, so that spans stay true."""
    return text.translate(SAME_LENGTH)


def words_of(text: str) -> Iterator[Word]:
    """The words of a text with straight quotes; contractions become two.

    >>> [word.text for word in words_of("I'm *not* 100% sure; can't say.")]
    ['i', 'am', 'not', '100%', 'sure', 'can', 'not', 'say']
    """
    last = 0
    for match in TOKEN.finditer(text):
        start, end = match.span()
        gap = text[last:start] if start - last < 20 else "."
        link = BLANK if gap == " " else _link(gap) if last else BREAK
        for part in _parts(match.group().lower()):
            yield Word(part, start, end, link)
            link = BLANK
        last = end


def _link(gap: str) -> int:
    return next((link for pattern, link in ((TIGHT, BLANK), (WRAPPED, LINE), (SOFT, LOOSE)) if pattern.fullmatch(gap)), BREAK)


def _parts(token: str) -> tuple[str, ...]:
    if token in WHOLE:
        return WHOLE[token]
    if "'" not in token:
        return (token,)
    if token.endswith("n't"):
        return token[:-3], "not"
    head, _, tail = token.rpartition("'")
    return (head, ENDINGS[tail]) if tail in ENDINGS else (token,)


class PhraseTree:
    """Phrases by their words; each ends in a name."""

    def __init__(self, phrases: Iterable[tuple[str, str]]) -> None:
        self.name: str | None = None
        self.next: dict[str, PhraseTree] = {}
        for phrase, name in phrases:
            node = self
            for word in words_of(straight(phrase)):
                node = node.next.setdefault(word.text, PhraseTree(()))
            node.name = name

    def longest(self, words: Sequence[Word], place: int) -> tuple[int, str] | None:
        """Where the longest phrase that begins at a place ends (one past its last word), and its name; None if there is none."""
        found, stop = None, place
        node = self.next.get(words[place].text)
        while node is not None:
            stop += 1
            if node.name is not None:
                found = stop, node.name
            if stop == len(words) or words[stop].link == BREAK:
                break
            node = node.next.get(words[stop].text)
        return found

    def exactly(self, words: Iterable[str]) -> str | None:
        """The name of a phrase; None if there is no such phrase."""
        node: PhraseTree | None = self
        for word in words:
            node = node.next.get(word) if node else None
        return node.name if node else None
