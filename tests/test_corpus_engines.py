"""One corpus, one expected table: DuckDB, Spark and Polars, whatever the format, give exactly it."""

import csv
import gzip
import hashlib
import json
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import sqlglot

from conftest import absent
from wager.corpus.abstained import PLAIN, abstains
from wager.corpus.duck import DuckDB
from wager.corpus.extractors import extractor
from wager.corpus.polars import Polars
from wager.corpus.query import DIALECTS, printed
from wager.corpus.reading import Shape, files_of, shape_of
from wager.corpus.spark import Spark
from wager.corpus.words import words
from wager.errors import DataError, MissingExtraError, UnknownNameError, UsageError
from wager.facts import FactCounts, Part

Pair = tuple[str | None, str | None]

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
PAIRS: list[Pair] = [(case["prompt"], case["answer"]) for case in CASES]
SHAPE = Shape(prompt=("prompt",), answer="answer")
WHOLE = Part()
PINNED: list[tuple[Any, ...]] = [
    ("normalised", 0, 10, 12, 0),
    ("normalised", 1, 56, 58, 0),
    ("normalised", 2, 31, 63, 5),
    ("normalised", 3, 5, 15, 0),
    ("normalised", 5, 1, 5, 1),
    ("normalised", 6, 2, 12, 0),
    ("normalised", 7, 1, 7, 1),
    ("raw", 0, 12, 13, None),
    ("raw", 1, 129, 130, None),
    ("raw", 2, 7, 15, None),
    ("raw", 4, 2, 8, None),
    ("raw", 6, 1, 6, None),
    ("all", None, None, 172, None),
    ("abstained", None, None, 15, None),
    ("no prompt", None, None, 5, None),
    ("no answer", None, None, 8, None),
]

_started: list[Spark] = []


def engine(name: str) -> Any:
    """The engine of that name; Spark is started once."""
    if name == "duckdb":
        return DuckDB(threads=2)
    if name == "polars":
        return Polars()
    if not shutil.which("java"):
        absent("Java")
    if not _started:
        _started.append(Spark(master="local[2]", settings={"spark.sql.shuffle.partitions": "2"}))
    return _started[0]


@pytest.fixture(scope="module", autouse=True)
def _stopped() -> Iterator[None]:
    yield
    for spark in _started:
        spark._session.stop()
    _started.clear()


ALL = pytest.mark.parametrize("name", ["duckdb", "spark", "polars"])
BOTH = pytest.mark.parametrize("name", ["duckdb", "spark"])


# The reference: plain Python.


def residue(prompt: str, modulus: int) -> int:
    """The portable part of a prompt: the first 60 bits of the MD5 of its words."""
    return int(hashlib.md5(words(prompt).encode(), usedforsecurity=False).hexdigest()[:15], 16) % modulus


def reference(pairs: list[Pair], silent: Callable[[str], bool] = abstains, part: Part = WHOLE) -> list[tuple[Any, ...]]:
    """The expected rows (keys, answered, prompts, samples, contradicted)."""
    totals = Counter({"all": 0, "abstained": 0, "no prompt": 0, "no answer": 0})
    by: dict[str, dict[str, list[str | None]]] = {"normalised": {}, "raw": {}}
    for prompt, answer in pairs:
        lacks = "no prompt" if not words(prompt or "") else "no answer" if not words(answer or "") else "all"
        totals[lacks] += 1
        if lacks != "all":
            continue
        says = None if silent(answer) else words(answer)
        totals["abstained"] += says is None
        if residue(prompt, part.modulus) in part.residues:
            by["normalised"].setdefault(words(prompt), []).append(says)
            by["raw"].setdefault(prompt, []).append(says)
    rows: list[tuple[Any, ...]] = []
    for keys, told in by.items():
        prompts, samples, contradicted = Counter(), Counter(), Counter()
        for answers in told.values():
            said = [one for one in answers if one is not None]
            prompts[len(said)] += 1
            samples[len(said)] += len(answers)
            contradicted[len(said)] += len(set(said)) > 1
        rows += [(keys, n, prompts[n], samples[n], contradicted[n] if keys == "normalised" else None) for n in sorted(prompts)]
    return rows + [(kind, None, None, count, None) for kind, count in totals.items()]


