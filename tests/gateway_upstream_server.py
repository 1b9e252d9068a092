"""A model server that misbehaves as it is told: a real HTTP/1.1 server on raw sockets, in a thread of its own.

What it does stands in the address: ``server.url("hang")`` is the base URL of an upstream that never answers. `BEHAVIOURS` lists the
names; those with numbers take them after dashes: ``status-429-2-0`` answers twice with 429 and ``retry-after: 0``, then as it should.
Whatever is asked of ``ok`` is answered at once, streamed if the request says so.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

WORDS = ("Lima", " is", " the", " capital", " of", " Peru", ".")
TEXT = "".join(WORDS)


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass
class Connection:
    """What a behaviour works with."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seen: Seen
    server: ScriptedUpstream
    arguments: list[str] = field(default_factory=list)

    async def head(self, status: int = 200, kind: str = "application/json", *, length: int | None = None, **more: str) -> None:
        """The head of a response; chunked where no length is given."""
        size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        lines = [
            f"HTTP/1.1 {status} Any",
            f"content-type: {kind}",
            size,
            *(f"{name.replace('_', '-')}: {text}" for name, text in more.items()),
        ]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()

    async def end(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def whole(self, body: bytes, status: int = 200, kind: str = "application/json", **more: str) -> None:
        await self.head(status, kind, length=len(body), **more)
        self.writer.write(body)
        await self.writer.drain()

    async def gone(self) -> None:
        """Waits until the client closes."""
        while await self.reader.read(1 << 16):
            pass
        self.server.left += 1

    def reset(self) -> None:
        """Closes with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Connection], Awaitable[None]]
BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(function: Behaviour) -> Behaviour:
    BEHAVIOURS[function.__name__] = function
    return function


class ScriptedUpstream:
    """The server; a context manager.

    >>> with ScriptedUpstream() as server:
    ...     HttpUpstream(server.url("status-500-1"), model="m")
    """

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        """All requests, in order."""
        self.connections = 0
        """How many were opened."""
        self.left = 0
        """How many clients went away while they were served."""
        self.counts: Counter[str] = Counter()
        """Requests by behaviour, its numbers included."""
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ScriptedUpstream:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def url(self, name: str = "ok") -> str:
        assert name.split("-")[0] in BEHAVIOURS, f"no behaviour {name!r}; there are {sorted(BEHAVIOURS)}"
        return f"http://127.0.0.1:{self.port}/{name}/v1"

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while (seen := await _request(reader)) is not None:
                self.requests.append(seen)
                name, _, rest = seen.path.lstrip("/").partition("/")
                self.counts[name] += 1
                word, *arguments = name.split("-")
                await BEHAVIOURS[word](Connection(reader, writer, Seen(seen.method, "/" + rest, seen.headers, seen.body), self, arguments))
                if seen.headers.get("connection") == "close" or writer.transport.is_closing():
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left += 1
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    return Seen(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def response(text: str = TEXT, **more: Any) -> bytes:
    """A chat response."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    choices = [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
    return json.dumps(
        {"id": "c1", "object": "chat.completion", "created": 1, "model": "toy", "choices": choices, "usage": usage, **more}
    ).encode()


def event(text: str | None = None, *, end: str = "\n", finish: str | None = None) -> bytes:
    """One event of a stream."""
    delta = {} if text is None else {"content": text}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    value = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "toy", "choices": choices}
    return f"data: {json.dumps(value)}{end}{end}".encode()


DONE = b"data: [DONE]\n\n"


@behaviour
async def ok(to: Connection) -> None:
    """Answers at once."""
    path = to.seen.path
    if path.endswith("/models"):
        await to.whole(json.dumps({"object": "list", "data": [{"id": "toy", "object": "model"}, {"id": "other"}]}).encode())
    elif path.endswith("/chat/completions") and (to.seen.json or {}).get("stream"):
        await to.head(kind="text/event-stream")
        for word in WORDS:
            await to.chunk(event(word))
        await to.chunk(event(finish="stop") + DONE)
        await to.end()
    elif path.endswith("/embeddings"):
        rows = [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}]
        await to.whole(json.dumps({"object": "list", "model": "toy", "data": rows}).encode())
    else:
        await to.whole(
            response(), x_request_id="req-1", openai_processing_ms="3", set_cookie="a=b", x_secret="no", openai_organization="us"
        )


@behaviour
async def closing(to: Connection) -> None:
    """Answers, then closes the connection without having said so, as llama.cpp does after a stream."""
    await ok(to)
    to.writer.close()


@behaviour
async def hang(to: Connection) -> None:
    """Never answers."""
    await to.gone()


@behaviour
async def hanghead(to: Connection) -> None:
    """Sends the head and nothing more."""
    await to.head(kind="text/event-stream" if (to.seen.json or {}).get("stream") else "application/json")
    await to.gone()


