"""The explorer's charts, as Altair objects over named, empty data: the page fills in the rows of the slider's target.

Groups, parts and colours reach a chart only as values of fixed fields; a group is told apart by its place on the board, never by its name.
"""

from __future__ import annotations

from typing import Any, Literal

import altair as alt

from wager.metrics.results import Board
from wager.report.charts import SHARE, TICKS, Chart

__all__ = ["LINEAR", "LOST", "PALETTE", "explorer_charts"]

PALETTE = ("#1d4ed8", "#c2410c", "#047857", "#7e22ce", "#a16207", "#0e7490", "#be185d", "#334155")
"""Colours of highlighted groups; as many can be highlighted at a time."""
LOST = {
    "disobedience": ("#7c3aed", "does not act on its own confidence"),
    "miscalibration": ("#e0582b", "its confidence is off"),
    "indistinction": ("#a8a29e", "cannot tell its right answers from its wrong ones"),
}
"""Why points are lost: colour, and plain words."""
LINEAR = 0.2
"""Scores up to about this size are drawn to scale; larger ones are compressed (the constant of the symmetric logarithm)."""
INK, SOFT, FAINT = "#1c1917", "#57534e", "#cfcac5"
ROWS = 300
"""Height of the charts that have one row for each group, until the page knows how many there are."""


def explorer_charts(board: Board) -> dict[str, Chart]:
    """The charts by name: ``score``, ``lost``, ``reliability``, ``risk``, ``stratum`` (one panel) and ``pairs``."""
    return {
        "score": _score(board),
        "lost": _lost(),
        "reliability": _reliability(),
        "risk": _risk(),
        "stratum": _stratum(),
        "pairs": _pairs(),
    }


def _data(name: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(name=name))


def _colour() -> alt.Color:
    # The page writes colours of the palette into the rows, so that a group has the same one everywhere.
    return alt.Color("colour:N", scale=None)


def _named(title: str = "Group") -> alt.Tooltip:
    return alt.Tooltip("name:N", title=title)


def _layered(*layers: Chart, **properties: Any) -> Chart:
    made: Chart = alt.layer(*layers).properties(**properties)
    return made


def _score(board: Board) -> Chart:
    x = alt.X(
        "t:Q",
        title="Confidence target t",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 0.9], format=".2~f", labelOverlap="greedy"),
    )
    lowest = min((value for group in board.groups for value in group.along.value if value is not None), default=0.0)
    bottom = min(lowest, -0.25)
    y = alt.Y(
        "value:Q",
        title="Score per question (compressed scale)",
        scale=alt.Scale(type="symlog", constant=LINEAR, domain=[bottom, 1], nice=False),
        axis=alt.Axis(values=[tick for tick in TICKS if tick >= bottom], format=".2~f", labelOverlap="greedy"),
    )
    tip = [_named(), alt.Tooltip("t:Q", title="t", format=".2f"), alt.Tooltip("value:Q", title="Score", format="+.2f")]
    every = _data("every").encode(x=x, y=y, detail="group:O")
    chosen = _data("chosen").encode(x=x, detail="group:O", color=_colour())
    silence = _data("zero").encode(x=alt.value(0), y=y, text="label:N")
    under: dict[str, Any] = {"align": "left", "baseline": "bottom", "dx": 4, "dy": -2, "fontSize": 11}
    label: dict[str, Any] = {"fontSize": 12, "fontWeight": 600, "limit": 190, "clip": False}
    layers = [
        every.mark_line(stroke=FAINT, strokeWidth=1.2, clip=True),
        chosen.mark_area(opacity=0.13, clip=True).encode(y=alt.Y("low:Q"), y2="high:Q"),
        _data("zero").mark_rule(stroke=SOFT, strokeDash=[2, 3], strokeWidth=1.5).encode(y=y),
        _data("own").mark_line(strokeWidth=1.6, strokeDash=[5, 3], clip=True).encode(x=x, y=y, detail="group:O", color=_colour()),
        chosen.mark_line(strokeWidth=2.6, clip=True).encode(y=y),
        _data("hovered").mark_line(stroke=INK, strokeWidth=2, clip=True).encode(x=x, y=y, detail="group:O"),
        silence.mark_text(stroke="#fff", strokeWidth=4, strokeJoin="round", **under),
        silence.mark_text(color=SOFT, **under),
        _data("now").mark_rule(stroke=INK, strokeWidth=1.5).encode(x=x),
        # A wide transparent line takes the pointer, for a thin one is hard to meet.
        every.mark_line(stroke="#000", opacity=0, strokeWidth=11, clip=True, cursor="pointer").encode(tooltip=_named()),
        _data("points").mark_point(filled=True, size=75, opacity=1, cursor="pointer").encode(x=x, y=y, color=_colour(), tooltip=tip),
    ]
    sides: list[tuple[str, Literal["left", "right"], int]] = [("right", "left", 9), ("left", "right", -9)]
    for side, align, shift in sides:
        text = _data(f"labels_{side}").encode(x=x, y=alt.Y("place:Q"), text="name:N")
        layers.append(text.mark_text(align=align, dx=shift, stroke="#fff", strokeWidth=4, strokeJoin="round", **label))
        layers.append(text.mark_text(align=align, dx=shift, **label).encode(color=_colour()))
    return _layered(
        *layers, height=400, description="Score of every group against the confidence target; the slider's target is a vertical line"
    )


