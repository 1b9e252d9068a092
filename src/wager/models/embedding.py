"""Do two short answers mean the same, by the cosine of their embeddings? A GGUF model of llama.cpp in this process.

In: texts. Out: unit vectors; and, as a heuristic, a relation of pairs: "entails" where the cosine reaches a threshold, else "contradicts".

A chat model is no embedding model. Averaging its token vectors says nothing of meaning here; what it would say next does: the text is put
into "means in one word:", and the vector of the last token is taken (Jiang et al. 2024, "Scaling sentence embeddings with large
language models", arXiv 2307.16645). Even so it cannot tell 12 from 13, so where both texts hold digits the digits decide first.

Measured with the embedded model on 1,111 pairs that are worded differently (accepted answers of NQ-Open, of which several are different
facts, against other questions of the same kind; right and wrong answers of TruthfulQA; capitals, numbers and dates in several wordings),
mean over the five sets; the digits rule is part of the AUROC where it is named:

===============================  =====  ====================
reading                          AUROC  accuracy (two-fold)
===============================  =====  ====================
mean of the tokens, text alone    0.51  0.50
same, common vector taken off     0.52  0.54
one word, text alone              0.67  0.61
same, digits first (`ALONE`)      0.80  0.74
one word, with the question       0.66  0.65
same, digits first (`ASKED`)      0.81  0.77
===============================  =====  ====================

`ASKED` by set: capitals 0.99, dates 0.82, numbers 0.80, NQ-Open 0.80, TruthfulQA 0.65. At its threshold it takes 81 % of the pairs that
mean the same for the same, and 25 % of those that do not: a rule on the words does better for names, numbers and dates. For answers that
are sentences, use `wager.models.entailment` or a judge.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError, MissingExtraError, ModelError, UsageError
from wager.models.engine import check_gguf
from wager.models.weights import embedded_weights

__all__ = ["ALONE", "ASKED", "Embedding", "Pooling", "Reading", "Relation", "numbers_agree"]

Relation = Literal["entails", "neutral", "contradicts"]
"""Of an ordered pair (premise, hypothesis)."""

Pooling = Literal["last", "mean", "model"]
"""Which vector stands for a text: of its last token, the mean of all, or what the file itself asks for (embedding models do)."""

CACHED = 8192
"""Vectors kept: about 40 MB with the embedded model."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a text is put to the model, and which cosine counts as the same meaning."""

    prompt: str
    """Holds ``{text}``, and ``{question}`` if answers are read with their question."""
    threshold: float
    """Least cosine of two texts that mean the same, in [-1, 1]. Belongs to one model and one prompt."""


ALONE = Reading(prompt='This sentence: "{text}" means in one word: "', threshold=0.938)
"""Without a question; the threshold has the highest accuracy in the measurement above, for the embedded model."""

ASKED = Reading(prompt='Question: {question}\nReply: {text}\nThe answer of this reply, in one word, is "', threshold=0.986)
"""With the question that both texts answer; likewise."""


