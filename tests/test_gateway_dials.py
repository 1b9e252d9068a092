"""Dials in the gateway, with the embedded model and a real vector: what is turned moves the reply, what may not be turned is left out."""

import asyncio
import json
from dataclasses import replace
from importlib.resources import files
from threading import enumerate as enumerate_threads
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.testclient import TestClient

from conftest import absent
from gateway_inside import Answer
from wager.errors import ModelError, UsageError
from wager.gateway.dials import Dials, read_dial
from wager.gateway.rulebook import Rulebook
from wager.gateway.server import application_of, check
from wager.gateway.settings import DialSettings, Settings, UpstreamSettings, read_settings
from wager.gateway.upstream import Capabilities, UpstreamError
from wager.gateway.upstream_embedded import EMBEDDED, EmbeddedUpstream
from wager.gateway.upstream_steered import SteeredModel, SteeredUpstream, Wanted, _choice
from wager.models.weights import embedded_weights
from wager.policy.toml import read_policy
from wager.steering.backend import Reply
from wager.steering.card_licence import gate_text, vector_digest, with_licences
from wager.steering.licence_results import Chosen, Figures, Licence, to_json
from wager.steering.llama import LlamaSteering
from wager.steering.probe import Probe, Threshold
from wager.steering.probe_file import write_probe
from wager.steering.vector import Card, Vector
from wager.steering.vector_file import write_vector

BLOCK = 16
KNOWN, INVENTED = "What is the capital of Japan?", "What is the capital of Brovania?"
QUESTIONS = ("What is the capital of France?", "Who wrote Hamlet?", "What is the largest planet?", "When did the Titanic sink?")
TALE = "Tell me a story about the sea."
SURE, UNSURE = "I am certain of it.", "I do not know, I am not sure at all."


def asking(text):
    return [{"role": "user", "content": text}]


def figures():
    return Figures(kind="none", dose=0.0, gated=False, replies=1, seeds=1, ungraded={}, values={}, changes={})


def licence(dose, *, verdict="licensed", trait="hedging", gated=False, about=None, vector=None, band=(-0.6, 0.6)):
    """Of the vector, if it is given."""
    of = {} if vector is None else {"vectors": f"{'0' * 16}, {vector_digest(vector)[:16]}"}
    chosen = Chosen(goal="selectivity", dose=dose, gated=gated, candidates=(), refused={}, questions=())
    return Licence(
        trait=trait, goal="selectivity", verdict=verdict, checks=(), chosen=chosen, at_dose=None, unsteered=figures(), doses=(), controls=(),
        against={}, band=band, about=of | (about or {}),
    )  # fmt: skip


def written(folder, name="licence.json", **which):
    path = folder / name
    path.write_text(json.dumps({key: to_json(one) for key, one in which.items()}))
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A vector from four questions with replies put into the model's mouth, and a gate between two prompts; both of the model itself."""
    folder = tmp_path_factory.mktemp("dials")
    try:
        model = LlamaSteering(embedded_weights(), name="embedded", context=128, sequences=1)
    except ModelError as error:
        absent(f"the embedded model ({error})")
    chats = [asking(one) for one in QUESTIONS]
    means = [model.read(chats, [reply] * len(chats), pool="reply_mean", blocks=[BLOCK])[:, 0] for reply in (UNSURE, SURE)]
    norm = float(np.median(np.linalg.norm(np.concatenate(means), axis=1)))
    direction = np.asarray(means[0].mean(axis=0) - means[1].mean(axis=0), dtype=np.float32)
    card = Card(trait="hedging", model=model.identity, elicitation="teacher-forced", block=BLOCK, norms={BLOCK: norm})
    vector = Vector({BLOCK: direction}, card)
    known, invented = model.read([asking(KNOWN), asking(INVENTED)], pool="prompt_last", blocks=[BLOCK])[:, 0].astype(np.float64)
    unit = (invented - known) / np.linalg.norm(invented - known)
    middle = float(unit @ (invented + known) / 2)
    gate = Probe(
        name="unknown", what="the subject is unknown", model=model.identity, block=BLOCK, pool="prompt_last", direction=np.float32(unit),
        slope=1.0, intercept=-middle, share=0.5,
        threshold=Threshold(value=middle, rate=0.1, bound="empirical", n=1, fired=0, expected=0.5, upper=0.95),
    )  # fmt: skip
    model.close()
    write_vector(folder / "hedging.safetensors", vector)
    write_probe(folder / "unknown.safetensors", gate)
    return SimpleNamespace(
        folder=folder, vector=vector, gate=gate, file=str(folder / "hedging.safetensors"), gated=str(folder / "unknown.safetensors")
    )


