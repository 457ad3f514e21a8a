"""The other commands: self-test, conform, disasm, dts, help."""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from rvsim.soc.cli import usage
from rvsim.soc.cli.options import GRAMMAR
from tests.soc.programs import HELLO

from .test_run import FOREVER, SIGNATURE, TOHOST

# -- the self-test -------------------------------------------------------------------------------------------------

PARTS = 12


def test_every_part_of_the_self_test_passes(command, tmp_path):
    result = command("--stats-json", "s.json")
    text = result.stdout.decode()
    assert text.startswith("rvsim self-test\r\n")
    assert text.count("PASS\r\n") == PARTS, text
    assert text.endswith("all parts passed\r\n")
    assert (result.returncode, result.stderr) == (0, b"")
    # It is to run on hardware too, with every cycle of it on a waveform.
    assert json.loads((tmp_path / "s.json").read_text())["instructions"] < 100_000


def test_the_self_test_says_what_a_smaller_machine_lacks(command):
    text = command("--isa", "rv32i", "--memory", "1M").stdout.decode()
    for part in ("multiply and divide", "compressed", "bit manipulation", "atomics"):
        assert f"  {part:<24}absent\r\n" in text
    assert text.endswith("all parts passed\r\n")


def test_two_runs_under_icount_are_the_same(command, tmp_path):
    runs = []
    for _ in range(2):
        result = command("--icount", "--seed", "1", "--trace", "log", "--stats-json", "s.json")
        runs.append((result.stdout, (tmp_path / "log").read_text(), json.loads((tmp_path / "s.json").read_text())))
    assert runs[0][:2] == runs[1][:2]
    assert runs[0][2]["instructions"] == runs[1][2]["instructions"]


