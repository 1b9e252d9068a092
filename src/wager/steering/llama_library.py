"""llama.cpp's C interface, as the library inside xllamacpp exports it: what steering needs and the package's classes do not give.

Only the fields that are set are known here, each by its place and its default. `Library` compares the defaults with what the library says
and refuses a build that disagrees, before anything else is called; the start-up test of `wager.steering.llama` then checks what a control
vector does. Arrays are numpy's; nothing here knows chats or traits.
"""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wager.errors import MissingExtraError, ModelError

__all__ = ["TESTED", "Batch", "Library", "library"]

TESTED = ">=2026.10.11549,<2027"
"""Versions of xllamacpp that this was written for; another one is tried, and refused if a test at start-up fails."""

ROOM = 512
"""Bytes for a struct of parameters: more than any build needs, since its end is not known here."""

CONTEXT: dict[str, tuple[int, str, float]] = {
    "n_ctx": (0, "I", 512),
    "n_batch": (4, "I", 2048),
    "n_ubatch": (8, "I", 512),
    "n_seq_max": (12, "I", 1),
    "n_threads": (28, "i", 4),
    "n_threads_batch": (32, "i", 4),
    "rope_scaling_type": (40, "i", -1),
    "pooling_type": (44, "i", -1),
    "attention_type": (48, "i", -1),
    "flash_attn_type": (52, "i", -1),
    "yarn_ext_factor": (64, "f", -1.0),
    "cb_eval": (88, "Q", 0),
    "cb_eval_user_data": (96, "Q", 0),
    "type_k": (104, "i", 1),
    "type_v": (108, "i", 1),
    "embeddings": (136, "?", False),
    "offload_kqv": (137, "?", True),
    "no_perf": (138, "?", True),
    "kv_unified": (141, "?", False),
}
"""Of ``llama_context_params``: place, type and default of the fields that are set, and of some that show that the places are right."""

MODEL: dict[str, tuple[int, str, float]] = {"n_gpu_layers": (16, "i", -1), "split_mode": (20, "i", 1)}
"""Of ``llama_model_params``, which are passed as they come."""


class Parameters(ctypes.Structure):
    """A struct of parameters, by its bytes."""

    _fields_ = (("data", ctypes.c_uint8 * ROOM),)


class Batch(ctypes.Structure):
    """``llama_batch``: tokens with their places and sequences."""

    _fields_ = (
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.POINTER(ctypes.c_float)),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    )


EVALUATED = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_bool, ctypes.c_void_p)
"""Called for each tensor of a graph: first whether it is wanted, then with its values."""

P, I32, U32, SIZE, TEXT = ctypes.c_void_p, ctypes.c_int32, ctypes.c_uint32, ctypes.c_size_t, ctypes.c_char_p
FLOATS = ctypes.POINTER(ctypes.c_float)

FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "llama_context_default_params": (Parameters, ()),
    "llama_model_default_params": (Parameters, ()),
    "llama_model_load_from_file": (P, (TEXT, Parameters)),
    "llama_model_free": (None, (P,)),
    "llama_init_from_model": (P, (P, Parameters)),
    "llama_free": (None, (P,)),
    "llama_model_get_vocab": (P, (P,)),
    "llama_model_n_embd": (I32, (P,)),
    "llama_model_n_layer": (I32, (P,)),
    "llama_model_n_ctx_train": (I32, (P,)),
    "llama_model_meta_val_str": (I32, (P, TEXT, TEXT, SIZE)),
    "llama_model_chat_template": (TEXT, (P, TEXT)),
    "llama_vocab_n_tokens": (I32, (P,)),
    "llama_vocab_get_text": (TEXT, (P, I32)),
    "llama_vocab_is_eog": (ctypes.c_bool, (P, I32)),
    "llama_vocab_bos": (I32, (P,)),
    "llama_vocab_eos": (I32, (P,)),
    "llama_tokenize": (I32, (P, TEXT, I32, ctypes.POINTER(I32), I32, ctypes.c_bool, ctypes.c_bool)),
    "llama_token_to_piece": (I32, (P, I32, TEXT, I32, I32, ctypes.c_bool)),
    "llama_batch_init": (Batch, (I32, I32, I32)),
    "llama_batch_free": (None, (Batch,)),
    "llama_decode": (I32, (P, Batch)),
    "llama_get_logits_ith": (FLOATS, (P, I32)),
    "llama_get_memory": (P, (P,)),
    "llama_memory_clear": (None, (P, ctypes.c_bool)),
    "llama_state_seq_get_size": (SIZE, (P, I32)),
    "llama_state_seq_get_data": (SIZE, (P, P, SIZE, I32)),
    "llama_state_seq_set_data": (SIZE, (P, P, SIZE, I32)),
    "llama_set_adapter_cvec": (I32, (P, P, SIZE, I32, I32, I32)),
    "llama_log_set": (None, (P, P)),
    "ggml_get_name": (TEXT, (P,)),
    "ggml_nbytes": (SIZE, (P,)),
    "ggml_backend_tensor_get": (None, (P, P, SIZE, SIZE)),
}
"""Result and arguments of each function that is called."""

