"""The ASGI application: routes, who may use them, and what becomes of an error. All that decides lives in `answering`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse
from starlette.routing import Route

from wager.errors import OutputError, UnknownNameError, WagerError
from wager.gateway import responses
from wager.gateway.answering import Answering, Response
from wager.gateway.charging import Bill
from wager.gateway.decision import Decided
from wager.gateway.journal import Entry, Journal
from wager.gateway.keys import Key, Keys, bearer, is_loopback
from wager.gateway.limits import Limits, Standing
from wager.gateway.logs import REQUEST_ID, log
from wager.gateway.metrics import Metrics
from wager.gateway.openapi import description
from wager.gateway.page import page_routes
from wager.gateway.settings import Settings
from wager.gateway.sizes import Bounded, Sizes, check_request, counted
from wager.gateway.streaming import streamed
from wager.gateway.task import Task
from wager.gateway.traces import NO_TRACES, Traces
from wager.gateway.upstream import Upstream, UpstreamError
from wager.gateway.wire import RequestError, error_body, event, read_chat

__all__ = ["Gateway", "application"]

LOG = logging.getLogger("wager.gateway")

R = TypeVar("R")
Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[HttpResponse]]

RAW = "x-wager-act"
"""Header with the value ``raw``: the request is passed through without being read."""
LOCAL = ("localhost", "127.0.0.1", "[::1]", "::1")
PASSED = ("accept", "content-type", "user-agent", "openai-organization", "openai-project", "x-request-id", "idempotency-key")
"""Headers of a client that are passed on with a request that is passed through."""
EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
"""Where an event of a stream may end."""
CHARGES: set[asyncio.Future[None]] = set()
"""Charges under way: they are made also where the client is gone."""
LARGEST_HELD = 256 * 1024
"""Bytes of an event that a stream that is passed through holds back until the event is whole."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """All that a worker process has."""

    settings: Settings
    """How it was configured."""
    answering: Answering
    """Answers."""
    upstream: Upstream
    """The model."""
    keys: Keys
    """Who may ask; empty for anybody on this machine."""
    limits: Limits
    """How much."""
    journal: Journal | None
    """What is kept."""
    metrics: Metrics
    """What is counted."""
    traces: Traces = NO_TRACES
    """What is traced."""

    async def keep(self, decided: Decided, key: Key | None) -> None:
        """Counts a decision and writes it to the journal, with whose it is; returns once it is on disk."""
        self.metrics.decided(decided)
        if self.journal is not None:
            await self.journal.write(replace(decided, client=key.name if key else None))
            self.metrics.journal(self.journal.written, self.journal.lost)

    # -- routes ---------------------------------------------------------------------------------------------------------------

    async def chat(self, request: Request) -> HttpResponse:
        """``POST /v1/chat/completions``."""
        key, standing = await self._admitted(request)
        body = await request.body()
        if request.headers.get(RAW) == "raw":
            return await self._passed(request, body, "/chat/completions", key)
        ask = read_chat(body, most_messages=self.settings.most_messages)
        check_request(ask.body, Sizes(messages=self.settings.most_messages))
        if ask.options.raw:
            named = ask.model not in ("", "auto")
            body = orjson.dumps(ask.body if named else {**ask.body, "model": self.upstream.model})
            return await self._passed(request, body, "/chat/completions", key)
        task = await self.answering.task(ask)
        if ask.stream:
            return await self._streaming(request, task, self._streamed(task, request, key), key, standing, Bill(len(body)))
        response = await self._responded(request, task, key, Bill(len(body)))
        return _json(response.body, headers=_told(response.decided) | standing.headers())

    async def responses(self, request: Request) -> HttpResponse:
        """``POST /v1/responses``: as a chat request, so that the same is decided."""
        key, standing = await self._admitted(request)
        body = await request.body()
        if request.headers.get(RAW) == "raw":
            return await self._passed(request, body, "/responses", key)
        asked = responses.read(body)
        ask = read_chat(orjson.dumps(asked.chat), most_messages=self.settings.most_messages)
        check_request(ask.body, Sizes(messages=self.settings.most_messages))
        if ask.options.raw:
            return await self._passed(request, orjson.dumps(asked.body), "/responses", key)
        task = await self.answering.task(replace(ask, stream=asked.stream, usage=True))
        if asked.stream:
            events = responses.streamed(self._streamed(task, request, key), asked)
            return await self._streaming(request, task, events, key, standing, Bill(len(body)))
        response = await self._responded(request, task, key, Bill(len(body)))
        return _json(responses.whole(response.body, asked), headers=_told(response.decided) | standing.headers())

    async def _responded(self, request: Request, task: Task, key: Key | None, bill: Bill) -> Response:
        with self.traces.chat(task.model, task.ask.body, dict(request.headers)) as span:
            response = await self._billed(_until_gone(request, self.answering.respond(task)), task, key, bill)
            span.answered(response.body)
            span.decided(response.decided)
        bill.text(response.decided.answer)
        await self._charge(key, bill.tokens(ended=True, spent=response.decided.cost))
        await self.keep(response.decided, key)
        return response

    async def _billed(self, work: Awaitable[R], task: Task | None, key: Key | None, bill: Bill) -> R:
        """The result of some work. Where there is none its calls are charged; and where the client left, the call that was under way."""
        try:
            return await work
        except UpstreamError:
            spent = task.meter.total if task is not None else None
            await self._charge(key, (spent.tokens_in or 0) + (spent.tokens_out or 0) if spent else 0)
            raise
        except (ClientDisconnect, asyncio.CancelledError):
            await self._charge(key, bill.tokens(ended=False, spent=task.meter.total if task is not None else None))
            raise

    async def _charge(self, key: Key | None, tokens: int) -> None:
        """Charges a key; also where this request is being cancelled because its client left."""
        if key is not None and tokens > 0:
            charge = asyncio.ensure_future(self.limits.spend(key, tokens))
            CHARGES.add(charge)
            charge.add_done_callback(CHARGES.discard)
            await asyncio.shield(charge)

    async def _streamed(self, task: Task, request: Request, key: Key | None) -> AsyncIterator[bytes]:
        """The events of a streamed response, in a span."""
        with self.traces.chat(task.model, task.ask.body, dict(request.headers)) as span:

            async def keep(decided: Decided) -> None:
                span.decided(decided)
                await self.keep(decided, key)

            events = streamed(self.answering, task, keep)
            try:
                async for one in events:
                    yield one
            finally:
                await _closed(events)

    async def _streaming(
        self, request: Request, task: Task, events: AsyncIterator[bytes], key: Key | None, standing: Standing, bill: Bill
    ) -> HttpResponse:
        """A stream; what fails before its first event is an ordinary error."""
        first = await self._billed(_until_gone(request, _first(events)), task, key, bill)
        headers = {
            "x-wager-id": task.id,
            "x-wager-kind": task.kind,
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
        } | standing.headers()
        flow = await _begun(self._flow(first, events, task, key, bill))
        return _Stream(flow, media_type="text/event-stream", headers=headers)

    async def _flow(self, first: bytes, events: AsyncIterator[bytes], task: Task, key: Key | None, bill: Bill) -> AsyncIterator[bytes]:
        async def joined() -> AsyncIterator[bytes]:
            yield first
            async for one in events:
                yield one

        ended = False
        try:
            yield b""
            async for one in counted(joined(), Sizes().stream_bytes):
                if key is not None:
                    bill.stream(one)
                yield one
            ended = True
        except (RequestError, UpstreamError) as error:
            yield event(error_body(error.message, kind=error.kind, code=error.code))
        except Exception:
            LOG.exception("a stream failed")
            yield event(error_body("the gateway failed; its log says why", kind="server_error", code="internal_error"))
        finally:
            try:
                await _closed(events)
            finally:
                await self._charge(key, bill.tokens(ended=ended, spent=task.meter.total))

    async def _passed(self, request: Request, body: bytes | None, path: str, key: Key | None) -> HttpResponse:
        """Passed through: not decided, not kept; of the answer only its usage is read, for the key's budget."""
        bill = Bill(len(body or b""))
        headers = {name: value for name, value in request.headers.items() if name in PASSED}
        if body is not None and b'"stream"' in body and _object(body).get("stream") is True:
            stream = self.upstream.send_stream(request.method, path, body, headers)
            first = await self._billed(_until_gone(request, _first(stream)), None, key, bill)
            flow = await _begun(self._raw_charged(_raw_flow(first, stream), key, bill))
            return _Stream(flow, media_type="text/event-stream", headers={"x-wager-act": "raw"})
        answered = await self._billed(_until_gone(request, self.upstream.send(request.method, path, body, headers)), None, key, bill)
        if key is not None:
            bill.body(answered.body, text=path != "/embeddings")
            await self._charge(key, bill.tokens(ended=True))
        return HttpResponse(answered.body, status_code=answered.status, headers={**answered.headers, "x-wager-act": "raw"})

    async def _raw_charged(self, flow: AsyncIterator[bytes], key: Key | None, bill: Bill) -> AsyncIterator[bytes]:
        """A stream that is passed through, charged at its end or where its client leaves it."""
        ended = False
        try:
            yield b""
            async for one in flow:
                if key is not None:
                    bill.stream(one)
                yield one
            ended = True
        finally:
            try:
                await _closed(flow)
            finally:
                await self._charge(key, bill.tokens(ended=ended))

    async def models(self, request: Request) -> HttpResponse:
        """``GET /v1/models`` and ``/v1/models/{id}``."""
        await self._admitted(request)
        name = request.path_params.get("name")
        if name is not None and any(part in ("", ".", "..") for part in name.split("/")):
            raise RequestError(404, "no model has this name", code="model_not_found")
        if name == self.upstream.model:  # also one that its own server lists under another name
            return _json({"id": name, "object": "model", "created": 0, "owned_by": "wager"})
        return await self._passed(request, None, f"/models/{quote(name)}" if name else "/models", None)

    async def embeddings(self, request: Request) -> HttpResponse:
        """``POST /v1/embeddings``."""
        key, _ = await self._admitted(request)
        body = await request.body()
        _object(body)
        return await self._passed(request, body, "/embeddings", key)

    async def decision(self, request: Request) -> HttpResponse:
        """``GET /v1/wager/decisions/{id}``."""
        key, _ = await self._admitted(request, counts=False)
        found = await self._journal().decision(request.path_params["id"], client=_seen_by(key))
        if found is None:
            raise RequestError(404, "no decision of this id is kept", code="decision_not_found")
        return _json(found.wire(why=True))

    async def decisions(self, request: Request) -> HttpResponse:
        """``GET /v1/wager/decisions``: the last ones, newest first."""
        key, _ = await self._admitted(request, counts=False)
        limit = _whole(request.query_params.get("limit", "50"), "limit", 1, 200)
        entries = await self._journal().recent(limit, request.query_params.get("before"), client=_seen_by(key))
        return _json({"object": "list", "data": [_entry(one) for one in entries]})

    async def summary(self, request: Request) -> HttpResponse:
        """``GET /v1/wager/summary``: counts for a dashboard."""
        key, _ = await self._admitted(request, counts=False)
        return _json(await self._journal().summary(client=_seen_by(key)))

    async def feedback(self, request: Request) -> HttpResponse:
        """``POST /v1/feedback``: was a reply right, wrong, or unhelpful?"""
        key, _ = await self._admitted(request, counts=False)
        given = _object(await request.body())
        id, verdict, note = given.get("id"), given.get("verdict"), given.get("note")  # noqa: A001
        if not isinstance(id, str) or not isinstance(verdict, str) or not (note is None or isinstance(note, str)):
            raise RequestError(400, "feedback is {id, verdict: right, wrong or unhelpful, note}, all texts", param="verdict")
        try:
            kept = await self._journal().feedback(id, verdict, note, key.name if key else None, client=_seen_by(key))
        except UnknownNameError as error:
            raise RequestError(400, f"'verdict': {error}", param="verdict") from None
        if not kept:
            raise RequestError(404, "no decision of this id is kept", param="id", code="decision_not_found")
        return _json({"object": "wager.feedback", "id": id, "verdict": verdict})

    async def policy(self, request: Request) -> HttpResponse:
        """``GET /v1/wager/policy``: kinds, knobs and rules, as they hold here."""
        await self._admitted(request, counts=False)
        policy = self.answering.policy
        return _json(
            {
                "object": "wager.policy",
                "name": self.answering.name,
                "model": self.upstream.model,
                "knobs": {kind: knobs.to_dict() for kind, knobs in self.answering.knobs.items()},
                "rules": {kind: rule.to_dict() for kind, rule in policy.rules.items()} if policy else {},
                "lookups": [one.name for one in self.answering.lookups],
                "dials": [one.line for one in steering.dials.dials.values()] if (steering := self.answering.steering) else [],
            }
        )

    async def health(self, request: Request) -> HttpResponse:
        """``GET /healthz``: this process runs."""
        return _json({"status": "ok"})

    async def ready(self, request: Request) -> HttpResponse:
        """``GET /readyz``: its model can be asked."""
        well = await self.upstream.healthy()
        return _json({"status": "ok" if well else "the model's server does not answer"}, status=200 if well else 503)

    async def measures(self, request: Request) -> HttpResponse:
        """``GET /metrics``, for Prometheus."""
        await self._admitted(request, counts=False)
        body, kind = self.metrics.page()
        return HttpResponse(body, media_type=kind)

    async def openapi(self, request: Request) -> HttpResponse:
        """``GET /openapi.json``."""
        return _json(description())

    # -- who may ------------------------------------------------------------------------------------------------------------

    async def _admitted(self, request: Request, *, counts: bool = True) -> tuple[Key | None, Standing]:
        """Whose request it is, and how that key stands; raises RequestError 401, 403 or 429."""
        if not self.keys:
            self._same_origin(request)
            return None, Standing()
        key = self.keys.find(bearer(request.headers.get("authorization")))
        if key is None:
            raise _unauthorised()
        standing = await self.limits.ask(key) if counts else Standing()
        if standing.refused is not None:
            error = standing.body()["error"]
            raise RequestError(standing.status, error["message"], kind=error["type"], code=error["code"], headers=standing.headers())
        return key, standing

    def _same_origin(self, request: Request) -> None:
        """Without keys, a page of another site must not use this server through its reader's browser, also not by a name of its own."""
        origin, host = request.headers.get("origin"), request.headers.get("host", "")
        if origin is not None and origin.partition("://")[2] != host:
            raise RequestError(403, "a page of another origin may not use this server; give it keys with --keys", code="forbidden_origin")
        name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
        if is_loopback(self.settings.host) and host and name.lower() not in LOCAL:
            raise RequestError(403, "this server answers as localhost only; give it keys with --keys", code="forbidden_host")

    def _journal(self) -> Journal:
        if self.journal is None:
            raise RequestError(404, "this gateway keeps no journal", code="no_journal")
        return self.journal


