"""The floor of a set of facts: every number that follows from how often each fact was stated, with what it does not say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from wager.errors import DataError, UsageError
from wager.facts import FactCounts
from wager.theory.bounds import theorem_2, theorem_2_upper
from wager.theory.missing_mass import distribution_free_interval, esty_interval, lemma_1
from wager.theory.results import Contradiction, Floor, Frequency, Quantity, Remedy

__all__ = ["check_options", "floor_of"]

TREATED = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the facts seen once for which the remedies are worked out."""

Kind = Literal["repeat", "abstain", "drop"]

KINDS: dict[Kind, int] = {"repeat": 1, "abstain": 0, "drop": -1}
"""By how many samples the data grows for each fact that is treated."""

FEW, NEARLY_ALL = 100, 0.99
"""From so many answered prompts on, a larger share that occurs once looks as if repetitions had been removed."""

LEVEL = 0.95
"""Of the intervals that are approximations."""


def floor_of(
    counts: FactCounts,
    *,
    errors: int | None = None,
    confidence: float = 0.99,
    contradictions: Sequence[Contradiction] = (),
    warnings: Sequence[str] = (),
) -> Floor:
    """Singleton rate, missing mass, both bounds of Theorem 2, contradictions and remedies.

    Assumes: the samples are independent draws from the distribution that the model will be asked about.

    Args:
        counts: how often facts were stated.
        errors: |E_c|, wrong answers that a prompt can have (364 for a day of the year); None if it is not known, and then its
            terms are left out and said to be.
        confidence: probability with which the bounds hold, strictly between 0 and 1.
        contradictions: examples to show.
        warnings: more that a reader must know.

    Raises:
        UsageError: `errors` or `confidence` out of range.
        DataError: there is no sample at all.
    """
    check_options(errors, confidence)
    if counts.n == 0:
        told = {"no prompt": "without a prompt", "no answer": "without an answer", "unreadable": "unreadable"}
        lacking = ", ".join(f"{count:,} {told[name]}" for name, count in counts.left_out.items())
        raise DataError(f"no row has both a prompt and an answer: {lacking or 'there are no rows at all'}")
    gamma = round(1 - confidence, 12)  # 0.01, not 0.010000000000000009
    once = min(counts.prompts(answered=1), float(counts.n))
    return Floor(
        source=counts.about.get("source", "?"),
        quantities=(*_sizes(counts, once), *_masses(counts, once, gamma), _memoriser(counts, once, errors), *_contradicted(counts)),
        lower=theorem_2(once, counts.n, fewest_errors=errors, gamma=gamma),
        upper=theorem_2_upper(once, counts.n, most_errors=errors, gamma=gamma),
        frequencies=_frequencies(counts),
        remedies=_remedies(counts.n, once, errors, gamma),
        contradictions=tuple(contradictions),
        left_out=counts.left_out,
        warnings=(*_warnings(counts, once), *warnings),
        about=dict(counts.about) | _sampling(counts),
    )


def check_options(errors: int | None, confidence: float) -> None:
    """Raises UsageError where `floor_of` would, so that one need not count first."""
    if errors is not None and errors < 1:
        raise UsageError(f"--errors is at least 1 (wrong answers that are possible for each prompt), got {errors}")
    if not 0 < confidence < 1:
        raise UsageError(f"--confidence lies strictly between 0 and 1, got {confidence}")


def _spread(counts: FactCounts, found: float) -> float | None:
    """Standard deviation of an estimated count over the choice of prompts: sqrt((1 - f) f1 / f); 0 where all prompts were counted."""
    share = counts.part.share
    return 0.0 if share == 1 else math.sqrt((1 - share) * found / share) if found else None


def _rate(counts: FactCounts, found: float) -> tuple[float, float | None, float | None]:
    rate, spread = found / counts.n, _spread(counts, found)
    if not spread:
        return rate, None, None
    half = 1.96 * spread / counts.n
    return rate, max(rate - half, 0.0), min(rate + half, 1.0)


def _sizes(counts: FactCounts, once: float) -> list[Quantity]:
    rate, low, high = _rate(counts, once)
    sampled = "sampling of prompts, 95 %" if low is not None else None
    many = counts.prompts()
    quantities = [
        Quantity("samples", "samples N", float(counts.n), unit="count", not_said="Not how many facts: one can be stated often."),
        Quantity(
            "prompts", "distinct prompts", many, unit="count", not_said="Paraphrases count as different prompts, so there are fewer facts."
        ),
        Quantity(
            "abstained",
            "share that says “I don’t know”",
            counts.total("abstained") / counts.n,
            not_said="Not whether those who said so were right to; found by a detector that reads words, not meaning.",
        ),
        Quantity(
            "singletons",
            "facts seen once |S|",
            once,
            unit="count",
            not_said="Not that these are wrong, nor that a model errs on them.",
        ),
        Quantity(
            "singleton_rate",
            "singleton rate sr = |S|/N",
            rate,
            low,
            high,
            method=sampled,
            not_said="Not the share of facts seen once: N counts all samples. Errors fall on prompts never seen; it estimates their mass. "
            "Paraphrases inflate it.",
        ),
    ]
    if counts.has("raw"):
        raw = min(counts.prompts("raw", answered=1), float(counts.n)) / counts.n
        quantities.append(
            Quantity(
                "singleton_rate_raw",
                "the same with prompts as they stand",
                raw,
                not_said="Not a better number: it also counts differences in case, blanks and punctuation as different facts.",
            )
        )
    else:
        quantities.append(Quantity("singleton_rate_raw", "the same with prompts as they stand", None, unknown="the counts do not have it"))
    return quantities


