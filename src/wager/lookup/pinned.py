"""An HTTP transport that connects only to addresses it has checked. Imported by `wager.lookup.mcp` alone, once it knows httpx2 is there."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator

import httpx2

from wager.errors import UsageError
from wager.lookup.guard import check_form, checked_addresses

__all__ = ["MOST_BYTES", "PinnedTransport"]

MOST_BYTES = 8 * 1024 * 1024
"""Size of the largest answer; an event stream may go on for longer, each of its events is bounded by the MCP client."""


class PinnedTransport(httpx2.AsyncBaseTransport):
    """Resolves and checks the host of each request, redirects included, and connects to the address that was checked.

    The name stays in the header ``Host`` and in the check of the certificate. No proxy of the environment is used: it would resolve the
    name by itself.

    Args:
        allow_private: connect to any address.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpx2.AsyncHTTPTransport()  # heeds SSL_CERT_FILE; it is the client that would heed proxies

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends it to the first of the checked addresses that can be reached."""
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            check_form(str(request.url.copy_with(query=None, fragment=None)))
            addresses = await asyncio.to_thread(checked_addresses, host, port, allow_private=self._allow_private)
        except UsageError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        failed: httpx2.ConnectError | httpx2.ConnectTimeout | None = None
        for address in addresses:
            try:
                response = await self._inner.handle_async_request(_pinned(request, host, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:  # nothing was sent
                failed = error
                continue
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                assert isinstance(response.stream, httpx2.AsyncByteStream), "an asynchronous transport gives such streams"  # noqa: S101
                response.stream = _Bounded(response.stream)
            return response
        raise failed or httpx2.ConnectError(f"the host {host!r} has no address", request=request)

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._inner.aclose()


def _pinned(request: httpx2.Request, host: str, address: str) -> httpx2.Request:
    """The same request to a numeric address."""
    extensions = dict(request.extensions)
    if request.url.scheme == "https" and not _is_numeric(host):
        extensions["sni_hostname"] = host
    return httpx2.Request(
        request.method, request.url.copy_with(host=address), headers=request.headers, stream=request.stream, extensions=extensions
    )


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error once it is larger than it may be."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._inner:
            size += len(part)
            if size > MOST_BYTES:
                raise httpx2.ReadError(f"the answer is larger than {MOST_BYTES // 1024 // 1024} MiB")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
