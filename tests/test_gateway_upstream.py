"""The HTTP upstream against a real server that misbehaves: the right error each time, no hang, no leak, no key in sight."""

import asyncio
import json
import socket
from contextlib import aclosing

import pytest

from gateway_upstream_server import TEXT, WORDS, ScriptedUpstream
from wager.errors import ModelError, UsageError
from wager.gateway.completion import assembled, checked_chunk
from wager.gateway.refusal import one_line, refused, retry_after
from wager.gateway.upstream import UpstreamError
from wager.gateway.upstream_http import HttpUpstream

KEY = "sk-test-abcdefgh12345678"
ASK = {"messages": [{"role": "user", "content": "What is the capital of Peru?"}]}
QUICK = {"connect_seconds": 2.0, "first_byte_seconds": 0.3, "whole_seconds": 0.3, "between_bytes_seconds": 0.3, "total_seconds": 3.0}


@pytest.fixture(scope="module")
def server():
    with ScriptedUpstream() as running:
        yield running


def using(url, work, **options):
    """Runs ``work(upstream)`` on a started upstream."""

    async def main():
        upstream = HttpUpstream(url, **{"model": "toy", "key": KEY, **options})
        await upstream.start()
        try:
            return await work(upstream)
        finally:
            await upstream.close()

    return asyncio.run(main())


async def chunks(upstream, request=ASK):
    async with aclosing(upstream.stream(request)) as stream:
        return [chunk async for chunk in stream]


async def passed(upstream, request=ASK):
    return await upstream.send("POST", "/chat/completions", json.dumps(request).encode(), {"content-type": "application/json"})


async def passed_stream(upstream, request=ASK):
    body = json.dumps({**request, "stream": True}).encode()
    async with aclosing(upstream.send_stream("POST", "/chat/completions", body, {"content-type": "application/json"})) as stream:
        return b"".join([piece async for piece in stream])


WAYS = {"chat": lambda upstream: upstream.chat(ASK), "stream": chunks, "send": passed, "send_stream": passed_stream}


def words(found):
    return "".join(choice["delta"].get("content") or "" for chunk in found for choice in chunk["choices"])


# --- what works ---


def test_a_response_is_a_dict_and_the_request_arrives_whole(server):
    answer = using(server.url(), lambda upstream: upstream.chat({**ASK, "stream": True, "stream_options": {}, "unknown": [1]}))
    assert answer["choices"][0]["message"]["content"] == TEXT
    sent = server.requests[-1]
    assert (sent.method, sent.path) == ("POST", "/ok/v1/chat/completions")
    assert sent.json == {**ASK, "unknown": [1], "model": "toy"}
    assert sent.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("given", "asked"), [(None, "toy"), ("auto", "toy"), ("", "toy"), ("other", "other")])
def test_the_model_is_filled_in_where_the_client_names_none(server, given, asked):
    using(server.url(), lambda upstream: upstream.chat({**ASK, "model": given}))
    assert server.requests[-1].json["model"] == asked


def test_a_stream_is_its_chunks_in_order(server):
    found = using(server.url(), chunks)
    assert words(found) == TEXT
    assert [chunk["choices"][0]["finish_reason"] for chunk in found] == [None] * len(WORDS) + ["stop"]
    assert server.requests[-1].json["stream"] is True


def test_all_oddities_of_a_stream_are_read(server):
    found = using(server.url("odd"), chunks)
    assert words(found) == " is theLima"
    assert found[-2] == {"choices": [], "usage": {"prompt_tokens": 1}}


def test_a_server_that_ignores_stream_is_one_chunk(server):
    (found,) = using(server.url("notastream"), chunks)
    assert found["object"] == "chat.completion.chunk"
    assert found["choices"][0] == {"index": 0, "delta": {"role": "assistant", "content": TEXT}, "finish_reason": "stop", "logprobs": None}


def test_bytes_are_passed_on_unread_with_safe_headers_alone(server):
    answer = using(server.url(), passed)
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == TEXT
    assert answer.headers == {"content-type": "application/json", "x-request-id": "req-1", "openai-processing-ms": "3"}
    assert server.requests[-1].json == ASK


