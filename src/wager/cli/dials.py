"""Options of the verbs that evaluate a model with a dial turned: ``--dial``, ``--gate``, ``--probe``, ``--dials``, ``--beyond``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wager.cli.arguments import named_values
from wager.errors import UsageError

__all__ = ["add_dials", "model_and_dials"]


def add_dials(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add = parser.add_argument
    add("--dial", dest="dial", metavar="NAME=DOSE", action="append", default=[], help="push along a vector of wager steer extract")
    add("--gate", metavar="NAME", help="push only where this gate of wager steer gate fires: a file, or a name in --dials")
    add("--probe", metavar="NAME", help="record a gate's probability that the subject is known, as confidence source 'probe'")
    add("--dials", metavar="DIR", type=Path, help="where names are looked up; default here, then wager/dials in the cache folder")
    add("--beyond", action="store_true", help="also a dose that no sweep has shown to be safe")


def model_and_dials(options: argparse.Namespace) -> dict[str, Any]:
    """``model``, ``model_args`` and ``steering`` of an evaluation's settings; every file is read and every dose checked before a model is.

    Raises:
        UsageError, UnknownNameError, DataError: a model that cannot be steered, a file that is missing, a dose outside its band.
    """
    from wager.evals.dials import ARGUMENTS, Steering, dial_folders, find_dial, parse_dials, steerable, steering_of
    from wager.evals.resolve import resolve_model

    model, arguments = resolve_model(options.model), named_values("-M", options.model_args)
    asked = bool(options.dial or options.gate or options.probe or options.beyond)
    if not asked and not model.startswith("steered/"):
        return {"model": model, "model_args": arguments}
    if asked:
        if twice := next((name for name in ARGUMENTS if name in arguments and name != "positions"), None):
            raise UsageError(f"-M {twice}=... and --dial, --gate, --probe or --beyond say the same; use one of the two")
        inner = steerable(model)
        model, folders = f"steered/{inner}", dial_folders(options.dials)
        steering = Steering(
            dials=parse_dials(options.dial, folders),
            gate=None if options.gate is None else find_dial(options.gate, folders, kind="gate"),
            probe=None if options.probe is None else find_dial(options.probe, folders, kind="probe"),
            beyond=options.beyond,
            positions=arguments.pop("positions", "reply"),
        )
    else:
        steering, arguments = steering_of(arguments)
    steering.confidence()
    identity = steering.identity()
    rest = {name: value for name, value in arguments.items() if name not in ARGUMENTS}
    return {"model": model, "model_args": {**rest, **steering.arguments}, "steering": identity}
