"""Worlds whose truth is known: exact errors, the probability statements on simulated samples, and who escapes and how."""

import numpy as np
import pytest

from wager.errors import DataError
from wager.theory import delta, esty_interval, lemma_1, lemma_2, observation_2, reduce, theorem_3
from wager.theory.learners import always_abstains, by_context, memoriser, n_gram, overconfident, repeats_the_data
from wager.theory.simulate import escapes, exact, trial
from wager.theory.worlds import (
    IDK,
    Facts,
    Sample,
    arbitrary_facts,
    corrupted,
    draw,
    encryption,
    missing_mass,
    multiple_choice,
    pronouns,
    shifted,
)

near = pytest.approx


def world_of(rng, *, prompts=40, ragged=True):
    return arbitrary_facts(
        prompts,
        rng.integers(2, 9, prompts) if ragged else 7,
        rng=rng,
        law="zipf",
        exponent=float(rng.choice([0.0, 0.8, 1.3])),
        answered=rng.random(prompts),
    )


def learners_of(world, sample, rng):
    return {
        "memoriser": memoriser(world, sample),
        "overconfident": overconfident(world, sample, rng=rng),
        "always abstains": always_abstains(world),
        "repeats the data": repeats_the_data(world, sample),
    }


def materialised(world: Facts, abstains, rows):
    """The same replies, one entry for each response; `rows` gives a prompt's probabilities over its answers."""
    prompt, phat, valid, truth = [], [], [], []
    for c, width in enumerate(world.choices):
        alpha = world.answered[c]
        prompt += [c] * (width + 1)
        phat += [abstains[c], *rows(c)]
        valid += [True, *(r == world.answer[c] for r in range(width))]
        truth += [1 - alpha, *(alpha * (r == world.answer[c]) for r in range(width))]
    return reduce(np.array(prompt), phat, np.array(valid), truth=truth, weights=world.weights)


def same(one, other) -> None:
    assert (one.error, one.misclassified, one.delta) == near((other.error, other.misclassified, other.delta), abs=1e-12)
    assert [b.responses for b in one.bins] == [b.responses for b in other.bins]


def test_a_memoriser_by_hand() -> None:
    world = Facts(np.array([0.5, 0.3, 0.2]), np.array([1, 0, 2]), np.array([4, 4, 5]), np.array([1.0, 0.5, 0.8]))
    sample = Sample(np.array([0, 0, 1, 1, 2]), np.array([1, 1, 0, IDK, IDK]), 3)
    assert (sample.n, sample.singletons, sample.times.tolist()) == (5, 1, [2, 1, 0])
    assert missing_mass(world, sample) == near(0.16)
    found = trial(world, sample, memoriser(world, sample))
    assert found.singleton_rate == near(1 / 5)
    assert found.reduced.error == near(0.2 * 0.8 * 4 / 5)
    assert (found.error_unseen, found.error_once, found.error_often) == (near(0.128), 0, 0)
    # at 1/K = 1/3 only the unseen answer (.8/5) and prompt 2's "I don't know" (.2) are missed
    assert found.reduced.misclassified == near(0.2 / 2)
    assert (found.reduced.delta, found.reduced.bound) == (near(0), near(0.2 - 2 / 3))
    assert (found.abstains, found.silent, found.abstains_unseen) == (near(0.19), near(0.19), near(0.2))


def test_closed_forms_equal_written_out_rows() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        world = world_of(rng)
        sample = corrupted(draw(world, int(rng.integers(1, 120)), rng=rng), world, float(rng.choice([0, 0.3])), rng=rng)
        times = sample.times

        def remembered(c, world=world, sample=sample, times=times, share=None):
            alpha = world.answered[c] if share is None else share
            if times[c] == 0:
                return np.full(world.choices[c], alpha / world.choices[c])
            mine = sample.said[(sample.prompt == c) & (sample.said != IDK)]
            return alpha * np.bincount(mine, minlength=world.choices[c]) / times[c]

        same(exact(world, memoriser(world, sample)), materialised(world, 1 - world.answered, remembered))
        silent = (times == 0).astype(float)
        repeated = materialised(world, silent, lambda c, silent=silent: remembered(c, share=1.0) * (1 - silent[c]))
        same(exact(world, repeats_the_data(world, sample)), repeated)
        same(exact(world, always_abstains(world)), materialised(world, np.ones(40), lambda c, world=world: np.zeros(world.choices[c])))


