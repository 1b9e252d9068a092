"""Vector files: ours, llama.cpp's and persona_vectors': round trips, other programs' readers, and files that are damaged or hostile."""

import ctypes
import dataclasses
import importlib.util
import json
import os
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import absent
from wager.errors import DataError, MissingExtraError, OutputError, UsageError, WagerError
from wager.steering.backend import ModelIdentity
from wager.steering.vector import Card, Vector
from wager.steering.vector_card import CHECKS, card_from_text, card_to_text
from wager.steering.vector_file import read_vector, write_vector
from wager.steering.vector_gguf import from_gguf, to_gguf
from wager.steering.vector_pt import from_pt, to_pt

CASES = Path(__file__).parent / "cases"
MODEL = ModelIdentity(name="embedded", architecture="llama", blocks=4, width=3, vocabulary=7, tokens="t" * 64, weights="w" * 64)
CARD = Card(
    trait="calm",
    model=MODEL,
    method="pca",
    elicitation="teacher-forced",
    pool="prompt_last",
    block=2,
    norms={1: 5.0, 2: 10.0},
    counts={"positive": 100, "positive kept": 92, "ungraded": 1},
    stability={2: 0.875},
    hashes={"trait": "0" * 64},
    band=(-0.75, 0.5),
    receipts={"sweep": [[-0.5, 0.4], [0.0, 0.1]], "note": "naïve — <b>", "none": None},
    made={"wager": "0.7", "seed": "3"},
)
VECTOR = Vector({0: np.array([1, 0, 0], np.float32), 1: np.array([0, 2, 0], np.float32), 2: np.array([3, 0, 4], np.float32)}, CARD)


@pytest.fixture(autouse=True, scope="module")
def _safetensors() -> None:
    if importlib.util.find_spec("safetensors") is None:
        absent("the package safetensors")


@pytest.fixture(scope="module")
def gguf() -> Any:
    try:
        import gguf
    except ImportError:
        absent("the package gguf")
    return gguf


@pytest.fixture(scope="module")
def torch() -> Any:
    try:
        import torch
    except ImportError:
        absent("the package torch")
    return torch


def one_line(caught: pytest.ExceptionInfo[WagerError], *said: str) -> None:
    text = str(caught.value)
    assert "\n" not in text
    for part in said:
        assert part in text


# --- ours


def test_a_vector_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_vector(tmp_path / "calm.safetensors", VECTOR)
    assert read_vector(tmp_path / "calm.safetensors") == VECTOR
    assert [path.name for path in tmp_path.iterdir()] == ["calm.safetensors"]


def test_the_same_vector_makes_the_same_bytes(tmp_path: Path) -> None:
    write_vector(tmp_path / "one", VECTOR)
    write_vector(tmp_path / "two", Vector(dict(reversed(VECTOR.directions.items())), CARD))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_file_of_the_first_schema_stays_readable() -> None:
    assert read_vector(CASES / "steering_vector_v1.safetensors") == VECTOR


def test_each_field_of_a_card_has_a_check() -> None:
    assert set(CHECKS) == {field.name for field in dataclasses.fields(Card)}


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | finite | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.dictionaries(st.integers(0, 3), st.tuples(finite, finite, finite), min_size=1),
    trait=st.text(),
    norms=st.dictionaries(st.integers(0, 3), st.floats(1e-6, 1e6)),
    receipts=st.dictionaries(st.text(), plain, max_size=3),
)
def test_any_vector_survives_its_file(
    tmp_path: Path, blocks: dict[int, Any], trait: str, norms: dict[int, float], receipts: dict[str, Any]
) -> None:
    try:
        (trait + "".join(receipts) + json.dumps(receipts, ensure_ascii=False)).encode()
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    card = dataclasses.replace(CARD, trait=trait, norms=norms, receipts=receipts)
    vector = Vector({block: np.array(values, np.float32) for block, values in blocks.items()}, card)
    write_vector(tmp_path / "v", vector)
    assert read_vector(tmp_path / "v") == vector


def test_the_block_of_the_card_can_be_replaced(tmp_path: Path) -> None:
    write_vector(tmp_path / "v", VECTOR)
    assert read_vector(tmp_path / "v", block=1).at()[0] == 1
    with pytest.raises(UsageError, match="has blocks 0 to 2, got 3"):
        read_vector(tmp_path / "v", block=3)


