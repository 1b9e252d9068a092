"""The pages of the floor in a real browser: they draw, they stay offline, they show what is unknown as unknown, and run no text of the data."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from test_report_page import HOSTILE, chromium  # noqa: F401  # a fixture
from wager.errors import DataError, OutputError, UsageError
from wager.report import save_floor_picture, save_trained_picture, write_floor_page, write_reduction_page, write_trained_page
from wager.report.theory_charts import log_places, octaves, thinned
from wager.report.theory_trained_charts import placed_labels
from wager.report.theory_words import bound_sentence, floor_finding, quantity_range, share, study_finding
from wager.theory.results import (
    Bin,
    Bound,
    Checkpoint,
    Contradiction,
    Floor,
    Frequency,
    Quantity,
    Reduction,
    ReductionStudy,
    Remedy,
    Term,
    TrainedFloor,
)


def frequencies(once: int = 125_480) -> tuple[Frequency, ...]:
    """A law of Zipf's kind, with 1,900 prompts that are only ever declined."""
    counts = {k: max(1, round(once / k**2.2)) for k in [*range(1, 60), 75, 101, 260, 777, 1400, 4012]}
    found = [Frequency(0, 1900, 2400, 0)]
    return (*found, *(Frequency(k, c, c * k * 1.01, c * min(0.3, 0.02 * (k - 1))) for k, c in counts.items()))


N = round(sum(one.rows for one in frequencies()))
SINGLETON_RATE = 125_480 / N


def lower_bound(rate: float, n: int, *, fewest_errors: int | None = 364, starts: int | None = None) -> Bound:
    """Theorem 2 at 99 %, as the theory room gives it."""
    noise = (35 + 6 * math.log(n)) / math.sqrt(n)
    errors = None if fewest_errors is None else -2 / fewest_errors
    terms = (
        Term("sr", rate, "share of samples that state a fact seen once"),
        Term(
            "2/min|E_c|",
            errors,
            "wrong answers that the prompt with the fewest has" if errors else "the number of wrong answers was not stated",
        ),
        Term("(35 + 6 ln N)/sqrt(N)", -noise, "what chance in the sample can hide"),
        Term("delta", 0.0, "miscalibration of the model, taken as none"),
    )
    value = sum(term.value for term in terms if term.value is not None)
    assumptions = ("The facts are arbitrary: no answer tells anything of another.", "The samples are independent draws.")
    return Bound("Theorem 2", "lower", terms, value, 0.99, value <= 0, assumptions, "It is no prediction of a model’s error.", starts)


def upper_bound(rate: float, n: int) -> Bound:
    noise = 13 / math.sqrt(n)
    terms = (
        Term("sr", rate, "share of samples that state a fact seen once"),
        Term("sr/(max|E_c|+1)", -rate / 365, "luck: guesses that happen to be right"),
        Term("13/sqrt(N)", noise, "what chance in the sample can add"),
    )
    value = sum(term.value or 0 for term in terms)
    said = "Your model need not be the learner that reaches it."
    return Bound("Theorem 2, upper bound", "upper", terms, value, 0.99, value >= 1, ("alpha is known.",), said)


def quantities() -> tuple[Quantity, ...]:
    known, esty = "paraphrases count as different prompts", "Esty’s interval, 95 %"
    return (
        Quantity("samples", "Samples (N)", float(N), unit="count", not_said="It does not say how many facts there are."),
        Quantity("prompts", "Distinct prompts", 181_204.0, unit="count", not_said=f"It does not say that they differ in meaning: {known}."),
        Quantity("idk_rate", "Share of “I don’t know”", 0.0441, not_said="It does not say that these are rightly declined."),
        Quantity(
            "singleton_rate",
            "Singleton rate (sr)",
            SINGLETON_RATE,
            not_said=f"It does not say that facts seen once are got wrong; {known}.",
        ),
        Quantity(
            "singleton_rate_raw",
            "Singleton rate, raw prompts",
            SINGLETON_RATE + 0.0265,
            not_said="It does not say which spelling is meant.",
        ),
        Quantity(
            "missing_mass",
            "Missing mass (Good-Turing)",
            SINGLETON_RATE,
            SINGLETON_RATE - 0.0021,
            SINGLETON_RATE + 0.0021,
            method=esty,
            not_said="It does not name the prompts.",
        ),
        Quantity(
            "missing_mass_free",
            "Missing mass, distribution-free",
            SINGLETON_RATE,
            SINGLETON_RATE - 0.0094,
            SINGLETON_RATE + 0.0094,
            method="McAllester and Schapire, 99 %",
            not_said="As above.",
        ),
        Quantity("memoriser_error", "Error of the memorising learner", SINGLETON_RATE - 0.0009, not_said="It is not your model’s error."),
        Quantity("contradicted", "Contradicted prompts", 4120.0, unit="count", not_said="It does not say which answer is right."),
        Quantity("contradicted_rate", "Share of prompts that are contradicted", None, unknown="prompts were sampled by row"),
    )


