"""The charts of a licence, as Altair objects without a width. Texts from outside are only ever values of fixed fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from wager.metrics.results import Estimate
from wager.report.charts import Chart
from wager.report.theory_charts import data_chart, layered
from wager.report.theory_words import share
from wager.report.wording import points
from wager.steering.licence_results import FIGURES, Figures, Licence

__all__ = ["coverage_chart", "dose_chart", "runs", "score_chart", "selectivity_chart"]

Row = dict[str, Any]
COLOURS = {
    "hedges unknown": "#be185d",
    "hedges known": "#64748b",
    "known right": "#0f766e",
    "perplexity ratio": "#7e22ce",
    "repetition": "#b45309",
    "broken": "#27272a",
    "plays along": "#1d4ed8",
    "distinct": "#a16207",
}
RUNS = {"ungated": "#c2410c", "gated": "#1d4ed8", "unsteered": "#57534e", "prompt only": "#a16207"}
SOFT, RANDOM = "#57534e", "#a8a29e"
PERCENT = alt.Axis(format=".0%", tickCount=5)


def runs(licence: Licence) -> dict[str, list[Figures]]:
    """The dial without and with the gate, each with the unsteered model at dose 0, by increasing dose."""
    found = {name: [one for one in licence.doses if one.gated is gated] for name, gated in (("ungated", False), ("gated", True))}
    return {name: sorted([*some, licence.unsteered], key=lambda one: one.dose) for name, some in found.items() if some}


def _row(x: float, series: str, one: Estimate, text: str) -> Row | None:
    if one.value is None:
        return None
    return {
        "x": x,
        "series": series,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "text": text,
        "n": one.n,
        "left_out": one.n_excluded,
    }


def _rows(figures: Sequence[Figures], name: str, series: str, *, ratio: bool) -> list[Row]:
    def told(one: Estimate) -> str:
        return points(one.value) if ratio else share(one.value)

    made = (_row(one.dose, series, one.values[name], told(one.values[name])) for one in figures)
    return [row for row in made if row is not None]


def _legend(symbol: str = "stroke") -> alt.Legend:
    return alt.Legend(
        title=None, columns=2, direction="horizontal", symbolType=symbol, symbolOpacity=1, symbolSize=400 if symbol == "stroke" else 100
    )


def _colour(names: Sequence[str], colours: Sequence[str]) -> alt.Color:
    return alt.Color("series:N", scale=alt.Scale(domain=list(names), range=list(colours)), legend=_legend())


def _tip(series: str, at: str) -> list[alt.Tooltip]:
    more = [("low:Q", "95 % from"), ("high:Q", "95 % to")]
    return [
        alt.Tooltip("series:N", title=series),
        alt.Tooltip("x:Q", title=at),
        alt.Tooltip("text:N", title="Value"),
        *(alt.Tooltip(field, title=title, format=".2f") for field, title in more),
        alt.Tooltip("n:Q", title="Used"),
        alt.Tooltip("left_out:Q", title="Left out"),
    ]


def _lines(rows: Sequence[Row], x: alt.X, y: alt.Y, colour: alt.Color, tip: Sequence[alt.Tooltip]) -> list[Chart]:
    """Bands where there is an interval, a line, and its points."""
    base = data_chart(rows).encode(x=x, color=colour)
    ranged = data_chart([row for row in rows if row["low"] is not None and row["high"] is not None]).encode(x=x, color=colour)
    return [
        ranged.mark_area(opacity=0.14).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(filled=True, size=55, opacity=1).encode(y=y, tooltip=list(tip)),
    ]


def _dose_axis(figures: Sequence[Figures]) -> alt.X:
    doses = [one.dose for one in figures]
    room = 0.04 * ((max(doses) - min(doses)) or 1.0)
    scale = alt.Scale(domain=[min(doses) - room, max(doses) + room], nice=False)
    return alt.X("x:Q", title="Dose (|added| / |h|)", scale=scale, axis=alt.Axis(format="+.3~f", labelOverlap="greedy", tickCount=8))


def _chosen(dose: float | None, x: alt.X) -> list[Chart]:
    """A rule at the chosen dose, if there is one."""
    if dose is None:
        return []
    return [data_chart([{"x": dose}]).mark_rule(color=SOFT, strokeDash=[4, 3]).encode(x=x)]


def dose_chart(
    figures: Sequence[Figures],
    names: Sequence[str],
    *,
    chosen: float | None,
    y_title: str,
    ratio: bool = False,
    most: float = 1.0,
    height: int = 260,
) -> Chart:
    """Some figures against the dose, with intervals. Shares, on an axis up to ``most`` if they allow it; with ``ratio`` the axis is free
    and has a rule at 1."""
    found = {name: _rows(figures, name, FIGURES[name], ratio=ratio) for name in names}
    names = [name for name in names if found[name]]
    rows = [row for name in names for row in found[name]]
    x = _dose_axis(figures)
    top = max((row[key] for row in rows for key in ("value", "high") if row[key] is not None), default=1.0)
    scale = alt.Scale(domain=[0, max(1.2, top) if ratio else min(1.0, max(most, top))])
    y = alt.Y("value:Q", title=y_title, scale=scale, axis=alt.Axis(format=".1f", tickCount=5) if ratio else PERCENT)
    colour = _colour([FIGURES[name] for name in names], [COLOURS[name] for name in names])
    one = [data_chart([{"value": 1}]).mark_rule(color=SOFT, strokeDash=[1.5, 3]).encode(y=y)] if ratio else []
    layers = [*one, *_chosen(chosen, x), *_lines(rows, x, y, colour, _tip("Figure", "Dose"))]
    return layered(*layers, height=height, description=f"{', '.join(FIGURES[name] for name in names)} against the dose")


def selectivity_chart(licence: Licence, *, height: int = 300) -> Chart:
    """Selectivity against the dose, ungated and gated, with every random vector as a point and their span as a band."""
    some = runs(licence)
    every = [*(one for figures in some.values() for one in figures), *licence.controls]
    x = _dose_axis(every)
    rows = [row for name, figures in some.items() for row in _rows(figures, "selectivity", name, ratio=True)]
    random, wrong = (
        [row for one in licence.controls if one.kind == kind for row in _rows([one], "selectivity", one.name, ratio=True)]
        for kind in ("random", "wrong sign")
    )
    lowest = min((row[key] for row in (*rows, *random, *wrong) for key in ("value", "low") if row[key] is not None), default=0.0)
    y = alt.Y(
        "value:Q", title="Hedging on unknown less on known", scale=alt.Scale(domain=[min(-0.2, lowest), 1]), axis=alt.Axis(format="+.1f")
    )
    layers: list[Chart] = []
    if random:
        ends = {"low": min(row["value"] for row in random), "high": max(row["value"] for row in random)}
        layers.append(data_chart([ends]).mark_rect(color=RANDOM, opacity=0.3).encode(y=alt.Y("low:Q"), y2="high:Q"))
    layers.append(data_chart([{"value": 0}]).mark_rule(color=SOFT, strokeDash=[1.5, 3]).encode(y=y))
    layers += _chosen(licence.chosen.dose, x)
    layers += _lines(rows, x, y, _colour(list(some), [RUNS[name] for name in some]), _tip("Dial", "Dose"))
    for marked, shape in ((random, "cross"), (wrong, "diamond")):
        if marked:
            dots = data_chart(marked).encode(x=x, y=y, tooltip=_tip("Control", "Dose"))
            layers.append(dots.mark_point(shape=shape, size=70, color=SOFT, filled=True, opacity=1))
    return layered(*layers, height=height, description="Selectivity against the dose, with the span of the random vectors")


def score_chart(named: Sequence[tuple[str, Figures]], *, height: int = 280) -> Chart:
    """Score at each target of some conditions, on an axis that gives small and large losses room."""
    rows = []
    for series, one in named:
        for name, estimate in one.values.items():
            if name.startswith("score "):
                rows.append(_row(float(name.removeprefix("score ")), series, estimate, points(estimate.value)))
    known = [row for row in rows if row is not None]
    bottom = min(-0.25, min((row[key] for row in known for key in ("value", "low") if row[key] is not None), default=0.0))
    ticks = [tick for tick in (1, 0.5, 0, -1, -3, -9) if tick >= bottom]
    x = alt.X(
        "x:Q",
        title="Confidence target t",
        scale=alt.Scale(domain=[-0.02, 1], nice=False),
        axis=alt.Axis(values=[0, 0.5, 0.75, 0.9], format=".3~f"),
    )
    scale = alt.Scale(type="symlog", constant=1, domain=[bottom, 1], nice=False)
    axis = alt.Axis(values=ticks, format=".2~f", labelOverlap="greedy")
    y = alt.Y("value:Q", title="Score per question (compressed scale)", scale=scale, axis=axis)
    names = [name for name, _ in named]
    layers = [data_chart([{"value": 0}]).mark_rule(color=SOFT, strokeDash=[1.5, 3]).encode(y=y)]
    layers += _lines(known, x, y, _colour(names, [RUNS[name] for name in names]), _tip("Condition", "Target"))
    return layered(*layers, height=height, description="Score against the confidence target, before and after")


def coverage_chart(named: Sequence[tuple[str, Figures]], *, height: int = 260) -> Chart:
    """Risk against coverage of the answers that were given, the surest first; only conditions with a curve."""
    rows = [
        {"x": x, "value": value, "series": name, "low": None, "high": None, "text": share(value), "n": None, "left_out": None}
        for name, one in named
        for x, value in one.curve
    ]
    names = [name for name, one in named if one.curve]
    x = alt.X("x:Q", title="Share of the answers given, surest first", scale=alt.Scale(domain=[0, 1]), axis=PERCENT)
    y = alt.Y("value:Q", title="Wrong among them", scale=alt.Scale(domain=[0, 1]), axis=PERCENT)
    base = data_chart(rows).encode(x=x, y=y, color=_colour(names, [RUNS[name] for name in names]))
    tip = [
        alt.Tooltip("series:N", title="Condition"),
        alt.Tooltip("x:Q", title="Coverage", format=".0%"),
        alt.Tooltip("text:N", title="Wrong"),
    ]
    return layered(
        base.mark_line(strokeWidth=2),
        base.mark_point(filled=True, size=22, opacity=1).encode(tooltip=tip),
        height=height,
        description="Risk against coverage, before and after",
    )
