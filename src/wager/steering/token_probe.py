"""A probe that reads every token of a question: a thing is known or unknown where its name ends, wherever in the question that is.

Read at the last token before the reply, known and invented things lie apart within one phrasing and are shifted between phrasings, so
that one threshold does not serve questions in other words (embedded model, 52 phrasings held out one at a time: AUROC .97 within, .83
pooled). Read at the last token of the name they are not shifted (.98 pooled), but in use nobody says where the name is. So the direction is
fitted to tell the ends of unknown names from the ends of known ones **and from all other tokens**, and a question's score is its highest
token (.97 pooled, nothing but the question given). After Obeso et al. 2025 (arXiv 2509.03531), who probe entity tokens of replies.

The direction is Fisher's, the covariance shrunk as in `wager.steering.probe_rows`; tokens within and after an unknown name are left out
where they could be either. Everything is held out by phrasing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wager.errors import DataError, UsageError
from wager.metrics.results import to_json
from wager.steering.backend import MessageTokens, ModelIdentity
from wager.steering.held_out import binary, coded, within_auroc
from wager.steering.probe import SHRINKAGE, Bound, Probe, false_fire_threshold, platt

__all__ = ["OTHER", "fit_token_probe", "name_end"]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

OTHER = 0.25
"""Weight of a token that ends no name, beside 1 for the end of one: there are many more of them."""


def name_end(pieces: Sequence[bytes], name: str) -> int | None:
    """The token in which a name ends, at its last place in the text; None where it does not stand there.

    >>> name_end([b"Who", b" is", b" Mar", b"lo", b"?"], "Marlo")
    3
    """
    whole = b"".join(pieces).decode("utf-8", "replace").casefold()
    place = whole.rfind(name.strip().casefold())
    if place < 0 or not name.strip():
        return None
    end = len(whole[: place + len(name.strip())].encode())
    return int(np.searchsorted(np.cumsum([len(piece) for piece in pieces]), end, side="left"))


@dataclass(frozen=True)
class _Tokens:
    """The tokens of all questions at one block, with what each is fitted as."""

    rows: Array
    """Shape (T, D)."""
    starts: Codes
    """Shape (N + 1,), where each question's tokens begin."""
    weights: Array
    """Shape (T,), 0 for tokens that are left out of the fit."""
    positive: NDArray[np.bool_]
    """Shape (T,), ends of unknown names."""


@dataclass(frozen=True)
class _Sums:
    """What a fit needs of a phrasing's tokens: by kind the weight, the weighted sum, and the weighted products of both kinds together."""

    weight: Array
    """Shape (2,): other tokens, ends of unknown names."""
    total: Array
    """Shape (2, D)."""
    squares: Array
    """Shape (2, D, D)."""

    def without(self, other: _Sums) -> _Sums:
        return _Sums(self.weight - other.weight, self.total - other.total, self.squares - other.squares)


def _sums(tokens: _Tokens, chosen: NDArray[np.bool_]) -> _Sums:
    kinds = [chosen & (tokens.weights > 0) & (tokens.positive == kind) for kind in (False, True)]
    weights = [tokens.weights[kind] for kind in kinds]
    rows = [tokens.rows[kind] for kind in kinds]
    return _Sums(
        np.array([one.sum() for one in weights]),
        np.stack([one @ part for one, part in zip(weights, rows, strict=True)]),
        np.stack([(part * one[:, None]).T @ part for one, part in zip(weights, rows, strict=True)]),
    )


def _direction(sums: _Sums, shrinkage: float) -> tuple[Array, float, float]:
    """Fisher's direction of length 1, the middle between the kinds' means along it, and the spread within kinds."""
    if sums.weight.min() <= 0:
        raise UsageError("a token probe needs ends of known and of unknown names in the phrasings it is fitted on")
    means = sums.total / sums.weight[:, None]
    within = sum(square / weight - np.outer(mean, mean) for square, weight, mean in zip(sums.squares, sums.weight, means, strict=True)) / 2
    size = len(within)
    shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / size * np.eye(size)
    found = np.linalg.solve(shrunk, means[1] - means[0])
    length = float(np.linalg.norm(found))
    if length == 0 or not np.isfinite(length):
        raise DataError("the tokens do not differ between known and unknown names: there is no direction")
    unit = found / length
    along = means @ unit
    return unit, float(along.mean()), float(np.sqrt(unit @ within @ unit)) or 1.0


