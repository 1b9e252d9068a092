"""Learners whose answers are known exactly: what each would say to every prompt of a world, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError
from wager.theory.worlds import IDK, Facts, Listing, Sample

__all__ = ["Replies", "always_abstains", "by_context", "memoriser", "n_gram", "overconfident", "repeats_the_data"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Replies:
    """A model's answers to every prompt, equally probable wrong ones in one entry: the arguments of `wager.theory.reduction.reduce`."""

    prompt: Ints
    """Prompt of each entry, (R,)."""
    phat: Floats
    """Probability of each response of the entry, (R,)."""
    valid: NDArray[np.bool_]
    """Whether they are valid, (R,)."""
    truth: Floats
    """p(r|c), (R,)."""
    times: Ints
    """Responses that the entry stands for, (R,)."""
    abstains: Floats
    """Mass on "I don't know", (C,)."""


def memoriser(facts: Facts, sample: Sample) -> Replies:
    """Theorem 2's learner: says what it saw, is even over R_c where it saw nothing, and abstains with the true probability 1 - alpha_c.

    Assumes: it knows alpha_c. On clean data delta is 0 at every threshold. Where the data contradicts itself it says each answer in
    proportion. Its error on clean data is ``sum mu(c) alpha_c (|R_c| - 1)/|R_c|`` over the prompts never answered.

    Source: Kalai et al. (2025), Theorem 2, upper bound (app. B).
    """
    times = sample.times
    prompt, answer, share = _seen(sample, times)
    even = np.where(times == 0, facts.answered / facts.choices, 0.0)
    return _replies(facts, 1 - facts.answered, even, prompt, answer, share * facts.answered[prompt])


def overconfident(facts: Facts, sample: Sample, *, rng: np.random.Generator) -> Replies:
    """Never abstains, and where it saw nothing bets everything on one answer drawn evenly: not calibrated, and erring more for it."""
    times = sample.times
    prompt, answer, share = _seen(sample, times)
    unseen = np.flatnonzero(times == 0)
    guess = rng.integers(0, facts.choices[unseen])
    none = np.zeros(len(times))
    return _replies(facts, none, none, np.append(prompt, unseen), np.append(answer, guess), np.append(share, np.ones(len(unseen))))


def always_abstains(facts: Facts) -> Replies:
    """Says "I don't know" to everything: never errs, and is as far from calibrated as the data is from silence."""
    none = np.zeros(len(facts.weights))
    empty = np.empty(0, dtype=np.int64)
    return _replies(facts, none + 1, none, empty, empty, np.empty(0))


def repeats_the_data(facts: Facts, sample: Sample) -> Replies:
    """Says what it saw, with certainty, and "I don't know" where it saw nothing: on clean data it never errs."""
    times = sample.times
    prompt, answer, share = _seen(sample, times)
    return _replies(facts, (times == 0).astype(np.float64), np.zeros(len(times)), prompt, answer, share)


def by_context(facts: Facts, sample: Sample, context: Ints) -> Replies:
    """An n-gram model of facts: sees only `context` of a prompt, (C,) integers 0 .. G-1, and says each answer as often as it followed it.

    A context that never occurs backs off to all samples. Assumes the same |R_c| for every prompt and a sample that is not empty;
    DataError otherwise. With as few contexts as one it knows only which answers are frequent.
    """
    width = int(facts.choices[0])
    if np.any(facts.choices != width) or not sample.n:
        raise DataError("by_context needs the same number of answers for every prompt, and at least one sample")
    if context.shape != facts.weights.shape or context.min() < 0:
        raise DataError(f"context must be {len(facts.weights)} integers from 0; got shape {context.shape}")
    groups = int(context.max()) + 1
    cell = context[sample.prompt] * (width + 1) + np.where(sample.said == IDK, width, sample.said)
    counts = np.bincount(cell, minlength=groups * (width + 1)).reshape(groups, width + 1).astype(np.float64)
    counts[counts.sum(axis=1) == 0] = counts.sum(axis=0)
    table = counts / counts.sum(axis=1, keepdims=True)
    return _tabled(facts, table, context)


