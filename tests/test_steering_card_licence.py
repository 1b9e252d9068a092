"""What a card says of its licence decides by hand and in evaluations too: a failed dial, another gate, block or place is refused with reasons."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wager.cli import main
from wager.errors import UsageError
from wager.steering import opening
from wager.steering.backend import ModelIdentity
from wager.steering.card_licence import band_of, check_licence, check_move, earned, gate_text, vector_digest, with_licences
from wager.steering.licence_results import Check, Chosen, Figures, Licence
from wager.steering.plan import Move
from wager.steering.probe import Probe, Threshold
from wager.steering.probe_file import write_probe
from wager.steering.vector import Card, Vector
from wager.steering.vector_file import at_block, read_vector, write_vector

MODEL = ModelIdentity(name="toy", architecture="toy", blocks=6, width=4, vocabulary=9, tokens="t", weights="w" * 64)
UNIT = np.array([1, 0, 0, 0], dtype=np.float32)
DRAWN = Vector(
    {3: 2 * UNIT, 4: UNIT},
    Card(trait="hedging", model=MODEL, block=3, norms={3: 10.0, 4: 20.0}),
)
WHY = "Known answers kept: change -0.20; must stay above -0.05"


def gate(name: str = "known", value: float = -0.5) -> Probe:
    edge = Threshold(value=value, rate=0.1, bound="empirical", n=20, fired=1, expected=0.1, upper=0.2)
    return Probe(
        name=name, what="the subject is unknown", model=MODEL, block=3, pool="prompt_last", direction=UNIT, slope=1.0, intercept=0.0,
        share=0.5, threshold=edge,
    )  # fmt: skip


def licence(dose: float | None, *, band: tuple[float, float], failed: bool = False, **about: str) -> Licence:
    none = Figures(kind="none", dose=0.0, gated=False, replies=1, seeds=1, ungraded={}, values={}, changes={})
    name, _, reason = WHY.partition(": ")
    return Licence(
        trait="hedging", goal="selectivity", verdict="unlicensed" if failed else "licensed", checks=(Check(name, not failed, reason),),
        chosen=Chosen(goal="selectivity", dose=dose, gated=False, candidates=(), refused={}, questions=()), at_dose=None, unsteered=none,
        doses=(), controls=(), against={}, band=band, about=about,
    )  # fmt: skip


def both() -> Vector:
    """Without a gate it failed; with it, it is licensed at -0.4."""
    gated = licence(-0.4, band=(-0.6, 0.1), gate=gate_text(gate()))
    return with_licences(DRAWN, {"ungated": licence(-0.2, band=(-0.3, 0.0), failed=True), "gated": gated})


def alone() -> Vector:
    return with_licences(DRAWN, {"ungated": licence(-0.2, band=(-0.3, 0.3))})


def test_a_card_keeps_the_band_without_a_gate_and_each_licence_its_own_with_its_reasons(tmp_path: Path) -> None:
    write_vector(tmp_path / "v.safetensors", both())
    card = read_vector(tmp_path / "v.safetensors").card
    assert card.band == (-0.3, 0.0)
    found = earned(card)
    assert (found["ungated"].verdict, found["ungated"].band, found["ungated"].reasons) == ("unlicensed", (-0.3, 0.0), (WHY,))
    assert (found["gated"].verdict, found["gated"].dose, found["gated"].gate) == ("licensed", -0.4, gate_text(gate()))
    assert band_of(card, None) == (-0.3, 0.0)
    assert band_of(card, gate()) == (-0.6, 0.1)
    assert band_of(card, gate("another")) == (-0.3, 0.0), "what was measured where it is always pushed"
    assert vector_digest(both()) == vector_digest(DRAWN), "a licence on the card makes no other vector of it"
    assert vector_digest(Vector({3: -UNIT}, DRAWN.card)) != vector_digest(DRAWN)


def test_a_card_of_before_has_the_band_with_the_gate_and_no_reasons() -> None:
    told = {"ungated": {"verdict": "unlicensed", "dose": -0.2}, "gated": {"verdict": "licensed", "dose": -0.4}}
    card = replace(DRAWN.card, band=(-0.6, 0.1), receipts={"licence": told})
    assert (band_of(card, None), band_of(card, gate())) == (None, (-0.6, 0.1))
    check_licence(card, gate=gate(), dose=-0.4)
    with pytest.raises(UsageError, match=r"unlicensed without a gate: its card does not say why; .* use it with the gate"):
        check_licence(card, gate=None, dose=-0.2)


def test_a_trial_puts_no_band_on_the_card() -> None:
    card = with_licences(
        replace(DRAWN, card=replace(DRAWN.card, band=(-1.0, 1.0))), {"ungated": licence(-0.2, band=(-0.3, 0.3), trial="2")}
    ).card
    assert card.band is None
    assert band_of(card, None) is None


def test_what_the_licence_allows_passes() -> None:
    assert check_move(Move(both(), -0.4), gate=gate()).dose == -0.4
    check_move(Move(alone(), -0.25))
    check_move(Move(replace(DRAWN, card=replace(DRAWN.card, band=(-0.3, 0.3))), 0.3))  # no licence was run: the band decides
    check_move(Move(both(), 0.0))
    check_move(Move(both(), 3.0, 4), positions="all", beyond=True)


@pytest.mark.parametrize(
    ("vector", "dose", "more", "said"),
    [
        (both(), -0.2, {}, r"'hedging' is unlicensed without a gate: Known answers kept: change -0.20.*; use it with the gate .*known, block 3"),
        (both(), -0.5, {}, r"outside the safe band, -0.3 to 0;"),  # that with the gate reaches to -0.6
        (both(), -0.2, {"gate": gate("another")}, r"is of the gate 'known, block 3, threshold -0.5', this one is 'another, block 3"),
        (both(), -0.2, {"gate": gate(value=7.0)}, r"this one is 'known, block 3, threshold 7'"),
        (both(), 0.05, {"gate": gate()}, r"licensed the other way alone \(dose -0.4\), got \+0.05"),
        (alone(), -0.2, {"gate": gate()}, r"was run without a gate"),
        (alone(), -0.2, {"positions": "all"}, r"safe at positions 'all' \(the card's band is of 'reply'\)"),
        (alone(), -0.2, {"positions": "prompt"}, r"safe at positions 'prompt'"),
        (DRAWN, -0.2, {"positions": "all"}, r"safe, so -0.2 is refused; run wager steer licence"),
        (at_block(alone(), 4), -0.2, {}, r"safe, so -0.2 is refused"),  # band and licence are of block 3
        (alone(), float("nan"), {"beyond": True}, r"finite number"),
    ],
)  # fmt: skip
def test_what_it_does_not_is_refused_with_the_reason(vector: Vector, dose: float, more: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        check_move(Move(vector, dose), **more)
    assert "\n" not in str(caught.value)


def test_a_band_is_of_its_block() -> None:
    with pytest.raises(UsageError, match=r"safe at block 4 \(the card's band is of block 3\)"):
        check_move(Move(alone(), -0.2, 4))
    check_move(Move(alone(), -0.2, 3))


@pytest.mark.parametrize(
    "told",
    [3, [], {}, {"ungated": 3}, {"ungated": {"verdict": ["licensed"]}}, {"ungated": {"verdict": "licensed", "dose": "far", "band": [1]}}],
)
def test_what_is_damaged_on_a_card_counts_as_unlicensed(told: Any) -> None:
    card = replace(DRAWN.card, band=(-0.3, 0.3), receipts={"licence": told})
    with pytest.raises(UsageError, match="is unlicensed"):
        check_licence(card, gate=None, dose=-0.2)


def test_reasons_from_a_file_are_one_printable_line() -> None:
    told = {"ungated": {"verdict": "unlicensed", "dose": -0.2, "reasons": ["a\x1b[2J\nb" + "c" * 9999, 3]}}
    (one, other) = earned(replace(DRAWN.card, receipts={"licence": told}))["ungated"].reasons
    assert one.isprintable()
    assert one.startswith("a [2J b")
    assert len(one) <= 300
    assert other == "3"


def files(folder: Path) -> tuple[str, str]:
    write_vector(folder / "v.safetensors", both())
    write_probe(folder / "g.safetensors", gate())
    return str(folder / "v.safetensors"), str(folder / "g.safetensors")


def test_say_refuses_an_unlicensed_dial_before_a_model_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise UsageError("the model is opened")

    monkeypatch.setattr(opening, "open_backend", opened)
    vector, fires = files(tmp_path)
    same = ["steer", "say", "Who?", "--vector", vector]
    for more, said in (
        (["--dose", "-0.2"], "is unlicensed without a gate: Known answers kept"),
        (["--dose", "-0.4", "--gate", fires, "--positions", "all"], "at positions 'all'"),
        (["--dose", "-0.4", "--gate", fires], "the model is opened"),
        (["--dose", "-0.2", "--beyond"], "the model is opened"),
    ):
        assert main([*same, *more]) == 2
        told = capsys.readouterr().err.splitlines()[-1]
        assert said in told
        assert told.endswith("opened") or told.endswith("(--beyond)")


def test_show_tells_each_licence_with_its_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steer", "show", files(tmp_path)[0]]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "licence ungated: unlicensed at dose -0.2, safe doses -0.3 to +0" in lines
    assert WHY in lines
    assert "gated (known, block 3, threshold -0.5): licensed at dose -0.4, safe doses -0.6 to +0.1" in lines
    write_vector(tmp_path / "none.safetensors", DRAWN)
    assert main(["steer", "show", str(tmp_path / "none.safetensors")]) == 0
    assert "licence none was run" in " ".join(capsys.readouterr().out.split())
    assert main(["steer", "show", files(tmp_path)[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["receipts"]["licence"]["ungated"]["reasons"] == [WHY]


def test_convert_writes_no_dose_that_is_not_safe_unless_it_is_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gguf")
    vector, out = tmp_path / "v.safetensors", tmp_path / "v.gguf"
    write_vector(vector, alone())
    same = ["steer", "convert", str(vector), str(out)]
    for more, said in (
        (["--dose", "-3"], "outside the safe band, -0.3 to 0.3"),
        (["--dose", "0.2"], "licensed the other way alone"),
        (["--dose", "-0.2", "--block", "4"], "safe at block 4"),
    ):
        assert main([*same, *more]) == 2
        told = capsys.readouterr().err.splitlines()[-1]
        assert said in told
        assert told.endswith("(--beyond)")
        assert not out.exists()
        assert main([*same, *more, "--beyond"]) == 0
        out.unlink()
        capsys.readouterr()
    assert main([*same, "--dose", "-0.2"]) == 0
    wrote, served = capsys.readouterr().out.splitlines()
    assert wrote == f"wrote {out}: block 3, a push at dose -0.2"
    assert served.startswith(f"llama-server --control-vector {out} adds it to every token")
    assert main(["steer", "convert", str(vector), str(tmp_path / "moved.safetensors"), "--block", "4"]) == 0
    assert read_vector(tmp_path / "moved.safetensors").card.band is None
