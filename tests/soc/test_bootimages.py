import contextlib
import gzip
import os
import struct
import zlib

import fdt
import pytest
import zstandard

from rvsim.errors import UserError
from rvsim.soc import SocConfig
from rvsim.soc.bootimages import add_firmware, add_initrd, add_kernel, place_guest, read_dtb
from rvsim.soc.devicetree import flatten, soc_blob, soc_tree
from rvsim.soc.loader import DTB_ROOM, Layout, dtb_address
from tests.soc.programs import RAM, elf

MEMORY = 64 << 20
KERNEL = RAM + (4 << 20)


def cpio(*entries):
    archive = b""
    for name, content in (*entries, ("TRAILER!!!", b"")):
        numbers = (0, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        archive += b"070701" + "".join(f"{number:08x}" for number in numbers).encode() + name.encode() + b"\0"
        archive += bytes(-len(archive) % 4) + content
        archive += bytes(-len(archive) % 4)
    return archive + bytes(-len(archive) % 512)


CPIO = cpio(("init", b"#!/bin/sh\n"), ("bin/busybox", b"its cpio applet knows TRAILER!!!\0" * 20))


def image(size=0x10_0000, *, offset=0x40_0000, claimed=0x14_0000, flags=0, magic=b"RSC\x05"):
    header = struct.pack("<IIQQQIIQ8s4sI", 0, 0, offset, claimed, flags, 2, 0, 0, b"RISCV\0\0\0", magic, 0)
    return header + os.urandom(256) + bytes(size - len(header) - 256)


@pytest.fixture
def path(tmp_path):
    def make(content, name="file"):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return make


def contents(layout, piece):
    ram = bytearray(layout.memory)
    layout.load(memoryview(ram))
    return bytes(ram[piece.address - RAM : piece.end - RAM])


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        zstandard.compress,
    ],
    ids=["raw", "gzip", "zstd"],
)
def test_a_kernel_goes_to_its_offset_and_claims_its_bss(path, pack):
    layout, content = Layout(MEMORY), image()
    assert add_kernel(layout, path(pack(content))) == KERNEL
    (piece,) = layout.pieces
    assert (piece.address, piece.size) == (KERNEL, 0x14_0000)
    assert contents(layout, piece)[: len(content)] == content


def test_a_kernel_may_be_an_elf_file(path):
    layout = Layout(MEMORY)
    assert add_kernel(layout, path(elf([(KERNEL, b"code", None)], entry=KERNEL + 2))) == KERNEL + 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; an RV32 Linux Image (raw, gzip or zstd) or a 32-bit RISC-V ELF is needed"),
        (b"hello", "has 5 bytes, too few for a kernel"),
        (bytes(4096), "is no RISC-V Linux Image (its header's magic is missing)"),
        (image(magic=b"ARM\x64"), "is a kernel for AArch64"),
        (image(offset=0x20_0000), "is a 64-bit kernel"),
        (image(offset=0x123), "wants to be loaded at an offset of 0x123"),
        (image(flags=1), "is a big-endian kernel"),
        (image(claimed=0x40_0000), "truncated: 1 MiB of 4 MiB are there; copy it again"),
        (gzip.compress(image())[:-300], "truncated: the gzip data has no end"),
        (gzip.compress(image())[:40] + b"\xff" * 400, "is damaged gzip data"),
        (gzip.compress(b"not a kernel, but more than 64 bytes of text" * 2), "is no RISC-V Linux Image"),
        (gzip.compress(b""), "is gzip data that holds nothing"),
        (zstandard.compress(image())[:-20], "truncated: the zstd data has no end"),
        (zstandard.compress(image())[:20] + b"\xff" * 400, "zstd data"),
        (elf([(0xC000_0000, b"code", None)], entry=0xC000_0000), "give arch/riscv/boot/Image instead of vmlinux"),
        (elf([(RAM, b"code", None)], elf_class=2), "is a 64-bit ELF file"),
    ],
)
def test_what_is_no_kernel_is_refused_in_one_line(path, content, message):
    with pytest.raises(UserError) as caught:
        add_kernel(Layout(MEMORY), path(content))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"kernel {path(content)}: ")
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_unpacked(path, monkeypatch):
    monkeypatch.setattr("rvsim.soc.bootimages.MAXIMUM_KERNEL", 1 << 20)
    for content in (gzip.compress(bytes(4 << 20)), zstandard.compress(bytes(4 << 20))):
        with pytest.raises(UserError, match="grows beyond 1 MiB when unpacked"):
            add_kernel(Layout(MEMORY), path(content))


