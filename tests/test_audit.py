"""`wager audit`: what scripted replies earn by a task's own prompt and scorer, and what is said about it.

The toy tasks are at the end of this file.
"""

import argparse
import ast
import importlib.util
import json
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import inspect_ai.dataset
import pytest
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import Score, Scorer, Target, accuracy, includes, model_graded_qa, pattern, scorer
from inspect_ai.solver import TaskState, generate, multiple_choice, prompt_template, use_tools
from inspect_ai.tool import Tool, tool

import toy
from conftest import absent
from wager.audit import Audit, audit
from wager.audit.replies import Candidate, answers_of, candidates, compose
from wager.audit.script import grade_in
from wager.audit.source import scan
from wager.audit.survey import BENCHMARKS, Surveyed, audit_package, survey
from wager.cli import audit as verb
from wager.errors import DataError, UnknownNameError, UsageError, WagerError

HERE = Path(__file__)
TOY = HERE.parent / "toy.py"


@pytest.fixture(autouse=True, scope="module")
def installed() -> Iterator[None]:
    """For a task in a file, Inspect reads the file list of every installed package, each time anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inspect_ai._util.package.packages_distributions", cache(packages_distributions))
        yield


def credit(found: Audit, reply: str) -> float | None:
    return {row.reply: row.credit for row in found.payoffs}[reply]


def titles(found: Audit, severity: str | None = None) -> str:
    return "\n".join(finding.title for finding in found.findings if severity in (None, finding.severity))


def run(name: str, **options: Any) -> Audit:
    return audit(f"{HERE}@{name}", **options)


# what replies earn


def test_binary_grading_without_credit_for_abstaining_makes_every_guess_pay() -> None:
    found = audit(f"{TOY}@toy_mc", accuracies=(0.1, 0.9))
    assert (found.binary, found.idk_credit, found.threshold) == (True, "none", 0.0)
    assert found.method == "multiple-choice accuracy"
    assert [credit(found, kind) for kind in ("right", "wrong", "I don't know", "blank")] == [1, 0, 0, 0]
    assert credit(found, "first option") == 0.4  # the key is ABCDA
    assert "option that abstains" not in {row.reply for row in found.payoffs}
    assert [(gain.source, gain.accuracy, gain.gain) for gain in found.gains] == [
        ("random option", 0.25, 0.25),
        ("given", 0.1, 0.1),
        ("given", 0.9, 0.9),
    ]
    assert "every guess pays" in titles(found, "high")
    assert "the prompt orders an answer" in titles(found, "medium")
    assert found.remedy == f"wager eval {TOY}@toy_mc --targets 0 0.5 0.75 0.9"
    (evidence,) = found.findings[0].evidence
    assert evidence.where == "item q0"
    assert evidence.prompt.endswith("D) z")
    assert (evidence.reply, evidence.score) == ("I don't know", "'I'")


@pytest.mark.parametrize(
    ("idk", "wrong", "kind", "threshold", "gain"),
    [
        (0.3, 0.0, "partial", 0.3, -0.05),
        (0.0, -0.25, "partial", 0.2, 0.0625),
        (1.0, 0.0, "full", 1.0, -0.75),
        (-1.0, 0.0, "none", 0.0, 1.25),
    ],
)
def test_the_target_below_which_guessing_does_not_pay_follows_from_the_payoffs(
    idk: float, wrong: float, kind: str, threshold: float, gain: float
) -> None:
    found = run("toy_paid", task_args={"idk": idk, "wrong": wrong}, accuracies=[0.25])
    assert found.binary is (idk == 1)
    assert found.idk_credit == kind
    assert found.threshold == pytest.approx(threshold)
    assert found.gains[0].gain == pytest.approx(gain)
    assert ("never answering is the best policy" in titles(found, "high")) is (kind == "full")
    assert ("outside [0, 1]" in titles(found, "info")) is (min(idk, wrong) < 0)


def test_a_scorer_that_knows_abstentions_but_pays_them_like_errors_is_told_from_one_that_does_not() -> None:
    found = run("toy_not_attempted")
    assert (found.idk_credit, found.threshold) == ("none", 0.0)
    assert "every guess pays, however unsure the model is; the scorer does tell the two apart" in titles(found, "high")
    assert "tell the two apart" not in titles(run("toy_paid", task_args={"idk": 0.0}))


def test_an_abstention_that_holds_the_reference_is_scored_as_correct_and_shown() -> None:
    found = run("toy_includes")
    assert found.idk_credit == "none", "one item that is hit by accident is a finding, not a rule"
    assert credit(found, "I don't know") == pytest.approx(1 / 3)
    (hit,) = [finding for finding in found.findings if "(I don't know) was scored as correct on 1 of 3" in finding.title]
    assert hit.severity == "high"
    assert (hit.evidence[0].reply, hit.evidence[0].score) == ("I don't know", "'C'")
    assert "the right and a wrong answer at once earned full marks on 3 of 3" in titles(found, "medium")


def test_the_letter_i_of_an_unsure_reply_is_taken_for_an_option() -> None:
    found = audit(f"{TOY}@toy_options", task_args={"reply": "", "target": "I"})
    assert "(not sure, in format) was scored as correct on 1 of 1" in titles(found, "high")


def test_an_abstention_that_is_the_reference_is_no_accident() -> None:
    found = run("toy_unanswerable")
    assert "was scored as correct" not in titles(found)
    assert found.idk_credit is None


def test_an_option_that_abstains_is_tried() -> None:
    found = run("toy_idk_option")
    assert credit(found, "option that abstains") == 0
    assert next(row.example for row in found.payoffs if row.reply == "option that abstains") == "ANSWER: C"
    assert next(row.example for row in found.payoffs if row.reply == "wrong") == "ANSWER: B"


def test_a_scorer_that_gives_the_reference_no_credit_is_a_finding_and_nothing_is_concluded_from_it() -> None:
    found = run("toy_broken")
    assert "the reference answer never earned full marks on 2 of 2 items" in titles(found, "high")
    assert (found.idk_credit, found.threshold, found.gains) == (None, None, ())


def test_a_scorer_that_gives_everything_full_marks_is_a_finding() -> None:
    found = run("toy_paid", task_args={"idk": 1.0, "wrong": 1.0})
    assert "a wrong answer earned full marks on 3 of 3 items" in titles(found, "high")
    assert found.idk_credit is None


def test_a_reply_that_gets_no_number_is_left_out_and_never_a_zero() -> None:
    found = run("toy_unscored_idk")
    row = next(row for row in found.payoffs if row.reply == "I don't know")
    assert (row.credit, row.n, row.n_ungraded) == (None, 0, 2)
    assert found.idk_credit is None
    assert "2 abstaining replies (I don't know) got no number" in titles(found, "medium")


def test_a_scorer_that_fails_on_a_reply_leaves_it_ungraded_with_the_reason() -> None:
    found = run("toy_paid", task_args={"idk": 0.0, "fails_on": "I don't know"})
    row = next(row for row in found.payoffs if row.reply == "I don't know")
    assert (row.credit, row.n_ungraded) == (None, 3)
    assert row.why_ungraded == "the scorer failed: ValueError: cannot read this"


def test_of_several_values_the_key_decides() -> None:
    unknown = run("toy_values")
    assert unknown.binary is None
    assert "none of which is correct, score, accuracy" in unknown.payoffs[0].why_ungraded
    found = run("toy_values", key="recall")
    assert (credit(found, "right"), credit(found, "wrong"), found.idk_credit) == (1, 0, "none")
    assert "the scorer gives several values ({'precision': 0.5, 'recall': 1.0}); the credit shown is 'recall'" in titles(found, "info")


def test_of_several_scorers_the_named_one_is_audited() -> None:
    found = audit(f"{TOY}@toy_said", task_args={"reply": "", "grader": "both"}, scorer="exact")
    assert (found.scorer, found.scorers, found.method) == ("exact", ("includes", "exact"), "exact match")
    assert "a sentence of doubt before the right answer loses credit" in titles(found, "medium")
    with pytest.raises(UsageError, match=r"no scorer named 'f1'; it has includes, exact"):
        audit(f"{TOY}@toy_said", task_args={"reply": "", "grader": "both"}, scorer="f1")


# how the right reply is written


def test_the_format_that_the_scorer_reads_is_found_by_trying() -> None:
    found = run("toy_pattern")
    assert found.answer_format == "The answer is (X)."
    assert credit(found, "right") == 1


def test_the_prompts_own_lines_come_first() -> None:
    prompt = "Answer in this form:\nExplanation: {why}\nExact Answer: {your answer}\nConfidence: {between 0% and 100%}\n\nWho?"
    first = candidates(prompt, answers_of(Sample(input="Who?", target="Ada"), []))[0]
    assert first.fill("Ada") == "Explanation: It follows from what is given.\nExact Answer: Ada\nConfidence: 100%"
    single = candidates("The last line should be 'ANSWER: $LETTER' (without quotes).", answers_of(Sample(input="", target="B"), []))[0]
    assert single.fill("B") == "ANSWER: B"
    assert candidates(r"Put it in \boxed{}.", answers_of(Sample(input="", target="B"), []))[0].fill("7") == r"\boxed{7}"


def test_letters_follow_the_prompt_where_a_solver_shuffled_the_options() -> None:
    answers = answers_of(Sample(input="Which?", choices=["oak", "elm", "ash"], target="A"), [])
    how = Candidate("", "ANSWER: {}")
    assert compose("right", how, answers, "Which?\n\nA) ash\nB) oak\nC) elm") == ("ANSWER: B", "right")
    assert compose("right", how, answers, "Which?") == ("ANSWER: A", "right")
    assert compose("first option", how, answers, "Which?\n\nA) oak\nB) elm\nC) ash") == ("ANSWER: A", "right")


@pytest.mark.parametrize(
    ("target", "others", "wrong"),
    [
        ("Yes", [], "No"),
        ("FALSE", [], "TRUE"),
        ("valid", [], "invalid"),
        ("1,200 km", [], "1207 km"),
        (r"\frac{3}{4}", [], r"\frac{10}{4}"),
        ("Lima", ["Lima", "Greater Lima", "Quito"], "Quito"),
        ("Lima", [], "Xanthippe Quorn"),
        ("(B)", [], "(A)"),
    ],
)
def test_a_wrong_answer_looks_like_a_right_one(target: str, others: list[str], wrong: str) -> None:
    lent = [Sample(id=i, input="", target=other) for i, other in enumerate(others, start=2)]
    question = "Which?\n(A) one\n(B) two" if target == "(B)" else "?"
    assert answers_of(Sample(id=1, input=question, target=target), lent).wrong == wrong


# graders


@pytest.mark.parametrize("model", [None, "openai/gpt-4o"])
def test_a_model_graded_task_is_audited_with_a_scripted_grader_that_is_named(model: str | None) -> None:
    found = run("toy_graded", task_args={"model": model})
    assert (credit(found, "right"), credit(found, "hedge, then right"), credit(found, "wrong")) == (1, 1, 0)
    assert (found.binary, found.idk_credit) == (True, "none")
    assert found.grader == "scripted; says how the harness turns grades into points, not how a real grader behaves"
    assert found.method.startswith("graded by a model")


def test_a_real_grader_decides_if_the_user_gives_one() -> None:
    assert toy.ToyAPI
    found = run("toy_graded", task_args={"question": "<say>GRADE: C</say>"}, grader="toy/script")
    assert (credit(found, "wrong"), credit(found, "I don't know")) == (1, 1)
    assert found.grader == "toy/script"
    assert "a wrong answer earned full marks" in titles(found, "high")


def test_a_grade_in_an_unknown_format_is_unknown() -> None:
    found = run("toy_graded", task_args={"instructions": "Rate the submission from 1 to 10."})
    assert (found.binary, found.idk_credit) == (None, None)
    assert all(row.credit is None and row.n == 0 for row in found.payoffs)
    assert "the scripted grader does not know the format" in titles(found, "info")


@pytest.mark.parametrize(
    ("prompt", "grades"),
    [
        ("GRADE: C or GRADE: I", ["GRADE: C", "GRADE: I", "GRADE: I"]),
        ("A: CORRECT\nB: INCORRECT\nC: NOT_ATTEMPTED\nJust return the letter.", ["A", "B", "C"]),
        ('Respond with only "Yes" or "No".', ["Yes", "No", "No"]),
        ("Say CORRECT, INCORRECT or NOT_ATTEMPTED", ["CORRECT", "INCORRECT", "NOT_ATTEMPTED"]),
        ("How many stars?", [None, None, None]),
    ],
)
def test_the_scripted_grader_answers_as_the_prompt_asks(prompt: str, grades: list[str | None]) -> None:
    assert [grade_in(prompt, truth) for truth in ("right", "wrong", "abstained")] == grades  # type: ignore[arg-type]


# records instead of a download


HUB_TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample, hf_dataset
from inspect_ai.scorer import match
from inspect_ai.solver import generate

@task
def hub():
    data = hf_dataset("nobody/nothing", split="test", sample_fields=lambda r: Sample(input=r["q"], target=r["a"]), shuffle=True)
    return Task(dataset=data, solver=generate(), scorer=match())
"""


