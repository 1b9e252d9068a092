"""Do two answers mean the same? Real models: a tiny classifier trained here, and the embedded model."""

import itertools
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import absent
from wager.errors import DataError, MissingExtraError, ModelError, UsageError
from wager.models.embedding import ALONE, Embedding, Reading, numbers_agree
from wager.models.entailment import DEFAULT, Entailment, relations_of
from wager.models.weights import embedded_weights

COLOURS = ("red", "blue", "green", "white")
SENTENCES = [f"it is {denial}{colour}" for colour in COLOURS for denial in ("", "not ")]
PAIRS = list(itertools.product(SENTENCES, SENTENCES))
LABELS = {0: "CONTRADICTION", 1: "Entailment", 2: "neutral"}
"""In the order of no published model, so that a fixed order would fail."""


def truth(premise: str, hypothesis: str) -> str:
    if premise == hypothesis:
        return "entails"
    return "contradicts" if premise.split()[-1] == hypothesis.split()[-1] else "neutral"


def save_tokenizer(folder: Path) -> Any:
    from transformers import BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "it", "is", "not", "what", "colour", *COLOURS]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = BertTokenizerFast.from_pretrained(folder, model_max_length=24)
    tokenizer.save_pretrained(folder)
    return tokenizer


def tiny_config(labels: dict[int, str]) -> Any:
    from transformers import BertConfig

    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "max_position_embeddings": 24}
    quiet = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.2}
    return BertConfig(vocab_size=14, **sizes, **quiet, id2label=labels, label2id={name: at for at, name in labels.items()})


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a BERT of two layers that has learnt the 64 pairs of `SENTENCES` by heart (about 3 seconds)."""
    if not (find_spec("torch") and find_spec("transformers")):
        absent("the extra nli (torch, transformers)")
    import torch
    from transformers import BertForSequenceClassification

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on tensors this small, threads wait for each other
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("classifier")
    inputs = save_tokenizer(folder)([one for one, _ in PAIRS], [other for _, other in PAIRS], padding=True, return_tensors="pt")
    wanted = torch.tensor([["contradicts", "entails", "neutral"].index(truth(*pair)) for pair in PAIRS])
    model = BertForSequenceClassification(tiny_config(LABELS))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(400):
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits, wanted, weight=torch.tensor([8.0, 8.0, 1.3]))
        if loss.item() < 0.02:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.save_pretrained(folder)
    yield folder
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def entails(classifier: Path) -> Entailment:
    return Entailment(classifier, batch=10, local_files_only=True)


def test_a_classifier_on_disk_says_what_it_was_trained_to_say_of_every_ordered_pair(entails: Entailment) -> None:
    assert entails.relations == ("contradicts", "entails", "neutral")
    assert entails(PAIRS) == [truth(*pair) for pair in PAIRS]


def test_both_directions_are_asked_apart(entails: Entailment) -> None:
    forward = entails.probabilities([("it is red", "it is not blue")])
    back = entails.probabilities([("it is not blue", "it is red")])
    assert not np.allclose(forward, back, atol=1e-6)
    same = entails([(one, one) for one in SENTENCES])
    assert same == ["entails"] * len(SENTENCES)


def test_neither_the_batch_nor_the_order_of_pairs_changes_what_is_said(entails: Entailment, classifier: Path) -> None:
    longer = [("it is red what colour it is", "it is not white"), ("red", "it is not not blue")]
    one_by_one = np.concatenate([entails.probabilities([pair]) for pair in [*longer, *PAIRS]])
    together = Entailment(str(classifier), batch=100, local_files_only=True).probabilities([*PAIRS[::-1], *longer[::-1]])
    assert np.allclose(together[::-1], one_by_one, atol=1e-5)
    assert np.allclose(one_by_one.sum(axis=1), 1)


def test_the_question_is_read_before_both_answers(entails: Entailment) -> None:
    said = entails.about("what colour is it")(PAIRS[:9])
    assert said == entails([(f"what colour is it {one}", f"what colour is it {other}") for one, other in PAIRS[:9]])


def test_no_pairs_are_no_relations(entails: Entailment) -> None:
    assert entails([]) == []
    assert entails.probabilities([]).shape == (0, 3)


def test_a_pair_that_is_too_long_or_blank_is_refused_and_not_cut(entails: Entailment) -> None:
    with pytest.raises(DataError, match=r"a pair of 33 tokens is longer than the 24 that .* reads"):
        entails([("it is red", "it is blue"), ("red " * 15, "blue " * 15)])
    with pytest.raises(DataError, match=r"a blank text .* got the pair \('it is red', ' '\)"):
        entails([("it is red", " ")])


@pytest.mark.parametrize(
    ("labels", "relations"),
    [
        ({0: "ENTAILMENT", 1: "NEUTRAL", 2: "CONTRADICTION"}, ("entails", "neutral", "contradicts")),
        ({2: "entailment", 0: "contradiction", 1: "neutral"}, ("contradicts", "neutral", "entails")),
        ({0: "entailment", 1: "not_entailment"}, ("entails", "neutral")),
        ({0: "Not-Entailment", 1: "Entailment"}, ("neutral", "entails")),
    ],
)
def test_labels_mean_what_they_say_in_any_order(labels: dict[int, str], relations: tuple[str, ...]) -> None:
    assert relations_of(labels, "a model") == relations


@pytest.mark.parametrize(
    "labels",
    [
        {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"},
        {0: "positive", 1: "negative"},
        {0: "neutral", 1: "contradiction"},
        {0: "entailment", 1: "entails", 2: "neutral"},
        {0: "entailment", 1: "neutral", 2: "contradiction", 3: "other"},
        {0: "entailment"},
    ],
)
def test_other_labels_are_refused_and_never_guessed(labels: dict[int, str]) -> None:
    with pytest.raises(ModelError, match=rf"the labels of 'a model' are '{labels[0]}'.*such as '{DEFAULT}'"):
        relations_of(labels, "a model")


def test_numbered_labels_are_refused_before_weights_are_read(classifier: Path, tmp_path: Path) -> None:
    save_tokenizer(tmp_path)
    tiny_config({0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"correct id2label in its config\.json"):
        Entailment(tmp_path, local_files_only=True)


def test_a_model_whose_head_was_never_trained_is_refused(classifier: Path, tmp_path: Path) -> None:
    from transformers import BertModel

    save_tokenizer(tmp_path)
    BertModel(tiny_config(LABELS)).save_pretrained(tmp_path)
    tiny_config(LABELS).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"no trained weights for classifier\.bias, classifier\.weight"):
        Entailment(tmp_path, local_files_only=True)


def test_pickled_weights_are_not_loaded(classifier: Path, tmp_path: Path) -> None:
    import torch
    from transformers import BertForSequenceClassification

    save_tokenizer(tmp_path)
    model = BertForSequenceClassification(tiny_config(LABELS))
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"cannot be loaded .*safetensors"):
        Entailment(tmp_path, local_files_only=True)


def test_what_cannot_be_loaded_is_said_in_one_line(classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no folder at .*nowhere"):
        Entailment(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="the model 'nobody/no-such-model' cannot be loaded") as caught:
        Entailment("nobody/no-such-model", local_files_only=True)
    assert "\n" not in str(caught.value)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((classifier / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes((classifier / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        Entailment(tmp_path, local_files_only=True)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="at least 1 at a time, got batch=0"):
        Entailment(classifier, batch=0)


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not find_spec("torch"):
        absent("torch")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"needs the package '{package}': run  python -m pip install 'wager\[nli\]'"):
        Entailment()


@pytest.fixture(scope="module")
def embedding() -> Iterator[Embedding]:
    embedding = Embedding(context=256)
    yield embedding
    embedding.close()


SAME = [("Paris", "It's Paris, France."), ("The capital is Lima.", "Lima, of course."), ("Oslo", "I believe it is Oslo.")]
OTHER = [("Paris", "It's Lyon, France."), ("The capital is Lima.", "Cusco, of course."), ("Oslo", "I believe it is Bergen.")]
QUESTION = "What is the capital?"


def test_the_embedded_model_tells_the_same_capital_from_another_one(embedding: Embedding) -> None:
    assert embedding.about(QUESTION)(SAME + OTHER) == ["entails"] * 3 + ["contradicts"] * 3
    same, other = (embedding.cosines(pairs, question=QUESTION) for pairs in (SAME, OTHER))
    assert min(same) > max(other)


def test_cosines_are_the_same_in_both_directions_and_one_of_a_text_with_itself(embedding: Embedding) -> None:
    pairs = SAME + OTHER
    back = [(other, one) for one, other in pairs]
    assert np.array_equal(embedding.cosines(pairs), embedding.cosines(back))
    assert embedding(pairs) == embedding(back)
    assert np.allclose(embedding.cosines([("Oslo", "Oslo"), ("Oslo", " Oslo\n")]), 1)
    assert embedding([("Oslo", "Oslo")]) == ["entails"]


def test_vectors_have_unit_length_and_do_not_depend_on_what_else_is_asked(embedding: Embedding) -> None:
    texts = ["Lima", "It is the city of Lima in Peru, on the coast.", "9", "10"]
    together = embedding.vectors(texts)
    assert together.shape == (4, 576)
    assert np.allclose(np.linalg.norm(together, axis=1), 1)
    fresh = Embedding(context=128)
    alone = np.concatenate([fresh.vectors([text]) for text in reversed(texts)])[::-1]
    fresh.close()
    assert np.all((together * alone).sum(axis=1) > 0.9999)


def test_a_text_that_was_seen_is_not_read_again_and_a_closed_model_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    embedding = Embedding(context=128)
    loads: list[int] = []
    load = embedding._load
    monkeypatch.setattr(embedding, "_load", lambda: loads.append(1) or load())
    assert embedding.cosines([]).shape == (0,)
    assert loads == []
    first = embedding.vectors(["Lima", "Lima"])
    embedding.close()
    assert np.array_equal(embedding.vectors(["Lima"])[0], first[0])
    assert loads == [1]
    embedding.vectors(["Quito"])
    assert loads == [1, 1]
    monkeypatch.setattr("wager.models.embedding.CACHED", 1)
    embedding.vectors(["Bern"])  # and Lima is forgotten
    embedding.close()
    assert np.allclose(embedding.vectors(["Lima"])[0], first[0], atol=1e-6)
    assert loads == [1, 1, 1]
    embedding.close()


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("12", "13", False),
        ("1972", "14 December 1972", True),
        ("3 May 1972", "14 December 1972", False),
        ("1,200,000 people", "1200000", True),
        ("1, 200", "1200", False),
        ("2012-08-05", "August 5, 2012", True),
        ("twelve", "13", True),
        ("Lima", "Cusco", True),
    ],
)
def test_numbers_in_digits_agree_where_those_of_one_text_are_in_the_other(one: str, other: str, agree: bool) -> None:
    assert numbers_agree(one, other) is numbers_agree(other, one) is agree


def test_digits_decide_before_the_cosine(embedding: Embedding) -> None:
    pair = ("There are 12.", "There are 13.")
    assert embedding.cosines([pair])[0] >= ALONE.threshold
    assert embedding([pair]) == ["contradicts"]


def test_another_reading_and_pooling_can_be_chosen() -> None:
    plain = Embedding(embedded_weights(), pooling="mean", alone=Reading(prompt="{text}", threshold=-1.0), context=64)
    assert plain([("Oslo", "{text} of {what}")]) == ["entails"]
    plain.close()


def test_embedding_errors_are_said_in_one_line(embedding: Embedding, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a blank text has no meaning to compare, got ' ' at place 1"):
        embedding.vectors(["Lima", " "])
    with pytest.raises(DataError, match="longer than the context of 256 tokens"):
        embedding.vectors(["word " * 300])
    with pytest.raises(ModelError, match="no model file at"):
        Embedding(tmp_path / "none.gguf")
    half = tmp_path / "half.gguf"
    with embedded_weights().open("rb") as whole:
        half.write_bytes(whole.read(1 << 20))
    with pytest.raises(ModelError, match="cut off or of an unknown architecture"):
        Embedding(half).vectors(["Lima"])
    with pytest.raises(UsageError, match="got 'cls'"):
        Embedding(pooling="cls")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 1 thread, got 0"):
        Embedding(threads=0)
    with pytest.raises(UsageError, match="at least 64 tokens, got 8"):
        Embedding(context=8)
    with pytest.raises(UsageError, match=r"lacks \{question\}"):
        Embedding(asked=ALONE)
    with pytest.raises(UsageError, match=r"in \[-1, 1\], got nan"):
        Embedding(alone=Reading(prompt="{text}", threshold=float("nan")))


def test_an_absent_llama_cpp_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError, match=r"'wager\[embedded\]'"):
        Embedding().vectors(["Lima"])
