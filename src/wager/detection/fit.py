"""Fits the detector: ``python -m wager.detection.fit`` rebuilds the packaged weights from the shipped prompts, in about two minutes.

All is deterministic: no random numbers but the seeded folds. Probabilities are calibrated, and the threshold certified, on predictions
for prompts that were left out (cross-validation); words and their rarities are counted over all training prompts, without their labels.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.detection.classifier import FAR, MODEL, SCALES, Classifier, dense_of, weighted
from wager.detection.encoder import Encoder
from wager.detection.features import BLOCKS, BUCKETS, SHAPE_NAMES, features
from wager.detection.kinds import AXES, KINDS
from wager.detection.prompts import HELD_OUT, Prompt, read_prompts, shipped
from wager.errors import DataError, UsageError
from wager.metrics.calibration import EqualWidth, ece
from wager.metrics.intervals import clopper_pearson

__all__ = ["Certificate", "Fitted", "certify", "fit", "predictions"]

PENALTY = 1.0
"""Weight of the squared length of the weights."""
FOLDS = 5
"""Parts of the cross-validation."""
CONFIDENCE = 0.95
"""With this probability the certified accuracy holds."""
LEVELS = (0.95, 0.94, 0.93, 0.92, 0.91, 0.9, 0.85, 0.8)
"""Accuracies to certify, the highest first."""
COVERAGES = np.arange(0.30, 1.0001, 0.01)
"""Shares of the prompts, the surest first, that are tested in this order until one fails."""

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A threshold above which the detector is right often enough."""

    threshold: float
    """A probability: above it the kind is used, otherwise `GENERAL`."""
    accuracy: float
    """What it is certified for: with probability `CONFIDENCE` at least this share of the kinds above it is right."""
    bound: float
    """The lower Clopper-Pearson bound that was found, at least ``accuracy``."""
    n: int
    """Prompts above it."""
    coverage: float
    """Their share."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fit, and what it predicts for prompts that were left out."""

    classifier: Classifier
    """The weights."""
    kinds: Floats
    """Calibrated probabilities of the kinds, each from folds without that prompt, shape (N, K)."""
    axes: Floats
    """The same for the axes, shape (N, A)."""


