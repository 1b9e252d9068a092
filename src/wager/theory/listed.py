"""Prompts with listed responses, some valid and some erroneous, as flat arrays that were checked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError

__all__ = ["CLOSE", "EXACT", "Listed", "checked"]

Floats = NDArray[np.float64]

CLOSE = 1e-4
"""How far the probabilities of a prompt may be from 1 together: single precision; they are then divided by their sum."""
EXACT = 1e-9
"""Below this distance they are left as they are. Also, relatively, how far above the threshold still counts as on it."""


@dataclass(frozen=True)
class Listed:
    """R responses to C prompts, with the truth, a model, and the prompts' law."""

    prompt: NDArray[np.int64]
    """Of each response, 0 .. C-1, shape (R,)."""
    phat: Floats
    """Model probability of each response given its prompt, (R,)."""
    valid: NDArray[np.bool_]
    """Whether it is valid, (R,)."""
    truth: Floats
    """True probability given its prompt, (R,); 0 on errors."""
    weights: Floats
    """mu, (C,); sums to 1."""
    nonsense: Floats
    """Model mass on unlisted responses, (C,)."""
    times: NDArray[np.int64]
    """How many equally probable responses each entry stands for, (R,)."""
    n_valid: NDArray[np.int64]
    """|V_c|, (C,)."""
    n_errors: NDArray[np.int64]
    """|E_c|, (C,)."""

    @property
    def k(self) -> int:
        """K, the fewest errors of any prompt."""
        return int(self.n_errors.min())

    def wrong_if(self, said_valid: NDArray[np.bool_]) -> Floats:
        """Mass D(r|c) of each entry that a classifier gets wrong, shape (R,)."""
        on_errors = np.where(said_valid, 1 / (2 * self.n_errors[self.prompt]), 0.0)
        return np.asarray(self.times * np.where(self.valid, np.where(said_valid, 0.0, self.truth / 2), on_errors), dtype=np.float64)

    @property
    def model_mass(self) -> Floats:
        """Model mass of each entry, (R,)."""
        return np.asarray(self.phat * self.times, dtype=np.float64)

    @property
    def true_mass(self) -> Floats:
        """True mass of each entry, (R,)."""
        return np.asarray(self.truth * self.times, dtype=np.float64)

    def total(self, values: Floats) -> Floats:
        """Sums within prompts, shape (C,)."""
        return np.asarray(np.bincount(self.prompt, weights=values, minlength=len(self.weights)), dtype=np.float64)

    def mean(self, values: Floats) -> Floats:
        """Multiplies each response's value by its prompt's probability, shape (R,)."""
        made: Floats = values * self.weights[self.prompt]
        return made

    def above(self, threshold: float) -> NDArray[np.bool_]:
        """Strictly above, up to rounding: a probability that is 1/K by rights must not be valid because of its last bit."""
        return self.phat > threshold * (1 + EXACT)


def checked(
    prompt: ArrayLike,
    phat: ArrayLike,
    valid: ArrayLike,
    truth: ArrayLike | None,
    weights: ArrayLike | None,
    nonsense: ArrayLike | None,
    times: ArrayLike | None = None,
) -> Listed:
    """Checks shapes, ranges and sums; arguments and errors as in `wager.theory.reduction.reduce`."""
    prompts, mark = _marked(prompt, valid)
    size = int(prompts.max()) + 1
    count = np.ones(len(prompts), dtype=np.int64) if times is None else _multiplicity(times, len(prompts))
    n_valid, n_errors = _counts(prompts, mark, count, size)
    none = np.zeros(size)
    off_list = none if nonsense is None else _vector("nonsense", nonsense, size)
    mass, off_list = _summed("phat and nonsense", _vector("phat", phat, len(prompts)), prompts, count, off_list)
    even = np.where(mark, 1 / n_valid[prompts], 0.0)
    true = even if truth is None else _vector("truth", truth, len(prompts))
    if np.any(true[~mark] > 0):
        raise DataError("truth has mass on an erroneous response; p must be noiseless: p(r|c) = 0 wherever valid is false")
    true, _ = _summed("truth", true, prompts, count, none)
    return Listed(prompts, mass, mark, true, _law(weights, size), off_list, count, n_valid, n_errors)


def _marked(prompt: ArrayLike, valid: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    prompts, mark = np.asarray(prompt), np.asarray(valid)
    if prompts.ndim != 1 or not len(prompts) or mark.shape != prompts.shape:
        raise DataError(f"prompt {prompts.shape} and valid {mark.shape} must be flat, not empty and equally long")
    if mark.dtype != np.bool_:
        raise DataError(f"valid holds {mark.dtype}; it must hold booleans")
    if not np.issubdtype(prompts.dtype, np.integer) or prompts.min() < 0:
        raise DataError(f"prompt must hold integers from 0; got {prompts.dtype}, the least is {prompts.min()}")
    if prompts.max() >= len(prompts):
        raise DataError(f"prompt goes up to {prompts.max()} in {len(prompts)} entries; number the prompts 0 .. C-1 without gaps")
    return prompts.astype(np.int64, copy=False), mark


def _multiplicity(times: ArrayLike, size: int) -> NDArray[np.int64]:
    count = np.asarray(times)
    if count.shape != (size,) or not np.issubdtype(count.dtype, np.integer) or count.min() < 1:
        raise DataError(f"times must be {size} integers from 1; got {count.dtype} of shape {count.shape}")
    return count.astype(np.int64, copy=False)


def _counts(
    prompts: NDArray[np.int64], mark: NDArray[np.bool_], times: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    n_valid = np.bincount(prompts, weights=times * mark, minlength=size).astype(np.int64)
    n_errors = np.bincount(prompts, weights=times * ~mark, minlength=size).astype(np.int64)
    for kind, counts in (("valid", n_valid), ("erroneous", n_errors)):
        if not counts.all():
            raise DataError(f"prompt {np.argmin(counts)} has no {kind} response, nor have {np.sum(counts == 0) - 1} others; leave them out")
    return n_valid, n_errors


def _law(weights: ArrayLike | None, size: int) -> Floats:
    mu = np.ones(size) if weights is None else np.asarray(weights, dtype=np.float64)
    if mu.shape != (size,) or not np.all(np.isfinite(mu)) or np.any(mu < 0) or mu.sum() <= 0:
        raise DataError(f"weights must be {size} numbers, one for each prompt, not negative and not all 0; got shape {mu.shape}")
    return np.asarray(mu / mu.sum(), dtype=np.float64)


def _vector(name: str, values: ArrayLike, size: int) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (size,):
        raise DataError(f"{name} has shape {array.shape}; it must be ({size},)")
    if not np.all((array >= 0) & (array <= 1 + CLOSE)):  # NaN fails too
        raise DataError(f"{name} must lie in [0, 1]; found {array[~((array >= 0) & (array <= 1 + CLOSE))][0]:g}")
    return array


def _summed(name: str, values: Floats, prompts: NDArray[np.int64], times: NDArray[np.int64], rest: Floats) -> tuple[Floats, Floats]:
    """Checks that each prompt's probabilities sum to 1, and takes single precision's rounding out of them."""
    sums = np.bincount(prompts, weights=values * times, minlength=len(rest)) + rest
    off = np.abs(sums - 1)
    if off.max() > CLOSE:
        worst = int(off.argmax())
        raise DataError(
            f"{name} of prompt {worst} sums to {sums[worst]:.6g}, not 1; renormalise over the list, or give the rest as nonsense"
        )
    if off.max() <= EXACT:
        return values, rest
    return values / sums[prompts], rest / sums
