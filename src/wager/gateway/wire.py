"""The OpenAI wire: what is read from a request, what a response, an error and a stream look like.

Unknown fields pass through untouched. What the gateway knows is one top-level object ``wager``: in the body, or on the chunk of a stream
that has the finish reason; never a named event, never a chunk without choices that nobody asked for.
"""

from __future__ import annotations

import itertools
import math
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from wager.errors import UnknownNameError, WagerError
from wager.gateway.decision import Citation
from wager.targets import ConfidenceTarget

__all__ = [
    "DONE",
    "THINKING",
    "ChatRequest",
    "Options",
    "RequestError",
    "annotations_of",
    "chunk",
    "error_body",
    "event",
    "pieces",
    "read_chat",
    "text_of",
    "wants_stream",
]

Json = dict[str, Any]

DONE = b"data: [DONE]\n\n"
"""The end of a stream."""
THINKING = b": thinking\n\n"
"""A comment that keeps a connection open while a decision is made; clients ignore it."""
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
OPTIONS = ("target", "kind", "act", "why", "dials")
DIAL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
"""Name of a dial."""


class RequestError(Exception):
    """A request that cannot be served, in OpenAI's error shape."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.param, self.code = status, message, kind, param, code
        self.headers = dict(headers or {})


def error_body(message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None) -> Json:
    """The body of an error.

    >>> error_body("no such model", code="model_not_found")["error"]["type"]
    'invalid_request_error'
    """
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The object ``wager`` of a request."""

    target: float | None = None
    """Confidence target in [0, 1) for this request; None leaves it to the policy."""
    kind: str | None = None
    """The kind of task, as the client names it."""
    raw: bool = False
    """Passed through: nothing is detected, set, measured or kept."""
    why: bool = False
    """With the reasons."""
    dials: Mapping[str, float] = field(default_factory=dict)
    """Steering strengths by trait."""


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """One request for a chat completion."""

    body: Json
    """As received, without ``wager``."""
    options: Options
    """What it asks of the gateway."""
    model: str
    """As the client names it; blank or ``auto`` where it leaves that to the gateway."""
    system: str | None
    """Text of the system and developer messages."""
    prompt: str
    """Text of the last message of the user; blank where there is none."""
    turns: int
    """Messages of the user."""
    asked_back: bool
    """Whether the last message of the assistant ended in a question."""
    stream: bool
    """Whether the response is a stream."""
    usage: bool
    """Whether a stream ends with a chunk of usage."""
    logprobs: bool
    """Whether the client wants token log-probabilities."""
    structured: bool
    """Whether the reply has a form of its own (``response_format``): its text is not touched then."""
    choices: int
    """How many replies are wanted."""
    pending_tool: bool
    """Whether the last message is a tool's result."""

    @property
    def messages(self) -> list[Json]:
        """The conversation."""
        return list(self.body["messages"])

    def asking(self, *, messages: Sequence[Json] | None = None, **changed: Any) -> Json:
        """A request for the model: this one with other messages or options; an option of None is left out. Never a stream."""
        asked = {**self.body, **changed}
        if messages is not None:
            asked["messages"] = list(messages)
        asked.pop("stream", None)
        asked.pop("stream_options", None)
        return {name: value for name, value in asked.items() if value is not None}


def read_chat(data: bytes, *, most_messages: int = 2000, most_choices: int = 16) -> ChatRequest:
    """A request from its body.

    Raises:
        RequestError: 400, with what was got and what is allowed.
    """
    body = _object(data)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestError(400, f"'messages' is a list of at least one message, got {_shown(messages)}", param="messages")
    if len(messages) > most_messages:
        raise RequestError(400, f"at most {most_messages:,} messages, got {len(messages):,}", param="messages")
    for place, one in enumerate(messages):
        _check_message(one, place)
    count = body.get("n", 1)
    if count is None:
        count = 1
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= most_choices:
        raise RequestError(400, f"'n' is a whole number from 1 to {most_choices}, got {_shown(count)}", param="n")
    model = "" if body.get("model") is None else body["model"]
    if not isinstance(model, str) or len(model) > 300:
        raise RequestError(400, f"'model' is a name, got {_shown(model)}", param="model")
    options = _options(body.pop("wager", None))
    return ChatRequest(body=body, options=options, model=model, **_read(body, messages), choices=count)


def _object(data: bytes) -> Json:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is no JSON: {str(error)[:120]}") from None
    if not isinstance(body, dict):
        raise RequestError(400, f"the body is a JSON object, got {_shown(body)}")
    return body


def _check_message(one: Any, place: int) -> None:
    where = f"messages[{place}]"
    if not isinstance(one, dict):
        raise RequestError(400, f"{where!r} is an object, got {_shown(one)}", param=where)
    if one.get("role") not in ROLES:
        raise RequestError(400, f"'{where}.role' is one of {', '.join(ROLES)}, got {_shown(one.get('role'))}", param=f"{where}.role")
    content = one.get("content")
    if (
        content is not None
        and not isinstance(content, str)
        and not (isinstance(content, list) and all(isinstance(part, dict) for part in content))
    ):
        raise RequestError(400, f"'{where}.content' is a text or a list of parts, got {_shown(content)}", param=f"{where}.content")