def certify(right: ArrayLike, probability: ArrayLike) -> Certificate | None:
    """The lowest threshold for the highest of `LEVELS` that can be certified; None if there is none.

    Fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052, section 2.2): thresholds at given coverages, set without the
    labels, are tested from the strictest on, each at the full level, until one fails. Each null hypothesis is "accuracy above it is less
    than the level"; it is rejected where the one-sided Clopper-Pearson bound reaches the level. It holds for prompts drawn as these were;
    it says nothing of other users' prompts.

    Args:
        right: shape (N,), whether the likeliest kind was right.
        probability: shape (N,), its calibrated probability.
    """
    hits, sure = np.asarray(right, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    for level in LEVELS:
        found = None
        for coverage in COVERAGES:
            threshold = float(np.quantile(sure, 1 - coverage)) if coverage < 1 else 0.0
            above = sure > threshold
            bound = clopper_pearson(float(hits[above].sum()), int(above.sum()), level=2 * CONFIDENCE - 1)[0]
            if bound < level:
                break
            found = Certificate(threshold=threshold, accuracy=level, bound=bound, n=int(above.sum()), coverage=float(above.mean()))
        if found is not None:
            return found
    return None


def fit(prompts: Sequence[Prompt], *, weights: ArrayLike | None = None, encoder: Encoder | None = None) -> Fitted:
    """Fit kinds and axes, calibrate, certify.

    Args:
        prompts: N of them, at least `FOLDS` of each kind.
        weights: how much each counts, shape (N,); all 1 by default.
        encoder: the packaged one by default.

    Raises:
        UsageError: a kind has too few prompts.
    """
    kind = np.array([list(KINDS).index(prompt.kind) for prompt in prompts])
    few = [name for number, name in enumerate(KINDS) if np.count_nonzero(kind == number) < FOLDS]
    if few:
        raise UsageError(f"at least {FOLDS} prompts of each kind are needed to fit the detector, and there are fewer of {', '.join(few)}")
    weight = np.ones(len(prompts)) if weights is None else np.asarray(weights, dtype=np.float64)
    holds = np.array([[axis in prompt.axes for axis in AXES] for prompt in prompts], dtype=np.float64)
    known = np.array([prompt.axes_known for prompt in prompts], dtype=np.float64)
    space = _Space.of(prompts, encoder or Encoder.load())
    inner, back = space.span()
    kind_logits, axis_logits = _left_out(inner, kind, holds, weight, known)
    temperature = _temperature(kind_logits, kind, weight)
    lines = [_line(axis_logits[:, number], holds[:, number], weight * known) for number in range(len(AXES))]
    kinds = _softmax(kind_logits / temperature)
    axes = 1 / (1 + np.exp(-np.clip(axis_logits * [a for a, _ in lines] + [b for _, b in lines], -30, 30)))
    solved = np.hstack([_multinomial(inner, kind, weight), _logistic(inner, holds, weight * known)])
    facts = _facts(prompts, kind, kinds)
    classifier = space.classifier(space.back(back @ solved[:-1]), solved[-1], temperature, lines, facts)
    return Fitted(classifier=classifier, kinds=kinds, axes=axes)


def _facts(prompts: Sequence[Prompt], kind: Ints, kinds: Floats) -> dict[str, Any]:
    right, sure = kinds.argmax(axis=1) == kind, kinds.max(axis=1)
    found = certify(right, sure)
    certificate = vars(found) if found is not None else {"threshold": 1.0, "accuracy": None, "bound": None, "n": 0, "coverage": 0.0}
    return {
        **{("certified_accuracy" if name == "accuracy" else name): value for name, value in certificate.items()},
        "confidence": CONFIDENCE,
        "prompts": len(prompts),
        "accuracy": float(right.mean()),
        "ece": ece(right, sure, bins=EqualWidth(15)).value,
        "accuracy_by_kind": {name: float(right[kind == number].mean()) for number, name in enumerate(KINDS)},
    }


@dataclass(frozen=True, eq=False)
class _Space:
    """All training prompts as rows of numbers."""

    buckets: tuple[NDArray[np.int32], ...]
    """Known buckets of each block: those of at least two prompts."""
    rarity: tuple[NDArray[np.float32], ...]
    """Of each known bucket."""
    sparse: Any
    """Hashed features, a scipy matrix of shape (N, columns)."""
    dense: NDArray[np.float32]
    """The others, centred and scaled, shape (N, D)."""
    centre: NDArray[np.float32]
    """What was subtracted."""
    spread: NDArray[np.float32]
    """What was divided by."""

    @classmethod
    def of(cls, prompts: Sequence[Prompt], encoder: Encoder) -> _Space:
        from scipy import sparse

        found = [features(prompt.text) for prompt in prompts]
        raw = np.array([dense_of(one, encoder) for one in found])
        centre, deviation = raw.mean(axis=0), raw.std(axis=0)
        spread = np.where(deviation > 1e-6, deviation, 1).astype(np.float32)
        buckets, rarity, matrices = [], [], []
        for block in range(len(BLOCKS)):
            per_prompt = np.bincount(np.concatenate([np.unique(one.hashed[block]) for one in found]), minlength=BUCKETS)
            kept = np.flatnonzero(per_prompt >= 2).astype(np.int32)
            rare = (np.log((1 + len(prompts)) / (1 + per_prompt[kept])) + 1).astype(np.float16).astype(np.float32)
            row = np.full(BUCKETS, -1, dtype=np.int32)
            row[kept] = np.arange(len(kept))
            cells = [weighted(one.hashed[block], row, rare) for one in found]
            ends = np.concatenate([[0], np.cumsum([len(columns) for columns, _ in cells])])
            data = (
                np.concatenate([values for _, values in cells]).astype(np.float64),
                np.concatenate([columns for columns, _ in cells]),
                ends,
            )
            matrices.append(sparse.csr_matrix(data, shape=(len(prompts), len(kept))) * np.sqrt(SCALES["hashed"]))
            buckets.append(kept)
            rarity.append(rare)
        dense = np.clip((raw - centre) / spread, -FAR, FAR) * _dense_scale(raw.shape[1])
        return cls(tuple(buckets), tuple(rarity), sparse.hstack(matrices, format="csr"), dense.astype(np.float32), centre, spread)

    def span(self) -> tuple[Floats, Floats]:
        """The rows in the space that they span, shape (N, R), and the matrix (N, R) with which `back` takes weights there to features.

        Regularised weights lie in the span of the training rows, so that fitting there is exact and much quicker.
        """
        products = (self.sparse @ self.sparse.T).toarray() + self.dense.astype(np.float64) @ self.dense.T.astype(np.float64)
        values, axes = np.linalg.eigh(products)
        kept = values > 1e-6 * values.max()
        axes, root = axes[:, kept], np.sqrt(values[kept])
        return axes * root, axes / root

    def back(self, solved: Floats) -> Floats:
        """Weights of features, shape (F, outputs), from shares of the training rows, shape (N, outputs)."""
        return np.vstack([self.sparse.T @ solved, self.dense.T @ solved])

    def classifier(
        self, solved: Floats, intercept: Floats, temperature: float, lines: Sequence[tuple[float, float]], facts: dict[str, Any]
    ) -> Classifier:
        """The weights in the features' own units, packed."""
        ends = np.cumsum([len(one) for one in self.buckets])
        hashed = solved[: ends[-1]] * np.sqrt(SCALES["hashed"])
        step = (np.abs(hashed).max(axis=0, initial=1e-9) / 127).astype(np.float32)
        packed = np.round(hashed / step).astype(np.int8)
        return Classifier(
            self.buckets,
            self.rarity,
            tuple(np.split(packed, ends[:-1])),
            step,
            self.centre,
            self.spread,
            (solved[ends[-1] :] * _dense_scale(len(self.centre))[:, None]).astype(np.float16).astype(np.float32),
            intercept.astype(np.float32),
            temperature,
            np.array([a for a, _ in lines], dtype=np.float32),
            np.array([b for _, b in lines], dtype=np.float32),
            facts,
        )


def _dense_scale(width: int) -> NDArray[np.float32]:
    """Scale of each dense feature, shape (D,): the groups have squared lengths of `SCALES` on average."""
    from wager.detection.cues import CUES

    cues, shape = 3 * len(CUES), len(SHAPE_NAMES)
    sizes = {"cues": cues, "shape": shape, "meaning": width - cues - shape}
    parts = [np.full(size, np.sqrt(SCALES[name] * (3 if name == "meaning" else 1) / size)) for name, size in sizes.items()]
    return np.concatenate(parts).astype(np.float32)


def _folds(kind: Ints) -> Ints:
    """A fold in [0, `FOLDS`) for each prompt, kinds spread evenly; the same for the same kinds."""
    rng = np.random.default_rng(20261121)
    fold = np.empty(len(kind), dtype=np.intp)
    for number in range(len(KINDS)):
        rows = rng.permutation(np.flatnonzero(kind == number))
        fold[rows] = np.arange(len(rows)) % FOLDS
    return fold


def _left_out(inner: Floats, kind: Ints, holds: Floats, weight: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Logits of kinds and axes for each prompt from a fit without its fold: shapes (N, K) and (N, A)."""
    fold = _folds(kind)
    kinds, axes = np.zeros((len(kind), len(KINDS))), np.zeros((len(kind), len(AXES)))
    for number in range(FOLDS):
        out = fold == number
        solved = _multinomial(inner[~out], kind[~out], weight[~out])
        kinds[out] = inner[out] @ solved[:-1] + solved[-1]
        solved = _logistic(inner[~out], holds[~out], (weight * known)[~out])
        axes[out] = inner[out] @ solved[:-1] + solved[-1]
    return kinds, axes


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _multinomial(inner: Floats, kind: Ints, weight: Floats) -> Floats:
    """Weights of a multinomial logistic regression, shape (R + 1, K), the last row the intercepts."""
    wanted = np.eye(len(KINDS))[kind]

    def loss(logits: Floats) -> tuple[float, Floats]:
        chance = _softmax(logits)
        return -float(weight @ np.log(np.maximum(chance[np.arange(len(kind)), kind], 1e-300))), (chance - wanted) * weight[:, None]

    return _minimised(inner, len(KINDS), loss)


def _logistic(inner: Floats, holds: Floats, weight: Floats) -> Floats:
    """Weights of one logistic regression for each axis, shape (R + 1, A)."""

    def loss(logits: Floats) -> tuple[float, Floats]:
        each = np.logaddexp(0, logits) - holds * logits
        return float(weight @ each.sum(axis=1)), (1 / (1 + np.exp(-np.clip(logits, -500, 500))) - holds) * weight[:, None]

    return _minimised(inner, holds.shape[1], loss)


def _minimised(inner: Floats, outputs: int, loss: Any) -> Floats:
    from scipy.optimize import minimize

    rank = inner.shape[1]

    def objective(flat: Floats) -> tuple[float, Floats]:
        solved = flat.reshape(rank + 1, outputs)
        value, slope = loss(inner @ solved[:-1] + solved[-1])
        gradient = np.vstack([inner.T @ slope + PENALTY * solved[:-1], slope.sum(axis=0)])
        return value + PENALTY / 2 * float((solved[:-1] ** 2).sum()), gradient.ravel()

    found = minimize(objective, np.zeros((rank + 1) * outputs), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return np.asarray(found.x).reshape(rank + 1, outputs)


def _temperature(logits: Floats, kind: Ints, weight: Floats) -> float:
    """What the logits are best divided by: least log loss."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        chance = _softmax(logits / np.exp(log_temperature))[np.arange(len(kind)), kind]
        return -float(weight @ np.log(np.maximum(chance, 1e-300)))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def _line(logit: Floats, holds: Floats, weight: Floats) -> tuple[float, float]:
    """Slope and shift of Platt's calibration (1999), kept increasing; a constant where an axis always or never holds."""
    from scipy.optimize import minimize

    # one prompt each way, so that an axis which nothing was labelled with is told as rare, not as impossible
    logits, targets = np.append(logit, [0, 0]), np.append(holds, [0, 1])
    weights = np.append(weight, [0.5, 0.5])

    def loss(line: Floats) -> float:
        values = np.exp(line[0]) * logits + line[1]
        return float(weights @ (np.logaddexp(0, values) - targets * values))

    found = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-4, 4), (-20, 20)])
    return float(np.exp(found.x[0])), float(found.x[1])


