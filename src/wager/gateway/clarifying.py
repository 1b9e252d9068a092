"""One question back, where something is lacking without which no good answer is possible."""

from __future__ import annotations

import re
from typing import Any

from wager.gateway.task import Task, Verdict
from wager.gateway.upstream import UpstreamError
from wager.gateway.wire import text_of
from wager.grading.abstention import find_abstention
from wager.policy.decide import OPENINGS

__all__ = ["clarify", "is_ambiguous"]

Json = dict[str, Any]

AMBIGUOUS = 0.7
"""Probability from which on a prompt counts as ambiguous: to ask back about a clear question costs a turn."""
LONGEST_QUESTION = 240
ASKED = "Do not answer yet. Ask the user one short question about what is missing in their message. Reply with that question only."
PLAIN = {"debugging": "Could you paste the lines of the log, or the error with its stack trace?"}


def is_ambiguous(task: Task) -> bool:
    """Whether it asks back: the kind allows it, the prompt is ambiguous, and nothing was asked back before."""
    wanted = task.knobs.clarify == "when ambiguous" and task.detected.axes.get("ambiguous", 0.0) >= AMBIGUOUS
    return wanted and not (task.ask.asked_back or task.ask.pending_tool or task.ask.structured or task.ask.body.get("tools"))


async def clarify(task: Task) -> Verdict:
    """A question of the model, if it asks one and nothing else; a plain one otherwise."""
    question, choice = None, {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ""}}
    try:
        messages = [*task.ask.messages, {"role": "user", "content": ASKED}]
        response = await task.meter.chat(task.asking(messages=messages, temperature=0.0, n=None, logprobs=None, top_logprobs=None))
        choice = response["choices"][0]
        question = _one_question(text_of(choice.get("message") or {}))
    except UpstreamError as error:
        task.note(f"the question back is a fixed one: {error.message}")
    return Verdict(
        choice=choice,
        text=question or PLAIN.get(task.kind, OPENINGS["clarify"]),
        act="clarify",
        reason=f"The message lacks something (probability {task.detected.axes['ambiguous']:.2f}, from {AMBIGUOUS:g} on it asks back).",
        no_confidence="it asks back: there is no answer yet",
    )


def _one_question(reply: str) -> str | None:
    """The reply, if it is one short question."""
    text = " ".join(reply.split()).strip("\"' ")
    ends = re.findall(r"[?？؟]", text)
    if len(ends) != 1 or not text.endswith(tuple("?？؟")) or len(text) > LONGEST_QUESTION or find_abstention(text) is not None:
        return None
    return text
