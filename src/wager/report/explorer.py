"""The explorer: one HTML file in which a slider re-ranks a leaderboard at any price of a wrong answer."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from wager.errors import DataError, MissingExtraError
from wager.files import replacing
from wager.metrics.results import Along, Board, BoardGroup, Confidence, Estimate
from wager.report.fragments import details, number_cell, text
from wager.report.wording import penalty, source_name

__all__ = ["ExplorerInfo", "explorer_html", "write_explorer"]

STATES = ("unparsed", "failed", "ungraded")
"""Outcomes without a verdict."""
METRICS = {
    "brier": "Brier",
    "ece": "ECE",
    "smooth_ece": "Smooth ECE",
    "overconfidence": "Overconfidence",
    "auroc": "AUROC",
    "aurc": "AURC",
    "augrc": "AUGRC",
    "expected_score": "Expected score",
}
"""Metrics of a confidence that the page shows, with their headings."""
LONGEST = 300
"""Characters of a name that the page keeps."""


@dataclass(frozen=True, kw_only=True)
class ExplorerInfo:
    """What a reader must know about a board besides its numbers."""

    title: str
    """What was asked: the name of the benchmark."""
    command: str | None = None
    """The command line that makes this page again."""
    sources: tuple[tuple[str, str, int], ...] = ()
    """The files behind it: path, format, rows."""
    notes: tuple[str, ...] = ()
    """Sentences that a reader must see; the board's own notes are shown in any case."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages, by name."""
    costs: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    """By source of confidence, for each question: calls of the model, tokens, seconds. Shown beside its quality."""


def write_explorer(path: str | os.PathLike[str], board: Board, info: ExplorerInfo) -> None:
    """Writes the page; an existing file is replaced only once the new one is complete.

    Args:
        path: the HTML file.
        board: the numbers along the targets; looked up, never recomputed.
        info: where they come from.

    Raises:
        DataError: the board has no group.
        MissingExtraError: Altair or vl-convert is not installed.
        OutputError: the file cannot be written.
    """
    page = explorer_html(board, info)
    with replacing(path) as part:
        # A half of a surrogate pair can come in with a file's name; it has no UTF-8 form.
        part.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")


def explorer_html(board: Board, info: ExplorerInfo) -> str:
    """The page as text: scripts, styles and data inside, so that it opens without a network.

    Raises:
        DataError: the board has no group.
        MissingExtraError: Altair or vl-convert is not installed.
    """
    if not board.groups:
        raise DataError("the board holds no group of answers, so there is nothing to explore")
    try:
        from wager.report.charts import house
        from wager.report.embed import data_json, policy, vega_bundle
        from wager.report.explorer_charts import LINEAR, LOST, PALETTE, explorer_charts
    except ModuleNotFoundError as error:
        if error.name not in ("altair", "vl_convert"):
            raise
        raise MissingExtraError("altair", "report", "the explorer page") from error
    specs = {name: house(chart.properties(width="container")).to_dict(validate=False) for name, chart in explorer_charts(board).items()}
    lost = [[name, colour, words] for name, (colour, words) in LOST.items()]
    data = _data(board) | {"palette": list(PALETTE), "linear": LINEAR, "lost": lost}
    bundle, script = vega_bundle(), _read("explorer.js")
    return Template(_read("explorer.html")).substitute(
        policy=escape(policy([bundle, script])),
        title=escape(f"{info.title} · wager"),
        heading=escape(info.title),
        style=_read("page.css") + _read("explorer.css"),
        what=text(_what(board)),
        last=f"{board.grid[-1]:g}",
        notes=_notes(board, info),
        missing=text(_missing(board)),
        quality=_quality(board, info),
        numbers=_numbers(board),
        made=_made(board, info),
        specs=data_json(specs),
        data=data_json(data),
        bundle=bundle,
        script=script,
    )


def _read(name: str) -> str:
    return (files("wager.report") / name).read_text(encoding="utf-8")


def _data(board: Board) -> dict[str, Any]:
    """The board as the page's script reads it: groups and parts by place, never by name."""
    strata = list(dict.fromkeys(name for group in board.groups for name in group.strata))
    return {
        "grid": list(board.grid),
        "targets": [t for t in board.targets if any(abs(t - at) < 1e-9 for at in board.grid)],
        "strata": [_cut(name) for name in strata],
        "groups": [_group(group, strata, board) for group in board.groups],
        "pairs": [[pair.a, pair.b, pair.n_items, *_along(pair.along)] for pair in board.pairs],
    }


def _group(group: BoardGroup, strata: Sequence[str], board: Board) -> dict[str, Any]:
    ranks = group.ranks
    return {
        "name": _cut(group.name),
        "n": group.n,
        "items": group.n_items,
        "counts": [
            *(group.counts.get(name, 0) for name in ("correct", "abstained", "incorrect")),
            sum(group.counts.get(s, 0) for s in STATES),
        ],
        "missing": group.missing,
        "lines": [_cut(line) for line in group.missing_lines],
        "along": _along(group.along),
        "band": [_round(group.band.low), _round(group.band.high)],
        "ranks": [list(part) for part in (ranks.rank, ranks.low, ranks.high, ranks.if_incorrect, ranks.if_abstained)],
        "confidences": [_confidence(one, board) for one in group.confidences],
        "strata": [
            [place, group.strata_n.get(name), _round(group.strata[name])] for place, name in enumerate(strata) if name in group.strata
        ],
    }