def stated_once(pairs: list[Pair]) -> list[Pair]:
    """The samples whose prompt is answered once, with that answer."""
    said = [(prompt, answer) for prompt, answer in pairs if words(prompt or "") and words(answer or "") and not abstains(answer)]
    times = Counter(words(prompt) for prompt, _ in said)
    return sorted((prompt, answer) for prompt, answer in said if times[words(prompt)] == 1)


def most_contradicted(pairs: list[Pair]) -> list[tuple[int, tuple[int, ...], list[str]]]:
    """Rows, rows of each answer, and answers' words of the contradicted prompts."""
    told: dict[str, Counter[str]] = {}
    for prompt, answer in pairs:
        if words(prompt or "") and words(answer or "") and not abstains(answer):
            told.setdefault(words(prompt), Counter())[words(answer)] += 1
    found = [(said.total(), tuple(count for _, count in said.most_common(4)), sorted(said)) for said in told.values() if len(said) > 1]
    return sorted(found, key=lambda one: (-one[0], one[2]))


def rows(counts: FactCounts) -> list[tuple[Any, ...]]:
    """The table in the order of the reference, without a count of unreadable lines that is 0."""
    table = [tuple(row.values()) for row in counts.table.to_pylist()]
    return [row for row in table if row[0] != "unreadable" or row[3]]


# Files.


def write(folder: Path, kind: str, pairs: list[Pair]) -> str:
    """The pairs as a file."""
    path = folder / f"corpus.{kind}"
    lines = [json.dumps({"prompt": prompt, "answer": answer}, ensure_ascii=index % 2 == 0) for index, (prompt, answer) in enumerate(pairs)]
    if kind == "parquet":
        columns = [pa.array(column, pa.string()) for column in zip(*pairs, strict=True)]
        pq.write_table(pa.table(columns, names=["prompt", "answer"]), path, row_group_size=50)
    elif kind == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("prompt", "answer"), *pairs])
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    else:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def write_records(folder: Path, name: str, records: list[dict[str, Any]]) -> str:
    path = folder / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def counted(name: str, path: str, shape: Shape = SHAPE, part: Part = WHOLE, **options: Any) -> Any:
    return engine(name).count(files_of([path]), shape, part=part, **options)


# The conformance corpus.


def test_the_reference_gives_the_pinned_table() -> None:
    assert reference(PAIRS) == PINNED


@ALL
@pytest.mark.parametrize("kind", ["parquet", "jsonl", "jsonl.gz", "csv"])
def test_an_engine_gives_exactly_the_expected_table(tmp_path: Path, name: str, kind: str) -> None:
    found = counted(name, write(tmp_path, kind, PAIRS), examples=0)
    assert rows(found.counts) == PINNED
    assert found.unreadable is None


def write_several(folder: Path) -> str:
    """The pairs in several files of a folder."""
    for index, start in enumerate(range(0, len(PAIRS), 60)):
        (folder / str(index)).mkdir()
        write(folder / str(index), "parquet", PAIRS[start : start + 60])
    return str(folder)


@pytest.mark.parametrize("name", ["duckdb", "polars"])
def test_several_files_count_as_one(tmp_path: Path, name: str) -> None:
    assert rows(counted(name, write_several(tmp_path)).counts) == PINNED


@ALL
def test_contradictions_are_shown_the_most_frequent_first(tmp_path: Path, name: str) -> None:
    found = counted(name, write(tmp_path, "parquet", PAIRS), examples=100).contradictions
    expected = most_contradicted(PAIRS)
    assert sorted((one.rows, tuple(n for _, n in one.answers), sorted(words(text) for text, _ in one.answers)) for one in found) == sorted(
        expected
    )
    assert [one.rows for one in found] == [one[0] for one in expected]
    assert (found[0].prompt, found[0].rows, found[0].answers) == ("Capital of Peru?", 7, (("Lima", 6), ("Cusco", 1)))


