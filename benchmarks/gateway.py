"""What `wager serve` costs, beside LiteLLM's proxy on the same upstream: requests a second, latency, CPU time, first token, memory.

    python benchmarks/gateway.py load --litellm VENV      the load table, about 4 minutes
    python benchmarks/gateway.py stream --litellm VENV    time to the first token of a stream, about 2 minutes
    python benchmarks/gateway.py memory --requests 200000 growth of the resident memory, 2 to 5 minutes

Needs a C compiler (the instant upstream is compiled into a temporary folder) and wrk. ``VENV`` is a virtual environment made with
``python -m venv VENV && VENV/bin/pip install 'litellm[proxy]'``; without it those rows are left out. Every server has one worker. Time and
counts are bounded. The column to trust on a busy machine is CPU time: user and system time of the whole process tree.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
POLICY = HERE.parent / "src" / "wager" / "policy" / "embedded.toml"
TICKS = os.sysconf("SC_CLK_TCK")
KEY = "sk-benchmark-upstream-key"

FACT = "What is the capital of France?"
CHAT = "Hi there! How is it going?"
PLAIN = {"x-wager-act": "raw"}


def body(prompt: str, **more: object) -> str:
    return json.dumps({"model": "instant", "messages": [{"role": "user", "content": prompt}], **more})


@dataclass
class Server:
    """A running server and its process tree."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def pids(self) -> list[int]:
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    todo += map(int, (task / "children").read_text().split())
        return found

    def cpu(self) -> float:
        """Seconds so far."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def rss(self) -> float:
        """MiB now."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
                total += int(match[1]) if match else 0
        return total / 1024


@dataclass(frozen=True)
class Row:
    """One way of asking."""

    name: str
    server: Server
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    least: int = 1
    """Seconds of a measurement: more where requests are few."""


@dataclass(frozen=True)
class Load:
    """What wrk saw, and what it took."""

    count: int
    rps: float
    p50: float
    p99: float
    cpu: float
    rss: float
    failed: int


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


@contextlib.contextmanager
def running(name: str, command: list[str], port: int, ready: str, *, log: Path, env: dict[str, str] | None = None) -> Iterator[Server]:
    """A server in a session of its own, once ``ready`` answers; stopped in the end."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=os.environ | (env or {}), start_new_session=True
        )
    try:
        wait_for(process, port, ready, log)
        yield Server(name, port, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(process: subprocess.Popen[bytes], port: int, path: str, log: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise SystemExit(f"{process.args!r} did not start:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def upstream(folder: Path) -> Iterator[Server]:
    """The instant upstream, compiled now."""
    program = folder / "instant_upstream"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", program, HERE / "instant_upstream.c"], check=True)
    process = subprocess.Popen([program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield Server("upstream", int(process.stdout.readline()), process)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def gateway(folder: Path, port_of_upstream: int) -> contextlib.AbstractContextManager[Server]:
    """`wager serve` with a policy that reads log-probabilities, and a journal."""
    port = free_port()
    policy = folder / "policy.toml"
    policy.write_text(POLICY.read_text().replace('"embedded/smollm2-135m-instruct"', '"instant"'))
    settings = folder / "gateway.toml"
    settings.write_text(
        f'port = {port}\npolicy = "policy.toml"\njournal = "journal"\npage = false\n\n[[upstreams]]\nurl = "http://127.0.0.1:{port_of_upstream}/v1"\n'
        'model = "instant"\nkey_env = "BENCHMARK_UPSTREAM_KEY"\n'
    )
    command = [sys.executable, "-m", "wager.cli", "serve", "--config", str(settings)]
    return running("wager", command, port, "/readyz", log=folder / "wager.log", env={"BENCHMARK_UPSTREAM_KEY": KEY})


@contextlib.contextmanager
def litellm(folder: Path, venv: Path | None, port_of_upstream: int) -> Iterator[Server | None]:
    """LiteLLM's proxy as it comes, log lines included: wager writes one for each request, too. None without an environment of it."""
    if venv is None:
        yield None
        return
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(
        "model_list:\n  - model_name: instant\n    litellm_params:\n      model: openai/instant\n"
        f"      api_base: http://127.0.0.1:{port_of_upstream}/v1\n      api_key: {KEY}\n"
    )
    command = [str(venv / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION", "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    env["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"  # as wager on loopback: nobody is asked for a key
    with running("LiteLLM", command, port, "/health/liveliness", log=folder / "litellm.log", env=env) as server:
        yield server


def rows_of(direct: Server, wager: Server, other: Server | None) -> list[Row]:
    rows = [
        Row("upstream, direct", direct, body(FACT)),
        Row("wager, raw by header", wager, body(FACT), PLAIN),
        Row("wager, raw by body", wager, body(FACT, wager={"act": "raw"})),
        Row("wager, factual: decided", wager, body(FACT), least=3),
        Row("wager, smalltalk", wager, body(CHAT), least=3),
    ]
    return rows if other is None else [*rows, Row("LiteLLM", other, body(FACT), least=6)]


def script(folder: Path, row: Row) -> Path:
    """What wrk sends."""
    path = folder / "request.lua"
    headers = {"content-type": "application/json", "authorization": "Bearer sk-anything", **row.headers}
    lines = ['wrk.method = "POST"', f"wrk.body = {lua(row.body)}", *(f"wrk.headers[{lua(k)}] = {lua(v)}" for k, v in headers.items())]
    path.write_text("\n".join(lines))
    return path


def lua(text: str) -> str:
    """A string of printing ASCII characters is quoted in Lua as in JSON."""
    return json.dumps(text)


def drive(wrk: str, path: Path, server: Server, connections: int, seconds: float) -> Load:
    """One run of wrk against a server."""
    before = server.cpu()
    command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "--timeout", "30s", "-s", str(path)]
    out = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}/v1/chat/completions"], check=True, capture_output=True, text=True, timeout=seconds + 60
    ).stdout
    took = server.cpu() - before
    count = int(found(r"(\d+) requests in", out))
    failed = sum(int(one) for one in re.findall(r"Non-2xx or 3xx responses: (\d+)", out))
    failed += sum(int(one) for one in re.findall(r"(?:connect|read|write|timeout) (\d+)", "".join(re.findall(r"Socket errors:.*", out))))
    return Load(
        count=count,
        rps=float(found(r"Requests/sec:\s+([\d.]+)", out)),
        p50=milliseconds(found(r"\n +50% +(\S+)", out)),
        p99=milliseconds(found(r"\n +99% +(\S+)", out)),
        cpu=1000 * took / max(1, count),
        rss=server.rss(),
        failed=failed,
    )


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk printed something else:\n{text}")
    return match[1]


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[unit]


