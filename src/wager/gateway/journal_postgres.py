"""The journal in PostgreSQL: for workers on several machines. Tables ``wager_decisions`` and ``wager_feedback``, as in SQLite."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from wager.errors import DataError, MissingExtraError, OutputError
from wager.gateway.journal_rows import answer_table
from wager.gateway.journal_sql import SqlJournal, table_rows
from wager.table import AnswerTable

try:
    import psycopg
except ImportError as error:
    raise MissingExtraError("psycopg", "postgres", "a journal in PostgreSQL") from error

__all__ = ["PostgresJournal", "table"]

VERSION = 2
"""Raised when the tables change."""
LOCK = 0x77616765
"""Advisory lock under which one of many workers makes the tables."""
SETTINGS = "-c statement_timeout=10000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000"
"""Milliseconds: a server that hangs holds no request for longer."""


class PostgresJournal(SqlJournal):
    """Three connections at most for each process: one writes, two read. A lost one is made anew at the next use."""

    errors = (psycopg.Error, OverflowError)
    refusals = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, OverflowError)
    serial = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    readers = 2

    def __init__(self, dsn: str, *, keep_text: bool = False, keep_days: float | None = None) -> None:
        """Opens nothing yet.

        Args:
            dsn: ``postgresql://user@host/database`` or ``host=... dbname=...``; a password is better left to PGPASSFILE.
            keep_text: also keep questions, answers, quotes and notes.
            keep_days: remove decisions older than this.
        """
        super().__init__(keep_text=keep_text, keep_days=keep_days)
        self._dsn = dsn

    def _connect(self) -> Any:
        try:
            connection = _connected(self._dsn)
        except psycopg.Error as error:
            raise self._said(error) from error
        try:
            with self._transaction(connection) as cursor:
                self._make(cursor)
        except (psycopg.Error, OutputError) as error:
            connection.close()
            raise error if isinstance(error, OutputError) else self._said(error) from error
        return connection

    def _make(self, cursor: Any) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        if cursor.execute("SELECT to_regclass('wager_journal')").fetchone()[0] is None:
            cursor.execute("CREATE TABLE wager_journal (version INTEGER NOT NULL)")
            cursor.execute("INSERT INTO wager_journal VALUES (%s)", (VERSION,))
            for statement in self._tables():
                cursor.execute(statement)
        version = cursor.execute("SELECT version FROM wager_journal").fetchone()[0]
        if version < VERSION:
            for statement in (*self._upgrades(version), *self._tables()):
                cursor.execute(statement)
            cursor.execute("UPDATE wager_journal SET version = %s", (VERSION,))
        if version > VERSION:
            raise OutputError(f"the journal in {shown(self._dsn)} has version {version}, this wager writes {VERSION}; update wager")

    @contextlib.contextmanager
    def _transaction(self, connection: Any) -> Iterator[Any]:
        with connection.transaction(), connection.cursor() as cursor:
            yield cursor

    def _sql(self, text: str) -> str:
        return text.replace("?", "%s")

    def _said(self, error: Exception) -> OutputError:
        return OutputError(f"the journal in {shown(self._dsn)} cannot be used: {_line(error)}")


def _connected(dsn: str) -> Any:
    return psycopg.connect(dsn, autocommit=True, connect_timeout=5, options=SETTINGS, application_name="wager")


def _line(error: Exception) -> str:
    """The first line: the others may show a row."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def shown(dsn: str) -> str:
    """Where a journal is, without user and password.

    >>> shown("postgresql://me:secret@db.example/wager?sslmode=require")
    'PostgreSQL (db.example/wager)'
    >>> shown("host=db dbname=wager password=secret")
    'PostgreSQL (db/wager)'
    """
    try:
        parts = psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        return "PostgreSQL"
    where = "/".join(str(parts[name]) for name in ("host", "dbname") if parts.get(name))
    return f"PostgreSQL ({re.sub(r'[^ -~]', '?', where)})" if where else "PostgreSQL"


def table(dsn: str) -> AnswerTable:
    """As `wager.gateway.journal.table`.

    Raises:
        DataError: there is no journal, or it cannot be read.
    """
    try:
        with contextlib.closing(_connected(dsn)) as connection:
            return answer_table(table_rows(connection))
    except psycopg.Error as error:
        raise DataError(f"the journal in {shown(dsn)} cannot be read: {_line(error)}") from error
