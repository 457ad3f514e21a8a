"""The test finisher as hardware."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rvsim.periph.finisher.registers import FAIL, FINISHER, PASS, RESET
from rvsim.regs.hardware import Registers, bus_signature

__all__ = ["Finisher"]


class Finisher(wiring.Component):
    """Test finisher: tells the outside world that the machine is over.

    The first command counts: with it the machine ends, and only a reset of this block, too, lets another through.
    An access is answered in the cycle after its request, when ``done`` shows its effect already.

    Members
    -------
    bus : ``In(wishbone.Signature(addr_width=10, data_width=32, granularity=8, features={"err"}))``
        Registers as in :data:`rvsim.periph.finisher.FINISHER`.
    done : ``Out(1)``
        A command was given; stays so.
    value : ``Out(32)``
        With ``done``: what was written. Bits 15 to 0 are ``PASS``, ``FAIL`` or ``RESET``, bits 31 to 16 the code
        beside it.
    """

    def __init__(self) -> None:
        super().__init__({"bus": In(bus_signature(FINISHER)), "done": Out(1), "value": Out(32)})

    def elaborate(self, platform: object) -> Module:
        """One register that remembers the first command."""
        m = Module()
        m.submodules.registers = registers = Registers(FINISHER)
        connect(m, flipped(self.bus), registers.bus)
        finish = registers.finish
        with m.If(finish.written & finish.data[:16].matches(PASS, FAIL, RESET) & ~self.done):
            m.d.sync += [self.done.eq(1), self.value.eq(finish.data)]
        return m
