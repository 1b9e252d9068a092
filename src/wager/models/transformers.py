"""transformers, loaded when it is needed and quiet about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wager.errors import MissingExtraError

__all__ = ["packages", "quiet"]


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Without the bar "Loading weights", which moves for a second over our own; downloads keep theirs."""
    from huggingface_hub.utils.tqdm import enable_progress_bars

    shown = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    if shown:
        enable_progress_bars()
    try:
        yield
    finally:
        if shown:
            transformers.utils.logging.enable_progress_bar()


def packages() -> tuple[Any, Any]:
    """torch and transformers.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtraError(error.name or "transformers", "hf", "a model of transformers") from error
    return torch, transformers
