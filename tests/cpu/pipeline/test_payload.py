"""Payloads: every instruction arrives with what it was given, in order, whatever stalls and is killed."""

import random

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.sim import Simulator

from rvsim.cpu.pipeline.payload import Key, Pipeline
from rvsim.sim import CompiledEngine

NUMBER, DOUBLE = Key("number", 16), Key("double", 17)


class Line(Elaboratable):
    """Four stages: a number goes in, its double is made in the second one, both come out at the end."""

    def __init__(self):
        self.number, self.offered = Signal(16), Signal()
        self.stalls, self.kills = (Signal(4, name=name) for name in ("stalls", "kills"))
        self.out, self.double, self.done, self.taken = Signal(16), Signal(17), Signal(), Signal()

    def elaborate(self, platform):
        m = Module()
        pipe = Pipeline(m, "f", "x", "m", "w")
        pipe.f.insert(NUMBER, self.number)
        pipe.x.insert(DOUBLE, pipe.x[NUMBER] << 1)
        m.d.comb += [
            pipe.f.valid.eq(self.offered), self.taken.eq(pipe.f.leaves), self.done.eq(pipe.w.leaves),
            self.out.eq(pipe.w[NUMBER]), self.double.eq(pipe.w[DOUBLE]),
        ]  # fmt: skip
        for index, stage in enumerate(pipe):
            stage.stall_on(self.stalls[index])
            stage.kill_on(self.kills[index])
        pipe.connect()
        return m


class Model:
    """The same in Python: what is in each stage."""

    def __init__(self):
        self.stages = [None] * 4

    def step(self, offered, stalls, kills):
        """One cycle; whether the offered number was taken, and what came out."""
        self.stages[0] = offered
        killed = [any(kills >> n & 1 for n in range(index, 4)) for index in range(4)]
        room, moved = True, [False] * 4
        for index in reversed(range(4)):
            there = self.stages[index] is not None
            moved[index] = there and not stalls >> index & 1 and not killed[index] and room
            room = not there or moved[index] or killed[index]
        out = self.stages[3] if moved[3] else None
        for index in reversed(range(4)):
            if index < 3 and moved[index]:
                self.stages[index + 1] = self.stages[index]
            if (moved[index] or killed[index]) and not (index and moved[index - 1]):
                self.stages[index] = None
        return moved[0], out


@pytest.mark.parametrize("engine", ["pysim", CompiledEngine], ids=["pysim", "compiled"])
@pytest.mark.parametrize(("stalls", "kills"), [(0, 0), (0.3, 0), (0.2, 0.05)])
def test_instructions_arrive_in_order_with_what_they_carry(engine, stalls, kills):
    dut, model, r = Line(), Model(), random.Random(1)
    simulator = Simulator(dut, engine=engine)
    simulator.add_clock(1e-6)
    outcomes = []

    async def bench(ctx):
        for number in range(1, 601):
            offered = number if r.random() < 0.8 else None
            stall = sum((r.random() < stalls) << n for n in range(4))
            kill = sum((r.random() < kills) << n for n in range(4))
            ctx.set(dut.offered, offered is not None)
            ctx.set(dut.number, number)
            ctx.set(dut.stalls, stall)
            ctx.set(dut.kills, kill)
            taken, out = model.step(offered, stall, kill)
            assert ctx.get(dut.taken) == taken
            assert (ctx.get(dut.out) if ctx.get(dut.done) else None) == out
            if out is not None:
                assert ctx.get(dut.double) == 2 * out
                outcomes.append(out)
            await ctx.tick()

    simulator.add_testbench(bench)
    simulator.run()
    assert outcomes == sorted(outcomes) and len(outcomes) > 150
    if not stalls:
        assert len(outcomes) > 450


def test_what_nobody_put_in_is_named():
    pipe = Pipeline(Module(), "f", "x")
    with pytest.raises(KeyError, match="'number' in stage 'f' or before"):
        pipe.x[NUMBER]
    pipe.f.insert(NUMBER, 1)
    with pytest.raises(ValueError, match="'number' was put into stage 'f'"):
        pipe.f.insert(NUMBER, 2)
    with pytest.raises(AttributeError, match="no stage 'y'"):
        pipe.y  # noqa: B018
