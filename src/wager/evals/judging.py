"""What a reply did, by the abstention detector and the task's own scorers."""

from __future__ import annotations

from typing import Any

from inspect_ai.scorer import Scorer, Target
from inspect_ai.solver import TaskState
from inspect_ai.util import registry_info

from wager.answers import Outcome
from wager.evals.verdict import Verdict, verdict_of
from wager.grading.abstention import find_abstention, is_blank

__all__ = ["judge", "names_of"]


async def judge(
    reply: str, state: TaskState, gold: Target, scorers: list[Scorer], names: list[str], chosen: int
) -> tuple[Verdict, str | None, dict[str, Any]]:
    """The verdict on a reply without its confidence line: abstention first, then the task's own scorers.

    Args:
        reply: what is judged; ``state.output`` is put back afterwards.
        state: after the solver; gold: its target.
        scorers, names: of the task; the one at ``chosen`` decides.

    Returns:
        The verdict, the answer as the deciding scorer read it, and every scorer's value by name.
    """
    if is_blank(reply):
        return Verdict(Outcome.UNPARSED, reason=f"blank reply ({state.output.stop_reason})"), None, {}
    labels = [chr(ord("A") + position) for position in range(len(state.choices))]
    abstention = find_abstention(reply, labels=labels)
    if abstention is not None:
        return Verdict(Outcome.ABSTAINED, reason=f"{abstention.rule}: {abstention.phrase}"), None, {}
    saved = state.output
    state.output = saved.model_copy(deep=True)
    state.output.completion = reply
    try:
        scores = [await judge(state, gold) for judge in scorers]
    finally:
        state.output = saved
    others: dict[str, Any] = {name: value.value if value else None for name, value in zip(names, scores, strict=True)}
    verdict, decided = verdict_of(scores[chosen]), scores[chosen]
    answer = (decided.answer or None) if decided else None
    if saved.stop_reason in ("max_tokens", "model_length") and not _ends_before_cut(answer, reply):
        return Verdict(Outcome.UNPARSED, reason=f"cut off at {saved.stop_reason}"), answer, others
    return verdict, answer, others


def _ends_before_cut(answer: str | None, reply: str) -> bool:
    """Whether the answer that the scorer read was complete when the reply was cut off."""
    if not answer:
        return False
    end = reply.rstrip().rfind(answer)
    return end >= 0 and end + len(answer) < len(reply.rstrip())


def names_of(scorers: list[Scorer]) -> list[str]:
    """A name for each scorer; a second one of a name gets its number."""
    names: list[str] = []
    for one in scorers:
        name = registry_info(one).name.rpartition("/")[2]
        names.append(name if name not in names else f"{name}{len(names) + 1}")
    return names
