"""Any design in Amaranth on the compiled engine: a test bench, a free run with streams, a waveform."""

import tempfile
from pathlib import Path

from amaranth.hdl import Array, Assert, Elaboratable, Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine, Receiver, Runner, Sender


class Smoother(wiring.Component):
    """A moving average over the last four samples."""

    samples: In(stream.Signature(signed(16)))
    averages: Out(stream.Signature(signed(16)))

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        last = Array(Signal(signed(16), name=f"last{n}") for n in range(4))
        total = Signal(signed(18))
        place = Signal(2)
        full = Signal()
        m.d.comb += [
            self.samples.ready.eq(~full | self.averages.ready),
            self.averages.valid.eq(full),
            self.averages.payload.eq(total >> 2),
        ]
        with m.If(self.averages.ready):
            m.d.sync += full.eq(0)
        with m.If(self.samples.valid & self.samples.ready):
            m.d.sync += [
                total.eq(total + self.samples.payload - last[place]),
                last[place].eq(self.samples.payload),
                place.eq(place + 1),
                full.eq(1),
            ]
        m.d.sync += Assert(total == sum(last))
        return m


def with_a_test_bench():
    """The test bench that you have, under the engine that is faster."""
    dut = Smoother()
    simulator = Simulator(dut, engine=CompiledEngine)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        ctx.set(dut.averages.ready, 1)
        for sample, expected in ((8, 2), (8, 4), (-40, -6)):
            ctx.set(dut.samples.payload, sample)
            ctx.set(dut.samples.valid, 1)
            await ctx.tick()
            assert ctx.get(dut.averages.payload) == expected

    simulator.add_testbench(bench)
    simulator.run()


def freely():
    """A million cycles in some milliseconds, samples in and averages out through rings; then a waveform of a few."""
    dut = Smoother()
    source, sink = Sender(dut.samples), Receiver(dut.averages)
    run = Runner(dut, ports=[source, sink])
    source.write((n * 37) % 1000 - 500 for n in range(100_000))
    run(1_000_000)
    averages = sink.read()
    print(len(averages), "averages, the last of them", averages[-4:], "after", run.cycle, "cycles")

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "smoother.vcd"  # for GTKWave or Surfer
        with run.trace(target, dut.samples.payload, dut.averages.payload, "total"):
            source.write([100, 200, 300])
            run(10)
        print(target.name, "has", target.read_text().count("#"), "moments")


if __name__ == "__main__":
    with_a_test_bench()
    freely()
