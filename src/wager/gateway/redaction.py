"""Takes a key out of bytes that pass by in pieces: an upstream that echoes what it was sent must not tell clients the gateway's key."""

from __future__ import annotations

__all__ = ["Redaction"]

INSTEAD = b"[key]"
"""What stands in a key's place."""


class Redaction:
    """The bytes of one stream without the key, however they are cut. Only bytes that may begin the key wait for those after them.

    >>> one = Redaction("sk-1234")
    >>> one.feed(b"data: sk-"), one.feed(b"1234!"), one.end()
    (b'data: ', b'[key]!', b'')
    """

    def __init__(self, key: str | None) -> None:
        self._key = key.encode() if key else b""
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What can be passed on now, possibly nothing."""
        if not self._key:
            return piece
        piece = self._held + piece
        if self._key in piece:
            piece = piece.replace(self._key, INSTEAD)
        held = self._begun(piece)
        self._held = piece[len(piece) - held :]
        return piece[: len(piece) - held]

    def end(self) -> bytes:
        """What was still held."""
        held, self._held = self._held, b""
        return held

    def _begun(self, piece: bytes) -> int:
        """Bytes at the end of the piece that are a proper beginning of the key."""
        start = piece.find(self._key[:1], max(0, len(piece) - len(self._key) + 1))
        while start >= 0:
            if self._key.startswith(piece[start:]):
                return len(piece) - start
            start = piece.find(self._key[:1], start + 1)
        return 0
