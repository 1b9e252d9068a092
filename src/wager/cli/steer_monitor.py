"""``wager steer monitor``: how much of a trait there is before a word is said, in each token, and in the whole reply."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.columns import columns, plain
from wager.cli.steer_beside import estimate
from wager.cli.steer_extract import add_model, check_out, told
from wager.cli.steer_outcomes import Outcomes, add_options, judged, judged_json, judged_text, probabilities, read_outcomes, texts
from wager.cli.steer_rows import Rows, as_table, read_rows, write_rows
from wager.cli.steer_trace import PAGE, Each, as_columns, draw_page, drawn, each_token, trace
from wager.errors import DataError, UsageError

if TYPE_CHECKING:
    from wager.steering.backend import Backend
    from wager.steering.graded import Graded
    from wager.steering.monitor import Drift, Monitored
    from wager.steering.probe import Probe
    from wager.steering.vector import Vector

__all__ = ["add_parsers", "read_source"]

SHOWN = 20
"""Rows that are printed; a file has all."""


def add_parsers(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``monitor``."""
    parser = verbs.add_parser(
        "monitor",
        help="how much of a trait is in prompts and replies",
        description="Project activations onto a vector or a probe: of the last token before the reply, and the mean over the reply's.",
    )
    add = parser.add_argument
    add("source", metavar="FILE", type=Path, help="a vector, or a probe such as a gate")
    add("data", metavar="DATA", type=Path, help="Parquet, CSV or JSON lines with prompts, and replies; without replies the model writes")
    add_model(parser)
    add("-o", "--out", metavar="FILE", type=Path, help="write the rows with their new columns as .parquet or .jsonl")
    add("--prompt", metavar="COL", help="column of prompts, or of chat records; default a usual name")
    add("--reply", metavar="COL", help="column of replies; default a usual name")
    add_options(add)
    add("--base", metavar="M", help="the model that --model was fine-tuned from: how far it has moved along the vector, on the same words")
    add("--limit", metavar="N", type=int, help="only the first N rows")
    add("--block", metavar="K", type=int, help="where a vector is read; default its card's")
    add(
        "--trace",
        metavar="N",
        type=int,
        help="print the projection of each token of the reply in row N, from 1",
    )
    add("--each", action="store_true", help="projections of each token of given replies, too: one more read of each row")
    add("--page", metavar="FILE", type=Path, help=f"draw the projections of the first {PAGE} replies over their text, as .html")
    add("--screen", action="store_true", help="add how much more of the trait a given reply holds than the model's own to the same prompt")
    add("--samples", metavar="K", type=int, default=1, help="own replies of --screen; default 1, greedy")
    add("--tokens", metavar="N", type=int, default=64, help="of what the model writes; default 64")
    add("--seed", metavar="N", type=int, default=0, help="default 0")
    add("--json", action="store_true", help="print the new columns as JSON on standard output")
    parser.set_defaults(run=run, stopped="nothing was written")


def read_source(path: Path) -> Vector | Probe:
    """The vector, or the probe, in a file.

    Raises:
        DataError: it is missing, damaged, or neither.
    """
    from wager.steering.probe_file import read_probe
    from wager.steering.vector_file import read_vector

    return read_probe(path) if _is_probe(path) else read_vector(path)


def _is_probe(path: Path) -> bool:
    """Whether a safetensors header says so; whatever else is wrong with the file is told by who reads it."""
    from wager.steering.probe_file import KEY
    from wager.steering.vector_file import HEADER

    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= HEADER else None
    except (OSError, ValueError, RecursionError):
        return False
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return isinstance(metadata, dict) and KEY in metadata


@dataclass(frozen=True)
class Found:
    """What one run has measured."""

    monitored: Monitored
    added: dict[str, Sequence[Any]]
    """The new columns."""
    judged: dict[str, Graded | str]
    """By name of what was read, what it is worth against graded outcomes; empty without outcomes."""
    drift: dict[str, Drift]
    """By name of what was read; empty without a base."""
    each: Each
    trace: tuple[str, list[tuple[str, float]]] | None


def run(options: argparse.Namespace) -> int:
    """Parses, reads, projects, writes, prints."""
    _check_options(options)
    source = read_source(options.source)
    rows = read_rows(options.data, prompt=options.prompt, reply=options.reply, limit=options.limit)
    outcomes = read_outcomes(options, rows)
    asked = texts(rows, options.question)
    _check(options, rows, source)
    found = _measured(rows, source, outcomes, asked, options)
    if options.out is not None:
        made = {name: values for name, values in found.added.items() if name not in ("reply",) or rows.replies is None}
        write_rows(options.out, [record | {name: values[at] for name, values in made.items()} for at, record in enumerate(rows.records)])
    drew = None if options.page is None else draw_page(options.page, rows, found.monitored, found.each, found.added)
    for problem in rows.problems:
        print(plain(f"wager: {problem}"), file=sys.stderr)
    if options.json:
        print(json.dumps(_json(found, outcomes), indent=1, allow_nan=False))
    else:
        print("\n".join([*_text(rows, found, outcomes, source, options), *([drew] if drew else [])]))
    return 1 if rows.problems else 0


