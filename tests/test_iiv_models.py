"""Likelihoods of given responses: a tiny model trained here, a real server on loopback, and the embedded model."""

import contextlib
import itertools
import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import absent
from wager.errors import DataError, ModelError, UnknownNameError, UsageError
from wager.models.likelihood import checked_responses, likelihood, served
from wager.models.likelihood_inspect import InspectLikelihood
from wager.models.likelihood_server import ServerLikelihood
from wager.models.likelihood_torch import TorchLikelihood
from wager.models.likelihood_tree import beginnings, split, summed

CAPITALS = {"Chad": "N'Djamena", "Peru": "Lima", "Mali": "Bamako", "Fiji": "Suva", "Oman": "Muscat", "Togo": "Lomé"}
SENTENCES = [f"The capital of {country} is {city}." for country, city in CAPITALS.items()]
PROMPTS = [f"The capital of {country} is" for country in CAPITALS]
CITIES = [f" {city}." for city in CAPITALS.values()]
TEMPLATE = "{% for one in messages %}<user>{{ one.content }}<eos>{% endfor %}<reply>"


def save_tiny(folder: Path) -> Path:
    """A two-layer transformer with a byte-level tokenizer, trained for a few seconds on six sentences."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    special = ["<eos>", "<user>", "<reply>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokens.train_from_iterator(SENTENCES * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token="<eos>", pad_token="<eos>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(5)
    torch.set_num_threads(1)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **size))
    rows = tokenizer(SENTENCES, return_tensors="pt", padding=True)["input_ids"]
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        optimiser.zero_grad()
        model(rows, labels=rows).loss.backward()
        optimiser.step()
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("torch") is None or find_spec("transformers") is None:
        absent("torch and transformers")
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def loaded(tiny: Path) -> Any:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny), AutoModelForCausalLM.from_pretrained(tiny).eval()


def plainly(loaded: Any, prompt: str, response: str, temperature: float = 1.0) -> float:
    """The same number by the shortest way: one text, no batch, no cache."""
    import torch

    tokenizer, model = loaded
    ids, first = tokenizer(prompt + response)["input_ids"], len(tokenizer(prompt)["input_ids"])
    with torch.inference_mode():
        logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0].double() / temperature, dim=-1)
    return float(sum(logprobs[place - 1, ids[place]] for place in range(first, len(ids))))


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("batch", [1, 4])
def test_batched_likelihoods_are_those_of_one_text_at_a_time(tiny: Path, loaded: Any, reuse: bool, batch: int) -> None:
    model = TorchLikelihood(tiny, reuse=reuse, batch=batch)
    temperatures = (1.0, 0.5, 3.0)
    scores = model.score(PROMPTS[:3], [CITIES, CITIES[:2], CITIES[2:]], temperatures=temperatures)
    for prompt, listed, found in zip(PROMPTS, (CITIES, CITIES[:2], CITIES[2:]), scores, strict=False):
        assert found is not None
        expected = [[plainly(loaded, prompt, one, heat) for one in listed] for heat in temperatures]
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_trained_model_finds_its_capitals_more_probable_than_others(tiny: Path) -> None:
    scores = TorchLikelihood(tiny).score(PROMPTS, [CITIES] * len(PROMPTS))
    assert [int(np.asarray(one)[0].argmax()) for one in scores] == list(range(len(PROMPTS)))


def test_all_next_tokens_together_have_probability_one(tiny: Path, loaded: Any) -> None:
    tokenizer, _ = loaded
    texts = [tokenizer.decode([token]) for token in range(len(tokenizer))]
    prompt = "<user>"  # a special token stands for itself, so that no byte joins it
    single = [text for text in texts if len(tokenizer(text)["input_ids"]) == 1]
    assert len(single) > 150  # bytes of half a character have no text
    for heat in (1.0, 2.0):
        (found,) = TorchLikelihood(tiny).score([prompt], [single], temperatures=(heat,))
        lacking = set(range(len(tokenizer))) - {tokenizer(text)["input_ids"][0] for text in single}
        rest = sum(math.exp(plain_token(loaded, prompt, token, heat)) for token in lacking)
        assert np.exp(np.asarray(found)).sum() + rest == pytest.approx(1, abs=1e-5)


def plain_token(loaded: Any, prompt: str, token: int, temperature: float) -> float:
    import torch

    tokenizer, model = loaded
    with torch.inference_mode():
        logits = model(torch.tensor([tokenizer(prompt)["input_ids"]])).logits[0, -1].double()
    return float(torch.log_softmax(logits / temperature, dim=-1)[token])


def test_a_blank_at_the_end_of_a_prompt_belongs_to_the_response(tiny: Path) -> None:
    model = TorchLikelihood(tiny)
    (one,) = model.score([PROMPTS[0] + " "], [[city[1:] for city in CITIES]])
    (other,) = model.score([PROMPTS[0]], [CITIES])
    np.testing.assert_array_equal(one, other)


def test_a_response_that_changes_the_prompts_tokens_is_refused(tiny: Path) -> None:
    with pytest.raises(DataError, match="last tokens of the prompt 'The capital of Cha' change when 'd is' follows"):
        TorchLikelihood(tiny).score(["The capital of Cha"], [["d is"]])


def test_a_text_longer_than_the_model_reads_has_no_likelihood(tiny: Path) -> None:
    long, short = TorchLikelihood(tiny).score(["The capital of Chad is " * 20, PROMPTS[0]], [CITIES, CITIES])
    assert long is None
    assert short is not None


def test_a_conversation_uses_the_models_own_template(tiny: Path, loaded: Any) -> None:
    model = TorchLikelihood(tiny)
    assert model.turn("Who?") == ("<user>Who?<eos><reply>", "<eos>")
    (found,) = model.score(["<user>Who?<eos><reply>"], [["Lima<eos>"]])
    assert np.asarray(found)[0, 0] == pytest.approx(plainly(loaded, "<user>Who?<eos><reply>", "Lima<eos>"), abs=2e-5)


def test_progress_is_told_after_each_prompt(tiny: Path) -> None:
    told: list[int] = []
    TorchLikelihood(tiny).score(PROMPTS, [CITIES] * len(PROMPTS), done=lambda: told.append(1))
    assert len(told) == len(PROMPTS)


class EchoHandler(BaseHTTPRequestHandler):
    """A completions server as vLLM answers: the tiny model's real log-probabilities of prompt and one more token."""

    loaded: Any
    mode = "good"
    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.mode == "busy" and self.asked == 1:
            return self.reply(503, {"error": "busy"})
        if self.mode == "refuses":
            return self.reply(400, {"error": {"message": "echo is not supported"}})
        if any(len(text) > 400 for text in body["prompt"]):
            return self.reply(400, {"error": {"message": "This model's maximum context length is 64 tokens"}})
        choices = [self.choice(place, text) for place, text in enumerate(body["prompt"])]
        return self.reply(200, {"choices": choices[::-1]})

    def choice(self, place: int, text: str) -> dict[str, Any]:
        import torch

        tokenizer, model = self.loaded
        read = tokenizer(text, return_offsets_mapping=True)
        ids = read["input_ids"]
        with torch.inference_mode():
            logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), dim=-1)
        values = [None, *(float(logprobs[at - 1, ids[at]]) for at in range(1, len(ids)))]
        offsets = [start for start, _ in read["offset_mapping"]]
        if self.mode == "generated only":
            return {"index": place, "text": " x", "logprobs": {"token_logprobs": [-1.0], "text_offset": [0]}}
        more = {"token_logprobs": [*values, -2.0], "text_offset": [*offsets, len(text)], "tokens": [*ids, 1]}
        return {"index": place, "text": text + " x", "logprobs": more}

    def reply(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serving(loaded: Any, mode: str, kind: type[BaseHTTPRequestHandler] = EchoHandler) -> Iterator[str]:
    handler = type("Handler", (kind,), {"loaded": loaded, "mode": mode})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("mode", ["good", "busy"])
def test_a_server_that_echoes_its_prompt_gives_the_same_likelihoods(tiny: Path, loaded: Any, mode: str) -> None:
    with serving(loaded, mode) as url:
        read = ServerLikelihood("tiny", url, batch=4, wait=0.01).score([PROMPTS[0], PROMPTS[1] + " "], [CITIES, ["Lima.", "Suva."]])
    local = TorchLikelihood(tiny).score([PROMPTS[0], PROMPTS[1]], [CITIES, [" Lima.", " Suva."]])
    for one, other in zip(read, local, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=2e-5)


def test_a_server_that_says_a_text_is_too_long_gives_no_likelihood_for_it(loaded: Any) -> None:
    with serving(loaded, "good") as url:
        long, short = ServerLikelihood("tiny", url).score(["word " * 100, PROMPTS[0]], [CITIES, CITIES])
    assert long is None
    assert short is not None


@pytest.mark.parametrize(
    ("mode", "message"), [("generated only", "does not give the log-probabilities of its prompt"), ("refuses", "echo is not supported")]
)
def test_a_server_without_prompt_likelihoods_is_one_clear_line(loaded: Any, mode: str, message: str) -> None:
    with serving(loaded, mode) as url, pytest.raises(ModelError, match=message) as caught:
        ServerLikelihood("tiny", url).score(PROMPTS[:1], [CITIES])
    assert "\n" not in str(caught.value)


def test_a_response_that_begins_inside_a_token_of_the_server_is_refused(loaded: Any) -> None:
    with serving(loaded, "good") as url, pytest.raises(DataError, match="no token begins where the response begins"):
        ServerLikelihood("tiny", url).score(["The capital of Cha"], [["d is"]])


def test_an_absent_server_is_one_clear_line() -> None:
    with pytest.raises(ModelError, match=r"no completions server answers at http://127\.0\.0\.1:9/v1/completions"):
        ServerLikelihood("tiny", "http://127.0.0.1:9/v1").score(PROMPTS[:1], [CITIES])


class PromptHandler(EchoHandler):
    """A server as vLLM answers one that asks for ``prompt_logprobs``: the tiny model's real values, a token at a time."""

    def do_GET(self) -> None:
        self.reply(200, {"object": "list", "data": [{"id": "tiny", "object": "model"}]})

    def do_POST(self) -> None:
        type(self).asked += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["prompt"] if "prompt" in body else "".join(f"<user>{one['content']}<eos>" for one in body["messages"]) + "<reply>"
        if self.mode == "busy" and self.asked == 1:
            return self.reply(503, {"error": "busy"})
        if len(text) > 400:
            return self.reply(400, {"error": {"message": "This model's maximum context length is 64 tokens"}})
        assert body["max_tokens"] == body["prompt_logprobs"] == 1
        values = None if self.mode == "generated only" else self.values(text)
        made: dict[str, Any] = {"id": "1", "created": 1, "model": "tiny", "usage": None}
        if "prompt" in body:
            choice = {"index": 0, "text": " x", "finish_reason": "length", "logprobs": None, "prompt_logprobs": values}
            return self.reply(200, made | {"object": "text_completion", "choices": [choice]})
        choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "length"}
        return self.reply(200, made | {"object": "chat.completion", "choices": [choice], "prompt_logprobs": values})

    def values(self, text: str) -> list[Any]:
        import torch

        tokenizer, model = self.loaded
        ids = tokenizer(text)["input_ids"]
        with torch.inference_mode():
            logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), dim=-1)
        return [None, *({str(ids[at]): self.entry(tokenizer, ids[at], logprobs[at - 1])} for at in range(1, len(ids)))]

    def entry(self, tokenizer: Any, token: int, logprobs: Any) -> dict[str, Any]:
        return {"decoded_token": tokenizer.decode([token]), "logprob": float(logprobs[token]), "rank": 1}


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_API_KEY", "none is needed")


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize("mode", ["good", "busy"])
@pytest.mark.parametrize("name", ["openai-api-completions/local/tiny", "vllm-completions/tiny"])
def test_one_of_inspects_models_gives_the_same_likelihoods(tiny: Path, loaded: Any, name: str, mode: str) -> None:
    prompts, responses = [PROMPTS[0], PROMPTS[1] + " ", "<user>"], [CITIES, ["Lima.", "Suva."], [" Lomé", "The"]]
    told: list[int] = []
    with serving(loaded, mode, PromptHandler) as url:
        model = likelihood(name, base_url=url)
        first = model.score(prompts, responses, done=lambda: told.append(1))
        again = model.score(prompts, responses)  # in another event loop
    local = TorchLikelihood(tiny).score([PROMPTS[0], PROMPTS[1], "<user>"], [CITIES, [" Lima.", " Suva."], [" Lomé", "The"]])
    assert len(told) == 3
    for one, second, other in zip(first, again, local, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=2e-5)
        np.testing.assert_allclose(np.asarray(one), np.asarray(second), atol=2e-5)


