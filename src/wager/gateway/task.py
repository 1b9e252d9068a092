"""One request on its way: what was detected and set, what it has cost so far, and what an act says of a reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from wager.detection.kinds import Detected
from wager.gateway.decision import Judged, Spent, Usage, usage_of
from wager.gateway.rulebook import Rulebook, Ruling
from wager.gateway.upstream import Capabilities, Upstream, UpstreamError
from wager.gateway.wire import ChatRequest
from wager.lookup.passages import Lookup
from wager.policy.knobs import Knobs

if TYPE_CHECKING:
    from wager.gateway.upstream_steered import SteeredUpstream

__all__ = ["Meter", "OnCall", "Task", "Verdict", "with_instruction"]

Json = dict[str, Any]
R = TypeVar("R")

OnCall = Callable[[str, float], None]
"""Told of each call of the model: ``ok``, ``stopped`` or the status of its error, and its seconds."""


class Meter:
    """The upstream, with what its calls took. Time spent waiting is counted once, however many calls wait together."""

    def __init__(self, upstream: Upstream, on_call: OnCall | None = None) -> None:
        self.upstream, self._on_call = upstream, on_call
        self.started = time.perf_counter()
        self._usages: list[Usage] = []
        self._waiting, self._since, self._waited = 0, 0.0, 0.0

    async def chat(self, request: Json) -> Json:
        """One response."""
        started = time.perf_counter()
        try:
            response = await self.waited(self.upstream.chat(request))
        except UpstreamError as error:
            self._told(str(error.status), started)
            raise
        self._told("ok", started)
        self._usages.append(usage_of(response))
        return response

    def _told(self, outcome: str, started: float) -> None:
        if self._on_call is not None:
            self._on_call(outcome, time.perf_counter() - started)

    async def stream(self, request: Json) -> AsyncIterator[Json]:
        """The chunks of a response; the time between them counts as waiting, that of whoever reads them does not."""
        started, outcome, place = time.perf_counter(), "stopped", len(self._usages)
        self._usages.append((None, None))
        chunks = aiter(self.upstream.stream(request))
        try:
            while True:
                try:
                    one = await self.waited(anext(chunks))
                except StopAsyncIteration:
                    outcome = "ok"
                    return
                except UpstreamError as error:
                    outcome = str(error.status)
                    raise
                if isinstance(one.get("usage"), dict):  # the last one counts: some servers tell with each chunk what it was so far
                    self._usages[place] = usage_of(one)
                yield one
        finally:
            self._told(outcome, started)
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()

    async def waited(self, call: Awaitable[R]) -> R:
        """The result of a call, whose time counts as waiting."""
        with self._wait():
            return await call

    @contextmanager
    def _wait(self) -> Any:  # Any: a context manager without a value
        if not self._waiting:
            self._since = time.perf_counter()
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._waited += time.perf_counter() - self._since

    @property
    def total(self) -> Spent:
        """So far. Tokens are unknown as soon as one call does not tell them: a sum without it would be too small."""
        read, written = ([usage[side] for usage in self._usages] for side in (0, 1))
        seconds = time.perf_counter() - self.started
        waited = self._waited + (time.perf_counter() - self._since if self._waiting else 0.0)
        return Spent(
            calls=len(self._usages),
            tokens_in=_sum(read),
            tokens_out=_sum(written),
            overhead_ms=round(1000 * max(0.0, seconds - waited), 3),
            seconds=round(seconds, 4),
        )

    @property
    def model(self) -> str:
        """The upstream's."""
        return self.upstream.model


def _sum(counts: Sequence[int | None]) -> int | None:
    """The sum of one count or more, all known; None otherwise."""
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


@dataclass(kw_only=True)
class Task:
    """One request, and all that its acts need."""

    id: str
    """Of the decision."""
    ask: ChatRequest
    """The request."""
    detected: Detected
    """Its kind."""
    knobs: Knobs
    """What is set for it."""
    model: str
    """The model that answers, as its server names it."""
    meter: Meter
    """Its calls."""
    capabilities: Capabilities
    """What the model's server can do."""
    rulebook: Rulebook
    """Of the policy."""
    lookups: Sequence[Lookup] = ()
    """What can be searched."""
    seconds: float = 5.0
    """Most seconds of a search."""
    steered: SteeredUpstream | None = None
    """What its calls go to, where dials are turned."""
    notes: list[str] = field(default_factory=list)
    """What the client should know."""

    @property
    def kind(self) -> str:
        """The kind whose knobs are used."""
        return self.detected.kind

    @property
    def decides(self) -> str:
        """Whether a rule decides: a client that states a target wants it to."""
        return "act" if self.ask.options.target is not None else self.knobs.decides

    @property
    def is_hot(self) -> bool:
        """Whether the answer is drawn at another temperature than 0, at which answers are graded."""
        given = self.ask.body.get("temperature")
        return (given if given is not None else self.knobs.temperature) != 0

    def ruling(self, without: frozenset[str] = frozenset()) -> Ruling:
        """What decides on the answer."""
        return self.rulebook.ruling(self.kind, self.model, self.capabilities, target=self.ask.options.target, without=without)

    def asking(self, *, temperature: float | None = None, messages: Sequence[Json] | None = None, **changed: Any) -> Json:
        """The request for the model, with the kind's knobs: its temperature where the client states none, its instruction."""
        wanted = temperature if temperature is not None else self.knobs.temperature
        given = self.ask.body.get("temperature")
        if self.capabilities.temperature is False:
            changed["temperature"] = None
        elif given is None or temperature is not None:
            changed["temperature"] = wanted
        spoken = self.ask.messages if messages is None else messages
        return self.ask.asking(messages=with_instruction(spoken, self.knobs.instruction), model=self.model, **changed)

    def note(self, text: str) -> None:
        """Keeps a note once."""
        if text not in self.notes:
            self.notes.append(text)


def with_instruction(messages: Sequence[Json], instruction: str) -> list[Json]:
    """The conversation with an instruction in its system message: behind the client's own, which stays first and whole.

    >>> with_instruction([{"role": "user", "content": "Hi"}], "Be brief.")[0]
    {'role': 'system', 'content': 'Be brief.'}
    """
    if not instruction:
        return list(messages)
    first = messages[0] if messages else {}
    if first.get("role") in ("system", "developer"):
        content = first.get("content")
        joined = (
            [*content, {"type": "text", "text": instruction}] if isinstance(content, list) else f"{content or ''}\n\n{instruction}".strip()
        )
        return [{**first, "content": joined}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


@dataclass(frozen=True, kw_only=True)
class Verdict(Judged):
    """What an act says of one reply."""

    choice: Json
    """The choice of the model's response that it is about."""
    text: str | None = None
    """What is said to the client; None leaves the model's message as it is."""
    rule: str = "none"
    """Name of the rule in the policy."""


async def together(*calls: Awaitable[R]) -> list[R]:
    """The results of calls made together; the first failure ends the others before it is raised."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
