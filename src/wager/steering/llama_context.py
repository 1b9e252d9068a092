"""A llama.cpp context: sequences, a control vector, and the activations of blocks.

Activations come in one of two ways. ``layer inputs``: llama.cpp keeps the input of chosen layers, which is the output of the block before,
control vector included; it costs a copy of some kilobytes per token, and there is no input that is the last block's output. ``callback``:
llama.cpp asks about every tensor of its graph, which works in every build and for every block, and costs hundreds of calls into Python per
token. A context is made for one of them or for neither.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wager.errors import ModelError, UsageError
from wager.steering.backend import Floats, ModelIdentity, Watch
from wager.steering.llama_library import EVALUATED, TESTED, Batch, Library, view

__all__ = ["Capture", "Context"]

Capture = Literal["layer inputs", "callback"]
"""How activations are read."""

OUTPUT = b"l_out-"
"""llama.cpp's name of a block's output, control vector included."""

ROWS = 512
"""Tokens of one decode."""


class _Outputs(dict[int, Floats]):
    """Blocks' outputs of the last pass; one that did not come is the build's fault, not the caller's."""

    def __missing__(self, block: int) -> Floats:
        raise ModelError(
            f"this build of llama.cpp gives no output of block {block}, so nothing can be read of it; install xllamacpp{TESTED}"
        )


