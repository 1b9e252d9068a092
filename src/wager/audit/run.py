"""Auditing one task: its own solver, prompt and scorer on scripted replies, first to find the answer format, then for all kinds."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from inspect_ai import Epochs, Task, task_with
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import Model, get_model
from inspect_ai.scorer import Scorer
from inspect_ai.solver import Solver
from inspect_ai.util import registry_info

from wager.audit.feed import Replacement, fed, replaced
from wager.audit.judge import Judgement, findings_of, gains_of, payoffs_of
from wager.audit.loading import TaskSource, build, quiet
from wager.audit.replies import KINDS, answers_of
from wager.audit.results import Audit, Finding
from wager.audit.script import MODEL, NO_GRADE, Scene, current_scene, judged, scripted
from wager.audit.source import scan, sources_of
from wager.errors import RunError, UsageError
from wager.evals.rubric import ORDERS_AN_ANSWER
from wager.evals.tasks.records import records_of
from wager.targets import DEFAULT_TARGETS

__all__ = ["ACCURACIES", "audit"]

ACCURACIES = (0.25, 0.5, 0.75)
"""Accuracies at which guessing is compared with abstaining."""

FIRST_ATTEMPTS, ATTEMPTS = 3, 20
"""Answer formats tried at once, and at most: the others only where none of the first earned full marks."""

MESSAGES, SECONDS = 60, 60
"""What one sample may take: a scripted reply ends an agent's loop by one of them."""

SCRIPTED_GRADER = "scripted; says how the harness turns grades into points, not how a real grader behaves"


def audit(
    task: str,
    *,
    task_args: dict[str, Any] | None = None,
    limit: int = 5,
    items: Path | Sequence[dict[str, Any]] | None = None,
    accuracies: Sequence[float] = ACCURACIES,
    grader: str | None = None,
    scorer: str | None = None,
    key: str | None = None,
    sources: Sequence[Path] = (),
) -> Audit:
    """Whether a benchmark pays for bluffing.

    Args:
        task: a registered name or ``file.py@task``.
        task_args: arguments of that task.
        limit: how many items are tried.
        items: records in the format of the task's own data set, or a file of them, used instead of its download.
        accuracies: accuracies in [0, 1] at which guessing is compared with abstaining.
        grader: a real model for model-graded tasks; without it grades are scripted.
        scorer: name of the scorer to audit, where the task has several; the first by default.
        key: which entry counts, where the scorer gives several values.
        sources: more source files of the harness to scan.

    Raises:
        UsageError, UnknownNameError, DataError: what was asked for cannot be audited; one line says why and what to do.
        RunError: nothing could be run.
    """
    _check(limit, accuracies)
    records = records_of(items) if isinstance(items, Path) else items
    where = "none" if items is None else (f"{str(items)!r}" if isinstance(items, Path) else "the given records")
    source = TaskSource(task)
    with fed(records, source.modules), replaced(_graders(source, grader)):
        made = build(source, task_args or {}, None if items is None else where)
        inner, chosen, names = _parts(made, task, scorer)
        samples = _chosen(made, limit)
        scenes = _play(made, inner, chosen, samples, grader, key)
    _check_acts(task, scenes)
    orders = _orders(scenes)
    judgement = Judgement(scenes)
    payoffs = payoffs_of(judgement)
    remedy = _remedy(source.spec, task, task_args or {})
    findings = findings_of(judgement, payoffs, orders, remedy)
    files = [*(sources_of(source.file) if source.file and source.file.is_file() else ()), *sources]
    findings = sorted([*findings, *scan(files)], key=lambda finding: ("high", "medium", "low", "info").index(finding.severity))
    findings += _notes(scenes, names, chosen, grader)
    asked = sum(scene.grader_calls for scene in scenes)
    return Audit(
        task=source.spec,
        method=_method(registry_info(chosen).name, scenes, asked > 0),
        scorer=names[_index(names, scorer)],
        scorers=tuple(names),
        n_items=len(samples),
        items_from="the task's own data set" if items is None else where,
        answer_format=", ".join(dict.fromkeys(s.how.name for s in judgement.by_kind["right"] if s.how and s.credit is not None))
        or "unknown",
        binary=judgement.binary,
        idk_credit=judgement.idk_credit,
        threshold=judgement.threshold,
        payoffs=payoffs,
        gains=gains_of(judgement, accuracies),
        orders=tuple(orders),
        grader=(grader or SCRIPTED_GRADER) if asked else None,
        findings=tuple(findings),
        remedy=remedy,
        versions=_versions(),
    )


def _check(limit: int, accuracies: Sequence[float]) -> None:
    if limit < 1:
        raise UsageError(f"an audit needs at least one item, got --limit {limit}")
    for p in accuracies:
        if not 0 <= p <= 1:
            raise UsageError(f"an accuracy lies in [0, 1], got {p!r}")


