"""The disassembler prints what GNU objdump prints: examples from the specification, and fuzzing against it."""

import pytest

from rvsim.isa import decode, disassemble
from rvsim.isa.aliases import ALIASES, WORDS, alias_for
from rvsim.isa.disassembler import Disassembler, Symbols
from rvsim.isa.instruction import Bits
from rvsim.isa.tables import find
from tests.isa.objdump import disassembly, halfwords, objdump_or_skip, pattern_words, random_words

EXAMPLES = {
    0x00A28293: "addi\tt0,t0,10",
    0x00000013: "nop",
    0x00100513: "li\ta0,1",
    0x00058513: "mv\ta0,a1",
    0xFFF54513: "not\ta0,a0",
    0x40B00533: "neg\ta0,a1",
    0x0FF57513: "zext.b\ta0,a0",
    0x08054533: "zext.h\ta0,a0",
    0x60051513: "clz\ta0,a0",
    0x20C5A533: "sh1add\ta0,a1,a2",
    0x00153513: "seqz\ta0,a0",
    0x00B03533: "snez\ta0,a1",
    0x01F55513: "srli\ta0,a0,0x1f",
    0x000105B7: "lui\ta1,0x10",
    0xFFFFF5B7: "lui\ta1,0xfffff",
    0xFE050EE3: "beqz\ta0,0x80000ffc",
    0x00B54463: "blt\ta0,a1,0x80001008",
    0x0000006F: "j\t0x80001000",
    0x008000EF: "jal\t0x80001008",
    0x00008067: "ret",
    0x00050067: "jr\ta0",
    0x00C500E7: "jalr\t12(a0)",
    0x00812503: "lw\ta0,8(sp)",
    0xFEA12E23: "sw\ta0,-4(sp)",
    0x00802503: "lw\ta0,8(zero) # 0x8",
    0x1005252F: "lr.w\ta0,(a0)",
    0x1EC5A52F: "sc.w.aqrl\ta0,a2,(a1)",
    0x00C5A52F: "amoadd.w\ta0,a2,(a1)",
    0x34202573: "csrr\ta0,mcause",
    0x30529073: "csrw\tmtvec,t0",
    0x3002D073: "csrwi\tmstatus,5",
    0x7C051573: "csrrw\ta0,0x7c0,a0",
    0xC0002573: "rdcycle\ta0",
    0xC8102573: "rdtimeh\ta0",
    0xC0001073: "unimp",
    0x0FF0000F: "fence",
    0x0310000F: "fence\trw,w",
    0x8330000F: "fence.tso",
    0x0100000F: "fence\tw,unknown",
    0x0000100F: "fence.i",
    0x00000073: "ecall",
    0x30200073: "mret",
    0x12000073: "sfence.vma",
    0x12050073: "sfence.vma\ta0",
    0x12B50073: "sfence.vma\ta0,a1",
    0x16B50073: "sinval.vma\ta0,a1",
    0x18000073: "sfence.w.inval",
    0x8082: "ret",
    0x4501: "li\ta0,0",
    0x1141: "addi\tsp,sp,-16",
    0x0001: "nop",
    0x0075: "c.nop\t29",
    0x0000: "unimp",
    0x9002: "ebreak",
    0xFFFFFFFF: ".4byte\t0xffffffff",
    0x0805453B: ".4byte\t0x805453b",
    0x3456: ".2byte\t0x3456",
}


@pytest.mark.parametrize("word", EXAMPLES, ids=hex)
def test_examples_print_as_in_objdump(word):
    assert disassemble(word, pc=0x8000_1000) == EXAMPLES[word]


def test_a_decoded_word_prints_as_assembly_and_tells_its_parts():
    decoded = decode(0xFE0518E3, pc=0x8000_0010)
    assert str(decoded) == repr(decoded) == "bnez\ta0,0x80000000"
    assert decoded.instruction.name == "bne" and decoded.mnemonic == "bnez"
    assert decoded.operands == {"rs1": 10, "rs2": 0, "imm": -16}
    assert (decoded.length, decoded.pc, decoded.target) == (4, 0x8000_0010, 0x8000_0000)


def test_the_high_half_does_not_count_behind_a_compressed_instruction():
    assert decode(0xFFFF8082) == decode(0x8082) and decode(0xFFFF8082).length == 2


def test_an_illegal_word_decodes_to_data():
    decoded = decode(0xFFFFFFFF)
    assert decoded.instruction is None and decoded.operands == {} and decoded.target is None


@pytest.mark.parametrize("word", [-1, 1 << 32])
def test_what_is_no_word_is_refused(word):
    with pytest.raises(ValueError, match="32 bits"):
        decode(word)


