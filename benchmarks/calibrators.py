"""Speed of the calibrators at a million answers, beside scikit-learn and venn-abers, in one process.

    python benchmarks/calibrators.py [--n 1000000] [--repeats 5]

Each figure is the median of the repeats, the two sides taken in turn; sorting is part of both. `venn-abers` needs minutes for a million
answers and is compared on 20,000. The bar is for all fits together, with the certified thresholds: 5 s on two cores. Needs the extra `dev`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

from wager.metrics.cells import cells_of
from wager.policy.calibration import calibrate
from wager.policy.calibrators import KINDS, calibrator_of
from wager.policy.choosing import choose
from wager.policy.combining import Combination
from wager.policy.drift import check

SMALL = 20_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--n", type=int, default=10**6)
    options.add_argument("--repeats", type=int, default=5)
    asked = options.parse_args()
    n, repeats = asked.n, asked.repeats
    rng = np.random.default_rng(0)
    sure = rng.beta(2, 1.2, n)
    right = (rng.random(n) < sure**1.3).astype(np.float64)
    stated = np.round(sure, 1)
    logit = np.log(sure / (1 - sure))
    warnings.simplefilter("ignore")
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression
    from venn_abers import VennAbers

    def plain(columns: np.ndarray) -> Callable[[], object]:
        return lambda: LogisticRegression(C=np.inf, tol=1e-8).fit(columns, right)

    def slow_venn_abers() -> None:
        p = sure[:SMALL]
        VennAbers().fit(np.column_stack([1 - p, p]), right[:SMALL].astype(int))

    def every() -> None:
        cells, levels = cells_of(right, sure), cells_of(right, stated)
        for kind in KINDS:
            calibrator_of(kind).fit_cells(levels if kind == "categorical" else cells)

    def plain_isotonic() -> None:
        IsotonicRegression(out_of_bounds="clip").fit(sure, right)

    def our_venn_abers() -> None:
        calibrator_of("venn_abers").fit(sure[:SMALL], right[:SMALL])

    ends = np.column_stack([np.log(sure), -np.log1p(-sure)])
    made = calibrate(sure, right, source="stated", model="m", tasks=["t"], kind="platt")
    rows: list[tuple[str, Callable[[], object], Callable[[], object] | None, str]] = [
        ("temperature", lambda: calibrator_of("temperature").fit(sure, right), None, ""),
        ("platt", lambda: calibrator_of("platt").fit(sure, right), plain(logit[:, None]), "scikit-learn, no penalty"),
        ("beta", lambda: calibrator_of("beta").fit(sure, right), plain(ends), "scikit-learn, unbounded"),
        ("isotonic", lambda: calibrator_of("isotonic").fit(sure, right), plain_isotonic, "scikit-learn"),
        ("categorical, 11 levels", lambda: calibrator_of("categorical").fit(stated, right), None, ""),
        ("Venn-Abers", lambda: calibrator_of("venn_abers").fit(sure, right), None, ""),
        (f"Venn-Abers, {SMALL:,} answers", our_venn_abers, slow_venn_abers, "venn-abers"),
        ("all six, sorted once", every, None, ""),
        ("choice by 5-fold log loss", lambda: choose(sure, right), None, ""),
        ("calibrate: choice, fit, before and after", lambda: calibrate(sure, right, source="stated", model="m", tasks=["t"]), None, ""),
        ("combination of two sources", lambda: Combination().fit({"stated": stated, "logprob": sure}, right), None, ""),
        ("drift check", lambda: check(made, sure, right), None, ""),
    ]  # fmt: skip
    print(f"{n:,} answers, medians of {repeats}; ratio = the other / ours")
    print(f"{'':44}{'ours ms':>10}{'other ms':>10}{'ratio':>8}")
    for name, ours, theirs, whose in rows:
        mine, other = timed(ours, theirs, repeats)
        ratio = "" if other is None else f"{other / mine:.1f}"
        shown = "" if other is None else f"{1000 * other:.1f}"
        print(f"{name:44}{1000 * mine:>10.1f}{shown:>10}{ratio:>8}  {whose}")
    sizes = {kind: len(json.dumps(calibrator_of(kind).fit(stated if kind == "categorical" else sure, right).to_dict())) for kind in KINDS}
    print(f"written as JSON, bytes: {', '.join(f'{kind} {size:,}' for kind, size in sizes.items())}")
    for kind in KINDS:
        one = calibrator_of(kind).fit(stated if kind == "categorical" else sure, right)
        mine, _ = timed(lambda one=one: [one.at(0.7) for _ in range(1000)], None, repeats)
        print(f"{'one answer, ' + kind:44}{1000 * mine:>10.1f} µs")
    print(f"peak memory of this process, packages included: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def timed(ours: Callable[[], object], theirs: Callable[[], object] | None, repeats: int) -> tuple[float, float | None]:
    """Medians in seconds, after one call of each that is not counted."""
    spent: list[list[float]] = [[], []]
    for number in range(repeats + 1):
        for which, act in enumerate((ours, theirs)):
            if act is None:
                continue
            start = time.perf_counter()
            act()
            if number:
                spent[which].append(time.perf_counter() - start)
    return statistics.median(spent[0]), statistics.median(spent[1]) if spent[1] else None


if __name__ == "__main__":
    main()
