"""A server's error, as clients may see it: one line without control characters, never a key, never an HTML page."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from wager.gateway.received import CONTROL, json_of
from wager.gateway.upstream import UpstreamError

__all__ = ["error_of", "one_line", "refused", "retry_after"]

LONGEST_MESSAGE = 500
"""Characters of an upstream's message that are kept."""

TOO_LONG = frozenset({"exceed_context_size_error", "context_length_exceeded"})
"""Types and codes by which servers say that a prompt does not fit; OpenAI's clients look for the code ``context_length_exceeded``."""

_KEY_LIKE = re.compile(r"(?i)bearer\s+[^\s'\",;]+|\b(?:sk|pk|rk|gsk|xai|hf)[-_][\w*.\-]{6,200}")
_MARKUP = re.compile(r"(?i)<\s*(?:!doctype|html|head|body|script|style|title)\b")
_NAME = re.compile(r"[\w.:/-]{1,64}")


def one_line(text: str, *, key: str | None = None) -> str:
    """A server's message as one line that may be shown: no control characters, no key, no page; at most 500 characters.

    Args:
        text: as received.
        key: the key that the server was given; it and what looks like any key is replaced, also where only its ends are shown.

    >>> one_line("Incorrect API key provided: sk-abcd****wxyz.\\nSee the docs.")
    'Incorrect API key provided: [key] See the docs.'
    """
    text = text[: 20 * LONGEST_MESSAGE]
    if _MARKUP.search(text):
        return "the upstream sent a page instead of a message"
    if key:
        text = text.replace(key, "[key]")
        if len(key) >= 12:
            text = re.sub(re.escape(key[:4]) + r"[\w*.…\-]{0,200}" + re.escape(key[-4:]), "[key]", text)
    text = _KEY_LIKE.sub("[key]", CONTROL.sub(" ", text))
    text = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def refused(status: int, body: bytes, headers: Mapping[str, str], *, key: str | None = None, own_key: bool = True) -> UpstreamError:
    """The error for a response that is not a success.

    4xx keep their status, for the client can do something about them; but 401 becomes 502 where the key is the gateway's own: the
    client's key is another one. 3xx become 502 (redirects are not followed), 503 and 504 stay, other 5xx become 502.

    Args:
        status: of the response, not 2xx.
        body: its beginning.
        headers: its headers, names in any case if the mapping ignores case.
        key: the key that was sent; never in the result.
        own_key: whether that key is the gateway's and not the client's.
    """
    wait = retry_after(headers)
    if 300 <= status < 400:
        return UpstreamError(502, f"the upstream redirects (status {status}), which is not followed", code="upstream_redirect")
    if status == 401 and own_key:
        return UpstreamError(502, "the upstream does not accept the gateway's key", code="upstream_key")
    if status < 500:
        shown, code = status, None
    else:
        shown, code = (503 if status in (503, 529) else 504 if status == 504 else 502), "upstream_failed"
    plain = f"the upstream answered with status {status} and no readable reason"
    try:
        found = error_of(json_of(body), shown, key=key) if body else None
    except UpstreamError:
        found = None
    if found is None:
        return UpstreamError(shown, plain, kind=_kind(shown), code=code, retry_after=wait)
    found.status = shown  # the status line counts, not a code in the body
    if shown >= 500:
        found.code = found.code or code
    found.retry_after = wait if wait is not None else found.retry_after
    return found


def error_of(value: Any, status: int = 502, *, key: str | None = None) -> UpstreamError | None:
    """The error that a JSON body or chunk holds; None where it holds none.

    Known shapes: ``{"error": {message, type, code}}`` (OpenAI), ``{"error": text}``, ``{"detail": ...}``, ``{"message": ...}`` beside
    ``"object": "error"``, and the first of these in a list.

    Args:
        value: parsed JSON.
        status: where the error names none of 400 to 599 itself.
        key: never in the message.
    """
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return None
    inner = value.get("error")
    if not inner:
        inner = value if value.get("object") == "error" else value.get("detail") if "choices" not in value else None
    if not inner:
        return None
    if not isinstance(inner, dict):
        inner = {"message": inner if isinstance(inner, str) else orjson.dumps(inner).decode()}
    kind, code = _name(inner.get("type")), _name(inner.get("code"))
    status = _status(inner.get("code"), inner.get("status"), kind, status)
    if kind in TOO_LONG or code in TOO_LONG:
        status, kind, code = 400, "invalid_request_error", "context_length_exceeded"
    message = inner.get("message")
    text = one_line(message, key=key) if isinstance(message, str) else ""
    shown = text or "the upstream reports an error without a message"
    return UpstreamError(status, shown, kind=_hidden(kind, key) or _kind(status), code=_hidden(code, key))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``retry-after-ms`` or ``retry-after`` (seconds or a date); None where neither is there or readable."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        given = headers.get(name)
        if not given:
            continue
        try:
            seconds = float(given) / unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(given).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                continue
        if seconds == seconds and seconds < 1e9:  # NaN is not itself
            return max(0.0, seconds)
    return None


def _name(value: Any) -> str | None:
    """A type or code as a short name; None for anything else, plain HTTP numbers included."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _NAME.fullmatch(text) and not text.isdigit() else None


def _hidden(name: str | None, key: str | None) -> str | None:
    return None if name is not None and (_KEY_LIKE.search(name) or (key and key in name)) else name


def _status(code: Any, other: Any, kind: str | None, default: int) -> int:
    for given in (code, other):
        digits = str(given) if isinstance(given, str | int) else ""
        if re.fullmatch(r"[45]\d\d", digits):
            return int(digits)
    return 429 if kind and "rate_limit" in kind else default


def _kind(status: int) -> str:
    return {429: "rate_limit_error", 404: "not_found_error"}.get(status, "invalid_request_error" if status < 500 else "upstream_error")
