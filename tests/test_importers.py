"""`read_answers`: every format, what is missing, what is wrong with a file, and files that mean harm."""

import json
import math
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inspect_ai.scorer import Score

from conftest import absent
from wager.answers import Answer, ConfidenceSource, Outcome
from wager.errors import DataError, UnknownNameError, UsageError
from wager.evals.verdict import verdict_of
from wager.importers import Imported, formats, read_answers, source, write_every_eval_ever
from wager.importers.formats import ORDER
from wager.importers.inspect_log import verdict_of_value
from wager.table import AnswerTable

CASES = Path(__file__).parent / "cases" / "importers"
TOY = f"{Path(__file__).parent / 'toy.py'}@toy_mc"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def csv(tmp_path: Path, *lines: str, name: str = "some.csv") -> Path:
    return write(tmp_path / name, "\n".join(lines) + "\n")


def outcomes(found: Imported) -> dict[str, str]:
    return {row.item: row.outcome.value for row in found.table}


def note(found: Imported, words: str) -> str:
    return next((one for one in found.notes if words in one), f"no note with {words!r} in {found.notes}")


# formats


def test_every_format_is_registered_in_its_order() -> None:
    assert sorted(formats) == sorted(ORDER)


@pytest.mark.parametrize("name", ["capitals.eval", "capitals.json"])
def test_an_inspect_log_is_read_as_a_file(name: str) -> None:
    found = read_answers([CASES / "inspect" / name], texts=True, keep=["category"])
    assert [source.format for source in found.sources] == ["inspect"]
    assert outcomes(found) == {"c0": "correct", "c1": "incorrect", "c2": "abstained", "c3": "unparsed"}
    first = next(iter(found.table))
    assert (first.task, first.model, first.reference, first.reply, first.tokens_in) == (
        "capitals",
        "mockllm/model",
        ("Paris",),
        "It is Paris.",
        12,
    )
    assert found.columns.to_pylist() == [{"category": "Europe"}, *[{"category": "other"}] * 3]
    assert "has 2 scorers; the first, 'includes', decides" in note(found, "scorers")
    assert "1 replies that were scored wrong" in note(found, "scored wrong")


def test_inspect_itself_is_not_needed() -> None:
    code = (
        "import sys; from wager.importers import read_answers; "
        f"print(len(read_answers([{str(CASES / 'inspect')!r}]).table), 'inspect_ai' in sys.modules, 'zstandard' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == [
        "8",
        "False",
        "False",
    ]


