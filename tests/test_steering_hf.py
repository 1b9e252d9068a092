"""The transformers backend: exact properties on tiny models, a planted direction by hand, and the embedded model's own file."""

import copy
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import absent
from steering_toy import SPECIAL, WORDS, tiny_model, tiny_tokenizer, user
from wager.errors import DataError, MissingExtraError, ModelError, UsageError
from wager.steering.backend import Backend, Push, Watch, token_digest

if find_spec("torch") is None or find_spec("transformers") is None:
    absent("torch and transformers")

import torch

from wager.steering.hf import TorchSteering
from wager.steering.hf_blocks import find_blocks, hooked

torch.set_num_threads(1)

KINDS = ["llama", "gpt2"]
CHATS = user("w1 w2 w3 w4 w5", "w6", "w7 w8 w9", "w10 w11")
REPLIES = ["w3 w4", "w5 w6 w7 w8", "w9", "w1 w2 w1"]
NEAR = {"rtol": 0, "atol": 2e-5}


@pytest.fixture(scope="module", params=KINDS)
def steering(request: pytest.FixtureRequest) -> TorchSteering:
    return TorchSteering.of(tiny_model(request.param), tiny_tokenizer(), name=f"hf/{request.param}", batch=4)


def direction(seed: int, scale: float = 3.0, width: int = 16) -> Any:
    drawn = np.random.default_rng(seed).normal(size=width)
    return np.asarray(scale * drawn / np.linalg.norm(drawn), dtype=np.float32)


def ids(steering: TorchSteering, chat: Any, reply: str = "") -> tuple[list[int], list[int]]:
    """A prompt's tokens and its reply's, written out from the template."""
    words = [word for one in chat for word in (f"<{one['role']}>", *one["content"].split())]
    place = {word: at for at, word in enumerate([*SPECIAL, *WORDS])}
    return [place[word] for word in [*words, "<reply>"]], [place[word] for word in reply.split()]


def plain(steering: TorchSteering, tokens: list[int]) -> Any:
    """One row, no batch, no padding, no cache, no hooks of ours: logits (T, V) and hidden states."""
    with torch.no_grad():
        made = steering.model(torch.tensor([tokens]), output_hidden_states=True)
    return made.logits[0].double(), [state[0].numpy() for state in made.hidden_states]


def pushed_logits(steering: TorchSteering, prompt: list[int], reply: list[int], push: Push) -> Any:
    """Logits of a full pass in which the push is added by a hook written here, place by place."""
    tokens = torch.zeros(len(prompt) + len(reply), 1)
    first = len(prompt) - 1
    tokens[: first if push.positions != "reply" else 0] = 1.0
    tokens[first if push.positions != "prompt" else len(tokens) :] = 1.0
    handles = []
    for block, values in push.deltas.items():
        delta = torch.tensor(values)

        def add(module: Any, inputs: Any, output: Any, delta: Any = delta) -> Any:
            changed = (output[0] if isinstance(output, tuple) else output) + tokens * delta
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        handles.append(find_blocks(steering.model)[block].register_forward_hook(add))
    made = plain(steering, prompt + reply)[0]
    for handle in handles:
        handle.remove()
    return made


def hooks_left(steering: TorchSteering) -> int:
    """Ours: transformers leaves some of its own once hidden states were asked for."""
    hooks = [hook for part in steering.model.modules() for hook in part._forward_hooks.values()]
    return sum(hook.__module__.startswith("wager.") for hook in hooks)


def test_it_is_a_backend_that_can_do_all_of_it(steering: TorchSteering) -> None:
    assert isinstance(steering, Backend)
    able = steering.able
    assert (able.capture, able.steer, able.per_request, able.logprobs, able.train) == (True, True, True, True, True)
    identity = steering.identity
    assert (identity.blocks, identity.width, identity.vocabulary) == (3, 16, 32)
    assert identity.tokens == token_digest([*SPECIAL, *WORDS])


def test_another_weight_gives_another_digest_of_the_weights_and_the_same_of_the_tokens() -> None:
    model = tiny_model()
    first, again = (TorchSteering.of(model, tiny_tokenizer()).identity for _ in range(2))
    assert first == again
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[0, 0] += 1e-3
    changed = TorchSteering.of(model, tiny_tokenizer()).identity
    assert changed.weights != first.weights
    assert changed.tokens == first.tokens


