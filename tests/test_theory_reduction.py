"""The reduction on finite sets: against a plain second implementation, thousands of random worlds, tight ones, and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.errors import DataError, UsageError
from wager.theory import best_threshold, delta, delta_estimate, misclassified_at, parts, reduce, rescaled_loss, rescaling_derivative

near = pytest.approx
ROUNDING = 1e-8


def random_set(rng, *, pure=False, unlisted=True):
    """Prompts with ragged responses, a truth, a model that may be sharp or flat, a law, and mass on unlisted responses."""
    size = int(rng.integers(1, 6))
    prompt, valid, truth, phat, nonsense = [], [], [], [], []
    for c in range(size):
        n_valid, n_errors = 1 if pure else int(rng.integers(1, 4)), int(rng.integers(1, 9))
        kinds = rng.permutation(np.arange(n_valid + n_errors) < n_valid)
        true = np.zeros(len(kinds))
        true[kinds] = rng.dirichlet(np.full(n_valid, rng.choice([0.2, 1, 5])))
        made = rng.dirichlet(np.full(len(kinds) + 1, rng.choice([0.05, 0.3, 1, 20])))
        if not unlisted or rng.random() < 0.5:
            made[-1] = 0
            made /= made.sum()
        prompt += [c] * len(kinds)
        valid += kinds.tolist()
        truth += true.tolist()
        phat += made[:-1].tolist()
        nonsense.append(float(made[-1]))
    order = rng.permutation(len(prompt))
    arrays = {"prompt": np.array(prompt), "phat": np.array(phat), "valid": np.array(valid)}
    return {key: value[order] for key, value in arrays.items()} | {
        "truth": np.array(truth)[order],
        "weights": rng.dirichlet(np.ones(size)),
        "nonsense": np.array(nonsense),
    }


def plainly(prompt, phat, valid, truth, weights, nonsense, threshold=None):
    """The definitions of section 3.2, one response at a time."""
    errors = [sum(1 for c, v in zip(prompt, valid, strict=True) if c == d and not v) for d in range(len(weights))]
    goods = [sum(1 for c, v in zip(prompt, valid, strict=True) if c == d and v) for d in range(len(weights))]
    z = 1 / min(errors) if threshold is None else threshold
    err = float(np.dot(weights, nonsense))
    wrong = model = true = 0.0
    for c, q, v, p in zip(prompt, phat, valid, truth, strict=True):
        err += 0 if v else weights[c] * q
        mass = weights[c] * (p / 2 if v else 1 / (2 * errors[c]))
        wrong += mass if (q > z) != v else 0
        model += weights[c] * q if q > z else 0
        true += weights[c] * p if q > z else 0
    return err, wrong, abs(model - true), 2 * wrong - max(goods) / min(errors) - abs(model - true)


def test_by_hand_with_two_prompts_a_law_and_unlisted_mass() -> None:
    found = reduce(
        np.array([0, 0, 0, 1, 1, 1, 1]),
        [0.5, 0.3, 0.1, 0.2, 0.1, 0.6, 0.1],
        [True, True, False, True, False, False, False],
        truth=[0.75, 0.25, 0, 1, 0, 0, 0],
        weights=[0.25, 0.75],
        nonsense=[0.1, 0.0],
    )
    # K = 1 error of prompt 0, so nothing is above 1/K = 1: every valid response is missed, and no error
    assert found.fewest_errors == 1
    assert found.most_valid == 2
    assert found.error == near(0.25 * 0.2 + 0.75 * 0.8)
    assert found.misclassified == near(0.5)
    assert (found.delta, found.bound) == (near(0), near(1 - 2))
    assert (found.choice_bound, found.choice_threshold) == (None, None)


def test_by_hand_with_a_threshold_that_divides() -> None:
    prompt, valid = np.array([0, 0, 0, 0, 1, 1, 1, 1]), [True, False, False, False] * 2
    phat = [0.7, 0.1, 0.1, 0.1, 0.2, 0.5, 0.2, 0.1]
    found = reduce(prompt, phat, valid)
    # 1/K = 1/3: prompt 1 loses its valid response (1/2 * 1/2) and takes one error of three for valid (1/2 * 1/6)
    assert found.misclassified == near(0.25 + 1 / 12)
    assert found.delta == near(abs((0.7 + 0.5) / 2 - 1 / 2))
    assert found.error == near(0.55)
    assert found.bound == near(2 / 3 - 1 / 3 - 0.1)
    assert misclassified_at(prompt, phat, valid, 0.15) == near((1 / 6 + 1 / 6) / 2)
    least, threshold = best_threshold(prompt, phat, valid)
    assert (least, threshold) == (near(1 / 6), 0.1)
    assert found.choice_bound == near(2 * 0.75 / 6)
    assert found.choice_threshold == 0.1


def test_two_implementations_agree_on_random_sets() -> None:
    rng = np.random.default_rng(1)
    for _ in range(500):
        world = random_set(rng)
        found = reduce(**world)
        assert (found.error, found.misclassified, found.delta, found.bound) == near(plainly(**world), abs=1e-12)
        z = float(rng.random())
        assert misclassified_at(threshold=z, **world) == near(plainly(**world, threshold=z)[1], abs=1e-12)


def test_theorem_1_is_never_violated() -> None:
    rng = np.random.default_rng(2)
    slack = [(found := reduce(**random_set(rng), bins=2)).error - found.bound for _ in range(6000)]
    assert min(slack) > -ROUNDING


def test_corollary_1_is_never_violated_without_prompts() -> None:
    rng = np.random.default_rng(3)
    for _ in range(1500):
        n_valid, n_errors = rng.integers(1, 6, 2)
        valid = np.arange(n_valid + n_errors) < n_valid
        truth = np.zeros(len(valid))
        truth[valid] = rng.dirichlet(np.ones(n_valid))
        phat = rng.dirichlet(np.full(len(valid), rng.choice([0.1, 1, 10])))
        above = phat > 1 / n_errors
        wrong = truth[valid & ~above].sum() / 2 + np.sum(~valid & above) / (2 * n_errors)
        found = reduce(np.zeros(len(valid), dtype=int), phat, valid, truth=truth)
        assert found.bound == near(2 * wrong - n_valid / n_errors - delta(phat, truth, 1 / n_errors), abs=1e-12)
        assert phat[~valid].sum() >= found.bound - ROUNDING


def test_theorem_4_is_never_violated_and_theorem_3_follows() -> None:
    rng = np.random.default_rng(4)
    for _ in range(3000):
        world = random_set(rng, pure=True)
        found = reduce(**world, bins=2)
        assert found.choice_bound is not None
        assert found.error >= found.choice_bound - ROUNDING


def test_theorem_4_fails_at_other_thresholds_so_the_best_one_matters() -> None:
    prompt, phat, valid = np.array([0, 0]), [1.0, 0.0], [True, False]
    assert misclassified_at(prompt, phat, valid, 1.0) == 0.5
    found = reduce(prompt, phat, valid)
    assert (found.error, found.choice_bound) == (0.0, 0.0)


def test_the_best_threshold_is_the_least_of_all() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        world = random_set(rng)
        least, threshold = best_threshold(**world)
        every = [misclassified_at(threshold=float(z), **world) for z in np.append(world["phat"], 0.0)]
        assert least == near(min(every), abs=1e-12)
        assert misclassified_at(threshold=threshold * (1 + 1e-12), **world) == near(least, abs=1e-12)


@pytest.mark.parametrize(("k", "errors"), [(1, 2), (1, 364), (2, 5), (3, 7)])
@pytest.mark.parametrize("unlisted", [False, True])
def test_a_world_with_every_valid_response_at_the_threshold_is_tight(k: int, errors: int, unlisted: bool) -> None:
    """phat = 1/K on each valid response and at most 1/K elsewhere: delta is 0 and err equals the bound."""
    rest = 1 - k / errors
    phat = np.append(np.full(k, 1 / errors), np.full(errors, 0.0 if unlisted else rest / errors))
    found = reduce(np.zeros(k + errors, dtype=int), phat, np.arange(k + errors) < k, nonsense=[rest if unlisted else 0.0])
    assert found.delta == 0
    assert found.error == near(found.bound, abs=1e-12)
    assert found.error == near(rest)


@pytest.mark.parametrize("choices", [2, 4, 10])
def test_a_model_without_preference_is_tight_for_multiple_choice(choices: int) -> None:
    valid = np.arange(choices) == 0
    found = reduce(np.zeros(choices, dtype=int), np.full(choices, 1 / choices), valid)
    assert found.choice_bound == near(found.error)
    assert found.error == near(1 - 1 / choices)
    assert found.choice_threshold == 0.0  # every threshold is as good; the smallest is told
    assert found.delta == 0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_order_and_merging_of_equal_responses_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = random_set(rng)
    times = rng.integers(1, 4, len(world["prompt"]))
    split = {key: np.repeat(world[key] / (times if key in ("phat", "truth") else 1), times) for key in ("phat", "truth")}
    many = world | split | {"prompt": np.repeat(world["prompt"], times), "valid": np.repeat(world["valid"], times)}
    order = rng.permutation(len(many["prompt"]))
    many |= {key: many[key][order] for key in ("prompt", "phat", "valid", "truth")}
    merged = world | {"phat": world["phat"] / times, "truth": world["truth"] / times, "times": times}
    one, other = reduce(**merged), reduce(**many)
    assert one.bound == near(other.bound, abs=1e-12)
    assert one.error == near(other.error, abs=1e-12)
    assert [b.responses for b in one.bins] == [b.responses for b in other.bins]


def test_bins_hold_all_listed_mass_and_have_an_edge_at_the_threshold() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        world = random_set(rng)
        found = reduce(**world, bins=int(rng.integers(2, 15)))
        edges = [one.low for one in found.bins] + [1.0]
        assert edges == sorted(edges)
        assert edges == near([0.0, *(one.high for one in found.bins)])
        assert min(abs(edge - 1 / found.fewest_errors) for edge in edges) == 0
        assert sum(one.model for one in found.bins) == near(1 - world["weights"] @ world["nonsense"])
        assert sum(one.truth for one in found.bins) == near(1)
        assert sum(one.responses for one in found.bins) == len(world["prompt"])
        above = [one for one in found.bins if one.low >= 1 / found.fewest_errors]
        assert abs(sum(one.model - one.truth for one in above)) == near(found.delta, abs=1e-12)


def test_parts_average_to_the_whole() -> None:
    rng = np.random.default_rng(7)
    for _ in range(100):
        world = random_set(rng)
        mu = world["weights"]
        found, whole = parts(**{key: world[key] for key in world if key != "weights"}), reduce(**world)
        assert mu @ found.error == near(whole.error)
        assert mu @ found.misclassified == near(whole.misclassified)
        assert abs(mu @ (found.model_above - found.truth_above)) == near(whole.delta, abs=1e-12)


def test_the_most_probable_response_is_shared_where_several_are() -> None:
    found = parts(np.array([0, 0, 0, 1, 1]), [0.4, 0.4, 0.2, 0.3, 0.7], [True, False, False, True, False])
    assert found.top_valid.tolist() == [0.5, 0.0]


def test_a_probability_on_the_threshold_is_not_above_it_whatever_its_last_bit() -> None:
    phat = np.append(0.25, np.full(4, 0.1875))
    valid = np.arange(5) < 1
    for shake in (1 - 1e-15, 1.0, 1 + 1e-15):
        assert reduce(np.zeros(5, dtype=int), phat * shake, valid).misclassified == 0.5
    assert reduce(np.zeros(5, dtype=int), [0.26, 0.185, 0.185, 0.185, 0.185], valid).misclassified == 0.0


def test_single_precision_is_mended_and_larger_gaps_are_refused() -> None:
    valid = np.array([True, False, False])
    found = reduce(np.zeros(3, dtype=int), np.array([0.5, 0.3, 0.20002]), valid)
    assert found.error == near(0.50002 / 1.00002)
    with pytest.raises(DataError, match=r"sums to 0\.95, not 1; renormalise"):
        reduce(np.zeros(3, dtype=int), [0.5, 0.3, 0.15], valid)


GOOD = {"prompt": np.array([0, 0, 1, 1]), "phat": [0.5, 0.5, 0.9, 0.1], "valid": [True, False, True, False]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"valid": [True, True, True, False]}, "prompt 0 has no erroneous response"),
        ({"valid": [True, False, False, False]}, "prompt 1 has no valid response"),
        ({"prompt": np.array([0, 0, 2, 2])}, "prompt 1 has no valid response"),
        ({"prompt": np.array([0, 0, 9, 9])}, "without gaps"),
        ({"prompt": np.array([0, 0, -1, -1])}, "integers from 0"),
        ({"prompt": np.array([0.0, 0.0, 1.0, 1.0])}, "integers from 0"),
        ({"valid": [1, 0, 1, 0]}, "booleans"),
        ({"phat": [0.5, 0.5, 1.0]}, "must be (4,)"),
        ({"phat": [0.5, 0.5, np.nan, 1.0]}, "found nan"),
        ({"phat": [1.5, -0.5, 0.5, 0.5]}, "must lie in [0, 1]"),
        ({"truth": [0.5, 0.5, 1, 0]}, "noiseless"),
        ({"truth": [0.5, 0.0, 1, 0]}, "truth of prompt 0 sums to 0.5"),
        ({"weights": [0.5, -0.5]}, "not negative"),
        ({"weights": [0.0, 0.0]}, "not all 0"),
        ({"nonsense": [0.0]}, "nonsense has shape"),
        ({"times": [1, 1, 0, 1]}, "times must be 4 integers from 1"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, said) -> None:
    with pytest.raises(DataError) as raised:
        reduce(**(GOOD | change))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_one_bin_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 2"):
        reduce(**GOOD, bins=1)


def test_the_rescaling_derivative_is_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(8)
    for _ in range(300):
        world = random_set(rng, unlisted=False)
        phat = np.maximum(world["phat"], 1e-3)
        phat /= np.bincount(world["prompt"], weights=phat)[world["prompt"]]
        weights = world["weights"][world["prompt"]]
        z = float(rng.choice([0.05, 1 / 3, 0.6]))
        step = 1e-5
        up, down = (rescaled_loss(phat, world["truth"], z, 1 + d, prompt=world["prompt"], weights=weights) for d in (step, -step))
        slope = rescaling_derivative(phat, world["truth"], z, weights=weights)
        assert (up - down) / (2 * step) == near(slope, abs=1e-8)
        assert delta(phat, world["truth"], z, weights=weights) == abs(slope)


def test_where_delta_is_not_0_rescaling_lowers_the_loss() -> None:
    phat, truth = [0.5, 0.3, 0.2], [0.9, 0.1, 0.0]
    slope = rescaling_derivative(phat, truth, 0.25)
    assert slope == near(-0.2)
    assert rescaled_loss(phat, truth, 0.25, 1.1) < rescaled_loss(phat, truth, 0.25, 1.0)
    assert rescaled_loss([0.0, 1.0], [0.5, 0.5], 0.25, 1.0) == float("inf")


def test_the_loss_weighs_each_response_by_its_true_probability() -> None:
    """The paper's prompted loss prints no p(r|c), a slip: without it an unlikely response would count as much as a likely one."""
    loss = rescaled_loss([0.8, 0.2, 0.5, 0.5], [0.9, 0.1, 0.5, 0.5], 0.99, 1.0, prompt=np.array([0, 0, 1, 1]), weights=[0.5] * 4)
    assert loss == near(-0.5 * (0.9 * np.log(0.8) + 0.1 * np.log(0.2)) - 0.5 * np.log(0.5))


def test_a_flat_model_has_delta_0_without_being_right() -> None:
    assert delta(np.full(10, 0.1), np.append(1.0, np.zeros(9)), 1 / 9) == 0


def test_an_auditor_recovers_delta_from_samples() -> None:
    rng = np.random.default_rng(9)
    phat, truth = np.array([0.5, 0.3, 0.1, 0.1]), np.array([0.2, 0.2, 0.6, 0.0])
    ours, theirs = (phat[rng.choice(4, 40_000, p=law)] for law in (phat, truth))
    assert delta_estimate(ours, theirs, 0.25) == near(delta(phat, truth, 0.25), abs=0.01)
    with pytest.raises(DataError, match="neither may be empty"):
        delta_estimate([], [0.1], 0.5)
    with pytest.raises(DataError, match="equally long"):
        delta([0.5, 0.5], [1.0], 0.1)
    with pytest.raises(DataError, match="not negative"):
        delta([1.5, -0.5], [1.0, 0.0], 0.1)
    with pytest.raises(DataError, match="scale is 0"):
        rescaled_loss([1.0], [1.0], 0.1, 0)
