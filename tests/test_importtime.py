"""A warm start imports next to nothing: it has a few milliseconds for everything."""

import os
import subprocess
import sys

import pytest

# Each costs milliseconds; numpy, amaranth and llvmlite cost a hundred.
FORBIDDEN = {
    "numpy",
    "amaranth",
    "llvmlite",
    "elftools",
    "rich",
    "fdt",
    "zstandard",
    "argparse",
    "dataclasses",
    "enum",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "re",
    "signal",
    "subprocess",
    "tempfile",
    "typing",
    "rvsim.isa.instruction",
    "rvsim.isa.tables",
    "rvsim.soc.cli.parser",
}

# Stores 1 (pass) to tohost.
PROGRAM = """
        auipc t0, 1
        li    t1, 1
        sw    t1, 0(t0)
stop:   j     stop
"""


def imported(*words):
    """Modules that a command line imports, beyond those of an interpreter that only starts."""
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(_rvsim()))}
    # -S: what the site configuration of this environment imports is none of our doing.
    command = [sys.executable, "-S", "-X", "importtime", *words]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return result.returncode, {line.split("|")[-1].strip() for line in lines}


def _rvsim():
    import rvsim

    return rvsim.__file__


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """An ELF file of three instructions that ends at once."""
    import struct

    from rvsim.isa.assembler import assemble

    code = bytes(assemble(PROGRAM, 0x80000000))
    names = b"\0tohost\0"
    symbols = bytes(16) + struct.pack("<IIIBBH", 1, 0x80001000, 8, 0x11, 0, 0xFFF1)
    data_at = 0x100
    sections_at = data_at + len(code) + len(symbols) + len(names)
    header = b"\x7fELF\1\1\1" + bytes(9)
    header += struct.pack("<HHIIIIIHHHHHH", 2, 243, 1, 0x80000000, 52, sections_at, 0, 52, 32, 1, 40, 3, 0)
    header += struct.pack("<8I", 1, data_at, 0x80000000, 0x80000000, len(code), 0x2000, 7, 0x1000)
    sections = bytes(40)
    sections += struct.pack("<10I", 0, 2, 0, 0, data_at + len(code), len(symbols), 2, 1, 4, 16)
    sections += struct.pack("<10I", 0, 3, 0, 0, data_at + len(code) + len(symbols), len(names), 0, 0, 1, 0)
    path = tmp_path_factory.mktemp("startup") / "a.elf"
    path.write_bytes(header.ljust(data_at, b"\0") + code + symbols + names + sections)
    return str(path)


def test_a_warm_run_imports_nothing_heavy(program):
    words = ("-m", "rvsim.soc", "--fast", "run", program)
    assert subprocess.run([sys.executable, *words], stdin=subprocess.DEVNULL).returncode == 0
    status, modules = imported(*words)
    assert status == 0
    assert modules & FORBIDDEN == set()
    assert not any(name.split(".")[0] in FORBIDDEN for name in modules)


def test_an_answer_at_once_imports_no_machine():
    _, modules = imported("-m", "rvsim.soc", "--version")
    assert modules & (FORBIDDEN | {"rvsim.cpu.functional.core"}) == set()


def test_the_reader_of_the_command_line_imports_nothing_heavy():
    _, modules = imported("-c", "from rvsim.soc.cli.main import parse; parse(['--fast', 'run', 'a.elf'])")
    assert "rvsim.soc.cli.grammar" in modules
    assert modules & FORBIDDEN == set()
