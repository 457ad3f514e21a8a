"""Recognising what a user boots: firmware, kernel, initial RAM disk, device tree; and where each of them goes."""

from __future__ import annotations

import os
import struct

from rvsim.errors import UserError
from rvsim.frozen import Frozen
from rvsim.soc.config import size_text
from rvsim.soc.description import RAM_BASE
from rvsim.soc.elfplan import is_elf, plan_elf
from rvsim.soc.files import InputFile
from rvsim.soc.loader import DTB_ROOM, Layout, Piece, add_elf, add_raw

KERNEL_ADDRESS = RAM_BASE + 0x40_0000
"""Where an RV32 kernel goes: 4 MiB alignment (Linux, Documentation/riscv/boot-image-header.rst)."""

HEADROOM = 2 << 20
"""What Linux needs besides what is loaded: with less it panics before it has a console to say so."""

MAXIMUM_KERNEL = 1 << 30
"""A compressed kernel that grows beyond this is none."""

_MAXIMUM_RESERVATIONS = 256

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
# code0, code1, text_offset, image_size, flags, version, res1, res2, magic, magic2, res3
_IMAGE_HEADER = struct.Struct("<IIQQQIIQ8s4sI")
_IMAGE_MAGIC = b"RSC\x05"
_TEXT_OFFSET_RV64 = 0x20_0000

_KERNEL_WANTED = "an RV32 Linux Image (raw, gzip or zstd) or a 32-bit RISC-V ELF is needed"

# newc: 13 numbers of 8 hexadecimal digits behind the magic; the name follows, and both name and content are padded.
_CPIO_HEADER, _CPIO_END = 110, b"TRAILER!!!\0"

# What Linux recognises as an initial RAM disk: magic, its offset, name.
_RAM_DISKS = (
    (b"070701", 0, "cpio"),
    (b"070702", 0, "cpio"),
    (b"\x1f\x8b", 0, "gzip"),
    (b"\x28\xb5\x2f\xfd", 0, "zstd"),
    (b"\xfd7zXZ\0", 0, "xz"),
    (b"BZh", 0, "bzip2"),
    (b"\x02\x21\x4c\x18", 0, "lz4"),
    (b"\x89LZO", 0, "lzo"),
    (b"\x5d\0\0", 0, "lzma"),
    (b"hsqs", 0, "squashfs"),
    (b"-rom1fs-", 0, "romfs"),
    (b"\x45\x3d\xcd\x28", 0, "cramfs"),
    (b"\x53\xef", 0x438, "ext2"),
)


class Placed(Frozen):
    """Where a guest begins.

    ``entry`` of the firmware, ``kernel``'s address (0: none), ``initrd``'s first address and the one behind it.
    """

    entry: int
    kernel: int
    initrd: tuple[int, int] | None


def place_guest(layout: Layout, firmware: str | None, kernel: str | None, initrd: str | None) -> Placed:
    """Add firmware, kernel and initial RAM disk, paths or None.

    Raises
    ------
    UserError
        A file cannot be used, memory is too small, or there is nothing to boot.
    """
    if not firmware:
        raise UserError("there is nothing to boot: M-mode firmware is needed, --firmware FILE")
    if initrd and not kernel:
        raise UserError(f"initrd {initrd}: there is no kernel that could use it; give --kernel FILE too")
    entry = add_firmware(layout, firmware)
    start = add_kernel(layout, kernel) if kernel else 0
    return Placed(entry=entry, kernel=start, initrd=add_initrd(layout, initrd, start) if initrd else None)


def add_firmware(layout: Layout, path: str) -> int:
    """Add M-mode firmware, raw (at 0x8000_0000) or ELF, and return its entry point.

    Raises
    ------
    UserError
        The file cannot be used, or does not fit.
    """
    file = InputFile(path, "firmware")
    if is_elf(file):
        plan = plan_elf(file)
        add_elf(layout, file, plan)
        return plan.entry
    head = file.read(0, 4)
    for magic, what in ((_GZIP, "gzip-compressed"), (_ZSTD, "zstd-compressed"), (b"\xd0\x0d\xfe\xed", "a device tree")):
        if head.startswith(magic):
            raise file.error(f"is {what}", "raw binary or ELF firmware such as OpenSBI's fw_dynamic.bin is needed")
    if file.size and head.isascii() and head.decode().isprintable():
        raise file.error("is text", "raw binary or ELF firmware such as OpenSBI's fw_dynamic.bin is needed")
    add_raw(layout, file, RAM_BASE)
    return RAM_BASE