def _masses(counts: FactCounts, once: float, gamma: float) -> list[Quantity]:
    twice = counts.prompts(answered=2)
    not_said = "Not the mass of what nobody would ask: only of prompts that are drawn like the data and were not answered in it."
    esty = esty_interval(once, min(twice, (counts.n - once) / 2), counts.n, level=LEVEL)
    spread = (_spread(counts, once) or 0.0) * 1.96 / counts.n
    rate = once / counts.n
    if esty:
        esty = (max(rate - math.hypot(rate - esty[0], spread), 0.0), min(rate + math.hypot(esty[1] - rate, spread), 1.0))
    free, how = (
        (lemma_1(once, counts.n, gamma=gamma), "Lemma 1, with abstentions")
        if counts.total("abstained")
        else (distribution_free_interval(once, counts.n, gamma=gamma), "McAllester and Schapire")
    )
    return [
        Quantity(
            "missing_mass",
            "missing mass (Good and Turing)",
            rate,
            low=esty[0] if esty else None,
            high=esty[1] if esty else None,
            method=f"Esty, normal approximation, {LEVEL:.0%}".replace("%", " %") if esty else None,
            not_said=not_said + ("" if esty else " An interval by the normal approximation is not possible here."),
        ),
        Quantity(
            "missing_mass_free",
            "the same without assuming a law",
            rate,
            low=free[0],
            high=free[1],
            method=f"distribution-free ({how}), {100 * (1 - gamma):g} %",
            not_said=not_said,
        ),
    ]


def _memoriser(counts: FactCounts, once: float, errors: int | None) -> Quantity:
    name, key = "error of the memorising learner", "memoriser_error"
    not_said = "Not what a trained model errs: what remains for one that remembers everything and guesses evenly where it saw nothing."
    if errors is None:
        return Quantity(key, name, None, not_said=not_said, unknown="--errors was not stated; it is at most the singleton rate")
    return Quantity(key, name, once / counts.n * errors / (errors + 1), method="estimated: sr L/(L+1)", not_said=not_said)


def _contradicted(counts: FactCounts) -> list[Quantity]:
    rows = counts.frequencies()
    found = float(rows["contradicted"].sum()) / counts.part.share
    answered = counts.prompts() - counts.prompts(answered=0)
    not_said = "Not which answer is right: a prompt can have several right ones. Theorem 2 assumes that the data is never wrong."
    return [
        Quantity("contradicted", "prompts with several answers", found, unit="count", not_said=not_said),
        Quantity(
            "contradiction_rate",
            "their share of the prompts that are answered",
            found / answered if answered else None,
            not_said=not_said,
            unknown=None if answered else "no prompt is answered",
        ),
    ]


def _frequencies(counts: FactCounts) -> tuple[Frequency, ...]:
    rows, scale = counts.frequencies(), 1 / counts.part.share
    return tuple(
        Frequency(int(answered), prompts * scale, samples * scale, contradicted * scale)
        for answered, prompts, samples, contradicted in zip(
            rows["answered"].tolist(), rows["prompts"].tolist(), rows["samples"].tolist(), rows["contradicted"].tolist(), strict=True
        )
    )


def _remedies(n: int, once: float, errors: int | None, gamma: float) -> tuple[Remedy, ...]:
    made = []
    for kind, grows in KINDS.items():
        for share in TREATED:
            size = n + grows * share * once
            if size >= 1:
                made.append(_treated(kind, share, size, (1 - share) * once, errors, gamma))
    return tuple(made)


def _treated(kind: Kind, share: float, n: float, once: float, errors: int | None, gamma: float) -> Remedy:
    lower = theorem_2(once, n, fewest_errors=errors, gamma=gamma).value
    upper = theorem_2_upper(once, n, most_errors=errors, gamma=gamma).value
    low, high = None if lower is None else max(lower, 0.0), None if upper is None else min(upper, 1.0)
    return Remedy(kind, share, n, once / n, low, high)


def _warnings(counts: FactCounts, once: float) -> list[str]:
    told = []
    if counts.row_sampled:
        told.append("the rows are a sample of a larger corpus: facts that are frequent there look rare here, so sr is too high")
    if counts.part.share < 1:
        spread = _spread(counts, once)
        error = (
            "no fact seen once is in the sample"
            if spread is None
            else f"relative error of |S| {spread / once:.1%} (one standard deviation)"
        )
        told.append(f"{counts.part.share:.3%} of the prompts were counted and |S| was scaled up; N is exact; {error}")
    answered = counts.prompts() - counts.prompts(answered=0)
    if answered >= FEW and once > NEARLY_ALL * answered:
        told.append(
            "hardly a prompt is answered twice: this looks like a list without repetitions, not like samples of what is asked, and then "
            "neither sr nor a bound says anything"
        )
    if counts.about.get("abstention") == "plain/1":
        told.append(
            "“I don’t know” was found by a short list of phrases (plain/1), not by the detector: its share is likely higher, and sr lower"
        )
    left = sum(counts.left_out.values())
    if left and left > 0.1 * (left + counts.n):
        told.append(
            f"{left:,} of {left + counts.n:,} rows are in no number ({', '.join(f'{v:,} {k}' for k, v in counts.left_out.items())})"
        )
    return told


def _sampling(counts: FactCounts) -> dict[str, str]:
    if counts.part.share == 1:
        return {}
    return {"prompts counted": f"{len(counts.part.residues)} of {counts.part.modulus} parts by the MD5 of their words"}
