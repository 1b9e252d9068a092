"""The embedded model as an upstream: the real model answers, streams, tells log-probabilities, makes choices, and stops when told to."""

import asyncio
import base64
import json
import struct
from contextlib import aclosing

import pytest

from conftest import absent
from wager.errors import ModelError, UsageError
from wager.gateway.completion import assembled
from wager.gateway.llama_request import llama_request
from wager.gateway.upstream import UpstreamError
from wager.gateway.upstream_embedded import EMBEDDED, EmbeddedUpstream

FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
SHORT = {"messages": FRANCE, "max_tokens": 5, "temperature": 0}
LONG = {"messages": FRANCE, "max_tokens": 3000, "ignore_eos": True}


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module")
def upstream(runner):
    made = EmbeddedUpstream(context=1024)
    try:
        runner.run(made.start())
    except ModelError as error:
        absent(f"the embedded model ({error})")
    yield made
    runner.run(made.close())


async def streamed(upstream, request):
    async with aclosing(upstream.stream(request)) as stream:
        return [chunk async for chunk in stream]


async def busy(upstream):
    """Slots at work."""
    answer = await upstream._http.send("GET", "/slots", None, {})
    return sum(slot["is_processing"] for slot in json.loads(answer.body))


async def until(upstream, count):
    """Whether so many slots are at work within some seconds; a request of its own for the slots takes part of the time."""
    for _ in range(400):
        if await busy(upstream) == count:
            return True
        await asyncio.sleep(0.02)
    return False


def text(answer, index=0):
    return answer["choices"][index]["message"]["content"]


def test_it_answers_under_the_name_that_policies_use(runner, upstream):
    answer = runner.run(upstream.chat(SHORT))
    assert answer["object"] == "chat.completion"
    assert answer["model"] == EMBEDDED == upstream.model
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5
    assert text(answer)
    assert "logprobs" not in answer["choices"][0]
    assert runner.run(upstream.healthy())


