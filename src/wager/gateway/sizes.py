"""Limits on what comes in and how long it may take: headers, body, messages, parts; and on what a stream sends.

`Bounded` is ASGI middleware. It takes in the whole body before the application runs, counting as it comes, so neither a body that is too
large nor one that drips ever reaches a route.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from wager.gateway.wire import RequestError, error_body

__all__ = ["Bounded", "Sizes", "check_request", "counted"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What a request may be, and an answer."""

    body_bytes: int = 32 * 2**20
    """Of a request; pictures travel inside it."""
    body_seconds: float = 60.0
    """In which it must be here."""
    pause_seconds: float = 15.0
    """Between two pieces of it."""
    headers: int = 100
    """How many."""
    header_bytes: int = 32 * 2**10
    """Names and values together."""
    messages: int = 2000
    """In a conversation."""
    parts: int = 256
    """Of the content of one message."""
    tools: int = 512
    """That a request may offer."""
    stream_bytes: int = 64 * 2**20
    """Of one streamed answer."""


class Bounded:
    """Around an ASGI application: 431 for headers, 400 for a length that is none, 413 for a body, 408 for one that is too slow."""

    def __init__(self, app: App, sizes: Sizes | None = None) -> None:
        self._app, self._sizes = app, sizes or Sizes()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            announced = self._has_body(scope["headers"])
            body = await self._in_time(receive) if announced else b""
        except RequestError as error:
            await _refuse(send, error)
            return
        if body is None:  # the client went away
            return
        given = not announced

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()  # what comes now is the client going away
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _in_time(self, receive: Receive) -> bytes | None:
        try:
            async with asyncio.timeout(self._sizes.body_seconds):
                return await self._gather(receive)
        except TimeoutError:
            raise RequestError(
                408, f"the body was not here in time: {self._sizes.body_seconds:g} s in all, {self._sizes.pause_seconds:g} s between pieces"
            ) from None

    async def _gather(self, receive: Receive) -> bytes | None:
        """The whole body; None where the client went away."""
        pieces: list[bytes] = []
        total = 0
        while True:
            async with asyncio.timeout(self._sizes.pause_seconds):
                message = await receive()
            if message["type"] != "http.request":
                return None
            piece = message.get("body", b"")
            total += len(piece)
            if total > self._sizes.body_bytes:
                raise self._too_large("more")
            if piece:
                pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces)

    def _has_body(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether one is announced; raises RequestError for headers that are too many, and for a length that is too large or none."""
        if len(headers) > self._sizes.headers:
            raise RequestError(431, f"at most {self._sizes.headers} headers, got {len(headers)}")
        total, length, chunked = 0, 0, False
        for name, value in headers:
            total += len(name) + len(value)
            if name == b"content-length":
                if not value.isdigit() or len(value) > 15:
                    raise RequestError(400, "'content-length' is a number of bytes")
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = True
        if total > self._sizes.header_bytes:
            raise RequestError(431, f"at most {self._sizes.header_bytes:,} bytes of headers, got {total:,}")
        if length > self._sizes.body_bytes:
            raise self._too_large(f"{length:,}")
        return chunked or length > 0

    def _too_large(self, got: str) -> RequestError:
        return RequestError(413, f"a request has at most {self._sizes.body_bytes:,} bytes, got {got}", code="request_too_large")


async def _refuse(send: Send, error: RequestError) -> None:
    """An error before the body was read: the connection cannot be used again."""
    body = json.dumps(error_body(error.message, kind=error.kind, param=error.param, code=error.code)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def check_request(body: Mapping[str, Any], sizes: Sizes) -> None:
    """Whether a request's lists are of a size that is served; their types are checked elsewhere.

    Raises:
        RequestError: 400, with what was got and what is allowed.
    """
    messages = body.get("messages")
    _few(messages, sizes.messages, "messages")
    _few(body.get("tools"), sizes.tools, "tools")
    if isinstance(messages, list):
        for place, message in enumerate(messages):
            if isinstance(message, dict):
                _few(message.get("content"), sizes.parts, f"messages[{place}].content")


def _few(found: Any, most: int, name: str) -> None:
    if isinstance(found, list) and len(found) > most:
        raise RequestError(400, f"{name!r} has at most {most:,} entries, got {len(found):,}", param=name)


async def counted(stream: AsyncIterator[bytes], most: int) -> AsyncGenerator[bytes, None]:
    """The pieces of a streamed answer, as long as they are at most ``most`` bytes together. In every case the stream is closed.

    Raises:
        RequestError: 502 in the middle: the model does not stop.
    """
    total = 0
    try:
        async for piece in stream:
            total += len(piece)
            if total > most:
                message = f"the answer was longer than {most:,} bytes and was cut off"
                raise RequestError(502, message, kind="upstream_error", code="stream_too_long")
            yield piece
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
