"""Server-sent events, as chat servers send them: bytes in as they come, JSON objects out.

The format is that of the HTML standard (section 9.2.6): lines end with CR LF, LF or CR; a blank line ends an event; a line that begins
with a colon is a comment; several ``data`` lines are one value. What OpenAI adds: each value is a JSON object, and ``[DONE]`` is the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wager.gateway.received import json_of
from wager.gateway.refusal import error_of
from wager.gateway.upstream import Json, UpstreamError

__all__ = ["EventParser"]

LARGEST_EVENT = 8 << 20
"""Bytes of one event: a server may send a whole reply with its log-probabilities as one."""

LARGEST_STREAM = 64 << 20
"""Bytes of a whole stream, comments included."""

_ENDS = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class EventParser:
    """The events of one stream. How the bytes are cut into pieces changes nothing.

    >>> parser = EventParser()
    >>> list(parser.feed(b': hello\\r\\ndata: {"choices": [{"delta": {}'))
    []
    >>> list(parser.feed(b'}]}\\r\\n\\r\\ndata: [DONE]\\r\\n\\r\\n')), parser.done
    ([{'choices': [{'delta': {}}]}], True)
    """

    def __init__(self, *, largest_event: int = LARGEST_EVENT, largest_stream: int = LARGEST_STREAM, key: str | None = None) -> None:
        """A parser at the beginning of a stream.

        Args:
            largest_event: bytes of an event.
            largest_stream: bytes of all.
            key: the key that the server was given; taken out wherever it stands.
        """
        self.done = False
        """Whether ``[DONE]`` has come; what follows it is ignored."""
        self.finished = False
        """Whether a chunk with a ``finish_reason`` has come."""
        self._largest_event, self._largest_stream, self._key = largest_event, largest_stream, key
        self._secret = key.encode() if key else None
        self._line = bytearray()  # the beginning of a line whose end has not come
        self._data: list[bytes] = []
        self._size = 0
        self._total = 0
        self._event = b""
        self._after_cr = False
        self._first = True

    def feed(self, piece: bytes) -> Iterator[Json]:
        """The events that this piece completes, possibly none; those before a broken one still come.

        Raises:
            UpstreamError: 502, an event is too large or holds no JSON object in UTF-8; or the status of an error object in the stream.
        """
        if self.done or not piece:
            return
        self._total += len(piece)
        if self._total > self._largest_stream:
            raise UpstreamError(502, f"the upstream's stream is longer than {self._largest_stream} bytes", code="upstream_too_large")
        if self._after_cr and piece[:1] == b"\n":
            piece = piece[1:]  # the second half of a CR LF that was cut in two
        self._after_cr = piece.endswith(b"\r")
        *whole, rest = _ENDS.split(piece) if b"\r" in piece else piece.split(b"\n")
        for line in whole:
            if self._line:
                self._line += line
                line = bytes(self._line)
                self._line.clear()
            value = self._read(line)
            if value is not None:
                yield value
            if self.done:
                return
        self._line += rest
        if self._size + len(self._line) > self._largest_event:
            raise self._too_large()

    def end(self) -> Iterator[Json]:
        """What the end of the connection completes: the last event of a server that leaves out the blank line after it.

        Raises:
            UpstreamError: 502, the stream ended in the middle of an event, or with neither ``[DONE]`` nor a ``finish_reason``.
        """
        if self.done:
            return
        try:
            for last in (bytes(self._line), b""):
                value = self._read(last) if last or self._data else None
                if value is not None:
                    yield value
        except UpstreamError as error:
            raise (_cut() if error.code == "upstream_invalid" else error) from None
        if not self.done and not self.finished:
            raise _cut()

    def _read(self, line: bytes) -> Json | None:
        """One line; the event that it completes, if it does."""
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._size += len(value) + 1
            if self._size > self._largest_event:
                raise self._too_large()
            self._data.append(value)
        elif name == b"event":
            self._event = value.strip()
        return None

    def _dispatch(self) -> Json | None:
        data, event = b"\n".join(self._data), self._event
        self._data, self._size, self._event = [], 0, b""
        self.done = data.strip() == b"[DONE]"
        return self._checked(data, event) if data.strip() and not self.done else None

    def _checked(self, data: bytes, event: bytes) -> Json:
        if self._secret is not None and self._secret in data:
            data = data.replace(self._secret, b"[key]")
        value = json_of(data, what="an event")
        if not isinstance(value, dict):
            raise UpstreamError(502, "an event of the upstream is no JSON object", code="upstream_invalid")
        if value.get("error") or event == b"error" or "choices" not in value:
            error = error_of(value, key=self._key)
            if error is None and event == b"error":
                error = UpstreamError(502, "the upstream reports an error without a message")
            if error is not None:
                raise error
        choices = value.get("choices")
        if isinstance(choices, list):
            self.finished = self.finished or any(isinstance(one, dict) and one.get("finish_reason") for one in choices)
        return value

    def _too_large(self) -> UpstreamError:
        return UpstreamError(502, f"an event of the upstream is larger than {self._largest_event} bytes", code="upstream_too_large")


def _cut() -> UpstreamError:
    return UpstreamError(502, "the upstream's stream ended before the answer did", code="upstream_closed")
