"""The Responses API: the same decisions as of a chat, in that API's words."""

import json

import pytest

from gateway_inside import Said, inside, policy
from wager.gateway.upstream import UpstreamError

PERU = "What is the capital of Peru?"
CALL = {"id": "call_1", "type": "function", "function": {"name": "atlas", "arguments": '{"of": "Peru"}'}}
LOG = (
    "```\n2026-03-01 10:00:09 ERROR TaskSchedulerImpl: Lost executor 12 on node-7: out of memory\n2026-03-01 10:00:10 INFO Done\n```\nWhy?"
)


def ask(gateway, given, **body):
    return gateway.ask("POST", "/v1/responses", {"input": given, "wager": {"kind": "factual"}, **body})


def typed(found):
    """The events of a stream, whose names agree with their types."""
    blocks = [one.split("\n") for one in found.data.decode().split("\n\n") if one.startswith("event: ")]
    events = [json.loads(lines[1].removeprefix("data: ")) for lines in blocks]
    assert [lines[0].removeprefix("event: ") for lines in blocks] == [one["type"] for one in events]
    assert [one["sequence_number"] for one in events] == list(range(len(events)))
    return events


@pytest.mark.parametrize(("sure", "text", "act"), [(0.9, "Lima", "answer"), (0.1, "I don't know. Ask a librarian.", "abstain")])
@pytest.mark.parametrize("stream", [False, True])
def test_the_same_is_decided_as_of_a_chat(tmp_path, sure, text, act, stream):
    with inside({"Peru": Said(text="Lima", sure=sure)}, policy(), tmp_path) as gateway:
        found = ask(gateway, PERU, stream=stream)
        kept = gateway.ask("GET", "/v1/wager/decisions").json["data"]
    body = typed(found)[-1]["response"] if stream else found.json
    assert (body["object"], body["status"]) == ("response", "completed")
    assert body["output"][0]["content"][0]["text"] == text
    assert (body["wager"]["act"], body["wager"]["id"]) == (act, kept[0]["id"])
    assert body["usage"] == {
        "input_tokens": 7,
        "output_tokens": 3,
        "total_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }


def test_a_stream_begins_tells_and_ends(tmp_path):
    with inside({"": Said(text="Hello there", sure=0.9)}, policy(), tmp_path) as gateway:
        found = ask(gateway, "Hi", stream=True, wager={"kind": "smalltalk"})
    events = typed(found)
    assert [one["type"] for one in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 2,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "".join(one["delta"] for one in events if one["type"] == "response.output_text.delta") == "Hello there"
    assert len({one["item_id"] for one in events if "item_id" in one}) == 1


def test_a_conversation_becomes_the_messages_of_a_chat(tmp_path):
    given = [
        {"role": "user", "content": [{"type": "input_text", "text": "Peru?"}, {"type": "input_image", "image_url": "data:x"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "call_1", "name": "atlas", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": {"capital": "Lima"}},
    ]
    tools = [{"type": "function", "name": "atlas", "parameters": {"type": "object"}}]
    with inside({"": Said(text="Lima")}, policy(), tmp_path) as gateway:
        found = ask(
            gateway,
            given,
            instructions="Be brief.",
            tools=tools,
            tool_choice={"type": "function", "name": "atlas"},
            max_output_tokens=9,
            text={"format": {"type": "json_schema", "name": "city", "schema": {}}},
        )
    assert found.status == 200
    asked = gateway.asked[0]
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Peru?"}, {"type": "image_url", "image_url": {"url": "data:x", "detail": "auto"}}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "atlas", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": '{"capital":"Lima"}'},
    ]
    assert asked["tools"] == [{"type": "function", "function": {"name": "atlas", "parameters": {"type": "object"}}}]
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "atlas"}}
    assert asked["response_format"] == {"type": "json_schema", "json_schema": {"name": "city", "schema": {}}}
    assert asked["max_tokens"] == 9


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_of_a_tool_is_an_item_and_has_no_confidence(tmp_path, stream):
    with inside({"": Said(text=None, calls=(CALL,))}, policy(), tmp_path) as gateway:
        found = ask(gateway, PERU, stream=stream, tools=[{"type": "function", "name": "atlas", "parameters": {}}])
    body = typed(found)[-1]["response"] if stream else found.json
    (item,) = body["output"]
    assert (item["type"], item["call_id"], item["name"], item["arguments"]) == ("function_call", "call_1", "atlas", '{"of": "Peru"}')
    assert body["wager"]["confidence"] is None


def test_citations_are_flat_annotations(tmp_path):
    with inside({"": "Executor 12 was lost on node-7: out of memory [L1]."}, policy(), tmp_path) as gateway:
        found = ask(gateway, LOG, wager={"kind": "debugging"}).json
    (note,) = found["output"][0]["content"][0]["annotations"]
    assert (note["type"], note["url"]) == ("url_citation", "prompt#L1")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": PERU, "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": PERU, "background": True}, "background"),
        ({"input": [{"type": "computer_call"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": PERU, "tools": "atlas"}, "tools"),
        ({"input": PERU, "wager": {"target": 2}}, "wager.target"),
    ],
)
def test_what_is_not_served_is_named(tmp_path, body, param):
    with inside({"": "x"}, policy(), tmp_path) as gateway:
        found = gateway.ask("POST", "/v1/responses", body)
    assert (found.status, found.json["error"]["param"]) == (400, param)


def test_an_error_before_the_first_word_is_an_ordinary_error(tmp_path):
    with inside({"": UpstreamError(503, "busy")}, policy(), tmp_path) as gateway:
        whole = ask(gateway, PERU)
        stream = ask(gateway, PERU, stream=True)
    assert [(one.status, one.json["error"]["message"]) for one in (whole, stream)] == [(503, "busy")] * 2