@pytest.mark.parametrize("options", [["--targets", "0", "0.75", "--ask-confidence"], ["--targets", "0.5", "--samples", "2"]])
def test_the_logs_of_our_own_run_give_the_rows_that_the_run_gave(tmp_path: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "wager.cli", "eval", TOY, "--model", "toy/x", "--limit", "6", *options, "--out", "out", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    live = AnswerTable.read(tmp_path / "out" / "answers.parquet")
    logs = read_answers([tmp_path / "out" / "logs"], texts=True)

    def key(row: Answer) -> tuple[Any, ...]:
        return row.arm, row.target or -1, row.item, row.sample

    assert sorted(logs.table, key=key) == sorted(live, key=key)
    assert logs.problems == ()
    folder = read_answers([tmp_path / "out"], texts=True)
    assert [source.format for source in folder.sources] == ["wager"]
    assert list(folder.table) == list(live)
    assert len(read_answers([tmp_path / "out"]).table) == len(live)


VALUES: list[Any] = [
    "C", "I", "P", "N", "yes", "No", "true", "0.3", "B", "", "1e5", "nan", 0, 1, 0.25, 1.5, -0.1, True, False, math.nan,
    [1, 0], {"correct": 1}, {"correct": "C"}, {"score": 0.7}, {"not_attempted": 1, "correct": 0}, {"not_attempted": 0, "correct": 0},
    {"accuracy": math.nan}, {"acc": None}, {"other": 1}, {"is_correct": True},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize(
    "more", [{}, {"explanation": "why"}, {"metadata": {"grader_response": "dunno"}}, {"metadata": {"grader_response": "C"}}]
)
def test_a_score_means_the_same_with_and_without_inspect(value: Any, more: dict[str, Any]) -> None:
    ours = verdict_of(Score(value=value, **more))
    assert verdict_of_value({"value": value, **more}) == (ours.outcome.value, ours.credit, ours.reason)


@pytest.mark.parametrize("reason", ["no_response", "invalid_response_format", "grader_failed", "scoring_failed"])
def test_a_score_with_a_reason_means_the_same_with_and_without_inspect(reason: str) -> None:
    ours = verdict_of(Score(value="I", reason=reason))  # type: ignore[arg-type]
    assert verdict_of_value({"value": "I", "reason": reason}) == (ours.outcome.value, ours.credit, ours.reason)
    assert verdict_of_value(None)[0] == verdict_of(None).outcome.value


def test_lm_eval_choices_have_the_probability_of_the_chosen_option() -> None:
    found = read_answers([CASES / "lm_eval"], texts=True)
    assert {source.format for source in found.sources} == {"lm-eval"}
    planets = found.table.select(found.table.texts("task") == "toy_planets")
    logliks = np.array([-2.06, -2.12, -2.1, -3.66])
    assert planets.confidence("logprob")[0] == pytest.approx(np.exp(-2.06) / np.exp(logliks).sum())
    assert [(row.answer, row.outcome.value) for row in planets][:2] == [("Mars", "incorrect"), ("carbon dioxide", "correct")]
    assert "threshold simulation, not behaviour" in note(found, "threshold")
    assert "'acc' decides" in note(found, "metrics")


def test_lm_eval_generation_uses_the_first_filter_and_its_invalid_answers_are_missing() -> None:
    found = read_answers(list((CASES / "lm_eval").rglob("*sums*")), keep=["a"])
    assert outcomes(found) == {"0": "correct", "1": "unparsed", "2": "abstained", "3": "incorrect"}
    assert set(found.table.texts("model")) == {"toy/guesser"}
    assert "the first, 'strict-match', decides, 'flexible-extract' is left out" in note(found, "filters")
    assert found.columns.column("a").to_pylist() == ["42", "25", "89", "9"]


def test_helm_stats_take_the_reply_from_the_file_beside_them() -> None:
    found = read_answers([CASES / "helm"], texts=True)
    assert outcomes(found) == {"id147": "correct", "id11": "incorrect", "id65": "abstained", "id344": "unparsed"}
    first = next(iter(found.table))
    assert (first.task, first.model, first.answer, first.seconds) == ("mmlu", "toy_guesser", "metaphysics", 0.5)
    assert "'quasi_exact_match' decides" in note(found, "decides")
    assert "perturbed copies" in note(found, "perturbed")


@pytest.mark.parametrize("name", ["graded.csv", "letters.jsonl"])
def test_simpleqa_grades_say_what_was_not_attempted(name: str) -> None:
    found = read_answers([CASES / "simpleqa" / name], texts=True)
    assert found.sources[0].format == "simpleqa"
    assert sorted(outcomes(found).values()) == ["abstained", "correct", "incorrect"]
    assert set(found.table.texts("task")) == {"simpleqa"}


def test_mmlu_pro_null_is_missing_and_not_a_guess() -> None:
    found = read_answers([CASES / "mmlu_pro"])
    assert found.sources[0].format == "mmlu-pro"
    assert outcomes(found) == {"70": "correct", "71": "incorrect", "72": "abstained", "73": "unparsed"}
    assert set(found.table.texts("model")) == {"guesser-1.5"}
    assert list(found.table.texts("stratum")) == ["law", "law", "maths", "maths"]
    assert note(found, "missing") == (
        "2 of 4 answers are missing; counted as unparsed (--missing unparsed); 1 look like real abstentions and count as abstained, "
        "1 stop in mid-sentence, as a reply that was cut off does"
    )


@pytest.mark.parametrize(("missing", "expected"), [("incorrect", "incorrect"), ("abstained", "abstained")])
def test_missing_answers_count_as_what_was_asked_for(missing: Any, expected: str) -> None:
    found = read_answers([CASES / "mmlu_pro"], missing=missing)
    assert (outcomes(found)["72"], outcomes(found)["73"]) == (expected, expected)
    assert found.table.credit[3] == 0 if missing == "incorrect" else math.isnan(found.table.credit[3])
    assert f"(--missing {missing})" in note(found, "missing")


def test_swe_bench_lists_become_outcomes() -> None:
    old = read_answers([CASES / "swe_bench" / "results.json"], model="guesser")
    assert Counter(outcomes(old).values()) == {"correct": 2, "unparsed": 1, "failed": 1}
    assert "lists no unresolved instances" in note(old, "unresolved")
    new = read_answers([CASES / "swe_bench" / "guesser.full.json"])
    assert list(outcomes(new).values()) == ["correct", "correct", "failed", "unparsed", "incorrect"]
    assert set(new.table.texts("model")) == {"guesser.full"}


def test_every_eval_ever_records_are_read() -> None:
    found = read_answers([CASES / "every_eval_ever"], texts=True)
    assert list(outcomes(found).values()) == ["correct", "incorrect", "abstained", "unparsed", "failed"]
    first = next(iter(found.table))
    assert (first.model, first.task, first.answer, first.stratum, first.seconds) == ("toy/guesser", "mmlu", "A", "philosophy", 0.68)


def test_every_eval_ever_keeps_everything_on_the_way_there_and_back(tmp_path: Path) -> None:
    answers = [
        Answer(
            task="t", model="m", item="1", outcome=Outcome.CORRECT, credit=0.75, question="Q?", reference=("a", "b"), answer="a", reply="It is a.",
            confidence={ConfidenceSource.STATED: 0.1, ConfidenceSource.P_TRUE: 1 / 3}, tokens_in=3, tokens_out=4, seconds=0.123, stratum="s",
        ),
        Answer(task="t", model="m", item="2", outcome=Outcome.ABSTAINED, arm="open", target=0.75, question="", answerable=False, reply="I don't know"),
        Answer(task="t", model="m", item="3", outcome=Outcome.INCORRECT, credit=0.0, sample=2, question="", reply="I don't know", answer="x"),
        Answer(task="t", model="m", item="4", outcome=Outcome.FAILED, reason="time-out", question=""),
        Answer(task="t", model="m", item="5", outcome=Outcome.UNGRADED, question="", reply="x"),
        Answer(task="t", model="m", item="6", outcome=Outcome.UNPARSED, question="", reply=""),
    ]  # fmt: skip
    table = AnswerTable.from_answers(answers)
    write_every_eval_ever(table, tmp_path / "x_samples.jsonl")
    assert list(read_answers([tmp_path / "x_samples.jsonl"], texts=True).table) == answers
    needed = {
        "schema_version",
        "evaluation_id",
        "model_id",
        "evaluation_name",
        "sample_id",
        "interaction_type",
        "input",
        "output",
        "answer_attribution",
    }
    for line in (tmp_path / "x_samples.jsonl").read_text().splitlines():
        record = json.loads(line)
        assert set(record) >= needed | {"evaluation"}
        assert all(isinstance(value, str) for value in record["metadata"].values())


# tables

TABLE = {"qid": ["1", "2", "3"], "gold": ["Lima", "Oslo", "Bern"], "said": ["lima.", "Rome", None], "sure": [0.5, 0.25, None]}
MAPPING = {"item": "qid", "reference": "gold", "answer": "said", "confidence": "sure"}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet", "bar"])
def test_a_table_of_any_kind_is_compared_under_a_mapping(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "guesser.data"  # the name tells nothing
    rows = pa.table(TABLE).to_pylist()
    if kind == "parquet":
        pq.write_table(pa.table(TABLE), path)
    elif kind in ("csv", "bar"):
        mark = "," if kind == "csv" else "|"
        path.write_text(
            "\n".join(mark.join("" if v is None else str(v) for v in row) for row in [list(TABLE), *(r.values() for r in rows)]) + "\n"
        )
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if kind == "jsonl" else json.dumps(rows, indent=1))
    found = read_answers([path], mapping=MAPPING, task="cities", keep=["gold"], texts=True)
    assert outcomes(found) == {"1": "correct", "2": "incorrect", "3": "unparsed"}
    assert (found.table.texts("model")[0], found.table.texts("task")[0]) == ("guesser", "cities")
    assert found.table.confidence("stated").tolist()[:2] == [0.5, 0.25]
    assert math.isnan(found.table.confidence("stated")[2])
    assert found.columns.column("gold").to_pylist() == TABLE["gold"]
    assert next(iter(found.table)).reference == ("Lima",)
    assert "1 of 3 answers are missing" in note(found, "missing")
    assert "read as the stated confidence" in note(found, "stated confidence")


def test_columns_named_as_ours_need_no_mapping(tmp_path: Path) -> None:
    found = read_answers([csv(tmp_path, "item,correct,category", "a,yes,x", "b,0.25,y", "c,FALSE,y", "d,,x")])
    assert outcomes(found) == {"a": "correct", "b": "incorrect", "c": "incorrect", "d": "ungraded"}
    assert found.table.credit[1] == 0.25
    assert list(found.table.texts("stratum")) == ["x", "y", "y", "x"]


def test_an_outcome_column_is_taken_over_and_an_unknown_outcome_is_named(tmp_path: Path) -> None:
    found = read_answers([csv(tmp_path, "item,outcome,target", "a,Correct,0.5", "b,abstained,", "c,ungraded,0.5")])
    assert outcomes(found) == {"a": "correct", "b": "abstained", "c": "ungraded"}
    assert list(found.table.texts("arm")) == ["open", "closed", "open"]
    with pytest.raises(DataError, match="row 2: unknown outcome 'maybe'; allowed: correct, incorrect"):
        read_answers([csv(tmp_path, "item,outcome", "a,correct", "b,maybe")])


def test_a_reference_may_be_a_list_and_a_key_may_be_nested(tmp_path: Path) -> None:
    rows = [
        {"doc": {"id": i}, "gold": gold, "answer": answer}
        for i, (gold, answer) in enumerate([(["NYC", "New York"], "new york"), ([], "x"), ("Lima", "no idea")])
    ]
    path = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, rows)))
    found = read_answers([path], mapping={"item": "doc.id", "reference": "gold"}, texts=True)
    assert outcomes(found) == {"0": "correct", "1": "ungraded", "2": "abstained"}
    nested = tmp_path / "x.parquet"
    pq.write_table(pa.table({"doc": [{"id": "a"}], "reference": [["x", "y"]], "answer": ["y"]}), nested)
    assert outcomes(read_answers([nested], mapping={"item": "doc.id"})) == {"a": "correct"}


