"""Patterns and fields of the declarations against the formats of the specification."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsim.isa import IsaConfig
from rvsim.isa.instruction import Bits
from rvsim.isa.tables import BY_NAME, find, instructions, length_of
from tests.isa import specification as spec

registers = st.integers(0, 31)
imm12 = st.integers(-2048, 2047)


def check(word, name, **operands):
    """``word`` decodes to ``name`` with these operands, and they encode to ``word`` again."""
    insn = find(word)
    assert insn is not None and insn.name == name, f"{word:#010x}"
    decoded = insn.operands(word)
    assert {key: decoded[key] for key in operands} == operands
    assert insn.encode(**decoded) == word


@given(st.sampled_from(sorted(spec.REGISTER_REGISTER)), registers, registers, registers)
def test_register_register(name, rd, rs1, rs2):
    funct7, funct3, opcode, _ = spec.REGISTER_REGISTER[name]
    check(spec.r_type(funct7, rs2, rs1, funct3, rd, opcode), name, rd=rd, rs1=rs1, rs2=rs2)


@given(st.sampled_from(sorted(spec.ONE_REGISTER)), registers, registers)
def test_one_register(name, rd, rs1):
    upper, funct3, opcode, _ = spec.ONE_REGISTER[name]
    check(spec.i_type(upper, rs1, funct3, rd, opcode), name, rd=rd, rs1=rs1)


@given(st.sampled_from(sorted(spec.REGISTER_IMMEDIATE)), registers, registers, imm12)
def test_register_immediate(name, rd, rs1, imm):
    word = spec.i_type(imm, rs1, spec.REGISTER_IMMEDIATE[name][0], rd, spec.OP_IMM)
    check(word, name, rd=rd, rs1=rs1, imm=imm)


@given(st.sampled_from(sorted(spec.SHIFT_IMMEDIATE)), registers, registers, registers)
def test_shift_immediate(name, rd, rs1, shamt):
    funct7, funct3, _ = spec.SHIFT_IMMEDIATE[name]
    check(spec.r_type(funct7, shamt, rs1, funct3, rd, spec.OP_IMM), name, rd=rd, rs1=rs1, shamt=shamt)


@given(st.sampled_from(sorted(spec.LOADS)), registers, registers, imm12)
def test_loads(name, rd, rs1, imm):
    check(spec.i_type(imm, rs1, spec.LOADS[name][0], rd, 0b0000011), name, rd=rd, rs1=rs1, imm=imm)


@given(st.sampled_from(sorted(spec.STORES)), registers, registers, imm12)
def test_stores(name, rs1, rs2, imm):
    check(spec.s_type(imm, rs2, rs1, spec.STORES[name][0], 0b0100011), name, rs1=rs1, rs2=rs2, imm=imm)


@given(st.sampled_from(sorted(spec.BRANCHES)), registers, registers, st.integers(-2048, 2047).map(lambda n: 2 * n))
def test_branches(name, rs1, rs2, imm):
    check(spec.b_type(imm, rs2, rs1, spec.BRANCHES[name][0], 0b1100011), name, rs1=rs1, rs2=rs2, imm=imm)


@given(registers, registers, imm12, st.integers(-(2**19), 2**19 - 1))
def test_jumps_and_upper_immediates(rd, rs1, imm, wide):
    check(spec.i_type(imm, rs1, 0, rd, 0b1100111), "jalr", rd=rd, rs1=rs1, imm=imm)
    check(spec.j_type(2 * wide, rd, 0b1101111), "jal", rd=rd, imm=2 * wide)
    check(spec.u_type(wide << 12, rd, 0b0110111), "lui", rd=rd, imm=wide << 12)
    check(spec.u_type(wide << 12, rd, 0b0010111), "auipc", rd=rd, imm=wide << 12)


@given(st.sampled_from(sorted(spec.AMOS)), registers, registers, registers, st.integers(0, 3))
def test_atomics(name, rd, rs1, rs2, order):
    aq, rl = order >> 1, order & 1
    check(spec.amo_type(spec.AMOS[name][0], aq, rl, rs2, rs1, rd), name, rd=rd, rs1=rs1, rs2=rs2, aq=aq, rl=rl)
    check(spec.amo_type(0b00011, aq, rl, rs2, rs1, rd), "sc.w", rd=rd, rs1=rs1, rs2=rs2)
    check(spec.amo_type(0b00010, aq, rl, 0, rs1, rd), "lr.w", rd=rd, rs1=rs1)
    if rs2:
        assert find(spec.amo_type(0b00010, aq, rl, rs2, rs1, rd)) is None


@given(st.sampled_from(sorted(spec.CSR_FUNCT3)), registers, st.integers(0, 4095), registers)
def test_csr_instructions(name, rd, csr, source):
    check(spec.csr_type(name, rd, csr, source), name, rd=rd, csr=csr)


@given(registers, registers)
def test_address_translation_fences(rs1, rs2):
    check(spec.r_type(0b0001001, rs2, rs1, 0, 0, 0b1110011), "sfence.vma", rs1=rs1, rs2=rs2)
    check(spec.r_type(0b0001011, rs2, rs1, 0, 0, 0b1110011), "sinval.vma", rs1=rs1, rs2=rs2)


@pytest.mark.parametrize("name", sorted(spec.FIXED))
def test_words_without_operands(name):
    assert find(spec.FIXED[name]).name == name


def test_fence_ignores_its_reserved_fields():
    for word in (0x0FF0000F, 0x0000000F, 0x8330000F, 0xFFFF8F8F & ~0x7000):
        assert find(word).name == "fence"


def test_every_declared_instruction_is_in_the_oracle():
    groups = (
        spec.REGISTER_REGISTER, spec.ONE_REGISTER, spec.REGISTER_IMMEDIATE, spec.SHIFT_IMMEDIATE, spec.BRANCHES,
        spec.LOADS, spec.STORES, spec.AMOS, spec.FIXED, spec.CSR_FUNCT3,
    )  # fmt: skip
    known = {name for group in groups for name in group}
    known |= {"lui", "auipc", "jal", "jalr", "fence", "lr.w", "sc.w", "sfence.vma", "sinval.vma"}
    assert {insn.name for insn in instructions() if insn.length == 4} == known


def test_no_two_patterns_overlap():
    """Two patterns share a word only if a bit that both fix differs, or an ``unless`` keeps them apart."""
    for first, second in combinations(instructions(), 2):
        if first.length != second.length or (first.match ^ second.match) & first.mask & second.mask:
            continue
        assert first.length == 2, f"{first.name} and {second.name} overlap"
        both = [half for half in range(1 << 16) if first.matches(half) and second.matches(half)]
        assert not both, f"{first.name} and {second.name} both match {both[0]:#06x}"


def test_every_halfword_decodes_to_what_the_specification_expands_it_to():
    declared = [insn for insn in instructions() if insn.length == 2]
    for half in range(1 << 16):
        matching = [insn for insn in declared if insn.matches(half)]
        assert len(matching) <= 1, f"{half:#06x}: {[insn.name for insn in matching]}"
        word = spec.expand(half)
        if half & 3 == 3:
            assert not matching and length_of(half) == 4
            continue
        assert length_of(half) == 2
        assert find(half) is find(half | 0xABCD_0000)  # the upper half does not count
        if word is None:
            assert not matching, f"{half:#06x} is reserved, not {matching[0].name}"
            continue
        assert matching, f"{half:#06x} is missing"
        insn, target = matching[0], find(word)
        assert find(half) is insn
        assert insn.expansion == target.name, f"{half:#06x}"
        assert insn.operands(half) == target.operands(word), f"{half:#06x} {insn.name}"
        assert insn.effects == target.effects


def test_all_zeros_and_all_ones_are_illegal():
    for word in (0, 0xFFFF_FFFF, 0x0000_FFFF & ~3):
        assert find(word) is None


def test_fields_refuse_what_they_cannot_hold():
    for insn in instructions():
        for name, where in insn.fields.items():
            if isinstance(where, Bits):
                outside = (1 << where.width) + where.offset
                with pytest.raises(ValueError, match=r"fit|another instruction"):
                    insn.encode(**{name: outside})
    with pytest.raises(ValueError, match="does not fit"):
        BY_NAME["jal"].encode(rd=1, imm=3)


@pytest.mark.parametrize("extension", ["m", "a", "c", "zba", "zbb", "zbs", "zifencei", "svinval"])
def test_an_extension_left_out_is_not_decoded(extension):
    full = IsaConfig()
    config = full.replace(extensions=full.extensions - {extension})
    gone = [insn for insn in instructions() if insn.extension == extension]
    assert gone
    for insn in gone:
        word = next(insn.match | bits for bits in (0, 0x80, 0x184, 0x1004) if insn.matches(insn.match | bits))
        assert find(word, full) is insn
        assert find(word, config) is None
    assert {insn.extension for insn in instructions(config)} == {insn.extension for insn in instructions()} - {
        extension
    }


def test_read_and_write_sets_and_units_derive_from_the_terms():
    expected = {
        "add": ({"rs1", "rs2"}, True, "alu"),
        "addi": ({"rs1"}, True, "alu"),
        "lui": (set(), True, "alu"),
        "sw": ({"rs1", "rs2"}, False, "memory"),
        "lw": ({"rs1"}, True, "memory"),
        "sc.w": ({"rs1", "rs2"}, True, "memory"),
        "amoadd.w": ({"rs1", "rs2"}, True, "memory"),
        "beq": ({"rs1", "rs2"}, False, "branch"),
        "jal": (set(), True, "branch"),
        "jalr": ({"rs1"}, True, "branch"),
        "csrrw": ({"rs1"}, True, "csr"),
        "csrrwi": (set(), True, "csr"),
        "sfence.vma": ({"rs1", "rs2"}, False, "system"),
        "ecall": (set(), False, "system"),
        "mulh": ({"rs1", "rs2"}, True, "multiplier"),
        "remu": ({"rs1", "rs2"}, True, "divider"),
    }
    for name, (reads, writes, unit) in expected.items():
        insn = BY_NAME[name]
        assert (set(insn.reads), insn.writes_rd, insn.unit) == (reads, writes, unit), name