def add_kernel(layout: Layout, path: str) -> int:
    """Add a kernel and return where firmware is to continue.

    Raises
    ------
    UserError
        The file is no kernel for this machine, is truncated, or does not fit.
    """
    file = InputFile(path, "kernel")
    if is_elf(file):
        return _add_kernel_elf(layout, file)
    head = file.read(0, _IMAGE_HEADER.size)
    data = b""
    if head.startswith(_GZIP):
        data = _gunzip(file)
    elif head.startswith(_ZSTD):
        data = _unzstd(file)
    if data:
        head = data[: _IMAGE_HEADER.size]
    size = len(data) or file.size
    offset, claimed = _check_image(file, head, size)
    address = RAM_BASE + (offset or KERNEL_ADDRESS - RAM_BASE)
    if data:
        layout.add(Piece(role=f"kernel {file.path}", address=address, size=max(claimed, size), data=data))
    else:
        add_raw(layout, file, address, claimed)
    return address


def _add_kernel_elf(layout: Layout, file: InputFile) -> int:
    plan = plan_elf(file)
    first = min(segment.address for segment in plan.segments)
    if not RAM_BASE <= first < layout.end:
        raise file.error(
            f"is linked to {first:#010x}, which is outside of RAM {RAM_BASE:#010x}..{layout.end - 1:#010x}",
            "of Linux, give arch/riscv/boot/Image instead of vmlinux",
        )
    add_elf(layout, file, plan)
    return plan.entry


def _check_image(file: InputFile, head: bytes, size: int) -> tuple[int, int]:
    """``text_offset`` and ``image_size`` of a Linux Image."""
    if not size:
        raise file.error("is empty", _KERNEL_WANTED)
    if len(head) < _IMAGE_HEADER.size:
        raise file.error(f"has {size} bytes, too few for a kernel", _KERNEL_WANTED)
    _, _, offset, claimed, flags, _, _, _, _, magic, _ = _IMAGE_HEADER.unpack(head)
    if magic == b"ARM\x64":
        raise file.error("is a kernel for AArch64", _KERNEL_WANTED)
    if magic != _IMAGE_MAGIC:
        raise file.error("is no RISC-V Linux Image (its header's magic is missing)", _KERNEL_WANTED)
    if flags & 1:
        raise file.error("is a big-endian kernel", _KERNEL_WANTED)
    if offset == _TEXT_OFFSET_RV64:
        raise file.error("is a 64-bit kernel (text_offset 0x200000)", _KERNEL_WANTED)
    if offset % 4096 or offset >= 1 << 31:
        raise file.error(f"wants to be loaded at an offset of {offset:#x}", "0x400000 is usual on RV32")
    # The size in the header counts the BSS, which is not in the file and is far smaller than what is.
    if size < claimed // 2:
        raise file.error(f"truncated: {size_text(size)} of {size_text(claimed)} are there", "copy it again")
    return offset, claimed


def _gunzip(file: InputFile) -> bytes:
    import zlib

    inflate = zlib.decompressobj(wbits=31)
    try:
        data = inflate.decompress(file.read(), MAXIMUM_KERNEL)
    except zlib.error as error:
        raise file.error(f"is damaged gzip data ({error})", "copy it again") from None
    if inflate.unconsumed_tail:
        raise file.error(f"grows beyond {size_text(MAXIMUM_KERNEL)} when unpacked", _KERNEL_WANTED)
    if not inflate.eof:
        raise file.error("truncated: the gzip data has no end", "copy it again")
    if not data:
        raise file.error("is gzip data that holds nothing", _KERNEL_WANTED)
    return data


def _unzstd(file: InputFile) -> bytes:
    import zstandard

    inflate = zstandard.ZstdDecompressor().decompressobj()
    parts, total, at = [], 0, 0
    try:
        while not inflate.eof and (chunk := file.read(at, 1 << 16)):
            at += len(chunk)
            part = inflate.decompress(chunk)
            parts.append(part)
            total += len(part)
            if total > MAXIMUM_KERNEL:
                raise file.error(f"grows beyond {size_text(MAXIMUM_KERNEL)} when unpacked", _KERNEL_WANTED)
    except zstandard.ZstdError as error:
        raise file.error(f"is damaged zstd data ({error})", "copy it again") from None
    if not inflate.eof:
        raise file.error("truncated: the zstd data has no end", "copy it again")
    if not total:
        raise file.error("is zstd data that holds nothing", _KERNEL_WANTED)
    return b"".join(parts)


