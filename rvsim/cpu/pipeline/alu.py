"""The arithmetic-logic unit: RV32I, Zba, Zbb and Zbs, checked against the instruction terms."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ALU", "Operation"]


class Operation(enum.Enum, shape=5):
    """What the unit computes. Named as the instruction with two registers, where there is one."""

    ADD = 0
    SUB = 1
    SLT = 2
    SLTU = 3
    SH1ADD = 4
    SH2ADD = 5
    SH3ADD = 6
    MIN = 7
    MINU = 8
    MAX = 9
    MAXU = 10
    SLL = 11
    SRL = 12
    SRA = 13
    ROL = 14
    ROR = 15
    BEXT = 16
    AND = 17
    OR = 18
    XOR = 19
    ANDN = 20
    ORN = 21
    XNOR = 22
    BCLR = 23
    BINV = 24
    BSET = 25
    CLZ = 26
    CTZ = 27
    CPOP = 28
    SEXT_B = 29
    SEXT_H = 30
    BYTES = 31  # ORC.B, REV8 and ZEXT.H, told apart by operand ``b``

    @classmethod
    def of(cls, name: str) -> Operation:
        """The operation of an instruction, by its mnemonic: immediate forms share that of the register form.

        Raises
        ------
        KeyError
            The unit does not execute it.
        """
        special = {"lui": "ADD", "auipc": "ADD", "sltiu": "SLTU", "orc.b": "BYTES", "rev8": "BYTES", "zext.h": "BYTES"}
        plain = name.upper().replace(".", "_")
        return cls[special.get(name, plain if plain in cls.__members__ else plain.removesuffix("I"))]


#: Operand ``b`` of :attr:`Operation.BYTES`.
BYTE_SELECT = {"orc.b": 0, "rev8": 1, "zext.h": 2}


class ALU(wiring.Component):
    """Combinational unit with one adder and one shifter.

    Members
    -------
    operation : ``In(Operation)``
        What to compute.
    a, b : ``In(32)``
        Operands; a shift or bit number is in the low five bits of ``b``.
    result : ``Out(32)``
        Result.
    """

    def __init__(self) -> None:
        super().__init__({"operation": In(Operation), "a": In(32), "b": In(32), "result": Out(32)})

    def elaborate(self, platform: object) -> Module:
        """Adder, shifter, logic and counters side by side, then a choice."""
        m = Module()
        a, b, op = self.a, self.b, Operation
        total, less = self._adder(m)
        shifted = self._shifter(m)
        bit = Signal(32)
        inverted = Signal(32)
        m.d.comb += [bit.eq(1 << b[:5]), inverted.eq(~b)]
        smaller, larger = Mux(less, a, b), Mux(less, b, a)
        reversed_bytes = Cat(a[24:32], a[16:24], a[8:16], a[0:8])
        filled_bytes = Cat(*(a[low : low + 8].any().replicate(8) for low in range(0, 32, 8)))
        with m.Switch(self.operation):
            for operations, value in (
                ((op.ADD, op.SUB, op.SH1ADD, op.SH2ADD, op.SH3ADD), total),
                ((op.SLT, op.SLTU), less),
                ((op.MIN, op.MINU), smaller),
                ((op.MAX, op.MAXU), larger),
                ((op.SLL, op.SRL, op.SRA, op.ROL, op.ROR), shifted),
                ((op.BEXT,), shifted[0]),
                ((op.AND,), a & b),
                ((op.OR,), a | b),
                ((op.XOR,), a ^ b),
                ((op.ANDN,), a & inverted),
                ((op.ORN,), a | inverted),
                ((op.XNOR,), a ^ inverted),
                ((op.BCLR,), a & ~bit),
                ((op.BINV,), a ^ bit),
                ((op.BSET,), a | bit),
                ((op.CLZ,), _zeros(a[::-1])),
                ((op.CTZ,), _zeros(a)),
                ((op.CPOP,), sum(a[n] for n in range(32))),
                ((op.SEXT_B,), a[:8].as_signed()),
                ((op.SEXT_H,), a[:16].as_signed()),
                ((op.BYTES,), Mux(b[1], a[:16], Mux(b[0], reversed_bytes, filled_bytes))),
            ):
                with m.Case(*operations):
                    m.d.comb += self.result.eq(value)
        return m

    def _adder(self, m: Module) -> tuple[Signal, Signal]:
        """Sum or difference, and whether ``a`` is less than ``b`` (from the difference)."""
        op = Operation
        total, less = Signal(33), Signal()
        left, right, subtract, signed = Signal(32), Signal(32), Signal(), Signal()
        m.d.comb += [left.eq(self.a), right.eq(self.b)]
        with m.Switch(self.operation):
            for operation, amount in ((op.SH1ADD, 1), (op.SH2ADD, 2), (op.SH3ADD, 3)):
                with m.Case(operation):
                    m.d.comb += left.eq(self.a << amount)
            with m.Case(op.SLT, op.MIN, op.MAX):
                m.d.comb += [subtract.eq(1), signed.eq(1)]
            with m.Case(op.SUB, op.SLTU, op.MINU, op.MAXU):
                m.d.comb += subtract.eq(1)
        m.d.comb += [
            total.eq(left + (right ^ subtract.replicate(32)) + subtract),
            # No carry out of a difference means a borrow; with signs that differ, the negative one is less.
            less.eq(~total[32] ^ (signed & (self.a[31] ^ self.b[31]))),
        ]
        return total[:32], less

    def _shifter(self, m: Module) -> Value:
        """A right shift of 64 bits; left shifts go in and come out reversed."""
        op = Operation
        left, fill, shifted = Signal(), Signal(32), Signal(32)
        word = Mux(left, self.a[::-1], self.a)
        m.d.comb += left.eq((self.operation == op.SLL) | (self.operation == op.ROL))
        with m.Switch(self.operation):
            with m.Case(op.SRA):
                m.d.comb += fill.eq(self.a[31].replicate(32))
            with m.Case(op.ROL, op.ROR):
                m.d.comb += fill.eq(word)
        m.d.comb += shifted.eq(Cat(word, fill) >> self.b[:5])
        return Mux(left, shifted[::-1], shifted)


def _zeros(bits: Value) -> Value:
    """Zeros below the lowest one; 32 if there is none."""
    count = Const(32, 6)
    for position in reversed(range(32)):
        count = Mux(bits[position], position, count)
    return count
