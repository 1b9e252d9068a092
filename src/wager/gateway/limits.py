"""Limits per key: requests a minute (a token bucket) and tokens a day (a budget), in memory or in Redis.

In memory each process counts for itself; it gets its share of the limits if it is told how many processes there are. Redis counts for
all. Tokens are known only after an answer, so a budget is checked before a request and charged after it: the requests that run when it
ends still finish, and it is then overdrawn by them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from wager.errors import MissingExtraError, UsageError
from wager.gateway.keys import Key
from wager.gateway.wire import error_body

__all__ = ["Limits", "MemoryLimits", "RedisLimits", "Standing"]

LOG = logging.getLogger("wager.gateway.limits")

DAY = 86_400
"""Seconds; a day begins at midnight UTC."""
PAUSE = 5.0
"""Seconds for which a Redis that failed is not asked again."""
TIMEOUT = 0.5
"""Seconds that Redis has to answer."""

Refusal = Literal["rate", "budget", "unavailable"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a key stands after asking for one request. A number is None where there is no such limit, or it is not known."""

    refused: Refusal | None = None
    """Why the request may not go on; None: it may."""
    limit_requests: int | None = None
    """Requests a minute."""
    remaining_requests: int | None = None
    """Requests that would pass at once."""
    reset_requests: float | None = None
    """Seconds until all of them would."""
    limit_tokens: int | None = None
    """Tokens a day."""
    remaining_tokens: int | None = None
    """Tokens left today, at least 0."""
    reset_tokens: float | None = None
    """Seconds until midnight UTC."""
    retry_after: float | None = None
    """Seconds after which the request would pass; None where it passed."""

    def headers(self) -> dict[str, str]:
        """``x-ratelimit-*`` as OpenAI sends them, and ``retry-after`` with a refusal. A spent budget is not worth a retry: the
        official clients are told so."""
        found: dict[str, str] = {}
        for what in ("requests", "tokens"):
            for name in ("limit", "remaining"):
                value = getattr(self, f"{name}_{what}")
                if value is not None:
                    found[f"x-ratelimit-{name}-{what}"] = str(value)
            reset = getattr(self, f"reset_{what}")
            if reset is not None:
                found[f"x-ratelimit-reset-{what}"] = duration(reset)
        if self.retry_after is not None:
            found["retry-after"] = str(max(1, math.ceil(self.retry_after)))
        if self.refused == "budget":
            found["x-should-retry"] = "false"
        return found

    @property
    def status(self) -> int:
        """HTTP status: 200, 429, or 503 where the limits cannot be checked."""
        return 200 if self.refused is None else 503 if self.refused == "unavailable" else 429

    def body(self) -> dict[str, Any]:
        """OpenAI's error for a refusal; empty if there is none."""
        if self.refused is None:
            return {}
        message, kind, code = {
            "rate": (
                f"rate limit reached: {self.limit_requests} requests a minute; try again in {duration(self.retry_after or 0)}",
                "requests",
                "rate_limit_exceeded",
            ),
            "budget": (
                f"the key's budget of {self.limit_tokens} tokens a day is spent; it starts anew in {duration(self.reset_tokens or 0)}",
                "insufficient_quota",
                "insufficient_quota",
            ),
            "unavailable": ("the limits of this key cannot be checked now; try again", "server_error", "limits_unavailable"),
        }[self.refused]
        return error_body(message, kind=kind, code=code)


def duration(seconds: float) -> str:
    """A time as OpenAI's headers write it.

    >>> [duration(one) for one in (0.02, 1, 75.5, 7200)]
    ['20ms', '1s', '1m15.5s', '2h0m0s']
    """
    if seconds < 1:
        return f"{math.ceil(1000 * max(0.0, seconds) - 1e-9)}ms"
    tenths = math.ceil(10 * seconds - 1e-9)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest // 10}.{rest % 10}s" if rest % 10 else f"{rest // 10}s"
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + text