def test_a_reply_that_was_scored_wrong_and_says_i_dont_know_abstains(tmp_path: Path) -> None:
    path = csv(tmp_path, "item,correct,reply", 'a,0,"Well, I don\'t know."', "b,0,Paris", "c,1,I don't know", "d,0, ")
    found = read_answers([path])
    assert outcomes(found) == {"a": "abstained", "b": "incorrect", "c": "correct", "d": "unparsed"}
    assert "1 replies that were scored wrong" in note(found, "scored wrong")


def test_the_comparison_can_be_chosen(tmp_path: Path) -> None:
    path = csv(tmp_path, "item,reference,answer", 'a,1234,"It is 1,234."')
    assert outcomes(read_answers([path])) != {"a": "unparsed"}
    assert outcomes(read_answers([path], comparison="exact")) == {"a": "incorrect"}
    assert outcomes(read_answers([path], comparison="numeric")) == {"a": "correct"}
    with pytest.raises(UnknownNameError, match="did you mean 'numeric'"):
        read_answers([path], comparison="numerical")


def test_rows_without_an_item_column_are_numbered(tmp_path: Path) -> None:
    found = read_answers([csv(tmp_path, "correct,x", "1,a", "0,b")])
    assert outcomes(found) == {"1": "correct", "2": "incorrect"}
    assert "rows are numbered" in note(found, "numbered")


