"""Named plug-ins: a function is registered by decorator in its room, or found through an entry point of another package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from wager.errors import UnknownNameError, UsageError

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Things of one kind by name.

    A duplicate is an error, an unknown name lists the known ones. Other packages add theirs under the entry-point
    group ``wager.<kind>``; they are loaded when a name is not found here.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        """What is registered, as one reads it in a message: ``task``, ``matcher``, ..."""
        self._known: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that registers what it decorates under ``name``."""

        def add(thing: T) -> T:
            if name in self._known:
                raise UsageError(f"a {self.kind} named {name!r} is registered already")
            self._known[name] = thing
            return thing

        return add

    def get(self, name: str) -> T:
        """The thing registered as ``name``; raises UnknownNameError with the nearest names."""
        if name not in self._known:
            for entry in entry_points(group=f"wager.{self.kind}", name=name):
                self._known[name] = entry.load()
        if name not in self._known:
            raise UnknownNameError(self.kind, name, self)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._known, *(entry.name for entry in entry_points(group=f"wager.{self.kind}"))}))
