"""Which knobs a model's server takes, found out by asking: temperature and log-probabilities are capabilities, not givens.

One short call asks for everything; only where it is refused do further calls find out which part was meant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from wager.gateway.upstream import Capabilities, Json, UpstreamError

__all__ = ["probed"]

Chat = Callable[[Json], Awaitable[Json]]
"""`wager.gateway.upstream.Upstream.chat`."""

REFUSALS = frozenset({400, 404, 422, 501})
"""Statuses by which servers say that they do not take a parameter."""

LIMITS: tuple[Json, ...] = ({"max_tokens": 16}, {"max_completion_tokens": 256})
"""How a short reply is asked for: the second way is that of reasoning models, which refuse the first and think before the first word."""

QUESTION: Json = {"messages": [{"role": "user", "content": "Reply with the word OK."}]}
TEMPERATURE: Json = {"temperature": 0.5}
LOGPROBS: Json = {"logprobs": True}
TOP: Json = {"logprobs": True, "top_logprobs": 2}


async def probed(chat: Chat) -> Capabilities:
    """The capabilities of a server. One call where it takes everything, up to six where it does not.

    A capability stays None where the server could not be asked (it is down, it throttles) or its answer was empty; ``said`` tells why.
    Whether a temperature that is taken is also heeded cannot be seen.
    """
    for limit in LIMITS:
        try:
            answer = await chat({**QUESTION, **limit, **TEMPERATURE, **TOP})
        except UpstreamError as error:
            if error.status not in REFUSALS:
                return _unknown(error)
            continue
        return _read(answer)
    for limit in LIMITS:
        base = {**QUESTION, **limit}
        try:
            await chat(base)
        except UpstreamError as error:
            failed = error
            if error.status not in REFUSALS:
                break
            continue
        return await _one_by_one(chat, base)
    return _unknown(failed)


async def _one_by_one(chat: Chat, base: Json) -> Capabilities:
    said: dict[str, str] = {}
    temperature, _ = await _asked(chat, {**base, **TEMPERATURE}, "temperature", said)
    logprobs, answer = await _asked(chat, {**base, **LOGPROBS}, "logprobs", said)
    top: bool | None = logprobs
    if logprobs:
        top, answer = await _asked(chat, {**base, **TOP}, "top_logprobs", said)
    elif logprobs is False:
        said["top_logprobs"] = said["logprobs"]
    if answer is None:
        return Capabilities(temperature=temperature, logprobs=logprobs, top_logprobs=top, said=said)
    seen = _read(answer)
    if not logprobs:
        return Capabilities(temperature=temperature, logprobs=logprobs, top_logprobs=top, said=said)
    return Capabilities(
        temperature=temperature,
        logprobs=seen.logprobs,
        top_logprobs=seen.top_logprobs if top else top,
        said={**seen.said, **said},
    )


async def _asked(chat: Chat, request: Json, name: str, said: dict[str, str]) -> tuple[bool | None, Json | None]:
    """Whether the server takes the request: True, False, or None where it could not be asked; and its answer."""
    try:
        return True, await chat(request)
    except UpstreamError as error:
        said[name] = error.message
        return (False if error.status in REFUSALS else None), None


def _read(answer: Json) -> Capabilities:
    """From an answer to a request with everything."""
    choice = answer["choices"][0]
    content: Any = (choice.get("logprobs") or {}).get("content")
    if content:
        told = any(isinstance(token, dict) and token.get("top_logprobs") for token in content)
        said = {} if told else {"top_logprobs": "its answer holds no likeliest tokens"}
        return Capabilities(logprobs=True, top_logprobs=told, temperature=True, said=said)
    if not (choice.get("message") or {}).get("content"):
        empty = "its answer to the probe was empty"
        return Capabilities(temperature=True, said={"logprobs": empty, "top_logprobs": empty})
    none = "its answer holds no log-probabilities"
    return Capabilities(logprobs=False, top_logprobs=False, temperature=True, said={"logprobs": none, "top_logprobs": none})


def _unknown(error: UpstreamError) -> Capabilities:
    why = f"the probe failed: {error.message}"
    return Capabilities(said=dict.fromkeys(("logprobs", "top_logprobs", "temperature"), why))
