"""`wager steer monitor` with graded outcomes, a base, tokens and a page: a tiny model whose projections are read again by hand."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from steering_toy import tiny_model, tiny_tokenizer, user
from test_steer_command import gate_of, lines_file, steer
from wager.cli.steer_outcomes import Outcomes, judged, judged_text, probabilities, verdict
from wager.errors import DataError, OutputError, UnknownNameError, UsageError, WagerError
from wager.report.trace_page import Traced, write_trace_page
from wager.steering.graded import graded
from wager.steering.monitor import monitor
from wager.steering.opening import open_backend
from wager.steering.probe_file import write_probe
from wager.steering.vector import Card, Vector
from wager.steering.vector_file import read_vector, write_vector

ONE_ROLE = (
    "{% for one in messages %}{{ '<reply>' if one.role == 'assistant' else '<' + one.role + '>' }} {{ one.content }} {% endfor %}<reply>"
)
"""A finished reply stands where one that is being written does."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, and a model whose block 1 adds 2 on axis 1 to every token; a vector along that axis whose activations have length 4."""
    import torch

    folder = tmp_path_factory.mktemp("monitor")
    for name in ("base", "tuned", "plain"):
        model, tokens = tiny_model("gpt2"), tiny_tokenizer()
        if name == "tuned":
            with torch.no_grad():
                model.transformer.h[1].mlp.c_proj.bias[1] += 2.0
        tokens.chat_template = ONE_ROLE if name != "plain" else ONE_ROLE.replace("'<reply>'", "'<system>'")
        model.save_pretrained(folder / name)
        tokens.save_pretrained(folder / name)
    opened = open_backend(f"hf/{folder / 'base'}")
    axis = np.eye(16, dtype=np.float32)[1]
    write_vector(folder / "v.safetensors", Vector({1: axis}, Card(trait="toy", model=opened.identity, block=1, norms={1: 4.0})))
    opened.close()
    return folder


def watched(shelf: Path, *arguments: object, model: str = "base") -> tuple[int, str, str]:
    return steer("monitor", shelf / "v.safetensors", *arguments, "--model", f"hf/{shelf / model}")


WORDS = [f"w{number}" for number in range(28)]


def graded_rows(shelf: Path) -> list[dict[str, Any]]:
    """28 questions in two phrasings; right where the projection before the reply is high, but for one; two rows are not graded."""
    asked = [f"{word} {'w3' if at % 2 else 'w5 w7'}" for at, word in enumerate(WORDS)]
    opened = open_backend(f"hf/{shelf / 'base'}")
    before = monitor(opened, user(*asked), ["w1"] * 28, read_vector(shelf / "v.safetensors")).before
    opened.close()
    rows = []
    for kind in (0, 1):
        places = range(kind, 28, 2)
        middle = np.median([before[at] for at in places])
        rows += [
            {"prompt": asked[at], "reply": "w1 w2", "of": WORDS[at], "how": f"p{kind}", "right": bool(before[at] > middle)} for at in places
        ]
    rows[3]["right"] = not rows[3]["right"]
    rows[5]["right"], rows[20]["right"] = None, "ungraded"
    return [row | {"right": "" if row["right"] is None else str(row["right"])} for row in rows]


@pytest.fixture(scope="module")
def data(shelf: Path) -> Path:
    return lines_file(shelf / "graded.jsonl", *graded_rows(shelf))


GRADED = ("--outcome", "right", "--phrasing", "how", "--subject", "of")


def test_outcomes_calibrate_both_projections_beside_surface_form(shelf: Path, data: Path) -> None:
    _, text, _ = watched(shelf, data, *GRADED, "-o", shelf / "out.parquet")
    rows = pq.read_table(shelf / "out.parquet").to_pylist()
    assert "outcome 'right': 26 rows graded" in text
    assert "2 ungraded, left out" in text
    for head in ("AUROC, before a word is said", "AUROC, mean of the reply"):
        lines = text.split(head)[1].split("\n\n")[0].splitlines()
        assert [line.split("  ")[0] for line in lines[1:4]] == ["questions", "phrasings, pairs within one", "phrasings, all pairs"]
    assert text.count("verdict: ") == 2
    assert "subwords of the reply alone" in text.split("mean of the reply")[1]
    assert "of the reply alone" not in text.split("mean of the reply")[0]
    chance = [row["probability"] for row in rows]
    assert all(0 < one < 1 for one in chance)  # of ungraded rows, too
    by_projection = [chance[at] for at in np.argsort([row["projection_before"] for row in rows])]
    assert by_projection == sorted(by_projection)
    assert {"probability", "probability_reply"} <= set(rows[0])