@pytest.mark.usefixtures("keyed")
def test_one_of_inspects_models_gives_no_likelihood_for_a_text_that_is_too_long(loaded: Any) -> None:
    with serving(loaded, "good", PromptHandler) as url:
        long, short = InspectLikelihood("openai-api-completions/local/tiny", base_url=url).score(
            ["word " * 100, PROMPTS[0]], [CITIES, CITIES]
        )
    assert long is None
    assert short is not None


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        (
            "openai-api-completions/local/tiny",
            "generated only",
            "gives no log-probabilities of its prompt through Inspect; .* vllm-completions",
        ),
        ("openai-api/local/tiny", "good", "does not read the prompt as it stands, but inside a chat template; .* hf/PATH"),
    ],
)
def test_one_of_inspects_models_that_cannot_be_used_says_what_can(loaded: Any, name: str, mode: str, message: str) -> None:
    with serving(loaded, mode, PromptHandler) as url, pytest.raises(ModelError, match=message) as caught:
        InspectLikelihood(name, base_url=url).score(PROMPTS, [CITIES] * len(PROMPTS))
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("keyed")
def test_a_response_that_changes_the_prompts_tokens_on_a_server_is_refused(loaded: Any) -> None:
    with serving(loaded, "good", PromptHandler) as url, pytest.raises(DataError, match="the prompt 'The capital of Cha' change"):
        InspectLikelihood("openai-api-completions/local/tiny", base_url=url).score(["The capital of Cha"], [["d is"]])


