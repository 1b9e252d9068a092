"""Probes and the surface baseline: planted directions, referees, simulated guarantees, and a confound that must not pass."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import wager.steering.baseline as baseline_module
import wager.steering.probe as probe_module
from wager.errors import DataError, UsageError
from wager.steering.backend import ModelIdentity
from wager.steering.baseline import baseline, beside, compare, surface_features
from wager.steering.held_out import coded, fit_logistic, phrasing_folds, question_folds, within_auroc, within_difference
from wager.steering.probe import Probe, false_fire_threshold, fit_probe, held_out_scores

WIDTH = 24


def identity(width: int = WIDTH, blocks: int = 8, weights: str = "w") -> ModelIdentity:
    return ModelIdentity(name="toy", architecture="toy", blocks=blocks, width=width, vocabulary=5, tokens="t", weights=weights)


class World:
    """Subjects asked about in several phrasings; what is planted: nothing at block 0, a direction that turns with the phrasing at block 1,
    the truth at block 2."""

    def __init__(self, seed=0, subjects=80, phrasings=3, strength=3.0, crossed=True, offsets=6.0) -> None:
        rng = np.random.default_rng(seed)
        if crossed:
            self.subject = np.repeat(np.arange(subjects), phrasings)
            self.phrasing = np.tile(np.arange(phrasings), subjects)
        else:
            self.subject = np.arange(subjects)
            self.phrasing = (np.arange(subjects) // 2) % phrasings
        self.label = self.subject % 2
        n = len(self.label)
        self.x = rng.normal(size=(n, 3, WIDTH))
        self.x += offsets * rng.normal(size=(phrasings, 3, WIDTH))[self.phrasing]
        sign = np.where(self.label == 1, 0.5, -0.5)
        self.x[:, 1] += sign[:, None] * 8 * np.eye(WIDTH)[self.phrasing]
        self.axis = np.eye(WIDTH)[10]
        self.x[:, 2] += strength * sign[:, None] * self.axis
        self.x += 50  # a common offset, as residual streams have

    def probe(self, **options) -> Probe:
        given = {
            "name": "known",
            "what": "the subject is unknown",
            "model": identity(),
            "pool": "prompt_last",
            "blocks": [2, 4, 6],
            "rate": 0.2,
        }
        return fit_probe(self.x, self.label, groups=self.phrasing, questions=self.subject, **(given | options))


def test_examples() -> None:
    assert doctest.testmod(probe_module).failed == 0
    assert doctest.testmod(baseline_module).failed == 0


@pytest.mark.parametrize("method", ["whitened", "mean difference", "logistic"])
@pytest.mark.parametrize("crossed", [True, False])
def test_the_planted_block_and_direction_are_found(method, crossed) -> None:
    world = World(strength=4.0, crossed=crossed)
    found = world.probe(method=method, rate=0.3)
    assert found.block == 6  # block 1 of the world separates better within each phrasing, and on no other one
    assert abs(found.direction @ world.axis) > (0.75 if crossed else 0.6)
    assert found.direction @ world.axis > 0
    assert np.linalg.norm(found.direction) == pytest.approx(1, abs=1e-6)
    within = found.receipts["held-out phrasings, within"]
    assert within["value"] > 0.95
    assert within["low"] < within["value"]
    assert found.receipts["by block, within"]["2"] < 0.7


def test_probability_projection_and_gate_are_one_scale() -> None:
    world = World()
    found = world.probe()
    x = world.x[:, 2]
    assert found.projection(x) == pytest.approx(x @ found.direction.astype(float))
    assert found.projection(x[0]).shape == ()
    assert found.probability(x) == pytest.approx(1 / (1 + np.exp(-(found.slope * found.projection(x) + found.intercept))))
    assert np.array_equal(found.fires(x), found.projection(x) > found.threshold.value)
    assert found.watch().block == 6


def test_nothing_planted_is_told_as_chance() -> None:
    rng = np.random.default_rng(5)
    world = World(strength=0.0)
    world.x = rng.normal(size=world.x.shape)
    found = world.probe(rate=0.5)
    held = found.receipts["held-out phrasings"]
    assert held["low"] < 0.5 < held["high"]
    assert np.ptp(found.probability(world.x[:, 0])) < 0.6


def fresh_rows(world: World, truth, rng: np.random.Generator):
    """Rows of new subjects at the world's last block."""
    middle = 50 + np.where(np.asarray(truth) == 1, 1.5, -1.5)[:, None] * world.axis
    return middle + rng.normal(size=(len(truth), WIDTH))


