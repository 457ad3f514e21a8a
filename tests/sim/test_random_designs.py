"""Random designs, cycle by cycle against Amaranth's own simulator."""

import random
import warnings

import pytest
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine, Runner

from .designs import RandomDesign
from .versus import is_part

CYCLES = 40


def compare(seed, size, cycles=CYCLES):
    """Differences (cycle, signal, ours, pysim's) of one design under random inputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random conditions look like mistakes
        design = RandomDesign(seed, size=size)
        simulator = Simulator(design)
    simulator.add_clock(1e-6)
    run = Runner(simulator._design)
    r, found = random.Random(seed), []
    present = [s for s in design.signals if is_part(run, s)]
    inputs = [s for s in design.inputs if len(s) and is_part(run, s)]

    async def bench(ctx):
        for cycle in range(cycles):
            for signal in inputs:
                value = r.choice([0, -1, 1, r.getrandbits(140)]) & ((1 << len(signal)) - 1)
                run[signal] = value
                signed = signal.shape().signed and value >> (len(signal) - 1)
                ctx.set(signal, value - (1 << len(signal)) if signed else value)
            for signal in present:
                ours, theirs = run[signal], ctx.get(signal) & ((1 << len(signal)) - 1)
                if ours != theirs:
                    found.append((cycle, signal.name, hex(ours), hex(theirs)))
            if found:
                return
            await ctx.tick()
            run(1)

    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("size", [4, 8, 16, 30, 60])
def test_random_designs_agree_with_pysim(size):
    for seed in range(6):
        assert compare(seed, size) == [], f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("size", [6, 24, 96])
def test_many_random_designs_agree_with_pysim(size):
    for seed in range(1000, 1010):
        assert compare(seed, size) == [], f"seed {seed}"


def trace(seed, size, engine, cycles=30):
    """Values of all signals of a design with two clocks, tick by tick, under one engine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = RandomDesign(seed, size=size, domains=("sync", "other"))
        simulator = Simulator(design, engine=engine)
    simulator.add_clock(1e-6)
    simulator.add_clock(0.37e-6, domain="other")
    r, seen = random.Random(seed), []

    async def bench(ctx):
        for _ in range(cycles):
            for signal in design.inputs:
                value = r.choice([0, -1, 1, r.getrandbits(140)]) & ((1 << len(signal)) - 1)
                signed = signal.shape().signed and len(signal) and value >> (len(signal) - 1)
                ctx.set(signal, value - (1 << len(signal)) if signed else value)
            seen.append([ctx.get(signal) for signal in design.signals])
            await ctx.tick("other" if r.random() < 0.7 else "sync")

    simulator.add_testbench(bench)
    simulator.run()
    return [s.name for s in design.signals], seen


@pytest.mark.parametrize("size", [6, 20, 50])
def test_simulators_agree_on_designs_with_two_clocks(size):
    for seed in range(500, 508):
        names, theirs = trace(seed, size, "pysim")
        _, ours = trace(seed, size, CompiledEngine)
        for cycle, (a, b) in enumerate(zip(ours, theirs)):
            assert a == b, (seed, cycle, [n for n, x, y in zip(names, a, b) if x != y])
