"""The things that a question about a log names, and where they stand in it: stage 4, task 377, executor 12, a container, a host.

A heuristic over patterns, linear in the text. A name stands in a line where that kind of thing is written with that name, in any of
the ways in which Spark, Hadoop, Kubernetes and the usual loggers write it: ``task 377`` stands in ``(TID 377)`` and in
``"taskId": 377``, but not in ``task 3770`` nor in ``port 377``. No name is ever invented: each is a piece of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Entity", "entities", "missing", "stands_in"]

LOOKED_AT = 20_000
"""Characters of a text in which names are looked for."""

MOST = 40
"""So many names at most; a question that names more is a list."""

LINE_LOOKED_AT = 4_000
"""Characters of a line in which a name is looked for."""


@dataclass(frozen=True, kw_only=True)
class Entity:
    """Something that a text names."""

    kind: str
    """What it is: ``stage``, ``task``, ``executor``, ``container``, ``host``, ``exception``, ``path``, ``test``, ``code``, ``line``, ..."""
    value: str
    """Its name or number as written: ``377``, ``container_1445144423722_0020_01_000002``."""
    text: str
    """How a sentence calls it: ``task 377``."""
    stage: str | None = None
    """Number of the stage to which a task is said to belong; None for anything else."""


COUNTED = {
    "stage": ("stage", "stages", "stufe", "étape", "etapa", "fase"),
    "task": ("task", "tasks", "aufgabe", "tâche", "tache", "tarea", "tarefa", "tid", "taskid"),
    "executor": ("executor", "executors", "exécuteur", "executeur", "ejecutor", "exec"),
    "job": ("job", "jobs"),
    "partition": ("partition", "partitions"),
    "worker": ("worker", "workers"),
    "node": ("node", "nodes"),
    "shard": ("shard", "shards"),
    "thread": ("thread", "threads"),
    "attempt": ("attempt", "attempts"),
    "container": ("container", "containers"),
    "request": ("request", "requests"),
    "batch": ("batch", "batches"),
    "epoch": ("epoch", "epochs"),
    "step": ("step", "steps"),
    "pid": ("pid", "process"),
    "port": ("port", "ports"),
    "line": ("line", "lines", "zeile", "ligne", "línea", "linea", "linha", "riga", "строка", "строке"),
    "code": ("exit code", "exit status", "exitcode", "error code", "status code", "exit", "errno", "code", "http"),
}
"""What is called by a number, and the words for it; the first is how a sentence calls it."""

KIND_OF = {word: kind for kind, words in COUNTED.items() for word in words}
WORDS = "|".join(sorted(map(re.escape, KIND_OF), key=len, reverse=True))
NUMBERED = re.compile(
    rf"(?<![\w-])(?P<word>{WORDS})(?:[ _-]?(?:id|no|number"
    rf"|nr))?\.?\s{{0,2}}[:=#]?\s{{0,2}}#?(?P<first>\d{{1,12}}(?:\.\d{{1,6}})?)(?![\w%])"
    r"(?P<more>(?:\s{0,2}(?:,|and|or|&|und|oder|et|y|e)\s{0,2}\d{1,12}(?:\.\d{1,6})?(?![\w.%])){0,9})",
    re.I,
)
TASK_OF = re.compile(
    r"(?<![\w-])(?:task|tid)\s{0,2}#?(?P<task>\d{1,12})(?:\.\d{1,6})?\s{0,2}(?:,|in|of|from"
    r"|at)\s{0,2}(?:the\s)?stage\s{0,2}#?(?P<stage>\d{1,9})(?:\.\d{1,6})?"
    r"|(?<![\w-])stage\s{0,2}#?(?P<stage2>\d{1,9})(?:\.\d{1,6})?\s{0,2}(?:,|/|:|-)?\s{0,2}(?:and\s)?(?:task"
    r"|tid)\s{0,2}#?(?P<task2>\d{1,12})(?:\.\d{1,6})?",
    re.I,
)
NAMED = (
    ("attempt", re.compile(r"\b(?:app)?attempt_\d{1,16}_\d{1,8}(?:_[mr]_\d{1,8}_\d{1,6}|_\d{1,8})\b")),
    ("container", re.compile(r"\bcontainer_(?:e\d{1,6}_)?\d{1,16}(?:_\d{1,8}){3}\b")),
    ("task", re.compile(r"\btask_\d{1,16}_\d{1,8}_[mr]_\d{1,8}\b")),
    ("application", re.compile(r"\bapplication_\d{1,16}_\d{1,8}\b")),
    ("job", re.compile(r"\bjob_\d{1,16}_\d{1,8}\b")),
    ("block", re.compile(r"\b(?:blk_-?\d{1,22}(?:_\d{1,12})?|(?:rdd|broadcast|shuffle)_\d{1,9}(?:_\d{1,9}){0,3}(?:_piece\d{1,6})?)\b")),
    ("id", re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I)),
    ("test", re.compile(r"\b(?:[\w./-]{1,120}\.py::[\w:\[\]-]{1,120}|test_\w{1,80}|\w{1,80}Tests?#\w{1,80})")),
    ("path", re.compile(r"(?<![\w/.:])(?:hdfs|file|s3a?|gs|https?)://[^\s\"'`<>()\]]{1,200}(?<![.,;:?!])")),
    (
        "path",
        re.compile(
            r"\b[\w./-]{1,120}\.(?:py|java|scala|kt|jsx?|tsx?|cpp|cc|c|hpp|h|go|rs|rb|cs|php|sh|sql|ya?ml|json|toml|log|txt|conf|xml"
            r"|csv|parquet)"
            r"(?![\w.]\w)(?::\d{1,7}){0,2}"
        ),
    ),
    ("path", re.compile(r"(?<![\w/.:])/(?:[\w.@+-]{1,80}/){1,12}[\w.@+-]{0,80}(?<![.,;:])")),
    ("host", re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\w.]\d)")),
    ("pod", re.compile(r"\b[a-z][a-z0-9]{0,30}(?:-[a-z0-9]{1,30}){0,6}-[a-f0-9]{6,10}-[a-z0-9]{5}\b")),
    ("host", re.compile(r"\b[A-Za-z]{2,30}(?:-[A-Za-z]{1,30}){1,4}-\d{1,5}(?::\d{1,5})?\b(?!-)")),
    (
        "host",
        re.compile(r"(?<=host )[\w.-]{2,80}\d(?::\d{1,5})?\b|(?<=server )[\w-]{1,60}\d(?::\d{1,5})?\b|(?<=node )[A-Za-z][\w.-]{1,60}\d\b"),
    ),
    ("exception", re.compile(r"\b(?:[a-z_][\w$]{0,40}\.){0,10}[A-Z]\w{0,60}(?:Error|Exception|Fault|Failure|Timeout)(?![\w.]\w)")),
    (
        "exception",
        re.compile(r"\b(?:OutOfMemory|OOMKilled|OOM|SIG(?:SEGV|KILL|TERM|ABRT|BUS)|CrashLoopBackOff|ImagePullBackOff|ErrImagePull)\b"),
    ),
    ("code", re.compile(r"\b(?:[A-Z]{1,5}-?\d{3,6}|ERR_[A-Z_]{2,40}|E[A-Z]{4,14}|0x[0-9A-Fa-f]{4,16})\b")),
)
"""What is called by a name of its own, in this order: what an earlier pattern has taken, a later one leaves."""

NO_CODE = frozenset(
    {"ERROR", "ERRORS", "EVENT", "EXACT", "EMPTY", "EXIT", "EVERY", "ENTER", "EXPLAIN", "ENGLISH", "EITHER", "EXACTLY", "EVIDENCE"}
)
OUT_OF_MEMORY = re.compile(
    r"out ?of ?memory|\boom\b|oomkill|oom-kill|java heap space|gc overhead limit|\bexit(?:ed)?\b.{0,20}\b137\b", re.I
)


def entities(question: str) -> tuple[Entity, ...]:
    """The things that a text names, in the order in which they stand, each once.

    A task named together with its stage is one thing. The first `LOOKED_AT` characters are read, and at most `MOST` things kept.

    >>> [one.text for one in entities("Why did stage 4, task 377 fail on executor 12?")]
    ['stage 4, task 377', 'executor 12']
    >>> entities("Did anything fail?")
    ()
    """
    text = question[:LOOKED_AT]
    taken = bytearray(len(text))
    found: list[tuple[int, Entity]] = []
    for kind, pattern in NAMED:
        for match in pattern.finditer(text):
            if not any(taken[match.start() : match.end()]) and not (kind == "code" and match.group(0) in NO_CODE):
                taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
                found.append((match.start(), Entity(kind=kind, value=match.group(0), text=match.group(0))))
    for match in TASK_OF.finditer(text):
        if not any(taken[match.start() : match.end()]):
            taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
            task, stage = match.group("task") or match.group("task2"), match.group("stage") or match.group("stage2")
            found.append((match.start(), Entity(kind="task", value=task, text=f"stage {stage}, task {task}", stage=stage)))
    for match in NUMBERED.finditer(text):
        if not any(taken[match.start() : match.end()]):
            found.extend((match.start(), one) for one in _numbered(match))
    found.sort(key=lambda one: one[0])
    return tuple(dict.fromkeys(one for _, one in found))[:MOST]


def _numbered(match: re.Match[str]) -> Iterator[Entity]:
    kind = KIND_OF[match.group("word").lower()]
    word = match.group("word").lower()
    own = {"exit": "exit code", "exitcode": "exit code", "http": "HTTP", "tid": "TID"}.get(word)
    name = own or (word if kind == "code" else COUNTED[kind][0])
    for number in (match.group("first"), *re.findall(r"\d{1,12}(?:\.\d{1,6})?", match.group("more"))):
        yield Entity(kind=kind, value=number, text=f"{name} {number}")


def stands_in(entity: Entity, lines: Sequence[str]) -> tuple[int, ...]:
    """The 0-based positions of the lines in which a thing is named, in order; ``line 12`` stands at its own position.

    >>> stands_in(entities("task 377")[0], ["Got assigned task 377", "task 3770", "Running task 1.0 in stage 4.0 (TID 377)"])
    (0, 2)
    """
    if entity.kind == "line":
        at = int(float(entity.value)) - 1
        return (at,) if 0 <= at < len(lines) else ()
    pattern = _pattern(entity)
    needle = "" if pattern is OUT_OF_MEMORY else entity.value.split(".")[0] if entity.value[:1].isdigit() and entity.kind != "host" else ""
    return tuple(at for at, line in enumerate(lines) if needle in line and pattern.search(line[:LINE_LOOKED_AT]))


def missing(question: str, lines: Sequence[str]) -> tuple[Entity, ...]:
    """The things that a question names and that stand in none of the lines.

    >>> [one.text for one in missing("Did task 7 of stage 4 run out of memory?", ["Running task 7.0 in stage 3.0 (TID 9)"])]
    ['stage 4, task 7']
    """
    return tuple(one for one in entities(question) if not stands_in(one, lines))


def _pattern(entity: Entity) -> re.Pattern[str]:
    value = re.escape(entity.value)
    if entity.kind == "exception" and entity.value.lower().startswith(("outofmemory", "oom")):
        return OUT_OF_MEMORY
    if entity.kind == "exception":
        return re.compile(rf"(?<![A-Za-z0-9]){re.escape(entity.value.rpartition('.')[2])}(?![A-Za-z0-9])", re.I)
    if entity.stage is not None:
        task, stage = rf"0*{value}(?:\.\d+)?(?!\d)", rf"stage\s*0*{re.escape(entity.stage)}(?:\.\d+)?(?!\d)"
        return re.compile(rf"\btask\s*{task}.{{0,40}}\b{stage}|\b{stage}.{{0,40}}\b(?:task|TID)\s*{task}", re.I)
    at_line = re.fullmatch(r"(.+?\.\w{1,8}):(\d{1,7})(?::\d{1,7})?", entity.value) if entity.kind == "path" else None
    if at_line:
        return re.compile(rf"(?<![A-Za-z0-9]){re.escape(at_line.group(1))}\W{{1,4}}(?:line )?{at_line.group(2)}(?!\d)", re.I)
    if entity.text == entity.value:
        return re.compile(rf"(?<![A-Za-z0-9]){value}(?![A-Za-z0-9])", re.I)
    return _number_pattern(entity.kind, entity.value)


def _number_pattern(kind: str, number: str) -> re.Pattern[str]:
    """A thing that is called by a number, as loggers write it: ``stage 4.0``, ``taskId=377``, ``"executorId": "12"``, ``exec-12``."""
    whole = "." not in number
    value = rf"0*{re.escape(number)}" + (
        r"(?:\.\d{1,4})?(?![\d.]\d|\d)" if whole and kind in ("stage", "task", "attempt") else r"(?!\d|\.\d)"
    )
    words = "|".join(re.escape(word).replace(r"\ ", "[ _-]?") for word in COUNTED[kind])
    begins = r"(?:(?<![A-Za-z])|(?<=[a-z])(?-i:(?=[A-Z])))"
    ways = [rf"{begins}(?:{words})s?[ _-]?(?:id|no|number|attempt)?[\"']?\s{{0,2}}[:=#(]{{0,2}}\s{{0,2}}[\"'#]?{value}"]
    if kind == "task":
        ways.append(rf"_[mr]_0*{re.escape(number)}(?!\d)")
    if kind == "executor":
        ways.append(rf"BlockManagerId\({value},")
    if kind == "port":
        ways.append(rf"(?:[A-Za-z][\w.]{{0,40}}(?:-\d{{1,5}})?|\d\.\d{{1,3}}|\]):{value}(?![\w:]\d)")
    if kind == "job":
        ways.append(rf"job_\d{{1,16}}_0*{re.escape(number)}(?!\d)")
    if kind == "code":
        ways.append(rf"(?:exit(?:ed)?|status|code|errno|returned|HTTP(?:/\d\.\d)?)\b.{{0,20}}?(?<![\d.]){value}|\" {value} \d")
    return re.compile("|".join(ways), re.I)