def test_rows_of_an_embedding_without_a_token_are_named_as_llama_cpp_names_them() -> None:
    identity = TorchSteering.of(tiny_model(vocabulary=34), tiny_tokenizer()).identity
    assert identity.vocabulary == 34
    assert identity.tokens == token_digest([*SPECIAL, *WORDS, "[PAD32]", "[PAD33]"])


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2", "gpt_neox"])
def test_block_k_is_hidden_state_k_plus_1(kind: str) -> None:
    steering = TorchSteering.of(tiny_model(kind), tiny_tokenizer(), batch=1)
    prompt, _ = ids(steering, CHATS[0])
    states = plain(steering, prompt)[1]
    read = steering.read(CHATS[:1], pool="prompt_last")
    assert read.shape == (1, 3, 16)
    assert read.dtype == np.float32
    for block in (0, 1):
        np.testing.assert_array_equal(read[0, block], states[block + 1][-1])
    norm = next(part for name, part in steering.model.named_modules() if name.rsplit(".", 1)[-1] in ("norm", "ln_f", "final_layer_norm"))
    with torch.no_grad():  # transformers gives the last state after the last norm; a block's output is before it
        np.testing.assert_allclose(norm(torch.tensor(read[0, 2])).numpy(), states[3][-1], **NEAR)


def test_each_pool_under_padding_is_that_of_the_row_alone(steering: TorchSteering) -> None:
    for pool in ("prompt_last", "reply_mean", "reply_last"):
        read = steering.read(CHATS, REPLIES, pool=pool, blocks=[1, 0])
        for at, (chat, reply) in enumerate(zip(CHATS, REPLIES, strict=True)):
            prompt, answer = ids(steering, chat, reply)
            states = plain(steering, prompt + answer)[1]
            for place, block in enumerate((1, 0)):
                state = states[block + 1]
                first = len(prompt)
                expected = {"prompt_last": state[first - 1], "reply_mean": state[first:].mean(0), "reply_last": state[-1]}[pool]
                np.testing.assert_allclose(read[at, place], expected, **NEAR)


def test_scores_are_those_of_each_row_alone(steering: TorchSteering) -> None:
    for chat, reply, scores in zip(CHATS, REPLIES, steering.score(CHATS, REPLIES), strict=True):
        prompt, answer = ids(steering, chat, reply)
        logprobs = plain(steering, prompt + answer)[0].log_softmax(-1)
        expected = [logprobs[len(prompt) - 1 + at, token].item() for at, token in enumerate(answer)]
        np.testing.assert_allclose(scores, expected, **NEAR)


def test_an_empty_reply_scores_as_no_tokens(steering: TorchSteering) -> None:
    scores = steering.score(CHATS[:2], ["", "w1"])
    assert [len(one) for one in scores] == [0, 1]


@pytest.mark.parametrize("positions", ["reply", "prompt", "all"])
def test_a_push_acts_where_it_says_when_a_reply_is_scored(steering: TorchSteering, positions: Any) -> None:
    push = Push({0: direction(1), 2: direction(2)}, positions)
    for chat, reply, scores in zip(CHATS, REPLIES, steering.score(CHATS, REPLIES, pushes=push), strict=True):
        prompt, answer = ids(steering, chat, reply)
        logprobs = pushed_logits(steering, prompt, answer, push).log_softmax(-1)
        expected = [logprobs[len(prompt) - 1 + at, token].item() for at, token in enumerate(answer)]
        np.testing.assert_allclose(scores, expected, **NEAR)


@pytest.mark.parametrize("positions", ["reply", "prompt", "all"])
def test_writing_with_a_cache_gives_what_a_full_pass_gives(steering: TorchSteering, positions: Any) -> None:
    push = Push({1: direction(3)}, positions)
    for at, reply in enumerate(steering.generate(CHATS, pushes=push, tokens=6)):
        prompt, answer = ids(steering, CHATS[at], " ".join(reply.tokens))
        logits = pushed_logits(steering, prompt, answer, push)[len(prompt) - 1 :]
        chosen = logits.argmax(-1).tolist()
        assert chosen[: len(answer)] == answer
        assert reply.finish == ("stop" if len(answer) < 6 else "length")
        if reply.finish == "stop":
            assert chosen[len(answer)] == 0
        np.testing.assert_allclose(
            reply.logprobs, [logits.log_softmax(-1)[step, token].item() for step, token in enumerate(answer)], **NEAR
        )
        np.testing.assert_allclose(steering.score([CHATS[at]], [" ".join(reply.tokens)], pushes=push)[0], reply.logprobs, **NEAR)


