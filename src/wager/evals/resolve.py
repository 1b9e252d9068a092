"""Finding the task and the model that a user names, with the nearest names when there is none."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from inspect_ai import Task
from inspect_ai.util import registry_create, registry_info

from wager.errors import DataError, MissingExtraError, UnknownNameError, UsageError

__all__ = ["canonical_task", "resolve_model", "resolve_task"]

OWN_TASKS = ("birthdays", "capitals", "letters", "questions")
"""Our tasks, which need no package prefix."""

EVALS_PACKAGES = {"inspect_evals": "inspect-evals"}
"""Packages of tasks that are worth naming when they are not installed."""


def canonical_task(spec: str) -> str:
    """The full name of a task: ``capitals`` is ``wager/capitals``, a file's path is made absolute."""
    if spec in OWN_TASKS:
        return f"wager/{spec}"
    path, at, name = spec.rpartition("@")
    file = Path(path if at else spec)
    if file.suffix == ".py":
        if not file.is_file():
            raise UsageError(f"no task file at {str(file)!r}; write it as path/to/file.py@task_name")
        return f"{file.resolve()}{at}{name if at else ''}"
    return spec


def resolve_task(spec: str, args: dict[str, Any]) -> Task:
    """A new instance of the named task.

    Raises:
        UnknownNameError: no such task; the nearest names are in the message.
        UsageError: arguments that the task does not take, or a data set without samples.
        MissingExtraError: the package that holds the task is not installed.
    """
    spec = canonical_task(spec)
    path, at, name = spec.rpartition("@")
    if Path(path if at else spec).suffix == ".py":
        made = _from_file(Path(path if at else spec), name if at else None, args)
    else:
        made = _from_registry(spec, args)
    if len(made.dataset) == 0:
        raise DataError(f"the task {spec!r} has no samples; there is nothing to ask")
    return made


def _from_registry(spec: str, args: dict[str, Any]) -> Task:
    package, slash, short = spec.partition("/")
    if not slash:
        raise UnknownNameError("task", spec, OWN_TASKS, hint="Others are written package/task or path/to/file.py@task")
    module = _extension(package)
    known = {name: thing for name, thing in vars(module).items() if _is_task(thing)}
    if short not in known:
        raise UnknownNameError("task", spec, (f"{package}/{name}" for name in known))
    _check_arguments(spec, known[short], args)
    made = registry_create("task", spec, **args)
    if not isinstance(made, Task):
        raise UsageError(f"{spec!r} gives {type(made).__name__}, not one task")
    return made


def _extension(package: str) -> ModuleType:
    """The registry module of an installed Inspect extension. Importing one can take many seconds: only the one that is named."""
    entries = {entry.name: entry for entry in entry_points(group="inspect_ai")}
    if package not in entries:
        if package in EVALS_PACKAGES:
            raise UsageError(f"the tasks of {package!r} are not installed: run  python -m pip install {EVALS_PACKAGES[package]}")
        raise UnknownNameError("package of tasks", package, {*entries, *EVALS_PACKAGES})
    try:
        return importlib.import_module(entries[package].module)
    except ImportError as error:
        raise UsageError(f"the tasks of {package!r} cannot be loaded: {error}") from error


def _from_file(file: Path, name: str | None, args: dict[str, Any]) -> Task:
    module_name = f"wager_task_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    with _inside(file.parent):
        module = sys.modules.get(module_name)
        if module is None:
            spec = importlib.util.spec_from_file_location(module_name, file)
            if spec is None or spec.loader is None:
                raise UsageError(f"{str(file)!r} is not a Python file")
            module = importlib.util.module_from_spec(spec)
            sys.modules[module_name] = module
            try:
                spec.loader.exec_module(module)
            except Exception as error:
                del sys.modules[module_name]
                raise UsageError(f"the task file {str(file)!r} cannot be loaded: {type(error).__name__}: {error}") from error
        known = {key: thing for key, thing in vars(module).items() if _is_task(thing) and thing.__module__ == module_name}
        if name is None and len(known) == 1:
            name = next(iter(known))
        if name is None:
            raise UsageError(f"{str(file)!r} holds {len(known)} tasks ({', '.join(sorted(known)) or 'none'}); name one as file.py@task")
        if name not in known:
            raise UnknownNameError(f"task in {str(file)!r}", name, known)
        _check_arguments(name, known[name], args)
        made = known[name](**args)
    if not isinstance(made, Task):
        raise UsageError(f"{name!r} gives {type(made).__name__}, not one task")
    return made


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Task files read data and import modules that lie beside them, as they do under Inspect."""
    sys.path.insert(0, str(folder))
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.path.remove(str(folder))


def _is_task(thing: object) -> bool:
    try:
        return callable(thing) and registry_info(thing).type == "task"
    except ValueError:
        return False


def _check_arguments(spec: str, factory: Callable[..., Any], args: dict[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name in args:
        if name not in parameters:
            raise UnknownNameError(f"argument of the task {spec}", name, parameters, hint="Arguments are given as -T name=value")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in args and parameter.kind is not parameter.VAR_POSITIONAL:
            raise UsageError(f"the task {spec!r} needs the argument {name!r}: give it as -T {name}=VALUE")


def resolve_model(name: str) -> str:
    """The model name as Inspect spells it: ``embedded`` is the embedded model, ``gguf/PATH`` gets an absolute path.

    Raises:
        UnknownNameError: no such provider.
        UsageError: a model behind an API is to be steered.
        MissingExtraError: the embedded engine is not installed.
    """
    if name == "embedded":
        name = "embedded/smollm2-135m-instruct"
    provider, slash, rest = name.partition("/")
    if provider == "steered":
        from wager.evals.dials import steerable

        return f"steered/{steerable(rest)}"
    if provider in ("embedded", "gguf") and importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtraError("xllamacpp", "embedded", "the embedded model")
    if provider == "gguf":
        if not rest:
            raise UsageError("a GGUF model is named gguf/PATH, such as gguf/models/my-model.gguf")
        return f"gguf/{Path(rest).expanduser().resolve()}"
    if not slash:
        raise UnknownNameError("model", name, ("embedded", *PROVIDERS), hint="A model is written provider/name, such as openai/gpt-4o-mini")
    return name


PROVIDERS = (
    "anthropic/", "azureai/", "bedrock/", "cloudflare/", "deepseek/", "embedded", "fireworks/", "gguf/", "google/", "grok/", "groq/", "hf/",
    "llama-cpp-python/", "mistral/", "mockllm/", "nnterp/", "ollama/", "openai-api/", "openai/", "openrouter/", "perplexity/", "sglang/",
    "steered/", "together/", "transformer_lens/", "vllm/",
)  # fmt: skip
"""Provider prefixes, for messages only: Inspect decides what it knows."""