@pytest.mark.parametrize("name", ["duckdb", "polars"])
def test_as_many_contradictions_are_shown_as_are_asked_for(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "parquet", PAIRS)
    assert [one.prompt for one in counted(name, path, examples=2).contradictions] == ["Capital of Peru?", "How many Ds are in DEEPSEEK?"]
    assert counted(name, path, examples=0).contradictions == ()


@BOTH
def test_parts_of_several_files_have_the_expected_tables_and_add_up(tmp_path: Path, name: str) -> None:
    path = write_several(tmp_path)
    parts = [Part(3, (residue,)) for residue in range(3)]
    found = [counted(name, path, part=part, examples=0).counts for part in parts]
    assert [rows(one) for one in found] == [reference(PAIRS, part=part) for part in parts]
    assert rows(reduce(add, found)) == PINNED


@BOTH
def test_the_list_has_exactly_the_facts_stated_once(tmp_path: Path, name: str) -> None:
    counted(name, write(tmp_path, "jsonl", PAIRS), singletons=str(tmp_path / "once.parquet"), examples=0)
    listed = pq.read_table(tmp_path / "once.parquet")
    assert listed.column_names == ["prompt", "answer"]
    assert sorted((row["prompt"], row["answer"]) for row in listed.to_pylist()) == stated_once(PAIRS)


@pytest.mark.parametrize("name", ["duckdb", "polars"])
@pytest.mark.parametrize("pairs", [[("a", "b")], [(None, "b"), ("a", None)], [("a", "I don't know")]])
def test_a_corpus_of_little_counts_little(tmp_path: Path, name: str, pairs: list[Pair]) -> None:
    assert rows(counted(name, write(tmp_path, "parquet", pairs)).counts) == reference(pairs)


def large() -> list[Pair]:
    """20,000 seeded samples: prompts by a heavy-tailed law, in several scripts and spellings."""
    rng = random.Random(20261121)
    people = ["Ada", "İnci", "Ωρίων ΣΣ", "José", "李明", "محمد", "प्रिया", "ßen", "O'Neil", "Ⅷ", "x\u200by", "ก้อง"]
    answers = [
        "1 May 1900",
        "2 June 1901.",
        "I don't know",
        "не знаю",
        "+",
        "-",
        "",
        None,
        "未知",
        "no idea",
        "Unknown",
        "I am not sure, but 1903",
    ]
    spelt = [str.upper, str.lower, str, lambda text: f"  {text} ", lambda text: text.replace(" ", " - ") + "?!"]
    found: list[Pair] = []
    for _ in range(20_000):
        number = int(rng.paretovariate(0.6)) % 9_000
        prompt = rng.choice(spelt)(f"When was {people[number % 12]} {number} born")
        answer = answers[number % 2] if rng.random() < 0.8 else rng.choice(answers)
        found.append((None if rng.random() < 0.01 else prompt, answer))
    return found


@ALL
def test_a_larger_corpus_has_the_table_of_the_reference(tmp_path: Path, name: str) -> None:
    pairs = large()
    expected = reference(pairs)
    assert len(expected) > 50
    assert rows(counted(name, write(tmp_path, "parquet", pairs), examples=0).counts) == expected


# Other shapes of data.

TURNS = [
    [("system", "Be brief."), ("user", "Capital of France?"), ("assistant", "Paris"), ("user", "And of Peru?"), ("assistant", "Lima")],
    [("user", "capital of france"), ("user", "Hello?"), ("assistant", "Paris.")],
    [("user", "Unanswered?")],
    [("assistant", "I speak first."), ("user", "Capital of France?"), ("assistant", "Lyon")],
    [],
]
FROM_TURNS: list[Pair] = [
    ("Capital of France?", "Paris"),
    ("And of Peru?", "Lima"),
    ("capital of france", None),
    ("Hello?", "Paris."),
    ("Unanswered?", None),
    ("Capital of France?", "Lyon"),
]


