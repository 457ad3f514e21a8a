"""Privileged instructions and Svinval (privileged specification 1.12, chapters 3, 4 and "Svinval").

The address-translation fences name their registers through terms, so that read sets derive as elsewhere.
"""

from __future__ import annotations

from ..instruction import Effect, Operands, System, insn


@insn("mret", "0011000 00010 00000 000 00000 1110011")
def mret(i: Operands) -> Effect:
    return System("mret")


@insn("sret", "0001000 00010 00000 000 00000 1110011")
def sret(i: Operands) -> Effect:
    return System("sret")


@insn("wfi", "0001000 00101 00000 000 00000 1110011")
def wfi(i: Operands) -> Effect:
    return System("wfi")


@insn("sfence.vma rs1, rs2", "0001001 ----- ----- 000 00000 1110011")
def sfence_vma(i: Operands) -> Effect:
    return System("sfence.vma", i.rs1, i.rs2)


@insn("sinval.vma rs1, rs2", "0001011 ----- ----- 000 00000 1110011", "svinval")
def sinval_vma(i: Operands) -> Effect:
    return System("sinval.vma", i.rs1, i.rs2)


@insn("sfence.w.inval", "0001100 00000 00000 000 00000 1110011", "svinval")
def sfence_w_inval(i: Operands) -> Effect:
    return System("sfence.w.inval")


@insn("sfence.inval.ir", "0001100 00001 00000 000 00000 1110011", "svinval")
def sfence_inval_ir(i: Operands) -> Effect:
    return System("sfence.inval.ir")
