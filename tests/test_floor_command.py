"""`wager floor` as a user runs it: from files to numbers, lists and pages; parts and samples; bad input; Ctrl-C, a full disk, no Java."""

import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from conftest import heed_signals
from wager.cli import main

FACTS = [("a", "1"), ("A?", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("d", "5"), ("d", "4"), ("e", "I don't know.")]
"""8 samples of 5 prompts: b and c stated once, a twice (in two spellings), d three times with two answers, e declined."""

EVIL = "\x1b[31mred\x1b]0;title\x07<script>alert(1)</script>\x9b2J\u202e"


class Done(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def value(self, key: str) -> Any:
        return next(one["value"] for one in self.json["quantities"] if one["key"] == key)

    @property
    def complaint(self) -> str:
        """What a failed run says: one line, and nothing else."""
        assert self.status == 2
        assert self.out == ""
        assert self.err.startswith("wager: ")
        assert self.err.count("\n") == 1
        assert self.err.removesuffix("\n").isprintable()
        return self.err


class Run:
    """``wager floor`` in this process, in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Done:
        status = main(["floor", *map(str, arguments)])
        return Done(status, *self._capsys.readouterr())


@pytest.fixture
def floor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return Run(capsys)


def write(path: str, rows: list[tuple[Any, Any]] = FACTS, *, prompt: str = "prompt", answer: str = "answer") -> Path:
    """A file of pairs, of the format that its name says."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    if ".jsonl" in path:
        text = "".join(json.dumps({prompt: one, answer: other}) + "\n" for one, other in rows)
        file.write_bytes(gzip.compress(text.encode()) if path.endswith(".gz") else text.encode())
        return file
    table = pa.table({prompt: [one for one, _ in rows], answer: [other for _, other in rows]})
    pq.write_table(table, file) if path.endswith(".parquet") else pyarrow.csv.write_csv(table, file)
    return file


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Many different prompts: what takes a while and does not fit into little memory."""
    path, rows = tmp_path_factory.mktemp("big") / "big.parquet", 2_500_000
    numbers = pa.array(np.random.default_rng(0).integers(0, rows, rows))
    prompts = pa.compute.binary_join_element_wise("what is fact ", numbers.cast(pa.string()), "?", "")
    pq.write_table(pa.table({"prompt": prompts, "answer": numbers.cast(pa.string())}), path, row_group_size=100_000)
    return str(path)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "wager.cli", "floor", *arguments]


def left(*but: str) -> set[str]:
    return {file.name for file in Path().iterdir()} - set(but)


@pytest.mark.parametrize("name", ["facts.csv", "facts.jsonl", "facts.jsonl.gz", "facts.parquet"])
def test_counts_are_those_of_the_rows_in_every_format(floor: Run, name: str) -> None:
    write(name)
    done = floor(name, "--errors", 4, "--json")
    assert (done.status, done.err) == (0, "")
    expected = {
        "samples": 8,
        "prompts": 5,
        "abstained": 1 / 8,
        "singletons": 2,
        "singleton_rate": 2 / 8,
        "singleton_rate_raw": 4 / 8,
        "contradicted": 1,
    }
    assert {key: done.value(key) for key in expected} == pytest.approx(expected)
    assert done.json["schema"] == 1
    assert done.json["contradictions"] == [{"prompt": "d", "rows": 3, "answers": [["4", 2], ["5", 1]]}]
    assert [(one["answered"], one["prompts"]) for one in done.json["frequencies"]] == [(0, 1), (1, 2), (2, 1), (3, 1)]


def test_the_text_says_what_was_read_what_is_vacuous_and_what_is_not_said(floor: Run) -> None:
    write("facts.csv")
    done = floor("facts.csv")
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[0] == "facts.csv: prompts in 'prompt', answers in 'answer'"
    assert any(line.split() == ["singleton", "rate", "sr", "=", "|S|/N", "0.2500"] for line in lines)
    assert "VACUOUS, it says nothing" in done.out
    assert "  d: 4 (2); 5 (1)" in lines
    assert "left out: nothing" in lines
    assert "what these numbers do not say:" in lines
    assert "unknown  --errors was not stated" in done.out


def test_real_birthdays_repeated_evenly(floor: Run, data: Path) -> None:
    source = next((data / "birthdays").glob("*.csv"))
    rows = pyarrow.csv.read_csv(source).select([0, 1]).to_pylist()
    pairs = [tuple(row.values()) for row in rows]
    write(
        "births.csv",
        [(f"When was number {n} born?", str(answer)) for n, (_, answer) in enumerate(pairs)] + [("When was number 0 born?", "1900-01-01")],
    )
    done = floor("births.csv", "--errors", 365, "--json")
    assert done.value("samples") == len(pairs) + 1
    assert done.value("singletons") == len(pairs) - 1
    assert done.value("memoriser_error") == pytest.approx((len(pairs) - 1) / (len(pairs) + 1) * 365 / 366)


def test_the_page_is_whole(floor: Run) -> None:
    write("facts.csv")
    done = floor("facts.csv", "--html", "floor.html", "--errors", 4)
    assert done.out.endswith("wrote floor.html\n")
    page = Path("floor.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert "facts.csv" in page
    assert left() == {"facts.csv", "floor.html"}


def test_parts_counted_apart_add_to_the_whole(floor: Run) -> None:
    write("facts.parquet", [(f"q{n % 300}", str(n % 3)) for n in range(700)])
    for part in range(3):
        assert floor("facts.parquet", "--part", f"{part}/3", "--counts", f"part-{part}.parquet").status == 0
    whole = floor("facts.parquet", "--json")
    merged = floor("part-*.parquet", "--json")
    assert merged.json["quantities"] == whole.json["quantities"]
    assert merged.json["frequencies"] == whole.json["frequencies"]
    two = floor("part-0.parquet", "part-1.parquet", "--json")
    assert any(one.startswith("66.667% of the prompts were counted") for one in two.json["warnings"])
    assert two.value("samples") == 700
    assert "both counts have part 1 of 3" in floor("part-1.parquet", "part-0.parquet", "./part-1.parquet").complaint


def test_a_sample_of_prompts_comes_near_the_truth_with_the_exact_number_of_samples(floor: Run) -> None:
    rng = np.random.default_rng(3)
    write("facts.parquet", [(f"q{n}", "x") for n in np.minimum(rng.zipf(1.5, 20_000), 10**9).tolist()])
    exact, sampled = floor("facts.parquet", "--json"), floor("facts.parquet", "--sample", "1/10", "--json")
    assert sampled.value("samples") == exact.value("samples") == 20_000
    rate = next(one for one in sampled.json["quantities"] if one["key"] == "singleton_rate")
    assert rate["value"] != exact.value("singleton_rate")
    assert rate["low"] <= exact.value("singleton_rate") <= rate["high"]
    assert rate["value"] == pytest.approx(exact.value("singleton_rate"), rel=0.25)
    assert any("|S| was scaled up; N is exact" in one for one in sampled.json["warnings"])


def test_the_list_holds_the_facts_seen_once(floor: Run) -> None:
    write("facts.csv")
    done = floor("facts.csv", "--list", "once.parquet")
    assert "wrote once.parquet\n" in done.out
    assert sorted(pq.read_table("once.parquet").to_pylist(), key=str) == [{"prompt": "b", "answer": "2"}, {"prompt": "c", "answer": "3"}]


def test_the_list_of_a_sample_says_that_it_is_one(floor: Run) -> None:
    write("facts.csv")
    assert "wrote once.parquet (of 50.000% of the prompts)\n" in floor("facts.csv", "--sample", "1/2", "--list", "once.parquet").out


def test_declared_row_samples_are_remembered_by_their_counts(floor: Run) -> None:
    write("facts.csv")
    assert "WARNING: the rows are a sample of a larger corpus" in floor("facts.csv", "--row-sampled", "--counts", "c.parquet").out
    assert "WARNING: the rows are a sample of a larger corpus" in floor("c.parquet").out


def test_a_printed_query_gives_the_same_floor(floor: Run) -> None:
    """Run by DuckDB as a warehouse would, on a table and columns with unkind names, and fed back."""
    write("facts.parquet", prompt='the "prompt"', answer="an answer; --")
    query = floor("--print-sql", "duckdb", "--table", "'facts.parquet'", "--prompt", 'the "prompt"', "--answer", "an answer; --")
    assert query.status == 0
    duckdb.connect().execute(f"COPY ({query.out.replace(chr(59) + chr(10), '')}) TO 'counts.csv' (HEADER)")
    fed, direct = floor("counts.csv", "--json"), floor("facts.parquet", "--prompt", 'the "prompt"', "--answer", "an answer; --", "--json")
    assert fed.json["quantities"] == direct.json["quantities"]
    assert fed.json["about"]["abstention"] == "plain/1"


def test_the_counts_of_a_query_printed_for_a_part_need_that_part_again(floor: Run) -> None:
    write("facts.parquet", [(f"q{n}", "x") for n in range(60)])
    query = floor("--print-sql", "duckdb", "--table", "'facts.parquet'", "--sample", "1/2").out
    duckdb.connect().execute(f"COPY ({query}) TO 'counts.csv' (HEADER)")
    assert "not to the 60 of the row 'all'" in floor("counts.csv").complaint
    assert floor("counts.csv", "--sample", "1/2", "--json").value("singletons") == floor(
        "facts.parquet", "--sample", "1/2", "--json"
    ).value("singletons")


@pytest.mark.parametrize(
    ("prompt", "answer", "told"),
    [
        ("prompt", "completion", "prompts in 'prompt', answers in 'completion'"),
        ("question", "answer", "prompts in 'question', answers in 'answer'"),
        ("prompt", "chosen", "prompts in 'prompt', answers in 'chosen'"),
        ("instruction", "output", "prompts in 'instruction', answers in 'output'"),
    ],
)
def test_well_known_columns_need_no_telling(floor: Run, prompt: str, answer: str, told: str) -> None:
    write("facts.parquet", prompt=prompt, answer=answer)
    assert floor("facts.parquet", "--json").json["about"]["read as"] == told


def test_chat_records_are_read_turn_by_turn(floor: Run) -> None:
    turns = [("user", "a"), ("assistant", "1"), ("user", "b"), ("user", "c"), ("assistant", "3")]
    records = [{"messages": [{"role": role, "content": text} for role, text in turns]}] * 2
    Path("chat.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records) + "{broken\n")
    done = floor("chat.jsonl", "--json")
    assert (done.value("samples"), done.value("prompts")) == (4, 2)
    assert done.json["left_out"] == {"no answer": 2, "unreadable": 1}


def test_facts_are_found_in_text_and_broken_lines_are_counted_there_too(floor: Run) -> None:
    Path("wiki.txt").write_text(
        "Ada Lovelace was born on December 10, 1815, in London.\nAlan Turing was born on 23 June 1912.\n\nNothing.\n"
    )
    assert floor("wiki.txt", "--facts", "born", "--json").value("singletons") == 2
    Path("wiki.jsonl").write_text('{"text": "Ada Lovelace was born on December 10, 1815."}\n{broken\n')
    done = floor("wiki.jsonl", "--facts", "born", "--json")
    assert (done.value("samples"), done.json["left_out"]) == (1, {"unreadable": 1})
    assert "no fact extractor named 'brn'; did you mean 'born'" in floor("wiki.txt", "--facts", "brn").complaint


def test_an_extractor_of_ones_own_is_told_what_it_must_give(floor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("my_own_facts.py").write_text("def good(text):\n    return [text.split()]\n\n\ndef bad(text):\n    return [text]\n")
    Path("notes.txt").write_text("sky blue\n")
    assert floor("notes.txt", "--facts", "my_own_facts:good", "--json").value("singletons") == 1
    said = floor("notes.txt", "--facts", "my_own_facts:bad").complaint
    assert said == "wager: --facts 'my_own_facts:bad' must give pairs (prompt, answer), got 'sky blue'\n"
    assert "no module 'nowhere' can be imported here" in floor("notes.txt", "--facts", "nowhere:bad").complaint
    assert "did you mean 'good'" in floor("notes.txt", "--facts", "my_own_facts:god").complaint


def test_broken_lines_are_counted_and_the_first_is_shown(floor: Run) -> None:
    Path("facts.jsonl").write_text('{"prompt": "a", "answer": "1"}\n{"prompt": "b", "ans\n\n[1]\n{"prompt": "c"}\n')
    done = floor("facts.jsonl")
    assert "left out: 1 no answer, 2 unreadable" in done.out
    assert "WARNING: 3 of 4 rows are in no number (1 no answer, 2 unreadable)" in done.out
    assert """WARNING: the first line that could not be read: facts.jsonl, line 2: '{"prompt": "b", "ans'""" in done.out


def test_ragged_lines_are_counted_and_the_first_is_shown(floor: Run) -> None:
    Path("facts.csv").write_text("prompt,answer\na,1\nb\nc,3,9,9\nd,4\n")
    done = floor("facts.csv")
    assert "left out: 2 unreadable" in done.out
    assert "WARNING: the first line that could not be read: facts.csv, line 3: 'b'" in done.out


def bad() -> dict[str, tuple[list[str], str]]:
    """Arguments, and what the one line must say."""
    return {
        "no data": ([], "wager floor takes DATA"),
        "no such file": (["nosuch.csv"], "no file or folder 'nosuch.csv'"),
        "no such glob": (["nosuch-*.csv"], "no file or folder 'nosuch-*.csv'"),
        "twice": (["facts.csv", "facts.*"], "'facts.csv' is named twice"),
        "empty folder": (["nothing"], "the folder 'nothing' has no file that ends in .parquet"),
        "several formats": (["mixed"], "files of several formats (csv, jsonl)"),
        "unknown format": (["facts.xyz"], "cannot tell the format of 'facts.xyz'"),
        "unreadable": (["unreadable.csv"], "'unreadable.csv' cannot be read"),
        "trash": (["trash.parquet"], "'trash.parquet' cannot be read"),
        "a column lacks": (["schemas"], 'column "answer"'),
        "empty csv": (["empty.csv"], "'empty.csv' is empty"),
        "empty jsonl": (["empty.jsonl"], "'empty.jsonl' is empty"),
        "header only": (["header.csv"], "there are no rows at all"),
        "no rows": (["norows.parquet"], "there are no rows at all"),
        "no answers": (["noanswers.jsonl"], "no row has both a prompt and an answer: 2 without an answer"),
        "no objects": (["five.jsonl"], "each line must be an object such as"),
        "unknown columns": (["other.csv"], "there are these, those; name them with --prompt and --answer"),
        "wrong column": (["facts.csv", "--prompt", "promt", "--answer", "answer"], "no column named 'promt'; did you mean 'prompt'?"),
        "half the columns": (["facts.csv", "--prompt", "prompt"], "--prompt and --answer belong together"),
        "no chat": (["facts.csv", "--messages", "prompt"], "chat records are lists of objects with 'role' and 'content'"),
        "two ways": (["facts.csv", "--messages", "a", "--facts", "born"], "give one of: --prompt with --answer, --messages, or --facts"),
        "sample 2/3": (["facts.csv", "--sample", "2/3"], "--sample takes 1/K, such as 1/100, got '2/3'"),
        "sample 0": (["facts.csv", "--sample", "1/0"], "--sample takes two whole numbers such as 1/100, got '1/0'"),
        "sample .1": (["facts.csv", "--sample", "0.1"], "--sample takes two whole numbers such as 1/100, got '0.1'"),
        "part 3/3": (["facts.csv", "--part", "3/3"], "a part has numbers from 0 to 2, got 3"),
        "sample and part": (["facts.csv", "--part", "0/3", "--sample", "1/3"], "give --sample or --part, not both"),
        "errors": (["facts.csv", "--errors", "0"], "--errors is at least 1"),
        "confidence": (["facts.csv", "--confidence", "1"], "--confidence lies strictly between 0 and 1, got 1.0"),
        "no confidence": (["facts.csv", "--confidence", "nan"], "--confidence lies strictly between 0 and 1, got nan"),
        "memory": (["facts.csv", "--memory", "10"], "--memory is at least 550 MB, got 10"),
        "examples": (["facts.csv", "--examples", "-1"], "--examples is at least 0, got -1"),
        "temp": (["facts.csv", "--temp", "nowhere"], "--temp 'nowhere' is no folder"),
        "master": (["facts.csv", "--master", "local"], "--master belongs to --engine spark"),
        "page nowhere": (["facts.csv", "--html", "nowhere/x.html"], "there is no folder 'nowhere' to write 'x.html' to"),
        "counts in a folder's place": (["facts.csv", "--counts", "nothing"], "'nothing' is a folder: give the name of a file to write"),
        "counts here": (["facts.csv", "--counts", "."], "'.' is a folder"),
        "over the data": (["facts.csv", "--list", "facts.csv"], "'facts.csv' is among the DATA and would be lost"),
        "two in one": (["facts.csv", "--list", "x.parquet", "--counts", "x.parquet"], "each need a file of their own"),
        "counts and data": (["counts.parquet", "facts.csv"], "'counts.parquet' holds fact counts, 'facts.csv' does not"),
        "list of counts": (["counts.parquet", "--list", "x.parquet"], "--list needs the data: fact counts do not hold the facts"),
        "columns of counts": (["counts.parquet", "--prompt", "a", "--answer", "b"], "--prompt needs the data"),
        "part of counts": (["counts.parquet", "--sample", "1/2"], "holds all prompts, not 1 of 2 parts"),
        "dialect": (["--print-sql", "oracle"], "no SQL dialect named 'oracle'; known: bigquery, duckdb, spark, trino."),
        "query and data": (["facts.csv", "--print-sql", "duckdb"], "--print-sql prints a query for columns of one table"),
        "query and page": (["--print-sql", "duckdb", "--html", "x.html"], "--print-sql prints a query for columns of one table"),
        "text alone": (["facts.csv", "--text", "prompt"], "--text names the column that --facts reads"),
        "giant line": (["giant.jsonl"], "a record is too long (16 MB of JSON"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def litter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of all that can be wrong with files."""
    folder, before = tmp_path_factory.mktemp("litter"), Path.cwd()
    os.chdir(folder)
    for name in ("facts.csv", "mixed/a.csv", "mixed/a.jsonl", "schemas/1.parquet"):
        write(name)
    write("schemas/2.parquet", answer="reply")
    write("other.csv", prompt="these", answer="those")
    write("noanswers.jsonl", [("a", ""), ("b", None)])
    pq.write_table(pa.table({"prompt": pa.array([], pa.string()), "answer": pa.array([], pa.string())}), "norows.parquet")
    for name, text in {
        "facts.xyz": "?",
        "empty.csv": "",
        "empty.jsonl": "",
        "header.csv": "prompt,answer\n",
        "five.jsonl": "5\n6\n",
        "trash.parquet": "hello",
    }.items():
        Path(name).write_text(text)
    with Path("giant.jsonl").open("w") as file:
        file.write('{"prompt": "' + "x y" * 17_000_000 + '", "answer": "1"}\n{"prompt": "a", "answer": "2"}\n')
    Path("nothing").mkdir()
    Path("unreadable.csv").symlink_to("/proc/self/mem")  # also root cannot read its beginning
    assert main(["floor", "facts.csv", "--counts", "counts.parquet"]) == 0
    os.chdir(before)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("case", bad())
def test_bad_input_is_one_clear_line_and_leaves_nothing(floor: Run, litter: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(litter)
    before = left()
    arguments, said = bad()[case]
    assert said in floor(*arguments).complaint
    assert left() == before
    assert (litter / "facts.csv").read_text().startswith('"prompt"')


def test_a_giant_prompt_is_counted_where_the_format_can_hold_it(floor: Run) -> None:
    write("giant.parquet", [("x y" * 17_000_000, "1"), ("a", "2")])
    assert floor("giant.parquet", "--json").value("prompts") == 2


def test_hostile_texts_and_names_do_no_harm(floor: Run) -> None:
    """Escapes for the terminal, HTML, and quotes that would end a name or a text in SQL."""
    name = f"'; DROP TABLE pairs; --{EVIL.replace('/', '')}.jsonl"
    column, other = f'"{EVIL}', "'); SELECT 1; --`"
    write(name, [(f"{EVIL} q", EVIL), (f"{EVIL} q", f"{EVIL} 2"), ("'\"`;--", "x")], prompt=column, answer=other)
    with Path(name).open("a") as file:
        file.write(f"{EVIL}\n")
    done = floor(name, "--prompt", column, "--answer", other, "--html", "floor.html", "--list", "once.parquet")
    assert (done.status, done.err) == (0, "")
    assert all(line.isprintable() for line in done.out.splitlines())
    assert "\\x1b[31mred" in done.out
    page = Path("floor.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert pq.read_table("once.parquet").to_pylist() == [{"prompt": "'\"`;--", "answer": "x"}]
    assert json.loads(floor(name, "--prompt", column, "--answer", other, "--json").out)["left_out"] == {"unreadable": 1}
    assert "\\x1b" in floor(name).complaint
    assert "\\x1b" in floor(name, "--prompt", f"x{EVIL}", "--answer", other).complaint
    assert "\\x1b" in floor(f"{EVIL}.csv").complaint


def test_a_file_name_with_the_signs_of_a_glob_is_that_file(floor: Run) -> None:
    write("[x]*.csv")
    write("x1.csv", [("other", "1")])
    assert floor("[x]*.csv", "--json").value("samples") == 8


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_a_full_disk_while_spilling_is_one_line_and_leaves_nothing(big: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spill").mkdir()
    done = subprocess.run(
        command(big, "--memory", "550", "--temp", "spill", "--counts", "counts.parquet", "--list", "once.parquet"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000)),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = Done(done.returncode, done.stdout, done.stderr).complaint
    assert "not enough room" in said
    assert "give more --memory, or a --temp folder with more space" in said
    assert left("spill") == set()
    assert list(Path("spill").iterdir()) == []


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.4, 1.0])
def test_ctrl_c_leaves_nothing_partial(seconds: float, big: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spill").mkdir()
    wanted = ("--counts", "counts.parquet", "--list", "once.parquet", "--html", "floor.html")
    running = subprocess.Popen(
        command(big, "--temp", "spill", *wanted),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,
    )
    while not any(Path("spill").iterdir()):  # it counts: DuckDB has its folder
        assert running.poll() is None
        time.sleep(0.02)
    time.sleep(seconds)  # while it reads, while it groups
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (err, out) == ("wager: stopped; no result was written; nothing partial is left\n", "")
    assert running.returncode in {130, -signal.SIGINT}  # Python ends by the signal if it came inside of exec(); a shell sees 130 both times
    assert left("spill") == set()
    assert list(Path("spill").iterdir()) == []


def test_without_java_spark_says_what_to_install(floor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write("facts.csv")
    monkeypatch.setenv("PATH", str(Path("nowhere").absolute()))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "Spark needs Java 17 or newer and there is no 'java' here: install a JDK" in floor("facts.csv", "--engine", "spark").complaint


def test_a_dead_cluster_is_one_line(floor: Run) -> None:
    write("facts.csv")
    if shutil.which("java") is None:
        pytest.skip("without Java this says so first")
    assert (
        "no Spark master answers at 'spark://127.0.0.1:1'"
        in floor("facts.csv", "--engine", "spark", "--master", "spark://127.0.0.1:1").complaint
    )
    assert "--master takes spark://HOST:PORT" in floor("facts.csv", "--engine", "spark", "--master", "spark://nowhere").complaint
