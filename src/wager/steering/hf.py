"""Steering any decoder of transformers: plain forward hooks on its blocks, each row of a batch with a push of its own.

Rows are padded on the left, so that the last token before a reply, and each token that is written, stand in one column; positions come
from the attention mask. What is pushed is a tensor per block that the hook adds, chosen before each pass: nothing in a hook waits for the
device. Hooks are on the model only during a call.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError, ModelError, UsageError
from wager.steering.backend import (
    Able,
    Chat,
    Floats,
    MessageTokens,
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
    too_long,
)
from wager.steering.chat_template import ChatTemplate
from wager.steering.hf_blocks import find_blocks, hooked, text_config
from wager.steering.hf_loading import Loaded, identity_of, load, save, state_digest
from wager.steering.hf_pass import Pushing, Watching, kept, pooled

__all__ = ["TorchSteering"]

BYTE = re.compile(r"<0x[0-9A-F]{2}>")
"""How SentencePiece writes a byte of a character that it has no token for."""

SHOWN = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))

HIDDEN = tuple(one for one in range(0x100) if one not in SHOWN)

BYTES = {chr(byte): byte for byte in SHOWN} | {chr(0x100 + at): byte for at, byte in enumerate(HIDDEN)}
"""By the character that GPT-2's vocabulary and its heirs write for a byte, the byte: printable ones stand for themselves."""


