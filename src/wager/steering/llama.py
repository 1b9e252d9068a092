"""Steering a GGUF model by llama.cpp, without PyTorch: activations are read as layers' inputs or by a callback, pushes are control vectors.

A control vector belongs to a whole context, so the rows of one decode share their push: requests are grouped by push and run one group
after the other, each group as a batch of sequences. Block 0 cannot be pushed: llama.cpp applies control vectors from block 1 on.
Reading has contexts of its own (`wager.steering.llama_context`), so a request that only writes does not pay for it.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError, ModelError, UsageError
from wager.models.engine import check_gguf
from wager.steering.backend import (
    Able,
    Chat,
    Floats,
    MessageTokens,
    ModelIdentity,
    Pool,
    Push,
    Reply,
    Watch,
    another_message,
    check_blocks,
    check_count,
    check_pool,
    check_sampling,
    check_watches,
    checked_pushes,
    message_span,
    token_digest,
    too_long,
)
from wager.steering.chat_template import ChatTemplate
from wager.steering.llama_context import Capture, Context
from wager.steering.llama_library import TESTED, Library, library

__all__ = ["LlamaSteering", "Stop"]

Stop = Callable[[int, bytes], bool]
"""Given which request a token is of and the reply's text so far: whether that reply ends here."""

SEQUENCES = 16
"""Rows of one decode: weights are read once for all of them."""

KEPT = 256 << 20
"""Bytes of prompts that were read and are kept, oldest first out: about 300 short ones of the embedded model."""

LAYERED = frozenset({"llama", "qwen3", "qwen3moe", "gemma4", "gpt-oss"})
"""Architectures whose layers' inputs llama.cpp keeps when asked; asked for those of another one, it ends the process."""

APART = 0.01
"""How far two readings of an activation may be from each other, relative to its length: a cosine above 0.9999, and no other scale."""


