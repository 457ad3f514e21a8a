"""``run`` as a person sees it: streams, exit status, results, mistakes."""

import json
import os
import resource
import subprocess
import sys
import time

import pytest

from tests.soc.programs import HELLO, POWER_OFF

TOHOST = """
        la    t0, tohost
        li    t1, {value}
        sw    t1, 0(t0)
1:      j     1b
        .align 3
tohost: .word 0, 0
"""
FINISHER = "li t0, 0x100000\n li t1, {value}\n sw t1, 0(t0)\n1: j 1b\n"
FOREVER = "1: j 1b\n"
CHATTER = """
        li    t0, 0x10000000
1:      li    t1, 46
        li    t2, 63
2:      sb    t1, 0(t0)
        addi  t2, t2, -1
        bnez  t2, 2b
        li    t1, 10
        sb    t1, 0(t0)
        j     1b
"""
SIGNATURE = """
        la    t0, tohost
        li    t1, 1
        sw    t1, 0(t0)
1:      j     1b
        .align 3
tohost: .word 0, 0
begin_signature:
        .word 0xdeadbeef, 1, 0x80000000
end_signature:
"""


def only_line(result):
    """The one line on standard error; nothing else may have been printed."""
    assert result.stdout == b""
    text = result.stderr.decode()
    assert text.startswith("rvsim: ")
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    return text[len("rvsim: ") : -1]


def test_standard_output_is_the_guests(command, program):
    result = command("run", program(HELLO))
    assert (result.returncode, result.stdout, result.stderr) == (0, b"hello\nworld\n", b"")


@pytest.mark.parametrize(("value", "status"), [(1, 0), (3, 1), (84 << 1 | 1, 84), (1337 << 1 | 1, 255)])
def test_the_status_is_what_the_guest_wrote_to_tohost(command, program, value, status):
    result = command("run", program(TOHOST.format(value=value)))
    assert (result.returncode, result.stdout) == (status, b"")


@pytest.mark.parametrize(("value", "status"), [(0x5555, 0), (0x33333, 3), (0x3333, 1), (0x1003333, 255)])
def test_the_status_is_what_the_test_finisher_was_told(command, program, value, status):
    assert command("run", program(FINISHER.format(value=value))).returncode == status


def test_a_reboot_reboots_unless_told_not_to(command, program):
    name = program(FINISHER.format(value=0x7777))
    assert command("run", name, "--no-reboot").returncode == 0
    assert command("run", name, "--timeout", "0.3").returncode == 124


def test_limits_end_with_124_and_say_so(command, program):
    name = program(FOREVER)
    result = command("run", name, "--timeout", "0.2")
    assert (result.returncode, only_line(result)) == (124, "the time limit of 0.2 s was reached")
    result = command("run", name, "--max-instructions", "12345", "--stats-json", "s.json")
    assert (result.returncode, only_line(result)) == (124, "the limit of 12,345 instructions was reached")


def test_the_instruction_limit_is_exact(command, program, tmp_path):
    command("run", program(FOREVER), "--max-instructions", "1234567", "--stats-json", "s.json")
    assert json.loads((tmp_path / "s.json").read_text())["instructions"] == 1234567


def test_statistics_have_stable_keys(command, program, tmp_path):
    result = command("run", program(HELLO), "--stats", "--stats-json", "s.json")
    stats = json.loads((tmp_path / "s.json").read_text())
    assert list(stats) == ["instructions", "cycles", "seconds", "seconds_to_ready", "mips", "fidelity", "detail"]
    assert stats["cycles"] is None
    assert stats["seconds_to_ready"] is None
    assert stats["instructions"] > 20
    assert stats["fidelity"]["cpu"] == stats["fidelity"]["uart"] == "functional"
    assert {"traps", "interrupts", "tlb", "code_cache"} <= set(stats["detail"])
    assert result.stdout == b"hello\nworld\n"
    assert b"instructions" in result.stderr


def test_a_stuck_hart_is_shown(command, program):
    result = command("run", program(".word 0\n"))
    text = result.stderr.decode()
    assert result.returncode == 3
    assert result.stdout == b""
    assert text.startswith("rvsim: the hart is stuck: ")
    assert "mcause" in text
    assert "Traceback" not in text


def test_a_signature_has_four_bytes_a_line(command, program, tmp_path):
    assert command("run", program(SIGNATURE), "--signature", "sig").returncode == 0
    assert (tmp_path / "sig").read_text() == "deadbeef\n00000001\n80000000\n"


def test_a_trace_has_every_instruction(command, program, tmp_path):
    result = command("run", program(POWER_OFF), "--trace", "log", "--stats-json", "s.json")
    assert result.returncode == 0
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == json.loads((tmp_path / "s.json").read_text())["instructions"]
    assert lines[0].startswith("core   0: 3 0x00001000 (0x")
    assert lines[-1].endswith(" mem 0x00100000 0x00005555")


