"""The code of an ELF file in the layout of GNU ``objdump -d``.

Compared byte for byte with binutils 2.40. What that prints otherwise: of an instruction that a section's end or
a symbol cuts off it says that an address is out of bounds, where here its bytes appear as data; data symbols
within code (``STT_OBJECT``) it dumps as hexadecimal text, where here the mapping symbols decide; CSRs it names by the
privileged version that the file's attributes state, and by their number if that did not have them; and it knows
instructions that the hart has not (F, D, V, hypervisor), which are data here.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from rvsim.isa.disassembler import Disassembler, Symbols

from .files import InputFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_EM_RISCV = 243
_SHF_EXECINSTR = 4
_BYTES_PER_LINE = 8
#: Runs of zero bytes at least this long are left out; at the end of a stretch, those shorter than that.
_ZEROS, _ZEROS_AT_END = 8, 3


class Symbol:
    """A symbol of the file: what ``objdump`` shows of it and by what it is preferred."""

    __slots__ = ("address", "name", "rank", "section")

    def __init__(self, name: str, address: int, section: object, kind: str, binding: str) -> None:
        # Control characters (the assembler's local labels have them) as objdump shows them, never raw to a terminal.
        self.name = "".join(c if c.isprintable() else f"^{chr(ord(c) & 0x1F | 0x40)}" for c in name)
        self.address, self.section = address, section
        kinds = {"STT_FUNC": 0, "STT_OBJECT": 1}
        bindings = {"STB_GLOBAL": 0, "STB_WEAK": 1}
        self.rank = (address, kinds.get(kind, 2), bindings.get(binding, 2), name)


class SectionSymbols(Symbols):
    """Names of addresses as they read within one section: inside it, its own symbols come first.

    Parameters
    ----------
    symbols
        All symbols, sorted by rank.
    index, start, end
        The section's number and its addresses.
    name
        Its name, which stands in where the file's only symbols are mapping symbols.
    """

    def __init__(self, symbols: list[Symbol], index: int, start: int, end: int, name: str | None) -> None:
        super().__init__([(s.address, s.name) for s in symbols] or ([(start, name)] if name else []))
        self.own = Symbols([(s.address, s.name) for s in symbols if s.section == index])
        self.start, self.end = start, end

    def describe(self, address: int) -> str | None:
        """As in :class:`Symbols`."""
        inside = self.start <= address < self.end
        return (inside and self.own.describe(address)) or super().describe(address)


class CodeSection:
    """A section with instructions: number, name, address, contents, and its mapping symbols.

    ``mapping`` has pairs of address and whether code (``$x``) or data (``$d``) begins there, sorted.
    """

    __slots__ = ("address", "data", "index", "mapping", "name")

    def __init__(self, index: int, name: str, address: int, data: bytes) -> None:
        self.index, self.name, self.address, self.data = index, name, address, data
        self.mapping: list[tuple[int, bool]] = []

    @property
    def end(self) -> int:
        """Address behind the last byte."""
        return self.address + len(self.data)


def disassemble_elf(path: str, *, short: bool = True) -> Iterator[str]:
    """The lines that ``objdump -d`` prints of an RV32 ELF file, without line ends.

    The file is read and checked before this returns; lines are made as they are asked for.

    Parameters
    ----------
    path
        The file.
    short
        Print register-immediate instructions as binutils 2.40 does (``add t0,t0,10``); ``False``: by
        their own names, as :func:`rvsim.isa.decode` does.

    Raises
    ------
    UserError
        It cannot be read, is no RV32 ELF file, is damaged, or has no section with code.
    """
    file = InputFile(path, "disasm")
    _check_header(file)
    sections, symbols = _read(file)
    if not sections:
        raise file.error("has no section with code", "an ELF file with section headers is needed")
    return _listing(file.path, sections, symbols, short)


def _check_header(file: InputFile) -> None:
    head = file.read(0, 20)
    wanted = "a 32-bit little-endian RISC-V ELF file is needed"
    if head[:4] != b"\x7fELF":
        raise file.error("is not an ELF file", wanted)
    if len(head) < 20:
        raise file.error("ends within its ELF header", wanted)
    machine = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    if machine != _EM_RISCV:
        raise file.error(f"is an ELF file for another architecture (machine {machine})", wanted)
    if head[4] != 1:
        raise file.error("is a 64-bit RISC-V ELF file (RV64)", wanted)
    if head[5] != 1:
        raise file.error("is a big-endian ELF file", wanted)


def _read(file: InputFile) -> tuple[list[CodeSection], list[Symbol] | None]:
    """Sections with code in the file's order, and its symbols sorted by rank (``None``: no symbol table)."""
    from io import BytesIO

    from elftools.common.exceptions import ELFError
    from elftools.construct.core import ConstructError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(BytesIO(file.read()))
        sections: dict[int, CodeSection] = {}
        for index, section in enumerate(elf.iter_sections()):
            if section["sh_type"] != "SHT_PROGBITS" or not section["sh_flags"] & _SHF_EXECINSTR:
                continue
            data = section.data()
            if len(data) != section["sh_size"]:
                raise file.error(f"is cut short: section {section.name} goes beyond its end", "")
            if data:
                sections[index] = CodeSection(index, section.name, section["sh_addr"], data)
        table = elf.get_section_by_name(".symtab")
        symbols = None if table is None else _read_symbols(table, sections)
    except (ELFError, ConstructError, ValueError, LookupError, TypeError, AttributeError, MemoryError) as error:
        raise file.error("is damaged: " + (str(error).partition("\n")[0] or type(error).__name__), "") from error
    return list(sections.values()), symbols