def n_gram(listing: Listing, order: int) -> Replies:
    """The best n-gram model of a listing with endless data: the truth, averaged over prompts whose last `order` - 1 words are the same.

    Assumes: those prompts list the same responses in the same order; DataError otherwise, or where `order` is below 1. It has no memory
    further back, which is the whole of Corollary 2.
    """
    if order < 1:
        raise DataError(f"order is {order}; an n-gram model has at least order 1")
    endings = [tuple(words.split()[max(0, len(words.split()) - order + 1) :]) if order > 1 else () for words in listing.prompts]
    known = {ending: i for i, ending in enumerate(dict.fromkeys(endings))}
    context = np.array([known[ending] for ending in endings])
    rows = [np.flatnonzero(listing.prompt == c) for c in range(len(listing.prompts))]
    phat = np.zeros(len(listing.prompt))
    for group in range(len(known)):
        members = np.flatnonzero(context == group)
        if len({tuple(listing.responses[r] for r in rows[c]) for c in members}) > 1:
            raise DataError("prompts with the same ending must list the same responses in the same order")
        mu = listing.weights[members] / listing.weights[members].sum()
        mean = sum(m * listing.truth[rows[c]] for m, c in zip(mu, members, strict=True))
        for c in members:
            phat[rows[c]] = mean
    ones = np.ones(len(phat), dtype=np.int64)
    return Replies(listing.prompt, phat, listing.valid, listing.truth, ones, np.zeros(len(listing.prompts)))


def _seen(sample: Sample, times: Ints) -> tuple[Ints, Ints, Floats]:
    """Each prompt's different answers in the data and their shares, all (P,)."""
    said = sample.said != IDK
    width = int(sample.said.max(initial=0)) + 1
    pair, count = np.unique(sample.prompt[said] * width + sample.said[said], return_counts=True)
    prompt = pair // width
    return prompt, pair % width, count / times[prompt]


def _replies(facts: Facts, idk: Floats, even: Floats, prompt: Ints, answer: Ints, mass: Floats) -> Replies:
    """Rows with mass `idk` on "I don't know", `mass` on each of the pairs listed once, and `even` on every other answer of R_c."""
    every = np.arange(len(facts.weights))
    right = answer == facts.answer[prompt]
    on_truth = even.copy()
    on_truth[prompt[right]] = mass[right]
    wrong, wrong_mass = prompt[~right], mass[~right]
    rest = facts.choices - 1 - np.bincount(wrong, minlength=len(every))
    left = rest > 0
    return _joined(
        facts,
        idk,
        on_truth,
        np.concatenate([wrong, every[left]]),
        np.concatenate([wrong_mass, even[left]]),
        np.concatenate([np.ones(len(wrong), dtype=np.int64), rest[left]]),
    )


def _tabled(facts: Facts, table: Floats, row: Ints) -> Replies:
    """Rows of a table of (G, |R_c| + 1) probabilities, the last "I don't know"; equal wrong answers of a row become one entry."""
    width = table.shape[1] - 1
    ranked = np.sort(table[:, :width], axis=1)
    first = np.ones(ranked.shape, dtype=np.bool_)
    first[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    group, column = np.nonzero(first)
    value = ranked[group, column]
    flat = np.append(np.flatnonzero(first), ranked.size)
    times = np.diff(flat)
    begins = np.searchsorted(group, np.arange(len(table) + 1))
    lengths = np.diff(begins)[row]
    prompt = np.repeat(np.arange(len(row)), lengths)
    entry = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + begins[row][prompt]
    on_truth = table[row, facts.answer]
    count = times[entry] - (value[entry] == on_truth[prompt])
    left = count > 0
    return _joined(facts, table[row, width], on_truth, prompt[left], value[entry][left], count[left])


def _joined(facts: Facts, idk: Floats, on_truth: Floats, prompt: Ints, phat: Floats, times: Ints) -> Replies:
    """ "I don't know" and the true answer of each prompt, then entries of wrong ones."""
    size, wrong = len(facts.weights), len(prompt)
    every = np.arange(size)
    return Replies(
        prompt=np.concatenate([every, every, prompt]).astype(np.int64),
        phat=np.concatenate([idk, on_truth, phat]),
        valid=np.arange(2 * size + wrong) < 2 * size,
        truth=np.concatenate([1 - facts.answered, facts.answered, np.zeros(wrong)]),
        times=np.concatenate([np.ones(2 * size, dtype=np.int64), times]).astype(np.int64),
        abstains=idk,
    )
