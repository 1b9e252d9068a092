"""A steered model under Inspect and `wager eval --dial`, with the real embedded model: doses, gate, probe, resume, errors."""

import asyncio
import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspect_ai.log import list_eval_logs, read_eval_log
from inspect_ai.model import ChatMessageUser, GenerateConfig, Model, ModelOutput, get_model

from conftest import absent, heed_signals
from wager.answers import ConfidenceSource
from wager.cli import main
from wager.errors import DataError, MissingExtraError, ModelError, UsageError
from wager.evals.batching import Batcher, Request, batcher_for
from wager.evals.dials import Steering, find_dial, steering_of
from wager.evals.steered import CONTEXT, SEQUENCES
from wager.steering.backend import Floats, ModelIdentity
from wager.steering.monitor import UNKNOWN
from wager.steering.opening import open_backend
from wager.steering.plan import Plan
from wager.steering.probe import Probe, Threshold
from wager.steering.probe_file import write_probe
from wager.steering.vector import Card, Vector
from wager.steering.vector_file import write_vector
from wager.table import AnswerTable

BLOCK = 16
PLACES = ("France", "Japan", "Peru", "Kenya", "Norway", "Vandoria", "Egypt", "Cuba")
QUESTIONS = [f"What is the capital of {place}?" for place in PLACES]
GREEDY = GenerateConfig(temperature=0.0, max_tokens=12)


@pytest.fixture(scope="module")
def batcher() -> Batcher:
    """The one that the provider uses too: same model, same layout."""
    try:
        return batcher_for("embedded", context=CONTEXT, threads=1, sequences=SEQUENCES)
    except (ModelError, MissingExtraError) as error:
        absent(f"the embedded model ({error})")


@pytest.fixture(scope="module")
def read(batcher: Batcher) -> Floats:
    """Activations of the last token before the reply, shape (8, 576)."""
    return batcher._backend.read([[{"role": "user", "content": one}] for one in QUESTIONS], pool="prompt_last", blocks=[BLOCK])[:, 0]


