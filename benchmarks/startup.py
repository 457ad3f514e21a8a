"""Process start to the exit of a guest of three instructions, beside QEMU in the same run.

    python benchmarks/startup.py [--runs N]

Prints medians in milliseconds and their ratios to QEMU. What Python itself takes is measured beside them; a virtual
environment can be a large part of it, since every start reads its ``.pth`` files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# lui t0, 0x100; lui t1, 5; addi t1, t1, 0x555; sw t1, 0(t0): powers off through the test finisher.
CODE = struct.pack("<4I", 0x001002B7, 0x00005337, 0x55530313, 0x0062A023)


def elf() -> bytes:
    """The guest: one segment, no sections."""
    base, at = 0x8000_0000, 84
    header = b"\x7fELF\1\1\1" + bytes(9)
    header += struct.pack("<HHIIIIIHHHHHH", 2, 243, 1, base, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return header + struct.pack("<8I", 1, at, base, base, len(CODE), len(CODE), 5, 4) + CODE


def measure(commands: dict[str, list[str]], runs: int, environment: dict[str, str]) -> dict[str, float]:
    """Median milliseconds from start to exit. The commands take turns, so that a busy moment meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            # The first turn warms caches.
            if turn:
                times[name].append((time.perf_counter() - begin) * 1000)
    return {name: sorted(values)[runs // 2] for name, values in times.items()}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=31, help="of each command (default 31)")
    runs = parser.parse_args().runs
    # A user's Python keeps its bytecode; some build environments forbid it, and then measure the compiler.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        guest = os.path.join(folder, "a.elf")
        Path(guest).write_bytes(elf())
        commands = {
            "rvsim": [python, "-m", "rvsim.soc", "--fast", "run", guest],
            "rvsim, without site": [python, "-S", "-m", "rvsim.soc", "--fast", "run", guest],
            "python -c pass": [python, "-c", "pass"],
            "python -S -c pass": [python, "-S", "-c", "pass"],
        }
        qemu = shutil.which("qemu-system-riscv32")
        if qemu:
            commands = {"QEMU": [qemu, "-M", "virt", "-nographic", "-bios", guest], **commands}
        os.chdir(ROOT)
        results = measure(commands, runs, environment)
    reference = results.get("QEMU")
    print(f"{'command':<22} {'ms':>7}  ratio to QEMU")
    for name, value in results.items():
        print(f"{name:<22} {value:7.1f}  {value / reference:.2f}" if reference else f"{name:<22} {value:7.1f}  -")


if __name__ == "__main__":
    main()
