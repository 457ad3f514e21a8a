"""The oracle: encodings and results as the specification's text gives them, in plain Python.

Nothing here comes from the declarations in ``rvsim.isa``; numbers are Python integers, with ``s()`` for their
reading as two's complement. Unprivileged specification 20191213, chapters 2, 7 ("M"), 8 ("A"), 16 ("C"), "B" 1.0.
"""

XLEN = 32
MASK = 0xFFFF_FFFF

#: Operands worth trying always.
EDGES = (
    0, 1, 2, 3, 4, 7, 8, 15, 16, 30, 31, 32, 33, 63, 64, 0x7F, 0x80, 0xFF, 0x100, 0x7FF, 0x800, 0xFFF, 0x7FFF, 0x8000,
    0xFFFF, 0x10000, 0x80_0000, 0x100_0000, 0x5555_5555, 0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001,
    0xAAAA_AAAA, 0xFFFF_0000, 0xFFFF_8000, 0xFFFF_FF80, 0xFFFF_FF00, 0xFFFF_FFFE, 0xFFFF_FFFF,
)  # fmt: skip


def s(value, width=XLEN):
    """``value`` read as a two's-complement number."""
    value %= 1 << width
    return value - (1 << width) if value >= 1 << (width - 1) else value


# ---- results ----------------------------------------------------------------------------------------------------


def div(a, b):
    if b == 0:
        return -1
    quotient = abs(s(a)) // abs(s(b))
    return quotient if (s(a) < 0) == (s(b) < 0) else -quotient


def rem(a, b):
    if b == 0:
        return a
    remainder = abs(s(a)) % abs(s(b))
    return -remainder if s(a) < 0 else remainder


def rotate_left(a, amount):
    amount %= XLEN
    return a << amount | a >> (XLEN - amount)


def leading_zeros(a):
    return len(f"{a:032b}") - len(f"{a:032b}".lstrip("0"))


def trailing_zeros(a):
    return len(f"{a:032b}") - len(f"{a:032b}".rstrip("0"))


def or_combine(a):
    return int("".join("FF" if a >> low & 0xFF else "00" for low in (24, 16, 8, 0)), 16)


def reverse_bytes(a):
    return int.from_bytes(a.to_bytes(4, "little"), "big")


