"""``wager audit``: does a benchmark pay for bluffing?"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.arguments import named_values
from wager.cli.columns import columns
from wager.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from wager.audit.results import Audit, Evidence
    from wager.audit.survey import Surveyed

__all__ = ["add_parser"]

EXAMPLES = """\
examples:
  wager audit inspect_evals/gpqa_diamond
  wager audit my_task.py@exam --limit 10 --json
  wager audit inspect_evals/mmlu_pro --items my_records.jsonl
  wager audit inspect_evals/simpleqa --grader openai/gpt-4o-mini
  wager audit --survey
  wager audit --all inspect_evals
"""

SHOWN = 2
"""Pieces of evidence printed for each finding; --json has all."""


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``audit``."""
    parser = verbs.add_parser(
        "audit",
        help="does a benchmark pay for bluffing?",
        description="Run a benchmark's own prompt and scorer on scripted replies, and say what guessing and abstaining earn.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", metavar="TASK", nargs="?", help="package/task, file.py@task, or one of ours")
    parser.add_argument("--all", metavar="PACKAGE", help="audit every task of an installed package, such as inspect_evals")
    parser.add_argument("--survey", action="store_true", help="audit the paper's ten benchmarks, offline, beside what the paper says")
    parser.add_argument("--limit", metavar="K", type=int, default=5, help="items of each task; default 5")
    parser.add_argument(
        "--items", metavar="FILE", type=Path, help="raw records in the format of the task's data set, instead of its download"
    )
    parser.add_argument(
        "--accuracy", metavar="P", type=float, nargs="+", help="accuracies at which guessing is compared; default 0.25 0.5 0.75"
    )
    parser.add_argument("--grader", metavar="M", help="a real model for model-graded tasks; without it grades are scripted")
    parser.add_argument("--scorer", metavar="NAME", help="which scorer, where the task has several; default the first")
    parser.add_argument("--key", metavar="NAME", help="which entry counts, where the scorer gives several values")
    parser.add_argument("--source", metavar="FILE", type=Path, nargs="+", default=[], help="more source files of the harness to scan")
    parser.add_argument("--seconds", metavar="S", type=float, default=60.0, help="with --all: how long one task may take; default 60")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")
    parser.add_argument("-T", dest="task_args", metavar="NAME=VALUE", action="append", default=[], help="argument of the task")
    parser.set_defaults(run=run, stopped="nothing was kept, so run it again")


def run(options: argparse.Namespace) -> int:
    """Parses, audits, prints. Findings do not change the exit status; a survey in which nothing could be audited does."""
    if sum([options.task is not None, options.all is not None, options.survey]) != 1:
        raise UsageError("wager audit takes one of: a TASK, --all PACKAGE, or --survey")
    if options.task is None:
        single = {
            "--items": options.items,
            "--scorer": options.scorer,
            "--key": options.key,
            "--source": options.source,
            "-T": options.task_args,
        }
        for name, value in single.items():
            if value:
                raise UsageError(f"{name} belongs to one task; give a TASK instead of {'--survey' if options.survey else '--all'}")
    try:
        from wager.audit import audit
        from wager.audit.run import ACCURACIES
        from wager.audit.survey import audit_package, survey
        from wager.evals.resolve import resolve_model
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "inspect-ai", "evals", "wager audit") from error
    from wager.metrics.results import to_json

    accuracies = tuple(options.accuracy or ACCURACIES)
    grader = resolve_model(options.grader) if options.grader else None
    if options.task is not None:
        found = audit(
            options.task,
            task_args=named_values("-T", options.task_args, paths=True),
            limit=options.limit,
            items=options.items,
            accuracies=accuracies,
            grader=grader,
            scorer=options.scorer,
            key=options.key,
            sources=options.source,
        )
        print(json.dumps(_with_gains(found, to_json(found)), indent=1, allow_nan=False) if options.json else audit_text(found))
        return 0
    if options.survey:
        rows = _shown(survey(limit=max(options.limit, 6), accuracies=accuracies, grader=grader))
    else:
        rows = _shown(audit_package(options.all, limit=options.limit, accuracies=accuracies, grader=grader, seconds=options.seconds))
    if options.json:
        print(json.dumps({"schema": 1, "rows": [to_json(row) | {"agrees": row.agrees} for row in rows]}, indent=1, allow_nan=False))
    else:
        print(survey_text(rows))
    return 0 if any(row.found for row in rows) else 1


