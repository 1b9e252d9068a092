"""How fast the explorer opens and follows its slider, in Chromium on this machine: 30 groups of 12,000 answers, 14 categories.

    python benchmarks/explorer.py [groups] [confident]

A step is timed in the page, from the slider's input event until the table is changed and every visible chart is drawn again.
Takes the board that the tests make; a board does not grow with the number of answers behind it.
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from test_report_explorer import INFO, Explorer, synthetic
from wager.report import explorer_html

OPENED = """() => new Promise(done => {
  const ready = () => document.querySelector('[data-chart=score] svg') ? done(performance.now()) : setTimeout(ready, 5);
  ready();
})"""
STEPS = """async (steps) => {
  const slider = document.getElementById('t');
  const table = [], all = [];
  for (const t of steps) {
    const drawn = new Promise(done => document.addEventListener('explorer-drawn', done, { once: true }));
    const start = performance.now();
    slider.value = t;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    table.push(performance.now() - start);
    await drawn;
    document.body.getBoundingClientRect(); // lays the page out anew
    all.push(performance.now() - start);
    await new Promise(done => setTimeout(done, 30));
  }
  return [table, all];
}"""
SECTIONS = {
    "leaderboard and curves": "h1",
    "lost points": "#lost",
    "confidence": "#confidence",
    "categories": "#strata",
    "differences": "#pairs",
}


def main() -> None:
    groups = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    board = synthetic(groups, strata=14, confident="confident" in sys.argv)
    start = time.perf_counter()
    page = explorer_html(board, INFO)
    print(f"{groups} groups, {len(board.pairs)} pairs: made in {time.perf_counter() - start:.2f} s, {len(page) / 1e6:.2f} MB")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "board.html"
        path.write_text(page, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        times = []
        for _ in range(5):
            fresh = browser.new_page(viewport={"width": 1280, "height": 900})
            fresh.goto(path.as_uri(), wait_until="commit")
            times.append(fresh.evaluate(OPENED))
            fresh.close()
        print(f"opened, table and first chart drawn: median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms")
        opened = Explorer(browser, path)
        print(f"{'what is in view':24} {'table':>8} {'all':>8} {'p95':>8}   milliseconds a step, {99} steps")
        for name, selector in SECTIONS.items():
            print(line(opened, name, selector))
        assert opened.complaints == []
        browser.close()


def line(opened: Any, name: str, selector: str) -> str:
    if not opened.page.is_visible(selector):
        return f"{name:24} {'–':>8}"
    opened.page.evaluate("s => document.querySelector(s).scrollIntoView()", selector)
    opened.page.wait_for_timeout(400)
    table, every = opened.page.evaluate(STEPS, [k / 100 for k in range(1, 100)])
    return f"{name:24} {statistics.median(table):8.1f} {statistics.median(every):8.1f} {sorted(every)[94]:8.1f}"


if __name__ == "__main__":
    main()
