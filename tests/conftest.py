"""Shared by all tests: where the real data is, and what to do where something real is missing."""

import os
import signal
from pathlib import Path
from typing import NoReturn

import pytest

DATA = Path(os.environ.get("WAGER_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


def absent(what: str) -> NoReturn:
    """Skips on a newcomer's machine; in CI everything real must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is absent, and CI must have it")
    pytest.skip(f"{what} is absent")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real public data."""
    if not DATA.is_dir():
        absent(f"the test data at {DATA}")
    return DATA


def heed_signals() -> None:
    """For the child of a test that sends Ctrl-C: a shell in the background starts its jobs with that signal ignored, and children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