def test_the_tasks_own_loader_runs_on_the_given_records(tmp_path: Path) -> None:
    file, records = tmp_path / "hub.py", tmp_path / "records.jsonl"
    file.write_text(HUB_TASK)
    records.write_text(
        '{"q": "2 + 3?", "a": "5"}\n{"q": "2 + 4?", "a": "6", "wager:when": {"split": "test"}}\n{"q": "", "a": "", "wager:when": {"split": "train"}}\n'
    )
    before = inspect_ai.dataset.hf_dataset
    found = audit(f"{file}@hub", items=records)
    assert inspect_ai.dataset.hf_dataset is before
    assert (found.n_items, credit(found, "right"), credit(found, "wrong")) == (2, 1, 0)
    assert found.items_from == repr(str(records))
    with pytest.raises(DataError, match=r"the records of the given records do not fit .*KeyError: 'q'"):
        audit(f"{file}@hub", items=[{"question": "2 + 3?"}])


def test_a_right_reply_may_come_with_the_record(tmp_path: Path) -> None:
    file = tmp_path / "hub.py"
    file.write_text(HUB_TASK)
    found = audit(f"{file}@hub", items=[{"q": "2 + 3?", "a": "5", "wager:right": "Surely 5", "wager:wrong": "6"}])
    assert found.answer_format == "the reply that came with the record"
    assert {row.reply: row.example for row in found.payoffs}["right"] == "Surely 5"


