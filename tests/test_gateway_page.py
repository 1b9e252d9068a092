"""The playground and the dashboard in a real browser, before the real gateway: what is asked, shown, chosen, judged; no text ever runs."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request

from conftest import absent
from gateway_process import Process, command, environment, free_port, settings
from gateway_scripted import SCRIPTS, Connection, Scripted, Seen, chunk, completion
from wager.answers import Outcome
from wager.gateway import page as page_module
from wager.gateway.journal import table
from wager.gateway.page import FILES, page_routes

Json = dict[str, Any]

STORIES = (
    "The lighthouse had kept its lamp for so long that it forgot what the lamp was for.",
    "On Tuesday the keeper painted the word SEA on the door, so that the tower would remember.",
    "Gulls brought rumours of water, at which the tower laughed politely and guarded its wheat.",
)
DRAWN = itertools.count()
HOSTILE = (
    "</div><script>alert(1)</script><img src=x onerror=alert(2)> <svg onload=alert(3)> [click](javascript:alert(4)) "
    '![x](https://evil.example/leak.png) <a href="https://evil.example/">here</a> &lt;b&gt; \u202egnp.exe\u2066 \u2028 \x1b[31m ${7*7} {{7*7}} '
    "[L1] [1] __proto__ <style>*{display:none}</style>"
)
LOG = (
    "2026-03-02 09:14:01 INFO  stage 4: 400 tasks started",
    "2026-03-02 09:14:37 WARN  executor 7: memory 93 % used",
    "2026-03-02 09:14:52 ERROR executor 7: java.lang.OutOfMemoryError: Java heap space",
    "2026-03-02 09:14:53 ERROR task 377 in stage 4 failed 4 times; aborting job",
)
ORIGIN = ("Failed to load resource",)
"""What a browser itself writes on its console about a status of 400 and above, or a server that is gone."""


async def spoken(to: Connection, seen: Seen, text: str, *, pause: float = 0.0) -> None:
    """A text as a response or as a stream, as it is asked for."""
    if not seen.body.get("stream"):
        await to.answer(200, json.dumps(completion(seen.body, text)).encode())
        return
    await to.begin_stream()
    for part in [text[at : at + 4000] for at in range(0, len(text), 4000)] if not pause else [f"{word} " for word in text.split()]:
        await to.event(chunk(seen.body, {"role": "assistant", "content": part}))
        await asyncio.sleep(pause)
    await to.event(chunk(seen.body, {}, "stop"))
    await to.end_stream()


async def story(server: Scripted, to: Connection, seen: Seen) -> None:
    await spoken(to, seen, STORIES[next(DRAWN) % 3])


async def hostile(server: Scripted, to: Connection, seen: Seen) -> None:
    await spoken(to, seen, HOSTILE)


async def endless(server: Scripted, to: Connection, seen: Seen) -> None:
    await spoken(to, seen, "<b>" + "x" * 2**20)


async def drip(server: Scripted, to: Connection, seen: Seen) -> None:
    await spoken(to, seen, "one two three four five six seven eight nine ten eleven twelve " * 6, pause=0.03)


async def cited(server: Scripted, to: Connection, seen: Seen) -> None:
    await spoken(to, seen, "executor 7 hit java.lang.OutOfMemoryError: Java heap space [L3]. task 377 in stage 4 failed 4 times [L4].")


async def long(server: Scripted, to: Connection, seen: Seen) -> None:
    await to.begin_stream()
    await to.event(chunk(seen.body, {"role": "assistant", "content": "And then"}, None))
    await to.event(chunk(seen.body, {}, "length"))
    await to.end_stream()


async def river(server: Scripted, to: Connection, seen: Seen) -> None:
    """Knows nothing by itself, and reads what was found."""
    found = "Question:" in seen.body["messages"][-1]["content"]
    text, logprob = ("The river Zorblatt is 412 km long [1].", -0.01) if found else ("100 km", -2.5)
    await to.answer(200, json.dumps(completion(seen.body, text, logprob)).encode())


SCRIPTS.update({"story": story, "hostile": hostile, "endless": endless, "drip": drip, "cited": cited, "long": long, "river": river})


@dataclass(frozen=True)
class Served:
    """A gateway and the model behind it."""

    gateway: Process
    model: Scripted

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.gateway.port}/"

    @property
    def journal(self) -> Path:
        return self.gateway.folder / "journal"


@contextlib.contextmanager
def started(path: Path, *options: str | Path) -> Iterator[Process]:
    """`wager serve` with a file of settings and these options."""
    port = int(path.read_text().split("port = ")[1].split("\n")[0])
    log = path.parent / "output.txt"
    with log.open("ab") as out:
        process = subprocess.Popen(
            command("--config", path, *options), stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment(), cwd=path.parent
        )
    try:
        gateway = Process(process, port, log, path.parent)
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                if gateway.ask("GET", "/healthz").status == 200:
                    break
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.05)
        yield gateway
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, documents = tmp_path_factory.mktemp("page"), tmp_path_factory.mktemp("documents")
    (documents / "rivers.md").write_text("# Rivers\n\nThe river Zorblatt is 412 km long. It rises in the hills of Quandary.\n")
    with Scripted().running() as model, started(settings(folder, model.url, page=True), "--documents", documents) as gateway:
        yield Served(gateway, model)


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


SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push(one.sources.map(s => (s.node?.id || s.node?.className || s.node?.nodeName) + ""));
}).observe({ type: "layout-shift", buffered: true });
"""


