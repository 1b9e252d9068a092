"""Probe files: a round trip through safetensors, and files that are damaged, hostile or of another kind."""

import dataclasses
import importlib.util
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import absent
from wager.errors import DataError, OutputError, UsageError
from wager.steering.backend import ModelIdentity
from wager.steering.probe import Probe, false_fire_threshold, fit_probe
from wager.steering.probe_file import CHECKS, THRESHOLD, read_probe, write_probe
from wager.steering.vector import Card, Vector
from wager.steering.vector_file import write_vector

MODEL = ModelIdentity(name="embedded", architecture="llama", blocks=4, width=3, vocabulary=7, tokens="t" * 64, weights="w" * 64)
PROBE = Probe(
    name="known",
    what="the subject is unknown",
    model=MODEL,
    block=2,
    pool="prompt_last",
    direction=np.array([0.6, 0, 0.8], np.float32),
    slope=0.1 + 0.2,
    intercept=-1 / 3,
    share=0.5,
    threshold=false_fire_threshold(range(99), 0.1),
    method="logistic",
    receipts={"by block": {"2": 0.875, "3": None}, "note": "naïve — <b>", "rows": [1, 2.5]},
)


@pytest.fixture(autouse=True, scope="module")
def _safetensors() -> None:
    if importlib.util.find_spec("safetensors") is None:
        absent("the package safetensors")


def same(one: Probe, other: Probe) -> bool:
    plain = [{f.name: getattr(probe, f.name) for f in dataclasses.fields(probe) if f.name != "direction"} for probe in (one, other)]
    return plain[0] == plain[1] and np.array_equal(one.direction, other.direction) and one.direction.dtype == other.direction.dtype


def header(path: Path) -> dict:
    data = path.read_bytes()
    return json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])


def write(path: Path, probe=None, *, metadata=None, tensors=None, values: bytes | None = None) -> Path:
    """A safetensors file with what a test wants in it, byte by byte."""
    values = np.array([0.6, 0, 0.8], "<f4").tobytes() if values is None else values
    told = {"wager.probe": json.dumps(probe)} if metadata is None else metadata
    tensors = {"direction": {"dtype": "F32", "shape": [3], "data_offsets": [0, len(values)]}} if tensors is None else tensors
    head = json.dumps({"__metadata__": told, **tensors}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + values)
    return path


@pytest.fixture
def plain(tmp_path: Path) -> dict:
    """What is written of `PROBE`, as plain values."""
    write_probe(tmp_path / "good", PROBE)
    return json.loads(header(tmp_path / "good")["__metadata__"]["wager.probe"])


def refused(path: Path, *said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_probe(path)
    text = str(caught.value)
    assert "\n" not in text
    for part in (str(path), *said):
        assert part in text


def test_a_probe_comes_back_as_it_was(tmp_path: Path) -> None:
    write_probe(tmp_path / "p.safetensors", PROBE)
    found = read_probe(tmp_path / "p.safetensors", model=MODEL)
    assert same(found, PROBE)
    assert not list(tmp_path.glob("*.part"))
    assert set(CHECKS) | {"direction"} == {field.name for field in dataclasses.fields(Probe)}
    assert set(THRESHOLD) == {field.name for field in dataclasses.fields(PROBE.threshold)}


def test_a_fitted_probe_fires_alike_after_a_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label, phrasing = np.arange(80) % 2, np.arange(80) // 20
    x = rng.normal(size=(80, 2, 3)) + 2 * label[:, None, None]
    made = fit_probe(x, label, groups=phrasing, name="known", what="w", model=MODEL, pool="prompt_last", blocks=[1, 3], rate=0.1)
    write_probe(tmp_path / "p", made)
    found = read_probe(tmp_path / "p")
    assert same(found, made)
    assert np.array_equal(found.fires(x[:, 0]), made.fires(x[:, 0]))
    assert np.array_equal(found.probability(x[:, 0]), made.probability(x[:, 0]))


def test_another_model_is_refused_by_name(tmp_path: Path) -> None:
    write_probe(tmp_path / "p", PROBE)
    with pytest.raises(UsageError, match="other has other weights, fit it anew"):
        read_probe(tmp_path / "p", model=dataclasses.replace(MODEL, name="other", weights="v"))


def test_what_json_has_not_is_not_written(tmp_path: Path) -> None:
    for changes in ({"slope": float("nan")}, {"receipts": {"x": np.zeros(2)}}, {"name": "\udc80"}):
        with pytest.raises(UsageError, match="cannot be written"):
            write_probe(tmp_path / "p", dataclasses.replace(PROBE, **changes))
    with pytest.raises(OutputError):
        write_probe(tmp_path / "none" / "p", PROBE)
    assert not list(tmp_path.iterdir())


def test_files_of_other_kinds_are_told_apart(tmp_path: Path) -> None:
    refused(tmp_path / "none", "No such file")
    refused(tmp_path, "cannot read")
    for name, data in (("empty", b""), ("pickle", b"\x80\x04\x95" + b"x" * 40), ("gguf", b"GGUF" + b"\0" * 40), ("text", b"{" * 40)):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name)
    write_vector(tmp_path / "vector", Vector({1: np.ones(3, np.float32)}, Card(trait="calm", model=MODEL)))
    refused(tmp_path / "vector", "a vector of wager, no probe")
    refused(write(tmp_path / "weights", metadata={"format": "pt"}), "without a probe of wager (metadata 'wager.probe')")


