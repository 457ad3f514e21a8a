"""A counter against a plain model: increments, inhibition, and writes of its halves."""

import functools
import random

import pytest
from amaranth.sim import Simulator

from rvsim.cpu.pipeline.counters import Counter
from rvsim.sim import CompiledEngine

SIMULATORS = {"pysim": Simulator, "compiled": functools.partial(Simulator, engine=CompiledEngine)}
LOW, ALL = (1 << 32) - 1, (1 << 64) - 1


@pytest.fixture(params=SIMULATORS)
def simulate(request):
    def simulate(counter, bench):
        sim = SIMULATORS[request.param](counter)
        sim.add_clock(1e-6)
        sim.add_testbench(bench)
        sim.run()

    return simulate


def test_writes_take_the_place_of_increments(simulate):
    choose, counter = random.Random(3), Counter()

    async def bench(ctx):
        value = 0
        for _ in range(500):
            event, inhibit, write = choose.getrandbits(1), choose.random() < 0.2, choose.choice((0, 0, 1, 2))
            data = choose.choice((LOW, LOW - 1, 0, choose.getrandbits(32)))
            for signal, level in ((counter.event, event), (counter.inhibit, inhibit), (counter.write, write)):
                ctx.set(signal, level)
            ctx.set(counter.data, data)
            await ctx.tick()
            if write == 1:
                value = value & ~LOW | data
            elif write == 2:
                value = value & LOW | data << 32
            elif event and not inhibit:
                value = value + 1 & ALL
            assert ctx.get(counter.value) == value

    simulate(counter, bench)


def test_carry_goes_into_the_upper_half_and_out_of_it(simulate):
    counter = Counter()

    async def bench(ctx):
        ctx.set(counter.data, LOW)
        for write in (1, 2):
            ctx.set(counter.write, write)
            await ctx.tick()
        ctx.set(counter.write, 0)
        ctx.set(counter.event, 1)
        await ctx.tick()
        assert ctx.get(counter.value) == 0
        ctx.set(counter.write, 1)
        await ctx.tick()
        ctx.set(counter.write, 0)
        await ctx.tick()
        assert ctx.get(counter.value) == 1 << 32

    simulate(counter, bench)
