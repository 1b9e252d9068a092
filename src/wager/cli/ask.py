"""``wager ask``: a question to a model, answered as its policy allows."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.arguments import named_values
from wager.cli.columns import columns, plain
from wager.errors import MissingExtraError, UsageError
from wager.targets import DEFAULT_TARGETS, targets_from

if TYPE_CHECKING:
    from wager.evals.ask import Asked
    from wager.policy.decide import Decision
    from wager.policy.policy import Policy, Rule

__all__ = ["add_parser"]

SAYS = {"answer": "answers", "hedge": "hedges", "look_up": "looks it up", "clarify": "asks back", "abstain": "does not answer"}

EXAMPLES = """\
examples:
  wager ask "What is the capital of Bhutan?"
  wager ask "What is the capital of Bhutan?" --why
  wager ask "Who wrote Solaris?" --policy policy.toml --model openai/gpt-4o-mini
"""


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``ask``."""
    parser = verbs.add_parser(
        "ask",
        help="ask a question and get an answer that says how sure it is",
        description="Ask a model, and let its policy decide: answer, hedge, look up, ask back, or say 'I don't know'.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("questions", metavar="QUESTION", nargs="+", help="one or more questions, each asked by itself")
    parser.add_argument(
        "--policy",
        metavar="FILE",
        type=Path,
        help="made by wager calibrate; default policy.toml if it is there, else that of the embedded model",
    )
    parser.add_argument("--model", metavar="M", help="embedded, gguf/PATH, or an Inspect model; default: the policy's own")
    parser.add_argument("--kind", metavar="KIND", default="default", help="the kind of task, where the policy has several rules")
    parser.add_argument(
        "--targets", metavar="T", nargs="+", default=list(DEFAULT_TARGETS), help="what it would have said at these; default 0 0.5 0.75 0.9"
    )
    parser.add_argument("--why", action="store_true", help="show the evidence: every confidence that the model can give")
    parser.add_argument("--draws", metavar="K", type=int, default=5, help="samples, where a confidence needs them; default 5")
    parser.add_argument("--equivalence", metavar="E", default="text", help="how samples are compared: text, embedding, nli, judge")
    parser.add_argument("--max-tokens", metavar="N", type=int, default=64, help="longest answer; default 64")
    parser.add_argument("--model-base-url", metavar="URL", help="base URL of the model's server")
    parser.add_argument("-M", dest="model_args", metavar="NAME=VALUE", action="append", default=[], help="argument of the model provider")
    parser.add_argument("--json", action="store_true", help="print the decisions as JSON on standard output")
    parser.set_defaults(run=run, stopped="nothing was kept, so ask again")


def run(options: argparse.Namespace) -> int:
    """Parses, asks, decides, prints."""
    from wager.elicit.methods import METHODS, methods_named
    from wager.policy.decide import Decider

    targets = [target.t for target in targets_from(options.targets)]
    if options.draws < 2:
        raise UsageError(f"--draws is at least 2, got {options.draws}")
    policy = _policy(options.policy)
    try:
        from inspect_ai.model import get_model

        from wager.evals.ask import ask
        from wager.evals.resolve import resolve_model
        from wager.evals.run import one_line_errors
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "inspect-ai", "quickstart", "wager ask") from error
    decider = Decider(policy, model=resolve_model(options.model or policy.model))
    rule = policy.rules.get(options.kind, policy.rules["default"])
    names = list(METHODS) if options.why else [rule.source]
    asked: list[tuple[Asked, Decision]] = []
    with one_line_errors("wager ask", policy.model):
        model = get_model(policy.model, base_url=options.model_base_url, **named_values("-M", options.model_args))
        for question in options.questions:
            found = ask(
                question,
                model,
                methods_named(names),
                draws=options.draws,
                equivalence=options.equivalence,
                max_tokens=options.max_tokens,
            )
            said = found.reply.strip() if found.answer is not None else None
            asked.append((found, decider.decide(said, found.confidences, kind=options.kind, targets=targets)))
    if options.json:
        print(json.dumps([_json(found, decision) for found, decision in asked], indent=1, allow_nan=False))
        return 0
    shown = [_text(found, decision, policy, rule, options) for found, decision in asked]
    print("\n\n".join(shown))
    return 0


