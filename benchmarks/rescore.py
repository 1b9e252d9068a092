"""The whole command on 238,947 real answers of 20 models, from its start to the end of its JSON, beside what people write by hand.

    python benchmarks/rescore.py [--repeats 5]

By hand is a pandas script that gives each model's accuracy and its score at four targets, without intervals, ranks or paired
differences. Needs the test data (WAGER_TEST_DATA) and the extra `dev`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

DATA = Path(os.environ.get("WAGER_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
FILE = DATA / "mmlu_pro" / "answers_20_models.parquet"
BY_HAND = """
import sys, pandas as pd
t = pd.read_parquet(sys.argv[1])
t["right"] = (t.answer == t.prediction).astype(float)
t.loc[t.prediction.isna(), "right"] = float("nan")
a = t.groupby("model").right.mean()
print(pd.DataFrame({x: a - (1 - a) * x / (1 - x) for x in (0, .5, .75, .9)}).to_json())
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=int, default=5)
    repeats = options.parse_args().repeats
    mapping = "item=question_id,reference=answer,answer=prediction"
    ours = [sys.executable, "-m", "wager.cli", "score", str(FILE), "--map", mapping, "--by", "model", "--json"]
    theirs = [sys.executable, "-c", BY_HAND, str(FILE)]
    spent: list[list[float]] = [[], []]
    for _ in range(repeats):
        for which, command in enumerate((ours, theirs)):
            start = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            spent[which].append(time.perf_counter() - start)
            found = json.loads(done.stdout)
            if which == 0:
                groups, pairs = len(found["groups"]), len(found["pairs"])
    mine, other = (statistics.median(one) for one in spent)
    print(f"{groups} groups with intervals and ranks, {pairs} paired differences; medians of {repeats}")
    print(f"wager score    {mine:5.2f} s   (bar 3 s; {min(spent[0]):.2f} to {max(spent[0]):.2f})")
    print(f"pandas by hand {other:5.2f} s   point values only; ratio {mine / other:.2f}")


if __name__ == "__main__":
    main()
