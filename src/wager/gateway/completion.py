"""Chat responses and the chunks of streams: whether they are what they should be, and one from the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wager.gateway.refusal import error_of
from wager.gateway.upstream import Json, UpstreamError

__all__ = ["as_chunk", "assembled", "checked_chunk", "checked_response"]

NAMES = frozenset({"role", "id", "type", "name"})
"""Texts that a later chunk replaces; other texts of a delta are continued."""


def checked_response(value: Any, *, key: str | None = None) -> Json:
    """The chat response, if it is one: an object with at least one choice that has a message.

    Raises:
        UpstreamError: the error in it, or 502 where it is something else.
    """
    if isinstance(value, dict):
        choices = value.get("choices")
        if isinstance(choices, list) and choices and all(isinstance(one, dict) and isinstance(one.get("message"), dict) for one in choices):
            return value
    found = error_of(value, key=key)
    if found is not None:
        raise found
    raise UpstreamError(502, "the upstream's answer holds no choices with a message", code="upstream_invalid")


def checked_chunk(value: Json) -> Json:
    """A chunk of a stream whose ``choices`` is a list of objects that each have a ``delta``; one without choices gets an empty list.

    Raises:
        UpstreamError: 502, it is something else.
    """
    choices = value.get("choices")
    if choices is None:
        return {**value, "choices": []}
    if not isinstance(choices, list) or not all(isinstance(one, dict) and isinstance(one.get("delta") or {}, dict) for one in choices):
        raise UpstreamError(502, "an event of the upstream is no chunk of a chat", code="upstream_invalid")
    if all(one.get("delta") is not None for one in choices):
        return value
    return {**value, "choices": [{**one, "delta": one.get("delta") or {}} for one in choices]}


def as_chunk(response: Json) -> Json:
    """A whole response as the one chunk of a stream."""
    kept = {name: value for name, value in response.items() if name not in ("object", "choices")}
    choices = [{"delta" if name == "message" else name: value for name, value in one.items()} for one in response["choices"]]
    return {**kept, "object": "chat.completion.chunk", "choices": choices}


def assembled(chunks: Iterable[Json]) -> Json:
    """The response that the chunks of a stream make: texts joined, log-probabilities and tool calls collected, the usage of the last.

    Raises:
        UpstreamError: 502, there is no choice in them.

    >>> word = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Li"}}]}
    >>> end = {"choices": [{"index": 0, "delta": {"content": "ma"}, "finish_reason": "stop"}]}
    >>> assembled([word, end])
    {'object': 'chat.completion', 'choices': [{'index': 0, 'message': {'role': 'assistant', 'content': 'Lima'}, 'finish_reason': 'stop'}]}
    """
    response: Json = {}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        response |= {name: value for name, value in chunk.items() if name != "choices" and (value is not None or name not in response)}
        for piece in chunk["choices"]:
            _added(choices.setdefault(piece.get("index") or 0, {"message": {"role": "assistant", "content": None}}), piece)
    if not choices:
        raise UpstreamError(502, "the upstream's stream holds no choices", code="upstream_invalid")
    whole = [{"index": index, **choices[index]} for index in sorted(choices)]
    return {**response, "object": "chat.completion", "choices": whole}


def _added(choice: Json, piece: Json) -> None:
    """Puts a piece of a choice to those before it."""
    _continued(choice["message"], piece.get("delta") or {})
    for name, value in piece.items():
        if name == "logprobs" and isinstance(value, dict):
            kept = choice.setdefault("logprobs", {})
            for kind, tokens in value.items():
                kept[kind] = [*(kept.get(kind) or []), *tokens] if isinstance(tokens, list) else kept.get(kind)
        elif name not in ("index", "delta") and (value is not None or name not in choice):
            choice[name] = value


def _continued(message: Json, delta: Json) -> None:
    for name, value in delta.items():
        before = message.get(name)
        if value is None:
            message.setdefault(name, None)
        elif isinstance(value, str) and isinstance(before, str) and name not in NAMES:
            message[name] = before + value
        elif isinstance(value, dict) and isinstance(before, dict):
            _continued(before, value)
        elif isinstance(value, list):
            message[name] = _listed(before if isinstance(before, list) else [], value)
        else:
            message[name] = dict(value) if isinstance(value, dict) else value


def _listed(before: list[Any], pieces: list[Any]) -> list[Any]:
    """Tool calls come in pieces with an index; other lists are put one after the other."""
    for piece in pieces:
        at = piece.get("index") if isinstance(piece, dict) else None
        same = next((one for one in before if isinstance(one, dict) and at is not None and one.get("index") == at), None)
        if same is None:
            before = [*before, _copied(piece)]
        else:
            _continued(same, piece)
    return before


def _copied(value: Any) -> Any:
    return {name: _copied(one) for name, one in value.items()} if isinstance(value, dict) else value
