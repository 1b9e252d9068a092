"""Reading a log without a model: which lines report a failure, which matter to a question, and where to look for what is not there.

A heuristic over single lines, deterministic and linear; it was written against real Spark, Hadoop, log4j, syslog, Kubernetes, JSON,
Python, Java, JavaScript, pytest, Maven and gcc output. Its decisions:

- A line's own level decides: ERROR and above report a failure, INFO and below do not, however often a class name says "Error".
- A warning is not a failure, unless it tells of something lost, killed or thrown ("Lost task 1.0 in stage 4.0 (TID 377)").
- A line without a level reports a failure if it begins like an exception or says in so many words that something failed. "0 errors",
  "failed=0", "no failures" and names such as ``ErrorHandler`` say nothing of the kind. In doubt it does not: a log in which nothing
  failed must not be said to have failures.
- Stack frames belong to the failure above them (`frames`); they are not failures of their own.

Positions are 0-based throughout; a line's number is its position plus one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from wager.grading.entities import Entity, entities, missing, stands_in
from wager.grading.log_phrases import CLOSES, ERROR_FIELD, FRAME, LOUD, NOTHING, PACKAGED, PLAIN, THROWN, THROWS, TRACEBACK, WORTH

__all__ = [
    "Entity",
    "entities",
    "failures",
    "frames",
    "level",
    "level_name",
    "missing",
    "salient",
    "stands_in",
    "template",
    "warnings",
    "where_to_look",
]

Level = Literal["info", "warn", "error"]

LOOKED_AT = 1_000
"""Characters of a line that decide what it reports."""

LEVELS: dict[str, Level] = {
    **dict.fromkeys(("trace", "debug", "info", "notice", "finest", "finer", "fine", "config", "verbose"), "info"),
    **dict.fromkeys(("warn", "warning"), "warn"),
    **dict.fromkeys(("error", "err", "severe", "fatal", "critical", "crit", "emerg", "emergency", "alert", "panic"), "error"),
}
NAMES = "TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|SEVERE|FATAL|CRITICAL|CRIT|EMERG(?:ENCY)?|ALERT"
LEVEL = re.compile(rf"\b(?P<name>{NAMES})\b(?!\s+(?:COUNT|RATE)|:?\s*0\b)")
"""In capitals, within the first `LEVEL_WITHIN` characters, with nothing around it that makes it part of a name."""
LEVEL_WITHIN = 120
FIELD = re.compile(
    r"[\"']?\b(?:level|lvl|severity|levelname|loglevel|log\.level)[\"']?\s{0,2}[=:]\s{0,2}[\"']?(?P<name>[A-Za-z]{3,9}|[1-6]0)\b", re.I
)
FIELD_NAME = re.compile(r"lvl|level|severity", re.I)
BRACKETED = re.compile(
    r"^.{0,60}?[\[<](?:\w{1,20}[:.])?(?P<name>trace|debug|info|notice|warn|warning|error|crit|critical|alert|emerg|fatal)[\]>]"
)
GLOG = re.compile(r"(?P<name>[IWEF])\d{4} \d{2}:\d{2}:\d{2}")
PINO = {"10": "trace", "20": "debug", "30": "info", "40": "warn", "50": "error", "60": "fatal"}
ONE_LETTER = {"I": "info", "W": "warn", "E": "error", "F": "fatal"}

NUMBERS = re.compile(r"0x[0-9a-fA-F]{1,16}|\d+")
WORD = re.compile(r"[^\W\d_]{3,40}")
COMMON = frozenset(
    re.findall(
        r"\S+",
        """the and for with that this from what why how did does was were are has have had not you can could would should there when where
        which who any all log logs line lines please tell show explain find happened wrong problem cause caused error errors fail failed
        failure info warn job und der die das ist warum wie les des que por qué una los las est pas pour dans""",
    )
)
"""Words of a question that say nothing of what it is about."""


def level(line: str) -> Level | None:
    """The level that a line carries: ``error`` is ERROR and above, ``info`` INFO and below, None without one.

    >>> level("17/06/09 20:10:40 INFO executor.Executor: ERROR is only a word here"), level('{"level":"error"}'), level("plain")
    ('info', 'error', None)
    """
    name = level_name(line)
    return LEVELS.get(name) if name else None


def level_name(line: str) -> str | None:
    """The name of a line's level in small letters: ``fatal`` where `level` says ``error``; None without one."""
    head = line[:LOOKED_AT]
    found = _in_capitals(head) or BRACKETED.match(head) or GLOG.match(head)
    if found is None and FIELD_NAME.search(head):
        found = FIELD.search(head)
    if found is None:
        return None
    name = found.group("name")
    return (ONE_LETTER.get(name) or PINO.get(name) or name).lower()