def test_probabilities_are_calibrated_on_fresh_rows() -> None:
    gaps = []
    for seed in range(8):
        world, rng = World(seed, subjects=120, offsets=0.0), np.random.default_rng(100 + seed)
        truth = rng.integers(0, 2, 4000)
        p = world.probe().probability(fresh_rows(world, truth, rng))
        parts = [(p > low) & (p <= low + 0.25) for low in (0, 0.25, 0.5, 0.75)]
        gaps.append([p[part].mean() - truth[part].mean() for part in parts])
    assert np.abs(np.mean(gaps, axis=0)).max() < 0.06


def test_phrasings_that_shift_a_projection_make_probabilities_less_sure() -> None:
    plain, shifted = (World(seed=1, subjects=120, offsets=by) for by in (0.0, 6.0))
    assert shifted.probe().slope < plain.probe().slope / 2


def test_another_share_moves_the_intercept_only() -> None:
    found = World().probe()
    moved = found.with_share(0.1)
    at = -found.intercept / found.slope  # where the probability was one half
    assert found.probability_at(at) == pytest.approx(0.5)
    assert moved.probability_at(at) == pytest.approx(0.1)
    assert moved.with_share(0.5).intercept == pytest.approx(found.intercept)
    assert moved.slope == found.slope


def test_a_threshold_keeps_to_its_rate_in_95_of_100_worlds() -> None:
    rng = np.random.default_rng(0)
    exact = [norm.sf(false_fire_threshold(rng.normal(size=n), 0.1).value) for n in (40, 73, 150) for _ in range(400)]
    assert 0.02 < np.mean(np.array(exact) > 0.1) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1200)
    average = [norm.sf(false_fire_threshold(rng.normal(size=39), 0.1, bound="empirical").value) for _ in range(2000)]
    assert np.mean(average) == pytest.approx(0.1, abs=0.005)


def test_the_rate_of_a_fitted_probe_holds_on_fresh_negatives() -> None:
    rates, exact = [], []
    for seed in range(24):
        world, rng = World(seed, subjects=80, phrasings=2, offsets=0.0), np.random.default_rng(1000 + seed)
        found = world.probe(rate=0.1, blocks=[2, 4, 6])
        middle = (50 - 1.5 * world.axis) @ found.direction.astype(float)
        rates.append(norm.sf(found.threshold.value - middle))
        again = found.at_rate(fresh_rows(world, np.zeros(60), rng), 0.1)
        exact.append(norm.sf(again.threshold.value - middle))
    assert np.mean(np.array(rates) > 0.1) <= 0.1
    assert np.mean(np.array(exact) > 0.1) <= 0.15
    assert np.mean(exact) > 0.02  # not by never firing


def test_ties_only_make_a_gate_fire_less() -> None:
    found = false_fire_threshold([1.0] * 90 + [2.0] * 10, 0.1)
    assert (found.value, found.fired) == (2.0, 0)
    assert found.upper < 0.1


@pytest.mark.parametrize(
    ("rate", "bound", "needed"),
    [(0.05, "clopper-pearson", 59), (0.1, "clopper-pearson", 29), (0.05, "empirical", 19), (0.1, "empirical", 9)],
)
def test_too_few_negatives_say_how_many_are_needed(rate, bound, needed) -> None:
    assert false_fire_threshold(range(needed), rate, bound=bound).fired == 0
    with pytest.raises(UsageError, match=f"needs at least {needed} independent negatives, got {needed - 1}"):
        false_fire_threshold(range(needed - 1), rate, bound=bound)


def test_rows_of_one_subject_are_not_independent_negatives() -> None:
    with pytest.raises(UsageError, match="needs at least 59 independent negatives, got 40"):
        World(subjects=80).probe(rate=0.05)  # 120 negative rows, 40 subjects
    told = World(subjects=80).probe(rate=0.1).receipts["thresholds"]
    assert told["empirical"]["value"] < told["clopper-pearson"]["value"]
    assert World(subjects=30).probe(rate=0.1, bound="empirical").receipts["thresholds"]["clopper-pearson"]["value"] is None