class LlamaSteering:
    """One GGUF file. Not thread-safe: a context holds the state of what it writes."""

    able = Able(capture=True, steer=True, per_request=False, logprobs=True)

    def __init__(
        self, path: Path, *, name: str, context: int = 512, sequences: int = SEQUENCES, threads: int = 1, shorten: bool = False
    ) -> None:
        """Loads the file and tests what a control vector does (0.1 s).

        Args:
            path: the file.
            name: what it is called in messages and cards: ``embedded``, ``gguf/PATH``.
            context: tokens of one request, prompt and reply; at most as many as the model was trained on.
            sequences: requests that run side by side.
            threads: of llama.cpp; two busy threads can be slower than one for a small model.
            shorten: take the longest context of the model where more is asked for, instead of refusing it.

        Raises:
            UsageError: a context that the model was not trained on, or a size that is none.
            ModelError: the file cannot be loaded, or this build of llama.cpp does not do what it should.
            MissingExtraError: xllamacpp is not installed.
        """
        check_gguf(path)
        if context < 64 or sequences < 1 or threads < 1:
            raise UsageError(f"a context holds at least 64 tokens, with 1 sequence and 1 thread; got {context}, {sequences}, {threads}")
        self._library: Library = library()
        self._model = self._library.llama_model_load_from_file(str(path).encode(), self._library.llama_model_default_params())
        if not self._model:
            raise ModelError(f"llama.cpp cannot load {str(path)!r}: the file is cut off or of an unknown architecture")
        self._sequences, self._threads = sequences, threads
        self._contexts: dict[Capture | None, Context] = {}
        self._read: OrderedDict[tuple[int, ...], bytes] = OrderedDict()
        try:
            self._open(path, name)
            self._context = self._length(context, shorten=shorten)
            self._test()
        except BaseException:
            self.close()
            raise

    def _open(self, path: Path, name: str) -> None:
        """Who the loaded model is, its vocabulary and its chat template."""
        self._vocabulary = self._library.llama_model_get_vocab(self._model)
        count = self._library.llama_vocab_n_tokens(self._vocabulary)
        texts = [self._library.llama_vocab_get_text(self._vocabulary, token) or b"" for token in range(count)]
        with path.open("rb") as file:
            weights = hashlib.file_digest(file, "sha256").hexdigest()
        self.identity = ModelIdentity(
            name=name,
            architecture=self._said("general.architecture"),
            blocks=self._library.llama_model_n_layer(self._model),
            width=self._library.llama_model_n_embd(self._model),
            vocabulary=count,
            tokens=token_digest(texts),
            weights=weights,
        )
        self._ends = np.array([self._library.llama_vocab_is_eog(self._vocabulary, token) for token in range(count)])
        self._template = ChatTemplate(self._library.llama_model_chat_template(self._model, None), name=name, special=self._special(texts))

    def _length(self, context: int, *, shorten: bool) -> int:
        """The context, if the model was trained on as many tokens: beyond them it loses the thread without a word of warning."""
        self._longest = int(self._library.llama_model_n_ctx_train(self._model))
        if 0 < self._longest < context and not shorten:
            raise UsageError(
                f"{self.identity.name} was trained on contexts of {self._longest} tokens, got {context}; give {self._longest} or less"
            )
        return min(context, self._longest) if self._longest > 0 else context

    def close(self) -> None:
        """Frees the model and its contexts."""
        for one in self._contexts.values():
            one.close()
        self._contexts = {}
        if self._model:
            self._library.llama_model_free(self._model)
        self._model = None

    def _check_open(self) -> None:
        if not self._model:  # llama.cpp would read memory that is no longer its own
            raise UsageError(f"{self.identity.name} is closed; load it again")

    def read(
        self, chats: Sequence[Chat], replies: Sequence[str] | None = None, *, pool: Pool, blocks: Sequence[int] | None = None
    ) -> Floats:
        """As `wager.steering.backend.Backend.read`."""
        check_pool(pool, chats, replies)
        wanted = check_blocks(blocks, self.identity)
        found = np.empty((len(chats), len(wanted), self.identity.width), dtype=np.float32)
        context = self._reading(wanted)
        for at, chat in enumerate(chats):
            prompt = self._prompt(chat)
            reply = [] if pool == "prompt_last" or replies is None else self._tokens(replies[at])
            if pool != "prompt_last" and not reply:
                raise UsageError(f"the reply to request {at} is empty; there is nothing of it to read")
            self._fits(at, chat, len(prompt) + len(reply))
            context.clear()
            self._prompted(context, {0: prompt[:-1]}, {})
            captured = context.captured([prompt[-1], *reply], wanted)
            found[at] = captured[:, -1] if pool != "reply_mean" else captured[:, 1:].mean(axis=1)
        if not np.isfinite(found).all():
            raise ModelError(f"{self.identity.name} has activations that are not finite numbers; the file may be damaged")
        return found

    def read_message(self, chats: Sequence[Chat], *, blocks: Sequence[int] | None = None) -> list[MessageTokens]:
        """As `wager.steering.backend.Backend.read_message`."""
        wanted = check_blocks(blocks, self.identity)
        context = self._reading(wanted)
        found = []
        for at, chat in enumerate(chats):
            prompt, text = self._prompt(chat), chat[-1]["content"]
            self._fits(at, chat, len(prompt))
            pieces = [self._piece(token) for token in prompt]
            start, end = message_span(prompt, self._tokens(text), pieces, text, other=self._prompt(another_message(chat)))
            context.clear()
            whole = end == len(prompt)  # no template writes after it: its own last token is the prompt's, too
            captured = context.captured(prompt if whole else prompt[:-1], wanted)[:, start:end]
            if not whole:
                self._keep(prompt[:-1], context.state(0))
            if not np.isfinite(captured).all():
                raise ModelError(f"{self.identity.name} has activations that are not finite numbers; the file may be damaged")
            found.append(MessageTokens(tuple(pieces[start:end]), np.ascontiguousarray(captured.transpose(1, 0, 2))))
        return found

    def score(
        self, chats: Sequence[Chat], replies: Sequence[str], *, pushes: Sequence[Push | None] | Push | None = None
    ) -> list[NDArray[np.float64]]:
        """As `wager.steering.backend.Backend.score`."""
        check_count(replies, chats, "reply")
        context = self._writing()
        found: list[NDArray[np.float64]] = []
        each = checked_pushes(pushes, self.identity, len(chats))
        for at, (chat, reply, push) in enumerate(zip(chats, replies, each, strict=True)):
            prompt, tokens = self._prompt(chat), self._tokens(reply)
            self._fits(at, chat, len(prompt) + len(tokens))
            context.clear()
            self._prompted(context, {0: prompt[:-1]}, self._during(push, prompt=True))
            logits = context.feed({0: [prompt[-1], *tokens]}, push=self._during(push, prompt=False), every=True)[0]
            found.append(_logprobs(logits[:-1])[np.arange(len(tokens)), tokens])
        return found

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
        stop: Stop | None = None,
    ) -> list[Reply]:
        """As `wager.steering.backend.Backend.generate`; ``stop`` is asked after each token of a reply, and True ends that reply there."""
        check_sampling(tokens, temperature, seed)
        each = checked_pushes(pushes, self.identity, len(chats))
        check_watches(watches, self.identity)
        if prefixes is not None:
            check_count(prefixes, chats, "prefix")
        prompts = [[*self._prompt(chat), *(self._tokens(prefixes[at]) if prefixes else [])] for at, chat in enumerate(chats)]
        for at, prompt in enumerate(prompts):
            self._fits(at, chats[at], len(prompt) + 1)
        groups: dict[int, list[int]] = {}
        for at, push in enumerate(each):
            groups.setdefault(id(push), []).append(at)
        found: dict[int, Reply] = {}
        for members in groups.values():
            by_length = sorted(members, key=lambda at: len(prompts[at]))
            for start in range(0, len(by_length), self._sequences):
                rows = by_length[start : start + self._sequences]
                found |= self._written(rows, prompts, each[rows[0]], watches, tokens, temperature, seed, stop)
        return [found[at] for at in range(len(chats))]

    def count(self, chat: Chat) -> int:
        """As `wager.steering.backend.Backend.count`."""
        return len(self._prompt(chat))

    def _written(
        self,
        rows: list[int],
        prompts: list[list[int]],
        push: Push | None,
        watches: Sequence[Watch],
        most: int,
        temperature: float,
        seed: int,
        stop: Stop | None,
    ) -> dict[int, Reply]:
        """A batch of replies that share a push."""
        context = self._reading([one.block for one in watches]) if watches else self._writing()
        context.clear()
        draws = {at: np.random.default_rng((seed, at)) for at in rows}
        written: dict[int, list[int]] = {at: [] for at in rows}
        logprobs: dict[int, list[float]] = {at: [] for at in rows}
        seen: dict[int, list[NDArray[np.float64]]] = {at: [] for at in rows}
        finished: set[int] = set()
        stopped: set[int] = set()
        said = {at: bytearray() for at in rows}
        slot = {at: number for number, at in enumerate(rows)}
        self._prompted(context, {slot[at]: prompts[at][:-1] for at in rows}, self._during(push, prompt=True))
        context.watch(watches)
        going = {at: prompts[at][-1] for at in rows}
        while going:
            logits = context.feed({slot[at]: [token] for at, token in going.items()}, push=self._during(push, prompt=False))
            for number, at in enumerate(going):
                if watches:
                    seen[at].append(context.watched[:, number])
            following: dict[int, int] = {}
            for at in going:
                row = logits[slot[at]][-1]
                token = _drawn(row, temperature, draws[at])
                if self._ends[token]:
                    finished.add(at)
                    continue
                written[at].append(token)
                logprobs[at].append(float(_logprobs(row[None])[0, token]))
                if stop is not None:
                    said[at] += self._piece(token)
                    if stop(at, bytes(said[at])):
                        stopped.add(at)
                        continue
                if len(written[at]) < most and len(prompts[at]) + len(written[at]) < self._context:
                    following[at] = token
            if watches and (last := [at for at in going if at not in following and at not in finished]):
                context.feed({slot[at]: [written[at][-1]] for at in last}, push=self._during(push, prompt=False))
                for number, at in enumerate(last):
                    seen[at].append(context.watched[:, number])
            going = following
        return {
            at: Reply(
                text=self._text(written[at]),
                tokens=tuple(self._piece(token).decode(errors="replace") for token in written[at]),
                logprobs=np.array(logprobs[at]),
                finish="stop" if at in finished or at in stopped else "length",
                watched={one.name: np.array([values[place] for values in seen[at]]) for place, one in enumerate(watches)},
            )
            for at in rows
        }

    def _prompted(self, context: Context, prompts: Mapping[int, list[int]], push: Mapping[int, Floats]) -> None:
        """Has the prompts read, each into its sequence. What was read without a push is kept: another dose asks the same questions."""
        if push:
            context.feed(prompts, push=push)
            return
        unread = {}
        for sequence, prompt in prompts.items():
            kept = self._read.get(tuple(prompt))
            if kept is None:
                unread[sequence] = prompt
            else:
                self._read.move_to_end(tuple(prompt))
                context.restore(sequence, kept, len(prompt))
        if unread:  # else nothing is fed, and a control vector that is on for the reply need not be taken off for the prompt
            context.feed(unread, push={})
        for sequence, prompt in unread.items():
            self._keep(prompt, context.state(sequence))

    def _keep(self, prompt: Sequence[int], state: bytes) -> None:
        self._read[tuple(prompt)] = state
        while sum(map(len, self._read.values())) > KEPT:
            self._read.popitem(last=False)

    def _during(self, push: Push | None, *, prompt: bool) -> Mapping[int, Floats]:
        if push is None or push.positions == ("reply" if prompt else "prompt"):
            return {}
        return push.deltas

    def _fits(self, request: int, chat: Chat, length: int) -> None:
        if length > self._context:
            raise too_long(request, chat, length, self._context, most=self._longest if self._longest > 0 else None)

    def _prompt(self, chat: Chat) -> list[int]:
        tokens = self._tokens(self._template.render(chat), special=True)
        if not tokens:
            raise DataError(f"{self.identity.name} reads no token before the reply; its chat template gives none")
        return tokens

    def _tokens(self, text: str, *, special: bool = False) -> list[int]:
        self._check_open()
        raw = text.encode()
        room = len(raw) + 8
        held = (ctypes.c_int32 * room)()
        count = self._library.llama_tokenize(self._vocabulary, raw, len(raw), held, room, False, special)
        if count < 0:
            raise DataError(f"the text {text[:60]!r} cannot be turned into tokens")
        return list(held[:count])

    def _piece(self, token: int) -> bytes:
        self._check_open()
        held = ctypes.create_string_buffer(256)
        count = self._library.llama_token_to_piece(self._vocabulary, token, held, 256, 0, False)
        return held.raw[: max(0, count)]

    def _text(self, tokens: Sequence[int]) -> str:
        return b"".join(map(self._piece, tokens)).decode(errors="replace").strip()

    def _said(self, key: str) -> str:
        held = ctypes.create_string_buffer(1024)
        count = self._library.llama_model_meta_val_str(self._model, key.encode(), held, 1024)
        return held.value.decode(errors="replace") if count >= 0 else ""

    def _special(self, texts: list[bytes]) -> dict[str, str]:
        ends = {"bos_token": self._library.llama_vocab_bos(self._vocabulary), "eos_token": self._library.llama_vocab_eos(self._vocabulary)}
        return {name: texts[token].decode(errors="replace") if token >= 0 else "" for name, token in ends.items()}

    @functools.cached_property
    def capture(self) -> Capture:
        """How activations are read: as layers' inputs where this build gives them and they are what the callback gives, else by the
        callback, which is slower. Found out when something is first read or watched. The last block always takes the callback."""
        if not self._library.layer_inputs or self.identity.architecture not in LAYERED or self.identity.blocks < 3:
            return "callback"
        return "layer inputs" if self._alike() else "callback"

    def _alike(self) -> bool:
        """Whether both ways give the same activations: of three sequences in a batch, and of a pushed token after each."""
        last = self.identity.blocks - 1
        blocks = sorted({0, last // 2, last - 1})
        texts = ("The capital of France is", "It", "One, two, three")
        tokens = {sequence: self._tokens(text) for sequence, text in enumerate(texts)}
        push = {max(1, last // 2): np.full(self.identity.width, 10.0 * self.identity.width**-0.5, dtype=np.float32)}
        ways: tuple[Capture, ...] = ("layer inputs", "callback")
        found = []
        for way in ways:
            context = self._made(way, tokens=64, sequences=len(texts))
            try:
                found.append(context.traced(tokens, blocks, push=push).astype(np.float64))
            finally:
                context.close()
        mine, theirs = found
        return bool((np.linalg.norm(mine - theirs, axis=2) <= APART * np.linalg.norm(theirs, axis=2)).all())

    def _made(self, capture: Capture | None, *, tokens: int, sequences: int) -> Context:
        return Context(
            self._library, self._model, self.identity, tokens=tokens, sequences=sequences, threads=self._threads, capture=capture
        )

    def _kept(self, capture: Capture | None) -> Context:
        """The context of a kind, made when it is first needed."""
        self._check_open()
        if capture not in self._contexts:
            self._contexts[capture] = self._made(capture, tokens=self._context, sequences=self._sequences)
        return self._contexts[capture]

    def _writing(self) -> Context:
        return self._kept(None)

    def _reading(self, blocks: Sequence[int]) -> Context:
        """Of a kind that gives these blocks."""
        last = self.identity.blocks - 1
        return self._kept(self.capture if max(blocks, default=0) < last else "callback")

    def _test(self) -> None:
        """Whether a control vector does what it should in this build: zero changes nothing, one block's vector changes what follows, and
        clearing it brings back every bit. Raises ModelError where it does not."""
        tokens = self._tokens("The capital of France is")
        context = self._writing()

        def last(deltas: Mapping[int, Floats]) -> Floats:
            context.clear()
            rows: Floats = context.feed({0: tokens}, push=deltas)[0]
            return np.array(rows[-1])

        middle = max(1, self.identity.blocks // 2)
        before = last({})
        unit = np.full(self.identity.width, self.identity.width**-0.5, dtype=np.float32)
        context.set_push({middle: np.zeros(self.identity.width, dtype=np.float32)}, even_if_zero=True)
        zero = last({middle: np.zeros(self.identity.width, dtype=np.float32)})
        moved = last({middle: 10.0 * unit})
        after = last({})
        context.clear()
        if not np.isfinite(before).all():
            raise ModelError(f"{self.identity.name} gives logits that are not finite numbers; the file may be damaged")
        wrong = (
            "a zero vector changes the logits"
            if not np.array_equal(before, zero)
            else "a vector changes nothing"
            if np.array_equal(before, moved)
            else "switching it off does not bring the logits back"
            if not np.array_equal(before, after)
            else None
        )
        if wrong:
            raise ModelError(f"{self._library.build} is not a build that wager can steer ({wrong}); install xllamacpp{TESTED}")


def _logprobs(logits: Floats) -> NDArray[np.float64]:
    """Natural log-probabilities, shape (T, V)."""
    raised = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(raised - np.log(np.exp(raised).sum(axis=-1, keepdims=True)))


def _drawn(logits: Floats, temperature: float, rng: np.random.Generator) -> int:
    """A token: the likeliest at temperature 0, else a draw (by the Gumbel trick)."""
    if temperature == 0.0:
        return int(logits.argmax())
    return int((logits / temperature + rng.gumbel(size=logits.shape)).argmax())
