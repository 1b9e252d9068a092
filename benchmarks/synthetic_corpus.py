"""A synthetic corpus of (prompt, answer) rows with a Zipf-like law: birthdays asked in prompts that differ in case, blanks and punctuation.

Usage: python benchmarks/synthetic_corpus.py FILE.parquet ROWS [--jsonl]

Of the rows, 15 % have noise in the prompt, 5 % say "I don't know", and 2 % give another answer than the fact's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq

EXPONENT, SUPPORT, CHUNK = 1.05, 4e8, 1_000_000
MONTHS = pa.array(
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
)
FIRST = pa.array(
    [
        "Ada",
        "Bela",
        "Clara",
        "Dorothea",
        "Emil",
        "Frieda",
        "Gustav",
        "Henri",
        "Ines",
        "José",
        "Karl",
        "Lena",
        "Miguel",
        "Nora",
        "O'Neil",
        "Priya",
        "Quentin",
        "Rosa",
        "Søren",
        "Tomás",
    ]
)
SYLLABLES = pa.array(
    [
        a + b
        for a in ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"]
        for b in ["a", "e", "i", "o", "u", "an", "er", "il"]
    ]
)
TITLES = pa.array(["", "", "", "", "", "", "Dr. ", "Sir ", "Prof. ", "St. "])
UNKNOWN = pa.array(["I don't know.", "I don't know", "I'm not sure.", "Unknown"])


def people(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Whom each row asks for: a truncated Zipf law by its inverse."""
    u = rng.random(rows)
    power = 1 - EXPONENT
    return np.floor(((SUPPORT**power - 1) * u + 1) ** (1 / power)).astype(np.int64)


def names(who: np.ndarray) -> pa.Array:
    """Their names, different for different people."""
    digits, rest = [], who * 2654435761 % (1 << 34)  # spreads neighbours, one to one
    for _ in range(5):
        digits.append(SYLLABLES.take(pa.array(rest % len(SYLLABLES))))
        rest = rest // len(SYLLABLES)
    last = pc.utf8_title(pc.binary_join_element_wise(*digits, ""))
    return pc.binary_join_element_wise(
        TITLES.take(pa.array(who % len(TITLES))), FIRST.take(pa.array(who * 7 % len(FIRST))), pa.scalar(" "), last, ""
    )


def noisy(rng: np.random.Generator, prompts: pa.Array) -> pa.Array:
    """15 % of them in another case, with other blanks, or with other punctuation."""
    kind = rng.integers(0, 100, len(prompts))
    made = pc.if_else(pa.array(kind < 5), pc.utf8_lower(prompts), prompts)
    made = pc.if_else(pa.array((kind >= 5) & (kind < 9)), pc.replace_substring(prompts, " ", "  "), made)
    return pc.if_else(pa.array((kind >= 9) & (kind < 15)), pc.binary_join_element_wise(pc.utf8_rtrim(prompts, "?"), "!?", " "), made)


def rows(rng: np.random.Generator, count: int) -> pa.Table:
    """So many rows."""
    who = people(rng, count)
    prompts = noisy(rng, pc.binary_join_element_wise(pa.scalar("On which day was "), names(who), pa.scalar(" born?"), ""))
    fact = np.where(rng.random(count) < 0.02, rng.integers(0, 1 << 40, count), who * 40503)
    answers = pc.binary_join_element_wise(
        MONTHS.take(pa.array(fact % 12)),
        pc.binary_join_element_wise(pc.cast(pa.array(fact // 12 % 28 + 1), pa.string()), pa.scalar(","), ""),
        pc.cast(pa.array(1800 + fact // 336 % 200), pa.string()),
        " ",
    )
    abstains = rng.random(count) < 0.05
    answers = pc.if_else(pa.array(abstains), UNKNOWN.take(pa.array(rng.integers(0, len(UNKNOWN), count))), answers)
    return pa.table({"prompt": prompts, "answer": answers})


def write(path: Path, count: int, *, seed: int = 0) -> None:
    """Writes so many rows as Parquet, or as JSON lines if the name ends so."""
    rng = np.random.default_rng(seed)
    schema = pa.schema([("prompt", pa.string()), ("answer", pa.string())])
    chunks = (rows(rng, min(CHUNK, count - start)) for start in range(0, count, CHUNK))
    if path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as file:
            for chunk in chunks:
                lines = pc.binary_join_element_wise(
                    pa.scalar('{"prompt": "'), chunk["prompt"], pa.scalar('", "answer": "'), chunk["answer"], pa.scalar('"}\n'), ""
                )
                file.writelines(lines.to_pylist())
        return
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for chunk in chunks:
            writer.write_table(chunk, row_group_size=122_880)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(float(sys.argv[2])))
