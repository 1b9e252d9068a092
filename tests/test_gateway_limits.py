"""Limits per key in memory and in a real Redis, and limits on what comes in."""

import asyncio
import logging
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from conftest import absent
from wager.errors import UsageError
from wager.gateway.keys import Key
from wager.gateway.limits import Limits, MemoryLimits, RedisLimits, Standing, duration
from wager.gateway.sizes import Bounded, Sizes, check_request, counted
from wager.gateway.wire import RequestError

R = TypeVar("R")

HASH = "sha256:" + "0" * 64


def key(name: str = "alice", **limits: Any) -> Key:
    return Key(name=name, hash=HASH, **limits)


class Clock:
    """Seconds since 1970, moved by hand; starts one hour before midnight UTC."""

    def __init__(self) -> None:
        self.now = 20_000 * 86_400 - 3600.0

    def __call__(self) -> float:
        return self.now


def standings(limits: Limits, one: Key | None, count: int) -> list[Standing]:
    async def run() -> list[Standing]:
        return [await limits.ask(one) for _ in range(count)]

    return asyncio.run(run())


def spend(limits: Limits, one: Key, tokens: int) -> None:
    async def run() -> None:
        await limits.spend(one, tokens)

    asyncio.run(run())


# In memory


def test_a_minute_holds_so_many_requests_and_fills_up_again() -> None:
    clock = Clock()
    limits, one = MemoryLimits(clock=clock), key(requests_per_minute=6)
    found = standings(limits, one, 7)
    assert [one.refused for one in found] == [None] * 6 + ["rate"]
    assert [one.remaining_requests for one in found] == [5, 4, 3, 2, 1, 0, 0]
    assert found[0].reset_requests == pytest.approx(10)
    assert found[-1].retry_after == pytest.approx(10)
    clock.now += 9.9
    assert standings(limits, one, 1)[0].refused == "rate"
    clock.now += 0.2
    assert standings(limits, one, 1)[0].refused is None
    clock.now += 10_000
    assert [one.refused for one in standings(limits, one, 7)] == [None] * 6 + ["rate"]


def test_a_clock_that_goes_back_gives_and_takes_nothing() -> None:
    clock = Clock()
    limits, one = MemoryLimits(clock=clock), key(requests_per_minute=2)
    standings(limits, one, 2)
    clock.now -= 500
    assert standings(limits, one, 1)[0].refused == "rate"
    clock.now += 30
    assert standings(limits, one, 1)[0].refused is None


def test_a_budget_is_charged_after_the_answer_and_starts_anew_at_midnight() -> None:
    clock = Clock()
    limits, one = MemoryLimits(clock=clock), key(tokens_per_day=100)
    spend(limits, one, 99)
    assert standings(limits, one, 1)[0].remaining_tokens == 1
    spend(limits, one, 50)
    (found,) = standings(limits, one, 1)
    assert (found.refused, found.remaining_tokens, found.retry_after) == ("budget", 0, 3600)
    clock.now += 3600
    (found,) = standings(limits, one, 1)
    assert (found.refused, found.remaining_tokens, found.reset_tokens) == (None, 100, 86_400)


def test_a_refused_request_takes_nothing_from_the_minute() -> None:
    clock = Clock()
    limits, one = MemoryLimits(clock=clock), key(requests_per_minute=5, tokens_per_day=10)
    spend(limits, one, 10)
    assert {one.remaining_requests for one in standings(limits, one, 5)} == {5}
    clock.now += 3600
    assert standings(limits, one, 1)[0].remaining_requests == 4


def test_keys_have_limits_of_their_own_and_no_key_has_none() -> None:
    limits = MemoryLimits(clock=Clock())
    assert standings(limits, key("alice", requests_per_minute=1), 2)[-1].refused == "rate"
    assert standings(limits, key("bob", requests_per_minute=1), 1)[-1].refused is None
    for free in (None, key("carol")):
        (found,) = standings(limits, free, 1)
        assert found == Standing()
        assert (found.headers(), found.body(), found.status) == ({}, {}, 200)


def test_processes_share_the_limits() -> None:
    limits = MemoryLimits(processes=3, clock=Clock())
    one = key(requests_per_minute=6, tokens_per_day=30)
    assert [one.refused for one in standings(limits, one, 3)] == [None, None, "rate"]
    spend(limits, one, 10)
    assert standings(limits, one, 1)[0].refused == "budget"
    assert standings(MemoryLimits(processes=100, clock=Clock()), one, 1)[0].refused is None
    with pytest.raises(UsageError, match="1 process"):
        MemoryLimits(processes=0)