# sources


GUESSING_SOURCE = """
import random
def grade(pred, options, gold):
    if pred is None:
        pred = random.choice(options)
    confidence = 100
    letter = found.group(1) if found else "A"  # the answer
    random.shuffle(options)
    example = random.choice(examples)
"""


def test_sources_that_guess_for_the_model_are_found_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "harness.py"
    file.write_text(GUESSING_SOURCE)
    found = {finding.title.split(":")[0]: [(e.where, e.line) for e in finding.evidence] for finding in scan([file])}
    where = f"{tmp_path.name}/harness.py"
    assert found["the source draws at random close to where an answer is missing"][0] == (f"{where}:5", "pred = random.choice(options)")
    assert found["a confidence that was not stated becomes 100 %"] == [(f"{where}:6", "confidence = 100")]
    assert found["a reply without an answer falls back to a fixed option"][0][0] == f"{where}:7"


def test_a_clean_source_has_no_findings(tmp_path: Path) -> None:
    file = tmp_path / "clean.py"
    file.write_text("import random\n\n\ndef sample(items):\n    return random.choice(items)\n\n\nconfidence = stated(reply)\n")
    assert scan([file]) == []


# wrong input


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (f"{TOY}@toy_mcc", {}, UnknownNameError, "did you mean 'toy_mc'"),
        (f"{TOY}@toy_unscored", {}, UsageError, "has no scorer, so nothing says what is right"),
        (f"{TOY}@toy_empty", {}, DataError, "has no samples"),
        (f"{HERE}@toy_boxed_in", {}, UsageError, r"runs in a sandbox \(docker\); wager audit starts no containers"),
        (f"{TOY}@toy_mc", {"limit": 0}, UsageError, "at least one item, got --limit 0"),
        (f"{TOY}@toy_mc", {"accuracies": [25]}, UsageError, r"an accuracy lies in \[0, 1\], got 25"),
        (f"{TOY}@toy_mc", {"items": Path("absent.jsonl")}, DataError, "cannot be read"),
        (f"{HERE}@toy_acting", {}, UsageError, r"wants its model to act with tools \(press\); scripted replies only speak"),
        (f"{HERE}@toy_failing", {}, WagerError, "no item could be run: the solver failed: ValueError: no way"),
    ],
)
def test_what_cannot_be_audited_says_why_in_one_line(name: str, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        audit(name, **options)
    assert "\n" not in str(raised.value)


def test_a_package_is_audited_and_a_task_that_cannot_be_is_one_row_with_the_reason() -> None:
    rows = {row.benchmark: row for row in audit_package("wager", limit=1, names=["wager/letters", "wager/open_rubric", "wager/questions"])}
    letters = rows["wager/letters"].found
    assert letters is not None
    assert letters.idk_credit == "none"
    assert "needs the argument 'task'" in rows["wager/open_rubric"].why_not
    assert rows["wager/questions"].found is None
    with pytest.raises(UnknownNameError, match="did you mean 'inspect_evals'"):
        list(audit_package("inspect_eval"))


# the command line


def command(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    verb.add_parser(parser.add_subparsers())
    return parser.parse_args(["audit", *arguments])


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    options = command(*arguments)
    assert options.run(options) == 0
    return capsys.readouterr().out


def test_the_command_prints_the_payoffs_and_the_findings(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, f"{TOY}@toy_mc", "--limit", "2", "--accuracy", "0.5")
    assert 'binary: yes; credit for "I don\'t know": none' in out
    assert "guessing pays above a confidence of 0.00: every guess pays" in out
    assert "a model that is right with p = 0.50 earns +0.50 by guessing, +0.00 by abstaining: +0.50 for each guess" in out
    assert "\nHIGH    " in out


def test_the_command_prints_json_with_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(printed(capsys, f"{HERE}@toy_paid", "-T", "idk=0.3", "--json"))
    assert (made["schema"], made["idk_credit"], made["threshold"]) == (1, "partial", 0.3)
    assert {row["reply"]: row["credit"] for row in made["payoffs"]}["I don't know"] == 0.3
    assert made["gains"][0]["gain"] == pytest.approx(0.25 - 0.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "takes one of: a TASK, --all PACKAGE, or --survey"),
        (["capitals", "--survey"], "takes one of"),
        (["--survey", "--items", "x.jsonl"], "--items belongs to one task; give a TASK instead of --survey"),
    ],
)
def test_the_command_refuses_combinations(arguments: list[str], message: str) -> None:
    options = command(*arguments)
    with pytest.raises(UsageError, match=message):
        options.run(options)


