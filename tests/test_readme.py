"""The README's commands do what it says: every line of its `sh` blocks is run, as a newcomer would."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from rvsim.errors import UserError
from rvsim.guest import guest_paths
from tests.soc.programs import POWER_OFF
from tests.soc.test_listing import code_elf

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# Not run here, each with its reason.
SKIPPED = {"make test": "it is what runs this"}
# What is typed into a command that would otherwise wait for a person.
TYPED = {"make boot": "poweroff\n"}
# What the output must hold, where its absence would go unnoticed.
SHOWN = {
    "make boot": ["guest ready", "reboot: Power down"],
    "cat /proc/cpuinfo": ["isa\t\t: rv32imac"],
    "bench;": ["integer", " ok\r\n"],
    "disasm": ["lui\tt0,0x100"],
    "dts": ["/dts-v1/;"],
    "conform": ["pass"],
    "rvsim.sim bench": ["million cycles a second"],
    "rvsim.sim explain": ["operations a cycle"],
    "custom_peripheral": ["reads"],
}


def commands():
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            command = re.sub(r"\s+# .*", "", line).strip()
            if command:
                yield command


COMMANDS = list(commands())


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like the checkout, with a program and a suite, in which commands may leave files."""
    for entry in ROOT.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    # The virtual environment is the real one: `make` is not to install it anew, from a folder that goes away.
    (tmp_path / "installed").touch()
    program = code_elf(POWER_OFF)
    (tmp_path / "a.elf").write_bytes(program)
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "a.elf").write_bytes(program)
    return tmp_path


def test_the_first_screen_has_what_the_first_hour_needs():
    first = "\n".join(README.splitlines()[:40])
    for text in ("make boot", "make test", "guest ready", "Ctrl-A x", "poweroff", "python3-venv"):
        assert text in first


def test_the_commands_are_found():
    assert len(COMMANDS) >= 15 and COMMANDS[:2] == ["make boot", "make test"]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_works(command, checkout):
    if command in SKIPPED:
        pytest.skip(SKIPPED[command])
    if "boot" in command:
        try:
            guest_paths()
        except UserError as error:
            pytest.skip(str(error))
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-c", f"set -eo pipefail\n{command}"],
        cwd=checkout,
        input=TYPED.get(command, "").encode(),
        capture_output=True,
        env={**os.environ, "PATH": path, "MAKEFLAGS": "INSTALLED=installed"},
        timeout=300,
        check=False,
    )
    output = run.stdout.decode(errors="replace")
    assert run.returncode == 0, output + run.stderr.decode(errors="replace")
    for word, texts in SHOWN.items():
        if word in command:
            for text in texts:
                assert text in output
    assert "Traceback" not in run.stderr.decode(errors="replace")


MACHINE, ENGINE = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_python_example_is_current():
    compile(MACHINE, "README.md", "exec")


def test_the_engine_example_works():
    """With a design that has what the example asks of one."""
    m = Module()
    count = Signal(8, name="count")
    m.done, stall = Signal(name="done"), Signal(name="stall")
    m.d.sync += count.eq(count + ~stall)
    m.d.comb += m.done.eq(count == 200)
    names = {"Simulator": Simulator, "dut": m}
    exec(compile(ENGINE, "README.md", "exec"), names)
    assert names["run"]["count"] == 3


@pytest.mark.slow
def test_the_python_example_works(checkout):
    try:
        guest_paths()
    except UserError as error:
        pytest.skip(str(error))
    run = subprocess.run([sys.executable, "-c", MACHINE], cwd=checkout, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0 and run.stdout.startswith("0x"), run.stdout + run.stderr


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_somewhere(path):
    assert (ROOT / path).exists()