def test_refusals_have_openais_shape_and_headers() -> None:
    clock = Clock()
    limits, one = MemoryLimits(clock=clock), key(requests_per_minute=1, tokens_per_day=5)
    standings(limits, one, 1)
    (rate,) = standings(limits, one, 1)
    assert rate.status == 429
    assert rate.body()["error"] == {
        "message": "rate limit reached: 1 requests a minute; try again in 1m0s",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert rate.headers() == {
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-limit-tokens": "5",
        "x-ratelimit-remaining-tokens": "5",
        "x-ratelimit-reset-tokens": "1h0m0s",
        "retry-after": "60",
    }
    spend(limits, one, 5)
    (budget,) = standings(limits, one, 1)
    assert budget.status == 429
    assert (budget.body()["error"]["type"], budget.body()["error"]["code"]) == ("insufficient_quota", "insufficient_quota")
    assert (budget.headers()["retry-after"], budget.headers()["x-should-retry"]) == ("3600", "false")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0ms"),
        (0, "0ms"),
        (0.0001, "1ms"),
        (0.9999, "1000ms"),
        (1.01, "1.1s"),
        (59.96, "1m0s"),
        (3599.95, "1h0m0s"),
        (86_400, "24h0m0s"),
    ],
)
def test_times_are_rounded_up(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# In Redis


class Redis:
    """A real server on a free port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("redis-server did not start")

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Redis]:
    pytest.importorskip("redis")
    if not shutil.which("redis-server"):
        absent("redis-server")
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests answers late, which is no failure of Redis here."""
    monkeypatch.setattr("wager.gateway.limits.TIMEOUT", 20.0)


def with_redis(server: Redis, work: Callable[[RedisLimits], Awaitable[R]], **options: Any) -> R:
    async def run() -> R:
        limits = RedisLimits(server.url, **options)
        try:
            return await work(limits)
        finally:
            await limits.close()

    return asyncio.run(run())


@pytest.mark.usefixtures("patient")
def test_redis_counts_for_all_workers_and_lets_no_request_too_many_through(redis_server: Redis) -> None:
    one = key(requests_per_minute=20)

    async def work(limits: RedisLimits) -> list[Standing]:
        other = RedisLimits(redis_server.url)
        found = await asyncio.gather(*((limits if number % 2 else other).ask(one) for number in range(50)))
        await other.close()
        return list(found)

    started = time.monotonic()
    found = with_redis(redis_server, work)
    passed = [one for one in found if one.refused is None]
    assert 20 <= len(passed) <= 20 + (time.monotonic() - started) // 3  # one comes back every 3 s
    assert {one.refused for one in found} == {None, "rate"}
    assert min(one.remaining_requests or 0 for one in passed) == 0
    assert {one.limit_requests for one in found} == {20}
    assert all(0 < (one.retry_after or 0) <= 3 for one in found if one.refused)


@pytest.mark.usefixtures("patient")
def test_redis_keeps_the_budget_of_a_day(redis_server: Redis) -> None:
    one, free = key(tokens_per_day=100), key("bob", requests_per_minute=5)

    async def work(limits: RedisLimits) -> None:
        first = await limits.ask(one)
        assert (first.refused, first.remaining_tokens, first.limit_requests) == (None, 100, None)
        assert 0 < (first.reset_tokens or 0) <= 86_400
        await asyncio.gather(*(limits.spend(one, 10) for _ in range(9)))
        assert (await limits.ask(one)).remaining_tokens == 10
        await limits.spend(one, 10**12)
        spent = await limits.ask(one)
        assert (spent.refused, spent.remaining_tokens) == ("budget", 0)
        assert (await limits.ask(free)).remaining_requests == 4
        assert await limits.ask(None) == await limits.ask(key("carol")) == Standing()

    with_redis(redis_server, work)


@pytest.mark.usefixtures("patient")
def test_redis_and_memory_say_the_same(redis_server: Redis) -> None:
    one = key(requests_per_minute=3, tokens_per_day=1000)

    async def work(limits: RedisLimits) -> None:
        memory = MemoryLimits()
        for _ in range(5):
            ours, theirs = await memory.ask(one), await limits.ask(one)
            for name in ("refused", "limit_requests", "remaining_requests", "limit_tokens", "remaining_tokens"):
                assert getattr(ours, name) == getattr(theirs, name)
            assert ours.headers().keys() == theirs.headers().keys()
            await memory.spend(one, 7)
            await limits.spend(one, 7)

    with_redis(redis_server, work)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("without", "status"), [("open", 200), ("closed", 503)])
