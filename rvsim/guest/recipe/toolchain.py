"""The tools: cross compiler and generators unpacked from Debian's packages, and zig as C compiler with a libc."""

from __future__ import annotations

import os
import shutil
import zipfile

from rvsim.guest.step import Step, Work

# Everything a kernel build needs beyond Debian's base, gcc and make. The libraries are named although gcc
# usually brings them: the host's may be those of a newer release.
PACKAGES = (
    "gcc-12-riscv64-linux-gnu",
    "cpp-12-riscv64-linux-gnu",
    "libgcc-12-dev-riscv64-cross",
    "binutils-riscv64-linux-gnu",
    "libgmp10",
    "libisl23",
    "libmpc3",
    "libmpfr6",
    "libjansson4",
    "libzstd1",
    "zlib1g",
    "flex",
    "bison",
    "m4",
    "bc",
    "libreadline8",
    "libtinfo6",
    "xz-utils",
    "patch",
    "liblzma5",
)
ZIG = "ziglang==0.14.1"
CROSS = "riscv64-linux-gnu-"
NATIVE = ("flex", "bison", "m4", "bc", "xz", "patch")

WRAPPER = """#!/bin/sh
LD_LIBRARY_PATH='{libraries}' BISON_PKGDATADIR='{root}/usr/share/bison' M4='{tools}/m4' \\
exec '{root}/usr/bin/{program}' "$@"
"""
# zig passes these on to a linker that does not know them.
ZIG_CC = """#!/bin/sh
for argument; do
    shift
    case $argument in
    -Wl,--warn-common|-Wl,--verbose|-Wl,-Map*) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
exec '{zig}' cc -target riscv32-linux-musl -mcpu=generic_rv32+m+a+c "$@"
"""
ZIG_TOOL = """#!/bin/sh
exec '{zig}' {program} "$@"
"""


def build(work: Work) -> None:
    """Unpack packages below ``root``, zig below ``zig``, and write wrappers for all of them to ``bin``."""
    check_host(work)
    # The final place, not the one in which the step works: wrappers and zig's cache name it.
    final = os.path.join(work.home, work.step.folder)
    root = os.path.join(work.output, "root")
    for package in work.fetch.packages(PACKAGES):
        work.run("dpkg-deb", "-x", package, root)
    for name in ("doc", "man", "locale", "info"):
        shutil.rmtree(os.path.join(root, "usr/share", name), ignore_errors=True)
    with zipfile.ZipFile(work.fetch.wheel(ZIG)) as wheel:
        wheel.extractall(os.path.join(work.output, "wheel"))
    os.rename(os.path.join(work.output, "wheel", "ziglang"), os.path.join(work.output, "zig"))
    shutil.rmtree(os.path.join(work.output, "wheel"))
    os.chmod(os.path.join(work.output, "zig", "zig"), 0o755)

    os.makedirs(os.path.join(work.output, "bin"))
    triplet = work.run("gcc", "-print-multiarch").decode().strip()
    places = {
        "root": os.path.join(final, "root"),
        "tools": os.path.join(final, "bin"),
        "zig": os.path.join(final, "zig", "zig"),
        "libraries": ":".join(os.path.join(final, "root", path) for path in (f"usr/lib/{triplet}", f"lib/{triplet}")),
    }
    for name in sorted(os.listdir(os.path.join(root, "usr/bin"))):
        if name.startswith(CROSS) or name in NATIVE:
            _write(work, name, WRAPPER, program=name, **places)
            if name.endswith("-12"):
                _write(work, name.removesuffix("-12"), WRAPPER, program=name, **places)
    _write(work, "guest-cc", ZIG_CC, **places)
    _write(work, "guest-ar", ZIG_TOOL, program="ar", **places)
    _write(work, "guest-ld", ZIG_TOOL, program="ld.lld", **places)


def check_host(work: Work) -> None:
    """See that the host can compile at all, before minutes are spent.

    Raises
    ------
    ToolFailed
        No working gcc or make.
    """
    work.run("make", "--version")
    source = b'#include <stdio.h>\nint main(void) { return puts("") < 0; }\n'
    work.run("gcc", "-x", "c", "-o", "check", "-", input=source)


def use(work: Work) -> None:
    """Put the unpacked tools in front of the host's in a later step's ``PATH``."""
    work.tools["PATH"] = f"{work.needed('toolchain', 'bin')}:{work.tools['PATH']}"
    # zig compiles musl on first use and keeps it; inside the toolchain it serves every later step.
    work.tools["ZIG_GLOBAL_CACHE_DIR"] = os.path.join(os.path.dirname(work.scratch), "zig-cache")
    work.tools["ZIG_LOCAL_CACHE_DIR"] = work.tools["ZIG_GLOBAL_CACHE_DIR"]


def _write(work: Work, name: str, template: str, **values: str) -> None:
    path = os.path.join(work.output, "bin", name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(template.format(**values))
    os.chmod(path, 0o755)


TOOLCHAIN = Step(
    name="toolchain",
    title="compilers and tools (unpacked, nothing is installed)",
    files=("toolchain.py",),
    build=build,
    keep=False,
)
