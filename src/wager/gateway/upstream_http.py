"""Any OpenAI-compatible server as the model behind the gateway, over aiohttp.

One pool of kept-alive connections in a process. No cookies, no redirects, no proxy from the environment; what the server may cost is
limited in time (connection, first byte, between bytes, in all) and in bytes. `send` passes bytes on unread: it is what a gateway that
only passes on costs.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
from multidict import CIMultiDict
from yarl import URL

from wager.errors import ModelError, UsageError
from wager.gateway.capabilities import probed
from wager.gateway.completion import as_chunk, checked_chunk, checked_response
from wager.gateway.exchange import Exchange, Limits, Waits, closed
from wager.gateway.received import first_model, json_of, safe_headers
from wager.gateway.redaction import INSTEAD, Redaction
from wager.gateway.sse import EventParser
from wager.gateway.upstream import Answered, Capabilities, Json, UpstreamError

__all__ = ["HttpUpstream"]

CHAT = "/chat/completions"

PAGES = ("text/html", "application/xhtml+xml", "text/xml", "application/xml")
"""Content types that no stream has."""

REMEMBERED_PATHS = 64
"""Addresses kept ready; paths with ids in them would fill the memory."""

HEALTH_SECONDS = 2.0
"""How long `HttpUpstream.healthy` asks, and how long it believes the answer."""

KEPT_SECONDS = 15.0
"""How long an idle connection is kept."""

PROBE_AGAIN_SECONDS = 30.0
"""After a failed probe of the capabilities."""

SENT_ON = ("content-type", "accept", "openai-beta", "idempotency-key", "traceparent", "tracestate")
"""A client's headers that the upstream sees."""

SENT_ON_WITH_KEY = ("authorization", "api-key", "openai-organization", "openai-project")
"""Those that it sees only where the client's key is to be used."""

_PATH = re.compile(r"/[A-Za-z0-9_.:@%/-]*(?:\?[A-Za-z0-9_.:@%&=+,/\[\]-]*)?")
_ORIGIN = re.compile(r"https?://[^\s/?#]+[^\s?#]*")


