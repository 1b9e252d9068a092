"""Inspect logs, ``.eval`` (a zip of JSON members) and ``.json``, read as files: Inspect itself is not needed.

A log that wager's own open-rubric task made holds outcome, credit and confidence, and these are taken over. Of any other log the
first scorer's value decides, by the rules of ``wager.evals.verdict``; an epoch is a sample.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from wager.answers import ConfidenceSource, Outcome
from wager.errors import DataError
from wager.grading.abstention import is_blank
from wager.grading.matching import normalise
from wager.importers.formats import Block, Importer, Options, formats, in_blocks
from wager.importers.settle import MISSING
from wager.importers.source import Source

__all__ = ["verdict_of_value"]

CREDIT_KEYS = ("correct", "score", "accuracy", "acc", "is_correct")
UNPARSED_REASONS = {"no_response", "invalid_response_format"}
UNGRADED_REASONS = {"grader_failed", "scoring_failed"}
GRADES = {"c": 1.0, "p": 0.5, "i": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)")

Verdict = tuple[str, float | None, str | None]
"""(outcome or ``missing``, credit of an answer, reason)."""


def verdict_of_value(score: Mapping[str, Any] | None) -> Verdict:
    """What the JSON of an Inspect score means: the rules of ``wager.evals.verdict.verdict_of`` without Inspect.

    Args:
        score: the object with ``value``, ``explanation``, ``metadata`` and perhaps ``reason``; None for no score.
    """
    if score is None:
        return Outcome.UNGRADED, None, "the scorer returned nothing"
    explanation, value, why = score.get("explanation"), score.get("value"), score.get("reason")
    if why in UNGRADED_REASONS:
        return Outcome.UNGRADED, None, explanation or why
    if why in UNPARSED_REASONS:
        return Outcome.UNPARSED, None, why
    if isinstance(value, Mapping):
        if _true(value.get("not_attempted")):
            return _not_attempted(score)
        found = [value[key] for key in CREDIT_KEYS if key in value]
        if not found:
            return Outcome.UNGRADED, None, f"the scorer gives {sorted(value)}, none of which is {' or '.join(CREDIT_KEYS)}"
        value = found[0]
    if isinstance(value, list):
        return Outcome.UNGRADED, None, f"the scorer gives a list of {len(value)} values"
    if value == "N":
        return Outcome.ABSTAINED, None, "the benchmark's own scorer says: not attempted"
    credit = _number(value)
    if credit is None:
        return Outcome.UNGRADED, None, f"the scorer gives {value!r}, which is no grade"
    if math.isnan(credit):
        return Outcome.UNGRADED, None, explanation or "the scorer gives NaN"
    if not 0 <= credit <= 1:
        return Outcome.UNGRADED, None, f"the scorer gives {credit:g}, outside [0, 1]"
    return (Outcome.CORRECT if credit >= 0.5 else Outcome.INCORRECT), credit, None


def _number(value: Any) -> float | None:
    if value is None:
        return math.nan
    if isinstance(value, bool | int | float):
        return float(value)
    word = str(value).strip().lower()
    if word in GRADES:
        return GRADES[word]
    return float(word) if NUMBER.fullmatch(word) else None


def _true(value: object) -> bool:
    return isinstance(value, bool | int | float) and not math.isnan(value) and value >= 1


def _not_attempted(score: Mapping[str, Any]) -> Verdict:
    raw = (score.get("metadata") or {}).get("grader_response")
    if isinstance(raw, str) and not re.search(r"\bC\b|NOT_ATTEMPTED", raw):
        return Outcome.UNGRADED, None, f"the grader's reply has no grade: {raw[:80]!r}"
    return Outcome.ABSTAINED, None, "the benchmark's own grader says: not attempted"


# the log


def _is_log(source: Source) -> bool:
    if source.kind == "archive":
        return _header_member(source) is not None
    if source.kind != "object" or b'"eval"' not in source.head:
        return False
    try:
        document = source.document
    except DataError:
        return True  # a log that was cut off is still a log
    return isinstance(document, dict) and isinstance(document.get("eval"), dict) and "model" in document["eval"]


def _header_member(source: Source) -> str | None:
    try:
        return next((name for name in ("header.json", "_journal/start.json") if name in source.members), None)
    except DataError:
        return None


def _samples(source: Source) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """(the log's ``eval`` part, its samples)."""
    if source.kind == "object":
        document = source.document
        samples = document.get("samples") or []
        return document["eval"], (sample for sample in samples if isinstance(sample, dict))
    name = _header_member(source)
    header = source.member(source.members[name]) if name else None
    evaluation = header.get("eval") if isinstance(header, dict) else None
    if not isinstance(evaluation, dict):
        raise DataError(f"{source.name}, member {name!r}: expected the part 'eval' of an Inspect log, got something else")
    infos = [info for member, info in source.members.items() if member.startswith("samples/") and member.endswith(".json")]
    return evaluation, (_sample(source, info) for info in infos)


def _sample(source: Source, info: Any) -> dict[str, Any]:
    sample = source.member(info)
    if not isinstance(sample, dict) or "id" not in sample:
        raise DataError(f"{source.name}, member {info.filename!r}: expected a sample with an id, got something else")
    return sample


def _read(source: Source, options: Options, notes: set[str]) -> Iterator[Block]:
    evaluation, samples = _samples(source)
    arguments = evaluation.get("task_args_passed") or evaluation.get("task_args") or {}
    ours = evaluation.get("task_registry_name") == "wager/open_rubric"
    target = arguments.get("target") if ours else None
    whole = {
        "task": str(arguments["task"]) if ours and "task" in arguments else options.task or str(evaluation.get("task") or "inspect"),
        "model": str(evaluation.get("model") or options.model or source.path.stem),
        "arm": "closed" if target is None else "open",
        "target": target,
    }
    rows = [_row(sample, whole, options, notes) for sample in samples]
    if not rows:
        raise DataError(f"{source.name}: the log holds no samples (status {str(evaluation.get('status') or 'unknown')!r})")
    order = {item: place for place, item in enumerate(map(str, (evaluation.get("dataset") or {}).get("sample_ids") or []))}
    rows.sort(key=lambda pair: (order.get(pair[0]["item"], len(order)), pair[0]["item"], pair[0]["sample"]))
    if ours:
        _add_agreement([row for row, _ in rows])
    for row, _ in rows:
        row.pop("meaning")
        if not options.texts:
            for name in ("question", "reference", "answer"):
                row.pop(name)
    yield from in_blocks(iter(rows), rereads=not ours)


def _row(sample: Mapping[str, Any], whole: Mapping[str, Any], options: Options, notes: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    scores = {name: score for name, score in (sample.get("scores") or {}).items() if isinstance(score, dict)}
    record = next((score["metadata"]["wager"] for score in scores.values() if "wager" in (score.get("metadata") or {})), None)
    score = next(iter(scores.values()), None)
    output = sample.get("output") or {}
    reply = _completion(output)
    error = (sample.get("error") or {}).get("message")
    if record is not None and not error:
        outcome, credit, reason = record["outcome"], record["credit"], record["reason"]
        confidence = {ConfidenceSource(name).value: float(value) for name, value in record["confidence"].items()}
    else:
        outcome, credit, reason = _verdict(score, reply, error)
        confidence = {}
        if len(scores) > 1:
            names = list(scores)
            notes.add(f"task {whole['task']!r} has {len(names)} scorers; the first, {names[0]!r}, decides")
    metadata = sample.get("metadata") or {}
    usage = output.get("usage") or {}
    answered = outcome in (Outcome.CORRECT, Outcome.INCORRECT)
    given = score.get("answer") if score and answered else None
    target = sample.get("target")
    stratum = metadata.get("stratum", metadata.get("category") if record is None else None)
    row = {
        **whole,
        "item": str(sample.get("id")),
        "sample": int(sample.get("epoch") or 1),
        "outcome": str(outcome),
        "credit": credit,
        "reason": reason,
        "question": _question(sample),
        "reference": [one for one in ([target] if isinstance(target, str) else target or []) if one],
        "answer": given,
        "reply": reply,
        "answerable": bool(metadata.get("answerable", True)),
        "stratum": str(stratum) if stratum is not None else None,
        **{f"confidence_{name}": value for name, value in confidence.items()},
        "tokens_in": usage["input_tokens"] + (usage.get("input_tokens_cache_read") or 0) if "input_tokens" in usage else None,
        "tokens_out": usage.get("output_tokens"),
        "seconds": output.get("time"),
        "labels": tuple(chr(ord("A") + place) for place in range(len(sample.get("choices") or []))),
        "meaning": normalise(given or reply or "") if answered else None,
    }
    return row, {name: metadata.get(name) for name in options.keep}


def _verdict(score: Mapping[str, Any] | None, reply: str | None, error: str | None) -> Verdict:
    """A failed call has no verdict; without a score a reply is ungraded; a reply that is blank, or unread by the scorer, is missing."""
    if error is not None or score is None:
        said = _first_line(error) if error is not None else "no verdict in the log"
        return (Outcome.UNGRADED if reply else Outcome.FAILED), None, said
    outcome, credit, reason = verdict_of_value(score)
    if outcome == Outcome.UNPARSED:
        return MISSING, None, reason
    if reply is not None and is_blank(reply) and outcome != Outcome.CORRECT:
        return MISSING, None, "no_response"
    return outcome, credit, reason


def _completion(output: Mapping[str, Any]) -> str | None:
    choices = output.get("choices") or []
    if not choices:
        return None
    if isinstance(output.get("completion"), str):
        return str(output["completion"])
    return _text((choices[0].get("message") or {}).get("content"))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content or [] if isinstance(part, dict) and part.get("type") == "text")


def _question(sample: Mapping[str, Any]) -> str:
    given = sample.get("input")
    said = given if isinstance(given, str) else "\n\n".join(_text(message.get("content")) for message in given or [])
    options = "\n".join(f"{chr(ord('A') + place)}) {option}" for place, option in enumerate(sample.get("choices") or []))
    return f"{said}\n\n{options}" if options else said


def _add_agreement(rows: list[dict[str, Any]]) -> None:
    """The share of an item's samples that gave the same answer, where at least two have a verdict, as a live run adds it."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["item"], []).append(row)
    for group in groups.values():
        scored = [row for row in group if row["outcome"] in (Outcome.CORRECT, Outcome.INCORRECT, Outcome.ABSTAINED)]
        meanings = Counter(row["meaning"] for row in scored)
        for row in group:
            if row["meaning"] is not None and len(scored) > 1:
                row["confidence_consistency"] = meanings[row["meaning"]] / len(scored)


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0][:300] if message.strip() else "unknown error"


formats.register("inspect")(Importer("inspect", _is_log, _read))
