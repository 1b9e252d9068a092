"""The clients that people have, unchanged, against a gateway: OpenAI's for Python and JavaScript, Inspect, llm, and a second gateway."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import absent
from gateway_process import MODEL, Process, serving
from gateway_scripted import Scripted

openai = pytest.importorskip("openai")

QUESTION = "What is the capital of France?"
FACT = {"wager": {"kind": "factual"}}
CHAT = {"wager": {"kind": "smalltalk"}}
UNSURE = [{"role": "user", "content": "What is the capital of France? [[unsure]]"}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


@pytest.fixture(scope="module")
def model() -> Iterator[Scripted]:
    with Scripted().running() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(model: Scripted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(tmp_path_factory.mktemp("gateway"), model.url) as running:
        yield running


@pytest.fixture
def client(gateway: Process) -> Iterator[Any]:
    with openai.OpenAI(base_url=gateway.url, api_key="anything", max_retries=0, timeout=20) as made:
        yield made


def asked(text: str = QUESTION) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


# -- OpenAI's client for Python ---------------------------------------------------------------------------------------------------------


def test_create_gets_an_ordinary_completion_with_what_the_gateway_knows(client: Any) -> None:
    made = client.chat.completions.create(model=MODEL, messages=asked(), extra_body=FACT)
    assert made.choices[0].message.content == "Paris"
    assert made.choices[0].finish_reason == "stop"
    assert made.choices[0].logprobs is None
    assert made.usage.total_tokens == 15
    assert made.wager["act"] == "answer"
    assert made.wager["kind"] == "factual"
    assert made.wager["source"] == "logprob"
    assert made._request_id.startswith("req_")


def test_headers_body_and_decision_agree(client: Any, gateway: Process) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=asked(), extra_body=FACT)
    told = raw.parse().wager
    kept = gateway.ask("GET", f"/v1/wager/decisions/{raw.headers['x-wager-id']}").json
    for one in (told, kept):
        assert one["id"] == raw.headers["x-wager-id"]
        assert one["kind"] == raw.headers["x-wager-kind"]
        assert one["act"] == raw.headers["x-wager-act"]
        assert one["policy"] == raw.headers["x-wager-policy"]
        assert f"{one['confidence']:.4f}" == raw.headers["x-wager-confidence"]
    assert told["confidence"] == kept["confidence"]


def test_an_abstention_is_an_ordinary_completion(client: Any) -> None:
    made = client.chat.completions.create(model=MODEL, messages=UNSURE, extra_body=FACT)
    assert made.wager["act"] == "abstain"
    assert made.choices[0].finish_reason == "stop"
    assert made.choices[0].message.refusal is None
    assert made.choices[0].message.content.startswith("I don't know.")
    assert "encyclopedia" in made.choices[0].message.content  # and what to do next
    assert "Paris" not in made.choices[0].message.content


@pytest.mark.parametrize(("options", "text"), [(CHAT, "Paris is the capital."), (FACT, "Paris")], ids=["at once", "buffered"])
def test_a_stream_is_made_of_chunks_with_choices_and_the_last_one_tells(client: Any, options: Any, text: str) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=asked(), stream=True, extra_body=options))
    assert all(len(one.choices) == 1 for one in chunks)
    assert "".join(one.choices[0].delta.content or "" for one in chunks) == text
    assert [one.choices[0].finish_reason for one in chunks if one.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].wager["kind"] == options["wager"]["kind"]
    assert not any(one.model_extra.get("wager") for one in chunks[:-1])
    assert {one.object for one in chunks} == {"chat.completion.chunk"}
    assert len({one.id for one in chunks}) == 1


@pytest.mark.parametrize("options", [CHAT, FACT], ids=["at once", "buffered"])
def test_usage_comes_in_a_last_chunk_only_if_asked_for(client: Any, options: Any) -> None:
    asking = {"model": MODEL, "messages": asked(), "stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = client.chat.completions.create(**asking, extra_body=options)
    assert last.choices == []
    assert last.usage.prompt_tokens == 12
    assert all(one.choices for one in chunks)


def test_a_stream_never_bypasses_an_abstention(client: Any) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=UNSURE, stream=True, extra_body=FACT))
    said = "".join(one.choices[0].delta.content or "" for one in chunks)
    assert said.startswith("I don't know.")
    assert "Paris" not in said
    assert chunks[-1].wager["act"] == "abstain"


def test_the_stream_helper_puts_the_completion_together(client: Any) -> None:
    with client.chat.completions.stream(model=MODEL, messages=asked(), extra_body=CHAT) as stream:
        kinds = [one.type for one in stream]
        made = stream.get_final_completion()
    assert made.choices[0].message.content == "Paris is the capital."
    assert "content.delta" in kinds
    assert kinds[-1] == "content.done"


def test_tools_are_passed_through_and_a_call_has_no_confidence(client: Any) -> None:
    made = client.chat.completions.create(model=MODEL, messages=asked("Weather in Oslo?"), tools=[TOOL], extra_body=FACT)
    (call,) = made.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Oslo"})
    assert made.choices[0].finish_reason == "tool_calls"
    assert made.wager["confidence"] is None
    assert "tool" in made.wager["no_confidence"]


def test_several_choices_and_their_log_probabilities_come_as_asked_for(client: Any) -> None:
    made = client.chat.completions.create(model=MODEL, messages=asked(), n=3, logprobs=True, extra_body=FACT)
    assert [one.index for one in made.choices] == [0, 1, 2]
    assert [one.message.content for one in made.choices] == ["Paris"] * 3
    assert [one.logprobs.content[0].logprob for one in made.choices] == [-0.01] * 3


def test_parts_of_a_message_and_unknown_fields_reach_the_model(client: Any, model: Scripted) -> None:
    parts = [{"type": "text", "text": "Describe, please."}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}], extra_body={**CHAT, "top_k": 7})
    (seen,) = model.about("Describe, please.")
    assert seen.body["messages"][-1]["content"] == parts
    assert seen.body["top_k"] == 7
    assert "wager" not in seen.body
    assert "authorization" in seen.headers
    assert "anything" not in seen.headers["authorization"]


def test_a_form_is_parsed(client: Any) -> None:
    from pydantic import BaseModel

    class Place(BaseModel):
        city: str

    made = client.chat.completions.parse(
        model=MODEL, messages=asked('Where? [[say {"city": "Oslo"}]]'), response_format=Place, extra_body=FACT
    )
    assert made.choices[0].message.parsed == Place(city="Oslo")


def test_the_responses_api_answers_and_streams(client: Any) -> None:
    made = client.responses.create(model=MODEL, input=QUESTION, instructions="Be brief.", extra_body=FACT)
    assert made.output_text == "Paris"
    assert made.status == "completed"
    assert made.usage.input_tokens == 12
    assert made.wager["kind"] == "factual"
    events = list(client.responses.create(model=MODEL, input=QUESTION, stream=True, extra_body=CHAT))
    kinds = [one.type for one in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert "".join(one.delta for one in events if one.type == "response.output_text.delta") == "Paris is the capital."
    assert [one.sequence_number for one in events] == list(range(len(events)))
    assert events[-1].response.output_text == "Paris is the capital."
    with client.responses.stream(model=MODEL, input=QUESTION, extra_body=CHAT) as stream:
        assert stream.until_done().get_final_response().output_text == "Paris is the capital."
    called = client.responses.create(model=MODEL, input="Weather?", tools=[{"type": "function", **TOOL["function"]}], extra_body=FACT)
    assert [one.type for one in called.output] == ["function_call"]
    assert json.loads(called.output[0].arguments) == {"city": "Oslo"}


def test_models_and_embeddings_are_passed_through(client: Any) -> None:
    assert [one.id for one in client.models.list()] == ["scripted"]
    assert client.embeddings.create(model=MODEL, input="x", encoding_format="float").data[0].embedding == [0.5, -0.5]


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("refusing", "BadRequestError", None),
        ("throttled", "RateLimitError", "rate_limit_exceeded"),
        ("failing", "InternalServerError", "upstream_failed"),
        ("bad-json", "InternalServerError", "upstream_invalid"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_the_clients_own_exceptions(client: Any, fault: str, error: str, code: str | None, stream: bool) -> None:
    with pytest.raises(getattr(openai, error)) as caught:
        client.chat.completions.create(model=MODEL, messages=asked(f"Fail. [[{fault}]]"), stream=stream, extra_body=CHAT)
    assert caught.value.code == code
    assert caught.value.request_id.startswith("req_")
    client.chat.completions.create(model=MODEL, messages=asked(), extra_body=CHAT)


def test_a_wrong_option_is_a_bad_request_that_names_it(client: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=asked(), extra_body={"wager": {"target": 2}})
    assert caught.value.param == "wager.target"


@pytest.mark.parametrize("options", [CHAT, {"wager": {"act": "raw"}}], ids=["at once", "raw"])
@pytest.mark.parametrize("fault", ["error-midway", "half-chunk"])
def test_a_stream_that_breaks_is_an_api_error_after_its_first_tokens(client: Any, options: Any, fault: str) -> None:
    heard = []
    with pytest.raises(openai.APIError):  # noqa: PT012 - the tokens before it are the point
        for one in client.chat.completions.create(model=MODEL, messages=asked(f"Hello [[{fault}]]"), stream=True, extra_body=options):
            heard += [one.choices[0].delta.content]
    assert heard == ["Paris", " is"]
    client.chat.completions.create(model=MODEL, messages=asked(), extra_body=CHAT)


def test_a_broken_stream_of_the_responses_api_is_told(client: Any) -> None:
    try:
        kinds = [one.type for one in client.responses.create(model=MODEL, input="Hi [[error-midway]]", stream=True, extra_body=CHAT)]
    except openai.APIError:
        return
    assert kinds[-1] in ("error", "response.failed")


# -- OpenAI's client for JavaScript -----------------------------------------------------------------------------------------------------

SCRIPT = """
const { createRequire } = require("node:module");
const OpenAI = createRequire(process.argv[2] + "/from.js")("openai").default;
const client = new OpenAI({ baseURL: process.argv[3], apiKey: "anything", maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of France?" }];
const fact = { model: "scripted", messages, wager: { kind: "factual" } };
const chat = { model: "scripted", messages, wager: { kind: "smalltalk" } };
(async () => {
  const out = {};
  const { data, response } = await client.chat.completions.create(fact).withResponse();
  out.content = data.choices[0].message.content;
  out.act = data.wager.act;
  out.same = data.wager.id === response.headers.get("x-wager-id");
  out.streamed = ""; out.chunks = 0; out.last = null;
  for await (const one of await client.chat.completions.create({ ...chat, stream: true })) {
    out.streamed += one.choices[0].delta.content ?? "";
    out.last = one.wager ?? null;
  }
  const unsure = [{ role: "user", content: "Capital? [[unsure]]" }];
  out.abstained = (await client.chat.completions.create({ ...fact, messages: unsure })).choices[0].message.content;
  const runner = client.chat.completions.stream(chat);
  out.helper = (await runner.finalChatCompletion()).choices[0].message.content;
  out.response = (await client.responses.create({ model: "scripted", input: "Capital?", wager: { kind: "factual" } })).output_text;
  const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
  out.tool = (await client.chat.completions.create({ ...fact, tools })).choices[0].message.tool_calls[0].function.name;
  try { await client.chat.completions.create({ ...fact, wager: { target: 2 } }); }
  catch (error) { out.error = [error.constructor.name, error.status, error.param]; }
  try {
    const broken = [{ role: "user", content: "Hi [[error-midway]]" }];
    for await (const one of await client.chat.completions.create({ ...chat, messages: broken, stream: true })) out.before = one.choices[0].delta.content;
  } catch (error) { out.midway = error instanceof OpenAI.APIError; }
  console.log(JSON.stringify(out));
})().catch((error) => { console.error(error); process.exit(1); });
"""


def test_the_client_for_javascript_works_unchanged(gateway: Process, tmp_path: Path) -> None:
    node = shutil.which("node")
    here = Path(__file__).parent.parent
    named = os.environ.get("WAGER_NODE_MODULES")
    folders = [Path(named)] if named else [here / "node_modules", here.parent / "node_modules"]
    folder = next((one for one in folders if (one / "openai").is_dir()), None)
    if node is None or folder is None:
        absent("node with the module openai (npm install openai; WAGER_NODE_MODULES names another folder)")
    script = tmp_path / "client.cjs"
    script.write_text(SCRIPT)
    ran = subprocess.run([node, script, folder.resolve(), gateway.url], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    out = json.loads(ran.stdout)
    assert (out["content"], out["act"], out["same"]) == ("Paris", "answer", True)
    assert out["streamed"] == "Paris is the capital."
    assert out["last"]["kind"] == "smalltalk"
    assert out["abstained"].startswith("I don't know.")
    assert out["helper"] == "Paris is the capital."
    assert out["response"] == "Paris"
    assert out["tool"] == "weather"
    assert out["error"] == ["BadRequestError", 400, "wager.target"]
    assert (out["before"], out["midway"]) == (" is", True)


# -- others -----------------------------------------------------------------------------------------------------------------------------


def test_an_inspect_evaluation_runs_through_the_gateway(gateway: Process, tmp_path: Path) -> None:
    inspect_ai = pytest.importorskip("inspect_ai")
    from inspect_ai.dataset import Sample
    from inspect_ai.model import get_model
    from inspect_ai.scorer import match

    before = gateway.ask("GET", "/v1/wager/summary").json
    task = inspect_ai.Task(
        dataset=[Sample(input=QUESTION, target="Paris"), Sample(input="Capital of Norway?", target="Oslo")], scorer=match()
    )
    through = get_model(f"openai/{MODEL}", base_url=gateway.url, api_key="anything")
    (log,) = inspect_ai.eval(task, model=through, log_dir=str(tmp_path), display="none", score_display=False)
    assert log.status == "success", log.error
    assert log.results.scores[0].metrics["accuracy"].value == 0.5
    assert gateway.ask("GET", "/v1/wager/summary").json != before


@pytest.mark.parametrize("how", [[], ["--no-stream"]], ids=["stream", "whole"])
def test_llm_talks_to_the_gateway(gateway: Process, tmp_path: Path, how: list[str]) -> None:
    pytest.importorskip("llm")
    (tmp_path / "extra-openai-models.yaml").write_text(f"- model_id: gateway\n  model_name: {MODEL}\n  api_base: {gateway.url}\n")
    env = os.environ | {"LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "anything"}
    command = [sys.executable, "-m", "llm", "-m", "gateway", *how, "Hello there! [[say Good day]]"]
    ran = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().replace(" ", "") == "Goodday"


def test_a_gateway_in_front_of_a_gateway(gateway: Process, tmp_path: Path) -> None:
    with serving(tmp_path, gateway.url) as outer:
        reply = outer.chat(QUESTION, wager={"kind": "factual"})
        told = reply.json["wager"]
        assert reply.headers["x-wager-id"] == told["id"]
        assert outer.ask("GET", f"/v1/wager/decisions/{told['id']}").json["confidence"] == told["confidence"]
        assert gateway.ask("GET", f"/v1/wager/decisions/{told['id']}").status == 404  # each keeps its own
        assert told["act"] == "answer"
        streamed = outer.chat(QUESTION, wager={"kind": "smalltalk"}, stream=True).events
        assert streamed[-1] == "[DONE]"
        assert streamed[-2]["wager"]["kind"] == "smalltalk"
        raw = outer.chat(QUESTION, wager={"act": "raw"})
        inner = raw.json["wager"]["id"]  # of the gateway behind
        assert outer.ask("GET", f"/v1/wager/decisions/{inner}").status == 404
        assert gateway.ask("GET", f"/v1/wager/decisions/{inner}").json["id"] == inner
        unsure = outer.chat(f"{QUESTION} [[unsure]]", wager={"kind": "factual"}).json
        assert unsure["choices"][0]["message"]["content"].startswith("I don't know.")
        assert outer.chat("Fail [[throttled]]", wager={"kind": "factual"}).status == 429
        assert outer.secrets_in() == []
