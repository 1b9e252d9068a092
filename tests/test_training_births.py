"""The world of births: what Definition 1 asks for, in numbers that can be counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.errors import UsageError
from wager.training.births import Seen, Statements, World, births, draw, frequencies, seen


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def small(**changes: object) -> World:
    return births(**{"people": 50, "rng": rng(), **changes})  # type: ignore[arg-type]


def test_no_two_people_share_a_name() -> None:
    world = births(60_000, rng=rng())  # more surnames than there are names of two syllables with an ending, at 16 given names
    assert len({world.name(person) for person in range(world.people)}) == 60_000
    far = births(700_000, rng=rng())
    some = range(0, 700_000, 7)
    assert len({far.name(person).split()[1] for person in some}) == len({int(far.surname[person]) for person in some})
    assert max(len(far.name(person).split()[1]) for person in some) == 7  # three syllables and an ending are reached


def test_prompts_follow_the_law() -> None:
    assert small(law="uniform").mu == pytest.approx(np.full(50, 0.02))
    zipf = small(exponent=2.0).mu
    assert zipf[0] / zipf[3] == pytest.approx(16.0)
    assert zipf.sum() == pytest.approx(1.0)


def test_birthdays_are_even_over_the_dates_and_samples_say_them_as_often_as_asked() -> None:
    world = births(20_000, rng=rng(), answers=5, answered=0.7)
    assert np.bincount(world.born) / 20_000 == pytest.approx(np.full(5, 0.2), abs=0.015)
    told = draw(world, 30_000, rng=rng(1))
    assert np.mean(told.response == world.answers) == pytest.approx(0.3, abs=0.015)
    stated = told.response < world.answers
    assert np.array_equal(told.response[stated], world.born[told.person[stated]])


def test_a_uniform_corpus_names_everybody_about_as_often() -> None:
    told = draw(births(100, rng=rng(), law="uniform"), 100_000, rng=rng(1))
    assert np.bincount(told.person) == pytest.approx(np.full(100, 1000.0), abs=150)


def test_the_same_seed_makes_the_same_world() -> None:
    one, two, other = small(rng=rng(3)), small(rng=rng(3)), small(rng=rng(4))
    assert np.array_equal(one.born, two.born)
    assert one.name(7) == two.name(7)
    assert not np.array_equal(one.born, other.born)


def test_counting_a_corpus_by_hand() -> None:
    world = small(people=6, answers=10)
    born = world.born
    person = np.array([0, 0, 0, 1, 1, 2, 3, 5])
    response = np.array([born[0], born[0], 10, born[1], born[1], born[2], 10, born[5]])
    counts = seen(world, Statements(person=person, response=response))
    assert counts.answered.tolist() == [2, 2, 1, 0, 0, 1]
    assert counts.silent.tolist() == [1, 0, 0, 1, 0, 0]
    assert (counts.n, counts.singletons) == (8, 2)
    table = [(one.answered, one.prompts, one.rows, one.contradicted) for one in frequencies(counts)]
    assert table == [(0, 1, 1, 0), (1, 2, 2, 0), (2, 2, 5, 0)]  # person 4 is in no statement and so in no row


@settings(max_examples=30, deadline=None)
@given(people=st.integers(2, 400), samples=st.integers(1, 600), answered=st.floats(0.05, 1), seed=st.integers(0, 99))
def test_the_frequency_table_holds_each_statement_once(people: int, samples: int, answered: float, seed: int) -> None:
    world = births(people, rng=rng(seed), answered=answered)
    counts = seen(world, draw(world, samples, rng=rng(seed + 1)))
    table = frequencies(counts)
    assert sum(one.rows for one in table) == samples == counts.n
    assert sum(one.prompts for one in table if one.answered == 1) == counts.singletons
    assert sum(one.answered * one.prompts for one in table) == counts.answered.sum()


def test_statements_read_as_words() -> None:
    world = small()
    first, second = world.name(0).split()
    assert first.isalpha()
    assert second.istitle()
    assert world.statement(0, 0) == f"{world.name(0)}: January 1"
    assert world.statement(0, 58).endswith(": February 28")
    assert world.statement(0, 59).endswith(": March 1")
    assert world.statement(0, 364).endswith(": December 31")
    assert world.statement(0, 365).endswith(": I don't know")
    assert small(answers=20).statement(0, 3).endswith(": day 4")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"people": 1}, "people is 1"),
        ({"law": "pareto"}, "law is 'pareto'"),
        ({"exponent": -1.0}, "exponent is -1"),
        ({"exponent": float("nan")}, "exponent is nan"),
        ({"answers": 2}, "answers is 2"),
        ({"answered": 0.0}, "answered is 0"),
        ({"answered": 1.1}, "answered is 1.1"),
    ],
)
def test_sizes_without_meaning_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        small(**change)


def test_an_empty_corpus_is_refused() -> None:
    with pytest.raises(UsageError, match="samples is 0"):
        draw(small(), 0, rng=rng())


def test_seen_counts_singletons_by_answers_not_by_rows() -> None:
    counts = Seen(answered=np.array([1, 1, 2, 0]), silent=np.array([4, 0, 0, 1]))
    assert (counts.singletons, counts.n) == (2, 9)
