"""Facts counted by Spark, on a cluster or on this machine: exact, and with a state of a few numbers for each spelling of a prompt.

Each executor makes the keys of its rows with the code that DuckDB's run uses (`wager.corpus.keyed`; the package travels along, executors
need Python with NumPy, pandas and PyArrow), so nothing but hashes is shuffled. The result is collected: a few thousand rows.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

import wager
from wager.corpus.counted import Counted, contradictions, origin
from wager.corpus.extractors import extractor
from wager.corpus.keyed import KEYED, Totals, extracted, keyed, stated
from wager.corpus.keyed import PAIRS as PAIRS_OF_TEXTS
from wager.corpus.query import BY_PROMPT, COPIES, COUNTS, PAIRS, in_part
from wager.corpus.reading import ASSISTANT, USER, Files, Shape, first_broken
from wager.errors import DataError, MissingExtraError, RunError, UsageError
from wager.facts import FactCounts, Part
from wager.files import replacing

__all__ = ["Spark"]

SNIFFED = 2000
"""Lines of JSON that are looked at for its columns."""

NO_PROMPT, NO_ANSWER, ELSEWHERE = -1, -2, -3
"""In place of a prompt's hash, in rows without a spelling: what was left out, and samples of prompts in other parts."""

GLOB_SIGNS = re.compile(r"[*?\[\]{}\\]")

WAIT = 10.0
"""Seconds for which a master may be silent."""

SILENCE = """\
appender.none.type = Null
appender.none.name = none
rootLogger.level = off
rootLogger.appenderRef.none.ref = none
"""
"""Of the log; a configuration without an appender is taken for none, and replaced by one that talks."""

STAGE = "raw string, prompt string, answer string, abstains boolean, copies bigint, lacks bigint"

