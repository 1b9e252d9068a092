"""A tool of any MCP server as a look-up, over stdio or streamable HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from wager.errors import MissingExtraError, ModelError, UnknownNameError, UsageError, WagerError
from wager.lookup.cleaning import one_line
from wager.lookup.guard import check_form, check_url
from wager.lookup.passages import Found
from wager.lookup.results import passages_of

if TYPE_CHECKING:
    from mcp.types import CallToolResult, Tool

    from wager.lookup.connection import Connection

__all__ = ["McpTool"]

_MOST_QUESTION = 2000
"""Characters of a question that a server is sent."""
_LONGEST_PAUSE = 30.0
"""Seconds between two attempts to reach a server that stays away."""
_HANGING = 3
"""Calls in a row without an answer, after which a server is started anew."""


class McpTool:
    """Asks one tool of an MCP server. The question leaves this process; what comes back is data.

    A server that dies is started, or connected to, again: at once the first time, then after 1, 2, 4, ... seconds, at most 30.

    Args:
        command: program and arguments of a server on stdio, as a list: no shell reads it. Or the program alone, with ``args``.
        args: more arguments.
        env: variables for the server, besides HOME, PATH and the like; it sees no others of this process.
        url: address of a server on streamable HTTP; instead of ``command``.
        headers: sent with each request to it.
        tool: name of the tool; by default the only one, or the only one whose name contains "search".
        argument: its argument that takes the question; by default the only required text.
        arguments: fixed values of other arguments.
        name: of the look-up.
        seconds: longest time of one search.
        start_seconds: longest time of starting the server and asking for its tools.
        allow_private: let ``url`` be on this machine or in the private network.

    Raises:
        UsageError: neither or both of command and URL, a command that is one text with blanks, a URL that is not well formed, a time
            that is not positive.
    """

    def __init__(
        self,
        *,
        command: str | Sequence[str] | None = None,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
        tool: str | None = None,
        argument: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        name: str = "search",
        seconds: float = 5.0,
        start_seconds: float = 20.0,
        allow_private: bool = False,
    ) -> None:
        if (command is None) == (url is None):
            raise UsageError(f"the look-up {name!r} needs either command or url")
        if seconds <= 0 or start_seconds <= 0:
            raise UsageError(f"seconds and start_seconds are above 0, got {seconds!r} and {start_seconds!r}")
        self._command = _listed(command, args) if command is not None else []
        if url is not None:
            check_form(url)
        self._env, self._url, self._headers = dict(env or {}), url, dict(headers or {})
        self._wanted, self._wanted_argument, self._fixed = tool, argument, dict(arguments or {})
        self._name, self._seconds, self._start_seconds, self._allow_private = name, seconds, start_seconds, allow_private
        self._tool = self._argument = ""
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._failures = self._unanswered = 0
        self._refused = False
        self._not_before = 0.0
        self._trouble = "not started"
        self._endings: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """Its name in decisions and in the journal."""
        return self._name

    async def start(self) -> None:
        """Connects and picks the tool.

        Raises:
            MissingExtraError: the package mcp is not installed.
            UsageError: the URL is on a private network; no tool, or no argument, can be told to be the one.
            UnknownNameError: no tool or argument of that name.
            ModelError: the server does not start, or does not answer in time.
        """
        try:
            import mcp  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("mcp", "mcp", f"the look-up {self._name!r}") from error
        from wager.lookup.connection import LostError

        if self._url is not None:
            await asyncio.to_thread(check_url, self._url, allow_private=self._allow_private)
        try:
            await self._connect()
        except LostError as error:
            raise ModelError(f"the look-up {self._name!r} cannot reach its MCP server {self._where()}: {error}") from error

    def _where(self) -> str:
        """For messages: the program or the host, without arguments, headers and paths, which may hold secrets."""
        return repr(self._command[0]) if self._url is None else repr(check_form(self._url).netloc)

    async def _connect(self) -> None:
        from wager.lookup.connection import Connection

        connection = Connection(self._transport)
        tools = await connection.open(seconds=self._start_seconds)
        try:
            tool = _picked(tools, self._wanted)
            self._argument = _takes(tool, self._wanted_argument, self._fixed)
        except WagerError:
            await connection.close()
            raise
        self._tool, self._connection, self._unanswered = tool.name, connection, 0

    @contextlib.asynccontextmanager
    async def _transport(self) -> AsyncIterator[Any]:
        if self._url is None:
            from mcp.client.stdio import StdioServerParameters, stdio_client

            parameters = StdioServerParameters(
                command=self._command[0], args=self._command[1:], env=self._env, encoding_error_handler="replace"
            )
            with _standard_error() as errors:
                async with stdio_client(parameters, errlog=errors) as streams:
                    yield streams
            return
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        from wager.lookup.pinned import PinnedTransport

        timeout = httpx2.Timeout(self._start_seconds, read=300)  # a server may keep a stream open; each search has its own limit
        pinned = PinnedTransport(allow_private=self._allow_private)
        async with httpx2.AsyncClient(transport=pinned, headers=self._headers, timeout=timeout, trust_env=False) as client:  # noqa: SIM117
            async with streamable_http_client(self._url, http_client=client) as streams:
                yield streams

    async def search(self, question: str, *, limit: int = 4) -> Found:
        """What the tool says to the question, cut at 2,000 characters."""
        began = time.monotonic()
        if self._trouble == "not started" and self._connection is None:
            return Found(problem="not started")
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._asked(one_line(question, most=_MOST_QUESTION), limit)
        except TimeoutError:
            found = Found(problem=self._late())
        return Found(passages=found.passages, problem=found.problem, seconds=time.monotonic() - began)

    async def _asked(self, question: str, limit: int) -> Found:
        from mcp import MCPError

        from wager.lookup.connection import LostError

        for _ in range(2):  # once more where the server went away
            if (connection := await self._alive()) is None:
                break
            try:
                result = await connection.call(self._tool, {**self._fixed, self._argument: question})
            except LostError as error:
                self._lost(connection, str(error))
                continue
            except MCPError as error:
                if self._url is not None and not self._refused:
                    # A server over HTTP that was started anew may refuse the session of its past life, with whatever error.
                    self._refused = True
                    self._lost(connection, str(error))
                    continue
                return Found(problem=f"the server refuses: {one_line(str(error))}")
            self._failures = self._unanswered = 0
            self._refused = False
            return self._read(result, question, limit)
        wait = self._not_before - time.monotonic()
        return Found(problem=one_line(self._trouble) + (f"; next attempt in {wait:.0f} s" if wait > 0.5 else ""))

    def _read(self, result: CallToolResult, question: str, limit: int) -> Found:
        if result.is_error:
            words = " ".join(getattr(block, "text", "") for block in result.content)
            return Found(problem=f"the tool says: {one_line(words) or 'an error'}")
        structured = result.structured_content if isinstance(result.structured_content, Mapping) else None
        return Found(passages=passages_of(result.content, structured, question=question, limit=limit, lookup=self._name, tool=self._tool))

    def _late(self) -> str:
        """After a search without an answer; a server that gives none several times is started anew."""
        self._unanswered += 1
        if self._unanswered >= _HANGING and self._connection is not None:
            self._lost(self._connection, "the server hangs")
        return f"timed out after {self._seconds:g} s"

    async def _alive(self) -> Connection | None:
        """The connection, made anew if it is time to; None where the server stays away."""
        if self._connection is not None and self._connection.alive:
            return self._connection
        if self._connection is not None:
            self._lost(self._connection, "the server is gone")
        if self._connecting is None:
            if time.monotonic() < self._not_before:
                return None
            # A task of its own: starting a server may take longer than a search, and many searches wait for one start.
            self._connecting = asyncio.create_task(self._again())
        await asyncio.wait({self._connecting})
        return self._connection

    async def _again(self) -> None:
        from wager.lookup.connection import LostError

        try:
            await self._connect()
        except (LostError, WagerError) as error:
            self._failed(str(error))
        finally:
            self._connecting = None

    def _lost(self, connection: Connection, why: str) -> None:
        """Ends what is left of a connection; of several searches that wait for the same one the first comes here."""
        if self._connection is not connection:
            return
        self._connection = None
        ending = asyncio.create_task(connection.close(at_once=True))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        self._failed(why)

    def _failed(self, why: str) -> None:
        """Remembers a failure, and for how long the server is then left alone."""
        self._trouble, self._unanswered = why, 0
        self._failures += 1
        pause = 0.0 if self._failures == 1 else min(_LONGEST_PAUSE, 2.0 ** (self._failures - 2))
        self._not_before = time.monotonic() + pause

    async def close(self) -> None:
        """Ends the server's process, or the connection to it; may be called twice."""
        if (connecting := self._connecting) is not None:
            connecting.cancel()
            await asyncio.wait({connecting})
        connection, self._connection = self._connection, None
        self._trouble = "not started"
        if connection is not None:
            await connection.close()
        if self._endings:
            await asyncio.wait(set(self._endings))