# the paper's ten benchmarks


def needs_inspect_evals() -> None:
    if importlib.util.find_spec("inspect_evals") is None:
        absent("the package inspect-evals")


@pytest.fixture(scope="module")
def surveyed() -> dict[str, Surveyed]:
    needs_inspect_evals()
    return {row.benchmark: row for row in survey()}


def test_the_survey_has_the_ten_rows_of_the_papers_table() -> None:
    assert [b.name for b in BENCHMARKS] == [
        "GPQA", "MMLU-Pro", "IFEval", "Omni-MATH", "WildBench", "BBH", "MATH (L5 split)", "MuSR", "SWE-bench", "HLE",
    ]  # fmt: skip
    assert [b.name for b in BENCHMARKS if not b.published.binary] == ["WildBench"]
    assert [b.name for b in BENCHMARKS if b.published.idk_credit != "none"] == ["WildBench"]


@pytest.mark.parametrize("name", ["GPQA", "MMLU-Pro", "BBH", "MATH (L5 split)", "MuSR", "HLE"])
def test_the_papers_table_is_reproduced_where_the_scorer_runs(surveyed: dict[str, Surveyed], name: str) -> None:
    row = surveyed[name]
    assert row.found is not None, row.why_not
    assert (row.found.binary, row.found.idk_credit, row.agrees) == (True, "none", True)
    assert credit(row.found, "right") == 1
    assert credit(row.found, "wrong") == 0
    assert (row.found.grader is not None) is (name in ("MATH (L5 split)", "HLE"))