def test_a_stream_is_the_same_answer_in_pieces(runner, upstream):
    chunks = runner.run(streamed(upstream, SHORT))
    assert len(chunks) >= 4
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}
    assert text(assembled(chunks)) == text(runner.run(upstream.chat(SHORT)))
    assert [choice["finish_reason"] for choice in chunks[-1]["choices"]] == ["length"]
    assert all("usage" not in chunk for chunk in chunks)
    with_usage = runner.run(streamed(upstream, {**SHORT, "stream_options": {"include_usage": True}}))
    assert with_usage[-1]["choices"] == []
    assert with_usage[-1]["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("top", [None, 0, 3])
def test_log_probabilities_are_told_with_as_many_likeliest_tokens_as_asked_for(runner, upstream, top):
    request = {**SHORT, "logprobs": True, "top_logprobs": top}
    whole = runner.run(upstream.chat(request))["choices"][0]
    pieces = assembled(runner.run(streamed(upstream, request)))["choices"][0]
    for choice in (whole, pieces):
        tokens = choice["logprobs"]["content"]
        assert len(tokens) == 5
        assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
        assert all(-20.0 < token["logprob"] <= 0.0 for token in tokens)
        assert [len(token["top_logprobs"]) for token in tokens] == [top or 0] * 5
    assert runner.run(upstream.capabilities()).logprobs is True


def test_each_choice_has_a_seed_of_its_own_and_seeded_choices_come_again(runner, upstream):
    request = {"messages": FRANCE, "max_tokens": 6, "n": 4, "seed": 3}
    answer = runner.run(upstream.chat(request))
    again = runner.run(upstream.chat(request))
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    texts = [text(answer, index) for index in range(4)]
    assert texts == [text(again, index) for index in range(4)]
    assert len(set(texts)) > 1
    assert answer["usage"]["completion_tokens"] == 24
    assert answer["usage"]["prompt_tokens"] < 60
    second = runner.run(upstream.chat({**request, "n": 1, "seed": 4}))
    assert text(second) == texts[1]


def test_choices_of_a_stream_are_told_apart(runner, upstream):
    chunks = runner.run(streamed(upstream, {**SHORT, "n": 3, "stream_options": {"include_usage": True}}))
    answer = assembled(chunks)
    assert len({text(answer, index) for index in range(3)}) == 1, "greedy choices are alike"
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["length"] * 3
    assert sum("usage" in chunk for chunk in chunks) == 1
    assert answer["usage"]["completion_tokens"] == 15


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("way", ["chat", "stream", "send"])
def test_a_client_that_goes_away_frees_the_slots(runner, upstream, way, n):
    request = {**LONG, "n": n}
    ways = {
        "chat": lambda: upstream.chat(request),
        "stream": lambda: streamed(upstream, request),
        "send": lambda: upstream.send("POST", "/chat/completions", json.dumps(request).encode(), {}),
    }

    async def one():
        task = asyncio.create_task(ways[way]())
        started = await until(upstream, min(n, 2))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return started, await until(upstream, 0)

    assert runner.run(one()) == (True, True)


def test_closing_a_stream_of_choices_frees_the_slots(runner, upstream):
    async def one():
        async with aclosing(upstream.stream({**LONG, "n": 2})) as stream:
            async for _ in stream:
                break
        return await until(upstream, 0)

    assert runner.run(one())


def test_more_requests_than_slots_wait(runner, upstream):
    async def many():
        return await asyncio.gather(*(upstream.chat({**SHORT, "max_tokens": 2}) for _ in range(30)))

    assert len({text(answer) for answer in runner.run(many())}) == 1


def test_the_loop_goes_on_while_the_model_works(runner, upstream):
    async def beats():
        task = asyncio.create_task(upstream.chat({**SHORT, "max_tokens": 20, "ignore_eos": True}))
        count = 0
        while not task.done():
            await asyncio.sleep(0)
            count += 1
        await task
        return count

    assert runner.run(beats()) > 100


def test_a_prompt_that_is_too_long_is_refused_as_clients_know_it(runner, upstream):
    for way in (upstream.chat, lambda request: streamed(upstream, request)):
        with pytest.raises(UpstreamError) as caught:
            runner.run(way({"messages": [{"role": "user", "content": "word " * 3000}]}))
        assert (caught.value.status, caught.value.kind, caught.value.code) == (400, "invalid_request_error", "context_length_exceeded")


PART = {"type": "text", "text": "Hi"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": []},
        {"messages": "Hi"},
        {"messages": [5]},
        {"messages": [{"content": "Hi"}]},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"role": "user", "content": [PART, {"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}]}]},
        {"messages": FRANCE, "n": 0},
        {"messages": FRANCE, "n": 1000},
        {"messages": FRANCE, "seed": "x"},
        {"messages": FRANCE, "temperature": "hot"},
        {"messages": FRANCE, "top_logprobs": "x", "logprobs": True},
        {"messages": FRANCE, "response_format": []},
        {"messages": FRANCE, "max_tokens": -5},
        {"messages": FRANCE, "tools": [{"a": 1}]},
        {"messages": FRANCE, "response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": ["x" * 70_000]}}}},
        {"messages": FRANCE, "tools": json.loads("[" * 40 + "]" * 40)},
        {},
    ],
)
def test_a_wrong_request_is_refused_in_words_and_the_model_lives_on(runner, upstream, wrong):
    with pytest.raises(UpstreamError) as caught:
        runner.run(upstream.chat(wrong))
    assert (caught.value.status, caught.value.kind) == (400, "invalid_request_error")
    assert caught.value.message
    assert runner.run(busy(upstream)) == 0


def test_options_of_a_stream_are_an_object(runner, upstream):
    with pytest.raises(UpstreamError, match="stream_options is an object"):
        runner.run(streamed(upstream, {**SHORT, "stream_options": [1]}))


def test_parts_of_text_are_one_text(runner, upstream):
    parts = [{"type": "text", "text": "What is the capital "}, {"type": "text", "text": "of France?"}]
    answer = runner.run(upstream.chat({**SHORT, "messages": [{"role": "user", "content": parts}]}))
    assert text(answer) == text(runner.run(upstream.chat(SHORT)))


