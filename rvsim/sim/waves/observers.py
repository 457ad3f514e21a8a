"""Who looks at the cycles of a runner."""

from __future__ import annotations

import ctypes
from typing import Protocol

from ..code.functions import Hook
from .hook import HOOKS

_NAMES = ("flight recorder", "trace")


class Observer(Protocol):
    """One of them; at most one of each ``kind``."""

    kind: int
    hook: Hook
    pointer: int

    def stretch(self, cycles: int) -> tuple[int, bool, object]:
        """How many of the next cycles are alike, whether they are looked at, and a condition that is waited for."""

    def begin(self) -> None:
        """The condition holds."""

    def enter(self) -> None:
        """Cycles are about to be run, by somebody who may have changed something before."""

    def ran(self) -> None:
        """Some cycles have just been run, and nothing else has happened since."""

    def leave(self) -> None:
        """All cycles have been run."""

    def flush(self) -> None:
        """There is too little room for another cycle."""

    def restart(self) -> None:
        """The state is another one altogether."""


class Observers:
    """The observers of a runner, and the context that their compiled code gets."""

    def __init__(self) -> None:
        self._active: dict[int, Observer] = {}
        self._context = (ctypes.c_uint64 * HOOKS)()
        #: For the compiled loop.
        self.address = ctypes.addressof(self._context)

    def add(self, observer: Observer) -> None:
        """Take one in.

        Raises
        ------
        RuntimeError
            There is one of its kind.
        """
        if observer.kind in self._active:
            raise RuntimeError(f"a {_NAMES[observer.kind]} is active already: end it first")
        self._active[observer.kind] = observer
        self._context[observer.kind] = observer.pointer

    def remove(self, observer: Observer) -> None:
        """Forget one."""
        del self._active[observer.kind]

    def active(self, kind: int) -> Observer | None:
        """The one of a kind."""
        return self._active.get(kind)

    def stretch(self, cycles: int) -> tuple[int, tuple[Hook, ...], tuple]:
        """How many of the next cycles are alike, with which observers in the loop, and what else ends it."""
        hooks, waits = [], []
        for kind in sorted(self._active):
            observer = self._active[kind]
            cycles, seen, wait = observer.stretch(cycles)
            hooks += [observer.hook] if seen else []
            waits += [] if wait is None else [wait]
        return cycles, tuple(hooks), tuple(waits)

    def enter(self) -> None:
        """See :class:`Observer`."""
        for observer in self._active.values():
            observer.enter()

    def ran(self) -> None:
        """See :class:`Observer`."""
        for observer in self._active.values():
            observer.ran()

    def leave(self) -> None:
        """See :class:`Observer`."""
        for observer in self._active.values():
            observer.leave()

    def flush(self) -> None:
        """See :class:`Observer`."""
        for observer in self._active.values():
            observer.flush()

    def restart(self) -> None:
        """See :class:`Observer`."""
        for observer in self._active.values():
            observer.restart()

    def stopped(self, holds: object) -> None:
        """A condition ended the loop: begin what was waiting for it."""
        for observer in self._active.values():
            _, _, wait = observer.stretch(0)
            if wait is not None and holds((wait,)):
                observer.begin()
