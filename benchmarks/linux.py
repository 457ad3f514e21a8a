"""Booting Linux and running /bin/bench, side by side with qemu-system-riscv32 on the same images.

Prints Markdown tables. Usage: ``python benchmarks/linux.py [--rounds N]``. Without QEMU only rvsim is measured.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from rvsim.guest import guest_paths

QEMU = "qemu-system-riscv32"
KERNELS = ("integer", "memory", "branch", "call")


def rvsim_command(memory: str = "128M") -> list[str]:
    """Our emulator on the default guest."""
    return [sys.executable, "-m", "rvsim.soc", "--memory", memory, "boot"]


def qemu_command(memory: str = "128M") -> list[str]:
    """QEMU on the same images and with a CPU like ours."""
    guest = guest_paths()
    return [
        QEMU, "-M", "virt", "-cpu", "rv32,f=false,d=false,h=false", "-m", memory, "-nographic",
        "-bios", guest.firmware, "-kernel", guest.kernel, "-initrd", guest.initrd, "-append", "console=ttyS0 quiet",
    ]  # fmt: skip


class Guest:
    """A running emulator, its console on pipes."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self.text = b""

    def expect(self, text: bytes) -> float:
        """Seconds from process start until the console has printed ``text`` (and no earlier text matches again)."""
        while text not in self.text:
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise SystemExit(f"the guest ended before it printed {text!r}: {self.text[-500:]!r}")
            self.text += data
        self.seen, _, self.text = self.text.partition(text)
        return time.perf_counter() - self.started

    def send(self, line: str) -> None:
        """Type a line."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def cpu_seconds(self) -> float:
        """User and system time that the process has used."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> int:
        """Peak resident memory in bytes."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))

    def kill(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def warm_environment() -> dict[str, str]:
    """Python's bytecode is cached, as it is for every user: some build environments switch that off."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def measure_boot(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Seconds to ``guest ready``."""
    guest = Guest(command, environment)
    try:
        return guest.expect(b"guest ready")
    finally:
        guest.kill()


def boot_table(rounds: int) -> None:
    """Time to ``guest ready``, warm and with an empty code cache."""
    warm = warm_environment()
    measure_boot(rvsim_command(), warm)
    print("| process start → `guest ready` | QEMU | rvsim | ratio |\n|---|---|---|---|")
    for memory in ("64M", "128M"):
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(measure_boot(rvsim_command(memory), warm))
            if shutil.which(QEMU):
                theirs.append(measure_boot(qemu_command(memory)))
        print(row(f"{memory}, warm cache", theirs, ours))
    with tempfile.TemporaryDirectory() as empty:
        guest = guest_paths()
        images = ["--kernel", guest.kernel, "--initrd", guest.initrd, "--firmware", guest.firmware]
        seconds = measure_boot([*rvsim_command(), *images], {**warm, "XDG_CACHE_HOME": empty})
    print(f"| 128M, empty code cache | | {seconds * 1e3:.0f} ms | |")


def row(name: str, theirs: list[float], ours: list[float]) -> str:
    """A table row of medians and their ratio."""
    mine = statistics.median(ours)
    if not theirs:
        return f"| {name} | not installed | {mine * 1e3:.0f} ms | |"
    peer = statistics.median(theirs)
    return f"| {name} | {peer * 1e3:.0f} ms | {mine * 1e3:.0f} ms | {mine / peer:.2f} |"


def bench(command: list[str], scale: float, environment: dict[str, str] | None) -> dict[str, tuple[float, float]]:
    """Kernel → (MIPS as the guest measured it, rounds per second)."""
    guest = Guest(command, environment)
    try:
        guest.expect(b"guest ready")
        guest.expect(b"# ")
        guest.send(f"bench {scale}; echo END-OF-'BENCH'")
        guest.expect(b"END-OF-BENCH")
        lines = [line.split() for line in guest.seen.decode().splitlines()]
        found = {w[0]: (float(w[3]), float(w[4])) for w in lines if w and w[0] in KERNELS}
        if any(w[-1] != "ok" for w in lines if w and w[0] in KERNELS) or len(found) != len(KERNELS):
            raise SystemExit(f"/bin/bench failed:\n{guest.seen.decode()}")
        return found
    finally:
        guest.kill()


def kernel_table(rounds: int, scale: float) -> None:
    """/bin/bench under Linux."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(bench(rvsim_command(), scale, warm_environment()))
        if shutil.which(QEMU):
            theirs.append(bench(qemu_command(), scale, None))
    print("\n| `/bin/bench` under Linux | rvsim MIPS | ratio to QEMU (rounds/s) |\n|---|---|---|")
    product = 1.0
    for kernel in KERNELS:
        mips = statistics.median(run[kernel][0] for run in ours)
        if theirs:
            speed = statistics.median(run[kernel][1] for run in ours)
            ratio = speed / statistics.median(run[kernel][1] for run in theirs)
            product *= ratio
        print(f"| {kernel} | {mips:.0f} | {f'{ratio:.2f}' if theirs else 'QEMU not installed'} |")
    if theirs:
        print(f"| geometric mean | | {product ** (1 / len(KERNELS)):.2f} |")


def idle_table(seconds: float) -> None:
    """What an idle shell costs, and memory."""
    guest = Guest(rvsim_command(), warm_environment())
    guest.expect(b"# ")
    time.sleep(2)  # background work of the guest's start
    before = guest.cpu_seconds()
    time.sleep(seconds)
    used = (guest.cpu_seconds() - before) / seconds
    print("\n| rvsim, idle shell | |\n|---|---|")
    print(f"| CPU | {used:.1%} |")
    print(f"| peak resident memory | {guest.resident() >> 20} MiB |")
    guest.kill()


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="repetitions of each measurement (default: 7)")
    parser.add_argument("--scale", type=float, default=3, help="work of /bin/bench (default: 3 times the usual)")
    arguments = parser.parse_args()
    boot_table(arguments.rounds)
    kernel_table(max(1, arguments.rounds // 2), arguments.scale)
    idle_table(5)


if __name__ == "__main__":
    main()
