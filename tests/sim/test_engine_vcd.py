"""``Simulator.write_vcd``: the same waveforms with both engines."""

import enum
import io
import random

import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine

from .rich import RichDesign
from .test_waves import parsed
from .versus import free, nudge, quiet, random_value

ENGINES = ("pysim", CompiledEngine)


class Colour(enum.Enum):
    RED, GREEN, BLUE = range(3)


PAIR = data.StructLayout({"low": signed(3), "colour": Colour, "wide": 70})


class Everything(Elaboratable):
    """Registers, combinational and wide signals, fields, texts, and memories that the design writes."""

    def __init__(self):
        self.step = Signal(8, init=1)
        self.reset = Signal()
        self.count = Signal(8)
        self.total = Signal(signed(80))
        self.rows = Memory(shape=12, depth=4, init=[1, 2, 3])
        self.pairs = Memory(shape=PAIR, depth=3, init=[])

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = domain = ClockDomain(async_reset=True)
        m.domains.slow = ClockDomain(clk_edge="neg", reset_less=True)
        m.d.comb += domain.rst.eq(self.reset)
        colour = Signal(Colour)
        said = Signal(2, decoder=lambda value: f"is {value}")
        pair = Signal(PAIR)
        slow = Signal(5)
        m.d.sync += [self.count.eq(self.count + self.step), colour.eq(self.count[2:4])]
        m.d.slow += slow.eq(slow + self.count)
        m.d.comb += [self.total.eq(self.count * (3 - (5 << 60))), pair.as_value().eq(self.total), said.eq(self.count)]
        m.submodules.below = below = Module()
        below.submodules.rows, below.submodules.pairs = self.rows, self.pairs
        port = self.rows.write_port(granularity=4)
        other = self.pairs.write_port(domain="slow")
        read = self.rows.read_port()
        below.d.comb += [port.addr.eq(self.count ^ slow), port.data.eq(~self.count), port.en.eq(self.count[1:])]
        below.d.comb += [
            other.addr.eq(self.count ^ slow),
            other.data.eq(pair),
            other.en.eq(self.count[3]),
            read.addr.eq(slow),
        ]
        return m


async def drive(ctx, dut, bench):
    """Change inputs, registers and rows, between edges and at them."""
    for number in range(20):
        ctx.set(dut.step, number * 7 & 0xFF)
        ctx.set(bench, number - 6)
        if number in (3, 7):
            ctx.set(dut.reset, 1)
            await ctx.delay(0.1e-6)
            ctx.set(dut.reset, 0)
        if number % 4 == 2:
            ctx.set(dut.rows.data[number % 3], 0xA00 + number)
            ctx.set(dut.pairs.data[1].colour, Colour.BLUE)
            ctx.set(dut.count, 200 + number)
        await ctx.tick("slow" if number % 3 == 1 else "sync")
        ctx.set(dut.step, 1)
        ctx.set(dut.step, number * 7 & 0xFF)


def written(engine, vcd=None, gtkw=None, *, fs_per_delta=0, traces=False):
    """A waveform: as text, if there is no file for it."""
    dut, out = Everything(), io.StringIO()
    bench, copied = Signal(signed(4), name="of_the_bench"), Signal(PAIR, name="copied")
    simulator = Simulator(dut, engine=engine)
    simulator.add_clock(1e-6)
    simulator.add_clock(0.7e-6, domain="slow", phase=0.2e-6)

    async def testbench(ctx):
        await drive(ctx, dut, bench)

    async def process(ctx):
        async for (count,) in ctx.changed(dut.count):
            ctx.set(copied.wide, count * 3)

    simulator.add_process(process)
    simulator.add_testbench(testbench)
    wanted = [dut.step, {"group": (bench, copied)}, dut.rows.data, dut.pairs.data[1]] if traces else ()
    with simulator.write_vcd(vcd or out, gtkw, traces=wanted, fs_per_delta=fs_per_delta):
        simulator.run()
    return out.getvalue()


def changes(text):
    """Name → kind, then changes as (time, value): the last value of each time, without repetitions."""
    waveform, found = parsed(text), {}
    for name in waveform.references_to_ids:
        signal = waveform[name]
        found[name.removeprefix("bench.")] = made = [(signal.size, signal.var_type)]
        for time, value in dict(signal.tv).items():
            if made[-1][1] != value.lower():
                made.append((time, value.lower()))
    return found


def assert_same(theirs, ours):
    """Both waveforms have the same variables, which change alike."""
    theirs, ours = changes(theirs), changes(ours)
    assert sorted(ours) == sorted(theirs)
    for name in theirs:
        assert ours[name] == theirs[name], name
    return ours


@pytest.mark.parametrize("traces", [False, True], ids=["design", "with-traces"])
def test_all_signals_and_rows_change_alike(traces):
    found = assert_same(*(written(engine, traces=traces) for engine in ENGINES))
    of_bench = ["of_the_bench", "copied", r"\copied.wide"]
    assert all((name in found) == traces for name in of_bench)
    lively = ["top.step", "top.said", "top.colour", r"top.\pair.low", "top.total", "top.slow", "top.below.port__en"]
    rows = [*(rf"top.below.\rows[{row}]" for row in range(4)), *(rf"top.below.\pairs[{row}].wide" for row in range(3))]
    for name in (*lively, *rows, *(of_bench if traces else ())):
        assert len(found[name]) > 2, name


@pytest.mark.parametrize("seed", range(20, 26))
def test_waveforms_of_random_hierarchies_are_the_same(seed):
    texts = []
    for engine in ENGINES:
        design, r, out = RichDesign(seed, size=2), random.Random(seed), io.StringIO()
        simulator = quiet(Simulator, design, engine=engine)
        for number, domain in enumerate(design.domains):
            simulator.add_clock((4, 4, 6)[number] * 1e-6, domain=domain)
        inputs = free(simulator, design)

        async def bench(ctx, r=r, inputs=inputs):
            for _ in range(16):
                for signal in inputs:
                    if nudge(r, signal):
                        ctx.set(signal, random_value(r, signal))
                await ctx.delay(r.randrange(1, 4) * 1e-6)

        simulator.add_testbench(bench)
        with simulator.write_vcd(out):
            simulator.run()
        texts.append(out.getvalue())
    assert_same(*texts)


def test_deltas_that_take_time_end_at_the_same_values():
    texts = [written(engine, fs_per_delta=1000, traces=True) for engine in ENGINES]
    theirs, ours = ({name: made[-1][1] for name, made in changes(text).items()} for text in texts)
    assert ours == theirs


def test_files_and_what_gtkwave_is_to_show(tmp_path):
    views = []
    for number, engine in enumerate(ENGINES):
        vcd, gtkw = tmp_path / f"{number}.vcd", tmp_path / f"{number}.gtkw"
        written(engine, str(vcd), str(gtkw), traces=True)
        assert changes(vcd.read_text()) == changes(written(engine, traces=True))
        lines = gtkw.read_text().splitlines()
        assert f'[dumpfile] "{vcd}"' in lines
        views.append([line for line in lines if not line.startswith(("[*]", "[dumpfile"))])
    assert views[0] == views[1]
    for wanted in ("bench.top.step[7:0]", "-group", "bench.of_the_bench[3:0]", r"bench.top.below.\rows[3][11:0]"):
        assert wanted in views[1]
