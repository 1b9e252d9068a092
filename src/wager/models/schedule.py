"""Which waiting request a free slot takes: the one that shares most with what the slot has read already.

The same question comes in several arms, with the target stated at its end. A slot that has just read one of them need not read
the question again for the next. Reading prompts is what takes the time on a CPU.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Dispatcher", "choose"]

R = TypeVar("R")

PATIENCE = 32
"""A request is passed over at most this often."""


@dataclass(eq=False)
class _Waiting(Generic[R]):
    prompt: str
    work: Callable[[int], R]
    future: Future[R] = field(default_factory=Future)
    passed_over: int = 0


def choose(prompts: list[str], last: str, passed_over: list[int]) -> int:
    """Index of the prompt that shares the longest prefix with ``last``; the oldest among equals, and the oldest one at all once it
    was passed over `PATIENCE` times. ``prompts`` and ``passed_over`` have the same length >= 1, oldest first."""
    if passed_over[0] >= PATIENCE:
        return 0
    shared = [_shared(prompt, last) for prompt in prompts]
    return shared.index(max(shared))


def _shared(one: str, other: str) -> int:
    """Characters at the beginning that two texts have in common."""
    end = min(len(one), len(other))
    if one[:end] == other[:end]:
        return end
    return next(position for position in range(end) if one[position] != other[position])


class Dispatcher(Generic[R]):
    """One worker thread for each slot of an engine."""

    def __init__(self, slots: int) -> None:
        self._waiting: list[_Waiting[R]] = []
        self._ready = threading.Condition()
        self._closed = False
        for slot in range(slots):
            threading.Thread(target=self._serve, args=(slot,), name=f"wager-slot-{slot}", daemon=True).start()

    def submit(self, prompt: str, work: Callable[[int], R]) -> Future[R]:
        """Queues ``work``, which is called with the number of the slot that it runs on."""
        waiting = _Waiting(prompt, work)
        with self._ready:
            self._waiting.append(waiting)
            self._ready.notify()
        return waiting.future

    def close(self) -> None:
        """Ends the threads once nothing waits."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def _serve(self, slot: int) -> None:
        last = ""
        while True:
            with self._ready:
                while not self._waiting and not self._closed:
                    self._ready.wait()
                if not self._waiting:
                    return
                at = choose([one.prompt for one in self._waiting], last, [one.passed_over for one in self._waiting])
                taken = self._waiting.pop(at)
                for one in self._waiting[:at]:
                    one.passed_over += 1
            if not taken.future.set_running_or_notify_cancel():
                continue
            last = taken.prompt
            try:
                taken.future.set_result(taken.work(slot))
            except BaseException as error:  # noqa: BLE001 (handed to the one who waits)
                taken.future.set_exception(error)
            del taken  # a request that is done keeps nothing alive
