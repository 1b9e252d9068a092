"""``wager floor --train``: the law seen on one page."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from wager.cli.columns import columns
from wager.errors import UsageError

if TYPE_CHECKING:
    from wager.theory.results import Checkpoint, TrainedFloor

__all__ = ["run", "trained_text"]


def run(options: argparse.Namespace) -> int:
    """Trains, prints, and writes the page."""
    given = {"DATA": options.data, "--list": options.list, "--counts": options.counts, "--sample": options.sample, "--part": options.part}
    given |= {"--errors": options.errors, "--prompt": options.prompt, "--messages": options.messages, "--facts": options.facts}
    for name, value in given.items():
        if value:
            raise UsageError(f"--train makes its own corpus: leave {name} away")
    from wager.metrics.results import to_json
    from wager.training import train_floor

    sizes = {name: value for name in ("people", "samples", "exponent", "epochs") if (value := getattr(options, name)) is not None}
    floor = train_floor(**sizes, law=options.law, seed=options.seed, folder=options.folder, progress=_told)
    if options.html:
        from wager.report import write_trained_page

        write_trained_page(options.html, floor, command=options.command)
    if options.json:
        print(json.dumps({"schema": 1} | to_json(floor), indent=1, allow_nan=False))
        return 0
    print(trained_text(floor))
    if options.html:
        print(f"wrote {options.html}")
    return 0


def _told(checkpoint: Checkpoint) -> None:
    if sys.stderr.isatty():
        print(
            f"\r\033[K{checkpoint.learner}: epoch {checkpoint.epochs:.2f}, error {checkpoint.error:.3f}",
            end="",
            file=sys.stderr,
            flush=True,
        )


def trained_text(floor: TrainedFloor) -> str:
    """The trained floor for the terminal."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    lower = "unknown" if floor.lower.value is None else f"{floor.lower.value:.4f}"
    upper = "unknown" if floor.upper.value is None else f"{floor.upper.value:.4f}"
    if floor.lower.vacuous:
        lower += " (vacuous: it says nothing)"
    lines = [
        floor.world,
        "",
        *columns(
            [
                ("samples N", f"{floor.n:,}"),
                ("singleton rate sr", f"{floor.singleton_rate:.4f}"),
                ("missing mass (exact)", f"{floor.missing_mass:.4f}"),
                ("Theorem 2, at least, where delta is 0", lower),
                ("and the memoriser at most", upper),
            ]
        ),
        "",
    ]
    heads = ("learner", "epochs", "error", "unseen", "once", "often", "abstains", "delta", "Theorem 1")
    lines += columns([heads, *map(_row, floor.checkpoints)])
    lines += ["", "error: exact mass on wrong answers over the whole world, and its parts by how often the data answers that person;"]
    lines += ["Theorem 1: what this learner's own delta and Is-It-Valid error allow at least"]
    return "\n".join([*lines, *(f"note: {warning}" for warning in floor.warnings)])


def _row(one: Checkpoint) -> tuple[str, ...]:
    parts = ["-" if part is None else f"{part:.3f}" for part in (one.error_unseen, one.error_once, one.error_often)]
    return (one.learner, f"{one.epochs:.2f}", f"{one.error:.3f}", *parts, f"{one.abstains:.3f}", f"{one.delta:.3f}", f"{one.bound:+.3f}")
