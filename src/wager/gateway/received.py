"""What a model's server sent, read with suspicion: JSON texts, headers, the list of models."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from wager.gateway.upstream import UpstreamError

__all__ = ["CONTROL", "first_model", "json_of", "safe_headers"]

PASSED_ON = frozenset(
    {"content-type", "x-request-id", "retry-after", "retry-after-ms", "openai-processing-ms", "openai-version", "openai-model"}
)
"""Response headers that clients may see, besides those that begin with `PASSED_ON_FAMILY`. ``openai-organization`` and ``openai-project``
name the operator's account and stay here."""

PASSED_ON_FAMILY = "x-ratelimit-"

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""Characters that end a line, turn its direction, or steer a terminal."""


def json_of(body: bytes | bytearray | memoryview, *, what: str = "the answer") -> Any:
    """The value of a JSON text.

    What some servers send though JSON has no word for it is read as well: NaN and infinities (null), half of a surrogate pair (``?``).

    Raises:
        UpstreamError: 502, the bytes are no UTF-8 or no JSON.

    >>> json_of(b'{"logprob": -Infinity}')
    {'logprob': None}
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        text = bytes(body).decode("utf-8")
    except UnicodeDecodeError:
        raise UpstreamError(502, f"{what} of the upstream is no valid UTF-8", code="upstream_invalid") from None
    try:
        loose = json.loads(text, parse_constant=lambda _: None)
        return orjson.loads(json.dumps(loose, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise UpstreamError(502, f"{what} of the upstream is no valid JSON", code="upstream_invalid") from None


def safe_headers(headers: Mapping[str, str], *, key: str | None = None) -> dict[str, str]:
    """The headers that a client may see, in lower case; one that holds the key is left out."""
    kept: dict[str, str] = {}
    for name, value in headers.items():
        low = name.lower()
        if (low in PASSED_ON or low.startswith(PASSED_ON_FAMILY)) and not (key and key in value):
            kept[low] = value
    return kept


def first_model(listed: Any) -> str | None:
    """The first name in an answer to ``GET /models``; None where it holds none."""
    rows = listed.get("data") if isinstance(listed, dict) else listed
    names = [row.get("id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return next((name for name in names if isinstance(name, str) and name and not CONTROL.search(name)), None)
