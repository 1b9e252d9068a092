"""Running the arms of one task, resumably: Inspect's eval set does the work, one wrapped task per stated target."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inspect_ai import Task, eval_set
from inspect_ai.model import Model, get_model

from wager.errors import ModelError, OutputError, RunError, UsageError, WagerError
from wager.evals.collect import Collected, collect, sample_counts
from wager.evals.dials import told
from wager.evals.elicit import elicited
from wager.evals.progress import Progress, showing
from wager.evals.resolve import resolve_task
from wager.evals.rubric import open_rubric
from wager.evals.settings import EvalSettings

__all__ = ["one_line_errors", "run"]

RUN_FILE = "run.json"


@dataclass(frozen=True)
class Plan:
    """The runs of one evaluation, ready to start."""

    tasks: tuple[Task, ...]
    """One wrapped task per stated target."""
    model: Model
    """The model, created: a wrong key or file has failed before the first question."""
    items: tuple[str, ...]
    """The ids of the items, in order, after the limit."""
    questions: str
    """Digest of the whole data set: ids, inputs, options and accepted answers."""


def run(settings: EvalSettings, *, fresh: bool = False, progress: Progress | None = None) -> Collected:
    """Runs what is missing of an evaluation and gives all of its answers.

    Answers of an earlier run with the same settings in the same folder are kept; failed ones are asked again.

    Args:
        settings: what to run.
        fresh: delete the folder's earlier answers first.
        progress: shown while it runs.

    Raises:
        UsageError, DataError, ModelError: before the first call, if something is wrong with the settings.
        OutputError: the folder cannot be written.
        KeyboardInterrupt: stopped by the user; what was answered is in the folder, and the same call goes on.
    """
    with _claimed(settings.folder), one_line_errors(settings.task, settings.model):
        plan = _plan(settings)
    logs = _prepare(settings, plan, fresh)
    if progress is not None:
        progress.expect(len(plan.items) * settings.k * len(plan.tasks), sample_counts(logs, settings, set(plan.items)))
    with one_line_errors(settings.task, settings.model), showing(progress):
        _run_set(settings, plan, logs)
    return collect(logs, settings, plan.items)


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """The folder made before anything is fetched, so that one that cannot be made costs nothing; empty ones go again after an error."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error.strerror) from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for one in new:
                one.rmdir()
        raise


def _unusable(folder: Path, why: str | None) -> OutputError:
    return OutputError(f"cannot use the output folder {str(folder)!r}: {why}; choose another with --out")


def _plan(settings: EvalSettings) -> Plan:
    tasks = tuple(_wrapped(settings, target) for target in settings.stated_targets)
    model = get_model(
        settings.model,
        base_url=settings.model_base_url,
        **settings.model_args,
    )
    items = tuple(str(sample.id) for sample in tasks[0].dataset)[: settings.limit]
    asked = [(sample.id, sample.input, sample.choices, sample.target) for sample in resolve_task(settings.task, settings.task_args).dataset]
    return Plan(tasks, model, items, hashlib.sha256(repr(asked).encode()).hexdigest()[:16])


def _wrapped(settings: EvalSettings, target: float | None) -> Task:
    """Built anew for each target (Inspect's ``task_with`` changes what it is given); only arguments that are not the default are
    passed, so that a log's identity stays the same when we add one."""
    args: dict[str, Any] = {"task": settings.task}
    if target is not None:
        args["target"] = target
    if settings.task_args:
        args["task_args"] = settings.task_args
    for name in ("ask_confidence", "note_in_dataset", "headline"):
        if getattr(settings, name):
            args[name] = getattr(settings, name)
    made = elicited(**args, **settings.elicitation) if settings.methods else open_rubric(**args)
    for number, sample in enumerate(made.dataset, start=1):
        if sample.id is None:
            sample.id = number
    return made


