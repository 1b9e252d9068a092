"""Several model servers as one: retries with jitter, a circuit breaker for each, and the next server where one is out of order.

Nothing is tried again once the first byte of an answer was passed on, and a request that a server refuses (4xx) is refused by none
other. Waits are drawn evenly from zero to a limit that doubles ("full jitter": clients that failed together do not come back
together; M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015); a server that says how long to wait is heeded.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import orjson

from wager.errors import UsageError
from wager.gateway.breaker import Breaker, BreakerState
from wager.gateway.upstream import Answered, Capabilities, Json, Upstream, UpstreamError

__all__ = ["Resilient", "UpstreamState"]

T = TypeVar("T")

AGAIN = frozenset({429, 500, 502, 503, 504})
"""Statuses after which another try may succeed."""

LASTING = frozenset({"upstream_key", "upstream_redirect", "upstream_too_large"})
"""Codes of errors that the same server would give again."""

OnEvent = Callable[[str, str], None]
"""Called with ``failed``, ``retried``, ``fell_back``, ``opened``, ``half_opened`` or ``closed``, and the server's name."""

EVENTS: Mapping[BreakerState, str] = {"open": "opened", "half_open": "half_opened", "closed": "closed"}


@dataclass(frozen=True, kw_only=True)
class UpstreamState:
    """One server, as metrics show it."""

    upstream: str
    """Its name."""
    breaker: BreakerState
    """Whether requests go to it."""
    in_a_row: int
    """Failures since its last success."""
    wait: float
    """Seconds until it is tried again; 0 where it is not left alone."""


@dataclass(frozen=True)
class _Server:
    name: str
    upstream: Upstream
    breaker: Breaker


