"""Every error that wager raises for its users.

::

    WagerError
    ├── UsageError         (ValueError)    an option, a name or a combination of them is not allowed
    │   ├── TargetError                    a confidence target outside [0, 1), or given twice
    │   └── UnknownNameError (LookupError) no task, model, column, ... of that name
    ├── DataError          (ValueError)    a file or a value in it is not what it should be
    ├── MissingExtraError  (ImportError)   an optional dependency is not installed
    ├── ModelError         (RuntimeError)  weights, a provider or a server do not work
    ├── OutputError        (OSError)       a result cannot be written
    └── RunError           (RuntimeError)  a run stopped before its end; what was answered is kept

Each is also the standard type in brackets, so ``except ValueError`` keeps working. A message says what was got,
what is allowed, and what to do; the command line prints it as one line and exits with status 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "DataError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "RunError",
    "TargetError",
    "UnknownNameError",
    "UsageError",
    "WagerError",
]


class WagerError(Exception):
    """Base class of every error that wager raises on purpose."""


class UsageError(WagerError, ValueError):
    """An option, a name or a combination of them is not allowed."""


class TargetError(UsageError):
    """A confidence target outside [0, 1), or the same target twice."""


class UnknownNameError(UsageError, LookupError):
    """A name that is not known; the message lists the nearest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        names = sorted(set(known))
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            what = f"did you mean {' or '.join(map(repr, near))}?"
        else:
            what = f"known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}." if names else ""
        super().__init__(" ".join(part for part in (f"no {kind} named {name!r};", what, hint) if part))


class DataError(WagerError, ValueError):
    """A file, or a value in it, is not what it should be."""


class MissingExtraError(WagerError, ImportError):
    """An optional dependency is not installed; the message gives the exact pip command."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package!r}: run  python -m pip install 'wager[{extra}]'")


class ModelError(WagerError, RuntimeError):
    """Weights, a provider or a server do not work."""


class OutputError(WagerError, OSError):
    """A result cannot be written where it was asked for."""


class RunError(WagerError, RuntimeError):
    """A run stopped before its end; everything answered so far is kept."""