@pytest.fixture(scope="module")
def chat(made):
    own = written(made.folder, ungated=licence(0.5, vector=made.vector), gated=licence(0.5, gated=True, vector=made.vector))
    dials = {
        "hedging": DialSettings(vector=made.file, licence=own),
        "factuality": DialSettings(vector=made.file, gate=made.gated, licence=own),
        "boldness": DialSettings(vector=made.file, turn=-1, unlicensed=True, most=0.4),
        "unproven": DialSettings(vector=made.file, most=0.4),
    }
    policy = made.folder / "policy.toml"
    policy.write_text(_policy())
    settings = Settings(dials=dials, journal=str(made.folder / "journal"), page=False, policy=str(policy))
    with TestClient(application_of(settings), base_url="http://localhost") as client:

        def ask(prompt, dials=None, *, kind="reasoning", **body):
            wager = {"kind": kind, **({"dials": dials} if dials is not None else {}), **body.pop("wager", {})}
            data = {"messages": asking(prompt), "wager": wager, "max_tokens": 12, "temperature": 0, **body}
            found = client.post("/v1/chat/completions", json=data)
            return Answer(found.status_code, found.headers, found.content)

        ask.client, ask.settings = client, settings
        yield ask


def _policy():
    """The embedded model's own, with a dial that small talk has turned."""
    return (files("wager.policy") / "embedded.toml").read_text() + "\n[knobs.smalltalk]\ndials = { hedging = 1.0 }\n"


def test_a_dial_moves_the_reply_and_its_dose_is_told(chat):
    plain, turned = chat(KNOWN), chat(KNOWN, {"hedging": 0.8})
    assert "dials" not in plain.wager
    assert turned.wager["dials"] == {"hedging": {"value": 0.8, "dose": 0.4, "fired": None, "probability": None}}
    assert turned.text != plain.text
    assert "notes" not in plain.wager
    assert turned.json["model"] == plain.json["model"] == EMBEDDED


def test_each_request_has_its_own_dials_and_none_lasts(chat):
    before = chat(KNOWN, {"boldness": 0.1}).text
    asked = [{"hedging": 1.0}, {"boldness": 1.0}, {"hedging": 1.0}, {"boldness": 0.1}]
    texts = [chat(KNOWN, one).text for one in asked]
    assert texts[0] == texts[2] != texts[1]
    assert texts[3] == before


def test_the_turn_and_the_side_give_the_sign_of_the_dose(chat):
    both = chat(KNOWN, {"boldness": 0.5}), chat(KNOWN, {"boldness": -0.5})
    assert [one.wager["dials"]["boldness"]["dose"] for one in both] == [-0.2, 0.2]


def test_a_gate_turns_the_dial_for_what_it_fires_on_and_leaves_the_rest_as_it_was(chat):
    fired, idle = chat(INVENTED, {"factuality": 1.0}), chat(KNOWN, {"factuality": 1.0})
    told = [one.wager["dials"]["factuality"] for one in (fired, idle)]
    assert [one["fired"] for one in told] == [True, False]
    assert told[0]["probability"] > 0.5 > told[1]["probability"]
    assert told[0]["dose"] == told[1]["dose"] == 0.5
    assert fired.text != chat(INVENTED).text
    assert idle.text == chat(KNOWN, {"boldness": 1e-9}).text, "as if there were no dial"


def test_what_has_no_licence_is_left_out_and_told_why(chat):
    found = chat(KNOWN, {"unproven": 1.0, "humour": 0.2, "hedging": -0.5})
    assert "dials" not in found.wager
    assert found.wager["notes"] == [
        "the dial hedging was left out: it is licensed the other way alone",
        "the dial humour was left out: there is none of that name; there are boldness, factuality, hedging, unproven",
        "the dial unproven was left out: it has no licence",
    ]
    assert found.text == chat(KNOWN).text


def test_the_policy_turns_dials_for_a_kind_and_a_request_turns_them_back(chat):
    turned, off = chat("Hello!", kind="smalltalk"), chat("Hello!", {"hedging": 0}, kind="smalltalk")
    assert turned.wager["dials"]["hedging"]["dose"] == 0.5
    assert "dials" not in off.wager
    assert turned.text != off.text


