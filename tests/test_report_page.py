"""The report in a real browser: it draws, it stays offline, it never runs a model's text, it fits a phone."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import absent
from test_report_words import STRATA, TARGETS, summarised, world
from wager.answers import Answer, Outcome
from wager.errors import DataError, OutputError, UsageError
from wager.metrics.results import Estimate, Summary
from wager.report import RunInfo, save_picture, write_report
from wager.table import AnswerTable

HOSTILE = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "\"><svg onload=window.pwned=1> ' onmouseover=window.pwned=1 \u2028 <!--<script>",
    "${alert(1)} $bundle {{7*7}} datum.value; window.pwned=1 //",
)
INFO = RunInfo(task="wager/capitals", model="embedded", command="wager eval capitals", started=1_795_000_000.0, seconds=231.4, calls=1320)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    binary = shutil.which("chromium")
    if binary is None or importlib.util.find_spec("playwright") is None:
        absent("Chromium or Playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Page:
    """An opened report, with what it asked for and what it complained about."""

    def __init__(self, browser: Any, path: Path, width: int = 1200) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.wait("document.querySelectorAll('.chart svg').length === document.querySelectorAll('.chart').length")

    def count(self) -> str:
        return str(self.page.locator("#answer-count").inner_text())

    def wait(self, condition: str) -> None:
        """Waits until it holds. Playwright's own waiting evaluates strings in the page, which the page's policy forbids."""
        end = time.monotonic() + 30
        while not self.page.evaluate(condition):
            assert self.complaints == []
            assert time.monotonic() < end, f"{condition} does not hold: {self.count()}"
            self.page.wait_for_timeout(20)

    def shown(self, count: str) -> None:
        """Waits until the browser of answers says so."""
        self.wait(f"document.getElementById('answer-count').textContent === '{count}'")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = world(120)
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, summarised(table), table, INFO)
    return path


def hostile_world() -> tuple[AnswerTable, Summary]:
    rows = []
    for index, row in enumerate(world(60)):
        text = HOSTILE[index % len(HOSTILE)]
        named = replace(row, model=HOSTILE[1], task=HOSTILE[2], stratum=HOSTILE[3], item=f"{text}{row.item}")
        rows.append(replace(named, reply=text, question=text, answer=text))
    table = AnswerTable.from_answers(rows)
    # The builder knows its own strata only; they get the hostile names afterwards.
    summary = summarised(AnswerTable.from_answers(replace(row, model=HOSTILE[1], task=HOSTILE[2]) for row in world(60)))
    groups = [replace(group, strata=dict.fromkeys(HOSTILE, group.strata[STRATA[0]])) for group in summary.groups]
    broken = Estimate(None, reason=HOSTILE[3])
    groups[-1] = replace(groups[-1], accuracy_answered=broken, by={**groups[-1].by, "arm": HOSTILE[4]})
    return table, replace(summary, groups=tuple(groups), notes=HOSTILE)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table, summary = hostile_world()
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    names = {text: text for text in HOSTILE}
    conflicts = tuple((text, 1) for text in HOSTILE)
    info = RunInfo(task=HOSTILE[2], model=HOSTILE[1], command=HOSTILE[0], settings=names, versions=names, conflicts=conflicts)
    write_report(path, summary, table, info)
    return path


def test_every_chart_is_drawn_without_a_request_or_a_complaint(chromium: Any, report: Path) -> None:
    opened = Page(chromium, report)
    assert opened.page.locator(".chart svg").count() == 8
    assert opened.requests == [report.as_uri()]
    assert opened.complaints == []


def test_the_policy_allows_neither_network_nor_evaluation(chromium: Any, report: Path) -> None:
    opened = Page(chromium, report)
    policy = opened.page.locator("meta[http-equiv]").get_attribute("content")
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "connect-src" not in policy
    late = "const late = document.createElement('script'); late.text = 'window.late = 1'; document.body.append(late);"
    assert opened.page.evaluate(f"() => {{ {late} return window.late; }}") is None


def test_hostile_text_never_runs(chromium: Any, hostile: Path) -> None:
    opened = Page(chromium, hostile)
    for button in opened.page.locator("button.open").all()[:5]:
        button.click()
    opened.page.locator("#parts .mark-symbol.role-mark path").first.hover()
    tip = opened.page.locator("#vg-tooltip-element")
    assert HOSTILE[0] in tip.inner_text()
    assert tip.locator("script, img, a").count() == 0
    assert opened.page.evaluate("window.pwned") is None
    assert opened.complaints == []
    assert opened.requests == [hostile.as_uri()]
    assert opened.page.locator("main img").count() == 0
    assert opened.page.locator("script").count() == opened.page.locator("script[type='application/json']").count() + 3


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is(chromium: Any, hostile: Path, text: str) -> None:
    opened = Page(chromium, hostile)
    main = opened.page.evaluate("document.querySelector('main').textContent")
    assert text in main
    opened.page.locator("#filter-text").fill(text[:20])
    opened.wait("!document.getElementById('answer-count').textContent.startsWith('330 of')")
    opened.page.locator("button.open").first.click()
    assert opened.page.locator(".detail dd").nth(0).evaluate("e => e.textContent") in HOSTILE


def test_hostile_names_reach_the_charts_as_text(chromium: Any, hostile: Path) -> None:
    opened = Page(chromium, hostile)
    drawn = opened.page.evaluate("[...document.querySelectorAll('.chart svg')].map(s => s.textContent).join('\\n')")
    assert "<script>window" in drawn  # long labels end with an ellipsis
    assert opened.page.locator(".chart svg a, .chart svg script, .chart svg image").count() == 0


def test_filters_change_the_number_of_answers(chromium: Any, report: Path) -> None:
    rows = list(world(120))
    opened = Page(chromium, report)
    assert opened.count() == f"{len(rows)} of {len(rows)} answers"
    opened.page.select_option("#filter-arm", label="open")
    opened.shown(f"{sum(row.arm == 'open' for row in rows)} of {len(rows)} answers")
    opened.page.select_option("#filter-target", label="t = 0.9")
    opened.page.select_option("#filter-outcome", label="abstained")
    expected = [row for row in rows if row.target == 0.9 and row.outcome is Outcome.ABSTAINED]
    opened.shown(f"{len(expected)} of {len(rows)} answers")
    opened.page.select_option("#filter-stratum", label="invented countries")
    opened.shown(f"{sum(not row.answerable for row in expected)} of {len(rows)} answers")
    opened.page.click("text=Clear filters")
    opened.shown(f"{len(rows)} of {len(rows)} answers")
    opened.page.fill("#filter-text", "COUNTRY 17?")
    opened.shown(f"5 of {len(rows)} answers")


def test_one_click_gathers_every_answer_to_a_question(chromium: Any, report: Path) -> None:
    opened = Page(chromium, report)
    opened.page.locator("button.open").first.press("Enter")
    assert opened.page.locator(".detail").count() == 1
    opened.page.click("text=Show every answer to this question")
    opened.shown("5 of 660 answers to one question")


def test_sorting_by_confidence_keeps_the_unknown_last(chromium: Any, report: Path) -> None:
    opened = Page(chromium, report)
    opened.page.select_option("#page-size", "100")
    cells = "[...document.querySelectorAll('#answer-rows td:nth-child(7)')].map(e => e.textContent)"
    for direction in ("ascending", "descending"):
        opened.page.click("#answer-heads th:nth-child(7) button")
        assert opened.page.get_attribute("#answer-heads th:nth-child(7)", "aria-sort") == direction
        values = [float(text) for text in opened.page.evaluate(cells)]
        assert values == sorted(values, reverse=direction == "descending")
        assert len(values) == 100
    while opened.page.is_enabled("#page-after"):
        opened.page.click("#page-after")
    assert opened.page.evaluate(cells)[-1] == "–"


def test_the_page_fits_a_phone(chromium: Any, report: Path, hostile: Path) -> None:
    for path in (report, hostile):
        opened = Page(chromium, path, width=390)
        opened.page.locator("button.open").first.click()
        assert opened.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_what_cannot_be_computed_is_a_dash_with_its_reason(chromium: Any, report: Path) -> None:
    cell = Page(chromium, report).page.locator("abbr[title='every answer is right']").first
    assert cell.evaluate("e => e.firstChild.textContent") == "–"


def test_a_table_of_twenty_thousand_answers_opens_and_filters(chromium: Any, tmp_path: Path) -> None:
    base = world(240)
    long = "and so on " * 12
    rows = (
        replace(row, item=f"{row.item}-{k}", question=f"{row.question} ({k})", reply=f"{row.item} {row.target} {k} {long}")
        for k in range(16)
        for row in base
    )
    table = AnswerTable.from_answers(itertools.islice(rows, 20_000))
    path = tmp_path / "report.html"
    write_report(path, summarised(base), table, INFO)
    start = time.perf_counter()
    opened = Page(chromium, path)
    seconds = time.perf_counter() - start
    print(f"\n20,000 answers: {path.stat().st_size / 1e6:.1f} MB, opened with all charts in {seconds:.2f} s")
    assert opened.count() == "20,000 of 20,000 answers"
    opened.page.fill("#filter-text", "country 7? (3)")
    opened.shown("5 of 20,000 answers")


def test_results_without_a_single_verdict_still_make_a_page(chromium: Any, tmp_path: Path) -> None:
    rows = [Answer(task="t", model="m", item=str(i), outcome=Outcome.FAILED, reason="time-out") for i in range(3)]
    nothing = Estimate(None, n=0, n_excluded=3, reason="no answer has a verdict")
    full = summarised(world(40)).groups[0]
    counts = {**dict.fromkeys(full.counts, 0), "failed": 3}
    empty: dict[str, Any] = dict.fromkeys(("accuracy", "answered", "accuracy_answered", "error_rate", "abstention_rate"), nothing)
    targets = {f"{t:g}": nothing for t in TARGETS}
    scores: dict[str, Any] = dict.fromkeys(("score", "always_answer", "oracle"), targets)
    group = replace(full, n=3, counts=counts, confidences=(), unanswerable={}, strata={}, **scores, **empty)
    write_report(tmp_path / "r.html", Summary(TARGETS, (group,)), AnswerTable.from_answers(rows), INFO)
    opened = Page(chromium, tmp_path / "r.html")
    assert opened.complaints == []
    assert "nothing to say about this model" in opened.page.inner_text(".finding")
    assert opened.count() == "3 of 3 answers"
    write_report(tmp_path / "none.html", Summary(TARGETS, ()), AnswerTable.from_answers([]), INFO)
    assert Page(chromium, tmp_path / "none.html").count() == "0 of 0 answers"


def test_two_models_stand_apart(chromium: Any, tmp_path: Path) -> None:
    one, other = summarised(world(40)), summarised(world(40, seed=2, model="another"))
    both = replace(one, groups=one.groups + other.groups, behaviour=one.behaviour + other.behaviour)
    write_report(tmp_path / "r.html", both, AnswerTable.from_answers([*world(40), *world(40, seed=2, model="another")]), INFO)
    opened = Page(chromium, tmp_path / "r.html")
    assert opened.page.locator(".chart svg").count() == 16
    assert opened.page.locator(".finding b").all_inner_texts() == ["embedded", "another"]
    assert opened.complaints == []


def test_the_report_draws_what_the_metrics_summarise(chromium: Any, tmp_path: Path) -> None:
    summarise = pytest.importorskip("wager.metrics.summary").summarise
    table = world()
    write_report(tmp_path / "r.html", summarise(table, list(TARGETS)), table, INFO)
    opened = Page(chromium, tmp_path / "r.html")
    assert opened.page.locator(".chart svg").count() == 8
    assert opened.page.locator(".key tbody tr").count() == 8
    assert opened.page.locator(".checks li").count() >= 4
    assert opened.complaints == []


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<svg"), (".png", b"\x89PNG")])
def test_the_picture_is_a_file_of_its_kind(tmp_path: Path, suffix: str, start: bytes) -> None:
    save_picture(tmp_path / f"picture{suffix}", summarised(world(60)))
    assert (tmp_path / f"picture{suffix}").read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [f"picture{suffix}"]


def test_a_picture_of_another_kind_or_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.svg or a \.png file, got 'p\.gif'"):
        save_picture(tmp_path / "p.gif", summarised(world(60)))
    with pytest.raises(DataError, match="no group"):
        save_picture(tmp_path / "p.svg", Summary(TARGETS, ()))


def test_an_unwritable_place_is_one_clear_error(tmp_path: Path) -> None:
    table = world(20)
    with pytest.raises(OutputError, match=r"cannot write .*report\.html.*No such file"):
        write_report(tmp_path / "absent" / "report.html", summarised(table), table, INFO)
    with pytest.raises(OutputError, match="cannot write"):
        save_picture(tmp_path / "absent" / "p.svg", summarised(table))


@pytest.mark.parametrize("module", ["altair", "vl_convert"])
def test_a_missing_extra_is_named_with_its_command(tmp_path: Path, module: str) -> None:
    # A folder before all others that shadows the package with an absent one, in a process of its own.
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('absent', name={module!r})\n")
    code = (
        "from wager.report import RunInfo, write_report\n"
        "from wager.metrics.results import Summary\n"
        "from wager.table import AnswerTable\n"
        "write_report('r.html', Summary((0.5,), ()), AnswerTable.from_answers([]), RunInfo(task='t', model='m'))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "MissingExtraError: the report page needs the package 'altair': run  python -m pip install 'wager[report]'" in done.stderr
    assert not (tmp_path / "r.html").exists()