def test_held_out_subjects_are_seen_by_no_fit() -> None:
    world = World(subjects=20)
    labels = world.label.astype(bool)
    for fold in [*phrasing_folds(labels, world.phrasing, world.subject), *question_folds(labels, world.subject)]:
        assert not np.isin(world.subject[fold.train], world.subject[fold.test]).any()
    for fold in phrasing_folds(labels, world.phrasing, world.subject):
        assert (world.phrasing[fold.test] == fold.stratum).all()
        assert (world.phrasing[fold.train] != fold.stratum).all()
    for folds in (phrasing_folds(labels, world.phrasing, world.subject), question_folds(labels, world.subject)):
        assert np.array_equal(np.sort(np.concatenate([fold.test for fold in folds])), np.arange(60))


def test_the_choice_of_the_block_does_not_flatter_the_auroc_that_is_told() -> None:
    told, best = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(60, 24, 12))  # nothing at any of 24 blocks
        label, phrasing = np.arange(60) % 2, (np.arange(60) // 2) % 3
        found = fit_probe(x, label, groups=phrasing, name="n", what="w", model=identity(12, 24), pool="prompt_last", rate=0.5)
        told.append(found.receipts["held-out phrasings"]["value"])
        best.append(max(found.receipts["by block"].values()))
    assert np.mean(best) > 0.6
    assert abs(np.mean(told) - 0.5) < 0.06


def test_phrasings_that_confound_or_do_not_suffice_are_refused() -> None:
    world = World()
    with pytest.raises(UsageError, match="no phrasing has rows of both kinds"):
        fit_probe(world.x, world.label, groups=world.label, name="n", what="w", model=identity(), pool="prompt_last")
    with pytest.raises(UsageError, match="at least two of them, got 1"):
        fit_probe(world.x, world.label, groups=np.zeros(240), name="n", what="w", model=identity(), pool="prompt_last")
    with pytest.raises(UsageError, match="labels are all 0"):
        fit_probe(world.x, 0 * world.label, groups=world.phrasing, name="n", what="w", model=identity(), pool="prompt_last")
    with pytest.raises(UsageError, match="a label is 0 or 1"):
        fit_probe(world.x, world.label + 0.5, groups=world.phrasing, name="n", what="w", model=identity(), pool="prompt_last")
    broken = world.x.copy()
    broken[3, 1, 1] = np.nan
    with pytest.raises(DataError, match="1 of 240 rows"):
        fit_probe(broken, world.label, groups=world.phrasing, name="n", what="w", model=identity(), pool="prompt_last")


def test_a_probe_refuses_other_models_widths_and_broken_activations() -> None:
    found = World().probe()
    with pytest.raises(UsageError, match="width 24, got shape"):
        found.projection(np.zeros((2, 25)))
    with pytest.raises(DataError, match="not finite"):
        found.fires(np.full(WIDTH, np.nan))
    found.check_for(identity())
    with pytest.raises(UsageError, match="other weights"):
        found.check_for(identity(weights="v"))
    with pytest.raises(UsageError, match="number of blocks 8; toy has 9"):
        found.check_for(identity(blocks=9))


def test_logistic_fits_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 5)), rng.integers(0, 2, 80)
    mine, theirs = fit_logistic(x, y.astype(float), ridge=2.0), LogisticRegression(C=0.5, tol=1e-10).fit(x, y)
    np.testing.assert_allclose(mine.weights, theirs.coef_[0], atol=1e-5)
    assert mine.intercept == pytest.approx(float(theirs.intercept_[0]), abs=1e-5)


class OffsetWorld:
    """Six phrasings. At block 0 the label moves axis 0 by 5, and each phrasing moves axes 0 and 1 together by -20 to 20, far more than the
    label does; at block 1 the label moves axis 0 by 2, and no phrasing does anything."""

    def __init__(self, seed: int = 0, each: int = 20, width: int = WIDTH) -> None:
        rng = np.random.default_rng(seed)
        self.phrasing = np.repeat(np.arange(6), each)
        self.label = np.arange(6 * each) % 2
        self.x = rng.normal(size=(6 * each, 2, width))
        self.x[:, 0, 0] += 5 * self.label
        self.x[:, 0, :2] += np.array([-20.0, 12, -4, 4, -12, 20])[self.phrasing][:, None]
        self.x[:, 1, 0] += 2 * self.label

    def held(self, block: int, **options):
        return held_out_scores(self.x[:, [block]], self.label, groups=self.phrasing, hold="phrasing", **options)

    def probe(self, **options) -> Probe:
        given = {"name": "known", "what": "w", "model": identity(blocks=2), "pool": "prompt_last", "rate": 0.1}
        return fit_probe(self.x, self.label, groups=self.phrasing, **(given | options))


