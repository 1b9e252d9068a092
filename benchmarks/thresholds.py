"""Certified thresholds against other ways to find one: how much may be answered, and how often the promise is broken.

    python benchmarks/thresholds.py [--draws 200] [--answers 1000]

The promise: at most 10 % of the answers given are wrong, with probability at least 0.9. Each draw grades 1,000 new answers of a known law,
certifies a threshold on them, and looks up the true risk above it. MAPIE is compared where it is installed.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable

import numpy as np
from scipy.stats import beta, binom

from wager.policy.risk_table import risk_table
from wager.policy.thresholds import certify_joint, certify_risk, certify_target

RISK = DELTA = 0.1
GRID = np.arange(99, -1, -1) / 100
Floats = np.ndarray
Law = Callable[[np.random.Generator, int], tuple[Floats, Floats]]


def calibrated(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    p = rng.beta(2, 1.2, n)
    return p, rng.random(n) < p


def verbalised(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    levels, right = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0]), np.array([0.35, 0.45, 0.55, 0.68, 0.8, 0.9, 0.96])
    said = rng.choice(7, n, p=[0.08, 0.08, 0.12, 0.22, 0.25, 0.15, 0.10])
    return levels[said], rng.random(n) < right[said]


def overconfident(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    p = rng.beta(2, 1.2, n)
    said = 1 / (1 + np.exp(-(2 * np.log(p / (1 - p)) + 2 + rng.normal(0, 0.3, n))))
    return said, rng.random(n) < p


def rarely_right(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    p = rng.beta(0.6, 1.0, n)
    return p, rng.random(n) < p


def up_and_down(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    s = rng.random(n)
    return s, rng.random(n) < np.where(s > 0.93, 0.97, np.where(s > 0.85, 0.75, np.where(s > 0.5, 0.93, 0.6)))


def bad_top(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """The surest fiftieth is wrong in 30 %: an overconfident top over a good middle."""
    s = rng.random(n)
    return s, rng.random(n) < np.where(s > 0.98, 0.7, np.where(s > 0.5, 0.96, 0.6))


def tied_and_barely_bad(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Two large ties with risks 0.059 and just above 0.1: the worst that a search over tied laws found."""
    said = rng.choice(3, n, p=[0.058, 0.941, 0.001])
    return np.array([0.9, 0.6, 0.2])[said], rng.random(n) >= np.array([0.059, 0.103, 0.9])[said]


