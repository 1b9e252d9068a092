"""``wager steer gate``: a probe of what the model does not know, with a threshold, beside what length and rarity alone would tell."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from wager.cli.columns import columns
from wager.cli.steer_beside import as_json, parts, table
from wager.cli.steer_extract import add_model, blocks_of, check_out, told
from wager.errors import UsageError

if TYPE_CHECKING:
    from wager.steering.backend import Backend
    from wager.steering.baseline import Comparison
    from wager.steering.probe import Probe
    from wager.steering.trait import Question

__all__ = ["add_parsers", "questions"]

Fit: TypeAlias = "Callable[[Mapping[str, Any]], tuple[Probe, Comparison]]"

NAME = "unknown"

PLACES = {"prompt_top": "every token of the question", "prompt_last": "the last token before the reply"}
"""What a gate reads, in words."""

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
    add("--read", choices=("prompt-top", "prompt-last"), default="prompt-top", help="every token of the question (default), or the last")
    add("--blocks", metavar="A-B", help="blocks to try, such as 12-18 or 12,15,18; default every second one around the middle")
    add("--rate", metavar="R", type=float, default=0.05, help="share of known things that it may fire on; default 0.05")
    add("--bound", choices=("clopper-pearson", "empirical"), default="clopper-pearson", help="how that is kept to; default clopper-pearson")
    add("--method", choices=("whitened", "mean-difference", "logistic"), default="whitened", help="default whitened")
    add("--seed", metavar="N", type=int, default=0, help="default 0")
    add("--json", action="store_true", help="print the result as JSON on standard output")
    parser.set_defaults(run=run, stopped="no gate was written, and nothing partial is left")


def questions() -> list[Question]:
    """What a gate is fitted on: real and invented things, matched, in many phrasings; nothing that a licence asks is among them."""
    from wager.steering.questions import load

    return list(load("gate"))


def run(options: argparse.Namespace) -> int:
    """Parses, reads activations, fits, compares, writes, prints."""
    from wager.steering.baseline import surface_features
    from wager.steering.opening import open_backend, token_ids
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
        fit = (_at_names if options.read == "prompt-top" else _at_the_end)(backend, asked, blocks, options)
        features = surface_features([one.subject for one in asked], tokens=token_ids(backend))
    finally:
        backend.close()
    told("fitting, and holding out each phrasing")
    probe, found = fit(features)
    probe = _with_comparison(probe, found)
    write_probe(options.out, probe)
    if options.json:
        print(json.dumps({"file": str(options.out), **_json(probe, found)}, indent=1, allow_nan=False))
    else:
        print("\n".join([*_text(probe, found, sum(not one.known for one in asked), len(asked)), f"wrote {options.out}"]))
    return 0


def _same(asked: Sequence[Question], seed: int) -> dict[str, Any]:
    return {"groups": [one.phrasing for one in asked], "questions": [one.subject.casefold() for one in asked], "seed": seed}


def _at_names(backend: Backend, asked: Sequence[Question], blocks: Sequence[int], options: argparse.Namespace) -> Fit:
    """Reads every token of the questions; what is returned fits."""
    from wager.steering.baseline import compare_scores
    from wager.steering.monitor import UNKNOWN
    from wager.steering.token_probe import fit_token_probe, name_end

    if options.method != "whitened":
        raise UsageError(f"--method {options.method} goes with --read prompt-last; every token is read by 'whitened'")
    read = backend.read_message([[{"role": "user", "content": one.text}] for one in asked], blocks=blocks)
    ends = [name_end(one.pieces, question.subject) for one, question in zip(read, asked, strict=True)]
    lost = [question.text for end, question in zip(ends, asked, strict=True) if end is None]
    if lost:
        raise UsageError(f"the name that a question asks about does not stand in it: {lost[0]!r}")
    labels, same, identity = [not one.known for one in asked], _same(asked, options.seed), backend.identity

    def fit(features: Mapping[str, Any]) -> tuple[Probe, Comparison]:
        probe, score = fit_token_probe(
            read, [end for end in ends if end is not None], labels, name=NAME, what=UNKNOWN, model=identity, blocks=blocks,
            rate=options.rate, bound=options.bound, **same,
        )  # fmt: skip
        return probe, compare_scores(score, labels, features, **same)

    return fit


def _at_the_end(backend: Backend, asked: Sequence[Question], blocks: Sequence[int], options: argparse.Namespace) -> Fit:
    """Reads the last token before the reply; what is returned fits."""
    from wager.steering.baseline import compare
    from wager.steering.monitor import UNKNOWN
    from wager.steering.probe import fit_probe

    read = backend.read([[{"role": "user", "content": one.text}] for one in asked], pool="prompt_last", blocks=blocks)
    labels, identity = [not one.known for one in asked], backend.identity
    same = {**_same(asked, options.seed), "blocks": blocks, "method": options.method.replace("-", " ")}

    def fit(features: Mapping[str, Any]) -> tuple[Probe, Comparison]:
        named: dict[str, Any] = {"name": NAME, "what": UNKNOWN, "model": identity, "pool": "prompt_last"}
        probe = fit_probe(read, labels, rate=options.rate, bound=options.bound, **named, **same)
        return probe, compare(read, labels, features, **same)

    return fit


def _with_comparison(probe: Probe, found: Comparison) -> Probe:
    """With what surface form tells among its receipts: no gate goes without it."""
    from dataclasses import replace

    from wager.metrics.results import to_json

    told_of = {name: to_json(one) for name, one in parts(found)} | {"verdict": found.verdict}
    return replace(probe, receipts={**probe.receipts, "beside surface form": told_of})


def _text(probe: Probe, found: Comparison, unknown: int, count: int) -> list[str]:
    edge = probe.threshold
    return [
        f"{count} questions, {unknown} about invented things; read at {PLACES[probe.pool]}, block {probe.block}",
        "",
        *columns(table(found, "probe")),
        "",
        f"verdict: {found.verdict}",
        f"fires above {edge.value:.4g}: asked for at most {edge.rate:g} of known things, {edge.fired} of {edge.n} held out"
        f" (95 % bound {edge.upper:.3f}, {edge.bound}); catches {probe.receipts['caught']:.2f} of invented ones",
    ]


def _json(probe: Probe, found: Comparison) -> dict[str, Any]:
    from wager.metrics.results import to_json

    return {"block": probe.block, "threshold": to_json(probe.threshold), "caught": probe.receipts["caught"], **as_json(found)}