def _prepare(settings: EvalSettings, plan: Plan, fresh: bool) -> Path:
    """The folder of the logs, after checking that what lies there belongs to this run."""
    folder, logs = settings.folder, settings.folder / "logs"
    record = folder / RUN_FILE
    try:
        if fresh and record.exists():
            shutil.rmtree(logs, ignore_errors=True)
        elif record.exists():
            _check_same(folder, json.loads(record.read_text(encoding="utf-8")), settings, plan)
        elif logs.exists() and any(logs.iterdir()):
            raise UsageError(f"{str(logs)!r} holds files of something else; choose another --out")
        logs.mkdir(parents=True, exist_ok=True)
        made = {
            "schema": 1,
            "identity": settings.identity,
            "questions": plan.questions,
            "wager": version("wager"),
            "inspect_ai": version("inspect_ai"),
        }
        record.write_text(json.dumps(made, indent=1, default=str), encoding="utf-8")
    except (OSError, json.JSONDecodeError, KeyError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{RUN_FILE} is damaged"
        raise _unusable(folder, why) from error
    return logs


def _check_same(folder: Path, record: dict[str, Any], settings: EvalSettings, plan: Plan) -> None:
    """Answers to other questions, or under other settings, are never mixed into one result."""
    before, now = record["identity"], json.loads(json.dumps(settings.identity, default=str))
    what_to_do = "choose another --out, or start over with --fresh"
    for key in now:
        if before.get(key) != now[key] and key == "steering":
            one, other = (told(run.get(key) or {}, hashes=True) or "nothing" for run in (before, now))
            raise UsageError(f"{str(folder)!r} holds a run steered by {one}, this one by {other}; {what_to_do}")
        if before.get(key) != now[key]:
            name = key.replace("_", " ")
            raise UsageError(f"{str(folder)!r} holds a run with {name} {before.get(key)!r}, this one has {now[key]!r}; {what_to_do}")
    if record.get("questions", plan.questions) != plan.questions:
        raise UsageError(f"{str(folder)!r} holds answers to other questions: the task's data set has changed since; {what_to_do}")


def _run_set(settings: EvalSettings, plan: Plan, logs: Path) -> None:
    options: dict[str, Any] = {
        "temperature": settings.sampling,
        "max_tokens": settings.max_tokens,
        "max_retries": settings.max_retries,
        "timeout": settings.timeout,
        "max_connections": settings.max_connections or (plan.model.api.max_connections() if settings.is_local else None),
    }
    if settings.methods and settings.is_local and not settings.is_steered:
        # a question for each slot: all its calls then go to the slot that has read it
        options["max_samples"] = plan.model.api.engine.settings.slots  # type: ignore[attr-defined]  # our own provider
    if settings.wants_logprobs:
        options |= {"logprobs": True, "top_logprobs": 1}
    eval_set(
        list(plan.tasks),
        log_dir=str(logs),
        log_dir_allow_dirty=True,  # another target of the same run may have its logs here
        model=plan.model,
        epochs=settings.k,
        limit=settings.limit,
        max_tasks=len(plan.tasks),  # all arms of one item are asked about together: they share a prefix
        fail_on_error=True,
        continue_on_fail=True,  # one failed item stops nothing, and marks the log for the next run
        retry_attempts=0,
        retry_immediate=False,
        score_display=False,
        display="none",
        ctl_server=False,
        **{name: value for name, value in options.items() if value is not None},
    )


@contextlib.contextmanager
def one_line_errors(task: str, model: str) -> Iterator[None]:
    """Inspect's errors before and between samples, as ours; its banner (standard output is for results) is not shown."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except (WagerError, KeyboardInterrupt):
        raise
    except SystemExit as stop:
        raise KeyboardInterrupt from stop
    except Exception as error:
        text = re.sub(r"\[/?[a-z ]+\]", "", str(getattr(error, "message", None) or error))
        line = " ".join(text.split()) or type(error).__name__
        kind = ModelError if model.partition("/")[0].lower() in line.lower() or "model" in line.lower() else RunError
        raise kind(f"{task} on {model}: {line[:600]}") from error
