"""The parts of the trained floor's page, as HTML. Every text that is not written here goes through `html.escape`."""

from __future__ import annotations

from html import escape

from wager.report.fragments import nothing
from wager.report.sections import Draw
from wager.report.theory_fragments import bins_figures, bound_table, cell, frequency_figures, headline, made, section, table, told
from wager.report.theory_trained_charts import curves, error_chart, law_chart, rules
from wager.report.theory_words import cut, decimal, number, share, trained_finding
from wager.theory.results import Checkpoint, TrainedFloor

__all__ = ["trained_sections"]


def trained_sections(floor: TrainedFloor, command: str | None, draw: Draw) -> str:
    """The whole page between its head and its scripts."""
    what = f"{cut(floor.world)} · {number(floor.n)} samples, {number(floor.prompts)} people, {number(floor.answers)} answers"
    links = [("error", "Error"), ("law", "The law"), ("calibration", "Calibration"), ("often", "The data")]
    links += [("bounds", "Bounds"), ("checkpoints", "Checkpoints"), ("made", "How it was made")]
    return "\n".join(
        [
            headline("The floor, seen in training", what, trained_finding(floor), floor.warnings, links),
            section("error", "Error as training goes on", _errors(floor, draw)),
            section("law", "Theorem 1 along the way", _laws(floor, draw)),
            section("calibration", "Calibration at the end", _calibration(floor, draw)),
            section("often", "How often each person is in the data", frequency_figures(floor.frequencies, draw)),
            section("bounds", "Both bounds, term by term", bound_table(floor.lower) + bound_table(floor.upper)),
            section("checkpoints", "Every checkpoint", _checkpoints(floor)),
            made(floor.about, command),
        ]
    )


def _errors(floor: TrainedFloor, draw: Draw) -> str:
    vacuous = [f"the {bound.side} bound" for bound in (floor.lower, floor.upper) if bound.value is None or bound.vacuous]
    absent = f" Not drawn, for it is vacuous here: {', '.join(vacuous)}." if vacuous else ""
    further = (
        "The black line is the whole error, exact over every person of the world; the areas say on whom it falls. The horizontal lines are "
        "no training: they come from the data, the theory, or learners that are fitted at once. The lower bound holds for calibrated "
        f"learners: subtract a learner’s own delta (below) before comparing.{absent}"
    )
    good = "the upper areas vanish, and what is left lies on people that the data never answers, near the missing mass."
    figures = [_titled(name, draw(error_chart(points, floor), good, further), floor) for name, points in curves(floor).items()]
    return ("".join(figures) or nothing("No learner was measured more than once.")) + _lines(floor)


def _titled(name: str, figure: str, floor: TrainedFloor) -> str:
    return (f"<h3>{escape(cut(name))}</h3>" if len(curves(floor)) > 1 else "") + figure


def _lines(floor: TrainedFloor) -> str:
    rows = [f'<tr><th scope="row">{escape(row["name"])}</th>{cell(share(row["value"]), kind="number")}</tr>' for row in rules(floor)]
    inner = table("Horizontal lines", ["Line", "Value"], rows, kind="plain", numbers=[1])
    return f"<details><summary>The horizontal lines, as a table</summary>{inner}</details>"


def _laws(floor: TrainedFloor, draw: Draw) -> str:
    figures = [
        _titled(
            name,
            draw(
                law_chart(points),
                "delta stays near 0, and the error touches the bound from above: it can never lie below.",
                "Theorem 1 at every checkpoint: error ≥ 2 err_iiv − max|V|/min|E| − delta. Where delta grows, the learner is no longer "
                "calibrated, the bound sinks, and may fall below 0, where it says nothing. The checkpoint table holds the same numbers.",
            ),
            floor,
        )
        for name, points in curves(floor).items()
    ]
    return "".join(figures) or nothing("No learner was measured more than once.")


def _calibration(floor: TrainedFloor, draw: Draw) -> str:
    if not floor.bins:
        return nothing("Calibration was not measured.")
    # |E_c| is all answers but the right one, for everybody.
    named = [(cut(name), bins, floor.answers - 1) for name, bins in floor.bins.items()]
    return told("Right of 1/K, all bars together and all lines together differ by delta.") + bins_figures(named, draw)


def _checkpoints(floor: TrainedFloor) -> str:
    if not floor.checkpoints:
        return nothing("No learner was measured.")
    heads = [
        "Learner",
        "Step",
        "Epochs",
        "Loss (nats)",
        "Error",
        "unseen",
        "once",
        "often",
        "Bound (Theorem 1)",
        "err_iiv",
        "delta",
        "“I don’t know”",
    ]
    moving = curves(floor)
    lead = told(
        "unseen, once, often: the parts of the error by how often the data answers that person. “I don’t know”: mass of abstentions."
    )
    return lead + table(
        "Checkpoints", heads, [_checkpoint(one, one.learner in moving) for one in floor.checkpoints], kind="key", numbers=range(1, 12)
    )


def _checkpoint(one: Checkpoint, moving: bool) -> str:
    shares = (one.error, one.error_unseen, one.error_once, one.error_often, one.bound, one.misclassified, one.delta, one.abstains)
    values = [
        number(one.step) if moving else "at once",
        f"{one.epochs:g}",
        decimal(one.loss),
        *map(share, shares),
    ]
    cells = "".join(cell(value, kind="number") for value in values)
    return f'<tr><th scope="row" dir="auto">{escape(cut(one.learner))}</th>{cells}</tr>'
