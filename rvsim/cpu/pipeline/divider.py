"""The divider: two quotient bits a cycle, and none that are known to be zero."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Divider", "Operation"]


class Operation(enum.Enum, shape=2):
    """What to compute: the instruction's name, numbered as the low bits of ``funct3``."""

    DIV = 0
    DIVU = 1
    REM = 2
    REMU = 3


class Divider(wiring.Component):
    """Quotient or remainder of two words (unprivileged specification, chapter "M").

    ``start`` may be held for as long as the instruction waits: it counts only while the unit is idle. ``done``
    comes at most :attr:`LATENCY` cycles later, two cycles later if the quotient is zero or the divisor is.

    Members
    -------
    start : ``In(1)``
        Operation and operands are there.
    operation : ``In(Operation)``
        Quotient or remainder, signed or not.
    a, b : ``In(32)``
        Dividend and divisor: ``rs1`` and ``rs2``.
    kill : ``In(1)``
        Abandon what is going on; the unit is idle in the next cycle. It overrides ``start``.
    stall : ``In(1)``
        ``done`` stays; without stall it lasts one cycle. Stalls nothing before.
    busy : ``Out(1)``
        Started and not yet done.
    done : ``Out(1)``
        The result is there.
    result : ``Out(32)``
        With ``done``, and until the next start.
    """

    #: Cycles from ``start`` to ``done`` at most.
    LATENCY = 18

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "operation": In(Operation),
                "a": In(32),
                "b": In(32),
                "kill": In(1),
                "stall": In(1),
                "busy": Out(1),
                "done": Out(1),
                "result": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Magnitudes are divided; the sign is put in front of the result."""
        m = Module()
        op = Operation
        self._aligned, self._remainder, self._quotient = Signal(), Signal(32), Signal(32)
        self._divisor, self._steps = Signal(33), Signal(4)
        self._wants_remainder, self._negative = Signal(), Signal()
        signed, wants_remainder = Signal(), Signal()
        m.d.comb += [
            signed.eq((self.operation == op.DIV) | (self.operation == op.REM)),
            wants_remainder.eq((self.operation == op.REM) | (self.operation == op.REMU)),
        ]
        with m.If(self.busy):
            with m.If(self.kill):
                m.d.sync += self.busy.eq(0)
            with m.Elif(self._aligned):
                self._divide(m)
            with m.Else():
                self._align(m)
        with m.Elif(self.done):
            m.d.sync += self.done.eq(self.stall & ~self.kill)
        with m.Elif(self.start & ~self.kill):
            m.d.sync += [
                self.busy.eq(1),
                self._aligned.eq(0),
                self._remainder.eq(Mux(signed & self.a[31], -self.a, self.a)),
                self._divisor.eq(Mux(signed & self.b[31], -self.b, self.b)[:32]),
                self._quotient.eq(0),
                self._wants_remainder.eq(wants_remainder),
                self._negative.eq(signed & (self.a[31] ^ (self.b[31] & ~wants_remainder))),
            ]
        value = Mux(self._wants_remainder, self._remainder, self._quotient)
        m.d.comb += self.result.eq(Mux(self._negative, -value, value))
        return m

    def _align(self, m: Module) -> None:
        """The divisor's first one goes to the dividend's, or one place further to make the number of bits even."""
        distance = Signal(range(-31, 32))
        m.d.comb += distance.eq(_leading_zeros(m, self._divisor[:32]) - _leading_zeros(m, self._remainder))
        with m.If(self._divisor == 0):
            # The quotient has all bits set, whatever the signs; the remainder is the dividend, and has its sign.
            m.d.sync += [self.busy.eq(0), self.done.eq(1), self._quotient.eq(~0)]
            with m.If(~self._wants_remainder):
                m.d.sync += self._negative.eq(0)
        with m.Elif(distance < 0):
            m.d.sync += [self.busy.eq(0), self.done.eq(1)]
        with m.Else():
            m.d.sync += [
                self._aligned.eq(1),
                self._divisor.eq(self._divisor << Cat(1, distance[1:5])),
                self._steps.eq(distance[1:5]),
            ]

    def _divide(self, m: Module) -> None:
        """Subtract the divisor where it fits, then half of it."""
        half = self._divisor[1:]
        upper, lower, between = Signal(), Signal(), Signal(32)
        m.d.comb += [
            upper.eq(self._remainder >= self._divisor),
            between.eq(Mux(upper, self._remainder - self._divisor, self._remainder)),
            lower.eq(between >= half),
        ]
        m.d.sync += [
            self._remainder.eq(Mux(lower, between - half, between)),
            self._quotient.eq(Cat(lower, upper, self._quotient)),
            self._divisor.eq(self._divisor >> 2),
            self._steps.eq(self._steps - 1),
        ]
        with m.If(self._steps == 0):
            m.d.sync += [self.busy.eq(0), self.done.eq(1)]


def _leading_zeros(m: Module, word: Value) -> Value:
    """Zeros above the first one of 32 bits, by halves; 31 if there is none."""
    count = []
    for width in (16, 8, 4, 2, 1):
        empty, rest = Signal(), Signal(width)
        m.d.comb += [empty.eq(word[width:] == 0), rest.eq(Mux(empty, word[:width], word[width:]))]
        count.insert(0, empty)
        word = rest
    return Cat(*count)
