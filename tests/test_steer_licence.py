"""`wager steer licence` on the embedded model with a few questions: pages, samples that a rerun does not ask for again, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from wager.cli import main
from wager.models.weights import embedded_weights
from wager.steering.llama import LlamaSteering
from wager.steering.probe import Probe, Threshold
from wager.steering.probe_file import write_probe
from wager.steering.samples import read_samples
from wager.steering.vector import Card, Vector
from wager.steering.vector_file import read_vector, write_vector

SMALL = ("--most", "2", "--tokens", "5", "--doses", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "--context", "256")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vector and a gate, drawn at random: what they do is not looked at here."""
    place = tmp_path_factory.mktemp("dial")
    model = LlamaSteering(embedded_weights(), name="embedded", context=256)
    identity = model.identity
    model.close()
    drawn = np.random.default_rng(0).normal(size=576).astype(np.float32)
    write_vector(place / "h.safetensors", Vector({16: drawn}, Card(trait="hallucination", model=identity, block=16, norms={16: 140.0})))
    unit = np.asarray(drawn / np.linalg.norm(drawn), dtype=np.float32)
    threshold = Threshold(value=-1e9, rate=0.1, bound="empirical", n=20, fired=1, expected=0.1, upper=0.2)
    write_probe(
        place / "all.safetensors",
        Probe(
            name="all", what="the subject is unknown", model=identity, block=16, pool="prompt_last", direction=unit,
            slope=1.0, intercept=0.0, share=0.5, threshold=threshold,
        ),
    )  # fmt: skip
    return place


def test_a_licence_is_run_written_and_run_again_for_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [
        "steer",
        "licence",
        str(folder / "h.safetensors"),
        "--gate",
        str(folder / "all.safetensors"),
        "-o",
        str(folder / "out"),
        *SMALL,
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "ungated:" in printed.out
    assert "gated:" in printed.out
    assert "UNLICENSED" in printed.out.upper()  # a random vector earns nothing
    out = folder / "out"
    assert {one.name for one in out.iterdir()} == {
        "development.parquet", "evaluation.parquet", "hallucination.safetensors", "licence-gated.html", "licence-ungated.html", "licence.json",
    }  # fmt: skip
    found = json.loads((out / "licence.json").read_text(encoding="utf-8"))
    assert {name: one["verdict"] for name, one in found.items()} == {"ungated": "unlicensed", "gated": "unlicensed"}
    samples = read_samples(out / "evaluation.parquet")
    kinds = {(one.condition.kind, one.condition.gated) for one in samples}
    assert {("none", False), ("prompt", False), ("random", True), ("random", False), ("wrong sign", True), ("vector", True)} <= kinds
    assert {one.group for one in samples} == {"known", "unknown", "creative", "harmful"}
    gated = {(one.condition.dose, one.question): one.reply for one in samples if one.condition.kind == "vector" and one.condition.gated}
    plain = {(one.condition.dose, one.question): one.reply for one in samples if one.condition.kind == "vector" and not one.condition.gated}
    assert gated == plain  # this gate always fires
    page = (out / "licence-gated.html").read_text(encoding="utf-8")
    assert "unlicensed" in page.lower()
    card = read_vector(out / "hallucination.safetensors").card
    assert card.receipts["licence"]["gated"]["verdict"] == "unlicensed"
    assert card.receipts["licence"]["gated"]["reasons"][-1].startswith("Every question: a trial with 2 questions")
    assert found["gated"]["about"]["trial"] == "2"
    assert (card.band, card.receipts["licence"]["gated"]["band"]) == (None, None), "a trial measures no band"

    before = [sorted(map(repr, read_samples(out / name))) for name in ("development.parquet", "evaluation.parquet")]
    monkeypatch.setattr(LlamaSteering, "generate", lambda *_, **__: pytest.fail("a kept reply was asked for again"))
    assert main([*arguments, "--json"]) == 0
    again = capsys.readouterr().out
    assert json.loads(again)["gated"] == found["gated"]
    assert [sorted(map(repr, read_samples(out / name))) for name in ("development.parquet", "evaluation.parquet")] == before


def test_replies_of_another_dial_are_not_taken_for_this_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = read_vector(folder / "h.safetensors")
    write_vector(folder / "other.safetensors", Vector({16: first.directions[16][::-1].copy()}, first.card))
    before = (folder / "out" / "evaluation.parquet").read_bytes()
    same = ["steer", "licence", "-o", str(folder / "out"), *SMALL]
    assert main([*same[:2], str(folder / "other.safetensors"), *same[2:]]) == 2
    assert "holds replies of a run with other vectors; name another folder" in capsys.readouterr().err
    assert main([*same[:2], str(folder / "h.safetensors"), *same[2:], "--tokens", "6"]) == 2
    assert "holds replies of a run with other tokens" in capsys.readouterr().err
    assert (folder / "out" / "evaluation.parquet").read_bytes() == before


def test_a_gate_that_is_left_out_leaves_nothing_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steer", "licence", str(folder / "h.safetensors"), "-o", str(folder / "out"), *SMALL, "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert "gated" not in found
    assert not any(one["gated"] for one in found["ungated"]["doses"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--doses", "0.1", "0.2"], "at least 7 different strengths above 0, got 0.1, 0.2"),
        (["--doses", "nan", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"], "7 different strengths above 0, got nan"),
        (["--random", "3"], "at least 5 random vectors"),
        (["--trait", "halucination"], "did you mean 'hallucination'"),
        (["--gate", "nothing.safetensors"], "nothing.safetensors"),
        (["--model", "openai/gpt-4o"], "behind an API"),
        (["--trait", "empathy"], "'empathy' is graded by 'warm'"),
    ],
)
def test_what_no_licence_can_be_made_of_is_refused(folder: Path, change: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["steer", "licence", str(folder / "h.safetensors"), "-o", str(folder / "refused"), *SMALL, *change]
    assert main(arguments) == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert complaint.startswith("wager: ")
    assert said in complaint
    assert not (folder / "refused").exists()
