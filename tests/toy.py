"""A small model with a known mind, and tasks for it: stands in for a provider where a test must decide what the model says.

The model reads ``item 7 gold C`` in the prompt, knows the right answer with a probability that it can state, and answers iff
that is above the target it was told. Asked afterwards how sure it is, it says that probability. ``drawn`` draws its answer
anew at temperature 1; ``mute`` gives no log-probabilities. Other models of the provider: ``flaky`` fails on some items while the file named by
TOY_DOWN exists, ``script`` says what the prompt quotes between ``<say>`` and ``</say>``.
"""

import math
import os
import random
import re
from pathlib import Path
from typing import Any

import anyio
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, Logprob, Logprobs, ModelAPI, ModelOutput, ModelUsage, TopLogprob, modelapi
from inspect_ai.scorer import Score, Scorer, Target, accuracy, answer, choice, exact, f1, includes, match, scorer
from inspect_ai.solver import Generate, Solver, TaskState, generate, multiple_choice, solver


class ToyAPI(ModelAPI):
    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (Inspect's own signature)
        delay: float = 0.0,
        **_: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self.delay = delay

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:  # noqa: A002
        text = "\n".join(message.text for message in input)
        if calls := os.environ.get("TOY_CALLS"):
            with Path(calls).open("a") as file:
                file.write(text.partition("gold")[0].strip().splitlines()[-1] + "\n")
        await anyio.sleep(self.delay)
        scripted = re.search(r"<say>(.*?)</say>", text, re.DOTALL)
        if self.model_name == "script" and scripted:
            reply, stop = scripted.group(1), "max_tokens" if "<cut>" in text else "stop"
        else:
            reply, stop = self.reply(text), "stop"
            if config.temperature == 1.0 and self.model_name == "drawn":
                _, gold, p = self.mind(text)
                reply = f"ANSWER: {gold if random.random() < p else 'ABCD'[random.randrange(4)]}"
        output = ModelOutput.from_content(self.model_name, reply, stop_reason=stop)  # type: ignore[arg-type]
        output.usage = ModelUsage(input_tokens=10, output_tokens=5, total_tokens=15)
        if "The possible answer is:" in text:
            p = self.mind(text)[2]
            top = [TopLogprob(token="A", logprob=math.log(p)), TopLogprob(token=" B", logprob=math.log(1 - p))]
            output = ModelOutput.from_content(self.model_name, "A")
            output.usage = ModelUsage(input_tokens=10, output_tokens=1, total_tokens=11)
            output.choices[0].logprobs = Logprobs(content=[Logprob(token="A", logprob=math.log(p), top_logprobs=top)])
        if self.model_name == "mute":
            output.choices[0].logprobs = None
        elif config.logprobs and output.choices[0].logprobs is None:
            tokens = re.findall(r"\s*\S+", reply)
            tops = [TopLogprob(token="yes", logprob=-0.25)] if (config.top_logprobs or 0) > 1 else None
            output.choices[0].logprobs = Logprobs(content=[Logprob(token=token, logprob=-0.25, top_logprobs=tops) for token in tokens])
        return output

    def mind(self, text: str) -> tuple[int, str, float]:
        """The item, its right answer, and how probably the model knows it."""
        found = re.search(r"item (\d+) gold (\w)", text)
        assert found, text
        return int(found.group(1)), found.group(2), 0.25 + 0.75 * random.Random(int(found.group(1))).random()

    def reply(self, text: str) -> str:
        if "word yes" in text:
            return "yes"
        number, gold, p = self.mind(text)
        if "Rate your confidence" in text:
            return f"{p:.2f}"
        if "How sure are you" in text:
            return "I'm confident." if p > 0.8 else "I'm fairly sure." if p > 0.5 else "I need to look this up."
        if self.model_name == "flaky" and number % 5 == 3 and Path(os.environ["TOY_DOWN"]).exists():
            raise RuntimeError("the toy server is down")
        rng = random.Random(number)
        pick = gold if [rng.random(), rng.random()][1] < p else ("A" if gold != "A" else "B")
        told = re.search(r"are > ([\d.]+) confident", text)
        if told and p <= float(told.group(1)):
            return "I don't know"
        return f"ANSWER: {pick}" + (f"\nCONFIDENCE: {p:.2f}" if "CONFIDENCE: p" in text else "")


@modelapi(name="toy")
def toy() -> type[ModelAPI]:
    return ToyAPI


@task
def toy_mc(n: int = 20) -> Task:
    """Multiple choice with four options."""
    samples = [
        Sample(
            id=f"q{i}",
            input=f"item {i} gold {'ABCD'[i % 4]}",
            choices=list("wxyz"),
            target="ABCD"[i % 4],
            metadata={"stratum": f"s{i % 2}"},
        )
        for i in range(n)
    ]
    return Task(dataset=samples, solver=multiple_choice(), scorer=choice())


def said(reply: str, target: str = "42", **more: Any) -> Sample:
    return Sample(input=f"<say>{reply}</say>", target=target, **more)


@task
def toy_said(reply: str, target: str = "42", grader: str = "match", cut: bool = False) -> Task:
    """One question to which the model says ``reply``."""
    graders = {
        "match": match("any"),
        "exact": exact(),
        "includes": includes(),
        "line": answer("line"),
        "f1": f1(),
        "odd": odd(),
        "both": None,
    }
    chosen = [includes(), exact()] if grader == "both" else graders[grader]
    sample = said(reply, target)
    sample.input = f"{sample.input}{'<cut>' if cut else ''}"
    return Task(dataset=[sample], solver=generate(), scorer=chosen)  # type: ignore[arg-type]


@task
def toy_options(reply: str, target: str, options: int = 10) -> Task:
    """One multiple-choice question to which the model says ``reply``."""
    sample = said(reply, target, choices=[f"option {i}" for i in range(options)])
    return Task(dataset=[sample], solver=multiple_choice(), scorer=choice())


@task
def toy_agent(n: int = 3) -> Task:
    """Its solver never calls the generate() that it is given."""
    return Task(dataset=[Sample(id=i, input=f"item {i} gold A", target="A") for i in range(n)], solver=own_call(), scorer=includes())


@solver
def own_call() -> Solver:
    from inspect_ai.model import get_model

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = await get_model().generate(state.messages)
        state.messages.append(state.output.message)
        return state

    return solve


@task
def toy_unscored() -> Task:
    return Task(dataset=[Sample(input="item 1 gold A", target="A")], solver=generate())


@task
def toy_empty() -> Task:
    return Task(dataset=[], solver=generate(), scorer=includes())


@scorer(metrics=[accuracy()])
def odd() -> Scorer:
    """Gives whatever the target says, as JSON."""
    import json

    async def score(state: TaskState, target: Target) -> Score:
        value = json.loads(target.text)
        if value == "raise":
            raise ValueError("the grader broke")
        return Score(value=float("nan") if value == "nan" else value, answer=state.output.completion)

    return score