def test_a_traced_run_ends_as_an_untraced_one(command, program):
    for source in (HELLO, TOHOST.format(value=7), ".word 0\n", FINISHER.format(value=0x23333)):
        name = program(source)
        plain, traced = command("run", name), command("run", name, "--trace", "log")
        assert (plain.returncode, plain.stdout) == (traced.returncode, traced.stdout)


# -- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        (("run", "missing.elf"), "missing.elf"),
        (("run", "."), "directory"),
        (("run", "fifo"), "FIFO"),
        (("run", "text"), "text"),
        (("run", "short.elf"), "short.elf"),
        (("run", "empty"), "empty"),
        (("run", "a.elf", "--memory", "1k"), "memory"),
        (("run", "a.elf", "--memory", "8G"), "memory"),
        (("run", "a.elf", "--isa", "rv32imaq"), "--isa"),
        (("run", "a.elf", "--isa", "rv64gc"), "--isa"),
        (("run", "a.elf", "--trace", "missing/log"), "missing"),
        (("run", "a.elf", "--trace", "a.elf"), "would overwrite program a.elf"),
        (("run", "a.elf", "--stats-json", "./link"), "would overwrite"),
        (("run", "a.elf", "--trace", "x", "--stats-json", "x"), "would overwrite --trace x"),
        (("run", "a.elf", "--signature", "s"), "begin_signature"),
        (("run", "a.elf", "--signature", "."), "directory"),
        (("run", "a.elf", "--dtb", "a.elf"), "a.elf"),
        (("run", "a.elf", "--cycle"), "--cycle is not yet available"),
        (("--cycle", "run", "a.elf"), "--cycle is not yet available"),
        (("run",), "FILE"),
        (("boot", "--kernel", "missing", "--initrd", "none", "--firmware", "missing"), "missing"),
        (("conform", "missing"), "missing"),
        (("conform", "."), None),
        (("disasm", "text"), "text"),
        (("disasm", "fifo"), "FIFO"),
        (("guest", "bild"), "build"),
        (("guest", "path", "kernels"), "kernel"),
        (("dts", "--memory", "3"), "memory"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(command, program, tmp_path, words, needle):
    program(HELLO)
    content = (tmp_path / "a.elf").read_bytes()
    (tmp_path / "short.elf").write_bytes(content[:80])
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "link").symlink_to("a.elf")
    os.mkfifo(tmp_path / "fifo")
    if words[0] == "conform" and needle is None:
        (tmp_path / "a.elf").unlink()
        (tmp_path / "short.elf").unlink()
        words, needle = ("conform", "."), "no ELF file"
    before = sorted(os.listdir(tmp_path))
    result = command(*words)
    assert result.returncode == 2
    assert needle in only_line(result)
    assert sorted(os.listdir(tmp_path)) == before


def test_the_traceback_is_for_developers(command):
    result = command("run", "missing.elf", "--log-level", "debug")
    assert result.returncode == 2
    assert b"Traceback" in result.stderr
    assert b"Traceback" not in command("run", "missing.elf").stderr


def test_outside_of_its_environment_it_names_make_setup(command, program, tmp_path):
    name = program(HELLO)
    blocker = tmp_path / "site"
    (blocker / "elftools").mkdir(parents=True)
    (blocker / "elftools" / "__init__.py").write_text("raise ModuleNotFoundError('no', name='elftools')")
    from .conftest import ROOT, environment

    result = command("disasm", name, env=environment(PYTHONPATH=f"{blocker}:{ROOT}"))
    assert result.returncode == 2
    assert "make setup" in only_line(result)


# -- streams and signals -------------------------------------------------------------------------------------------


