"""The open rubric around Inspect tasks: what the model is told, and what becomes of each kind of reply."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai import eval_retry
from inspect_ai.log import EvalSample, read_eval_log

from wager.errors import UnknownNameError, UsageError
from wager.evals.rubric import open_rubric
from wager.targets import BEST_GUESS, OVERRIDE, ConfidenceTarget

TOY = str(Path(__file__).parent / "toy.py")


def run(tmp_path: Path, task: str, *, model: str = "toy/script", **options: Any) -> list[EvalSample]:
    made = open_rubric(task=f"{TOY}@{task}", **options)
    (log,) = inspect_eval(made, model=model, log_dir=str(tmp_path), display="none", fail_on_error=False, score_display=False, logprobs=True)
    assert log.samples is not None
    return log.samples


def verdict(tmp_path: Path, task: str, args: dict[str, Any], **options: Any) -> dict[str, Any]:
    (sample,) = run(tmp_path, task, task_args=args, **options)
    assert sample.error is None, sample.error
    assert sample.scores
    (score,) = sample.scores.values()
    assert score.metadata
    return dict(score.metadata["wager"]) | {"answer": score.answer}


def prompt(sample: EvalSample) -> str:
    return next(message.text for message in reversed(sample.messages) if message.role == "user")


def test_the_target_is_stated_after_the_options_with_the_override_that_the_format_needs(tmp_path: Path) -> None:
    (sample,) = run(tmp_path, "toy_mc", model="toy/x", target=0.75, task_args={"n": 1})
    text = prompt(sample)
    assert text.index("D) z") < text.index(ConfidenceTarget(0.75).instruction())
    assert text.endswith(OVERRIDE)
    assert sample.scores is not None
    assert "entire content of your response" in sample.scores["three_way"].metadata["wager"]["conflict"]  # type: ignore[index]


def test_a_plain_question_gets_the_published_sentence_alone(tmp_path: Path) -> None:
    (sample,) = run(tmp_path, "toy_said", target=0.5, task_args={"reply": "42"})
    assert prompt(sample) == f"<say>42</say>\n\n{ConfidenceTarget(0.5).instruction()}"


def test_target_zero_asks_for_the_best_guess_and_no_target_says_nothing(tmp_path: Path) -> None:
    (zero,) = run(tmp_path, "toy_said", target=0, task_args={"reply": "42"})
    assert prompt(zero).endswith(f"\n\n{BEST_GUESS}")
    (closed,) = run(tmp_path, "toy_said", task_args={"reply": "42"})
    assert prompt(closed) == "<say>42</say>"


@pytest.mark.parametrize(
    ("reply", "gold", "outcome"),
    [
        ("ANSWER: I'm not sure", "I", "abstained"),
        ("ANSWER: N/A", "A", "abstained"),
        ("ANSWER: IDK", "D", "abstained"),
        ("I don't know", "I", "abstained"),
        ("ANSWER: I", "I", "correct"),
        ("ANSWER: I", "B", "incorrect"),
        ("ANSWER: B", "B", "correct"),
        ("the second one", "B", "unparsed"),
        ("   ", "B", "unparsed"),
    ],
)
def test_abstentions_are_told_from_option_letters(tmp_path: Path, reply: str, gold: str, outcome: str) -> None:
    assert verdict(tmp_path, "toy_options", {"reply": reply, "target": gold})["outcome"] == outcome


@pytest.mark.parametrize("grader", ["match", "exact", "line", "f1"])
def test_a_confidence_line_never_makes_a_right_answer_wrong(tmp_path: Path, grader: str) -> None:
    reply = "ANSWER: 42\nCONFIDENCE: 0.8" if grader == "line" else "42\nCONFIDENCE: 80%"
    found = verdict(tmp_path, "toy_said", {"reply": reply, "grader": grader}, ask_confidence=True)
    assert found["outcome"] == "correct"
    assert found["confidence"]["stated"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("value", "outcome", "credit"),
    [
        ('"C"', "correct", 1.0),
        ('"I"', "incorrect", 0.0),
        ('"P"', "correct", 0.5),
        ("0.3", "incorrect", 0.3),
        ("true", "correct", 1.0),
        ('{"correct": 0, "incorrect": 1, "not_attempted": 0}', "incorrect", 0.0),
        ('{"correct": 0, "incorrect": 0, "not_attempted": 1}', "abstained", None),
        ('{"score": "C", "confidence": 100}', "correct", 1.0),
        ('"N"', "abstained", None),
        ('"nan"', "ungraded", None),
        ("[1, 0]", "ungraded", None),
        ('{"style": 1}', "ungraded", None),
        ("7", "ungraded", None),
        ('"excellent"', "ungraded", None),
    ],
)
def test_every_kind_of_score_becomes_an_outcome_and_none_becomes_a_number_by_luck(
    tmp_path: Path, value: str, outcome: str, credit: float | None
) -> None:
    found = verdict(tmp_path, "toy_said", {"reply": "Lima", "target": value, "grader": "odd"})
    assert (found["outcome"], found["credit"]) == (outcome, credit)


def test_a_cut_off_reply_is_unparsed_whether_or_not_it_would_have_been_right(tmp_path: Path) -> None:
    for reply in ("It is 42 and", "It is 43 and"):
        assert verdict(tmp_path, "toy_said", {"reply": reply, "grader": "includes", "cut": True})["outcome"] == "unparsed"


def test_the_first_of_several_scorers_decides_unless_another_is_named(tmp_path: Path) -> None:
    args = {"reply": "It is 42.", "grader": "both"}
    assert verdict(tmp_path, "toy_said", args)["outcome"] == "correct"
    found = verdict(tmp_path, "toy_said", args, headline="exact")
    assert found["outcome"] == "incorrect"
    assert found["scorers"] == {"includes": "C", "exact": "I"}
    with pytest.raises(UsageError, match="no scorer named 'f1'; it has includes, exact"):
        open_rubric(task=f"{TOY}@toy_said", task_args=args, headline="f1")


def test_an_agent_that_is_never_told_the_target_is_an_error_and_the_dataset_note_helps(tmp_path: Path) -> None:
    for sample in run(tmp_path / "a", "toy_agent", model="toy/x", target=0.5):
        assert sample.error
        assert "--note-in-dataset" in sample.error.message
    samples = run(tmp_path / "b", "toy_agent", model="toy/x", target=0.5, note_in_dataset=True)
    assert [sample.error for sample in samples] == [None] * 3
    assert all(prompt(sample).endswith(ConfidenceTarget(0.5).instruction()) for sample in samples)


def test_a_grader_that_breaks_leaves_the_sample_without_a_verdict(tmp_path: Path) -> None:
    (sample,) = run(tmp_path, "toy_said", task_args={"reply": "Lima", "target": '"raise"', "grader": "odd"})
    assert sample.error
    assert "the grader broke" in sample.error.message


def test_log_probabilities_of_the_answer_become_a_confidence(tmp_path: Path) -> None:
    found = verdict(tmp_path, "toy_options", {"reply": "ANSWER: B", "target": "B", "options": 4})
    assert found["confidence"]["logprob"] == pytest.approx(0.7788, abs=1e-4)  # one token of -0.25 nats


def test_retrying_a_log_asks_with_the_target_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    down = tmp_path / "down"
    down.touch()
    monkeypatch.setenv("TOY_DOWN", str(down))
    made = open_rubric(task=f"{TOY}@toy_mc", target=0.9, task_args={"n": 6})
    (first,) = inspect_eval(made, model="toy/flaky", log_dir=str(tmp_path / "logs"), display="none", score_display=False)
    assert first.status == "error"
    down.unlink()
    (again,) = eval_retry(first, log_dir=str(tmp_path / "logs"), display="none", score_display=False)
    log = read_eval_log(again.location)
    assert log.status == "success"
    assert log.samples is not None
    assert len(log.samples) == 6
    assert all(ConfidenceTarget(0.9).instruction() in prompt(sample) for sample in log.samples)
    assert all(sample.scores and "three_way" in sample.scores for sample in log.samples)


def test_tasks_that_cannot_be_measured_are_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match="has no scorer"):
        open_rubric(task=f"{TOY}@toy_unscored")
    with pytest.raises(ValueError, match="no samples"):
        open_rubric(task=f"{TOY}@toy_empty")
    with pytest.raises(UnknownNameError, match=r"did you mean 'toy_mc'"):
        open_rubric(task=f"{TOY}@toy_mx")
    with pytest.raises(UnknownNameError, match="did you mean 'capitals'"):
        open_rubric(task="capitols")
    with pytest.raises(UnknownNameError, match="did you mean 'wager/capitals'"):
        open_rubric(task="wager/capitol")
    with pytest.raises(UnknownNameError, match="no argument of the task toy_mc named 'm'"):
        open_rubric(task=f"{TOY}@toy_mc", task_args={"m": 3})
    with pytest.raises(UsageError, match="needs the argument 'reply'"):
        open_rubric(task=f"{TOY}@toy_said")
    with pytest.raises(UsageError, match="no task file at"):
        open_rubric(task="absent.py@x")
