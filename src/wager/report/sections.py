"""The parts of the page, as HTML. Every text that is not written here goes through `html.escape`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape

from wager.metrics.results import Behaviour, Estimate, Group, Summary
from wager.report.charts import (
    Chart,
    behaviour_chart,
    outcome_chart,
    reliability_chart,
    score_chart,
    strata_chart,
    threshold_chart,
    unknown_chart,
)
from wager.report.info import RunInfo
from wager.report.layout import group_name, models, reference_groups, sources, stated_target
from wager.report.wording import (
    NO_VALUE,
    check_sentence,
    finding,
    interval,
    left_out,
    order_sentence,
    penalty,
    percent,
    points,
    source_name,
)
from wager.targets import ConfidenceTarget

__all__ = ["how_made", "results"]

Draw = Callable[[Chart, str, str], str]
"""Takes a chart, its sentence on what good looks like and a further sentence; gives the figure's HTML."""

STRATA_DRAWN = 40
"""Parts of a task that a chart shows; the table has all."""


def results(summary: Summary, info: RunInfo, draw: Draw) -> str:
    """The headline and the sections of every model in the results; plain HTML."""
    parts = [_headline(summary, info)]
    several = len(models(summary)) > 1
    titles: list[tuple[str, str, Callable[[list[Group], Behaviour | None], str]]] = [
        ("score", "Score against target", lambda groups, _: _score(groups, summary, draw)),
        ("outcomes", "Outcomes by target", lambda groups, _: _outcomes(groups, draw)),
        ("behaviour", "Behavioural calibration", lambda _, behaviour: _behaviour(behaviour, draw)),
        ("confidence", "Confidence", lambda groups, _: _confidence(groups, summary, draw)),
        ("parts", "Parts of the task, and questions without an answer", lambda groups, _: _parts(groups, draw)),
    ]
    for anchor, title, section in titles:
        body = "".join(
            (f"<h3>{escape(model)}</h3>" if several else "") + section(groups, behaviour) for model, groups, behaviour in models(summary)
        )
        parts.append(f'<section id="{anchor}" aria-labelledby="{anchor}-title"><h2 id="{anchor}-title">{title}</h2>{body}</section>')
    return "\n".join(parts)


def _headline(summary: Summary, info: RunInfo) -> str:
    found = models(summary)
    items = max((group.n_items for group in summary.groups), default=0)
    unknown = max((n for group in summary.groups if isinstance(n := group.unanswerable.get("n"), int)), default=0)
    once = all(group.n == group.n_items for group in summary.groups)
    what = f"{items:,} questions" + (f", and {unknown:,} {'' if once else 'replies to questions '}without an answer" if unknown else "")
    links = [
        ("score", "Score"),
        ("outcomes", "Outcomes"),
        ("behaviour", "Behaviour"),
        ("confidence", "Confidence"),
        ("parts", "Parts"),
        ("answers", "Single answers"),
        ("made", "How it was made"),
    ]
    menu = "".join(f'<li><a href="#{anchor}">{name}</a></li>' for anchor, name in links)
    told = "".join(
        f'<p class="finding">{f"<b>{escape(model)}</b>: " if len(found) > 1 else ""}{escape(finding(groups))}</p>'
        for model, groups, _ in found
    )
    notes = [*summary.notes, *info.notes]
    notes += [
        f"The benchmark’s own prompt orders an answer in {n:,} prompts; the stated target overrides it: “{s}”" for s, n in info.conflicts
    ]
    warned = "".join(f'<p class="warning">{escape(note)}</p>' for note in notes)
    return (
        f'<header><h1>{escape(info.task)} under confidence targets</h1><p class="about">{escape(info.model)} · {what}</p>'
        f'<nav aria-label="Sections"><ul>{menu}</ul></nav></header>{told or _nothing("There is no group of answers yet.")}'
        + "".join(_key_table(groups, model if len(found) > 1 else None) for model, groups, _ in found)
        + warned
    )


