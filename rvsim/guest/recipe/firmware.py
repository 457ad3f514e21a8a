"""OpenSBI, with the drivers of our machine and no others."""

from __future__ import annotations

import os

from rvsim.guest.recipe import toolchain
from rvsim.guest.recipe.source import edit
from rvsim.guest.step import Step, Work

SOURCE, RELEASE = "opensbi", "trixie"
DRIVERS = (
    "FDT_IPI",
    "FDT_IPI_MSWI",
    "FDT_IRQCHIP",
    "FDT_IRQCHIP_PLIC",
    "FDT_REGMAP",
    "FDT_REGMAP_SYSCON",
    "FDT_RESET",
    "FDT_RESET_SYSCON",
    "FDT_SERIAL",
    "FDT_SERIAL_UART8250",
    "FDT_TIMER",
    "FDT_TIMER_MTIMER",
)
# libfdt checks the tree at every step it takes. Ours is generated and checked by dtc in the tests; without
# the checks (all but the one on the buffer's room when writing) a boot takes a fifth fewer instructions, and a
# tenth less again without one that libfdt does whatever it may assume.
ASSUME = "libsbiutils-genflags-y += -DFDT_ASSUME_MASK=0x9f\n"
MAKE = (
    "PLATFORM=generic",
    "PLATFORM_DEFCONFIG=rvsim_defconfig",
    "PLATFORM_RISCV_XLEN=32",
    "PLATFORM_RISCV_ISA=rv32imac_zicsr_zifencei",
    "PLATFORM_RISCV_ABI=ilp32",
    "FW_PIC=y",
    f"CROSS_COMPILE={toolchain.CROSS}",
)


def build(work: Work) -> None:
    """Unpack, configure, make; the output is ``fw_dynamic.bin`` and its ELF file with symbols."""
    toolchain.use(work)
    tree = os.path.join(work.scratch, "opensbi")
    work.once("unpack", lambda: unpack(work, tree))
    work.run("make", *MAKE, f"-j{work.jobs}", cwd=tree)
    for name in ("fw_dynamic.bin", "fw_dynamic.elf"):
        work.publish(os.path.join(tree, "build/platform/generic/firmware", name))


def unpack(work: Work, tree: str) -> None:
    """Unpack OpenSBI's source to ``tree`` and give it our configuration."""
    source = work.unpack(work.fetch.source(SOURCE, RELEASE))
    with open(os.path.join(source, "platform/generic/configs/rvsim_defconfig"), "w") as file:
        file.writelines(f"CONFIG_{driver}=y\n" for driver in DRIVERS)
    with open(os.path.join(source, "lib/utils/libfdt/objects.mk"), "a") as file:
        file.write(ASSUME)
    check = "\tif (!can_assume(VALID_INPUT))\n\t\tif ((absoffset < uoffset)"
    skip = "\tif (can_assume(VALID_DTB))\n\t\treturn fdt_offset_ptr_(fdt, offset);\n\n"
    edit(source, "lib/utils/libfdt/fdt.c", check, skip + check)
    os.rename(source, tree)


FIRMWARE = Step(
    name="firmware",
    title="OpenSBI",
    files=("firmware.py", "source.py"),
    needs=(toolchain.TOOLCHAIN,),
    build=build,
    lines=250,
)
