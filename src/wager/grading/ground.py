"""What claims are checked against: the lines of a material or the passages of a look-up, and what can be counted of them.

In: lines or passages. Out: where a fact stands, which lines tell of a failure, which counts are true. Nothing is computed twice, and
nothing before it is asked for, so that a reply without claims costs nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from wager.grading.claims import LOOKED_AT, Fact, content_words
from wager.grading.entities import stands_in
from wager.grading.log_lines import LEVELS, failures, level_name, template, warnings
from wager.grading.log_phrases import NOTHING
from wager.grading.material import look

__all__ = ["BLANKS", "SEARCHED", "Ground"]

SEARCHED = 200_000
"""Lines in which a place is looked for that a claim does not cite."""

TELLS = re.compile(
    r"fail|error|excep|fatal|\blost\b|kill|abort|denied|refused|time[ds]?[ -]?out|unable|cannot|can't|could not|no route"
    r"|out ?of ?memory|\boom|panic|crash|retry"
    r"|segfault|undefined|not found|no such|unsuccessful|\bexit(?:ed)?\b|unreachable|evict|back-?off|corrupt|died|broken|\bwarn|slow"
    r"|missing",
    re.I,
)
"""A line that says this may tell of one."""

NAMES_ONLY = re.compile(r"\b[\w.$]*(?:Error|Failure|Exception|Kill)(?:Handler|Listener|Policy|Event|Manager|Detector|Tracker|Page|Type)\w*")
BLANKS = re.compile(r"\s+")


class Ground:
    """What claims are checked against: lines, and what is counted of them once and only when it is needed."""

    def __init__(self, lines: Sequence[str], *, label: str) -> None:
        self.lines = lines
        self.label = label
        self.is_log = label == "L"
        self._places: dict[Fact, frozenset[int]] = {}
        self._words: dict[int, frozenset[str]] = {}

    @cached_property
    def is_code(self) -> bool:
        """Whether most lines look like code: what is said of code shares few words with it."""
        return (
            self.is_log
            and not self.reports
            and 2 * sum(look(line) == "code" for line in self.lines) > sum(bool(line.strip()) for line in self.lines)
        )

    @cached_property
    def reports(self) -> bool:
        """Whether the lines are a log or a trace, so that a claim of failure needs a line that tells of one."""
        return self.is_log and (bool(self.failing) or any(level_name(line) for line in self.lines))

    @cached_property
    def smooth(self) -> list[str]:
        """The lines in small letters, single blanks."""
        return [BLANKS.sub(" ", line).strip().casefold() for line in self.lines]

    @cached_property
    def first_with(self) -> dict[str, int]:
        """The first line of each text."""
        return {text: len(self.smooth) - back for back, text in enumerate(reversed(self.smooth), 1)}

    @cached_property
    def failing(self) -> tuple[int, ...]:
        """Positions of the lines that report a failure."""
        return failures(self.lines)

    @cached_property
    def failing_set(self) -> frozenset[int]:
        """The same as a set."""
        return frozenset(self.failing)

    @cached_property
    def alike(self) -> Counter[str]:
        """How many lines there are of each template."""
        return Counter(map(template, self.lines))

    @cached_property
    def counts(self) -> dict[str, frozenset[int]]:
        """What may be counted, by the first letters of the word for it: failing lines, warnings; and anything of "lines"."""
        named = Counter(map(level_name, self.lines))
        bad = [count for name, count in named.items() if name is not None and LEVELS.get(name) == "error"]
        fails = frozenset({len(self.failing), sum(bad), *bad})
        warned = frozenset({len(warnings(self.lines)), named["warn"] + named["warning"]})
        every = fails | warned | {len(self.lines)} | {count for name, count in named.items() if name is not None}
        return {
            "err": fails,
            "fai": fails,
            "exc": fails,
            "feh": fails,
            "war": warned,
            "lin": every,
            "zei": every,
            "lig": every,
            "lín": every,
        }

    def holds(self, at: int, fact: Fact) -> bool:
        """Whether a fact stands in a line."""
        if fact.entity is not None:
            return bool(stands_in(fact.entity, self.lines[at : at + 1]))
        line = self.smooth[at]
        if fact.kind == "quote":
            parts = [part for part in re.split(r"\s*(?:\.\.\.|…)\s*", BLANKS.sub(" ", fact.value).casefold()) if part]
            return all(part.rstrip(".,;:") in line for part in parts)
        if fact.kind == "number":
            forms = {fact.value.lstrip("-"), fact.value.lstrip("-").replace(",", "")}
            return any(form in line and re.search(rf"(?<![\d.]){re.escape(form)}(?!\d|\.\d)", line) for form in forms)
        return fact.value.casefold() in line

    def places(self, fact: Fact) -> frozenset[int]:
        """Every place that holds a fact, among the first `SEARCHED`."""
        if fact not in self._places:
            self._places[fact] = frozenset(at for at in range(min(len(self.lines), SEARCHED)) if self.holds(at, fact))
        return self._places[fact]

    def tells_of_failure(self, at: int) -> bool:
        """Whether a line reports a failure, or at least speaks of trouble: a warning, a retry."""
        return at in self.failing_set or TELLS.search(NAMES_ONLY.sub(" ", NOTHING.sub(" ", self.lines[at]))) is not None

    def somewhere(self, fact: Fact) -> bool:
        """Whether a fact stands in any line."""
        return bool(self.places(fact))

    def words(self, at: int) -> frozenset[str]:
        """The content words of a line."""
        if at not in self._words:
            self._words[at] = content_words(self.lines[at][:LOOKED_AT])
        return self._words[at]
