"""`wager score` as a user runs it, on real files."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from conftest import heed_signals
from wager.answers import Answer, ConfidenceSource, Outcome
from wager.table import AnswerTable

MMLU = ["--map", "item=question_id,reference=answer,answer=prediction", "--by", "model"]


def score(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wager.cli", "score", *arguments]
    return subprocess.run(command, cwd=cwd, env=dict(os.environ), capture_output=True, text=True, timeout=240)


def results(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    rows = [
        Answer(
            task="exam", model=model, item=str(n), outcome=Outcome.CORRECT if right else Outcome.INCORRECT, credit=float(right),
            confidence={ConfidenceSource.STATED: 0.9 if right else 0.4}, stratum="even" if n % 2 == 0 else "odd",
        )
        for model, wrong in (("careful", 4), ("bold <b>", 2)) for n in range(40) for right in [n % wrong != 0]
    ]  # fmt: skip
    path = tmp_path / "answers.parquet"
    AnswerTable.from_answers(rows).write(path)
    return path


def test_a_board_in_the_terminal(answers: Path, tmp_path: Path) -> None:
    done = score(str(answers), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "80 answers, 2 groups, 0 missing"
    board = [line.split() for line in lines if line.startswith(("careful ", "bold <b> "))]
    assert board[0][:3] == ["careful", "40", "100"]
    assert "+0.75" in board[0]
    assert any(line.startswith("points lost at t=0.9") for line in lines)
    assert any(line.startswith("read ") for line in lines)


def test_json_goes_to_standard_output_alone(answers: Path, tmp_path: Path) -> None:
    found = results(score(str(answers), "--json", "--targets", "0.5", cwd=tmp_path))
    assert found["schema"] == 1
    assert [group["by"] for group in found["groups"]] == [{"model": "bold <b>"}, {"model": "careful"}]
    assert found["groups"][1]["score"]["0.5"]["value"] == pytest.approx(0.5)
    assert found["groups"][1]["score_by_confidence"]["0.5"]["value"] == pytest.approx(0.75)
    assert found["sources"][0]["rows"] == 80


def test_twenty_real_models(data: Path, tmp_path: Path) -> None:
    done = score(str(data / "mmlu_pro" / "answers_20_models.parquet"), *MMLU, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = results(done)
    assert len(found["groups"]) == 20
    assert sum(group["n"] for group in found["groups"]) == 238_947
    raw = pq.read_table(data / "mmlu_pro" / "answers_20_models.parquet")
    assert sum(group["missing"] for group in found["groups"]) == raw.column("prediction").null_count
    best = next(group for group in found["groups"] if group["by"]["model"] == "gemini-1.5-pro-002")
    assert best["rank"]["0"] == {"value": 1, "low": 1, "high": 1, "if_incorrect": 1, "if_abstained": 1}
    chat = next(group for group in found["groups"] if group["by"]["model"] == "Qwen1.5-7B-Chat")
    assert chat["missing"] == 2809
    assert chat["rank"]["0.9"]["if_abstained"] < chat["rank"]["0.9"]["if_incorrect"]  # what a missing answer is decides its place
    assert any("missing" in note for note in found["notes"])


@pytest.mark.parametrize("choice", ["abstained", "incorrect", "unparsed"])
def test_the_choice_for_missing_answers_is_printed(data: Path, tmp_path: Path, choice: str) -> None:
    path = str(data / "mmlu_pro" / "answers_20_models.parquet")
    done = score(path, *MMLU, "--missing", choice, cwd=tmp_path)
    first = done.stdout.splitlines()[0]
    assert ("left out, and counted" if choice == "unparsed" else f"counted as {choice}") in first


def test_stated_confidences_of_five_methods(data: Path, tmp_path: Path) -> None:
    path = str(data / "rlcr" / "commonsenseqa.parquet")
    found = results(score(path, "--map", "model=method", "--map", "confidence_stated=confidence", "--bins", "10", "--json", cwd=tmp_path))
    published = json.loads((data / "rlcr" / "commonsenseqa_published_metrics.json").read_text())
    for group in found["groups"]:
        theirs = published[group["by"]["model"]]
        assert group["ece"] == pytest.approx(theirs["ece"], abs=5e-5)
        assert group["brier"] == pytest.approx(theirs["brier_score"], abs=5e-5)
        assert group["auroc"] == pytest.approx(theirs["auroc"], abs=5e-5)
        assert group["accuracy"] == pytest.approx(theirs["accuracy"], abs=5e-5)


def test_a_damaged_file_is_named_and_the_others_are_scored(answers: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"item": 1, "correct": true}\n{"item": 2, "corr\n')
    done = score(str(answers), "broken.jsonl", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert "broken.jsonl" in done.stderr
    assert "line 2" in done.stderr
    assert results(done)["problems"]
    assert {group["by"]["model"] for group in results(done)["groups"]} >= {"careful", "bold <b>"}


def test_answers_are_written_and_read_again(answers: Path, tmp_path: Path) -> None:
    assert score(str(answers), "--write", "copy.jsonl", cwd=tmp_path).returncode == 0
    once, again = (results(score(path, "--json", cwd=tmp_path))["groups"] for path in (str(answers), "copy.jsonl"))
    assert [group["score"] for group in once] == [group["score"] for group in again]


BAD = [
    (["absent.parquet"], "absent.parquet"),
    (["answers.parquet", "--targets", "1"], "a confidence target lies in [0, 1), got '1'"),
    (["answers.parquet", "--by", "modle"], "no column named 'modle'; did you mean 'model'"),
    (["answers.parquet", "--map", "item"], "--map takes ours=theirs"),
    (["answers.parquet", "--map", "item=a,item=b"], "--map names 'item' twice"),
    (["answers.parquet", "--map", "itme=item"], "'itme'"),
    (["answers.parquet", "--map", "item=itm"], "did you mean 'item'"),
    (["answers.parquet", "--confidence", "logprob"], "no answer has a 'logprob' confidence; the answers have stated"),
    (["answers.parquet", "--stakes", "0", "1"], "alpha > 0 and beta > 0, got 0 and 1"),
    (["answers.parquet", "--bins", "0"], "--bins is at least 1, got 0"),
    (["answers.parquet", "--write", "x.xlsx"], "--write makes .parquet or .jsonl, got 'x.xlsx'"),
    (["answers.parquet", "--match", "fuzzy"], "no comparison named 'fuzzy'"),
    (["answers.parquet", "--html", "/proc/nowhere.html"], "cannot write '/proc/nowhere.html'"),
    (["empty.csv"], "empty.csv"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input_is_one_clear_line_and_a_non_zero_exit(answers: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "empty.csv").write_text("item,correct\n")
    done = score(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == ""


def test_names_from_files_steer_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("item,model,correct\n1,\x1b[31mred\x1b[0m,1\n2,\x1b[31mred\x1b[0m,0\n")
    done = score("x.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_model_that_ignores_its_targets_is_said_to(tmp_path: Path) -> None:
    stated = {ConfidenceSource.STATED: 0.6}
    rows = [
        Answer(task="exam", model="m", item=str(n), outcome=Outcome.CORRECT if n % 5 else Outcome.INCORRECT, credit=float(n % 5 > 0),
               arm=arm, target=target, confidence=stated if target is None else {})
        for arm, target in (("closed", None), ("open", 0.5), ("open", 0.9)) for n in range(60)
    ]  # fmt: skip
    AnswerTable.from_answers(rows).write(tmp_path / "told.parquet")
    done = score("told.parquet", cwd=tmp_path)
    assert "m on exam: not behaviourally calibrated (answered at t=0.9)" in done.stdout
    assert "its implied threshold moves 0.00 for 1 of the target" in done.stdout
    assert "100 % at t=0.5, 0 % at t=0.9" in done.stdout


def test_ctrl_c_says_what_is_true_of_this_verb(tmp_path: Path) -> None:
    with (tmp_path / "long.jsonl").open("w") as file:
        for n in range(400_000):
            file.write(f'{{"item": "{n}", "model": "m{n % 7}", "correct": {"true" if n % 3 else "false"}, "confidence": {n % 97 / 97}}}\n')
    command = [sys.executable, "-m", "wager.cli", "score", "long.jsonl", "--write", "out.parquet"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(timeout=1.5)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert (out, err) == ("", "wager: stopped; files are written whole or not at all, so run it again\n")
    assert not (tmp_path / "out.parquet").exists()
    assert not (tmp_path / "out.parquet.part").exists()