def test_a_calibration_of_the_model_without_dials_is_not_used(chat):
    plain, turned = chat(KNOWN, kind="factual"), chat(KNOWN, {"hedging": 0.2}, kind="factual", wager={"why": True})
    assert plain.wager["calibration_id"].startswith("logprob@")
    assert turned.wager["calibration_id"] is None
    assert turned.wager["confidence"] == turned.wager["raw"] is not None
    assert turned.wager["notes"] == ["the policy was made without these dials: no confidence is calibrated"]
    assert turned.wager["model"] == f"{EMBEDDED}#hedging=0.2"
    refused = chat(KNOWN, {"hedging": 0.2}, kind="factual", wager={"target": 0.5})
    assert refused.status == 400
    assert "made without these dials" in refused.json["error"]["message"]


def test_a_policy_made_with_the_same_dials_decides_and_one_with_others_does_not():
    plain, name = read_policy(files("wager.policy") / "embedded.toml"), f"{EMBEDDED}#hedging=0.2"
    own = replace(plain, model=name, calibrations={key: replace(one, model=name) for key, one in plain.calibrations.items()})
    able = Capabilities(logprobs=True, top_logprobs=False, temperature=True)
    book = Rulebook(own)
    assert book.ruling("factual", name, able).decider is not None
    for other in (EMBEDDED, f"{EMBEDDED}#hedging=0.3", f"{EMBEDDED}#boldness=0.1,hedging=0.2"):
        assert book.ruling("factual", other, able).decider is None
        assert book.probability("logprob", 0.5, other) is None


def test_a_stream_says_the_same_and_ends_with_what_was_done(chat):
    for kind in ("transform", "factual"):
        whole = chat(KNOWN, {"hedging": 1.0}, kind=kind)
        stream = chat(KNOWN, {"hedging": 1.0}, kind=kind, stream=True, stream_options={"include_usage": True})
        assert stream.streamed == whole.text
        [told] = [one["wager"] for one in stream.events if isinstance(one, dict) and "wager" in one]
        assert told["dials"] == whole.wager["dials"]


def test_the_journal_keeps_what_was_turned(chat):
    made = chat(INVENTED, {"factuality": 0.5, "hedging": 0.5})
    kept = chat.client.get(f"/v1/wager/decisions/{made.wager['id']}").json()
    assert kept["dials"] == made.wager["dials"]
    assert kept["dials"]["factuality"]["fired"] is True
    assert kept["model"] == f"{EMBEDDED}#factuality=0.5,hedging=0.5"
    assert any("together" in one for one in made.wager["notes"])


def test_tools_forms_and_crises_are_not_steered(chat):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    found = chat(KNOWN, {"hedging": 1.0}, tools=[tool])
    assert found.wager["notes"][0] == "the dials hedging were left out: a reply with tools or with a form of its own is not steered"
    assert "dials" not in found.wager
    called = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    before = [{"role": "assistant", "content": None, "tool_calls": [called]}, {"role": "tool", "tool_call_id": "c1", "content": "3"}]
    later = chat(KNOWN, {"hedging": 1.0}, messages=[*asking("Count."), *before, *asking(KNOWN)])
    assert later.wager["notes"][0].endswith("is not steered")
    crisis = chat("I want to kill myself tonight.", {"hedging": 1.0}, kind=None)
    assert crisis.wager["act"] == "support"
    assert "dials" not in crisis.wager, "no model was asked"