def _policy(path: Path | None) -> Policy:
    """The file that was named, the one in this folder, or the one that comes with the embedded model."""
    from wager.policy.toml import read_policy

    if path is not None or Path("policy.toml").is_file():
        return read_policy(path or Path("policy.toml"))
    with as_file(files("wager.policy") / "embedded.toml") as own:
        return read_policy(own)


def _text(found: Asked, decision: Decision, policy: Policy, rule: Rule, options: argparse.Namespace) -> str:
    lines = [f"> {plain(found.question)}"] if len(options.questions) > 1 else []
    lines += [_lines(decision.text), ""]
    if decision.probability is not None:
        raw = f"{decision.source} {decision.confidence:.2f}"
        lines.append(f"confidence {decision.probability:.2f}, calibrated from {raw}{_origin(policy, rule)}")
    elif decision.confidence is not None:
        lines.append(f"confidence {decision.confidence:.2f} ({decision.source}, not calibrated)")
    else:
        lines.append("no confidence")
    lines.append(_would(decision))
    if options.why:
        lines += ["", *_why(found, decision)]
    return "\n".join(lines)


def _would(decision: Decision) -> str:
    """What it would do at other targets, those with the same act together."""
    acts = dict.fromkeys(decision.at_targets.values())
    parts = [f"{SAYS[act]} at t = {', '.join(f'{t:g}' for t, one in decision.at_targets.items() if one == act)}" for act in acts]
    return f"told a target, it {'; it '.join(parts)}"


def _origin(policy: Policy, rule: Rule) -> str:
    if rule.calibration is None:
        return ""
    fitted = policy.calibrations[rule.calibration]
    return plain(f" on {fitted.n:,} graded answers to {', '.join(fitted.tasks)}")


def _why(found: Asked, decision: Decision) -> list[str]:
    lines = [f"why: {plain(decision.reason)}", f"the model said: {plain(found.reply.strip())}"]
    if found.answer is not None and found.answer != found.reply.strip():
        lines.append(f"read as: {plain(found.answer)}")
    rows: list[tuple[str, ...]] = []
    for source, reading in found.readings.items():
        used = "decides" if source == decision.source else ""
        rows.append((source.value, "-" if reading.value is None else f"{reading.value:.2f}", reading.problem or used))
    if rows:
        lines += ["", *columns([("confidence", "raw", ""), *rows], left=(0, 2))]
    if found.evidence.samples:
        lines += ["", "samples:", *(f"  {plain(sample.text.strip())}" for sample in found.evidence.samples)]
    total = sum(cost.tokens for cost in found.costs.values())
    calls = sum(cost.calls for cost in found.costs.values())
    return [*lines, "", f"{calls} calls, {total:,} tokens"]


def _lines(text: str) -> str:
    """A reply keeps its lines; what steers a terminal is shown as an escape."""
    return "\n".join(plain(line) for line in text.splitlines())


def _json(found: Asked, decision: Decision) -> Mapping[str, Any]:
    values = {name: value for name, value in asdict(decision).items() if name != "at_targets"}
    return {
        "question": found.question,
        **values,
        "at_targets": {f"{t:g}": act for t, act in decision.at_targets.items()},
        "reply": found.reply,
        "answer": found.answer,
        "confidences": found.confidences,
        "problems": {source.value: one.problem for source, one in found.readings.items() if one.value is None},
        "samples": [sample.text for sample in found.evidence.samples],
        "costs": {name: asdict(cost) for name, cost in found.costs.items()},
    }
