"""What the gateway counts, for Prometheus.

Workers share no memory, and a scrape reaches one of them; so each writes its counts to files in one folder (Prometheus's multi-process
mode), and whichever is asked adds up all. `share_by` says where, before a worker starts. Without it a process answers for itself.

Labels hold names from closed sets only: routes, kinds and upstreams that were named at the start; another one is ``other``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from wager.errors import MissingExtraError, OutputError, UsageError
from wager.gateway.decision import Decided

__all__ = ["Metrics", "forget", "share_by"]

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus_client knows the folder; it is read when the package is imported."""
OTHER = "other"

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Upper ends of the bins of what models take."""
OVERHEAD = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1)
"""Upper ends of the bins of what the gateway adds."""
STATES = {"closed": 0, "half-open": 1, "open": 2}
"""A circuit breaker's states as numbers."""


def share_by(folder: str | os.PathLike[str]) -> None:
    """Makes this process and its children count in files of ``folder``; files that an earlier run left there are removed.

    Call it once, in the process that starts the workers, before anything imports prometheus_client.

    Raises:
        OutputError: the folder cannot be written.
        UsageError: prometheus_client was imported before.
    """
    import sys

    if "prometheus_client" in sys.modules and os.environ.get(FOLDER) != str(folder):
        raise UsageError("the folder of the metrics is chosen before prometheus_client is imported")
    path = Path(folder)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in path.glob("*.db"):
            file.unlink()
    except OSError as error:
        raise OutputError(f"the metrics cannot be kept in {str(path)!r}: {error.strerror}") from error
    os.environ[FOLDER] = str(path)


class Metrics:
    """The counters of one process."""

    def __init__(self, *, routes: Iterable[str] = (), kinds: Iterable[str] = (), upstreams: Iterable[str] = ()) -> None:
        """Names that labels may hold.

        Raises:
            MissingExtraError: prometheus_client is not there.
        """
        try:
            import prometheus_client as prometheus
        except ImportError as error:
            raise MissingExtraError("prometheus-client", "serve", "the page /metrics") from error
        self._prometheus: Any = prometheus
        self._routes, self._kinds, self._upstreams = frozenset(routes), frozenset(kinds), frozenset(upstreams)
        self._registry = prometheus.CollectorRegistry()
        self._journal_last = (0, 0)
        self._make()

    def _make(self) -> None:
        counter, gauge, histogram = self._counter, self._gauge, self._histogram
        self._requests = counter("wager_requests", "Requests by route and status", "route", "status")
        self._seconds = histogram("wager_request_seconds", "Seconds of a request, streams to their end", SECONDS, "route")
        self._running = gauge("wager_requests_in_flight", "Requests that are being answered")
        self._decisions = counter("wager_decisions", "Decisions by kind of task and act", "kind", "act")
        tenths = [place / 10 for place in range(1, 11)]
        self._confidence = histogram("wager_confidence", "Confidence of decisions that have one", tenths, "kind", "calibrated")
        self._unknown = counter("wager_confidence_unknown", "Decisions without a confidence", "kind")
        self._overhead = histogram("wager_overhead_seconds", "Seconds that the gateway adds to a decision", OVERHEAD)
        self._tokens = counter("wager_tokens", "Tokens, where the server says", "direction")
        self._calls = counter("wager_upstream_calls", "Calls of an upstream by outcome", "upstream", "outcome")
        self._call_seconds = histogram("wager_upstream_seconds", "Seconds of a call", SECONDS, "upstream")
        self._breaker = gauge("wager_upstream_breaker", "Circuit breaker, worst worker: 0 closed, 2 open", "upstream", mode="livemax")
        self._written = counter("wager_journal_written", "Decisions on disk")
        self._lost = gauge("wager_journal_lost", "Decisions not on disk though answered: kept in memory for now, or given up")

    def _counter(self, name: str, text: str, *labels: str) -> Any:
        return self._prometheus.Counter(name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str, mode: str = "livesum") -> Any:
        return self._prometheus.Gauge(name, text, labels, registry=self._registry, multiprocess_mode=mode)

    def _histogram(self, name: str, text: str, bins: Sequence[float], *labels: str) -> Any:
        return self._prometheus.Histogram(name, text, labels, registry=self._registry, buckets=bins)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Around a request: it is in flight."""
        self._running.inc()
        try:
            yield
        finally:
            self._running.dec()

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request ended. ``route`` is the route's pattern, never the path as asked for."""
        route = _known(route, self._routes)
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def decided(self, decided: Decided) -> None:
        """A decision was made."""
        kind = _known(decided.kind, self._kinds)
        self._decisions.labels(kind, decided.act).inc()
        if decided.confidence is None:
            self._unknown.labels(kind).inc()
        else:
            self._confidence.labels(kind, "no" if decided.calibration_id is None else "yes").observe(decided.confidence)
        self._overhead.observe(decided.cost.overhead_ms / 1000)
        for direction, count in (("in", decided.cost.tokens_in), ("out", decided.cost.tokens_out)):
            if count:
                self._tokens.labels(direction).inc(count)

    def call(self, upstream: str, outcome: str, seconds: float | None = None) -> None:
        """An upstream was called; ``outcome`` is ``ok``, or a word of the code for what went wrong: ``timeout``, ``429``, ``reset``."""
        name = _known(upstream, self._upstreams)
        self._calls.labels(name, outcome).inc()
        if seconds is not None:
            self._call_seconds.labels(name).observe(seconds)

    def breaker(self, upstream: str, state: str) -> None:
        """A circuit breaker's state: ``closed``, ``half-open`` or ``open``."""
        self._breaker.labels(_known(upstream, self._upstreams)).set(STATES[state])

    def journal(self, written: int, lost: int) -> None:
        """A journal's counts of this process so far."""
        before, _ = self._journal_last
        if written > before:
            self._written.inc(written - before)
        self._lost.set(lost)
        self._journal_last = (max(before, written), lost)

    def page(self) -> tuple[bytes, str]:
        """The page ``/metrics`` and its content type; of all workers where they share a folder."""
        registry = self._registry
        folder = os.environ.get(FOLDER)
        if folder:
            from prometheus_client import multiprocess

            registry = self._prometheus.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return self._prometheus.generate_latest(registry), self._prometheus.CONTENT_TYPE_LATEST

    def close(self) -> None:
        """This process ends: what it has in flight no longer counts, what it has counted does."""
        if os.environ.get(FOLDER):
            forget(os.getpid())


def forget(process: int) -> None:
    """A worker has died: its gauges no longer count. For the process that starts workers; harmless for one that counted nothing."""
    folder = os.environ.get(FOLDER)
    if folder and Path(folder).is_dir():
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(process, folder)  # type: ignore[no-untyped-call]


def _known(name: str, names: frozenset[str]) -> str:
    return name if name in names else OTHER
