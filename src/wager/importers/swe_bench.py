"""SWE-bench results: lists of instance ids, in the leaderboard's ``results.json`` and in the harness's report.

``resolved`` is right, an empty patch is a missing answer, an error of the harness is a failed one, what else was submitted is wrong.
The leaderboard's file lists what was submitted only where the submitter gave it; what is in no list cannot be counted, and a note
says so. Reference: Jimenez et al. 2024, arXiv 2310.06770.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wager.answers import Outcome
from wager.errors import DataError
from wager.importers.formats import Block, Importer, Options, formats, in_blocks
from wager.importers.settle import MISSING
from wager.importers.source import Source

__all__ = ["LISTS"]

LISTS: tuple[tuple[str, str], ...] = (
    ("resolved", Outcome.CORRECT),
    ("resolved_ids", Outcome.CORRECT),
    ("error", Outcome.FAILED),
    ("error_ids", Outcome.FAILED),
    ("test_timeout", Outcome.FAILED),
    ("install_fail", Outcome.FAILED),
    ("reset_failed", Outcome.FAILED),
    ("no_generation", MISSING),
    ("empty_patch", MISSING),
    ("empty_patch_ids", MISSING),
    ("unresolved", Outcome.INCORRECT),
    ("unresolved_ids", Outcome.INCORRECT),
    ("no_apply", Outcome.INCORRECT),
    ("test_errored", Outcome.INCORRECT),
    ("applied", Outcome.INCORRECT),
    ("generated", Outcome.INCORRECT),
    ("submitted", Outcome.INCORRECT),
    ("submitted_ids", Outcome.INCORRECT),
    ("completed_ids", Outcome.INCORRECT),
    ("no_logs", Outcome.FAILED),
    ("incomplete_ids", Outcome.FAILED),
)
"""Name of a list -> what its instances are; an instance is what the first list says that holds it."""

MARKS = ({"resolved", "no_generation"}, {"resolved", "generated"}, {"resolved", "submitted"}, {"resolved_ids"})
"""Lists by which the format is told."""


def _is_results(source: Source) -> bool:
    if source.kind != "object" or (b'"resolved' not in source.head and source.path.stat().st_size <= len(source.head)):
        return False
    try:
        document = source.document
    except DataError:
        return False
    return isinstance(document, dict) and any(
        all(isinstance(document.get(name), list) for name in marks) and _are_ids(document) for marks in MARKS
    )


def _are_ids(document: Mapping[str, Any]) -> bool:
    return all(isinstance(one, str) for name, _ in LISTS for one in document.get(name) or [] if isinstance(document.get(name), list))


def _read(source: Source, options: Options, notes: set[str]) -> Iterator[Block]:
    document = source.document
    found: dict[str, str] = {}
    for name, outcome in LISTS:
        for instance in document.get(name) or []:
            found.setdefault(instance, str(outcome))
    if not {"submitted", "submitted_ids", "generated", "unresolved", "unresolved_ids"} & set(document):
        notes.add(f"{source.name} lists no unresolved instances; those that it leaves out are not counted as wrong answers")
    model = options.model or _model(source, document)
    rows: Iterator[tuple[dict[str, Any], dict[str, Any]]] = (
        ({"item": instance, "outcome": outcome, "model": model, "task": options.task or "swe_bench"}, {})
        for instance, outcome in found.items()
    )
    yield from in_blocks(rows, rereads=False)


def _model(source: Source, document: Mapping[str, Any]) -> str:
    """The report's own word, else its file's name (``MODEL.RUN.json``), else the folder of a ``results/results.json``."""
    for key in ("model_name_or_path", "model_name", "model"):
        if isinstance(document.get(key), str):
            return str(document[key])
    if source.path.stem == "results":
        folders = [part.name for part in source.path.resolve().parents if part.name not in ("results", "")]
        return folders[0] if folders else "results"
    return source.path.name.split(".json")[0]


formats.register("swe-bench")(Importer("swe-bench", _is_results, _read))