def test_the_n_gram_of_facts_says_what_followed_its_context() -> None:
    rng = np.random.default_rng(2)
    for _ in range(40):
        world = world_of(rng, ragged=False)
        sample = draw(world, 60, rng=rng)
        context = rng.integers(0, 6, 40)
        idk, table = np.zeros(40), np.zeros((40, 7))
        for c in range(40):
            said = sample.said[context[sample.prompt] == context[c]]
            said = said if len(said) else sample.said
            idk[c], table[c] = np.mean(said == IDK), np.bincount(said[said != IDK], minlength=7) / len(said)
        same(exact(world, by_context(world, sample, context)), materialised(world, idk, lambda c, table=table: table[c]))


def test_the_memoriser_is_calibrated_at_every_threshold() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        world = world_of(rng)
        sample = draw(world, 60, rng=rng)
        said = memoriser(world, sample)
        for z in (0.0, 0.01, 0.1, 0.3, 0.7, 0.99):
            assert delta(said.phat, said.truth, z, weights=world.weights[said.prompt] * said.times) == near(0, abs=1e-12)
        unseen = sample.times == 0
        formula = np.sum((world.weights * world.answered * (world.choices - 1) / world.choices)[unseen])
        assert exact(world, said).error == near(formula)


@pytest.mark.parametrize(
    ("law", "exponent", "rate"),
    [("uniform", 0.0, 0.161), ("zipf", 1.0, 0.102), ("zipf", 1.2, 0.052)],
    ids=["uniform", "zipf 1.0", "zipf 1.2"],
)
def test_200_000_samples_of_100_000_birthdays_give_the_known_rates(law, exponent, rate) -> None:
    rng = np.random.default_rng(4)
    world = arbitrary_facts(100_000, 365, rng=rng, law=law, exponent=exponent, answered=0.8)
    sample = draw(world, 200_000, rng=rng)
    found = trial(world, sample, memoriser(world, sample))
    for value in (found.singleton_rate, found.missing_mass, found.reduced.error):
        assert value == near(rate, abs=0.004)
    assert found.reduced.error == near(found.missing_mass * 364 / 365)
    assert found.reduced.delta == near(0, abs=1e-12)
    assert found.lower.value <= found.reduced.error <= found.upper.value
    assert found.error_unseen == near(found.reduced.error)
    assert found.error_once + found.error_often == 0


def test_theorem_1_holds_for_every_learner_in_every_world() -> None:
    rng = np.random.default_rng(5)
    for _ in range(500):
        world = world_of(rng)
        sample = draw(world, 60, rng=rng)
        if rng.random() < 0.3:
            sample = corrupted(sample, world, 0.4, rng=rng)
        for name, said in learners_of(world, sample, rng).items():
            found = exact(world, said)
            assert found.error >= found.bound - 1e-9, name


def test_theorem_2_holds_where_it_says_something() -> None:
    """At these sizes the bound of a calibrated learner is well above 0, so a violation could show."""
    rng = np.random.default_rng(6)
    said_something = 0
    for i in range(12):
        n = int(rng.integers(30_000, 45_000))
        law = {"law": "zipf", "exponent": float(rng.choice([0.0, 0.3])), "answered": float(rng.choice([0.9, 1]))}
        world = arbitrary_facts(int(n * rng.uniform(3, 4)), 100, rng=rng, **law)
        sample = draw(world, n, rng=rng)
        learned = learners_of(world, sample, rng)
        if i < 2:
            learned |= {"n-gram": by_context(world, sample, np.arange(sample.size) % 4000)}
        for name, said in learned.items():
            found = trial(world, sample, said)
            assert found.reduced.error >= found.lower.value, name
            said_something += not found.lower.vacuous
            if name == "memoriser":
                assert found.reduced.error <= found.upper.value
                # without its generous term for chance, it is what the singletons say, within a few standard errors
                assert found.reduced.error == near(found.singleton_rate * 0.99, abs=6 / np.sqrt(n))
    assert said_something >= 12


