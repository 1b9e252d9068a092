"""Safe embedding: data, scripts and their permissions inside one HTML file."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

import altair as alt
import vl_convert

__all__ = ["data_json", "policy", "vega_bundle", "vega_version"]

UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def data_json(value: Any) -> str:
    """JSON that can stand inside ``<script type="application/json">`` whatever texts it holds: it has no ``<``, ``>``, ``&``
    and nothing outside ASCII, so that neither the end of the element nor a line separator can be written by a model."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&]", lambda found: UNSAFE[found.group()], text)


def vega_version() -> str | None:
    """The Vega-Lite version that Altair writes, if it can be embedded; None leaves it to the newest that can."""
    wanted = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return wanted if wanted in vl_convert.get_vegalite_versions() else None


@functools.cache
def vega_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, about 0.9 MB, that sets ``window.vegaEmbed``. Making it takes a second: it is kept."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=vega_version())
    return re.sub(r"</(script)", r"<\\/\1", script, flags=re.IGNORECASE)


def policy(scripts: Iterable[str]) -> str:
    """A content security policy that runs these scripts and no other, and loads nothing.

    Vega evaluates its expressions with its own interpreter, so scripts need no ``unsafe-eval``. Styles are open because Vega
    writes them on its elements; without a network and images they can do nothing.
    """
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
