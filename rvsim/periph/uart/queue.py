"""The FIFO of a UART's receiver or transmitter."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rvsim.periph.uart.registers import FIFO_DEPTH

__all__ = ["Queue"]


class Queue(wiring.Component):
    """Sixteen values, or one while ``single`` is high; what is pushed shows in the cycle after.

    A push while it is full is lost, as in the 16550's FIFO mode; a single value is replaced, as in its character mode.
    One push and one pop in the same cycle are a pop first, so that there is room for the push.

    Parameters
    ----------
    width : int
        Bits of a value.

    Members
    -------
    single : ``In(1)``
        Hold one value only. Must not rise while there are more.
    push, value : ``In(1)``, ``In(width)``
        Append ``value``.
    pop : ``In(1)``
        Drop the oldest; only while there is one.
    clear : ``In(1)``
        Drop all, also what is pushed in this cycle.
    oldest : ``Out(width)``
        The oldest value, while there is one.
    level : ``Out(5)``
        How many there are.
    full : ``Out(1)``
        There is no room for another.
    """

    def __init__(self, width: int) -> None:
        super().__init__(
            {
                "single": In(1),
                "push": In(1),
                "value": In(width),
                "pop": In(1),
                "clear": In(1),
                "oldest": Out(width),
                "level": Out(range(FIFO_DEPTH + 1)),
                "full": Out(1),
            }
        )
        self._width = width

    def elaborate(self, platform: object) -> Module:
        """A ring in a memory that is read combinationally."""
        m = Module()
        m.submodules.rows = rows = Memory(shape=self._width, depth=FIFO_DEPTH, init=[])
        write, read = rows.write_port(), rows.read_port(domain="comb")
        first = Signal(range(FIFO_DEPTH))
        crowded = Signal()
        m.d.comb += [
            self.full.eq(Mux(self.single, self.level != 0, self.level == FIFO_DEPTH)),
            crowded.eq(self.full & ~self.pop),
            read.addr.eq(first),
            self.oldest.eq(read.data),
            # A single value is replaced where it is.
            write.addr.eq(first + Mux(crowded, 0, self.level)),
            write.data.eq(self.value),
            write.en.eq(self.push & (~crowded | self.single)),
        ]
        with m.If(self.clear):
            m.d.sync += self.level.eq(0)
        with m.Elif(self.pop):
            m.d.sync += first.eq(first + 1)
            with m.If(~self.push):
                m.d.sync += self.level.eq(self.level - 1)
        with m.Elif(self.push & ~self.full):
            m.d.sync += self.level.eq(self.level + 1)
        return m