def test_choices_seeds_stops_limits_and_log_probabilities_are_heeded(chat):
    warm = {"temperature": 1.0, "n": 2, "seed": 5, "logprobs": True}
    first, again = chat(KNOWN, {"hedging": 0.4}, **warm), chat(KNOWN, {"hedging": 0.4}, **warm)
    texts = [one["message"]["content"] for one in first.json["choices"]]
    assert texts == [one["message"]["content"] for one in again.json["choices"]]
    assert texts[0] != texts[1]
    for choice in first.json["choices"]:
        tokens = choice["logprobs"]["content"]
        assert 0 < len(tokens) <= 12
        assert "".join(one["token"] for one in tokens).strip() == choice["message"]["content"]
        assert all(one["logprob"] <= 0 for one in tokens)
    whole = chat(TALE, {"hedging": 0.2})
    assert whole.json["usage"]["completion_tokens"] == 12
    assert whole.json["choices"][0]["finish_reason"] == "length"
    word = " " + whole.text.split()[3]
    cut = chat(TALE, {"hedging": 0.2}, stop=[word], logprobs=True)
    assert cut.text == whole.text[: whole.text.index(word)]
    assert cut.json["choices"][0]["finish_reason"] == "stop"
    assert "".join(one["token"] for one in cut.json["choices"][0]["logprobs"]["content"]).strip() == cut.text.strip()
    noted = chat(KNOWN, {"hedging": 0.2}, top_p=0.5, logprobs=True, top_logprobs=2).wager["notes"]
    assert any("top_p did nothing" in one for one in noted)
    assert any("top_logprobs did nothing" in one for one in noted)


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"max_tokens": "many"}, {"temperature": -1}, {"stop": 3}, {"messages": []}])
def test_what_cannot_be_answered_is_refused_as_without_dials(chat, wrong):
    assert chat(KNOWN, {"hedging": 1.0}, **wrong).status == 400


def test_a_prompt_longer_than_the_context_is_refused_in_one_line(chat):
    found = chat("word " * 5000, {"hedging": 1.0})
    assert found.status == 400
    assert "tokens, more than the 4096 of the context" in found.json["error"]["message"]


def test_a_client_that_goes_away_ends_the_work_and_the_next_one_is_answered(made):
    dials = Dials({"boldness": read_dial("boldness", DialSettings(vector=made.file, unlicensed=True, most=0.2))})
    steering = SteeredModel(dials, context=1024)
    long = {"messages": asking("Write a long story about the sea."), "max_tokens": 900, "temperature": 0}

    async def both():
        await steering.start()
        assert not steering.loaded, "it is loaded when it is needed"
        upstream = SteeredUpstream(EmbeddedUpstream(), steering, dials.plan_for({"boldness": 0.1})[0])
        await upstream.chat({**long, "max_tokens": 1})
        engine = steering._engine
        written, real = [], engine.generate

        def counted(*args, **options):
            stop = options["stop"]
            options["stop"] = lambda at, text: written.append(at) or stop(at, text)
            return real(*args, **options)

        engine.generate = counted
        task = asyncio.create_task(upstream.chat(long))
        while not written:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await upstream.chat({**long, "max_tokens": 3})
        assert len(written) < 800, "the first ended long before its last token"
        await steering.close()
        await steering.close()
        with pytest.raises(UpstreamError, match="not open"):
            await upstream.chat(long)
        return found

    assert asyncio.run(both())["usage"]["completion_tokens"] == 3


def settings_with(dial, **more):
    return Settings(**{"dials": {"calm": dial}, "journal": None, **more})


def test_the_check_says_what_each_dial_may_do(made):
    own = written(made.folder, "ungated.json", ungated=licence(-0.3, vector=made.vector))
    lines = check(settings_with(DialSettings(vector=made.file, licence=own, turn=-1)))
    assert "dial calm: licensed; +1 is the dose -0.3" in lines
    assert "dial calm is off: it has no licence" in check(settings_with(DialSettings(vector=made.file, most=0.2)))


def test_a_licence_without_the_gate_does_not_allow_the_gated_dial(made):
    own = written(made.folder, "ungated.json", ungated=licence(0.3, vector=made.vector))
    dial = read_dial("calm", DialSettings(vector=made.file, gate=made.gated, licence=own, most=0.5))
    assert dial.up.reason == "its licence was run without the gate"
    refused = written(made.folder, "refused.json", ungated=licence(0.3, verdict="unlicensed", vector=made.vector))
    assert not read_dial("calm", DialSettings(vector=made.file, licence=refused)).licensed


def test_a_licence_that_cannot_be_of_this_vector_or_was_a_trial_turns_nothing_on(made):
    old = written(made.folder, "old.json", ungated=licence(0.3))
    dial = read_dial("calm", DialSettings(vector=made.file, licence=old, most=0.5))
    assert not dial.licensed
    assert dial.up.reason.startswith("its licence does not say of which vector it is")
    tried = written(made.folder, "tried.json", ungated=licence(0.3, vector=made.vector, about={"trial": "2"}))
    dial = read_dial("calm", DialSettings(vector=made.file, licence=tried, most=0.5))
    assert not dial.licensed
    assert dial.up.reason.startswith("its licence was a trial with few questions")
    assert dial.band == (-0.5, 0.5), "nor is the band of a trial taken"


