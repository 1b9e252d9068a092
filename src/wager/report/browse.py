"""The single answers as columns for the page's browser: each text once, each row as numbers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from wager.answers import Outcome
from wager.table import AnswerTable

__all__ = ["answer_columns"]

TEXTS = ("model", "arm", "item", "outcome", "stratum", "question", "reference", "answer", "reply", "reason")
LIMITS = (4000, 1000, 300, 100)
BUDGET = 24_000_000
"""Characters of text that a browser opens in about a second; longer tables keep a shorter beginning of each text."""


def answer_columns(table: AnswerTable) -> dict[str, Any]:
    """The table as JSON values.

    Returns:
        ``n`` rows; ``texts``: by column, the distinct ``values`` and for each row the index of its value (-1: none);
        ``target``, ``answerable`` and ``confidence`` (by source) as plain columns; ``limit``: characters kept of each text;
        ``outcomes``: all outcome names in their order.
    """
    columns = {name: _distinct(table, name) for name in TEXTS}
    texts = [text for values, _ in columns.values() for text in values]
    limit = next((limit for limit in LIMITS if sum(min(len(text), limit) for text in texts) <= BUDGET), LIMITS[-1])
    return {
        "n": len(table),
        "texts": {name: {"values": [_cut(text, limit) for text in values], "codes": codes} for name, (values, codes) in columns.items()},
        "target": table.arrow.column("target").to_pylist(),
        "answerable": table.arrow.column("answerable").to_pylist(),
        "confidence": {source.value: [_rounded(v) for v in _confidence(table, source.value)] for source in table.sources},
        "outcomes": [outcome.value for outcome in Outcome],
        "limit": limit,
    }


def _distinct(table: AnswerTable, name: str) -> tuple[list[str], list[int]]:
    column = table.arrow.column(name)
    if name == "reference":
        column = pa.chunked_array([pa.array(["; ".join(map(str, row or ())) or None for row in column.to_pylist()], pa.string())])
    coded = column.combine_chunks().dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.fill_null(-1).to_pylist()


def _confidence(table: AnswerTable, source: str) -> list[float | None]:
    values: list[float | None] = table.arrow.column(f"confidence_{source}").to_pylist()
    return values


def _rounded(value: float | None) -> float | None:
    # NaN is no JSON value, and means the same as an empty cell here.
    return None if value is None or value != value else round(value, 4)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
