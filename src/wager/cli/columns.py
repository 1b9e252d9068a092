"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wager.metrics.results import Estimate

__all__ = ["columns", "number", "percent", "plain"]


def percent(estimate: Estimate) -> str:
    """A share in per cent, or a dash."""
    return "-" if estimate.value is None else f"{100 * estimate.value:.0f} %"


def number(value: float | None) -> str:
    """A signed number with two decimals, or a dash."""
    return "-" if value is None else f"{round(value, 2) + 0.0:+.2f}"  # + 0.0 turns -0 into 0


def plain(text: str) -> str:
    """A name from a file as one line that steers no terminal: control characters are shown as escapes."""
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in text)


def columns(rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> list[str]:
    """Lines with aligned columns; those in ``left`` are aligned left, the others right."""
    rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
