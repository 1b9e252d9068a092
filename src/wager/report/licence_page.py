"""The page of a licence: what a dial has shown, as one HTML file that needs no network, the verdict with its reasons first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from wager.errors import MissingExtraError
from wager.files import replacing
from wager.steering.licence_results import Example, Licence

__all__ = ["write_licence_page"]


def write_licence_page(
    path: str | os.PathLike[str], licence: Licence, *, command: str | None = None, examples: Sequence[Example] = ()
) -> None:
    """Writes the page; an existing file is replaced only once the new one is complete.

    Args:
        path: the HTML file.
        licence: the numbers; shown, never recomputed. What is None is shown as not known, with its reason.
        command: the command line that makes this page again.
        examples: replies to show beside the numbers (`wager.steering.licence.examples_of`); as text, whatever they hold.

    Raises:
        MissingExtraError: Altair or vl-convert is not installed.
        OutputError: the file cannot be written.
    """
    try:
        from wager.report.embed import policy, vega_bundle
        from wager.report.figures import Figures
        from wager.report.licence_sections import licence_sections
    except ModuleNotFoundError as error:
        if error.name not in ("altair", "vl_convert"):
            raise
        raise MissingExtraError("altair", "report", "the page of a licence") from error
    figures = Figures()
    body = licence_sections(licence, examples, command, figures.draw)
    bundle, charts = vega_bundle(), _text("charts.js")
    page = Template(_text("theory_page.html")).substitute(
        policy=escape(policy([bundle, charts])),
        title=escape(f"Licence: {licence.trait[:200]} · wager"),
        style=_text("page.css") + _text("theory_page.css"),
        sections=body,
        data="\n".join(figures.data),
        bundle=bundle,
        charts=charts,
    )
    with replacing(path) as part:
        # A half of a surrogate pair can come in with a reply; it has no UTF-8 form.
        part.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")


def _text(name: str) -> str:
    return (files("wager.report") / name).read_text(encoding="utf-8")
