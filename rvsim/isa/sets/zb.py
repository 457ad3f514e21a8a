"""Zba, Zbb and Zbs: bit manipulation (unprivileged specification, chapter "B", RV32 encodings)."""

from __future__ import annotations

from ..instruction import Effect, Operands, Rd, insn
from ..terms import Term, mux


def _shift_add(i: Operands, amount: int) -> Effect:
    return Rd((i.rs1 << amount) + i.rs2)


@insn("sh1add rd, rs1, rs2", "0010000 ----- ----- 010 ----- 0110011", "zba")
def sh1add(i: Operands) -> Effect:
    return _shift_add(i, 1)


@insn("sh2add rd, rs1, rs2", "0010000 ----- ----- 100 ----- 0110011", "zba")
def sh2add(i: Operands) -> Effect:
    return _shift_add(i, 2)


@insn("sh3add rd, rs1, rs2", "0010000 ----- ----- 110 ----- 0110011", "zba")
def sh3add(i: Operands) -> Effect:
    return _shift_add(i, 3)


@insn("andn rd, rs1, rs2", "0100000 ----- ----- 111 ----- 0110011", "zbb")
def andn(i: Operands) -> Effect:
    return Rd(i.rs1 & ~i.rs2)


@insn("orn rd, rs1, rs2", "0100000 ----- ----- 110 ----- 0110011", "zbb")
def orn(i: Operands) -> Effect:
    return Rd(i.rs1 | ~i.rs2)


@insn("xnor rd, rs1, rs2", "0100000 ----- ----- 100 ----- 0110011", "zbb")
def xnor(i: Operands) -> Effect:
    return Rd(~(i.rs1 ^ i.rs2))


@insn("clz rd, rs1", "0110000 00000 ----- 001 ----- 0010011", "zbb")
def clz(i: Operands) -> Effect:
    return Rd(i.rs1.clz())


@insn("ctz rd, rs1", "0110000 00001 ----- 001 ----- 0010011", "zbb")
def ctz(i: Operands) -> Effect:
    return Rd(i.rs1.ctz())


@insn("cpop rd, rs1", "0110000 00010 ----- 001 ----- 0010011", "zbb")
def cpop(i: Operands) -> Effect:
    return Rd(i.rs1.cpop())


@insn("sext.b rd, rs1", "0110000 00100 ----- 001 ----- 0010011", "zbb")
def sext_b(i: Operands) -> Effect:
    return Rd(i.rs1.bits(7, 0).sext(i.xlen))


@insn("sext.h rd, rs1", "0110000 00101 ----- 001 ----- 0010011", "zbb")
def sext_h(i: Operands) -> Effect:
    return Rd(i.rs1.bits(15, 0).sext(i.xlen))


@insn("zext.h rd, rs1", "0000100 00000 ----- 100 ----- 0110011", "zbb")
def zext_h(i: Operands) -> Effect:
    return Rd(i.rs1 & 0xFFFF)


@insn("max rd, rs1, rs2", "0000101 ----- ----- 110 ----- 0110011", "zbb")
def max_(i: Operands) -> Effect:
    return Rd(mux(i.rs1.lt(i.rs2), i.rs2, i.rs1))


@insn("maxu rd, rs1, rs2", "0000101 ----- ----- 111 ----- 0110011", "zbb")
def maxu(i: Operands) -> Effect:
    return Rd(mux(i.rs1.ltu(i.rs2), i.rs2, i.rs1))


@insn("min rd, rs1, rs2", "0000101 ----- ----- 100 ----- 0110011", "zbb")
def min_(i: Operands) -> Effect:
    return Rd(mux(i.rs1.lt(i.rs2), i.rs1, i.rs2))


@insn("minu rd, rs1, rs2", "0000101 ----- ----- 101 ----- 0110011", "zbb")
def minu(i: Operands) -> Effect:
    return Rd(mux(i.rs1.ltu(i.rs2), i.rs1, i.rs2))


def _rotate_right(i: Operands, amount: Term) -> Effect:
    # Shift amounts count modulo XLEN, so a rotation by zero needs no case of its own.
    return Rd((i.rs1 >> amount) | (i.rs1 << (i.const(0) - amount)))


@insn("rol rd, rs1, rs2", "0110000 ----- ----- 001 ----- 0110011", "zbb")
def rol(i: Operands) -> Effect:
    return _rotate_right(i, i.const(0) - i.rs2)


@insn("ror rd, rs1, rs2", "0110000 ----- ----- 101 ----- 0110011", "zbb")
def ror(i: Operands) -> Effect:
    return _rotate_right(i, i.rs2)


@insn("rori rd, rs1, shamt", "0110000 ----- ----- 101 ----- 0010011", "zbb")
def rori(i: Operands) -> Effect:
    return _rotate_right(i, i.shamt)


@insn("orc.b rd, rs1", "0010100 00111 ----- 101 ----- 0010011", "zbb")
def orc_b(i: Operands) -> Effect:
    result = i.const(0)
    for low in range(0, i.xlen, 8):
        byte = i.const(0xFF << low)
        result = result | mux((i.rs1 & byte).ne(0), byte, 0)
    return Rd(result)


@insn("rev8 rd, rs1", "0110100 11000 ----- 101 ----- 0010011", "zbb")
def rev8(i: Operands) -> Effect:
    return Rd(i.rs1.bswap())


def _bit(i: Operands, index: Term) -> Term:
    return i.const(1) << index


@insn("bclr rd, rs1, rs2", "0100100 ----- ----- 001 ----- 0110011", "zbs")
def bclr(i: Operands) -> Effect:
    return Rd(i.rs1 & ~_bit(i, i.rs2))


@insn("bclri rd, rs1, shamt", "0100100 ----- ----- 001 ----- 0010011", "zbs")
def bclri(i: Operands) -> Effect:
    return Rd(i.rs1 & ~_bit(i, i.shamt))


@insn("bext rd, rs1, rs2", "0100100 ----- ----- 101 ----- 0110011", "zbs")
def bext(i: Operands) -> Effect:
    return Rd((i.rs1 >> i.rs2) & 1)


@insn("bexti rd, rs1, shamt", "0100100 ----- ----- 101 ----- 0010011", "zbs")
def bexti(i: Operands) -> Effect:
    return Rd((i.rs1 >> i.shamt) & 1)


@insn("binv rd, rs1, rs2", "0110100 ----- ----- 001 ----- 0110011", "zbs")
def binv(i: Operands) -> Effect:
    return Rd(i.rs1 ^ _bit(i, i.rs2))


@insn("binvi rd, rs1, shamt", "0110100 ----- ----- 001 ----- 0010011", "zbs")
def binvi(i: Operands) -> Effect:
    return Rd(i.rs1 ^ _bit(i, i.shamt))


@insn("bset rd, rs1, rs2", "0010100 ----- ----- 001 ----- 0110011", "zbs")
def bset(i: Operands) -> Effect:
    return Rd(i.rs1 | _bit(i, i.rs2))


@insn("bseti rd, rs1, shamt", "0010100 ----- ----- 001 ----- 0010011", "zbs")
def bseti(i: Operands) -> Effect:
    return Rd(i.rs1 | _bit(i, i.shamt))
