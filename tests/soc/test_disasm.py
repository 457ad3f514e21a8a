"""The listing of ELF files: the layout of ``objdump -d`` byte for byte, and errors in one line."""

import os
import random

import pytest

from rvsim.errors import UserError
from rvsim.isa import assemble
from rvsim.soc.disasm import disassemble_elf
from tests.isa.objdump import elf, objdump_lines, objdump_or_skip
from tests.soc.programs import program_elf

BASE = 0x8000_0000
ABSOLUTE = 0xFFF1
CODE, DATA = 6, 3

SOURCE = """
    .option rvc
    _start: la sp, stack; csrw mtvec, a0; call main; la a0, value; lw a1, 8(a0)
            addi a2, gp, 4; lw a1, 8(gp); sw a0, 0(zero); lui a5, 0x12345; lw a0, 0x67(a5)
    loop:   addi a0, a0, -1; bnez a0, loop; beqz a0, ahead; j _start; .4byte 0x0805453b; c.nop 5
    table:  .word 0x12345678; .half 0x1234; .byte 1; .zero 1
    ahead:  ret; nop
            .zero 16
    main:   mv a0, a1; ret
            .zero 12
            ebreak
            .2byte 0x051f, 0x0000, 0x1111                  # longer encodings
            .2byte 0x053f, 0x0000, 0x0000, 0x2222
            .2byte 0x157f, 0x0000, 1, 2, 3, 4, 5
            .2byte 0x7fff
            .zero 6
"""


def _file(tmp_path, base=BASE, *, with_symbols=True):
    program = assemble(SOURCE, base, {"stack": base + 0x1008, "value": base + 0x1000})
    at = program.symbols
    symbols = [
        ("$xrv32i2p1_c2p0_zicsr2p0", base, 1, 0, 0),
        ("$d", at["table"], 1, 0, 0),
        ("$x", at["ahead"], 1, 0, 0),
        ("main_alias", at["main"], 1, 0, 0),
        (".L1\2", at["loop"], 1, 0, 0),
        ("main", at["main"], 1, 2, 0),
        ("value", base + 0x1000, 3, 1, 1),
        ("value_again", base + 0x1000, 3, 0, 1),
        ("weak", at["table"], 1, 0, 2),
        ("table", at["table"], 1, 0, 1),
        ("__global_pointer$", base + 0x1800, ABSOLUTE, 0, 1),
        ("_start", base, 1, 0, 1),
        ("ahead", at["ahead"], 1, 0, 1),
        ("other", base + 0x802, 2, 0, 1),
    ]
    path = tmp_path / "program.elf"
    sections = [
        (".text", base, bytes(program), CODE),
        (".text.other", base + 0x800, bytes(assemble(".option rvc; nop; nop; j .-2; j .-0x700", base + 0x800)), CODE),
        (".data", base + 0x1000, bytes(16), DATA),
    ]
    path.write_bytes(elf(sections, symbols if with_symbols else ()))
    return path


@pytest.mark.parametrize("base", [BASE, 0, 0x10000, 0xF000, 0xF80, 0xFF00])
@pytest.mark.parametrize("with_symbols", [True, False], ids=["symbols", "stripped"])
def test_the_listing_is_objdumps_byte_for_byte(tmp_path, base, with_symbols):
    tool = objdump_or_skip()
    path = _file(tmp_path, base, with_symbols=with_symbols)
    assert list(disassemble_elf(str(path))) == objdump_lines(tool, path)


def test_a_file_of_mapping_symbols_alone_is_named_by_its_section(tmp_path):
    tool = objdump_or_skip()
    path = tmp_path / "program.elf"
    path.write_bytes(elf([(".text", BASE, bytes(assemble("nop; j .-4")), CODE)], [("$x", BASE, 1, 0, 0)]))
    assert list(disassemble_elf(str(path))) == objdump_lines(tool, path)


def test_the_layout(tmp_path):
    path = tmp_path / "a.elf"
    program = assemble(".option rvc; _start: addi t0, t0, 10; li a0, 0; .zero 8; last: j _start", BASE)
    symbols = [(name, address, 1, 0, 1) for name, address in program.symbols.items()]
    path.write_bytes(elf([(".text", BASE, bytes(program), CODE)], symbols))
    assert "\n".join(disassemble_elf(str(path), short=False)) == (
        f"\n{path}:     file format elf32-littleriscv\n\n\n"
        "Disassembly of section .text:\n\n"
        "80000000 <_start>:\n"
        "80000000:\t02a9                \taddi\tt0,t0,10\n"
        "80000002:\t4501                \tli\ta0,0\n"
        "\t...\n\n"
        "8000000c <last>:\n"
        "8000000c:\tbfd5                \tj\t80000000 <_start>"
    )


def test_code_that_is_cut_off_appears_as_data(tmp_path):
    path = tmp_path / "a.elf"
    path.write_bytes(elf([(".text", BASE, bytes.fromhex("010093"), CODE)]))
    assert [line.split("\t")[-1] for line in list(disassemble_elf(str(path)))[-2:]] == ["nop", "0x93"]


def test_names_cannot_reach_the_terminal_raw(tmp_path):
    path = tmp_path / "a.elf"
    path.write_bytes(elf([(".text", BASE, bytes.fromhex("0100"), CODE)], [("\x1b[31m", BASE, 1, 0, 1)]))
    assert list(disassemble_elf(str(path)))[-2] == "80000000 <^[[31m>:"


CODE_ONLY = [(".text", BASE, bytes.fromhex("0100"), CODE)]
BAD = {
    "text": (b"hello, world, this is no program", "is not an ELF file; a 32-bit little-endian RISC-V ELF file"),
    "empty": (b"", "is not an ELF file"),
    "short": (b"\x7fELF\x01\x01", "ends within its ELF header"),
    "x86": (elf(CODE_ONLY, machine=62), r"another architecture \(machine 62\)"),
    "rv64": (elf(CODE_ONLY, elf_class=2), r"64-bit RISC-V ELF file \(RV64\)"),
    "big endian": (elf(CODE_ONLY, endian=2), "big-endian ELF file"),
    "cut": (elf(CODE_ONLY)[:-100], "is damaged"),
    "no code": (elf([(".data", BASE, b"1234", DATA)]), "no section with code"),
    "no sections": (program_elf("nop"), "no section with code"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_rv32_program_is_told_before_anything_is_printed(tmp_path, case):
    data, message = BAD[case]
    path = tmp_path / "bad.elf"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        disassemble_elf(str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_told(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name, message in (("missing", "no such file"), ("", "a directory"), ("fifo", "FIFO")):
        with pytest.raises(UserError, match=message):
            disassemble_elf(str(tmp_path / name))


def test_damaged_files_are_listed_or_refused_and_never_crash(tmp_path):
    source = random.Random(7)
    good = _file(tmp_path).read_bytes()
    path = tmp_path / "damaged.elf"
    for _ in range(400):
        data = bytearray(good)
        for _ in range(source.choice((1, 2, 8))):
            # Headers more often than contents: those are what can mislead the reader.
            at = source.choice((source.randrange(52), source.randrange(len(data)), -1 - source.randrange(400)))
            data[at] = source.choice((0, 1, 0xFF, source.randrange(256)))
        path.write_bytes(data[: source.randrange(len(data))] if source.random() < 0.2 else data)
        try:
            for _ in disassemble_elf(str(path)):
                pass
        except UserError as error:
            assert "\n" not in str(error)
