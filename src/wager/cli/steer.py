"""``wager steer``: find a trait inside a model, watch it, gate it, and turn it up or down. One file for each few of its verbs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from wager.cli import steer_extract, steer_gate, steer_licence, steer_monitor, steer_say, steer_vector
from wager.cli.columns import plain
from wager.errors import WagerError
from wager.interrupts import heeding

__all__ = ["add_parser"]

PARTS = (steer_extract, steer_vector, steer_gate, steer_licence, steer_monitor, steer_say)
"""Each adds its verbs with ``add_parsers``."""

EXAMPLES = """\
examples:
  wager steer extract hallucination -o hallucination.safetensors
  wager steer show hallucination.safetensors --against factuality.safetensors
  wager steer gate -o known.safetensors
  wager steer licence hallucination.safetensors --gate known.safetensors -o licence
  wager steer say "Who founded the firm Vantherel?" --vector hallucination.safetensors --dose -0.4 --gate known.safetensors --beyond
  wager steer monitor hallucination.safetensors replies.jsonl -o watched.parquet
  wager steer convert hallucination.safetensors hallucination.gguf --dose -0.4
"""


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``steer`` with its own verbs."""
    parser = verbs.add_parser(
        "steer",
        help="turn a trait of a model up or down, where that helps",
        description="Find the direction of a trait in a model's activations, watch it, gate it, and push along or against it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made = parser.add_subparsers(dest="steering", metavar="VERB", required=True)
    for part in PARTS:
        part.add_parsers(made)
    for one in made.choices.values():
        one.set_defaults(run=carefully(one.get_default("run")))


def carefully(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The same, heeding Ctrl-C, its errors as one line that steers no terminal: names and lines of files, and replies, may be in it."""

    def careful(options: argparse.Namespace) -> int:
        try:
            with heeding():
                return run(options)
        except WagerError as error:
            raise WagerError(plain(" ".join(str(error).split()))) from error

    return careful