@behaviour
async def hangmid(to: Connection) -> None:
    """One event of a stream, or half a body, and nothing more."""
    if (to.seen.json or {}).get("stream"):
        await to.head(kind="text/event-stream")
        await to.chunk(event("Lima"))
    else:
        await to.head()
        await to.chunk(response()[:40])
    await to.gone()


@behaviour
async def reset(to: Connection) -> None:
    """Resets the connection instead of answering."""
    to.reset()


@behaviour
async def resetmid(to: Connection) -> None:
    """Resets the connection in the middle of the body."""
    if (to.seen.json or {}).get("stream"):
        await to.head(kind="text/event-stream")
        await to.chunk(event("Lima"))
    else:
        await to.head(length=len(response()))
        to.writer.write(response()[:40])
    await to.writer.drain()
    await asyncio.sleep(0.05)
    to.reset()


@behaviour
async def halfchunk(to: Connection) -> None:
    """Closes in the middle of an HTTP chunk."""
    await to.head(kind="text/event-stream" if (to.seen.json or {}).get("stream") else "application/json")
    to.writer.write(b'100\r\ndata: {"choi')
    await to.writer.drain()
    to.writer.close()


@behaviour
async def halfevent(to: Connection) -> None:
    """Ends the stream properly, in the middle of an event."""
    await to.head(kind="text/event-stream")
    await to.chunk(event("Lima") + event(" is")[:20])
    await to.end()


@behaviour
async def nodone(to: Connection) -> None:
    """Ends the stream without ``[DONE]``, after a finish_reason (argument 1) or without."""
    await to.head(kind="text/event-stream")
    await to.chunk(event("Lima") + (event(finish="stop") if to.arguments else b""))
    await to.end()


@behaviour
async def badjson(to: Connection) -> None:
    """No JSON, as body and as event."""
    await _raw(to, b'{"choices": [}')


@behaviour
async def badutf8(to: Connection) -> None:
    """No UTF-8."""
    await _raw(to, b'{"choices": [{"message": {"content": "\xff\xfe"}, "delta": {"content": "\xff"}}]}')


@behaviour
async def nochoices(to: Connection) -> None:
    """JSON, but no answer."""
    await _raw(to, b'{"object": "surprise", "choices": [17]}')


@behaviour
async def errorin200(to: Connection) -> None:
    """An error object under status 200."""
    await _raw(to, b'{"error": {"message": "The model is overloaded", "type": "overloaded", "code": 503}}')


