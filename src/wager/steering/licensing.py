"""A licence from a model: the dial's sweep on development questions, the dose chosen there, then everything on evaluation questions.

The two sets share no question and no phrasing, and nothing is chosen on the second. Replies are kept in Parquet after each setting, so that
a run that was broken off goes on, and the licence can be worked out again without the model. One vector for each seed; the unsteered
replies are the same for all, and are asked for once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from wager.errors import OutputError, UsageError
from wager.steering.backend import Backend
from wager.steering.card_licence import DIGITS, gate_text
from wager.steering.card_licence import vector_digest as _digest
from wager.steering.dose import safe_band
from wager.steering.extract import TOWARDS, questions_digest
from wager.steering.licence import Check, Chosen, Goal, Licence, choose_dose, licence, sweep_of
from wager.steering.probe import Probe
from wager.steering.questions import QuestionSet, load, overlap
from wager.steering.samples import Condition, Sample, read_about, read_samples, write_samples
from wager.steering.sweep import Asked, Key, conditions, fires, sweep
from wager.steering.trait import Trait
from wager.steering.vector import Vector

__all__ = ["DOSES", "Licensed", "check_sets", "goal_of", "license_dial"]

DOSES = (0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.8)
"""Strengths of the sweep."""

RANDOM = 5
"""Random vectors of the same length, shared out among the seeds."""

FICTIONS = 2
"""Replies to each creative prompt where imagination is what the dial is for: whether fictions differ cannot be told from one."""

Told = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Licensed:
    """The licences of one dial, and the replies that they rest on."""

    ungated: Licence
    gated: Licence | None
    """None without a gate."""
    evaluation: tuple[Sample, ...]


def goal_of(trait: Trait) -> Goal:
    """What a dial of the trait is for.

    Raises:
        UsageError: no licence is defined for its kind.
    """
    if trait.grading in ("commits", "certain", "correct"):
        return "selectivity"
    if trait.grading == "plays along":
        return "plays along"
    raise UsageError(f"a licence is defined for traits about facts and for imagination; {trait.name!r} is graded by {trait.grading!r}")


def license_dial(
    backend: Backend,
    vectors: Sequence[Vector],
    trait: Trait,
    folder: Path,
    *,
    gate: Probe | None = None,
    doses: Sequence[float] = DOSES,
    random: int = RANDOM,
    tokens: int = 24,
    most: int | None = None,
    told: Told | None = None,
) -> Licensed:
    """Runs what a licence needs and works it out, with and without the gate.

    Args:
        backend: the model.
        vectors: of the trait, one for each seed; each card names its block.
        trait: what the dial turns.
        folder: keeps ``development.parquet`` and ``evaluation.parquet``; a run that was broken off goes on.
        gate: fires where the dial is to be turned.
        doses: strengths, in the direction of use.
        random: random vectors of the same length, shared out among the seeds.
        tokens: of a reply.
        most: questions of each group, for a trial, which is never licensed; None is all of them.
        told: is given a line of progress at a time.

    Raises:
        UsageError: a vector does not fit the model or the trait, a strength is not above 0, the trait shares questions with the licence's,
            or the folder holds replies of another dial.
        OutputError: the folder cannot be written.
    """
    goal, way = goal_of(trait), TOWARDS[trait.grading]
    for one in vectors:
        one.check_for(backend.identity)
    if not vectors or not doses or not all(math.isfinite(one) and one > 0 for one in doses):
        raise UsageError(f"a licence takes vectors and strengths above 0, got {len(vectors)} and {', '.join(f'{one:g}' for one in doses)}")
    check_sets(trait)
    mine = questions_digest(trait.extraction)
    if any(one.card.hashes.get("questions", mine) != mine for one in vectors):
        raise UsageError(
            f"a vector was read on other extraction questions than {trait.name!r} has now, so nobody can tell whether the licence asks them"
            " again; extract it again, or give --trait the file that it was extracted with"
        )
    with _made(folder):
        return _licensed(backend, vectors, trait, folder, goal, way, gate, doses, random, tokens, most, told)


def check_sets(trait: Trait) -> None:
    """Passes where nothing that a direction is read or developed from is asked for the licence.

    Raises:
        UsageError: a text, subject, phrasing or wording in common; the message names the first.
    """
    sets: tuple[QuestionSet, ...] = ("development", "evaluation", "creative", "harmful")
    for side, mine in (("extraction", trait.extraction), ("evaluation", trait.evaluation)):
        for name in sets:
            if shared := overlap(mine, load(name)):
                more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
                raise UsageError(
                    f"the {side} questions of {trait.name!r} share {shared[0]}{more} with the {name} questions of the licence, which would"
                    " then test what the dial was made from; change those of the trait and extract it again"
                )


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder, made; of a run that ends before its first reply nothing is left."""
    try:
        new = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {str(folder)!r} cannot be made: {error.strerror}; name another one") from error
    try:
        yield
    except BaseException:
        with suppress(OSError):  # one that holds something stays
            for one in new:
                one.rmdir()
        raise


