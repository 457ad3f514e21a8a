"""M: integer multiplication and division (unprivileged specification, chapter "M")."""

from __future__ import annotations

from ..instruction import Effect, Operands, Rd, insn
from ..terms import Term, mux


def _high(left: Term, right: Term) -> Effect:
    return Rd((left * right).bits(left.width - 1, left.width // 2))


@insn("mul rd, rs1, rs2", "0000001 ----- ----- 000 ----- 0110011", "m")
def mul(i: Operands) -> Effect:
    return Rd(i.rs1 * i.rs2)


@insn("mulh rd, rs1, rs2", "0000001 ----- ----- 001 ----- 0110011", "m")
def mulh(i: Operands) -> Effect:
    return _high(i.rs1.sext(2 * i.xlen), i.rs2.sext(2 * i.xlen))


@insn("mulhsu rd, rs1, rs2", "0000001 ----- ----- 010 ----- 0110011", "m")
def mulhsu(i: Operands) -> Effect:
    return _high(i.rs1.sext(2 * i.xlen), i.rs2.zext(2 * i.xlen))


@insn("mulhu rd, rs1, rs2", "0000001 ----- ----- 011 ----- 0110011", "m")
def mulhu(i: Operands) -> Effect:
    return _high(i.rs1.zext(2 * i.xlen), i.rs2.zext(2 * i.xlen))


def _signed_divisor(i: Operands) -> tuple[Term, Term, Term]:
    """Division by zero, overflow, and a divisor for which the operation has a value."""
    zero = i.rs2.eq(0)
    overflow = i.rs1.eq(1 << (i.xlen - 1)) & i.rs2.eq(-1)
    return zero, overflow, mux(zero | overflow, i.const(1), i.rs2)


@insn("div rd, rs1, rs2", "0000001 ----- ----- 100 ----- 0110011", "m")
def div(i: Operands) -> Effect:
    zero, _, divisor = _signed_divisor(i)  # on overflow the quotient by one is the answer: the dividend
    return Rd(mux(zero, i.const(-1), i.rs1.div(divisor)))


@insn("divu rd, rs1, rs2", "0000001 ----- ----- 101 ----- 0110011", "m")
def divu(i: Operands) -> Effect:
    zero = i.rs2.eq(0)
    return Rd(mux(zero, i.const(-1), i.rs1.divu(mux(zero, i.const(1), i.rs2))))


@insn("rem rd, rs1, rs2", "0000001 ----- ----- 110 ----- 0110011", "m")
def rem(i: Operands) -> Effect:
    zero, _, divisor = _signed_divisor(i)  # on overflow the remainder by one is the answer: zero
    return Rd(mux(zero, i.rs1, i.rs1.rem(divisor)))


@insn("remu rd, rs1, rs2", "0000001 ----- ----- 111 ----- 0110011", "m")
def remu(i: Operands) -> Effect:
    zero = i.rs2.eq(0)
    return Rd(mux(zero, i.rs1, i.rs1.remu(mux(zero, i.const(1), i.rs2))))
