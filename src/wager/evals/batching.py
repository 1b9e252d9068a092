"""One steered model of this process, and the thread that answers for it: requests that wait are answered together.

A batch of a steered model shares its push (`wager.steering.llama`), so what waits is grouped by plan, length and temperature, and the
oldest request's group goes next. A request with a seed and a temperature is drawn alone: what it says does not depend on who else asks.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from wager.errors import DataError, ModelError
from wager.steering.backend import Backend
from wager.steering.monitor import as_confidence
from wager.steering.opening import open_backend
from wager.steering.plan import Plan, Steered, answered
from wager.steering.probe import Probe

__all__ = ["Batcher", "Request", "TooLongError", "Written", "batcher_for"]

PAUSE = 0.01
"""Seconds that an idle model waits for more requests once one has come: a batch costs little more than one of its rows."""


class TooLongError(DataError):
    """The prompt of a request leaves no room for a reply."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """One reply that is wanted."""

    chat: tuple[Mapping[str, str], ...]
    plan: Plan | None
    """Compared by identity: requests of one provider share theirs."""
    probe: Probe | None
    """Read before the reply."""
    tokens: int
    """Longest reply."""
    temperature: float
    seed: int | None
    future: Future[Written] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What requests of one batch have in common."""
        alone = id(self) if self.seed is not None and self.temperature > 0 else None
        return id(self.plan), id(self.probe), self.tokens, self.temperature, alone


@dataclass(frozen=True, kw_only=True)
class Written:
    """A reply, and what it took."""

    steered: Steered
    known: float | None
    """The probe's 1 - P; None without a probe."""
    prompt: int
    """Tokens of the prompt."""
    seconds: float
    """This reply's share of its batch."""


class Batcher:
    """A backend with the one thread that may use it. Thread-safe; `submit` queues, results come as futures."""

    def __init__(self, backend: Backend, *, rows: int, context: int) -> None:
        """Starts the thread.

        Args:
            backend: used by nobody else from now on.
            rows: requests of one batch.
            context: tokens of a prompt and its reply.
        """
        self.identity = backend.identity
        self.rows, self.context = rows, context
        self._backend = backend
        self._waiting: list[Request] = []
        self._ready = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="wager-steered", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Future[Written]:
        """Queues a request. The future raises `TooLongError` where its prompt fills the context."""
        with self._ready:
            if self._closed:
                raise ModelError(f"{self.identity.name} is closed")
            self._waiting.append(request)
            self._ready.notify()
        return request.future

    def close(self) -> None:
        """Ends the thread once nothing waits, and frees the model."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join()
        self._backend.close()

    def _serve(self) -> None:
        while batch := self._next():
            try:
                self._answer(batch)
            except BaseException as error:  # noqa: BLE001 (handed to those who wait)
                for one in batch:
                    if not one.future.done():
                        one.future.set_exception(error)
            del batch  # requests that are done keep nothing alive

    def _next(self) -> list[Request]:
        """The oldest request with those that can go with it; empty once closed and done."""
        with self._ready:
            while not self._waiting and not self._closed:
                self._ready.wait()
            few = len(self._waiting) < self.rows and not self._closed
        if few:
            time.sleep(PAUSE)
        with self._ready:
            taken: list[Request] = []
            for one in self._waiting:
                if len(taken) < self.rows and one.kind == self._waiting[0].kind:
                    taken.append(one)
            self._waiting = [one for one in self._waiting if one not in taken]
            return taken

    def _answer(self, batch: list[Request]) -> None:
        lengths = {}
        for one in batch:
            if not one.future.set_running_or_notify_cancel():
                continue
            try:
                lengths[one] = self._fitting(one)
            except Exception as error:  # noqa: BLE001 (one chat that the template refuses, or that is too long, fails alone)
                one.future.set_exception(error)
        if not lengths:
            return
        started = time.perf_counter()
        first, chats = batch[0], [one.chat for one in lengths]
        known: list[float | None] = [None] * len(chats)
        if first.probe is not None:
            read = self._backend.read(chats, pool="prompt_last", blocks=[first.probe.block])[:, 0]
            known = [float(one) for one in as_confidence(first.probe, read)]
        seed = secrets.randbits(31) if first.seed is None else first.seed
        found = answered(self._backend, chats, first.plan, tokens=first.tokens, temperature=first.temperature, seed=seed)
        seconds = (time.perf_counter() - started) / len(chats)
        for (one, length), steered, sure in zip(lengths.items(), found, known, strict=True):
            one.future.set_result(Written(steered=steered, known=sure, prompt=length, seconds=seconds))

    def _fitting(self, request: Request) -> int:
        """Tokens of the prompt, which leave room for at least one more."""
        from wager.steering.llama import LlamaSteering

        backend: Any = self._backend
        tokens = backend._prompt(request.chat) if isinstance(backend, LlamaSteering) else backend._prompts([request.chat])[0]
        if len(tokens) >= self.context:
            raise TooLongError(f"the prompt has {len(tokens)} tokens, and the context {self.context}; raise it with -M context=N")
        return len(tokens)


_BATCHERS: dict[tuple[Any, ...], Batcher] = {}
_LOCK = threading.Lock()


def batcher_for(model: str, *, context: int, threads: int, sequences: int) -> Batcher:
    """The batcher of a model of this process, loaded once for each layout.

    Args:
        model: as `wager.evals.dials.steerable` gives it.
        context: tokens of one request, prompt and reply.
        threads: of llama.cpp.
        sequences: requests of one batch.

    Raises:
        ModelError, MissingExtraError, UsageError: as `wager.steering.opening.open_backend`.
    """
    key = (model, context, threads, sequences)
    with _LOCK:
        if key not in _BATCHERS:
            backend = open_backend(model, context=context, threads=threads, sequences=sequences)
            _BATCHERS[key] = Batcher(backend, rows=sequences, context=context)
        return _BATCHERS[key]