def _check_acts(task: str, scenes: Sequence[Scene]) -> None:
    """A scripted reply says something; it cannot act."""
    tools = sorted({tool for scene in scenes for tool in scene.tools})
    if tools and any((scene.credit or 0.0) < 1 for scene in scenes if scene.kind == "right"):
        shown = ", ".join(tools[:4]) + (", ..." if len(tools) > 4 else "")
        raise UsageError(
            f"the task {task!r} wants its model to act with tools ({shown}); scripted replies only speak, so it cannot be audited"
        )


def _parts(made: Task, task: str, scorer: str | None) -> tuple[Solver, Scorer, list[str]]:
    """The solver and the scorer that are audited, and the names of all scorers."""
    scorers = list(made.scorer or [])
    if not scorers:
        raise UsageError(f"the task {task!r} has no scorer, so nothing says what is right and nothing can be audited")
    if made.sandbox is not None or any(sample.sandbox is not None for sample in made.dataset):
        kind = str(
            getattr(made.sandbox, "type", None) or next((getattr(s.sandbox, "type", s.sandbox) for s in made.dataset if s.sandbox), "")
        )
        raise UsageError(f"the task {task!r} runs in a sandbox ({kind}); wager audit starts no containers, so it cannot be audited")
    names: list[str] = []
    for one in scorers:
        name = registry_info(one).name.rpartition("/")[2]
        names.append(name if name not in names else f"{name}{len(names) + 1}")
    if scorer is not None and scorer not in names:
        raise UsageError(f"the task {task!r} has no scorer named {scorer!r}; it has {', '.join(names)}")
    return made.solver, scorers[_index(names, scorer)], names


def _index(names: Sequence[str], scorer: str | None) -> int:
    return names.index(scorer) if scorer else 0


def _chosen(made: Task, limit: int) -> list[Sample]:
    """The first items; with nine options or more, one whose answer is option I among them ("I'm not sure" starts with that letter)."""
    samples = list(made.dataset)
    for number, sample in enumerate(samples, start=1):
        if sample.id is None:
            sample.id = number
    chosen = samples[:limit]
    with_i = next((sample for sample in samples[limit:] if _gold_is_i(sample)), None)
    if limit > 1 and with_i is not None and not any(_gold_is_i(sample) for sample in chosen):
        chosen[-1] = with_i
    return chosen


def _gold_is_i(sample: Sample) -> bool:
    return len(sample.choices or ()) >= 9 and sample.target in ("I", ["I"])


def _play(made: Task, inner: Solver, chosen: Scorer, samples: list[Sample], grader: str | None, key: str | None) -> list[Scene]:
    """All scenes: right replies in several formats, then every other kind in the format that earned the most."""
    answers = {str(sample.id): answers_of(sample, samples) for sample in samples}
    tries: dict[str, list[Scene]] = {name: [] for name in answers}
    for attempts in (range(FIRST_ATTEMPTS), range(FIRST_ATTEMPTS, ATTEMPTS)):
        open_items = [sample for sample in samples if not any((scene.credit or 0.0) >= 1 for scene in tries[str(sample.id)])]
        if not open_items:
            break
        scenes = {
            (str(sample.id), epoch): Scene(sample, answers[str(sample.id)], "right", attempt, real_grader=grader is not None)
            for sample in open_items
            for epoch, attempt in enumerate(attempts, start=1)
        }
        _run(made, inner, chosen, open_items, scenes, grader, key)
        for (name, _), scene in scenes.items():
            tries[name].append(scene)
    best = {name: _best(found) for name, found in tries.items()}
    kinds = [kind for kind in KINDS if kind != "right"]
    others = {
        (str(sample.id), epoch): Scene(sample, answers[str(sample.id)], kind, how=best[str(sample.id)].how, real_grader=grader is not None)
        for sample in samples
        for epoch, kind in enumerate(kinds, start=1)
    }
    _run(made, inner, chosen, samples, others, grader, key)
    return [*best.values(), *others.values()]


def _best(scenes: Sequence[Scene]) -> Scene:
    """The first format that earned the most; without any grade, the first one."""
    graded = [scene for scene in scenes if scene.credit is not None]
    if not graded:
        return next((scene for scene in scenes if scene.reply is not None), scenes[0])
    most = max(scene.credit or 0.0 for scene in graded)
    return next(scene for scene in graded if (scene.credit or 0.0) >= most)


