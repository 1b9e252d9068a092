"""A trait token by token: on the terminal, as columns, and drawn over the text on a page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from wager.cli.columns import plain
from wager.cli.steer_rows import Rows

if TYPE_CHECKING:
    from wager.steering.backend import Backend
    from wager.steering.monitor import Monitored
    from wager.steering.probe import Probe
    from wager.steering.vector import Vector

__all__ = ["PAGE", "Each", "as_columns", "draw_page", "drawn", "each_token", "trace"]

Each: TypeAlias = "dict[int, tuple[tuple[str, ...], tuple[float, ...]] | None]"
"""By row, its tokens' texts and projections; None where they cannot be told; rows that were not asked for are not in it."""

PAGE = 200
"""Most replies on one page."""

WIDTH = 24
"""Characters of the longest bar of a trace."""

WORD = re.compile(r"\S+")


def each_token(backend: Backend, rows: Rows, found: Monitored, source: Vector | Probe, wanted: Sequence[int]) -> Each:
    """Tokens and projections of some rows' replies: as the model wrote them, or by one more read of each that was given."""
    from wager.steering.reply_tokens import reply_tokens

    if found.tokens is not None and found.pieces is not None:
        return {at: (found.pieces[at], found.tokens[at]) for at in wanted}
    chats, replies = [rows.chats[at] for at in wanted], [found.replies[at] for at in wanted]
    read = reply_tokens(backend, chats, replies, source, means=[found.mean[at] for at in wanted], block=_block(found, source))
    return {at: None if one is None else (one.pieces, one.projections) for at, one in zip(wanted, read, strict=True)}


def _block(found: Monitored, source: Vector | Probe) -> int | None:
    """A probe has one block and is asked for no other."""
    return None if hasattr(source, "threshold") else found.block


def as_columns(each: Each, count: int) -> dict[str, Sequence[Any]]:
    """Two columns of lists, None where the tokens are not told."""
    some = [each.get(at) for at in range(count)]
    return {
        "reply_tokens": [None if one is None else list(one[0]) for one in some],
        "reply_projections": [None if one is None else list(one[1]) for one in some],
    }


def trace(
    backend: Backend, rows: Rows, found: Monitored, source: Vector | Probe, each: Each, at: int
) -> tuple[str, list[tuple[str, float]]]:
    """``token`` or ``word``, and each of them with its projection.

    Where tokens are not told, a given reply is read up to the end of each word: an activation depends on what is before it only.
    """
    from wager.steering.monitor import monitor

    if (known := each.get(at)) is not None:
        return "token", list(zip(*known, strict=True))
    reply = found.replies[at]
    ends = [match.end() for match in WORD.finditer(reply)]
    if not ends:
        return "word", []
    beginnings = monitor(backend, [rows.chats[at]] * len(ends), [reply[:end] for end in ends], source, block=_block(found, source))
    starts = [0, *ends]
    pieces = [reply[start:end] for start, end in zip(starts, ends, strict=False)]
    return "word", [(piece, value) for piece, value in zip(pieces, beginnings.last, strict=True) if value is not None]


def drawn(pairs: Sequence[tuple[str, float]]) -> list[str]:
    """A line for each piece, with a bar whose length is its place between the smallest and the largest projection."""
    if not pairs:
        return ["  (the reply is empty)"]
    low, high = min(value for _, value in pairs), max(value for _, value in pairs)
    wide = high - low or 1.0
    return [f"  {value:+9.2f}  {'#' * round(WIDTH * (value - low) / wide):<{WIDTH}}  {plain(text)}" for text, value in pairs]


def draw_page(path: Path, rows: Rows, found: Monitored, each: Each, added: Mapping[str, Sequence[Any]]) -> str:
    """Writes the page; what is said of it."""
    from wager.report.trace_page import Traced, write_trace_page

    def notes(at: int) -> tuple[str, ...]:
        shown = {"before": found.before[at], "reply": found.mean[at]}
        told = [f"{name} {value:+.2f}" for name, value in shown.items() if value is not None]
        chances = [(name.replace("_", " "), added[name][at]) for name in added if name.startswith("probability")]
        return (*told, *(f"{name} {value:.2f}" for name, value in chances if value is not None))

    known = [(at, one) for at, one in sorted(each.items()) if one is not None][:PAGE]
    traced = [Traced(at + 1, rows.chats[at][-1]["content"], pieces, values, notes(at)) for at, (pieces, values) in known]
    about = [f"{found.name}, block {found.block}: each token of a reply is shaded by its projection, in the activations' own units."]
    if left := len(rows.chats) - len(traced):
        about.append(f"{len(traced)} of {len(rows.chats):,} rows are shown; of the other {left:,} no tokens were read.")
    write_trace_page(path, traced, title=f"{found.name} over the text", about=about)
    return plain(f"wrote {path}: {len(traced)} replies, shaded by token")
