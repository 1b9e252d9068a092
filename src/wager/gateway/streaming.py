"""A response as a stream of server-sent events.

Three ways, as the kind's knobs say: tokens at once, for kinds that decide nothing; everything decided first, then replayed, with comments
that keep the connection open meanwhile; or tokens at once and the verdict at the end, when the words are out. A stream never bypasses an
abstention.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from wager.gateway.answering import Answering, Response
from wager.gateway.confidence import is_local, with_logprobs
from wager.gateway.creative import HELD, STRONGER, invented, other_branches
from wager.gateway.decision import Decided
from wager.gateway.judging import judge
from wager.gateway.task import Task
from wager.gateway.wire import DONE, THINKING, chunk, completion, event, pieces, text_of
from wager.grading.deflection import find_deflection

__all__ = ["passes_at_once", "streamed"]

Json = dict[str, Any]
Keep = Callable[[Decided], Awaitable[None]]

THOUGHT = 2.0
"""Seconds between two comments while a decision is made."""


def passes_at_once(task: Task) -> bool:
    """Whether tokens are passed on as they come: never where the decision must come first."""
    decides = task.decides == "act" and task.knobs.stream != "verdict"
    special = task.detected.crisis is not None or task.knobs.citations == "required" or task.kind == "personal"
    special = special or task.steered is not None  # a steered reply comes whole
    return task.knobs.stream != "buffer" and not decides and not special


async def streamed(answering: Answering, task: Task, keep: Keep) -> AsyncIterator[bytes]:
    """The events of a response, the last one ``[DONE]``.

    Args:
        answering: answers.
        task: the request.
        keep: writes the decision to the journal; called before the chunk that carries it.
    """
    if passes_at_once(task):
        async for one in _live(answering, task, keep):
            yield one
    else:
        async for one in _buffered(answering, task, keep):
            yield one
    yield DONE


async def _buffered(answering: Answering, task: Task, keep: Keep) -> AsyncIterator[bytes]:
    """Decided first, then replayed."""
    deciding = asyncio.ensure_future(answering.respond(task))
    try:
        while True:
            done, _ = await asyncio.wait({deciding}, timeout=THOUGHT)
            if done:
                break
            yield THINKING
        response = deciding.result()
    finally:
        if not deciding.done():
            deciding.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await deciding
    await keep(response.decided)
    for one in replayed(response, usage=task.ask.usage):
        yield one


def replayed(response: Response, *, usage: bool) -> list[bytes]:
    """A whole response as events, without ``[DONE]``."""
    body = response.body
    out: list[bytes] = []
    for choice in body["choices"]:
        index, message = choice["index"], choice["message"]
        out.append(event(chunk(body, {"role": "assistant", "content": ""}, index=index)))
        others = {name: value for name, value in message.items() if name not in ("role", "content", "tool_calls") and value is not None}
        for number, part in enumerate(pieces(text_of(message))):
            logprobs = choice.get("logprobs") if number == 0 else None
            out.append(event(chunk(body, {"content": part}, index=index, logprobs=logprobs)))
        calls = message.get("tool_calls")
        if calls:
            delta = {"tool_calls": [{"index": place, **one} for place, one in enumerate(calls)]}
            out.append(event(chunk(body, delta, index=index)))
        last = chunk(body, others, index=index, finish=choice.get("finish_reason") or "stop")
        out.append(event({**last, "wager": body["wager"]}))
    if usage:
        out.append(event(_usage_chunk(body)))
    return out


def _usage_chunk(body: Json) -> Json:
    return {
        **{name: body[name] for name in ("id", "created", "model")},
        "object": "chat.completion.chunk",
        "choices": [],
        "usage": body.get("usage"),
    }


async def _live(answering: Answering, task: Task, keep: Keep) -> AsyncIterator[bytes]:
    """Tokens as they come; the decision on the chunk that has the finish reason."""
    creative = task.knobs.branches > 1 and task.ask.choices == 1 and not task.ask.body.get("tools")
    others = asyncio.ensure_future(other_branches(task)) if creative else None
    heard = _Heard(logprobs=task.ask.logprobs)
    try:
        async for one in _started(task, heard, creative):
            yield event(one)
        choice = heard.choice()
        verdict = await judge(task, choice) if others is None else invented(task, choice, await others)
    finally:
        if others is not None and not others.done():
            others.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await others
    decided = answering.decided(task, verdict)
    await keep(decided)
    wire = decided.wire(why=task.ask.options.why)
    for one in heard.endings(task):
        yield event({**one, "wager": wire})
    if task.ask.usage:
        yield event(heard.usage_chunk(task))


class _Heard:
    """What a stream has said so far."""

    def __init__(self, *, logprobs: bool) -> None:
        self.wants_logprobs = logprobs
        self.forget()

    def forget(self) -> None:
        """Begins anew."""
        self.texts: dict[int, list[str]] = {}
        self.logprobs: dict[int, list[Json]] = {}
        self.calls: dict[int, bool] = {}
        self.finishes: dict[int, Json] = {}
        self.first: Json | None = None
        self.usage: Json | None = None

    def hear(self, one: Json) -> Json | None:
        """Takes one chunk; what of it is passed on, or None: endings wait for the verdict, usage for the end."""
        one = {name: value for name, value in one.items() if name != "wager"}  # what a model's server says of itself is not ours
        self.first = self.first or one
        if isinstance(one.get("usage"), dict):
            self.usage = one["usage"]
        kept = []
        for choice in one.get("choices") or ():
            choice.pop("wager", None)
            index, delta = choice.get("index", 0), choice.get("delta") or {}
            self.texts.setdefault(index, []).append(delta.get("content") or "")
            self.logprobs.setdefault(index, []).extend((choice.get("logprobs") or {}).get("content") or ())
            self.calls[index] = self.calls.get(index, False) or bool(delta.get("tool_calls"))
            if not self.wants_logprobs and choice.get("logprobs") is not None:
                choice = {**choice, "logprobs": None}
            if choice.get("finish_reason"):
                self.finishes[index] = choice
            else:
                kept.append(choice)
        return {**{name: value for name, value in one.items() if name not in ("usage", "timings")}, "choices": kept} if kept else None

    def choice(self, index: int = 0) -> Json:
        """A choice as it would stand in a whole response."""
        message: Json = {"role": "assistant", "content": "".join(self.texts.get(index, ()))}
        if self.calls.get(index):
            message["tool_calls"] = [{}]
        finish = (self.finishes.get(index) or {}).get("finish_reason")
        content = self.logprobs.get(index)
        return {"index": index, "message": message, "finish_reason": finish, "logprobs": {"content": content} if content else None}

    def _like(self, task: Task) -> Json:
        return (
            self.first
            if self.first is not None and all(name in self.first for name in ("id", "created", "model"))
            else completion(task.model, (), usage=None)
        )

    def endings(self, task: Task) -> list[Json]:
        """The chunks with a finish reason; one is made where the server gave none."""
        like = self._like(task)
        finishes = self.finishes or {0: {"index": 0, "delta": {}, "finish_reason": "stop"}}
        shared = {name: value for name, value in like.items() if name not in ("choices", "usage", "timings")}
        return [{**shared, "object": "chat.completion.chunk", "choices": [choice]} for choice in finishes.values()]

    def usage_chunk(self, task: Task) -> Json:
        """The last chunk, for a client that asked for usage."""
        return _usage_chunk({**self._like(task), "usage": self.usage})


async def _started(task: Task, heard: _Heard, creative: bool) -> AsyncIterator[Json]:
    """The chunks to pass on. Of an invented text the beginning is held until it is known not to deflect into a fact check."""
    if not creative:
        async for one in _chunks(task, ""):
            kept = heard.hear(one)
            if kept is not None:
                yield kept
        return
    held: list[Json] = []
    holding = True
    async for one in _chunks(task, ""):
        kept = heard.hear(one)
        if kept is not None:
            held.append(kept)
        said = "".join(heard.texts.get(0, ()))
        if holding and len(said) < HELD and not heard.finishes:
            continue
        if holding and find_deflection(said) is not None:
            break
        holding = False
        for each in held:
            yield each
        held.clear()
    else:
        for each in held:
            yield each
        return
    heard.forget()  # nothing of the deflecting text was passed on
    task.note("the first text deflected into a fact check, and was drawn again")
    async for one in _chunks(task, STRONGER):
        kept = heard.hear(one)
        if kept is not None:
            yield kept


async def _chunks(task: Task, more: str) -> AsyncIterator[Json]:
    source = task.ruling().source if task.decides != "off" else None
    asked = with_logprobs(task.asking(), source, local=is_local(task.meter))
    if more:
        asked["messages"] = [*asked["messages"], {"role": "user", "content": more}]
    asked["stream_options"] = {"include_usage": True}
    chunks = task.meter.stream(asked)
    try:
        async for one in chunks:
            yield one
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]  # an asynchronous generator
