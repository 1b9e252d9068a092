"""The embedded model: a small language model in this process, and any GGUF file, as Inspect providers.

In: messages. Out: replies with token log-probabilities and usage. May import layer 0; knows Inspect in `provider` only.
`weights` fetches and checks the file, `engine` runs it on llama.cpp, `schedule` orders requests by shared prefix,
`provider` speaks Inspect. `embedding` and `entailment` say whether two texts mean the same.
Model: SmolLM2-135M-Instruct (Allal et al. 2025, arXiv 2502.02737), Apache-2.0.
"""