def test_memory_too_small_for_a_kernel_says_how_much_would_do(path):
    with pytest.raises(UserError, match="memory 5 MiB is too small, try --memory 6M or more"):
        add_kernel(Layout(5 << 20), path(image()))


def test_firmware_is_raw_or_elf(path):
    raw, linked = Layout(MEMORY), Layout(MEMORY)
    assert add_firmware(raw, path(b"\x13\x05\0\0")) == RAM
    assert add_firmware(linked, path(elf([(RAM + 4096, b"code", None)], entry=RAM + 4096))) == RAM + 4096


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (gzip.compress(b"x"), "is gzip-compressed; raw binary or ELF firmware"),
        (soc_blob(SocConfig()), "is a device tree"),
        (b"#!/bin/sh\n", "is text"),
        (elf([(RAM, b"code", None)], machine=183), "is for AArch64, not for RISC-V"),
    ],
)
def test_what_is_no_firmware_is_refused(path, content, message):
    with pytest.raises(UserError) as caught:
        add_firmware(Layout(MEMORY), path(content))
    assert message in str(caught.value)


def test_the_ram_disk_goes_behind_the_kernel(path):
    layout = Layout(MEMORY)
    add_kernel(layout, path(image(), "kernel"))
    start, end = add_initrd(layout, path(CPIO), KERNEL)
    assert (start, end - start) == (KERNEL + MEMORY // 2, len(CPIO))


def test_a_large_ram_disk_leaves_room_for_the_device_tree(path, tmp_path):
    layout = Layout(MEMORY)
    add_kernel(layout, path(image(), "kernel"))
    disk = path(CPIO)
    os.truncate(disk, 54 << 20)
    start, _ = add_initrd(layout, disk, KERNEL)
    assert start >= KERNEL + 0x14_0000
    assert dtb_address(layout)


def test_a_ram_disk_that_does_not_fit_says_how_much_memory_would_do(path):
    layout = Layout(16 << 20)
    add_kernel(layout, path(image(), "kernel"))
    disk = path(CPIO)
    os.truncate(disk, 20 << 20)
    with pytest.raises(UserError) as caught:
        add_initrd(layout, disk, KERNEL)
    assert "20 MiB do not fit behind the kernel into memory of 16 MiB; try --memory 28M or more" in str(caught.value)
    with pytest.raises(UserError, match="try --memory 28M"):  # it would fit, but Linux could not work
        tight = Layout(26 << 20)
        add_kernel(tight, path(image(), "kernel"))
        add_initrd(tight, disk, KERNEL)
    larger = Layout(28 << 20)
    add_kernel(larger, path(image(), "kernel"))
    add_initrd(larger, disk, KERNEL)
    assert dtb_address(larger)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; a cpio archive is needed"),
        (b"hello, world", "is no RAM disk (begins with 68 65 6c 6c 6f 2c)"),
        (CPIO[:60], "truncated: the cpio archive has no end"),
        (CPIO[:600], "truncated: the cpio archive has no end"),
        (CPIO[:-512], "truncated: the cpio archive has no end"),
        (CPIO.replace(b"bin/busybox", b"bin/busybox!"), "is a damaged cpio archive (there is no entry at byte"),
        (CPIO[:54] + b"!" + CPIO[55:], "is a damaged cpio archive (the entry at byte 0)"),
        (gzip.compress(CPIO)[:-8], "truncated: the gzip data has no end"),
        (gzip.compress(CPIO)[:10] + b"\xff" * 100, "is damaged gzip data"),
    ],
)
def test_what_is_no_ram_disk_is_refused(path, content, message):
    with pytest.raises(UserError) as caught:
        add_initrd(Layout(MEMORY), path(content), KERNEL)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        CPIO,
        cpio(),
        CPIO + gzip.compress(CPIO),
        gzip.compress(CPIO),
        zstandard.compress(CPIO),
        b"\xfd7zXZ\0" + bytes(100),
        bytes(0x438) + b"\x53\xef" + bytes(8),
    ],
    ids=["cpio", "empty", "two", "gzip", "zstd", "xz", "ext2"],
)
def test_ram_disks_that_linux_knows_are_taken(path, content):
    add_initrd(Layout(MEMORY), path(content), KERNEL)


