"""A trait: what it is in a sentence, how a model is brought to show it and its opposite, and how its expression is told.

Questions come in two sets that share no question and no phrasing: from ``extraction`` a direction is read, on ``evaluation`` it is tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Grading", "Question", "Trait"]

Grading = Literal["commits", "certain", "correct", "plays along", "warm", "agrees", "judge"]
"""How a reply shows a trait. Without a judge: ``commits`` (it answers rather than abstains), ``certain`` (it answers without a word of
doubt), ``correct`` (it holds an accepted answer and does not abstain), ``plays along`` (it writes the fiction rather than refusing or
correcting it), ``warm`` (it takes up the feeling before advice), ``agrees`` (it agrees with what the user claims). ``judge``: a model is
asked with the trait's rubric."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question."""

    text: str
    known: bool | None = None
    """Whether what it asks about exists; None where that is beside the point."""
    answers: tuple[str, ...] = ()
    """Accepted answers, the usual one first; empty where there is none."""
    phrasing: str = ""
    """Name of the template it was made from: two questions of one phrasing differ in their subject only."""
    subject: str = ""
    """What it asks about."""


@dataclass(frozen=True, kw_only=True)
class Trait:
    """What a dial turns."""

    name: str
    """In lower case: ``overconfidence``."""
    description: str
    """One sentence: what a reply with the trait does."""
    grading: Grading
    """How it is told whether a reply shows it."""
    rubric: str = ""
    """For a judge: what a reply that shows it does, and one that does not."""
    instructions: tuple[tuple[str, str], ...] = ()
    """System prompts in pairs: one that asks for the trait, one for its opposite."""
    replies: tuple[tuple[str, str], ...] = ()
    """Beginnings of replies in pairs, with the trait and without; ``{subject}`` is put in."""
    extraction: tuple[Question, ...] = ()
    evaluation: tuple[Question, ...] = ()
    needs: str = ""
    """What besides the trait's own evaluation its licence measures: ``facts``, ``creative``; in words for the page."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the file it was read from, as ``trait``."""
