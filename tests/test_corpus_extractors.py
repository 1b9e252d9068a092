"""Facts in text: what the shipped patterns take from sentences as people write them, and what they leave."""

import pytest

from wager.corpus.extractors import EXTRACTORS, SHIPPED, extractor
from wager.errors import DataError, UnknownNameError, UsageError


def found(name: str, text: str) -> list[tuple[str, str]]:
    return list(extractor(name)(text))


@pytest.mark.parametrize(
    ("name", "text", "pairs"),
    [
        ("born", "Ada Lovelace was born on December 10, 1815, in London.", [("When was Ada Lovelace born?", "December 10, 1815")]),
        ("born-in", "Ada Lovelace was born on December 10, 1815, in London.", [("Where was Ada Lovelace born?", "London")]),
        ("born", "Marie Curie was born in Warsaw, Poland, on 7 November 1867.", [("When was Marie Curie born?", "7 November 1867")]),
        (
            "born",
            "Marie Curie was born in Warsaw on 7 November 1867 and died on 4 July 1934 in Passy.",
            [("When was Marie Curie born?", "7 November 1867")],
        ),
        ("born", "Marie Curie was born in Warsaw and died on 4 July 1934.", []),
        ("born", "Alan Turing (mathematician) was born on 23rd June 1912.", [("When was Alan Turing born?", "23rd June 1912")]),
        ("born", "Grace Hopper was born on 1906-12-09.", [("When was Grace Hopper born?", "1906-12-09")]),
        ("born-in", "Élodie d'Aulnay was born in São Paulo. Later she moved.", []),
        ("born-in", "Élodie Durand was born in São Paulo. Later she moved.", [("Where was Élodie Durand born?", "São Paulo")]),
        ("died", "It rained. Isaac Newton died on 20 March 1727.", [("When did Isaac Newton die?", "20 March 1727")]),
        ("died", "Ludwig van Beethoven died in Vienna on 26 March 1827.", [("When did Ludwig van Beethoven die?", "26 March 1827")]),
        (
            "lived",
            "Martin Luther King Jr. (January 15, 1929 – April 4, 1968) spoke.",
            [("When was Martin Luther King Jr. born?", "January 15, 1929")],
        ),
        ("lived", "Nora Jones (born 3 May 1990) sings.", [("When was Nora Jones born?", "3 May 1990")]),
        ("capital", "Paris is the capital of France and its largest city.", [("What is the capital of France?", "Paris")]),
        ("capital", "New Delhi is the capital city of India.", [("What is the capital of India?", "New Delhi")]),
        ("capital-is", "The capital of the Netherlands is Amsterdam.", [("What is the capital of Netherlands?", "Amsterdam")]),
        ("capital-is", "The capital of Kazakhstan is Astana, formerly Nur-Sultan.", [("What is the capital of Kazakhstan?", "Astana")]),
    ],
)
def test_a_pattern_takes_the_fact_of_a_sentence(name: str, text: str, pairs: list[tuple[str, str]]) -> None:
    assert found(name, text) == pairs


@pytest.mark.parametrize(
    "text",
    [
        "He was born on 3 May 1901. They were born on 4 May 1901 in Leeds.",
        "The twins were born on May 5, 1990. Her sister was born on 3 May 1901.",
        "On Tuesday Maria Lopez was born in Lima. Meanwhile John Adams died on July 4, 1826.",
        "Marie Curie, née Skłodowska, was born in Warsaw on 7 November 1867.",
        "Barack Obama was not born on 4 August 1960. An idea was born on a farm.",
        "Napoleon Bonaparte died on the island of Saint Helena on 5 May 1821.",
        "The Battle of Hastings (14 October 1066) was fought. Apollo Eleven (July 16, 1969) flew.",
        "Canberra, not Sydney, is the capital of Australia. Is Bern the capital of Switzerland?",
        "Some people think that Zürich is the capital of Switzerland, or that the capital of Brazil is Rio.",
        "ada lovelace was born on december 10, 1815",
        "",
    ],
)
def test_what_is_no_plain_statement_is_left(text: str) -> None:
    assert found("all", text) == []


def test_all_is_every_pattern_in_turn() -> None:
    text = "Ada Lovelace was born on December 10, 1815. Paris is the capital of France."
    assert found("all", text) == [pair for name in SHIPPED for pair in found(name, text)]
    assert len(found("all", text)) == 2
    assert set(SHIPPED) | {"all"} <= set(EXTRACTORS)


def pairs_of_three(text: str) -> list[tuple[str, ...]]:
    """An extractor that is wrong."""
    return [("a", "b", "c")]


def test_a_function_of_the_users_own_is_found_and_its_pairs_are_checked() -> None:
    with pytest.raises(DataError, match=r"must give pairs .*got \('a', 'b', 'c'\)"):
        found("test_corpus_extractors:pairs_of_three", "text")
    with pytest.raises(UsageError, match="no module 'nowhere_to_be_found'"):
        extractor("nowhere_to_be_found:function")
    with pytest.raises(UnknownNameError, match="pairs_of_three"):
        extractor("test_corpus_extractors:pairs_of_tree")
    with pytest.raises(UsageError, match="is no function"):
        extractor("string:digits")
    with pytest.raises(UnknownNameError, match="born"):
        extractor("bron")


def test_a_function_that_raises_is_named_with_the_text_it_raised_on(tmp_path, monkeypatch):
    (tmp_path / "mine_that_raises.py").write_text("def facts(text):\n    raise KeyError('year')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match=r"'mine_that_raises:facts' raised KeyError: 'year', on the text 'Ada'"):
        list(extractor("mine_that_raises:facts")("Ada"))
