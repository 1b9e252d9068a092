"""`wager eval` as a user runs it, in its own process: arms, resume, interruption, failures, bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from conftest import heed_signals
from wager.errors import UsageError
from wager.evals import resolve
from wager.table import AnswerTable

TOY = f"{Path(__file__).parent / 'toy.py'}@toy_mc"


def wager(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wager.cli", "eval", *arguments]
    return subprocess.run(command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, timeout=240)


def results(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def calls(path: Path) -> Counter[str]:
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()


def test_closed_and_open_arms_ask_the_same_items_and_the_results_are_on_disk(tmp_path: Path) -> None:
    done = wager(TOY, "--model", "toy/x", "--targets", "0", "0.75", "--out", "out", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = results(done)
    by_arm = {(group["by"]["arm"], group["by"]["target"]): group for group in found["groups"]}
    assert set(by_arm) == {("closed", None), ("open", 0.0), ("open", 0.75)}
    assert set(by_arm["closed", None]["score"]) == {"0", "0.75"}
    assert {group["n"] for group in found["groups"]} == {20}
    assert by_arm["open", 0.75]["counts"]["abstained"] > 0
    assert found["run"]["calls"] == 60
    table = AnswerTable.read(tmp_path / "out" / "answers.parquet")
    assert len(table) == 60
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == found
    assert (tmp_path / "out" / "report.html").stat().st_size > 100_000
    assert (tmp_path / "out" / "picture.svg").read_text().startswith("<svg")
    assert len(list((tmp_path / "out" / "logs").glob("*.eval"))) == 3


def test_the_same_command_asks_nothing_again_and_a_new_target_only_itself(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    arguments = [TOY, "--model", "toy/x", "--out", "out", "--json", "--limit", "6"]
    first = wager(*arguments, "--targets", "0.5", cwd=tmp_path, TOY_CALLS=str(log))
    assert sum(calls(log).values()) == 12
    again = wager(*arguments, "--targets", "0.5", cwd=tmp_path, TOY_CALLS=str(log))
    assert sum(calls(log).values()) == 12
    assert results(first)["groups"] == results(again)["groups"]
    wager(*arguments, "--targets", "0.5", "0.9", cwd=tmp_path, TOY_CALLS=str(log))
    assert sum(calls(log).values()) == 18
    wider = wager(TOY, "--model", "toy/x", "--out", "out", "--json", "--limit", "8", "--targets", "0.5", cwd=tmp_path, TOY_CALLS=str(log))
    assert sum(calls(log).values()) == 22
    assert {group["n"] for group in results(wider)["groups"]} == {8}


def test_a_failed_item_is_a_state_and_the_next_run_asks_for_it_again(tmp_path: Path) -> None:
    down, log = tmp_path / "down", tmp_path / "calls"
    down.touch()
    arguments = [TOY, "--model", "toy/flaky", "--targets", "0.5", "--out", "out", "--json"]
    first = wager(*arguments, cwd=tmp_path, TOY_DOWN=str(down), TOY_CALLS=str(log))
    assert first.returncode == 1
    assert "8 answers failed (8 x the toy server is down)" in first.stderr.replace("RuntimeError('", "").replace("')", "")
    assert [group["counts"]["failed"] for group in results(first)["groups"]] == [4, 4]
    assert [group["score"]["0.5"]["n"] for group in results(first)["groups"]] == [16, 16]
    assert [group["score"]["0.5"]["n_excluded"] for group in results(first)["groups"]] == [4, 4]
    before = sum(calls(log).values())
    down.unlink()
    second = wager(*arguments, cwd=tmp_path, TOY_DOWN=str(down), TOY_CALLS=str(log))
    assert second.returncode == 0, second.stderr
    assert [group["counts"]["failed"] for group in results(second)["groups"]] == [0, 0]
    assert sum(calls(log).values()) - before == 8


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_loses_no_answer_and_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    log = tmp_path / "calls"
    arguments = [
        TOY,
        "-T",
        "n=60",
        "--model",
        "toy/x",
        "-M",
        "delay=0.3",
        "--max-connections",
        "6",
        "--targets",
        "0.5",
        "--out",
        "out",
        "--json",
    ]
    env = os.environ | {"TOY_CALLS": str(log)}
    command = [sys.executable, "-m", "wager.cli", "eval", *arguments]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals
    )
    while sum(calls(log).values()) < 40:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    time.sleep(0.5)
    running.send_signal(how)
    _, errors = running.communicate(timeout=60)
    if how is signal.SIGINT:
        assert running.returncode == 130
        assert "what was answered is kept" in errors
        assert "Traceback" not in errors
        kept = AnswerTable.read(tmp_path / "out" / "answers.parquet")
        assert 20 <= len(kept) < 120
    before = sum(calls(log).values())
    done = wager(*arguments, cwd=tmp_path, TOY_CALLS=str(log))
    assert done.returncode == 0, done.stderr
    assert {group["n"] for group in results(done)["groups"]} == {60}
    asked = sum(calls(log).values())
    assert asked - before < 120 - before + 14, f"{before} calls before the stop, {asked} in all"


def test_the_consistency_arm_abstains_where_samples_disagree(tmp_path: Path) -> None:
    done = wager(
        TOY,
        "--model",
        "toy/x",
        "--targets",
        "0.5",
        "--arms",
        "closed",
        "consistency",
        "--samples",
        "3",
        "--out",
        "out",
        "--json",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    by_arm = {group["by"]["arm"]: group for group in results(done)["groups"]}
    assert by_arm["closed"]["n"] == 60
    assert by_arm["closed"]["n_items"] == 20
    assert by_arm["consistency"]["n"] == 20
    assert by_arm["consistency"]["counts"]["abstained"] == 0  # the toy model says the same three times
    rows = pq.read_table(tmp_path / "out" / "answers.parquet").to_pylist()
    assert {row["confidence_consistency"] for row in rows if row["arm"] == "closed"} == {1.0}


def test_a_run_of_other_settings_is_never_mixed_into_a_folder(tmp_path: Path) -> None:
    arguments = [TOY, "--targets", "0.5", "--out", "out", "--limit", "2"]
    assert wager(*arguments, "--model", "toy/x", cwd=tmp_path).returncode == 0
    other = wager(*arguments, "--model", "toy/y", cwd=tmp_path)
    assert other.returncode == 2
    assert "holds a run with model 'toy/x', this one has 'toy/y'; choose another --out, or start over with --fresh" in other.stderr
    assert wager(*arguments, "--model", "toy/y", "--fresh", cwd=tmp_path).returncode == 0
    record = tmp_path / "out" / "run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"questions": "of another day"}))
    changed = wager(*arguments, "--model", "toy/y", cwd=tmp_path)
    assert changed.returncode == 2
    assert "holds answers to other questions" in changed.stderr


def test_a_dead_server_is_said_and_counted_as_failed(tmp_path: Path) -> None:
    done = wager(
        TOY, "--model", "openai-api/dead/x", "--targets", "0.5", "--limit", "2", "--max-retries", "1", "--timeout", "20", "--out", "out", "--json", cwd=tmp_path,
        DEAD_BASE_URL="http://127.0.0.1:9/v1", DEAD_API_KEY="none",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "4 answers failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert [group["counts"]["failed"] for group in results(done)["groups"]] == [2, 2]
    assert [group["score"]["0.5"]["value"] for group in results(done)["groups"]] == [None, None]


BAD = [
    (["capitols"], "no task named 'capitols'; did you mean 'capitals'?"),
    (["capitals", "--model", "embeded"], "no model named 'embeded'; did you mean 'embedded'?"),
    (["capitals", "--model", "opnai/gpt-4o"], "opnai"),
    (["capitals", "--targets", "1.5"], "a confidence target lies in [0, 1), got '1.5'"),
    (["capitals", "--targets", "75"], "75 percent is written 0.75"),
    (["capitals", "--targets", "0.5", "0.5"], "the confidence target 0.5 is given twice"),
    (["capitals", "--targets", "half"], "a confidence target is a number in [0, 1), got 'half'"),
    (["capitals", "--arms", "opened"], "no arm named 'opened'; did you mean 'open' or 'closed'?"),
    (["capitals", "--samples", "0"], "--samples is at least 1, got 0"),
    (["capitals", "--arms", "consistency", "--samples", "1"], "give --samples 2 or more"),
    (["capitals", "-T", "n"], "-T takes name=value, got 'n'"),
    (["capitals", "-T", "unheard=3"], "no argument of the task wager/capitals named 'unheard'"),
    (["absent.py@x"], "no task file at 'absent.py'"),
    (["capitals", "--model", "gguf/absent.gguf"], "absent.gguf"),
    (["capitals", "--model", "openai/gpt-4o-mini"], "openai"),
    (["questions", "-T", "data=absent.csv"], "absent.csv"),
    (["capitals", "--out", "/proc/nowhere"], "cannot use the output folder '/proc/nowhere'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input_is_one_clear_line_and_a_non_zero_exit(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = wager(*arguments, cwd=tmp_path, OPENAI_API_KEY="")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert message in lines[0]
    assert lines[0].startswith("wager: ")


def test_a_package_of_tasks_that_is_not_installed_is_named_with_its_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "entry_points", lambda group: ())
    with pytest.raises(UsageError, match="python -m pip install inspect-evals"):
        resolve.resolve_task("inspect_evals/gpqa_diamond", {})


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    done = wager("capitals", "--out", "/proc/nowhere", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "wager: cannot use the output folder '/proc/nowhere': No such file or directory; choose another with --out"
    ]
    assert not (tmp_path / "cache").exists()
