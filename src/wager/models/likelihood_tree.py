"""The tree of the tokens of several texts: each distinct beginning is read once, and its next tokens are looked up together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError

__all__ = ["beginnings", "split", "summed"]

Tokens = tuple[int, ...]


def split(prompt: Sequence[int], joint: Sequence[Sequence[int]], responses: Sequence[str], text: str) -> list[Tokens]:
    """The tokens of each response: those of prompt and response together, after those of the prompt.

    Raises:
        DataError: the prompt's tokens are not the first ones of the joint text, so that there is no place where the response begins.

    >>> split([1, 2], [[1, 2, 3], [1, 2, 4, 5]], ["a", "b c"], "the prompt")
    [(3,), (4, 5)]
    """
    made = []
    for tokens, response in zip(joint, responses, strict=True):
        if list(tokens[: len(prompt)]) != list(prompt) or len(tokens) == len(prompt):
            raise DataError(
                f"the last tokens of the prompt {text[-40:]!r} change when {response!r} follows, so that the response has no beginning of "
                "its own; begin responses with a blank, or end the prompt with a whole word, a colon or a line break"
            )
        made.append(tuple(tokens[len(prompt) :]))
    return made


def beginnings(responses: Sequence[Tokens]) -> dict[Tokens, list[int]]:
    """Every distinct beginning that a token follows, and the tokens that follow it, in an order in which neighbours share most.

    >>> beginnings([(5, 1), (5, 2), (6,)])
    {(): [5, 6], (5,): [1, 2]}
    """
    found: dict[Tokens, set[int]] = {}
    for tokens in responses:
        for place, token in enumerate(tokens):
            found.setdefault(tokens[:place], set()).add(token)
    return {begun: sorted(found[begun]) for begun in sorted(found)}


def summed(responses: Sequence[Tokens], logprobs: Mapping[Tokens, Mapping[int, NDArray[np.float64]]]) -> NDArray[np.float64]:
    """log p of each response, shape (T, R), from those of the next token after each beginning, each of shape (T,).

    >>> half = np.log([0.5])
    >>> np.exp(summed([(5, 1), (6,)], {(): {5: half, 6: half}, (5,): {1: half}})).tolist()
    [[0.25, 0.5]]
    """
    return np.stack(
        [np.sum([logprobs[tokens[:place]][token] for place, token in enumerate(tokens)], axis=0) for tokens in responses], axis=1
    )
