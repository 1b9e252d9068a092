"""A trait drawn over text: replies whose tokens are shaded by their projection, as one HTML file without scripts and without a network."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

import numpy as np

from wager.errors import DataError, UsageError
from wager.files import replacing

__all__ = ["Traced", "write_trace_page"]

SHADES = 9
"""Steps from no shade to the strongest one."""

ENDS = (0.02, 0.98)
"""Quantiles of all projections between which the shades lie: single outliers would leave everything else pale."""


@dataclass(frozen=True)
class Traced:
    """One reply."""

    place: int
    """Its row, from 1."""
    prompt: str
    """What it replies to."""
    pieces: tuple[str, ...]
    """Its tokens' texts."""
    projections: tuple[float, ...]
    """In the same places."""
    notes: tuple[str, ...] = ()
    """What else is known of it, such as ``before -4.25``."""


def write_trace_page(path: str | os.PathLike[str], traced: Sequence[Traced], *, title: str, about: Sequence[str] = ()) -> None:
    """Writes the page; an existing file is replaced only once the new one is complete.

    Texts are shown as text whatever they hold; control characters and those that turn the direction of writing are shown as escapes. The
    page's policy allows its own style and nothing else.

    Args:
        path: the HTML file.
        traced: the replies, in the order of the page; all are shaded on one scale.
        title: of the page.
        about: lines under it.

    Raises:
        UsageError: a reply has another number of projections than tokens.
        DataError: a projection is not finite.
        OutputError: the file cannot be written.
    """
    for one in traced:
        if len(one.pieces) != len(one.projections):
            raise UsageError(f"row {one.place} has {len(one.pieces)} tokens and {len(one.projections)} projections; one each is needed")
    every = np.asarray([value for one in traced for value in one.projections], dtype=np.float64)
    if not np.isfinite(every).all():
        raise DataError("a projection is not a finite number; it cannot be drawn")
    low, high = np.quantile(every, ENDS).tolist() if every.size else (0.0, 0.0)
    style = files("wager.report").joinpath("trace_page.css").read_text(encoding="utf-8")
    body = [f"<h1>{_safe(title)}</h1>", *(f'<p class="soft">{_safe(line)}</p>' for line in about)]
    body += [_legend(low, high), *(_article(one, low, high) for one in traced)]
    with replacing(path) as part:
        part.write_text(_page(title, style, body), encoding="utf-8", errors="xmlcharrefreplace")


def _page(title: str, style: str, body: Sequence[str]) -> str:
    allowed = f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"{allowed}; base-uri 'none'; form-action 'none'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="generator" content="wager">',
            f"<title>{_safe(title[:200])} · wager</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _legend(low: float, high: float) -> str:
    boxes = "".join(f'<i class="s{shade}"></i>' for shade in range(SHADES))
    return (
        f'<p class="legend" role="img" aria-label="a stronger shade is more of it: from {low:+.2f} to {high:+.2f}">'
        f"<span>{low:+.2f} and less</span>{boxes}<span>{high:+.2f} and more of it</span></p>"
    )


def _article(one: Traced, low: float, high: float) -> str:
    notes = f'<p class="soft">{_safe(" · ".join([f"row {one.place}", *one.notes]))}</p>'
    if not one.pieces:
        return f'<article><h2 dir="auto">{_safe(one.prompt)}</h2>{notes}<p class="soft">(no token was read)</p></article>'
    tokens = "".join(
        f'<span class="s{_shade(value, low, high)}" title="{value:+.2f}">{_safe(piece)}</span>'
        for piece, value in zip(one.pieces, one.projections, strict=True)
    )
    return f'<article><h2 dir="auto">{_safe(one.prompt)}</h2>{notes}<p class="reply" dir="auto">{tokens}</p></article>'


def _shade(value: float, low: float, high: float) -> int:
    """0 at the low end and below, `SHADES` - 1 at the high end and above."""
    if high <= low:
        return 0
    return min(SHADES - 1, max(0, int(SHADES * (value - low) / (high - low))))


def _safe(text: str) -> str:
    """As HTML text or attribute; a line break and a tab stay, whatever else does not print is shown as an escape."""
    shown = (c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return escape("".join(shown), quote=True)
