"""What random designs say, compared with Amaranth's own simulator."""

import contextlib
import io
import random
import warnings

import pytest
from amaranth.hdl import Assert, Assume, Cover, Format, Module, Print
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine, Runner
from rvsim.sim.options import Options

from .designs import RandomDesign


class Talking(RandomDesign):
    """Prints and properties among random logic; combinational ones say everything that they look at."""

    def elaborate(self, platform):
        m, r = super().elaborate(platform), self._random
        for number in range(r.randrange(1, 6)):
            values = [self._value(self.signals, 1) for _ in range(r.randrange(1, 4))]
            text = f"{number}:" + "".join(r.choice((" {}", " {:x}", " {:>+9}", " {:#_b}")) for _ in values)
            with m.If(self._value(self.signals, 1)):
                m.d.sync += Print(Format(text, *values))
            if r.random() < 0.4:
                with m.If(self._value(self.signals, 1) == r.getrandbits(3)):
                    kind = r.choice((Assert, Assume, Cover))
                    m.d.sync += kind(self._value(self.signals, 1), Format(text, *values))
        m.submodules.watching = watching = Module()
        seen = r.sample(self.registers, 2)
        with watching.If(seen[0][0]):
            watching.d.comb += Print("comb", *seen)
        return m


def talk(seed, size, engine):
    """What a random design says under an engine of Amaranth's simulator, or (``None``) a runner."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = Talking(seed, size=size)
        simulator = Simulator(design, engine=engine or "pysim")
    inputs = [s for s in design.inputs if len(s)]
    r = random.Random(seed)
    stimuli = [[r.choice([0, -1, 1, r.getrandbits(140)]) for _ in inputs] for _ in range(25)]
    if engine is None:
        options = Options(guards=None, in_place=None, two_phases=None, switches=None, poison=True, seed=seed)
        run, texts = Runner(simulator._design, options=options), []
        run.print = texts.append
        try:
            for values in stimuli:
                for target, value in zip(inputs, values):
                    with contextlib.suppress(KeyError):
                        run[target] = value & ((1 << len(target)) - 1)
                run(1)
        except AssertionError as violated:
            return "".join(texts), str(violated)
        return "".join(texts), "None"
    simulator.add_clock(1e-6)

    async def bench(ctx):
        for values in stimuli:
            for target, value in zip(inputs, values):
                ctx.set(target, value)
            await ctx.tick()

    simulator.add_testbench(bench)
    error = None
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            simulator.run()
        except AssertionError as violated:
            error = violated
    return out.getvalue(), str(error)


@pytest.mark.parametrize("size", [4, 12])
def test_random_designs_say_what_they_say_under_pysim(size):
    assert compare(size, range(2000, 2005)) < 5


@pytest.mark.slow
def test_many_random_designs_say_what_they_say_under_pysim():
    assert 0 < sum(compare(size, range(2100, 2112)) for size in (6, 16, 24)) < 30


def compare(size, seeds):
    """Compares what random designs say; in how many a property was violated."""
    violated = 0
    for seed in seeds:
        theirs, error = talk(seed, size, "pysim")
        assert talk(seed, size, CompiledEngine) == (theirs, error), seed
        ours, ending = talk(seed, size, None)
        assert ours.startswith(theirs), seed
        assert ending.startswith(error), seed
        assert error != "None" or ours == theirs, seed
        violated += error != "None"
    return violated
