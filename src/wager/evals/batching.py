"""One steered model of this process, and the thread that answers for it: requests that wait are answered together.

A batch of a steered model shares its push (`wager.steering.llama`), so what waits is grouped by plan, length and temperature, and the
oldest request's group goes next. A request with a seed and a temperature is drawn alone: what it says does not depend on who else asks.
"""

from __future__ import annotations

import atexit
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from wager.errors import DataError, ModelError, WagerError
from wager.steering.backend import Backend
from wager.steering.llama import LlamaSteering
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
        atexit.register(self.close)  # a thread that is inside of llama.cpp when the interpreter goes takes the process with it

    @property
    def closed(self) -> bool:
        """Whether it answers no more."""
        return self._closed

    def submit(self, request: Request) -> Future[Written]:
        """Queues a request. The future raises `TooLongError` where its prompt fills the context."""
        with self._ready:
            if self._closed:
                raise ModelError(f"{self.identity.name} is closed")
            self._waiting.append(request)
            self._ready.notify()
        return request.future

    def close(self) -> None:
        """Refuses what waits, ends what is written at its next token (transformers: at its end), and frees the model. Done at exit, too."""
        with self._ready:
            self._closed, waiting, self._waiting = True, self._waiting, []
            self._ready.notify()
        for one in waiting:
            if one.future.set_running_or_notify_cancel():
                one.future.set_exception(ModelError(f"{self.identity.name} is closed"))
        self._thread.join()
        self._backend.close()
        atexit.unregister(self.close)

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
        if lengths:
            self._write(lengths)

    def _write(self, lengths: Mapping[Request, int]) -> None:
        """The replies to requests of one kind. Where one of them cannot be answered, each is answered by itself, and that one fails."""
        try:
            found = self._written(list(lengths))
        except WagerError as error:
            alone = [{one: length} for one, length in lengths.items()]
            if len(alone) == 1 or self._closed:
                for one in lengths:
                    one.future.set_exception(error)
            else:
                for each in alone:
                    self._write(each)
            return
        for (one, length), (steered, known, seconds) in zip(lengths.items(), found, strict=True):
            one.future.set_result(Written(steered=steered, known=known, prompt=length, seconds=seconds))

    def _written(self, requests: Sequence[Request]) -> list[tuple[Steered, float | None, float]]:
        """Replies with what the probe said and their share of the time."""
        started = time.perf_counter()
        first, chats = requests[0], [one.chat for one in requests]
        known: list[float | None] = [None] * len(chats)
        gate = None if first.plan is None else first.plan.gate
        if first.probe is not None and first.probe is not gate:
            known = as_confidence(first.probe, first.probe.read(self._backend, chats)).tolist()
        seed = secrets.randbits(31) if first.seed is None else first.seed
        stop = (lambda *_: self._closed) if isinstance(self._backend, LlamaSteering) else None
        found = answered(self._backend, chats, first.plan, tokens=first.tokens, temperature=first.temperature, seed=seed, stop=stop)
        if first.probe is not None and first.probe is gate:
            known = [None if one.probability is None else 1.0 - one.probability for one in found]
        if self._closed:
            raise ModelError(f"{self.identity.name} was closed while it wrote")
        seconds = (time.perf_counter() - started) / len(chats)
        return [(steered, sure, seconds) for steered, sure in zip(found, known, strict=True)]

    def _fitting(self, request: Request) -> int:
        """Tokens of the prompt, which leave room for at least one more."""
        count = self._backend.count(request.chat)
        if count >= self.context:
            raise TooLongError(f"the prompt has {count} tokens, and the context {self.context}; raise it with -M context=N")
        return count


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
        if (found := _BATCHERS.get(key)) is None or found.closed:
            backend = open_backend(model, context=context, threads=threads, sequences=sequences)
            _BATCHERS[key] = Batcher(backend, rows=sequences, context=context)
        return _BATCHERS[key]
