"""Speed of the metrics at a million answers, beside the fastest package for each, in one process.

    python benchmarks/metrics.py [--n 1000000] [--repeats 7]

Each figure is the median of the repeats, the two sides taken in turn. The limit is memory: a million confidences and verdicts are 16 MB,
and sorting them reads and writes that about 5 times. Needs the extra `dev`.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

from wager.metrics import calibration, selective
from wager.metrics.cells import cells_of
from wager.metrics.confidence import confidence_of
from wager.metrics.corp import best_score, corp, recalibrated, score_above
from wager.metrics.discrimination import auroc_of
from wager.metrics.smooth import smooth_ece

GRID = np.arange(100) / 100


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--n", type=int, default=10**6)
    options.add_argument("--repeats", type=int, default=7)
    asked = options.parse_args()
    n, repeats = asked.n, asked.repeats
    rng = np.random.default_rng(0)
    sure = rng.beta(2, 1.2, n)
    right = (rng.random(n) < sure**1.3).astype(np.float64)
    warnings.simplefilter("ignore")
    from model_diagnostics.scoring import SquaredError, decompose
    from relplot import smECE
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss, roc_auc_score

    def areas() -> None:
        cells = cells_of(right, sure)
        auroc_of(cells, right, sure)
        selective.aurc(cells)

    def curves() -> None:
        cells = cells_of(right, sure)
        fitted = recalibrated(cells.n, cells.right)
        corp(cells, fitted)
        best_score(cells, GRID, fitted) - score_above(cells, GRID)

    def plain_areas() -> None:
        roc_auc_score(right, sure)
        order = np.argsort(-sure)
        (np.cumsum(1 - right[order]) / np.arange(1, n + 1)).mean()

    print(f"{n:,} answers, medians of {repeats}; ratio = the other / ours")
    print(f"{'':44}{'ours ms':>10}{'bar ms':>10}{'other ms':>10}{'ratio':>8}")
    rows: list[tuple[str, Callable[[], object], str, float | None, Callable[[], object] | None, str]] = [
        ("ECE, 10 bins", lambda: calibration.ece(right, sure, bins=calibration.EqualWidth(10)), "10", 10,
         lambda: calibration_curve(right, sure, n_bins=10), "sklearn.calibration_curve"),
        ("Brier", lambda: calibration.brier(right, sure), "", None, lambda: brier_score_loss(right, sure), "sklearn"),
        ("AUROC with DeLong + AURC", areas, "80", 80, plain_areas, "sklearn AUROC (no interval) + numpy AURC (no ties)"),
        ("t-curve + CORP + regret at 100 t", curves, "500", 500,
         lambda: decompose(right, sure, scoring_function=SquaredError()), "model-diagnostics, CORP only"),
        ("smooth ECE", lambda: smooth_ece(cells_of(right, sure)), "", None, lambda: smECE(sure, right), "relplot"),
        ("all, with 1,000 resamples", lambda: confidence_of("stated", right, sure, [0, 0.5, 0.9], GRID.tolist()), "", 5000, None, ""),
    ]  # fmt: skip
    for name, ours, _, bar, theirs, whose in rows:
        mine, other = timed(ours, theirs, repeats if bar != 5000 else max(3, repeats // 2))
        ratio = "" if other is None else f"{other / mine:.1f}"
        shown = "" if other is None else f"{1000 * other:.1f}"
        print(f"{name:44}{1000 * mine:>10.1f}{bar or '':>10}{shown:>10}{ratio:>8}  {whose}")
    small = slice(0, 10**5)
    mine, _ = timed(lambda: confidence_of("stated", right[small], sure[small], [0, 0.5, 0.9], GRID.tolist()), None, 5)
    print(f"{'all, with 1,000 resamples, 100,000 answers':44}{1000 * mine:>10.1f}{1000:>10}")
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
