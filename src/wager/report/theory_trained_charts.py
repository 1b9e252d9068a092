"""The charts of training: the error of a learner as it goes on, above the lines that theory and data draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from wager.report.charts import Chart
from wager.report.theory_charts import CEILING, FLOOR, INK, MODEL, ONCE, Row, Stroke, data_chart, layered, series_chart
from wager.report.theory_words import share
from wager.theory.results import Checkpoint, TrainedFloor

__all__ = ["PARTS", "curves", "ends", "error_chart", "law_chart", "placed_labels", "rules"]

PARTS = (
    ("error_unseen", "error on people never answered in the data", "#f4a98c"),
    ("error_once", "on people answered once", "#fbd9c3"),
    ("error_often", "on people answered more often", "#e7e5e4"),
)
"""The parts of an error, from the bottom of the stack."""
LAW: tuple[Stroke, ...] = (
    ("error", INK, [1, 0]),
    ("Theorem 1’s bound", FLOOR, [6, 4]),
    ("err_iiv", MODEL, [7, 3, 1.5, 3]),
    ("delta", "#7e22ce", [1.5, 3]),
)
LABEL = 14
"""Pixels between the middles of two labels."""


def curves(floor: TrainedFloor) -> dict[str, list[Checkpoint]]:
    """Learners with several checkpoints, each by step."""
    found: dict[str, list[Checkpoint]] = {}
    for point in floor.checkpoints:
        found.setdefault(point.learner, []).append(point)
    return {name: sorted(points, key=lambda p: p.step) for name, points in found.items() if len(points) > 1}


def ends(floor: TrainedFloor) -> dict[str, Checkpoint]:
    """Each learner's last checkpoint."""
    return {point.learner: point for point in sorted(floor.checkpoints, key=lambda p: p.step)}


def rules(floor: TrainedFloor) -> list[Row]:
    """The horizontal lines: both bounds, where they say something, the rates, and every learner that is fitted at once."""
    lines: list[Row] = []
    for bound, name, colour in ((floor.upper, "upper bound", CEILING), (floor.lower, "lower bound", FLOOR)):
        if bound.value is not None and not bound.vacuous:
            lines.append({"name": name, "value": bound.value, "colour": colour, "dash": [7, 3]})
    lines.append({"name": "seen once (sr)", "value": floor.singleton_rate, "colour": ONCE, "dash": [1, 0]})
    lines.append({"name": "missing mass", "value": floor.missing_mass, "colour": MODEL, "dash": [2, 2]})
    lines.append({"name": "memoriser", "value": floor.memoriser, "colour": INK, "dash": [1.5, 4]})
    moving = curves(floor)
    for name, point in ends(floor).items():
        if name not in moving and name != "memoriser":
            lines.append({"name": name[:24], "value": point.error, "colour": "#7e22ce", "dash": [9, 3]})
    return lines


def placed_labels(lines: Sequence[Row], top: float, height: int) -> list[Row]:
    """Gives each label a height on the screen, from the top and at least a line apart."""
    placed: list[Row] = []
    for line in sorted(lines, key=lambda row: -row["value"]):
        ideal = height * (1 - line["value"] / top)
        floor = placed[-1]["at"] + LABEL if placed else 6.0
        placed.append({**line, "at": max(ideal, floor), "text": f"{line['name']} {share(line['value'])}"})
    # A pile at the bottom is pushed up again, so that the last label keeps clear of the axis.
    limit = height - 6.0
    for row in reversed(placed):
        row["at"] = min(row["at"], limit)
        limit = row["at"] - LABEL
    return placed


