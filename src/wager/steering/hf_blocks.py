"""The blocks of any decoder of transformers, and plain forward hooks on them that are always taken off again.

A block is found by what it is, not by its name: an entry of the one `ModuleList` that is as long as the config's ``num_hidden_layers``.
Its output is a tensor (B, T, D), or a tuple that begins with one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from wager.errors import ModelError, UsageError

__all__ = ["Change", "find_blocks", "hooked", "text_config"]

Change = Callable[[Any], Any]
"""From a block's output, a tensor (B, T, D), to what takes its place; None leaves it."""

FOREIGN = ("vision", "visual", "audio", "image", "encoder")
"""Parts of a name that say that blocks read something other than text."""


def text_config(model: Any) -> Any:  # Any: a config of transformers
    """The config of the part that writes text; a model for images and text has one for each.

    Raises:
        ModelError: the model has no config, so it is none of transformers.
    """
    while not hasattr(model, "config") and hasattr(model, "module"):  # what training in parallel wraps around
        model = model.module
    config = getattr(model, "config", None)
    if config is None:
        raise ModelError(f"a {type(model).__name__} has no config; give a causal language model of transformers, or its blocks")
    return config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config


def find_blocks(model: Any) -> Sequence[Any]:  # Any: modules of torch
    """The decoder's blocks in order, as many as its config says.

    Raises:
        ModelError: there is no such list, or more than one.
    """
    from torch.nn import ModuleList

    count = getattr(text_config(model), "num_hidden_layers", None)
    lists = {name: part for name, part in model.named_modules() if isinstance(part, ModuleList) and len(part) == count}
    if len(lists) > 1:  # experts of a block, or an image's encoder
        lists = {name: part for name, part in lists.items() if not any(name.startswith(other + ".") for other in lists)}
    if len(lists) > 1:
        lists = {name: part for name, part in lists.items() if not any(word in name for word in FOREIGN)} or lists
    if len(lists) != 1:
        found = f"{len(lists)} lists of modules ({', '.join(sorted(lists))})" if lists else "no list of modules"
        raise ModelError(
            f"{type(model).__name__} has {found} as long as its {count} blocks; only a decoder made of one such list can be steered"
        )
    return list(next(iter(lists.values())))


@contextmanager
def hooked(blocks: Sequence[Any], changes: Mapping[int, Change], *, width: int | None = None) -> Iterator[None]:
    """While it is open, each block's output goes through its change; gradients flow through it.

    Args:
        blocks: as of `find_blocks`.
        changes: by block, counted from 0.
        width: D, to check the output against; None checks nothing.

    Raises:
        UsageError: a block that is not there.
    """
    with ExitStack() as stack:
        for block, change in changes.items():
            if not 0 <= block < len(blocks):
                raise UsageError(f"the model has blocks 0 to {len(blocks) - 1}, got {block}")
            handle = blocks[block].register_forward_hook(_hook(block, change, width))
            stack.callback(handle.remove)
        yield


def _hook(block: int, change: Change, width: int | None) -> Callable[[Any, Any, Any], Any]:
    def run(module: Any, inputs: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        shape = tuple(getattr(first, "shape", ()))
        if len(shape) != 3 or (width is not None and shape[-1] != width):
            raise ModelError(
                f"block {block}, a {type(module).__name__}, gives {shape or type(first).__name__}, not (rows, tokens, {width or 'width'})"
            )
        changed = change(first)
        if changed is None:
            return None
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    return run
