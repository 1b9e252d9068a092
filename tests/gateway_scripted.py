"""A model's server that does what the prompt says: ``[[hang]]`` in it hangs, ``[[half]]`` breaks off, and so on. Raw sockets, one thread.

`gateway_upstream_server` does what its address says, for tests of one upstream; a gateway has one address for all prompts.
Without such a word it answers as a server does: ``Paris``, with log-probabilities where they are asked for, as a stream where that is asked
for; a tool call where tools are offered; ``n`` choices.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

KEY = "sk-upstream-SECRET-8c1f2e77aa"
"""The upstream's key: it must never be seen by anybody else."""
WORDS = ("Paris", " is", " the", " capital", ".")
HUGE = 70 << 20
"""Bytes; more than a gateway takes from a model."""


@dataclass
class Seen:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Json
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the client closes before it has the whole answer."""


class Connection:
    """One connection, on which scripts write."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def request(self) -> Seen | None:
        """The next one; None at the end."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        try:
            found = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            found = None
        return Seen(method, path, headers, found if isinstance(found, dict) else {"messages": ["[[no-json]]"]})

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        await self.say(f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body)

    async def begin_stream(self) -> None:
        await self.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def piece(self, data: bytes) -> None:
        await self.say(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def event(self, value: object) -> None:
        await self.piece(b"data: " + json.dumps(value).encode() + b"\n\n")

    async def end_stream(self) -> None:
        await self.piece(b"data: [DONE]\n\n")
        await self.say(b"0\r\n\r\n")

    def reset(self) -> None:
        """RST instead of FIN."""
        held = self.writer.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_gone(self, seen: Seen, seconds: float = 60.0) -> None:
        """Waits for the client to close."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(seconds):
                if not await self.reader.read(1):
                    seen.gone.set()
                    return
        if self.reader.at_eof() or self.reader.exception() is not None:
            seen.gone.set()


Script = Callable[["Scripted", Connection, Seen], Awaitable[None]]


def choice_of(body: Json, index: int, text: str = "Paris", logprob: float = -0.01) -> Json:
    """One choice of an answer."""
    message: Json = {"role": "assistant", "content": text}
    finish = "stop"
    if body.get("tools"):
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": body["tools"][0]["function"]["name"], "arguments": '{"city": "Oslo"}'},
        }
        message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    logprobs = {"content": [token(text, logprob)]} if body.get("logprobs") and not body.get("tools") else None
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish}


def token(text: str, logprob: float) -> Json:
    """A token with its log-probability."""
    return {"token": text, "logprob": logprob, "bytes": None, "top_logprobs": [{"token": text, "logprob": logprob, "bytes": None}]}


def completion(body: Json, text: str = "Paris", logprob: float = -0.01) -> Json:
    """A whole answer."""
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1790000000,
        "model": body.get("model", "scripted"),
        "choices": [choice_of(body, index, text, logprob) for index in range(body.get("n") or 1)],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }


def chunk(body: Json, delta: Json, finish: str | None = None, index: int = 0) -> Json:
    """One chunk of a stream."""
    shared = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1790000000, "model": body.get("model", "scripted")}
    return {**shared, "choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}]}


def prompt_of(body: Json) -> str:
    """All that was said, each message on lines of its own."""
    said = []
    for one in body.get("messages") or ():
        content = one.get("content") if isinstance(one, dict) else one
        parts = content if isinstance(content, list) else [content]
        said += [str(part.get("text", "")) if isinstance(part, dict) else str(part or "") for part in parts]
    return "\n".join(said)


async def usual(server: Scripted, to: Connection, seen: Seen) -> None:
    body = seen.body
    said = re.search(r"\[\[say ([^\]]*)\]\]", prompt_of(body))
    unsure = "[[unsure]]" in prompt_of(body)
    if not body.get("stream"):
        await to.answer(200, json.dumps(completion(body, said[1] if said else "Paris", -2.5 if unsure else -0.01)).encode())
        return
    await to.begin_stream()
    words = said[1].split() if said else WORDS
    for place, word in enumerate(words):
        await to.event(chunk(body, {"role": "assistant", "content": word} if not place else {"content": word}))
    await to.event(chunk(body, {}, "stop"))
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 12, "completion_tokens": len(words), "total_tokens": 12 + len(words)}
        await to.event({**chunk(body, {}), "choices": [], "usage": usage})
    await to.end_stream()


