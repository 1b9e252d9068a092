"""The whole gateway in this process, in front of a model whose answers a test writes; all but the model is real.

`Ruled` stands where a model's server stands: it answers by what the conversation says and keeps what it was asked. `inside` runs the real
ASGI application on it, with the packaged detector, a policy, and a journal on disk.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from wager.detection.detector import Detector
from wager.gateway.answering import Answering
from wager.gateway.app import Gateway, application
from wager.gateway.journal import SqliteJournal
from wager.gateway.keys import Keys
from wager.gateway.limits import MemoryLimits
from wager.gateway.metrics import Metrics
from wager.gateway.personal import HANDOVER
from wager.gateway.settings import Settings
from wager.gateway.upstream import Answered, Capabilities, UpstreamError
from wager.gateway.wire import text_of
from wager.lookup.passages import Lookup
from wager.policy.calibration import Calibration
from wager.policy.calibrators import calibrator_from
from wager.policy.knobs import DEFAULT_KNOBS, Knobs
from wager.policy.policy import Policy, Rule

Json = dict[str, Any]

MODEL = "scripted/one"
ABLE = Capabilities(logprobs=True, top_logprobs=True, temperature=True)
SAME = {"kind": "beta", "a": 1.0, "b": 1.0, "c": 0.0, "clip": 1e-9}
"""ln s - ln(1 - s): the calibrated probability is the confidence itself."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One reply of the model."""

    text: str | None = ""
    sure: float | None = 0.9
    """Joint probability of its tokens; None: the server gives no log-probabilities."""
    calls: tuple[Json, ...] = ()
    refusal: str | None = None
    top: Mapping[str, float] = field(default_factory=dict)
    """The likeliest first tokens, for P(True)."""


Reply = Said | str | UpstreamError | Sequence["Said | str | UpstreamError"] | Callable[[Json], "Said | str"]


def conversation(request: Json) -> str:
    """All that a model was told."""
    return "\n".join(text_of(one) for one in request["messages"])


