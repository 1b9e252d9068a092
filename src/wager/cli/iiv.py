"""``wager iiv``: is it valid? What a language model's own probabilities say about its errors."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.arguments import named_values
from wager.cli.columns import columns, plain
from wager.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from wager.models.likelihood import Likelihood
    from wager.theory.results import Reduction, ReductionStudy

__all__ = ["add_parser", "iiv_text"]

EXAMPLES = """\
examples:
  wager iiv capitals
  wager iiv capitals --limit 60 --temperature 0.5 2 --html capitals.html
  wager iiv birthdays -T data=people.csv --limit 40
  wager iiv exam.jsonl --prompt question --choices options --answer answer
  wager iiv exam.csv --model hf/models/base --model hf/models/tuned
  wager iiv capitals --model openai-completions/my-model --base-url http://localhost:8000/v1
  wager iiv capitals --model vllm-completions/my-model --base-url http://localhost:8000/v1
"""


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``iiv``."""
    parser = verbs.add_parser(
        "iiv",
        help="how well does a model tell valid from invalid responses, and what does that say about its errors?",
        description="Read a model's probabilities of all listed responses, and put its error beside the bound of Theorem 1.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("set", metavar="SET", help="birthdays, capitals, or a file of multiple choice (.csv, .jsonl, .json, .parquet)")
    parser.add_argument("-T", dest="set_args", metavar="NAME=VALUE", action="append", default=[], help="argument of the set")
    parser.add_argument(
        "--model",
        metavar="M",
        action="append",
        help="embedded (default), gguf/PATH, hf/PATH, openai-completions/NAME, or one of Inspect's models that gives the log-probabilities "
        "of its prompt, such as vllm-completions/NAME; several times: a fine-tuned version beside its base",
    )
    parser.add_argument("--base-url", metavar="URL", help="where the server is, up to and with /v1")
    parser.add_argument("--temperature", metavar="T", type=float, nargs="+", default=[], help="also at these temperatures of the tokens")
    parser.add_argument(
        "--mass",
        choices=("listed", "all"),
        default="listed",
        help="listed: probabilities sum to 1 over the listed responses (default); all: what the model gives to others is an error",
    )
    parser.add_argument("--chat", action="store_true", help="ask in the model's chat template instead of running text")
    parser.add_argument("--limit", metavar="N", type=int, help="at most N prompts, drawn by the seed")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the drawing and the intervals; default 0")
    parser.add_argument("--prompt", metavar="COL", help="column of the question, in a file")
    parser.add_argument("--choices", metavar="COL", help="column of the options: a list or a JSON list")
    parser.add_argument("--answer", metavar="COL", help="column of the valid option: its text, letter, or number from 0")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write the picture as one page")
    parser.set_defaults(run=run, stopped="nothing was kept, because a bound over fewer prompts is another bound; --limit N takes fewer")


def run(options: argparse.Namespace) -> int:
    """Parses, measures, prints. Exit status 0, whatever the model's errors."""
    if options.html and not options.html.parent.is_dir():  # before minutes of work
        raise UsageError(f"no folder {str(options.html.parent)!r} to write {options.html.name!r} in")
    try:
        from wager.evals.iiv import limited, study
        from wager.evals.iiv_sets import SETS, question_set
        from wager.models.likelihood import likelihood, served
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "inspect-ai", "evals", "wager iiv") from error
    from wager.metrics.results import to_json

    named = {"prompt": options.prompt, "choices": options.choices, "answer": options.answer}
    given = {name: value for name, value in named.items() if value is not None}
    if given and options.set in SETS:
        raise UsageError(f"--{next(iter(given))} names a column of a file; the set {options.set!r} takes its arguments with -T")
    questions = question_set(options.set, named_values("-T", options.set_args, paths=True) | given)
    names = _different(options.model or ["embedded"])
    if options.base_url and not any(map(served, names)):
        raise UsageError(f"--base-url says where a server is, and {', '.join(names)} runs in this process; leave it out")
    models = _named([(name, likelihood(name, base_url=options.base_url if served(name) else None)) for name in names])
    found = study(
        limited(questions, options.limit, options.seed),
        models,
        temperatures=options.temperature,
        mass=options.mass,
        chat=options.chat,
        seed=options.seed,
        progress=_progress if sys.stderr.isatty() else None,
    )
    if options.html:
        from wager.report.theory_page import write_reduction_page

        write_reduction_page(options.html, found, command=shlex.join(["wager", *_command(options)]))
    print(json.dumps({"schema": 1} | to_json(found), indent=1, allow_nan=False) if options.json else iiv_text(found))
    return 0


