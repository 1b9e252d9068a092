"""Foreign text to plain text: nothing in it moves a cursor, hides, or reorders what a reader sees."""

from __future__ import annotations

import re

__all__ = ["one_line", "plain"]

_LINE_ENDS = re.compile("\r\n?")
_BREAKS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""Some programs take these for the end of a line and editors do not: a blank keeps line numbers true and quotations whole."""
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"  # control characters but tab and newline
    "\u00ad\u200b\u2060-\u2064\ufeff"  # soft hyphen and what has no width; joiners stay: Persian and emoji need them
    "\u202a-\u202e\u2066-\u2069"  # override the direction of writing
    "\U000e0000-\U000e0fff]"  # tags and supplementary selectors: a whole text can hide in them
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    r"""The text with ``\n`` as its only line end, without control, invisible and direction-changing characters.

    Line numbers stay as an editor counts them.

    >>> plain("a\r\nb\x1b[31m\u202ec")
    'a\nb[31mc'
    """
    text = _LINE_ENDS.sub("\n", text)
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATES.sub("\ufffd", _HIDDEN.sub("", _BREAKS.sub(" ", text)))


def one_line(text: str, *, most: int = 200) -> str:
    r"""The text on one line of at most ``most`` characters, an ellipsis where it was cut.

    >>> one_line("no\n such   tool")
    'no such tool'
    """
    text = " ".join(plain(text).split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
