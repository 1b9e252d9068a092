"""The gateway's log: one line per event, JSON for machines or plain text on a terminal. Never a prompt, an answer or a key.

Fields come as ``LOG.info("request", extra={"wager": {"route": ..., "status": 200}})``, or shorter by `log`. Every line has the id of the
request in which it was written. An unexpected error shows its type and where it was raised, not its message: that may quote a prompt.
"""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from wager.errors import WagerError

__all__ = ["REQUEST_ID", "JsonLines", "PlainLines", "configure", "log"]

REQUEST_ID: contextvars.ContextVar[str | None] = contextvars.ContextVar("wager_request_id", default=None)
"""Id of the request that this task answers."""

SECRET = re.compile(
    r"(?i)(\bbearer\s+|\bapi[-_]?key[\"']?\s*[:=]\s*[\"']?|://[^/@\s:]{0,200}:(?=[^/\s@]{1,400}@))[^\s\"'@,]{1,400}|\b(?:sk|wager|pk|gsk|xai|key)-[A-Za-z0-9_-]{16,400}"
)
"""What looks like a key: after ``Bearer``, ``api_key=``, in a URL's password, or by its prefix."""

LONGEST = 2000
"""Characters of a text in a line."""


def log(logger: logging.Logger, level: int, event: str, **fields: Any) -> None:
    """One event with fields: numbers, short names; never texts of users."""
    logger.log(level, event, extra={"wager": fields})


def _shown(value: Any) -> Any:
    """A value without secrets: numbers as they are, all else as text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return SECRET.sub(lambda found: (found.group(1) or "") + "***", str(value)[:LONGEST])


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found = getattr(record, "wager", None)
    values = {str(name): _shown(value) for name, value in found.items()} if isinstance(found, dict) else {}
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        values["error"] = type(error).__name__
        if isinstance(error, WagerError):  # its messages are made for readers
            values["message"] = _shown(str(error))
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        values["at"] = [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return values


def _message(record: logging.LogRecord) -> str:
    try:
        return str(_shown(record.getMessage()))
    except (TypeError, ValueError):  # a library's message and values that do not fit
        return str(_shown(record.msg))


class JsonLines(logging.Formatter):
    """One JSON object a line, ASCII only: control characters and line ends are escapes."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        values = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _message(record),
            "request_id": REQUEST_ID.get(),
        }
        return json.dumps({**values, **{name: value for name, value in _fields(record).items() if name not in values}}, default=str)


class PlainLines(logging.Formatter):
    """A line to read; what steers a terminal is shown as an escape."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        request = REQUEST_ID.get()
        values = {**({"request_id": request} if request else {}), **_fields(record)}
        parts = [f"{datetime.fromtimestamp(record.created, UTC):%H:%M:%S}", record.levelname.lower(), _message(record)]
        return escaped(" ".join([*parts, *(f"{name}={value}" for name, value in values.items() if value is not None)]))


def escaped(text: str) -> str:
    """One line that steers no terminal.

    >>> escaped("a\\x1b[31mb\\nc")
    'a\\\\x1b[31mb\\\\nc'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "replace").decode() for one in text)


def configure(*, stream: TextIO | None = None, lines: bool | None = None, level: int = logging.INFO) -> logging.Handler:
    """Sends the logs of wager and of the server below it to ``stream``, and returns the handler.

    Args:
        stream: default standard error.
        lines: JSON lines; default unless the stream is a terminal.
        level: lowest that is written.
    """
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    as_json = not target.isatty() if lines is None else lines
    handler.setFormatter(JsonLines() if as_json else PlainLines())
    for name in ("wager", "uvicorn", "aiohttp"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
    for name in ("uvicorn.access", "aiohttp.access"):  # their lines hold whole URLs; requests are logged by the gateway
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate, logger.disabled = False, True
    for name in ("uvicorn.error", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    return handler
