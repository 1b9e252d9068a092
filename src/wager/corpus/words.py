"""The key of a text: its words, so that case, blanks and punctuation do not make two prompts of one.

`words` is the specification; engines give exactly its results (``tests/test_corpus_engines.py``):

1. İ becomes i, every other code point its lower-case form by itself (Unicode's simple mapping), final ς becomes σ;
2. what is no Unicode letter (L), mark (M) or number (N) becomes a blank; blanks are joined, those at the ends removed;
3. a text without any letter, mark or number keeps itself, without ASCII white space at its ends (so "+" and "-" stay two answers).

``\\w`` and ``[[:punct:]]`` mean different things in different engines and lose whole scripts, so neither is used. Not done: NFC or NFKC
(ligatures, composed and decomposed accents stay different), stemming, numbers in words. "-5" and "5" become the same key. Letters that
Unicode has assigned since Python's own tables (14 in Python 3.11) are blanks here, and may be letters to a warehouse.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["NORMALISER", "NOT_WORDS", "WHITE_SPACE", "words", "words_of"]

NORMALISER = "words/1"
"""Name of this rule, stored with every count; another rule gets another name."""

NOT_WORDS = r"[^\p{L}\p{M}\p{N}]+"
"""What a blank stands for, as the regular expressions of RE2, Rust and Java write it."""

WHITE_SPACE = " \t\n\r\v\f"
"""ASCII white space."""

LAST_ASSIGNED = 0x323B0
"""One past the last letter that Unicode has assigned; above are only the variation selectors."""

SELECTORS = range(0xE0100, 0xE01F0)
"""Variation selectors: marks."""

CHUNK = 8192
"""Rows that are rewritten at a time: their bytes stay in the processor's cache."""

Rewrite = Callable[[pa.StringArray], pa.StringArray]

Unit = TypeVar("Unit", np.uint8, np.uint32)

_BLANK = 32
_PLAIN = bytes(
    ord(chr(byte).lower()) if chr(byte).isascii() and chr(byte).isalnum() else (byte if byte > 127 else _BLANK) for byte in range(256)
)
"""ASCII letters in lower case, digits, and a blank for the rest of ASCII."""
_ASCII = bytes(range(128))


def words(text: str) -> str:
    """The key of one text: the reference that every engine follows.

    >>> words("  What's the CAPITAL of Perú??")
    'what s the capital of perú'
    >>> words("हिन्दी, 日本語!"), words(" + ")
    ('हिन्दी 日本語', '+')
    """
    low = text.replace("İ", "i").lower().replace("ς", "σ")
    kept = "".join(character if unicodedata.category(character)[0] in "LMN" else " " for character in low)
    return " ".join(kept.split()) or text.strip(WHITE_SPACE)


def words_of(texts: pa.StringArray) -> pa.StringArray:
    """The keys of a column, as `words` gives them; null stays null. Texts in ASCII cost about 0.1 microseconds each.

    Args:
        texts: (N,) strings.
    """
    parts = [_chunk(texts.slice(start, CHUNK)) for start in range(0, len(texts), CHUNK)]
    made = pa.concat_arrays(parts) if parts else texts
    return pc.if_else(texts.is_valid(), made, pa.scalar(None, pa.string())) if texts.null_count else made


def _chunk(texts: pa.StringArray) -> pa.StringArray:
    data, offsets = _bytes_of(texts)
    made, kept = _plain(data, offsets)
    made = _replaced(made, texts, np.flatnonzero((kept[1:] == kept[:-1]) & (offsets[1:] > offsets[:-1])), _symbols)
    return made if data.isascii() else _replaced(made, texts, _rows_of_any_script(data, offsets), _any_script)