def test_one_threshold_over_phrasings_needs_a_direction_without_their_offsets() -> None:
    world = OffsetWorld()
    plain, whitened = (world.held(0, method=method) for method in ("mean difference", "whitened"))
    assert plain.auroc.value > 0.9  # inside one phrasing it looks like a good probe
    assert plain.pooled.value < 0.65
    assert plain.pooled.value == pytest.approx(roc_auc_score(world.label, plain.score))
    assert whitened.auroc.value > 0.9
    assert whitened.pooled.value > 0.9
    assert plain.pooled.high < whitened.pooled.low


def test_the_direction_turns_away_from_the_offsets() -> None:
    world = OffsetWorld()
    world.x = world.x[:, :1]
    found, plain = (world.probe(method=method, model=identity(blocks=1)) for method in ("whitened", "mean difference"))
    assert found.direction[:2] @ [1, 1] == pytest.approx(0, abs=0.15)  # where the phrasings lie apart
    assert found.direction[:2] @ [1, -1] / np.sqrt(2) > 0.75
    assert plain.direction[0] > 0.9
    shares = {
        name: np.array([[one["caught"], one["falsely fired"]] for one in made.receipts["by phrasing"].values()])
        for name, made in (("whitened", found), ("plain", plain))
    }
    assert shares["whitened"][:, 0].min() > 0.5
    assert (shares["plain"][:, 0] == 0).sum() >= 4  # at the same false-fire rate, most phrasings never fire


def test_the_block_is_chosen_by_what_one_threshold_can_do() -> None:
    world = OffsetWorld()
    found = world.probe(method="mean difference")
    within, pooled = found.receipts["by block, within"], found.receipts["by block"]
    assert within["0"] > within["1"]
    assert pooled["0"] < pooled["1"]
    assert found.block == 1
    assert world.probe().block == 0  # whitened, block 0 is the better one both ways


def test_receipts_tell_both_and_what_fires_where() -> None:
    world = OffsetWorld()
    found = world.probe()
    held = world.held(0)
    told = found.receipts
    assert found.method == "whitened"
    assert told["shrinkage"] == 0.2
    assert told["held-out phrasings"]["value"] == pytest.approx(held.pooled.value, abs=0.03)
    assert told["held-out phrasings"]["low"] < told["held-out phrasings"]["value"]
    assert told["held-out phrasings, within"]["value"] == pytest.approx(held.auroc.value, abs=0.03)
    assert list(told["by phrasing"]) == [str(one) for one in range(6)]
    assert np.mean([one["caught"] for one in told["by phrasing"].values()]) == pytest.approx(told["caught"])
    assert np.mean([one["falsely fired"] for one in told["by phrasing"].values()]) == pytest.approx(told["falsely fired"])
    assert 0 < told["falsely fired"] <= 0.1


@pytest.mark.parametrize("shrinkage", [0.01, 0.2, 0.7, 1.0])
@pytest.mark.parametrize("width", [6, WIDTH, 300])
def test_the_whitened_direction_equals_scikit_learn(shrinkage, width) -> None:
    world = OffsetWorld(each=15, width=width)
    world.label[:20] = 0  # kinds of unequal size, phrasings of one kind
    world.x = 50 + world.x[:, :1] * np.geomspace(0.2, 5, width)
    found = world.probe(shrinkage=shrinkage, model=identity(width, 1), rate=0.3)
    with_scikit = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(world.x[:, 0], world.label)
    theirs = with_scikit.coef_[0] / np.linalg.norm(with_scikit.coef_[0])
    assert found.direction @ theirs == pytest.approx(1, abs=1e-6)


