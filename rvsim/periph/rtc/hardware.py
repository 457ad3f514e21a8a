"""The goldfish real-time clock as hardware."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rvsim.periph.rtc.registers import RTC
from rvsim.regs.hardware import Registers, bus_signature

__all__ = ["Rtc", "WallTime"]

_BITS = 64


class WallTime(wiring.Component):
    """A wall clock for :class:`Rtc` that counts from a start: the same in every run.

    Parameters
    ----------
    start : int
        Nanoseconds since 1970-01-01 UTC after reset, 64 bits, unsigned.
    step : int
        Nanoseconds of a tick, positive; 100 for ticks at 10 MHz.

    Members
    -------
    tick : ``In(1)``
        Time advances in every cycle with a 1 here.
    now : ``Out(64)``
        Nanoseconds since 1970-01-01 UTC, modulo 2^64.

    Raises
    ------
    ValueError
        A number is out of range.
    """

    def __init__(self, start: int = 0, *, step: int = 100) -> None:
        if type(start) is not int or start < 0 or start >> _BITS:
            raise ValueError(f"RTC: start must be an unsigned integer of 64 bits, not {start!r}")
        if type(step) is not int or step <= 0 or step >> _BITS:
            raise ValueError(f"RTC: step must be a positive integer of 64 bits, not {step!r}")
        self._step = step
        super().__init__({"tick": In(1), "now": Out(_BITS, init=start)})

    def elaborate(self, platform: object) -> Module:
        """An accumulator."""
        m = Module()
        with m.If(self.tick):
            m.d.sync += self.now.eq(self.now + self._step)
        return m


class Rtc(wiring.Component):
    """Goldfish real-time clock.

    An access is answered in the cycle after its request. An alarm goes off at the end of the first cycle in which its
    time is reached, one that was set in the past in the cycle of the answer; ``interrupt`` shows it in the cycle
    after. All other effects show with the answer. Outputs depend on registers only.

    Members
    -------
    bus : ``In(wishbone.Signature(addr_width=10, data_width=32, granularity=8, features={"err"}))``
        Registers as in :data:`rvsim.periph.rtc.RTC`.
    now : ``In(64)``
        Wall time in nanoseconds since 1970-01-01 UTC, for example of :class:`WallTime`.
    interrupt : ``Out(1)``
        Interrupt line, a level.
    """

    def __init__(self) -> None:
        super().__init__({"bus": In(bus_signature(RTC)), "now": In(_BITS), "interrupt": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The guest's clock is the wall's and an offset; the alarm is compared only while it is armed."""
        m = Module()
        m.submodules.registers = registers = Registers(RTC)
        connect(m, flipped(self.bus), registers.bus)
        time = Signal(_BITS)
        time_offset = Signal(_BITS)
        time_latch = Signal(32)
        m.d.comb += [
            time.eq(self.now + time_offset),
            registers.time_low.driven.eq(time[:32]),
            registers.time_high.driven.eq(time_latch),
        ]
        with m.If(registers.time_low.read):
            m.d.sync += time_latch.eq(time[32:])
        with m.If(registers.time_low.written):
            m.d.sync += time_offset.eq(Cat(registers.time_low.data, time[32:]) - self.now)
        with m.If(registers.time_high.written):
            m.d.sync += time_offset.eq(Cat(time[:32], registers.time_high.data) - self.now)
        self._alarm(m, registers, time)
        return m

    def _alarm(self, m: Module, registers: Registers, time: Signal) -> None:
        """What happens in the cycle of an access is older than the access: an acknowledgement does not swallow it."""
        armed = registers.alarm_status
        due = Signal()
        interrupt_pending = Signal()
        with m.If(armed.value.armed):
            m.d.comb += due.eq(Cat(registers.alarm_low.value, registers.alarm_high.value) <= time)
        m.d.comb += [
            armed.update.eq(due | registers.alarm_low.written | registers.clear_alarm.written),
            armed.next.armed.eq(registers.alarm_low.written),
            self.interrupt.eq(interrupt_pending & registers.irq_enabled.value.enabled),
        ]
        with m.If(due):
            m.d.sync += interrupt_pending.eq(1)
        with m.Elif(registers.clear_interrupt.written):
            m.d.sync += interrupt_pending.eq(0)