def test_the_three_positions_are_three_different_things(steering: TorchSteering) -> None:
    scores = [steering.score(CHATS[:1], REPLIES[:1], pushes=Push({0: direction(4)}, where))[0] for where in ("reply", "prompt", "all")]
    scores.append(steering.score(CHATS[:1], REPLIES[:1])[0])
    assert min(np.abs(one - other).max() for at, one in enumerate(scores) for other in scores[:at]) > 1e-3


def test_rows_with_pushes_of_their_own_are_as_if_each_were_alone(steering: TorchSteering) -> None:
    pushes = [Push({0: direction(1)}), None, Push({0: direction(2), 2: direction(3)}, "all"), Push({1: direction(4)}, "prompt")]
    watches = [Watch("one", 2, direction(5)), Watch("other", 0, direction(6)), Watch("third", 2, direction(7))]
    together = steering.generate(CHATS, pushes=pushes, watches=watches, tokens=7)
    scored = steering.score(CHATS, REPLIES, pushes=pushes)
    for at, reply in enumerate(together):
        alone = steering.generate([CHATS[at]], pushes=pushes[at], watches=watches, tokens=7)[0]
        assert (reply.text, reply.tokens, reply.finish) == (alone.text, alone.tokens, alone.finish)
        np.testing.assert_allclose(reply.logprobs, alone.logprobs, **NEAR)
        for name in ("one", "other", "third"):
            np.testing.assert_allclose(reply.watched[name], alone.watched[name], **NEAR)
        np.testing.assert_allclose(scored[at], steering.score([CHATS[at]], [REPLIES[at]], pushes=pushes[at])[0], **NEAR)
    assert steering.generate(CHATS[:1], tokens=7)[0].tokens != together[0].tokens


def test_the_size_of_a_batch_changes_nothing_but_rounding(steering: TorchSteering) -> None:
    small = TorchSteering.of(steering.model, steering.tokenizer, batch=1)
    assert [one.tokens for one in small.generate(CHATS, tokens=8)] == [one.tokens for one in steering.generate(CHATS, tokens=8)]
    drawn = steering.generate(CHATS, tokens=8, temperature=1.5, seed=3)
    assert [one.tokens for one in small.generate(CHATS, tokens=8, temperature=1.5, seed=3)] == [one.tokens for one in drawn]
    np.testing.assert_allclose(small.read(CHATS, pool="prompt_last"), steering.read(CHATS, pool="prompt_last"), **NEAR)


def test_a_push_of_nothing_leaves_every_bit(steering: TorchSteering) -> None:
    nothing = Push({0: np.zeros(16, np.float32), 1: np.zeros(16, np.float32)}, "all")
    for bare, zero in zip(steering.score(CHATS, REPLIES), steering.score(CHATS, REPLIES, pushes=nothing), strict=True):
        np.testing.assert_array_equal(bare, zero)
    mixed = [None, Push({1: direction(1)}), None, nothing]  # in one batch with a push, rows without one get zeros added
    beside = steering.score(CHATS, REPLIES, pushes=mixed)
    for at in (0, 2, 3):
        np.testing.assert_array_equal(beside[at], steering.score(CHATS, REPLIES)[at])
    steering.generate(CHATS, pushes=Push({0: direction(9)}), tokens=3)
    np.testing.assert_array_equal(steering.score(CHATS, REPLIES)[0], steering.score(CHATS, REPLIES)[0])


def test_watches_are_the_projections_of_the_finished_text_pushes_included(steering: TorchSteering) -> None:
    watch = Watch("trait", 1, direction(8))
    unit = watch.direction / np.linalg.norm(watch.direction)
    for at, reply in enumerate(steering.generate(CHATS, watches=[watch], tokens=5)):
        prompt, answer = ids(steering, CHATS[at], " ".join(reply.tokens))
        expected = plain(steering, prompt + answer)[1][2][len(prompt) - 1 :] @ unit
        assert reply.watched["trait"].shape == (len(answer) + 1,)
        np.testing.assert_allclose(reply.watched["trait"], expected, rtol=0, atol=1e-4)
        before = steering.read([CHATS[at]], pool="prompt_last", blocks=[1])[0, 0] @ unit
        np.testing.assert_allclose(reply.watched["trait"][0], before, rtol=0, atol=1e-4)
    bare, pushed = (steering.generate(CHATS[:1], watches=[watch], tokens=1, pushes=one)[0] for one in (None, Push({1: 2.5 * unit})))
    np.testing.assert_allclose(pushed.watched["trait"][0] - bare.watched["trait"][0], 2.5, **NEAR)


