"""`wager elicit` as a user runs it, in its own process: every method, its cost, what is unavailable, resume, bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wager.answers import ConfidenceSource
from wager.elicit.evidence import Cost, Draw, Evidence, Reply
from wager.elicit.methods import METHODS, confidences, cost_of, draws_of, methods_named
from wager.errors import UnknownNameError, UsageError
from wager.table import AnswerTable

TOY = f"{Path(__file__).parent / 'toy.py'}@toy_mc"


def wager(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wager.cli", *arguments]
    return subprocess.run(command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, timeout=240)


def results(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_the_union_of_draws_is_made_once() -> None:
    assert draws_of(methods_named(["logprob", "logprob_mean"])) == {Draw.GREEDY}
    every = draws_of(methods_named(["all"]))
    assert every == set(Draw)
    costs = {Draw.GREEDY: Cost(1, 40, 0, 10, 1.0), Draw.SAMPLES: Cost(5, 200, 190, 50, 4.0)}
    assert cost_of(METHODS[ConfidenceSource.CONSISTENCY], costs) == Cost(6, 240, 190, 60, 5.0)
    assert cost_of(METHODS[ConfidenceSource.LOGPROB], costs).tokens == 50


def test_what_was_not_drawn_is_a_problem_and_no_number() -> None:
    read = confidences(Evidence(Reply("Lima", answer="Lima")), methods_named(["all"]))
    assert {source for source, one in read.items() if one.value is not None} == set()
    assert all(one.problem for one in read.values())


def test_unknown_methods_and_none_are_named() -> None:
    with pytest.raises(UnknownNameError, match="no method named 'logprobs'; did you mean"):
        methods_named(["logprobs"])
    with pytest.raises(UsageError, match="no method was given"):
        methods_named([])


def test_every_method_fills_its_column_and_the_costs_are_those_of_the_calls(tmp_path: Path) -> None:
    done = wager("elicit", TOY, "--model", "toy/drawn", "--draws", "4", "--out", "out", "--json", cwd=tmp_path)
    found = results(done)
    table = AnswerTable.read(tmp_path / "out" / "answers.parquet")
    assert set(table.sources) >= set(METHODS)
    assert len(table) == 20
    draws = found["draws"]
    assert {name: draws[name]["calls"] for name in draws} == {"greedy": 20, "samples": 80, "p_true": 20, "stated": 20, "verbal": 20}
    assert found["costs"]["consistency"]["calls"] == 100
    assert found["costs"]["logprob"]["calls"] == 20
    assert found["costs"]["stated"]["tokens_in"] == 400
    rows = {row.item: row for row in table}
    for row in rows.values():
        stated, p_true = row.confidence[ConfidenceSource.STATED], row.confidence[ConfidenceSource.P_TRUE]
        assert stated == pytest.approx(p_true, abs=0.0051)  # both say the model's own mind
        assert row.confidence.get(ConfidenceSource.VERBAL) is not None or stated <= 0.51
        assert row.confidence[ConfidenceSource.CONSISTENCY] in {0, 0.25, 0.5, 0.75, 1}
    looked_up = found["problems"]["verbal"]["look_up"]
    assert looked_up == sum(row.confidence.get(ConfidenceSource.VERBAL) is None for row in rows.values()) > 0
    assert "Tokens a question" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    again = wager(
        "elicit", TOY, "--model", "toy/drawn", "--draws", "4", "--out", "out", "--json", cwd=tmp_path, TOY_CALLS=str(tmp_path / "calls")
    )
    assert results(again)["groups"] == found["groups"]
    calls = (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []
    assert set(calls) <= {"Reply with the word yes."}


def test_a_table_from_elicit_is_scored_as_any_other(tmp_path: Path) -> None:
    made = results(wager("elicit", TOY, "--model", "toy/x", "--methods", "stated", "p_true", "--out", "out", "--json", cwd=tmp_path))
    scored = results(wager("score", "out/answers.parquet", "--json", cwd=tmp_path))
    assert scored["groups"] == made["groups"]


def test_a_model_without_log_probabilities_says_so_before_the_run(tmp_path: Path) -> None:
    done = wager("elicit", TOY, "--model", "toy/mute", "--out", "out", "--json", "--draws", "2", cwd=tmp_path)
    found = results(done)
    assert set(found["unavailable"]) == {"logprob", "logprob_mean", "p_true", "semantic_entropy_weighted"}
    assert done.stderr.startswith("wager: logprob is unavailable: toy/mute gives no token log-probabilities")
    table = AnswerTable.read(tmp_path / "out" / "answers.parquet")
    assert {"stated", "verbal", "consistency", "semantic_entropy"} <= set(table.sources)
    assert not {"logprob", "p_true"} & set(table.sources)
    only = wager("elicit", TOY, "--model", "toy/mute", "--methods", "logprob", "--out", "other", cwd=tmp_path)
    assert only.returncode == 2
    assert only.stderr.splitlines()[-1] == "wager: no method is left; choose others with --methods, or another --model"


def test_an_abstention_costs_one_call_and_has_no_confidence(tmp_path: Path) -> None:
    task = f"{Path(__file__).parent / 'toy.py'}@toy_said"
    found = results(wager("elicit", task, "-T", "reply=I don't know.", "--model", "toy/script", "--out", "out", "--json", cwd=tmp_path))
    assert {name: cost["calls"] for name, cost in found["draws"].items()} == {"greedy": 1}
    (row,) = AnswerTable.read(tmp_path / "out" / "answers.parquet")
    assert (row.outcome.value, row.confidence) == ("abstained", {})


def test_other_methods_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    arguments = ["elicit", TOY, "--model", "toy/x", "--out", "out"]
    assert wager(*arguments, "--methods", "stated", "--limit", "2", cwd=tmp_path).returncode == 0
    done = wager(*arguments, "--methods", "verbal", "--limit", "2", cwd=tmp_path)
    assert done.returncode == 2
    assert "holds a run with methods ['stated'], this one has ['verbal']" in done.stderr


BAD = [
    (["--methods", "logprobs"], "no method named 'logprobs'"),
    (["--methods", "combined"], "no method was given"),
    (["--draws", "1"], "at least 2, got 1"),
    (["--equivalence", "ear"], "no equivalence named 'ear'"),
    (["--equivalence", "text:x"], "names no model"),
    (["--targets", "1"], "lies in [0, 1)"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input_is_one_clear_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = wager("elicit", TOY, "--model", "toy/x", "--out", "out", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert [message in line for line in done.stderr.splitlines()] == [True]
    assert not (tmp_path / "out").exists()


def test_the_embedded_model_gives_every_confidence(tmp_path: Path) -> None:
    done = wager("elicit", "capitals", "-T", "n=4", "-T", "invented=1", "--draws", "3", "--out", "out", "--json", cwd=tmp_path)
    found = results(done)
    table = AnswerTable.read(tmp_path / "out" / "answers.parquet")
    answered = [row for row in table if row.outcome.is_answer]
    assert answered
    for row in answered:
        assert {"logprob", "logprob_mean", "p_true"} <= set(row.confidence)
        assert row.confidence[ConfidenceSource.LOGPROB] <= row.confidence[ConfidenceSource.LOGPROB_MEAN]
    assert any({"consistency", "semantic_entropy", "semantic_entropy_weighted"} <= set(row.confidence) for row in answered)
    assert found["draws"]["samples"]["calls"] == 3 * len(answered)
    assert found["draws"]["p_true"]["tokens_cached"] > 0
