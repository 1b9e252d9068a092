"""What is kept of each decision, for the dashboard, for ``GET /v1/wager/decisions/{id}``, and for calibration once feedback comes in.

`SqliteJournal` is a file that several workers write; `wager.gateway.journal_postgres` the same in PostgreSQL. Without permission no text
of a prompt, an answer or a passage is kept. ``table`` reads a journal as an `AnswerTable`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from wager.errors import DataError, OutputError
from wager.gateway.decision import Decided
from wager.gateway.journal_rows import Entry, Verdict, answer_table
from wager.gateway.journal_sql import SqlJournal, table_rows
from wager.table import AnswerTable

__all__ = ["Entry", "Journal", "SqliteJournal", "Verdict", "table"]

FILE = "journal.sqlite"
APPLICATION = 0x77616765
"""``wage``: SQLite's application_id, by which another program's database is told."""
VERSION = 2
"""SQLite's user_version: raised when the tables change."""
WHOSE = "SELECT application_id, user_version, EXISTS (SELECT 1 FROM sqlite_master) FROM pragma_application_id, pragma_user_version"
"""Whose a database is, in one look: between two, another process may have made the tables."""
LOCKED_SECONDS = 2.0
"""How long a statement waits for another process."""
CHECKED_BYTES = 2**25
"""Size up to which the whole file is checked at the start: about 0.1 s."""


class RemovedError(sqlite3.OperationalError):
    """The file that is open is no longer the one of that name."""


class Journal(Protocol):
    """Keeps decisions. One object per process; safe to use from many tasks at once."""

    @property
    def written(self) -> int:
        """Decisions that this process has on disk."""
        ...

    @property
    def lost(self) -> int:
        """Decisions of this process that are not on disk though their request was answered."""
        ...

    async def start(self) -> None:
        """Opens it; raises `wager.errors.OutputError` in one line."""
        ...

    async def write(self, decided: Decided) -> None:
        """Returns once the row is on disk, or once it is known that it cannot be now: then `lost` counts it. Never raises for the disk."""
        ...

    async def decision(self, id: str, *, client: str | None = None) -> Decided | None:  # noqa: A002
        """The decision of that id; None if there is none. Raises OutputError where the journal cannot be read.

        Here and below, ``client`` is the name of a key: what others asked is then not there. None sees all.
        """
        ...

    async def feedback(
        self,
        id: str,  # noqa: A002
        verdict: str,
        note: str | None = None,
        by: str | None = None,
        *,
        client: str | None = None,
    ) -> bool:
        """Keeps what a reader said of a reply; False if there is no such decision. Raises UnknownNameError, OutputError."""
        ...

    async def recent(self, limit: int = 50, before: str | None = None, *, client: str | None = None) -> list[Entry]:
        """The last decisions, newest first; before the one with the id ``before``."""
        ...

    async def summary(self, since: datetime | None = None, *, client: str | None = None) -> dict[str, Any]:
        """Counts for a dashboard: `wager.gateway.journal_sql.SqlJournal.summary`."""
        ...

    async def close(self) -> None:
        """Writes what waits and closes everything; may be called twice."""
        ...


