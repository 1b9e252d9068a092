"""One question to one model, with the evidence about its answer: what `wager ask` and examples use outside an evaluation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig, Model, ModelOutput

from wager.answers import ConfidenceSource
from wager.elicit.evidence import Cost, Draw, Evidence, Reply
from wager.elicit.meaning import Clustering
from wager.elicit.methods import Method, Reading, confidences, draws_of, texts_to_compare
from wager.elicit.wording import short_answer
from wager.evals.draw import ask_after, cost_of_output, drawn, is_local, relations, reply_of, sampling, wanted_logprobs
from wager.grading.abstention import find_abstention, is_blank

__all__ = ["Asked", "ask"]

LONGEST = 64
"""Tokens of an answer, where nothing else is asked for."""


@dataclass(frozen=True)
class Asked:
    """A question, what the model said, and how sure it is."""

    question: str
    """As asked."""
    reply: str
    """What the model said, up to the last sentence that it could finish."""
    answer: str | None
    """The answer as read from it; None where it is blank or says that it does not know."""
    evidence: Evidence
    """All that was drawn."""
    readings: Mapping[ConfidenceSource, Reading]
    """Each method's confidence, or why there is none; empty without an answer."""
    costs: Mapping[str, Cost]
    """What each draw took."""

    @property
    def confidences(self) -> dict[str, float]:
        """The confidences that there are, by source."""
        return {source.value: one.value for source, one in self.readings.items() if one.value is not None}


def ask(
    question: str,
    model: Model,
    methods: Sequence[Method],
    *,
    draws: int = 5,
    equivalence: str = "text",
    clustering: Clustering = "loose",
    max_tokens: int = LONGEST,
) -> Asked:
    """Asks, and draws what the methods need; a question without an answer costs one call."""
    return asyncio.run(_ask(question, model, methods, draws, equivalence, clustering, max_tokens))


async def _ask(
    question: str, model: Model, methods: Sequence[Method], draws: int, equivalence: str, clustering: Clustering, max_tokens: int
) -> Asked:
    asked = [ChatMessageUser(content=question)]

    async def reply_to(draw: Draw, config: GenerateConfig) -> ModelOutput:
        wanted = wanted_logprobs(model) if any(draw in method.logprobs for method in methods) else GenerateConfig()
        return await model.generate(list(asked), config=config.merge(wanted).merge(GenerateConfig(max_tokens=max_tokens)))

    greedy = await reply_to(Draw.GREEDY, GenerateConfig(temperature=0.0) if is_local(model) else GenerateConfig())
    costs: dict[str, Cost] = {Draw.GREEDY.value: cost_of_output(greedy)}
    reply = _read(greedy)
    if not (reply.is_known and reply.is_answer):
        return Asked(question, _finished(greedy), None, Evidence(reply), {}, costs)
    after = await ask_after(model, [*asked, ChatMessageAssistant(content=reply.text)], reply, methods)
    k = draws if Draw.SAMPLES in draws_of(methods) else 0
    outputs = await drawn(model, [partial(reply_to, Draw.SAMPLES, sampling(model, question, number)) for number in range(k)])
    evidence = Evidence(reply, tuple(map(_read, outputs)), **{draw.value: one for draw, (one, _) in after.items()})
    entails, compared = await relations(equivalence, model)(question, texts_to_compare(evidence) if k else [])
    found = {Draw.SAMPLES.value: Cost.total(list(map(cost_of_output, outputs))), "compared": compared}
    costs |= {name: cost for name, cost in found.items() if cost.calls} | {draw.value: cost for draw, (_, cost) in after.items()}
    readings = confidences(evidence, methods, entails, clustering=clustering)
    return Asked(question, _finished(greedy), reply.answer, evidence, readings, costs)


def _finished(output: ModelOutput) -> str:
    """The reply, without a last sentence that was cut off where another one stands before it."""
    text = output.completion.strip()
    if output.stop_reason not in ("max_tokens", "model_length"):
        return text
    ends = [match.end() for match in re.finditer(r"[.!?][\"')]?(?=\s)", text)]
    return text[: ends[-1]] if ends else f"{text} ..."


def _read(output: ModelOutput) -> Reply:
    """A reply with its answer, as far as it can be told without a scorer. What comes after the answer says nothing of how sure it is
    (a name that a long reply repeats becomes likelier each time): the tokens end with it."""
    text = output.completion
    known = not is_blank(text)
    answer = short_answer(text) if known else None
    reply = reply_of(output, answer=answer, is_answer=find_abstention(text) is None, is_known=known)
    if answer is None:
        return reply
    end, place, written = text.find(answer) + len(answer), 0, 0
    while place < len(reply.tokens) and written < end:
        written += len(reply.tokens[place].text)
        place += 1
    return replace(reply, tokens=reply.tokens[:place])
