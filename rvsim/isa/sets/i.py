"""RV32I base integer instructions, Zifencei and Zicsr (unprivileged specification, chapters 2, 3 and 6)."""

from __future__ import annotations

from ..instruction import Csr, Effect, Jump, Load, Operands, Rd, Store, System, insn
from ..terms import Term


@insn("lui rd, imm", "-------------------- ----- 0110111")
def lui(i: Operands) -> Effect:
    return Rd(i.imm)


@insn("auipc rd, imm", "-------------------- ----- 0010111")
def auipc(i: Operands) -> Effect:
    return Rd(i.pc + i.imm)


@insn("jal rd, target", "-------------------- ----- 1101111")
def jal(i: Operands) -> tuple[Effect, ...]:
    return Rd(i.pc + i.length), Jump(i.pc + i.imm)


@insn("jalr rd, imm(rs1)", "------------ ----- 000 ----- 1100111")
def jalr(i: Operands) -> tuple[Effect, ...]:
    return Rd(i.pc + i.length), Jump((i.rs1 + i.imm) & ~1)


def _branch(i: Operands, condition: Term) -> Effect:
    return Jump(i.pc + i.imm, when=condition)


@insn("beq rs1, rs2, target", "------- ----- ----- 000 ----- 1100011")
def beq(i: Operands) -> Effect:
    return _branch(i, i.rs1.eq(i.rs2))


@insn("bne rs1, rs2, target", "------- ----- ----- 001 ----- 1100011")
def bne(i: Operands) -> Effect:
    return _branch(i, i.rs1.ne(i.rs2))


@insn("blt rs1, rs2, target", "------- ----- ----- 100 ----- 1100011")
def blt(i: Operands) -> Effect:
    return _branch(i, i.rs1.lt(i.rs2))


@insn("bge rs1, rs2, target", "------- ----- ----- 101 ----- 1100011")
def bge(i: Operands) -> Effect:
    return _branch(i, ~i.rs1.lt(i.rs2))


@insn("bltu rs1, rs2, target", "------- ----- ----- 110 ----- 1100011")
def bltu(i: Operands) -> Effect:
    return _branch(i, i.rs1.ltu(i.rs2))


@insn("bgeu rs1, rs2, target", "------- ----- ----- 111 ----- 1100011")
def bgeu(i: Operands) -> Effect:
    return _branch(i, ~i.rs1.ltu(i.rs2))


@insn("lb rd, imm(rs1)", "------------ ----- 000 ----- 0000011")
def lb(i: Operands) -> Effect:
    return Load(i.rs1 + i.imm, size=1, signed=True)


@insn("lh rd, imm(rs1)", "------------ ----- 001 ----- 0000011")
def lh(i: Operands) -> Effect:
    return Load(i.rs1 + i.imm, size=2, signed=True)


@insn("lw rd, imm(rs1)", "------------ ----- 010 ----- 0000011")
def lw(i: Operands) -> Effect:
    return Load(i.rs1 + i.imm, size=4, signed=True)


@insn("lbu rd, imm(rs1)", "------------ ----- 100 ----- 0000011")
def lbu(i: Operands) -> Effect:
    return Load(i.rs1 + i.imm, size=1, signed=False)


@insn("lhu rd, imm(rs1)", "------------ ----- 101 ----- 0000011")
def lhu(i: Operands) -> Effect:
    return Load(i.rs1 + i.imm, size=2, signed=False)


@insn("sb rs2, imm(rs1)", "------- ----- ----- 000 ----- 0100011")
def sb(i: Operands) -> Effect:
    return Store(i.rs1 + i.imm, i.rs2, size=1)


@insn("sh rs2, imm(rs1)", "------- ----- ----- 001 ----- 0100011")
def sh(i: Operands) -> Effect:
    return Store(i.rs1 + i.imm, i.rs2, size=2)


@insn("sw rs2, imm(rs1)", "------- ----- ----- 010 ----- 0100011")
def sw(i: Operands) -> Effect:
    return Store(i.rs1 + i.imm, i.rs2, size=4)


@insn("addi rd, rs1, imm", "------------ ----- 000 ----- 0010011")
def addi(i: Operands) -> Effect:
    return Rd(i.rs1 + i.imm)


@insn("slti rd, rs1, imm", "------------ ----- 010 ----- 0010011")
def slti(i: Operands) -> Effect:
    return Rd(i.rs1.lt(i.imm).zext(i.xlen))


@insn("sltiu rd, rs1, imm", "------------ ----- 011 ----- 0010011")
def sltiu(i: Operands) -> Effect:
    return Rd(i.rs1.ltu(i.imm).zext(i.xlen))


@insn("xori rd, rs1, imm", "------------ ----- 100 ----- 0010011")
def xori(i: Operands) -> Effect:
    return Rd(i.rs1 ^ i.imm)


