"""Replies under every setting of a dial and under its controls: what a licence is worked out from.

A gated dial gives the pushed reply where the gate fires and the unsteered one where it does not, so it costs no reply of its own: each
question is answered once without a push and once under each push. Replies are greedy, or drawn at temperature 1 where a question is asked
several times; a sample is told by `wager.steering.samples.Sample`, with what could not be graded left as None. What was kept before
(`kept`) is not asked again.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wager.errors import UsageError
from wager.grading.matching import find_answer
from wager.steering.backend import Backend, Chat, Push, Reply
from wager.steering.directions import random_like
from wager.steering.expression import shows
from wager.steering.hedging import broken, hedged
from wager.steering.probe import Probe
from wager.steering.samples import Condition, Group, Sample
from wager.steering.trait import Question, Trait
from wager.steering.vector import Vector

__all__ = ["Asked", "Setting", "conditions", "fires", "sweep"]

Key = tuple[Condition, Group, str, int]

WORD = re.compile(r"\w+")

FICTION = Trait(name="imagination", description="The reply writes the fiction that was asked for.", grading="plays along")
"""How replies to creative prompts are graded, whatever the dial."""


@dataclass(frozen=True)
class Asked:
    """A question, the group that it counts for, and how often it is asked: once, or several times at temperature 1."""

    group: Group
    question: Question
    times: int = 1


@dataclass(frozen=True)
class _Place:
    """One reply that is wanted."""

    group: Group
    question: Question
    place: int
    drawn: bool


@dataclass(frozen=True)
class Setting:
    """One way of asking: a push for all questions, or a system prompt."""

    condition: Condition
    """Without its gate: gated conditions are derived."""
    push: Push | None = None
    instruction: str | None = None


def conditions(
    vector: Vector,
    doses: Sequence[float],
    *,
    way: int,
    seed: int = 0,
    random: Sequence[int] = (),
    at: float | None = None,
    instruction: str | None = None,
) -> list[Setting]:
    """The unsteered model, the dial at each dose, and if ``at`` is given the controls of that dose.

    Args:
        vector: of the dial; its card names the block.
        doses: positive strengths; they are applied in the direction of use.
        way: the direction of use, -1 or 1.
        seed: of the vector.
        random: numbers of random vectors of the same length; each number is another one.
        at: the strength of the controls: random vectors, the wrong sign.
        instruction: a system prompt that asks for what the dial should do.
    """
    if any(dose <= 0 for dose in doses) or way not in (-1, 1):
        raise UsageError(f"strengths are above 0 and a direction is -1 or 1, got {list(doses)} and {way}")
    made = [Setting(Condition(kind="none", seed=seed))]
    made += [Setting(Condition(kind="vector", dose=way * dose, seed=seed), vector.push(way * dose)) for dose in doses]
    if at is not None:
        block, direction = vector.at()
        for number in random:
            drawn = Vector({block: random_like(direction, np.random.default_rng((number, 77)))}, vector.card)
            made.append(Setting(Condition(kind="random", dose=way * at, random=number, seed=seed), drawn.push(way * at)))
        made.append(Setting(Condition(kind="wrong sign", dose=-way * at, seed=seed), vector.push(-way * at)))
    if instruction is not None:
        made.append(Setting(Condition(kind="prompt", seed=seed), instruction=instruction))
    return made


def sweep(
    backend: Backend,
    settings: Sequence[Setting],
    asked: Sequence[Asked],
    *,
    fired: Mapping[str, bool] | None = None,
    tokens: int = 32,
    kept: Sequence[Sample] = (),
    store: Callable[[list[Sample]], None] | None = None,
    told: Callable[[str], None] | None = None,
) -> list[Sample]:
    """A sample for each question under each setting, and again under its gate.

    Args:
        backend: the model.
        settings: see `conditions`; the unsteered one must be among them where a gate is given.
        asked: the questions.
        fired: by a question's text, whether the gate fires on it (`fires`); None makes no gated samples.
        tokens: of a reply.
        kept: samples of an earlier run that was broken off.
        store: is given all samples after each setting.
        told: is given a line of progress after each setting.
    """
    if fired is not None and all(one.condition.kind != "none" for one in settings):
        raise UsageError("a gated dial needs the unsteered replies: put a setting of kind 'none' first")
    found = {sample.key: sample for sample in kept}
    places = [_Place(one.group, one.question, place, one.times > 1) for one in asked for place in range(one.times)]
    for number, setting in enumerate(sorted(settings, key=lambda one: one.condition.kind != "none")):
        missing = [one for one in places if (setting.condition, one.group, one.question.text, one.place) not in found]
        for some, temperature in (([one for one in missing if not one.drawn], 0.0), ([one for one in missing if one.drawn], 1.0)):
            for sample in _answered(backend, setting, some, tokens, temperature):
                found[sample.key] = sample
        if fired is not None and setting.condition.kind in ("vector", "random", "wrong sign"):
            for one in places:
                found |= _gated(found, setting.condition, one, fired[one.question.text])
        if store is not None:
            store(list(found.values()))
        if told is not None:
            told(f"{setting.condition.kind} {setting.condition.dose:+g}: {number + 1} of {len(settings)} settings")
    return list(found.values())


def fires(backend: Backend, gate: Probe, asked: Sequence[Asked]) -> dict[str, bool]:
    """By each question's text, whether the gate fires on it."""
    read = gate.read(backend, [_chat(one.question, None) for one in asked])
    return {one.question.text: bool(value > gate.threshold.value) for one, value in zip(asked, read, strict=True)}


