"""Functional twin of the goldfish real-time clock."""

from __future__ import annotations

from rvsim.periph.rtc.registers import RTC
from rvsim.regs.node import Node, reg
from rvsim.regs.twin import Twin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WORD = 0xFFFF_FFFF
_TIME = 0xFFFF_FFFF_FFFF_FFFF


class RtcTwin(Twin):
    """Goldfish real-time clock, functional.

    It has no thread of its own: whoever owns time asks :meth:`until_alarm` how long to sleep and calls :meth:`poll`
    when that is over.

    Parameters
    ----------
    wall_time : Callable[[], int]
        Nanoseconds since 1970-01-01 UTC.
    interrupt : Callable[[bool], None]
        The interrupt line; called when it changes.
    """

    def __init__(self, wall_time: Callable[[], int], interrupt: Callable[[bool], None]) -> None:
        super().__init__(RTC)
        self._wall_time = wall_time
        self._interrupt = interrupt
        self._line = False

    @property
    def time(self) -> int:
        """The clock as the guest sees it, in nanoseconds (64 bits)."""
        return (self._wall_time() + self.time_offset) & _TIME

    def until_alarm(self) -> int | None:
        """Nanoseconds until the armed alarm goes off (0: it is due), or None."""
        if not self.alarm_status:
            return None
        return max(0, self._alarm - self.time)

    def poll(self) -> None:
        """Let an alarm that is due go off."""
        if self.alarm_status and self._alarm <= self.time:
            self.alarm_status = 0
            self.interrupt_pending = 1
            self._drive_line()

    @property
    def _alarm(self) -> int:
        return self.alarm_high << 32 | self.alarm_low

    def drive_time_low(self) -> int:
        """What a read of ``time_low`` finds."""
        return self.time & _WORD

    def drive_time_high(self) -> int:
        """What a read of ``time_high`` finds."""
        return self.time_latch

    def latch_time(self) -> None:
        """Side effect of a read of ``time_low``: both halves are of one moment."""
        self.time_latch = self.time >> 32

    def adjust_time_low(self, value: int) -> None:
        """Side effect of a write to ``time_low``."""
        self._set_time(self.time & ~_WORD | value)

    def adjust_time_high(self, value: int) -> None:
        """Side effect of a write to ``time_high``."""
        self._set_time(value << 32 | self.time & _WORD)

    def _set_time(self, time: int) -> None:
        self.time_offset = (time - self._wall_time()) & _TIME

    def arm_alarm(self, value: int) -> None:
        """Side effect of a write to ``alarm_low``: an alarm in the past goes off at once."""
        self.alarm_status = 1
        self.poll()

    def disarm_alarm(self, value: int) -> None:
        """Side effect of a write to ``clear_alarm``."""
        self.alarm_status = 0

    def acknowledge_interrupt(self, value: int) -> None:
        """Side effect of a write to ``clear_interrupt``."""
        self.interrupt_pending = 0
        self._drive_line()

    def update_interrupt(self, value: int) -> None:
        """Side effect of a write to ``irq_enabled``."""
        self._drive_line()

    def restored(self) -> None:
        """Bring the interrupt line up to date."""
        self._drive_line()

    def _drive_line(self) -> None:
        level = bool(self.interrupt_pending & self.irq_enabled)
        if level != self._line:
            self._line = level
            self._interrupt(level)


def device_tree_node(base: int, size: int, *, interrupt: int, interrupt_parent: int) -> Node:
    """The clock's node: interrupt number, and phandle of the controller that takes it."""
    return Node(
        f"rtc@{base:x}",
        {
            "interrupts": interrupt,
            "interrupt-parent": interrupt_parent,
            "reg": reg(base, size),
            "compatible": "google,goldfish-rtc",
        },
    )
