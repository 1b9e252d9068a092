"""What one gateway is: model, policy, look-ups, keys, limits, journal. A TOML file, and the command line over it.

Everything is a plain value, so that worker processes get it as JSON. A model's key is not among them, only the name of the environment
variable that holds it; the address of a database may hold a password, so it is shown by `address_shown` only.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from wager.errors import DataError, UsageError

__all__ = ["DialSettings", "Settings", "UpstreamSettings", "address_shown", "read_settings"]

ADDRESS = re.compile(r"([a-z][a-z0-9+]{0,19}://)(?:[^@/?#]*@)?([^@?#]*)(?:[?#][^@]*)?")
"""Scheme, user and password, place, options; an address with an ``@`` elsewhere cannot be told apart."""
DATABASES = ("postgresql://", "postgres://", "redis://", "rediss://", "unix://")
SECRET = ("journal", "redis", "url")
"""Settings that may hold a password: their values are in no message."""


def address_shown(address: str) -> str:
    """Where something is, without the user, password and options that its address may hold; a path stays as it is.

    >>> address_shown("postgresql://me:secret@db/wager?password=secret"), address_shown("wager-journal")
    ('postgresql://db/wager', 'wager-journal')
    >>> address_shown("postgresql://me:sec/ret@db/wager")
    'postgresql://...'
    """
    if "://" not in address:
        return address
    found = ADDRESS.fullmatch(address)
    return found[1] + found[2] if found else address.partition("://")[0][:20] + "://..."


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:  # nor is NaN
        raise UsageError(f"{name} is above 0, got {value!r}" if not value > 0 else f"{name} is a finite number, got {value!r}")


@dataclass(frozen=True, kw_only=True)
class UpstreamSettings:
    """One model's server."""

    url: str = "embedded"
    """``embedded``, ``gguf/PATH``, or the base URL of an OpenAI-compatible server (``https://.../v1``)."""
    model: str | None = None
    """The model that is asked for where the client names none; None asks the server which it has."""
    key_env: str | None = None
    """Environment variable that holds the server's API key."""
    seconds: float = 600.0
    """Most seconds of a call."""

    def __post_init__(self) -> None:
        _positive("the seconds of an upstream", self.seconds)
        if self.url == "embedded" or self.url.startswith("gguf/"):
            return
        if "@" in self.url:
            raise UsageError(
                "an upstream's address holds no user and no password (an @ in its path is written %40): put the key into an environment "
                "variable and name that with --key-env"
            )
        if "?" in self.url or "#" in self.url:
            raise UsageError(
                "an upstream's address holds no ? and no #: put the key into an environment variable and name that with --key-env"
            )


