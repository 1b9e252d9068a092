"""How the answers of a report were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["RunInfo"]


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """The run behind a report, as its last section shows it. What is not known is None and shown as a dash."""

    task: str
    """Name of the benchmark."""
    model: str
    """Name of the model."""
    arms: tuple[str, ...] = ()
    """The experiments that were run; empty leaves them to the results."""
    command: str | None = None
    """The command line that makes this report again."""
    started: float | None = None
    """When it started, in seconds since 1970 (UTC)."""
    seconds: float | None = None
    """How long it took."""
    calls: int | None = None
    """Calls of the model."""
    tokens_in: int | None = None
    """Tokens read."""
    tokens_cached: int | None = None
    """Tokens read that the provider had in its cache."""
    tokens_out: int | None = None
    """Tokens written."""
    cost: float | None = None
    """Price in US dollars, where the provider's prices are known."""
    seed: int | None = None
    """Seed of the sampling."""
    prompt_version: str | None = None
    """Name of the wording that stated the targets."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages, by name."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further settings, by name."""
    conflicts: tuple[tuple[str, int], ...] = ()
    """Lines of the benchmark's own prompts that order an answer, and in how many prompts each stands."""
    notes: tuple[str, ...] = ()
    """Sentences that a reader must see; the results' own notes are shown in any case."""
