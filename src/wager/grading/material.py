"""The material inside a prompt: the log, trace, code, table or document that its question rests on, with numbered lines.

A heuristic over lines, linear in the prompt: fenced blocks and tagged parts are material; so are runs of at least `RUN` lines that
look like a log, a trace, code or a table; else one or two unmistakable log lines; else what stands under a heading such as
"Document:"; else what is quoted. Everything around it is the question. Material is data: nothing in it is obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Material", "look", "material", "split_lines"]

Shape = Literal["log", "trace", "code", "table", "document"]

RUN = 3
"""So many lines that look alike are a block; fewer may be chance."""

GAP = 3
"""So many lines of another look may stand inside a run: a message that goes on in the next line."""

LOOKED_AT = 400
"""Characters of a line that decide what it looks like."""

FENCE = re.compile(r"\s{0,3}(?:>\s?)?(`{3,}|~{3,})")
TAG = re.compile(
    r"\s{0,8}<(/?)(document|documents|context|log|logs|trace|code|file|article|passage|text|data|email|transcript|source"
    r"|output)>\s*",
    re.I,
)
STAMP = (
    r"(?:\d{4}[-/.]\d{2}[-/.]\d{2}[T _]\d{2}:\d{2}|\d{2}[-/.]\d{2}[-/.]\d{2,4},? \d{1,2}:\d{2}|\d{2}/[A-Z][a-z]{2}/\d{4}[: ]\d{2}:\d{2}"
    r"|[A-Z][a-z]{2}(?: [A-Z][a-z]{2})? {1,2}\d{1,2} \d{2}:\d{2}:\d{2}|\d{2}:\d{2}:\d{2}[.,:\s\]]|\d{10}(?:\.\d{1,9}|\d{3})?\s)"
)
LEVELS = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL)"
STAMPED = re.compile(rf"[\[(<\s]{{0,4}}{STAMP}")
STRONG_LOG = re.compile(rf"[\[(<\s]{{0,4}}{STAMP}.{{0,60}}?\b{LEVELS}\b")
LOG = re.compile(
    rf"\s{{0,4}}(?:[\[(<]{{0,2}}{STAMP}|[\[<(]?{LEVELS}[\]>)]?(?:[:\s|]|$)|[IWEF]\d{{4}} \d{{2}}:\d{{2}}|\{{\"|<\d{{1,3}}>"
    r"|(?:time|ts|level|lvl|severity)=|\d{1,3}(?:\.\d{1,3}){3} - |npm ERR!|\S{1,200}:\d{1,7}(?::\d{1,5})?: (?:fatal |)(?:error|warning)"
    r"|(?:FAILED|PASSED|ERROR) \S{1,200}(?:::|\.py)|[\w.-]{1,60}\[\d{1,7}\]: )"
)
TRACE = re.compile(
    r"\s*(?:at [\w.$<>/@ \[\]-]{1,200}[(:]|at \S{1,200}:\d+|File \"[^\"]{1,300}\", line \d|Traceback \(most recent|Caused by: "
    r"|\.\.\. \d+ (?:more|common)"
    r"|E {2,}\S|(?:[\w$]{1,60}\.){0,12}\w{0,80}(?:Error|Exception)(?::|\s*$)|goroutine \d+|thread '|panic:|#\d{1,3}\s+0x|--> \S+:\d+)"
)
CODE = re.compile(
    r"\s*(?:(?:def|class|import|from|return|public|private|protected|static|func|fn|let|const|var|elif|else:|try:|except|finally|with"
    r"|async|await"
    r"|package|namespace|using|struct|impl|SELECT|INSERT|UPDATE|DELETE|CREATE|WHERE|JOIN)\b.*[({:;=,.*\w]\s*$|#include\b|@\w+|//|/\*"
    r"|\*/|[})\]]+[;,)]*\s*$)"
    r"|.{0,390}[;{}]\s*$|(?:\t| {2,})\S.{0,300}(?:[=({\[]|\))"
    r"|\w[\w.\[\]]{0,80}(?:\([^)]{0,200}\)?\)?| = \S.{0,300})\s*$"
)
PROSE = re.compile(r"[A-Z][a-z']*(?: [\w',-]+){5,}[.!]\s*$")
TABLE = re.compile(r"\s*\|.*\|\s*$|[^\t]{1,200}\t[^\t]{0,200}\t|[-+|=]{5,}\s*$|[^,\n]{0,80}(?:,[^,\n ][^,\n]{0,80}){3,}$")
HEAD = re.compile(
    r"[^\n]{0,120}\b(?:logs?|traceback|trace|stack ?trace|output|documents?|text|article|passages?|context|files?|table|code|e-?mail"
    r"|notes|transcript|report|source|dokument|texte?|kontext|contexto|documento|registro|protokoll|journal|日志|文档|文本|ログ"
    r"|文書)\b[^\n]{0,60}[:：]\s*$",
    re.I,
)
ASKS = re.compile(r"\s*(?:question|q|frage|pregunta|domanda|вопрос|问题|質問)\s*[:：]", re.I)
QUOTED = re.compile(r'"(\S[^"\n]{38,4000}\S)"|“([^”\n]{40,4000})”|«([^»\n]{40,4000})»|„([^“”\n]{40,4000})[“”]|「([^」\n]{20,4000})」')


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a question rests on."""

    lines: tuple[str, ...]
    """Its lines in order, without line ends; a line's number is its position plus one. At least one line that is not blank."""
    question: str
    """The prompt around it, stripped; may be empty."""
    shape: Shape = "document"
    """What most of it looks like; ``document`` where it looks like none of the others."""

    def numbered(self, indices: Iterable[int] | None = None, *, width: int = 400) -> str:
        """The lines at some positions as ``L12: ...``, one a line, in order and each once.

        Args:
            indices: 0-based positions; None is all of them. Those outside are passed over.
            width: longer lines are cut there and end in "...".

        >>> Material(lines=("a", "b", "c"), question="").numbered([2, 0])
        'L1: a\\nL3: c'
        """
        chosen = range(len(self.lines)) if indices is None else sorted({at for at in indices if 0 <= at < len(self.lines)})
        return "\n".join(
            f"L{at + 1}: {self.lines[at] if len(self.lines[at]) <= width else self.lines[at][:width] + '...'}" for at in chosen
        )


