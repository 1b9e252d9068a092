"""The Responses API as chat: the same is decided, and the answer is told in that API's words.

Nothing is stored: a conversation is sent whole.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from wager.gateway.upstream import UpstreamError
from wager.gateway.wire import RequestError, event, text_of, wants_stream

__all__ = ["Asked", "read", "streamed", "whole"]

Json = dict[str, Any]

SAME = ("model", "temperature", "top_p", "wager", "parallel_tool_calls", "user", "service_tier", "metadata", "store")
"""Fields that mean the same in both."""
REFUSED = {
    "previous_response_id": "nothing is stored here: send the whole conversation as 'input'",
    "conversation": "nothing is stored here: send the whole conversation as 'input'",
    "background": "nothing runs in the background here",
    "prompt": "there are no stored prompts here",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request of the Responses API."""

    body: Json
    """As received, without ``wager``."""
    chat: Json
    """The same as a chat request, ``wager`` included."""
    stream: bool
    """Whether the response is a stream."""


def read(data: bytes) -> Asked:
    """A request from its body.

    Raises:
        RequestError: 400, with what was got and what is allowed.
    """
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is no JSON: {str(error)[:120]}") from None
    if not isinstance(body, dict):
        raise RequestError(400, "the body is a JSON object")
    for name, why in REFUSED.items():
        if body.get(name):
            raise RequestError(400, f"{name!r} is not served: {why}", param=name)
    chat: Json = {name: body[name] for name in SAME if body.get(name) is not None}
    chat["messages"] = _messages(body)
    if body.get("max_output_tokens") is not None:
        chat["max_tokens"] = body["max_output_tokens"]
    _tools(body, chat)
    shape = body.get("text")
    if isinstance(shape, dict) and isinstance(shape.get("format"), dict) and shape["format"].get("type") not in (None, "text"):
        chat["response_format"] = _format(shape["format"])
    stream = wants_stream(body)
    return Asked(body={name: value for name, value in body.items() if name != "wager"}, chat=chat, stream=stream)


def _format(found: Json) -> Json:
    if found.get("type") != "json_schema":
        return found
    return {"type": "json_schema", "json_schema": {name: value for name, value in found.items() if name != "type"}}


def _messages(body: Json) -> list[Json]:
    messages: list[Json] = []
    told = body.get("instructions")
    if told is not None and not isinstance(told, str):
        raise RequestError(400, "'instructions' is a text", param="instructions")
    if told:
        messages.append({"role": "system", "content": told})
    given = body.get("input")
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise RequestError(400, "'input' is a text or a list of at least one item", param="input")
    for place, one in enumerate(given):
        messages += _item(one, place)
    return messages


def _item(one: Any, place: int) -> list[Json]:
    where = f"input[{place}]"
    if not isinstance(one, dict):
        raise RequestError(400, f"{where!r} is an object", param=where)
    kind = one.get("type", "message")
    if kind == "message":
        return [{"role": one.get("role"), "content": _content(one.get("content"), where)}]
    if kind == "function_call":
        call = {"id": one.get("call_id"), "type": "function", "function": {"name": one.get("name"), "arguments": one.get("arguments")}}
        return [{"role": "assistant", "content": None, "tool_calls": [call]}]
    if kind == "function_call_output":
        output = one.get("output")
        return [
            {
                "role": "tool",
                "tool_call_id": one.get("call_id"),
                "content": output if isinstance(output, str) else orjson.dumps(output).decode(),
            }
        ]
    if kind == "reasoning":
        return []
    raise RequestError(
        400, f"'{where}.type' is message, function_call or function_call_output, got {str(kind)[:40]!r}", param=f"{where}.type"
    )


def _content(found: Any, where: str) -> Any:
    if found is None or isinstance(found, str):
        return found
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RequestError(400, f"'{where}.content' is a text or a list of parts", param=f"{where}.content")
    return [_part(one) for one in found]


def _part(one: Json) -> Json:
    if one.get("type") in ("input_text", "output_text"):
        return {"type": "text", "text": one.get("text")}
    if one.get("type") == "input_image":
        return {"type": "image_url", "image_url": {"url": one.get("image_url"), "detail": one.get("detail", "auto")}}
    return one


def _tools(body: Json, chat: Json) -> None:
    tools = body.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(one, dict) for one in tools):
        raise RequestError(400, "'tools' is a list of objects", param="tools")
    named = ("name", "description", "parameters", "strict")
    chat["tools"] = [
        {"type": "function", "function": {name: one[name] for name in named if name in one}} if one.get("type") == "function" else one
        for one in tools
    ]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function":
        choice = {"type": "function", "function": {"name": choice.get("name")}}
    if choice is not None:
        chat["tool_choice"] = choice


def whole(body: Json, asked: Asked) -> Json:
    """The response of the Responses API for a chat completion."""
    made = _empty(asked, str(body.get("model")), "completed")
    made["output"] = _output(body["choices"][0])
    if body["choices"][0].get("finish_reason") == "length":
        made |= CUT_OFF
    made["usage"] = _usage(body.get("usage"))
    made["wager"] = body["wager"]
    return made


def _empty(asked: Asked, model: str, status: str) -> Json:
    given = asked.body
    kept = ("instructions", "metadata", "parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p", "max_output_tokens", "text")
    made: Json = {
        "id": f"resp_{secrets.token_hex(16)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "model": model,
    }
    made |= {"output": [], "error": None, "incomplete_details": None, "usage": None, "store": False, "previous_response_id": None}
    made |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}, "instructions": None}
    return made | {name: given[name] for name in kept if given.get(name) is not None}


