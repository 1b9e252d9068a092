"""Ctrl-C around libraries that lose it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["heeding"]


@contextlib.contextmanager
def heeding(later: Callable[[FrameType | None], bool] | None = None) -> Iterator[threading.Event]:
    """Ctrl-C ends what is inside, also where a library swallows it or makes an error of its own of it. Gives the event that it has come.

    Args:
        later: whether what runs at this frame would lose it; it is then not raised there, and the work inside looks at the event.

    Raises:
        KeyboardInterrupt: it came; at the latest when what is inside has ended.
    """
    stopped = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopped.set()
        if later is None or not later(frame):
            signal.default_int_handler(signum, frame)

    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    except Exception as error:
        if stopped.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if stopped.is_set():
        raise KeyboardInterrupt
