"""The register file against a list."""

import random

import pytest

from rvsim.cpu.pipeline.register_file import RegisterFile
from rvsim.sim import Runner

from .benches import ENGINES, simulate


@pytest.mark.parametrize("engine", ENGINES)
def test_it_is_a_list_whose_first_element_stays_zero(engine):
    chooser = random.Random(1)
    dut, model = RegisterFile(), [0] * 32

    async def bench(ctx):
        for _ in range(2000):
            write, rd, value = (
                chooser.random() < 0.7,
                chooser.choice((0, chooser.randrange(32))),
                chooser.getrandbits(32),
            )
            first, second = chooser.choice((0, rd, chooser.randrange(32))), chooser.choice((rd, chooser.randrange(32)))
            ctx.set(dut.write, write)
            ctx.set(dut.rd, rd)
            ctx.set(dut.rd_value, value)
            ctx.set(dut.rs1, first)
            ctx.set(dut.rs2, second)
            assert ctx.get(dut.rs1_value) == model[first], "a write shows from the next cycle on"
            assert ctx.get(dut.rs2_value) == model[second]
            await ctx.tick()
            if write and rd:
                model[rd] = value
            assert ctx.get(dut.rs1_value) == model[first]

    simulate(dut, bench, engine)


def test_the_storage_can_be_seen_and_changed_from_outside():
    dut = RegisterFile()
    run = Runner(dut)
    run.memory("registers")[5] = 0x1234
    run[dut.rs1] = 5
    assert run[dut.rs1_value] == 0x1234
    run[dut.rd], run[dut.rd_value], run[dut.write] = 31, 7, 1
    run(1)
    assert run.memory("registers")[31] == 7