@pytest.mark.parametrize("way", ["stream", "send_stream"])
def test_a_connection_that_is_closed_after_a_stream_without_a_word_is_not_used_again(server, way):
    async def three(upstream):
        return [len(await WAYS[way](upstream)) > 0 for _ in range(3)]

    assert using(server.url("closing"), three) == [True] * 3


def test_a_raw_stream_is_the_servers_bytes(server):
    found = using(server.url(), passed_stream)
    assert found.startswith(b"data: {")
    assert found.endswith(b"data: [DONE]\n\n")
    assert found.count(b"\n\n") == len(WORDS) + 2


def test_compressed_and_loosely_written_answers_are_read(server):
    assert using(server.url("gzipped"), WAYS["chat"])["choices"][0]["message"]["content"] == TEXT
    (token,) = using(server.url("nan"), WAYS["chat"])["choices"][0]["logprobs"]["content"]
    assert token == {"token": "?", "logprob": None}


def test_a_slow_answer_is_waited_for_while_bytes_come(server):
    assert using(server.url("drip-1"), WAYS["chat"], **QUICK)["choices"][0]["message"]["content"] == TEXT
    assert words(using(server.url("drip-1"), chunks, **QUICK)) == "Lima"


def test_connections_are_kept_between_answers(server):
    async def three(upstream):
        before = server.connections
        for _ in range(3):
            await upstream.chat(ASK)
        return server.connections - before

    assert using(server.url(), three) == 1


def test_many_requests_at_once_share_few_connections(server):
    async def many(upstream):
        before = server.connections
        answers = await asyncio.gather(*(upstream.chat(ASK) for _ in range(50)))
        return len(answers), server.connections - before

    assert using(server.url(), many, connections=4) == (50, 4)


# --- models, capabilities, health ---


def test_the_first_listed_model_is_taken_where_none_is_named(server):
    async def name(upstream):
        return upstream.model

    assert using(server.url(), name, model=None) == "toy"


@pytest.mark.parametrize("behaviour", ["html502", "badjson", "nochoices", "reset", "status-404"])
def test_a_server_without_models_stops_the_start_in_one_line(server, behaviour):
    with pytest.raises(ModelError) as caught:
        using(server.url(behaviour), WAYS["chat"], model=None)
    assert "name" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "<" not in str(caught.value)


def test_a_dead_server_stops_the_start_only_where_its_models_are_needed():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match="Connection refused"):
            using(url, WAYS["chat"], model=None)
        for way in WAYS.values():
            with pytest.raises(UpstreamError) as caught:
                using(url, way)
            assert (caught.value.status, caught.value.code) == (502, "upstream_unreachable")
        assert using(url, lambda upstream: upstream.healthy()) is False


@pytest.mark.parametrize(
    ("behaviour", "healthy"), [("ok", True), ("status-404", True), ("status-401", False), ("status-500", False), ("hang", False)]
)
def test_health_is_whether_the_server_answers(server, behaviour, healthy, monkeypatch):
    monkeypatch.setattr("wager.gateway.upstream_http.HEALTH_SECONDS", 0.2)
    assert using(server.url(behaviour), lambda upstream: upstream.healthy()) is healthy


def test_capabilities_are_asked_for_once(server):
    async def twice(upstream):
        before = len(server.requests)
        await upstream.capabilities()
        found = await upstream.capabilities()
        return found, len(server.requests) - before

    found, asked = using(server.url("telling"), twice)
    assert (found.logprobs, found.top_logprobs, found.temperature, dict(found.said), asked) == (True, True, True, {}, 1)


def test_a_server_that_answers_without_log_probabilities_has_none(server):
    found = using(server.url(), lambda upstream: upstream.capabilities())
    assert (found.logprobs, found.top_logprobs, found.temperature) == (False, False, True)
    assert found.said["logprobs"] == "its answer holds no log-probabilities"


def test_a_reasoning_model_that_refuses_knobs_is_asked_one_by_one(server):
    found = using(server.url("thinking"), lambda upstream: upstream.capabilities())
    assert (found.logprobs, found.top_logprobs, found.temperature) == (False, False, False)
    assert found.said["temperature"] == "Unsupported parameter: 'temperature'"


