"""Single constructs that were or could be simulated wrongly, beside Amaranth's own simulator."""

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal, signed, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine
from rvsim.sim.netlist import UnsupportedDesign, prepare

ENGINES = pytest.mark.parametrize("engine", ["pysim", CompiledEngine], ids=["pysim", "compiled"])


def bench(engine, design, drive, *, clock=None):
    """Run a test bench to its end."""
    simulator = Simulator(design, engine=engine)
    if clock:
        simulator.add_clock(clock)
    ended = []

    async def whole(ctx):
        await drive(ctx)
        ended.append(True)

    simulator.add_testbench(whole)
    simulator.run()
    assert ended


@ENGINES
def test_clock_and_reset_of_a_domain_that_nobody_declared_may_be_driven(engine):
    go, stop, count = Signal(), Signal(), Signal(8)
    m = Module()
    m.d.comb += [ClockSignal().eq(go), ResetSignal().eq(stop)]
    m.d.sync += count.eq(count + 1)

    async def drive(ctx):
        for n in range(3):
            ctx.set(go, 1)
            ctx.set(go, 0)
            assert ctx.get(count) == n + 1
        ctx.set(stop, 1)
        ctx.set(go, 1)
        assert ctx.get(count) == 0

    bench(engine, m, drive)


@ENGINES
def test_values_of_billions_of_bits_are_refused_at_once(engine):
    a, b, z = Signal(32), Signal(32), Signal(32)
    m = Module()
    with m.If(a[0]):
        m.d.sync += z.eq((a << b)[3:9] + 1)
    with pytest.raises(OverflowError, match=r"^Value defined at .*test_constructs\.py:\d+ is 4294967327 bits wide"):
        Simulator(m, engine=engine)


def test_loops_of_connections_and_of_bits_are_named():
    a, b = Signal(), Signal()
    for statements in ([a.eq(a)], [a.eq(b), b.eq(a)], [a.eq(b ^ 1), b.eq(~a)]):
        m = Module()
        m.d.comb += statements
        with pytest.raises(UnsupportedDesign, match=r"Combinational cycle detected, path:\n.*test_constructs\.py"):
            prepare(m)


class Defaults(data.Struct):
    a: unsigned(4) = 3
    b: signed(3) = -2


@ENGINES
def test_read_ports_begin_with_and_are_reset_to_the_initial_value_of_their_output(engine):
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.memory = memory = Memory(shape=Defaults, depth=4, init=[{"a": 1}, {"a": 2}])
    port = memory.read_port()

    async def drive(ctx):
        assert ctx.get(port.data) == Defaults.const({})
        await ctx.tick()
        assert ctx.get(port.data).a == 1
        ctx.set(port.addr, 1)
        ctx.set(domain.rst, 1)
        await ctx.tick()  # a port that reads is not reset
        assert ctx.get(port.data).a == 2
        ctx.set(port.en, 0)
        await ctx.tick()
        assert ctx.get(port.data) == Defaults.const({})

    bench(engine, m, drive, clock=1e-6)
