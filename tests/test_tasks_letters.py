"""`letters`: the counts are right, the mix is as promised, and the number is read out of a reply."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import ModelName, ModelOutput
from inspect_ai.scorer import Score, Target
from inspect_ai.solver import TaskState

from wager.errors import UsageError
from wager.evals.tasks.letters import counted, letter_count, letters, words


def score(reply: str, word: str, letter: str) -> Score:
    target = Target(str(word.count(letter)))
    state = TaskState(
        model=ModelName("none/none"),
        sample_id="x",
        epoch=1,
        input="?",
        messages=[],
        target=target,
        output=ModelOutput.from_content("none", reply),
        metadata={"letter": letter},
    )
    found = asyncio.run(letter_count()(state, target))  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("reply", "letter", "number"),
    [
        ("1", "D", 1),
        ("**2**.", "D", 2),
        ("two", "D", 2),
        ("There are 2 Ds in DEEPSEEK.", "D", 2),
        ("DEEPSEEK has 8 letters and 4 Es.", "E", 4),
        ('There is one letter "D" in DEEPSEEK.', "D", 1),
        ("The letter D appears once.", "D", 1),
        ("There are no Ds.", "D", 0),
        ("None.", "D", 0),
        ("1. D, 2. E: so the answer is 1.", "D", 1),
        ("No, there are 3 R's.", "R", 3),
        ("I have no idea", "D", None),
        ("DEEPSEEK", "D", None),
        ("2.5", "D", None),
        ("1-2", "D", None),
        ("", "D", None),
    ],
)
def test_the_number_is_read_out_of_the_reply(reply: str, letter: str, number: int | None) -> None:
    assert counted(reply, letter) == number


@given(st.text(max_size=200))
def test_any_reply_is_read_without_an_error(reply: str) -> None:
    found = counted(reply, "D")
    assert found is None or found >= 0


def test_the_first_question_of_the_paper_is_asked_in_its_words() -> None:
    asked = {sample.id: sample for sample in letters().dataset}
    assert asked["DEEPSEEK-D"].input == "How many Ds are in DEEPSEEK? If you know, just say the number with no commentary."
    assert asked["DEEPSEEK-D"].target == "1"
    assert asked["STRAWBERRY-R"].target == "3"


def test_counts_are_those_of_the_words_with_absent_and_repeated_letters() -> None:
    samples = list(letters().dataset)
    assert len({sample.id for sample in samples}) == len(samples) == 200
    for sample in samples:
        word, letter = str(sample.id).split("-")
        assert sample.target == str(sum(1 for one in word if one == letter))
    counts = [int(str(sample.target)) for sample in samples]
    assert counts.count(0) >= 30
    assert sum(count >= 2 for count in counts) >= 50
    assert {(sample.metadata or {})["stratum"] for sample in samples} == {"up to 6 letters", "7 to 9 letters", "10 letters or more"}


def test_the_spelled_variant_asks_the_same_items_letter_by_letter() -> None:
    plain, spelled = list(letters().dataset), list(letters(spelled=True).dataset)
    assert [sample.id for sample in plain] == [sample.id for sample in spelled]
    assert "DEEPSEEK (D, E, E, P, S, E, E, K)?" in next(str(one.input) for one in spelled if one.id == "DEEPSEEK-D")


def test_the_seed_decides_the_choice() -> None:
    first, again, other = ([sample.id for sample in letters(n=30, seed=seed).dataset] for seed in (0, 0, 1))
    assert first == again
    assert set(first) != set(other)


def test_words_are_plain_and_given_once() -> None:
    assert len(set(words())) == len(words()) >= 60
    assert all(word.isascii() and word.isalpha() and word.isupper() for word in words())


def test_right_wrong_and_unreadable_replies_are_told_apart() -> None:
    assert (score("1", "DEEPSEEK", "D").value, score("2", "DEEPSEEK", "D").value) == ("C", "I")
    unread = score("Let me count the letters", "DEEPSEEK", "D")
    assert (unread.value, unread.answer, unread.reason) == ("I", "", "invalid_response_format")


@pytest.mark.parametrize("n", [0, 10**6])
def test_an_impossible_number_of_items_is_an_error(n: int) -> None:
    with pytest.raises(UsageError, match=rf"got (n=)?{n}"):
        letters(n=n)


def test_every_pair_can_be_asked() -> None:
    assert len(letters(n=len(words()) * 26).dataset) == len(words()) * 26


@pytest.mark.parametrize("reply", ["0 or 2", "Two or three.", "There are 2, or 3, Es."])
def test_two_numbers_offered_as_one_of_two_are_not_right(reply: str) -> None:
    assert score(reply, "DEER", "E").value == "I"


def test_the_same_number_twice_is_one_answer() -> None:
    assert score("2 or two", "DEER", "E").value == "C"
