"""A steered model as an Inspect model provider: ``steered/embedded``, ``steered/gguf/PATH``, ``steered/hf/NAME``.

Model arguments (``-M``): ``vector`` (FILE, or FILE:DOSE several times, separated by commas), ``dose``, ``gate`` and ``probe`` (files of
`wager.steering.probe_file`), ``beyond`` (true allows doses that no sweep has shown to be safe), ``positions`` (reply, prompt, all); and
how it runs: ``context`` (tokens of a request, 1024), ``threads`` (1), ``sequences`` (requests of a batch, 16). What was done to each reply
is in the metadata of its `ModelOutput` under ``steering``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelCall,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from wager.errors import ModelError, UsageError
from wager.evals.batching import Request, TooLongError, Written, batcher_for
from wager.evals.dials import ARGUMENTS, steerable, steering_of
from wager.models.provider import MAX_TOKENS, messages_of, stop_reason

__all__ = ["METADATA", "SteeredAPI", "probe_confidence", "steered"]

METADATA = "steering"
"""The key of a `ModelOutput`'s metadata under which is said what was done."""

CONTEXT = 1024
SEQUENCES = 16

CANNOT: Mapping[str, Any] = {"top_p": 1.0, "top_k": 0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
"""Settings that the steering backends do not have, with the values that change nothing."""


class SteeredAPI(ModelAPI):
    """A model of this process with a push in its activations."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        *,
        context: int = CONTEXT,
        threads: int = 1,
        sequences: int = SEQUENCES,
        **args: Any,
    ) -> None:
        """Loads the model and what steers it; whatever does not fit is said before the first question.

        Raises:
            UsageError: an argument that is not known or not allowed, a vector or gate of another model, a dose outside its band.
            DataError: a file that is missing or not what it should be.
            ModelError: the model cannot be loaded.
        """
        super().__init__(model_name, None, None, [], config or GenerateConfig())
        model = steerable(model_name)
        steering, unknown = steering_of(args)
        if unknown:
            known = ", ".join((*ARGUMENTS, "context", "threads", "sequences"))
            raise UsageError(f"a steered model takes no argument {next(iter(unknown))!r}; it takes {known}")
        self.plan, self.probe = steering.plan(), steering.confidence()
        if self.plan is not None and steering.probe is not None and steering.probe == steering.gate:
            self.probe = self.plan.gate  # the same object: it is read once
        self.batcher = batcher_for(model, context=context, threads=threads, sequences=sequences)
        if self.plan is not None:
            self.plan.push(self.batcher.identity)
        if self.probe is not None:
            self.probe.check_for(self.batcher.identity)

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 (Inspect's own signature)
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput | tuple[ModelOutput, ModelCall]:
        """One reply (or ``num_choices`` of them), in a batch with whatever else waits."""
        if tools:
            raise ModelError(f"{self.model_name} runs without tools; choose another model for a task that needs {tools[0].name!r}")
        for name, nothing in CANNOT.items():
            if getattr(config, name) not in (None, nothing):
                raise ModelError(f"{self.model_name} is steered, and then takes no {name}; got {getattr(config, name)!r}, leave it out")
        chat = tuple(messages_of(self.model_name, input))
        longest = config.max_tokens or MAX_TOKENS
        temperature = 1.0 if config.temperature is None else config.temperature
        seeds = [None if config.seed is None else config.seed + number for number in range(config.num_choices or 1)]
        waiting = [
            self.batcher.submit(Request(chat=chat, plan=self.plan, probe=self.probe, tokens=longest, temperature=temperature, seed=seed))
            for seed in seeds
        ]
        try:
            written = await asyncio.gather(*map(asyncio.wrap_future, waiting))
        except TooLongError as error:
            return ModelOutput.from_content(self.model_name, "", stop_reason="model_length", error=str(error))
        output = self._output(written, longest, config)
        return output, ModelCall(request={}, response={}, time=output.time)  # else Inspect counts the wait for others as this reply's time

    def _output(self, written: Sequence[Written], longest: int, config: GenerateConfig) -> ModelOutput:
        read, said = sum(one.prompt for one in written), sum(len(one.steered.reply.tokens) for one in written)
        return ModelOutput(
            model=self.model_name,
            choices=[self._choice(one, longest, config) for one in written],
            usage=ModelUsage(input_tokens=read, output_tokens=said, total_tokens=read + said),
            time=sum(one.seconds for one in written),
            metadata={METADATA: self._done(written[0])},
        )

    def _choice(self, written: Written, longest: int, config: GenerateConfig) -> ChatCompletionChoice:
        reply = written.steered.reply
        text, tokens = reply.text, list(zip(reply.tokens, reply.logprobs, strict=True))
        reason = stop_reason(reply.finish, len(tokens), longest)
        if ends := [at for one in config.stop_seqs or () if (at := text.find(one)) >= 0]:
            text, reason = text[: min(ends)], "stop"
            tokens = _within(tokens, len(text.rstrip()))
        logprobs = Logprobs(content=[Logprob(token=token, logprob=float(value)) for token, value in tokens]) if config.logprobs else None
        message = ChatMessageAssistant(content=text, model=self.model_name, source="generate")
        return ChatCompletionChoice(message=message, stop_reason=reason, logprobs=logprobs)

    def _done(self, written: Written) -> dict[str, Any]:
        """What was done to a reply: the same for all choices of a call, since the gate reads the prompt."""
        moves = () if self.plan is None else self.plan.moves
        gate = None if self.plan is None else self.plan.gate
        return {
            "dials": [{"trait": one.vector.card.trait, "dose": one.dose, "block": one.vector.at(one.block)[0]} for one in moves],
            "gate": None if gate is None else gate.name,
            "fired": written.steered.fired,
            "probability": written.steered.probability,
            "pushed": written.steered.pushed,
            "probe": written.known,
        }

    def max_connections(self) -> int:
        """Requests in flight: a batch that is written, and the next one waiting."""
        return 2 * self.batcher.rows

    def max_tokens(self) -> int:
        """Longest reply where nothing is asked for."""
        return MAX_TOKENS

    def connection_key(self) -> str:
        """All dials of one model share its thread."""
        return self.batcher.identity.name

    def should_retry(self, ex: BaseException) -> bool:
        """Nothing here gets better by waiting."""
        return False


def probe_confidence(output: ModelOutput) -> float | None:
    """The confidence by a probe of the activations before the reply; None where none was read."""
    found = (output.metadata or {}).get(METADATA, {}).get("probe")
    return None if found is None else float(found)


def _within(tokens: Sequence[tuple[str, Any]], length: int) -> list[tuple[str, Any]]:
    """The tokens of the first ``length`` characters, after the blanks that a reply's text begins without."""
    kept: list[tuple[str, Any]] = []
    for token in tokens:
        if len("".join(one for one, _ in kept).lstrip()) >= length:
            break
        kept.append(token)
    return kept


@modelapi(name="steered")
def steered() -> type[ModelAPI]:
    """A steered model of this process: ``steered/embedded``, ``steered/gguf/PATH``, ``steered/hf/NAME``."""
    return SteeredAPI
