"""The model behind the gateway, as any OpenAI-compatible server shows it. Everything stays JSON: unknown fields pass through untouched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Answered", "Capabilities", "Chats", "Upstream", "UpstreamError"]

Json = dict[str, Any]


class UpstreamError(Exception):
    """The model's server did not answer as it should; becomes an OpenAI error of the same status.

    Never holds a key, nor an upstream's HTML page: only what may be shown to the client.
    """

    def __init__(
        self, status: int, message: str, *, kind: str = "upstream_error", code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        """Status for the client: the upstream's own 4xx; 502 (unusable answer, connection), 503 (breaker open), 504 (too slow)."""
        self.message = message
        """One line, without control characters."""
        self.kind = kind
        """The error's ``type``."""
        self.code = code
        """The error's ``code``."""
        self.retry_after = retry_after
        """Seconds after which to try again, where it is known."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A whole response."""

    status: int
    """HTTP status, 2xx."""
    body: bytes
    """As received."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names; only those that are safe to pass on (content-type, x-request-id, x-ratelimit-*, openai-*)."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a model's server can do, as probed with one short call; None is not known yet."""

    logprobs: bool | None = None
    """Gives token log-probabilities."""
    top_logprobs: bool | None = None
    """Gives the likeliest tokens at each place."""
    temperature: bool | None = None
    """Takes a temperature other than its default."""
    said: Mapping[str, str] = field(default_factory=dict)
    """By capability, why it is not there, as the server said."""


class Chats(Protocol):
    """What can be asked for a whole response: an upstream, or one that counts what its calls take."""

    @property
    def model(self) -> str:
        """As of `Upstream`."""
        ...

    async def chat(self, request: Json) -> Json:
        """As of `Upstream`."""
        ...


class Upstream(Protocol):
    """A model's server. One object per process; safe to use from many tasks at once."""

    @property
    def model(self) -> str:
        """The model that is asked for where the client names none or ``auto``; the name that policies are for."""
        ...

    async def start(self) -> None:
        """Opens connections, loads the embedded model; raises `wager.errors.ModelError` in one line."""
        ...

    async def chat(self, request: Json) -> Json:
        """One ``/chat/completions`` response as a dict, checked to hold ``choices``; raises UpstreamError. ``stream`` is taken out."""
        ...

    def stream(self, request: Json) -> AsyncIterator[Json]:
        """The chunks of a streamed response as dicts, without ``[DONE]``; raises UpstreamError, also in the middle. Closing the iterator
        (or cancelling its task) ends the upstream's work."""
        ...

    async def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        """A request passed on as it is to ``path`` (``/chat/completions``, ``/models``, ``/embeddings``, ``/responses``).

        Raises:
            UpstreamError: no 2xx answer.
        """
        ...

    def send_stream(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The raw bytes of a streamed answer as they come; raises UpstreamError before the first byte, and in the middle."""
        ...

    async def capabilities(self) -> Capabilities:
        """What the server can do: probed once, then remembered; a failed probe leaves None and is tried again later."""
        ...

    async def healthy(self) -> bool:
        """Whether it can be asked now: for ``/readyz``. Cheap."""
        ...

    async def close(self) -> None:
        """Closes all connections; may be called twice."""
        ...
