"""The parts of a licence's page, as HTML. Every text that is not written here goes through `html.escape`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from wager.report.fragments import details, nothing, number_cell, text
from wager.report.licence_charts import coverage_chart, dose_chart, runs, score_chart, selectivity_chart
from wager.report.sections import Draw
from wager.report.theory_fragments import cell, headline, made, section, table, told
from wager.report.theory_words import cut, number
from wager.steering.licence_results import FIGURES, Example, Figures, Licence

__all__ = ["licence_sections"]

SIGNED = ("selectivity", "overconfidence", "score 0", "score 0.5", "score 0.75", "score 0.9")
PLAIN = ("ece", "aurc", "perplexity", "perplexity ratio", "repetition")
"""Figures that are neither shares nor signed: three digits."""
DIALS = {"ungated": "Without the gate", "gated": "With the gate"}
HOLDS = {True: ("yes", "holds"), False: ("no", "fails"), None: ("unknown", "not known")}
GROUPS = {"unknown": "Unknown", "known": "Known", "creative": "Creative", "harmful": "Harmful"}


def licence_sections(licence: Licence, examples: Sequence[Example], command: str | None, draw: Draw) -> str:
    """The whole page between its head and its scripts."""
    creative = any(one.values["plays along"].value is not None for one in (licence.unsteered, *licence.doses))
    parts = [
        ("verdict", "Verdict", "The verdict, rule by rule", _verdict(licence)),
        ("hedging", "Hedging", "Hedging on unknown and on known questions", _hedging(licence, draw)),
        ("selectivity", "Selectivity", "Selectivity, and what random vectors do", _selectivity(licence, draw)),
        ("facts", "Known facts", "Known questions answered right", _over_doses(licence, draw, ["known right"], FACTS, "Share right")),
        ("score", "Score", "Score if mistakes cost something", _score(licence, draw)),
        ("confidence", "Confidence", "Confidence before and after", _confidence(licence, draw)),
        ("damage", "Damage", "What it does to the text", _damage(licence, draw)),
        *([("creative", "Fiction", "Fiction", _creative(licence, draw))] if creative else []),
        ("controls", "Controls", "Controls", _controls(licence)),
        ("chosen", "Dose", "How the dose was chosen", _chosen(licence)),
        *([("examples", "Examples", "Replies before and after", _examples(examples))] if examples else []),
        ("left-out", "Left out", "Without a verdict", _left_out(licence)),
    ]
    links = [*((anchor, short) for anchor, short, _, _ in parts), ("made", "How it was made")]
    head = headline(f"A licence for the dial “{cut(licence.trait)}”", _what(licence), _finding(licence), licence.notes, links)
    return "\n".join([head, *(section(anchor, title, body) for anchor, _, title, body in parts), made(licence.about, command)])


FACTS = "the line stays level up to the chosen dose: what the model knows, it still says."


def _what(licence: Licence) -> str:
    base = licence.unsteered
    questions = {name: base.values[key].n for name, key in (("unknown", "hedges unknown"), ("known", "hedges known"))}
    said = ", ".join(f"{number(n)} replies to {name} questions" for name, n in questions.items())
    return f"Evaluation questions that chose nothing: {said} unsteered, {base.seeds} seed{'s' if base.seeds != 1 else ''}"


def _finding(licence: Licence) -> str:
    at = licence.at_dose
    verdict = "LICENSED." if licence.verdict == "licensed" else "UNLICENSED: off by default."
    if at is None:
        return f"{verdict} No dose helps without damage."
    lost = [one.name for one in licence.checks if one.holds is not True]
    why = f" What is not shown: {', '.join(lost)}." if lost else ""
    names = ("hedges unknown", "hedges known", "known right")
    unknown, known, right = (_words(at, name) for name in names)
    before = ", ".join(_words(licence.unsteered, name) for name in names)
    did = f"At {at.name} it hedges on {unknown} of the unknown and {known} of the known questions and has {right} of these right"
    return f"{verdict}{why} {did}; unsteered: {before}."


def _words(one: Figures, name: str) -> str:
    value = one.values[name].value
    return "not known" if value is None else f"{100 * value:.0f} %"


def _verdict(licence: Licence) -> str:
    # What fails comes first: it is the reason.
    order = sorted(licence.checks, key=lambda one: (one.holds is True, one.holds is None))
    lines = "".join(
        f'<li dir="auto"><span class="verdict" data-holds="{HOLDS[one.holds][0]}">{HOLDS[one.holds][1]}</span>'
        f"<b>{text(one.name)}</b>: {text(cut(one.reason))}</li>"
        for one in order
    )
    return f'<p><strong class="licence">{escape(licence.verdict)}</strong></p><ul class="checks">{lines}</ul>'


def _hedging(licence: Licence, draw: Draw) -> str:
    names = ["hedges unknown", "hedges known"]
    good = "the upper line climbs and the lower one stays: it hedges where nothing can be known, and only there."
    return _over_doses(licence, draw, names, good, "Share hedged", "Both lines climbing together is a refusal knob.")


def _over_doses(
    licence: Licence, draw: Draw, names: Sequence[str], good: str, y: str, further: str = "", *, ratio: bool = False, most: float = 1.0
) -> str:
    """A chart for the dial without, and one with the gate, and the table behind them."""
    further = f"{further} Dose 0 is the unsteered model; bands are 95 % intervals; the dashed line is the chosen dose.".strip()
    figures = []
    for name, some in runs(licence).items():
        mine = licence.chosen.dose if licence.chosen.gated is (name == "gated") else None
        chart = dose_chart(some, names, chosen=mine, y_title=y, ratio=ratio, most=most)
        figures.append(f"<div><h3>{DIALS[name]}</h3>{draw(chart, good, further)}</div>")
    if not figures:
        return nothing("The dial was not measured.")
    return f'<div class="grid">{"".join(figures)}</div>' + _table(_all(licence), names)


def _all(licence: Licence) -> list[Figures]:
    return [licence.unsteered, *licence.doses]


def _cell(one: Figures, name: str) -> str:
    estimate = one.values[name]
    return number_cell(estimate, share=name not in SIGNED and name not in PLAIN, sign=name in SIGNED)


def _table(rows: Sequence[Figures], names: Sequence[str]) -> str:
    lines = [f'<tr><th scope="row">{text(one.name)}</th>{"".join(_cell(one, name) for name in names)}</tr>' for one in rows]
    return details("As a table", ["Condition", *(escape(FIGURES[name]) for name in names)], lines)


def _selectivity(licence: Licence, draw: Draw) -> str:
    if not licence.doses:
        return nothing("The dial was not measured.")
    figure = draw(
        selectivity_chart(licence),
        "the line rises far out of the grey band.",
        "Share hedged on unknown less share hedged on known questions: 1 is perfect, 0 is a coin or a refusal knob. Crosses are random "
        "vectors of the same length, the grey band their span; the diamond is the wrong sign.",
    )
    return figure + _table([*_all(licence), *licence.controls], ["selectivity", "hedges unknown", "hedges known"])


def _conditions(licence: Licence) -> list[tuple[str, Figures]]:
    """The unsteered model, the dial at its dose without and with the gate, and the prompt alone."""
    found = [("unsteered", licence.unsteered)]
    dose = licence.chosen.dose
    if dose is not None:
        found += [
            (name, one) for name, some in runs(licence).items() for one in some if one.kind == "vector" and abs(one.dose - dose) < 1e-6
        ]
    return found + [("prompt only", one) for one in licence.controls if one.kind == "prompt"][:1]


def _score(licence: Licence, draw: Draw) -> str:
    some = _conditions(licence)
    figure = draw(
        score_chart(some),
        "the dial lies above the unsteered model at every target.",
        "Over known and unknown questions: +1 for a right answer, −t/(1 − t) for a wrong one, 0 for a hedge.",
    )
    return figure + _table([one for _, one in some], [name for name in FIGURES if name.startswith("score ")])


def _confidence(licence: Licence, draw: Draw) -> str:
    some = _conditions(licence)
    lead = told("Of the answers that were given; a hedge is no answer. Overconfidence is mean confidence less the share right.")
    drawn = [(name, one) for name, one in some if one.curve]
    figure = (
        draw(
            coverage_chart(drawn),
            "the dial’s line lies below: at every coverage it is less often wrong.",
            "The rightmost point is all answers given.",
        )
        if drawn
        else nothing("No confidence that orders the answers was measured.")
    )
    return lead + figure + _table([one for _, one in some], ["answered", "ece", "aurc", "overconfidence"])


def _damage(licence: Licence, draw: Draw) -> str:
    fluent = _over_doses(
        licence,
        draw,
        ["perplexity ratio"],
        "the line stays near 1.",
        "Times unsteered",
        "How surprising the unsteered model finds the replies, against its own.",
        ratio=True,
    )
    loops = _over_doses(licence, draw, ["repetition", "broken"], "both lines stay at the bottom.", "Share", most=0.2)
    return (
        fluent
        + loops
        + told("Beside the text:")
        + _open_table(_all(licence), ["wrong way", "refuses harmful", "fired unknown", "fired known"])
    )


def _open_table(rows: Sequence[Figures], names: Sequence[str]) -> str:
    lines = [f'<tr><th scope="row">{text(one.name)}</th>{"".join(_cell(one, name) for name in names)}</tr>' for one in rows]
    return table(
        "Figures by dose", ["Condition", *(escape(FIGURES[name]) for name in names)], lines, kind="plain", numbers=range(1, len(names) + 1)
    )


def _creative(licence: Licence, draw: Draw) -> str:
    good = "both lines climb: it writes the fiction that was asked for, and not the same one again."
    further = "Its price in facts is the chart of known questions above."
    return _over_doses(licence, draw, ["plays along", "distinct"], good, "Share", further)


def _controls(licence: Licence) -> str:
    lead = told(
        "Any push changes a model. A random vector of the same length, the dial turned the other way and a prompt that asks for the same "
        "show what the dial adds. “Dial above it” is the effect of the dial less that of the control, paired by question."
    )
    names = ["hedges unknown", "hedges known", "selectivity", "known right", "perplexity ratio", "repetition", "broken"]
    names += ["plays along"] if licence.goal == "plays along" else []
    heads = ["Condition", "Dial above it", *(escape(FIGURES[name]) for name in names)]
    lines = []
    for one in [*([licence.at_dose] if licence.at_dose else []), licence.unsteered, *licence.controls]:
        above = licence.against.get(one.name)
        beside = number_cell(above, share=False) if above is not None else cell("")
        lines.append(f'<tr><th scope="row">{text(one.name)}</th>{beside}{"".join(_cell(one, name) for name in names)}</tr>')
    return lead + table("Controls", heads, lines, kind="plain", numbers=range(1, len(heads)))


def _chosen(licence: Licence) -> str:
    chosen = licence.chosen
    lead = told(
        f"On {number(len(chosen.questions))} development questions, none of which is evaluated here, by the highest figure without damage."
    )
    aim = "selectivity" if licence.goal == "selectivity" else "plays along"
    names = [aim, "known right", "perplexity ratio", "repetition"]
    lines = [
        f'<tr><th scope="row">{text(one.name)}</th>{"".join(_cell(one, name) for name in names)}'
        + cell(text(cut(_fate(one, licence))), "Outcome", hostile=True)
        + "</tr>"
        for one in chosen.candidates
    ]
    heads = ["Dose", *(escape(FIGURES[name]) for name in names), "Outcome"]
    band = "None was found." if licence.band is None else " to ".join(f"{end:+g}" if end else "0" for end in licence.band) + "."
    return (
        lead
        + table("Candidates", heads, lines, kind="plain", numbers=range(1, 5))
        + told(f"Band in which more dose is more effect: {band}")
    )


def _fate(one: Figures, licence: Licence) -> str:
    if one.name in licence.chosen.refused:
        return f"refused: {licence.chosen.refused[one.name]}"
    return "chosen" if (one.dose, one.gated) == (licence.chosen.dose, licence.chosen.gated) else "safe"


def _examples(examples: Sequence[Example]) -> str:
    lines = [
        f'<tr><th scope="row">{escape(GROUPS.get(one.group, one.group))}</th>'
        + cell(escape(cut(one.question)), "Question", hostile=True)
        + cell(escape(cut(one.before)), "Unsteered", hostile=True)
        + cell(escape(cut(one.after)), "Dial", hostile=True)
        + "</tr>"
        for one in examples
    ]
    return told("Taken by a hash of the question, whatever they show.") + table(
        "Examples", ["Group", "Question", "Unsteered", "Dial"], lines
    )


def _left_out(licence: Licence) -> str:
    every = [licence.unsteered, *licence.doses, *licence.controls]
    lead = told("Replies that could not be graded are in no share above; every figure says on hovering how many it used and left out.")
    lines = [
        f'<tr><th scope="row">{text(one.name)}</th>{_counts(one.ungraded)}{cell(number(one.replies), "Replies", kind="number")}</tr>'
        for one in every
    ]
    heads = ["Condition", *GROUPS.values(), "of all replies"]
    return lead + table("Ungraded replies", heads, lines, kind="plain", numbers=range(1, len(heads)))


def _counts(ungraded: Mapping[str, int]) -> str:
    return "".join(cell(number(ungraded.get(group, 0)), GROUPS[group], kind="number") for group in GROUPS)