def test_while_redis_is_gone_requests_pass_or_are_refused_and_the_log_says_so_once(
    redis_server: Redis, without: Any, status: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wager.gateway.limits.PAUSE", 0.2)
    one = key(requests_per_minute=3, tokens_per_day=9)

    async def work(limits: RedisLimits) -> None:
        assert (await limits.ask(one)).remaining_requests == 2
        await asyncio.to_thread(redis_server.stop)
        for _ in range(4):
            found = await limits.ask(one)
            assert found.status == status
            assert found.remaining_requests is None
            await limits.spend(one, 5)
            await asyncio.sleep(0.1)
        assert (found.body() == {}) == (status == 200)
        assert await limits.ask(key("carol")) == Standing()
        await asyncio.to_thread(redis_server.start)
        await asyncio.sleep(0.25)
        assert (await limits.ask(one)).limit_requests == 3

    with_redis(redis_server, work, without=without)
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


def test_a_redis_that_hangs_holds_no_request_for_long(redis_server: Redis) -> None:
    one = key(requests_per_minute=3)

    async def work(limits: RedisLimits) -> None:
        assert (await limits.ask(one)).remaining_requests == 2
        redis_server.signal(signal.SIGSTOP)
        found = await asyncio.wait_for(asyncio.gather(*(limits.ask(one) for _ in range(20))), 20)
        redis_server.signal(signal.SIGCONT)
        assert set(found) == {Standing()}

    with_redis(redis_server, work)


def test_a_wrong_address_is_refused_without_showing_it() -> None:
    pytest.importorskip("redis")
    with pytest.raises(UsageError, match="redis://host") as raised:
        RedisLimits("http://me:hunter2@host")
    assert "hunter2" not in str(raised.value)


# Sizes

SMALL = Sizes(
    body_bytes=100, body_seconds=0.5, pause_seconds=0.2, headers=5, header_bytes=200, messages=3, parts=2, tools=1, stream_bytes=10
)


class Asked:
    """An ASGI exchange: what the server hands over, piece by piece, and what comes back."""

    def __init__(
        self, pieces: list[bytes], *, headers: list[tuple[bytes, bytes]] | None = None, pause: float = 0.0, gone: bool = False
    ) -> None:
        self._pieces, self._pause, self._gone = list(pieces), pause, gone
        length = str(sum(map(len, pieces))).encode()
        self.headers = [(b"content-length", length)] if headers is None else headers
        self.sent: list[Any] = []
        self.seen: list[bytes] = []
        self.left = False

    async def receive(self) -> Any:
        await asyncio.sleep(self._pause)
        if not self._pieces or (self._gone and len(self._pieces) == 1):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._pieces.pop(0), "more_body": bool(self._pieces)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["headers"] and (scope["headers"][0] != (b"content-length", b"0")):
            self.seen.append((await receive())["body"])
        self.left = (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def run(self) -> int | None:
        """The status that comes back."""
        asyncio.run(Bounded(self.app, SMALL)({"type": "http", "headers": self.headers}, self.receive, self.send))
        return self.sent[0]["status"] if self.sent else None


def test_a_body_arrives_whole_and_once() -> None:
    asked = Asked([b"a" * 40, b"", b"b" * 60])
    assert asked.run() == 200
    assert asked.seen == [b"a" * 40 + b"b" * 60]
    assert asked.left


def test_a_request_without_a_body_passes() -> None:
    for headers in ([], [(b"content-length", b"0")]):
        assert Asked([], headers=headers).run() == 200


CHUNKED = [(b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        (Asked([b"a" * 101]), 413, "at most 100 bytes, got 101"),
        (Asked([b"a" * 60, b"a" * 41], headers=CHUNKED), 413, "at most 100 bytes, got more"),
        (Asked([b"a" * 60, b"a" * 41], headers=[(b"content-length", b"5")]), 413, "got more"),
        (Asked([b"a"], headers=[(b"content-length", b"-1")]), 400, "content-length"),
        (Asked([b"a"], headers=[(b"content-length", b"9" * 20)]), 400, "content-length"),
        (Asked([b"a"], pause=0.3), 408, "not here in time"),
        (Asked([b"a"] * 20, pause=0.1), 408, "not here in time"),
        (Asked([b"a"], headers=[(b"a", b"b")] * 6), 431, "at most 5 headers, got 6"),
        (Asked([b"a"], headers=[(b"a", b"b" * 200)]), 431, "at most 200 bytes of headers, got 201"),
    ],
)
def test_what_is_too_large_or_too_slow_never_reaches_the_application(asked: Asked, status: int, said: str) -> None:
    import json

    assert asked.run() == status
    assert asked.seen == []
    start, body = asked.sent
    error = json.loads(body["body"])["error"]
    assert said in error["message"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert dict(start["headers"])[b"connection"] == b"close"


def test_a_client_that_goes_away_in_the_middle_of_its_body_ends_it() -> None:
    asked = Asked([b"a", b"b"], gone=True)
    assert asked.run() is None
    assert asked.seen == []


def test_what_is_no_request_passes() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def never(*_: Any) -> Any:
        raise AssertionError

    asyncio.run(Bounded(app)({"type": "lifespan"}, never, never))
    assert seen == ["lifespan"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{}] * 4}, "messages"),
        ({"messages": [{}, {"content": [{}] * 3}]}, "messages[1].content"),
        ({"messages": [], "tools": [{}] * 2}, "tools"),
    ],
)
def test_lists_that_are_too_long_are_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as raised:
        check_request(body, SMALL)
    assert (raised.value.status, raised.value.param) == (400, param)
    check_request({"messages": [{"content": "x"}, 7, {"content": [{}] * 2}], "tools": None}, SMALL)


def test_a_stream_that_does_not_end_is_cut_off_and_closed() -> None:
    closed: list[bool] = []
    found: list[bytes] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"abcd"
        finally:
            closed.append(True)

    async def run() -> None:
        source = endless()  # held, so that nobody else closes it
        try:
            async for piece in counted(source, 10):
                found.append(piece)
        finally:
            assert closed == [True]

    with pytest.raises(RequestError, match="longer than 10 bytes"):
        asyncio.run(run())
    assert found == [b"abcd", b"abcd"]