#: R-type: funct7, funct3, major opcode, result of the two registers.
OP = 0b0110011
REGISTER_REGISTER = {
    "add": (0x00, 0, OP, lambda a, b: a + b),
    "sub": (0x20, 0, OP, lambda a, b: a - b),
    "sll": (0x00, 1, OP, lambda a, b: a << b % 32),
    "slt": (0x00, 2, OP, lambda a, b: int(s(a) < s(b))),
    "sltu": (0x00, 3, OP, lambda a, b: int(a < b)),
    "xor": (0x00, 4, OP, lambda a, b: a ^ b),
    "srl": (0x00, 5, OP, lambda a, b: a >> b % 32),
    "sra": (0x20, 5, OP, lambda a, b: s(a) >> b % 32),
    "or": (0x00, 6, OP, lambda a, b: a | b),
    "and": (0x00, 7, OP, lambda a, b: a & b),
    "mul": (0x01, 0, OP, lambda a, b: s(a) * s(b)),
    "mulh": (0x01, 1, OP, lambda a, b: s(a) * s(b) >> 32),
    "mulhsu": (0x01, 2, OP, lambda a, b: s(a) * b >> 32),
    "mulhu": (0x01, 3, OP, lambda a, b: a * b >> 32),
    "div": (0x01, 4, OP, div),
    "divu": (0x01, 5, OP, lambda a, b: a // b if b else MASK),
    "rem": (0x01, 6, OP, rem),
    "remu": (0x01, 7, OP, lambda a, b: a % b if b else a),
    "sh1add": (0x10, 2, OP, lambda a, b: 2 * a + b),
    "sh2add": (0x10, 4, OP, lambda a, b: 4 * a + b),
    "sh3add": (0x10, 6, OP, lambda a, b: 8 * a + b),
    "andn": (0x20, 7, OP, lambda a, b: a & (b ^ MASK)),
    "orn": (0x20, 6, OP, lambda a, b: a | (b ^ MASK)),
    "xnor": (0x20, 4, OP, lambda a, b: a ^ b ^ MASK),
    "max": (0x05, 6, OP, lambda a, b: max(s(a), s(b))),
    "maxu": (0x05, 7, OP, lambda a, b: max(a, b)),
    "min": (0x05, 4, OP, lambda a, b: min(s(a), s(b))),
    "minu": (0x05, 5, OP, lambda a, b: min(a, b)),
    "rol": (0x30, 1, OP, rotate_left),
    "ror": (0x30, 5, OP, lambda a, b: rotate_left(a, 32 - b % 32)),
    "bclr": (0x24, 1, OP, lambda a, b: a & ~(1 << b % 32)),
    "bext": (0x24, 5, OP, lambda a, b: a >> b % 32 & 1),
    "binv": (0x34, 1, OP, lambda a, b: a ^ 1 << b % 32),
    "bset": (0x14, 1, OP, lambda a, b: a | 1 << b % 32),
}

#: One register: the upper twelve bits, funct3, major opcode, result.
OP_IMM = 0b0010011
ONE_REGISTER = {
    "clz": (0x600, 1, OP_IMM, leading_zeros),
    "ctz": (0x601, 1, OP_IMM, trailing_zeros),
    "cpop": (0x602, 1, OP_IMM, lambda a: f"{a:b}".count("1")),
    "sext.b": (0x604, 1, OP_IMM, lambda a: s(a, 8)),
    "sext.h": (0x605, 1, OP_IMM, lambda a: s(a, 16)),
    "zext.h": (0x080, 4, OP, lambda a: a % 0x10000),
    "orc.b": (0x287, 5, OP_IMM, or_combine),
    "rev8": (0x698, 5, OP_IMM, reverse_bytes),
}

#: I-type: funct3, result of register and sign-extended immediate.
REGISTER_IMMEDIATE = {
    "addi": (0, lambda a, i: a + i),
    "slti": (2, lambda a, i: int(s(a) < i)),
    "sltiu": (3, lambda a, i: int(a < i % 2**32)),
    "xori": (4, lambda a, i: a ^ i),
    "ori": (6, lambda a, i: a | i),
    "andi": (7, lambda a, i: a & i),
}

#: I-type with a shift amount: funct7, funct3, result.
SHIFT_IMMEDIATE = {
    "slli": (0x00, 1, lambda a, n: a << n),
    "srli": (0x00, 5, lambda a, n: a >> n),
    "srai": (0x20, 5, lambda a, n: s(a) >> n),
    "rori": (0x30, 5, lambda a, n: rotate_left(a, 32 - n)),
    "bclri": (0x24, 1, lambda a, n: a & ~(1 << n)),
    "bexti": (0x24, 5, lambda a, n: a >> n & 1),
    "binvi": (0x34, 1, lambda a, n: a ^ 1 << n),
    "bseti": (0x14, 1, lambda a, n: a | 1 << n),
}

#: B-type: funct3, whether it is taken.
BRANCHES = {
    "beq": (0, lambda a, b: a == b),
    "bne": (1, lambda a, b: a != b),
    "blt": (4, lambda a, b: s(a) < s(b)),
    "bge": (5, lambda a, b: s(a) >= s(b)),
    "bltu": (6, lambda a, b: a < b),
    "bgeu": (7, lambda a, b: a >= b),
}

#: funct3, size in bytes, whether the value is sign-extended.
LOADS = {"lb": (0, 1, True), "lh": (1, 2, True), "lw": (2, 4, True), "lbu": (4, 1, False), "lhu": (5, 2, False)}
STORES = {"sb": (0, 1), "sh": (1, 2), "sw": (2, 4)}

#: funct5, new memory word of old word and rs2.
AMOS = {
    "amoswap.w": (0b00001, lambda m, b: b),
    "amoadd.w": (0b00000, lambda m, b: m + b),
    "amoxor.w": (0b00100, lambda m, b: m ^ b),
    "amoand.w": (0b01100, lambda m, b: m & b),
    "amoor.w": (0b01000, lambda m, b: m | b),
    "amomin.w": (0b10000, lambda m, b: min(s(m), s(b))),
    "amomax.w": (0b10100, lambda m, b: max(s(m), s(b))),
    "amominu.w": (0b11000, lambda m, b: min(m, b)),
    "amomaxu.w": (0b11100, lambda m, b: max(m, b)),
}

#: Words without operands.
FIXED = {
    "ecall": 0x00000073,
    "ebreak": 0x00100073,
    "mret": 0x30200073,
    "sret": 0x10200073,
    "wfi": 0x10500073,
    "fence.i": 0x0000100F,
    "sfence.w.inval": 0x18000073,
    "sfence.inval.ir": 0x18100073,
}
CSR_FUNCT3 = {"csrrw": 1, "csrrs": 2, "csrrc": 3, "csrrwi": 5, "csrrsi": 6, "csrrci": 7}


# ---- formats (section 2.2 and 2.3): the bits named as in the figures -----------------------------------------


def r_type(funct7, rs2, rs1, funct3, rd, opcode):
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def i_type(imm, rs1, funct3, rd, opcode):
    return (imm & 0xFFF) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def s_type(imm, rs2, rs1, funct3, opcode):
    return (imm >> 5 & 0x7F) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 0x1F) << 7 | opcode


def b_type(imm, rs2, rs1, funct3, opcode):
    high = (imm >> 12 & 1) << 31 | (imm >> 5 & 0x3F) << 25
    low = (imm >> 1 & 0xF) << 8 | (imm >> 11 & 1) << 7
    return high | rs2 << 20 | rs1 << 15 | funct3 << 12 | low | opcode


def u_type(imm, rd, opcode):
    return imm & 0xFFFFF000 | rd << 7 | opcode