def _read(body: Json, messages: list[Json]) -> dict[str, Any]:
    """What the gateway wants to know of a request."""
    users = [one for one in messages if one["role"] == "user"]
    said = [text_of(one) for one in messages if one["role"] == "assistant"]
    system = "\n".join(text_of(one) for one in messages if one["role"] in ("system", "developer"))
    options = body.get("stream_options")
    shape = body.get("response_format")
    return {
        "system": system or None,
        "prompt": text_of(users[-1]) if users else "",
        "turns": len(users),
        "asked_back": bool(said) and said[-1].rstrip().endswith(("?", "？", "؟")),
        "stream": wants_stream(body),
        "usage": isinstance(options, dict) and options.get("include_usage") is True,
        "logprobs": body.get("logprobs") is True,
        "structured": isinstance(shape, dict) and shape.get("type", "text") != "text",
        "pending_tool": messages[-1]["role"] in ("tool", "function"),
    }


def wants_stream(body: Json) -> bool:
    """Whether a request asks for a stream; RequestError for a value that is neither true, false nor null."""
    found = body.get("stream")
    if found is not None and not isinstance(found, bool):
        raise RequestError(400, f"'stream' is true or false, got {_shown(found)}", param="stream")
    return found is True


def _options(found: Any) -> Options:
    if found is None:
        return Options()
    if not isinstance(found, dict):
        raise RequestError(400, f"'wager' is an object with {', '.join(OPTIONS)}, got {_shown(found)}", param="wager")
    for name in found:
        if name not in OPTIONS:
            raise RequestError(400, f"'wager' has no {_shown(name)}; it has {', '.join(OPTIONS)}", param=f"wager.{name}"[:100])
    if found.get("act") not in (None, "raw"):
        raise RequestError(400, f"'wager.act' is 'raw' or absent, got {_shown(found['act'])}", param="wager.act")
    if not isinstance(found.get("why", False), bool):
        raise RequestError(400, f"'wager.why' is true or false, got {_shown(found['why'])}", param="wager.why")
    kind = found.get("kind")
    if kind is not None and not isinstance(kind, str):
        raise RequestError(400, f"'wager.kind' is the name of a kind of task, got {_shown(kind)}", param="wager.kind")
    return Options(
        target=_target(found.get("target")),
        kind=kind,
        raw=found.get("act") == "raw",
        why=found.get("why", False),
        dials=_dials(found.get("dials")),
    )


def _target(value: Any) -> float | None:
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        return ConfidenceTarget(value).t
    except (TypeError, WagerError):
        raise RequestError(400, f"'wager.target' is a number in [0, 1), got {_shown(value)}", param="wager.target") from None


def _dials(value: Any) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError(400, f"'wager.dials' is an object of strengths in [-1, 1], got {_shown(value)}", param="wager.dials")
    for name, one in value.items():
        if not DIAL.fullmatch(name):
            what = "names of 1 to 40 letters, digits and _ that begin with no digit"
            raise RequestError(400, f"'wager.dials' has {what}, got {_shown(name)}", param="wager.dials")
        if isinstance(one, bool) or not isinstance(one, int | float) or not -1 <= one <= 1:
            raise RequestError(400, f"'wager.dials' has strengths in [-1, 1], got {_shown(one)} for {_shown(name)}", param="wager.dials")
    return {name: float(one) for name, one in value.items()}


def named_kind(error: UnknownNameError) -> RequestError:
    """The response to a kind of task that is none."""
    return RequestError(400, f"'wager.kind': {error}", param="wager.kind")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message: of its text parts, where it has several parts.

    >>> text_of({"content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]})
    'a\\nb'
    """
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [part.get("text") for part in content or () if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def annotations_of(text: str, citations: Sequence[Citation]) -> list[Json]:
    """The verified citations as OpenAI's ``url_citation``; one for each place where a label stands in the text."""
    found: list[Json] = []
    for one in citations:
        if not one.verified:
            continue
        for match in re.finditer(re.escape(one.label), text):
            place = {"start_index": match.start(), "end_index": match.end(), "url": one.uri, "title": one.title or one.quote[:80]}
            found.append({"type": "url_citation", "url_citation": place})
    return found


def completion(model: str, choices: Sequence[Json], *, usage: Json | None, like: Mapping[str, Any] | None = None) -> Json:
    """The body of a response, with what is unknown to us of the upstream's own."""
    made: Json = {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": "chat.completion", "created": int(time.time()), "model": model}
    made |= {name: value for name, value in (like or {}).items() if name not in ("choices", "usage", "timings", "__verbose")}
    made["choices"] = list(choices)
    if usage is not None:
        made["usage"] = usage
    return made


def chunk(like: Mapping[str, Any], delta: Json, *, index: int = 0, finish: str | None = None, logprobs: Any = None) -> Json:
    """One chunk of a stream."""
    choice: Json = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return {**{name: like[name] for name in ("id", "created", "model")}, "object": "chat.completion.chunk", "choices": [choice]}


def event(data: Any) -> bytes:
    """A server-sent event."""
    return b"data: " + orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n\n"


def pieces(text: str, size: int = 40) -> Iterator[str]:
    """A text in parts of about ``size`` characters, cut between words where there are any.

    >>> list(pieces("one two three", 5))
    ['one two', ' three']
    """
    words = re.findall(r"\s*\S+|\s+$", text)
    part = ""
    for word in itertools.chain.from_iterable(_short(word, 4 * size) for word in words):
        part += word
        if len(part) >= size:
            yield part
            part = ""
    if part:
        yield part


def _short(word: str, most: int) -> Iterator[str]:
    for place in range(0, len(word), most):
        yield word[place : place + most]


def finite(value: Any) -> float | None:
    """A number that JSON can hold, or None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None