def test_a_schema_is_kept_to(runner, upstream):
    schema = {"type": "object", "properties": {"city": {"enum": ["Paris", "Lyon"]}}, "required": ["city"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    answer = runner.run(upstream.chat({**SHORT, "max_tokens": 40, "response_format": form}))
    assert json.loads(text(answer))["city"] in ("Paris", "Lyon")


def test_what_the_client_leaves_open_is_the_models_own_distribution():
    sent, count = llama_request({"messages": FRANCE, "top_p": None, "model": "x", "user": "u", "grammar": "root ::= x", "id_slot": 1})
    assert count == 1
    assert sent == {"messages": FRANCE, "temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "max_tokens": 512}
    assert llama_request({"messages": FRANCE, "max_completion_tokens": 9, "temperature": 0.2})[0]["max_tokens"] == 9


def test_the_raw_interface_is_the_same(runner, upstream):
    async def both():
        body = json.dumps(SHORT).encode()
        whole = await upstream.send("POST", "/chat/completions", body, {})
        async with aclosing(upstream.send_stream("POST", "/chat/completions", body, {})) as stream:
            raw = b"".join([piece async for piece in stream])
        models = await upstream.send("GET", "/models", None, {})
        return json.loads(whole.body), raw, json.loads(models.body)

    whole, raw, models = runner.run(both())
    assert raw.endswith(b"data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith(b"data: {")]
    assert text(assembled(chunks)) == text(whole)
    assert [model["id"] for model in models["data"]] == [EMBEDDED]


def test_responses_are_llamas_own(runner, upstream):
    body = json.dumps({"model": "x", "input": "Say hi.", "max_output_tokens": 4}).encode()
    answer = json.loads(runner.run(upstream.send("POST", "/responses", body, {})).body)
    assert answer["object"] == "response"
    assert answer["output"][0]["content"][0]["type"] == "output_text"


def test_embeddings_are_unit_vectors_under_a_name_that_says_what_they_are(runner, upstream):
    async def ask(**more):
        body = json.dumps({"model": "x", "input": ["Paris", "The city of Paris"], **more}).encode()
        return json.loads((await upstream.send("POST", "/embeddings", body, {})).body)

    plain, coded = runner.run(ask()), runner.run(ask(encoding_format="base64"))
    assert plain["model"] == f"{EMBEDDED}#embedding"
    vectors = [row["embedding"] for row in plain["data"]]
    assert [row["index"] for row in plain["data"]] == [0, 1]
    assert sum(value * value for value in vectors[0]) == pytest.approx(1.0)
    raw = base64.b64decode(coded["data"][1]["embedding"])
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(vectors[1], abs=1e-6)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"input": []}', b'{"input": [1, 2]}', b'{"input": " "}', b'{"input": "x", "dimensions": 3}']
)
def test_wrong_requests_for_embeddings_are_refused(runner, upstream, body):
    with pytest.raises(UpstreamError) as caught:
        runner.run(upstream.send("POST", "/embeddings", body, {}))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/chat/completions"), ("POST", "/slots/0?action=erase"), ("GET", "/props"), ("POST", "/x\r\ny")]
)
def test_the_rest_of_llamas_server_is_not_passed_on(runner, upstream, method, path):
    with pytest.raises(UpstreamError) as caught:
        runner.run(upstream.send(method, path, b"{}", {}))
    assert caught.value.status == 404
    assert caught.value.message.isprintable()


def test_without_the_key_the_port_is_closed(runner, upstream):
    import aiohttp

    async def knock():
        address = f"{upstream._server.listening_address}/chat/completions"
        async with aiohttp.ClientSession() as session, session.post(address, json=SHORT) as response:
            return response.status

    assert runner.run(knock()) == 401


def test_closing_ends_what_runs_and_frees_the_model(upstream):
    async def life():
        other = EmbeddedUpstream(context=512)
        await other.start()
        task = asyncio.create_task(other.chat({**LONG, "max_tokens": 400}))
        await until(other, 1)
        address = other._server.listening_address
        await other.close()
        await other.close()
        with pytest.raises(UpstreamError):
            await task
        with pytest.raises(UpstreamError, match="not loaded"):
            await other.chat(SHORT)
        host, port = address.removeprefix("http://").split(":")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, int(port))
        return await other.healthy()

    assert asyncio.run(life()) is False


def test_a_file_that_is_no_model_stops_the_start(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\0" * 100)
    for path in (tmp_path / "absent.gguf", broken):
        upstream = EmbeddedUpstream(path)
        assert upstream.model == f"gguf/{path.name}"
        with pytest.raises(ModelError):
            asyncio.run(upstream.start())
    with pytest.raises(UsageError):
        EmbeddedUpstream(slots=0)
