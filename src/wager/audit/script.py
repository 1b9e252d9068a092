"""The scripted model: says what the scene of the running sample tells it to, and grades when a scorer asks it.

As a grader it knows which replies are right; it shows how a harness turns grades into points, not how a real grader behaves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage, get_model, modelapi
from inspect_ai.scorer import Score, Scorer, Target, accuracy, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolChoice, ToolInfo

from wager.answers import Outcome
from wager.audit.credit import counted_key, raw_credit
from wager.audit.replies import Answers, Candidate, Truth, candidates, compose
from wager.evals.verdict import verdict_of

__all__ = ["MODEL", "Scene", "current_scene", "judged", "scripted"]

MODEL = "wager_audit/replies"
"""The scripted model's name."""

NO_GRADE = "The scripted grader does not know the format that this prompt asks for."


@dataclass
class Scene:
    """One item and one reply to it: what is to be said, and what came of it. Filled in as the sample runs."""

    sample: Sample
    """The item."""
    answers: Answers
    """What may be said about it."""
    kind: str
    """Which reply."""
    attempt: int = 0
    """Which candidate format, where `how` is not set."""
    how: Candidate | None = None
    """The format to write in; found by trying while it is None."""
    real_grader: bool = False
    """Whether the user gave a grader, to whom the scripted one then hands on."""
    scoring: bool = False
    """Whether the scorer is at work."""
    prompt: str = ""
    """What the model was asked."""
    reply: str | None = None
    """What it replied; None if the kind does not apply."""
    truth: Truth = "wrong"
    """What the reply is worth in truth."""
    tools: tuple[str, ...] = ()
    """Tools that the model was given, beside one to submit its answer."""
    grader_calls: int = 0
    """How often a model was asked for a grade."""
    unreadable: int = 0
    """How often the scripted grader did not know the format of the grade."""
    credit: float | None = None
    """What the task's own scorer gave."""
    value: str = ""
    """Its value as it stands."""
    why: str = ""
    """Why there is no credit."""
    key: str | None = None
    """Which of several values the credit is."""
    told_apart: bool = False
    """Whether the scorer's value itself says "not attempted", whatever that earns."""


_SCENE: ContextVar[Scene | None] = ContextVar("wager_audit_scene", default=None)


def current_scene() -> Scene | None:
    """The scene of the sample that is running."""
    return _SCENE.get()


Scenes = dict[tuple[str, int], Scene]
"""By the item's id and the epoch, from 1."""


@solver
def scripted(inner: Solver, scenes: Scenes) -> Solver:
    """The task's own solver, with the scene set for the scripted model."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        scene = scenes[str(state.sample_id), state.epoch]
        _SCENE.set(scene)
        try:
            return await inner(state, generate)
        except Exception as error:
            scene.why = f"the solver failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise

    return solve


@scorer(metrics=[accuracy()], name="wager_audit")
def judged(inner: Scorer, scenes: Scenes, key: str | None) -> Scorer:
    """The task's own scorer; its verdict goes into the scene as it stands."""

    async def score(state: TaskState, target: Target) -> Score:
        scene = scenes[str(state.sample_id), state.epoch]
        _SCENE.set(scene)
        if scene.reply is None:
            scene.why = scene.why or "this kind of reply does not apply to the item"
            return Score(value=0)
        scene.scoring = True
        try:
            given = await inner(state, target)
        except Exception as error:  # noqa: BLE001 (whatever a scorer raises is its result)
            scene.why = f"the scorer failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            return Score(value=0)
        finally:
            scene.scoring = False
        scene.value = repr(given.value) if given else "None"
        if scene.unreadable:
            scene.why = NO_GRADE
        else:
            scene.credit, scene.why = raw_credit(given, key)
            scene.key = counted_key(given, key)
            scene.told_apart = verdict_of(given).outcome is Outcome.ABSTAINED
        return Score(value=0)

    return score


class Replies(ModelAPI):
    """The model under audit, and the scripted grader."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (Inspect's own signature)
        **_: Any,  # Any: arguments that a task gives to its own grader
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 (Inspect's own signature)
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """The scene's reply, or a grade of it."""
        scene = _SCENE.get()
        if scene is None:
            return self._said("")
        prompt = "\n".join(message.text for message in input)
        if scene.scoring:
            scene.grader_calls += 1
            if scene.real_grader:
                return await get_model(role="grader").generate(input, tools=tools, tool_choice=tool_choice, config=config)
            return self._graded(scene, prompt, tools, config)
        if not scene.prompt:
            scene.prompt = prompt
            made = _next_reply(scene)
            scene.reply, scene.truth = made if made else (None, "wrong")
        scene.tools = tuple(tool.name for tool in tools if tool.name != "submit")
        submit = next((tool for tool in tools if tool.name == "submit"), None)
        if submit is not None:
            name = next(iter(submit.parameters.properties), "answer")
            return self._called("submit", {name: scene.reply or ""})
        return self._said(scene.reply or "")

    def _said(self, text: str) -> ModelOutput:
        output = ModelOutput.from_content(self.model_name, text)
        output.usage = ModelUsage()  # without it Inspect counts tokens, for which it downloads a vocabulary
        return output

    def _called(self, tool: str, arguments: dict[str, Any]) -> ModelOutput:
        output = ModelOutput.for_tool_call(self.model_name, tool, arguments)
        output.usage = ModelUsage()
        return output

    def _graded(self, scene: Scene, prompt: str, tools: Sequence[ToolInfo], config: GenerateConfig) -> ModelOutput:
        if tools:
            schema = tools[0].parameters.model_dump(exclude_none=True)
            arguments = _filled(schema, scene.truth)
            if arguments is not None:
                return self._called(tools[0].name, arguments)
        elif config.response_schema is not None:
            arguments = _filled(config.response_schema.json_schema.model_dump(exclude_none=True), scene.truth)
            if arguments is not None:
                return self._said(json.dumps(arguments))
        else:
            grade = grade_in(prompt, scene.truth)
            if grade is not None:
                return self._said(grade)
        scene.unreadable += 1
        return self._said(NO_GRADE)