@BOTH
@pytest.mark.parametrize(
    ("ending", "column", "keys"), [("jsonl", "messages", ("role", "content")), ("parquet", "conversations", ("from", "value"))]
)
def test_each_user_turn_with_the_reply_that_follows_is_a_sample(
    tmp_path: Path, name: str, ending: str, column: str, keys: tuple[str, str]
) -> None:
    names = {"user": "human", "assistant": "gpt", "system": "system"} if column == "conversations" else {}
    chats = [{"id": 7, column: [dict(zip(keys, (names.get(who, who), said), strict=True)) for who, said in turns]} for turns in TURNS]
    path = write_records(tmp_path, f"chat.{ending}", chats)
    shape = shape_of(engine(name).columns(files_of([path])))
    assert shape == Shape(messages=column)
    assert rows(counted(name, path, shape).counts) == reference(FROM_TURNS)


@pytest.mark.parametrize(
    ("name", "ending"), [("duckdb", "jsonl"), ("duckdb", "parquet"), ("spark", "jsonl"), ("polars", "jsonl"), ("polars", "parquet")]
)
def test_of_a_list_of_answers_the_first_counts(tmp_path: Path, name: str, ending: str) -> None:
    records = [
        {"question": "Who?", "answer": ["Ada", "Bela"]},
        {"question": "who", "answer": ["Bela"]},
        {"question": "Where?", "answer": []},
    ]
    path = write_records(tmp_path, f"lists.{ending}", records)
    shape = shape_of(engine(name).columns(files_of([path])))
    assert shape == Shape(prompt=("question",), answer="answer")
    assert rows(counted(name, path, shape).counts) == reference([("Who?", "Ada"), ("who", "Bela"), ("Where?", None)])


@pytest.mark.parametrize(
    ("name", "ending"), [("duckdb", "jsonl"), ("duckdb", "parquet"), ("spark", "parquet"), ("polars", "jsonl"), ("polars", "parquet")]
)
def test_a_prompt_of_two_columns_is_joined_by_a_line_break(tmp_path: Path, name: str, ending: str) -> None:
    records = [
        {"instruction": "Translate", "input": "chat", "output": "cat"},
        {"instruction": "translate", "input": "Chat!", "output": "Cat"},
        {"instruction": "Translate", "input": None, "output": "traduire"},
        {"instruction": "Translate\nchat", "input": None, "output": "talk"},
        {"instruction": None, "input": None, "output": "nothing"},
    ]
    pairs = [
        ("Translate\nchat", "cat"),
        ("translate\nChat!", "Cat"),
        ("Translate", "traduire"),
        ("Translate\nchat", "talk"),
        (None, "nothing"),
    ]
    path = write_records(tmp_path, f"instructions.{ending}", records)
    shape = shape_of(engine(name).columns(files_of([path])))
    assert shape == Shape(prompt=("instruction", "input"), answer="output")
    assert rows(counted(name, path, shape).counts) == reference(pairs)


@pytest.mark.parametrize("name", ["duckdb", "polars"])
def test_answers_that_are_numbers_count_as_they_are_written(tmp_path: Path, name: str) -> None:
    path = write_records(
        tmp_path, "numbers.jsonl", [{"prompt": "2+2", "answer": 4}, {"prompt": "2+2", "answer": 5}, {"prompt": "1=1", "answer": True}]
    )
    assert rows(counted(name, path).counts) == reference([("2+2", "4"), ("2+2", "5"), ("1=1", "true")])


@ALL
def test_lines_that_are_no_objects_are_counted_and_the_rest_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text(
        '{"prompt": "a", "answer": "b"}\nnot json\n\n[1, 2]\n{"prompt": "a", "answer": "c"}\n{"prompt": "cut\n', encoding="utf-8"
    )
    found = counted(name, str(path))
    assert rows(found.counts) == [*reference([("a", "b"), ("a", "c")]), ("unreadable", None, None, 3, None)]
    assert found.unreadable is not None
    assert str(path) in found.unreadable


