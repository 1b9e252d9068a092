"""Directions from activations: differences of means, paired or not, a principal component of paired differences, and controls.

All activations have shape (rows, L, D): L blocks that were read, D the width. Sums are made in float64; directions come back in float32.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError, UsageError
from wager.steering.backend import Floats

__all__ = ["mean_difference", "paired_mean_difference", "pca_uncentred", "random_like", "separation", "split_half"]

Array = NDArray[np.float64]

TRIES = 100
"""Halvings that are drawn before it is said that none has both sides in both halves."""


def checked_rows(activations: ArrayLike, what: str) -> Array:
    """Activations in float64, shape (N, L, D).

    Raises:
        UsageError: another shape, or no rows.
        DataError: a value is not finite.
    """
    given = np.asarray(activations)
    if given.ndim != 3 or given.shape[0] == 0:
        raise UsageError(f"{what} activations have shape (rows, blocks, width) with at least one row, got {given.shape}")
    if not np.isfinite(given).all():
        rows = int((~np.isfinite(given)).any(axis=(1, 2)).sum())
        raise DataError(
            f"{rows} of {len(given)} rows of {what} activations hold a value that is not finite; no direction is read from them"
        )
    return given.astype(np.float64)


def _both(pos: ArrayLike, neg: ArrayLike) -> tuple[Array, Array]:
    one, other = checked_rows(pos, "positive"), checked_rows(neg, "negative")
    if one.shape[1:] != other.shape[1:]:
        raise UsageError(f"both sides have the same blocks and width, got {one.shape[1:]} and {other.shape[1:]}")
    return one, other


def mean_difference(pos: ArrayLike, neg: ArrayLike) -> Floats:
    """Mean of the positive minus mean of the negative activations, shapes (N, L, D) and (M, L, D) to (L, D).

    Raises:
        UsageError: shapes do not fit.
        DataError: a value is not finite.

    >>> mean_difference([[[3.0, 1.0]], [[5.0, 1.0]]], [[[1.0, 1.0]]]).tolist()
    [[3.0, 0.0]]
    """
    one, other = _both(pos, neg)
    return np.asarray(one.mean(axis=0) - other.mean(axis=0), dtype=np.float32)


def paired_differences(
    pos: ArrayLike,
    neg: ArrayLike,
    pos_items: Sequence[Hashable] | ArrayLike | None = None,
    neg_items: Sequence[Hashable] | ArrayLike | None = None,
) -> Array:
    """The difference of each item that both sides have, in the items' order, shape (I, L, D); an item's rows are averaged first.

    Without items row i belongs to row i.

    Raises:
        UsageError: shapes do not fit.
        DataError: no item is on both sides, or a value is not finite.
    """
    one, other = _both(pos, neg)
    if pos_items is None and neg_items is None:
        if len(one) != len(other):
            raise UsageError(
                f"pairs need as many positive as negative rows, got {len(one)} and {len(other)}; say which item each belongs to"
            )
        return one - other
    mine, theirs = np.asarray(pos_items), np.asarray(neg_items)
    if mine.shape != (len(one),) or theirs.shape != (len(other),):
        raise UsageError(f"each row belongs to one item: {len(one)} and {len(other)} rows, items of shapes {mine.shape} and {theirs.shape}")
    shared = np.intersect1d(mine, theirs)
    if not shared.size:
        raise DataError("no item has rows on both sides; a paired difference needs both of the same item")
    return np.stack([one[mine == item].mean(axis=0) - other[theirs == item].mean(axis=0) for item in shared])


def paired_mean_difference(
    pos: ArrayLike,
    neg: ArrayLike,
    pos_items: Sequence[Hashable] | ArrayLike | None = None,
    neg_items: Sequence[Hashable] | ArrayLike | None = None,
) -> Floats:
    """Mean over items of their own differences, shape (L, D): each item weighs the same, and one that a filter left on one side only does
    not count, so that what the items are about cancels. Complete pairs give `mean_difference`.

    >>> paired_mean_difference([[[1.0]], [[9.0]]], [[[0.0]]], ["a", "b"], ["a"]).tolist()
    [[1.0]]
    """
    return np.asarray(paired_differences(pos, neg, pos_items, neg_items).mean(axis=0), dtype=np.float32)


def pca_uncentred(
    pos: ArrayLike,
    neg: ArrayLike,
    pos_items: Sequence[Hashable] | ArrayLike | None = None,
    neg_items: Sequence[Hashable] | ArrayLike | None = None,
) -> Floats:
    """First right singular vector of the paired differences (`paired_differences`), not centred, shapes (N, L, D) and (M, L, D) to (L, D).

    The sign is that of the mean difference, and the length the mean of the differences along it, so that it is in the same units.

    Raises:
        DataError: the mean difference has no part along it: its sign would be chance.
    """
    differences = paired_differences(pos, neg, pos_items, neg_items)
    made = np.empty(differences.shape[1:])
    for at in range(differences.shape[1]):
        first = np.linalg.svd(differences[:, at], full_matrices=False)[2][0]
        along = float(differences[:, at].mean(axis=0) @ first)
        if abs(along) <= 1e-12 * max(1e-300, float(np.abs(differences[:, at]).max())):
            raise DataError(f"at block number {at} the mean difference has no part along the first component: its sign is not known")
        made[at] = along * first  # a negative one turns the vector round
    return np.asarray(made, dtype=np.float32)


def random_like(direction: ArrayLike, rng: np.random.Generator) -> Floats:
    """A random direction, uniform on the sphere, with the same length at every block; shape (..., D) to (..., D).

    Raises:
        DataError: a value is not finite.
    """
    given = np.asarray(direction, dtype=np.float64)
    if not np.isfinite(given).all():
        raise DataError("the direction holds a value that is not finite")
    drawn = rng.normal(size=given.shape)
    drawn *= np.linalg.norm(given, axis=-1, keepdims=True) / np.linalg.norm(drawn, axis=-1, keepdims=True)
    return np.asarray(drawn, dtype=np.float32)


def split_half(
    pos: ArrayLike,
    neg: ArrayLike,
    groups: tuple[Sequence[Hashable] | ArrayLike, Sequence[Hashable] | ArrayLike],
    rng: np.random.Generator,
    *,
    blocks: Sequence[int] | None = None,
    repeats: int = 20,
) -> dict[int, float]:
    """Stability: mean cosine between the mean differences of two halves of the questions, by block, in [-1, 1].

    Args:
        pos, neg: shapes (N, L, D) and (M, L, D).
        groups: the questions of the positive and of the negative rows, shapes (N,) and (M,); a question is in one half with all its rows.
        blocks: their numbers, shape (L,); 0 to L - 1 if None.
        repeats: halvings that the cosine is averaged over.

    Raises:
        UsageError: fewer than two questions on a side.
        DataError: no halving leaves both sides in both halves, or a half's difference is zero.
    """
    one, other = _both(pos, neg)
    mine, theirs = (np.asarray(part) for part in groups)
    if mine.shape != (len(one),) or theirs.shape != (len(other),):
        raise UsageError(f"each row has one group: {len(one)} and {len(other)} rows, groups of shapes {mine.shape} and {theirs.shape}")
    if min(len(np.unique(mine)), len(np.unique(theirs))) < 2:
        raise UsageError("two halves need at least two questions on each side")
    names = np.unique(np.concatenate([mine, theirs]))
    found = []
    for _ in range(repeats):
        first, second = _halves(one, other, mine, theirs, names, rng)
        lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
        if (lengths == 0).any():
            raise DataError("a half of the questions has no difference at some block: the direction is zero there")
        found.append((first * second).sum(axis=-1) / lengths)
    return dict(zip(_numbered(blocks, one.shape[1]), np.mean(found, axis=0).tolist(), strict=True))


def _halves(
    one: Array, other: Array, mine: NDArray[np.generic], theirs: NDArray[np.generic], names: NDArray[np.generic], rng: np.random.Generator
) -> tuple[Array, Array]:
    """Mean differences of the two halves, shapes (L, D)."""
    for _ in range(TRIES):
        half = rng.permutation(names)[: len(names) // 2]
        up, down = np.isin(mine, half), np.isin(theirs, half)
        if up.any() and down.any() and not up.all() and not down.all():
            return one[up].mean(axis=0) - other[down].mean(axis=0), one[~up].mean(axis=0) - other[~down].mean(axis=0)
    raise DataError("no halving of the questions leaves rows of both sides in both halves; draw more replies")


def separation(pos: ArrayLike, neg: ArrayLike, directions: ArrayLike, *, blocks: Sequence[int] | None = None) -> dict[int, float]:
    """d' by block: distance of the two means along the direction over their pooled standard deviation. Positive: the way it should be.

    Of the rows that the direction was read from it is optimistic, most where D is larger than the number of rows; give others.

    Args:
        pos, neg: shapes (N, L, D) and (M, L, D), each of at least two rows.
        directions: shape (L, D); of any length but 0.
        blocks: as in `split_half`.

    Raises:
        UsageError: too few rows, or shapes do not fit.
        DataError: a direction is zero, or neither side varies along it.
    """
    one, other = _both(pos, neg)
    given = checked_rows(np.asarray(directions)[None], "direction")[0]
    if given.shape != one.shape[1:]:
        raise UsageError(f"directions have shape {one.shape[1:]} as the activations, got {given.shape}")
    if min(len(one), len(other)) < 2:
        raise UsageError("a spread needs at least two rows on each side")
    lengths = np.linalg.norm(given, axis=-1, keepdims=True)
    if (lengths == 0).any():
        raise DataError("a direction is zero: nothing is separated along it")
    unit = given / lengths
    up, down = np.einsum("nld,ld->nl", one, unit), np.einsum("nld,ld->nl", other, unit)
    spread = np.sqrt((up.var(axis=0, ddof=1) * (len(up) - 1) + down.var(axis=0, ddof=1) * (len(down) - 1)) / (len(up) + len(down) - 2))
    if (spread == 0).any():
        raise DataError("neither side varies along a direction: the ratio has no value")
    return dict(zip(_numbered(blocks, one.shape[1]), ((up.mean(axis=0) - down.mean(axis=0)) / spread).tolist(), strict=True))


def _numbered(blocks: Sequence[int] | None, count: int) -> list[int]:
    if blocks is None:
        return list(range(count))
    if len(blocks) != count:
        raise UsageError(f"the activations have {count} blocks, got {len(blocks)} numbers")
    return list(blocks)
