"""What the loader needs of an ELF file: entry, segments and a few symbols.

The headers are read here directly: importing pyelftools takes twice as long as the whole run of a small program.
A test compares the two. Every number in the file is checked before it is used.
"""

from __future__ import annotations

import struct

from rvsim.frozen import Frozen
from rvsim.soc.description import RAM_BASE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.soc.files import InputFile

MAGIC = b"\x7fELF"
SYMBOLS = ("tohost", "fromhost", "begin_signature", "end_signature")
"""Symbols that mean something to the host."""

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_PROGRAM = struct.Struct("<8I")
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<IIIBBH")

_EM_RISCV = 243
_ET_EXEC, _ET_DYN = 2, 3
_PT_LOAD, _PT_INTERP = 1, 3
_SHT_SYMTAB = 2
#: A linker makes a handful; each is checked against all others.
_MAXIMUM_SEGMENTS = 1000
_MACHINES = {3: "x86", 62: "x86-64", 40: "ARM", 183: "AArch64", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S/390"}
_TYPES = {1: "an object file that is not linked yet", 4: "a core dump"}

_WANTED = "a 32-bit RISC-V executable (-march=rv32… -mabi=ilp32) is needed"


class Segment(Frozen):
    """A part of an ELF file that goes to memory.

    ``address`` is physical, ``virtual`` what the program calls it; ``size`` bytes of memory begin with the
    ``length`` bytes at ``offset`` in the file, and the rest is zero.
    """

    address: int
    virtual: int
    offset: int
    length: int
    size: int


class ElfPlan(Frozen):
    """Where an ELF file goes and where it begins: all addresses are physical.

    ``symbols`` holds those of :data:`SYMBOLS` that the file defines; ``headers`` is the length of the file's own
    headers at its beginning.
    """

    entry: int
    segments: tuple[Segment, ...]
    symbols: dict[str, int]
    headers: int


def is_elf(file: InputFile) -> bool:
    """Whether the file begins as an ELF file does."""
    return file.read(0, 4) == MAGIC


def plan_elf(file: InputFile) -> ElfPlan:
    """Read an executable's headers.

    Raises
    ------
    UserError
        The file is no 32-bit little-endian RISC-V executable, or parts of it are missing.
    """
    header = file.read(0, _HEADER.size)
    _check_identity(file, header)
    if len(header) < _HEADER.size:
        raise file.error(f"truncated: {file.size} bytes do not hold an ELF header", _WANTED)
    _, kind, machine, _, entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, _ = _HEADER.unpack(header)
    if machine != _EM_RISCV:
        name = _MACHINES.get(machine, f"machine {machine}")
        raise file.error(f"is for {name}, not for RISC-V", _WANTED)
    if kind not in (_ET_EXEC, _ET_DYN):
        raise file.error(f"is {_TYPES.get(kind, f'an ELF file of type {kind}')}", "link it to an executable")
    if phnum == 0 or phentsize != _PROGRAM.size:
        raise file.error("has no program headers: nothing to load", "link it to an executable")
    segments = _segments(file, _table(file, "program headers", phoff, phnum * phentsize))
    # A position-independent executable, such as OpenSBI's, is linked to 0 and goes to the beginning of RAM.
    bias = RAM_BASE if kind == _ET_DYN and min(segment.address for segment in segments) == 0 else 0
    if bias:
        segments = tuple(segment.replace(address=segment.address + bias) for segment in segments)
    section_table = _table(file, "section headers", shoff, shnum * _SECTION.size) if shoff and shnum else b""
    if section_table and shentsize != _SECTION.size:
        raise file.error(f"section headers of {shentsize} bytes, not {_SECTION.size}", "link it again")
    symbols = {name: _physical(segments, value) for name, value in _symbols(file, section_table).items()}
    entry = _physical(segments, entry)
    if not any(s.address <= entry < s.address + s.size for s in segments):
        raise file.error(f"its entry point {entry:#010x} is in no loaded segment", "set it with `ENTRY` or `-Wl,-e`")
    headers = max(_HEADER.size, phoff + phnum * phentsize)
    return ElfPlan(entry=entry, segments=segments, symbols=symbols, headers=headers)


def _check_identity(file: InputFile, header: bytes) -> None:
    if not header:
        raise file.error("is empty", _WANTED)
    if header[:4] != MAGIC:
        if MAGIC.startswith(header):
            raise file.error(f"truncated: only {file.size} bytes", _WANTED)
        raise file.error(f"is not an ELF file (begins with {header[:4].hex(' ')})", _WANTED)
    if len(header) > 4 and header[4] != 1:
        raise file.error("is a 64-bit ELF file" if header[4] == 2 else f"has ELF class {header[4]}", _WANTED)
    if len(header) > 5 and header[5] != 1:
        raise file.error("is a big-endian ELF file", "a little-endian RISC-V executable is needed")


def _table(file: InputFile, what: str, offset: int, size: int) -> bytes:
    if offset + size > file.size:
        raise file.error(f"truncated: its {what} end at byte {offset + size}, the file at {file.size}", "copy it again")
    return file.read(offset, size)


def _segments(file: InputFile, table: bytes) -> tuple[Segment, ...]:
    found = []
    for kind, offset, virtual, physical, length, size, _, _ in _PROGRAM.iter_unpack(table):
        if kind == _PT_INTERP:
            raise file.error("is a dynamically linked program for an operating system", "link it with -static")
        if kind != _PT_LOAD or size == 0:
            continue
        if length > size:
            raise file.error(f"segment at {physical:#010x} has {length} bytes for {size} of memory", "link it again")
        if offset + length > file.size:
            raise file.error(
                f"truncated: segment at {physical:#010x} ends at byte {offset + length}, the file at {file.size}",
                "copy it again",
            )
        found.append(Segment(address=physical, virtual=virtual, offset=offset, length=length, size=size))
    if len(found) > _MAXIMUM_SEGMENTS:
        raise file.error(f"has {len(found)} segments to load, more than {_MAXIMUM_SEGMENTS}", "link it again")
    if not found:
        raise file.error("has no segment to load", "link it to an executable")
    return tuple(found)


def _physical(segments: tuple[Segment, ...], address: int) -> int:
    """Where a virtual address of the program lies; itself if it is in no segment."""
    for segment in segments:
        if segment.virtual <= address < segment.virtual + segment.size:
            return address - segment.virtual + segment.address
    return address


def _symbols(file: InputFile, section_table: bytes) -> dict[str, int]:
    sections = list(_SECTION.iter_unpack(section_table))
    values: dict[str, int] = {}
    for _, kind, _, _, offset, size, link, _, _, entsize in sections:
        if kind != _SHT_SYMTAB or entsize != _SYMBOL.size or link >= len(sections):
            continue
        names = _table(file, "symbol names", sections[link][4], sections[link][5])
        # The linker lets a name be the tail of a longer one, so that every occurrence has to be looked for.
        wanted = {}
        for name in SYMBOLS:
            at = names.find(text := name.encode() + b"\0")
            while at >= 0:
                wanted[at] = name
                at = names.find(text, at + 1)
        if not wanted:
            continue
        table = _table(file, "symbols", offset, size - size % _SYMBOL.size)
        for name, value, _, _, _, section in _SYMBOL.iter_unpack(table):
            # Section 0: the symbol is used here, but defined nowhere.
            if name in wanted and section != 0:
                values.setdefault(wanted[name], value)
    return values