def test_json_holds_the_same_figures_as_scikit_learn(shelf: Path, data: Path) -> None:
    found = json.loads(watched(shelf, data, *GRADED, "--json")[1])
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    kept = [at for at, row in enumerate(rows) if row["right"] in ("True", "False")]
    x, y = np.array(found["columns"]["projection_before"])[kept], [rows[at]["right"] == "True" for at in kept]
    told = found["outcome"]["before"]
    assert (told["calibrated"]["n"], told["calibrated"]["ungraded"], told["calibrated"]["unread"]) == (26, 2, 0)
    assert told["pooled"]["probe"]["value"] == pytest.approx(roc_auc_score(y, x))
    assert told["phrasings"]["probe"]["low"] < told["phrasings"]["probe"]["value"]
    assert told["phrasings missing"] is None
    assert (found["outcome"]["tells"], found["drift"]) == (1, None)
    other = json.loads(watched(shelf, data, *GRADED, "--tells", "0", "--json")[1])["outcome"]["before"]
    assert other["pooled"]["probe"]["value"] == pytest.approx(1 - roc_auc_score(y, x))
    assert other["calibrated"]["slope"] == 0  # more of the projection does not mean more of what is wrong
    assert other["verdict"] == "no more than surface form"


def test_phrasings_that_are_not_named_are_not_measured(shelf: Path, data: Path) -> None:
    text = watched(shelf, data, "--outcome", "right", "--subject", "of")[1]
    assert text.count("held-out phrasings were not measured: name their column with --phrasing") == 2
    assert text.count(" on held-out questions\n") == 2
    assert "phrasings, " not in text


def test_a_probe_is_calibrated_at_what_it_reads(shelf: Path, data: Path) -> None:
    vector = read_vector(shelf / "v.safetensors")
    write_probe(shelf / "p.safetensors", gate_of(vector, 0.0, block=1))
    model = ("--model", f"hf/{shelf / 'base'}")
    plain = json.loads(steer("monitor", shelf / "p.safetensors", data, *model, "--json")[1])["columns"]
    found = json.loads(steer("monitor", shelf / "p.safetensors", data, *model, *GRADED, "--json")[1])
    assert list(found["outcome"]) == ["column", "tells", "prompt_last"]
    assert found["columns"]["probability"] != pytest.approx(plain["probability"])
    assert found["columns"]["projection_before"] == pytest.approx(plain["projection_before"])


def outcomes(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    shown = rng.random(n) < 0.5
    return rng.normal(size=n), shown, [f"p{at % 3}" for at in range(n)]


def test_a_projection_that_follows_length_is_no_more_than_surface_form() -> None:
    noise, shown, how = outcomes(0)
    length = noise + 2.0 * shown
    own = np.random.default_rng(1).normal(size=120) + 2.0 * shown
    assert graded(length.tolist(), shown.tolist(), {"length": length}, groups=how).verdict == "no more than surface form"
    found = graded(own.tolist(), shown.tolist(), {"length": noise}, groups=how)
    assert found.verdict == "more than surface form"
    assert found.beside.phrasings is not None
    assert found.beside.phrasings.probe.value == pytest.approx(0.92, abs=0.05)  # two deviations apart: Phi(sqrt 2)


def test_what_is_not_graded_or_not_read_is_left_out_and_counted() -> None:
    x, shown, _ = outcomes(2, 40)
    whole = graded((x + shown).tolist(), shown.tolist(), {"length": x})
    more = graded([*(x + shown).tolist(), 9.0, None], [*shown.tolist(), None, True], {"length": [*x.tolist(), np.nan, np.nan]})
    assert (more.calibrated.n, more.calibrated.ungraded, more.calibrated.unread) == (40, 1, 1)
    assert more.calibrated.slope == pytest.approx(whole.calibrated.slope)
    assert more.beside.questions is not None
    assert whole.beside.questions is not None
    assert more.beside.questions.probe.value == whole.beside.questions.probe.value
    assert more.beside.phrasings is None
    assert more.phrasings_missing == "the phrasing of each row is not known"
    one = graded((x + shown).tolist(), shown.tolist(), {"length": x}, groups=["same"] * 40)
    assert one.beside.phrasings is None
    assert "at least two of them, got 1" in str(one.phrasings_missing)
    with pytest.raises(UsageError, match="40 rows take one value each of the feature 'length'"):
        graded(x.tolist(), shown.tolist(), {"length": x[:3]})


def test_blank_replies_are_not_judged() -> None:
    given = {"column": "right", "tells": "1", "groups": None, "subjects": ("a",) * 8, "questions": tuple("abcdefgh")}
    found = Outcomes(shown=(True, False) * 4, **given)
    values = {"before": [1.0, 0.0] * 4, "reply": [1.0, 0.0] * 4}
    made = judged(found, values, ["w"] * 6 + [" ", ""], lambda text: [1] * len(text.split()), seed=0)
    one, other = made["before"], made["reply"]
    assert not isinstance(one, str)
    assert not isinstance(other, str)
    assert (one.calibrated.n, other.calibrated.n, other.calibrated.unread) == (8, 6, 2)
    gone = judged(found, {"reply": [1.0, 0.0] * 4}, ["w", " "] * 4, lambda text: [1] * len(text.split()), seed=0)
    assert gone == {"reply": "labels are all 1: rows of both kinds are needed"}
    assert probabilities(gone["reply"], values["reply"]) == [None] * 8
    assert "mean of the reply: not measured (labels are all 1: rows of both kinds are needed)" in judged_text(found, gone)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (True, True), (1, True), (1.0, True), ("1", True), (" Right ", True), ("correct", True),
        (False, False), (0, False), ("0.0", False), ("wrong", False), ("FALSE", False), ("incorrect", False),
        (None, None), ("", None), (float("nan"), None), ("ungraded", None), ("abstained", None),
    ],
)  # fmt: skip
def test_an_outcome_is_one_of_two_things_or_not_known(cell: object, said: bool | None) -> None:
    assert verdict(cell, "right", 1) is said


