"""API keys of the gateway's clients: a file of hashes, and whether a request's key is one of them.

A key is made here, from 256 random bits, so one SHA-256 keeps it: a slow hash protects words that people choose, and would let anyone
spend the server's time with wrong keys. `hash_key` refuses what looks chosen.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wager.errors import DataError, OutputError, UsageError

__all__ = ["Key", "Keys", "add_key", "bearer", "check_binding", "hash_key", "is_loopback", "new_key"]

PREFIX = "wager-"
"""What a key begins with, so that it is known where it leaks."""
SHORTEST, LONGEST = 32, 256
"""Characters of a key."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
HASH = re.compile(r"sha256:[0-9a-f]{64}")
HEADINGS = ("name", "hash", "requests_per_minute", "tokens_per_day", "allowed", "admin")
NOBODY = bytes(32)
"""Compared with where no key has the hash; no key is known to have it."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A client's key."""

    name: str
    """For logs, limits and the journal."""
    hash: str
    """``sha256:`` and 64 hexadecimal digits."""
    requests_per_minute: float | None = None
    """Limit on requests, above 0; None for no limit."""
    tokens_per_day: int | None = None
    """Budget of tokens, read and written, for one day in UTC; None for no budget."""
    allowed: bool = True
    """False: withdrawn; it is refused like an unknown one."""
    admin: bool = False
    """True: sees the decisions of all keys, and gives feedback on them; others only their own."""


class Keys:
    """All keys. Empty where nobody needs one: then the server answers this machine only (`check_binding`)."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        """Raises DataError for two keys of one name or one hash."""
        self._by_hash: dict[bytes, Key] = {}
        names: set[str] = set()
        for key in keys:
            digest = bytes.fromhex(key.hash.removeprefix("sha256:"))
            if key.name in names or digest in self._by_hash:
                raise DataError(f"the key {key.name!r} is given twice: names and hashes are unique")
            names.add(key.name)
            self._by_hash[digest] = key

    def __len__(self) -> int:
        return len(self._by_hash)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Keys:
        """Keys from a TOML file of ``[[keys]]`` tables: name, hash, and optionally the others of `HEADINGS`.

        Raises:
            DataError: it cannot be read, or holds no key, or something else; no message shows a hash.
        """
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"the keys {str(path)!r} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"the keys {str(path)!r} are not TOML: {error}") from error
        entries = values.pop("keys", [])
        if values or not isinstance(entries, list):
            raise DataError(f"the keys {str(path)!r} hold {_first(values)!r}; allowed: [[keys]] tables with {', '.join(HEADINGS)}")
        if not entries:
            raise DataError(f"the keys {str(path)!r} hold no key; make one with  wager serve --new-key NAME")
        return cls(_key(entry, f"{str(path)!r}, key {place}") for place, entry in enumerate(entries, 1))

    def find(self, presented: str | None) -> Key | None:
        """The key that a client presents; None for none, an unknown or a withdrawn one, all in the same time."""
        text = (presented or "").encode("utf-8", "replace")
        digest = hashlib.sha256(text[: LONGEST + 1]).digest()
        found = self._by_hash.get(digest)  # by the hash, which nobody can steer: its time tells nothing of a key
        known = hmac.compare_digest(digest, NOBODY if found is None else bytes.fromhex(found.hash[7:]))
        return found if known and found is not None and found.allowed else None


def _first(values: Any) -> str:
    return next(iter(values), "keys")


def _key(entry: Any, where: str) -> Key:
    if not isinstance(entry, dict) or "name" not in entry or "hash" not in entry:
        raise DataError(f"{where}: a key needs a name and a hash")
    unknown = sorted(set(entry) - set(HEADINGS))
    if unknown:
        raise DataError(f"{where}: unknown {unknown[0]!r}; allowed: {', '.join(HEADINGS)}")
    name, digest, allowed, admin = entry["name"], entry["hash"], entry.get("allowed", True), entry.get("admin", False)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DataError(f"{where}: a name has 1 to 64 letters, digits and . _ @ -, got {name!r}")
    if not isinstance(digest, str) or not HASH.fullmatch(digest):
        raise DataError(f"{where}, {name!r}: a hash is 'sha256:' and 64 hexadecimal digits in lower case")
    for heading, value in (("allowed", allowed), ("admin", admin)):
        if not isinstance(value, bool):
            raise DataError(f"{where}, {name!r}: {heading!r} is true or false, got {value!r}")
    rate, budget = (_positive(entry.get(one), one, f"{where}, {name!r}") for one in ("requests_per_minute", "tokens_per_day"))
    tokens = None if budget is None else int(budget)
    return Key(name=name, hash=digest, requests_per_minute=rate, tokens_per_day=tokens, allowed=allowed, admin=admin)


def _positive(value: Any, heading: str, where: str) -> float | None:
    if value is None:
        return None
    whole = heading == "tokens_per_day"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not 0 < value < 1e15:
        raise DataError(f"{where}: {heading!r} is a {'whole ' if whole else ''}number above 0, got {value!r}")
    return float(value)


def new_key() -> str:
    """A fresh key: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """What is kept of a key.

    Raises:
        UsageError: it has fewer than 32 characters or more than 256, or is not plain ASCII; the message does not show it.
    """
    if not SHORTEST <= len(key) <= LONGEST or not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(
            f"a key has {SHORTEST} to {LONGEST} plain ASCII characters without blanks, got {len(key)}; "
            "make one with  wager serve --new-key NAME"
        )
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def add_key(path: str | os.PathLike[str], name: str, *, requests_per_minute: float | None = None, tokens_per_day: int | None = None) -> str:
    """Makes a key, appends its hash to the file, and returns it: the only time that it is seen. A new file is its owner's alone.

    Raises:
        UsageError: the name is taken, or is no name.
        OutputError: the file cannot be written.
        DataError: the file holds something else.
    """
    file = Path(path)
    if not NAME.fullmatch(name):
        raise UsageError(f"a name has 1 to 64 letters, digits and . _ @ -, got {name!r}")
    if file.exists() and file.stat().st_size and name in {key.name for key in Keys.read(file)._by_hash.values()}:
        raise UsageError(f"there is a key named {name!r} in {str(file)!r}; choose another name, or remove that one")
    key = new_key()
    lines = ["[[keys]]", f'name = "{name}"', f'hash = "{hash_key(key)}"']
    for heading, value in (("requests_per_minute", requests_per_minute), ("tokens_per_day", tokens_per_day)):
        if _positive(value, heading, f"the key {name!r}") is not None:
            lines.append(f"{heading} = {value}")
    text = "\n".join(lines) + "\n\n"
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as output:
            output.write(text)
    except OSError as error:
        raise OutputError(f"the keys {str(file)!r} cannot be written: {error.strerror}") from error
    return key


def bearer(header: str | None) -> str | None:
    """The key in an ``Authorization`` header; None if there is none.

    >>> bearer("Bearer wager-abc")
    'wager-abc'
    """
    scheme, _, key = (header or "").strip().partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only. Of names, ``localhost`` alone: others are not looked up.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "", "192.168.1.4")]
    [True, True, True, False, False, False]
    """
    host = host.strip().strip("[]").lower()
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def check_binding(host: str, keys: Keys, *, insecure: bool = False) -> None:
    """An open server listens to this machine only, unless told.

    Raises:
        UsageError: other machines could reach a server that asks for no key.
    """
    if keys or insecure or is_loopback(host):
        return
    raise UsageError(
        f"at {host!r} other machines can use this server, and it asks for no key; "
        "give --keys FILE (make one with  wager serve --new-key NAME), listen on 127.0.0.1, or say --insecure"
    )
