"""From Inspect logs to an AnswerTable. Live runs and resumed runs pass through here alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log, read_eval_log_sample_summaries

from wager.answers import Answer, ConfidenceSource, Outcome
from wager.elicit.evidence import Cost
from wager.evals.settings import EvalSettings
from wager.evals.steered import METADATA as STEERING
from wager.grading.matching import normalise
from wager.table import AnswerTable
from wager.targets import PROMPT_VERSION

__all__ = ["Collected", "collect", "sample_counts"]


@dataclass(frozen=True)
class Collected:
    """All answers of a run, and what it took."""

    table: AnswerTable
    """One row per item, sample, arm and stated target."""
    missing: int
    """Answers that were planned and not asked for yet."""
    interrupted: bool
    """Whether the run was stopped by the user."""
    calls: int
    """Samples that were run."""
    tokens_in: int
    """Tokens read by the evaluated model, cached ones included."""
    tokens_cached: int
    """Those of them that came from a prefix cache."""
    tokens_out: int
    """Tokens written by the evaluated model."""
    cost: float | None
    """In dollars, where the provider says."""
    conflicts: tuple[tuple[str, int], ...]
    """Lines of the benchmark's own prompt that order an answer or a format, and how many prompts have them."""
    errors: tuple[tuple[str, int], ...]
    """Messages of failed answers, most frequent first."""
    headline: str | None
    """The scorer that decided."""
    costs: Mapping[str, Cost]
    """What each kind of draw took, by `wager.elicit.evidence.Draw`, where confidences were elicited."""
    problems: Mapping[str, Mapping[str, int]]
    """By source of confidence: why there was none, and how often."""
    pushed: tuple[int, int] | None = None
    """Of a steered model's answers: how many were pushed, and how many there are. None for another model."""


def collect(logs: Path, settings: EvalSettings, items: Sequence[str]) -> Collected:
    """Reads every log of this run under ``logs``.

    Args:
        logs: the folder of the Inspect logs.
        settings: of the run.
        items: ids of the items that belong to it, after the limit.
    """
    wanted = set(items)
    answers: list[Answer] = []
    samples: list[EvalSample] = []
    found = _latest(logs, settings)
    for target, log in found.items():
        of_run = [sample for sample in log.samples or [] if str(sample.id) in wanted and sample.epoch <= settings.k]
        samples += of_run
        answers += [_answer(sample, settings, target) for sample in of_run]
    if settings.k > 1:
        answers = _with_agreement(answers)
    if "consistency" in settings.arms:
        answers += _consistency(answers)
    if "closed" not in settings.arms:
        answers = [answer for answer in answers if answer.arm != "closed"]
    order = {item: position for position, item in enumerate(items)}
    answers.sort(key=lambda a: (a.arm, -1.0 if a.target is None else a.target, order[a.item], a.sample))
    table = AnswerTable.from_answers(
        answers,
        prompt_version=PROMPT_VERSION,
        settings=settings.identity,
        packages={name: version(name) for name in ("wager", "inspect_ai")},
    )
    records = [_record(sample) for sample in samples]
    usage = [sample.output.usage for sample in samples if sample.output.usage]
    costs = [one.total_cost for sample in samples for one in sample.model_usage.values() if one.total_cost is not None]
    failed = Counter(_first_line(sample.error.message) for sample in samples if sample.error)
    return Collected(
        table=table,
        missing=len(items) * settings.k * len(settings.stated_targets) - len(samples),
        interrupted=any(log.status == "cancelled" for log in found.values()),
        calls=len(samples),
        tokens_in=sum(u.input_tokens + (u.input_tokens_cache_read or 0) + (u.input_tokens_cache_write or 0) for u in usage),
        tokens_cached=sum(u.input_tokens_cache_read or 0 for u in usage),
        tokens_out=sum(u.output_tokens for u in usage),
        cost=sum(costs) if costs else None,
        conflicts=tuple(Counter(record["conflict"][:100] for record in records if record.get("conflict")).most_common(20)),
        errors=tuple(failed.most_common()),
        headline=next((record["headline"] for record in records if "headline" in record), None),
        costs=_costs(records),
        problems=_problems(records),
        pushed=_pushed(samples) if settings.is_steered else None,
    )


def _pushed(samples: Sequence[EvalSample]) -> tuple[int, int]:
    done = [told for sample in samples if (told := (sample.output.metadata or {}).get(STEERING)) is not None]
    return sum(bool(one["pushed"]) for one in done), len(done)


def _costs(records: Sequence[dict[str, Any]]) -> dict[str, Cost]:
    total: dict[str, Cost] = {}
    for record in records:
        for name, cost in record.get("costs", {}).items():
            total[name] = total.get(name, Cost()) + Cost(**cost)
    return total


