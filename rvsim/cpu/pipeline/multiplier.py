"""The multiplier: two pipeline steps, one multiplication a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Multiplier", "Operation"]


class Operation(enum.Enum, shape=2):
    """What to compute: the instruction's name, numbered as the low bits of ``funct3``."""

    MUL = 0
    MULH = 1
    MULHSU = 2
    MULHU = 3


class Multiplier(wiring.Component):
    """Products of two words (unprivileged specification, chapter "M").

    Operands are registered in the cycle of ``start``, the product in the next one, so that both registers can
    lie inside a multiplier block. A start is possible in every cycle.

    Members
    -------
    start : ``In(1)``
        Operation and operands are there.
    operation : ``In(Operation)``
        Which half of the product, and which operands are signed.
    a, b : ``In(32)``
        Operands: ``rs1`` and ``rs2``.
    stall : ``In(1)``
        Everything stays as it is; a start is not seen.
    valid : ``Out(1)``
        Two cycles without stall after a start.
    result : ``Out(32)``
        With ``valid`` its result; afterwards it stays until the next one.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "operation": In(Operation),
                "a": In(32),
                "b": In(32),
                "stall": In(1),
                "valid": Out(1),
                "result": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Operands get a 33rd bit, the sign or zero: one signed product serves all four."""
        m = Module()
        op = Operation
        left, right, product = Signal(33), Signal(33), Signal(64)
        high, started = Signal(), Signal()
        left_signed = (self.operation == op.MULH) | (self.operation == op.MULHSU)
        m.d.comb += product.eq(left.as_signed() * right.as_signed())
        with m.If(~self.stall):
            m.d.sync += [started.eq(self.start), self.valid.eq(started)]
            with m.If(self.start):
                m.d.sync += [
                    left.eq(Cat(self.a, self.a[31] & left_signed)),
                    right.eq(Cat(self.b, self.b[31] & (self.operation == op.MULH))),
                    high.eq(self.operation != op.MUL),
                ]
            with m.If(started):
                with m.If(high):
                    m.d.sync += self.result.eq(product[32:])
                with m.Else():
                    m.d.sync += self.result.eq(product[:32])
        return m