class Opened:
    """An opened page, with what it asked for and what it complained about."""

    def __init__(self, browser: Any, url: str, *, width: int = 1200, height: int = 860, **options: Any) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": height}, **options)
        self.complaints: list[str] = []
        self.requests: list[Any] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.add_init_script(SHIFTS)
        self.url = url

    def open(self) -> Opened:
        self.page.unroute_all()
        self.page.goto(self.url)
        self.wait("document.getElementById('served').textContent !== ''")
        return self

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Waits until it holds. Playwright's own waiting evaluates strings in the page, which the page's policy forbids."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"{condition} does not hold; {self.complaints}"
            self.page.wait_for_timeout(20)

    def set(self, name: str, value: str | bool) -> None:
        """Moves a knob as a hand does."""
        self.page.evaluate(
            """([name, value]) => {
              const knob = document.getElementById(name);
              if (typeof value === "boolean") knob.checked = value; else knob.value = value;
              for (const kind of ["input", "change"]) knob.dispatchEvent(new Event(kind, { bubbles: true }));
            }""",
            [name, value],
        )

    def ask(self, text: str, *, kind: str | None = None, finished: bool = True) -> None:
        """Sends a message with the Enter key, and waits for the reply."""
        if kind is not None:
            self.set("kind", kind)
        self.page.fill("#ask", text)
        self.page.press("#ask", "Enter")
        if finished:
            self.wait("!document.getElementById('send').disabled && document.querySelectorAll('.reply').length > 0")

    @property
    def asked(self) -> list[Json]:
        """The bodies of the chat requests."""
        return [one.post_data_json for one in self.requests if one.url.endswith("/v1/chat/completions")]

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.page.evaluate("s => [...document.querySelectorAll(s)].map(e => e.textContent)", selector)
        return found

    def count(self, selector: str) -> int:
        return int(self.page.evaluate("s => document.querySelectorAll(s).length", selector))

    def decision(self) -> str:
        """The id of the last reply's decision."""
        return str(self.page.evaluate("[...document.querySelectorAll('.reply:last-child dl.facts dd')].at(-1).textContent"))

    def quiet(self, *expected: str) -> None:
        """Nothing was complained about but what was expected, and nobody else was asked."""
        assert [text for text in self.complaints if not text.startswith(expected or ("\0",))] == []
        assert {urlsplit(one.url).netloc for one in self.requests if not one.url.startswith("data:")} == {urlsplit(self.url).netloc}


@pytest.fixture(scope="module")
def tab(chromium: Any, served: Served) -> Opened:
    return Opened(chromium, served.url)