def test_with_a_gate_the_band_is_that_with_the_gate_and_without_one_that_without(made):
    gated = licence(0.5, gated=True, vector=made.vector, band=(-0.6, 0.6), about={"gate": gate_text(made.gate)})
    found = {"ungated": licence(0.2, vector=made.vector, band=(-0.25, 0.25)), "gated": gated}
    own, path = written(made.folder, "both.json", **found), made.folder / "both.safetensors"
    write_vector(path, with_licences(made.vector, found))
    for licensed in (own, None):  # the card says the same
        free = {"vector": str(path), "licence": licensed, "unlicensed": True}
        assert read_dial("calm", DialSettings(gate=made.gated, **free)).band == (-0.6, 0.6)
        assert read_dial("calm", DialSettings(**free)).band == (-0.25, 0.25)


def test_a_dial_never_leaves_the_band(made):
    card = replace(made.vector.card, band=(-0.2, 0.45))
    path = made.folder / "banded.safetensors"
    write_vector(path, Vector(made.vector.directions, card))
    dial = read_dial("calm", DialSettings(vector=str(path), unlicensed=True))
    assert [dial.dose(value) for value in (1.0, 0.5, 0.0, -0.5, -1.0)] == [0.45, 0.225, 0.0, -0.1, -0.2]
    narrower = read_dial("calm", DialSettings(vector=str(path), unlicensed=True, most=0.1))
    assert (narrower.dose(1.0), narrower.dose(-1.0)) == (0.1, -0.1)
    outside = written(made.folder, "outside.json", ungated=licence(0.5, vector=made.vector, band=(-0.2, 0.45)))
    with pytest.raises(UsageError, match=r"the dial 'calm': a dose of 0\.5 is outside the safe band"):
        read_dial("calm", DialSettings(vector=str(path), licence=outside))


def test_dials_that_cannot_be_stop_the_start_in_one_line(made, tmp_path):
    other = replace(made.vector.card.model, width=64, name="another")
    write_vector(tmp_path / "other.safetensors", Vector({BLOCK: np.ones(64, dtype=np.float32)}, replace(made.vector.card, model=other)))
    weights = replace(made.gate.model, weights="0" * 64, name="another")
    write_probe(tmp_path / "gate.safetensors", replace(made.gate, model=weights))
    foreign = written(tmp_path, "foreign.json", ungated=licence(0.3, trait="warmth"))
    lighter = written(tmp_path, "lighter.json", ungated=licence(0.3, vector=made.vector, about={"weights": "000000000000"}))
    elsewhere = written(tmp_path, "elsewhere.json", ungated=licence(0.3, about={"block": "3"}))
    other_way = Vector({BLOCK: -made.vector.directions[BLOCK]}, made.vector.card)
    another = written(tmp_path, "another.json", ungated=licence(0.3, vector=other_way))
    (tmp_path / "no.json").write_text("[]")
    damaged = written(tmp_path, "damaged.json", ungated=licence("far"))
    vector, free = made.file, {"unlicensed": True, "most": 0.3}
    wrong = [
        (DialSettings(vector=str(tmp_path / "none"), **free), "cannot read the vector"),
        (DialSettings(vector=made.gated, **free), "without a card of wager"),
        (DialSettings(vector=str(tmp_path / "other.safetensors"), **free), "width 64; embedded has 576"),
        (DialSettings(vector=vector, gate=str(tmp_path / "none"), **free), "cannot read the probe"),
        (DialSettings(vector=vector, gate=str(tmp_path / "gate.safetensors"), **free), "embedded has other weights"),
        (DialSettings(vector=vector, licence=str(tmp_path / "none")), "cannot read the licence"),
        (DialSettings(vector=vector, licence=str(tmp_path / "no.json")), "is no licence of wager steer licence"),
        (DialSettings(vector=vector, licence=foreign), "is of the trait 'warmth', and the vector of 'hedging'"),
        (DialSettings(vector=vector, licence=damaged), "its dose is no number"),
        (DialSettings(vector=vector, licence=lighter), "its licence is of weights 000000000000"),
        (DialSettings(vector=vector, licence=elsewhere), "is of a vector at block 3, and this one is applied at 16"),
        (DialSettings(vector=vector, licence=another), "is of another vector of 'hedging'"),
        (DialSettings(vector=vector, unlicensed=True), "state the largest dose with most"),
    ]
    for dial, what in wrong:
        with pytest.raises(UsageError) as caught:
            check(settings_with(dial))
        message = str(caught.value)
        assert what in message
        assert message.startswith("the dial 'calm': ")
        assert "\n" not in message
    served = UpstreamSettings(url="http://127.0.0.1:9/v1", model="other")
    fine = DialSettings(vector=vector, **free)
    for upstreams in ((served,), (UpstreamSettings(), served)):
        with pytest.raises(UsageError, match="a server cannot be steered"):
            check(settings_with(fine, upstreams=upstreams))
    with pytest.raises(UsageError, match="a dial's name has 1 to 40 letters"):
        check(Settings(dials={"../x": fine}, journal=None))


