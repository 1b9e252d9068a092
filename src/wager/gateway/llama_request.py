"""A client's chat request as the embedded llama.cpp takes it: known fields only, and the model's own distribution where it names none.

llama.cpp runs in this process, so what reaches it is limited: fields that steer its insides (slots, grammars, adapters) are left out, and
what makes it drop the connection instead of answering (no messages, an image) is refused here in words.
"""

from __future__ import annotations

from typing import Any

import orjson

from wager.gateway.upstream import Json, UpstreamError

__all__ = ["DEFAULTS", "MAX_TOKENS", "llama_request", "seeded"]

MAX_TOKENS = 512
"""Longest reply where nothing is asked for."""

MOST_CHOICES = 32
"""Of one request."""

MOST_TOP = 20
"""Likeliest tokens at each place: as many as OpenAI tells."""

LARGEST_SCHEMA = 1 << 16
"""Bytes of a response format or of tools: they become a grammar."""

DEEPEST_SCHEMA = 32
"""Levels of the same: llama.cpp reads them with recursion."""

DEFAULTS: Json = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
"""The model's own distribution; llama.cpp's own defaults cut its tail."""

SAMPLING = ("temperature", "top_p", "top_k", "min_p", "seed", "stop", "frequency_penalty", "presence_penalty", "logit_bias", "ignore_eos")

SHAPE = (
    "max_tokens",
    "max_completion_tokens",
    "n",
    "logprobs",
    "top_logprobs",
    "stream_options",
    "response_format",
    "tools",
    "tool_choice",
)

FIELDS = frozenset(("messages", *SAMPLING, *SHAPE))
"""Fields that are passed on; the others of OpenAI's do nothing here (``user``, ``store``, ``metadata``, ...)."""


def llama_request(request: Json) -> tuple[Json, int]:
    """The request for one choice, and how many choices are asked for.

    Raises:
        UpstreamError: 400, the request asks for what the model cannot do or holds no messages.

    >>> llama_request({"messages": [{"role": "user", "content": "Hello"}], "n": 2, "top_p": None})[0]["top_p"]
    1.0
    """
    found = {name: value for name, value in request.items() if name in FIELDS and value is not None}
    found["messages"] = [_message(message) for message in _messages(found.get("messages"))]
    choices = found.pop("n", 1)
    if type(choices) is not int or not 1 <= choices <= MOST_CHOICES:
        raise _refusal(f"n is a whole number from 1 to {MOST_CHOICES}, got {str(choices)[:40]}", code="invalid_n")
    seed = found.get("seed")
    if seed is not None and type(seed) is not int:
        raise _refusal(f"seed is a whole number, got {str(seed)[:40]!r}")
    for name in ("stream_options", "response_format"):
        if not isinstance(found.get(name, {}), dict):
            raise _refusal(f"{name} is an object")
    top = found.get("top_logprobs", 0)
    if type(top) is not int or not 0 <= top <= MOST_TOP:
        raise _refusal(f"top_logprobs is a whole number from 0 to {MOST_TOP}, got {str(top)[:40]}")
    for name in ("tools", "response_format"):
        if name in found and (len(orjson.dumps(found[name])) > LARGEST_SCHEMA or _depth(found[name]) > DEEPEST_SCHEMA):
            raise _refusal(f"{name} is larger than {LARGEST_SCHEMA} bytes or deeper than {DEEPEST_SCHEMA} levels")
    longest = found.pop("max_completion_tokens", None)
    if found.get("max_tokens") is None:
        found["max_tokens"] = MAX_TOKENS if longest is None else longest
    return {**DEFAULTS, **found, **_logprobs(found)}, choices


def seeded(request: Json, number: int) -> Json:
    """The request for choice ``number``: each has a seed of its own, so that a seeded request has different choices every time alike."""
    return request if "seed" not in request else {**request, "seed": (request["seed"] + number) % (1 << 32)}


def _logprobs(request: Json) -> Json:
    """llama.cpp tells twenty likeliest tokens where none are asked for, and no log-probabilities at all where zero are."""
    return {"top_logprobs": request.get("top_logprobs") or 1} if request.get("logprobs") else {}


def _messages(given: Any) -> list[Json]:
    if not isinstance(given, list) or not given or not all(isinstance(message, dict) for message in given):
        raise _refusal("messages is a list of at least one message")
    return given


def _message(message: Json) -> Json:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str):
        raise _refusal("each message has a role")
    if isinstance(content, list):
        content = "".join(_text(part) for part in content)
    elif content is not None and not isinstance(content, str):
        raise _refusal("a message's content is a text or a list of parts")
    return {**message, "role": "system" if role == "developer" else role, "content": content}


def _text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type") in ("text", "input_text") else None
    if not isinstance(text, str):
        kind = part.get("type") if isinstance(part, dict) else type(part).__name__
        raise _refusal(f"the embedded model reads text only, and a message holds {str(kind)[:40]!r}", code="unsupported_content")
    return text


def _depth(value: Any) -> int:
    """Levels of a JSON value, counted without recursion."""
    level, here = 0, [value]
    while here and level <= DEEPEST_SCHEMA:
        level += 1
        here = [inner for one in here if isinstance(one, dict | list) for inner in (one.values() if isinstance(one, dict) else one)]
    return level


def _refusal(message: str, *, code: str | None = None) -> UpstreamError:
    return UpstreamError(400, message, kind="invalid_request_error", code=code)
