"""Bounds on the error rate of a language model: one function for each statement, named for it (Kalai et al. 2025, arXiv 2509.04664).

`Theorem 1` and what follows from it bound the error of ANY model by how badly it tells valid from erroneous responses. `Theorem 2`
bounds it from the training data alone. None of them says that a model errs as little as its lower bound.
"""

from __future__ import annotations

import math

from wager.errors import DataError
from wager.theory.results import Bound, Term

__all__ = [
    "corollary_1",
    "corollary_2",
    "observation_2",
    "poor_models",
    "theorem_1",
    "theorem_2",
    "theorem_2_upper",
    "theorem_3",
    "theorem_4",
]

PRINTED = 0.01
"""The gamma for which the paper prints constants, rounded up from the general form; at exactly this gamma they are used."""


def corollary_1(misclassified: float, valid: int, errors: int, delta: float) -> float:
    """``err >= 2 err_iiv - |V|/|E| - delta``, without prompts.

    Assumes: finite, disjoint sets of |V| = `valid` and |E| = `errors` strings, both >= 1; training data that is never wrong; err_iiv and
    delta taken at the threshold 1/|E|. Nothing about the model. It does not say that err is near the bound; below 0 it says nothing.
    Arguments `misclassified` and `delta` lie in [0, 1]; DataError otherwise.

    >>> round(corollary_1(0.4, 2, 10, 0.05), 12)
    0.55

    Source: Corollary 1 (sec. 3.1).
    """
    return theorem_1(misclassified, valid, errors, delta)


def theorem_1(misclassified: float, most_valid: int, fewest_errors: int, delta: float) -> float:
    """``err >= 2 err_iiv - max|V_c| / min|E_c| - delta``, with prompts; err counts unlisted responses (nonsense) too.

    Assumes: each prompt has valid and erroneous responses; training data that is never wrong; err_iiv and delta taken at the threshold
    1/min|E_c|. Nothing about the model: a model that is not calibrated has a large delta. `wager.theory.reduction.reduce` computes every
    term from arrays. Arguments as in `corollary_1`.

    >>> round(theorem_1(0.45, 2, 364, 0.1), 6)
    0.794505

    Source: Theorem 1 (sec. 3.2); sec. 5 for nonsense.
    """
    _share("misclassified", misclassified)
    _share("delta", delta)
    return 2 * misclassified - _count("most_valid", most_valid) / _count("fewest_errors", fewest_errors) - delta


def poor_models(opt: float, most_valid: int, fewest_errors: int, delta: float) -> float:
    """``err >= 2 opt(G) - max|V_c| / min|E_c| - delta`` for every model of a class.

    Assumes: as `theorem_1`; ``opt(G)`` in [0, 1/2] is the least err_iiv of any threshold classifier ``phat_theta(r|c) > t``, over all
    models theta of the class and all t in [0, 1].

    >>> round(poor_models(0.3, 1, 10, 0.0), 12)
    0.5

    Source: sec. 3.3.2.
    """
    return theorem_1(_half("opt", opt), most_valid, fewest_errors, delta)