@pytest.fixture(scope="module")
def dials(batcher: Batcher, read: Floats, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vector ``drift``, the same without a band, one of another width, and a gate that fires on half of the questions."""
    folder = tmp_path_factory.mktemp("dials")
    norm = float(np.median(np.linalg.norm(read, axis=1)))
    direction = np.asarray(np.random.default_rng(5).normal(size=read.shape[1]), dtype=np.float32)
    card = Card(trait="drift", model=batcher.identity, block=BLOCK, norms={BLOCK: norm}, band=(-0.5, 0.5))
    write_vector(folder / "drift.safetensors", Vector({BLOCK: direction}, card))
    write_vector(folder / "unmeasured.safetensors", Vector({BLOCK: direction}, dataclasses.replace(card, band=None)))
    narrow = dataclasses.replace(card, model=dataclasses.replace(batcher.identity, width=8))
    write_vector(folder / "narrow.safetensors", Vector({BLOCK: np.ones(8, dtype=np.float32)}, narrow))
    write_probe(folder / "known.safetensors", gate(batcher.identity, read))
    return folder


def gate(identity: ModelIdentity, read: Floats) -> Probe:
    """Reads a direction of no meaning, and fires on the four questions that are highest along it."""
    drawn = np.asarray(np.random.default_rng(6).normal(size=read.shape[1]))
    direction = np.asarray(drawn / np.linalg.norm(drawn), dtype=np.float32)
    values = np.sort(read.astype(np.float64) @ direction.astype(np.float64))
    edge = float(values[3] + values[4]) / 2
    threshold = Threshold(value=edge, rate=0.5, bound="empirical", n=8, fired=4, expected=5 / 9, upper=0.8)
    return Probe(
        name="known", what=UNKNOWN, model=identity, block=BLOCK, pool="prompt_last", direction=direction, slope=0.5, intercept=-0.5 * edge,
        share=0.5, threshold=threshold,
    )  # fmt: skip


def steered(**arguments: Any) -> Model:
    return get_model("steered/embedded", memoize=False, **arguments)


def asked(model: Model, questions: list[str] = QUESTIONS, config: GenerateConfig = GREEDY) -> list[ModelOutput]:
    async def ask() -> list[ModelOutput]:
        return await asyncio.gather(*(model.generate([ChatMessageUser(content=one)], config=config) for one in questions))

    return asyncio.run(ask())


def said(outputs: list[ModelOutput]) -> list[str]:
    return [one.completion for one in outputs]


def done(output: ModelOutput) -> dict[str, Any]:
    assert output.metadata is not None
    return dict(output.metadata["steering"])


@pytest.fixture(scope="module")
def plain(dials: Path) -> list[str]:
    """What the embedded model says without steering, by the other provider."""
    return said(asked(get_model("embedded/smollm2-135m-instruct", memoize=False, threads=1, slots=1, context=512)))


def test_a_dose_of_zero_says_what_the_plain_model_says_and_a_strong_one_does_not(dials: Path, plain: list[str]) -> None:
    vector = dials / "drift.safetensors"
    zero = asked(steered(vector=str(vector), dose=0))
    assert sum(one.strip() == other.strip() for one, other in zip(said(zero), plain, strict=True)) >= 6  # near-ties may fall otherwise
    assert [done(one)["pushed"] for one in zero] == [False] * 8
    strong = asked(steered(vector=f"{vector}:3", beyond=True))
    assert sum(one.strip() == other.strip() for one, other in zip(said(strong), plain, strict=True)) <= 1
    assert done(strong[0]) == {
        "dials": [{"trait": "drift", "dose": 3.0, "block": BLOCK}], "gate": None, "fired": None, "probability": None, "pushed": True,
        "probe": None,
    }  # fmt: skip


def test_a_reply_tells_its_tokens_and_their_probabilities(dials: Path) -> None:
    (one,) = asked(steered(vector=str(dials / "drift.safetensors"), dose=0), QUESTIONS[:1], GREEDY.merge(GenerateConfig(logprobs=True)))
    assert one.usage is not None
    assert one.choices[0].logprobs is not None
    content = one.choices[0].logprobs.content
    assert "".join(token.token for token in content).strip() == one.completion
    assert one.usage.output_tokens == len(content) <= 12
    assert one.usage.input_tokens > 10
    assert all(token.logprob <= 0 for token in content)
    assert one.choices[0].stop_reason == ("stop" if len(content) < 12 else "max_tokens")


def test_only_what_the_gate_fires_on_is_pushed(batcher: Batcher, dials: Path, read: Floats) -> None:
    vector, file = dials / "drift.safetensors", dials / "known.safetensors"
    free = said(asked(steered(vector=str(vector), dose=0)))
    gated = asked(steered(vector=f"{vector}:3", gate=str(file), probe=str(file), beyond=True))
    probe = gate(batcher.identity, read)
    assert [done(one)["fired"] for one in gated] == probe.fires(read).tolist()
    assert [done(one)["pushed"] for one in gated] == probe.fires(read).tolist()
    assert [done(one)["probability"] for one in gated] == pytest.approx(probe.probability(read).tolist(), abs=1e-3)
    assert [done(one)["probe"] for one in gated] == pytest.approx((1 - probe.probability(read)).tolist(), abs=1e-3)
    left = [one == other for one, other in zip(said(gated), free, strict=True)]
    fires = probe.fires(read).tolist()
    assert sum(same for same, fired in zip(left, fires, strict=True) if not fired) >= 3
    assert sum(same for same, fired in zip(left, fires, strict=True) if fired) <= 1


def test_a_gate_and_a_probe_may_read_every_token_of_the_question(batcher: Batcher, dials: Path, read: Floats, tmp_path: Path) -> None:
    chats = [[{"role": "user", "content": one}] for one in QUESTIONS]
    drawn = dataclasses.replace(gate(batcher.identity, read), pool="prompt_top")
    highest = [
        (one.activations[:, 0].astype(np.float64) @ drawn.direction.astype(np.float64)).max()
        for one in batcher._backend.read_message(chats, blocks=[BLOCK])
    ]
    ends = batcher._backend.read(chats, pool="prompt_last", blocks=[BLOCK])[:, 0].astype(np.float64) @ drawn.direction
    assert not np.allclose(highest, ends, atol=0.1)  # another place than the last token before the reply
    edge = float(np.sort(highest)[3] + np.sort(highest)[4]) / 2
    top = dataclasses.replace(drawn, threshold=dataclasses.replace(drawn.threshold, value=edge), intercept=-0.5 * edge)
    write_probe(tmp_path / "top.safetensors", top)
    file = str(tmp_path / "top.safetensors")
    outputs = asked(steered(vector=f"{dials / 'drift.safetensors'}:3", gate=file, probe=file, beyond=True))
    assert [done(one)["fired"] for one in outputs] == [one > edge for one in highest]
    assert [done(one)["pushed"] for one in outputs] == [one > edge for one in highest]
    expected = [1 / (1 + np.exp(-0.5 * (one - edge))) for one in highest]
    assert [done(one)["probability"] for one in outputs] == pytest.approx(expected, abs=1e-3)
    assert [done(one)["probe"] for one in outputs] == pytest.approx([1 - one for one in expected], abs=1e-3)


def test_a_message_without_a_token_fails_alone_where_every_token_is_read(dials: Path, read: Floats, batcher: Batcher) -> None:
    plan = Plan(moves=(), gate=dataclasses.replace(gate(batcher.identity, read), pool="prompt_top"))
    wanted = [
        batcher.submit(Request(chat=({"role": "user", "content": one},), plan=plan, probe=None, tokens=4, temperature=0.0, seed=None))
        for one in (QUESTIONS[0], "", QUESTIONS[1])
    ]
    with pytest.raises(DataError, match="does not stand in the prompt"):
        wanted[1].result(60)
    assert [one.result(60).steered.reply.text != "" for one in (wanted[0], wanted[2])] == [True, True]


def test_a_gate_or_a_confidence_that_needs_the_reply_is_refused(dials: Path, read: Floats, batcher: Batcher, tmp_path: Path) -> None:
    known = gate(batcher.identity, read)
    write_probe(tmp_path / "late.safetensors", dataclasses.replace(known, pool="reply_mean"))
    write_probe(tmp_path / "length.safetensors", dataclasses.replace(known, what="the reply is long"))
    late = str(tmp_path / "late.safetensors")
    with pytest.raises(UsageError, match="reads reply_mean, which is there only once there is a reply"):
        steering_of({"vector": f"{dials / 'drift.safetensors'}:0.1", "gate": late})[0].plan()
    with pytest.raises(UsageError, match="reads reply_mean"):
        steering_of({"probe": late})[0].confidence()
    with pytest.raises(UsageError, match="tells 'the reply is long'"):
        steering_of({"probe": str(tmp_path / "length.safetensors")})[0].confidence()


def test_a_closed_batcher_ends_what_it_writes_and_refuses_what_waits(batcher: Batcher) -> None:
    one = Batcher(open_backend("embedded", context=1024, sequences=1), rows=1, context=1024)
    asks = [
        Request(chat=({"role": "user", "content": "Count to a million."},), plan=None, probe=None, tokens=900, temperature=2.0, seed=number)
        for number in range(2)
    ]
    running, waiting = map(one.submit, asks)
    while not running.running():
        time.sleep(0.01)
    one.close()
    with pytest.raises(ModelError, match="was closed while it wrote"):
        running.result(0)
    with pytest.raises(ModelError, match="is closed"):
        waiting.result(0)
    with pytest.raises(ModelError, match="is closed"):
        one.submit(asks[1])
    assert not one._thread.is_alive()
    one.close()


@pytest.mark.parametrize("how", ["end", "interrupt"])
def test_a_process_that_ends_while_the_model_writes_ends_cleanly(batcher: Batcher, how: str) -> None:
    script = """
import time
from wager.evals.batching import Request, batcher_for
batcher = batcher_for("embedded", context=1024, threads=1, sequences=2)
free = batcher._backend.close
batcher._backend.close = lambda: (free(), print("freed", batcher._thread.is_alive(), flush=True))
chat = ({"role": "user", "content": "Count to a million."},)
one = batcher.submit(Request(chat=chat, plan=None, probe=None, tokens=900, temperature=2.0, seed=1))
while not one.running():
    time.sleep(0.01)
time.sleep(0.3)
print("writing", flush=True)
"""
    code = script + ("one.result()\n" if how == "interrupt" else "")
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "writing\n", running.communicate()
    if how == "interrupt":
        running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert output == "freed False\n"  # the thread had ended, and the model went before the interpreter
    assert running.returncode == (0 if how == "end" else -signal.SIGINT), errors
    assert errors.strip().splitlines()[-1:] == ([] if how == "end" else ["KeyboardInterrupt"])


def test_what_waits_is_answered_together(batcher: Batcher, dials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    generate = batcher._backend.generate

    def counted(chats: Any, **options: Any) -> Any:
        sizes.append(len(chats))
        return generate(chats, **options)

    monkeypatch.setattr(batcher._backend, "generate", counted)
    started = time.perf_counter()
    outputs = asked(steered(vector=f"{dials / 'drift.safetensors'}:0.1"), config=GenerateConfig(temperature=0.0, max_tokens=2))
    assert 0 < sum(one.time or 0.0 for one in outputs) <= time.perf_counter() - started  # each has its share of the batch's time
    assert sum(sizes) == 8
    assert len(sizes) <= 3


def test_seeds_make_samples_repeatable_and_different(dials: Path) -> None:
    config = GenerateConfig(temperature=1.5, max_tokens=8, seed=3, num_choices=3)
    model = steered(vector=f"{dials / 'drift.safetensors'}:0.2")
    (one,), (two,) = (asked(model, ["Tell me something."], config) for _ in range(2))
    texts = [choice.message.text for choice in one.choices]
    assert texts == [choice.message.text for choice in two.choices]
    assert len(set(texts)) > 1


def test_a_stop_sequence_ends_the_reply(dials: Path) -> None:
    model = steered(vector=f"{dials / 'drift.safetensors'}:0")
    (free,) = asked(model, QUESTIONS[2:3])
    stop = free.completion.split()[2]
    (one,) = asked(model, QUESTIONS[2:3], GREEDY.merge(GenerateConfig(stop_seqs=["never said", stop], logprobs=True)))
    assert one.completion == free.completion.partition(stop)[0] != ""
    assert one.stop_reason == "stop"
    assert one.choices[0].logprobs is not None
    told = "".join(token.token for token in one.choices[0].logprobs.content)
    assert told.strip().startswith(one.completion.strip())
    assert stop not in told


def test_a_prompt_that_fills_the_context_is_said_so_and_the_next_is_answered(dials: Path) -> None:
    model = steered(vector=f"{dials / 'drift.safetensors'}:0.1")
    long, short = asked(model, ["word " * 1100, QUESTIONS[0]])
    assert long.stop_reason == "model_length"
    assert long.completion == ""
    assert "context" in (long.error or "")
    assert short.completion


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [
        "question,answer",
        *(f"{question},{answer}" for question, answer in zip(QUESTIONS[:4], ("Paris", "Tokyo", "Lima", "Nairobi"), strict=True)),
    ]
    (tmp_path / "qa.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUN = ("eval", "questions", "-T", "data=qa.csv", "--arms", "closed", "--max-tokens", "16", "--out", "out")


def test_an_evaluation_with_a_dial_says_what_was_done_and_goes_on_where_it_stopped(
    here: Path, dials: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked_for: list[Any] = []
    submit = Batcher.submit

    def counted(self: Batcher, request: Request) -> Any:
        asked_for.append(request)
        return submit(self, request)

    monkeypatch.setattr(Batcher, "submit", counted)
    turned = [*RUN, "--dials", str(dials), "--dial", "drift=-0.25", "--gate", "known", "--probe", "known"]
    assert main(turned) == 0
    assert len(asked_for) == 4
    text = capsys.readouterr().out
    assert "on steered/embedded drift=-0.25 gate=known probe=known: 4 items" in text
    assert "dial drift: dose -0.25 at block 16 (SHA-256 " in text
    assert " of 4 replies" in text
    found = json.loads((here / "out" / "results.json").read_text(encoding="utf-8"))
    assert found["steering"]["answers"] == 4
    assert "drift=-0.25" in (here / "out" / "report.html").read_text(encoding="utf-8")
    (log,) = list_eval_logs(str(here / "out" / "logs"))
    samples = read_eval_log(log).samples or []
    told = [done(sample.output) for sample in samples]
    assert [one["pushed"] for one in told] == [one["fired"] for one in told]
    assert sum(one["pushed"] for one in told) == found["steering"]["pushed"]
    table = AnswerTable.read(here / "out" / "answers.parquet")
    answers = [row for row in table if row.outcome.is_answer]
    assert answers
    by_id = {str(sample.id): done(sample.output)["probe"] for sample in samples}
    assert [row.confidence[ConfidenceSource.PROBE] for row in answers] == pytest.approx([by_id[row.item] for row in answers])

    assert main(turned) == 0
    assert len(asked_for) == 4  # nothing was asked again
    capsys.readouterr()
    assert main([*RUN, "--dials", str(dials), "--dial", "drift=-0.2", "--gate", "known", "--probe", "known"]) == 2
    error = capsys.readouterr().err
    assert "drift=-0.25" in error
    assert "drift=-0.2 " in error
    assert main([*RUN, "--dials", str(dials), "--dial", "drift=-0.25", "--probe", "known"]) == 2
    assert len(asked_for) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "openai/gpt-4o-mini", "--dial", "drift=-0.2"], "'openai/gpt-4o-mini' cannot be steered: it is behind an API"),
        (["--model", "mockllm/x", "--dial", "drift=-0.2"], "no model that can be steered named 'mockllm/x'"),
        (["--dial", "dritf=-0.2"], "no dial named 'dritf'; did you mean 'drift'?"),
        (["--dial", "nowhere/drift.safetensors=-0.2"], "no file of a dial at 'nowhere/drift.safetensors'"),
        (["--dial", "drift=-0.75"], "'drift': a dose of -0.75 is outside the safe band, -0.5 to 0.5"),
        (["--dial", "unmeasured=0.1"], "no sweep has measured which doses are safe"),
        (["--dial", "narrow=0.1"], "width 8; embedded has 576"),
        (["--dial", "drift"], "--dial takes NAME=VALUE"),
        (["--dial", "drift=0.1", "--dial", "drift=0.2"], "is given twice"),
        (["--gate", "known"], "no dial is given"),
        (["--dial", "drift=0.1", "--gate", "unknown"], "no gate named 'unknown'; did you mean 'known'?"),
        (["--dial", "drift=0.1", "--gate", "drift"], "a vector of wager, no probe"),
        (["--dial", "drift=0.1", "-M", "vector=x"], "say the same"),
        (["--dial", "drift=0.1", "-M", "slots=2"], "a steered model takes no argument 'slots'"),
    ],
)
def test_what_cannot_be_is_one_line_before_the_first_question(
    here: Path, dials: Path, batcher: Batcher, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "--dials", str(dials), *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error
    assert not (here / "out").exists()


def test_beyond_allows_a_dose_outside_the_band(dials: Path) -> None:
    outside, _ = steering_of({"vector": str(dials / "drift.safetensors"), "dose": 0.8})
    with pytest.raises(UsageError, match="--beyond"):
        outside.plan()
    assert dataclasses.replace(outside, beyond=True).plan() is not None


def test_the_identity_is_of_contents_not_of_places(dials: Path, tmp_path: Path) -> None:
    (tmp_path / "other.safetensors").write_bytes((dials / "drift.safetensors").read_bytes())
    here, there = (steering_of({"vector": f"{folder}.safetensors:0.25"})[0] for folder in (dials / "drift", tmp_path / "other"))
    assert here.identity() == there.identity()
    assert here.identity() != steering_of({"vector": f"{dials / 'drift.safetensors'}:0.3"})[0].identity()


def test_arguments_say_the_same_again(dials: Path) -> None:
    made = Steering(
        dials=steering_of({"vector": [f"{dials / 'drift.safetensors'}:0.1"]})[0].dials, gate=dials / "known.safetensors", beyond=True
    )
    assert steering_of(made.arguments | {"threads": 2}) == (made, {"threads": 2})


def test_a_name_is_looked_up_in_the_folders_in_order(dials: Path, tmp_path: Path) -> None:
    (tmp_path / "drift.safetensors").write_bytes(b"")
    assert find_dial("drift", (tmp_path, dials)) == (tmp_path / "drift.safetensors").resolve()
    assert find_dial("known", (tmp_path, dials)) == (dials / "known.safetensors").resolve()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vector": "calm.safetensors"}, "has no dose"),
        ({"vector": "calm.safetensors:0.5", "dose": 0.5}, "keep one"),
        ({"vector": "calm.safetensors", "dose": "much"}, "a dose is a finite number"),
        ({"dose": 0.5}, "without a vector"),
        ({}, "at least one dial"),
        ({"vector": "calm.safetensors:1", "positions": "everywhere"}, "positions are one of"),
        ({"vector": "calm.safetensors:1", "beyond": "yes"}, "beyond is true or false"),
    ],
)
def test_arguments_that_say_too_little_or_too_much_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        steering_of(arguments)
