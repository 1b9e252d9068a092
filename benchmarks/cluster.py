"""How counting facts on Spark grows: bytes read, shuffled and kept, and core-seconds, measured on this machine and multiplied out.

Usage: python benchmarks/cluster.py [--rows 1e6 1e7] [--to 1e9 1e12]

Spark runs as local[2]; its own counters are asked over its REST interface. The projection is the slope between the last two corpora
times the rows. It assumes that a row costs the same at every size and that as many prompts are new: with natural text fewer are, so it
is high.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from corpus import watched
from synthetic_corpus import write

RUN = """
import json, sys, tempfile, urllib.request
from pathlib import Path
from wager.corpus.reading import files_of, shape_of
from wager.corpus.spark import Spark
from wager.facts import Part
engine = Spark(master="local[2]", settings={"spark.ui.enabled": "true"})
files = files_of([sys.argv[1]])
counts = engine.count(files, shape_of(engine.columns(files)), part=Part(), examples=0).counts
context = engine._session.sparkContext
base = f"{context.uiWebUrl}/api/v1/applications/{context.applicationId}"
stages = json.load(urllib.request.urlopen(base + "/stages"))
with tempfile.TemporaryDirectory() as folder:
    counts.write(Path(folder) / "counts.parquet")
    kept = (Path(folder) / "counts.parquet").stat().st_size
print(json.dumps({
    "read": sum(one["inputBytes"] for one in stages if one["shuffleWriteBytes"] and one["inputBytes"]),
    "shuffled": sum(one["shuffleWriteBytes"] for one in stages),
    "kept": kept,
    "prompts": counts.prompts(),
    "lines": counts.table.num_rows,
}))
"""


@dataclass(frozen=True)
class Cost:
    """What one corpus cost."""

    rows: int
    """Samples."""
    cpu: float
    """Core-seconds of the whole process tree."""
    read: float
    """Bytes of Parquet."""
    shuffled: float
    """Bytes written for the shuffle."""
    kept: float
    """Bytes of the fact counts."""


def main() -> None:
    """Measures, prints, projects."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--to", type=float, nargs="+", default=[1e9, 1e12])
    options = parser.parse_args()
    print(f"{'rows':>16}{'core-s':>12}{'read':>12}{'shuffled':>12}{'kept':>12}")
    costs = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for rows in options.rows:
            path = Path(folder) / f"{rows:.0f}.parquet"
            write(path, int(rows))
            cpu, _, _, printed = watched([sys.executable, "-c", RUN, str(path)])
            told = json.loads(printed.splitlines()[-1])
            cost = Cost(int(rows), cpu, path.stat().st_size, told["shuffled"], told["kept"])
            costs.append(cost)
            show(cost)
    small, large = costs[-2:]
    print("projected: the slope between the last two, times the rows")
    for rows in options.to:
        slope = {name: (getattr(large, name) - getattr(small, name)) / (large.rows - small.rows) for name in ("cpu", "read", "shuffled")}
        projected = Cost(int(rows), *(getattr(large, name) + slope[name] * (rows - large.rows) for name in slope), float("nan"))
        show(projected)
        print(f"{'':16}{projected.cpu / 3600:12,.1f} core-hours")


def show(cost: Cost) -> None:
    """One line."""
    kept = "-" if cost.kept != cost.kept else size(cost.kept)
    print(f"{cost.rows:16,}{cost.cpu:12,.0f}{size(cost.read):>12}{size(cost.shuffled):>12}{kept:>12}", flush=True)


def size(count: float) -> str:
    """Bytes with a unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


if __name__ == "__main__":
    subprocess.run(["java", "-version"], check=True, stderr=subprocess.DEVNULL)
    main()