def load(args: argparse.Namespace, folder: Path, rows: list[Row]) -> None:
    """The load table: rounds in turns, medians over them."""
    measured: dict[tuple[str, int], list[Load]] = {}
    for connections in args.connections:
        for row in rows:  # warm
            drive(args.wrk, script(folder, row), row.server, connections, 1)
        for _ in range(args.rounds):
            for row in rows:
                one = drive(args.wrk, script(folder, row), row.server, connections, max(row.least, args.seconds))
                measured.setdefault((row.name, connections), []).append(one)
    print(f"{'':<26}{'c':>4}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms':>9}{'RSS MiB':>9}{'x LiteLLM':>11}{'failed':>8}")
    for connections in args.connections:
        other = measured.get(("LiteLLM", connections))
        slowest = statistics.median(one.rps for one in other) if other else None
        for row in rows:
            runs = measured[row.name, connections]
            rps, p50, p99, cpu, rss = (
                statistics.median(getattr(one, name) for one in runs) for name in ("rps", "p50", "p99", "cpu", "rss")
            )
            ratio = f"{rps / slowest:>11.1f}" if slowest else f"{'-':>11}"
            lost = sum(one.failed for one in runs)
            print(f"{row.name:<26}{connections:>4}{rps:>12.0f}{p50:>9.2f}{p99:>9.1f}{cpu:>9.2f}{rss:>9.0f}{ratio}{lost:>8}")
        print()
    first = args.connections[0]
    middle = {name: statistics.median(one.p50 for one in runs) for (name, c), runs in measured.items() if c == first}
    for name in ("wager, raw by header", "wager, raw by body"):
        print(f"p50 added by {name} at c={first}: {middle[name] - middle['upstream, direct']:.2f} ms")
    for connections in args.connections:
        cost = {name: statistics.median(one.cpu for one in runs) for (name, c), runs in measured.items() if c == connections}
        more = cost["wager, factual: decided"] - cost["wager, raw by header"]
        print(f"CPU added by detection, policy and journal at c={connections}: {more:.2f} ms")


def first_token(row: Row, connection: socket.socket) -> tuple[float, float]:
    """Milliseconds until the first event with content, and until the end."""
    head = {"host": "localhost", "content-type": "application/json", "content-length": str(len(row.body)), **row.headers}
    lines = "\r\n".join(f"{name}: {value}" for name, value in head.items())
    started = time.perf_counter()
    connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{lines}\r\n\r\n{row.body}".encode())
    seen, first = b"", None
    while not seen.endswith(b"0\r\n\r\n"):
        piece = connection.recv(65536)
        if not piece:
            raise SystemExit(f"{row.name} closed the connection:\n{seen[:500]!r}")
        seen += piece
        if first is None and b'"content":"One' in seen.replace(b'": "', b'":"'):
            first = time.perf_counter()
    if first is None:
        raise SystemExit(f"{row.name} sent no token:\n{seen[:500]!r}")
    return 1000 * (first - started), 1000 * (time.perf_counter() - started)


