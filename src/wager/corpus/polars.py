"""Facts counted by Polars: pairs of columns only, exact; it keeps to no limit of memory.

A second implementation on purpose: the rule of `wager.corpus.words.words` in Polars' own expressions, so that the tests compare two engines
that share no code for keys. What Polars' streaming engine does not spill must fit: a few numbers for each spelling of a prompt.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Literal

from wager.corpus.abstained import CUES, abstains
from wager.corpus.counted import Counted, contradictions, origin
from wager.corpus.reading import Files, Shape
from wager.corpus.words import NOT_WORDS, WHITE_SPACE
from wager.errors import DataError, MissingExtraError, RunError, UsageError
from wager.facts import FactCounts, Part

__all__ = ["Polars"]

SNIFFED = 2000
"""Lines of JSON that are looked at for its columns."""

USABLE, NO_PROMPT, NO_ANSWER = 0, 1, 2
"""What a sample lacks."""


class Polars:
    """The engine for pairs that fit this machine.

    Raises:
        MissingExtraError: Polars is not installed.
    """

    def __init__(self) -> None:
        try:
            import polars
        except ModuleNotFoundError as error:
            raise MissingExtraError("polars", "polars", "wager floor --engine polars") from error
        self._polars: Any = polars

    def columns(self, files: Files) -> dict[str, str]:
        """Names and types of what is in the first file."""
        pl = self._polars
        _refuse(files.format == "text", "raw text")
        with self._told():
            if files.format == "jsonl":
                lines = pl.scan_lines(files.paths[0]).filter(self._readable()).head(SNIFFED).collect()["line"]
                return _kinds(lines.to_list())
            return {name: str(kind) for name, kind in self._frame(Files(files.paths[:1], files.format)).collect_schema().items()}

    def count(self, files: Files, shape: Shape, *, part: Part, examples: int = 10, singletons: str | None = None) -> Counted:
        """The counts, and examples of contradictions.

        Raises:
            UsageError: what only DuckDB and Spark do was asked for.
            DataError: the files are not what they should be.
        """
        _refuse(bool(shape.messages), "chat records")
        _refuse(bool(shape.facts), "facts in text")
        _refuse(part.modulus > 1, "a part of the prompts")
        _refuse(singletons is not None, "a list of the facts seen once")
        kinds = self.columns(files)
        with self._told():
            texts = self._texts(files, shape, kinds)
            pairs = self._pairs(texts)
            usable = pairs.filter(self._polars.col("lacks") == USABLE)
            by_prompt = self._by_prompt(usable)
            broken, first = self._unreadable(files)
            totals = {**self._totals(pairs), "unreadable": broken}
            about = origin(files, shape, f"Polars {self._polars.__version__}")
            counts = FactCounts.of(self._frequencies(usable, by_prompt), totals, part=part, about=about)
            shown = self._examples(texts, usable, by_prompt, examples) if examples else ()
        return Counted(counts, shown, first)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Polars' errors as one line of ours."""
        wrong = self._polars.exceptions
        try:
            yield
        except (wrong.PolarsError, OSError) as error:
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            kind = (
                DataError if isinstance(error, wrong.ComputeError | wrong.ColumnNotFoundError | wrong.NoDataError | OSError) else RunError
            )
            raise kind(f"Polars cannot read this: {line}; --engine duckdb counts lines that cannot be read") from error

    def _frame(self, files: Files) -> Any:
        if files.format == "parquet":
            return self._polars.scan_parquet(list(files.paths))
        separator = "\t" if ".tsv" in files.paths[0].lower() else ","
        return self._polars.scan_csv(list(files.paths), infer_schema=False, separator=separator)

    def _readable(self) -> Any:
        """Whether a line is a JSON object."""
        line = self._polars.col("line")
        return line.str.strip_chars_start(WHITE_SPACE).str.starts_with("{") & line.str.json_path_match("$").is_not_null()

    def _texts(self, files: Files, shape: Shape, kinds: dict[str, str]) -> Any:
        """Columns ``prompt`` and ``answer``."""
        pl = self._polars

        def of(name: str) -> Any:
            listed = kinds[name].startswith("List")
            if files.format == "jsonl":
                return pl.col("line").str.json_path_match(_path(name) + ("[0]" if listed else ""))
            return (pl.col(name).list.first() if listed else pl.col(name)).cast(pl.String)

        source = pl.scan_lines(list(files.paths)).filter(self._readable()) if files.format == "jsonl" else self._frame(files)
        *prompt, answer = [of(name) for name in (*shape.prompt, str(shape.answer))]
        joined = prompt[0] if len(prompt) == 1 else pl.concat_str(prompt, separator="\n", ignore_nulls=True)
        return source.select(prompt=joined, answer=answer)

    def _words(self, text: Any) -> Any:
        """`wager.corpus.words.words` as an expression."""
        pl = self._polars
        low = text.str.replace_all("İ", "i", literal=True).str.to_lowercase().str.replace_all("ς", "σ", literal=True)
        kept = low.str.replace_all(NOT_WORDS, " ").str.strip_chars(" ")
        return pl.when(kept == "").then(text.str.strip_chars(WHITE_SPACE)).otherwise(kept)

    def _silent(self, texts: Any) -> Any:
        """The distinct answers that say "I don't know": only those with a cue come out of Polars and are read by the detector."""
        pl = self._polars
        cued = texts.select("answer").filter(self._words(pl.col("answer")).str.contains(CUES)).unique().collect(engine="streaming")
        found = [answer for answer in cued["answer"].to_list() if abstains(answer)]
        return pl.LazyFrame({"answer": found, "silent": [True] * len(found)}, schema={"answer": pl.String, "silent": pl.Boolean})

    def _pairs(self, texts: Any) -> Any:
        """One row for each spelling of a prompt, as `wager.corpus.query.PAIRS`, and one for samples that lack something."""
        pl = self._polars
        prompt, answer = pl.col("prompt_words"), pl.col("answer_words")
        lacks = pl.when(prompt.is_null() | (prompt == "")).then(NO_PROMPT).when(answer.is_null() | (answer == "")).then(NO_ANSWER)
        keyed = (
            texts.with_columns(prompt_words=self._words(pl.col("prompt")), answer_words=self._words(pl.col("answer")))
            .join(self._silent(texts), on="answer", how="left")
            .with_columns(lacks=lacks.otherwise(USABLE).cast(pl.Int8))
        )
        usable, said = pl.col("lacks") == USABLE, pl.col("silent").is_null()
        hashed = keyed.select(
            "lacks",
            raw=pl.when(usable).then(pl.col("prompt").hash()),
            key=pl.when(usable).then(prompt.hash()),
            said=usable & said,
            answer=pl.when(usable & said).then(answer.hash()),
        )
        return (
            hashed.group_by("lacks", "raw", "key")
            .agg(
                samples=pl.len().cast(pl.Int64),
                answered=pl.col("said").sum().cast(pl.Int64),
                least=pl.col("answer").min(),
                most=pl.col("answer").max(),
            )
            .collect(engine="streaming")
        )

    def _by_prompt(self, pairs: Any) -> Any:
        pl = self._polars
        sums = [pl.col("samples").sum(), pl.col("answered").sum(), pl.col("least").min(), pl.col("most").max()]
        return pairs.lazy().group_by("key").agg(sums).collect(engine="streaming")

    def _totals(self, pairs: Any) -> dict[str, int]:
        summed = dict(pairs.group_by("lacks").agg(self._polars.col("samples").sum()).rows())
        samples = summed.get(USABLE, 0)
        abstained = samples - int(pairs["answered"].sum())
        return {"all": samples, "abstained": abstained, "no prompt": summed.get(NO_PROMPT, 0), "no answer": summed.get(NO_ANSWER, 0)}

    def _frequencies(self, pairs: Any, by_prompt: Any) -> list[tuple[Literal["normalised", "raw"], int, int, int, int | None]]:
        pl = self._polars
        counted = [pl.len(), pl.col("samples").sum(), (pl.col("least") != pl.col("most")).sum().alias("contradicted")]
        normalised, raw = (table.group_by("answered").agg(counted).rows() for table in (by_prompt, pairs))
        return [
            *(("normalised", answered, prompts, samples, contradicted) for answered, prompts, samples, contradicted in normalised),
            *(("raw", answered, prompts, samples, None) for answered, prompts, samples, _ in raw),
        ]

    def _unreadable(self, files: Files) -> tuple[int, str | None]:
        """Lines of JSON files that hold no object, and the first."""
        pl = self._polars
        if files.format != "jsonl":
            return 0, None
        broken = (pl.col("line").str.strip_chars(WHITE_SPACE) != "") & ~self._readable()
        count = int(pl.scan_lines(list(files.paths)).select(broken.sum()).collect(engine="streaming").item())
        for path in files.paths if count else ():
            for number, line in pl.scan_lines(path).with_row_index(offset=1).filter(broken).head(1).collect().rows():
                return count, f"{path}, line {number}: {line.strip()[:60]!r}"
        return count, None

    def _examples(self, texts: Any, pairs: Any, by_prompt: Any, most: int) -> tuple[Any, ...]:
        """The most frequent contradictions: found among the hashes, then their texts in a second pass."""
        pl = self._polars
        top = by_prompt.filter(pl.col("least") != pl.col("most")).sort(["answered", "key"], descending=[True, False]).head(most)
        raw = pairs.join(top, on="key", how="semi").select("raw")
        if raw.is_empty():
            return ()
        found = texts.drop_nulls().with_columns(raw=pl.col("prompt").hash()).join(raw.lazy(), on="raw", how="semi")
        return contradictions(found.group_by("prompt", "answer").len().collect(engine="streaming").rows(), most)


def _refuse(asked: bool, what: str) -> None:
    if asked:
        raise UsageError(f"--engine polars counts pairs of columns only, not {what}: use --engine duckdb")


def _path(name: str) -> str:
    """A JSON path to that member."""
    if "'" in name or "\\" in name:
        raise UsageError(f"--engine polars cannot read the column {name!r} of JSON: use --engine duckdb")
    return f"$['{name}']"


def _kinds(lines: list[str]) -> dict[str, str]:
    """Types of the members of JSON objects, by the first value that is not null."""
    found: dict[str, str] = {}
    for line in lines:
        for name, value in json.loads(line).items():
            if value is not None and found.get(name, "Null") == "Null":
                found[name] = _kind(value)
            found.setdefault(name, "Null")
    return found


def _kind(value: object) -> str:
    if isinstance(value, list):
        return f"List({_kind(value[0])})" if value else "List(Null)"
    return f"Struct({', '.join(value)})" if isinstance(value, dict) else "String"
