"""Bare-metal programs and ELF files for the tests, made without a toolchain."""

import struct

from rvsim.isa import assemble

RAM = 0x8000_0000


def elf(
    segments,
    *,
    entry=RAM,
    symbols=None,
    machine=243,
    kind=2,
    elf_class=1,
    endian=1,
    physical_offset=0,
):
    """An ELF32 file of ``segments`` (address, bytes, memory size or None) with a symbol table."""
    phoff = 52
    offset = phoff + 32 * len(segments)
    headers, contents = b"", b""
    for address, data, size in segments:
        headers += struct.pack(
            "<8I", 1, offset, address, address + physical_offset, len(data), size or len(data), 7, 4096
        )
        contents += data
        offset += len(data)
    names, table = b"\0", bytes(16)
    for name, value in (symbols or {}).items():
        table += struct.pack("<IIIBBH", len(names), value, 0, 0x10, 0, 1)
        names += name.encode() + b"\0"
    strings_at = offset + len(table)
    shoff = strings_at + len(names)
    sections = bytes(40)
    sections += struct.pack("<10I", 0, 2, 0, 0, offset, len(table), 2, 1, 4, 16)
    sections += struct.pack("<10I", 0, 3, 0, 0, strings_at, len(names), 0, 0, 1, 0)
    ident = b"\x7fELF" + bytes((elf_class, endian, 1)) + bytes(9)
    count = 3 if symbols else 0
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        ident,
        kind,
        machine,
        1,
        entry,
        phoff,
        shoff if symbols else 0,
        0,
        52,
        32,
        len(segments),
        40 if symbols else 0,
        count,
        0,
    )
    return header + headers + contents + (table + names + sections if symbols else b"")


def program_elf(source, **options):
    """An ELF file of assembler source at the beginning of RAM, with all its labels as symbols."""
    program = assemble(source, RAM)
    data = bytes(program)
    return elf([(RAM, data, None)], entry=program.entry, symbols=dict(program.symbols), **options)


POWER_OFF = """
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
1:  j 1b
"""

HELLO = """
    la a0, text
    li t0, 0x10000000
1:  lbu t1, 0(a0)
    beqz t1, 2f
    sb t1, 0(t0)
    addi a0, a0, 1
    j 1b
2:  li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
3:  j 3b
text: .asciz "hello\\nworld\\n"
"""

EXIT_TO_HOST = """
    la t0, tohost
    li t1, {value}
    sw t1, 0(t0)
1:  j 1b
    .balign 8
tohost: .dword 0
fromhost: .dword 0
"""

# Waits for the UART's interrupt by WFI and echoes characters in upper case; "!" powers off.
ECHO = """
    li s0, 0x10000000
    li t0, 1
    sb t0, 1(s0)            # receiver interrupt
    li t0, 0x0c000000
    li t1, 1
    sw t1, 40(t0)           # priority of source 10
    li t0, 0x0c002000
    li t1, 0x400
    sw t1, 0(t0)            # enabled for M-mode
    li t0, 0x800
    csrw mie, t0
    li s1, 0x0c200000
next:
    wfi
    lw s2, 4(s1)            # claim
    beqz s2, next
1:  lbu t0, 5(s0)
    andi t0, t0, 1
    beqz t0, 2f
    lbu t1, 0(s0)
    li t2, '!'
    beq t1, t2, off
    xori t1, t1, 0x20
    sb t1, 0(s0)
    j 1b
2:  sw s2, 4(s1)            # complete
    j next
off:
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
3:  j 3b
"""

# Sleeps one second of the machine timer.
SLEEP = (
    """
    li t0, 0x0200bff8
    lw t1, 0(t0)
    li t2, 10000000
    add t1, t1, t2
    li t0, 0x02004000
    sw t1, 0(t0)
    sw zero, 4(t0)
    li t0, 0x80
    csrw mie, t0
    wfi
"""
    + POWER_OFF
)
