"""`questions`: real files are read as they are, the comparison is chosen in the open, and one run of each kind goes through Inspect."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset
from inspect_ai.log import EvalSample

import toy  # noqa: F401 (registers the scripted model)
from wager.errors import DataError, UnknownNameError, UsageError
from wager.evals.tasks.capitals import capitals
from wager.evals.tasks.questions import questions


def write(path: Path, records: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    return str(path)


def run(made: Task, tmp_path: Path, *replies: str, cut: bool = False) -> list[EvalSample]:
    """The task's samples, with the scripted model giving these replies in order."""
    for sample, reply in zip(made.dataset, replies, strict=True):
        sample.input = f"<say>{reply}</say>{'<cut>' if cut else ''}\n{sample.input}"
    (log,) = inspect_eval(made, model="toy/script", log_dir=str(tmp_path), display="none", score_display=False)
    assert log.status == "success", log.error
    assert log.samples is not None
    by_id = {sample.id: sample for sample in log.samples}
    return [by_id[sample.id] for sample in made.dataset if sample.id is not None]


def grades(samples: list[EvalSample]) -> list[tuple[object, str | None]]:
    return [(score.value, score.answer) for sample in samples for score in (sample.scores or {}).values()]


@pytest.mark.parametrize(
    ("file", "comparison", "n", "target"),
    [
        ("bbh/causal_judgement.json", "text", 187, ["No"]),
        ("bbh/date_understanding.json", "choice", 250, ["(B)"]),
        ("bbh/disambiguation_qa.json", "choice", 250, ["(A)"]),
        ("bbh/multistep_arithmetic_two.json", "numeric", 250, ["24"]),
        ("bbh/object_counting.json", "numeric", 250, ["8"]),
        ("bbh/sports_understanding.json", "text", 250, ["no"]),
        ("qa/gsm8k_test.jsonl", "numeric", 1319, ["18"]),
        ("qa/nq_open_dev.jsonl", "includes", 3610, ["14 December 1972 UTC", "December 1972"]),
    ],
)
def test_published_files_are_read_as_they_are(data: Path, file: str, comparison: str, n: int, target: list[str]) -> None:
    task = questions(str(data / file))
    assert task.metadata is not None
    assert task.metadata["match"] == comparison
    assert len(task.dataset) == n
    assert task.dataset[0].target == target


def test_columns_can_be_named(data: Path) -> None:
    task = questions(str(data / "qa" / "truthfulqa.csv"), answer="Best Answer", stratum="Category", match="includes")
    assert task.metadata == {"question_column": "Question", "answer_column": "Best Answer", "match": "includes"}
    assert (task.dataset[0].metadata or {})["stratum"] == "Misconceptions"


def test_replies_to_a_real_multiple_choice_file_are_graded(data: Path, tmp_path: Path) -> None:
    task = questions(str(data / "bbh" / "date_understanding.json"))
    task.dataset = MemoryDataset(list(task.dataset)[:5])
    golds = [str(sample.target[0]) for sample in task.dataset]
    assert golds[0] == "(B)"
    replies = ["ANSWER: B", golds[1], "ANSWER: Z", "It was 01/01/1800.", f"The answer is {golds[4]}."]
    found = grades(run(task, tmp_path, *replies))
    assert [value for value, _ in found] == ["C", "C", "I", "I", "C"]
    assert found[0][1] == "B"
    assert found[3][1] == ""


def test_the_answer_of_a_wordy_reply_is_the_part_that_can_be_compared(tmp_path: Path) -> None:
    records = [{"input": f"Plausible? {n}", "target": "no"} for n in range(4)]
    replies = [
        "No, the sentence is not plausible.",
        "Yes, since he plays ice hockey.",
        "The answer is no.",
        "Well it may be that he did so",
    ]
    found = grades(run(questions(write(tmp_path / "q.jsonl", records)), tmp_path, *replies))
    assert found == [("C", "no"), ("I", "Yes"), ("C", "no"), ("I", replies[3])]


def test_replies_to_real_arithmetic_are_graded_and_a_cut_off_one_is_unparsed(data: Path, tmp_path: Path) -> None:
    task = questions(str(data / "qa" / "gsm8k_test.jsonl"))
    task.dataset = MemoryDataset(list(task.dataset)[:2])
    assert grades(run(task, tmp_path / "whole", "16 - 7 = 9, times 2 is 18.\nANSWER: $18", "It takes 4")) == [("C", "18"), ("I", "4")]
    cut = questions(str(data / "qa" / "gsm8k_test.jsonl"))
    cut.dataset = MemoryDataset(list(cut.dataset)[:1])
    (sample,) = run(cut, tmp_path / "cut", "Janet has 16 eggs and", cut=True)
    (score,) = (sample.scores or {}).values()
    assert (score.answer, score.reason) == ("", "invalid_response_format")


def test_a_column_of_choices_is_asked_as_multiple_choice(tmp_path: Path) -> None:
    records = [
        {"question": "1 + 1?", "answer": "2", "options": ["1", "2", "3"]},
        {"question": "Largest?", "answer": 0, "options": '["whale", "ant"]'},
        {"question": "Smallest?", "answer": "B", "options": ["whale", "ant"]},
    ]
    task = questions(write(tmp_path / "q.jsonl", records), choices="options")
    assert [sample.target for sample in task.dataset] == [["B"], ["A"], ["B"]]
    assert [value for value, _ in grades(run(task, tmp_path, "ANSWER: B", "ANSWER: B", "ANSWER: B"))] == ["C", "I", "C"]


