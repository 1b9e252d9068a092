"""wager inside Inspect: its own command line finds our tasks, and re-scores a log without a model."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log

from wager.evals.resolve import resolve_task

TOY = Path(__file__).parent / "toy.py"


def inspect(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "from inspect_ai._cli.main import main; main()"
    env = os.environ | {"INSPECT_DISPLAY": "none", "PYTHONPATH": str(TOY.parent)}
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=240)


def newest(folder: Path) -> EvalLog:
    return read_eval_log(max(folder.glob("*.eval"), key=lambda path: path.stat().st_mtime))


def metrics(log: EvalLog) -> dict[str, float]:
    assert log.results
    return {
        name: metric.value
        for score in log.results.scores
        for name, metric in score.metrics.items()
        if score.name.endswith(("three_way", "closed_rubric"))
    }


def records(log: EvalLog) -> list[dict[str, Any]]:
    found = []
    for sample in log.samples or []:
        for score in (sample.scores or {}).values():
            if score.metadata and "wager" in score.metadata:
                found.append(score.metadata["wager"])
    return found


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three capitals and their embedded model, under a target, through Inspect's own command."""
    folder = tmp_path_factory.mktemp("inspect")
    done = inspect(
        "eval", "wager/open_rubric", "-T", "task=wager/capitals", "-T", "target=0.75", "--model", "embedded/smollm2-135m-instruct",
        "--limit", "3", "--log-dir", "logs", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "logs"


def test_inspect_runs_any_task_under_a_target(logs: Path) -> None:
    log = newest(logs)
    assert log.status == "success"
    assert log.eval.task_args["target"] == 0.75
    assert "score@0.75" in metrics(log)
    assert all(record["target"] == 0.75 for record in records(log))
    assert all(
        "are > 0.75 confident" in message.text for sample in log.samples or [] for message in sample.messages if message.role == "user"
    )


def test_an_existing_log_is_scored_at_a_target_without_its_provider(tmp_path: Path) -> None:
    run = inspect_eval(resolve_task(f"{TOY}@toy_mc", {"n": 8}), model="toy/x", log_dir=str(tmp_path / "logs"), display="none")
    assert run[0].status == "success"
    (log,) = (tmp_path / "logs").glob("*.eval")
    done = inspect(
        "score", str(log), "--scorer", "wager/closed_rubric", "-S", "target=0.9", "--action", "append", "--model", "none/none",
        "--output-file", str(tmp_path / "scored.eval"), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    scored = read_eval_log(tmp_path / "scored.eval")
    found = records(scored)
    right = sum(record["outcome"] == "correct" for record in found)
    assert len(found) == 8
    assert 0 < right < 8
    assert metrics(scored)["score@0.9"] == pytest.approx((right - 9 * (8 - right)) / 8)