class Context:
    """Sequences that share a control vector, and if asked the activations of blocks."""

    def __init__(
        self,
        library: Library,
        model: Any,  # Any: a pointer of ctypes
        identity: ModelIdentity,
        *,
        tokens: int,
        sequences: int,
        threads: int,
        capture: Capture | None = None,
    ) -> None:
        """Makes it in llama.cpp.

        Args:
            library: that loaded the model.
            model: its pointer.
            identity: of the model.
            tokens: of one sequence.
            sequences: that it holds.
            threads: of llama.cpp.
            capture: how activations are read; None reads none.

        Raises:
            ModelError: there is no memory for it.
        """
        self._library, self._identity, self._capture = library, identity, capture
        self._most = sequences
        self._batch_size = max(ROWS, sequences)
        self._wanted: tuple[int, ...] = ()
        self._names: dict[bytes, int] = {}
        self._kept: frozenset[int] = frozenset()
        self._units: list[NDArray[np.float64]] = []
        self._captured = _Outputs()
        self._watches: tuple[Watch, ...] = ()
        self._callback = EVALUATED(self._evaluated)
        options: dict[str, float] = {
            "n_ctx": tokens * sequences,
            "n_batch": self._batch_size,
            "n_ubatch": self._batch_size,
            "n_seq_max": sequences,
            "n_threads": threads,
            "n_threads_batch": threads,
            "no_perf": True,
            "kv_unified": True,  # else llama.cpp takes the sequences one after the other, and a batch saves nothing
        }
        if capture == "callback":
            options["cb_eval"] = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        self._pointer = library.llama_init_from_model(model, library.context_parameters(**options))
        if not self._pointer:
            raise ModelError(f"llama.cpp cannot make a context of {tokens} tokens for {sequences} sequences; ask for less")
        self._memory = library.llama_get_memory(self._pointer)
        self._batch: Batch = library.llama_batch_init(self._batch_size, 0, 1)
        self._rows = {name: view(getattr(self._batch, name), self._batch_size) for name in ("token", "pos", "n_seq_id", "logits")}
        self._rows["n_seq_id"][:] = 1
        self._set: dict[int, bytes] = {}
        self._lengths: dict[int, int] = dict.fromkeys(range(sequences), 0)

    def close(self) -> None:
        """Frees it."""
        self._library.llama_batch_free(self._batch)
        self._library.llama_free(self._pointer)

    def clear(self) -> None:
        """Forgets all sequences."""
        self._library.llama_memory_clear(self._memory, False)
        self._lengths = dict.fromkeys(range(self._most), 0)
        self._watches = ()
        self._want(())

    def state(self, sequence: int) -> bytes:
        """What was read into a sequence, to be put back later."""
        size = self._library.llama_state_seq_get_size(self._pointer, sequence)
        held = ctypes.create_string_buffer(size)
        written = self._library.llama_state_seq_get_data(self._pointer, held, size, sequence)
        return held.raw[:written]

    def restore(self, sequence: int, state: bytes, length: int) -> None:
        """Puts a state back into a sequence that is empty."""
        if self._library.llama_state_seq_set_data(self._pointer, state, len(state), sequence) == 0:
            raise ModelError(f"llama.cpp cannot put back what it has read ({length} tokens)")
        self._lengths[sequence] = length

    def set_push(self, deltas: Mapping[int, Floats], *, even_if_zero: bool = False) -> None:
        """Adds these to the blocks' outputs from now on, and nothing else."""
        held = {block: np.asarray(delta, dtype=np.float32).tobytes() for block, delta in deltas.items()}
        if held == self._set and not even_if_zero:
            return
        if not held:
            status = self._library.llama_set_adapter_cvec(self._pointer, None, 0, self._identity.width, 0, 0)
        else:
            if 0 in deltas:
                raise UsageError("llama.cpp cannot push block 0; take another block, or the backend hf")
            rows = np.zeros((self._identity.blocks - 1, self._identity.width), dtype=np.float32)
            for block, delta in deltas.items():
                rows[block - 1] = delta
            status = self._library.llama_set_adapter_cvec(
                self._pointer, rows.ctypes.data, rows.size, self._identity.width, min(deltas), max(deltas)
            )
        if status != 0:
            raise ModelError(f"llama.cpp does not take the control vector (status {status})")
        self._set = held

    def watch(self, watches: Sequence[Watch]) -> None:
        """Records these projections from now on, in `watched`."""
        self._watches = tuple(watches)
        self._want([one.block for one in watches])
        self._units = [np.asarray(one.direction, dtype=np.float64) / np.linalg.norm(one.direction) for one in watches]

    @property
    def watched(self) -> NDArray[np.float64]:
        """Projections of the tokens of the last `feed`, shape (W, tokens)."""
        return np.stack([self._captured[one.block].astype(np.float64) @ unit for one, unit in zip(self._watches, self._units, strict=True)])

    def captured(self, tokens: Sequence[int], blocks: Sequence[int]) -> Floats:
        """Activations of tokens that are read into the first sequence, shape (L', tokens, D), nothing pushed."""
        self._want(blocks)
        parts: list[Floats] = []
        for start in range(0, len(tokens), self._batch_size):
            self.feed({0: tokens[start : start + self._batch_size]}, push={}, every=True, logits=False)
            parts.append(np.stack([self._captured[block] for block in blocks]))
        self._want(())
        return np.concatenate(parts, axis=1)

    def traced(self, tokens: Mapping[int, Sequence[int]], blocks: Sequence[int], *, push: Mapping[int, Floats]) -> Floats:
        """Activations of a batch of sequences, then of one token more for each, pushed, shape (L', tokens, D): to compare ways."""
        self.clear()
        self._want(blocks)
        parts = []
        for rows, pushed in ((tokens, {}), ({sequence: given[-1:] for sequence, given in tokens.items()}, push)):
            self.feed(rows, push=pushed, every=True)
            parts.append(np.stack([self._captured[block] for block in blocks]))
        return np.concatenate(parts, axis=1)

    def feed(
        self, tokens: Mapping[int, Sequence[int]], *, push: Mapping[int, Floats], every: bool = False, logits: bool = True
    ) -> dict[int, Floats]:
        """Reads tokens into their sequences; returns by sequence the logits of its last token, shape (1, V), or of all of them."""
        self.set_push(push)
        queue = [
            (sequence, token, self._lengths[sequence] + place, every or place == len(given) - 1)
            for sequence, given in tokens.items()
            for place, token in enumerate(given)
        ]
        found: dict[int, list[Floats]] = {sequence: [] for sequence in tokens}
        vocabulary = self._identity.vocabulary
        for start in range(0, len(queue), self._batch_size):
            part = queue[start : start + self._batch_size]
            self._batch.n_tokens = len(part)
            for at, (sequence, token, place, wanted) in enumerate(part):
                self._rows["token"][at], self._rows["pos"][at], self._rows["logits"][at] = token, place, wanted
                self._batch.seq_id[at][0] = sequence
            self._captured = _Outputs()
            with _held_back() if self._capture == "callback" else contextlib.nullcontext():
                status = self._library.llama_decode(self._pointer, self._batch)
            if status != 0:
                raise ModelError(f"llama.cpp cannot read {len(part)} tokens (status {status})")
            if self._capture == "layer inputs":
                self._take(len(part))
            if logits:
                for at, (sequence, _, _, wanted) in enumerate(part):
                    if wanted:
                        found[sequence].append(view(self._library.llama_get_logits_ith(self._pointer, at), vocabulary).copy())
        for sequence, given in tokens.items():
            self._lengths[sequence] += len(given)
        return {sequence: np.stack(rows) for sequence, rows in found.items() if rows}

    def _want(self, blocks: Sequence[int]) -> None:
        """Captures these blocks from now on. What llama.cpp keeps changes only where another block is wanted: it plans its graph again."""
        layers = self._capture == "layer inputs"
        if layers and max(blocks, default=0) >= self._identity.blocks - 1:
            raise UsageError(f"the output of the last block, {self._identity.blocks - 1}, is no layer's input")
        self._wanted = tuple(dict.fromkeys(blocks))
        self._names = {OUTPUT + str(block).encode(): block for block in self._wanted}
        if layers and self._wanted and self._kept != frozenset(self._wanted):
            for block in self._kept.symmetric_difference(self._wanted):
                self._library.llama_set_embeddings_layer_inp(self._pointer, block + 1, block in self._wanted)
            self._kept = frozenset(self._wanted)

    def _take(self, count: int) -> None:
        """The wanted inputs of the decode that is done: a row for each of its tokens, in their order."""
        width = self._identity.width
        for block in self._wanted:
            pointer = self._library.llama_get_embeddings_layer_inp(self._pointer, block + 1)
            self._captured[block] = view(pointer, count * width).reshape(count, width).copy()

    def _evaluated(self, tensor: int, asked: bool, data: int) -> bool:
        """llama.cpp's question whether a tensor is wanted, and then its values."""
        block = self._names.get(self._library.ggml_get_name(tensor))
        if block is None or asked:
            return block is not None
        size = self._library.ggml_nbytes(tensor)
        values = np.empty(size // 4, dtype=np.float32)
        self._library.ggml_backend_tensor_get(tensor, values.ctypes.data, 0, size)
        values = values.reshape(-1, self._identity.width)
        before = self._captured.get(block)  # a batch can be read in several parts
        self._captured[block] = values if before is None else np.concatenate([before, values])
        return True


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Ctrl-C waits until llama.cpp is done with a batch: raised inside the callback it would be swallowed, and the command would go on."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        before(*came[0])
