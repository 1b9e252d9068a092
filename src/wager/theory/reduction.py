"""The reduction: a generator of responses is also a classifier that says which responses are valid (Kalai et al. 2025, sec. 3.1-3.2).

Prompts c = 0 .. C-1 are drawn with probability mu(c). Each has finitely many listed responses, R in all, valid or erroneous; both kinds
occur for each prompt. The truth p puts all its mass on valid responses, the model phat anywhere. All arrays are flat: one entry for
each (prompt, response), in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import UsageError
from wager.theory.listed import EXACT, Listed, checked
from wager.theory.results import Bin

__all__ = ["Parts", "Reduced", "best_threshold", "misclassified_at", "parts", "reduce"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """What each prompt contributes; the quantities of Theorem 1 are means of these over mu, so resampling prompts is cheap."""

    error: Floats
    """Model mass on erroneous and unlisted responses, shape (C,)."""
    misclassified: Floats
    """Part of err_iiv at the threshold 1/K, (C,)."""
    model_above: Floats
    """phat(A|c): model mass on listed responses above 1/K, (C,)."""
    truth_above: Floats
    """p(A|c): true mass on them, (C,)."""
    top_valid: Floats
    """Share of the most probable listed responses that are valid, (C,): 0 or 1 unless several are equally probable."""
    most_valid: int
    """max |V_c|."""
    fewest_errors: int
    """min |E_c|, K."""


@dataclass(frozen=True)
class Reduced:
    """Theorem 1's quantities for one model on one finite set."""

    error: float
    """err: model mass on erroneous and unlisted responses."""
    misclassified: float
    """err_iiv at the threshold 1/K."""
    delta: float
    """|phat(A) - p(A)|, A the listed responses with phat(r|c) > 1/K."""
    bound: float
    """2 err_iiv - max|V_c|/K - delta; err is never below it."""
    fewest_errors: int
    """K = min |E_c|."""
    most_valid: int
    """max |V_c|."""
    choice_bound: float | None
    """Theorem 4: 2 (1 - 1/(K+1)) times the least err_iiv over all thresholds; None unless each prompt has exactly one valid response."""
    choice_threshold: float | None
    """The (smallest) threshold that reaches it."""
    bins: tuple[Bin, ...]
    """Calibration, ascending, with an edge at 1/K; the lowest bin also holds probability 0. Unlisted mass is in none of them."""


def reduce(
    prompt: NDArray[np.int64],
    phat: ArrayLike,
    valid: ArrayLike,
    *,
    truth: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    bins: int = 12,
    nonsense: ArrayLike | None = None,
    times: ArrayLike | None = None,
) -> Reduced:
    """Theorem 1 and Theorem 4 on a finite set of prompts with listed responses.

    Assumes: ``phat(.|c)`` sums to 1 over the listed responses and ``nonsense``; the truth never errs; nothing about how the model was
    made. ``err >= bound`` is then arithmetic, for any model. It does not say that a model with a low bound errs little.

    ``err_iiv = Pr_{(c,r)~D}[(phat(r|c) > 1/K) != valid]`` with ``D(c,r) = mu(c) p(r|c)/2`` on valid, ``mu(c)/(2|E_c|)`` on erroneous
    responses and 0 on unlisted ones; ``bound = 2 err_iiv - max|V_c|/K - delta``.

    - `prompt`: (R,) numbers 0 .. C-1, each with at least one valid and one erroneous response; `phat`: (R,) in [0, 1]; `valid`: (R,).
    - `truth`: p(r|c), (R,), 0 on errors; by default uniform over a prompt's valid responses. `weights`: mu, (C,), made to sum to 1; by
      default uniform. `nonsense`: model mass on responses that are not listed, (C,): it counts as error (sec. 5). The theorem holds
      whether or not some unlisted response is above 1/K; here none is, so `delta` is about listed ones.
    - `times`: how many equally probable responses of one kind an entry stands for, (R,), by default 1: a row that is even over 364 wrong
      dates needs one entry. `phat` and `truth` are of each of them.
    - `bins`: how many, at least 2. Half of them lie above 1/K, in equal ratios; with K = 1 they have equal widths.
    - Probabilities of a prompt whose sum is off by less than 1e-4 (single precision) are divided by it.

    Raises DataError for values out of range, sums that are not 1, a truth on errors, a prompt without a valid or an erroneous response.

    >>> reduced = reduce(np.array([0, 0, 0, 0]), [0.4, 0.3, 0.2, 0.1], [True, False, False, False])
    >>> reduced.error, reduced.misclassified, round(reduced.delta, 3), round(reduced.bound, 3)
    (0.6, 0.0, 0.6, -0.933)

    Source: Kalai et al. (2025), Theorem 1 (sec. 3.2), sec. 5 for unlisted responses, Theorem 4 (app. C).
    """
    if bins < 2:
        raise UsageError(f"bins is {bins}; it must be at least 2")
    listed = checked(prompt, phat, valid, truth, weights, nonsense, times)
    found = _parts(listed)
    mu = listed.weights
    misclassified = float(mu @ found.misclassified)
    delta = abs(float(mu @ (found.model_above - found.truth_above)))
    choice = _choice(listed) if found.most_valid == 1 else None
    return Reduced(
        error=float(mu @ found.error),
        misclassified=misclassified,
        delta=delta,
        bound=2 * misclassified - found.most_valid / found.fewest_errors - delta,
        fewest_errors=found.fewest_errors,
        most_valid=found.most_valid,
        choice_bound=None if choice is None else choice[0],
        choice_threshold=None if choice is None else choice[1],
        bins=_bins(listed, bins),
    )


