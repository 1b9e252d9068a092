"""Finite worlds in which the truth is known: arbitrary facts (kept in closed form), and prompts with a list of responses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError

__all__ = [
    "IDK",
    "Facts",
    "Listing",
    "Sample",
    "arbitrary_facts",
    "corrupted",
    "draw",
    "encryption",
    "missing_mass",
    "multiple_choice",
    "pronouns",
    "shifted",
]

IDK = -1
"""Stands for "I don't know" among the answers of a sample."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Facts:
    """C prompts whose true answers tell nothing about each other (Definition 1). V_c = {a_c, IDK}; E_c is every other answer of R_c."""

    weights: Floats
    """mu, how often each prompt is asked, shape (C,); sums to 1."""
    answer: Ints
    """a_c, the true answer, 0 .. |R_c| - 1, (C,)."""
    choices: Ints
    """|R_c| >= 2, possible answers without "I don't know", (C,)."""
    answered: Floats
    """alpha_c, how often the data answers it at all and does not say "I don't know", (C,)."""

    @property
    def fewest_errors(self) -> int:
        """min |E_c|."""
        return int(self.choices.min()) - 1

    @property
    def most_errors(self) -> int:
        """max |E_c|."""
        return int(self.choices.max()) - 1


@dataclass(frozen=True)
class Sample:
    """N training pairs."""

    prompt: Ints
    """Prompt of each, (N,)."""
    said: Ints
    """Its answer, or `IDK`, (N,)."""
    size: int
    """Prompts in the world, C."""

    @property
    def n(self) -> int:
        """N: all pairs, the ones that say "I don't know" included."""
        return len(self.prompt)

    @property
    def times(self) -> Ints:
        """How often each prompt is answered with anything but "I don't know", (C,)."""
        return np.bincount(self.prompt[self.said != IDK], minlength=self.size).astype(np.int64)

    @property
    def singletons(self) -> int:
        """|S|, prompts answered exactly once (Definition 2)."""
        return int(np.sum(self.times == 1))


@dataclass(frozen=True)
class Listing:
    """Prompts with listed responses; flat arrays as in `wager.theory.reduction.reduce`."""

    prompts: tuple[str, ...]
    """Their words, C of them."""
    responses: tuple[str, ...]
    """Words of each listed response, R in all."""
    prompt: Ints
    """Prompt of each response, (R,)."""
    valid: NDArray[np.bool_]
    """Whether it is valid, (R,)."""
    truth: Floats
    """p(r|c), (R,)."""
    weights: Floats
    """mu, (C,)."""


def arbitrary_facts(
    prompts: int,
    answers: ArrayLike,
    *,
    rng: np.random.Generator,
    law: Literal["zipf", "uniform"] = "zipf",
    exponent: float = 1.0,
    answered: ArrayLike = 1.0,
) -> Facts:
    """A world of arbitrary facts: birthdays, for one, with 365 `answers` each.

    `answers`: |R_c| >= 2, one number or (C,). `answered`: alpha_c in [0, 1], one number or (C,). Law "zipf" asks for the i-th prompt in
    proportion to ``i ** -exponent``. Raises DataError for values out of range.

    >>> world = arbitrary_facts(3, 365, rng=np.random.default_rng(0), exponent=1.0, answered=0.8)
    >>> world.weights.round(4).tolist(), world.fewest_errors
    ([0.5455, 0.2727, 0.1818], 364)

    Source: Kalai et al. (2025), Definition 1 (sec. 3.3.1).
    """
    if not prompts >= 1:
        raise DataError(f"prompts is {prompts}; a world needs at least 1")
    choices = np.broadcast_to(np.asarray(answers, dtype=np.int64), prompts).copy()
    alpha = np.broadcast_to(np.asarray(answered, dtype=np.float64), prompts).copy()
    if choices.min() < 2:
        raise DataError(f"answers holds {choices.min()}; a prompt needs at least 2, one true and one wrong")
    if not np.all((alpha >= 0) & (alpha <= 1)):
        raise DataError("answered must lie in [0, 1]")
    if law not in ("zipf", "uniform"):
        raise DataError(f"law is {law!r}; it must be 'zipf' or 'uniform'")
    mu = np.ones(prompts) if law == "uniform" else np.arange(1, prompts + 1, dtype=np.float64) ** -exponent
    return Facts(mu / mu.sum(), rng.integers(0, choices), choices, alpha)