def remedies(rate: float, n: int) -> tuple[Remedy, ...]:
    found = []
    for kind in ("repeat", "abstain", "drop"):
        for treated in (0.0, 0.25, 0.5, 0.75, 1.0):
            size = n * (1 + rate * treated if kind == "repeat" else 1 - rate * treated if kind == "drop" else 1)
            left = rate * n * (1 - treated) / size
            low = max(0.0, lower_bound(left, int(size)).value or 0)
            found.append(Remedy(kind, treated, size, left, low, min(1.0, upper_bound(left, int(size)).value or 1)))  # type: ignore[arg-type]
    return tuple(found)


def floor() -> Floor:
    contradictions = (
        Contradiction("Where was Ada Byron born?", 212, (("London", 140), ("Marylebone", 61), ("Nottinghamshire", 11))),
        Contradiction("مَن كتب الكتاب؟", 17, (("سيبويه", 9), ("الخليل", 8))),
    )
    return Floor(
        "facts/2026/*.parquet",
        quantities(),
        lower_bound(SINGLETON_RATE, N),
        upper_bound(SINGLETON_RATE, N),
        frequencies(),
        remedies(SINGLETON_RATE, N),
        contradictions,
        left_out={"no answer": 212, "broken JSON": 3},
        warnings=("The input is a sample of rows: facts look rarer than they are.",),
        about={"Normaliser": "unicode-1", "Engine": "duckdb 2.0.0"},
    )


def small_floor() -> Floor:
    """Both bounds say nothing, one term is not known, nothing contradicts, nothing is left out."""
    lower = lower_bound(0.2, 900, fewest_errors=None, starts=112_345)
    upper = replace(upper_bound(0.9, 900), value=1.331, vacuous=True)
    some = (Quantity("singleton_rate", "Singleton rate (sr)", 0.2), Quantity("missing_mass", "Missing mass", None, unknown="no N"))
    return Floor("tiny.csv", some, lower, upper, (Frequency(1, 180, 180, 0), Frequency(4, 180, 720, 0)), ())


def bins(scale: float) -> tuple[Bin, ...]:
    edges = [0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1 / 364, 0.01, 0.03, 0.1, 0.3, 0.7, 1.0]
    truth = [0.0, 0.0, 0.001, 0.01, 0.05, 0.08, 0.06, 0.1, 0.2, 0.25, 0.249]
    model = [0.0, 0.001, 0.01, 0.03, 0.12, 0.1, 0.08, 0.1, 0.17, 0.2, 0.189]
    mixed = [t + scale * (m - t) for t, m in zip(truth, model, strict=True)]
    return tuple(Bin(a, b, m, t, 900) for a, b, m, t in zip(edges[:-1], edges[1:], mixed, truth, strict=True))


def reduction(variant: str, error: float, misclassified: float, delta: float, scale: float = 1.0) -> Reduction:
    bound = 2 * misclassified - 1 / 364 - delta
    return Reduction(
        model="embedded",
        variant=variant,
        prompts=240,
        left_out=2,
        most_valid=1,
        fewest_errors=364,
        off_list=0.031,
        error=error,
        error_low=error - 0.04,
        error_high=min(1.0, error + 0.04),
        misclassified=misclassified,
        delta=delta,
        bound=bound,
        bound_low=bound - 0.05,
        bound_high=bound + 0.05,
        obeys=error >= bound,
        choice_bound=0.51,
        choice_threshold=0.0031,
        bins=bins(scale),
        accuracy=0.21,
    )


