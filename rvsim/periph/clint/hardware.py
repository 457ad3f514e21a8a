"""The CLINT as hardware."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rvsim.periph.clint.registers import clint_map
from rvsim.regs.hardware import Registers, bus_signature

__all__ = ["Clint"]


class Clint(wiring.Component):
    """Core-local interruptor: software interrupts and the machine timer.

    Outputs depend on registers only; an access is answered in the cycle after its request, when ``msip`` and ``mtip``
    show its effect already.

    Parameters
    ----------
    harts : int
        Number of harts, 1 to 4095.

    Members
    -------
    bus : ``In(wishbone.Signature(addr_width=14, data_width=32, granularity=8, features={"err"}))``
        Registers as in :func:`rvsim.periph.clint.clint_map`.
    tick : ``In(1)``
        ``mtime`` advances in every cycle with a 1 here.
    mtime : ``Out(64)``
        The time, for the harts' ``time`` CSR.
    msip : ``Out(harts)``
        Machine software interrupt of each hart.
    mtip : ``Out(harts)``
        Machine timer interrupt of each hart.

    Raises
    ------
    ValueError
        The number of harts is out of range.
    """

    def __init__(self, harts: int = 1) -> None:
        self._map = clint_map(harts)
        super().__init__(
            {
                "bus": In(bus_signature(self._map)),
                "tick": In(1),
                "mtime": Out(64),
                "msip": Out(harts),
                "mtip": Out(harts),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Registers of the map, a counter, and a comparator per hart."""
        m = Module()
        m.submodules.registers = registers = Registers(self._map)
        connect(m, flipped(self.bus), registers.bus)
        mtime = registers.mtime
        m.d.comb += [
            mtime.update.eq(self.tick),
            mtime.next.eq(mtime.value + 1),
            self.mtime.eq(mtime.value),
            self.msip.eq(Cat(msip.value.pending for msip in registers.msip)),
            self.mtip.eq(Cat(mtime.value >= mtimecmp.value for mtimecmp in registers.mtimecmp)),
        ]
        return m
