"""``wager eval``: any Inspect task under confidence targets."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.arguments import named_values
from wager.cli.columns import columns, number, percent, plain
from wager.cli.dials import add_dials, model_and_dials
from wager.errors import MissingExtraError, OutputError
from wager.targets import DEFAULT_TARGETS, targets_from

if TYPE_CHECKING:
    from wager.evals.collect import Collected
    from wager.evals.settings import EvalSettings
    from wager.metrics.results import Group, Summary

__all__ = ["add_parser"]

EXAMPLES = """\
examples:
  wager eval capitals
  wager eval capitals --model openai/gpt-4o-mini --targets 0 0.5 0.9
  wager eval inspect_evals/gpqa_diamond --model anthropic/claude-sonnet-4-5 --limit 50
  wager eval my_task.py@exam --model gguf/model.gguf --ask-confidence
  wager eval capitals --dial hallucination=-0.5 --gate known
  wager eval questions -T data=qa.csv --arms closed open consistency --samples 3
"""


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``eval``."""
    parser = verbs.add_parser(
        "eval",
        help="run a benchmark under confidence targets",
        description='Run any Inspect task under confidence targets: +1 for right, -t/(1-t) for wrong, 0 for "I don\'t know".',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", metavar="TASK", help="capitals, letters, birthdays, questions, package/task, or file.py@task")
    parser.add_argument(
        "--model", metavar="M", default="embedded", help="embedded (default), gguf/PATH, or an Inspect model such as openai/..."
    )
    parser.add_argument(
        "--targets", metavar="T", nargs="+", default=list(DEFAULT_TARGETS), help="confidence targets in [0, 1); default 0 0.5 0.75 0.9"
    )
    parser.add_argument(
        "--arms", metavar="ARM", nargs="+", default=["closed", "open"], help="closed, open, consistency; default closed open"
    )
    parser.add_argument("--samples", metavar="K", type=int, help="samples of each question; default 1 (2 with the consistency arm)")
    parser.add_argument("--limit", metavar="N", type=int, help="only the first N items")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder of the results; default under wager-runs/")
    parser.add_argument("--fresh", action="store_true", help="start over: delete the answers that the folder holds")
    parser.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
    parser.add_argument("--ask-confidence", action="store_true", help="ask for a closing 'CONFIDENCE: p' line")
    parser.add_argument("--note-in-dataset", action="store_true", help="put the target into the samples (needed for agents)")
    parser.add_argument("--scorer", metavar="NAME", help="which scorer decides, where the task has several; default the first")
    parser.add_argument("--tie", choices=["strict", "weak"], default="strict", help="answer iff confidence > t (strict, default) or >= t")
    parser.add_argument(
        "--temperature", type=float, help="sampling temperature; default: the task's own, 0 for a local model, 1 with K > 1"
    )
    parser.add_argument("--max-tokens", metavar="N", type=int, help="longest reply")
    parser.add_argument("--max-connections", metavar="N", type=int, help="concurrent calls")
    parser.add_argument("--max-retries", metavar="N", type=int, default=5, help="tries again before an answer is failed; default 5")
    parser.add_argument("--timeout", metavar="SECONDS", type=int, help="for one call, tries included")
    parser.add_argument("--logprobs", action=argparse.BooleanOptionalAction, default=None, help="ask for token log-probabilities")
    parser.add_argument("--model-base-url", metavar="URL", help="base URL of the model's server")
    parser.add_argument("-T", dest="task_args", metavar="NAME=VALUE", action="append", default=[], help="argument of the task")
    parser.add_argument("-M", dest="model_args", metavar="NAME=VALUE", action="append", default=[], help="argument of the model provider")
    add_dials(parser)
    parser.set_defaults(run=run, stopped="what was answered is kept, and the same command goes on")


def run(options: argparse.Namespace) -> int:
    """Parses, runs, prints. A run that the user stopped is reported as far as it came."""
    targets = targets_from(options.targets)
    try:
        from wager.evals.resolve import canonical_task
        from wager.evals.settings import EvalSettings
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "inspect-ai", "quickstart", "wager eval") from error
    settings = EvalSettings(
        task=canonical_task(options.task),
        **model_and_dials(options),
        targets=targets,
        arms=tuple(options.arms),
        samples=options.samples,
        limit=options.limit,
        out=options.out,
        task_args=named_values("-T", options.task_args, paths=True),
        model_base_url=options.model_base_url,
        ask_confidence=options.ask_confidence,
        note_in_dataset=options.note_in_dataset,
        headline=options.scorer,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        max_connections=options.max_connections,
        max_retries=options.max_retries,
        timeout=options.timeout,
        logprobs=options.logprobs,
    )
    from wager.evals.progress import Progress
    from wager.evals.run import run as run_eval
    from wager.metrics.results import to_json
    from wager.metrics.summary import summarise

    started = time.time()
    collected = run_eval(settings, fresh=options.fresh, progress=Progress())
    seconds = time.time() - started
    summary = summarise(collected.table, [target.t for target in targets], tie=options.tie)
    result = {
        "schema": summary.schema,
        "task": settings.task,
        "model": settings.named,
        **to_json(summary),
        "run": _facts(collected, seconds),
        **({"steering": _steering(settings, collected)} if settings.steering else {}),
    }
    written = _write(settings, collected, summary, result, started, seconds)
    if options.json:
        print(json.dumps(result, indent=1, allow_nan=False))
    else:
        print(_text(settings, collected, summary, written))
    if collected.errors:
        message, count = collected.errors[0]
        total = sum(number for _, number in collected.errors)
        print(f"wager: {total} answers failed ({count} x {message}); the same command asks for them again", file=sys.stderr)
    if collected.interrupted:
        raise KeyboardInterrupt
    if collected.missing:
        print(f"wager: {collected.missing} answers are still missing; the same command goes on", file=sys.stderr)
    return 1 if collected.errors or collected.missing else 0


