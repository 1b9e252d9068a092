"""What servers that steer themselves are told, and what a server behind an API cannot do."""

import json
from typing import Any

import numpy as np
import pytest

from wager.errors import UsageError
from wager.steering.backend import Backend, ModelIdentity, Push, Watch
from wager.steering.extract import extract
from wager.steering.plan import Move, Plan, answered
from wager.steering.served import BlackBox, Written, easysteer_body, hotwire_body, llama_server_flags, vllm_hook_body
from wager.steering.trait_file import read_trait
from wager.steering.vector import Card, Vector

CHAT = [{"role": "user", "content": "Who?"}]


def test_flags_of_llama_server_are_a_list_of_arguments() -> None:
    assert llama_server_flags("/v/calm down.gguf") == ["--control-vector", "/v/calm down.gguf"]
    assert llama_server_flags("a.gguf", scale=-0.75, blocks=(3, 12)) == [
        *("--control-vector-scaled", "a.gguf:-0.75"),
        *("--control-vector-layer-range", "3", "12"),
    ]
    assert llama_server_flags("$(reboot); x.gguf")[1] == "$(reboot); x.gguf"  # one argument, no shell
    assert llama_server_flags(r"C:\v.gguf") == ["--control-vector", r"C:\v.gguf"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: llama_server_flags("a,b.gguf"), "splits control vectors"),
        (lambda: llama_server_flags("a:b.gguf", scale=2.0), "splits control vectors"),
        (lambda: llama_server_flags('"a.gguf'), "splits control vectors"),
        (lambda: llama_server_flags("a\nb"), "control characters"),
        (lambda: llama_server_flags(""), "control characters"),
        (lambda: llama_server_flags("a", scale=float("nan")), "finite number"),
        (lambda: llama_server_flags("a", blocks=(0, 3)), "from 1"),
        (lambda: llama_server_flags("a", blocks=(5, 3)), "got 5 and 3"),
        (lambda: easysteer_body("a", blocks=[]), "one or more"),
        (lambda: easysteer_body("a", blocks=[-1]), "from 0"),
        (lambda: easysteer_body("a", blocks=[1], positions="last"), "positions are"),  # type: ignore[arg-type]
        (lambda: hotwire_body("a", block=1, positions="prompt"), "hotwire steers all tokens or the reply's"),
        (lambda: hotwire_body("a", block=1, scale=float("inf")), "finite number"),
        (lambda: vllm_hook_body("a\0", block=1), "control characters"),
    ],
)
def test_what_a_server_cannot_be_told_is_refused(make: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()


def test_easysteer_takes_a_spec_in_the_request() -> None:
    body = easysteer_body("calm.gguf", blocks=[16, 12], scale=-1.5, positions="all")
    assert body == {
        "steering": {
            "vectors": [
                {
                    "source": "calm.gguf",
                    "algorithm": "direct",
                    "scale": -1.5,
                    "layers": [12, 16],
                    "normalize": False,
                    "apply": {"prompt": "all", "generation": "all"},
                }
            ]
        }
    }
    assert easysteer_body("c", blocks=[1], positions="prompt")["steering"]["vectors"][0]["apply"] == {"prompt": "all"}
    assert json.loads(json.dumps(body)) == body


def test_hotwire_and_vllm_hook_take_json_within_a_text() -> None:
    hot = hotwire_body("calm", block=16, scale=2, positions="reply")
    assert json.loads(hot["vllm_xargs"]["hotwire"]) == {"id": "calm", "layer": 16, "scale": 2.0, "decode_only": True}
    hook = vllm_hook_body("/v/calm.pt", block=8, scale=3.0, positions="prompt")
    assert json.loads(hook["vllm_xargs"]["steer"]) == {
        "method": "add_vector",
        "coefficient": 3.0,
        "optimal_layer": 8,
        "vector_path": "/v/calm.pt",
        "phase": "prefill",
        "positions": "all_tokens",
    }
    assert json.loads(vllm_hook_body("v", block=8)["vllm_xargs"]["steer"])["phase"] == "both"


def box(written: Written, asked: list[Any] | None = None) -> BlackBox:
    def ask(*arguments: Any) -> Written:
        if asked is not None:
            asked.append(arguments)
        return written

    return BlackBox(name="openai/some", ask=ask, logprobs=written.logprobs is not None)


def test_a_black_box_can_neither_read_nor_steer() -> None:
    one = box(Written(text="Me."))
    assert (one.able.capture, one.able.steer, one.able.per_request, one.able.train, one.able.logprobs) == (False,) * 5
    push = Push({0: np.ones(2, np.float32)})
    watch = Watch("calm", 0, np.ones(2, np.float32))
    for make, said in (
        (lambda: one.generate([CHAT], pushes=push), "an API server cannot steer: dials need"),
        (lambda: one.generate([CHAT, CHAT], pushes=[None, push]), "an API server cannot steer: dials need"),
        (lambda: one.generate([CHAT], watches=[watch]), "cannot show its activations: monitors and gates need"),
        (lambda: one.generate([CHAT], prefixes=["I am"]), "cannot go on from the beginning of a reply"),
        (lambda: one.read([CHAT], pool="prompt_last"), "cannot show its activations: vectors"),
        (lambda: one.read_message([CHAT]), "cannot show its activations: vectors"),
        (lambda: one.score([CHAT], ["Me."]), "cannot score a given reply"),
    ):
        with pytest.raises(UsageError, match=said) as caught:
            make()
        assert "openai/some" in str(caught.value)
    one.close()


def test_a_black_box_is_a_backend_that_what_needs_activations_refuses_by_its_name() -> None:
    asked: list[Any] = []
    one: Backend = box(Written(text="Me."), asked)
    assert isinstance(one, Backend)
    assert (one.identity.name, one.identity.blocks, one.identity.width) == ("openai/some", 0, 0)
    assert [found.reply.text for found in answered(one, [CHAT], None)] == ["Me."]
    model = ModelIdentity(name="m", architecture="a", blocks=2, width=2, vocabulary=3, tokens="t", weights="w")
    dial = Vector({1: np.ones(2, dtype=np.float32)}, Card(trait="calm", model=model, block=1, norms={1: 2.0}))
    with pytest.raises(UsageError, match=r"openai/some cannot be steered: .*; use gguf/PATH"):
        answered(one, [CHAT], Plan(moves=(Move(dial, 0.1),)))
    with pytest.raises(UsageError, match=r"cannot show its activations: .* openai/some is not one"):
        extract(one, read_trait("empathy"), lambda *_: True, elicitations=("teacher-forced",))
    with pytest.raises(UsageError, match=r"cannot count a prompt's tokens"):
        one.count(CHAT)
    assert len(asked) == 1


def test_a_black_box_answers_unsteered() -> None:
    asked: list[Any] = []
    one = box(Written(text="Me", logprobs=[("M", -0.5), ("e", -0.25)], cut_off=True), asked)
    (reply,) = one.generate([CHAT], pushes=Push({0: np.zeros(2, np.float32)}), tokens=2, temperature=0.5, seed=3)
    assert asked == [(CHAT, 2, 0.5, 3)]
    assert (reply.text, reply.tokens, reply.logprobs.tolist(), reply.finish) == ("Me", ("M", "e"), [-0.5, -0.25], "length")
    assert one.able.logprobs


def test_log_probabilities_that_are_not_told_stay_unknown() -> None:
    (reply,) = box(Written(text="Me")).generate([CHAT])
    assert (reply.text, reply.tokens, reply.logprobs.shape, reply.finish) == ("Me", (), (0,), "stop")