@pytest.mark.usefixtures("keyed")
def test_an_absent_server_of_one_of_inspects_models_is_one_clear_line() -> None:
    model = InspectLikelihood("openai-api-completions/local/tiny", base_url="http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(ModelError, match=r"'openai-api-completions/local/tiny' does not answer: .*onnection") as caught:
        model.score(PROMPTS[:1], [CITIES])
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="leave out --chat"):
        model.turn("Who?")
    with pytest.raises(UsageError, match="another temperature than 1 cannot be computed"):
        model.score(PROMPTS[:1], [CITIES], temperatures=(2.0,))


def test_a_server_can_compute_no_other_temperature_and_no_conversation() -> None:
    model = ServerLikelihood("tiny", "http://127.0.0.1:9/v1")
    with pytest.raises(UsageError, match="another temperature than 1 cannot be computed"):
        model.score(PROMPTS[:1], [CITIES], temperatures=(1.0, 2.0))
    with pytest.raises(UsageError, match="leave out --chat"):
        model.turn("Who?")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("embeded", UnknownNameError, "did you mean 'embedded'"),
        ("nowhere/gpt-4o", UnknownNameError, "They are: embedded, gguf/PATH"),
        ("openai-api-completions/none/x", ModelError, "No NONE_API_KEY defined .* hf/PATH"),
        ("hf", UsageError, "write hf/PATH"),
        ("openai-completions/m", UsageError, "--base-url"),
        ("hf/./nowhere", ModelError, "no folder at"),
        ("gguf/nowhere.gguf", ModelError, "no model file at"),
    ],
)
def test_a_model_that_is_not_there_is_one_line(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        likelihood(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["embedded", "gguf/x.gguf", "hf/x"])
def test_a_model_in_this_process_has_no_address(name: str) -> None:
    assert not served(name)
    with pytest.raises(UsageError, match="runs in this process and has no --base-url"):
        likelihood(name, base_url="http://127.0.0.1:9/v1")


def test_loading_a_model_shows_no_bar(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    TorchLikelihood(tiny)
    assert capfd.readouterr().err == ""
    assert logging.is_progress_bar_enabled()


@pytest.mark.parametrize(("prompts", "responses"), [(["a"], []), ([" "], [["b"]]), (["a"], [[]]), (["a"], [["b", ""]])])
def test_empty_prompts_and_responses_are_refused(prompts: list[str], responses: list[list[str]]) -> None:
    with pytest.raises(DataError):
        checked_responses(prompts, responses)


def test_the_tree_reads_each_beginning_once_and_sums_its_paths() -> None:
    listed = [(7, 1, 3), (7, 1, 4), (8,)]
    tree = beginnings(listed)
    assert tree == {(): [7, 8], (7,): [1], (7, 1): [3, 4]}
    logs = {begun: {token: np.array([-0.1 * token, -1.0]) for token in wanted} for begun, wanted in tree.items()}
    np.testing.assert_allclose(summed(listed, logs), [[-1.1, -1.2, -0.8], [-3, -3, -1]])
    with pytest.raises(DataError, match="begin responses with a blank"):
        split([1, 2], [[1, 3, 4]], ["x"], "a prompt")


@pytest.fixture(scope="session")
def embedded() -> Any:
    if find_spec("xllamacpp") is None:
        absent("xllamacpp")
    return likelihood("embedded")


def test_the_embedded_models_next_tokens_are_those_of_its_whole_vocabulary(embedded: Any) -> None:
    slot = embedded._slots[0]
    read = slot.tokens("Barack Obama was born on")
    whole = slot._ask(read, n_probs=100_000, bias={})
    logs = {int(one["id"]): one["logprob"] for one in whole["top_logprobs"]}
    every = np.asarray(list(logs.values()))
    assert len(logs) == 49152
    assert np.exp(every).sum() == pytest.approx(1, abs=1e-3)
    ordered = sorted(logs, key=lambda token: -logs[token])
    wanted = [ordered[rank] for rank in (0, 5, 200, 300, 5_000, 40_000, 49_151)] + [slot._plain]
    heats = (1.0, 2.0, 0.5, 8.0)
    found = slot._next(read, wanted, heats)
    for number, heat in enumerate(heats):
        rest = np.logaddexp.reduce(every / heat) if heat != 1 else 0
        assert [found[token][number] for token in wanted] == pytest.approx([logs[token] / heat - rest for token in wanted], abs=3e-4)


def test_the_embedded_model_reads_letters_of_several_bytes(embedded: Any) -> None:
    (found,) = embedded.score(["The capital of Chad is"], [[" N'Djamena.", " Þórshöfn.", " 東京."]], temperatures=(1.0, 3.0))
    assert found.shape == (2, 3)
    assert np.all(np.isfinite(found))
    assert found[0].argmax() == 0


def test_the_embedded_model_finds_its_own_greedy_words_the_most_probable(embedded: Any) -> None:
    slot = embedded._slots[0]
    made = slot._server.handle_completions({"prompt": "The capital of France is", "max_tokens": 1, "temperature": 0, "n_probs": 1})
    word = made["choices"][0]["text"]
    (found,) = embedded.score(["The capital of France is"], [[word, *(f" {one}" for one in ("Lima", "Rome", "blue") if f" {one}" != word)]])
    assert found[0].argmax() == 0
    assert found[0, 0] == pytest.approx(made["choices"][0]["logprobs"]["content"][0]["logprob"], abs=1e-3)


def test_disjoint_responses_of_the_embedded_model_have_no_more_than_all_its_mass(embedded: Any) -> None:
    words = [f" {one}{mark}" for one, mark in itertools.product(("Paris", "Lyon", "the", "a", "one"), (".", ",", " of"))]
    (found,) = embedded.score(["The capital of France is"], [words])
    assert 0.05 < np.exp(found[0]).sum() <= 1


def test_the_embedded_models_conversation_ends_with_its_end_of_turn(embedded: Any) -> None:
    before, after = embedded.turn("Who?")
    assert before.endswith("<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n")
    assert after == "<|im_end|>"


def test_a_prompt_longer_than_the_embedded_models_context_has_no_likelihood(embedded: Any) -> None:
    assert embedded.score(["word " * 3000], [["a"]]) == [None]