def test_what_cannot_run_is_unknown_with_the_reason(surveyed: dict[str, Surveyed]) -> None:
    for name, reason in {"Omni-MATH": "has no Omni-MATH", "WildBench": "has no WildBench", "SWE-bench": "containers"}.items():
        assert (surveyed[name].found, surveyed[name].agrees) == (None, None)
        assert reason in surveyed[name].why_not


def test_ifeval_runs_with_its_checks_and_says_how_to_get_them_without(surveyed: dict[str, Surveyed]) -> None:
    row = surveyed["IFEval"]
    if importlib.util.find_spec("instruction_following_eval") is None:
        assert "pip install git+https://github.com/josejg/instruction_following_eval" in row.why_not
    else:
        assert row.agrees
        assert row.found is not None
        assert "(I don't know) was scored as correct on 1 of 4" in titles(row.found)  # "no commas" is kept by saying nothing


def test_hle_counts_silence_as_full_confidence(surveyed: dict[str, Surveyed]) -> None:
    found = surveyed["HLE"].found
    assert found is not None
    (finding,) = [f for f in found.findings if "a confidence that was not stated becomes 100 %" in f.title]
    assert any(e.line == "confidence = 100" for e in finding.evidence)
    assert next(e for f in found.findings for e in f.evidence if e.reply == "I don't know").score == "{'score': 'I', 'confidence': 100}"