def split_lines(text: str) -> list[str]:
    r"""The lines as an editor counts them: ended by ``\n`` or ``\r\n`` only, so that no odd character of the text moves a number.

    >>> split_lines("a\r\nb\x0bc\n")
    ['a', 'b\x0bc', '']
    """
    return [line.removesuffix("\r") for line in text.split("\n")]


def material(text: str) -> Material | None:
    r"""The material inside a prompt, or None if it holds none.

    Several blocks are joined in order, and numbered through. Blank lines around it are dropped, those inside keep their numbers.

    >>> found = material("Why?\n```\nINFO a\nERROR b\n```")
    >>> found.question, found.lines
    ('Why?', ('INFO a', 'ERROR b'))
    >>> material("Why is the sky blue?") is None
    True
    """
    lines = split_lines(text)
    inside, marks = _fenced(lines)
    looks = [None if at in marks or inside[at] else look(line) for at, line in enumerate(lines)]
    for first, past in _runs(lines, looks):
        inside[first:past] = [True] * (past - first)
    for find in (_strong, _under_heading, _block_quoted):
        if any(inside):
            break
        inside = find(lines)
    found = [line for line, within in zip(lines, inside, strict=True) if within]
    if not any(line.strip() for line in found):
        return _in_quotes(text)
    question = "\n".join(line for at, line in enumerate(lines) if not inside[at] and at not in marks)
    return _made(found, question)


def _made(found: Sequence[str], question: str) -> Material:
    first, past = 0, len(found)
    while not found[first].strip():
        first += 1
    while not found[past - 1].strip():
        past -= 1
    kept = tuple(found[first:past])
    seen = [look for look in map(look, kept) if look]
    shape: Shape = max(("log", "trace", "code", "table"), key=seen.count) if 2 * len(seen) >= len(kept) else "document"
    return Material(lines=kept, question=re.sub(r"\n{3,}", "\n\n", question).strip(), shape=shape)