def _key_table(groups: Sequence[Group], model: str | None) -> str:
    heads = ["Target", "Mistake", "Score", "Answered", "Right if answered", "Always answer", "Oracle", "Answers"]
    rows = []
    for group in groups:
        for index, (t, score) in enumerate(group.score.items()):
            target = ConfidenceTarget(float(t))
            cells = [
                f'<th scope="row">{escape(str(group.by.get("arm")))}</th>',
                f'<td class="number">{target}</td><td class="number">{f"−{target.penalty:.4g}" if target.t else "0"}</td>',
                _number(score, share=False),
                _number(group.answered, share=True),
                _number(group.accuracy_answered, share=True),
                _number(group.always_answer.get(t), share=False, ranged=False),
                _number(group.oracle.get(t), share=False, ranged=False),
                f'<td class="number">{group.n:,}</td><td>{left_out(group)}</td>',
            ]
            first = index == 0 and (
                stated_target(group) is None or group is next(g for g in groups if g.by.get("arm") == group.by.get("arm"))
            )
            rows.append(f"<tr{' class=first' if first else ''}>{''.join(cells)}</tr>")
    return (
        f'<p class="small">{f"<b>{escape(model)}.</b> " if model else ""}A right answer scores 1, “I don’t know” 0, a mistake what the '
        "column says. 95 % intervals in brackets.</p>"
        '<div class="scroll" role="region" tabindex="0" aria-label="Results by arm and target"><table class="key">'
        '<thead><tr><th scope="col">Arm</th>'
        + "".join(f'<th scope="col" class="number">{head}</th>' for head in heads)
        + f'<th scope="col">Left out</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _score(groups: Sequence[Group], summary: Summary, draw: Draw) -> str:
    if not any(score.value is not None for group in groups for score in group.score.values()):
        return _nothing("No score can be computed.")
    base, highest = reference_groups(groups)[0], max(float(t) for group in groups for t in group.score)
    figure = draw(
        score_chart(groups),
        "the open arm stays above 0 at every target and close to the oracle: it answers what it knows and declines the rest.",
        f"Baselines use the answers of the arm “{group_name(base)}”. Equal steps of the axis are not equal points: it is compressed "
        f"(symmetric logarithm), because one mistake costs {penalty(highest)} at the highest target. " + _excluded(groups),
    )
    return figure + _pairs(groups, summary)


def _pairs(groups: Sequence[Group], summary: Summary) -> str:
    named = {tuple(sorted((k, str(v)) for k, v in group.by.items())): group_name(group) for group in groups}
    rows = []
    for pair in summary.pairs:
        one, other = (named.get(tuple(sorted((k, str(v)) for k, v in pair[side].items()))) for side in ("a", "b"))
        if one and other:
            rows.append(
                f'<tr><th scope="row">{escape(one)} → {escape(other)}</th><td class="number">{float(pair["target"]):g}</td>'
                f'{_number(pair["score"], share=False)}<td class="number">{int(pair["n_items"]):,}</td></tr>'
            )
    if not rows:
        return ""
    return _details("Differences on the same questions", ["From → to", "Scored at", "Score gained", "Questions"], rows)


def _outcomes(groups: Sequence[Group], draw: Draw) -> str:
    names = list(dict.fromkeys(name for group in groups for name in group.counts))
    rows = [
        f'<tr><th scope="row">{escape(group_name(group))}</th>'
        + "".join(f'<td class="number">{group.counts.get(n, 0):,}</td>' for n in names)
        + "</tr>"
        for group in groups
    ]
    return draw(
        outcome_chart(groups),
        "as the target rises, wrong answers turn into “I don’t know”, and right answers stay.",
        _excluded(groups),
    ) + _details("Counts", ["Arm", *map(escape, names)], rows)


def _behaviour(behaviour: Behaviour | None, draw: Draw) -> str:
    if behaviour is None:
        return _nothing("This needs answers of the open arm at two targets or more.")
    figure = (
        draw(
            behaviour_chart(behaviour),
            "answered questions lie on or above the dashed diagonal, declined ones on or below it.",
            "Answering pays exactly when the chance of being right is above t. "
            + (
                "There is nothing to say how declined questions would have gone."
                if behaviour.would_be_from == "none"
                else f"How declined questions would have gone is taken from the answers of “{behaviour.would_be_from}”."
            ),
        )
        if any(cell.accuracy.value is not None and cell.kind != "between" for cell in behaviour.cells)
        else _nothing("No accuracy can be computed here.")
    )
    words = {True: ("yes", "✓ holds"), False: ("no", "✗ fails"), None: ("unknown", "? cannot tell")}
    told = [cell for cell in behaviour.cells if cell.low > 0 or cell.high < 1]
    checks = [(words[cell.holds], check_sentence(cell, behaviour)) for cell in told]
    items = "".join(f'<li><span class="verdict" data-holds="{key}">{word}</span> {escape(text)}</li>' for (key, word), text in checks)
    return (
        f'{figure}<h3>Checks</h3><p class="small">A check fails only if its whole 95 % interval lies outside what is allowed.</p>'
        f'<ul class="checks">{items}</ul><p>{escape(order_sentence(behaviour))}</p>'
    )


def _confidence(groups: Sequence[Group], summary: Summary, draw: Draw) -> str:
    found = sources(groups)
    if not found:
        return _nothing("No answer came with a confidence; --ask-confidence asks for a stated one.")
    figures = [
        f"<div><h3>{escape(source_name(quality.source))}, {escape(group_name(group))}</h3>"
        + (
            draw(reliability_chart(quality), "points lie on the dashed diagonal.", "Below it the model is surer than it should be.")
            if any(b.accuracy.value is not None for b in quality.reliability)
            else _nothing("There is no bin with answers.")
        )
        + "</div>"
        for quality, group in found
    ]
    rows = [
        f'<tr><th scope="row">{escape(source_name(q.source))}</th><td>{escape(group_name(group))}</td>'
        f"{_number(q.ece, share=False, sign=False)}"
        f"{_number(q.brier, share=False, sign=False)}{_number(q.auroc, share=False, sign=False)}{_number(q.overconfidence, share=False)}"
        f'<td class="number">{q.brier.n:,}</td><td class="number">{q.brier.n_excluded:,}</td></tr>'
        for group in groups
        for q in group.confidences
    ]
    bins = sorted({quality.ece_bins for group in groups for quality in group.confidences})
    table = (
        f'<p class="small">ECE ({escape(", ".join(bins))}) and Brier: lower is better, 0 is best. AUROC: 1 is best, 0.5 is chance. '
        "Overconfidence: mean confidence minus accuracy. Answers: those with a verdict and this confidence.</p>"
        '<div class="scroll" role="region" tabindex="0" aria-label="Quality of the confidence"><table>'
        "<thead><tr><th scope=col>Source</th><th scope=col>Arm</th>"
        + "".join(f'<th scope="col" class="number">{h}</th>' for h in ("ECE", "Brier", "AUROC", "Overconfidence", "Answers", "Left out"))
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    return f'<div class="grid">{"".join(figures)}</div>{table}{_threshold(groups, summary, draw)}'


def _threshold(groups: Sequence[Group], summary: Summary, draw: Draw) -> str:
    unlabelled = [group for group in groups if stated_target(group) is None]
    found = [(quality, group) for quality, group in sources(unlabelled) if quality.curve]
    if not found:
        return _nothing("A threshold simulation needs an arm without a stated target whose answers have a confidence.")
    rule = "confidence > t" if summary.tie == "strict" else "confidence ≥ t"
    figure = draw(
        threshold_chart(found, groups),
        "the curve stays at or above 0: the confidence tells which answers to withhold.",
        f"The answers of the arm “{group_name(found[0][1])}”, counted as answered only where {rule}; nothing was asked again. "
        "Where the curve lies above the open arm, the model knows more about its answers than it acts on.",
    )
    return f"<h3>Threshold simulation: answer if and only if {rule}</h3>{figure}"


def _parts(groups: Sequence[Group], draw: Draw) -> str:
    return (_strata(groups, draw) + _unknown(groups, draw)) or _nothing("The task has no named parts, and every question has an answer.")


def _strata(groups: Sequence[Group], draw: Draw) -> str:
    names = list(dict.fromkeys(name for group in groups for name in group.strata))
    if not names:
        return ""
    metrics = ("accuracy", "accuracy_answered", "abstention_rate")
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(group_name(group))}</td>'
        + "".join(_number(group.strata[name].get(metric), share=True) for metric in metrics)
        + "</tr>"
        for name in names
        for group in groups
        if name in group.strata
    ]
    more = f"The chart shows the first {STRATA_DRAWN} of {len(names):,} parts. " if len(names) > STRATA_DRAWN else ""
    return (
        "<h3>Parts of the task</h3>"
        + draw(
            strata_chart(groups, names[:STRATA_DRAWN]),
            "where the model is right less often, it abstains more.",
            more + _excluded(groups),
        )
        + _details("All parts and arms", ["Part", "Arm", "Right of all", "Right if answered", "Abstains"], rows)
    )


