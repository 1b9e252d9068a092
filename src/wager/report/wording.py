"""Numbers in words, from a fixed vocabulary: the same numbers always give the same sentence. Plain text; nothing here is HTML."""

from __future__ import annotations

from collections.abc import Sequence

from wager.metrics.results import Behaviour, Cell, Estimate, Group
from wager.report.layout import stated_target
from wager.targets import ConfidenceTarget

__all__ = ["NO_VALUE", "check_sentence", "finding", "interval", "left_out", "order_sentence", "penalty", "percent", "points", "source_name"]

NO_VALUE = "–"
"""Stands for what could not be computed."""


def points(value: float | None) -> str:
    """A score with its sign: ``+0.41``, ``−5.60``."""
    if value is None:
        return NO_VALUE
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def percent(value: float | None) -> str:
    """A share as a whole percentage; never rounded to none or all unless it is: ``<1 %``, ``>99 %``."""
    if value is None:
        return NO_VALUE
    whole = round(100 * value)
    if whole == 0 and value > 0:
        return "<1 %"
    if whole == 100 and value < 1:
        return ">99 %"
    return f"{whole} %"


def interval(estimate: Estimate, *, share: bool) -> str:
    """``[−6.10, −5.08]`` or ``[35, 47]``; empty where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    if share:
        return f"[{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"
    return f"[{points(estimate.low)}, {points(estimate.high)}]"


def penalty(t: float) -> str:
    """``9 points``, ``1 point``: what a mistake costs at target t."""
    cost = f"{ConfidenceTarget(t).penalty:.4g}"
    return f"{cost} point" if cost == "1" else f"{cost} points"


def source_name(source: str) -> str:
    """A source of confidence as one reads it."""
    names = {"logprob": "Token probabilities", "logprob_mean": "Token probabilities, mean", "p_true": "P(true)"}
    names |= {"stated": "Stated confidence", "verbal": "Verbal confidence", "semantic_entropy_weighted": "Semantic entropy, weighted"}
    return names.get(source, source.replace("_", " ").capitalize())


def left_out(group: Group) -> str:
    """``8 unparsed, 4 failed``: answers without a verdict; ``0`` if there are none."""
    counts = [f"{group.counts[name]:,} {name}" for name in ("unparsed", "failed", "ungraded") if group.counts.get(name)]
    return ", ".join(counts) or "0"


def finding(groups: Sequence[Group]) -> str:
    """What the strictest target shows, in two or three sentences."""
    stated = [g for g in groups if stated_target(g) is not None and g.answered.value is not None]
    if stated:
        last = stated[-1]
        t = stated_target(last) or 0.0
        told = f"Told that mistakes cost {penalty(t)}" if t > 0 else "Told to make its best guess"
    else:
        usable = [g for g in groups if g.answered.value is not None and g.score]
        if not usable:
            return "No answer has a verdict yet, so there is nothing to say about this model."
        last = usable[0]
        t = max(float(key) for key in last.score)
        told = "Asked without a stated target"
    score = last.score.get(f"{t:g}", Estimate(None)).value
    still = "still " if score is not None and score < 0 and (last.answered.value or 0) >= 0.5 else ""
    sentences = [f"{told}, it {still}{_act(last)}{_worth(score, t, stated=bool(stated))}", _comparison(score, t)]
    first = stated[0] if stated else last
    if first is not last and stated_target(first) == 0:
        sentences.append(f"Told that mistakes are free, it answered {percent(first.answered.value)}.")
    unknown = last.unanswerable.get("abstention_rate")
    if isinstance(unknown, Estimate) and unknown.value is not None:
        sentences.append(f"Of {unknown.n:,} replies to questions that have no answer, {percent(unknown.value)} declined.")
    return " ".join(sentence for sentence in sentences if sentence)


def _act(group: Group) -> str:
    if group.answered.value == 0:
        return "answered none of the questions"
    right = percent(group.accuracy_answered.value)
    return f"answered {percent(group.answered.value)} of the questions and was right on {right} of those"


def _worth(score: float | None, t: float, *, stated: bool) -> str:
    if score is None:
        return "."
    return f": score {points(score)}." if stated else f"; if mistakes cost {penalty(t)}, that scores {points(score)}."


def _comparison(score: float | None, t: float) -> str:
    if score is None or t == 0:
        return ""
    if points(score) == "0.00":
        return "Saying “I don’t know” to everything scores 0 as well."
    return "Saying “I don’t know” to everything would have scored 0."


def check_sentence(cell: Cell, behaviour: Behaviour) -> str:
    """One check of behavioural calibration in words: what was done, what was seen, what is allowed."""
    t, seen = cell.target, cell.accuracy
    if cell.kind == "answered":
        what, must = f"Answered at t = {t:g}", f"at least {percent(cell.low)}"
    elif cell.kind == "between":
        after = next((target for target in behaviour.targets if target > t), cell.high)
        what, must = f"Answered at t = {t:g}, declined at t = {after:g}", f"between {percent(cell.low)} and {percent(cell.high)}"
    else:
        what, must = f"Declined at t = {t:g}", f"at most {percent(cell.high)}"
    if seen.value is None:
        return f"{what}: cannot be computed ({seen.reason or 'no such answers'}); {must} must be right."
    verb = "would have been right on" if cell.kind == "abstained" else "right on"
    return f"{what}: {verb} {percent(seen.value)} {interval(seen, share=True)} of {seen.n:,}; {must} must be right.".replace("  ", " ")


def order_sentence(behaviour: Behaviour) -> str:
    """How often a question was answered at some target after being declined at a lower one."""
    breaks = behaviour.order_breaks
    if breaks.value is None:
        return f"Order: cannot be computed ({breaks.reason or 'no such series'})."
    seen = f"{percent(breaks.value)} {interval(breaks, share=True)}".strip()
    return f"Order: {seen} of {breaks.n:,} questions were answered at some target after being declined at a lower one; none should be."
