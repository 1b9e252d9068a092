"""``wager serve`` as it is typed: what is checked before it starts, keys, and labels. That it serves is tested in the test_gateway files."""

import json
from pathlib import Path

import pytest

from wager.cli import main
from wager.detection.detector import Detector
from wager.gateway.keys import Keys


def test_check_tells_what_may_be_expected_and_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--check", "--journal", str(tmp_path / "journal")]) == 0
    said = capsys.readouterr().err
    assert "of 259 graded answers 31 % lie above it, 85 % of them right" in said
    assert "kinds of task: above p = " in said
    assert not (tmp_path / "journal").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--policy", "absent.toml"], "absent.toml"),
        (["--config", "absent.toml"], "absent.toml"),
        (["--documents", "absent"], "absent"),
        (["--upstream", "ftp://somewhere"], "ftp://somewhere"),
        (["--upstream", "http://localhost:1/v1", "--key-env", "WAGER_NO_SUCH_KEY"], "WAGER_NO_SUCH_KEY"),
        (["--host", "0.0.0.0"], "--keys"),
        (["--workers", "0"], "workers"),
        (["--port", "70000"], "70000"),
        (["--detector", "absent.npz"], "absent.npz"),
        (["hello"], "--label"),
        (["--new-key", "laptop"], "--keys"),
    ],
)
def test_what_cannot_be_is_one_line(
    options: list[str], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--check", *options]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith("wager: ")
    assert named in said[0]


def test_a_configuration_with_a_wrong_key_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.toml").write_text("prot = 8080\n")
    assert main(["serve", "--check", "--config", str(tmp_path / "gateway.toml")]) == 2
    assert "'prot' is no setting" in capsys.readouterr().err


def test_a_new_key_is_shown_once_and_its_hash_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys.toml"
    assert main(["serve", "--new-key", "laptop", "--keys", str(file)]) == 0
    key = capsys.readouterr().out.strip()
    found = Keys.read(file).find(key)
    assert found is not None
    assert found.name == "laptop"
    assert key not in file.read_text()


def test_labels_are_added_and_a_detector_is_made_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, made = tmp_path / "labels.jsonl", tmp_path / "detector.npz"
    prompts = [f"frobnicate the zorblax of tenant {name} and tell why it quaffed" for name in ("north", "south", "east", "west", "middle")]
    assert main(["serve", "--label", str(labels), "--kind", "debugging", *prompts]) == 0
    assert "wrote 5 prompts" in capsys.readouterr().out
    assert [json.loads(line)["kind"] for line in labels.read_text().splitlines()] == ["debugging"] * 5
    assert main(["serve", "--label", str(labels), "--refit", str(made)]) == 0
    assert "fitted on 5 prompts of your own" in capsys.readouterr().out
    before = Detector.load().detect("frobnicate the zorblax of tenant up and tell why it quaffed")
    after = Detector.load(made).detect("frobnicate the zorblax of tenant up and tell why it quaffed")
    assert after.probabilities["debugging"] > before.probabilities["debugging"]


def test_a_label_of_no_kind_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--label", str(tmp_path / "labels.jsonl"), "--kind", "debuging", "why"]) == 2
    assert "no kind named 'debuging'; known: factual, debugging" in capsys.readouterr().err
    assert not (tmp_path / "labels.jsonl").exists()
