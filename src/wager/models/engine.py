"""llama.cpp in this process, through the prebuilt wheels of xllamacpp.

The engine reads about as many tokens a second as two CPU cores multiply (a few hundred for a 135M model), and reading prompts is
most of the work: requests that share a prefix are therefore sent to the slot that has read it (`wager.models.schedule`).
Greedy replies can differ in rare near-ties with what else is in the batch: floating-point sums are taken in another order.
Slots are separate llama.cpp contexts over the same memory-mapped weights, not sequences of one batch: on few cores, threads that
share a layer wait for each other (measured: 7.4 calls a second with two slots of one thread, 5.2 with one batch on two threads).
llama.cpp's server object listens on a loopback port whether asked or not; it is closed to others by a random key.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import struct
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wager.errors import MissingExtraError, ModelError, UsageError
from wager.models.schedule import Dispatcher
from wager.models.weights import cache_folder
from wager.targets import ConfidenceTarget

__all__ = ["Engine", "EngineSettings", "engine_for"]

GGUF_VERSIONS = (2, 3)

MOST_SLOTS = 16
"""Slots that are worth a try: each has its own compute buffers and cache."""

LARGE_BYTES = 1 << 30
"""Files above are laid out without a measurement: it would take minutes, and a slot may repack the weights into memory of its own."""

TURNS = 3
"""How often each layout is timed."""


@dataclass(frozen=True)
class EngineSettings:
    """How an engine is laid out."""

    context: int = 2048
    """Tokens that fit into one slot: prompt and reply."""
    threads: int | None = None
    """Threads of each slot; None measures."""
    slots: int | None = None
    """Requests in progress at the same time, each on a llama.cpp context and threads of its own; None measures."""
    reuse: bool = True
    """Keep what a slot has read for the next prompt with the same beginning."""


class Engine:
    """One loaded model with its slots. Thread-safe; `submit` queues, results come as futures."""

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        """Loads the file.

        Raises:
            ModelError: the file is absent, no GGUF, cut off, or of an architecture that llama.cpp does not know.
            MissingExtraError: xllamacpp is not installed.
        """
        check_gguf(path)
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingExtraError("xllamacpp", "embedded", "the embedded model") from error
        if settings.context < 64:
            raise UsageError(f"a model's context is at least 64 tokens, got {settings.context}")
        if settings.threads is None or settings.slots is None:
            settings = measured(path, settings)
        self.path = path
        self.settings = settings
        self._servers = [self._load(xllamacpp) for _ in range(settings.slots or 1)]
        self._dispatcher: Dispatcher[dict[str, Any]] = Dispatcher(len(self._servers))

    def _load(self, xllamacpp: Any) -> Any:  # Any: the package ships no types
        params = xllamacpp.CommonParams()
        params.model.path = str(self.path)
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self.settings.threads or 1
        params.n_parallel = 1
        params.n_ctx = self.settings.context
        params.n_batch = params.n_ubatch = 512
        params.cache_ram_mib = 0  # prompts are short: saving and restoring whole slots costs more than it spares
        params.warmup = False
        params.verbosity = -1
        params.n_threads_http = 1  # nobody calls over the port; the default is a thread for each core and slot
        params.hostnames = ["127.0.0.1"]
        params.api_keys = [secrets.token_hex(16)]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelError(f"llama.cpp cannot load {str(self.path)!r}: the file is cut off or of an unknown architecture") from error

    def close(self) -> None:
        """Frees the model; nothing may be submitted any more."""
        self._dispatcher.close()
        self._servers.clear()

    def submit(self, request: dict[str, Any]) -> Future[dict[str, Any]]:
        """Queues an OpenAI-style chat request; the future's result is the OpenAI-style response, errors included as ``error``."""
        prompt = "\n".join(f"{message['role']}: {message['content']}" for message in request["messages"])

        def work(slot: int) -> dict[str, Any]:
            return dict(self._servers[slot].handle_chat_completions({**request, "cache_prompt": self.settings.reuse}))

        return self._dispatcher.submit(prompt, work)