def _in_capitals(head: str) -> re.Match[str] | None:
    for match in LEVEL.finditer(head, 0, LEVEL_WITHIN):
        before, after = head[max(0, match.start() - 1) : match.start()], head[match.end() : match.end() + 1]
        if (not before or before in ' \t[<|(-:]"' or (before == "." and after == ":")) and (not after or after in ' \t]>|):[,"'):
            return match
    return None


def failures(lines: Sequence[str]) -> tuple[int, ...]:
    """The positions of the lines that report a failure, in order. Warnings are apart (`warnings`), frames too (`frames`).

    >>> failures(["INFO Handler: ErrorHandler ready, 0 errors", "ERROR Executor: Exception in task 1.0", "WARN slow", "ValueError: no"])
    (1, 3)
    """
    found: list[int] = []
    traceback = False
    for at, line in enumerate(lines):
        own = level(line) if line else None
        if own != "error" and not _worth(line):
            traceback = traceback and (not line or line[:1].isspace())
            continue
        reports = _reports(line[:LOOKED_AT], own, above=lines[at - 1] if at else "")
        if reports and traceback and own is None and CLOSES.match(line.lstrip()):
            found.pop()
        if reports:
            found.append(at)
        traceback = (reports and TRACEBACK.match(line) is not None) or (traceback and line[:1].isspace() and not reports)
    return tuple(found)


def _reports(line: str, own: Level | None, *, above: str) -> bool:
    if own == "error":
        return True
    if own is not None:
        patterns: tuple[re.Pattern[str], ...] = (LOUD, THROWS) if own == "warn" else (LOUD,)
        return _says(line, patterns)
    if THROWN.match(line):
        return not (PACKAGED.match(line) and level(above) == "info") and "Warning:" not in line[:80]
    if FRAME.match(line) and not line.startswith("E "):
        return not line.lstrip().startswith("at ") and _says(line, (LOUD,))
    return _says(line, (PLAIN, LOUD, ERROR_FIELD))


def _worth(line: str) -> bool:
    """Whether a line holds anything that could tell of a failure."""
    low = line[:LOOKED_AT].lower()
    return any(word in low for word in WORTH)


def _says(line: str, patterns: Sequence[re.Pattern[str]]) -> bool:
    """Whether one of the patterns still stands in a line once its "0 errors" and the like are blanked."""
    found = [pattern for pattern in patterns if pattern.search(line)]
    if not found:
        return False
    said = NOTHING.sub(" ", line)
    return any(pattern.search(said) for pattern in found)


def warnings(lines: Sequence[str]) -> tuple[int, ...]:
    """The positions of the lines at level WARN that report no failure, in order."""
    failing = set(failures(lines))
    return tuple(at for at, line in enumerate(lines) if at not in failing and level(line) == "warn")


def frames(lines: Sequence[str], at: int, *, limit: int = 60) -> tuple[int, ...]:
    r"""The positions of the stack frames and continuation lines that belong to the line at a position, at most ``limit``.

    >>> frames(["ERROR boom", "java.io.IOException: x", "\tat a.B.c(B.java:1)", "INFO next"], 0)
    (1, 2)
    """
    found: list[int] = []
    for below in range(at + 1, min(len(lines), at + 1 + limit)):
        line = lines[below][:LOOKED_AT]
        if not line.strip() or level(line) is not None or not (FRAME.match(line) or THROWN.match(line)):
            break
        found.append(below)
    return tuple(found)


def template(line: str) -> str:
    """A line without its numbers and addresses: lines of one template say the same of different things.

    >>> template("10:00:01 Lost task 1.0") == template("10:00:02 Lost task 2.0")
    True
    """
    return NUMBERS.sub("#", line[:LOOKED_AT])


def salient(lines: Sequence[str], question: str, *, limit: int = 40) -> tuple[int, ...]:
    """The positions of the lines that matter most to a question, in order, at most ``limit``.

    What the question names comes first, then failures with their frames, warnings, rare words of the question, and the ends of the log;
    the last line is always among them. Of lines that say the same of different things the first counts most.

    Args:
        lines: the log.
        question: what is asked of it; may be empty.
        limit: how many lines at most; 0 gives none.
    """
    weight = Counter[int]()
    for at in failures(lines):
        weight[at] += 50
        for below in frames(lines, at, limit=5):
            weight[below] += 30
    for at in warnings(lines):
        weight[at] += 20
    for entity in entities(question):
        named = stands_in(entity, lines)
        for at in named:
            weight[at] += 60
        for at in named[:1] + named[-1:]:
            weight[at] += 15
    for at, share in _asked(lines, question).items():
        weight[at] += round(25 * share)
    for back in range(1, min(3, len(lines)) + 1):
        weight[len(lines) - back] += 28 - 6 * back
    if lines:
        weight[0] += 5
    last = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].strip()), None)
    seen = Counter[str]()
    ranked: list[tuple[float, int]] = []
    for at in sorted(weight):
        same = template(lines[at])
        ranked.append((-math.inf if at == last else -weight[at] / (1 + seen[same]), at))
        seen[same] += 1
    return tuple(sorted(at for _, at in sorted(ranked)[: max(0, limit)]))


