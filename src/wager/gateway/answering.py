"""The path of one request: detect the task, set the knobs, answer, measure, act, journal.

What each kind does lives in `judging` (facts, reasoning, everything general), `debugging`, `creative`, `personal`, `clarifying` and
`looking_up`; here they are put in order, and their verdict becomes a response.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from wager.detection.crisis import signs_of_crisis
from wager.detection.kinds import GENERAL, Detected
from wager.errors import UnknownNameError
from wager.gateway.clarifying import clarify, is_ambiguous
from wager.gateway.confidence import is_local, with_logprobs
from wager.gateway.creative import imagine
from wager.gateway.debugging import debug
from wager.gateway.decision import Decided, Judged
from wager.gateway.judging import SHORT, judge, shortened
from wager.gateway.looking_up import Searched, from_passages, search
from wager.gateway.personal import HANDOVER, hand_over, support
from wager.gateway.rulebook import Rulebook
from wager.gateway.task import Meter, OnCall, Task, Verdict, together
from wager.gateway.upstream import Upstream
from wager.gateway.upstream_steered import SteeredModel, SteeredUpstream, not_used, steered_name
from wager.gateway.wire import ChatRequest, annotations_of, completion, named_kind, text_of
from wager.lookup.passages import Lookup
from wager.policy.knobs import DEFAULT_KNOBS, Knobs
from wager.policy.policy import Policy

__all__ = ["Answering", "Detects", "Response"]

Json = dict[str, Any]

LONG = 20_000
"""Characters of a prompt whose kind is told beside the event loop."""
REMEMBERED, RECENT = 20, 3
"""Messages of the user in which signs of crisis are looked for, and those before the last that count as the last."""
OF_A_CHOICE = ("act", "confidence", "no_confidence", "source", "calibration_id", "target", "shade")
"""What is told of each choice, where there are several; the rest is that of the first."""
UNSURE = ("look_up", "abstain", "hedge")
"""Acts after which it is worth looking something up."""


class Detects(Protocol):
    """What tells the kind of a prompt: `wager.detection.detector.Detector`."""

    def detect(self, text: str, *, system: str | None = None, named: str | None = None) -> Detected:
        """The kind; UnknownNameError for a name that is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Response:
    """A whole response, and the decision behind it."""

    body: Json
    """The OpenAI response, with ``wager``."""
    decided: Decided
    """For the journal."""


