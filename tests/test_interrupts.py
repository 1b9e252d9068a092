"""Ctrl-C that a library loses is found again."""

import contextlib
import signal
from collections.abc import Iterator

import pytest

from wager.interrupts import heeding


@pytest.fixture(autouse=True)
def own_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored (a job in the background), or be Spark's
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def lost() -> None:
    """Ctrl-C in a library that swallows it."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_it_ends_the_work_at_once() -> None:
    after = []

    def work() -> None:
        with heeding():
            signal.raise_signal(signal.SIGINT)
            after.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not after


def test_one_that_is_swallowed_is_raised_in_the_end() -> None:
    seen = []

    def work() -> None:
        with heeding() as stopped:
            lost()
            seen.append(stopped.is_set())

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == [True]


def test_one_that_a_library_makes_an_error_of_is_itself_again() -> None:
    def work() -> None:
        with heeding():
            lost()
            raise ValueError("an error of the library")

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert isinstance(caught.value.__cause__, ValueError)


def test_where_it_would_be_lost_it_waits_and_the_work_is_told() -> None:
    seen = []

    def work() -> None:
        with heeding(lambda frame: True) as stopped:
            signal.raise_signal(signal.SIGINT)
            seen.append(stopped.is_set())

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == [True]


def test_without_it_errors_stay_what_they_are() -> None:
    with pytest.raises(ValueError, match="as it was"), heeding():
        raise ValueError("as it was")