def check_gguf(path: Path) -> None:
    """Raises ModelError unless the file is there, readable, and begins like a GGUF file that llama.cpp reads."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        raise ModelError(f"no model file at {str(path)!r}") from None
    except OSError as error:
        raise ModelError(f"the model file {str(path)!r} cannot be read: {error.strerror}") from error
    if head[:4] != b"GGUF" or len(head) < 8:
        raise ModelError(f"{str(path)!r} is no GGUF file: it begins with {head[:4]!r}, not b'GGUF'")
    (number,) = struct.unpack("<I", head[4:])
    if number not in GGUF_VERSIONS:
        raise ModelError(f"{str(path)!r} is GGUF version {number}; versions {GGUF_VERSIONS[0]} to {GGUF_VERSIONS[-1]} can be read")


_engines: dict[tuple[Path, EngineSettings], Engine] = {}
_lock = threading.Lock()


def engine_for(path: Path, settings: EngineSettings) -> Engine:
    """The process's one engine for this file and these settings; loaded on first use."""
    with _lock:
        key = (path, settings)
        if key not in _engines:
            _engines[key] = Engine(path, settings)
        return _engines[key]


def layouts(cores: int) -> list[tuple[int, int]]:
    """(threads, slots) worth a try: from all threads in one slot to one thread in each of as many slots."""
    shapes = {(1, min(cores, MOST_SLOTS))} | {(cores // slots, slots) for slots in (1, 2, 4) if slots <= cores}
    return sorted(shapes)


def _cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measured(path: Path, settings: EngineSettings) -> EngineSettings:
    """The settings with the fastest threads and slots on this machine: about three seconds of real requests, kept in the cache folder.

    Among those within a tenth of the fastest the one with most slots wins: it suffers least when other programs take a core.
    What the caller has chosen stays; only the rest is measured. A file too large to be tried in seconds gets one slot of all cores.
    """
    cores = _cores()
    if path.stat().st_size > LARGE_BYTES:
        return replace(settings, threads=settings.threads or max(1, cores // (settings.slots or 1)), slots=settings.slots or 1)
    chosen = f"{settings.threads}|{settings.slots}"
    machine = f"{platform.node()}|{platform.processor()}|{cores}|{version('xllamacpp')}"
    key = hashlib.sha256(f"{path}|{path.stat().st_size}|{chosen}|{machine}".encode()).hexdigest()[:16]
    record = cache_folder() / f"engine-{key}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        seen = json.loads(record.read_text(encoding="utf-8"))
        return replace(settings, threads=int(seen["threads"]), slots=int(seen["slots"]))
    speeds = _speeds(path, sorted({(settings.threads or threads, settings.slots or slots) for threads, slots in layouts(cores)}))
    best = max(speeds.values())
    slots, threads = max((slots, threads) for (threads, slots), speed in speeds.items() if speed > 0.9 * best)
    with suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        made = {"threads": threads, "slots": slots, "answers_per_second": {f"{t}x{s}": round(v, 2) for (t, s), v in speeds.items()}}
        record.write_text(json.dumps(made), encoding="utf-8")
    return replace(settings, threads=threads, slots=slots)


def _speeds(path: Path, shapes: list[tuple[int, int]]) -> dict[tuple[int, int], float]:
    """Answers per second of each (threads, slots): the best of a few turns, so that another program's burst decides nothing."""
    if len(shapes) == 1:
        return {shapes[0]: 1.0}
    engines: dict[tuple[int, int], Engine] = {}
    try:
        for threads, slots in shapes:
            engines[threads, slots] = Engine(path, EngineSettings(context=256, threads=threads, slots=slots))
            _answers_per_second(engines[threads, slots], slots, first=0)
        return {
            shape: max(_answers_per_second(engine, max(2, shape[1]), first=100 * turn) for turn in range(1, TURNS + 1))
            for shape, engine in engines.items()
        }
    finally:
        for engine in engines.values():
            engine.close()


def _answers_per_second(engine: Engine, count: int, *, first: int) -> float:
    """``count`` requests like those of a benchmark: a short question, a note after it, a short reply."""
    note = ConfidenceTarget(0.5).instruction()

    def ask(number: int) -> Future[dict[str, Any]]:
        text = f"What is {number} plus {number + 1}? {note}"
        return engine.submit({"messages": [{"role": "user", "content": text}], "max_tokens": 6, "temperature": 0})

    started = time.perf_counter()
    for future in [ask(first + number) for number in range(count)]:
        future.result()
    return count / (time.perf_counter() - started)
