"""What one answer costs a key's budget: the usage that its server tells, or an estimate where it tells none."""

from __future__ import annotations

from typing import Any

import orjson

from wager.gateway.decision import Spent

__all__ = ["BYTES_PER_TOKEN", "Bill"]

BYTES_PER_TOKEN = 4
"""Of the estimate: about what English text has."""
NO_TEXT = frozenset({"role", "id", "type", "object", "index"})
"""Fields of a delta that nobody wrote."""
FRAME = (b":", b"event:", b"id:", b"retry:")
"""Lines of a stream that hold no answer."""


class Bill:
    """Bytes and usage of one request, as they pass by.

    >>> bill = Bill(400)
    >>> bill.stream(b'data: {"choices": [{"delta": {"content": "Lima, of course."}}]}\\n\\n')
    >>> bill.tokens(ended=False)
    104
    >>> bill.stream(b'data: {"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 5}}\\n\\n')
    >>> bill.tokens(ended=True)
    95
    """

    def __init__(self, request: int) -> None:
        """``request``: bytes of the request."""
        self._bytes = request
        self._told: int | None = None

    def body(self, data: bytes, *, text: bool = True) -> None:
        """A whole answer; without ``text`` its bytes are nothing that a model wrote (vectors), and do not count."""
        try:
            self._told = _usage(orjson.loads(data))
        except orjson.JSONDecodeError:
            self._told = None
        if text:
            self._bytes += len(data)

    def text(self, said: str | None) -> None:
        """A text that a model wrote."""
        self._bytes += len((said or "").encode("utf-8", "replace"))

    def stream(self, piece: bytes) -> None:
        """Whole events of a stream: their texts count, and the last usage that one of them tells. What cannot be read counts as it is."""
        for line in piece.splitlines():
            if not line.startswith(b"data:"):
                self._bytes += 0 if line.startswith(FRAME) else len(line)
                continue
            data = line[5:].strip()
            try:
                value = None if data == b"[DONE]" else orjson.loads(data)
            except orjson.JSONDecodeError:
                self._bytes += len(data)
                continue
            told = _usage(value)
            self._told = told if told is not None else self._told
            self._bytes += _written(value)

    def tokens(self, *, ended: bool, spent: Spent | None = None) -> int:
        """What to charge.

        Args:
            ended: False where the client left, or the answer broke off: what its server told before is then the least.
            spent: of a decided request: what its calls of the model took. Without any call nothing is charged.
        """
        told = self._told if spent is None else (spent.tokens_in or 0) + (spent.tokens_out or 0)
        if ended and (told or (spent is not None and not spent.calls)):
            return told or 0
        return max(told or 0, -(-self._bytes // BYTES_PER_TOKEN))


def _usage(value: Any) -> int | None:
    """Tokens that a response or a chunk tells, in the form of chat completions, embeddings or responses; None for none, and for 0."""
    if not isinstance(value, dict):
        return None
    usage = value.get("usage")
    if usage is None and isinstance(value.get("response"), dict):
        usage = value["response"].get("usage")
    if not isinstance(usage, dict):
        return None
    read, wrote, total = (
        max((_count(usage.get(name)) for name in names), default=0)
        for names in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"), ("total_tokens",))
    )
    return max(read + wrote, total) or None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else 0


def _written(value: Any) -> int:
    """Bytes of the texts in a chunk."""
    if not isinstance(value, dict):
        return 0
    choices = value.get("choices")
    waiting: list[Any] = [value.get("delta")]
    for one in choices if isinstance(choices, list) else ():
        waiting += [one.get("delta"), one.get("text")] if isinstance(one, dict) else []
    size = 0
    while waiting:  # no recursion: a server may nest as deep as it likes
        one = waiting.pop()
        if isinstance(one, str):
            size += len(one.encode("utf-8", "replace"))
        elif isinstance(one, dict):
            waiting += [part for name, part in one.items() if name not in NO_TEXT]
        elif isinstance(one, list):
            waiting += one
    return size
