"""What the detector is worth on the held-out prompts, which nothing was fitted, chosen or tuned on: ``python benchmarks/detection.py``."""

import argparse
import json
import os
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # one core, as a busy gateway has it

import numpy as np  # noqa: E402

from wager.detection.detector import Detector  # noqa: E402
from wager.detection.fit import predictions  # noqa: E402
from wager.detection.kinds import AXES, KINDS  # noqa: E402
from wager.detection.prompts import HELD_OUT, read_prompts  # noqa: E402
from wager.metrics.calibration import EqualWidth, debiased, ece  # noqa: E402
from wager.metrics.discrimination import auroc  # noqa: E402
from wager.metrics.intervals import clopper_pearson  # noqa: E402

LENGTHS = (26, 203, 1218, 100_000)
EUROPEAN = {"de", "fr", "es", "pt", "it", "nl"}
TEXT = "write me a short poem about my grandmother's kitchen and explain why the job failed on executor 12 at 10:42:07, stage 4. "


def line(name, right, sure, threshold):
    low, high = clopper_pearson(float(right.sum()), len(right))
    surest = np.argsort(-sure, kind="stable")[: round(0.85 * len(sure))]
    above = sure > threshold
    bins = EqualWidth(15)
    place = bins.assign(sure)
    sums = [np.bincount(place, weights=weights, minlength=bins.n) for weights in (np.ones(len(sure)), sure - right, right)]
    return {
        "prompts": name,
        "n": len(right),
        "accuracy": right.mean(),
        "low": low,
        "high": high,
        "surest 85 %": right[surest].mean(),
        "ECE": ece(right, sure, bins=bins).value,
        "debiased": debiased(*sums),
        "above threshold": right[above].mean() if above.any() else None,
        "coverage": above.mean(),
    }


def shown(rows):
    names = list(rows[0])
    cells = [[f"{row[name]:.3f}" if isinstance(row[name], float) else str(row[name]) for name in names] for row in rows]
    widths = [max(len(name), *(len(row[at]) for row in cells)) for at, name in enumerate(names)]
    for row in [names, *cells]:
        print("  ".join(cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))))


def milliseconds(detector, text, repeats=60):
    """CPU time of one detection, the smallest of three means: words are not remembered between them."""
    found = []
    for _ in range(3):
        start = time.process_time()
        for number in range(repeats):
            detector.detect(f"{text[: len(text) - 4]}{number:4d}")
        found.append((time.process_time() - start) / repeats * 1000)
    return min(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one object instead of tables")
    asked = parser.parse_args()
    detector = Detector.load()
    prompts = read_prompts(HELD_OUT)
    kinds, axes = predictions(detector.classifier, prompts, detector.encoder)
    kind = np.array([list(KINDS).index(prompt.kind) for prompt in prompts])
    right, sure = (kinds.argmax(axis=1) == kind).astype(float), kinds.max(axis=1)
    mix = np.array([prompt.mix for prompt in prompts])
    language = np.array([prompt.language for prompt in prompts])
    groups = {
        "plain": ~mix,
        "mixes": mix,
        "together": np.ones(len(prompts), dtype=bool),
        "plain, English": ~mix & (language == "en"),
        "plain, de fr es pt it nl": ~mix & np.isin(language, list(EUROPEAN)),
        "plain, others": ~mix & ~np.isin(language, ["en", *EUROPEAN]),
    }
    threshold = detector.facts["threshold"]
    rows = [line(name, right[which], sure[which], threshold) for name, which in groups.items()]
    holds = np.array([[axis in prompt.axes for axis in AXES] for prompt in prompts], dtype=float)
    on_axes = [
        {
            "axis": axis,
            "n": int(holds[:, at].sum()),
            "AUROC": auroc(holds[:, at], axes[:, at]).value,
            "ECE": ece(holds[:, at], axes[:, at], bins=EqualWidth(15)).value,
        }
        for at, axis in enumerate(AXES)
    ]
    texts = [(TEXT * (length // len(TEXT) + 1))[:length] for length in LENGTHS]
    cost = [{"characters": length, "CPU ms": milliseconds(detector, text)} for length, text in zip(LENGTHS, texts, strict=True)]
    cost.append({"characters": "held out", "CPU ms": per_prompt(detector, prompts)})
    if asked.json:
        print(json.dumps({"facts": dict(detector.facts), "kinds": rows, "axes": on_axes, "cost": cost}))
        return
    facts = detector.facts
    print(f"threshold {threshold:.3f}, certified {facts['certified_accuracy']} on {facts['n']} of {facts['prompts']} prompts\n")
    shown(rows)
    print("\nconfusions on the plain ones (row: labelled, column: detected)")
    print(" " * 12 + "".join(name[:10].rjust(11) for name in KINDS))
    for number, name in enumerate(KINDS):
        counts = np.bincount(kinds.argmax(axis=1)[~mix & (kind == number)], minlength=len(KINDS))
        print(name.ljust(12) + "".join(str(count).rjust(11) for count in counts))
    print()
    shown(on_axes)
    print()
    shown(cost)


def per_prompt(detector, prompts):
    start = time.process_time()
    for prompt in prompts:
        detector.detect(prompt.text)
    return (time.process_time() - start) / len(prompts) * 1000


if __name__ == "__main__":
    main()
