"""Fact counts: parts that add to the whole, samples of prompts that are unbiased, files of ours and of other engines."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.errors import DataError, OutputError, UsageError
from wager.facts import COLUMNS, SCHEMA, FactCounts, Part

ABOUT = {"source": "corpus.parquet", "normaliser": "words/1", "abstention": "detector/1", "engine": "by hand"}

ROWS = [
    ("normalised", 0, 2, 3, 0),
    ("normalised", 1, 30, 32, 0),
    ("normalised", 2, 10, 20, 4),
    ("normalised", 5, 9, 45, 3),
    ("raw", 1, 36, 38, None),
]
TOTALS = {"all": 100, "abstained": 5, "no prompt": 7, "no answer": 2, "unreadable": 1}

Prompt = tuple[int, int, bool]
"""Times answered, times declined, whether contradicted."""


def whole(**changes: object) -> FactCounts:
    return FactCounts.of(ROWS, TOTALS, **({"about": ABOUT} | changes))  # type: ignore[arg-type]


def counted(prompts: list[Prompt], part: Part, about: dict[str, str] = ABOUT) -> FactCounts:
    """The counts of the prompts of a part: prompt i has the hash i."""
    rows: dict[tuple[str, int], list[int]] = {}
    for place, (answered, declined, contradicted) in enumerate(prompts):
        if place % part.modulus in part.residues:
            for keys in ("normalised", "raw"):
                row = rows.setdefault((keys, answered), [0, 0, 0])
                row[:] = [row[0] + 1, row[1] + answered + declined, row[2] + contradicted]
    table = [(keys, answered, p, s, c if keys == "normalised" else None) for (keys, answered), (p, s, c) in rows.items()]
    totals = {"all": sum(a + d for a, d, _ in prompts), "abstained": sum(d for _, d, _ in prompts)}
    return FactCounts.of(table, totals, part=part, about=about)  # type: ignore[arg-type]


def plain(counts: FactCounts) -> tuple[object, ...]:
    rows = [{name: column.tolist() for name, column in counts.frequencies(keys).items()} for keys in ("normalised", "raw")]  # type: ignore[arg-type]
    return *rows, counts.n, counts.total("abstained"), counts.left_out, counts.part, counts.row_sampled


PROMPTS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 3), st.booleans()).filter(lambda one: one[0] + one[1] > 0 and (one[0] > 1 or not one[2])),
    max_size=40,
)


@settings(deadline=None)
@given(prompts=PROMPTS, modulus=st.integers(1, 7), data=st.data())
def test_parts_in_any_order_add_to_the_whole(prompts: list[Prompt], modulus: int, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(modulus)))
    first, *rest = (counted(prompts, Part(modulus, (residue,))) for residue in order)
    for one in rest:
        first = first + one
    assert first.part.share == 1
    assert plain(first)[:-2] == plain(counted(prompts, Part()))[:-2]


@settings(deadline=None)
@given(prompts=PROMPTS, modulus=st.integers(1, 7), answered=st.integers(0, 4))
def test_the_mean_of_all_samples_of_prompts_is_exactly_the_truth(prompts: list[Prompt], modulus: int, answered: int) -> None:
    estimates = [counted(prompts, Part(modulus, (residue,))).prompts(answered=answered) for residue in range(modulus)]
    truth = sum(times == answered for times, _, _ in prompts)
    assert sum(estimates) == pytest.approx(modulus * truth, abs=1e-9)


def test_a_sample_of_prompts_keeps_the_exact_number_of_samples() -> None:
    prompts = [(1, 0, False)] * 10 + [(7, 2, True)] * 10
    part = counted(prompts, Part(5, (3,)))
    assert (part.n, part.total("abstained")) == (100, 20)
    assert part.prompts(answered=1) == pytest.approx(10)
    assert part.frequencies()["prompts"].tolist() == [2, 2]  # as counted


def test_numbers_are_those_of_the_rows() -> None:
    counts = whole()
    assert counts.n == 100
    assert counts.left_out == {"no prompt": 7, "no answer": 2, "unreadable": 1}
    assert counts.prompts() == 51
    assert counts.prompts(answered=1) == 30
    assert counts.prompts("raw", answered=1) == 36
    assert counts.prompts(answered=99) == 0
    assert counts.frequencies()["answered"].tolist() == [0, 1, 2, 5]
    assert counts.has("raw")
    assert not FactCounts.of(ROWS[:4], TOTALS).has("raw")


def test_parts_are_numbered_from_0_below_their_number() -> None:
    assert Part(4, (3, 1, 3)).residues == (1, 3)
    assert Part(4, (3, 1)).share == 0.5
    for modulus, residues in ((3, (3,)), (3, (-1,)), (3, ()), (0, (0,))):
        with pytest.raises(UsageError, match="a part has numbers from 0"):
            Part(modulus, residues)


def test_what_is_counted_twice_or_differently_does_not_add() -> None:
    prompts = [(1, 0, False)] * 6
    one, two = counted(prompts, Part(2, (0,))), counted(prompts, Part(2, (1,)))
    with pytest.raises(DataError, match="both counts have part 0 of 2"):
        one + one
    with pytest.raises(DataError, match="parts of 2 and of 3"):
        one + counted(prompts, Part(3, (1,)))
    with pytest.raises(DataError, match=r"not parts of one corpus: source 'corpus\.parquet' and 'other'"):
        one + counted(prompts, Part(2, (1,)), ABOUT | {"source": "other"})
    with pytest.raises(DataError, match="abstention 'detector/1' and 'plain/1'"):
        one + counted(prompts, Part(2, (1,)), ABOUT | {"abstention": "plain/1"})
    with pytest.raises(DataError, match="samples 6 and 7"):
        one + counted([*prompts, (1, 0, False)], Part(2, (1,)))
    with pytest.raises(DataError, match="row-sampled False and True"):
        one + two.declared_row_sampled()
    assert (one.declared_row_sampled() + two.declared_row_sampled()).row_sampled


def test_disjoint_corpora_add_their_samples_too() -> None:
    both = FactCounts.disjoint([whole(), whole(about=ABOUT | {"source": "b"})])
    assert (both.n, both.total("abstained"), both.prompts(answered=1), both.prompts("raw", answered=1)) == (200, 10, 60, 72)
    assert both.left_out == {"no prompt": 14, "no answer": 4, "unreadable": 2}
    assert both.about["source"] == "corpus.parquet + b"
    with pytest.raises(DataError, match="only whole counts"):
        FactCounts.disjoint([whole(), whole(about=ABOUT | {"normaliser": "words/2"})])
    with pytest.raises(DataError, match="only whole counts"):
        FactCounts.disjoint([counted([(1, 0, False)], Part(2, (0,)))])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    counts = counted([(1, 1, False), (3, 0, True), (0, 2, False)], Part(2, (0,))).declared_row_sampled()
    counts.write(tmp_path / "counts.parquet")
    again = FactCounts.read(tmp_path / "counts.parquet")
    assert again.table == counts.table
    assert (again.part, again.about, again.row_sampled) == (counts.part, counts.about, True)
    assert [file.name for file in tmp_path.iterdir()] == ["counts.parquet"]


def test_counts_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        whole().write(tmp_path / "nowhere" / "counts.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_of_another_engine_is_read(tmp_path: Path, form: str) -> None:
    """As warehouses write them: 32-bit numbers, decimals or whole floats, a column more."""
    table = whole().table
    path = tmp_path / f"counts.{form}"
    if form == "csv":
        pyarrow.csv.write_csv(table, path)
    else:
        kinds = [
            ("keys", pa.large_string()),
            ("answered", pa.int32()),
            ("prompts", pa.float64()),
            ("samples", pa.decimal128(20, 0)),
            ("contradicted", pa.int32()),
        ]
        pq.write_table(table.cast(pa.schema(kinds)).append_column("more", pa.array(range(table.num_rows))), path)
    read = FactCounts.read(path)
    assert plain(read) == plain(whole())
    assert read.about == {"source": path.name, "engine": "another engine", "abstention": "plain/1", "normaliser": "words/1"}


def test_a_part_that_another_engine_counted_must_be_declared(tmp_path: Path) -> None:
    """A printed query for a sample cannot say that it is one; read as the whole it is refused, since its samples do not add up."""
    pyarrow.csv.write_csv(counted([(1, 0, False)] * 6, Part(3, (0,))).table, tmp_path / "c.csv")
    with pytest.raises(DataError, match="add up to 2, not to the 6 of the row 'all'"):
        FactCounts.read(tmp_path / "c.csv")
    assert FactCounts.read(tmp_path / "c.csv", part=Part(3, (0,))).prompts(answered=1) == 6


def test_a_file_that_knows_its_part_is_not_read_as_another(tmp_path: Path) -> None:
    counted([(1, 0, False)] * 6, Part(3, (0,))).write(tmp_path / "c.parquet")
    assert FactCounts.read(tmp_path / "c.parquet", part=Part(3, (0,))).part == Part(3, (0,))
    with pytest.raises(UsageError, match="holds 1 of 3 parts"):
        FactCounts.read(tmp_path / "c.parquet", part=Part(3, (1,)))


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    known = {"version": 2, "part": [1, [0]], "about": {}, "row_sampled": False}
    pq.write_table(whole().table.replace_schema_metadata({"wager.facts": json.dumps(known)}), tmp_path / "c.parquet")
    with pytest.raises(DataError, match="newer wager"):
        FactCounts.read(tmp_path / "c.parquet")


@pytest.mark.parametrize("metadata", ["{", "[]", "{}", '{"version": "x"}', '{"version": 1, "part": 3, "about": {}, "row_sampled": false}',
                                      '{"version": 1, "part": [2, [5]], "about": {}, "row_sampled": false}'])  # fmt: skip
def test_damaged_metadata_is_not_taken_for_the_whole(tmp_path: Path, metadata: str) -> None:
    pq.write_table(whole().table.replace_schema_metadata({"wager.facts": metadata}), tmp_path / "c.parquet")
    with pytest.raises(DataError, match="metadata is damaged"):
        FactCounts.read(tmp_path / "c.parquet")


def test_a_file_that_is_no_table_of_counts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trash.parquet").write_bytes(b"hello")
    with pytest.raises(DataError, match="cannot be read as fact counts"):
        FactCounts.read(tmp_path / "trash.parquet")
    with pytest.raises(DataError, match="cannot be read as fact counts"):
        FactCounts.read(tmp_path / "none.csv")
    pq.write_table(whole().table.drop_columns(["prompts", "samples"]), tmp_path / "few.parquet")
    with pytest.raises(DataError, match="lacks the columns prompts, samples"):
        FactCounts.read(tmp_path / "few.parquet")


@pytest.mark.parametrize("column", [["many"], [[1]], [1.5], [2**64 - 1]])
def test_wrong_types_are_refused(tmp_path: Path, column: list[object]) -> None:
    kind = pa.uint64() if column == [2**64 - 1] else None
    columns = {name: pa.array([1]) for name in COLUMNS} | {"keys": pa.array(["all"]), "samples": pa.array(column, kind)}
    pq.write_table(pa.table(columns), tmp_path / "c.parquet")
    with pytest.raises(DataError, match="does not have the types of fact counts"):
        FactCounts.read(tmp_path / "c.parquet")


@pytest.mark.parametrize(
    ("rows", "totals", "said"),
    [
        ([("normalised", 1, 3, 3, 0)], {}, "need a row 'all'"),
        ([("normalised", 1, 3, 3, 0)], {"all": 4}, "add up to 3, not to the 4"),
        ([("normalised", 1, 3, -3, 0)], {"all": -3}, "at least 0"),
    ],
)
def test_counts_that_do_not_add_up_are_refused(rows: list[tuple[str, int, int, int, int]], totals: dict[str, int], said: str) -> None:
    with pytest.raises(DataError, match=said):
        FactCounts.of(rows, totals)  # type: ignore[arg-type]


def test_other_columns_are_refused() -> None:
    with pytest.raises(DataError, match="fact counts have the columns keys, answered"):
        FactCounts(pa.table({"keys": ["all"]}))


def test_no_rows_are_no_samples() -> None:
    empty = FactCounts.of([], {"all": 0})
    assert (empty.n, empty.prompts(), empty.left_out) == (0, 0.0, {})
    assert FactCounts.of([], {}).table.schema == SCHEMA


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("normalised", 1, 2, 2, None), ("all", None, None, 2, None), ("abstained", None, None, 0, None)], "'normalised': contradicted"),
        ([("normalised", None, 2, 2, 0), ("all", None, None, 2, None), ("abstained", None, None, 0, None)], "'normalised': answered"),
        ([("raw", 1, None, 2, None), ("all", None, None, 0, None), ("abstained", None, None, 0, None)], "'raw': prompts"),
    ],
)
def test_what_another_engine_left_open_is_refused_and_not_read_as_none(rows: list[tuple[object, ...]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        FactCounts(
            pa.table([pa.array(list(column), one.type) for column, one in zip(zip(*rows, strict=True), SCHEMA, strict=True)], schema=SCHEMA)
        )


def test_contradictions_of_raw_prompts_are_not_told() -> None:
    counts = FactCounts.of([("normalised", 1, 2, 2, 0), ("raw", 1, 2, 2, None)], {"all": 2, "abstained": 0})
    assert list(counts.frequencies("raw")) == ["answered", "prompts", "samples"]
    assert counts.frequencies()["contradicted"].tolist() == [0]


def test_a_foreign_table_must_tell_its_abstentions(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("keys,answered,prompts,samples,contradicted\nnormalised,1,2,2,0\nall,,,2,\n", encoding="utf-8")
    with pytest.raises(DataError, match="lacks the row 'abstained'"):
        FactCounts.read(tmp_path / "counts.csv")