class Ruled:
    """A model's server in this process: the first rule whose text stands in the conversation gives the reply.

    Args:
        rules: a text to a reply; several replies are given one after the other, the last one from then on. ``""`` fits all.
        capabilities: as a probe would find them.
    """

    model = MODEL

    def __init__(self, rules: Mapping[str, Reply], *, capabilities: Capabilities = ABLE) -> None:
        self.rules, self.found = rules, capabilities
        self.asked: list[Json] = []
        self._turns: dict[str, int] = {}

    def reply(self, request: Json) -> Said:
        """What the rules say to a request."""
        told = conversation(request)
        wanted = next((text for text in self.rules if text in told), None)
        assert wanted is not None, f"no rule for {told!r}"
        found = self.rules[wanted]
        if callable(found):
            found = found(request)
        elif not isinstance(found, Said | str | UpstreamError):
            turn = self._turns.get(wanted, 0)
            self._turns[wanted] = turn + 1
            found = found[min(turn, len(found) - 1)]
        if isinstance(found, UpstreamError):
            raise found
        return Said(text=found) if isinstance(found, str) else found

    async def start(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def healthy(self) -> bool:
        """Always."""
        return True

    async def capabilities(self) -> Capabilities:
        """As told."""
        return self.found

    async def chat(self, request: Json) -> Json:
        """One response."""
        self.asked.append(request)
        choices = [self._choice(self.reply(request), request, index) for index in range(request.get("n") or 1)]
        return {**self._head(), "object": "chat.completion", "choices": choices, "usage": USAGE}

    async def stream(self, request: Json) -> AsyncIterator[Json]:
        """The chunks of a response, one a word."""
        self.asked.append(request)
        said = self.reply(request)
        whole = self._choice(said, request, 0)
        tokens = (whole.get("logprobs") or {}).get("content") or []
        for place, word in enumerate(_words(said.text or "")):
            logprobs = {"content": tokens[place : place + 1]} if tokens else None
            yield self._chunk({"role": "assistant", "content": word}, logprobs=logprobs)
        if said.calls:
            yield self._chunk({"tool_calls": [{"index": place, **one} for place, one in enumerate(said.calls)]})
        yield self._chunk({}, finish="tool_calls" if said.calls else "stop")
        if (request.get("stream_options") or {}).get("include_usage"):
            yield {**self._head(), "object": "chat.completion.chunk", "choices": [], "usage": USAGE}

    async def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        """What was sent, for requests that are passed through."""
        self.asked.append({"path": path, **json.loads(body or b"{}")})
        told = {"method": method, "path": path, "body": json.loads(body or b"null")}
        return Answered(status=200, body=json.dumps(told).encode(), headers={"content-type": "application/json"})

    async def send_stream(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """One event."""
        self.asked.append({"path": path, **json.loads(body or b"{}")})
        yield b'data: {"raw": true}\n\n'
        yield b"data: [DONE]\n\n"

    def _head(self) -> Json:
        return {"id": f"chatcmpl-{len(self.asked)}", "created": 1_700_000_000, "model": self.model}

    def _chunk(self, delta: Json, *, finish: str | None = None, logprobs: Json | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        return {**self._head(), "object": "chat.completion.chunk", "choices": [choice]}

    def _choice(self, said: Said, request: Json, index: int) -> Json:
        message: Json = {"role": "assistant", "content": said.text}
        if said.calls:
            message["tool_calls"] = list(said.calls)
        if said.refusal:
            message["refusal"] = said.refusal
        choice: Json = {"index": index, "message": message, "finish_reason": "tool_calls" if said.calls else "stop"}
        if request.get("logprobs") and said.sure is not None and self.found.logprobs:
            choice["logprobs"] = {"content": _tokens(said)}
        return choice


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [word if place == 0 else f" {word}" for place, word in enumerate(words)]


def _tokens(said: Said) -> list[Json]:
    """Equally likely tokens whose probabilities multiply to ``sure``."""
    words = _words(said.text or "")
    each = math.log(said.sure or 1.0) / len(words)
    top = [{"token": token, "logprob": math.log(sure)} for token, sure in said.top.items()]
    return [{"token": word, "logprob": each, "top_logprobs": top if place == 0 else []} for place, word in enumerate(words)]


# -- policies ---------------------------------------------------------------------------------------------------------------------


def calibration(source: str = "logprob", *, model: str = MODEL, values: Mapping[str, Any] = SAME, **changes: Any) -> Calibration:
    """One that leaves a confidence as it is."""
    given: dict[str, Any] = {
        "calibrator": calibrator_from(values),
        "source": source,
        "model": model,
        "tasks": ("exam",),
        "n": 100,
        "n_wrong": 40,
        "data": "0" * 16,
        "made": "2026-01-31",
        "reason": "hand-made",
        "log_loss_before": 0.7,
        "log_loss_after": 0.6,
        "ece_before": 0.2,
        "ece_after": 0.1,
        "spread": (0.1, 0.0, 0.1),
    }
    return Calibration(**{**given, **changes})


def policy(*, sources: Sequence[str] = ("logprob",), model: str = MODEL, knobs: Mapping[str, Knobs] | None = None, **rule: Any) -> Policy:
    """Answers above a probability of 0.5, unless told otherwise; confidences are probabilities already."""
    given = {"target": 0.5, "source": sources[0], "calibration": sources[0], "next_step": "Ask a librarian.", **rule}
    calibrations = {source: calibration(source, model=model) for source in sources}
    return Policy(model=model, made="2026-01-31", rules={"default": Rule(**given)}, calibrations=calibrations, knobs=dict(knobs or {}))


def knobs(kind: str, **changes: Any) -> dict[str, Knobs]:
    """The knobs of one kind, some of them changed."""
    return {kind: Knobs(**{**DEFAULT_KNOBS[kind].to_dict(), **changes})}


# -- the gateway ------------------------------------------------------------------------------------------------------------------


@cache
def detector() -> Detector:
    """The packaged one, loaded once."""
    return Detector.load()


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def json(self) -> Json:
        found = json.loads(self.data)
        assert isinstance(found, dict)
        return found

    @property
    def text(self) -> str:
        """What was said."""
        assert self.status == 200, self.data
        return str(self.json["choices"][0]["message"]["content"])

    @property
    def wager(self) -> Json:
        """What the gateway knows of it."""
        assert self.status == 200, self.data
        found = self.json["wager"]
        assert isinstance(found, dict)
        return found

    @property
    def events(self) -> list[Any]:
        """Of a stream; ``[DONE]`` as a text."""
        found = [line[6:] for line in self.data.decode().split("\n") if line.startswith("data: ")]
        return [one if one == "[DONE]" else json.loads(one) for one in found]

    @property
    def streamed(self) -> str:
        """The text of a stream."""
        chunks = [one for one in self.events if one != "[DONE]"]
        return "".join(choice["delta"].get("content") or "" for one in chunks for choice in one["choices"])

    @property
    def verdict(self) -> Json:
        """The object ``wager`` of a stream, which stands on its one chunk with a finish reason and nowhere else."""
        chunks = [one for one in self.events if one != "[DONE]"]
        with_it = [one for one in chunks if "wager" in one]
        finished = [one for one in chunks if any(choice.get("finish_reason") for choice in one["choices"])]
        assert with_it == finished
        assert len(with_it) == 1
        found = with_it[0]["wager"]
        assert isinstance(found, dict)
        return found


class Inside:
    """A gateway that runs."""

    def __init__(self, client: TestClient, model: Ruled) -> None:
        self.client, self.model = client, model

    def ask(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """One request."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        found = self.client.request(method, path, content=data, headers=dict(headers or {}))
        return Answer(found.status_code, found.headers, found.content)

    def chat(
        self, prompt: str | Sequence[Json], *, kind: str | None = None, headers: Mapping[str, str] | None = None, **body: Any
    ) -> Answer:
        """One chat request; ``kind`` as the client names it."""
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        if kind is not None:
            body["wager"] = {"kind": kind, **body.get("wager", {})}
        return self.ask("POST", "/v1/chat/completions", {"messages": messages, **body}, headers=headers)

    @property
    def asked(self) -> list[Json]:
        """What the model was asked."""
        return self.model.asked


def answering(model: Ruled, rules: Policy | None, **options: Any) -> Answering:
    """What decides, without a server."""
    return Answering(model, detector(), rules, name="test", **options)


@contextmanager
def inside(
    model: Ruled | Mapping[str, Reply],
    rules: Policy | None,
    folder: Path,
    *,
    keep_text: bool = False,
    lookups: Sequence[Lookup] = (),
    handover: Mapping[str, str] = HANDOVER,
) -> Iterator[Inside]:
    """The gateway, its journal in a folder."""
    served = model if isinstance(model, Ruled) else Ruled(model)
    journal = SqliteJournal(folder / "journal", keep_text=keep_text)
    gateway = Gateway(
        settings=Settings(page=False),
        answering=answering(served, rules, lookups=lookups, handover=handover),
        upstream=served,
        keys=Keys(),
        limits=MemoryLimits(),
        journal=journal,
        metrics=Metrics(),
    )

    @asynccontextmanager
    async def life(app: Any) -> AsyncIterator[None]:
        await journal.start()
        for one in lookups:
            await one.start()
        try:
            yield
        finally:
            for one in lookups:
                await one.close()
            await journal.close()

    with TestClient(application(gateway, lifespan=life), base_url="http://localhost") as client:
        yield Inside(client, served)
