"""A causal language model of transformers with its tokenizer, loaded or wrapped, and who it is: digests of its tokens and weights.

Weights are read from safetensors or GGUF, never from pickles, and no code that comes with a model is run.
"""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wager.errors import MissingExtraError, ModelError, OutputError
from wager.models.engine import check_gguf
from wager.models.transformers import packages, quiet
from wager.steering.backend import ModelIdentity, token_digest
from wager.steering.hf_blocks import find_blocks, text_config

__all__ = ["Loaded", "identity_of", "load", "save", "state_digest"]

PATIENCE = 5.0
"""Seconds in which the Hugging Face hub has to answer, where its own variable HF_HUB_ETAG_TIMEOUT says nothing else."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model in memory."""

    network: Any
    """A causal language model of transformers, ready to be read."""
    tokenizer: Any
    identity: ModelIdentity


def load(model: str | Path, *, name: str | None, gguf_file: str | None) -> Loaded:
    """Loads from a folder, a GGUF file or the hub, on the accelerator that torch finds, else on the CPU in float32.

    Raises:
        MissingExtraError: torch, transformers or, for GGUF, gguf or accelerate is not installed.
        ModelError: the model cannot be loaded, or is no causal language model.
    """
    torch, transformers = packages()
    place = Path(model).expanduser()
    if gguf_file is None and place.suffix == ".gguf":
        place, gguf_file = place.parent, place.name
        named = name or f"gguf/{model}"
    else:
        named = name or (f"gguf/{model}/{gguf_file}" if gguf_file else f"hf/{place.name if place.is_dir() else model}")
    if not place.is_dir() and str(model).startswith(("/", ".", "~")):
        raise ModelError(f"no folder at {str(place)!r}; give the folder that holds the model's config.json, or a GGUF file")
    if gguf_file is not None:
        for package in ("gguf", "accelerate"):
            if find_spec(package) is None:
                raise MissingExtraError(package, "hf", "a GGUF file in transformers")
        if place.is_dir():
            check_gguf(place / gguf_file)
    source = str(place.resolve()) if place.is_dir() else str(model)
    accelerator = torch.accelerator
    device = accelerator.current_accelerator() if accelerator.is_available() else torch.device("cpu")
    options: dict[str, Any] = {"trust_remote_code": False} | ({"gguf_file": gguf_file} if gguf_file else {})
    if not place.is_dir() and not _hub_answers(source, gguf_file, named):
        options["local_files_only"] = True
    tokenizer = _loaded(named, lambda: transformers.AutoTokenizer.from_pretrained(source, **options))
    options |= {"use_safetensors": True, "dtype": torch.float32 if device.type == "cpu" else "auto", "output_loading_info": True}
    with quiet(transformers):
        network, info = _loaded(named, lambda: transformers.AutoModelForCausalLM.from_pretrained(source, **options))
    if info["missing_keys"]:  # transformers draws them at random and goes on
        raise ModelError(f"{named!r} holds no weights for {', '.join(sorted(info['missing_keys'])[:3])}: no causal language model")
    network = network.eval().to(device)
    weights = _file_digest(_files(source, gguf_file)) or state_digest(network)
    return Loaded(network=network, tokenizer=tokenizer, identity=identity_of(network, tokenizer, name=named, weights=weights))


def identity_of(network: Any, tokenizer: Any, *, name: str, weights: str) -> ModelIdentity:
    """Who a model is; its tokens as a GGUF file would store them, so that both backends agree."""
    config = text_config(network)
    known = len(tokenizer)
    count = max(known, int(getattr(config, "vocab_size", 0) or 0))
    texts = tokenizer.convert_ids_to_tokens(list(range(known)))
    # an embedding with more rows than tokens: the converter of llama.cpp fills the rest in this way
    texts = [f"[PAD{at}]" if text is None else text for at, text in enumerate([*texts, *[None] * (count - known)])]
    return ModelIdentity(
        name=name,
        architecture=str(config.model_type),
        blocks=len(find_blocks(network)),
        width=int(config.hidden_size),
        vocabulary=count,
        tokens=token_digest(texts),
        weights=weights,
    )


def state_digest(network: Any) -> str:
    """SHA-256 of the weights in memory: names, types, shapes and bytes, in the order of the names."""
    import torch

    made = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            made.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
            made.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return made.hexdigest()


def save(loaded: Loaded, folder: Path) -> None:
    """Writes the model as safetensors with its tokenizer, so that it loads in seconds.

    A model that came from GGUF counts as quantised for transformers, which then refuses to save it; a new one of the same config takes its
    weights (twice the memory while it is written).

    Raises:
        OutputError: it cannot be written there.
    """
    import torch

    config = copy.deepcopy(loaded.network.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    state = {name: tensor.detach().cpu() for name, tensor in loaded.network.state_dict().items()}
    with torch.random.fork_rng(devices=[]):  # the new one draws weights that nobody sees
        fresh = type(loaded.network)(config).to(loaded.network.dtype)
    fresh.load_state_dict(state)
    if getattr(loaded.network, "generation_config", None) is not None:
        fresh.generation_config = copy.deepcopy(loaded.network.generation_config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with quiet(packages()[1]):
            fresh.save_pretrained(folder)
        loaded.tokenizer.save_pretrained(folder)
    except OSError as error:
        raise OutputError(f"the model cannot be saved in {str(folder)!r}: {error.strerror or error}") from error


def _hub_answers(source: str, gguf_file: str | None, name: str) -> bool:
    """Whether the hub is there, asked once: transformers asks for each of a dozen files five times, a minute without a network.

    Raises:
        ModelError: it is not, and the model is not in the cache either.
    """
    from huggingface_hub import constants, errors, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

    asked = gguf_file or "config.json"
    try:
        timeout = constants.HF_HUB_ETAG_TIMEOUT if "HF_HUB_ETAG_TIMEOUT" in os.environ else PATIENCE
        get_hf_file_metadata(hf_hub_url(source, asked), timeout=timeout)
    except (errors.HfHubHTTPError, errors.HFValidationError):  # an answer; what it means is for transformers to say
        return True
    except Exception as error:  # of the HTTP library under the hub's, which has changed over its versions
        if isinstance(try_to_load_from_cache(source, asked), str):
            return False
        raise ModelError(
            f"{name!r} is no folder here and not in the cache of the Hugging Face hub, and {constants.ENDPOINT} cannot be reached"
            f" ({type(error).__name__}); check the name and the connection, or give a folder that holds the model"
        ) from error
    return True


def _loaded(name: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # damaged and foreign files make the loaders raise anything; each is the user's to know
        line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(
            f"the model {name!r} cannot be loaded ({line}); give a folder that holds a causal language model in safetensors, a GGUF file "
            "that transformers reads, or the name of one on the Hugging Face hub"
        ) from error


def _files(source: str, gguf_file: str | None) -> list[Path]:
    """The files that the weights came from; none where they cannot be told."""
    from transformers.utils.hub import cached_file

    folder = Path(source)
    if not folder.is_dir():
        found = cached_file(source, gguf_file or "config.json", local_files_only=True, _raise_exceptions_for_missing_entries=False)
        if found is None:
            return []
        folder = Path(found).parent
    if gguf_file:
        return [folder / gguf_file]
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("model-*-of-*.safetensors"))


def _file_digest(files: list[Path]) -> str | None:
    """SHA-256 of a file, as other backends say it; of several, that of their digests in the order of the names."""
    digests = []
    for one in files:
        with one.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256"))
    if len(digests) < 2:
        return digests[0].hexdigest() if digests else None
    return hashlib.sha256(b"".join(one.digest() for one in digests)).hexdigest()