def _facts(collected: Collected, seconds: float) -> dict[str, Any]:
    return {
        "seconds": round(seconds, 2),
        "calls": collected.calls,
        "missing": collected.missing,
        "tokens_in": collected.tokens_in,
        "tokens_cached": collected.tokens_cached,
        "tokens_out": collected.tokens_out,
        "cost": collected.cost,
        "scorer": collected.headline,
        "conflicts": [{"line": line, "prompts": count} for line, count in collected.conflicts],
        "errors": [{"message": message, "answers": count} for message, count in collected.errors],
    }


def _steering(settings: EvalSettings, collected: Collected) -> dict[str, Any]:
    pushed, answers = collected.pushed or (0, 0)
    return {**settings.steering, "pushed": pushed, "answers": answers}


def _steered(settings: EvalSettings, collected: Collected) -> list[str]:
    """What was done to the model, in lines."""
    if not settings.steering:
        return []
    done = _steering(settings, collected)
    lines = [f"dial {one['trait']}: dose {one['dose']:g} at block {one['block']} (SHA-256 {one['sha256'][:12]})" for one in done["dials"]]
    if "gate" in done:
        lines.append(
            f"gate {done['gate']['name']} (SHA-256 {done['gate']['sha256'][:12]}): pushed {done['pushed']} of {done['answers']} replies"
        )
    if "probe" in done:
        lines.append(f"probe {done['probe']['name']} (SHA-256 {done['probe']['sha256'][:12]}): read before each reply")
    return [plain(line) for line in lines]


