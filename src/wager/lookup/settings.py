"""The tables ``[[lookups]]`` of a configuration to look-ups."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from wager.errors import DataError, UsageError
from wager.lookup.folder import Folder
from wager.lookup.mcp import McpTool
from wager.lookup.passages import Lookup

__all__ = ["lookups_from"]

_FOLDER = {"name": str, "folder": str, "index": str, "every": float, "most_bytes": int, "seconds": float}
_MCP = {
    "name": str,
    "mcp": dict,
    "tool": str,
    "argument": str,
    "arguments": dict,
    "seconds": float,
    "start_seconds": float,
    "allow_private": bool,
}
_SERVER = {"command": (list, str), "args": list, "env": dict, "url": str, "headers": dict}
_WORDS = {str: "a text", float: "a number", int: "a whole number", bool: "true or false", dict: "a table", list: "a list of texts"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def lookups_from(config: Mapping[str, Any], base: Path) -> list[Lookup]:
    """The look-ups of a configuration, not started; none where it has no key ``lookups``.

    Args:
        config: the whole configuration, as read from TOML; its other keys are not looked at.
        base: what relative folders and index files are relative to.

    Raises:
        DataError: a key that is not known, missing, or holds what it should not, a name given twice, or a variable that is not set.
        UsageError: an option that the look-up itself refuses, such as a URL with a password.

    >>> [lookup.name for lookup in lookups_from({"lookups": [{"name": "wiki", "folder": "docs"}]}, Path("/srv"))]
    ['wiki']
    """
    tables = config.get("lookups", [])
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise DataError("lookups is a list of tables: begin each with [[lookups]]")
    found: list[Lookup] = []
    for number, table in enumerate(tables, 1):
        where = f"lookups[{number}]"
        lookup = _one(table, where, base)
        if lookup.name in {other.name for other in found}:
            raise DataError(f"{where}.name is given twice: {lookup.name!r}; each look-up has its own")
        found.append(lookup)
    return found


def _one(table: Mapping[str, Any], where: str, base: Path) -> Lookup:
    if ("folder" in table) == ("mcp" in table):
        raise DataError(f'{where} needs either folder = "..." or mcp = {{command = [...]}} or mcp = {{url = "..."}}')
    _check(table, _FOLDER if "folder" in table else _MCP, where)
    name = table.get("name", "")
    if not _NAME.fullmatch(name):
        raise DataError(f"{where}.name is 1 to 40 letters, digits, hyphens and underscores, got {name!r}")
    options = {key: value for key, value in table.items() if key not in ("folder", "index", "mcp")}
    try:
        if "folder" in table:
            index = base / table["index"] if "index" in table else None
            return Folder(base / table["folder"], index=index, **options)
        _check(table["mcp"], _SERVER, f"{where}.mcp")
        return McpTool(**options, **_server(table["mcp"], f"{where}.mcp"))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _server(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """With the environment's values for ``${NAME}`` in headers and variables, so that no secret need stand in the file."""
    server = dict(table)
    for key in ("command", "args"):
        if isinstance(server.get(key), list) and not all(isinstance(part, str) for part in server[key]):
            raise DataError(f"{where}.{key} is a list of texts, got {server[key]!r}")
    for key in ("env", "headers"):
        if key in server:
            server[key] = {name: _filled(value, f"{where}.{key}.{name}") for name, value in server[key].items()}
    return server


def _filled(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{where} is a text, got {value!r}")

    def of(found: re.Match[str]) -> str:
        if (held := os.environ.get(found[1])) is None:
            raise DataError(f"{where} names the environment variable {found[1]!r}, which is not set")
        return held

    return _VARIABLE.sub(of, value)


def _check(table: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for key, value in table.items():
        if key not in known:
            raise DataError(f"{where} has no key {key!r}; {_nearest(key, known)}allowed: {', '.join(known)}")
        kinds = known[key] if isinstance(known[key], tuple) else (known[key],)
        accepted = (*kinds, int) if float in kinds else kinds
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in kinds):
            raise DataError(f"{where}.{key} is {' or '.join(_WORDS[kind] for kind in kinds)}, got {value!r}")


def _nearest(key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]!r}? " if near else ""
