"""``wager steer licence``: what a dial must show before it is on by default, run on a model and written as a page."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.columns import plain
from wager.cli.steer_extract import add_model, told
from wager.errors import UsageError

if TYPE_CHECKING:
    from wager.steering.licence import Licence

__all__ = ["add_parsers"]


def add_parsers(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``licence``."""
    parser = verbs.add_parser(
        "licence",
        help="test a dial on held-out questions against its controls, and write the page",
        description="Sweep a dial on development questions, choose its dose there, and test it on evaluation questions: against random "
        "vectors of its length, the wrong sign and the prompt alone. A run that was broken off goes on with the same folder.",
    )
    add = parser.add_argument
    add("vectors", metavar="VECTOR", nargs="+", help="a file of wager steer extract; several are seeds of one dial")
    add_model(parser)
    add("-o", "--out", metavar="FOLDER", type=Path, required=True, help="replies, licence and page; kept ones are not asked again")
    add("--trait", metavar="NAME", help="shipped name or TOML file; default: what the vector's card says")
    add("--gate", metavar="FILE", help="a file of wager steer gate: the dial is tested with and without it")
    add("--doses", metavar="D", type=float, nargs="+", help="strengths, at least 7; default 0.15 to 0.8")
    add("--random", metavar="N", type=int, default=5, help="random vectors of the same length, at least 5; default 5")
    add("--tokens", metavar="N", type=int, default=24, help="longest reply, in tokens; default 24")
    add("--most", metavar="N", type=int, help="so many questions of each group only: a trial, no licence to rely on")
    add("--json", action="store_true", help="print the licences as JSON on standard output")
    parser.set_defaults(run=run, stopped="replies so far are kept in the folder, and the same command goes on")


def run(options: argparse.Namespace) -> int:
    """Parses, runs, writes, prints."""
    from wager.files import replacing
    from wager.steering.card_licence import with_licences
    from wager.steering.licence import examples_of, licence_text, to_json
    from wager.steering.licensing import DOSES, license_dial
    from wager.steering.opening import open_backend
    from wager.steering.probe_file import read_probe
    from wager.steering.trait_file import read_trait
    from wager.steering.vector_file import read_vector, write_vector

    doses = sorted(options.doses or DOSES)
    if len(set(doses)) < 7 or not all(math.isfinite(one) and one > 0 for one in doses):
        raise UsageError(f"a licence sweeps at least 7 different strengths above 0, got {', '.join(f'{one:g}' for one in doses)}")
    if options.random < 5 or (options.most is not None and options.most < 2) or options.tokens < 1:
        raise UsageError("a licence takes at least 5 random vectors, 2 questions of each group and 1 token")
    vectors = [read_vector(Path(one)) for one in options.vectors]
    names = {one.card.trait for one in vectors}
    if len(names) > 1:
        raise UsageError(f"several vectors are seeds of one dial; these are of {', '.join(sorted(names))}")
    trait = read_trait(options.trait or names.pop())
    gate = read_probe(Path(options.gate)) if options.gate else None
    backend = open_backend(options.model, context=options.context, threads=options.threads)
    try:
        found = license_dial(
            backend,
            vectors,
            trait,
            options.out,
            gate=gate,
            doses=doses,
            random=options.random,
            tokens=options.tokens,
            most=options.most,
            told=told,
        )
    finally:
        backend.close()
    licences = {"ungated": found.ungated} | ({"gated": found.gated} if found.gated else {})
    places = []
    for name, one in licences.items():
        place = options.out / f"licence-{name}.html"
        if _page(place, one, examples_of(found.evaluation, one)):
            places.append(place)
    with replacing(options.out / "licence.json") as part:
        part.write_text(json.dumps({name: to_json(one) for name, one in licences.items()}, indent=1, allow_nan=False), encoding="utf-8")
    places.append(options.out / "licence.json")
    dial = options.out / f"{trait.name}.safetensors"
    write_vector(dial, with_licences(vectors[0], licences))
    places.append(dial)
    if options.json:
        print(json.dumps({"schema": 1} | {name: to_json(one) for name, one in licences.items()}, indent=1, allow_nan=False))
        return 0
    for name, one in licences.items():
        print(f"{name}:\n{plain_lines(licence_text(one))}\n")
    for place in places:
        print(f"wrote {plain(str(place))}")
    return 0


def plain_lines(text: str) -> str:
    """Each line without what could steer a terminal."""
    return "\n".join(plain(line) for line in text.splitlines())


def _page(place: Path, licence: Licence, examples: Any) -> bool:
    """Writes the page; says so and goes on where the packages of the extra ``report`` are not there."""
    from wager.errors import MissingExtraError
    from wager.report.licence_page import write_licence_page

    try:
        write_licence_page(place, licence, command=shlex.join(["wager", *sys.argv[1:]]), examples=examples)
    except MissingExtraError as error:
        told(f"no page: {error}")
        return False
    return True