def j_type(imm, rd, opcode):
    high = (imm >> 20 & 1) << 31 | (imm >> 1 & 0x3FF) << 21 | (imm >> 11 & 1) << 20 | (imm >> 12 & 0xFF) << 12
    return high | rd << 7 | opcode


def amo_type(funct5, aq, rl, rs2, rs1, rd):
    return r_type(funct5 << 2 | aq << 1 | rl, rs2, rs1, 2, rd, 0b0101111)


def csr_type(name, rd, csr, source):
    return i_type(csr, source, CSR_FUNCT3[name], rd, 0b1110011)


# ---- compressed instructions (chapter 16): the word that each half-word stands for -------------------------------


def _field(half, *positions):
    """Bits of ``half`` gathered into a number: ``positions`` are (bit of the half-word, bit of the number)."""
    return sum((half >> source & 1) << target for source, target in positions)


def expand(half):
    """The 32-bit word that the compressed instruction ``half`` stands for on RV32C without F and D.

    ``None``: reserved, custom, for another XLEN or of an extension that is absent.
    """
    quadrant, funct3 = half & 3, half >> 13
    rd, rs2 = half >> 7 & 31, half >> 2 & 31
    rd3, rs3 = 8 + (half >> 7 & 7), 8 + (half >> 2 & 7)  # the fields that name x8 to x15
    imm6 = s(_field(half, (12, 5), (6, 4), (5, 3), (4, 2), (3, 1), (2, 0)), 6)
    if quadrant == 0:
        offset = _field(half, (12, 5), (11, 4), (10, 3), (6, 2), (5, 6))
        if funct3 == 0:  # C.ADDI4SPN
            imm = _field(half, (12, 5), (11, 4), (10, 9), (9, 8), (8, 7), (7, 6), (6, 2), (5, 3))
            return i_type(imm, 2, 0, rs3, OP_IMM) if imm else None
        if funct3 == 2:
            return i_type(offset, rd3, 2, rs3, 0b0000011)
        if funct3 == 6:
            return s_type(offset, rs3, rd3, 2, 0b0100011)
        return None
    if quadrant == 1:
        jump = s(
            _field(half, (12, 11), (11, 4), (10, 9), (9, 8), (8, 10), (7, 6), (6, 7), (5, 3), (4, 2), (3, 1), (2, 5)),
            12,
        )
        branch = s(_field(half, (12, 8), (11, 4), (10, 3), (6, 7), (5, 6), (4, 2), (3, 1), (2, 5)), 9)
        if funct3 == 0:
            return i_type(imm6, rd, 0, rd, OP_IMM)
        if funct3 == 1:
            return j_type(jump, 1, 0b1101111)
        if funct3 == 2:
            return i_type(imm6, 0, 0, rd, OP_IMM)
        if funct3 == 3 and rd == 2:  # C.ADDI16SP
            imm = s(_field(half, (12, 9), (6, 4), (5, 6), (4, 8), (3, 7), (2, 5)), 10)
            return i_type(imm, 2, 0, 2, OP_IMM) if imm else None
        if funct3 == 3:
            return u_type(imm6 << 12, rd, 0b0110111) if imm6 else None
        if funct3 == 4:
            kind, bit12 = half >> 10 & 3, half >> 12 & 1
            if kind in (0, 1):  # C.SRLI, C.SRAI; shamt[5] = 1 is for custom use on RV32
                return None if bit12 else r_type(0x20 * kind, rs2, rd3, 5, rd3, OP_IMM)
            if kind == 2:
                return i_type(imm6, rd3, 7, rd3, OP_IMM)
            if bit12:
                return None  # C.SUBW, C.ADDW and reserved ones
            funct7, minor = ((0x20, 0), (0, 4), (0, 6), (0, 7))[half >> 5 & 3]  # sub xor or and
            return r_type(funct7, rs3, rd3, minor, rd3, OP)
        if funct3 == 5:
            return j_type(jump, 0, 0b1101111)
        return b_type(branch, 0, rd3, funct3 - 6, 0b1100011)
    if quadrant == 2:
        if funct3 == 0:
            return None if half >> 12 & 1 else r_type(0, rs2, rd, 1, rd, OP_IMM)
        if funct3 == 2:
            offset = _field(half, (12, 5), (6, 4), (5, 3), (4, 2), (3, 7), (2, 6))
            return i_type(offset, 2, 2, rd, 0b0000011) if rd else None
        if funct3 == 4:
            if half >> 12 & 1:
                if rd == rs2 == 0:
                    return FIXED["ebreak"]
                return r_type(0, rs2, rd, 0, rd, OP) if rs2 else i_type(0, rd, 0, 1, 0b1100111)
            if rs2:
                return r_type(0, rs2, 0, 0, rd, OP)
            return i_type(0, rd, 0, 0, 0b1100111) if rd else None
        if funct3 == 6:
            offset = _field(half, (12, 5), (11, 4), (10, 3), (9, 2), (8, 7), (7, 6))
            return s_type(offset, rs2, 2, 2, 0b0100011)
        return None
    return None