@pytest.fixture
def opened(tab: Opened) -> Opened:
    """The page, loaded anew."""
    tab.page.goto("about:blank")
    tab.complaints.clear()
    tab.requests.clear()
    return tab.open()


def test_a_reply_shows_its_act_its_confidence_and_the_target(opened: Opened, served: Served) -> None:
    opened.ask("What is the capital of France? [[say Paris]]", kind="factual")
    assert opened.texts(".reply .text") == ["Paris"]
    assert opened.texts(".reply .chip") == ["Answered"]
    kept = served.gateway.ask("GET", f"/v1/wager/decisions/{opened.decision()}").json
    assert kept["act"] == "answer"
    assert kept["target"] == 0.5
    assert float(opened.page.get_attribute(".reply [role=meter]", "aria-valuenow")) == pytest.approx(kept["confidence"])
    words = f"{kept['confidence']:.2f}, token probabilities, calibrated; target 0.50"
    assert opened.texts(".reply .confidence span") == [words]
    bar = opened.page.locator(".track").bounding_box()
    mark = opened.page.locator(".track .mark").bounding_box()
    assert mark["x"] + mark["width"] / 2 - bar["x"] == pytest.approx(bar["width"] / 2, abs=2)
    assert opened.page.locator(".track .fill").bounding_box()["width"] == pytest.approx(bar["width"] * kept["confidence"], abs=3)
    assert "kind: factual, as you set it" in opened.texts(".reply .tag")
    opened.quiet()


def test_an_answer_that_is_not_sure_enough_is_shown_as_an_abstention(opened: Opened) -> None:
    opened.ask("What is the capital of Chad? [[unsure]] [[say Lagos]]", kind="factual")
    assert opened.texts(".reply .chip") == ["Abstained"]
    assert "Lagos" not in opened.texts(".reply .text")[0]
    opened.quiet()


def test_without_a_confidence_there_is_no_bar_but_a_reason(opened: Opened) -> None:
    opened.ask("Hello there [[say Hello]]", kind="smalltalk")
    assert opened.count("[role=meter]") == 0
    assert opened.texts(".reply .confidence") == ["No confidence: not measured: nothing is decided for smalltalk."]
    opened.quiet()


def test_the_kind_that_was_detected_is_shown_with_its_probability(opened: Opened, served: Served) -> None:
    opened.ask("What is the capital of Norway? [[say Oslo]]")
    kept = served.gateway.ask("GET", f"/v1/wager/decisions/{opened.decision()}").json
    assert kept["by"] == "detector"
    assert kept["kind"] in opened.texts(".reply .tag")[0]
    sure = kept["kind_probability"]
    assert (">0.99" if sure >= 0.995 else f"{sure:.2f}") in opened.texts(".reply .tag")[0]
    assert "wager" in opened.asked[0]
    assert "kind" not in opened.asked[0]["wager"]


def test_a_stream_grows_without_moving_what_stands_there(opened: Opened) -> None:
    opened.ask("Tell me numbers [[drip]]", kind="smalltalk", finished=False)
    opened.wait("(document.querySelector('.reply .text')?.textContent.length ?? 0) > 20")
    first = opened.texts(".reply .text")[0]
    assert opened.page.get_attribute(".reply", "aria-busy") == "true"
    opened.wait("!document.getElementById('send').disabled")
    whole = opened.texts(".reply .text")[0]
    assert len(first) < len(whole)
    assert whole.startswith(first)
    assert whole.split().count("twelve") == 6
    assert opened.page.get_attribute(".reply", "aria-busy") is None
    assert opened.page.evaluate("window.shifts") == []
    assert opened.texts("#status")[0].startswith("Answered.")
    opened.quiet()


def test_the_view_follows_a_reply_until_its_question_stands_at_the_top(chromium: Any, served: Served) -> None:
    opened = Opened(chromium, served.url, height=500).open()
    for number in range(2):
        opened.ask(f"Number {number}: numbers please [[drip]]", kind="smalltalk")
    top, own = (opened.page.locator(what).last.bounding_box()["y"] for what in ("#turns", ".own"))
    assert top <= own < top + 20
    opened.ask("And again [[drip]]", finished=False)
    opened.wait("(document.querySelectorAll('.reply')[2]?.textContent.length ?? 0) > 20")
    opened.page.evaluate("document.getElementById('turns').scrollTop = 0")
    opened.wait("!document.getElementById('send').disabled")
    assert opened.page.evaluate("document.getElementById('turns').scrollTop") == 0
    opened.page.context.close()


