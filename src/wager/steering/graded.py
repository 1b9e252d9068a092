"""What projections are worth against graded outcomes, beside what length and rarity of the words alone would tell of the same outcomes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wager.errors import UsageError
from wager.steering.baseline import Comparison, Verdict, compare_direction
from wager.steering.monitor import Calibrated, calibrated

__all__ = ["Graded", "graded"]


@dataclass(frozen=True, kw_only=True)
class Graded:
    """A projection against graded outcomes, beside surface form."""

    calibrated: Calibrated
    """Its map to a probability, and what that is worth on what was held out."""
    beside: Comparison
    """Its AUROC beside that of length and rarity, on the same held-out rows."""
    phrasings_missing: str | None
    """Why nothing is told of held-out phrasings; None where it is."""

    @property
    def verdict(self) -> Verdict:
        """``more than surface form`` only if everything that was measured says so."""
        return self.beside.verdict


def graded(
    projections: Sequence[float | None],
    shown: Sequence[bool | None],
    features: Mapping[str, ArrayLike],
    *,
    groups: Sequence[Hashable] | None = None,
    questions: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Graded:
    """Calibrates projections to a probability, and holds them beside surface form.

    Args:
        projections: shape (N,), of one direction and one pool; None where there is none. The direction comes from other questions.
        shown: shape (N,), what was graded; None where it could not be.
        features: by name, shape (N,), as `wager.steering.baseline.surface_features` gives them; only rows with a projection and a verdict
            are looked at, the others may be NaN.
        groups: shape (N,), the phrasing of each row; None: not known, and nothing is told of held-out phrasings.
        questions: shape (N,), what is independent; None: every row.
        seed: of folds and bootstraps.

    Raises:
        UsageError: shapes do not fit, one kind of outcome only, or fewer than two questions of a kind.
        DataError: a projection or a feature is not finite.
    """
    if wrong := next((name for name, values in features.items() if len(np.asarray(values)) != len(shown)), None):
        raise UsageError(f"{len(shown)} rows take one value each of the feature {wrong!r}")
    found = calibrated(projections, shown, groups=[0] * len(shown) if groups is None else groups, questions=questions, seed=seed)
    kept = [at for at, (value, verdict) in enumerate(zip(projections, shown, strict=True)) if value is not None and verdict is not None]
    told = compare_direction(
        np.asarray([projections[at] for at in kept], dtype=np.float64),
        [bool(shown[at]) for at in kept],
        {name: np.asarray(values, dtype=np.float64)[kept] for name, values in features.items()},
        groups=None if groups is None else [groups[at] for at in kept],
        questions=None if questions is None else [questions[at] for at in kept],
        seed=seed,
    )
    why = "the phrasing of each row is not known" if groups is None else found.phrasings.auroc.reason
    return Graded(calibrated=found, beside=told, phrasings_missing=why if told.phrasings is None else None)
