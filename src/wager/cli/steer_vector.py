"""``wager steer show``, ``convert`` and ``describe``: the card of a vector, other tools' formats, and a trait from a sentence."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.columns import columns, plain
from wager.cli.steer_extract import add_model, check_out, write
from wager.cli.steer_monitor import read_source
from wager.errors import DataError, UsageError

if TYPE_CHECKING:
    from wager.steering.probe import Probe
    from wager.steering.vector import Card, Vector

__all__ = ["add_parsers"]

MOST = 12
"""Entries of a table of receipts that are printed one by one."""


def add_parsers(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verbs ``show``, ``convert`` and ``describe``."""
    shown = verbs.add_parser(
        "show", help="the card of a vector, or of a gate", description="Say where a vector or a gate comes from and what was measured."
    )
    shown.add_argument("file", metavar="FILE", help="a vector (.safetensors, GGUF control vector, .pt), or a gate")
    shown.add_argument("--against", metavar="FILE", help="another one: the cosine of the two, block by block")
    shown.add_argument("--json", action="store_true", help="print the card as JSON on standard output")
    shown.set_defaults(run=show, stopped="nothing was changed")

    made = verbs.add_parser(
        "convert",
        help="write a vector in another tool's format",
        description="Convert between .safetensors, GGUF control vectors (llama.cpp, repeng) and .pt (persona_vectors), by their names.",
    )
    made.add_argument("file", metavar="IN", help="the vector")
    made.add_argument("out", metavar="OUT", type=Path, help="where to: .safetensors, .gguf or .pt")
    made.add_argument("--dose", metavar="D", type=float, help="write what a push at this dose adds, so that a scale of 1 gives it")
    made.add_argument("--block", metavar="K", type=int, help="only this block; in .safetensors all, with this one on the card")
    made.add_argument(
        "--beyond", action="store_true", help="also a dose that no sweep has shown to be safe, or a dial that failed its licence"
    )
    made.add_argument("--shift", action="store_true", help="IN is one block late: from llama.cpp's generator, or brainpatch")
    made.set_defaults(run=convert, stopped="nothing was written")

    drafted = verbs.add_parser(
        "describe",
        help="draft a trait from a sentence",
        description="Have a capable chat model draft a trait from a sentence: instructions, questions, rubric. Read it before you use it.",
    )
    drafted.add_argument("sentence", metavar="SENTENCE", help='what a reply with the trait does: "The reply is in a great hurry."')
    add_model(drafted, "the model's name on the server of --base-url; openai/NAME; hf/NAME, gguf/PATH or embedded", running=False)
    drafted.add_argument("--base-url", metavar="URL", help="a server of OpenAI's kind, up to and with /v1; key in OPENAI_API_KEY")
    drafted.add_argument("--name", metavar="NAME", help="of the trait; default the model's")
    drafted.add_argument("-o", "--out", metavar="FILE", type=Path, required=True, help="the trait, as .toml")
    drafted.set_defaults(run=describe, stopped="no trait was written")


def show(options: argparse.Namespace) -> int:
    """Parses, reads, prints."""
    from wager.steering.probe import Probe
    from wager.steering.vector_card import card_to_text
    from wager.steering.vector_file import read_vector

    vector = read_source(Path(options.file))
    if isinstance(vector, Probe):
        return _show_probe(vector, options)
    other = None if options.against is None else read_vector(options.against)
    cosines = None if other is None else vector.cosines(other)
    if options.json:
        found = {
            "blocks": sorted(vector.directions),
            "card": json.loads(card_to_text(vector.card))["card"],
            "cosines": None if cosines is None else {str(block): value for block, value in cosines.items()},
        }
        print(json.dumps(found, indent=1, allow_nan=False))
        return 0
    lines = _card(vector)
    if cosines is not None and other is not None:
        lines += ["", f"cosine with {other.card.trait} ({options.against}):"]
        lines += [f"  block {block}  {value:+.3f}" for block, value in cosines.items()]
    print("\n".join(map(plain, lines)))
    return 0


