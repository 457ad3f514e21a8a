"""``boot`` with rvsim's own guest, as a person and as a script meet it."""

import gzip
import json
import os
import re
import signal
import subprocess
import time

import pytest

from rvsim.errors import UserError
from rvsim.guest import guest_paths


def built():
    try:
        return guest_paths()
    except UserError:
        return None


GUEST = built()
pytestmark = pytest.mark.skipif(GUEST is None, reason="the guest image is not built (make setup)")


def test_a_pipe_is_the_consoles_input(command, tmp_path):
    result = command("boot", "--timeout", "100", "--stats-json", "s.json", input=b"echo a$((40 + 2))b; poweroff\n")
    assert result.returncode == 0, result.stderr
    assert b"guest ready" in result.stdout
    assert b"\na42b\r\n" in result.stdout
    assert result.stderr == b""
    stats = json.loads((tmp_path / "s.json").read_text())
    assert 0 < stats["seconds_to_ready"] < stats["seconds"]
    assert stats["detail"]["interrupts"]


def test_a_reboot_boots_again_or_ends(start, command):
    process = start("boot", "--timeout", "100", stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    for line in (b"reboot -f\n", b"poweroff -f\n"):
        seen = b""
        while b"guest ready" not in seen:
            seen += process.stdout.read(4096)
        process.stdin.write(line)
    process.communicate(timeout=60)
    assert process.returncode == 0
    result = command("boot", "--timeout", "100", "--no-reboot", input=b"reboot -f\n")
    assert (result.returncode, result.stdout.count(b"guest ready")) == (0, 1)


def test_a_kernel_panic_is_status_3(command):
    result = command("boot", "--timeout", "100", "--append", "rdinit=/nothing init=/nothing")
    assert result.returncode == 3
    assert b"rvsim: the guest's kernel panicked" in result.stderr


def test_ones_own_kernel_may_be_compressed(command, tmp_path):
    with open(GUEST.kernel, "rb") as file:
        (tmp_path / "Image.gz").write_bytes(gzip.compress(file.read(), 1))
    words = ("--kernel", "Image.gz", "--firmware", GUEST.firmware, "--initrd", GUEST.initrd)
    result = command("boot", *words, "--timeout", "100", input=b"poweroff\n")
    assert (result.returncode, result.stdout.count(b"guest ready")) == (0, 1)


def test_no_initial_ram_disk_is_a_choice(command):
    assert command("boot", "--initrd", "none", "--timeout", "100").returncode == 3


def test_two_runs_under_icount_are_the_same(command, tmp_path):
    runs = []
    for _ in range(2):
        result = command(
            "boot", "--icount", "--seed", "1", "--stats-json", "s.json", "--timeout", "100",
            input=b"date; head -c 8 /dev/urandom | hexdump\ncat /proc/uptime\npoweroff\n",
        )  # fmt: skip
        assert result.returncode == 0
        runs.append((result.stdout, json.loads((tmp_path / "s.json").read_text())["instructions"]))
    assert runs[0] == runs[1]


def test_results_never_overwrite_the_guest(command, tmp_path):
    kernel = tmp_path / "Image"
    kernel.write_bytes(b"x")
    result = command("boot", "--kernel", "Image", "--stats-json", "Image")
    assert (result.returncode, kernel.read_bytes()) == (2, b"x")
    assert b"would overwrite --kernel Image" in result.stderr
    assert command("boot", "--stats-json", GUEST.kernel).returncode == 2


def test_memory_that_is_too_small_is_said_so(command):
    result = command("boot", "--memory", "4M")
    assert result.returncode == 2
    assert result.stdout == b""
    assert re.fullmatch(rb"rvsim: [^\n]*memory[^\n]*\n", result.stderr)
    # What it says is true, and never wishful.
    size = "8M"
    for _ in range(3):
        result = command("boot", "--memory", size, "--timeout", "30", input=b"poweroff\n")
        if result.returncode != 2:
            break
        size = re.search(rb"try --memory (\w+) or more", result.stderr)[1].decode()
    assert result.returncode == 0 and b"guest ready" in result.stdout


def test_a_hart_of_an_isa_as_people_write_it_boots(command):
    result = command("boot", "--isa", "rv32imac_zba_zbb_zbs", input=b"poweroff\n", timeout=60)
    assert result.returncode == 0 and b"guest ready" in result.stdout


@pytest.mark.parametrize(("isa", "missing"), [("rv32ima", "c"), ("rv32ic_zicsr", "m, a, zifencei")])
def test_a_hart_that_the_guest_cannot_run_on_is_told_of(command, isa, missing):
    result = command("boot", "--isa", isa)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(f"rvsim: --isa {isa}: rvsim's own guest needs {missing} too; add it".encode())
    assert result.stderr.count(b"\n") == 1


def test_an_idle_shell_costs_next_to_nothing(start):
    process = start("boot", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = b""
    while b"guest ready" not in seen:
        seen += process.stdout.read1(4096)
    time.sleep(1)

    def used():
        with open(f"/proc/{process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(2)
    assert used() - before < 0.06 * 2
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_a_person_at_the_prompt(tmp_path):
    from .test_interactive import Person

    session = Person(tmp_path, "boot")
    session.expect(b"Ctrl-A x leaves")
    session.expect(b"guest ready")
    session.expect(b"# ")
    session.send(b"sleep 100\r")
    session.expect(b"sleep 100")
    # Ctrl-C is the guest's: it ends the sleep, and the prompt comes back.
    time.sleep(0.3)
    session.send(b"\x03")
    session.expect(b"^C")
    session.expect(b"# ")
    session.send(b"echo x$((6*7))x\r")
    session.expect(b"x42x")
    session.send(b"\x01x")
    session.expect(b"status 0 restored True")
    os.close(session.fd)
    os.waitpid(session.pid, 0)
