"""Many small writes, few commits: rows wait for one thread, which commits all that have come since its last commit.

A row's caller goes on once its row is on disk, so nothing that was acknowledged can be lost; the cost of a commit is shared by all who
wait for it. Where a commit fails (disk full, database gone) the callers go on at once, and the rows are kept in memory, up to a bound,
and tried again.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["GroupCommit"]

T = TypeVar("T")

LOG = logging.getLogger("wager.gateway.journal")

LARGEST_GROUP = 1000
"""Rows in one commit."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds until a failed commit is tried again: doubled each time."""

_Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[bool]"]


class GroupCommit(Generic[T]):
    """A thread that commits rows in groups."""

    def __init__(
        self,
        commit: Callable[[Sequence[T]], int],
        *,
        chore: Callable[[], None] | None = None,
        chore_seconds: float = 3600.0,
        most_waiting: int = 10_000,
    ) -> None:
        """Starts the thread.

        Args:
            commit: writes rows for good, or raises and writes none; returns how many it refused because they themselves are bad. Called
                in the thread only.
            chore: called in the thread at the start and every ``chore_seconds``; may raise.
            most_waiting: rows that are kept in memory while commits fail; later ones are lost.
        """
        self._commit, self._chore, self._chore_seconds, self._most = commit, chore, chore_seconds, most_waiting
        self._queue: queue.SimpleQueue[tuple[T, _Waiter] | None] = queue.SimpleQueue()
        self._waiting: deque[T] = deque()
        self._pause, self._again, self._next_chore = 0.0, 0.0, 0.0
        self._written = self._dropped = 0
        self._open = True
        self._thread = threading.Thread(target=self._run, name="wager-journal", daemon=True)
        self._thread.start()

    @property
    def written(self) -> int:
        """Rows on disk."""
        return self._written

    @property
    def lost(self) -> int:
        """Rows whose caller has gone on and which are not on disk: those that wait for another try, and those given up."""
        return len(self._waiting) + self._dropped

    def drop(self) -> None:
        """Counts a row that cannot even be made."""
        self._dropped += 1

    async def add(self, row: T) -> bool:
        """Returns once the row is on disk, True; or, False, once it is known that it cannot be now. Cancelling it loses no row."""
        if not self._open:
            self._dropped += 1
            LOG.error("a decision came after the journal was closed: it is lost")
            return False
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._queue.put((row, (loop, future)))
        return await future

    def close(self, seconds: float = 10.0) -> None:
        """Commits what waits, tries once more what failed, and ends the thread. May be called twice."""
        if self._open:
            self._open = False
            self._queue.put(None)
        self._thread.join(seconds)
        while not self._thread.is_alive() and not self._queue.empty():  # what came behind the end
            late = self._queue.get()
            if late is not None:
                self._dropped += 1
                _tell([late[1]], False)
        if self._waiting:
            LOG.error("the journal was closed with %d decisions that could not be written: they are lost", len(self._waiting))

    def _run(self) -> None:
        ending = False
        while not ending:
            self._do_chore()
            group, waiters, ending = self._collect()
            if group:
                self._write(group, waiters)
            if self._waiting and (ending or time.monotonic() >= self._again):
                self._retry()

    def _collect(self) -> tuple[list[T], list[_Waiter], bool]:
        """All that has come; blocks until something does, or something else is due."""
        due = min(self._next_chore, self._again if self._waiting else self._next_chore)
        try:
            found = self._queue.get(timeout=max(0.001, due - time.monotonic()))
        except queue.Empty:
            return [], [], False
        group: list[T] = []
        waiters: list[_Waiter] = []
        while found is not None:
            group.append(found[0])
            waiters.append(found[1])
            if len(group) >= LARGEST_GROUP:
                return group, waiters, False
            try:
                found = self._queue.get_nowait()
            except queue.Empty:
                return group, waiters, False
        return group, waiters, True

    def _write(self, group: list[T], waiters: list[_Waiter]) -> None:
        """Writes a group, or keeps it: while commits fail nobody waits for one."""
        done = not self._waiting and self._try(group)
        if not done:
            room = max(0, self._most - len(self._waiting))
            self._waiting.extend(group[:room])
            self._dropped += len(group) - min(room, len(group))
        _tell(waiters, done)

    def _retry(self) -> None:
        while self._waiting:
            group = [self._waiting[place] for place in range(min(LARGEST_GROUP, len(self._waiting)))]
            if not self._try(group):
                return
            for _ in group:
                self._waiting.popleft()
        LOG.warning("the journal is written again; %d decisions are lost", self._dropped)

    def _try(self, group: list[T]) -> bool:
        try:
            refused = self._commit(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, requests go on
            if not self._pause:
                LOG.error("the journal cannot be written (%s): decisions are kept in memory and tried again", _line(error))
            self._pause = min(LONGEST_PAUSE, 2 * self._pause or FIRST_PAUSE)
            self._again = time.monotonic() + self._pause
            return False
        self._pause = 0.0
        self._written += len(group) - refused
        self._dropped += refused
        return True

    def _do_chore(self) -> None:
        if time.monotonic() < self._next_chore:
            return
        self._next_chore = time.monotonic() + self._chore_seconds
        if self._chore is not None:
            try:
                self._chore()
            except Exception as error:  # noqa: BLE001 - tried again in an hour
                LOG.warning("old decisions could not be removed from the journal: %s", _line(error))


def _line(error: BaseException) -> str:
    """Its first line: PostgreSQL's others show the row."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:300]


def _tell(waiters: list[_Waiter], done: bool) -> None:
    """Wakes each event loop once."""
    loops = {id(loop): loop for loop, _ in waiters}
    for key, loop in loops.items():
        futures = [future for other, future in waiters if id(other) == key]
        try:
            loop.call_soon_threadsafe(_resolve, futures, done)
        except RuntimeError:  # the loop was closed: nobody waits any more
            continue


def _resolve(futures: list[asyncio.Future[bool]], done: bool) -> None:
    for future in futures:
        if not future.done():
            future.set_result(done)
