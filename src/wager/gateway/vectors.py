"""Answers to ``/embeddings`` from the embedded model, where no upstream serves them.

A chat model is no embedding model: see `wager.models.embedding` for what its vectors can and cannot tell. The model's name in the
answer says where they come from.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from wager.errors import DataError, ModelError
from wager.gateway.upstream import Json, UpstreamError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wager.models.embedding import Embedding

__all__ = ["embedded_vectors"]

MOST_TEXTS = 256
"""In one request: each costs a pass of the model."""

AT_ONCE = 8
"""Texts between which a request that was given up is noticed."""


async def embedded_vectors(embedding: Embedding, body: bytes | None, *, name: str) -> bytes:
    """The answer to an OpenAI embeddings request: unit vectors, as numbers or base64 of single-precision floats.

    Args:
        embedding: the model; it runs in a thread.
        body: the request.
        name: the model's name in the answer.

    Raises:
        UpstreamError: 400, the request asks for what is not there; 502, the model failed.
    """
    texts, encoded = _texts(body)
    vectors: list[NDArray[np.float64]] = []
    try:
        for first in range(0, len(texts), AT_ONCE):
            vectors.extend(await asyncio.to_thread(embedding.vectors, texts[first : first + AT_ONCE]))
    except DataError as error:
        raise _refusal(str(error)) from None
    except ModelError as error:
        raise UpstreamError(502, str(error)) from None
    rows: list[Json] = [
        {"object": "embedding", "index": place, "embedding": _encoded(vector) if encoded else vector.tolist()}
        for place, vector in enumerate(vectors)
    ]
    return orjson.dumps({"object": "list", "model": name, "data": rows})


def _texts(body: bytes | None) -> tuple[list[str], bool]:
    """The texts of a request, and whether vectors are wanted as base64."""
    try:
        request: Any = orjson.loads(body or b"")
    except orjson.JSONDecodeError:
        raise _refusal("the body is no JSON") from None
    given = request.get("input") if isinstance(request, dict) else None
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise _refusal("input is a text or a list of texts; lists of token numbers are not read")
    if len(texts) > MOST_TEXTS:
        raise _refusal(f"input holds at most {MOST_TEXTS} texts, got {len(texts)}")
    encoding = request.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise _refusal(f"encoding_format is 'float' or 'base64', got {str(encoding)[:40]!r}")
    if request.get("dimensions") is not None:
        raise _refusal("the embedded model's vectors have one length: leave out dimensions")
    return texts, encoding == "base64"


def _encoded(vector: NDArray[np.float64]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _refusal(message: str) -> UpstreamError:
    return UpstreamError(400, message, kind="invalid_request_error")
