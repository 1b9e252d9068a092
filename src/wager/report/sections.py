"""The parts of the page, as HTML. Every text that is not written here goes through `html.escape`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from wager.report.fragments import details, excluded, nothing, number_cell, text
from wager.report.info import RunInfo
from wager.report.layout import group_name, models, sources, stated_target
from wager.report.wording import (
    check_sentence,
    finding,
    left_out,
    order_sentence,
    penalty,
    source_name,
)
from wager.targets import ConfidenceTarget

__all__ = ["results"]

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
        f'<p class="finding">{f"<b>{escape(model)}</b>: " if len(found) > 1 else ""}{text(finding(groups))}</p>'
        for model, groups, _ in found
    )
    notes = [*summary.notes, *info.notes]
    notes += [
        f"The benchmark’s own prompt orders an answer in {n:,} prompts; the stated target overrides it: “{s}”" for s, n in info.conflicts
    ]
    warned = f'<ul class="warning" aria-label="Notes">{"".join(f"<li>{text(note)}</li>" for note in notes)}</ul>' if notes else ""
    return (
        f'<header><h1>{escape(info.task)} under confidence targets</h1><p class="about">{escape(info.model)} · {what}</p>'
        f'<nav aria-label="Sections"><ul>{menu}</ul></nav></header>{told or nothing("There is no group of answers yet.")}'
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
                number_cell(score, share=False),
                number_cell(group.answered, share=True),
                number_cell(group.accuracy_answered, share=True),
                number_cell(group.always_answer.get(t), share=False, ranged=False),
                number_cell(group.oracle.get(t), share=False, ranged=False),
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
        return nothing("No score can be computed.")
    highest = max(float(t) for group in groups for t in group.score)
    figure = draw(
        score_chart(groups),
        "the open arm stays above 0 at every target and close to the oracle: it answers what it knows and declines the rest.",
        "“Always answer” and “oracle” are worked out from the answers of a model that is made to answer: the open arm at t = 0 if it was "
        "run, else the closed arm. Equal steps of the axis are not equal points: it is compressed "
        f"(symmetric logarithm), because one mistake costs {penalty(highest)} at the highest target. " + excluded(groups),
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
                f'{number_cell(pair["score"], share=False)}<td class="number">{int(pair["n_items"]):,}</td></tr>'
            )
    if not rows:
        return ""
    return details("Differences on the same questions", ["From → to", "Scored at", "Score gained", "Questions"], rows)


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
        excluded(groups),
    ) + details("Counts", ["Arm", *map(escape, names)], rows)


def _behaviour(behaviour: Behaviour | None, draw: Draw) -> str:
    if behaviour is None:
        return nothing("This needs answers of the open arm at two targets or more.")
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
        else nothing("No accuracy can be computed here.")
    )
    words = {True: ("yes", "✓ holds"), False: ("no", "✗ fails"), None: ("unknown", "? cannot tell")}
    told = [cell for cell in behaviour.cells if cell.low > 0 or cell.high < 1]
    checks = [(words[cell.holds], check_sentence(cell, behaviour)) for cell in told]
    items = "".join(f'<li><span class="verdict" data-holds="{key}">{word}</span> {text(check)}</li>' for (key, word), check in checks)
    return (
        f'{figure}<h3>Checks</h3><p class="small">A check fails only where an exact binomial test says so, '
        "at 5 % over all checks of its kind; else a value outside what is allowed may be chance.</p>"
        f'<ul class="checks">{items}</ul><p>{text(order_sentence(behaviour))}</p>'
    )


def _confidence(groups: Sequence[Group], summary: Summary, draw: Draw) -> str:
    found = sources(groups)
    if not found:
        return nothing("No answer came with a confidence; --ask-confidence asks for a stated one.")
    figures = [
        f"<div><h3>{escape(source_name(quality.source))}, {escape(group_name(group))}</h3>"
        + (
            draw(reliability_chart(quality), "points lie on the dashed diagonal.", "Below it the model is surer than it should be.")
            if any(b.accuracy.value is not None for b in quality.reliability)
            else nothing("There is no bin with answers.")
        )
        + "</div>"
        for quality, group in found
    ]
    rows = [
        f'<tr><th scope="row">{escape(source_name(q.source))}</th><td>{escape(group_name(group))}</td>'
        f'{number_cell(q.ece, share=False, sign=False)}<td class="range">{escape(q.ece_bins)}</td>'
        f"{number_cell(q.brier, share=False, sign=False)}{number_cell(q.auroc, share=False, sign=False)}"
        f"{number_cell(q.overconfidence, share=False)}"
        f'<td class="number">{q.brier.n:,}</td><td class="number">{q.brier.n_excluded:,}</td></tr>'
        for group in groups
        for q in group.confidences
    ]
    table = (
        '<p class="small">ECE and Brier: lower is better, 0 is best. AUROC: 1 is best, 0.5 is chance. '
        "Overconfidence: mean confidence minus accuracy. Answers: those with a verdict and this confidence.</p>"
        '<div class="scroll" role="region" tabindex="0" aria-label="Quality of the confidence"><table>'
        '<thead><tr><th scope="col">Source</th><th scope="col">Arm</th>'
        '<th scope="col" class="number">ECE</th><th scope="col">Its bins</th>'
        + "".join(f'<th scope="col" class="number">{h}</th>' for h in ("Brier", "AUROC", "Overconfidence", "Answers", "Left out"))
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    return f'<div class="grid">{"".join(figures)}</div>{table}{_threshold(groups, summary, draw)}'


def _threshold(groups: Sequence[Group], summary: Summary, draw: Draw) -> str:
    unlabelled = [group for group in groups if stated_target(group) is None]
    found = [(quality, group) for quality, group in sources(unlabelled) if quality.curve]
    if not found:
        return nothing("A threshold simulation needs an arm without a stated target whose answers have a confidence.")
    rule = "confidence > t" if summary.tie == "strict" else "confidence ≥ t"
    figure = draw(
        threshold_chart(found, groups),
        "the curve stays at or above 0: the confidence tells which answers to withhold.",
        f"The answers of the arm “{group_name(found[0][1])}”, counted as answered only where {rule}; nothing was asked again. "
        "Where the curve lies above the open arm, the model knows more about its answers than it acts on.",
    )
    return f"<h3>Threshold simulation: answer if and only if {rule}</h3>{figure}"


def _parts(groups: Sequence[Group], draw: Draw) -> str:
    return (_strata(groups, draw) + _unknown(groups, draw)) or nothing("The task has no named parts, and every question has an answer.")


def _strata(groups: Sequence[Group], draw: Draw) -> str:
    names = list(dict.fromkeys(name for group in groups for name in group.strata))
    if not names:
        return ""
    metrics = ("accuracy", "accuracy_answered", "abstention_rate")
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(group_name(group))}</td>'
        + "".join(number_cell(group.strata[name].get(metric), share=True) for metric in metrics)
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
            more + excluded(groups),
        )
        + details("All parts and arms", ["Part", "Arm", "Right of all", "Right if answered", "Abstains"], rows)
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
        + details("Counts", ["Arm", *map(escape, names)], rows)
    )
