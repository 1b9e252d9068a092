"""A learner in a world whose truth is known: exact errors beside every bound, and which assumption it breaks if it gets below one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wager.errors import DataError
from wager.theory.bounds import theorem_2, theorem_2_upper
from wager.theory.learners import Replies
from wager.theory.reduction import Reduced, reduce
from wager.theory.results import Bound
from wager.theory.worlds import Facts, Listing, Sample, missing_mass

__all__ = ["Escape", "Trial", "escapes", "exact", "trial"]

ROUNDING = 1e-9
"""Differences below it are not differences."""


@dataclass(frozen=True)
class Trial:
    """One learner in one world; every number is exact for that world and that sample."""

    n: int
    """Training samples."""
    singleton_rate: float
    """sr = |S|/N."""
    missing_mass: float
    """MM: mass of prompts never answered, under the law by which prompts are ASKED."""
    reduced: Reduced
    """err, err_iiv, delta and Theorem 1's bound."""
    error_unseen: float
    """The part of err from prompts that were never answered in the data; the three parts add up to err."""
    error_once: float
    """From prompts answered once."""
    error_often: float
    """From prompts answered more often."""
    abstains: float
    """Mass on "I don't know"."""
    silent: float
    """Mass that the truth has on it, the mean of 1 - alpha_c."""
    abstains_unseen: float | None
    """Share of "I don't know" among its replies to prompts that were never answered; None if there are none."""
    lower: Bound
    """Theorem 2 with this learner's delta."""
    upper: Bound
    """What the calibrated memoriser does not exceed."""
    shifted: bool
    """Whether prompts are asked by another law than they were drawn by."""
    contradicted: float
    """Share of the samples with an answer that is wrong."""

    @property
    def calibrated_floor(self) -> float:
        """2 err_iiv - max|V_c|/min|E_c|: what a model that tells valid from invalid no better would err at least, had it delta 0."""
        return self.reduced.bound + self.reduced.delta

    @property
    def data_floor(self) -> float:
        """sr - max|V_c|/min|E_c|: Theorem 2 without the term for chance and with delta 0."""
        return self.singleton_rate - self.reduced.most_valid / self.reduced.fewest_errors


@dataclass(frozen=True)
class Escape:
    """An assumption that a learner or a world breaks."""

    assumption: Literal["calibration", "same law", "true data"]
    """Which one."""
    said: str
    """How it is broken, in one sentence with the numbers."""


def trial(facts: Facts, sample: Sample, replies: Replies, *, asked: Facts | None = None) -> Trial:
    """Exact errors of `replies` in the world, and the bounds that the sample gives.

    `facts` is the world that the sample was drawn from. `asked`: the same facts under the law by which they are asked, if it is another
    (`wager.theory.worlds.shifted`): error, delta and missing mass are then of that law, singleton rate and bounds of the data. Raises
    DataError for an empty sample; `exact` needs none.

    >>> import numpy as np
    >>> from wager.theory import learners, worlds
    >>> rng = np.random.default_rng(0)
    >>> world = worlds.arbitrary_facts(1000, 365, rng=rng, law="uniform")
    >>> sample = worlds.draw(world, 1000, rng=rng)
    >>> found = trial(world, sample, learners.memoriser(world, sample))
    >>> round(found.singleton_rate, 2), round(found.missing_mass, 2), round(found.reduced.error, 2), round(found.reduced.delta, 12)
    (0.38, 0.36, 0.35, 0.0)
    """
    if not sample.n:
        raise DataError("the sample is empty; a singleton rate needs at least one training sample")
    world = facts if asked is None else asked
    reduced = exact(world, replies)
    wrong = np.where(replies.valid, 0.0, replies.phat * replies.times * world.weights[replies.prompt])
    times = sample.times[replies.prompt]
    unseen = world.weights * (sample.times == 0)
    said = sample.said >= 0
    return Trial(
        n=sample.n,
        singleton_rate=sample.singletons / sample.n,
        missing_mass=missing_mass(world, sample),
        reduced=reduced,
        error_unseen=float(wrong[times == 0].sum()),
        error_once=float(wrong[times == 1].sum()),
        error_often=float(wrong[times > 1].sum()),
        abstains=float(world.weights @ replies.abstains),
        silent=float(world.weights @ (1 - world.answered)),
        abstains_unseen=float(unseen @ replies.abstains / unseen.sum()) if unseen.any() else None,
        lower=theorem_2(sample.singletons, sample.n, fewest_errors=facts.fewest_errors, delta=min(reduced.delta, 1.0)),
        upper=theorem_2_upper(sample.singletons, sample.n, most_errors=facts.most_errors),
        shifted=not np.allclose(world.weights, facts.weights, rtol=1e-12, atol=0),
        contradicted=float(np.mean(said & (sample.said != facts.answer[sample.prompt]))),
    )


def exact(world: Facts | Listing, replies: Replies) -> Reduced:
    """Theorem 1's quantities of `replies` in a world of either kind."""
    return reduce(replies.prompt, replies.phat, replies.valid, truth=replies.truth, weights=world.weights, times=replies.times)


def escapes(found: Trial) -> tuple[Escape, ...]:
    """Which assumptions do not hold for this learner in this world, so that it may err less than the floor, or more than the memoriser.

    - "calibration": err lies below ``sr - k/K``, the floor that the data sets but for chance, and below ``2 err_iiv - k/K``, what a
      calibrated model with the same Is-It-Valid classifier would err. By Theorem 1 delta is at least the second difference: this is the
      way out of a model that abstains, or that only repeats what it saw.
    - "same law": prompts are asked by another law than the data was drawn by, so singletons do not estimate what will be asked.
    - "true data": the data has wrong answers. That is no way down: it adds errors that no bound here counts.

    Empty for a learner that keeps to the rules, and for one that is not calibrated but errs above the floor all the same.
    """
    broken = []
    if found.reduced.error < min(found.calibrated_floor, found.data_floor) - ROUNDING:
        broken.append(Escape("calibration", _calibration(found)))
    if found.shifted:
        said = f"prompts are asked by another law than the data was drawn by; {found.missing_mass:.1%} of what is asked was never answered"
        broken.append(Escape("same law", f"{said}, where the singleton rate says {found.singleton_rate:.1%}"))
    if found.contradicted > 0:
        broken.append(Escape("true data", f"{found.contradicted:.1%} of the samples have a wrong answer"))
    return tuple(broken)


def _calibration(found: Trial) -> str:
    start = f"errs {found.reduced.error:.1%}, below the {found.data_floor:.1%} that the data sets, at the price of delta"
    if found.abstains_unseen is None:
        return f"{start} = {found.reduced.delta:.1%}"
    return f'{start} = {found.reduced.delta:.1%}: it says "I don\'t know" to {found.abstains_unseen:.1%} of what it never saw'
