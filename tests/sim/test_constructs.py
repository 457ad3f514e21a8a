"""Single constructs that were or could be simulated wrongly, beside Amaranth's own simulator."""

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Module, Print, ResetSignal, Signal, signed, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine, Runner, UnsupportedDesign


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
            Runner(m)


def test_condition_that_depends_on_what_an_earlier_one_assigns_is_no_loop(engine):
    """Amaranth's netlist has all conditions of a chain in one cell; bit by bit there is no way round."""
    m = Module()
    first, other, ready, granted = (Signal(name=name) for name in ("first", "other", "ready", "granted"))
    m.d.comb += ready.eq(~granted & other)
    with m.If(first):
        m.d.comb += granted.eq(1)
    with m.Elif(other):
        m.d.comb += Signal(name="unused").eq(1)
    late = Signal()
    with m.If(other):
        m.d.comb += late.eq(2)
    with m.Elif(ready):
        m.d.comb += late.eq(1)

    async def drive(ctx):
        for n in range(4):
            ctx.set(first, n & 1)
            ctx.set(other, n >> 1)
            assert ctx.get(ready) == ((n >> 1) & ~n & 1)

    bench(engine, m, drive)


def test_chain_of_conditions_that_feed_each_other(engine):
    m = Module()
    a, b, x, y = (Signal(name=name) for name in "abxy")
    with m.If(a):
        m.d.comb += x.eq(1)
    with m.Elif(y):
        m.d.comb += b.eq(1)
    m.d.comb += y.eq(x)

    async def drive(ctx):
        for value in (0, 1, 0):
            ctx.set(a, value)
            assert (ctx.get(x), ctx.get(y), ctx.get(b)) == (value, value, 0)

    bench(engine, m, drive)


class Defaults(data.Struct):
    a: unsigned(4) = 3
    b: signed(3) = -2


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


def test_a_clock_that_is_passed_on_is_the_same_clock():
    """In pysim the second domain is one delta late and already sees what the first one's registers have become."""
    m = Module()
    m.domains += [ClockDomain("first"), ClockDomain("second")]
    count, copy = Signal(4), Signal(4)
    m.d.comb += ClockSignal("second").eq(ClockSignal("first"))
    m.d.first += count.eq(count + 1)
    m.d.second += copy.eq(count)
    simulator = Simulator(m, engine=CompiledEngine)
    simulator.add_clock(1e-6, domain="first")
    seen = []

    async def drive(ctx):
        for _ in range(3):
            await ctx.tick("first")
            seen.append((ctx.get(count), ctx.get(copy)))

    simulator.add_testbench(drive)
    simulator.run()
    assert seen == [(1, 0), (2, 1), (3, 2)]


def test_everything_in_a_domain_happens_at_the_edge_of_its_asynchronous_reset(engine, capsys):
    """As Amaranth's simulator has it: memories are written, ports read, registers without reset take values."""
    m = Module()
    m.domains.sync = domain = ClockDomain(async_reset=True)
    m.submodules.memory = memory = Memory(shape=8, depth=4, init=[5])
    port, count, free = memory.write_port(), Signal(4), Signal(4, reset_less=True)
    read = memory.read_port()
    m.d.comb += [port.en.eq(1), port.data.eq(9)]
    m.d.sync += [count.eq(count + 1), free.eq(free + 1), Print("now", free)]

    async def drive(ctx):
        await ctx.tick()
        ctx.set(memory.data[0], 5)
        assert (ctx.get(count), ctx.get(free), ctx.get(read.data)) == (1, 1, 5)
        ctx.set(memory.data[0], 6)
        ctx.set(domain.rst, 1)
        assert (ctx.get(count), ctx.get(free), ctx.get(memory.data[0]), ctx.get(read.data)) == (0, 2, 9, 6)
        ctx.set(read.en, 0)
        await ctx.tick()
        assert (ctx.get(count), ctx.get(free), ctx.get(memory.data[0]), ctx.get(read.data)) == (0, 3, 9, 0)

    bench(engine, m, drive, clock=1e-6)
    assert capsys.readouterr().out.split() == ["now", "0", "now", "1", "now", "2"]


def test_bits_of_one_signal_may_belong_to_two_domains_and_keep_their_initial_values():
    logs = []
    for engine in ("pysim", CompiledEngine):
        whole, mixed, source, log = Signal(8, init=0xA5), Signal(8, init=0x3C), Signal(2), []
        m = Module()
        m.domains += [ClockDomain("a"), ClockDomain("b", clk_edge="neg")]
        m.d.comb += whole[2:4].eq(source)
        m.d.a += mixed[:3].eq(mixed[5:] + 1)
        m.d.b += mixed[3:6].eq(mixed[:3])
        simulator = Simulator(m, engine=engine)
        simulator.add_clock(1e-6, domain="a")
        simulator.add_clock(0.6e-6, domain="b")

        async def drive(ctx, whole=whole, mixed=mixed, source=source, log=log):
            for n in range(12):
                ctx.set(source, n & 3)
                await ctx.delay(0.25e-6)
                ctx.set(mixed[7], n >> 1 & 1)
                log.append((ctx.get(whole), ctx.get(mixed)))
            with pytest.raises(Exception, match="Combinationally driven"):
                ctx.set(whole[0], 0)

        simulator.add_testbench(drive)
        simulator.run()
        logs.append(log)
    assert logs[0] == logs[1]
    assert len(logs[1]) == 12


def test_memories_without_bits_or_rows(engine):
    m = Module()
    m.submodules.narrow = narrow = Memory(shape=0, depth=4, init=[])
    m.submodules.empty = empty = Memory(shape=4, depth=0, init=[])
    reads = [narrow.read_port(), empty.read_port(), empty.read_port(domain="comb")]
    writes = [narrow.write_port(), empty.write_port()]

    async def drive(ctx):
        for port in writes:
            ctx.set(port.en, 1)
            ctx.set(port.data, 0)
        ctx.set(writes[1].data, 9)
        await ctx.tick()
        assert [ctx.get(port.data) for port in reads] == [0, 0, 0]

    bench(engine, m, drive, clock=1e-6)