def _problems(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    found = Counter((source, problem) for record in records for source, problem in record.get("problems", {}).items())
    sources = {source for source, _ in found}
    return {one: {problem: count for (source, problem), count in found.most_common() if source == one} for one in sorted(sources)}


def sample_counts(logs: Path, settings: EvalSettings, items: set[str]) -> int:
    """How many samples of this run are answered in the logs already."""
    count = 0
    for log in _latest(logs, settings, header_only=True).values():
        for summary in read_eval_log_sample_summaries(log.location):
            count += str(summary.id) in items and summary.epoch <= settings.k and summary.completed and not summary.error
    return count


def _latest(logs: Path, settings: EvalSettings, *, header_only: bool = False) -> dict[float | None, EvalLog]:
    """The newest log of each stated target of this run."""
    found: dict[float | None, EvalLog] = {}
    for info in list_eval_logs(str(logs)):  # newest first
        header = read_eval_log(info, header_only=True)
        args = header.eval.task_args_passed
        target = args.get("target")
        if args.get("task") == settings.task and target in settings.stated_targets and target not in found:
            found[target] = header if header_only else read_eval_log(info)
    return dict(sorted(found.items(), key=lambda pair: -1.0 if pair[0] is None else pair[0]))


def _record(sample: EvalSample) -> dict[str, Any]:
    for score in (sample.scores or {}).values():
        if score.metadata and "wager" in score.metadata:
            return dict(score.metadata["wager"])
    return {}


def _answer(sample: EvalSample, settings: EvalSettings, target: float | None) -> Answer:
    record = _record(sample)
    reply = sample.output.completion if sample.output.choices else None
    if sample.error or not record:
        outcome = Outcome.UNGRADED if reply else Outcome.FAILED
        record = {
            "credit": None,
            "confidence": {},
            "reason": _first_line(sample.error.message) if sample.error else "no verdict in the log",
        }
    else:
        outcome = Outcome(record["outcome"])
    score = next(iter((sample.scores or {}).values()), None)
    usage = sample.output.usage
    stratum = sample.metadata.get("stratum")
    return Answer(
        task=settings.task,
        model=settings.named,
        item=str(sample.id),
        outcome=outcome,
        credit=record["credit"],
        arm="closed" if target is None else "open",
        target=target,
        sample=sample.epoch,
        question=_question(sample),
        reference=tuple(one for one in ([sample.target] if isinstance(sample.target, str) else sample.target) if one),
        answer=score.answer if score and outcome.is_answer else None,
        reply=reply,
        answerable=bool(sample.metadata.get("answerable", True)),
        stratum=str(stratum) if stratum is not None else None,
        confidence={ConfidenceSource(source): float(value) for source, value in record["confidence"].items()},
        reason=record["reason"],
        tokens_in=usage.input_tokens + (usage.input_tokens_cache_read or 0) if usage else None,
        tokens_out=usage.output_tokens if usage else None,
        seconds=sample.output.time,
    )


def _question(sample: EvalSample) -> str:
    text = sample.input if isinstance(sample.input, str) else "\n\n".join(message.text for message in sample.input)
    options = "\n".join(f"{chr(ord('A') + position)}) {option}" for position, option in enumerate(sample.choices or []))
    return f"{text}\n\n{options}" if options else text


def _by_item(answers: Iterable[Answer]) -> dict[tuple[str, float | None, str], list[Answer]]:
    grouped: dict[tuple[str, float | None, str], list[Answer]] = {}
    for answer in answers:
        grouped.setdefault((answer.arm, answer.target, answer.item), []).append(answer)
    return grouped


def _meaning(answer: Answer) -> str:
    return normalise(answer.answer or answer.reply or "", "text")


def _with_agreement(answers: list[Answer]) -> list[Answer]:
    """Each answer with the share of its item's samples that gave the same answer, where at least two samples have a verdict."""
    shared: list[Answer] = []
    for group in _by_item(answers).values():
        scored = [answer for answer in group if answer.outcome.is_scored]
        meanings = Counter(_meaning(answer) for answer in scored if answer.outcome.is_answer)
        for answer in group:
            if answer.outcome.is_answer and len(scored) > 1:
                share = meanings[_meaning(answer)] / len(scored)
                answer = replace(answer, confidence={**answer.confidence, ConfidenceSource.CONSISTENCY: share})
            shared.append(answer)
    return shared


def _consistency(answers: list[Answer]) -> list[Answer]:
    """One answer per item: what its closed samples say if all agree, else an abstention; a state where a sample has none."""
    rows = []
    for group in _by_item(answer for answer in answers if answer.arm == "closed").values():
        first = min(group, key=lambda answer: answer.sample)
        states = [answer for answer in group if not answer.outcome.is_scored]
        if states:
            rows.append(replace(first, arm="consistency", outcome=states[0].outcome, credit=None, answer=None, reason=states[0].reason))
        elif all(answer.outcome.is_answer for answer in group) and len({_meaning(answer) for answer in group}) == 1:
            rows.append(replace(first, arm="consistency", reason=f"{len(group)} samples agree"))
        else:
            said = " | ".join(answer.answer or answer.reply or "" for answer in group)
            rows.append(
                replace(
                    first,
                    arm="consistency",
                    outcome=Outcome.ABSTAINED,
                    credit=None,
                    answer=None,
                    confidence={},
                    reason=f"{len(group)} samples disagree: {said[:200]}",
                )
            )
    return rows


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "unknown error"
