"""Drawing evidence from a model: the calls behind `wager.elicit`, each made once, with what it cost.

`wager.evals.elicit` uses it inside an evaluation, `wager.evals.ask` for one question.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser, GenerateConfig, Model, ModelOutput, get_model
from inspect_ai.util import collect

from wager.elicit.evidence import Cost, Draw, Reply, Token
from wager.elicit.meaning import Entails, Relation, judge_request, judged, pairs_to_ask, same_text
from wager.elicit.methods import Method
from wager.elicit.p_true import follow_up
from wager.elicit.stated import STATED_REQUEST
from wager.elicit.verbal import SHADE_REQUEST
from wager.errors import UnknownNameError, UsageError

__all__ = [
    "EQUIVALENCES",
    "Relations",
    "ask_after",
    "check_equivalence",
    "cost_of_output",
    "drawn",
    "is_local",
    "relations",
    "reply_of",
    "sampling",
    "wanted_logprobs",
]

T = TypeVar("T")

EQUIVALENCES = ("text", "embedding", "nli", "judge")
"""How texts are compared: by their words, by embeddings of a model in this process, by natural-language inference, by asking a model."""

TOP = {"openai": 20, "azureai": 20, "google": 20, "vllm": 20, "sglang": 20, "hf": 20, "embedded": 20, "gguf": 20, "llama-cpp-python": 20}
"""Likeliest tokens that a provider gives at a place; 5 where nothing is known."""

SHORT = {Draw.P_TRUE: 1, Draw.STATED: 12, Draw.VERBAL: 8}
"""Longest reply of a local model. Elsewhere there is no limit: a model that reasons first would be cut off."""

Relations = Callable[[str, Sequence[str]], Awaitable[tuple[Entails, Cost]]]
"""(question, texts) -> a relation that knows every pair of the texts, and what it cost."""


def is_local(model: Model) -> bool:
    """Whether the model runs in this process."""
    return str(model).startswith(("embedded/", "gguf/", "steered/"))


def wanted_logprobs(model: Model) -> GenerateConfig:
    """What asks this model's provider for log-probabilities."""
    return GenerateConfig(logprobs=True, top_logprobs=TOP.get(str(model).partition("/")[0], 5))


def sampling(model: Model, item: str, number: int) -> GenerateConfig:
    """Temperature 1, and for a local model a seed that is the item's own, so that a rerun draws the same samples."""
    seed = zlib.crc32(f"{item}#{number}".encode()) if is_local(model) else None
    return GenerateConfig(temperature=1.0, seed=seed)


def reply_of(output: ModelOutput, *, answer: str | None = None, is_answer: bool = True, is_known: bool = True) -> Reply:
    """A model's output as evidence."""
    logprobs = output.choices[0].logprobs if output.choices else None
    tokens = tuple(
        Token(one.token, one.logprob, tuple((top.token, top.logprob) for top in one.top_logprobs or ()))
        for one in (logprobs.content if logprobs else ())
    )
    return Reply(output.completion, tokens, answer, is_answer, is_known)


def cost_of_output(output: ModelOutput) -> Cost:
    """What one call took; a provider that gives no usage counts a call without tokens."""
    usage = output.usage
    cached = (usage.input_tokens_cache_read or 0) if usage else 0
    read = usage.input_tokens + cached + (usage.input_tokens_cache_write or 0) if usage else 0
    return Cost(1, read, cached, usage.output_tokens if usage else 0, output.time or 0.0)