@pytest.mark.parametrize("how", ["button", "escape"])
def test_stopping_ends_the_work_of_the_model(opened: Opened, served: Served, how: str) -> None:
    opened.ask(f"Tell me more by {how} [[hang-midway]]", kind="smalltalk", finished=False)
    opened.wait("document.querySelector('.reply .text')?.textContent.includes('Paris')")
    opened.page.click("#stop") if how == "button" else opened.page.press("#ask", "Escape")
    opened.wait("!document.getElementById('send').disabled")
    assert opened.texts(".reply > p") == ["Stopped. "]
    assert served.model.wait_for(f"more by {how}").gone.wait(10)
    opened.quiet()


def test_knobs_that_were_not_moved_are_not_sent(opened: Opened) -> None:
    opened.ask("Hello [[say Hi]]")
    assert opened.asked == [
        {"model": "auto", "messages": [{"role": "user", "content": "Hello [[say Hi]]"}], "stream": True, "wager": {"why": True}}
    ]


def test_each_knob_changes_the_request(opened: Opened, served: Served) -> None:
    for name, value in {
        "kind": "factual",
        "target": "15",
        "imagination": "0.5",
        "stream": False,
        "why": False,
        "model": "scripted",
    }.items():
        opened.set(name, value)
    assert opened.texts("#target-shown") == ["0.75"]
    assert opened.texts("#target-told") == ["A right answer gains 1 point, a wrong one costs 3."]
    opened.ask("What is the capital of Peru? [[say Lima]]")
    assert opened.asked[0]["wager"] == {"kind": "factual", "target": 0.75, "dials": {"imagination": 0.5}}
    assert opened.asked[0]["stream"] is False
    assert opened.asked[0]["model"] == "scripted"
    assert opened.texts(".reply .text") == ["Lima"]
    assert opened.texts(".reply .confidence span")[0].endswith("target 0.75")
    assert opened.count("details.why") == 0
    assert any("imagination were left out" in text for text in opened.texts(".reply .note"))
    assert "wager" not in served.model.wait_for("capital of Peru").body
    opened.page.click("#reset")
    opened.wait("document.getElementById('target-shown').textContent === 'off'")
    opened.ask("And of Chile? [[say Santiago]]")
    assert opened.asked[1]["wager"] == {"why": True}
    opened.quiet()


def test_raw_is_passed_through_and_not_kept(opened: Opened, served: Served) -> None:
    before = served.gateway.ask("GET", "/v1/wager/summary").json["decisions"]
    opened.set("raw", True)
    opened.ask("Raw please [[say <i>Oslo</i>]]")
    assert opened.asked[0]["wager"] == {"act": "raw"}
    assert opened.texts(".reply .text") == ["<i>Oslo</i>"]
    assert opened.texts(".reply .chip") == ["Raw"]
    assert served.gateway.ask("GET", "/v1/wager/summary").json["decisions"] == before
    assert opened.page.is_disabled("#target")
    opened.quiet()


def test_the_conversation_goes_on_with_the_branch_that_was_chosen(opened: Opened) -> None:
    opened.ask("Write a story about a lighthouse [[story]]", kind="creative")
    shown = opened.texts(".branch .text")
    assert sorted(shown) == sorted(STORIES)
    assert opened.texts(".branch button") == ["In use", "Use this one", "Use this one"]
    tops = [opened.page.locator(".branch").nth(place).bounding_box()["y"] for place in range(3)]
    assert len(set(tops)) == 1
    opened.page.locator(".branch button").nth(2).click()
    assert opened.texts(".branch button") == ["Use this one", "Use this one", "In use"]
    opened.ask("Go on [[story]]")
    assert [one["content"] for one in opened.asked[1]["messages"]] == [
        "Write a story about a lighthouse [[story]]",
        shown[2],
        "Go on [[story]]",
    ]
    opened.quiet()


