"""A journal in a SQL database: what SQLite and PostgreSQL have in common. Values are always parameters, never part of the SQL."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, TypeVar

from wager.errors import OutputError, UnknownNameError, UsageError
from wager.gateway.decision import Decided
from wager.gateway.group_commit import GroupCommit
from wager.gateway.journal_rows import COLUMNS, TABLE_COLUMNS, TEXTS, VERDICTS, Entry, Row, decided_of, row_of

__all__ = ["BINS", "SqlJournal"]

R = TypeVar("R")

LOG = logging.getLogger("wager.gateway.journal")

BINS = 10
"""Bins of the confidence, of equal width; the last one holds 1."""

NAMES = ", ".join(COLUMNS)
INSERT = f"INSERT INTO wager_decisions ({NAMES}) VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT (id) DO NOTHING"  # noqa: S608
"""Twice the same row is once: a commit whose answer was lost is tried again."""
ENTRIES = f"SELECT data, {', '.join(TEXTS)}, verdict FROM wager_decisions"  # noqa: S608
BIN = f"CASE {' '.join(f'WHEN confidence < {(place + 1) / BINS} THEN {place}' for place in range(BINS - 1))} ELSE {BINS - 1} END"
PRUNED = 1000
"""Rows removed in one transaction."""


class SqlJournal(ABC):
    """Decisions in the tables ``wager_decisions`` and ``wager_feedback``; a subclass says how to connect."""

    errors: tuple[type[Exception], ...] = ()
    """What the database raises."""
    refusals: tuple[type[Exception], ...] = ()
    """Those of them that are a row's own fault."""
    serial = ""
    """Type of a number that rises by itself."""
    readers = 1
    """Threads that read, each with a connection."""

    def __init__(self, *, keep_text: bool = False, keep_days: float | None = None) -> None:
        """Opens nothing yet.

        Args:
            keep_text: also keep questions, answers, quotes and notes; else these columns stay null.
            keep_days: remove decisions older than this; None keeps all.
        """
        if keep_days is not None and not keep_days > 0:
            raise UsageError(f"the journal keeps decisions for a number of days above 0, got {keep_days!r}")
        self._keep_text, self._keep_days = keep_text, keep_days
        self._group: GroupCommit[Row] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._connections: list[Any] = []
        self._listed = threading.Lock()

    @abstractmethod
    def _connect(self) -> Any:
        """A new connection with the tables in place; raises OutputError in one line."""

    @abstractmethod
    def _transaction(self, connection: Any) -> AbstractContextManager[Any]:
        """Begins to write, commits in the end, or takes everything back; gives what has ``execute``."""

    @abstractmethod
    def _said(self, error: Exception) -> OutputError:
        """The database's error in one line for the reader."""

    def _sql(self, text: str) -> str:
        """Statements are written with ``?``."""
        return text

    def _tables(self) -> list[str]:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        return [
            f"CREATE TABLE IF NOT EXISTS wager_decisions (seq {self.serial}, {columns}, verdict TEXT)",
            "CREATE INDEX IF NOT EXISTS wager_decisions_at ON wager_decisions (at)",
            "CREATE INDEX IF NOT EXISTS wager_decisions_client ON wager_decisions (client)",
            f"CREATE TABLE IF NOT EXISTS wager_feedback (seq {self.serial}, id TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, "
            "verdict TEXT NOT NULL, note TEXT, given_by TEXT)",
            "CREATE INDEX IF NOT EXISTS wager_feedback_id ON wager_feedback (id)",
        ]

    def _upgrades(self, version: int) -> list[str]:
        """What makes the tables of an earlier version those of this one; version 0 has none."""
        return ["ALTER TABLE wager_decisions ADD COLUMN client TEXT"] if version == 1 else []

    async def start(self) -> None:
        """Opens the database, makes the tables, starts the writer.

        Raises:
            OutputError: it cannot be written, in one line.
        """
        await asyncio.to_thread(self.open)

    def open(self) -> None:
        """`start` without an event loop; nothing happens if it is open."""
        if self._group is not None:
            return
        first = self._connect()
        try:
            self._probe(first)
        except self.errors as error:
            raise self._said(error) from error
        finally:
            first.close()
        self._pool = ThreadPoolExecutor(self.readers, thread_name_prefix="wager-journal-read")
        self._group = GroupCommit(self._commit, chore=self._prune if self._keep_days else None)

    def _probe(self, connection: Any) -> None:
        """Writes a row and removes it: a disk that is full or read-only says so now."""
        with self._transaction(connection) as cursor:
            cursor.execute(self._sql("INSERT INTO wager_feedback (id, at, verdict) VALUES (?, ?, ?)"), ("", 0.0, "probe"))
            cursor.execute(self._sql("DELETE FROM wager_feedback WHERE id = ?"), ("",))

    @property
    def written(self) -> int:
        """Decisions that this process has on disk."""
        return 0 if self._group is None else self._group.written

    @property
    def lost(self) -> int:
        """Decisions of this process that are not on disk though their request was answered: kept in memory for now, or given up."""
        return 0 if self._group is None else self._group.lost

    async def write(self, decided: Decided) -> None:
        """Returns once the row is on disk. Where it cannot be written it returns too: `lost` counts it, and it is tried again."""
        if self._group is None:
            raise UsageError("the journal is not open: start() it first")
        try:
            row = row_of(decided, keep_text=self._keep_text)
        except (TypeError, ValueError, AttributeError):  # not what it says it is; the client gets its answer none the less
            LOG.exception("a decision is no row of the journal: it is lost")
            self._group.drop()
            return
        await self._group.add(row)

    async def decision(self, id: str, *, client: str | None = None) -> Decided | None:  # noqa: A002 - the interface's name
        """The decision of that id; None if there is none, or it is another client's."""
        rows = await self._ask(f"{ENTRIES} WHERE id = ? {_own(client)}", (_plain(id), *_name(client)))
        return _entry(rows[0]).decided if rows else None

    async def feedback(
        self,
        id: str,  # noqa: A002
        verdict: str,
        note: str | None = None,
        by: str | None = None,
        *,
        client: str | None = None,
    ) -> bool:
        """Keeps what a reader said of a reply; the last verdict counts, earlier ones stay in the history.

        Args:
            id: of the decision.
            verdict: ``right``, ``wrong`` or ``unhelpful``.
            note: in words; kept only where the journal keeps text.
            by: name of the key that said so.
            client: name of the key whose decision it must be; None: anybody's.

        Returns:
            False if there is no such decision.

        Raises:
            UnknownNameError: another verdict.
            OutputError: it cannot be written.
        """
        if verdict not in VERDICTS:
            raise UnknownNameError("verdict", str(verdict), VERDICTS)
        kept = _plain(note)[:2000] if note is not None and self._keep_text else None
        found: bool = await self._run(self._judge, _plain(id), verdict, kept, None if by is None else _plain(by), client)
        return found

    def _judge(self, connection: Any, one: str, verdict: str, note: str | None, by: str | None, client: str | None) -> bool:
        update = f"UPDATE wager_decisions SET verdict = ? WHERE id = ? {_own(client)}"  # noqa: S608 - ours
        with self._transaction(connection) as cursor:
            if cursor.execute(self._sql(update), (verdict, one, *_name(client))).rowcount != 1:
                return False
            values = (one, time.time(), verdict, note, by)
            cursor.execute(self._sql("INSERT INTO wager_feedback (id, at, verdict, note, given_by) VALUES (?, ?, ?, ?, ?)"), values)
        return True

    async def recent(self, limit: int = 50, before: str | None = None, *, client: str | None = None) -> list[Entry]:
        """The last decisions, newest first.

        Args:
            limit: at most this many; at most 1,000.
            before: id of a decision: those before it. An id that is not there gives none.
            client: name of the key whose decisions are wanted; None: all.
        """
        most, own, name = max(0, min(int(limit), 1000)), _own(client), _name(client)
        where, values = "1 = 1", tuple[str, ...]()
        if before is not None:
            where, values = f"seq < (SELECT seq FROM wager_decisions WHERE id = ? {own})", (_plain(before), *name)  # noqa: S608 - ours
        rows = await self._ask(f"{ENTRIES} WHERE {where} {own} ORDER BY seq DESC LIMIT ?", (*values, *name, most))
        return [_entry(row) for row in rows]

    async def summary(self, since: datetime | None = None, *, client: str | None = None) -> dict[str, Any]:
        """Counts for a dashboard, of decisions made from ``since`` on; of one ``client``, the name of a key, or of all.

        Returns:
            ``decisions``; ``acts``: by kind, by act; ``confidence``: ``counts`` in `BINS` bins and how many are ``unknown``; ``feedback``:
            by verdict and ``none``; ``reliability``: for ``calibrated`` and ``raw`` confidences the bins with graded answers, each
            ``low``, ``high``, ``n``, ``mean_confidence``, ``share_right``. Unhelpful replies, withheld answers and unknown confidences
            are in no bin.
        """
        return await self._run(self._summary, since.timestamp() if since is not None else -1e18, client)

    def _summary(self, connection: Any, since: float, client: str | None) -> dict[str, Any]:
        def rows(select: str, where: str, groups: str) -> list[Row]:
            ours = f"at >= ? {_own(client)} {where}"
            text = f"SELECT {select} FROM wager_decisions WHERE {ours} GROUP BY {groups} ORDER BY {groups}"  # noqa: S608 - ours
            return list(connection.execute(self._sql(text), (since, *_name(client))).fetchall())

        acts: dict[str, dict[str, int]] = {}
        for kind, act, count in rows("kind, act, COUNT(*)", "", "kind, act"):
            acts.setdefault(kind, {})[act] = count
        counts = [0] * BINS
        for place, count in rows(f"{BIN}, COUNT(*)", "AND confidence IS NOT NULL", "1"):
            counts[place] = count
        total = sum(sum(by_act.values()) for by_act in acts.values())
        feedback = dict.fromkeys((*VERDICTS, "none"), 0)
        for verdict, count in rows("COALESCE(verdict, 'none'), COUNT(*)", "", "1"):
            feedback[verdict] = count
        reliability: dict[str, list[dict[str, float]]] = {"calibrated": [], "raw": []}
        share = "AVG(CASE verdict WHEN 'right' THEN 1.0 ELSE 0.0 END)"
        graded = "AND given = 1 AND own = 1 AND confidence IS NOT NULL AND verdict IN ('right', 'wrong')"
        for calibrated, place, count, mean, right in rows(f"calibrated, {BIN}, COUNT(*), AVG(confidence), {share}", graded, "1, 2"):
            found = {"low": place / BINS, "high": (place + 1) / BINS, "n": count, "mean_confidence": mean, "share_right": float(right)}
            reliability["calibrated" if calibrated else "raw"].append(found)
        return {
            "decisions": total,
            "acts": acts,
            "confidence": {"bins": BINS, "counts": counts, "unknown": total - sum(counts)},
            "feedback": feedback,
            "reliability": reliability,
        }

    async def close(self) -> None:
        """Writes what waits and closes everything; may be called twice."""
        await asyncio.to_thread(self.shut)

    def shut(self) -> None:
        """`close` without an event loop."""
        if self._group is not None:
            self._group.close()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        with self._listed:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _commit(self, rows: Sequence[Row]) -> int:
        """All rows in one transaction; if one is bad, the others without it. Returns how many were bad."""
        try:
            with self._held() as connection, self._transaction(connection) as cursor:
                cursor.executemany(self._sql(INSERT), rows)
        except self.refusals:
            return sum(self._refused(row) for row in rows) if len(rows) > 1 else 1
        return 0

    def _refused(self, row: Row) -> bool:
        return bool(self._commit([row]))

    def _prune(self) -> None:
        """Removes what is too old, a little at a time."""
        oldest = time.time() - (self._keep_days or 0) * 86400
        old = "SELECT id FROM wager_decisions WHERE at < ? ORDER BY at LIMIT ?"
        while True:
            with self._held() as connection, self._transaction(connection) as cursor:
                ids = cursor.execute(self._sql(old), (oldest, PRUNED)).fetchall()
                cursor.executemany(self._sql("DELETE FROM wager_feedback WHERE id = ?"), ids)
                cursor.executemany(self._sql("DELETE FROM wager_decisions WHERE id = ?"), ids)
            if len(ids) < PRUNED:
                return

    async def _ask(self, text: str, values: Row) -> list[Row]:
        return await self._run(lambda connection: list(connection.execute(self._sql(text), values).fetchall()))

    async def _run(self, work: Callable[..., R], *values: Any) -> R:
        """In a reading thread, with its connection."""
        if self._pool is None:
            raise UsageError("the journal is not open: start() it first")
        return await asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(self._work, work, *values))

    def _work(self, work: Callable[..., R], *values: Any) -> R:
        try:
            with self._held() as connection:
                return work(connection, *values)
        except self.errors as error:
            raise self._said(error) from error

    def _held(self) -> AbstractContextManager[Any]:
        """This thread's connection; after an error it is closed, and the next call gets a new one."""
        return _Held(self)

    def _take(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            with self._listed:
                self._connections.append(connection)
        return connection

    def _drop(self) -> None:
        connection, self._local.connection = self._local.connection, None
        with self._listed:
            if connection in self._connections:
                self._connections.remove(connection)
        connection.close()


class _Held:
    """Around the use of a thread's connection."""

    def __init__(self, journal: SqlJournal) -> None:
        self._journal = journal

    def __enter__(self) -> Any:
        return self._journal._take()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None and issubclass(kind, self._journal.errors):
            self._journal._drop()


def table_rows(connection: Any) -> Iterator[Row]:
    """The rows of `answer_table`, oldest first."""
    yield from connection.execute(f"SELECT {', '.join(TABLE_COLUMNS)} FROM wager_decisions ORDER BY seq")  # noqa: S608


def _entry(row: Row) -> Entry:
    data, question, answer, text, verdict = row
    return Entry(decided=decided_of(data, {"question": question, "answer": answer, "text": text}), verdict=verdict)


def _own(client: str | None) -> str:
    """The condition that a decision is this client's; its value is `_name`."""
    return "" if client is None else "AND client = ?"


def _name(client: str | None) -> tuple[str, ...]:
    return () if client is None else (_plain(client),)


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