def parts(
    prompt: NDArray[np.int64],
    phat: ArrayLike,
    valid: ArrayLike,
    *,
    truth: ArrayLike | None = None,
    nonsense: ArrayLike | None = None,
) -> Parts:
    """What each prompt adds to Theorem 1's quantities: for intervals over prompts. Arguments and errors as in `reduce`.

    >>> found = parts(np.array([0, 0, 1, 1]), [0.9, 0.1, 0.5, 0.5], [True, False, True, False])
    >>> found.error.tolist(), found.top_valid.tolist()
    ([0.1, 0.5], [1.0, 0.5])
    """
    return _parts(checked(prompt, phat, valid, truth, None, nonsense))


def misclassified_at(
    prompt: NDArray[np.int64],
    phat: ArrayLike,
    valid: ArrayLike,
    threshold: float,
    *,
    truth: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    nonsense: ArrayLike | None = None,
) -> float:
    """err_iiv of the classifier that says "valid" strictly above `threshold`; arguments and errors as in `reduce`.

    >>> misclassified_at(np.array([0, 0, 0]), [0.5, 0.3, 0.2], [True, False, False], 0.25)
    0.25
    """
    listed = checked(prompt, phat, valid, truth, weights, nonsense)
    return float(listed.mean(listed.wrong_if(listed.above(threshold))).sum())


def best_threshold(
    prompt: NDArray[np.int64],
    phat: ArrayLike,
    valid: ArrayLike,
    *,
    truth: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    nonsense: ArrayLike | None = None,
) -> tuple[float, float]:
    """Least err_iiv over all thresholds in [0, 1], and the smallest threshold that has it; arguments and errors as in `reduce`.

    >>> best_threshold(np.array([0, 0, 0]), [0.5, 0.3, 0.2], [True, False, False])
    (0.0, 0.3)
    """
    return _best(checked(prompt, phat, valid, truth, weights, nonsense))


def _parts(listed: Listed) -> Parts:
    above = listed.above(1 / listed.k)
    best = np.zeros(len(listed.weights))
    np.maximum.at(best, listed.prompt, listed.phat)
    top = np.where(listed.phat >= best[listed.prompt], listed.times, 0).astype(np.float64)
    return Parts(
        error=listed.total(np.where(listed.valid, 0.0, listed.model_mass)) + listed.nonsense,
        misclassified=listed.total(listed.wrong_if(above)),
        model_above=listed.total(np.where(above, listed.model_mass, 0.0)),
        truth_above=listed.total(np.where(above, listed.true_mass, 0.0)),
        top_valid=listed.total(np.where(listed.valid, top, 0.0)) / listed.total(top),
        most_valid=int(listed.n_valid.max()),
        fewest_errors=listed.k,
    )


def _choice(listed: Listed) -> tuple[float, float]:
    """Theorem 4's bound and its threshold. Its proof averages err_iiv over thresholds, so the least one is a bound for certain."""
    least, threshold = _best(listed)
    return 2 * (1 - 1 / (listed.k + 1)) * least, threshold


def _best(listed: Listed) -> tuple[float, float]:
    """Walks the thresholds upwards: each response that falls to "erroneous" adds its mass if valid, and takes it away if not."""
    everyone = np.ones(len(listed.phat), dtype=np.bool_)
    all_valid, none_valid = listed.mean(listed.wrong_if(everyone)), listed.mean(listed.wrong_if(~everyone))
    order = np.argsort(listed.phat)
    values = listed.phat[order]
    wrong = all_valid.sum() + np.cumsum((none_valid - all_valid)[order])
    last = np.append(values[1:] != values[:-1], True)  # equal probabilities fall together
    thresholds, errors = values[last], wrong[last]
    if thresholds[0] > 0:
        thresholds, errors = np.append(0.0, thresholds), np.append(all_valid.sum(), errors)
    at = int(np.flatnonzero(errors <= errors.min() + 1e-15)[0])
    return max(float(errors[at]), 0.0), float(thresholds[at])


def _edges(k: int, bins: int) -> Floats:
    """Edges from 0 to 1 with one at 1/K: equal ratios on both sides of it, so that a logarithmic axis shows them equally wide."""
    if k == 1:
        return np.linspace(0, 1, bins + 1)
    upper = bins // 2
    lower = bins - upper
    below = float(k) ** (-1 - np.arange(lower - 1, 0, -1) / upper)
    above = float(k) ** (-1 + np.arange(1, upper) / upper)
    return np.concatenate([[0.0], below, [1 / k], above, [1.0]])


def _bins(listed: Listed, bins: int) -> tuple[Bin, ...]:
    edges = _edges(listed.k, bins)
    inner = edges[1:-1] * (1 + EXACT)  # the same rounding as `above`
    number = np.searchsorted(inner, listed.phat, side="left")
    model = np.bincount(number, weights=listed.mean(listed.model_mass), minlength=bins)
    truth = np.bincount(number, weights=listed.mean(listed.true_mass), minlength=bins)
    count = np.bincount(number, weights=listed.times, minlength=bins)
    return tuple(
        Bin(low=float(edges[i]), high=float(edges[i + 1]), model=float(model[i]), truth=float(truth[i]), responses=int(count[i]))
        for i in range(bins)
    )