def flat(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """The confidence says nothing, and 11 % are wrong at every threshold: whatever is certified breaks the promise."""
    return rng.random(n), rng.random(n) < 0.89


def ours(sure: Floats, right: Floats) -> float | None:
    return certify_risk(risk_table(sure, right), RISK, DELTA).threshold


def plain(sure: Floats, right: Floats) -> float | None:
    """The exact fixed sequence over 0.99, 0.98, ..., from the first threshold with three times the fewest answers on."""
    n = np.array([(sure > t).sum() for t in GRID])
    wrong = np.array([((sure > t) & ~right).sum() for t in GRID])
    start = int(np.argmax(n >= 3 * math.log(DELTA) / math.log(1 - RISK)))
    passed = binom.cdf(wrong, np.maximum(n, 1), RISK)[start:] <= DELTA
    count = len(passed) if passed.all() else int(np.argmin(passed))
    return float(GRID[start + count - 1]) if count else None


def sgr(sure: Floats, right: Floats) -> float | None:
    """Geifman and El-Yaniv (2017): bisection over order statistics, each bound at delta / ceil(log2 n)."""
    order = np.sort(sure)
    low, high, found = 0, len(sure) - 1, None
    share = DELTA / math.ceil(math.log2(len(sure)))
    for _ in range(math.ceil(math.log2(len(sure)))):
        middle = (low + high + 1) // 2
        kept = sure >= order[middle]
        n, wrong = int(kept.sum()), int((kept & ~right).sum())
        if (beta.ppf(1 - share, wrong + 1, n - wrong) if wrong < n else 1.0) < RISK:
            found, high = float(np.nextafter(order[middle], -1)), middle
        else:
            low = middle
    return found


def best_looking(sure: Floats, right: Floats) -> float | None:
    """Not valid: the lowest threshold whose own bound looks good, chosen by what is right."""
    for t in GRID[::-1]:
        n, wrong = int((sure > t).sum()), int(((sure > t) & ~right).sum())
        if n and wrong < n and beta.ppf(1 - DELTA, wrong + 1, n - wrong) <= RISK:
            return float(t)
    return None


def mapie(method: str) -> Callable[[Floats, Floats], float | None]:
    from mapie.risk_control import BinaryClassificationController

    def found(sure: Floats, right: Floats) -> float | None:
        counts = np.array([(sure > t).sum() for t in GRID])
        enough = GRID[counts >= 3 * math.log(DELTA) / math.log(1 - RISK)] if method == "fixed_sequence" else GRID
        controller = BinaryClassificationController(
            lambda x: np.column_stack([1 - x[:, 0], x[:, 0]]),
            "precision",
            1 - RISK,
            confidence_level=1 - DELTA,
            list_predict_params=enough,
            fwer_method=method,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            controller.calibrate(sure[:, None], right.astype(int))
        valid = np.asarray(controller.valid_predict_params)
        return float(np.nextafter(valid.min(), -1)) if len(valid) else None

    return found


def methods() -> dict[str, Callable[[Floats, Floats], float | None]]:
    chosen: dict[str, Callable[[Floats, Floats], float | None]] = {
        "wager": ours,
        "exact fixed sequence, start 3 n_min": plain,
        "SGR": sgr,
        "lowest bound that looks good (invalid)": best_looking,
    }
    try:
        chosen["MAPIE, Bonferroni-Holm"] = mapie("bonferroni_holm")
        chosen["MAPIE, fixed sequence, start 3 n_min"] = mapie("fixed_sequence")
    except ImportError:
        print("MAPIE is not installed: python -m pip install 'mapie>=1.6'")
    return chosen


def truth(law: Law) -> Callable[[float], tuple[float, float]]:
    """Coverage and risk above a threshold, from a million answers."""
    sure, right = law(np.random.default_rng(99), 1_000_000)
    order = np.argsort(-sure)
    falling, wrong = -sure[order], np.cumsum(~right[order])

    def at(threshold: float) -> tuple[float, float]:
        n = int(np.searchsorted(falling, -threshold, side="left"))
        return n / len(sure), float(wrong[n - 1] / n) if n else 0.0

    return at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--answers", type=int, default=1000)
    known = (calibrated, verbalised, overconfident, rarely_right, up_and_down, bad_top, tied_and_barely_bad, flat)
    laws = {law.__name__: law for law in known}
    parser.add_argument("--laws", nargs="+", choices=list(laws), default=list(laws))
    options = parser.parse_args()
    chosen = methods()
    for law in map(laws.__getitem__, options.laws):
        at = truth(law)
        oracle = max([at(t)[0] for t in np.arange(0, 1, 0.001) if at(t)[1] <= RISK], default=0.0)
        print(f"\n{law.__name__.replace('_', ' ')}: {options.draws} draws of {options.answers} answers, oracle coverage {oracle:.3f}")
        print(f"{'':40} certified  mean coverage  P(true risk > {RISK:g})")
        for name, method in chosen.items():
            rng = np.random.default_rng(0)
            rows = []
            for _ in range(options.draws):
                threshold = method(*law(rng, options.answers))
                rows.append((False, 0.0, False) if threshold is None else (True, at(threshold)[0], at(threshold)[1] > RISK))
            share, coverage, broken = np.mean(rows, axis=0)
            print(f"{name:40} {share:9.1%}  {coverage:13.3f}  {broken:18.3f}", flush=True)
    rng = np.random.default_rng(0)
    sure, right = calibrated(rng, 1_000_000)
    started = time.perf_counter()
    table = risk_table(sure, right)
    certify_risk(table, RISK, DELTA), certify_target(table, 0.75, DELTA), certify_joint(table, 0.05)
    print(
        f"\n1,000,000 answers: table and all three certificates in {time.perf_counter() - started:.2f} s; {len(table.n):,} thresholds kept"
    )


if __name__ == "__main__":
    main()
