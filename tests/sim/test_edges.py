"""Free runs of designs that make clocks and resets themselves, against Amaranth's simulator."""

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal
from amaranth.sim import Simulator

from rvsim.sim import Runner


class Divided(Elaboratable):
    """A register is the clock of another domain, and a counter the asynchronous reset of a third."""

    def __init__(self):
        self.count, self.slow, self.other = Signal(8), Signal(8), Signal(8)

    def elaborate(self, platform):
        m = Module()
        m.domains.slow = ClockDomain(reset_less=True)
        m.domains.other = ClockDomain(async_reset=True)
        half = Signal()
        m.d.sync += [half.eq(~half), self.count.eq(self.count + 1)]
        m.d.comb += [ClockSignal("slow").eq(half), ResetSignal("other").eq(self.count[:3] == 5)]
        m.d.comb += ClockSignal("other").eq(ClockSignal("sync"))
        m.d.slow += self.slow.eq(self.slow + self.count)
        m.d.other += self.other.eq(self.other + 1)
        return m


class Gated(Elaboratable):
    """A clock behind a gate that an input opens, and a falling edge."""

    def __init__(self):
        self.enable, self.rising, self.falling = Signal(), Signal(8), Signal(8)

    def elaborate(self, platform):
        m = Module()
        m.domains.gated = ClockDomain(reset_less=True)
        m.domains.neg = ClockDomain(clk_edge="neg", reset_less=True)
        m.d.comb += ClockSignal("gated").eq(ClockSignal("sync") & self.enable)
        m.d.comb += ClockSignal("neg").eq(ClockSignal("gated"))
        m.d.gated += self.rising.eq(self.rising + 1)
        m.d.neg += self.falling.eq(self.falling + self.rising)
        m.d.sync += Signal(name="unused").eq(1)
        return m


def compare(dut, signals, inputs=(), cycles=40):
    simulator, run, seen = Simulator(dut), Runner(dut), []
    simulator.add_clock(1e-6)

    async def bench(ctx):
        for cycle in range(cycles):
            for signal in inputs:
                ctx.set(signal, cycle // 3 % 2)
                run[signal] = cycle // 3 % 2
            await ctx.delay(1e-6)
            run(1)
            seen.append(([run[s] for s in signals], [ctx.get(s) for s in signals]))

    simulator.add_testbench(bench)
    simulator.run()
    assert all(ours == theirs for ours, theirs in seen), seen
    return seen


def test_clock_and_reset_made_by_registers():
    dut = Divided()
    seen = compare(dut, [dut.count, dut.slow, dut.other])
    assert seen[-1][0][1] and seen[-1][0][2]


def test_gated_clock():
    dut = Gated()
    seen = compare(dut, [dut.rising, dut.falling], [dut.enable])
    assert seen[-1][0][0] and seen[-1][0][1]


class Reset(Elaboratable):
    """Two domains with asynchronous resets from outside: one plain, one behind logic."""

    def __init__(self):
        self.one, self.two, self.rst, self.mask = Signal(8, init=3), Signal(8), Signal(), Signal()

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(async_reset=True)
        m.domains.two = ClockDomain(async_reset=True)
        m.d.comb += [ClockSignal("two").eq(ClockSignal()), ResetSignal("two").eq(self.rst & ~self.mask)]
        m.d.comb += ResetSignal().eq(self.rst)
        m.d.sync += self.one.eq(self.one + 1)
        m.d.two += self.two.eq(self.two + 1)
        return m


def test_asynchronous_reset_from_outside_acts_at_once():
    dut = Reset()
    run = Runner(dut)
    run(5)
    assert (run[dut.one], run[dut.two]) == (8, 5)
    run[dut.mask] = 1
    run[dut.rst] = 1
    assert (run[dut.one], run[dut.two]) == (3, 5)
    run(2)
    assert (run[dut.one], run[dut.two]) == (3, 7)
    run[dut.mask] = 0
    assert (run[dut.one], run[dut.two]) == (3, 0)
    run[dut.rst] = 0
    run(1)
    assert (run[dut.one], run[dut.two]) == (4, 1)


def test_poked_clock_is_an_edge():
    class Counting(Elaboratable):
        def __init__(self):
            self.count = Signal(8)

        def elaborate(self, platform):
            m = Module()
            m.d.sync += self.count.eq(self.count + 1)
            return m

    dut = Counting()
    run = Runner(dut)
    run["clk"] = 1
    assert run[dut.count] == 1
    run["clk"] = 1
    run["clk"] = 0
    assert run[dut.count] == 1


@pytest.mark.parametrize(
    ("clocks", "error"),
    [
        ({"fsat": 2}, "no clock domain is named 'fsat'"),
        ({"sync": 0}, "has 0 periods"),
        ({"sync": 1.5}, "1.5 periods"),
        ({"sync": 65}, "1 to 64"),
    ],
)
def test_clocks_that_make_no_sense(clocks, error):
    with pytest.raises((KeyError, ValueError), match=error):
        Runner(Divided(), clocks=clocks)


@pytest.mark.parametrize("clocks", [{"a": 1, "b": 3}, {"a": 2, "b": 3}, {"a": 5, "b": 2}, {"a": 1, "b": 2}])
def test_several_periods_in_a_cycle_are_as_with_clocks_of_that_period(clocks):
    class Crossing(Elaboratable):
        def __init__(self):
            self.seen = [Signal(16, name=f"seen{n}") for n in range(4)]

        def elaborate(self, platform):
            m = Module()
            a, b = ClockDomain("a", reset_less=True), ClockDomain("b", reset_less=True)
            falling = [ClockDomain(name, clk_edge="neg", reset_less=True) for name in ("na", "nb")]
            falling[0].clk, falling[1].clk = a.clk, b.clk
            m.domains += [a, b, *falling]
            one, two, three, four = self.seen
            m.d.a += one.eq(one * 3 + two + 1)
            m.d.b += two.eq(two * 5 + one + three + 1)
            m.d.na += three.eq(three * 7 + two + 1)
            m.d.nb += four.eq(four * 11 + one + three + 1)
            return m

    dut, log = Crossing(), []
    simulator, run = Simulator(dut), Runner(dut, clocks=clocks)
    for domain, count in clocks.items():
        simulator.add_clock(30e-6 / count, domain=domain)

    async def bench(ctx):
        await ctx.delay(0.1e-6)
        for _ in range(8):
            await ctx.delay(30e-6)
            run(1)
            log.append(([run[s] for s in dut.seen], [ctx.get(s) for s in dut.seen]))

    simulator.add_testbench(bench)
    simulator.run()
    assert all(ours == theirs for ours, theirs in log), log
