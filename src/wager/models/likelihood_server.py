"""Likelihoods from a server with OpenAI's completions interface that tells the log-probabilities of its prompt (vLLM does).

``POST BASE_URL/completions`` with ``echo`` and ``logprobs`` gives prompt and response back with the log-probability of each token and
where it begins. Servers that only tell those of generated tokens, OpenAI's own chat models among them, cannot be used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError, MissingExtraError, ModelError, UsageError
from wager.models.likelihood import checked_responses, checked_temperatures

__all__ = ["TOO_LONG", "ServerLikelihood"]

Floats = NDArray[np.float64]

TOO_LONG = ("maximum context length", "context length", "context_length", "too long", "max_model_len")
"""Words by which servers say that a text does not fit."""

TRIES = 4
"""How often a busy server (429, 500 and above) is asked."""


class ServerLikelihood:
    """One model on one server."""

    tempered = False

    def __init__(self, model: str, base_url: str, *, batch: int = 32, seconds: float = 300.0, wait: float = 1.0) -> None:
        """Opens nothing yet.

        Args:
            model: its name on the server.
            base_url: up to and with ``/v1``. The key is taken from the environment variable ``OPENAI_API_KEY``, if it is set.
            batch: texts in one request, at least 1.
            seconds: how long a request may take.
            wait: seconds before a busy server is asked again; doubled each time.

        Raises:
            MissingExtraError: httpx is not installed.
            UsageError: an address that is no http(s) URL.
        """
        if not base_url.startswith(("http://", "https://")):
            raise UsageError(f"a base URL begins with http:// or https://, got {base_url!r}")
        try:
            import httpx
        except ImportError as error:
            raise MissingExtraError("httpx", "evals", "a model on a server") from error
        key = os.environ.get("OPENAI_API_KEY")
        self.name = f"openai-completions/{model}"
        self._model, self._batch, self._wait = model, max(batch, 1), wait
        self._url = base_url.rstrip("/") + "/completions"
        self._httpx = httpx
        self._client = httpx.Client(timeout=seconds, headers={"Authorization": f"Bearer {key}"} if key else {})
        self.about = {"server": base_url, "model": model}

    def turn(self, question: str) -> tuple[str, str]:
        """A completions server tells no chat template: raises UsageError."""
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
        made: list[Floats | None] = []
        for prompt, listed in asked:
            found: list[float] | None = []
            for start in range(0, len(listed), self._batch):
                some = self._some(prompt, listed[start : start + self._batch])
                found = None if some is None or found is None else found + some
                if found is None:
                    break
            made.append(None if found is None else np.tile(np.minimum(found, 0.0), (width, 1)))
            if done:
                done()
        return made

    def _some(self, prompt: str, responses: list[str]) -> list[float] | None:
        """log p of a few responses to one prompt; None if they do not fit."""
        texts = [prompt + one for one in responses]
        reply = self._post({"model": self._model, "prompt": texts, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1})
        if reply is None:
            return None
        try:
            choices = sorted(reply["choices"], key=lambda one: int(one["index"]))
        except (KeyError, TypeError, ValueError):
            raise ModelError(f"{self._url} gives no list of choices; is it a completions server of OpenAI's kind?") from None
        if len(choices) != len(texts):
            raise ModelError(f"{self._url} gives {len(choices)} choices for {len(texts)} texts; one each is needed")
        return [self._sum(choice, prompt, text) for choice, text in zip(choices, texts, strict=True)]

    def _sum(self, choice: dict[str, Any], prompt: str, text: str) -> float:
        logprobs = choice.get("logprobs") or {}
        values, places = logprobs.get("token_logprobs") or [], logprobs.get("text_offset") or []
        inside = [(place, value) for place, value in zip(places, values, strict=False) if len(prompt) <= place < len(text)]
        if not str(choice.get("text", "")).startswith(text) or len(places) != len(values) or not places or places[0] != 0:
            raise ModelError(
                f"{self._url} does not give the log-probabilities of its prompt (echo with logprobs) for {self._model!r}; use a server "
                "that does, such as vLLM, or load the model with hf/PATH or gguf/PATH"
            )
        if not inside or inside[0][0] != len(prompt):
            raise DataError(
                f"no token begins where the response begins: {text[len(prompt) - 20 :]!r}; begin responses with a blank, or end the prompt "
                "with a whole word, a colon or a line break"
            )
        if any(value is None for _, value in inside):
            raise ModelError(f"{self._url} gives no log-probability for a token of the response {text[len(prompt) :]!r}")
        return float(sum(value for _, value in inside))

    def _post(self, body: dict[str, Any]) -> dict[str, Any] | None:
        said = "no reply"
        for attempt in range(TRIES):
            try:
                reply = self._client.post(self._url, json=body)
            except self._httpx.TransportError as error:
                raise ModelError(f"no completions server answers at {self._url}: {error or type(error).__name__}") from error
            if reply.status_code == 200:
                return _object(reply, self._url)
            said = f"{reply.status_code} {reply.text[:200]!r}"
            if reply.status_code in (400, 413) and any(word in reply.text.lower() for word in TOO_LONG):
                return None
            if reply.status_code != 429 and reply.status_code < 500:
                break
            if attempt + 1 < TRIES:
                time.sleep(self._wait * 2**attempt)
        raise ModelError(f"{self._url} refuses to give the log-probabilities of a prompt: {said}")


def _object(reply: Any, url: str) -> dict[str, Any]:
    try:
        return dict(reply.json())
    except (ValueError, TypeError):
        raise ModelError(f"{url} answers with something else than a JSON object: {reply.text[:80]!r}") from None