def test_held_out_scores_are_standardised_by_the_rows_of_their_own_fit() -> None:
    world = OffsetWorld()
    world.label = np.where(np.arange(120) % 20 < 4 + 2 * world.phrasing, 1, 0)  # other shares in each phrasing
    found = world.held(0)
    for phrasing in range(6):
        test, x = world.phrasing == phrasing, world.x[:, 0]
        w = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2).fit(x[~test], world.label[~test]).coef_[0]
        seen, kind = x[~test] @ w, world.label[~test] == 1
        z = (x[test] @ w - (seen[kind].mean() + seen[~kind].mean()) / 2) / seen.std()
        assert found.score[test] == pytest.approx(z, abs=1e-8)
    assert found.pooled.value == pytest.approx(roc_auc_score(world.label, found.score))


def test_a_shrinkage_outside_its_range_is_refused() -> None:
    for shrinkage in (0.0, -0.1, 1.1, np.nan):
        with pytest.raises(UsageError, match="shrinkage is greater than 0 and at most 1"):
            OffsetWorld().probe(shrinkage=shrinkage)
    with pytest.raises(UsageError, match="'whitened', 'mean difference', 'logistic', got 'lda'"):
        OffsetWorld().probe(method="lda")


def test_rows_of_a_kind_that_are_all_alike_still_give_a_direction() -> None:
    label, phrasing = np.arange(40) % 2, np.arange(40) // 20
    x = np.zeros((40, 1, WIDTH))
    x[:, 0, 3] = label
    found = fit_probe(x, label, groups=phrasing, name="n", what="w", model=identity(blocks=1), pool="prompt_last", rate=0.2)
    assert found.direction[3] == pytest.approx(1)
    with pytest.raises(DataError, match="do not differ between the two kinds"):
        fit_probe(0 * x, label, groups=phrasing, name="n", what="w", model=identity(blocks=1), pool="prompt_last", rate=0.2)


def test_the_logistic_direction_equals_scikit_learn() -> None:
    world = World()
    found = world.probe(method="logistic", ridge=3.0)
    part = world.x[:, 2] - world.x[:, 2].mean(axis=0)
    fit = LogisticRegression(C=1 / 3, tol=1e-10, max_iter=1000).fit(part / np.sqrt((part**2).mean()), world.label)
    assert found.direction @ (fit.coef_[0] / np.linalg.norm(fit.coef_)) == pytest.approx(1, abs=1e-5)


def test_auroc_within_parts_equals_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 90).astype(bool), np.round(rng.normal(size=90), 1)
    assert within_auroc(labels, scores, np.zeros(90, int)).value == pytest.approx(roc_auc_score(labels, scores))
    strata = np.arange(90) % 3
    pairs = [labels[strata == s].sum() * (~labels[strata == s]).sum() for s in range(3)]
    values = [roc_auc_score(labels[strata == s], scores[strata == s]) for s in range(3)]
    assert within_auroc(labels, scores, strata).value == pytest.approx(np.average(values, weights=pairs))
    apart = within_auroc(labels, labels + 0.0, strata)
    assert apart.value == 1
    assert 0.8 < apart.low < 0.95  # Wilson, not certainty
    assert within_auroc(labels, scores, strata, clusters=np.where(labels, 0, 1 + np.arange(90) % 50)).low is None