def stream(args: argparse.Namespace, rows: list[Row]) -> None:
    """The streaming table: one request after the other, in turns."""
    times: dict[str, list[tuple[float, float]]] = {row.name: [] for row in rows}
    cpu = dict.fromkeys(times, 0.0)
    with contextlib.ExitStack() as stack:
        connections = {row.name: stack.enter_context(socket.create_connection(("127.0.0.1", row.server.port), 30)) for row in rows}
        for one in connections.values():
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for row in rows:
            for _ in range(20):
                first_token(row, connections[row.name])
        for _ in range(10):
            for row in rows:
                before = row.server.cpu()
                times[row.name] += [first_token(row, connections[row.name]) for _ in range(max(1, args.streams // 10))]
                cpu[row.name] += row.server.cpu() - before
    direct = statistics.median(first for first, _ in times[rows[0].name])
    print(f"{'':<26}{'streams':>9}{'first token p50 ms':>20}{'added':>8}{'p99':>8}{'end p50':>9}{'CPU ms/stream':>15}")
    for row in rows:
        firsts, ends = sorted(one for one, _ in times[row.name]), [end for _, end in times[row.name]]
        middle = statistics.median(firsts)
        late = firsts[int(0.99 * (len(firsts) - 1))]
        used = 1000 * cpu[row.name] / len(firsts)
        end = statistics.median(ends)
        print(f"{row.name:<26}{len(firsts):>9}{middle:>20.2f}{middle - direct:>8.2f}{late:>8.1f}{end:>9.2f}{used:>15.2f}")


MIXES = {
    "raw": "request = function() return wrk.format('POST', nil, raw, fact) end",
    "decided": "request = function() return wrk.format('POST', nil, own, fact) end",
    "mixed": """
local i = 0
request = function()
  i = i + 1
  if i % 10 == 0 then return wrk.format('POST', nil, own, fact) end
  if i % 10 == 5 then return wrk.format('POST', nil, own, chat) end
  return wrk.format('POST', nil, raw, fact)
end""",
}
"""``mixed``: of ten requests one is decided, one is a stream of smalltalk, eight are passed through."""


def memory(args: argparse.Namespace, folder: Path, server: Server) -> None:
    """Resident memory while requests are counted."""
    path = folder / "memory.lua"
    own = '{["content-type"] = "application/json"}'
    path.write_text(
        f'local own = {own}\nlocal raw = {{["content-type"] = "application/json", ["x-wager-act"] = "raw"}}\n'
        f"local fact = {lua(body(FACT))}\nlocal chat = {lua(body(CHAT, stream=True))}\n{MIXES[args.mix]}\n"
    )
    marks = [one for one in (1_000, 20_000, 50_000, 100_000, 150_000, 200_000, 500_000, 1_000_000) if one <= args.requests]
    done, failed, seen = 0, 0, []
    cpu, started = server.cpu(), time.monotonic()
    print(f"{args.mix} requests, 32 connections\n{'requests':>10}{'RSS MiB':>9}{'seconds':>9}{'CPU ms':>8}")
    while marks:
        rate = done / max(0.1, time.monotonic() - started) if done else 500
        one = drive(args.wrk, path, server, 32, min(20, max(1, (marks[0] - done) / rate)))
        done, failed = done + one.count, failed + one.failed
        if done >= marks[0]:
            marks = [mark for mark in marks if mark > done]
            seconds = time.monotonic() - started
            seen.append((done, server.rss()))
            print(f"{done:>10}{seen[-1][1]:>9.1f}{seconds:>9.0f}{1000 * (server.cpu() - cpu) / done:>8.2f}", flush=True)
        if time.monotonic() - started > args.most_seconds:
            print(f"stopped after {args.most_seconds} s")
            break
    for at, rss in seen[:2]:
        print(f"growth from {at:,} to {seen[-1][0]:,} requests: {100 * (seen[-1][1] / rss - 1):+.1f} %")
    print(f"failed: {failed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("load", "stream", "memory"))
    parser.add_argument("--litellm", type=Path, help="virtual environment that has litellm[proxy]")
    parser.add_argument("--wrk", default="wrk")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=3, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of each row, in turns")
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--most-seconds", type=float, default=280, help="after which the memory run stops")
    parser.add_argument("--mix", choices=tuple(MIXES), default="mixed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        direct = stack.enter_context(upstream(folder))
        wager = stack.enter_context(gateway(folder, direct.port))
        if args.part == "memory":
            memory(args, folder, wager)
            return
        other = stack.enter_context(litellm(folder, args.litellm, direct.port))
        if args.part == "load":
            load(args, folder, rows_of(direct, wager, other))
            return
        streams = [
            Row("upstream, direct", direct, body(CHAT, stream=True)),
            Row("wager, raw by header", wager, body(CHAT, stream=True), PLAIN),
            Row("wager, smalltalk", wager, body(CHAT, stream=True)),
            Row("wager, named transform", wager, body(FACT, stream=True, wager={"kind": "transform"})),
        ]
        stream(args, streams if other is None else [*streams, Row("LiteLLM", other, body(CHAT, stream=True))])


if __name__ == "__main__":
    main()
