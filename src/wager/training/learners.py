"""Learners that are fitted at once: each gives every person a distribution over the dates and "I don't know"."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from wager.training.births import Seen, World

__all__ = ["Learner", "memoriser", "n_gram", "strength", "unigram"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Learner = Callable[[Ints], Floats]
"""From people (B,) to probabilities of their responses (B, A+1), "I don't know" last; each row sums to 1."""

_RANGE = (1e-3, 1e3)
"""Strengths of the prior among which the n-gram's is looked for."""


def memoriser(world: World, counts: Seen) -> Learner:
    """The calibrated learner of Theorem 2's upper bound: repeats what it saw, spreads its belief evenly where it saw nothing.

    Assumes: it is told alpha, the share of answered statements, which no trained model is. "I don't know" has probability 1 - alpha for
    everybody; the birthday alpha if it was ever stated, else each of the A dates alpha/A. Its delta is 0 at every threshold, and its error
    is ``(A-1)/A`` times the missing mass.

    Source: Kalai et al. (2025), sec. 3.3.1, proof of the upper bound.
    """

    def predict(people: Ints) -> Floats:
        known = counts.answered[people] > 0
        rows = np.full((len(people), world.answers + 1), world.answered / world.answers)
        rows[known] = 0.0
        rows[known, world.born[people[known]]] = world.answered
        rows[:, world.answers] = 1 - world.answered
        return rows

    return predict


def n_gram(world: World, counts: Seen) -> Learner:
    """A trigram, (given name, surname) -> answer, interpolated with the unigram of the answers.

    ``phat(r|c) = (count(c, r) + k q(r)) / (count(c) + k)``, q the `unigram`, k its `strength`, fitted to the corpus. It is told nothing:
    not alpha, nor that each person has one birthday only. The surname alone is no order of its own, as in this world it says nothing.

    Source: interpolation of maximum likelihood with a Dirichlet prior: MacKay and Peto (1995).
    """
    prior, k = unigram(world, counts), strength(world, counts)

    def predict(people: Ints) -> Floats:
        answered, silent = counts.answered[people], counts.silent[people]
        rows = np.tile(k * prior, (len(people), 1))
        rows[np.arange(len(people)), world.born[people]] += answered
        rows[:, world.answers] += silent
        return np.asarray(rows / (answered + silent + k)[:, None], dtype=np.float64)

    return predict


def unigram(world: World, counts: Seen) -> Floats:
    """How frequent each response is in the corpus, one added to each count, shape (A+1,)."""
    stated = np.bincount(world.born, weights=counts.answered, minlength=world.answers)
    added = np.append(stated, counts.silent.sum()) + 1
    return np.asarray(added / added.sum(), dtype=np.float64)


def strength(world: World, counts: Seen) -> float:
    """k: how many statements the prior is worth, the one under which each statement is most probable given all the others.

    Leave-one-out likelihood, maximised over [0.001, 1000]; 1 where nobody is named twice, as the corpus then says nothing about it.
    """
    total = counts.answered + counts.silent
    if not np.any(total > 1):
        return 1.0
    prior = unigram(world, counts)
    again = total > 1

    def loss(log_k: float) -> float:
        k = float(np.exp(log_k))
        pairs = ((counts.answered[again], prior[world.born[again]]), (counts.silent[again], np.full(int(again.sum()), prior[-1])))
        left = [times * np.log((np.maximum(times - 1, 0) + k * share) / (total[again] - 1 + k)) for times, share in pairs]
        return -float(sum(part.sum() for part in left))

    found = minimize_scalar(loss, bounds=tuple(np.log(_RANGE)), method="bounded")
    return float(np.exp(found.x))
