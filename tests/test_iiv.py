"""`wager iiv`: what a model's probabilities of listed responses become, checked by hand and against Theorem 1."""

import argparse
import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.cli import iiv as command
from wager.errors import DataError, UnknownNameError, UsageError
from wager.evals.iiv import asked, limited, reduction, study
from wager.evals.iiv_sets import Question, QuestionSet, birthday_set, capital_set, choice_set, dates, question_set
from wager.models.likelihood import checked_temperatures


class Table:
    """A model that gives each response the log-probability of a function of it; every response is one token."""

    tempered = True

    def __init__(self, logprob: Callable[[str, str], float], name: str = "table") -> None:
        self.name, self.logprob, self.about = name, logprob, {"kind": "a table"}

    def turn(self, question: str) -> tuple[str, str]:
        return f"Q: {question} A: ", "<end>"

    def score(
        self,
        prompts: Sequence[str],
        responses: Sequence[Sequence[str]],
        *,
        temperatures: Sequence[float] = (1.0,),
        done: Callable[[], None] | None = None,
    ) -> list[Any]:
        found: list[Any] = []
        for prompt, listed in zip(prompts, responses, strict=True):
            logs = np.array([self.logprob(prompt, one) for one in listed])
            found.append(None if "too long" in prompt else np.stack([logs / heat for heat in checked_temperatures(temperatures, self)]))
            if done:
                done()
        return found


class Plain(Table):
    tempered = False


def questions(*prompts: str) -> QuestionSet:
    made = [Question(one, f"{one}?", (" a", " b", " c"), (True, False, False), ".") for one in prompts]
    return QuestionSet("made", tuple(made))


def test_the_numbers_of_a_small_set_are_those_of_a_hand() -> None:
    """K = 2, threshold 1/2. Prompt 1: .7 on the valid one; prompt 2: .2 on it and .6 on one error."""
    logs = [np.log([0.7, 0.2, 0.1]), np.log([0.2, 0.6, 0.2])]
    found = reduction(logs, [[True, False, False]] * 2, model="m")
    assert found.error == pytest.approx((0.3 + 0.8) / 2)
    # D: prompt 1 all right; prompt 2 misses the valid one (1/2) and passes one of two errors (1/4)
    assert found.misclassified == pytest.approx((0 + 0.75) / 2)
    assert found.delta == pytest.approx(abs((0.7 + 0.6) / 2 - (1 + 0) / 2))
    assert found.bound == pytest.approx(0.75 - 1 / 2 - 0.15)
    assert (found.fewest_errors, found.most_valid, found.prompts, found.off_list) == (2, 1, 2, None)
    assert found.accuracy == 0.5
    assert found.obeys


def test_mass_on_unlisted_responses_is_an_error_or_is_taken_out() -> None:
    logs = [np.log([0.4, 0.1, 0.1])]
    valid = [[True, False, False]]
    assert reduction(logs, valid, model="m", mass="listed").error == pytest.approx(1 / 3)
    kept = reduction(logs, valid, model="m", mass="all")
    assert kept.error == pytest.approx(0.6)
    assert kept.off_list == pytest.approx(0.4)


def test_an_impossible_response_has_probability_zero() -> None:
    found = reduction([np.array([0.0, -np.inf, -np.inf])], [[True, False, False]], model="m")
    assert (found.error, found.misclassified, found.accuracy) == (0, 0, 1)


def test_rounding_above_one_is_taken_out() -> None:
    found = reduction([np.log([0.70003, 0.2, 0.1])], [[True, False, False]], model="m", mass="all")
    assert found.off_list == 0
    assert found.error == pytest.approx(0.3 / 1.00003)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Any], list[list[bool]]]:
    logs, valid = [], []
    for _ in range(draw(st.integers(1, 6))):
        size = draw(st.integers(2, 7))
        right = draw(st.integers(1, size - 1))
        weights = np.array(draw(st.lists(st.floats(1e-6, 1), min_size=size + 1, max_size=size + 1)))
        logs.append(np.log(weights[:size] / weights.sum()))
        valid.append([place < right for place in range(size)])
    return logs, valid


