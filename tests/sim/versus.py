"""Two simulators side by side on a design made twice from the same numbers."""

import random

from amaranth.hdl import Signal, Value
from amaranth.sim import Simulator

from rvsim.sim import Runner

from .rich import RichDesign, quiet


def random_value(r, signal):
    """A value for a signal, extremes more often than by chance."""
    width = len(signal)
    value = r.choice([0, -1, 1, r.getrandbits(260), r.getrandbits(260)]) & ((1 << width) - 1)
    return value - (1 << width) if signal.shape().signed and width and value >> (width - 1) else value


def is_driven_by_design(simulator, signal):
    """Whether a test bench may not set it."""
    state = simulator._engine._state
    return state.slots[state.get_signal(signal)].is_comb


class Look:
    """All that can be seen of a design in a test bench."""

    def __init__(self, design):
        self.design = design
        self.seen = []

    def __call__(self, ctx):
        rows = [ctx.get(Value.cast(memory[n])) for memory in self.design.memories for n in range(memory.depth)]
        self.seen.append([ctx.get(s) for s in self.design.signals] + rows)

    def names(self):
        """What the columns are."""
        rows = [f"row {n} of {m}" for m, memory in enumerate(self.design.memories) for n in range(memory.depth)]
        return [repr(s) for s in self.design.signals] + rows


def nudge(r, signal):
    """Whether a bench changes an input now: resets seldom."""
    return r.random() < (0.15 if "rst" in signal.name or "control" in signal.name else 0.6)


def free(simulator, design):
    """Inputs that the bench may set: none that the design drives after all."""
    return [s for s in design.inputs if not is_driven_by_design(simulator, s)]


def play(engine, seed, steps=24, *, make=RichDesign, clocks=True, **options):
    """All values of a design, step by step, under one engine.

    ``clocks``: clocks of small periods with coinciding edges; else the bench sets them one by one.
    """
    design = make(seed, **options)
    simulator = quiet(Simulator, design, engine=engine)
    r, look = random.Random(seed), Look(design)
    inputs = free(simulator, design)
    if clocks:
        for domain in design.domains:
            period, phase = r.choice((2, 4, 4, 6, 8)), r.randrange(4)
            simulator.add_clock(period * 1e-6, phase=phase * 1e-6, domain=domain)

    async def bench(ctx):
        for _ in range(steps):
            for signal in inputs:
                if nudge(r, signal):
                    ctx.set(signal, random_value(r, signal))
                    if not clocks:
                        look(ctx)
            if clocks:
                await ctx.delay(r.randrange(1, 4) * 1e-6)
            else:
                clock = r.choice(design.domains).clk
                ctx.set(clock, 1 - ctx.get(clock))
            look(ctx)

    simulator.add_testbench(bench)
    simulator.run()
    return look


def differences(ours, theirs):
    """The first step at which two looks differ: (step, what, ours, theirs)."""
    assert len(ours.seen) == len(theirs.seen)
    for step, (a, b) in enumerate(zip(ours.seen, theirs.seen)):
        if a != b:
            return [(step, name, x, y) for name, x, y in zip(theirs.names(), a, b) if x != y]
    return []


def race(seed, cycles=24, *, make=RichDesign, runner=Runner, **options):
    """The first cycle in which a free run differs from pysim: (cycle, what, ours, theirs) for all that does.

    ``runner`` makes the run from a prepared design.
    """
    design = make(seed, **options)
    simulator = quiet(Simulator, design)
    for domain in design.domains:
        simulator.add_clock(1e-6, phase=0.25e-6, domain=domain)
    run = runner(simulator._design)
    r, look, found = random.Random(seed), Look(design), []
    inputs = [s for s in free(simulator, design) if is_part(run, s)]
    columns = [(n, s) for n, s in enumerate(design.signals) if isinstance(s, Signal) and is_part(run, s)]

    async def bench(ctx):
        for cycle in range(cycles):
            for signal in inputs:
                if nudge(r, signal):
                    value = random_value(r, signal)
                    ctx.set(signal, value)
                    run[signal] = value & ((1 << len(signal)) - 1)
            look(ctx)
            for n, signal in columns:
                theirs = look.seen[-1][n] & ((1 << len(signal)) - 1)
                if run[signal] != theirs:
                    found.append((cycle, repr(signal), hex(run[signal]), hex(theirs)))
            if found:
                return
            await ctx.delay(1e-6)
            run(1)

    simulator.add_testbench(bench)
    simulator.run()
    return found


def is_part(run, signal):
    """Whether a design has a signal at all: nothing is left of one that nobody uses."""
    try:
        run[signal]
    except KeyError:
        return False
    return True
