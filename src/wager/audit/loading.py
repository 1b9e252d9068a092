"""Building the task that is audited: its factory, its modules, its data, without waiting for a network that is not there."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import logging
import os
import re
import socket
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from inspect_ai import Task
from inspect_ai.util import registry_info

from wager.audit.feed import Replacement
from wager.errors import DataError, UnknownNameError, UsageError, WagerError
from wager.evals.resolve import EVALS_PACKAGES, canonical_task, resolve_task

__all__ = ["TaskSource", "build", "quiet", "task_names"]

LONGEST_WAIT = 2.0
"""Seconds that a loader may wait before it tries again; a longer wait is a failed download."""

SIGNS_OF_MISSING_PACKAGES = ("pip install", "optional dependency", "No module named", "uv sync", "uv pip")


class TaskSource:
    """Where a task comes from: its file, and the modules of its own package."""

    def __init__(self, spec: str) -> None:
        self.spec = canonical_task(spec)
        path, at, _ = self.spec.rpartition("@")
        self.file: Path | None = Path(path if at else self.spec) if Path(path if at else self.spec).suffix == ".py" else None
        self.prefixes: tuple[str, ...] = ()
        if self.file is None:
            self._find()

    def _find(self) -> None:
        package, _, short = self.spec.partition("/")
        entry = next((entry for entry in entry_points(group="inspect_ai") if entry.name == package), None)
        if entry is None:
            return  # resolve_task says what is wrong
        with quiet():
            try:
                factory = vars(importlib.import_module(entry.module)).get(short)
            except ImportError:
                return
        if factory is None:
            return
        module = inspect.unwrap(factory).__module__
        inside = module.rpartition(".")[0]
        self.prefixes = (inside if inside != package else module, f"{package}.utils")
        self.file = Path(inspect.getsourcefile(inspect.unwrap(factory)) or "")

    def modules(self) -> list[ModuleType]:
        """The modules of the task's own package that are loaded by now, and its package's helpers."""
        found = []
        for name, module in sys.modules.copy().items():  # a copy: another thread may be importing
            ours = any(name == prefix or name.startswith(f"{prefix}.") for prefix in self.prefixes)
            if ours or (not self.prefixes and self.file is not None and getattr(module, "__file__", None) == str(self.file)):
                found.append(module)
        return found


def task_names(package: str) -> list[str]:
    """The full names of all tasks of an installed package.

    Raises:
        UsageError: the package is not installed, or cannot be loaded.
    """
    entries = {entry.name: entry for entry in entry_points(group="inspect_ai")}
    if package not in entries:
        if package in EVALS_PACKAGES:
            raise UsageError(f"the tasks of {package!r} are not installed: run  python -m pip install {EVALS_PACKAGES[package]}")
        raise UnknownNameError("package of tasks", package, {*entries, *EVALS_PACKAGES})
    with quiet():
        try:
            module = importlib.import_module(entries[package].module)
        except ImportError as error:
            raise UsageError(f"the tasks of {package!r} cannot be loaded: {error}") from error
    return sorted(f"{package}/{name}" for name, thing in vars(module).items() if _is_task(thing))


def _is_task(thing: object) -> bool:
    try:
        return callable(thing) and registry_info(thing).type == "task"
    except ValueError:
        return False


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, log lines, banners and progress bars of others: standard output is for the result."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def build(source: TaskSource, args: dict[str, Any], items: str | None) -> Task:
    """A new instance of the task.

    Raises:
        DataError: its data cannot be loaded (without records), or the records do not fit (with records).
        UsageError: a package that it needs is not installed, or the task itself refuses.
    """
    try:
        with no_waiting(), quiet():
            return resolve_task(source.spec, args)
    except WagerError:
        raise
    except Exception as error:
        said = " ".join(re.sub(r"\[/?[a-z ]+\]", "", str(error)).split())  # without the markup of Inspect's messages
        why = f"{type(error).__name__}: {said[:300]}".rstrip(": ")
        if any(sign in str(error) for sign in SIGNS_OF_MISSING_PACKAGES):
            raise UsageError(f"{source.spec!r} cannot be built: {why}") from error
        if items is not None:
            raise DataError(f"the records of {items} do not fit the data set of {source.spec!r}: {why}") from error
        raise DataError(f"the data set of {source.spec!r} cannot be loaded: {why}; give records of its format with --items FILE") from error


def waits() -> list[Replacement]:
    """A stand-in for ``time.sleep`` that ends a loader's attempts at its first long wait, so that an absent network is said at once."""
    real, main = time.sleep, threading.main_thread()

    def sleep(seconds: float) -> None:
        if seconds > LONGEST_WAIT and threading.current_thread() is main:
            cause = sys.exc_info()[1]
            why = f" ({type(cause).__name__}: {' '.join(str(cause).split())[:160]})" if cause else ""
            raise ConnectionError(f"the download failed and would be tried again in {seconds:.0f} s{why}")
        real(seconds)

    return [(time, "sleep", sleep)]


@contextlib.contextmanager
def no_waiting() -> Iterator[None]:
    """Loads without long waits; where the hub cannot be reached at all, from its cache only."""
    from wager.audit.feed import replaced

    changes = waits()
    if not _hub_answers():
        for name, attribute in (("huggingface_hub.constants", "HF_HUB_OFFLINE"), ("datasets.config", "HF_HUB_OFFLINE")):
            if name in sys.modules and hasattr(sys.modules[name], attribute):
                changes.append((sys.modules[name], attribute, True))
    with replaced(changes):
        yield


_HUB: list[bool] = []


def _hub_answers() -> bool:
    """Whether the hub of data sets can be reached, or stands behind a proxy that may reach it; asked once."""
    if not _HUB:
        if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
            _HUB.append(True)
        else:
            try:
                with socket.create_connection(("huggingface.co", 443), timeout=3):
                    _HUB.append(True)
            except OSError:
                _HUB.append(False)
    return _HUB[0]