Stage = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class Spark:
    """The engine for many machines.

    Args:
        master: where the cluster is, such as ``spark://host:7077`` or ``local[2]``; None leaves it to Spark's configuration.
        settings: more of Spark's configuration.

    Raises:
        MissingExtraError: PySpark is not installed.
        UsageError: there is no Java.
    """

    def __init__(self, *, master: str | None = None, settings: dict[str, str] | None = None) -> None:
        try:
            from pyspark.sql import SparkSession
        except ModuleNotFoundError as error:
            raise MissingExtraError("pyspark", "spark", "wager floor --engine spark") from error
        home = os.environ.get("JAVA_HOME")
        if not (shutil.which("java") or (home and Path(home, "bin", "java").exists())):
            raise UsageError(
                "Spark needs Java 17 or newer and there is no 'java' here: install a JDK (on Debian: apt-get install openjdk-17-jre)"
            )
        _answering(master)
        builder = SparkSession.builder.appName("wager floor")
        if master:
            builder = builder.master(master)
        local = (master or "local").startswith("local")
        chosen = {"spark.sql.shuffle.partitions": "8", "spark.driver.memory": "2g"} if local else {}
        if local:
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # Spark would take the first python3 of the path, which may lack NumPy
        quiet = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "OFF",
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_folder() / 'log4j2.properties'}",
        }
        for name, value in {**chosen, **quiet, **(settings or {})}.items():
            builder = builder.config(name, value)
        self.master = master
        self._start = builder
        self._made: Any = None

    @property
    def _session(self) -> Any:
        if self._made is None:
            with _told(f"no Spark at {self.master!r}" if self.master else "Spark does not start"):
                self._made = self._start.getOrCreate()
                context = self._made.sparkContext
                if not any(file.endswith("/wager.zip") for file in context.listFiles):
                    context.addPyFile(str(_folder() / "wager.zip"))
        return self._made

    def columns(self, files: Files) -> dict[str, str]:
        """Names and types of what is there."""
        with _told("Spark cannot read this"):
            if files.format == "jsonl":
                return _json_columns(row.value for row in self._session.read.text(_literal(files.paths[0])).limit(SNIFFED).collect())
            if files.format == "text":
                return {"text": "string"}
            return {name: kind.replace("array<struct", "ARRAY<STRUCT") for name, kind in self._frame(files, {}).dtypes}

    def _frame(self, files: Files, kinds: dict[str, str]) -> Any:
        read, paths = self._session.read, list(map(_literal, files.paths))
        if files.format == "parquet":
            return read.parquet(*paths)
        if files.format == "csv":
            return read.csv(paths, header=True, multiLine=True, escape='"')
        if files.format == "text":
            return read.text(paths).withColumnRenamed("value", "text")
        objects = (f"{_record(kinds)} AS record", r"value RLIKE r'^\s*\{' AS is_object", "value", "input_file_name() AS file")
        return read.text(paths).filter("trim(value) <> ''").selectExpr(*objects)

    def count(self, files: Files, shape: Shape, *, part: Part, examples: int = 10, singletons: str | None = None) -> Counted:
        """The counts, examples, and if asked for a Parquet file of the facts seen once (gathered on this machine).

        Raises:
            DataError: the files are not what they should be.
            RunError: the cluster gave up.
        """
        kinds = self.columns(files)
        with _told("Spark stopped"):
            texts, broken, first = self._texts(files, shape, kinds)
            self._pairs(texts, shape, part)
            rows = [tuple(row) for row in self._session.sql(COUNTS.format(pairs="pairs", by_prompt="by_prompt", q="`")).collect()]
            about = origin(files, shape, f"Spark {self._session.version}")
            counts = FactCounts.of(rows, {**self._totals(), "unreadable": broken}, part=part, about=about)
            shown = self._examples(texts, shape, examples) if examples else ()
            if singletons:
                self._list(texts, shape, singletons)
            self._session.catalog.clearCache()
        return Counted(counts, shown, first)

    def _texts(self, files: Files, shape: Shape, kinds: dict[str, str]) -> tuple[Any, int, str | None]:
        """Columns prompt and answer (or text, for an extractor), how many lines are no JSON objects, and the first of them."""
        frame = self._frame(files, kinds)
        broken, first = 0, None
        if files.format == "jsonl":
            readable = "is_object AND record IS NOT NULL AND record.`_corrupt` IS NULL"
            lines = frame.filter(f"NOT ({readable})")
            broken = lines.count()
            first = _first(lines.select("file", "value").first()) if broken else None
            frame = frame.filter(readable).select("record.*").drop("_corrupt")
        frame.createOrReplaceTempView("source")
        return self._session.sql(_relation(shape, kinds)), broken, first

    def _pairs(self, texts: Any, shape: Shape, part: Part) -> None:
        texts.mapInArrow(_stage(shape), STAGE).createOrReplaceTempView("stage")
        inside = in_part("spark", "prompt", part) if part.modulus > 1 else "true"
        hashes = (
            f"SELECT CASE WHEN lacks IS NULL AND {inside} THEN xxhash64(raw) END AS raw, "
            f"CASE WHEN lacks IS NOT NULL THEN lacks WHEN {inside} THEN xxhash64(prompt) ELSE {ELSEWHERE} END AS prompt, "
            "CASE WHEN NOT abstains THEN xxhash64(answer) END AS answer, copies FROM stage"
        )
        everything = self._session.sql(PAIRS.format(**COPIES, keyed=f"({hashes})")).persist()
        everything.createOrReplaceTempView("everything")
        everything.filter("raw IS NOT NULL").createOrReplaceTempView("pairs")
        self._session.sql(BY_PROMPT.format(pairs="pairs")).createOrReplaceTempView("by_prompt")

    def _totals(self) -> dict[str, int]:
        rows = self._session.sql(
            f"SELECT CASE WHEN raw IS NULL AND prompt <> {ELSEWHERE} THEN prompt ELSE 0 END AS lacks, sum(samples) AS samples, "
            "sum(samples - answered) AS abstained FROM everything GROUP BY 1"
        ).collect()
        found = {row.lacks: (int(row.samples), int(row.abstained)) for row in rows}
        samples, abstained = found.get(0, (0, 0))
        return {
            "all": samples,
            "abstained": abstained,
            "no prompt": found.get(NO_PROMPT, (0, 0))[0],
            "no answer": found.get(NO_ANSWER, (0, 0))[0],
        }

    def _samples(self, texts: Any, shape: Shape) -> Any:
        return texts.mapInArrow(_pairs_stage(shape), "prompt string, answer string") if _in_python(shape) else texts

    def _examples(self, texts: Any, shape: Shape, most: int) -> tuple[Any, ...]:
        top = self._session.sql(
            "SELECT raw FROM pairs WHERE prompt IN "
            f"(SELECT prompt FROM by_prompt WHERE least <> most ORDER BY answered DESC, prompt LIMIT {int(most)})"
        )
        spellings = [row.raw for row in top.collect()]
        if not spellings:
            return ()
        chosen = self._samples(texts, shape).filter(f"xxhash64(prompt) IN ({', '.join(map(str, spellings))}) AND answer IS NOT NULL")
        return contradictions(((r.prompt, r.answer, r["count"]) for r in chosen.groupBy("prompt", "answer").count().collect()), most)

    def _list(self, texts: Any, shape: Shape, path: str) -> None:
        import pyarrow.parquet as pq

        self._samples(texts, shape).createOrReplaceTempView("again")
        found = self._session.sql(
            "SELECT prompt, answer FROM again LEFT SEMI JOIN (SELECT raw FROM pairs LEFT SEMI JOIN "
            "(SELECT prompt FROM by_prompt WHERE answered = 1) USING (prompt)) AS once ON xxhash64(again.prompt) = once.raw"
        ).toArrow()
        kept = pa.Table.from_batches([stated(batch) for batch in found.cast(PAIRS_OF_TEXTS).to_batches()], PAIRS_OF_TEXTS)
        with replacing(path) as file:
            pq.write_table(kept, file)


