"""What the source of a harness does with a missing answer. A heuristic over lines: each hit is shown, for a person to judge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wager.audit.results import Evidence, Finding, Severity
from wager.errors import DataError

__all__ = ["scan", "sources_of"]

NEAR = 6
"""Lines above a hit that say what it is for."""

SHOWN = 5
"""Places shown for each rule."""


@dataclass(frozen=True)
class Rule:
    """A pattern in one line, and what the lines above it must speak of."""

    pattern: re.Pattern[str]
    near: re.Pattern[str]
    severity: Severity
    title: str
    remedy: str


MISSING = re.compile(
    r"(?i)\b(?:pred|answer|respons|match|extract|output|completion|choice)\w*\b[^\n]*(?:is None|== ?['\"]{2}|== ?None|is not None)"
    r"|if not (?:pred|answer|match|response|extracted)\w*|no (?:match|answer)"
)
ANSWER = re.compile(r"(?i)pred|answer|respons|extract|choice")

RULES = (
    Rule(
        re.compile(r"\brandom\.(?:choice|choices|randint|sample|randrange)\(|\brng\.(?:choice|integers)\(|np\.random\.(?:choice|randint)\("),
        MISSING,
        "high",
        "the source draws at random close to where an answer is missing: a reply without an answer may be scored as a guess",
        "score a missing answer as missing; a benchmark that guesses for the model cannot tell guessing from knowing",
    ),
    Rule(
        re.compile(r"(?i)confidence\w*['\"]?\s*[:=]\s*(?:100|1\.0)\b|(?i:confidence)[^\n]*\belse (?:100|1\.0)\b"),
        re.compile(""),
        "medium",
        "a confidence that was not stated becomes 100 %: silence and abstention count as certainty",
        "leave a confidence that was not stated out of the calibration error",
    ),
    Rule(
        re.compile(r"\b(?:else|or)\s+['\"][A-J]['\"](?!\s*(?:in|==))|\.get\([^\n]*,\s*['\"][A-J]['\"]\)"),
        ANSWER,
        "medium",
        "a reply without an answer falls back to a fixed option",
        "score a missing answer as missing",
    ),
)  # fmt: skip


def sources_of(file: Path) -> list[Path]:
    """A task's file, and the files of its own package beside it."""
    if not (file.parent / "__init__.py").is_file() or not (file.parent.parent / "__init__.py").is_file():
        return [file]
    return sorted(file.parent.rglob("*.py"))


def scan(files: Iterable[Path]) -> list[Finding]:
    """Findings of every rule over these files.

    Raises:
        DataError: a file cannot be read.
    """
    hits: dict[Rule, list[Evidence]] = {}
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise DataError(f"the source file {str(file)!r} cannot be read: {error.strerror}") from error
        for number, line in enumerate(lines, start=1):
            if line.lstrip().startswith("#"):
                continue
            above = "\n".join(lines[max(0, number - 1 - NEAR) : number])
            for rule in RULES:
                if rule.pattern.search(line) and rule.near.search(above):
                    hits.setdefault(rule, []).append(Evidence(where=f"{file.parent.name}/{file.name}:{number}", line=line.strip()[:200]))
    return [Finding(rule.severity, rule.title, tuple(found[:SHOWN]), rule.remedy) for rule, found in hits.items()]