def _licensed(
    backend: Backend,
    vectors: Sequence[Vector],
    trait: Trait,
    folder: Path,
    goal: Goal,
    way: Literal[-1, 1],
    gate: Probe | None,
    doses: Sequence[float],
    random: int,
    tokens: int,
    most: int | None,
    told: Told | None,
) -> Licensed:
    """Development, choice, evaluation."""
    developed = _run(
        backend, vectors, _developing(trait, goal, most), folder / "development.parquet", doses, way, None, None, gate, tokens, told
    )
    choices: dict[bool, Chosen] = {False: choose_dose(developed, goal=goal, gated=False)}
    if gate is not None:
        choices[True] = choose_dose(developed, goal=goal, gated=True)
    strengths = sorted({abs(one.dose) for one in choices.values() if one.dose is not None}) or [sorted(doses)[len(doses) // 2]]
    instruction = trait.instructions[0][0 if way > 0 else 1] if trait.instructions else None
    groups: tuple[Literal["evaluation", "creative", "harmful"], ...] = ("evaluation", "creative", "harmful")
    asked = [one for name in groups for one in _asked(name, most)]
    if goal == "plays along":
        asked = [replace(one, times=FICTIONS) if one.group == "creative" else one for one in asked]
    evaluated = _run(
        backend, vectors, asked, folder / "evaluation.parquet", doses, way, (strengths, random), instruction, gate, tokens, told
    )  # fmt: skip
    found = {
        gated: _tried(
            most,
            licence(
                evaluated,
                trait=trait.name,
                chosen=chosen,
                band=safe_band(sweep_of(developed, goal=goal, gated=gated), rising=way > 0).ends,
                about=_about(backend, vectors, gate, tokens, most),
            ),
        )
        for gated, chosen in choices.items()
    }
    return Licensed(ungated=found[False], gated=found.get(True), evaluation=tuple(evaluated))


def _run(
    backend: Backend,
    vectors: Sequence[Vector],
    asked: Sequence[Asked],
    path: Path,
    doses: Sequence[float],
    way: Literal[-1, 1],
    controls: tuple[Sequence[float], int] | None,
    instruction: str | None,
    gate: Probe | None,
    tokens: int,
    told: Told | None,
) -> list[Sample]:
    """All seeds; what is in the file is not asked again. What a gate made of it before is dropped: it costs nothing to make anew."""
    about = {
        "weights": backend.identity.weights,
        "tokens": tokens,
        "vectors": [_digest(one) for one in vectors],
        "instruction": instruction,
    }
    found = {sample.key: sample for sample in _kept(path, about) if not sample.condition.gated}
    asked_now: set[Condition] = set()
    fired = None if gate is None else fires(backend, gate, asked)
    for seed, vector in enumerate(vectors):
        if seed:
            found |= _again(list(found.values()), seed)
        settings = conditions(vector, doses, way=way, seed=seed, instruction=instruction)
        for at in controls[0] if controls else ():
            drawn = range(seed, controls[1] if controls else 0, len(vectors))
            settings += [one for one in conditions(vector, [], way=way, seed=seed, at=at, random=drawn) if one.push]
        rest = {sample.key: sample for sample in found.values() if sample.condition.seed != seed}

        def store(samples: list[Sample], rest: dict[Key, Sample] = rest) -> None:
            write_samples(path, [*rest.values(), *samples], about=about)

        kept = [sample for sample in found.values() if sample.condition.seed == seed]
        made = sweep(backend, settings, asked, fired=fired, tokens=tokens, kept=kept, store=store, told=_numbered(told, seed, len(vectors)))
        found |= {sample.key: sample for sample in made}
        asked_now |= {one.condition for one in settings}
    texts = {(one.group, one.question.text) for one in asked}
    return [
        sample
        for sample in found.values()
        if replace(sample.condition, gated=False) in asked_now and (sample.group, sample.question) in texts
    ]


def _kept(path: Path, about: Mapping[str, object]) -> list[Sample]:
    """The replies of an earlier run with the same model, vectors and length of replies.

    Raises:
        UsageError: the file holds replies of another one.
        DataError: it is damaged.
    """
    if not path.exists():
        return []
    before = read_about(path)
    other = [name for name, value in about.items() if before.get(name) != value]
    if other:
        raise UsageError(f"{str(path)!r} holds replies of a run with other {' and '.join(other)}; name another folder, or delete it")
    return read_samples(path)


def _again(samples: Sequence[Sample], seed: int) -> dict[Key, Sample]:
    """What no vector changes, under another seed."""
    made = [
        replace(one, condition=Condition(kind=one.condition.kind, seed=seed))
        for one in samples
        if one.condition.kind in ("none", "prompt") and one.condition.seed == 0
    ]
    return {one.key: one for one in made}


def _numbered(told: Told | None, seed: int, seeds: int) -> Told | None:
    return None if told is None else lambda line: told(f"seed {seed + 1} of {seeds}: {line}")


def _asked(name: Literal["development", "evaluation", "creative", "harmful"], most: int | None) -> list[Asked]:
    """A set's questions with their groups; of a trial the first pairs of each phrasing."""
    found = []
    for question in load(name):
        group = name if name in ("creative", "harmful") else "known" if question.known else "unknown"
        found.append(Asked(group, question))
    if most is None:
        return found
    groups = {one.group for one in found}
    return [one for group in sorted(groups) for one in [each for each in found if each.group == group][:most]]


def _developing(trait: Trait, goal: Goal, most: int | None) -> list[Asked]:
    """What a dose is chosen on. A trait's second set of prompts, from which no direction is read, is where fictions are developed."""
    made = [Asked("creative", one, FICTIONS) for one in trait.evaluation] if goal == "plays along" else []
    return _asked("development", most) + made[:most]


def _tried(most: int | None, found: Licence) -> Licence:
    """A trial is never licensed, whatever its few questions show."""
    if most is None:
        return found
    rule = Check("Every question", False, f"a trial with {most} questions of each group; run it without --most, on all of them")
    return replace(found, verdict="unlicensed", checks=(*found.checks, rule))


def _about(backend: Backend, vectors: Sequence[Vector], gate: Probe | None, tokens: int, most: int | None) -> dict[str, str]:
    """How it was made. ``vectors``: the first digits of `_digest` of each; ``trial``: questions of each group, where not all were asked;
    ``extraction questions``: there only where a card does not say on which its vector was read, so that nothing could be compared."""
    blocks = sorted({str(vector.card.block) for vector in vectors})
    made = {"model": backend.identity.name, "weights": backend.identity.weights[:12], "block": ", ".join(blocks), "tokens": str(tokens)}
    made["contrast"] = ", ".join(sorted({vector.card.elicitation for vector in vectors}))
    made["vectors"] = ", ".join(_digest(vector)[:DIGITS] for vector in vectors)
    if any("questions" not in vector.card.hashes for vector in vectors):
        made["extraction questions"] = "not on the vector's card: whether the licence asks them again could not be told"
    if most is not None:
        made["trial"] = str(most)
    return made if gate is None else {**made, "gate": gate_text(gate)}
