"""HELM runs: ``per_instance_stats.json``, with the replies from ``display_predictions.json`` where that lies beside it.

The run's folder is named ``task:key=value,...,model=NAME``. Of the many numbers of an instance the first of `METRICS` is the credit.
Perturbed copies of an instance are left out, and a train trial is a sample. Reference: Liang et al. 2022, arXiv 2211.09110.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wager.importers.formats import Block, Importer, Options, formats, in_blocks
from wager.importers.settle import MISSING
from wager.importers.source import Source

__all__ = ["METRICS"]

METRICS = (
    "quasi_exact_match", "exact_match", "final_number_exact_match", "math_equiv_chain_of_thought", "math_equiv",
    "quasi_prefix_exact_match", "prefix_exact_match", "chain_of_thought_correctness", "ifeval_strict_accuracy", "f1_score",
)  # fmt: skip
"""Numbers that say how right one answer is, in order of preference."""

MODEL = re.compile(r"\bmodel=(?P<model>[^,]+)")


def _is_stats(source: Source) -> bool:
    stats = source.first.get("stats") if source.kind == "list" else None
    shaped = isinstance(stats, list) and all(isinstance(one, dict) and isinstance(one.get("name"), dict) for one in stats)
    return shaped and "instance_id" in source.first


def _read(source: Source, options: Options, notes: set[str]) -> Iterator[Block]:
    folder = source.path.resolve().parent
    run = _run(folder)
    named = MODEL.search(run)
    model = options.model or (named["model"] if named else folder.name)
    task = options.task or run.partition(":")[0]
    said = _predictions(folder, source)
    yield from in_blocks(_rows(source, options, notes, task, model, said))


def _run(folder: Path) -> str:
    """The run's name: from ``run_spec.json``, else the folder's."""
    try:
        spec = json.loads((folder / "run_spec.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return folder.name
    return str(spec["name"]) if isinstance(spec, dict) and isinstance(spec.get("name"), str) else folder.name


def _predictions(folder: Path, source: Source) -> dict[tuple[str, int], Mapping[str, Any]]:
    beside = Source(folder / "display_predictions.json")
    if not beside.path.is_file():
        return {}
    found = {}
    for _, record in beside.records():
        if record.get("perturbation") is None:
            found[str(record.get("instance_id")), int(record.get("train_trial_index") or 0)] = record
    return found


def _rows(
    source: Source, options: Options, notes: set[str], task: str, model: str, said: Mapping[tuple[str, int], Mapping[str, Any]]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for place, record in source.records():
        if "instance_id" not in record or not isinstance(record.get("stats"), list):
            source.problems.append(f"{source.name}, {place}: expected instance_id and stats, got {', '.join(list(record)[:8])}; left out")
            continue
        if record.get("perturbation") is not None:
            notes.add("HELM's perturbed copies of an instance are left out")
            continue
        means = {stat["name"]["name"]: stat.get("mean") for stat in record["stats"] if not stat["name"].get("perturbation")}
        metric = next((name for name in METRICS if isinstance(means.get(name), int | float)), None)
        credit = means[metric] if metric else None
        if metric:
            notes.add(f"task {task!r}: {metric!r} decides")
        if credit is not None and not 0 <= credit <= 1:
            credit = None
        item, trial = str(record["instance_id"]), int(record.get("train_trial_index") or 0)
        prediction = said.get((item, trial), {})
        reply = prediction.get("predicted_text")
        row = {
            "task": task,
            "model": model,
            "item": item,
            "sample": trial + 1,
            "outcome": "ungraded" if credit is None else "correct" if credit >= 0.5 else "incorrect",
            "credit": credit,
            "tokens_in": means.get("num_prompt_tokens"),
            "tokens_out": means.get("num_output_tokens"),
            "seconds": means.get("inference_runtime"),
            "reply": reply,
            "answer": prediction.get("mapped_output") or reply,
        }
        if reply is None and means.get("num_output_tokens") == 0 and credit is not None and credit < 0.5:
            row |= {"outcome": MISSING, "credit": None}
        yield row, {name: record.get(name, prediction.get(name)) for name in options.keep}


formats.register("helm")(Importer("helm", _is_stats, _read))
