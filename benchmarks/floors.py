"""The floor of real data: singleton rate, bounds and contradictions, one line each.

Usage: python benchmarks/floors.py [--data FOLDER]

The folder holds the public data sets of the tests. The legislators' birthdays (day and month, so 365 wrong ones) are also repeated by
Zipf's law: 100,000 samples, each legislator in a random place of the law.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wager.corpus.counted import Counted
from wager.corpus.duck import DuckDB
from wager.corpus.reading import files_of, shape_of
from wager.facts import Part
from wager.theory.floor import floor_of
from wager.theory.results import Bound

SAMPLES = 100_000


def main() -> None:
    """Counts each data set and prints its line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WAGER_TEST_DATA", "../shared/data")))
    data: Path = parser.parse_args().data
    print(f"{'':34}{'N':>9}{'prompts':>9}{'sr':>8}{'raw':>8}{'at least':>29}{'at most':>9}{'several answers':>17}")
    with tempfile.TemporaryDirectory() as folder:
        facts = sorted(map(str, (data / "facts").glob("*.jsonl")))
        line("GSM8K", [data / "qa/gsm8k_test.jsonl"])
        line("NQ-open", [data / "qa/nq_open_dev.jsonl"])
        for path in facts:
            line(f"ParaRel {Path(path).stem.split('_')[1]}", [path], prompt="sub_label", answer="obj_label")
        line("legislators, as they are", [birthdays(data, Path(folder), None)], errors=365)
        for exponent in (0.5, 1.0, 1.5):
            line(f"legislators, Zipf {exponent:g}", [birthdays(data, Path(folder), exponent)], errors=365)


def birthdays(data: Path, folder: Path, exponent: float | None) -> Path:
    """A CSV of questions and days of the year."""
    with (data / "birthdays/us_legislators.csv").open(encoding="utf-8", newline="") as file:
        people = [(row["name"], row["birthday"][5:]) for row in csv.DictReader(file)]
    rng = np.random.default_rng(0)
    chosen: Iterator[int] | np.ndarray = np.arange(len(people))
    if exponent is not None:
        weights = 1 / np.arange(1, len(people) + 1) ** exponent
        chosen = rng.permutation(len(people))[rng.choice(len(people), SAMPLES, p=weights / weights.sum())]
    path = folder / f"legislators-{exponent}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("question", "answer"))
        writer.writerows((f"When was {people[one][0]} born?", people[one][1]) for one in chosen)
    return path


def line(name: str, paths: list[Path | str], *, errors: int | None = None, **columns: str) -> None:
    """One data set."""
    engine = DuckDB()
    files = files_of([str(path) for path in paths])
    counted: Counted = engine.count(files, shape_of(engine.columns(files), **columns), part=Part(), examples=0)
    floor = floor_of(counted.counts, errors=errors)
    at = {one.key: one.value for one in floor.quantities}
    print(
        f"{name:34}{at['samples']:9,.0f}{at['prompts']:9,.0f}{at['singleton_rate']:8.4f}{at['singleton_rate_raw']:8.4f}"
        f"{told(floor.lower):>29}{told(floor.upper):>9}{at['contradicted']:17,.0f}",
        flush=True,
    )


def told(bound: Bound) -> str:
    """Its value, or that it says nothing."""
    if bound.value is None:
        return "unknown"
    if not bound.vacuous:
        return f"{bound.value:.4f}"
    return f"vacuous (N {bound.not_vacuous_from:,})" if bound.not_vacuous_from else "vacuous"


if __name__ == "__main__":
    main()
