"""Samples as keys, batch by batch: the same code in every engine that runs Python, so that all count the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from wager.corpus.abstained import abstaining
from wager.corpus.extractors import Extractor
from wager.corpus.words import words_of

__all__ = ["KEYED", "PAIRS", "Totals", "extracted", "keyed", "stated"]

KEYED = pa.schema([("raw", pa.string()), ("prompt", pa.string()), ("answer", pa.string()), ("abstains", pa.bool_())])
"""The prompt as it stands, its words, the answer's words, and whether it says "I don't know"."""

PAIRS = pa.schema([("prompt", pa.string()), ("answer", pa.string())])


class Totals:
    """What has gone by so far."""

    def __init__(self) -> None:
        self.all = self.abstained = self.no_prompt = self.no_answer = 0

    def named(self) -> dict[str, int]:
        """As `wager.facts.FactCounts` names them."""
        return {"all": self.all, "abstained": self.abstained, "no prompt": self.no_prompt, "no answer": self.no_answer}


def keyed(batches: Iterable[pa.RecordBatch], totals: Totals) -> Iterator[pa.RecordBatch]:
    """Keys of the samples that can be used; the others are counted.

    Args:
        batches: columns ``prompt`` and ``answer``.
        totals: counts them on the way.
    """
    for batch in batches:
        raw, said = _text(batch.column(0)), _text(batch.column(1))
        prompt, answer = words_of(raw), words_of(said)
        has_prompt, has_answer = _full(prompt), _full(answer)
        usable = has_prompt & has_answer
        kept = int(usable.sum())
        if kept < len(usable):
            totals.no_prompt += int((~has_prompt).sum())
            totals.no_answer += int((has_prompt & ~has_answer).sum())
            mask = pa.array(usable)
            raw, said, prompt, answer = (column.filter(mask) for column in (raw, said, prompt, answer))
        abstains = abstaining(said, answer)
        totals.all += kept
        totals.abstained += abstains.true_count
        yield pa.RecordBatch.from_arrays([raw, prompt, answer, abstains], schema=KEYED)


def stated(samples: pa.RecordBatch) -> pa.RecordBatch:
    """The samples whose answer says something: neither lacking nor "I don't know".

    Args:
        samples: columns ``prompt`` and ``answer``.
    """
    said = _text(samples.column(1))
    answer = words_of(said)
    return samples.filter(pa.array(_full(answer) & ~abstaining(said, answer).to_numpy(zero_copy_only=False)))


def _text(column: pa.Array) -> pa.StringArray:
    return column if column.type == pa.string() else pc.cast(column, pa.string())


def _full(keys: pa.StringArray) -> NDArray[np.bool_]:
    return np.asarray(pc.greater(pc.binary_length(keys), 0).fill_null(False))


def extracted(batches: Iterable[pa.RecordBatch], extractor: Extractor) -> Iterator[pa.RecordBatch]:
    """Pairs that an extractor finds in texts.

    Args:
        batches: one column of texts.
        extractor: finds them.
    """
    for batch in batches:
        found = [pair for text in batch.column(0).to_pylist() if text for pair in extractor(text)]
        prompts, answers = zip(*found, strict=True) if found else ((), ())
        yield pa.RecordBatch.from_arrays([pa.array(prompts, pa.string()), pa.array(answers, pa.string())], schema=PAIRS)