def encryption(messages: int, *, rng: np.random.Generator, answered: float = 1.0) -> Facts:
    """Stand-in for an encryption scheme whose key is withheld: ciphertext c decrypts to a_c by a random permutation of the messages.

    Every learner without the key sees arbitrary facts; that stands in for computational hardness, it does not prove any.

    >>> encryption(4, rng=np.random.default_rng(1)).answer.tolist()
    [3, 0, 2, 1]

    Source: Kalai et al. (2025), Observation 2 (sec. 3.4).
    """
    world = arbitrary_facts(messages, messages, rng=rng, law="uniform", answered=answered)
    return replace(world, answer=rng.permutation(messages).astype(np.int64))


def shifted(facts: Facts, weights: ArrayLike) -> Facts:
    """The same facts asked by another law, `weights` of shape (C,), made to sum to 1: distribution shift."""
    mu = np.asarray(weights, dtype=np.float64)
    if mu.shape != facts.weights.shape or not np.all(mu >= 0) or not mu.sum() > 0:
        raise DataError(f"weights must be {len(facts.weights)} numbers, not negative and not all 0; got shape {mu.shape}")
    return replace(facts, weights=mu / mu.sum())


def draw(facts: Facts, n: int, *, rng: np.random.Generator) -> Sample:
    """N independent training pairs: a prompt by mu, then its true answer with probability alpha_c, else "I don't know"."""
    prompt = rng.choice(len(facts.weights), size=n, p=facts.weights)
    said = np.where(rng.random(n) < facts.answered[prompt], facts.answer[prompt], IDK)
    return Sample(prompt.astype(np.int64), said.astype(np.int64), len(facts.weights))


def corrupted(sample: Sample, facts: Facts, share: float, *, rng: np.random.Generator) -> Sample:
    """The sample with each answer replaced, with probability `share`, by a wrong one drawn evenly: garbage in."""
    if not 0 <= share <= 1:
        raise DataError(f"share is {share}; it must lie in [0, 1]")
    hit = (sample.said != IDK) & (rng.random(sample.n) < share)
    choices = facts.choices[sample.prompt]
    wrong = (facts.answer[sample.prompt] + rng.integers(1, choices)) % choices
    return replace(sample, said=np.where(hit, wrong, sample.said))


def missing_mass(facts: Facts, sample: Sample) -> float:
    """MM: probability of a prompt that was never answered in the sample, together with a real answer. In [0, 1].

    Source: Kalai et al. (2025), app. B.
    """
    return float(np.sum((facts.weights * facts.answered)[sample.times == 0]))


def multiple_choice(prompts: int, choices: int, *, rng: np.random.Generator, exponent: float = 0.0) -> Listing:
    """Pure multiple choice: one valid response among `choices` >= 2 for each prompt, drawn evenly; prompts by a Zipf law."""
    if prompts < 1 or choices < 2:
        raise DataError(f"{prompts} prompts with {choices} choices; at least 1 and 2 are needed")
    valid = np.zeros((prompts, choices), dtype=np.bool_)
    valid[np.arange(prompts), rng.integers(0, choices, prompts)] = True
    mu = np.arange(1, prompts + 1, dtype=np.float64) ** -exponent
    return Listing(
        prompts=tuple(f"question {c}" for c in range(prompts)),
        responses=tuple(f"choice {r}" for _ in range(prompts) for r in range(choices)),
        prompt=np.repeat(np.arange(prompts, dtype=np.int64), choices),
        valid=valid.ravel(),
        truth=valid.ravel().astype(np.float64),
        weights=mu / mu.sum(),
    )


def pronouns() -> Listing:
    """Two prompts that a trigram model cannot tell apart (Corollary 2).

    >>> world = pronouns()
    >>> [world.responses[r] for r in np.flatnonzero(world.valid)]
    ['her mind.', 'his mind.']
    """
    return Listing(
        prompts=("She lost it and was completely out of", "He lost it and was completely out of"),
        responses=("her mind.", "his mind.") * 2,
        prompt=np.array([0, 0, 1, 1], dtype=np.int64),
        valid=np.array([True, False, False, True]),
        truth=np.array([1.0, 0.0, 0.0, 1.0]),
        weights=np.array([0.5, 0.5]),
    )
