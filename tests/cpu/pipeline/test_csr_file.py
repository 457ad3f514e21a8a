"""The CSR file against the reference hart: random accesses, traps, returns, interrupt lines and retirements."""

import functools

import pytest
from amaranth.hdl import ResetInserter, Signal, Value
from amaranth.sim import Simulator

from rvsim.cpu.pipeline.csr_file import CsrFile
from rvsim.isa.config import MULTI, SINGLE, IsaConfig
from rvsim.sim import CompiledEngine, Runner
from tests.cpu.pipeline.csr_scenario import Life, expected_words

ALL = frozenset((*SINGLE, *MULTI))
CONFIGURATIONS = {
    "everything": IsaConfig(),
    "no supervisor timer": IsaConfig(extensions=ALL - {"sstc"}),
    "no protection": IsaConfig(pmp_entries=0),
    "no compressed instructions": IsaConfig(extensions=ALL - {"c"}),
    "no counters": IsaConfig(extensions=ALL - {"zicntr"}),
    "as little as possible": IsaConfig(extensions=frozenset({"i", "zicsr"}), pmp_entries=0, asid_bits=0),
    **{f"{bits} bits of ASID": IsaConfig(asid_bits=bits) for bits in range(9)},
}
SIMULATORS = {"pysim": Simulator, "compiled": functools.partial(Simulator, engine=CompiledEngine)}


class Bench:
    """A CSR file with a reset, and its members by name."""

    def __init__(self, config):
        self.file = CsrFile(config)
        self.reset = Signal()
        self.design = ResetInserter(self.reset)(self.file)

    @functools.cache
    def __getitem__(self, name):
        if name == "reset":
            return self.reset
        found = self.file
        for part in name.split("."):
            found = found[int(part)] if part.isdigit() else getattr(found, part)
        return Value.cast(found)

    def check(self, read, expected, what, history):
        for name, value in expected.items():
            signal = self.file.words[name] if what == "word" else self[name]
            found = read(signal)
            assert found == value, f"{what} {name} is {found:#x}, not {value:#x}, after {history}"


def told(inputs):
    """What happens in a cycle, in short."""
    return ", ".join(f"{name}={value:#x}" for name, value in inputs.items() if value)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_random_life_on_a_bench(simulator):
    bench_ = Bench(IsaConfig())

    async def bench(ctx):
        for inputs, outputs, hart in Life(IsaConfig(), 1, episode=150).cycles(400):
            for name, value in inputs.items():
                ctx.set(bench_[name], value)
            bench_.check(ctx.get, outputs, "output", told(inputs))
            await ctx.tick()
            bench_.check(ctx.get, expected_words(hart, bench_.file.words), "word", told(inputs))

    sim = SIMULATORS[simulator](bench_.design)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


def live(config, seed, cycles):
    """Compare so many cycles; everything is compared in each."""
    bench = Bench(config)
    run = Runner(bench.design)
    before = {}
    for inputs, outputs, hart in Life(config, seed).cycles(cycles):
        for name, value in inputs.items():
            if before.get(name) != value:
                run[bench[name]] = value
        before = inputs
        bench.check(run.__getitem__, outputs, "output", told(inputs))
        run(1)
        bench.check(run.__getitem__, expected_words(hart, bench.file.words), "word", told(inputs))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_random_life(name):
    live(CONFIGURATIONS[name], name, 2000)