def test_real_mmlu_pro_questions_pay_for_guessing(data: Path) -> None:
    needs_inspect_evals()
    file = next((data / "mmlu_pro" / "raw").glob("*Qwen*.zip"))
    with zipfile.ZipFile(file) as archive:
        records = json.loads(archive.read(archive.namelist()[0]))[:200]
    for record in records:
        options = record["options"]
        record["options"] = ast.literal_eval(options) if isinstance(options, str) else options
    found = audit("inspect_evals/mmlu_pro", items=records, limit=8)
    assert (found.n_items, found.binary, found.idk_credit) == (8, True, "none")
    assert (credit(found, "right"), credit(found, "wrong")) == (1, 0)
    assert "(not sure, in format) was scored as correct" in titles(found, "high")


def test_real_bbh_questions_pay_for_guessing(data: Path) -> None:
    needs_inspect_evals()
    examples = json.loads((data / "bbh" / "object_counting.json").read_text(encoding="utf-8"))["examples"]
    records = [{"question": example["input"], "target": example["target"]} for example in examples]
    found = audit("inspect_evals/bbh", items=records, limit=4, task_args={"subset_name": "object_counting", "prompt_type": "zero_shot"})
    assert (credit(found, "right"), credit(found, "wrong"), found.idk_credit) == (1, 0, "none")
    assert found.remedy.startswith("wager eval inspect_evals/bbh -T subset_name=object_counting")


# toy tasks


def questions(*targets: str) -> list[Sample]:
    return [Sample(id=n, input=f"Question {n}?", target=target) for n, target in enumerate(targets, start=1)]