async def hang(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.until_gone(seen)


async def reset(server: Scripted, to: Connection, seen: Seen) -> None:
    to.reset()


async def half(server: Scripted, to: Connection, seen: Seen) -> None:
    body = json.dumps(completion(seen.body)).encode()
    await to.say(
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2]
    )
    to.writer.close()


async def bad_json(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.answer(200, b'{"choices": [{"index": 0, "message": ')


async def bad_utf8(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.answer(200, json.dumps(completion(seen.body)).encode().replace(b"Paris", b"Par\xff\xfe"))


async def no_choices(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.answer(200, b'{"id": "x", "choices": []}')


async def page(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.answer(502, b"<html><body><h1>502 Bad Gateway</h1><script>alert(1)</script></body></html>", "text/html")


async def page_200(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.answer(200, b"<!doctype html><title>Log in</title>", "text/html")


async def throttled(server: Scripted, to: Connection, seen: Seen) -> None:
    error = {"error": {"message": f"Rate limit reached for key {KEY}", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    await to.answer(429, json.dumps(error).encode(), retry_after="33")


async def throttled_once(server: Scripted, to: Connection, seen: Seen) -> None:
    if server.times(seen) == 1:
        await to.answer(429, b'{"error": {"message": "slow down"}}', retry_after_ms="50")
    else:
        await usual(server, to, seen)


async def failing(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.answer(500, json.dumps({"error": {"message": "CUDA out of memory", "type": "server_error"}}).encode())


async def failing_twice(server: Scripted, to: Connection, seen: Seen) -> None:
    await (failing if server.times(seen) <= 2 else usual)(server, to, seen)


async def refusing(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.answer(
        400, json.dumps({"error": {"message": "max_tokens is too large", "type": "invalid_request_error", "param": "max_tokens"}}).encode()
    )


async def no_json(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.answer(400, b'{"error": {"message": "the body is no JSON object", "type": "invalid_request_error"}}')


async def bad_key(server: Scripted, to: Connection, seen: Seen) -> None:
    message = f"Incorrect API key provided: {KEY[:8]}****{KEY[-4:]}, you sent {seen.headers.get('authorization')}"
    await to.answer(401, json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": "invalid_api_key"}}).encode())


async def echo(server: Scripted, to: Connection, seen: Seen) -> None:
    text = f"You sent {seen.headers.get('authorization')}"
    if not seen.body.get("stream"):
        await to.answer(200, json.dumps(completion(seen.body, text)).encode(), x_request_id=KEY)
        return
    await to.begin_stream()
    await to.event(chunk(seen.body, {"role": "assistant", "content": text}))
    await to.event(chunk(seen.body, {}, "stop"))
    await to.end_stream()


async def huge(server: Scripted, to: Connection, seen: Seen) -> None:
    with suppress(OSError):
        await to.say(f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {HUGE}\r\n\r\n".encode())
        for _ in range(HUGE >> 20):
            await to.say(b" " * (1 << 20))


async def begun(to: Connection, seen: Seen) -> None:
    await to.begin_stream()
    for word in WORDS[:2]:
        await to.event(chunk(seen.body, {"role": "assistant", "content": word}))
    await asyncio.sleep(0.05)  # so that it is passed on


async def error_midway(server: Scripted, to: Connection, seen: Seen) -> None:
    await begun(to, seen)
    await to.event({"error": {"message": "the worker died", "type": "server_error", "code": "worker_died"}})
    to.writer.close()


async def reset_midway(server: Scripted, to: Connection, seen: Seen) -> None:
    await begun(to, seen)
    to.reset()


async def half_chunk(server: Scripted, to: Connection, seen: Seen) -> None:
    await begun(to, seen)
    await to.piece(b'data: {"choices": [{"index": 0, "delta": {"con')
    to.writer.close()


async def garbage_midway(server: Scripted, to: Connection, seen: Seen) -> None:
    await begun(to, seen)
    await to.piece(b"data: {\xff\xfe not json\n\n")
    await to.end_stream()


async def hang_midway(server: Scripted, to: Connection, seen: Seen) -> None:
    await begun(to, seen)
    await to.until_gone(seen)


async def slow(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.begin_stream()
    for number in range(12):
        await to.event(chunk(seen.body, {"role": "assistant", "content": f"{number} "}))
        await asyncio.sleep(0.15)
    await to.event(chunk(seen.body, {}, "stop"))
    await to.end_stream()


SCRIPTS: dict[str, Script] = {
    name.replace("_", "-"): found
    for name, found in {
        **{"hang": hang, "reset": reset, "half": half, "bad_json": bad_json, "bad_utf8": bad_utf8, "no_choices": no_choices},
        **{"page": page, "page_200": page_200, "throttled": throttled, "throttled_once": throttled_once, "failing": failing},
        **{"failing_twice": failing_twice, "refusing": refusing, "bad_key": bad_key, "echo": echo, "huge": huge},
        **{"error_midway": error_midway, "reset_midway": reset_midway, "half_chunk": half_chunk, "garbage_midway": garbage_midway},
        **{"hang_midway": hang_midway, "slow": slow, "no_json": no_json},
    }.items()
}


class Scripted:
    """The server."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._loop = asyncio.new_event_loop()

    @property
    def url(self) -> str:
        """Up to and with ``/v1``."""
        return f"http://127.0.0.1:{self.port}/v1"

    def times(self, seen: Seen) -> int:
        """How often this prompt was sent so far."""
        return self.counts[prompt_of(seen.body)]

    def about(self, text: str) -> list[Seen]:
        """The requests whose conversation holds a text."""
        return [one for one in list(self.seen) if text in prompt_of(one.body)]

    def wait_for(self, text: str, seconds: float = 10.0) -> Seen:
        """The first request about a text, once it is there."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.about(text):
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no request about {text!r} came")

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to = Connection(reader, writer)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while (seen := await to.request()) is not None:
                self.seen.append(seen)
                self.counts[prompt_of(seen.body)] += 1
                if seen.method == "GET":
                    await to.answer(
                        200, b'{"object": "list", "data": [{"id": "scripted", "object": "model", "created": 0, "owned_by": "tests"}]}'
                    )
                    continue
                if seen.path.endswith("/embeddings"):
                    vector = {"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}
                    usage = {"prompt_tokens": 2, "total_tokens": 2}
                    await to.answer(200, json.dumps({"object": "list", "data": [vector], "model": "scripted", "usage": usage}).encode())
                    continue
                named = re.search(r"\[\[([a-z0-9-]+)\]\]", prompt_of(seen.body))
                await SCRIPTS.get(named[1] if named else "", usual)(self, to, seen)
                if writer.is_closing() or "close" in seen.headers.get("connection", ""):
                    break
        writer.close()

    def _run(self, ready: threading.Event) -> None:
        async def main() -> None:
            server = await asyncio.start_server(self._talk, "127.0.0.1", 0, backlog=1024)
            self.port = server.sockets[0].getsockname()[1]
            self._stop = asyncio.Event()
            ready.set()
            await self._stop.wait()
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

        self._loop.run_until_complete(main())
        self._loop.close()

    @contextmanager
    def running(self) -> Iterator[Scripted]:
        """In a thread, until the block ends."""
        ready = threading.Event()
        thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        thread.start()
        ready.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(10)
