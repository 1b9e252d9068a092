"""One life of a connection to an MCP server. Imported by `wager.lookup.mcp` alone, once it knows that the package is there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp import Client, MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, CallToolResult, Tool

from wager.lookup.cleaning import one_line

__all__ = ["Connection", "LostError", "said"]

_OF_THE_TOOL = frozenset({INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND})
"""Errors that a server which works gives; after any other one the connection is made anew."""
_MOST_PAGES = 20
"""Pages of the list of tools that are read: a server could go on for ever."""


class LostError(Exception):
    """The server is gone, or says what no server should; the message is the cause in one line."""


class Connection:
    """Opened, used by many tasks at once, and closed; it cannot be opened again.

    The client library must be left by the task that entered it, so one task does nothing but hold it.

    Args:
        transport: makes what `mcp.Client` takes.
    """

    def __init__(self, transport: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._transport = transport
        self._ending = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None
        self._client: Client | None = None

    @property
    def alive(self) -> bool:
        """Whether it was opened and has not ended by itself."""
        return self._holder is not None and not self._holder.done()

    async def open(self, *, seconds: float) -> list[Tool]:
        """Connects, and lists the tools.

        Raises:
            LostError: the server does not start, does not answer in time, or is no MCP server.
        """
        opened: asyncio.Future[list[Tool]] = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold(opened))
        try:
            async with asyncio.timeout(seconds):
                return await opened
        except TimeoutError:
            await self.close(at_once=True)
            raise LostError(f"no answer within {seconds:g} s") from None
        except BaseException as error:
            await self.close(at_once=True)
            if isinstance(error, Exception):
                raise LostError(said(error)) from error
            raise

    async def _hold(self, opened: asyncio.Future[list[Tool]]) -> None:
        try:
            # Its cache would only hold listings, and each is asked for once.
            async with Client(self._transport(), cache=None) as client:
                tools: list[Tool] = []
                page = await client.list_tools()
                tools += page.tools
                for _ in range(_MOST_PAGES):
                    if page.next_cursor is None:
                        break
                    page = await client.list_tools(cursor=page.next_cursor)
                    tools += page.tools
                self._client = client
                if not opened.done():
                    opened.set_result(tools)
                await self._ending.wait()
        except asyncio.CancelledError:
            if not opened.done():
                opened.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever ends the connection ends it: each call that waits is told
            if not opened.done():
                opened.set_exception(_first(error))
        finally:
            self._client = None

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """What a tool says to some arguments.

        Raises:
            LostError: the connection ended before the answer; another one is needed.
            MCPError: the server refuses the call.
        """
        if self._client is None or self._holder is None or self._holder.done():
            raise LostError("the server is gone")
        asked = asyncio.ensure_future(self._client.call_tool(tool, dict(arguments)))
        try:
            await asyncio.wait({asked, self._holder}, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise LostError("the server went away before it answered")
            return asked.result()
        except MCPError as error:
            if error.code in _OF_THE_TOOL:
                raise
            raise LostError(said(error)) from error
        except LostError:
            raise
        except Exception as error:
            raise LostError(said(error)) from error
        finally:
            if not asked.done():
                asked.cancel()
                await asyncio.wait({asked}, timeout=1)
            if asked.done() and not asked.cancelled():
                asked.exception()  # taken note of

    async def close(self, *, at_once: bool = False) -> None:
        """Ends it, and the server's process if it has one; may be called twice.

        Args:
            at_once: do not wait for what is being opened.
        """
        self._ending.set()
        holder = self._holder
        if holder is None:
            return
        if not at_once:
            await asyncio.wait({holder}, timeout=10)
        if not holder.done():
            holder.cancel()
            await asyncio.wait({holder}, timeout=10)
        with contextlib.suppress(asyncio.CancelledError):
            if holder.done():
                holder.exception()


def said(error: BaseException) -> str:
    """An error in one line, its type where it has no words."""
    first = _first(error)
    return one_line(str(first)) or type(first).__name__


def _first(error: BaseException) -> BaseException:
    """The first single error of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