def _show_probe(probe: Probe, options: argparse.Namespace) -> int:
    from wager.metrics.results import to_json

    if options.against is not None:
        raise UsageError("--against compares two vectors; this file is a probe")
    edge = probe.threshold
    if options.json:
        found = {"name": probe.name, "what": probe.what, "block": probe.block, "pool": probe.pool, "method": probe.method}
        print(json.dumps({**found, "threshold": to_json(edge), "receipts": dict(probe.receipts)}, indent=1, allow_nan=False))
        return 0
    rows = [
        ("probe", f"{probe.name}: {probe.what}"),
        ("model", f"{probe.model.name} ({probe.model.architecture}, {probe.model.blocks} blocks, width {probe.model.width})"),
        ("weights", probe.model.weights[:16]),
        ("reads", f"{probe.pool}, block {probe.block}"),
        (
            "fires above",
            f"{edge.value:.4g}, at a false-fire rate of at most {edge.rate:g} ({edge.fired} of {edge.n} held out, {edge.bound})",
        ),
    ]
    print("\n".join([*columns(rows, left=(0, 1)), *map(plain, _receipts(probe.receipts))]))
    return 0


def _card(vector: Vector) -> list[str]:
    """The card in words."""
    card, model = vector.card, vector.card.model
    blocks = sorted(vector.directions)
    rows = [
        ("trait", card.trait),
        ("model", f"{model.name} ({model.architecture}, {model.blocks} blocks, width {model.width})"),
        ("weights", model.weights[:16] or "not told"),
        ("directions", f"{len(blocks)}, at blocks {blocks[0]} to {blocks[-1]} (0-based, a block's output)"),
        ("made by", f"{card.method} of {card.pool}, {card.elicitation}"),
        ("applied at", "not chosen" if card.block is None else f"block {card.block}"),
        ("safe doses", "not measured: no sweep was run" if card.band is None else f"{card.band[0]:+g} to {card.band[1]:+g}"),
        *_licence(card),
        ("replies", ", ".join(f"{name} {count}" for name, count in card.counts.items()) or "not told"),
        *_at_block(vector),
        *((name, value[:16]) for name, value in card.hashes.items()),
        ("made", ", ".join(f"{name} {value}" for name, value in card.made.items()) or "not told"),
    ]
    return [*columns(rows, left=(0, 1)), *_receipts({name: value for name, value in card.receipts.items() if name != "licence"})]


def _licence(card: Card) -> list[tuple[str, str]]:
    """With the gate and without it: the verdict, the safe doses and every reason."""
    from wager.steering.card_licence import earned

    rows: list[tuple[str, str]] = []
    for name, one in earned(card).items():
        gate = f" ({one.gate})" if one.gate is not None else ""
        dose = "" if one.dose is None else f" at dose {one.dose:+g}"
        band = "no safe doses measured" if one.band is None else f"safe doses {one.band[0]:+g} to {one.band[1]:+g}"
        rows.append(("" if rows else "licence", f"{name}{gate}: {one.verdict}{dose}, {band}"))
        rows += [("", f"  {reason}") for reason in one.reasons]
    return rows or [("licence", "none was run")]


def _at_block(vector: Vector) -> list[tuple[str, str]]:
    card = vector.card
    if card.block is None or card.block not in vector.directions:
        return []
    length, stable = card.norms.get(card.block), card.stability.get(card.block)
    return [
        ("activations", "length not measured: no dose can be given" if length is None else f"length {length:.4g} at block {card.block}"),
        ("stability", "not measured" if stable is None else f"split halves have cosine {stable:.2f} at block {card.block}"),
    ]


def _receipts(receipts: Mapping[str, Any]) -> list[str]:
    """What was measured, one value a line; nested ones with their path, long lists by their length (--json has them)."""
    lines: list[str] = []

    def walk(path: str, value: object) -> None:
        if isinstance(value, dict) and value.keys() >= {"value", "low", "high"}:
            lines.append(f"  {path}: {_interval(value)}")
        elif isinstance(value, dict) and len(value) <= MOST:
            for name, inside in value.items():
                walk(f"{path}.{name}" if path else str(name), inside)
        elif isinstance(value, list | dict):
            lines.append(f"  {path}: {len(value)} entries")
        elif value is not None:
            lines.append(f"  {path}: {value:.4g}" if isinstance(value, float) else f"  {path}: {value}")

    for name, value in receipts.items():
        walk(name, value)
    return ["measured:", *lines] if lines else []


