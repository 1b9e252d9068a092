"""Which answers mean the same: relations between pairs, and the classes that follow from them.

A relation says of each ordered pair whether the first entails the second, contradicts it, or neither. Answers are one class if they are
connected by pairs that mean the same (connected components), so classes depend neither on the order of the answers nor on which
one came first; greedy clustering, which compares with the first member of a class only, depends on both.

- ``strict``: a pair means the same if each entails the other.
- ``loose``: if neither contradicts the other and at least one direction entails (the default of Farquhar et al. 2024, Nature 630).

Relations: `same_text` here, which needs no model; `wager.models.entailment` and `wager.models.embedding` run models in this process; a
judge is any Inspect model (`wager.evals.elicit`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from wager.elicit.wording import same_words
from wager.errors import UnknownNameError
from wager.grading.matching import normalise

__all__ = ["Clustering", "Entails", "Relation", "judge_request", "judged", "meanings", "pairs_to_ask", "same_text"]

Relation = Literal["entails", "neutral", "contradicts"]
"""Of an ordered pair (premise, hypothesis)."""

Clustering = Literal["strict", "loose"]


Entails = Callable[[Sequence[tuple[str, str]]], Sequence[Relation]]
"""Says how the texts of ordered pairs (premise, hypothesis) relate, one relation for each pair."""


def same_text(pairs: Sequence[tuple[str, str]]) -> list[Relation]:
    """For short answers, without a model: entails where the words say the same (`wager.elicit.wording`), else contradicts."""
    return ["entails" if same_words(one, other) else "contradicts" for one, other in pairs]


JUDGE = (
    "Question: {question}\nAnswer 1: {one}\nAnswer 2: {other}\n"
    "Do the two answers mean the same, so that both are right or both are wrong? Reply with yes or no only."
)


def judge_request(question: str, one: str, other: str) -> str:
    """What a judge is asked about a pair of answers."""
    return JUDGE.format(question=question, one=one, other=other)


def judged(reply: str) -> Relation:
    """A judge's reply as a relation of both directions; anything but a yes or a no is ``neutral``.

    >>> judged("Yes."), judged("No, they differ."), judged("Perhaps")
    ('entails', 'contradicts', 'neutral')
    """
    word = normalise(reply).split()[:1]
    return "entails" if word == ["yes"] else "contradicts" if word == ["no"] else "neutral"


def pairs_to_ask(answers: Sequence[str]) -> list[tuple[str, str]]:
    """Every ordered pair of answers that differ, each text once: equal texts mean the same without being asked."""
    texts = list(dict.fromkeys(answers))
    return [(one, other) for one in texts for other in texts if one != other]


def meanings(answers: Sequence[str], entails: Entails = same_text, *, clustering: Clustering = "loose") -> NDArray[np.intp]:
    """The class of each answer, shape (N,), numbered from 0 in order of first appearance.

    Args:
        answers: shape (N,).
        entails: the relation; asked once for each ordered pair of different texts.
        clustering: ``strict`` or ``loose``, see above.

    >>> meanings(["Lima", "Cusco", "It is Lima."]).tolist()
    [0, 1, 0]
    """
    if clustering not in ("strict", "loose"):
        raise UnknownNameError("clustering", clustering, ["loose", "strict"])
    texts = list(dict.fromkeys(answers))
    place = {text: at for at, text in enumerate(texts)}
    pairs = pairs_to_ask(answers)
    relation = dict(zip(pairs, entails(pairs), strict=True)) if pairs else {}
    same = [(place[one], place[other]) for one, other in pairs if _same(relation[one, other], relation[other, one], clustering)]
    rows, columns = zip(*same, strict=True) if same else ((), ())
    graph = csr_array((np.ones(len(same)), (rows, columns)), shape=(len(texts), len(texts)))
    labels = connected_components(graph, directed=False)[1] if texts else np.zeros(0, dtype=np.intp)
    found = [int(labels[place[answer]]) for answer in answers]
    number = {label: at for at, label in enumerate(dict.fromkeys(found))}
    return np.asarray([number[label] for label in found], dtype=np.intp)


def _same(forward: Relation, back: Relation, clustering: Clustering) -> bool:
    both = {forward, back}
    if clustering == "strict":
        return both == {"entails"}
    return "contradicts" not in both and "entails" in both