def _epochs(points: Sequence[Checkpoint]) -> alt.X:
    """Passes over the data; compressed where the first checkpoints lie much closer together than the last."""
    at = sorted({point.epochs for point in points})
    small = min((value for value in at if value > 0), default=1.0)
    long = at[-1] / small > 20
    scale = (
        alt.Scale(type="symlog", constant=small, domain=[at[0], at[-1]], nice=False)
        if long
        else alt.Scale(domain=[at[0], at[-1]], nice=False)
    )
    axis = alt.Axis(values=at, format="~g", labelOverlap="greedy", labelSeparation=6) if long else alt.Axis(tickCount=6, format="~g")
    return alt.X(
        "x:Q", title="Passes over the data (epochs, compressed)" if long else "Passes over the data (epochs)", scale=scale, axis=axis
    )


def error_chart(points: Sequence[Checkpoint], floor: TrainedFloor, *, height: int = 380) -> Chart:
    """The learner's error, stacked by how often its people were answered, above labelled horizontal lines."""
    lines = rules(floor)
    top = min(1.0, max([*(point.error for point in points), *(line["value"] for line in lines)]) * 1.05)
    x = _epochs(points)
    scale = alt.Scale(domain=[0, top], nice=False)
    axis = alt.Axis(format="~%", tickCount=6)
    y = alt.Y("value:Q", title="Error (share of the mass on wrong answers)", scale=scale, axis=axis)
    layers: list[Chart] = []
    parts = _parts(points)
    if parts:
        names, colours = [name for _, name, _ in PARTS], [colour for _, _, colour in PARTS]
        legend = alt.Legend(title=None, columns=1, symbolType="square", symbolOpacity=1, symbolSize=110, labelLimit=320)
        colour = alt.Color("series:N", scale=alt.Scale(domain=names, range=colours), legend=legend)
        layers.append(data_chart(parts).mark_area(opacity=1).encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", color=colour))
    rows: list[Row] = [{"x": point.epochs, "value": point.error, "text": share(point.error)} for point in points]
    tip = [alt.Tooltip("x:Q", title="Epochs", format="~g"), alt.Tooltip("text:N", title="Error")]
    whole = data_chart(rows).encode(x=x, y=y)
    layers += [
        whole.mark_line(color=INK, strokeWidth=2.4),
        whole.mark_point(filled=True, color=INK, size=34, opacity=1).encode(tooltip=tip),
    ]
    for line in placed_labels(lines, top, height):
        value = data_chart([line])
        layers.append(value.mark_rule(color=line["colour"], strokeWidth=1.7, strokeDash=line["dash"]).encode(y=y))
        label = value.encode(x=alt.value("width"), y=alt.value(line["at"]), text="text:N")
        layers.append(label.mark_text(align="left", dx=7, baseline="middle", color=line["colour"], fontSize=12))
    return layered(*layers, height=height, description="Error of the learner as training goes on, with the lines that theory and data draw")


def _parts(points: Sequence[Checkpoint]) -> list[Row]:
    """Edges of the stacked parts; empty where a part is not known."""
    rows: list[Row] = []
    for point in points:
        below = 0.0
        for key, name, _ in PARTS:
            value: float | None = getattr(point, key)
            if value is None:
                return []
            rows.append({"x": point.epochs, "series": name, "low": below, "high": below + value})
            below += value
    return rows


def law_chart(points: Sequence[Checkpoint], *, height: int = 300) -> Chart:
    """Error, Theorem 1's bound, err_iiv and delta along training."""
    rows: list[Row] = [
        {"x": point.epochs, "series": name, "value": value, "text": share(value)}
        for point in points
        for (name, _, _), value in zip(LAW, (point.error, point.bound, point.misclassified, point.delta), strict=True)
    ]
    values: list[Any] = [row["value"] for row in rows]
    low, high = min(0.0, *values), max(values)
    scale = alt.Scale(domain=[low - 0.03 * (high - low), min(1.0, high * 1.05)], nice=False)
    y = alt.Y("value:Q", title="Share", scale=scale, axis=alt.Axis(format="~%", tickCount=6))
    return series_chart(
        rows, LAW, _epochs(points), y, height=height, description="Error, bound, misclassification and delta along training", zero=True
    )