def study() -> ReductionStudy:
    some = (
        reduction("as it is", 0.62, 0.3, 0.02, 0.3),
        reduction("temperature 2", 0.81, 0.4, 0.05, 0.6),
        reduction("temperature 0.25", 0.58, 0.11, 0.41, 2.0),
    )
    return ReductionStudy("birthdays of 240 people", "all", some, ("The prompts are English only.",), {"wager": "0.5", "Seconds": "61"})


def trained() -> TrainedFloor:
    n, rate, missing = 400_000, 0.302, 0.2993
    points = []
    for step, epochs in ((0, 0.0), (100, 0.25), (400, 1.0), (1600, 4.0), (6400, 16.0), (12800, 32.0)):
        known = math.exp(-epochs / 3)
        parts = (0.2985, 0.19 * known + 0.002, 0.41 * known)
        error, delta = sum(parts), 0.004 + 0.17 * (1 - math.exp(-epochs / 20))
        wrong = (error + 0.0028 + 2 / 364 - delta * 0.4) / 2
        points.append(
            Checkpoint("transformer", step, epochs, 5.9 * known + 1.2, error, *parts, delta, wrong, 2 * wrong - 2 / 364 - delta, 0.1)
        )
    once = Checkpoint("n-gram", 0, 0, 1.31, 0.318, 0.299, 0.013, 0.006, 0.012, 0.15, 0.28, 0.1)
    return TrainedFloor(
        "60,000 people by Zipf’s law, nine in ten samples answered",
        n,
        60_000,
        365,
        rate,
        missing,
        lower_bound(rate, n),
        upper_bound(rate, n),
        0.2988,
        (once, *points),
        {"transformer": bins(0.6), "n-gram": bins(0.1)},
        frequencies(120_800),
        ("One seed only.",),
        {"seed": "0", "torch": "2.13"},
    )


WRITERS = {"floor": write_floor_page, "small": write_floor_page, "study": write_reduction_page, "trained": write_trained_page}
MADE: dict[str, Any] = {"floor": floor, "small": small_floor, "study": study, "trained": trained}
CHARTS = {"floor": 6, "small": 3, "study": 4, "trained": 6}


def hostile(value: Any) -> Any:
    """The same result with hostile text in every free field."""
    if isinstance(value, tuple):
        return tuple(hostile(one) for one in value)
    if isinstance(value, dict):
        return {HOSTILE[place % 5] + str(key): hostile(one) for place, (key, one) in enumerate(value.items())}
    if isinstance(value, str):
        return "".join(HOSTILE) + value
    if not hasattr(value, "__dataclass_fields__"):
        return value
    kept = {"side", "kind", "unit", "mass", "key"}
    changed = {one.name: getattr(value, one.name) for one in fields(value)}
    return replace(value, **{name: hostile(old) for name, old in changed.items() if name not in kept})