def _in_python(shape: Shape) -> bool:
    return bool(shape.facts) and not str(shape.facts).endswith(".sql")


def _pairs_stage(shape: Shape) -> Stage:
    facts = shape.facts

    def stage(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return extracted(batches, extractor(str(facts)))

    return stage


def _stage(shape: Shape) -> Stage:
    """What runs on the executors: keys of the usable samples, then how many others there were."""
    facts = str(shape.facts) if _in_python(shape) else None

    def stage(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        totals = Totals()
        kinds = [*KEYED, pa.field("copies", pa.int64()), pa.field("lacks", pa.int64())]
        schema = pa.schema(kinds)
        for batch in keyed(extracted(batches, extractor(facts)) if facts else batches, totals):
            rows = batch.num_rows
            yield pa.RecordBatch.from_arrays([*batch.columns, pa.repeat(1, rows), pa.nulls(rows, pa.int64())], schema=schema)
        lacking = [(totals.no_prompt, NO_PROMPT), (totals.no_answer, NO_ANSWER)]
        columns = [[None, None], [None, None], [None, None], [False, False], [count for count, _ in lacking], [code for _, code in lacking]]
        yield pa.RecordBatch.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, kinds, strict=True)], schema=schema
        )

    return stage


def _answering(master: str | None) -> None:
    """Raises RunError if no master of a standalone cluster can be reached: Spark itself would try for more than a minute."""
    if not (master or "").startswith("spark://"):
        return
    for place in str(master).removeprefix("spark://").split(","):
        host, colon, port = place.rpartition(":")
        if not colon or not port.isdigit() or int(port) > 65535:
            raise UsageError(f"--master takes spark://HOST:PORT, got {master!r}")
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=WAIT):
            return
    raise RunError(f"no Spark master answers at {master!r}: start it, or see which address its log or web page gives")