@pytest.mark.parametrize("way", ["fence", "bare", "two blocks"])
def test_a_citation_leads_to_its_line(opened: Opened, way: str) -> None:
    question = "What went wrong with executor 7? [[cited]]"
    asked = {
        "fence": [question, "", "```", *LOG, "```"],
        "bare": [question, *LOG],
        "two blocks": [question, "```", *LOG[:2], "```", "and then", "```", *LOG[2:], "```"],
    }[way]
    opened.ask("\n".join(asked), kind="debugging")
    assert "[L3]" in opened.texts(".reply .text button.cite")
    opened.page.locator(".reply .text button.cite", has_text="[L3]").first.click()
    assert opened.texts(".lines .here") == [LOG[2]]
    if way != "two blocks":
        assert opened.page.get_attribute(".lines .here", "data-n") == "3"
    assert opened.page.evaluate("document.activeElement.classList.contains('here')")
    opened.page.locator(".sources button.cite", has_text="[L4]").click()
    assert opened.texts(".lines .here") == [LOG[3]]
    opened.page.keyboard.press("Escape")
    assert opened.page.evaluate("document.activeElement.textContent") == "[L4]"
    opened.quiet()


def test_what_was_looked_up_is_shown_with_its_source(opened: Opened) -> None:
    opened.ask("How long is the river Zorblatt? [[river]]", kind="factual")
    assert opened.texts(".reply .chip") == ["Looked up"]
    assert opened.texts(".reply .text") == ["The river Zorblatt is 412 km long [1]."]
    opened.page.locator(".reply .text button.cite").click()
    assert "The river Zorblatt is 412 km long." in opened.page.evaluate("document.activeElement.textContent")
    assert opened.count(".reply a") == 0
    assert any("1 passage found, 1 used" in text for text in opened.texts(".reply .small"))
    opened.quiet()


def test_a_text_that_was_cut_is_told(opened: Opened) -> None:
    opened.ask("Go on for long [[long]]", kind="smalltalk")
    assert "The model reached its limit here: the text is cut." in opened.texts(".reply > p")


def answered(opened: Opened, text: str, **wager: Any) -> None:
    """Has the server say what no model behind the real gateway can be made to say."""
    full = {
        "schema": 1,
        "id": "wd_0",
        "kind": "factual",
        "kind_probability": 0.9,
        "act": "look_up",
        "confidence": None,
        "no_confidence": "none",
        **wager,
    }
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}], "wager": full}
    opened.page.route(
        "**/v1/chat/completions", lambda route: route.fulfill(status=200, content_type="application/json", body=json.dumps(body))
    )


def test_only_addresses_of_the_web_become_links(opened: Opened) -> None:
    uris = (
        "https://example.org/a?b=<c>",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "prompt#L99",
        "",
    )
    citations = [
        {"label": f"[{n}]", "uri": uri, "title": f"<b>Title</b> {n}", "quote": HOSTILE, "line": None, "verified": n != 2}
        for n, uri in enumerate(uris, 1)
    ]
    answered(opened, "It is so [1]. Or so [2]. [3] [4] [5] [6] [7]", citations=citations, policy=HOSTILE, notes=[HOSTILE], reason=HOSTILE)
    opened.ask("Who says so?")
    links = opened.page.evaluate("[...document.querySelectorAll('.reply a')].map(e => [e.href, e.rel, e.target])")
    assert links == [["https://example.org/a?b=%3Cc%3E", "noopener noreferrer", "_blank"]]
    assert opened.texts(".reply .text button") == [f"[{n}]" for n in range(1, 7)]
    assert opened.count(".reply .text button.wrong") == 1
    assert "<b>Title</b> 1" in opened.texts(".sources li")[0]
    opened.page.locator(".reply .text button.cite").first.click()
    assert opened.page.evaluate("document.activeElement.dataset.label") == "[1]"
    assert opened.count(".reply img, .reply script, .reply style, .reply b script, .reply svg") == 0
    opened.quiet()


