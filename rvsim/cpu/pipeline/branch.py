"""The branch unit: whether and where to, and what to come back to."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Branch", "Operation"]


class Operation(enum.Enum, shape=3):
    """Jumps and branches; branches are numbered by their ``funct3``, whose lowest bit negates the condition."""

    BEQ = 0
    BNE = 1
    JAL = 2
    JALR = 3
    BLT = 4
    BGE = 5
    BLTU = 6
    BGEU = 7


class Branch(wiring.Component):
    """Combinational unit for jumps and branches (unprivileged specification, section 2.5).

    Parameters
    ----------
    alignment : 2 or 4
        Bytes to which instructions are aligned: 2 with compressed instructions, 4 without.

    Members
    -------
    operation : ``In(Operation)``
        Which instruction it is.
    pc : ``In(32)``
        Its address.
    a, b, imm : ``In(32)``
        ``rs1``, ``rs2``, and the immediate.
    compressed : ``In(1)``
        The instruction has 16 bits.
    taken : ``Out(1)``
        Control goes to ``target``.
    target : ``Out(32)``
        Where a jump or a taken branch goes to.
    link : ``Out(32)``
        Address of the following instruction, which a jump writes to ``rd``.
    misaligned : ``Out(1)``
        It is taken and its target is not aligned: instruction-address-misaligned. Zero with ``alignment=2``, since
        targets are even.

    Raises
    ------
    ValueError
        Another alignment.
    """

    def __init__(self, *, alignment: int = 2) -> None:
        if alignment not in (2, 4):
            raise ValueError(f"instructions are aligned to 2 or 4 bytes, not to {alignment}")
        self._alignment = alignment
        super().__init__(
            {
                "operation": In(Operation),
                **{name: In(32) for name in ("pc", "a", "b", "imm")},
                "compressed": In(1),
                "taken": Out(1),
                "target": Out(32),
                "link": Out(32),
                "misaligned": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One comparator for all orders: signed numbers are in order when their sign bit is inverted."""
        m = Module()
        op = Operation
        negated, flip = Value.cast(self.operation)[0], ~Value.cast(self.operation)[1]
        with m.Switch(self.operation):
            with m.Case(op.JAL, op.JALR):
                m.d.comb += self.taken.eq(1)
            with m.Case(op.BEQ, op.BNE):
                m.d.comb += self.taken.eq((self.a == self.b) ^ negated)
            with m.Default():
                left, right = Cat(self.a[:31], self.a[31] ^ flip), Cat(self.b[:31], self.b[31] ^ flip)
                m.d.comb += self.taken.eq((left < right) ^ negated)
        total = Signal(32)
        m.d.comb += [
            total.eq(Mux(self.operation == op.JALR, self.a, self.pc) + self.imm),
            self.target.eq(Cat(Const(0, 1), total[1:])),  # other sums are even as they are
            self.link.eq(self.pc + Mux(self.compressed, 2, 4)),
        ]
        if self._alignment == 4:
            m.d.comb += self.misaligned.eq(self.taken & self.target[1])
        return m
