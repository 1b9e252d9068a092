"""One request on its way: what was detected and set, what it has cost so far, and what an act says of a reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wager.detection.kinds import Detected
from wager.elicit.evidence import Cost
from wager.gateway.confidence import cost_of
from wager.gateway.decision import Act, Citation, LookedUp, Spent
from wager.gateway.rulebook import Rulebook, Ruling
from wager.gateway.upstream import Capabilities, Upstream, UpstreamError
from wager.gateway.wire import ChatRequest
from wager.lookup.passages import Lookup
from wager.policy.knobs import Knobs

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
        self.calls = 0
        self.tokens_in: int | None = None
        self.tokens_out: int | None = None
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
        self.spent(cost_of(response), told=isinstance(response.get("usage"), dict))
        return response

    def _told(self, outcome: str, started: float) -> None:
        if self._on_call is not None:
            self._on_call(outcome, time.perf_counter() - started)

    async def stream(self, request: Json) -> AsyncIterator[Json]:
        """The chunks of a response; the time between them counts as waiting, that of whoever reads them does not."""
        self.calls += 1
        started, outcome = time.perf_counter(), "stopped"
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
                if isinstance(one.get("usage"), dict):
                    self.spent(cost_of(one), told=True, calls=0)
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

    def spent(self, cost: Cost, *, told: bool = True, calls: int = 1) -> None:
        """Adds what calls took."""
        self.calls += calls
        if told:
            self.tokens_in = (self.tokens_in or 0) + cost.tokens_in
            self.tokens_out = (self.tokens_out or 0) + cost.tokens_out

    @property
    def total(self) -> Spent:
        """So far."""
        seconds = time.perf_counter() - self.started
        waited = self._waited + (time.perf_counter() - self._since if self._waiting else 0.0)
        return Spent(
            calls=self.calls,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            overhead_ms=round(1000 * max(0.0, seconds - waited), 3),
            seconds=round(seconds, 4),
        )

    @property
    def model(self) -> str:
        """The upstream's."""
        return self.upstream.model


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
class Verdict:
    """What an act says of one reply. The fields are those of `wager.gateway.decision.Decided`."""

    choice: Json
    """The choice of the model's response that it is about."""
    text: str | None = None
    """What is said to the client; None leaves the model's message as it is."""
    act: Act
    reason: str
    confidence: float | None = None
    no_confidence: str | None = None
    raw: float | None = None
    source: str | None = None
    calibration_id: str | None = None
    target: float | None = None
    threshold: float | None = None
    shade: str | None = None
    rule: str = "none"
    citations: tuple[Citation, ...] = ()
    branches: tuple[str, ...] = ()
    distinct: float | None = None
    lookups: tuple[LookedUp, ...] = ()


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
