"""A prompt to numbers: hashed words and characters, cues, and the shape of the text. Plain Python and numpy.

Only a bounded part of a text is read (`HEAD` characters of its beginning, `TAIL` of its end: what is asked for stands at one of the two),
so that a pasted log of ten megabytes costs no more than one of two kilobytes; no pattern can run longer than in proportion to that part.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wager.detection.cues import CUES

__all__ = ["BLOCKS", "BUCKETS", "HEAD", "SHAPE_NAMES", "TAIL", "Features", "features", "part_that_is_read", "words_of"]

HEAD = 1200
"""Characters of the beginning that are read."""
TAIL = 800
"""Characters of the end that are read."""
BUCKETS = 2**18
"""Hash buckets of one block; which of them mean something is the fitted model's business."""
BLOCKS = ("words", "characters", "opening")
"""The blocks of hashed features, each of length 1 after weighting: words and pairs of words; runs of 2 to 5 characters; the first words."""
NEAR = 10
"""Words at either end of a text that count as its opening and its close."""
NEAR_GLUED = 24
"""The same in characters, for scripts without blanks."""
MOST_WORDS = 600
"""Words that are looked at."""

_WORD: Final = re.compile(r"[\w\u0300-\u036f\u0900-\u097f\u064b-\u0652]+(?:'[\w\u0300-\u036f]+)*|[^\w\s]")
_GLUED: Final = re.compile(r"[\u0600-\u06ff\u0900-\u097f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SPACES: Final = re.compile(r"\s+")
_DIGIT: Final = re.compile(r"\d")
_APOSTROPHES: Final = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'"})

_SHAPES: Final[Mapping[str, re.Pattern[str]]] = {
    "code fence": re.compile(r"```|~~~"),
    "log level": re.compile(r"\b(?:ERROR|WARN(?:ING)?|INFO|DEBUG|FATAL|CRITICAL|TRACE|SEVERE|Error|Exception|error:)"),
    "timestamp": re.compile(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d"),
    "stack frame": re.compile(r"^[ \t]*at \S{1,99}\(|^[ \t]*File \"|, line \d+|:\d+:\d+|\.\w{1,4}:\d+|0x[0-9a-f]{4,}", re.MULTILINE),
    "exception name": re.compile(
        r"\b[A-Za-z_.]{0,60}(?:Error|Exception|Failure)\b|\b(?:SIG[A-Z]{3,4}|E[A-Z]{4,20}|[A-Z_]{4,20}ERR[A-Z_]{0,20})\b"
    ),
    "code line": re.compile(
        r"[;{}][ \t]*$|^[ \t]*(?:def|class|import|from|return|for|if|while|const|let|var|public|SELECT|FROM|WHERE)\b.*[:;(){}=]",
        re.MULTILINE,
    ),
    "identifier": re.compile(r"\b(?:\w{1,40}_\w|[a-z]{1,40}[A-Z]|\w{1,40}\(\)|\w{1,40}\.\w{1,40}\()"),
    "question mark": re.compile(r"[?\uff1f\u061f]"),
    "ends in a question": re.compile(r"[?\uff1f\u061f]\W{0,20}$"),
    "exclamation": re.compile(r"[!\uff01]"),
    "colon before a line": re.compile(r"[:\uff1a][ \t]{0,20}\n"),
    "colon and text": re.compile(r"[:\uff1a]\s{0,20}[\"'\u201c\u201e\u00ab\u300c]?\w"),
    "quotation": re.compile(r"[\"\u201c\u201d\u201e\u00ab\u300c].{8,160}?[\"\u201c\u201d\u00bb\u300d]"),
    "bullet": re.compile(r"^[ \t]*(?:[-*\u2022]|\d+[.)])\s", re.MULTILINE),
    "letter": re.compile(
        r"^(?:dear|hi|hello|hallo|liebe|sehr geehrte|cher|ch\u00e8re|bonjour|hola|subject|betreff|objet|asunto|from|to)\b.{0,60}[,:]",
        re.MULTILINE | re.I,
    ),
    "arithmetic": re.compile(r"[=^\u222b\u221a\u2211\u2264\u2265\u00d7\u00f7%]|\d\s*[-+*/]\s*\d|\b[xyn]\b"),
    "number": re.compile(r"\d+"),
    "path or address": re.compile(r"https?://|(?:/[\w.-]{1,80}){2,}|[A-Z]:\\|\b\d{1,3}(?:\.\d{1,3}){3}\b"),
    "emoticon": re.compile(r"[\U0001f300-\U0001faff\u2600-\u27bf]|[:;]-?[()DP]|<3|\^\^"),
    "ellipsis": re.compile(r"\.\.\.|\u2026"),
    "money": re.compile(r"[$\u20ac\u00a3\u00a5\u20b9\u20ba\u20bd]\s?\d|\d\s?[$\u20ac\u00a3\u00a5\u20b9\u20ba\u20bd]"),
    "letter of a table": re.compile(r"\||\t|^[^,\n]{1,99},[^,\n]{1,99},", re.MULTILINE),
}
SHAPE_NAMES: Final = (
    "log length",
    "log words",
    "log lines",
    "share of digits",
    "share of capitals",
    "share beyond ASCII",
    "length of the first line",
    "length of the last line",
    *_SHAPES,
)
"""What the shape of a text is told by, in the order of `Features.shape`."""


@dataclass(frozen=True)
class Features:
    """One prompt in numbers."""

    hashed: tuple[NDArray[np.int64], ...]
    """For each of `BLOCKS` the buckets in [0, `BUCKETS`) that are met, with repetitions."""
    cues: NDArray[np.float32]
    """Shape (3 G,): for each of the G groups of `CUES` how early, how often and how near the end it stands; 0 where it does not."""
    shape: NDArray[np.float32]
    """Shape (S,): see `SHAPE_NAMES`."""
    plain: str
    """The part that is read, folded."""


def part_that_is_read(text: str) -> str:
    """The beginning and the end of a long text, the whole of a short one; halves of surrogate pairs become question marks."""
    if len(text) > HEAD + TAIL:
        text = text[:HEAD] + "\n" + text[-TAIL:]
    return text.encode("utf-8", "replace").decode("utf-8").strip()


def folded(part: str) -> str:
    """One spelling for what looks alike: NFKC, no case, plain apostrophes; again bounded, since normalising may lengthen a text."""
    return unicodedata.normalize("NFKC", part).casefold().translate(_APOSTROPHES)[: HEAD + TAIL + 1]


def words_of(folded_text: str) -> list[str]:
    """Words and marks, in order, at most `MOST_WORDS`."""
    found = _WORD.findall(folded_text)
    return found if len(found) <= MOST_WORDS else found[: MOST_WORDS // 2] + found[-MOST_WORDS // 2 :]


def features(text: str) -> Features:
    """The numbers of one prompt, of any length and in any script.

    >>> features("Why did Straße fail?").plain
    'why did strasse fail?'
    """
    part = part_that_is_read(text)
    plain = folded(part)
    words = words_of(plain)
    return Features(_hashed(plain, words), _cues(plain, words), _shape(text, part, words), plain)


def _hashed(plain: str, words: list[str]) -> tuple[NDArray[np.int64], ...]:
    codes = np.array([zlib.crc32(_DIGIT.sub("0", word).encode()) for word in words], dtype=np.uint64)
    pairs = (codes[:-1] * np.uint64(0x9E3779B1) + codes[1:]) >> np.uint64(7)
    first = codes[:4] * np.uint64(0x85EBCA6B) >> np.uint64(5)
    run = pairs[:3] ^ np.uint64(0x5BD1E995)
    text = _SPACES.sub(" ", _DIGIT.sub("0", f" {plain} "))
    return (_buckets(codes, pairs), _buckets(*_runs(text)), _buckets(first, run))


def _runs(text: str) -> list[NDArray[np.uint64]]:
    """Hashes of all runs of 2 to 5 characters."""
    letters = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    found, code = [], letters
    for length in range(2, 6):
        code = code[:-1] * np.uint64(0x01000193) + letters[length - 1 :] if len(code) else code
        found.append(code * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20))
    return found


def _buckets(*codes: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (np.concatenate(codes) % np.uint64(BUCKETS)).astype(np.int64)


@dataclass(frozen=True)
class _Lexicon:
    """The cues, ready for look-ups: every table gives the numbers of the groups."""

    exact: Mapping[str, tuple[int, ...]]
    """By word."""
    stems: Mapping[str, tuple[int, ...]]
    """By the beginning of a word."""
    phrases: Mapping[str, tuple[tuple[tuple[str, ...], int], ...]]
    """By first word: all words, and the group."""
    glued: tuple[tuple[str, int], ...]
    """Runs of characters, and the group."""
    longest: int
    """Of the stems, in characters."""


def _lexicon() -> _Lexicon:
    exact: dict[str, set[int]] = {}
    stems: dict[str, set[int]] = {}
    phrases: dict[str, set[tuple[tuple[str, ...], int]]] = {}
    glued: set[tuple[str, int]] = set()
    for group, terms in enumerate(CUES.values()):
        for raw in terms.split(","):
            term = folded(raw.strip() if not _GLUED.search(raw) else raw.lstrip())
            parts = tuple(_WORD.findall(term))
            if not parts:
                continue
            if _GLUED.search(term):
                glued.add((term, group))
            elif term.endswith("*") and len(parts) == 2:
                stems.setdefault(parts[0], set()).add(group)
            elif len(parts) == 1:
                exact.setdefault(term, set()).add(group)
            else:
                phrases.setdefault(parts[0], set()).add((parts, group))
    return _Lexicon(
        {word: tuple(sorted(groups)) for word, groups in exact.items()},
        {word: tuple(sorted(groups)) for word, groups in stems.items()},
        {word: tuple(sorted(found)) for word, found in phrases.items()},
        tuple(sorted(glued)),
        max(map(len, stems)),
    )


_LEXICON: Final = _lexicon()


def _cues(plain: str, words: list[str]) -> NDArray[np.float32]:
    """Early (1 for the first word, falling), often (logarithm), late (1 within the last words) for each group."""
    early = np.zeros((3, len(CUES)), dtype=np.float32)
    count = len(words)
    for at, word in enumerate(words):
        for group in _groups_at(words, at, word):
            _note(early, group, 1 / (1 + at / 6), at >= count - NEAR)
    if _GLUED.search(plain):
        for term, group in _LEXICON.glued:
            at = plain.find(term)
            if at >= 0:
                _note(early, group, 1 / (1 + at / 12), plain.rfind(term) >= len(plain) - NEAR_GLUED)
    early[1] = np.log1p(early[1])
    return early.ravel()


def _note(early: NDArray[np.float32], group: int, nearness: float, late: bool) -> None:
    early[0, group] = max(early[0, group], nearness)
    early[1, group] += 1
    if late:
        early[2, group] = 1


def _groups_at(words: list[str], at: int, word: str) -> set[int]:
    lexicon = _LEXICON
    found = set(lexicon.exact.get(word, ()))
    for length in range(3, min(len(word), lexicon.longest) + 1):
        found.update(lexicon.stems.get(word[:length], ()))
    for parts, group in lexicon.phrases.get(word, ()):
        if tuple(words[at : at + len(parts)]) == parts:
            found.add(group)
    return found


def _shape(text: str, part: str, words: list[str]) -> NDArray[np.float32]:
    size = max(len(part), 1)
    lines = part.split("\n")
    digits = sum(map(part.count, "0123456789"))
    capitals = len(part) - sum(map(str.__eq__, part, part.lower())) if len(part.lower()) == len(part) else 0
    values = [
        math.log1p(len(text)) / 4,
        math.log1p(len(words)) / 3,
        math.log1p(len(lines)) / 2,
        digits / size,
        capitals / size,
        1 - len(part.encode("ascii", "ignore")) / size,
        math.log1p(len(lines[0])) / 4,
        math.log1p(len(lines[-1])) / 4,
    ]
    values += [math.log1p(min(sum(1 for _ in pattern.finditer(part)), 20)) for pattern in _SHAPES.values()]
    return np.array(values, dtype=np.float32)
