"""Exact errors of a learner over the whole world: nothing is sampled from it, every response of every person is summed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wager.theory.bounds import theorem_1
from wager.theory.listed import EXACT
from wager.theory.reduction import reduce
from wager.theory.results import Bin, Checkpoint
from wager.training.births import Seen, World
from wager.training.learners import Learner

__all__ = ["MOST_VALID", "calibration", "measure"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_VALID = 2
"""max |V_c|: the birthday, and "I don't know"."""
BLOCK = 4096
"""People whose responses are in memory at a time."""


@dataclass(frozen=True)
class _Sums:
    """What one block of people adds, each a mean over mu."""

    errors: Floats
    """err by how often the birthday was stated: never, once, more often; shape (3,)."""
    gap: float
    """phat(A) - p(A), signed."""
    misclassified: float
    """err_iiv."""
    abstains: float
    """Mass on "I don't know"."""
    surprise: float
    """Sum over the corpus of -log phat of what was stated, in nats."""


def measure(world: World, counts: Seen, learner: Learner, *, name: str, step: int = 0, epochs: float = 0.0) -> Checkpoint:
    """Theorem 1's quantities of a learner, over all C people and all A + 1 responses.

    Assumes: the learner's rows sum to 1. The threshold is 1/K with K = A - 1. The loss is infinite for a learner that rules out what the
    corpus says, which none of ours does. Agrees with `wager.theory.reduction.reduce` on the same world, which holds all C (A + 1)
    responses in memory at once; here a block of people is held at a time.
    """
    blocks = [_sums(world, counts, people, learner(people)) for people in _blocks(world)]
    errors = np.sum([block.errors for block in blocks], axis=0)
    delta = abs(sum(block.gap for block in blocks))
    misclassified = sum(block.misclassified for block in blocks)
    return Checkpoint(
        learner=name,
        step=step,
        epochs=epochs,
        loss=sum(block.surprise for block in blocks) / counts.n,
        error=float(errors.sum()),
        error_unseen=float(errors[0]),
        error_once=float(errors[1]),
        error_often=float(errors[2]),
        delta=delta,
        misclassified=misclassified,
        bound=theorem_1(misclassified, MOST_VALID, world.fewest_errors, delta),
        abstains=sum(block.abstains for block in blocks),
    )


def calibration(world: World, learner: Learner, *, bins: int = 12) -> tuple[Bin, ...]:
    """How much mass the learner, and the truth, give to responses by their probability; bins as in `reduce`, which makes them.

    The mass of `Bin.model` and of `Bin.truth` sums to 1 each.
    """
    made = [_reduced_bins(world, people, learner(people), bins) for people in _blocks(world)]
    return tuple(
        Bin(same[0].low, same[0].high, sum(b.model for b in same), sum(b.truth for b in same), sum(b.responses for b in same))
        for same in zip(*made, strict=True)
    )


def _blocks(world: World) -> Iterator[Ints]:
    for start in range(0, world.people, BLOCK):
        yield np.arange(start, min(start + BLOCK, world.people))


def _sums(world: World, counts: Seen, people: Ints, rows: Floats) -> _Sums:
    mu, born, alpha = world.mu[people], world.born[people], world.answered
    each = np.arange(len(people))
    right, silent = rows[each, born], rows[:, world.answers]
    above = rows > (1 + EXACT) / world.fewest_errors
    right_above, silent_above = above[each, born], above[:, world.answers]
    wrong_above = above.sum(axis=1) - right_above - silent_above
    missed = alpha * ~right_above + (1 - alpha) * ~silent_above
    believed = np.where(above, rows, 0.0).sum(axis=1)
    times = np.minimum(counts.answered[people], 2)
    return _Sums(
        errors=np.asarray(np.bincount(times, weights=mu * _wrong(rows, born, world.answers), minlength=3), dtype=np.float64),
        gap=float(mu @ (believed - alpha * right_above - (1 - alpha) * silent_above)),
        misclassified=float(mu @ (missed + wrong_above / world.fewest_errors)) / 2,
        abstains=float(mu @ silent),
        surprise=_surprise(counts.answered[people], right) + _surprise(counts.silent[people], silent),
    )


def _wrong(rows: Floats, born: Ints, answers: int) -> Floats:
    """Mass on wrong dates, shape (B,): added up rather than taken from 1, so that a learner without any has exactly none."""
    dates = rows[:, :answers].copy()
    dates[np.arange(len(rows)), born] = 0.0
    return np.asarray(dates.sum(axis=1), dtype=np.float64)


def _surprise(times: Ints, probability: Floats) -> float:
    stated = times > 0
    with np.errstate(divide="ignore"):  # what was ruled out and then stated is an infinite surprise
        return -float(times[stated] @ np.log(probability[stated]))


def _reduced_bins(world: World, people: Ints, rows: Floats, bins: int) -> tuple[Bin, ...]:
    size, responses = rows.shape
    truth = np.zeros_like(rows)
    truth[np.arange(size), world.born[people]] = world.answered
    truth[:, world.answers] = 1 - world.answered
    valid = np.zeros(rows.shape, dtype=np.bool_)
    valid[np.arange(size), world.born[people]] = True
    valid[:, world.answers] = True
    mu = world.mu[people]
    prompt = np.repeat(np.arange(size), responses)
    found = reduce(prompt, rows.ravel(), valid.ravel(), truth=truth.ravel(), weights=mu, bins=bins).bins
    share = float(mu.sum())  # reduce makes the block's weights sum to 1
    return tuple(Bin(one.low, one.high, one.model * share, one.truth * share, one.responses) for one in found)
