"""`wager ask` as a user runs it, with the embedded model: what a policy lets it say, and why."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wager.cli import main
from wager.elicit.methods import METHODS
from wager.policy.answers import GivenAnswers
from wager.policy.making import make_policy
from wager.policy.policy import Policy
from wager.policy.toml import write_policy

EMBEDDED = "embedded/smollm2-135m-instruct"
JAPAN = "What is the capital of Japan?"


def wager(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wager.cli", "ask", *arguments]
    return subprocess.run(command, cwd=cwd, env=dict(os.environ), capture_output=True, text=True, timeout=240)


def simulated(model: str) -> GivenAnswers:
    """All right above 0.9999, and mostly wrong below it."""
    rng, n = np.random.default_rng(1), 1000
    low, high = rng.uniform(0, 0.999, n), rng.uniform(0.9999, 1, n)
    right = np.concatenate([rng.random(n) < 0.7 * low, np.ones(n)]).astype(float)
    return GivenAnswers("logprob", model, ("capitals",), np.concatenate([low, high]), right, np.arange(2 * n), 2 * n, 0, {})


def made(model: str = EMBEDDED) -> Policy:
    """Lenient by default, and strict for kind ``strict``."""
    given, step = simulated(model), {"next_step": "Look in an atlas."}
    base = make_policy(given, promise="target", level=0.0, calibrator="platt").policy
    policy = make_policy(given, promise="risk", level=0.01, kind="strict", calibrator="platt", rule=step, base=base).policy
    assert policy is not None
    return policy


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    write_policy(made(), folder / "own.toml")
    write_policy(made("openai/gpt-4o-mini"), folder / "other.toml")
    (folder / "damaged.toml").write_text('version = 1\nmade = "2026-01-31"\nmodel = 7\nrules = {}\n')
    return folder


def test_a_lenient_policy_answers_and_why_shows_every_confidence(shelf: Path, tmp_path: Path) -> None:
    write_policy(made(), tmp_path / "policy.toml")  # in this folder: no option names it
    done = wager(JAPAN, "--why", "--draws", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "Tokyo" in lines[0]
    assert any("calibrated from logprob" in line and "2,000 graded answers to capitals" in line for line in lines)
    rows = {words[0]: words[1] for line in lines if (words := line.split()) and words[0] in {source.value for source in METHODS}}
    assert set(rows) == {source.value for source in METHODS}
    assert all(raw == "-" or 0 <= float(raw) <= 1 for raw in rows.values())
    assert any(line.startswith("logprob ") and line.endswith("decides") for line in lines)
    for said in ("above the certified threshold", "samples:", "calls,"):
        assert said in done.stdout


def test_a_strict_rule_does_not_answer_and_says_what_to_do(shelf: Path) -> None:
    peru = "What is the capital of Peru?"
    done = wager(JAPAN, peru, "--policy", "own.toml", "--kind", "strict", "--targets", "0", "0.99", "--json", cwd=shelf)
    assert done.returncode == 0, done.stderr
    found, other = json.loads(done.stdout)
    assert (found["question"], other["question"]) == (JAPAN, peru)
    assert (found["act"], found["text"]) == ("abstain", "I don't know. Look in an atlas.")
    assert "Tokyo" in found["reply"]
    assert found["answer"] == "Tokyo"
    assert (found["kind"], found["rule"], found["source"], found["compared"]) == ("strict", "strict", "logprob", "confidence")
    policy = made()
    fitted, rule = policy.calibrations["strict-logprob"], policy.rules["strict"]
    assert found["threshold"] == rule.threshold
    assert found["confidence"] == found["confidences"]["logprob"] <= found["threshold"]
    assert found["probability"] == pytest.approx(fitted.at(found["confidence"]))
    assert found["at_targets"] == {"0": "answer", "0.99": "abstain"}
    assert (found["samples"], list(found["confidences"]), list(found["costs"])) == ([], ["logprob"], ["greedy"])  # nothing else was needed
    assert found["costs"]["greedy"]["calls"] == 1


BAD = [
    (["--policy", "absent.toml"], "absent.toml: cannot be read"),
    (["--policy", "damaged.toml"], "damaged.toml:"),
    (["--policy", "other.toml", "--model", "embedded"], f"the policy is for 'openai/gpt-4o-mini', got '{EMBEDDED}'"),
    (["--policy", "own.toml", "--model", "openai/gpt-4o-mini"], f"the policy is for '{EMBEDDED}', got 'openai/gpt-4o-mini'"),
    (["--policy", "own.toml", "--targets", "1"], "lies in [0, 1), got '1'"),
    (["--policy", "own.toml", "--targets", "-0.5"], "lies in [0, 1), got '-0.5'"),
    (["--policy", "own.toml", "--targets", "high"], "'high'"),
    (["--policy", "own.toml", "--targets", "0.5", "0.5"], "0.5"),
    (["--policy", "own.toml", "--draws", "1"], "--draws is at least 2, got 1"),
    (["--policy", "own.toml", "-M", "n_ctx"], "-M takes name=value, got 'n_ctx'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input_is_one_clear_line_before_anything_is_asked(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(shelf)
    assert main(["ask", JAPAN, *arguments]) == 2
    done = capsys.readouterr()
    assert done.out == ""
    assert done.err.startswith("wager: ")
    assert len(done.err.splitlines()) == 1, done.err
    assert message in done.err
