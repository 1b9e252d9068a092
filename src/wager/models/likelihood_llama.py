"""Likelihoods from llama.cpp in this process, through xllamacpp.

llama.cpp's server tells the probabilities of the one token that it generates, not those of a prompt. So each distinct beginning of the
responses is one request for one token, in the order of the tree: the slot keeps what it has read, and a request costs one token.
(About 60 requests give all 365 dates.) Asking for all 49,152 probabilities takes forty times as long as asking for the first few
hundred, so a token that is not among those is lifted with a bias in a second request, which changes no ratio among the lifted ones.
"""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wager.errors import MissingExtraError, ModelError, UsageError
from wager.models.engine import EngineSettings, check_gguf, measured
from wager.models.likelihood import checked_responses, checked_temperatures
from wager.models.likelihood_tree import beginnings, split, summed

__all__ = ["LlamaLikelihood"]

Floats = NDArray[np.float64]

FIRST = 256
"""Most probable tokens that are asked for: nearly always all that is needed, at a tenth of the cost of more."""

LIFT = 100.0
"""Added to a logit, more than lies between the most and the least probable token; small enough for single precision."""

MARGIN, SHARE = 12.0, 3.0
"""How far the plain token is lifted above others (in logits), so that it is the one that is drawn: llama.cpp keeps the probabilities
to itself when it draws a token that ends inside a character."""

TRIES = 50
"""Draws, should another token come up."""


class LlamaLikelihood:
    """A GGUF file. One llama.cpp server with a slot of its own for each prompt that is read at the same time."""

    tempered = True

    def __init__(self, path: Path, *, name: str | None = None, settings: EngineSettings = EngineSettings()) -> None:  # noqa: B008 (frozen)
        """Loads the file.

        Raises:
            ModelError: the file is absent, no GGUF, cut off, or of an architecture that llama.cpp does not know.
            MissingExtraError: xllamacpp is not installed.
        """
        check_gguf(path)
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingExtraError("xllamacpp", "embedded", "the embedded model") from error
        self.name = name or f"gguf/{path.name}"
        self.settings = measured(path, settings) if settings.threads is None or settings.slots is None else settings
        self._slots = [_Slot(xllamacpp, path, self.settings) for _ in range(self.settings.slots or 1)]
        self.about = {"xllamacpp": version("xllamacpp"), "file": path.name}

    def turn(self, question: str) -> tuple[str, str]:
        """The file's own chat template, and its end-of-turn token."""
        return self._slots[0].turn(question, self.name)

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
        chosen = checked_temperatures(temperatures, self)
        free: SimpleQueue[_Slot] = SimpleQueue()
        for slot in self._slots:
            free.put(slot)

        def one(prompt: str, listed: list[str]) -> Floats | None:
            slot = free.get()
            try:
                return slot.score(prompt, listed, chosen)
            finally:
                free.put(slot)

        pool = ThreadPoolExecutor(len(self._slots), thread_name_prefix="wager-likelihood")
        try:
            made = []
            for future in [pool.submit(one, *pair) for pair in asked]:
                made.append(future.result())
                if done:
                    done()
            return made
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C waits for the prompts in progress, a second or two


