"""What counting facts costs: `wager floor` beside the same question put to other engines by hand, in one run.

Usage: python benchmarks/corpus.py [--rows 1e6 1e7] [--also spark polars sort] [--memory 1000] [--jsonl]

Each runs in a process of its own (its whole tree is watched): CPU seconds, wall seconds, peak memory, microseconds of CPU for each row,
and CPU as a multiple of wager's. All must find the same singletons, but for those that do not recognise "I don't know" or know no Unicode,
which say so. The limit is reading the bytes: the first line. The corpus is made by benchmarks/synthetic_corpus.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from synthetic_corpus import write

READ = """
import sys, duckdb
duckdb.execute("SET threads = 2; SET enable_progress_bar = false")
print(duckdb.sql(f"SELECT sum(strlen(prompt)) + sum(strlen(answer)) FROM '{sys.argv[1]}'").fetchall()[0][0], "bytes")
"""

BY_HAND = r"""
import sys, duckdb
duckdb.execute(f"SET threads = 2; SET memory_limit = '{sys.argv[2]}MB'; SET preserve_insertion_order = false")
duckdb.execute("SET enable_progress_bar = false")
words = r"trim(regexp_replace(lower(COLUMN), '[^\p{L}\p{M}\p{N}]+', ' ', 'g'))"
print(duckdb.sql(
    f"WITH spelt AS (SELECT prompt, answer, count(*) AS n FROM '{sys.argv[1]}' GROUP BY ALL), "
    f"worded AS (SELECT hash({words.replace('COLUMN', 'prompt')}) AS p, {words.replace('COLUMN', 'answer')} AS a, n FROM spelt), "
    "keyed AS (SELECT p, hash(a) AS a, n, a IN ('i don t know', 'i m not sure', 'unknown') AS idk FROM worded), "
    "prompts AS (SELECT p, coalesce(sum(n) FILTER (NOT idk), 0) AS k, min(a) FILTER (NOT idk) <> max(a) FILTER (NOT idk) AS several "
    "FROM keyed GROUP BY p), counts AS (SELECT k, count(*) AS prompts, sum(several::INT) AS several FROM prompts GROUP BY k) "
    "SELECT prompts FROM counts WHERE k = 1"
).fetchall()[0][0])
"""

WAGER = """
import json, sys
from wager.cli import main
main(["floor", sys.argv[1], *json.loads(sys.argv[2]), "--json"])
"""

SORT = (
    "cut -f1 {path} | tr 'A-Z' 'a-z' | sed 's/[^a-z0-9]\\+/ /g' | LC_ALL=C sort -S 500M --parallel=2 | uniq -c "
    "| awk '$1 == 1 {{ n++ }} END {{ print n }}'"
)


def watched(command: list[str] | str) -> tuple[float, float, float, str]:
    """CPU seconds and wall seconds of a process tree, its peak memory in GB, and what it printed."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:  # a pipe that nobody reads would stop the process
        start = time.perf_counter()
        process = psutil.Popen(command, stdout=output, stderr=subprocess.DEVNULL, text=True, shell=isinstance(command, str))
        cpu, peak = _until_it_ends(process)
        wall = time.perf_counter() - start
        output.seek(0)
        return cpu, wall, peak / 1e9, output.read().strip()


def _until_it_ends(process: psutil.Popen) -> tuple[float, int]:
    seconds: dict[int, float] = {}
    peak = 0
    while process.poll() is None:
        memory = 0
        for one in [process, *_children(process)]:
            try:
                times = one.cpu_times()
                seconds[one.pid] = max(seconds.get(one.pid, 0.0), times.user + times.system)
                memory += one.memory_info().rss
            except psutil.Error:
                continue
        peak = max(peak, memory)
        time.sleep(0.02)
    return sum(seconds.values()), peak


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def found(printed: str) -> str:
    """The singletons, however they were printed."""
    if "{" in printed[:1]:
        quantities = json.loads(printed)["quantities"]
        return f"{next(one['value'] for one in quantities if one['key'] == 'singletons'):,.0f}"
    return f"{int(printed):,}" if printed.isdigit() else printed[:60] or "failed"


def main() -> None:
    """Makes the corpora, runs the engines, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--also", nargs="*", default=["hand", "polars", "sort", "spark"])
    parser.add_argument("--memory", type=int, default=1000)
    parser.add_argument("--jsonl", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for rows in options.rows:
            path = Path(folder) / f"corpus.{'jsonl' if options.jsonl else 'parquet'}"
            write(path, int(rows))
            compare(path, int(rows), options)


def compare(path: Path, rows: int, options: argparse.Namespace) -> None:
    """One table for one corpus."""
    python = [sys.executable, "-c"]
    memory = str(options.memory)
    jobs: dict[str, list[str] | str] = {
        "read the bytes (DuckDB)": [*python, READ, str(path)],
        "wager floor": [*python, WAGER, str(path), json.dumps(["--memory", memory])],
        "wager floor --examples 0": [*python, WAGER, str(path), json.dumps(["--memory", memory, "--examples", "0"])],
    }
    if "hand" in options.also:
        jobs["DuckDB by hand"] = [*python, BY_HAND, str(path), memory]
    if "polars" in options.also:
        jobs["wager floor --engine polars"] = [*python, WAGER, str(path), json.dumps(["--engine", "polars", "--examples", "0"])]
    if "spark" in options.also:
        jobs["wager floor --engine spark"] = [
            *python,
            WAGER,
            str(path),
            json.dumps(["--engine", "spark", "--master", "local[2]", "--examples", "0"]),
        ]
    if "sort" in options.also and not options.jsonl:
        text = path.with_suffix(".tsv")
        subprocess.run(
            [*python, f"import duckdb; duckdb.sql(\"COPY (FROM '{path}') TO '{text}' (DELIMITER '\\t', HEADER false, QUOTE '')\")"],
            check=True,
        )
        jobs["tr | sed | sort | uniq -c *"] = SORT.format(path=text)
    print(f"\n{rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB of {path.suffix[1:]}, memory limit {memory} MB")
    print(f"{'':32}{'CPU s':>8}{'wall s':>8}{'GB':>6}{'us/row':>8}{'x wager':>9}  singletons")
    ours = None
    for name, command in jobs.items():
        cpu, wall, peak, printed = watched(command)
        ours = cpu if name == "wager floor" else ours
        ratio = f"{cpu / ours:9.2f}" if ours else f"{'':9}"
        print(f"{name:32}{cpu:8.1f}{wall:8.1f}{peak:6.2f}{cpu / rows * 1e6:8.2f}{ratio}  {found(printed)}", flush=True)
    print("* ASCII only, no answers: no contradictions and no abstentions" if "sort" in options.also else "")


if __name__ == "__main__":
    main()
