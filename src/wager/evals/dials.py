"""What is done to a steered model while it is evaluated: dials, a gate, a probe, read from files and told apart by their SHA-256.

A dial is named by its file, or by a name that is looked up as ``NAME.safetensors`` in folders. Nothing here imports Inspect or loads a
model.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from wager.errors import DataError, UnknownNameError, UsageError
from wager.models.weights import cache_folder
from wager.steering.backend import Positions
from wager.steering.card_licence import check_move
from wager.steering.monitor import as_confidence
from wager.steering.opening import MODELS, SERVED
from wager.steering.plan import Move, Plan
from wager.steering.probe import Probe
from wager.steering.probe_file import read_probe
from wager.steering.vector_file import read_vector

__all__ = ["ARGUMENTS", "Dial", "Steering", "dial_folders", "find_dial", "parse_dials", "steerable", "steering_of", "told"]

ARGUMENTS = ("vector", "dose", "gate", "probe", "beyond", "positions")
"""The arguments of the provider ``steered`` that say what is done; the others say how it runs."""

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Dial:
    """A vector's file and how far it is pushed."""

    path: Path
    """Absolute."""
    dose: float
    """Relative; negative is less of the trait."""


@dataclass(frozen=True, kw_only=True)
class Steering:
    """What is done to a model while it answers, in files and numbers."""

    dials: tuple[Dial, ...] = ()
    """None are needed where only a probe is read."""
    gate: Path | None = None
    """A probe's file: pushes only where it fires."""
    probe: Path | None = None
    """A probe's file, read before each reply and recorded as a confidence; it pushes nothing."""
    beyond: bool = False
    """Whether doses outside a card's band, or without one, are meant."""
    positions: Positions = "reply"

    def __post_init__(self) -> None:
        if not self.dials and self.gate is not None:
            raise UsageError(
                "a gate says where a dial is pushed, and no dial is given; add --dial NAME=VALUE (-M vector=FILE -M dose=VALUE)"
            )
        if not self.dials and self.probe is None:
            raise UsageError("a steered model takes at least one dial (--dial NAME=VALUE, or -M vector=FILE -M dose=VALUE) or a probe")
        paths = [one.path for one in self.dials]
        if twice := next((path for path in paths if paths.count(path) > 1), None):
            raise UsageError(f"the dial {str(twice)!r} is given twice; give it once, with one dose")
        if self.positions not in get_args(Positions):
            raise UsageError(f"positions are one of {', '.join(get_args(Positions))}, got {self.positions!r}")

    @property
    def arguments(self) -> dict[str, Any]:
        """As arguments of the provider ``steered``, paths absolute; what is the default is left out."""
        made: dict[str, Any] = {}
        if self.dials:
            made["vector"] = [f"{one.path}:{one.dose!r}" for one in self.dials]
        made |= {name: str(path) for name in ("gate", "probe") if (path := getattr(self, name)) is not None}
        return made | ({"beyond": True} if self.beyond else {}) | ({"positions": self.positions} if self.positions != "reply" else {})

    def plan(self) -> Plan | None:
        """The vectors and the gate, read; None without a dial.

        Raises:
            DataError: a file is missing or not what it should be.
            UsageError: a dial that failed its licence or a dose outside its card's band, or without one, that is not meant; a gate that
                reads the reply.
        """
        if not self.dials:
            return None
        gate = None if self.gate is None else read_probe(self.gate)
        moves = []
        for one in self.dials:
            move = Move(read_vector(one.path), one.dose)
            try:
                moves.append(check_move(move, gate=gate, positions=self.positions, beyond=self.beyond))
            except UsageError as error:
                raise UsageError(f"the dial {one.path.stem!r}: {error} (--beyond, or -M beyond=true)") from error
        return Plan(moves=tuple(moves), gate=gate, positions=self.positions)

    def confidence(self) -> Probe | None:
        """The probe whose 1 - P is recorded as a confidence.

        Raises:
            DataError: the file is missing or no probe.
            UsageError: it tells something else than a confidence, or reads the reply.
        """
        if self.probe is None:
            return None
        found = read_probe(self.probe)
        found.check_before_reply()
        as_confidence(found, ())  # says so where it tells something else
        return found

    def identity(self) -> dict[str, Any]:
        """What decides whether two runs were steered alike: contents of files, not their places."""
        plan = self.plan()
        moves = () if plan is None else plan.moves
        told = [
            {"trait": _short(move.vector.card.trait), "dose": one.dose, "block": move.vector.at()[0], "sha256": _sha256(one.path)}
            for one, move in zip(self.dials, moves, strict=True)
        ]
        made: dict[str, Any] = {"dials": sorted(told, key=lambda one: str(one["sha256"])), "positions": self.positions}
        for name in ("gate", "probe"):
            if (path := getattr(self, name)) is not None:
                made[name] = {"name": _short(path.stem), "sha256": _sha256(path)}
        return made


def steering_of(arguments: Mapping[str, Any]) -> tuple[Steering, dict[str, Any]]:
    """What a provider's arguments say is done to the model, and the other arguments.

    Args:
        arguments: as ``-M`` gives them. ``vector`` is a file, or ``FILE:DOSE`` several times, separated by commas or in a list; ``dose`` is
            for a file without one.

    Raises:
        UsageError: no dose, two doses, or a value of another type.

    >>> found, rest = steering_of({"vector": "/v/calm.safetensors", "dose": -0.5, "threads": 2})
    >>> found.dials[0].dose, rest
    (-0.5, {'threads': 2})
    """
    rest = {name: value for name, value in arguments.items() if name not in ARGUMENTS}
    given = arguments.get("vector") or ()
    texts = [str(one) for one in given] if isinstance(given, list | tuple) else str(given).split(",")
    dose, beyond = arguments.get("dose"), arguments.get("beyond", False)
    if not isinstance(beyond, bool):
        raise UsageError(f"beyond is true or false, got {beyond!r}")
    dials = tuple(_dial(text.strip(), dose) for text in texts if text.strip())
    if dose is not None and not dials:
        raise UsageError("a dose is given without a vector; add -M vector=FILE")
    files = {name: _absolute(str(arguments[name])) for name in ("gate", "probe") if arguments.get(name) is not None}
    return Steering(dials=dials, beyond=beyond, positions=arguments.get("positions", "reply"), **files), rest