def test_targets_show_their_symbol():
    symbols = {"start": 0x8000_0000, "loop": 0x8000_0010}
    assert disassemble(0x0080006F, 0x8000_0010, symbols) == "j\t80000018 <loop+0x8>"
    assert disassemble(0x0100006F, 0x8000_0000, symbols) == "j\t80000010 <loop>"
    assert disassemble(0xFF1FF06F, 0x8000_0000, symbols) == "j\t7ffffff0 <start-0x10>"


def test_of_several_names_of_an_address_the_first_counts():
    symbols = Symbols([(4, "first"), (4, "second")])
    assert symbols.describe(8) == "first+0x4" and symbols.at(4) == "first" and symbols.at(8) is None


def test_an_address_made_of_two_instructions_is_told_once():
    disassembler = Disassembler({"data": 0x8000_1000})
    texts = [disassembler.decode(word, 0x8000_0000).text for word in (0x00001517, 0x00450513, 0x00450513)]
    assert texts == ["auipc\ta0,0x1", "addi\ta0,a0,4 # 80001004 <data+0x4>", "addi\ta0,a0,4"]


def test_reserved_fields_that_are_ignored_have_no_notation():
    """FENCE with a reserved mode or registers, and FENCE.I with any field set, execute as such (sections 2.7, 3)."""
    for word in (0x1000000F, 0x0FF0008F, 0x0FF1000F, 0x0010100F):
        assert find(word) is not None and disassemble(word).startswith(".4byte\t")


def _sample(alias):
    """An encoding that the alias fits, its free operands neither zero nor alike."""
    operands = dict(alias.constants)
    for n, (name, field) in enumerate(alias.insn.fields.items()):
        if isinstance(field, Bits) and name not in operands:
            zeros = -field.parts[-1][1] if field.parts[-1][1] < 0 else 0
            operands[name] = 8 + n if name.startswith("r") else (9 + n) << zeros
    if alias.insn.fields.get("rs1") == alias.insn.fields.get("rd") and "rd" in operands:
        operands["rs1"] = operands["rd"]
    return alias.insn.encode(**operands)


def test_every_alias_is_printed_unless_only_the_assembler_knows_it():
    unreached = set()
    for alias in ALIASES:
        found = alias_for(alias.insn, alias.insn.operands(_sample(alias)), short=True)
        if found is None or found.form.groups != alias.form.groups or found.form.name != alias.form.name:
            unreached.add(f"{alias.form.name} {','.join(alias.form.groups)}".strip())
    assert unreached == {
        *("move rd,rs1", "slt rd,rs1,imm", "sltu rd,rs1,imm", "sgt rd,rs1,rs2", "sgtu rd,rs1,rs2"),
        *("bgt rs1,rs2,target", "bgtu rs1,rs2,target", "ble rs1,rs2,target", "bleu rs1,rs2,target"),
        *("jalr rd,rs1,imm", "jr rs1,imm", "scall", "sbreak", "c.nop"),
        *("csrwi csr,uimm", "csrsi csr,uimm", "csrci csr,uimm"),  # printed as csrw, csrs and csrc where short
    }


def test_words_without_a_template_are_encodings_of_nothing_else():
    for name, word, length, printed in WORDS:
        if printed:
            assert disassemble(word) == name and decode(word).length == length


def _compare(tmp_path, words, *, reserved=()):
    """All texts equal objdump's; ``reserved``: mnemonics that objdump has where the encoding is reserved for us."""
    tool = objdump_or_skip()
    disassembler, pc, differences = Disassembler(short=True), 0x8000_0000, []
    for (word, length), theirs in zip(words, disassembly(tool, tmp_path, words), strict=True):
        ours = disassembler.decode(word, pc)
        pc += length
        if ours.text == theirs:
            continue
        if ours.instruction is None and theirs.split("\t")[0] in reserved:
            continue
        differences.append((hex(word), ours.text, theirs))
    assert not differences, f"{len(differences)}: {differences[:10]}"


# Known differences. Shift amounts and bit numbers of 32 and more are reserved on RV32 (bit 5 of the amount must be
# zero), and so is c.addi16sp by zero; objdump prints them as the RV64 instruction whatever the width.
SHIFTS = ("sll", "srl", "sra", "ror", "bset", "bclr", "binv", "bext")


def test_every_pattern_prints_as_in_objdump(tmp_path):
    _compare(tmp_path, pattern_words(seed=1, count=120))


def test_random_words_print_as_in_objdump(tmp_path):
    _compare(tmp_path, random_words(seed=2, count=30_000), reserved=SHIFTS)


def test_all_halfwords_print_as_in_objdump(tmp_path):
    words = halfwords()
    legal = [pair for pair in words if find(pair[0]) is not None]
    _compare(tmp_path, legal)
    _compare(tmp_path, words, reserved=("c.slli", "sll", "srl", "sra", "add"))