def theorem_2(singletons: float | None, n: float, *, fewest_errors: int | None, delta: float = 0.0, gamma: float = PRINTED) -> Bound:
    """``err >= |S|/N - 2/min|E_c| - 6 ln(3N/gamma)/sqrt(N) - delta`` with probability at least 1 - gamma.

    Assumes: arbitrary facts (Definition 1: the true answer of each prompt was drawn uniformly from its possible answers, independently of
    all else), N independent training samples that are never wrong, any training algorithm, a model whose miscalibration at the threshold
    1/min|E_c| is `delta`. The probability is over the facts and the sample.

    - `singletons`: |S|, prompts answered exactly once with anything but "I don't know"; None if it cannot be told. `n`: N, ALL samples,
      the ones that say "I don't know" included, and not the number of prompts. Both may be fractions where prompts were sampled; an
      estimate of |S| above N must be cut to N first.
    - `fewest_errors`: min |E_c| >= 1, wrong answers of the prompt that has fewest; None if it was not stated, and then its term is left
      out, which makes the bound too high by 2/min|E_c|.
    - At gamma = 0.01 the sampling term is the printed ``(35 + 6 ln N)/sqrt(N)``: 35 is 6 ln(300) = 34.22 rounded up. Every other gamma
      uses the general form.

    It does not say which facts are answered wrongly: errors fall on prompts that were never seen, and singletons only estimate their
    mass. Raises DataError for counts or shares out of range.

    >>> bound = theorem_2(300_000, 1_000_000, fewest_errors=364)
    >>> round(bound.value, 4), bound.vacuous
    (0.1766, False)
    >>> small = theorem_2(3_000, 10_000, fewest_errors=364)
    >>> small.vacuous, small.not_vacuous_from
    (True, 128531)

    Source: Theorem 2 (sec. 3.3.1), general form in app. B.
    """
    rate = _rate(singletons, n)
    _share("delta", delta)
    _probability("gamma", gamma)
    choice = None if fewest_errors is None else -2 / _count("fewest_errors", fewest_errors)
    terms = (
        Term("sr", rate, "share of the samples whose fact occurs once in the data"),
        Term("2/min|E_c|", choice, _GUESSING if choice is not None else _GUESSING + "; not stated, left out of the sum"),
        Term(_lower_symbol(gamma), None if n == 0 else -_lower_chance(n, gamma), "chance in the draw of the samples"),
        Term("delta", 0.0 - delta, "how far the model is from calibrated at the threshold 1/min|E_c|"),
    )
    value = _sum(terms)
    room = None if rate is None else rate + (choice or 0.0) - delta
    return Bound(
        name="Theorem 2",
        side="lower",
        terms=terms,
        value=value,
        confidence=1 - gamma,
        vacuous=None if value is None else value <= 0,
        assumptions=_assumptions(
            "the model is calibrated at the threshold 1/min|E_c|, but for delta",
            None if fewest_errors is not None else "every prompt has so many wrong answers that 2/min|E_c| can be left out",
        ),
        not_said="It is no prediction: a model may err far more, and one that is not calibrated, or abstains, may err less.",
        not_vacuous_from=_enough(room, gamma) if value is not None and value <= 0 and room is not None else None,
    )


def theorem_2_upper(singletons: float | None, n: float, *, most_errors: int | None, gamma: float = PRINTED) -> Bound:
    """``err <= L/(L+1) |S|/N + 5 sqrt(ln(5/gamma)/N)`` for the calibrated memoriser, with probability at least 1 - gamma.

    Assumes: facts and samples as in `theorem_2`; a learner that repeats what it saw, spreads its belief evenly over the possible answers
    where it saw nothing, and knows how often each prompt is answered at all (alpha_c). L = `most_errors` = max |E_c| >= 1; None if it was
    not stated, and then ``sr/(L+1)`` is not taken off, which leaves the bound true. At gamma = 0.01 the sampling term is the printed
    ``13/sqrt(N)`` (12.46 rounded up); other gammas use the general form. Other arguments and errors as in `theorem_2`.

    It does not say that a trained model reaches it: it says that one calibrated learner does.

    >>> round(theorem_2_upper(300_000, 1_000_000, most_errors=364).value, 4)
    0.3122

    Source: Theorem 2 (sec. 3.3.1), general form in app. B.
    """
    rate = _rate(singletons, n)
    _probability("gamma", gamma)
    chance = None if n == 0 else _upper_chance(n, gamma)
    lucky = None if most_errors is None or rate is None else -rate / (_count("most_errors", most_errors) + 1)
    stated = most_errors is not None
    terms = (
        Term("sr", rate, "share of the samples whose fact occurs once in the data"),
        Term("sr/(max|E_c|+1)", lucky, "lucky guesses" if stated else "lucky guesses; not stated, left out of the sum"),
        Term("13/sqrt(N)" if gamma == PRINTED else "5 sqrt(ln(5/gamma)/N)", chance, "chance in the draw of the samples"),
    )
    value = _sum(terms)
    return Bound(
        name="Theorem 2, upper bound",
        side="upper",
        terms=terms,
        value=value,
        confidence=1 - gamma,
        vacuous=None if value is None else value >= 1,
        assumptions=_assumptions("the learner is the calibrated memoriser, which knows how often each prompt is answered at all"),
        not_said="It does not say that your model errs so little: one calibrated learner does, and others may err more.",
    )


def theorem_3(opt: float, choices: int) -> float:
    """``err >= 2 (1 - 1/C) opt(G)`` for every model of a class, in pure multiple choice.

    Assumes: EXACTLY one valid response for each prompt, so no "I don't know"; C = `choices` = min |E_c| + 1 >= 2; `opt` in [0, 1/2] as
    in `poor_models`. No term for calibration: it holds for any model of the class, calibrated or not.

    >>> theorem_3(0.5, 4)
    0.75

    Source: Theorem 3 (sec. 3.3.2).
    """
    return theorem_4(_half("opt", opt), choices)


