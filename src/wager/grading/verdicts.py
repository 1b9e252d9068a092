"""What the check of a reply's claims finds: a verdict on each, the places that they rest on, and the reply that is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wager.grading.claims import Claim

__all__ = ["Checked", "Place", "Verdict", "Verified"]

Verdict = Literal["supported", "wrong place", "unsupported", "uncited"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A line or passage that a reply cites."""

    label: str
    """As the checked reply writes it: ``[L12]`` for a line, ``[1]`` for a passage."""
    line: int
    """Its number, 1-based."""
    quote: str
    """What stands there, at most `wager.grading.quoting.QUOTE` characters; empty if there is no such place."""
    verified: bool
    """Whether it exists and holds what a kept claim takes from it."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A claim, and what the lines say to it."""

    claim: Claim
    """The claim."""
    verdict: Verdict
    """``supported``, ``wrong place`` (it stands elsewhere), ``unsupported``, or ``uncited``."""
    reason: str
    """Why, in one sentence."""
    lines: tuple[int, ...] = ()
    """The numbers of the lines that hold it, 1-based: those it should cite. Empty where none does, or none is needed."""
    moved: bool = False
    """Whether what it says stands within `wager.grading.citations.NEAR` lines of what it cites rather than there."""
    kept: bool = True
    """Whether it stands in the checked reply."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A reply whose claims were checked."""

    claims: tuple[Checked, ...]
    """Each claim in order."""
    kept_text: str
    """The reply without what is not supported, its citations in one form; empty if nothing is left."""
    removed: tuple[str, ...]
    """The sentences that were taken out, as they stood."""
    citations: tuple[Place, ...]
    """The places of the kept claims, then those that were cited in vain, each once."""

    @property
    def supported(self) -> int:
        """How many claims are in the checked reply."""
        return sum(one.kept for one in self.claims)