class HttpUpstream:
    """A server that speaks OpenAI's protocol. Implements `wager.gateway.upstream.Upstream`.

    >>> upstream = HttpUpstream("http://127.0.0.1:11434/v1", model="qwen3")             # doctest: +SKIP
    >>> await upstream.start()                                                           # doctest: +SKIP
    >>> await upstream.chat({"messages": [{"role": "user", "content": "Hello"}]})        # doctest: +SKIP
    {'id': ..., 'choices': [{'index': 0, 'message': {'role': 'assistant', 'content': 'Hello! ...'}, ...}]}
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        model: str | None = None,
        forward_key: bool = False,
        connect_seconds: float = 5.0,
        first_byte_seconds: float = 60.0,
        whole_seconds: float | None = None,
        between_bytes_seconds: float = 60.0,
        total_seconds: float = 600.0,
        largest_response: int = 64 << 20,
        connections: int = 256,
    ) -> None:
        """Checks the options; nothing is opened before `start`.

        Args:
            url: up to and with ``/v1``.
            key: sent as ``Authorization: Bearer``; never logged, never shown.
            model: asked for where the client names none; None is the first that the server lists.
            forward_key: send the client's own ``Authorization`` in place of ``key``, where it has one. Only `send` and `send_stream`
                know the client's headers.
            connect_seconds: to open a connection.
            first_byte_seconds: until a streamed answer begins.
            whole_seconds: until an answer that is not streamed begins, which is when it is complete; None is five times
                ``first_byte_seconds``.
            between_bytes_seconds: without a byte of an answer that has begun.
            total_seconds: for an answer in all.
            largest_response: bytes of an answer.
            connections: open at the same time, for streams and for whole answers each; further requests wait for one.

        Raises:
            UsageError: no http(s) address, a key that fits in no header, or a limit that is not above zero.
        """
        if not _ORIGIN.fullmatch(url):
            raise UsageError(f"an upstream is an address that begins with http:// or https://, without ? and #, got {_masked(url)!r}")
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key):
            raise UsageError("an upstream's key is made of visible ASCII characters without spaces; this one is not")
        if whole_seconds is None:
            whole_seconds = 5 * first_byte_seconds
        times = (connect_seconds, first_byte_seconds, whole_seconds, between_bytes_seconds, total_seconds)
        if not all(seconds > 0 for seconds in times) or largest_response < 1 or connections < 1:
            raise UsageError("an upstream's time-outs, largest response and connections are above zero")
        self._url, self._key, self._forward_key = url.rstrip("/"), key, forward_key
        self._model = model
        self._secret = None if key is None else key.encode()
        self._bearer = None if key is None else f"Bearer {key}"
        self._connect_seconds, self._connections = connect_seconds, connections
        self._limits = Limits(
            first=first_byte_seconds, whole=whole_seconds, between=between_bytes_seconds, total=total_seconds, largest=largest_response
        )
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        self._addresses: dict[str, URL] = {}
        self._json_headers = self._headers({"content-type": "application/json", "accept": "application/json"})
        self._stream_headers = self._headers({"content-type": "application/json", "accept": "text/event-stream"}, streamed=True)
        self._waits = Waits()
        self._probing = asyncio.Lock()
        self._capabilities: tuple[float, Capabilities] | None = None
        self._health: tuple[float, bool] | None = None

    @property
    def model(self) -> str:
        """The model that is asked for where the client names none."""
        if self._model is None:
            raise ModelError("the upstream's model is known once it has started; name one or start it first")
        return self._model

    async def start(self) -> None:
        """Opens the pool; asks for the list of models where none was named.

        Raises:
            ModelError: no model was named and the server lists none.
        """
        if self._sessions is None:
            # llama.cpp closes a connection after a stream without saying so, and the next request on it would fail; without TLS a new
            # connection costs little
            whole = self._pool(keep=True)
            self._sessions = whole, whole if self._url.startswith("https:") else self._pool(keep=False)
        if self._model is None:
            try:
                listed = json_of((await self.send("GET", "/models", None, {})).body)
            except UpstreamError as error:
                await self.close()
                raise ModelError(
                    f"no list of models from {_masked(self._url)}: {error.message}; start the server there, or name the model"
                ) from None
            self._model = first_model(listed)
            if self._model is None:
                await self.close()
                raise ModelError(f"the server at {_masked(self._url)} lists no models; name one")

    async def close(self) -> None:
        """Closes all connections; who waits for them gets an error."""
        sessions, self._sessions = self._sessions, None
        self._waits.end()
        for session in sessions or ():
            await session.close()

    async def chat(self, request: Json) -> Json:
        """One response as a dict; ``stream`` is taken out, and the model filled in where the request names none."""
        exchange = await self._opened("POST", CHAT, self._body(request, stream=False), self._json_headers, self._limits.whole)
        try:
            body = await exchange.whole()
        finally:
            exchange.close()
        return checked_response(json_of(self._without_key(body)), key=self._key)

    async def stream(self, request: Json) -> AsyncGenerator[Json, None]:
        """The chunks of a streamed response. A server that answers at once instead is one chunk."""
        exchange = await self._opened(
            "POST", CHAT, self._body(request, stream=True), self._stream_headers, self._limits.first, streamed=True
        )
        try:
            kind = exchange.response.content_type
            if kind == "application/json":
                answer = json_of(self._without_key(await exchange.whole()))
                yield as_chunk(checked_response(answer, key=self._key))
                return
            if kind in PAGES:
                raise UpstreamError(502, "the upstream answered with a page instead of a stream", code="upstream_invalid")
            parser = EventParser(largest_stream=self._limits.largest, key=self._key)
            while not parser.done and (piece := await exchange.piece()):
                for event in parser.feed(piece):
                    yield checked_chunk(event)
            for event in parser.end():
                yield checked_chunk(event)
            await exchange.linger()
        finally:
            exchange.close()

    async def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        """A request passed on as it is, its answer unread."""
        exchange = await self._opened(method, path, body, self._passed_on(headers), self._limits.whole)
        try:
            content = self._without_key(await exchange.whole())
        finally:
            exchange.close()
        response = exchange.response
        return Answered(status=response.status, body=content, headers=safe_headers(response.headers, key=self._key))

    async def send_stream(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The raw bytes of a streamed answer as they come."""
        exchange = await self._opened(method, path, body, self._passed_on(headers, streamed=True), self._limits.first, streamed=True)
        try:
            redaction = Redaction(self._key)
            while piece := await exchange.piece():
                if piece := redaction.feed(piece):
                    yield piece
            if rest := redaction.end():
                yield rest
            await exchange.linger()
        finally:
            exchange.close()

    async def capabilities(self) -> Capabilities:
        """What the server can do; asked once, or again half a minute after a probe that failed."""
        async with self._probing:
            now = time.monotonic()
            if self._capabilities is not None:
                when, found = self._capabilities
                if None not in (found.logprobs, found.temperature) or now - when < PROBE_AGAIN_SECONDS:
                    return found
            found = await probed(self.chat)
            self._capabilities = (time.monotonic(), found)
            return found

    async def healthy(self) -> bool:
        """Whether the server answers its list of models (or says that it has none): asked at most every two seconds."""
        now = time.monotonic()
        if self._health is None or now - self._health[0] > HEALTH_SECONDS:
            found = False
            with suppress(UpstreamError, TimeoutError):
                async with asyncio.timeout(HEALTH_SECONDS):
                    found = await self._answers()
            self._health = (time.monotonic(), found)
        return self._health[1]

    async def _answers(self) -> bool:
        try:
            await self.send("GET", "/models", None, {})
        except UpstreamError as error:
            return 400 <= error.status < 500 and error.status != 429
        return True

    def _body(self, request: Json, *, stream: bool) -> bytes:
        sent = {name: value for name, value in request.items() if name != "stream" and (stream or name != "stream_options")}
        if sent.get("model") in (None, "", "auto"):
            sent["model"] = self.model
        if stream:
            sent["stream"] = True
        try:
            return orjson.dumps(sent)
        except TypeError:
            raise UpstreamError(400, "the request cannot be written as JSON", kind="invalid_request_error") from None

    def _headers(self, given: Mapping[str, str], *, streamed: bool = False) -> CIMultiDict[str]:
        headers = CIMultiDict(given)
        headers.setdefault("accept", "*/*")
        headers["accept-encoding"] = "identity" if streamed else "gzip, deflate"  # a compressed stream waits in the compressor's buffer
        headers["user-agent"] = "wager"
        if self._bearer is not None and "authorization" not in headers and "api-key" not in headers:
            headers["authorization"] = self._bearer
        return headers

    def _passed_on(self, given: Mapping[str, str], *, streamed: bool = False) -> CIMultiDict[str]:
        names = SENT_ON + SENT_ON_WITH_KEY if self._forward_key else SENT_ON
        return self._headers({name: given[name] for name in names if name in given}, streamed=streamed)

    def _address(self, path: str) -> URL:
        found = self._addresses.get(path)
        if found is None:
            if not _PATH.fullmatch(path) or re.search(r"(?i)//|\.\.|%2e|%2f|%5c", path):
                raise UpstreamError(404, "there is no such path", kind="not_found_error")
            found = URL(self._url + path, encoded=True)
            if len(self._addresses) < REMEMBERED_PATHS:
                self._addresses[path] = found
        return found

    def _pool(self, *, keep: bool) -> aiohttp.ClientSession:
        keeping: dict[str, Any] = {"keepalive_timeout": KEPT_SECONDS} if keep else {"force_close": True}
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=60, **keeping),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            trust_env=False,
        )

    async def _opened(
        self, method: str, path: str, body: bytes | None, headers: CIMultiDict[str], patience: float, *, streamed: bool = False
    ) -> Exchange:
        address = self._address(path)
        if self._sessions is None:
            raise closed()
        own = self._key is not None and headers.get("authorization") == self._bearer
        return await Exchange.opened(
            self._sessions[streamed],
            method,
            address,
            body=body,
            headers=headers,
            limits=self._limits,
            waits=self._waits,
            patience=patience,
            key=self._key,
            own_key=own or not self._forward_key,
        )

    def _without_key(self, body: bytes) -> bytes:
        """A server that echoes what it was sent tells nobody the key."""
        if self._secret is not None and self._secret in body:
            return body.replace(self._secret, INSTEAD)
        return body


def _masked(url: str) -> str:
    """An address without the name and password that it may hold."""
    return re.sub(r"//[^/@]*@", "//", url)
