"""The assembler: what the disassembler prints assembles to the same word; GNU as agrees; mistakes name their line."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsim.isa import assemble, decode
from rvsim.isa.assembler import AssemblyError
from rvsim.isa.disassembler import Disassembler
from rvsim.isa.tables import find
from tests.isa.objdump import halfwords, pattern_words

ORIGIN = 0x8000_0000


def words(source, **options):
    return assemble(source, **options).words


def _differences(pairs, short):
    found = []
    for word, length in pairs:
        text = Disassembler(short=short).decode(word, ORIGIN).text
        option = "rvc" if length == 2 else "norvc"
        if bytes(assemble(f".option {option}\n{text}", ORIGIN)) != word.to_bytes(length, "little"):
            found.append((hex(word), text))
    return found


@pytest.mark.parametrize("short", [False, True], ids=["own names", "short names"])
def test_every_pattern_assembles_back(short):
    assert _differences([p for p in pattern_words(seed=3, count=40) if p[1] == 4], short) == []


@pytest.mark.parametrize("short", [False, True], ids=["own names", "short names"])
def test_every_halfword_assembles_back(short):
    differences = _differences([p for p in halfwords() if find(p[0]) is not None], short)
    # Two encodings of one thing: c.addi16sp by what c.addi can add too.
    assert all(decode(int(word, 16)).instruction.name == "c.addi16sp" for word, _ in differences)
    assert {decode(int(word, 16)).operands["imm"] for word, _ in differences} == {-32, -16, 16}


@given(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 30) - 1).map(lambda n: 4 * n))
def test_any_word_assembles_back_at_any_address(word, pc):
    word |= 3
    text = str(decode(word, pc))
    assert bytes(assemble(text, pc)) == word.to_bytes(4, "little")


def test_labels_of_all_kinds():
    program = assemble(
        """
        start:  beqz a0, 1f      # forward
        1:      bnez a0, 1b      # to itself
                j 1f
                j 1b             // back over one
        1:      j start
        """
    )
    texts = [str(decode(word, ORIGIN + 4 * n, program.symbols)) for n, word in enumerate(program.words)]
    assert texts == [
        "beqz\ta0,80000004 <start+0x4>",
        "bnez\ta0,80000004 <start+0x4>",
        "j\t80000010 <start+0x10>",
        "j\t80000004 <start+0x4>",
        "j\t80000000 <start>",
    ]
    assert program.symbols == {"start": ORIGIN} and program.entry == ORIGIN


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("0", ["li\ta0,0"]),
        ("-2048", ["li\ta0,-2048"]),
        ("2048", ["lui\ta0,0x1", "addi\ta0,a0,-2048 # 0x800"]),
        ("0x12345678", ["lui\ta0,0x12345", "addi\ta0,a0,1656 # 0x12345678"]),
        ("0x80000000", ["lui\ta0,0x80000"]),
        ("0xffffffff", ["li\ta0,-1"]),
        ("0x7fffffff", ["lui\ta0,0x80000", "addi\ta0,a0,-1 # 0x7fffffff"]),
        ("'A' + 1", ["li\ta0,66"]),
        ("later", ["lui\ta0,0x80000", "addi\ta0,a0,8 # 0x80000008"]),
    ],
)
def test_li_loads_any_constant(value, texts):
    disassembler = Disassembler()
    assert [disassembler.decode(word).text for word in words(f"li a0, {value}\nlater:")] == texts


@pytest.mark.parametrize(
    "distance", [0, 2, 0x7FE, 0x800, 0xFFE, 0x1000, 0x12345678, 0x7FFFF7FE, -2, -0x800, -0x80000000]
)
def test_la_call_and_tail_reach_any_address(distance):
    target = ORIGIN + distance & 0xFFFF_FFFF
    for source, link in (("la t0, there", None), ("call there", 1), ("tail there", 0), ("lw a0, there", 10)):
        first, second = (decode(word, ORIGIN) for word in words(source, symbols={"there": target}))
        assert first.instruction.name == "auipc"
        reached = ORIGIN + first.operands["imm"] + second.operands["imm"] & 0xFFFF_FFFF
        assert reached == target and second.operands["rs1"] == first.operands["rd"]
        assert link is None or second.operands["rd"] == link


def test_relocation_functions():
    program = assemble(
        """
        lui a0, %hi(data)
        lw a1, %lo(data)(a0)
        1: auipc a2, %pcrel_hi(data)
        addi a2, a2, %pcrel_lo(1b)
        .org 0x1ffc
        data: .word 0
        """
    )
    high, low, upper, lower = (decode(word).operands["imm"] for word in program.words[:4])
    data = program.symbols["data"]
    assert high + low & 0xFFFF_FFFF == data
    assert ORIGIN + 8 + upper + lower == data


def test_data_and_alignment():
    program = assemble(
        """
            .equ  SIZE, 2 * 3          /* a comment
                                          over two lines */
            .byte 1, -1, 'a', '\\n'; .half 0x1234, SIZE
            .align 3
        here: .word here, . - here, 1 << 4 | 1
            .asciz "a,b;c#d\\t\\x41\\101"
            .balign 4, 0xff
            .zero 2
            .space 2, 7
            .fill 2, 2, 5
            .dword 0x1122334455667788
            NAME = SIZE + 1
            .byte NAME
        """,
        origin=0x100,
    )
    expected = bytes.fromhex("01ff610a 34120600 08010000 00000000 11000000") + b"a,b;c#d\tAA\0" + b"\xff"
    expected += bytes.fromhex("0000 0707 05000500 8877665544332211 07")
    assert bytes(program) == expected
    assert program.symbols == {"SIZE": 6, "here": 0x108, "NAME": 7}


def test_alignment_of_code_is_filled_with_nops():
    assert words("nop\n.align 3\nnop", origin=0) == [0x13, 0x13, 0x13]
    assert bytes(assemble("c.nop\n.balign 8", origin=0)) == bytes.fromhex("0100 0100 13000000")


def test_sections_follow_each_other_in_order_of_appearance():
    program = assemble(".data\nvalue: .word 7\n.text\nla a0, value\n.section .data\n.word 8")
    assert program.symbols == {"value": ORIGIN + 16}
    assert program.words[-2:] == [7, 8]


def test_the_operators_bind_as_in_gnu_as():
    assert words(".word 1 + 2 | 4, 1 + 2 << 3, -1 & 0xff, (1 + 2) * 3, 7 - 2 - 1, 7 / 2 % 2, ~0 ^ 1, 1 - -1") == [
        1 + (2 | 4),
        1 + (2 << 3),
        0xFF,
        9,
        4,
        1,
        0xFFFFFFFE,
        2,
    ]


def test_compression_takes_the_short_form_where_it_fits():
    source = ".option rvc\nstart: addi a0, a0, 1\nbeqz a0, far\nmv a0, a1\nlw a0, 4(sp)\nlw a0, 2(sp)\nj start\n"
    lengths = [2, 2, 2, 2, 4, 2]
    assert len(assemble(source + "far:")) == sum(lengths)
    assert len(assemble(source + ".zero 256\nfar:")) == sum(lengths) + 2 + 256
    assert len(assemble(source.replace("rvc", "norvc") + "far:")) == 24
    assert words("c.addi a0, 1; c.j .+2") == [0xA009_0505]


def test_options_can_be_saved():
    assert len(assemble(".option push; .option rvc; mv a0, a1; .option pop; mv a0, a1")) == 6


MISTAKES = {
    "adi a0, a0, 1": "unknown instruction 'adi'",
    "addi a0, a0": "operands do not fit; written as addi rd, rs1, imm",
    "addi a0, a0, 4096": "imm 4096 is not within -2048 to 2047",
    "add a0, a0, q7": "undefined symbol 'q7'",
    "lw a0, 4(a0": "follows an expression",
    "lw a0, 4(q0)": "operands do not fit",
    "slli a0, a0, 32": "shamt 32 is not within 0 to 31",
    "lui a0, 0x100000": "imm 0x100000 does not fit 20 bits",
    "beq a0, a1, .+1": "steps of 2",
    "beq a0, a1, .+4096": "imm 4096 is not within -4096 to 4094",
    "c.lw a0, 0(t0)": "x8 to x15",
    "c.lwsp a0, 0(t0)": "operands do not fit",
    "c.addi16sp sp, 8": "in steps of 16",
    "c.mv a0, zero": "another instruction",
    "csrw 4096, a0": "csr 4096 is not within 0 to 4095",
    "li a0, 1 << 33": "does not fit 32 bits",
    "j 1f": "no local label 1: on that side",
    ".word 1 +": "an expression is missing",
    ".word 1 2": "follows an expression",
    ".word (1": "closing parenthesis",
    ".word 1 / 0": "division by zero",
    ".byte 256": "0x100 does not fit 1 byte",
    ".ascii abc": "a string in quotes is expected",
    '.ascii "\\q"': "unknown escape",
    ".frob 1": "unknown directive .frob",
    ".option frob": "unknown option 'frob'",
    ".option pop": "without push",
    ".balign 3": "not a power of two",
    ".org 0": ".org to 0x80000000 from 0x80000004",
    ".space -1": "a size of -1 bytes",
    ".equ a": ".equ takes 2 operands",
    "start: nop": "'start' is defined already on line 1",
    "addi a0, a0, %pcrel_lo(start)": "no %pcrel_hi",
    ".word 1 << 99": "shift by 99",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_name_line_and_text(mistake):
    with pytest.raises(AssemblyError, match=MISTAKES[mistake]) as caught:
        assemble(f"start: nop\n  {mistake}  # here\nnop")
    assert caught.value.line == 2 and repr(mistake) in str(caught.value) and "\n" not in str(caught.value)


def test_sizes_that_depend_on_themselves_end_in_an_error():
    with pytest.raises(AssemblyError, match=r"does not settle|size"):
        assemble("start: .zero end - start + 1\nend:")


STATEMENTS = """
start: nop; li a0, 5; li a0, 2047; li a0, 2048; li a0, -2049; li a1, 0x12345678; li t0, 0x80000000; li a0, 0x1000
mv a0, a1; mv s3, s4; move a0, a1; not a0, a0; neg a0, a1; seqz a0, a1; snez a0, a1; sltz a0, a1; sgtz a0, a1
zext.b a0, a0; zext.h a0, a0; sext.b a0, a1; sext.h a0, a1
1: beqz a0, 1b; bnez a0, 1f; blez a1, 1b; bgez a1, 1f; bltz a2, 1b; bgtz a2, 1f; bgt a0, a1, 1b; ble a0, a1, 1b
bgtu a0, a1, 1b; bleu a0, a1, 1f
1: j 1b; jal 1b; jal t0, start; jr a0; jr 4(a0); jalr a0; jalr 4(a0); jalr t0, a0; jalr t0, 8(a0); ret; jalr a0, a1, 4
csrr a0, mstatus; csrw mtvec, a0; csrs mie, a0; csrc mie, a0; csrwi mscratch, 5; csrsi mie, 8; csrci mie, 8
csrrw a0, mscratch, a1; csrrwi a0, mscratch, 1; csrw mscratch, 7; csrrs a0, mscratch, 3; csrr a0, 0x7c0; csrc mie, 3
rdcycle a0; rdtimeh a1; rdinstret a2; fence; fence rw, w; fence.tso; fence.i; pause; ecall; ebreak; mret; sret; wfi
unimp; sfence.vma; sfence.vma a0; sfence.vma a0, a1; sinval.vma a0, a1; sfence.w.inval; sfence.inval.ir
add a0, a0, 5; and a0, a0, 1; or a0, a1, 2; xor a0, a1, 3; sll a0, a1, 4; srl a0, a0, 4; sra a0, a0, 4; slt a0, a1, 5
sltu a0, a1, 5; ror a0, a1, 3; bset a0, a1, 3; rori a0, a0, 1; sgt a0, a1, a2; sgtu a0, a1, a2
lw a0, 0(a1); lw a0, (a1); lw a0, 4(sp); sw a0, 8(sp); sb a0, -1(a0); lr.w a0, (a1); lr.w.aq a0, (a1)
sc.w.rl a0, a1, (a2); amoadd.w.aqrl a0, a1, (a2); amomaxu.w a0, a1, 0(a2)
addi sp, sp, -32; addi sp, sp, 16; addi a0, sp, 16; lui a0, 1; lui a0, 0xfffff; andi a0, a0, -1; sub s0, s0, s1
xor a0, a0, a1; add a0, a0, a1; add a0, a1, a0; or s0, s0, s1; or s0, s1, s0; and a0, a1, a0; slli a0, a0, 1
srli a0, a0, 1; srai a0, a0, 31; add a0, zero, a1; addi zero, zero, 5; lui zero, 5; slli zero, a0, 1
auipc a0, 0xfffff; mul a0, a1, a2
div a0, a1, a2; sh1add a0, a1, a2; andn a0, a1, a2; rev8 a0, a1; orc.b a0, a1; clz a0, a0; max a0, a1, a2
c.addi a0, 1; c.nop; c.lwsp a0, 4(sp); c.addi4spn a0, sp, 8; c.mv a0, a1; c.add a0, a1; c.j start; c.lui a0, 0xfffff
.balign 4
.word 1+2*3, 1<<4|3, -1, (2+3)*4, 0b101, 'a', 017, ~0, 7-2|1
.half 1, 0x8000; .byte 1, 2, -1; .ascii "a\\n\\x41\\101;#"; .asciz "q", "r"; .zero 3; .balign 8; .fill 2, 2, 5
X2 = 4*2
.set Y, X2+1
lw a0, X2(a0); li a0, Y
1: addi a0, a0, %lo(0x12345f00); lui a0, %hi(0x12345f00)
"""


@pytest.mark.parametrize("option", ["rvc", "norvc"])
def test_gnu_as_makes_the_same_bytes(tmp_path, option):
    tool = next(filter(shutil.which, ("riscv64-linux-gnu-as", "riscv64-unknown-elf-as")), None)
    if tool is None:
        pytest.skip("no riscv64-linux-gnu-as on PATH")
    from elftools.elf.elffile import ELFFile

    # GNU as takes c. instructions only under rvc, and never shortens a call.
    source = "\n".join(s for s in STATEMENTS.split("\n") if option == "rvc" or not s.startswith("c."))
    source = f".option {option}\n{source.replace('jal 1b; ', '')}"
    (tmp_path / "a.s").write_text(source)
    march = "-march=rv32imac_zicsr_zifencei_zba_zbb_zbs_svinval_zihintpause"
    command = [tool, march, "-mabi=ilp32", "-mno-relax", "a.s", "-o", "a.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    with open(tmp_path / "a.o", "rb") as file:
        theirs = ELFFile(file).get_section_by_name(".text").data()
    ours = bytes(assemble(source, origin=0))
    assert theirs[: len(ours)] == ours
    assert not theirs[len(ours) :].strip(b"\0\x13\x01"), "more than padding at the end"