def _gated(found: Mapping[Key, Sample], condition: Condition, one: _Place, fired: bool) -> dict[Key, Sample]:
    source = condition if fired else Condition(kind="none", seed=condition.seed)
    sample = found[source, one.group, one.question.text, one.place]
    made = replace(sample, condition=replace(condition, gated=True), fired=fired)
    return {made.key: made}


def _chat(question: Question, instruction: str | None) -> Chat:
    system = [{"role": "system", "content": instruction}] if instruction else []
    return [*system, {"role": "user", "content": question.text}]


def _answered(backend: Backend, setting: Setting, asked: Sequence[_Place], tokens: int, temperature: float) -> list[Sample]:
    if not asked:
        return []
    chats = [_chat(one.question, setting.instruction) for one in asked]
    replies = backend.generate(chats, pushes=setting.push, tokens=tokens, temperature=temperature, seed=setting.condition.seed)
    spoken = [at for at, reply in enumerate(replies) if reply.text]
    plain = backend.score([_chat(asked[at].question, None) for at in spoken], [replies[at].text for at in spoken])
    nll = {at: float(-np.mean(logprobs)) for at, logprobs in zip(spoken, plain, strict=True) if len(logprobs)}
    return [_sample(setting.condition, one, reply, nll.get(at)) for at, (one, reply) in enumerate(zip(asked, replies, strict=True))]


def _sample(condition: Condition, one: _Place, reply: Reply, nll: float | None) -> Sample:
    question, text = one.question, reply.text
    gone = broken(text)
    verdict: bool | None
    if gone:
        verdict = None
    elif one.group == "creative":
        plays = shows(FICTION, question, text)
        verdict = None if plays is None else not plays
    else:
        verdict = hedged(text)
    correct = None
    if one.group == "known" and not gone:
        correct = not verdict and find_answer(text, question.answers) is not None
    return Sample(
        condition=condition,
        question=question.text,
        group=one.group,
        reply=text,
        subject=question.subject,
        phrasing=question.phrasing,
        sample=one.place,
        hedged=verdict,
        correct=correct,
        confidence=float(np.exp(np.mean(reply.logprobs))) if len(reply.logprobs) else None,
        nll=nll,
        repeated=_repeated(text),
        broken=gone,
    )


def _repeated(text: str) -> float | None:
    """Share of neighbouring pairs of words that stood in the text before; None with fewer than two words."""
    words = [word.casefold() for word in WORD.findall(text)]
    pairs = list(itertools.pairwise(words))
    return 1 - len(set(pairs)) / len(pairs) if pairs else None
