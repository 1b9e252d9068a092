"""``wager elicit``: how sure is the model of each answer, by several methods, and what each costs."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.arguments import named_values
from wager.cli.columns import columns, number, plain
from wager.cli.dials import add_dials, model_and_dials
from wager.errors import MissingExtraError, OutputError, UsageError
from wager.targets import DEFAULT_TARGETS, targets_from

if TYPE_CHECKING:
    from wager.elicit.evidence import Cost
    from wager.elicit.methods import Method
    from wager.evals.collect import Collected
    from wager.evals.settings import EvalSettings
    from wager.metrics.results import Board, Confidence
    from wager.table import AnswerTable

__all__ = ["add_parser"]

COMBINED = "combined"

EXAMPLES = """\
examples:
  wager elicit capitals
  wager elicit capitals --methods logprob p_true consistency combined --draws 10
  wager elicit inspect_evals/simpleqa --model openai/gpt-4o-mini --limit 200 --equivalence judge
  wager elicit questions -T data=qa.csv --methods stated verbal
"""


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``elicit``."""
    parser = verbs.add_parser(
        "elicit",
        help="get confidences by several methods",
        description="Ask a model each question once, and around its answer what the methods need: every draw is made once for all of them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", metavar="TASK", help="capitals, letters, birthdays, questions, package/task, or file.py@task")
    parser.add_argument(
        "--methods",
        metavar="M",
        nargs="+",
        default=["all"],
        help="logprob, logprob_mean, p_true, stated, verbal, consistency, semantic_entropy, semantic_entropy_weighted, combined; "
        "default all",
    )
    parser.add_argument(
        "--model", metavar="M", default="embedded", help="embedded (default), gguf/PATH, or an Inspect model such as openai/..."
    )
    parser.add_argument("--draws", metavar="K", type=int, default=5, help="samples of each question where a method needs them; default 5")
    parser.add_argument(
        "--equivalence",
        metavar="E",
        default="text",
        help="how samples are compared: text (default), embedding, nli, judge; or nli:MODEL, ...",
    )
    parser.add_argument(
        "--clustering",
        choices=["loose", "strict"],
        default="loose",
        help="the same: no contradiction and one entails (default), or both entail",
    )
    parser.add_argument(
        "--targets",
        metavar="T",
        nargs="+",
        default=list(DEFAULT_TARGETS),
        help="where acting on each confidence is scored; default 0 0.5 0.75 0.9",
    )
    parser.add_argument("--limit", metavar="N", type=int, help="only the first N items")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder of the results; default under wager-runs/")
    parser.add_argument("--fresh", action="store_true", help="start over: delete the answers that the folder holds")
    parser.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
    parser.add_argument("--scorer", metavar="NAME", help="which scorer decides, where the task has several; default the first")
    parser.add_argument("--temperature", type=float, help="of the answer; default: the task's own, 0 for a local model")
    parser.add_argument("--max-tokens", metavar="N", type=int, help="longest reply")
    parser.add_argument("--max-connections", metavar="N", type=int, help="concurrent calls")
    parser.add_argument("--max-retries", metavar="N", type=int, default=5, help="tries again before an answer is failed; default 5")
    parser.add_argument("--timeout", metavar="SECONDS", type=int, help="for one call, tries included")
    parser.add_argument("--model-base-url", metavar="URL", help="base URL of the model's server")
    parser.add_argument("-T", dest="task_args", metavar="NAME=VALUE", action="append", default=[], help="argument of the task")
    parser.add_argument("-M", dest="model_args", metavar="NAME=VALUE", action="append", default=[], help="argument of the model provider")
    add_dials(parser)
    parser.set_defaults(run=run, stopped="what was answered is kept, and the same command goes on")


def run(options: argparse.Namespace) -> int:
    """Parses, asks, prints."""
    goals = [target.t for target in targets_from(options.targets)]
    from wager.elicit.methods import methods_named

    combine = bool({COMBINED, "all"} & set(options.methods))
    methods = methods_named(name for name in options.methods if name != COMBINED)
    try:
        from wager.evals.resolve import canonical_task
        from wager.evals.settings import EvalSettings
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "inspect-ai", "quickstart", "wager elicit") from error
    shared = {
        "task": canonical_task(options.task),
        **model_and_dials(options),
        "arms": ("closed",),
        "samples": 1,
        "limit": options.limit,
        "out": options.out,
        "task_args": named_values("-T", options.task_args, paths=True),
        "model_base_url": options.model_base_url,
        "headline": options.scorer,
        "temperature": options.temperature,
        "max_tokens": options.max_tokens,
        "max_connections": options.max_connections,
        "max_retries": options.max_retries,
        "timeout": options.timeout,
        "logprobs": False,  # asked for call by call
        "draws": options.draws,
        "equivalence": options.equivalence,
        "clustering": options.clustering,
    }
    from wager.evals.draw import check_equivalence

    check_equivalence(options.equivalence)
    refused = _unavailable(shared, methods)
    for name, why in refused.items():
        print(plain(f"wager: {name} is unavailable: {why}"), file=sys.stderr)
    usable = tuple(method for method in methods if method.source not in refused)
    if not usable:
        raise UsageError("no method is left; choose others with --methods, or another --model")
    settings = EvalSettings(**shared, methods=tuple(method.source.value for method in usable))
    from wager.evals.progress import Progress
    from wager.evals.run import run as run_eval

    started = time.time()
    collected = run_eval(settings, fresh=options.fresh, progress=Progress())
    return _report(options, settings, usable, collected, refused, goals, combine, started)


