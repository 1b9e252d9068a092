"""What claims are checked against: the lines of a material or the passages of a look-up, and what can be counted of them.

In: lines or passages. Out: where a fact stands, which lines tell of a failure, which counts are true. Nothing is computed twice, and
nothing before it is asked for, so that a reply without claims costs nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

from wager.grading.claims import END, LOOKED_AT, SHORT, Fact, content_words
from wager.grading.entities import stands_in
from wager.grading.log_lines import LEVELS, failures, level_name, template, warnings
from wager.grading.log_phrases import NOTHING
from wager.grading.material import look

__all__ = ["BLANKS", "NEGATES", "SEARCHED", "Ground"]

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

NEGATES = re.compile(
    r"\b(?:not(?! (?:only|just|merely|least)\b)|cannot|never|no(?!\.)|none|neither|nor|without|false|untrue|incorrect(?:ly)?|wrong(?:ly)?"
    r"|mistaken(?:ly)?|misconception|myth|den(?:y|ies|ied)|nicht|kein\w*|niemals|jamais|aucune?|ne|pas|nunca|jam[áa]s|ning[uú]n\w*"
    r"|n[ãa]o|nenhum\w*|non|nessun\w*|niet|geen)\b|n['’](?:t\b|(?=[aeéiy]))|不|没|沒|ない|ません|아니|않",
    re.I,
)
"""A clause with this denies something."""

CLAUSE = re.compile(
    r"[,:](?!\d)|[;()–—，；：、]|(?<=[.!?]) |\b(?:but|while|whereas|although|sondern|aber|mais|sino|pero|mas|ma|maar)\b", re.I
)
"""Where a sentence is taken apart: a denial on one side says nothing of the other."""

REFERS = re.compile(
    r"[\"'“*_]{0,3}(?:(?:its?|he|his|she|hers?|they|their|theirs|this|these|those|er|sie|es|seine?[rmns]?|ihre?[rmns]?|diese[rsmn]?"
    r"|elles?|ils|ses?|sa|son|leurs?|cette|sus?|ella|ellos|ellas|este|esta|seus?|suas?|ele|ela|suo|sua|suoi|hij|zij|zijn|haar)\b"
    r"|il (?:est|était|fut|a)\b|(?:il|la|le|i) su[oae]i?\b|[它他她其])",
    re.I,
)
"""A sentence that begins with this goes on about what the one before it names."""

BREAK = re.compile(r"\s*(?:$|#|[-*•+|>]\s|\d{1,3}[.)]\s|\|)")
"""A line that begins with this does not go on with the one before it."""

WRAPPED = 50
"""Characters from which on a line may have been broken for its length alone."""


class Ground:
    """What claims are checked against: lines, and what is counted of them once and only when it is needed."""

    def __init__(self, lines: Sequence[str], *, label: str) -> None:
        self.lines = lines
        self.label = label
        self.is_log = label == "L"
        self._places: dict[Fact, frozenset[int]] = {}
        self._words: dict[int, frozenset[str]] = {}
        self._told: dict[int, tuple[Ground, Ground, Ground]] = {}

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

    def told(self, at: int) -> tuple[Ground, Ground, Ground]:
        """What a passage says, sentence by sentence, a line each: in full, only what it affirms, and only what it denies.

        A sentence that begins with a pronoun follows once more behind the one before it, since that tells whom it is about.
        """
        if at not in self._told:
            said = list(_sentences(self.lines[at]))
            pairs = [f"{first} {then}" for first, then in pairwise(said) if REFERS.match(then)]
            clauses = [list(_clauses(one)) for one in (*said, *pairs)]
            affirmed = ["".join(part for part in one if not NEGATES.search(part)) for one in clauses]
            denied = ["".join(part for part in one if NEGATES.search(part)) for one in clauses]
            self._told[at] = (Ground([*said, *pairs], label=""), Ground(affirmed, label=""), Ground(denied, label=""))
        return self._told[at]


def _sentences(passage: str) -> Iterator[str]:
    """The sentences of a passage. Lines that were broken for their length are put together again; headings and rows stand alone."""
    lines: list[str] = []
    before = ""
    for line in passage.split("\n"):
        goes_on = not BREAK.match(line) and not before.lstrip().startswith(("#", "|")) and bool(before.strip())
        if goes_on and (len(before.rstrip()) >= WRAPPED or line.lstrip()[:1].islower()):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.strip())
        before = line
    for line in lines:
        begin = 0
        for end in END.finditer(line):
            if end.group(0) != "." or not SHORT.search(line, max(begin, end.end() - 8), end.end()):
                yield line[begin : end.end()].strip()
                begin = end.end()
        if line[begin:].strip():
            yield line[begin:].strip()


def _clauses(sentence: str) -> Iterator[str]:
    """A text taken apart at its commas and the like, each part with the mark that it begins with."""
    begin = 0
    for mark in CLAUSE.finditer(sentence):
        yield sentence[begin : mark.start()]
        begin = mark.start()
    yield sentence[begin:]