@lru_cache(maxsize=1)
def _folder() -> Path:
    """A folder that lives as long as this process, since executors fetch from it: this package as one file, and a silent log."""
    folder = Path(tempfile.mkdtemp(prefix="wager-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = Path(wager.__file__).parent
    with zipfile.ZipFile(folder / "wager.zip", "w") as packed:
        for file in sorted(root.rglob("*.py")):
            packed.write(file, Path("wager") / file.relative_to(root))
    (folder / "log4j2.properties").write_text(SILENCE, encoding="utf-8")
    return folder


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Spark's errors as one line of ours."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = next((line for line in lines if "Exception" in line or line.startswith("[")), lines[0] if lines else type(error).__name__)
        wrong_data = any(sign in said for sign in ("PATH_NOT_FOUND", "UNRESOLVED_COLUMN", "CANNOT_READ", "PARSE_SYNTAX"))
        raise (DataError if wrong_data else RunError)(f"{what}: {said[:300]}") from error


def _literal(path: str) -> str:
    """A local file as Hadoop names it, which takes its signs of a glob for a glob otherwise; addresses pass."""
    return path if "://" in path else GLOB_SIGNS.sub(r"\\\g<0>", path)


def _name(value: str) -> str:
    return "`" + value.replace("`", "``") + "`"


def _record(kinds: dict[str, str]) -> str:
    """A line of JSON as a struct of these columns; what is no object goes to ``_corrupt``."""
    schema = (
        ", ".join([*(f"{_name(name)} {kind}" for name, kind in kinds.items()), "`_corrupt` string"])
        .replace("\\", "\\\\")
        .replace("'", "\\'")
    )
    return f"from_json(value, '{schema}', map('columnNameOfCorruptRecord', '_corrupt'))"


def _first(row: Any) -> str:
    """Where a broken line is: with its number, where the file is on this machine."""
    place = unquote(urlsplit(row.file).path)
    return first_broken(place) if row.file.startswith("file:") and Path(place).exists() else f"{row.file}: {row.value.strip()[:60]!r}"


def _json_columns(lines: Iterable[str]) -> dict[str, str]:
    found: dict[str, tuple[str, ...] | str | None] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            for name, value in record.items():
                found[name] = _merged(found.get(name), _kind(value))
    return {name: _type(kind) for name, kind in found.items()}


def _kind(value: Any) -> tuple[str, ...] | str | None:
    """Names of the fields of a list of objects, or a type; None where a value tells nothing."""
    if value is None or value == []:
        return None
    if isinstance(value, list):
        return tuple(value[0]) if isinstance(value[0], dict) else "array<string>"
    return "string"


def _merged(one: tuple[str, ...] | str | None, other: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
    if one is None or other is None:
        return one or other
    if isinstance(one, tuple) and isinstance(other, tuple):
        return tuple(dict.fromkeys((*one, *other)))
    return one if one == other else "string"  # of several kinds: as it is written


def _type(kind: tuple[str, ...] | str | None) -> str:
    return f"ARRAY<STRUCT<{', '.join(f'{_name(name)}: string' for name in kind)}>>" if isinstance(kind, tuple) else kind or "string"


def _relation(shape: Shape, kinds: dict[str, str]) -> str:
    """A query of ``prompt`` and ``answer`` (or of ``text``, for an extractor in Python)."""
    if shape.messages:
        return _chat(shape.messages, kinds)
    if shape.facts and not _in_python(shape):
        query = Path(shape.facts).read_text(encoding="utf-8").strip().rstrip(";").replace("{rows}", "source")
        return f"SELECT CAST(prompt AS string) AS prompt, CAST(answer AS string) AS answer FROM ({query})"
    if shape.facts:
        return f"SELECT CAST({_name(str(shape.text))} AS string) AS text FROM source"
    *prompt, answer = [
        f"try_element_at({_name(name)}, 1)" if kinds[name].startswith("array") else f"CAST({_name(name)} AS string)"
        for name in (*shape.prompt, str(shape.answer))
    ]
    joined = prompt[0] if len(prompt) == 1 else f"concat_ws('\\n', {', '.join(prompt)})"
    return f"SELECT {joined} AS prompt, CAST({answer} AS string) AS answer FROM source"


def _chat(column: str, kinds: dict[str, str]) -> str:
    kind = kinds[column]
    role, content = next(((r, c) for r, c in (("role", "content"), ("from", "value")) if r in kind and c in kind), (None, None))
    if role is None or content is None:
        raise DataError(f"{column!r} is {kind}; chat records are lists of objects with 'role' and 'content', or 'from' and 'value'")
    users, assistants = (", ".join(f"'{name}'" for name in names) for names in (USER, ASSISTANT))
    after = "try_element_at(turns, i + 1)"
    turns = (
        "explode(transform(sequence(1, size(turns)), i -> struct("
        f"lower(turns[i - 1].{_name(role)}) AS who, turns[i - 1].{_name(content)} AS said, "
        f"lower({after}.{_name(role)}) AS next, {after}.{_name(content)} AS reply))) AS turn"
    )
    return (
        f"SELECT turn.said AS prompt, CASE WHEN turn.next IN ({assistants}) THEN turn.reply END AS answer "
        f"FROM (SELECT {turns} FROM (SELECT {_name(column)} AS turns FROM source) WHERE size(turns) > 0) WHERE turn.who IN ({users})"
    )
