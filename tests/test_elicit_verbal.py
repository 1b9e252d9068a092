"""Words of confidence: hand-labelled cases, the published survey, properties, real replies and hostile input."""

import csv
import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.elicit.lexicon import SURVEYED
from wager.elicit.phrase_tree import words_of
from wager.elicit.verbal import DEFAULT_SHADES, SHADE_REQUEST, Shade, Shades, find_shades, verbal_confidence
from wager.errors import DataError, UnknownNameError, UsageError

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "verbal.jsonl").read_text(encoding="utf-8").splitlines()]
PLAIN = ["The sky is blue.", "Oslo lies in Norway.", "It has 700,000 people!", "Bread is baked.", "She said hello.", "2 + 2 = 4."]
LONE = [case for case in CASES if case["shade"] and "answer" not in case and "</think>" not in case["text"] and '"' not in case["text"]]


def read(case: dict) -> dict:
    found = verbal_confidence(case["text"], answer=case.get("answer"))
    span = None if found.start is None else case["text"][found.start : found.end]
    return {"shade": found.shade, "span": span, "problem": found.problem, "act": found.act}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:40])
def test_a_case_is_read_as_labelled(case: dict) -> None:
    found = read(case)
    assert found == {"shade": case["shade"], "span": case["span"], "problem": case["problem"], "act": case.get("act")}


def test_there_are_enough_cases_of_every_kind() -> None:
    assert len(CASES) >= 120
    assert {case["problem"] for case in CASES} == {None, "absent", "negated", "contradictory"}
    assert {case["shade"] for case in CASES} >= {shade.name for shade in DEFAULT_SHADES} - {"highly_likely"}


def test_no_hedge_is_no_value_and_never_certainty() -> None:
    found = verbal_confidence("The capital of Bhutan is Thimphu.")
    assert (found.value, found.shade, found.problem) == (None, None, "absent")


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_phrases_does_not_matter(order: int) -> None:
    shades = (
        Shade(name="certain", phrases=("certain",), value=0.95, low=0.9, high=1.0),
        Shade(name="not_certain", phrases=("quite not certain", "not certain")[::order], value=0.3, low=0.1, high=0.5),
    )
    assert verbal_confidence("I'm NOT certain, but Paris.", Shades(shades)).value == 0.3


def test_defaults_are_the_medians_and_ten_to_ninety_percent_of_the_survey(data: Path) -> None:
    with (data / "phrases" / "perceptions_46.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 46
    surveyed = {phrase for phrases in SURVEYED.values() for phrase in phrases}
    assert surveyed == {phrase.casefold() for phrase in rows[0]}
    for name, phrases in SURVEYED.items():
        answers = [float(row[column]) / 100 for row in rows for column in row if column.casefold() in phrases]
        assert len(answers) == 46 * len(phrases)
        shade = DEFAULT_SHADES[name]
        assert (shade.low, shade.value, shade.high) == pytest.approx(np.quantile(answers, [0.1, 0.5, 0.9]), abs=1e-9)
        assert shade.origin == "survey"
    assert all(shade.origin == "assumed" for shade in DEFAULT_SHADES if shade.name not in SURVEYED)


def test_every_phrase_of_the_survey_is_read_as_its_shade() -> None:
    for name, phrases in SURVEYED.items():
        for phrase in phrases:
            assert verbal_confidence(f"{phrase.title()}.").shade == name


def test_the_request_is_short_and_its_four_replies_are_told_apart() -> None:
    assert len(list(words_of(SHADE_REQUEST))) <= 40
    replies = [f"{reply.strip()}." for reply in SHADE_REQUEST.split(":", 1)[1].split(".") if reply.strip()]
    assert [verbal_confidence(reply).shade for reply in replies] == ["confident", "fairly_sure", "not_certain", "look_up"]
    assert [verbal_confidence(reply).value for reply in replies] == [0.95, 0.8, 0.4, None]
    assert verbal_confidence(SHADE_REQUEST).problem == "contradictory"


@settings(deadline=None)
@given(st.text(max_size=200) | st.lists(st.sampled_from([case["text"] for case in CASES]), max_size=4).map(" ".join))
def test_spans_lie_in_the_text_in_order_and_apart(text: str) -> None:
    found = find_shades(text)
    assert all(0 <= said.start < said.end <= len(text) for said in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))


@settings(deadline=None)
@given(st.sampled_from([case for case in CASES if "</think>" not in case["text"]]), st.sampled_from([str.upper, str.lower, str.swapcase]))
def test_case_is_irrelevant(case: dict, changed: Callable[[str], str]) -> None:
    one, other = verbal_confidence(case["text"]), verbal_confidence(changed(case["text"]))
    assert (one.value, one.shade, one.act, one.problem) == (other.value, other.shade, other.act, other.problem)


@settings(deadline=None)
@given(st.sampled_from(LONE), st.lists(st.sampled_from(PLAIN), max_size=3), st.lists(st.sampled_from(PLAIN), max_size=3))
def test_plain_sentences_around_a_shade_change_nothing(case: dict, before: list[str], after: list[str]) -> None:
    text = case["text"] if case["text"][-1] in ".?!*" else case["text"] + "."
    found = verbal_confidence("\n".join([*before, text, *after]))
    assert (found.shade, found.act) == (case["shade"], case.get("act"))


def test_hyphens_line_breaks_and_curly_quotes_keep_the_span() -> None:
    text = "Paris —  I’m not\nentirely  *sure*."
    (said,) = find_shades(text)
    assert text[said.start : said.end] == "I’m not\nentirely  *sure"
    assert said.negated


