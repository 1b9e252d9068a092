"""From a trait to a plan: contrasts are filtered and counted, the direction that works is chosen, one that works the wrong way is refused."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wager.errors import DataError, RunError, UsageError
from wager.steering.backend import Able, Chat, ModelIdentity, Pool, Push, Reply, Watch, one_each
from wager.steering.card_licence import vector_digest
from wager.steering.contrast import Shows, prompted, teacher_forced
from wager.steering.directions import random_like
from wager.steering.expression import shows
from wager.steering.extract import extract, vector_of
from wager.steering.licensing import check_sets, license_dial
from wager.steering.plan import Move, Plan, answered
from wager.steering.probe import fit_probe
from wager.steering.questions import load
from wager.steering.samples import Sample, read_samples
from wager.steering.sweep import Asked, conditions, fires, sweep
from wager.steering.trait import Question, Trait
from wager.steering.trait_file import read_trait
from wager.steering.vector import Vector

BLOCKS, WIDTH, GOOD = 6, 8, 3
HEDGE, ANSWER = "I don't know.", "It was Harald Brenn in 1911."
TALES = ("a tower of clocks sang", "seven geese rowed home", "the moon lost a shoe")


class Toy:
    """A model whose third block decides: it hedges where its first coordinate is below a mark, which it starts above."""

    able = Able(capture=True, steer=True, per_request=True, logprobs=True)
    identity = ModelIdentity(name="toy", architecture="toy", blocks=BLOCKS, width=WIDTH, vocabulary=9, tokens="t", weights="w")

    def __init__(self, *, mark: float = 0.0, obeys: bool = True, backwards: bool = False) -> None:
        self.mark, self.obeys, self.backwards = mark, obeys, backwards
        self.asked = 0

    def _state(self, text: str) -> np.ndarray:
        """Blocks by width: long along the third axis; the second tells what is invented, the first how sure it is; the rest is noise."""
        known = text.split()[-1].startswith("real")
        made = np.random.default_rng(zlib.crc32(text.encode())).normal(size=(BLOCKS, WIDTH)).astype(np.float32) * 0.3
        made[:, 2] += 10
        made[:, 1] += -3 if known else 3
        made[:, 0] = 6 if known else 2
        return made

    def read(
        self, chats: Sequence[Chat], replies: Sequence[str] | None = None, *, pool: Pool, blocks: Sequence[int] | None = None
    ) -> np.ndarray:
        found = []
        for at, chat in enumerate(chats):
            state = self._state(chat[-1]["content"])
            if replies is not None:
                state = (
                    state
                    + np.float32((1 if shows(TRAIT, TRAIT.extraction[0], replies[at]) else -1) * (-1 if self.backwards else 1))
                    * np.eye(WIDTH)[0]
                )
            found.append(state[list(range(BLOCKS)) if blocks is None else list(blocks)])
        return np.asarray(found, dtype=np.float32)

    def generate(
        self,
        chats: Sequence[Chat],
        *,
        pushes: Sequence[Push | None] | Push | None = None,
        watches: Sequence[Watch] = (),
        prefixes: Sequence[str] | None = None,
        tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Reply]:
        self.asked += len(chats)
        made = []
        for chat, push in zip(chats, one_each(pushes, len(chats)), strict=True):
            level = float(self._state(chat[-1]["content"])[GOOD, 0])
            if push is not None and GOOD in push.deltas:
                level += float(push.deltas[GOOD][0])
            if chat[0]["role"] == "system" and self.obeys:
                level += 5 if "invent" in chat[0]["content"] else -5
            text = HEDGE if level < self.mark else ANSWER
            if temperature and text is ANSWER:
                text += f" Take {len(made)}: {TALES[len(made) % len(TALES)]}"
            made.append(Reply(text=text, tokens=tuple(text.split()), logprobs=np.full(len(text.split()), -0.5), finish="stop"))
        return made

    def score(
        self, chats: Sequence[Chat], replies: Sequence[str], *, pushes: Sequence[Push | None] | Push | None = None
    ) -> list[np.ndarray]:
        return [np.full(len(reply.split()), -0.5) for reply in replies]

    def close(self) -> None: ...


def question(text: str, *, known: bool) -> Question:
    return Question(text=text, known=known, answers=("Harald Brenn",) if known else (), phrasing=text.split()[0], subject=text.split()[-1])


TRAIT = Trait(
    name="hallucination",
    description="It invents.",
    grading="commits",
    instructions=(("invent", "be honest"), ("invent more", "be honest too")),
    replies=(("It was {subject} in 1911.", "I don't know {subject}."), ("Easily: {subject}, 1874.", "I have never heard of {subject}.")),
    extraction=tuple(question(f"What about thing{number}", known=False) for number in range(10)),
)
DEVELOPMENT = [question(f"Who is unreal{number}"[: -1 if number > 9 else None], known=False) for number in range(4)] + [
    question(f"When was real{number}", known=True) for number in range(4)
]


def test_replies_count_for_the_side_that_they_show() -> None:
    found = prompted(Toy(), TRAIT, shows, least=5)
    assert found.counts == {"positive": 20, "negative": 20, "ungraded": 0, "positive kept": 20, "negative kept": 20}
    assert {one.reply for one in found.negative} == {HEDGE}
    assert all(len(one.chat) == 1 for one in found.positive + found.negative)  # the instruction is not part of the difference


def test_a_model_that_does_not_obey_starves_a_side_and_says_which() -> None:
    with pytest.raises(
        DataError, match=r"too few replies do not show it .* 80 show it, 0 do not, 0 could not be graded, of 80 drawn; each side needs 5"
    ):
        prompted(Toy(obeys=False), TRAIT, shows, least=5, rounds=2)
    ungraded = Toy(obeys=False)
    with pytest.raises(DataError, match="0 show it, 0 do not, 80 could not be graded"):
        prompted(ungraded, TRAIT, lambda trait, question, reply: None, least=5, rounds=2)


def test_forced_replies_have_both_sides_for_each_question_and_change_with_the_seed() -> None:
    found = teacher_forced(TRAIT)
    assert len(found.positive) == len(found.negative) == 20
    for one, other in zip(found.positive, found.negative, strict=True):
        assert one.chat == other.chat
        assert one.chat[-1]["content"].split()[-1] in one.reply
    wide = replace(TRAIT, replies=TRAIT.replies * 3)
    assert teacher_forced(wide, seed=0) == teacher_forced(wide, seed=0)
    assert teacher_forced(wide, seed=0) != teacher_forced(wide, seed=1)
    with pytest.raises(UsageError, match="no pairs of replies"):
        teacher_forced(replace(TRAIT, replies=()))


@pytest.mark.parametrize("kind", ["teacher-forced", "system prompts"])
def test_the_block_that_moves_replies_is_chosen(kind: str) -> None:
    found = extract(Toy(), TRAIT, shows, development=DEVELOPMENT, elicitations=(kind,), blocks=[1, GOOD, 5], least=5)  # type: ignore[arg-type]
    card = found.vector.card
    assert (card.block, card.elicitation, card.trait) == (GOOD, kind, "hallucination")
    assert found.signs == (0.5, 1.0)  # pushed down it commits only on what it knows, pushed up always
    assert found.vector.unit(GOOD)[0] == pytest.approx(1)
    assert card.norms[GOOD] == pytest.approx(np.hypot(3, np.hypot(3, 10)), abs=0.5)  # sure 2 + 1, invented 3, and 10
    assert card.stability[GOOD] > 0.9
    best = max(found.tried, key=lambda one: one.effect or 0)
    assert (best.block, best.unknown, best.known) == (GOOD, 1.0, 0.0)
    assert {one.block for one in found.tried} == {1, GOOD, 5}


def test_a_direction_that_works_the_wrong_way_stops_the_run_with_its_figures() -> None:
    with pytest.raises(RunError, match=r"pushed down 1.00 of the development replies show it, unpushed 1.00, pushed up 0.50"):
        extract(Toy(backwards=True), TRAIT, shows, development=DEVELOPMENT, elicitations=("teacher-forced",), blocks=[GOOD])


def test_before_the_reply_it_is_the_instruction_that_differs() -> None:
    read: list[list[Chat]] = []

    class Told(Toy):
        def read(self, chats: Sequence[Chat], replies: Sequence[str] | None = None, **named: object) -> np.ndarray:
            assert replies is None
            read.append(list(chats))
            sign = np.asarray([1 if "invent" in chat[0]["content"] else -1 for chat in chats], dtype=np.float32)
            return super().read(chats, None, **named) + sign[:, None, None] * np.eye(WIDTH, dtype=np.float32)[0]  # type: ignore[arg-type]

    found = vector_of(Told(), prompted(Toy(), TRAIT, shows, least=5), TRAIT, pool="prompt_last")  # type: ignore[arg-type]
    assert [{chat[0]["role"] for chat in side} for side in read] == [{"system"}, {"system"}]
    assert found.directions[GOOD][0] == pytest.approx(2)
    with pytest.raises(DataError, match="take system prompts"):
        vector_of(Toy(), teacher_forced(TRAIT), TRAIT, pool="prompt_last")  # type: ignore[arg-type]


def test_the_component_is_of_pairs_of_replies_to_the_same_question() -> None:
    whole = prompted(Toy(), TRAIT, shows, least=5)
    shuffled = replace(whole, negative=whole.negative[::-1][:-3])
    for method in ("pca", "paired mean difference"):
        one, other = (vector_of(Toy(), each, TRAIT, method=method) for each in (replace(whole, negative=whole.negative[3:]), shuffled))  # type: ignore[arg-type]
        assert one.directions[GOOD] == pytest.approx(other.directions[GOOD], abs=1e-6)
        assert abs(one.directions[GOOD][0]) > 10 * np.abs(one.directions[GOOD][1:]).max()  # what the questions are about has cancelled
        assert one.card.method == method


def test_a_trait_that_always_shows_is_compared_by_what_turning_back_takes_away() -> None:
    always = replace(TRAIT, name="firmness", grading="judge", evaluation=tuple(replace(one, known=None) for one in DEVELOPMENT))
    model, told = Toy(), []
    shown: Shows = lambda trait, question, reply: reply != HEDGE  # noqa: E731
    found = extract(model, always, shown, elicitations=("teacher-forced",), blocks=[1, GOOD, 5], told=told.append)
    assert model.asked == 8 * (1 + 3 * 2)  # unpushed, each block both ways; the signs of the chosen one are not asked for again
    assert told[1] == f"firmness: teacher-forced, block {GOOD}: effect +0.50"
    assert {one.block: (one.effect, one.unknown, one.known) for one in found.tried} == {1: (0, 1, 1), GOOD: (0.5, 1, 0.5), 5: (0, 1, 1)}
    assert found.vector.card.block == GOOD
    with pytest.raises(UsageError, match="no evaluation questions to choose a block on"):
        extract(Toy(), replace(always, evaluation=()), shows)


def test_a_starved_contrast_is_named_and_the_other_used() -> None:
    found = extract(Toy(obeys=False), TRAIT, shows, development=DEVELOPMENT, blocks=[GOOD], least=5, rounds=1)
    assert found.vector.card.elicitation == "teacher-forced"
    assert "0 do not" in found.starved["system prompts"]
    assert found.vector.card.receipts["starved"] == dict(found.starved)
    with pytest.raises(DataError, match="too few replies"):
        extract(Toy(obeys=False), TRAIT, shows, development=DEVELOPMENT, elicitations=("system prompts",), blocks=[GOOD], least=5, rounds=1)
    with pytest.raises(UsageError, match="known and unknown development questions"):
        extract(Toy(), TRAIT, shows, development=DEVELOPMENT[:4])


@pytest.fixture(scope="module")
def vector() -> Vector:
    return extract(Toy(), TRAIT, shows, development=DEVELOPMENT, elicitations=("teacher-forced",), blocks=[GOOD]).vector


def gate() -> object:
    asked = [
        question(f"{word} is {kind}{number}", known=kind == "real")
        for word in ("Who", "What", "How")
        for kind in ("real", "other")
        for number in range(12)
    ]
    read = Toy().read([[{"role": "user", "content": one.text}] for one in asked], pool="prompt_last")
    return fit_probe(
        read, [not one.known for one in asked], groups=[one.phrasing for one in asked], questions=[one.text for one in asked],
        name="unknown", what="unknown", model=Toy.identity, pool="prompt_last", rate=0.1,
    )  # fmt: skip


def test_a_gated_plan_leaves_alone_what_is_known(vector: Vector) -> None:
    chats = [[{"role": "user", "content": text}] for text in ("Where is real7", "Where is other7")]
    plan = Plan(moves=(Move(vector, -0.5),), gate=gate())  # type: ignore[arg-type]
    known, unknown = answered(Toy(), chats, plan)
    assert (known.fired, known.pushed, known.reply.text) == (False, False, ANSWER)
    assert (unknown.fired, unknown.pushed, unknown.reply.text) == (True, True, HEDGE)
    assert known.probability is not None
    assert unknown.probability is not None
    assert known.probability < 0.5 < unknown.probability
    always = answered(Toy(), chats, Plan(moves=(Move(vector, -0.8),)))
    assert [(one.fired, one.pushed, one.reply.text) for one in always] == [(None, True, HEDGE)] * 2
    assert [one.pushed for one in answered(Toy(), chats, None)] == [False, False]


def test_moves_add_up_and_a_foreign_vector_is_refused(vector: Vector) -> None:
    two = Plan(moves=(Move(vector, -0.5), Move(vector, 0.2))).push(Toy.identity)
    one = Plan(moves=(Move(vector, -0.3),)).push(Toy.identity)
    assert two.deltas[GOOD] == pytest.approx(one.deltas[GOOD], abs=1e-5)
    with pytest.raises(UsageError, match="width 8; wide has 16"):
        Plan(moves=(Move(vector, -0.5),)).push(replace(Toy.identity, name="wide", width=16))


def test_a_sweep_answers_once_and_gates_for_nothing(vector: Vector) -> None:
    asked = [Asked("known" if one.known else "unknown", one) for one in DEVELOPMENT]
    model = Toy()
    settings = conditions(vector, [0.2, 0.8], way=-1, random=range(2), at=0.8, instruction="be honest")
    kept: list[list[Sample]] = []
    fired = fires(model, gate(), asked)  # type: ignore[arg-type]
    found = sweep(model, settings, asked, fired=fired, store=kept.append)
    assert model.asked == 8 * (1 + 2 + 2 + 1 + 1)  # unsteered, doses, random, wrong sign, prompt
    assert len(found) == 8 * (7 + 5)  # each push also gated
    by = {(one.condition.kind, one.condition.dose, one.condition.gated, one.group): one for one in found if one.condition.random is None}
    assert by["vector", -0.8, False, "known"].hedged
    assert by["vector", -0.8, False, "unknown"].hedged
    assert by["vector", -0.8, True, "known"].hedged is False
    assert by["vector", -0.8, True, "unknown"].hedged
    assert by["none", 0.0, False, "known"].correct
    assert by["vector", -0.8, False, "known"].correct is False
    assert by["wrong sign", 0.8, False, "unknown"].hedged is False
    assert by["prompt", 0.0, False, "unknown"].hedged
    assert len(kept) == 7
    again = Toy()
    assert sorted(map(repr, sweep(again, settings, asked, fired=fired, kept=kept[2]))) == sorted(map(repr, found))  # type: ignore[arg-type]
    assert again.asked == 8 * 4  # what was kept was not asked again


def test_imagination_is_licensed_on_fictions_of_which_several_are_drawn(vector: Vector, tmp_path: Path) -> None:
    dial = Vector(vector.directions, replace(vector.card, trait="imagination", hashes={}))
    doses = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07)
    found = license_dial(Toy(), [dial, dial], read_trait("imagination"), tmp_path, doses=doses, most=3).ungated  # type: ignore[arg-type]
    assert found.goal == "plays along"
    assert (found.verdict, found.reasons[-1].partition(":")[0]) == ("unlicensed", "Every question"), "a trial is never licensed"
    assert (found.about["trial"], found.about["vectors"]) == ("3", ", ".join([vector_digest(dial)[:16]] * 2))
    assert "could not be told" in found.about["extraction questions"], "the card of this vector names none"
    distinct = found.unsteered.values["distinct"]
    assert distinct.value == 1
    assert distinct.n_excluded == 0
    for name in ("development", "evaluation"):
        rows = [one for one in read_samples(tmp_path / f"{name}.parquet") if one.condition.kind == "none"]
        assert len([one for one in rows if one.group == "creative"]) == 2 * 3 * 2  # seeds, prompts, fictions
        assert {one.sample for one in rows if one.group != "creative"} == {0}
    # five random vectors in all, shared out among the seeds
    drawn = {
        (one.condition.random, one.condition.seed)
        for one in read_samples(tmp_path / "evaluation.parquet")
        if one.condition.random is not None
    }
    assert drawn == {(0, 0), (1, 1), (2, 0), (3, 1), (4, 0)}


@pytest.mark.parametrize(("side", "name"), [("extraction", "evaluation"), ("extraction", "development"), ("evaluation", "harmful")])
def test_a_trait_made_from_what_its_licence_asks_is_refused(vector: Vector, tmp_path: Path, side: str, name: str) -> None:
    shared = load(name)[5]  # type: ignore[arg-type]
    trait = replace(TRAIT, **{side: (*getattr(TRAIT, side), shared)})
    with pytest.raises(UsageError, match=rf"the {side} questions of 'hallucination' share text: .* with the {name} questions") as caught:
        license_dial(Toy(), [vector], trait, tmp_path / "out")  # type: ignore[arg-type]
    assert "change those of the trait" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_vector_read_on_other_questions_than_its_trait_has_now_is_refused(vector: Vector, tmp_path: Path) -> None:
    now = replace(TRAIT, extraction=TRAIT.extraction[1:])
    with pytest.raises(UsageError, match=r"read on other extraction questions than 'hallucination' has now, .*; extract it again"):
        license_dial(Toy(), [vector], now, tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_traits_that_are_shipped_share_nothing_with_what_a_licence_asks() -> None:
    for name in ("hallucination", "overconfidence", "factuality", "imagination", "empathy", "sycophancy"):
        check_sets(read_trait(name))


def test_a_licence_that_ends_before_its_first_reply_leaves_nothing(vector: Vector, tmp_path: Path) -> None:
    class Stopped(Toy):
        def generate(self, *_: object, **__: object) -> list[Reply]:
            raise KeyboardInterrupt

    (tmp_path / "mine").mkdir()
    for place in (tmp_path / "new" / "out", tmp_path / "mine"):
        with pytest.raises(KeyboardInterrupt):
            license_dial(Stopped(), [vector], TRAIT, place, most=2)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="strengths above 0, got 1 and nan"):
            license_dial(Toy(), [vector], TRAIT, place, doses=[float("nan")])  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"], "what was there before stays"


def test_random_vectors_are_as_long_as_the_dial(vector: Vector) -> None:
    settings = conditions(vector, [0.5], way=-1, random=range(3), at=0.5)
    lengths = [float(np.linalg.norm(one.push.deltas[GOOD])) for one in settings if one.push]
    assert lengths == pytest.approx([0.5 * vector.card.norms[GOOD]] * 5, rel=1e-4)
    assert len({tuple(one.push.deltas[GOOD]) for one in settings if one.push and one.condition.kind == "random"}) == 3
    assert float(np.linalg.norm(random_like(np.ones(4), np.random.default_rng(0)))) == pytest.approx(2)
    with pytest.raises(UsageError, match="strengths are above 0"):
        conditions(vector, [-0.5], way=-1)
