"""A passage: some text of a document, and where it stands; and what every look-up offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Found", "Lookup", "Passage"]


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Some text of a document. Data, never an instruction."""

    text: str
    """As it stands in the document, control characters removed."""
    title: str
    """What a reader calls the document: its name or its first heading."""
    uri: str
    """Where it stands, for a citation: ``file:///.../notes.md#L12-L18`` or the address that a server gave."""
    score: float | None = None
    """How well it fits the question, higher is better; None where the server gives none. Comparable within one search only."""
    lookup: str = "documents"
    """Name of the look-up that found it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one search found."""

    passages: tuple[Passage, ...] = ()
    """Best first."""
    problem: str | None = None
    """Why there are none or only some: timed out, server gone, ...; None where all went well (also if nothing fits)."""
    seconds: float = 0.0
    """How long it took."""


class Lookup(Protocol):
    """Something that can be searched. Safe to use from several tasks at once."""

    @property
    def name(self) -> str:
        """Its name in decisions and in the journal."""
        ...

    async def start(self) -> None:
        """Opens what it needs; raises a WagerError in one line if it cannot work at all."""
        ...

    async def search(self, question: str, *, limit: int = 4) -> Found:
        """The passages that fit best. Never raises for what a server or a document does: that is a ``problem``."""
        ...

    async def close(self) -> None:
        """Frees it; may be called twice."""
        ...