def test_a_reader_that_has_seen_enough_ends_the_run_quietly(start, program):
    process = start("run", program(CHATTER), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout.read(64) == b"." * 63 + b"\n"
    process.stdout.close()
    assert process.wait(20) == 128 + 13
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(command, program, tmp_path):
    name = program(HELLO)
    with open("/dev/full", "wb") as full:
        result = command("run", name, stdout=full)
    assert result.returncode == 2
    assert result.stderr == b"rvsim: standard output: No space left on device\n"
    for option in ("--trace", "--stats-json"):
        result = command("run", name, option, "/dev/full")
        assert result.returncode == 2
        assert b"No space left on device" in result.stderr
        assert b"Traceback" not in result.stderr


def test_no_part_of_a_result_is_left_when_the_disk_is_full(command, program, tmp_path):
    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    name = program(FOREVER)
    result = command("run", name, "--max-instructions", "5000", "--trace", "log", preexec_fn=small_disk)
    assert result.returncode == 2
    assert "--trace log: File too large" in only_line(result)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(("signal", "status"), [("INT", 130), ("TERM", 143), ("HUP", 129)])
def test_a_signal_ends_the_run_with_its_status(start, program, tmp_path, signal, status):
    process = start(
        "run",
        program(CHATTER),
        "--trace",
        "log",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    process.stdout.read(64)
    subprocess.run(["kill", f"-{signal}", str(process.pid)], check=True)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == status
    assert errors == f"rvsim: ended by SIG{signal}\n".encode()
    # A whole log of what ran, under its name.
    assert sorted(os.listdir(tmp_path)) == ["a.elf", "log"]
    assert (tmp_path / "log").read_bytes().endswith(b"\n")


def test_a_signal_reaches_a_guest_that_computes_or_waits(start, program):
    waits = "li t0, 0x80\n csrw mie, t0\n li t1, 0x02004000\n li t2, 5\n sw t2, 4(t1)\n1: wfi\n j 1b\n"
    polls = "li t0, 0x10000000\n li t1, 1\n sb t1, 1(t0)\n li t2, 0x800\n csrw mie, t2\n1: wfi\n j 1b\n"
    for number, source in enumerate((FOREVER, waits, polls)):
        # An open pipe as input: more could come, and the guest waits for it.
        process = start(
            "run",
            program(source, f"{number}.elf"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        time.sleep(0.5)
        assert process.poll() is None, process.communicate()
        process.send_signal(2)
        begin = time.monotonic()
        process.communicate(timeout=20)
        assert process.returncode == 130
        assert time.monotonic() - begin < 2


def test_closed_streams_are_no_error(command, program, tmp_path):
    name = program(HELLO)
    line = f"{sys.executable} -m rvsim.soc run {name} --stats-json s.json <&- >&- 2>&-"
    from .conftest import environment

    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment(), timeout=60).returncode == 0
    assert json.loads((tmp_path / "s.json").read_text())["instructions"]


ECHO = """
        li    s0, 0x10000000
        li    t0, 1
        sb    t0, 1(s0)
1:      lbu   t0, 5(s0)
        andi  t0, t0, 1
        beqz  t0, 1b
        lbu   t1, 0(s0)
        sb    t1, 0(s0)
        li    t2, 113
        bne   t1, t2, 1b
        li    t0, 0x100000
        li    t1, 0x5555
        sw    t1, 0(t0)
2:      j     2b
"""


def test_standard_input_is_the_consoles(command, program):
    data = bytes(range(113)) * 20 + b"q"
    result = command("run", program(ECHO), input=data)
    assert (result.returncode, result.stdout) == (0, data)


def test_the_end_of_the_input_does_not_end_the_run(command, program):
    result = command("run", program(ECHO), "--timeout", "0.5", input=b"abc")
    assert (result.returncode, result.stdout) == (124, b"abc")


def test_compiling_the_core_is_announced_once(command, program, tmp_path):
    from .conftest import environment

    name = program(HELLO)
    cache = environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
    first, second = command("run", name, env=cache), command("run", name, env=cache)
    assert (first.returncode, second.returncode) == (0, 0)
    assert b"compiling the functional core" in only_errors(first)
    assert only_errors(second) == b""


def only_errors(result):
    assert result.stdout == b"hello\nworld\n"
    return result.stderr


def test_more_memory_than_the_host_has_is_one_line(command, program):
    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))

    result = command("run", program(HELLO), "--memory", "2G", preexec_fn=little_memory)
    assert result.returncode == 2
    assert "memory" in only_line(result)


def test_standard_input_is_an_input_too(command, program, tmp_path):
    name = program(HELLO)
    (tmp_path / "typed").write_text("poweroff\n")
    with open(tmp_path / "typed") as typed:
        result = command("run", name, "--trace", "typed", stdin=typed)
    assert (result.returncode, (tmp_path / "typed").read_text()) == (2, "poweroff\n")
    assert "would overwrite standard input" in only_line(result)


def test_python_without_the_packages_names_make_setup(tmp_path):
    from .conftest import ROOT, environment

    # -S: no site-packages, as with another Python; an empty cache, so that the core has to be compiled.
    line = [sys.executable, "-S", "-m", "rvsim.soc"]
    cache = environment(PYTHONPATH=str(ROOT), XDG_CACHE_HOME=str(tmp_path))
    result = subprocess.run(line, capture_output=True, env=cache, cwd=tmp_path)
    assert result.returncode == 2
    assert only_line(result).startswith("the Python package 'llvmlite' is missing: run `make setup`")


def test_names_that_are_no_text_leave_as_they_came(command, tmp_path):
    from tests.soc.programs import program_elf

    name = os.fsdecode(b"suite/a\xff b.elf")
    (tmp_path / "suite").mkdir()
    (tmp_path / name).write_bytes(program_elf(TOHOST.format(value=1)))
    result = command("conform", "suite", "--junit", "junit.xml")
    assert result.returncode == 0
    assert b"a\xff b.elf" in result.stdout
    result = command("run", os.fsdecode(b"no\xff\n"))
    assert result.returncode == 2
    only_line(result)