def test_drawing_follows_its_seed_and_the_models_odds() -> None:
    steering = TorchSteering.of(tiny_model(), tiny_tokenizer(), batch=64)
    chats = user("w1 w2") * 600
    first, again = (steering.generate(chats, tokens=1, temperature=1.0, seed=4) for _ in range(2))
    assert [one.tokens for one in first] == [one.tokens for one in again]
    assert [one.tokens for one in first] != [one.tokens for one in steering.generate(chats, tokens=1, temperature=1.0, seed=5)]
    odds = plain(steering, ids(steering, chats[0])[0])[0][-1].softmax(-1).numpy()
    drawn = [0 if one.finish == "stop" else ids(steering, [], " ".join(one.tokens))[1][0] for one in first]
    likely = int(odds.argmax())
    share = drawn.count(likely) / len(drawn)
    assert abs(share - odds[likely]) < 4 * np.sqrt(odds[likely] * (1 - odds[likely]) / len(drawn))


def test_a_prefix_is_said_already(steering: TorchSteering) -> None:
    whole = steering.generate(CHATS, tokens=6)
    length = min(len(one.tokens) for one in whole) - 1
    assert length >= 1
    begun = steering.generate(CHATS, tokens=6 - length, prefixes=[" ".join(one.tokens[:length]) for one in whole])
    assert [one.tokens for one in begun] == [one.tokens[length:] for one in whole]


def test_a_reply_is_cut_off_at_the_context_and_a_longer_text_is_refused(steering: TorchSteering) -> None:
    small = TorchSteering.of(steering.model, steering.tokenizer, context=9)
    replies = small.generate(CHATS[:2], tokens=40, watches=[Watch("a", 0, direction(1))])  # prompts of 7 and 3 tokens
    for reply, room in zip(replies, (2, 6), strict=True):
        assert len(reply.tokens) == room or (reply.finish == "stop" and len(reply.tokens) < room)
        assert len(reply.watched["a"]) == len(reply.tokens) + 1
        assert np.isfinite(reply.watched["a"]).all()
    chats = user("w1", "w1 w2 w3 w4 w5 w6 w7 w8")
    said = r"^request 1, 'w1 .* w8', has 11 tokens, more than the 9 of the context; shorten it or raise the context \(--context\)$"
    for call in (lambda: small.score(chats, ["w1", "w1"]), lambda: small.generate(chats)):
        with pytest.raises(DataError, match=said):
            call()
    with pytest.raises(DataError, match=r"request 0, .* has 10 tokens"):
        small.read_message(chats[1:])
    most = TorchSteering.of(tiny_model(longest=9), steering.tokenizer, context=512)
    with pytest.raises(DataError, match=r"more than the 9 of the context; shorten it$"):  # there is no more to be had
        most.score(chats, ["w1", "w1"])


def test_rows_that_reach_the_models_last_position_do_not_stop_the_others() -> None:
    for kind in KINDS:
        steering = TorchSteering.of(tiny_model(kind, longest=10), tiny_tokenizer())
        replies = steering.generate(CHATS[:2], tokens=40)
        alone = [steering.generate([chat], tokens=40)[0] for chat in CHATS[:2]]
        assert [one.tokens for one in replies] == [one.tokens for one in alone]


def test_no_hook_stays_also_after_an_error(steering: TorchSteering) -> None:
    push = Push({0: direction(1)})
    with hooked(find_blocks(steering.model), {0: lambda _: None, 2: lambda _: None}):
        assert hooks_left(steering) == 2
    steering.generate(CHATS, pushes=push, watches=[Watch("a", 1, direction(1))], tokens=2)
    assert hooks_left(steering) == 0
    broken = steering.model.forward
    steering.model.forward = lambda *_, **__: (_ for _ in ()).throw(RuntimeError("stopped"))
    try:
        for call in (lambda: steering.score(CHATS, REPLIES, pushes=push), lambda: steering.read(CHATS, pool="prompt_last")):
            with pytest.raises(RuntimeError, match="stopped"):
                call()
            assert hooks_left(steering) == 0
    finally:
        steering.model.forward = broken
    with (
        pytest.raises(UsageError, match="blocks 0 to 2, got 3"),
        hooked(find_blocks(steering.model), {0: lambda _: None, 3: lambda _: None}),
    ):
        pass
    assert hooks_left(steering) == 0


