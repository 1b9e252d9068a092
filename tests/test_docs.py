"""Every code block of the README and the docs runs: Python blocks as doctests, wager commands through the parser."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from wager.cli import parser

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_print_what_they_show(page: Path) -> None:
    code = "\n".join(blocks(page, "python"))
    test = doctest.DocTestParser().get_doctest(code, {}, str(page), str(page), 0)
    assert doctest.DocTestRunner().run(test).failed == 0
    assert not code or test.examples, "a Python block without a >>> example is never run"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_wager_commands_are_commands(page: Path) -> None:
    text = "\n".join(blocks(page, "bash") + blocks(page, "console"))
    for line in re.findall(r"(?:^|&& )\$?\s*(wager .*?)(?:\s+#.*)?$", text, re.MULTILINE):
        if "[" in line:
            continue  # a synopsis
        parsed = parser().parse_args(shlex.split(line)[1:])
        assert parsed.verb in ("eval", "score", "audit", "elicit", "calibrate", "ask", "steer", "serve", "floor", "iiv")
    assert text.count("```") == 0


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert f": {page.relative_to(ROOT / 'docs')}" in navigation, page