@pytest.mark.skipif(not shutil.which("qemu-system-riscv32"), reason="needs qemu-system-riscv32")
def test_the_self_test_is_right_about_another_machine():
    """QEMU reports a misaligned AMO as a load (cause 4), which the self-test says; all else passes there too."""
    from rvsim.soc.selftest import program_path

    words = ("-M", "virt", "-m", "64", "-nographic", "-icount", "shift=0", "-bios", program_path())
    result = subprocess.run(["qemu-system-riscv32", *words], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    lines = result.stdout.decode().splitlines()
    assert [line for line in lines if "FAIL at" in line] == [
        line for line in lines if line.startswith("  atomics ") and "check 00000004, last trap: mcause 00000004" in line
    ]
    assert sum(line.endswith("PASS") for line in lines) >= PARTS - 1


# -- conform -------------------------------------------------------------------------------------------------------


@pytest.fixture
def suite(program, tmp_path):
    """A suite with every kind of outcome."""
    program(TOHOST.format(value=1), "suite/good")
    program(TOHOST.format(value=7 << 1 | 1), "suite/sub/bad.elf")
    program(FOREVER, "suite/endless")
    program(".word 0\n", "suite/stuck")
    program(SIGNATURE, "suite/signed.elf")
    (tmp_path / "suite/signed.reference_output").write_text("DEADBEEF\n00000001\n80000000\n")
    program(SIGNATURE, "suite/wrong.elf")
    (tmp_path / "suite/wrong.reference_output").write_text("deadbeef\n00000002\n80000000\n")
    program(TOHOST.format(value=1), "suite/unsigned.elf")
    (tmp_path / "suite/unsigned.reference_output").write_text("deadbeef\n")
    other = bytearray((tmp_path / "suite/good").read_bytes())
    other[4] = 2
    (tmp_path / "suite/rv64").write_bytes(other)
    (tmp_path / "suite/good.dump").write_text("no program")
    return "suite"


def test_a_suite_is_run_and_reported(command, suite, tmp_path):
    result = command("conform", suite, "--timeout", "0.5", "--junit", "junit.xml")
    rows = [line.split() for line in result.stdout.decode().splitlines()]
    table = {row[3]: (row[0], row[1]) for row in rows[1:-1]}
    assert table == {
        "suite/good": ("pass", "-"),
        "suite/sub/bad.elf": ("FAIL", "7"),
        "suite/endless": ("TIMEOUT", "-"),
        "suite/stuck": ("FAIL", "-"),
        "suite/signed.elf": ("pass", "-"),
        "suite/wrong.elf": ("FAIL", "-"),
        "suite/unsigned.elf": ("FAIL", "-"),
        "suite/rv64": ("skip", "-"),
    }
    assert [row[3] for row in rows[1:-1]] == sorted(table)
    assert " ".join(rows[-1]).startswith("2 passed, 4 failed, 1 timed out, 1 skipped of 8 in ")
    assert result.returncode == 1
    assert result.stderr == b""
    root = ET.parse(tmp_path / "junit.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("8", "5", "1")


def test_a_suite_that_passes_is_status_0(command, program):
    program(TOHOST.format(value=1), "suite/a")
    program(TOHOST.format(value=1), "suite/b")
    result = command("conform", "suite", "suite/a")
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1].startswith(b"2 passed, 0 failed of 2 in ")


def test_results_never_overwrite_a_test(command, suite, tmp_path):
    for name in ("suite/good", "suite/signed.reference_output"):
        before = (tmp_path / name).read_bytes()
        result = command("conform", suite, "--junit", name)
        assert result.returncode == 2
        assert b"would overwrite" in result.stderr
        assert (tmp_path / name).read_bytes() == before


def test_interrupting_a_suite_leaves_nothing_running(start, program):
    for n in range(4):
        program(FOREVER, f"suite/{n}")
    process = start("conform", "suite", "--timeout", "60", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline()
    children = []
    while not children:
        assert process.poll() is None
        listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
        children = listing.stdout.split()
    process.send_signal(2)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    alive = subprocess.run(["ps", "-o", "pid=", "-p", ",".join(children)], capture_output=True, text=True)
    assert alive.stdout.strip() == ""


# -- listings ------------------------------------------------------------------------------------------------------

CODE = """
_start: lui   sp, 0x80010
        addi  a0, zero, 1
        c.li  a1, 2
        jal   ra, helper
        beq   a0, a1, _start
        ecall
helper: auipc t0, 0
        lw    t1, 8(t0)
        jalr  zero, 0(ra)
        .word 0, 0, 0
"""


def test_a_listing_has_objdumps_layout(command, program, tmp_path):
    from tests.soc.test_listing import code_elf

    (tmp_path / "a.elf").write_bytes(code_elf(CODE))
    lines = command("disasm", "a.elf").stdout.decode().splitlines()
    assert lines[:6] == [
        "",
        "a.elf:     file format elf32-littleriscv",
        "",
        "",
        "Disassembly of section .text:",
        "",
    ]
    assert lines[6] == "80000000 <_start>:"
    assert lines[7] == "80000000:\t80010137          \tlui\tsp,0x80010"
    assert lines[9] == "80000008:\t4589                \tli\ta1,2"
    assert lines[10] == "8000000a:\t00c000ef          \tjal\t80000016 <helper>"
    assert lines[12] == "80000012:\t00000073          \tecall"
    assert lines[13:15] == ["", "80000016 <helper>:"]
    assert lines[-1] == "\t..."


def test_device_tree_source_is_accepted_by_dtc(command):
    source = command("dts", "--memory", "64M", "--append", 'quoted "text"').stdout
    assert b"riscv-virtio" in source
    assert b'bootargs = "quoted \\"text\\"";' in source
    if not shutil.which("dtc"):
        pytest.skip("needs dtc")
    result = subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-"], input=source, capture_output=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout[:4] == b"\xd0\x0d\xfe\xed"


# -- help ----------------------------------------------------------------------------------------------------------


def test_help_shows_every_option_and_command(command):
    text = command("--help").stdout.decode()
    for option in GRAMMAR.options:
        assert f" {option.name}" in text
    for name in GRAMMAR.commands:
        assert f"\n  {name or '(none)'}" in text
    assert text == usage.overview(GRAMMAR)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", [name for name in GRAMMAR.commands if name])
def test_every_command_has_help_of_its_own(command, name):
    result = command(name, "--help")
    assert result.returncode == 0
    assert result.stdout.decode().startswith(f"usage: rvsim [OPTIONS] {name}")
    assert command("--help", name).stdout == result.stdout


def test_version(command):
    import rvsim

    assert command("--version").stdout.decode() == f"rvsim {rvsim.__version__}\n"


def test_hello(command, program):
    assert command("run", program(HELLO)).returncode == 0


def test_self_test_runs_without_a_cache(tmp_path):
    file = tmp_path / "file"
    file.write_text("no folder can be made below this")
    environment = {**os.environ, "XDG_CACHE_HOME": str(file)}
    done = subprocess.run([sys.executable, "-m", "rvsim.soc"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "FAIL" not in done.stdout


def test_missing_file_is_named_before_a_guest_that_is_not_built(tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "rvsim.soc", "boot", "--kernel", "/nonexistent"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "kernel /nonexistent" in done.stderr
