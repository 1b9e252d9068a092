"""Confidence in the answers to any Inspect task: the answer once, and around it the calls that the methods need.

The task's own solver answers; it runs K times more, on copies of the same state, for the samples; its scorers say what each reply
answers. The calls after the answer continue its conversation, so that a provider's prefix cache has read most of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

from inspect_ai import Task, task, task_with
from inspect_ai.model import GenerateConfig, Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import Generate, Solver, TaskState, fork, solver

from wager.answers import ConfidenceSource, Outcome
from wager.elicit.evidence import Cost, Draw, Evidence, Reply
from wager.elicit.meaning import Clustering
from wager.elicit.methods import Method, confidences, draws_of, methods_named, texts_to_compare
from wager.errors import ModelError, RunError, UsageError
from wager.evals.draw import (
    Relations,
    ask_after,
    check_equivalence,
    cost_of_output,
    drawn,
    is_local,
    relations,
    reply_of,
    sampling,
    wanted_logprobs,
)
from wager.evals.judging import judge, names_of
from wager.evals.metrics import rubric_metrics
from wager.evals.resolve import resolve_task
from wager.evals.rubric import METADATA_KEY
from wager.evals.steered import probe_confidence
from wager.evals.verdict import Verdict
from wager.targets import PROMPT_VERSION

__all__ = ["COMPARED", "elicited", "unavailable"]

RECORD_KEY = "wager:elicited"
"""Where the solver leaves what it found for the scorer."""
COST_KEY = "wager:cost"
"""Where a run of the task's solver leaves the cost of its calls."""
COMPARED = "compared"
"""The name of the cost of a judge of meanings, beside the draws."""


@task
def elicited(
    task: str,
    methods: list[str] | None = None,
    draws: int = 5,
    equivalence: str = "text",
    clustering: Clustering = "loose",
    task_args: dict[str, Any] | None = None,
    headline: str | None = None,
) -> Task:
    """Any Inspect task with a confidence in each answer from every method.

    Args:
        task: a registered name or ``path/to/file.py@name``.
        methods: names of methods; all by default.
        draws: samples K of each question, where a method needs samples.
        equivalence: how samples are compared: ``text``, ``embedding``, ``nli`` or ``judge``, the last three with an optional ``:model``.
        clustering: ``loose`` or ``strict``.
        task_args: arguments of that task.
        headline: name of the scorer that decides, where the task has several; the first by default.
    """
    chosen = methods_named(methods or ["all"])
    check_equivalence(equivalence)
    if draws < 2 and any(Draw.SAMPLES in method.draws for method in chosen):
        raise UsageError(f"samples are compared with each other: at least 2, got {draws}")
    inner = resolve_task(task, task_args or {})
    scorers = inner.scorer or []
    if not scorers:
        raise UsageError(f"the task {task!r} has no scorer, so nothing says what is right; give it one, or use the task 'questions'")
    names = names_of(scorers)
    if headline is not None and headline not in names:
        raise UsageError(f"the task has no scorer named {headline!r}; it has {', '.join(names)}")
    decides = Deciding(scorers, names, names.index(headline) if headline else 0)
    how = Elicitation(chosen, draws, equivalence, clustering, decides)
    return task_with(
        inner,
        solver=eliciting(inner.solver, how),
        scorer=elicited_answer(names[decides.chosen]),
        metrics=None,
        name=f"{inner.name.replace('/', '-')}-elicited",
    )


class Deciding:
    """The task's scorers, one of which decides."""

    def __init__(self, scorers: list[Scorer], names: list[str], chosen: int) -> None:
        self.scorers, self.names, self.chosen = scorers, names, chosen

    async def __call__(self, state: TaskState) -> tuple[Verdict, str | None, dict[str, Any]]:
        """The verdict on the state's reply."""
        return await judge(state.output.completion, state, state.target, self.scorers, self.names, self.chosen)


class Elicitation:
    """What is drawn for each question, and how it is read."""

    def __init__(self, methods: Sequence[Method], k: int, equivalence: str, clustering: Clustering, decides: Deciding) -> None:
        self.methods, self.k, self.equivalence, self.clustering, self.decides = methods, k, equivalence, clustering, decides
        self.draws = draws_of(methods)
        self._relations: Relations | None = None

    def relations(self, model: Model) -> Relations:
        """How texts are compared; made at the first question, since it may load a model."""
        self._relations = self._relations or relations(self.equivalence, model)
        return self._relations

    def config(self, model: Model, draw: Draw) -> GenerateConfig:
        """Whether a run of the task's solver asks for log-probabilities."""
        needed = any(draw in method.logprobs for method in self.methods)
        return wanted_logprobs(model) if needed else GenerateConfig()


