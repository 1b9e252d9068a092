"""Shades learned from graded answers, answers said with a shade, and the metrics of words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from wager.elicit.verbal import DEFAULT_SHADES, Shades, verbal_confidence
from wager.errors import DataError, UnknownNameError, UsageError
from wager.policy.shades import effective_size, express, learn, plain
from wager.policy.words import blanket, faithfulness, monotone, word_calibration

ASKED = ("confident", "fairly_sure", "not_certain")
TRUTH = {"confident": 0.9, "fairly_sure": 0.7, "not_certain": 0.35}
ANSWERS = [
    "Thimphu.",
    "Thimphu",
    "The capital of Bhutan is Thimphu.",
    "42",
    "def f():\n    return 1\n",
    "1. Oslo\n2. Rome",
    "ANSWER: B",
    "é\tü",
]


def simulated(n: int, seed: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    said = [str(name) for name in rng.choice(ASKED, n)]
    return said, (rng.random(n) < [TRUTH[name] for name in said]).astype(float)


def test_a_learned_value_is_the_posterior_mean_with_its_interval() -> None:
    learned = learn(["fairly_sure"] * 10, [1] * 6 + [0] * 4, strength=2)["fairly_sure"]
    assert learned.value == pytest.approx((2 * 0.8 + 6) / 12)
    assert (learned.low, learned.high) == pytest.approx(beta.ppf([0.025, 0.975], 7.6, 4.4))
    assert (learned.origin, learned.n) == ("learned", 10)


def test_an_exact_interval_is_clopper_pearsons() -> None:
    learned = learn(["fairly_sure"] * 10, [1] * 6 + [0] * 4, interval="exact")["fairly_sure"]
    assert (learned.low, learned.high) == pytest.approx((beta.ppf(0.025, 6, 5), beta.ppf(0.975, 7, 4)))


def test_shades_that_break_the_order_are_pooled_by_weight() -> None:
    learned = learn(["confident"] * 8 + ["fairly_sure"] * 18, [1] * 4 + [0] * 4 + [1] * 18, strength=2)
    one, other = (2 * 0.95 + 4) / 10, (2 * 0.8 + 18) / 20
    assert one < other
    pooled = (10 * one + 20 * other) / 30
    assert learned["confident"].value == pytest.approx(pooled)
    assert learned["fairly_sure"].value == pytest.approx(pooled)


def test_learning_converges_to_the_truth() -> None:
    learned = learn(*simulated(30_000, 1))
    for name, truth in TRUTH.items():
        assert learned[name].value == pytest.approx(truth, abs=0.02)


def test_the_posterior_interval_covers_the_truth() -> None:
    draws = 400
    held = dict.fromkeys(TRUTH, 0)
    for seed in range(draws):
        learned = learn(*simulated(150, seed))
        for name, truth in TRUTH.items():
            held[name] += learned[name].low <= truth <= learned[name].high
    slack = 3 * np.sqrt(0.05 * 0.95 / draws)
    assert all(count / draws >= 0.95 - slack for count in held.values()), held


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([shade.name for shade in DEFAULT_SHADES]), st.floats(0, 1)), max_size=60), st.floats(0.1, 50))
def test_learned_shades_keep_order_bounds_and_counts(answers: list[tuple[str, float]], strength: float) -> None:
    said, credit = [name for name, _ in answers], [value for _, value in answers]
    learned = learn(said, credit, strength=strength)
    values = [shade.value for shade in learned.probable]
    assert values == sorted(values, reverse=True)
    for shade in learned:
        assert shade.n == said.count(shade.name)
        assert (shade.origin == "learned") == (shade.n > 0 and shade.act is None)
    assert Shades.from_dict(learned.to_dict()) == learned


@settings(deadline=None)
@given(st.permutations(range(40)))
def test_the_order_of_answers_is_irrelevant(order: list[int]) -> None:
    said, right = simulated(40, 3)
    assert learn([said[i] for i in order], right[order])["confident"].value == pytest.approx(learn(said, right)["confident"].value)


def test_a_shade_without_answers_stays_between_its_neighbours() -> None:
    learned = learn(["confident"] * 500, [1] * 150 + [0] * 350)
    assert learned["confident"].value < 0.31
    below = learned["fairly_sure"]
    assert (below.origin, below.n) == ("assumed", 0)
    assert below.value == learned["confident"].value
    assert learned["unlikely"].value == DEFAULT_SHADES["unlikely"].value


def test_no_answers_leave_the_prior() -> None:
    assert learn([], []) == DEFAULT_SHADES


def test_samples_of_one_item_count_less() -> None:
    said, right, items = ["confident"] * 40, [1] * 30 + [0] * 10, [i // 10 for i in range(40)]
    alone, together = learn(said, right)["confident"], learn(said, right, clusters=items)["confident"]
    assert together.n == alone.n == 40
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert effective_size([1, 1, 1, 1], ["a", "a", "b", "b"]) == 2
    assert effective_size([1, 0, 1, 0]) == 4


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="fairly_sure"):
        learn(["fairly sure"], [1])
    with pytest.raises(DataError, match="1 of 2 answers have no shade"):
        learn(["confident", None], [1, 1])  # type: ignore[list-item]
    for correct in ([float("nan")], [2.0], [1, 1]):
        with pytest.raises(DataError):
            learn(["confident"], correct)
    for strength in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="strength"):
            learn(["confident"], [1], strength=strength)


@pytest.mark.parametrize("shade", [shade for shade in DEFAULT_SHADES if shade.written or shade.act], ids=lambda shade: shade.name)
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_stands_unchanged_in_what_is_said_and_reads_back_as_the_shade(answer: str, shade) -> None:  # type: ignore[no-untyped-def]
    text = express(answer, shade)
    assert text.endswith(answer)
    found = verbal_confidence(text)
    assert (found.shade, found.act) == (shade.name, shade.act)
    assert express(text, shade) == text
    assert plain(text).strip() == answer.strip()


@settings(deadline=None)
@given(st.text(alphabet="abcdefghij .,\n0123456789", min_size=1, max_size=80), st.sampled_from(DEFAULT_SHADES.shades))
def test_any_plain_text_stands_unchanged(answer: str, shade) -> None:  # type: ignore[no-untyped-def]
    text = express(answer, shade)
    if answer.strip():
        assert text.endswith(answer)
    assert verbal_confidence(text).shade == shade.name


def test_a_hedge_before_the_answer_is_replaced_and_one_inside_is_content() -> None:
    sure, unsure = DEFAULT_SHADES["confident"], DEFAULT_SHADES["not_certain"]
    assert express("I'm fairly sure: Oslo.", sure) == "I'm confident: Oslo."
    assert express("I'm not sure, but Oslo.", sure) == "I'm confident: Oslo."
    assert express("I'm pretty sure about that. Oslo.", unsure) == "I'm not certain, but my best answer is: Oslo."
    assert express("It is probably Oslo.", unsure) == "I'm not certain, but my best answer is: It is probably Oslo."
    assert express("I doubt it's Oslo.", sure) == "I'm confident: I doubt it's Oslo."
    assert express("Oslo, I'm confident.", sure) == "Oslo, I'm confident."
    assert express("  ", sure) == "I'm confident."


@pytest.mark.parametrize(
    "text", ["Oslo", "I'm not certain that it's Oslo.", "Certain foods", "I'm sure, and you know it.", "Unlikely to be Oslo.", ""]
)
def test_plain_leaves_what_is_not_only_put_before(text: str) -> None:
    assert plain(text) == text


def test_word_calibration_by_hand() -> None:
    sure, unsure = word_calibration(["fairly_sure"] * 4 + ["not_certain"] * 2 + [None], [1, 1, 1, 0, 1, 0, 1])
    assert (sure.shade, sure.n, sure.said, sure.accuracy.value) == ("fairly_sure", 4, 0.8, 0.75)
    assert sure.gap.value == pytest.approx(0.05)
    assert sure.gap.low == pytest.approx(0.8 - sure.accuracy.high)
    assert unsure.gap.value == pytest.approx(-0.1)
    assert unsure.accuracy.n_excluded == 1
    (act,) = word_calibration(["look_up"], [1])
    assert (act.said, act.gap.value) == (None, None)


def test_faithfulness_by_hand() -> None:
    found = faithfulness([1.0, 0.5, 0.5], [1.0, 1.0, 0.25], bins=4)
    assert found.mean.value == pytest.approx((1 + 0.5 + 0.75) / 3)
    assert found.conditional.value == pytest.approx((0.75 + 0.75) / 2)
    assert found.always_decisive.value == pytest.approx((1 + 0.25) / 2)
    assert found.n_empty == 2
    assert [part.n for _, _, part in found.bins] == [0, 1, 0, 2]


def test_always_decisive_is_one_half_where_consistency_is_uniform() -> None:
    consistency = (np.arange(1000) + 0.5) / 1000
    found = faithfulness(np.ones(1000), consistency)
    assert found.conditional.value == pytest.approx(0.5)
    assert found.conditional.value == found.always_decisive.value
    perfect = faithfulness(consistency, consistency)
    assert perfect.mean.value == perfect.conditional.value == 1


def test_decisive_words_look_faithful_on_consistent_answers_and_not_conditionally() -> None:
    consistency = np.array([1.0] * 95 + [0.0] * 5)
    found = faithfulness(np.ones(100), consistency)
    assert found.mean.value == pytest.approx(0.95)
    assert found.conditional.value == pytest.approx(0.5)


def test_the_conditional_interval_covers() -> None:
    rng, held, draws = np.random.default_rng(0), 0, 300
    for _ in range(draws):
        conf = rng.integers(0, 5, 200) / 5 + 0.1
        dec = np.where(rng.random(200) < 0.5, conf, conf - 0.1)
        found = faithfulness(dec, conf, bins=5).conditional
        held += found.low <= 0.95 <= found.high
    assert held / draws >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / draws) - 0.01


def test_faithfulness_refuses_what_is_unknown() -> None:
    with pytest.raises(DataError, match="NaN"):
        faithfulness([float("nan")], [1.0])
    with pytest.raises(UsageError, match="bins"):
        faithfulness([1.0], [1.0], bins=0)
    assert faithfulness([], []).mean.value is None


def test_an_order_that_holds_is_said_to_hold() -> None:
    found = monotone(*simulated(600, 5))
    assert (found.holds, found.inversions, found.n_pairs, found.statistic) == (True, (), 2, 0.0)


def test_an_inverted_order_is_found_and_measured() -> None:
    said = ["confident"] * 100 + ["not_certain"] * 100
    found = monotone(said, [1] * 40 + [0] * 60 + [1] * 80 + [0] * 20)
    assert found.holds is False
    assert found.p_value < 0.01
    (pair,) = found.inversions
    assert (pair.surer, pair.other, pair.difference.value) == ("confident", "not_certain", pytest.approx(0.4))
    assert 0.25 < pair.difference.low < 0.4 < pair.difference.high < 0.55
    chance = monotone(said[95:105], [0, 1, 1, 1, 0, 1, 1, 1, 1, 0])
    assert chance.holds is None
    assert len(chance.inversions) == 1


def test_the_test_of_order_rejects_at_most_at_its_level() -> None:
    rng, draws, rejected = np.random.default_rng(2), 300, 0
    for _ in range(draws):
        said = [str(name) for name in rng.choice(ASKED, 90)]
        rejected += monotone(said, rng.random(90) < 0.6, draws=199).holds is False
    assert rejected / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_one_shade_has_no_order() -> None:
    found = monotone(["confident", "look_up", None], [1, 0, 1])
    assert (found.holds, found.p_value, found.n, found.n_excluded) == (None, None, 1, 2)


def test_a_blanket_hedge_is_exposed() -> None:
    found = blanket(["not_certain"] * 50, [1, 0] * 25)
    assert (found.auroc.value, found.share.value, found.n_shades, found.informative) == (0.5, 1.0, 1, False)
    assert "words carry nothing" in found.verdict


def test_words_that_tell_and_words_that_do_not_are_told_apart() -> None:
    said, right = simulated(600, 7)
    told = blanket([*said, None, "look_up"], [*right, 1, 0])
    assert told.informative is True
    assert told.auroc.n_excluded == 2
    shuffled = blanket(said, np.random.default_rng(1).permutation(right))
    assert shuffled.informative is None
    assert blanket(said, 1 - right).informative is False
    assert blanket([None], [1]).informative is None


def test_words_and_learned_values_agree() -> None:
    said, right = simulated(4000, 11)
    for one in word_calibration(said, right, learn(*simulated(4000, 12))):
        assert abs(one.gap.value) < 0.06