@pytest.mark.parametrize("cell", ["perhaps", 2, 0.5, [1], -1])
def test_what_is_no_outcome_is_refused_with_its_row(cell: object) -> None:
    with pytest.raises(DataError, match=r"row 7: 'right' says 1, 0, true, false, right or wrong, .*; got "):
        verdict(cell, "right", 7)


def test_drift_is_what_fine_tuning_has_added_along_the_vector(shelf: Path) -> None:
    rows = lines_file(shelf / "drift.jsonl", *({"prompt": f"w{at} w2", "reply": "w3 w4" if at else ""} for at in range(6)))
    found = json.loads(watched(shelf, rows, "--base", f"hf/{shelf / 'base'}", "--json", model="tuned")[1])["drift"]
    for name, count in (("before", 6), ("reply", 5)):
        assert found[name]["mean"]["value"] == pytest.approx(2.0, abs=1e-5)  # what block 1 adds
        assert found[name]["relative"] == pytest.approx(0.5, abs=1e-5)  # of a length of 4
        assert len(found[name]["each"]) == count
    _, text, told = watched(shelf, rows, "--base", f"hf/{shelf / 'base'}", model="tuned")
    assert re.search(r"drift of hf/.*tuned from hf/.*base, on 6 rows; positive is towards the trait:\n  before +\+2\.00", text)
    assert text.count("+50.00 % of the activations' length") == 2
    assert "the same words with hf/" in told
    same = watched(shelf, rows, "--base", f"hf/{shelf / 'base'}")[1]
    assert re.search(r"  reply +\+0\.00", same)


def test_tokens_of_replies_are_columns(shelf: Path) -> None:
    given = lines_file(shelf / "given.jsonl", {"prompt": "w1", "reply": "w3 w4 w9"}, {"prompt": "w2", "reply": ""})
    watched(shelf, given, "-o", shelf / "given.parquet", "--each")
    full, empty = pq.read_table(shelf / "given.parquet").to_pylist()
    assert [piece.strip() for piece in full["reply_tokens"]] == ["w3", "w4", "w9"]
    assert np.mean(full["reply_projections"]) == pytest.approx(full["projection_reply"], rel=1e-4)
    assert (empty["reply_tokens"], empty["reply_projections"]) == (None, None)
    watched(shelf, given, "-o", shelf / "short.parquet")
    assert "reply_tokens" not in pq.read_schema(shelf / "short.parquet").names

    asked = lines_file(shelf / "asked.jsonl", {"prompt": "w1"}, {"prompt": "w2"})
    watched(shelf, asked, "-o", shelf / "asked.jsonl.out.jsonl", "--tokens", "3")
    for line in (shelf / "asked.jsonl.out.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert len(row["reply_tokens"]) == len(row["reply_projections"])
        assert np.mean(row["reply_projections"]) == pytest.approx(row["projection_reply"])


def test_replies_that_a_template_writes_differently_are_counted_and_traced_by_word(shelf: Path) -> None:
    given = lines_file(shelf / "given.jsonl", {"prompt": "w1", "reply": "w3 w4 w9"}, {"prompt": "w2", "reply": "w5"})
    text = watched(shelf, given, "--each", "--trace", "1", model="plain")[1]
    assert "2 replies are not told token by token: the chat template writes them in another way" in text
    assert [line.split()[-1] for line in text.split("row 1, word by word:\n")[1].splitlines()] == ["w3", "w4", "w9"]
    assert "row 1, token by token:\n" in watched(shelf, given, "--trace", "1")[1]


HOSTILE = ("</span><script>alert(1)</script>", "\x1b[2J", "a\u202eb", '"><img src=x onerror=alert(1)>', "\ud800", "é\n")


def test_the_page_shows_hostile_text_as_text(tmp_path: Path) -> None:
    page = tmp_path / "t.html"
    values = tuple(float(at) for at in range(6))
    write_trace_page(
        page, [Traced(1, HOSTILE[0], HOSTILE, values, (HOSTILE[3],)), Traced(2, "Who?", (), ())], title=HOSTILE[3], about=HOSTILE
    )
    text = page.read_text(encoding="utf-8")
    tags = set(re.findall(r"<(/?\w+)", text))
    assert not tags & {"script", "img", "a", "link"}
    assert "\x1b" not in text
    assert "\u202e" not in text
    pieces = re.findall(r'<span class="s(\d)" title="([^"]+)">([^<]*)</span>', text)
    assert [html.unescape(piece) for _, _, piece in pieces] == [HOSTILE[0], "\\x1b[2J", "a\\u202eb", HOSTILE[3], "\\ud800", "é\n"]
    assert [shade for shade, _, _ in pieces] == ["0", "1", "3", "5", "7", "8"]  # ninths of 0.1 to 4.9
    assert [value for _, value, _ in pieces] == ["+0.00", "+1.00", "+2.00", "+3.00", "+4.00", "+5.00"]
    assert "(no token was read)" in text
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL)
    assert style is not None
    told = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"content=\"default-src 'none'; style-src 'sha256-{told}'; base-uri 'none'; form-action 'none'\"" in text
    assert " style=" not in text


