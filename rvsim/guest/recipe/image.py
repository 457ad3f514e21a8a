"""The image: kernel, firmware, and a root file system packed as the kernel wants it."""

from __future__ import annotations

import os

from rvsim.guest.recipe.bench import BENCH
from rvsim.guest.recipe.busybox import BUSYBOX
from rvsim.guest.recipe.firmware import FIRMWARE
from rvsim.guest.recipe.kernel import KERNEL
from rvsim.guest.step import Step, Work

ROOT_FILES = (
    "etc/inittab",
    "etc/fstab",
    "etc/profile",
    "etc/background",
    "etc/passwd",
    "etc/shadow",
    "etc/group",
    "etc/hosts",
)
SCRIPTS = ("etc/udhcpc/default.script",)
FOLDERS = (".", "bin", "dev", "etc", "etc/udhcpc", "mnt", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var")
# Only what must be there at once, since a link costs a boot twelve thousand instructions: busybox installs the rest
# in the background, and the shell finds every applet without a link anyway.
LINKS = {"init": "bin/busybox", "bin/sh": "busybox", "var/run": "../run", "usr/bin": "../bin", "usr/sbin": "../sbin"}

FOLDER, REGULAR, LINK, CHARACTER = 0o040000, 0o100000, 0o120000, 0o020000


def build(work: Work) -> None:
    """Pack the root file system and lay kernel and firmware beside it."""
    entries = [(name, FOLDER | (0o1777 if name == "tmp" else 0o755), b"") for name in FOLDERS]
    for name in ROOT_FILES:
        entries.append((name, REGULAR | 0o644, read(work.file(f"root/{name}"))))
    for name in SCRIPTS:
        entries.append((name, REGULAR | 0o755, read(work.file(f"root/{name}"))))
    entries.append(("bin/busybox", REGULAR | 0o755, read(work.needed("busybox", "busybox"))))
    entries.append(("bin/bench", REGULAR | 0o755, read(work.needed("bench", "bench"))))
    entries += [(name, LINK | 0o777, target.encode()) for name, target in LINKS.items()]
    with open(os.path.join(work.output, "initrd.cpio"), "wb") as file:
        # The kernel opens the console before anything could mount a file system with devices.
        file.write(pack([*entries, ("dev/console", CHARACTER | 0o600, b"")], {"dev/console": (5, 1)}))
    work.publish(work.needed("kernel", "Image"))
    work.publish(work.needed("kernel", "System.map"))
    work.publish(work.needed("firmware", "fw_dynamic.bin"))


def pack(entries: list[tuple[str, int, bytes]], devices: dict[str, tuple[int, int]]) -> bytes:
    """A ``newc`` cpio archive (Linux: Documentation/driver-api/early-userspace/buffer-format.rst).

    Parameters
    ----------
    entries
        Name, mode with the file type, and content (of a link: its target), parents before children.
    devices
        Major and minor number by name.
    """
    archive = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        links = 2 if mode & 0o170000 == FOLDER else 1
        fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, *devices.get(name, (0, 0)), len(name) + 1, 0)
        archive += b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name.encode() + b"\0"
        archive += bytes(-len(archive) % 4) + content
        archive += bytes(-len(archive) % 4)
    return bytes(archive + bytes(-len(archive) % 512))


def read(path: str) -> bytes:
    """A file's content."""
    with open(path, "rb") as file:
        return file.read()


IMAGE = Step(
    name="image",
    title="root file system",
    files=("image.py", *(f"files/root/{name}" for name in (*ROOT_FILES, *SCRIPTS))),
    needs=(KERNEL, FIRMWARE, BUSYBOX, BENCH),
    build=build,
)