def _listed(command: str | Sequence[str], args: Sequence[str]) -> list[str]:
    parts = [command] if isinstance(command, str) else list(command)
    if not parts or not all(isinstance(part, str) for part in (*parts, *args)) or not parts[0]:
        raise UsageError(f"a command is a list of texts, the program first, got {command!r}")
    if isinstance(command, str) and not args and any(map(str.isspace, command)):
        raise UsageError(f"a command is a list, and no shell reads it: write {command.split()!r} instead of {command!r}")
    return [*parts, *args]


def _picked(tools: Sequence[Tool], wanted: str | None) -> Tool:
    names = [tool.name for tool in tools]
    if wanted is not None:
        if wanted not in names:
            raise UnknownNameError("tool of the MCP server", wanted, names)
        return tools[names.index(wanted)]
    likely = [tool for tool in tools if "search" in tool.name.lower()]
    for some in (tools, likely):
        if len(some) == 1:
            return some[0]
    listed = ", ".join(repr(one_line(name, most=60)) for name in names[:12]) or "none"
    raise UsageError(f"it is not clear which tool of the MCP server to ask: set tool to one of them (it has {listed})")


def _takes(tool: Tool, wanted: str | None, fixed: Mapping[str, Any]) -> str:
    """Name of the argument for the question."""
    properties = tool.input_schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    for name in [*fixed, *([] if wanted is None else [wanted])]:
        if name not in properties:
            raise UnknownNameError(f"argument of the tool {tool.name!r}", name, map(str, properties))
    if wanted is not None:
        return wanted
    required = tool.input_schema.get("required")
    required = required if isinstance(required, list) else []
    texts: list[str] = [
        name for name, schema in properties.items() if isinstance(schema, Mapping) and schema.get("type") == "string" and name not in fixed
    ]
    for some in ([name for name in texts if name in required], texts):
        if len(some) == 1:
            return some[0]
    listed = ", ".join(repr(one_line(str(name), most=60)) for name in list(properties)[:12]) or "none"
    raise UsageError(f"it is not clear which argument of the tool {tool.name!r} takes the question: set argument (it has {listed})")


@contextlib.contextmanager
def _standard_error() -> Iterator[TextIO]:
    """Where a server's own messages go: to those of this process, or nowhere if it has none."""
    try:
        sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - no path of ours
            yield nowhere
        return
    yield sys.stderr
