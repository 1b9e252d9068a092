"""What goes wrong around a gateway, with real processes: the model's server, the clients, signals, the disk. The table is in
``docs/gateway-faults.md``."""

import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway_process import MODEL, POLICY, Process, ends, free_port, serving, settings
from gateway_scripted import KEY, Scripted

FACT = {"kind": "factual"}
CHAT = {"kind": "smalltalk"}
RAW = {"x-wager-act": "raw"}
HASTY = 0.5
"""Seconds that the hasty gateway gives its model."""


@pytest.fixture(scope="module")
def model() -> Iterator[Scripted]:
    with Scripted().running() as server:
        yield server


@pytest.fixture(scope="module")
def hasty(model: Scripted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A gateway with short limits, so that they are reached."""
    folder = tmp_path_factory.mktemp("hasty")
    with serving(folder, model.url, seconds=HASTY, body_seconds=1.0, largest_body=100_000) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def patient(model: Scripted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A gateway with the usual limits: what ends soon was ended by something else."""
    with serving(tmp_path_factory.mktemp("patient"), model.url) as gateway:
        yield gateway


def well(gateway: Process) -> None:
    """It still answers, which also closes the breaker."""
    assert gateway.chat("Are you well?", wager=CHAT).json["choices"][0]["message"]["content"] == "Paris"


WHOLE = {
    "hang": (504, "upstream_timeout"),
    "reset": (502, "upstream_closed"),
    "half": (502, "upstream_closed"),
    "bad-json": (502, "upstream_invalid"),
    "bad-utf8": (502, "upstream_invalid"),
    "no-choices": (502, "upstream_invalid"),
    "page": (502, "upstream_failed"),
    "page-200": (502, "upstream_invalid"),
    "failing": (502, "upstream_failed"),
    "throttled": (429, "rate_limit_exceeded"),
    "refusing": (400, None),
    "bad-key": (502, "upstream_key"),
    "huge": (502, "upstream_too_large"),
}


@pytest.mark.parametrize("fault", WHOLE)
def test_a_model_that_fails_is_an_error_in_openais_shape(hasty: Process, fault: str) -> None:
    reply = hasty.chat(f"What is the capital of France? [[{fault}]]", wager=FACT)
    assert (reply.status, reply.error["code"]) == WHOLE[fault]
    assert "<" not in reply.error["message"]
    assert "x-request-id" in reply.headers
    well(hasty)


@pytest.mark.parametrize("fault", ["hang", "reset", "page-200", "failing", "throttled", "bad-key"])
@pytest.mark.parametrize("way", ["at once", "buffered", "raw"])
def test_a_stream_that_fails_before_its_first_token_is_an_ordinary_error(hasty: Process, fault: str, way: str) -> None:
    options = {"at once": CHAT, "buffered": FACT, "raw": {"act": "raw"}}[way]
    reply = hasty.chat(f"Stream, {way}. [[{fault}]]", wager=options, stream=True)
    if (fault, way) == ("page-200", "raw"):
        assert reply.status == 200  # passed through unread
    elif (fault, way) == ("hang", "buffered") and reply.status == 200:  # it was thinking so long that the stream had begun
        assert reply.events[-1]["error"]["code"] == "upstream_timeout"
    else:
        assert (reply.status, reply.error["code"]) == WHOLE[fault]
    well(hasty)


MIDWAY = {
    "error-midway": "worker_died",
    "reset-midway": "upstream_closed",
    "half-chunk": "upstream_closed",
    "garbage-midway": "upstream_invalid",
    "hang-midway": "upstream_timeout",
}


@pytest.mark.parametrize("fault", MIDWAY)
def test_a_stream_that_fails_midway_ends_with_one_error_event(hasty: Process, fault: str) -> None:
    reply = hasty.chat(f"Hello! [[{fault}]]", wager=CHAT, stream=True)
    *tokens, last = reply.events
    assert reply.status == 200
    assert "".join(one["choices"][0]["delta"]["content"] for one in tokens) == "Paris is"
    assert set(last) == {"error"}
    assert last["error"]["code"] == MIDWAY[fault]
    assert reply.body.endswith(b"\n\n")
    well(hasty)


@pytest.mark.parametrize("fault", ["reset-midway", "half-chunk"])
def test_a_raw_stream_that_breaks_off_never_glues_the_error_to_half_an_event(hasty: Process, fault: str) -> None:
    reply = hasty.chat(f"Hello! [[{fault}]]", wager={"act": "raw"}, stream=True)
    *tokens, last = reply.events  # each parses
    assert [one["choices"][0]["delta"]["content"] for one in tokens] == ["Paris", " is"]
    assert last["error"]["code"] == "upstream_closed"
    well(hasty)


def test_a_model_that_is_throttled_says_when_to_come_back(hasty: Process, model: Scripted) -> None:
    reply = hasty.chat("When? [[throttled]]", wager=FACT)
    assert (reply.status, reply.headers["retry-after"]) == (429, "33")
    assert len(model.about("When?")) == 1  # 33 s are more than a request waits, so nobody asked again


@pytest.mark.parametrize(("fault", "calls"), [("throttled-once", 2), ("failing-twice", 3)])
def test_what_passes_by_is_tried_again(hasty: Process, model: Scripted, fault: str, calls: int) -> None:
    prompt = f"Again? [[{fault}]]"
    assert hasty.chat(prompt, wager=FACT).status == 200
    assert len(model.about(prompt)) == calls


def test_a_refused_request_is_not_tried_again(hasty: Process, model: Scripted) -> None:
    assert hasty.chat("Once only. [[refusing]]", wager=FACT).error["message"] == "max_tokens is too large"
    assert len(model.about("Once only.")) == 1


def test_a_model_out_of_order_is_left_alone_and_the_next_one_asked(model: Scripted, tmp_path: Path) -> None:
    with serving(tmp_path, f"http://127.0.0.1:{free_port()}/v1", model.url) as gateway:
        for _ in range(8):
            assert gateway.chat("Who answers?", wager=FACT).status == 200
        broken = [gateway.chat("Nobody. [[failing]]", wager=FACT) for _ in range(4)]
        assert broken[0].status == 502
        assert (broken[-1].status, broken[-1].error["code"]) == (503, "upstream_unavailable")
        assert 1 <= int(broken[-1].headers["retry-after"]) <= 20
        assert gateway.ask("GET", "/healthz").status == 200
        assert gateway.secrets_in() == []


# -- clients ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "param", "words"),
    [
        ({"targett": 0.5}, "wager.targett", "target, kind, act, why, dials"),
        ({"target": 1.0}, "wager.target", "[0, 1)"),
        ({"target": "high"}, "wager.target", "[0, 1)"),
        ({"kind": 3}, "wager.kind", "kind of task"),
        ({"kind": "factua"}, "wager.kind", "factual"),
        ({"act": "cook"}, "wager.act", "'raw'"),
        ({"why": 1}, "wager.why", "true or false"),
        ({"dials": {"truth": 7}}, "wager.dials", "[-1, 1]"),
        (7, "wager", "an object"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(hasty: Process, options: object, param: str, words: str) -> None:
    reply = hasty.chat("Hello", wager=options)
    assert reply.status == 400
    assert reply.error["param"] == param
    assert words in reply.error["message"]


@pytest.mark.parametrize(
    "body",
    [b'{"stream": tru', b'["stream"]', b'"stream"', b"\xff\xfe", b"[" * 5000, b'{"messages": [{"role": "user", "content": "\\ud800"}]}'],
)
@pytest.mark.parametrize("headers", [{}, RAW], ids=["decided", "raw"])
def test_a_body_that_is_no_request_is_the_clients_error(hasty: Process, body: bytes, headers: dict[str, str]) -> None:
    reply = hasty.ask("POST", "/v1/chat/completions", body, headers=headers)
    if headers and b"ud800" in body:  # a server that reads it may answer
        return
    assert reply.status == 400
    assert reply.error["type"] == "invalid_request_error"


def test_a_body_that_is_too_large_is_refused(hasty: Process) -> None:
    assert hasty.ask("POST", "/v1/chat/completions", b"x" * 100_001).error["code"] == "request_too_large"
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    assert (
        b" 413 " in spoken(hasty, head + b"10000\r\n" + b"x" * 65536 + b"\r\n10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n").split(b"\r\n")[0]
    )
    assert hasty.ask("POST", "/v1/chat/completions", b"x" * 100_000).status == 400


def test_too_many_headers_and_too_long_ones_are_refused(hasty: Process) -> None:
    assert hasty.ask("POST", "/v1/chat/completions", b"{}", headers={f"x-{number}": "1" for number in range(101)}).status == 431
    assert hasty.ask("POST", "/v1/chat/completions", b"{}", headers={"x-long": "1" * 33_000}).status == 431


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"0x10", b"9" * 30])
def test_a_length_that_is_none_is_refused(hasty: Process, length: bytes) -> None:
    got = spoken(hasty, b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: " + length + b"\r\n\r\n{}")
    assert got.split(b" ")[1] in (b"400", b"413")


def test_a_client_that_drips_is_told_so(hasty: Process) -> None:
    got = spoken(hasty, b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{", drip=b" ")
    assert got.startswith(b"HTTP/1.1 408 ")
    assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]["message"]


def spoken(gateway: Process, data: bytes, *, drip: bytes = b"") -> bytes:
    """What comes back for raw bytes, until the server closes or says no more for two seconds."""
    with socket.create_connection(("127.0.0.1", gateway.port), 2) as connection:
        connection.sendall(data)
        got = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(8 if drip else 0):
                connection.settimeout(0.2)
                try:
                    got += connection.recv(65536)
                    break
                except TimeoutError:
                    connection.sendall(drip)
            connection.settimeout(2)
            while piece := connection.recv(65536):
                got += piece
                head, _, body = got.partition(b"\r\n\r\n")
                if b"content-length: %d" % len(body) in head.lower():
                    break
        return got


def leaving(gateway: Process, body: object, *, headers: bytes = b"", after: bytes = b"") -> None:
    """A client that asks, waits until it has heard ``after``, and goes away."""
    data = json.dumps(body).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n" + headers + b"content-length: %d\r\n\r\n" % len(data)
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as connection:
        connection.sendall(head + data)
        got = b""
        while after not in got:
            got += connection.recv(65536)
        time.sleep(0 if after else 0.3)


@pytest.mark.parametrize("way", ["decided", "raw", "buffered stream", "stream", "raw stream"])
def test_the_models_work_ends_when_the_client_goes_away(patient: Process, model: Scripted, way: str) -> None:
    options = {"raw": {"act": "raw"}, "raw stream": {"act": "raw"}, "stream": CHAT}.get(way, FACT)
    midway = way in ("stream", "raw stream")
    prompt = f"Gone, {way}. [[{'hang-midway' if midway else 'hang'}]]"
    body = {"messages": [{"role": "user", "content": prompt}], "wager": options, "stream": "stream" in way}
    leaving(patient, body, after=b" is" if midway else b"")
    assert model.wait_for(f"Gone, {way}.").gone.wait(5)
    well(patient)


def test_ten_thousand_idle_connections_keep_nobody_from_being_served(model: Scripted, tmp_path: Path) -> None:
    wanted = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted + 500:
        pytest.skip(f"a process may open {hard} files here, and this needs {wanted + 500}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 500), hard))
    try:
        with serving(tmp_path, model.url) as gateway, contextlib.ExitStack() as stack:
            for _ in range(wanted):
                stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), 10))
            well(gateway)
            with ThreadPoolExecutor(8) as pool:
                assert {one.status for one in pool.map(lambda _: gateway.chat("Hello", wager=CHAT), range(50))} == {200}
            open_now = len(os.listdir(f"/proc/{gateway.process.pid}/fd"))  # noqa: PTH208
            assert open_now > wanted
            stack.close()
            end = time.monotonic() + 10
            while (left := len(os.listdir(f"/proc/{gateway.process.pid}/fd"))) > 100 and time.monotonic() < end:  # noqa: PTH208
                time.sleep(0.1)
            assert left <= 100
            well(gateway)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- life and death ---------------------------------------------------------------------------------------------------------------------


def kept(folder: Path) -> set[str]:
    """Ids in the journal."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'journal' / 'journal.sqlite'}?mode=ro", uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM wager_decisions")}


def test_sigterm_lets_a_running_stream_finish(model: Scripted, tmp_path: Path) -> None:
    with serving(tmp_path, model.url) as gateway:
        data = json.dumps({"messages": [{"role": "user", "content": "Count. [[slow]]"}], "stream": True, "wager": CHAT}).encode()
        with socket.create_connection(("127.0.0.1", gateway.port), 20) as connection:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(data) + data)
            got = b""
            while b'"0 "' not in got:
                got += connection.recv(65536)
            gateway.process.send_signal(signal.SIGTERM)
            while piece := connection.recv(65536):
                got += piece
        assert b'"11 "' in got
        assert b"data: [DONE]" in got
        gateway.process.wait(10)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", gateway.port), 2)
        last = json.loads(next(line[6:] for line in got.split(b"\n") if b'"wager"' in line))
        assert last["wager"]["id"] in kept(tmp_path)


def test_kill_9_loses_no_decision_that_a_client_has_seen(model: Scripted, tmp_path: Path) -> None:
    ids: list[str] = []
    with serving(tmp_path, model.url) as gateway:

        def ask() -> None:
            with contextlib.suppress(OSError, ValueError, KeyError, http.client.HTTPException):  # cut off in the middle of a reply
                while True:
                    ids.append(gateway.chat("What is the capital of France?", wager=FACT).json["wager"]["id"])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for one in threads:
            one.start()
        while len(ids) < 200:
            time.sleep(0.01)
        os.killpg(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait(10)
        for one in threads:
            one.join(20)
    assert len(ids) >= 200
    assert set(ids) <= kept(tmp_path)
    with serving(tmp_path, model.url) as gateway:  # and a new one goes on with what is there
        assert gateway.ask("GET", f"/v1/wager/decisions/{ids[-1]}").json["id"] == ids[-1]
        new = gateway.chat("What is the capital of France?", wager=FACT).json["wager"]["id"]
    assert set(ids) | {new} <= kept(tmp_path)


def children(pid: int) -> set[int]:
    return {int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()}


def workers(pid: int) -> set[int]:
    """Child processes that serve, without multiprocessing's own helper."""
    return {one for one in children(pid) if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()}


def test_two_workers_share_port_and_journal_and_one_that_dies_is_replaced(model: Scripted, tmp_path: Path) -> None:
    with serving(tmp_path, model.url, workers=2) as gateway:
        with ThreadPoolExecutor(8) as pool:
            ids = {one.json["wager"]["id"] for one in pool.map(lambda _: gateway.chat("Capital?", wager=FACT), range(40))}
        assert len(ids) == 40
        assert ids <= kept(tmp_path)
        listed = {
            one["wager"]["id"] if "wager" in one else one["id"] for one in gateway.ask("GET", "/v1/wager/decisions?limit=200").json["data"]
        }
        assert ids <= listed
        before = workers(gateway.process.pid)
        assert len(before) == 2
        os.kill(min(before), signal.SIGKILL)
        end = time.monotonic() + 20
        while (now := workers(gateway.process.pid)) == before or len(now) < 2:
            assert time.monotonic() < end
            time.sleep(0.1)
        well(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait(20)
        assert not [one for one in now if Path(f"/proc/{one}").exists()]


@pytest.mark.parametrize("wrong", ["no server", "port taken", "no policy", "policy", "threshold", "no key"])
def test_what_cannot_start_says_why_in_one_line(model: Scripted, tmp_path: Path, wrong: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"http://127.0.0.1:{free_port()}/v1"
        more = {"port taken": {"port": taken.getsockname()[1]}, "no server": {"model": None}, "no policy": {"policy": "none.toml"}}.get(
            wrong, {}
        )
        path = settings(tmp_path, dead if wrong == "no server" else model.url, **more)
        text = POLICY.read_text().replace('"embedded/smollm2-135m-instruct"', f'"{MODEL}"')
        if wrong == "policy":
            (tmp_path / "policy.toml").write_text(text.replace("target = 0.5 ", "target = 1.5 "))
        if wrong == "threshold":
            (tmp_path / "policy.toml").write_text(text.replace("threshold = 0.2624394300027291", "threshold = 0.9999"))
        if wrong == "no key":
            path.write_text(path.read_text().replace("UPSTREAM_KEY", "UPSTREAM_KEY_NOT_SET"))
        status, said = ends(tmp_path, "--config", path)
    assert status == 2
    last = said.strip().splitlines()[-1]
    assert last.startswith("wager: ")
    assert "Traceback" not in said
    words = {"no server": "start the server there", "port taken": "port", "no policy": "cannot be read", "policy": "[0, 1)"}
    assert (words | {"threshold": "lies above all 259", "no key": "UPSTREAM_KEY_NOT_SET"})[wrong] in last


def test_the_upstreams_key_is_in_no_response_no_log_and_no_file(hasty: Process, model: Scripted) -> None:
    for fault in ("echo", "bad-key", "throttled"):
        for stream in (False, True):
            for options in (FACT, CHAT, {"act": "raw"}):
                hasty.chat(f"Tell me your key. [[{fault}]]", wager=options, stream=stream)
            well(hasty)
    for path in ("/metrics", "/v1/models", "/v1/wager/policy", "/v1/wager/summary", "/v1/wager/decisions", "/openapi.json", "/readyz"):
        assert hasty.ask("GET", path).status == 200
    sent = [one.headers.get("authorization") for one in model.about("Tell me your key.")]
    assert sent
    assert set(sent) == {f"Bearer {KEY}"}
    assert hasty.secrets_in() == []
    log = hasty.log.read_text()
    assert '"route": "/v1/chat/completions"' in log
    assert "Traceback" not in log
    assert '"level": "error"' not in log
