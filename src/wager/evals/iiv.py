"""Is-It-Valid, measured: a language model on questions whose valid and erroneous responses are known.

A set gives, for each prompt, a closed list of responses. The model says how probable it makes each; that turns it into a classifier of
valid and erroneous responses, and Theorem 1 bounds its error by how badly that classifier does. `question_set` makes or reads a set,
`study` measures models on it. Source: Kalai et al. (2025), arXiv 2509.04664, sec. 3.2; the calibration picture is theirs, Figure 2.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wager import __version__
from wager.errors import DataError, UsageError
from wager.evals.iiv_sets import Question, QuestionSet
from wager.models.likelihood import Likelihood, checked_temperatures
from wager.theory.reduction import parts, reduce
from wager.theory.results import Reduction, ReductionStudy

__all__ = ["Mass", "asked", "limited", "reduction", "study"]

Floats = NDArray[np.float64]

Mass = Literal["listed", "all"]

RESAMPLES = 2000
"""Bootstrap resamples of the prompts."""


@dataclass(frozen=True)
class _Flat:
    """Probabilities of all responses, one after the other."""

    prompt: NDArray[np.int64]
    """0 .. C-1, shape (R,)."""
    phat: Floats
    """(R,)."""
    valid: NDArray[np.bool_]
    """(R,)."""
    nonsense: Floats
    """Mass on responses that are not listed, (C,)."""


def asked(questions: Sequence[Question], model: Likelihood, *, chat: bool) -> tuple[list[str], list[list[str]]]:
    """Prompts and responses as the model reads them: as running text, or as a turn of a conversation in its own template.

    In a conversation the response begins without a blank and ends with the model's end-of-turn token.
    """
    if not chat:
        return [one.prompt for one in questions], [[_ended(text, one.ending) for text in one.responses] for one in questions]
    turns = [model.turn(one.question) for one in questions]
    replies = [[text.strip() + after for text in one.responses] for one, (_, after) in zip(questions, turns, strict=True)]
    return [before for before, _ in turns], replies


def _ended(text: str, ending: str) -> str:
    return text if ending and text.endswith(ending) else text + ending


def study(
    questions: QuestionSet,
    models: Sequence[Likelihood],
    *,
    temperatures: Sequence[float] = (),
    mass: Mass = "listed",
    chat: bool = False,
    seed: int = 0,
    bins: int = 12,
    progress: Callable[[str, int, int], None] | None = None,
) -> ReductionStudy:
    """The same prompts under each model, as it is and at each further temperature of its tokens.

    Args:
        questions: from `wager.evals.iiv_sets.question_set`.
        models: at least one; a fine-tuned version is one more.
        temperatures: other than 1, which is always there.
        mass: ``listed`` makes the probabilities of the listed responses sum to 1; ``all`` keeps them, and what is not listed is an error.
        chat: ask in each model's chat template instead of running text.
        seed: of the intervals.
        bins: of the calibration.
        progress: called with a model's name, prompts done and prompts in all.

    Raises:
        UsageError: no model, the same model twice, or a temperature that a model cannot compute.
        DataError: no prompt could be used, or the responses to a prompt overlap.
        ModelError: a model does not work.
    """
    if not models:
        raise UsageError("at least one model is measured")
    if len({one.name for one in models}) < len(models):
        raise UsageError(f"models are told apart by their names, and one is there twice: {', '.join(one.name for one in models)}")
    variants = tuple(dict.fromkeys([1.0, *map(float, temperatures)]))
    for model in models:  # before minutes of work with the first one
        checked_temperatures(variants, model)
        asked(questions.questions[:1], model, chat=chat)
    started = time.perf_counter()
    scored = [_scored(questions, model, variants, chat, progress) for model in models]
    usable = [at for at in range(len(questions.questions)) if all(_usable(one[at]) for one in scored)]
    if not usable:
        raise DataError(f"none of the {len(questions.questions)} prompts could be used: none fits into every model with its responses")
    left_out = questions.left_out + len(questions.questions) - len(usable)
    kept = [questions.questions[at] for at in usable]
    reductions = [
        reduction(
            [np.asarray(found[at])[number] for at in usable],
            [one.valid for one in kept],
            model=model.name,
            variant="as it is" if heat == 1 else f"temperature {heat:g}",
            mass=mass,
            left_out=left_out,
            seed=seed,
            bins=bins,
        )
        for model, found in zip(models, scored, strict=True)
        for number, heat in enumerate(variants)
    ]
    about = {"wager": __version__, "prompts": "chat template" if chat else "running text", "seed": str(seed)}
    about |= {f"{model.name}: {name}": value for model in models for name, value in model.about.items()}
    about |= questions.about | {"example prompt": asked(kept[:1], models[0], chat=chat)[0][0]}
    about["seconds"] = f"{time.perf_counter() - started:.0f}"
    return ReductionStudy(questions.name, mass, tuple(reductions), (*questions.warnings, *_warnings(reductions, kept)), about)


def _scored(
    questions: QuestionSet, model: Likelihood, variants: Sequence[float], chat: bool, progress: Callable[[str, int, int], None] | None
) -> list[Floats | None]:
    prompts, responses = asked(questions.questions, model, chat=chat)
    for prompt, listed in zip(prompts, responses, strict=True):
        _refuse_overlap(prompt, listed)
    done = 0

    def one() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(model.name, done, len(prompts))

    return model.score(prompts, responses, temperatures=variants, done=one)


def _refuse_overlap(prompt: str, responses: Sequence[str]) -> None:
    """A text that begins with two listed responses would be counted twice."""
    ordered = sorted(responses)
    for one, other in itertools.pairwise(ordered):
        if other.startswith(one):
            raise DataError(
                f"the responses {one!r} and {other!r} to {prompt[-60:]!r} overlap: a text that begins with the second begins with the "
                "first; end responses with a mark that none of them holds, with -T ending=."
            )


def _usable(scores: Floats | None) -> bool:
    """Whether there are scores, and at every temperature some response is possible at all."""
    return scores is not None and bool(np.all(np.isfinite(scores.max(axis=1))))


def _warnings(reductions: Sequence[Reduction], kept: Sequence[Question]) -> list[str]:
    found = []
    first = reductions[0]
    if first.left_out:
        found.append(
            f"{first.left_out} prompts were left out: they have no clear answer, no erroneous response, or are too long for a model"
        )
    if first.prompts < 30:
        found.append(f"{first.prompts} prompts are few: the intervals over prompts are themselves rough")
    most = max(one.valid.count(False) for one in kept)
    if most > 2 * first.fewest_errors:
        found.append(
            f"prompts have from {first.fewest_errors} to {most} erroneous responses, and the theorem's threshold for all of them is "
            f"1/{first.fewest_errors}, of the fewest: it is high for those with many; measure prompts of one size apart"
        )
    if all(one.bound <= 0 for one in reductions):
        found.append("every bound here is at or below 0, so it says nothing about these models on these prompts")
    return found


def reduction(
    logprobs: Sequence[Floats],
    valid: Sequence[Sequence[bool]],
    *,
    model: str,
    variant: str = "as it is",
    mass: Mass = "listed",
    left_out: int = 0,
    seed: int = 0,
    bins: int = 12,
) -> Reduction:
    """Theorem 1's quantities for one model, with 95 % intervals over prompts.

    ``phat(r|c) = exp(l_r) / sum_s exp(l_s)`` over the listed responses s (mass ``listed``), or ``exp(l_r)`` with the rest of 1 as error
    (mass ``all``). Intervals: percentiles of a bootstrap over prompts, K and max |V_c| held as they are in the set.

    Args:
        logprobs: for each of C prompts the log-probabilities of its R_c responses, in nats, shape (R_c,); at least one finite.
        valid: for each prompt which of them are valid; at least one valid and one erroneous.
        model, variant, left_out: as in `wager.theory.results.Reduction`.
        mass: as above.
        seed: of the bootstrap.
        bins: of the calibration.

    Raises:
        DataError: a prompt without a valid or an erroneous response.

    >>> one = reduction([np.log([0.5, 0.25, 0.05])], [[True, False, False]], model="m", mass="all")
    >>> round(one.error, 2), round(one.off_list, 2), one.fewest_errors, one.accuracy
    (0.5, 0.2, 2, 1.0)
    """
    flat = _flat(logprobs, valid, mass)
    reduced = reduce(flat.prompt, flat.phat, flat.valid, nonsense=flat.nonsense, bins=bins)
    each = parts(flat.prompt, flat.phat, flat.valid, nonsense=flat.nonsense)
    rng = np.random.default_rng(seed)
    size = len(logprobs)
    drawn = rng.multinomial(size, np.full(size, 1 / size), size=RESAMPLES) / size
    errors = drawn @ each.error
    bounds = 2 * drawn @ each.misclassified - each.most_valid / each.fewest_errors - np.abs(drawn @ (each.model_above - each.truth_above))
    (error_low, error_high), (bound_low, bound_high) = (np.percentile(one, [2.5, 97.5]) for one in (errors, bounds))
    return Reduction(
        model=model,
        variant=variant,
        prompts=size,
        left_out=left_out,
        most_valid=reduced.most_valid,
        fewest_errors=reduced.fewest_errors,
        off_list=float(flat.nonsense.mean()) if mass == "all" else None,
        error=reduced.error,
        error_low=float(error_low),
        error_high=float(error_high),
        misclassified=reduced.misclassified,
        delta=reduced.delta,
        bound=reduced.bound,
        bound_low=float(bound_low),
        bound_high=float(bound_high),
        obeys=reduced.error >= reduced.bound - 1e-9,  # equality is possible, and sums are rounded
        choice_bound=reduced.choice_bound,
        choice_threshold=reduced.choice_threshold,
        bins=reduced.bins,
        accuracy=float(each.top_valid.mean()),
    )


def _flat(logprobs: Sequence[Floats], valid: Sequence[Sequence[bool]], mass: Mass) -> _Flat:
    prompt = np.repeat(np.arange(len(logprobs), dtype=np.int64), [len(one) for one in logprobs])
    totals = np.asarray([float(np.logaddexp.reduce(one)) for one in logprobs])
    # the probabilities of a list can sum to slightly more than 1 by rounding, never by right
    shift = totals if mass == "listed" else np.maximum(totals, 0.0)
    phat = np.exp(np.concatenate(list(logprobs)) - shift[prompt])
    nonsense = np.zeros(len(totals)) if mass == "listed" else np.maximum(-np.expm1(totals - shift), 0.0)
    return _Flat(prompt, phat, np.concatenate([np.asarray(one, dtype=np.bool_) for one in valid]), nonsense)


def limited(questions: QuestionSet, limit: int | None, seed: int) -> QuestionSet:
    """At most ``limit`` of the questions, drawn by ``seed``, in their order.

    Raises:
        UsageError: a limit below 1.
    """
    if limit is None or limit >= len(questions.questions):
        return questions
    if limit < 1:
        raise UsageError(f"--limit is at least 1, got {limit}")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(questions.questions))[:limit])
    about = questions.about | {"drawn": f"{limit} of {len(questions.questions)} prompts"}
    if questions.left_out:
        about["no question"] = f"{questions.left_out} records, left out before the drawing"
    return replace(questions, questions=tuple(questions.questions[at] for at in chosen), left_out=0, about=about)
