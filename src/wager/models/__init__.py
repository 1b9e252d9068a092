"""The embedded model: a small language model in this process, and any GGUF file, as Inspect providers.

In: messages. Out: replies with token log-probabilities and usage. May import layer 0; knows Inspect in `provider` and `likelihood_inspect`.
`weights` fetches and checks the file, `engine` runs it on llama.cpp, `schedule` orders requests by shared prefix,
`provider` speaks Inspect. `embedding` and `entailment` say whether two texts mean the same. `likelihood` says how probable a model makes
given responses: `likelihood_llama`, `likelihood_torch`, `likelihood_server` and `likelihood_inspect` are the ways to get that,
`likelihood_tree` reads each beginning once. A further way is one more file, named in `likelihood.likelihood`.
Model: SmolLM2-135M-Instruct (Allal et al. 2025, arXiv 2502.02737), Apache-2.0.
"""
