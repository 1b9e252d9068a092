"""One reply of the model to a verdict: how sure is it, what does the rule say, what is said then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wager.answers import ConfidenceSource
from wager.elicit.evidence import Draw, Reply
from wager.elicit.methods import METHODS
from wager.gateway.confidence import Measured, is_local, is_long, measure, reply_of
from wager.gateway.rulebook import Ruling
from wager.gateway.task import Task, Verdict
from wager.gateway.wire import RequestError, text_of
from wager.grading.abstention import is_blank
from wager.policy.decide import Decision

__all__ = ["SHORT", "judge", "no_answer", "shortened"]

Json = dict[str, Any]

SHORT = 64
"""Tokens of a short answer; that of `wager ask`, under which the embedded policy was made."""
SOURCES = 3
"""Sources that are tried at most, where the first ones are not there."""


def shortened(task: Task) -> bool:
    """Whether a model on this machine is asked for a short answer, as when its policy was made: where a rule decides, and the client sets
    no limit of its own. A small model that has no answer goes on and on."""
    named = any(task.ask.body.get(name) is not None for name in ("max_tokens", "max_completion_tokens"))
    return task.decides == "act" and is_local(task.meter) and not named


def no_answer(choice: Json) -> Verdict | None:
    """The verdict on a reply that holds no answer: a call of a tool, a refusal of the model's server, nothing; None if it holds one."""
    message = choice.get("message") or {}
    if message.get("tool_calls") or message.get("function_call"):
        why = "the reply calls a tool: there is no answer yet"
        return Verdict(choice=choice, act="answer", reason="The model calls a tool.", no_confidence=why)
    if message.get("refusal"):
        return Verdict(choice=choice, act="refuse", reason="The model's server refused.", no_confidence="the model refused to answer")
    if is_blank(text_of(message)):
        return Verdict(choice=choice, act="answer", reason="The reply is empty.", no_confidence="the reply is empty: there is no answer")
    return None


async def judge(task: Task, choice: Json) -> Verdict:
    """What is done with one choice of the model's response."""
    found = no_answer(choice)
    if found is not None:
        return found
    if task.decides == "off":
        why = f"not measured: nothing is decided for {task.kind}"
        return Verdict(choice=choice, act="answer", reason=f"Answers of the kind {task.kind} are given as they are.", no_confidence=why)
    reply = reply_of(choice)
    ruling = task.ruling()
    for note in ruling.notes:
        task.note(note)
    _check_target(task, ruling)
    if not reply.is_answer:
        return _said_unknown(task, choice, ruling)
    cut_off = choice.get("finish_reason") == "length"
    if cut_off and not shortened(task):
        return _unjudged(task, choice, ruling, "the answer was cut off by the request's limit", given=task.decides != "act")
    if is_long(reply) and not cut_off:
        given = task.knobs.long_answers == "answer" and task.ask.options.target is None
        why = "the answer is a text, and confidences are calibrated on short answers"
        return _unjudged(task, choice, ruling, why, given=given or task.decides != "act")
    if task.decides == "report" and not _free(ruling.source):
        why = f"not measured: {ruling.source} takes further calls of the model, and nothing is decided for {task.kind}"
        return Verdict(choice=choice, act="answer", reason="Nothing is decided.", no_confidence=why, rule=ruling.name)
    ruling, measured = await _measured(task, reply, ruling)
    if task.decides == "report":
        return _reported(task, choice, ruling, measured)
    return _decided(task, choice, ruling, measured)


def _check_target(task: Task, ruling: Ruling) -> None:
    target = task.ask.options.target
    if target is not None and ruling.decider is None:
        why = ruling.notes[-1] if ruling.notes else "there is no calibration"
        raise RequestError(
            400,
            f"a target needs a calibrated confidence, and {why}; make a policy with wager calibrate",
            param="wager.target",
            code="uncalibrated",
        )


def _free(source: str | None) -> bool:
    """Whether a source is read from the answer itself."""
    return source is None or METHODS[ConfidenceSource(source)].draws == {Draw.GREEDY}