@scorer(metrics=[accuracy()])
def paying(idk: float, wrong: float, fails_on: str | None) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        reply = state.output.completion
        if reply == fails_on:
            raise ValueError("cannot read this")
        return Score(value=1.0 if target.text in reply else idk if "know" in reply else wrong)

    return score


@task
def toy_paid(idk: float, wrong: float = 0.0, fails_on: str | None = None) -> Task:
    return Task(dataset=questions("Lima", "Quito", "Oslo"), solver=generate(), scorer=paying(idk, wrong, fails_on))


@task
def toy_includes() -> Task:
    return Task(dataset=questions("no", "Quito", "Oslo"), solver=generate(), scorer=includes())


@task
def toy_unanswerable() -> Task:
    return Task(dataset=questions("I don't know"), solver=generate(), scorer=includes())


@task
def toy_idk_option() -> Task:
    sample = Sample(id=1, input="Which?", choices=["oak", "elm", "I don't know"], target="A")
    return Task(dataset=[sample], solver=multiple_choice(), scorer=toy.choice())


@scorer(metrics=[accuracy()])
def never() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        return Score(value="I")

    return score


@task
def toy_broken() -> Task:
    return Task(dataset=questions("Lima", "Quito"), solver=generate(), scorer=never())


@scorer(metrics=[accuracy()])
def grades() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        reply = state.output.completion
        return Score(value="C" if target.text in reply else "N" if "know" in reply else "I")

    return score


@task
def toy_not_attempted() -> Task:
    return Task(dataset=questions("Lima", "Quito"), solver=generate(), scorer=grades())


@scorer(metrics=[accuracy()])
def skipping() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        reply = state.output.completion
        return Score(value=float("nan") if "know" in reply else float(target.text in reply))

    return score


@task
def toy_unscored_idk() -> Task:
    return Task(dataset=questions("Lima", "Quito"), solver=generate(), scorer=skipping())


@scorer(metrics=[accuracy()])
def precision_and_recall() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        hit = float(target.text in state.output.completion)
        return Score(value={"precision": hit / 2, "recall": hit})

    return score


@task
def toy_values() -> Task:
    return Task(dataset=questions("Lima", "Quito"), solver=generate(), scorer=precision_and_recall())


@task
def toy_pattern() -> Task:
    return Task(dataset=questions("Lima", "Quito"), solver=generate(), scorer=pattern(r"The answer is \((\w+)\)"))


@task
def toy_graded(question: str = "What?", instructions: str | None = None, model: str | None = None) -> Task:
    sample = Sample(id=1, input=question, target="a long answer, in the reference's own words")
    solver = prompt_template("{prompt}\nThink first.")
    return Task(dataset=[sample], solver=[solver, generate()], scorer=model_graded_qa(instructions=instructions, model=model))


@task
def toy_boxed_in() -> Task:
    return Task(dataset=questions("Lima"), solver=generate(), scorer=includes(), sandbox="docker")


@tool
def press() -> Tool:
    async def execute() -> str:
        """Press the button."""
        return "pressed"

    return execute


@scorer(metrics=[accuracy()])
def pressed() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        return Score(value="C" if any(message.role == "tool" for message in state.messages) else "I")

    return score


@task
def toy_acting() -> Task:
    return Task(dataset=questions("Lima"), solver=[use_tools(press()), generate()], scorer=pressed())


@task
def toy_failing() -> Task:
    return Task(dataset=questions("Lima"), solver=failing(), scorer=includes())


@toy.solver
def failing() -> toy.Solver:
    async def solve(state: TaskState, generate: toy.Generate) -> TaskState:
        raise ValueError("no way")

    return solve


@pytest.mark.parametrize("task", ["capitals", "letters"])
def test_our_own_tasks_neither_punish_doubt_nor_pay_for_two_answers(task: str) -> None:
    rows = {one.reply: one for one in audit(task, limit=4).payoffs}
    assert rows["right"].credit == 1
    assert rows["hedge, then right"].credit == 1
    assert rows["two answers"].credit == 0
    assert rows["wrong"].credit == 0