class SqliteJournal(SqlJournal):
    """``FOLDER/journal.sqlite``, in WAL mode: any number of processes of one machine write it, and readers never wait.

    A row whose `write` has returned survives the death of the process. It survives the death of the machine only with ``fsync``, which
    waits for the disk at each commit. WAL needs a local disk: a network folder is refused or unsafe; use PostgreSQL there.
    """

    errors = (sqlite3.Error, OverflowError)
    refusals = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.DataError, sqlite3.ProgrammingError, OverflowError)
    serial = "INTEGER PRIMARY KEY AUTOINCREMENT"

    def __init__(self, folder: Path, *, keep_text: bool = False, keep_days: float | None = None, fsync: bool = False) -> None:
        """Opens nothing yet.

        Args:
            folder: is made if it is not there; it and the file are readable for their owner only.
            keep_text: also keep questions, answers, quotes and notes.
            keep_days: remove decisions older than this.
            fsync: wait for the disk at each commit.
        """
        super().__init__(keep_text=keep_text, keep_days=keep_days)
        self._path, self._fsync = Path(folder) / FILE, fsync
        self._file: tuple[int, int] | None = None

    def _connect(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise OutputError(f"the journal {str(self._path)!r} cannot be written: {error.strerror}") from error
        connection = sqlite3.connect(self._path, timeout=LOCKED_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except (sqlite3.Error, OutputError) as error:
            connection.close()
            raise error if isinstance(error, OutputError) else self._said(error) from error
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        application, version, filled = connection.execute(WHOSE).fetchone()
        if application not in (0, APPLICATION) or (not application and filled):
            raise OutputError(f"{str(self._path)!r} is a database of another program; choose another folder for the journal")
        self._check(connection)
        if version > VERSION:
            raise OutputError(f"the journal {str(self._path)!r} has version {version}, this wager writes {VERSION}; update wager")
        if _wal(connection) != "wal":
            raise OutputError(f"the journal {str(self._path)!r} needs a local disk: SQLite cannot keep a write-ahead log there")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._fsync else 'NORMAL'}")
        connection.execute("PRAGMA secure_delete = ON")  # what is removed because it is too old is gone
        if version < VERSION:
            with self._transaction(connection):
                version = connection.execute("PRAGMA user_version").fetchone()[0]  # another process may have been first
                for statement in (*self._upgrades(version), *self._tables()):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")

    def _check(self, connection: sqlite3.Connection) -> None:
        """Whether a small file is whole; a large one shows its damage in use."""
        if self._group is None and self._path.stat().st_size < CHECKED_BYTES:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            if found != "ok":
                raise sqlite3.DatabaseError(f"malformed: {' '.join(found.split())}"[:200])

    @contextlib.contextmanager
    def _transaction(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise

    def _take(self) -> Any:
        """As before, unless the file was removed or replaced: rows written to the old one would reach nobody. Until the server starts anew
        nothing is written, since closing the old file could remove the new one's log."""
        connection = super()._take()
        try:
            found = self._path.stat()
            there = (found.st_dev, found.st_ino)
        except OSError:
            there = (0, 0)
        self._file = self._file or there
        if there != self._file:
            raise RemovedError("it was removed or replaced while in use; start the server again")
        return connection

    def _said(self, error: Exception) -> OutputError:
        what = str(error)
        if "locked" in what:
            what = f"another process has held it locked for {LOCKED_SECONDS:g} s"
        elif "malformed" in what or "not a database" in what:
            what = f"it is damaged ({what}); move it away, and a new one is made"
        return OutputError(f"the journal {str(self._path)!r} cannot be used: {what}")


def _wal(connection: sqlite3.Connection) -> str:
    """Switches the write-ahead log on; two processes that do so at once may find the file locked without being made to wait."""
    for attempt in range(20):
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == 19:
                raise
            time.sleep(0.05)
    raise AssertionError


def table(folder: str | os.PathLike[str]) -> AnswerTable:
    """A journal as graded answers, one row per decision, oldest first; a server may be writing it.

    An answer with the feedback ``right`` is correct, with ``wrong`` incorrect; without, or ``unhelpful``, it is ungraded. A reply that
    gave no answer is an abstention whatever was said of it: the answer that was withheld is never judged. A refusal is ungraded.

    Args:
        folder: of the journal.

    Raises:
        DataError: there is no journal, or it cannot be read.
    """
    path = Path(folder) / FILE if not str(folder).endswith(".sqlite") else Path(folder)
    if not path.is_file():
        raise DataError(f"no journal in {str(folder)!r}: {FILE!r} is not there")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=LOCKED_SECONDS)) as connection:
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
                raise DataError(f"{str(path)!r} is no journal of wager")
            return answer_table(table_rows(connection))
    except sqlite3.Error as error:
        raise DataError(f"the journal {str(path)!r} cannot be read: {error}") from error
