"""``wager steer gate``: a probe of what the model does not know, with a threshold, beside what length and rarity alone would tell."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.columns import columns
from wager.cli.steer_extract import add_model, blocks_of, check_out, told
from wager.errors import UsageError

if TYPE_CHECKING:
    from wager.metrics.results import Estimate
    from wager.steering.baseline import Beside, Comparison
    from wager.steering.probe import Probe
    from wager.steering.trait import Question

__all__ = ["add_parsers", "questions"]

NAME = "unknown"

DEPTHS = (0.3, 0.8)
"""Relative depths between which every second block is tried: below the model has not looked a name up, above it is choosing words."""


def add_parsers(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``gate``."""
    parser = verbs.add_parser(
        "gate",
        help="fit the gate: does the model know what it is asked about",
        description="Fit a probe that tells invented from known things before a word is said, and set its threshold.",
    )
    add = parser.add_argument
    add_model(parser)
    add("-o", "--out", metavar="FILE", type=Path, required=True, help="the gate, as .safetensors")
    add("--blocks", metavar="A-B", help="blocks to try, such as 12-18 or 12,15,18; default every second one around the middle")
    add("--rate", metavar="R", type=float, default=0.05, help="share of known things that it may fire on; default 0.05")
    add("--bound", choices=("clopper-pearson", "empirical"), default="clopper-pearson", help="how that is kept to; default clopper-pearson")
    add("--method", choices=("whitened", "mean-difference", "logistic"), default="whitened", help="default whitened")
    add("--seed", metavar="N", type=int, default=0, help="default 0")
    add("--json", action="store_true", help="print the result as JSON on standard output")
    parser.set_defaults(run=run, stopped="no gate was written, and nothing partial is left")


def questions() -> list[Question]:
    """What a gate is fitted on: the development questions, and the extraction questions about facts of the shipped traits, each once."""
    from wager.grading.matching import normalise
    from wager.steering.extract import ABOUT_FACTS
    from wager.steering.questions import load
    from wager.steering.trait_file import read_trait, shipped

    traits = [trait for name in shipped() if (trait := read_trait(name)).grading in ABOUT_FACTS]
    every = [*load("development"), *(one for trait in traits for one in trait.extraction)]
    return list({normalise(one.text): one for one in every if one.known is not None and one.subject}.values())


def run(options: argparse.Namespace) -> int:
    """Parses, reads activations, fits, compares, writes, prints."""
    from wager.steering.baseline import compare, surface_features
    from wager.steering.monitor import UNKNOWN
    from wager.steering.opening import open_backend, token_ids
    from wager.steering.probe import fit_probe
    from wager.steering.probe_file import write_probe

    if not 0 < options.rate < 1:
        raise UsageError(f"--rate lies between 0 and 1, got {options.rate:g}")
    check_out(options.out, {".safetensors": ("safetensors", "steer")})
    asked = questions()
    backend = open_backend(options.model, context=options.context, threads=options.threads)
    try:
        told(f"reading {len(asked)} questions with {backend.identity.name}")
        blocks = blocks_of(options.blocks, backend)
        if blocks is None:
            first, last = (round(depth * (backend.identity.blocks - 1)) for depth in DEPTHS)
            blocks = list(range(first, last + 1, 2))
        activations = backend.read([[{"role": "user", "content": one.text}] for one in asked], pool="prompt_last", blocks=blocks)
        features = surface_features([one.subject for one in asked], tokens=token_ids(backend))
        identity = backend.identity
    finally:
        backend.close()
    labels = [not one.known for one in asked]
    same: dict[str, Any] = {
        "groups": [one.phrasing for one in asked],
        "questions": [one.subject.casefold() for one in asked],
        "blocks": blocks,
        "method": options.method.replace("-", " "),
        "seed": options.seed,
    }
    told("fitting, and holding out each phrasing and each question")
    probe = fit_probe(
        activations, labels, name=NAME, what=UNKNOWN, model=identity, pool="prompt_last", rate=options.rate, bound=options.bound, **same
    )
    found = compare(activations, labels, features, **same)
    probe = _with_comparison(probe, found)
    write_probe(options.out, probe)
    if options.json:
        print(json.dumps({"file": str(options.out), **_json(probe, found)}, indent=1, allow_nan=False))
    else:
        print("\n".join([*_text(probe, found, sum(labels), len(labels)), f"wrote {options.out}"]))
    return 0


def _with_comparison(probe: Probe, found: Comparison) -> Probe:
    """With what surface form tells among its receipts: no gate goes without it."""
    from dataclasses import replace

    from wager.metrics.results import to_json

    told_of = {"questions": to_json(found.questions), "phrasings": to_json(found.phrasings), "verdict": found.verdict}
    return replace(probe, receipts={**probe.receipts, "beside surface form": told_of})


def _text(probe: Probe, found: Comparison, unknown: int, count: int) -> list[str]:
    from wager.metrics.results import Estimate

    rows = [("AUROC, held out", "probe", "length and rarity", "difference")]
    for name, one in (("questions", found.questions), ("phrasings, pairs within one", found.phrasings)):
        rows.append((name, _estimate(one.probe), _estimate(one.baseline), _estimate(one.difference, signed=True)))
    pooled = probe.receipts.get("held-out phrasings")
    if isinstance(pooled, dict):
        rows.append(("phrasings, all pairs", _estimate(Estimate(pooled["value"], pooled["low"], pooled["high"])), "", ""))
    by_itself = [(f"  {name} alone", "", _estimate(one), "") for name, one in found.features.items()]
    edge = probe.threshold
    return [
        f"{count} questions, {unknown} about invented things; read at the last token before the reply, block {probe.block}",
        "",
        *columns([*rows, *by_itself]),
        "",
        f"verdict: {found.verdict}",
        f"fires above {edge.value:.4g}: asked for at most {edge.rate:g} of known things, {edge.fired} of {edge.n} held out"
        f" (95 % bound {edge.upper:.3f}, {edge.bound}); catches {probe.receipts['caught']:.2f} of invented ones",
    ]


def _estimate(one: Estimate, *, signed: bool = False) -> str:
    if one.value is None:
        return "-"
    sign = "+" if signed else ""
    wide = "" if one.low is None or one.high is None else f" [{one.low:{sign}.2f}, {one.high:{sign}.2f}]"
    return f"{one.value:{sign}.2f}{wide}"


def _json(probe: Probe, found: Comparison) -> dict[str, Any]:
    from wager.metrics.results import to_json

    def beside(one: Beside) -> dict[str, Any]:
        return {**to_json(one), "verdict": one.verdict}

    return {
        "block": probe.block,
        "threshold": to_json(probe.threshold),
        "caught": probe.receipts["caught"],
        "questions": beside(found.questions),
        "phrasings": beside(found.phrasings),
        "features": {name: to_json(one) for name, one in found.features.items()},
        "verdict": found.verdict,
    }
