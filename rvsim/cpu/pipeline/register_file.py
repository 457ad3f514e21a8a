"""The integer registers."""

from __future__ import annotations

from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["RegisterFile"]


class RegisterFile(wiring.Component):
    """Thirty-two registers, two of which can be read and one written in every cycle.

    ``x0`` reads zero because it begins as zero and is never written. All registers begin as zero; a reset leaves
    them alone.

    Members
    -------
    rs1, rs2 : ``In(5)``
        Registers to read.
    rs1_value, rs2_value : ``Out(32)``
        What they hold, combinationally; a write shows from the next cycle on.
    write : ``In(1)``
        Write this cycle; ``x0`` is left alone.
    rd : ``In(5)``
        Register to write.
    rd_value : ``In(32)``
        What to write.
    """

    def __init__(self) -> None:
        #: The storage, to which a debugger or a simulation can go directly.
        self.registers = Memory(shape=unsigned(32), depth=32, init=[])
        super().__init__(
            {
                "rs1": In(5),
                "rs2": In(5),
                "rs1_value": Out(32),
                "rs2_value": Out(32),
                "write": In(1),
                "rd": In(5),
                "rd_value": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A memory with two combinational read ports."""
        m = Module()
        m.submodules.registers = self.registers
        first, second = self.registers.read_port(domain="comb"), self.registers.read_port(domain="comb")
        written = self.registers.write_port()
        m.d.comb += [
            first.addr.eq(self.rs1),
            second.addr.eq(self.rs2),
            self.rs1_value.eq(first.data),
            self.rs2_value.eq(second.data),
            written.addr.eq(self.rd),
            written.data.eq(self.rd_value),
            written.en.eq(self.write & (self.rd != 0)),
        ]
        return m