def _write(
    settings: EvalSettings, collected: Collected, summary: Summary, result: dict[str, Any], started: float, seconds: float
) -> list[Path]:
    from wager.report import RunInfo, save_picture, write_report

    folder = settings.folder
    collected.table.write(folder / "answers.parquet")
    try:
        (folder / "results.json").write_text(json.dumps(result, indent=1, allow_nan=False), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {str(folder / 'results.json')!r}: {error.strerror}") from error
    metadata = collected.table.metadata
    info = RunInfo(
        task=settings.task,
        model=settings.named,
        command=shlex.join(["wager", *sys.argv[1:]]),
        started=started,
        seconds=seconds,
        calls=collected.calls,
        tokens_in=collected.tokens_in,
        tokens_cached=collected.tokens_cached,
        tokens_out=collected.tokens_out,
        cost=collected.cost,
        versions=metadata["packages"],
        prompt_version=metadata["prompt_version"],
        settings={key: str(value) for key, value in settings.identity.items() if value not in (None, {}, False) and key != "steering"}
        | ({"steered by": "; ".join(_steered(settings, collected))} if settings.steering else {}),
        conflicts=collected.conflicts,
    )
    write_report(folder / "report.html", summary, collected.table, info)
    written = [folder / name for name in ("report.html", "answers.parquet", "results.json", "logs")]
    if summary.groups:  # a run that was stopped before its first answer has nothing to draw
        save_picture(folder / "picture.svg", summary)
        written.insert(1, folder / "picture.svg")
    return written


def _text(settings: EvalSettings, collected: Collected, summary: Summary, written: list[Path]) -> str:
    """The table for the terminal."""
    first = next(iter(summary.groups), None)
    invented = first.unanswerable.get("n", 0) if first else 0
    lines = [
        f"{settings.task} on {plain(settings.named)}: {first.n_items if first else 0} items"
        + (f", and {invented} without an answer" if invented else "")
    ]
    lines += [*_steered(settings, collected), ""]
    rows: list[tuple[str, ...]] = [("arm", "t", "answered", "right if answered", "score", "95 %", "always answer", "left out")]
    for group in summary.groups:
        for target in group.score:
            rows.append(_row(group, target))
    lines += columns(rows, left=(0, 7))
    lines += ["", 'score: +1 right, -t/(1-t) wrong, 0 for "I don\'t know"; always saying it scores 0 at every t']
    lines += [line for group in summary.groups if group.by["target"] is None for line in _simulations(group)]
    for group in summary.groups:
        share = group.unanswerable.get("abstention_rate")
        if share is not None and not isinstance(share, int | dict):
            arm = f"{group.by['arm']}" + (f" t={group.by['target']:g}" if group.by["target"] is not None else "")
            unread = f", {share.n_excluded} without a verdict" if share.n_excluded else ""
            lines.append(f"nothing to know (invented): {arm} abstained on {percent(share)} of {share.n}{unread}")
    for line, count in collected.conflicts[:3]:
        lines.append(f"the benchmark's own prompt orders an answer ({count} prompts; the note overrides it): {line!r}")
    lines += [f"note: {note}" for note in summary.notes]
    lines += ["", *(f"wrote {path}" for path in written)]
    return "\n".join(lines)


def _row(group: Group, target: str) -> tuple[str, ...]:
    score = group.score[target]
    out = {outcome: n for outcome, n in group.counts.items() if outcome in ("unparsed", "failed", "ungraded") and n}
    return (
        str(group.by["arm"]),
        target,
        percent(group.answered),
        percent(group.accuracy_answered),
        number(score.value),
        "-" if score.low is None or score.high is None else f"[{score.low:+.2f}, {score.high:+.2f}]",
        number(group.always_answer[target].value) if target in group.always_answer else "-",
        ", ".join(f"{n} {outcome}" for outcome, n in out.items()) or "0",
    )


def _simulations(group: Group) -> list[str]:
    """What acting on each source of confidence would have scored."""
    lines = []
    for quality in group.confidences:
        scores = ", ".join(f"{number(estimate.value)} at t={t}" for t, estimate in quality.score_by_confidence.items())
        auroc = "-" if quality.auroc.value is None else f"{quality.auroc.value:.2f}"
        lines.append(
            f"{group.by['arm']}, if it answered only where its {quality.source} confidence > t: {scores} (simulated; AUROC {auroc})"
        )
    return lines
