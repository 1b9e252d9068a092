"""A trait drafted by a model: good JSON becomes a trait that passes its own check, anything else one clear line; nothing is trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wager.errors import DataError, ModelError, UsageError
from wager.steering.draft import draft_prompt, draft_trait
from wager.steering.trait_file import check_trait, read_trait, write_trait

THINGS = [
    "bread",
    "trains",
    "winter",
    "tea",
    "chess",
    "rain",
    "taxes",
    "gardens",
    "mirrors",
    "bees",
    "piano",
    "knots",
    "clouds",
    "maps",
    "ladders",
    "whales",
    "salt",
    "glass",
    "boots",
    "owls",
]
OPENINGS = ("How should I begin with", "Tell me a bit about", "Can we talk of", "My neighbour asked about")
SENTENCE = "The reply is in a great hurry."


def good(**changes: Any) -> dict[str, Any]:
    asked = [f"{OPENINGS[place % 2]} {thing}?" for place, thing in enumerate(THINGS)]
    asked += [f"{OPENINGS[2 + place % 2]} {thing} and {THINGS[place - 7]}?" for place, thing in enumerate(THINGS)]
    return {
        "name": "Great hurry",
        "instructions": [[f"Be quick, way {place}.", f"Take your time, way {place}."] for place in range(5)],
        "questions": asked,
        "rubric": "It hurries. It does not hurry.",
    } | changes


class Scripted:
    """Says one reply after the other and keeps what it was asked."""

    def __init__(self, *replies: object) -> None:
        self.replies = list(replies)
        self.asked: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        said = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return said if isinstance(said, str) else json.dumps(said)


def test_good_json_becomes_a_trait_that_can_be_used_and_written(tmp_path: Path) -> None:
    trait = draft_trait(SENTENCE, Scripted(good()))
    check_trait(trait)
    assert (trait.name, trait.description, trait.grading) == ("great_hurry", SENTENCE, "judge")
    assert len(trait.instructions) == 5
    assert len(trait.extraction) == len(trait.evaluation) == 20
    write_trait(tmp_path / "hurry.toml", trait)
    assert read_trait(tmp_path / "hurry.toml").evaluation == trait.evaluation


def test_questions_with_the_same_opening_are_in_one_set() -> None:
    trait = draft_trait(SENTENCE, Scripted(good()))
    assert not {question.phrasing for question in trait.extraction} & {question.phrasing for question in trait.evaluation}
    assert {question.phrasing for question in trait.extraction + trait.evaluation} == {
        "how should i",
        "tell me a",
        "can we talk",
        "my neighbour asked",
    }


def test_openings_of_uneven_shares_are_put_together_so_that_both_sets_are_full() -> None:
    sizes = dict(zip(OPENINGS, (15, 5, 12, 8), strict=True))
    asked = [f"{opening} {thing}?" for opening, size in sizes.items() for thing in THINGS[:size]]
    asked = [f"{one[:-1]} {place * 'x'}{chr(97 + place % 26)}{place}?" for place, one in enumerate(asked)]
    trait = draft_trait(SENTENCE, Scripted(good(questions=asked)))
    assert len(trait.extraction) == len(trait.evaluation) == 20
    assert not {question.phrasing for question in trait.extraction} & {question.phrasing for question in trait.evaluation}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: f"Sure! Here it is:\n```json\n{text}\n```\nAnything else?",
        lambda text: f"<think>{{not this}} {{}}</think>{text}",
        lambda text: f'A pair {{like this}} and {{"a": 1}} first. {text}',
    ],
)
def test_json_is_found_in_a_fence_after_thoughts_and_after_other_braces(wrap: Callable[[str], str]) -> None:
    assert draft_trait(SENTENCE, Scripted(wrap(json.dumps(good())))).name == "great_hurry"


def test_a_given_name_wins() -> None:
    assert draft_trait(SENTENCE, Scripted(good(name="../../etc/passwd")), name="hurry").name == "hurry"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("", "the reply was empty"),
        ("I can't do that.", "held no JSON object with the keys"),
        (json.dumps(good())[:400], "held no JSON object"),
        ("[" * 200_000, "held no JSON object"),
        ('{"a":' * 200_000, "held no JSON object"),
        (good(name="../../etc/passwd"), r"name is 1 to 40 small letters, digits or _, a letter first, got '\.\./\.\./etc/passwd'"),
        (good(name=None), "name is 1 to 40"),
        (good(rubric=""), "rubric is a text of 1 to 1000 characters, got ''"),
        (good(rubric="<|im_end|>"), "rubric holds a control character or a template's token"),
        (good(rubric="a\u0000"), "rubric holds a control character"),
        (good(instructions=[["a", "b"]] * 4), "instructions is a list of 5 pairs, got 4"),
        (good(instructions={"a": "b"}), "instructions is a list of 5 pairs, got {'a': 'b'}"),
        (good(instructions=[["a", "b", "c"]] * 5), r"instructions\[0\] is a list of two texts"),
        (good(instructions=[["Be quick.", "be quick"]] * 5), "in the same words"),
        (good(questions="Why?"), "questions is a list of 40 texts, got 'Why"),
        (good(questions=[7] * 40), r"questions\[0\] is a text of 1 to 1000 characters, got 7"),
        (good(questions=good()["questions"][:39]), "40 different texts, got 39 different ones of 39"),
        (good(questions=["How should I begin with bread?"] * 40), "got 1 different ones of 40"),
        (
            good(questions=[f"Tell me now: {one} or {other}?" for one in THINGS[:8] for other in THINGS[8:16]]),
            "cannot be split into two sets of 20 that share no phrasing: 64 of 64 are alike, such as 'Tell me now: bread or",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line_after_the_stated_number_of_tries(reply: object, said: str) -> None:
    asked = Scripted(reply)
    with pytest.raises(DataError, match=said) as caught:
        draft_trait(SENTENCE, asked, tries=2)
    assert len(asked.asked) == 2
    assert "the model drafted no usable trait in 2 tries; at last " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_second_try_is_told_what_was_wrong() -> None:
    asked = Scripted("sorry", good(rubric=7), good())
    assert draft_trait(SENTENCE, asked).name == "great_hurry"
    assert "could not be used" not in asked.asked[0]
    assert "Your last reply could not be used: the reply held no JSON object" in asked.asked[1]
    assert "rubric is a text of 1 to 1000 characters, got 7" in asked.asked[2]


def test_errors_of_the_model_itself_pass() -> None:
    def refuses(prompt: str) -> str:
        raise ModelError("no server at port 1")

    with pytest.raises(ModelError, match="no server"):
        draft_trait(SENTENCE, refuses)


@pytest.mark.parametrize(
    ("sentence", "options", "said"),
    [
        (" ", {}, "a sentence of 1 to 500 plain characters, got 1"),
        ("x" * 501, {}, "got 501"),
        ("<|im_start|>system", {}, "plain characters"),
        (SENTENCE, {"name": "a/b"}, "a trait's name is 1 to 40 small letters, digits or _, a letter first, got 'a/b'"),
        (SENTENCE, {"tries": 0}, "tries is at least 1, got 0"),
    ],
)
def test_a_description_a_name_or_tries_that_are_not_allowed_are_refused_before_anything_is_asked(
    sentence: str, options: dict[str, Any], said: str
) -> None:
    asked = Scripted(good())
    with pytest.raises(UsageError, match=said):
        draft_trait(sentence, asked, **options)
    assert asked.asked == []


def test_the_prompt_states_the_counts_that_are_checked() -> None:
    prompt = draft_prompt(SENTENCE)
    assert "a list of 5 pairs" in prompt
    assert "a list of 40 user messages" in prompt


def test_the_embedded_model_is_too_small_and_its_nonsense_is_a_clear_error() -> None:
    pytest.importorskip("xllamacpp")
    from wager.models.engine import EngineSettings, engine_for
    from wager.models.weights import embedded_weights

    try:
        engine = engine_for(embedded_weights(), EngineSettings(context=1024, threads=1, slots=1))
    except ModelError as error:
        pytest.skip(str(error))

    def ask(prompt: str) -> str:
        request = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 160, "temperature": 0}
        return str(engine.submit(request).result()["choices"][0]["message"]["content"])

    with pytest.raises(DataError, match=r"the model drafted no usable trait in 2 tries; at last .*: use a more capable model"):
        draft_trait(SENTENCE, ask, tries=2)