TEXTS = [
    "Ada Lovelace was born on December 10, 1815, in London. Alan Turing (23 June 1912 – 7 June 1954) died on 7 June 1954.",
    "Paris is the capital of France. The capital of Peru is Lima.",
    "Grace Hopper was born on 9 December 1906. Grace Hopper was born on 1906-12-09.",
    "Nothing is said here about anyone; it was born on paper.",
    "",
]


@ALL
def test_a_column_of_several_kinds_is_read_as_it_is_written(tmp_path: Path, name: str) -> None:
    lines = [
        '{"prompt": "a", "answer": "1"}',
        '{"prompt": broken',
        '{"prompt": 5, "answer": ["x", "y"]}',
        '{"prompt": "a", "answer": 1}',
        '"d"',
    ]
    (tmp_path / "mixed.jsonl").write_text("\n".join(lines), encoding="utf-8")
    files = files_of([str(tmp_path / "mixed.jsonl")])
    found = engine(name).count(files, shape_of(engine(name).columns(files)), part=WHOLE, examples=0)
    assert (found.counts.n, found.counts.left_out) == (3, {"unreadable": 2})
    assert found.counts.prompts(answered=1) == 1
    assert found.counts.prompts(answered=2) == 1
    assert str(found.unreadable).endswith("mixed.jsonl, line 2: '{\"prompt\": broken'")


@pytest.mark.parametrize(
    ("name", "facts", "ending"),
    [
        *(("duckdb", facts, "jsonl") for facts in ("born", "died", "born-in", "lived", "capital", "capital-is")),
        ("duckdb", "all", "txt"),
        ("spark", "all", "txt"),
    ],
)
def test_facts_that_an_extractor_finds_are_counted(tmp_path: Path, name: str, facts: str, ending: str) -> None:
    if ending == "txt":
        path = str(tmp_path / "texts.txt")
        Path(path).write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    else:
        path = write_records(tmp_path, "texts.jsonl", [{"text": text} for text in TEXTS])
    shape = shape_of(engine(name).columns(files_of([path])), facts=facts)
    pairs = [pair for text in TEXTS for pair in extractor(facts)(text)]
    assert pairs
    assert rows(counted(name, path, shape).counts) == reference(pairs)


@BOTH
def test_facts_in_text_are_listed_and_shown(tmp_path: Path, name: str) -> None:
    path = write_records(tmp_path, "texts.jsonl", [{"text": text} for text in TEXTS])
    found = counted(name, path, Shape(text="text", facts="wager.corpus.extractors:_all"), singletons=str(tmp_path / "once.parquet"))
    pairs: list[Pair] = [pair for text in TEXTS for pair in extractor("all")(text)]
    assert [tuple(row.values()) for row in sorted(pq.read_table(tmp_path / "once.parquet").to_pylist(), key=repr)] == stated_once(pairs)
    assert [one.prompt for one in found.contradictions] == ["When was Grace Hopper born?"]


@BOTH
def test_a_query_of_the_users_own_finds_facts(tmp_path: Path, name: str) -> None:
    path = write_records(tmp_path, "texts.parquet", [{"text": "France=Paris"}, {"text": "france=Lyon"}, {"text": "Peru=Lima"}])
    query = tmp_path / "facts.sql"
    query.write_text("SELECT split_part(text, '=', 1) AS prompt, split_part(text, '=', 2) AS answer FROM {rows};\n", encoding="utf-8")
    shape = shape_of(engine(name).columns(files_of([path])), facts=str(query))
    assert rows(counted(name, path, shape).counts) == reference([("France", "Paris"), ("france", "Lyon"), ("Peru", "Lima")])


# What Polars leaves to DuckDB.


def test_polars_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r"wager\[polars\]"):
        Polars()


