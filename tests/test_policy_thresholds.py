"""Certified thresholds: exact tests by hand, promises kept in simulation, honest refusals."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from wager.errors import DataError, UsageError
from wager.policy.descents import descents, sizes
from wager.policy.risk_table import RiskTable, risk_table
from wager.policy.thresholds import Certificate, certify_joint, certify_risk, certify_target, fewest

DRAWS = 300


def calibrated(rng, n):
    p = rng.beta(2, 1.2, n)
    return p, rng.random(n) < p


def verbalised(rng, n):
    said = rng.choice(7, n, p=[0.08, 0.08, 0.12, 0.22, 0.25, 0.15, 0.10])
    right = np.array([0.35, 0.45, 0.55, 0.68, 0.8, 0.9, 0.96])[said]
    return np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])[said], rng.random(n) < right


def overconfident(rng, n):
    p = rng.beta(2, 1.2, n)
    return 1 / (1 + np.exp(-(2 * np.log(p / (1 - p)) + 2))), rng.random(n) < p


def up_and_down(rng, n):
    s = rng.random(n)
    return s, rng.random(n) < np.where(s > 0.93, 0.97, np.where(s > 0.85, 0.75, np.where(s > 0.5, 0.93, 0.6)))


def bad_top(rng, n):
    """The surest fiftieth is wrong in 30 %: an overconfident top over a good middle."""
    s = rng.random(n)
    return s, rng.random(n) < np.where(s > 0.98, 0.7, np.where(s > 0.5, 0.96, 0.6))


def tied_and_barely_bad(rng, n):
    """Two large ties, risks 0.059 and just above 0.1: the worst that a search over tied laws found."""
    said = rng.choice(3, n, p=[0.058, 0.941, 0.001])
    return np.array([0.9, 0.6, 0.2])[said], rng.random(n) >= np.array([0.059, 0.103, 0.9])[said]


def flat(rng, n):
    return rng.random(n), rng.random(n) < 0.89


def truth(law):
    sure, right = law(np.random.default_rng(1), 500_000)
    order = np.argsort(-sure)
    falling, wrong = -sure[order], np.cumsum(~right[order])

    def at(threshold):
        n = int(np.searchsorted(falling, -threshold, side="left"))
        return n / len(sure), (wrong[n - 1] / n if n else 0.0)

    return at


def limit(delta, draws):
    return delta + 3 * math.sqrt(delta * (1 - delta) / draws)


@pytest.mark.parametrize(("n", "risk"), [(200, 0.1), (1000, 0.1), (1000, 0.2)])
@pytest.mark.parametrize(
    "law", [calibrated, verbalised, overconfident, up_and_down, bad_top, tied_and_barely_bad, flat], ids=lambda law: law.__name__
)
def test_a_promised_risk_is_kept_as_often_as_promised(law, n, risk):
    rng, at = np.random.default_rng(7), truth(law)
    broken = 0
    for _ in range(DRAWS):
        made = certify_risk(risk_table(*law(rng, n)), risk, 0.1)
        broken += made.threshold is not None and at(made.threshold)[1] > risk
    assert broken / DRAWS <= limit(0.1, DRAWS)


def test_more_is_answered_than_by_the_published_methods():
    rng, at = np.random.default_rng(3), truth(calibrated)
    made = [certify_risk(risk_table(*calibrated(rng, 1000)), 0.1, 0.1) for _ in range(DRAWS)]
    covered = [0.0 if one.threshold is None else at(one.threshold)[0] for one in made]
    assert np.mean(covered) > 0.140
    assert np.mean([one.threshold is not None for one in made]) > 0.8


@pytest.mark.parametrize("law", [calibrated, verbalised, overconfident], ids=lambda law: law.__name__)
def test_a_certified_score_holds_as_often_as_promised(law):
    rng, at = np.random.default_rng(5), truth(law)
    broken = certified = 0
    for _ in range(DRAWS):
        made = certify_target(risk_table(*law(rng, 600)), 0.5, 0.1)
        if made.threshold is None:
            continue
        certified += 1
        coverage, risk = at(made.threshold)
        broken += coverage * (1 - 2 * risk) < made.bound
    assert certified > DRAWS / 2
    assert broken / DRAWS <= limit(0.1, DRAWS)


@pytest.mark.parametrize("law", [calibrated, verbalised, overconfident], ids=lambda law: law.__name__)
def test_a_joint_risk_is_kept_on_average(law):
    rng, at = np.random.default_rng(6), truth(law)
    risks = []
    for _ in range(DRAWS):
        made = certify_joint(risk_table(*law(rng, 200)), 0.05)
        coverage, risk = (0.0, 0.0) if made.threshold is None else at(made.threshold)
        risks.append(coverage * risk)
    assert np.mean(risks) <= 0.05 + 3 * np.std(risks) / math.sqrt(DRAWS)
    assert np.mean(risks) > 0.02  # and not by answering nothing


def test_surest_answers_that_are_wrong_do_not_hide_the_good_ones_below():
    rng, at = np.random.default_rng(11), truth(bad_top)
    made = [certify_risk(risk_table(*bad_top(rng, 2000)), 0.1) for _ in range(100)]
    covered = [0.0 if one.threshold is None else at(one.threshold)[0] for one in made]
    assert np.mean(covered) > 0.45  # one descent from the top answers 0.003


def test_descents_depend_on_counts_alone_and_share_delta():
    n = np.arange(1, 5001)
    made = descents(n, 5000, 0.1, 0.1)
    assert [int(n[places[0]]) for places, _ in made] == [93, 560, 1674]
    assert [levels[0] for _, levels in made] == pytest.approx([0.09, 0.005, 0.005])
    assert sum(levels.sum() for _, levels in descents(n[:500], 500, 0.1, 0.1)) == pytest.approx(0.1)
    for places, (level, *_) in made:  # the first size holds one mistake more than any smaller one, at its own level
        size = int(n[places[0]])
        mistakes = int(binom.ppf(level, size, 0.1))
        mistakes -= binom.cdf(mistakes, size, 0.1) > level
        assert binom.cdf(mistakes, size - 1, 0.1) > level


def test_a_hard_target_is_certified_by_its_risk_where_bounds_are_too_wide():
    rng, at = np.random.default_rng(12), truth(calibrated)
    made = [certify_target(risk_table(*calibrated(rng, 1000)), 0.9, 0.1) for _ in range(200)]
    certified = [one for one in made if one.threshold is not None]
    assert len(certified) > 100  # bounds alone: 46
    broken = sum(coverage * (1 - 10 * risk) < one.bound for one in certified for coverage, risk in [at(one.threshold)])
    assert broken / 200 <= limit(0.1, 200)
    lower = next(one for one in certified if one.bound == 0)
    assert "it scores more than never answering, which scores 0, at t=0.9" in lower.sentence


def test_where_there_are_too_few_answers_to_say_it_does_not_say_never():
    made = certify_target(risk_table([0.9] * 9, [1] * 9), 0.9)
    assert (made.needed, made.hopeless) == (None, False)
    assert made.sentence.endswith("They are too few to say how many would.")
    assert not certify_risk(risk_table([], []), 0.1).hopeless


def test_at_target_0_all_wrong_is_a_refusal():
    made = certify_target(risk_table([0.9] * 50 + [0.5] * 3, [0] * 53), 0.0)
    assert (made.threshold, made.hopeless) == (None, True)


def test_a_certificate_comes_back_from_its_dict():
    rng = np.random.default_rng(13)
    table = risk_table(*calibrated(rng, 500))
    for made in (certify_risk(table, 0.2), certify_risk(table, 0.01), certify_target(table, 0.5), certify_joint(table, 0.05)):
        assert Certificate.from_dict(json.loads(json.dumps(made.to_dict()))).sentence == made.sentence
    with pytest.raises(DataError, match="'levl' is missing or is none of them"):
        Certificate.from_dict(made.to_dict() | {"levl": 1})


def test_the_sizes_are_the_smallest_that_certify_with_so_many_mistakes():
    for risk, delta in ((0.1, 0.1), (0.1, 0.05), (0.25, 0.2), (0.02, 0.1)):
        found = sizes(900, risk, delta)
        assert found[0] == fewest(risk, delta)
        for mistakes, size in enumerate(found):
            assert binom.cdf(mistakes, size, risk) <= delta < binom.cdf(mistakes, size - 1, risk)


def test_29_answers_without_a_mistake_certify_a_tenth_at_a_twentieth():
    assert fewest(0.1, 0.05) == 29
    # 27 answers, 3 wrong: P(Bin(27, 0.1) <= 3) is 0.718; a rounding in 1 - 0.9 would make it 0.873
    assert binom.cdf(3, 27, 0.1) == pytest.approx(0.718, abs=5e-4)


def test_a_certified_threshold_is_worked_by_hand():
    # 38 answers may hold one mistake at risk 0.1 and delta 0.1, 52 two: the second is passed with 2 wrong among the 60 surest, 65 needs 3
    table = risk_table([0.9] * 52 + [0.5] * 13 + [0.1] * 35, [0] * 2 + [1] * 50 + [0] * 2 + [1] * 11 + [0] * 35)
    assert (table.thresholds, table.n, table.wrong) == ((0.5, 0.1, 0.0), (52, 65, 100), (2, 4, 39))
    made = certify_risk(table, 0.1, 0.1)
    assert (made.threshold, made.coverage.value, made.observed.value) == (0.5, 0.52, 2 / 52)
    exact = proportion_confint(2, 52, alpha=0.2, method="beta")[1]
    assert exact <= 0.1
    assert "at most 10 % of the answers given are wrong" in made.sentence
    assert "exchangeable" in made.sentence
    assert "It answers 52 % of the questions" in made.sentence


def test_the_threshold_itself_is_not_answered():
    sure = np.array([0.9] * 80 + [0.6] * 20)
    made = certify_risk(risk_table(sure, sure > 0.6), 0.05, 0.1)
    assert made.threshold == 0.6
    assert (sure > made.threshold).sum() == 80


def test_with_a_few_levels_one_unlucky_test_does_not_end_everything():
    sure = [0.75] * 124 + [0.65] * 355 + [0.55] * 469 + [0.3] * 273
    right = [0] * 4 + [1] * 120 + [0] * 8 + [1] * 347 + [0] * 39 + [1] * 430 + [0] * 55 + [1] * 218
    made = certify_risk(risk_table(sure, right), 0.05, 0.1)
    assert binom.cdf(4, 124, 0.05) > 0.1 / 2 > binom.cdf(12, 479, 0.05)
    assert (made.threshold, made.observed.value) == (0.55, 12 / 479)


def test_answers_with_confidence_0_are_never_given():
    table = risk_table([0.0] * 50 + [1.0] * 50, [1] * 100)
    assert table.n == (50,)
    assert certify_risk(table, 0.1).coverage.value == 0.5


def test_everything_may_be_answered_where_it_is_good_enough():
    made = certify_risk(risk_table(np.linspace(0.1, 0.9, 300), np.ones(300)), 0.1)
    assert (made.threshold, made.coverage.value) == (0.0, 1.0)


def test_a_refusal_says_how_many_answers_would_do_and_tells_the_truth():
    rng = np.random.default_rng(4)
    refused = [certify_risk(risk_table(*calibrated(rng, 300)), 0.1, 0.05) for _ in range(20)]
    made = next(one for one in refused if one.threshold is None and one.needed is not None)
    assert made.needed > 300
    assert f"About {made.needed:,} graded answers" in made.sentence
    again = [certify_risk(risk_table(*calibrated(rng, made.needed)), 0.1, 0.05).threshold is not None for _ in range(200)]
    assert np.mean(again) > 0.5


def test_where_no_number_helps_it_says_so():
    made = certify_risk(risk_table([0.9] * 100, [1, 0] * 50), 0.1)
    assert made.needed is None
    assert "No number of answers like these would" in made.sentence


def test_another_level_needs_no_other_table():
    rng = np.random.default_rng(8)
    table = risk_table(*calibrated(rng, 2000))
    again = RiskTable.from_dict(table.to_dict())
    assert again == table
    covered = [certify_risk(again, risk).coverage.value or 0 for risk in (0.05, 0.1, 0.2, 0.3)]
    assert covered == sorted(covered)
    assert covered[-1] > covered[1] > 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=60), st.randoms())
def test_the_order_of_answers_changes_nothing(answers, random):
    shuffled = answers[:]
    random.shuffle(shuffled)
    one, other = (risk_table(*zip(*rows, strict=True)) for rows in (answers, shuffled))
    assert one == other
    assert certify_risk(one, 0.3, 0.2) == certify_risk(other, 0.3, 0.2)


def test_a_large_table_keeps_few_thresholds_and_none_depends_on_what_is_right():
    rng = np.random.default_rng(9)
    sure = rng.random(200_000)
    one, other = risk_table(sure, rng.random(len(sure)) < 0.5), risk_table(sure, rng.random(len(sure)) < sure)
    assert len(one.n) < 2000
    assert (one.thresholds, one.n) == (other.thresholds, other.n)
    assert one.n[-1] == 200_000


def test_one_answer_of_each_item_counts_and_which_is_blind_to_verdicts():
    sure, right, item = [0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0], ["a", "a", "b", "c"]
    table = risk_table(sure, right, clusters=item)
    assert (table.total, table.n_repeated) == (3, 1)
    flipped = risk_table(sure, [1 - z for z in right], clusters=item)
    assert flipped.thresholds == table.thresholds


def test_a_score_above_0_is_what_a_risk_below_1_minus_t_is():
    table = risk_table([0.9] * 200 + [0.2] * 200, [1] * 190 + [0] * 210)
    made = certify_target(table, 0.75, 0.1)
    assert made.threshold == 0.2
    assert 0 < made.bound < made.observed.value == pytest.approx(0.5 * (0.95 - 0.05 * 3))
    assert made.always == pytest.approx((190 - 210 * 3) / 400)
    assert "where always answering scored -1.100" in made.sentence


def test_bad_levels_and_changed_tables_are_refused():
    table = risk_table([0.9], [1])
    for call in (lambda: certify_risk(table, 0.0), lambda: certify_risk(table, 0.1, 1.0), lambda: certify_joint(table, 1)):
        with pytest.raises(UsageError, match=r"lies in \(0, 1\)"):
            call()
    with pytest.raises(UsageError, match=r"lies in \[0, 1\)"):
        certify_target(table, 1.0)
    with pytest.raises(DataError, match="lies in"):
        risk_table([1.2], [1])
    for changed in ({"wrong": [5]}, {"total": 0}, {"wrong": [0.5]}):
        with pytest.raises(DataError, match="the file was changed"):
            RiskTable.from_dict(table.to_dict() | changed)
    with pytest.raises(DataError, match="this wager reads 1"):
        RiskTable.from_dict(table.to_dict() | {"schema": 9})


@pytest.mark.filterwarnings("ignore")
def test_what_mapie_certifies_passes_our_exact_tests_and_never_answers_more():
    from mapie.risk_control import BinaryClassificationController

    rng, certified = np.random.default_rng(11), 0
    for _ in range(6):
        sure, right = calibrated(rng, 1500)
        controller = BinaryClassificationController(
            lambda x: np.column_stack([1 - x[:, 0], x[:, 0]]), "precision", 0.8, confidence_level=0.9, fwer_method="bonferroni_holm"
        )
        controller.calibrate(sure[:, None], right.astype(int))
        valid = np.asarray(controller.valid_predict_params, dtype=float)
        made = certify_risk(risk_table(sure, right), 0.2, 0.1)
        for threshold in valid:
            above = sure >= threshold
            assert binom.cdf((above & ~right).sum(), above.sum(), 0.2) <= 0.1
        certified += len(valid) > 0
        if len(valid):
            assert made.threshold is not None
            assert made.threshold <= valid.min() + 0.02
    assert certified >= 3


def test_on_real_stated_confidences_the_promise_holds_on_held_out_answers(data):
    import pyarrow.parquet as pq

    rows = pq.read_table(data / "rlcr" / "commonsenseqa.parquet").to_pandas()
    rng = np.random.default_rng(0)
    for _, one in rows.groupby("method"):
        one = one[one.confidence.between(0, 1)]
        sure, right = one.confidence.to_numpy(float), one.correct.to_numpy(float)
        broken = certified = 0
        for _ in range(100):
            half = rng.permutation(len(one)) < len(one) / 2
            made = certify_risk(risk_table(sure[half], right[half]), 0.25, 0.1)
            if made.threshold is not None:
                held = right[~half][sure[~half] > made.threshold]
                certified += 1
                broken += binom.sf((held < 0.5).sum() - 1, len(held), 0.25) < 0.001
        assert broken <= 3
