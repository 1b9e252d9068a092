"""Time of one decision, text included, for each kind of calibrator.

    python benchmarks/decide.py [--n 20000]

Each row is the median and the 99th percentile over n decisions on confidences drawn at random, so that all acts occur. The bar is
50 microseconds per decision: nothing beside the milliseconds of the model call that it follows. Putting an answer into words reads it,
so that time grows with its length.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace

import numpy as np

from wager.policy.calibration import Calibration, calibrate
from wager.policy.calibrators import KINDS
from wager.policy.decide import Decider
from wager.policy.policy import Policy, Rule

BAR = 50
SHORT = "Antananarivo"
TARGETS = (0.0, 0.5, 0.75, 0.9)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--n", type=int, default=20_000)
    n = options.parse_args().n
    rng = np.random.default_rng(0)
    graded = rng.beta(2, 1.2, 2000)
    levels = np.round(graded, 1)
    right = (rng.random(2000) < graded**1.3).astype(np.float64)
    asked = rng.beta(2, 1.2, n)
    print(f"{n:,} decisions for each row, microseconds; the bar is {BAR}")
    print(f"{'calibrator':<28}{'median':>8}{'p99':>8}   acts")
    rule = Rule(target=0.75, source="logprob", calibration="c", hedge_above=0.5, next_step="Ask a person who knows.")
    for kind in KINDS:
        seen, confidences = (levels, np.round(asked, 1)) if kind == "categorical" else (graded, asked)
        show(kind, rule, calibrate(seen, right, source="logprob", model="m", tasks=["exam"], kind=kind), confidences, ())
    platt = calibrate(graded, right, source="logprob", model="m", tasks=["exam"], kind="platt")
    show("platt, 4 other targets", rule, platt, asked, TARGETS)
    show("platt, all in words", replace(rule, words=True, hedge_above=0.0), platt, asked, ())
    show(
        "the same, 1,000 characters",
        replace(rule, words=True, hedge_above=0.0),
        platt,
        asked,
        (),
        "Antananarivo is in the highlands of Madagascar. " * 21,
    )
    show("none, certified threshold", Rule(risk=0.1, delta=0.05, threshold=0.6, source="logprob"), platt, asked, ())


def show(name: str, rule: Rule, calibration: Calibration, confidences: np.ndarray, targets: tuple[float, ...], answer: str = SHORT) -> None:
    decide = Decider(Policy(model="m", made="2026-01-31", rules={"default": rule}, calibrations={"c": calibration})).decide
    spent, acts = [], Counter()
    for confidence in confidences.tolist():
        given = {"logprob": confidence, "stated": 0.9}
        start = time.perf_counter_ns()
        decision = decide(answer, given, targets=targets)
        spent.append(time.perf_counter_ns() - start)
        acts[decision.act] += 1
    median, p99 = np.percentile(spent, [50, 99]) / 1000
    print(f"{name:<28}{median:>8.1f}{p99:>8.1f}   {', '.join(f'{act} {count / len(spent):.0%}' for act, count in acts.most_common())}")


if __name__ == "__main__":
    main()
