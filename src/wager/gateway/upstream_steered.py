"""The model of this process under dials: the same file a second time, in a llama.cpp that adds to activations.

llama.cpp's own server takes one control vector for all of its requests, so a steered request is answered by `wager.steering.llama`, one at
a time, in a thread of its own. The file is loaded at the first such request (its weights are mapped, so they are in memory once). A client
that goes away ends the work at the next token.
"""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from wager.errors import DataError, UsageError, WagerError
from wager.gateway.dials import Dials, Turned
from wager.gateway.llama_request import llama_request, seeded
from wager.gateway.refusal import one_line
from wager.gateway.upstream import Answered, Capabilities, Json, Upstream, UpstreamError
from wager.gateway.wire import pieces
from wager.models.weights import embedded_weights
from wager.steering.backend import Push, Reply
from wager.steering.llama import LlamaSteering
from wager.steering.plan import Plan

if TYPE_CHECKING:
    from wager.steering.backend import Chat

__all__ = ["Reading", "SteeredModel", "SteeredUpstream", "not_used", "steered_name"]

CONTEXT = 4096
"""Tokens of prompt and reply, as of the unsteered model."""

MOST_STOPS = 16
"""Texts that end a reply."""

DRAWN: Mapping[str, Any] = {"top_p": 1, "top_k": 0, "min_p": 0, "frequency_penalty": 0, "presence_penalty": 0, "ignore_eos": False}
"""Options that a steered reply does not heed, and the value of each that asks for nothing."""

Reading = tuple[bool | None, float | None]
"""Whether a dial's gate fired, and the probability that it read; None without a gate."""


class Gone(Exception):  # noqa: N818 (no error: nobody waits for the reply any more)
    """The client went away."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A request, checked."""

    chat: Chat
    tokens: int
    temperature: float
    stops: tuple[str, ...]
    seeds: tuple[int, ...]
    """One for each choice."""
    logprobs: bool


@dataclass(frozen=True, kw_only=True)
class Said:
    """What came of it."""

    replies: tuple[Reply, ...]
    readings: tuple[Reading, ...]
    """One for each dial."""
    read: int
    """Tokens of the prompt."""


