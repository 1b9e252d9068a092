"""The playground and dashboard at ``/``: a page, its scripts and style, the charts, and the library that draws them, if it is installed.

The page talks to this server and to nobody else. Its policy runs no script but its own and takes no style but its own: what a model writes
can only ever be text. Vega interprets its expressions instead of compiling them, so no script needs ``unsafe-eval``, and its elements get
their style through the object model, which needs no ``unsafe-inline``.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.util
import threading
from collections.abc import Awaitable, Callable
from importlib import resources

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wager.gateway.wire import error_body

__all__ = ["page_routes"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",  # kept by the browser, and asked for anew by its ETag: an update is seen at once
}
SCRIPTS = ("page", "text", "server", "knobs", "message", "reply", "dashboard")
"""The first one is named by the page, and asks for the others."""
FILES = {
    "/": ("index.html", "text/html"),
    **{f"/wager/{name}.js": (f"{name}.js", "text/javascript") for name in SCRIPTS},
    "/wager/page.css": ("page.css", "text/css"),
    "/wager/charts.json": ("charts.json", "application/json"),
}
"""By path, the file of the package and its type."""
Handler = Callable[[Request], Awaitable[Response]]

CHARTS = b'data-charts="no"'
"""Stands in the page; it says that the library of charts is not here, so that the page does not ask for it in vain."""
MAKING = threading.Lock()


def page_routes() -> list[Route]:
    """The routes of the page: ``/``, what it asks for by `FILES`, and ``/wager/vega.js``.

    Without the extra ``report`` there is no library of charts: its route answers 404, and the page shows tables.
    """
    return [*(Route(path, _file(*one), methods=["GET"]) for path, one in FILES.items()), Route("/wager/vega.js", _vega, methods=["GET"])]


def _file(name: str, kind: str) -> Handler:
    body = resources.files("wager.gateway").joinpath("page", name).read_bytes()
    if name == "index.html" and importlib.util.find_spec("vl_convert") is not None:
        body = body.replace(CHARTS, b'data-charts="yes"', 1)
    return functools.partial(_given, body=body, kind=kind, tag=_tag(body))


async def _given(request: Request, *, body: bytes, kind: str, tag: str) -> Response:
    """A file; nothing but 304 to whom that has it already."""
    headers = {**HEADERS, "etag": tag}
    if tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=kind, headers=headers)


async def _vega(request: Request) -> Response:
    found = await asyncio.to_thread(_library)
    if found is None:
        body = orjson.dumps(error_body("there are no charts: the extra 'report' is not installed", code="not_found"))
        return Response(body, status_code=404, media_type="application/json", headers=HEADERS)
    return await _given(request, body=found[0], kind="text/javascript", tag=found[1])


def _library() -> tuple[bytes, str] | None:
    """Vega, Vega-Lite and Vega-Embed as one script of 0.9 MB that sets ``window.vegaEmbed``, and its tag; None if they are not installed.

    Made at the first request, in a second or two, and kept; whoever asks meanwhile waits for it.
    """
    with MAKING:
        return _bundle()


@functools.cache
def _bundle() -> tuple[bytes, str] | None:
    try:
        import vl_convert
    except ModuleNotFoundError:
        return None
    body = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").encode()
    return body, _tag(body)


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