def _lost() -> Chart:
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    bars = (
        _data("lost")
        .mark_bar(size=13, yOffset=8)
        .encode(
            y=y,
            x=alt.X("value:Q", stack="zero", title="Points lost per question", axis=alt.Axis(format=".2~f", tickCount=5)),
            color=alt.Color(
                "part:N", scale=alt.Scale(domain=[words for _, words in LOST.values()], range=[c for c, _ in LOST.values()]), legend=None
            ),
            order=alt.Order("order:Q"),
            tooltip=[_named(), alt.Tooltip("part:N", title="Because it"), alt.Tooltip("value:Q", title="Points", format="+.3f")],
        )
    )
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(stroke=SOFT).encode(x="value:Q")
    return _layered(bars, zero, *_row_text("rows", y), height=ROWS, description="Points lost by reason, for each group")


def _row_text(data: str, y: alt.Y, shift: int = -6, *, halo: bool = True) -> list[Chart]:
    """A row's name at the left and its number at the right, above its mark; ``halo`` keeps them clear of the lines that they cross."""
    look: dict[str, Any] = {"baseline": "middle", "yOffset": shift, "fontSize": 12}
    text = _data(data).encode(y=y)
    left, right = text.encode(x=alt.value(0), text="name:N"), text.encode(x=alt.value("width"), text="text:N")
    white: dict[str, Any] = {"stroke": "#fff", "strokeWidth": 4, "strokeJoin": "round"}
    under = [left.mark_text(align="left", limit=210, **white, **look), right.mark_text(align="right", limit=190, **white, **look)]
    over = [
        left.mark_text(align="left", limit=210, **look).encode(color=_colour()),
        right.mark_text(align="right", limit=190, color=SOFT, **look),
    ]
    return [*(under if halo else []), *over]


def _share(field: str, title: str) -> dict[str, Any]:
    return {"shorthand": f"{field}:Q", "title": title, "scale": alt.Scale(domain=[0, 1]), "axis": SHARE}


def _reliability() -> Chart:
    x, y = alt.X(**_share("confidence", "Confidence")), alt.Y(**_share("value", "Right answers among them"))
    ends = alt.InlineData(values=[{"confidence": at, "value": at} for at in (0, 1)])
    seen = _data("bins").encode(x=x, color=_colour(), detail="group:O")
    tip = [
        _named(),
        alt.Tooltip("confidence:Q", title="Mean confidence", format=".0%"),
        alt.Tooltip("value:Q", title="Right", format=".0%"),
    ]
    return _layered(
        alt.Chart(ends).mark_line(stroke=SOFT, strokeDash=[6, 4], strokeWidth=1.5).encode(x=x, y=y),
        seen.mark_line(strokeWidth=1.2, opacity=0.6).encode(y=y),
        seen.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
        seen.mark_point(filled=True, opacity=0.9).encode(
            y=y, size=alt.Size("n:Q", scale=alt.Scale(range=[30, 260]), legend=None), tooltip=[*tip, alt.Tooltip("n:Q", title="Answers")]
        ),
        height=300,
        description="Share of right answers against confidence, for the highlighted groups",
    )


def _risk() -> Chart:
    x = alt.X(**_share("coverage", "Answers kept, the surest first"))
    y = alt.Y("risk:Q", title="Wrong answers among them", axis=alt.Axis(format=".0%", tickCount=5), scale=alt.Scale(zero=True))
    tip = [_named(), alt.Tooltip("coverage:Q", title="Kept", format=".0%"), alt.Tooltip("risk:Q", title="Wrong among them", format=".0%")]
    curve = _data("curve").mark_line(strokeWidth=2.2).encode(x=x, y=y, detail="group:O", color=_colour(), tooltip=_named())
    point = _data("single").encode(x=x, y=y, color=_colour())
    return _layered(
        curve,
        point.mark_point(filled=True, size=90, opacity=1).encode(tooltip=tip),
        point.mark_text(align="right", dx=-9, fontSize=11).encode(text="label:N"),
        height=300,
        description="Share of wrong answers among the surest answers, for the highlighted groups",
    )


def _stratum() -> Chart:
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    x = alt.X(
        "value:Q",
        title=None,
        stack=None,
        scale=alt.Scale(nice=False),
        axis=alt.Axis(format=".2~f", tickCount=4, labelOverlap="greedy", grid=False),
    )
    tip = [_named(), alt.Tooltip("text:N", title="Score"), alt.Tooltip("n:Q", title="Answers")]
    bars = _data("bars").mark_bar(size=6, yOffset=7).encode(y=y, x=x, color=alt.Color("colour:N", scale=None), tooltip=tip)
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(stroke="#b5afa9").encode(x="value:Q")
    # Two unseen points give all panels the same axis.
    extent = _data("extent").mark_point(opacity=0, tooltip=None).encode(x=x)
    return _layered(extent, bars, zero, *_row_text("bars", y, -5, halo=False), height=ROWS, description="Scores in one category")


def _pairs() -> Chart:
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    x = alt.X("value:Q", title="Points per question, compared with the reference", axis=alt.Axis(format="+.2~f", tickCount=5))
    rows = _data("pairs").encode(y=y, color=_colour())
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(stroke=SOFT, strokeDash=[3, 3]).encode(x="value:Q")
    tip = [
        _named(),
        alt.Tooltip("value:Q", title="Difference", format="+.3f"),
        alt.Tooltip("low:Q", title="95 % from", format="+.3f"),
        alt.Tooltip("high:Q", title="95 % to", format="+.3f"),
        alt.Tooltip("n:Q", title="Questions that both have"),
    ]
    return _layered(
        zero,
        rows.mark_rule(strokeWidth=2.2, yOffset=8).encode(x=alt.X("low:Q"), x2="high:Q"),
        rows.mark_point(filled=True, size=65, opacity=1, yOffset=8).encode(x=x, tooltip=tip),
        *_row_text("pairs", y),
        height=ROWS,
        description="Paired difference of every group from the reference group, with its interval",
    )
