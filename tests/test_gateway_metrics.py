"""What Prometheus and OpenTelemetry are told: counts of all workers, spans after the GenAI conventions, never a prompt."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway_decisions import SECRET, decided, talkative
from wager.errors import OutputError, UsageError
from wager.gateway.metrics import Metrics, share_by
from wager.gateway.traces import NO_SPAN, NO_TRACES, OpenTelemetry, traces

HERE = str(Path(__file__).parent)


def numbers(page: bytes) -> dict[str, float]:
    """The samples of a page, by name with labels."""
    lines = [line for line in page.decode().splitlines() if line and not line.startswith("#") and "_created" not in line]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture
def metrics() -> Metrics:
    pytest.importorskip("prometheus_client")
    return Metrics(routes=["/v1/chat/completions"], kinds=["factual"], upstreams=["main"])


def test_requests_are_counted_by_route_and_status(metrics: Metrics) -> None:
    metrics.request("/v1/chat/completions", 200, 0.3)
    metrics.request("/v1/chat/completions", 429, 0.001)
    metrics.request("/v1/chat/completions", 200, 0.3)
    with metrics.running():
        page, kind = metrics.page()
    found = numbers(page)
    assert kind.startswith("text/plain")
    assert found['wager_requests_total{route="/v1/chat/completions",status="200"}'] == 2
    assert found['wager_requests_total{route="/v1/chat/completions",status="429"}'] == 1
    assert found['wager_request_seconds_bucket{le="0.25",route="/v1/chat/completions"}'] == 1
    assert found['wager_request_seconds_count{route="/v1/chat/completions"}'] == 3
    assert found["wager_requests_in_flight"] == 1
    assert numbers(metrics.page()[0])["wager_requests_in_flight"] == 0


def test_decisions_are_counted_with_unknown_confidence_apart(metrics: Metrics) -> None:
    metrics.decided(decided(confidence=0.25))
    metrics.decided(decided(confidence=0.85, calibration_id=None))
    metrics.decided(decided(act="abstain", confidence=None))
    found = numbers(metrics.page()[0])
    assert found['wager_decisions_total{act="answer",kind="factual"}'] == 2
    assert found['wager_decisions_total{act="abstain",kind="factual"}'] == 1
    assert found['wager_confidence_bucket{calibrated="yes",kind="factual",le="0.2"}'] == 0
    assert found['wager_confidence_bucket{calibrated="yes",kind="factual",le="0.3"}'] == 1
    assert found['wager_confidence_count{calibrated="no",kind="factual"}'] == 1
    assert found['wager_confidence_unknown_total{kind="factual"}'] == 1
    assert found['wager_tokens_total{direction="in"}'] == 90
    assert found['wager_overhead_seconds_bucket{le="0.002"}'] == 0
    assert found['wager_overhead_seconds_bucket{le="0.003"}'] == 3


def test_names_from_outside_make_no_new_series(metrics: Metrics) -> None:
    for number in range(50):
        metrics.request(f"/v1/{number}", 404, 0.1)
        metrics.decided(decided(kind=f'k"{number}\n'))
        metrics.call(f"http://host-{number}", "ok", 0.1)
    found = numbers(metrics.page()[0])
    assert found['wager_requests_total{route="other",status="404"}'] == 50
    assert found['wager_decisions_total{act="answer",kind="other"}'] == 50
    assert found['wager_upstream_calls_total{outcome="ok",upstream="other"}'] == 50


def test_upstreams_and_the_journal_are_seen(metrics: Metrics) -> None:
    metrics.call("main", "ok", 1.5)
    metrics.call("main", "timeout")
    metrics.breaker("main", "open")
    metrics.journal(5, 0)
    metrics.journal(7, 2)
    metrics.journal(7, 1)
    found = numbers(metrics.page()[0])
    assert found['wager_upstream_calls_total{outcome="timeout",upstream="main"}'] == 1
    assert found['wager_upstream_seconds_sum{upstream="main"}'] == 1.5
    assert found['wager_upstream_breaker{upstream="main"}'] == 2
    assert found["wager_journal_written_total"] == 7
    assert found["wager_journal_lost"] == 1


def test_two_sets_of_metrics_do_not_meet() -> None:
    pytest.importorskip("prometheus_client")
    one, other = Metrics(routes=["/a"]), Metrics(routes=["/a"])
    one.request("/a", 200, 0.1)
    assert 'wager_requests_total{route="/a",status="200"}' not in numbers(other.page()[0])


WORKERS = """
import os, sys
from wager.gateway.metrics import Metrics, forget, share_by
share_by(sys.argv[1])
HELD = []

