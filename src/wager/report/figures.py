"""The figures of one page: each chart becomes HTML with its caption, and a specification that the page's script draws."""

from __future__ import annotations

from html import escape
from typing import Any

from wager.report.charts import Chart, house
from wager.report.embed import data_json

__all__ = ["Figures"]


class Figures:
    """Collects the specifications of a page's charts while its sections are written."""

    def __init__(self) -> None:
        self.data: list[str] = []
        """``<script type="application/json">`` elements, one for each chart."""

    def draw(self, chart: Chart, good: str, further: str) -> str:
        """The figure's HTML.

        Args:
            chart: without a width; it takes that of the page.
            good: what a good result looks like, as plain text.
            further: what else a reader must know, as plain text.
        """
        name = f"chart-{len(self.data) + 1}"
        spec: dict[str, Any] = house(chart.properties(width="container")).to_dict()
        self.data.append(f'<script type="application/json" id="{name}">{data_json(spec)}</script>')
        return (
            f'<figure><figcaption><span class="good"><b>Good:</b> {escape(good)}</span><br><span class="small">{escape(further)}</span>'
            f'</figcaption><div class="chart" data-chart="{name}"></div></figure>'
        )
