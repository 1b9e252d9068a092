"""``wager score``: answers that exist already, re-scored at every target."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.arguments import named_columns
from wager.cli.columns import columns, number, percent, plain
from wager.errors import MissingExtraError, UnknownNameError, UsageError
from wager.targets import DEFAULT_TARGETS, targets_from

if TYPE_CHECKING:
    import pyarrow as pa

    from wager.importers import Imported
    from wager.metrics.results import Board, BoardGroup

__all__ = ["add_parser"]

EXAMPLES = """\
examples:
  wager score wager-runs/capitals-*/answers.parquet
  wager score logs/*.eval --by model --html board.html
  wager score samples_gpqa.jsonl
  wager score answers.parquet --map item=question_id,reference=answer,answer=prediction --by model
  wager score answers.csv --map correct=is_right,confidence=p --by method --targets 0 0.5 0.75 0.9 --json
"""


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``score``."""
    parser = verbs.add_parser(
        "score",
        help="re-score existing logs, answers and leaderboards",
        description="Re-score answers that exist, without a model: Inspect logs, lm-evaluation-harness, HELM, SimpleQA grades, MMLU-Pro, "
        "SWE-bench, Every Eval Ever, wager's own tables, and any CSV, JSONL or Parquet file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files, folders and globs; the format is seen from the content")
    parser.add_argument("--map", dest="mapping", metavar="OURS=THEIRS,...", action="append", default=[], help="names of columns")
    parser.add_argument("--by", metavar="COLUMN", nargs="+", help="what makes a line of the board; default the model (and arm, target)")
    parser.add_argument("--targets", metavar="T", nargs="+", default=list(DEFAULT_TARGETS), help="in [0, 1); default 0 0.5 0.75 0.9")
    parser.add_argument("--tie", choices=["strict", "weak"], default="strict", help="answer iff confidence > t (strict, default) or >= t")
    parser.add_argument(
        "--missing",
        choices=["abstained", "incorrect", "unparsed"],
        default="unparsed",
        help="what an answer that is missing counts as; default unparsed: left out, and counted",
    )
    parser.add_argument("--match", metavar="NAME", default="text", help="how answers are compared where nothing says what is correct")
    parser.add_argument("--confidence", metavar="SOURCE", help="the confidence that comes first, such as stated or logprob")
    parser.add_argument(
        "--stakes", metavar=("ALPHA", "BETA"), nargs=2, type=float, default=(1.0, 1.0), help="Beta distribution of t for expected_score"
    )
    parser.add_argument("--bins", metavar="N", type=int, help="equal-width bins of the ECE; default 10, or one for each value if few")
    parser.add_argument("--model", metavar="NAME", help="name of the model, for files that do not say")
    parser.add_argument("--task", metavar="NAME", help="name of the task, for files that do not say")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write the explorer page")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the answers: .parquet (ours) or .jsonl (Every Eval Ever)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
    parser.set_defaults(run=run, stopped="files are written whole or not at all, so run it again")


def run(options: argparse.Namespace) -> int:
    """Reads, scores, prints. Files that cannot be used are named on standard error, and the exit status is then 1."""
    from wager.importers import read_answers

    goals = [target.t for target in targets_from(options.targets)]
    by: list[str] = options.by or []
    if options.bins is not None and options.bins < 1:
        raise UsageError(f"--bins is at least 1, got {options.bins}")
    if options.write is not None and options.write.suffix not in (".parquet", ".jsonl"):
        raise UsageError(f"--write makes .parquet or .jsonl, got {options.write.name!r}")
    found = read_answers(
        options.paths,
        mapping=named_columns("--map", options.mapping),
        missing=options.missing,
        comparison=options.match,
        keep=by,
        texts=options.write is not None,
        model=options.model,
        task=options.task,
    )
    from wager.metrics.board import GRID, board
    from wager.metrics.calibration import EqualWidth

    made = board(
        found.table,
        goals,
        by=_columns(by, found) if by else None,
        missing=options.missing,
        is_missing=found.missing,
        tie=options.tie,
        stakes=tuple(options.stakes),
        source=options.confidence,
        bins=EqualWidth(options.bins) if options.bins else None,
        grid=GRID if options.html else goals,
    )
    written = _write(options, found, made)
    if options.json:
        from wager.metrics.contract import board_json

        sources = [{"path": one.path, "format": one.format, "rows": one.rows, "notes": list(one.notes)} for one in found.sources]
        result = board_json(made) | {"sources": sources, "problems": list(found.problems)}
        result["notes"] = [*found.notes, *result["notes"]]
        print(json.dumps(result, indent=1, allow_nan=False))
    else:
        print(_text(made, found, written))
    for problem in found.problems:
        print(plain(f"wager: {problem}"), file=sys.stderr)
    return 1 if found.problems else 0


def _columns(by: list[str], found: Imported) -> dict[str, pa.ChunkedArray]:
    ours = found.table.arrow
    known = [name for name in ours.column_names if name not in ("reference", "item")]
    made = {}
    for name in by:
        if name in found.columns.column_names:
            made[name] = found.columns.column(name)
        elif name in known:
            made[name] = ours.column(name)
        else:
            raise UnknownNameError("column", name, [*known, *found.columns.column_names])
    return made


def _write(options: argparse.Namespace, found: Imported, made: Board) -> list[Path]:
    written = []
    if options.write is not None:
        if options.write.suffix == ".jsonl":
            from wager.importers import write_every_eval_ever

            write_every_eval_ever(found.table, options.write)
        else:
            found.table.write(options.write)
        written.append(options.write)
    if options.html is not None:
        try:
            from wager.report.explorer import ExplorerInfo, write_explorer
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "altair", "report", "wager score --html") from error
        from wager import __version__

        info = ExplorerInfo(
            title=", ".join(sorted({str(task) for task in found.table.arrow.column("task").unique().to_pylist()}))[:120],
            command=shlex.join(["wager", *sys.argv[1:]]),
            sources=tuple((one.path, one.format, one.rows) for one in found.sources),
            notes=found.notes,
            versions={"wager": __version__},
        )
        write_explorer(options.html, made, info)
        written.append(options.html)
    return written


def _text(made: Board, found: Imported, written: list[Path]) -> str:
    """The boards for the terminal."""
    missing = int(found.missing.sum())
    counted = "left out, and counted" if made.missing == "unparsed" else f"counted as {made.missing}"
    lines = [
        f"{len(found.table):,} answers, {len(made.groups)} groups, {missing:,} missing" + (f" ({counted})" if missing else ""),
        "",
        *columns(_board_rows(made)),
        "",
        'score ± half its 95 % interval: +1 right, -t/(1-t) wrong, 0 for "I don\'t know"; always saying it scores 0 at every t',
        "rank (from-to): the places that the data allow, for all lines together",
        *_moved(made),
    ]
    quality = _quality_rows(made)
    if len(quality) > 1:
        lines += ["", *columns(quality)]
        lines += ["", f"points lost at t={made.targets[-1]:g}", *columns(_lost_rows(made, f"{made.targets[-1]:g}"))]
        lines += ["", "a threshold simulation: what acting on this confidence would have scored, not what the model does when told t"]
    lines += _followed(made)
    lines += [plain(f"note: {note}") for note in (*found.notes, *made.notes)]
    lines += [plain(f"read {one.path} ({one.format}, {one.rows:,} answers)") for one in found.sources[:8]]
    if len(found.sources) > 8:
        lines.append(f"read {len(found.sources) - 8} more files")
    lines += [f"wrote {path}" for path in written]
    return "\n".join(lines)


def _board_rows(made: Board) -> list[tuple[str, ...]]:
    goals = [f"{t:g}" for t in made.targets]
    head = ["", "answers", "answered", "right", *(part for t in goals for part in (f"t={t}", "rank"))]
    if any(group.missing for group in made.groups):
        head.insert(2, "missing")
    rows = [tuple(head)]
    place = {f"{t:g}": at for at, t in enumerate(made.grid)}
    for group in sorted(made.groups, key=lambda one: _order(one, place, goals)):
        row = [group.name, f"{group.n:,}", percent(group.rates["answered"]), percent(group.rates["accuracy_answered"])]
        if any(one.missing for one in made.groups):
            row.insert(2, f"{group.missing:,}")
        for t in goals:
            score, at = group.score[t], place[t]
            rank, low, high = group.ranks.rank[at], group.ranks.low[at], group.ranks.high[at]
            wide = "" if score.low is None or score.high is None else f" ±{(score.high - score.low) / 2:.2f}"
            row += [
                number(score.value) + wide,
                "-" if rank is None else f"{rank} ({low}-{high})" if low != high else f"{rank}",
            ]
        rows.append(tuple(row))
    return rows


def _followed(made: Board) -> list[str]:
    """Whether models that were told targets follow them."""
    lines = []
    for one in made.behaviour:
        failed = [f"{cell.kind} at t={cell.target:g}" for cell in one.cells if cell.holds is False]
        whose = f"{one.by['model']} on {one.by['task']}"
        checks = f"not behaviourally calibrated ({', '.join(failed)})" if failed else "no check of behavioural calibration fails"
        lines.append(plain(f"{whose}: {checks}"))
        for source, slope in one.slope.items():
            agreed = ", ".join(f"{percent(o.agreement)} at t={o.target:g}" for o in one.obedience if o.source == source and o.target > 0)
            if slope is not None:
                follows = f"its implied threshold moves {slope:.2f} for 1 of the target (1 follows it, 0 ignores it)"
                lines.append(f"  {follows}; it acts as its {source} confidence says on {agreed}")
    return ["", *lines] if lines else []


def _moved(made: Board) -> list[str]:
    """Whose place hangs on what a missing answer counts as."""
    moved: list[tuple[int, float, int, str]] = []
    for number_of, group in enumerate(made.groups):
        ranks = group.ranks
        for at, t in enumerate(made.grid):
            wrong, held = ranks.if_incorrect[at], ranks.if_abstained[at]
            if t in made.targets and wrong is not None and held is not None and wrong != held:
                said = f"rank {wrong} at t={t:g} if they count as wrong, {held} if as abstentions"
                moved.append((-abs(wrong - held), t, number_of, f"  {group.name} ({group.missing:,} missing): {said}"))
    if not moved:
        return []
    farthest: dict[int, str] = {}
    for _, _, number_of, line in sorted(moved):
        farthest.setdefault(number_of, line)
    head = f"what missing answers count as (--missing) moves {len(farthest)} of {len(made.groups)} places, most of all:"
    return ["", head, *(plain(line) for line in list(farthest.values())[:5])]


def _order(group: BoardGroup, place: dict[str, int], goals: list[str]) -> tuple[float, ...]:
    ranks = (group.ranks.rank[place[t]] for t in goals)
    return tuple(float("inf") if rank is None else float(rank) for rank in ranks)


def _quality_rows(made: Board) -> list[tuple[str, ...]]:
    names = ("brier", "log_loss", "ece", "smooth_ece", "overconfidence", "auroc", "aurc", "augrc")
    goals = [f"{t:g}" for t in made.targets if t > 0]
    rows: list[tuple[str, ...]] = [("confidence", "answers", *(name.replace("_", " ") for name in names), *(f"score t={t}" for t in goals))]
    for group in made.groups:
        for one in group.confidences:
            values = [one.metrics[name].value for name in names]
            shown = ["-" if value is None else f"{value:.4f}" for value in values]
            rows.append((f"{group.name}, {one.source}", f"{one.n:,}", *shown, *(number(one.score[t].value) for t in goals)))
    return rows


def _lost_rows(made: Board, t: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", "does not act on its confidence", "confidence is off", "cannot tell right from wrong")]
    for group in made.groups:
        for one in group.confidences:
            parts = one.lost[t]
            if all(part.value is None for part in parts.values()):
                continue  # told another target
            values = (parts[name].value for name in ("disobedience", "miscalibration", "indistinction"))
            rows.append((f"{group.name}, {one.source}", *(number(value) for value in values)))
    return rows
