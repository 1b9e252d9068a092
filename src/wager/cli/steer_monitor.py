"""``wager steer monitor``: how much of a trait there is before a word is said, in each token, and in the whole reply."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.columns import columns, plain
from wager.cli.steer_extract import add_model, check_out, told
from wager.cli.steer_rows import Rows, read_rows, write_rows
from wager.errors import DataError, UsageError

if TYPE_CHECKING:
    from wager.steering.backend import Backend
    from wager.steering.monitor import Monitored
    from wager.steering.probe import Probe
    from wager.steering.vector import Vector

__all__ = ["add_parsers", "read_source"]

SHOWN = 20
"""Rows that are printed; a file has all."""

WIDTH = 24
"""Characters of the longest bar of a trace."""

WORD = re.compile(r"\S+")


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
    add("--limit", metavar="N", type=int, help="only the first N rows")
    add("--block", metavar="K", type=int, help="where a vector is read; default its card's")
    add(
        "--trace",
        metavar="N",
        type=int,
        help="print the projection of each token of the reply in row N, from 1; of each word of a given one",
    )
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


def run(options: argparse.Namespace) -> int:
    """Parses, reads, projects, writes, prints."""
    from wager.steering.monitor import monitor
    from wager.steering.opening import open_backend

    if options.out is not None:
        check_out(options.out, {".parquet": ("", ""), ".jsonl": ("", "")})
    for name in ("limit", "tokens", "samples", "trace"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name} is at least 1, got {value}")
    source = read_source(options.source)
    rows = read_rows(options.data, prompt=options.prompt, reply=options.reply, limit=options.limit)
    _check(options, rows, source)
    backend = open_backend(options.model, context=options.context, threads=options.threads)
    try:
        told(f"{len(rows.chats)} rows with {backend.identity.name}")
        found = monitor(backend, rows.chats, rows.replies, source, block=options.block, tokens=options.tokens, seed=options.seed)
        added = _added(backend, rows, found, source, options)
        trace = None if options.trace is None else _trace(backend, rows, found, source, options.trace - 1)
    finally:
        backend.close()
    if options.out is not None:
        made = {name: values for name, values in added.items() if name not in ("reply",) or rows.replies is None}
        write_rows(options.out, [record | {name: values[at] for name, values in made.items()} for at, record in enumerate(rows.records)])
    for problem in rows.problems:
        print(plain(f"wager: {problem}"), file=sys.stderr)
    if options.json:
        print(json.dumps(_json(found, added, trace), indent=1, allow_nan=False))
    else:
        print("\n".join(_text(rows, found, added, trace, source, options)))
    return 1 if rows.problems else 0


def _check(options: argparse.Namespace, rows: Rows, source: Vector | Probe) -> None:
    from wager.steering.probe import Probe

    if options.trace is not None and options.trace > len(rows.chats):
        raise UsageError(f"--trace names a row from 1 to {len(rows.chats)}, got {options.trace}")
    if options.screen and rows.replies is None:
        raise UsageError("--screen compares given replies with the model's own, and DATA has none; name their column with --reply")
    if options.screen and isinstance(source, Probe):
        raise UsageError("--screen takes a vector; this file is a probe")
    taken = set(_names(options, rows, isinstance(source, Probe))) & {name for record in rows.records for name in record}
    if taken and options.out is not None:
        raise DataError(f"{str(options.data)!r} has the column {sorted(taken)[0]!r} already, which would be replaced; rename it")


def _names(options: argparse.Namespace, rows: Rows, probe: bool) -> list[str]:
    """The columns that are added."""
    own = ["reply"] if rows.replies is None else []
    return [*own, "projection_before", "projection_reply", *(["probability"] * probe), *(["own", "difference"] * options.screen)]


def _added(backend: Backend, rows: Rows, found: Monitored, source: Vector | Probe, options: argparse.Namespace) -> dict[str, Sequence[Any]]:
    """The new columns."""
    from wager.steering.monitor import screen
    from wager.steering.probe import Probe

    made: dict[str, Sequence[Any]] = {"reply": found.replies} if rows.replies is None else {}
    made |= {"projection_before": found.before, "projection_reply": found.mean}
    if isinstance(source, Probe):
        read = source.read(backend, rows.chats).tolist() if source.pool == "prompt_top" else found.at(source.pool)
        made["probability"] = [None if one is None else float(source.probability_at(one)) for one in read]
    elif options.screen and rows.replies is not None:
        told("the model's own replies")
        pairs = list(zip(rows.chats, rows.replies, strict=True))
        beside = screen(backend, pairs, source, block=options.block, tokens=options.tokens, samples=options.samples, seed=options.seed)
        made |= {name: beside[name] for name in ("own", "difference")}
    return made


def _trace(backend: Backend, rows: Rows, found: Monitored, source: Vector | Probe, at: int) -> list[tuple[str, float]]:
    """Each token of a reply that the model wrote, or each word of one that was given, with its projection.

    A given reply is read up to the end of each word: a token's activation depends on what is before it only.
    """
    from wager.steering.monitor import monitor

    if found.tokens is not None and found.pieces is not None:
        return list(zip(found.pieces[at], found.tokens[at], strict=True))
    reply = found.replies[at]
    ends = [match.end() for match in WORD.finditer(reply)]
    if not ends:
        return []
    block = None if hasattr(source, "threshold") else found.block
    beginnings = monitor(backend, [rows.chats[at]] * len(ends), [reply[:end] for end in ends], source, block=block)
    starts = [0, *ends]
    pieces = [reply[start:end] for start, end in zip(starts, ends, strict=False)]
    return [(piece, value) for piece, value in zip(pieces, beginnings.last, strict=True) if value is not None]


def _json(found: Monitored, added: Mapping[str, Sequence[Any]], trace: list[tuple[str, float]] | None) -> dict[str, Any]:
    return {
        "name": found.name,
        "block": found.block,
        "empty": found.empty,
        "columns": {name: list(values) for name, values in added.items()},
        "trace": None if trace is None else [{"text": text, "projection": value} for text, value in trace],
    }


def _text(
    rows: Rows,
    found: Monitored,
    added: Mapping[str, Sequence[Any]],
    trace: list[tuple[str, float]] | None,
    source: Vector | Probe,
    options: argparse.Namespace,
) -> list[str]:
    numbers = [name for name in added if name != "reply"]
    lines: list[Sequence[str]] = [("row", *(name.replace("projection_", "") for name in numbers), "prompt")]
    for at in range(min(SHOWN, len(rows.chats))):
        lines.append((str(at + 1), *(_value(added[name][at]) for name in numbers), _brief(rows.chats[at][-1]["content"])))
    made = [f"{plain(found.name)}, block {found.block}: projections in the activations' own units{_length(source, found.block)}"]
    made += ["", *columns(lines, left=(len(numbers) + 1,))]
    if len(rows.chats) > SHOWN:
        made.append(f"... and {len(rows.chats) - SHOWN:,} more rows")
    if found.empty:
        made.append(f"{found.empty} empty replies have no mean")
    if trace is not None:
        made += [
            "",
            f"row {options.trace}, {'token' if rows.replies is None else 'word'} by {'token' if rows.replies is None else 'word'}:",
        ]
        made += _drawn(trace)
    if options.out is not None:
        made += ["", plain(f"wrote {options.out}: {len(rows.chats):,} rows with {', '.join(added)}")]
    return made


def _drawn(trace: list[tuple[str, float]]) -> list[str]:
    """A line for each piece, with a bar whose length is its place between the smallest and the largest projection."""
    if not trace:
        return ["  (the reply is empty)"]
    low, high = min(value for _, value in trace), max(value for _, value in trace)
    wide = high - low or 1.0
    return [f"  {value:+9.2f}  {'#' * round(WIDTH * (value - low) / wide):<{WIDTH}}  {plain(text)}" for text, value in trace]


def _length(source: Vector | Probe, block: int) -> str:
    norms: Mapping[int, float] = getattr(getattr(source, "card", None), "norms", {})
    return f", whose length is {norms[block]:.4g}" if block in norms else ""


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 56 else f"{line[:53]}..."
