"""Several look-ups for one request: asked at once, within a time and a number of searches, and their answers as one list."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from wager.errors import UsageError
from wager.lookup.passages import Found, Lookup, Passage
from wager.lookup.quoting import DEFUSED, quoted
from wager.lookup.words import terms

__all__ = ["DEFUSED", "Limited", "Searched", "quoted"]


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What all look-ups found together."""

    passages: tuple[Passage, ...] = ()
    """The best of each look-up, then the second best of each, and so on; the same text once."""
    found: tuple[tuple[str, Found], ...] = ()
    """What each found, in the order of the configuration: its name, and all it gave."""


class Limited:
    """The look-ups of one request; make a new one for each.

    Args:
        lookups: started ones; the request shares them with others and does not close them.
        most: searches in this request; each asks every look-up. Further ones find nothing, and say why.
        seconds: for all searches of this request together.

    Raises:
        UsageError: a limit that is not positive.
    """

    def __init__(self, lookups: Sequence[Lookup], *, most: int = 3, seconds: float = 5.0) -> None:
        if most < 1 or seconds <= 0:
            raise UsageError(f"most is 1 or more and seconds above 0, got {most!r} and {seconds!r}")
        self._lookups, self._most, self._seconds = tuple(lookups), most, seconds
        self._done, self._left = 0, seconds

    async def search(self, question: str, *, limit: int = 4) -> Searched:
        """Asks all at once; one that is late or fails costs the others nothing.

        Args:
            question: what to look for.
            limit: passages from each look-up, and in all.
        """
        if self._done >= self._most:
            return self._none(f"a request has at most {self._most} searches")
        if self._left < 0.001:  # the clock of the loop is no finer
            return self._none(f"the {self._seconds:g} s of the request are used up")
        self._done += 1
        began = time.monotonic()
        try:
            found = await self._all(question, limit)
        finally:
            self._left -= time.monotonic() - began
        return Searched(passages=_merged([one.passages for _, one in found], limit), found=found)

    async def _all(self, question: str, limit: int) -> tuple[tuple[str, Found], ...]:
        if not self._lookups:
            return ()
        began = time.monotonic()
        tasks = [asyncio.ensure_future(lookup.search(question, limit=limit)) for lookup in self._lookups]
        try:
            await asyncio.wait(tasks, timeout=self._left)
        finally:
            took = time.monotonic() - began
            late = [task for task in tasks if not task.done()]
            for task in late:
                task.add_done_callback(_noted)
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=0.5)
        return tuple((lookup.name, self._outcome(task, task in late, took)) for lookup, task in zip(self._lookups, tasks, strict=True))

    def _outcome(self, task: asyncio.Future[Found], late: bool, took: float) -> Found:
        if late or task.cancelled():
            return Found(problem=f"timed out after {took:.3g} s", seconds=took)
        if (error := task.exception()) is not None:
            return Found(problem=f"failed: {type(error).__name__}", seconds=took)
        return task.result()

    def _none(self, why: str) -> Searched:
        return Searched(found=tuple((lookup.name, Found(problem=why)) for lookup in self._lookups))


def _noted(late: asyncio.Future[Found]) -> None:
    """What a late one still says or raises matters to nobody."""
    if not late.cancelled():
        late.exception()


def _merged(lists: Sequence[Sequence[Passage]], limit: int) -> tuple[Passage, ...]:
    """By rank across the lists: scores of different look-ups say nothing about each other."""
    merged: dict[str, Passage] = {}
    for rank in itertools.zip_longest(*lists):
        for passage in rank:
            if passage is not None:
                merged.setdefault(" ".join(terms(passage.text)) or passage.text, passage)
    return tuple(merged.values())[:limit]
