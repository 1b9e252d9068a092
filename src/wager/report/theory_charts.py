"""The charts of the floor, as Altair objects without a width. Texts from the data are only ever values of fixed fields.

No number is worked out here but places on a screen: sums of a bin, edges of an axis, where a label finds room.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import altair as alt

from wager.report.charts import Chart
from wager.report.theory_words import decimal, number, quantity_range, quantity_value, share
from wager.theory.results import Bin, Bound, Floor, Frequency, Quantity, Reduction, Remedy

__all__ = [
    "bins_chart",
    "data_chart",
    "layered",
    "log_axis",
    "log_places",
    "lower_words",
    "octaves",
    "on_line",
    "prompts_chart",
    "reductions_chart",
    "remedy_chart",
    "samples_chart",
    "series_chart",
    "share_line",
    "thinned",
]

INK, SOFT, ONCE, FLOOR, CEILING, MODEL, OTHER = "#1c1917", "#57534e", "#c2410c", "#b4360f", "#0f766e", "#1d4ed8", "#a8a29e"
PERCENT = ".0%"
LINE = ("singleton_rate", "missing_mass", "good_turing", "memoris")
"""Beginnings of the keys of those quantities that are errors, or estimate one, and so belong on one line with the bounds."""
CELLS = 200
"""Points of a decade that can be told apart on a screen."""
Row = dict[str, Any]


def data_chart(rows: Sequence[Row]) -> alt.Chart:
    """A chart of these rows, still without marks."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def layered(*layers: Chart, **properties: Any) -> Chart:
    """Charts on top of each other; Altair's layers lose their type in `properties`."""
    made: Chart = alt.layer(*layers).properties(**properties)
    return made


def _halo(chart: alt.Chart, **look: Any) -> list[Chart]:
    """Text that stays legible on top of lines: a wide white stroke under it."""
    return [chart.mark_text(stroke="#fff", strokeWidth=4, strokeJoin="round", **look), chart.mark_text(**look)]


def on_line(floor: Floor) -> list[Quantity]:
    """The quantities that stand on the number line beside the bounds."""
    return [one for one in floor.quantities if one.unit == "share" and one.key.startswith(LINE)]


def _bound_row(bound: Bound) -> Row:
    lower = bound.side == "lower"
    known = bound.value is not None and not bound.vacuous
    said = share(bound.value) if known else "not known" if bound.value is None else "vacuous, says nothing"
    name = f"Lower bound ({bound.name})" if lower else "Upper bound"
    row = {
        "name": f"{name}: {said}",
        "text": said,
        "colour": FLOOR if lower else CEILING,
        "shape": "triangle-right" if lower else "triangle-left",
    }
    value = bound.value if known else None
    return row | {"value": value, "low": 0.0 if lower and known else None, "high": value if lower and known else None, "wide": 9}


def _quantity_row(quantity: Quantity) -> Row:
    colour, shape = (ONCE, "circle") if quantity.key.startswith("singleton") else (MODEL, "circle")
    if quantity.key.startswith("memoris"):
        colour, shape = INK, "diamond"
    said = quantity_value(quantity) if quantity.value is not None else "not known"
    name = f"{quantity.name}: {said} {quantity_range(quantity)}".strip()
    row = {"name": name, "text": said, "colour": colour, "shape": shape, "wide": 2.5}
    return row | {"value": quantity.value, "low": quantity.low, "high": quantity.high}


def share_line(floor: Floor, *, step: int = 46) -> Chart:
    """The line from 0 to 1: bounds, rates and estimates, one under the other so that no two names meet."""
    rows = [_bound_row(floor.lower), *map(_quantity_row, on_line(floor)), _bound_row(floor.upper)]
    axis = alt.Axis(format=PERCENT, values=[0, 0.25, 0.5, 0.75, 1])
    x = alt.X("value:Q", title="Share of answers that are errors (or its estimate)", scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)
    return _dot_rows(rows, x, step, "Bounds, rates and estimates of the share of errors, from 0 to 1")