@insn("ori rd, rs1, imm", "------------ ----- 110 ----- 0010011")
def ori(i: Operands) -> Effect:
    return Rd(i.rs1 | i.imm)


@insn("andi rd, rs1, imm", "------------ ----- 111 ----- 0010011")
def andi(i: Operands) -> Effect:
    return Rd(i.rs1 & i.imm)


@insn("slli rd, rs1, shamt", "0000000 ----- ----- 001 ----- 0010011")
def slli(i: Operands) -> Effect:
    return Rd(i.rs1 << i.shamt)


@insn("srli rd, rs1, shamt", "0000000 ----- ----- 101 ----- 0010011")
def srli(i: Operands) -> Effect:
    return Rd(i.rs1 >> i.shamt)


@insn("srai rd, rs1, shamt", "0100000 ----- ----- 101 ----- 0010011")
def srai(i: Operands) -> Effect:
    return Rd(i.rs1.sra(i.shamt))


@insn("add rd, rs1, rs2", "0000000 ----- ----- 000 ----- 0110011")
def add(i: Operands) -> Effect:
    return Rd(i.rs1 + i.rs2)


@insn("sub rd, rs1, rs2", "0100000 ----- ----- 000 ----- 0110011")
def sub(i: Operands) -> Effect:
    return Rd(i.rs1 - i.rs2)


@insn("sll rd, rs1, rs2", "0000000 ----- ----- 001 ----- 0110011")
def sll(i: Operands) -> Effect:
    return Rd(i.rs1 << i.rs2)


@insn("slt rd, rs1, rs2", "0000000 ----- ----- 010 ----- 0110011")
def slt(i: Operands) -> Effect:
    return Rd(i.rs1.lt(i.rs2).zext(i.xlen))


@insn("sltu rd, rs1, rs2", "0000000 ----- ----- 011 ----- 0110011")
def sltu(i: Operands) -> Effect:
    return Rd(i.rs1.ltu(i.rs2).zext(i.xlen))


@insn("xor rd, rs1, rs2", "0000000 ----- ----- 100 ----- 0110011")
def xor(i: Operands) -> Effect:
    return Rd(i.rs1 ^ i.rs2)


@insn("srl rd, rs1, rs2", "0000000 ----- ----- 101 ----- 0110011")
def srl(i: Operands) -> Effect:
    return Rd(i.rs1 >> i.rs2)


@insn("sra rd, rs1, rs2", "0100000 ----- ----- 101 ----- 0110011")
def sra(i: Operands) -> Effect:
    return Rd(i.rs1.sra(i.rs2))


@insn("or rd, rs1, rs2", "0000000 ----- ----- 110 ----- 0110011")
def or_(i: Operands) -> Effect:
    return Rd(i.rs1 | i.rs2)


@insn("and rd, rs1, rs2", "0000000 ----- ----- 111 ----- 0110011")
def and_(i: Operands) -> Effect:
    return Rd(i.rs1 & i.rs2)


# Reserved fm, rs1 and rd of FENCE are ignored, as section 2.7 asks of base implementations.
@insn("fence pred, succ", "---- ---- ---- ----- 000 ----- 0001111")
def fence(i: Operands) -> Effect:
    return System("fence")


@insn("fence.i", "------------ ----- 001 ----- 0001111", "zifencei")
def fence_i(i: Operands) -> Effect:
    return System("fence.i")


@insn("ecall", "000000000000 00000 000 00000 1110011")
def ecall(i: Operands) -> Effect:
    return System("ecall")


@insn("ebreak", "000000000001 00000 000 00000 1110011")
def ebreak(i: Operands) -> Effect:
    return System("ebreak")


@insn("csrrw rd, csr, rs1", "------------ ----- 001 ----- 1110011", "zicsr")
def csrrw(i: Operands) -> Effect:
    return Csr("write", i.rs1)


@insn("csrrs rd, csr, rs1", "------------ ----- 010 ----- 1110011", "zicsr")
def csrrs(i: Operands) -> Effect:
    return Csr("set", i.rs1)


@insn("csrrc rd, csr, rs1", "------------ ----- 011 ----- 1110011", "zicsr")
def csrrc(i: Operands) -> Effect:
    return Csr("clear", i.rs1)


@insn("csrrwi rd, csr, uimm", "------------ ----- 101 ----- 1110011", "zicsr")
def csrrwi(i: Operands) -> Effect:
    return Csr("write", i.uimm)


@insn("csrrsi rd, csr, uimm", "------------ ----- 110 ----- 1110011", "zicsr")
def csrrsi(i: Operands) -> Effect:
    return Csr("set", i.uimm)


@insn("csrrci rd, csr, uimm", "------------ ----- 111 ----- 1110011", "zicsr")
def csrrci(i: Operands) -> Effect:
    return Csr("clear", i.uimm)
