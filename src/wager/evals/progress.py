"""Progress of a run, on standard error: answers done, tokens, cost where known, time left."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from inspect_ai.hooks import Hooks, SampleEnd, hooks

__all__ = ["Progress", "showing"]


class Progress:
    """Counts finished samples and shows them: a live line on a terminal, a plain line now and then elsewhere."""

    def __init__(self, *, every: float = 10.0) -> None:
        """``every``: seconds between plain lines where standard error is no terminal."""
        self.every = every
        self.total = self.kept = self.done = self.failed = self.tokens = 0
        self.cost: float | None = None
        self._started = self._shown = time.monotonic()

    def expect(self, total: int, kept: int) -> None:
        """``total`` answers are planned, ``kept`` of them are there from an earlier run."""
        self.total, self.kept = total, kept
        self._started = time.monotonic()
        if kept and kept < total:
            self._write(f"{kept} of {total} answers are there from an earlier run; asking for the rest", end="\n")

    def add(self, *, failed: bool, tokens: int, cost: float | None) -> None:
        """One sample ended."""
        self.done += 1
        self.failed += failed
        self.tokens += tokens
        if cost is not None:
            self.cost = (self.cost or 0.0) + cost
        now = time.monotonic()
        live = sys.stderr.isatty()
        if now - self._shown >= (0.2 if live else self.every):
            self._shown = now
            self._write(self.line(now - self._started), end="\r" if live else "\n")

    def line(self, seconds: float) -> str:
        """The state in words after so many seconds."""
        left = self.total - self.kept - self.done
        rate = self.done / seconds if seconds > 0 else 0.0
        parts = [f"{self.kept + self.done}/{self.total} answers", f"{self.tokens:,} tokens"]
        if self.cost is not None:
            parts.append(f"${self.cost:.2f}")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if rate > 0 and left > 0:
            parts.append(f"{rate:.1f} answers/s, about {_duration(left / rate)} left")
        return " · ".join(parts)

    def close(self) -> None:
        """Ends a live line."""
        if self.done:
            self._write(self.line(time.monotonic() - self._started), end="\n")

    def _write(self, text: str, *, end: str) -> None:
        clear = "\x1b[2K" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{clear}{text}{end}")
        sys.stderr.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


_shown: list[Progress] = []


@contextlib.contextmanager
def showing(progress: Progress | None) -> Iterator[None]:
    """Feeds the samples that end inside the block to ``progress``."""
    if progress is not None:
        _shown.append(progress)
    try:
        yield
    finally:
        if progress is not None:
            _shown.remove(progress)
            progress.close()


@hooks(name="wager_progress", description="Progress of `wager eval`")
class ProgressHooks(Hooks):
    """Inspect calls this at the end of every sample."""

    def enabled(self) -> bool:
        """Only while a progress is shown."""
        return bool(_shown)

    async def on_sample_end(self, data: SampleEnd) -> None:
        """Counts it."""
        usages = data.sample.model_usage.values()
        costs = [usage.total_cost for usage in usages if usage.total_cost is not None]
        for progress in _shown:
            progress.add(
                failed=data.sample.error is not None,
                tokens=sum(usage.total_tokens for usage in usages),
                cost=sum(costs) if costs else None,
            )