def _confidence(one: Confidence, board: Board) -> dict[str, Any]:
    return {
        "source": source_name(one.source),
        "n": one.n,
        "constant": one.constant,
        "own": _round(one.along.value),
        "lost": [_round(_lost(one, name, board)) for name in ("disobedience", "miscalibration", "indistinction")],
        "bins": [
            [_five(b.confidence), *(_five(x) for x in (b.accuracy.value, b.accuracy.low, b.accuracy.high)), b.accuracy.n]
            for b in one.reliability
        ],
        "risk": [[_five(coverage), _five(risk)] for coverage, risk in one.risk_coverage],
    }


def _lost(one: Confidence, name: str, board: Board) -> Iterable[float | None]:
    """Along the grid; at the targets that were asked for, what is known of them, such as what a model did when it was told that target."""
    at = {float(t): parts[name].value for t, parts in one.lost.items() if name in parts}
    known = one.lost_along.get(name, (None,) * len(board.grid))
    for t, along in zip(board.grid, known, strict=True):
        exact = next((value for target, value in at.items() if abs(target - t) < 1e-9), None)
        yield along if exact is None else exact


def _along(along: Along) -> list[list[float | None]]:
    return [_round(along.value), _round(along.low), _round(along.high)]


def _round(values: Iterable[float | None]) -> list[float | None]:
    return [_five(value) for value in values]


def _five(value: float | None) -> float | None:
    """Five significant digits, which is more than a screen shows; what is no number is None."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else name[:LONGEST] + "…"


def _what(board: Board) -> str:
    sizes = [group.n for group in board.groups]
    few, many = min(sizes), max(sizes)
    size = f"{many:,} answers each" if few == many else f"{few:,} to {many:,} answers each"
    groups = "1 group" if len(sizes) == 1 else f"{len(sizes):,} groups"
    return f"{groups}, {size.removesuffix(' each') if len(sizes) == 1 else size}"


def _missing(board: Board) -> str:
    told = {
        "unparsed": "Missing answers are left out of every score here.",
        "abstained": "Missing answers count as “I don’t know” here.",
        "incorrect": "Missing answers count as wrong here.",
    }
    total = sum(group.missing for group in board.groups)
    return f"{total:,} answers are missing. {told.get(board.missing, '')}" if total else "No answer is missing."


def _notes(board: Board, info: ExplorerInfo) -> str:
    notes = list(dict.fromkeys([*info.notes, *board.notes]))
    if not notes:
        return ""
    items = "".join(f'<li dir="auto">{text(note)}</li>' for note in notes)
    return f'<section aria-labelledby="notes-title"><h2 id="notes-title">Notes</h2><ul class="warning">{items}</ul></section>'


def _quality(board: Board, info: ExplorerInfo) -> str:
    def cost(source: str) -> str:
        if not info.costs:
            return ""
        values = info.costs.get(source)
        shown = ["–"] * 3 if values is None else [f"{values[0]:.1f}", f"{values[1]:.0f}", f"{values[2]:.2f}"]
        return "".join(f'<td class="number">{value}</td>' for value in shown)

    rows = [
        f'<tr><th scope="row" dir="auto">{escape(_cut(group.name))}</th><td>{escape(source_name(one.source))}</td>'
        + f'<td class="number">{one.n:,}</td>'
        + cost(one.source)
        + "".join(number_cell(one.metrics.get(name), share=False, sign=False) for name in METRICS)
        + f'<td><span class="small">{escape(one.ece_bins)}</span></td></tr>'
        for group in board.groups
        for one in group.confidences
    ]
    priced = ["Calls a question", "Tokens a question", "Seconds a question"] if info.costs else []
    heads = ["Group", "Source", "Answers", *priced, *METRICS.values(), "Bins of the ECE"]
    return details("All measures of confidence", heads, rows) if rows else ""


def _numbers(board: Board) -> str:
    """Every group at every target as a plain table, for readers without scripts and for copying."""
    heads = ["Group", *(f"t = {t:g}<br><span class='small'>a mistake costs {penalty(t)}</span>" for t in board.targets)]
    rows = [
        f'<tr><th scope="row" dir="auto">{escape(_cut(group.name))}</th>'
        + "".join(number_cell(_at(group.score, t), share=False) for t in board.targets)
        + "</tr>"
        for group in board.groups
    ]
    return details("Scores at the targets asked for", heads, rows)


def _at(estimates: Mapping[str, Estimate], t: float) -> Estimate | None:
    return next((estimate for key, estimate in estimates.items() if abs(float(key) - t) < 1e-9), None)


def _made(board: Board, info: ExplorerInfo) -> str:
    facts = {
        "Targets": ", ".join(f"{t:g}" for t in board.targets),
        "Answer rule": "confidence > t" if board.tie == "strict" else "confidence ≥ t",
        **{str(name): str(version) for name, version in info.versions.items()},
    }
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    command = f"<p>Made by</p><p><code>{escape(info.command)}</code></p>" if info.command else ""
    sources = ""
    if info.sources:
        rows = "".join(
            f'<tr><td dir="auto"><code>{escape(str(path))}</code></td><td>{escape(form)}</td><td class="number">{count:,}</td></tr>'
            for path, form, count in info.sources
        )
        heads = '<th scope="col">File</th><th scope="col">Format</th><th scope="col" class="number">Rows</th>'
        table = f'<table class="sources"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        sources = f'<div class="scroll" role="region" tabindex="0" aria-label="Sources">{table}</div>'
    return f'{command}{sources}<dl class="facts">{lines}</dl>'