class Answering:
    """Answers requests under one policy.

    Args:
        upstream: the model.
        detector: tells the kind of a prompt.
        policy: None where no answer of this model was ever graded: then nothing is decided, and what is measured stays raw.
        name: of the policy, for the record.
        lookups: what can be searched, started already.
        handover: what is said at signs of crisis, by language.
        lookup_seconds: most seconds of a search.
        on_call: told of each call of the model.
        stand_ins: whether another model may answer in place of the one that is asked.
        steering: the same model with its dials; None where it has none.
    """

    def __init__(
        self,
        upstream: Upstream,
        detector: Detects,
        policy: Policy | None,
        *,
        name: str = "none",
        lookups: Sequence[Lookup] = (),
        handover: Mapping[str, str] = HANDOVER,
        lookup_seconds: float = 5.0,
        on_call: OnCall | None = None,
        stand_ins: bool = False,
        steering: SteeredModel | None = None,
    ) -> None:
        self.upstream, self.detector, self.policy, self.name = upstream, detector, policy, name
        self.lookups, self.handover, self.lookup_seconds = tuple(lookups), dict(handover), lookup_seconds
        self.on_call, self.stand_ins, self.steering = on_call, stand_ins, steering
        self.rulebook = Rulebook(policy)
        self.knobs: dict[str, Knobs] = {**DEFAULT_KNOBS, **(policy.knobs if policy else {})}

    async def task(self, ask: ChatRequest) -> Task:
        """The request with its kind and its knobs.

        Raises:
            RequestError: it names a kind that is none.
        """
        meter = Meter(self.upstream, self.on_call)
        try:
            detect = partial(self.detector.detect, ask.prompt, system=ask.system, named=ask.options.kind)
            detected = detect() if len(ask.prompt) < LONG else await asyncio.to_thread(detect)
        except UnknownNameError as error:
            raise named_kind(error) from None
        detected = _with_history(detected, ask)
        model = self.upstream.model if ask.model in ("", "auto") or _owned(self.upstream) else ask.model
        knobs = self.knobs.get(detected.kind, self.knobs[GENERAL])
        steered, notes = self._steered(ask, {**knobs.dials, **ask.options.dials})
        if steered is not None:
            meter.upstream, model = steered, steered_name(model, steered.turned)
        return Task(
            id=f"wd_{secrets.token_hex(16)}",
            ask=ask,
            detected=detected,
            knobs=knobs,
            model=model,
            meter=meter,
            capabilities=await meter.waited(meter.upstream.capabilities()),
            rulebook=self.rulebook,
            lookups=self.lookups,
            seconds=self.lookup_seconds,
            steered=steered,
            notes=notes,
        )

    def _steered(self, ask: ChatRequest, dials: Mapping[str, float]) -> tuple[SteeredUpstream | None, list[str]]:
        """What answers under these dials, and notes on what is left out; None where none is turned."""
        if not dials:
            return None, []
        if self.steering is None:
            why = "no dial is configured here" if _owned(self.upstream) else "the model's server does not support steering"
            return None, [f"the dials {', '.join(sorted(dials))} were left out: {why}"]
        called = any(one["role"] in ("tool", "function") or one.get("tool_calls") for one in ask.messages)
        if ask.body.get("tools") or ask.structured or called:
            why = "a reply with tools or with a form of its own is not steered"
            return None, [f"the dials {', '.join(sorted(dials))} were left out: {why}"]
        turned, notes = self.steering.dials.plan_for(dials)
        if not turned:
            return None, list(notes)
        return SteeredUpstream(self.upstream, self.steering, turned), [*notes, *not_used(ask.body)]

    async def respond(self, task: Task) -> Response:
        """The whole response; raises UpstreamError where the model fails, RequestError where the request cannot be served."""
        verdicts, like = await self._verdicts(task)
        _unused(task, verdicts)
        decided = self.decided(task, verdicts[0])
        choices = [spoken(one, index, task.ask) for index, one in enumerate(verdicts)]
        body = completion(
            str(like.get("model") or (task.model if task.steered is None else task.meter.model)), choices, usage=_usage(task), like=like
        )
        told = decided.wire(why=task.ask.options.why)
        if len(verdicts) > 1:
            told["choices"] = [{"index": index, **{name: getattr(one, name) for name in OF_A_CHOICE}} for index, one in enumerate(verdicts)]
        return Response(body={**body, "wager": told}, decided=decided)

    async def _verdicts(self, task: Task) -> tuple[list[Verdict], Json]:
        """What is done with each reply, and the response of the model that they come from (blank if none was asked)."""
        if task.detected.crisis is not None:
            return [hand_over(task, self.handover)], {}
        if task.ask.pending_tool or task.ask.body.get("tools") or task.ask.structured:
            return await self._plain(task)
        if is_ambiguous(task):
            return [await clarify(task)], {}
        if task.kind == "debugging" and task.knobs.citations != "off":
            found = await debug(task)
            if found is not None:
                return [found], {}
        if task.kind == "personal":
            return [await support(task)], {}
        if task.knobs.branches > 1 and task.ask.choices == 1:
            return [await imagine(task)], {}
        return await self._plain(task)

    async def _plain(self, task: Task) -> tuple[list[Verdict], Json]:
        """Answered by itself first, then looked up where that is not sure."""
        source = task.ruling().source if task.decides != "off" else None
        asked = task.asking(max_tokens=SHORT) if shortened(task) else task.asking()
        call = task.meter.chat(with_logprobs(asked, source, local=is_local(task.meter)))
        if task.knobs.look_up == "always":
            response, searched = await _both(call, search(task))
        else:
            response, searched = await call, None
        self._answered_by(task, response)
        verdicts = list(await together(*(judge(task, dict(choice)) for choice in response["choices"])))
        if task.knobs.look_up != "never" and task.lookups and not task.ask.structured and task.ask.prompt.strip():
            verdicts = [await self._looked_up(task, one, searched) for one in verdicts]
        return verdicts, response

    def _answered_by(self, task: Task, response: Json) -> None:
        """Where a stand-in answered under another name, the policy of the first model does not speak of it."""
        name = response.get("model")
        if self.stand_ins and isinstance(name, str) and name and not name.startswith(task.model.rpartition("/")[2]):
            task.note(f"{name} stood in for {task.model}")
            task.model = name

    async def _looked_up(self, task: Task, closed: Verdict, searched: Searched | None) -> Verdict:
        """The verdict with what was found; one that is sure stands, whatever was found."""
        if closed.act not in UNSURE or not text_of(closed.choice.get("message") or {}).strip():
            return closed if searched is None else replace(closed, lookups=searched.lookups)
        return await from_passages(task, searched or await search(task), closed)

    def decided(self, task: Task, verdict: Verdict) -> Decided:
        """The record of a verdict."""
        said = verdict.text if verdict.text is not None else text_of(verdict.choice.get("message") or {})
        dials = {} if task.steered is None else task.steered.told
        for note in () if task.steered is None else task.steered.notes:
            task.note(note)
        return Decided(
            id=task.id,
            made=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            model=task.model if task.steered is None or dials else task.meter.model,
            kind=task.kind,
            kind_probability=task.detected.probability if task.detected.by == "detector" else None,
            by=task.detected.by,
            policy=f"{self.name}#{verdict.rule}",
            cost=task.meter.total,
            notes=tuple(task.notes),
            dials=dials,
            axes=task.detected.axes,
            probabilities=task.detected.probabilities,
            question=task.ask.prompt,
            answer=text_of(verdict.choice.get("message") or {}),
            text=said,
            **{one.name: getattr(verdict, one.name) for one in dataclasses.fields(Judged)},
        )


