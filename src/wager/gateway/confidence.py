"""How sure is the model of this reply? The calls behind a confidence, over the OpenAI wire, each made once.

`wager.elicit` says what each source needs and how it is read; here it is asked for. Where a source turns out not to be there, `judging`
tries the next one of `wager.gateway.rulebook.DEGRADING`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wager.answers import ConfidenceSource
from wager.elicit.evidence import Draw, Evidence, Reply, Token
from wager.elicit.methods import METHODS, Method, confidences
from wager.elicit.p_true import follow_up
from wager.elicit.reading import read_reply
from wager.elicit.stated import STATED_REQUEST
from wager.elicit.verbal import SHADE_REQUEST
from wager.gateway.upstream import Chats, UpstreamError
from wager.gateway.wire import ChatRequest, text_of

__all__ = ["LONGEST_ANSWER", "Measured", "is_local", "is_long", "measure", "reply_of", "with_logprobs"]

Json = dict[str, Any]

LONGEST_ANSWER = 12
"""Words of an answer of which a calibration on short answers speaks."""
TOP = 5
"""Likeliest tokens that are asked for at a place."""
LEFT_OUT = (
    *("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format", "n", "stop", "seed"),
    *("max_tokens", "max_completion_tokens", "logprobs", "top_logprobs"),
)
"""Options of the client that are not for a call after the answer."""
AFTER: Mapping[Draw, tuple[str, int]] = {Draw.STATED: (STATED_REQUEST, 16), Draw.VERBAL: (SHADE_REQUEST, 16)}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A confidence, or why there is none."""

    value: float | None
    """Raw, in [0, 1]."""
    source: str | None
    """Where it comes from."""
    problem: str | None = None
    """Why there is none."""


def with_logprobs(asked: Json, source: str | None, *, local: bool) -> Json:
    """The request for the answer, so that the source can be read from it; llama.cpp gives none where tools are offered."""
    if local and asked.get("tools"):
        return asked
    if source is None or source not in METHODS or Draw.GREEDY not in METHODS[ConfidenceSource(source)].logprobs:
        return asked
    return {**asked, "logprobs": True}


def reply_of(choice: Json) -> Reply:
    """A choice of a response as evidence."""
    content = ((choice.get("logprobs") or {}).get("content")) or ()
    return read_reply(text_of(choice.get("message") or {}), tuple(_token(one) for one in content if isinstance(one, dict)))


def _token(one: Json) -> Token:
    top = tuple((str(each.get("token")), float(each["logprob"])) for each in one.get("top_logprobs") or () if _finite(each.get("logprob")))
    return Token(str(one.get("token") or ""), float(one["logprob"]) if _finite(one.get("logprob")) else None, top)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_long(reply: Reply) -> bool:
    """Whether the reply is a text rather than a short answer: a calibration on short answers says nothing of it."""
    return reply.answer is not None and len(reply.answer.split()) > LONGEST_ANSWER


async def measure(upstream: Chats, ask: ChatRequest, reply: Reply, source: str | None, *, samples: int) -> Measured:
    """The confidence of one source in a reply.

    Args:
        upstream: the model that replied.
        ask: what it was asked.
        reply: its reply, with the tokens where the source is read from them.
        source: which; None measures nothing.
        samples: K, where the source needs samples.
    """
    if source is None:
        return Measured(value=None, source=None, problem="no source of confidence can be had from this model")
    method = METHODS[ConfidenceSource(source)]
    try:
        evidence = await _drawn(upstream, ask, reply, method, samples)
    except UpstreamError as error:
        return Measured(value=None, source=source, problem=f"the call for {source} failed: {error.message}")
    found = confidences(evidence, [method])[method.source]
    return Measured(value=found.value, source=source, problem=None if found.value is not None else found.problem or "not read")


async def _drawn(upstream: Chats, ask: ChatRequest, reply: Reply, method: Method, samples: int) -> Evidence:
    if Draw.SAMPLES in method.draws:
        logprobs = True if Draw.SAMPLES in method.logprobs else None
        asked = ask.asking(temperature=1.0, n=None, logprobs=logprobs, top_logprobs=None, seed=None, tools=None, tool_choice=None)
        responses = await asyncio.gather(*(upstream.chat(asked) for _ in range(samples)))
        return Evidence(reply, tuple(reply_of(_first(one)) for one in responses))
    for draw in (Draw.P_TRUE, Draw.STATED, Draw.VERBAL):
        if draw in method.draws:
            response = await upstream.chat(_after(upstream, ask, reply, draw))
            given = reply_of(_first(response))
            found = {one: given if one is draw else None for one in (Draw.P_TRUE, Draw.STATED, Draw.VERBAL)}
            return Evidence(reply, p_true=found[Draw.P_TRUE], stated=found[Draw.STATED], verbal=found[Draw.VERBAL])
    return Evidence(reply)


def _first(response: Json) -> Json:
    return dict(response["choices"][0])


def _after(upstream: Chats, ask: ChatRequest, reply: Reply, draw: Draw) -> Json:
    """The call after the answer, in one conversation with it, without the client's tools and forms."""
    text, longest = (follow_up(reply.answer or reply.text), 8) if draw is Draw.P_TRUE else AFTER[draw]
    spoken = [one for one in ask.messages if one["role"] not in ("tool", "function") and not one.get("tool_calls")]
    messages = [*spoken, {"role": "assistant", "content": reply.text}, {"role": "user", "content": text}]
    asked = ask.asking(messages=messages, temperature=0.0, **dict.fromkeys(LEFT_OUT))
    if draw is Draw.P_TRUE:
        asked |= {"logprobs": True, "top_logprobs": 20}
    if is_local(upstream):  # elsewhere a model that reasons first would be cut off
        asked["max_tokens"] = longest
    return asked


def is_local(upstream: Chats) -> bool:
    """Whether the model runs on this machine, for this gateway alone."""
    return upstream.model.startswith(("embedded/", "gguf/"))