def _fenced(lines: Sequence[str]) -> tuple[list[bool], set[int]]:
    """Which lines stand in a fence or between two tags, and which are the marks themselves. A fence left open runs to the end."""
    inside, marks = [False] * len(lines), set[int]()
    closes = _closing_tags(lines)
    fence = tag = ""
    for at, line in enumerate(lines):
        mark, tagged = FENCE.match(line[:LOOKED_AT]), TAG.fullmatch(line[:LOOKED_AT])
        if fence:
            if mark and mark.group(1).startswith(fence) and not line.strip(" >\t`~"):
                fence = ""
                marks.add(at)
            else:
                inside[at] = True
        elif tag:
            if tagged and tagged.group(1) and tagged.group(2).lower() == tag:
                tag = ""
                marks.add(at)
            else:
                inside[at] = True
        elif mark:
            fence = mark.group(1)
            marks.add(at)
        elif tagged and not tagged.group(1) and closes.get(tagged.group(2).lower(), -1) > at:
            tag = tagged.group(2).lower()
            marks.add(at)
    return inside, marks


def _closing_tags(lines: Sequence[str]) -> dict[str, int]:
    """The last line that closes each tag."""
    return {
        tagged.group(2).lower(): at
        for at, line in enumerate(lines)
        if "</" in line[:LOOKED_AT] and (tagged := TAG.fullmatch(line[:LOOKED_AT])) and tagged.group(1)
    }


def look(line: str) -> Shape | None:
    """What a line looks like; None for prose and blank lines."""
    line = line[:LOOKED_AT].rstrip()
    if not line.strip():
        return None
    if LOG.match(line):
        return "log"
    if TRACE.match(line):
        return "trace"
    if PROSE.match(line):
        return None
    if TABLE.match(line):
        return "table"
    return "code" if CODE.match(line) else None


def _runs(lines: Sequence[str], looks: Sequence[Shape | None]) -> list[tuple[int, int]]:
    """Runs of lines that look like material: first and one past the last, blank and stray lines between them included."""
    runs: list[tuple[int, int]] = []
    first, last, count = -1, -1, 0
    for at, look in enumerate(looks):
        if look:
            if first < 0:
                first, count = at, 0
            last, count = at, count + 1
        elif first >= 0 and (at - last > GAP or lines[at].rstrip().endswith(("?", "？")) or ASKS.match(lines[at][:LOOKED_AT])):
            runs.append((first, last + 1 if count >= RUN else first))
            first = -1
    if first >= 0 and count >= RUN:
        runs.append((first, last + 1))
    return [(begin, past) for begin, past in runs if past > begin]


def _strong(lines: Sequence[str]) -> list[bool]:
    """Lines with both a time and a level; one of them is no chance."""
    return [STRONG_LOG.match(line[:LOOKED_AT]) is not None for line in lines]


def _under_heading(lines: Sequence[str]) -> list[bool]:
    """What follows a line such as "Here is the document:", as far as a line that asks."""
    inside = [False] * len(lines)
    heads = (at for at, line in enumerate(lines[:-1]) if line.rstrip()[-1:] in (":", "：") and HEAD.match(line[-LOOKED_AT:]))
    head = next(heads, None)
    if head is None:
        return inside
    past = len(lines)
    while past > head + 1 and (not lines[past - 1].strip() or lines[past - 1].rstrip().endswith(("?", "？"))):
        past -= 1
    asked = next((at for at in range(head + 1, past) if ASKS.match(lines[at][:LOOKED_AT])), past)
    inside[head + 1 : asked] = [True] * (asked - head - 1)
    return inside


def _block_quoted(lines: Sequence[str]) -> list[bool]:
    return [line.lstrip()[:1] == ">" for line in lines]


def _in_quotes(text: str) -> Material | None:
    """The longest quotation of a prompt as one line."""
    found = max(QUOTED.finditer(text), key=lambda match: match.end() - match.start(), default=None)
    if found is None:
        return None
    quoted = next(group for group in found.groups() if group)
    return _made([quoted], f"{text[: found.start()].rstrip()} {text[found.end() :].lstrip()}") if quoted.strip() else None