class _Stream(StreamingResponse):
    """A stream whose iterator is closed when it ends, also where the client has gone: the model's work ends then, and what it took is
    charged. Left to itself it would be closed when the interpreter finds the time."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await _closed(self.body_iterator)  # type: ignore[arg-type]  # ours are generators


def application(gateway: Gateway, *, lifespan: Any = None) -> Any:
    """The ASGI application of a gateway."""
    routes = [
        Route("/v1/chat/completions", _guarded(gateway, gateway.chat), methods=["POST"]),
        Route("/v1/responses", _guarded(gateway, gateway.responses), methods=["POST"]),
        Route("/v1/models", _guarded(gateway, gateway.models), methods=["GET"]),
        Route("/v1/models/{name:path}", _guarded(gateway, gateway.models), methods=["GET"]),
        Route("/v1/embeddings", _guarded(gateway, gateway.embeddings), methods=["POST"]),
        Route("/v1/wager/decisions", _guarded(gateway, gateway.decisions), methods=["GET"]),
        Route("/v1/wager/decisions/{id}", _guarded(gateway, gateway.decision), methods=["GET"]),
        Route("/v1/wager/summary", _guarded(gateway, gateway.summary), methods=["GET"]),
        Route("/v1/wager/policy", _guarded(gateway, gateway.policy), methods=["GET"]),
        Route("/v1/feedback", _guarded(gateway, gateway.feedback), methods=["POST"]),
        Route("/healthz", _guarded(gateway, gateway.health), methods=["GET"]),
        Route("/readyz", _guarded(gateway, gateway.ready), methods=["GET"]),
        Route("/metrics", _guarded(gateway, gateway.measures), methods=["GET"]),
        Route("/openapi.json", _guarded(gateway, gateway.openapi), methods=["GET"]),
        *(page_routes() if gateway.settings.page else ()),
    ]
    made = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _no_route, 405: _no_method})
    made.state.gateway = gateway
    sizes = Sizes(body_bytes=gateway.settings.largest_body, body_seconds=gateway.settings.body_seconds)
    return Bounded(made, sizes)


def _guarded(gateway: Gateway, handler: Handler) -> Handler:
    """The route with its errors in OpenAI's shape, a request id, and a line in the log."""

    async def route(request: Request) -> HttpResponse:
        id, started = f"req_{secrets.token_hex(12)}", time.perf_counter()  # noqa: A001
        REQUEST_ID.set(id)
        try:
            with gateway.metrics.running():
                response = await handler(request)
        except Exception as error:  # noqa: BLE001 (a route always answers)
            response = _failed(error, request)
        response.headers["x-request-id"] = id
        seconds, route_path = time.perf_counter() - started, request.scope["route"].path
        gateway.metrics.request(route_path, response.status_code, seconds)
        log(LOG, logging.INFO, "request", route=route_path, status=response.status_code, seconds=round(seconds, 4))
        return response

    return route