def add_initrd(layout: Layout, path: str, kernel: int) -> tuple[int, int]:
    """Add an initial RAM disk and return its first address and the one behind it.

    As far behind the kernel as memory allows, up to 128 MiB: ``fw_jump`` copies the device tree between the two.

    Raises
    ------
    UserError
        The file is no RAM disk, is truncated, or there is no room for it and for the kernel to work in.
    """
    file = InputFile(path, "initrd")
    _check_ram_disk(file)
    behind = max((piece.end for piece in layout.pieces), default=kernel)
    distances = (min(layout.memory // 2, 128 << 20), layout.memory // 4, layout.memory // 8)
    places = [(kernel + distance) & ~0xFFFF for distance in distances] + [-(-behind // 4096) * 4096]
    address = next((place for place in places if layout.is_free(place, file.size + DTB_ROOM)), 0)
    needed = -(-(behind + file.size + 2 * DTB_ROOM + HEADROOM - RAM_BASE) >> 20)
    if not address or layout.memory < needed << 20:
        raise file.error(
            f"{size_text(file.size)} do not fit behind the kernel into memory of {size_text(layout.memory)}",
            f"try --memory {needed}M or more",
        )
    add_raw(layout, file, address)
    return address, address + file.size


def _check_ram_disk(file: InputFile) -> None:
    head = file.read(0, 0x440)
    if not head:
        raise file.error("is empty", "a cpio archive is needed, compressed or not")
    kind = next((name for magic, at, name in _RAM_DISKS if head[at : at + len(magic)] == magic), "")
    if not kind:
        raise file.error(f"is no RAM disk (begins with {head[:6].hex(' ')})", "a cpio archive is needed")
    if kind == "cpio":
        _check_cpio(file)
    elif kind == "gzip":
        import zlib

        inflate = zlib.decompressobj(wbits=31)
        try:
            rest = file.read()
            while rest and not inflate.eof:
                inflate.decompress(rest, 1 << 20)
                rest = inflate.unconsumed_tail
        except zlib.error as error:
            raise file.error(f"is damaged gzip data ({error})", "copy it again") from None
        if not inflate.eof:
            raise file.error("truncated: the gzip data has no end", "copy it again")


def _check_cpio(file: InputFile) -> None:
    """Follow the entries of a ``newc`` archive to its end; what comes behind that is Linux's affair."""
    at = 0
    while len(header := file.read(at, _CPIO_HEADER + len(_CPIO_END))) >= _CPIO_HEADER and header[:5] == b"07070":
        try:
            size, name = int(header[54:62], 16), int(header[94:102], 16)
        except ValueError:
            raise file.error(f"is a damaged cpio archive (the entry at byte {at})", "copy it again") from None
        if header[_CPIO_HEADER:] == _CPIO_END:
            return
        at += _CPIO_HEADER + name + 3 & ~3
        at += size + 3 & ~3
    if len(header) >= _CPIO_HEADER:
        raise file.error(f"is a damaged cpio archive (there is no entry at byte {at})", "copy it again")
    raise file.error("truncated: the cpio archive has no end", "copy it again")


def read_dtb(path: str, *, bootargs: str = "", initrd: tuple[int, int] | None = None, seed: bytes = b"") -> bytes:
    """A user's own device tree, with ``/chosen`` brought up to date where something is given.

    Raises
    ------
    UserError
        The file is no device tree, or is truncated or damaged.
    """
    file = InputFile(path, "device tree")
    blob = file.read()
    wanted = "a flattened device tree (.dtb) is needed"
    if blob[:4] != b"\xd0\x0d\xfe\xed":
        if blob.lstrip().startswith(b"/dts-v1/"):
            raise file.error("is device-tree source", f"compile it: dtc -o my.dtb {os.path.basename(path)}")
        raise file.error("is empty" if not blob else "is no flattened device tree", wanted)
    size = int.from_bytes(blob[4:8], "big")
    if len(blob) < 40 or size > len(blob):
        raise file.error(f"truncated: {len(blob)} of {size} bytes are there", "copy it again")
    if len(blob) > 1 << 20:
        raise file.error(f"is too large ({size_text(len(blob))})", "at most 1 MiB")
    try:
        tree = _parse_dtb(blob[:size])
        if not tree.exist_node("/cpus") or not tree.exist_node("/"):
            raise ValueError("it has no /cpus")
        changed = {}
        if bootargs:
            changed["bootargs"] = bootargs.encode() + b"\0"
        if initrd is not None:
            changed["linux,initrd-start"], changed["linux,initrd-end"] = initrd
        for name, value in changed.items():
            tree.set_property(name, value, "/chosen")
        if seed and tree.exist_node("/chosen"):
            tree.set_property("rng-seed", seed, "/chosen")
        return tree.to_dtb()
    except Exception as error:  # whatever the parser stumbles over is the file's fault
        raise UserError(f"device tree {file.path}: damaged ({error or type(error).__name__}); {wanted}") from None


def _parse_dtb(blob: bytes) -> object:
    import fdt

    # All trees that the package parses share one list of memory reservations: ours must neither find nor leave any.
    shared = fdt.FDT().entries
    shared.clear()
    try:
        tree = fdt.parse_dtb(blob)
        tree.entries = list(shared)
    finally:
        shared.clear()
    if len(tree.entries) > _MAXIMUM_RESERVATIONS:
        raise ValueError("its memory reservations have no end")
    return tree
