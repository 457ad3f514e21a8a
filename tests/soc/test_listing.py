"""``disasm`` against GNU objdump, where that is installed."""

import shutil
import struct
import subprocess

import pytest

from rvsim.isa.assembler import assemble
from rvsim.soc.disasm import disassemble_elf as listing

OBJDUMP = next(filter(shutil.which, ("riscv64-unknown-elf-objdump", "riscv64-linux-gnu-objdump")), None)


def code_elf(source, base=0x8000_0000):
    """An ELF file with one ``.text`` section and the program's labels as functions."""
    program = assemble(source, base)
    code = bytes(program)
    labels = [(name, value) for name, value in program.symbols.items() if base <= value < base + len(code)]
    names, table = b"\0", bytes(16)
    for name, value in labels:
        table += struct.pack("<IIIBBH", len(names), value, 0, 0x12, 0, 1)
        names += name.encode() + b"\0"
    strings = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    at = 52 + 32
    places = []
    body = b""
    for part in (code, table, names, strings):
        places.append((at + len(body), len(part)))
        body += part
        body += bytes(-len(body) % 4)
    sections = bytes(40)
    sections += struct.pack("<10I", 1, 1, 6, base, *places[0], 0, 0, 2, 0)
    sections += struct.pack("<10I", 7, 2, 0, 0, *places[1], 3, 1, 4, 16)
    sections += struct.pack("<10I", 15, 3, 0, 0, *places[2], 0, 0, 1, 0)
    sections += struct.pack("<10I", 23, 3, 0, 0, *places[3], 0, 0, 1, 0)
    ident = b"\x7fELF\1\1\1" + bytes(9)
    header = struct.pack("<16sHHIIIIIHHHHHH", ident, 2, 243, 1, base, 52, at + len(body), 1, 52, 32, 1, 40, 5, 4)
    segment = struct.pack("<8I", 1, at, base, base, len(code), len(code), 5, 4)
    return header + segment + body + sections


def write(tmp_path, source):
    path = tmp_path / "a.elf"
    path.write_bytes(code_elf(source))
    return str(path)


def test_runs_of_zeros_are_left_out(tmp_path):
    lines = list(listing(write(tmp_path, "a: nop\n .word 0, 0, 0\n b: nop\n .word 0\n nop\n c: .word 0, 0\n")))
    assert lines[6:] == [
        "80000000 <a>:",
        "80000000:\t00000013          \tnop",
        "\t...",
        "",
        "80000010 <b>:",
        "80000010:\t00000013          \tnop",
        "80000014:\t0000                \tunimp",
        "80000016:\t0000                \tunimp",
        "80000018:\t00000013          \tnop",
        "",
        "8000001c <c>:",
        "\t...",
    ]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_an_end_in_the_middle_of_an_instruction_is_data(tmp_path, size):
    tail = ".byte " + ", ".join(["0x13", "1", "1"][:size]) + "\n"
    assert list(listing(write(tmp_path, "a: nop\n" + tail)))[8].startswith("80000004:\t")


@pytest.mark.skipif(OBJDUMP is None, reason="needs GNU objdump for RISC-V")
def test_the_self_test_lists_as_objdump_does(tmp_path):
    from rvsim.soc.selftest.image import SOURCE

    with open(SOURCE) as file:
        source = file.read()
    path = write(tmp_path, source[: source.index("# Data ---")] + _labels(source))
    theirs = subprocess.run([OBJDUMP, "-d", path], capture_output=True, text=True, check=True).stdout.splitlines()
    ours = list(listing(path))
    # binutils 2.38 to 2.41 print "add" for "addi" and so on, and without an attributes section objdump knows no Zb*:
    # neither is what is tested here.
    ours, theirs = ([_long(line) for line in lines[4:]] for lines in (ours, theirs))
    assert len(ours) == len(theirs)
    differences = [(mine, other) for mine, other in zip(ours, theirs) if mine != other and ".4byte" not in other]
    assert differences == []


ODD = """
a: .word 0x1234561f, 0x12345678, 0x9abcdef1
b: .word 0x1234563f, 0x12345678, 0x9abcdef1
c: .word 0x1234567f, 0x12345678, 0x9abcdef1, 0x11111111, 0x22222222, 0x00010001
d: .word 0x123426ff, 0x12345678, 0x9abcdef1, 0x11111111, 0x00010001
e: .word 0x12347fff, 0x12345678, 0xffffffff, 0x00010001
"""


@pytest.mark.skipif(OBJDUMP is None, reason="needs GNU objdump for RISC-V")
def test_words_longer_than_any_instruction_list_as_objdump_does(tmp_path):
    path = write(tmp_path, ODD)
    theirs = subprocess.run([OBJDUMP, "-d", path], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [_long(line) for line in listing(path)][4:] == [_long(line) for line in theirs][4:]


def _labels(source):
    """The labels of the data, without the data."""
    data = source[source.index("# Data ---") :]
    return "\n".join(line for line in data.splitlines() if line.endswith(":")) + "\n.word 1\n"


_SHORT = (
    "add",
    "and",
    "or",
    "xor",
    "sll",
    "srl",
    "sra",
    "slt",
    "sltu",
    "ror",
    "csrs",
    "csrc",
    "csrw",
    "bset",
    "bclr",
    "binv",
    "bext",
)


def _long(line):
    for name in _SHORT:
        line = line.replace(f"\t{name}i\t", f"\t{name}\t")
    return line.replace("\tsltiu\t", "\tsltu\t")
