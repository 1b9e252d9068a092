"""A full-text index of a folder in SQLite (FTS5, BM25), in memory or in a file that several processes share."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wager.errors import DataError, ModelError, OutputError
from wager.lookup.documents import Document
from wager.lookup.words import is_blankless, terms

__all__ = ["Hit", "Index", "Stamp", "check_fts5"]

_VERSION = 1
"""Of the tables and of how terms are made; an index of another version is built anew."""
_MOST_TERMS = 48
"""Terms of a question that are searched for: the longest ones."""
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, mtime INTEGER NOT NULL, size INTEGER NOT NULL, problem TEXT,
                    latin INTEGER NOT NULL, paged INTEGER NOT NULL, title TEXT NOT NULL);
CREATE TABLE passages (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX passages_file ON passages (file);
CREATE VIRTUAL TABLE fts USING fts5 (title, words, tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'");
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (fts, 'row');
INSERT INTO fts (fts, rank) VALUES ('rank', 'bm25(2.0, 1.0)');
"""

Stamp = tuple[int, int]
"""Time of the last change of content or permissions in nanoseconds, and size in bytes: what tells whether a file has changed."""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A passage that fits."""

    path: str
    """Of its file, relative to the folder."""
    title: str
    """Of its file."""
    text: str
    """As it stands."""
    first: int
    """1-based number of its first line, or page."""
    last: int
    """And of its last one."""
    paged: bool
    """Whether these are pages."""
    score: float
    """BM25, higher is better."""


def check_fts5() -> None:
    """Raises a `ModelError` if SQLite was compiled without full-text search."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE probe USING fts5 (text)")
    except sqlite3.OperationalError:
        version = sqlite3.sqlite_version
        raise ModelError(
            f"the SQLite {version} of this Python has no full-text search (FTS5): use a Python from python.org or conda"
        ) from None
    finally:
        connection.close()


