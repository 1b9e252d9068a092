"""Semantic entropy: how much the meanings of samples differ, in nats.

Discrete: ``H = -sum_c p_c ln p_c`` with ``p_c`` the share of samples in class c. Likelihood-weighted: ``p_c`` is the share of the
length-normalised likelihood, over *distinct* strings (a string drawn twice says its likelihood once). Farquhar et al. (2024), Nature
630. Classes come from `wager.elicit.meaning`. Samples that abstain are one class: not knowing is one thing to say.

As a confidence: ``1 - H / ln K`` in [0, 1], 1 where all K samples mean the same and 0 where none do. It wants a calibrator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.elicit.consistency import answers_of
from wager.elicit.evidence import Reply
from wager.elicit.meaning import Clustering, Entails, meanings, same_text
from wager.errors import DataError

__all__ = ["SemanticEntropy", "entropy_nats", "semantic_entropy"]


@dataclass(frozen=True)
class SemanticEntropy:
    """The entropy over meanings of K samples."""

    discrete_nats: float | None
    """Each sample counted once, in [0, ln K]; None with fewer than two samples."""
    corrected_nats: float | None
    """With the Miller-Madow correction (classes - 1) / 2K, which takes off most of the downward bias of few samples."""
    weighted_nats: float | None
    """Weighted by likelihood; None where a sample has no log-probabilities."""
    sizes: tuple[int, ...]
    """Samples in each class, largest first."""
    n: int
    """Samples that count, K."""
    n_excluded: int
    """Samples left out: blank, cut off, ungraded."""

    @property
    def confidence(self) -> float | None:
        """1 - H / ln K from the discrete entropy."""
        return self._confidence(self.discrete_nats)

    @property
    def weighted_confidence(self) -> float | None:
        """1 - H / ln K from the weighted entropy."""
        return self._confidence(self.weighted_nats)

    def _confidence(self, nats: float | None) -> float | None:
        return None if nats is None or self.n < 2 else min(1.0, max(0.0, 1.0 - nats / math.log(self.n)))


def entropy_nats(weights: ArrayLike) -> float:
    """``-sum p ln p`` of weights in proportion, in nats; classes of weight 0 add nothing.

    >>> round(entropy_nats([2, 1, 1]), 4)
    1.0397
    """
    w = np.asarray(weights, dtype=np.float64)
    if w.size == 0 or not np.all(np.isfinite(w)) or w.min() < 0 or w.sum() <= 0:
        raise DataError(f"the weights of an entropy are at least 0 and not all 0, got {w.tolist()[:5]}")
    p = w[w > 0] / w.sum()
    return float(-(p * np.log(p)).sum()) + 0.0


def semantic_entropy(samples: Sequence[Reply], entails: Entails = same_text, *, clustering: Clustering = "loose") -> SemanticEntropy:
    """The entropy over meanings of the samples.

    Args:
        samples: shape (K,); with an answer each, or an abstention.
        entails, clustering: which of them mean the same.
    """
    known = [sample for sample in samples if sample.is_known]
    out = len(samples) - len(known)
    if len(known) < 2:
        return SemanticEntropy(None, None, None, tuple(1 for _ in known), len(known), out)
    found = iter(meanings(answers_of(known), entails, clustering=clustering).tolist())
    labels = np.asarray([next(found) if sample.is_answer else -1 for sample in known], dtype=np.intp)
    sizes = np.unique(labels, return_counts=True)[1]
    plain = entropy_nats(sizes)
    return SemanticEntropy(
        discrete_nats=plain,
        corrected_nats=plain + (len(sizes) - 1) / (2 * len(known)),
        weighted_nats=_weighted(known, labels),
        sizes=tuple(sorted(sizes.tolist(), reverse=True)),
        n=len(known),
        n_excluded=out,
    )


def _weighted(samples: Sequence[Reply], labels: NDArray[np.intp]) -> float | None:
    """Over distinct strings; the mean log-likelihood of a string is that of its first sample (greedy ties aside, all are equal)."""
    mean: dict[str, tuple[float, int]] = {}
    for sample, label in zip(samples, labels.tolist(), strict=True):
        logprobs = [token.logprob for token in sample.tokens]
        known = [value for value in logprobs if value is not None and math.isfinite(value)]
        if not known or len(known) < len(logprobs):
            return None
        mean.setdefault(sample.text.strip(), (sum(known) / len(known), label))
    best = max(value for value, _ in mean.values())
    weight: dict[int, float] = {}
    for value, label in mean.values():
        weight[label] = weight.get(label, 0.0) + math.exp(value - best)
    return entropy_nats(list(weight.values()))
