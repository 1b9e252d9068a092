"""The open rubric around any Inspect task: the target stated in the prompt, a three-way verdict before the task's own scorer.

The task's files stay as they are. Its solver gets a ``generate`` that appends the note to the last user message (so the
note comes after the options of a multiple-choice prompt and never reaches a grader model); its scorers are called inside
ours, after abstentions were recognised and a ``CONFIDENCE:`` line was taken off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from inspect_ai import Task, task, task_with
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageUser, ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from wager.answers import ConfidenceSource, Outcome
from wager.elicit.logprob import answer_probability
from wager.elicit.stated import stated_confidence, strip_stated
from wager.errors import RunError, UsageError
from wager.evals.judging import judge, names_of
from wager.evals.metrics import rubric_metrics
from wager.evals.resolve import resolve_task
from wager.evals.steered import probe_confidence
from wager.targets import CONFIDENCE_REQUEST, PROMPT_VERSION, ConfidenceTarget

__all__ = ["open_rubric", "state_target", "three_way"]

METADATA_KEY = "wager"
"""Where the verdict sits in a score's metadata."""

CONFLICT_KEY = "wager:conflict"
"""Where the solver leaves the prompt's own line that leaves no room to abstain."""

ORDERS_AN_ANSWER = re.compile(
    r"[^\n.]*(?:"
    r"even if (?:you are|you're) (?:unsure|not sure|uncertain)"
    r"|entire content of your response"
    r"|\b(?:must|should|always) (?:\w+ )?(?:answer|choose|select|pick) (?:one|exactly|the|every|all|an?)\b"
    r"|\b(?:answer|respond|reply) (?:only |exactly )?(?:with|in) (?:only|just|exactly|this format|the following format)"
    r"|\b(?:only|just) (?:answer|respond|reply|output|give|provide|say)\b(?! if)"
    r"|(?:last|final) line of your (?:response|answer|reply) should be"
    r"|do not (?:say|answer|reply|respond)[^\n.]{0,40}(?:don't know|not sure|unsure)"
    r")[^\n.]*",
    re.IGNORECASE,
)
"""Lines of a benchmark's own prompt that order an answer or a format: the note then says that it overrides them."""


@task
def open_rubric(
    task: str,
    target: float | None = None,
    task_args: dict[str, Any] | None = None,
    ask_confidence: bool = False,
    note_in_dataset: bool = False,
    headline: str | None = None,
) -> Task:
    """Any Inspect task under a stated confidence target, with a three-way verdict.

    Args:
        task: a registered name (``inspect_evals/gpqa_diamond``, ``wager/capitals``) or ``path/to/file.py@name``.
        target: the confidence target t in [0, 1) stated after the question; without it nothing is stated (closed rubric).
        task_args: arguments of that task.
        ask_confidence: ask for a closing ``CONFIDENCE: p`` line.
        note_in_dataset: put the note into the samples' input. For agents, whose solvers never call the intercepted
            ``generate``; a model-graded prompt that quotes the input will then quote the note too.
        headline: name of the scorer that decides, where the task has several; the first by default.
    """
    inner = resolve_task(task, task_args or {})
    scorers = inner.scorer or []
    if not scorers:
        raise UsageError(f"the task {task!r} has no scorer, so nothing says what is right; give it one, or use the task 'questions'")
    goal = ConfidenceTarget(target) if target is not None else None
    note = Note(goal, ask_confidence)
    name = f"{inner.name.replace('/', '-')}-{'closed' if goal is None else f'open-{goal}'}"
    judged = three_way(scorers, target=target, ask_confidence=ask_confidence, headline=headline)
    if note_in_dataset:
        return task_with(inner, dataset=[note.on_sample(sample) for sample in inner.dataset], scorer=judged, metrics=None, name=name)
    return task_with(inner, solver=state_target(inner.solver, target, ask_confidence), scorer=judged, metrics=None, name=name)


