"""The page's last section: how the answers were made."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from wager.metrics.results import Summary
from wager.report.info import RunInfo
from wager.report.wording import NO_VALUE

__all__ = ["how_made"]


def how_made(summary: Summary, info: RunInfo) -> str:
    """The last section: settings, versions and the command; plain HTML."""
    arms = info.arms or tuple(dict.fromkeys(str(group.by.get("arm")) for group in summary.groups))
    started = None if info.started is None else datetime.fromtimestamp(info.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
    facts = {
        "Task": info.task,
        "Model": info.model,
        "Arms": ", ".join(arms) or None,
        "Targets": ", ".join(f"{t:g}" for t in summary.targets) or None,
        "Answer rule": "confidence > t" if summary.tie == "strict" else "confidence ≥ t",
        "Started": started,
        "Took": None if info.seconds is None else f"{info.seconds:,.1f} s",
        "Model calls": _count(info.calls),
        "Tokens read": _count(info.tokens_in),
        "of these cached": _count(info.tokens_cached),
        "Tokens written": _count(info.tokens_out),
        "Cost": None if info.cost is None else f"{info.cost:.4f} US dollars",
        "Seed": None if info.seed is None else str(info.seed),
        "Wording of the targets": info.prompt_version,
    }
    unknown = f'<abbr title="not known">{NO_VALUE}</abbr>'
    lines = [f"<dt>{name}</dt><dd>{unknown if value is None else escape(value)}</dd>" for name, value in facts.items()]
    more = {name: value for name, value in info.settings.items() if value not in (info.task, info.model, info.prompt_version)}
    lines += [f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in {**more, **info.versions}.items()]
    command = f"<p>Made by</p><p><code>{escape(info.command)}</code></p>" if info.command else ""
    return (
        '<section id="made" aria-labelledby="made-title"><h2 id="made-title">How it was made</h2>'
        f'{command}<dl class="facts">{"".join(lines)}</dl></section>'
    )


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"