@given(worlds(), st.sampled_from(["listed", "all"]), st.sampled_from([0.3, 1.0, 4.0]))
@settings(max_examples=200, deadline=None)
def test_no_model_has_less_error_than_its_bound(world: tuple[list[Any], list[list[bool]]], mass: Any, heat: float) -> None:
    logs, valid = world
    found = reduction([one / heat - max(0.0, np.logaddexp.reduce(one / heat)) for one in logs], valid, model="m", mass=mass)
    assert found.obeys
    assert found.error_low <= found.error + 1e-9
    assert found.error <= found.error_high + 1e-9
    assert 0 <= found.accuracy <= 1
    assert sum(one.responses for one in found.bins) == sum(map(len, logs))
    if found.choice_bound is not None:
        assert found.error >= found.choice_bound - 1e-9


def test_intervals_hold_the_value_repeat_with_the_seed_and_narrow_with_prompts() -> None:
    rng = np.random.default_rng(2)
    logs = [np.log(rng.dirichlet(np.ones(4))) for _ in range(400)]
    valid = [[True, False, False, False]] * 400
    few, many = reduction(logs[:25], valid[:25], model="m"), reduction(logs, valid, model="m")
    assert many.error_low < many.error < many.error_high
    assert many.bound_low < many.bound < many.bound_high
    # a bootstrap of 400 equal prompts is the normal interval of their mean
    errors = np.array([1 - np.exp(one[0]) for one in logs])
    assert many.error_high - many.error_low == pytest.approx(2 * 1.96 * errors.std() / 20, rel=0.1)
    assert few.error_high - few.error_low > 2 * (many.error_high - many.error_low)
    assert reduction(logs, valid, model="m", seed=0) == many


def test_each_model_has_a_row_for_each_temperature_the_first_as_it_is() -> None:
    sharp, flat = Table(lambda _, one: -5.0 * "abc".index(one[1]), "sharp"), Table(lambda _, __: -1.2, "flat")
    found = study(questions("x", "y"), [sharp, flat], temperatures=[2, 0.5, 1, 2])
    assert [(one.model, one.variant) for one in found.reductions] == [
        (model, variant) for model in ("sharp", "flat") for variant in ("as it is", "temperature 2", "temperature 0.5")
    ]
    assert found.reductions[1].error > found.reductions[0].error > found.reductions[2].error
    assert found.reductions[3].error == pytest.approx(2 / 3)
    assert found.reductions[3].delta == 0  # nothing is above 1/2, for the model as for the truth: 0 - 0


def test_running_text_ends_with_its_mark_and_a_conversation_with_the_end_of_turn() -> None:
    made = questions("x")
    model = Table(lambda _, __: -1.0)
    assert asked(made.questions, model, chat=False) == (["x"], [[" a.", " b.", " c."]])
    assert asked(made.questions, model, chat=True) == (["Q: x? A: "], [["a<end>", "b<end>", "c<end>"]])
    doted = Question("x", "x?", (" Washington, D.C.", " Lima"), (True, False), ".")
    assert asked([doted], model, chat=False)[1] == [[" Washington, D.C.", " Lima."]]


def test_responses_that_begin_with_another_are_refused() -> None:
    one = Question("Born on", "When?", (" July 1", " July 12", " May 2"), (True, False, False))
    with pytest.raises(DataError, match=r"' July 1' and ' July 12' .* overlap"):
        study(QuestionSet("made", (one,)), [Table(lambda _, __: -1.0)])


def test_a_prompt_that_one_model_cannot_read_is_left_out_for_all_and_counted() -> None:
    found = study(questions("x", "too long", "y"), [Table(lambda _, __: -2.0)])
    assert (found.reductions[0].prompts, found.reductions[0].left_out) == (2, 1)
    assert any("1 prompts were left out" in one for one in found.warnings)
    with pytest.raises(DataError, match="none of the 1 prompts could be used"):
        study(questions("too long"), [Table(lambda _, __: -2.0)])


def test_lists_of_very_different_length_are_told_because_the_shortest_sets_the_threshold() -> None:
    def sized(name: str, errors: int) -> Question:
        return Question(name, f"{name}?", tuple(f" {letter}" for letter in "abcdefghij"[: errors + 1]), (True, *[False] * errors), ".")

    model = Table(lambda _, __: -2.0)
    mixed = study(QuestionSet("made", (sized("x", 3), sized("y", 9))), [model])
    assert mixed.reductions[0].fewest_errors == 3
    assert any("from 3 to 9 erroneous responses" in one and "1/3" in one for one in mixed.warnings)
    alike = study(QuestionSet("made", (sized("x", 5), sized("y", 9))), [model])
    assert not any("erroneous responses" in one for one in alike.warnings)


def test_a_prompt_where_every_response_is_impossible_is_left_out() -> None:
    model = Table(lambda prompt, _: -math.inf if prompt == "x" else -2.0)
    assert study(questions("x", "y"), [model]).reductions[0].left_out == 1