def _unavailable(shared: Mapping[str, Any], methods: tuple[Method, ...]) -> dict[str, str]:
    """Asks the model before the run starts; one that runs in this process is known to give everything."""
    if shared["model"].startswith(("embedded/", "gguf/")):
        return {}
    import asyncio

    from inspect_ai.model import get_model

    from wager.evals.elicit import unavailable
    from wager.evals.resolve import resolve_task
    from wager.evals.run import one_line_errors

    with one_line_errors(shared["task"], shared["model"]):
        resolve_task(shared["task"], shared["task_args"])  # its file may bring the model's provider
        model = get_model(shared["model"], base_url=shared["model_base_url"], **shared["model_args"])
        return asyncio.run(unavailable(model, methods))


def _report(
    options: argparse.Namespace,
    settings: EvalSettings,
    methods: tuple[Method, ...],
    collected: Collected,
    refused: Mapping[str, str],
    goals: list[float],
    combine: bool,
    started: float,
) -> int:
    from wager.metrics.board import GRID, board
    from wager.metrics.contract import board_json
    from wager.policy.answers import with_combined

    table, note = with_combined(collected.table) if combine else (collected.table, None)
    made = board(table, goals, grid=GRID)
    seconds = time.time() - started
    costs = _costs(methods, collected.costs)
    result = board_json(made) | {
        "costs": {name: asdict(cost) for name, cost in costs.items()},
        "draws": {name: asdict(cost) for name, cost in collected.costs.items()},
        "unavailable": dict(refused),
        "problems": {source: dict(problems) for source, problems in collected.problems.items()},
        "seconds": round(seconds, 2),
    }
    if note:
        result["notes"] = [*result["notes"], note]
    written = _write(settings, table, made, costs, result)
    if options.json:
        print(json.dumps(result, indent=1, allow_nan=False))
    else:
        print(_text(settings, made, collected, costs, [*made.notes, *([note] if note else [])], written))
    if collected.errors:
        message, count = collected.errors[0]
        print(
            f"wager: {sum(n for _, n in collected.errors)} answers failed ({count} x {message}); the same command asks again",
            file=sys.stderr,
        )
    if collected.interrupted:
        raise KeyboardInterrupt
    return 1 if collected.errors or collected.missing else 0


def _costs(methods: tuple[Method, ...], drawn: Mapping[str, Cost]) -> dict[str, Cost]:
    """By source: what it alone would have cost; a combination needs all of them."""
    from wager.elicit.evidence import Cost, Draw
    from wager.elicit.methods import cost_of

    by_draw = {Draw(name): cost for name, cost in drawn.items() if name in list(Draw)}
    compared = next((cost for name, cost in drawn.items() if name not in list(Draw)), Cost())
    costs = {method.source.value: cost_of(method, by_draw) + (compared if Draw.SAMPLES in method.draws else Cost()) for method in methods}
    return costs | {COMBINED: Cost.total(list(drawn.values()))}


