import contextlib
import os
import shutil
import struct
import subprocess

import pytest
from elftools.elf.elffile import ELFFile

from rvsim.errors import UserError
from rvsim.soc.elfplan import plan_elf
from rvsim.soc.files import InputFile
from tests.soc.programs import POWER_OFF, RAM, elf, program_elf


@pytest.fixture
def plan(tmp_path):
    def read(content):
        path = tmp_path / "a.elf"
        path.write_bytes(content)
        return plan_elf(InputFile(str(path), "program"))

    return read


@pytest.fixture
def refusal(plan, tmp_path):
    def read(content):
        with pytest.raises(UserError) as caught:
            plan(content)
        message = str(caught.value)
        assert message.startswith(f"program {tmp_path}/a.elf: ")
        assert "\n" not in message
        return message

    return read


GOOD = program_elf(POWER_OFF + "\ntohost: .dword 0\nfromhost: .dword 0\n")


def test_segments_entry_and_symbols(plan):
    content = elf(
        [(RAM, b"code", 4096), (RAM + 0x2000, b"data", None), (RAM + 0x3000, b"", 64)],
        entry=RAM + 2,
        symbols={"tohost": RAM + 0x2000, "end_signature": RAM + 0x3040, "main": RAM},
    )
    found = plan(content)
    assert found.entry == RAM + 2
    assert [(s.address, s.length, s.size) for s in found.segments] == [
        (RAM, 4, 4096),
        (RAM + 0x2000, 4, 4),
        (RAM + 0x3000, 0, 64),
    ]
    assert found.symbols == {"tohost": RAM + 0x2000, "end_signature": RAM + 0x3040}


def test_addresses_are_physical(plan):
    found = plan(elf([(0xC000_0000, b"code", None)], entry=0xC000_0000, physical_offset=-0x4000_0000))
    assert (found.segments[0].address, found.entry) == (RAM, RAM)


def test_a_position_independent_executable_goes_to_the_beginning_of_ram(plan):
    found = plan(elf([(0, b"code", None), (0x1000, b"data", None)], entry=2, kind=3, symbols={"tohost": 0x1000}))
    assert [segment.address for segment in found.segments] == [RAM, RAM + 0x1000]
    assert (found.entry, found.symbols) == (RAM + 2, {"tohost": RAM + 0x1000})


def test_a_name_may_be_the_tail_of_a_longer_one(plan):
    # As linkers merge strings: "tohost" is found inside "my_tohost".
    content = bytearray(elf([(RAM, b"code", None)], symbols={"my_tohost": RAM + 1}))
    at = content.index(b"my_tohost\0")
    symbol = content.index(struct.pack("<II", 1, RAM + 1))
    assert plan(bytes(content)).symbols == {}
    assert content[at - 1] == 0
    struct.pack_into("<I", content, symbol, 4)
    assert plan(bytes(content)).symbols == {"tohost": RAM + 1}


def test_it_agrees_with_pyelftools(plan, tmp_path):
    found = plan(GOOD)
    with open(tmp_path / "a.elf", "rb") as file:
        theirs = ELFFile(file)
        loads = [s.header for s in theirs.iter_segments() if s["p_type"] == "PT_LOAD"]
        assert [(s.address, s.offset, s.length, s.size) for s in found.segments] == [
            (h.p_paddr, h.p_offset, h.p_filesz, h.p_memsz) for h in loads
        ]
        assert found.entry == theirs["e_entry"]
        table = theirs.get_section(1)
        assert isinstance(table.name, str)
        assert found.symbols == {n: table.get_symbol_by_name(n)[0]["st_value"] for n in ("tohost", "fromhost")}


@pytest.mark.skipif(shutil.which("riscv64-unknown-elf-gcc") is None, reason="no RISC-V toolchain is installed")
def test_it_agrees_with_pyelftools_about_what_a_toolchain_makes(plan, tmp_path):
    source, output = tmp_path / "a.c", tmp_path / "real.elf"
    source.write_text(
        "volatile long long tohost, fromhost; int big[1000];"
        ' __attribute__((section(".text.init"))) void _start(void) { tohost = 1; for (;;) big[0]++; }'
    )
    flags = ["-march=rv32imac_zicsr", "-mabi=ilp32", "-nostdlib", "-static", "-g", "-Ttext=0x80000000", "-o"]
    subprocess.run(["riscv64-unknown-elf-gcc", *flags, str(output), str(source)], check=True)
    found = plan(output.read_bytes())
    with open(output, "rb") as file:
        theirs = ELFFile(file)
        table = theirs.get_section_by_name(".symtab")
        assert found.symbols == {n: table.get_symbol_by_name(n)[0]["st_value"] for n in ("tohost", "fromhost")}
        assert found.entry == theirs["e_entry"]
        assert [s.address for s in found.segments] == [
            s["p_paddr"] for s in theirs.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_memsz"]
        ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; a 32-bit RISC-V executable"),
        (b"#!/bin/sh\n", "is not an ELF file (begins with 23 21 2f 62)"),
        (b"\x7fEL", "truncated: only 3 bytes"),
        (GOOD[:30], "truncated: 30 bytes do not hold an ELF header"),
        (GOOD[:60], "truncated: its program headers end at byte 84, the file at 60"),
        (GOOD[:90], "truncated: segment at 0x80000000 ends at byte"),
        (GOOD[:-10], "truncated: its section headers end at byte"),
        (elf([(RAM, b"code", None)], machine=62), "is for x86-64, not for RISC-V"),
        (elf([(RAM, b"code", None)], machine=9999), "is for machine 9999"),
        (elf([(RAM, b"code", None)], elf_class=2), "is a 64-bit ELF file"),
        (elf([(RAM, b"code", None)], endian=2), "is a big-endian ELF file"),
        (elf([(RAM, b"code", None)], kind=1), "is an object file that is not linked yet; link it"),
        (elf([(RAM, b"code", None)], kind=77), "is an ELF file of type 77"),
        (elf([]), "has no program headers"),
        (elf([(RAM, b"", 0)]), "has no segment to load"),
        (elf([(RAM + n, b"", 1) for n in range(1001)]), "has 1001 segments to load"),
        (elf([(RAM, b"code", 2)]), "has 4 bytes for 2 of memory"),
        (elf([(RAM, b"code", None)], entry=0x1234), "its entry point 0x00001234 is in no loaded segment"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_is_no_program_for_this_machine_is_refused_in_one_line(refusal, content, message):
    assert message in refusal(content)


def test_a_dynamically_linked_program_is_refused(refusal):
    content = bytearray(elf([(RAM, b"code", None), (RAM + 64, b"/lib/ld.so\0", None)]))
    struct.pack_into("<I", content, 52 + 32, 3)
    assert "is a dynamically linked program" in refusal(bytes(content))


def test_random_damage_is_a_users_mistake_or_harmless(plan):
    import random

    chance = random.Random(1)
    for _ in range(2000):
        content = bytearray(GOOD)
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(len(content))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        with contextlib.suppress(UserError):
            plan(bytes(content[: chance.choice((len(content), chance.randrange(len(content))))]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a directory; a regular file is needed"),
        (lambda path: os.mkfifo(path), "is a FIFO (pipe); a regular file is needed"),
        (lambda path: path.symlink_to("/dev/null"), "is a character device; a regular file is needed"),
    ],
)
def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path, make, message):
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(UserError) as caught:
        InputFile(str(path), "kernel")
    assert str(caught.value) == f"kernel {path}: {message}"


def test_a_name_with_a_nul_is_refused():
    with pytest.raises(UserError, match="embedded null byte"):
        InputFile("a\0b", "kernel")
