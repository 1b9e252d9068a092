"""Calibration at one threshold, and why training brings it about: delta is the slope of the loss under a rescaling of the model.

Flat arrays: one entry for each string x, or for each (prompt, response). `weights` is mu(c) of each entry's prompt; without prompts it
is 1 everywhere, the default.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError

__all__ = ["delta", "delta_estimate", "rescaled_loss", "rescaling_derivative"]


def delta(phat: ArrayLike, truth: ArrayLike, threshold: float, *, weights: ArrayLike | None = None) -> float:
    """``|phat(A) - p(A)|`` with ``A = {x : phat(x) > threshold}``, in [0, 1].

    Assumes: nothing. 0 for a model that is calibrated at this one threshold, which is far less than being right: a model that gives
    every string the same probability has delta 0 at ``1/|E|``. Weaker than an expected calibration error, which averages over all
    thresholds. `phat`, `truth`, `weights`: (R,). DataError for shapes that differ or values that are negative.

    >>> round(delta([0.5, 0.3, 0.2], [0.9, 0.1, 0.0], 0.25), 12)
    0.2

    Source: Kalai et al. (2025), eq. for delta in Corollary 1 and Theorem 1.
    """
    return abs(rescaling_derivative(phat, truth, threshold, weights=weights))


def rescaling_derivative(phat: ArrayLike, truth: ArrayLike, threshold: float, *, weights: ArrayLike | None = None) -> float:
    """``dL(phat_s)/ds`` at s = 1, which is ``phat(A) - p(A)``: delta with its sign.

    Assumes: ``phat_s`` is phat with the probabilities in A multiplied by s and each prompt made to sum to 1 again, L the cross-entropy
    `rescaled_loss`. Above 0 the model puts too much mass above the threshold, and some s < 1 lowers the loss; below 0 some s > 1 does. So
    a model at a local optimum of a class that contains the rescaling has delta 0. Arguments and errors as in `delta`.

    >>> round(rescaling_derivative([0.5, 0.3, 0.2], [0.9, 0.1, 0.0], 0.25), 12)
    -0.2

    Source: Kalai et al. (2025), sec. 3.1, "calibration". (The prompted loss of sec. 3.2 lacks the factor p(r|c); it is there in ours.)
    """
    model, true, mu = _arrays(phat, truth, weights)
    above = model > threshold
    return float(np.sum((mu * (model - true))[above]))


def rescaled_loss(
    phat: ArrayLike,
    truth: ArrayLike,
    threshold: float,
    scale: float,
    *,
    prompt: NDArray[np.int64] | None = None,
    weights: ArrayLike | None = None,
) -> float:
    """``L(phat_s) = -sum mu(c) p(r|c) ln phat_s(r|c)`` in nats, with the responses above the threshold scaled by s = `scale` > 0.

    Assumes: `phat` sums to 1 in each prompt; `prompt` holds 0 .. C-1, (R,), by default one prompt. Infinite where the model gives no mass
    to something true. Other arguments and errors as in `delta`.

    >>> round(rescaled_loss([0.5, 0.5], [0.5, 0.5], 0.9, 1.0), 6)
    0.693147
    """
    model, true, mu = _arrays(phat, truth, weights)
    if not scale > 0:
        raise DataError(f"scale is {scale}; it must be above 0")
    prompts = np.zeros(len(model), dtype=np.int64) if prompt is None else prompt
    scaled = np.where(model > threshold, scale * model, model)
    made = scaled / np.bincount(prompts, weights=scaled)[prompts]
    asked = mu * true > 0
    if np.any(made[asked] == 0):
        return float("inf")
    return float(-np.sum((mu * true)[asked] * np.log(made[asked])))


def delta_estimate(generated: ArrayLike, training: ArrayLike, threshold: float) -> float:
    """An auditor's delta: share of the model's own generations above the threshold minus share of training samples above it, absolute.

    Assumes: both are independent draws, one from the model and one from the training law, with the probability that the MODEL gives to
    each: `generated` (G,) and `training` (T,), neither empty. An estimate, with a sampling error of about ``sqrt(1/(4G) + 1/(4T))``.

    >>> delta_estimate([0.9, 0.2, 0.8, 0.7], [0.9, 0.1], 0.5)
    0.25

    Source: Kalai et al. (2025), sec. 3.1.
    """
    ours, theirs = np.asarray(generated, dtype=np.float64), np.asarray(training, dtype=np.float64)
    if not ours.size or not theirs.size:
        raise DataError(f"{ours.size} generated and {theirs.size} training probabilities; neither may be empty")
    return abs(float(np.mean(ours > threshold)) - float(np.mean(theirs > threshold)))


def _arrays(
    phat: ArrayLike, truth: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    model, true = np.asarray(phat, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    mu = np.ones(model.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if model.ndim != 1 or true.shape != model.shape or mu.shape != model.shape:
        raise DataError(f"phat {model.shape}, truth {true.shape} and weights {mu.shape} must be flat and equally long")
    for name, array in (("phat", model), ("truth", true), ("weights", mu)):
        if not np.all(array >= 0):
            raise DataError(f"{name} holds {array[~(array >= 0)][0]:g}; probabilities are not negative")
    return model, true, mu