def test_a_dial_of_another_model_stops_the_server_itself(made, tmp_path):
    other = replace(made.vector.card.model, width=64, name="another")
    write_vector(tmp_path / "other.safetensors", Vector({BLOCK: np.ones(64, dtype=np.float32)}, replace(made.vector.card, model=other)))
    dial = read_dial("calm", DialSettings(vector=str(tmp_path / "other.safetensors"), unlicensed=True, most=0.3))
    steering, before = SteeredModel(Dials({"calm": dial})), set(enumerate_threads())

    async def started():
        with pytest.raises(UsageError, match="width 64"):
            await steering.start()
        for one in set(enumerate_threads()) - before:
            await asyncio.to_thread(one.join, 30)
            assert not one.is_alive() or one.name.startswith("asyncio"), "its thread is gone"
        try:
            await steering.start()
        finally:
            await steering.close()

    with pytest.raises(UsageError, match="width 64"):  # it is checked again, not taken for started
        asyncio.run(started())


@pytest.mark.parametrize(
    ("tokens", "stop", "content", "kept"),
    [
        (("Par", "is", ".", " \n", "\n"), "\n", "Paris. ", ("Par", "is", ".", " \n")),
        (("Par", "is", ".", "\n"), ".\n", "Paris", ("Par", "is")),
        (("Par", "is", ".", "\n"), "\n", "Paris.", ("Par", "is", ".")),
        ((" Par", "is", ",", " yes"), ",", "Paris", (" Par", "is")),
        (("\n",), "\n", "", ()),
        (("\n", "Paris"), "\n", "", ()),
        ((" Par", "is", "\n"), "?", "Paris", (" Par", "is", "\n")),
        ((), "?", "", ()),
    ],
)
def test_a_stop_text_among_the_blanks_around_a_reply_is_not_told(tokens, stop, content, kept):
    text = "".join(tokens).strip()
    reply = Reply(text=text, tokens=tokens, logprobs=np.full(len(tokens), -0.5), finish="stop")
    wanted = Wanted(chat=asking(KNOWN), tokens=9, temperature=0.0, stops=(stop,), seeds=(0,), logprobs=True)
    choice = _choice(reply, 0, wanted)
    assert choice["message"]["content"] == content
    assert tuple(one["token"] for one in choice["logprobs"]["content"]) == kept


def test_the_settings_file_names_dials_and_their_files_are_seen_from_its_folder(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text('[dials.calm]\nvector = "calm.safetensors"\nlicence = "/l.json"\nturn = -1\nmost = 1\n')
    dial = read_settings(path)["dials"]["calm"]
    assert dial == DialSettings(vector=str(tmp_path / "calm.safetensors"), licence="/l.json", turn=-1, most=1.0)
    settings = Settings(dials={"calm": dial})
    assert Settings.from_json(settings.to_json()) == settings
    for text, what in (
        ("dials = 3", "is a table for each dial"),
        ("[dials.calm]\nturn = 1", "names no vector"),
        ('[dials.calm]\nvector = "v"\nstrength = 2', "has no 'strength'"),
        ('[dials.calm]\nvector = "v"\nturn = "x"', "of type int"),
    ):
        path.write_text(text)
        with pytest.raises(Exception, match=what):
            read_settings(path)
    for wrong in ({"turn": 0}, {"most": 0}, {"most": float("nan")}):
        with pytest.raises(UsageError):
            DialSettings(vector="v", **wrong)