@modelapi(name="wager_audit")
def wager_audit() -> type[ModelAPI]:
    """The provider of the scripted model."""
    return Replies


def _next_reply(scene: Scene) -> tuple[str, Truth] | None:
    if scene.how is None:
        tried = candidates(scene.prompt, scene.answers)
        if scene.attempt >= len(tried):
            return None
        scene.how = tried[scene.attempt]
    return compose(scene.kind, scene.how, scene.answers, scene.prompt)


YES_OR_NO = r"(?i)(?:respond|answer|reply|say|output|return|write|either|with|only)[^\n]{0,60}\byes\b[^\n]{0,20}\bno\b"
NOT_ATTEMPTED = r"GRADE:\s*\$?(?:LETTER|[CINP]\b)[\s\S]*(?:GRADE:\s*N\b|\bN\b[^\n]{0,40}not attempted)"

GRADES: tuple[tuple[str, tuple[str, str, str]], ...] = (
    (r"\bA\b[^\n]{0,5}CORRECT[\s\S]*\bC\b[^\n]{0,5}NOT[_ ]ATTEMPTED", ("A", "B", "C")),
    (NOT_ATTEMPTED, ("GRADE: C", "GRADE: I", "GRADE: N")),
    (r"GRADE:", ("GRADE: C", "GRADE: I", "GRADE: I")),
    (r"(?im)^\s*correct:\s.*\byes\b", ("correct: yes", "correct: no", "correct: no")),
    (YES_OR_NO, ("Yes", "No", "No")),
    (r"\bNOT_ATTEMPTED\b", ("CORRECT", "INCORRECT", "NOT_ATTEMPTED")),
    (r"\bINCORRECT\b", ("CORRECT", "INCORRECT", "INCORRECT")),
    (r"(?i)(?:respond|answer|reply|return|output)[^\n]{0,60}\btrue\b[^\n]{0,20}\bfalse\b", ("True", "False", "False")),
)
"""What a grader's prompt asks for, and what is said of a right reply, a wrong one and an abstention; where the prompt provides nothing
for an abstention, it is graded as wrong."""


def grade_in(prompt: str, truth: Truth) -> str | None:
    """The grade in the format that a grader's prompt asks for, or None if that is not one of the known ones.

    >>> grade_in("End with GRADE: C for correct or GRADE: I for incorrect.", "abstained")
    'GRADE: I'
    """
    for pattern, grades in GRADES:
        if re.search(pattern, prompt):
            return grades[("right", "wrong", "abstained").index(truth)]
    return None


def _filled(schema: dict[str, Any], truth: Truth) -> dict[str, Any] | None:
    """Arguments for a schema whose verdict is a boolean or a closed set; None if nothing in it is a verdict."""
    arguments: dict[str, Any] = {}
    judged_by = False
    for name, part in (schema.get("properties") or {}).items():
        options = [str(option) for option in part.get("enum") or []]
        kind = part.get("type")
        if options:
            chosen = _option(options, truth)
            judged_by = judged_by or chosen is not None
            arguments[name] = chosen if chosen is not None else options[0]
        elif kind == "boolean":
            judged_by = True
            arguments[name] = truth == "right"
        else:
            arguments[name] = {"integer": 100, "number": 100.0, "array": [], "object": {}}.get(str(kind), "-")
    return arguments if judged_by else None


def _option(options: Sequence[str], truth: Truth) -> str | None:
    """The option of a closed set that says this, such as yes, CORRECT, C or A."""
    says = {
        "right": r"(?i)yes|correct|true|right|c|pass",
        "wrong": r"(?i)no|incorrect|false|wrong|i|fail",
        "abstained": r"(?i)n|not[_ ]?attempted|abstain(?:ed)?",
    }
    if set(options) == {"A", "B", "C"}:
        return {"right": "A", "wrong": "B", "abstained": "C"}[truth]
    for meaning in (truth, "wrong"):
        found = next((option for option in options if re.fullmatch(says[meaning], option)), None)
        if found is not None:
            return found
    return None