def test_a_model_in_training_goes_on_with_it() -> None:
    model = tiny_model("gpt2").train()
    model.transformer.h[1].eval()
    steering = TorchSteering.of(model, tiny_tokenizer())
    first, second = (steering.score(CHATS, REPLIES)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)  # dropout would tell them apart
    assert model.training
    assert not model.transformer.h[1].training
    model(torch.tensor([[1, 2]]), labels=torch.tensor([[1, 2]])).loss.backward()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: s.score(CHATS, REPLIES, pushes=Push({3: direction(1)})), "has blocks 0 to 2, got 3"),
        (
            lambda s: s.score(CHATS, REPLIES, pushes=Push({0: direction(1, width=8)})),
            r"has width 16, got a vector of shape \(8,\) for block 0",
        ),
        (lambda s: s.score(CHATS, REPLIES, pushes=Push({0: np.full(16, np.nan, np.float32)})), "not finite, at block 0"),
        (lambda s: s.score(CHATS, REPLIES, pushes=Push({0: direction(1)}, "replies")), "a push acts at reply, prompt, all, got 'replies'"),
        (lambda s: s.score(CHATS, REPLIES, pushes=[None]), "4 requests take one push each or one for all, got 1"),
        (lambda s: s.score(CHATS, REPLIES[:2]), "4 chats take one reply each, got 2"),
        (lambda s: s.read(CHATS, pool="reply_mean"), "the pool 'reply_mean' needs replies"),
        (lambda s: s.read(CHATS, REPLIES, pool="mean"), "a pool is one of prompt_last, reply_mean, reply_last, got 'mean'"),
        (lambda s: s.read(CHATS, ["w1", "", "w2", "w3"], pool="reply_last"), "the reply to request 1 is empty"),
        (lambda s: s.read(CHATS, pool="prompt_last", blocks=[-1]), "has blocks 0 to 2, got -1"),
        (lambda s: s.read(CHATS, pool="prompt_last", blocks=[]), "no block is named; hf/.* has blocks 0 to 2"),
        (lambda s: s.read_message(CHATS, blocks=[]), "no block is named"),
        (lambda s: s.generate(CHATS, seed=-1, temperature=1.0), "a seed is 0 or more, got -1"),
        (lambda s: s.generate(CHATS, tokens=0), "at least 1 token"),
        (lambda s: s.generate(CHATS, temperature=float("nan")), "a temperature of 0 or more, got 64 and nan"),
        (lambda s: s.generate(CHATS, prefixes=["w1"]), "4 chats take one prefix each, got 1"),
        (lambda s: s.generate(CHATS, watches=[Watch("a", 0, direction(1, width=4))]), r"got the watch 'a' of shape \(4,\)"),
        (lambda s: s.generate(CHATS, watches=[Watch("a", 5, direction(1))]), "has blocks 0 to 2, got 5"),
        (lambda s: s.generate(CHATS, watches=[Watch("a", 0, np.zeros(16, np.float32))]), "the watch 'a' has no direction"),
        (lambda s: s.generate(CHATS, watches=[Watch("a", 0, direction(1))] * 2), "two watches are named 'a'"),
        (lambda s: TorchSteering.of(s.model, s.tokenizer, batch=0), "got batch=0"),
    ],
)
def test_what_is_not_allowed_is_said_in_one_line(steering: TorchSteering, call: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        call(steering)
    assert "\n" not in str(caught.value)
    assert hooks_left(steering) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_activations_that_are_no_numbers_are_an_error(kind: str) -> None:
    model = tiny_model(kind)
    with torch.no_grad():
        next(find_blocks(model)[1].parameters()).fill_(float("nan"))
    steering = TorchSteering.of(model, tiny_tokenizer())
    assert np.isfinite(steering.read(CHATS, pool="prompt_last", blocks=[0])).all()
    for call in (
        lambda: steering.read(CHATS, pool="prompt_last"),
        lambda: steering.score(CHATS, REPLIES),
        lambda: steering.generate(CHATS, tokens=2),
        lambda: steering.generate(CHATS, tokens=2, temperature=1.0),
    ):
        with pytest.raises(ModelError, match=r"not (finite )?numbers; its weights may be damaged"):
            call()


def test_a_tokenizer_without_a_template_and_a_template_that_refuses(steering: TorchSteering) -> None:
    bare = tiny_tokenizer()
    bare.chat_template = None
    plainly = TorchSteering.of(steering.model, bare)
    np.testing.assert_array_equal(plainly.score(user("<user> w6 <reply>"), ["w1"])[0], steering.score(CHATS[1:2], ["w1"])[0])
    with pytest.raises(UsageError, match="has no chat template: it takes one message, got 2"):
        plainly.generate([CHATS[0] * 2])
    for one in (plainly, steering):
        with pytest.raises(UsageError, match="at least one message, got none"):
            one.generate([[]])
    bare.chat_template = "{{ raise_exception('no system role') }}"
    with pytest.raises(UsageError, match="refuses a chat: no system role"):
        TorchSteering.of(steering.model, bare).generate(CHATS)


def test_a_closed_model_says_so() -> None:
    steering = TorchSteering.of(tiny_model(), tiny_tokenizer(), name="hf/tiny")
    steering.close()
    with pytest.raises(UsageError, match="hf/tiny is closed"):
        steering.generate(CHATS)


def test_blocks_are_found_beside_experts_and_an_image_encoder_of_the_same_length() -> None:
    from transformers import AutoModelForImageTextToText, Gemma3Config, MixtralConfig, MixtralForCausalLM

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 40}
    text = {**shape, "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0}
    vision = {**shape, "image_size": 28, "patch_size": 14}
    del vision["vocab_size"]
    both = AutoModelForImageTextToText.from_config(Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4))
    assert {type(block).__name__ for block in find_blocks(both)} == {"Gemma3DecoderLayer"}
    mixed = MixtralForCausalLM(MixtralConfig(**shape, num_key_value_heads=1, num_local_experts=3))
    assert len(find_blocks(mixed)) == 3
    steering = TorchSteering.of(both, tiny_tokenizer())
    assert (steering.identity.blocks, steering.identity.width, steering.identity.architecture) == (3, 16, "gemma3_text")
    np.testing.assert_allclose(steering.score(CHATS, REPLIES)[3], steering.score(CHATS[3:], REPLIES[3:])[0], rtol=0, atol=1e-4)