def _write(settings: EvalSettings, table: AnswerTable, made: Board, costs: Mapping[str, Cost], result: dict[str, Any]) -> list[Path]:
    from wager.report.explorer import ExplorerInfo, write_explorer

    folder = settings.folder
    table.write(folder / "answers.parquet")
    try:
        (folder / "results.json").write_text(json.dumps(result, indent=1, allow_nan=False), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {str(folder / 'results.json')!r}: {error.strerror}") from error
    written = [folder / name for name in ("answers.parquet", "results.json", "logs")]
    if made.groups:
        info = ExplorerInfo(
            title=f"{settings.task}: how sure is it?",
            command=shlex.join(["wager", *sys.argv[1:]]),
            versions=table.metadata["packages"],
            costs={name: (cost.calls / len(table), cost.tokens / len(table), cost.seconds / len(table)) for name, cost in costs.items()},
        )
        write_explorer(folder / "report.html", made, info)
        written.insert(0, folder / "report.html")
    return written


def _text(
    settings: EvalSettings,
    made: Board,
    collected: Collected,
    costs: Mapping[str, Cost],
    notes: Sequence[str],
    written: Sequence[Path],
) -> str:
    """The comparison for the terminal."""
    group = next(iter(made.groups), None)
    out = sum(group.counts.get(state, 0) for state in ("unparsed", "failed", "ungraded")) if group else 0
    answered = sum(group.counts.get(name, 0) for name in ("correct", "incorrect")) if group else 0
    lines = [
        f"{settings.task} on {plain(settings.named)}: {group.n if group else 0} questions, {answered} answered, {out} without a verdict",
        "",
    ]
    goals = [f"{t:g}" for t in made.targets if t > 0]
    rows: list[tuple[str, ...]] = [
        ("confidence", "answers", "none", "AUROC", "95 %", "ECE", "over", *(f"score t={t}" for t in goals), "calls", "tokens", "seconds")
    ]
    for one in group.confidences if group else ():
        rows.append(_row(one, answered, goals, costs.get(one.source), len(collected.table)))
    lines += columns(rows)
    lines += [
        "",
        "none: answers without this confidence; over: mean confidence - accuracy; score: acting on it, raw, with wrong costing t/(1-t)",
    ]
    lines.append("calls, tokens (read and written), seconds: for each question, if it were the only method")
    total, samples = costs.get(COMBINED), collected.costs.get("samples")
    if total is not None and total.calls:
        share = f"; {total.tokens / samples.tokens:.2f} times the tokens of the samples alone" if samples and samples.tokens else ""
        lines.append(
            f"all together: {total.calls:,} calls, {total.tokens:,} tokens ({total.tokens_cached:,} of them from the prefix cache), "
            f"{total.seconds:.0f} s of calls{share}"
        )
    for source, problems in collected.problems.items():
        lines += [plain(f"{source}: none for {count} answers: {problem}") for problem, count in problems.items()]
    lines += _words(collected.table)
    lines += [plain(f"note: {note}") for note in notes]
    lines += ["", *(f"wrote {path}" for path in written)]
    return "\n".join(lines)


def _words(table: AnswerTable) -> list[str]:
    """What the words are worth, whether they tell anything, and whether they follow the samples."""
    from wager.policy.answers import words_of
    from wager.policy.words import blanket, faithfulness, monotone, word_calibration

    words = words_of(table)
    if words is None or all(name is None for name in words.said):
        return []
    items = words.items.astype(str)
    lines = ["", "words:"]
    for one in word_calibration(words.said, words.correct, clusters=items):
        low, high = one.accuracy.low, one.accuracy.high
        wide = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
        lines.append(f"  {one.shade}: said {one.n:,} times, meant as {one.said:.2f}, right {one.accuracy.value:.2f}{wide}")
    lines.append(f"  {blanket(words.said, words.correct, clusters=items).verdict}")
    if len({name for name in words.said if name}) > 1:
        order = monotone(words.said, words.correct, clusters=items)
        lines.append(f"  {len(order.inversions)} of {order.n_pairs} neighbouring shades are in the wrong order")
    known = [place for place, name in enumerate(words.said) if name is not None and words.consistency[place] == words.consistency[place]]
    if known:
        from wager.elicit.verbal import DEFAULT_SHADES

        said = [DEFAULT_SHADES[str(words.said[place])].value or 0.0 for place in known]
        found = faithfulness(said, words.consistency[known])
        if found.mean.value is not None:
            lines.append(f"  faithful to its samples: {found.mean.value:.2f} (1 - mean |words - consistency|)")
    return lines


def _row(one: Confidence, answered: int, goals: Sequence[str], cost: Cost | None, n: int) -> tuple[str, ...]:
    auroc = one.metrics["auroc"]
    wide = "-" if auroc.low is None or auroc.high is None else f"[{auroc.low:.2f}, {auroc.high:.2f}]"
    shown = ["-" if one.metrics[name].value is None else f"{one.metrics[name].value:.3f}" for name in ("auroc", "ece")]
    spent = ("-", "-", "-") if cost is None else (f"{cost.calls / n:.1f}", f"{cost.tokens / n:.0f}", f"{cost.seconds / n:.2f}")
    return (
        one.source,
        f"{one.n:,}",
        f"{answered - one.n:,}",
        shown[0],
        wide,
        shown[1],
        number(one.metrics["overconfidence"].value),
        *(number(one.score[t].value) for t in goals),
        *spent,
    )