def _different(names: list[str]) -> list[str]:
    """Raises UsageError for a model that is named twice."""
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--model {name!r} is given twice; name each model once")
    return names


def _named(models: list[tuple[str, Likelihood]]) -> list[Likelihood]:
    """The models, those that go by the same short name (two folders named "final") by the one that was given."""
    short = [model.name for _, model in models]
    for given, model in models:
        if short.count(model.name) > 1:
            model.name = given
    return [model for _, model in models]


def _command(options: argparse.Namespace) -> list[str]:
    """The command as it can be given again; what was left at its default is left out."""
    made = ["iiv", options.set]
    for flag, values in (("-T", options.set_args), ("--model", options.model or [])):
        made += [part for value in values for part in (flag, value)]
    single = {"--base-url": options.base_url, "--limit": options.limit, "--prompt": options.prompt}
    single |= {"--choices": options.choices, "--answer": options.answer, "--html": options.html}
    made += [part for flag, value in single.items() if value is not None for part in (flag, str(value))]
    made += ["--temperature", *(f"{one:g}" for one in options.temperature)] if options.temperature else []
    made += ["--mass", options.mass] if options.mass != "listed" else []
    return [*made, *(["--chat"] if options.chat else []), *(["--seed", str(options.seed)] if options.seed else [])]


def _progress(model: str, done: int, size: int) -> None:
    end = "\r\033[K" if done == size else ""
    print(f"\r\033[K{plain(model)}: {done} of {size} prompts{end}", end="", file=sys.stderr, flush=True)


def iiv_text(found: ReductionStudy) -> str:
    """The study for the terminal."""
    first = found.reductions[0]
    mass = "made to sum to 1 over the list" if found.mass == "listed" else "as the model gives them; what is not listed is an error"
    lines = [f"{plain(found.questions)}: {first.prompts} prompts, {first.left_out} left out; probabilities {mass}", ""]
    head = ("model", "variant", "C", "K", "err", "95 %", "err_iiv", "delta", "bound", "95 %", "obeys", "accuracy")
    lines += columns([head, *map(_row, found.reductions)], left=(0, 1))
    lines += ["", *_meaning(found), "", *_not_said()]
    return "\n".join([*lines, *(f"note: {plain(one)}" for one in found.warnings)])


def _row(one: Reduction) -> tuple[str, ...]:
    return (
        one.model,
        one.variant,
        str(one.prompts),
        str(one.fewest_errors),
        f"{one.error:.3f}",
        f"{one.error_low:.3f} to {one.error_high:.3f}",
        f"{one.misclassified:.3f}",
        f"{one.delta:.3f}",
        f"{one.bound:+.3f}",
        f"{one.bound_low:+.3f} to {one.bound_high:+.3f}",
        "yes" if one.obeys else "NO",
        f"{one.accuracy:.2f}",
    )


def _meaning(found: ReductionStudy) -> list[str]:
    one = found.reductions[0]
    k = one.fewest_errors
    lines = [
        f"err       mass that the model puts on wrong responses: {one.error:.0%} for {plain(one.model)}, {one.variant}",
        f'err_iiv   how often "valid, if its probability is above 1/{k}" is wrong, on valid and wrong responses half and half',
        f"delta     how far the mass above 1/{k} is from the truth's: 0 for a calibrated model; post-training shows here",
        f"bound     2 err_iiv - {one.most_valid}/{k} - delta: no model with this err_iiv and this delta has a lower err (Theorem 1)",
        "accuracy  share of prompts whose most probable response is valid",
    ]
    if one.off_list is not None:
        lines.insert(1, f"          of it on responses that are not listed: {one.off_list:.0%}")
    if one.choice_bound is not None:
        lines.append(f"Each prompt has one valid response, so Theorem 4 holds too: err is at least {one.choice_bound:.3f}, without delta")
    return lines


def _not_said() -> list[str]:
    return [
        "Not said: for the prompts of the set the bound is arithmetic, not a prediction; it holds for every model, good or bad.",
        "A bound at or below 0 says nothing. A small delta does not make a model right: a uniform guess has none.",
        "The responses and the wording of the prompts are part of the measurement: other ones give other numbers.",
    ]