class SteeredModel:
    """One GGUF file that can be steered, for all requests of a process.

    Args:
        dials: what it can be steered with.
        path: the file; None is the embedded model's.
        name: for messages.
        threads: None is the cores that this process may use but one.
        context: tokens of prompt and reply.
        total_seconds: most seconds of a request, its wait for the ones before it included.
    """

    def __init__(
        self,
        dials: Dials,
        path: Path | None = None,
        *,
        name: str = "embedded",
        threads: int | None = None,
        context: int = CONTEXT,
        total_seconds: float = 600.0,
    ) -> None:
        self.dials = dials
        self._path, self._name, self._context, self._total = path, name, context, total_seconds
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._threads = threads or max(1, cores - 1)
        self._engine: LlamaSteering | None = None
        self._worker: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Checks that the dials are of this model; it is loaded for that and freed again.

        Raises:
            UsageError: a dial is of another model.
            ModelError: the file cannot be loaded, or this build of llama.cpp cannot be steered.
            MissingExtraError: a package of the extra ``steer`` is not installed.
        """
        if self._worker is None:
            self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wager-dials")
            try:
                await asyncio.wrap_future(self._worker.submit(self.check))
            except BaseException:  # a second start is to check again, and no thread stays
                worker, self._worker = self._worker, None
                worker.shutdown(wait=False)
                raise

    def check(self) -> None:
        """As `start`, in this thread."""
        engine = self._opened(64)
        try:
            self.dials.check_for(engine.identity)
        finally:
            engine.close()

    async def close(self) -> None:
        """Frees the model; may be called twice."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await asyncio.wrap_future(worker.submit(self._freed))
            worker.shutdown(wait=False)

    @property
    def loaded(self) -> bool:
        """Whether a request has needed it yet."""
        return self._engine is not None

    async def said(self, wanted: Wanted, turned: Sequence[Turned]) -> Said:
        """The replies under the dials whose gates fire; raises UpstreamError."""
        if self._worker is None:
            raise UpstreamError(503, "the model that is steered is not open", code="upstream_unavailable")
        gone = Event()
        try:
            async with asyncio.timeout(self._total):
                return await asyncio.wrap_future(self._worker.submit(self._say, wanted, tuple(turned), gone))
        except TimeoutError:
            raise UpstreamError(504, f"the steered model did not answer for {self._total:g} seconds", code="upstream_timeout") from None
        except (DataError, UsageError) as error:
            raise UpstreamError(400, one_line(str(error)), kind="invalid_request_error") from None
        except WagerError as error:
            raise UpstreamError(502, one_line(str(error)), code="upstream_invalid") from None
        finally:
            gone.set()  # ends what still runs at its next token; the thread takes the next request after that

    def _say(self, wanted: Wanted, turned: tuple[Turned, ...], gone: Event) -> Said:
        """In the thread."""
        if gone.is_set():
            raise Gone
        if self._engine is None:
            self._engine = self._opened(self._context)
        engine = self._engine
        readings = [_read(engine, wanted.chat, one) for one in turned]
        moves = tuple(one.move for one, (fired, _) in zip(turned, readings, strict=True) if fired is not False)
        push: Push | None = Plan(moves=moves).push(engine.identity) if moves else None
        ends = tuple(stop.encode() for stop in wanted.stops)

        def stop(_: int, text: bytes) -> bool:
            return gone.is_set() or any(one in text for one in ends)

        replies = []
        for seed in wanted.seeds:
            [reply] = engine.generate(
                [wanted.chat], pushes=push, tokens=wanted.tokens, temperature=wanted.temperature, seed=seed, stop=stop
            )
            if gone.is_set():
                raise Gone
            replies.append(reply)
        return Said(replies=tuple(replies), readings=tuple(readings), read=engine.count(wanted.chat))

    def _opened(self, context: int) -> LlamaSteering:
        path = self._path or embedded_weights()
        return LlamaSteering(path, name=self._name, context=context, sequences=1, threads=self._threads)

    def _freed(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


class SteeredUpstream:
    """The upstream of one request: what it is asked is answered under the request's dials. Implements `wager.gateway.upstream.Upstream`.

    Each call of the model reads the gates of its own prompt; what is told is what they said of the first.
    """

    def __init__(self, base: Upstream, steering: SteeredModel, turned: Sequence[Turned]) -> None:
        self.base, self.steering, self.turned = base, steering, tuple(turned)
        self._readings: list[tuple[Reading, ...]] = []

    @property
    def model(self) -> str:
        """The unsteered model's."""
        return self.base.model

    @property
    def told(self) -> dict[str, dict[str, Any]]:
        """By dial, what was done with it; empty where the model was not asked."""
        if not self._readings:
            return {}
        return {
            one.dial.name: {"value": one.value, "dose": one.dose, "fired": fired, "probability": probability}
            for one, (fired, probability) in zip(self.turned, self._readings[0], strict=True)
        }

    @property
    def notes(self) -> list[str]:
        """On gates that did not say the same of all prompts."""
        found = []
        for place, one in enumerate(self.turned):
            fired = [reading[place][0] for reading in self._readings]
            if len(set(fired)) > 1:
                found.append(f"the gate of {one.dial.name} fired in {fired.count(True)} of {len(fired)} calls; what is told is the first")
        return found

    async def start(self) -> None:
        """Nothing to do: what it rests on is open."""

    async def close(self) -> None:
        """Nothing to do."""

    async def healthy(self) -> bool:
        """As the unsteered model."""
        return await self.base.healthy()

    async def capabilities(self) -> Capabilities:
        """It takes a temperature and tells log-probabilities, but not the likeliest tokens."""
        return Capabilities(logprobs=True, top_logprobs=False, temperature=True)

    async def chat(self, request: Json) -> Json:
        """One response with all its choices."""
        wanted = _wanted(request)
        said = await self.steering.said(wanted, self.turned)
        self._readings.append(said.readings)
        choices = [_choice(reply, index, wanted) for index, reply in enumerate(said.replies)]
        written = sum(len(reply.tokens) for reply in said.replies)
        return {
            **{"id": f"chatcmpl-{secrets.token_hex(12)}", "object": "chat.completion", "created": int(time.time()), "model": self.model},
            "choices": choices,
            "usage": {"prompt_tokens": said.read, "completion_tokens": written, "total_tokens": said.read + written},
        }

    async def stream(self, request: Json) -> AsyncGenerator[Json, None]:
        """The chunks of the finished response."""
        response = await self.chat(request)
        alike = {**{name: response[name] for name in ("id", "created", "model")}, "object": "chat.completion.chunk"}
        for choice in response["choices"]:
            deltas = [{"role": "assistant", "content": ""}, *({"content": part} for part in pieces(choice["message"]["content"]))]
            for number, delta in enumerate(deltas):
                logprobs = {"logprobs": choice["logprobs"]} if number == 1 and choice.get("logprobs") else {}
                yield {**alike, "choices": [{"index": choice["index"], "delta": delta, "finish_reason": None, **logprobs}]}
            yield {**alike, "choices": [{"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}]}
        options = request.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage") is True:
            yield {**alike, "choices": [], "usage": response["usage"]}

    async def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        """Passed on: raw requests are not steered."""
        return await self.base.send(method, path, body, headers)

    def send_stream(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Passed on: raw requests are not steered."""
        return self.base.send_stream(method, path, body, headers)


def steered_name(model: str, turned: Sequence[Turned]) -> str:
    """What the model under these dials is called, in the journal and for policies: it is another model than the one without.

    >>> steered_name("embedded/smollm2-135m-instruct", [])
    'embedded/smollm2-135m-instruct'
    """
    return "".join([model, *(f"{',' if number else '#'}{one.dial.name}={one.value!r}" for number, one in enumerate(turned))])


def not_used(body: Json) -> list[str]:
    """Notes on what of a client's request a steered reply does not heed."""
    names = [name for name, idle in DRAWN.items() if body.get(name) not in (None, idle)]
    found = [f"{', '.join(names)} did nothing: a steered reply is drawn by temperature alone"] if names else []
    if body.get("logit_bias"):
        found.append("logit_bias did nothing: a steered reply is drawn by temperature alone")
    if body.get("top_logprobs"):
        found.append("top_logprobs did nothing: of a steered reply the likeliest tokens are not told")
    return found


def _read(engine: LlamaSteering, chat: Chat, one: Turned) -> Reading:
    """What the dial's gate says before a word is said and before anything is pushed."""
    gate = one.dial.gate
    if gate is None:
        return None, None
    [(fired, probability)] = gate.gated(engine, [chat])
    return fired, probability


def _wanted(request: Json) -> Wanted:
    """The request as it is answered here; UpstreamError 400 for what cannot be."""
    one, count = llama_request(request)
    tokens, temperature = one["max_tokens"], one["temperature"]
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise _refusal(f"max_tokens is a whole number of at least 1, got {str(tokens)[:40]}")
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 <= temperature < math.inf:
        raise _refusal(f"temperature is a number of at least 0, got {str(temperature)[:40]}")
    stop = one.get("stop", [])
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > MOST_STOPS or not all(isinstance(each, str) for each in stops):
        raise _refusal(f"stop is a text or a list of at most {MOST_STOPS} texts")
    first = {"seed": one.get("seed", secrets.randbits(31))}
    return Wanted(
        chat=[{"role": message["role"], "content": message.get("content") or ""} for message in one["messages"]],
        tokens=tokens,
        temperature=float(temperature),
        stops=tuple(each for each in stops if each),
        seeds=tuple(seeded(first, number)["seed"] % (1 << 32) for number in range(count)),
        logprobs=one.get("logprobs") is True,
    )


def _refusal(message: str) -> UpstreamError:
    return UpstreamError(400, message, kind="invalid_request_error")


def _choice(reply: Reply, index: int, wanted: Wanted) -> Json:
    """A reply as a choice of a response, without the text that ended it."""
    written = "".join(reply.tokens)
    start = len(written) - len(written.lstrip())  # a reply's text is without the blanks around it, where a stop text may be
    whole = written[:start] + reply.text + (written[len(written.rstrip()) :] if written.strip() else "")
    places = [place for stop in wanted.stops if (place := whole.find(stop)) >= 0]
    length = min(places) - start if places else None
    text = reply.text if length is None else whole[start : start + max(0, length)]
    choice: Json = {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": reply.finish}
    if wanted.logprobs:
        choice["logprobs"] = {"content": _tokens(reply, length)}
    return choice


def _tokens(reply: Reply, length: int | None) -> list[Json]:
    """Log-probabilities of the tokens that begin within the first ``length`` characters; of all if None."""
    found: list[Json] = []
    passed = len("".join(reply.tokens).lstrip()) - len("".join(reply.tokens))  # the text is without the blank before it
    for token, logprob in zip(reply.tokens, reply.logprobs, strict=True):
        if length is not None and passed >= length:
            break
        found.append({"token": token, "logprob": float(logprob), "bytes": list(token.encode()), "top_logprobs": []})
        passed += len(token)
    return found