def test_a_model_that_is_no_decoder_is_refused() -> None:
    with pytest.raises(ModelError, match="a Linear has no config"):
        find_blocks(torch.nn.Linear(2, 2))
    odd = tiny_model()
    odd.config = copy.deepcopy(odd.config)
    odd.config.num_hidden_layers = 5
    with pytest.raises(ModelError, match="LlamaForCausalLM has no list of modules as long as its 5 blocks"):
        find_blocks(odd)


# a model whose blocks add nothing: what goes in as a token's embedding comes out of every block


def planted() -> TorchSteering:
    """Width 4. Names that are known stand at (3, 0, 0, 4); unknown ones at (3, 5, 0, 4): 5 along the second axis. ``<reply>`` attends to all
    before it and adds a quarter of their mean, and the output says 'hedge' by the second axis, 'answer' by the first."""
    model = tiny_model(layers=2, width=4, vocabulary=8)
    tokenizer = tiny_tokenizer(["known", "unknown", "hedge", "answer"])
    vectors = {"known": (3, 0, 0, 4), "unknown": (3, 5, 0, 4), "<reply>": (0, 0, 2, 0)}
    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.zero_()
        model.lm_head.weight.zero_()
        for word, vector in vectors.items():
            model.model.embed_tokens.weight[tokenizer.convert_tokens_to_ids(word)] = torch.tensor(vector, dtype=torch.float32)
        model.lm_head.weight[tokenizer.convert_tokens_to_ids("hedge")] = torch.tensor([0.0, 1, 0, 0])
        model.lm_head.weight[tokenizer.convert_tokens_to_ids("answer")] = torch.tensor([1.0, 0, 0, 0])
    tokenizer.chat_template = "{% for one in messages %}{{ one.content }}{% endfor %}"
    return TorchSteering.of(model, tokenizer, name="hf/planted")