def test_headers_tensors_and_json_that_do_not_do_are_one_line(tmp_path: Path, plain: dict) -> None:
    assert same(read_probe(write(tmp_path / "good", plain)), PROBE)  # what the changes below start from
    (tmp_path / "long").write_bytes(struct.pack("<Q", 1 << 40) + b"{" * 99)
    refused(tmp_path / "long", "a header of 1099511627776 bytes")
    half = {"direction": {"dtype": "F16", "shape": [3], "data_offsets": [0, 6]}}
    refused(write(tmp_path / "half", plain, tensors=half, values=b"\0" * 6), "'direction' is F16 of shape (3,)")
    wide = {"direction": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
    refused(write(tmp_path / "wide", plain, tensors=wide, values=b"\0" * 16), "F32 of shape (4,); expected F32 of shape (3,)")
    other = {"block.2": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}
    refused(write(tmp_path / "other", plain, tensors=other), "has the tensors 'block.2'")
    for name, values in (("nan", [np.nan, 0, 1]), ("zero", [0, 0, 0]), ("two", [0, 2, 0])):
        refused(write(tmp_path / name, plain, values=np.array(values, "<f4").tobytes()), "has length 1, got")
    refused(write(tmp_path / "json", metadata={"wager.probe": "{"}), "is no JSON")
    refused(write(tmp_path / "deep", metadata={"wager.probe": "[" * 100_000}), "is no JSON")
    refused(write(tmp_path / "const", metadata={"wager.probe": '{"schema": NaN}'}), "NaN is no JSON number")
    refused(write(tmp_path / "list", [1]), "is no JSON object")
    refused(write(tmp_path / "old", plain | {"schema": 2}), "has schema 2 of probe files; this wager reads 1")
    refused(write(tmp_path / "more", plain | {"more": 2}), "has unknown keys: 'more'")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"run": "rm"}, "has unknown keys: 'run'"),
        ({"name": 3}, "'name' of the probe"),
        ({"block": 4}, "model.name"),
        ({"block": True}, "is a whole number"),
        ({"pool": "all"}, "is one of prompt_last"),
        ({"slope": -0.5}, "is at least 0, got -0.5"),
        ({"intercept": "0"}, "is a finite number"),
        ({"intercept": 10**400}, ""),
        ({"share": 1}, "lies between 0 and 1"),
        ({"method": "lda"}, "is one of whitened"),
        ({"receipts": []}, "is a JSON object"),
        ({"threshold": {}}, "lacks"),
        ({"model": {"name": "x"}}, "lacks"),
    ],
)
def test_each_field_is_checked(tmp_path: Path, plain: dict, changes: dict, said: str) -> None:
    refused(write(tmp_path / "bad", plain | {"probe": plain["probe"] | changes}), said if said != "model.name" else "embedded")


@pytest.mark.parametrize("name", list(CHECKS))
def test_no_field_may_lack(tmp_path: Path, plain: dict, name: str) -> None:
    del plain["probe"][name]
    refused(write(tmp_path / "bad", plain), f"lacks: {name!r}")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate": 0}, "lies between 0 and 1"),
        ({"upper": 1.5}, "is a share from 0 to 1"),
        ({"fired": 100}, "fired on 100 of 99"),
        ({"bound": "none"}, "is one of clopper-pearson"),
        ({"value": None}, "is a finite number"),
    ],
)
def test_the_threshold_is_checked(tmp_path: Path, plain: dict, changes: dict, said: str) -> None:
    plain["probe"]["threshold"] |= changes
    refused(write(tmp_path / "bad", plain), "'threshold' of the probe", said)


def test_numbers_beyond_floats_and_lines_in_names_do_not_pass(tmp_path: Path, plain: dict) -> None:
    told = json.dumps(plain).replace("0.875", "1e999")
    refused(write(tmp_path / "inf", metadata={"wager.probe": told}), "holds a number that is not finite")
    plain["probe"] |= {"model": plain["probe"]["model"] | {"name": "two\nlines"}, "block": 9}
    refused(write(tmp_path / "lines", plain))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 3000), at=st.integers(0, 3000), byte=st.integers(0, 255))
def test_damaged_files_are_read_or_refused_and_nothing_else(tmp_path: Path, cut: int, at: int, byte: int) -> None:
    write_probe(tmp_path / "p", PROBE)
    data = bytearray((tmp_path / "p").read_bytes())
    data[at % len(data)] = byte
    (tmp_path / "bad").write_bytes(bytes(data[: max(1, len(data) - (cut if cut < 200 else 0))]))
    try:
        found = read_probe(tmp_path / "bad")
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017 - whichever byte it was
    else:
        assert np.linalg.norm(found.direction) == pytest.approx(1, abs=1e-3)