async def drawn(model: Model, calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """The results of these calls: together on a server, one after the other on a model in this process, where each then finds that its
    slot has read the beginning already."""
    if is_local(model):
        return [await call() for call in calls]
    return await collect(*(call() for call in calls))


async def ask_after(
    model: Model, messages: Sequence[ChatMessage], reply: Reply, methods: Iterable[Method], *, brainstormed: Sequence[str] = ()
) -> dict[Draw, tuple[Reply, Cost]]:
    """The calls after the answer that these methods need, at temperature 0, in one conversation with it.

    Args:
        model: the same that answered.
        messages: the conversation, its reply included.
        reply: its answer.
        brainstormed: samples to show before P(True) is asked.
    """
    given = reply.answer or reply.text
    texts = {Draw.P_TRUE: follow_up(given, brainstormed), Draw.STATED: STATED_REQUEST, Draw.VERBAL: SHADE_REQUEST}
    needed = [draw for draw in texts if any(draw in method.draws for method in methods)]
    with_logprobs = {draw for method in methods for draw in method.logprobs}

    async def ask(draw: Draw) -> ModelOutput:
        config = GenerateConfig(temperature=0.0, max_tokens=SHORT[draw] if is_local(model) else None)
        if draw in with_logprobs:
            config = config.merge(wanted_logprobs(model))
        return await model.generate([*_spoken(messages, reply), ChatMessageUser(content=texts[draw])], config=config)

    outputs = await drawn(model, [partial(ask, draw) for draw in needed])
    return {draw: (reply_of(output), cost_of_output(output)) for draw, output in zip(needed, outputs, strict=True)}


def _spoken(messages: Sequence[ChatMessage], reply: Reply) -> list[ChatMessage]:
    """The conversation without calls of tools, which some providers refuse where no tool is offered."""
    kept = [one for one in messages if one.role != "tool" and not (isinstance(one, ChatMessageAssistant) and one.tool_calls)]
    return [*kept] if kept and kept[-1].role == "assistant" else [*kept, ChatMessageAssistant(content=reply.text)]


def check_equivalence(spec: str) -> tuple[str, str | None]:
    """``text``, or ``embedding``, ``nli`` and ``judge`` with an optional ``:model``.

    Raises:
        UnknownNameError: none of these.
        UsageError: ``text`` with a model.
    """
    kind, colon, name = spec.partition(":")
    if kind not in EQUIVALENCES:
        raise UnknownNameError("equivalence", kind, EQUIVALENCES)
    if colon and (kind == "text" or not name):
        raise UsageError(f"the equivalence {spec!r} names no model; write {kind}" + ("" if kind == "text" else f" or {kind}:MODEL"))
    return kind, name or None


def relations(spec: str, model: Model) -> Relations:
    """How texts are compared, by the name of an equivalence; a judge is the model itself unless another is named."""
    kind, name = check_equivalence(spec)
    if kind == "judge":
        return partial(_judged_pairs, get_model(name) if name else model)
    if kind == "text":
        return _plain(lambda question: same_text)
    if kind == "embedding":
        from wager.models.embedding import Embedding

        return _plain((Embedding(Path(name).expanduser()) if name else Embedding()).about)
    from wager.models.entailment import Entailment

    return _plain((Entailment(name) if name else Entailment()).about)


def _plain(about: Callable[[str], Entails]) -> Relations:
    async def related(question: str, texts: Sequence[str]) -> tuple[Entails, Cost]:
        pairs = pairs_to_ask(texts)
        known = dict(zip(pairs, await anyio.to_thread.run_sync(lambda: list(about(question)(pairs))), strict=True)) if pairs else {}
        return _looked_up(known), Cost()

    return related


async def _judged_pairs(judge: Model, question: str, texts: Sequence[str]) -> tuple[Entails, Cost]:
    """Each unordered pair of different texts is asked about once; texts of the same words are not."""
    plain = same_text(pairs := pairs_to_ask(texts))
    known: dict[tuple[str, str], Relation] = {pair: relation for pair, relation in zip(pairs, plain, strict=True) if relation == "entails"}
    open_pairs = [pair for pair in pairs if pair not in known and pair[0] < pair[1]]
    config = GenerateConfig(temperature=0.0, max_tokens=4 if is_local(judge) else None)
    outputs = await collect(*(judge.generate(judge_request(question, *pair), config=config) for pair in open_pairs))
    for (one, other), output in zip(open_pairs, outputs, strict=True):
        known[one, other] = known[other, one] = judged(output.completion)
    return _looked_up(known), Cost.total([cost_of_output(output) for output in outputs])


def _looked_up(known: dict[tuple[str, str], Relation]) -> Entails:
    def entails(pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        return [known[pair] for pair in pairs]

    return entails
