"""Machines on both engines: the integer reference, and the compiled core."""

import pytest

from rvsim.cpu.functional import FunctionalCore
from rvsim.soc import Machine, SocConfig
from tests.soc.programs import program_elf
from tests.soc.slow_core import SlowCore


@pytest.fixture(params=[SlowCore, FunctionalCore], ids=["reference", "functional"])
def make_machine(request, tmp_path):
    """Make a machine of 4 MiB, with a program in assembler source if one is given."""

    def make(source=None, **fields):
        machine = Machine(SocConfig(**{"memory": 4 << 20, **fields}), core=request.param)
        if source is not None:
            path = tmp_path / "program.elf"
            path.write_bytes(program_elf(source))
            machine.load_elf(str(path))
        return machine

    return make