def _check_options(options: argparse.Namespace) -> None:
    if options.out is not None:
        check_out(options.out, {".parquet": ("", ""), ".jsonl": ("", "")})
    if options.page is not None:
        check_out(options.page, {".html": ("", "")})
    for name in ("limit", "tokens", "samples", "trace"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name} is at least 1, got {value}")


def _check(options: argparse.Namespace, rows: Rows, source: Vector | Probe) -> None:
    from wager.steering.probe import Probe

    if options.trace is not None and options.trace > len(rows.chats):
        raise UsageError(f"--trace names a row from 1 to {len(rows.chats)}, got {options.trace}")
    if options.screen and rows.replies is None:
        raise UsageError("--screen compares given replies with the model's own, and DATA has none; name their column with --reply")
    for name in ("screen", "base"):
        if getattr(options, name) and isinstance(source, Probe):
            raise UsageError(f"--{name} takes a vector; this file is a probe")
    taken = set(_names(options, rows, isinstance(source, Probe))) & {name for record in rows.records for name in record}
    if taken and options.out is not None:
        raise DataError(f"{str(options.data)!r} has the column {sorted(taken)[0]!r} already, which would be replaced; rename it")
    if options.out is not None and options.out.suffix == ".parquet":
        as_table(rows.records)  # what cannot be written is told before the model reads an hour of it


def _names(options: argparse.Namespace, rows: Rows, probe: bool) -> list[str]:
    """The columns that are added."""
    own = ["reply"] if rows.replies is None else []
    chances = ["probability"] if probe else ["probability", "probability_reply"] if options.outcome else []
    lists = ["reply_tokens", "reply_projections"] if options.each or rows.replies is None else []
    return [*own, "projection_before", "projection_reply", *chances, *(["own", "difference"] * options.screen), *lists]


def _measured(
    rows: Rows, source: Vector | Probe, outcomes: Outcomes | None, asked: Sequence[str] | None, options: argparse.Namespace
) -> Found:
    """Everything that needs the model, and is read before it is closed."""
    from wager.steering.monitor import monitor
    from wager.steering.opening import open_backend, token_ids

    with contextlib.ExitStack() as opened:

        def open_one(model: str, sequences: int | None = None) -> Backend:
            one = open_backend(model, context=options.context, threads=options.threads, sequences=sequences)
            opened.callback(one.close)
            return one

        backend = open_one(options.model)
        base = None if options.base is None else open_one(options.base, 1)
        told(f"{len(rows.chats)} rows with {backend.identity.name}")
        found = monitor(backend, rows.chats, rows.replies, source, block=options.block, tokens=options.tokens, seed=options.seed)
        read = _read(backend, rows, found, source)
        graded = {} if outcomes is None else judged(outcomes, read, found.replies, token_ids(backend), options.seed)
        added = _added(backend, rows, found, source, read, graded, options)
        wanted = _wanted(rows, options)
        each = each_token(backend, rows, found, source, wanted)
        if options.each or rows.replies is None:
            added |= as_columns(each, len(rows.chats))
        shown = None if options.trace is None else trace(backend, rows, found, source, each, options.trace - 1)
        drifted = {} if base is None else _drift(base, backend, rows, found, source, asked)
    return Found(found, added, graded, drifted, each, shown)


def _wanted(rows: Rows, options: argparse.Namespace) -> list[int]:
    """Rows whose tokens are told."""
    if options.each or rows.replies is None:
        return list(range(len(rows.chats)))
    some = set(range(min(PAGE, len(rows.chats)))) if options.page is not None else set()
    return sorted(some | ({options.trace - 1} if options.trace is not None else set()))


def _read(backend: Backend, rows: Rows, found: Monitored, source: Vector | Probe) -> dict[str, Sequence[float | None]]:
    """By name, what a probability is told from: both projections of a vector, and what a probe reads."""
    from wager.steering.probe import Probe

    if not isinstance(source, Probe):
        return {"before": found.before, "reply": found.mean}
    if source.pool == "prompt_top":
        return {source.pool: [float(one) for one in source.read(backend, rows.chats)]}
    return {source.pool: found.at(source.pool)}


