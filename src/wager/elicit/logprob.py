"""A confidence from token log-probabilities: the joint probability of the tokens that spell the answer.

Formula: ``exp(sum_t log p(token_t | before))`` over the answer's tokens only; the words around it ("The capital of Peru is") say
how the model phrases, not whether it knows. It is a raw signal: longer answers get less, and values of different backends
are not comparable, so it wants a calibrator before a threshold. Reference: Kadavath et al. (2022), arXiv 2207.05221.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["TokenProbability", "answer_probability"]

MARKED = r"(?i:answer)(?: is)?[\"']?[ \t]{0,4}[:=]?[\s*_\"'(\[$]{0,8}(?:\\boxed\{)?"
"""What may stand between the word "answer" and the answer itself."""


@dataclass(frozen=True)
class TokenProbability:
    """Probability of an answer's tokens."""

    joint: float
    """Product of the tokens' probabilities, in [0, 1]."""
    mean_logprob: float
    """Mean log-probability, in nats per token, at most 0."""
    n_tokens: int
    """Tokens that overlap the answer, the blank or full stop that a token brings along included."""
    start: int
    """First character of the answer in the joined tokens."""
    end: int
    """One past its last character."""


def answer_probability(tokens: Sequence[str], logprobs: Sequence[float | None], answer: str) -> TokenProbability | None:
    """Joint probability of the tokens that spell ``answer``.

    The answer is looked for as a whole word: after the last answer marker ("ANSWER: B"), else where it last stands; as it is
    written first, then without regard to case.

    Args:
        tokens: shape (T,), the reply's tokens as text, in order.
        logprobs: shape (T,), their log-probabilities in nats; None or NaN where the provider gives none.
        answer: the answer as read from the reply.

    Returns:
        None where the answer does not stand in the joined tokens or one of its tokens has no finite log-probability. A
        character that was split over byte tokens shows as replacement characters: an answer that holds one ("São Tomé") is not
        found then; the ASCII answers around it are.

    >>> answer_probability(["It", " is", " Lima", "."], [-0.1, -0.2, -0.5, -0.1], "Lima").n_tokens
    1
    """
    span = _locate("".join(tokens), answer.strip())
    if span is None:
        return None
    start, end = span
    used: list[float | None] = []
    position = 0
    for place, token in enumerate(tokens):
        stop = position + len(token)
        if stop > start and position < end:
            used.append(logprobs[place] if place < len(logprobs) else None)
        position = stop
    known = [float(value) for value in used if value is not None and math.isfinite(value)]
    if not known or len(known) < len(used):
        return None
    total = min(0.0, sum(known))
    return TokenProbability(math.exp(total), total / len(known), len(known), start, end)


def _locate(text: str, answer: str) -> tuple[int, int] | None:
    """Where the answer stands; a number inside a longer one (5 in 0.5) and a letter of a contraction (I in I'm) do not count."""
    if not answer:
        return None
    before = r"(?<![\w])(?<!\w['’])" + (r"(?<!\d[.,])" if answer[0].isdigit() else "")
    after = r"(?!\w)(?!['’]\w)" + (r"(?![.,]\d)" if answer[-1].isdigit() else "")
    word = f"{before}(?P<answer>{re.escape(answer)}){after}"
    for flags in (re.NOFLAG, re.IGNORECASE):
        for pattern in (MARKED + word, word):
            places = [match.span("answer") for match in re.finditer(pattern, text, flags)]
            if places:
                return places[-1]
    return None
