"""GNU objdump as an oracle: small ELF files that name our ISA, and what objdump prints for the words in them."""

import random
import shutil
import struct
import subprocess

import pytest

from rvsim.isa.instruction import Bits
from rvsim.isa.tables import instructions

# `-b binary -m riscv:rv32` would assume F and D and leave out Zba, Zbb and Zbs; an ELF file states the ISA.
ARCH = "rv32i2p1_m2p0_a2p1_c2p0_zicsr2p0_zifencei2p0_zba1p0_zbb1p0_zbs1p0_svinval1p0"
VERSION = "2.40"


def objdump_or_skip():
    """Name of an objdump for RISC-V; skips the test where there is none, or one that prints differently."""
    tool = next(filter(shutil.which, ("riscv64-linux-gnu-objdump", "riscv64-unknown-elf-objdump")), None)
    if tool is None:
        pytest.skip("no riscv64-linux-gnu-objdump on PATH")
    banner = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    if VERSION not in banner.split("\n")[0]:
        pytest.skip(f"objdump is not of binutils {VERSION}, whose notation is compared: {banner.splitlines()[0]}")
    return tool


def _attributes(arch):
    tag = b"\x05" + arch.encode() + b"\0"  # Tag_RISCV_arch
    vendor = b"riscv\0\x01" + struct.pack("<I", 5 + len(tag)) + tag
    return b"A" + struct.pack("<I", 4 + len(vendor)) + vendor


def elf(sections, symbols=(), arch=ARCH, *, elf_class=1, endian=1, machine=243):
    """An ELF32 file.

    ``sections``: name, address, contents, flags (6: code); ``symbols``: name, address, number of the section from 1 on
    (or 0xFFF1: absolute), type (0, 1 object, 2 function), binding (0 local, 1 global, 2 weak), local ones first.
    """
    strings, table = b"\0", bytes(16)
    for name, address, section, kind, binding in symbols:
        table += struct.pack("<IIIBBH", len(strings), address, 0, binding << 4 | kind, 0, section)
        strings += name.encode() + b"\0"
    local = 1 + sum(1 for symbol in symbols if symbol[4] == 0)
    count = len(sections)
    parts = [(name, 1, flags, address, data, 0, 0, 0) for name, address, data, flags in sections]
    parts.append((".riscv.attributes", 0x70000003, 0, 0, _attributes(arch), 0, 0, 0))
    if symbols:
        parts.append((".symtab", 2, 0, 0, table, count + 3, local, 16))
        parts.append((".strtab", 3, 0, 0, strings, 0, 0, 0))
    names = b"\0" + b"".join(part[0].encode() + b"\0" for part in parts) + b".shstrtab\0"
    parts.append((".shstrtab", 3, 0, 0, names, 0, 0, 0))
    headers, contents, offset = bytes(40), b"", 52
    for name, kind, flags, address, data, link, info, entry in parts:
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        headers += struct.pack("<10I", at, kind, flags, address, offset, len(data), link, info, 2, entry)
        contents += data
        offset += len(data)
    order = "<" if endian == 1 else ">"
    ident = b"\x7fELF" + bytes((elf_class, endian, 1)) + bytes(9)
    fields = (2, machine, 1, sections[0][1], 0, offset, 1, 52, 0, 0, 40, len(parts) + 1, len(parts))
    return ident + struct.pack(order + "HHIIIIIHHHHHH", *fields) + contents + headers


def objdump_lines(tool, path):
    """The lines of ``objdump -d``."""
    return subprocess.run([tool, "-d", str(path)], capture_output=True, text=True, check=True).stdout.splitlines()


def disassembly(tool, folder, words, base=0x8000_0000):
    """What objdump prints for each of ``words`` (word, length) from ``base`` on."""
    path = folder / "words.elf"
    data = b"".join(word.to_bytes(length, "little") for word, length in words)
    path.write_bytes(elf([(".text", base, data, 6)]))
    lines = [line.split("\t", 2) for line in objdump_lines(tool, path) if line.count("\t") > 1]
    assert [int(line[1].split()[0], 16) for line in lines] == [word for word, _ in words], "out of step"
    return [line[2] for line in lines]


def pattern_words(seed, count):
    """``count`` encodings of every declared instruction, their free bits random, special registers frequent."""
    source, words = random.Random(seed), []
    for insn in instructions():
        for _ in range(count):
            word = insn.match | source.getrandbits(8 * insn.length) & ~insn.mask
            for name in ("rd", "rs1", "rs2"):
                field = insn.fields.get(name)
                if insn.length == 4 and isinstance(field, Bits) and source.random() < 0.3:
                    word = word & ~field.insert(31) | field.insert(source.choice((0, 1, 2, 3, 4, 5)))
            if insn.matches(word := word & (1 << 8 * insn.length) - 1):
                words.append((word, insn.length))
    return words


def random_words(seed, count):
    """Random 32-bit words; longer encodings (low bits 11111) left out, since objdump takes more bytes for them."""
    source = random.Random(seed)
    words = (source.getrandbits(32) | 3 for _ in range(count))
    return [(word, 4) for word in words if word & 0x1F != 0x1F]


def halfwords():
    """All 16-bit encodings."""
    return [(word, 2) for word in range(1 << 16) if word & 3 != 3]
