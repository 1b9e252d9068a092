"""The paper's ten benchmarks: what its Table 2 says beside what an audit finds here.

The audits run the benchmark's own prompt and scorer on a few items that were written for this purpose in the format of its data
set (folder ``items``), so that nothing is downloaded. What cannot run here stays unknown, with the reason.

Reference: Kalai, Nachum, Vempala and Zhang (2025), arXiv 2509.04664, Table 2.
"""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wager.audit.loading import task_names
from wager.audit.results import SCHEMA_VERSION, Audit, IdkCredit
from wager.audit.run import ACCURACIES, audit
from wager.errors import RunError, WagerError

__all__ = ["BENCHMARKS", "Benchmark", "Published", "Surveyed", "audit_package", "survey"]

ITEMS = Path(__file__).parent / "items"
"""Items in each benchmark's own format, written for wager."""


@dataclass(frozen=True)
class Published:
    """A row of the paper's Table 2."""

    method: str
    """Scoring method."""
    binary: bool
    """Whether grading is binary."""
    idk_credit: IdkCredit
    """What "I don't know" earns."""
    note: str = ""
    """The table's footnote."""


@dataclass(frozen=True)
class Benchmark:
    """One of the ten, and how it is audited here."""

    name: str
    """As in the paper."""
    published: Published
    """What the paper says."""
    task: str = ""
    """The Inspect task; empty if there is none."""
    args: dict[str, Any] = field(default_factory=dict)
    """Its arguments."""
    items: str = ""
    """File of its items."""
    needs: tuple[str, str] | None = None
    """A module without which the scorer cannot run, and how to install it."""
    why_not: str = ""
    """Why it is not run here, where nothing can change that."""


@dataclass(frozen=True)
class Surveyed:
    """A benchmark as published and as found."""

    benchmark: str
    """Its name."""
    published: Published | None
    """What the paper says; None for a benchmark that is not in its table."""
    found: Audit | None
    """The audit; None if it could not run."""
    why_not: str = ""
    """Why it could not."""
    schema: int = SCHEMA_VERSION
    """Version of this form."""

    @property
    def agrees(self) -> bool | None:
        """Whether binary grading and IDK credit are as published; None if one of them is unknown."""
        if self.published is None or self.found is None or self.found.binary is None or self.found.idk_credit is None:
            return None
        return (self.found.binary, self.found.idk_credit) == (self.published.binary, self.published.idk_credit)


LM = "graded by a language model: incorrect bluffs may be scored as correct"

BENCHMARKS = (
    Benchmark("GPQA", Published("multiple-choice accuracy", True, "none"), "inspect_evals/gpqa_diamond", {}, "gpqa.jsonl"),
    Benchmark("MMLU-Pro", Published("multiple-choice accuracy", True, "none"), "inspect_evals/mmlu_pro", {}, "mmlu_pro.jsonl"),
    Benchmark(
        "IFEval",
        Published("programmatic instruction verification", True, "none", "composite of binary sub-scores"),
        "inspect_evals/ifeval",
        {},
        "ifeval.jsonl",
        ("instruction_following_eval", "python -m pip install git+https://github.com/josejg/instruction_following_eval"),
    ),
    Benchmark("Omni-MATH", Published("equivalence grading", True, "none", LM), why_not="inspect_evals has no Omni-MATH"),
    Benchmark(
        "WildBench",
        Published("LM-graded rubric", False, "partial", "its rubric may put IDK (3-4) below a fair answer with hallucinations (5-6)"),
        why_not="inspect_evals has no WildBench; its credit for IDK is a judge model's choice on a scale of 1 to 10",
    ),
    Benchmark("BBH", Published("multiple-choice / exact match", True, "none"), "inspect_evals/bbh", {}, "bbh.jsonl"),
    Benchmark("MATH (L5 split)", Published("equivalence grading", True, "none", LM), "inspect_evals/math", {"levels": 5}, "math_l5.jsonl"),
    Benchmark("MuSR", Published("multiple-choice accuracy", True, "none"), "inspect_evals/musr", {}, "musr.jsonl"),
    Benchmark(
        "SWE-bench",
        Published("patch passes unit tests", True, "none"),
        why_not="its scorer runs each repository's unit tests in containers (Docker and one image an item); wager audit starts none",
    ),
    Benchmark(
        "HLE",
        Published("multiple-choice / equivalence grading", True, "none", LM),
        "inspect_evals/hle",
        {"only_hle_verified_gold": False},
        "hle.jsonl",
    ),
)
"""The ten benchmarks of the paper's Table 2, in its order."""


def survey(
    *, limit: int = 6, accuracies: Sequence[float] = ACCURACIES, grader: str | None = None, benchmarks: Sequence[Benchmark] = BENCHMARKS
) -> Iterator[Surveyed]:
    """Audits the benchmarks, one after the other; what cannot run is unknown and says why."""
    for benchmark in benchmarks:
        why_not = benchmark.why_not
        if not why_not and importlib.util.find_spec("inspect_evals") is None:
            why_not = "inspect_evals is not installed: run  python -m pip install 'wager[survey]'"
        if not why_not and benchmark.needs and importlib.util.find_spec(benchmark.needs[0]) is None:
            why_not = f"its checks are in the package {benchmark.needs[0]!r}: run  {benchmark.needs[1]}"
        if why_not:
            yield Surveyed(benchmark.name, benchmark.published, None, why_not)
            continue
        try:
            found = audit(
                benchmark.task,
                task_args=benchmark.args,
                limit=limit,
                items=ITEMS / benchmark.items,
                accuracies=accuracies,
                grader=grader,
            )
        except WagerError as error:
            yield Surveyed(benchmark.name, benchmark.published, None, str(error))
        else:
            yield Surveyed(benchmark.name, benchmark.published, found)


def audit_package(
    package: str,
    *,
    limit: int = 5,
    accuracies: Sequence[float] = ACCURACIES,
    grader: str | None = None,
    seconds: float = 60.0,
    names: Sequence[str] | None = None,
) -> Iterator[Surveyed]:
    """Audits every registered task of a package; a task that cannot be audited is one row with the reason and stops nothing.

    Args:
        package: such as ``inspect_evals``.
        limit: items tried of each task.
        accuracies: as for `wager.audit.audit`.
        grader: a real model for model-graded tasks.
        seconds: how long one task may take, where the system can interrupt it (POSIX, main thread).
        names: only these tasks, by their full names.

    Raises:
        UsageError: the package is not installed.
    """
    known = task_names(package)
    for name in known if names is None else names:
        try:
            with at_most(seconds):
                found = audit(name, limit=limit, accuracies=accuracies, grader=grader)
        except WagerError as error:
            yield Surveyed(name, None, None, str(error))
        except Exception as error:  # noqa: BLE001 (one broken task of a package must not stop the others)
            yield Surveyed(name, None, None, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        else:
            yield Surveyed(name, None, found)


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Interrupts what takes longer. Does nothing where there is no alarm signal, or outside of the main thread."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise RunError(f"took longer than {seconds:g} s (--seconds)")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