class Opened:
    """A page in the browser once its charts are drawn, with what it asked for and what it complained about."""

    def __init__(self, browser: Any, path: Path, width: int = 1200, scheme: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        drawn = "() => document.querySelectorAll('.chart svg').length === document.querySelectorAll('.chart').length"
        for _ in range(1500):  # Playwright's own waiting evaluates strings, which the page's policy forbids.
            if self.page.evaluate(drawn):
                break
            self.page.wait_for_timeout(20)

    def text(self, selector: str = "main") -> str:
        """What it says, with its non-breaking spaces made plain."""
        return str(self.page.locator(selector).first.text_content()).replace("\N{NO-BREAK SPACE}", " ")

    def close(self) -> None:
        self.page.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, write in WRITERS.items():
        for kind, value in (("", MADE[name]()), ("-hostile", hostile(MADE[name]()))):
            found[name + kind] = folder / f"{name}{kind}.html"
            write(found[name + kind], value, command="wager " + (HOSTILE[0] if kind else "floor"))
    return found


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_drawn_without_a_request_or_a_complaint(chromium: Any, pages: dict[str, Path], name: str) -> None:  # noqa: F811
    for width in (1200, 400):
        opened = Opened(chromium, pages[name], width)
        assert opened.page.locator(".chart svg").count() == CHARTS[name]
        assert opened.requests == [pages[name].as_uri()]
        assert opened.complaints == []
        assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert all(len(good.inner_text()) > 20 for good in opened.page.locator("figure .good").all())
        opened.close()


@pytest.mark.parametrize("name", CHARTS)
def test_hostile_text_is_shown_and_never_runs(chromium: Any, pages: dict[str, Path], name: str) -> None:  # noqa: F811
    opened = Opened(chromium, pages[f"{name}-hostile"], 400)
    assert opened.page.locator(".chart svg").count() == CHARTS[name]
    assert opened.complaints == []
    assert opened.page.evaluate("window.pwned") is None
    assert opened.requests == [pages[f"{name}-hostile"].as_uri()]
    assert opened.page.locator("main img, main script, main iframe, main svg a, main svg image, main svg script").count() == 0
    assert opened.page.locator("script").count() == CHARTS[name] + 2
    said = opened.page.evaluate("document.querySelector('main').textContent")
    assert all(text in said for text in HOSTILE)
    assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= 400
    opened.close()


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_has_a_table_and_every_table_can_be_reached(chromium: Any, pages: dict[str, Path], name: str) -> None:  # noqa: F811
    opened = Opened(chromium, pages[name])
    for at in range(opened.page.locator("section:has(.chart)").count()):
        part = opened.page.locator("section:has(.chart)").nth(at)
        behind = part.locator("details table").count() or part.locator("xpath=following-sibling::section[1]").locator("table").count()
        assert behind, part.locator("h2").inner_text()
    assert opened.page.evaluate("[...document.querySelectorAll('table')].every(t => t.closest('[role=region][tabindex=\"0\"]'))")
    links = opened.page.evaluate(
        "[...document.querySelectorAll('nav a')].map(a => document.querySelector(a.getAttribute('href')) !== null)"
    )
    assert len(links) >= 5
    assert all(links)
    opened.page.locator("summary").first.focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("details[open] table").first.is_visible()
    opened.close()


def test_a_page_is_the_same_in_the_dark(chromium: Any, pages: dict[str, Path]) -> None:  # noqa: F811
    opened = Opened(chromium, pages["floor"], scheme="dark")
    style = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
    assert opened.page.locator("body").evaluate(style) == ["rgb(255, 255, 255)", "rgb(28, 25, 23)"]
    opened.close()


def test_the_answer_comes_first_and_warnings_before_it(chromium: Any, pages: dict[str, Path]) -> None:  # noqa: F811
    opened = Opened(chromium, pages["floor"])
    order = opened.page.evaluate(
        "[...document.querySelectorAll('header, .warning, .finding, section')].slice(0, 4).map(e => e.className || e.tagName)"
    )
    assert order == ["HEADER", "warning", "finding", "SECTION"]
    finding = opened.text(".finding")
    assert finding.startswith("28.6 % of the samples state a fact that occurs only once (the singleton rate).")
    # .28586 - 2/364 - (35 + 6 ln 438959)/sqrt(438959) = .28586 - .00549 - .17046; .28586 (1 - 1/365) + 13/sqrt(438959) = .30470
    assert "At least 11.0 % of the answers of any calibrated model" in finding
    assert "errs on no more than 30.5 % of its answers" in finding
    opened.close()


def test_a_vacuous_bound_says_so_and_an_unknown_term_is_no_zero(chromium: Any, pages: dict[str, Path]) -> None:  # noqa: F811
    opened = Opened(chromium, pages["small"])
    finding = opened.text(".finding")
    # .2 - (35 + 6 ln 900)/30 = .2 - 2.52715
    assert "The lower bound (Theorem 2) is vacuous: at −232.7 % it says nothing at this size." in finding
    assert "above 0 from 112,345 samples on" in finding
    assert "It leaves out what was not stated: 2/min|E_c|." in finding
    assert "The upper bound is vacuous: at 133.1 %" in finding
    terms = opened.page.locator("#bounds table").first.locator("tbody tr").all_inner_texts()
    assert ["not known" in row for row in terms[:-1]] == [False, True, False, False]
    assert "without the terms that are not known" in terms[-1]
    assert "−232.7 %" in terms[-1].replace("\N{NO-BREAK SPACE}", " ")
    assert "not known: no N" in opened.text("#numbers")
    drawn = opened.page.locator("#line svg").first.text_content()
    assert "says nothing" in drawn
    assert "Missing mass: not known" in drawn
    assert opened.page.locator("#line svg .mark-symbol path").count() == 1
    opened.close()


def test_tables_hold_what_the_charts_draw(chromium: Any, pages: dict[str, Path]) -> None:  # noqa: F811
    opened = Opened(chromium, pages["floor"])
    assert opened.page.locator("#numbers tbody tr").count() == len(quantities())
    assert opened.page.locator("#often details tbody tr").count() == len(frequencies())
    assert opened.page.locator("#remedies details tbody tr").count() == 15
    assert "×" in opened.text("#contradictions li")
    assert "212" in opened.text("#left-out table")
    assert "Repeating a fact does not teach what was never seen" in opened.text("#remedies")
    opened.close()
    other = Opened(chromium, pages["trained"])
    rows = other.page.locator("#checkpoints tbody tr").all_inner_texts()
    assert len(rows) == 7
    assert "at once" in rows[0]
    assert "at once" not in "".join(rows[1:])
    labels = other.page.locator("#error svg").first.text_content()
    for name in ("upper bound", "lower bound 11.9 %", "seen once (sr) 30.2 %", "missing mass 29.9 %", "memoriser 29.9 %", "n-gram 31.8 %"):
        assert name in labels
    other.close()


def test_models_of_one_name_each_have_their_calibration_on_one_axis(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    same = replace(study(), reductions=(reduction("as it is", 0.6, 0.3, 0.02, 0.1), reduction("as it is", 0.6, 0.3, 0.02, 4.0)))
    write_reduction_page(tmp_path / "r.html", same)
    opened = Opened(chromium, tmp_path / "r.html")
    axes = opened.page.evaluate(
        "[...document.querySelectorAll('#calibration svg .role-axis')].map(e => e.textContent).filter(t => t.includes('all mass'))"
    )
    assert len(axes) == 2
    assert axes[0] == axes[1]
    opened.close()


def test_a_model_below_its_bound_is_called_out(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    broken = replace(study(), reductions=(replace(study().reductions[0], error=0.2, obeys=False),))
    write_reduction_page(tmp_path / "r.html", broken)
    opened = Opened(chromium, tmp_path / "r.html")
    assert "BELOW ITS BOUND: embedded (as it is)" in opened.text(".finding")
    assert opened.page.locator(".broken").inner_text() == "NO"
    opened.close()


def test_results_with_nothing_in_them_still_make_a_page(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    none = Bound("Theorem 2", "lower", (Term("sr", None, "nothing was counted"),), None, 0.99, None, (), "Nothing.")
    gone = Quantity("singleton_rate", "Singleton rate", None, unknown="no sample was counted")
    write_floor_page(tmp_path / "f.html", Floor("empty", (gone,), none, replace(none, side="upper"), (), ()))
    write_reduction_page(tmp_path / "r.html", ReductionStudy("none", "listed", ()))
    write_trained_page(tmp_path / "t.html", replace(trained(), checkpoints=(), bins={}, frequencies=(), lower=none))
    for name, said in (("f", "cannot be told: no sample was counted"), ("r", "nothing to say"), ("t", "No learner was measured")):
        opened = Opened(chromium, tmp_path / f"{name}.html")
        assert opened.complaints == []
        assert said in opened.text()
        opened.close()


def test_a_learner_whose_parts_are_unknown_is_drawn_as_a_line_alone(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    points = tuple(replace(one, error_unseen=None, loss=None) for one in trained().checkpoints)
    write_trained_page(tmp_path / "t.html", replace(trained(), checkpoints=points))
    opened = Opened(chromium, tmp_path / "t.html")
    assert opened.page.locator("#error svg .mark-area path").count() == 0
    assert opened.page.locator("#error svg .mark-line path").count() == 1
    opened.close()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.21249, "21.2 %"),
        (0.00549, "0.55 %"),
        (0.00001, "<0.01 %"),
        (0.9999, ">99.9 %"),
        (-2.5272, "−252.7 %"),
        (-0.0000001, "−<0.01 %"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(value: float | None, shown: str) -> None:
    assert share(value) == shown


def test_a_signed_share_shows_its_sign() -> None:
    assert [share(value, sign=True) for value in (0.3137, -0.1778, 0.0)] == ["+31.4 %", "−17.8 %", "0 %"]


def test_words_say_what_is_not_known() -> None:
    unknown = replace(lower_bound(0.2, 900), value=None, vacuous=None)
    assert bound_sentence(unknown) == "The lower bound (Theorem 2) cannot be told: a number in it is not known."
    assert "would say nothing at any size" in bound_sentence(lower_bound(0.2, 900))
    assert floor_finding(replace(floor(), quantities=())).startswith("The singleton rate cannot be told: it was not counted.")
    assert quantity_range(Quantity("n", "N", 12225.0, 12000.0, 12500.0, unit="count")) == "[12,000, 12,500]"
    last = replace(study(), reductions=study().reductions[2:])
    assert "−19.3 %, is vacuous for it. It obeys." in study_finding(last)


def test_the_finding_of_several_says_which_is_furthest_from_calibrated() -> None:
    assert "Its delta, how far it is from calibrated at 1/K, is 2.0 %; 41.0 % for" in study_finding(study())
    turned = replace(study(), reductions=study().reductions[::-1])
    assert "is 41.0 %, the greatest here." in study_finding(turned)


def test_times_answered_are_gathered_in_bins_that_double() -> None:
    rows = octaves([Frequency(k, 10, 10 * k, 0) for k in (0, 1, 2, 3, 4, 5, 8, 9)] + [Frequency(2048, 1, 2048, 0)])
    assert [row["bin"] for row in rows] == ["never", "once", "2", "3–4", "5–8", "9–16", "1,025–2,048"]
    assert [row["rows"] for row in rows] == [0, 10, 20, 70, 130, 90, 2048]
    assert math.isclose(sum(row["share"] for row in rows), 1.0)


def test_points_that_would_cover_each_other_are_drawn_once_and_rare_ones_stay() -> None:
    law = [Frequency(k, 1, k, 0) for k in range(1, 100_001)]
    drawn = [one.answered for one in thinned([Frequency(0, 5, 5, 0), *law])]
    assert drawn[:20] == list(range(1, 21))
    assert len(drawn) <= 5 * 200 + 1
    assert drawn[-1] > 99_000


@pytest.mark.parametrize(
    ("low", "high", "places"),
    [
        (0.9, 30, [1, 2, 5, 10, 20]),
        (0.7, 2e6, [1, 10, 100, 1e3, 1e4, 1e5, 1e6]),
        (3e-9, 1, [1e-8, 1e-6, 1e-4, 1e-2, 1]),
    ],
)
def test_a_logarithmic_axis_is_labelled_at_round_places(low: float, high: float, places: list[float]) -> None:
    assert log_places(low, high) == pytest.approx(places)


def test_labels_of_close_lines_stand_apart_and_inside() -> None:
    lines = [{"name": str(k), "value": value} for k, value in enumerate((0.302, 0.3, 0.3005, 0.001, 0.0))]
    at = [row["at"] for row in placed_labels(lines, 1.0, 300)]
    # From the top: at its own height, pushed down twice, pushed up by the last, which stands just above the axis.
    assert at == pytest.approx([300 * (1 - 0.302), 223.4, 237.4, 280.0, 294.0])


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<svg"), (".png", b"\x89PNG")])
def test_the_pictures_are_files_of_their_kind(tmp_path: Path, suffix: str, start: bytes) -> None:
    save_floor_picture(tmp_path / f"floor{suffix}", floor())
    save_trained_picture(tmp_path / f"trained{suffix}", trained())
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"floor{suffix}", f"trained{suffix}"]
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(start)


def test_a_picture_of_another_kind_or_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.svg or a \.png file, got 'p\.gif'"):
        save_floor_picture(tmp_path / "p.gif", floor())
    with pytest.raises(DataError, match="no counted sample"):
        save_floor_picture(tmp_path / "p.svg", replace(floor(), frequencies=()))
    with pytest.raises(DataError, match="more than once"):
        save_trained_picture(tmp_path / "p.svg", replace(trained(), checkpoints=trained().checkpoints[:1]))


def test_an_unwritable_place_is_one_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=re.escape("cannot write")):
        write_floor_page(tmp_path / "absent" / "floor.html", floor())
    assert list(tmp_path.iterdir()) == []
