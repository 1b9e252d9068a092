"""The page of a licence in a real browser: the verdict first, every chart drawn, offline, and no text of a model runs."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from test_report_page import HOSTILE, chromium  # noqa: F401  # a fixture
from test_report_theory import Opened
from test_steering_licence import BAND, DOSE, at_half, dose_of, gated, helps, knob, world
from wager.errors import OutputError
from wager.metrics.results import Estimate
from wager.report.licence_page import write_licence_page
from wager.steering.licence import Example, Licence, examples_of, licence
from wager.steering.samples import Sample


def sure(rows: list[Sample]) -> list[Sample]:
    """With a confidence that tells right from wrong a little, for the dial at its dose, unsteered and with the prompt."""
    wanted = ("none", "prompt")
    return [
        replace(one, confidence=0.3 + 0.01 * (len(one.question) * 7 % 30) + 0.3 * bool(one.correct))
        if one.condition.kind in wanted or (one.condition.kind, one.condition.dose) == ("vector", DOSE)
        else one
        for one in rows
    ]


@pytest.fixture(scope="module")
def rows() -> list[Sample]:
    return sure(world(helps, gate=gated))


@pytest.fixture(scope="module")
def good(rows: list[Sample]) -> Licence:
    about = {"Model": "embedded", "Seeds": "0, 1, 2"}
    return licence(rows, trait="hallucination", chosen=dose_of(), band=BAND, about=about)


@pytest.fixture(scope="module")
def bad() -> Licence:
    return licence(world(knob), trait="hallucination", chosen=at_half(), band=None)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, rows: list[Sample], good: Licence, bad: Licence) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("licences")
    found = {name: folder / f"{name}.html" for name in ("good", "bad", "hostile")}
    write_licence_page(found["good"], good, command="wager steer licence hallucination", examples=examples_of(rows, good))
    write_licence_page(found["bad"], bad)
    evil = "".join(HOSTILE)
    examples = [
        Example(group="unknown", question=evil, before=evil, after=f"{evil}\ud83d"),
        Example(group=evil, question="?", before="", after=""),
    ]
    write_licence_page(found["hostile"], hostile(good), command=HOSTILE[0], examples=examples)
    return found


def hostile(value: Any) -> Any:
    """The same licence with hostile text in every free field."""
    if isinstance(value, tuple):
        return tuple(hostile(one) for one in value)
    if isinstance(value, str):
        return "".join(HOSTILE) + value
    if not hasattr(value, "__dataclass_fields__"):
        return value
    kept = {"goal", "verdict", "kind", "values", "changes", "curve", "against", "ungraded"}
    changed = {one.name: getattr(value, one.name) for one in fields(value) if one.name not in kept}
    made = replace(value, **{name: hostile(old) for name, old in changed.items()})
    if isinstance(value, Licence):
        return replace(made, about={HOSTILE[1]: HOSTILE[2]})
    if hasattr(value, "refused"):
        return replace(made, refused={name: "".join(HOSTILE) for name in value.refused})
    return made


def test_the_verdict_and_its_reasons_come_first(chromium: Any, pages: dict[str, Path]) -> None:  # noqa: F811
    opened = Opened(chromium, pages["bad"])
    first = opened.page.locator("main section").first
    assert first.get_attribute("id") == "verdict"
    assert first.locator(".licence").inner_text() == "unlicensed"
    marks = first.locator(".verdict").evaluate_all("all => all.map(one => one.dataset.holds)")
    assert marks == ["no", "no"] + ["yes"] * (len(marks) - 2)
    lines = first.locator("li").all_inner_texts()
    assert any("Selectivity" in line and "refusal knob" in line for line in lines[:2])
    assert any("Monotone band" in line for line in lines[:2])
    assert opened.text(".finding").startswith("UNLICENSED: off by default. What is not shown: Monotone band, Selectivity. At dial -0.5")
    assert (
        "it hedges on 35 % of the unknown and 30 % of the known questions and has 60 % of these right; unsteered: 10 %, 5 %, 60 %."
        in opened.text(".finding")
    )
    assert opened.complaints == []
    opened.close()
    other = Opened(chromium, pages["good"])
    assert other.text(".finding").startswith("LICENSED. At dial -0.5 it hedges on 70 % of the unknown and 5 % of the known questions")
    assert set(other.page.locator(".verdict").evaluate_all("all => all.map(one => one.dataset.holds)")) == {"yes"}
    other.close()


@pytest.mark.parametrize(("name", "charts"), [("good", 13), ("bad", 7)])
@pytest.mark.parametrize("width", [1200, 400])
def test_every_chart_is_drawn_offline_without_a_complaint(
    chromium: Any,  # noqa: F811
    pages: dict[str, Path],
    name: str,
    charts: int,
    width: int,
) -> None:
    opened = Opened(chromium, pages[name], width)
    assert opened.page.locator(".chart svg").count() == charts
    assert opened.page.locator(".chart svg .mark-line path, .chart svg .mark-symbol path").count() > charts
    assert opened.requests == [pages[name].as_uri()]
    assert opened.complaints == []
    assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert all(len(told.inner_text()) > 20 for told in opened.page.locator("figure .good").all())
    opened.close()


def test_hostile_text_is_shown_and_never_runs(chromium: Any, pages: dict[str, Path]) -> None:  # noqa: F811
    opened = Opened(chromium, pages["hostile"], 400)
    assert opened.complaints == []
    assert opened.page.evaluate("window.pwned") is None
    assert opened.requests == [pages["hostile"].as_uri()]
    assert opened.page.locator("main img, main script, main iframe, main svg a, main svg image, main svg script").count() == 0
    assert opened.page.locator("script").count() == opened.page.locator("script[type='application/json']").count() + 2
    replies = opened.page.locator("#examples td").all_inner_texts()
    assert all(text in replies[1] for text in ("<script>window.pwned=1</script>", "${alert(1)} $bundle {{7*7}}"))
    assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= 400
    opened.close()


def test_gated_and_ungated_stand_side_by_side_with_their_numbers(chromium: Any, pages: dict[str, Path]) -> None:  # noqa: F811
    opened = Opened(chromium, pages["good"])
    assert opened.page.locator("#hedging h3").all_inner_texts() == ["Without the gate", "With the gate"]
    # the dose was chosen without the gate: the rule stands in that chart alone
    rules = opened.page.evaluate(
        "[...document.querySelectorAll('#hedging .chart')].map(c => c.querySelectorAll('.mark-rule.role-mark line').length)"
    )
    assert rules == [1, 0]
    opened.page.locator("#hedging summary").click()
    lines = [line.replace("\N{NO-BREAK SPACE}", " ") for line in opened.page.locator("#hedging tbody tr").all_inner_texts()]
    assert len(lines) == 15
    assert lines[0].split("\t") == ["unsteered", "10 % [5, 20]", "5 % [2, 14]"]
    assert next(line for line in lines if line.startswith("dial -0.75\t")).split("\t")[2] == "55 % [42, 67]"
    assert next(line for line in lines if line.startswith("dial -0.75, gated")).split("\t")[2] == "5 % [2, 14]"
    opened.close()


def test_controls_left_out_and_choice_are_shown(chromium: Any, pages: dict[str, Path]) -> None:  # noqa: F811
    opened = Opened(chromium, pages["good"])
    names = opened.page.locator("#controls tbody th").all_inner_texts()
    assert names[:2] == ["dial -0.5", "unsteered"]
    assert [name for name in names if name.startswith("random")] == [f"random vector {at} at -0.5" for at in range(5)]
    assert names[-2:] == ["wrong sign +0.5", "prompt only"]
    assert "+0.60 [+0.47, +0.73]" in opened.page.locator("#controls tbody tr").nth(2).inner_text().replace("−", "-")
    assert "refused: Known answers kept" in opened.text("#chosen")
    assert "152 development questions" in opened.text("#chosen")
    assert "-0.625 to 0." in opened.text("#chosen")
    assert opened.page.locator("#left-out tbody tr").count() == 1 + 14 + 7
    assert opened.page.locator("#examples tbody tr").count() == 12
    assert "wager steer licence hallucination" in opened.text("#made")
    links = opened.page.evaluate(
        "[...document.querySelectorAll('nav a')].map(a => document.querySelector(a.getAttribute('href')) !== null)"
    )
    assert len(links) == 13
    assert all(links)
    assert opened.page.evaluate("[...document.querySelectorAll('table')].every(t => t.closest('[role=region][tabindex=\"0\"]'))")
    opened.close()


def test_what_is_not_known_is_a_dash_with_its_reason_and_no_zero(chromium: Any, good: Licence, tmp_path: Path) -> None:  # noqa: F811
    gone = replace(good.unsteered, values={name: Estimate(None, reason=f"lost {HOSTILE[2]}") for name in good.unsteered.values})
    write_licence_page(
        tmp_path / "l.html", replace(good, unsteered=gone, doses=(), controls=(), at_dose=None, verdict="unlicensed", against={})
    )
    opened = Opened(chromium, tmp_path / "l.html")
    assert opened.complaints == []
    assert "No dose helps without damage." in opened.text(".finding")
    assert "The dial was not measured." in opened.text("#hedging")
    assert "The dial was not measured." in opened.text("#selectivity")
    said = opened.page.locator("#damage tbody td").all_inner_texts()
    assert len(said) == 4
    assert all(one.startswith("–") for one in said)
    assert "<img src=x" in opened.text("#damage tbody td")
    assert opened.page.locator("main img").count() == 0
    opened.close()


def test_a_page_that_cannot_be_written_says_so(good: Licence, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_licence_page(tmp_path / "absent" / "l.html", good)
