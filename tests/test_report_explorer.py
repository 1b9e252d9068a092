"""The explorer in a real browser: the slider re-ranks, the link keeps the view, no name ever runs, it fits a phone."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import absent
from wager.answers import Answer, Outcome
from wager.errors import DataError, MissingExtraError, OutputError
from wager.metrics.results import Along, Bin, Board, BoardGroup, BoardPair, Confidence, Estimate, Ranks
from wager.report import ExplorerInfo, explorer_html, write_explorer
from wager.table import AnswerTable

GRID = tuple(i / 100 for i in range(100))
TARGETS = (0.0, 0.5, 0.75, 0.9)
PENALTY = np.array([t / (1 - t) for t in GRID])
HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "__proto__",
    "datum['x']",
    "constructor",
    "very long " * 60,
    "نموذج عربي (ב) \u202e",
    "🦜 parrot",
    "${alert(1)} $data {{7*7}} javascript:alert(1) \u2028 <!--<script>",
)
INFO = ExplorerInfo(
    title="MMLU-Pro",
    command="wager score logs/*.eval --by model --html board.html",
    sources=(("logs/one.eval", "inspect", 12_000), ("logs/two.csv", "table", 12_000)),
    notes=("two rows had no item and are left out",),
    versions={"wager": "0.1.0"},
)


def along(value: Any, error: Any, z: float = 1.96) -> Along:
    low, high = value - z * error, value + z * error
    return Along(tuple(value.tolist()), tuple(low.tolist()), tuple(high.tolist()))


def ranks(scores: Any) -> Any:
    """Places, shape (groups, targets): one more than the number of better groups."""
    return 1 + (scores[None] > scores[:, None] + 1e-12).sum(axis=1)


def confidence(rng: np.random.Generator, bias: float, *, constant: bool = False, n: int = 3000) -> Confidence:
    truth = rng.beta(2, 1.2, n)
    said = np.full(n, 0.8) if constant else np.clip(truth**bias, 0.01, 0.99).round(2)
    right = rng.random(n) < truth
    points = np.where(right[:, None], 1.0, -PENALTY)
    own = np.where(said[:, None] > GRID, points, 0).mean(axis=0)
    best = np.where((truth if not constant else said)[:, None] > GRID, points, 0).mean(axis=0)
    order = np.argsort(-said, kind="stable")
    share = np.arange(1, n + 1) / n
    risk = np.cumsum(~right[order]) / np.arange(1, n + 1)
    keep = [n - 1] if constant else np.linspace(20, n - 1, 150).astype(int).tolist()
    bins = []
    for low in np.arange(0, 1, 0.1):
        inside = (said > low) & (said <= low + 0.1)
        if inside.sum() > 10:
            mean, error = float(right[inside].mean()), 1.96 * 0.45 / np.sqrt(inside.sum())
            estimate = Estimate(mean, max(0, mean - error), min(1, mean + error), int(inside.sum()))
            bins.append(Bin(float(low), float(low + 0.1), float(said[inside].mean()), estimate))
    lost = {"disobedience": own - points.mean(axis=0), "miscalibration": best - own, "indistinction": right.mean() - best}
    names = ("brier", "ece", "smooth_ece", "overconfidence", "auroc", "aurc", "augrc", "expected_score")
    return Confidence(
        source="stated", n=n, metrics={name: Estimate(0.2, 0.18, 0.22, n) for name in names}, ece_bins="EqualWidth(10)", corp={},
        score={}, lost={}, along=along(own, 0.01), band=along(own, 0.01), lost_along={k: tuple(v.tolist()) for k, v in lost.items()},
        reliability=tuple(bins), risk_coverage=tuple((float(share[i]), float(risk[i])) for i in keep), constant=constant,
    )  # fmt: skip


def synthetic(
    groups: int | Sequence[str] = 6,
    *,
    strata: int | Sequence[str] = 0,
    confident: bool = False,
    missing: bool = True,
    n: int = 12_000,
    seed: int = 0,
) -> Board:
    """A board of bluffers and careful models whose curves cross; its numbers follow from shares of outcomes, not from answers."""
    rng = np.random.default_rng(seed)
    names = [f"maker-{'abcdef'[i % 6]}/model-{i + 1}" for i in range(groups)] if isinstance(groups, int) else list(groups)
    parts = [f"category {i + 1}" for i in range(strata)] if isinstance(strata, int) else list(strata)
    size = len(names)
    skill = np.linspace(0.82, 0.35, size) + rng.normal(0, 0.02, size)
    holds = np.maximum(rng.beta(0.7, 1.6, size), np.where(np.arange(size) % 4 == 1, 0.2, 0.0))  # room for the missing ones
    right, wrong = skill * (1 - 0.35 * holds), (1 - skill) * (1 - holds) ** 1.5
    score = right[:, None] - PENALTY * wrong[:, None]
    error = np.sqrt(np.maximum(right[:, None] + PENALTY**2 * wrong[:, None] - score**2, 1e-9) / n)
    absent_share = np.where(np.arange(size) % 4 == 1, 0.04, 0.0) * missing
    place = ranks(score)
    low = 1 + ((score - 2.5 * error)[None] > (score + 2.5 * error)[:, None]).sum(axis=1)
    high = size - ((score + 2.5 * error)[None] < (score - 2.5 * error)[:, None]).sum(axis=1)
    share = absent_share[:, None]
    as_wrong, as_held = ranks(score * (1 - share) - PENALTY * share), ranks(score * (1 - share))
    made = []
    for i, name in enumerate(names):
        gone = round(n * absent_share[i])
        counts = {"correct": round(right[i] * n), "incorrect": round(wrong[i] * n), "unparsed": gone, "failed": 0, "ungraded": 0}
        counts["abstained"] = n - sum(counts.values())
        near = {key: float(x) for key, x in zip(parts, rng.normal(0, 0.12, len(parts)), strict=True)}
        made.append(
            BoardGroup(
                by={"model": name}, n=n, n_items=n, counts=counts, missing=gone,
                score={f"{t:g}": Estimate(*(float(x[i][GRID.index(t)]) for x in (score, score - 1.96 * error, score + 1.96 * error)), n) for t in TARGETS},
                always_answer={}, oracle={}, rates={}, along=along(score[i], error[i]), band=along(score[i], error[i], 2.45),
                ranks=Ranks(*(tuple(x[i].tolist()) for x in (place, low, high, as_wrong, as_held))),
                confidences=(confidence(rng, 0.4 + 0.4 * i, constant=i == 3),) if confident and i != 4 else (),
                strata={key: tuple((right[i] + x - PENALTY * max(0, wrong[i] - x / 2)).tolist()) for key, x in near.items()},
                strata_n=dict.fromkeys(parts, n // max(1, len(parts))), unanswerable={},
                missing_lines=(f"{gone} replies hit the token limit",) if gone else (),
            )
        )  # fmt: skip
    pairs = []
    for a in range(size):
        for b in range(a + 1, size):
            found = along(score[b] - score[a], 0.8 * np.hypot(error[a], error[b]))
            pairs.append(BoardPair(a, b, n, {}, found, Estimate(float(right[b] - right[a])), None))
    return Board(TARGETS, GRID, tuple(made), tuple(pairs), "strict", "unparsed", ("the groups do not share all items",))


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


class Explorer:
    """An opened page, with what it asked for and what it complained about."""

    def __init__(self, browser: Any, path: Path, fragment: str = "", width: int = 1280, height: int = 900, **options: Any) -> None:
        for context in browser.contexts:  # one page at a time: each is a process of 200 MB
            context.close()
        self.page = browser.new_page(viewport={"width": width, "height": height}, **options)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri() + fragment)
        self.wait("document.documentElement.dataset.drawn === 'all'")

    def wait(self, condition: str) -> None:
        """Waits until it holds. Playwright's own waiting evaluates strings in the page, which the page's policy forbids."""
        end = time.monotonic() + 30
        while not self.page.evaluate(condition):
            assert self.complaints == []
            assert time.monotonic() < end, f"{condition} does not hold"
            self.page.wait_for_timeout(20)

    def move(self, t: float) -> None:
        """Moves the slider as a finger does."""
        self.page.evaluate(
            "t => { const e = document.getElementById('t'); e.value = t; for (const k of ['input', 'change']) e.dispatchEvent(new Event(k, {bubbles: true})); }",
            t,
        )

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.page.evaluate("s => [...document.querySelectorAll(s)].map(e => e.textContent)", selector)
        return found

    @property
    def names(self) -> list[str]:
        return self.texts("#rows button.name")

    @property
    def fragment(self) -> str:
        return str(self.page.evaluate("location.hash"))


BOARD = synthetic(12, strata=3)
SURE = synthetic(5, confident=True, strata=2)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "board.html"
    write_explorer(path, BOARD, INFO)
    return path


@pytest.fixture(scope="module")
def sure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "sure.html"
    write_explorer(path, SURE, INFO)
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "hostile.html"
    board = synthetic(HOSTILE, strata=HOSTILE, confident=True)
    lines = tuple(replace(group, missing=9, missing_lines=HOSTILE) for group in board.groups)
    sources = tuple((text, text, 1) for text in HOSTILE)
    info = ExplorerInfo(title=HOSTILE[0], command=HOSTILE[7], sources=sources, notes=HOSTILE, versions={text: text for text in HOSTILE})
    write_explorer(path, replace(board, groups=lines, notes=HOSTILE), info)
    return path


def ordered(board: Board, t: float) -> list[str]:
    k = GRID.index(t)
    return [group.name for group in sorted(board.groups, key=lambda group: group.ranks.rank[k] or 99)]


@pytest.mark.parametrize("t", [0.0, 0.37, 0.9, 0.99])
def test_the_slider_orders_the_board_by_the_scores_at_its_target(chromium: Any, plain: Path, t: float) -> None:
    opened = Explorer(chromium, plain)
    opened.move(t)
    assert opened.names == ordered(BOARD, t)
    best = next(group for group in BOARD.groups if group.name == opened.names[0])
    value = best.along.value[GRID.index(t)]
    assert value is not None
    assert opened.texts("#rows .points b")[0] == f"{value:+.2f}".replace("-", "−")
    assert opened.texts("#rows .rank")[0] == "1"


def test_silence_stands_between_the_scores_above_and_below_zero(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain, "#t=0.75")
    above = sum((group.along.value[75] or 0) >= 0 for group in BOARD.groups)
    assert 0 < above < 12
    classes = opened.page.evaluate("[...document.querySelectorAll('#rows tr')].map(e => e.className)")
    assert classes.index("baseline") == above
    assert len(classes) == 13


def test_places_gained_and_lost_are_counted_from_free_mistakes(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain)
    assert set(opened.texts("#rows .change")) == {""}
    opened.move(0.9)
    shown = dict(zip(opened.names, opened.texts("#rows .change"), strict=True))
    for group in BOARD.groups:
        gained = (group.ranks.rank[0] or 0) - (group.ranks.rank[90] or 0)
        assert shown[group.name] == (f"▲{gained}" if gained > 0 else f"▼{-gained}" if gained < 0 else "")


def test_the_price_is_said_in_words(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain)
    for t, words in ((0.0, "nothing"), (0.5, "1 point"), (0.75, "3 points"), (0.9, "9 points"), (0.99, "99 points")):
        opened.move(t)
        assert opened.texts("#price") == [words]
        assert opened.page.get_attribute("#t", "aria-valuetext") == f"t = {t:g}: a wrong answer costs {words}"


def test_a_rank_that_missing_answers_would_change_says_so_beside_it(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain)
    for t in (0.0, 0.9):
        opened.move(t)
        shown = opened.page.evaluate("[...document.querySelectorAll('#rows tr:not(.baseline)')].map(e => e.querySelector('.moved').hidden)")
        by_name = dict(zip(opened.names, shown, strict=True))
        k = GRID.index(t)
        for group in BOARD.groups:
            same = {group.ranks.rank[k], group.ranks.if_incorrect[k], group.ranks.if_abstained[k]}
            assert by_name[group.name] == (len(same) == 1)
    found = next(e for e in opened.page.locator(".moved").all() if e.is_visible())
    assert "missing" in found.inner_text()
    found.locator("summary").click()
    assert "480 replies hit the token limit" in found.inner_text()


def test_the_keyboard_alone_moves_the_slider_and_chooses_a_row(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain)
    opened.page.focus("#t")
    for _ in range(3):
        opened.page.keyboard.press("ArrowRight")
    assert opened.texts("#meaning")[0].startswith("A wrong answer costs 0.0309 points (t = 0.03)")
    opened.page.keyboard.press("End")
    assert opened.page.input_value("#t") == "0.99"
    name = opened.page.locator("button.name").nth(4)
    name.focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert "sel=" in opened.fragment
    opened.page.fill("#t-number", "0.4")
    opened.page.keyboard.press("Enter")
    assert opened.page.input_value("#t") == "0.4"


def test_a_link_keeps_the_view_and_back_and_forward_work(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain, "#t=0.75&sel=2,7&ref=3&sort=missing")
    assert opened.page.input_value("#t") == "0.75"
    assert [text.removesuffix(" ×") for text in opened.texts("#chips button")[:2]] == [BOARD.groups[2].name, BOARD.groups[7].name]
    assert (opened.page.input_value("#ref"), opened.page.input_value("#sort")) == ("3", "missing")
    opened.page.click("#targets button:has-text('0.9')")
    opened.page.select_option("#sort", "name")
    assert opened.fragment == "#t=0.9&sel=2,7&ref=3&sort=name"
    opened.page.go_back()
    opened.wait("document.getElementById('sort').value === 'missing'")
    assert opened.page.input_value("#t") == "0.9"
    opened.page.go_back()
    opened.wait("document.getElementById('t').value === '0.75'")
    opened.page.go_forward()
    opened.wait("document.getElementById('t').value === '0.9'")
    assert opened.complaints == []


@pytest.mark.parametrize("fragment", ["#t=x&sel=99,-1,a&ref=1e9&sort=constructor&src=7", "#t=1", "#sel=__proto__&t=-4", "#%", "#board"])
def test_a_broken_link_opens_the_usual_view(chromium: Any, plain: Path, fragment: str) -> None:
    opened = Explorer(chromium, plain, fragment)
    assert opened.page.input_value("#t") == ("0.99" if fragment == "#t=1" else "0")
    assert opened.page.input_value("#sort") == "rank"
    assert len(opened.names) == 12
    assert opened.complaints == []


def test_the_link_is_copied_or_shown(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain, "#t=0.5")
    opened.page.click("#copy")
    opened.wait("document.getElementById('copy').textContent === 'Copied' || !document.getElementById('link').hidden")
    assert opened.page.input_value("#link").endswith("board.html#t=0.5")


def test_the_reference_is_the_leader_until_one_is_chosen(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain, "#t=0.9")
    leader = ordered(BOARD, 0.9)[0]
    assert leader in opened.texts("#pairs-said")[0]
    opened.page.select_option("#ref", "5")
    assert BOARD.groups[5].name in opened.texts("#pairs-said")[0]
    opened.page.click("#pairs-table summary")
    opened.wait("document.querySelectorAll('#pair-rows tr').length === 11")
    rows = opened.page.evaluate("[...document.querySelectorAll('#pair-rows tr')].map(r => [...r.cells].map(c => c.textContent))")
    for name, value, _, known, _ in rows:
        other = next(i for i, group in enumerate(BOARD.groups) if group.name == name)
        pair = next(pair for pair in BOARD.pairs if {pair.a, pair.b} == {5, other})
        sign = -1 if pair.b == 5 else 1
        difference, low, high = ((line[90] or 0) for line in (pair.along.value, pair.along.low, pair.along.high))
        assert value == f"{sign * difference:+.2f}".replace("-", "−")
        assert known == ("no" if low <= 0 <= high else "yes")


def test_charts_are_drawn_where_there_is_something_to_draw(chromium: Any, plain: Path, sure: Path) -> None:
    without = Explorer(chromium, plain)
    drawn = "[...document.querySelectorAll('.chart')].filter(e => e.querySelector('svg')).map(e => e.dataset.chart ?? 'panel')"
    assert without.page.evaluate(drawn) == ["score", "panel", "panel", "panel", "pairs"]
    assert "No answer here comes with a confidence" in without.page.inner_text("#lost-none")
    confident = Explorer(chromium, sure, "#t=0.5")
    assert confident.page.evaluate(drawn) == ["score", "lost", "reliability", "risk", "panel", "panel", "pairs"]
    assert "1 of 5 groups have no such confidence" in confident.page.inner_text("#lost-without")
    assert "always equally sure" in confident.page.inner_text("#constant")
    assert "one point" in confident.page.evaluate("document.querySelector('[data-chart=risk]').textContent")
    confident.page.check("#own")
    assert confident.fragment.endswith("own=1")
    for opened in (without, confident):
        assert opened.complaints == []
        assert len(opened.requests) == 1


def test_lost_points_follow_the_slider_and_gains_stand_left_of_zero(chromium: Any, sure: Path) -> None:
    opened = Explorer(chromium, sure, "#t=0.2")
    text = "document.querySelector('[data-chart=lost]').textContent"
    first = opened.page.evaluate(text)
    opened.page.locator("[data-chart=lost]").scroll_into_view_if_needed()
    opened.move(0.9)
    opened.wait(f"{text} !== {first!r}")
    one = SURE.groups[0].confidences[0].lost_along
    assert f"{sum((part[90] or 0) for part in one.values()):.2f} points lost" in opened.page.evaluate(text)


def test_hovering_and_clicking_a_line_marks_its_row(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain)
    opened.page.locator("#rows tr").nth(5).hover()
    opened.wait("document.querySelectorAll('tr.hovered').length === 1")
    before = len(opened.texts("#chips button"))
    opened.page.locator("#rows tr .counts").nth(5).click()
    opened.wait(f"document.querySelectorAll('#chips button').length === {before + 2}")
    assert opened.texts("#chips button")[-1] == "Reset"


def test_hostile_names_stay_text(chromium: Any, hostile: Path) -> None:
    opened = Explorer(chromium, hostile, "#sel=0,1,2,3,4,5,6,7&t=0.5")
    for t in (0.0, 0.9, 0.3):
        opened.move(t)
        opened.page.wait_for_timeout(30)
    assert sorted(opened.names) == sorted(text if len(text) <= 300 else text[:300] + "…" for text in HOSTILE)
    for place in range(len(HOSTILE)):
        opened.page.select_option("#ref", str(place))
        opened.page.select_option("#sort", "name")
    opened.page.locator("[data-chart=pairs]").scroll_into_view_if_needed()
    opened.page.locator("[data-chart=pairs] .mark-symbol path").first.hover()
    assert opened.page.locator("#vg-tooltip-element").locator("script, img, a").count() == 0
    assert opened.page.locator("main img, main a, .chart image, .chart a, .chart script").count() == 0
    assert opened.page.locator("script").count() == 4
    drawn = " ".join(opened.texts(".chart svg"))
    assert "__proto__" in drawn
    assert "datum['x']" in drawn
    assert "constructor" in drawn
    assert opened.page.evaluate("({}).name === undefined && ({}).t === undefined")
    assert opened.complaints == []
    assert len(opened.requests) == 1


def test_the_policy_allows_neither_network_nor_evaluation(plain: Path) -> None:
    policy = plain.read_text(encoding="utf-8").partition('content="')[2].partition('"')[0]
    assert policy.startswith("default-src &#x27;none&#x27;; script-src &#x27;sha256-")
    assert "unsafe-eval" not in policy
    assert "connect-src" not in policy


@pytest.mark.parametrize("name", ["plain", "sure", "hostile"])
def test_the_page_fits_a_phone(chromium: Any, name: str, request: pytest.FixtureRequest) -> None:
    opened = Explorer(chromium, request.getfixturevalue(name), "#t=0.9", width=375, height=700)
    assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= 375
    assert opened.page.evaluate("document.getElementById('control').getBoundingClientRect().bottom") < 500


def test_print_keeps_the_chosen_target_and_whole_charts(chromium: Any, plain: Path) -> None:
    opened = Explorer(chromium, plain, "#t=0.75")
    opened.page.emulate_media(media="print")
    assert not opened.page.is_visible("#control")
    assert opened.page.inner_text("#now").startswith("A wrong answer costs 3 points (t = 0.75)")
    assert opened.page.pdf().startswith(b"%PDF")


def test_a_board_that_never_abstains_is_told_that_its_order_cannot_change(chromium: Any, tmp_path: Path) -> None:
    score = pytest.importorskip("wager.metrics.board").board
    rows = [
        Answer(task="t", model=f"m{m}", item=str(i), outcome=Outcome.CORRECT if i < 6 - m else Outcome.INCORRECT, credit=float(i < 6 - m))
        for m in range(2)
        for i in range(10)
    ]
    write_explorer(tmp_path / "b.html", score(AnswerTable.from_answers(rows), [0.0, 0.9]), INFO)
    opened = Explorer(chromium, tmp_path / "b.html", "#t=0.9")
    said = opened.texts("#now")[0]
    assert "Always saying “I don’t know” beats them all; the best, \u2068m0\u2069, has −3.00 points per question." in said
    assert "No group ever says “I don’t know”, so the price moves the scores and not the order." in said
    assert opened.names == ["m0", "m1"]


def test_a_group_that_was_told_a_target_is_ranked_there_only(chromium: Any, tmp_path: Path) -> None:
    board = synthetic(3)
    k = GRID.index(0.75)

    def only(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(value if place == k else None for place, value in enumerate(values))

    told = board.groups[0]
    curve = Along(only(told.along.value), only(told.along.low), only(told.along.high))
    places = Ranks(
        *(only(part) for part in (told.ranks.rank, told.ranks.low, told.ranks.high, told.ranks.if_incorrect, told.ranks.if_abstained))
    )
    told = replace(told, along=curve, band=curve, ranks=places)
    write_explorer(tmp_path / "b.html", replace(board, groups=(told, *board.groups[1:])), INFO)
    opened = Explorer(chromium, tmp_path / "b.html", "#t=0.5")
    assert opened.names[-1] == told.name
    assert "not told this target" in opened.texts("#rows .points .range")
    opened.move(0.75)
    assert "not told this target" not in opened.texts("#rows .points .range")
    assert opened.complaints == []


def test_one_group_without_pairs_makes_a_page(chromium: Any, tmp_path: Path) -> None:
    write_explorer(tmp_path / "b.html", synthetic(["alone"]), ExplorerInfo(title="t"))
    opened = Explorer(chromium, tmp_path / "b.html", "#t=0.5")
    assert opened.names == ["alone"]
    assert not opened.page.is_visible("#pairs")
    assert opened.complaints == []


def test_the_page_explores_what_the_metrics_score(chromium: Any, tmp_path: Path) -> None:
    score = pytest.importorskip("wager.metrics.board").board
    from test_report_words import world

    made = score(world(60), [0.0, 0.5, 0.9])
    write_explorer(tmp_path / "b.html", made, INFO)
    opened = Explorer(chromium, tmp_path / "b.html", "#t=0.9")
    assert len(opened.names) == len(made.groups)
    assert opened.complaints == []


def test_nothing_to_explore_and_no_place_to_write_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no group"):
        explorer_html(replace(BOARD, groups=()), INFO)
    with pytest.raises(OutputError, match=r"cannot write .*b\.html.*No such file"):
        write_explorer(tmp_path / "absent" / "b.html", BOARD, INFO)


def test_a_missing_extra_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("altair", "wager.report.charts", "wager.report.e"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MissingExtraError, match="the explorer page needs the package 'altair'"):
        explorer_html(BOARD, INFO)