class TorchSteering:
    """A causal language model of transformers. Not thread-safe: its hooks see every pass through the model."""

    able = Able(capture=True, steer=True, per_request=True, logprobs=True, train=True)

    def __init__(
        self, model: str | Path, *, name: str | None = None, gguf_file: str | None = None, batch: int = 8, context: int | None = None
    ) -> None:
        """Loads a model, on the accelerator that torch finds, else on the CPU in float32.

        Args:
            model: a folder with ``config.json``, a tokenizer and safetensors; a GGUF file; or a name on the Hugging Face hub.
            name: what it is called in messages and cards; by default ``hf/NAME`` or ``gguf/PATH``.
            gguf_file: the GGUF file in that folder or repository.
            batch: rows of one pass, at least 1.
            context: tokens of one request, prompt and reply; by default what the config says.

        Raises:
            MissingExtraError: torch, transformers or, for GGUF, gguf or accelerate is not installed.
            ModelError: the model cannot be loaded, is no causal language model, or its blocks cannot be found.
        """
        _check_sizes(batch, context)
        self._set(load(model, name=name, gguf_file=gguf_file), batch, context)

    @classmethod
    def of(cls, model: Any, tokenizer: Any, *, name: str | None = None, batch: int = 8, context: int | None = None) -> TorchSteering:
        """Wraps a loaded model, which stays where it is; the weights' digest is that of their bytes now."""
        _check_sizes(batch, context)
        named = name or f"hf/{text_config(model).name_or_path or type(model).__name__}"
        made = cls.__new__(cls)
        identity = identity_of(model, tokenizer, name=named, weights=state_digest(model))
        made._set(Loaded(network=model, tokenizer=tokenizer, identity=identity), batch, context)
        return made

    def _set(self, loaded: Loaded, batch: int, context: int | None) -> None:
        import torch

        self._torch, self.identity = torch, loaded.identity
        self._loaded: Loaded | None = loaded
        self._tokenizer = loaded.tokenizer
        self._blocks = find_blocks(loaded.network)
        self._batch = batch
        longest = self._longest = getattr(text_config(loaded.network), "max_position_embeddings", None)
        self._context = min((one for one in (context, longest) if one is not None), default=None)
        self._furthest = 2**31 if longest is None else longest - 1
        self._takes = set(inspect.signature(loaded.network.forward).parameters)
        self._ends = _ends(loaded)

    @property
    def model(self) -> Any:
        """The model of transformers."""
        if self._loaded is None:
            raise UsageError(f"{self.identity.name} is closed; load it again")
        return self._loaded.network

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return self._tokenizer

    def close(self) -> None:
        """Frees the model, unless someone else holds it too."""
        self._loaded, self._blocks = None, ()

    def save(self, folder: str | Path) -> None:
        """Writes the model as safetensors with its tokenizer, also one that came from GGUF, which ``save_pretrained`` refuses.

        Raises:
            OutputError: it cannot be written there.
        """
        if self._loaded is None:
            raise UsageError(f"{self.identity.name} is closed; load it again")
        save(self._loaded, Path(folder).expanduser())

    def read(
        self, chats: Sequence[Chat], replies: Sequence[str] | None = None, *, pool: Pool, blocks: Sequence[int] | None = None
    ) -> Floats:
        """As `wager.steering.backend.Backend.read`."""
        check_pool(pool, chats, replies)
        wanted = check_blocks(blocks, self.identity)
        prompts = self._prompts(chats)
        answers = [[] for _ in prompts] if pool == "prompt_last" or replies is None else self._replies(replies, chats)
        if pool != "prompt_last" and not all(answers):
            raise UsageError(
                f"the reply to request {next(at for at, one in enumerate(answers) if not one)} is empty; there is nothing of it to read"
            )
        texts = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
        found = np.empty((len(chats), len(wanted), self.identity.width), dtype=np.float32)
        with self._ready():
            for rows in self._batches(texts, chats):
                held: dict[int, Any] = {}
                last = [len(answers[at]) for at in rows]
                with hooked(self._blocks, {one: pooled(held, one, pool, last) for one in wanted}, width=self.identity.width):
                    self._forward([texts[at] for at in rows], keep=1)
                found[rows] = self._torch.stack([held[one] for one in wanted], dim=1).cpu().numpy()
        if not np.isfinite(found).all():
            raise ModelError(f"{self.identity.name} has activations that are not finite numbers; its weights may be damaged")
        return found

    def count(self, chat: Chat) -> int:
        """As `wager.steering.backend.Backend.count`."""
        return len(self._prompts([chat])[0])

    def read_message(self, chats: Sequence[Chat], *, blocks: Sequence[int] | None = None) -> list[MessageTokens]:
        """As `wager.steering.backend.Backend.read_message`; one chat at a time."""
        wanted = check_blocks(blocks, self.identity)
        found = []
        prompts = self._prompts(chats)
        others = self._prompts([another_message(chat) for chat in chats])
        self._batches(prompts, chats)  # whether each fits the context
        with self._ready():
            for chat, prompt, other in zip(chats, prompts, others, strict=True):
                text = chat[-1]["content"]
                pieces = [self._bytes(token) for token in prompt]
                start, end = message_span(prompt, self._tokens(text), pieces, text, other=other)
                held: dict[int, Any] = {}
                with hooked(self._blocks, {one: kept(held, one) for one in wanted}, width=self.identity.width):
                    self._forward([prompt], keep=1)
                read = np.stack([held[one][0, start:end].float().cpu().numpy() for one in wanted], axis=1)
                if not np.isfinite(read).all():
                    raise ModelError(f"{self.identity.name} has activations that are not finite numbers; its weights may be damaged")
                found.append(MessageTokens(tuple(pieces[start:end]), read.astype(np.float32)))
        return found

    def score(
        self, chats: Sequence[Chat], replies: Sequence[str], *, pushes: Sequence[Push | None] | Push | None = None
    ) -> list[NDArray[np.float64]]:
        """As `wager.steering.backend.Backend.score`."""
        each = checked_pushes(pushes, self.identity, len(chats))
        prompts, answers = self._prompts(chats), self._replies(replies, chats)
        texts = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
        found: dict[int, NDArray[np.float64]] = {}
        with self._ready():
            for rows in self._batches(texts, chats):
                pushing = self._pushing([each[at] for at in rows])
                lengths = [len(answers[at]) for at in rows]
                keep = max(lengths) + 1
                pushing.reply(lengths, max(len(texts[at]) for at in rows))
                with hooked(self._blocks, pushing.changes(), width=self.identity.width):
                    logits = self._forward([texts[at] for at in rows], keep=keep)[0]
                for number, at in enumerate(rows):
                    scored = logits[number, keep - 1 - lengths[number] : keep - 1].float().log_softmax(-1)
                    tokens = self._torch.tensor(answers[at], dtype=self._torch.long, device=logits.device)
                    found[at] = self._numbers(scored.gather(-1, tokens[:, None])[:, 0])
        return [found[at] for at in range(len(chats))]

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
        """As `wager.steering.backend.Backend.generate`; a prefix counts as prompt, its last token as the last before the reply.

        A row draws from ``(seed, its place in chats)``: what it says does not depend on the size of a batch, rounding aside.
        """
        check_sampling(tokens, temperature, seed)
        each = checked_pushes(pushes, self.identity, len(chats))
        check_watches(watches, self.identity)
        prompts = self._prompts(chats)
        if prefixes is not None:
            prompts = [prompt + begun for prompt, begun in zip(prompts, self._replies(prefixes, chats, "prefix"), strict=True)]
        found: dict[int, Reply] = {}
        with self._ready():
            for rows in self._batches(prompts, chats, room=1):
                drawn = np.array([np.random.default_rng((seed, at)).random(tokens) for at in rows]) if temperature else None
                written = self._written([prompts[at] for at in rows], [each[at] for at in rows], watches, tokens, temperature, drawn)
                found |= dict(zip(rows, written, strict=True))
        return [found[at] for at in range(len(chats))]

    def _written(
        self,
        prompts: list[list[int]],
        pushes: list[Push | None],
        watches: Sequence[Watch],
        most: int,
        temperature: float,
        drawn: NDArray[np.float64] | None,
    ) -> list[Reply]:
        """A batch of replies. Tokens, log-probabilities and projections stay on the device until the end."""
        torch, device = self._torch, self.model.device
        limits = [most if self._context is None else min(most, self._context - len(prompt)) for prompt in prompts]
        most = max(limits)
        pushing = self._pushing(pushes)
        watching = Watching(watches, len(prompts), most + 1, device)
        ends = torch.tensor(sorted(self._ends), dtype=torch.long, device=device)
        limit = torch.tensor(limits, device=device)
        draws = None if drawn is None else torch.tensor(drawn, device=device)
        picked = torch.zeros((len(prompts), most), dtype=torch.long, device=device)
        logprobs = torch.zeros((len(prompts), most), device=device)
        done = torch.zeros(len(prompts), dtype=torch.bool, device=device)
        look = 1 if device.type == "cpu" else 8  # whether all are done is asked of the device, which then has to finish what it does
        count = 0
        with hooked(self._blocks, watching.changes(pushing.changes()), width=self.identity.width):
            pushing.reply([0] * len(prompts), max(map(len, prompts)))
            logits, state = self._forward(prompts, keep=1, room=most)
            pushing.writing()
            for step in range(most):
                row = logits[:, -1].float()
                token = row.argmax(-1) if draws is None else _drawn(torch, row / temperature, draws[:, step])
                picked[:, step] = token
                logprobs[:, step] = row.log_softmax(-1).gather(-1, token[:, None])[:, 0]
                done |= torch.isin(token, ends) | (limit <= step + 1)
                count = step + 1
                if (step % look == look - 1 and bool(done.all())) or (count == most and not watches):
                    if watches and bool((~torch.isin(token, ends)).any()):
                        watching.step = count
                        self._step(token, state)
                    break
                watching.step = count
                logits = self._step(token, state)
        return self._told(picked[:, :count].tolist(), self._numbers(logprobs), limits, watching.found())

    def _told(
        self, picked: list[list[int]], logprobs: NDArray[np.float64], limits: list[int], watched: Mapping[str, NDArray[np.float64]]
    ) -> list[Reply]:
        replies = []
        for at, (row, limit) in enumerate(zip(picked, limits, strict=True)):
            end = next((place for place, token in enumerate(row[:limit]) if token in self._ends), None)
            kept = row[: limit if end is None else end]
            replies.append(
                Reply(
                    text=self._text(kept).strip(),
                    tokens=tuple(map(self._piece, kept)),
                    logprobs=logprobs[at, : len(kept)],
                    finish="length" if end is None else "stop",
                    watched={name: values[at, : len(kept) + 1] for name, values in watched.items()},
                )
            )
        return replies

    def _forward(self, texts: list[list[int]], *, keep: int, room: int = 0) -> tuple[Any, _State]:
        """One pass over rows padded on the left: logits (B, keep, V) of the last columns, and what the next pass needs."""
        torch, device = self._torch, self.model.device
        width = max(map(len, texts))
        pad = self._tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (width - len(text)) + text for text in texts], dtype=torch.long, device=device)
        mask = torch.tensor([[0] * (width - len(text)) + [1] * (len(text) + room) for text in texts], dtype=torch.long, device=device)
        state = _State(mask, width)
        options: dict[str, Any] = {"logits_to_keep": keep} if "logits_to_keep" in self._takes else {}
        if "position_ids" in self._takes:
            options["position_ids"] = (mask[:, :width].cumsum(-1) - 1).clamp(min=0)
        made = self.model(ids, attention_mask=mask[:, :width], use_cache=room > 0, **options)
        state.past = made.past_key_values if room else None
        return made.logits[:, -keep:], state

    def _step(self, token: Any, state: _State) -> Any:
        """One more token for each row: logits (B, 1, V)."""
        state.width += 1
        mask = state.mask[:, : state.width]
        options: dict[str, Any] = {}
        if "position_ids" in self._takes:  # a row that is done may run over the context while others are written; nobody reads it
            options["position_ids"] = (mask.sum(-1, keepdim=True) - 1).clamp(max=self._furthest)
        made = self.model(token[:, None], attention_mask=mask, past_key_values=state.past, use_cache=True, **options)
        state.past = made.past_key_values
        return made.logits

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """Without gradients and dropout; a model that was in training goes on with it."""
        training = [part for part in self.model.modules() if part.training]
        for part in training:
            part.training = False
        try:
            with self._torch.no_grad():
                yield
        finally:
            for part in training:
                part.training = True

    def _batches(self, texts: list[list[int]], chats: Sequence[Chat], *, room: int = 0) -> list[list[int]]:
        """Places in ``texts``, a batch at a time; alike lengths waste no padding."""
        for at, text in enumerate(texts):
            if not text:
                raise DataError(f"{self.identity.name} reads no token before the reply; its chat template gives none")
            if self._context is not None and len(text) + room > self._context:
                raise too_long(at, chats[at], len(text) + room, self._context, most=self._longest)
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        return [order[start : start + self._batch] for start in range(0, len(order), self._batch)]

    def _prompts(self, chats: Sequence[Chat]) -> list[list[int]]:
        if not getattr(self._tokenizer, "chat_template", None):  # one message, as it is: the same rule as for a GGUF file
            bare = ChatTemplate(None, name=self.identity.name, special={})
            return [self._tokens(bare.render(chat)) for chat in chats]
        texts = []
        for chat in chats:
            if not chat:
                raise UsageError("a chat has at least one message, got none")
            try:
                texts.append(self._tokenizer.apply_chat_template([dict(one) for one in chat], tokenize=False, add_generation_prompt=True))
            except Exception as error:  # templates are programs of the model's makers, and raise what they like
                line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
                raise UsageError(f"the chat template of {self.identity.name} refuses a chat: {line}") from error
        return [self._tokens(text) for text in texts]

    def _replies(self, replies: Sequence[str], chats: Sequence[Chat], what: str = "reply") -> list[list[int]]:
        check_count(replies, chats, what)
        return [self._tokens(text) for text in replies]

    def _tokens(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) if text else []

    def _text(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _piece(self, token: int) -> str:
        text = self._text([token])
        raw = str(self._tokenizer.convert_ids_to_tokens(token))
        return f" {text}" if raw.startswith("▁") and not text.startswith(" ") else text  # SentencePiece drops a text's first space

    def _bytes(self, token: int) -> bytes:
        """A token's text, of which a character may be split over several: decoded alone, each part of it would be a U+FFFD."""
        text = self._piece(token)
        if "\ufffd" not in text:
            return text.encode()
        raw = str(self._tokenizer.convert_ids_to_tokens(token))
        if BYTE.fullmatch(raw):
            return bytes.fromhex(raw[3:5])
        return bytes(BYTES[one] for one in raw) if set(raw) <= BYTES.keys() else text.encode()

    def _pushing(self, pushes: list[Push | None]) -> Pushing:
        return Pushing(pushes, self.identity.width, self.model.device)

    def _numbers(self, logprobs: Any) -> NDArray[np.float64]:
        """Moved from the device, as log-probabilities."""
        found = np.asarray(logprobs.cpu().numpy(), dtype=np.float64)
        if np.isnan(found).any():
            raise ModelError(
                f"{self.identity.name} gives log-probabilities that are not numbers; its weights may be damaged, or a push far too strong"
            )
        return np.minimum(found, 0.0)


class _State:
    """What the next pass needs: the attention mask for all columns to come, how many are used, and keys and values."""

    def __init__(self, mask: Any, width: int) -> None:
        self.mask, self.width = mask, width
        self.past: Any = None


def _drawn(torch: Any, logits: Any, uniform: Any) -> Any:
    """A token of each row, (B,), where its cumulative probability passes a number in [0, 1)."""
    sums = logits.double().softmax(-1).cumsum(-1)
    return torch.searchsorted(sums, uniform[:, None] * sums[:, -1:], right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


def _ends(loaded: Loaded) -> frozenset[int]:
    """Tokens that end a reply: those of the generation config, and the tokenizer's."""
    said = [getattr(getattr(loaded.network, "generation_config", None), "eos_token_id", None), loaded.tokenizer.eos_token_id]
    return frozenset(int(token) for one in said if one is not None for token in (one if isinstance(one, list | tuple) else [one]))


def _check_sizes(batch: int, context: int | None) -> None:
    if batch < 1 or (context is not None and context < 2):
        raise UsageError(f"a pass has at least 1 row and a context 2 tokens, got batch={batch} and context={context}")
