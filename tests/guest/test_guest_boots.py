"""The built image in QEMU, an independent machine: it reaches its shell and does what a guest is for."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time

import pytest

from benchmarks.guest_instructions import QEMU, qemu_command
from rvsim.errors import UserError
from rvsim.guest import guest_paths

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which(QEMU), reason=f"{QEMU} is not installed"),
]


class Console:
    """A QEMU with the guest, and its console."""

    def __init__(self, *options, memory=64, **changes):
        try:
            guest = guest_paths()
        except UserError as error:
            pytest.skip(str(error))
        command = qemu_command(guest, guest.initrd, memory, icount=False)
        self.process = subprocess.Popen(
            [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.output = b""

    def expect(self, text, timeout=60):
        """Read until ``text`` has appeared; everything up to it."""
        deadline = time.monotonic() + timeout
        while (at := self.output.find(text)) < 0:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert chunk, f"{text!r} did not appear:\n{self.output.decode(errors='replace')}"
            self.output += chunk
        seen, self.output = self.output[: at + len(text)], self.output[at + len(text) :]
        return seen

    def do(self, command, timeout=60):
        """Run a command in the guest's shell; what it printed."""
        # The marks are put together by the shell, so that the echo of the command does not hold them.
        self.process.stdin.write(f"echo beg''in; {command}; echo en''d\n".encode())
        self.process.stdin.flush()
        self.expect(b"begin\r\n")
        return self.expect(b"end\r\n", timeout)[: -len(b"end\r\n")].decode().replace("\r", "")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def console():
    made = []

    def make(*options, **settings):
        made.append(Console(*options, **settings))
        made[-1].expect(b"guest ready\r\n")
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_shell_has_the_usual_tools_and_power_off_ends_the_machine(console):
    guest = console()
    assert "root" in guest.do("whoami")
    assert guest.do("uname -m") == "riscv32\n"
    assert guest.do("echo 6 7 | awk '{print $1 * $2}'") == "42\n"
    assert guest.do("printf 'b\\na\\n' | sort | sed s/a/c/ | tr '\\n' ' '") == "c b "
    assert guest.do("mount | grep -c -E ' (/proc|/sys|/dev|/tmp|/run) '") == "5\n"
    assert "can't access tty" not in guest.do("sleep 9 & sleep 0.2; jobs; kill %1; wait")
    guest.process.stdin.write(b"poweroff\n")
    guest.process.stdin.flush()
    assert guest.process.wait(30) == 0


def test_applet_links_appear_in_the_background(console):
    guest = console()
    guest.do("while [ ! -e /sbin/udhcpc ]; do sleep 0.1; done")
    assert int(guest.do("ls /bin /sbin | wc -l")) > 250
    assert guest.do("/bin/ls -d /dev/pts /dev/shm").split() == ["/dev/pts", "/dev/shm"]


def test_bench_proves_its_work(console):
    guest = console()
    output = guest.do("bench 0.05; echo status $?", timeout=120)
    assert output.count(" ok\n") == 4 and output.endswith("status 0\n")


def test_control_c_interrupts_the_foreground_and_not_the_shell(console):
    guest = console()
    guest.process.stdin.write(b"sleep 60\n")
    guest.process.stdin.flush()
    guest.expect(b"sleep 60\r\n")
    time.sleep(0.5)
    guest.process.stdin.write(b"\x03")
    guest.process.stdin.flush()
    assert guest.do("echo still here") == "still here\n"


def test_disk_network_and_entropy_work_where_the_machine_has_them(console, tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(8 << 20))
    guest = console(
        *("-drive", f"file={disk},if=none,id=d,format=raw", "-device", "virtio-blk-device,drive=d"),
        *("-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n", "-device", "virtio-rng-device"),
    )
    guest.do("while [ ! -e /sbin/mke2fs ]; do sleep 0.1; done")
    guest.do("mke2fs /dev/vda && mount -t ext4 /dev/vda /mnt && echo kept >/mnt/file && umount /mnt")
    assert guest.do("mount -t ext4 -o ro /dev/vda /mnt && cat /mnt/file; umount /mnt") == "kept\n"
    guest.do("for i in 1 2 3 4 5 6 7 8 9; do ip addr show eth0 | grep -q 10.0.2.15 && break; sleep 1; done")
    assert "10.0.2.15/24" in guest.do("ip -4 addr show eth0")
    assert "default via 10.0.2.2" in guest.do("ip route")
    assert "nameserver 10.0.2.3" in guest.do("cat /etc/resolv.conf")
    assert guest.do("cat /sys/class/misc/hw_random/rng_current") == "virtio_rng.0\n"
