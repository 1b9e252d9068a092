"""`wager serve` as a process of its own, as its users run it; all that it prints is kept, so that tests can look for what must not be there."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway_scripted import KEY

POLICY = Path(__file__).parent.parent / "src" / "wager" / "policy" / "embedded.toml"
MODEL = "scripted"

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def error(self) -> Json:
        """The OpenAI error; its shape is checked."""
        error: Json = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert isinstance(error["message"], str)
        assert error["message"]
        assert "\n" not in error["message"]
        assert isinstance(error["type"], str)
        return error

    @property
    def events(self) -> list[Any]:
        """The data of a stream's events, ``[DONE]`` as a text."""
        found = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [one if one == "[DONE]" else json.loads(one) for one in found]


class Process:
    """A gateway that runs."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path, folder: Path) -> None:
        self.process, self.port, self.log, self.folder = process, port, log, folder
        self.heard: list[bytes] = []

    @property
    def url(self) -> str:
        """Up to and with ``/v1``."""
        return f"http://127.0.0.1:{self.port}/v1"

    def ask(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None, seconds: float = 30) -> Reply:
        """One request; everything that comes back is kept in ``heard``."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, data, {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            found = Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        finally:
            connection.close()
        self.heard.append(repr(found.headers).encode() + found.body)
        return found

    def chat(self, prompt: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Reply:
        """One chat request."""
        return self.ask("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": prompt}], **more}, headers=headers)

    def stop(self, signal_number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Ends it; returns its status."""
        self.process.send_signal(signal_number)
        return self.process.wait(seconds)

    def secrets_in(self) -> list[str]:
        """Where the upstream's key was seen, though it must be nowhere."""
        places = [str(path) for path in self.folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
        return places + [repr(one[:200]) for one in self.heard if KEY.encode() in one]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def settings(folder: Path, *urls: str, model: str | None = MODEL, seconds: float = 600.0, **more: Any) -> Path:
    """A settings file, with a policy for the scripted model that reads log-probabilities, and a journal in the folder."""
    (folder / "policy.toml").write_text(POLICY.read_text().replace('"embedded/smollm2-135m-instruct"', f'"{MODEL}"'))
    values: Json = {"port": free_port(), "policy": "policy.toml", "journal": "journal", "logs": "json", "page": False, **more}
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    for url in urls:
        lines += ["[[upstreams]]", f"url = {json.dumps(url)}", 'key_env = "UPSTREAM_KEY"', f"seconds = {float(seconds)}"]
        lines += [f"model = {json.dumps(model)}"] if model else []
    path = folder / "gateway.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def environment() -> dict[str, str]:
    return os.environ | {"UPSTREAM_KEY": KEY, "OMP_NUM_THREADS": "1"}


def command(*options: str | Path) -> list[str]:
    return [sys.executable, "-m", "wager.cli", "serve", *map(str, options)]


@contextlib.contextmanager
def serving(folder: Path, *urls: str, **more: Any) -> Iterator[Process]:
    """A gateway in front of these servers, once it answers; ended with SIGTERM if the test has not ended it."""
    path = settings(folder, *urls, **more)
    port = int(path.read_text().split("port = ")[1].split("\n")[0])
    log = folder / "output.txt"
    with log.open("ab") as out:
        process = subprocess.Popen(
            command("--config", path),
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            env=environment(),
            cwd=folder,
            start_new_session=True,
        )
    try:
        _until_well(process, port, log)
        yield Process(process, port, log, folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _until_well(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 40
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            finally:
                connection.close()
        time.sleep(0.05)
    raise AssertionError(f"the gateway did not start:\n{log.read_text()[-3000:]}")


def ends(folder: Path, *options: str | Path, seconds: float = 40) -> tuple[int, str]:
    """Runs ``wager serve`` that is to end by itself: its status, and the lines that it wrote to standard error."""
    found = subprocess.run(command(*options), capture_output=True, text=True, env=environment(), cwd=folder, timeout=seconds, check=False)
    return found.returncode, found.stderr