def test_confidences_that_are_none_are_left_empty_and_counted(tmp_path: Path) -> None:
    path = csv(tmp_path, "item,correct,confidence", "a,1,0.5", "b,1,95", "c,1,high", "d,1,nan", "e,1,", "f,1,-0.1", "g,1,1")
    found = read_answers([path])
    assert np.isnan(found.table.confidence("stated")).tolist() == [False, True, True, True, True, True, False]
    assert "4 values of confidence_stated are outside [0, 1] or no number, the first is '95' on row 2" in note(found, "percentages")


def test_repeated_rows_are_kept_as_samples(tmp_path: Path) -> None:
    found = read_answers([csv(tmp_path, "item,correct", "a,1", "b,0", "a,1", "a,0")])
    assert found.table.arrow.column("sample").to_pylist() == [1, 1, 2, 3]
    assert "2 rows repeat an item" in note(found, "repeat")
    given = read_answers([csv(tmp_path, "item,correct,sample", "a,1,1", "a,0,1", "a,0,2")])
    assert given.table.arrow.column("sample").to_pylist() == [1, 1, 2]
    assert "kept as they are" in note(given, "repeat")


def test_models_that_lack_items_are_named(tmp_path: Path) -> None:
    paths = [csv(tmp_path, "item,correct", "a,1", "b,1", "c,1", name="full.csv"), csv(tmp_path, "item,correct", "a,1", name="short.csv")]
    assert note(read_answers(paths), "lacks") == "task 'answers': of 3 items that some model has, 'short' lacks 2"


