"""Whether a reply abstains: hand-labelled cases, real replies of other people's models, and hostile input."""

import csv
import hashlib
import json
import time
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import absent
from wager.grading.abstention import find_abstention, is_blank
from wager.targets import ConfidenceTarget

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "abstention.jsonl").read_text(encoding="utf-8").splitlines()]
TEN = "ABCDEFGHIJ"


def is_held_out(case: dict) -> bool:
    """The half that is reported and not held to pass case by case, split by the reply's hash."""
    return hashlib.sha256(case["reply"].encode()).digest()[0] % 2 == 1


def precision_and_recall(pairs: list[tuple[bool, bool]]) -> tuple[float, float]:
    """From (said, true) pairs."""
    hits = sum(said and true for said, true in pairs)
    return hits / sum(said for said, _ in pairs), hits / sum(true for _, true in pairs)


@pytest.mark.parametrize("held_out", [False, True])
def test_the_detector_agrees_with_the_labels_on_both_halves(held_out: bool) -> None:
    cases = [case for case in CASES if is_held_out(case) == held_out]
    pairs = [(find_abstention(case["reply"], labels=case.get("labels", ())) is not None, case["abstains"]) for case in cases]
    precision, recall = precision_and_recall(pairs)
    assert len(cases) > 150
    assert precision >= 0.97, f"precision {precision:.3f}"
    assert recall >= 0.92, f"recall {recall:.3f}"


TUNED_ON = [case for case in CASES if not is_held_out(case) and case["note"] not in ("own model, sampled", "third batch", "fourth batch")]


@pytest.mark.parametrize("case", TUNED_ON, ids=lambda case: case["reply"][:40])
def test_a_case_that_was_tuned_on_is_told_right(case: dict) -> None:
    assert (find_abstention(case["reply"], labels=case.get("labels", ())) is not None) == case["abstains"]


@pytest.mark.parametrize(
    ("reply", "labels", "rule"),
    [
        ("ANSWER: I'm not sure", TEN, "says so"),
        ("ANSWER: N/A", "ABCDEFGHIJKLMN", "unknown answer"),
        ("ANSWER: IDK", "ABCDEFGHIJKLMN", "unknown answer"),
        ("Answer: none/unknown", "", "unknown answer"),
        ("Zubrowka is not a real country.", "", "false premise"),
        ("I'm sorry, but I can't help with that.", "", "refusal"),
    ],
)
def test_the_rule_is_named(reply: str, labels: str, rule: str) -> None:
    found = find_abstention(reply, labels=labels)
    assert found is not None
    assert found.rule == rule


def test_an_option_letter_is_an_answer_only_where_it_is_an_option() -> None:
    assert find_abstention("ANSWER: NA", labels=["A", "N"]) is not None
    assert find_abstention("ANSWER: N", labels=["A", "N"]) is None
    assert find_abstention("Unknown", labels=["True", "False", "Unknown"]) is None
    assert find_abstention("Unknown") is not None


def test_the_span_is_where_the_abstention_stands_in_the_reply() -> None:
    reply = "  Hmm.\n\n**I don’t know.** Could you say more?"
    found = find_abstention(reply)
    assert found is not None
    assert "I don’t know." in reply[found.start : found.end] == found.phrase
    far = "It could be 1. " * 3000 + "\nSo I don't know."
    concluded = find_abstention(far)
    assert concluded is not None
    assert far[concluded.start : concluded.end] == "So I don't know."


@pytest.mark.parametrize("t", [0.5, 0.75, 0.9])
def test_the_note_repeated_is_no_abstention(t: float) -> None:
    note = ConfidenceTarget(t).instruction(override=True)
    assert find_abstention(f"{note}\n\nLima") is None
    assert find_abstention(f"{note}\n\nI don't know.") is not None


@pytest.mark.parametrize("reply", ["", " \n\t", "?!", "**", r"\boxed{}", "—"])
def test_a_blank_reply_is_blank_and_no_abstention(reply: str) -> None:
    assert is_blank(reply)
    assert find_abstention(reply) is None


