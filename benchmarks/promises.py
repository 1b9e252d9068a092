"""Is the promise kept on answers that were not seen? Half of the items certify a threshold, the other half are answered under it.

    python benchmarks/promises.py ANSWERS --source logprob --risk 0.2 [--splits 500] [--map OURS=THEIRS,...]

Every model in the file gets a line. A split keeps its promise if the wrong share of the other half is at most the risk. That half has
chance errors of its own, so the mean over the splits is what to look at.
"""

from __future__ import annotations

import argparse

import numpy as np

from wager.cli.arguments import named_columns
from wager.importers import read_answers
from wager.policy.answers import given_answers
from wager.policy.choosing import judged
from wager.policy.risk_table import risk_table
from wager.policy.thresholds import certify_risk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--source")
    parser.add_argument("--risk", type=float, default=0.2)
    parser.add_argument("--delta", type=float, default=0.1)
    parser.add_argument("--splits", type=int, default=500)
    parser.add_argument("--map", dest="mapping", action="append", default=[])
    options = parser.parse_args()
    table = read_answers(options.paths, mapping=named_columns("--map", options.mapping)).table
    models = table.texts("model")
    print(f"at most {options.risk:.0%} of the given answers wrong, with probability {1 - options.delta:.0%}; {options.splits} splits")
    print(f"{'':42} {'ECE':>6} {'after':>6} {'log loss':>8} {'after':>6}  certified  coverage  wrong of answered  mean  above the promise")
    for model in dict.fromkeys(models.tolist()):
        given = given_answers(table.select(models == model), options.source)
        quality = judged(given.confidence, given.correct, clusters=given.items)
        rng, rows = np.random.default_rng(0), []
        for _ in range(options.splits):
            half = rng.permutation(given.items.max() + 1)[given.items] % 2 == 0
            made = certify_risk(
                risk_table(given.confidence[half], given.correct[half], clusters=given.items[half]), options.risk, options.delta
            )
            above = given.confidence[~half] > (1.0 if made.threshold is None else made.threshold)
            wrong = (given.correct[~half][above] < 0.5).sum()
            rows.append((made.threshold is not None, above.mean(), wrong, above.sum(), wrong > options.risk * above.sum()))
        certified, coverage, wrong, answered, broken = np.array(rows, dtype=float).T
        risk = wrong.sum() / answered.sum() if answered.sum() else float("nan")
        before, after = quality.before, quality.after
        print(
            f"{model[:42]:42} {before['ece'].value:6.3f} {after['ece'].value:6.3f} {before['log_loss'].value:8.3f} "
            f"{after['log_loss'].value:6.3f} {certified.mean():10.1%} {coverage.mean():9.3f} {risk:24.3f} {broken.mean():19.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
