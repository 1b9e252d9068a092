"""`wager steer` as a user runs it, with the embedded model: small settings, real activations."""

import argparse
import contextlib
import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from conftest import heed_signals
from steering_toy import tiny_model, tiny_tokenizer, user
from wager.cli import steer as steer_verb
from wager.cli import steer_gate
from wager.cli.steer_extract import development
from wager.errors import DataError, ModelError, OutputError, RunError, UnknownNameError, UsageError, WagerError
from wager.steering.monitor import UNKNOWN, monitor
from wager.steering.opening import open_asker, open_backend, token_ids
from wager.steering.probe import Probe, Threshold
from wager.steering.probe_file import read_probe, write_probe
from wager.steering.questions import load
from wager.steering.trait_file import read_trait, write_trait
from wager.steering.vector import Card, Vector
from wager.steering.vector_file import read_vector, write_vector

BLOCK = 16


def parsed(*arguments: str) -> argparse.Namespace:
    made = argparse.ArgumentParser(prog="wager")
    steer_verb.add_parser(made.add_subparsers(dest="verb", required=True))
    return made.parse_args(["steer", *arguments])


def kinds(options: argparse.Namespace) -> int:
    """Runs; an error, of which one line is printed, comes as what it was."""
    try:
        return int(options.run(options))
    except WagerError as error:
        shown = error
    assert len(str(shown).splitlines()) == 1
    raise shown.__cause__ or shown


