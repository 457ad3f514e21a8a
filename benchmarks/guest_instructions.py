"""How many instructions a boot takes from reset to ``guest ready``: in rvsim, and in QEMU where it is installed.

The guest counts itself. A second archive behind the initial RAM disk replaces ``/etc/profile`` by one that reads
the hart's counter right after the announcement; it reads twice, and the second reading tells what one costs.
In QEMU the counter counts instructions only with ``-icount``. Usage: ``python benchmarks/guest_instructions.py``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

from rvsim.guest import guest_paths
from rvsim.guest.image import GuestImage
from rvsim.guest.recipe.image import REGULAR, pack, read
from rvsim.guest.step import RECIPE

QEMU = "qemu-system-riscv32"
ANNOUNCE = b"echo 'guest ready'\n"
LIMITS = {64: 22.0, 128: 28.0}
"""Goals in million instructions by megabytes of memory."""


def measuring_initrd(guest: GuestImage, path: str) -> None:
    """Write the guest's initial RAM disk with the counting profile to ``path``."""
    profile = read(os.path.join(RECIPE, "files/root/etc/profile"))
    if profile.count(ANNOUNCE) != 1:
        raise SystemExit(f"etc/profile has no line {ANNOUNCE.decode()!r}")
    count = ANNOUNCE + b"bench counters; bench counters; poweroff\n"
    overlay = pack([("etc/profile", REGULAR | 0o644, profile.replace(ANNOUNCE, count))], {})
    with open(path, "wb") as file:
        file.write(read(guest.initrd) + overlay)


def rvsim_command(guest: GuestImage, initrd: str, memory: int) -> list[str]:
    """rvsim on this guest; time is the instruction count, so that the figure is the same in every run."""
    options = ["--icount", "--seed", "1", "--memory", f"{memory}M", "--initrd", initrd]
    return [sys.executable, "-m", "rvsim.soc", "boot", *options]


def qemu_command(
    guest: GuestImage, initrd: str, memory: int, *, dtb: str | None = None, icount: bool = True
) -> list[str]:
    """QEMU on this guest; its hart without what the guest does not use (QEMU 7.2 has no Svade)."""
    return [
        *(QEMU, "-M", "virt", "-cpu", "rv32,f=false,d=false,h=false,svinval=true", "-m", f"{memory}M"),
        *("-nographic", "-bios", guest.firmware, "-kernel", guest.kernel, "-initrd", initrd),
        *("-append", "console=ttyS0 quiet", *(("-icount", "shift=0,sleep=off") if icount else ())),
        *(("-dtb", dtb) if dtb else ()),
    ]


def instructions(command: list[str]) -> float:
    """Million instructions to ``guest ready``, as the guest counts them."""
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)
    counts = [int(count) for count in re.findall(rb"^instret (\d+)", run.stdout, re.MULTILINE)]
    if len(counts) != 2:
        tail = (run.stdout + run.stderr)[-2000:].decode(errors="replace")
        raise SystemExit(f"{' '.join(command)}: no count, status {run.returncode}\n{tail}")
    first, second = counts
    return (first - (second - first)) / 1e6


def rvsim_tree(memory: int, path: str) -> None:
    """Write rvsim's device tree for this much memory to ``path``: QEMU's own is larger, which costs."""
    from rvsim.soc.config import SocConfig
    from rvsim.soc.devicetree import soc_blob

    with open(path, "wb") as file:
        file.write(soc_blob(SocConfig(memory=memory << 20), bootargs="console=ttyS0", seed=bytes(range(32))))


def main() -> int:
    """Print the table; 1 if rvsim needs more than the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", type=int, nargs="*", default=list(LIMITS), metavar="MB")
    options = parser.parse_args()
    guest = guest_paths()
    failed = False
    print(f"{'memory':>7} {'rvsim':>9} {'goal':>7} {'QEMU, our tree':>15} {'QEMU, its tree':>15}   (M instructions)")
    with tempfile.TemporaryDirectory() as folder:
        initrd, dtb = os.path.join(folder, "initrd"), os.path.join(folder, "dtb")
        measuring_initrd(guest, initrd)
        for memory in options.memory:
            figures = [instructions(rvsim_command(guest, initrd, memory))]
            if shutil.which(QEMU):
                rvsim_tree(memory, dtb)
                figures.append(instructions(qemu_command(guest, initrd, memory, dtb=dtb)))
                figures.append(instructions(qemu_command(guest, initrd, memory)))
            ours, theirs = figures[0], [f"{figure:15.2f}" for figure in figures[1:]] or ["   not installed"]
            goal = LIMITS.get(memory)
            failed |= goal is not None and ours > goal
            print(f"{memory:>6}M {ours:9.2f} {goal or '-':>7} {' '.join(theirs)}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