def _failed(error: Exception, request: Request) -> HttpResponse:
    """An error as a response; what was not foreseen is told in the log, not to the client."""
    if isinstance(error, RequestError):
        return _error(error.status, error_body(error.message, kind=error.kind, param=error.param, code=error.code), error.headers)
    if isinstance(error, UpstreamError):
        headers = {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}
        return _error(error.status, error_body(error.message, kind=error.kind, code=error.code), headers)
    if isinstance(error, ClientDisconnect):
        return HttpResponse(status_code=499)
    if isinstance(error, OutputError):
        LOG.error("%s", error)
        return _error(503, error_body("the journal cannot be read now", kind="server_error", code="journal_unavailable"), {})
    if isinstance(error, WagerError):
        return _error(400, error_body(str(error)), {})
    LOG.error("%s %s failed", request.method, request.scope["route"].path, exc_info=error)
    return _error(500, error_body("the gateway failed; its log says why", kind="server_error", code="internal_error"), {})


def _error(status: int, body: Json, headers: Mapping[str, str]) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status_code=status, media_type="application/json", headers=dict(headers))


def _unauthorised() -> RequestError:
    return RequestError(
        401, "give an API key of this gateway as a bearer token", code="invalid_api_key", headers={"www-authenticate": "Bearer"}
    )


