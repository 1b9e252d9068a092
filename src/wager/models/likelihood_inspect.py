"""Likelihoods from any Inspect model that gives the log-probabilities of its prompt.

Inspect asks for them with ``GenerateConfig.prompt_logprobs`` and hands them on in ``ChatCompletionChoice.prompt_logprobs``. Servers that
fill them are vLLM and those that speak its dialect. The model must read the text as it stands, not inside a chat template: the providers
``vllm-completions`` and ``openai-api-completions`` do. The prompt alone and prompt and response together are one request each; where the
first one's tokens end, the response begins.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError, MissingExtraError, ModelError, UnknownNameError, UsageError
from wager.models.likelihood import MODELS, checked_responses, checked_temperatures
from wager.models.likelihood_server import TOO_LONG

__all__ = ["InspectLikelihood"]

Floats = NDArray[np.float64]
Tokens = list[tuple[str, float]]
One = TypeVar("One")

WORKS = (
    "what works: vllm-completions/NAME, openai-api-completions/SERVICE/NAME or openai-completions/NAME on a server such as vLLM, or the "
    "weights themselves with hf/PATH or gguf/PATH"
)
"""What can be used instead of a model that cannot."""

PROMPTS = 4
"""Prompts that are read at the same time; each has as many requests as responses."""


class InspectLikelihood:
    """One of Inspect's models."""

    tempered = False

    def __init__(self, model: str, *, base_url: str | None = None, connections: int = 32, retries: int = 3) -> None:
        """Checks name, packages and keys; asks nothing yet.

        Args:
            model: as Inspect names it, PROVIDER/NAME.
            base_url: where its server is; without it what the provider knows.
            connections: requests at a time, at least 1.
            retries: how often a request that fails is sent again.

        Raises:
            MissingExtraError: Inspect is not installed.
            UnknownNameError: Inspect knows no such provider.
            ModelError: the provider cannot be used: a key or a package is absent.
        """
        try:
            import inspect_ai.model as package
        except ImportError as error:
            raise MissingExtraError(error.name or "inspect-ai", "evals", "one of Inspect's models") from error
        self._package = package
        self.name = model
        self._base_url, self._connections, self._retries = base_url, connections, retries
        self._model()  # a wrong name or an absent key is told before minutes of work
        self.about = {"inspect-ai": version("inspect-ai"), "model": model} | ({"server": base_url} if base_url else {})

    def _model(self) -> Any:  # Any: Inspect's model
        config = self._package.GenerateConfig(
            prompt_logprobs=1, max_tokens=1, temperature=0.0, max_connections=self._connections, max_retries=self._retries
        )
        try:
            return self._package.get_model(self.name, config=config, base_url=self._base_url, memoize=False)
        except Exception as error:  # each provider raises its own; all are the user's to know
            if isinstance(error, ValueError) and "not recognized" in str(error):
                raise UnknownNameError(
                    "model with prompt log-probabilities", self.name, MODELS, hint=f"They are: {', '.join(MODELS)}"
                ) from None
            raise ModelError(f"Inspect cannot use the model {self.name!r}: {_one_line(error)}; {WORKS}") from error

    def turn(self, question: str) -> tuple[str, str]:
        """Inspect tells no chat template: raises UsageError."""
        raise UsageError(f"{self.name} is read as plain text, its chat template is not known; leave out --chat")

    def score(
        self,
        prompts: Sequence[str],
        responses: Sequence[Sequence[str]],
        *,
        temperatures: Sequence[float] = (1.0,),
        done: Callable[[], None] | None = None,
    ) -> list[Floats | None]:
        """As `wager.models.likelihood.Likelihood.score`."""
        asked = checked_responses(prompts, responses)
        width = len(checked_temperatures(temperatures, self))
        found = asyncio.run(self._all(asked, done or (lambda: None)))
        return [None if one is None else np.tile(np.minimum(one, 0.0), (width, 1)) for one in found]

    async def _all(self, asked: list[tuple[str, list[str]]], done: Callable[[], None]) -> list[list[float] | None]:
        free = asyncio.Semaphore(PROMPTS)
        async with self._model() as model:  # its connections belong to this event loop

            async def one(prompt: str, listed: list[str]) -> list[float] | None:
                async with free:
                    found = await self._some(model, prompt, listed)
                    done()
                    return found

            return await _together([one(*pair) for pair in asked])

    async def _some(self, model: Any, prompt: str, responses: list[str]) -> list[float] | None:
        """log p of the responses to one prompt; None if they do not fit."""
        first = await self._tokens(model, prompt + responses[0])
        if first is None:
            return None
        if not first:  # one request tells it
            raise ModelError(f"{self.name!r} gives no log-probabilities of its prompt through Inspect; {WORKS}")
        texts = [prompt, *(prompt + one for one in responses[1:])]
        alone, *rest = await _together([self._tokens(model, text) for text in texts])
        found = [one for one in (first, *rest) if one is not None]
        if alone is None or len(found) < len(responses):
            return None
        return [self._sum(alone, one, prompt, response) for one, response in zip(found, responses, strict=True)]

    async def _tokens(self, model: Any, text: str) -> Tokens | None:
        """The text's tokens, each with its log-probability; the very first has none and is left out. None if the text is too long."""
        try:
            output = await model.generate(text)
        except Exception as error:  # each provider raises its own; all are the user's to know
            if any(word in str(error).lower() for word in TOO_LONG):
                return None
            raise ModelError(f"the model {self.name!r} does not answer: {_one_line(error)}") from error
        if output.stop_reason == "model_length":
            return None
        if output.error:
            raise ModelError(f"the model {self.name!r} answers with an error: {_one_line(output.error)}")
        given = output.choices[0].prompt_logprobs if output.choices else None
        return [(str(one.token), float(one.logprob)) for one in given.content] if given else []

    def _sum(self, alone: Tokens, joint: Tokens, prompt: str, response: str) -> float:
        after = joint[len(alone) :]
        if not _ends(prompt, alone):
            raise ModelError(f"{self.name!r} does not read the prompt as it stands, but inside a chat template; {WORKS}")
        if [token for token, _ in joint[: len(alone)]] != [token for token, _ in alone] or not after or not _ends(prompt + response, after):
            raise DataError(
                f"the last tokens of the prompt {prompt[-40:]!r} change when {response!r} follows, so that the response has no beginning "
                "of its own; begin responses with a blank, or end the prompt with a whole word, a colon or a line break"
            )
        return sum(logprob for _, logprob in after)


async def _together(waiting: Sequence[Coroutine[Any, Any, One]]) -> list[One]:
    """The results of all; the first error ends the others."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ends(text: str, tokens: Tokens) -> bool:
    """Whether the text ends with these tokens. Blanks are left out, because some tokenizers write a token without the blank before it;
    tokens that are a part of a letter cannot be compared.

    >>> _ends("The capital of Peru is", [("capital", -3.0), (" of", -0.5), ("Peru", -2.0), (" is", -0.1)])
    True
    """
    joined = "".join("".join(token for token, _ in tokens).split())
    return "\ufffd" in joined or "".join(text.split()).endswith(joined)


def _one_line(error: object) -> str:
    """What went wrong, without the marks of bold and colours that Inspect puts in."""
    said = " ".join(re.sub(r"\[/?(?:bold|blue|red|link)\]", "", str(error)).split())[:200]
    return said.removeprefix("ERROR: ").rstrip(".") or type(error).__name__
