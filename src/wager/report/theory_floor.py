"""The parts of the floor's page, as HTML. Every text that is not written here goes through `html.escape`."""

from __future__ import annotations

from html import escape

from wager.report.fragments import nothing, text
from wager.report.sections import Draw
from wager.report.theory_charts import remedy_chart, share_line
from wager.report.theory_fragments import bound_table, cell, frequency_figures, headline, made, section, table, told, unknown
from wager.report.theory_words import cut, floor_finding, number, quantity_range, quantity_value, share
from wager.theory.results import Contradiction, Floor, Quantity

__all__ = ["floor_sections"]

KINDS = {
    "repeat": ("State each once more", "a share of the facts seen once is stated a second time."),
    "abstain": ("Answer with “I don’t know”", "a share of the facts seen once is answered with “I don’t know” instead."),
    "drop": ("Drop", "a share of the facts seen once is left out of the data."),
}
"""Heading and treatment, by kind of remedy."""


def floor_sections(floor: Floor, command: str | None, draw: Draw) -> str:
    """The whole page between its head and its scripts."""
    links = [("line", "Number line"), ("numbers", "Numbers"), ("bounds", "Bounds"), ("often", "How often")]
    links += [("remedies", "Remedies"), ("contradictions", "Contradictions"), ("left-out", "Left out"), ("made", "How it was made")]
    return "\n".join(
        [
            headline("How much hallucination is baked in", floor.source, floor_finding(floor), floor.warnings, links),
            section("line", "From 0 to 1", _line(floor, draw)),
            section("numbers", "All numbers, and what they do not say", _quantities(floor)),
            section("bounds", "Both bounds, term by term", bound_table(floor.lower) + bound_table(floor.upper)),
            section("often", "How often each prompt is answered", frequency_figures(floor.frequencies, draw)),
            section("remedies", "If the facts seen once were treated", _remedies(floor, draw)),
            section("contradictions", "Contradictions", _contradictions(floor)),
            section("left-out", "Left out", _left_out(floor)),
            made(floor.about, command),
        ]
    )


def _line(floor: Floor, draw: Draw) -> str:
    return draw(
        share_line(floor),
        "everything lies close to 0: few facts are seen only once, so little has to be guessed.",
        "Triangles are bounds, circles rates and estimates with their intervals, the diamond the error of a learner that memorises. The "
        "thick bar ends at the lower bound: no calibrated model errs less. A vacuous bound has no mark. Errors fall on prompts that the "
        "data never answers; the facts seen once only tell how many those are.",
    )


def _quantities(floor: Floor) -> str:
    heads = ["Number", "Value", "Interval", "It does not say"]
    return table("All numbers", heads, [_quantity(one) for one in floor.quantities], numbers=[1]) if floor.quantities else nothing("None.")


def _quantity(one: Quantity) -> str:
    value = unknown(one.unknown or "no reason was given") if one.value is None else text(quantity_value(one))
    ends = " ".join(part for part in (quantity_range(one), one.method or "") if part)
    return (
        f'<tr><th scope="row">{text(one.name)}</th>'
        + cell(value, "Value", kind="number" if one.value is not None else "")
        + (cell(text(ends), "Interval") if ends else cell(""))
        + (cell(text(one.not_said), kind="not") if one.not_said else cell(""))
        + "</tr>"
    )


def _remedies(floor: Floor, draw: Draw) -> str:
    if not floor.remedies:
        return nothing("Not worked out.")
    lead = told(
        "Repeating a fact does not teach what was never seen: errors fall on prompts that the data does not answer. It only makes the "
        "data look less thin. These are the bounds that the treated data would have, not predictions of a model’s error."
    )
    figures = []
    for kind, (title, treatment) in KINDS.items():
        some = [one for one in floor.remedies if one.kind == kind]
        if not some:
            continue
        silent = [one.lower for one in some if one.lower is not None]
        zero = " The lower bound is at 0 all along: vacuous." if silent and not any(silent) else ""
        figure = draw(remedy_chart(floor.remedies, kind), "the lines fall to the right.", f"From left to right, {treatment}{zero}")
        figures.append(f"<div><h3>{title}</h3>{figure}</div>")
    return lead + f'<div class="grid">{"".join(figures)}</div>' + _remedy_table(floor)


def _remedy_table(floor: Floor) -> str:
    rows = [
        f'<tr><th scope="row">{KINDS[one.kind][0]}</th>'
        + cell(share(one.share), kind="number")
        + cell(number(one.n), kind="number")
        + "".join(
            cell("not known" if value is None else share(value), kind="number") for value in (one.lower, one.singleton_rate, one.upper)
        )
        + "</tr>"
        for one in floor.remedies
    ]
    heads = ["Treatment", "Share treated", "Samples after", "Lower bound", "Singleton rate", "Upper bound"]
    inner = table("Remedies", heads, rows, kind="plain", numbers=range(1, 6))
    return f"<details><summary>Remedies, as a table</summary>{inner}</details>"


def _contradictions(floor: Floor) -> str:
    lead = told(
        "Prompts with several different answers. A contradiction is not always a mistake: some questions have several right answers, "
        "and some answers are the same in other words."
    )
    if not floor.contradictions:
        return lead + nothing("No example is shown: none was found, or none was kept.")
    rows = [_contradiction(one) for one in floor.contradictions]
    return lead + table("Contradictions", ["Prompt", "Samples", "Most frequent answers"], rows, numbers=[1])


def _contradiction(one: Contradiction) -> str:
    answers = "".join(
        f'<li dir="auto">{escape(cut(answer))} <span class="small">× {number(rows)}</span></li>' for answer, rows in one.answers
    )
    return (
        f"<tr>{cell(escape(cut(one.prompt)), hostile=True)}{cell(number(one.rows), 'Samples', kind='number')}"
        f"{cell(f'<ul class=answers-of>{answers}</ul>', 'Answers')}</tr>"
    )


def _left_out(floor: Floor) -> str:
    if not floor.left_out:
        return told("No row was left out.")
    rows = [
        f'<tr><th scope="row" dir="auto">{text(cut(reason))}</th>{cell(number(count), "Rows", kind="number")}</tr>'
        for reason, count in floor.left_out.items()
    ]
    return told("Rows that are in no number above, by what they lack.") + table("Left out", ["Reason", "Rows"], rows, numbers=[1])
