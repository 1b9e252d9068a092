"""Worker processes that tell the process above them whether they have started, and a single process that tells when it listens.

The web server starts workers and replaces those that die, but does not tell whether any of them ever served. So each worker leaves a mark
in a folder of this run: ``started``, or ``failed`` with the one line that says why.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from wager.errors import ModelError, WagerError

__all__ = ["MARKS", "Single", "Workers", "mark_failed", "mark_started", "told_above"]

MARKS = "WAGER_SERVE_MARKS"
"""Environment variable: the folder in which workers leave their marks."""
BACKLOG = 2048
"""Connections that wait to be accepted, as the web server has it."""


def mark_started() -> None:
    """In a worker: it serves. In a single process nothing happens."""
    if folder := os.environ.get(MARKS):
        (Path(folder) / "started").touch()


def mark_failed(error: WagerError) -> None:
    """In a worker: it cannot start, and this is why. The first one of several is told."""
    if folder := os.environ.get(MARKS):
        with contextlib.suppress(FileExistsError), (Path(folder) / "failed").open("x", encoding="utf-8") as file:
            file.write(" ".join(str(error).split()))


def told_above() -> bool:
    """Whether the process that was started by hand tells of a failure: it does until a first worker serves."""
    folder = os.environ.get(MARKS)
    return folder is None or not (Path(folder) / "started").exists()


class Single(uvicorn.Server):
    """One process. ``ready`` is called once its port answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As the web server's own; it ends the process where the application cannot start."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


class Workers(Multiprocess):
    """Several processes. Where no worker ever served, all end, and `outcome` says why."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], *, folder: Path, ready: Callable[[], None]) -> None:
        super().__init__(config, sockets=sockets)
        logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())  # which process it waits for is of no use to a reader
        self._folder, self._ready = folder, ready
        self._served = self._failed = False

    def keep_subprocess_alive(self) -> None:
        """Called twice a second: replaces what died, once a first worker has served."""
        if self.should_exit.is_set() or self.signal_queue:
            return
        if not self._served:
            self._served = (self._folder / "started").exists()
            if self._served:
                for one in self.sockets:
                    one.listen(BACKLOG)  # the worker's own call may be a moment away
                self._ready()
            elif (self._folder / "failed").exists() or any(one.process.exitcode is not None for one in self.processes):
                self._failed = True
                self.should_exit.set()
                return
        if self._served:
            super().keep_subprocess_alive()
            self._failed = self.should_exit.is_set()

    def outcome(self) -> None:
        """After `run`.

        Raises:
            ModelError: the workers could not start, or one that died could not be replaced.
        """
        if not self._failed:
            return
        why = self._folder / "failed"
        said = why.read_text(encoding="utf-8") if why.exists() else ""
        raise ModelError(said or "the workers did not start; the lines above say why")
