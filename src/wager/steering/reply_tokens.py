"""Projections of each token of replies that were given, one read for each reply: it is read as the last message of its chat.

A chat template may write a finished reply in another way than one that is being written (trimmed, without its thoughts, in other tokens).
So a reading counts only where its mean is that of the reply as the model would have written it; elsewhere nothing is told.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wager.errors import DataError, UsageError
from wager.steering.backend import Backend, Chat
from wager.steering.monitor import watch_of
from wager.steering.probe import Probe
from wager.steering.vector import Vector

__all__ = ["ReplyTokens", "reply_tokens", "texts"]

CLOSE = 0.01
"""Largest difference between the two means, relative to the largest projection: rounding of one pass against another."""


@dataclass(frozen=True)
class ReplyTokens:
    """One reply, token by token."""

    pieces: tuple[str, ...]
    """Each token's text; of a character that is split over several, the last one has it and the others have none."""
    projections: tuple[float, ...]
    """In the same places, in the activations' own units."""


def reply_tokens(
    backend: Backend,
    chats: Sequence[Chat],
    replies: Sequence[str],
    source: Vector | Probe,
    *,
    means: Sequence[float | None],
    block: int | None = None,
) -> tuple[ReplyTokens | None, ...]:
    """The projection of each token of each reply; None for a reply that its chat template changes, and for an empty one.

    Args:
        backend: the model.
        chats: what comes before each reply.
        replies: what is said.
        source: whose direction is read.
        means: the projection of each reply's mean, by `wager.steering.monitor.monitor` with the same source.
        block: of a vector, as there.

    Raises:
        UsageError: the source does not fit the model, or not one reply and one mean for each chat.
    """
    if not len(chats) == len(replies) == len(means):
        raise UsageError(f"{len(chats)} chats take one reply and one mean each, got {len(replies)} and {len(means)}")
    line = watch_of(source, block, backend.identity)
    unit = np.asarray(line.direction, dtype=np.float64)
    unit /= np.linalg.norm(unit)

    def one(chat: Chat, reply: str, mean: float | None) -> ReplyTokens | None:
        if mean is None or not reply.strip():
            return None
        try:
            (read,) = backend.read_message([[*chat, {"role": "assistant", "content": reply}]], blocks=[line.block])
        except (DataError, UsageError):  # too long with the template's end, not in it as it is, or a template of user turns only
            return None
        seen = read.activations[:, 0].astype(np.float64) @ unit
        if not seen.size or not np.isfinite(seen).all() or abs(seen.mean() - mean) > CLOSE * np.abs(seen).max():
            return None
        return ReplyTokens(texts(read.pieces), tuple(seen.tolist()))

    return tuple(one(*row) for row in zip(chats, replies, means, strict=True))


def texts(pieces: Sequence[bytes]) -> tuple[str, ...]:
    """Tokens as texts that make up the whole: a split character stands where it ends, and what is no UTF-8 becomes U+FFFD.

    >>> texts([b"a", b"\\xc3", b"\\xa9"])
    ('a', '', 'é')
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return tuple(decoder.decode(piece, final=at == len(pieces)) for at, piece in enumerate(pieces, start=1))