@pytest.mark.parametrize("kind", ["smalltalk", "factual", "creative", "personal"])
def test_hostile_text_stays_text(opened: Opened, kind: str) -> None:
    opened.ask("Say something [[hostile]] " + HOSTILE, kind=kind)
    opened.page.wait_for_timeout(200)
    assert opened.count("#turns img, #turns script, #turns style, #turns svg, #turns a, #turns iframe") == 0
    assert "\u202e" not in "".join(opened.texts("#turns"))
    assert "⟨U+202E⟩" in opened.texts(".own")[0]
    if kind in ("smalltalk", "creative"):
        assert opened.texts(".reply .text")[0].startswith("</div><script>alert(1)</script><img src=x onerror=alert(2)>")
    opened.quiet()


def test_a_megabyte_is_shown_in_part_and_does_not_stop_the_page(opened: Opened) -> None:
    opened.ask("Say a lot [[endless]]", kind="smalltalk")
    assert len(opened.texts(".reply .text")[0]) == 100_000
    assert opened.texts(".reply .more") == ["Show all 1,048,579 characters"]
    opened.page.click(".reply .more")
    assert len(opened.texts(".reply .text")[0]) == 2**20 + 3
    assert opened.count(".reply .text *") == 0
    opened.quiet()


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("[[throttled]]", "Try again in "),
        ("[[refusing]]", "400: max_tokens is too large"),
        ("[[error-midway]]", "the worker died"),
        ("[[reset-midway]]", "upstream"),
    ],
)
def test_an_error_is_one_line_and_no_part_of_the_conversation(opened: Opened, script: str, shown: str) -> None:
    opened.ask(f"Hello {script}", kind="smalltalk")
    lines = opened.texts(".reply .failed")
    assert len(lines) == 1
    assert shown in lines[0]
    assert "\n" not in lines[0]
    assert opened.page.get_attribute(".reply .failed", "role") == "alert"
    sent = len(opened.asked)
    opened.page.click(".reply .failed button")
    opened.wait("!document.getElementById('send').disabled")
    assert len(opened.asked) == sent + 1
    assert [one["role"] for one in opened.asked[-1]["messages"]] == ["user"]
    assert opened.count(".reply") == 1
    opened.quiet(*ORIGIN)


def test_a_gateway_that_is_gone_is_said_in_one_line(opened: Opened) -> None:
    opened.page.route("**/v1/**", lambda route: route.abort("connectionrefused"))
    opened.ask("Hello?")
    assert opened.texts(".reply .failed")[0].startswith("The gateway does not answer. Is wager serve still running?")
    opened.page.click("nav a[href='#dashboard']")
    opened.wait("document.getElementById('told').textContent.startsWith('The gateway does not answer')")
    assert opened.page.is_hidden("#figures")
    opened.quiet(*ORIGIN)


def test_feedback_reaches_the_journal_and_the_dashboard(opened: Opened, served: Served) -> None:
    opened.ask("What is the capital of Kenya? [[say Nairobi]]", kind="factual")
    right = opened.decision()
    opened.page.locator(".reply button[data-verdict=wrong]").click()
    opened.wait("document.querySelector('.feedback [role=status]').textContent === 'Kept.'")
    opened.page.locator(".reply button[data-verdict=right]").click()
    opened.wait("document.querySelector('[data-verdict=right]').getAttribute('aria-pressed') === 'true'")
    assert opened.page.get_attribute("[data-verdict=wrong]", "aria-pressed") == "false"
    rows = [one for one in table(served.journal) if one.item == right]
    assert [one.outcome for one in rows] == [Outcome.CORRECT]
    summary = served.gateway.ask("GET", "/v1/wager/summary").json
    opened.page.click("nav a[href='#dashboard']")
    opened.wait(
        "document.querySelectorAll('#chart-reliability svg').length === 1 && document.querySelector('table.decisions') !== null", 40
    )
    assert opened.texts("#told")[0].startswith(f"{summary['decisions']:,} decision")
    assert f"{summary['feedback']['right']} right" in opened.texts("#told")[0]
    assert opened.count("#chart-acts svg, #chart-confidence svg") == 2
    drawn = opened.texts("#table-reliability tbody tr")
    assert len(drawn) == sum(map(len, summary["reliability"].values()))
    shown = {
        tuple(row)
        for row in opened.page.evaluate(
            "[...document.querySelectorAll('#table-acts tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
        )
    }
    assert ("factual", "Answered", str(summary["acts"]["factual"]["answer"])) in shown
    assert str(summary["confidence"]["unknown"]) in opened.texts("#told-confidence")[0]
    first = opened.page.evaluate("[...document.querySelector('table.decisions tbody tr').cells].map(c => c.textContent)")
    assert first[1:3] == ["factual", "Answered"]
    assert first[4] == "right"
    opened.quiet()


