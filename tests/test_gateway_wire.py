"""What is read from a request, and what a response and a stream look like: whatever comes in, only a RequestError goes out."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wager.gateway import responses
from wager.gateway.decision import Citation
from wager.gateway.task import with_instruction
from wager.gateway.wire import RequestError, annotations_of, error_body, finite, pieces, read_chat, text_of

HI = [{"role": "user", "content": "Hi"}]


def read(**body):
    return read_chat(json.dumps({"messages": HI, **body}).encode())


def refused(**body):
    with pytest.raises(RequestError) as caught:
        read(**body)
    error = caught.value
    assert error.status == 400
    assert error.message
    assert "\n" not in error.message
    assert len(error.message) < 400
    return error


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
messages = st.lists(
    st.fixed_dictionaries(
        {}, optional={"role": st.sampled_from(["user", "assistant", "system", "tool", "developer"]) | anything, "content": anything}
    ),
    max_size=3,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("model", "n", "stream", "stream_options", "response_format", "logprobs", "temperature", "tools"), anything),
        "messages": messages | st.just(HI) | anything,
        "wager": st.fixed_dictionaries({}, optional=dict.fromkeys(("target", "kind", "act", "why", "dials", "other"), anything)) | anything,
    },
)


@settings(max_examples=300, deadline=None)
@given(bodies)
@example({"messages": HI, "wager": {"target": 10**400}})
@example({"messages": HI, "wager": {"dials": {"x": 10**30}}})
@example({"messages": [{"role": "user", "content": [{"text": {"a": 1}}, {}]}]})
def test_any_json_is_a_request_or_a_request_error(body):
    try:
        found = read_chat(json.dumps(body).encode())
    except RequestError:
        return
    assert isinstance(found.prompt, str)
    assert 1 <= found.choices <= 16
    assert "wager" not in found.body
    assert found.options.target is None or 0 <= found.options.target < 1
    asked = found.asking(model="m", temperature=None)
    assert "stream" not in asked
    assert asked["model"] == "m"
    assert all(isinstance(one, dict) for one in with_instruction(found.messages, "Be brief."))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
@example(b"")
@example(b"[" * 5000 + b"]" * 5000)
@example(b'{"messages": "\xff"}')
@example(b'{"messages": NaN}')
@example(b'{"messages": [{"role": "user", "content": "\\ud800"}]}')
def test_any_bytes_are_a_request_error(data):
    with pytest.raises(RequestError):
        read_chat(data)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("model", "instructions", "tools", "tool_choice", "text", "stream", "metadata", "wager"), anything),
            "input": st.text(max_size=8)
            | st.lists(
                st.fixed_dictionaries(
                    {}, optional={"type": st.sampled_from(["message", "function_call", "function_call_output", "reasoning"]) | anything}
                ),
                max_size=3,
            )
            | anything,
        },
    )
)
def test_any_request_of_the_responses_api_is_one_or_an_error(body):
    try:
        asked = responses.read(json.dumps(body).encode())
        read_chat(json.dumps(asked.chat).encode())
    except RequestError:
        return
    assert "wager" not in asked.body


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [*HI, {"role": "user", "content": 5}]}, "messages[1].content"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"n": True}, "n"),
        ({"model": 5}, "model"),
        ({"model": "m" * 301}, "model"),
        ({"wager": "raw"}, "wager"),
        ({"wager": {"targets": 0.5}}, "wager.targets"),
        ({"wager": {"target": 1}}, "wager.target"),
        ({"wager": {"target": -0.1}}, "wager.target"),
        ({"wager": {"target": True}}, "wager.target"),
        ({"wager": {"target": "0.5"}}, "wager.target"),
        ({"wager": {"act": "answer"}}, "wager.act"),
        ({"wager": {"why": 1}}, "wager.why"),
        ({"wager": {"kind": 3}}, "wager.kind"),
        ({"wager": {"dials": {"warmth": 1.5}}}, "wager.dials"),
        ({"wager": {"dials": ["warmth"]}}, "wager.dials"),
    ],
)
def test_a_wrong_field_is_named(body, param):
    assert refused(**body).param == param


def test_what_was_got_is_shown_cut_short():
    assert len(refused(n="x" * 5000).message) < 200


def test_too_many_messages_are_refused():
    with pytest.raises(RequestError, match="at most 3 messages, got 4"):
        read_chat(json.dumps({"messages": HI * 4}).encode(), most_messages=3)


def test_a_request_is_read():
    talk = [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": [{"type": "text", "text": "In French."}]},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Which one? "},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "This"},
                {"type": "image_url", "image_url": {"url": "x"}},
                {"type": "text", "text": "one"},
            ],
        },
    ]
    found = read(
        messages=talk, stream=True, stream_options={"include_usage": True}, n=2, logprobs=True, top_k=3,
        response_format={"type": "json_object"}, wager={"target": 0, "kind": "factual", "why": True, "dials": {"warmth": -1}},
    )  # fmt: skip
    assert (found.system, found.prompt, found.turns, found.asked_back) == ("Be kind.\nIn French.", "This\none", 2, True)
    assert (found.stream, found.usage, found.logprobs, found.structured, found.choices) == (True, True, True, True, 2)
    assert (found.options.target, found.options.kind, found.options.why, found.options.dials) == (0.0, "factual", True, {"warmth": -1.0})
    assert found.body["top_k"] == 3


@pytest.mark.parametrize(
    ("messages", "pending"),
    [
        (HI, False),
        ([*HI, {"role": "tool", "content": "7", "tool_call_id": "c"}], True),
        ([*HI, {"role": "function", "content": "7"}], True),
    ],
)
def test_a_tools_result_awaits_its_answer(messages, pending):
    assert read(messages=messages).pending_tool is pending


@pytest.mark.parametrize("form", [None, {"type": "text"}, "json", {}])
def test_plain_text_is_no_form(form):
    assert read(response_format=form).structured is False


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400), st.integers(1, 60))
def test_the_pieces_of_a_text_are_the_text(text, size):
    found = list(pieces(text, size))
    assert "".join(found) == text
    assert all(found)
    assert all(len(one) <= 6 * size + 1 or one.isspace() for one in found)


def test_annotations_mark_each_place_of_a_verified_label_only():
    citations = (
        Citation(label="[L3]", uri="prompt#L3", quote="ERROR lost", line=3),
        Citation(label="[L9]", uri="prompt#L9", quote="", line=9, verified=False),
    )
    text = "Lost [L3]. Also [L9]. Again [L3]."
    found = [one["url_citation"] for one in annotations_of(text, citations)]
    assert [(one["start_index"], one["end_index"]) for one in found] == [(5, 9), (28, 32)]
    assert {text[one["start_index"] : one["end_index"]] for one in found} == {"[L3]"}
    assert found[0]["title"] == "ERROR lost"


def test_an_instruction_joins_the_system_message_whatever_its_form():
    parts = [{"role": "system", "content": [{"type": "text", "text": "A"}]}, *HI]
    assert with_instruction(parts, "B")[0]["content"] == [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    assert with_instruction([{"role": "developer", "content": "A"}, *HI], "B")[0] == {"role": "developer", "content": "A\n\nB"}
    assert with_instruction(HI, "") == HI
    assert parts[0]["content"] == [{"type": "text", "text": "A"}], "nothing changes what it was handed"


def test_an_error_has_all_four_fields():
    assert error_body("no", param="n") == {"error": {"message": "no", "type": "invalid_request_error", "param": "n", "code": None}}


@pytest.mark.parametrize(("value", "found"), [(1, 1.0), (0.5, 0.5), (True, None), (float("nan"), None), (float("inf"), None), ("1", None)])
def test_numbers_that_json_cannot_hold_are_none(value, found):
    assert finite(value) == found


def test_text_of_a_message_without_content_is_blank():
    assert text_of({"content": None}) == text_of({}) == ""