async def _no_route(request: Request, error: Exception) -> HttpResponse:
    return _error(404, error_body(f"there is no {request.method} {request.url.path[:200]!r} here", code="not_found"), {})


async def _no_method(request: Request, error: Any) -> HttpResponse:
    return _error(405, error_body(f"{request.method} is not allowed here", code="method_not_allowed"), dict(error.headers or {}))


def _json(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status_code=status, media_type="application/json", headers=dict(headers or {}))


def _told(decided: Decided) -> dict[str, str]:
    """What a response's headers tell."""
    found = {
        "x-wager-id": decided.id,
        "x-wager-kind": decided.kind,
        "x-wager-act": decided.act,
        "x-wager-policy": decided.policy,
        "x-wager-overhead-ms": f"{decided.cost.overhead_ms:.1f}",
    }
    for name in ("confidence", "target"):
        value = getattr(decided, name)
        if value is not None:
            found[f"x-wager-{name}"] = f"{value:.4f}"
    return {name: value.encode("ascii", "replace").decode() for name, value in found.items()}


def _entry(one: Entry) -> Json:
    """A row of the journal, with what was said of it."""
    told = one.decided
    return {**told.wire(why=True), "feedback": one.verdict, "question": told.question, "text": told.text}


def _seen_by(key: Key | None) -> str | None:
    """Whose decisions a key sees: its own; None for all of them, where it is an administrator's or nobody needs a key."""
    return None if key is None or key.admin else key.name


