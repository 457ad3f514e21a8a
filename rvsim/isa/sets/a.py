"""A: atomic instructions (unprivileged specification, chapter "A"). ``aqrl`` in a template is the suffix."""

from __future__ import annotations

from ..instruction import Amo, Effect, Load, Operands, Store, insn
from ..terms import Term, mux


@insn("lr.w aqrl rd, (rs1)", "00010 -- 00000 ----- 010 ----- 0101111", "a")
def lr_w(i: Operands) -> Effect:
    return Load(i.rs1, size=4, reserve=True)


@insn("sc.w aqrl rd, rs2, (rs1)", "00011 -- ----- ----- 010 ----- 0101111", "a")
def sc_w(i: Operands) -> Effect:
    return Store(i.rs1, i.rs2, size=4, conditional=True)


def _amo(i: Operands, value: Term) -> Effect:
    return Amo(i.rs1, value)


@insn("amoswap.w aqrl rd, rs2, (rs1)", "00001 -- ----- ----- 010 ----- 0101111", "a")
def amoswap_w(i: Operands) -> Effect:
    return _amo(i, i.rs2)


@insn("amoadd.w aqrl rd, rs2, (rs1)", "00000 -- ----- ----- 010 ----- 0101111", "a")
def amoadd_w(i: Operands) -> Effect:
    return _amo(i, i.memory + i.rs2)


@insn("amoxor.w aqrl rd, rs2, (rs1)", "00100 -- ----- ----- 010 ----- 0101111", "a")
def amoxor_w(i: Operands) -> Effect:
    return _amo(i, i.memory ^ i.rs2)


@insn("amoand.w aqrl rd, rs2, (rs1)", "01100 -- ----- ----- 010 ----- 0101111", "a")
def amoand_w(i: Operands) -> Effect:
    return _amo(i, i.memory & i.rs2)


@insn("amoor.w aqrl rd, rs2, (rs1)", "01000 -- ----- ----- 010 ----- 0101111", "a")
def amoor_w(i: Operands) -> Effect:
    return _amo(i, i.memory | i.rs2)


@insn("amomin.w aqrl rd, rs2, (rs1)", "10000 -- ----- ----- 010 ----- 0101111", "a")
def amomin_w(i: Operands) -> Effect:
    return _amo(i, mux(i.memory.lt(i.rs2), i.memory, i.rs2))


@insn("amomax.w aqrl rd, rs2, (rs1)", "10100 -- ----- ----- 010 ----- 0101111", "a")
def amomax_w(i: Operands) -> Effect:
    return _amo(i, mux(i.memory.lt(i.rs2), i.rs2, i.memory))


@insn("amominu.w aqrl rd, rs2, (rs1)", "11000 -- ----- ----- 010 ----- 0101111", "a")
def amominu_w(i: Operands) -> Effect:
    return _amo(i, mux(i.memory.ltu(i.rs2), i.memory, i.rs2))


@insn("amomaxu.w aqrl rd, rs2, (rs1)", "11100 -- ----- ----- 010 ----- 0101111", "a")
def amomaxu_w(i: Operands) -> Effect:
    return _amo(i, mux(i.memory.ltu(i.rs2), i.rs2, i.memory))