LAYER_INPUTS: dict[str, tuple[str, Any, tuple[Any, ...]]] = {
    "llama_set_embeddings_layer_inp": ("_Z30llama_set_embeddings_layer_inpP13llama_contextjb", None, (P, U32, ctypes.c_bool)),
    "llama_get_embeddings_layer_inp": ("_Z30llama_get_embeddings_layer_inpP13llama_contextj", FLOATS, (P, U32)),
}
"""Symbol, result and arguments of functions that llama.cpp has in C++ only, in a header that it may change: what can be done without.

The first has a context keep the input of a layer from its next decode on. The second gives it, after waiting for that decode: a row for
each token of the batch, not only for those with logits.
"""


SILENT = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, P)
"""Takes what llama.cpp says; errors come as null pointers. A C function that reads no argument and does nothing: a Ctrl-C that falls into a
callback in Python would be swallowed there, and llama.cpp logs while it works."""


class Library:
    """The functions, checked against what they say of themselves."""

    def __init__(self, path: Path, *, build: str) -> None:
        """Opens the shared library.

        Raises:
            ModelError: it lacks a function, or its parameters are laid out in another way.
        """
        self.build = build
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise ModelError(f"the library of {build} cannot be opened for steering: {error}") from error
        for name, (result, arguments) in FUNCTIONS.items():
            try:
                function = getattr(self._library, name)
            except AttributeError:
                raise ModelError(self._refusal(f"it has no function {name}")) from None
            self._bind(name, function, result, arguments)
        self.layer_inputs = all(hasattr(self._library, symbol) for symbol, _, _ in LAYER_INPUTS.values())
        """Whether it has the functions of `LAYER_INPUTS`."""
        if self.layer_inputs:
            for name, (symbol, result, arguments) in LAYER_INPUTS.items():
                self._bind(name, getattr(self._library, symbol), result, arguments)
        self._check("context", self.llama_context_default_params(), CONTEXT)
        self._check("model", self.llama_model_default_params(), MODEL)
        self.llama_log_set(SILENT, None)

    def _bind(self, name: str, function: Any, result: Any, arguments: tuple[Any, ...]) -> None:
        function.restype, function.argtypes = result, arguments
        setattr(self, name, function)  # found at once: a callback asks for one of them hundreds of times per token

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(name)

    def context_parameters(self, **values: float) -> Parameters:
        """The default parameters of a context with these in their place."""
        made: Parameters = self.llama_context_default_params()
        for name, value in values.items():
            place, kind, _ = CONTEXT[name]
            struct.pack_into("<" + kind, made.data, place, value)
        return made

    def _check(self, what: str, found: Parameters, known: dict[str, tuple[int, str, float]]) -> None:
        for name, (place, kind, default) in known.items():
            (value,) = struct.unpack_from("<" + kind, found.data, place)
            if value != default:
                raise ModelError(self._refusal(f"the {what} parameter {name} is {value!r} where {default!r} is its default"))

    def _refusal(self, why: str) -> str:
        return f"{self.build} is not a build that wager can steer ({why}); install xllamacpp{TESTED}"


@functools.cache
def library() -> Library:
    """The library of the installed xllamacpp.

    Raises:
        MissingExtraError: xllamacpp is not installed.
        ModelError: it is another build than this was written for.
    """
    try:
        import xllamacpp

        build = f"xllamacpp {version('xllamacpp')}"
    except (ImportError, PackageNotFoundError) as error:
        raise MissingExtraError("xllamacpp", "steer", "steering a GGUF model") from error
    found = sorted(Path(str(xllamacpp.__file__)).parent.glob("xllamacpp*.so")) + sorted(Path(str(xllamacpp.__file__)).parent.glob("*.pyd"))
    if not found:
        raise ModelError(f"{build} has no library to steer with beside its Python files; install xllamacpp{TESTED}")
    return Library(found[0], build=build)


def view(pointer: Any, length: int) -> NDArray[Any]:  # Any: a ctypes pointer
    """An array over memory that llama.cpp owns, shape (length,); valid until its next call."""
    return np.ctypeslib.as_array(pointer, shape=(length,))