def test_a_vector_of_another_model_is_refused(tmp_path: Path) -> None:
    write_vector(tmp_path / "v", VECTOR)
    assert read_vector(tmp_path / "v", model=dataclasses.replace(MODEL, weights="others")) == VECTOR
    with pytest.raises(UsageError, match="another family"):
        read_vector(tmp_path / "v", model=dataclasses.replace(MODEL, tokens="u"))


def test_a_card_with_what_json_has_not_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    for value in (float("nan"), np.zeros(2), object()):
        with pytest.raises(UsageError, match="cannot be written"):
            write_vector(tmp_path / "v", Vector(VECTOR.directions, dataclasses.replace(CARD, receipts={"x": value})))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError):
        write_vector(tmp_path / "none" / "v", VECTOR)


def ours(path: Path, *, tensors: dict[str, Any] | None = None, card: Any = None, key: str = "wager") -> Path:
    """A file with these tensors and this card in place of the right ones."""
    import safetensors.numpy

    text = card if isinstance(card, str) else json.dumps(card if card is not None else json.loads(card_to_text(CARD)))
    path.write_bytes(safetensors.numpy.save({"block.2": np.ones(3, np.float32)} if tensors is None else tensors, metadata={key: text}))
    return path


def changed(**changes: Any) -> dict[str, Any]:
    data = json.loads(card_to_text(CARD))
    data["card"] |= changes
    return dict(data)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"block.2": np.ones(4, np.float32)}, "shape (4,); expected F32 of shape (3,)"),
        ({"block.2": np.ones((1, 3), np.float32)}, "shape (1, 3)"),
        ({"block.2": np.ones(3, np.float64)}, "is F64"),
        ({"block.2": np.array([1, np.nan, 0], np.float32)}, "not finite"),
        ({"block.4": np.ones(3, np.float32)}, "blocks 0 to 3"),
        ({"block.02": np.ones(3, np.float32)}, "'block.02'"),
        ({"block.٢": np.ones(3, np.float32)}, "a vector has 'block.0'"),
        ({"../../x": np.ones(3, np.float32)}, "a vector has 'block.0'"),
        ({"model.weight": np.ones(3, np.float32)}, "'model.weight'"),
        ({}, "no direction at any block"),
    ],
)
def test_tensors_that_are_not_directions_are_refused(tmp_path: Path, tensors: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_vector(ours(tmp_path / "v", tensors=tensors))
    one_line(caught, said, str(tmp_path))


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ({"schema": 2, "card": {}}, "schema 2"),
        ({"schema": True, "card": {}}, "schema True"),
        ({"schema": 1}, "lacks: 'card'"),
        ({"schema": 1, "card": {}}, "lacks: 'model', 'trait'"),
        (changed(evil=1), "unknown keys: 'evil'"),
        (changed(trait=5), "is a text, got 5"),
        (changed(block=-1), "whole number from 0"),
        (changed(block=4), "names block 4"),
        (changed(block=True), "whole number"),
        (changed(norms={"1": 0.0}), "length above 0"),
        (changed(norms={"1": "long"}), "finite number"),
        (changed(norms={"01": 1.0}), "key '01'"),
        (changed(norms={"9": 1.0}), "names block 9"),
        (changed(norms=[1.0]), "JSON object"),
        (changed(stability={"1": 2.0}), "is a cosine"),
        (changed(counts={"positive": 1.5}), "whole number"),
        (changed(band=[0.5, -0.5]), "lowest and a highest"),
        (changed(band=[0.5]), "pair of doses"),
        (changed(method="magic"), "one of mean difference"),
        (changed(pool=[]), "one of prompt_last"),
        (changed(model={"name": "x"}), "lacks:"),
        (changed(model=json.loads(card_to_text(CARD))["card"]["model"] | {"width": 0}), "at least one block and a width"),
        (card_to_text(CARD).replace("5.0", "NaN"), "NaN is no JSON number"),
        (card_to_text(CARD).replace("5.0", "1e999"), "finite number, got inf"),
    ],
)
def test_a_card_that_is_not_one_is_refused(tmp_path: Path, card: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_vector(ours(tmp_path / "v", card=card))
    one_line(caught, said)


def test_a_card_without_optional_fields_takes_their_defaults() -> None:
    data = {"schema": 1, "card": {name: json.loads(card_to_text(CARD))["card"][name] for name in ("trait", "model")}}
    assert card_from_text(json.dumps(data), "x") == Card(trait="calm", model=MODEL)


def test_other_files_are_told_apart_from_damaged_ones(tmp_path: Path) -> None:
    import safetensors.numpy

    path = tmp_path / "v.safetensors"
    for data, said in (
        (b"", "no vector file"),
        (b"MZ", "no vector file"),
        (b"{}" * 50, "has a header of"),
        (struct.pack("<Q", 2**40) + b'{"a":1}', "header of"),
        (struct.pack("<Q", 9) + b'{"a":}   ', "damaged or no safetensors"),
        (safetensors.numpy.save({"w": np.ones(3, np.float32)}), "without a card"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError) as caught:
            read_vector(path)
        one_line(caught, said)
    with pytest.raises(DataError, match="No such file"):
        read_vector(tmp_path / "absent")
    with pytest.raises(DataError, match="cannot read"):
        read_vector(tmp_path)


@pytest.mark.parametrize("kind", ["safetensors", "gguf", "pt"])
def test_every_cut_off_file_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    if kind == "pt":
        pytest.importorskip("torch")
    path = tmp_path / f"v.{kind}"
    {"safetensors": write_vector, "gguf": to_gguf, "pt": to_pt}[kind](path, VECTOR)
    whole = path.read_bytes()
    read_vector(path)
    last = len(whole) - (32 - 12) if kind == "gguf" else len(whole)  # the end of a GGUF file is padding
    for length in [*range(0, last, max(1, last // 60)), last - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(DataError) as caught:
            read_vector(path)
        one_line(caught, path.name)


@pytest.mark.parametrize("kind", ["safetensors", "gguf", "pt"])
def test_altered_bytes_never_raise_anything_but_our_errors(tmp_path: Path, kind: str) -> None:
    if kind == "pt":
        pytest.importorskip("torch")
    path = tmp_path / f"v.{kind}"
    {"safetensors": write_vector, "gguf": to_gguf, "pt": to_pt}[kind](path, VECTOR)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 700), 3):
            data[place] = rng.integers(0, 256)
        path.write_bytes(data)
        try:
            read_vector(path)
        except WagerError as error:
            refused += 1 if "\n" not in str(error) else -1000
    assert refused > 30


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, name in (("safetensors", "v"), ("torch", "v.pt")):
        (tmp_path / name).write_bytes(struct.pack("<Q", 2) + b"{}" if package == "safetensors" else b"PK\x03\x04")
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingExtraError, match=rf"needs the package '{package}'.*wager\[steer\]"):
            read_vector(tmp_path / name)
    to_gguf(tmp_path / "v.gguf", VECTOR)  # needs neither
    assert list(read_vector(tmp_path / "v.gguf").directions) == [1, 2]


# --- llama.cpp and repeng


def test_the_block_of_a_direction_is_its_number(tmp_path: Path, gguf: Any) -> None:
    assert to_gguf(tmp_path / "v.gguf", VECTOR) == (1, 2)
    reader = gguf.GGUFReader(tmp_path / "v.gguf")
    assert {tensor.name: tensor.data.tolist() for tensor in reader.tensors} == {"direction.1": [0, 2, 0], "direction.2": [3, 0, 4]}
    assert {tensor.tensor_type.name for tensor in reader.tensors} == {"F32"}
    assert reader.get_field("general.architecture").contents() == "controlvector"
    assert reader.get_field("controlvector.model_hint").contents() == "llama"
    assert reader.get_field("controlvector.layer_count").contents() == 2


def test_raw_directions_come_back_with_their_card_and_without_block_0(tmp_path: Path) -> None:
    to_gguf(tmp_path / "v", VECTOR)
    assert read_vector(tmp_path / "v") == Vector({1: VECTOR.directions[1], 2: VECTOR.directions[2]}, CARD)
    assert to_gguf(tmp_path / "v", VECTOR, block=1) == (1,)
    assert read_vector(tmp_path / "v").at()[0] == 1
    with pytest.raises(UsageError, match="start at block 1"):
        to_gguf(tmp_path / "v", VECTOR, block=0)


def test_a_file_at_a_dose_holds_what_is_added(tmp_path: Path, gguf: Any) -> None:
    assert to_gguf(tmp_path / "v", VECTOR, dose=-0.5) == (2,)
    (tensor,) = gguf.GGUFReader(tmp_path / "v").tensors
    assert tensor.name == "direction.2"
    assert tensor.data.tolist() == [-3.0, 0.0, -4.0]  # -0.5 * 10 * (0.6, 0, 0.8)
    found = from_gguf(tmp_path / "v", MODEL)
    assert found.card.norms == {}  # what was measured along the direction is not said of the push
    with pytest.raises(UsageError, match="no length of activations"):
        to_gguf(tmp_path / "v", Vector({3: np.ones(3, np.float32)}, CARD), dose=0.5, block=3)


def repeng_file(gguf: Any, path: Path, directions: dict[int, Any], *, arch: str = "controlvector") -> Path:
    """As repeng's ``ControlVector.export_gguf`` writes it: blocks from the last to block 1."""
    writer = gguf.GGUFWriter(path, arch)
    writer.add_string("controlvector.model_hint", "mistral")
    writer.add_uint32("controlvector.layer_count", len(directions))
    for number in directions:
        writer.add_tensor(f"direction.{number}", directions[number])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_repengs_files_are_read(tmp_path: Path, gguf: Any) -> None:
    rng = np.random.default_rng(0)
    directions = {number: rng.normal(size=50).astype(np.float32) for number in (3, 2, 1)}
    found = read_vector(repeng_file(gguf, tmp_path / "honest.gguf", directions), trait="honesty", block=2)
    assert list(found.directions) == [1, 2, 3]
    assert all(np.array_equal(found.directions[number], directions[number]) for number in directions)
    assert (found.card.trait, found.card.method, found.card.block, found.card.norms) == ("honesty", "imported", 2, {})
    assert (found.card.model.architecture, found.card.model.blocks, found.card.model.width, found.card.model.tokens) == (
        "mistral",
        4,
        50,
        "",
    )
    assert read_vector(tmp_path / "honest.gguf").card.trait == "honest"


def test_files_that_are_one_late_are_shifted_back(tmp_path: Path, gguf: Any) -> None:
    directions = {number: np.full(3, number, np.float32) for number in (1, 2, 4)}
    path = repeng_file(gguf, tmp_path / "late.gguf", directions)
    assert {block: values[0] for block, values in from_gguf(path, MODEL, shift=-1).directions.items()} == {0: 1, 1: 2, 3: 4}
    with pytest.raises(DataError, match="blocks 0 to 3, got 4"):
        from_gguf(path, MODEL)
    with pytest.raises(DataError, match="before the first block"):
        from_gguf(path, MODEL, shift=-2)
    to_gguf(tmp_path / "ours", VECTOR)
    with pytest.raises(UsageError, match="need no shift"):
        from_gguf(tmp_path / "ours", shift=-1)


def test_a_control_vector_of_another_width_is_refused(tmp_path: Path, gguf: Any) -> None:
    path = repeng_file(gguf, tmp_path / "v", {1: np.ones(5, np.float32)})
    with pytest.raises(DataError, match=r"width 3, got shape \(5,\)"):
        read_vector(path, model=MODEL)
    uneven = repeng_file(gguf, tmp_path / "w", {1: np.ones(5, np.float32), 2: np.ones(4, np.float32)})
    with pytest.raises(DataError, match=r"width 5, got shape \(4,\)"):
        read_vector(uneven)


def test_other_gguf_files_are_refused(tmp_path: Path, gguf: Any) -> None:
    one = {1: np.ones(3, np.float32)}
    for name, made, said in (
        ("arch", repeng_file(gguf, tmp_path / "a", one, arch="llama"), "GGUF file of 'llama', not a control vector"),
        ("half", repeng_file(gguf, tmp_path / "b", {1: np.ones(3, np.float16)}), "GGML type 1"),
        ("matrix", repeng_file(gguf, tmp_path / "c", {1: np.ones((2, 3), np.float32)}), "2 dimensions"),
        ("nan", repeng_file(gguf, tmp_path / "d", {1: np.full(3, np.nan, np.float32)}), "not finite"),
        ("none", repeng_file(gguf, tmp_path / "e", {}), "holds no direction"),
    ):
        with pytest.raises(DataError) as caught:
            read_vector(made)
        one_line(caught, said, str(made)), name


def key(name: str, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", kind) + value


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (struct.pack("<IQQ", 3, 0, 2**60), "claims"),
        (struct.pack("<IQQ", 3, 2**63, 0), "claims"),
        (struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (struct.pack(">IQQ", 3, 0, 0), "little-endian"),
        (struct.pack("<IQQ", 3, 0, 0), "general.architecture is missing"),
        (struct.pack("<IQQ", 3, 0, 1) + key("k", 9, struct.pack("<IQ", 0, 2**60)), "ends within its header"),
        (struct.pack("<IQQ", 3, 0, 1) + key("k", 9, struct.pack("<IQ", 8, 2**60)), "ends within its header"),
        (struct.pack("<IQQ", 3, 0, 1) + key("k", 9, struct.pack("<IQ", 9, 2**60)), "array of type 9"),
        (struct.pack("<IQQ", 3, 0, 1) + key("k", 77, b""), "value of type 77"),
        (struct.pack("<IQQ", 3, 0, 1) + key("k", 8, struct.pack("<Q", 2**64 - 1)), "ends within its header"),
        (struct.pack("<IQQ", 3, 0, 1) + key("general.architecture", 4, struct.pack("<I", 5)), "not a control vector"),
    ],
)
def test_hostile_gguf_headers_end_at_once(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "v").write_bytes(b"GGUF" + data)
    with pytest.raises(DataError) as caught:
        read_vector(tmp_path / "v")
    one_line(caught, said)


def test_a_gguf_value_past_the_end_is_refused(tmp_path: Path) -> None:
    to_gguf(tmp_path / "v", VECTOR, block=1)
    whole = (tmp_path / "v").read_bytes()
    name = whole.index(b"direction.1") + len("direction.1")
    for place, value in ((name + 4, 2**61), (name + 16, 2**63)):  # width, offset
        (tmp_path / "v").write_bytes(whole[:place] + struct.pack("<Q", value) + whole[place + 8 :])
        with pytest.raises(DataError, match="ends before the values"):
            read_vector(tmp_path / "v")


def test_llama_cpp_itself_reads_our_control_vectors(tmp_path: Path) -> None:
    try:
        import xllamacpp
    except ImportError:
        absent("the package xllamacpp")
    library = ctypes.CDLL(str(next(Path(str(xllamacpp.__file__)).parent.glob("xllamacpp*.so"))))
    answers: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "gguf_init_from_file": (ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)),
        "gguf_free": (None, (ctypes.c_void_p,)),
        "gguf_get_n_tensors": (ctypes.c_int64, (ctypes.c_void_p,)),
        "gguf_get_tensor_name": (ctypes.c_char_p, (ctypes.c_void_p, ctypes.c_int64)),
        "gguf_get_tensor_offset": (ctypes.c_size_t, (ctypes.c_void_p, ctypes.c_int64)),
        "gguf_get_data_offset": (ctypes.c_size_t, (ctypes.c_void_p,)),
        "gguf_find_key": (ctypes.c_int64, (ctypes.c_void_p, ctypes.c_char_p)),
        "gguf_get_val_str": (ctypes.c_char_p, (ctypes.c_void_p, ctypes.c_int64)),
    }
    for name, (result, arguments) in answers.items():
        getattr(library, name).restype, getattr(library, name).argtypes = result, arguments
    to_gguf(tmp_path / "v.gguf", VECTOR)
    context = library.gguf_init_from_file(os.fsencode(tmp_path / "v.gguf"), 1, None)  # True: without memory for tensors
    assert context
    try:
        assert library.gguf_get_val_str(context, library.gguf_find_key(context, b"general.architecture")) == b"controlvector"
        data, start, found = (tmp_path / "v.gguf").read_bytes(), library.gguf_get_data_offset(context), {}
        for number in range(library.gguf_get_n_tensors(context)):
            place = start + library.gguf_get_tensor_offset(context, number)
            found[library.gguf_get_tensor_name(context, number)] = np.frombuffer(data[place : place + 12], "<f4").tolist()
    finally:
        library.gguf_free(context)
    assert found == {b"direction.1": [0, 2, 0], b"direction.2": [3, 0, 4]}


