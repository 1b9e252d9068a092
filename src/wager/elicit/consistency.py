"""Agreement: the share of further samples that mean the same as the answer.

Self-consistency as a confidence (Wang et al. 2022, arXiv 2203.11171; Xiong et al. 2023, arXiv 2306.13063). A sample that abstains does
not agree; one of which nothing can be told (blank, cut off) is left out and counted. It wants a calibrator: of K samples it has
K + 1 values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wager.elicit.evidence import Reply
from wager.elicit.meaning import Clustering, Entails, meanings, same_text

__all__ = ["Agreement", "agreement", "answers_of"]


@dataclass(frozen=True)
class Agreement:
    """How many samples say the same as the answer."""

    value: float | None
    """Their share, in [0, 1]; None without a sample of which something can be told."""
    n: int
    """Samples that count: answers and abstentions."""
    n_excluded: int
    """Samples left out: blank, cut off, ungraded."""


def agreement(answer: str, samples: Sequence[Reply], entails: Entails = same_text, *, clustering: Clustering = "loose") -> Agreement:
    """The share of samples that mean the same as ``answer``.

    >>> agreement("Lima", [Reply("It is Lima.", answer="Lima"), Reply("Cusco", answer="Cusco")]).value
    0.5
    """
    known = [sample for sample in samples if sample.is_known]
    if not known:
        return Agreement(None, 0, len(samples))
    given = answers_of(known)
    labels = meanings([answer, *given], entails, clustering=clustering)
    return Agreement(int((labels[1:] == labels[0]).sum()) / len(known), len(known), len(samples) - len(known))


def answers_of(samples: Sequence[Reply]) -> list[str]:
    """What the samples answer; those that abstain have no answer, and are not in it."""
    return [sample.answer or sample.text for sample in samples if sample.is_known and sample.is_answer]