class Note:
    """What is said after the question, and whether it was."""

    def __init__(self, target: ConfidenceTarget | None, ask_confidence: bool) -> None:
        self.target = target
        self.ask_confidence = ask_confidence

    @property
    def is_said(self) -> bool:
        """Whether anything is added to the prompt."""
        return self.target is not None or self.ask_confidence

    def text(self, prompt: str) -> tuple[str, str | None]:
        """The note for this prompt, and the prompt's own line that it has to override, if any."""
        if self.target is None:
            return CONFIDENCE_REQUEST if self.ask_confidence else "", None
        orders = (match.group(0).strip() for match in ORDERS_AN_ANSWER.finditer(prompt))
        conflict = next((line for line in orders if "if you know" not in line.lower()), None) if self.target.t > 0 else None
        return self.target.instruction(override=conflict is not None, ask_confidence=self.ask_confidence), conflict

    def on_message(self, messages: Sequence[ChatMessage]) -> str | None:
        """Appends the note to the last user message; returns the line that it overrides."""
        users = [message for message in messages if isinstance(message, ChatMessageUser)]
        if not users:
            raise RunError("the task sends no user message, so the confidence target has no place; try --note-in-dataset")
        note, conflict = self.text("\n".join(message.text for message in messages))
        users[-1].text = f"{users[-1].text}\n\n{note}"
        return conflict

    def on_sample(self, sample: Sample) -> Sample:
        """A copy of the sample with the note at the end of its input."""
        if not self.is_said:
            return sample
        copy = sample.model_copy(deep=True)
        if isinstance(copy.input, str):
            copy.input = f"{copy.input}\n\n{self.text(copy.input)[0]}"
        else:
            self.on_message(copy.input)
        return copy

    def was_said(self, messages: Sequence[ChatMessage]) -> bool:
        """Whether a message to the model really holds the note."""
        needed = [self.target.instruction()] if self.target else []
        needed += [CONFIDENCE_REQUEST] if self.ask_confidence else []
        texts = [message.text for message in messages if message.role == "user"]
        return all(any(part in text for text in texts) for part in needed)


@solver
def state_target(inner: Solver, target: float | None = None, ask_confidence: bool = False) -> Solver:
    """The inner solver, with the target stated after the question at its first call of the model."""
    note = Note(ConfidenceTarget(target) if target is not None else None, ask_confidence)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        said = not note.is_said

        async def stating(
            given: TaskState, tool_calls: Literal["loop", "single", "none"] = "loop", **config: Any
        ) -> TaskState:  # Any: passed on to Inspect's own checked signature
            nonlocal said
            if not said:
                said = True
                given.store.set(CONFLICT_KEY, note.on_message(given.messages))
            return await generate(given, tool_calls, **config)

        return await inner(state, stating)  # type: ignore[arg-type]  # Inspect types the options as an unpacked TypedDict

    return solve


@scorer(metrics=rubric_metrics())
def three_way(
    inner: Scorer | list[Scorer], target: float | None = None, ask_confidence: bool = False, headline: str | None = None
) -> Scorer:
    """Correct, incorrect, abstained, and the states; the inner scorer decides what is correct.

    The score's value holds 0/1 indicators only (Inspect's default reducer would turn an "N" into 0); outcome, credit,
    answer, reason and confidences by source are in its metadata under ``wager``.
    """
    scorers = inner if isinstance(inner, list) else [inner]
    names = names_of(scorers)
    if headline is not None and headline not in names:
        raise UsageError(f"the task has no scorer named {headline!r}; it has {', '.join(names)}")
    chosen = names.index(headline) if headline else 0
    note = Note(ConfidenceTarget(target) if target is not None else None, ask_confidence)

    told = target

    async def score(state: TaskState, target: Target) -> Score:
        if not note.was_said(state.messages):
            raise RunError(
                "the confidence target never reached the model: the task's solver does not call the generate() that it is given "
                "(agents do not); run it again with --note-in-dataset"
            )
        reply = state.output.completion
        stated = stated_confidence(reply) if ask_confidence else None
        clean = strip_stated(reply) if ask_confidence else reply
        verdict, answer, others = await judge(clean, state, target, scorers, names, chosen)
        confidence: dict[str, float] = {}
        if stated and stated.value is not None and verdict.outcome.is_answer:
            confidence[ConfidenceSource.STATED] = stated.value
        spelled = _answer_probability(state.output, answer) if verdict.outcome.is_answer and answer else None
        if spelled is not None:
            confidence[ConfidenceSource.LOGPROB] = spelled
        probed = probe_confidence(state.output) if verdict.outcome.is_answer else None
        if probed is not None:
            confidence[ConfidenceSource.PROBE] = probed
        return Score(
            value={outcome.value: int(outcome is verdict.outcome) for outcome in Outcome if outcome is not Outcome.FAILED},
            answer=answer,
            explanation=verdict.reason,
            metadata={
                METADATA_KEY: {
                    "outcome": verdict.outcome.value,
                    "credit": verdict.credit,
                    "reason": verdict.reason or (stated.problem and f"stated confidence: {stated.problem}" if stated else None),
                    "confidence": confidence,
                    "target": told,
                    "scorers": others,
                    "headline": names[chosen],
                    "conflict": state.store.get(CONFLICT_KEY),
                    "prompt_version": PROMPT_VERSION,
                }
            },
        )

    return score


def _answer_probability(output: ModelOutput, answer: str) -> float | None:
    logprobs = output.choices[0].logprobs if output.choices else None
    if logprobs is None:
        return None
    found = answer_probability([one.token for one in logprobs.content], [one.logprob for one in logprobs.content], answer)
    return None if found is None else min(1.0, found.joint)
