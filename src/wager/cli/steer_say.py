"""``wager steer say``: answers under a plan of one vector, its dose and perhaps a gate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.columns import plain
from wager.cli.steer_extract import add_model
from wager.errors import UsageError

if TYPE_CHECKING:
    from wager.steering.plan import Steered

__all__ = ["add_parsers"]


def add_parsers(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``say``."""
    parser = verbs.add_parser(
        "say",
        help="answer prompts with a dial turned",
        description="Answer prompts while a vector is pushed, everywhere or where a gate fires.",
    )
    add = parser.add_argument
    add("prompts", metavar="PROMPT", nargs="+", help="one or more, each asked by itself")
    add_model(parser)
    add("--vector", metavar="FILE", type=Path, required=True, help="made by wager steer extract")
    add("--dose", metavar="D", type=float, required=True, help="length of the push over that of the activations; negative is less")
    add("--gate", metavar="FILE", type=Path, help="made by wager steer gate: push only where it fires")
    add("--beyond", action="store_true", help="also a dose that no sweep has shown to be safe, or a dial that failed its licence")
    add("--block", metavar="K", type=int, help="where to push; default the card's")
    add("--positions", choices=("reply", "prompt", "all"), default="reply", help="default reply")
    add("--tokens", metavar="N", type=int, default=64, help="of a reply; default 64")
    add("--temperature", type=float, default=0.0, help="default 0, greedy")
    add("--seed", metavar="N", type=int, default=0, help="of a temperature above 0; default 0")
    add("--json", action="store_true", help="print the replies as JSON on standard output")
    parser.set_defaults(run=run, stopped="nothing was kept, so ask again")


def run(options: argparse.Namespace) -> int:
    """Parses, answers, prints."""
    from wager.steering.card_licence import check_move
    from wager.steering.opening import open_backend
    from wager.steering.plan import Move, Plan, answered
    from wager.steering.vector_file import read_vector

    if not all(one.strip() for one in options.prompts):
        raise UsageError("a prompt holds at least one character")
    vector = read_vector(options.vector)
    gate = None
    if options.gate is not None:
        from wager.steering.probe_file import read_probe

        gate = read_probe(options.gate)
    move = Move(vector, options.dose, options.block)
    vector.at(options.block)
    try:
        check_move(move, gate=gate, positions=options.positions, beyond=options.beyond)
    except UsageError as error:
        raise UsageError(f"{error} (--beyond)") from error
    plan = Plan(moves=(move,), gate=gate, positions=options.positions)
    backend = open_backend(options.model, context=options.context, threads=options.threads, sequences=min(16, len(options.prompts)))
    try:
        chats = [[{"role": "user", "content": prompt}] for prompt in options.prompts]
        found = answered(backend, chats, plan, tokens=options.tokens, temperature=options.temperature, seed=options.seed)
    finally:
        backend.close()
    if options.json:
        print(json.dumps([_json(prompt, one) for prompt, one in zip(options.prompts, found, strict=True)], indent=1, allow_nan=False))
    else:
        many = len(found) > 1
        shown = [_text(prompt if many else None, one) for prompt, one in zip(options.prompts, found, strict=True)]
        print("\n\n".join(shown))
    return 0


def _text(prompt: str | None, one: Steered) -> str:
    lines = [] if prompt is None else [f"> {plain(prompt)}"]
    lines += [plain(line) for line in one.reply.text.splitlines()] or ["(no reply)"]
    return "\n".join([*lines, f"[{_done(one)}]"])


def _done(one: Steered) -> str:
    """What the gate said and what was done."""
    done = f"{'pushed' if one.pushed else 'not pushed'}{', cut off' if one.reply.finish == 'length' else ''}"
    if one.fired is None or one.probability is None:
        return done
    return f"the gate {'fired' if one.fired else 'did not fire'} (probability {one.probability:.2f}): {done}"


def _json(prompt: str, one: Steered) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "reply": one.reply.text,
        "finish": one.reply.finish,
        "fired": one.fired,
        "probability": one.probability,
        "pushed": one.pushed,
    }
