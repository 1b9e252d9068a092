"""Full-text search over the user's own folder of documents: indexed on start, updated when files change."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from wager.errors import UsageError, WagerError
from wager.lookup.documents import SUFFIXES, Document, UnreadableError, read_document
from wager.lookup.index import Hit, Index, Stamp
from wager.lookup.passages import Found, Passage
from wager.lookup.words import content_terms

__all__ = ["Folder", "Indexed"]

MOST_BYTES = 4 * 1024 * 1024
"""Size of the largest file that is read, unless another one is asked for."""
MOST_FILES = 100_000
"""Files that are looked at; the rest is left out, and counted."""
_AT_ONCE = 64
"""Files that are taken in by one transaction: between two of them a search can run."""
_PATIENCE = 1.0
"""Seconds that a search waits for changed files to be read; after them it searches what there is."""


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """What a look-up can search."""

    files: int = 0
    """Files that were read."""
    passages: int = 0
    """What they were cut into."""
    latin: int = 0
    """Of the files, those that are not valid UTF-8 and were read as Latin-1."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Files of the kinds that are read, but could not be: reason to how many."""


class Folder:
    """Searches the text, Markdown, reStructuredText, HTML, CSV, JSON and log files (PDF with pypdf) under a folder, with BM25.

    Hidden files and folders are passed over; so are links, but for those to a file inside the folder. A search first looks for new,
    changed and deleted files by time and size, at most every ``every`` seconds.

    Args:
        path: the folder.
        index: file to keep the index in: faster starts, and shared by all processes that name it. It holds the text of the documents.
            In memory without.
        name: of the look-up.
        every: seconds between two looks for changes.
        most_bytes: size of the largest file that is read.
        seconds: longest time of one search.

    Raises:
        UsageError: a time or a size that is not positive.

    >>> import asyncio, tempfile
    >>> async def ask(folder, question):
    ...     await folder.start()
    ...     found = await folder.search(question)
    ...     await folder.close()
    ...     return found
    >>> place = tempfile.TemporaryDirectory()
    >>> _ = Path(place.name, "peru.md").write_text("# Peru\\n\\nLima is its capital.")
    >>> found = asyncio.run(ask(Folder(Path(place.name)), "What is the capital of Peru?"))
    >>> found.passages[0].title, found.passages[0].uri.rsplit("/", 1)[1]
    ('Peru', 'peru.md#L1-L3')
    >>> place.cleanup()
    """

    def __init__(
        self,
        path: Path,
        *,
        index: Path | None = None,
        name: str = "documents",
        every: float = 5.0,
        most_bytes: int = MOST_BYTES,
        seconds: float = 5.0,
    ) -> None:
        if every < 0 or most_bytes <= 0 or seconds <= 0:
            raise UsageError(f"every is 0 or more, most_bytes and seconds are above 0, got {every!r}, {most_bytes!r} and {seconds!r}")
        self._given, self._index_path, self._name = path, index, name
        self._every, self._most_bytes, self._seconds = every, most_bytes, seconds
        self._index: Index | None = None
        self._root = path
        self._threads: ThreadPoolExecutor | None = None
        self._updating: asyncio.Future[None] | None = None
        self._updated = -float("inf")
        self._unread: Counter[str] = Counter()
        self._closing = threading.Event()

    @property
    def name(self) -> str:
        """Its name in decisions and in the journal."""
        return self._name

    async def start(self) -> None:
        """Indexes the folder, or what has changed since the index in the file was written.

        Raises:
            UsageError: there is no such folder.
            ModelError: SQLite has no full-text search.
            DataError: the index file is something else, or of another folder.
            OutputError: the index file cannot be written.
        """
        if not self._given.is_dir():
            raise UsageError(f"the look-up {self._name!r} needs a folder that exists, got {str(self._given)!r}")
        self._closing.clear()
        # Two threads: a search need not wait for files to be read.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix=f"wager-{self._name}")
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._open)
        except BaseException as error:
            await self.close()
            if isinstance(error, OSError) and not isinstance(error, WagerError):
                raise UsageError(f"the folder of the look-up {self._name!r} cannot be listed: {error.strerror}") from error
            raise
        self._updated = time.monotonic()

    def _open(self) -> None:
        self._root = self._given.resolve()
        self._index = Index(self._root, self._index_path)
        self._update()

    async def search(self, question: str, *, limit: int = 4) -> Found:
        """The passages that share the most telling words with the question.

        Args:
            question: any text; only its words count.
            limit: how many at most.
        """
        began = time.monotonic()
        index, threads = self._index, self._threads
        if index is None or threads is None:
            return Found(problem="not started")
        problem = await self._fresh(threads)
        passages: tuple[Passage, ...] = ()
        try:
            left = max(0.05, self._seconds - (time.monotonic() - began))
            hits = await asyncio.get_running_loop().run_in_executor(threads, self._hits, index, question, limit, left)
            passages = tuple(self._passage(hit) for hit in hits)
        except TimeoutError:
            problem = f"timed out after {self._seconds:g} s"
        except (sqlite3.Error, RuntimeError) as error:  # the file was damaged meanwhile, or the look-up closed
            problem = f"the index does not work: {error}"
        return Found(passages=passages, problem=problem, seconds=time.monotonic() - began)

    @staticmethod
    def _hits(index: Index, question: str, limit: int, seconds: float) -> list[Hit]:
        return index.search(content_terms(question[:20_000]), limit=limit, seconds=seconds)

    def _passage(self, hit: Hit) -> Passage:
        where = f"page={hit.first}" if hit.paged else f"L{hit.first}-L{hit.last}" if hit.last > hit.first else f"L{hit.first}"
        uri = f"{self._root.as_uri().rstrip('/')}/{quote(hit.path)}#{where}"
        return Passage(text=hit.text, title=hit.title, uri=uri, score=hit.score, lookup=self._name)

    async def _fresh(self, threads: ThreadPoolExecutor) -> str | None:
        """Looks for changes if it is time; many searches share one look. What went wrong, if anything."""
        if self._updating is None:
            if time.monotonic() - self._updated < self._every:
                return None
            self._updating = asyncio.get_running_loop().run_in_executor(threads, self._update)
            self._updating.add_done_callback(self._settled)
        running = self._updating
        await asyncio.wait([running], timeout=min(_PATIENCE, self._seconds / 2))
        if not running.done():
            return "changed files are still being read"
        if running.cancelled() or (error := running.exception()) is None:
            return None
        return f"changes could not be read: {getattr(error, 'strerror', None) or type(error).__name__}"  # no path leaves the machine

    def _settled(self, done: asyncio.Future[None]) -> None:
        self._updated, self._updating = time.monotonic(), None
        if not done.cancelled():
            done.exception()  # each search that waited tells it

    def _update(self) -> None:
        index = self._index
        assert index is not None, "an index is opened before it is updated"  # noqa: S101
        unread: Counter[str] = Counter()
        known, seen = index.stamps(), set()
        batch: list[tuple[str, Stamp, Document | str]] = []
        for name, path, stamp in _listed(self._root, unread):
            if self._closing.is_set():
                return
            seen.add(name)
            if known.get(name) == stamp:
                continue
            try:
                batch.append((name, stamp, read_document(path, most_bytes=self._most_bytes)))
            except UnreadableError as error:
                batch.append((name, stamp, str(error)))
            except OSError as error:  # may pass without a change of the file: tried again each time
                unread[f"cannot be read: {error.strerror}"] += 1
                seen.discard(name)
            if len(batch) >= _AT_ONCE:
                index.put(batch)
                batch = []
        if batch:
            index.put(batch)
        if gone := [name for name in known if name not in seen]:
            index.drop(gone)
        self._unread = unread

    def indexed(self) -> Indexed:
        """What can be searched now; nothing before the start."""
        if self._index is None:
            return Indexed()
        files, passages, latin, left = self._index.counts()
        return Indexed(files=files, passages=passages, latin=latin, left_out=dict(Counter(left) + self._unread))

    def rarities(self, question: str) -> Mapping[str, float]:
        """How rare each content word of the question is here, for `wager.lookup.relevance.relevant`; empty before the start."""
        return {} if self._index is None else self._index.rarities(content_terms(question))

    async def close(self) -> None:
        """Stops reading files and frees the index; may be called twice."""
        self._closing.set()
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown, wait=True, cancel_futures=True)
        index, self._index = self._index, None
        if index is not None:
            index.close()


