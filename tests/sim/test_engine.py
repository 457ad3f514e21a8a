"""Amaranth's simulator with this engine and with its own: the same test benches see the same."""

import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Module, ResetInserter, Signal
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer
from amaranth.lib.crc import Algorithm
from amaranth.lib.fifo import AsyncFIFO, SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine

ENGINES = ("pysim", CompiledEngine)


def both(make, drive, clocks=(("sync", 1e-6),)):
    """What ``drive(ctx, dut, log)`` logs with each engine."""
    logs = []
    for engine in ENGINES:
        dut, log = make(), []
        simulator = Simulator(dut, engine=engine)
        for domain, period in clocks:
            simulator.add_clock(period, domain=domain)
        for bench in drive if isinstance(drive, tuple) else (drive,):

            async def process(ctx, bench=bench, dut=dut, log=log):
                await bench(ctx, dut, log)

            simulator.add_testbench(process)
        simulator.run()
        logs.append(log)
    return logs


async def _write(ctx, fifo, log, domain="sync"):
    for number in range(30):
        ctx.set(fifo.w_data, number * 7 & 0xFF)
        ctx.set(fifo.w_en, 1)
        await ctx.tick(domain).until(fifo.w_rdy)
    ctx.set(fifo.w_en, 0)


async def _read(ctx, fifo, log, domain="sync"):
    for number in range(30):
        ctx.set(fifo.r_en, 1)
        log.append(await ctx.tick(domain).sample(fifo.r_data, fifo.r_level).until(fifo.r_rdy))
        ctx.set(fifo.r_en, 0)
        if number % 3 == 0:
            await ctx.tick(domain).repeat(number % 5 + 1)


def test_buffered_fifo():
    theirs, ours = both(lambda: SyncFIFOBuffered(width=8, depth=4), (_write, _read))
    assert ours == theirs
    assert len(ours) == 30


def test_fifo_across_clocks():
    async def write(ctx, fifo, log):
        await _write(ctx, fifo, log, "write")

    async def read(ctx, fifo, log):
        await _read(ctx, fifo, log, "read")

    theirs, ours = both(lambda: AsyncFIFO(width=8, depth=8), (write, read), (("read", 1e-6), ("write", 0.7e-6)))
    assert ours == theirs
    assert len(ours) == 30


def test_crc():
    def make():
        return Algorithm(
            crc_width=16, polynomial=0x1021, initial_crc=0xFFFF, reflect_input=False, reflect_output=False,
            xor_output=0,
        )(data_width=8).create()  # fmt: skip

    async def drive(ctx, crc, log):
        for byte in b"123456789":
            ctx.set(crc.data, byte)
            ctx.set(crc.valid, 1)
            await ctx.tick()
            log.append(ctx.get(crc.crc))

    theirs, ours = both(make, drive)
    assert ours == theirs
    assert ours[-1] == 0x29B1


class Synchronized(Elaboratable):
    """A synchronizer and a reset synchronizer with asynchronous assertion."""

    def __init__(self):
        self.i, self.o, self.arst, self.count = (Signal(name=n) for n in ("i", "o", "arst", "count"))

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(async_reset=True)
        m.submodules.ffs = FFSynchronizer(self.i, self.o)
        m.submodules.reset = ResetSynchronizer(self.arst)
        m.d.sync += self.count.eq(self.count ^ self.o)
        return m


def test_synchronizers_and_asynchronous_reset():
    async def drive(ctx, dut, log):
        for number in range(40):
            ctx.set(dut.i, number >> 1 & 1)
            if number in (13, 14, 29):
                ctx.set(dut.arst, 1)
                await ctx.delay(0.2e-6)
                log.append((ctx.get(dut.o), ctx.get(dut.count)))
                ctx.set(dut.arst, 0)
            await ctx.tick()
            log.append((ctx.get(dut.o), ctx.get(dut.count)))

    theirs, ours = both(Synchronized, drive)
    assert ours == theirs
    assert any(count for _, count in ours)


class Rows(Elaboratable):
    """A memory that a test bench reads and writes beside the design."""

    def __init__(self):
        self.memory = Memory(shape=8, depth=4, init=[1, 2, 3, 4])
        self.address = Signal(2)
        self.value = Signal(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = self.memory
        read = self.memory.read_port(domain="comb")
        write = self.memory.write_port()
        m.d.comb += [read.addr.eq(self.address), self.value.eq(read.data)]
        m.d.comb += [write.addr.eq(self.address), write.data.eq(read.data + 1), write.en.eq(1)]
        return m


def test_memory_rows_from_a_test_bench():
    async def drive(ctx, dut, log):
        ctx.set(dut.memory.data[2], 40)
        for number in range(8):
            ctx.set(dut.address, number & 3)
            await ctx.delay(1e-7)
            log.append((ctx.get(dut.value), ctx.get(dut.memory.data[2])))
            await ctx.tick()

    theirs, ours = both(Rows, drive)
    assert ours == theirs


def test_processes_replace_logic_and_see_changes():
    class Adder(Elaboratable):
        def __init__(self):
            self.a, self.b, self.sum, self.total = Signal(8), Signal(8), Signal(9), Signal(16)

        def elaborate(self, platform):
            m = Module()
            m.d.sync += self.total.eq(self.total + self.sum)
            return m

    logs = []
    for engine in ENGINES:
        dut, log = Adder(), []
        simulator = Simulator(dut, engine=engine)
        simulator.add_clock(1e-6)

        async def add(ctx, dut=dut):
            async for a, b in ctx.changed(dut.a, dut.b):
                ctx.set(dut.sum, a + b)

        async def drive(ctx, dut=dut, log=log):
            for number in range(10):
                ctx.set(dut.a, number)
                ctx.set(dut.b, number * 3)
                log.append(ctx.get(dut.sum))
                await ctx.tick()
                log.append(ctx.get(dut.total))

        simulator.add_process(add)
        simulator.add_testbench(drive)
        simulator.run()
        logs.append(log)
    assert logs[0] == logs[1]
    assert logs[1][0:2] == [0, 0]
    assert logs[1][-1] == sum(4 * n for n in range(10))


def test_reset_and_run_again():
    dut = Synchronized()
    simulator = Simulator(dut, engine=CompiledEngine)
    simulator.add_clock(1e-6)
    seen = []

    async def drive(ctx):
        ctx.set(dut.i, 1)
        for _ in range(6):
            await ctx.tick()
            seen.append(ctx.get(dut.count))

    simulator.add_testbench(drive)
    simulator.run()
    simulator.reset()
    simulator.run()
    assert seen[:6] == seen[6:]


def test_clock_that_the_design_drives_is_refused():
    class Own(Elaboratable):
        def elaborate(self, platform):
            m = Module()
            m.domains.sync = domain = ClockDomain()
            toggle = Signal()
            m.d.comb += domain.clk.eq(toggle)
            m.d.sync += Signal(name="x").eq(1)
            return m

    with pytest.raises(Exception, match="already driven"):
        Simulator(Own(), engine=CompiledEngine).add_clock(1e-6)


def test_synchronous_reset():
    class Counting(Elaboratable):
        def __init__(self):
            self.rst, self.count = Signal(), Signal(8, init=3)

        def elaborate(self, platform):
            m = Module()
            m.d.sync += self.count.eq(self.count + 1)
            return ResetInserter(self.rst)(m)

    async def drive(ctx, dut, log):
        for number in range(20):
            ctx.set(dut.rst, number % 7 == 6)
            await ctx.tick()
            log.append(ctx.get(dut.count))

    theirs, ours = both(Counting, drive)
    assert ours == theirs
