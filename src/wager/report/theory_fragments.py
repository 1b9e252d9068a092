"""Pieces of HTML that the pages of the floor share. Every text that is not written here goes through `html.escape`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from wager.report.fragments import details, nothing, text
from wager.report.sections import Draw
from wager.report.theory_charts import bins_chart, prompts_chart, samples_chart
from wager.report.theory_words import confidence, cut, decimal, number, share
from wager.theory.results import Bin, Bound, Frequency

__all__ = ["bins_figures", "bound_table", "cell", "frequency_figures", "headline", "made", "section", "table", "told", "unknown"]

LONGEST_TABLE = 200
"""Rows of a table of frequencies; the rest stands in its last row."""


def headline(title: str, what: str, finding: str, warnings: Sequence[str], links: Sequence[tuple[str, str]]) -> str:
    """Title, warnings before all else, the answer in words, and the way to the sections."""
    menu = "".join(f'<li><a href="#{anchor}">{name}</a></li>' for anchor, name in links)
    notes = "".join(f'<li dir="auto">{text(cut(warning))}</li>' for warning in warnings)
    warned = f'<ul class="warning" aria-label="Warnings">{notes}</ul>' if notes else ""
    return (
        f'<header><h1>{escape(title)}</h1><p class="about">{text(what)}</p></header>{warned}<p class="finding">{text(finding)}</p>'
        f'<nav aria-label="Sections"><ul>{menu}</ul></nav>'
    )


def section(anchor: str, title: str, body: str) -> str:
    """A section with its heading."""
    return f'<section id="{anchor}" aria-labelledby="{anchor}-title"><h2 id="{anchor}-title">{title}</h2>{body}</section>'


def told(sentence: str) -> str:
    """A paragraph."""
    return f"<p>{text(sentence)}</p>"


def unknown(reason: str) -> str:
    """In place of a number: that it is not known, and why."""
    return f'<span class="unknown">not known: {text(reason)}</span>'


def cell(content: str, label: str = "", *, kind: str = "", hostile: bool = False) -> str:
    """A table cell of ready HTML; ``label`` names it on a phone, ``hostile`` lets its text choose its direction."""
    attributes = (f' class="{kind}"' if kind else "") + (f' data-label="{label}"' if label else "") + (' dir="auto"' if hostile else "")
    return f"<td{attributes}>{content}</td>"


def table(label: str, heads: Sequence[str], rows: Sequence[str], *, kind: str = "cards", numbers: Sequence[int] = ()) -> str:
    """A table that scrolls where it is too wide, and that the keyboard reaches; ``numbers`` are the columns set to the right."""
    columns = "".join(f'<th scope="col"{" class=number" if place in numbers else ""}>{head}</th>' for place, head in enumerate(heads))
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table class="{kind}">'
        f"<thead><tr>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def bound_table(bound: Bound) -> str:
    """A bound term by term, its sum, its assumptions, and what it does not say."""
    rows = [
        f'<tr><th scope="row"><code>{escape(term.symbol)}</code></th>'
        + cell("<span class=unknown>not known</span>" if term.value is None else share(term.value, sign=True), "Value", kind="number")
        + cell(text(term.meaning), "Meaning")
        + "</tr>"
        for term in bound.terms
    ]
    known = all(term.value is not None for term in bound.terms)
    total = "<span class=unknown>not known</span>" if bound.value is None else share(bound.value, sign=True)
    state = "vacuous: says nothing" if bound.vacuous else "above 0" if bound.side == "lower" else "below 1"
    meaning = ("" if known else "without the terms that are not known; ") + ("" if bound.value is None else state)
    rows.append(f'<tr class="sum"><th scope="row">Sum</th>{cell(total, "Value", kind="number")}{cell(meaning, "Meaning")}</tr>')
    name = escape(bound.name if "bound" in bound.name else f"{bound.side.capitalize()} bound ({bound.name})")
    assumptions = "".join(f"<li>{text(one)}</li>" for one in bound.assumptions)
    return (
        f"<h3>{name}, with {text(confidence(bound))} confidence</h3>"
        + table(f"{name}, term by term", ["Term", "Value", "Meaning"], rows, numbers=[1])
        + (f'<p class="small">It holds if:</p><ul class="assumptions">{assumptions}</ul>' if assumptions else "")
        + told(f"What it does not say: {bound.not_said}")
    )


def frequency_figures(frequencies: Sequence[Frequency], draw: Draw) -> str:
    """The two frequency charts with the table behind them."""
    if not any(one.rows > 0 for one in frequencies):
        return nothing("No sample was counted.")
    never = sum(one.prompts for one in frequencies if one.answered < 1)
    apart = (
        f" {number(never)} prompts are only ever answered with “I don’t know”; a logarithmic axis has no place for them." if never else ""
    )
    figures = draw(
        samples_chart(frequencies),
        "the bar “once” is short: most samples repeat facts that other samples state too.",
        "Each bar but the first ones gathers twice as wide a range as the one before. The bar “once” is the singleton rate where every "
        "sample of these prompts is an answer; “never” are samples whose prompt is only ever answered with “I don’t know”.",
    )
    if any(one.answered > 0 and one.prompts > 0 for one in frequencies):
        figures += draw(
            prompts_chart(frequencies),
            "the square at the left is low, and the points reach far to the right.",
            f"Each point says how many prompts are answered exactly so often.{apart}",
        )
    return figures + details(
        "Times answered, as a table", ["Times answered", "Prompts", "Samples", "Contradicted"], _frequency_rows(frequencies)
    )


def _frequency_rows(frequencies: Sequence[Frequency]) -> list[str]:
    def row(name: str, parts: Sequence[Frequency]) -> str:
        sums = [sum(one.prompts for one in parts), sum(one.rows for one in parts), sum(one.contradicted for one in parts)]
        return f'<tr><th scope="row">{name}</th>{"".join(cell(number(value), kind="number") for value in sums)}</tr>'

    shown, rest = frequencies[:LONGEST_TABLE], frequencies[LONGEST_TABLE:]
    rows = [row(f"{one.answered:,}" if one.answered else "never", [one]) for one in shown]
    return rows + ([row(f"{rest[0].answered:,} and more", rest)] if rest else [])


def bins_figures(named: Sequence[tuple[str, Sequence[Bin], int]], draw: Draw) -> str:
    """Calibration charts side by side on one vertical axis, with their tables; each with its name, its bins and K."""
    most = max((max(one.model, one.truth) for _, bins, _ in named for one in bins), default=1.0)
    figures = [f"<div>{_bins_figure(bins, k, most, draw, name)}</div>" for name, bins, k in named]
    return f'<div class="grid">{"".join(figures)}</div>'


def _bins_figure(bins: Sequence[Bin], fewest_errors: int, most: float, draw: Draw, title: str) -> str:
    drawable = [one for one in bins if one.high > 0]
    head = f"<h3>{escape(title)}</h3>"
    if not drawable:
        return head + nothing("No response was given a probability above 0.")
    figure = draw(
        bins_chart(drawable, fewest_errors, most=most),
        "every bar ends at its black line.",
        "Bars: mass the model gives; black lines: mass of the truth. The leftmost bar reaches down to 0.",
    )
    rows = [
        f'<tr><th scope="row">{decimal(one.low)} to {decimal(one.high)}</th>'
        + "".join(cell(value, kind="number") for value in (share(one.model), share(one.truth), number(one.responses)))
        + "</tr>"
        for one in bins
    ]
    return f"{head}{figure}{details('Bins', ['Probability', 'Model', 'Truth', 'Responses'], rows)}"


def made(about: Mapping[str, str], command: str | None) -> str:
    """The last section: the command, and how the numbers were made."""
    lines = "".join(f'<dt>{escape(str(name))}</dt><dd dir="auto">{escape(str(value))}</dd>' for name, value in about.items())
    ran = f"<p>Made by</p><p><code>{escape(command)}</code></p>" if command else ""
    facts = f'<dl class="facts">{lines}</dl>' if lines else ""
    return section("made", "How it was made", (ran + facts) or nothing("Nothing was noted."))
