"""Steering by llama.cpp with the embedded model: what is read is what is pushed, off is off, and another build is refused."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from conftest import absent
from wager.errors import DataError, ModelError, UsageError
from wager.models.weights import GGUF_SHA256, embedded_weights
from wager.steering import llama, llama_context, llama_library
from wager.steering.backend import Backend, Pool, Push, Watch
from wager.steering.chat_template import ChatTemplate
from wager.steering.llama import LlamaSteering
from wager.steering.llama_context import Context
from wager.steering.llama_library import Library, library

if TYPE_CHECKING:
    from wager.steering.hf import TorchSteering

BLOCK = 16
QUESTIONS = ["What is the capital of France?", "When was the chemist Ruprecht Odalvi born?", "Name a colour."]


def user(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaSteering]:
    made = LlamaSteering(embedded_weights(), name="embedded", context=256, sequences=4)
    yield made
    made.close()


@pytest.fixture(scope="module")
def unit() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=576)
    return np.asarray(drawn / np.linalg.norm(drawn), dtype=np.float32)


def test_the_identity_is_that_of_the_file(model: LlamaSteering) -> None:
    assert isinstance(model, Backend)
    found = model.identity
    assert (found.architecture, found.blocks, found.width, found.vocabulary) == ("llama", 30, 576, 49152)
    assert found.tokens == "4ca839f11927b8890dbb58b39b1f0008a4d826e02eecd78c77d8ed1340170a11"


def test_a_watch_sees_what_is_read(model: LlamaSteering, unit: np.ndarray) -> None:
    reply = model.generate(user(QUESTIONS[0]), watches=[Watch("one", BLOCK, 3 * unit), Watch("two", 4, unit)], tokens=6)[0]
    assert {name: len(values) for name, values in reply.watched.items()} == {"one": len(reply.tokens) + 1, "two": len(reply.tokens) + 1}
    before = model.read(user(QUESTIONS[0]), pool="prompt_last", blocks=[BLOCK, 4])[0]
    assert reply.watched["one"][0] == pytest.approx(before[0] @ unit, abs=0.05)  # the length of a watch's direction does not count
    assert reply.watched["two"][0] == pytest.approx(before[1] @ unit, abs=0.05)
    # written token by token or read at one go, the same up to rounding: 4-bit weights multiply 8-bit activations
    text = "".join(reply.tokens)
    mean = model.read(user(QUESTIONS[0]), [text], pool="reply_mean", blocks=[BLOCK])[0, 0]
    assert reply.watched["one"][1:].mean() == pytest.approx(mean @ unit, abs=0.5)
    assert np.std(reply.watched["one"]) > 1  # and this is no constant


def test_the_mean_of_a_reply_is_over_its_tokens_and_nothing_else(model: LlamaSteering) -> None:
    whole = model.read(user(QUESTIONS[0]), [" Paris is it"], pool="reply_mean", blocks=[5])[0, 0]
    ends = [model.read(user(QUESTIONS[0]), [text], pool="reply_last", blocks=[5])[0, 0] for text in (" Paris", " Paris is", " Paris is it")]
    assert whole == pytest.approx(np.mean(ends, axis=0), abs=0.35)
    assert np.abs(whole - ends[-1]).max() > 3


def test_every_token_of_the_message_is_read_and_the_templates_are_not(model: LlamaSteering) -> None:
    chats = [[{"role": "system", "content": "Who are you?"}, {"role": "user", "content": "Who wrote Emma Zürich?"}], *user(QUESTIONS[0])]
    first, second = model.read_message(chats, blocks=[5, 12])
    assert b"".join(first.pieces).decode() == "Who wrote Emma Zürich?"
    assert b"".join(second.pieces).decode() == QUESTIONS[0]
    assert first.activations.shape == (len(first.pieces), 2, 576)
    # a token sees what is before it only: the same beginning, the same activations
    longer = model.read_message(user(QUESTIONS[0] + " Tell me."), blocks=[5, 12])[0]
    same = len(second.pieces) - 1
    assert second.activations[:same] == pytest.approx(longer.activations[:same], abs=0.3)
    assert np.abs(second.activations[0] - second.activations[1]).max() > 3


def test_without_a_template_the_messages_last_token_is_read_too(model: LlamaSteering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_template", ChatTemplate(None, name="bare", special={}))
    for text in ("Who wrote Emma?", "Who"):
        for _ in range(2):  # what is kept of a prompt is not that of another length
            found = model.read_message(user(text), blocks=[5])[0]
            assert b"".join(found.pieces).decode() == text
            assert found.activations.shape == (len(found.pieces), 1, 576)
            last = model.read(user(text), pool="prompt_last", blocks=[5])[0]
            assert found.activations[-1] == pytest.approx(last, abs=0.35)
    with pytest.raises(DataError, match="reads no token before the reply"):
        model.generate(user(""))


def test_a_message_is_not_looked_for_in_what_its_template_writes_around_it(model: LlamaSteering) -> None:
    # this template ends with "<|im_start|>assistant\n" and begins with a system message in which "Hugging Face" stands
    for text in ("assistant", "Hugging Face", " assistant\n", "0"):
        found = model.read_message(user(text), blocks=[5])[0]
        assert b"".join(found.pieces).decode() == text
        chat = [{"role": "user", "content": text}]
        prompt = model._prompt(chat)
        place = [at for at in range(len(prompt)) if b"".join(map(model._piece, prompt[:at])).endswith(b"user\n")][-1]
        model._reading([5]).clear()
        read = model._reading([5]).captured(prompt[:-1], [5])[0, place : place + len(found.pieces)]
        assert found.activations[:, 0] == pytest.approx(read, abs=1e-4)


def test_a_push_moves_its_own_projection_by_its_length(model: LlamaSteering, unit: np.ndarray) -> None:
    watch = [Watch("along", BLOCK, unit), Watch("below", BLOCK - 1, unit)]
    plain = model.generate(user(QUESTIONS[0]), watches=watch, tokens=1)[0]
    pushed = model.generate(user(QUESTIONS[0]), watches=watch, pushes=Push({BLOCK: 40 * unit}), tokens=1)[0]
    assert pushed.watched["along"][0] - plain.watched["along"][0] == pytest.approx(40, abs=0.05)
    assert pushed.watched["below"][0] == pytest.approx(plain.watched["below"][0], abs=1e-3)


def test_no_push_a_zero_push_and_a_push_taken_off_are_one_and_the_same(model: LlamaSteering, unit: np.ndarray) -> None:
    def scored(push: Push | None) -> np.ndarray:
        return model.score(user(QUESTIONS[0]), ["The capital is Paris."], pushes=push)[0]

    before = scored(None)
    assert np.array_equal(scored(Push({BLOCK: 0 * unit})), before)
    assert np.abs(scored(Push({BLOCK: 80 * unit})) - before).max() > 0.1
    assert np.array_equal(scored(None), before)


def test_positions_are_where_a_push_acts(model: LlamaSteering, unit: np.ndarray) -> None:
    watch = [Watch("at", BLOCK, unit), Watch("after", BLOCK + 6, unit)]

    def seen(push: Push | None) -> tuple[float, float]:
        """Of the last token before the reply: at the pushed block, and further up."""
        watched = model.generate(user(QUESTIONS[0]), watches=watch, pushes=push, tokens=1)[0].watched
        return watched["at"][0], watched["after"][0]

    plain, reply = seen(None), seen(Push({BLOCK: 40 * unit}, "reply"))
    prompt, both = seen(Push({BLOCK: 40 * unit}, "prompt")), seen(Push({BLOCK: 40 * unit}, "all"))
    assert reply[0] - plain[0] == pytest.approx(40, abs=0.05)  # the last token before the reply is where the first one is chosen
    assert prompt[0] == pytest.approx(plain[0], abs=1e-3)  # only the tokens before it are pushed, and it sees them further up
    assert abs(prompt[1] - plain[1]) > 0.05
    assert both[0] - plain[0] == pytest.approx(40, abs=0.05)
    assert abs(both[1] - reply[1]) > 0.05


def test_rows_of_a_batch_have_pushes_of_their_own(model: LlamaSteering, unit: np.ndarray) -> None:
    watch = [Watch("along", BLOCK, unit)]
    pushes = [None, Push({BLOCK: 60 * unit}), Push({BLOCK: -30 * unit})]
    mixed = model.generate(user(*[QUESTIONS[0]] * 3), pushes=pushes, watches=watch, tokens=3)
    start = mixed[0].watched["along"][0]
    assert [one.watched["along"][0] - start for one in mixed] == pytest.approx([0, 60, -30], abs=0.05)
    alone = model.generate(user(QUESTIONS[0]), pushes=pushes[1], watches=watch, tokens=3)[0]
    assert alone.watched["along"][0] == pytest.approx(mixed[1].watched["along"][0], abs=0.05)


def test_a_sampled_reply_is_drawn_again_with_its_seed(model: LlamaSteering) -> None:
    one, again, other = (model.generate(user(QUESTIONS[2]), tokens=8, temperature=1.0, seed=seed)[0].text for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_a_prefix_is_put_into_its_mouth_and_not_returned(model: LlamaSteering) -> None:
    reply = model.generate(user(QUESTIONS[0]), prefixes=["The capital of France is"], tokens=3)[0]
    assert reply.text.startswith("Paris")


def test_bad_requests_are_refused_in_one_line(model: LlamaSteering, unit: np.ndarray) -> None:
    chats = user(QUESTIONS[0])
    with pytest.raises(UsageError, match="blocks 0 to 29, got 30"):
        model.read(chats, pool="prompt_last", blocks=[30])
    with pytest.raises(UsageError, match="width 576, got a vector of shape"):
        model.generate(chats, pushes=Push({BLOCK: unit[:5]}))
    with pytest.raises(UsageError, match="not finite"):
        model.generate(chats, pushes=Push({BLOCK: np.full(576, np.nan, dtype=np.float32)}))
    with pytest.raises(UsageError, match="cannot push block 0"):
        model.generate(chats, pushes=Push({0: unit}))
    with pytest.raises(UsageError, match="needs replies"):
        model.read(chats, pool="reply_mean")
    with pytest.raises(UsageError, match="request 0 is empty"):
        model.read(chats, [""], pool="reply_mean")
    with pytest.raises(
        DataError, match=r"^request 1, 'word .*\.\.\.', has \d+ tokens, more than the 256 of the context; .* \(--context\)$"
    ):
        model.read([*chats, *user("word " * 400)], pool="prompt_last")
    with pytest.raises(UsageError, match="a pool is one of prompt_last, reply_mean, reply_last, got 'mean'"):
        model.read(chats, ["yes"], pool="mean")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no block is named; embedded has blocks 0 to 29"):
        model.read_message(chats, blocks=[])
    with pytest.raises(UsageError, match="a push acts at reply, prompt, all, got 'replies'"):
        model.generate(chats, pushes=Push({BLOCK: unit}, "replies"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="blocks 0 to 29, got 30"):
        model.generate(chats, watches=[Watch("a", 30, unit)])
    with pytest.raises(UsageError, match="the watch 'a' of shape"):
        model.generate(chats, watches=[Watch("a", BLOCK, unit[:5])])
    with pytest.raises(UsageError, match="the watch 'a' has no direction"):
        model.generate(chats, watches=[Watch("a", BLOCK, 0 * unit)])
    with pytest.raises(UsageError, match="2 chats take one prefix each, got 1"):
        model.generate(chats * 2, prefixes=["It"])
    with pytest.raises(UsageError, match="a temperature of 0 or more, got 64 and nan"):
        model.generate(chats, temperature=float("nan"))
    with pytest.raises(UsageError, match="a seed is 0 or more, got -1"):
        model.generate(chats, seed=-1)
    with pytest.raises(UsageError, match="one of system, user, assistant, got 'tool'"):
        model.generate([[{"role": "tool", "content": "x"}]])
    assert model.generate(chats, tokens=2)[0].tokens  # and it goes on working


def test_a_closed_model_says_so() -> None:
    closed = LlamaSteering(embedded_weights(), name="embedded", context=64, sequences=1)
    closed.close()
    closed.close()
    chats = user(QUESTIONS[0])
    calls: list[Callable[[], object]] = [
        lambda: closed.generate(chats),
        lambda: closed.read(chats, pool="prompt_last"),
        lambda: closed.read_message(chats),
        lambda: closed.score(chats, ["yes"]),
        lambda: closed.count(chats[0]),
        lambda: closed._piece(5),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="embedded is closed; load it again"):
            call()


def test_a_longer_context_than_the_model_was_trained_on_is_refused_or_shortened(
    model: LlamaSteering, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed, free = [], library().llama_model_free
    monkeypatch.setattr(library(), "llama_model_free", lambda pointer: (freed.append(pointer), free(pointer)))
    with pytest.raises(UsageError, match="embedded was trained on contexts of 8192 tokens, got 8193; give 8192 or less"):
        LlamaSteering(embedded_weights(), name="embedded", context=8193, sequences=1)
    assert len(freed) == 1  # what was loaded by then
    assert model._length(8193, shorten=True) == 8192
    assert model._length(100, shorten=True) == model._length(100, shorten=False) == 100


def test_ctrl_c_inside_the_callback_is_not_swallowed(model: LlamaSteering, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated, sent = Context._evaluated, []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored (a job in the background), or be Spark's

    def stopped(self: Context, tensor: int, asked: bool, data: int) -> bool:
        if not sent:
            sent.append(tensor)
            signal.raise_signal(signal.SIGINT)
        return evaluated(self, tensor, asked, data)

    monkeypatch.setattr(Context, "_evaluated", stopped)
    context = Context(model._library, model._model, model.identity, tokens=64, sequences=1, threads=1, capture="callback")
    try:
        with pytest.raises(KeyboardInterrupt):
            context.captured([1, 2], [29])
        assert len(sent) == 1
        context.clear()
        assert context.captured([1, 2], [29]).shape == (1, 2, 576)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
        context.close()


def test_a_build_that_names_the_blocks_outputs_otherwise_is_an_error(model: LlamaSteering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_context, "OUTPUT", b"no_such-")
    unit = np.ones(576, dtype=np.float32)
    for call in (
        lambda: model.read(user("Who?"), pool="prompt_last", blocks=[29]),
        lambda: model.generate(user("Who?"), watches=[Watch("a", 29, unit)], tokens=1),
    ):
        with pytest.raises(ModelError, match=r"gives no output of block 29, .*; install xllamacpp"):
            call()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.gguf").write_bytes(embedded_weights().read_bytes()[:200_000])
    with pytest.raises(ModelError, match="cut off or of an unknown architecture"):
        LlamaSteering(tmp_path / "cut.gguf", name="cut")
    with pytest.raises(ModelError, match="no model file"):
        LlamaSteering(tmp_path / "nothing.gguf", name="nothing")


def test_another_build_of_the_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(Path(str(library()._library._name)).parent.glob("xllamacpp*"))
    monkeypatch.setitem(llama_library.CONTEXT, "n_batch", (4, "I", 1024))
    with pytest.raises(ModelError, match=r"xllamacpp 9 is not a build .*n_batch is 2048 where 1024 .*install xllamacpp>="):
        Library(path, build="xllamacpp 9")
    monkeypatch.setitem(llama_library.FUNCTIONS, "llama_set_no_such", (None, ()))
    with pytest.raises(ModelError, match="has no function llama_set_no_such"):
        Library(path, build="xllamacpp 9")


def test_a_build_whose_vectors_do_nothing_is_refused(model: LlamaSteering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(model._writing()), "set_push", lambda self, deltas, **rest: None)
    with pytest.raises(ModelError, match="a vector changes nothing"):
        model._test()


@pytest.fixture(scope="module")
def called() -> Iterator[LlamaSteering]:
    """The same model by a library that has no layer inputs."""
    path = Path(str(library()._library._name))
    with pytest.MonkeyPatch.context() as patch:
        absent_symbols = {name: (f"{symbol}_", *rest) for name, (symbol, *rest) in llama_library.LAYER_INPUTS.items()}
        patch.setattr(llama_library, "LAYER_INPUTS", absent_symbols)
        without = Library(path, build="a build without them")
        patch.setattr(llama, "library", lambda: without)
        made = LlamaSteering(embedded_weights(), name="embedded", context=256, sequences=4)
    yield made
    made.close()


def test_layer_inputs_are_used_where_the_library_has_them_and_the_callback_elsewhere(model: LlamaSteering, called: LlamaSteering) -> None:
    assert model.capture == "layer inputs"
    assert called.capture == "callback"
    assert model._reading([0, 28])._capture == "layer inputs"
    assert model._reading([0, 29])._capture == "callback"  # the last block's output is no layer's input
    assert called._reading([0, 28])._capture == "callback"


def test_both_ways_give_the_same_activations(model: LlamaSteering, called: LlamaSteering, unit: np.ndarray) -> None:
    tokens = {row: model._tokens(text) for row, text in enumerate([*QUESTIONS, "It"])}
    assert len({len(one) for one in tokens.values()}) > 2
    blocks = [28, 0, BLOCK, BLOCK + 1]
    for push in ({}, {BLOCK: 40 * unit}):
        found: list[np.ndarray] = []
        for one in (model, called):
            context = one._reading(blocks)
            found.append(context.traced(tokens, blocks, push=push))
            # a prompt that is read while only its last token has logits: all of its rows all the same
            context.clear()
            context.watch([Watch("at", BLOCK, unit)])
            context.feed(tokens, push=push)
            found.append(context.watched)
            context.clear()
        layers, prompts, theirs, their_prompts = found
        assert layers.shape == (4, sum(map(len, tokens.values())) + 4, 576)
        assert prompts.shape == (1, sum(map(len, tokens.values())))
        assert layers == pytest.approx(theirs, abs=0.01)  # bit for bit, where llama.cpp computes both graphs alike
        assert prompts == pytest.approx(their_prompts, abs=0.01)
        assert np.abs(layers[2, 0] - layers[2, 1]).max() > 1  # neither tokens nor blocks are all one
        assert np.abs(layers[2] - layers[3]).max() > 1


def test_both_ways_watch_and_read_alike(model: LlamaSteering, called: LlamaSteering, unit: np.ndarray) -> None:
    chats = user(*QUESTIONS)
    for one in (model, called):
        one._read.clear()  # a prompt that was read in another batch is another one in its last bits
    for blocks in ([4, BLOCK], [BLOCK, 28], [BLOCK, 29]):  # one after the other: what is kept changes with what is watched
        watches = [Watch(str(block), block, unit) for block in blocks]
        for pushes in (None, [Push({BLOCK: 40 * unit}, "all"), None, Push({BLOCK: 40 * unit})]):
            both = [one.generate(chats, watches=watches, pushes=pushes, tokens=3) for one in (model, called)]
            for mine, theirs in zip(*both, strict=True):
                assert mine.text == theirs.text
                for block in map(str, blocks):
                    assert mine.watched[block] == pytest.approx(theirs.watched[block], abs=0.01)
                    assert len(mine.watched[block]) == len(mine.tokens) + 1
    pools: dict[Pool, list[str] | None] = {"prompt_last": None, "reply_mean": ["It is Paris.", "I don't know.", "Blue, I think."]}
    for pool, replies in pools.items():
        mine_read, their_read = (one.read(chats, replies, pool=pool, blocks=[0, 28, 12]) for one in (model, called))
        assert mine_read == pytest.approx(their_read, abs=0.01)
        every = model.read(chats, replies, pool=pool)  # with the last block among them
        assert every[:, [0, 28, 12]] == pytest.approx(their_read, abs=0.01)
    for mine_message, their_message in zip(*(one.read_message(chats, blocks=[12, 20]) for one in (model, called)), strict=True):
        assert mine_message.activations == pytest.approx(their_message.activations, abs=0.01)


def test_layer_inputs_that_are_something_else_are_not_used(model: LlamaSteering, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model.capture == "layer inputs"
    take = Context._take
    changes: list[Callable[[np.ndarray], np.ndarray]] = [
        lambda rows: rows[::-1],
        lambda rows: 1.02 * rows,
        lambda rows: np.roll(rows, 1, axis=1),
    ]
    for changed in changes:

        def other(self: Context, count: int, changed: Callable[[np.ndarray], np.ndarray] = changed) -> None:
            take(self, count)
            self._captured = {block: changed(values) for block, values in self._captured.items()}

        monkeypatch.setattr(Context, "_take", other)
        monkeypatch.delitem(model.__dict__, "capture")  # what was found out
        assert model.capture == "callback"
    monkeypatch.setattr(Context, "_take", take)
    monkeypatch.delitem(model.__dict__, "capture")
    assert model.capture == "layer inputs"
    monkeypatch.setattr(llama, "LAYERED", frozenset({"qwen3"}))  # asked for layers that its graph does not name, llama.cpp ends the process
    monkeypatch.delitem(model.__dict__, "capture")
    assert model.capture == "callback"


def test_the_last_block_is_refused_as_a_layer_input(model: LlamaSteering) -> None:
    context = model._reading([BLOCK])
    with pytest.raises(UsageError, match="last block, 29, is no layer's input"):
        context.captured(model._tokens("It is"), [29])
    with pytest.raises(UsageError, match="blocks 0 to 29, got -1"):
        model.generate(user(QUESTIONS[0]), watches=[Watch("below", -1, np.ones(576, dtype=np.float32))])


def test_a_template_reads_messages_and_nothing_else() -> None:
    def of(text: str) -> ChatTemplate:
        return ChatTemplate(text, name="it", special={})

    assert of("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}").render(user("{{ 7 * 7 }}")[0]) == "<user>{{ 7 * 7 }}"
    for hostile in ("{{ messages.__class__.__mro__ }}", "{{ messages.append(1) }}", "{% import 'os' as os %}{{ os }}"):
        with pytest.raises(UsageError, match="refuses this chat"):
            of(hostile).render(user("hi")[0])
    with pytest.raises(ModelError, match="is broken"):
        of("{% for %}")
    with pytest.raises(UsageError, match="no chat template"):
        ChatTemplate(None, name="it", special={}).render([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}])


@pytest.fixture(scope="module")
def other() -> TorchSteering:
    """The same file in transformers: half a minute to load."""
    if find_spec("gguf") is None or find_spec("accelerate") is None or find_spec("torch") is None:
        absent("torch, gguf and accelerate")
    from wager.steering.hf import TorchSteering

    return TorchSteering(embedded_weights(), name="embedded")


def test_both_local_backends_read_and_push_alike(model: LlamaSteering, other: TorchSteering) -> None:
    assert other.identity.tokens == model.identity.tokens
    assert other.identity.weights == model.identity.weights
    chats = user(*QUESTIONS)
    blocks = list(range(29))
    for pool, replies in (("prompt_last", None), ("reply_mean", ["It is Paris.", "I don't know.", "Blue, I think."])):
        mine, theirs = (one.read(chats, replies, pool=pool, blocks=blocks).astype(np.float64) for one in (model, other))
        cosine = (mine * theirs).sum(axis=2) / np.linalg.norm(mine, axis=2) / np.linalg.norm(theirs, axis=2)
        assert cosine.min() > 0.99
    for one, other_one in zip(*(each.read_message(chats, blocks=[12, 20]) for each in (model, other)), strict=True):
        assert one.pieces == other_one.pieces
        a, b = (each.activations.reshape(-1, 576).astype(np.float64) for each in (one, other_one))
        assert ((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min() > 0.98
    # what a push changes: log-probabilities of a fixed text, before and after, at three blocks
    long = "The capital of France is Paris, a large city on the river Seine that many people visit every year."
    direction = mine[1] - mine[0]
    cosines = []
    for block in (5, 12, 20):
        push = Push(
            {
                block: np.asarray(
                    0.6 * np.linalg.norm(mine[0, block]) * direction[block] / np.linalg.norm(direction[block]), dtype=np.float32
                )
            }
        )
        changes = [one.score(chats[:1], [long], pushes=push)[0] - one.score(chats[:1], [long])[0] for one in (model, other)]
        cosines.append(float(changes[0] @ changes[1] / np.linalg.norm(changes[0]) / np.linalg.norm(changes[1])))
    assert min(cosines) > 0.99, cosines
    # the neighbouring block is another one: the index is not off by one
    close = [other.read(chats, pool="prompt_last", blocks=[block])[0, 0] for block in (11, 12, 13)]
    here = model.read(chats, pool="prompt_last", blocks=[12])[0, 0]
    found = [float(here @ one / np.linalg.norm(here) / np.linalg.norm(one)) for one in close]
    assert np.argmax(found) == 1


def test_transformers_reads_the_same_file_and_can_save_it(other: TorchSteering, tmp_path: Path) -> None:
    steering = other
    assert (steering.identity.architecture, steering.identity.blocks, steering.identity.width) == ("llama", 30, 576)
    assert (steering.identity.vocabulary, steering.identity.weights) == (49152, GGUF_SHA256)
    assert steering.identity.tokens == "4ca839f11927b8890dbb58b39b1f0008a4d826e02eecd78c77d8ed1340170a11"  # as the file stores them
    chats = user("What is the capital of France?", "Name a colour.")
    paris, berlin = steering.score(chats[:1] * 2, ["The capital of France is Paris.", "The capital of France is Berlin."])
    assert paris.sum() > berlin.sum() + 2
    bare = steering.generate(chats, tokens=8)
    assert "Paris" in bare[0].text
    read = steering.read(chats, [one.text for one in bare], pool="reply_mean", blocks=[16])
    push = Push({16: 4.0 * (read[1, 0] - read[0, 0])})
    mixed = steering.generate(chats, pushes=[None, push], tokens=8)
    assert mixed[0].text == bare[0].text
    assert mixed[1].text != bare[1].text
    with pytest.raises(ValueError, match="not serializable"):  # the trap that save is there for
        steering.model.save_pretrained(tmp_path / "refused")
