"""Several texts that differ, one returned and the others offered; and no fact check where a story was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wager.gateway.judging import no_answer
from wager.gateway.task import Task, Verdict, together
from wager.gateway.upstream import UpstreamError
from wager.gateway.wire import text_of
from wager.grading.deflection import find_deflection
from wager.grading.distinct import distinct, distinct_share

__all__ = ["HELD", "STRONGER", "branch", "imagine", "invented", "other_branches"]

Json = dict[str, Any]

HELD = 240
"""Characters of a streamed text that are held back until it is known not to deflect."""
STRONGER = "This is fiction. Nothing in it has to be true or documented. Begin with the text itself."
WHY = "nothing is decided for invented texts: there is no target"


async def imagine(task: Task) -> Verdict:
    """The branches: the first that does not deflect is returned, the others that differ are offered."""
    drawn = await together(*(branch(task, number) for number in range(task.knobs.branches)))
    choices = [one for one in drawn if one is not None]
    if not choices:
        raise UpstreamError(502, "the model's server gave no text for any branch")
    return invented(task, choices[0], [text_of(one["message"]) for one in choices[1:]])


async def branch(task: Task, number: int) -> Json | None:
    """One text; drawn once more, and more plainly, if it deflects into a fact check. None where a later branch fails: it is not missed."""
    try:
        choice = await _drawn(task, number, "")
        if find_deflection(text_of(choice.get("message") or {})) is None:
            return choice
        again = await _drawn(task, number, STRONGER)
    except UpstreamError as error:
        if number == 0:
            raise
        task.note(f"a branch failed: {error.message}")
        return None
    if find_deflection(text_of(again.get("message") or {})) is not None:
        task.note("a branch deflects into a fact check, twice")
        return again if number == 0 else None
    return again


async def _drawn(task: Task, number: int, more: str) -> Json:
    seed = task.ask.body.get("seed")
    changed: Json = {"n": None, "seed": seed + number} if isinstance(seed, int) else {"n": None}
    asked = task.asking(**changed)
    if more:
        asked["messages"] = [*asked["messages"][:-1], _with(asked["messages"][-1], more)]
    response = await task.meter.chat(asked)
    return dict(response["choices"][0])


def _with(message: Json, more: str) -> Json:
    """A message with a sentence after it."""
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [*content, {"type": "text", "text": more}]}
    return {**message, "content": f"{content or ''}\n\n{more}"}


async def other_branches(task: Task) -> list[str]:
    """The texts of all branches but the first, which is being streamed meanwhile."""
    drawn = await together(*(branch(task, number) for number in range(1, task.knobs.branches)))
    return [text_of(one["message"]) for one in drawn if one is not None]


def invented(task: Task, first: Json, others: Sequence[str]) -> Verdict:
    """The verdict on a text, with the others that differ in content."""
    nothing = no_answer(first)
    if nothing is not None:
        return nothing
    texts = [text_of(first["message"]), *(one for one in others if one.strip())]
    kept = [texts[place] for place in distinct(texts) if place > 0]
    share = distinct_share(texts)
    if len(kept) < task.knobs.branches - 1:
        task.note(f"{len(kept) + 1} of {task.knobs.branches} branches differ in content")
    reason = (
        f"Something is invented here: {len(kept) + 1} texts that differ, one of them returned." if task.knobs.branches > 1 else "Invented."
    )
    return Verdict(
        choice=first,
        act="imagine",
        reason=reason,
        no_confidence=WHY,
        branches=tuple(kept),
        distinct=share,
    )
