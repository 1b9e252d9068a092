"""Servers that steer themselves: what they are started with and what a request to them says. Nothing here calls or imports a server.

Each function names the version whose documents or source it follows; a server that changed its format since will say so, or worse, answer
unsteered: compare an answer with and without the dial. Paths and scales come out as list items or JSON values, never as shell words. A
vector's file holds the whole push when it is written at a dose (`wager.steering.vector_gguf.to_gguf`, `wager.steering.vector_pt.to_pt`),
and the scale is then 1.

`BlackBox` is what is left for servers that only answer: no reading, no pushing, and every refusal by name.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from wager.errors import UsageError
from wager.steering.backend import Able, Chat, ModelIdentity, Positions, Push, Reply, Watch, one_each

__all__ = ["BlackBox", "Written", "easysteer_body", "hotwire_body", "llama_server_flags", "vllm_hook_body"]


def llama_server_flags(path: str | os.PathLike[str], *, scale: float = 1.0, blocks: tuple[int, int] | None = None) -> list[str]:
    """Arguments of llama-server (and llama-cli) for a GGUF control vector: the whole server is steered, prompt and reply.

    Follows common/arg.cpp of llama.cpp as of 2026: ``--control-vector-scaled FNAME:SCALE,...`` (older builds take ``FNAME SCALE``, and
    ``--control-vector FNAME``, written for scale 1, is the same in both) and ``--control-vector-layer-range START END``, both inclusive and
    of the 0-based blocks that ``direction.N`` acts on.

    >>> llama_server_flags("calm.gguf", scale=-0.5, blocks=(16, 16))
    ['--control-vector-scaled', 'calm.gguf:-0.5', '--control-vector-layer-range', '16', '16']

    Raises:
        UsageError: a path with a character that llama.cpp splits at, a scale that is not finite, or blocks out of order or below 1.
    """
    name = _name(path)
    split = ',"' if scale == 1.0 else ',":'
    if any(letter in name for letter in split):
        raise UsageError(
            f"llama.cpp splits control vectors at any of {split!r}, got the path {name!r}; rename it, or use scale 1 for a ':'"
        )
    flags = ["--control-vector", name] if scale == 1.0 else ["--control-vector-scaled", f"{name}:{_scale(scale)!r}"]
    if blocks is None:
        return flags
    first, last = blocks
    if not 1 <= first <= last:
        raise UsageError(f"blocks are the first and the last, from 1, since llama.cpp does not steer block 0; got {first} and {last}")
    return [*flags, "--control-vector-layer-range", str(first), str(last)]


def easysteer_body(
    path: str | os.PathLike[str], *, blocks: Iterable[int], scale: float = 1.0, positions: Positions = "reply"
) -> dict[str, Any]:
    """What a request to EasySteer's OpenAI-compatible server adds: its ``steering``. The path is one on the server.

    Follows docs/user-guide/steering.md and openai-server.md of ZJU-REAL/EasySteer at 312c6d8 (August 2026; API v2: earlier ones took
    ``phases``). The server is started with ``--enable-steer-vector --steer-algorithms direct``; a GGUF file's ``direction.N`` is block N.

    >>> easysteer_body("calm.gguf", blocks=[16])["steering"]["vectors"][0]["apply"]
    {'prompt_positions': [-1], 'generation': 'all'}
    """
    applied: dict[str, dict[str, Any]] = {
        "reply": {"prompt_positions": [-1], "generation": "all"},
        "prompt": {"prompt": "all"},
        "all": {"prompt": "all", "generation": "all"},
    }
    apply = applied[_positions(positions)]
    vector = {"source": _name(path), "algorithm": "direct", "scale": _scale(scale), "layers": _blocks(blocks), "normalize": False}
    return {"steering": {"vectors": [vector | {"apply": apply}]}}


def hotwire_body(name: str, *, block: int, scale: float = 1.0, positions: Positions = "all") -> dict[str, Any]:
    """What a request to vLLM with the plug-in hotwire adds: its ``vllm_xargs``. ``name`` is the vector's file name without ``.pt``.

    Follows the source of hotwire-vllm 0.1.2: files under ``$HOTWIRE_VECTORS`` are written by ``to_pt(..., layout="blocks")``, and row k is
    added to the output of block k. Positions are ``all``, or ``reply``, which here begins one token late: hotwire leaves every token of
    the prompt alone, the last one included, so the reply's first token is not steered. An unknown name is answered unsteered.

    >>> hotwire_body("calm", block=16, scale=1.5)
    {'vllm_xargs': {'hotwire': '{"id": "calm", "layer": 16, "scale": 1.5}'}}
    """
    if _positions(positions) == "prompt":
        raise UsageError("hotwire steers all tokens or the reply's, not the prompt's alone")
    entry: dict[str, Any] = {"id": name, "layer": _blocks([block])[0], "scale": _scale(scale)}
    return {"vllm_xargs": {"hotwire": json.dumps(entry | ({"decode_only": True} if positions == "reply" else {}))}}


def vllm_hook_body(path: str | os.PathLike[str], *, block: int, scale: float = 1.0, positions: Positions = "reply") -> dict[str, Any]:
    """What a request to vLLM with IBM's vLLM-Hook (its package ``mia``) adds: its ``vllm_xargs``. The path is one on the server.

    Follows docs/configs.md at 0f416c3 and mia/workers/steer_worker.py at 7203fcb; the server is started with ``MIA_WORKER=steer``. The file
    is one of ``to_pt(..., layout="direction")``; the plug-in loads it as a pickle, so it must be one of your own.

    >>> json.loads(vllm_hook_body("calm.pt", block=16)["vllm_xargs"]["steer"])["positions"]
    'last_token'
    """
    phase, where = {"reply": ("both", "last_token"), "prompt": ("prefill", "all_tokens"), "all": ("both", "all_tokens")}[
        _positions(positions)
    ]
    entry = {"method": "add_vector", "coefficient": _scale(scale), "optimal_layer": _blocks([block])[0], "vector_path": _name(path)}
    return {"vllm_xargs": {"steer": json.dumps(entry | {"phase": phase, "positions": where})}}


def _name(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path)
    if not name or any(ord(letter) < 32 for letter in name):
        raise UsageError(f"a vector's path is a text without control characters, got {name!r}")
    return name


def _scale(scale: float) -> float:
    if not math.isfinite(scale):
        raise UsageError(f"a scale is a finite number, got {scale!r}")
    return float(scale)


def _blocks(blocks: Iterable[int]) -> list[int]:
    made = sorted(set(blocks))
    if not made or made[0] < 0:
        raise UsageError(f"blocks are one or more, from 0, got {made}")
    return made


def _positions(positions: Positions) -> Positions:
    if positions not in ("reply", "prompt", "all"):
        raise UsageError(f"positions are 'reply', 'prompt' or 'all', got {positions!r}")
    return positions


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a server wrote."""

    text: str
    logprobs: Sequence[tuple[str, float]] | None = None
    """Each token with its natural log-probability; None where it tells none."""
    cut_off: bool = False
    """Whether it ended for its length."""


