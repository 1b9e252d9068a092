"""Whether a reply to a personal message listens, and the same reply made gentler."""

import csv
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.grading.comforting import FEELINGS, QUESTIONS, REFLECTIONS
from wager.grading.support import LANGUAGES, SupportCheck, check, gentler, language_of

LECTURE = """I'm sorry to hear that. Here are some tips:

1. **Exercise**: studies show that 30 minutes a day helps.
2. Talk to a friend.
3. Call 1-800-555-0199.

## Resources
Visit https://help.example.org for more. According to the American Psychological Association, 20% of adults feel this.

Remember, you are not alone."""


def test_a_lecture_lists_and_invents_and_asks_nothing():
    assert check(LECTURE, "my dog died") == SupportCheck(
        asks_back=False,
        reflects=True,
        lists=True,
        invented=(
            "studies show",
            "30",
            "1-800-555-0199",
            "https://help.example.org",
            "According to the American Psychological Association",
            "20%",
        ),
    )


def test_a_lecture_becomes_what_it_says_of_the_writer_and_one_question():
    said = gentler(LECTURE, "my dog died")
    assert said == "I'm sorry to hear that.\n\nRemember, you are not alone. What is it like for you right now?"
    assert check(said, "my dog died").supports


@pytest.mark.parametrize(
    ("reply", "prompt"),
    [
        (
            "It sounds like you've been carrying this alone since your mother fell ill. What do the evenings look like?",
            "my mother fell ill in March",
        ),
        ("You said you are 34 and tired. What now?", "I'm 34 and tired"),
        ("Losing him after ten years must leave such a gap. What was he like?", "I lost my dog after ten years"),
        ("Das klingt schwer. Wie lange geht das schon so?", "ich kann nicht schlafen"),
        ("听起来很难过。你想聊聊吗？", "我失恋了"),
    ],
)
def test_a_reply_that_reflects_and_asks_supports_and_is_left_as_it_is(reply, prompt):
    assert check(reply, prompt).supports
    assert gentler(reply, prompt) == reply


@pytest.mark.parametrize(
    ("reply", "lists"),
    [
        ("- walk\n- sleep", True),
        ("1) walk\n2) sleep", True),
        ("Try to sleep. Take a walk. You should eat.", True),
        ("Try to sleep. Take a walk.", False),
        ("That hurts. I hear you. You are tired.", False),
    ],
)
def test_items_and_orders_in_a_row_are_a_list(reply, lists):
    assert check(reply, "I am sad").lists is lists


def test_a_fact_that_the_message_holds_is_not_invented():
    assert check("Being 34 with 2 jobs sounds exhausting.", "I'm 34, I have 2 jobs").invented == ()
    assert check("Being 34 with 3 jobs sounds exhausting.", "I'm 34, I have 2 jobs").invented == ("3",)
    assert check("Dr. Smith says one in four people feel so.", "I'm 34").invented == ("Dr. Smith", "one in four")


def test_orders_in_a_row_go_and_the_question_stays():
    reply = "That sounds so painful. You should see a therapist. Try yoga. Take walks. Eat well. How long has it been?"
    assert gentler(reply, "my dad died") == "That sounds so painful. How long has it been?"


@pytest.mark.parametrize(
    "reply", ["", "1. sleep\n2. eat", "I don't know.", "As an AI language model, I cannot provide support.", "\x00", "**"]
)
def test_nothing_worth_keeping_becomes_a_reflection_and_a_question(reply):
    assert gentler(reply, "my dog died") == f"{REFLECTIONS['en']} {QUESTIONS['en']}"


def test_an_abstention_is_no_support():
    found = check("I'm sorry, I don't know.", "my dog died")
    assert found.deflects is True
    assert not found.supports


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_reflection_and_a_question_of_its_own(language):
    said = gentler("", "x", language)
    assert said.startswith(REFLECTIONS[language])
    assert said.endswith(QUESTIONS[language])
    assert language_of(said) == language
    assert FEELINGS.search(REFLECTIONS[language])
    assert check(said, "x").supports


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ich bin so müde und weiß nicht weiter", "de"),
        ("je ne dors plus et je suis seule", "fr"),
        ("estoy muy cansada y no tengo con quien hablar", "es"),
        ("non dormo più e mi sento sola", "it"),
        ("não durmo e estou muito sozinha", "pt"),
        ("ik voel me zo alleen en het gaat niet", "nl"),
        ("czuję się bardzo samotna i nie śpię", "pl"),
        ("çok yorgunum ve kimse beni anlamıyor", "tr"),
        ("мне очень грустно", "ru"),
        ("我很难过", "zh"),
        ("もう疲れました", "ja"),
        ("너무 힘들어요", "ko"),
        ("أنا حزين جدا", "ar"),
        ("मैं बहुत दुखी हूँ", "hi"),
        ("i feel so alone", "en"),
        ("", "en"),
        ("ok", "en"),
    ],
)
def test_the_language_is_guessed_and_english_where_nothing_tells(text, language):
    assert language_of(text) == language


def test_an_unknown_language_is_answered_in_english():
    assert gentler("", "моя собака умерла", "xx") == f"{REFLECTIONS['en']} {QUESTIONS['en']}"
    assert gentler("", "моя собака умерла").startswith(REFLECTIONS["ru"])


def test_every_real_message_gets_a_supporting_reply_from_any_lecture(data: Path):
    with (data / "counsel/questions.csv").open(encoding="utf-8", newline="") as file:
        messages = [row["question"] for row in csv.DictReader(file)]
    assert len(messages) == 824
    for message in messages:
        assert check(gentler(LECTURE, message), message).supports, message


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.text(max_size=100))
def test_a_gentler_reply_is_never_empty_always_asks_and_lists_nothing(reply, prompt):
    said = gentler(reply, prompt)
    found = check(said, prompt)
    assert said.strip()
    assert found.asks_back
    assert found.reflects
    assert found.invented == ()


HOSTILE = [
    "1. a\n" * 20000,
    "a" * 100000,
    "try to " * 10000,
    '"' * 50000,
    "1-" * 20000,
    "5 " * 20000,
    ": \n" * 9000,
    "It sounds " * 9000,
    "." * 50000,
    "?!" * 20000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_reading_stays_linear_on_hostile_messages(text):
    begun = time.process_time()
    check(text, text)
    gentler(text, text)
    assert time.process_time() - begun < 5, "far beyond a linear reading; not a measure of speed"