def _with_history(detected: Detected, ask: ChatRequest) -> Detected:
    """Signs of crisis are not forgotten with the next message: the last few of the user count as this one, older ones make it personal."""
    users = [text_of(one) for one in ask.messages if one["role"] == "user"][-REMEMBERED:-1]
    if detected.crisis is not None or not users:
        return detected
    signs = [signs_of_crisis(text[-LONG:]) for text in users]
    recent = next((one for one in reversed(signs[-RECENT:]) if one is not None), None)
    if recent is not None:
        return replace(detected, crisis=recent, reason="There were signs of crisis in one of the last messages.")
    if any(one is not None for one in signs):
        return replace(detected, kind="personal", reason="There were signs of crisis earlier in the conversation.")
    return detected


def _unused(task: Task, verdicts: Sequence[Verdict]) -> None:
    """Notes for what the client asked for in vain."""
    if task.ask.options.target is not None and verdicts[0].target is None:
        task.note(f"the target was not used: {verdicts[0].no_confidence or 'nothing was decided'}")
    if task.ask.choices > len(verdicts):
        task.note(f"n was not used: {len(verdicts)} of {task.ask.choices} replies are given, as is usual for {task.kind}")


async def _both(call: Any, searching: Any) -> tuple[Json, Searched]:
    response, searched = await together(call, searching)
    return response, searched


def _owned(upstream: Upstream) -> bool:
    """Whether the upstream serves one model of its own, whatever name the client gives."""
    return upstream.model.startswith(("embedded/", "gguf/"))


def _usage(task: Task) -> Json | None:
    total = task.meter.total
    if total.tokens_in is None or total.tokens_out is None:
        return None if total.calls else {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {"prompt_tokens": total.tokens_in, "completion_tokens": total.tokens_out, "total_tokens": total.tokens_in + total.tokens_out}


def spoken(verdict: Verdict, index: int, ask: ChatRequest) -> Json:
    """The choice of a verdict as the client gets it."""
    choice: Json = {**{name: value for name, value in verdict.choice.items() if name != "wager"}, "index": index}
    message: Json = dict(choice.get("message") or {"role": "assistant", "content": ""})
    if verdict.text is not None:
        message["content"] = verdict.text
        choice["finish_reason"] = "stop"
    if verdict.text is not None or not ask.logprobs:
        choice["logprobs"] = None
    if verdict.citations:
        message["annotations"] = annotations_of(text_of(message), verdict.citations)
    choice["message"] = message
    choice.setdefault("finish_reason", "stop")
    return choice