@pytest.mark.parametrize("behaviour", ["status-500", "status-429", "reset", "status-403"])
def test_a_failed_probe_leaves_the_capabilities_unknown(server, behaviour):
    found = using(server.url(behaviour), lambda upstream: upstream.capabilities())
    assert (found.logprobs, found.top_logprobs, found.temperature) == (None, None, None)
    assert found.said["logprobs"].startswith("the probe failed: ")


# --- faults ---

FAULTS = [  # behaviour, ways, status, code
    ("hang", "chat stream send send_stream", 504, "upstream_timeout"),
    ("hanghead", "chat stream send send_stream", 504, "upstream_timeout"),
    ("hangmid", "chat stream send send_stream", 504, "upstream_timeout"),
    ("reset", "chat stream send send_stream", 502, "upstream_closed"),
    ("resetmid", "chat stream send send_stream", 502, "upstream_closed"),
    ("halfchunk", "chat stream send send_stream", 502, "upstream_closed"),
    ("halfevent", "stream", 502, "upstream_closed"),
    ("nodone", "stream", 502, "upstream_closed"),
    ("badjson", "chat stream", 502, "upstream_invalid"),
    ("badutf8", "chat stream", 502, "upstream_invalid"),
    ("nochoices", "chat stream", 502, "upstream_invalid"),
    ("wrongtype", "chat stream", 502, "upstream_invalid"),
    ("badhttp", "chat stream send send_stream", 502, "upstream_invalid"),
    ("errorin200", "chat stream", 503, None),
    ("errorinstream", "stream", 429, "rate_limit_exceeded"),
    ("html502", "chat stream send send_stream", 502, "upstream_failed"),
    ("redirect", "chat stream send send_stream", 502, "upstream_redirect"),
    ("status-400", "chat stream send send_stream", 400, "scripted"),
    ("status-401", "chat stream send send_stream", 502, "upstream_key"),
    ("status-404", "chat stream send send_stream", 404, "scripted"),
    ("status-422", "chat stream send send_stream", 422, "scripted"),
    ("status-429-9-7", "chat stream send send_stream", 429, "scripted"),
    ("status-500", "chat stream send send_stream", 502, "scripted"),
    ("status-503", "chat stream send send_stream", 503, "scripted"),
    ("status-529", "chat stream send send_stream", 503, "scripted"),
    ("huge", "chat send send_stream", 502, "upstream_too_large"),
    ("huge", "stream", 502, "upstream_too_large"),
    ("huge-1", "chat send", 502, "upstream_too_large"),
    ("bomb", "chat send", 502, "upstream_too_large"),
]


@pytest.mark.parametrize(
    ("behaviour", "way", "status", "code"), [(name, way, status, code) for name, ways, status, code in FAULTS for way in ways.split()]
)
def test_each_fault_is_the_right_error_in_one_line(server, behaviour, way, status, code):
    with pytest.raises(UpstreamError) as caught:
        using(server.url(behaviour), WAYS[way], largest_response=1 << 20, **QUICK)
    error = caught.value
    assert (error.status, error.code) == (status, code), error.message
    assert error.message.isprintable()
    assert "<" not in error.message
    assert "127.0.0.1" not in error.message
    assert KEY not in repr((error.args, vars(error)))


def test_what_came_before_a_fault_in_a_stream_is_delivered(server):
    async def until_the_end(upstream):
        found = []
        try:
            async for chunk in upstream.stream(ASK):
                found.append(chunk)
        except UpstreamError:
            return words(found)
        raise AssertionError("no error came")

    for behaviour in ("errorinstream", "resetmid", "halfevent", "hangmid", "nodone"):
        assert using(server.url(behaviour), until_the_end, **QUICK) == "Lima", behaviour


def test_an_answer_may_not_drip_for_ever(server):
    with pytest.raises(UpstreamError, match=r"still answering after 0\.5 seconds"):
        using(server.url("drip-100"), WAYS["chat"], **{**QUICK, "total_seconds": 0.5})


def test_how_long_to_wait_is_kept(server):
    with pytest.raises(UpstreamError) as caught:
        using(server.url("status-429-9-7"), WAYS["chat"])
    assert caught.value.retry_after == 7.0


def test_no_redirect_is_followed(server):
    before = len(server.requests)
    with pytest.raises(UpstreamError):
        using(server.url("redirect"), WAYS["chat"])
    assert len(server.requests) == before + 1