class Embedding:
    """The embeddings of one GGUF file. Loaded on first use, thread-safe; `close` frees the model.

    >>> same = Embedding()                                                                          # doctest: +SKIP
    >>> same.about("What is the capital of France?")([("Paris", "It's Paris, France."), ("Paris", "Lyon")])  # doctest: +SKIP
    ['entails', 'contradicts']
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        pooling: Pooling = "last",
        alone: Reading = ALONE,
        asked: Reading = ASKED,
        context: int = 512,
        threads: int = 1,
    ) -> None:
        """Checks the options; the file is loaded when the first vector is asked for.

        Args:
            path: a GGUF file; None is the embedded model, fetched once. Another model needs thresholds of its own: those of `ALONE` and
                `ASKED` were measured with the embedded one.
            pooling: for an embedding model ``model``, with ``alone=Reading(prompt="{text}", threshold=...)``.
            alone, asked: how texts are read without and with a question.
            context: tokens of the longest text, with its prompt and question.
            threads: on a small model and two free cores two are 1.7 times as fast as one; where other programs use the cores, threads that
                share a layer wait for each other (measured: ten times as slow).

        Raises:
            ModelError: the file is absent or no GGUF.
            UsageError: an option is not allowed.
        """
        if pooling not in ("last", "mean", "model"):
            raise UsageError(f"a pooling is 'last', 'mean' or 'model', got {pooling!r}")
        if context < 64:
            raise UsageError(f"a model's context is at least 64 tokens, got {context}")
        if threads < 1:
            raise UsageError(f"a model runs on at least 1 thread, got {threads}")
        for reading, needed in ((alone, ("{text}",)), (asked, ("{text}", "{question}"))):
            _check_reading(reading, needed)
        if path is not None:
            check_gguf(path)
        self.path, self.alone, self.asked = path, alone, asked
        self._options = (pooling, context, threads)
        self._server: Any = None  # Any: the package ships no types
        self._seen: OrderedDict[str, NDArray[np.float64]] = OrderedDict()
        self._lock = threading.Lock()

    def _load(self) -> Any:
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingExtraError("xllamacpp", "embedded", "the embedded model") from error
        path = self.path or embedded_weights()
        pooling, context, threads = self._options
        kinds = xllamacpp.llama_pooling_type
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.embedding = True
        params.pooling_type = {
            "last": kinds.LLAMA_POOLING_TYPE_LAST,
            "mean": kinds.LLAMA_POOLING_TYPE_MEAN,
            "model": kinds.LLAMA_POOLING_TYPE_UNSPECIFIED,
        }[pooling]
        params.n_parallel = 1  # and one text a request: texts of unequal length in one batch got wrong vectors (cosine 0.7 to their own)
        params.n_ctx = params.n_batch = params.n_ubatch = context
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.cache_ram_mib = 0
        params.warmup = False
        params.verbosity = -1
        params.n_threads_http = 1
        params.hostnames = ["127.0.0.1"]
        params.api_keys = [secrets.token_hex(16)]  # the server object listens whether asked or not
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelError(f"llama.cpp cannot load {str(path)!r}: the file is cut off or of an unknown architecture") from error

    def close(self) -> None:
        """Frees the model; the next call loads it again. Vectors already seen are kept."""
        with self._lock:
            self._server = None

    def vectors(self, texts: Sequence[str], *, question: str | None = None) -> NDArray[np.float64]:
        """The unit vector of each text, shape (N, D), read alone or as the answer to a question. A text that was seen costs nothing.

        Raises:
            DataError: a text is blank or longer than the context.
            ModelError: the model cannot be loaded or gives no embeddings.
        """
        blank = next((at for at, text in enumerate(texts) if not text.strip()), None)
        if blank is not None:
            raise DataError(f"a blank text has no meaning to compare, got {texts[blank]!r} at place {blank}")
        reading = self.alone if question is None else self.asked
        prompts = [reading.prompt.format(text=text.strip(), question=question) for text in texts]
        with self._lock:
            return np.array([self._vector(prompt) for prompt in prompts]).reshape(len(prompts), -1)

    def _vector(self, prompt: str) -> NDArray[np.float64]:
        if prompt in self._seen:
            self._seen.move_to_end(prompt)
            return self._seen[prompt]
        if self._server is None:
            self._server = self._load()
        response = self._server.handle_embeddings({"input": [prompt]})
        if "error" in response:
            message = str(response["error"].get("message", "no reason given"))
            if "too large" in message or "context size" in message:
                raise DataError(
                    f"a text is longer than the context of {self._options[1]} tokens, with its prompt: {prompt[:80]!r}...; raise context"
                )
            raise ModelError(f"{str(self.path or 'the embedded model')!r} gives no embedding: {message[:200]}")
        vector = np.asarray(response["data"][0]["embedding"], dtype=np.float64)
        length = float(np.linalg.norm(vector))
        if vector.ndim != 1 or not np.isfinite(length) or length == 0.0:
            raise ModelError(f"{str(self.path or 'the embedded model')!r} gives no usable embedding of {prompt[:80]!r}")
        self._seen[prompt] = vector / length
        while len(self._seen) > CACHED:
            self._seen.popitem(last=False)
        return self._seen[prompt]

    def cosines(self, pairs: Sequence[tuple[str, str]], *, question: str | None = None) -> NDArray[np.float64]:
        """The cosine of each pair, shape (N,), in [-1, 1]; the same in both directions. Not a probability."""
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        if not texts:
            return np.zeros(0)
        place = {text: at for at, text in enumerate(texts)}
        vectors = self.vectors(texts, question=question)
        ones, others = ([place[pair[side]] for pair in pairs] for side in (0, 1))
        return np.asarray(np.clip((vectors[ones] * vectors[others]).sum(axis=1), -1.0, 1.0), dtype=np.float64)

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        """The relation of each pair, read alone: symmetric, and never neutral. A heuristic: see the figures above."""
        return self._relations(pairs, None)

    def about(self, question: str) -> Callable[[Sequence[tuple[str, str]]], list[Relation]]:
        """The relation between answers to one question; tells more than the answers alone."""
        return lambda pairs: self._relations(pairs, question)

    def _relations(self, pairs: Sequence[tuple[str, str]], question: str | None) -> list[Relation]:
        least = (self.alone if question is None else self.asked).threshold
        near = self.cosines(pairs, question=question) >= least
        return ["entails" if one and numbers_agree(*pair) else "contradicts" for one, pair in zip(near.tolist(), pairs, strict=True)]


def _check_reading(reading: Reading, needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in reading.prompt]
    if missing:
        raise UsageError(f"a prompt holds {' and '.join(needed)}; {reading.prompt!r} lacks {' and '.join(missing)}")
    if not -1.0 <= reading.threshold <= 1.0:
        raise UsageError(f"a cosine threshold is in [-1, 1], got {reading.threshold!r}")


def numbers_agree(one: str, other: str) -> bool:
    """Whether the numbers in digits of one text are all in the other, or one text has none ("1972" agrees with "14 December 1972").

    >>> numbers_agree("It has 1,200 seats", "1200"), numbers_agree("12 May", "13 May"), numbers_agree("12", "twelve")
    (True, False, True)
    """
    first, second = ({int(digits) for digits in re.findall(r"\d+", re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text))} for text in (one, other))
    return not first or not second or first <= second or second <= first
