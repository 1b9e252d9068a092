"""A circuit breaker: a server that failed several times in a row is left alone for a while, then tried with one request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

__all__ = ["Breaker", "BreakerState"]

BreakerState = Literal["closed", "open", "half_open"]
"""Closed lets everything through, open nothing, half open the one request whose outcome decides."""


class Breaker:
    """The breaker of one server; for one event loop.

    >>> now = [0.0]
    >>> breaker = Breaker(failures=2, cool_down=30.0, clock=lambda: now[0])
    >>> breaker.failed(), breaker.failed(), breaker.state, breaker.admits()
    (None, None, 'open', False)
    >>> now[0] = 30.0
    >>> breaker.admits(), breaker.admits(), breaker.state
    (True, False, 'half_open')
    >>> breaker.succeeded(), breaker.state
    (None, 'closed')
    """

    def __init__(
        self, *, failures: int, cool_down: float, clock: Callable[[], float], changed: Callable[[BreakerState], None] = lambda _: None
    ) -> None:
        """A closed breaker.

        Args:
            failures: in a row after which it opens.
            cool_down: seconds for which it stays open.
            clock: seconds, never going back.
            changed: called with each new state.
        """
        self.state: BreakerState = "closed"
        self.in_a_row = 0
        """Failures since the last success."""
        self._failures, self._cool_down, self._clock, self._changed = failures, cool_down, clock, changed
        self._opened = 0.0
        self._trying = False

    def admits(self) -> bool:
        """Whether a request may be made now; one that is admitted is to be followed by `succeeded`, `failed` or `given_up`."""
        if self.state == "closed":
            return True
        if self.state == "open" and self.wait() <= 0:
            self._to("half_open")
        if self.state == "half_open" and not self._trying:
            self._trying = True
            return True
        return False

    def wait(self) -> float:
        """Seconds until a request may be admitted; 0 where one may be now or the one under way decides."""
        return max(0.0, self._opened + self._cool_down - self._clock()) if self.state == "open" else 0.0

    def succeeded(self) -> None:
        """The server did what it should."""
        self.in_a_row, self._trying = 0, False
        if self.state != "closed":
            self._to("closed")

    def failed(self) -> None:
        """The server failed: one that was admitted before the breaker opened changes nothing any more."""
        self.in_a_row += 1
        self._trying = False
        if self.state == "half_open" or (self.state == "closed" and self.in_a_row >= self._failures):
            self._opened = self._clock()
            self._to("open")

    def given_up(self) -> None:
        """The request ended without telling anything about the server: its client went away."""
        self._trying = False

    def _to(self, state: BreakerState) -> None:
        self.state = state
        self._changed(state)