def test_after_every_fault_the_next_request_works(server):
    async def once_more(upstream):
        for _ in range(3):
            with pytest.raises(UpstreamError):
                await upstream.chat(ASK)
        return (await upstream.chat(ASK))["model"]

    assert using(server.url("status-500-3-0"), once_more) == "toy"


# --- keys and headers ---


@pytest.mark.parametrize("status", [400, 401, 403, 500])
@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_echoes_the_key_in_an_error_does_not_tell_the_client(server, status, way):
    with pytest.raises(UpstreamError) as caught:
        using(server.url(f"echokey-{status}"), WAYS[way])
    shown = repr(vars(caught.value))
    assert KEY not in shown
    assert KEY[-4:] not in shown
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_echoes_the_key_in_an_answer_does_not_tell_the_client(server, way):
    shown = repr(using(server.url("echo"), WAYS[way]))
    assert KEY not in shown
    assert "[key]" in shown


def test_a_clients_own_headers_stay_here_but_for_a_few(server):
    given = {
        "authorization": "Bearer client",
        "cookie": "a=b",
        "x-forwarded-for": "1.2.3.4",
        "openai-beta": "v2",
        "content-type": "application/json",
    }

    async def send(upstream):
        await upstream.send("POST", "/chat/completions", b"{}", given)

    using(server.url(), send)
    sent = server.requests[-1].headers
    assert sent["authorization"] == f"Bearer {KEY}"
    assert sent["openai-beta"] == "v2"
    assert not {"cookie", "x-forwarded-for"} & set(sent)
    using(server.url(), send, key=None)
    assert "authorization" not in server.requests[-1].headers


def test_a_clients_key_is_forwarded_where_that_was_chosen(server):
    async def send(upstream):
        await upstream.send("POST", "/chat/completions", b"{}", {"authorization": "Bearer client"})

    using(server.url(), send, forward_key=True)
    assert server.requests[-1].headers["authorization"] == "Bearer client"
    with pytest.raises(UpstreamError) as caught:
        using(server.url("status-401"), send, forward_key=True)
    assert caught.value.status == 401


def test_cookies_are_not_kept(server):
    async def twice(upstream):
        await upstream.chat(ASK)
        await upstream.chat(ASK)

    using(server.url(), twice)
    assert "cookie" not in server.requests[-1].headers


# --- going away ---


def test_closing_a_stream_ends_the_servers_work(server):
    async def one(upstream):
        async with aclosing(upstream.stream(ASK)) as stream:
            async for _ in stream:
                break
        return await gone(server, before)

    before = server.left
    assert using(server.url("endless"), one)


@pytest.mark.parametrize("way", WAYS)
def test_a_cancelled_task_ends_the_servers_work(server, way):
    async def one(upstream):
        task = asyncio.create_task(WAYS[way](upstream))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await gone(server, before)

    before = server.left
    assert using(server.url("hang"), one)


async def gone(server, before):
    for _ in range(100):
        if server.left > before:
            return True
        await asyncio.sleep(0.02)
    return False


def test_a_slow_reader_is_not_the_servers_fault(server):
    async def slowly(upstream):
        found = []
        async for chunk in upstream.stream(ASK):
            found.append(chunk)
            if len(found) == 2:
                await asyncio.sleep(0.5)
        return words(found)

    assert using(server.url(), slowly, **QUICK) == TEXT


@pytest.mark.parametrize("behaviour", ["hang", "hanghead", "hangmid"])
@pytest.mark.parametrize("way", WAYS)
def test_closing_wakes_those_who_wait(server, way, behaviour):
    async def one(upstream):
        task = asyncio.create_task(WAYS[way](upstream))
        await asyncio.sleep(0.1)
        await upstream.close()
        async with asyncio.timeout(5):
            await task

    with pytest.raises(UpstreamError) as caught:
        using(server.url(behaviour), one)
    assert (caught.value.status, caught.value.code) == (503, "upstream_unavailable")


def test_closing_twice_is_harmless_and_what_comes_after_is_an_error(server):
    async def closed(upstream):
        await upstream.close()
        await upstream.close()
        await upstream.chat(ASK)

    with pytest.raises(UpstreamError) as caught:
        using(server.url(), closed)
    assert caught.value.status == 503