def _interval(value: Mapping[str, Any]) -> str:
    """An estimate that was written down; other tools' files may hold anything under these names."""
    told = [value[name] for name in ("value", "low", "high")]
    if not all(isinstance(one, float | int) for one in told):
        return "-" if told[0] is None else str(told[0])
    return f"{told[0]:.2f} [{told[1]:.2f}, {told[2]:.2f}]"


def convert(options: argparse.Namespace) -> int:
    """Parses, reads, writes."""
    from wager.steering.dose import check_dose
    from wager.steering.vector_file import read_vector

    check_out(options.out)
    if options.out.exists() and Path(options.file).exists() and options.out.samefile(options.file):
        raise UsageError(f"{options.file!r} would be replaced by its own conversion; give OUT another name")
    if options.dose is not None:
        check_dose(options.dose, None, beyond=True)
    if options.shift:
        from wager.steering.vector_gguf import from_gguf

        if not Path(options.file).is_file():
            raise DataError(f"no file {options.file!r}")
        vector = from_gguf(options.file, shift=-1)
    else:
        vector = read_vector(options.file)
    if options.dose is not None and not options.dose:
        raise UsageError("a dose of 0 adds nothing; leave out --dose to write the raw directions")
    if options.dose is not None and options.out.suffix != ".safetensors":
        _check_dose(vector, options)
    kept = write(options.out, vector, dose=options.dose, block=options.block)
    left = sorted(set(vector.directions) - set(kept)) if options.block is None and options.dose is None else []
    print(plain(f"wrote {options.out}: {_span(kept)}, {'raw directions' if options.dose is None else f'a push at dose {options.dose:+g}'}"))
    if left:
        print(f"left out: block {', '.join(map(str, left))}, which the format does not hold")
    if options.dose is not None and options.out.suffix == ".gguf":
        print(_served(options.out))
    return 0


def _check_dose(vector: Vector, options: argparse.Namespace) -> None:
    """A push that leaves wager leaves without its gate."""
    from wager.steering.card_licence import check_move
    from wager.steering.plan import Move

    try:
        check_move(Move(vector, options.dose, options.block), beyond=options.beyond)
    except UsageError as error:
        raise UsageError(f"{error} (--beyond)") from error


def _served(path: Path) -> str:
    """What llama-server is started with."""
    from wager.steering.served import llama_server_flags

    try:
        flags = shlex.join(llama_server_flags(path))
    except UsageError as error:  # the file is written, and only its name is in the way
        return plain(f"llama-server does not take this name: {error}")
    return plain(f"llama-server {flags} adds it to every token, prompt and reply; a safe band is measured at the reply alone")


def _span(blocks: tuple[int, ...]) -> str:
    whole = blocks == tuple(range(blocks[0], blocks[-1] + 1))
    if len(blocks) == 1:
        return f"block {blocks[0]}"
    return f"blocks {blocks[0]} to {blocks[-1]}" if whole else f"blocks {', '.join(map(str, blocks))}"


def describe(options: argparse.Namespace) -> int:
    """Parses, asks a model, writes."""
    from wager.steering.draft import draft_trait
    from wager.steering.opening import open_asker
    from wager.steering.trait_file import write_trait

    check_out(options.out, {".toml": ("", "")})
    trait = draft_trait(options.sentence, open_asker(options.model, base_url=options.base_url), name=options.name)
    write_trait(options.out, trait)
    counts = f"{len(trait.instructions)} pairs of instructions, {len(trait.extraction)} + {len(trait.evaluation)} questions, a rubric"
    print(plain(f"wrote {options.out}: {trait.name}, {counts}; a judge grades it. Read it before you use it."))
    return 0