def _object(data: bytes) -> Json:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is no JSON: {str(error)[:120]}") from None
    if not isinstance(found, dict):
        raise RequestError(400, "the body is a JSON object")
    return found


def _whole(text: str, name: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not low <= int(text) <= high:
        raise RequestError(400, f"{name!r} is a whole number from {low} to {high}, got {text[:40]!r}", param=name)
    return int(text)


async def _first(stream: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return b""


async def _begun(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream whose blank first piece was taken: its end is reached also where nobody reads on."""
    await anext(stream)
    return stream


async def _closed(stream: AsyncIterator[bytes]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        with contextlib.suppress(Exception):
            await close()


async def _raw_flow(first: bytes, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The bytes as they come, in whole events, so that an error never stands behind half of one."""
    held = first
    try:
        while True:
            end = max(held.rfind(mark) + len(mark) if mark in held else 0 for mark in EVENT_ENDS)
            if len(held) > LARGEST_HELD:
                end = len(held)
            if end:
                yield held[:end]
                held = held[end:]
            piece = await _first(stream)
            if not piece:
                break
            held += piece
        if held:
            yield held
    except UpstreamError as error:
        yield event(error_body(error.message, kind=error.kind, code=error.code))
    finally:
        await _closed(stream)


async def _until_gone(request: Request, work: Awaitable[R]) -> R:
    """The result of some work, which is cancelled when the client goes away."""
    worker, left = asyncio.current_task(), False

    async def watch() -> None:
        nonlocal left
        await _gone(request)
        left = True
        if worker is not None:
            worker.cancel()

    watching = asyncio.ensure_future(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if left and worker is not None:
            worker.uncancel()
            raise ClientDisconnect from None
        raise
    finally:
        watching.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
