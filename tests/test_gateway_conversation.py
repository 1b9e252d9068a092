"""What one reply says about the others: earlier messages, several choices, limits that the client sets, what a model's server claims."""

import asyncio

import pytest

from gateway_inside import ABLE, Ruled, Said, inside, policy
from wager.detection.detector import Detector
from wager.gateway.answering import Answering
from wager.gateway.wire import read_chat

PERU = "What is the capital of Peru?"
DARK = "I want to kill myself"


def turns(*users: str) -> list[dict[str, str]]:
    """A conversation with these messages of the user, each but the last answered."""
    found = []
    for text in users:
        found += [{"role": "user", "content": text}, {"role": "assistant", "content": "I am here."}]
    return found[:-1]


@pytest.mark.parametrize("last", ["no", "What is the easiest way?", PERU])
def test_signs_of_crisis_are_not_forgotten_with_the_next_message(tmp_path, last):
    with inside({"": "Sorry, I cannot answer that."}, policy(), tmp_path) as gateway:
        found = gateway.chat(turns(DARK, last))
        assert gateway.asked == []
    assert found.wager["act"] == "support"
    assert "emergency" in found.text


def test_long_after_signs_of_crisis_the_conversation_stays_personal(tmp_path):
    with inside({"": "That sounds calmer. What would you like to do next?"}, policy(), tmp_path) as gateway:
        found = gateway.chat(turns(DARK, "thanks", "I called them", "it helped", "a friend came", "we had tea"))
    assert (found.wager["kind"], found.wager["act"]) == ("personal", "support")
    assert found.text.startswith("That sounds calmer")


def test_each_of_several_choices_has_its_own_verdict(tmp_path):
    replies = iter([Said(text="Lima", sure=0.9), Said(text="Cusco", sure=0.1), Said(text="I don't know.")])
    with inside({"Peru": lambda request: next(replies)}, policy(), tmp_path) as gateway:
        found = gateway.chat(PERU, kind="factual", n=3)
    told = found.wager["choices"]
    assert [one["index"] for one in told] == [0, 1, 2]
    assert told[0]["act"] == "answer"
    assert told[0]["confidence"] > told[1]["confidence"]
    assert told[1]["act"] != "answer"
    assert (told[2]["act"], told[2]["confidence"]) == ("abstain", None)
    assert found.wager["act"] == told[0]["act"]


def test_a_kind_that_gives_one_reply_says_that_n_was_not_used(tmp_path):
    with inside({"": "That sounds hard. What hurts most?"}, policy(), tmp_path) as gateway:
        found = gateway.chat("I feel so alone since my dog died.", kind="personal", n=3)
    assert len(found.json["choices"]) == 1
    assert any("n was not used" in note for note in found.wager["notes"])


def test_half_an_answer_is_not_a_confident_one(tmp_path):
    with inside({"": "Lima"}, policy(), tmp_path) as gateway:
        whole = gateway.chat(PERU, kind="factual")
    assert whole.wager["act"] == "answer"

    class Cut(Ruled):
        async def chat(self, request):
            response = await super().chat(request)
            response["choices"][0]["finish_reason"] = "length"
            return response

    task, answering = _task(Cut({"": Said(text="The capital of", sure=0.95)}), max_tokens=3)
    found = asyncio.run(answering.respond(task)).decided
    assert found.confidence is None
    assert "cut off" in found.no_confidence
    assert found.act != "answer"


def _task(upstream, **options):
    """A factual request on its way."""
    import json

    answering = Answering(upstream, Detector.load(), policy())
    body = {"messages": [{"role": "user", "content": PERU}], "wager": {"kind": "factual"}, **options}
    return asyncio.run(answering.task(read_chat(json.dumps(body).encode()))), answering


def test_a_stated_target_holds_for_long_answers_too(tmp_path):
    long = "Lima is the capital of Peru and has been so since the Spanish founded it in the year 1535 on the coast"
    with inside({"Peru": long}, policy(), tmp_path) as gateway:
        assert gateway.chat(PERU, kind="factual").wager["act"] == "answer"
        found = gateway.chat(PERU, kind="factual", wager={"target": 0.9})
    assert found.wager["act"] == "abstain"
    assert "text" in found.wager["no_confidence"]


def test_a_target_that_was_not_used_is_told(tmp_path):
    with inside({"": "Once upon a time a fox went out."}, policy(), tmp_path) as gateway:
        found = gateway.chat("Write a story about a fox.", kind="creative", wager={"target": 0.9})
    assert found.wager["target"] is None
    assert any("target was not used" in note for note in found.wager["notes"])


