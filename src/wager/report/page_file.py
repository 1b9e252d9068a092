"""Sections and their charts to one HTML file that needs no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from wager.errors import MissingExtraError
from wager.files import replacing

if TYPE_CHECKING:
    from wager.report.sections import Draw

__all__ = ["write_sections"]


def write_sections(path: str | os.PathLike[str], title: str, sections: Callable[[Draw], str], *, what: str) -> None:
    """Writes a page; an existing file is replaced only once the new one is complete.

    Args:
        path: the HTML file.
        title: of the page, as text.
        sections: makes the body; it is given what draws its charts.
        what: the page is, for the message where a package is missing.

    Raises:
        MissingExtraError: Altair or vl-convert is not installed.
        OutputError: the file cannot be written.
    """
    try:
        from wager.report.embed import policy, vega_bundle
        from wager.report.figures import Figures
    except ModuleNotFoundError as error:
        if error.name not in ("altair", "vl_convert"):
            raise
        raise MissingExtraError("altair", "report", what) from error
    figures = Figures()
    body = sections(figures.draw)
    bundle, charts = vega_bundle(), _text("charts.js")
    page = Template(_text("theory_page.html")).substitute(
        policy=escape(policy([bundle, charts])),
        title=escape(f"{title[:200]} · wager"),
        style=_text("page.css") + _text("theory_page.css"),
        sections=body,
        data="\n".join(figures.data),
        bundle=bundle,
        charts=charts,
    )
    with replacing(path) as part:
        # A half of a surrogate pair can come in with a reply or a file's name; it has no UTF-8 form.
        part.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")


def _text(name: str) -> str:
    return (files("wager.report") / name).read_text(encoding="utf-8")