def test_one_file_through_several_paths_counts_once(tmp_path: Path) -> None:
    csv(tmp_path, "item,correct", "a,1", name="one.csv")
    found = read_answers([tmp_path / "one.csv", tmp_path, str(tmp_path / "*.csv")])
    assert len(found.table) == 1


def test_texts_are_kept_only_where_asked_for(tmp_path: Path) -> None:
    path = csv(tmp_path, "item,correct,question,reply,answer,reference", "a,1,Q?,R.,A,G")
    row = next(iter(read_answers([path]).table))
    assert (row.question, row.reply, row.answer, row.reference) == (None, None, None, ())
    row = next(iter(read_answers([path], texts=True).table))
    assert (row.question, row.reply, row.answer, row.reference) == ("Q?", "R.", "A", ("G",))


# what is wrong


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = csv(tmp_path, "question_id,correct", "a,1")
    with pytest.raises(UnknownNameError, match=r"no column in .*some\.csv' named 'questionid'; did you mean 'question_id'"):
        read_answers([path], mapping={"item": "questionid"})
    with pytest.raises(UnknownNameError, match="no column of an answer table named 'itme'; did you mean 'item'"):
        read_answers([path], mapping={"itme": "question_id"})
    with pytest.raises(UnknownNameError, match="no column named 'categry'"):
        read_answers([path], mapping={"item": "question_id"}, keep=["categry"])
    with pytest.raises(UsageError, match="'answer' twice"):
        read_answers([path], mapping={"answer": "correct", "prediction": "correct"})


def test_a_table_without_a_verdict_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected an outcome, or correct, or reference and answer; got the columns 'a', 'b'"):
        read_answers([csv(tmp_path, "a,b", "1,2")])
    with pytest.raises(DataError, match=r"expected an outcome, or correct.* a mapping such as correct=COLUMN"):
        read_answers([csv(tmp_path, "a,b", "1,2")], mapping={"item": "a"})


