"""Likelihoods from any causal language model of Hugging Face transformers, in this process.

A prompt is read once and its keys and values are kept; the responses are read after it in batches, padded on the right, where a causal
model cannot see it. Responses that differ in their last token only share a row. Weights are read from safetensors (or a GGUF file that
transformers can read), and no code that comes with a model is run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wager.errors import ModelError, UsageError
from wager.models.likelihood import checked_responses, checked_temperatures
from wager.models.likelihood_tree import Tokens, split
from wager.models.transformers import packages, quiet

__all__ = ["TorchLikelihood"]

Floats = NDArray[np.float64]


class TorchLikelihood:
    """A causal language model with its tokenizer."""

    tempered = True

    def __init__(self, model: str | Path, *, batch: int = 32, reuse: bool = True) -> None:
        """Loads the model, on the accelerator that torch finds, else on the CPU, in float32 on a CPU and else as it is stored.

        Args:
            model: a folder with ``config.json``, a tokenizer and ``model.safetensors``, or a name on the Hugging Face hub.
            batch: rows read at a time, at least 1; changes speed and memory, not results.
            reuse: keep a prompt's keys and values for its responses.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            ModelError: the model cannot be loaded, or is no causal language model.
        """
        if batch < 1:
            raise UsageError(f"rows are read at least 1 at a time, got batch={batch}")
        self._torch, transformers = packages()
        folder = Path(model).expanduser()
        if not folder.is_dir() and str(model).startswith(("/", ".", "~")):
            raise ModelError(f"no folder at {str(folder)!r}; give the folder that holds the model's config.json")
        source = str(folder.resolve()) if folder.is_dir() else str(model)
        self.name = f"hf/{folder.name if folder.is_dir() else model}"
        accelerator = self._torch.accelerator
        self._device = accelerator.current_accelerator() if accelerator.is_available() else self._torch.device("cpu")
        dtype = self._torch.float32 if self._device.type == "cpu" else "auto"
        self._tokenizer = self._loaded(lambda: transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False))
        load = transformers.AutoModelForCausalLM.from_pretrained
        options = {"use_safetensors": True, "trust_remote_code": False, "dtype": dtype, "output_loading_info": True}
        with quiet(transformers):
            network, info = self._loaded(lambda: load(source, **options))
        if info["missing_keys"]:  # transformers draws them at random and goes on
            raise ModelError(f"{self.name!r} holds no weights for {', '.join(sorted(info['missing_keys'])[:3])}: no causal language model")
        self._model = network.eval().to(self._device)
        self._batch, self._reuse = batch, reuse
        self.about = {"torch": str(self._torch.__version__), "transformers": str(transformers.__version__), "model": self.name}

    def _loaded(self, load: Callable[[], Any]) -> Any:
        try:
            return load()
        except Exception as error:  # damaged and foreign files make the loaders raise anything; each is the user's to know
            line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(
                f"the model {self.name!r} cannot be loaded ({line}); give a folder that holds a causal language model in safetensors, or "
                "the name of one on the Hugging Face hub"
            ) from error

    def turn(self, question: str) -> tuple[str, str]:
        """The tokenizer's chat template, and its end-of-sequence token."""
        if not self._tokenizer.chat_template or not self._tokenizer.eos_token:
            raise UsageError(f"{self.name} has no chat template; leave out --chat")
        messages = [{"role": "user", "content": question}]
        before = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return str(before), str(self._tokenizer.eos_token)

    def score(
        self,
        prompts: Sequence[str],
        responses: Sequence[Sequence[str]],
        *,
        temperatures: Sequence[float] = (1.0,),
        done: Callable[[], None] | None = None,
    ) -> list[Floats | None]:
        """As `wager.models.likelihood.Likelihood.score`."""
        asked = checked_responses(prompts, responses)
        chosen = checked_temperatures(temperatures, self)
        made = []
        for prompt, listed in asked:
            made.append(self._one(prompt, listed, chosen))
            if done:
                done()
        return made

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        bos = self._tokenizer.bos_token
        special = not (bos and texts[0].startswith(bos))  # a chat template may have put it there
        ids = self._tokenizer(texts, add_special_tokens=special, verbose=False)["input_ids"]
        eos = self._tokenizer.eos_token_id
        appended = special and all(one[-1:] == [eos] for one in ids) and not texts[0].endswith(str(self._tokenizer.eos_token))
        return [list(one[:-1] if appended else one) for one in ids]

    def _one(self, prompt: str, responses: list[str], temperatures: tuple[float, ...]) -> Floats | None:
        trunk, *joint = self._tokens([prompt, *(prompt + one for one in responses)])
        listed = split(trunk, joint, responses, prompt)
        if not trunk:
            raise ModelError(f"{self.name} reads no token before the response to {prompt!r}; begin the prompt with a word")
        longest = getattr(self._model.config, "max_position_embeddings", None)
        if longest is not None and len(trunk) + max(map(len, listed)) > longest:
            return None
        rows: dict[Tokens, list[int]] = {}
        for number, tokens in enumerate(listed):
            rows.setdefault(tokens[:-1], []).append(number)
        order = sorted(rows, key=lambda row: (len(row), row))  # alike lengths waste no padding
        found = np.zeros((len(temperatures), len(listed)))
        with self._torch.inference_mode():
            kept = self._kept(trunk)
            for start in range(0, len(order), self._batch):
                batch = order[start : start + self._batch]
                ends = [[listed[number][-1] for number in rows[row]] for row in batch]
                for row, logprobs in zip(batch, self._read(trunk, batch, ends, kept, temperatures), strict=True):
                    found[:, rows[row]] = logprobs
        return np.minimum(found, 0.0)

    def _kept(self, trunk: list[int]) -> Any:  # Any: transformers' cache
        """Keys and values of all but the prompt's last token, which each row reads again; None if there is nothing to keep."""
        if not self._reuse or len(trunk) < 2:
            return None
        cache = self._model(self._tensor([trunk[:-1]]), use_cache=True, logits_to_keep=1).past_key_values
        return cache if hasattr(cache, "batch_repeat_interleave") else None

    def _read(
        self, trunk: list[int], batch: list[Tokens], ends: list[list[int]], kept: Any, temperatures: tuple[float, ...]
    ) -> list[Floats]:
        """For each row: log p of the row and each of its ends after the prompt, (T, ends)."""
        start = trunk[-1:] if kept is not None else trunk
        width = max(map(len, batch)) + 1
        texts = [[*start, *row, *[0] * (width - 1 - len(row))] for row in batch]
        options: dict[str, Any] = {"logits_to_keep": width}
        if kept is not None:
            past = copy.deepcopy(kept)
            past.batch_repeat_interleave(len(batch))
            options["past_key_values"] = past
        logits = self._model(self._tensor(texts), use_cache=kept is not None, **options).logits[:, -width:]
        return [
            np.stack([self._summed(logits[at, : len(row) + 1].double() / one, row, ends[at]) for one in temperatures])
            for at, row in enumerate(batch)
        ]

    def _summed(self, logits: Any, row: Tokens, ends: list[int]) -> Floats:
        """log p of a row's tokens in turn, and of each of its ends, from logits (row + 1, vocabulary)."""
        logprobs = self._torch.log_softmax(logits, dim=-1)
        path = sum(float(logprobs[place, token]) for place, token in enumerate(row))
        return np.asarray(logprobs[len(row), ends].cpu().numpy() + path, dtype=np.float64)

    def _tensor(self, rows: list[list[int]]) -> Any:  # Any: a tensor
        return self._torch.tensor(rows, dtype=self._torch.long, device=self._device)
