"""What one run is: the task, the model, the arms and the targets, and which of these decide whether two runs are the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from wager.elicit.meaning import Clustering
from wager.errors import UnknownNameError, UsageError
from wager.evals.dials import ARGUMENTS, told
from wager.targets import DEFAULT_TARGETS, PROMPT_VERSION, ConfidenceTarget, targets_from

__all__ = ["ARMS", "Arm", "EvalSettings"]

Arm = Literal["closed", "open", "consistency"]
"""``closed``: the question as it is. ``open``: the target stated after it. ``consistency``: K closed samples that must agree."""

ARMS: tuple[Arm, ...] = get_args(Arm)


@dataclass(frozen=True)
class EvalSettings:
    """Settings of ``wager eval``; checked when made."""

    task: str
    """Full name of an Inspect task: ``wager/capitals``, ``inspect_evals/mmlu_pro``, ``/path/file.py@name``."""
    model: str
    """Model name as Inspect spells it."""
    targets: tuple[ConfidenceTarget, ...] = targets_from(DEFAULT_TARGETS)
    """Confidence targets, increasing."""
    arms: tuple[Arm, ...] = ("closed", "open")
    """Which experiments to run."""
    samples: int | None = None
    """Samples K of each question; None is 2 with the consistency arm, else 1."""
    limit: int | None = None
    """Only the first so many items; None is all."""
    out: Path | None = None
    """Folder of the results; None chooses one under ``wager-runs/`` from the other settings."""
    task_args: dict[str, Any] = field(default_factory=dict)
    """Arguments of the task."""
    model_args: dict[str, Any] = field(default_factory=dict)
    """Arguments of the model provider."""
    model_base_url: str | None = None
    """Base URL of the provider's server."""
    ask_confidence: bool = False
    """Ask for a closing ``CONFIDENCE: p`` line."""
    note_in_dataset: bool = False
    """Put the note into the samples (agents)."""
    headline: str | None = None
    """Which of a task's scorers decides; None is the first."""
    temperature: float | None = None
    """Sampling temperature; None leaves the task's own, but see `sampling`."""
    max_tokens: int | None = None
    """Longest reply; None leaves the task's own."""
    max_connections: int | None = None
    """Concurrent calls; None leaves the provider's own."""
    max_retries: int = 5
    """How often a call is tried again (a busy or absent server) before its answer is ``failed``."""
    timeout: int | None = None
    """Seconds for one call, tries included; None leaves the provider's own."""
    logprobs: bool | None = None
    """Ask for token log-probabilities; None asks the providers known to give them."""
    methods: tuple[str, ...] = ()
    """Ways to get a confidence (`wager.elicit.methods`); with any, the task is asked as `wager.evals.elicit.elicited` asks it."""
    draws: int = 5
    """Samples of each question for the methods that compare samples."""
    equivalence: str = "text"
    """How they are compared: text, embedding, nli or judge."""
    clustering: Clustering = "loose"
    """Which relations make two answers one."""
    steering: Mapping[str, Any] = field(default_factory=dict)
    """What is done to a steered model (`wager.evals.dials.Steering.identity`); empty for others."""

    def __post_init__(self) -> None:
        for arm in self.arms:
            if arm not in ARMS:
                raise UnknownNameError("arm", arm, ARMS)
        if not self.arms:
            raise UsageError(f"no arm was given; choose from {', '.join(ARMS)}")
        if len(set(self.arms)) < len(self.arms):
            raise UsageError(f"an arm is given twice: {' '.join(self.arms)}")
        for name in ("samples", "limit", "max_tokens", "max_connections", "timeout"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} is at least 1, got {value}")
        if self.max_retries < 0:
            raise UsageError(f"--max-retries is at least 0, got {self.max_retries}")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise UsageError(f"--temperature lies in [0, 2], got {self.temperature:g}")
        if "consistency" in self.arms and self.samples == 1:
            raise UsageError("the consistency arm compares samples: give --samples 2 or more")
        if "consistency" in self.arms and self.temperature == 0:
            raise UsageError(
                "the consistency arm compares samples, and at --temperature 0 they are all the same; give a temperature above 0"
            )

    @property
    def k(self) -> int:
        """Samples of each question."""
        return self.samples or (2 if "consistency" in self.arms else 1)

    @property
    def stated_targets(self) -> tuple[float | None, ...]:
        """What each run of the task states: None for the closed arm (which the consistency arm needs too), then every target."""
        closed = (None,) if {"closed", "consistency"} & set(self.arms) else ()
        return closed + (tuple(target.t for target in self.targets) if "open" in self.arms else ())

    @property
    def sampling(self) -> float | None:
        """The temperature to run at: as given; 1 where several samples are to differ; greedy for a local model."""
        if self.temperature is not None:
            return self.temperature
        if self.k > 1:
            return 1.0
        return 0.0 if self.is_local else None

    @property
    def is_local(self) -> bool:
        """Whether the model runs in this process."""
        return self.model.startswith(("embedded/", "gguf/", "steered/"))

    @property
    def is_steered(self) -> bool:
        """Whether something is done to its activations, or they are read."""
        return self.model.startswith("steered/")

    @property
    def named(self) -> str:
        """The model as results call it: with what is done to it, so that answers under two doses are never taken for one model's."""
        return f"{self.model} {told(self.steering)}" if self.steering else self.model

    @property
    def wants_logprobs(self) -> bool:
        """Whether to ask for log-probabilities: where asked, or where the provider is known to give them at no cost."""
        if self.logprobs is not None:
            return self.logprobs
        return self.is_local or self.model.startswith(("hf/", "vllm/", "sglang/", "llama-cpp-python/"))

    @property
    def identity(self) -> dict[str, Any]:
        """What decides whether an answer of an earlier run can be used again. Targets, arms and the limit may grow."""
        return (
            {
                "task": self.task,
                "task_args": self.task_args,
                "model": self.model,
                "model_args": {name: value for name, value in self.model_args.items() if not (self.steering and name in ARGUMENTS)},
                "model_base_url": self.model_base_url,
                "samples": self.k,
                "temperature": self.sampling,
                "max_tokens": self.max_tokens,
                "ask_confidence": self.ask_confidence,
                "note_in_dataset": self.note_in_dataset,
                "headline": self.headline,
                "logprobs": self.wants_logprobs,
                "prompt_version": PROMPT_VERSION,
            }
            | (self.elicitation if self.methods else {})
            | ({"steering": self.steering} if self.steering else {})
        )

    @property
    def elicitation(self) -> dict[str, Any]:
        """How confidences are elicited."""
        return {"methods": list(self.methods), "draws": self.draws, "equivalence": self.equivalence, "clustering": self.clustering}

    @property
    def folder(self) -> Path:
        """The folder of the results."""
        if self.out is not None:
            return self.out
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True, default=str).encode()).hexdigest()[:6]
        path, at, name = self.task.rpartition("@")
        task = name if at else Path(path or self.task).stem
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", f"{task}-{'steered-' if self.is_steered else ''}{Path(self.model).name}").strip("-.")[:80]
        return Path("wager-runs") / f"{slug}-{digest}"
