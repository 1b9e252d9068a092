"""OpenTelemetry spans of model calls, after the GenAI conventions (in development: open-telemetry/semantic-conventions-genai).

A span ``chat MODEL`` for each request; how sure the gateway is stands in its event ``gen_ai.evaluation.result``. No prompt, answer or key
is ever in a span. Tracing is on where the environment names an exporter (``OTEL_TRACES_EXPORTER``, ``OTEL_EXPORTER_OTLP_ENDPOINT``) or
the host program has set a tracer provider; otherwise nothing is imported, and each call here costs a function call.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from wager.errors import MissingExtraError
from wager.gateway.decision import Decided, usage_of

__all__ = ["NO_SPAN", "NO_TRACES", "OpenTelemetry", "Span", "Traces", "traces"]

NAMED = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

REQUEST = {
    "temperature": ("gen_ai.request.temperature", float),
    "top_p": ("gen_ai.request.top_p", float),
    "seed": ("gen_ai.request.seed", int),
    "n": ("gen_ai.request.choice.count", int),
    "max_tokens": ("gen_ai.request.max_tokens", int),
    "max_completion_tokens": ("gen_ai.request.max_tokens", int),
}
"""Attributes of a request's numbers."""

LABELS = {"look_up": "lookup"}
"""Acts whose label differs from their name."""


class Span(Protocol):
    """One request, as it is told to a tracer."""

    def answered(self, response: Mapping[str, Any]) -> None:
        """The model's (or the gateway's) chat completion."""
        ...

    def decided(self, decided: Decided) -> None:
        """What was done with it."""
        ...

    def failed(self, kind: str, status: int) -> None:
        """An error: its OpenAI type, never its message."""
        ...

    def pass_on(self, headers: MutableMapping[str, str]) -> None:
        """Adds ``traceparent`` to the headers of a call."""
        ...


class Traces(Protocol):
    """Makes spans."""

    def chat(self, model: str, request: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> AbstractContextManager[Span]:
        """A span around one request; ``headers`` (lower case) may name the caller's span."""
        ...

    def close(self) -> None:
        """Sends what waits."""
        ...


class _NoSpan:
    def answered(self, response: Mapping[str, Any]) -> None: ...

    def decided(self, decided: Decided) -> None: ...

    def failed(self, kind: str, status: int) -> None: ...

    def pass_on(self, headers: MutableMapping[str, str]) -> None: ...


NO_SPAN: Span = _NoSpan()
"""Tells nobody."""


class _NoTraces:
    def chat(self, model: str, request: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> AbstractContextManager[Span]:
        return contextlib.nullcontext(NO_SPAN)

    def close(self) -> None: ...


NO_TRACES: Traces = _NoTraces()
"""Makes none."""


def traces(*, server: str = "openai", environment: Mapping[str, str] | None = None) -> Traces:
    """What the environment asks for: spans, or `NO_TRACES`.

    Args:
        server: ``gen_ai.provider.name``: ``openai`` for a server of that interface, ``wager`` for the embedded model.
        environment: default that of the process.

    Raises:
        MissingExtraError: an exporter is named, and OpenTelemetry is not there.
    """
    values = os.environ if environment is None else environment
    if values.get("OTEL_SDK_DISABLED", "").lower() == "true" or values.get("OTEL_TRACES_EXPORTER") == "none":
        return NO_TRACES
    if any(values.get(name) for name in NAMED):
        return OpenTelemetry(_exporting(), server=server, owned=True)
    if "opentelemetry.sdk.trace" in sys.modules:  # imported by the host program, which may have set a provider
        from opentelemetry import trace

        provider = trace.get_tracer_provider()
        if isinstance(provider, sys.modules["opentelemetry.sdk.trace"].TracerProvider):
            return OpenTelemetry(provider, server=server)
    return NO_TRACES


def _exporting() -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtraError("opentelemetry-exporter-otlp-proto-http", "traces", "sending traces to OpenTelemetry") from error
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "wager")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class OpenTelemetry:
    """Spans of a tracer provider."""

    def __init__(self, provider: Any, *, server: str = "openai", owned: bool = False) -> None:
        """``owned``: `close` shuts the provider down too."""
        from wager import __version__

        self._provider, self._server, self._owned = provider, server, owned
        self._tracer = provider.get_tracer("wager.gateway", __version__)

    @contextlib.contextmanager
    def chat(self, model: str, request: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Iterator[Span]:
        """See `Traces`."""
        from opentelemetry import trace
        from opentelemetry.propagate import extract

        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self._server,
            "gen_ai.request.model": model,
            "gen_ai.request.stream": bool(request.get("stream")),
        }
        for name, (attribute, kind) in REQUEST.items():
            value = request.get(name)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                attributes[attribute] = kind(value)
        context = extract(headers) if headers else None
        with self._tracer.start_as_current_span(
            f"chat {model}",
            context=context,
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,  # a message may quote a prompt
            set_status_on_exception=False,
        ) as span:
            try:
                yield _Telling(span)
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(trace.StatusCode.ERROR)
                raise

    def close(self) -> None:
        """See `Traces`."""
        if self._owned:
            self._provider.shutdown()


class _Telling:
    """A span that somebody reads."""

    def __init__(self, span: Any) -> None:
        self._span = span

    def answered(self, response: Mapping[str, Any]) -> None:
        choices = response.get("choices")
        given = [one.get("finish_reason") for one in choices if isinstance(one, dict)] if isinstance(choices, list) else []
        texts = {"gen_ai.response.id": response.get("id"), "gen_ai.response.model": response.get("model")}
        read, written = usage_of(response)
        counts = {"gen_ai.usage.input_tokens": read, "gen_ai.usage.output_tokens": written}
        self._span.set_attributes({name: value for name, value in texts.items() if isinstance(value, str)})
        self._span.set_attributes({name: value for name, value in counts.items() if value is not None})
        if ends := [one for one in given if isinstance(one, str)]:
            self._span.set_attribute("gen_ai.response.finish_reasons", ends)

    def decided(self, decided: Decided) -> None:
        own = {
            "wager.decision.id": decided.id,
            "wager.kind": decided.kind,
            "wager.act": decided.act,
            "wager.policy": decided.policy,
            "wager.target": decided.target,
            "wager.threshold": decided.threshold,
            "wager.calibration_id": decided.calibration_id,
            "wager.confidence.source": decided.source,
        }
        self._span.set_attributes({name: value for name, value in own.items() if value is not None})
        told: dict[str, Any] = {
            "gen_ai.evaluation.name": "confidence",
            "gen_ai.evaluation.score.label": LABELS.get(decided.act, decided.act),
        }
        if decided.confidence is not None:
            told["gen_ai.evaluation.score.value"] = decided.confidence
        elif decided.no_confidence:
            told["gen_ai.evaluation.explanation"] = decided.no_confidence
        self._span.add_event("gen_ai.evaluation.result", told)

    def failed(self, kind: str, status: int) -> None:
        from opentelemetry.trace import StatusCode

        self._span.set_attributes({"error.type": kind, "http.response.status_code": status})
        self._span.set_status(StatusCode.ERROR)

    def pass_on(self, headers: MutableMapping[str, str]) -> None:
        from opentelemetry.propagate import inject
        from opentelemetry.trace import set_span_in_context

        inject(headers, context=set_span_in_context(self._span))
