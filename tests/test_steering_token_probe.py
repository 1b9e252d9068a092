"""A probe of every token: it fires where an unknown name ends, whatever stands around it, and one threshold serves phrasings it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from wager.errors import DataError, UsageError
from wager.steering.backend import MessageTokens, ModelIdentity, message_span
from wager.steering.probe import fit_probe
from wager.steering.token_probe import fit_token_probe, name_end

MODEL = ModelIdentity(name="toy", architecture="toy", blocks=4, width=12, vocabulary=9, tokens="t", weights="w")
PHRASINGS, EACH = 12, 8


def world(seed: int, *, signal: float = 4.0) -> tuple[list[MessageTokens], list[int], list[bool], list[int], list[int]]:
    """Questions of several phrasings: at the end of a name axis 0 of block 2 tells what is unknown; each phrasing moves everything else,
    and the last token of all carries the signal under the phrasing's own offset."""
    rng = np.random.default_rng(seed)
    read, ends, labels, groups, questions = [], [], [], [], []
    for phrasing in range(PHRASINGS):
        before, after = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        offset = rng.normal(size=(4, 12)) * 2
        for number in range(2 * EACH):
            unknown = number % 2 == 0
            count = before + 2 + after
            values = rng.normal(size=(count, 4, 12)) * 0.7 + offset * 0.3
            values[before + 1, :, 1] += 5  # a name ends
            values[before + 1, 2, 0] += signal if unknown else -signal
            values[-1, 2, 0] += (1 if unknown else -1) + offset[2, 0]  # what is left of it at the end, shifted
            read.append(MessageTokens(tuple(b" w%d" % at for at in range(count)), values.astype(np.float32)))
            ends.append(before + 1)
            labels.append(unknown)
            groups.append(phrasing)
            questions.append(phrasing * 100 + number)
    return read, ends, labels, groups, questions


def fitted(seed: int, **changed: object) -> tuple[object, np.ndarray]:
    read, ends, labels, groups, questions = world(seed)
    options = {
        "groups": groups,
        "questions": questions,
        "name": "unknown",
        "what": "the subject is unknown",
        "model": MODEL,
        "blocks": [0, 1, 2, 3],
        "rate": 0.1,
    }
    return fit_token_probe(read, ends, labels, **(options | changed))  # type: ignore[arg-type]


def test_it_finds_the_block_and_serves_unseen_phrasings_with_one_threshold() -> None:
    probe, score = fitted(0)
    assert (probe.block, probe.pool, probe.threshold.rate) == (2, "prompt_top", 0.1)
    assert int(np.abs(probe.direction).argmax()) == 0
    assert probe.receipts["held-out phrasings"]["value"] > 0.97
    assert score.shape == (PHRASINGS * EACH * 2,)
    read, _, labels, _, _ = world(1)  # other phrasings of the same model
    fires = np.array([probe.projection(one.activations[:, 2]).max() > probe.threshold.value for one in read])
    marks = np.array(labels)
    assert fires[marks].mean() > 0.8
    assert fires[~marks].mean() < 0.1
    probability = np.array([probe.probability_at(probe.projection(one.activations[:, 2]).max()) for one in read])
    assert probability[marks].mean() > 0.8 > 0.2 > probability[~marks].mean()


def test_the_last_token_alone_is_shifted_between_phrasings() -> None:
    read, _, labels, groups, questions = world(0)
    last = np.array([one.activations[-1] for one in read])
    probe = fit_probe(
        last,
        labels,
        groups=groups,
        questions=questions,
        name="last",
        what="it",
        model=MODEL,
        pool="prompt_last",
        rate=0.1,
        method="mean difference",
    )
    assert probe.receipts["held-out phrasings, within"]["value"] > probe.receipts["held-out phrasings"]["value"] + 0.1


def test_the_order_of_questions_changes_nothing() -> None:
    read, ends, labels, groups, questions = world(0)
    order = np.random.default_rng(3).permutation(len(read))
    one, score = fitted(0)
    other, again = fit_token_probe(
        [read[at] for at in order], [ends[at] for at in order], [labels[at] for at in order], groups=[groups[at] for at in order],
        questions=[questions[at] for at in order], name="unknown", what="the subject is unknown", model=MODEL, blocks=[0, 1, 2, 3], rate=0.1,
    )  # fmt: skip
    assert other.direction == pytest.approx(one.direction, abs=1e-5)
    assert other.threshold.value == pytest.approx(one.threshold.value, rel=1e-6)
    assert again == pytest.approx(score[order], rel=1e-6)


def test_without_a_signal_it_says_so() -> None:
    read, ends, labels, groups, questions = world(0, signal=0.0)
    for one in read:
        one.activations[-1, 2, 0] = 0.0
    probe, _ = fit_token_probe(
        read, ends, labels, groups=groups, questions=questions, name="none", what="it", model=MODEL, blocks=[0, 1, 2, 3], rate=0.1
    )
    found = probe.receipts["held-out phrasings"]
    assert found["low"] < 0.55
    assert probe.receipts["caught"] < 0.3


def test_bad_input_is_refused() -> None:
    read, ends, labels, groups, questions = world(0)
    some = slice(0, 48)
    same = {"name": "few", "what": "it", "model": MODEL, "blocks": [0, 1, 2, 3], "rate": 0.1}
    with pytest.raises(UsageError, match="at least 29 independent negatives"):
        fit_token_probe(read[some], ends[some], labels[some], groups=groups[some], questions=questions[some], **same)
    with pytest.raises(UsageError, match="one token in which its name ends"):
        fit_token_probe(read, [99] * len(read), labels, groups=groups, name="far", what="it", model=MODEL, blocks=[0, 1, 2, 3])
    with pytest.raises(UsageError, match="read at 2 blocks of width 12"):
        fitted(0, blocks=[0, 1])
    with pytest.raises(UsageError, match="shrinkage"):
        fitted(0, shrinkage=0.0)
    read[3].activations[0, 0, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        fit_token_probe(read, ends, labels, groups=groups, name="nan", what="it", model=MODEL, blocks=[0, 1, 2, 3], rate=0.1)


@pytest.mark.parametrize(
    ("pieces", "name", "end"),
    [
        ((b"Who", b" is", b" Mar", b"lo", b"?"), "Marlo", 3),
        ((b"Marlo", b" met", b" Mar", b"lo", b"'s"), "marlo", 3),  # its last place
        ((b"Caf", b"\xc3", b"\xa9", b" Zu", b"ri"), "Café", 2),  # a character split over two tokens
        ((b"nothing",), "Marlo", None),
        ((b"a",), " ", None),
    ],
)
def test_a_name_ends_in_a_token(pieces: tuple[bytes, ...], name: str, end: int | None) -> None:
    assert name_end(pieces, name) == end


def test_a_message_stands_in_its_prompt() -> None:
    pieces = [b"<s>", b"user\n", b"Who", b" is", b" it?", b"</s>", b"bot\n"]
    assert message_span(range(7), [2, 3, 4], pieces, "Who is it?") == (2, 5)
    assert message_span(range(7), [9, 9], pieces, " Who is it? ") == (2, 5)  # other tokens by itself: found by its text
    assert message_span([1, 2, 1, 2], [1, 2], [b"a", b"b", b"a", b"b"], "ab") == (2, 4)  # the last one
    with pytest.raises(DataError, match="does not stand in the prompt"):
        message_span(range(7), [9], pieces, "What?")
