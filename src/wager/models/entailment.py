"""Natural-language inference: does one text follow from another? A sequence classifier of Hugging Face transformers in this process.

In: ordered pairs (premise, hypothesis). Out: the label that the classifier gives most to, as a relation. Farquhar et al. (2024), Nature
630, cluster sampled answers so, with DeBERTa trained on MNLI (Williams et al. 2018, arXiv 1704.05426), and put the question before each
answer: `Entailment.about`. Weights are read from safetensors only, and no code that comes with a model is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError, MissingExtraError, ModelError, UsageError

__all__ = ["DEFAULT", "Entailment", "Relation", "relations_of"]

Relation = Literal["entails", "neutral", "contradicts"]
"""Of an ordered pair (premise, hypothesis)."""

DEFAULT = "cross-encoder/nli-deberta-v3-small"
"""A small model (142M parameters) trained on SNLI and MNLI."""

PURPOSE = "natural-language inference"

RELATION_OF: Mapping[str, Relation] = {
    "entailment": "entails",
    "entails": "entails",
    "neutral": "neutral",
    "not_entailment": "neutral",  # a model of two labels cannot tell a contradiction from what has nothing to do with it
    "contradiction": "contradicts",
    "contradicts": "contradicts",
}
"""Labels as published models write them, in small letters."""


class Entailment:
    """A loaded classifier of pairs. Call it with pairs; `about` puts a question before both texts.

    >>> entails = Entailment()                                                  # doctest: +SKIP
    >>> entails([("It is Paris, France.", "It is Paris."), ("It is Lyon.", "It is Paris.")])    # doctest: +SKIP
    ['entails', 'contradicts']
    """

    def __init__(self, model: str | Path = DEFAULT, *, batch: int = 32, local_files_only: bool = False) -> None:
        """Loads the model, on the accelerator that torch finds, else on the CPU, in float32.

        Args:
            model: a name on the Hugging Face hub, or a folder with ``config.json``, a tokenizer and ``model.safetensors``.
            batch: pairs read at a time, at least 1; changes speed and memory, not verdicts.
            local_files_only: use what was downloaded before, and never the network.

        Raises:
            MissingExtraError: transformers or torch is not installed.
            ModelError: no such folder, no network, no safetensors, no trained classifier, or labels that are not those of inference.
        """
        if batch < 1:
            raise UsageError(f"pairs are read at least 1 at a time, got batch={batch}")
        self._torch, transformers = _packages()
        self.name = str(model)
        where = {"local_files_only": local_files_only, "trust_remote_code": False}
        source = _source(model)
        config = self._loaded(lambda: transformers.AutoConfig.from_pretrained(source, **where))
        self.relations = relations_of(config.id2label, self.name)
        self._tokenizer = self._loaded(lambda: transformers.AutoTokenizer.from_pretrained(source, **where))
        self._model = self._classifier(transformers, source, where)
        self._longest = min(self._tokenizer.model_max_length, getattr(config, "max_position_embeddings", 512))
        self._batch = batch

    def _classifier(self, transformers: Any, source: str, where: dict[str, bool]) -> Any:  # Any: loaded by name, without types
        load = transformers.AutoModelForSequenceClassification.from_pretrained
        options = {"use_safetensors": True, "dtype": self._torch.float32, "output_loading_info": True}
        model, info = self._loaded(lambda: load(source, **options, **where))
        if info["missing_keys"]:  # transformers draws them at random and goes on
            lacking = ", ".join(sorted(info["missing_keys"])[:3])
            raise ModelError(
                f"{self.name!r} holds no trained weights for {lacking}: it is no classifier of pairs; name one such as {DEFAULT!r}"
            )
        accelerator = self._torch.accelerator
        self._device = accelerator.current_accelerator() if accelerator.is_available() else self._torch.device("cpu")
        return model.eval().to(self._device)

    def _loaded(self, load: Callable[[], Any]) -> Any:
        try:
            return load()
        except ImportError as error:
            raise ModelError(f"the model {self.name!r} needs a package that is not installed: {_line(error)}") from error
        except Exception as error:  # damaged and foreign files make the loaders raise anything; each is the user's to know
            raise ModelError(
                f"the model {self.name!r} cannot be loaded ({_line(error)}); give the name of a model on the Hugging Face hub that has "
                f"safetensors, such as {DEFAULT!r}, or a folder that holds one"
            ) from error

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """What the classifier gives each label, shape (N, labels) in the order of `relations`; rows sum to 1. Not calibrated.

        Raises:
            DataError: a pair is longer than the model reads, or one of its texts is blank.
        """
        blank = next((pair for pair in pairs if not (pair[0].strip() and pair[1].strip())), None)
        if blank is not None:
            raise DataError(f"a blank text entails nothing and is not asked about, got the pair {blank!r}")
        found = np.zeros((len(pairs), len(self.relations)), dtype=np.float64)
        lengths = self._lengths(pairs)
        for start in range(0, len(pairs), self._batch):
            taken = np.argsort(lengths, kind="stable")[start : start + self._batch]  # alike lengths waste no padding
            found[taken] = self._softmax([pairs[at] for at in taken])
        return found

    def _lengths(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.intp]:
        if not pairs:
            return np.zeros(0, dtype=np.intp)
        ids = self._tokenizer([one for one, _ in pairs], [other for _, other in pairs], verbose=False)["input_ids"]
        lengths = np.asarray([len(one) for one in ids], dtype=np.intp)
        if lengths.max() > self._longest:
            raise DataError(
                f"a pair of {lengths.max()} tokens is longer than the {self._longest} that {self.name!r} reads: compare shorter answers "
                "or single claims; nothing is cut off, because what is cut off could be the difference"
            )
        return lengths

    def _softmax(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        premises, hypotheses = [one for one, _ in pairs], [other for _, other in pairs]
        inputs = self._tokenizer(premises, hypotheses, padding=True, return_tensors="pt").to(self._device)
        with self._torch.inference_mode():
            logits = self._model(**inputs).logits.double().cpu()
        return np.asarray(self._torch.softmax(logits, dim=-1).numpy(), dtype=np.float64)

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        """The likeliest relation of each ordered pair (premise, hypothesis)."""
        return [self.relations[at] for at in self.probabilities(pairs).argmax(axis=1)]

    def about(self, question: str) -> Callable[[Sequence[tuple[str, str]]], list[Relation]]:
        """The relation between answers to one question: both texts are read after it ("Who wrote it? Kafka")."""
        return lambda pairs: self([(f"{question} {one}", f"{question} {other}") for one, other in pairs])


def relations_of(labels: Mapping[int, str], name: str) -> tuple[Relation, ...]:
    """What each output of a classifier says, from its own ``id2label``: entailment, neutral and contradiction in any order and case, or
    entailment and not_entailment, whose second is neutral.

    Raises:
        ModelError: other labels; numbered ones (``LABEL_0``) do not say which output means what.

    >>> relations_of({0: "CONTRADICTION", 1: "entailment", 2: "Neutral"}, "a model")
    ('contradicts', 'entails', 'neutral')
    """
    written = [labels[at] for at in sorted(labels)]
    known = [RELATION_OF.get(label.strip().casefold().replace("-", "_").replace(" ", "_")) for label in written]
    relations = tuple(one for one in known if one is not None)
    if len(relations) < len(written) or "entails" not in relations or len(set(relations)) < max(2, len(relations)):
        shown = ", ".join(map(repr, written[:5])) + (", ..." if len(written) > 5 else "")
        raise ModelError(
            f"the labels of {name!r} are {shown}; a model of inference has "
            f"entailment, neutral and contradiction, or entailment and not_entailment: correct id2label in its config.json, or name one "
            f"such as {DEFAULT!r}"
        )
    return relations


def _packages() -> tuple[Any, Any]:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "nli", PURPOSE) from error
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("transformers", "nli", PURPOSE) from error
    return torch, transformers


def _source(model: str | Path) -> str:
    """A name for the hub as it is; a path only if there is a folder, because transformers would look for it on the hub."""
    path = Path(model).expanduser()
    if path.is_dir():
        return str(path)
    if isinstance(model, Path) or path.is_absolute() or model.startswith((".", "~")):
        raise ModelError(f"no folder at {str(path)!r}; give a folder with config.json, a tokenizer and model.safetensors")
    return model


def _line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
