"""The embedded model and GGUF files as Inspect model providers: ``embedded/...`` and ``gguf/PATH``.

Model arguments (``-M``): ``context`` (tokens of a slot, 2048), ``threads`` and ``slots`` (measured), ``reuse`` (true).
Where Inspect's settings say nothing, a reply is sampled from the model's own distribution: temperature 1, no cut of its tail
(llama.cpp's own default is 0.8 with top-k, top-p and min-p).
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    TopLogprob,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from wager.errors import ModelError, UsageError
from wager.models.engine import EngineSettings, engine_for
from wager.models.weights import embedded_weights

__all__ = ["MAX_TOKENS", "LlamaAPI", "embedded", "gguf", "messages_of", "stop_reason"]

MAX_TOKENS = 512
"""Longest reply where nothing is asked for."""

CONCURRENT = 40
"""Requests in flight: more than slots, so that a free slot finds one whose beginning it has read."""


class LlamaAPI(ModelAPI):
    """A GGUF model in this process."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),
        *,
        path: Path,
        context: int = 2048,
        threads: int | None = None,
        slots: int | None = None,
        reuse: bool = True,
        **unknown: Any,
    ) -> None:
        """Loads the file; raises ModelError before the first question if it cannot be."""
        super().__init__(model_name, None, None, [], config)
        if unknown:
            raise UsageError(f"the model takes no argument {next(iter(unknown))!r}; it takes context, threads, slots, reuse")
        self.engine = engine_for(path, EngineSettings(context=context, threads=threads, slots=slots, reuse=reuse))

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """One reply (or ``num_choices`` of them)."""
        if tools:
            raise ModelError(f"{self.model_name} runs without tools; choose another model for a task that needs {tools[0].name!r}")
        request = {"messages": messages_of(self.model_name, input), **_sampling(config)}
        started = time.perf_counter()
        waiting = [self.engine.submit({**request, **_seed(config, number)}) for number in range(config.num_choices or 1)]
        # no thread waits for a reply: one that did would keep a stopped process alive until the reply is whole
        responses = await asyncio.gather(*map(asyncio.wrap_future, waiting))
        return self._output(responses, request["max_tokens"], _worked(responses) or time.perf_counter() - started)

    def _output(self, responses: list[dict[str, Any]], longest: int, seconds: float) -> ModelOutput:
        for response in responses:
            if "error" in response:
                error = response["error"]
                if error.get("type") == "exceed_context_size_error":
                    return ModelOutput.from_content(self.model_name, "", stop_reason="model_length", error=error["message"])
                raise ModelError(f"{self.model_name}: {error.get('message', error)}")
        choices = [
            ChatCompletionChoice(
                message=ChatMessageAssistant(content=one["message"]["content"] or "", model=self.model_name, source="generate"),
                stop_reason=stop_reason(one["finish_reason"], response["usage"]["completion_tokens"], longest),
                logprobs=_logprobs(one),
            )
            for response in responses
            for one in response["choices"]
        ]
        usages = [response["usage"] for response in responses]
        cached = sum((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0) for usage in usages)
        read, written = sum(usage["prompt_tokens"] for usage in usages), sum(usage["completion_tokens"] for usage in usages)
        usage = ModelUsage(input_tokens=read - cached, output_tokens=written, total_tokens=read + written, input_tokens_cache_read=cached)
        return ModelOutput(model=self.model_name, choices=choices, usage=usage, time=seconds)

    def max_connections(self) -> int:
        """Requests in flight."""
        return CONCURRENT

    def max_tokens(self) -> int:
        """Longest reply where nothing is asked for."""
        return MAX_TOKENS

    def connection_key(self) -> str:
        """All models of one file share its slots."""
        return str(self.engine.path)

    def should_retry(self, ex: BaseException) -> bool:
        """Nothing here gets better by waiting."""
        return False


def messages_of(model: str, messages: list[ChatMessage]) -> list[dict[str, str]]:
    """Roles and texts; raises ModelError where a message of ``model`` holds a picture or a sound."""
    for message in messages:
        for part in [] if isinstance(message.content, str) else message.content:
            if part.type not in ("text", "reasoning"):
                raise ModelError(f"{model} reads text only, and a question holds {part.type}; choose another model for this task")
    return [{"role": message.role, "content": message.text} for message in messages]


def _sampling(config: GenerateConfig) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "max_tokens": config.max_tokens or MAX_TOKENS,
        "temperature": 1.0 if config.temperature is None else config.temperature,
        "top_p": 1.0 if config.top_p is None else config.top_p,
        "top_k": config.top_k or 0,
        "min_p": 0.0,
        "stop": config.stop_seqs,
        "frequency_penalty": config.frequency_penalty,
        "presence_penalty": config.presence_penalty,
    }
    if config.logprobs:
        chosen |= {"logprobs": True, "top_logprobs": config.top_logprobs or 1}
    return {name: value for name, value in chosen.items() if value is not None}


def _worked(responses: list[dict[str, Any]]) -> float:
    """Seconds of reading and writing, as llama.cpp takes them: the wait for a free slot is not the call's."""
    timings = [response.get("timings") or {} for response in responses]
    return float(sum(one.get("prompt_ms", 0.0) + one.get("predicted_ms", 0.0) for one in timings)) / 1000


def stop_reason(finish: str, written: int, longest: int) -> StopReason:
    """llama.cpp says ``length`` both for a reply as long as was allowed and for one that filled the slot's context before that."""
    if finish == "length":
        return "max_tokens" if written >= longest else "model_length"
    return "stop" if finish == "stop" else "unknown"


def _seed(config: GenerateConfig, number: int) -> dict[str, int]:
    return {} if config.seed is None else {"seed": config.seed + number}


def _logprobs(choice: dict[str, Any]) -> Logprobs | None:
    content = (choice.get("logprobs") or {}).get("content")
    if content is None:
        return None
    return Logprobs(content=[_logprob(token) for token in content])


def _logprob(token: dict[str, Any]) -> Logprob:
    top = [TopLogprob(token=one["token"], logprob=one["logprob"], bytes=one.get("bytes")) for one in token.get("top_logprobs") or []]
    return Logprob(token=token["token"], logprob=token["logprob"], bytes=token.get("bytes"), top_logprobs=top or None)


@modelapi(name="embedded")
def embedded() -> type[ModelAPI]:
    """SmolLM2-135M-Instruct; fetched on first use."""

    class EmbeddedAPI(LlamaAPI):
        def __init__(
            self,
            model_name: str,
            base_url: str | None = None,
            api_key: str | None = None,
            config: GenerateConfig = GenerateConfig(),
            **args: Any,
        ) -> None:
            super().__init__(model_name, base_url, api_key, config, path=embedded_weights(), **args)

    return EmbeddedAPI


@modelapi(name="gguf")
def gguf() -> type[ModelAPI]:
    """Any GGUF file: ``gguf/PATH``."""

    class GgufAPI(LlamaAPI):
        def __init__(
            self,
            model_name: str,
            base_url: str | None = None,
            api_key: str | None = None,
            config: GenerateConfig = GenerateConfig(),
            **args: Any,
        ) -> None:
            super().__init__(model_name, base_url, api_key, config, path=Path(model_name).expanduser().resolve(), **args)

    return GgufAPI