def test_without_the_library_of_charts_the_dashboard_shows_tables(opened: Opened, served: Served) -> None:
    opened.ask("What is the capital of Italy? [[say Rome]]", kind="factual")
    html = served.gateway.ask("GET", "/").body.replace(b'data-charts="yes"', b'data-charts="no"')
    opened.page.route(served.url, lambda route: route.fulfill(status=200, content_type="text/html", body=html))
    opened.page.reload()
    opened.page.evaluate("location.hash = '#dashboard'")
    opened.wait("document.querySelector('table.decisions') !== null")
    assert opened.count(".chart svg") == 0
    assert opened.page.is_visible("#table-acts table")
    assert not [one for one in opened.requests if one.url.endswith("vega.js")]
    opened.quiet()


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(chromium: Any, served: Served, width: int, scheme: str) -> None:
    opened = Opened(chromium, served.url, width=width, color_scheme=scheme).open()
    opened.ask("wide" * 200 + "\n" + "line" * 100 + " [[say " + "word" * 300 + "]]", kind="smalltalk")
    opened.ask("Write a story [[story]]", kind="creative")
    for view, scroller in (("chat", "#turns"), ("dashboard", "#view-dashboard")):
        opened.page.evaluate("view => { location.hash = view; }", "#" + view)
        if view == "dashboard":
            opened.wait(
                "document.querySelectorAll('#chart-acts svg').length === 1 && document.querySelector('table.decisions') !== null", 40
            )
        for what in ("html", scroller):
            wide, room = opened.page.evaluate("s => { const e = document.querySelector(s); return [e.scrollWidth, e.clientWidth]; }", what)
            assert wide <= room, (view, what)
    ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    opened.quiet()
    opened.page.context.close()


def test_the_keyboard_is_enough(opened: Opened) -> None:
    opened.page.focus("#ask")
    opened.page.keyboard.type("first")
    opened.page.keyboard.press("Shift+Enter")
    opened.page.keyboard.type("second [[say Hi]]")
    assert opened.page.input_value("#ask") == "first\nsecond [[say Hi]]"
    opened.page.keyboard.press("Enter")
    opened.wait("document.querySelectorAll('.reply .decided').length === 1")
    assert opened.texts(".lines li") == ["first", "second [[say Hi]]"]
    reached = set()
    for _ in range(60):
        opened.page.keyboard.press("Tab")
        reached.add(opened.page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"Right", "Unhelpful", "target", "kind", "key", "new", "Dashboard"} <= reached
    unnamed = opened.page.evaluate(
        """[...document.querySelectorAll("input, select, textarea, button")]
        .filter(e => !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute("aria-label")).length"""
    )
    assert unnamed == 0
    opened.page.click("#new")
    assert opened.count(".reply, .own") == 0
    opened.ask("again [[say Hi]]")
    assert [one["content"] for one in opened.asked[-1]["messages"]] == ["again [[say Hi]]"]
    opened.quiet()


