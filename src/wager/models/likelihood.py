"""How probable a model makes given responses: teacher-forced log-probabilities, in nats.

Nothing is sampled. The probability of a response is the product of its tokens' probabilities, each given the prompt and the tokens
before it, in the one way that the tokenizer splits prompt and response together. A text that can be split in several ways gets the
mass of that one, which is nearly all of it. One file for each way to get them: `likelihood_llama` (the embedded model and GGUF files),
`likelihood_torch` (transformers), `likelihood_server` (completions that echo their prompt), `likelihood_inspect` (Inspect's models).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError, MissingExtraError, UnknownNameError, UsageError

__all__ = ["MODELS", "Floats", "Likelihood", "checked_responses", "checked_temperatures", "likelihood", "served"]

Floats = NDArray[np.float64]

MODELS = (
    "embedded",
    "gguf/PATH",
    "hf/PATH",
    "openai-completions/NAME",
    "vllm-completions/NAME",
    "openai-api-completions/SERVICE/NAME",
)
"""Models whose likelihoods can be read, as they are named."""


class Likelihood(Protocol):
    """A model that says how probable it makes a response."""

    name: str
    """As it was named, shortened where it is a path."""
    tempered: bool
    """Whether other temperatures than 1 can be computed: this needs the whole distribution of each next token."""
    about: dict[str, str]
    """Versions and settings."""

    def turn(self, question: str) -> tuple[str, str]:
        """The chat text around a reply: all that stands before it, and the mark that ends it. Raises UsageError where there is none."""
        ...

    def score(
        self,
        prompts: Sequence[str],
        responses: Sequence[Sequence[str]],
        *,
        temperatures: Sequence[float] = (1.0,),
        done: Callable[[], None] | None = None,
    ) -> list[Floats | None]:
        """log p(response | prompt) of each response to each prompt, in nats.

        Args:
            prompts: C texts, not empty; blanks at an end are read as the beginning of each response.
            responses: for each prompt its R_c texts, at least one, none empty.
            temperatures: T of them, above 0: each next token's distribution p becomes p^(1/temperature), renormalised over the
                vocabulary. This is not the same as a temperature on whole responses.
            done: called after each prompt.

        Returns:
            For each prompt an array (T, R_c), at most 0; None where prompt and responses are longer than the model reads.

        Raises:
            DataError: an empty text, or a response that changes the tokens of its prompt.
            UsageError: a temperature that this model cannot compute.
            ModelError: the model or its server does not work.
        """
        ...


def checked_responses(prompts: Sequence[str], responses: Sequence[Sequence[str]]) -> list[tuple[str, list[str]]]:
    """Prompts without blanks at their end, with responses that begin with these blanks: tokens carry the blank before a word.

    >>> checked_responses(["The capital of Chad is "], [["N'Djamena", "Lima"]])
    [('The capital of Chad is', [" N'Djamena", ' Lima'])]
    """
    if len(prompts) != len(responses):
        raise DataError(f"each prompt has its responses: got {len(prompts)} prompts and {len(responses)} lists of responses")
    made = []
    for prompt, listed in zip(prompts, responses, strict=True):
        bare = prompt.rstrip(" ")
        if not bare or not listed or not all(listed):
            raise DataError(f"a prompt and each of its responses hold at least one character; see the prompt {prompt[-60:]!r}")
        made.append((bare, [prompt[len(bare) :] + one for one in listed]))
    return made


def checked_temperatures(temperatures: Sequence[float], model: Likelihood) -> tuple[float, ...]:
    """The temperatures as floats; raises UsageError for none, for one that is not above 0, and for one that the model cannot compute."""
    made = tuple(float(one) for one in temperatures)
    if not made or not all(0 < one < float("inf") for one in made):
        raise UsageError(f"temperatures are finite numbers above 0, got {', '.join(f'{one:g}' for one in made) or 'none'}")
    if not model.tempered and any(one != 1 for one in made):
        raise UsageError(
            f"{model.name} gives the probabilities of the tokens that were asked for, not of the whole vocabulary: another temperature "
            "than 1 cannot be computed; leave out --temperature, or load the model with hf/PATH or gguf/PATH"
        )
    return made


def likelihood(name: str, *, base_url: str | None = None) -> Likelihood:
    """The named model: ``embedded``, ``gguf/PATH``, ``hf/PATH`` or ``hf/ORGANISATION/NAME``, ``openai-completions/NAME``.

    Any other name is one of Inspect's models, such as ``vllm-completions/NAME``; few of them give the log-probabilities of their prompt.

    Raises:
        UnknownNameError: no such kind of model.
        UsageError: a base URL for a model that is not on a server, or a server without one.
        MissingExtraError: the package that runs the model is not installed.
        ModelError: the model cannot be loaded.
    """
    kind, _, rest = name.partition("/")
    if not rest and kind != "embedded":
        short = next((one for one in MODELS if one.partition("/")[0] == kind), None)
        if short is None:
            raise UnknownNameError("model with prompt log-probabilities", name, MODELS, hint=f"They are: {', '.join(MODELS)}")
        raise UsageError(f"{kind!r} names no model; write {short}")
    if not served(name):
        if base_url is not None:
            raise UsageError(f"{name!r} runs in this process and has no --base-url; leave it out")
        return _here(kind, rest)
    if kind == "openai-completions":
        from wager.models.likelihood_server import ServerLikelihood

        if base_url is None:
            raise UsageError(f"{name!r} is on a server: say where with --base-url, such as http://localhost:8000/v1")
        return ServerLikelihood(rest, base_url)
    from wager.models.likelihood_inspect import InspectLikelihood

    return InspectLikelihood(name, base_url=base_url)


def served(name: str) -> bool:
    """Whether a model of that name is on a server, so that it can have a base URL.

    >>> served("hf/models/base"), served("vllm-completions/base")
    (False, True)
    """
    return name.partition("/")[0] not in ("embedded", "gguf", "hf")


def _here(kind: str, rest: str) -> Likelihood:
    """A model in this process."""
    if kind == "hf":
        from wager.models.likelihood_torch import TorchLikelihood

        return TorchLikelihood(rest)
    return _llama(kind, rest)


def _llama(kind: str, rest: str) -> Likelihood:
    from importlib.util import find_spec

    from wager.models.likelihood_llama import LlamaLikelihood
    from wager.models.weights import embedded_weights

    if find_spec("xllamacpp") is None:  # before 93 MB are fetched for nothing
        raise MissingExtraError("xllamacpp", "embedded", "the embedded model")
    path = embedded_weights() if kind == "embedded" else Path(rest).expanduser().resolve()
    return LlamaLikelihood(path, name="embedded" if kind == "embedded" else f"gguf/{path.name}")
