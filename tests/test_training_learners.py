"""Learners that are fitted at once, and the exact measurement of any learner."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wager.theory.reduction import reduce
from wager.training import measurement
from wager.training.births import Seen, World, births, draw, seen
from wager.training.learners import Learner, memoriser, n_gram, strength, unigram
from wager.training.measurement import calibration, measure


def world_of(people: int = 40, samples: int = 60, seed: int = 0, **changes: object) -> tuple[World, Seen]:
    world = births(people, rng=np.random.default_rng(seed), **changes)  # type: ignore[arg-type]
    return world, seen(world, draw(world, samples, rng=np.random.default_rng(seed + 1)))


def by_hand() -> tuple[World, Seen, Learner]:
    """Two people, four dates: K = 3; every number of the test below can be added up on paper."""
    zero = np.zeros(2, dtype=np.int64)
    world = World(given=zero, surname=zero, surnames=1, mu=np.array([0.75, 0.25]), born=np.array([1, 3]), answers=4, answered=0.8)
    rows = np.array([[0.1, 0.5, 0.0, 0.2, 0.2], [0.4, 0.1, 0.1, 0.1, 0.3]])
    return world, Seen(answered=np.array([2, 0]), silent=np.array([1, 0])), lambda people: rows[people]


def fixed(world: World, rng: np.random.Generator, sharpness: float) -> Learner:
    rows = rng.dirichlet(np.full(world.answers + 1, sharpness), world.people)
    return lambda people: rows[people]


def listed(world: World, learner: Learner) -> dict[str, NDArray[np.generic]]:
    """The whole world, flat, as `reduce` takes it."""
    everyone = np.arange(world.people)
    rows = learner(everyone)
    truth = np.zeros_like(rows)
    truth[everyone, world.born], truth[:, -1] = world.answered, 1 - world.answered
    valid = np.zeros(rows.shape, dtype=bool)
    valid[everyone, world.born] = valid[:, -1] = True
    prompt = np.repeat(everyone, rows.shape[1])
    return {"prompt": prompt, "phat": rows.ravel(), "valid": valid.ravel(), "truth": truth.ravel(), "weights": world.mu}


def test_measuring_by_hand() -> None:
    world, counts, learner = by_hand()
    found = measure(world, counts, learner, name="by hand", step=3, epochs=0.5)
    assert (found.learner, found.step, found.epochs) == ("by hand", 3, 0.5)
    assert found.error == pytest.approx(0.75 * 0.3 + 0.25 * 0.6)
    assert (found.error_unseen, found.error_once, found.error_often) == pytest.approx((0.15, 0.0, 0.225))
    assert found.delta == pytest.approx(abs(0.75 * (0.5 - 0.8) + 0.25 * 0.4))
    assert found.misclassified == pytest.approx((0.75 * 0.2 + 0.25 * (1 + 1 / 3)) / 2)
    assert found.bound == pytest.approx(2 * found.misclassified - 2 / 3 - 0.125)
    assert found.abstains == pytest.approx(0.75 * 0.2 + 0.25 * 0.3)
    assert found.loss == pytest.approx(-(2 * math.log(0.5) + math.log(0.2)) / 3)


def test_people_seen_once_have_their_own_part_of_the_error() -> None:
    world, _, learner = by_hand()
    found = measure(world, Seen(answered=np.array([1, 7]), silent=np.array([9, 0])), learner, name="")
    assert (found.error_unseen, found.error_once, found.error_often) == pytest.approx((0.0, 0.225, 0.15))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999),
    people=st.integers(2, 60),
    answers=st.integers(3, 40),
    answered=st.floats(0.05, 1.0),
    sharpness=st.sampled_from([0.02, 0.1, 1.0, 20.0]),
    block=st.integers(1, 70),
)
def test_measuring_in_blocks_agrees_with_the_reduction_of_the_whole(
    seed: int, people: int, answers: int, answered: float, sharpness: float, block: int
) -> None:
    world, counts = world_of(people, 30, seed, answers=answers, answered=answered)
    learner = fixed(world, np.random.default_rng(seed), sharpness)
    whole = reduce(**listed(world, learner))  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "BLOCK", block)
        found, bins = measure(world, counts, learner, name=""), calibration(world, learner)
    assert found.error == pytest.approx(whole.error, abs=1e-9)
    assert found.delta == pytest.approx(whole.delta, abs=1e-9)
    assert found.misclassified == pytest.approx(whole.misclassified, abs=1e-9)
    assert found.bound == pytest.approx(whole.bound, abs=1e-9)
    assert found.error >= found.bound - 1e-9  # Theorem 1
    assert [b.responses for b in bins] == [b.responses for b in whole.bins]
    assert [b.model for b in bins] == pytest.approx([b.model for b in whole.bins], abs=1e-9)
    assert [b.truth for b in bins] == pytest.approx([b.truth for b in whole.bins], abs=1e-9)
    assert sum(b.model for b in bins) == pytest.approx(1) == sum(b.truth for b in bins)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), answered=st.floats(0.1, 1.0), answers=st.integers(3, 50))
def test_the_memoriser_is_calibrated_and_errs_on_the_missing_mass_but_for_lucky_guesses(seed: int, answered: float, answers: int) -> None:
    world, counts = world_of(50, 60, seed, answered=answered, answers=answers)
    found = measure(world, counts, memoriser(world, counts), name="memoriser")
    missing = answered * world.mu[counts.answered == 0].sum()
    assert found.error == pytest.approx(missing * (answers - 1) / answers)
    assert found.delta == pytest.approx(0, abs=1e-12)
    assert (found.error_once, found.error_often) == (0, 0)
    assert found.abstains == pytest.approx(1 - answered)


def test_the_n_gram_by_hand() -> None:
    zero = np.zeros(2, dtype=np.int64)
    world = World(given=zero, surname=zero, surnames=1, mu=np.array([0.5, 0.5]), born=np.array([0, 2]), answers=3, answered=0.8)
    counts = Seen(answered=np.array([2, 0]), silent=np.array([1, 0]))
    prior = unigram(world, counts)
    assert prior == pytest.approx([3 / 7, 1 / 7, 1 / 7, 2 / 7])  # counts 2, 0, 0, 1 with one added to each
    k = strength(world, counts)
    rows = n_gram(world, counts)(np.array([0, 1]))
    assert rows[0] == pytest.approx((k * prior + [2, 0, 0, 1]) / (k + 3))
    assert rows[1] == pytest.approx(prior)


def test_the_strength_is_the_one_that_foretells_each_statement_from_the_others() -> None:
    world, counts = world_of(40, 120, 5, answers=6, answered=0.8)
    prior = unigram(world, counts)

    def foretold(k: float) -> float:
        """One statement taken out at a time, counted afresh."""
        total = 0.0
        for person in range(world.people):
            told = [world.born[person]] * counts.answered[person] + [world.answers] * counts.silent[person]
            for left_out in range(len(told)):
                rest = told[:left_out] + told[left_out + 1 :]
                total += math.log((rest.count(told[left_out]) + k * prior[told[left_out]]) / (len(rest) + k))
        return total

    best = strength(world, counts)
    assert 0.05 < best < 20  # inside the range that is searched
    assert foretold(best) > max(foretold(best * 1.2), foretold(best / 1.2))
    assert foretold(best) >= max(foretold(k) for k in np.geomspace(0.001, 1000, 25)) - 1e-6


def test_the_strength_is_1_where_nobody_is_named_twice() -> None:
    world, _ = world_of(3)
    assert strength(world, Seen(answered=np.array([1, 0, 0]), silent=np.array([0, 1, 0]))) == 1.0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), answered=st.floats(0.1, 1.0))
def test_rows_sum_to_1_and_obey_theorem_1(seed: int, answered: float) -> None:
    world, counts = world_of(60, 80, seed, answered=answered)
    for fit in (memoriser, n_gram):
        learner = fit(world, counts)
        assert learner(np.arange(world.people)).sum(axis=1) == pytest.approx(np.ones(world.people))
        found = measure(world, counts, learner, name="")
        assert found.error >= found.bound - 1e-9


def test_the_n_gram_errs_near_the_missing_mass_and_is_nearly_calibrated() -> None:
    world, counts = world_of(20_000, 10_000, 2)
    found = measure(world, counts, n_gram(world, counts), name="n-gram")
    missing = world.answered * world.mu[counts.answered == 0].sum()
    assert found.error == pytest.approx(missing, abs=0.06)
    assert found.error_unseen == pytest.approx(missing, abs=0.02)
    assert found.delta < 0.05