def fit_token_probe(
    read: Sequence[MessageTokens],
    ends: Sequence[int],
    labels: ArrayLike,
    *,
    groups: Sequence[Hashable] | ArrayLike,
    name: str,
    what: str,
    model: ModelIdentity,
    blocks: Sequence[int],
    questions: Sequence[Hashable] | ArrayLike | None = None,
    shrinkage: float = SHRINKAGE,
    rate: float = 0.05,
    bound: Bound = "clopper-pearson",
    seed: int = 0,
) -> tuple[Probe, Array]:
    """Fits it: the block by pooled leave-one-phrasing-out AUROC, probability and threshold from these scores, direction from all tokens.

    Returns:
        The probe, and each question's score by a fit and a choice of block without its phrasing, shape (N,).

    Args:
        read: of each question, its tokens at the blocks (`wager.steering.backend.Backend.read_message`).
        ends: of each, the token in which the name ends (`name_end`).
        labels: shape (N,), 1 where what is named is unknown.
        groups: shape (N,), the phrasings; at least two with both kinds.
        name, what, model: as in `wager.steering.probe.Probe`.
        blocks: their numbers, as they were read.
        questions: shape (N,), what is independent; None: every row.
        shrinkage: of the covariance, in (0, 1].
        rate, bound: of the threshold, as in `wager.steering.probe.false_fire_threshold`.
        seed: of the bootstrap.

    Raises:
        UsageError: shapes do not fit, or there are too few negatives for the rate.
        DataError: activations are not finite, or do not differ between the kinds.
    """
    marks, phrasings = binary(labels, len(read)), coded(groups, len(read), "phrasing")
    asked = coded(questions, len(read), "question")
    if len(ends) != len(read) or any(not 0 <= end < len(one.pieces) for end, one in zip(ends, read, strict=True)):
        raise UsageError("each question has one token in which its name ends")
    if not 0 < shrinkage <= 1:
        raise UsageError(f"a shrinkage is greater than 0 and at most 1, got {shrinkage!r}")
    if any(one.activations.shape[1:] != (len(blocks), model.width) for one in read):
        raise UsageError(f"the questions are read at {len(blocks)} blocks of width {model.width}")
    scores, found = [], []
    for at in range(len(blocks)):
        tokens = _tokens(read, ends, marks, at)
        z, final = _scored(tokens, phrasings, shrinkage)
        scores.append(z)
        found.append(final)
    pooled = [within_auroc(marks, z, np.zeros_like(phrasings), resamples=0).value or 0.0 for z in scores]
    at = int(np.argmax(pooled))
    z, (unit, middle, spread) = scores[at], found[at]
    slope, intercept = platt(z, marks)
    negatives = np.asarray([z[~marks & (asked == one)].max() for one in np.unique(asked[~marks])])
    edge = false_fire_threshold(negatives, rate, bound=bound)
    told = _nested(scores, marks, phrasings)
    held = {
        "held-out phrasings": to_json(within_auroc(marks, told, np.zeros_like(phrasings), clusters=asked, seed=seed)),
        "held-out phrasings, within": to_json(within_auroc(marks, told, phrasings, clusters=asked, seed=seed)),
    }
    made = Probe(
        name=name,
        what=what,
        model=model,
        block=int(blocks[at]),
        pool="prompt_top",
        direction=np.asarray(unit, dtype=np.float32),
        slope=slope / spread,
        intercept=intercept - slope * middle / spread,
        share=float(marks.mean()),
        threshold=replace(edge, value=middle + spread * edge.value),
        method="whitened",
        receipts={
            **held,
            "by block": {str(block): value for block, value in zip(blocks, pooled, strict=True)},
            "by phrasing": _by_phrasing(z, marks, np.asarray(groups), edge.value),
            "caught": float((z[marks] > edge.value).mean()),
            "falsely fired": float((z[~marks] > edge.value).mean()),
            "shrinkage": shrinkage,
            "counts": {"rows": len(z), "positives": int(marks.sum()), "independent negatives": len(negatives)},
            "seed": seed,
        },
    )
    return made, told


def _tokens(read: Sequence[MessageTokens], ends: Sequence[int], marks: NDArray[np.bool_], at: int) -> _Tokens:
    rows = np.concatenate([one.activations[:, at] for one in read]).astype(np.float64)
    if not np.isfinite(rows).all():
        raise DataError("a token probe was given activations that are not finite")
    starts = np.concatenate([[0], np.cumsum([len(one.pieces) for one in read])])
    weights, positive = np.full(len(rows), OTHER), np.zeros(len(rows), dtype=np.bool_)
    for number, end in enumerate(ends):
        here = starts[number] + end
        weights[here] = 1.0
        if marks[number]:
            positive[here] = True
            weights[here + 1 : starts[number + 1]] = 0.0  # what comes after an unknown name may well say so, too
    return _Tokens(rows, starts, weights, positive)


def _scored(tokens: _Tokens, phrasings: Codes, shrinkage: float) -> tuple[Array, tuple[Array, float, float]]:
    """Each question's highest token under a fit without its phrasing, in units of that fit, shape (N,); and the fit of all."""
    of_token = np.repeat(phrasings, np.diff(tokens.starts))
    parts = [_sums(tokens, of_token == one) for one in range(int(phrasings.max()) + 1)]
    whole = _Sums(*(sum(getattr(one, name) for one in parts) for name in ("weight", "total", "squares")))
    z = np.empty(len(phrasings))
    for one, part in enumerate(parts):
        unit, middle, spread = _direction(whole.without(part), shrinkage)
        for number in np.flatnonzero(phrasings == one):
            rows = tokens.rows[tokens.starts[number] : tokens.starts[number + 1]]
            z[number] = ((rows @ unit - middle) / spread).max()
    return z, _direction(whole, shrinkage)


def _nested(scores: Sequence[Array], marks: NDArray[np.bool_], phrasings: Codes) -> Array:
    """Scores at the block that is best on the other phrasings, so that the choice of a block does not flatter what is told."""
    told = np.empty(len(marks))
    for one in range(int(phrasings.max()) + 1):
        rest = phrasings != one
        best = [within_auroc(marks[rest], z[rest], np.zeros(int(rest.sum()), dtype=np.intp), resamples=0).value or 0.0 for z in scores]
        told[~rest] = scores[int(np.argmax(best))][~rest]
    return told


def _by_phrasing(z: Array, marks: NDArray[np.bool_], groups: NDArray[Any], edge: float) -> dict[str, dict[str, float | None]]:
    made = {}
    for name in np.unique(groups):
        part = groups == name
        fired = {kind: z[part & (marks == kind)] > edge for kind in (True, False)}
        made[str(name)] = {
            "caught": float(fired[True].mean()) if fired[True].size else None,
            "falsely fired": float(fired[False].mean()) if fired[False].size else None,
        }
    return made
