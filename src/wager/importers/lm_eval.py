"""Sample logs of lm-evaluation-harness (``samples_<task>_<time>.jsonl``, written with ``--log_samples``).

Multiple choice: the log-likelihood of each option is in the log, so a confidence is too: softmax over the options, at the option
with the highest. What follows from it is a threshold simulation ("had it answered iff p > t"), not what the model does when told.
Generation: the metric (``exact_match``, ...) is the credit; ``[invalid]`` is what the harness's filters write where they find no answer.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from wager.importers.formats import Block, Importer, Options, formats, in_blocks
from wager.importers.settle import MISSING
from wager.importers.source import Source

__all__ = ["METRICS"]

METRICS = ("acc", "exact_match", "em", "acc_norm", "mc1", "pass@1", "contains", "f1")
"""Metrics that say how right one answer is, in order of preference; else the first of the log's ``metrics``."""

NAME = re.compile(r"samples_(?P<task>.+?)_\d{4}-\d\d-\d\dT[\d.:-]+$")

NOTE = "confidences of multiple-choice tasks are the options' likelihoods: a threshold simulation, not behaviour under a stated target"


def _is_samples(source: Source) -> bool:
    return source.kind in ("lines", "object") and {"doc_id", "filtered_resps", "resps", "arguments"} <= set(source.first)


def _read(source: Source, options: Options, notes: set[str]) -> Iterator[Block]:
    name = NAME.match(source.path.stem)
    task = options.task or (name["task"] if name else source.path.stem)
    model = options.model or _model(source)
    yield from in_blocks(_rows(source, options, notes, task, model))


def _model(source: Source) -> str:
    """The harness puts samples into a folder named after the model, with ``/`` written as ``__``."""
    return source.path.resolve().parent.name.replace("__", "/") or source.path.stem


def _rows(source: Source, options: Options, notes: set[str], task: str, model: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    chosen: str | None = None
    for place, record in source.records():
        if "doc_id" not in record:
            source.problems.append(f"{source.name}, {place}: expected a sample with a doc_id, got {', '.join(list(record)[:8])}; left out")
            continue
        used = str(record.get("filter", "none"))
        chosen = used if chosen is None else chosen
        if used != chosen:
            notes.add(f"task {task!r} has several filters; the first, {chosen!r}, decides, {used!r} is left out")
            continue
        row = _row(record, options, notes, task)
        doc = record.get("doc") or {}
        yield {"task": task, "model": model, **row}, {name: doc.get(name, record.get(name)) for name in options.keep}


def _row(record: Mapping[str, Any], options: Options, notes: set[str], task: str) -> dict[str, Any]:
    metrics = [name for name in record.get("metrics") or [] if name in record] or [name for name in METRICS if name in record]
    metric = next((name for name in METRICS if name in metrics), metrics[0] if metrics else None)
    credit = _credit(record.get(metric)) if metric else None
    if len(metrics) > 1 and metric:
        notes.add(f"task {task!r} has the metrics {', '.join(metrics)}; {metric!r} decides")
    doc = record.get("doc") or {}
    prompts = [one.get("arg_0") for one in _values(record.get("arguments")) if isinstance(one, Mapping)]
    row: dict[str, Any] = {
        "item": str(record["doc_id"]),
        "stratum": next((str(doc[key]) for key in ("category", "subject") if isinstance(doc.get(key), str)), None),
        "outcome": "ungraded" if credit is None else "correct" if credit >= 0.5 else "incorrect",
        "credit": credit,
    }
    if options.texts:
        row["question"] = next((one for one in prompts if isinstance(one, str)), None)
        row["reference"] = [str(record["target"])] if record.get("target") is not None else []
    logliks = _logliks(record.get("filtered_resps"))
    if logliks is not None:
        choices = [one.get("arg_1") for one in _values(record.get("arguments")) if isinstance(one, Mapping)]
        if len(logliks) >= 4 and len(choices) == len(logliks) and len(set(map(str, choices))) * 2 == len(choices):
            logliks = logliks[: len(logliks) // 2]  # acc_mutual_info asks for every option twice
        best = max(range(len(logliks)), key=logliks.__getitem__)
        row["confidence_logprob"] = 1 / sum(math.exp(one - logliks[best]) for one in logliks)
        notes.add(NOTE)
        if options.texts:
            row["answer"] = str(choices[best]).strip() if best < len(choices) else str(best)
        return row
    said = _first_text(record.get("filtered_resps"))
    row["reply"] = _first_text(record.get("resps"))
    row["answer"] = said
    if said is None or said.strip() in ("", "[invalid]"):
        row["answer"] = None
        if row["outcome"] != "correct":
            row |= {"outcome": MISSING, "credit": None}
    return row


def _values(arguments: Any) -> list[Any]:
    return list(arguments.values()) if isinstance(arguments, Mapping) else list(arguments or [])


def _logliks(responses: Any) -> list[float] | None:
    """Log-likelihoods of the options, or None if these are no (log-likelihood, is greedy) pairs of at least two options."""
    if not isinstance(responses, list) or len(responses) < 2:
        return None
    found = []
    for pair in responses:
        if not (isinstance(pair, list) and len(pair) == 2 and str(pair[1]) in ("True", "False")):
            return None
        try:
            found.append(float(pair[0]))
        except (TypeError, ValueError):
            return None
    return found if all(map(math.isfinite, found)) else None


def _credit(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number <= 1 else None


def _first_text(value: Any) -> str | None:
    while isinstance(value, list):
        if not value:
            return None
        value = value[0]
    return value if value is None or isinstance(value, str) else json.dumps(value)


formats.register("lm-eval")(Importer("lm-eval", _is_samples, _read))
