"""One request to a server and its answer, within limits of time and bytes; whatever goes wrong is an `UpstreamError`.

Time-outs cover single reads and never a whole generator: a reader that takes its time between two pieces is not the server's fault.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from wager.gateway.refusal import refused
from wager.gateway.upstream import UpstreamError

__all__ = ["Exchange", "Limits", "Waits", "closed"]

ERROR_BYTES = 1 << 16
"""How much of an error's body is read."""

LINGER_SECONDS = 0.05
"""How long the end of a stream that has said all is waited for, so that its connection can be used again."""


FAULTS = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
"""What goes wrong in a client library; ValueError for what is no HTTP at all."""

ENDED = 0.0
"""Time of the loop at which a wait is said to have ended; no true one."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a server may cost."""

    first: float
    """Seconds until the first byte of a streamed answer."""
    whole: float
    """Seconds until the first byte of an answer that is not streamed."""
    between: float
    """Seconds without a byte of an answer that has begun."""
    total: float
    """Seconds in all."""
    largest: int
    """Bytes of an answer."""


class Waits:
    """All waits for one server under way, so that they can be ended: aiohttp closes connections without waking those who read them."""

    def __init__(self) -> None:
        self._running: set[asyncio.Timeout] = set()

    def until(self, when: float) -> asyncio.Timeout:
        """A time-out at this time of the loop; to be given to `over` afterwards."""
        timeout = asyncio.timeout_at(when)
        self._running.add(timeout)
        return timeout

    def over(self, timeout: asyncio.Timeout) -> None:
        """The wait has ended."""
        self._running.discard(timeout)

    def end(self) -> None:
        """Ends all waits with an error."""
        for timeout in self._running:
            with suppress(RuntimeError):  # it is just running out
                timeout.reschedule(ENDED)


class Exchange:
    """A successful response whose body is still to be read. Call `close` when done, in any case."""

    def __init__(self, response: aiohttp.ClientResponse, limits: Limits, deadline: float, waits: Waits) -> None:
        self.response = response
        self._waits = waits
        self._limits, self._deadline = limits, deadline
        self._size = 0

    @classmethod
    async def opened(
        cls,
        session: aiohttp.ClientSession,
        method: str,
        address: URL,
        *,
        body: bytes | None,
        headers: CIMultiDict[str],
        limits: Limits,
        waits: Waits,
        patience: float,
        key: str | None = None,
        own_key: bool = True,
    ) -> Exchange:
        """Sends the request and waits for the head of its answer.

        Args:
            session: where connections come from.
            method, address, body, headers: the request.
            limits: of the answer.
            waits: where those for this request are put down.
            patience: seconds until the head.
            key: never in an error's message.
            own_key: whether it is the gateway's own.

        Raises:
            UpstreamError: no connection, too late, or a status other than 2xx.
        """
        now = asyncio.get_running_loop().time()
        deadline = now + limits.total
        timeout = waits.until(min(now + patience, deadline))
        try:
            async with timeout:
                response = await session.request(method, address, data=body, headers=headers, allow_redirects=False)
        except FAULTS as error:
            raise _trouble(error, timeout, "did not answer for", min(patience, limits.total)) from None
        finally:
            waits.over(timeout)
        found = cls(response, limits, deadline, waits)
        if 200 <= response.status < 300:
            return found
        try:
            raise refused(response.status, await found._beginning(), response.headers, key=key, own_key=own_key)
        finally:
            found.close()

    async def piece(self) -> bytes:
        """The bytes that have come, at least one; empty at the end.

        Raises:
            UpstreamError: the connection broke, nothing came in time, or the answer is too large.
        """
        content = self.response.content
        if content.at_eof() and content.exception() is None:
            return b""
        now = asyncio.get_running_loop().time()
        timeout = self._waits.until(min(now + self._limits.between, self._deadline))
        try:
            async with timeout:
                piece = await content.readany()
        except FAULTS as error:
            late = now + self._limits.between > self._deadline
            what = "was still answering after" if late else "stopped in the middle of its answer for"
            raise _trouble(error, timeout, what, self._limits.total if late else self._limits.between) from None
        finally:
            self._waits.over(timeout)
        self._size += len(piece)
        if self._size > self._limits.largest:
            raise UpstreamError(502, f"the upstream's answer is larger than {self._limits.largest} bytes", code="upstream_too_large")
        return piece

    async def whole(self) -> bytes:
        """The body; raises like `piece`."""
        size = self.response.content_length
        if size is not None and size > self._limits.largest:
            raise UpstreamError(502, f"the upstream's answer is larger than {self._limits.largest} bytes", code="upstream_too_large")
        body = await self.piece()
        if self.response.content.at_eof():  # nearly always: one piece
            return body
        pieces = [body]
        while piece := await self.piece():
            pieces.append(piece)
        return b"".join(pieces)

    async def linger(self) -> None:
        """After a stream that has said all: waits a moment for the end of its body, so that the connection can be kept."""
        with suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(LINGER_SECONDS):
                await self.response.content.readany()

    def close(self) -> None:
        """Gives the connection back, or breaks it where the body was not read to its end: that ends the server's work."""
        if self.response.content.at_eof():
            self.response.release()
        else:
            self.response.close()

    async def _beginning(self) -> bytes:
        """As much of an error's body as is worth reading; a body that breaks off is what came of it."""
        pieces: list[bytes] = []
        with suppress(UpstreamError):
            while sum(map(len, pieces)) < ERROR_BYTES and (piece := await self.piece()):
                pieces.append(piece)
        return b"".join(pieces)[:ERROR_BYTES]


def closed() -> UpstreamError:
    """The error of a request to an upstream that is closed."""
    return UpstreamError(503, "the connection to the upstream is closed", code="upstream_unavailable")


def _trouble(error: Exception, timeout: asyncio.Timeout, what: str, seconds: float) -> UpstreamError:
    """A client library's error in a word for the client. Addresses and hosts stay here."""
    if timeout.when() == ENDED:
        return closed()
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return UpstreamError(504, "the upstream cannot be reached: no connection in time", code="upstream_unreachable")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return UpstreamError(502, "the upstream cannot be reached: its name is not known", code="upstream_unreachable")
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch):
        return UpstreamError(502, "the upstream cannot be reached: its certificate is not accepted", code="upstream_unreachable")
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = os.strerror(error.errno) if error.errno else "no connection"
        return UpstreamError(502, f"the upstream cannot be reached: {reason}", code="upstream_unreachable")
    if isinstance(error, TimeoutError):
        return UpstreamError(504, f"the upstream {what} {seconds:g} seconds", code="upstream_timeout")
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | OSError):
        return UpstreamError(502, "the upstream closed the connection before its answer was whole", code="upstream_closed")
    return UpstreamError(502, "the upstream's answer is no valid HTTP", code="upstream_invalid")
