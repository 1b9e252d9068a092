"""The page: one HTML file that needs no network, with charts, tables and a browser of the single answers."""

from __future__ import annotations

import os
from html import escape
from importlib.resources import files
from string import Template

from wager.errors import MissingExtraError
from wager.files import replacing
from wager.metrics.results import Summary
from wager.report.browse import answer_columns
from wager.report.info import RunInfo
from wager.table import AnswerTable

__all__ = ["write_report"]


def write_report(path: str | os.PathLike[str], summary: Summary, table: AnswerTable, info: RunInfo) -> None:
    """Writes the report; an existing file is replaced only once the new one is complete.

    Args:
        path: the HTML file.
        summary: the numbers; shown, never recomputed.
        table: the single answers behind them.
        info: how they were made.

    Raises:
        MissingExtraError: Altair or vl-convert is not installed.
        OutputError: the file cannot be written.
    """
    page = _page(summary, table, info)
    with replacing(path) as part:
        # A half of a surrogate pair can come in with a command line; it has no UTF-8 form.
        part.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")


def _page(summary: Summary, table: AnswerTable, info: RunInfo) -> str:
    try:
        from wager.report.embed import data_json, policy, vega_bundle
        from wager.report.figures import Figures
        from wager.report.made import how_made
        from wager.report.sections import results
    except ModuleNotFoundError as error:
        if error.name not in ("altair", "vl_convert"):
            raise
        raise MissingExtraError("altair", "report", "the report page") from error
    answers = f'<script type="application/json" id="answer-data">{data_json(answer_columns(table))}</script>'
    figures = Figures()
    sections = results(summary, info, figures.draw)
    bundle, charts, browser = vega_bundle(), _text("charts.js"), _text("browser.js")
    return Template(_text("page.html")).substitute(
        policy=escape(policy([bundle, charts, browser])),
        title=escape(f"{info.task} · {info.model} · wager"),
        style=_text("page.css"),
        sections=sections,
        made=how_made(summary, info),
        data="\n".join([answers, *figures.data]),
        bundle=bundle,
        charts=charts,
        browser=browser,
    )


def _text(name: str) -> str:
    return (files("wager.report") / name).read_text(encoding="utf-8")
