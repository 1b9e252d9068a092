"""`wager calibrate` as a user runs it: policies with promises from real answers, other levels, checks on new answers, bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wager.answers import Answer, ConfidenceSource, Outcome
from wager.cli import main
from wager.policy.policy import Policy
from wager.policy.toml import read_policy
from wager.table import AnswerTable

MAP = ["--map", "model=method,confidence_stated=confidence"]
PLATT = ["--calibrator", "platt"]


class Done(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Run:
    """``wager calibrate`` in this process, in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Done:
        status = main(["calibrate", *map(str, arguments)])
        return Done(status, *self._capsys.readouterr())


@pytest.fixture
def calibrate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return Run(capsys)


@pytest.fixture
def rlcr(data: Path) -> Path:
    return data / "rlcr" / "commonsenseqa.parquet"


@pytest.fixture(scope="module")
def halves(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The answers of one method in two random halves."""
    rows = pq.read_table(data / "rlcr" / "commonsenseqa.parquet")
    rows = rows.filter(pa.array([name == "RLCR" for name in rows.column("method").to_pylist()]))
    first = np.random.default_rng(0).permutation(len(rows)) % 2 == 0
    folder = tmp_path_factory.mktemp("halves")
    for name, mask in (("old", first), ("new", ~first)):
        pq.write_table(rows.filter(pa.array(mask)), folder / f"{name}.parquet")
    return folder / "old.parquet", folder / "new.parquet"


def policy(path: str = "policy.toml") -> Policy:
    return read_policy(path)


def counted(rlcr: Path, threshold: float) -> tuple[int, int, int]:
    """Answers above, wrong ones of these, and all, straight from the file."""
    rows = [row for row in pq.read_table(rlcr, columns=["method", "correct", "confidence"]).to_pylist() if row["method"] == "RLCR"]
    taken = [row for row in rows if row["confidence"] > threshold]
    return len(taken), sum(row["correct"] == 0 for row in taken), len(rows)


def write(path: Path, n: int = 200, *, sources: tuple[str, ...] = ("stated",), model: str = "m") -> Path:
    """Answers as wager writes them: right with the probability that is stated."""
    rng = np.random.default_rng(4)
    rows = []
    for k in range(n):
        p = float(np.round(rng.random(), 2))
        right = bool(rng.random() < p)
        outcome = Outcome.CORRECT if right else Outcome.INCORRECT
        sure = {ConfidenceSource(name): p for name in sources}
        rows.append(Answer(task="exam", model=model, item=str(k), outcome=outcome, credit=float(right), confidence=sure))
    AnswerTable.from_answers(rows).write(path)
    return path


# policies


def test_a_risk_is_certified_on_real_answers_and_the_policy_says_so(calibrate: Run, rlcr: Path) -> None:
    done = calibrate(rlcr, *MAP, "--where", "model=RLCR", "--risk", 0.07, "--next-step", "Ask a friend.", "--hedge-above", 0.5)
    assert (done.status, done.err) == (0, "")
    rule = policy().rules["default"]
    assert rule.threshold is not None
    n, wrong, total = counted(rlcr, rule.threshold)
    assert wrong / n <= 0.07
    assert rule.coverage == pytest.approx(n / total)
    assert (rule.risk, rule.delta, rule.n, rule.bound) == (0.07, 0.1, 1221, 0.07)
    assert (rule.source, rule.calibration, rule.hedge_above, rule.next_step) == ("stated", "stated", 0.5, "Ask a friend.")
    assert "at most 7 % of the answers given are wrong" in rule.promise
    assert policy().model == "RLCR"
    fitted = policy().calibrations["stated"]
    assert (fitted.n, fitted.n_wrong, fitted.tasks) == (1221, 106, ("commonsenseqa",))
    assert fitted.log_loss_after < fitted.log_loss_before / 1.5
    counts = json.loads(Path("policy.risk.json").read_text())
    assert (counts["source"], counts["model"], counts["total"]) == ("stated", "RLCR", 1221)
    for threshold, n, wrong in zip(counts["thresholds"], counts["n"], counts["wrong"], strict=True):
        assert counted(rlcr, threshold)[:2] == (n, wrong)
    shown = " ".join(done.out.split())
    assert rule.promise in shown
    assert "1,115 right, 106 wrong" in shown
    assert "wrote policy.toml" in shown
    assert "wrote policy.risk.json" in shown


@pytest.mark.parametrize(("option", "level", "delta"), [("target", 0.75, 0.05), ("joint_risk", 0.02, None), ("risk", 0.1, 0.05)])
def test_each_promise_has_its_rule_and_its_json(calibrate: Run, rlcr: Path, option: str, level: float, delta: float | None) -> None:
    arguments = [f"--{option.replace('_', '-')}", level, "--delta", 0.05, "--below", "look_up", "--words", "--write", "own.toml"]
    done = calibrate(rlcr, *MAP, "--where", "model=RLCR", *PLATT, *arguments, "--json")
    assert (done.status, done.err) == (0, "")
    found, rule = done.json, policy("own.toml").rules["default"]
    assert (getattr(rule, option), rule.delta, rule.below, rule.words) == (level, delta, "look_up", True)
    assert (found["answers"], found["model"], found["tasks"], found["source"]) == (1221, "RLCR", ["commonsenseqa"], "stated")
    assert (found["unanswerable"], found["left_out"], found["policy"]) == (0, {}, "own.toml")
    certificate = found["certificate"]
    assert (certificate["level"], certificate["delta"], certificate["n"]) == (level, delta, 1221)
    assert (certificate["threshold"], certificate["sentence"]) == (rule.threshold, rule.promise)
    assert certificate["coverage"]["value"] == rule.coverage
    assert found["calibration"] == policy("own.toml").calibrations["stated"].to_dict()
    assert found["calibration"]["calibrator"]["kind"] == "platt"
    assert found["after"]["log_loss"]["value"] < found["before"]["log_loss"]["value"]
    assert found["table"]["total"] == 1221
    assert Path("own.risk.json").is_file()
    assert not Path("policy.toml").exists()


def test_what_the_files_say_of_a_method_is_what_was_published(calibrate: Run, rlcr: Path, data: Path) -> None:
    published = json.loads((data / "rlcr" / "commonsenseqa_published_metrics.json").read_text())["RLCR"]
    found = calibrate(rlcr, *MAP, "--where", "model=RLCR", *PLATT, "--target", 0.5, "--json").json
    assert found["before"]["brier"]["value"] == pytest.approx(published["brier_score"], abs=5e-5)
    assert found["before"]["auroc"]["value"] == pytest.approx(published["auroc"], abs=5e-5)


def test_where_nothing_can_be_promised_no_policy_is_written_and_it_says_how_many_more(calibrate: Run, rlcr: Path) -> None:
    done = calibrate(rlcr, *MAP, "--where", "model=RLCR", *PLATT, "--risk", 0.04)
    assert done.status == 1
    assert done.err == "wager: no policy was written: nothing can be promised at this level\n"
    shown = " ".join(done.out.split())
    assert "Nothing can be promised: 1,221 graded answers" in shown
    found = calibrate("--table-of", "policy.risk.json", "--risk", 0.04, "--json")
    assert found.status == 1
    assert found.json["threshold"] is None
    assert f"{found.json['needed'] - 1221:,} more" in shown
    assert not Path("policy.toml").exists()
    assert Path("policy.risk.json").is_file()
    assert "wrote policy.toml" not in done.out


def test_an_earlier_policy_stays_where_nothing_can_be_promised(calibrate: Run, rlcr: Path) -> None:
    arguments = [rlcr, *MAP, "--where", "model=RLCR", *PLATT]
    assert calibrate(*arguments, "--target", 0.5).status == 0
    before = Path("policy.toml").read_bytes()
    done = calibrate(*arguments, "--risk", 0.0001, "--json")
    assert (done.status, done.json["policy"]) == (1, None)
    assert Path("policy.toml").read_bytes() == before


@pytest.mark.parametrize("promise", [("--risk", 0.07), ("--risk", 0.01), ("--joint-risk", 0.03), ("--target", 0.9), ("--target", 0.99)])
def test_another_level_from_the_counts_is_the_certificate_of_a_fresh_run(calibrate: Run, rlcr: Path, promise: tuple[str, float]) -> None:
    arguments = [rlcr, *MAP, "--where", "model=RLCR", *PLATT]
    calibrate(*arguments, "--target", 0.5, "--write", "first.toml")
    fresh = calibrate(*arguments, *promise, "--delta", 0.05, "--json").json["certificate"]
    again = calibrate("--table-of", "first.risk.json", *promise, "--delta", 0.05, "--json")
    assert again.json == fresh
    assert again.status == (0 if fresh["threshold"] is not None else 1)
    said = calibrate("--table-of", "first.risk.json", *promise, "--delta", 0.05)
    assert " ".join(said.out.split()) == fresh["sentence"]


def test_a_rule_of_another_kind_is_added_and_the_others_are_kept(calibrate: Run, rlcr: Path) -> None:
    arguments = [rlcr, *MAP, "--where", "model=RLCR", *PLATT]
    assert calibrate(*arguments, "--target", 0.5).status == 0
    before = policy()
    done = calibrate(*arguments, "--policy", "policy.toml", "--kind", "quiz", "--risk", 0.07, "--json")
    assert (done.status, done.json["policy"]) == (0, "policy.toml")
    after = policy()
    assert set(after.rules) == {"default", "quiz"}
    assert after.rules["default"] == before.rules["default"]
    assert after.calibrations["stated"] == before.calibrations["stated"]
    assert (after.rules["quiz"].risk, after.rules["quiz"].calibration) == (0.07, "quiz-stated")
    third = calibrate(*arguments, "--policy", "policy.toml", "--kind", "exam", "--target", 0.9, "--write", "third.toml")
    assert third.status == 0
    assert policy() == after
    assert set(policy("third.toml").rules) == {"default", "quiz", "exam"}


def test_a_policy_of_another_model_takes_no_rule(calibrate: Run, rlcr: Path) -> None:
    calibrate(rlcr, *MAP, "--where", "model=RLCR", *PLATT)
    before = Path("policy.toml").read_bytes()
    done = calibrate(rlcr, *MAP, "--where", "model=Base", *PLATT, "--policy", "policy.toml", "--kind", "quiz")
    assert refused(done, "the policy is for 'RLCR', got 'Base'")
    assert Path("policy.toml").read_bytes() == before


def test_thresholds_are_listed_with_their_counts(calibrate: Run, rlcr: Path) -> None:
    done = calibrate(rlcr, *MAP, "--where", "model=RLCR", *PLATT, "--thresholds")
    n, wrong, _ = counted(rlcr, 0.6)
    assert ["0.6", str(n), str(wrong), f"{wrong / n:.3f}"] in [line.split() for line in done.out.splitlines()]


def test_states_and_invented_questions_are_said(calibrate: Run, tmp_path: Path) -> None:
    given = list(AnswerTable.read(write(tmp_path / "a.parquet")))
    given += [Answer(task="exam", model="m", item=f"x{k}", outcome=Outcome.ABSTAINED) for k in range(3)]
    given.append(Answer(task="exam", model="m", item="y", outcome=Outcome.FAILED, reason="down"))
    wrong = {ConfidenceSource.STATED: 0.9}
    given.append(Answer(task="exam", model="m", item="z", outcome=Outcome.INCORRECT, credit=0.0, answerable=False, confidence=wrong))
    AnswerTable.from_answers(given).write("a.parquet")
    found = calibrate("a.parquet", *PLATT, "--target", 0.5, "--json").json
    assert (found["answers"], found["unanswerable"], found["left_out"]) == (201, 1, {"abstained": 3, "failed": 1})
    said = calibrate("a.parquet", *PLATT, "--target", 0.5).out
    assert "3 abstained" in said
    assert "1 of them to questions that have no answer" in said


def test_a_damaged_file_is_named_and_the_rest_is_calibrated(calibrate: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    Path("broken.jsonl").write_text(
        '{"item": 1, "model": "m", "task": "exam", "correct": true, "confidence_stated": 0.9}\n{"item": 2, "corr\n'
    )
    done = calibrate("a.parquet", "broken.jsonl", *PLATT, "--target", 0.5, "--json")
    assert done.status == 1
    assert done.json["answers"] == 201
    assert [("broken.jsonl" in line, "line 2" in line) for line in done.err.splitlines()] == [(True, True)]


def test_names_from_files_steer_no_terminal(calibrate: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", model="\x1b[31mred")
    done = calibrate("a.parquet", *PLATT, "--target", 0.5)
    assert done.status == 0
    assert "\x1b" not in done.out + done.err
    assert policy().model == "\x1b[31mred"


# checks on new answers


@pytest.mark.parametrize("promise", [("--risk", 0.1), ("--target", 0.5), ("--joint-risk", 0.08)])
def test_on_new_answers_of_the_same_law_the_policy_holds(calibrate: Run, halves: tuple[Path, Path], promise: tuple[str, float]) -> None:
    old, new = halves
    assert calibrate(old, *MAP, *PLATT, *promise).status == 0
    done = calibrate("--check", new, *MAP, "--json")
    assert done.status == 0
    (found,) = done.json
    assert (found["rule"], found["source"], found["answers"], found["total"]) == ("default", "stated", 610, 610)
    assert found["verdict"] in ("holds", "cannot tell")
    assert found["p_value"] >= 0.05
    assert found["promise"] == "kept"
    said = calibrate("--check", new, *MAP, "--policy", "policy.toml")
    assert said.status == 0
    assert "610 new answers with a stated confidence" in said.out
    assert "Nothing speaks against the promise" in " ".join(said.out.split())


def test_the_answers_of_another_method_have_drifted(calibrate: Run, rlcr: Path) -> None:
    arguments = ["--model", "some", "--map", "confidence_stated=confidence", "--where"]
    assert calibrate(rlcr, *arguments, "method=RLCR", *PLATT, "--risk", 0.07).status == 0
    done = calibrate("--check", rlcr, *arguments, "method=Base", "--json")
    assert done.status == 1
    (found,) = done.json
    assert (found["verdict"], found["promise"]) == ("drifted", "broken")
    assert found["gap_points"] > 5
    said = calibrate("--check", rlcr, *arguments, "method=Base")
    assert said.status == 1
    assert "drifted" in said.out
    assert "certify again" in " ".join(said.out.split())


def test_answers_that_went_wrong_break_the_promise(calibrate: Run, halves: tuple[Path, Path]) -> None:
    old, new = halves
    assert calibrate(old, *MAP, *PLATT, "--joint-risk", 0.08).status == 0
    rows = pq.read_table(new)
    flipped = [0 if k % 4 == 0 else one for k, one in enumerate(rows.column("correct").to_pylist())]
    pq.write_table(rows.set_column(rows.column_names.index("correct"), "correct", pa.array(flipped)), "flipped.parquet")
    done = calibrate("--check", "flipped.parquet", *MAP, "--json")
    assert done.status == 1
    assert (done.json[0]["verdict"], done.json[0]["promise"]) == ("drifted", "broken")


def test_a_rule_of_one_kind_is_checked_by_itself(calibrate: Run, halves: tuple[Path, Path]) -> None:
    old, new = halves
    calibrate(old, *MAP, *PLATT, "--target", 0.5)
    calibrate(old, *MAP, *PLATT, "--risk", 0.1, "--kind", "quiz", "--policy", "policy.toml")
    done = calibrate("--check", new, *MAP, "--kind", "quiz", "--json")
    assert [one["rule"] for one in done.json] == ["quiz"]
    assert [one["rule"] for one in calibrate("--check", new, *MAP, "--json").json] == ["default", "quiz"]


def test_the_answers_of_another_model_are_not_checked(calibrate: Run, rlcr: Path) -> None:
    calibrate(rlcr, *MAP, "--where", "model=RLCR", *PLATT)
    assert refused(calibrate("--check", rlcr, *MAP, "--where", "model=Base"), "the policy is for 'RLCR', got 'Base'")
    assert refused(calibrate("--check", rlcr, *MAP), "the answers are of 5 models")


# bad input


def refused(done: Done, message: str) -> bool:
    """One clear line, and nothing else."""
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("wager: ")
    assert len(done.err.splitlines()) == 1, done.err
    assert message in done.err, done.err
    return True


BAD = [
    ([], "give graded answers"),
    (["absent.parquet"], "absent.parquet"),
    (["a.parquet", "--risk", "0"], "--risk lies in (0, 1), got 0"),
    (["a.parquet", "--risk", "1"], "--risk lies in (0, 1), got 1"),
    (["a.parquet", "--risk", "nan"], "--risk lies in (0, 1), got nan"),
    (["a.parquet", "--joint-risk", "1.5"], "--joint-risk lies in (0, 1), got 1.5"),
    (["a.parquet", "--target", "1"], "lies in [0, 1), got 1"),
    (["a.parquet", "--target", "-0.1"], "lies in [0, 1), got -0.1"),
    (["a.parquet", "--delta", "0"], "--delta lies in (0, 1), got 0"),
    (["a.parquet", "--risk", "0.1", "--delta", "2"], "--delta lies in (0, 1), got 2"),
    (["a.parquet", "--source", "logprob"], "no answer has a 'logprob' confidence; the answers have stated"),
    (["a.parquet", "--source", "loud"], "no answer has a 'loud' confidence"),
    (["two.parquet"], "choose one with --source"),
    (["a.parquet", "other.parquet"], "the answers are of 2 models (m, other); choose one with --where model=NAME"),
    (["a.parquet", "--where", "modle=m"], "no column named 'modle'; did you mean 'model'"),
    (["a.parquet", "--where", "model=x"], "no answer has model 'x'; there are m"),
    (["a.parquet", "--where", "model"], "--where takes"),
    (["a.parquet", "--map", "item"], "--map takes ours=theirs"),
    (["a.parquet", "--calibrator", "magic"], "no calibrator named 'magic'"),
    (["a.parquet", "--hedge-above", "2"], "hedge_above lies in [0, 1), got 2.0"),
    (["a.parquet", "--kind", ""], "has no name"),
    (["a.parquet", "--write", "nowhere/policy.toml"], "nowhere/policy.toml"),
    (["a.parquet", "--policy", "absent.toml"], "absent.toml: cannot be read"),
    (["a.parquet", "--policy", "damaged.toml"], "damaged.toml:4: rules.default.target lies in [0, 1), got 1.5"),
    (["a.parquet", "--policy", "broken.toml"], "broken.toml:2: is not TOML"),
    (["a.parquet", "--check", "a.parquet"], "--check takes the new answers itself"),
    (["--check", "a.parquet"], "policy.toml: cannot be read"),
    (["--check", "a.parquet", "--policy", "good.toml", "--kind", "typo"], "no rule named 'typo'"),
    (["--check", "a.parquet", "--policy", "good.toml", "--risk", "0.1"], "--check tests the promises that the policy makes"),
    (["a.parquet", "--table-of", "policy.risk.json"], "--table-of needs no answers; got 'a.parquet'"),
    (["--check", "a.parquet", "--policy", "damaged.toml"], "damaged.toml:4"),
    (["--check", "absent.parquet", "--policy", "good.toml"], "absent.parquet"),
    (["--check", "other.parquet", "--policy", "good.toml"], "the policy is for 'm', got 'other'"),
    (["--check", "loud.parquet", "--policy", "good.toml"], "no answer has a 'stated' confidence; the answers have logprob"),
    (["--table-of", "absent.json"], "'absent.json' cannot be read"),
    (["--table-of", "damaged.toml"], "'damaged.toml' is not the JSON"),
    (["--table-of", "list.json"], "'list.json' is not the JSON"),
    (["--table-of", "short.json"], "'wrong' has 1 numbers, want 2"),
    (["--table-of", "more.json"], "'wrong' is at most 'n'"),
    (["--table-of", "good.json", "--risk", "3"], "--risk lies in (0, 1), got 3"),
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files, good and bad."""
    folder = tmp_path_factory.mktemp("shelf")
    write(folder / "a.parquet")
    write(folder / "other.parquet", model="other")
    write(folder / "two.parquet", sources=("stated", "logprob"))
    write(folder / "loud.parquet", sources=("logprob",))
    assert main(["calibrate", str(folder / "a.parquet"), "--write", str(folder / "good.toml"), *PLATT, "--target", "0.5"]) == 0
    head = 'version = 1\nmade = "2026-01-31"\nmodel = "m"\n'
    (folder / "damaged.toml").write_text(f'{head}rules.default = {{target = 1.5, source = "stated"}}\n')
    (folder / "broken.toml").write_text("version = 1\nmade = \n")
    counts = {"schema": 1, "thresholds": [0.5, 0.0], "n": [50, 90], "wrong": [1, 9], "total": 90, "n_repeated": 0}
    for name, wrong in (("good", [1, 9]), ("short", [1]), ("more", [51, 9])):
        (folder / f"{name}.json").write_text(json.dumps(counts | {"wrong": wrong}))
    (folder / "list.json").write_text("[1, 2]")
    return folder


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(case[0]) or "nothing" for case in BAD])
def test_bad_input_is_one_clear_line(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(shelf)
    capsys.readouterr()
    before = sorted(path.name for path in shelf.iterdir())
    assert refused(Run(capsys)(*arguments), message)
    assert sorted(path.name for path in shelf.iterdir()) == before


def test_two_promises_are_refused_by_the_grammar(calibrate: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        calibrate("a.parquet", "--risk", 0.1, "--target", 0.5)
    assert stopped.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")

    def wager(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wager.cli", "calibrate", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=240)

    done = wager("a.parquet", "--risk", "0.3", *PLATT, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["policy"] == "policy.toml"
    bad = wager("a.parquet", "--risk", "3")
    assert (bad.returncode, bad.stdout, bad.stderr) == (2, "", "wager: --risk lies in (0, 1), got 3\n")
