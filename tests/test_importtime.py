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
    """A program that powers off at once."""
    from tests.soc.programs import POWER_OFF, program_elf

    path = tmp_path_factory.mktemp("startup") / "a.elf"
    path.write_bytes(program_elf(POWER_OFF))
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