def steer(*arguments: object) -> tuple[int, str, str]:
    """Exit status, output, progress."""
    options = parsed(*map(str, arguments))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = kinds(options)
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trait with few questions, and its vector."""
    folder = tmp_path_factory.mktemp("steer")
    whole = read_trait("hallucination")
    write_trait(folder / "small.toml", replace(whole, extraction=whole.extraction[:6], evaluation=whole.evaluation[:4]))
    return folder


@pytest.fixture(scope="module")
def extracted(shelf: Path) -> tuple[int, str, str]:
    named = ("--elicit", "teacher-forced", "--blocks", f"14,{BLOCK}", "--questions", "8", "--tokens", "12")
    return steer("extract", shelf / "small.toml", "-o", shelf / "v.safetensors", *named)


@pytest.fixture(scope="module")
def vector(shelf: Path, extracted: tuple[int, str, str]) -> Path:
    return shelf / "v.safetensors"


@pytest.fixture(scope="module")
def backend() -> Iterator[Any]:
    opened = open_backend("embedded")
    yield opened
    opened.close()


def gate_of(vector: Vector, threshold: float, *, pool: str = "prompt_last", block: int = BLOCK) -> Probe:
    """A gate along a vector whose threshold decides alone."""
    edge = Threshold(value=threshold, rate=0.1, bound="empirical", n=20, fired=1, expected=0.1, upper=0.2)
    shared: dict[str, Any] = {"name": "unknown", "what": UNKNOWN, "model": vector.card.model, "block": block, "pool": pool}
    return Probe(**shared, direction=vector.unit(block), slope=0.1, intercept=0.0, share=0.5, threshold=edge)


def test_extract_tries_blocks_on_development_questions_and_writes_what_it_prints(vector: Path, extracted: tuple[int, str, str]) -> None:
    status, out, err = extracted
    assert status == 0
    found = read_vector(vector)
    lines = out.splitlines()
    assert lines[0].split() == ["contrast", "block", "dose", "effect", "hedges", "unknown", "hedges", "known", "ungraded"]
    rows = [line.split() for line in lines[1:3]]
    assert [row[:3] for row in rows] == [["teacher-forced", "14", "-0.4"], ["teacher-forced", str(BLOCK), "-0.4"]]
    (chosen,) = (row for row in rows if row[-1] == "chosen")
    assert int(chosen[1]) == found.card.block
    assert float(chosen[3]) == max(float(row[3]) for row in rows)
    for row in rows:  # selectivity: hedging on what does not exist, minus on what does
        assert float(row[3]) == pytest.approx(float(row[4]) - float(row[5]), abs=0.011)
    assert found.card.receipts["development"]["questions"] == 8
    assert sorted(found.directions) == list(range(30))
    assert f"positive kept {found.card.counts['positive kept']}" in out
    assert found.card.counts["positive kept"] == 12  # 6 questions, two pairs each
    assert lines[-1] == f"wrote {vector}"
    assert [line for line in err.splitlines() if line.startswith("hallucination: teacher-forced, block 14: effect")]


def test_development_questions_are_balanced_over_kinds_and_phrasings() -> None:
    chosen = development(12)
    assert [one.known for one in chosen] == [True, False] * 6
    assert len({one.phrasing for one in chosen}) == 6
    assert development(96) == list(load("development"))
    for count in (0, 2, 5, 98):
        with pytest.raises(UsageError, match=f"even number from 4 to 96, got {count}"):
            development(count)


def test_show_says_the_card_in_words_and_cosines(vector: Path) -> None:
    text = steer("show", vector)[1]
    found = read_vector(vector)
    assert "embedded (llama, 30 blocks, width 576)" in text
    assert f"applied at   block {found.card.block}" in text
    assert "not measured: no sweep was run" in text
    assert "development.questions: 8" in text
    assert f"block {BLOCK}  +1.000" in steer("show", vector, "--against", vector)[1]
    told = json.loads(steer("show", vector, "--json", "--against", vector)[1])
    assert told["card"]["block"] == found.card.block
    assert told["cosines"]["3"] == pytest.approx(1.0)


def test_show_prints_no_escape_of_a_file(shelf: Path, vector: Path) -> None:
    found = read_vector(vector)
    write_vector(shelf / "odd.safetensors", replace(found, card=replace(found.card, trait="a\x1b[2Jb", receipts={"x\x1b[2J": 1})))
    text = steer("show", shelf / "odd.safetensors")[1]
    assert "\x1b" not in text
    assert "a\\x1b[2Jb" in text


def test_conversions_keep_what_the_formats_can_hold(shelf: Path, vector: Path) -> None:
    before = read_vector(vector)
    status, out, _ = steer("convert", vector, shelf / "raw.gguf")
    assert (status, out.splitlines()) == (
        0,
        [f"wrote {shelf / 'raw.gguf'}: blocks 1 to 29, raw directions", "left out: block 0, which the format does not hold"],
    )
    steer("convert", shelf / "raw.gguf", shelf / "back.safetensors", "--block", "14")
    back = read_vector(shelf / "back.safetensors")
    assert back.card == replace(before.card, block=14)
    assert all(np.array_equal(back.directions[at], before.directions[at]) for at in range(1, 30))
    steer("convert", vector, shelf / "v.pt")
    assert np.array_equal(read_vector(shelf / "v.pt").directions[7], before.directions[7])

    _, out, _ = steer("convert", vector, shelf / "dose.gguf", "--dose", "-0.25", "--block", str(BLOCK), "--beyond")
    assert out.startswith(f"wrote {shelf / 'dose.gguf'}: block {BLOCK}, a push at dose -0.25\nllama-server --control-vector ")
    pushed = read_vector(shelf / "dose.gguf")
    assert list(pushed.directions) == [BLOCK]
    assert float(np.linalg.norm(pushed.directions[BLOCK])) == pytest.approx(0.25 * before.card.norms[BLOCK], rel=1e-4)
    assert float(pushed.directions[BLOCK] @ before.unit(BLOCK)) < 0
    steer("convert", shelf / "dose.gguf", shelf / "shifted.safetensors", "--shift")
    assert list(read_vector(shelf / "shifted.safetensors").directions) == [BLOCK - 1]


FOUND = ("say", "Who founded the firm Vantherel?", "--tokens", "12")


def test_say_pushes_everywhere_or_where_the_gate_fires(shelf: Path, vector: Path, backend: Any) -> None:
    write_probe(shelf / "always.safetensors", gate_of(read_vector(vector), -1e9))
    write_probe(shelf / "never.safetensors", gate_of(read_vector(vector), 1e9))
    strong = ("--vector", vector, "--dose", "-0.6", "--beyond", "--block", BLOCK)
    always = json.loads(steer(*FOUND, *strong, "--gate", shelf / "always.safetensors", "--json")[1])[0]
    shown = steer(*FOUND, *strong, "--gate", shelf / "never.safetensors")[1]
    unsteered = backend.generate(user(FOUND[1]), tokens=12)[0].text
    assert (always["fired"], always["pushed"], always["finish"]) == (True, True, "length")
    assert always["reply"] != unsteered
    assert shown.startswith(f"{unsteered}\n[the gate did not fire (probability ")
    assert shown.endswith("): not pushed, cut off]\n")


def test_a_dose_is_refused_outside_of_the_band_of_its_block(shelf: Path, vector: Path) -> None:
    with pytest.raises(UsageError, match=r"no sweep has measured .* -0.2 is refused.*\(--beyond\)"):
        steer(*FOUND, "--vector", vector, "--dose", "-0.2")
    found = read_vector(vector)
    write_vector(shelf / "band.safetensors", replace(found, card=replace(found.card, block=BLOCK, band=(-0.3, 0.1))))
    with pytest.raises(UsageError, match=r"outside the safe band, -0.3 to 0.1.*\(--beyond\)"):
        steer(*FOUND, "--vector", shelf / "band.safetensors", "--dose", "-0.4")
    with pytest.raises(UsageError, match="no sweep has measured"):  # the band was measured at another block
        steer(*FOUND, "--vector", shelf / "band.safetensors", "--dose", "-0.2", "--block", "14")
    assert steer(*FOUND, "--vector", shelf / "band.safetensors", "--dose", "-0.2")[1].endswith("\n[pushed, cut off]\n")


def lines_file(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


ROWS = (
    {"prompt": "Who founded Vantherel?", "reply": "Otto Brandt founded it.", "id": 7},
    {"prompt": "Who wrote \x1b[2JEmma?", "reply": None, "id": 8},
)


def test_monitor_adds_columns_beside_those_of_the_data(shelf: Path, vector: Path, backend: Any) -> None:
    data = lines_file(shelf / "d.jsonl", *ROWS)
    out = shelf / "watched.parquet"
    status, text, _ = steer("monitor", vector, data, "--block", BLOCK, "-o", out, "--screen", "--tokens", "8", "--trace", "1")
    assert status == 0
    rows = pq.read_table(out).to_pylist()
    expected = monitor(
        backend, user(*(str(row["prompt"]) for row in ROWS)), ["Otto Brandt founded it.", ""], read_vector(vector), block=BLOCK
    )
    assert list(rows[0]) == ["prompt", "reply", "id", "projection_before", "projection_reply", "own", "difference"]
    assert [row["id"] for row in rows] == [7, 8]
    assert [row["projection_before"] for row in rows] == pytest.approx(list(expected.before))
    assert rows[0]["projection_reply"] == pytest.approx(expected.mean[0])
    assert rows[0]["difference"] == pytest.approx(rows[0]["projection_reply"] - rows[0]["own"])
    assert (rows[1]["reply"], rows[1]["projection_reply"], rows[1]["difference"]) == (None, None, None)
    assert "1 empty replies have no mean" in text
    assert "\x1b" not in text
    trace = text.split("token by token:\n")[1].split("\n\n")[0].splitlines()
    assert "".join(line.split()[-1] for line in trace) == "OttoBrandtfoundedit."
    assert float(trace[-1].split()[0]) == pytest.approx(expected.last[0], abs=0.011)


def test_monitor_lets_the_model_write_where_there_are_no_replies(shelf: Path, vector: Path) -> None:
    data = shelf / "d.csv"
    data.write_text('question\n"Who, then?"\nWho wrote Emma?\n')
    found = json.loads(steer("monitor", vector, data, "--block", BLOCK, "--tokens", "6", "--trace", "2", "--json")[1])
    assert found["columns"]["reply"][1].startswith("".join(one["text"] for one in found["trace"]).strip()[:10])
    assert found["columns"]["projection_reply"][1] == pytest.approx(np.mean([one["projection"] for one in found["trace"]]))
    for name, key in (("reply_tokens", "text"), ("reply_projections", "projection")):
        assert found["columns"][name][1] == [one[key] for one in found["trace"]]


def test_monitor_of_a_probe_tells_a_probability_of_what_its_pool_holds(shelf: Path, vector: Path) -> None:
    probe = gate_of(read_vector(vector), 0.0, pool="reply_mean")
    write_probe(shelf / "mean.safetensors", probe)
    data = lines_file(shelf / "p.jsonl", *ROWS)
    steer("monitor", shelf / "mean.safetensors", data, "-o", shelf / "p.out.jsonl")
    first, second = map(json.loads, (shelf / "p.out.jsonl").read_text().splitlines())
    assert first["probability"] == pytest.approx(float(probe.probability_at(first["projection_reply"])))
    assert second["probability"] is None
    with pytest.raises(UsageError, match="--screen takes a vector"):
        steer("monitor", shelf / "mean.safetensors", data, "--screen")


def test_monitor_reads_chat_records_up_to_their_last_reply(shelf: Path, vector: Path, backend: Any) -> None:
    turns = [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "Who wrote Emma?"},
        {"from": "gpt", "value": "Jane Austen."},
    ]
    data = lines_file(shelf / "chats.jsonl", {"conversations": turns})
    found = json.loads(steer("monitor", vector, data, "--block", BLOCK, "--json")[1])
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who wrote Emma?"}]
    expected = monitor(backend, [chat], ["Jane Austen."], read_vector(vector), block=BLOCK)
    assert found["columns"]["projection_reply"] == pytest.approx(list(expected.mean))


@pytest.mark.parametrize(("how", "pool"), [((), "prompt_top"), (("--read", "prompt-last"), "prompt_last")])
def test_gate_is_fitted_and_held_beside_surface_form(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...], pool: str
) -> None:  # fmt: skip
    every = steer_gate.questions()
    texts = [one.text for one in every]
    assert len(set(texts)) == len(texts)
    assert not {one.text for name in ("development", "evaluation") for one in load(name)} & set(texts)  # what a licence asks
    monkeypatch.setattr(steer_gate, "questions", lambda: development(32))
    named = ("--rate", "0.2", "--bound", "empirical", "--blocks", "14-16", *how)
    status, out, err = steer("gate", "-o", shelf / "gate.safetensors", *named)
    assert status == 0
    probe = read_probe(shelf / "gate.safetensors")
    assert probe.block in (14, 15, 16)
    assert (probe.what, probe.pool, probe.threshold.rate) == (UNKNOWN, pool, 0.2)
    beside = probe.receipts["beside surface form"]
    assert f"verdict: {beside['verdict']}" in out.splitlines()
    assert f"{beside['pooled']['probe']['value']:.2f} [" in out
    assert f"{beside['phrasings']['baseline']['value']:.2f} [" in out
    assert ("questions" in beside) == (pool == "prompt_last")
    assert "reading 32 questions with embedded" in err
    assert f"fires above  {probe.threshold.value:.4g}" in steer("show", shelf / "gate.safetensors")[1]


def test_tokens_are_those_of_a_word_within_a_sentence(backend: Any) -> None:
    tokens = token_ids(backend)
    assert tokens("Emma") == backend._tokens(" Emma") != backend._tokens("Emma")


@pytest.fixture
def server() -> Iterator[dict[str, Any]]:
    """A chat server: what it is asked, and what it says."""
    state: dict[str, Any] = {"asked": [], "keys": [], "says": ["{}"], "status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state["asked"].append((self.path, body))
            state["keys"].append(self.headers.get("Authorization"))
            said = state["says"][min(len(state["asked"]), len(state["says"])) - 1]
            status = 400 if state["status"] == "no temperature" and "temperature" in body else 200 if state["status"] != 401 else 401
            shown = {"choices": [{"message": {"content": said}}]} if status == 200 else {"error": "temperature is not supported"}
            data = json.dumps(shown).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    state["url"] = f"http://127.0.0.1:{running.server_port}/v1"
    yield state
    running.shutdown()
    running.server_close()


DRAFT = {
    "name": "Great hurry",
    "instructions": [[f"Hurry, way {number}.", f"Take your time, way {number}."] for number in range(5)],
    "questions": [
        f"{opening} the {noun}?"
        for opening in ("How do I paint", "When should I buy", "Where can one see", "Why do people like")
        for noun in ["fence", "castle", "garden", "bicycle", "window", "piano", "kettle", "ladder", "lantern", "compass"]
    ],
    "rubric": "Shows it: the reply is short of breath. Does not: it takes its time.",
}


def test_describe_drafts_a_trait_by_a_chat_server(shelf: Path, server: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-7")
    server["says"] = ["Certainly!", json.dumps(DRAFT)]
    server["status"] = "no temperature"
    sentence = "The reply is in a great hurry."
    _, out, err = steer("describe", sentence, "--model", "some/model", "--base-url", server["url"], "-o", shelf / "hurry.toml")
    trait = read_trait(shelf / "hurry.toml")
    assert (trait.name, trait.description, trait.grading, len(trait.extraction)) == ("great_hurry", sentence, "judge", 20)
    assert "great_hurry, 5 pairs of instructions, 20 + 20 questions, a rubric" in out
    assert "secret-7" not in out + err
    assert set(server["keys"]) == {"Bearer secret-7"}
    path, body = server["asked"][-1]
    assert (path, body["model"]) == ("/v1/chat/completions", "some/model")
    with pytest.raises(UsageError, match="graded by a judge; name a chat model with --judge"):
        steer("extract", shelf / "hurry.toml", "-o", shelf / "no.safetensors")


def test_describe_writes_nothing_where_no_trait_comes(shelf: Path, server: dict[str, Any]) -> None:
    out = shelf / "none.toml"
    with pytest.raises(DataError, match=r"drafted no usable trait in 3 tries.*use a more capable model"):
        steer("describe", "The reply is in a great hurry.", "--model", "m", "--base-url", server["url"], "-o", out)
    server["status"] = 401
    with pytest.raises(ModelError, match="refuses to answer: 401"):
        steer("describe", "The reply is in a great hurry.", "--model", "m", "--base-url", server["url"], "-o", out)
    assert not out.exists()


def test_servers_that_cannot_be_asked_are_named() -> None:
    with pytest.raises(ModelError, match=r"no chat server answers at http://127\.0\.0\.1:9/v1/chat/completions"):
        open_asker("m", base_url="http://127.0.0.1:9/v1")("Hello")
    with pytest.raises(UsageError, match="begins with http"):
        open_asker("m", base_url="localhost")
    with pytest.raises(UsageError, match="say where with a base URL"):
        open_asker("vllm/m")


def test_models_are_opened_by_name_and_others_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'openai/gpt-4o-mini' is behind an API.*embedded, gguf/PATH or hf/NAME"):
        open_backend("openai/gpt-4o-mini")
    with pytest.raises(UnknownNameError, match="did you mean 'embedded'"):
        open_backend("embeded")
    with pytest.raises(UsageError, match="'gguf' names no model; write gguf/PATH"):
        open_backend("gguf")
    with pytest.raises(WagerError, match=r"absent\.gguf"):
        open_backend(f"gguf/{tmp_path / 'absent.gguf'}")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small random model of transformers, and a vector of it."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    opened = open_backend(f"hf/{folder}")
    directions = {at: np.eye(16, dtype=np.float32)[at] for at in range(3)}
    write_vector(folder / "tiny.safetensors", Vector(directions, Card(trait="toy", model=opened.identity, block=1, norms={1: 4.0})))
    assert list(token_ids(opened)("w1 w2")) == [5, 6]
    opened.close()
    return folder


def test_models_of_transformers_are_steered_and_watched_too(tiny: Path) -> None:
    named = ("--model", f"hf/{tiny}", "--tokens", "4")
    said = [
        json.loads(steer("say", "w1 w2", *named, "--vector", tiny / "tiny.safetensors", "--dose", dose, "--beyond", "--json")[1])[0]
        for dose in ("0", "9")
    ]
    assert [one["pushed"] for one in said] == [False, True]
    assert said[0]["reply"] != said[1]["reply"]
    data = lines_file(tiny / "d.jsonl", {"prompt": "w1 w2", "reply": "w3"})
    found = json.loads(steer("monitor", tiny / "tiny.safetensors", data, *named, "--json")[1])
    assert np.isfinite(found["columns"]["projection_reply"]).all()


BAD: list[tuple[str, type[WagerError], str]] = [
    ("extract halucination -o x.safetensors", UnknownNameError, "did you mean 'hallucination'"),
    ("extract absent.toml -o x.safetensors", DataError, "absent.toml"),
    ("extract overlapping.toml -o x.safetensors", DataError, "extraction and evaluation share the question"),
    ("extract likedev.toml -o x.safetensors", UsageError, "share .* with the development questions"),
    ("extract small.toml -o x.txt", UsageError, "ends in .safetensors, .gguf, .pt; got 'x.txt'"),
    ("extract small.toml -o nowhere/x.gguf", OutputError, "no folder 'nowhere'"),
    ("extract small.toml -o x.safetensors --blocks 16,30", UsageError, "embedded has blocks 0 to 29, got 30"),
    ("extract small.toml -o x.safetensors --blocks 9-3", UsageError, "counts upwards, got '9-3'"),
    ("extract small.toml -o x.safetensors --blocks a-b", UsageError, "takes a range such as 12-18 .* got 'a-b'"),
    ("extract small.toml -o x.safetensors --dose -0.4", UsageError, "--dose is above 0"),
    ("extract small.toml -o x.safetensors --tokens 0", UsageError, "--tokens is at least 1, got 0"),
    ("extract small.toml -o x.safetensors --questions 7", UsageError, "even number from 4 to 96, got 7"),
    ("extract small.toml -o x.safetensors --model openai/gpt-4o", UsageError, "is behind an API"),
    ("extract small.toml -o x.safetensors --judge m", UsageError, "graded by a rule, not by a judge"),
    ("show absent.safetensors", DataError, "cannot read the vector 'absent.safetensors'"),
    ("show small.toml", DataError, "is no vector file"),
    ("show v.safetensors --against tiny.safetensors", UsageError, "width 16"),
    ("convert v.safetensors v.safetensors", UsageError, "would be replaced by its own conversion"),
    ("convert v.safetensors w.safetensors --dose 0.3", UsageError, "leave out --dose"),
    ("convert v.safetensors w.gguf --dose 0", UsageError, "a dose of 0 adds nothing"),
    ("convert v.safetensors w.gguf --dose nan", UsageError, "finite number"),
    ("convert v.safetensors w.gguf --block 30", UsageError, "blocks 0 to 29, got 30"),
    ("convert absent.gguf w.safetensors --shift", DataError, "no file 'absent.gguf'"),
    ("describe hurry --model embedded -o x.json", UsageError, "ends in .toml"),
    ("say Hi --vector v.safetensors --dose nan --beyond", UsageError, "finite number"),
    ("say Hi --vector v.safetensors --dose 0.1 --beyond --block 30", UsageError, "has blocks 0 to 29, got 30"),
    ("say Hi --vector tiny.safetensors --dose 0.1 --beyond", UsageError, "width 16; embedded has 576"),
    ("say Hi --vector v.safetensors --dose 0.1 --beyond --gate v.safetensors", DataError, "a vector of wager, no probe"),
    ("monitor v.safetensors absent.jsonl", DataError, "no file 'absent.jsonl'"),
    ("monitor v.safetensors d0.jsonl --prompt promt", UnknownNameError, "did you mean 'prompt'"),
    ("monitor v.safetensors d0.jsonl --trace 3", UsageError, "a row from 1 to 1, got 3"),
    ("monitor v.safetensors d0.jsonl --screen", UsageError, "DATA has none"),
    ("monitor v.safetensors numbers.jsonl", DataError, "row 1: 'prompt' is a text"),
    ("monitor v.safetensors mixed.jsonl -o y.parquet", DataError, "the column 'note' makes none for Parquet .*; write .jsonl instead"),
    ("monitor v.safetensors taken.jsonl -o y.jsonl", DataError, "has the column 'projection_before' already"),
    ("gate -o x.gguf", UsageError, "ends in .safetensors"),
    ("gate -o x.safetensors --rate 1.5", UsageError, "--rate lies between 0 and 1, got 1.5"),
]


@pytest.mark.parametrize(("line", "kind", "message"), BAD, ids=[one[0] for one in BAD])
def test_bad_input_is_one_clear_line_and_leaves_nothing(
    shelf: Path, vector: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, line: str, kind: type[WagerError], message: str
) -> None:
    monkeypatch.chdir(shelf)
    (shelf / "tiny.safetensors").write_bytes((tiny / "tiny.safetensors").read_bytes())
    lines_file(shelf / "d0.jsonl", {"prompt": "Who?"})
    lines_file(shelf / "numbers.jsonl", {"prompt": 3})
    lines_file(shelf / "mixed.jsonl", {"prompt": "Who?", "note": 1}, {"prompt": "Why?", "note": "maybe"})
    lines_file(shelf / "taken.jsonl", {"prompt": "Who?", "projection_before": 1})
    whole = read_trait("hallucination")
    text = (shelf / "small.toml").read_text()
    (shelf / "overlapping.toml").write_text(text.replace(whole.evaluation[0].text, whole.extraction[0].text))
    write_trait(shelf / "likedev.toml", replace(read_trait(shelf / "small.toml"), extraction=load("development")[:4]))
    before = {path.name for path in shelf.iterdir()}
    with pytest.raises(kind, match=message):
        steer(*line.split())
    assert {path.name for path in shelf.iterdir()} == before


def test_a_direction_that_moves_its_trait_the_other_way_stops_with_its_figures(shelf: Path) -> None:
    small = read_trait(shelf / "small.toml")
    write_trait(shelf / "reversed.toml", replace(small, replies=tuple((other, one) for one, other in small.replies)))
    named = ("--elicit", "teacher-forced", "--blocks", str(BLOCK), "--questions", "4", "--tokens", "12")
    with pytest.raises(RunError, match=r"disagrees with what the model does: pushed down .* unpushed .* pushed up"):
        steer("extract", shelf / "reversed.toml", "-o", shelf / "reversed.safetensors", *named)
    assert not (shelf / "reversed.safetensors").exists()


CHILD = """
import argparse, sys, wager.cli
from wager.cli import steer
def parser():
    made = argparse.ArgumentParser(prog="wager")
    steer.add_parser(made.add_subparsers(dest="verb", required=True))
    return made
wager.cli.parser = parser
sys.exit(wager.cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("seconds", [0.3, 1.1])
def test_ctrl_c_stops_while_activations_are_read_and_leaves_nothing(shelf: Path, seconds: float) -> None:
    out = shelf / "stopped.safetensors"
    command = [sys.executable, "-c", CHILD, "steer", "gate", "-o", str(out)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals)
    assert running.stderr is not None
    assert running.stderr.readline().startswith("reading ")
    time.sleep(seconds)
    running.send_signal(signal.SIGINT)
    said, told = running.communicate(timeout=60)
    assert (running.returncode, said, told) == (130, "", "wager: stopped; no gate was written, and nothing partial is left\n")
    assert not out.exists()


def test_standard_output_on_a_full_disk_is_one_line(vector: Path) -> None:
    command = [sys.executable, "-c", CHILD, "steer", "show", str(vector)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "wager: no space left for standard output; free some and run it again\n")