def test_a_column_of_verdicts_that_holds_none_is_a_wrong_mapping(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no verdict; allowed: true or false, yes or no, 1 or 0"):
        read_answers([csv(tmp_path, "item,correct", "a,maybe", "b,7")])
    found = read_answers([csv(tmp_path, "item,correct", "a,maybe", "b,1")])
    assert outcomes(found) == {"a": "ungraded", "b": "correct"}
    assert "1 values for 'correct' are no verdict, the first is 'maybe' on row 1" in note(found, "no verdict")


GOOD = ["item,correct", "a,1"]

BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "expected answers, got an empty file"),
    "blank": (" \n\n", "expected answers, got an empty file"),
    "header only": ("item,correct\n", "expected answers, got a file without rows"),
    "empty list": ("[]", "expected"),
    "cut list": ('[{"item": 1, "correct": true}, {"item": 2, "cor', r"the list does not end|expected a JSON list"),
    "list of numbers": ("[1, 2]", "record 1: expected a JSON object, got a number"),
    "no json": ("{hello: 1\n", "line 1: expected JSON, got something else"),
    "no JSON lines": ("{hello}\n{world}\n", "line 1: expected a JSON object, got something else"),
    "binary": (b"\x00\x01\x02", "got a binary file"),
    "gzip": (b"\x1f\x8b\x08\x00abc", "unpack it first"),
    "no parquet": (b"PAR1 but not really", "some"),
    "no zip": (b"PK\x03\x04 but not really", "some"),
    "prose": ("Hello.", "expected one of wager, inspect"),
    "text in the credit": ("item,outcome,credit\na,correct,7\n", r"row 1: a credit lies in \[0, 1\], got '7'"),
    "a target of 1": ("item,correct,target\na,1,1\n", r"row 1: a target lies in \[0, 1\), got '1'"),
    "half a sample": ("item,correct,sample\na,1,1.5\n", "row 1: sample is a whole number from 0 on, got '1.5'"),
    "wrong shape": ('{"eval": {"model": "m", "task": "t"}, "samples": [{"id": 1, "scores": 5}]}', "another shape than its format"),
    "no samples": ('{"eval": {"model": "m", "task": "t"}, "status": "error"}', "the log holds no samples"),
    "cut log": ('{"version": 2, "eval": {"model": "m"', "expected JSON, got something else"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_a_problem_and_leaves_the_others_usable(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    bad = write(tmp_path / "some.file", content)
    with pytest.raises(DataError, match=message):
        read_answers([bad])
    found = read_answers([bad, csv(tmp_path, *GOOD)])
    assert len(found.table) == 1
    assert "some.file" in found.problems[0]
    assert len(found.sources) == 1


def test_damaged_lines_are_left_out_and_numbered(tmp_path: Path) -> None:
    lines = ['{"item": "a", "correct": true}', "{oops", "", "[1]", '{"item": "b", "correct": false}', *["{"] * 6]
    found = read_answers([write(tmp_path / "x.jsonl", "\n".join(lines))])
    assert outcomes(found) == {"a": "correct", "b": "incorrect"}
    assert "line 2: expected a JSON object, got something else" in found.problems[0]
    assert "line 4: expected a JSON object, got a list; the line is left out" in found.problems[1]
    assert found.problems[-1].endswith("3 more lines are damaged and left out")
    found = read_answers([csv(tmp_path, "item,correct", "a,1", "b,1,1", "c,0")])
    assert outcomes(found) == {"a": "correct", "c": "incorrect"}
    assert "line 3: expected 2 columns, got 3; the line is left out" in found.problems[0]


def test_a_quotation_mark_that_does_not_close_is_a_problem(tmp_path: Path) -> None:
    found = read_answers([csv(tmp_path, "item,correct,reply", 'a,1,"open', "b,0,y")])
    assert outcomes(found) == {"a": "correct"}
    assert "got an odd number" in found.problems[0]


def test_rows_that_name_no_item_are_left_out(tmp_path: Path) -> None:
    found = read_answers([csv(tmp_path, "item,correct", "a,1", ",1", "c,0")])
    assert outcomes(found) == {"a": "correct", "c": "incorrect"}
    assert "1 rows name no item, the first is row 2" in found.problems[0]


def test_unknown_files_in_a_folder_are_counted_and_absent_ones_are_problems(tmp_path: Path) -> None:
    csv(tmp_path, *GOOD)
    (tmp_path / "notes.txt").write_text("Hello.")
    (tmp_path / "config.json").write_text('{"a": 1}')
    found = read_answers([tmp_path, tmp_path / "absent.csv", str(tmp_path / "*.eval")])
    assert len(found.table) == 1
    assert note(found, "no known format") == "2 files in the folders are of no known format and were left out: 'config.json', 'notes.txt'"
    assert [problem.partition(": ")[2] for problem in found.problems] == ["no such file, and no file matches it as a pattern"] * 2
    with pytest.raises(DataError, match="no such file"):
        read_answers([tmp_path / "absent.csv"])
    with pytest.raises(UsageError, match="give at least one"):
        read_answers([])
    with pytest.raises(UsageError, match="count as 'abstained', 'incorrect', 'unparsed'; got 'zero'"):
        read_answers([tmp_path], missing="zero")  # type: ignore[arg-type]


def test_a_newer_answer_table_is_refused(tmp_path: Path) -> None:
    table = AnswerTable.from_answers([Answer(task="t", model="m", item="1", outcome=Outcome.FAILED)])
    AnswerTable(table.arrow.replace_schema_metadata({"wager": '{"schema": 99}'})).write(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="version 99"):
        read_answers([tmp_path / "x.parquet"])


# files that mean harm


def test_names_inside_an_archive_are_text_only(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(CASES / "mmlu_pro" / "model_outputs_guesser-1.5_5shots.zip") as archive, zipfile.ZipFile(path, "w") as hostile:
        hostile.writestr("../../escape\x1b[31m.json", archive.read(archive.infolist()[0]))
    assert len(read_answers([path]).table) == 4
    assert [one.name for one in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, 93])
def test_an_archive_that_lies_about_its_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: int) -> None:
    monkeypatch.setattr(source, "LARGEST_MEMBER", 10_000)
    content = json.dumps({"eval": {"model": "m", "task": " " * 100_000}}).encode()
    path = tmp_path / "bomb.eval"
    if method == 93:
        packed = pa.compress(content, codec="zstd", asbytes=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("header.json", packed)
            info = archive.infolist()[0]
            info.compress_type, info.file_size = 93, 9_000
    else:
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("header.json", content)
    with pytest.raises(DataError, match=r"bomb.eval', member 'header.json': it (says that it holds 100,|unpacks to more than 9,000 bytes)"):
        read_answers([path])


def test_a_damaged_archive_and_a_damaged_member_are_named(tmp_path: Path) -> None:
    whole = (CASES / "inspect" / "capitals.eval").read_bytes()
    cut = write(tmp_path / "cut.eval", whole[: len(whole) // 2])
    changed = bytearray(whole)
    with zipfile.ZipFile(CASES / "inspect" / "capitals.eval") as archive:
        info = next(info for info in archive.infolist() if info.filename.startswith("samples/"))
    changed[info.header_offset + 60 : info.header_offset + 80] = bytes(20)
    flipped = write(tmp_path / "flipped.eval", bytes(changed))
    found = read_answers([cut, flipped, csv(tmp_path, *GOOD)])
    assert len(found.table) == 1
    assert "cut.eval': " in found.problems[0]
    assert "flipped.eval', member 'samples/" in found.problems[1]


def test_a_record_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "LARGEST_RECORD", 1000)
    long = json.dumps({"item": "x" * 5000, "correct": True})
    with pytest.raises(DataError, match="longer than 1,000"):
        read_answers([write(tmp_path / "x.json", f"[{long}")], mapping={"item": "item", "correct": "correct"})


def test_deep_nesting_half_characters_and_markup_do_no_harm(tmp_path: Path) -> None:
    lines = ["[" * 100_000, '{"a":' * 100_000, '{"item": "\\ud800", "correct": true}', '{"item": "<script>\\u0000", "correct": true}']
    found = read_answers([write(tmp_path / "x.jsonl", "\n".join(reversed(lines)))])
    assert len(found.table) == 2
    assert len(found.problems) == 2


def test_a_file_that_is_not_utf_8_is_a_problem(tmp_path: Path) -> None:
    bad = write(tmp_path / "latin.csv", "item,correct\nMálaga,1\n".encode("latin-1"))
    found = read_answers([bad, csv(tmp_path, *GOOD)])
    assert "latin.csv" in found.problems[0]


# real data


def test_leaderboard_answers_of_20_models_import_fast(data: Path) -> None:
    path = data / "mmlu_pro" / "answers_20_models.parquet"
    if not path.is_file():
        absent(str(path))
    mapping = {"item": "question_id", "reference": "answer", "answer": "prediction"}
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        found = read_answers([path], mapping=mapping, keep=["category"])
        seconds.append(time.perf_counter() - start)
    assert len(found.table) == 238_947
    assert found.columns.num_rows == 238_947
    assert min(seconds) < 0.6, seconds
    raw = pq.read_table(path)
    right = np.array(raw["answer"].to_pylist(), dtype=object) == np.array(raw["prediction"].to_pylist(), dtype=object)
    assert ((found.table.outcome == "correct") == right).all()
    assert int((found.table.outcome == "unparsed").sum()) == raw["prediction"].null_count
    assert "no reply text in the file" in note(found, "missing")
    assert "'gemini-1.5-pro-002' lacks 12" in note(found, "lacks")


def test_the_original_output_files_agree_with_the_condensed_ones(data: Path) -> None:
    folder = data / "mmlu_pro" / "raw"
    if not folder.is_dir():
        absent(str(folder))
    found = read_answers([folder])
    assert Counter(found.table.texts("model")) == {"Qwen1.5-7B-Chat": 12032, "gemini-1.5-pro-002": 12020}
    assert "2,817 of 24,052 answers are missing" in note(found, "missing")
    condensed = pq.read_table(data / "mmlu_pro" / "answers_20_models.parquet").to_pandas()
    for model in ("Qwen1.5-7B-Chat", "gemini-1.5-pro-002"):
        rows = condensed[condensed["model"] == model]
        ours = found.table.select(found.table.texts("model") == model)
        assert int((ours.outcome == "correct").sum()) == int((rows["answer"] == rows["prediction"]).sum())


def test_stated_confidences_of_a_published_table_import(data: Path) -> None:
    path = data / "rlcr" / "commonsenseqa.parquet"
    if not path.is_file():
        absent(str(path))
    found = read_answers([path], mapping={"model": "method", "confidence": "confidence"})
    assert len(found.table) == 6105
    assert found.table.sources == (ConfidenceSource.STATED,)
