"""`train_floor`: draws a world and its corpus, fits the learners, and measures each of them exactly as training goes on."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from wager.errors import UnknownNameError, UsageError
from wager.theory.bounds import theorem_2, theorem_2_upper
from wager.theory.results import Bin, Bound, Checkpoint, TrainedFloor
from wager.training.births import Law, Seen, Statements, World, births, draw, frequencies, seen
from wager.training.keeping import keep, take_up
from wager.training.learners import memoriser, n_gram
from wager.training.measurement import calibration, measure
from wager.training.transformer import Shape, Trainer, require_torch, threaded

__all__ = ["LEARNERS", "moments", "train_floor"]

LEARNERS = ("memoriser", "n-gram", "transformer")
"""What can be trained. The memoriser is always measured: it is the reference."""
EARLY = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Epochs after which the transformer is measured at first; then about every third more."""

Progress = Callable[[Checkpoint], None]
Bins = dict[str, tuple[Bin, ...]]


@dataclass(frozen=True)
class _Settings:
    """All that a result depends on."""

    people: int
    samples: int
    answers: int
    law: Law
    exponent: float
    answered: float
    epochs: int
    shape: Shape
    seed: int
    threads: int


def train_floor(
    *,
    people: int = 160_000,
    samples: int = 80_000,
    answers: int = 365,
    law: Law = "zipf",
    exponent: float = 0.5,
    answered: float = 0.9,
    learners: Sequence[str] = ("n-gram", "transformer"),
    epochs: int = 30,
    shape: Shape | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> TrainedFloor:
    """Learners trained on a world of arbitrary facts, beside the floor that its data set.

    Assumes nothing about the learners: all errors are exact sums over the world, which is known because it was made up. It does not say
    how a model does on facts that can be told from others, as a capital from its language: here a name says nothing about a birthday.

    - `people`, `answers`, `law`, `exponent`, `answered`: the world, as in `wager.training.births.births`. `samples`: N. With the defaults
      Theorem 2 is not vacuous and training takes about two CPU minutes.
    - `learners`: of `LEARNERS`; the memoriser is measured in any case. `epochs`, `shape`: of the transformer; by default smaller batches
      for smaller corpora.
    - `seed`: of the world, the corpus and the weights. `threads`: of PyTorch; results repeat exactly for the same number.
    - `progress`: called with each checkpoint as it is measured, those that were kept included.
    - `folder`: keeps the transformer's training after each epoch; a run that was stopped goes on from there to the identical result.

    Returns the checkpoints of each learner, the transformer's at `moments`. Raises UsageError for sizes without meaning, or a folder that
    was begun with other settings; UnknownNameError for a learner; MissingExtraError without PyTorch; DataError for a damaged folder;
    OutputError if the folder cannot be written.

    >>> floor = train_floor(people=300, samples=200, learners=["n-gram"])
    >>> [one.learner for one in floor.checkpoints], floor.lower.vacuous
    (['memoriser', 'n-gram'], True)

    Source: Kalai et al. (2025), Definition 1 and Theorem 2.
    """
    settings = _Settings(
        people, samples, answers, law, exponent, answered, epochs, shape or Shape.fitting(samples), seed=seed, threads=threads
    )
    _check(settings, learners)
    start = time.process_time()
    world, told = _drawn(settings)
    counts = seen(world, told)
    checkpoints, bins = _fitted(world, counts, learners, progress)
    about = {"seed": str(seed), "numpy": np.__version__}
    if "transformer" in learners:
        with threaded(threads):
            trainer = Trainer(world, told, shape=settings.shape, seed=seed)
            checkpoints += _trained(trainer, counts, settings, progress, folder)
            bins["transformer"] = calibration(world, trainer.learner())
        about |= _network(trainer, threads)
    about["CPU seconds"] = f"{time.process_time() - start:.0f}"
    return _result(settings, world, counts, checkpoints, bins, about)


def moments(epochs: int, steps_per_epoch: int) -> tuple[int, ...]:
    """Updates after which the transformer is measured: often at first, the end always included.

    >>> moments(3, 100)
    (0, 25, 50, 100, 150, 200, 300)
    """
    at = [one for one in EARLY if one < epochs]
    while (following := round(at[-1] * 4 / 3)) < epochs and at[-1] >= EARLY[-1]:
        at.append(following)
    return tuple(sorted({round(one * steps_per_epoch) for one in (*at, epochs)}))


def _drawn(settings: _Settings) -> tuple[World, Statements]:
    world = births(
        settings.people,
        rng=np.random.default_rng([settings.seed, 0]),
        law=settings.law,
        exponent=settings.exponent,
        answers=settings.answers,
        answered=settings.answered,
    )
    return world, draw(world, settings.samples, rng=np.random.default_rng([settings.seed, 1]))


def _fitted(world: World, counts: Seen, learners: Sequence[str], progress: Progress | None) -> tuple[list[Checkpoint], Bins]:
    """The learners that are fitted at once; the memoriser always, and first."""
    checkpoints: list[Checkpoint] = []
    bins: Bins = {}
    for name, fit in (("memoriser", memoriser), ("n-gram", n_gram)):
        if name == "memoriser" or name in learners:
            learner = fit(world, counts)
            checkpoints.append(measure(world, counts, learner, name=name))
            bins[name] = calibration(world, learner)
            if progress is not None:
                progress(checkpoints[-1])
    return checkpoints, bins


def _trained(trainer: Trainer, counts: Seen, settings: _Settings, progress: Progress | None, folder: Path | None) -> list[Checkpoint]:
    """Trains to the end, from where the folder has it; measured at `moments`, kept there and after each epoch."""
    kept = _kept_settings(settings)
    checkpoints = list(take_up(folder, trainer, kept)) if folder else []
    for one in checkpoints:
        if progress is not None:
            progress(one)
    per_epoch = trainer.steps_per_epoch
    measured = set(moments(settings.epochs, per_epoch))
    done = {one.step for one in checkpoints}
    for step in sorted(measured | {epoch * per_epoch for epoch in range(settings.epochs + 1)}):
        if step < trainer.step or step in done:
            continue
        trainer.train_to(step)
        if step in measured:
            made = measure(trainer.world, counts, trainer.learner(), name="transformer", step=step, epochs=step / per_epoch)
            checkpoints.append(made)
            if progress is not None:
                progress(made)
        if folder:
            keep(folder, trainer, checkpoints, kept)
    return checkpoints


def _kept_settings(settings: _Settings) -> dict[str, object]:
    """Another PyTorch may round otherwise, so it counts as a setting."""
    return {**asdict(settings), "torch": importlib.metadata.version("torch")}


def _network(trainer: Trainer, threads: int) -> dict[str, str]:
    shape = trainer.shape
    return {
        "transformer": f"{shape.layers} layers, width {shape.width}, {shape.heads} heads, {trainer.parameters:,} parameters",
        "optimiser": f"Adam, learning rate {shape.rate:g}, batches of {shape.batch}, no weight decay",
        "torch": importlib.metadata.version("torch"),
        "threads": str(threads),
    }


def _result(
    settings: _Settings, world: World, counts: Seen, checkpoints: list[Checkpoint], bins: Bins, about: dict[str, str]
) -> TrainedFloor:
    lower = theorem_2(counts.singletons, settings.samples, fewest_errors=world.fewest_errors)
    return TrainedFloor(
        world=_words(settings),
        n=settings.samples,
        prompts=settings.people,
        answers=settings.answers,
        singleton_rate=counts.singletons / settings.samples,
        missing_mass=float(settings.answered * world.mu[counts.answered == 0].sum()),
        lower=lower,
        upper=theorem_2_upper(counts.singletons, settings.samples, most_errors=world.fewest_errors),
        memoriser=checkpoints[0].error,
        checkpoints=tuple(checkpoints),
        bins=bins,
        frequencies=frequencies(counts),
        warnings=_warnings(lower),
        about=about,
    )


def _words(settings: _Settings) -> str:
    law = "all equally often" if settings.law == "uniform" else f"by a Zipf law with exponent {settings.exponent:g}"
    return (
        f"{settings.people:,} people with one of {settings.answers} birthdays each, named {law}; "
        f'{settings.answered:.0%} of the statements give the birthday, the others say "I don\'t know"'
    )


def _warnings(lower: Bound) -> tuple[str, ...]:
    if not lower.vacuous:
        return ()
    enough = "" if lower.not_vacuous_from is None else f" (with these rates it would say something from {lower.not_vacuous_from:,} on)"
    return (f"Theorem 2's lower bound is vacuous for this corpus{enough}: look at the missing mass and the memoriser instead.",)


def _check(settings: _Settings, learners: Sequence[str]) -> None:
    for name in learners:
        if name not in LEARNERS:
            raise UnknownNameError("learner", name, LEARNERS)
    for option, value, least in (("epochs", settings.epochs, 1), ("seed", settings.seed, 0), ("threads", settings.threads, 1)):
        if value < least:
            raise UsageError(f"{option} is {value}; it must be at least {least}")
    if "transformer" in learners:
        require_torch()
