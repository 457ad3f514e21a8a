"""What each instruction computes, on the reference hart, against plain formulas of the specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsim.isa import Cause, IsaConfig
from rvsim.isa.reference import PhysicalMemory, ReferenceHart
from tests.isa import specification as spec

BASE = 0x8000_0000
CODE = BASE + 0x400
DATA = BASE + 0x800

values = st.one_of(st.sampled_from(spec.EDGES), st.integers(0, spec.MASK))
registers = st.integers(0, 31)
imm12 = st.one_of(st.sampled_from((-2048, -1, 0, 1, 2047)), st.integers(-2048, 2047))


class Machine:
    """A hart with a page of RAM and registers full of recognizable numbers."""

    def __init__(self, config=None):
        self.ram = bytearray(range(256)) * 16
        self.hart = ReferenceHart(config or IsaConfig(), PhysicalMemory({BASE: self.ram}), CODE)
        self.hart.x[1:] = [0x0101_0101 * n for n in range(1, 32)]

    def write(self, address, value, size=4):
        self.ram[address - BASE : address - BASE + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    def read(self, address, size=4):
        return int.from_bytes(self.ram[address - BASE : address - BASE + size], "little")

    def run(self, word, **registers):
        """Execute ``word`` after setting ``x…`` registers; returns the record."""
        self.hart.pc = CODE
        self.write(CODE, word, 4 if word & 3 == 3 else 2)
        for name, value in registers.items():
            if name != "x0":
                self.hart.x[int(name[1:])] = value
        self.before = list(self.hart.x)
        return self.hart.step()

    def check(self, rd, result, next_pc=CODE + 4):
        """Only ``rd`` changed, to ``result``, and the program counter."""
        expected = list(self.before)
        if rd:
            expected[rd] = result & spec.MASK
        assert self.hart.x == expected
        assert self.hart.pc == next_pc & spec.MASK


def compute(word, rd, rs1, a, rs2=0, b=0, formula=None):
    """Run ``word`` with ``a`` in ``rs1``, ``b`` in ``rs2``; compare ``rd`` with the formula of what they hold."""
    machine = Machine()
    machine.run(word, **{f"x{rs1}": a, f"x{rs2}": b})
    machine.check(rd, formula(machine.before[rs1], machine.before[rs2]))


@pytest.mark.parametrize("name", sorted(spec.REGISTER_REGISTER))
@given(registers, registers, registers, values, values)
def test_register_register(name, rd, rs1, rs2, a, b):
    funct7, funct3, opcode, formula = spec.REGISTER_REGISTER[name]
    compute(spec.r_type(funct7, rs2, rs1, funct3, rd, opcode), rd, rs1, a, rs2, b, formula)


@pytest.mark.parametrize("name", sorted(spec.REGISTER_REGISTER))
def test_register_register_at_the_edges(name):
    funct7, funct3, opcode, formula = spec.REGISTER_REGISTER[name]
    word = spec.r_type(funct7, 6, 5, funct3, 7, opcode)
    machine = Machine()
    for a in spec.EDGES:
        for b in spec.EDGES:
            machine.run(word, x5=a, x6=b)
            assert machine.hart.x[7] == formula(a, b) & spec.MASK, f"{name} {a:#x}, {b:#x}"


@pytest.mark.parametrize("name", sorted(spec.ONE_REGISTER))
@given(registers, registers, values)
def test_one_register(name, rd, rs1, a):
    upper, funct3, opcode, formula = spec.ONE_REGISTER[name]
    compute(spec.i_type(upper, rs1, funct3, rd, opcode), rd, rs1, a, formula=lambda a, b: formula(a))


@pytest.mark.parametrize("name", sorted(spec.REGISTER_IMMEDIATE))
@given(registers, registers, values, imm12)
def test_register_immediate(name, rd, rs1, a, imm):
    funct3, formula = spec.REGISTER_IMMEDIATE[name]
    compute(spec.i_type(imm, rs1, funct3, rd, spec.OP_IMM), rd, rs1, a, formula=lambda a, b: formula(a, imm))


@pytest.mark.parametrize("name", sorted(spec.SHIFT_IMMEDIATE))
@given(registers, registers, values, st.integers(0, 31))
def test_shift_immediate(name, rd, rs1, a, amount):
    funct7, funct3, formula = spec.SHIFT_IMMEDIATE[name]
    word = spec.r_type(funct7, amount, rs1, funct3, rd, spec.OP_IMM)
    compute(word, rd, rs1, a, formula=lambda a, b: formula(a, amount))


@given(registers, st.integers(-(2**19), 2**19 - 1))
def test_upper_immediates(rd, wide):
    for opcode, result in ((0b0110111, wide << 12), (0b0010111, CODE + (wide << 12))):
        machine = Machine()
        machine.run(spec.u_type(wide << 12, rd, opcode))
        machine.check(rd, result)


@pytest.mark.parametrize("name", sorted(spec.BRANCHES))
@given(registers, registers, values, values, st.integers(-2048, 2047))
def test_branches(name, rs1, rs2, a, b, half):
    funct3, taken = spec.BRANCHES[name]
    machine = Machine()
    machine.run(spec.b_type(2 * half, rs2, rs1, funct3, 0b1100011), **{f"x{rs1}": a, f"x{rs2}": b})
    offset = 2 * half if taken(machine.before[rs1], machine.before[rs2]) else 4
    machine.check(0, 0, CODE + offset)


@given(registers, registers, values, imm12, st.integers(-(2**19), 2**19 - 1))
def test_jumps(rd, rs1, a, imm, wide):
    machine = Machine()
    machine.run(spec.j_type(2 * wide, rd, 0b1101111))
    machine.check(rd, CODE + 4, CODE + 2 * wide)
    machine = Machine()
    machine.run(spec.i_type(imm, rs1, 0, rd, 0b1100111), **{f"x{rs1}": a})
    machine.check(rd, CODE + 4, (machine.before[rs1] + imm) & ~1)


def test_without_compressed_instructions_a_jump_to_a_half_word_traps():
    full = IsaConfig()
    machine = Machine(full.replace(extensions=full.extensions - {"c"}))
    jal, jalr = spec.j_type(6, 3, 0b1101111), spec.i_type(2, 5, 0, 3, 0b1100111)
    taken, untaken = spec.b_type(6, 0, 0, 0, 0b1100011), spec.b_type(6, 0, 0, 1, 0b1100011)
    for word, target in ((jal, CODE + 6), (jalr, DATA + 2), (taken, CODE + 6)):
        record = machine.run(word, x5=DATA)
        assert (record.cause, record.tval) == (Cause.INSTRUCTION_ADDRESS_MISALIGNED, target)
        assert machine.hart.mepc == CODE and machine.hart.x == machine.before
    assert not machine.run(untaken).trap
    assert machine.run(0x0001).cause == Cause.ILLEGAL_INSTRUCTION  # c.nop
    machine.hart.set_csr("mepc", 0xFFFF_FFFF)
    assert machine.hart.csr("mepc") == 0xFFFF_FFFC


@pytest.mark.parametrize("name", sorted(spec.LOADS))
@given(registers, registers, imm12, st.integers(0, 63), values)
def test_loads(name, rd, rs1, imm, offset, content):
    funct3, size, signed = spec.LOADS[name]
    if rs1 == 0:
        return
    machine = Machine()
    machine.write(DATA + offset, content)
    record = machine.run(spec.i_type(imm, rs1, funct3, rd, 0b0000011), **{f"x{rs1}": DATA + offset - imm & spec.MASK})
    value = content % (1 << 8 * size)
    machine.check(rd, spec.s(value, 8 * size) if signed else value)
    assert (record.mem_addr, record.mem_rmask, record.mem_rdata) == (DATA + offset, (1 << size) - 1, value)


@pytest.mark.parametrize("name", sorted(spec.STORES))
@given(registers, registers, imm12, st.integers(0, 63), values)
def test_stores(name, rs1, rs2, imm, offset, value):
    funct3, size = spec.STORES[name]
    if rs1 in (0, rs2):
        return
    machine = Machine()
    place = DATA + offset
    around = bytes(machine.ram)
    word = spec.s_type(imm, rs2, rs1, funct3, 0b0100011)
    record = machine.run(word, **{f"x{rs2}": value, f"x{rs1}": place - imm & spec.MASK})
    machine.check(0, 0)
    stored = (machine.before[rs2] % (1 << 8 * size)).to_bytes(size, "little")
    start = place - BASE
    assert machine.ram[DATA - BASE :] == around[DATA - BASE : start] + stored + around[start + size :]
    assert (record.mem_addr, record.mem_wmask) == (place, (1 << size) - 1)


@pytest.mark.parametrize("name", sorted(spec.AMOS))
@given(registers, st.integers(1, 31), registers, values, values)
def test_amos(name, rd, rs1, rs2, old, b):
    funct5, formula = spec.AMOS[name]
    machine = Machine()
    machine.write(DATA, old)
    machine.run(spec.amo_type(funct5, 1, 0, rs2, rs1, rd), **{f"x{rs2}": b, f"x{rs1}": DATA})
    machine.check(rd, old)
    assert machine.read(DATA) == formula(old, machine.before[rs2]) & spec.MASK


def test_every_compressed_instruction_does_what_its_expansion_does():
    """All half-words; the only difference is the length, which links and fall-through addresses show."""
    short, long = Machine(), Machine()
    for half in range(1 << 16):
        word = spec.expand(half)
        if half & 3 == 3:
            continue
        for machine in (short, long):
            machine.hart.x[1:] = [DATA + 4 * n for n in range(1, 32)]
            machine.hart.mcause = machine.hart.mtval = 0
        record = short.run(half)
        if word is None:
            assert (record.cause, record.tval) == (Cause.ILLEGAL_INSTRUCTION, half)
            continue
        long.run(word)
        length_shows = word & 0x7F in (0b1101111, 0b1100111)
        if length_shows and short.hart.x[1] != short.before[1]:
            assert (short.hart.x[1], long.hart.x[1]) == (CODE + 2, CODE + 4)
            long.hart.x[1] = CODE + 2
        assert short.hart.x == long.hart.x, f"{half:#06x}"
        fell_through = long.hart.pc == CODE + 4 and short.hart.pc == CODE + 2
        assert fell_through or short.hart.pc == long.hart.pc, f"{half:#06x}"
        assert short.hart.mcause == long.hart.mcause
        short.write(CODE, 0)
        long.write(CODE, 0)
        assert short.ram == long.ram, f"{half:#06x}"


@given(st.integers(0, spec.MASK))
def test_random_words_never_do_anything_unexpected(word):
    machine = Machine()
    record = machine.run(word)
    if record.trap:
        assert machine.hart.x == machine.before
        assert machine.hart.mepc == CODE and machine.hart.mcause == record.cause
    else:
        changed = [n for n in range(32) if machine.hart.x[n] != machine.before[n]]
        assert changed in ([], [record.rd_addr])
        assert machine.hart.instret == 1
