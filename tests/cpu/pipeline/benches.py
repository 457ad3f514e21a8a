"""What the benches of the units share: both engines, and random operands made in hardware for long free runs."""

import pytest
from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine, Runner

ENGINES = ("pysim", CompiledEngine)
#: The last one is for many steps: benches then do without Amaranth's simulator.
ENGINES_AND_RUNNER = (*ENGINES, Runner)

#: Words that every unit treats somehow specially.
CORNERS = (0, 1, 2, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x8000_0001, 0xFFFF_FFFE)


class Direct:
    """What benches use of Amaranth's ``ctx``, on a :class:`Runner`; values are numbers or enumeration members."""

    def __init__(self, dut):
        self.run = Runner(dut)

    def set(self, signal, value):
        self.run[signal] = getattr(value, "value", value)

    def get(self, signal):
        return self.run[signal]

    async def tick(self):
        self.run(1)


def simulate(dut, bench, engine, *, clocked=True):
    """Run ``bench(ctx)`` on an engine."""
    if engine is Runner:
        try:
            bench(Direct(dut)).send(None)
        except StopIteration:
            return
        raise AssertionError("the bench waits for something else than a tick")
    simulator = Simulator(dut, engine=engine)
    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def refused(unit, message, **arguments):
    """The constructor refuses arguments; no warning that what it did not make is not used."""
    quiet = type(unit.__name__, (unit,), {"_MustUse__silence": True})
    with pytest.raises(ValueError, match=message):
        quiet(**arguments)


class Noise(wiring.Component):
    """A word in every cycle: noise of any magnitude and sign, and corners among it.

    ``bits`` are 16 further bits of noise, for what else a bench decides.
    """

    def __init__(self, seed):
        self._seed = seed * 0x9E37_79B9_7F4A_7C15 & (1 << 64) - 1 or 1
        super().__init__({"word": Out(32), "bits": Out(16)})

    def elaborate(self, platform):
        m = Module()
        state = Signal(64, init=self._seed)
        first, second = Signal(64), Signal(64)
        m.d.comb += [first.eq(state ^ (state << 13)), second.eq(first ^ (first >> 7))]
        m.d.sync += state.eq(second ^ (second << 17))
        corners = Array(Const(corner, 32) for corner in CORNERS)
        small = state[:32].as_signed() >> state[32:37]
        m.d.comb += [
            self.bits.eq(state[48:]),
            self.word.eq(
                Mux(state[40:42] == 0, corners[state[37:40]], Mux(state[42], small, state[:32] >> state[32:37]))
            ),
        ]
        return m
