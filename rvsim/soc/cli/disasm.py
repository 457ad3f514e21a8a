"""``disasm FILE``: an ELF file's code in the layout of GNU ``objdump -d``."""

from __future__ import annotations

import sys
from bisect import bisect_right
from itertools import pairwise

from rvsim.soc.files import InputFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rvsim.soc.cli.grammar import Arguments

_EXECUTABLE = 0x4
_EM_RISCV = 243
# objdump leaves out runs of at least so many zero bytes, and fewer than three at the end of a function.
_ZEROS, _ZEROS_AT_END = 8, 3
_UNITS = {1: "byte", 2: "short", 4: "word"}


def run(arguments: Arguments) -> int:
    """Print the listing; 0."""
    path = arguments.operands[0]
    for line in listing(path):
        sys.stdout.write(line + "\n")
    return 0


def listing(path: str) -> Iterator[str]:
    """The lines that ``objdump -d`` prints for an RV32 ELF file.

    Raises
    ------
    UserError
        It is no RV32 ELF file, or is damaged.
    """
    file = InputFile(path, "disasm")
    wanted = "a 32-bit RISC-V ELF file is needed"
    head = file.read(0, 20)
    if head[:4] != b"\x7fELF":
        raise file.error("is not an ELF file", wanted)
    if len(head) < 20 or head[4] != 1 or head[5] != 1 or int.from_bytes(head[18:20], "little") != _EM_RISCV:
        raise file.error("is an ELF file of another kind", wanted)
    sections, symbols, mapping = _read(file)
    yield ""
    yield f"{path}:     file format elf32-littleriscv"
    yield ""
    for name, address, data in sections:
        yield ""
        yield f"Disassembly of section {name}:"
        yield from _section(name, address, data, symbols, mapping)


def _read(file: InputFile) -> tuple[list[tuple[str, int, bytes]], list[tuple[int, str]], list[tuple[int, bool]]]:
    """Code sections, symbols by address, and where data begins (False) and code (True) within code sections."""
    from io import BytesIO

    from elftools.common.exceptions import ELFError
    from elftools.construct.core import ConstructError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(BytesIO(file.read()))
        sections = [
            (section.name, section["sh_addr"], section.data())
            for section in elf.iter_sections()
            if section["sh_type"] == "SHT_PROGBITS" and section["sh_flags"] & _EXECUTABLE and section["sh_size"]
        ]
        found, mapping = [], []
        table = elf.get_section_by_name(".symtab")
        for symbol in table.iter_symbols() if table is not None else ():
            kind, where, name = symbol["st_info"]["type"], symbol["st_shndx"], symbol.name
            if where == "SHN_UNDEF" or kind in ("STT_SECTION", "STT_FILE") or not name:
                continue
            if name.startswith(("$x", "$d")):
                mapping.append((symbol["st_value"], name[1] == "x"))
            elif not name.startswith((".L", "$")):
                rank = (
                    symbol["st_value"],
                    kind != "STT_FUNC",
                    kind != "STT_OBJECT",
                    symbol["st_info"]["bind"] != "STB_GLOBAL",
                    name.startswith("."),
                    name,
                )
                found.append(rank)
    except (ELFError, ConstructError, ValueError, OverflowError, UnicodeDecodeError, KeyError, MemoryError) as error:
        raise file.error(f"damaged: {error}" if str(error) else "damaged", "") from None
    symbols = [(rank[0], rank[-1]) for rank in sorted(found)]
    return sections, symbols, sorted(mapping)


def _section(
    name: str, base: int, data: bytes, symbols: list[tuple[int, str]], mapping: list[tuple[int, bool]]
) -> Iterator[str]:
    from rvsim.isa.disassembler import Disassembler, Symbols

    gp = next((address for address, symbol in symbols if symbol == "__global_pointer$"), None)
    decoder = Disassembler(Symbols(symbols), gp=gp)
    end = base + len(data)
    labels = {}
    for address, symbol in symbols:
        if base <= address < end:
            labels.setdefault(address, symbol)
    if base not in labels:
        labels[base] = decoder.symbols.describe(base) if symbols and symbols[0][0] <= base else name
    stops = [*sorted(labels), end]
    for start, stop in pairwise(stops):
        yield ""
        yield f"{start:08x} <{labels[start]}>:"
        yield from _stretch(start, data[start - base : stop - base], decoder.decode, mapping)


def _stretch(
    start: int, data: bytes, decode: Callable[[int, int], object], mapping: list[tuple[int, bool]]
) -> Iterator[str]:
    """From one symbol to the next."""
    at = 0
    marks = [address for address, _ in mapping]
    while at < len(data):
        zeros = len(data) - at - len(data[at:].lstrip(b"\0")) if data[at] == 0 else 0
        whole = at + zeros == len(data)
        if zeros >= _ZEROS or (whole and 0 < zeros < _ZEROS_AT_END):
            yield "\t..."
            at += zeros if whole else zeros & ~3
            continue
        address = start + at
        mark = bisect_right(marks, address) - 1
        left = len(data) - at
        if mark >= 0 and not mapping[mark][1]:
            if mark + 1 < len(marks):
                left = min(left, marks[mark + 1] - address)
            size = 4 if left >= 4 else 2 if left >= 2 else 1
            value = int.from_bytes(data[at : at + size], "little")
            yield from _lines(address, data[at : at + size], size, f".{_UNITS[size]}\t0x{value:0{2 * size}x}")
        else:
            size, text = _instruction(data[at:], address, decode)
            yield from _lines(address, data[at : at + size], 2 if size & 2 else min(size, 4), text)
        at += size


def _instruction(data: bytes, address: int, decode: Callable[[int, int], object]) -> tuple[int, str]:
    """Length and text of the instruction that the bytes begin with."""
    word = int.from_bytes(data[:4], "little")
    size = _length(word)
    if size > len(data):
        # The last bytes are no whole instruction: shown as data.
        size = 2 if len(data) >= 2 else 1
        return size, f".{_UNITS[size]}\t0x{word & ((1 << 8 * size) - 1):0{2 * size}x}"
    if size > 4:
        value = int.from_bytes(data[:8], "little")
        listed = ", ".join(f"0x{byte:02x}" for byte in data[:size])
        return size, f".8byte\t{value:#x}" if size == 8 else f".byte\t{listed}"
    if word & 0x1F == 0x1F:
        return size, f".2byte\t{word & 0xFFFF:#x}"
    return size, str(decode(word & ((1 << 8 * size) - 1), address))


def _length(word: int) -> int:
    """Bytes of an instruction (unprivileged specification, "Expanded Instruction-Length Encoding")."""
    if word & 3 != 3:
        return 2
    if word & 0x1F != 0x1F:
        return 4
    if word & 0x3F == 0x1F:
        return 6
    if word & 0x7F == 0x3F:
        return 8
    longer = word >> 12 & 7
    return 10 + 2 * longer if longer < 7 else 2


def _lines(address: int, data: bytes, chunk: int, text: str) -> Iterator[str]:
    """An instruction's lines: eight bytes each, in chunks as they are fetched, the text on the first one."""
    for start in range(0, len(data), 8):
        part = data[start : start + 8]
        chunks = [part[n : n + chunk][::-1].hex() for n in range(0, len(part), chunk)]
        raw = "".join(f"{shown} " for shown in chunks)
        if start == 0:
            yield f"{address:8x}:\t{raw.ljust(8 // chunk * (2 * chunk + 1))}\t{text}"
        else:
            yield f"{address + start:8x}:\t{raw}"
