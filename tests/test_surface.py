"""The public surface: what is exported, what importing costs, and which rooms may import which."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import wager

ROOMS = sorted(module.name for module in pkgutil.iter_modules(wager.__path__))


def test_all_names_exist_and_nothing_else_is_public() -> None:
    public = {name for name in vars(wager) if not name.startswith("_")} - set(ROOMS)
    assert public | {"__version__"} == set(wager.__all__)


def test_import_loads_numpy_only() -> None:
    heavy = "{'scipy', 'pyarrow', 'inspect_ai', 'altair', 'xllamacpp', 'pandas'}"
    code = f"import sys, wager; print(sorted({heavy} & {{m.partition('.')[0] for m in sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_it_is_for(room: str) -> None:
    module = importlib.import_module(f"wager.{room}")
    assert module.__doc__
    for name in getattr(module, "__all__", []):
        assert hasattr(module, name), f"wager.{room}.__all__ names {name}, which does not exist"