def _asked(lines: Sequence[str], question: str) -> dict[int, float]:
    """How much of the question's rare words a line holds, in [0, 1]; lines without any are left out."""
    wanted = {word for word in WORD.findall(question[:LOOKED_AT].lower()) if word not in COMMON}
    if not wanted:
        return {}
    holding = {at: held for at, line in enumerate(lines) if (held := wanted.intersection(WORD.findall(line[:LOOKED_AT].lower())))}
    often = Counter(word for held in holding.values() for word in held)
    rare = {word: math.log((1 + len(lines)) / count) for word, count in often.items()}
    whole = sum(rare.values())
    return {at: sum(rare[word] for word in held) / whole for at, held in holding.items()} if whole > 0 else {}


SYSTEMS: dict[str, tuple[re.Pattern[str], str, str]] = {
    "spark": (
        re.compile(r"spark|\bexecutors?\b|\bTID \d|\bstage \d|DAGScheduler|TaskSetManager", re.I),
        "in the Spark UI (Stages tab) and in the executor's stderr",
        "OutOfMemoryError, lost executors and skew",
    ),
    "hadoop": (
        re.compile(r"mapreduce|\byarn\b|MRAppMaster|NodeManager|ResourceManager|\bcontainer_|\battempt_|RMContainer", re.I),
        "in the container's own logs (yarn logs -applicationId ...) and in the job history server",
        "the exit status, killed containers and an unreachable ResourceManager",
    ),
    "hdfs": (
        re.compile(r"\bhdfs\b|NameNode|DataNode|\bblk_|DFSClient|FSNamesystem", re.I),
        "in the NameNode's and the DataNodes' logs and with hdfs fsck",
        "missing replicas, full disks and unreachable DataNodes",
    ),
    "kubernetes": (
        re.compile(r"kubernetes|kubectl|kubelet|\bpods?\b|CrashLoop|ImagePull|namespace/", re.I),
        "with kubectl describe pod and kubectl logs --previous",
        "OOMKilled, failed probes and image pulls",
    ),
    "python": (
        re.compile(r"Traceback|\bFile \"|\bpython\b|\bpytest\b|\.py\b", re.I),
        "in the full traceback, from its last line upwards",
        "the exception's message and the last frame in your own code",
    ),
    "java": (
        re.compile(r"\bat [\w.$]+\(\w+\.(?:java|scala|kt):\d|Exception in thread|\bjava\.|\bjvm\b|log4j", re.I),
        "in the full stack trace, at its last 'Caused by'",
        "the root exception and the first frame in your own packages",
    ),
}
"""How a system is told, where its evidence is, and what to look for there. In order of precedence among equals."""

ELSEWHERE = (
    "in the full log of the component concerned, around the time in question",
    "the first error before it, the exit status and restarts",
)


def where_to_look(question: str, missing: Sequence[Entity], lines: Sequence[str]) -> str:
    """The most useful next step where a log does not hold the answer: one sentence that names only what the question named.

    Args:
        question: what was asked.
        missing: what it names and the log does not, as `missing` finds it; may be empty.
        lines: the log, to tell the system; the first and last thousand lines are read.

    >>> where_to_look("Why did stage 4, task 377 fail on Spark?", entities("stage 4, task 377"), [])
    "Check stage 4, task 377 in the Spark UI (Stages tab) and in the executor's stderr; look for OutOfMemoryError, lost executors and skew."
    """
    text = "\n".join(line[:LEVEL_WITHIN] for line in (*lines[:1000], *lines[1000:][-1000:]))
    points = {name: 20 * len(known.findall(question[:LOOKED_AT])) + len(known.findall(text)) for name, (known, _, _) in SYSTEMS.items()}
    best = max(points, key=points.__getitem__)
    where, signs = SYSTEMS[best][1:] if points[best] else ELSEWHERE
    asked = [one for one in missing if one.kind not in ("exception", "line")]
    thrown = [one.text for one in missing if one.kind == "exception" and one.text not in signs]
    named = ", ".join(one.text for one in asked[:4])
    look_for = " and ".join(dict.fromkeys(thrown[:2])) + ", " + signs if thrown else signs
    return f"Check {named} {where}; look for {look_for}." if named else f"Look {where} for {look_for}."
