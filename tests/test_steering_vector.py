"""Vectors as values: sums, multiples, what is orthogonal, doses, and what is refused."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.errors import UsageError
from wager.steering.backend import ModelIdentity
from wager.steering.vector import Card, Vector

MODEL = ModelIdentity(name="embedded", architecture="llama", blocks=3, width=2, vocabulary=5, tokens="t", weights="w")
CARD = Card(trait="calm", model=MODEL, block=1, norms={0: 4.0, 1: 10.0}, band=(-0.5, 0.25), counts={"positive": 7}, stability={1: 0.9})


def vector(directions: dict[int, tuple[float, float]], **changes: object) -> Vector:
    card = dataclasses.replace(CARD, **changes)  # type: ignore[arg-type]
    return Vector({block: np.array(values, dtype=np.float32) for block, values in directions.items()}, card)


CALM = vector({0: (1, 0), 1: (3, 4)})
BOLD = vector({1: (1, 0), 2: (5, 5)}, trait="bold")


def test_a_push_has_the_length_of_its_dose_times_that_of_the_activations() -> None:
    push = CALM.push(0.5)  # 0.5 * 10 * (0.6, 0.8)
    assert list(push.deltas) == [1]
    assert push.deltas[1].dtype == np.float32
    assert push.deltas[1].tolist() == [3.0, 4.0]
    assert push.positions == "reply"
    assert CALM.push(-0.25, block=0, positions="all").deltas[0].tolist() == [-1.0, 0.0]


def test_the_length_of_a_direction_does_not_change_its_push() -> None:
    assert (1e25 * CALM).push(0.5).deltas[1] == pytest.approx([3.0, 4.0], rel=1e-6)
    assert (1e-25 * CALM).push(0.5).deltas[1] == pytest.approx([3.0, 4.0], rel=1e-6)
    assert (-CALM).push(0.5).deltas[1] == pytest.approx([-3.0, -4.0])


def test_a_push_of_dose_zero_changes_nothing() -> None:
    assert CALM.push(0.0).nothing
    assert not CALM.push(1e-6).nothing


def test_sums_are_of_the_blocks_that_both_have() -> None:
    made = CALM + BOLD
    assert {block: values.tolist() for block, values in made.directions.items()} == {1: [4.0, 4.0]}
    assert {block: values.tolist() for block, values in (CALM - BOLD).directions.items()} == {1: [2.0, 4.0]}
    assert (0.5 * CALM).directions[1].tolist() == (CALM * 0.5).directions[1].tolist() == [1.5, 2.0]
    assert made.card.trait == "calm + bold"
    assert (CALM - BOLD).card.trait == "calm + -1 * bold"


def test_a_combination_keeps_no_measurement_of_its_parts_but_the_activations() -> None:
    card = (0.5 * CALM).card
    assert (card.method, card.elicitation, card.band, card.counts, card.stability) == ("combination", "combination", None, {}, {})
    assert card.norms == CALM.card.norms
    assert card.block == 1


def test_what_is_orthogonal_has_no_part_along_the_other() -> None:
    left = CALM.orthogonal_to(BOLD)
    assert {block: values.tolist() for block, values in left.directions.items()} == {1: [0.0, 4.0]}
    assert left.cosines(BOLD) == {1: 0.0}
    assert left.card.trait == "calm without bold"


def test_cosines_are_by_shared_block() -> None:
    assert CALM.cosines(BOLD) == {1: pytest.approx(0.6)}
    assert CALM.cosines(-1.0 * CALM) == {0: -1.0, 1: pytest.approx(-1.0)}


numbers = st.floats(-100, 100, width=32).filter(lambda value: abs(value) > 0.01)


@settings(max_examples=60, deadline=None)
@given(st.tuples(numbers, numbers), st.tuples(numbers, numbers))
def test_an_orthogonal_part_and_the_removed_one_make_the_whole(one: tuple[float, float], other: tuple[float, float]) -> None:
    mine, yours = vector({1: one}), vector({1: other})
    left = mine.orthogonal_to(yours).directions[1].astype(float)
    length = np.linalg.norm(one)
    assert abs(left @ yours.unit(1)) <= 1e-5 * length
    removed = np.asarray(one) - left
    assert abs(removed @ [-other[1], other[0]]) <= 1e-5 * length * np.linalg.norm(other)  # along the other
    assert -1.0 <= mine.cosines(yours)[1] <= 1.0


def test_vectors_are_equal_by_value() -> None:
    assert vector({1: (3, 4)}) == vector({1: (3, 4)})
    assert vector({1: (3, 4)}) != vector({1: (3, 5)})
    assert vector({1: (3, 4)}) != vector({2: (3, 4)})
    assert vector({1: (3, 4)}) != vector({1: (3, 4)}, trait="bold")
    assert vector({1: (3, 4)}) != "calm"


def test_a_vector_fits_its_family_and_no_other_model() -> None:
    CALM.check_for(dataclasses.replace(MODEL, name="hf/fine-tuned", weights="others"))
    CALM.check_for(dataclasses.replace(MODEL, tokens=""))  # not known
    for change, said in (({"width": 4}, "width 2"), ({"blocks": 9}, "number of blocks 3"), ({"tokens": "u"}, "another family")):
        with pytest.raises(UsageError, match=said):
            CALM.check_for(dataclasses.replace(MODEL, name="hf/other", **change))


def test_vectors_of_two_models_do_not_mix() -> None:
    other = Vector({1: np.ones(4, np.float32)}, Card(trait="wide", model=dataclasses.replace(MODEL, width=4)))
    for mix in (lambda: CALM + other, lambda: CALM - other, lambda: CALM.orthogonal_to(other), lambda: CALM.cosines(other)):
        with pytest.raises(UsageError, match="width"):
            mix()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: vector({3: (1, 1)}), r"blocks 0 to 2, got 3"),
        (lambda: vector({-1: (1, 1)}), r"blocks 0 to 2, got -1"),
        (lambda: vector({1: (1, 1, 1)}), r"width 2, got shape \(3,\) at block 1"),
        (lambda: vector({1: (1, float("nan"))}), r"not finite, at block 1"),
        (lambda: vector({}), r"no direction at any block"),
        (lambda: CALM.push(float("inf")), r"finite number, got inf"),
        (lambda: BOLD.push(0.5, block=2), r"no length of activations at block 2"),
        (lambda: CALM.at(2), r"has blocks 0 to 1, got 2"),
        (lambda: vector({0: (1, 1), 2: (1, 1)}).at(1), r"has blocks 0, 2, got 1"),
        (lambda: vector({1: (1, 1)}, block=None).at(), r"names no block; say which, of 1 to 1"),
        (lambda: vector({1: (0, 0)}).push(0.5), r"is zero at block 1"),
        (lambda: CALM.orthogonal_to(vector({2: (1, 1)})), r"no block in common"),
        (lambda: CALM + vector({2: (1, 1)}), r"no block in common"),
        (lambda: float("nan") * CALM, r"finite number, got nan"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make: object, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        make()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [lambda: CALM + 1, lambda: CALM - 1, lambda: CALM * True, lambda: "2" * CALM])
def test_a_vector_adds_to_vectors_and_is_scaled_by_numbers_only(make: object) -> None:
    with pytest.raises(TypeError):
        make()  # type: ignore[operator]