# --- what is refused here ---


@pytest.mark.parametrize(
    "path", ["//evil/v1", "/../secret", "/a/%2e%2e/b", "/models?x=\r\nhost: evil", "http://evil/", "", "/a b", "/a%2fb", "/é"]
)
def test_a_path_stays_below_the_address(server, path):
    before = len(server.requests)
    with pytest.raises(UpstreamError) as caught:
        using(server.url(), lambda upstream: upstream.send("GET", path, None, {}))
    assert caught.value.status == 404
    assert len(server.requests) == before


@pytest.mark.parametrize("url", ["ftp://x/v1", "localhost:8000", "http://", "http://x/v1?key=a", "http://x y/"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match="begins with http"):
        HttpUpstream(url)


def test_a_key_that_fits_in_no_header_is_refused_without_showing_it():
    with pytest.raises(UsageError) as caught:
        HttpUpstream("http://x/v1", key="secret\r\nx: y")
    assert "secret" not in str(caught.value)


def test_an_unfit_request_never_leaves(server):
    before = len(server.requests)
    with pytest.raises(UpstreamError) as caught:
        using(server.url(), lambda upstream: upstream.chat({**ASK, "x": {1, 2}}))
    assert caught.value.status == 400
    assert len(server.requests) == before


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "no\\nsuch\\u0000 model"}}', "no such model"),
        (b'{"error": "model not found"}', "model not found"),
        (b'[{"error": {"message": "quota"}}]', "quota"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"object": "error", "message": "too long"}', "too long"),
        (b'{"error": {"message": "<html><body>x"}}', "the upstream sent a page instead of a message"),
        (b'{"error": {"message": 5}}', "the upstream reports an error without a message"),
        (b"<html>", "the upstream answered with status 404 and no readable reason"),
        (b"", "the upstream answered with status 404 and no readable reason"),
        (b"\xff\xfe", "the upstream answered with status 404 and no readable reason"),
        (b'{"x": 1}', "the upstream answered with status 404 and no readable reason"),
    ],
)
def test_the_known_shapes_of_errors_are_read(body, message):
    error = refused(404, body, {})
    assert (error.status, error.message, error.kind) == (404, message, "not_found_error")


def test_a_prompt_that_is_too_long_has_the_code_that_clients_know():
    error = refused(400, b'{"error": {"code": 400, "message": "request (6031 tokens) exceeds", "type": "exceed_context_size_error"}}', {})
    assert (error.status, error.kind, error.code) == (400, "invalid_request_error", "context_length_exceeded")


@pytest.mark.parametrize("key", ["hunter2", "0123456789abcdef0123", KEY])
def test_a_key_of_any_form_is_taken_out_of_messages(key):
    assert one_line(f"no access with {key}, sorry", key=key) == "no access with [key], sorry"


def test_chunks_are_brought_into_shape():
    assert checked_chunk({"hook_results": 1}) == {"hook_results": 1, "choices": []}
    assert checked_chunk({"choices": [{"index": 0, "delta": None}]}) == {"choices": [{"index": 0, "delta": {}}]}


def test_the_pieces_of_tool_calls_are_put_together():
    def piece(**delta):
        return {"choices": [{"index": 0, "delta": delta}]}

    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x"'}}
    other = {"index": 1, "id": "b", "type": "function", "function": {"name": "sub", "arguments": ""}}
    rest = {"index": 0, "function": {"arguments": ": 1}"}}
    chunks = [piece(role="assistant", content=None), piece(tool_calls=[call]), piece(tool_calls=[other]), piece(tool_calls=[rest])]
    message = assembled(chunks)["choices"][0]["message"]
    assert [one["function"] for one in message["tool_calls"]] == [
        {"name": "add", "arguments": '{"x": 1}'},
        {"name": "sub", "arguments": ""},
    ]
    assert (message["role"], message["content"]) == ("assistant", None)
    assert call["function"]["arguments"] == '{"x"', "what was handed in is as it was"


def test_messages_are_short():
    assert len(one_line("x" * 100_000)) == 500


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e400"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read(headers, seconds):
    assert retry_after(headers) == seconds