class Limits(Protocol):
    """Counts for each key."""

    async def ask(self, key: Key | None) -> Standing:
        """Takes one request from the key's minute and looks at its day. A request that is refused takes nothing."""
        ...

    async def spend(self, key: Key | None, tokens: int) -> None:
        """Charges the tokens of an answer to the key's day."""
        ...

    async def close(self) -> None:
        """Closes connections; may be called twice."""
        ...


class MemoryLimits:
    """Counts of this process."""

    def __init__(self, *, processes: int = 1, clock: Callable[[], float] = time.time) -> None:
        """Args:
        processes: among how many workers the limits are divided; each gets an equal share, so one that is asked more than its share
            refuses a little early.
        clock: seconds since 1970.
        """
        if processes < 1:
            raise UsageError(f"limits are divided among 1 process or more, got {processes!r}")
        self._processes, self._clock = processes, clock
        self._full: dict[str, tuple[float, float]] = {}
        self._spent: dict[str, tuple[int, int]] = {}

    async def ask(self, key: Key | None) -> Standing:
        """See `Limits`."""
        if key is None:
            return Standing()
        now = self._clock()
        capacity, rate = _bucket(key, self._processes)
        level, last = self._full.get(key.name, (capacity, now))
        level = min(capacity, level + max(0.0, now - last) * rate)
        day, spent = self._spent.get(key.name, (0, 0))
        spent = spent if day == int(now // DAY) else 0
        budget = _budget(key, self._processes)
        passes = (budget is None or spent < budget) and level >= 1
        if passes:
            level -= 1
        if key.requests_per_minute is not None:
            self._full[key.name] = (level, now)
        return _standing(key, level=level, passes=passes, spent=spent, now=now, processes=self._processes)

    async def spend(self, key: Key | None, tokens: int) -> None:
        """See `Limits`."""
        if key is None or key.tokens_per_day is None or tokens <= 0:
            return
        today = int(self._clock() // DAY)
        day, spent = self._spent.get(key.name, (today, 0))
        self._spent[key.name] = (today, (spent if day == today else 0) + tokens)

    async def close(self) -> None:
        """Nothing is open."""


def _bucket(key: Key, processes: int = 1) -> tuple[float, float]:
    """Requests that pass at once, and how many come back a second; a bucket holds at least one."""
    if key.requests_per_minute is None:
        return math.inf, 0.0
    share = key.requests_per_minute / processes
    return max(1.0, share), share / 60


def _budget(key: Key, processes: int = 1) -> float | None:
    return None if key.tokens_per_day is None else key.tokens_per_day / processes


def _standing(key: Key, *, level: float, passes: bool, spent: float, now: float, processes: int = 1) -> Standing:
    capacity, rate = _bucket(key, processes)
    budget = _budget(key, processes)
    midnight = DAY - now % DAY
    over = budget is not None and spent >= budget
    limited = key.requests_per_minute is not None
    return Standing(
        refused=None if passes else "budget" if over else "rate",
        limit_requests=math.ceil(capacity) if limited else None,
        remaining_requests=int(level) if limited else None,
        reset_requests=max(0.0, capacity - level) / rate if limited else None,
        limit_tokens=None if budget is None else math.ceil(budget),
        remaining_tokens=None if budget is None else max(0, math.floor(budget - spent)),
        reset_tokens=None if budget is None else midnight,
        retry_after=None if passes else midnight if over else max(0.0, 1 - level) / rate,
    )


ASK = """
local now = redis.call('TIME')
local at = now[1] + now[2] / 1000000
local day = math.floor(now[1] / 86400)
local capacity, rate, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HMGET', KEYS[1], 'level', 'at', 'day', 'spent')
local spent = 0
if tonumber(held[3]) == day then spent = tonumber(held[4]) or 0 end
local level = capacity
if held[1] then level = math.min(capacity, tonumber(held[1]) + math.max(0, at - tonumber(held[2])) * rate) end
local passes = (budget < 0 or spent < budget) and (capacity < 0 or level >= 1)
if capacity >= 0 then
  if passes then level = level - 1 end
  redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.6f', at))
  redis.call('EXPIRE', KEYS[1], 172800)
end
return {passes and 1 or 0, string.format('%.6f', level), string.format('%.0f', spent), string.format('%.6f', at)}
"""
"""One request, whole or not at all. The time is Redis's own, so the clocks of the workers need not agree. -1: no such limit."""

SPEND = """
local day = math.floor(redis.call('TIME')[1] / 86400)
local spent = 0
if tonumber(redis.call('HGET', KEYS[1], 'day')) == day then spent = tonumber(redis.call('HGET', KEYS[1], 'spent')) or 0 end
redis.call('HSET', KEYS[1], 'day', day, 'spent', string.format('%.0f', spent + tonumber(ARGV[1])))
redis.call('EXPIRE', KEYS[1], 172800)
return 1
"""


class RedisLimits:
    """Counts of all workers. Where Redis is gone, requests pass or are refused, as ``without`` says; the log says so once."""

    def __init__(self, url: str, *, without: Literal["open", "closed"] = "open", prefix: str = "wager:limits:") -> None:
        """Connects at the first request.

        Args:
            url: ``redis://[user:password@]host[:port]/[database]``, ``rediss://`` with TLS, or ``unix://``.
            without: what happens while Redis does not answer: requests pass unlimited, or are refused with 503.
            prefix: of the names in Redis.

        Raises:
            MissingExtraError: the package redis is not there.
            UsageError: it is no such URL.
        """
        try:
            import redis.asyncio
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
        except ImportError as error:
            raise MissingExtraError("redis", "redis", "limits that several machines share") from error
        try:
            self._redis: Any = redis.asyncio.Redis.from_url(
                url,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                max_connections=64,
                retry=Retry(NoBackoff(), 1),  # a connection that Redis closed meanwhile
            )
        except ValueError as error:
            raise UsageError("the limits need a URL such as redis://host:6379/0, rediss://... or unix://...") from error
        self._failures = (RedisError, OSError, TimeoutError)
        self._ask, self._spend = self._redis.register_script(ASK), self._redis.register_script(SPEND)
        self._without, self._prefix = without, prefix
        self._away_until, self._away = 0.0, False

    async def ask(self, key: Key | None) -> Standing:
        """See `Limits`."""
        if key is None or (key.requests_per_minute is None and key.tokens_per_day is None):
            return Standing()
        capacity, rate = _bucket(key)
        found = await self._run(
            self._ask, key, [-1 if math.isinf(capacity) else capacity, rate, -1 if key.tokens_per_day is None else key.tokens_per_day]
        )
        if found is None:
            return Standing() if self._without == "open" else Standing(refused="unavailable", retry_after=PAUSE)
        passes, level, spent, now = found
        return _standing(key, level=float(level), passes=bool(passes), spent=float(spent), now=float(now))

    async def spend(self, key: Key | None, tokens: int) -> None:
        """See `Limits`."""
        if key is not None and key.tokens_per_day is not None and tokens > 0:
            await self._run(self._spend, key, [int(tokens)])

    async def _run(self, script: Any, key: Key, values: list[Any]) -> Any:
        if time.monotonic() < self._away_until:
            return None
        name = self._prefix + hashlib.sha256(key.name.encode()).hexdigest()[:32]
        try:
            async with asyncio.timeout(2 * TIMEOUT):
                found = await script(keys=[name], args=values)
        except self._failures as error:
            self._away_until = time.monotonic() + PAUSE
            if not self._away:
                LOG.error(  # once, until it is back
                    "Redis does not answer (%s): requests %s until it does",
                    type(error).__name__,
                    "pass without limits" if self._without == "open" else "of limited keys are refused",
                )
            self._away = True
            return None
        if self._away:
            LOG.warning("Redis answers again: the limits hold")
        self._away = False
        return found

    async def close(self) -> None:
        """See `Limits`."""
        await self._redis.aclose()