def test_a_temperature_that_one_model_cannot_compute_is_refused_before_any_work() -> None:
    worked: list[str] = []
    first = Table(lambda prompt, _: (worked.append(prompt), -1.0)[1], "first")
    with pytest.raises(UsageError, match="another temperature than 1 cannot be computed"):
        study(questions("x"), [first, Plain(lambda _, __: -1.0, "second")], temperatures=[2])
    assert worked == []


def test_the_same_model_twice_and_no_model_are_refused() -> None:
    with pytest.raises(UsageError, match="one is there twice"):
        study(questions("x"), [Table(lambda _, __: -1.0), Table(lambda _, __: -1.0)])
    with pytest.raises(UsageError, match="at least one model"):
        study(questions("x"), [])


def test_a_limit_draws_by_the_seed_and_keeps_the_order() -> None:
    whole = questions(*"abcdefghij")
    drawn = [one.prompt for one in limited(whole, 4, 1).questions]
    assert drawn == sorted(drawn)
    assert len(drawn) == 4
    assert drawn == [one.prompt for one in limited(whole, 4, 1).questions]
    assert len({tuple(one.prompt for one in limited(whole, 4, seed).questions) for seed in range(5)}) > 1
    assert limited(whole, None, 0) is whole
    with pytest.raises(UsageError, match="at least 1"):
        limited(whole, 0, 0)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text("name,birthday\nAda,1815-12-10\nLeap,2000-02-29\nTwice,1900-01-02\nTwice,1900-01-03\nDay,07-06\n", encoding="utf-8")
    return file


def test_a_birthday_has_364_wrong_dates_and_one_on_29_february_has_365(people: Path) -> None:
    made = birthday_set(str(people))
    ada, leap, day = made.questions
    assert made.left_out == 1
    assert ada.prompt == "Ada was born on"
    assert [one for one, mark in zip(ada.responses, ada.valid, strict=True) if mark] == [" December 10"]
    assert [one for one, mark in zip(leap.responses, leap.valid, strict=True) if mark] == [" February 29"]
    assert [one for one, mark in zip(day.responses, day.valid, strict=True) if mark] == [" June 7"]
    assert (len(ada.responses), len(leap.responses)) == (365, 366)
    found = study(made, [Table(lambda _, __: -math.log(400))])
    assert (found.reductions[0].fewest_errors, found.reductions[0].most_valid) == (364, 1)
    assert found.reductions[0].error == pytest.approx((364 / 365 * 2 + 365 / 366) / 3)


def test_the_days_of_a_year_are_all_different() -> None:
    assert (len(set(dates(False))), len(set(dates(True)))) == (365, 366)
    assert set(dates(True)) - set(dates(False)) == {"February 29"}


def test_capitals_of_others_are_the_errors_and_never_an_accepted_name() -> None:
    made = capital_set(errors=20)
    assert len(made.questions) > 150
    for one in made.questions:
        right = {text for text, mark in zip(one.responses, one.valid, strict=True) if mark}
        wrong = {text for text, mark in zip(one.responses, one.valid, strict=True) if not mark}
        assert len(wrong) == 20
        assert not right & wrong
        assert len(set(one.responses)) == len(one.responses)
    assert made == capital_set(errors=20, seed=0) != capital_set(errors=20, seed=1)
    assert all(sum(one.valid) == 1 for one in capital_set(errors=5, names="usual").questions)
    study(capital_set(errors="all"), [Table(lambda _, __: -8.0)])  # no capital is the beginning of another


@pytest.mark.parametrize("errors", [0, 10_000, "many", 2.5])
def test_an_impossible_number_of_errors_is_refused(errors: Any) -> None:
    with pytest.raises(UsageError, match="a number from 1 to"):
        capital_set(errors=errors)


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    rows = [
        {"ask": "2 + 2?", "options": ["3", "4", "5"], "gold": "B", "extra": 1},
        {"ask": "Sky?", "options": ["blue", "green"], "gold": "blue", "extra": 1},
        {"ask": "Twice the same?", "options": ["x", "x"], "gold": "A", "extra": 1},
        {"ask": "One?", "options": ["x"], "gold": "x", "extra": 1},
    ]
    file = tmp_path / "exam.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in rows), encoding="utf-8")
    return file