# --- persona_vectors


def test_row_l_of_persona_vectors_is_block_l_minus_1(tmp_path: Path, torch: Any) -> None:
    rows = torch.arange(15, dtype=torch.float32).reshape(5, 3)
    torch.save(rows, tmp_path / "evil_response_avg_diff.pt")
    found = read_vector(tmp_path / "evil_response_avg_diff.pt", model=MODEL, trait="evil", block=0)
    assert {block: values.tolist() for block, values in found.directions.items()} == {k: rows[k + 1].tolist() for k in range(4)}
    assert (found.card.trait, found.card.method, found.card.block, found.card.model) == ("evil", "imported", 0, MODEL)
    alone = read_vector(tmp_path / "evil_response_avg_diff.pt")
    assert (alone.card.model.blocks, alone.card.model.width, alone.card.trait) == (4, 3, "evil_response_avg_diff")


def test_a_pt_file_is_written_with_the_embeddings_row_empty(tmp_path: Path, torch: Any) -> None:
    assert to_pt(tmp_path / "v.pt", VECTOR) == (0, 1, 2)
    rows = torch.load(tmp_path / "v.pt", weights_only=True)
    assert rows.tolist() == [[0, 0, 0], [1, 0, 0], [0, 2, 0], [3, 0, 4], [0, 0, 0]]
    found = from_pt(tmp_path / "v.pt", MODEL)
    assert list(found.directions) == [0, 1, 2]  # block 3 had none, and has none