@pytest.mark.parametrize(
    "unit", ["I'm not ", "not ", "a", '"', "probably. ", "'", "- ", "I'm sure, the answer is so. ", "\n", "</think>", "very "]
)
def test_a_hostile_reply_of_a_million_characters_is_read(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    found = verbal_confidence(text)
    assert found.problem in ("absent", None)


def test_work_grows_linearly_with_the_text() -> None:
    def steps(n: int) -> int:
        count = 0

        class Counted(list):
            def __getitem__(self, place):  # type: ignore[no-untyped-def]
                nonlocal count
                count += 1
                return super().__getitem__(place)

        from wager.elicit import said

        words = Counted(words_of("not very " * n + "certain"))
        tree = said._tree(DEFAULT_SHADES)
        for place in range(len(words)):
            tree.longest(words, place)
            said._negator(words, place)
        return count

    assert steps(2000) / steps(1000) == pytest.approx(2, rel=0.05)


def test_the_answers_sentence_decides_among_several() -> None:
    text = "Oslo is likely. Bergen is highly unlikely."
    assert verbal_confidence(text, answer="Oslo").shade == "likely"
    assert verbal_confidence(text, answer="Bergen").shade == "highly_unlikely"
    assert verbal_confidence(text, answer="Rome").problem == "contradictory"
    assert verbal_confidence("It is probably in Norway. The answer is Oslo.").problem == "absent"


def test_other_values_of_a_shade_are_used() -> None:
    learned = Shades(tuple(dataclasses.replace(s, value=0.97, high=1.0) if s.name == "certain" else s for s in DEFAULT_SHADES))
    assert verbal_confidence("I'm certain.", learned).value == 0.97


@settings(deadline=None)
@given(st.floats(0, 1))
def test_the_shade_to_write_is_the_nearest_and_never_an_act(p: float) -> None:
    shade = DEFAULT_SHADES.at(p)
    written = [one for one in DEFAULT_SHADES if one.written]
    assert shade in written
    assert abs(shade.value - p) <= min(abs(one.value - p) for one in written) + 1e-12


def test_cut_points_lie_halfway_and_belong_to_the_less_sure_shade() -> None:
    assert [DEFAULT_SHADES.at(p).name for p in (1, 0.876, 0.875, 0.601, 0.6, 0)] == [
        "confident", "confident", "fairly_sure", "fairly_sure", "not_certain", "not_certain",
    ]  # fmt: skip
    unmarked = Shades(tuple(dataclasses.replace(shade, written=False) for shade in DEFAULT_SHADES))
    assert unmarked.at(0.0).name == "almost_no_chance"
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match=r"\[0, 1\]"):
            DEFAULT_SHADES.at(wrong)


def test_shades_survive_json() -> None:
    assert Shades.from_dict(json.loads(json.dumps(DEFAULT_SHADES.to_dict()))) == DEFAULT_SHADES
    assert None not in [value for one in DEFAULT_SHADES.to_dict() for value in one.values()]


GOOD = {"name": "x", "phrases": ["maybe"], "value": 0.5, "low": 0.4, "high": 0.6}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 1.5}, "value"),
        ({"low": 0.55}, "low"),
        ({"value": float("nan")}, "value"),
        ({"value": "high"}, "value is a number"),
        ({"act": "look_up"}, "an act"),
        ({"phrases": []}, "phrase"),
        ({"phrases": "maybe"}, "list of texts"),
        ({"origin": "heard"}, "origin"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_wrong_shade_is_refused_and_the_key_is_named(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Shade.from_dict({**GOOD, **change})


def test_sets_of_shades_are_checked() -> None:
    high = Shade(name="a", phrases=("yes",), value=0.9, low=0.8, high=1)
    low = Shade(name="b", phrases=("no",), value=0.1, low=0, high=0.2)
    act = Shade(name="c", phrases=("look",), value=None, act="look_up")
    for wrong, message in [((low, high), "surest"), ((act, high), "acts come last"), ((act,), "at least one"), ((high, high), "twice")]:
        with pytest.raises(DataError, match=message):
            Shades(wrong)
    with pytest.raises(DataError, match="phrase 'yes'"):
        Shades((high, dataclasses.replace(low, phrases=("Yes",))))
    with pytest.raises(UnknownNameError, match="fairly_sure"):
        DEFAULT_SHADES["fairly sure"]


def test_real_replies_are_mostly_without_words_and_words_of_doubt_mean_less(data: Path) -> None:
    table = pq.read_table(data / "rlcr" / "commonsenseqa.parquet", columns=["completion", "correct", "confidence"]).to_pylist()
    read = [(verbal_confidence(row["completion"]), row) for row in table]
    told = [(found, row) for found, row in read if found.value is not None]
    assert 0.04 < len(told) / len(read) < 0.1
    doubted = [row["confidence"] for found, row in told if found.shade == "not_certain"]
    sure = [row["confidence"] for found, row in told if found.shade in ("fairly_sure", "confident")]
    assert np.mean(doubted) < np.mean(sure) - 0.1


def test_most_words_of_the_public_hedge_list_are_no_probability(data: Path) -> None:
    lines = (data / "hedges" / "hedges.txt").read_text(encoding="utf-8").splitlines()
    hedges = [line.strip() for line in lines if line.strip() and not line.startswith("%")]
    read = {hedge for hedge in hedges if verbal_confidence(hedge).shade}
    assert {"probably", "likely", "maybe", "perhaps", "unsure", "possibly", "definitely", "doubtful"} <= read
    assert not read & {"largely", "some", "often", "can", "about", "rather", "never", "most", "indicate"}