def _bytes_of(texts: pa.StringArray) -> tuple[bytes, NDArray[np.int32]]:
    """All texts behind each other, and where each begins and ends."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = texts.buffers()[2]
    return bytes(memoryview(data)[offsets[0] : offsets[-1]]) if data else b"", offsets - offsets[0]


def _plain(data: bytes, offsets: NDArray[np.int32]) -> tuple[pa.StringArray, NDArray[np.int32]]:
    """Steps 1 and 2 for ASCII, on the bytes of all texts at once (other bytes stay as they are), and where each text begins and ends."""
    low, offsets = _joined(np.frombuffer(data.translate(_PLAIN), np.uint8), offsets)
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(low)), offsets


def _any_script(texts: pa.StringArray) -> pa.StringArray:
    """All steps on the code points of all texts at once."""
    data, offsets = _bytes_of(texts)
    begins = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80
    places = np.concatenate([[0], np.cumsum(begins, dtype=np.int32)])[offsets].astype(np.int32)
    points, places = _joined(_of_any_script()[np.frombuffer(data.decode().encode("utf-32-le"), np.uint32)], places)
    sizes = 1 + (points > 0x7F) + (points > 0x7FF) + (points > 0xFFFF)
    ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int32)])[places].astype(np.int32)
    made = points.tobytes().decode("utf-32-le").encode()
    keys = pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(made))
    return _replaced(keys, texts, np.flatnonzero(ends[1:] == ends[:-1]), _symbols)


@lru_cache(maxsize=1)
def _of_any_script() -> NDArray[np.uint32]:
    """(0x110000,) What stands for each code point: a letter in lower case, a mark, a number, or a blank."""
    table = np.full(0x110000, _BLANK, np.uint32)
    for point in (*range(LAST_ASSIGNED), *SELECTORS):
        character = chr(point)
        if unicodedata.category(character)[0] in "LMN":
            table[point] = ord(character.lower()) if len(character.lower()) == 1 else point
    table[ord("İ")], table[ord("ς")], table[ord("Σ")] = ord("i"), ord("σ"), ord("σ")
    return table


def _joined(units: NDArray[Unit], offsets: NDArray[np.int32]) -> tuple[NDArray[Unit], NDArray[np.int32]]:
    """Without the blanks at both ends of each text, and with one for each run between.

    Args:
        units: the bytes or code points of all texts.
        offsets: (N + 1,) where each text begins and ends in them.
    """
    blank = units == _BLANK
    gone = np.empty_like(blank)
    np.logical_and(blank[:-1], blank[1:], out=gone[:-1])
    ends = offsets[1:][offsets[1:] > offsets[:-1]] - 1
    gone[ends] = blank[ends]  # also the end of a run that goes on in the next text
    units, offsets = _without(units, np.flatnonzero(gone), offsets)
    starts = offsets[:-1][offsets[1:] > offsets[:-1]]
    return _without(units, starts[units[starts] == _BLANK], offsets)


def _without(units: NDArray[Unit], gone: NDArray[np.signedinteger], offsets: NDArray[np.int32]) -> tuple[NDArray[Unit], NDArray[np.int32]]:
    if not len(gone):
        return units, offsets
    return np.delete(units, gone), (offsets - np.searchsorted(gone, offsets)).astype(np.int32)


def _rows_of_any_script(data: bytes, offsets: NDArray[np.int32]) -> NDArray[np.intp]:
    """Texts with a code point beyond ASCII that does not stand for itself; the others are right already."""
    points = np.frombuffer(data.translate(None, _ASCII).decode().encode("utf-32-le"), np.uint32)
    changes = _of_any_script()[points] != points
    if not changes.any():
        return np.empty(0, np.intp)
    begins = np.flatnonzero(np.frombuffer(data, np.uint8) >= 0xC0)
    rows = np.zeros(len(offsets) - 1, bool)
    rows[np.searchsorted(offsets, begins[changes], side="right") - 1] = True
    return np.flatnonzero(rows)


def _replaced(made: pa.StringArray, texts: pa.StringArray, rows: NDArray[np.intp], how: Rewrite) -> pa.StringArray:
    if not len(rows):
        return made
    mask = np.zeros(len(texts), bool)
    mask[rows] = True
    return pc.replace_with_mask(made, pa.array(mask), how(texts.take(pa.array(rows))))


def _symbols(texts: pa.StringArray) -> pa.StringArray:
    return pc.utf8_trim(texts, WHITE_SPACE)
