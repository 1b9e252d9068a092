"""The OpenAPI description against the running gateway: Schemathesis makes requests from it, right ones and wrong ones."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_process import Process, serving
from gateway_scripted import Scripted

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,negative_data_rejection,unsupported_method"
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with Scripted().running() as model, serving(tmp_path_factory.mktemp("gateway"), model.url) as running:
        yield running


def test_every_route_answers_as_it_is_described(gateway: Process, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    options = ["--max-examples", "10", "--seed", "1", "--phases", "examples,coverage,fuzzing", "--checks", CHECKS, "--max-time", "25"]
    options += ["--suppress-health-check", "all", "--generation-database", "none", "--no-color", "--continue-on-failure"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{gateway.port}/openapi.json", *options]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    log = gateway.log.read_text()
    assert "Traceback" not in log
    assert '"level": "error"' not in log
    asked = [json.loads(line) for line in log.splitlines() if '"route"' in line]
    assert len(asked) > 300
    assert gateway.chat("Still there?", wager={"kind": "smalltalk"}).status == 200


def test_every_route_that_answers_is_described(gateway: Process) -> None:
    described = gateway.ask("GET", "/openapi.json").json
    assert described["openapi"].startswith("3.")
    routes = {json.loads(line)["route"] for line in gateway.log.read_text().splitlines() if '"route"' in line}
    paths = {path.replace("{name}", "{name:path}") for path in described["paths"]} | set(described["paths"])
    assert routes <= paths | {"/", "/openapi.json"}
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/models", "/v1/embeddings", "/v1/feedback", "/v1/wager/decisions/{id}"):
        assert path in described["paths"]
