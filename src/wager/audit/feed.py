"""Records instead of a download: the task's own loader runs on records that the user gives.

Loaders (`LOADERS`) are replaced for as long as `fed` is open, wherever the task's modules hold them. The stand-ins pass the records to
Inspect's own JSON reader with the task's own ``record_to_sample``, so that nothing but the download is left out.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from inspect_ai.dataset import Dataset, Sample, json_dataset

from wager.audit.replies import RIGHT_KEY, WRONG_KEY

__all__ = ["WHEN_KEY", "fed", "replaced"]

WHEN_KEY = "wager:when"
"""Field of a record: keyword arguments that a loader's call must have for the record to be given to it, such as {"name": "navigate"}."""

SAMPLE_LOADERS = ("hf_dataset", "csv_dataset", "json_dataset", "load_csv_dataset", "load_json_dataset")
"""Loaders that give Inspect data sets."""

ROW_LOADERS = ("load_dataset",)
"""Loaders that give rows."""

DOWNLOADS = ("download", "snapshot_download", "hf_hub_download")
"""Downloads of files that a loader then reads."""

CHECKS = ("drop_known_broken",)
"""Checks that the downloaded data set holds certain items; they take the data set first and give it back."""

HOMES = ("inspect_ai.dataset", "inspect_ai.util", "datasets", "huggingface_hub")
"""Where code that imports late finds loaders."""

Replacement = tuple[Any, str, Any]
"""An owner, the name of an attribute, and what stands in for it."""


@contextlib.contextmanager
def replaced(replacements: Sequence[Replacement]) -> Iterator[None]:
    """Attributes replaced, and put back however the block ends."""
    with contextlib.ExitStack() as stack:
        for owner, name, value in replacements:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield


@contextlib.contextmanager
def fed(records: Sequence[dict[str, Any]] | None, modules: Callable[[], Sequence[Any]]) -> Iterator[None]:
    """Every loader of the task's modules gives these records. Without records, nothing is replaced.

    Args:
        records: raw records in the format of the task's data set.
        modules: the task's modules that are loaded by now.
    """
    if records is None:
        yield
        return
    opened = [True]
    homes = [import_module(name) for name in HOMES if name in sys.modules or name.startswith("inspect_ai")]
    with tempfile.TemporaryDirectory() as folder:
        stands: list[Replacement] = []
        for module in dict.fromkeys([*modules(), *homes]):
            for name in (*SAMPLE_LOADERS, *ROW_LOADERS, *DOWNLOADS, *CHECKS):
                original = vars(module).get(name)
                if callable(original):
                    stands.append((module, name, _stand_in(name, original, records, Path(folder), opened)))
        with replaced(stands):
            try:
                yield
            finally:
                opened.clear()  # a module that was loaded meanwhile keeps a stand-in: from now on it calls the original


def _stand_in(
    name: str, original: Callable[..., Any], records: Sequence[dict[str, Any]], folder: Path, opened: list[bool]
) -> Callable[..., Any]:
    """What is called instead of a loader."""

    def call(*args: Any, **options: Any) -> Any:  # Any: takes whatever the loader takes
        if not opened:
            return original(*args, **options)
        if name in DOWNLOADS:
            return str(folder)
        if name in CHECKS:
            return args[0]
        chosen = [_bare(record) for record in records if _meant(record, options)]
        if name in ROW_LOADERS:
            return _rows(chosen, options)
        return _samples(chosen, folder, options)

    return call


def _meant(record: dict[str, Any], options: dict[str, Any]) -> bool:
    wanted = record.get(WHEN_KEY) or {}
    return all(options.get(key) == value for key, value in wanted.items())


def _bare(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != WHEN_KEY}


def _samples(records: Sequence[dict[str, Any]], folder: Path, options: dict[str, Any]) -> Dataset:
    """The records as Inspect's JSON reader gives them, in their own order."""
    file = folder / f"items{len(list(folder.iterdir()))}.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    fields = options.get("sample_fields")
    shuffle = options.get("shuffle_choices")
    return json_dataset(
        str(file),
        sample_fields=_keeping(fields) if callable(fields) else fields,
        auto_id=options.get("auto_id", False),
        shuffle_choices=0 if shuffle is True else shuffle,
        name=options.get("name") or str(options.get("path", "items")).rpartition("/")[2] or "items",
    )


def _keeping(convert: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Sample | list[Sample]]:
    """The task's own conversion, after which replies that came with the record are put into the sample's metadata."""

    def converted(record: dict[str, Any]) -> Sample | list[Sample]:
        kept = {key: record[key] for key in (RIGHT_KEY, WRONG_KEY) if key in record}
        made: Sample | list[Sample] = convert({key: value for key, value in record.items() if key not in kept})
        for sample in made if isinstance(made, list) else [made]:
            if kept:
                sample.metadata = {**(sample.metadata or {}), **kept}
        return made

    return converted


def _rows(records: Sequence[dict[str, Any]], options: dict[str, Any]) -> Any:
    rows = [{key: value for key, value in record.items() if key not in (RIGHT_KEY, WRONG_KEY)} for record in records]
    from datasets import Dataset as Rows  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from datasets import DatasetDict

    made = Rows.from_list(rows)
    return made if options.get("split") else DatasetDict(dict.fromkeys(("train", "validation", "test"), made))
