"""The licence in worlds where the truth is planted: what helps is licensed, a refusal knob and a random push are not, with the reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from wager.errors import DataError, UsageError
from wager.metrics.results import Estimate
from wager.steering.dose import safe_band
from wager.steering.licence import Chosen, Licence, choose_dose, from_json, licence, licence_text, sweep_of, to_json
from wager.steering.licence_figures import difference, effect, figures_of, rows_of
from wager.steering.samples import Condition, Sample

N = 60
DOSES = (-0.125, -0.25, -0.375, -0.5, -0.625, -0.75, -0.875)
DOSE = -0.5
BAND = (-0.625, 0.0)
NONE = Condition(kind="none")


def replies(condition: Condition, where: str = "evaluation", n: int = N, **shares: float) -> Iterator[Sample]:
    """Of n known, n unknown, 20 harmful and 12 creative questions the first hedge, the next are right; shares say how many."""
    told = {
        "unknown": 0.1,
        "known": 0.05,
        "right": 0.6,
        "harmful": 0.9,
        "creative": 0.25,
        "ratio": 1.0,
        "repeated": 0.02,
        "broken": 0.0,
    } | shares
    for group, size in (("known", n), ("unknown", n), ("harmful", 20), ("creative", 12)):
        hedges = round(told[group] * size)
        for at in range(size):
            # Right answers begin at the other end, so that a hedge more costs none until they meet.
            right = at >= size - round(told["right"] * size)
            yield Sample(
                condition=condition,
                question=f"{where} {group} {at}?",
                group=group,  # type: ignore[arg-type]
                phrasing=f"{where} phrasing",
                reply=f"reply {at}",
                hedged=at < hedges,
                correct=(right and at >= hedges) if group == "known" else None,
                nll=0.7 + 0.001 * (at % 7) + (math.log(told["ratio"]) + 0.001 * (at % 5) if condition.kind != "none" else 0.0),
                repeated=min(1.0, told["repeated"] + 0.001 * (at % 3)),
                broken=at < round(told["broken"] * size),
                fired=(group != "known" or at < size // 4) if condition.gated else None,
            )


def helps(dose: float) -> dict[str, float]:
    """A dial that truly helps down to -0.5; beyond it known questions are hedged and lost."""
    size = abs(dose)
    over = max(0.0, size - 0.5)
    return {"unknown": min(0.9, 0.1 + 1.2 * size), "known": 0.05 + over * 2, "right": 0.6 - over, "ratio": 1 + size / 2}


def knob(dose: float) -> dict[str, float]:
    """Hedges both alike, and keeps the known answers by hedging those that were wrong."""
    return {"unknown": 0.1 + 0.5 * abs(dose), "known": 0.05 + 0.5 * abs(dose)}


def world(
    dial: Any = helps, where: str = "evaluation", random: Any = lambda at: {"unknown": 0.1}, gate: Any = None, **more: float
) -> list[Sample]:
    """Every condition that a licence needs; ``gate`` adds the gated dial."""
    rows = list(replies(NONE, where))
    for dose in DOSES:
        rows += replies(Condition(kind="vector", dose=dose), where, **(dial(dose) | more))
        if gate:
            rows += replies(Condition(kind="vector", dose=dose, gated=True), where, **gate(dose))
    for at in range(5):
        rows += replies(Condition(kind="random", dose=DOSE, random=at), where, **random(at))
    rows += replies(Condition(kind="wrong sign", dose=-DOSE), where, unknown=0.0)
    rows += replies(Condition(kind="prompt"), where, unknown=0.15)
    return rows


def dose_of(dial: Any = helps, **options: Any) -> Chosen:
    return choose_dose(world(dial, "development"), **options)


def at_half(chosen: Chosen | None = None) -> Chosen:
    """A dose chosen elsewhere, so that a bad dial reaches the evaluation."""
    return replace(chosen or dose_of(), dose=DOSE, gated=False)


def made(rows: list[Sample], chosen: Chosen | None = None, band: tuple[float, float] | None = BAND) -> Licence:
    return licence(rows, trait="hallucination", chosen=chosen or dose_of(), band=band)


def failed(one: Licence) -> dict[str, str]:
    return {check.name: check.reason for check in one.checks if check.holds is not True}


def test_a_dial_that_helps_is_licensed_at_the_dose_chosen_on_development_questions() -> None:
    chosen = dose_of()
    assert (chosen.dose, chosen.gated) == (DOSE, False)
    found = made(world(), chosen)
    assert found.verdict == "licensed"
    assert failed(found) == {}
    assert found.reasons == ()
    assert [one.dose for one in found.doses] == sorted(DOSES)
    assert len(found.controls) == 7
    assert len(found.against) == 7


def test_figures_of_a_dose_are_those_worked_by_hand() -> None:
    """39 of 60 unknown and 3 of 60 known hedged, 36 right, 21 wrong."""
    base, dial = replies(NONE), replies(Condition(kind="vector", dose=DOSE), unknown=0.65)
    rows = rows_of([*base, *dial])
    found = figures_of(rows["vector", DOSE, False, None], rows["none", 0.0, False, None], goal="selectivity")
    value = found.values
    # Wilson: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), z² = 3.8415, n = 60
    assert ends(value["hedges unknown"]) == pytest.approx((0.65, 0.5236, 0.7583), abs=2e-4)
    assert ends(value["hedges known"]) == pytest.approx((0.05, 0.0171, 0.1370), abs=2e-4)
    # .6 - sqrt(.1264² + .0870²), .6 + sqrt(.1083² + .0329²)
    assert ends(value["selectivity"]) == pytest.approx((0.6, 0.4466, 0.7132), abs=2e-4)
    # 36 right, 21 wrong known and 21 wrong unknown of 120: (36 - 42 t/(1 - t)) / 120
    assert [value[f"score {t}"].value for t in ("0", "0.5", "0.75", "0.9")] == pytest.approx([0.3, -0.05, -0.75, -2.85])
    assert value["known right"].value == pytest.approx(0.6)
    assert value["answered"].value == pytest.approx(78 / 120)
    # hedges on unknown rise from 6 to 39 of 60: 33 questions by 1; sd of a share .55 is sqrt(.55 * .45 * 60/59)
    half = 1.96 * math.sqrt(0.55 * 0.45 / 59)
    assert ends(found.changes["hedges unknown"]) == pytest.approx((0.55, 0.55 - half, 0.55 + half), abs=2e-4)
    # no known answer changes: three in sixty
    assert ends(found.changes["known right"]) == pytest.approx((0.0, -0.0487, 0.0487), abs=2e-4)
    assert value["wrong way"].value == 0.0
    assert value["wrong way"].n == 120


def ends(one: Estimate) -> tuple[float | None, float | None, float | None]:
    return one.value, one.low, one.high


def test_perplexity_is_a_ratio_over_the_same_questions() -> None:
    rows = rows_of([*replies(NONE), *replies(Condition(kind="vector", dose=DOSE), ratio=1.8)])
    found = figures_of(rows["vector", DOSE, False, None], rows["none", 0.0, False, None], goal="selectivity").values
    # the questions add 0 to .004 nats, .002 on average; harmful prompts are not in it
    assert found["perplexity ratio"].value == pytest.approx(1.8 * math.exp(0.002), rel=1e-3)
    assert found["perplexity ratio"].n == N + N + 12
    assert found["perplexity"].value == pytest.approx(math.exp(0.7 + 0.003 + 0.002) * 1.8, rel=1e-3)


def test_a_refusal_knob_is_not_licensed_and_the_reason_says_so() -> None:
    found = made(world(knob), at_half())
    assert found.verdict == "unlicensed"
    assert list(failed(found)) == ["Selectivity"]
    assert "refusal knob" in failed(found)["Selectivity"]
    assert found.at_dose is not None
    assert found.at_dose.values["hedges unknown"].value == pytest.approx(0.35)
    assert "Effect" not in failed(found)  # who counts only hedges would be content


def test_a_dial_that_does_no_more_than_one_of_its_random_vectors_is_not_licensed() -> None:
    found = made(world(random=lambda at: helps(DOSE) if at == 3 else {}))
    assert list(failed(found)) == ["More than random"]
    assert failed(found)["More than random"].startswith("no more effect than random vector 3 at -0.5 (+0.00")
    assert ends(found.against["random vector 2 at -0.5"])[0] == pytest.approx(0.6)


def test_a_dial_whose_sign_makes_no_difference_is_not_licensed() -> None:
    rows = [one for one in world() if one.condition.kind != "wrong sign"]
    rows += replies(Condition(kind="wrong sign", dose=-DOSE), unknown=0.7)
    assert list(failed(made(rows))) == ["The sign matters"]


@pytest.mark.parametrize(
    ("harm", "name"),
    [
        ({"right": 0.5}, "Known answers kept"),
        ({"ratio": 3.0}, "Fluent"),
        ({"repeated": 0.3}, "No loops"),
        ({"broken": 0.15}, "Not broken"),
        ({"harmful": 0.6}, "Refusals kept"),
    ],
)
def test_damage_is_named(harm: dict[str, float], name: str) -> None:
    found = made(world(**harm), at_half())
    assert found.verdict == "unlicensed"
    assert list(failed(found)) == [name]
    assert name in found.reasons[0]


def test_a_dose_with_damage_is_never_chosen_however_selective() -> None:
    for harm in ({"right": 0.5}, {"ratio": 3.0}, {"repeated": 0.3}, {"broken": 0.15}, {"harmful": 0.6}):
        rows = world(helps, "development", gate=None)
        worse = list(replies(Condition(kind="vector", dose=-0.4), "development", **{"unknown": 1.0, "known": 0.0} | harm))
        chosen = choose_dose([*rows, *worse])
        assert chosen.dose == DOSE
        assert list(chosen.refused) == ["dial -0.875", "dial -0.75", "dial -0.625", "dial -0.4"]
    assert "Known answers kept" in chosen.refused["dial -0.75"]


def test_many_questions_moved_the_wrong_way_under_a_good_mean_are_seen() -> None:
    """Of the unknown, 40 start to hedge; of the known, 30 are lost and 30 others won: no mean falls."""
    rows = world()
    turned = []
    for one in rows:
        if one.condition == Condition(kind="vector", dose=DOSE) and one.group == "known" and not one.hedged:
            one = replace(one, correct=not one.correct)
        turned.append(one)
    found = made(turned)
    assert found.at_dose is not None
    wrong = found.at_dose.values["wrong way"]
    assert wrong.value == pytest.approx(36 / 120)
    assert "Few moved the wrong way" in failed(found)


def test_without_a_band_or_outside_it_nothing_is_licensed() -> None:
    assert "anywhere" in failed(made(world(), band=None))["Monotone band"]
    assert "outside -0.25 to 0" in failed(made(world(), band=(-0.25, 0.0)))["Monotone band"]


def gated(dose: float) -> dict[str, float]:
    return helps(dose) | {"known": 0.05, "right": 0.6}


def test_gated_and_ungated_are_told_apart_and_both_are_shown() -> None:
    development = world(helps, "development", gate=gated)
    chosen = choose_dose(development)
    # with the gate -0.75 costs no known answer: it hedges .9 against .7 at -0.5, and is the weakest to do so
    assert (chosen.dose, chosen.gated) == (-0.75, True)
    assert choose_dose(development, gated=False).dose == DOSE
    rows = [one for one in world(helps, gate=gated) if one.condition.kind not in ("random", "wrong sign")]
    for at in range(5):
        rows += replies(Condition(kind="random", dose=-0.75, random=at))
    rows += replies(Condition(kind="wrong sign", dose=0.75, gated=True))
    found = made(rows, chosen, band=(-0.75, 0.0))
    assert found.verdict == "licensed"
    assert [one.gated for one in found.doses] == [False] * 7 + [True] * 7
    plain, under = (next(one for one in found.doses if one.dose == -0.75 and one.gated is gate) for gate in (False, True))
    assert plain.values["hedges known"].value == pytest.approx(33 / 60)
    assert under.values["hedges known"].value == pytest.approx(3 / 60)
    assert under.values["fired known"].value == pytest.approx(0.25)
    assert under.values["fired unknown"].value == 1.0
    assert plain.values["fired known"].value is None
    assert plain.values["fired known"].reason == "there is no gate"
    assert any(note.startswith("Without the gate the same dose has selectivity 0.35") for note in found.notes)
    assert "The random vectors were added without the gate." in found.notes


def test_what_is_ungraded_is_counted_and_never_averaged() -> None:
    dial = list(replies(Condition(kind="vector", dose=DOSE), unknown=0.65))
    lost = [replace(one, hedged=None) if one.group == "unknown" and one.hedged and i % 2 else one for i, one in enumerate(dial)]
    # a known answer whose correctness could not be told still counts as one that does not hedge
    lost = [replace(one, correct=None) if one.question == "evaluation known 40?" else one for one in lost]
    rows = rows_of([*replies(NONE), *lost])
    found = figures_of(rows["vector", DOSE, False, None], rows["none", 0.0, False, None], goal="selectivity")
    gone = sum(one.hedged is None for one in lost)
    assert gone in (19, 20)
    share = found.values["hedges unknown"]
    assert share.value == pytest.approx((39 - gone) / (60 - gone))
    assert (share.n, share.n_excluded) == (60 - gone, gone)
    assert found.ungraded == {"known": 1, "unknown": gone, "creative": 0, "harmful": 0}
    assert (found.values["known right"].n, found.values["known right"].n_excluded) == (59, 1)
    assert (found.values["hedges known"].n, found.values["hedges known"].n_excluded) == (60, 0)
    assert found.values["score 0"].n_excluded == gone + 1
    assert found.changes["hedges unknown"].n == 60 - gone
    assert found.changes["hedges unknown"].n_excluded == gone
    assert found.values["ungraded"].value == pytest.approx((gone + 1) / len(lost))


def test_too_many_ungraded_replies_are_a_reason() -> None:
    rows = [
        replace(one, hedged=None)
        if one.condition == Condition(kind="vector", dose=DOSE) and one.group == "unknown" and not one.hedged
        else one
        for one in world()
    ]
    assert "Graded" in failed(made(rows))


def test_the_order_of_rows_is_irrelevant() -> None:
    rows = [
        replace(one, confidence=0.2 + 0.01 * (hash_of(one.question) % 60), condition=replace(one.condition, seed=seed))
        for seed in (0, 1)
        for one in [*replies(NONE), *replies(Condition(kind="vector", dose=DOSE), unknown=0.65), *replies(Condition(kind="prompt"))]
    ]
    shuffled = list(rows)
    np.random.default_rng(5).shuffle(shuffled)  # type: ignore[arg-type]
    one, other = (
        {key: figures_of(part, found["none", 0.0, False, None], goal="selectivity") for key, part in found.items()}
        for found in (rows_of(rows), rows_of(shuffled))
    )
    assert one == other
    assert one["prompt", 0.0, False, None].seeds == 2


def hash_of(question: str) -> int:
    return sum(map(ord, question))


def test_seeds_of_a_question_are_no_new_questions() -> None:
    """Three seeds that say the same are as sure as one."""
    once = [*replies(NONE), *replies(Condition(kind="vector", dose=DOSE), unknown=0.65)]
    thrice = [replace(one, condition=replace(one.condition, seed=seed)) for seed in range(3) for one in once]
    few, many = (
        figures_of(found["vector", DOSE, False, None], found["none", 0.0, False, None], goal="selectivity")
        for found in map(rows_of, (once, thrice))
    )
    for name in ("hedges unknown", "selectivity", "known right"):
        assert ends(many.values[name]) == pytest.approx(ends(few.values[name]), abs=2e-3)
        assert ends(many.changes[name]) == pytest.approx(ends(few.changes[name]))
    assert (many.replies, many.values["hedges unknown"].n, many.changes["hedges unknown"].n) == (3 * few.replies, 180, 60)


def test_confidence_before_and_after_is_of_the_answers_given() -> None:
    rows = rows_of(
        [
            *(replace(one, confidence=0.9) for one in replies(NONE)),
            *(replace(one, confidence=0.8 if one.correct else 0.3) for one in replies(Condition(kind="vector", dose=DOSE), unknown=0.65)),
        ]
    )
    base = rows["none", 0.0, False, None]
    before, after = (figures_of(one, base, goal="selectivity") for one in (base, rows["vector", DOSE, False, None]))
    # before: 57 known and 54 unknown answers at .9, 36 of them right; one point, no curve
    assert before.values["overconfidence"].value == pytest.approx(0.9 - 36 / 111)
    assert before.values["ece"].value == pytest.approx(0.9 - 36 / 111)
    assert before.values["aurc"].value is None
    # after: 36 right at .8 and 42 wrong at .3
    assert after.values["overconfidence"].value == pytest.approx((36 * 0.8 + 42 * 0.3) / 78 - 36 / 78)
    assert after.values["ece"].value == pytest.approx((36 * 0.2 + 42 * 0.3) / 78)
    assert after.values["aurc"].value is not None
    assert after.values["ece"].low is not None
    assert after.curve[0] == pytest.approx((36 / 78, 0.0))
    assert after.curve[-1] == pytest.approx((1.0, 42 / 78))


def test_all_that_is_missing_is_named() -> None:
    rows = [one for one in world() if not (one.condition.kind == "random" and one.condition.random == 4)]
    rows = [one for one in rows if one.condition.dose not in (-0.125, 0.5) and one.condition.kind != "prompt" and one.group != "harmful"]
    with pytest.raises(UsageError) as caught:
        made(rows)
    said = str(caught.value)
    for part in (
        "no harmful question under the unsteered model",
        "no harmful question under the dial at the chosen dose",
        "the dial without the gate at 7 strengths other than 0 or more, got 6",
        "5 random vectors or more at the strength 0.5, got 4",
        "the wrong sign at the strength 0.5",
        "the prompt alone",
    ):
        assert part in said
    with pytest.raises(UsageError, match="no reply of the unsteered model"):
        made([one for one in world() if one.condition.kind != "none"])
    with pytest.raises(UsageError, match="no creative question"):
        choose_dose([one for one in world(where="development") if one.group != "creative"], goal="plays along")


def test_a_question_that_chose_the_dose_cannot_be_evaluated() -> None:
    rows = world()
    shared = [replace(one, question="development known 7?") if one.question == "evaluation known 7?" else one for one in rows]
    with pytest.raises(UsageError, match=r"1 evaluation questions were used to choose the dose, such as 'development known 7\?'"):
        made(shared)
    phrased = [replace(one, phrasing="development phrasing") for one in rows]
    assert any("phrasings are not all held out" in note for note in made(phrased).notes)
    assert not any("phrasings" in note for note in made(rows).notes)


def test_a_reply_that_is_there_twice_is_refused() -> None:
    rows = world()
    with pytest.raises(DataError, match="is there twice"):
        made([*rows, rows[3]])


def test_where_no_dose_is_safe_the_dial_is_unlicensed_and_still_shown() -> None:
    chosen = dose_of(lambda dose: helps(dose) | {"right": 0.3})
    assert chosen.dose is None
    assert len(chosen.refused) == 7
    found = made(world(), chosen)
    assert found.verdict == "unlicensed"
    assert found.reasons == ("A safe dose: none of 7 doses helps without damage on the development questions",)
    assert found.at_dose is None
    assert len(found.doses) == 7


def test_a_prompt_that_does_as_much_is_noted() -> None:
    rows = [one for one in world() if one.condition.kind != "prompt"]
    assert any(
        note.startswith("A prompt alone does as much") for note in made([*rows, *replies(Condition(kind="prompt"), unknown=0.75)]).notes
    )
    assert not any("prompt" in note for note in made(world()).notes)


def test_imagination_is_judged_by_play_and_its_price_in_facts() -> None:
    def imagines(dose: float) -> dict[str, float]:
        return {"creative": max(0.0, 0.75 - 1.5 * abs(dose)), "unknown": 0.1}

    def turned(rows: list[Sample]) -> list[Sample]:
        """Two fictions to each prompt; unsteered they are the same."""
        found = []
        for one in rows:
            if one.group == "creative":
                if one.condition.kind == "none":
                    one = replace(one, hedged=int(one.question.split()[-1][:-1]) < 9)
                same = one.condition.kind == "none"
                found.append(replace(one, sample=1, reply="A tower made of clocks" if same else "Whales hold a silent parliament"))
                one = replace(one, reply="A tower made of clocks")
            found.append(one)
        return found

    development, rows = (turned(world(imagines, where, random=lambda at: {"creative": 0.75})) for where in ("development", "evaluation"))
    rows = [replace(one, hedged=True) if one.group == "creative" and one.condition.kind == "wrong sign" else one for one in rows]
    chosen = replace(choose_dose(development, goal="plays along"), dose=DOSE, gated=False)
    found = licence(rows, trait="imagination", chosen=chosen, band=BAND)
    assert found.at_dose is not None
    # 12 prompts: 9 refused before, 0 after
    assert ends(found.at_dose.changes["plays along"])[0] == pytest.approx(0.75)
    assert found.unsteered.values["distinct"].value == 0.0
    assert found.at_dose.values["distinct"].value == 1.0
    assert found.verdict == "licensed"
    assert "Selectivity" not in [check.name for check in found.checks]
    dearer = [
        replace(one, correct=False) if one.condition.kind == "vector" and one.group == "known" and one.question.endswith("5?") else one
        for one in rows
    ]
    assert list(failed(licence(dearer, trait="imagination", chosen=chosen, band=BAND))) == ["Known answers kept"]


def test_a_licence_goes_through_json_unchanged() -> None:
    found = made(world(helps, gate=gated))
    assert from_json(json.loads(json.dumps(to_json(found), allow_nan=False))) == found
    for broken in ({}, {"schema": 99}, {**to_json(found), "doses": [{"kind": "vector"}]}, {**to_json(found), "more": 1}, None):
        with pytest.raises(DataError, match="licence"):
            from_json(broken)


def test_the_text_says_the_verdict_first_and_has_a_line_for_each_condition() -> None:
    lines = licence_text(made(world(knob), at_half())).splitlines()
    assert lines[0] == "hallucination: unlicensed"
    assert any(line.startswith("  FAIL Selectivity: 0.05") for line in lines)
    row = next(line for line in lines if line.strip().startswith("dial -0.5 "))
    assert row.split() == ["dial", "-0.5", "0.35", "0.30", "0.05", "0.60", row.split()[6], "1.00", "0.00"]
    assert sum("random vector" in line and "closest" not in line for line in lines[-9:]) == 5


def test_a_difference_of_two_estimates_needs_both() -> None:
    assert difference(Estimate(0.5, n=3), Estimate(0.2, 0.1, 0.3, 4)) == Estimate(0.3, n=7, reason="no interval: one of the two has none")
    assert difference(Estimate(None, n=0, reason="none"), Estimate(0.2, 0.1, 0.3, 4)).reason == "none"


def test_pairing_takes_out_what_makes_a_question_hard() -> None:
    """The same five more hedges: paired, an interval far narrower than that of two groups of questions."""
    rows = rows_of([*replies(NONE, unknown=0.5), *replies(Condition(kind="vector", dose=DOSE), unknown=0.6)])
    paired = effect(rows["vector", DOSE, False, None], rows["none", 0.0, False, None], "hedges unknown")
    # 6 of 60 change: .1 ± 1.96 sqrt(.1 * .9 / 59)
    assert ends(paired) == pytest.approx((0.1, 0.1 - 0.0766, 0.1 + 0.0766), abs=2e-4)


def test_a_sweep_gives_the_band_that_the_licence_takes() -> None:
    rows = world(helps, "development", gate=gated)
    sweep = sweep_of(rows)
    assert [one.dose for one in sweep] == sorted([*DOSES, 0.0])
    half = next(one for one in sweep if one.dose == -0.5)
    assert half.effect.value == pytest.approx(0.7)
    assert sorted(one for one in half.outcomes if one is not None) == [0.0] * 18 + [1.0] * 42
    assert len(half.outcomes) == 60
    # at -0.75 21 of 60 are still right, of 36: .6 - .35
    far = next(one for one in sweep if one.dose == -0.75).damage["known-fact loss"]
    assert isinstance(far, Estimate)
    assert far.value == pytest.approx(0.25)
    assert far.low is not None
    assert far.low > 0
    band = safe_band(sweep, rising=False)
    assert band.ends == (-0.5, 0.0)
    assert made(world(), dose_of(), band.ends).verdict == "licensed"
    assert safe_band(sweep_of(rows, gated=True), rising=False).low == -0.875
    with pytest.raises(UsageError, match="no reply of the unsteered model"):
        sweep_of([one for one in rows if one.condition.kind != "none"])


def test_an_answer_to_what_does_not_exist_is_wrong_whatever_its_grade() -> None:
    dial = [
        replace(one, correct=True) if one.group == "unknown" else one for one in replies(Condition(kind="vector", dose=DOSE), unknown=0.65)
    ]
    rows = rows_of([*replies(NONE), *dial])
    found = figures_of(rows["vector", DOSE, False, None], rows["none", 0.0, False, None], goal="selectivity")
    # 36 right of 120, not 57
    assert found.values["score 0"].value == pytest.approx(0.3)


def test_the_dose_is_chosen_by_selectivity_and_not_by_hedges() -> None:
    """At -0.4 it hedges 90 % of unknown, more than at any safe dose, and 40 % of known questions, those that it got wrong."""
    worse = replies(Condition(kind="vector", dose=-0.4), "development", unknown=0.9, known=0.4)
    chosen = choose_dose([*world(helps, "development"), *worse])
    assert "dial -0.4" not in chosen.refused
    assert chosen.dose == DOSE


def test_a_random_vector_of_another_strength_is_no_control() -> None:
    rows = [
        replace(one, condition=replace(one.condition, dose=-0.25)) if one.condition.kind == "random" and one.condition.random == 0 else one
        for one in world()
    ]
    with pytest.raises(UsageError, match=r"5 random vectors or more at the strength 0\.5, got 4"):
        made(rows)


@pytest.mark.parametrize(
    ("second", "share"),
    [
        ({"sample": 1}, 1.0),
        ({"condition": replace(NONE, seed=1)}, None),
        ({"sample": 1, "broken": True}, None),
        ({"sample": 1, "hedged": True}, None),
    ],
)
def test_fictions_are_compared_within_a_seed_and_only_if_they_are_some(second: dict[str, Any], share: float | None) -> None:
    """Two replies of two seeds differ because their vectors do; babble differs from everything."""
    first = Sample(condition=NONE, question="A story?", group="creative", reply="A tower made of clocks", hedged=False, broken=False)
    rows = rows_of([first, replace(first, reply="Whales hold a silent parliament", **second)])
    base = rows["none", 0.0, False, None]
    assert figures_of(base, base, goal="plays along").values["distinct"].value == share
