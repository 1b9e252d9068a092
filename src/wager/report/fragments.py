"""Small pieces of HTML that the sections share. Every text that is not written here goes through `html.escape`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from wager.metrics.results import Estimate, Group
from wager.report.wording import NO_VALUE, interval, percent, points

__all__ = ["details", "excluded", "nothing", "number_cell", "text"]


def text(sentence: str) -> str:
    """A sentence as HTML; a number keeps its percent sign on the same line."""
    return escape(sentence).replace(" %", "\N{NO-BREAK SPACE}%")


def number_cell(estimate: Estimate | None, *, share: bool, sign: bool = True, ranged: bool = True) -> str:
    """A table cell of one estimate with its interval, and on hovering how many answers it used; a dash with its reason if there is none."""
    if estimate is None or estimate.value is None:
        reason = (estimate.reason if estimate else None) or "not computed for this arm and target"
        return f'<td class="number"><abbr title="{escape(reason)}">{NO_VALUE}<span class="hidden"> ({escape(reason)})</span></abbr></td>'
    value = percent(estimate.value) if share else points(estimate.value) if sign else f"{estimate.value:.3f}"
    origin = f"from {estimate.n:,} answers, {estimate.n_excluded:,} left out" + (f"; {estimate.reason}" if estimate.reason else "")
    ends = interval(estimate, share=share) if ranged and (share or sign) else ""
    if ranged and not ends and estimate.low is not None and estimate.high is not None:
        ends = f"[{estimate.low:.3f}, {estimate.high:.3f}]"
    return f'<td class="number" title="{escape(origin)}">{value}' + (f' <span class="range">{ends}</span>' if ends else "") + "</td>"


def excluded(groups: Sequence[Group]) -> str:
    """How many answers of these groups have no verdict."""
    names = ("unparsed", "failed", "ungraded")
    counts = {name: sum(group.counts.get(name, 0) for group in groups) for name in names}
    total = sum(group.n for group in groups)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"Without a verdict, so in no number: {sum(counts.values()):,} of {total:,} answers{f' ({told})' if told else ''}."


def nothing(reason: str) -> str:
    """What stands in place of a chart that cannot be drawn."""
    return f'<p class="good">{NO_VALUE} {escape(reason)}</p>'


def details(title: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    """A table that opens on demand; the rows are HTML, the heads too."""
    columns = "".join(f'<th scope="col"{" class=number" if index else ""}>{head}</th>' for index, head in enumerate(heads))
    return (
        f'<details><summary>{title}</summary><div class="scroll" role="region" tabindex="0" aria-label="{title}"><table>'
        f"<thead><tr>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )
