"""The command line: one file per verb, each parses, calls the library and prints.

An expected error is one line on standard error and exit status 2; a run with failed answers exits with 1, Ctrl-C with 130.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from wager import __version__
from wager.cli import ask as ask_verb
from wager.cli import audit as audit_verb
from wager.cli import calibrate as calibrate_verb
from wager.cli import elicit as elicit_verb
from wager.cli import eval as eval_verb
from wager.cli import floor as floor_verb
from wager.cli import iiv as iiv_verb
from wager.cli import score as score_verb
from wager.cli import serve as serve_verb
from wager.cli import steer as steer_verb
from wager.errors import WagerError

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    made = argparse.ArgumentParser(
        prog="wager", description="Make language models bet only on what they know.", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--version", action="version", version=f"wager {__version__}")
    verbs = made.add_subparsers(dest="verb", metavar="VERB", required=True)
    eval_verb.add_parser(verbs)
    score_verb.add_parser(verbs)
    elicit_verb.add_parser(verbs)
    calibrate_verb.add_parser(verbs)
    ask_verb.add_parser(verbs)
    steer_verb.add_parser(verbs)
    serve_verb.add_parser(verbs)
    audit_verb.add_parser(verbs)
    floor_verb.add_parser(verbs)
    iiv_verb.add_parser(verbs)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs ``wager``; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except WagerError as error:
        print(f"wager: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"wager: stopped; {options.stopped}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone (`wager ... | head`): nothing is left to say to it
        _drop_output()
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        print(f"wager: no space left for {error.filename or 'standard output'}; free some and run it again", file=sys.stderr)
        return 2


def _drop_output() -> None:
    """Writes no more to standard output, also not at interpreter exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
