"""The charts, as Altair objects. Data are only ever values of fixed fields: no name from the data becomes an expression or a link.

Each function takes the groups of one model, in reading order, and gives a chart without size in pixels, so that the page and
the picture can each set their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import altair as alt

from wager.metrics.results import Behaviour, ConfidenceQuality, Estimate, Group
from wager.report.layout import (
    ALWAYS_ABSTAIN,
    ALWAYS_ANSWER,
    ORACLE,
    baseline_rows,
    behaviour_rows,
    group_name,
    outcome_rows,
    score_rows,
    stated_target,
)
from wager.report.wording import source_name

__all__ = [
    "behaviour_chart",
    "house",
    "outcome_chart",
    "reliability_chart",
    "score_chart",
    "strata_chart",
    "threshold_chart",
    "unknown_chart",
]

Chart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.HConcatChart

ARMS = {"closed": "#c2410c", "open": "#1d4ed8", "consistency": "#047857"}
OTHER = "#7e22ce"


class Stroke(NamedTuple):
    """How a baseline is drawn."""

    colour: str
    """As CSS writes it."""
    dash: list[float]
    """Lengths of strokes and gaps in pixels."""


BASELINES = {
    ALWAYS_ANSWER: Stroke("#57534e", [7, 4]),
    ALWAYS_ABSTAIN: Stroke("#57534e", [1.5, 3]),
    ORACLE: Stroke("#a16207", [7, 3, 1.5, 3]),
}
OUTCOMES = {
    "correct": "#0f766e",
    "abstained": "#b9c2cc",
    "incorrect": "#e0582b",
    "unparsed": "#7c5cb0",
    "failed": "#27272a",
    "ungraded": "#d4a017",
}
TICKS = (1, 0.5, 0, -1, -3, -9, -19, -49, -99, -499, -999)
"""Scores to label: those that fit between the largest and the smallest are shown."""
TARGET = "Confidence target t"
SHARE = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1])


def house(chart: Chart, *, size: int = 12, legend: Literal["top", "bottom"] = "top") -> Chart:
    """The look that all charts share; ``size`` is the text size in pixels, ``legend`` the side of the legends."""
    font = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
    axis: dict[str, Any] = {"labelFontSize": size, "titleFontSize": size, "titleFontWeight": "normal", "labelColor": "#333"}
    looked: Chart = (
        chart.configure(font=font, background="#ffffff")
        .configure_view(stroke=None)
        .configure_axis(gridColor="#e7e5e4", domainColor="#a8a29e", tickColor="#a8a29e", titleColor="#333", labelLimit=160, **axis)
        .configure_legend(
            orient=legend, labelFontSize=size, titleFontSize=size, titleFontWeight="normal", labelLimit=200, symbolStrokeWidth=2
        )
        .configure_title(fontSize=size + 2, fontWeight=600, anchor="start", offset=10, subtitleFontSize=size, subtitleColor="#57534e")
    )
    return looked


def score_chart(groups: Sequence[Group], *, height: int = 340) -> Chart:
    """Score against target: arms with bands, baselines dashed, on an axis that gives small and large losses room."""
    rows, base = score_rows(groups), baseline_rows(groups)
    arms = list(dict.fromkeys(row["series"] for row in rows))
    drawn = [name for name in BASELINES if any(row["series"] == name for row in base)]
    names, colours = [*arms, *drawn], [*(ARMS.get(arm, OTHER) for arm in arms), *(BASELINES[name].colour for name in drawn)]
    colour = _series(names, colours, symbol="stroke", columns=3)
    dash = alt.StrokeDash(
        "series:N",
        scale=alt.Scale(domain=names, range=[*([1, 0] for _ in arms), *(BASELINES[name].dash for name in drawn)]),
        legend=_legend("stroke", 3),
    )
    x, y = _target_axis([row["t"] for row in rows]), _score_axis([*rows, *base])
    arm = alt.Chart(alt.InlineData(values=rows)).encode(x=x, y=y, color=colour, tooltip=_tooltip("Arm", ".2f"))
    lines = alt.Chart(alt.InlineData(values=rows + base)).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash)
    band = arm.mark_area(opacity=0.16).encode(y=alt.Y("low:Q"), y2="high:Q")
    bars = arm.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q")
    layers = alt.layer(band, lines, bars, arm.mark_point(filled=True, size=70, opacity=1))
    return _titled(layers, height=height, description="Score against confidence target, for each arm and three baselines")


def outcome_chart(groups: Sequence[Group], *, step: int = 34) -> Chart:
    """Outcomes by arm and stated target, as shares of all answers to answerable items."""
    # Rows keep the order of the data (`sort=None`): an explicit order would become an expression that holds the names.
    seen = [name for name in OUTCOMES if list(OUTCOMES).index(name) < 3 or any(group.counts.get(name) for group in groups)]
    bars = (
        alt.Chart(alt.InlineData(values=outcome_rows(groups, seen)))
        .mark_bar(stroke="#ffffff", strokeWidth=0.5)
        .encode(
            y=alt.Y("group:N", sort=None, title=None),
            x=alt.X("count:Q", stack="normalize", title="Share of the answers", axis=SHARE),
            color=_series(seen, [OUTCOMES[name] for name in seen], field="outcome", symbol="square", columns=3),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("group:N", title="Arm"),
                alt.Tooltip("outcome:N", title="Outcome"),
                alt.Tooltip("count:Q", title="Answers"),
                alt.Tooltip("n:Q", title="of"),
            ],
        )
    )
    return _titled(bars, height=step * len(groups), description="Share of each outcome, for each arm and stated target")


def behaviour_chart(behaviour: Behaviour, *, height: int = 320) -> Chart:
    """Accuracy of answered and of declined items against the stated target, with the diagonal."""
    rows = behaviour_rows(behaviour)
    for row in rows:
        # Both kinds stand at the same targets: a small shift keeps their intervals apart.
        row["x"] = row["t"] + (-0.006 if row["series"] == "answered" else 0.006)
    names = list(dict.fromkeys(row["series"] for row in rows))
    colours = ["#1d4ed8" if name == "answered" else "#78716c" for name in names]
    y = alt.Y("value:Q", title="Right answers among them", scale=alt.Scale(domain=[0, 1]), axis=SHARE)
    x = _target_axis(list(behaviour.targets), field="x")
    points = alt.Chart(alt.InlineData(values=rows)).encode(x=x, color=_series(names, colours), tooltip=_tooltip("Items", ".0%"))
    layers = alt.layer(
        _diagonal(x, y),
        points.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2="high:Q"),
        points.mark_point(filled=True, size=90, opacity=1).encode(y=y),
    )
    return _titled(layers, height=height, description="Accuracy of answered and of declined questions against the stated target")


def reliability_chart(quality: ConfidenceQuality, *, height: int = 260) -> Chart:
    """Accuracy against confidence of one source, with the diagonal; larger points hold more answers."""
    rows = [
        {"confidence": b.confidence, "from": b.low, "to": b.high, **_numbers(b.accuracy)}
        for b in quality.reliability
        if b.accuracy.value is not None
    ]
    share = alt.Scale(domain=[0, 1])
    x = alt.X("confidence:Q", title="Confidence", scale=share, axis=SHARE)
    y = alt.Y("value:Q", title="Right answers", scale=share, axis=SHARE)
    points = alt.Chart(alt.InlineData(values=rows)).encode(
        x=x,
        color=alt.value("#1d4ed8"),
        tooltip=[
            alt.Tooltip("confidence:Q", title="Mean confidence", format=".0%"),
            alt.Tooltip("value:Q", title="Right answers", format=".0%"),
            *_interval_tooltip(".0%"),
        ],
    )
    layers = alt.layer(
        _diagonal(x, y),
        points.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
        points.mark_point(filled=True, opacity=0.9).encode(y=y, size=alt.Size("n:Q", scale=alt.Scale(range=[30, 300]), legend=None)),
    )
    return _titled(layers, height=height, description="Accuracy against confidence")


def threshold_chart(found: Sequence[tuple[ConfidenceQuality, Group]], groups: Sequence[Group], *, height: int = 300) -> Chart:
    """Threshold simulation: score of "answer iff confidence > t" on a grid of t, with what the open arm really scored."""
    curves = [
        {"series": source_name(quality.source), "t": t, "value": value, "low": low, "high": high}
        for quality, _ in found
        for t, value, low, high in quality.curve
    ]
    seen = "open arm, as run"
    rows = [{**row, "series": seen} for row in score_rows([group for group in groups if stated_target(group) is not None])]
    names = list(dict.fromkeys(source_name(quality.source) for quality, _ in found))
    colours = ["#7e22ce", "#0e7490", "#b45309", "#be185d", "#4d7c0f", "#334155"][: len(names)]
    if rows:
        names, colours = [*names, seen], [*colours, ARMS["open"]]
    colour = _series(names, colours, symbol="stroke")
    x, y = _target_axis([row["t"] for row in rows]), _score_axis([*curves, *rows])
    curve = alt.Chart(alt.InlineData(values=curves)).encode(x=x, color=colour)
    observed = alt.Chart(alt.InlineData(values=rows)).encode(x=x, color=colour, tooltip=_tooltip("Arm", ".2f"))
    layers = alt.layer(
        curve.mark_area(opacity=0.14).encode(y=alt.Y("low:Q"), y2="high:Q"),
        curve.mark_line(strokeWidth=2).encode(y=y),
        alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(strokeDash=[1.5, 3]).encode(y=y),
        observed.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
        observed.mark_point(filled=True, size=70, opacity=1).encode(y=y),
    )
    return _titled(layers, height=height, description="Score of answering only above a confidence threshold, against the threshold")


def strata_chart(groups: Sequence[Group], names: Sequence[str], *, step: int = 34) -> Chart:
    """By stratum: accuracy when it answers (first arm) and abstention rate of the strictest arm."""
    first, last = groups[0], groups[-1]
    kinds = [f"right when it answers ({group_name(first)})", f"abstains ({group_name(last)})"]
    rows = []
    for stratum in names:
        for kind, group, metric in ((kinds[0], first, "accuracy_answered"), (kinds[1], last, "abstention_rate")):
            estimate = group.strata.get(stratum, {}).get(metric)
            if estimate is not None and estimate.value is not None:
                rows.append({"group": stratum, "series": kind, **_numbers(estimate)})
    chart = _dots(rows, len(names), kinds, ["#0f766e", "#64748b"], step)
    return _titled(chart, description="Accuracy and abstention rate in each part of the task")


def unknown_chart(groups: Sequence[Group], *, step: int = 34) -> Chart:
    """Abstention rate on items that have an answer and on items that have none."""
    kinds = ["has an answer", "has none (invented)"]
    rows = []
    for group in groups:
        for kind, estimate in zip(kinds, (group.abstention_rate, group.unanswerable.get("abstention_rate")), strict=True):
            if isinstance(estimate, Estimate) and estimate.value is not None:
                rows.append({"group": group_name(group), "series": kind, **_numbers(estimate)})
    chart = _dots(rows, len(groups), kinds, ["#64748b", "#be185d"], step, title="Abstention rate")
    return _titled(chart, description="Abstention rate on questions with and without an answer, for each arm")


def _dots(rows: list[dict[str, Any]], lines: int, kinds: list[str], colours: list[str], step: int, *, title: str = "Share") -> Chart:
    scale = alt.Scale(domain=[0, 1])
    chart = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("group:N", sort=None, title=None, axis=alt.Axis(grid=True)),
        yOffset=alt.YOffset("series:N", sort=None, scale=alt.Scale(paddingOuter=0.6)),
        color=_series(kinds, colours, columns=1),
        tooltip=[alt.Tooltip("group:N", title="Group"), *_tooltip("Number", ".0%", target=False)],
    )
    bars = chart.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title, scale=scale, axis=SHARE), x2="high:Q")
    points = chart.mark_point(filled=True, size=70, opacity=1).encode(x=alt.X("value:Q", title=title, scale=scale, axis=SHARE))
    return _titled(alt.layer(bars, points), height=step * max(1, lines))


def _titled(chart: Chart, **properties: int | str) -> Chart:
    # Altair's layered charts lose their type in `properties`.
    titled: Chart = chart.properties(**properties)
    return titled


def _numbers(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n, "left_out": estimate.n_excluded}


def _legend(symbol: str = "circle", columns: int = 2) -> alt.Legend:
    # The symbol is fixed: a merged legend would else take the look of the faintest mark.
    size = 400 if symbol == "stroke" else 100
    return alt.Legend(
        title=None,
        columns=columns,
        direction="horizontal",
        symbolType=symbol,
        symbolOpacity=1,
        symbolSize=size,
        columnPadding=14,
    )


def _series(names: Sequence[str], colours: Sequence[str], *, field: str = "series", symbol: str = "circle", columns: int = 2) -> alt.Color:
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=list(names), range=list(colours)), legend=_legend(symbol, columns))


def _target_axis(targets: Sequence[float], *, field: str = "t") -> alt.X:
    axis = alt.Axis(values=sorted({0.0, *targets, 1.0}), format=".3~f", labelOverlap="greedy", grid=True)
    return alt.X(f"{field}:Q", title=TARGET, scale=alt.Scale(domain=[-0.02, 1], nice=False), axis=axis)


def _score_axis(rows: Sequence[dict[str, Any]]) -> alt.Y:
    lowest = min((row[key] for row in rows for key in ("value", "low") if row.get(key) is not None), default=0.0)
    bottom = min(lowest, -0.25)
    ticks = [tick for tick in TICKS if tick >= bottom]
    axis = alt.Axis(values=ticks, format=".2~f", labelOverlap="greedy")
    scale = alt.Scale(type="symlog", constant=1, domain=[bottom, 1], nice=False)
    return alt.Y("value:Q", title="Score per question (compressed scale)", scale=scale, axis=axis)


def _diagonal(x: alt.X, y: alt.Y) -> alt.Chart:
    ends = alt.InlineData(values=[{"x": at, "confidence": at, "value": at} for at in (0, 1)])
    line: alt.Chart = alt.Chart(ends).mark_line(strokeDash=[6, 4], color="#57534e", strokeWidth=1.5).encode(x=x, y=y)
    return line


def _tooltip(series: str, form: str, *, target: bool = True) -> list[alt.Tooltip]:
    named = [alt.Tooltip("series:N", title=series), *([alt.Tooltip("t:Q", title="Target")] if target else [])]
    return [*named, alt.Tooltip("value:Q", title="Value", format=form), *_interval_tooltip(form)]


def _interval_tooltip(form: str) -> list[alt.Tooltip]:
    ends = [alt.Tooltip(f"{end}:Q", title=f"95 % {'from' if end == 'low' else 'to'}", format=form) for end in ("low", "high")]
    return [*ends, alt.Tooltip("n:Q", title="Answers used"), alt.Tooltip("left_out:Q", title="Left out")]