def _dot_rows(rows: list[Row], x: alt.X, step: int, description: str, extra: Sequence[Chart] = ()) -> Chart:
    """Rows with their name above the mark; ``wide`` is the stroke of the interval, ``shape`` that of the point."""
    y = alt.Y("row:O", axis=None, scale=alt.Scale(type="band", paddingInner=0, paddingOuter=0))
    rows = [{"row": place, **row} for place, row in enumerate(rows)]
    spans = [row for row in rows if row["low"] is not None and row["high"] is not None]
    colour = alt.Color("colour:N", scale=None)
    tip = [alt.Tooltip("name:N", title="Quantity"), alt.Tooltip("text:N", title="Value")]
    layers: list[Chart] = [*extra]
    for wide in sorted({row["wide"] for row in spans}, reverse=True):
        some = data_chart([row for row in spans if row["wide"] == wide]).encode(y=y, color=colour, tooltip=tip)
        opacity = 0.3 if wide > 4 else 0.75
        layers.append(some.mark_rule(strokeWidth=wide, opacity=opacity, yOffset=6).encode(x=alt.X("low:Q"), x2="high:Q"))
    points = data_chart([row for row in rows if row["value"] is not None]).encode(y=y, x=x, color=colour, tooltip=tip)
    layers.append(points.mark_point(filled=True, size=85, opacity=1, yOffset=6).encode(shape=alt.Shape("shape:N", scale=None)))
    names = data_chart(rows).encode(y=y, x=alt.value(3), text="name:N")
    layers += _halo(names, align="left", baseline="middle", yOffset=-10, fontSize=12, limit=560)
    if not any(row["value"] is not None for row in rows):
        # Without one point the axis would vanish with its marks.
        layers.append(data_chart([{"value": 0}, {"value": 1}]).mark_point(opacity=0).encode(x=x))
    return layered(*layers, height=step * len(rows), description=description)


def octaves(frequencies: Sequence[Frequency]) -> list[Row]:
    """Samples and prompts by times answered, in bins that double: never, once, 2, 3–4, 5–8, ..."""
    bins: dict[int, Row] = {}
    for one in frequencies:
        place = -1 if one.answered < 1 else (one.answered - 1).bit_length()
        low, high = (1, 1) if place == 0 else (2 ** (place - 1) + 1, 2**place) if place > 0 else (0, 0)
        name = "never" if place < 0 else "once" if place == 0 else f"{low:,}" if low == high else f"{low:,}–{high:,}"
        row = bins.setdefault(place, {"place": place, "bin": name, "rows": 0.0, "prompts": 0.0, "colour": ONCE if place == 0 else OTHER})
        row["rows"] += one.rows
        row["prompts"] += one.prompts
    total = sum(one.rows for one in frequencies) or 1.0
    found = [bins[place] for place in sorted(bins)]
    for row in found:
        row["share"] = row["rows"] / total
        row["text"] = share(row["share"])
        row["count"] = number(row["prompts"])
    return found


def samples_chart(frequencies: Sequence[Frequency], *, step: int = 24) -> Chart:
    """Share of the samples by how often their prompt is answered; the facts seen once stand out."""
    rows = octaves(frequencies)
    most = max((row["share"] for row in rows), default=1.0) or 1.0
    y = alt.Y("bin:N", sort=None, title="Times answered", axis=alt.Axis(grid=False))
    # Room at the right for the number beside the longest bar.
    x = alt.X(
        "share:Q",
        title="Share of the samples",
        scale=alt.Scale(domain=[0, most * 1.18], nice=False),
        axis=alt.Axis(format=".0%", tickCount=5),
    )
    tip = [
        alt.Tooltip("bin:N", title="Times answered"),
        alt.Tooltip("text:N", title="Share of samples"),
        alt.Tooltip("count:N", title="Prompts"),
    ]
    bars = data_chart(rows).encode(y=y, x=x, tooltip=tip)
    return layered(
        bars.mark_bar(size=step - 8).encode(color=alt.Color("colour:N", scale=None)),
        bars.mark_text(align="left", dx=5, fontSize=12).encode(text="text:N"),
        height=step * max(1, len(rows)),
        description="Share of the samples by how often their prompt is answered",
    )


def thinned(frequencies: Sequence[Frequency]) -> list[Frequency]:
    """Those that can be drawn on two logarithmic axes, one for each place that a screen can tell apart."""
    places: dict[tuple[int, int], Frequency] = {}
    for one in frequencies:
        if one.answered > 0 and one.prompts > 0:
            places.setdefault((round(CELLS * math.log10(one.answered)), round(CELLS * math.log10(one.prompts))), one)
    return list(places.values())


