"""Link one relocatable ELF object into a flat, position-independent blob.

What a compiled module needs from a linker is little: its sections side by side and references between them
resolved relative to the program counter. Doing it here takes under a millisecond, and the blob can be mapped
from a file on every later start; going through LLVM's own loader would cost sixty.
"""

from __future__ import annotations

import struct

_SHF_ALLOC = 2
_SHT_SYMTAB, _SHT_RELA, _SHT_NOBITS = 2, 4, 8
_EM_X86_64 = 62
_R_X86_64_PC32, _R_X86_64_PLT32, _R_X86_64_PC64 = 2, 4, 24


class CannotLink(Exception):
    """The object needs more than this linker does; use LLVM's own loader."""


def link(data: bytes) -> tuple[bytes, dict[str, int]]:
    """The blob and the offsets of its named symbols.

    Raises
    ------
    CannotLink
        Another machine or an unknown relocation.
    """
    if data[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", data, 18)[0] != _EM_X86_64:
        raise CannotLink("only ELF objects for x86-64 are linked here")
    (table,) = struct.unpack_from("<Q", data, 0x28)
    (count,) = struct.unpack_from("<H", data, 0x3C)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + 64 * n) for n in range(count)]
    blob = bytearray()
    placed: dict[int, int] = {}
    for index, (_, kind, flags, _, offset, size, _, _, align, _) in enumerate(sections):
        if flags & _SHF_ALLOC and kind not in (_SHT_RELA,):
            if kind == _SHT_NOBITS and size:
                raise CannotLink("writable data")
            blob += bytes(-len(blob) % max(align, 64))
            placed[index] = len(blob)
            blob += data[offset : offset + size]
    addresses: list[int | None] = []
    undefined: list[str] = []
    names: dict[str, int] = {}
    for section in sections:
        if section[1] != _SHT_SYMTAB:
            continue
        strings = sections[section[6]][4]
        for n in range(section[5] // 24):
            name, _, _, home, value, _ = struct.unpack_from("<IBBHQQ", data, section[4] + 24 * n)
            address = placed[home] + value if home in placed else None
            addresses.append(address)
            text = data[strings + name : data.index(b"\0", strings + name)].decode()
            undefined.append(text)
            if text and address is not None:
                names[text] = address
    for section in sections:
        if section[1] != _SHT_RELA or section[7] not in placed:
            continue
        for n in range(section[5] // 24):
            offset, info, addend = struct.unpack_from("<QQq", data, section[4] + 24 * n)
            target, where = addresses[info >> 32], placed[section[7]] + offset
            kind = info & 0xFFFFFFFF
            if target is None:
                raise CannotLink(f"undefined symbol {undefined[info >> 32]}")
            if kind in (_R_X86_64_PC32, _R_X86_64_PLT32):
                struct.pack_into("<i", blob, where, target + addend - where)
            elif kind == _R_X86_64_PC64:
                struct.pack_into("<q", blob, where, target + addend - where)
            else:
                raise CannotLink(f"relocation type {kind}")
    return bytes(blob), names