def test_a_guest_needs_firmware_and_a_ram_disk_needs_a_kernel(path):
    with pytest.raises(UserError, match="there is nothing to boot: M-mode firmware is needed, --firmware FILE"):
        place_guest(Layout(MEMORY), None, None, None)
    with pytest.raises(UserError, match="there is no kernel that could use it"):
        place_guest(Layout(MEMORY), path(b"\x13\0\0\0"), None, path(CPIO, "initrd"))


def test_ones_own_device_tree_is_told_what_is_booted(path):
    blob = read_dtb(path(soc_blob(SocConfig(memory=32 << 20))), bootargs="quiet", initrd=(0x8400_0000, 0x8410_0000))
    tree = fdt.parse_dtb(blob)
    assert tree.get_property("bootargs", "/chosen").value == "quiet"
    assert tree.get_property("linux,initrd-end", "/chosen").value == 0x8410_0000
    assert list(tree.get_property("reg", "/memory@80000000").data)[-1] == 32 << 20


def test_ones_own_device_tree_is_left_alone_otherwise(path):
    blob = soc_blob(SocConfig(), bootargs="as it was")
    assert fdt.parse_dtb(read_dtb(path(blob))).get_property("bootargs", "/chosen").value == "as it was"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"/dts-v1/;\n/ { };", "is device-tree source; compile it: dtc -o my.dtb file"),
        (b"hello", "is no flattened device tree"),
        (soc_blob(SocConfig())[:500], "truncated: 500 of"),
        (soc_blob(SocConfig())[:8] + b"\xff" * 32 + soc_blob(SocConfig())[40:], "damaged"),
        (b"\xd0\x0d\xfe\xed\0\0\0\x28", "truncated: 8 of 40 bytes are there"),
    ],
)
def test_what_is_no_device_tree_is_refused(path, content, message):
    with pytest.raises(UserError) as caught:
        read_dtb(path(content))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_memory_reservations_are_kept_and_go_nowhere_else(path):
    tree = fdt.parse_dtb(soc_blob(SocConfig()))
    tree.entries = [{"address": 0x8010_0000, "size": 0x1000}]
    name = path(tree.to_dtb())
    reservations = struct.pack(">QQQQ", 0x8010_0000, 0x1000, 0, 0)
    for _ in range(2):
        assert read_dtb(name, bootargs="quiet")[40:72] == reservations
    assert flatten(soc_tree(SocConfig())) == soc_blob(SocConfig())


def test_random_damage_to_a_device_tree_is_a_users_mistake_or_harmless(path):
    import random

    chance, good = random.Random(3), soc_blob(SocConfig())
    for _ in range(300):
        content = bytearray(good)
        for _ in range(4):
            content[chance.randrange(len(content))] = chance.randrange(256)
        with contextlib.suppress(UserError):
            read_dtb(path(bytes(content)))


def test_the_device_tree_does_not_meet_firmware_kernel_or_ram_disk(path):
    layout = Layout(MEMORY)
    place_guest(layout, path(b"\x13" * 4096, "firmware"), path(image(), "kernel"), path(CPIO, "initrd"))
    place = dtb_address(layout)
    assert layout.is_free(place, DTB_ROOM)
    assert zlib.crc32(contents(layout, layout.pieces[0])) == zlib.crc32(b"\x13" * 4096)