def test_other_layouts_are_rows_by_block_and_one_direction(tmp_path: Path, torch: Any) -> None:
    assert to_pt(tmp_path / "v.pt", VECTOR, layout="blocks", dose=0.5) == (2,)
    assert torch.load(tmp_path / "v.pt", weights_only=True).tolist() == [[0, 0, 0], [0, 0, 0], [3, 0, 4], [0, 0, 0]]
    assert list(from_pt(tmp_path / "v.pt", MODEL, layout="blocks").directions) == [2]
    with pytest.raises(DataError, match=r"has \(5, 3\); with one row less it would be layout='blocks'"):
        from_pt(tmp_path / "v.pt", MODEL)
    assert to_pt(tmp_path / "w.pt", VECTOR, layout="direction", block=1) == (1,)
    assert torch.load(tmp_path / "w.pt", weights_only=True)["dir"].tolist() == [0, 2, 0]


def test_half_precision_is_read(tmp_path: Path, torch: Any) -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        torch.save(torch.full((5, 3), 0.5, dtype=dtype), tmp_path / "v.pt")
        assert read_vector(tmp_path / "v.pt").directions[3].tolist() == [0.5] * 3


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("old", [False, True])
def test_a_pt_file_with_code_is_refused_and_the_code_does_not_run(tmp_path: Path, torch: Any, old: bool) -> None:
    torch.save({"v": torch.ones(5, 3), "x": Evil(tmp_path / "ran")}, tmp_path / "v.pt", _use_new_zipfile_serialization=not old)
    with pytest.raises(DataError) as caught:
        read_vector(tmp_path / "v.pt")
    one_line(caught, "could run code", "refused")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(DataError) as caught:
        read_vector(tmp_path / "plain.pt")
    one_line(caught, "plain.pt")
    assert not (tmp_path / "ran").exists()


def test_pt_files_of_other_things_are_refused(tmp_path: Path, torch: Any) -> None:
    path = tmp_path / "v.pt"
    for held, said in (
        ({"a": torch.ones(2)}, "holds a dict"),
        (torch.ones(5), "shape (5,)"),
        (torch.ones(5, 3, 1), "shape (5, 3, 1)"),
        (torch.ones(0, 3), "shape (0, 3)"),
        (torch.ones(1, 3), "none for a block"),
        (torch.ones(5, 3, dtype=torch.int64), "tensor of int64"),
        (torch.ones(5, 3, dtype=torch.complex64), "complex64"),
        (torch.ones(5, 3).to_sparse(), "sparse"),
        (torch.full((5, 3), float("nan")), "not finite"),
        (torch.zeros(5, 3), "no direction"),
        (torch.ones(1).expand(2**20, 2**12), "shape (1048576, 4096)"),  # 4 bytes that claim 16 GB
    ):
        torch.save(held, path)
        with pytest.raises(DataError) as caught:
            read_vector(path)
        one_line(caught, said)
    path.write_text("not a tensor")
    with pytest.raises(DataError) as caught:
        read_vector(path)
    one_line(caught, str(path))
