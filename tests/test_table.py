from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from wager import Answer, Outcome
from wager.answers import ConfidenceSource
from wager.errors import DataError, OutputError
from wager.files import replacing
from wager.table import SCHEMA, AnswerTable

ANSWERS = [
    Answer(
        task="t", model="m", item="1", outcome=Outcome.CORRECT, credit=1.0, reference=("Lima",), answer="Lima", reply="It is Lima.",
        confidence={ConfidenceSource.LOGPROB: 0.25, ConfidenceSource.STATED: 0.9}, tokens_in=30, tokens_out=5, seconds=0.2,
    ),
    Answer(task="t", model="m", item="2", outcome=Outcome.ABSTAINED, arm="open", target=0.5, stratum="small", answerable=False),
    Answer(task="t", model="m", item="3", outcome=Outcome.INCORRECT, credit=0.4, sample=2),
    Answer(task="t", model="m", item="4", outcome=Outcome.FAILED, reason="time-out"),
]  # fmt: skip


def test_answers_survive_the_way_to_disk_and_back(tmp_path: Path) -> None:
    AnswerTable.from_answers(ANSWERS, seed=7).write(tmp_path / "answers.parquet")
    table = AnswerTable.read(tmp_path / "answers.parquet")
    assert list(table) == ANSWERS
    assert table.metadata == {"schema": 1, "seed": 7}
    assert [path.name for path in tmp_path.iterdir()] == ["answers.parquet"]


def test_columns_keep_unknown_apart_from_numbers() -> None:
    table = AnswerTable.from_answers(ANSWERS)
    assert table.answered.tolist() == [True, False, True, False]
    assert table.scored.tolist() == [True, True, True, False]
    assert np.isnan(table.credit).tolist() == [False, True, False, True]
    assert np.isnan(table.confidence("logprob")).tolist() == [False, True, True, True]
    assert table.sources == (ConfidenceSource.STATED, ConfidenceSource.LOGPROB)
    assert len(table.select(table.answered)) == 2


def test_an_empty_table_is_a_table() -> None:
    table = AnswerTable.from_answers([])
    assert len(table) == 0
    assert table.credit.shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": ["maybe"]}, "unknown outcome 'maybe'; allowed: correct, incorrect"),
        ({"outcome": ["failed"]}, "'credit' must be present exactly where"),
        ({"credit": [1.5]}, r"'credit' has 1 values outside \[0, 1\], the first is 1.5"),
        ({"confidence_stated": [-0.5]}, r"'confidence_stated' has 1 values outside"),
        ({"item": [None]}, "'item' has 1 empty values"),
        ({"credit": ["x"]}, "'credit' should be double"),
    ],
)
def test_a_column_that_does_not_fit_is_named(change: dict[str, list[object]], message: str) -> None:
    row: dict[str, list[object]] = {
        "task": ["t"], "model": ["m"], "arm": ["closed"], "item": ["1"], "sample": [1], "outcome": ["correct"], "credit": [1.0], "answerable": [True],
    }  # fmt: skip
    with pytest.raises(DataError, match=message):
        AnswerTable(pa.table(row | change))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="needs the column 'task'"):
        AnswerTable(pa.table({"x": [1]}))


def test_a_file_of_a_newer_version_or_no_table_is_refused(tmp_path: Path) -> None:
    newer = AnswerTable.from_answers(ANSWERS).arrow.replace_schema_metadata({"wager": '{"schema": 99}'})
    AnswerTable(newer).write(tmp_path / "newer.parquet")
    with pytest.raises(DataError, match="version 99"):
        AnswerTable.read(tmp_path / "newer.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(DataError, match=r"text\.parquet"):
        AnswerTable.read(tmp_path / "text.parquet")
    with pytest.raises(DataError, match="no file at"):
        AnswerTable.read(tmp_path / "absent.parquet")


def test_an_unwritable_place_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        AnswerTable.from_answers(ANSWERS).write(tmp_path / "no" / "such" / "folder.parquet")


def test_credit_goes_with_an_answer_only() -> None:
    with pytest.raises(DataError, match="credit goes with an answer"):
        Answer(task="t", model="m", item="1", outcome=Outcome.ABSTAINED, credit=0.0)
    with pytest.raises(DataError, match="credit goes with an answer"):
        Answer(task="t", model="m", item="1", outcome=Outcome.CORRECT)
    with pytest.raises(DataError, match="a stated confidence lies in"):
        Answer(task="t", model="m", item="1", outcome=Outcome.CORRECT, credit=1, confidence={ConfidenceSource.STATED: 95})


def test_every_field_of_an_answer_has_a_column() -> None:
    fields = set(Answer.__dataclass_fields__) - {"confidence"} | {f"confidence_{source.value}" for source in ConfidenceSource}
    assert fields == set(SCHEMA.names)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def half(error: BaseException) -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise error

    path = tmp_path / "x.txt"
    path.write_text("before")
    with pytest.raises(OutputError, match="No space left"):
        half(OSError(28, "No space left on device"))
    with pytest.raises(KeyboardInterrupt):
        half(KeyboardInterrupt())
    assert [one.name for one in tmp_path.iterdir()] == ["x.txt"]
    assert path.read_text() == "before"
    with replacing(path) as part:
        part.write_text("after")
    assert path.read_text() == "after"
