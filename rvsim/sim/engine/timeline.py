"""Simulated time: who is to be woken when."""

from __future__ import annotations

from collections.abc import Callable

from ..private import BaseProcess


class Timeline:
    """Wakers by the time at which they are due, in femtoseconds."""

    def __init__(self) -> None:
        self.now = 0
        self._due: dict[Callable[[], None], int] = {}

    def reset(self) -> None:
        """Back to time zero."""
        self.now = 0
        self._due.clear()

    def set_waker(self, interval: int, waker: Callable[[], None]) -> None:
        """Call ``waker()`` after an interval."""
        self._due[waker] = self.now + interval

    def advance(self) -> None:
        """Go on to the next time at which somebody is due, and wake all who are."""
        if not self._due:
            return
        self.now = min(self._due.values())
        for waker in [w for w, due in self._due.items() if due == self.now]:
            del self._due[waker]
            waker()


class ClockProcess(BaseProcess):
    """Toggles a clock."""

    def __init__(self, state: object, slot: object, phase: int, period: int) -> None:
        self._state, self._slot, self._phase, self._half = state, slot, phase, period // 2
        self.reset()

    def reset(self) -> None:
        """Begin before the first edge."""
        self.runnable, self.critical, self._initial = True, False, True

    def _wake(self) -> None:
        self.runnable = True

    def run(self) -> None:
        """Toggle, and come back half a period later."""
        if self._initial:
            self._initial = False
            self._state.set_delay_waker(self._phase, self._wake)
            return
        self._slot.update(int(not self._slot.curr))
        self._state.set_delay_waker(self._half, self._wake)