def test_a_gateway_with_keys_and_without_a_journal_says_so(chromium: Any, tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    made = subprocess.run(
        command("--new-key", "reader", "--keys", keys), capture_output=True, text=True, env=environment(), cwd=tmp_path, check=True
    )
    key = next(word for word in made.stdout.split() if len(word) > 20)
    with Scripted().running() as model, started(settings(tmp_path, model.url, page=True), "--journal", "none", "--keys", keys) as gateway:
        opened = Opened(chromium, f"http://127.0.0.1:{gateway.port}/").open()
        assert opened.texts("#served")[0].startswith("401: ")
        opened.ask("Hello [[say Hi]]", kind="smalltalk")
        assert opened.texts(".reply .failed")[0].startswith(
            "401: give an API key of this gateway as a bearer token. Put the key under Knobs"
        )
        opened.set("key", key)
        opened.page.click(".reply .failed button")
        opened.wait("document.querySelectorAll('.reply .decided').length === 1")
        opened.page.locator("[data-verdict=right]").click()
        opened.wait("document.querySelector('.feedback [role=status]').textContent !== ''")
        assert opened.texts(".feedback [role=status]") == ["Not kept: this gateway keeps no journal."]
        opened.page.click("nav a[href='#dashboard']")
        opened.wait("document.getElementById('told').textContent === 'This gateway keeps no journal, so there is nothing to show.'")
        assert key not in json.dumps(opened.page.evaluate("[{...localStorage}, {...sessionStorage}, document.cookie]"))
        opened.quiet(*ORIGIN)
        opened.page.context.close()


def test_the_embedded_model_answers_on_the_page(chromium: Any, tmp_path: Path) -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        absent("the embedded model")
    path = tmp_path / "gateway.toml"
    path.write_text(f'port = {free_port()}\njournal = "journal"\nlogs = "json"\n')
    with started(path) as gateway:
        opened = Opened(chromium, f"http://127.0.0.1:{gateway.port}/").open()
        opened.ask("What is the capital of Kenya?", finished=False)
        opened.wait("document.querySelectorAll('.reply .decided').length === 1", 60)
        assert opened.texts(".reply .chip")[0] in ("Answered", "Hedged", "Abstained")
        assert opened.texts(".reply .tag")[0].startswith("kind: factual (")
        assert opened.count(".reply [role=meter]") == 1
        assert opened.texts(".reply .confidence span")[0].endswith("token probabilities, calibrated; target 0.50")
        opened.quiet()
        opened.page.context.close()


def got(path: str, **headers: str) -> Any:
    """The response of a route of the page."""
    route = next(one for one in page_routes() if one.path == path)
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }
    with ThreadPoolExecutor(1) as thread:  # Playwright keeps an event loop in this one
        return thread.submit(lambda: asyncio.run(route.endpoint(Request(scope)))).result()


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_strict_and_is_sent_once(path: str) -> None:
    first = got(path)
    policy = first.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["referrer-policy"] == "no-referrer"
    again = got(path, if_none_match=f'"other", W/{first.headers["etag"]}')
    assert (again.status_code, again.body) == (304, b"")
    assert got(path, if_none_match='"other"').status_code == 200


def test_the_page_names_no_other_place() -> None:
    for path in FILES:
        text = got(path).body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text.replace('"https:"', "")
        assert "innerHTML" not in text


def test_without_the_extra_there_is_no_library_and_the_page_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    page_module._bundle.cache_clear()
    try:
        found = got("/wager/vega.js")
    finally:
        page_module._bundle.cache_clear()
    assert found.status_code == 404
    assert json.loads(found.body)["error"]["code"] == "not_found"


def test_every_chart_is_a_valid_specification() -> None:
    vl_convert = pytest.importorskip("vl_convert")
    charts = json.loads(got("/wager/charts.json").body)
    rows = {
        "acts": [{"kind": "factual", "act": "Answered", "n": 2, "rank": 0}],
        "confidence": [{"low": 0.1, "high": 0.2, "n": 3}],
        "reliability": [{"what": "raw", "mean_confidence": 0.7, "share_right": 0.5, "n": 2, "label": "n = 2"}],
    }
    for name, values in rows.items():
        for look in charts["look"].values():
            svg = vl_convert.vegalite_to_svg({**charts[name], "width": 400, "height": 200, "config": look, "datasets": {"rows": values}})
            assert "<path" in svg