def test_a_planted_direction_is_read_watched_and_pushed_by_the_numbers() -> None:
    steering = planted()
    chats = user("known", "unknown")
    read = steering.read(chats, pool="prompt_last")
    np.testing.assert_array_equal(read[1] - read[0], [[0, 5, 0, 0], [0, 5, 0, 0]])
    unknown = read[1, 0] - read[0, 0]
    watched = steering.generate(chats, watches=[Watch("unknown", 1, unknown)], tokens=1)
    assert [one.watched["unknown"][0] for one in watched] == [0.0, 5.0]
    # known: (3, 0, 0, 4) has root mean square 2.5, so 'answer' has logit 1.2 and the other seven tokens 0
    expected = 1.2 - np.log(np.exp(1.2) + 7)
    np.testing.assert_allclose(steering.score(chats[:1], ["answer"])[0], [expected], rtol=0, atol=1e-6)
    assert [one.text for one in watched] == ["answer", "hedge"]
    # pushed by +5 the known name is the unknown one, and the other way round
    turned = steering.generate(chats, pushes=[Push({0: unknown}), Push({0: -unknown})], tokens=1)
    assert [one.text for one in turned] == ["hedge", "answer"]
    np.testing.assert_array_equal(turned[0].logprobs, watched[1].logprobs)
    root = np.sqrt((9 + 25 + 16) / 4)
    np.testing.assert_allclose(turned[0].logprobs, [5 / root - np.log(np.exp(5 / root) + np.exp(3 / root) + 6)], rtol=0, atol=1e-6)


def test_the_mean_of_a_reply_by_the_numbers() -> None:
    steering = planted()
    read = steering.read(user("known", "known unknown"), ["known unknown unknown", "known"], pool="reply_mean", blocks=[0])
    np.testing.assert_allclose(read[:, 0], [[3, 10 / 3, 0, 4], [3, 0, 0, 4]], rtol=0, atol=1e-6)


# the message among its template's own tokens


def test_a_message_is_not_looked_for_in_what_its_template_writes_around_it(steering: TorchSteering) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "w1 {% for one in messages %}<{{ one.role }}> {{ one.content }} {% endfor %}w1 w2 <reply>"
    echoing = TorchSteering.of(steering.model, tokenizer)
    place = {word: at for at, word in enumerate([*SPECIAL, *WORDS])}
    for message, end in (("w1", 3), ("w1 w2", 4), (" w1 ", 3)):
        found = echoing.read_message(user(message), blocks=[1])[0]
        tokens = [place[word] for word in ["w1", "<user>", *message.split(), "w1", "w2", "<reply>"]]
        states = plain(echoing, tokens)[1][2]
        assert len(found.pieces) == end - 2
        np.testing.assert_allclose(found.activations[:, 0], states[2:end], **NEAR)