class Resilient:
    """Servers in order of preference, as one upstream. Implements `wager.gateway.upstream.Upstream`.

    >>> upstream = Resilient([HttpUpstream("https://one/v1"), HttpUpstream("http://two/v1")])            # doctest: +SKIP
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        *,
        names: Sequence[str] | None = None,
        tries: int = 3,
        attempts: int = 5,
        seconds: float = 120.0,
        first_wait: float = 0.25,
        longest_wait: float = 8.0,
        longest_retry_after: float = 20.0,
        failures: int = 5,
        cool_down: float = 20.0,
        on_event: OnEvent | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        """Checks the options.

        Args:
            upstreams: at least one. A request for the first one's model is made to another server with that one's model.
            names: for metrics and events; ``upstream-1``, ... by default.
            tries: of one server for a request.
            attempts: of all servers for a request.
            seconds: after which no further attempt begins. An attempt under way has the server's own time-outs.
            first_wait: the longest wait before the second try, in seconds; doubled each time.
            longest_wait: where doubling ends.
            longest_retry_after: the longest wait that a server may ask for; with more, the next server is tried, or the client told.
            failures: in a row after which a server is left alone. Throttling (429) is no failure.
            cool_down: seconds for which it is.
            on_event: for counters; must return at once and not raise.
            clock, sleep, rng: for tests.

        Raises:
            UsageError: no server, names that are not one for each, or a limit out of range.
        """
        if not upstreams:
            raise UsageError("at least one upstream is needed, got none")
        names = [f"upstream-{number}" for number in range(1, len(upstreams) + 1)] if names is None else list(names)
        if len(names) != len(upstreams) or len(set(names)) != len(names):
            raise UsageError(f"each of the {len(upstreams)} upstreams needs a name of its own, got {names!r}")
        if min(tries, attempts, failures) < 1 or min(seconds, first_wait, longest_wait, longest_retry_after, cool_down) < 0:
            raise UsageError("tries, attempts and failures are at least 1, and times are not below zero")
        self._on_event = on_event or (lambda event, name: None)
        self._servers = [
            _Server(name, upstream, Breaker(failures=failures, cool_down=cool_down, clock=clock, changed=self._telling(name)))
            for name, upstream in zip(names, upstreams, strict=True)
        ]
        self._tries, self._attempts, self._seconds = tries, attempts, seconds
        self._waits = (first_wait, longest_wait, longest_retry_after)
        self._clock, self._sleep = clock, sleep
        self._rng = rng or random.Random()  # noqa: S311 (spreads waits; nothing secret)

    @property
    def model(self) -> str:
        """The first server's model: policies are for that one."""
        return self._servers[0].upstream.model

    def states(self) -> tuple[UpstreamState, ...]:
        """Each server, in order."""
        return tuple(
            UpstreamState(upstream=one.name, breaker=one.breaker.state, in_a_row=one.breaker.in_a_row, wait=one.breaker.wait())
            for one in self._servers
        )

    async def start(self) -> None:
        """Starts all servers; where one cannot be, none is left open and its `wager.errors.ModelError` is raised."""
        try:
            for server in self._servers:
                await server.upstream.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Closes all."""
        await asyncio.gather(*(server.upstream.close() for server in self._servers))

    async def healthy(self) -> bool:
        """Whether a server that is not left alone can be asked."""
        return any([await one.upstream.healthy() for one in self._servers if one.breaker.state != "open" or one.breaker.wait() == 0])

    async def capabilities(self) -> Capabilities:
        """Of the first server: the one whose model policies are for."""
        return await self._servers[0].upstream.capabilities()

    async def chat(self, request: Json) -> Json:
        """As `wager.gateway.upstream.Upstream.chat`."""

        async def ask(server: _Server) -> Json:
            return await server.upstream.chat(self._for(server, request))

        return await self._resilient(ask)

    async def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        """As `wager.gateway.upstream.Upstream.send`."""

        async def ask(server: _Server) -> Answered:
            return await server.upstream.send(method, path, self._body_for(server, body), headers)

        return await self._resilient(ask)

    async def stream(self, request: Json) -> AsyncIterator[Json]:
        """As `wager.gateway.upstream.Upstream.stream`."""
        async with aclosing(self._streamed(lambda server: server.upstream.stream(self._for(server, request)))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def send_stream(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """As `wager.gateway.upstream.Upstream.send_stream`."""

        def opened(server: _Server) -> AsyncIterator[bytes]:
            return server.upstream.send_stream(method, path, self._body_for(server, body), headers)

        async with aclosing(self._streamed(opened)) as pieces:
            async for piece in pieces:
                yield piece

    async def _streamed(self, opened: Callable[[_Server], AsyncIterator[T]]) -> AsyncGenerator[T, None]:
        async def begin(server: _Server) -> tuple[_Server, AsyncIterator[T], list[T]]:
            iterator = opened(server)
            try:
                return server, iterator, [await anext(iterator)]
            except StopAsyncIteration:
                return server, iterator, []
            except BaseException:
                await _ended(iterator)
                raise

        server, iterator, begun = await self._resilient(begin, whole=False)
        try:
            for piece in begun:
                yield piece
            async for piece in iterator:
                yield piece
        except UpstreamError as error:
            self._told(server, error)
            raise
        except BaseException:  # the client went away, which tells nothing about the server
            server.breaker.given_up()
            raise
        else:
            server.breaker.succeeded()
        finally:
            await _ended(iterator)

    async def _resilient(self, ask: Callable[[_Server], Awaitable[T]], *, whole: bool = True) -> T:
        """The first answer of the servers in order.

        Args:
            ask: one attempt.
            whole: whether the answer is complete; that a stream has begun proves nothing but to a half-open breaker.
        """
        end = self._clock() + self._seconds
        last: UpstreamError | None = None
        made = 0
        for place, server in enumerate(self._servers):
            for number in range(1, self._tries + 1):
                if made >= self._attempts or (made and self._clock() >= end) or not server.breaker.admits():
                    break
                made += 1
                if number > 1 or place:
                    self._on_event("retried" if number > 1 else "fell_back", server.name)
                try:
                    answer = await ask(server)
                except UpstreamError as error:
                    last = error
                    self._told(server, error)
                    if error.status not in AGAIN:
                        raise
                    wait = self._wait(error, number, more=place + 1 < len(self._servers))
                    if number == self._tries or made == self._attempts or wait is None or self._clock() + wait >= end:
                        break
                    if server.breaker.state != "closed":
                        break
                    await self._sleep(wait)
                except BaseException:
                    server.breaker.given_up()
                    raise
                else:
                    if whole or server.breaker.state == "half_open":
                        server.breaker.succeeded()
                    return answer
        if last is not None:
            raise last
        wait = min(one.breaker.wait() for one in self._servers)
        message = f"the model is out of order; it is tried again in {max(1, round(wait))} seconds"
        raise UpstreamError(503, message, code="upstream_unavailable", retry_after=max(1.0, wait))

    def _wait(self, error: UpstreamError, number: int, *, more: bool) -> float | None:
        """Seconds before the same server is asked again; None where the next one is to be asked at once, or the client told."""
        if error.code in LASTING or (more and error.code == "upstream_unreachable"):
            return None
        first, longest, longest_asked = self._waits
        if error.retry_after is not None:
            return error.retry_after + self._rng.uniform(0.0, first) if error.retry_after <= longest_asked else None
        return self._rng.uniform(0.0, min(longest, first * 2.0 ** (number - 1)))

    def _told(self, server: _Server, error: UpstreamError) -> None:
        """What an error says about the server."""
        if error.status == 429:
            server.breaker.given_up()  # it lives, and is busy
        elif error.status in AGAIN:
            server.breaker.failed()
        else:
            server.breaker.succeeded()
            return
        self._on_event("failed", server.name)

    def _telling(self, name: str) -> Callable[[BreakerState], None]:
        return lambda state: self._on_event(EVENTS[state], name)

    def _for(self, server: _Server, request: Json) -> Json:
        """The request with the server's own model in place of the first one's."""
        other = server is not self._servers[0] and request.get("model") in (None, "", "auto", self.model)
        return {**request, "model": server.upstream.model} if other else request

    def _body_for(self, server: _Server, body: bytes | None) -> bytes | None:
        if body is None or server is self._servers[0]:
            return body
        try:
            request: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body
        return orjson.dumps(self._for(server, request)) if isinstance(request, dict) else body


async def _ended(iterator: AsyncIterator[Any]) -> None:
    """Ends the server's work, if anything is left of it."""
    if hasattr(iterator, "aclose"):
        await cast("AsyncGenerator[Any, None]", iterator).aclose()