@dataclass(kw_only=True)
class BlackBox:
    """A model behind an API: it answers, and its activations cannot be reached.

    A trait's system prompts can be put to it (prompt contrast) and its log-probabilities read, if it tells them; what needs activations,
    the dials, monitors and gates, is refused. Implements `wager.steering.backend.Backend`.
    """

    name: str
    """As the user gave it."""
    ask: Callable[[Chat, int, float, int], Written]
    """Called with a chat, the most tokens, the temperature and the seed."""
    logprobs: bool
    """Whether it tells the log-probability of each token that it writes."""

    identity: ModelIdentity = field(init=False)
    """Its name alone: no block can be reached, so there are none, and no width; which weights answer is not known."""
    able: Able = field(init=False)
    """Nothing but, perhaps, log-probabilities."""

    def __post_init__(self) -> None:
        self.identity = ModelIdentity(name=self.name, architecture="api", blocks=0, width=0, vocabulary=0, tokens="", weights="")
        self.able = Able(capture=False, steer=False, per_request=False, logprobs=self.logprobs)

    def read(
        self, chats: Sequence[Chat], replies: Sequence[str] | None = None, *, pool: str, blocks: Sequence[int] | None = None
    ) -> NoReturn:
        """Always refused.

        Raises:
            UsageError: activations cannot be read.
        """
        self._refuse("show its activations", "vectors, monitors and gates")

    def count(self, chat: Chat) -> NoReturn:
        """Always refused.

        Raises:
            UsageError: its tokens are not told before it answers.
        """
        self._refuse("count a prompt's tokens", "counts of tokens")

    def read_message(self, chats: Sequence[Chat], *, blocks: Sequence[int] | None = None) -> NoReturn:
        """Always refused.

        Raises:
            UsageError: activations cannot be read.
        """
        self._refuse("show its activations", "vectors, monitors and gates")

    def score(self, chats: Sequence[Chat], replies: Sequence[str], *, pushes: Sequence[Push | None] | Push | None = None) -> NoReturn:
        """Always refused: chat APIs tell the log-probabilities of what they write, not of a given reply.

        Raises:
            UsageError: a given reply cannot be scored.
        """
        self._refuse("score a given reply", "perplexities and log-odds of replies")

    def generate(
        self,
        chats: Sequence[Chat],
        *,
        pushes: Sequence[Push | None] | Push | None = None,
        watches: Sequence[Watch] = (),
        prefixes: Sequence[str] | None = None,
        tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Reply]:
        """One reply to each chat, in order, unsteered. Where the server tells no log-probabilities, a reply's tokens and log-probabilities
        are empty: unknown, and not those of an empty text.

        Raises:
            UsageError: a push that changes something, a watch or a prefix.
        """
        if any(push is not None and not push.nothing for push in one_each(pushes, len(chats))):
            self._refuse("steer", "dials")
        if watches:
            self._refuse("show its activations", "monitors and gates")
        if prefixes is not None and any(prefixes):
            self._refuse("go on from the beginning of a reply", "teacher-forced contrasts")
        made = []
        for chat in chats:
            written = self.ask(chat, tokens, temperature, seed)
            pairs = list(written.logprobs or ())
            values = np.array([value for _, value in pairs], dtype=np.float64)
            names = tuple(token for token, _ in pairs)
            made.append(Reply(text=written.text, tokens=names, logprobs=values, finish="length" if written.cut_off else "stop"))
        return made

    def close(self) -> None:
        """Nothing to free."""

    def _refuse(self, what: str, needs: str) -> NoReturn:
        raise UsageError(
            f"an API server cannot {what}: {needs} need a model whose activations can be reached, and {self.name} is not one;"
            " use gguf/PATH, hf/NAME or embedded"
        )
