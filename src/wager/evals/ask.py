"""One question to one model, with the evidence about its answer: what `wager ask` and examples use outside an evaluation."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig, Model, ModelOutput

from wager.answers import ConfidenceSource
from wager.elicit.evidence import Cost, Draw, Evidence, Reply
from wager.elicit.meaning import Clustering
from wager.elicit.methods import Method, Reading, confidences, draws_of, texts_to_compare
from wager.elicit.reading import finished, read_reply
from wager.evals.draw import ask_after, cost_of_output, drawn, is_local, relations, reply_of, sampling, wanted_logprobs

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
    return finished(output.completion, cut_off=output.stop_reason in ("max_tokens", "model_length"))


def _read(output: ModelOutput) -> Reply:
    return read_reply(output.completion, reply_of(output).tokens)
