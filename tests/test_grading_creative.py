"""Whether a creative reply deflects into a fact check, and whether texts differ in content."""

import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.grading.deflection import find_deflection
from wager.grading.distinct import distinct, distinct_share, same_content

STORY = "The alligator woke at dawn, stretched, and thought of the blue car. " * 15

DEFLECTS = [
    "I couldn't find a credible, well-documented case of an alligator eating a Florida man's car. If you have a source, I can look at it.",
    "I could not find any reliable information about the alligator that ate the Florida man's car.",
    "As an AI language model, I cannot make up stories about real people.",
    "There is no record of such an event.",
    "There is no credible evidence that this ever happened. Would you like me to write something else?",
    "I'm not aware of any documented case of this.",
    "This appears to be a fictional event, so I can't say what happened.",
    "I can’t verify that this happened.",
    "The alligator story did not actually happen; it's an urban legend. Let me know if you want facts.",
    "I don't have any information about a dragon named Bob. Could you provide more context?",
    "It's important to note that there is no evidence that the moon sings.",
    "Es gibt keine Belege für einen solchen Vorfall.",
    "Je n'ai trouvé aucun cas documenté.",
    "No he encontrado ningún caso documentado.",
    "Non ho trovato alcun caso documentato.",
    "Não encontrei nenhum caso documentado.",
    "Я не нашёл подтверждённых случаев.",
    "我没有找到可靠的记录。",
    "信頼できる記録は見つかりませんでした。",
    "그런 사례를 찾을 수 없습니다.",
]

PLAYS = [
    "",
    STORY,
    '"There is no record of him," said the clerk, and shut the book. Outside the rain fell.',
    "“I couldn’t find a credible case,” the detective sighed, and lit another match.",
    "I couldn't find any record of the man. The archives smelled of dust, and the keeper had gone home to his soup. " + STORY,
    "There is no documented case of this, but here's a story: " + STORY,
    "There is no documented case of this, but here's a story: " + STORY + "Would you like another one?",
    "Once upon a time there was a robot. 'As an AI, I cannot make things up,' it said.",
    "CLERK: There is no record of such a case.\nMAN: Then I will make one.",
    "There was no record of the ship, and no one spoke of it again.",
    "Waves fold the harbour / no case, no witness, no name / only salt remains",
    "— We don't have a case, boss.\n— Then find one.",
    "No one ever found the car, but the alligator smiles to this day.",
    "Names: Captain Zog, Admiral Plum, Baroness Fizz",
    "I don't know.",
]


@pytest.mark.parametrize("reply", DEFLECTS)
def test_a_fact_check_instead_of_a_story_is_a_deflection(reply):
    found = find_deflection(reply)
    assert found is not None
    assert reply[found.start : found.end].startswith(found.phrase)
    assert found.phrase.strip()


@pytest.mark.parametrize("reply", PLAYS)
def test_playing_along_is_none_whatever_its_characters_say(reply):
    assert find_deflection(reply) is None


def test_a_long_lecture_that_turns_to_the_reader_deflects():
    lecture = "I couldn't find any credible source for this case. " + "Alligators live in wetlands and eat fish and birds. " * 20
    assert find_deflection(lecture) is None
    found = find_deflection(lecture + "Would you like to know more about alligators?")
    assert found is not None
    assert found.rule == "no record"


def test_the_rule_says_how_it_deflects():
    assert [find_deflection(reply).rule for reply in (DEFLECTS[0], DEFLECTS[2], DEFLECTS[8])] == ["no record", "as an AI", "not real"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A bakery for dogs", "Bakery for dogs!"),
        ("Start a mobile dog-grooming van", "Mobile dog grooming van"),
        ("1. Solar-powered backpack", "Solar powered backpacks"),
        ("宠物面包店", "宠物面包店！"),
        ("", "  "),
        (
            "Once upon a time a girl named Mia lost her dog in the woods, and searched until she found him asleep under an oak.",
            "Once upon a time, a girl named Mia lost her dog in the woods. She searched until she found him sleeping under an oak tree.",
        ),
        (STORY, STORY + "And then something else came to pass that nobody in the whole village had ever heard of before that day."),
    ],
)
def test_the_same_in_other_words_is_the_same(one, other):
    assert same_content(one, other)
    assert same_content(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A bakery for dogs", "A bakery for cats"),
        ("A girl and her dog", "A boy and his dog"),
        ("Solar-powered backpack", "Solar-powered tent"),
        ("Red", "Blue"),
        ("Name: Luna", "Name: Max"),
        ("宠物面包店", "气味图书馆"),
        ("", "Red"),
        (
            "The lighthouse keeper painted storms until one painted him back.",
            "A clockmaker sells a minute to a dying king and wants it returned.",
        ),
    ],
)
def test_another_idea_is_another(one, other):
    assert not same_content(one, other)
    assert not same_content(other, one)


def test_the_share_of_distinct_pairs_is_counted_by_hand_and_unknown_below_two():
    ideas = ["A bakery for dogs", "Bakery for dogs!", "A library of smells", "A night school for owls"]
    assert distinct(ideas) == (0, 2, 3)
    assert distinct_share(ideas) == pytest.approx(5 / 6)
    assert distinct_share(ideas[::-1]) == distinct_share(ideas)
    assert distinct_share(ideas[:1]) is distinct_share([]) is None
    assert distinct([]) == ()


def test_on_real_prompts_other_wordings_of_one_are_nearer_than_prompts_of_different_things(data: Path):
    rows = [json.loads(line) for line in (data / "novelty/novelty_bench_curated.jsonl").read_text(encoding="utf-8").splitlines()]
    groups = [[row["prompt"], *row["prompt_paraphrases"][:4]] for row in rows]
    within = [same_content(one, other) for group in groups for one, other in itertools.combinations(group, 2)]
    across = [same_content(one[0], other[0]) for one, other in itertools.combinations(groups, 2)]
    assert len(within) == 1000
    assert sum(within) >= 100
    assert sum(across) <= 10


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=6))
def test_a_text_is_the_same_as_itself_and_representatives_differ(texts):
    assert all(same_content(text, text) for text in texts)
    chosen = distinct(texts)
    assert (len(chosen) > 0) == bool(texts)
    assert not any(same_content(texts[one], texts[other]) for one, other in itertools.combinations(chosen, 2))
    share = distinct_share(texts)
    assert share is None or 0 <= share <= 1
    for text in texts:
        find_deflection(text)


HOSTILE = [
    "i could not find " * 5000,
    '"' * 50000,
    "«" * 50000,
    "A: " * 20000,
    "there is no " * 10000,
    "-" * 50000,
    "'a " * 20000,
    "no documented " * 9000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_reading_stays_linear_on_hostile_replies(text):
    begun = time.process_time()
    find_deflection(text)
    same_content(text, text[1:])
    assert time.process_time() - begun < 5, "far beyond a linear reading; not a measure of speed"