@solver
def eliciting(inner: Solver, how: Elicitation) -> Solver:
    """The inner solver's answer, and the evidence about it in the sample's store."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model, before = get_model(), deepcopy(state)
        state = await inner(state, _counting(generate, how.config(model, Draw.GREEDY)))
        verdict, answer, others = await how.decides(state)
        costs: dict[str, Cost] = {Draw.GREEDY: _spent(state)}
        record: dict[str, Any] = {"outcome": verdict.outcome.value, "credit": verdict.credit, "reason": verdict.reason}
        record |= {"answer": answer, "scorers": others, "confidence": {}}
        if verdict.outcome.is_answer:
            solvers = [one_sample(inner, how, f"{state.sample_id}", number) for number in range(how.k if Draw.SAMPLES in how.draws else 0)]
            reply = reply_of(state.output, answer=answer)
            after = await ask_after(model, state.messages, reply, how.methods)
            runs = await drawn(model, [partial(fork, before, one) for one in solvers])
            samples = [await _as_sample(run, how) for run in runs if isinstance(run, TaskState)]
            evidence = Evidence(reply, tuple(one for one, _ in samples), **{draw.value: one for draw, (one, _) in after.items()})
            entails, compared = await how.relations(model)(state.input_text, texts_to_compare(evidence) if samples else [])
            costs |= {Draw.SAMPLES: Cost.total([cost for _, cost in samples]), COMPARED: compared}
            costs |= {draw: cost for draw, (_, cost) in after.items()}
            read = confidences(evidence, how.methods, entails, clustering=how.clustering)
            record["confidence"] = {source.value: one.value for source, one in read.items() if one.value is not None}
            if (probed := probe_confidence(state.output)) is not None:
                record["confidence"][ConfidenceSource.PROBE.value] = probed
            record["problems"] = {source.value: one.problem for source, one in read.items() if one.value is None}
            record["said"] = _said(evidence)
        record["costs"] = {str(name): asdict(cost) for name, cost in costs.items() if cost.calls}
        state.store.set(RECORD_KEY, record)
        return state

    return solve


@solver
def one_sample(inner: Solver, how: Elicitation, item: str, number: int) -> Solver:
    """The inner solver once more, at temperature 1."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        config = how.config(model, Draw.SAMPLES).merge(sampling(model, item, number))
        return await inner(state, _counting(generate, config))

    return solve


def _counting(generate: Generate, extra: GenerateConfig) -> Generate:
    """The given ``generate`` with more options, whose cost is added up in the state's store."""
    options = extra.model_dump(exclude_none=True)

    async def counted(given: TaskState, tool_calls: Literal["loop", "single", "none"] = "loop", **config: Any) -> TaskState:
        done = await generate(given, tool_calls, **{**config, **options})  # Any: passed on to Inspect's own checked signature
        done.store.set(COST_KEY, asdict(_spent(done) + cost_of_output(done.output)))
        return done

    return counted  # type: ignore[return-value]  # Inspect types the options as an unpacked TypedDict


def _spent(state: TaskState) -> Cost:
    return Cost(**(state.store.get(COST_KEY) or {}))


async def _as_sample(run: TaskState, how: Elicitation) -> tuple[Reply, Cost]:
    """One run of the solver as a sample: what it answers, by the task's own scorer."""
    verdict, answer, _ = await how.decides(run)
    known = verdict.outcome.is_answer or (verdict.outcome is Outcome.UNGRADED and bool(answer)) or verdict.outcome is Outcome.ABSTAINED
    return reply_of(run.output, answer=answer, is_answer=verdict.outcome is not Outcome.ABSTAINED, is_known=known), _spent(run)


def _said(evidence: Evidence) -> dict[str, Any]:
    """What the log keeps to be read by people."""
    after = {"p_true": evidence.p_true, "stated": evidence.stated, "verbal": evidence.verbal}
    return {"samples": [sample.text for sample in evidence.samples], **{name: one.text for name, one in after.items() if one is not None}}


@scorer(metrics=rubric_metrics())
def elicited_answer(headline: str) -> Scorer:
    """The verdict that `eliciting` has reached, in the form of `wager.evals.rubric.three_way`."""

    async def score(state: TaskState, target: Target) -> Score:
        record = state.store.get(RECORD_KEY)
        if record is None:
            raise RunError("the task's solver was replaced, and nothing was elicited; leave the solver of wager/elicited as it is")
        return Score(
            value={outcome.value: int(outcome.value == record["outcome"]) for outcome in Outcome if outcome is not Outcome.FAILED},
            answer=record["answer"],
            explanation=record["reason"],
            metadata={METADATA_KEY: {**record, "target": None, "headline": headline, "conflict": None, "prompt_version": PROMPT_VERSION}},
        )

    return score


async def unavailable(model: Model, methods: Sequence[Method]) -> dict[str, str]:
    """Which methods this model cannot serve, and why, found by one short call before a run starts; empty where none.

    Raises:
        ModelError: the model does not answer at all.
    """
    needing = [method for method in methods if method.logprobs]
    if not needing or (is_local(model) and not str(model).startswith("steered/")):
        return {}
    try:
        output = await model.generate("Reply with the word yes.", config=wanted_logprobs(model))
    except Exception as error:
        line = " ".join(str(error).split())[:300]
        if "logprob" not in line.lower():
            raise ModelError(f"{model} does not answer: {line}") from error
        why = f"{model} refuses to give token log-probabilities: {line}"
    else:
        tokens = reply_of(output).tokens
        if any(token.logprob is not None for token in tokens):
            top = any(token.top for token in tokens)
            lacking = [method for method in needing if not top and Draw.P_TRUE in method.logprobs]
            return {method.source.value: f"{model} gives log-probabilities of the chosen token only" for method in lacking}
        why = f"{model} gives no token log-probabilities"
    return {method.source.value: why for method in needing}