class _Slot:
    """One llama.cpp server with one slot."""

    def __init__(self, xllamacpp: Any, path: Path, settings: EngineSettings) -> None:  # Any: the package ships no types
        self._key = secrets.token_hex(16)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads or 1
        params.n_parallel = 1
        params.n_ctx = settings.context
        params.n_batch = params.n_ubatch = 512
        params.cache_ram_mib = 0
        params.warmup = False
        params.verbosity = -1
        params.n_threads_http = 1
        params.hostnames = ["127.0.0.1"]
        params.api_keys = [self._key]
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelError(f"llama.cpp cannot load {str(path)!r}: the file is cut off or of an unknown architecture") from error
        self._bos = str(self._call("/props").get("bos_token") or "")
        self._plain = self.tokens("a")[-1]

    def _call(self, place: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What only the server's own port offers: its tokenizer, its chat template, its properties."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = urllib.request.Request(str(self._server.listening_address).rstrip("/") + place, data=data, headers=headers)  # noqa: S310 (loopback)
        try:
            with _direct.open(request, timeout=60) as reply:
                return dict(json.load(reply))
        except urllib.error.HTTPError as error:
            with error:
                raise ModelError(f"llama.cpp answers {place} with {error.code}: {_said(error.read())}") from error
        except OSError as error:
            raise ModelError(f"llama.cpp does not answer {place}: {error}") from error

    def turn(self, question: str, name: str) -> tuple[str, str]:
        try:
            before = str(self._call("/apply-template", {"messages": [{"role": "user", "content": question}]})["prompt"])
        except ModelError as error:
            raise UsageError(f"{name} has no chat template that takes a question; leave out --chat ({error})") from error
        after = str(self._call("/props").get("eos_token") or "")
        if not after:
            raise UsageError(f"{name} has no token that ends a reply; leave out --chat")
        return before, after

    def tokens(self, text: str) -> list[int]:
        special = not (self._bos and text.startswith(self._bos))  # a chat template may have put it there
        return list(self._call("/tokenize", {"content": text, "add_special": special, "parse_special": True})["tokens"])

    def score(self, prompt: str, responses: list[str], temperatures: tuple[float, ...]) -> Floats | None:
        """(T, R); None if it does not fit into the context."""
        trunk = self.tokens(prompt)
        listed = split(trunk, [self.tokens(prompt + one) for one in responses], responses, prompt)
        found = {}
        for begun, wanted in beginnings(listed).items():
            next_tokens = self._next([*trunk, *begun], wanted, temperatures)
            if next_tokens is None:
                return None
            found[begun] = next_tokens
        return summed(listed, found)

    def _next(self, tokens: list[int], wanted: Sequence[int], temperatures: tuple[float, ...]) -> dict[int, Floats] | None:
        """log p of each wanted next token at each temperature, (T,) each: exact, over the whole vocabulary."""
        reply = self._ask(tokens, n_probs=FIRST, bias={self._plain: LIFT})
        if reply is None:
            return None
        known = {int(one["id"]): float(one["logprob"]) for one in reply["top_logprobs"]}
        top, plain = np.asarray(list(known.values())), float(reply["logprob"])
        missing = [token for token in wanted if token not in known]
        if missing:
            known |= self._lifted(tokens, missing, plain, float(top.min()))
        rest = np.asarray([0.0 if one == 1 else self._log_sum(tokens, top, plain, one) for one in temperatures])
        return {token: np.minimum(known[token] / np.asarray(temperatures) - rest, 0.0) for token in wanted}

    def _lifted(self, tokens: list[int], missing: Sequence[int], plain: float, most: float) -> dict[int, float]:
        """log p of tokens that are not among the first ones, at most ``most``: beside the plain one, whose log p is ``plain``."""
        lift = LIFT + MARGIN + most - plain
        bias = dict.fromkeys(missing, LIFT) | {self._plain: lift}
        reply = self._ask(tokens, n_probs=len(bias), bias=bias, temperature=1.0) or {}
        with np.errstate(divide="ignore"):  # a probability below the least single-precision number is 0
            logs = {int(one["id"]): float(np.log(one["prob"])) for one in reply["top_probs"]}
        if logs.keys() != bias.keys():
            raise ModelError(f"llama.cpp lists other tokens than the {len(bias)} that were asked for; use another build of xllamacpp")
        found = {token: plain + lift - LIFT + logs[token] - logs[self._plain] for token in missing}
        return found | ({self._plain: plain} if self._plain in missing else {})

    def _log_sum(self, tokens: list[int], top: Floats, plain: float, temperature: float) -> float:
        """log of the sum over the vocabulary of p^(1/temperature).

        The plain token is given the weight w, a multiple of what the first tokens sum to; its probability w / (sum + w) tells the sum.
        """
        weight = float(np.logaddexp.reduce(top / temperature)) + SHARE
        bias = {self._plain: temperature * weight - plain}
        reply = self._ask(tokens, n_probs=1, bias=bias, temperature=temperature) or {}
        drawn = float(reply["top_probs"][0]["prob"])
        with np.errstate(divide="ignore"):  # where the plain token is all but certain, nothing is left for others
            others = weight + float(np.log1p(-min(drawn, 1.0)) - np.log(drawn))
        return float(np.logaddexp(others, plain / temperature))

    def _ask(self, tokens: list[int], *, n_probs: int, bias: dict[int, float], temperature: float | None = None) -> dict[str, Any] | None:
        """One generated token and its alternatives: of the model's own distribution, or of the one after bias and temperature."""
        request: dict[str, Any] = {"prompt": tokens, "max_tokens": 1, "n_probs": n_probs, "logprobs": n_probs, "cache_prompt": True}
        request |= {"temperature": temperature or 1.0, "samplers": ["temperature"], "post_sampling_probs": temperature is not None}
        request["logit_bias"] = [[token, lift] for token, lift in bias.items()]
        for seed in range(TRIES):
            reply = dict(self._server.handle_completions({**request, "seed": seed}))
            if "error" in reply:
                if reply["error"].get("type") == "exceed_context_size_error":
                    return None
                raise ModelError(f"llama.cpp: {reply['error'].get('message', reply['error'])}")
            if reply["choices"][0]["logprobs"] is not None:
                return dict(reply["choices"][0]["logprobs"]["content"][0])
        raise ModelError("llama.cpp gives no probabilities at a place inside a character; use another build of xllamacpp")


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback is never asked for through a proxy."""


def _said(body: bytes) -> str:
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(body)["error"]["message"])[:200]
    return body[:200].decode(errors="replace")
