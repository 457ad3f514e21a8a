"""Linux 6.1 for RV32 from Debian's source package."""

from __future__ import annotations

import os

from rvsim.guest.recipe import toolchain
from rvsim.guest.recipe.source import edit
from rvsim.guest.step import Step, Work

PACKAGE = "linux-source-6.1"
# Four fifths of the source are drivers and machines that are not ours; unpacking is half a minute of disk.
UNUSED = (
    "arch/[!Kr]*/*.[chS]",
    "arch/[!Kr]*/boot/dts",
    "drivers/gpu/drm/*.[ch]",
    "drivers/media/*.[ch]",
    "drivers/staging/*.[ch]",
    "drivers/net/ethernet/*.[ch]",
    "drivers/net/wireless/*.[ch]",
    "sound/*.[ch]",
    "Documentation/*.rst",
    "tools/perf",
    "tools/testing",
)
MAKE = (
    "ARCH=riscv",
    f"CROSS_COMPILE={toolchain.CROSS}",
    "KCFLAGS=-DFDT_ASSUME_MASK=0x9f",  # as in the firmware, for the same reason
    "KBUILD_BUILD_USER=rvsim",
    "KBUILD_BUILD_HOST=rvsim",
    "KBUILD_BUILD_VERSION=1",
    "KBUILD_BUILD_TIMESTAMP=1970-01-01 00:00:00 UTC",
)


def build(work: Work) -> None:
    """Unpack, configure, make; the output is ``Image`` and the configuration it was made from."""
    toolchain.use(work)
    tree = os.path.join(work.scratch, "linux")
    work.once("unpack", lambda: unpack(work, tree))
    # allnoconfig with a fragment: everything that is not asked for is off, also what becomes visible later.
    work.once(
        "configure",
        lambda: work.run("make", *MAKE, "allnoconfig", cwd=tree, KCONFIG_ALLCONFIG=work.file("kernel.config")),
    )
    work.run("make", *MAKE, f"-j{work.jobs}", "Image", cwd=tree)
    work.publish(os.path.join(tree, "arch/riscv/boot/Image"))
    work.publish(os.path.join(tree, "System.map"))
    work.publish(os.path.join(tree, ".config"), "kernel.config")


def unpack(work: Work, tree: str) -> None:
    """Unpack the kernel's source from the package to ``tree``."""
    (package,) = work.fetch.packages((PACKAGE,))
    work.run("dpkg-deb", "-x", package, "package")
    os.makedirs(tree, exist_ok=True)
    archive = os.path.join(work.scratch, "package/usr/src", f"{PACKAGE}.tar.xz")
    skip = [f"--exclude={PACKAGE}/{pattern}" for pattern in UNUSED]
    work.run("tar", "-xf", archive, "--strip-components=1", "--wildcards", *skip, cwd=tree)
    os.unlink(archive)
    # Memory that is given back, a megabyte of RAM disk most of all, is overwritten first: nobody looks at it here.
    edit(tree, "mm/page_alloc.c", "if ((unsigned int)poison <= 0xFF)", "if (0)")


KERNEL = Step(
    name="kernel",
    title="Linux 6.1",
    files=("kernel.py", "source.py", "files/kernel.config"),
    needs=(toolchain.TOOLCHAIN,),
    build=build,
    lines=1240,
)