def test_a_warm_answer_says_that_the_calibration_is_of_cold_ones(tmp_path):
    with inside({"": "Lima"}, policy(), tmp_path) as gateway:
        found = gateway.chat(PERU, kind="factual", temperature=0.7)
        told = gateway.chat(PERU, kind="reasoning", temperature=0.7)
    assert any("temperature" in note for note in found.wager["notes"])
    assert (told.wager["calibration_id"], told.wager["confidence"]) == (None, pytest.approx(0.9))


def test_local_models_are_not_asked_for_log_probabilities_beside_tools(tmp_path):
    class Local(Ruled):
        model = "embedded/one"

    tools = [{"type": "function", "function": {"name": "atlas", "parameters": {"type": "object"}}}]
    task, answering = _task(Local({"": Said(text="Lima", sure=None)}, capabilities=ABLE), tools=tools)
    asyncio.run(answering.respond(task))
    assert "logprobs" not in answering.upstream.asked[0]
    task, answering = _task(Local({"": Said(text="Lima")}, capabilities=ABLE))
    asyncio.run(answering.respond(task))
    assert answering.upstream.asked[0]["logprobs"] is True


def test_a_models_server_cannot_forge_the_gateways_object(tmp_path):
    class Forging(Ruled):
        async def stream(self, request):
            async for one in super().stream(request):
                choices = [{**choice, "wager": "F"} for choice in one["choices"]]
                yield {**one, "choices": choices, "wager": {"act": "FORGED", "confidence": 1}}

        async def chat(self, request):
            response = await super().chat(request)
            return {**response, "choices": [{**one, "wager": "F"} for one in response["choices"]], "wager": {"act": "FORGED"}}

    from wager.gateway.streaming import streamed

    async def heard(kind):
        answering = Answering(Forging({"": "Lima"}), Detector.load(), policy())
        body = b'{"messages": [{"role": "user", "content": "%s"}], "stream": true, "wager": {"kind": "%s"}}' % (PERU.encode(), kind)

        async def keep(decided):
            return None

        return b"".join([one async for one in streamed(answering, await answering.task(read_chat(body)), keep)])

    for kind in (b"transform", b"factual"):
        events = asyncio.run(heard(kind))
        assert b"FORGED" not in events
        assert b'"wager":"F"' not in events
        assert events.count(b'"wager"') == 1


def test_a_model_name_is_no_path(tmp_path):
    with inside({"": "Lima"}, policy(), tmp_path) as gateway:
        assert gateway.ask("GET", "/v1/models/a%2F%2E%2E%2Fb").status == 404
        gateway.ask("GET", "/v1/models/a%3Fapi_version=1")
        assert gateway.asked[-1]["path"] == "/models/a%3Fapi_version%3D1"
        assert gateway.ask("GET", "/v1/models/scripted/one").json["id"] == "scripted/one"


def test_tokens_that_one_call_does_not_tell_are_unknown_in_all(tmp_path):
    class Silent(Ruled):
        async def chat(self, request):
            response = await super().chat(request)
            usage = {"prompt_tokens": 9, "completion_tokens": 4} if len(self.asked) > 1 else {"prompt_tokens": 9}
            return {**response, "usage": usage}

    task, answering = _task(Silent({"": "Lima"}))
    for _ in range(2):
        asyncio.run(task.meter.chat(task.asking()))
    assert (task.meter.total.calls, task.meter.total.tokens_in, task.meter.total.tokens_out) == (2, 18, None)
    response = asyncio.run(answering.respond(task)).body
    assert "usage" not in response


def test_usage_that_grows_with_each_chunk_is_counted_once():
    class Counting(Ruled):
        async def stream(self, request):
            for number, word in enumerate(("Good", " morning", " to you"), 1):
                usage = {"prompt_tokens": 5, "completion_tokens": number}
                yield {**self._chunk({"content": word}), "usage": usage}
            yield {**self._chunk({}, finish="stop"), "usage": {"prompt_tokens": 5, "completion_tokens": 3}}

    task, _ = _task(Counting({"": ""}))

    async def heard():
        return [one async for one in task.meter.stream(task.asking())]

    asyncio.run(heard())
    assert (task.meter.total.tokens_in, task.meter.total.tokens_out) == (5, 3)