def log_places(low: float, high: float) -> list[float]:
    """Where a logarithmic axis from low to high is labelled: at 1, 2 and 5 on a short one, at powers of ten, of 100, ... on a long one."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    if last - first < 3:
        return [k * 10.0**power for power in range(first - 1, last + 1) for k in (1, 2, 5) if low <= k * 10.0**power <= high]
    every = math.ceil((last - first) / 6)
    # Multiples of the step, so that 1 is labelled whenever it is there.
    return [10.0**power for power in range(first, last + 1) if power % every == 0]


def log_axis(values: Sequence[float], *, room: float = 1.6) -> tuple[alt.Scale, alt.Axis]:
    """A logarithmic scale with room at both ends and its labels; only values above 0 count, and there must be one."""
    known = [value for value in values if value > 0]
    low, high = min(known) / room, max(known) * room
    return alt.Scale(type="log", domain=[low, high], nice=False), alt.Axis(
        values=log_places(low, high), format="~g", labelOverlap="greedy", labelSeparation=6
    )


def prompts_chart(frequencies: Sequence[Frequency], *, height: int = 300) -> Chart:
    """Number of prompts against times answered, both logarithmic; a large labelled square marks the facts seen once."""
    shown = thinned(frequencies)
    rows: list[Row] = [{"answered": f.answered, "prompts": f.prompts, "text": number(f.prompts)} for f in shown]
    xs, xa = log_axis([row["answered"] for row in rows])
    counts = [row["prompts"] for row in rows]
    # The label stands above the highest point: room for it grows with the length of the axis.
    ys, ya = log_axis(counts, room=1.6 * (max(counts) / min(counts)) ** 0.06)
    xa.format = ya.format = "~s"
    x = alt.X("answered:Q", title="Times answered (logarithmic)", scale=xs, axis=xa)
    y = alt.Y("prompts:Q", title="Prompts (logarithmic)", scale=ys, axis=ya)
    tip = [alt.Tooltip("answered:Q", title="Times answered", format=","), alt.Tooltip("text:N", title="Prompts")]
    once = [row | {"label": f"{row['text']} prompts answered once"} for row in rows if row["answered"] == 1]
    name = data_chart(once).encode(x=x, y=y, text="label:N")
    return layered(
        # The label lies under the points: it must not hide one.
        *_halo(name, align="left", dx=-6, dy=-16, color=ONCE, fontSize=12, fontWeight=600),
        data_chart([row for row in rows if row["answered"] != 1])
        .mark_point(filled=True, size=26, color=SOFT, opacity=0.75)
        .encode(x=x, y=y, tooltip=tip),
        data_chart(once).mark_point(filled=True, size=130, color=ONCE, opacity=1, shape="square").encode(x=x, y=y, tooltip=tip),
        height=height,
        description="Number of prompts by how often they are answered, on logarithmic axes",
    )


Stroke = tuple[str, str, list[float]]
"""Name, colour, lengths of strokes and gaps."""


def series_chart(
    rows: Sequence[Row], strokes: Sequence[Stroke], x: alt.X, y: alt.Y, *, height: int, description: str, zero: bool = False
) -> Chart:
    """Lines told apart by colour and by stroke; rows hold ``x``, ``value``, ``series`` and ``text``. ``zero`` adds a rule there."""
    drawn = [stroke for stroke in strokes if any(row["series"] == stroke[0] for row in rows)]
    names = [name for name, _, _ in drawn]
    legend = alt.Legend(
        title=None, columns=2, direction="horizontal", symbolType="stroke", symbolOpacity=1, symbolSize=400, columnPadding=14
    )
    colour = alt.Color("series:N", scale=alt.Scale(domain=names, range=[c for _, c, _ in drawn]), legend=legend)
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=[d for _, _, d in drawn]), legend=legend)
    base = data_chart(rows).encode(x=x, y=y, color=colour)
    tip = [alt.Tooltip("series:N", title="Line"), alt.Tooltip("x:Q", title="At"), alt.Tooltip("text:N", title="Value")]
    nought = [data_chart([{"value": 0}]).mark_rule(color=SOFT).encode(y=y)] if zero else []
    return layered(
        *nought,
        base.mark_line(strokeWidth=2.2).encode(strokeDash=dash),
        base.mark_point(filled=True, size=32, opacity=1).encode(tooltip=tip),
        height=height,
        description=description,
    )


REMEDY_STROKES: tuple[Stroke, ...] = (
    ("upper bound", CEILING, [7, 3, 1.5, 3]),
    ("singleton rate", ONCE, [1, 0]),
    ("lower bound", FLOOR, [6, 4]),
)


def remedy_chart(remedies: Sequence[Remedy], kind: str, *, height: int = 230) -> Chart:
    """Both bounds and the singleton rate against the share of once-seen facts treated; all kinds share one vertical axis."""
    rows = [
        {"x": one.share, "series": name, "value": value, "text": share(value)}
        for one in remedies
        if one.kind == kind
        for name, value in (("upper bound", one.upper), ("singleton rate", one.singleton_rate), ("lower bound", one.lower))
        if value is not None
    ]
    most = max((v for one in remedies for v in (one.upper, one.singleton_rate, one.lower) if v is not None), default=1.0)
    axis = alt.Axis(format=PERCENT, values=[0, 0.25, 0.5, 0.75, 1], labelOverlap="greedy")
    x = alt.X("x:Q", title="Share of once-seen facts treated", scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)
    top = min(1.0, most * 1.08) or 1.0
    y = alt.Y("value:Q", title="Share of answers", scale=alt.Scale(domain=[0, top], nice=False), axis=alt.Axis(format="~%", tickCount=5))
    return series_chart(rows, REMEDY_STROKES, x, y, height=height, description=f"The floor if facts seen once were treated: {kind}")


def lower_words(bound: float) -> str:
    """A Theorem 1 bound as a table or a label shows it."""
    return share(bound) if bound > 0 else f"{share(bound)}, vacuous"


def reductions_chart(reductions: Sequence[Reduction], names: Sequence[str], *, step: int = 46) -> Chart:
    """Measured error against Theorem 1's bound, a pair of rows for each model; a triangle demands, a circle measures."""
    rows: list[Row] = []
    for one, name in zip(reductions, names, strict=True):
        said = f"{share(one.error)} [{share(one.error_low)}, {share(one.error_high)}]"
        rows.append(
            {"name": f"{name[:60]} · errs {said}", "text": said, "colour": MODEL, "shape": "circle", "wide": 2.5}
            | {"value": one.error, "low": one.error_low, "high": one.error_high}
        )
        ends = f"[{share(one.bound_low)}, {share(one.bound_high)}]"
        said = f"must err at least {share(one.bound)} {ends}" if one.bound > 0 else f"bound vacuous at {share(one.bound)} {ends}"
        rows.append(
            {"name": said, "text": share(one.bound), "colour": FLOOR, "shape": "triangle-right", "wide": 2.5}
            | {"value": one.bound, "low": one.bound_low, "high": one.bound_high}
        )
    lowest = min((row["low"] for row in rows), default=0.0)
    scale = alt.Scale(domain=[min(0.0, math.floor(lowest * 20) / 20), 1], nice=False)
    x = alt.X("value:Q", title="Share of the mass on errors", scale=scale, axis=alt.Axis(format=PERCENT, tickCount=6))
    zero = data_chart([{"value": 0}]).mark_rule(color=SOFT, strokeDash=[3, 3]).encode(x=x)
    return _dot_rows(rows, x, step, "Measured error beside the bound of Theorem 1, for each model", [zero])


