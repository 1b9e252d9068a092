"""Directions: planted truths, worked numbers, and what must not change them."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wager.steering.directions as directions
from wager.errors import DataError, UsageError
from wager.steering.directions import mean_difference, paired_mean_difference, pca_uncentred, random_like, separation, split_half


def planted(rng: np.random.Generator, n: int = 40, blocks: int = 3, width: int = 16, strength: float = 3.0):
    """Rows of both sides whose means differ along the first axis at every block, with item-specific offsets that are shared."""
    item = 5 * rng.normal(size=(n, blocks, width))
    pos, neg = item + rng.normal(size=item.shape), item + rng.normal(size=item.shape)
    pos[:, :, 0] += strength
    return pos, neg


def cosine(a, b) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_examples() -> None:
    assert doctest.testmod(directions).failed == 0


def test_the_mean_difference_is_worked_by_hand() -> None:
    pos, neg = np.zeros((2, 1, 2)), np.zeros((4, 1, 2))
    pos[:, 0] = [[1, 2], [3, 2]]
    neg[:, 0] = [[1, 0], [1, 0], [0, 0], [0, 4]]
    assert mean_difference(pos, neg).tolist() == [[1.5, 1.0]]
    assert mean_difference(pos, neg).dtype == np.float32


def test_large_common_offsets_do_not_swallow_a_small_difference() -> None:
    pos = np.full((1000, 1, 2), 4096.0, dtype=np.float32)
    neg = pos.copy()
    pos[:, 0, 0] += np.float32(0.0009765625)
    assert mean_difference(pos, neg)[0, 0] == np.float32(0.0009765625)


def test_complete_pairs_give_the_mean_difference() -> None:
    pos, neg = planted(np.random.default_rng(0))
    np.testing.assert_allclose(paired_mean_difference(pos, neg), mean_difference(pos, neg), atol=1e-5)


def test_pairs_cancel_what_a_filter_leaves_on_one_side_only() -> None:
    rng = np.random.default_rng(1)
    pos, neg = planted(rng, n=60)
    pos[:30, :, 1] += 40  # these items are about something else, and only few of their negative replies are kept
    neg[:30, :, 1] += 40
    items = np.arange(60)
    kept = np.concatenate([np.arange(3), np.arange(30, 60)])
    truth = np.eye(16)[0]
    assert cosine(mean_difference(pos, neg[kept])[0], truth) < 0.5
    assert cosine(paired_mean_difference(pos, neg[kept], items, items[kept])[0], truth) > 0.8


def test_each_item_weighs_the_same_in_pairs() -> None:
    pos = np.array([1.0, 1.0, 1.0, 5.0]).reshape(4, 1, 1)
    neg = np.zeros((2, 1, 1))
    assert paired_mean_difference(pos, neg, ["a", "a", "a", "b"], ["a", "b"]).item() == 3.0
    with pytest.raises(DataError, match="no item has rows on both sides"):
        paired_mean_difference(pos, neg, ["a", "a", "a", "b"], ["c", "d"])
    with pytest.raises(UsageError, match="as many positive as negative rows, got 4 and 2"):
        paired_mean_difference(pos, neg)


def test_the_principal_component_finds_the_planted_axis_with_its_sign() -> None:
    pos, neg = planted(np.random.default_rng(2), strength=8.0)
    for turned in (1, -1):
        found = pca_uncentred(pos, neg) if turned > 0 else pca_uncentred(neg, pos)
        assert all(cosine(one, turned * np.eye(16)[0]) > 0.98 for one in found)
    rest = (pos - neg)[:, 0]
    first = np.linalg.svd(rest)[2][0]
    assert abs(cosine(pca_uncentred(pos, neg)[0], first)) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(pca_uncentred(pos, neg)[0]) == pytest.approx(abs((rest @ first).mean()), rel=1e-6)


def test_a_component_without_a_sign_is_refused() -> None:
    pos = np.array([[[2.0, 0.0]], [[-2.0, 0.0]]])
    with pytest.raises(DataError, match="its sign is not known"):
        pca_uncentred(pos, np.zeros((2, 1, 2)))


@pytest.mark.parametrize("function", [mean_difference, paired_mean_difference, pca_uncentred])
def test_a_value_that_is_not_finite_stops_every_method(function) -> None:
    pos, neg = planted(np.random.default_rng(3))
    neg[4, 1, 2] = np.nan
    with pytest.raises(DataError, match="1 of 40 rows of negative activations"):
        function(pos, neg)
    with pytest.raises(UsageError, match="same blocks and width"):
        function(pos, pos[:, :, :5])
    with pytest.raises(UsageError, match="at least one row"):
        function(pos[:0], neg)


def test_random_controls_have_the_same_length_at_every_block() -> None:
    direction = np.arange(1.0, 25.0).reshape(3, 8)
    drawn = random_like(direction, np.random.default_rng(4))
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), np.linalg.norm(direction, axis=1), rtol=1e-6)
    many = np.stack([random_like(direction[0], np.random.default_rng(seed)) for seed in range(400)])
    assert np.linalg.norm(many.mean(axis=0)) < 0.2 * np.linalg.norm(direction[0])  # uniform: no mean
    assert np.array_equal(drawn, random_like(direction, np.random.default_rng(4)))
    with pytest.raises(DataError, match="not finite"):
        random_like([1.0, np.inf], np.random.default_rng(0))


def test_stability_is_high_for_a_planted_direction_and_near_zero_for_none() -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(20), 2)
    pos, neg = rng.normal(size=(40, 2, 32)), rng.normal(size=(40, 2, 32))
    pos[:, 1, 0] += 10
    found = split_half(pos, neg, (groups, groups), rng, blocks=[4, 9])
    assert list(found) == [4, 9]
    assert abs(found[4]) < 0.25
    assert found[9] > 0.9


def test_a_question_is_never_in_both_halves() -> None:
    rng = np.random.default_rng(6)
    questions = np.repeat(np.arange(6), 10)
    quirk = 20 * rng.normal(size=(6, 1, 64))[questions]  # each question has a difference of its own and nothing is shared
    pos = quirk + 0.1 * rng.normal(size=(60, 1, 64))
    neg = 0.1 * rng.normal(size=(60, 1, 64))
    assert abs(split_half(pos, neg, (questions, questions), rng)[0]) < 0.2
    assert split_half(pos, neg, (np.arange(60), np.arange(60)), rng)[0] > 0.5  # rows as questions: a stability that is not there


def test_halves_that_starve_are_an_error() -> None:
    pos, neg = planted(np.random.default_rng(7), n=4)
    with pytest.raises(UsageError, match="at least two questions on each side"):
        split_half(pos, neg, ([1, 1, 1, 1], [1, 2, 3, 4]), np.random.default_rng(0))


def test_separation_is_worked_by_hand_and_reads_the_sign() -> None:
    pos, neg = np.array([3.0, 5.0]).reshape(2, 1, 1), np.array([0.0, 2.0]).reshape(2, 1, 1)
    assert separation(pos, neg, [[7.0]]) == {0: pytest.approx(3 / np.sqrt(2))}
    assert separation(pos, neg, [[-0.1]], blocks=[5]) == {5: pytest.approx(-3 / np.sqrt(2))}
    with pytest.raises(DataError, match="direction is zero"):
        separation(pos, neg, [[0.0]])
    with pytest.raises(DataError, match="neither side varies"):
        separation(np.ones((2, 1, 1)), np.zeros((2, 1, 1)), [[1.0]])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 0.5, 7.0, 1e4]))
def test_order_scale_and_sides_act_as_they_should(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    pos, neg = planted(rng, n=10, blocks=2, width=5)
    found = mean_difference(pos, neg)
    np.testing.assert_allclose(mean_difference(pos[rng.permutation(10)], neg[rng.permutation(10)]), found, atol=1e-5)
    np.testing.assert_allclose(mean_difference(neg, pos), -found, atol=1e-6)
    np.testing.assert_allclose(mean_difference(scale * pos, scale * neg), scale * found, rtol=1e-4, atol=1e-5 * scale)
    apart = separation(pos, neg, found)
    assert separation(scale * pos, scale * neg, 3 * found) == pytest.approx(apart, rel=1e-5)
    assert separation(neg, pos, -found) == pytest.approx(apart, rel=1e-5)
