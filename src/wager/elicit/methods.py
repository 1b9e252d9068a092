"""The methods by name: what each needs from the model, and how the evidence becomes a confidence.

A method is named as its column. `draws_of` gives the union of what several need, so that each draw is made once; `confidences` reads
all of them from one `Evidence`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from wager.answers import ConfidenceSource
from wager.elicit.consistency import agreement, answers_of
from wager.elicit.evidence import Cost, Draw, Evidence
from wager.elicit.logprob import TokenProbability, answer_probability
from wager.elicit.meaning import Clustering, Entails, same_text
from wager.elicit.p_true import p_true
from wager.elicit.semantic_entropy import semantic_entropy
from wager.elicit.stated import stated_reply
from wager.elicit.verbal import verbal_confidence
from wager.errors import UnknownNameError, UsageError

__all__ = ["METHODS", "Method", "Reading", "confidences", "cost_of", "draws_of", "methods_named", "texts_to_compare"]


@dataclass(frozen=True)
class Reading:
    """A confidence, or why there is none."""

    value: float | None
    """In [0, 1]; None if unavailable."""
    problem: str | None = None
    """Why there is no value."""


@dataclass(frozen=True)
class Meaning:
    """How samples are compared."""

    entails: Entails = same_text
    """The relation."""
    clustering: Clustering = "loose"
    """Which relations make two answers one."""


Read = Callable[[Evidence, Meaning], Reading]


@dataclass(frozen=True)
class Method:
    """A way to get a confidence."""

    source: ConfidenceSource
    """Its name, and its column."""
    draws: frozenset[Draw]
    """What must be drawn from the model."""
    logprobs: frozenset[Draw]
    """Of which draws it needs the token log-probabilities."""
    read: Read
    """The confidence from the evidence."""
    what: str
    """In one line, for a listing."""


def _spelled(evidence: Evidence) -> TokenProbability | None:
    tokens = evidence.reply.tokens
    return answer_probability([one.text for one in tokens], [one.logprob for one in tokens], evidence.reply.answer or "")


NOT_FOUND = "the answer's tokens have no log-probabilities"


def _logprob(evidence: Evidence, meaning: Meaning) -> Reading:
    found = _spelled(evidence)
    return Reading(None, NOT_FOUND) if found is None else Reading(min(1.0, found.joint))


def _logprob_mean(evidence: Evidence, meaning: Meaning) -> Reading:
    found = _spelled(evidence)
    return Reading(None, NOT_FOUND) if found is None else Reading(min(1.0, math.exp(found.mean_logprob)))


def _p_true(evidence: Evidence, meaning: Meaning) -> Reading:
    if evidence.p_true is None:
        return Reading(None, "not asked")
    found = p_true(evidence.p_true.tokens)
    return Reading(found.value, found.problem)


def _stated(evidence: Evidence, meaning: Meaning) -> Reading:
    if evidence.stated is None:
        return Reading(None, "not asked")
    found = stated_reply(evidence.stated.text)
    return Reading(found.value, found.problem)


def _verbal(evidence: Evidence, meaning: Meaning) -> Reading:
    if evidence.verbal is None:
        return Reading(None, "not asked")
    found = verbal_confidence(evidence.verbal.text)
    return Reading(found.value, found.act or found.problem)


def _consistency(evidence: Evidence, meaning: Meaning) -> Reading:
    given = evidence.reply.answer or evidence.reply.text
    found = agreement(given, evidence.samples, meaning.entails, clustering=meaning.clustering)
    return Reading(found.value, None if found.n else "no sample has a verdict")


def _entropy(evidence: Evidence, meaning: Meaning) -> Reading:
    found = semantic_entropy(evidence.samples, meaning.entails, clustering=meaning.clustering)
    return Reading(found.confidence, None if found.n > 1 else "fewer than two samples have a verdict")


def _weighted_entropy(evidence: Evidence, meaning: Meaning) -> Reading:
    found = semantic_entropy(evidence.samples, meaning.entails, clustering=meaning.clustering)
    why = "fewer than two samples have a verdict" if found.n < 2 else "a sample has no log-probabilities"
    return Reading(found.weighted_confidence, None if found.weighted_confidence is not None else why)


def _method(source: ConfidenceSource, what: str, read: Read, *draws: Draw, logprobs: Draw | None) -> Method:
    return Method(source, frozenset({Draw.GREEDY, *draws}), frozenset({logprobs} if logprobs else ()), read, what)


S = ConfidenceSource
METHODS: Mapping[ConfidenceSource, Method] = {
    method.source: method
    for method in (
        _method(S.LOGPROB, "joint probability of the answer's tokens", _logprob, logprobs=Draw.GREEDY),
        _method(S.LOGPROB_MEAN, "geometric mean probability of the answer's tokens", _logprob_mean, logprobs=Draw.GREEDY),
        _method(S.P_TRUE, "is it true? probability of the word True", _p_true, Draw.P_TRUE, logprobs=Draw.P_TRUE),
        _method(S.STATED, "a number that the model states afterwards", _stated, Draw.STATED, logprobs=None),
        _method(S.VERBAL, "one of four phrases that the model chooses afterwards", _verbal, Draw.VERBAL, logprobs=None),
        _method(S.CONSISTENCY, "share of samples that agree with the answer", _consistency, Draw.SAMPLES, logprobs=None),
        _method(S.SEMANTIC_ENTROPY, "1 - entropy over meanings of samples", _entropy, Draw.SAMPLES, logprobs=None),
        _method(
            S.SEMANTIC_ENTROPY_WEIGHTED,
            "the same, weighted by likelihood",
            _weighted_entropy,
            Draw.SAMPLES,
            logprobs=Draw.SAMPLES,
        ),
    )
}
"""Every method, by source. `ConfidenceSource.COMBINED` is fitted on the others (`wager.policy.combining`) and needs no draw of its own."""


def methods_named(names: Iterable[str]) -> tuple[Method, ...]:
    """The methods of these names, in the order of `METHODS`; ``all`` is every one.

    Raises:
        UnknownNameError: no method of that name.
        UsageError: none was given.
    """
    wanted = set(names)
    if "all" in wanted:
        return tuple(METHODS.values())
    for name in sorted(wanted):
        if name not in METHODS:
            raise UnknownNameError("method", name, [*METHODS, "all"])
    if not wanted:
        raise UsageError(f"no method was given; choose from {', '.join(METHODS)}")
    return tuple(method for source, method in METHODS.items() if source in wanted)


def draws_of(methods: Iterable[Method]) -> frozenset[Draw]:
    """What has to be drawn for all of them, each once.

    >>> sorted(draws_of(methods_named(["consistency", "semantic_entropy", "logprob"])))
    [<Draw.GREEDY: 'greedy'>, <Draw.SAMPLES: 'samples'>]
    """
    return frozenset().union(*(method.draws for method in methods))


def cost_of(method: Method, costs: Mapping[Draw, Cost]) -> Cost:
    """What one method alone would have cost."""
    return Cost.total([costs[draw] for draw in sorted(method.draws) if draw in costs])


def texts_to_compare(evidence: Evidence) -> list[str]:
    """Every text whose meaning is compared with others: the answer, then those of the samples."""
    return [evidence.reply.answer or evidence.reply.text, *answers_of(evidence.samples)]


def confidences(
    evidence: Evidence, methods: Iterable[Method], entails: Entails = same_text, *, clustering: Clustering = "loose"
) -> dict[ConfidenceSource, Reading]:
    """Each method's confidence in the answer, or why it has none.

    >>> from wager.elicit.evidence import Reply
    >>> found = confidences(Evidence(Reply("Lima", answer="Lima"), (Reply("Lima", answer="Lima"),)), methods_named(["consistency"]))
    >>> found["consistency"].value
    1.0
    """
    meaning = Meaning(entails, clustering)
    return {method.source: method.read(evidence, meaning) for method in methods}