def _listed(root: Path, unread: Counter[str]) -> Iterator[tuple[str, Path, Stamp]]:
    """Each file to read: its name relative to the folder with slashes, where it really is, and its stamp. What is left out is counted."""
    real: set[str] = set()
    links: list[tuple[str, str]] = []
    count = 0
    for name, entry in _walked(root, unread):
        with contextlib.suppress(OSError):  # gone since the folder was listed
            if entry.is_symlink():
                links.append((name, os.path.realpath(entry.path)))
            elif entry.is_file(follow_symlinks=False):
                real.add(entry.path)
                count += 1
                if count > MOST_FILES:
                    unread[f"beyond the first {MOST_FILES:,} files"] += 1
                    continue
                found = entry.stat(follow_symlinks=False)
                yield name, Path(entry.path), _stamp(found)
    for name, target in links:
        path = Path(target)
        # What such a link leads to may be hidden: so are the files of a mounted configuration.
        if target in real or not path.is_relative_to(root) or not path.is_file():
            continue
        with contextlib.suppress(OSError):
            found = path.stat()
            yield name, path, _stamp(found)


def _stamp(found: os.stat_result) -> Stamp:
    # The second time also tells a change of permissions, and one after which the first was set back.
    return max(found.st_mtime_ns, found.st_ctime_ns), found.st_size


def _walked(root: Path, unread: Counter[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Entries of the kinds that are read, in the order of their names; neither hidden ones nor those in folders that are links."""
    waiting = [("", str(root))]
    while waiting:
        prefix, place = waiting.pop()
        try:
            with os.scandir(place) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            if not prefix:
                raise  # an unmounted folder is no reason to forget its documents
            unread["folders that cannot be listed"] += 1
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append((f"{prefix}{entry.name}/", entry.path))
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - much faster than a Path for each
                try:
                    (prefix + entry.name).encode()
                except UnicodeEncodeError:
                    unread["names that are not text"] += 1
                    continue
                yield prefix + entry.name, entry
