"""The self-test program: built from source, kept by content, right on every engine."""

import os

from rvsim.cpu.functional import FunctionalCore
from rvsim.soc import Machine, SocConfig
from rvsim.soc.selftest import ORIGIN, image, program_path
from rvsim.soc.trace import CommitLog

from .slow_core import SlowCore


def test_it_is_kept_until_its_sources_change(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = program_path()
    with open(path, "rb") as file:
        assert file.read() == image.build()
    modified = os.stat(path).st_mtime_ns
    assert program_path() == path
    assert os.stat(path).st_mtime_ns == modified
    changed = tmp_path / "changed" / "program.S"
    changed.parent.mkdir()
    with open(image.SOURCE) as file:
        changed.write_text(file.read() + "\n nop\n")
    monkeypatch.setattr(image, "SOURCE", str(changed))
    assert program_path() != path


def test_it_passes_on_the_reference_hart():
    machine = Machine(SocConfig(memory=1 << 20, icount=True), core=SlowCore)
    machine.load_raw(program_path(), address=ORIGIN)
    outcome = machine.run(instructions=100_000)
    assert (outcome.kind, machine.console.transcript.count("PASS")) == ("power-off", 12), machine.console.transcript


def test_both_engines_retire_the_same_instructions(tmp_path):
    logs = []
    for number, core in enumerate((SlowCore, FunctionalCore)):
        machine = Machine(SocConfig(memory=1 << 20, icount=True), core=core)
        machine.load_raw(program_path(), address=ORIGIN)
        if core is SlowCore:
            machine.hart[0].state.rom_base = machine.hart[0].state.rom_size = 0
        with CommitLog(machine.hart[0], machine.config.isa, str(tmp_path / str(number))) as log:
            machine.step_through(log.step)
            assert machine.run(instructions=100_000).kind == "power-off"
        lines = (tmp_path / str(number)).read_text().splitlines()
        # The reference hart does not show its boot ROM, and its clock runs at another rate.
        logs.append([line for line in lines if not line.startswith("core   0: 3 0x00001")])
    assert len(logs[0]) > 3000
    differing = [pair for pair in zip(*logs) if pair[0] != pair[1]]
    assert len(logs[0]) == len(logs[1])
    assert all(mine.split(")")[0] == other.split(")")[0] for mine, other in differing), differing[0]
    assert len(differing) < 10, differing
