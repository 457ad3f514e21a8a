"""C: compressed instructions for RV32 (unprivileged specification, chapter "C"): what each expands to.

HINTs are what they expand to: an operation without effect. Encodings for RV64 and for F and D are absent.
"""

from __future__ import annotations

from ..instruction import bits, compressed

# Register fields: the full ones, and the three-bit ones that name x8 to x15.
RD, RS2 = bits("11:7"), bits("6:2")
RD_, RS1_ = bits("9:7", offset=8), bits("9:7", offset=8)
RD_LOW, RS2_ = bits("4:2", offset=8), bits("4:2", offset=8)
X0, RA, SP = 0, 1, 2

_IMM6 = bits("12 6:2", signed=True)
_LW = bits("5 12:10 6 0*2")
_JUMP = bits("12 8 10:9 6 7 2 11 5:3 0*1", signed=True)
_BRANCH = bits("12 6:5 2 11:10 4:3 0*1", signed=True)

# Quadrant 0
compressed(
    "c.addi4spn rd, rs1, imm", "000 -------- --- 00", "addi",
    rd=RD_LOW, rs1=SP, imm=bits("10:7 12:11 5 6 0*2"), unless=(("imm", 0),),
)  # fmt: skip
compressed("c.lw rd, imm(rs1)", "010 --- --- -- --- 00", "lw", rd=RD_LOW, rs1=RS1_, imm=_LW)
compressed("c.sw rs2, imm(rs1)", "110 --- --- -- --- 00", "sw", rs2=RS2_, rs1=RS1_, imm=_LW)

# Quadrant 1
compressed("c.addi rd, rs1, imm", "000 - ----- ----- 01", "addi", rd=RD, rs1=RD, imm=_IMM6)
compressed("c.jal target", "001 ----------- 01", "jal", rd=RA, imm=_JUMP)
compressed("c.li rd, imm", "010 - ----- ----- 01", "addi", rd=RD, rs1=X0, imm=_IMM6)
compressed(
    "c.addi16sp rd, rs1, imm", "011 - 00010 ----- 01", "addi",
    rd=SP, rs1=SP, imm=bits("12 4:3 5 2 6 0*4", signed=True), unless=(("imm", 0),),
)  # fmt: skip
compressed(
    "c.lui rd, imm", "011 - ----- ----- 01", "lui",
    rd=RD, imm=bits("12 6:2 0*12", signed=True), unless=(("imm", 0), ("rd", 2)),
)  # fmt: skip
compressed("c.srli rd, rs1, shamt", "100 0 00 --- ----- 01", "srli", rd=RD_, rs1=RD_, shamt=bits("6:2"))
compressed("c.srai rd, rs1, shamt", "100 0 01 --- ----- 01", "srai", rd=RD_, rs1=RD_, shamt=bits("6:2"))
compressed("c.andi rd, rs1, imm", "100 - 10 --- ----- 01", "andi", rd=RD_, rs1=RD_, imm=_IMM6)
compressed("c.sub rd, rs1, rs2", "100 0 11 --- 00 --- 01", "sub", rd=RD_, rs1=RD_, rs2=RS2_)
compressed("c.xor rd, rs1, rs2", "100 0 11 --- 01 --- 01", "xor", rd=RD_, rs1=RD_, rs2=RS2_)
compressed("c.or rd, rs1, rs2", "100 0 11 --- 10 --- 01", "or", rd=RD_, rs1=RD_, rs2=RS2_)
compressed("c.and rd, rs1, rs2", "100 0 11 --- 11 --- 01", "and", rd=RD_, rs1=RD_, rs2=RS2_)
compressed("c.j target", "101 ----------- 01", "jal", rd=X0, imm=_JUMP)
compressed("c.beqz rs1, target", "110 --- --- ----- 01", "beq", rs1=RS1_, rs2=X0, imm=_BRANCH)
compressed("c.bnez rs1, target", "111 --- --- ----- 01", "bne", rs1=RS1_, rs2=X0, imm=_BRANCH)

# Quadrant 2
compressed("c.slli rd, rs1, shamt", "000 0 ----- ----- 10", "slli", rd=RD, rs1=RD, shamt=bits("6:2"))
compressed(
    "c.lwsp rd, imm(rs1)", "010 - ----- ----- 10", "lw",
    rd=RD, rs1=SP, imm=bits("3:2 12 6:4 0*2"), unless=(("rd", 0),),
)  # fmt: skip
compressed("c.jr rs1", "100 0 ----- 00000 10", "jalr", rd=X0, rs1=RD, imm=0, unless=(("rs1", 0),))
compressed("c.mv rd, rs2", "100 0 ----- ----- 10", "add", rd=RD, rs1=X0, rs2=RS2, unless=(("rs2", 0),))
compressed("c.ebreak", "100 1 00000 00000 10", "ebreak")
compressed("c.jalr rs1", "100 1 ----- 00000 10", "jalr", rd=RA, rs1=RD, imm=0, unless=(("rs1", 0),))
compressed("c.add rd, rs1, rs2", "100 1 ----- ----- 10", "add", rd=RD, rs1=RD, rs2=RS2, unless=(("rs2", 0),))
compressed("c.swsp rs2, imm(rs1)", "110 ------ ----- 10", "sw", rs2=RS2, rs1=SP, imm=bits("8:7 12:9 0*2"))