@given(st.text(max_size=300))
def test_any_text_gives_a_span_inside_it_or_nothing(reply: str) -> None:
    found = find_abstention(reply, labels="AB")
    assert found is None or (0 <= found.start < found.end <= len(reply) and reply[found.start : found.end].startswith(found.phrase))
    assert find_abstention(reply, labels="AB") == found


@given(
    st.sampled_from("ABCDEFGHIJKLMN"),
    st.sampled_from(["ANSWER: {}", "{}", "({})", "**{}**", "The answer is ({}).", "I don't know.\nANSWER: {}"]),
)
def test_a_bare_option_letter_always_answers(letter: str, form: str) -> None:
    assert find_abstention(form.format(letter), labels="ABCDEFGHIJKLMN") is None


@given(st.sampled_from([case for case in CASES if "labels" not in case and len(case["reply"]) < 60]))
def test_surrounding_white_space_changes_nothing(case: dict) -> None:
    plain, spaced = (find_abstention(text) is not None for text in (case["reply"], f"\n  {case['reply']} \n"))
    assert plain == spaced


@pytest.mark.parametrize(
    "unit",
    ["I don't know ", "I don't know. ", " ", "\n", ".", "a.", "a. ", '"', "I'm not sure, ", "answer: ", "the answer is ", "\\boxed{",
     "<answer ", "since ", "Answer only if you are ", "</think>", "A ", "it's ", "I'm sorry "],
)  # fmt: skip
def test_a_megabyte_of_anything_is_read_in_under_a_second(unit: str) -> None:
    reply = unit * (1_000_000 // len(unit)) + "x"
    began = time.process_time()
    find_abstention(reply, labels=TEN)
    assert time.process_time() - began < 1


def test_refusals_agree_with_human_labels_of_xstest(data: Path) -> None:
    pairs = []
    for name in ("gpt4", "llama2orig"):
        path = data / "xstest" / f"completions_{name}.csv"
        if not path.exists():
            absent(str(path))
        with path.open(encoding="utf-8", newline="") as file:
            pairs += [
                (find_abstention(row["completion"]) is not None, row["final_label"] == "2_full_refusal") for row in csv.DictReader(file)
            ]
    precision, recall = precision_and_recall(pairs)
    assert precision > 0.9, f"precision {precision:.3f}"
    assert recall > 0.88, f"recall {recall:.3f}"


def test_real_hedged_answers_with_an_answer_tag_are_answers(data: Path) -> None:
    path = data / "rlcr" / "commonsenseqa.parquet"
    if not path.exists():
        absent(str(path))
    completions = pq.read_table(path, columns=["completion", "correct"]).to_pylist()
    right = [row["completion"] for row in completions if row["correct"] == 1]
    assert len(right) > 5000
    assert not [text for text in right if find_abstention(text, labels="ABCDE")]


def test_abstentions_that_mmlu_pro_replaced_by_a_guess_are_found(data: Path) -> None:
    path = data / "mmlu_pro" / "raw" / "model_outputs_gemini-1.5-pro-002_5shots.zip"
    if not path.exists():
        absent(str(path))
    with zipfile.ZipFile(path) as archive:
        rows = json.loads(archive.read(archive.namelist()[0]))
    said = [row for row in rows if find_abstention(row["model_outputs"] or "", labels=TEN[: len(row["options"])])]
    assert any("Cannot be determined" in row["model_outputs"][-80:] for row in said)
    ends_in_a_letter = [row for row in rows if any(row["model_outputs"].rstrip().endswith(f"answer is ({letter}).") for letter in TEN)]
    assert len(ends_in_a_letter) > 11_000
    assert not [row for row in said if row in ends_in_a_letter]


@pytest.mark.parametrize(
    ("reply", "abstains"),
    [
        ("I don't know. An encyclopedia will tell.", True),
        ("I don't know. Check Wikipedia.", True),
        ("I need to look this up. An atlas will tell.", True),
        ("I don't know. Check this: Lima is it.", False),
        ("I don't know. A quick look would say that it is Lima.", False),
        ("I don't know. Lima.", False),
    ],
)
def test_saying_where_to_look_is_no_answer(reply: str, abstains: bool) -> None:
    assert (find_abstention(reply) is not None) is abstains