def _added(
    backend: Backend,
    rows: Rows,
    found: Monitored,
    source: Vector | Probe,
    read: Mapping[str, Sequence[float | None]],
    graded: Mapping[str, Graded | str],
    options: argparse.Namespace,
) -> dict[str, Sequence[Any]]:
    """The new columns; a probability of graded outcomes takes the place of a probe's own."""
    from wager.steering.monitor import screen
    from wager.steering.probe import Probe

    made: dict[str, Sequence[Any]] = {"reply": found.replies} if rows.replies is None else {}
    made |= {"projection_before": found.before, "projection_reply": found.mean}
    for name, one in graded.items():
        made["probability_reply" if name == "reply" else "probability"] = probabilities(one, read[name])
    if isinstance(source, Probe):
        (values,) = read.values()
        made.setdefault("probability", [None if one is None else float(source.probability_at(one)) for one in values])
    elif options.screen and rows.replies is not None:
        told("the model's own replies")
        pairs = list(zip(rows.chats, rows.replies, strict=True))
        beside = screen(backend, pairs, source, block=options.block, tokens=options.tokens, samples=options.samples, seed=options.seed)
        made |= {name: beside[name] for name in ("own", "difference")}
    return made


def _drift(
    base: Backend, tuned: Backend, rows: Rows, found: Monitored, source: Vector | Probe, asked: Sequence[str] | None
) -> dict[str, Drift]:
    """Before the reply and over it; both models read the same words, which are the tuned one's own where none were given."""
    from wager.steering.monitor import drift
    from wager.steering.probe import Probe

    assert not isinstance(source, Probe), "a probe was refused"  # noqa: S101
    told(f"the same words with {base.identity.name}")
    kept = [at for at, reply in enumerate(found.replies) if reply]
    some, said = [rows.chats[at] for at in kept], [found.replies[at] for at in kept]
    names = None if asked is None else [asked[at] for at in kept]
    made = {"before": drift(base, tuned, rows.chats, None, source, block=found.block, pool="prompt_last", questions=asked)}
    if kept:
        made["reply"] = drift(base, tuned, some, said, source, block=found.block, questions=names)
    return made


def _json(found: Found, outcomes: Outcomes | None) -> dict[str, Any]:
    from wager.metrics.results import to_json

    shown = None if found.trace is None else [{"text": text, "projection": value} for text, value in found.trace[1]]
    return {
        "name": found.monitored.name,
        "block": found.monitored.block,
        "empty": found.monitored.empty,
        "columns": {name: list(values) for name, values in found.added.items()},
        "outcome": None if outcomes is None else judged_json(outcomes, found.judged),
        "drift": {name: to_json(one) for name, one in found.drift.items()} or None,
        "trace": shown,
    }


def _text(rows: Rows, found: Found, outcomes: Outcomes | None, source: Vector | Probe, options: argparse.Namespace) -> list[str]:
    monitored, added = found.monitored, found.added
    numbers = [name for name in added if name not in ("reply", "reply_tokens", "reply_projections")]
    lines: list[Sequence[str]] = [("row", *(name.replace("projection_", "").replace("_", " ") for name in numbers), "prompt")]
    for at in range(min(SHOWN, len(rows.chats))):
        lines.append((str(at + 1), *(_value(name, added[name][at]) for name in numbers), _brief(rows.chats[at][-1]["content"])))
    name = plain(monitored.name)
    made = [f"{name}, block {monitored.block}: projections in the activations' own units{_length(source, monitored.block)}"]
    made += ["", *columns(lines, left=(len(numbers) + 1,))]
    if len(rows.chats) > SHOWN:
        made.append(f"... and {len(rows.chats) - SHOWN:,} more rows")
    if monitored.empty:
        made.append(f"{monitored.empty} empty replies have no mean")
    if changed := sum(one is None and bool(monitored.replies[at]) for at, one in found.each.items()):
        made.append(f"{changed} replies are not told token by token: the chat template writes them in another way")
    if outcomes is not None:
        made += ["", *judged_text(outcomes, found.judged)]
    if found.drift:
        made += ["", plain(f"drift of {options.model} from {options.base}, on {len(rows.chats):,} rows; positive is towards the trait:")]
        made += columns([_drifted(name, one) for name, one in found.drift.items()])
    if found.trace is not None:
        made += ["", f"row {options.trace}, {found.trace[0]} by {found.trace[0]}:", *drawn(found.trace[1])]
    if options.out is not None:
        made += ["", plain(f"wrote {options.out}: {len(rows.chats):,} rows with {', '.join(added)}")]
    return made


def _drifted(name: str, one: Drift) -> tuple[str, str, str]:
    """Mean, interval, and what that is of the activations' length."""
    relative = "no length on the card" if one.relative is None else f"{100 * one.relative:+.2f} % of the activations' length"
    return f"  {name}", estimate(one.mean, signed=True), relative


def _length(source: Vector | Probe, block: int) -> str:
    norms: Mapping[int, float] = getattr(getattr(source, "card", None), "norms", {})
    return f", whose length is {norms[block]:.4g}" if block in norms else ""


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if name.startswith("probability") else f"{value:+.2f}"


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 56 else f"{line[:53]}..."
