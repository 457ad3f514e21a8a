"""busybox for RV32 from Debian's source package, static, compiled by zig's clang against its musl."""

from __future__ import annotations

import os

from rvsim.guest.recipe import toolchain
from rvsim.guest.recipe.source import edit
from rvsim.guest.step import Step, Work

SOURCE, RELEASE = "busybox", "bookworm"
FIXES = ("CVE-2022-48174", "CVE-2023-42364-part1", "CVE-2023-42364-part2", "CVE-2023-42363")
"""Debian's security fixes; its other patches are for the installer and for other kernels."""

# What differs from Debian's configuration of its static package.
CONFIG = {
    "HWCLOCK": None,  # needs settimeofday, which RV32 has not
    "TC": None,  # needs headers of a kernel older than ours
    "EXTRA_COMPAT": None,  # needs GNU's regular expressions, which musl has not
    "FEATURE_VI_REGEX_SEARCH": None,
    "FEATURE_EDITING_ASK_TERMINAL": None,  # these three print ESC[6n, which confuses whoever reads the console
    "FEATURE_VI_ASK_TERMINAL": None,
    "FEATURE_LESS_ASK_TERMINAL": None,
    "FEATURE_SH_EXTRA_QUIET": "y",  # no banner before the prompt
    "BUSYBOX_EXEC_PATH": '"/bin/busybox"',
    "FEATURE_EDITING_HISTORY": "200",
    **dict.fromkeys(
        ("NICE", "NOHUP", "PGREP", "PKILL", "SPLIT", "COMM", "CKSUM", "INSTALL", "TREE", "FUSER", "LSOF"), "y"
    ),
    "RESIZE": "y",  # a serial console does not know the terminal's size: this asks for it, when told to
    "EXTRA_CFLAGS": '"-DBB_GLOBAL_CONST= -Wno-ignored-optimization-argument -Wno-unused-command-line-argument"',
}
MAKE = ("ARCH=riscv", "CC=guest-cc", "AR=guest-ar", "LD=guest-ld", "HOSTCC=gcc", "SKIP_STRIP=y", "KBUILD_VERBOSE=0")


def build(work: Work) -> None:
    """Unpack, configure, make; the output is ``busybox``."""
    toolchain.use(work)
    tree = os.path.join(work.scratch, "busybox")
    work.once("unpack", lambda: unpack(work, tree))
    # `yes ""` in a bottle: the default for every question that the configuration leaves open.
    work.once("configure", lambda: work.run("make", *MAKE, "silentoldconfig", cwd=tree, input=b"\n" * 2000))
    work.run("make", *MAKE, f"-j{work.jobs}", "busybox", cwd=tree)
    work.publish(os.path.join(tree, "busybox"))


def unpack(work: Work, tree: str) -> None:
    """Unpack busybox's source to ``tree``, with Debian's fixes and ours, and with our configuration."""
    source = work.unpack(work.fetch.source(SOURCE, RELEASE))
    debian = work.unpack(work.fetch.source(SOURCE, RELEASE, part="diff"))
    for fix in FIXES:
        work.run("patch", "-p1", "-i", os.path.join(debian, "patches", f"{fix}.patch"), cwd=source)
    # clang reads a pointer that busybox declares const before busybox has set it: declare it as it is.
    edit(
        source,
        "include/libbb.h",
        "extern struct globals *const ptr_to_globals;",
        "extern struct globals *ptr_to_globals;",
    )
    # Pauses of a second for slow disks, slow consoles and shells that end at once: three in every power-off.
    edit(
        source,
        "init/init.c",
        "\tsleep1();\n",
        "\tusleep(50000);\n",
        after="\nstatic void pause_and_low_level_reboot",
        times=4,
    )
    with open(os.path.join(debian, "config/pkg/static"), encoding="utf-8") as file:
        lines = [line for line in file if not any(_sets(line, name) for name in CONFIG)]
    for name, value in CONFIG.items():
        lines.append(f"# CONFIG_{name} is not set\n" if value is None else f"CONFIG_{name}={value}\n")
    with open(os.path.join(source, ".config"), "w", encoding="utf-8") as file:
        file.writelines(lines)
    os.rename(source, tree)


def _sets(line: str, name: str) -> bool:
    return line.startswith(f"CONFIG_{name}=") or line == f"# CONFIG_{name} is not set\n"


BUSYBOX = Step(
    name="busybox",
    title="busybox",
    files=("busybox.py", "source.py"),
    needs=(toolchain.TOOLCHAIN,),
    build=build,
    lines=1160,
)