class Index:
    """The tables, behind one lock: safe to use from several threads, and with a file from several processes.

    Args:
        folder: whose documents these are; an index of another folder is refused.
        path: where to keep it; in memory without.

    Raises:
        ModelError: SQLite has no full-text search.
        DataError: the file is no index, or one of another folder.
        OutputError: the file cannot be opened or created.
    """

    def __init__(self, folder: Path, path: Path | None = None) -> None:
        check_fts5()
        self._lock = threading.Lock()
        try:
            if path is not None:  # it holds the documents' text: for the eyes of its owner, as are the files that SQLite puts beside it
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(
                ":memory:" if path is None else path, check_same_thread=False, isolation_level=None, timeout=30
            )
        except (OSError, sqlite3.Error) as error:
            why = getattr(error, "strerror", None) or error
            raise OutputError(f"cannot open the index {str(path)!r}: {why}; name a file in a folder that exists") from error
        try:
            self._prepare(str(folder))
        except sqlite3.Error as error:
            self._connection.close()
            kind = OutputError if isinstance(error, sqlite3.OperationalError) else DataError
            raise kind(f"cannot use {str(path)!r} as an index: {error}; delete it, or name another file") from error
        except DataError:
            self._connection.close()
            raise

    def _prepare(self, folder: str) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")  # a crash of the machine may lose the last changes, never the index
        with self._writing():
            if run("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
                self._create(folder)
                return
            if run("SELECT 1 FROM sqlite_master WHERE name IN ('meta', 'vocabulary') LIMIT 1").fetchone() is None:
                raise DataError("the file named as index is a database of something else: name another file")
            meta = dict(run("SELECT key, value FROM meta").fetchall())
            if meta.get("folder") != folder:
                raise DataError(f"the index belongs to the folder {meta.get('folder')!r}, not to {folder!r}: name another file for it")
            if meta.get("version") != str(_VERSION):
                for table in ("vocabulary", "fts", "passages", "files", "meta"):
                    run(f"DROP TABLE IF EXISTS {table}")
                self._create(folder)

    def _create(self, folder: str) -> None:
        for statement in _TABLES.split(";\n"):
            self._connection.execute(statement)
        self._connection.executemany("INSERT INTO meta VALUES (?, ?)", [("folder", folder), ("version", str(_VERSION))])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that waits for those of other processes."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def stamps(self) -> dict[str, Stamp]:
        """What is indexed, files that cannot be read included: path to stamp."""
        with self._lock:
            return {path: (mtime, size) for path, mtime, size in self._connection.execute("SELECT path, mtime, size FROM files")}

    def put(self, files: Sequence[tuple[str, Stamp, Document | str]]) -> None:
        """Takes in files, or the reasons why they cannot be read, in place of what was known of them."""
        with self._lock, self._writing():
            for path, stamp, document in files:
                known = self._connection.execute("SELECT id, mtime, size FROM files WHERE path = ?", (path,)).fetchone()
                if known is not None and known[1:] == stamp:
                    continue  # another process was faster
                if known is not None:
                    self._remove(known[0])
                self._add(path, stamp, document)

    def drop(self, paths: Sequence[str]) -> None:
        """Forgets files."""
        with self._lock, self._writing():
            for path in paths:
                known = self._connection.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
                if known is not None:
                    self._remove(known[0])

    def _remove(self, file: int) -> None:
        run = self._connection.execute
        run("DELETE FROM fts WHERE rowid IN (SELECT id FROM passages WHERE file = ?)", (file,))
        run("DELETE FROM passages WHERE file = ?", (file,))
        run("DELETE FROM files WHERE id = ?", (file,))

    def _add(self, path: str, stamp: Stamp, document: Document | str) -> None:
        run = self._connection.execute
        whole = "INSERT INTO files (path, mtime, size, problem, latin, paged, title) VALUES (?, ?, ?, ?, ?, ?, ?)"
        if isinstance(document, str):
            run(whole, (path, *stamp, document, False, False, ""))
            return
        file = run(whole, (path, *stamp, None, document.latin, document.paged, document.title)).lastrowid
        for piece in document.pieces:
            values = (file, piece.first, piece.last, piece.text)
            row = run("INSERT INTO passages (file, first, last, text) VALUES (?, ?, ?, ?)", values).lastrowid
            head, words = (" ".join(terms(text, every=True)) for text in (f"{document.title}\n{piece.section}", piece.text))
            run("INSERT INTO fts (rowid, title, words) VALUES (?, ?, ?)", (row, head, words))

    def search(self, wanted: Sequence[str], *, limit: int, seconds: float) -> list[Hit]:
        """The passages with any of the terms, best first; none without a term.

        Raises:
            TimeoutError: it took longer than ``seconds``.
        """
        query = _query(wanted)
        if not query:
            return []
        sql = (
            "SELECT files.path, files.title, passages.text, passages.first, passages.last, files.paged, -fts.rank FROM fts"
            " JOIN passages ON passages.id = fts.rowid JOIN files ON files.id = passages.file WHERE fts MATCH ? ORDER BY fts.rank LIMIT ?"
        )
        until = time.monotonic() + seconds
        if not self._lock.acquire(timeout=seconds):
            raise TimeoutError
        try:
            self._connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
            rows = self._connection.execute(sql, (query, limit)).fetchall()
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise TimeoutError from None
            raise
        finally:
            self._connection.set_progress_handler(None, 0)
            self._lock.release()
        names = ("path", "title", "text", "first", "last", "paged", "score")
        return [Hit(**dict(zip(names, (*row[:5], bool(row[5]), row[6]), strict=True))) for row in rows]

    def rarities(self, wanted: Sequence[str]) -> dict[str, float]:
        """For each term the logarithm of how many times rarer it is than one that stands in every passage; 0 or more."""
        with self._lock:
            n = self._connection.execute("SELECT count(*) FROM passages").fetchone()[0]
            counts = {term: self._connection.execute("SELECT doc FROM vocabulary WHERE term = ?", (term,)).fetchone() for term in wanted}
        return {term: math.log((n + 1) / ((found[0] if found else 0) + 1)) for term, found in counts.items()}

    def counts(self) -> tuple[int, int, int, Mapping[str, int]]:
        """Files, passages, files read as Latin-1, and of the files that were left out how many for each reason."""
        with self._lock:
            run = self._connection.execute
            files, latin = run("SELECT count(*), coalesce(sum(latin), 0) FROM files WHERE problem IS NULL").fetchone()
            passages = run("SELECT count(*) FROM passages").fetchone()[0]
            left = dict(run("SELECT problem, count(*) FROM files WHERE problem IS NOT NULL GROUP BY problem ORDER BY problem").fetchall())
        return files, passages, latin, left

    def close(self) -> None:
        """Frees it; may be called twice."""
        with self._lock:
            self._connection.close()


def _query(wanted: Sequence[str]) -> str:
    """Any of the terms, each a quoted string of letters and digits: nothing of the question is read as a query."""
    longest = sorted(dict.fromkeys(wanted), key=len, reverse=True)[:_MOST_TERMS]
    # A single character of a script without blanks is the beginning of a pair.
    return " OR ".join(f'"{term}"' + ("*" if len(term) == 1 and is_blankless(term) else "") for term in longest)
