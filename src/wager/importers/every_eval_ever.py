"""Every Eval Ever: the shared record of one answer (schema ``instance_level_eval``), read and written.

Its ``evaluation`` holds a number and a truth value for every answer, so an abstention or a failed call is written as 0 and false,
with the true outcome, and all else that its fields have no place for, in ``metadata`` under ``wager_*``; reading takes these first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from wager.answers import Answer, Outcome
from wager.files import replacing
from wager.importers.formats import Block, Importer, Options, formats, in_blocks
from wager.importers.settle import MISSING
from wager.importers.source import Source
from wager.table import AnswerTable

__all__ = ["SCHEMA_WRITTEN", "write_every_eval_ever"]

SCHEMA_WRITTEN = "0.2.2"
"""Version of the instance-level schema that is written."""

NEEDED = {"evaluation_id", "model_id", "evaluation_name", "sample_id", "interaction_type", "evaluation"}

PREFIX = "wager_"


def _is_records(source: Source) -> bool:
    return source.kind in ("lines", "object", "list") and set(source.first) >= NEEDED


def _read(source: Source, options: Options, notes: set[str]) -> Iterator[Block]:
    ours = PREFIX + "outcome" in (source.first.get("metadata") or {})
    yield from in_blocks(_rows(source, options), rereads=not ours)


def _rows(source: Source, options: Options) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for place, record in source.records():
        lacking = NEEDED - set(record)
        if lacking:
            source.problems.append(f"{source.name}, {place}: expected the field {min(lacking)!r}, got none; left out")
            continue
        metadata = record.get("metadata") or {}
        yield _row(record, metadata, options), {name: metadata.get(name, record.get(name)) for name in options.keep}


def _row(record: Mapping[str, Any], metadata: Mapping[str, Any], options: Options) -> dict[str, Any]:
    given, usage, times = (record.get(name) or {} for name in ("input", "token_usage", "performance"))
    evaluation = record.get("evaluation") or {}
    reply = _reply(record)
    terminal = [one for one in record.get("answer_attribution") or [] if isinstance(one, dict) and one.get("is_terminal", True)]
    score, right = evaluation.get("score"), evaluation.get("is_correct")
    credit = None if right is None else float(bool(right))
    if isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1:
        credit = float(score)
    outcome: str = Outcome.UNGRADED if credit is None else Outcome.CORRECT if credit >= 0.5 else Outcome.INCORRECT
    if record.get("error"):
        outcome, credit = Outcome.FAILED, None
    elif not (reply or "").strip() and outcome == Outcome.INCORRECT:
        outcome, credit = MISSING, None
    milliseconds = next((times[name] for name in ("latency_ms", "generation_time_ms") if isinstance(times.get(name), int | float)), None)
    reference = given.get("reference")
    row: dict[str, Any] = {
        "task": str(record["evaluation_name"]),
        "model": str(record["model_id"]),
        "item": str(record["sample_id"]),
        "outcome": str(outcome),
        "credit": credit,
        "stratum": next((metadata[key] for key in ("stratum", "category", "subject") if isinstance(metadata.get(key), str)), None),
        "reply": reply,
        "reason": record.get("error"),
        "tokens_in": usage.get("input_tokens"),
        "tokens_out": usage.get("output_tokens"),
        "seconds": None if milliseconds is None else milliseconds / 1000,
    }
    if options.texts:
        row["question"] = given.get("raw")
        row["reference"] = [reference] if isinstance(reference, str) else list(reference or [])
        row["answer"] = str(terminal[-1]["extracted_value"]) if terminal and terminal[-1].get("extracted_value") is not None else None
    ours = {name.removeprefix(PREFIX): value for name, value in metadata.items() if name.startswith(PREFIX)}
    if "outcome" in ours:
        row |= {"credit": None, "reason": None, **ours, "answerable": ours.get("answerable") != "false"}
    return row


def _reply(record: Mapping[str, Any]) -> str | None:
    raw = (record.get("output") or {}).get("raw")
    if isinstance(raw, list):
        raw = raw[0] if raw else None
    if raw is None:
        spoken = [one for one in record.get("messages") or [] if isinstance(one, dict) and one.get("role") == "assistant"]
        raw = spoken[-1].get("content") if spoken else None
    return raw if isinstance(raw, str) else None


def write_every_eval_ever(table: AnswerTable, path: str | os.PathLike[str]) -> None:
    """Writes the answers as JSON lines of the instance-level schema; an existing file is replaced once the new one is complete.

    Args:
        table: of N answers; where it was read without its texts, the records hold empty ones.
        path: usually ``<id>_samples.jsonl`` beside an aggregate record.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        for answer in table:
            file.write(json.dumps(_record(answer), ensure_ascii=False) + "\n")


def _record(answer: Answer) -> dict[str, Any]:
    prompt = {"raw": answer.question or "", "reference": list(answer.reference)}
    metadata = {
        "outcome": answer.outcome.value,
        "credit": answer.credit,
        "arm": answer.arm,
        "target": answer.target,
        "sample": answer.sample,
        "answerable": "true" if answer.answerable else "false",
        "reason": answer.reason,
        **{f"confidence_{source.value}": value for source, value in answer.confidence.items()},
        "tokens_in": answer.tokens_in,
        "tokens_out": answer.tokens_out,
        "seconds": answer.seconds,
    }
    record: dict[str, Any] = {
        "schema_version": SCHEMA_WRITTEN,
        "evaluation_id": f"{answer.task}/{answer.model}",
        "model_id": answer.model,
        "evaluation_name": answer.task,
        "sample_id": answer.item,
        "sample_hash": hashlib.sha256(json.dumps(prompt, sort_keys=True, separators=(",", ":")).encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": prompt,
        "output": {"raw": [answer.reply] if answer.reply is not None else []},
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": answer.answer,
                "extraction_method": "wager",
                "is_terminal": True,
            }
        ]
        if answer.answer is not None
        else [],
        "evaluation": {"score": answer.credit or 0.0, "is_correct": answer.outcome is Outcome.CORRECT},
        "metadata": {PREFIX + name: str(value) for name, value in metadata.items() if value is not None},
    }
    if answer.stratum is not None:
        record["metadata"]["stratum"] = answer.stratum
    if answer.tokens_in is not None and answer.tokens_out is not None:
        total = answer.tokens_in + answer.tokens_out
        record["token_usage"] = {"input_tokens": answer.tokens_in, "output_tokens": answer.tokens_out, "total_tokens": total}
    if answer.outcome is Outcome.FAILED:
        record["error"] = answer.reason or "failed"
    if answer.seconds is not None:
        record["performance"] = {"latency_ms": answer.seconds * 1000}
    return record


formats.register("every-eval-ever")(Importer("every-eval-ever", _is_records, _read))