def work(last):
    metrics = Metrics(routes=["/a"], upstreams=["main"])
    for _ in range(3):
        metrics.request("/a", 200, 0.1)
    HELD.append(metrics.running())
    HELD[-1].__enter__()
    metrics.breaker("main", "open" if last else "closed")
    return metrics

for number in range(3):
    pid = os.fork()
    if not pid:
        work(False)
        os._exit(0)
    os.waitpid(pid, 0)
    if number < 2:
        forget(pid)
sys.stdout.write(work(True).page()[0].decode())
"""


def test_any_worker_answers_for_all_and_the_dead_have_nothing_in_flight(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "counter_1.db").write_bytes(b"left by an earlier run")
    done = subprocess.run([sys.executable, "-c", WORKERS, str(tmp_path / "m")], capture_output=True, check=True, timeout=60)
    found = numbers(done.stdout)
    assert found['wager_requests_total{route="/a",status="200"}'] == 12
    assert found['wager_request_seconds_count{route="/a"}'] == 12
    assert found["wager_requests_in_flight"] == 2
    assert found['wager_upstream_breaker{upstream="main"}'] == 2


def test_the_folder_is_chosen_before_the_package_is_imported(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    with pytest.raises(UsageError, match="before prometheus_client is imported"):
        share_by(tmp_path)
    (tmp_path / "file").write_text("")
    code = f"from wager.gateway.metrics import share_by; share_by({str(tmp_path / 'file' / 'x')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert OutputError.__name__ in done.stderr
    assert "cannot be kept" in done.stderr


# Traces


@pytest.fixture
def spans() -> Iterator[tuple[OpenTelemetry, Any]]:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    made = OpenTelemetry(provider, owned=True)
    yield made, exporter
    made.close()


REQUEST = {
    "model": "m", "temperature": 0, "top_p": 0.9, "seed": 7, "n": 2, "stream": True, "max_tokens": True,
    "messages": [{"role": "user", "content": SECRET}],
}  # fmt: skip
RESPONSE = {
    "id": "chatcmpl-1", "model": "m-1", "choices": [{"finish_reason": "stop", "message": {"content": SECRET}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}  # fmt: skip


def test_a_span_has_the_conventions_attributes_and_the_confidence_as_an_evaluation(spans: tuple[OpenTelemetry, Any]) -> None:
    ours, exporter = spans
    with ours.chat("m", REQUEST) as span:
        span.answered(RESPONSE)
        span.decided(talkative(act="look_up"))
    (found,) = exporter.get_finished_spans()
    assert found.name == "chat m"
    assert found.kind.name == "CLIENT"
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.stream": True,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "m-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 4,
        "wager.kind": "factual",
        "wager.target": 0.5,
    }
    assert wanted.items() <= dict(found.attributes).items()
    assert "gen_ai.request.max_tokens" not in found.attributes
    (event,) = found.events
    assert event.name == "gen_ai.evaluation.result"
    assert dict(event.attributes) == {
        "gen_ai.evaluation.name": "confidence",
        "gen_ai.evaluation.score.label": "lookup",
        "gen_ai.evaluation.score.value": 0.8,
    }
    assert SECRET not in found.to_json()


def test_an_unknown_confidence_has_no_score_but_a_reason(spans: tuple[OpenTelemetry, Any]) -> None:
    ours, exporter = spans
    with ours.chat("m", {}) as span:
        span.decided(decided(confidence=None, no_confidence="the reply is empty"))
        span.decided(decided(confidence=None))
    event, without = exporter.get_finished_spans()[0].events
    told = {"gen_ai.evaluation.name": "confidence", "gen_ai.evaluation.score.label": "answer"}
    assert dict(event.attributes) == {**told, "gen_ai.evaluation.explanation": "the reply is empty"}
    assert dict(without.attributes) == told


def test_a_failed_request_has_its_type_and_never_its_message(spans: tuple[OpenTelemetry, Any]) -> None:
    ours, exporter = spans
    with pytest.raises(KeyError), ours.chat("m", {}):
        raise KeyError(SECRET)
    with ours.chat("m", {}) as span:
        span.failed("upstream_error", 502)
    raised, told = exporter.get_finished_spans()
    assert (raised.attributes["error.type"], told.attributes["error.type"]) == ("KeyError", "upstream_error")
    assert {raised.status.status_code.name, told.status.status_code.name} == {"ERROR"}
    assert raised.events == ()
    assert SECRET not in raised.to_json()


def test_a_span_joins_the_callers_trace_and_passes_it_on(spans: tuple[OpenTelemetry, Any]) -> None:
    ours, exporter = spans
    trace = "0af7651916cd43dd8448eb211c80319c"
    sent: dict[str, str] = {}
    with ours.chat("m", {}, {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}) as span:
        span.pass_on(sent)
    (found,) = exporter.get_finished_spans()
    assert f"{found.context.trace_id:032x}" == trace
    assert sent["traceparent"].split("-")[1:3] == [trace, f"{found.context.span_id:016x}"]


@pytest.mark.parametrize(
    "response", [{}, {"choices": None, "usage": 3}, {"choices": [1, {}], "usage": {"prompt_tokens": "many"}, "id": None, "model": 7}]
)
def test_of_an_answer_of_any_shape_only_what_it_says_is_told(spans: tuple[OpenTelemetry, Any], response: dict[str, Any]) -> None:
    ours, exporter = spans
    with ours.chat("m", {"temperature": "hot", "n": None}) as span:
        span.answered(response)
    (found,) = exporter.get_finished_spans()
    assert not [name for name in found.attributes if ".response." in name or ".usage." in name]
    assert "gen_ai.request.temperature" not in found.attributes


@pytest.mark.parametrize(
    "environment",
    [{}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"}],
)
def test_without_an_exporter_nothing_is_imported(environment: dict[str, str]) -> None:
    code = (
        "import sys; from wager.gateway.traces import NO_TRACES, traces; assert traces() is NO_TRACES; "
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry', 'starlette', 'prometheus'))]"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    subprocess.run([sys.executable, "-c", code], check=True, env={**kept, **environment}, timeout=60)


def test_no_traces_takes_everything_and_does_nothing() -> None:
    sent: dict[str, str] = {}
    with NO_TRACES.chat("m", REQUEST) as span:
        assert span is NO_SPAN
        span.answered(RESPONSE)
        span.decided(decided())
        span.failed("x", 500)
        span.pass_on(sent)
    NO_TRACES.close()
    assert sent == {}


def test_an_exporter_that_the_environment_names_gets_the_spans(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    code = """
import http.server, os, threading
got = []
class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200); self.send_header("content-length", "0"); self.end_headers()
    def log_message(self, *arguments): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = "none"
from wager.gateway.traces import traces
ours = traces()
with ours.chat("embedded", {}) as span: pass
ours.close()
server.shutdown()
(path, body), = got
assert path == "/v1/traces" and b"chat embedded" in body and b"gen_ai.operation.name" in body, got
"""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    subprocess.run([sys.executable, "-c", code], check=True, env=kept, timeout=60)


def test_the_host_programs_provider_is_used(spans: tuple[OpenTelemetry, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    assert traces(environment={}) is NO_TRACES
    provider = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    assert isinstance(traces(environment={}), OpenTelemetry)