def _read_symbols(table: object, sections: dict[int, CodeSection]) -> list[Symbol]:
    symbols = []
    for symbol in table.iter_symbols():
        name, where, address = symbol.name, symbol["st_shndx"], symbol["st_value"]
        kind = symbol["st_info"]["type"]
        if not name or where in ("SHN_UNDEF", "SHN_COMMON") or kind in ("STT_SECTION", "STT_FILE"):
            continue
        if name.startswith(("$x", "$d")):
            if where in sections:
                sections[where].mapping.append((address, name[1] == "x"))
        elif not name.startswith(".L0 "):  # the assembler's own labels for debug information
            symbols.append(Symbol(name, address, where, kind, symbol["st_info"]["bind"]))
    for section in sections.values():
        section.mapping.sort()  # where both stand at one address, code counts
    return sorted(symbols, key=lambda symbol: symbol.rank)


def _listing(path: str, sections: list[CodeSection], symbols: list[Symbol] | None, short: bool) -> Iterator[str]:
    yield from ("", f"{path}:     file format elf32-littleriscv", "")
    gp = next((s.address for s in symbols or () if s.name == "__global_pointer$"), None)
    disassembler = Disassembler(short=short, gp=gp)
    for section in sections:
        yield from ("", f"Disassembly of section {section.name}:")
        name = None if symbols is None else section.name
        names = SectionSymbols(symbols or [], section.index, section.address, section.end, name)
        disassembler.symbols = names
        starts = {s.address for s in symbols or () if s.section == section.index and s.address < section.end}
        stops = [*sorted(starts | {section.address}), section.end]
        # objdump leaves out four leading zeros where a fifth one remains.
        width = 8 if section.end >> 12 else 4
        for start, stop in pairwise(stops):
            header = names.own.describe(start) or section.name
            yield from ("", f"{start:08x} <{header}>:")
            yield from _stretch(section, start, stop, disassembler, width)


def _stretch(section: CodeSection, start: int, stop: int, disassembler: Disassembler, width: int) -> Iterator[str]:
    """From one symbol to the next."""
    data = section.data[start - section.address : stop - section.address]
    marks = [address for address, _ in section.mapping]
    at = 0
    while at < len(data):
        zeros = _zeros(data, at)
        if zeros:
            yield "\t..."
            at += zeros
            continue
        address = start + at
        mark = bisect_right(marks, address)
        if mark == 0 or section.mapping[mark - 1][1]:
            size, text = _instruction(data[at:], address, disassembler)
        else:
            size, text = _data(data[at : marks[mark] - start if mark < len(marks) else None])
        yield from _lines(address, data[at : at + size], text, width)
        at += size


def _zeros(data: bytes, at: int) -> int:
    """How many zero bytes at ``at`` are left out."""
    if data[at]:
        return 0
    count = len(data) - at - len(data[at:].lstrip(b"\0"))
    last = at + count == len(data)
    if count >= _ZEROS or (last and count < _ZEROS_AT_END):
        return count if last else count & ~3
    return 0


def _length(data: bytes) -> int:
    """Length in bytes of the instruction at the start of ``data`` (section 1.5, expanded instruction lengths)."""
    low = int.from_bytes(data[:2], "little")
    if low & 3 != 3:
        return 2
    if low & 0x1F != 0x1F:
        return 4
    if low & 0x3F == 0x1F:
        return 6
    if low & 0x7F == 0x3F:
        return 8
    extra = low >> 12 & 7
    return 2 if extra == 7 else 10 + 2 * extra


def _instruction(data: bytes, address: int, disassembler: Disassembler) -> tuple[int, str]:
    size = _length(data)
    if size > len(data):
        return _data(data)
    value = int.from_bytes(data[:size], "little")
    if size == 2 and value & 3 == 3:
        return size, f".2byte\t{value:#x}"
    if size == 8:
        return size, f".8byte\t{value:#x}"
    if size > 4:
        return size, ".byte\t" + ", ".join(f"0x{byte:02x}" for byte in data[:size])
    return size, disassembler.decode(value, address).text


def _data(data: bytes) -> tuple[int, str]:
    size = 4 if len(data) >= 4 else 2 if len(data) >= 2 else 1
    directive = {4: ".word", 2: ".short", 1: ".byte"}[size]
    return size, f"{directive}\t0x{int.from_bytes(data[:size], 'little'):0{2 * size}x}"


def _lines(address: int, data: bytes, text: str, width: int) -> Iterator[str]:
    """One instruction: address, hexadecimal column, text; more lines if it has more bytes than fit in one."""
    chunk = 2 if len(data) % 4 else 4
    for at in range(0, len(data), _BYTES_PER_LINE):
        part = data[at : at + _BYTES_PER_LINE]
        groups = [part[n : n + chunk] for n in range(0, len(part), chunk)]
        column = "".join(f"{int.from_bytes(g, 'little'):0{2 * len(g)}x} " for g in groups)
        line = f"{address + at:{width}x}:\t{column}"
        if at == 0:
            line += " " * ((_BYTES_PER_LINE // chunk - len(groups)) * (2 * chunk + 1)) + f"\t{text}"
        yield line
