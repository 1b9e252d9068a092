"""The model that is named on a command line: a backend to steer, or a chat model to ask.

``embedded`` and ``gguf/PATH`` run in llama.cpp, ``hf/NAME`` in transformers; these can be read and pushed. A chat model that drafts a trait
or judges replies may also be on a server with OpenAI's interface: it is asked, and nothing more.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.errors import MissingExtraError, ModelError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from wager.steering.backend import Backend

__all__ = ["MODELS", "open_asker", "open_backend", "token_ids"]

MODELS = ("embedded", "gguf/PATH", "hf/NAME")
"""What can be steered."""

SERVED = (
    "anthropic", "azureai", "bedrock", "cloudflare", "deepseek", "fireworks", "google", "grok", "groq", "mistral", "ollama", "openai",
    "openai-api", "openai-completions", "openrouter", "perplexity", "sglang", "together", "vllm", "vllm-completions",
)  # fmt: skip
"""Kinds of names that mean a server."""

OPENAI = "https://api.openai.com/v1"

TRIES = 4
"""How often a busy server (429, 500 and above) is asked."""

WRITTEN = 4096
"""Tokens of the longest reply of a model in this process."""

ROWS = 8
"""Requests that transformers runs side by side."""


def open_backend(model: str, *, context: int = 512, threads: int = 1, sequences: int | None = None, shorten: bool = False) -> Backend:
    """The model whose activations are to be reached.

    Args:
        model: ``embedded``, ``gguf/PATH``, or ``hf/NAME`` with a folder or a name on the Hugging Face hub.
        context: tokens of one request, prompt and reply, at least 64; transformers takes at most those that the model was made for.
        threads: of llama.cpp; transformers takes those of PyTorch.
        sequences: requests that run side by side; None takes the backend's own number. llama.cpp holds memory for context x sequences.
        shorten: llama.cpp, too, takes the model's own longest context where more is asked for, instead of refusing it.

    Raises:
        UnknownNameError: no such kind of model.
        UsageError: a model behind an API, a kind without a name, or a context that the model was not trained on.
        MissingExtraError: the package that runs it is not installed.
        ModelError: it cannot be loaded.
    """
    kind, _, rest = model.partition("/")
    if kind in SERVED:
        raise UsageError(
            f"{model!r} is behind an API, which neither shows activations nor takes a push; dials, monitors and gates need"
            f" {', '.join(MODELS[:-1])} or {MODELS[-1]}"
        )
    if kind not in ("gguf", "hf") and model != "embedded":
        raise UnknownNameError("model that can be steered", model, MODELS, hint=f"They are: {', '.join(MODELS)}.")
    if kind in ("gguf", "hf") and not rest:
        raise UsageError(f"{kind!r} names no model; write {next(one for one in MODELS if one.startswith(kind))}")
    if kind == "hf":
        from wager.steering.hf import TorchSteering

        return TorchSteering(rest, context=context, batch=sequences or ROWS)
    from wager.models.weights import embedded_weights
    from wager.steering.llama import SEQUENCES, LlamaSteering

    if find_spec("xllamacpp") is None:  # before 93 MB are fetched for nothing
        raise MissingExtraError("xllamacpp", "steer", "steering a GGUF model")
    path = embedded_weights() if kind == "embedded" else Path(rest).expanduser().resolve()
    name = "embedded" if kind == "embedded" else f"gguf/{path.name}"
    return LlamaSteering(path, name=name, context=context, sequences=sequences or SEQUENCES, threads=threads, shorten=shorten)


def token_ids(backend: Backend) -> Callable[[str], Sequence[int]]:
    """What gives the tokens of a text that stands within a sentence, by the model's own vocabulary: a blank comes before it.

    Raises:
        UsageError: the backend does not tell its tokens.
    """
    from wager.steering.llama import LlamaSteering

    if isinstance(backend, LlamaSteering):
        return lambda text: backend._tokens(f" {text}")
    tokenizer = getattr(backend, "tokenizer", None)
    if tokenizer is None:
        raise UsageError(f"{backend.identity.name} does not tell its tokens")
    return lambda text: list(tokenizer(f" {text}", add_special_tokens=False)["input_ids"])


def open_asker(model: str, *, base_url: str | None = None, tokens: int = WRITTEN) -> Callable[[str], str]:
    """A chat model as a function from prompt to reply, greedy; opened at the first question, and freed when the function is let go.

    Args:
        model: with a base URL its name on that server; without one ``openai/NAME``, or a model of `open_backend`.
        base_url: of a server with OpenAI's chat interface, up to and with ``/v1``. The key is taken from the environment variable
            ``OPENAI_API_KEY``, if it is set.
        tokens: of the longest reply of a model in this process; a server decides for itself.

    Raises:
        UsageError: an address that is no http(s) URL, or a server without one.
        MissingExtraError: the package that asks is not installed.
    """
    if base_url is None and model.startswith("openai/"):
        return _Server(model.removeprefix("openai/"), OPENAI)
    if base_url is not None:
        return _Server(model, base_url)
    if model.partition("/")[0] in SERVED:
        raise UsageError(f"{model!r} is on a server: say where with a base URL, such as http://localhost:8000/v1")
    opened: list[Backend] = []

    def ask(prompt: str) -> str:
        if not opened:
            opened.append(open_backend(model, context=tokens + 2048, sequences=1, shorten=True))
        return opened[0].generate([[{"role": "user", "content": prompt}]], tokens=tokens)[0].text

    weakref.finalize(ask, _close, opened)
    return ask


def _close(opened: list[Backend]) -> None:
    while opened:
        opened.pop().close()


class _Server:
    """One model on one server."""

    def __init__(self, model: str, base_url: str) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise UsageError(f"a base URL begins with http:// or https://, got {base_url!r}")
        try:
            import httpx
        except ImportError as error:
            raise MissingExtraError("httpx", "evals", "a model on a server") from error
        self._httpx, self._model = httpx, model
        self._url = base_url.rstrip("/") + "/chat/completions"

    def __call__(self, prompt: str) -> str:
        body = {"model": self._model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
        reply = self._post(body)
        try:
            said = reply.json()["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            said = None
        if not isinstance(said, str):
            raise ModelError(f"{self._url} answers without a text; is it a chat server of OpenAI's kind?")
        return said

    def _post(self, body: dict[str, Any]) -> Any:
        key = os.environ.get("OPENAI_API_KEY")
        said = "no reply"
        with self._httpx.Client(timeout=300, headers={"Authorization": f"Bearer {key}"} if key else {}) as client:
            for attempt in range(TRIES):
                try:
                    reply = client.post(self._url, json=body)
                except self._httpx.HTTPError as error:
                    raise ModelError(f"no chat server answers at {self._url}: {error or type(error).__name__}") from error
                if reply.status_code == 200:
                    return reply
                said = f"{reply.status_code} {reply.text[:200]!r}"
                if reply.status_code == 400 and "temperature" in body and "temperature" in reply.text:  # some models take none
                    del body["temperature"]
                    continue
                if reply.status_code != 429 and reply.status_code < 500:
                    break
                if attempt + 1 < TRIES:
                    time.sleep(2.0**attempt)
        raise ModelError(f"{self._url} refuses to answer: {said}")