def test_the_lemmas_hold_on_simulated_samples() -> None:
    rng = np.random.default_rng(7)
    for _ in range(100):
        world = arbitrary_facts(3000, 50, rng=rng, exponent=float(rng.choice([0.0, 0.7])), answered=0.8)
        sample = draw(world, 3000, rng=rng)
        low, high = lemma_1(sample.singletons, sample.n)
        assert low <= missing_mass(world, sample) <= high
        twice = 2 * exact(world, memoriser(world, sample)).misclassified
        assert twice >= lemma_2(sample.singletons, sample.n)


def test_turings_estimate_exceeds_the_missing_mass_by_at_most_1_over_n_on_average() -> None:
    rng = np.random.default_rng(8)
    world = arbitrary_facts(12, 3, rng=rng)
    excess = []
    for _ in range(6000):
        sample = draw(world, 8, rng=rng)
        excess.append(sample.singletons / 8 - missing_mass(world, sample))
    error = 4 * np.std(excess) / np.sqrt(len(excess))
    assert -error < np.mean(excess) < 1 / 8 + error
    assert np.mean(excess) > error  # the excess itself is real: a rate over distinct prompts would miss this window


def test_estys_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(9)
    hits = []
    for _ in range(600):
        world = arbitrary_facts(2000, 3, rng=rng, exponent=0.5)
        sample = draw(world, 2000, rng=rng)
        low, high = esty_interval(sample.singletons, int(np.sum(sample.times == 2)), sample.n)
        hits.append(low <= missing_mass(world, sample) <= high)
    assert 0.92 < np.mean(hits) < 0.98


@pytest.fixture(scope="module")
def birthdays():
    rng = np.random.default_rng(10)
    world = arbitrary_facts(20_000, 365, rng=rng, exponent=0.5, answered=0.9)
    return world, draw(world, 20_000, rng=rng)


def test_a_calibrated_learner_escapes_nothing(birthdays) -> None:
    assert escapes(trial(*birthdays, memoriser(*birthdays))) == ()


def test_an_ngram_escapes_nothing(birthdays) -> None:
    world, sample = birthdays
    found = trial(world, sample, by_context(world, sample, np.zeros(sample.size, dtype=int)))
    assert found.reduced.error > 0.89
    assert escapes(found) == ()


def test_a_learner_that_always_abstains_escapes_by_miscalibration_and_is_named(birthdays) -> None:
    world, sample = birthdays
    found = trial(world, sample, always_abstains(world))
    assert found.reduced.error == 0
    assert found.reduced.delta == near(0.9)
    (escape,) = escapes(found)
    assert escape.assumption == "calibration"
    assert "delta = 90.0%" in escape.said
    assert "100.0% of what it never saw" in escape.said


def test_a_learner_that_only_repeats_the_data_escapes_by_miscalibration_and_is_named(birthdays) -> None:
    world, sample = birthdays
    found = trial(world, sample, repeats_the_data(world, sample))
    assert found.reduced.error == 0
    (escape,) = escapes(found)
    assert escape.assumption == "calibration"
    assert found.reduced.delta >= found.calibrated_floor  # Theorem 1: what it saves, it pays in delta


def test_an_overconfident_learner_is_not_calibrated_but_escapes_nothing(birthdays) -> None:
    world, sample = birthdays
    found = trial(world, sample, overconfident(world, sample, rng=np.random.default_rng(11)))
    assert found.reduced.delta > 0.3
    assert found.reduced.error > trial(world, sample, memoriser(world, sample)).reduced.error
    assert escapes(found) == ()


def test_garbage_in_adds_errors_and_is_named(birthdays) -> None:
    world, sample = birthdays
    dirty = corrupted(sample, world, 0.3, rng=np.random.default_rng(12))
    found, clean = trial(world, dirty, memoriser(world, dirty)), trial(world, sample, memoriser(world, sample))
    assert found.singleton_rate == clean.singleton_rate
    assert found.reduced.error > clean.reduced.error + 0.05
    assert min(found.error_once, found.error_often) > 0.01
    assert found.error_unseen + found.error_once + found.error_often == near(found.reduced.error)
    (escape,) = escapes(found)
    assert escape.assumption == "true data"
    assert found.contradicted == near(0.27, abs=0.01)


