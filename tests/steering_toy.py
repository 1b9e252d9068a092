"""Tiny transformers for the tests of steering: random ones, and one whose blocks do nothing, so that its numbers can be worked by hand."""

from typing import Any

TEMPLATE = "{% for one in messages %}<{{ one.role }}> {{ one.content }} {% endfor %}<reply>"
SPECIAL = ["<eos>", "<system>", "<user>", "<reply>"]
WORDS = [f"w{number}" for number in range(28)]


def tiny_tokenizer(words: list[str] = WORDS) -> Any:
    """A token for each word, ``<eos>`` for one it does not know; the reply ends with ``<eos>``."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = Tokenizer(models.WordLevel({word: at for at, word in enumerate([*SPECIAL, *words])}, unk_token="<eos>"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token="<eos>", pad_token="<eos>")
    made.chat_template = TEMPLATE
    return made


def tiny_model(
    kind: str = "llama", *, layers: int = 3, width: int = 16, vocabulary: int = len(SPECIAL) + len(WORDS), longest: int = 64
) -> Any:
    """Random weights, the same at every call; large enough that replies differ."""
    import torch
    from transformers import AutoModelForCausalLM, GPT2Config, GPTNeoXConfig, LlamaConfig, Qwen2Config

    same: dict[str, Any] = {"vocab_size": vocabulary, "initializer_range": 0.4, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    many = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "max_position_embeddings": longest,
    }
    config = {
        "llama": lambda: LlamaConfig(**same, **many, num_key_value_heads=1),
        "qwen2": lambda: Qwen2Config(**same, **many, num_key_value_heads=1),
        "gpt2": lambda: GPT2Config(**same, n_embd=width, n_layer=layers, n_head=2, n_positions=longest),
        "gpt_neox": lambda: GPTNeoXConfig(**same, **many),
    }[kind]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return AutoModelForCausalLM.from_config(config).eval()


def user(*texts: str) -> list[list[dict[str, str]]]:
    """A chat of one message for each text."""
    return [[{"role": "user", "content": text}] for text in texts]
