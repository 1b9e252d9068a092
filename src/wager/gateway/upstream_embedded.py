"""The embedded model, or any GGUF file, as the model behind the gateway: llama.cpp's own server in this process, over loopback.

What was found with xllamacpp 2026.10, and what is done about it here:

- A response that is not streamed goes on to its end when its client goes away; a streamed one stops within a twentieth of a second.
  So the server is always asked for a stream, and `chat` puts the pieces together.
- ``n`` is limited to the number of slots. So each choice is a request of its own.
- After a stream the connection is closed without a word: `HttpUpstream` does not use it again.
- Each connection holds a thread of the server: there are as many threads as connections.
- A process that can open connections on this machine can find the port; a random key keeps it out.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from wager.errors import MissingExtraError, ModelError, UsageError
from wager.gateway.completion import assembled
from wager.gateway.llama_request import DEFAULTS, MAX_TOKENS, llama_request, seeded
from wager.gateway.refusal import one_line
from wager.gateway.upstream import Answered, Capabilities, Json, UpstreamError
from wager.gateway.upstream_http import HttpUpstream
from wager.gateway.vectors import embedded_vectors
from wager.models.engine import check_gguf
from wager.models.weights import embedded_weights

if TYPE_CHECKING:
    from wager.models.embedding import Embedding

__all__ = ["EMBEDDED", "EmbeddedUpstream"]

EMBEDDED = "embedded/smollm2-135m-instruct"
"""What policies call the embedded model."""

RESPONSES = frozenset(["input", "instructions", "max_output_tokens", "temperature", "top_p", "stream", "text", "metadata"])
"""Fields of ``/responses`` that llama.cpp gets."""

JSON = {"content-type": "application/json"}


class EmbeddedUpstream:
    """A GGUF file behind llama.cpp's server on a loopback port. Implements `wager.gateway.upstream.Upstream`.

    >>> upstream = EmbeddedUpstream()                                                           # doctest: +SKIP
    >>> await upstream.start()                                                                   # doctest: +SKIP
    >>> (await upstream.chat({"messages": [{"role": "user", "content": "Hello"}]}))["model"]     # doctest: +SKIP
    'embedded/smollm2-135m-instruct'
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        name: str | None = None,
        slots: int = 2,
        threads: int | None = None,
        context: int = 4096,
        total_seconds: float = 600.0,
    ) -> None:
        """Checks the options; the file is loaded by `start`.

        Args:
            path: a GGUF file; None is the embedded model, fetched once.
            name: what policies call it; ``gguf/`` and the file's name by default.
            slots: requests answered at the same time, in one batch; others wait.
            threads: None is the cores that this process may use but one, which is left to the gateway (threads that share a layer wait
                for each other: where another program takes a core, all do).
            context: tokens of prompt and reply in each slot.
            total_seconds: for a request, its wait for a slot included.

        Raises:
            UsageError: a number out of range.
        """
        if slots < 1 or context < 64 or (threads is not None and threads < 1):
            raise UsageError("the embedded model has at least 1 slot, 1 thread and a context of 64 tokens")
        self._path, self._slots, self._context, self._total = path, slots, context, total_seconds
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._threads = threads or max(1, cores - 1)
        self._name = name or (EMBEDDED if path is None else f"gguf/{path.name}")
        self._server: Any = None  # Any: the package ships no types
        self._http: HttpUpstream | None = None
        self._embedding: Embedding | None = None

    @property
    def model(self) -> str:
        """What policies call it."""
        return self._name

    async def start(self) -> None:
        """Fetches the file if need be and loads it, in a thread.

        Raises:
            ModelError: the file is absent, damaged, or of an architecture that llama.cpp does not know.
            MissingExtraError: xllamacpp is not installed.
        """
        if self._http is not None:
            return
        key, connections = secrets.token_hex(16), 4 * self._slots + 4  # the rest waits on this side
        self._server = await asyncio.to_thread(self._load, key, connections)
        http = HttpUpstream(
            self._server.listening_address,
            key=key,
            model=self._name,
            first_byte_seconds=self._total,
            whole_seconds=self._total,
            between_bytes_seconds=self._total,
            total_seconds=self._total,
            connections=connections,
        )
        await http.start()
        self._http = http

    async def close(self) -> None:
        """Ends what runs and frees the model."""
        http, self._http = self._http, None
        server, self._server = self._server, None
        embedding, self._embedding = self._embedding, None
        if http is not None:
            await http.close()
        if embedding is not None:
            await asyncio.to_thread(embedding.close)
        if server is not None:
            held = [server]
            del server
            await asyncio.to_thread(held.clear)  # joins llama.cpp's threads, up to a second

    async def chat(self, request: Json) -> Json:
        """One response with all its choices."""
        async with aclosing(self.stream({**request, "stream_options": {"include_usage": True}})) as chunks:
            return assembled([chunk async for chunk in chunks])

    async def stream(self, request: Json) -> AsyncGenerator[Json, None]:
        """The chunks of all choices, as they come; the usage last, where ``stream_options`` asks for it."""
        one, count = llama_request(request)
        wanted = one.pop("stream_options", {}).get("include_usage") is True
        one["stream_options"] = {"include_usage": True}
        alike = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": self._name}
        usages: list[Json] = []
        try:
            async with aclosing(self._choices(one, count)) as pieces:
                async for number, chunk in pieces:
                    if usage := chunk.pop("usage", None):
                        usages.append(usage)
                    if choices := [_choice(piece, number, top=bool(request.get("top_logprobs"))) for piece in chunk["choices"]]:
                        yield {**chunk, **alike, "choices": choices}
        except UpstreamError as error:
            if error.message.startswith("Failed to parse"):  # llama.cpp blames itself for a client's tools
                raise UpstreamError(400, error.message, kind="invalid_request_error") from None
            raise
        if wanted and usages:
            yield {**alike, "object": "chat.completion.chunk", "choices": [], "usage": _used(usages)}

    async def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        """``/chat/completions``, ``/models`` and ``/embeddings`` are answered here, ``/responses`` by llama.cpp."""
        if (method, path) == ("POST", "/chat/completions"):
            return Answered(status=200, body=orjson.dumps(await self.chat(_object(body))), headers=JSON)
        if (method, path) == ("GET", "/models"):
            row = {"id": self._name, "object": "model", "created": 0, "owned_by": "wager"}
            return Answered(status=200, body=orjson.dumps({"object": "list", "data": [row]}), headers=JSON)
        if (method, path) == ("POST", "/embeddings"):
            return Answered(status=200, body=await self._vectors(body), headers=JSON)
        if (method, path) == ("POST", "/responses"):
            return await self._running().send(method, path, self._responses(body), JSON)
        raise _absent(method, path)

    async def send_stream(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The same as server-sent events."""
        if (method, path) == ("POST", "/chat/completions"):
            async with aclosing(self.stream(_object(body))) as chunks:
                async for chunk in chunks:
                    yield b"data: " + orjson.dumps(chunk) + b"\n\n"
            yield b"data: [DONE]\n\n"
        elif (method, path) == ("POST", "/responses"):
            async with aclosing(self._running().send_stream(method, path, self._responses(body), JSON)) as pieces:
                async for piece in pieces:
                    yield piece
        else:
            raise _absent(method, path)

    async def capabilities(self) -> Capabilities:
        """llama.cpp takes a temperature and tells log-probabilities."""
        return Capabilities(logprobs=True, top_logprobs=True, temperature=True)

    async def healthy(self) -> bool:
        """Whether it is loaded."""
        return self._http is not None

    async def _choices(self, request: Json, count: int) -> AsyncGenerator[tuple[int, Json], None]:
        """The chunks of each choice with its number, as they come."""
        http = self._running()
        if count == 1:
            async with aclosing(http.stream(request)) as chunks:
                async for chunk in chunks:
                    yield 0, chunk
            return
        queue: asyncio.Queue[tuple[int, Json | BaseException | None]] = asyncio.Queue(maxsize=64)
        tasks = [asyncio.create_task(_pumped(http.stream(seeded(request, number)), number, queue)) for number in range(count)]
        try:
            left = count
            while left:
                number, item = await queue.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    left -= 1
                else:
                    yield number, item
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _vectors(self, body: bytes | None) -> bytes:
        if self._embedding is None:
            from wager.models.embedding import Embedding

            self._running()
            self._embedding = Embedding(self._path)
        return await embedded_vectors(self._embedding, body, name=f"{self._name}#embedding")

    def _responses(self, body: bytes | None) -> bytes:
        request = {name: value for name, value in _object(body).items() if name in RESPONSES}
        if request.get("max_output_tokens") is None:
            request["max_output_tokens"] = MAX_TOKENS  # llama.cpp would go on until the slot is full
        return orjson.dumps({**DEFAULTS, **request, "model": self._name})

    def _running(self) -> HttpUpstream:
        if self._http is None:
            raise UpstreamError(503, "the embedded model is not loaded", code="upstream_unavailable")
        return self._http

    def _load(self, key: str, connections: int) -> Any:
        """In a thread: fetching takes a minute, loading a second or more."""
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingExtraError("xllamacpp", "embedded", "the embedded model") from error
        path = self._path or embedded_weights()
        check_gguf(path)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.model_alias = {self._name}
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        params.n_parallel = self._slots
        params.n_ctx = self._slots * self._context
        params.n_batch = params.n_ubatch = 512
        params.cache_ram_mib = 0  # prompts are short: saving and restoring whole slots costs more than it spares
        params.warmup = False
        params.verbosity = -1
        params.n_threads_http = 2 * connections + 1
        params.ui = False
        params.hostnames = ["127.0.0.1"]
        params.api_keys = [key]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelError(f"llama.cpp cannot load {str(path)!r}: the file is cut off or of an unknown architecture") from error


async def _pumped(chunks: AsyncIterator[Json], number: int, queue: asyncio.Queue[tuple[int, Json | BaseException | None]]) -> None:
    """Puts a stream's chunks into the queue, then None, or the error that ended it."""
    try:
        async with aclosing(cast("AsyncGenerator[Json, None]", chunks)) as stream:
            async for chunk in stream:
                await queue.put((number, chunk))
    except Exception as error:  # noqa: BLE001 (the reader raises it)
        await queue.put((number, error))
    else:
        await queue.put((number, None))


def _choice(piece: Json, number: int, *, top: bool) -> Json:
    """A piece of a choice under the choice's number; without the likeliest tokens that nobody asked for."""
    logprobs = piece.get("logprobs")
    if logprobs and not top:
        logprobs = {**logprobs, "content": [{**token, "top_logprobs": []} for token in logprobs.get("content") or []]}
    return {**piece, "index": number, **({"logprobs": logprobs} if logprobs else {})}


def _used(usages: Sequence[Json]) -> Json:
    """Of all choices: the prompt counts once, as it does elsewhere."""
    read, written = usages[0].get("prompt_tokens", 0), sum(usage.get("completion_tokens", 0) for usage in usages)
    return {**usages[0], "completion_tokens": written, "total_tokens": read + written}


def _object(body: bytes | None) -> Json:
    try:
        request = orjson.loads(body or b"")
    except orjson.JSONDecodeError:
        request = None
    if not isinstance(request, dict):
        raise UpstreamError(400, "the body is no JSON object", kind="invalid_request_error")
    return request


def _absent(method: str, path: str) -> UpstreamError:
    shown = one_line(f"{method} {path}")[:80]
    return UpstreamError(404, f"the embedded model does not answer {shown}", kind="not_found_error")
