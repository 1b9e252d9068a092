"""What to read: files of one format, and which of their columns hold prompts and answers. Engines do the reading."""

from __future__ import annotations

import glob
import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from wager.errors import DataError, UnknownNameError, UsageError

__all__ = ["ASSISTANT", "USER", "Files", "Shape", "expanded", "files_of", "first_broken", "shape_of"]

Format = Literal["parquet", "jsonl", "csv", "text"]

FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
    ".md": "text",
}
COMPRESSIONS = (".gz", ".zst")

USER = ("user", "human", "prompter")
ASSISTANT = ("assistant", "gpt", "model", "bot", "chatgpt")
"""Roles in chat records."""

PAIRS = (
    ("prompt", "answer"),
    ("prompt", "response"),
    ("prompt", "completion"),
    ("prompt", "output"),
    ("prompt", "chosen"),
    ("question", "answer"),
    ("question", "answers"),
    ("question", "response"),
    ("question", "chosen"),
    ("input", "target"),
    ("query", "answer"),
    ("query", "response"),
)
INSTRUCTIONS = (("instruction", "input"), ("instruction", "context"), ("instruction",))
REPLIES = ("output", "response", "answer", "chosen")
CHATS = ("messages", "conversations", "conversation", "chosen")
"""Names that common data sets use, in the order in which they are tried."""


@dataclass(frozen=True)
class Files:
    """Files of one format."""

    paths: tuple[str, ...]
    """Files, or addresses of an object store as the engine takes them."""
    format: Format
    """What they hold."""

    @property
    def label(self) -> str:
        """For messages and pages."""
        return self.paths[0] if len(self.paths) == 1 else f"{self.paths[0]} and {len(self.paths) - 1:,} more"


@dataclass(frozen=True)
class Shape:
    """Which columns hold what: either `prompt` and `answer`, or `messages`, or `text`."""

    prompt: tuple[str, ...] = ()
    """Columns that make up the prompt, joined by a line break."""
    answer: str | None = None
    """Column of the answer; of a list, the first element."""
    messages: str | None = None
    """Column of chat records: each user turn that an assistant turn follows is a sample."""
    text: str | None = None
    """Column of texts that a fact extractor reads."""
    facts: str | None = None
    """That extractor: a registered name, ``module:function``, or a file ending in ``.sql``."""

    def told(self) -> str:
        """In words, for the page and the terminal."""
        if self.messages:
            return f"chat records in {self.messages!r}"
        if self.facts:
            return f"facts that {self.facts!r} finds" + (f" in {self.text!r}" if self.text else "")
        return f"prompts in {' + '.join(map(repr, self.prompt))}, answers in {self.answer!r}"


def files_of(paths: Sequence[str], *, form: str | None = None) -> Files:
    """The files that paths, folders and globs name; addresses (``s3://...``) pass unread.

    Args:
        paths: as given on the command line.
        form: the format, if names do not tell it.

    Raises:
        DataError: nothing is there, or only empty files, or there are several formats.
    """
    found = expanded(paths)
    told = {file: _format(file) for file in found}
    if form is None and (unknown := [file for file, one in told.items() if one is None]):
        raise DataError(f"cannot tell the format of {unknown[0]!r} from its name: known are {', '.join(FORMATS)}; or give --format")
    kinds = {form} if form else {one for one in told.values() if one}
    if len(kinds) > 1:
        raise DataError(f"these are files of several formats ({', '.join(sorted(kinds))}): count each by itself")
    kind = kinds.pop()
    if kind not in get_args(Format):
        raise UsageError(f"--format is {', '.join(get_args(Format))}, got {kind!r}")
    if not any("://" in file or Path(file).stat().st_size for file in found):
        raise DataError(f"{found[0]!r} is empty" if len(found) == 1 else f"all {len(found)} files are empty: {found[0]!r} and others")
    return Files(tuple(found), cast(Format, kind))


def expanded(paths: Sequence[str]) -> list[str]:
    """The files that paths, folders and globs name, each once; addresses pass. Raises DataError where nothing is there."""
    found = [file for path in paths for file in ([path] if "://" in path else _expanded(path))]
    if twice := next((file for file, times in Counter(found).items() if times > 1), None):
        raise UsageError(f"{twice!r} is named twice: it would be counted twice")
    return found


