"""P(True): the model's own probability that its answer is true, read from one token.

The model is shown the question and a possible answer, and asked whether it is (A) True or (B) False; the confidence is
``P(A or True) / P(A or True or B or False)`` over the likeliest tokens at the place where it decides, all spellings summed ("A", " A",
"(A", "true"). Reference: Kadavath et al. (2022), arXiv 2207.05221, sec. 4: better when the model sees several samples of its own first.
It is a raw signal and wants a calibrator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wager.elicit.evidence import Token

__all__ = ["PTrue", "follow_up", "p_true", "request"]

Problem = Literal["no log-probabilities", "neither true nor false"]

CHOICE = "Is the possible answer:\n (A) True\n (B) False\n{order}The possible answer is:"
ORDER = "Reply with A or B only. "
"""A chat model writes a sentence first without it; the paper's base models need none."""

FIRST_PLACES = 8
"""Tokens of the reply among which the one that decides is looked for."""
ENOUGH = 0.25
"""A place where the spellings of True and False have this much probability together is where the model decides."""
LEAST = 0.01
"""With less than this at every place the model did not take the choice."""


def request(question: str, answer: str, brainstormed: Sequence[str] = ()) -> str:
    """The question of Kadavath et al., whole, for a model that has not seen the conversation.

    Args:
        question: as asked.
        answer: the answer in doubt.
        brainstormed: other samples of the model, shown first.

    >>> print(request("What is the capital of Peru?", "Lima", ["Lima", "Cusco"]))
    Question: What is the capital of Peru?
    Here are some brainstormed ideas: Lima
    Cusco
    Possible answer: Lima
    Is the possible answer:
     (A) True
     (B) False
    The possible answer is:
    """
    ideas = f"Here are some brainstormed ideas: {chr(10).join(brainstormed)}\n" if brainstormed else ""
    return f"Question: {question}\n{ideas}Possible answer: {answer}\n{CHOICE.format(order='')}"


def follow_up(answer: str, brainstormed: Sequence[str] = ()) -> str:
    """The same after the question and its reply in one conversation, so that a prefix cache need not read them again."""
    ideas = f"Here are some brainstormed ideas: {chr(10).join(brainstormed)}\n" if brainstormed else ""
    return f"{ideas}Possible answer: {answer}\n{CHOICE.format(order=ORDER)}"


@dataclass(frozen=True)
class PTrue:
    """What the model thinks of its answer."""

    value: float | None
    """P(True) in [0, 1]; None if it cannot be told."""
    mass: float | None = None
    """Probability of all spellings of True and False together, at the place that decides; in [0, 1]."""
    place: int | None = None
    """Which token of the reply decides, from 0."""
    problem: Problem | None = None
    """Why there is no value."""


def p_true(tokens: Sequence[Token]) -> PTrue:
    """P(True) from the tokens of a reply to `request` or `follow_up`.

    The first place where True and False have a quarter of the probability decides ("The answer is (A)" decides late); without one
    the place where they have most, if that is a hundredth.

    >>> import math
    >>> top = (("A", math.log(0.5)), (" True", math.log(0.1)), ("B", math.log(0.2)), ("I", math.log(0.2)))
    >>> round(p_true([Token("A", math.log(0.5), top)]).value, 4)
    0.75
    """
    places = [_masses(token) for token in tokens[:FIRST_PLACES]]
    if all(masses is None for masses in places):
        return PTrue(None, problem="no log-probabilities")
    found = [(sum(masses), -place, masses) for place, masses in enumerate(places) if masses is not None]
    enough = [one for one in found if one[0] >= ENOUGH]
    mass, negative, (yes, no) = max(enough, key=lambda one: one[1]) if enough else max(found)
    if mass < LEAST:
        return PTrue(None, min(1.0, mass), -negative, "neither true nor false")
    return PTrue(yes / (yes + no), min(1.0, mass), -negative)


def _masses(token: Token) -> tuple[float, float] | None:
    """Probability of the spellings of True and of False at one place; None without log-probabilities."""
    options = dict(token.top)
    if token.logprob is not None:
        options.setdefault(token.text, token.logprob)
    known = {text: logprob for text, logprob in options.items() if logprob is not None and not math.isnan(logprob)}
    if not known:
        return None
    sides = {True: 0.0, False: 0.0}
    for text, logprob in known.items():
        word = text.strip(" \t\n▁Ġ()[]*.:\"'").lower()
        if word in ("a", "true"):
            sides[True] += math.exp(min(0.0, logprob))
        elif word in ("b", "false"):
            sides[False] += math.exp(min(0.0, logprob))
    return sides[True], sides[False]