def test_the_capitals_run_alone_under_inspect(tmp_path: Path) -> None:
    task = capitals(n=4, invented=1)
    answerable = [bool((sample.metadata or {})["answerable"]) for sample in task.dataset]
    replies = [
        f"The capital is {sample.target[0]}." if known else "It is Gondar." for sample, known in zip(task.dataset, answerable, strict=True)
    ]
    assert [value for value, _ in grades(run(task, tmp_path, *replies))] == ["C" if known else "I" for known in answerable]


@pytest.mark.parametrize(
    ("answers", "comparison"),
    [
        (["12", "1,234", "$5", "5 %", "-3.5", ".5"], "numeric"),
        (["#### 3", "so 4\n#### 4"], "numeric"),
        (["12", "[0, 1)"], "text"),
        (["1990-01-02"], "text"),
        (["(A)", "(B)"], "choice"),
        (["A", "none"], "text"),
        ([["a", "b"], "c"], "includes"),
    ],
)
def test_the_comparison_is_chosen_from_all_answers_and_recorded(tmp_path: Path, answers: list[Any], comparison: str) -> None:
    task = questions(write(tmp_path / "q.jsonl", [{"question": f"{n}?", "answer": answer} for n, answer in enumerate(answers)]))
    assert task.metadata is not None
    assert task.metadata["match"] == comparison


def test_an_answer_that_only_looks_like_a_list_is_taken_as_it_is(tmp_path: Path) -> None:
    task = questions(write(tmp_path / "q.jsonl", [{"question": "Which interval?", "answer": "[0, 1)"}]))
    assert task.dataset[0].target == ["[0, 1)"]


@pytest.mark.parametrize("name", ["q.csv", "q.jsonl", "q.json", "q.parquet"])
def test_every_file_type_gives_the_same_items(tmp_path: Path, name: str) -> None:
    records = [
        {"id": "a", "question": "Capital of Chad?", "answer": ["N'Djamena", "Ndjamena"]},
        {"id": "b", "question": "2?", "answer": ["x"]},
    ]
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(records), path)
    elif name.endswith("csv"):
        path.write_text('id,question,answer\na,Capital of Chad?,"[""N\'Djamena"", ""Ndjamena""]"\nb,2?,x\n', encoding="utf-8")
    else:
        path.write_text(json.dumps(records) if name.endswith("json") else "\n".join(map(json.dumps, records)), encoding="utf-8")
    task = questions(str(path), id="id", prompt="")
    assert [(sample.id, sample.input, sample.target) for sample in task.dataset] == [
        ("a", "Capital of Chad?", ["N'Djamena", "Ndjamena"]),
        ("b", "2?", ["x"]),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.csv", "", "holds no records"),
        ("q.csv", "question,answer\n", "holds no records"),
        ("q.jsonl", "\n", "holds no records"),
        ("q.json", '{"examples": []}', "holds no records"),
        ("q.json", '{"rows": 3}', "a .json file holds a list of records"),
        ("q.jsonl", '{"question": "a", "answer": "b"}\n{"question"', "line 2: not JSON"),
        ("q.jsonl", "[1]", "line 1: a record is a JSON object, got list"),
        ("q.jsonl", '{"question": "a", "answer": "b"}\n{"answer": "b"}', "record 2: nothing in the column 'question'"),
        ("q.jsonl", '{"question": "a", "answer": []}', "record 1: no accepted answer"),
        ("q.parquet", "PAR0", "is not a Parquet file"),
    ],
)
def test_a_damaged_or_empty_file_is_one_clear_error(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        questions(str(tmp_path / name))


def test_wrong_options_name_what_is_allowed(tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", [{"question": "a", "answer": "b", "key": 1}, {"question": "c", "answer": "d", "key": 1}])
    with pytest.raises(UnknownNameError, match="named 'answr'; did you mean 'answer'"):
        questions(file, answer="answr")
    with pytest.raises(UnknownNameError, match="no comparison named 'numerc'; did you mean 'numeric'"):
        questions(file, match="numerc")
    with pytest.raises(UsageError, match="match=model needs a grader"):
        questions(file, match="model")
    with pytest.raises(DataError, match="record 1: the answer 'b' has no number"):
        questions(file, match="numeric")
    with pytest.raises(DataError, match="the identifier '1' in the column 'key' occurs twice"):
        questions(file, id="key")
    with pytest.raises(DataError, match="record 1: the answer 'b' is none of the 1 options"):
        questions(file, choices="key")
    with pytest.raises(UsageError, match="a column of choices is compared by match=choice, got match=text"):
        questions(file, choices="key", match="text")
    with pytest.raises(UsageError, match=r"questions are read from .csv, .jsonl"):
        questions(str(tmp_path / "q.xlsx"))
    with pytest.raises(UsageError, match="name the answer's with -T answer=COLUMN"):
        questions(write(tmp_path / "r.jsonl", [{"question": "a", "response": "b"}]))