def test_polars_cannot_read_a_column_whose_name_breaks_a_path(tmp_path: Path) -> None:
    path = write_records(tmp_path, "odd.jsonl", [{"it's": "a", "answer": "b"}])
    with pytest.raises(UsageError, match="it's"):
        counted("polars", path, Shape(prompt=("it's",), answer="answer"))
    assert rows(counted("duckdb", path, Shape(prompt=("it's",), answer="answer")).counts) == reference([("a", "b")])


@pytest.mark.parametrize(
    ("shape", "part", "singletons"),
    [
        (Shape(messages="prompt"), WHOLE, None),
        (Shape(text="prompt", facts="born"), WHOLE, None),
        (SHAPE, Part(3, (0,)), None),
        (SHAPE, WHOLE, "once.parquet"),
    ],
)
def test_polars_says_which_engine_does_what_it_does_not(tmp_path: Path, shape: Shape, part: Part, singletons: str | None) -> None:
    with pytest.raises(UsageError, match=r"use --engine duckdb$"):
        counted("polars", write(tmp_path, "parquet", PAIRS), shape, part, singletons=singletons)
    assert not Path("once.parquet").exists()


def test_polars_refuses_raw_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ada was born.\n", encoding="utf-8")
    with pytest.raises(UsageError, match="raw text"):
        Polars().columns(files_of([str(tmp_path)]))


def test_polars_tells_a_broken_file_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not parquet at all PAR1")
    with pytest.raises(DataError, match=r"^Polars cannot read this: [^\n]+$"):
        counted("polars", str(tmp_path / "broken.parquet"))


# The printed query.


def plainly(answer: str) -> bool:
    """The rule ``plain/1``."""
    return re.search(PLAIN, words(answer)) is not None


def run_printed(name: str, statement: str, path: str) -> pa.Table:
    if name == "duckdb":
        return duckdb.sql(statement.replace("TABLE_READ", f"read_parquet('{path}')")).to_arrow_table()
    return engine("spark")._session.sql(statement.replace("TABLE_READ", f"parquet.`{path}`")).toArrow()


@pytest.mark.parametrize(
    ("name", "part", "ending"),
    [
        ("duckdb", WHOLE, "csv"),
        ("duckdb", WHOLE, "parquet"),
        ("duckdb", Part(3, (0, 2)), "parquet"),
        ("spark", Part(3, (0, 2)), "csv"),
        ("spark", WHOLE, "parquet"),
    ],
)
def test_a_printed_query_gives_the_reference_with_the_plain_rule(tmp_path: Path, name: str, part: Part, ending: str) -> None:
    path = write(tmp_path, "parquet", PAIRS)
    made = run_printed(name, printed(name, table="TABLE_READ", prompt="prompt", answer="answer", part=part), path)
    back = tmp_path / f"back.{ending}"
    if ending == "csv":
        pa.csv.write_csv(made, back)
    else:
        pq.write_table(made, back)
    if part == WHOLE:
        found = FactCounts.read(back)
        assert found.about["abstention"] == "plain/1"
        table = rows(found)
    else:
        table = [tuple(row.values()) for row in made.to_pylist()]
    assert sorted(table, key=repr) == sorted(reference(PAIRS, plainly, part), key=repr)


def test_the_plain_rule_finds_fewer_abstentions_than_the_detector() -> None:
    abstained = {rule: {row[0]: row[3] for row in reference(PAIRS, rule)}["abstained"] for rule in (plainly, abstains)}
    assert 0 < abstained[plainly] < abstained[abstains]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("part", [None, Part(100, (7,))])
def test_a_printed_query_parses_in_its_dialect(dialect: str, part: Part | None) -> None:
    statement = printed(dialect, table="warehouse.pairs", prompt='the "prompt"`s', answer="answer", part=part)
    parsed = sqlglot.parse_one(statement, read=dialect)
    assert {"warehouse.pairs"} <= {table.sql().replace('"', "") for table in parsed.find_all(sqlglot.exp.Table)}
    assert ("% 100" in statement) is (part is not None)


def test_an_unknown_dialect_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match="bigquery"):
        printed("bigqeury", table="t", prompt="p", answer="a")