def _output(choice: Json) -> list[Json]:
    message = choice["message"]
    found: list[Json] = []
    text = text_of(message)
    if text or not message.get("tool_calls"):
        found.append(_message(f"msg_{secrets.token_hex(16)}", text, message.get("annotations") or [], message.get("refusal")))
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        item = {"type": "function_call", "id": f"fc_{secrets.token_hex(16)}", "status": "completed", "call_id": call.get("id")}
        found.append({**item, "name": function.get("name"), "arguments": function.get("arguments")})
    return found


def _message(id: str, text: str, notes: list[Json], refusal: Any = None) -> Json:  # noqa: A002
    flat = [{"type": "url_citation", **one["url_citation"]} for one in notes if one.get("type") == "url_citation"]
    part: Json = (
        {"type": "refusal", "refusal": refusal} if refusal else {"type": "output_text", "text": text, "annotations": flat, "logprobs": []}
    )
    return {"type": "message", "id": id, "status": "completed", "role": "assistant", "content": [part]}


def _usage(found: Any) -> Json | None:
    if not isinstance(found, dict):
        return None
    read, written = found.get("prompt_tokens", 0), found.get("completion_tokens", 0)
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written, **details}


async def streamed(events: AsyncIterator[bytes], asked: Asked) -> AsyncIterator[bytes]:
    """The typed events of the Responses API for the events of a chat stream; comments stay.

    What fails before the first event of the chat is raised before anything is told, so that it is an ordinary error with its status.
    """
    told = _Telling(asked)
    try:
        one = await anext(events, b"")
        yield told.event("response.created", response=told.response)
        yield told.event("response.in_progress", response=told.response)
        while one:
            data = one.removeprefix(b"data: ").strip()
            if data == b"[DONE]":
                break
            if one.startswith(b":"):
                yield one
            else:
                chunk = orjson.loads(data)
                for each in told.heard(chunk):
                    yield each
                if "error" in chunk:
                    return
            try:
                one = await anext(events, b"")
            except (RequestError, UpstreamError) as error:  # in the words of this API
                yield told.event("error", message=error.message, code=error.code, param=None)
                return
        for each in told.ended():
            yield each
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


CUT_OFF: Json = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
"""Of a response that ended at its limit."""


class _Telling:
    """One streamed response."""

    def __init__(self, asked: Asked) -> None:
        self.response = _empty(asked, str(asked.body.get("model") or ""), "in_progress")
        self._number = 0
        self._item = f"msg_{secrets.token_hex(16)}"
        self._text: list[str] = []
        self._begun = False
        self._calls: dict[int, Json] = {}
        self._notes: list[Json] = []
        self._wager: Json | None = None
        self._usage: Any = None
        self._finish: str | None = None

    def event(self, kind: str, **fields: Any) -> bytes:
        """One typed event."""
        made = event({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return b"event: " + kind.encode() + b"\n" + made

    def heard(self, one: Json) -> list[bytes]:
        """What a chunk becomes."""
        if "error" in one:
            return [self.event("error", **{**one["error"]})]
        self._usage = one.get("usage") or self._usage
        self._wager = one.get("wager") or self._wager
        self.response["model"] = one.get("model") or self.response["model"]
        found: list[bytes] = []
        for choice in one.get("choices") or ():
            delta = choice.get("delta") or {}
            self._finish = choice.get("finish_reason") or self._finish
            self._notes += delta.get("annotations") or ()
            for call in delta.get("tool_calls") or ():
                self._called(call)
            if delta.get("content"):
                found += [] if self._begun else self._begin()
                self._text.append(delta["content"])
                found.append(self.event("response.output_text.delta", delta=delta["content"], logprobs=[], **self._where()))
        return found

    def _called(self, call: Json) -> None:
        kept = self._calls.setdefault(call.get("index", 0), {"id": None, "function": {"name": "", "arguments": ""}})
        kept["id"] = call.get("id") or kept["id"]
        function = call.get("function") or {}
        kept["function"]["name"] += function.get("name") or ""
        kept["function"]["arguments"] += function.get("arguments") or ""

    def _where(self) -> Json:
        return {"item_id": self._item, "output_index": 0, "content_index": 0}

    def _begin(self) -> list[bytes]:
        self._begun = True
        item = {"type": "message", "id": self._item, "status": "in_progress", "role": "assistant", "content": []}
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return [
            self.event("response.output_item.added", output_index=0, item=item),
            self.event("response.content_part.added", part=part, **self._where()),
        ]

    def ended(self) -> list[bytes]:
        """The end of the message, of the calls, and of the response."""
        found: list[bytes] = []
        output: list[Json] = []
        if self._begun or not self._calls:
            found += [] if self._begun else self._begin()
            text = "".join(self._text)
            item = _message(self._item, text, self._notes)
            output.append(item)
            found.append(self.event("response.output_text.done", text=text, logprobs=[], **self._where()))
            found.append(self.event("response.content_part.done", part=item["content"][0], **self._where()))
            found.append(self.event("response.output_item.done", output_index=0, item=item))
        if self._calls:
            calls = _output({"message": {"content": "", "tool_calls": list(self._calls.values())}})
            for place, item in enumerate(calls, len(output)):
                found.append(
                    self.event("response.output_item.added", output_index=place, item={**item, "arguments": "", "status": "in_progress"})
                )
                done = {"item_id": item["id"], "output_index": place, "arguments": item["arguments"], "name": item["name"]}
                found.append(self.event("response.function_call_arguments.done", **done))
                found.append(self.event("response.output_item.done", output_index=place, item=item))
            output += calls
        response = {**self.response, "status": "completed", "output": output, "usage": _usage(self._usage), "wager": self._wager}
        if self._finish == "length":
            return [*found, self.event("response.incomplete", response=response | CUT_OFF)]
        return [*found, self.event("response.completed", response=response)]
