"""From settings to a running server: what each worker process builds, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.detection.detector import Detector
from wager.detection.kinds import GENERAL, KINDS
from wager.errors import MissingExtraError, ModelError, UsageError, WagerError
from wager.gateway.answering import Answering
from wager.gateway.dials import Dials
from wager.gateway.journal import Journal, SqliteJournal
from wager.gateway.keys import Keys, check_binding
from wager.gateway.limits import Limits, MemoryLimits
from wager.gateway.personal import HANDOVER
from wager.gateway.resilient import Resilient
from wager.gateway.settings import Settings, UpstreamSettings, address_shown
from wager.gateway.startup import expectations, for_another
from wager.gateway.upstream import Upstream
from wager.gateway.upstream_embedded import EmbeddedUpstream
from wager.gateway.upstream_http import HttpUpstream
from wager.gateway.upstream_steered import SteeredModel
from wager.lookup.passages import Lookup
from wager.lookup.settings import lookups_from
from wager.models.engine import check_gguf
from wager.models.weights import is_here
from wager.policy.policy import Policy
from wager.policy.toml import read_policy

if TYPE_CHECKING:
    from wager.gateway.app import Gateway

__all__ = ["application_of", "check", "from_environment", "serve"]

ENVIRONMENT = "WAGER_SERVE"
"""How a worker process gets its settings: as JSON."""
LOG = logging.getLogger("wager.gateway.server")
FAILED: list[WagerError] = []
"""Why this process could not start; the web server would tell it as a traceback."""
ALL = "all"
"""Label of calls that any of several servers may have answered."""
GRACE = 30
"""Seconds that running requests get to finish."""
ROUTES = (
    *(
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/models",
        "/v1/models/{name:path}",
        "/v1/embeddings",
        "/v1/feedback",
        "/v1/wager/summary",
    ),
    *("/v1/wager/decisions", "/v1/wager/decisions/{id}", "/v1/wager/policy", "/healthz", "/readyz", "/metrics", "/openapi.json", "/"),
)


def policy_of(settings: Settings) -> tuple[Policy | None, str]:
    """The policy that was named, that of this folder, or that of the embedded model where it answers; None for another model."""
    if settings.policy is not None or Path("policy.toml").is_file():
        path = Path(settings.policy or "policy.toml")
        return read_policy(path), path.stem
    if settings.upstreams[0].url == "embedded":
        with as_file(files("wager.policy") / "embedded.toml") as own:
            return read_policy(own), "embedded"
    return None, "none"


def upstream_of(settings: UpstreamSettings, *, workers: int = 1) -> Upstream:
    """One model's server, not started.

    Raises:
        UsageError: it is no address, or the environment variable of its key is not set.
    """
    threads = _threads(workers)
    if settings.url == "embedded":
        return EmbeddedUpstream(threads=threads, total_seconds=settings.seconds)
    if settings.url.startswith("gguf/"):
        return EmbeddedUpstream(_gguf(settings), name=settings.model, threads=threads, total_seconds=settings.seconds)
    key = None
    if settings.key_env is not None:
        key = os.environ.get(settings.key_env)
        if not key:
            raise UsageError(f"the environment variable {settings.key_env} holds the key of {settings.url}, and it is not set")
    return HttpUpstream(settings.url, key=key, model=settings.model, first_byte_seconds=settings.seconds, total_seconds=settings.seconds)


def _threads(workers: int) -> int | None:
    """Of a model in each process, which has its own copy."""
    return None if workers == 1 else max(1, ((os.cpu_count() or 1) - 1) // workers)


def steering_of(settings: Settings) -> SteeredModel | None:
    """The model once more with its dials, not started; None without any.

    Raises:
        UsageError: a dial's file or value does not fit, or the model cannot be steered.
    """
    dials = Dials.of(settings)
    if dials is None:
        return None
    one = settings.upstreams[0]
    own = one.url == "embedded"
    return SteeredModel(
        dials,
        None if own else _gguf(one),
        name=one.url if own else f"gguf/{_gguf(one).name}",
        threads=_threads(settings.workers),
        total_seconds=one.seconds,
    )


def _gguf(settings: UpstreamSettings) -> Path:
    return Path(settings.url.removeprefix("gguf/")).expanduser()


def model_of(upstream: Upstream) -> str | None:
    """The model that will be asked where a client names none; None where only the started server can tell."""
    try:
        return upstream.model
    except ModelError:
        return None


def lookups_of(settings: Settings) -> list[Lookup]:
    """What can be searched, not started."""
    return lookups_from({"lookups": [dict(one) for one in settings.lookups]}, Path.cwd()) if settings.lookups else []


def journal_of(settings: Settings) -> Journal | None:
    """What is kept, not opened."""
    if settings.journal is None:
        return None
    if settings.journal.startswith(("postgresql://", "postgres://")):
        from wager.gateway.journal_postgres import PostgresJournal

        return PostgresJournal(settings.journal, keep_text=settings.keep_text, keep_days=settings.keep_days)
    return SqliteJournal(Path(settings.journal), keep_text=settings.keep_text, keep_days=settings.keep_days)


def limits_of(settings: Settings) -> Limits:
    """Who counts the requests of a key."""
    if settings.redis is None:
        return MemoryLimits(processes=settings.workers)
    from wager.gateway.limits import RedisLimits

    return RedisLimits(settings.redis, without="closed" if settings.limits_fail == "closed" else "open")


def check(settings: Settings) -> list[str]:
    """Everything that can be known before a server starts; lines for the reader. Nothing is asked of another machine.

    Raises:
        WagerError: in one line, what is wrong and what to do.
    """
    keys = Keys.read(settings.keys) if settings.keys else Keys()
    check_binding(settings.host, keys, insecure=settings.insecure)
    policy, name = policy_of(settings)
    upstreams = [upstream_of(one) for one in settings.upstreams]
    for one in settings.upstreams:
        if one.url.startswith("gguf/"):
            check_gguf(_gguf(one))
    lines = [f"model {settings.upstreams[0].model or settings.upstreams[0].url}, policy {name}"]
    if (other := for_another(policy, model_of(upstreams[0]), name=name)) is not None:
        lines.append(other)
    elif policy is not None:
        lines += expectations(policy, name=settings.policy or name)
    else:
        lines.append("no answer of this model was graded: confidences are raw and decide nothing; wager calibrate makes a policy")
    steering = steering_of(settings)
    if steering is not None:
        if settings.upstreams[0].url != "embedded" or is_here():
            steering.check()  # else the embedded model is fetched first, at the start
        lines += [one.line for one in steering.dials.dials.values()]
    detector = Detector.load(Path(settings.detector) if settings.detector else None)
    lines.append(_kinds(detector.facts))
    lookups = lookups_of(settings)
    for table in settings.lookups:
        if "folder" in table and not (folder := Path.cwd() / table["folder"]).is_dir():
            raise UsageError(f"the look-up {table['name']!r} needs a folder that exists, got {str(folder)!r}")
    if lookups:
        lines.append(f"looks up in {', '.join(one.name for one in lookups)}")
    text = "with" if settings.keep_text else "without"
    lines.append("keeps no journal" if settings.journal is None else f"journal {address_shown(settings.journal)}, {text} texts")
    lines.append(
        f"{len(keys)} API keys" if keys else "no API keys: this machine only" if not settings.insecure else "no API keys: open to anybody"
    )
    return lines


def _kinds(facts: Mapping[str, Any]) -> str:
    """What may be expected of the detector."""
    certified, threshold, covered = facts["certified_accuracy"], facts["threshold"], facts["coverage"]
    return (
        f"kinds of task: above p = {threshold:.2f}, which {100 * covered:.0f} % of {facts['prompts']:,} prompts reach, at least "
        f"{100 * certified:.0f} % are right; the others are general"
    )


def application_of(settings: Settings) -> Any:
    """The ASGI application with its life: everything is opened when it starts and closed when it ends.

    Raises:
        MissingExtraError: the packages of the extra ``serve`` are not there.
    """
    from wager.gateway import logs
    from wager.gateway.app import application
    from wager.gateway.workers import mark_failed, mark_started

    _one_thread()
    logs.configure(lines=None if settings.logs == "auto" else settings.logs == "json")
    logging.getLogger("uvicorn.error").addFilter(_told)
    gateway = gateway_of(settings)
    asks = model_of(gateway.upstream) is None

    @contextlib.asynccontextmanager
    async def life(app: Any) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                await _opened(gateway, stack)
            except WagerError as error:
                FAILED.append(error)
                mark_failed(error)
                raise
            answering = gateway.answering
            if asks and (other := for_another(answering.policy, model_of(gateway.upstream), name=answering.name)) is not None:
                LOG.warning("%s", other)
            mark_started()
            gc.collect()
            gc.freeze()  # what is there now stays: walking through it again and again held requests up for 70 ms each time
            yield

    return application(gateway, lifespan=life)


def gateway_of(settings: Settings) -> Gateway:
    """All that a worker process has, nothing of it opened."""
    from wager.gateway.app import Gateway
    from wager.gateway.metrics import Metrics
    from wager.gateway.traces import traces

    policy, name = policy_of(settings)
    urls = [one.url for one in settings.upstreams]
    called = urls[0] if len(urls) == 1 else ALL
    metrics = Metrics(routes=ROUTES, kinds=(*KINDS, GENERAL), upstreams=[*urls, ALL])
    upstream = _joined(settings, [upstream_of(one, workers=settings.workers) for one in settings.upstreams], metrics)
    detector = Detector.load(Path(settings.detector) if settings.detector else None)
    detector.detect("Hello")  # compiles its expressions before the first request
    answering = Answering(
        upstream,
        detector,
        policy,
        name=name,
        lookups=lookups_of(settings),
        handover={**HANDOVER, **settings.crisis} if settings.crisis else HANDOVER,
        lookup_seconds=settings.lookup_seconds,
        stand_ins=len(urls) > 1,
        steering=steering_of(settings),
        on_call=lambda outcome, seconds: metrics.call(called, outcome, seconds),
    )
    return Gateway(
        settings=settings,
        answering=answering,
        upstream=upstream,
        keys=Keys.read(settings.keys) if settings.keys else Keys(),
        limits=limits_of(settings),
        journal=journal_of(settings),
        metrics=metrics,
        traces=traces(server="wager" if urls[0].startswith(("embedded", "gguf/")) else "openai"),
    )


async def _opened(gateway: Gateway, stack: contextlib.AsyncExitStack) -> None:
    """Opens everything; the stack closes it again, also where something could not be opened."""
    stack.push_async_callback(gateway.limits.close)
    stack.callback(gateway.metrics.close)
    stack.callback(gateway.traces.close)
    if gateway.journal is not None:
        stack.push_async_callback(gateway.journal.close)
        await gateway.journal.start()
    for one in gateway.answering.lookups:
        stack.push_async_callback(one.close)
        await one.start()
    stack.push_async_callback(gateway.upstream.close)
    await gateway.upstream.start()
    if gateway.answering.steering is not None:
        stack.push_async_callback(gateway.answering.steering.close)
        await gateway.answering.steering.start()
    warming = asyncio.ensure_future(gateway.upstream.capabilities())
    stack.push_async_callback(_ended, warming)


def _joined(settings: Settings, singles: list[Upstream], metrics: Any) -> Upstream:
    """Servers that the gateway reaches over the network get retries and breakers; the embedded model needs none."""
    if len(singles) == 1 and isinstance(singles[0], EmbeddedUpstream):
        return singles[0]
    states = {"opened": "open", "half_opened": "half-open", "closed": "closed"}

    def told(event: str, name: str) -> None:
        if event in states:
            metrics.breaker(name, states[event])
        else:
            metrics.call(name, event)

    return Resilient(singles, names=[one.url for one in settings.upstreams], on_event=told)


def _told(record: logging.LogRecord) -> bool:
    """In place of a traceback at the start, the one line that says why; none where the process that was started by hand tells it."""
    from wager.gateway.workers import told_above

    if FAILED and str(record.msg).startswith("Application startup failed"):
        return False
    if FAILED and str(record.msg).startswith("Traceback"):
        record.msg, record.args = str(FAILED[0]), ()
        return not told_above()
    return True


def _one_thread() -> None:
    """Matrix products of the detector are small: a pool of threads gains nothing, and where other programs run its threads wait for each
    other (80 ms of CPU time a prompt in place of 2.5, on two busy cores)."""
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingExtraError("threadpoolctl", "serve", "wager serve") from error
    threadpool_limits(1, user_api="blas")


async def _ended(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


def from_environment() -> Any:
    """The application of a worker process, which ends where it cannot be made."""
    from wager.gateway.workers import MARKS, mark_failed

    try:
        return application_of(Settings.from_json(os.environ[ENVIRONMENT]))
    except WagerError as error:
        if MARKS not in os.environ:
            raise
        mark_failed(error)
        raise SystemExit(3) from error  # the web server's own status for what would fail again


def serve(settings: Settings, *, ready: Callable[[int], None]) -> int:
    """Runs the server until it is told to stop; returns the exit status.

    Args:
        settings: checked with `check`.
        ready: called once with the port, when it answers.

    Raises:
        UsageError: the port cannot be had.
        ModelError: it could not start.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("uvicorn", "serve", "wager serve") from error
    os.environ[ENVIRONMENT] = settings.to_json()
    config = uvicorn.Config(
        "wager.gateway.server:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 * 1024,
        lifespan="on",
    )
    sys.stderr.flush()
    with contextlib.closing(_bound(settings)) as listening:
        port: int = listening.getsockname()[1]
        (_one_process if settings.workers == 1 else _several)(config, listening, lambda: ready(port))
    return 0


def _one_process(config: Any, listening: socket.socket, ready: Callable[[], None]) -> None:
    from wager.gateway.workers import Single

    server = Single(config, ready)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):  # it exits where it cannot start
        server.run(sockets=[listening])
    if not server.started:
        raise FAILED[0] if FAILED else ModelError("the server did not start; the lines above say why")


def _several(config: Any, listening: socket.socket, ready: Callable[[], None]) -> None:
    from wager.gateway.metrics import share_by
    from wager.gateway.workers import MARKS, Workers

    with tempfile.TemporaryDirectory(prefix="wager-serve-") as folder:
        share_by(folder)
        os.environ[MARKS] = folder
        workers = Workers(config, [listening], folder=Path(folder), ready=ready)
        workers.run()
        workers.outcome()


def _bound(settings: Settings) -> socket.socket:
    """The socket to listen on, before anything is loaded.

    Raises:
        UsageError: another program has the port, or the address is not of this machine.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        what = f"cannot listen on {settings.host}, port {settings.port}: {os.strerror(error.errno) if error.errno else error}"
        raise UsageError(f"{what}; choose another with --port") from None
    listening.set_inheritable(True)
    return listening