def test_a_page_of_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="row 3 has 1 tokens and 2 projections"):
        write_trace_page(tmp_path / "t.html", [Traced(3, "Who?", ("a",), (1.0, 2.0))], title="t")
    with pytest.raises(DataError, match="not a finite number"):
        write_trace_page(tmp_path / "t.html", [Traced(3, "Who?", ("a",), (float("nan"),))], title="t")
    assert not list(tmp_path.iterdir())


def test_page_draws_what_was_measured(shelf: Path, data: Path) -> None:
    page = shelf / "page.html"
    text = watched(shelf, data, *GRADED, "--page", page)[1]
    assert text.splitlines()[-1] == f"wrote {page}: 28 replies, shaded by token"
    shown = page.read_text(encoding="utf-8")
    assert shown.count("<article>") == 28
    assert shown.count('title="') == 56  # two tokens each
    assert re.search(r"row 1 · before [+-]\d+\.\d\d · reply [+-]\d+\.\d\d · probability 0\.\d\d · probability reply 0\.\d\d<", shown)


BAD: list[tuple[str, type[WagerError], str]] = [
    ("--outcome rigth", UnknownNameError, "did you mean 'right'"),
    ("--outcome right --phrasing who", UnknownNameError, "who"),
    ("--outcome prompt", DataError, r"row 1: 'prompt' says 1, 0, true"),
    ("--outcome same", UsageError, r"28 questions say 1, 0 say 0 and 0 rows are ungraded; at least 2 of each are needed"),
    ("--outcome same --tells 0", UsageError, r"28 questions say 1, 0 say 0 and 0 rows"),
    ("--outcome right --phrasing gaps", DataError, r"row 1: 'gaps' is a text of at least one character, got 'None'"),
    ("--phrasing how", UsageError, "--phrasing goes with --outcome"),
    ("--subject of", UsageError, "--subject goes with --outcome"),
    ("--question of", UsageError, "--question goes with --outcome"),
    ("--tells 0", UsageError, "--tells goes with --outcome"),
    ("--page x.txt", UsageError, "ends in .html; got 'x.txt'"),
    ("--page nowhere/x.html", OutputError, "no folder 'nowhere'"),
    ("--outcome right -o y.jsonl --reply same2", DataError, "has the column 'probability' already"),
]


@pytest.mark.parametrize(("line", "kind", "message"), BAD, ids=[one[0] for one in BAD])
def test_bad_input_is_one_clear_line_before_the_model_is_opened(
    shelf: Path, data: Path, monkeypatch: pytest.MonkeyPatch, line: str, kind: type[WagerError], message: str
) -> None:
    monkeypatch.chdir(shelf)
    rows = [json.loads(one) | {"same": 1, "gaps": None, "same2": "w1"} for one in data.read_text().splitlines()]
    taken = {"probability": 1} if "same2" in line else {}
    lines_file(shelf / "bad.jsonl", *(row | taken for row in rows))
    before = {path.name for path in shelf.iterdir()}
    with pytest.raises(kind, match=message):
        steer("monitor", "v.safetensors", "bad.jsonl", "--model", "hf/absent", *line.split())
    assert {path.name for path in shelf.iterdir()} == before