@dataclass(frozen=True, kw_only=True)
class DialSettings:
    """One dial of a model in this process: `wager.gateway.dials` reads its files.

    >>> DialSettings(vector="calm.safetensors", turn=2)
    Traceback (most recent call last):
    wager.errors.UsageError: the turn of a dial is 1 or -1, got 2
    """

    vector: str
    """File of a vector, made by ``wager steer extract``."""
    gate: str | None = None
    """File of a probe, made by ``wager steer gate``: the dial is turned only where it fires; None turns it always."""
    licence: str | None = None
    """``licence.json`` of ``wager steer licence``; None: the dial has none."""
    turn: int = 1
    """Which way of the vector the dial's positive side is: 1 more of the vector's trait, -1 less."""
    unlicensed: bool = False
    """Whether it may be used without a licence."""
    most: float | None = None
    """Largest dose; needed where the vector's card has no safe band."""

    def __post_init__(self) -> None:
        if self.turn not in (1, -1):
            raise UsageError(f"the turn of a dial is 1 or -1, got {self.turn!r}")
        if self.most is not None:
            _positive("the most of a dial", self.most)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One gateway.

    >>> Settings(keep_days=0)
    Traceback (most recent call last):
    wager.errors.UsageError: keep_days is above 0, got 0

    Raises:
        UsageError: values that cannot be or do not go together.
    """

    host: str = "127.0.0.1"
    """Address to listen on; the default is reached from this machine only."""
    port: int = 8080
    """Port; 0 lets the system choose one."""
    workers: int = 1
    """Processes."""
    upstreams: tuple[UpstreamSettings, ...] = (UpstreamSettings(),)
    """The model's server, then those that stand in for it, in order."""
    policy: str | None = None
    """Path of the policy; None: ``policy.toml`` in this folder if it is there, that of the embedded model for it, else none."""
    detector: str | None = None
    """Path of a detector made from own labels; None: the packaged one."""
    lookups: tuple[Mapping[str, Any], ...] = ()
    """Tables of `wager.lookup.settings`."""
    lookup_seconds: float = 5.0
    """Most seconds of the searches for one request."""
    dials: Mapping[str, DialSettings] = field(default_factory=dict)
    """By name, what the model can be steered with; for the upstreams ``embedded`` and ``gguf/PATH``."""
    crisis: Mapping[str, str] = field(default_factory=dict)
    """Texts of the hand-over by language, in place of the usual ones."""
    journal: str | None = field(default="wager-journal", repr=False)
    """Folder of the journal, or a ``postgresql://`` address; None keeps nothing."""
    keep_text: bool = False
    """Whether the journal may keep what was asked and answered."""
    keep_days: float | None = None
    """Days after which decisions are removed."""
    keys: str | None = None
    """File of API keys; None asks for none, which is allowed on loopback only."""
    insecure: bool = False
    """Listen to other machines without keys."""
    redis: str | None = field(default=None, repr=False)
    """``redis://`` address for limits that all workers share; None: each worker counts by itself."""
    limits_fail: str = "open"
    """What becomes of a request while Redis is gone: ``open`` lets it through, ``closed`` refuses it."""
    largest_body: int = 32 * 2**20
    """Bytes of a request."""
    most_messages: int = 2000
    """Messages of a request."""
    body_seconds: float = 30.0
    """Seconds in which a request must have arrived."""
    logs: str = "auto"
    """``json``, ``text``, or ``auto``: text on a terminal."""
    traces: bool = False
    """Whether OpenTelemetry spans are made; their exporter is configured by its own environment variables."""
    page: bool = True
    """Whether ``/`` shows the playground."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"a port lies in 0 to 65535, got {self.port}")
        if not 1 <= self.workers <= 256:
            raise UsageError(f"workers are 1 to 256, got {self.workers}")
        if self.workers > 1 and self.port == 0:
            raise UsageError("several workers share one port: give one with --port, not 0")
        if self.limits_fail not in ("open", "closed"):
            raise UsageError(f"limits_fail is 'open' or 'closed', got {self.limits_fail!r}")
        if self.logs not in ("auto", "json", "text"):
            raise UsageError(f"logs are 'auto', 'json' or 'text', got {self.logs!r}")
        if not self.upstreams:
            raise UsageError("a gateway has at least one upstream")
        for name in ("lookup_seconds", "largest_body", "most_messages", "body_seconds"):
            _positive(name, getattr(self, name))
        if self.keep_days is not None:
            _positive("keep_days", self.keep_days)
        for name, address in (("journal", self.journal), ("redis", self.redis)):
            if address is not None and address.startswith(DATABASES) and not ADDRESS.fullmatch(address):
                raise UsageError(f"the address of {name} cannot be told apart: write @ as %40, / as %2F and ? as %3F in a user or password")

    def to_json(self) -> str:
        """For a worker process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        values = json.loads(text)
        upstreams = tuple(UpstreamSettings(**one) for one in values.pop("upstreams"))
        dials = {name: DialSettings(**one) for name, one in values.pop("dials").items()}
        return cls(**{**values, "upstreams": upstreams, "dials": dials, "lookups": tuple(values.pop("lookups"))})


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The values of a TOML file, by the names of `Settings`; paths in it are seen from its folder. The journal ``"none"`` is None.

    Raises:
        DataError: the file cannot be read, or a key is unknown or of another type.
    """
    name, base = os.fspath(path), Path(path).resolve().parent
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{name}: is not TOML: {error}") from error
    known = {one.name: one for one in dataclasses.fields(Settings)}
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise DataError(f"{name}: {key!r} is no setting; known: {', '.join(known)}")
        found[key] = _value(name, key, value, known[key].type)
    if found.get("journal") == "none":
        found["journal"] = None
    for key in ("policy", "detector", "keys", "journal"):
        if isinstance(found.get(key), str) and "://" not in found[key]:
            found[key] = str(base / Path(found[key]).expanduser())
    for one in found.get("lookups", ()):
        if isinstance(one.get("folder"), str):
            one["folder"] = str(base / Path(one["folder"]).expanduser())
    if "dials" in found:
        found["dials"] = {key: _placed(base, one) for key, one in found["dials"].items()}
    return found


def _placed(base: Path, dial: DialSettings) -> DialSettings:
    """The dial with its files as seen from the settings' folder."""
    vector, gate, licence = (None if one is None else str(base / Path(one).expanduser()) for one in (dial.vector, dial.gate, dial.licence))
    return dataclasses.replace(dial, vector=vector or "", gate=gate, licence=licence)


def _value(name: str, key: str, value: Any, kind: Any) -> Any:
    """One value, checked."""
    if key == "upstreams":
        return tuple(_upstream(name, one) for one in _tables(name, key, value))
    if key == "lookups":
        return tuple(dict(one) for one in _tables(name, key, value))
    if key == "dials":
        if not isinstance(value, Mapping) or not all(isinstance(one, Mapping) for one in value.values()):
            raise DataError(f"{name}: 'dials' is a table for each dial, written [dials.NAME]")
        return {dial: _dial(name, dial, one) for dial, one in value.items()}
    if key == "crisis":
        if not isinstance(value, Mapping) or not all(isinstance(one, str) and one.strip() for one in value.values()):
            raise DataError(f"{name}: 'crisis' is a table of texts by language, such as en = \"...\"")
        return dict(value)
    what = str(kind).split(" ")[0]
    wanted: tuple[type, ...] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}[what]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise DataError(f"{name}: {key!r} is of type {what}, got {type(value).__name__ if key in SECRET else repr(value)}")
    return float(str(value)) if float in wanted else value


def _tables(name: str, key: str, value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise DataError(f"{name}: {key!r} is a list of tables, written [[{key}]]")
    return value


def _upstream(name: str, values: Mapping[str, Any]) -> UpstreamSettings:
    known = {one.name: one for one in dataclasses.fields(UpstreamSettings)}
    for key in values:
        if key not in known:
            raise DataError(f"{name}: an upstream has no {key!r}; it has {', '.join(known)}")
    return UpstreamSettings(**{key: _value(name, key, value, known[key].type) for key, value in values.items()})


def _dial(name: str, dial: str, values: Mapping[str, Any]) -> DialSettings:
    known = {one.name: one for one in dataclasses.fields(DialSettings)}
    for key in values:
        if key not in known:
            raise DataError(f"{name}: the dial {dial[:60]!r} has no {key!r}; it has {', '.join(known)}")
    if "vector" not in values:
        raise DataError(f'{name}: the dial {dial[:60]!r} names no vector: vector = "FILE"')
    return DialSettings(**{key: _value(name, key, value, known[key].type) for key, value in values.items()})