def theorem_4(least_misclassified: float, choices: int) -> float:
    """``err >= 2 (1 - 1/C) min_t err_iiv(t)`` for one model, in pure multiple choice.

    Assumes: as `theorem_3`. `least_misclassified` in [0, 1/2] is err_iiv at the best threshold t: the proof averages over t, so the
    inequality is sure only for the best one, not for any t (`wager.theory.reduction.best_threshold`).

    >>> round(theorem_4(0.2, 5), 12)
    0.32

    Source: Theorem 4 (app. C).
    """
    _half("least_misclassified", least_misclassified)
    if not choices >= 2:
        raise DataError(f"choices is {choices}; multiple choice needs at least 2")
    return 2 * (1 - 1 / choices) * least_misclassified


def corollary_2() -> float:
    """Any trigram model errs on at least half of two prompts that differ only in "He" and "She".

    Assumes: "She lost it and was completely out of" needs "her mind.", "He ..." needs "his mind.", both equally frequent. A trigram sees
    only the last two words, which are the same, so it gives both prompts the same probabilities: opt(G) = 1/2 with C = 2.

    >>> corollary_2()
    0.5

    Source: Corollary 2 (sec. 3.3.2). `wager.theory.worlds.pronouns` builds the world.
    """
    return theorem_3(0.5, 2)


def observation_2(beta: float, messages: int, delta: float) -> float:
    """``err >= 1 - beta - 2/(|M| - 1) - delta``: wrong decryptions of a model that does not beta-break the encryption.

    Assumes: prompts are ciphertexts with their key withheld, |M| = `messages` >= 2 equally likely messages, "I don't know" is valid too;
    the model's classifier has ``err_iiv > (1 - beta)/2``, `beta` and `delta` in [0, 1]. Does not say that the task is hard: that is what
    beta assumes.

    >>> round(observation_2(0.1, 1001, 0.05), 12)
    0.848

    Source: Definition 3 and Observation 2 (sec. 3.4, app. D).
    """
    if not messages >= 2:
        raise DataError(f"messages is {messages}; an encryption scheme has at least 2")
    return theorem_1((1 - _share("beta", beta)) / 2, 2, messages - 1, delta)


_GUESSING = "what guessing among the possible answers gets right"


def _assumptions(*more: str | None) -> tuple[str, ...]:
    shared = (
        "the facts are arbitrary: the answer to one prompt says nothing about another",
        "the samples are independent draws from the prompts that will be asked",
        "the data is never wrong",
    )
    return (*shared, *(one for one in more if one is not None))


def _lower_symbol(gamma: float) -> str:
    return "(35 + 6 ln N)/sqrt(N)" if gamma == PRINTED else "6 ln(3N/gamma)/sqrt(N)"


def _lower_chance(n: float, gamma: float) -> float:
    constant = 35.0 if gamma == PRINTED else 6 * math.log(3 / gamma)
    return (constant + 6 * math.log(n)) / math.sqrt(n)


def _upper_chance(n: float, gamma: float) -> float:
    return (13.0 if gamma == PRINTED else 5 * math.sqrt(math.log(5 / gamma))) / math.sqrt(n)


def _sum(terms: tuple[Term, ...]) -> float | None:
    if terms[0].value is None:
        return None
    return sum(term.value for term in terms if term.value is not None)


def _enough(room: float, gamma: float) -> int | None:
    """Smallest N whose sampling term is below `room`; from N = 3 on the term only falls, and at N = 3 it is far above 1."""
    if room <= 0:
        return None
    low, high = 3, 6
    while _lower_chance(high, gamma) >= room:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _lower_chance(middle, gamma) >= room else (low, middle)
    return high


def _rate(singletons: float | None, n: float) -> float | None:
    if not (math.isfinite(n) and (n == 0 or n >= 1)):
        raise DataError(f"n is {n}; it must be 0 or a number of samples from 1")
    if singletons is None or n == 0:
        return None
    if not 0 <= singletons <= n:
        raise DataError(f"singletons is {singletons:g} of n = {n:g} samples; it must lie between 0 and n (cut an estimate above n to n)")
    return singletons / n


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise DataError(f"{name} is {value}; it must lie in [0, 1]")
    return value


def _half(name: str, value: float) -> float:
    if not 0 <= value <= 0.5:
        raise DataError(f"{name} is {value}; it must lie in [0, 1/2], as saying 'erroneous' to everything already errs at 1/2")
    return value


def _probability(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise DataError(f"{name} is {value}; it must lie strictly between 0 and 1")


def _count(name: str, value: int) -> int:
    if not value >= 1:
        raise DataError(f"{name} is {value}; it must be at least 1")
    return value
