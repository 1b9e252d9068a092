"""Theory: why a calibrated language model errs, one function for each statement, and finite worlds in which the truth is known.

In: counts of facts, or probabilities of listed responses, as arrays. Out: the frozen types of `results`. May import layer 0 and scipy.
`bounds`, `missing_mass`, `rescaling`, `graders` hold the statements, `reduction` the classifier inside a model, `worlds`, `learners` and
`simulate` the worlds. A new statement is a function named for it, assumptions first, with a property test that no world violates it.
Paper: Kalai, Nachum, Vempala and Zhang (2025), arXiv 2509.04664.
"""

from wager.theory.bounds import (
    corollary_1,
    corollary_2,
    observation_2,
    poor_models,
    theorem_1,
    theorem_2,
    theorem_2_upper,
    theorem_3,
    theorem_4,
)
from wager.theory.graders import observation_1
from wager.theory.missing_mass import distribution_free_interval, esty_interval, good_turing, lemma_1, lemma_2
from wager.theory.reduction import best_threshold, misclassified_at, parts, reduce
from wager.theory.rescaling import delta, delta_estimate, rescaled_loss, rescaling_derivative

__all__ = [
    "best_threshold",
    "corollary_1",
    "corollary_2",
    "delta",
    "delta_estimate",
    "distribution_free_interval",
    "esty_interval",
    "good_turing",
    "lemma_1",
    "lemma_2",
    "misclassified_at",
    "observation_1",
    "observation_2",
    "parts",
    "poor_models",
    "reduce",
    "rescaled_loss",
    "rescaling_derivative",
    "theorem_1",
    "theorem_2",
    "theorem_2_upper",
    "theorem_3",
    "theorem_4",
]