def test_options_are_shown_and_answered_by_letter_or_written_out(exam: Path) -> None:
    columns = {"prompt": "ask", "choices": "options", "answer": "gold"}
    made = choice_set(str(exam), **columns)
    assert made.questions[0].prompt == "2 + 2?\nA. 3\nB. 4\nC. 5\nAnswer:"
    assert (made.questions[0].responses, made.questions[0].valid) == ((" A", " B", " C"), (False, True, False))
    assert made.questions[1].valid == (True, False)
    assert made.left_out == 2
    written = choice_set(str(exam), show="text", **columns).questions[0]
    assert (written.prompt, written.responses, written.ending) == ("2 + 2?\nAnswer:", (" 3", " 4", " 5"), "\n")


def test_options_are_read_from_csv_as_json_lists(tmp_path: Path) -> None:
    file = tmp_path / "exam.csv"
    with file.open("w", newline="", encoding="utf-8") as sink:
        csv.writer(sink).writerows([["question", "choices", "answer"], ["Who?", '["me", "you"]', "1"]])
    assert choice_set(str(file)).questions[0].valid == (False, True)


def wager(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(dest="verb"))
    options = parser.parse_args(["iiv", *arguments])
    return int(options.run(options))


def test_a_wrong_name_is_one_line_with_the_nearest_ones(exam: Path, people: Path, tmp_path: Path) -> None:
    cases: list[tuple[list[str], type[Exception], str]] = [
        (["captials"], UnknownNameError, "did you mean 'capitals'"),
        (["capitals", "-T", "error=5"], UnknownNameError, "did you mean 'errors'"),
        (["birthdays"], UsageError, "give it as -T data=VALUE"),
        (["birthdays", "-T", f"data={people}", "-T", "name=nme"], UnknownNameError, "did you mean 'name'"),
        (["capitals", "--prompt", "ask"], UsageError, "--prompt names a column of a file"),
        ([str(exam), "--prompt", "aks", "--choices", "options", "--answer", "gold"], UnknownNameError, "did you mean 'ask'"),
        ([str(tmp_path / "absent.csv")], DataError, "cannot be read"),
        (["capitals", "--model", "hff/x"], UnknownNameError, "hf/PATH"),
        (["capitals", "--model", "embedded", "--model", "embedded"], UsageError, "given twice"),
        (["capitals", "--base-url", "http://localhost:8000/v1"], UsageError, "embedded runs in this process"),
        (["capitals", "--html", str(tmp_path / "none" / "x.html")], UsageError, "no folder"),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            wager(*arguments)
        assert "\n" not in str(caught.value), arguments


def test_the_command_prints_a_table_or_json_and_writes_a_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, exam: Path
) -> None:
    made = {"one/final": Table(lambda _, one: -3.0 * (one.strip() != "B"), "hf/final"), "two/final": Table(lambda _, __: -2.0, "hf/final")}
    monkeypatch.setattr("wager.models.likelihood.likelihood", lambda name, base_url=None: made[name])
    columns = ["--prompt", "ask", "--choices", "options", "--answer", "gold"]
    page = tmp_path / "page.html"
    assert wager(str(exam), *columns, "--model", "one/final", "--temperature", "2", "--html", str(page)) == 0
    printed = capsys.readouterr().out
    assert "exam: 2 prompts, 2 left out" in printed
    assert "temperature 2" in printed
    assert "2 err_iiv - 1/1 - delta" in printed
    assert "arithmetic, not a prediction" in printed
    assert "hf/final" in page.read_text(encoding="utf-8")
    assert wager(str(exam), *columns, "--model", "one/final", "--model", "two/final", "--json", "--mass", "all") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["model"] for one in found["reductions"]] == ["one/final", "two/final"]
    assert found["mass"] == "all"
    assert found["reductions"][1]["off_list"] == pytest.approx(1 - (3 + 2) / 2 * math.exp(-2))


def test_the_command_on_a_page_can_be_given_again(exam: Path) -> None:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(dest="verb"))
    given = ["iiv", "x.csv", "-T", "show=text", "--model", "a", "--model", "b", "--limit", "3", "--prompt", "q"]
    given += ["--temperature", "2", "0.5", "--mass", "all", "--chat", "--seed", "4", "--html", "x.html"]
    options = parser.parse_args(given)
    again = parser.parse_args(command._command(options))
    assert vars(again) == vars(options)


def test_a_named_set_is_made_with_its_arguments(people: Path) -> None:
    assert question_set("birthdays", {"data": str(people)}) == birthday_set(str(people))
    assert question_set("capitals", {"errors": 3}) == capital_set(errors=3)