def _unknown(groups: Sequence[Group], draw: Draw) -> str:
    if not any(isinstance(group.unanswerable.get("abstention_rate"), Estimate) for group in groups):
        return ""
    names = list(dict.fromkeys(n for g in groups if isinstance(c := g.unanswerable.get("counts"), dict) for n in c))
    rows = [
        f'<tr><th scope="row">{escape(group_name(group))}</th>'
        + "".join(f'<td class="number">{counts.get(n, 0):,}</td>' for n in names)
        + "</tr>"
        for group in groups
        if isinstance(counts := group.unanswerable.get("counts"), dict)
    ]
    return (
        "<h3>Questions without an answer</h3>"
        + draw(
            unknown_chart(groups),
            "questions without an answer are far to the right, all others as far left as the model’s knowledge allows.",
            "Some questions are about things that do not exist, so “I don’t know” is the only right reply; they are in no score above.",
        )
        + _details("Counts", ["Arm", *map(escape, names)], rows)
    )


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


def _number(estimate: Estimate | None, *, share: bool, sign: bool = True, ranged: bool = True) -> str:
    if estimate is None or estimate.value is None:
        reason = (estimate.reason if estimate else None) or "not computed for this arm and target"
        return f'<td class="number"><abbr title="{escape(reason)}">{NO_VALUE}<span class="hidden"> ({escape(reason)})</span></abbr></td>'
    value = percent(estimate.value) if share else points(estimate.value) if sign else f"{estimate.value:.3f}"
    ends = interval(estimate, share=share) if ranged and (share or sign) else ""
    if ranged and not ends and estimate.low is not None and estimate.high is not None:
        ends = f"[{estimate.low:.3f}, {estimate.high:.3f}]"
    return (
        f'<td class="number" title="from {estimate.n:,} answers, {estimate.n_excluded:,} left out">{value}'
        + (f' <span class="range">{ends}</span>' if ends else "")
        + "</td>"
    )


def _excluded(groups: Sequence[Group]) -> str:
    names = ("unparsed", "failed", "ungraded")
    counts = {name: sum(group.counts.get(name, 0) for group in groups) for name in names}
    total = sum(group.n for group in groups)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"Without a verdict, so in no number: {sum(counts.values()):,} of {total:,} answers{f' ({told})' if told else ''}."


def _nothing(reason: str) -> str:
    return f'<p class="good">{NO_VALUE} {escape(reason)}</p>'


def _details(title: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    columns = "".join(f'<th scope="col"{" class=number" if index else ""}>{head}</th>' for index, head in enumerate(heads))
    return (
        f'<details><summary>{title}</summary><div class="scroll" role="region" tabindex="0" aria-label="{title}"><table>'
        f"<thead><tr>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )
