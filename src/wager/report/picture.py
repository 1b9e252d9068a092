"""A static picture of the main result, for a README."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from wager.errors import DataError, MissingExtraError, UsageError
from wager.files import replacing
from wager.metrics.results import Summary
from wager.report.layout import models

__all__ = ["check_suffix", "save_picture", "write_picture"]


def save_picture(path: str | os.PathLike[str], summary: Summary) -> None:
    """Score against target beside the outcomes by target, about 900 pixels wide, on white; of the first model in the results.

    Args:
        path: ends in ``.svg`` or ``.png`` (drawn at twice the size, for sharp screens).
        summary: results with at least one group.

    Raises:
        UsageError: another suffix.
        DataError: no group.
        MissingExtraError: Altair or vl-convert is not installed.
        OutputError: the file cannot be written.
    """
    check_suffix(path)
    try:
        import altair as alt

        from wager.report.charts import house, outcome_chart, score_chart
    except ModuleNotFoundError as error:
        raise MissingExtraError("altair", "report", "the picture") from error
    if not summary.groups:
        raise DataError("the results hold no group of answers, so there is nothing to draw")
    model, groups, _ = models(summary)[0]
    task = str(groups[0].by.get("task"))
    score = score_chart(groups, height=280).properties(width=360, title="Score against confidence target")
    outcomes = outcome_chart(groups, step=56).properties(width=310, title="What became of the questions")
    both = alt.hconcat(score, outcomes, spacing=28).resolve_scale(color="independent", strokeDash="independent")
    title = alt.TitleParams(f"{model[:60]} on {task[:40]}")
    write_picture(path, house(both, size=13, legend="bottom").properties(title=title, padding=12).to_dict())


def check_suffix(path: str | os.PathLike[str]) -> None:
    """Raises UsageError where the name of a picture ends neither in ``.svg`` nor in ``.png``."""
    if Path(path).suffix.lower() not in (".svg", ".png"):
        raise UsageError(f"a picture is a .svg or a .png file, got {Path(path).name!r}")


def write_picture(path: str | os.PathLike[str], spec: dict[str, Any]) -> None:
    """Draws a Vega-Lite specification into a ``.svg`` or, at twice its size, a ``.png`` file.

    Raises:
        UsageError: another suffix.
        MissingExtraError: vl-convert is not installed.
        OutputError: the file cannot be written.
    """
    check_suffix(path)
    try:
        import vl_convert

        from wager.report.embed import vega_version
    except ModuleNotFoundError as error:
        raise MissingExtraError("altair", "report", "the picture") from error
    version = vega_version()
    made = (
        vl_convert.vegalite_to_svg(spec, vl_version=version).encode()
        if Path(path).suffix.lower() == ".svg"
        else vl_convert.vegalite_to_png(spec, vl_version=version, scale=2)
    )
    with replacing(path) as part:
        part.write_bytes(made)