def predictions(classifier: Classifier, prompts: Sequence[Prompt], encoder: Encoder) -> tuple[Floats, Floats]:
    """What a classifier says of labelled prompts: probabilities of the kinds, shape (N, K), and of the axes, shape (N, A)."""
    found = [classifier.probabilities(prompt.text, encoder) for prompt in prompts]
    return np.array([kinds for kinds, _ in found]), np.array([axes for _, axes in found])


def table(kinds: Floats, prompts: Sequence[Prompt]) -> str:
    """Accuracy, accuracy of the surest, calibration and the confusions, as lines of text."""
    if not prompts:
        raise DataError("no prompts to tabulate")
    kind = np.array([list(KINDS).index(prompt.kind) for prompt in prompts])
    said, sure = kinds.argmax(axis=1), kinds.max(axis=1)
    right = said == kind
    surest = np.argsort(-sure, kind="stable")[: round(0.85 * len(kind))]
    low, high = clopper_pearson(float(right.sum()), len(right))
    lines = [
        f"{len(kind)} prompts: accuracy {right.mean():.3f} [{low:.3f}, {high:.3f}], of the 85 % surest {right[surest].mean():.3f}, "
        f"ECE {ece(right, sure, bins=EqualWidth(15)).value:.3f}",
        f"{'':12}" + "".join(f"{name[:10]:>11}" for name in KINDS),
    ]
    for number, name in enumerate(KINDS):
        counts = np.bincount(said[kind == number], minlength=len(KINDS))
        lines.append(f"{name:12}" + "".join(f"{count:11d}" for count in counts))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Rebuild the packaged weights and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m wager.detection.fit", description="Fit the detector on the shipped prompts.")
    parser.add_argument("--held-out", action="store_true", help="also try it on the held-out prompts, which nothing may be tuned on")
    asked = parser.parse_args(arguments)
    encoder, prompts = Encoder.load(), shipped()
    found = fit(prompts, encoder=encoder)
    found.classifier.save(MODEL)
    print("cross-validated:", table(found.kinds, prompts), sep="\n")  # noqa: T201
    facts = found.classifier.facts
    certified = f"at least {facts['certified_accuracy']} right above it (bound {facts['bound']}), coverage {facts['coverage']:.3f}"
    print(f"threshold {facts['threshold']:.3f}: {certified}")  # noqa: T201
    if asked.held_out:
        held = read_prompts(HELD_OUT)
        print("held out:", table(predictions(found.classifier, held, encoder)[0], held), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