async def _measured(task: Task, reply: Reply, ruling: Ruling) -> tuple[Ruling, Measured]:
    """The confidence, of the next source where one turns out not to be there; of the rule's own source again if none is."""
    without: frozenset[str] = frozenset()
    first: tuple[Ruling, Measured] | None = None
    for _ in range(SOURCES):
        found = await measure(task.meter, task.ask, reply, ruling.source, samples=task.knobs.samples)
        first = first or (ruling, found)
        if found.value is not None:
            return ruling, found
        if ruling.source is None:
            break
        without |= {ruling.source}
        task.note(f"{ruling.source} is not available: {found.problem}")
        ruling = task.ruling(without)
        if task.decides == "report" and not _free(ruling.source):
            break
    assert first is not None  # noqa: S101 (the loop ran)
    return first


def _decided(task: Task, choice: Json, ruling: Ruling, measured: Measured) -> Verdict:
    """The rule's decision."""
    if task.is_hot:
        task.note("the answer was drawn at a temperature above 0, and the calibration is of answers drawn at 0")
    text = text_of(choice["message"]).strip()
    if ruling.decider is None:
        return _reported(task, choice, ruling, measured)
    given = {} if measured.value is None or measured.source is None else {measured.source: measured.value}
    return _as_verdict(task, choice, ruling, ruling.decider.decide(text, given), measured)


def _as_verdict(task: Task, choice: Json, ruling: Ruling, decision: Decision, measured: Measured | None) -> Verdict:
    plain = decision.act == "answer" and decision.shade is None
    sure = decision.probability if decision.probability is not None else decision.confidence
    why = None if sure is not None else (measured.problem if measured else None) or "the model itself said that it does not know"
    return Verdict(
        choice=choice,
        text=None if plain or task.ask.structured else decision.text,
        act="answer" if task.ask.structured else decision.act,
        reason=decision.reason,
        confidence=sure,
        no_confidence=why,
        raw=decision.confidence,
        source=None if sure is None else decision.source,
        calibration_id=ruling.calibration_id if decision.probability is not None else None,
        target=ruling.rule.target if ruling.rule else None,
        threshold=decision.threshold,
        shade=decision.shade,
        rule=ruling.name,
    )


def _reported(task: Task, choice: Json, ruling: Ruling, measured: Measured) -> Verdict:
    """The confidence, which decides nothing."""
    sure = None
    if measured.value is not None and measured.source is not None and not task.is_hot:  # calibrations are of answers drawn at 0
        sure = task.rulebook.probability(measured.source, measured.value, task.model)
    return Verdict(
        choice=choice,
        act="answer",
        reason=f"Nothing is decided for {task.kind}." if task.decides == "report" else "Nothing is calibrated, so nothing is decided.",
        confidence=sure[0] if sure else measured.value,
        no_confidence=None if measured.value is not None else measured.problem,
        raw=measured.value,
        source=measured.source if measured.value is not None else None,
        calibration_id=sure[1] if sure else None,
        rule=ruling.name,
    )


def _said_unknown(task: Task, choice: Json, ruling: Ruling) -> Verdict:
    """The model itself says that it does not know: the rule adds what the user can do."""
    why = "the model itself said that it does not know"
    if task.decides != "act" or ruling.decider is None:
        return Verdict(
            choice=choice, act="abstain", reason="The model itself said that it does not know.", no_confidence=why, rule=ruling.name
        )
    return _as_verdict(task, choice, ruling, ruling.decider.decide(None, {}), None)


def _unjudged(task: Task, choice: Json, ruling: Ruling, why: str, *, given: bool) -> Verdict:
    """An answer of which the calibration says nothing: given as it is, or as the rule does without a confidence."""
    if given or ruling.decider is None:
        return Verdict(choice=choice, act="answer", reason=f"Given as it is: {why}.", no_confidence=why, rule=ruling.name)
    decision = ruling.decider.decide(text_of(choice["message"]), {})
    return replace(_as_verdict(task, choice, ruling, decision, None), no_confidence=why, reason=f"{why[0].upper()}{why[1:]}.")
