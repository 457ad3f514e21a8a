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
            kind = {4: "word", 2: "short", 1: "byte"}[size]
            text, raw = f".{kind}\t0x{value:0{2 * size}x}", f"{value:0{2 * size}x}"
        else:
            word = int.from_bytes(data[at : at + 4], "little")
            size = 4 if word & 3 == 3 else 2
            if size > left:
                # The last bytes are no whole instruction: shown as data.
                size = 2 if left >= 2 else 1
                value = int.from_bytes(data[at : at + size], "little")
                text, raw = f".{'short' if size == 2 else 'byte'}\t0x{value:0{2 * size}x}", f"{value:0{2 * size}x}"
            else:
                word &= (1 << 8 * size) - 1
                text, raw = str(decode(word, address)), f"{word:0{2 * size}x}"
        yield f"{address:8x}:\t{raw:<20}\t{text}" if size == 2 else f"{address:8x}:\t{raw:<18}\t{text}"
        at += size