def bins_chart(bins: Sequence[Bin], fewest_errors: int, *, most: float, height: int = 230) -> Chart:
    """Mass of the model (bars) and of the truth (lines) by the probability that the model gives, with a rule at 1/K.

    ``most`` is the largest mass of a bin on any chart that it is compared with: they share their vertical axis.
    """
    edges = [edge for one in bins for edge in (one.low, one.high) if edge > 0]
    # A logarithmic axis has no 0: the bin that begins there is drawn from a tenth of the first edge.
    first = min(edges) / 10
    rows = [
        {"low": max(one.low, first), "high": one.high, "model": one.model, "truth": one.truth, "zero": 0}
        | {"span": f"{decimal(one.low)} to {decimal(one.high)}", "n": number(one.responses)}
        | {"of_model": share(one.model), "of_truth": share(one.truth)}
        for one in bins
        if one.high > first
    ]
    threshold: float = 1 / fewest_errors
    scale, axis = log_axis([first, max(edges), threshold], room=1.0)
    x = alt.X("low:Q", title="Probability by the model (log axis)", scale=scale, axis=axis)
    ys = alt.Scale(domain=[0, (most or 1.0) * 1.15], nice=False)
    y = alt.Y("model:Q", title="Share of all mass", scale=ys, axis=alt.Axis(format="~%", tickCount=5))
    tip = [
        alt.Tooltip("span:N", title="Probability"),
        alt.Tooltip("of_model:N", title="Model’s mass"),
        alt.Tooltip("of_truth:N", title="Truth’s mass"),
        alt.Tooltip("n:N", title="Responses"),
    ]
    base = data_chart(rows).encode(x=x, x2="high:Q", tooltip=tip)
    right = math.log(threshold / first) > 0.6 * math.log(max(edges) / first)
    label = data_chart([{"at": threshold, "label": f"1/K = 1/{fewest_errors:,}"}]).encode(
        x=alt.X("at:Q", scale=scale), y=alt.value(7), text="label:N"
    )
    align: Literal["right", "left"] = "right" if right else "left"
    return layered(
        base.mark_rect(color="#93b4f5", stroke="#fff", strokeWidth=1).encode(y=y, y2="zero:Q"),
        base.mark_rule(color=INK, strokeWidth=3).encode(y=alt.Y("truth:Q", scale=ys)),
        data_chart([{"at": threshold}]).mark_rule(color=FLOOR, strokeDash=[5, 3], strokeWidth=1.6).encode(x=alt.X("at:Q", scale=scale)),
        *_halo(label, align=align, dx=-5 if right else 5, color=FLOOR, fontSize=12),
        height=height,
        description="Mass given by the model and by the truth, by the probability that the model gives",
    )