def _with_gains(found: Audit, made: dict[str, Any]) -> dict[str, Any]:
    for gain, row in zip(found.gains, made["gains"], strict=True):
        row["gain"] = gain.gain
    return {"schema": made.pop("schema")} | made


def _shown(rows: Iterable[Surveyed]) -> list[Surveyed]:
    """All rows, with one line of progress for each on a terminal."""
    kept = []
    for row in rows:
        kept.append(row)
        if sys.stderr.isatty():
            print(f"\r\033[K{len(kept)}  {row.benchmark}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return kept


def audit_text(found: Audit) -> str:
    """The audit for the terminal."""
    lines = [
        f"{found.task}: {found.n_items} items from {found.items_from}",
        f'scoring: {found.method}; binary: {_yes(found.binary)}; credit for "I don\'t know": {found.idk_credit or "unknown"}',
        f"the right reply was written as: {found.answer_format}",
    ]
    if found.grader:
        lines.append(f"grader: {found.grader}")
    lines.append("")
    rows: list[tuple[str, ...]] = [("reply", "credit", "items", "left out", "for example")]
    for row in found.payoffs:
        example = textwrap.shorten(row.example.replace("\n", " / "), 60, placeholder="...") or "(nothing)"
        rows.append((row.reply, _number(row.credit), str(row.n), str(row.n_ungraded), example))
    lines += columns(rows, left=(0, 4))
    lines.append("")
    if found.threshold is None:
        lines.append("from which confidence on guessing pays: unknown")
    else:
        lines.append(f"guessing pays above a confidence of {found.threshold:.2f}{': every guess pays' if found.threshold == 0 else ''}")
    for gain in found.gains:
        who = "a random option" if gain.source == "random option" else "a model"
        lines.append(
            f"  {who} that is right with p = {gain.accuracy:.2f} earns {gain.guess:+.2f} by guessing, {gain.abstain:+.2f} by abstaining: "
            f"{gain.gain:+.2f} for each guess"
        )
    for finding in found.findings:
        lines += ["", f"{finding.severity.upper():6}  {finding.title}"]
        lines += [f"        {line}" for evidence in finding.evidence[:SHOWN] for line in _evidence(evidence)]
        if finding.remedy:
            lines.append(f"        do: {finding.remedy}")
    return "\n".join(lines)


def _evidence(evidence: Evidence) -> list[str]:
    if evidence.line:
        return [f"{evidence.where}: {evidence.line}"]
    lines = [f"{evidence.where}:"]
    if evidence.prompt:
        lines.append(f"  asked   {_tail(evidence.prompt)!r}")
    return [*lines, f"  replied {evidence.reply!r}", f"  scored  {evidence.score}"]


def _tail(text: str) -> str:
    return text if len(text) <= 160 else f"...{text[-157:]}"


def survey_text(rows: list[Surveyed]) -> str:
    """The survey's table, and below it why some rows are unknown."""
    published = any(row.published for row in rows)
    head = ("benchmark", "scoring method", "binary", "IDK credit")
    table: list[tuple[str, ...]] = [(*head[:2], "binary: paper", "found", "IDK credit: paper", "found") if published else head]
    for row in rows:
        method = row.published.method if row.published else row.found.method if row.found else "unknown"
        binary, idk = (_yes(row.found.binary), row.found.idk_credit or "unknown") if row.found else ("unknown", "unknown")
        if row.published:
            table.append((row.benchmark, method, _yes(row.published.binary), binary, row.published.idk_credit, idk))
        elif row.found:
            table.append((row.benchmark, method, binary, idk))
    lines = columns(table, left=range(6)) if len(table) > 1 else []
    run = [row for row in rows if row.found]
    agree = [row for row in run if row.agrees]
    lines += ["", f"{len(run)} of {len(rows)} audited" + (f", {len(agree)} as published" if published else "")]
    scripted = [row.benchmark for row in run if row.found and row.found.grader and row.found.grader.startswith("scripted")]
    if scripted:
        lines.append(
            f"grader of {', '.join(scripted)}: scripted; says how the harness turns grades into points, not how a real grader behaves"
        )
    for row in rows:
        if row.found is None:
            lines.append(f"not run here: {row.benchmark}: {row.why_not}")
    if published:
        for row in run:
            more = [f for f in row.found.findings if f.severity == "high" and "was scored as correct" in f.title] if row.found else []
            lines += [f"found in {row.benchmark}: {finding.title}" for finding in more]
    return "\n".join(lines)


def _yes(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
