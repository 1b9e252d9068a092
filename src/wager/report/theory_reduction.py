"""The parts of the measured model's page, as HTML. Every text that is not written here goes through `html.escape`."""

from __future__ import annotations

from html import escape

from wager.report.fragments import nothing, text
from wager.report.sections import Draw
from wager.report.theory_charts import lower_words, reductions_chart
from wager.report.theory_fragments import bins_figures, cell, headline, made, section, table
from wager.report.theory_words import cut, decimal, number, reduction_name, share, study_finding
from wager.theory.results import Reduction, ReductionStudy

__all__ = ["reduction_sections"]

NOT_SAID = (
    "That a model obeys is no test of the theory: for the prompts themselves the bound is arithmetic, and a model below it was measured "
    "wrongly.",
    "A vacuous bound (not above 0) does not mean that a model makes no errors; it says nothing.",
    "The intervals are over prompts: other prompts of the same kind. They say nothing about another kind of question.",
    "delta looks at one threshold, 1/K: a small one does not mean that every probability is right. A model that gives every response the "
    "same probability has delta 0.",
    "The error is a mass of probability, not a count of wrong answers: a model can put most of its mass on errors, and yet give the right "
    "answer the highest probability of all.",
)
MASS = {
    "listed": "Probabilities were made to sum to 1 over the listed responses: the error is what it would be if only these could be said, "
    "not how often free text is wrong.",
    "all": "Mass on responses that are not listed counts as error; a right answer in other words than the list’s is among them.",
}


def reduction_sections(study: ReductionStudy, command: str | None, draw: Draw) -> str:
    """The whole page between its head and its scripts."""
    prompts = sorted({one.prompts for one in study.reductions})
    what = f"{cut(study.questions)} · {' to '.join(map(number, {prompts[0], prompts[-1]})) if prompts else 'no'} prompts"
    links = [
        ("bound", "Error and bound"),
        ("numbers", "Numbers"),
        ("calibration", "Calibration"),
        ("not-said", "Not said"),
        ("made", "How it was made"),
    ]
    return "\n".join(
        [
            headline("Can the model tell valid from invalid?", what, study_finding(study), study.warnings, links),
            section("bound", "Measured error beside its bound", _bound(study, draw)),
            section("numbers", "All numbers", _numbers(study)),
            section("calibration", "Calibration around 1/K", _calibration(study, draw)),
            section("not-said", "What this does not say", _not_said(study)),
            made(study.about, command),
        ]
    )


def _bound(study: ReductionStudy, draw: Draw) -> str:
    if not study.reductions:
        return nothing("No model was measured.")
    return draw(
        reductions_chart(study.reductions, [reduction_name(one, study) for one in study.reductions]),
        "the circle lies close to 0; it can never lie left of its triangle.",
        "Circles: share of the model’s mass on errors. Triangles: what Theorem 1 demands at least, 2 err_iiv − max|V|/min|E| − delta. A "
        "triangle left of the dashed line at 0 is vacuous. One further left is not a better model: a larger delta moves it there too. "
        "Bars are 95 % intervals over prompts.",
    )


def _numbers(study: ReductionStudy) -> str:
    if not study.reductions:
        return nothing("No model was measured.")
    heads = [
        "Model",
        "Variant",
        "Prompts",
        "Left out",
        "Error",
        "Bound",
        "Obeys",
        "err_iiv",
        "max|V|",
        "K = min|E|",
        "delta",
        "Right at best",
    ]
    further = [name for name, given in _further(study).items() if given]  # a column without a value would only push others out of sight
    rows = [_row(one, further) for one in study.reductions]
    note = (
        '<p class="small">err_iiv: share that the Is-It-Valid classifier gets wrong, who calls a response valid above 1/K. '
        "“Right at best”: prompts whose most probable response is valid."
        f"{' Theorem 4 bounds the error without delta, at its best threshold.' if 'Theorem 4' in further else ''}</p>"
    )
    return note + table("All numbers", [*heads, *further], rows, kind="key", numbers=range(2, len(heads) + len(further)))


def _further(study: ReductionStudy) -> dict[str, bool]:
    """Columns that only some studies fill: prompts with exactly one valid response; mass on responses that are not listed."""
    return {
        "Theorem 4": any(one.choice_bound is not None for one in study.reductions),
        "Off the list": any(one.off_list is not None for one in study.reductions),
    }


def _row(one: Reduction, further: list[str]) -> str:
    theorem_4 = (
        "–" if one.choice_bound is None else f"{share(one.choice_bound)}<br><span class=range>at {decimal(one.choice_threshold)}</span>"
    )
    off = "–" if one.off_list is None else share(one.off_list)
    cells = [
        number(one.prompts),
        number(one.left_out),
        f"{share(one.error)}<br><span class=range>[{share(one.error_low)}, {share(one.error_high)}]</span>",
        f"{lower_words(one.bound)}<br><span class=range>[{share(one.bound_low)}, {share(one.bound_high)}]</span>",
        "yes" if one.obeys else "<span class=broken>NO</span>",
        share(one.misclassified),
        number(one.most_valid),
        number(one.fewest_errors),
        share(one.delta),
        share(one.accuracy),
        *(value for name, value in (("Theorem 4", theorem_4), ("Off the list", off)) if name in further),
    ]
    names = f'<th scope="row" dir="auto">{escape(cut(one.model))}</th>{cell(escape(cut(one.variant)), hostile=True)}'
    return f"<tr>{names}{''.join(cell(value, kind='number') for value in cells)}</tr>"


def _calibration(study: ReductionStudy, draw: Draw) -> str:
    if not study.reductions:
        return nothing("No model was measured.")
    lead = (
        "<p>Responses that a model gives about the same probability are one bar. Right of 1/K, which the classifier calls valid, all bars "
        "together and all lines together differ by delta: a calibrated model has the same mass there as the truth.</p>"
    )
    named = [(reduction_name(one, study), one.bins, one.fewest_errors) for one in study.reductions]
    return lead + bins_figures(named, draw)


def _not_said(study: ReductionStudy) -> str:
    items = "".join(f"<li>{text(sentence)}</li>" for sentence in (*NOT_SAID, MASS[study.mass]))
    return f'<ul class="assumptions">{items}</ul>'