def _run(
    made: Task,
    inner: Solver,
    chosen: Scorer,
    samples: list[Sample],
    scenes: dict[tuple[str, int], Scene],
    grader: str | None,
    key: str | None,
) -> None:
    epochs = max(epoch for _, epoch in scenes)
    play = task_with(
        made,
        dataset=MemoryDataset([sample.model_copy(deep=True) for sample in samples]),
        solver=scripted(inner, scenes),
        scorer=judged(chosen, scenes, key),
        metrics=None,
        epochs=Epochs(epochs, "mean"),
        message_limit=MESSAGES,
        time_limit=SECONDS,
    )
    play.model, play.model_roles = None, None
    roles: dict[str, str | Model] = {"grader": grader or MODEL}
    with tempfile.TemporaryDirectory() as folder, quiet(), _one_line(made.name):
        (log,) = inspect_eval(
            play,
            model=get_model(MODEL, memoize=False),
            model_roles=roles,
            epochs=Epochs(epochs, "mean"),
            log_dir=folder,
            display="none",
            fail_on_error=False,
            score_display=False,
            log_samples=False,
            log_realtime=False,
            ctl_server=False,
        )
    if all(scene.reply is None and not scene.prompt for scene in scenes.values()):
        why = next((scene.why for scene in scenes.values() if scene.why), "") or (
            log.error.message if log.error else "the model was never asked"
        )
        raise RunError(f"{made.name}: no item could be run: {' '.join(why.split())[:300]}")


@contextlib.contextmanager
def _one_line(name: str) -> Iterator[None]:
    try:
        yield
    except SystemExit as stop:
        raise KeyboardInterrupt from stop
    except Exception as error:
        raise RunError(f"{name}: {' '.join(str(error).split())[:300] or type(error).__name__}") from error


def _graders(source: TaskSource, grader: str | None) -> list[Replacement]:
    """``get_model`` as the task's modules see it: a grader that the task names is scripted, unless the user gave one."""
    homes = [import_module(name) for name in ("inspect_ai.model", "inspect_ai.scorer._model")]
    modules = [module for module in [*source.modules(), *homes] if callable(vars(module).get("get_model"))]
    return [(module, "get_model", _stand_in(vars(module)["get_model"], grader)) for module in dict.fromkeys(modules)]


def _stand_in(original: Callable[..., Model], grader: str | None) -> Callable[..., Any]:
    """What is called instead of ``get_model``."""

    def get(model: Any = None, **options: Any) -> Any:  # Any: takes whatever get_model takes
        role = options.get("role")
        scene = current_scene()
        if scene is not None and scene.scoring:
            scene.grader_calls += 1
        if model is None and role is None:
            try:
                return original(**options)
            except ValueError:  # a task that looks at its model while it is built
                return original(MODEL)
        if isinstance(model, Model):
            return original(model, **options)
        if grader is not None:
            return original(model, **options) if model is not None else original(role="grader")
        return original(MODEL)

    return get


def _orders(scenes: Sequence[Scene]) -> list[str]:
    found = [match.group(0).strip() for scene in scenes for match in ORDERS_AN_ANSWER.finditer(scene.prompt)]
    return list(dict.fromkeys(line for line in found if "if you know" not in line.lower()))[:5]


METHODS = {
    "choice": "multiple-choice accuracy",
    "match": "text match",
    "includes": "reference text included",
    "answer": "text match of the answer line",
    "pattern": "pattern match",
    "exact": "exact match",
    "f1": "word overlap (F1)",
    "math": "equivalence of expressions",
}


def _method(name: str, scenes: Sequence[Scene], asks_a_model: bool) -> str:
    """How a task scores, in words."""
    short = name.rpartition("/")[2]
    if asks_a_model:
        return f"graded by a model ({short})"
    if short in METHODS:
        return METHODS[short]
    with_options = sum(bool(scene.answers.gold) for scene in scenes if scene.kind == "right")
    total = sum(scene.kind == "right" for scene in scenes)
    form = "multiple choice" if with_options == total else "multiple choice and text" if with_options else "own rules"
    return f"{form} ({short})"


def _notes(scenes: Sequence[Scene], names: list[str], chosen: Scorer, grader: str | None) -> list[Finding]:
    notes = []
    if len(names) > 1:
        own = registry_info(chosen).name.rpartition("/")[2]
        notes.append(
            Finding("info", f"the task has {len(names)} scorers ({', '.join(names)}); this is {own}", remedy="choose with --scorer NAME")
        )
    counted = next((scene for scene in scenes if scene.key is not None), None)
    if counted is not None:
        title = f"the scorer gives several values ({counted.value}); the credit shown is {counted.key!r}"
        notes.append(Finding("info", title, remedy="choose with --key NAME"))
    if any(scene.why == NO_GRADE for scene in scenes):
        title = "the scripted grader does not know the format in which grades are asked for; what it would earn is unknown"
        notes.append(Finding("info", title, remedy="name a real grader with --grader MODEL"))
    return notes


def _remedy(spec: str, given: str, args: dict[str, Any]) -> str:
    name = given if given.partition("@")[0].endswith(".py") else spec.removeprefix("wager/")
    more = "".join(f" -T {key}={value}" for key, value in args.items() if not isinstance(value, dict | list))
    return f"wager eval {name}{more} --targets {' '.join(f'{t:g}' for t in DEFAULT_TARGETS)}"


def _versions() -> dict[str, str]:
    found = {}
    for name in ("wager", "inspect_ai", "inspect_evals"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
