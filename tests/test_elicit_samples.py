"""Confidences from samples: which answers mean the same, agreement, semantic entropy."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.elicit.consistency import agreement
from wager.elicit.evidence import Reply, Token
from wager.elicit.meaning import judged, meanings, pairs_to_ask, same_text
from wager.elicit.semantic_entropy import entropy_nats, semantic_entropy
from wager.errors import DataError, UnknownNameError


def table(relations):
    """A relation from a table of ordered pairs; what is not in it is neutral."""
    return lambda pairs: [relations.get(pair, "neutral") for pair in pairs]


def sample(text: str, *logprobs: float, abstains: bool = False, known: bool = True) -> Reply:
    tokens = tuple(Token(f"t{place}", logprob) for place, logprob in enumerate(logprobs))
    return Reply(text, tokens, text, is_answer=not abstains, is_known=known)


def test_strict_needs_both_directions_and_loose_one():
    one_way = table({("a", "b"): "entails"})
    assert meanings(["a", "b"], one_way, clustering="strict").tolist() == [0, 1]
    assert meanings(["a", "b"], one_way, clustering="loose").tolist() == [0, 0]


def test_a_contradiction_in_one_direction_parts_under_both():
    mixed = table({("a", "b"): "entails", ("b", "a"): "contradicts"})
    assert meanings(["a", "b"], mixed, clustering="loose").tolist() == [0, 1]
    assert meanings(["a", "b"], mixed, clustering="strict").tolist() == [0, 1]


def test_two_neutral_directions_are_not_the_same():
    assert meanings(["a", "b"], table({}), clustering="loose").tolist() == [0, 1]


@settings(max_examples=60)
@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=8), st.integers(0, 10**6), st.sampled_from(["strict", "loose"]))
def test_classes_do_not_depend_on_the_order_of_the_answers(answers, seed, clustering):
    rng = random.Random(seed)
    known = {pair: rng.choice(["entails", "neutral", "contradicts"]) for pair in pairs_to_ask("abcdef")}
    shuffled = answers[:]
    rng.shuffle(shuffled)
    one, other = (meanings(order, table(known), clustering=clustering) for order in (answers, shuffled))
    by_text = dict(zip(answers, one.tolist(), strict=True))
    again = dict(zip(shuffled, other.tolist(), strict=True))
    assert {(x, y) for x in by_text for y in by_text if by_text[x] == by_text[y]} == {
        (x, y) for x in again for y in again if again[x] == again[y]
    }


def test_equal_texts_are_one_class_and_never_asked_about():
    asked = []

    def entails(pairs):
        asked.extend(pairs)
        return ["contradicts"] * len(pairs)

    assert meanings(["x", "x", "y"], entails).tolist() == [0, 0, 1]
    assert sorted(asked) == [("x", "y"), ("y", "x")]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Lima", "It is Lima, Peru.", True),
        ("N'Djamena", "ndjamena", True),
        ("Lima", "Cusco", False),
        ("York", "New York", False),
        ("12", "It is 12.", True),
        ("The capital of Peru is Lima.", "Lima", True),
        ("Washington, D.C.", "Washington", True),
        ("Paris, France", "Paris, Texas", False),
        ("1,200", "1200", True),
        ("It is not Paris.", "Paris", False),
        ("12", "12 of 13", False),
        ("12", "There are twelve letters", True),
        ("23", "twenty-three", True),
        ("20", "twenty-three", False),
        ("12 July 1998", "1998-07-12", True),
        ("July 1998", "June 1998", False),
        ("Obama", "Barack Obama", True),
        ("Guinea", "Equatorial Guinea", False),
        ("Einstein is a physicist", "Bohr is a physicist", False),
        ("Jews more than Christians", "Christians more than Jews", False),
        ("1", "12", False),
        ("Paris", "not Paris", False),
        ("Paris", "Paris or Lyon", False),
        ("", "Paris", False),
        ("Lima", "Lima is a city of ten million people on the coast of Peru", False),
    ],
)
def test_short_answers_are_compared_by_their_words(one, other, same):
    assert same_text([(one, other), (other, one)]) == (["entails"] * 2 if same else ["contradicts"] * 2)


def test_an_unknown_clustering_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="'loos'; did you mean 'loose'"):
        meanings(["a"], clustering="loos")


def test_a_judge_who_says_neither_yes_nor_no_decides_nothing():
    assert [judged(reply) for reply in ("yes", "YES!", "No.", "", "Both could be right")] == [
        "entails",
        "entails",
        "contradicts",
        "neutral",
        "neutral",
    ]


def test_agreement_counts_an_abstention_and_leaves_out_what_cannot_be_told():
    samples = [sample("Lima"), sample("It is Lima."), sample("Cusco"), sample("I don't know", abstains=True), sample("", known=False)]
    found = agreement("Lima", samples)
    assert (found.value, found.n, found.n_excluded) == (0.5, 4, 1)


def test_agreement_without_samples_is_no_number():
    assert agreement("Lima", []).value is None
    assert agreement("Lima", [sample("", known=False)]).value is None


def test_entropy_sums_over_classes_and_not_over_samples():
    # the case on which a public library gives 2.943: ten samples in classes of 5, 3, 1 and 1
    samples = [sample(name) for name in ["a"] * 5 + ["b"] * 3 + ["c", "d"]]
    found = semantic_entropy(samples)
    expected = -(0.5 * math.log(0.5) + 0.3 * math.log(0.3) + 2 * 0.1 * math.log(0.1))
    assert found.discrete_nats == pytest.approx(expected)
    assert found.discrete_nats == pytest.approx(1.1683, abs=1e-4)
    assert found.sizes == (5, 3, 1, 1)
    assert found.corrected_nats == pytest.approx(expected + 3 / 20)
    assert found.confidence == pytest.approx(1 - expected / math.log(10))


def test_the_weighted_entropy_counts_a_distinct_string_once():
    twice = [sample("a", -1.0), sample("a", -1.0), sample("b", -1.0)]
    once = [sample("a", -1.0), sample("b", -1.0)]
    assert semantic_entropy(twice).weighted_nats == pytest.approx(math.log(2))
    assert semantic_entropy(once).weighted_nats == pytest.approx(math.log(2))


def test_the_weighted_entropy_uses_length_normalised_likelihoods():
    found = semantic_entropy([sample("a", -0.1, -0.3), sample("b", -1.2)])
    p = math.exp(-0.2) / (math.exp(-0.2) + math.exp(-1.2))
    assert found.weighted_nats == pytest.approx(-(p * math.log(p) + (1 - p) * math.log(1 - p)))


def test_without_log_probabilities_only_the_weighted_entropy_is_unknown():
    found = semantic_entropy([sample("a", -0.1), sample("b")])
    assert found.weighted_nats is None
    assert found.weighted_confidence is None
    assert found.discrete_nats == pytest.approx(math.log(2))


def test_abstentions_are_one_meaning():
    found = semantic_entropy([sample("I don't know", abstains=True), sample("No idea", abstains=True)])
    assert found.confidence == 1.0


def test_one_sample_has_no_entropy():
    found = semantic_entropy([sample("a"), sample("", known=False)])
    assert (found.discrete_nats, found.confidence, found.n, found.n_excluded) == (None, None, 1, 1)


@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=12))
def test_entropy_lies_between_0_and_ln_k_and_ignores_order(names):
    samples = [sample(name, -0.5) for name in names]
    found, turned = semantic_entropy(samples), semantic_entropy(samples[::-1])
    assert 0 <= found.discrete_nats <= math.log(len(names)) + 1e-12
    assert found.discrete_nats == pytest.approx(turned.discrete_nats)
    assert found.weighted_nats == pytest.approx(turned.weighted_nats)
    assert 0 <= found.confidence <= 1


def test_an_entropy_of_nothing_is_refused():
    with pytest.raises(DataError, match="not all 0"):
        entropy_nats([0, 0])
    with pytest.raises(DataError, match="at least 0"):
        entropy_nats([np.nan])