def test_bootstrap_intervals_of_auroc_and_difference_cover() -> None:
    rng = np.random.default_rng(2)
    labels, strata = np.arange(120) % 2 == 1, np.zeros(120, int)
    truth = norm.cdf(1.0 / np.sqrt(2))
    inside, same = [], []
    for seed in range(150):
        a, b = (rng.normal(size=120) + labels for _ in range(2))
        one = within_auroc(labels, a, strata, resamples=400, seed=seed)
        both = within_difference(labels, a, b, strata, resamples=400, seed=seed)
        inside.append(one.low <= truth <= one.high)
        same.append(both.low <= 0 <= both.high)
    assert np.mean(inside) > 0.89
    assert np.mean(same) > 0.89


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.01, 3.0, 1000.0]))
def test_scale_order_and_sign_act_as_they_should(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    world = World(seed, subjects=24, strength=2.0)
    options = {"rate": 0.4, "bound": "empirical"}
    found = world.probe(**options)

    def held(x, label, subject, phrasing):
        return held_out_scores(x, label, groups=phrasing, questions=subject, hold="phrasing")

    plain = held(world.x, world.label, world.subject, world.phrasing)
    order = rng.permutation(len(world.label))
    moved = held(world.x[order], world.label[order], world.subject[order], world.phrasing[order])
    assert moved.score == pytest.approx(plain.score[order], abs=1e-6)
    scaled = held(scale * world.x, world.label, world.subject, world.phrasing)
    assert scaled.score == pytest.approx(plain.score, abs=1e-6)
    assert held(-world.x, world.label, world.subject, world.phrasing).auroc.value == pytest.approx(plain.auroc.value)
    world.label = 1 - world.label
    turned = world.probe(**options)
    if turned.block == found.block:
        assert turned.direction @ found.direction == pytest.approx(-1, abs=1e-4)


def surface_world(seed: int, beyond: float, subjects: int = 120):
    """Length explains the label, and activations hold length; ``beyond`` is what they hold of the label besides."""
    rng = np.random.default_rng(seed)
    subject, phrasing = np.repeat(np.arange(subjects), 3), np.tile(np.arange(3), subjects)
    kind = np.arange(subjects) % 2
    length = np.clip(np.round(4 + 1.5 * kind + rng.normal(size=subjects)), 1, 12)
    x = rng.normal(size=(len(subject), 2, WIDTH))
    x[:, 1, 3] += 2 * length[subject]
    x[:, 1, 5] += beyond * kind[subject]
    features = {"subwords": length[subject], "characters": np.round(4 * length + rng.normal(size=subjects))[subject]}
    return x, kind[subject], features, phrasing, subject


def test_a_probe_that_reads_length_shows_no_more_than_surface_form() -> None:
    verdicts = []
    for seed in range(8):
        x, label, features, phrasing, subject = surface_world(seed, 0.0)
        found = compare(x, label, features, groups=phrasing, questions=subject, seed=seed)
        assert found.phrasings.probe.value > 0.7  # it looks like knowledge
        verdicts.append(found.verdict)
    assert verdicts.count("no more than surface form") >= 7


def test_a_probe_that_reads_more_says_so() -> None:
    x, label, features, phrasing, subject = surface_world(3, 6.0)
    found = compare(x, label, features, groups=phrasing, questions=subject)
    assert found.questions.verdict == found.phrasings.verdict == found.verdict == "more than surface form"
    assert found.features["subwords"].value > 0.7


def test_a_perfect_baseline_leaves_nothing_to_show() -> None:
    labels = np.arange(40) % 2
    found = beside(labels, labels * 2.0, labels * 3.0, strata=np.zeros(40))
    assert (found.difference.value, found.verdict) == (0.0, "no more than surface form")
    few = beside([0, 1] * 4, [0.0, 1] * 4, [0.0] * 8, strata=np.zeros(8))
    assert few.difference.reason == "4 questions of one kind give no interval; 5 are needed"
    assert few.verdict == "no more than surface form"


def test_surface_features_are_worked_by_hand() -> None:
    found = surface_features(["ab", "abcd"], tokens=[[0], [1, 3]], rarity=lambda token: 2.0 * token)
    assert {name: values.tolist() for name, values in found.items()} == {
        "subwords": [1, 2],
        "characters": [2, 4],
        "mean token rarity": [0, 4],
    }
    assert surface_features(["ab"], tokens=lambda text: [len(text)])["mean token rarity"].item() == pytest.approx(np.log(3))
    with pytest.raises(DataError, match="1 of 2 texts have no tokens"):
        surface_features(["", "a"], tokens=[[], [1]])
    with pytest.raises(UsageError, match="2 texts take one list"):
        surface_features(["a", "b"], tokens=[[1]])


def test_a_feature_that_does_not_vary_is_left_out_of_the_combination() -> None:
    labels = np.arange(40) % 2
    found = baseline(labels, {"same": np.ones(40), "tells": labels + 0.0}, groups=np.arange(40) // 20, hold="phrasing")
    assert found.auroc.value == 1
    assert found.features["same"].value == 0.5
    with pytest.raises(DataError, match="'tells' holds a value that is not finite"):
        baseline(labels, {"tells": np.full(40, np.nan)}, groups=np.arange(40) // 20, hold="phrasing")


def test_labels_of_rows_are_numbered_by_their_own_order() -> None:
    assert coded(["b", "a", "b"], 3, "phrasing").tolist() == [1, 0, 1]
    with pytest.raises(UsageError, match="3 rows take one phrasing each"):
        coded(["b"], 3, "phrasing")