def test_a_shift_towards_seen_prompts_goes_below_the_floor_and_is_named(birthdays) -> None:
    world, sample = birthdays
    asked = shifted(world, np.where(sample.times > 0, world.weights, 0.01 * world.weights))
    found = trial(world, sample, memoriser(world, sample), asked=asked)
    assert found.reduced.error < 0.05 < found.data_floor
    (escape,) = escapes(found)
    assert escape.assumption == "same law"
    assert trial(world, sample, memoriser(world, sample)).shifted is False


def test_the_trigram_errs_on_half_and_the_longer_model_on_none() -> None:
    world = pronouns()
    trigram, longer = exact(world, n_gram(world, 3)), exact(world, n_gram(world, 9))
    assert (trigram.error, trigram.choice_bound) == (0.5, theorem_3(0.5, 2))
    assert longer.error == 0


def test_multiple_choice_has_one_valid_response_and_theorem_3_holds_for_ngrams() -> None:
    rng = np.random.default_rng(13)
    world = multiple_choice(50, 4, rng=rng, exponent=1.0)
    assert np.bincount(world.prompt, weights=world.valid).tolist() == [1.0] * 50
    assert world.truth[world.valid].min() == 1
    blind, sharp = exact(world, n_gram(world, 1)), exact(world, n_gram(world, 2))
    assert blind.error >= blind.choice_bound > 0.2
    assert (sharp.error, sharp.choice_bound) == (0, 0)


def test_an_unbroken_encryption_obeys_observation_2() -> None:
    rng = np.random.default_rng(14)
    world = encryption(200, rng=rng, answered=0.95)
    assert sorted(world.answer) == list(range(200))
    nothing = Sample(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), 200)
    found = exact(world, memoriser(world, nothing))
    assert found.error == near(0.95 * 199 / 200)
    beta = 1 - 2 * found.misclassified
    assert found.error >= observation_2(beta, 200, found.delta)
    assert observation_2(beta, 200, found.delta) > 0.9


def test_corruption_is_always_wrong_and_spares_idk() -> None:
    rng = np.random.default_rng(15)
    world = world_of(rng)
    sample = draw(world, 500, rng=rng)
    dirty = corrupted(sample, world, 1.0, rng=rng)
    said = sample.said != IDK
    assert np.array_equal(dirty.said[~said], sample.said[~said])
    assert np.all(dirty.said[said] != world.answer[sample.prompt[said]])
    assert np.all(dirty.said[said] < world.choices[sample.prompt[said]])


def test_the_same_seed_gives_the_same_world_and_sample() -> None:
    one, other = (np.random.default_rng(16) for _ in range(2))
    worlds = [world_of(rng) for rng in (one, other)]
    assert np.array_equal(worlds[0].answer, worlds[1].answer)
    assert np.array_equal(draw(worlds[0], 30, rng=one).said, draw(worlds[1], 30, rng=other).said)


@pytest.mark.parametrize(
    "call",
    [
        lambda rng: arbitrary_facts(0, 3, rng=rng),
        lambda rng: arbitrary_facts(3, 1, rng=rng),
        lambda rng: arbitrary_facts(3, 3, rng=rng, answered=1.2),
        lambda rng: arbitrary_facts(3, 3, rng=rng, law="normal"),
        lambda rng: multiple_choice(3, 1, rng=rng),
        lambda rng: shifted(arbitrary_facts(3, 3, rng=rng), [1.0, -1.0, 1.0]),
        lambda rng: corrupted(draw(arbitrary_facts(3, 3, rng=rng), 5, rng=rng), arbitrary_facts(3, 3, rng=rng), 1.5, rng=rng),
        lambda rng: n_gram(pronouns(), 0),
        lambda rng: by_context(arbitrary_facts(2, [3, 4], rng=rng), Sample(np.array([0]), np.array([1]), 2), np.zeros(2, dtype=int)),
        lambda rng: trial(w := arbitrary_facts(3, 3, rng=rng), draw(w, 0, rng=rng), always_abstains(w)),
    ],
)
def test_impossible_worlds_are_refused(call) -> None:
    with pytest.raises(DataError):
        call(np.random.default_rng(0))
