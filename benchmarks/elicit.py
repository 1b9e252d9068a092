"""What all methods cost beside the samples that the dearest of them needs: 100 capitals, K = 5, on the embedded model.

    python benchmarks/elicit.py [--limit 100] [--draws 5]

The limit is tokens: a CPU reads and writes a few hundred a second. Two counts: all tokens, as a provider bills them, and those that
were really computed, since a prefix that a slot has read is not read again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from wager.evals.collect import Collected
from wager.evals.run import run
from wager.evals.settings import EvalSettings


def measured(name: str, collected: Collected, calls: int, first: tuple[int, int] | None) -> tuple[int, int]:
    tokens = collected.tokens_in + collected.tokens_out
    cached = collected.tokens_cached
    if collected.costs:
        tokens = sum(cost.tokens for cost in collected.costs.values())
        cached = sum(cost.tokens_cached for cost in collected.costs.values())
    computed = tokens - cached
    ratio = "" if first is None else f"  {tokens / first[0]:.2f}  {computed / first[1]:.2f}"
    print(f"{name:24} {calls:6,} calls  {tokens:8,} tokens  {computed:8,} computed{ratio}", flush=True)
    return tokens, computed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    shared = {"task": "wager/capitals", "model": "embedded/smollm2-135m-instruct", "arms": ("closed",), "limit": options.limit}
    with tempfile.TemporaryDirectory() as folder:
        alone = run(EvalSettings(**shared, samples=options.draws, temperature=1.0, logprobs=False, out=Path(folder) / "alone"))
        first = measured(f"{options.draws} samples alone", alone, alone.calls, None)
        elicited = run(EvalSettings(**shared, methods=("all",), draws=options.draws, logprobs=False, out=Path(folder) / "all"))
        for name, cost in elicited.costs.items():
            print(f"  {name:22} {cost.calls:6,} calls  {cost.tokens:8,} tokens  {cost.tokens - cost.tokens_cached:8,} computed")
        measured("all methods", elicited, sum(cost.calls for cost in elicited.costs.values()), first)


if __name__ == "__main__":
    main()