def spelling(template: str) -> TorchSteering:
    """A model with a token for each byte, written as GPT-2's vocabulary writes them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = Tokenizer(models.BPE({one: at for at, one in enumerate(["<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}, []))
    tokens.pre_tokenizer, tokens.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token="<eos>", pad_token="<eos>")
    made.chat_template = template
    return TorchSteering.of(tiny_model(vocabulary=257), made)


def test_a_message_of_characters_that_tokens_split_is_found_where_its_template_trims_it() -> None:
    steering = spelling("{% for one in messages %}user: {{ one.content | trim }}{% endfor %} assistant:")
    for message in (" \U0001f600 \u65e5\u672c\n", "\u00fc", "user", "assistant:", "0 1", "\ufffd"):
        found = steering.read_message(user(message), blocks=[0])[0]
        assert b"".join(found.pieces).decode() == message.strip()
        assert len(found.activations) == len(message.strip().encode())  # a token for each byte


def test_a_judge_in_this_process_is_freed_when_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    from wager.steering import opening

    opened: list[TorchSteering] = []

    def opens(model: str, **_: Any) -> TorchSteering:
        opened.append(TorchSteering.of(tiny_model(), tiny_tokenizer(), name=model))
        return opened[-1]

    monkeypatch.setattr(opening, "open_backend", opens)
    ask = opening.open_asker("hf/judge", tokens=3)
    assert ask("w1") == ask("w1")
    assert len(opened) == 1
    assert opened[0].model is not None
    del ask
    with pytest.raises(UsageError, match="hf/judge is closed"):
        _ = opened[0].model


# files


class Hub(BaseHTTPRequestHandler):
    """Enough of the Hugging Face hub to serve the files of one model, ``them/tiny``; ``silent``, it hangs up on everyone."""

    folder: Path
    silent = False
    asked = 0

    def do_HEAD(self) -> None:
        type(self).asked += 1
        if self.silent:
            self.close_connection = True
            return
        file = self.folder / self.path.rsplit("/", 1)[-1]
        if not self.path.startswith("/them/tiny/resolve/") or not file.is_file():
            missing = "EntryNotFound" if "/them/tiny/" in self.path else "RepoNotFound"
            self.send_response(404)
            self.send_header("X-Error-Code", missing)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = file.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_GET = do_HEAD  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """It on this machine, and an empty cache."""
    from huggingface_hub import close_session, constants

    made = type("Served", (Hub,), {"folder": tmp_path / "served", "asked": 0})
    server = ThreadingHTTPServer(("127.0.0.1", 0), made)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
    close_session()


def test_a_model_of_the_hub_is_loaded_and_without_the_hub_again_from_its_cache(hub: type[Hub], tmp_path: Path) -> None:
    steering = TorchSteering.of(tiny_model(), tiny_tokenizer(), name="hf/them/tiny")
    steering.save(tmp_path / "served")
    first = TorchSteering("them/tiny")
    assert first.identity.tokens == steering.identity.tokens
    np.testing.assert_array_equal(first.score(CHATS, REPLIES)[1], steering.score(CHATS, REPLIES)[1])
    hub.silent, hub.asked = True, 0
    again = TorchSteering("them/tiny")
    assert hub.asked == 1
    assert again.identity == first.identity


def test_a_model_that_is_nowhere_is_told_at_once(hub: type[Hub], caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ModelError, match="'hf/them/none' cannot be loaded") as caught:  # the hub answers, and has none
        TorchSteering("them/none")
    assert "\n" not in str(caught.value)
    hub.silent, hub.asked = True, 0
    with pytest.raises(ModelError, match=r"'hf/NO_SUCH' is no folder here and not in the cache .* cannot be reached") as caught:
        TorchSteering("NO_SUCH")
    assert "\n" not in str(caught.value)
    assert hub.asked == 1  # each time more would wait longer than the last
    assert "Retrying" not in caplog.text


def test_a_saved_model_is_loaded_as_it_was(tmp_path: Path) -> None:
    steering = TorchSteering.of(tiny_model(), tiny_tokenizer(), name="hf/tiny")
    steering.save(tmp_path / "tiny")
    loaded = TorchSteering(tmp_path / "tiny")
    assert loaded.identity.name == "hf/tiny"
    assert loaded.identity.tokens == steering.identity.tokens
    assert len(loaded.identity.weights) == 64
    np.testing.assert_array_equal(loaded.score(CHATS, REPLIES)[1], steering.score(CHATS, REPLIES)[1])
    steering.model.save_pretrained(tmp_path / "parts", max_shard_size="5KB")
    steering.tokenizer.save_pretrained(tmp_path / "parts")
    parts = TorchSteering(tmp_path / "parts")
    assert len(list((tmp_path / "parts").glob("model-*-of-*.safetensors"))) > 1
    assert parts.identity.weights != loaded.identity.weights
    np.testing.assert_array_equal(parts.score(CHATS, REPLIES)[1], steering.score(CHATS, REPLIES)[1])


def test_files_that_are_no_model_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no folder at"):
        TorchSteering(tmp_path / "nothing")
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        TorchSteering(tmp_path)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    model = tiny_model()
    model.config.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded"):
        TorchSteering(tmp_path)


def test_gguf_needs_its_packages_and_a_gguf_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wager.steering.hf_loading as loading

    (tmp_path / "model.gguf").write_bytes(b"nothing like it")
    monkeypatch.setattr(loading, "find_spec", lambda name: None if name == "gguf" else object())
    with pytest.raises(MissingExtraError, match=r"'gguf': run  python -m pip install 'wager\[hf\]'"):
        TorchSteering(tmp_path / "model.gguf")
    monkeypatch.setattr(loading, "find_spec", lambda _: object())
    for call in (lambda: TorchSteering(tmp_path / "model.gguf"), lambda: TorchSteering(tmp_path, gguf_file="model.gguf")):
        with pytest.raises(ModelError, match="is no GGUF file"):
            call()
