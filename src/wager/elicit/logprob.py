"""A confidence from token log-probabilities: the joint probability of the tokens that spell the answer.

Formula: ``exp(sum_t log p(token_t | before))`` over the answer's tokens only; the words around it ("The capital of Peru is") say
how the model phrases, not whether it knows. It is a raw signal: longer answers get less, so it wants a calibrator before a
threshold. Reference: Kadavath et al. (2022), arXiv 2207.05221.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["TokenProbability", "answer_probability"]


@dataclass(frozen=True)
class TokenProbability:
    """Probability of an answer's tokens."""

    joint: float
    """Product of the tokens' probabilities, in [0, 1]."""
    mean_logprob: float
    """Mean log-probability, in nats per token."""
    n_tokens: int
    """Tokens that overlap the answer."""
    start: int
    """First character of the answer in the joined tokens."""
    end: int
    """One past its last character."""


def answer_probability(tokens: Sequence[str], logprobs: Sequence[float], answer: str) -> TokenProbability | None:
    """Joint probability of the tokens that spell ``answer`` where it last stands in the reply as a whole word.

    Args:
        tokens: shape (T,), the reply's tokens as text, in order.
        logprobs: shape (T,), their log-probabilities in nats.
        answer: the answer as read from the reply.

    Returns:
        None where the answer does not stand in the joined tokens (also when some of its characters were split over
        byte tokens) or one of its log-probabilities is missing or no number.

    >>> answer_probability(["It", " is", " Lima", "."], [-0.1, -0.2, -0.5, -0.1], "Lima").n_tokens
    1
    """
    text = "".join(tokens)
    span = _last_word(text, answer.strip())
    if span is None or len(tokens) != len(logprobs):
        return None
    start, end = span
    used: list[float] = []
    position = 0
    for token, logprob in zip(tokens, logprobs, strict=True):
        stop = position + len(token)
        if stop > start and position < end:
            used.append(logprob)
        position = stop
    if not used or any(not math.isfinite(value) for value in used):
        return None
    total = min(0.0, sum(used))
    return TokenProbability(math.exp(total), total / len(used), len(used), start, end)


def _last_word(text: str, answer: str) -> tuple[int, int] | None:
    if not answer:
        return None
    pattern = rf"(?<!\w){re.escape(answer)}(?!\w)"
    for flags in (0, re.IGNORECASE):
        matches = list(re.finditer(pattern, text, flags))
        if matches:
            return matches[-1].span()
    return None