def _expanded(path: str) -> list[str]:
    place = Path(path)
    if place.is_dir():
        inside = sorted(
            str(file) for file in place.rglob("*") if file.is_file() and _format(str(file)) and not file.name.startswith((".", "_"))
        )
        if not inside:
            raise DataError(f"the folder {path!r} has no file that ends in {', '.join(FORMATS)}")
        return inside
    if place.is_file():
        return [path]
    matching = sorted(one for one in glob.glob(path, recursive=True) if Path(one).is_file())  # noqa: PTH207 - absolute ones too
    if not matching:
        raise DataError(f"no file or folder {path!r}")
    return matching


def _format(path: str) -> Format | None:
    name = path.split("?")[0].rstrip("/").lower()
    for ending in COMPRESSIONS:
        name = name.removesuffix(ending)
    return FORMATS.get(Path(name).suffix)


def shape_of(
    columns: Mapping[str, str],
    *,
    prompt: str | None = None,
    answer: str | None = None,
    messages: str | None = None,
    facts: str | None = None,
    text: str | None = None,
) -> Shape:
    """Which columns to read; well-known names are found without being told.

    Args:
        columns: names and types of what is there.
        prompt: columns of the prompt, separated by commas.
        answer: column of the answer.
        messages: column of chat records.
        facts: a fact extractor.
        text: column that it reads; the only text column by default.

    Raises:
        UsageError: the options contradict each other.
        UnknownNameError: no such column.
        DataError: the columns cannot be guessed.
    """
    if sum([bool(prompt or answer), bool(messages), bool(facts)]) > 1:
        raise UsageError("give one of: --prompt with --answer, --messages, or --facts")
    if bool(prompt) != bool(answer):
        raise UsageError("--prompt and --answer belong together")
    if text and not facts:
        raise UsageError("--text names the column that --facts reads")
    for named in [*(prompt or "").split(","), answer, messages, text]:
        if named and named.strip() not in columns:
            raise UnknownNameError("column", named.strip(), columns)
    if facts:
        return Shape(facts=facts, text=text or _text_column(columns))
    if messages:
        return Shape(messages=messages)
    if prompt:
        return Shape(prompt=tuple(one.strip() for one in prompt.split(",") if one.strip()), answer=answer)
    return _guessed(columns)


def _text_column(columns: Mapping[str, str]) -> str:
    texts = [name for name in columns if name in ("text", "content", "body")] or list(columns)
    if len(texts) != 1:
        raise UsageError(f"several columns could hold the text ({', '.join(columns)}): name one with --text")
    return texts[0]


def _guessed(columns: Mapping[str, str]) -> Shape:
    if not columns:
        raise DataError('there is no record to read: of JSON, each line must be an object such as {"prompt": ..., "answer": ...}')
    for name in CHATS:
        if "STRUCT" in columns.get(name, "").upper():
            return Shape(messages=name)
    for prompt, answer in PAIRS:
        if prompt in columns and answer in columns:
            return Shape(prompt=(prompt,), answer=answer)
    for names in INSTRUCTIONS:
        reply = next((name for name in REPLIES if name in columns), None)
        if reply and all(name in columns for name in names):
            return Shape(prompt=names, answer=reply)
    raise DataError(
        f"cannot tell which columns hold prompts and answers: there are {', '.join(columns) or 'none'}; "
        "name them with --prompt and --answer, or --messages, or --facts"
    )


def first_broken(path: str) -> str:
    """The first line of a file of JSON lines that holds no object: file, number, and how it begins; only the file, if it is elsewhere."""
    if not Path(path).exists() or path.endswith(".zst"):
        return path
    with gzip.open(path, "rb") if path.endswith(".gz") else Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                if not line.strip() or isinstance(json.loads(line), dict):
                    continue
            except ValueError:
                pass
            return f"{path}, line {number}: {line.decode(errors='replace').strip()[:60]!r}"
    return path
