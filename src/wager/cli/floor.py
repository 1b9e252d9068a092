"""``wager floor``: how much hallucination is baked into data, before any training."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli import train
from wager.cli.columns import columns, plain
from wager.errors import DataError, UsageError, WagerError

if TYPE_CHECKING:
    from wager.corpus.counted import Counted, Engine
    from wager.facts import FactCounts, Part
    from wager.theory.results import Bound, Floor, Quantity

__all__ = ["add_parser"]

EXAMPLES = """\
examples:
  wager floor legislators.csv --prompt name --answer birthday --errors 365 --html floor.html
  wager floor data/*.parquet --messages messages --list once.parquet
  wager floor wiki.txt --facts born
  wager floor s3://bucket/corpus --format parquet --engine spark --master spark://host:7077
  wager floor corpus.parquet --sample 1/100
  wager floor --print-sql bigquery --prompt prompt --answer answer
  wager floor counts-*.parquet
  wager floor --train --html trained.html
"""

ENGINES = ("duckdb", "spark", "polars")
SHOWN = 3
"""Contradictions printed; --json and the page have all."""


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``floor``."""
    parser = verbs.add_parser(
        "floor",
        help="how much hallucination is baked into data",
        description="Count how often each fact is stated, and say which error no calibrated model trained on it gets under.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("data", metavar="DATA", nargs="*", help="Parquet, JSONL, CSV or text: files, folders, globs, addresses; or fact counts")
    add("--prompt", metavar="COL", help="column of the prompt; several, separated by commas, are joined")
    add("--answer", metavar="COL", help="column of the answer; of a list, the first")
    add("--messages", metavar="COL", help="column of chat records: each user turn with the assistant's next")
    add(
        "--facts",
        metavar="EXTRACTOR",
        help="find facts in text: born, died, lived, born-in, capital, all, ...; module:function; FILE.sql",
    )
    add("--text", metavar="COL", help="column that --facts reads")
    add("--format", choices=("parquet", "jsonl", "csv", "text"), help="where names do not tell it")
    add("--engine", choices=ENGINES, default="duckdb", help="default duckdb")
    add("--master", metavar="URL", help="of Spark; default local[*], or what spark-submit sets")
    add("--errors", metavar="N", type=int, help="wrong answers that each prompt can have, |E_c|: 364 for a day of the year")
    add("--confidence", metavar="P", type=float, default=0.99, help="with which the bounds hold; default 0.99")
    add("--sample", metavar="1/K", help="count only 1/K of the prompts, with all their rows; N stays exact")
    add("--part", metavar="I/K", help="count the I-th of K parts of the prompts (from 0), to add up later")
    add("--row-sampled", action="store_true", help="the rows are themselves a sample of a larger corpus")
    add("--memory", metavar="MB", type=int, default=1000, help="of this process, with DuckDB; default 1000")
    add("--temp", metavar="FOLDER", type=Path, help="for what does not fit into memory")
    add("--examples", metavar="K", type=int, default=10, help="contradictions to show; 0 spares a second pass; default 10")
    add("--list", metavar="FILE", type=Path, help="write the facts seen once as Parquet")
    add("--counts", metavar="FILE", type=Path, help="write the fact counts as Parquet; counts of disjoint parts add up")
    add("--print-sql", metavar="DIALECT", help="print the query for a warehouse: duckdb, spark, bigquery or trino")
    add("--table", metavar="NAME", default="corpus", help="with --print-sql: what to read; default corpus")
    add("--train", action="store_true", help="train an n-gram and a small transformer on a made-up corpus, beside its floor")
    add("--people", metavar="K", type=int, help="with --train: facts in the made-up world")
    add("--samples", metavar="N", type=int, help="with --train: training samples")
    add("--law", choices=("zipf", "uniform"), default="zipf", help="with --train: how often each is asked; default zipf")
    add("--exponent", metavar="S", type=float, help="with --train: of Zipf's law; default 0.5")
    add("--epochs", metavar="K", type=int, help="with --train: passes of the transformer over the data; default 30")
    add("--seed", metavar="N", type=int, default=0, help="with --train; default 0")
    add("--folder", metavar="FOLDER", type=Path, help="with --train: keeps its state there, so that a rerun goes on")
    add("--json", action="store_true", help="print the result as JSON on standard output")
    add("--html", metavar="FILE", type=Path, help="write a page that works offline")
    parser.set_defaults(run=run, stopped="no result was written; nothing partial is left")


def run(options: argparse.Namespace) -> int:
    """Parses, counts, prints."""
    try:
        return _run(options)
    except WagerError as error:  # names and lines of files may be in it, and must steer no terminal
        raise WagerError(plain(str(error))) from error


def _run(options: argparse.Namespace) -> int:
    if options.print_sql:
        return _print_sql(options)
    options.command = _command(options)
    if options.train:
        return train.run(options)
    if not options.data:
        raise UsageError("wager floor takes DATA: files, folders or globs; or --train, or --print-sql DIALECT")
    _check(options)
    from wager.metrics.results import to_json
    from wager.theory.floor import floor_of

    counted = _counted(options)
    counts = counted.counts.declared_row_sampled() if options.row_sampled else counted.counts
    warnings = [] if counted.unreadable is None else [f"the first line that could not be read: {plain(counted.unreadable)}"]
    floor = floor_of(counts, errors=options.errors, confidence=options.confidence, contradictions=counted.contradictions, warnings=warnings)
    if options.counts:
        counts.write(options.counts)
    if options.html:
        from wager.report import write_floor_page

        write_floor_page(options.html, floor, command=options.command)
    if options.json:
        print(json.dumps({"schema": 1} | to_json(floor), indent=1, allow_nan=False))
        return 0
    print(floor_text(floor))
    for place in _written(options):
        print(f"wrote {plain(str(place))}{_partly(counts.part) if place == options.list else ''}")
    return 0


def _partly(part: Part) -> str:
    return "" if part.share == 1 else f" (of {part.share:.3%} of the prompts)"


def _written(options: argparse.Namespace) -> list[Path]:
    return [place for place in (options.html, options.list, options.counts) if place is not None]


def _check(options: argparse.Namespace) -> None:
    """What can be told before a count that may take hours."""
    from wager.theory.floor import check_options

    check_options(options.errors, options.confidence)
    if options.examples < 0:
        raise UsageError(f"--examples is at least 0, got {options.examples}")
    if options.temp is not None and not options.temp.is_dir():
        raise UsageError(f"--temp {str(options.temp)!r} is no folder")
    places = _written(options)
    for place in places:
        if not place.parent.is_dir():
            raise UsageError(f"there is no folder {str(place.parent)!r} to write {place.name!r} to")
        if place.is_dir():
            raise UsageError(f"{str(place)!r} is a folder: give the name of a file to write")
    if len({place.resolve() for place in places}) < len(places):
        raise UsageError("--html, --list and --counts each need a file of their own")


def _spare(options: argparse.Namespace, read: Sequence[str]) -> None:
    """Nothing that is read may be written over."""
    for place in _written(options):
        if place.exists() and any(Path(path).exists() and place.samefile(path) for path in read):
            raise UsageError(f"{str(place)!r} is among the DATA and would be lost: write to another file")


def _command(options: argparse.Namespace) -> str:
    import shlex
    import sys

    return shlex.join(["wager", *sys.argv[1:]]) if sys.argv[1:2] == ["floor"] else shlex.join(["wager", "floor", *options.data])


def _print_sql(options: argparse.Namespace) -> int:
    from wager.corpus.query import printed

    if options.data or options.messages or options.facts or options.json or _written(options):
        raise UsageError(
            "--print-sql prints a query for columns of one table: it takes --table, --prompt, --answer, --sample and --part only"
        )
    columns_of = {"prompt": options.prompt or "prompt", "answer": options.answer or "answer"}
    print(printed(options.print_sql, table=options.table, **columns_of, part=_part(options)), end="")
    return 0


def _part(options: argparse.Namespace) -> Part:
    from wager.facts import Part

    if options.sample and options.part:
        raise UsageError("give --sample or --part, not both")
    if options.sample:
        one, total = _fraction("--sample", options.sample)
        if one != 1:
            raise UsageError(f"--sample takes 1/K, such as 1/100, got {options.sample!r}")
        return Part(total, (0,))
    if options.part:
        number, total = _fraction("--part", options.part)
        return Part(total, (number,))
    return Part()


def _fraction(option: str, text: str) -> tuple[int, int]:
    above, slash, below = text.partition("/")
    if not slash or not above.strip().isdigit() or not below.strip().isdigit() or int(below) < 1:
        raise UsageError(f"{option} takes two whole numbers such as 1/100, got {text!r}")
    return int(above), int(below)


def _counted(options: argparse.Namespace) -> Counted:
    from wager.corpus.counted import Counted
    from wager.corpus.reading import expanded, files_of, shape_of

    found = expanded(options.data)
    _spare(options, found)
    kept = _kept_counts(found, _part(options))
    if kept is not None:
        if idle := [f"--{name}" for name in ("list", "prompt", "answer", "messages", "facts", "text", "master") if getattr(options, name)]:
            raise UsageError(f"{idle[0]} needs the data: fact counts do not hold the facts")
        return Counted(kept)
    files = files_of(found, form=options.format)
    engine = _engine(options)
    shape = shape_of(
        engine.columns(files),
        prompt=options.prompt,
        answer=options.answer,
        messages=options.messages,
        facts=options.facts,
        text=options.text,
    )
    part = _part(options)
    return engine.count(files, shape, part=part, examples=options.examples, singletons=str(options.list) if options.list else None)


def _kept_counts(paths: Sequence[str], part: Part) -> FactCounts | None:
    """The sum of the fact counts that these files hold; None if they hold data. `part` is that of a query printed for a part."""
    from wager.facts import COLUMNS, FactCounts

    kept = [path for path in paths if Path(path).is_file() and _header(path) >= set(COLUMNS)]
    if not kept:
        return None
    if len(kept) < len(paths):
        other = next(path for path in paths if path not in kept)
        raise DataError(f"{kept[0]!r} holds fact counts, {other!r} does not: give one kind")
    total, *rest = (FactCounts.read(path, part=part if part.modulus > 1 else None) for path in kept)
    for one in rest:
        total = total + one
    return total


def _header(path: str) -> set[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.endswith(".parquet"):
            return set(pq.read_schema(path).names)
        if path.endswith(".csv"):
            with Path(path).open(encoding="utf-8", errors="replace") as file:
                return set(file.readline().strip().replace('"', "").split(","))
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path!r} cannot be read: {error}") from error
    return set()


def _engine(options: argparse.Namespace) -> Engine:
    if options.master and options.engine != "spark":
        raise UsageError("--master belongs to --engine spark")
    if options.engine == "spark":
        from wager.corpus.spark import Spark

        return Spark(master=options.master)
    if options.engine == "polars":
        from wager.corpus.polars import Polars

        return Polars()
    from wager.corpus.duck import DuckDB

    return DuckDB(memory=options.memory, folder=str(options.temp) if options.temp else None)


def floor_text(floor: Floor) -> str:
    """The floor for the terminal."""
    lines = [f"{plain(floor.source)}: {plain(floor.about.get('read as', 'fact counts'))}", ""]
    lines += [f"WARNING: {plain(warning)}" for warning in floor.warnings]
    lines += columns([(one.name, _value(one), _interval(one)) for one in floor.quantities], left=(0, 2))
    for bound in (floor.lower, floor.upper):
        lines += ["", *_bound(bound)]
    lines += ["", "if the facts seen once were all ...             sr     at least   at most"]
    names = {"repeat": "stated once more", "abstain": 'answered "I don\'t know"', "drop": "left out"}
    for one in floor.remedies:
        if one.share == 1:
            ends = [f"{end:.4f}" if end is not None else "unknown" for end in (one.lower, one.upper)]
            lines.append(f"  {names[one.kind]:40}  {one.singleton_rate:.4f}   {ends[0]:>8}  {ends[1]:>8}")
    if floor.contradictions:
        lines += ["", "prompts with several answers, the most frequent:"]
        for contradiction in floor.contradictions[:SHOWN]:
            told = "; ".join(f"{_short(answer)} ({rows:,})" for answer, rows in contradiction.answers)
            lines.append(f"  {_short(contradiction.prompt)}: {told}")
    left = ", ".join(f"{count:,} {name}" for name, count in floor.left_out.items())
    lines += ["", f"left out: {left}" if left else "left out: nothing"]
    lines += ["what these numbers do not say:", *(f"  {one.name}: {one.not_said}" for one in _told_about(floor))]
    return "\n".join(lines)


def _told_about(floor: Floor) -> list[Quantity]:
    keys = ("singleton_rate", "missing_mass", "memoriser_error", "contradicted")
    return [one for one in floor.quantities if one.key in keys]


def _short(text: str) -> str:
    text = " ".join(plain(text).split())
    return text if len(text) <= 70 else f"{text[:67]}..."


def _value(one: Quantity) -> str:
    if one.value is None:
        return "unknown"
    return f"{one.value:,.0f}" if one.unit == "count" else f"{one.value:.4f}"


def _interval(one: Quantity) -> str:
    if one.value is None:
        return one.unknown or ""
    ends = f"[{one.low:.4f}, {one.high:.4f}]  " if one.low is not None and one.high is not None else ""
    return f"{ends}{one.method or ''}".strip()


def _bound(bound: Bound) -> list[str]:
    side = "no calibrated model errs less than" if bound.side == "lower" else "one calibrated learner errs at most"
    if bound.value is None:
        verdict = "unknown"
    elif bound.vacuous:
        verdict = f"{bound.value:.4f}: VACUOUS, it says nothing"
        if bound.not_vacuous_from:
            verdict += f"; with the same rates it would say something from N = {bound.not_vacuous_from:,}"
    else:
        verdict = f"{bound.value:.4f}"
    rows = [(f"  {term.symbol}", "not stated" if term.value is None else f"{term.value:+.4f}", term.meaning) for term in bound.terms]
    return [f"{bound.name} ({100 * bound.confidence:g} %): {side} {verdict}", *columns(rows, left=(0, 2)), f"  {bound.not_said}"]
