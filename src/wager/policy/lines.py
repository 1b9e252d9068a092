"""On which line of a TOML text each key stands: `tomllib` does not say, and an error message without a line is a search.

The text was read by `tomllib` before, so it is valid, and this reader needs to know only where values begin and end.
"""

from __future__ import annotations

import re
import tomllib

__all__ = ["Place", "key_lines", "line_of", "normalised"]

Place = tuple[str | int, ...]
"""A key from the root; a number is a 0-based place in a list."""

BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
SPACE = re.compile(r"[ \t]*")
BARE = re.compile(r"[A-Za-z0-9_-]+")
STRING = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^\\"\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
PLAIN = re.compile(r"[^,\]}\n#]*")
"""A number, a date, true or false."""


def normalised(text: str) -> str:
    """The text with the line ends that TOML counts."""
    return text.replace("\r\n", "\n")


def key_lines(text: str) -> dict[Place, int]:
    """The 1-based line of every table, key and list element of a valid TOML text.

    A table of several headers has the line of its first; a table without a header of its own that of the first key in it.

    >>> key_lines("[rules.default]\\ntarget = 0.75")[("rules", "default", "target")]
    2
    """
    return _Reader(normalised(text)).lines


def line_of(place: Place, lines: dict[Place, int]) -> int:
    """The line of a key, or of the nearest table above it that has one; else 1."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


class _Reader:
    """One pass over the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line, self.counted = 1, 0
        self.lines: dict[Place, int] = {}
        self.lists: dict[Place, int] = {}
        """How many tables each list of tables (``[[name]]``) has so far."""
        table: Place = ()
        self.skip(BLANK)
        while self.at < len(text):
            if text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.skip(BLANK)

    def skip(self, what: re.Pattern[str]) -> str:
        match = what.match(self.text, self.at)
        if match is None:
            raise AssertionError(f"not valid TOML at character {self.at}")
        self.at = match.end()
        return match.group()

    def take(self, mark: str) -> bool:
        found = self.text.startswith(mark, self.at)
        self.at += len(mark) if found else 0
        return found

    def note(self, place: Place, *, at: int) -> None:
        """Keeps the line of the place, and of those above it that have none."""
        self.line += self.text.count("\n", self.counted, at)
        self.counted = at
        for depth in range(1, len(place) + 1):
            self.lines.setdefault(place[:depth], self.line)

    def key(self) -> list[str]:
        """A dotted key."""
        parts = []
        while True:
            self.skip(SPACE)
            if self.text[self.at] in "\"'":
                parts.append(tomllib.loads(f"key = {self.skip(STRING)}")["key"])
            else:
                parts.append(self.skip(BARE))
            self.skip(SPACE)
            if not self.take("."):
                return parts

    def header(self) -> Place:
        start = self.at
        many = self.take("[[")
        if not many:
            self.take("[")
        place: Place = ()
        parts = self.key()
        for number, part in enumerate(parts):
            place += (part,)
            if many and number == len(parts) - 1:
                self.lists[place] = self.lists.get(place, 0) + 1
            if place in self.lists:
                place += (self.lists[place] - 1,)
        self.take("]]" if many else "]")
        self.note(place, at=start)
        return place

    def pair(self, table: Place) -> None:
        self.skip(SPACE)
        start = self.at
        place = (*table, *self.key())
        self.note(place, at=start)
        self.take("=")
        self.skip(SPACE)
        self.value(place)

    def value(self, place: Place) -> None:
        if self.take("["):
            self.elements(place)
        elif self.take("{"):
            self.skip(BLANK)
            while not self.take("}"):
                self.pair(place)
                self.skip(BLANK)
                self.take(",")
                self.skip(BLANK)
        else:
            self.skip(STRING if self.text[self.at] in "\"'" else PLAIN)

    def elements(self, place: Place) -> None:
        self.skip(BLANK)
        number = 0
        while not self.take("]"):
            self.note((*place, number), at=self.at)
            self.value((*place, number))
            number += 1
            self.skip(BLANK)
            self.take(",")
            self.skip(BLANK)