@behaviour
async def errorinstream(to: Connection) -> None:
    """An error object after the first event."""
    await to.head(kind="text/event-stream")
    error = {"error": {"message": "Rate limit reached", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    await to.chunk(event("Lima") + f"data: {json.dumps(error)}\n\n".encode())
    await to.end()


@behaviour
async def nan(to: Connection) -> None:
    """JSON as Python writes it."""
    await to.whole(response().replace(b'"logprobs": null', b'"logprobs": {"content": [{"token": "\\ud83d", "logprob": -Infinity}]}'))


@behaviour
async def status(to: Connection) -> None:
    """``status-CODE-TIMES-RETRYAFTER``: an OpenAI error so many times (for ever without), then ``ok``."""
    code = int(to.arguments[0])
    name = "-".join(["status", *to.arguments])
    if len(to.arguments) > 1 and to.server.counts[name] > int(to.arguments[1]):
        await ok(to)
        return
    error = {"error": {"message": f"Told to say {code}", "type": "scripted_error", "param": None, "code": "scripted"}}
    more = {"retry_after": to.arguments[2]} if len(to.arguments) > 2 else {}
    await to.whole(json.dumps(error).encode(), code, **more)


@behaviour
async def html502(to: Connection) -> None:
    """A proxy's page."""
    await to.whole(b"<html><body><h1>502 Bad Gateway</h1><script>alert(1)</script></body></html>", 502, "text/html")


@behaviour
async def wrongtype(to: Connection) -> None:
    """A page under status 200."""
    await to.whole(b"<!doctype html><title>Welcome</title>", 200, "text/html")


@behaviour
async def redirect(to: Connection) -> None:
    """Sends the client elsewhere."""
    await to.whole(b"", 302, location="http://169.254.169.254/latest")


@behaviour
async def echokey(to: Connection) -> None:
    """An error (argument: its status) that holds the key, with control characters."""
    key = to.seen.headers.get("authorization", "").removeprefix("Bearer ")
    message = f"Incorrect API key provided:\n\x1b[31m{key} or {key[:4]}****{key[-4:]}"
    error = {"error": {"message": message, "type": key, "code": key}}
    await to.whole(json.dumps(error).encode(), int(to.arguments[0]), x_request_id=key)


@behaviour
async def echo(to: Connection) -> None:
    """Answers with all that was sent, in text and headers, and in a stream byte by byte."""
    text = json.dumps(to.seen.headers)
    if (to.seen.json or {}).get("stream"):
        await to.head(kind="text/event-stream")
        for byte in event(text) + event(finish="stop") + DONE:
            await to.chunk(bytes([byte]))
        await to.end()
    else:
        await to.whole(response(text), x_request_id=to.seen.headers.get("authorization", ""))


@behaviour
async def drip(to: Connection) -> None:
    """``drip-MILLISECONDS``: a byte at a time."""
    body = event("Lima") + event(finish="stop") + DONE if (to.seen.json or {}).get("stream") else response()
    await to.head(kind="text/event-stream" if (to.seen.json or {}).get("stream") else "application/json", length=len(body))
    for byte in body:
        to.writer.write(bytes([byte]))
        await to.writer.drain()
        await asyncio.sleep(int(to.arguments[0]) / 1000)


@behaviour
async def huge(to: Connection) -> None:
    """A body without end (argument: one that says its size)."""
    if to.arguments:
        await to.head(length=1 << 40)
    else:
        await to.head(kind="text/event-stream" if (to.seen.json or {}).get("stream") else "application/json")
    while True:
        block = b"x" * 65536
        if to.arguments:
            to.writer.write(block)
            await to.writer.drain()
        else:
            await to.chunk(block)


@behaviour
async def endless(to: Connection) -> None:
    """A stream that ends when its client goes away."""
    await to.head(kind="text/event-stream")
    try:
        while True:
            await to.chunk(event(" and"))
            await asyncio.sleep(0.01)
    except ConnectionError:
        to.server.left += 1


@behaviour
async def odd(to: Connection) -> None:
    """A legal stream with all that the format allows."""
    await to.head(kind="text/event-stream; charset=utf-8")
    value = event("Lima")[6:-2].decode()
    half = value.index(",")
    pieces = [
        b"\xef\xbb\xbf: hello\r\n\r\n",
        event(" is", end="\r\n"),
        event(" the", end="\r"),
        f"id: 7\nevent: message\nretry: 10\ndata: {value[: half + 1]}\ndata:{value[half + 1 :]}\n\n".encode(),
        b": keep-alive\n\ndata\n\nunknown: field\n\n",
        b'data: {"choices": [], "usage": {"prompt_tokens": 1}}\n\n',
        event(finish="stop") + DONE,
        b"data: {not json after the end\n\n",
    ]
    for byte in b"".join(pieces):
        await to.chunk(bytes([byte]))
    await to.end()


@behaviour
async def notastream(to: Connection) -> None:
    """Ignores ``stream``."""
    await to.whole(response())


@behaviour
async def badhttp(to: Connection) -> None:
    """No HTTP."""
    to.writer.write(b"220 smtp ready\r\n\r\n")
    await to.writer.drain()
    to.writer.close()


@behaviour
async def gzipped(to: Connection) -> None:
    """A compressed answer."""
    import gzip

    await to.whole(gzip.compress(response()), content_encoding="gzip")


@behaviour
async def bomb(to: Connection) -> None:
    """A small answer that is large when it is unpacked."""
    import gzip

    await to.whole(gzip.compress(b"x" * (8 << 20)), content_encoding="gzip")


@behaviour
async def thinking(to: Connection) -> None:
    """A reasoning model: refuses temperature, log-probabilities and ``max_tokens``."""
    refused = [name for name in ("temperature", "logprobs", "top_logprobs", "max_tokens") if name in (to.seen.json or {})]
    if refused:
        error = {
            "error": {"message": f"Unsupported parameter: '{refused[0]}'", "type": "invalid_request_error", "code": "unsupported_parameter"}
        }
        await to.whole(json.dumps(error).encode(), 400)
    else:
        await ok(to)


@behaviour
async def telling(to: Connection) -> None:
    """Gives log-probabilities, and the likeliest tokens where they are asked for."""
    asked = to.seen.json or {}
    token = {"token": "OK", "logprob": -0.1, "top_logprobs": [{"token": "OK", "logprob": -0.1}] if asked.get("top_logprobs") else []}
    body = json.loads(response("OK"))
    if asked.get("logprobs"):
        body["choices"][0]["logprobs"] = {"content": [token]}
    await to.whole(json.dumps(body).encode())


async def _raw(to: Connection, body: bytes) -> None:
    if (to.seen.json or {}).get("stream"):
        await to.head(kind="text/event-stream")
        await to.chunk(b"data: " + body + b"\n\n" + DONE)
        await to.end()
    else:
        await to.whole(body)
