"""The embedded engine under the load of `wager eval`: every country in five arms. Prints calls per second and tokens by layout.

    python benchmarks/embedded.py [countries]

The limit is tokens: the two rightmost columns say how many were read and written each second; a prompt's shared beginning
(system prompt, question) need not be read again where reuse works.
"""

import sys
import time

from wager.models.engine import Engine, EngineSettings
from wager.models.weights import embedded_weights
from wager.targets import DEFAULT_TARGETS, ConfidenceTarget

COUNTRIES = [
    "France",
    "Bhutan",
    "Kenya",
    "Peru",
    "Laos",
    "Chad",
    "Mali",
    "Oman",
    "Fiji",
    "Cuba",
    "Togo",
    "Iraq",
    "Iran",
    "Nepal",
    "India",
    "China",
    "Japan",
    "Spain",
    "Italy",
    "Malta",
    "Benin",
    "Gabon",
    "Ghana",
    "Niger",
    "Qatar",
    "Sudan",
    "Syria",
    "Yemen",
    "Haiti",
    "Samoa",
    "Tonga",
    "Palau",
    "Nauru",
    "Libya",
    "Egypt",
    "Chile",
    "Brazil",
    "Canada",
    "Mexico",
    "Panama",
]

LAYOUTS = [(1, 1, True), (2, 1, True), (2, 2, True), (1, 2, True), (1, 2, False), (1, 4, True)]


def prompts(countries: int, *, by_item: bool) -> list[str]:
    notes = ["", *(f"\n\n{ConfidenceTarget(t).instruction()}" for t in DEFAULT_TARGETS)]
    questions = [f"What is the capital of {country}?" for country in COUNTRIES[:countries]]
    if by_item:
        return [question + note for question in questions for note in notes]
    return [question + note for note in notes for question in questions]


def main() -> None:
    countries = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    path = embedded_weights()
    print(f"{'threads':>7} {'slots':>5} {'reuse':>5} {'order':>8} {'calls/s':>8} {'reused':>7} {'read/s':>7} {'written/s':>9}")
    for threads, slots, reuse in LAYOUTS:
        for by_item in (True, False):
            engine = Engine(path, EngineSettings(context=256, threads=threads, slots=slots, reuse=reuse))
            texts = prompts(countries, by_item=by_item)
            started = time.perf_counter()
            futures = [
                engine.submit(
                    {
                        "messages": [{"role": "user", "content": text}],
                        "max_tokens": 32,
                        "temperature": 0,
                        "logprobs": True,
                        "top_logprobs": 1,
                    }
                )
                for text in texts
            ]
            usages = [future.result()["usage"] for future in futures]
            seconds = time.perf_counter() - started
            cached = sum(usage["prompt_tokens_details"]["cached_tokens"] for usage in usages)
            read = sum(usage["prompt_tokens"] for usage in usages) - cached
            written = sum(usage["completion_tokens"] for usage in usages)
            order = "by item" if by_item else "by arm"
            print(
                f"{threads:7d} {slots:5d} {reuse!s:>5} {order:>8} {len(texts) / seconds:8.2f} {cached / (cached + read):6.0%} "
                f"{read / seconds:7.0f} {written / seconds:9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
