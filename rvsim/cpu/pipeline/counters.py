"""The machine counters: mcycle, minstret, and later those of performance events."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Counter"]


class Counter(wiring.Component):
    """A 64-bit counter in two CSRs (privileged specification, sections 3.1.10 and 3.1.12).

    A write of a half takes the place of the whole counter's increment, so that an instruction that writes a counter of
    instructions is not counted by it.

    Members
    -------
    event : ``In(1)``
        Something to count happens in this cycle.
    inhibit : ``In(1)``
        It is not counted (``mcountinhibit``).
    write : ``In(2)``
        Bit 0 writes the lower half, bit 1 the upper one; at most one of them.
    data : ``In(32)``
        What is written.
    value : ``Out(64)``
        Events so far, without this cycle's.
    """

    def __init__(self) -> None:
        super().__init__({"event": In(1), "inhibit": In(1), "write": In(2), "data": In(32), "value": Out(64)})

    def elaborate(self, platform: object) -> Module:
        """A register of 64 bits and an incrementer."""
        m = Module()
        with m.If(self.write[0]):
            m.d.sync += self.value[:32].eq(self.data)
        with m.Elif(self.write[1]):
            m.d.sync += self.value[32:].eq(self.data)
        with m.Elif(self.event & ~self.inhibit):
            m.d.sync += self.value.eq(self.value + 1)
        return m