def _dial(text: str, dose: Any) -> Dial:
    path, colon, last = text.rpartition(":")
    own = _number(last) if colon else None
    if own is not None and dose is not None:
        raise UsageError(f"the vector {text!r} has a dose of its own, and dose={dose!r} is given too; keep one")
    if own is None and dose is None:
        raise UsageError(f"the vector {text!r} has no dose; write {text}:-0.5, or -M dose=-0.5")
    chosen = own if own is not None else _number(str(dose))
    if chosen is None or isinstance(dose, bool):
        raise UsageError(f"a dose is a finite number, got {dose!r}")
    return Dial(_absolute(path if own is not None else text), chosen)


def parse_dials(given: Iterable[str], folders: Sequence[Path]) -> tuple[Dial, ...]:
    """``NAME=VALUE`` texts of the command line as dials.

    Raises:
        UsageError: no such form, or a value that is no finite number.
        UnknownNameError: no such dial; the nearest names are in the message.
    """
    dials = []
    for text in given:
        name, equals, value = text.rpartition("=")
        number = _number(value)
        if not equals or not name or number is None:
            raise UsageError(f"--dial takes NAME=VALUE, such as hallucination=-0.5, got {text!r}")
        dials.append(Dial(find_dial(name, folders), number))
    return tuple(dials)


def dial_folders(given: Path | None) -> tuple[Path, ...]:
    """Where names of dials are looked up: the given folder, else the current one and then ``wager/dials`` in the user's cache folder.

    Raises:
        UsageError: the given folder is not there.
    """
    if given is not None:
        if not given.is_dir():
            raise UsageError(f"--dials names a folder with vectors and gates, got {str(given)!r}")
        return (given,)
    return (Path(), cache_folder() / "dials")


def find_dial(name: str, folders: Sequence[Path], *, kind: str = "dial") -> Path:
    """The file of a dial, a gate or a probe: the name is a path, or of a file ``NAME.safetensors`` in one of the folders, first found.

    Raises:
        DataError: a path that is no file.
        UnknownNameError: no such name; the nearest ones are in the message.
    """
    if Path(name).name != name or Path(name).suffix in (SUFFIX, ".gguf", ".pt"):
        if not Path(name).expanduser().is_file():
            raise DataError(f"no file of a {kind} at {name!r}; give a file that wager steer has written, or a name")
        return _absolute(name)
    for folder in folders:
        if (found := folder / f"{name}{SUFFIX}").is_file():
            return found.resolve()
    known = [file.stem for folder in folders if folder.is_dir() for file in folder.glob(f"*{SUFFIX}")]
    places = " and ".join(repr(str(folder)) for folder in folders)
    raise UnknownNameError(kind, name, known, hint=f"It is a file, or the name of one ({name}{SUFFIX}) in {places} (--dials)")


def steerable(model: str) -> str:
    """The model as the provider ``steered`` takes it: ``embedded``, ``gguf/PATH`` (absolute) or ``hf/NAME``.

    Raises:
        UsageError: a model behind an API.
        UnknownNameError: no such kind of model.

    >>> steerable("embedded/smollm2-135m-instruct")
    'embedded'
    """
    kind, _, rest = model.removeprefix("steered/").partition("/")
    if kind in SERVED:
        raise UsageError(
            f"{model!r} cannot be steered: it is behind an API, which shows no activations and takes no push; dials, gates and probes need"
            f" {', '.join(MODELS[:-1])} or {MODELS[-1]}"
        )
    if kind not in ("embedded", "gguf", "hf"):
        raise UnknownNameError("model that can be steered", model, MODELS, hint=f"They are: {', '.join(MODELS)}")
    if kind != "embedded" and not rest:
        raise UsageError(f"{kind!r} names no model; write {next(one for one in MODELS if one.startswith(kind))}")
    if kind == "gguf":
        return f"gguf/{_absolute(rest)}"
    return kind if kind == "embedded" else f"hf/{rest}"


def told(identity: Mapping[str, Any], *, hashes: bool = False) -> str:
    """What is done to a model in a few words, from `Steering.identity`.

    >>> told({"dials": [{"trait": "calm", "dose": -0.5, "block": 16, "sha256": "9f86d081"}], "gate": {"name": "known"}})
    'calm=-0.5 gate=known'
    """
    parts = [f"{one['trait']}={one['dose']:g}{_hash(one, hashes)}" for one in identity.get("dials", ())]
    parts += [f"{name}={identity[name]['name']}{_hash(identity[name], hashes)}" for name in ("gate", "probe") if name in identity]
    return " ".join(parts + ([f"positions={identity['positions']}"] if identity.get("positions", "reply") != "reply" else []))


def _hash(one: Mapping[str, Any], shown: bool) -> str:
    return f" ({str(one['sha256'])[:8]})" if shown else ""


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _absolute(path: str) -> Path:
    return Path(path).expanduser().resolve()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _short(text: str) -> str:
    """A name out of a file, for messages: one line, and not a long one."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:40]
